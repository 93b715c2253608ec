// A dialog that does one thing: asks, does it, and says in itself why it could not; what is behind cannot be read then.
import { html, useState } from "../vendor/preact.js";
import { Dialog } from "./dialog.js";
import { Mistakes, textsOf } from "./form.js";

// verb: the button; onDo: a promise, whose end closes the dialog unless it gives false; isReady: whether it can be done now;
// danger: it takes something away. What onDo catches itself (mistakes at fields) is not said twice.
export function Ask({ title, verb, onDo, onClose, isReady = true, danger, cancel = "Cancel", children }) {
    const [state, setState] = useState({ isBusy: false, error: null });
    const run = async (event) => {
        event.preventDefault();
        if (!isReady || state.isBusy) return;
        setState({ isBusy: true, error: null });
        try {
            if ((await onDo()) !== false) return onClose();
            setState({ isBusy: false, error: null });
        } catch (error) {
            setState({ isBusy: false, error });
        }
    };
    const actions = html`<button type="button" data-first onClick=${onClose}>${cancel}</button>
        <button class=${danger ? "danger" : "primary"} form="ask" disabled=${!isReady || state.isBusy}>${verb}</button>`;
    return html`<${Dialog} title=${title} onClose=${onClose} actions=${actions}>
        <form id="ask" onSubmit=${run}>
            ${state.error && html`<${Mistakes} list=${textsOf(state.error)} />`}
            ${children}
        </form>
    <//>`;
}
