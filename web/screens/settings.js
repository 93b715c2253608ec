// The settings that can be set here, each explained by itself; those of the settings file stand beside them, read-only.
import { html, useState, useMemo, useEffect } from "../vendor/preact.js";
import { useItem, useData } from "../core/data.js";
import { request } from "../core/api.js";
import { useSchema } from "../core/schema.js";
import { useMay } from "../core/role.js";
import { leavesOf, flat, nested, valueAt } from "../core/settings.js";
import { patchOf, asText } from "../core/compare.js";
import { href } from "../core/route.js";
import { count, keyWords } from "../core/format.js";
import { useForm, Section, Mistakes } from "../parts/form.js";
import { Preview } from "../parts/preview.js";
import { Waiting } from "../parts/empty.js";
import { Mark } from "../parts/status.js";
import { tellChange } from "../core/notices.js";
import { Conflict } from "../parts/notice.js";

const names = { http: "HTTP", coap: "CoAP", options: "Option" };

const words = (name) => names[name] || keyWords(name);

// "coap/options/reply_from" -> "Option reply from", where the section says CoAP
function labelOf({ key, section }) {
    const [first, ...rest] = key.split("/").slice(section ? 1 : 0);
    return [words(first), ...rest.map((one) => one.replace(/_/g, " "))].join(" ");
}

const fits = ({ key, schema }, wanted) => `${key} ${labelOf({ key })} ${schema.description || ""}`.toLowerCase().includes(wanted);

// [{title, description, leaves}], what stands by itself first
function sectionsOf(leaves) {
    const sections = new Map([[null, { title: "In general", leaves: [] }]]);
    for (const leaf of leaves) {
        const key = leaf.section && leaf.section.key;
        if (!sections.has(key)) sections.set(key, { title: words(leaf.section.title), description: leaf.section.description, leaves: [] });
        sections.get(key).leaves.push(leaf);
    }
    return [...sections.values()].filter((section) => section.leaves.length > 0);
}

// ---- Fields

const OfFile = ({ leaf, value }) => html`<div class="field">
    <p><strong>${labelOf(leaf)}</strong> <code>${asText(value)}</code></p>
    <p class="hint">Set in the settings file, and changed there.</p>
</div>`;

function helpOf({ schema }) {
    return [schema.description, schema["x-restart"] && "Counts after a restart."].filter(Boolean).join(" ");
}

function Fields({ leaves, form, settings, mayChange }) {
    return leaves.map((leaf) => {
        const value = valueAt(settings.effective, leaf.key);
        if (settings.sources[`/${leaf.key}`] === "file") return html`<${OfFile} key=${leaf.key} leaf=${leaf} value=${value} />`;
        return form.field(leaf.key, { label: labelOf(leaf), help: helpOf(leaf), disabled: !mayChange });
    });
}

// ---- What would change

function Changes({ form, effective }) {
    return html`<dl class="keys">${form.changed.map((key) => html`<div key=${key}>
        <dt>${key.replaceAll("/", ".")}</dt>
        <dd><del>${asText(form.base[key] === undefined ? valueAt(effective, key) : form.base[key])}</del> <ins>${form.values[key] === undefined ? "the default" : asText(form.values[key])}</ins></dd>
    </div>`)}</dl>`;
}

const patchOfForm = (form) => nested(patchOf(form.base, form.values));

function DryRun({ form }) {
    const body = patchOfForm(form);
    const { data } = useData(
        async (signal) => (await request("PATCH", "settings", { body, patch: true, query: { dry_run: true }, signal })).data,
        ["settings", body],
    );
    return data && html`<${Preview} warnings=${data.warnings} gains=${data.gains} loses=${data.loses} />`;
}

