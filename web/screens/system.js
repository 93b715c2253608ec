// The gateway itself: what runs, where it listens, what the settings file says; and everything stored, out and in.
import { html } from "../vendor/preact.js";
import { useItem, useGet } from "../core/data.js";
import { useMay } from "../core/role.js";
import { href } from "../core/route.js";
import { valueAt } from "../core/settings.js";
import { asText } from "../core/compare.js";
import { fullTime, seconds, bytes, count } from "../core/format.js";
import { Table } from "../parts/table.js";
import { Fact } from "../parts/fact.js";
import { Status } from "../parts/status.js";
import { Waiting } from "../parts/empty.js";
import { Export, Import } from "./transfer.js";

// ---- What runs

function Readiness({ ready, reasons }) {
    if (ready) return html`<${Status} tone="ok">Ready<//>`;
    return html`<${Status} tone="bad">Not ready<//><ul class="bare">${reasons.map((one) => html`<li key=${one}>${one}</li>`)}</ul>`;
}

function Store({ store }) {
    return html`<${Status} tone=${store.usable ? "ok" : "bad"}>${store.usable ? "can be written" : store.reason || "cannot be written"}<//>
        ${store.free_bytes !== null && html` <small>${bytes(store.free_bytes)} free</small>`}${store.folder && html` <code>${store.folder}</code>`}`;
}

function Buffer({ buffer }) {
    const given = [buffer.ipv4 !== null && `${bytes(buffer.ipv4)} for IPv4`, buffer.ipv6 !== null && `${bytes(buffer.ipv6)} for IPv6`].filter(Boolean).join(", ");
    const isShort = [buffer.ipv4, buffer.ipv6].some((one) => one !== null && one < buffer.wanted);
    return html`${given || "none is open"} <small>of ${bytes(buffer.wanted)} wanted</small>
        ${isShort && html`<p class="hint">The kernel allows no more (net.core.rmem_max): answers of many members may be lost.</p>`}
        ${buffer.kernel_drops > 0 && html`<p><${Status} tone="warn">${count(buffer.kernel_drops, "answer was", "answers were")} dropped for lack of it<//></p>`}`;
}

const Facts = ({ system }) => html`<dl class="facts">
    <${Fact} title="Now"><${Readiness} ...${system} /><//>
    <${Fact} title="Version"><span class="num">${system.version}</span><//>
    <${Fact} title="Started"><span class="num">${fullTime(system.started)}</span> <small>${seconds(system.uptime)} ago</small><//>
    <${Fact} title="Its clock"><span class="num">${fullTime(system.clock)}</span><//>
    <${Fact} title="Store"><${Store} store=${system.store} /><//>
    <${Fact} title="Receive buffer"><${Buffer} buffer=${system.receive_buffer} /><//>
</dl>`;

// ---- Where it listens, and by what it sends

const fronts = { http: "HTTP clients", coap: "CoAP clients", admin: "this page and its API", alerts: "alerts of members" };

function protectionOf({ encrypted, insecure }) {
    if (encrypted) return { tone: "ok", word: "encrypted" };
    return insecure ? { tone: "warn", word: "in the clear, as the settings say" } : { tone: "off", word: "in the clear" };
}

const listenerColumns = [
    { key: "front", title: "For", value: (one) => fronts[one.front] || one.front },
    { key: "at", title: "Address", value: (one) => one.at, cell: (one) => html`<code>${one.at}</code>` },
    { key: "serves", title: "State", value: (one) => (one.serves ? "listens" : "does not listen"), cell: (one) => html`<${Status} tone=${one.serves ? "ok" : "bad"}>${one.serves ? "listens" : "does not listen"}<//>` },
    { key: "protection", title: "Protection", value: (one) => protectionOf(one).word, cell: (one) => html`<${Status} tone=${protectionOf(one).tone}>${protectionOf(one).word}<//>` },
];

