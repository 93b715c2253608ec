// A change in words, and as JSON for who wants it: [{kind, name, before, after}] as dry runs and revisions have it.
import { html, useState } from "../vendor/preact.js";
import { changedKeys, documentOf, asText } from "../core/compare.js";
import { number } from "../core/format.js";
import { kindWords } from "../core/deeds.js";

const nameOf = ({ kind, name }) => (kind === "settings" ? "the settings" : `${kindWords[kind] || kind} ${name}`);

const verbOf = ({ before, after }) => (before === null ? "makes" : after === null ? "removes" : "changes");

// One of a list, as a person would say it: {"name": "dashboard", "methods": ["GET"]} -> "dashboard (GET)"
function memberWords(one) {
    if (!one || typeof one !== "object" || Array.isArray(one)) return asText(one);
    const { name, ...rest } = one;
    const values = Object.entries(rest).map(([key, value]) => (Array.isArray(value) ? value.join(", ") : typeof value === "string" ? value : `${key} ${asText(value)}`));
    return [name, values.length && (name ? `(${values.join("; ")})` : values.join("; "))].filter(Boolean).join(" ");
}

const valueWords = (value) => (Array.isArray(value) ? value.map(memberWords).join(", ") || "none" : asText(value));

const MOST = 50; // of a list that are named

const Some = ({ list, tag }) => html`<${tag}>${list.slice(0, MOST).map(memberWords).join(", ")}${list.length > MOST && ` and ${number(list.length - MOST)} more`}<//>`;

// Of two lists only what went and what came.
function Lists({ before, after }) {
    const [had, has] = [before, after].map((list) => new Set(list.map((one) => JSON.stringify(one))));
    const gone = before.filter((one) => !has.has(JSON.stringify(one)));
    const come = after.filter((one) => !had.has(JSON.stringify(one)));
    const stay = before.length - gone.length;
    if (gone.length + come.length === 0) return html`in another order`;
    return html`<span>${gone.length > 0 && html`<${Some} tag="del" list=${gone} />`} ${come.length > 0 && html`<${Some} tag="ins" list=${come} />`}${stay > 0 && html` <small>${number(stay)} ${stay === 1 ? "stays" : "stay"}</small>`}</span>`;
}

function Value({ before, after, was, is }) {
    if (Array.isArray(before) && Array.isArray(after)) return html`<${Lists} before=${before} after=${after} />`;
    return html`<span>${was && html`<del>${valueWords(before)}</del>`} ${is && html`<ins>${valueWords(after)}</ins>`}</span>`;
}

function Keys({ one }) {
    const keys = changedKeys(one.before || {}, one.after || {}).filter((key) => key !== "name");
    const [before, after] = [documentOf(one.before), documentOf(one.after)];
    return html`<dl class="keys">
        ${keys.map((key) => html`<div key=${key}><dt>${key}</dt><dd><${Value} before=${before[key]} after=${after[key]} was=${one.before !== null} is=${one.after !== null} /></dd></div>`)}
    </dl>`;
}

export function Difference({ changes }) {
    const [isJson, setJson] = useState(false);
    if (changes.length === 0) return html`<p class="faint">Nothing would change.</p>`;
    return html`<div class="difference">
        ${isJson
            ? html`<pre class="json">${JSON.stringify(changes, null, 2)}</pre>`
            : changes.map((one) => html`<section key=${one.kind + one.name}><h3>${verbOf(one)} ${nameOf(one)}</h3><${Keys} one=${one} /></section>`)}
        <button type="button" class="plain" aria-pressed=${isJson ? "true" : "false"} onClick=${() => setJson(!isJson)}>${isJson ? "in words" : "as JSON"}</button>
    </div>`;
}
