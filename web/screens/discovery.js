// What a discovery has found: who answered, what they offer as a tree, and what is made of those that are ticked.
import { html, useState, useMemo, useEffect } from "../vendor/preact.js";
import { pathOf, request } from "../core/api.js";
import { useGet, useCollection } from "../core/data.js";
import { useMay } from "../core/role.js";
import { href, go } from "../core/route.js";
import { time, seconds, count, number } from "../core/format.js";
import { isEditable } from "../core/member-lists.js";
import { treeOf, nodeName, nodeKey, rowsOf, answered } from "../core/found.js";
import { visible } from "../parts/payload.js";
import { Table } from "../parts/table.js";
import { Status } from "../parts/status.js";
import { Dialog } from "../parts/dialog.js";
import { Waiting } from "../parts/empty.js";
import { tellError } from "../core/notices.js";
import { AddTo } from "./members-bulk.js";
import { SearchState, whereWords } from "./discoveries.js";
import { MakeMapping } from "./discovery-mapping.js";

const LOOK_MS = 700;

// ---- Resources as a tree

function attributeWords({ types, interfaces, formats, isObservable }) {
    const parts = [types.size && `type ${[...types].join(", ")}`, interfaces.size && `interface ${[...interfaces].join(", ")}`, formats.size && `format ${[...formats].join(", ")}`, isObservable && "observable"];
    return visible(parts.filter(Boolean).join("; "));
}

function Branches({ branches, of }) {
    return html`<ul class="tree">${[...branches.values()].map((one) => html`<li key=${one.name}>
        <code>${visible(one.name.includes(":") ? one.name : `/${one.name}`)}</code>
        ${one.count > 0 && of > 1 && html` <span class="num faint">${number(one.count)} of ${number(of)}</span>`}
        ${attributeWords(one) && html` <small>${attributeWords(one)}</small>`}
        ${one.below.size > 0 && html`<${Branches} branches=${one.below} of=${of} />`}
    </li>`)}</ul>`;
}

function Resources({ nodes }) {
    const tree = useMemo(() => treeOf(nodes), [nodes]);
    const of = nodes.filter(answered).length;
    return html`<section><h2>What they offer</h2>${tree.size > 0 ? html`<${Branches} branches=${tree} of=${of} />` : html`<p class="faint">Nobody has told of a resource.</p>`}</section>`;
}

const Offers = ({ node, onClose }) => html`<${Dialog} title=${visible(nodeName(node))} onClose=${onClose}>
    ${node.links.length > 0 ? html`<${Branches} branches=${treeOf([node])} of=${1} />` : html`<p class="faint">It has told of no resource.</p>`}
<//>`;

// ---- Who answered

const nodeStates = {
    whole: ["ok", "answered"],
    cut: ["warn", "cut short"],
    unreadable: ["bad", "unreadable"],
    refused: ["bad", "refused"],
    silent: ["warn", "silent"],
    unasked: ["off", "not asked"],
};

const targetsOf = ({ links }) => links.slice(0, 4).map(({ target }) => String(target)).join(" ") + (links.length > 4 ? ` and ${links.length - 4} more` : "");

const columns = [
    { key: "name", title: "Member", value: nodeName },
    { key: "from", title: "Address", value: (one) => one.from, cell: (one) => html`<code>${one.from}</code>`, hideOnCard: true },
    { key: "where", title: "Group", value: (one) => one.mapping || one.group },
    { key: "verified", title: "Verified", value: (one) => one.verified, cell: (one) => html`<${Status} tone=${one.verified === "source" ? "ok" : "off"}>${one.verified === "source" ? "verified" : "not protected"}<//>` },
    { key: "links", title: "Offers", value: (one) => one.links.map(({ target }) => target).join(" "), cell: (one) => html`<code>${visible(targetsOf(one))}</code>`, isWide: true },
    { key: "state", title: "State", value: (one) => (nodeStates[one.state] || ["", one.state])[1], cell: (one) => html`<${Status} tone=${(nodeStates[one.state] || ["off"])[0]}>${(nodeStates[one.state] || ["", one.state])[1]}<//>` },
];

