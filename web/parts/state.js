// How an item stands: in use, shadowed, out of use (with the reason), and whether it is the settings file's.
import { html } from "../vendor/preact.js";
import { Status } from "./status.js";

const states = {
    "in-use": { tone: "ok", word: "in use" },
    shadowed: { tone: "warn", word: "shadowed" },
    disabled: { tone: "off", word: "out of use" },
};

// {tone, word}
export const stateOf = (item) => states[item.state] || { tone: "off", word: String(item.state) };

export function State({ item }) {
    const { tone, word } = stateOf(item);
    return html`<span title=${item.reason || undefined}><${Status} tone=${tone}>${word}${item.source === "file" ? ", settings file" : ""}<//></span>`;
}

// What is said where an item is not simply in use, or cannot be changed here.
export function StateNote({ item }) {
    if (item.source === "file") return html`<p class="hint">It is in the settings file: change it there, and reload.</p>`;
    return item.state === "in-use" ? null : html`<p class="hint"><${Status} tone="warn">${stateOf(item).word}<//> ${item.reason}</p>`;
}
