// One security group: its keys in use, the rekey in its three steps, and who is in it.
import { html, useState } from "../vendor/preact.js";
import { request, patchItem, readAll, pathOf } from "../core/api.js";
import { useData, useCollection } from "../core/data.js";
import { useMay } from "../core/role.js";
import { href, go } from "../core/route.js";
import { algorithmWords, numbersWords, numberStates } from "../core/keys-words.js";
import { Share } from "../parts/share.js";
import { Status } from "../parts/status.js";
import { State, StateNote } from "../parts/state.js";
import { Ask } from "../parts/ask.js";
import { Field } from "../parts/field.js";
import { tell, tellChange, tellError } from "../core/notices.js";
import { Waiting } from "../parts/empty.js";
import { Rekey } from "./security-group-rekey.js";
import { GroupMembers } from "./security-group-members.js";
import { TakeIn } from "./security-group-import.js";

// The item has the first members; the others come by pages, which begin where it ends.
async function readGroup(name, signal) {
    const { data: item, etag } = await request("GET", pathOf("security-groups", name), { signal });
    const members = item.members || [];
    const others = item.member_count > members.length ? await readAll(pathOf("security-groups", name, "members"), { query: { cursor: members.length }, signal, limit: null }) : [];
    return { item: { ...item, members: [...members, ...others] }, etag };
}

// ---- The keys in use

function Facts({ item }) {
    const { keys } = item;
    const [tone, word] = numberStates[keys.numbers.state] || ["off", keys.numbers.state];
    return html`<dl class="figures">
        ${keys.gid && html`<div><dt>Epoch (Gid)</dt><dd><code>${keys.gid}</code></dd></div>
        <div><dt>The gateway's own Sender ID</dt><dd><code>${keys.sender_id}</code></dd></div>
        <div><dt>Encryption</dt><dd>${algorithmWords(keys.alg_group_enc || keys.alg_aead)}</dd></div>
        <div><dt>Signature</dt><dd>${algorithmWords(keys.alg_signature)}</dd></div>
        <div><dt>Between two (pairwise)</dt><dd>${algorithmWords(keys.alg_pairwise_key_agreement)}</dd></div>`}
        ${item.file && html`<div><dt>File</dt><dd><code>${item.file}</code></dd></div>`}
        <div><dt>Sequence numbers used</dt><dd><${Share} share=${keys.numbers.used / keys.numbers.of} words=${numbersWords(keys.numbers)} /></dd></div>
        <div><dt>This key</dt><dd><${Status} tone=${tone}>${word}<//></dd></div>
    </dl>`;
}

async function setWarm(name, etag, warm) {
    try {
        const { data } = await patchItem(pathOf("security-groups", name), etag, { warm });
        tellChange(warm ? `${name} meets its members beforehand.` : `${name} meets its members as they come.`, data.revision);
    } catch (error) {
        tellError(error, "Not changed");
    }
}

const Warm = ({ item, etag, isAdmin }) => html`<${Field} name="warm" label="Meet members beforehand (warm)" schema=${{ type: "boolean" }} value=${item.warm} disabled=${!isAdmin || item.source === "file"}
    onChange=${(warm) => setWarm(item.name, etag, warm)} help="The gateway asks each once before it must act, so that none is challenged (Echo) when it matters." />`;

const Protects = ({ mappings }) => html`<p class="faint">${mappings.length === 0 ? "It protects no mapping yet." : html`It protects ${mappings.map(({ name }, i) => html`${i > 0 && ", "}<a key=${name} href=${href("mappings", name)}>${name}</a>`)}.`}</p>`;

// ---- Going

async function remove({ name }, etag) {
    try {
        await request("DELETE", pathOf("security-groups", name), { etag });
        tell({ text: `${name} and its keys are gone.` });
    } catch (error) {
        tellError(error, "Not removed");
    }
}

function Remove({ item, etag, mappings, onClose }) {
    const isNeeded = mappings.length > 0;
    const leave = () => {
        go("security-groups"); // first: what is gone cannot be read anew
        remove(item, etag);
    };
    return html`<${Ask} title=${`Remove ${item.name}?`} verb="Remove it for good" danger isReady=${!isNeeded} onDo=${leave} onClose=${onClose}>
        ${isNeeded && html`<p class="error">It still protects ${mappings.map(({ name }) => name).join(", ")}: give ${mappings.length === 1 ? "that mapping" : "those mappings"} another protection first, or remove ${mappings.length === 1 ? "it" : "them"}.</p>`}
        <p>Its keys are deleted. This cannot be undone: a group with the same members would need new keys, and each member a new file.</p>
    <//>`;
}

// ---- The screen

function Pending({ item, isAdmin }) {
    return html`<section class="card stack">
        <h2>Its keys have yet to come</h2>
        <p>${item.group_manager ? html`They are expected from <code>${item.group_manager}</code>.` : item.reason} Until then what it protects is out of use. The keys can also be taken in here, from a file.</p>
        ${isAdmin && html`<${TakeIn} name=${item.name} />`}
    </section>`;
}

export default function SecurityGroup({ params }) {
    const { name } = params;
    const { data, error, loading, reload } = useData((signal) => readGroup(name, signal), [name], { collections: ["security-groups", "keys"] });
    const mappings = (useCollection("mappings").data || []).filter(({ security }) => security === name);
    const isAdmin = useMay("admin");
    const [isLeaving, setLeaving] = useState(false);
    if (!data) return html`<${Waiting} title=${name} loading=${loading} error=${error} onAgain=${reload} />`;
    const { item, etag } = data;
    const mayChange = isAdmin && item.source === "stored";
    return html`<div class="stack">
        <header class="head">
            <p class="crumb"><a href=${href("security-groups")}>Security groups</a> / ${name}</p>
            <h1>${name}</h1>
            <${State} item=${item} />
            <span class="space"></span>
            ${mayChange && html`<button type="button" class="danger" onClick=${() => setLeaving(true)}>Remove</button>`}
        </header>
        ${item.source === "file" ? html`<p class="hint">Its keys are in a file that the settings file names: rekey it there (castgate-keys), and reload.</p>` : !item.pending && html`<${StateNote} item=${item} />`}
        ${item.pending && html`<${Pending} item=${item} isAdmin=${isAdmin} />`}
        ${item.keys && html`<div class="with-side even">
            <section><h2>The keys in use</h2><${Facts} item=${item} /><${Protects} mappings=${mappings} /><${Warm} item=${item} etag=${etag} isAdmin=${isAdmin} /></section>
            ${item.source === "stored" && html`<${Rekey} item=${item} isAdmin=${isAdmin} onDone=${reload} />`}
        </div>`}
        ${item.keys && html`<${GroupMembers} item=${item} isAdmin=${mayChange} onDone=${reload} />`}
        ${isLeaving && html`<${Remove} item=${item} etag=${etag} mappings=${mappings} onClose=${() => setLeaving(false)} />`}
    </div>`;
}
