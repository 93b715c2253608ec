// Many members at once: lists of mappings change in one revision, which Undo takes back. Who is in a protected group its
// keys say: that is changed at the security group, one by one, with new keys.
import { html, useState } from "../vendor/preact.js";
import { request, pathOf } from "../core/api.js";
import { makeChanges, dryRun, useDryRun } from "../core/changes.js";
import { count } from "../core/format.js";
import { entryOf, entryOfLine, nameOf, membersOf, withMembers, withoutMembers, setMembers, takeOut } from "../core/member-lists.js";
import { Ask } from "../parts/ask.js";
import { Field } from "../parts/field.js";
import { textsOf } from "../parts/form.js";
import { Preview } from "../parts/preview.js";
import { tell } from "../core/notices.js";

const members = (n) => count(n, "member");

function Which({ mappings, name, onChange, all }) {
    return html`<div class="field"><label for="which-mapping">Mapping</label>
        <select id="which-mapping" data-first onChange=${(event) => onChange(event.target.value)}>
            ${all && html`<option value="" selected=${!name}>all that they are in</option>`}
            ${mappings.map((one) => html`<option key=${one.name} value=${one.name} selected=${one.name === name}>${one.name}, ${members(membersOf(one).length)}</option>`)}
        </select></div>`;
}

const NoLists = () => html`<p>No mapping here has a list of members that could be changed: those of the settings file are changed there, and who is in a protected group its keys say (Security groups).</p>`;

// What will be, and the dialog that does it. changes(): what is to be made; words: what is said then
function Change({ title, verb, changes, words, isDone, children, onClose, onDone, danger }) {
    const { preview, error, isSettled } = useDryRun(() => (changes.length > 0 ? dryRun(changes) : null), [changes]);
    const make = async () => {
        await makeChanges(changes, words);
        onDone();
    };
    return html`<${Ask} title=${title} verb=${verb} danger=${danger} isReady=${changes.length > 0 && isSettled && !error} onDo=${make} onClose=${onClose}>
        ${children}
        ${changes.length === 0 && html`<p class="faint">${isDone}</p>`}
        ${error && html`<p class="error">${textsOf(error)[0]}</p>`}
        ${preview && html`<${Preview} ...${preview} warnings=${[]} />`}
    <//>`;
}

const ofFilter = (of, mappings) => (mappings.some(({ name }) => of === `mapping:${name}`) ? of.slice("mapping:".length) : null);

export function AddTo({ rows, mappings, onClose, onDone }) {
    const [name, setName] = useState((mappings[0] || {}).name);
    const mapping = mappings.find((one) => one.name === name);
    const entries = rows.map(entryOf).filter(Boolean);
    const list = mapping ? withMembers(membersOf(mapping), entries) : [];
    const added = mapping ? list.length - membersOf(mapping).length : 0;
    const changes = added > 0 ? [setMembers(mapping, list)] : [];
    return html`<${Change} title=${`Add ${members(rows.length)}`} verb="Add" changes=${changes} words=${`${members(added)} added to ${name}.`} isDone=${mapping ? "They are in it already." : ""} onClose=${onClose} onDone=${onDone}>
        ${mapping ? html`<${Which} mappings=${mappings} name=${name} onChange=${setName} />
        <p>${members(added)} will be added; ${mapping.name} then expects ${list.length}.</p>` : html`<${NoLists} />`}
    <//>`;
}

export function TakeOutOf({ rows, mappings, of, onClose, onDone }) {
    const [name, setName] = useState(ofFilter(of, mappings) || "");
    const names = new Set(rows.map((row) => row.name));
    const from = mappings.filter((one) => !name || one.name === name);
    const changes = takeOut(from, names);
    const secured = rows.filter(({ security_groups: groups }) => groups.length > 0);
    return html`<${Change} title=${`Take ${members(rows.length)} out`} verb="Take out" danger changes=${changes} words=${`${members(rows.length)} taken out of ${count(changes.length, "mapping")}.`} isDone="None of them is in such a list." onClose=${onClose} onDone=${onDone}>
        ${mappings.length > 0 ? html`<${Which} mappings=${mappings} name=${name} onChange=${setName} all />` : html`<${NoLists} />`}
        ${changes.length > 0 && html`<p>${count(changes.length, "list")} will be shorter. What was heard of them stays known.</p>`}
        ${secured.length > 0 && html`<p class="hint">${members(secured.length)} of them ${secured.length === 1 ? "is" : "are"} in a security group, and stay${secured.length === 1 ? "s" : ""} there until evicted.</p>`}
    <//>`;
}

