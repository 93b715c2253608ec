// What to try, as long as little has happened: from what is there already, each step does itself.
import { html, useState } from "../vendor/preact.js";
import { useCollection } from "../core/data.js";
import { href } from "../core/route.js";
import { pathOfMapping } from "../core/words.js";
import { useMay } from "../core/role.js";
import { sendAndShow } from "../parts/trial.js";
import { isScreen } from "./places.js";

// Every CoAP server lists its resources there (RFC 6690). Where the group's URI has a path, that resource is what is asked.
const firstPath = ({ group, targets }) => (/^coap:\/\/[^/]*\/?$/i.test(group || targets[0].group) ? "/.well-known/core" : "");

function AskThem({ mapping }) {
    const [isBusy, setBusy] = useState(false);
    const order = { mapping: mapping.name, method: "GET", path: firstPath(mapping) };
    return html`<li>Ask the members of <strong>${mapping.name}</strong> ${order.path ? "what they have" : "how they are"}, and watch the answers come in.
        <div class="actions"><button type="button" class="primary" disabled=${isBusy} onClick=${() => sendAndShow(order, setBusy)}>${isBusy ? "Waiting for answers …" : `Send GET ${pathOfMapping(mapping)}${order.path}`}</button></div></li>`;
}

export function FirstSteps() {
    const { data: mappings } = useCollection("mappings");
    const [mayTry, mayChange] = [useMay("operator"), useMay("admin")];
    if (mappings === null || !mayTry) return null;
    const mapping = mappings.find(({ state }) => state === "in-use");
    return html`<section class="card first-steps">
        <h2>What to try first</h2>
        <ol>
            ${mapping && html`<${AskThem} mapping=${mapping} />`}
            ${mayChange && isScreen("mappings/:name") && html`<li>${mapping ? "Make a mapping of your own" : "No mapping yet. Make one"}: which client may send what to which group. <a href=${href("mappings", "new")}>New mapping</a></li>`}
            ${mayChange && isScreen("clients/:name") && html`<li>Give an application a token of its own. <a href=${href("clients", "new")}>New client</a></li>`}
            ${mayChange && isScreen("history") && html`<li>Whatever you change, take it back. <a href=${href("history")}>History</a></li>`}
        </ol>
    </section>`;
}
