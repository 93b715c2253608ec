// One client, or a new one: what it may send where, its tokens, and what it is.
import { html, useState } from "../vendor/preact.js";
import { pathOf, makeItem, patchItem } from "../core/api.js";
import { useItem, useCollection } from "../core/data.js";
import { NAME, useSchema } from "../core/schema.js";
import { patchOf } from "../core/compare.js";
import { etagOf } from "../core/changes.js";
import { useMay } from "../core/role.js";
import { useUsage, usageOf } from "../core/usage.js";
import { href, go, replace } from "../core/route.js";
import { ago, count, fullTime } from "../core/format.js";
import { useForm, Mistakes } from "../parts/form.js";
import { tellChange } from "../core/notices.js";
import { Conflict } from "../parts/notice.js";
import { Waiting } from "../parts/empty.js";
import { StateNote } from "../parts/state.js";
import { Access } from "./client-access.js";
import { Tokens } from "./client-tokens.js";
import { RemoveClient } from "./client-remove.js";

const crumb = (name) => html`<p class="crumb"><a href=${href("clients")}>Clients</a> / ${name}</p>`;

// ---- What it is

const KEYS = ["role", "certificate_sha256"];

const Fields = ({ form }) => html`
    ${form.field("role", { help: "What it may do in this page and its API. Without one it only sends requests." })}
    <details open=${form.values.certificate_sha256 !== undefined}><summary>More</summary>${form.field("certificate_sha256", { label: "Certificates (SHA-256)", schema: { type: "array", items: { type: "string", pattern: "^[0-9a-fA-F]{64}$" } }, help: "Of TLS client certificates in DER form, one a line. Not needed where it has a token." })}</details>`;

function Settings({ name, data, isAdmin }) {
    const form = useForm({ id: `clients/${name}`, schema: useSchema("ClientSet"), initial: data.item, tag: data.etag });
    const [conflict, setConflict] = useState(null);
    const save = async (etag, base = form.base) => {
        try {
            const { data: saved } = await patchItem(pathOf("clients", name), etag, patchOf(base, form.values));
            form.saved(saved, etagOf(saved));
            setConflict(null);
            tellChange(`${name} is saved.`, saved.revision);
        } catch (error) {
            if (error.status === 412 && error.theirs) setConflict(error.theirs);
            else form.fail(error);
        }
    };
    const take = () => {
        form.reset(conflict.item, conflict.etag);
        setConflict(null);
    };
    return html`<section>
        <h2>What it is</h2>
        ${conflict && html`<${Conflict} mine=${form.values} theirs=${conflict} onTake=${take} onKeep=${() => save(conflict.etag, conflict.item)} />`}
        <form class="section" onSubmit=${(event) => (event.preventDefault(), save(form.tag))}>
            <${Mistakes} list=${form.unplaced(KEYS)} />
            <${Fields} form=${form} />
            ${isAdmin && html`<div class="actions">
                <button class="primary" disabled=${!form.isChanged || !form.isFine}>Save</button>
                ${form.isChanged && html`<button type="button" onClick=${() => form.reset(data.item, data.etag)}>Discard</button>`}
            </div>`}
        </form>
    </section>`;
}

const FileSettings = ({ item }) => html`<section>
    <h2>What it is</h2>
    <${StateNote} item=${item} />
    <dl class="figures narrow">
        <div><dt>Role here</dt><dd>${item.role || "none"}</dd></div>
        <div><dt>Tokens in the file</dt><dd class="num">${[item.token_sha256 || []].flat().length}</dd></div>
        <div><dt>Certificates</dt><dd class="num">${[item.certificate_sha256 || []].flat().length}</dd></div>
    </dl>
</section>`;

// ---- The screen

function Use({ usage, name }) {
    const use = usageOf(usage.clients, name);
    if (!use) return html`<span class="faint">not used since the gateway's start</span>`;
    return html`<span class="faint" title=${fullTime(use.last_use)}>${count(use.requests, "request")}, the last ${ago(use.last_use)}</span>`;
}

function One({ name, query }) {
    const { data, error, loading, reload } = useItem(pathOf("clients", name));
    const mappings = useCollection("mappings").data || [];
    const usage = useUsage();
    const isAdmin = useMay("admin");
    const [isLeaving, setLeaving] = useState(false);
    if (!data) return html`<${Waiting} title=${name} loading=${loading} error=${error} onAgain=${reload} />`;
    const { item } = data;
    const isStored = item.source === "stored";
    return html`<div class="stack">
        <header class="head">
            ${crumb(name)}
            <h1>${name}</h1>
            <${Use} usage=${usage} name=${name} />
            <span class="space"></span>
            ${isAdmin && isStored && html`<button type="button" class="danger" onClick=${() => setLeaving(true)}>Remove</button>`}
        </header>
        ${item.state !== "in-use" && html`<${StateNote} item=${item} />`}
        <${Access} client=${name} mappings=${mappings} isAdmin=${isAdmin} />
        <${Tokens} client=${name} isAdmin=${isAdmin} isNew=${query.token === "new"} onNew=${(isNew) => replace("clients", name, isNew ? { token: "new" } : {})} />
        ${isStored ? html`<${Settings} name=${name} data=${data} isAdmin=${isAdmin} />` : html`<${FileSettings} item=${item} />`}
        ${isLeaving && html`<${RemoveClient} name=${name} etag=${data.etag} onClose=${() => setLeaving(false)} />`}
    </div>`;
}

// ---- A new one

function New() {
    const form = useForm({ id: "clients/", schema: useSchema("ClientSet"), initial: {} });
    const name = form.values.name;
    const make = async (event) => {
        event.preventDefault();
        const { name: _, ...body } = form.values;
        try {
            const { data } = await makeItem(pathOf("clients", name), body);
            form.reset({});
            tellChange(`${name} is made.`, data.revision);
            go("clients", name, { token: "new" });
        } catch (error) {
            if (error.status === 412) form.fail({ errors: [{ pointer: "#/name", detail: "there is a client of that name already" }] });
            else form.fail(error);
        }
    };
    return html`<div>
        <header class="head">${crumb("new")}<h1>New client</h1></header>
        <form class="section" onSubmit=${make}>
            <${Mistakes} list=${form.unplaced(["name", ...KEYS])} />
            ${form.field("name", { required: true, begins: true, schema: NAME, help: "What it is called here, such as dashboard. Small letters, digits and . _ -" })}
            <${Fields} form=${form} />
            <div class="actions"><button class="primary" disabled=${!name || !form.isFine}>Make it, then a token</button><a class="button" href=${href("clients")}>Cancel</a></div>
        </form>
    </div>`;
}

export default ({ params, query }) => (params.name === undefined ? html`<${New} />` : html`<${One} name=${params.name} query=${query} />`);
