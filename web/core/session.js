// Who is signed in. The token lives in this tab only (sessionStorage), comes from the address once (#token=…), and is
// taken out of it before anything else can see it. A token that ends leaves the screen as it is, under a sign-in dialog,
// so that what was typed stays.
import { makeStore, useStore } from "./store.js";

const KEY = "castgate.token";

// state: "out" (never signed in here), "in", "ended" (was in; `why` says what happened)
export const session = makeStore({ state: "out", token: null, why: null });

export const useSession = () => useStore(session);

export function startSession() {
    const token = takeFromAddress() || sessionStorage.getItem(KEY);
    if (token) signIn(token);
    addEventListener("hashchange", () => {
        const late = takeFromAddress();
        if (late) signIn(late);
    });
}

function takeFromAddress() {
    const match = /^#token=([^&]+)(?:&at=(.*))?$/.exec(location.hash);
    if (!match) return null;
    history.replaceState(null, "", location.pathname + "#" + (match[2] ? decodeURIComponent(match[2]) : "/"));
    return decodeURIComponent(match[1]);
}

export function signIn(token) {
    sessionStorage.setItem(KEY, token);
    session.set({ state: "in", token, why: null });
}

export function signOut() {
    sessionStorage.removeItem(KEY);
    session.set({ state: "out", token: null, why: null });
}

// The gateway does not take the token (any more).
export function endSession(why) {
    sessionStorage.removeItem(KEY);
    const was = session.get();
    if (was.state !== "in") return;
    session.set({ state: "ended", token: null, why });
}
