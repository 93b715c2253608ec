// One member: its groups, and how it answers in each.
import { html, useState } from "../vendor/preact.js";
import { pathOf } from "../core/api.js";
import { useItem, useCollection } from "../core/data.js";
import { useMay } from "../core/role.js";
import { href, go } from "../core/route.js";
import { ago, fullTime, ms, percent } from "../core/format.js";
import { isEditable, groupsOf, withFigures } from "../core/member-lists.js";
import { Table } from "../parts/table.js";
import { Status } from "../parts/status.js";
import { Warmth } from "../parts/warmth.js";
import { Waiting } from "../parts/empty.js";
import { AddTo, TakeOutOf, Forget } from "./members-bulk.js";

const columns = [
    { key: "mapping", title: "Mapping", value: (one) => one.mapping, cell: (one) => html`<a href=${href("mappings", one.mapping)}>${one.mapping}</a>` },
    { key: "addresses", title: "From", value: (one) => one.addresses.join(", ") },
    { key: "requests", title: "Asked", value: (one) => one.requests, numeric: true },
    { key: "median", title: "Median", value: (one) => one.median_ms || null, cell: (one) => ms(one.median_ms || null), numeric: true },
    { key: "p99", title: "99 of 100", value: (one) => one.p99_ms || null, cell: (one) => ms(one.p99_ms || null), numeric: true },
    { key: "loss", title: "Loss", value: (one) => one.loss, cell: (one) => percent(one.loss), numeric: true },
    { key: "warm", title: "Met", value: (one) => one.warm, cell: (one) => html`<${Warmth} warm=${one.warm} />` },
    { key: "state", title: "State", value: (one) => (one.out_of_reach ? "out of reach" : "answers"), cell: (one) => html`<${Status} tone=${one.out_of_reach ? "bad" : "ok"}>${one.out_of_reach ? "out of reach" : "answers"}<//>` },
];

const Links = ({ title, names, to }) => html`<div><dt>${title}</dt><dd>${names.length === 0 ? html`<span class="faint">none</span>` : names.map((name, i) => html`${i > 0 && ", "}<a key=${name} href=${href(to, name)}>${name}</a>`)}</dd></div>`;

function Facts({ item }) {
    return html`<dl class="figures narrow">
        <${Links} title="Mappings" names=${item.mappings} to="mappings" />
        <${Links} title="Security groups" names=${item.security_groups} to="security-groups" />
        <div><dt>Address</dt><dd>${item.address ? html`<code>${item.address}</code>` : html`<span class="faint">learnt only</span>`}</dd></div>
        <div><dt>Last seen</dt><dd title=${fullTime(item.last_seen)}>${ago(item.last_seen)}</dd></div>
        ${item.warm && html`<div><dt>Met</dt><dd><${Warmth} warm=${item.warm} /></dd></div>`}
        <div><dt>In a list</dt><dd>${item.configured ? "yes" : "no: it was heard, nobody expects it"}</dd></div>
    </dl>`;
}

const dialogs = { add: AddTo, out: TakeOutOf, forget: Forget };

export default function Member({ params }) {
    const { data, error, loading, reload } = useItem(pathOf("members", params.name), { collections: ["mappings", "security-groups"] });
    const mappings = (useCollection("mappings").data || []).filter(isEditable);
    const isAdmin = useMay("admin");
    const [asked, setAsked] = useState(null);
    if (!data) return html`<${Waiting} title=${params.name} loading=${loading} error=${error} onAgain=${reload} />`;
    const item = withFigures(data.item);
    const Asked = asked && dialogs[asked];
    const done = () => (item.configured || asked !== "forget" ? reload() : go("members"));
    return html`<div class="stack">
        <header class="head">
            <p class="crumb"><a href=${href("members")}>Groups and members</a> / ${item.name}</p>
            <h1>${item.name}</h1>
            ${groupsOf(item).length === 0 && html`<${Status} tone="warn">in no group<//>`}
            <span class="space"></span>
            <a class="button" href=${href("exchanges", { member: item.name })}>Its exchanges</a>
            ${isAdmin && html`<button type="button" onClick=${() => setAsked("add")}>Add to …</button>
            <button type="button" onClick=${() => setAsked("out")}>Take out of …</button>
            ${item.heard.length > 0 && html`<button type="button" class="danger" onClick=${() => setAsked("forget")}>Forget</button>`}`}
        </header>
        <${Facts} item=${item} />
        <section><h2>How it answers</h2>
            <${Table} label="how it answers" noSearch rows=${item.heard.map((one) => ({ ...one, warm: withFigures(item, one.mapping).warm }))} columns=${columns} keyOf=${(one) => one.mapping + one.kid} empty=${html`<p class="faint">Nothing was heard of it yet.</p>`} />
        </section>
        ${Asked && html`<${Asked} rows=${[item]} mappings=${mappings} onClose=${() => setAsked(null)} onDone=${done} />`}
    </div>`;
}
