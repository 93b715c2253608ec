// Who changed what, when; and undo, from each row. What others rest on leads to its own screen, where all of it is shown.
import { html, useState } from "../vendor/preact.js";
import { usePages } from "../core/pages.js";
import { useMay } from "../core/role.js";
import { href } from "../core/route.js";
import { time, ago } from "../core/format.js";
import { deedWords, whoWords } from "../core/deeds.js";
import { Table } from "../parts/table.js";
import { Status } from "../parts/status.js";
import { Older } from "../parts/older.js";
import { Empty, Waiting } from "../parts/empty.js";
import { undo } from "../core/notices.js";

// What is to be known of it beside what it did.
function standing({ undone_by: by, undoes, undoable }) {
    if (by !== null) return `undone by ${by}`;
    if (!undoable) return "cannot be undone";
    return undoes === null ? "" : `undoes ${undoes}`;
}

export const isUndoable = (revision) => revision.undoable && revision.undone_by === null;

function Undo({ revision }) {
    const [isBusy, setBusy] = useState(false);
    const run = () => {
        setBusy(true);
        undo(revision.number).finally(() => setBusy(false));
    };
    return html`<button type="button" class="plain" disabled=${isBusy} aria-label=${`Undo revision ${revision.number}`} onClick=${run}>Undo</button>`;
}

function Standing({ revision, mayUndo }) {
    const words = standing(revision);
    const tone = words === "cannot be undone" ? "warn" : "off";
    return html`<span class="standing">${words && (revision.undoes === null ? html`<${Status} tone=${tone}>${words}<//>` : words)}${mayUndo && isUndoable(revision) && html`<${Undo} revision=${revision} />`}</span>`;
}

const columnsFor = (mayUndo) => [
    { key: "what", title: "What", value: deedWords, isWide: true },
    { key: "number", title: "Revision", value: (one) => one.number, numeric: true },
    { key: "at", title: "When", value: (one) => one.at, cell: (one) => html`<span class="num" title=${ago(one.at)}>${time(one.at)}</span>` },
    { key: "who", title: "Who", value: (one) => whoWords(one.who) },
    { key: "standing", title: "Undo", value: standing, cell: (one) => html`<${Standing} revision=${one} mayUndo=${mayUndo} />`, noSort: true },
];

export const Places = ({ here }) => html`<nav class="places" aria-label="History">
    <a href=${href("history")} aria-current=${here === "history" ? "page" : undefined}>Changes</a>
    <a href=${href("history", "audit")} aria-current=${here === "audit" ? "page" : undefined}>Audit</a>
</nav>`;

export default function History() {
    const { items, error, loading, reload, ...older } = usePages("revisions");
    const mayUndo = useMay("admin");
    return html`<div>
        <header class="head"><h1>History</h1><span class="space"></span>${mayUndo && html`<${Places} here="history" />`}</header>
        ${items === null
            ? html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />`
            : html`<${Table} label="changes" rows=${items} columns=${columnsFor(mayUndo)} keyOf=${(one) => one.number} href=${(one) => href("history", one.number)}
                  empty=${html`<${Empty} title="Nothing was changed yet">Every change made here, by castgatectl or by a program stands in this list, and can be taken back from it. What the settings file says does not: it is changed in the file.<//>`} />
              <${Older} ...${older} />`}
    </div>`;
}
