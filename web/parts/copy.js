// A text to be taken along, with a button that copies it. Without a clipboard (plain HTTP from another machine) the text
// is at least chosen, so that Ctrl+C takes it.
import { html, useRef, useState } from "../vendor/preact.js";
import { Icon } from "./icon.js";

export function Copy({ text, label, first }) {
    const field = useRef(null);
    const [said, setSaid] = useState("");
    const copy = async () => {
        field.current.select();
        try {
            await navigator.clipboard.writeText(text);
            setSaid("Copied");
        } catch {
            setSaid("Chosen: press Ctrl+C");
        }
    };
    return html`<div class="copy">
        <input ref=${field} type="text" readonly aria-label=${label} value=${text} onFocus=${(event) => event.target.select()} />
        <button type="button" data-first=${first ? "" : undefined} onClick=${copy}><${Icon} name="copy" />Copy</button>
        <span class="hint" role="status">${said}</span>
    </div>`;
}
