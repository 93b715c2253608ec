// A text to be taken away: a command, a token. One button copies it; where the browser has no clipboard for this page (plain
// HTTP from another host), the text is marked, so that Ctrl-C takes it.
import { html, useRef, useState, useEffect } from "../vendor/preact.js";
import { Icon } from "./icon.js";

function mark(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
}

async function copy(element) {
    try {
        await navigator.clipboard.writeText(element.textContent);
        return "Copied";
    } catch {
        mark(element);
        return "Marked: press Ctrl-C";
    }
}

// label: what it is, for the button's name ("the request")
export function Copyable({ text, label }) {
    const place = useRef(null);
    const [said, setSaid] = useState("");
    useEffect(() => setSaid(""), [text]);
    return html`<div class="copyable">
        <pre ref=${place} tabindex="0" role="group" aria-label=${label}>${text}</pre>
        <button type="button" class="plain" aria-label=${`Copy ${label}`} onClick=${async () => setSaid(await copy(place.current))}><${Icon} name="copy" />Copy</button>
        <span class="hint" role="status">${said}</span>
    </div>`;
}
