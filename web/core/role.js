// What the signed-in client may: nothing is offered that the gateway would refuse. Until it is known, as if only reading.
import { makeStore, useStore } from "./store.js";
import { get } from "./api.js";
import { session } from "./session.js";
import { onEvent } from "./live.js";

const RANKS = ["viewer", "operator", "admin"];

const mine = makeStore({ client: null, role: "viewer" });

// useMay("operator"): whether to show what operators (and admins) may do
export const useMay = (role) => RANKS.indexOf(useStore(mine).role) >= RANKS.indexOf(role);

export function startRole() {
    session.hear(look);
    onEvent("back", () => look(session.get()));
    onEvent("change", ({ items }) => items.some(({ kind }) => kind === "clients") && look(session.get()));
    look(session.get());
}

async function look({ state, token }) {
    if (state !== "in") return;
    try {
        const me = await get("session");
        if (token === session.get().token) mine.set(me); // else it is about who was here before
    } catch {
        // asked again when the connection is back
    }
}
