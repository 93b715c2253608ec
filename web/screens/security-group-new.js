// A new security group: its keys are made here, taken in from a file, or yet to come from a Group Manager.
import { html, useState } from "../vendor/preact.js";
import { create } from "../core/api.js";
import { entryOfLine } from "../core/member-lists.js";
import { tell } from "../core/notices.js";
import { href, go } from "../core/route.js";
import { NAME } from "../core/schema.js";
import { Field } from "../parts/field.js";
import { Mistakes } from "../parts/form.js";
import { KeysFields } from "./security-group-import.js";

const LINES = { type: "array" };

// An entry of a list as the security group's orders have it: a name alone is enough here.
function memberOf(line) {
    const entry = entryOfLine(line);
    return entry === null ? { name: line } : typeof entry === "string" ? { address: entry } : entry;
}

const ways = {
    make: { title: "Make the keys here", help: "Each member gets a file with its own, once." },
    take: { title: "Take in keys that were made elsewhere", help: "From a security group file, by castgate-keys say." },
    wait: { title: "The keys come later", help: "A Group Manager has them; what the group protects is out of use until then." },
};

// ---- What each way needs. values -> the order's body, or null where something is missing

const bodies = {
    make: ({ members = [] }) => (members.length > 0 ? { members: members.map(memberOf) } : null),
    take: ({ keys }) => keys || null,
    wait: ({ group_manager }) => (group_manager ? { pending: true, group_manager } : null),
};

function MakeFields({ values, set, at }) {
    return html`<${Field} name="members" label="Members" schema=${LINES} value=${values.members} onChange=${(members) => set({ members })} error=${at("members")}
        help="One a line: a name, a unicast address, or both, such as lamp-3 192.0.2.13:5683" />`;
}

const TakeFields = ({ set }) => html`<${KeysFields} onChange=${(keys) => set({ keys })} />`;

const WaitFields = ({ values, set, at }) => html`<${Field} name="group_manager" label="Group Manager" value=${values.group_manager} onChange=${(group_manager) => set({ group_manager })} error=${at("group_manager")} help="Where the keys are expected from, such as coap://gm.example/ace-group/pumps" />`;

const fields = { make: MakeFields, take: TakeFields, wait: WaitFields };

// "#/members/3/address" is line 4's.
function mistakeWords({ pointer, detail }) {
    const line = /^#\/members\/(\d+)/.exec(pointer);
    return line ? `Line ${Number(line[1]) + 1}: ${detail}` : detail;
}

export default function NewSecurityGroup({ query }) {
    const [way, setWay] = useState(query.group_manager ? "wait" : "make");
    const [values, setValues] = useState({ group_manager: query.group_manager });
    const [error, setError] = useState(null);
    const [isBusy, setBusy] = useState(false);
    const set = (some) => setValues((was) => ({ ...was, ...some }));
    const mistakes = error ? error.errors : [];
    const at = (key) => mistakes.filter(({ pointer }) => `${pointer}/`.startsWith(`#/${key}/`)).map(mistakeWords).join(" ") || null;
    const placed = ["name", "members", "group_manager"];
    const body = bodies[way](values);
    const isReady = values.name && body !== null && !isBusy;
    const make = async (event) => {
        event.preventDefault();
        setBusy(true);
        try {
            await create("security-groups", { name: values.name, ...body });
            tell({ text: `${values.name} is made.${way === "make" ? " Save each member's file." : ""}` });
            go("security-groups", values.name);
        } catch (thrown) {
            setError(thrown);
            setBusy(false);
        }
    };
    const Fields = fields[way];
    const unplaced = mistakes.filter(({ pointer }) => !placed.some((key) => `${pointer}/`.startsWith(`#/${key}/`))).map(({ detail }) => detail);
    return html`<div>
        <header class="head"><p class="crumb"><a href=${href("security-groups")}>Security groups</a> / new</p><h1>New security group</h1></header>
        <form class="section" onSubmit=${make}>
            ${error && html`<${Mistakes} list=${mistakes.length ? unplaced : [error.message]} />`}
            <${Field} name="name" label="Name" schema=${NAME} value=${values.name} onChange=${(name) => set({ name })} error=${at("name")} required help="What mappings name as their protection, such as lights. Small letters, digits and . _ -" />
            <fieldset class="field"><legend>Its keys</legend>
                ${Object.entries(ways).map(([key, { title, help }]) => html`<label key=${key} class="choice"><input type="radio" name="way" checked=${way === key} onChange=${() => (setWay(key), setError(null))} /><span>${title}<small>${help}</small></span></label>`)}
            </fieldset>
            <${Fields} values=${values} set=${set} at=${at} />
            <p class="hint">A security group cannot be undone, only removed with its keys.</p>
            <div class="actions"><button class="primary" disabled=${!isReady}>Make it</button><a class="button" href=${href("security-groups")}>Cancel</a></div>
        </form>
    </div>`;
}