function Nodes({ nodes, mayChange }) {
    const [chosen, setChosen] = useState(new Set());
    const [asked, setAsked] = useState(null);
    const [shown, setShown] = useState(null);
    const mappings = useCollection("mappings").data || [];
    const picked = nodes.filter((node) => chosen.has(nodeKey(node)));
    return html`<section><h2>Who is there</h2>
        ${picked.length > 0 && html`<div class="chosen" role="group" aria-label="What to do with the chosen">
            <strong class="num">${number(picked.length)} chosen</strong>
            <button type="button" class="primary" onClick=${() => setAsked("mapping")}>Make a mapping …</button>
            <button type="button" onClick=${() => setAsked("add")}>Add to a mapping …</button>
            <button type="button" class="plain" onClick=${() => setChosen(new Set())}>None</button>
        </div>`}
        <${Table} label="who is there" rows=${nodes} columns=${columns} keyOf=${nodeKey} onOpen=${setShown} selected=${chosen} onSelect=${mayChange ? setChosen : undefined}
            empty=${html`<p class="faint">Nobody is known and nobody answered.</p>`} />
        ${asked === "add" && html`<${AddTo} rows=${rowsOf(picked)} mappings=${mappings.filter(isEditable)} onClose=${() => setAsked(null)} onDone=${() => setChosen(new Set())} />`}
        ${asked === "mapping" && html`<${MakeMapping} nodes=${picked} mappings=${mappings} onClose=${() => setAsked(null)} />`}
        ${shown && html`<${Offers} node=${shown} onClose=${() => setShown(null)} />`}
    </section>`;
}

// ---- What else was found

const Found = ({ title, list, words }) => list.length > 0 && html`<section><h2>${title}</h2><ul class="bare">${list.map((one, i) => html`<li key=${i}>${words(one)}</li>`)}</ul></section>`;

const text = (value) => visible(String(value === null || value === undefined ? "" : value));

const groupWords = (mayChange) => (one) => html`<strong>${text(one.name)}</strong> ${one.application && `for ${text(one.application)}`} <small>join at <code>${text(one.join)}</code></small>
    ${mayChange && one.join && html` <a href=${href("security-groups", "new", { group_manager: one.join })}>Note it, keys to come</a>`}`;

const Others = ({ data, mayChange }) => html`
    <${Found} title="Security groups that are told of" list=${data.security_groups} words=${groupWords(mayChange)} />
    <${Found} title="Directories" list=${data.directories} words=${(one) => html`<code>${text(one.uri)}</code> <small>${count(one.imported, "entry", "entries")}</small>`} />
    <${Found} title="What directories say" list=${data.entries} words=${(one) => html`<strong>${text(one.name)}</strong> <code>${text(one.base)}</code> <small>${text(one.sector)}</small>`} />
    <${Found} title="Left out" list=${data.left_out} words=${(one) => html`${text(one.what)} <small>${text(one.why)}, ${count(one.count, "time")}</small>`} />`;

// ---- The screen

function Summary({ data }) {
    if (data.state === "running") return html`<p role="status" class="num">${count(data.answered || 0, "answer")} so far; it listens for ${seconds(data.seconds)}.</p>`;
    if (!data.summary) return null;
    const { nodes, answered: said, silent, problem } = data.summary;
    return html`<p>${number(said)} of ${number(nodes)} answered${silent > 0 ? `; ${number(silent)} that are known are silent` : ""}.${problem ? ` ${problem}` : ""}</p>`;
}

export default function Discovery({ params }) {
    const path = pathOf("discovery", params.id);
    const { data, error, loading, reload } = useGet(path);
    const mayLook = useMay("operator");
    const mayChange = useMay("admin");
    const isRunning = !!data && data.state === "running";
    useEffect(() => {
        if (!isRunning || loading) return undefined;
        const timer = setTimeout(reload, LOOK_MS);
        return () => clearTimeout(timer);
    }, [isRunning, loading, data]);
    if (!data) return html`<${Waiting} title="Discovery" loading=${loading} error=${error} onAgain=${reload} />`;
    const end = () => request("DELETE", path).then(() => go("discovery"), (thrown) => tellError(thrown, "Not ended"));
    return html`<div class="stack">
        <header class="head">
            <p class="crumb"><a href=${href("discovery")}>Discovery</a> / <span class="num">${time(data.begun)}</span></p>
            <h1>${visible(whereWords(data.where))}</h1>
            <${SearchState} search=${data} />
            <span class="space"></span>
            ${mayLook && html`<button type="button" onClick=${end}>${isRunning ? "End it" : "Forget it"}</button>`}
        </header>
        <${Summary} data=${data} />
        ${data.nodes && html`<${Resources} nodes=${data.nodes} /><${Nodes} nodes=${data.nodes} mayChange=${mayChange} /><${Others} data=${data} mayChange=${mayChange} />`}
    </div>`;
}
