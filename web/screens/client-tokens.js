// A client's tokens. One that is made is shown once, in a dialog that only its reader closes: going back in the browser, or
// closing the order before the answer is there, leaves it until then.
import { html, useState, useEffect } from "../vendor/preact.js";
import { create, request, pathOf } from "../core/api.js";
import { useGet } from "../core/data.js";
import { makeStore, useStore } from "../core/store.js";
import { holdPage } from "../core/leaving.js";
import { ago, time, fullTime } from "../core/format.js";
import { Table } from "../parts/table.js";
import { Ask } from "../parts/ask.js";
import { Copyable } from "../parts/copyable.js";
import { Dialog } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { Status } from "../parts/status.js";
import { Icon } from "../parts/icon.js";
import { tell } from "../core/notices.js";
import { Waiting } from "../parts/empty.js";

const DAY = 86400;
const lasts = [[1, "1 day"], [30, "30 days"], [90, "90 days"], [365, "1 year"], [1826, "5 years"], [null, "until it is revoked"]];
const USUAL = 365;

// ---- Making

const unread = makeStore(null); // the token that was made last, until somebody says to have it

function Made({ made }) {
    useEffect(holdPage, []);
    const onClose = () => unread.set(null);
    const actions = html`<button type="button" class="primary" onClick=${onClose}>I have it</button>`;
    return html`<${Dialog} title="The new token" fixed actions=${actions}>
        <p>This is said once and kept nowhere: take it along now.</p>
        <${Copyable} text=${made.token} label="the token" />
        <p class="hint">${made.client} sends it with each request: <code>Authorization: Bearer …</code> ${made.expires ? `It ends ${fullTime(made.expires)}.` : "It ends when it is revoked."}</p>
    <//>`;
}

function Order({ client, onMade, onClose }) {
    const [label, setLabel] = useState(undefined);
    const [days, setDays] = useState(USUAL);
    const make = async () => {
        const { data } = await create(pathOf("clients", client, "tokens"), { ...(label && { label }), ...(days && { lasts: days * DAY }) });
        onMade(data);
        return false;
    };
    return html`<${Ask} title=${`A token for ${client}`} verb="Make it" onDo=${make} onClose=${onClose}>
        <${Field} name="label" label="What it is for" value=${label} onChange=${setLabel} first schema=${{ type: "string", maxLength: 128 }} help="For people, such as “wall panel, 3rd floor”." />
        <div class="field"><label for="lasts">Good for</label>
            <select id="lasts" onChange=${(event) => setDays(Number(event.target.value) || null)}>${lasts.map(([its, words]) => html`<option key=${words} value=${its || ""} selected=${its === days}>${words}</option>`)}</select>
            <p class="hint">A token cannot be taken back by Undo: revoke it instead.</p></div>
    <//>`;
}

// ---- Revoking

function Revoke({ token, onClose }) {
    const revoke = async () => {
        await request("DELETE", pathOf("clients", token.client, "tokens", token.id));
        tell({ text: `The token ${token.label || token.id} is revoked.` });
    };
    return html`<${Ask} title="Revoke this token?" verb="Revoke it for good" danger onDo=${revoke} onClose=${onClose}>
        <p><strong>${token.label || token.id}</strong> of ${token.client}: what uses it is refused within a second, and its running requests end.</p>
        <p>This cannot be undone. Make another token if it was wrong.</p>
    <//>`;
}

// ---- What there is

// {tokens, error, loading, reload}: tokens null until they are read
export function useTokens(client) {
    const { data, ...state } = useGet(pathOf("clients", client, "tokens"), { collections: ["clients", "tokens"] });
    return { ...state, tokens: data && data.items };
}

const endWords = ({ expires, expired }) => (expires === null ? "when revoked" : expired ? `ended ${ago(expires)}` : ago(expires));

function columnsFor(isAdmin, onRevoke) {
    const columns = [
        { key: "label", title: "What for", value: (one) => one.label || one.id },
        { key: "made", title: "Made", value: (one) => one.made, cell: (one) => html`<span class="num" title=${fullTime(one.made)}>${time(one.made)}</span>` },
        { key: "by", title: "By", value: (one) => one.made_by },
        { key: "ends", title: "Ends", value: (one) => one.expires || "9999", cell: (one) => html`<span class="num" title=${fullTime(one.expires)}>${endWords(one)}</span>` },
        { key: "state", title: "State", value: (one) => (one.expired ? "ended" : "good"), cell: (one) => html`<${Status} tone=${one.expired ? "off" : "ok"}>${one.expired ? "ended" : "good"}<//>` },
    ];
    const revoke = { key: "revoke", title: "", value: () => "", noSort: true, cell: (one) => html`<span class="actions tight"><button type="button" aria-label=${`Revoke ${one.label || one.id}`} onClick=${() => onRevoke(one)}>Revoke</button></span>` };
    return isAdmin ? [...columns, revoke] : columns;
}

export function Tokens({ client, isAdmin, isNew, onNew }) {
    const { tokens, error, loading, reload } = useTokens(client);
    const made = useStore(unread);
    const [leaving, setLeaving] = useState(null);
    const show = (token) => {
        unread.set(token);
        onNew(false);
        reload();
    };
    const rows = tokens || [];
    return html`<section>
        <div class="section-head"><h2>Tokens</h2>${isAdmin && html`<button type="button" class=${tokens && rows.length === 0 ? "primary" : ""} onClick=${() => onNew(true)}><${Icon} name="plus" />New token</button>`}</div>
        ${rows.length > 0
            ? html`<${Table} label="tokens" noSearch rows=${rows} columns=${columnsFor(isAdmin, setLeaving)} keyOf=${(one) => one.id} />`
            : html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />`}
        ${tokens && rows.length === 0 && html`<p class="faint">None is stored here. With a token the client shows who it is.</p>`}
        ${isNew && isAdmin && !made && html`<${Order} client=${client} onMade=${show} onClose=${() => onNew(false)} />`}
        ${made && made.client === client && html`<${Made} made=${made} />`}
        ${leaving && html`<${Revoke} token=${leaving} onClose=${() => (setLeaving(null), reload())} />`}
    </section>`;
}
