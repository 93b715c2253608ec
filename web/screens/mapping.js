// A mapping: its settings, and trying it, saved or not. Whoever may not change it, or nobody may because the settings file
// has it, reads the same form.
//
// The hard thing: somebody else may change it while one types. What is edited keeps the version it is of; a newer one that
// comes by the stream is taken where nothing was typed, else both stand side by side until one is chosen.
import { html, useState, useEffect } from "../vendor/preact.js";
import { useItem, useCollection } from "../core/data.js";
import { makeItem, patchItem, pathOf } from "../core/api.js";
import { changedKeys, documentOf, patchOf } from "../core/compare.js";
import { useSchema } from "../core/schema.js";
import { useMay } from "../core/role.js";
import { useKeys } from "../core/keys.js";
import { href, replace } from "../core/route.js";
import { useForm, Mistakes } from "../parts/form.js";
import { tellChange } from "../core/notices.js";
import { Conflict } from "../parts/notice.js";
import { Status, Mark } from "../parts/status.js";
import { Menu } from "../parts/menu.js";
import { stateOf } from "../parts/state.js";
import { Waiting } from "../parts/empty.js";
import { visible } from "../parts/payload.js";
import { Sections, PLACED } from "./mapping-form.js";
import { usePreview, isWhole, taken, useGateway, Changes, Commands } from "./mapping-side.js";
import { TIMEOUT_S, hrefOf, turn, remove } from "./mapping-words.js";
import { Try } from "./mapping-try.js";

// ---- What is there

const revisionOf = (tag) => Number(String(tag).replace(/\D/g, "")) || 0;

// Of what was read, what is newer than what is edited and says something else: {item, etag}, or null.
function useNewer(form, read, isSaving) {
    const isNewer = read !== null && !isSaving && read.item.source === "stored" && revisionOf(read.etag) > revisionOf(form.tag);
    const isTaken = isNewer && (!form.isChanged || changedKeys(read.item, form.values).length === 0);
    useEffect(() => {
        if (isTaken) form.reset(read.item, read.etag);
    }, [isTaken, read]);
    return isNewer && !isTaken ? read : null;
}

// ---- Saving

function useSaving(form, name, onSaved) {
    const [isBusy, setBusy] = useState(false);
    const make = () => makeItem(pathOf("mappings", form.values.name), form.values);
    const save = async (base = form.base, tag = form.tag, isGone = false) => {
        setBusy(true);
        try {
            const { data, etag } = name === null || isGone ? await make() : await patchItem(pathOf("mappings", name), tag, patchOf(base, form.values));
            form.saved(data, etag);
            tellChange(`${data.name} is saved.`, data.revision);
            onSaved({ item: data, etag });
        } catch (error) {
            if (error.status === 412) onStale(error);
            else form.fail(error);
        } finally {
            setBusy(false);
        }
    };
    const [stale, setStale] = useState(null); // {theirs}
    const onStale = (error) => (name === null ? form.fail(taken) : setStale({ theirs: error.theirs }));
    return { save, isBusy, stale, settle: () => setStale(null) };
}

// ---- Around the form

function Tabs({ name, tab, query }) {
    const at = (its) => (name === null ? ["mappings", "new", { ...query, tab: its }] : ["mappings", name, { tab: its, stored: query.stored }]);
    const link = (its, word) => html`<a href=${href(...at(its))} aria-current=${tab === its ? "page" : undefined} onClick=${(event) => (event.preventDefault(), replace(...at(its)))}>${word}</a>`;
    return html`<nav class="tabs" aria-label="Parts of this mapping">${link("", "Settings")}${link("try", "Try")}</nav>`;
}

function Standing({ item }) {
    if (item.source === "file") return html`<p class="notice-line"><${Mark} tone="off" /> This mapping is in the settings file: change it there, and reload (SIGHUP).</p>`;
    if (item.state === "in-use") return null;
    return html`<p class="notice-line"><${Mark} tone=${stateOf(item).tone} /> ${item.reason || "It is out of use, and its path is free."}</p>`;
}

const Warnings = ({ item }) => item.warnings && item.warnings.length > 0 && html`<ul class="bare notes">${item.warnings.map((one) => html`<li key=${one.detail}><${Mark} tone="warn" /> <span>${one.detail}</span></li>`)}</ul>`;

