// What to try, as long as little has happened: from what is there already, each step does itself.
import { html, useState } from "../vendor/preact.js";
import { useCollection } from "../core/data.js";
import { href } from "../core/route.js";
import { useMay } from "../core/role.js";
import { sendAndShow } from "../parts/trial.js";
import { isScreen } from "./places.js";

function AskThem({ mapping }) {
    const [isBusy, setBusy] = useState(false);
    return html`<li>Ask the members of <strong>${mapping.name}</strong> how they are, and watch the answers come in.
        <div class="actions"><button type="button" class="primary" disabled=${isBusy} onClick=${() => sendAndShow({ mapping: mapping.name, method: "GET" }, setBusy)}>${isBusy ? "Waiting for answers …" : `Send GET ${mapping.path || `/${mapping.name}`}`}</button></div></li>`;
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
