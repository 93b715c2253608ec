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
    history.replaceState(null, "", location.pathname + "#" + (decode(match[2]) || "/"));
    const token = decode(match[1]);
    return isToken(token) ? token : null;
}

// "" where it is no text: a broken address must not keep the page from beginning, nor the token from leaving it.
function decode(text = "") {
    try {
        return decodeURIComponent(text);
    } catch {
        return "";
    }
}

// What a header can carry; anything else would look like a gateway that does not answer.
export const isToken = (text) => /^[\x21-\x7e]+$/.test(text);

export function signIn(token) {
    sessionStorage.setItem(KEY, token);
    session.set({ state: "in", token, why: null });
}

// Whoever signs in next finds nothing of before: no draft, and none of what the page keeps in memory (payloads, notices
// that can save a member's file again), since it begins anew.
export function signOut() {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith("castgate.")) sessionStorage.removeItem(key);
    session.set({ state: "out", token: null, why: null });
    location.reload();
}

// The gateway does not take the token (any more).
export function endSession(why) {
    sessionStorage.removeItem(KEY);
    const was = session.get();
    if (was.state !== "in") return;
    session.set({ state: "ended", token: null, why });
}
