// What a member sent, or a name it gave itself: hostile. Text only, never markup and never a link; long ones are cut.
import { html, useState } from "../vendor/preact.js";

const SHOWN = 200;
const IN_A_LINE = 80; // what is no longer stands in one

// What has no shape of its own moves what is beside it or hides in it (directions, tags, fillers): it is shown as what it is.
const SHAPELESS = /(?![\t\n])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu;

const escaped = (one) => (one.length > 1 ? `\\u{${one.codePointAt(0).toString(16)}}` : `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);

export const visible = (text) => text.replace(SHAPELESS, escaped);

function jsonText(value) {
    const line = JSON.stringify(value);
    return line.length <= IN_A_LINE ? line : JSON.stringify(value, null, 1);
}

// value: a string, or anything that JSON has.
export function Payload({ value }) {
    const [isWhole, setWhole] = useState(false);
    if (value === undefined || value === null) return html`<span class="faint">none</span>`;
    const text = visible(typeof value === "string" ? value : jsonText(value));
    if (text === "") return html`<span class="faint">empty</span>`;
    if (text.length <= SHOWN) return html`<code class="payload">${text}</code>`;
    return html`<code class="payload">${isWhole ? text : text.slice(0, SHOWN) + "…"}</code>
        <button type="button" class="plain" aria-expanded=${isWhole ? "true" : "false"} onClick=${() => setWhole(!isWhole)}>${isWhole ? "show less" : "show all"}</button>`;
}
