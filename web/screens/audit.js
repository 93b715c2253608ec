// The audit, for admins: every attempt, with what was refused, and what changed nothing that is stored.
import { html } from "../vendor/preact.js";
import { usePages } from "../core/pages.js";
import { href } from "../core/route.js";
import { time } from "../core/format.js";
import { deedWords, whoWords } from "../core/deeds.js";
import { Table } from "../parts/table.js";
import { Status } from "../parts/status.js";
import { Payload } from "../parts/payload.js";
import { Older } from "../parts/older.js";
import { Empty, Waiting } from "../parts/empty.js";
import { Places } from "./history.js";

const tones = { done: "ok", refused: "warn", failed: "bad" };

const columns = [
    { key: "what", title: "What", value: deedWords },
    { key: "at", title: "When", value: (one) => one.at, cell: (one) => html`<span class="num">${time(one.at)}</span>` },
    { key: "who", title: "Who", value: (one) => whoWords(one.who) },
    { key: "from", title: "From", value: (one) => one.from, cell: (one) => one.from && html`<code>${one.from}</code>` },
    { key: "result", title: "Result", value: (one) => one.result, cell: (one) => html`<${Status} tone=${tones[one.result] || "off"}>${one.result}<//>` },
    { key: "detail", title: "Detail", value: (one) => one.detail, cell: (one) => one.detail && html`<${Payload} value=${one.detail} />`, isWide: true },
    { key: "revision", title: "Revision", value: (one) => one.revision, cell: (one) => one.revision !== null && html`<a href=${href("history", one.revision)}>${one.revision}</a>`, numeric: true },
];

export default function Audit() {
    const { items, error, loading, reload, ...older } = usePages("audit");
    return html`<div>
        <header class="head"><h1>Audit</h1><span class="space"></span><${Places} here="audit" /></header>
        ${items === null
            ? html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />`
            : html`<${Table} label="deeds" rows=${items} columns=${columns} keyOf=${(one) => one.number} empty=${html`<${Empty} title="Nobody did anything yet">Changes, attempts that were refused, tries and what went wrong at signing in stand here.<//>`} />
              <${Older} ...${older} />`}
    </div>`;
}
