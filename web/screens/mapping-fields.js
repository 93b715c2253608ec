// The fields of a mapping that no schema alone can draw: several groups, members, what ends collecting, who may.
import { html, useState, useRef, useMemo, useEffect } from "../vendor/preact.js";
import { METHODS, SAFE, nameOf, passing } from "../core/access.js";
import { withKey } from "../core/compare.js";
import { useCollection } from "../core/data.js";
import { sentence } from "../core/format.js";
import { href } from "../core/route.js";
import { Field } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Mark } from "../parts/status.js";
import { visible } from "../parts/payload.js";
import { isNamed } from "./mapping-words.js";

let ids = 0;

// A label, a control made by children(attributes), the mistake and the help, tied together for screen readers.
export function Labelled({ label, help, error, children, isGroup }) {
    const id = useRef(`mapping-field-${++ids}`).current;
    const attributes = { id, "aria-describedby": `${id}-help${error ? ` ${id}-error` : ""}`, "aria-invalid": error ? "true" : undefined };
    const title = isGroup ? html`<span class="label" id=${`${id}-label`}>${label}</span>` : html`<label for=${id}>${label}</label>`;
    return html`<div class=${`field${error ? " wrong" : ""}`} role=${isGroup ? "group" : undefined} aria-labelledby=${isGroup ? `${id}-label` : undefined}>
        ${title}${children(attributes)}
        ${error && html`<p class="error" id=${`${id}-error`}>${sentence(error)}</p>`}
        <p class="hint" id=${`${id}-help`}>${help}</p>
    </div>`;
}

const propertiesOf = (schema, key) => (schema.properties[key] || {}).properties || {};

const withPart = (object, part, value) => {
    const next = withKey(object, part, value);
    return Object.keys(next).length ? next : undefined;
};

// One member of an object: "repair", "probe"
export const Part = ({ form, schema, of, name, label }) => html`<${Field} name=${name} label=${label} schema=${propertiesOf(schema, of)[name]} value=${(form.values[of] || {})[name]}
    error=${form.errorAt(`${of}/${name}`)} onChange=${(value) => form.set(of, withPart(form.values[of], name, value))} />`;

// ---- Where it leads: one group, or several

const asTargets = (values) => values.targets || [{ group: values.group || "" }];

const OFFERED = 3;

// What other mappings lead to, one click away as long as nothing stands there.
function Known({ onChoose }) {
    const { data: mappings } = useCollection("mappings");
    const groups = useMemo(() => [...new Set((mappings || []).map(({ group }) => group).filter(Boolean))].slice(0, OFFERED), [mappings]);
    return groups.length > 0 && html`<p class="hint">Of other mappings: ${groups.map((one) => html`<button key=${one} type="button" class="plain" onClick=${(event) => onChoose(one, event)}>${visible(one)}</button>`)}</p>`;
}

// A target that is asked at another gateway may do without a group: that gateway's path stands for it.
const groupIn = (one, value) => ({ ...one, group: value || (one.next_hop ? undefined : "") });

const secondsIn = (text) => (/^\d+$/.test(text) ? Number(text) : text || undefined);

function Target({ one, i, onChange, onRemove }) {
    const input = (label, placeholder, value, changed, more) => html`<input type="text" aria-label=${label} placeholder=${placeholder} spellcheck=${false} value=${value || ""} onInput=${(event) => onChange(changed(event.target.value))} ...${more} />`;
    return html`<li>
        ${input(`Group ${i + 1}`, "coap://224.0.1.187/", one.group, (value) => groupIn(one, value))}
        ${input(`Next hop of group ${i + 1}`, "next hop", one.next_hop, (value) => ({ ...one, next_hop: value || undefined }), { "data-is": "next-hop" })}
        ${(one.next_hop || one.round_trip) && input(`Round trip of group ${i + 1}`, "round trip, s", one.round_trip, (value) => ({ ...one, round_trip: secondsIn(value) }), { class: "short", inputmode: "numeric" })}
        ${(/^coaps/i.test(one.next_hop) || one.credentials) && input(`Credentials of group ${i + 1}`, "credentials", one.credentials, (value) => ({ ...one, credentials: value || undefined }), { class: "short" })}
        ${input(`Interface of group ${i + 1}`, "interface", one.interface, (value) => ({ ...one, interface: value || undefined }), { class: "short" })}
        <button type="button" class="plain square" aria-label=${`Take group ${i + 1} out`} onClick=${onRemove}><${Icon} name="close" /></button>
    </li>`;
}

