// Where one is: #/mappings/floor3?tab=try -> {parts: ["mappings", "floor3"], query: {tab: "try"}, hash}
import { makeStore, useStore } from "./store.js";

const route = makeStore(parse("#/"));

export const useRoute = () => useStore(route);

export function startRoute() {
    const follow = () => route.set(parse(location.hash));
    addEventListener("hashchange", follow);
    follow();
}

function decode(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text; // typed by hand
    }
}

function parse(hash) {
    const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
    return { hash, parts: path.split("/").filter(Boolean).map(decode), query: Object.fromEntries(new URLSearchParams(query)) };
}

// href("mappings", "floor3"), and with a query: href("exchanges", {mapping: "floor3"})
export function href(...parts) {
    const last = parts[parts.length - 1];
    const query = last && typeof last === "object" ? parts.pop() : {};
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
    return "#/" + parts.map(encodeURIComponent).join("/") + (given.length ? "?" + new URLSearchParams(given) : "");
}

export const go = (...parts) => (location.hash = href(...parts));

// The same without a step in the browser's history: for filters and the like.
export function replace(...parts) {
    history.replaceState(null, "", href(...parts));
    route.set(parse(location.hash));
}

// "mappings/:name" against the parts; the named ones, or null.
export function match(pattern, parts) {
    const wanted = pattern.split("/").filter(Boolean);
    if (wanted.length !== parts.length) return null;
    const found = {};
    for (let i = 0; i < wanted.length; i++) {
        if (wanted[i].startsWith(":")) found[wanted[i].slice(1)] = parts[i];
        else if (wanted[i] !== parts[i]) return null;
    }
    return found;
}
