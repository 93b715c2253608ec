// A change in words, and as JSON for who wants it: [{kind, name, before, after}] as dry runs and revisions have it.
import { html, useState } from "../vendor/preact.js";
import { changedKeys, documentOf, asText } from "../core/compare.js";

export const kindWords = {
    mappings: "mapping",
    clients: "client",
    reactions: "reaction",
    settings: "settings",
    "security-groups": "security group",
    keys: "keys",
};

const nameOf = ({ kind, name }) => (kind === "settings" ? "the settings" : `${kindWords[kind] || kind} ${name}`);

const verbOf = ({ before, after }) => (before === null ? "makes" : after === null ? "removes" : "changes");

// "makes mapping floor3", "changes mapping floor3: timeout, clients"
export function differenceWords(one) {
    const keys = one.before && one.after ? changedKeys(one.before, one.after) : [];
    return `${verbOf(one)} ${nameOf(one)}${keys.length ? ": " + keys.join(", ") : ""}`;
}

function Keys({ one }) {
    const keys = changedKeys(one.before || {}, one.after || {}).filter((key) => key !== "name");
    const [before, after] = [documentOf(one.before), documentOf(one.after)];
    return html`<dl class="keys">
        ${keys.map((key) => html`<div key=${key}>
            <dt>${key}</dt>
            <dd>${one.before && html`<del>${asText(before[key])}</del>`} ${one.after && html`<ins>${asText(after[key])}</ins>`}</dd>
        </div>`)}
    </dl>`;
}

export function Difference({ changes }) {
    const [isJson, setJson] = useState(false);
    if (changes.length === 0) return html`<p class="faint">Nothing would change.</p>`;
    return html`<div class="difference">
        ${isJson
            ? html`<pre class="json">${JSON.stringify(changes, null, 2)}</pre>`
            : changes.map((one) => html`<section key=${one.kind + one.name}><h3>${verbOf(one)} ${nameOf(one)}</h3><${Keys} one=${one} /></section>`)}
        <button type="button" class="plain" aria-pressed=${isJson ? "true" : "false"} onClick=${() => setJson(!isJson)}>${isJson ? "in words" : "as JSON"}</button>
    </div>`;
}
