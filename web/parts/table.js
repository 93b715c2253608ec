// Rows and columns, ten thousand of them: only the rows that are seen are drawn, the page itself scrolls, and what is
// searched is put together once a row. Real table semantics, also where it shows as cards (narrow screens): hence the roles.
import { html, useState, useMemo, useRef, useEffect, useLayoutEffect } from "../vendor/preact.js";
import { number } from "../core/format.js";
import { visible } from "./payload.js";
import { Icon } from "./icon.js";

const ALL_UP_TO = 80; // rows that are simply all drawn
const BEYOND = 12; // rows drawn above and below what is seen

// What was done, for tests: rows compared with a search, keys made for sorting, rows drawn.
export const work = { compared: 0, keyed: 0, drawn: 0 };

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

// ---- Which rows, in which order

function compareKeys(one, other) {
    if (one === other) return 0;
    if (one === null || one === undefined) return 1; // what is not there stands last
    if (other === null || other === undefined) return -1;
    return typeof one === "number" && typeof other === "number" ? one - other : collator.compare(one, other);
}

function sortRows(rows, columns, { key, isDown }) {
    const column = columns.find((one) => one.key === key);
    if (!column) return rows;
    const keyed = rows.map((row) => ({ row, key: column.value(row) }));
    work.keyed += rows.length;
    keyed.sort((one, other) => compareKeys(one.key, other.key));
    if (isDown) keyed.reverse();
    return keyed.map(({ row }) => row);
}

const texts = new WeakMap(); // row -> what is searched of it

function textOf(row, columns) {
    let text = texts.get(row);
    if (text === undefined) texts.set(row, (text = columns.map((column) => column.value(row)).join("\n").toLowerCase()));
    return text;
}

// A longer search looks only through what the shorter one found.
function useSearch(rows, columns) {
    const [query, setQuery] = useState("");
    const last = useRef({ rows: null, query: "", found: null });
    const found = useMemo(() => {
        const wanted = query.trim().toLowerCase();
        const before = last.current;
        const from = before.rows === rows && before.query !== "" && wanted.startsWith(before.query) ? before.found : rows;
        const hits = wanted === "" ? rows : from.filter((row) => (work.compared++, textOf(row, columns).includes(wanted)));
        last.current = { rows, query: wanted, found: hits };
        return hits;
    }, [rows, query]);
    return { query, setQuery, found };
}

// ---- Which of them are seen

function useWindow(count, body) {
    const [height, setHeight] = useState(48);
    const [range, setRange] = useState({ first: 0, last: Math.min(count, ALL_UP_TO) });
    const isWhole = count <= ALL_UP_TO;
    const look = () => {
        if (!body.current) return;
        const top = body.current.getBoundingClientRect().top;
        const first = Math.max(0, Math.floor(-top / height) - BEYOND);
        const last = Math.min(count, Math.ceil((innerHeight - top) / height) + BEYOND);
        setRange((was) => (was.first === first && was.last === last ? was : { first, last: Math.max(last, first) }));
    };
    useEffect(() => {
        if (isWhole) return;
        let asked = false;
        const onScroll = () => {
            if (asked) return;
            asked = true;
            requestAnimationFrame(() => ((asked = false), look()));
        };
        addEventListener("scroll", onScroll, { passive: true });
        addEventListener("resize", onScroll);
        look();
        return () => (removeEventListener("scroll", onScroll), removeEventListener("resize", onScroll));
    }, [count, height, isWhole]);
    useLayoutEffect(() => {
        const drawn = isWhole || !body.current ? [] : body.current.querySelectorAll("tr.row");
        if (drawn.length === 0) return;
        const measured = (drawn[drawn.length - 1].getBoundingClientRect().bottom - drawn[0].getBoundingClientRect().top) / drawn.length;
        if (Math.abs(measured - height) > 0.5) setHeight(measured);
    });
    return isWhole ? { first: 0, last: count, above: 0, below: 0 } : { first: Math.min(range.first, count), last: Math.min(range.last, count), above: Math.min(range.first, count) * height, below: Math.max(0, count - range.last) * height };
}

// ---- Drawing

function Cell({ column, row, link }) {
    const value = column.cell ? column.cell(row) : column.value(row);
    const shown = value === null || value === undefined || value === false || value === "" ? html`<span class="faint">–</span>` : typeof value === "number" ? number(value) : typeof value === "string" ? visible(value) : value;
    const kind = [column.numeric && "num", column.isWide && "wide", column.hideOnCard && "no-card"].filter(Boolean).join(" ");
    return html`<td role="cell" class=${kind} data-title=${column.title}>${link ? html`<a href=${link}>${shown}</a>` : shown}</td>`;
}

const isControl = (target) => target.closest("a, button, input, select, textarea, label") !== null;

