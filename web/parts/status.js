// How something stands: shape, colour and word together. tones: ok, warn, bad, off (out of use), busy
import { html } from "../vendor/preact.js";

const shapes = {
    ok: html`<circle cx="6" cy="6" r="4.500" />`,
    warn: html`<path d="M6 1.200L11.200 10.500H.8z" />`,
    bad: html`<path d="M6 .6L11.400 6 6 11.400.6 6z" />`,
    off: html`<circle cx="6" cy="6" r="3.800" class="hollow" />`,
    busy: html`<path d="M6 2a4 4 0 014 4" class="hollow" /><circle cx="6" cy="6" r="1.500" />`,
};

export const Mark = ({ tone }) => html`<svg class=${`mark ${tone}`} viewBox="0 0 12 12" aria-hidden="true">${shapes[tone]}</svg>`;

export const Status = ({ tone, children }) => html`<span class=${`status ${tone}`}><${Mark} tone=${tone} /><span>${children}</span></span>`;
