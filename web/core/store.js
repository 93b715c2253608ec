// A value that several parts look at. Who changes it makes a new one; who looks is drawn anew.
import { useState, useEffect } from "../vendor/preact.js";

export function makeStore(value) {
    const hearers = new Set();
    return {
        get: () => value,
        set(next) {
            if (next === value) return;
            value = next;
            for (const hear of [...hearers]) hear(value);
        },
        hear(hearer) {
            hearers.add(hearer);
            return () => hearers.delete(hearer);
        },
    };
}

export function useStore(store) {
    const [value, setValue] = useState(store.get());
    useEffect(() => {
        setValue(store.get()); // it may have changed between the drawing and now
        return store.hear(setValue);
    }, [store]);
    return value;
}
