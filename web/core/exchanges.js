// The exchanges of late, kept by what the stream tells. Events are gathered and shown at most four times a second, so
// that a busy gateway does not make a busy page.
import { useState, useEffect, useRef } from "../vendor/preact.js";
import { get } from "./api.js";
import { useEvents } from "./live.js";

const SHOW_MS = 250;

// Newest first, each id once, at most `most`.
function merged(fresh, known, most) {
    const ids = new Set(fresh.map(({ id }) => id));
    return [...fresh, ...known.filter(({ id }) => !ids.has(id))].slice(0, most);
}

const NOTHING = { items: [], next: null, error: null, loading: true, of: null }; // of: the filter it is the answer to

const fits = (exchange, { mapping, client, outcome }) =>
    (!mapping || exchange.mapping === mapping) && (!client || exchange.client === client) && (!outcome || exchange.outcome === outcome);

// {items, next, error, loading, waiting: how many came while paused, skipped: how many were too many to be told, more()}
export function useExchanges(filter = {}, { limit = 20, isPaused = false, most = limit } = {}) {
    const [state, setState] = useState(NOTHING);
    const [turn, setTurn] = useState(0);
    const fresh = useRef([]);
    const timer = useRef(null);
    const [waiting, setWaiting] = useState(0);
    const [skipped, setSkipped] = useState(0);
    const key = JSON.stringify(filter);
    useEffect(() => {
        const control = new AbortController();
        fresh.current = [];
        setState((was) => (was.of === key ? was : { ...NOTHING, of: key }));
        get("exchanges", { ...filter, limit }, control.signal).then(
            ({ items, next }) => control.signal.aborted || setState({ items, next, error: null, loading: false, of: key }),
            (error) => control.signal.aborted || setState((was) => ({ ...was, error, loading: false })),
        );
        return () => control.abort();
    }, [key, limit, turn]);
    const show = () => {
        timer.current = null;
        const arrived = fresh.current.splice(0);
        setWaiting(0);
        setState((was) => ({ ...was, items: merged(arrived, was.items, Math.max(most, was.items.length)) }));
    };
    const later = () => {
        if (timer.current === null) timer.current = setTimeout(show, SHOW_MS);
    };
    useEvents(["exchange"], (exchange) => {
        if (exchange.skipped) setSkipped((now) => now + exchange.skipped);
        if (!fits(exchange, filter) || filter.member) return;
        fresh.current = merged([exchange], fresh.current, most);
        if (isPaused) setWaiting(fresh.current.length);
        else later();
    });
    useEvents(["back", "gap"], () => setTurn((now) => now + 1));
    useEffect(() => {
        if (!isPaused && fresh.current.length > 0) later();
    }, [isPaused]);
    useEffect(() => () => clearTimeout(timer.current), []);
    const more = async () => {
        const page = await get("exchanges", { ...filter, limit: 100, cursor: state.next });
        setState((was) => (was.of === key ? { ...was, items: merged(was.items, page.items, Infinity), next: page.next } : was)); // else it is of another filter
    };
    return { ...state, waiting, skipped, more, reload: () => setTurn((now) => now + 1) };
}
