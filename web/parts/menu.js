// What else can be done with a row: a button that opens a short list of buttons. Escape and going elsewhere close it, and
// Escape gives the focus back.
import { html, useRef, useState, useEffect } from "../vendor/preact.js";
import { Icon } from "./icon.js";

function useClosing(place, isOpen, close) {
    useEffect(() => {
        if (!isOpen) return;
        const onPointer = (event) => place.current.contains(event.target) || close();
        addEventListener("pointerdown", onPointer);
        return () => removeEventListener("pointerdown", onPointer);
    }, [isOpen]);
}

// label: of what ("floor3"); items: [{label, run} or {label, href}], null where one is not offered
export function Menu({ label, items }) {
    const [isOpen, setOpen] = useState(false);
    const place = useRef(null);
    const close = () => setOpen(false);
    useClosing(place, isOpen, close);
    const onKey = (event) => {
        if (event.key !== "Escape" || !isOpen) return;
        event.stopPropagation();
        close();
        place.current.querySelector("button").focus();
    };
    const onFocusOut = (event) => event.relatedTarget && !place.current.contains(event.relatedTarget) && close();
    const act = (item) => {
        close();
        item.run();
    };
    return html`<div class="menu-of" ref=${place} onKeyDown=${onKey} onfocusout=${onFocusOut}>
        <button type="button" class="plain square" aria-expanded=${isOpen ? "true" : "false"} aria-label=${`More for ${label}`} onClick=${() => setOpen(!isOpen)}><${Icon} name="more" /></button>
        ${isOpen && html`<ul>${items.filter(Boolean).map((item) => html`<li key=${item.label}>${item.href ? html`<a href=${item.href}>${item.label}</a>` : html`<button type="button" class="plain" onClick=${() => act(item)}>${item.label}</button>`}</li>`)}</ul>`}
    </div>`;
}
