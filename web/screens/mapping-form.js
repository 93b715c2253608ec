// The four sections of a mapping: where it leads, who may, how long to wait, how it is protected. What is seldom needed
// stands behind "More", which is open where something of it is set.
import { html, useState } from "../vendor/preact.js";
import { pathOfMapping } from "../core/words.js";
import { Section } from "../parts/form.js";
import { Icon } from "../parts/icon.js";
import { Part, Groups, Members, Finish, Grants, Security } from "./mapping-fields.js";

const KEYS = {
    leads: ["host", "interface", "hops", "forward", "enabled", "members", "membership"],
    who: ["methods", "unsafe_methods", "budget", "default_content_type"],
    wait: ["leisure", "max_timeout", "finish", "silence", "repair", "cache", "max_answers", "block_size"],
    protected: ["anonymise", "stand_in", "record_payloads", "aggregate"],
};

// Every key that has a field, and so a place for its mistakes.
export const PLACED = ["name", "path", "group", "targets", "clients", "timeout", "security", ...Object.values(KEYS).flat()];

function More({ form, keys, what, children }) {
    const wrong = keys.some((key) => form.errorAt(key) !== null);
    const [isOpen, setOpen] = useState(keys.some((key) => form.values[key] !== undefined));
    const shown = isOpen || wrong;
    return html`<div class="more">
        <button type="button" class="plain" aria-expanded=${shown ? "true" : "false"} onClick=${() => setOpen(!shown)}><${Icon} name=${shown ? "up" : "down"} />${shown ? "Less" : `More: ${what}`}</button>
        ${shown && html`<div class="more-fields">${children}</div>`}
    </div>`;
}

const Leads = ({ form, schema, isNew }) => html`<${Section} title="Where it leads">
    ${isNew && form.field("name", { required: true, begins: true, help: "What it is called here, in lists and logs." })}
    ${form.field("path", { schema: { ...schema.properties.path, default: pathOfMapping({ name: form.values.name || "name" }) } })}
    <${Groups} form=${form} schema=${schema} />
    <${More} form=${form} keys=${KEYS.leads} what="host, interface, members">
        ${form.field("host")}
        ${form.field("interface")}
        ${form.field("hops")}
        <${Members} form=${form} schema=${schema} />
        ${form.field("membership")}
        ${form.field("forward", { label: "Forward proxy" })}
        ${form.field("enabled", { label: "In use" })}
    <//>
<//>`;

const Who = ({ form, schema, clients }) => html`<${Section} title="Who may">
    <${Grants} form=${form} clients=${clients} />
    <${More} form=${form} keys=${KEYS.who} what="methods, budget">
        ${form.field("methods")}
        ${form.field("unsafe_methods")}
        <${Part} form=${form} schema=${schema} of="budget" name="requests_per_minute" label="Requests per minute" />
        ${form.field("default_content_type")}
    <//>
<//>`;

const Wait = ({ form, schema }) => html`<${Section} title="How long to wait">
    ${form.field("timeout")}
    <${More} form=${form} keys=${KEYS.wait} what="leisure, repair, what ends it">
        ${form.field("leisure")}
        ${form.field("max_timeout")}
        <${Finish} form=${form} schema=${schema} />
        ${form.field("silence", { label: "When nobody answers" })}
        <${Part} form=${form} schema=${schema} of="repair" name="unicast" label="Ask silent members by unicast" />
        <${Part} form=${form} schema=${schema} of="repair" name="probe" label="Find out why members are silent" />
        <${Part} form=${form} schema=${schema} of="repair" name="large_requests" label="Large requests by unicast" />
        ${form.field("cache", { label: "Keep answers while they are fresh" })}
        ${form.field("max_answers", { label: "Most answers" })}
        ${form.field("block_size")}
    <//>
<//>`;

const Protected = ({ form, groups }) => html`<${Section} title="How it is protected">
    <${Security} form=${form} groups=${groups} />
    <${More} form=${form} keys=${KEYS.protected} what="what clients learn of members">
        ${form.field("anonymise")}
        ${form.field("stand_in", { label: "How members are reached" })}
        ${form.field("record_payloads", { label: "Payloads in transcripts" })}
        ${form.field("aggregate", { label: "All answers in one" })}
    <//>
<//>`;

export const Sections = (props) => html`<${Leads} ...${props} /><${Who} ...${props} /><${Wait} ...${props} /><${Protected} ...${props} />`;
