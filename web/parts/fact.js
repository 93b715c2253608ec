// What is known of something, in a row: <dl class="facts"> of these.
import { html } from "../vendor/preact.js";

export const Fact = ({ title, children }) => html`<div><dt>${title}</dt><dd>${children}</dd></div>`;
