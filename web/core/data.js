// What a screen reads, kept fresh: read anew when a change touches it, when the settings file was read anew, after a gap,
// and when the connection is back.
// While nothing can be read, what was read last stays.
import { useState, useEffect, useCallback, useRef } from "../vendor/preact.js";
import { get, request, readAll } from "./api.js";
import { useEvents } from "./live.js";

const GATHER_MS = 300;

// The first call runs at once, those that follow soon are one: a thousand changes in a row are not a thousand readings.
export function useGathered(run) {
    const timer = useRef(null);
    const isWanted = useRef(false);
    useEffect(() => () => clearTimeout(timer.current), []);
    return function gathered() {
        isWanted.current = timer.current !== null;
        if (isWanted.current) return;
        run();
        timer.current = setTimeout(() => {
            timer.current = null;
            if (isWanted.current) gathered();
        }, GATHER_MS);
    };
}

const touches = (change, collections) => change.items.some((item) => collections.includes(item.kind));

// read(signal, show) -> Promise of the data; show(data) may be called before with a part of it.
// {data, error, loading, reload, set}: `error` and `data` may both be there.
export function useData(read, keys, { collections = [] } = {}) {
    const [state, setState] = useState({ data: null, error: null, loading: true, of: null });
    const [turn, setTurn] = useState(0);
    const reload = useCallback(() => setTurn((now) => now + 1), []);
    const key = JSON.stringify(keys);
    useEffect(() => {
        const control = new AbortController();
        const show = (part) => control.signal.aborted || setState({ data: part, error: null, loading: true, of: key });
        read(control.signal, show).then(
            (data) => control.signal.aborted || setState({ data, error: null, loading: false, of: key }),
            (error) => control.signal.aborted || setState((was) => ({ ...was, data: was.of === key ? was.data : null, error, loading: false, of: key })),
        );
        return () => control.abort();
    }, [key, turn]);
    const soon = useGathered(reload);
    useEvents(["change", "reload", "back", "gap"], (data, type) => {
        if (type !== "change" || touches(data, collections)) soon();
    });
    const set = (data) => setState({ data, error: null, loading: false, of: key });
    const isOld = state.of !== key; // of what was asked for before
    return { data: isOld ? null : state.data, error: isOld ? null : state.error, loading: isOld || state.loading, reload, set };
}

// A whole collection: data is the items.
export const useCollection = (path, options = {}) =>
    useData((signal, show) => readAll(path, { query: options.query, signal, onPage: show }), [path, options.query], {
        collections: [path.split("/")[0]],
        ...options,
    });

// One item: data is {item, etag}. path null: nothing is read (a new one).
export const useItem = (path, options = {}) =>
    useData(
        async (signal) => {
            if (path === null) return null;
            const { data, etag } = await request("GET", path, { signal });
            return { item: data, etag };
        },
        [path],
        { collections: path === null ? [] : [path.split("/")[0]], ...options },
    );

// Anything else that GET gives.
export const useGet = (path, options = {}) => useData((signal) => get(path, options.query, signal), [path, options.query], options);
