// One stream for all live data: GET events, read by fetch so that the token goes in a header. It goes on where it was by
// Last-Event-ID; while it cannot, it tries again ever more seldom, and the connection is "lost" for everybody.
import { useEffect, useRef } from "../vendor/preact.js";
import { rawRequest, setConnection } from "./api.js";
import { session } from "./session.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;
const SILENCE_MS = 40000; // the gateway sends at least a comment every 15 s

const hearers = new Map(); // type -> Set of functions
let lastId = null;
let stop = null; // ends the stream that runs
let hasRun = false;

// hear(data, type); "back" comes when the connection is there again.
export function onEvent(type, hear) {
    if (!hearers.has(type)) hearers.set(type, new Set());
    hearers.get(type).add(hear);
    return () => hearers.get(type).delete(hear);
}

// In a component: hears the types for as long as it is drawn.
export function useEvents(types, hear) {
    const latest = useRef(hear);
    latest.current = hear;
    useEffect(() => {
        const ends = types.map((type) => onEvent(type, (data, its) => latest.current(data, its)));
        return () => ends.forEach((end) => end());
    }, [types.join()]);
}

function tell(type, data) {
    for (const hear of [...(hearers.get(type) || [])]) hear(data, type);
}

export function startLive() {
    const follow = ({ state }) => {
        if (stop) stop();
        stop = state === "in" ? run() : null;
    };
    session.hear(follow);
    follow(session.get());
}

function run() {
    const control = new AbortController();
    keepReading(control.signal);
    return () => control.abort();
}

async function keepReading(signal) {
    let wait = FIRST_WAIT_MS;
    let wasLost = hasRun; // another token: what the last one could not read is read anew
    hasRun = true;
    while (!signal.aborted) {
        const began = await readOnce(signal, () => {
            if (wasLost) tell("back", null);
            wasLost = false;
        });
        if (signal.aborted) return;
        wait = began ? FIRST_WAIT_MS : Math.min(wait * 2, LONGEST_WAIT_MS);
        if (!began) wasLost = true;
        await pause(wait, signal);
    }
}

const pause = (ms, signal) =>
    new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    });

// True: there was a stream, and it ended.
async function readOnce(signal, onBegun) {
    const silence = new AbortController();
    const end = () => silence.abort();
    signal.addEventListener("abort", end);
    let timer = setTimeout(end, SILENCE_MS);
    try {
        const response = await rawRequest("GET", "events", {
            headers: { Accept: "text/event-stream", ...(lastId ? { "Last-Event-ID": lastId } : {}) },
            signal: silence.signal,
        });
        if (!response.ok) return false;
        onBegun();
        const parse = makeParser();
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let piece; !(piece = await reader.read()).done; ) {
            clearTimeout(timer);
            timer = setTimeout(end, SILENCE_MS);
            parse(piece.value);
        }
        return true;
    } catch {
        if (!signal.aborted) setConnection("lost");
        return false;
    } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
    }
}

function makeParser() {
    let rest = "";
    return (text) => {
        const blocks = (rest + text).split("\n\n");
        rest = blocks.pop();
        blocks.forEach(takeBlock);
    };
}

function takeBlock(block) {
    let type = "message";
    let data = "";
    for (const line of block.split("\n")) {
        if (line.startsWith("id: ")) lastId = line.slice(4);
        else if (line.startsWith("event: ")) type = line.slice(7);
        else if (line.startsWith("data: ")) data += line.slice(6);
    }
    if (data) tell(type, JSON.parse(data));
}
