// What was done, said once at the foot of the page, with Undo where there is one; and the quiet notice of two versions.
// A notice stays until it is closed if it failed, else for some seconds, longer while it is pointed at or has focus.
import { html, useEffect, useRef } from "../vendor/preact.js";
import { makeStore, useStore } from "../core/store.js";
import { request } from "../core/api.js";
import { changedKeys, asText } from "../core/compare.js";
import { Icon } from "./icon.js";
import { Mark } from "./status.js";

const STAYS_MS = 12000;
const notices = makeStore([]);
let ids = 0;

// tell({text, tone: "ok"|"warn"|"bad", action: {label, run}}); run may return a promise.
export function tell(notice) {
    const id = ++ids;
    notices.set([...notices.get().slice(-3), { tone: "ok", ...notice, id }]);
    return () => close(id);
}

export const tellError = (error, what) => tell({ tone: "bad", text: what ? `${what}: ${error.message}` : error.message });

// A change that was made as a revision: with Undo. Without a revision it only says so.
export function tellChange(text, revision) {
    tell({ text, action: revision ? { label: "Undo", run: () => undo(revision) } : null });
}

// Takes a revision back; where later ones rest on it, History shows which.
export async function undo(revision) {
    try {
        const { data } = await request("POST", `revisions/${revision}/undo`);
        tellChange(`Revision ${revision} is undone.`, data && data.revision);
    } catch (error) {
        const depends = error.type === "conflict" || error.status === 409;
        const action = depends ? { label: "Show in History", run: () => (location.hash = `#/history/${revision}`) } : null;
        tell({ tone: "bad", text: `Not undone: ${error.message}`, action });
    }
}

const close = (id) => notices.set(notices.get().filter((notice) => notice.id !== id));

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
    return html`<div class="notice" onMouseEnter=${rest} onMouseLeave=${start} onFocusIn=${rest} onFocusOut=${start}>
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
