// What goes out on the air asks once, with the preview; "don't ask for this mapping" is remembered in this browser.
import { html, useEffect, useState } from "../vendor/preact.js";
import { makeStore, useStore } from "../core/store.js";
import { previewOf } from "../core/api.js";
import { Dialog } from "./dialog.js";
import { Preview } from "./preview.js";

const KEY = "castgate.unasked";
const question = makeStore(null);

function unasked() {
    try {
        return new Set(JSON.parse(localStorage.getItem(KEY)));
    } catch {
        return new Set();
    }
}

function remember(mapping) {
    localStorage.setItem(KEY, JSON.stringify([...unasked().add(mapping)]));
}

// Resolves to true where the operator agrees (or has said so for good). order: the body of POST try, or anything with
// `mapping` (a name) where `preview`, a function that returns a promise of a preview, is given.
export function askToSend(order, preview = () => previewOf(order)) {
    const mapping = typeof order.mapping === "string" ? order.mapping : null;
    if (mapping !== null && unasked().has(mapping)) return Promise.resolve(true);
    return new Promise((resolve) => question.set({ order, mapping, preview, resolve }));
}

// A mapping that is not saved may have no name yet.
const nameOf = ({ mapping }) => (typeof mapping === "string" ? mapping : `${mapping.name || mapping.path || "a mapping"}, not saved`);

function Question({ asked }) {
    const [shown, setShown] = useState({});
    const [isLast, setLast] = useState(false);
    useEffect(() => {
        asked.preview().then((preview) => setShown({ preview }), (error) => setShown({ error }));
    }, []);
    const answer = (agrees) => {
        if (agrees && isLast && asked.mapping) remember(asked.mapping);
        question.set(null);
        asked.resolve(agrees);
    };
    const actions = html`<button type="button" onClick=${() => answer(false)}>Cancel</button>
        <button type="button" class="primary" data-first disabled=${!!shown.error} onClick=${() => answer(true)}>Send</button>`;
    return html`<${Dialog} title="Send this to the group?" onClose=${() => answer(false)} actions=${actions}>
        <p><code>${[asked.order.method || "GET", asked.order.path].filter(Boolean).join(" ")}</code> to the group of ${nameOf(asked.order)}</p>
        ${shown.error ? html`<p class="error">${shown.error.message}</p>` : shown.preview ? html`<${Preview} ...${shown.preview} />` : html`<p class="faint">Working out what would go out …</p>`}
        ${asked.mapping && html`<label class="check"><input type="checkbox" checked=${isLast} onChange=${(event) => setLast(event.target.checked)} /> Don't ask for this mapping again</label>`}
    <//>`;
}

export function ConfirmSend() {
    const asked = useStore(question);
    return asked && html`<${Question} key=${asked} asked=${asked} />`;
}
