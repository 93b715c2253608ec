// One change: what it was, as a difference, and at its side what undoing it would do now, asked of the gateway beforehand.
import { html, useState } from "../vendor/preact.js";
import { useGet, useData } from "../core/data.js";
import { request, pathOf } from "../core/api.js";
import { useEvents } from "../core/live.js";
import { useMay } from "../core/role.js";
import { href } from "../core/route.js";
import { fullTime, ago, count } from "../core/format.js";
import { deedWords, whoWords } from "../core/deeds.js";
import { Difference } from "../parts/difference.js";
import { Fact } from "../parts/fact.js";
import { Preview } from "../parts/preview.js";
import { Waiting } from "../parts/empty.js";
import { Mark } from "../parts/status.js";
import { tellChange, tellError } from "../core/notices.js";
import { isUndoable } from "./history.js";

const Link = ({ number }) => html`<a href=${href("history", number)}>revision ${number}</a>`;

const Facts = ({ revision }) => html`<dl class="facts">
    <${Fact} title="When"><span class="num">${fullTime(revision.at)}</span> <small>${ago(revision.at)}</small><//>
    <${Fact} title="Who">${whoWords(revision.who)}${revision.from && html` <small>from ${revision.from}</small>`}<//>
    ${revision.undoes !== null && html`<${Fact} title="Takes back"><${Link} number=${revision.undoes} /><//>`}
    ${revision.undone_by !== null && html`<${Fact} title="Was taken back by"><${Link} number=${revision.undone_by} /><//>`}
</dl>`;

// ---- Undo

const undoPath = (number) => pathOf("revisions", number, "undo");

// {preview} where it can be undone alone, {depends, preview} where later ones rest on it, {refusal} where not at all.
async function look(number, signal) {
    try {
        return { preview: (await request("POST", undoPath(number), { query: { dry_run: true }, signal })).data };
    } catch (error) {
        if (error.status !== 409) throw error;
        if (!error.more.depends) return { refusal: error.message };
        return { depends: error.more.depends, ...(await lookWithLater(number, signal)) };
    }
}

async function lookWithLater(number, signal) {
    try {
        return { preview: (await request("POST", undoPath(number), { query: { dry_run: true, with_later: true }, signal })).data };
    } catch (error) {
        if (error.status !== 409) throw error;
        return { refusal: error.message };
    }
}

const Depends = ({ list }) => html`<div>
    <p><${Mark} tone="warn" /> ${count(list.length, "later change rests", "later changes rest")} on this one:</p>
    <ul class="depends">${list.map((one) => html`<li key=${one.revision}><${Link} number=${one.revision} />: ${deedWords(one)}</li>`)}</ul>
</div>`;

function UndoButton({ number, depends }) {
    const [isBusy, setBusy] = useState(false);
    const run = async () => {
        setBusy(true);
        try {
            const { data } = await request("POST", undoPath(number), { query: { with_later: depends ? true : undefined } });
            tellChange(depends ? `Revision ${number} and ${count(depends.length, "later one")} are undone.` : `Revision ${number} is undone.`, data.revision);
        } catch (error) {
            tellError(error, "Not undone");
        } finally {
            setBusy(false);
        }
    };
    return html`<div class="actions"><button type="button" class="primary" disabled=${isBusy} onClick=${run}>${depends ? `Undo all ${depends.length + 1} together` : "Undo"}</button></div>`;
}

function Undo({ number }) {
    const { data, error, loading, reload } = useData((signal) => look(number, signal), ["undo", number]);
    useEvents(["change"], reload);
    if (!data) return html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />`;
    const { depends, preview, refusal } = data;
    return html`<div class="stack small-gaps">
        ${depends && html`<${Depends} list=${depends} />`}
        ${refusal && html`<p>${refusal}</p>`}
        ${preview && html`<${Difference} changes=${preview.difference} /><${Preview} ...${preview} /><${UndoButton} number=${number} depends=${depends} />`}
    </div>`;
}

function WayBack({ revision, mayUndo }) {
    if (revision.undone_by !== null) return html`<p>This was taken back by <${Link} number=${revision.undone_by} />. Undo that one, and this is in use again.</p>`;
    if (!isUndoable(revision)) return html`<p><${Mark} tone="warn" /> This cannot be undone. ${revision.way_forward || ""}</p>`;
    return mayUndo ? html`<${Undo} number=${revision.number} />` : html`<p class="faint">Admins can take this back.</p>`;
}

export default function Revision({ params }) {
    const { data: revision, error, loading, reload } = useGet(pathOf("revisions", params.number));
    useEvents(["change"], reload);
    const mayUndo = useMay("admin");
    if (!revision) return html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />`;
    return html`<div class="revision stack">
        <header class="head">
            <p class="crumb"><a href=${href("history")}>History</a> / <span class="num">${revision.number}</span></p>
            <h1>${deedWords(revision)}</h1>
        </header>
        <${Facts} revision=${revision} />
        <div class="with-side">
            <section><h2>What it changed</h2><${Difference} changes=${revision.changes} /></section>
            <aside><h2>Undo</h2><${WayBack} revision=${revision} mayUndo=${mayUndo} /></aside>
        </div>
    </div>`;
}