function Head({ item, name, mayChange }) {
    const { tone, word } = stateOf(item);
    const isStored = item.source === "stored";
    const away = () => {
        location.hash = href("mappings"); // first: what is gone cannot be read anew
        remove(item);
    };
    return html`<header class="head">
        <p class="crumb"><a href=${href("mappings")}>Mappings</a> / <span>${name === null ? "new" : visible(name)}</span></p>
        <h1>${name === null ? "New mapping" : visible(name)}</h1>
        ${name !== null && html`<${Status} tone=${tone}>${word}<//>`}
        <span class="space"></span>
        ${name !== null && html`<div class="actions"><a class="button" href=${href("exchanges", { mapping: name })}>Exchanges</a>
            ${mayChange && html`<${Menu} label=${name} items=${[
                { label: "Copy", href: href("mappings", "new", { copy: name }) },
                isStored && { label: item.enabled === false ? "Take into use" : "Take out of use", run: () => turn(item, item.enabled === false) },
                isStored && { label: "Remove", run: away },
            ]} />`}</div>`}
    </header>`;
}

// ---- The screen

function Editor({ name, read, isGone, item, etag, proposed, draft, schema, query, onSaved }) {
    const form = useForm({ id: draft, schema, initial: item, proposed, tag: etag });
    const isNew = name === null;
    const mayChange = useMay("admin");
    const mayTry = useMay("operator");
    const { save, isBusy, stale, settle } = useSaving(form, name, onSaved);
    const newer = useNewer(form, read, isBusy); // what is being saved comes by the stream, too
    const preview = usePreview(form, mayChange && !isBusy ? name : undefined); // what is being saved is not asked about any more
    const clients = useCollection("clients").data || [];
    const groups = useCollection("security-groups").data || [];
    const gateway = useGateway();
    const canEdit = mayChange && item.source !== "file";
    const tab = query.tab === "try" && mayTry ? "try" : "";
    const theirs = stale ? stale.theirs : newer;
    useKeys(mayTry ? [{ key: "t", does: "Try it", run: () => replace(...(isNew ? ["mappings", "new", { ...query, tab: "try" }] : ["mappings", name, { tab: "try", stored: query.stored }])) }] : []);
    const take = () => {
        form.reset(theirs.item, theirs.etag);
        settle();
    };
    const keep = () => {
        settle();
        return theirs ? save(theirs.item, theirs.etag) : save(undefined, undefined, true);
    };
    const submit = (event) => {
        event.preventDefault();
        save();
    };
    const shownName = isNew ? form.values.name || "" : name;
    return html`<div class="mapping">
        <${Head} item=${item} name=${name} mayChange=${mayChange} />
        ${!isNew && html`<${Standing} item=${item} />`}
        ${mayTry && html`<${Tabs} name=${name} tab=${tab} query=${query} />`}
        ${(stale || newer || (isGone && form.isChanged)) && html`<${Conflict} mine=${form.values} theirs=${theirs} onTake=${take} onKeep=${keep} />`}
        <form hidden=${tab !== ""} onSubmit=${submit}><div class="with-side">
            <fieldset class="whole" disabled=${!canEdit}>
                <${Mistakes} list=${form.unplaced(PLACED)} />
                <${Sections} form=${form} schema=${schema} isNew=${isNew} clients=${clients} groups=${groups} />
            </fieldset>
            <aside aria-label="What will change">
                ${canEdit && html`<h2>What will change</h2><${Changes} form=${form} isNew=${isNew} preview=${preview} />
                <div class="actions">
                    <button class="primary" disabled=${isBusy || !form.isChanged || !form.isFine || !isWhole(form.values, isNew)}>${isBusy ? "Saving …" : isNew ? "Make it" : "Save"}</button>
                    ${form.isChanged && html`<button type="button" onClick=${() => form.reset(item, etag)}>Discard</button>`}
                </div>`}
                ${!form.isChanged && html`<${Warnings} item=${item} />`}
                <${Commands} form=${form} isNew=${isNew} name=${shownName} gateway=${gateway} />
            </aside>
        </div></form>
        ${mayTry && html`<div hidden=${tab !== "try"}><${Try} form=${form} name=${name} item=${item} clients=${clients} client=${query.client} gateway=${gateway} isShown=${tab === "try"} /></div>`}
    </div>`;
}

// What is made of another one: its settings, but for what has to differ.
const copied = (item) => Object.fromEntries(Object.entries(documentOf(item)).filter(([key]) => !["name", "path", "forward"].includes(key)));

function New({ query, schema }) {
    const { data, error, loading, reload } = useItem(query.copy ? pathOf("mappings", query.copy) : null);
    if (query.copy && !data) return html`<${Waiting} title=${query.copy} loading=${loading} error=${error} onAgain=${reload} />`;
    const proposed = data ? copied(data.item) : { timeout: TIMEOUT_S, ...Object.fromEntries(["name", "path", "group"].filter((key) => query[key]).map((key) => [key, query[key]])) };
    const made = ({ item }) => (location.hash = hrefOf(item.name));
    return html`<${Editor} name=${null} read=${null} item=${{}} etag=${null} proposed=${proposed} draft=${`mappings/new ${query.copy || query.name || ""}`} schema=${schema} query=${query} onSaved=${made} />`;
}

function Existing({ name, query, schema }) {
    const { data, error, loading, reload, set } = useItem(pathOf("mappings", name));
    if (!data) return html`<${Waiting} title=${name} loading=${loading} error=${error} onAgain=${reload} />`;
    const isGone = error !== null && error.status === 404;
    return html`<div>
        ${isGone && html`<p class="notice-line" role="status"><${Mark} tone="warn" /> This mapping was removed. <a href=${href("mappings")}>To the mappings</a></p>`}
        <${Editor} name=${name} read=${data} isGone=${isGone} item=${data.item} etag=${data.etag} draft=${`mappings/${name}`} schema=${schema} query=${query} onSaved=${set} />
    </div>`;
}

export default function Mapping({ params, query }) {
    const schema = useSchema("MappingSet");
    if (!schema) return html`<${Waiting} title=${params.name} loading=${true} />`;
    if (params.name === "new" && !query.stored) return html`<${New} query=${query} schema=${schema} />`;
    return html`<${Existing} name=${params.name} query=${query} schema=${schema} />`;
}
