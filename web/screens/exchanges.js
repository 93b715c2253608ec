// The flight recorder: what was asked of late, and how it went.
import { html, useState } from "../vendor/preact.js";
import { useExchanges } from "../core/exchanges.js";
import { useCollection } from "../core/data.js";
import { href, replace } from "../core/route.js";
import { time, ms } from "../core/format.js";
import { exchangeWords, outcomes, outcomeOf, clientWords } from "../core/words.js";
import { Table } from "../parts/table.js";
import { Timeline } from "../parts/timeline.js";
import { Status } from "../parts/status.js";
import { Older } from "../parts/older.js";
import { Empty, Waiting } from "../parts/empty.js";
import { visible } from "../parts/payload.js";
import { tellError } from "../core/notices.js";

const FIRST = 100;

const columns = [
    { key: "begun", title: "When", value: (one) => one.begun, cell: (one) => html`<span class="num">${time(one.begun)}</span>` },
    { key: "mapping", title: "Mapping", value: (one) => one.mapping || one.path },
    { key: "request", title: "Request", value: (one) => `${one.method} ${one.path}`, cell: (one) => html`<code>${visible(`${one.method} ${one.path}`)}</code>`, hideOnCard: true },
    { key: "client", title: "Client", value: (one) => clientWords(one.client) },
    { key: "timeline", title: "Answers", value: exchangeWords, cell: (one) => html`<${Timeline} exchange=${one} />`, isWide: true, noSort: true },
    { key: "outcome", title: "Outcome", value: (one) => outcomeOf(one).word, cell: (one) => html`<${Status} tone=${outcomeOf(one).tone}>${outcomeOf(one).word}<//>` },
    { key: "ms", title: "Took", value: (one) => one.ms, cell: (one) => ms(one.ms), numeric: true, hideOnCard: true },
];

// ---- Filters: kept in the address, so that a filtered list can be linked to

const filterOf = ({ mapping, client, outcome, member }) => ({ mapping, client, outcome, member });

function Choose({ name, label, value, options, onChange }) {
    return html`<select name=${name} aria-label=${label} onChange=${(event) => onChange(event.target.value)}>
        <option value="" selected=${!value}>${label}: all</option>
        ${options.map((one) => html`<option key=${one} value=${one} selected=${one === value}>${one}</option>`)}
    </select>`;
}

function Filters({ filter }) {
    const mappings = useCollection("mappings").data || [];
    const clients = useCollection("clients").data || [];
    const set = (key) => (value) => replace("exchanges", { ...filter, [key]: value });
    const names = (list, chosen) => [...new Set([...list.map(({ name }) => name), ...(chosen ? [chosen] : [])])];
    return html`<${Choose} name="mapping" label="Mapping" value=${filter.mapping} options=${names(mappings, filter.mapping)} onChange=${set("mapping")} />
        <${Choose} name="client" label="Client" value=${filter.client} options=${names(clients, filter.client)} onChange=${set("client")} />
        <${Choose} name="outcome" label="Outcome" value=${filter.outcome} options=${Object.keys(outcomes)} onChange=${set("outcome")} />
        <input type="text" class="short" aria-label="Member, by name or address" placeholder="Member" value=${filter.member || ""} onChange=${(event) => set("member")(event.target.value.trim())} />`;
}

const isFiltered = (filter) => Object.values(filter).some(Boolean);

const Nothing = ({ filter }) => isFiltered(filter)
    ? html`<${Empty} title="No exchange fits" action=${html`<a class="button" href=${href("exchanges")}>Show all</a>`}>The recorder has none of late with this filter.<//>`
    : html`<${Empty} title="No exchange yet" action=${html`<a class="button" href=${href()}>What to try</a>`}>Every request through the gateway is recorded here, with what each member answered.<//>`;

export default function Exchanges({ query }) {
    const filter = filterOf(query);
    const { items, next, error, loading, more, reload } = useExchanges(filter, { limit: FIRST, most: 2000 });
    const [isBusy, setBusy] = useState(false);
    const readMore = () => {
        setBusy(true);
        more().catch((thrown) => tellError(thrown, "Not read")).finally(() => setBusy(false));
    };
    return html`<div>
        <header class="head"><h1>Exchanges</h1><span class="space"></span></header>
        <${Table} label="exchanges" rows=${items} columns=${columns} keyOf=${(one) => one.id} href=${(one) => href("exchanges", one.id)}
            filters=${html`<${Filters} filter=${filter} />`}
            empty=${loading || error ? html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />` : html`<${Nothing} filter=${filter} />`} />
        <${Older} next=${next} isBusy=${isBusy} more=${readMore} />
    </div>`;
}
