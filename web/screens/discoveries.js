// Discovery: who is there, and what they offer. A search goes out on the air, so it says first to whom.
import { html, useState } from "../vendor/preact.js";
import { create } from "../core/api.js";
import { useGet, useCollection } from "../core/data.js";
import { useMay } from "../core/role.js";
import { href, go } from "../core/route.js";
import { time, fullTime, seconds, count } from "../core/format.js";
import { useKeys } from "../core/keys.js";
import { Table } from "../parts/table.js";
import { Ask } from "../parts/ask.js";
import { Field } from "../parts/field.js";
import { Status } from "../parts/status.js";
import { Icon } from "../parts/icon.js";
import { Empty, Waiting } from "../parts/empty.js";

const states = { running: ["busy", "running"], done: ["ok", "done"], "too-large": ["bad", "too much was found to be kept"] };

export const SearchState = ({ search }) => {
    const [tone, word] = states[search.state] || ["off", search.state];
    return html`<${Status} tone=${tone}>${word}<//>`;
};

export const whereWords = (where) => where || "all mappings' groups";

const columns = [
    { key: "where", title: "Where", value: (one) => whereWords(one.where) },
    { key: "begun", title: "Begun", value: (one) => one.begun, cell: (one) => html`<span class="num" title=${fullTime(one.begun)}>${time(one.begun)}</span>` },
    { key: "seconds", title: "For", value: (one) => one.seconds, cell: (one) => seconds(one.seconds), numeric: true },
    { key: "who", title: "By", value: (one) => one.who },
    { key: "state", title: "State", value: (one) => one.state, cell: (one) => html`<${SearchState} search=${one} />` },
];

// ---- Beginning

const SECONDS = { type: "integer", minimum: 1, maximum: 3600, "x-unit": "seconds" };
const KEYS = ["mapping", "security_group", "group", "filter", "seconds"];

// "mapping:hall" -> {mapping: "hall"}; "uri" takes what is typed
function orderOf({ where, uri, filter, last }) {
    const at = where.indexOf(":");
    const place = where === "" ? {} : where === "uri" ? { group: uri } : { [where.slice(0, at)]: where.slice(at + 1) };
    return { ...place, ...(filter && { filter }), seconds: last };
}

function goesWords(where, mappings) {
    const groups = where === "" ? new Set(mappings.filter(({ state }) => state === "in-use").flatMap((one) => (one.targets || [one]).map(({ group }) => group))).size : 1;
    return `One GET /.well-known/core goes by multicast to ${count(groups, "group")}, and what is cut short or points to a directory is asked for one by one.`;
}

function Begin({ onClose, query = {} }) {
    const mappings = useCollection("mappings").data || [];
    const groups = useCollection("security-groups").data || [];
    const [values, setValues] = useState({ where: query.mapping ? `mapping:${query.mapping}` : "", uri: undefined, filter: undefined, last: 10 });
    const [mistakes, setMistakes] = useState([]);
    const set = (key) => (value) => (setMistakes([]), setValues((was) => ({ ...was, [key]: value })));
    const at = (...keys) => (mistakes.find(({ pointer }) => keys.includes(pointer.slice(2))) || {}).detail;
    const option = (value, words) => html`<option key=${value} value=${value} selected=${values.where === value}>${words}</option>`;
    const begin = async () => {
        try {
            const { data } = await create("discovery", orderOf(values));
            go("discovery", data.id);
        } catch (error) {
            setMistakes(error.errors);
            if (!error.errors.some(({ pointer }) => KEYS.includes(pointer.slice(2)))) throw error;
            return false;
        }
    };
    return html`<${Ask} title="Look who is there" verb="Send" isReady=${(values.where !== "uri" || !!values.uri) && values.last >= 1} onDo=${begin} onClose=${onClose}>
        <div class="field"><label for="where">Where</label>
            <select id="where" data-first onChange=${(event) => set("where")(event.target.value)}>
                ${option("", "All mappings' groups")}
                ${mappings.length > 0 && html`<optgroup label="A mapping's group">${mappings.map(({ name }) => option(`mapping:${name}`, name))}</optgroup>`}
                ${groups.length > 0 && html`<optgroup label="A security group">${groups.map(({ name }) => option(`security_group:${name}`, name))}</optgroup>`}
                ${option("uri", "Another group …")}
            </select>
            ${at("mapping", "security_group") && html`<p class="error">${at("mapping", "security_group")}</p>`}</div>
        ${values.where === "uri" && html`<${Field} name="group" label="Group" value=${values.uri} onChange=${set("uri")} error=${at("group")} help="Such as coap://224.0.1.187 or coap://[ff05::fd%eth0]" />`}
        <${Field} name="filter" label="Only who has" value=${values.filter} onChange=${set("filter")} error=${at("filter")} help="A query such as rt=light* (RFC 6690). May be left out." />
        <${Field} name="seconds" label="Listen for" schema=${SECONDS} value=${values.last} onChange=${set("last")} error=${at("seconds")} help="Members spread their answers; sleepy ones need longer." />
        <p>${goesWords(values.where, mappings)}</p>
    <//>`;
}

// ---- The screen

export default function Discoveries({ query }) {
    const { data, error, loading, reload } = useGet("discovery");
    const [isAsked, setAsked] = useState(query.new !== undefined);
    const mayLook = useMay("operator");
    useKeys(mayLook ? [{ key: "n", does: "Look who is there", run: () => setAsked(true) }] : []);
    const rows = data ? data.items : [];
    const button = mayLook && html`<button type="button" class="primary" onClick=${() => setAsked(true)}><${Icon} name="discovery" />Look who is there</button>`;
    const nothing = html`<${Empty} title="Nothing was looked for yet" action=${button}>Asks groups which members there are and what they offer. What is found can become a mapping, or members of one.<//>`;
    return html`<div>
        <header class="head"><h1>Discovery</h1><span class="space"></span>${rows.length > 0 && button}</header>
        <${Table} label="discoveries" rows=${rows} columns=${columns} keyOf=${({ id }) => id} href=${({ id }) => href("discovery", id)}
            empty=${loading || error ? html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />` : nothing} />
        ${isAsked && mayLook && html`<${Begin} query=${query} onClose=${() => setAsked(false)} />`}
    </div>`;
}
