// Everybody who was to answer, those who did not first: an exchange as GET exchanges/ID has it, or a reply of POST try,
// which has payloads as well.
import { html } from "../vendor/preact.js";
import { href } from "../core/route.js";
import { bytes } from "../core/format.js";
import { causeWords } from "../core/words.js";
import { Table } from "./table.js";
import { Status } from "./status.js";
import { Payload } from "./payload.js";

const isError = ({ code, outcome }) => outcome === "failed" || /^[45]/.test(code);

const rowsOf = ({ missing = [], answers = [], rejected = [] }) => [
    ...missing.map((one, i) => ({ ...one, id: `missing ${i}`, tone: "warn", said: causeWords(one.cause) })),
    ...answers.map((one, i) => ({ ...one, id: `answer ${i}`, tone: isError(one) ? "bad" : "ok", said: isError(one) ? "error" : "answered" })),
    ...rejected.map((one, i) => ({ ...one, id: `rejected ${i}`, tone: "bad", said: `rejected: ${one.reason}` })),
];

// In a reply a payload is under the name of its form.
const payloadOf = ({ json, body, body_base64: base64 }) => [json, body, base64].find((form) => form !== undefined);

const payloadText = (one) => {
    const payload = payloadOf(one);
    return payload === undefined ? one.bytes : typeof payload === "string" ? payload : JSON.stringify(payload);
};

const PayloadCell = ({ one }) => (payloadOf(one) !== undefined ? html`<${Payload} value=${payloadOf(one)} />` : one.bytes === undefined ? html`<span class="faint">–</span>` : bytes(one.bytes));

const verifiedWords = { source: "its own key", none: "no" };

const columns = [
    { key: "member", title: "Member", value: (one) => one.member || (one.kid && `Sender ID ${one.kid}`) || one.from },
    { key: "address", title: "Address", value: (one) => one.from, cell: (one) => one.from && html`<code>${one.from}</code>` },
    { key: "said", title: "Outcome", value: (one) => one.said, cell: (one) => html`<${Status} tone=${one.tone}>${one.said}<//>` },
    { key: "verified", title: "Verified", value: (one) => verifiedWords[one.verified] },
    { key: "via", title: "Via", value: (one) => one.via },
    { key: "ms", title: "ms", value: (one) => one.ms, numeric: true },
    { key: "code", title: "Code", value: (one) => one.code, numeric: true, cell: (one) => one.code && html`<span class="num">${one.code}</span>` },
    { key: "payload", title: "Payload", value: payloadText, cell: (one) => html`<${PayloadCell} one=${one} />`, isWide: true },
];

const others = (one) => (one.member ? href("exchanges", { member: one.member }) : null);

export const Answers = ({ exchange }) => html`<${Table} label="members" rows=${rowsOf(exchange)} columns=${columns} keyOf=${(one) => one.id} href=${others}
    empty=${html`<p class="faint">Nobody is known to have been asked.</p>`} />`;
