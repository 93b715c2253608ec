// A collection that only grows, latest first: what is seen is read, older ones when they are asked for. When something
// changes, all that is seen is read anew, since what is old may have changed (a revision is undone by a later one).
import { useState, useRef } from "../vendor/preact.js";
import { get } from "./api.js";
import { useData, useGathered } from "./data.js";
import { useEvents } from "./live.js";

const FIRST = 100;
const MOST_AT_ONCE = 1000; // of one page of the API

async function read(path, wanted, signal) {
    const items = [];
    let next;
    do {
        const page = await get(path, { limit: Math.min(wanted - items.length, MOST_AT_ONCE), cursor: next }, signal);
        items.push(...page.items);
        next = page.next;
    } while (next !== null && items.length < wanted);
    return { items, next };
}

// {items: null until there are some, next, error, loading, reload, more(), isBusy}
export function usePages(path) {
    const wanted = useRef(FIRST);
    const [isBusy, setBusy] = useState(false);
    const { data, error, loading, reload, set } = useData((signal) => read(path, wanted.current, signal), [path]);
    useEvents(["change"], useGathered(reload));
    const more = async () => {
        setBusy(true);
        try {
            const page = await get(path, { limit: FIRST, cursor: data.next });
            wanted.current = data.items.length + page.items.length;
            set({ items: [...data.items, ...page.items], next: page.next });
        } finally {
            setBusy(false);
        }
    };
    return { items: data && data.items, next: data ? data.next : null, error, loading, reload, more, isBusy };
}
