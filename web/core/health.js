// How the gateway is, in one word, for the shell, and in one sentence for the overview: from /readyz and the warnings.
import { makeStore, useStore } from "./store.js";
import { get, connection } from "./api.js";
import { session } from "./session.js";
import { onEvent } from "./live.js";
import { count } from "./format.js";

const EVERY_MS = 15000;

// ready: null (not known yet), true or false; reasons: texts; warnings: [{code, about, detail}]; warningCount: all of them
export const health = makeStore({ ready: null, reasons: [], warnings: [], warningCount: 0 });

let timer = null;

export function startHealth() {
    onEvent("back", look);
    onEvent("change", look);
    onEvent("warnings", look);
    session.hear(look);
    connection.hear(({ state }) => state === "on" && look());
    look();
}

async function look() {
    clearTimeout(timer);
    timer = setTimeout(look, EVERY_MS);
    if (session.get().state !== "in") return;
    try {
        const [readiness, { items, count: all }] = await Promise.all([readReadiness(), get("warnings")]);
        health.set({ ...readiness, warnings: items, warningCount: all });
    } catch {
        // the shell says that there is no connection; what was known stays
    }
}

async function readReadiness() {
    const response = await fetch("/readyz", { headers: { Authorization: `Bearer ${session.get().token}` }, cache: "no-store" });
    const text = await response.text();
    return { ready: response.ok, reasons: response.ok ? [] : text.trim().split("\n").filter(Boolean) };
}

// {tone, word}
export function useHealth() {
    const { ready, warningCount } = useStore(health);
    const { state } = useStore(connection);
    if (state === "lost") return { tone: "off", word: "No connection" };
    if (ready === null) return { tone: "busy", word: "Looking" };
    if (!ready) return { tone: "bad", word: "Not ready" };
    return warningCount > 0 ? { tone: "warn", word: `Ready, ${count(warningCount, "warning")}` } : { tone: "ok", word: "Ready" };
}