function Row({ row, index, columns, link, onOpen, selected, onSelect, id }) {
    work.drawn++;
    const open = (event) => {
        if (isControl(event.target) || String(getSelection()) !== "") return;
        if (link) location.hash = link;
        else if (onOpen) onOpen(row);
    };
    return html`<tr role="row" class=${`row${link || onOpen ? " opens" : ""}`} aria-rowindex=${index + 2} onClick=${open}>
        ${onSelect && html`<td role="cell" class="tick"><input type="checkbox" aria-label=${`Choose ${id}`} checked=${selected.has(id)} onChange=${() => onSelect(id)} /></td>`}
        ${columns.map((column, i) => html`<${Cell} key=${column.key} column=${column} row=${row} link=${i === 0 ? link : null} />`)}
    </tr>`;
}

function Head({ column, sort, onSort }) {
    const isSorted = sort.key === column.key;
    const order = isSorted ? (sort.isDown ? "descending" : "ascending") : "none";
    const title = column.title === "" ? html`<span class="hidden">Actions</span>` : column.noSort ? column.title : html`<button type="button" class="plain" onClick=${() => onSort(column.key)}>${column.title}${isSorted && html`<${Icon} name=${sort.isDown ? "down" : "up"} />`}</button>`;
    return html`<th role="columnheader" scope="col" class=${column.numeric ? "num" : ""} aria-sort=${column.noSort ? undefined : order}>${title}</th>`;
}

const Gap = ({ height, span }) => (height > 0 ? html`<tr aria-hidden="true" class="gap" style=${{ height: `${height}px` }}><td colspan=${span}></td></tr>` : null);

// Up and down go from row to row, where a row's first control has the focus.
function moveFocus(event) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const row = event.target.closest("tr.row");
    if (!row || event.target.matches("input:not([type=checkbox]), select, textarea")) return;
    const place = [...row.querySelectorAll("a, button, input")].indexOf(event.target);
    const next = event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
    const control = next && next.querySelectorAll("a, button, input")[place];
    if (!control) return;
    event.preventDefault();
    control.focus();
}

// rows; columns: [{key, title, value(row), cell(row)?, numeric?, isWide?, hideOnCard?, noSort?}] - what `value` gives is
// sorted and searched, `cell` is what is shown; one of buttons needs no title. keyOf(row); href(row) or onOpen(row); label: what the table is of;
// sort: {key, isDown}; selected (a Set of keys) with onSelect(Set); actions, filters: what stands beside the search field;
// empty: what is shown instead of no rows; noSearch.
export function Table({ rows, columns, keyOf, href, onOpen, label, sort: first = { key: null }, selected, onSelect, actions, filters, empty, noSearch }) {
    const [sort, setSort] = useState(first);
    const sorted = useMemo(() => sortRows(rows, columns, sort), [rows, sort]);
    const { query, setQuery, found } = useSearch(sorted, columns);
    const body = useRef(null);
    const seen = useWindow(found.length, body);
    const turn = (key) => setSort((was) => ({ key, isDown: was.key === key ? !was.isDown : false }));
    const pick = (id) => onSelect(toggled(selected, id));
    const areAll = onSelect && found.length > 0 && found.every((row) => selected.has(keyOf(row)));
    const pickAll = () => onSelect(new Set(areAll ? [] : found.map(keyOf)));
    const span = columns.length + (onSelect ? 1 : 0);
    return html`<div class="table">
        ${(!noSearch || actions || filters) && html`<div class="bar">
            ${!noSearch && html`<input type="search" data-search placeholder="Search" aria-label=${`Search ${label}`} value=${query} onInput=${(event) => setQuery(event.target.value)} />`}
            ${filters}
            <span class="faint num" role="status">${query.trim() ? `${number(found.length)} of ${number(rows.length)}` : number(rows.length)}</span>
            <span class="space"></span>
            ${actions}
        </div>`}
        ${rows.length === 0 && empty ? empty : html`<table role="table" aria-label=${label} aria-rowcount=${found.length + 1} onKeyDown=${moveFocus}>
            <thead role="rowgroup"><tr role="row" aria-rowindex="1">
                ${onSelect && html`<th role="columnheader" scope="col" class="tick"><input type="checkbox" aria-label="Choose all that are found" checked=${areAll} onChange=${pickAll} /></th>`}
                ${columns.map((column) => html`<${Head} key=${column.key} column=${column} sort=${sort} onSort=${turn} />`)}
            </tr></thead>
            <tbody role="rowgroup" ref=${body}>
                <${Gap} key="above" height=${seen.above} span=${span} />
                ${found.slice(seen.first, seen.last).map((row, i) => html`<${Row} key=${`row ${keyOf(row)}`} row=${row} id=${keyOf(row)} index=${seen.first + i} columns=${columns} link=${href && href(row)} onOpen=${onOpen} selected=${selected} onSelect=${onSelect && pick} />`)}
                <${Gap} key="below" height=${seen.below} span=${span} />
            </tbody>
        </table>
        ${rows.length > 0 && found.length === 0 && html`<p class="faint waiting">Nothing here has “${visible(query.trim())}” in it.</p>`}`}
    </div>`;
}

function toggled(set, id) {
    const next = new Set(set);
    if (!next.delete(id)) next.add(id);
    return next;
}
