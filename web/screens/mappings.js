// Every mapping: where it leads, how it is protected, and how it went the last time.
import { html, useMemo } from "../vendor/preact.js";
import { useCollection } from "../core/data.js";
import { useUsage, usageOf } from "../core/usage.js";
import { useMay } from "../core/role.js";
import { useKeys } from "../core/keys.js";
import { href, go, replace } from "../core/route.js";
import { ago, fullTime, ms, count } from "../core/format.js";
import { answeredWords, pathOfMapping } from "../core/words.js";
import { Table } from "../parts/table.js";
import { Menu } from "../parts/menu.js";
import { Status, Mark } from "../parts/status.js";
import { stateOf } from "../parts/state.js";
import { Icon } from "../parts/icon.js";
import { Empty, Waiting } from "../parts/empty.js";
import { visible } from "../parts/payload.js";
import { hrefOf, groupsOf, protectionOf, turn, remove } from "./mapping-words.js";

// ---- A row

// What is out of use has none.
const warningsOf = (row) => row.warnings || [];

const lastOf = ({ usage }) => usage && usage.last;

const groupWords = (row) => {
    const [first, ...more] = groupsOf(row);
    return `${first || "–"}${more.length ? ` and ${count(more.length, "more", "more")}` : ""}`;
};

const Way = ({ row }) => html`<div><code>${visible(pathOfMapping(row))}</code><span class="faint"> → </span><code>${visible(groupWords(row))}</code></div>`;

function State({ row }) {
    const { tone, word } = stateOf(row);
    const all = warningsOf(row).length;
    return html`<span class="states" title=${[row.reason, ...warningsOf(row).map(({ detail }) => detail)].filter(Boolean).join("\n") || undefined}>
        <${Status} tone=${tone}>${word}<//>${all > 0 && html`<${Status} tone="warn">${count(all, "warning")}<//>`}
    </span>`;
}

function Protection({ row }) {
    const { tone, word } = protectionOf(row);
    return tone === "ok" ? visible(word) : html`<${Status} tone=${tone}>${word}<//>`;
}

const Doings = ({ row, mayTry, mayChange }) => html`<div class="doings">
    ${mayTry && row.state === "in-use" && html`<a class="button small" data-try href=${hrefOf(row.name, { tab: "try" })} aria-label=${`Try ${row.name}`}>Try</a>`}
    ${mayChange && html`<${Menu} label=${row.name} items=${[
        { label: row.source === "file" ? "Show" : "Edit", href: hrefOf(row.name) },
        { label: "Copy", href: href("mappings", "new", { copy: row.name }) },
        row.source === "stored" && { label: row.enabled === false ? "Take into use" : "Take out of use", run: () => turn(row, row.enabled === false) },
        row.source === "stored" && { label: "Remove", run: () => remove(row) },
    ]} />`}
</div>`;

const columnsFor = (mayTry, mayChange) => [
    { key: "name", title: "Name", value: (row) => row.name },
    { key: "way", title: "Path and group", value: (row) => `${pathOfMapping(row)} ${groupWords(row)}`, cell: (row) => html`<${Way} row=${row} />` },
    { key: "security", title: "Protection", value: (row) => protectionOf(row).word, cell: (row) => html`<${Protection} row=${row} />` },
    { key: "last", title: "Last", value: (row) => (lastOf(row) ? answeredWords(lastOf(row)) : null), numeric: true },
    { key: "median", title: "Median", value: (row) => (row.usage ? row.usage.median_ms : null), cell: (row) => row.usage && ms(row.usage.median_ms), numeric: true },
    { key: "used", title: "Last use", value: (row) => (lastOf(row) ? lastOf(row).at : null), cell: (row) => html`<span class="num" title=${lastOf(row) ? fullTime(lastOf(row).at) : undefined}>${ago(lastOf(row) && lastOf(row).at)}</span>` },
    { key: "state", title: "State", value: (row) => `${stateOf(row).word} ${warningsOf(row).length > 0 ? "warning" : ""}`, cell: (row) => html`<${State} row=${row} />` },
    { key: "doings", title: "", value: () => "", cell: (row) => html`<${Doings} row=${row} mayTry=${mayTry} mayChange=${mayChange} />`, noSort: true },
];

