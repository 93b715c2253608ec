// Below a list that only grows, latest first: what reads on. next: where it goes on, null at the end.
import { html } from "../vendor/preact.js";

export const Older = ({ next, isBusy, more }) => next !== null && html`<p class="waiting"><button type="button" disabled=${isBusy} onClick=${more}>Older ones</button></p>`;
