// A dialog: the browser's own, so what is behind cannot be reached, Escape closes, and focus returns where it was.
import { html, useEffect, useRef } from "../vendor/preact.js";
import { Icon } from "./icon.js";

let ids = 0;

// actions: what stands at the foot (buttons). onClose is called by Escape and the cross; fixed: neither is there.
export function Dialog({ title, onClose, actions, fixed, children }) {
    const dialog = useRef(null);
    const id = useRef(`dialog-${++ids}`);
    useEffect(() => {
        const mine = dialog.current;
        mine.showModal();
        const wanted = mine.querySelector("[data-first]");
        if (wanted) wanted.focus();
        return () => mine.close(); // which gives the focus back
    }, []);
    const cancel = (event) => {
        event.preventDefault();
        if (!fixed) onClose();
    };
    return html`<dialog ref=${dialog} class="dialog" aria-labelledby=${id.current} onCancel=${cancel}>
        <header>
            <h2 id=${id.current}>${title}</h2>
            ${!fixed && html`<button type="button" class="plain square" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>`}
        </header>
        <div class="dialog-body">${children}</div>
        ${actions && html`<footer>${actions}</footer>`}
    </dialog>`;
}
