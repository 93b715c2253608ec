// One reaction, or a new one: the alert that it follows, the commands that it gives, and what one alert would send.
import { html, useState } from "../vendor/preact.js";
import { pathOf, previewOf, makeItem, replaceItem } from "../core/api.js";
import { makeChanges, useDryRun, etagOf } from "../core/changes.js";
import { documentOf, withKey } from "../core/compare.js";
import { useItem, useCollection } from "../core/data.js";
import { NAME, useSchema, check } from "../core/schema.js";
import { useMay } from "../core/role.js";
import { tellChange, tellError } from "../core/notices.js";
import { href, go } from "../core/route.js";
import { useForm, Mistakes, Section } from "../parts/form.js";
import { Field } from "../parts/field.js";
import { Preview } from "../parts/preview.js";
import { State, StateNote } from "../parts/state.js";
import { Conflict } from "../parts/notice.js";
import { Icon } from "../parts/icon.js";
import { Waiting } from "../parts/empty.js";
import { whenWords, commandWords } from "./reactions.js";

const EMPTY = { when: {}, do: [{}] };

// ---- Parts of the form: {of} is an object in it, at a pointer below the item

function part(form, schema, of, pointer, set) {
    const properties = (schema && schema.properties) || {};
    const errorOf = (key) => (form.errors.find(({ pointer: its }) => `${its}/`.startsWith(`#${pointer}/${key}/`)) || {}).detail;
    return (key, more = {}) => html`<${Field} key=${key} name=${key} schema=${properties[key]} value=${of[key]} error=${errorOf(key)} onChange=${(value) => set(withKey(of, key, value))} ...${more} />`;
}

const chosenOf = (schema, names) => (names.length > 0 ? { ...schema, pattern: undefined, enum: names } : schema); // typed until they are known

function When({ form, schema, groups }) {
    const when = form.values.when || {};
    const properties = (schema && schema.properties) || {};
    const field = part(form, schema, when, "/when", (next) => form.set("when", next));
    const names = groups.map(({ name }) => name);
    return html`<${Section} title="When this alert comes">
        ${field("group", { label: "Security group", required: true, schema: chosenOf(properties.group, names) })}
        ${field("path", { label: "Path", required: true })}
        ${field("method", { schema: chosenOf({ default: "POST" }, ["POST", "PUT", "PATCH", "iPATCH"]), help: "What alerts are sent with." })}
        ${field("from", { label: "From", help: "Members, as the group's file names them, one a line. Without any: whoever of the group." })}
    <//>`;
}

function Command({ form, schema, index, mappings, isOnly }) {
    const list = form.values.do || [];
    const properties = (schema && schema.properties) || {};
    const set = (next) => form.set("do", list.map((one, i) => (i === index ? next : one)));
    const field = part(form, schema, list[index], `/do/${index}`, set);
    const names = mappings.map(({ name }) => name);
    const remove = () => form.set("do", list.filter((_, i) => i !== index));
    return html`<fieldset class="command"><legend>Command ${index + 1}</legend>
        ${field("mapping", { label: "To the mapping", required: true, schema: chosenOf(properties.mapping, names), help: "Its methods, budget and times bind; its clients do not matter." })}
        ${field("method", { required: true })}
        ${field("path", { label: "Path behind the group's", help: "Such as /light, with a query if need be." })}
        ${field("body")}
        ${field("content_type", { label: "Content type", help: "Such as text/plain. Without one nothing is said of it." })}
        ${!isOnly && html`<div class="actions"><button type="button" onClick=${remove}>Take this command out</button></div>`}
    </fieldset>`;
}

function Commands({ form, schema, mappings }) {
    const list = form.values.do || [];
    const item = schema && schema.items;
    return html`<${Section} title="Send these, in this order, all at once">
        ${list.map((_, i) => html`<${Command} key=${i} form=${form} schema=${item} index=${i} mappings=${mappings} isOnly=${list.length === 1} />`)}
        <div class="actions"><button type="button" onClick=${() => form.set("do", [...list, {}])}><${Icon} name="plus" />Another command</button></div>
    <//>`;
}

// ---- What one alert would send: each command as it would be tried, and nothing goes out

const isWhole = ({ mapping, method }) => !!mapping && !!method;

const orderOf = ({ mapping, method, path, body, content_type }) => ({ mapping, method, ...(path && { path }), ...(body && { body }), ...(content_type && { content_type }) });

function Sample({ command }) {
    const { preview, error } = useDryRun(() => (isWhole(command) ? previewOf(orderOf(command)) : null), [command]);
    if (!isWhole(command)) return null;
    return html`<section><h3><code>${commandWords(command)}</code></h3>
        ${error && html`<p class="error">${error.message}</p>`}
        ${preview && html`<${Preview} ...${preview} />`}
    </section>`;
}

