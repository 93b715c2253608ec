// What was done, waiting to be said once (parts/notice.js), with Undo where there is one.
import { makeStore } from "./store.js";
import { request } from "./api.js";

export const notices = makeStore([]);
let ids = 0;

// tell({text, tone: "ok"|"warn"|"bad", action: {label, run}}); run may return a promise.
export function tell(notice) {
    const id = ++ids;
    notices.set([...notices.get().slice(-3), { tone: "ok", ...notice, id }]);
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

export const close = (id) => notices.set(notices.get().filter((notice) => notice.id !== id));