export function Groups({ form, schema }) {
    const targets = form.values.targets;
    const place = useRef(null);
    const begun = useRef(null);
    useEffect(() => {
        if (begun.current) place.current.querySelector(`li:last-child ${begun.current}`).focus();
        begun.current = null;
    }, [targets]);
    const begin = (focused, more) => () => {
        begun.current = focused;
        form.set("targets", [...asTargets(form.values), ...more]);
        form.set("group", undefined);
    };
    const oneMore = begin("input", [{ group: "" }]);
    const choose = (group, event) => {
        event.currentTarget.closest(".field-and").querySelector("input").focus(); // the button goes
        form.set("group", group);
    };
    if (!targets) {
        return html`<div class="field-and">${form.field("group", { label: "Group", required: true })}
            ${!form.values.group && html`<${Known} onChoose=${choose} />`}
            <button type="button" class="plain" onClick=${oneMore}><${Icon} name="plus" />One more group</button>
            <button type="button" class="plain" onClick=${begin("[data-is=next-hop]", [])}><${Icon} name="plus" />By another gateway</button></div>`;
    }
    const remove = (i) => {
        const next = targets.filter((_, its) => its !== i);
        const isOne = next.length === 1 && !next[0].interface && !next[0].next_hop;
        form.set("targets", isOne ? undefined : next);
        if (isOne) form.set("group", next[0].group);
    };
    const change = (i, changed) => form.set("targets", targets.map((one, its) => (its === i ? changed : one)));
    const wrong = form.errorAt("targets") || (targets.every(isNamed) ? form.wrong("targets") : null);
    return html`<${Labelled} isGroup label="Groups" help=${schema.properties.targets.description} error=${wrong}>
        ${() => html`<ul class="rows" ref=${place}>
            ${targets.map((one, i) => html`<${Target} key=${i} one=${one} i=${i} onChange=${(changed) => change(i, changed)} onRemove=${() => remove(i)} />`)}
        </ul><button type="button" class="plain" onClick=${oneMore}><${Icon} name="plus" />One more group</button>`}
    <//>`;
}

// ---- Members known beforehand, one a line: "lamp-1 10.0.0.7 unicast"

function memberLine(member) {
    if (typeof member === "string") return member;
    return [member.name, member.address, member.multicast === false && "unicast"].filter(Boolean).join(" ");
}

function memberOf(line) {
    const words = line.split(/\s+/);
    const isUnicast = words.length > 1 && words[words.length - 1] === "unicast";
    if (isUnicast) words.pop();
    if (words.length === 1 && !isUnicast) return words[0];
    const address = words.pop();
    return { ...(words.length ? { name: words.join(" ") } : {}), address, ...(isUnicast ? { multicast: false } : {}) };
}

const linesOf = (members) => (members || []).map(memberLine).join("\n");

const membersOf = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean).map(memberOf);

export function Members({ form, schema }) {
    const [draft, setDraft] = useState({ text: linesOf(form.values.members), of: form.values.members });
    const text = draft.of === form.values.members ? draft.text : linesOf(form.values.members);
    const type = (event) => {
        const members = membersOf(event.target.value);
        const value = members.length ? members : undefined;
        setDraft({ text: event.target.value, of: value });
        form.set("members", value);
    };
    return html`<${Labelled} label="Members" error=${form.errorAt("members")} help=${`${schema.properties.members.description} One a line: an address, or a name and an address; "unicast" behind it where group requests do not get there.`}>
        ${(attributes) => html`<textarea ...${attributes} rows=${Math.min(10, Math.max(3, text.split("\n").length))} spellcheck=${false} value=${text} onInput=${type} />`}
    <//>`;
}

// ---- What ends collecting before the time is up

const endings = [
    { key: "", word: "as by default" },
    { key: "all", word: "all members have answered" },
    { key: "deadline", word: "the time alone" },
    { key: "quorum", word: "a share of the members has answered", value: "0.9", label: "Share, 0 to 1" },
    { key: "count", word: "so many have answered", value: "1", label: "How many" },
];

export function Finish({ form, schema }) {
    const [key, value] = (form.values.finish || "").split(":");
    const ending = endings.find((one) => one.key === key) || endings[0];
    const choose = (event) => {
        const next = endings.find((one) => one.key === event.target.value);
        form.set("finish", next.key === "" ? undefined : next.value ? `${next.key}:${next.value}` : next.key);
    };
    return html`<${Labelled} label="Finished when" help=${schema.properties.finish.description} error=${form.errorAt("finish")}>
        ${(attributes) => html`<div class="side-by-side">
            <select ...${attributes} onChange=${choose}>${endings.map((one) => html`<option key=${one.key} value=${one.key} selected=${one === ending}>${one.word}</option>`)}</select>
            ${ending.value && html`<input type="text" class="short" inputmode="decimal" aria-label=${ending.label} value=${value} onInput=${(event) => form.set("finish", `${key}:${event.target.value.trim().replace(",", ".")}`)} />`}
        </div>`}
    <//>`;
}

// ---- Who may

const offeredTo = (grant, values) => {
    const most = nameOf(grant) === "anonymous" ? passing(values).filter((one) => SAFE.includes(one)) : passing(values);
    return METHODS.filter((one) => most.includes(one) || (grant.methods || []).includes(one));
};

