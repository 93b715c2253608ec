// Single keys. A screen says which it has with useKeys; "/" goes to the search field that is drawn, "?" lists them all.
import { useEffect, useRef } from "../vendor/preact.js";
import { makeStore, useStore } from "./store.js";

// [{key, does, run}], the screen's first
const keys = makeStore([]);
export const useKeyList = () => useStore(keys);

// useKeys([{key: "n", does: "New mapping", run: () => go("mappings", "new")}])
export function useKeys(list) {
    const latest = useRef(list);
    latest.current = list;
    useEffect(() => {
        const mine = list.map(({ key, does }, i) => ({ key, does, run: () => latest.current[i].run() }));
        keys.set([...mine, ...keys.get()]);
        return () => keys.set(keys.get().filter((one) => !mine.includes(one)));
    }, [list.map(({ key, does }) => key + does).join()]);
}

const isTyping = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

export function startKeys() {
    addEventListener("keydown", (event) => {
        if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
        if (!(event.target instanceof Element) || isTyping(event.target)) return;
        if (document.querySelector("dialog[open]") !== null) return; // what is behind it does not hear
        const found = event.key === "/" ? { run: focusSearch } : keys.get().find(({ key }) => key === event.key);
        if (!found) return;
        event.preventDefault();
        found.run();
    });
}

function focusSearch() {
    const field = document.querySelector("main [data-search]");
    if (field) field.focus();
}