function Side({ form, leaves, settings, isBusy }) {
    const restarts = leaves.filter(({ key, schema }) => schema["x-restart"] && form.changed.includes(key));
    if (!form.isChanged) return html`<aside><h2>What will change</h2><p class="faint">Nothing yet.</p></aside>`;
    return html`<aside>
        <h2>What will change</h2>
        <${Changes} form=${form} effective=${settings.effective} />
        ${restarts.length > 0 && html`<p><${Mark} tone="warn" /> ${count(restarts.length, "of them counts", "of them count")} after the gateway's next start.</p>`}
        ${form.isFine && html`<${DryRun} form=${form} />`}
        <div class="actions">
            <button type="submit" class="primary" disabled=${isBusy || !form.isFine}>Save</button>
            <button type="button" onClick=${() => form.reset(form.base, form.tag)}>Discard</button>
        </div>
    </aside>`;
}

// ---- The form

// Whoever saves says what they have seen: that version, or that nothing was set.
const versionOf = (etag) => (etag ? { "If-Match": etag } : { "If-None-Match": "*" });

const save = (form, etag) => request("PATCH", "settings", { body: patchOfForm(form), patch: true, headers: versionOf(etag) });

// settings, etag: as they are now, by whomever; what is typed rests on the version that was `seen`.
function Form({ settings, etag, leaves, onSaved, onStale }) {
    const schema = useMemo(() => ({ properties: Object.fromEntries(leaves.map((leaf) => [leaf.key, leaf.schema])) }), [leaves]);
    const form = useForm({ id: "settings", schema, initial: flat(settings.stored, leaves), tag: etag });
    const [seen, setSeen] = useState(form.tag); // a draft's own: somebody may have been here since
    const [isBusy, setBusy] = useState(false);
    const [wanted, setWanted] = useState("");
    const mayChange = useMay("admin");
    const take = (item, its) => {
        form.reset(flat(item.stored, leaves), its);
        setSeen(its);
    };
    useEffect(() => {
        if (!form.isChanged) take(settings, etag);
    }, [etag]);
    const run = async (against) => {
        setBusy(true);
        try {
            const { data, etag: made } = await save(form, against);
            take(data, made);
            onSaved(data, made);
            tellChange("The settings are saved.", data.revision);
        } catch (error) {
            if (error.status === 412) onStale();
            else form.fail(error);
        } finally {
            setBusy(false);
        }
    };
    const theirs = etag !== seen && form.isChanged && !isBusy && { item: { ...flat(settings.stored, leaves), changed_by: settings.changed_by } };
    const shown = sectionsOf(leaves.filter((leaf) => fits(leaf, wanted.trim().toLowerCase())));
    return html`<form onSubmit=${(event) => (event.preventDefault(), form.isChanged && form.isFine && run(seen))}>
        <div class="with-side">
            <div class="stack">
                <input type="search" data-search placeholder="Search" aria-label="Search settings" value=${wanted} onInput=${(event) => setWanted(event.target.value)} />
                <${Mistakes} list=${form.unplaced(leaves.map(({ key }) => key))} />
                ${theirs && html`<${Conflict} mine=${form.values} theirs=${theirs} onTake=${() => take(settings, etag)} onKeep=${() => run(etag)} />`}
                ${shown.map((section) => html`<${Section} key=${section.title} title=${section.title}>
                    ${section.description && html`<p class="hint">${section.description}</p>`}
                    <${Fields} leaves=${section.leaves} form=${form} settings=${settings} mayChange=${mayChange} />
                <//>`)}
                ${shown.length === 0 && html`<p class="faint">No setting has “${wanted.trim()}” in it.</p>`}
            </div>
            <${Side} form=${form} leaves=${leaves} settings=${settings} isBusy=${isBusy} />
        </div>
    </form>`;
}

export default function Settings() {
    const { data, error, loading, reload, set } = useItem("settings");
    const schema = useSchema("SettingsSet");
    const leaves = useMemo(() => schema && leavesOf(schema), [schema]);
    return html`<div class="stack">
        <header class="head">
            <p class="crumb"><a href=${href("system")}>System</a> / settings</p>
            <h1>Settings</h1>
        </header>
        ${data && leaves ? html`<${Form} settings=${data.item} etag=${data.etag} leaves=${leaves} onSaved=${(item, etag) => set({ item, etag })} onStale=${reload} />` : html`<${Waiting} loading=${loading || !leaves} error=${error} onAgain=${reload} />`}
    </div>`;
}