// ---- A pasted list

const ways = {
    add: { title: "Add these", list: (old, entries) => withMembers(old, entries) },
    out: { title: "Take these out", list: (old, entries) => withoutMembers(old, new Set(entries.map(nameOf))) },
    exactly: { title: "Exactly these", list: (old, entries) => withMembers([], entries) },
    keep: { title: "Of those in it, all but these go", list: (old, entries) => old.filter((entry) => new Set(entries.map(nameOf)).has(nameOf(entry))) },
};

export function Paste({ mappings, of, onClose, onDone }) {
    const [name, setName] = useState(ofFilter(of, mappings) || (mappings[0] || {}).name);
    const [way, setWay] = useState("add");
    const [lines, setLines] = useState(undefined);
    const mapping = mappings.find((one) => one.name === name);
    const entries = (lines || []).map((line) => entryOfLine(line) || line);
    const wrong = (lines || []).filter((line) => way === "add" || way === "exactly" ? !entryOfLine(line) : false);
    const old = mapping ? membersOf(mapping) : []; // somebody else may have removed it: what was pasted stays
    const list = ways[way].list(old, entries.filter((entry) => !wrong.includes(entry)));
    const differs = mapping && lines && wrong.length === 0 && (list.length !== old.length || list.some((entry, i) => nameOf(entry) !== nameOf(old[i])));
    const changes = differs ? [setMembers(mapping, list)] : [];
    return html`<${Change} title="Paste a list" verb="Save" changes=${changes} words=${`${name} has ${members(list.length)}.`} isDone=${lines && wrong.length === 0 ? "The list stays as it is." : ""} onClose=${onClose} onDone=${onDone}>
        <${Which} mappings=${mappings} name=${name} onChange=${setName} />
        <${Field} name="list" label="Members" schema=${{ type: "array" }} value=${lines} onChange=${setLines} first
            error=${wrong.length > 0 ? `There is no address in “${wrong[0].slice(0, 60)}”.` : null} help="One a line: an address, or a name and an address. Commas separate, too." />
        <fieldset class="field"><legend>What to do</legend>
            ${Object.entries(ways).map(([key, { title }]) => html`<label key=${key} class="choice"><input type="radio" name="paste-way" checked=${way === key} onChange=${() => setWay(key)} /><span>${title}</span></label>`)}
        </fieldset>
        ${changes.length > 0 && html`<p>${mapping.name}: ${members(old.length)} now, ${members(list.length)} then.</p>`}
    <//>`;
}

// ---- Forgetting

export function Forget({ rows, onClose, onDone }) {
    const heard = rows.filter((row) => row.heard.length > 0 || row.last_seen !== null);
    const [done, setDone] = useState(0);
    const forget = async () => {
        for (const [i, row] of heard.entries()) {
            await request("DELETE", pathOf("members", row.name));
            setDone(i + 1);
        }
        tell({ text: `What was heard of ${members(heard.length)} is forgotten.` });
        onDone();
    };
    return html`<${Ask} title=${`Forget ${members(heard.length)}?`} verb="Forget for good" danger isReady=${heard.length > 0} onDo=${forget} onClose=${onClose}>
        <p>What was heard of them (where they are, how fast they answer) is deleted. Lists that name them stay. This cannot be undone; who answers again is known again.</p>
        ${done > 0 && html`<p class="num" role="status">${done} of ${heard.length}</p>`}
    <//>`;
}
