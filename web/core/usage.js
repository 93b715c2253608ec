// How much mappings and clients are used and what came of it: GET figures, whose first page has the latest used. It is read
// whole at the beginning, and then, while exchanges end, the first page now and then.
import { useEffect, useRef, useState } from "../vendor/preact.js";
import { get } from "./api.js";
import { useEvents } from "./live.js";

const AGAIN_MS = 2000;

const NOTHING = { mappings: {}, clients: {} };

// A client may be called "constructor".
export const usageOf = (of, name) => (Object.hasOwn(of, name) ? of[name] : null);

const joined = (one, other) => ({ mappings: { ...one.mappings, ...other.mappings }, clients: { ...one.clients, ...other.clients } });

async function readAllPages(signal) {
    let all = NOTHING;
    for (let cursor; cursor !== null; ) {
        const page = await get("figures", { limit: 1000, cursor }, signal);
        all = joined(all, page);
        cursor = page.next || null;
    }
    return all;
}

// {mappings: {NAME: {requests, median_ms, last: {at, outcome, answered, expected}}}, clients: {NAME: {requests, last_use}}}
export function useUsage() {
    const [usage, setUsage] = useState(NOTHING);
    const [turn, setTurn] = useState(0);
    const timer = useRef(null);
    useEffect(() => {
        const control = new AbortController();
        readAllPages(control.signal).then(setUsage, () => {}); // what was known stays; "back" reads again
        return () => control.abort();
    }, [turn]);
    useEvents(["back", "gap"], () => setTurn((now) => now + 1));
    useEvents(["exchange"], () => {
        timer.current = timer.current || setTimeout(readAgain, AGAIN_MS);
    });
    const readAgain = async () => {
        timer.current = null;
        const page = await get("figures", { limit: 100 }).catch(() => NOTHING);
        setUsage((was) => joined(was, page));
    };
    useEffect(() => () => clearTimeout(timer.current), []);
    return usage;
}
