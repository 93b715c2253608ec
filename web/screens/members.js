// Groups and members: a group's members, a member's groups, how each answers, and lists edited many at once.
import { html, useState, useMemo } from "../vendor/preact.js";
import { useCollection } from "../core/data.js";
import { useMay } from "../core/role.js";
import { href, replace } from "../core/route.js";
import { ago, fullTime, ms, number, percent } from "../core/format.js";
import { groupsOf, isIn, isUnseen, isEditable, withFigures } from "../core/member-lists.js";
import { Table } from "../parts/table.js";
import { Status } from "../parts/status.js";
import { Warmth } from "../parts/warmth.js";
import { Empty, Waiting } from "../parts/empty.js";
import { AddTo, TakeOutOf, Paste, Forget } from "./members-bulk.js";

// ---- Columns

const Groups = ({ row }) => (groupsOf(row).length === 0 ? html`<${Status} tone="warn">in no group<//>` : groupsOf(row).join(", "));

function reach(row) {
    if (row.isAway) return ["bad", "out of reach"];
    return row.last_seen === null ? ["off", "never seen"] : ["ok", row.configured ? "answers" : "answers, in no list"];
}

const always = [
    { key: "name", title: "Member", value: (row) => row.name },
    { key: "groups", title: "Groups", value: (row) => groupsOf(row).join(", "), cell: (row) => html`<${Groups} row=${row} />` },
    { key: "seen", title: "Last seen", value: (row) => row.last_seen, cell: (row) => html`<span class="num" title=${fullTime(row.last_seen)}>${ago(row.last_seen)}</span>` },
    { key: "median", title: "Median", value: (row) => row.median, cell: (row) => ms(row.median), numeric: true },
];

const maybe = [
    { key: "p99", title: "99 of 100", value: (row) => row.p99, cell: (row) => ms(row.p99), numeric: true },
    { key: "loss", title: "Loss", value: (row) => row.loss, cell: (row) => percent(row.loss), numeric: true },
    { key: "warm", title: "Met", value: (row) => row.warm, cell: (row) => html`<${Warmth} warm=${row.warm} />` },
];

const last = { key: "state", title: "State", value: (row) => reach(row)[1], cell: (row) => html`<${Status} tone=${reach(row)[0]}>${reach(row)[1]}<//>` };

// What nobody has anything of is left out.
const columnsFor = (rows) => [...always, ...maybe.filter(({ key }) => rows.some((row) => row[key] !== null)), last];

// ---- Filters, kept in the address

const spans = [["", "Seen: whenever"], ["1", "Not seen for a day"], ["7", "Not seen for 7 days"], ["30", "Not seen for 30 days"], ["90", "Not seen for 90 days"]];

function Filters({ filter, mappings, groups, onFilter }) {
    const option = (value, words) => html`<option key=${value} value=${value} selected=${(filter.of || "") === value}>${words}</option>`;
    return html`<select aria-label="Group" onChange=${(event) => onFilter({ ...filter, of: event.target.value })}>
            ${option("", "Group: all")}${option("none", "in no group")}
            ${mappings.length > 0 && html`<optgroup label="Mappings">${mappings.map(({ name }) => option(`mapping:${name}`, name))}</optgroup>`}
            ${groups.length > 0 && html`<optgroup label="Security groups">${groups.map(({ name }) => option(`security:${name}`, name))}</optgroup>`}
        </select>
        <select aria-label="Last seen" onChange=${(event) => onFilter({ ...filter, unseen: event.target.value })}>
            ${spans.map(([days, words]) => html`<option key=${days} value=${days} selected=${(filter.unseen || "") === days}>${words}</option>`)}
        </select>`;
}

// ---- What is done with those that are ticked

function Chosen({ rows, shown, onChoose, onAsk }) {
    const others = () => onChoose(new Set(shown.filter((row) => !rows.includes(row)).map(({ name }) => name)));
    return html`<div class="chosen" role="group" aria-label="What to do with the chosen">
        <strong class="num">${number(rows.length)} chosen</strong>
        <button type="button" onClick=${() => onAsk("add")}>Add to …</button>
        <button type="button" onClick=${() => onAsk("out")}>Take out of …</button>
        <button type="button" onClick=${() => onAsk("forget")}>Forget …</button>
        <button type="button" class="plain" onClick=${others}>All but these</button>
        <button type="button" class="plain" onClick=${() => onChoose(new Set())}>None</button>
    </div>`;
}

const dialogs = { add: AddTo, out: TakeOutOf, forget: Forget, paste: Paste };

// ---- The screen

const none = [];
const filterOf = ({ of, unseen }) => ({ of, unseen });

const Nothing = ({ isFiltered, isAdmin }) => isFiltered
    ? html`<${Empty} title="No member fits" action=${html`<a class="button" href=${href("members")}>Show all</a>`}>Nobody here is in that group, and unseen for that long.<//>`
    : html`<${Empty} title="No member yet" action=${isAdmin && html`<a class="button primary" href=${href("discovery")}>Look who is there</a>`}>Members are known once they have answered, or when a list names them.<//>`;

export default function Members({ query }) {
    const filter = filterOf(query);
    const { data, error, loading, reload } = useCollection("members", { collections: ["mappings", "security-groups"] });
    const mappings = useCollection("mappings").data || none;
    const groups = useCollection("security-groups").data || [];
    const isAdmin = useMay("admin");
    const [chosen, setChosen] = useState(new Set());
    const [asked, setAsked] = useState(null);
    const wherein = filter.of ? mappings : none; // they come page by page: without need of them no row is made anew
    const rows = useMemo(() => {
        const now = Date.now();
        const one = filter.of && filter.of.startsWith("mapping:") ? filter.of.slice(8) : null;
        return (data || []).filter((row) => isIn(filter.of, row, wherein) && isUnseen(Number(filter.unseen), row, now)).map((row) => withFigures(row, one));
    }, [data, wherein, filter.of, filter.unseen]);
    const columns = useMemo(() => columnsFor(rows), [rows]);
    const picked = useMemo(() => rows.filter(({ name }) => chosen.has(name)), [rows, chosen]);
    const onFilter = (next) => {
        setChosen(new Set());
        replace("members", next);
    };
    const editable = mappings.filter(isEditable);
    const done = () => {
        setChosen(new Set());
        reload();
    };
    const Asked = asked && dialogs[asked];
    const isFiltered = !!(filter.of || filter.unseen);
    return html`<div>
        <header class="head"><h1>Groups and members</h1><span class="space"></span>
            ${isAdmin && editable.length > 0 && html`<button type="button" onClick=${() => setAsked("paste")}>Paste a list</button>`}
        </header>
        ${picked.length > 0 && html`<${Chosen} rows=${picked} shown=${rows} onChoose=${setChosen} onAsk=${setAsked} />`}
        <${Table} label="members" rows=${rows} columns=${columns} keyOf=${({ name }) => name} href=${({ name }) => href("members", name)} sort=${{ key: "name" }}
            selected=${chosen} onSelect=${isAdmin ? setChosen : undefined}
            filters=${html`<${Filters} filter=${filter} mappings=${mappings} groups=${groups} onFilter=${onFilter} />`}
            empty=${loading || error ? html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />` : html`<${Nothing} isFiltered=${isFiltered} isAdmin=${isAdmin} />`} />
        ${Asked && html`<${Asked} rows=${picked} mappings=${editable} of=${filter.of} onClose=${() => setAsked(null)} onDone=${done} />`}
    </div>`;
}
