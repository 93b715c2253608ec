// Who is in the group: by credential, and of which epoch each is known to hold the keys.
import { html, useState } from "../vendor/preact.js";
import { create, request } from "../core/api.js";
import { memberName, holdings, isHeld } from "../core/keys-words.js";
import { fileName, saveJson, groupPath } from "../core/given.js";
import { Table } from "../parts/table.js";
import { Ask } from "../parts/ask.js";
import { Dialog } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { Status } from "../parts/status.js";
import { Icon } from "../parts/icon.js";
import { tell } from "../core/notices.js";
import { SaveOne, SaveAll } from "./security-group-files.js";

// ---- Adding

function Added({ item, joined, onClose }) {
    const name = fileName(item.name, joined.member);
    const save = () => saveJson(name, joined.file);
    const actions = html`<button type="button" onClick=${save}><${Icon} name="download" />Save the file again</button><button type="button" class="primary" data-first onClick=${onClose}>It is saved</button>`;
    return html`<${Dialog} title=${`${memberName(joined.member)} is added`} fixed actions=${actions}>
        <p>Its file is saved as <code>${name}</code>. It has the member's keys, and is given this once.</p>
        <p>Now: ${joined.next}.</p>
    <//>`;
}

function Add({ item, onClose, onDone }) {
    const [name, setName] = useState(undefined);
    const [address, setAddress] = useState(undefined);
    const [isRekeyed, setRekeyed] = useState(true);
    const [joined, setJoined] = useState(null);
    const [mistakes, setMistakes] = useState([]);
    const at = (key) => (mistakes.find(({ pointer }) => pointer === `#/${key}`) || {}).detail;
    const add = async () => {
        try {
            const { data } = await create(groupPath(item, "members"), { ...(name && { name }), ...(address && { address }), rekey: isRekeyed });
            saveJson(fileName(item.name, data.member), data.file);
            setJoined(data);
            onDone();
        } catch (error) {
            setMistakes(error.errors);
            if (!error.errors.some(({ pointer }) => ["#/name", "#/address"].includes(pointer))) throw error;
        }
        return false;
    };
    if (joined) return html`<${Added} item=${item} joined=${joined} onClose=${onClose} />`;
    return html`<${Ask} title=${`A member for ${item.name}`} verb="Add, and save its file" onDo=${add} onClose=${onClose}>
        <${Field} name="name" label="Name" value=${name} onChange=${setName} error=${at("name")} first help="Such as lamp-3." />
        <${Field} name="address" label="Address" value=${address} onChange=${setAddress} error=${at("address")} help="Unicast, such as 192.0.2.13:5683. May be left out." />
        <label class="check"><input type="checkbox" checked=${isRekeyed} onChange=${(event) => setRekeyed(event.target.checked)} /> Under new keys, so that it cannot read what was said before</label>
        <p class="hint">${isRekeyed ? "New keys are prepared with it in them: hand them out, then activate." : "It joins under the keys in use, and can read all that was sent under them."} It cannot be undone: evict it instead.</p>
    <//>`;
}

// ---- Evicting

function Evict({ item, member, onClose, onDone }) {
    const replaces = !!item.next;
    const evict = async () => {
        await request("DELETE", groupPath(item, "members", member.id), { query: { replace: replaces || undefined } });
        tell({ text: `New keys without ${memberName(member)} are prepared. Hand them out, then activate.` });
        onDone();
    };
    return html`<${Ask} title=${`Evict ${memberName(member)}?`} verb="Evict it" danger onDo=${evict} onClose=${onClose}>
        <p>New keys are prepared that it does not get. It goes on reading and answering until you activate them.</p>
        ${replaces && html`<p>They take the place of the keys that are prepared already: files of those are worth nothing then.</p>`}
        <p>This cannot be undone. To take it back in, add it anew.</p>
    <//>`;
}

// ---- What there is

function Holding({ state }) {
    const [tone, word, why] = holdings[state] || ["off", "not in it", "it is not of this epoch"];
    return html`<span title=${why}><${Status} tone=${tone}>${word}<//></span>`;
}

const leaving = (member, hasNext) => hasNext && member.holds.next === undefined;

// Who has not got the file of the epoch that is to be handed out.
const epochOf = (item) => (item.next ? "next" : "current");

const lacks = (member, epoch) => member.id !== undefined && member.holds[epoch] !== undefined && !isHeld(member.holds[epoch]);

function columnsFor(item, isAdmin, onEvict, onDone) {
    const hasNext = !!(item.next || item.next_file);
    const hasIds = item.members.some(({ id }) => id !== undefined);
    const isManaged = item.keys && item.keys.managed;
    const actions = (member) => html`<span class="actions tight">
        ${isManaged && lacks(member, epochOf(item)) && html`<${SaveOne} item=${item} member=${member} epoch=${epochOf(item)} onDone=${onDone} />`}
        ${isManaged && member.id && !leaving(member, hasNext) && html`<button type="button" aria-label=${`Evict ${memberName(member)}`} onClick=${() => onEvict(member)}>Evict</button>`}
    </span>`;
    return [
        { key: "name", title: "Member", value: memberName },
        hasIds && { key: "id", title: "Sender ID", value: ({ id }) => id, cell: ({ id }) => html`<code>${id}</code>` },
        { key: "address", title: "Address", value: ({ address }) => address },
        { key: "credential", title: "Credential", value: ({ credential }) => credential, cell: ({ credential }) => html`<code title=${`SHA-256 ${credential}`}>${credential.slice(0, 12)}…</code>`, hideOnCard: true },
        { key: "current", title: "Keys in use", value: ({ holds }) => holds.current, cell: ({ holds }) => html`<${Holding} state=${holds.current} />` },
        hasNext && { key: "next", title: "New keys", value: ({ holds }) => holds.next, cell: (member) => (leaving(member, hasNext) ? html`<${Status} tone="bad">evicted by them<//>` : html`<${Holding} state=${member.holds.next} />`) },
        isAdmin && { key: "actions", title: "", value: () => "", noSort: true, cell: actions },
    ].filter(Boolean);
}

export function GroupMembers({ item, isAdmin, onDone }) {
    const [isAdding, setAdding] = useState(false);
    const [evicted, setEvicted] = useState(null);
    const mayAdd = isAdmin && item.keys.managed;
    const without = item.next ? [] : item.members.filter((member) => lacks(member, "current")); // while rekeying, its steps do it
    const actions = mayAdd && html`<div class="actions">
        ${without.length > 0 && html`<${SaveAll} item=${item} members=${without} epoch="current" onDone=${onDone} />`}
        <button type="button" onClick=${() => setAdding(true)}><${Icon} name="plus" />Add a member</button>
    </div>`;
    return html`<section>
        <div class="section-head"><h2>Members</h2></div>
        <${Table} label="members of the group" rows=${item.members} columns=${columnsFor(item, isAdmin, setEvicted, onDone)} keyOf=${(member) => member.id || member.credential} actions=${actions}
            empty=${html`<p class="faint">Nobody is in it yet.</p>`} />
        ${isAdmin && item.keys.managed === false && html`<p class="hint">Its members' private keys are not here: their files come from where the keys were made.</p>`}
        ${isAdding && html`<${Add} item=${item} onClose=${() => setAdding(false)} onDone=${onDone} />`}
        ${evicted && html`<${Evict} item=${item} member=${evicted} onClose=${() => setEvicted(null)} onDone=${onDone} />`}
    </section>`;
}
