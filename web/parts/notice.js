// Notices at the foot of the page, and the quiet one of two versions. A notice stays until it is closed if it failed, else
// for some seconds, longer while it is pointed at or has focus.
import { html, useEffect, useRef } from "../vendor/preact.js";
import { useStore } from "../core/store.js";
import { notices, close } from "../core/notices.js";
import { changedKeys, asText } from "../core/compare.js";
import { Icon } from "./icon.js";
import { Mark } from "./status.js";

const STAYS_MS = 12000;

function Notice({ notice }) {
    const timer = useRef(null);
    const rest = () => clearTimeout(timer.current);
    const start = () => {
        rest();
        if (notice.tone !== "bad") timer.current = setTimeout(() => close(notice.id), STAYS_MS);
    };
    useEffect(() => (start(), rest), []);
    const act = () => {
        close(notice.id);
        notice.action.run();
    };
    return html`<div class="notice" onMouseEnter=${rest} onMouseLeave=${start} onfocusin=${rest} onfocusout=${start}>
        <${Mark} tone=${notice.tone} />
        <p>${notice.text}</p>
        ${notice.action && html`<button type="button" class="plain strong" onClick=${act}>${notice.action.label}</button>`}
        <button type="button" class="plain square" aria-label="Close this notice" onClick=${() => close(notice.id)}><${Icon} name="close" /></button>
    </div>`;
}

export const Notices = () => html`<div class="notices" role="status" aria-live="polite">
    ${useStore(notices).map((notice) => html`<${Notice} key=${notice.id} notice=${notice} />`)}
</div>`;

// Somebody else changed what is being edited. mine: what was typed; theirs: {item, etag} as it is now (null: it is gone).
// onTake: goes on with theirs; onKeep: saves mine over it. Nothing is lost before one of them is chosen.
export function Conflict({ mine, theirs, onTake, onKeep }) {
    const item = theirs ? theirs.item : {};
    const keys = changedKeys(item, mine);
    return html`<section class="conflict" role="status" aria-label="Somebody else changed this">
        <p><${Mark} tone="warn" /> ${theirs ? `${item.changed_by || "Somebody"} changed this meanwhile. What you typed is kept.` : "This was removed meanwhile. What you typed is kept."}</p>
        ${keys.length > 0 && html`<table class="plain-table">
            <thead><tr><th scope="col"></th><th scope="col">Yours</th><th scope="col">Theirs</th></tr></thead>
            <tbody>${keys.map((key) => html`<tr key=${key}><th scope="row">${key}</th><td><code>${asText(mine[key])}</code></td><td><code>${asText(item[key])}</code></td></tr>`)}</tbody>
        </table>`}
        <div class="actions">
            ${theirs && html`<button type="button" onClick=${onTake}>Take theirs</button>`}
            <button type="button" onClick=${onKeep}>${theirs ? "Save mine over it" : "Make it again"}</button>
        </div>
    </section>`;
}
