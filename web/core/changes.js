// Several changes as one revision, all or none: [{method, path, body?, if_match?}]; and what they would come to.
import { useState, useEffect } from "../vendor/preact.js";
import { create, patchItem } from "./api.js";
import { tellChange } from "./notices.js";

const WAIT_MS = 250;

// An item's ETag, from a list's row.
export const etagOf = (item) => `"${item.revision}"`;

export const dryRun = async (changes) => (await create("changes", { changes }, { dry_run: true })).data;

// One alone goes by its own path, so that the history names what it changed.
const send = (changes) => {
    const [{ method, path, if_match: etag, body }] = changes;
    return changes.length === 1 && method === "PATCH" && etag ? patchItem(path, etag, body) : create("changes", { changes });
};

// Makes them and says so, with Undo. Throws an ApiError.
export async function makeChanges(changes, text) {
    const { data } = await send(changes);
    tellChange(text, data.revision);
    return data.revision;
}

// ask() -> a promise of a dry run's answer, or null where there is nothing to ask; it is asked a moment after one of the
// keys has changed. {preview, error, isSettled}: of before, until it is settled.
export function useDryRun(ask, keys) {
    const key = JSON.stringify(keys);
    const [state, setState] = useState({ preview: null, error: null, of: null });
    useEffect(() => {
        let isOver = false;
        const show = (next) => isOver || setState({ preview: null, error: null, ...next, of: key });
        const timer = setTimeout(() => Promise.resolve(ask()).then((preview) => show({ preview }), (error) => show({ error })), WAIT_MS);
        return () => (clearTimeout(timer), (isOver = true));
    }, [key]);
    return { preview: state.preview, error: state.error, isSettled: state.of === key };
}