function Would({ values }) {
    return html`<h2>What one alert would send</h2>
        <p class="hint">${values.when && values.when.group ? `A sample of ${whenWords(values.when)}: nothing goes out now.` : "As soon as the alert and a command are there."}</p>
        ${(values.do || []).map((command, i) => html`<${Sample} key=${i} command=${command} />`)}
        <p class="hint">That a command was sent is not that it was carried out: members' answers are among the exchanges.</p>`;
}

// ---- The screen

const KEYS = ["name", "when", "do", "requests_per_minute"];

const isReady = ({ when = {}, do: list = [] }, schema) => !!when.group && check(schema.properties.when.properties.path, when.path) === null && !!when.path && list.length > 0 && list.every(isWhole);

async function remove(item) {
    try {
        go("reactions"); // first: what is gone cannot be read anew
        await makeChanges([{ method: "DELETE", path: pathOf("reactions", item.name), if_match: etagOf(item) }], `${item.name} is removed.`);
    } catch (error) {
        tellError(error, "Not removed");
    }
}

function Editor({ name, item, etag, schema }) {
    const isNew = name === null;
    const form = useForm({ id: isNew ? "reactions/new" : `reactions/${name}`, schema, initial: isNew ? {} : item, proposed: isNew ? EMPTY : undefined, tag: etag });
    const [stale, setStale] = useState(null); // {theirs}
    const groups = useCollection("security-groups").data || [];
    const mappings = useCollection("mappings").data || [];
    const isAdmin = useMay("admin");
    const canEdit = isAdmin && item.source !== "file";
    const called = isNew ? form.values.name : name;
    const write = (tag) => {
        const { name: _, ...body } = documentOf(form.values);
        return tag ? replaceItem(pathOf("reactions", called), tag, body) : makeItem(pathOf("reactions", called), body);
    };
    const save = async (tag) => {
        try {
            const { data } = await write(tag);
            if (isNew) form.reset({});
            else form.saved(data, etagOf(data));
            setStale(null);
            tellChange(`${called} is ${isNew ? "made" : "saved"}.`, data.revision);
            if (isNew) go("reactions", called);
        } catch (error) {
            if (error.status === 412 && isNew) form.fail({ errors: [{ pointer: "#/name", detail: "there is a reaction of that name already" }] });
            else if (error.status === 412) setStale({ theirs: error.theirs });
            else form.fail(error);
        }
    };
    const take = () => {
        form.reset(stale.theirs.item, stale.theirs.etag);
        setStale(null);
    };
    const submit = (event) => {
        event.preventDefault();
        save(isNew ? null : form.tag);
    };
    return html`<div>
        <header class="head">
            <p class="crumb"><a href=${href("reactions")}>Reactions</a> / ${isNew ? "new" : name}</p>
            <h1>${isNew ? "New reaction" : name}</h1>
            ${!isNew && html`<${State} item=${item} />`}
            <span class="space"></span>
            ${canEdit && !isNew && html`<button type="button" class="danger" onClick=${() => remove(item)}>Remove</button>`}
        </header>
        ${!isNew && html`<${StateNote} item=${item} />`}
        ${stale && html`<${Conflict} mine=${form.values} theirs=${stale.theirs} onTake=${take} onKeep=${() => save(stale.theirs && stale.theirs.etag)} />`}
        <form class="with-side" onSubmit=${submit}>
            <fieldset class="whole" disabled=${!canEdit}>
                <${Mistakes} list=${form.unplaced(KEYS)} />
                ${isNew && html`<div class="section">${form.field("name", { schema: NAME, required: true, help: "It acts as the client reaction/NAME." })}</div>`}
                <${When} form=${form} schema=${schema.properties.when} groups=${groups} />
                <${Commands} form=${form} schema=${schema.properties.do} mappings=${mappings} />
                <${Section} title="How often">${form.field("requests_per_minute", { label: "Commands a minute" })}<//>
            </fieldset>
            <aside aria-label="What one alert would send">
                <${Would} values=${form.values} />
                ${canEdit && html`<div class="actions">
                    <button class="primary" disabled=${!called || !form.isChanged || !isReady(form.values, schema)}>${isNew ? "Make it" : "Save"}</button>
                    ${form.isChanged && !isNew && html`<button type="button" onClick=${() => form.reset(item, etag)}>Discard</button>`}
                </div>`}
            </aside>
        </form>
    </div>`;
}

function Existing({ name, schema }) {
    const { data, error, loading, reload } = useItem(pathOf("reactions", name));
    if (!data) return html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />`;
    return html`<${Editor} name=${name} item=${data.item} etag=${data.etag} schema=${schema} />`;
}

export default function Reaction({ params }) {
    const schema = useSchema("ReactionSet");
    if (!schema) return html`<${Waiting} loading=${true} />`;
    return params.name === undefined ? html`<${Editor} name=${null} item=${{}} etag=${null} schema=${schema} />` : html`<${Existing} name=${params.name} schema=${schema} />`;
}
