// How an item stands: in use, shadowed, disabled (with the reason), and whether it is the settings file's.
import { html } from "../vendor/preact.js";
import { Status } from "./status.js";

const words = { "in-use": ["ok", "in use"], shadowed: ["warn", "shadowed"], disabled: ["off", "disabled"] };

export function State({ item }) {
    const [tone, word] = words[item.state] || ["off", String(item.state)];
    return html`<span title=${item.reason || undefined}><${Status} tone=${tone}>${word}${item.source === "file" ? ", settings file" : ""}<//></span>`;
}

// What is said where an item is not simply in use, or cannot be changed here.
export function StateNote({ item }) {
    if (item.source === "file") return html`<p class="hint">It is in the settings file: change it there, and reload.</p>`;
    return item.state === "in-use" ? null : html`<p class="hint"><${Status} tone="warn">${item.state}<//> ${item.reason}</p>`;
}
