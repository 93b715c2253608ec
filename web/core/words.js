// Sentences about what happened, the same ones wherever it is shown.
import { ms, number, count } from "./format.js";

// Why a member is silent: the reply's cause in plain words, the term in brackets where it is one.
const causes = {
    unknown: "no reason is known",
    "never-reached": "never reached",
    late: "answered too late",
    challenged: "challenged (Echo)",
    "stale-key": "has an old key",
    "wrong-key": "has a wrong key",
    evicted: "evicted from the security group",
    refused: "refused",
    "answer-lost": "its answer was lost",
    "kernel-drop": "its answer was dropped for lack of buffer",
    "not-listening": "not listening on that port",
    asleep: "asleep",
};

export const causeWords = (cause) => causes[cause] || cause || causes.unknown;

// An exchange's outcome: tone for Status, word, and what it means.
export const outcomes = {
    running: { tone: "busy", word: "running", means: "still waiting for answers" },
    answered: { tone: "ok", word: "answered", means: "everybody that was expected answered" },
    failed: { tone: "bad", word: "failed", means: "members answered with an error" },
    missing: { tone: "warn", word: "missing", means: "some were silent" },
    silent: { tone: "bad", word: "silent", means: "nobody answered" },
    refused: { tone: "off", word: "refused", means: "the gateway did not send it" },
    left: { tone: "off", word: "left", means: "the client went away" },
};

export const outcomeOf = (exchange) => outcomes[exchange.outcome] || { tone: "off", word: String(exchange.outcome), means: "" };

// Where clients find a mapping.
export const pathOfMapping = (mapping) => mapping.path || `/${mapping.name}`;

export const clientWords = (client) => (client === null ? "anonymous" : client);

// "9 of 10", "9" where nobody knows how many there are. An error is an answer, too.
export const answeredWords = ({ answered, expected }) => (expected > 0 && expected >= answered ? `${number(answered)} of ${number(expected)}` : number(answered));

const silentCount = (silent) => (silent === 1 ? "1 is silent" : `${number(silent)} are silent`);

// "5 answered too late, 2 not listening on that port"
function causeCounts(missing) {
    const counts = new Map();
    for (const { cause } of missing) counts.set(cause, (counts.get(cause) || 0) + 1);
    return [...counts].sort((one, other) => other[1] - one[1]).map(([cause, times]) => `${number(times)} ${causeWords(cause)}`).join(", ");
}

// Up to two by name, more by their causes.
function silence(exchange) {
    const named = exchange.missing || [];
    const silent = exchange.summary.missing;
    if (named.length === 0) return silent > 0 ? [silentCount(silent)] : [];
    if (named.length > 2) return [`${silentCount(silent || named.length)}: ${causeCounts(named)}`];
    return named.map((one) => `${one.member || one.from} is silent: ${causeWords(one.cause)}`);
}

const lastAnswer = ({ timeline, summary }) => (timeline.last_ms === undefined ? summary.ms : timeline.last_ms);

// "9 of 10 answered in 412 ms; lamp-3 is silent: challenged (Echo)". What was heard, never what is: sent is not on.
export function exchangeWords(exchange) {
    const { summary, problem } = exchange;
    if (exchange.outcome === "running") return `${answeredWords(summary)} answered so far`;
    if (!exchange.timeline) return problem ? problem.detail : outcomeOf(exchange).means;
    const all = summary.answered;
    const parts = [all === 0 ? `nobody${summary.expected ? ` of ${number(summary.expected)}` : ""} answered` : `${answeredWords(summary)} answered in ${ms(lastAnswer(exchange))}`];
    if (summary.failed > 0) parts.push(`${number(summary.failed)} of them with an error`);
    if (summary.late > 0) parts.push(`${number(summary.late)} too late`);
    if (summary.rejected > 0) parts.push(`${count(summary.rejected, "answer")} rejected`);
    return [...parts, ...(all === 0 && !exchange.missing ? [] : silence(exchange))].join("; ");
}