// ---- Filters, kept in the address

const choices = {
    "in-use": { word: "in use", fits: (one) => one.state === "in-use" },
    disabled: { word: "out of use", fits: (one) => one.state === "disabled" },
    shadowed: { word: "shadowed", fits: (one) => one.state === "shadowed" },
    warnings: { word: "with warnings", fits: (one) => warningsOf(one).length > 0 },
    stored: { word: "made here", fits: (one) => one.source === "stored" },
    file: { word: "in the settings file", fits: (one) => one.source === "file" },
};

const Filter = ({ chosen }) => html`<select aria-label="Which mappings" onChange=${(event) => replace("mappings", { show: event.target.value })}>
    <option value="" selected=${!chosen}>all mappings</option>
    ${Object.entries(choices).map(([key, { word }]) => html`<option key=${key} value=${key} selected=${key === chosen}>${word}</option>`)}
</select>`;

// ---- The screen

const FIRST = { path: "/floor3", group: "coap://224.0.1.187/" };

const Nothing = ({ mayChange }) => html`<${Empty} title="No mapping yet" action=${mayChange && html`<a class="button primary" href=${href("mappings", "new", { name: "floor3", ...FIRST })}>Begin with ${FIRST.path}</a>`}>
    A mapping says which client may send which methods to a path, and which group of members the path reaches. For example, path <code>${FIRST.path}</code>, group <code>${FIRST.group}</code>.
<//>`;

const NoneFits = () => html`<${Empty} title="No mapping fits" action=${html`<a class="button" href=${href("mappings")}>Show all</a>`}>There are mappings, but none of this kind.<//>`;

// The row that has the focus, or else the first.
function tryOne() {
    const row = document.activeElement && document.activeElement.closest("tr.row");
    const link = (row || document).querySelector("[data-try]");
    if (link) location.hash = link.getAttribute("href");
}

export default function Mappings({ query }) {
    const { data, error, loading, reload } = useCollection("mappings");
    const usage = useUsage();
    const [mayTry, mayChange] = [useMay("operator"), useMay("admin")];
    useKeys([
        ...(mayChange ? [{ key: "n", does: "New mapping", run: () => go("mappings", "new") }] : []),
        ...(mayTry ? [{ key: "t", does: "Try the chosen mapping", run: tryOne }] : []),
    ]);
    const columns = useMemo(() => columnsFor(mayTry, mayChange), [mayTry, mayChange]);
    const choice = Object.hasOwn(choices, query.show || "") ? choices[query.show] : null;
    const rows = useMemo(() => (data || []).filter((one) => !choice || choice.fits(one)).map((one) => ({ ...one, usage: usageOf(usage.mappings, one.name) })), [data, usage, choice]);
    return html`<div class="mappings">
        <header class="head"><h1>Mappings</h1><span class="space"></span>
            ${mayChange && html`<a class="button primary" href=${href("mappings", "new")}><${Icon} name="plus" />New mapping</a>`}</header>
        ${data && error && html`<p class="error" role="alert"><${Mark} tone="bad" /> ${error.message} <button type="button" class="plain" onClick=${reload}>Try again</button></p>`}
        ${!data
            ? html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />`
            : html`<${Table} label="mappings" rows=${rows} columns=${columns} keyOf=${(one) => one.name} href=${(one) => hrefOf(one.name)} sort=${{ key: "name" }}
                noSearch=${data.length === 0} filters=${data.length > 0 && html`<${Filter} chosen=${query.show} />`}
                empty=${data.length === 0 ? html`<${Nothing} mayChange=${mayChange} />` : html`<${NoneFits} />`} />`}
    </div>`;
}
