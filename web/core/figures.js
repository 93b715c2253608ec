// Requests, answers, missing and rejected per minute, from the counters that the stream brings. Counters only grow while
// the gateway runs; where they fall it has begun anew.
import { makeStore, useStore } from "./store.js";
import { onEvent } from "./live.js";

const KEPT_S = 900;
const WINDOW_S = 60; // what a rate is worked out over
const LEAST_S = 10; // one request in the first second is not sixty a minute
const NAMES = ["requests", "answers", "missing", "rejected"];

const series = makeStore(null); // null: no figures came yet

export const useFigures = () => useStore(series);

let samples = []; // {at: seconds, requests, …}

export function startFigures() {
    onEvent("figures", take);
}

function take(figures) {
    const sample = { at: Date.now() / 1000 };
    for (const name of NAMES) sample[name] = figures[name] || 0;
    const last = samples[samples.length - 1];
    if (last && NAMES.some((name) => sample[name] < last[name])) samples = [];
    samples = [...samples.filter(({ at }) => sample.at - at < KEPT_S), sample];
    series.set({ ...Object.fromEntries(NAMES.map((name) => [name, ratesOf(name)])), running: figures.running || 0 });
}

// [[times], [rates a minute]]
function ratesOf(name) {
    const times = [];
    const rates = [];
    let from = 0;
    for (let i = 0; i < samples.length; i++) {
        while (samples[i].at - samples[from].at > WINDOW_S) from++;
        const span = Math.max(LEAST_S, samples[i].at - samples[from].at);
        times.push(samples[i].at);
        rates.push(Math.round(((samples[i][name] - samples[from][name]) / span) * 60));
    }
    return [times, rates];
}