const interfaceColumns = [
    { key: "name", title: "Interface", value: (one) => one.name, cell: (one) => html`<code>${one.name}</code>` },
    { key: "addresses", title: "Addresses", value: (one) => one.addresses.join(" "), cell: (one) => one.addresses.map((address) => html`<div key=${address}><code>${address}</code></div>`), isWide: true },
    { key: "state", title: "State", value: stateOf, cell: (one) => html`<${Status} tone=${one.up ? "ok" : "off"}>${stateOf(one)}<//>` },
    { key: "use", title: "Used by", value: (one) => one.mappings, cell: (one) => (one.mappings ? html`<${Use} of=${one} />` : null) },
];

function stateOf(one) {
    return [one.up ? "up" : "down", one.loopback && "loopback", !one.multicast && !one.loopback && "no multicast"].filter(Boolean).join(", ");
}

const Use = ({ of }) => html`<${Status} tone=${of.usable ? "ok" : "bad"}>${count(of.mappings, "mapping")}${!of.usable && of.reason ? `: ${of.reason}` : ""}<//>`;

// The machine's interfaces, and of each who sends by it; what is wanted and not there stands among them.
function interfacesOf({ interfaces, sends_by: uses }) {
    const used = new Map(uses.map((one) => [one.interface, one]));
    const known = interfaces.map((one) => ({ mappings: 0, ...one, ...used.get(one.name) }));
    const absent = uses.filter((one) => !interfaces.some(({ name }) => name === one.interface));
    return [...known, ...absent.map((one) => ({ name: one.interface || "not chosen", addresses: [], up: false, multicast: true, ...one }))];
}

function Running() {
    const { data: system, error, loading, reload } = useGet("system");
    if (!system) return html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />`;
    return html`<${Facts} system=${system} />
        <section><h2>Listens at</h2><${Table} label="listeners" rows=${system.listeners} columns=${listenerColumns} keyOf=${(one) => one.front + one.at} noSearch empty=${html`<p class="faint">Nowhere.</p>`} /></section>
        <section><h2>Interfaces</h2><${Table} label="interfaces" rows=${interfacesOf(system)} columns=${interfaceColumns} keyOf=${(one) => one.name} noSearch empty=${html`<p class="faint">There are none.</p>`} /></section>`;
}

// ---- The settings file's part

const rowsOf = ({ sources, effective }) =>
    Object.entries(sources)
        .filter(([, source]) => source === "file")
        .map(([pointer]) => ({ key: pointer.slice(1).replaceAll("/", "."), value: asText(valueAt(effective, pointer.slice(1))) }));

const fileColumns = [
    { key: "key", title: "Setting", value: (one) => one.key, cell: (one) => html`<code>${one.key}</code>` },
    { key: "value", title: "Value", value: (one) => one.value, cell: (one) => html`<code>${one.value}</code>`, isWide: true },
];

function OfFile() {
    const { data, error, loading, reload } = useItem("settings");
    return html`<section>
        <h2>Set in the settings file</h2>
        <p class="hint">Not editable here: the file has the last word on what it sets, so that a page can never lock its operator out. Listeners, files and plugins are set there alone. <code>systemctl reload castgate</code> (SIGHUP) takes up a changed file.</p>
        ${data
            ? html`<${Table} label="settings of the file" rows=${rowsOf(data.item)} columns=${fileColumns} keyOf=${(one) => one.key} noSearch empty=${html`<p class="faint">The file sets none: all are defaults, or set here.</p>`} />`
            : html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />`}
    </section>`;
}

export default function System() {
    const mayChange = useMay("admin");
    return html`<div class="system stack">
        <header class="head">
            <h1>System</h1><span class="space"></span>
            <a class="button" href=${href("system", "settings")}>Settings</a>
        </header>
        <${Running} />
        <${OfFile} />
        <section><h2>Export</h2><${Export} /></section>
        ${mayChange && html`<section><h2>Import</h2><${Import} /></section>`}
    </div>`;
}