// All that is offered is written as the name alone, so that it follows the mapping.
function turned(grant, method, offered) {
    const had = grant.methods || offered;
    const methods = METHODS.filter((one) => (one === method ? !had.includes(one) : had.includes(one)));
    if (methods.length === 0) return grant;
    return offered.every((one) => methods.includes(one)) ? nameOf(grant) : { name: nameOf(grant), methods };
}

function Methods({ grant, values, onChange }) {
    const offered = offeredTo(grant, values);
    const chosen = grant.methods || offered;
    return html`<div class="toggles" role="group" aria-label=${`Methods of ${nameOf(grant)}`}>
        ${offered.map((one) => html`<button key=${one} type="button" class="toggle" aria-pressed=${chosen.includes(one) ? "true" : "false"} onClick=${() => onChange(turned(grant, one, offered))}>${one}</button>`)}
    </div>`;
}

function Grant({ grant, values, isKnown, error, onChange, onRemove }) {
    const name = nameOf(grant);
    return html`<li>
        <div class="grant">
            <strong>${name === "anonymous" ? "anybody" : visible(name)}</strong>
            ${name === "anonymous" && html`<small>without a token (anonymous)</small>`}
            ${!isKnown && html`<small><${Mark} tone="warn" /> no client has this name</small>`}
            <button type="button" class="plain square" aria-label=${`Take ${name} out`} onClick=${onRemove}><${Icon} name="close" /></button>
        </div>
        ${values.security !== "relay" && html`<${Methods} grant=${grant} values=${values} onChange=${onChange} />`}
        ${error && html`<p class="error">${sentence(error)}</p>`}
    </li>`;
}

const ANONYMOUS = "Anybody may GET and FETCH only, and only where the listener is on loopback or says “insecure”: a command must be somebody's.";

export function Grants({ form, clients }) {
    const grants = form.values.clients || [];
    const names = clients.map(({ name }) => name);
    const left = ["anonymous", ...names].filter((one) => !grants.some((grant) => nameOf(grant) === one));
    const put = (next) => form.set("clients", next.length ? next : undefined);
    const add = (event) => {
        if (event.target.value) put([...grants, event.target.value]);
        event.target.value = "";
    };
    const help = form.values.security === "relay" ? "What a client sends through a relaying mapping is protected by itself: methods bind nothing there."
        : grants.some((one) => nameOf(one) === "anonymous") ? ANONYMOUS : html`Each client with the methods that it may send. Nobody else may use this mapping. One that is not there yet: <a href=${href("clients", "new")}>New client</a> (what is typed here is kept).`;
    return html`<${Labelled} isGroup label="Clients" help=${help} error=${grants.some((_, i) => form.errorAt(`clients/${i}`)) ? null : form.errorAt("clients")}>
        ${() => html`<ul class="grants">
            ${grants.map((grant, i) => html`<${Grant} key=${nameOf(grant)} grant=${grant} values=${form.values} error=${form.errorAt(`clients/${i}`)} isKnown=${nameOf(grant) === "anonymous" || names.includes(nameOf(grant))}
                onChange=${(next) => put(grants.map((one, its) => (its === i ? next : one)))} onRemove=${() => put(grants.filter((_, its) => its !== i))} />`)}
        </ul>
        <select class="add" aria-label="Let a client use it" onChange=${add}>
            <option value="">${grants.length ? "Add a client …" : "Nobody may use it yet: choose a client …"}</option>
            ${left.map((one) => html`<option key=${one} value=${one}>${one === "anonymous" ? "anybody, without a token (anonymous)" : one}</option>`)}
        </select>`}
    <//>`;
}

// ---- How it is protected: "none" must be chosen

const explained = {
    none: "Anybody on the group's network can read requests and answers, and forge them: protection below is needed, such as on the link layer. Only GET and FETCH pass, unless “Who may” allows more.",
    relay: "Clients protect their requests themselves, end to end (OSCORE through the gateway): the gateway passes on what it cannot read.",
};

export function Security({ form, groups }) {
    const { security } = form.values;
    const known = groups.map(({ name }) => name);
    const offered = security !== undefined && !["none", "relay", ...known].includes(security) ? [security, ...known] : known;
    const help = security === undefined ? "A security group's keys (Group OSCORE), or deliberately something else." : (Object.hasOwn(explained, security) && explained[security]) || `Protected with the keys of security group ${security} (Group OSCORE): members know who asks, and the gateway knows who answers.`;
    return html`<${Labelled} label="Protection" error=${form.errorAt("security")} help=${html`${security === "none" && html`<${Mark} tone="warn" /> `}${help}`}>
        ${(attributes) => html`<select ...${attributes} onChange=${(event) => form.set("security", event.target.value || undefined)}>
            <option value="" selected=${security === undefined}>choose …</option>
            ${offered.map((one) => html`<option key=${one} value=${one} selected=${one === security}>${one}${known.includes(one) ? "" : " (no security group has this name)"}</option>`)}
            <option value="relay" selected=${security === "relay"}>end to end, by the clients (relay)</option>
            <option value="none" selected=${security === "none"}>none: not protected</option>
        </select>`}
    <//>`;
}
