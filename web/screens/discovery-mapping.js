// A mapping made of what was found: where it leads is known, who is expected is ticked; how it is protected is chosen.
import { html, useState } from "../vendor/preact.js";
import { pathOf } from "../core/api.js";
import { makeChanges, dryRun, useDryRun } from "../core/changes.js";
import { useCollection } from "../core/data.js";
import { go } from "../core/route.js";
import { NAME } from "../core/schema.js";
import { count } from "../core/format.js";
import { entryOf } from "../core/member-lists.js";
import { groupsOfNodes, rowsOf } from "../core/found.js";
import { Ask } from "../parts/ask.js";
import { Field } from "../parts/field.js";
import { textsOf } from "../parts/form.js";
import { Preview } from "../parts/preview.js";
import { TIMEOUT_S } from "./mapping-words.js";

// What all of them that told of resources have.
function pathsOf(nodes) {
    const told = nodes.filter(({ links }) => links.length > 0);
    const counts = new Map();
    for (const { links } of told) for (const target of new Set(links.map((link) => String(link.target)))) counts.set(target, (counts.get(target) || 0) + 1);
    return [...counts].filter(([target, n]) => target.startsWith("/") && n === told.length).map(([target]) => target);
}

// The protection under which they have answered, where it is one.
function knownSecurity(nodes, mappings) {
    const names = new Set(nodes.map((node) => (mappings.find(({ name }) => name === node.mapping) || {}).security));
    return names.size === 1 && nodes.every(({ verified }) => verified === "source") ? [...names][0] : undefined;
}

const NONE = "No protection: anybody on that network can read and forge; only GET and FETCH pass.";

function Choose({ id, label, value, options, onChange, help }) {
    return html`<div class="field"><label for=${id}>${label}</label>
        <select id=${id} onChange=${(event) => onChange(event.target.value)}>${options.map(([its, words]) => html`<option key=${its} value=${its} selected=${its === value}>${words}</option>`)}</select>
        ${help && html`<p class="hint">${help}</p>`}</div>`;
}

export function MakeMapping({ nodes, mappings, onClose }) {
    const groups = groupsOfNodes(nodes);
    const security = (useCollection("security-groups").data || []).map(({ name }) => name);
    const [values, setValues] = useState({ name: undefined, group: groups[0], resource: "", security: knownSecurity(nodes, mappings) || "" });
    const set = (key) => (value) => setValues((was) => ({ ...was, [key]: value }));
    const members = rowsOf(nodes).map(entryOf).filter(Boolean);
    const isPlain = values.security === "none";
    const item = { group: `${String(values.group).replace(/\/$/, "")}${values.resource || "/"}`, security: values.security, timeout: TIMEOUT_S, ...(isPlain && { members }) };
    const isReady = !!values.name && values.security !== "";
    const change = [{ method: "PUT", path: pathOf("mappings", values.name || ""), if_none_match: "*", body: item }];
    const { preview, error, isSettled } = useDryRun(() => (isReady ? dryRun(change) : null), [values]);
    const nameError = error && (error.status === 412 ? "There is a mapping of that name already." : textsOf(error)[0]);
    const make = async () => {
        await makeChanges(change, `${values.name} is made.`);
        go("mappings", values.name);
    };
    return html`<${Ask} title=${`A mapping for ${count(nodes.length, "member")}`} verb="Make it" isReady=${isReady && isSettled && !error} onDo=${make} onClose=${onClose}>
        <${Field} name="name" label="Name" schema=${NAME} value=${values.name} onChange=${set("name")} required first error=${nameError} help=${`Clients find it at ${values.name ? `/${values.name}` : "a path of that name"}. Who may send what is said at the mapping.`} />
        ${groups.length > 1 && html`<${Choose} id="found-group" label="Group" value=${values.group} options=${groups.map((one) => [one, one])} onChange=${set("group")} help="They answered in several." />`}
        <${Choose} id="found-resource" label="Resource" value=${values.resource} options=${[["", "whatever clients name behind the path"], ...pathsOf(nodes).map((one) => [one, one])]} onChange=${set("resource")} />
        <${Choose} id="found-security" label="Protection" value=${values.security} options=${[["", "choose one"], ...security.map((one) => [one, one]), ["none", "none"]]} onChange=${set("security")} help=${isPlain ? NONE : null} />
        <p class="hint">It leads to <code>${item.group}</code>. ${isPlain ? `${count(members.length, "member")} will be expected to answer.` : values.security && "Who is expected to answer, the security group says."}</p>
        ${preview && html`<${Preview} ...${preview} />`}
    <//>`;
}
