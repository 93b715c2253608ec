// What a client may send where: one row a grant, which may be given, changed and taken away here as well as at the mapping.
import { html, useState } from "../vendor/preact.js";
import { METHODS, passing, accessOf, methodsWords, withGrant } from "../core/access.js";
import { makeChanges, dryRun, useDryRun, etagOf } from "../core/changes.js";
import { useMay } from "../core/role.js";
import { pathOf } from "../core/api.js";
import { href } from "../core/route.js";
import { pathOfMapping } from "../core/words.js";
import { Table } from "../parts/table.js";
import { Ask } from "../parts/ask.js";
import { Preview } from "../parts/preview.js";
import { State, stateOf } from "../parts/state.js";
import { Icon } from "../parts/icon.js";
import { tellError } from "../core/notices.js";

const changeOf = (mapping, client, methods) => ({ method: "PATCH", path: pathOf("mappings", mapping.name), if_match: etagOf(mapping), body: { clients: withGrant(mapping, client, methods) } });

// ---- Giving

function Methods({ mapping, chosen, onChange }) {
    const turn = (method) => onChange(METHODS.filter((one) => (one === method ? !chosen.includes(one) : chosen.includes(one))));
    const open = passing(mapping);
    return html`<fieldset class="field"><legend>Methods</legend>
        <div class="several">${METHODS.filter((one) => open.includes(one) || chosen.includes(one)).map((one) => html`<label key=${one} class="check"><input type="checkbox" checked=${chosen.includes(one)} onChange=${() => turn(one)} /> ${one}</label>`)}</div>
        <p class="hint">${open.length < METHODS.length ? "Others do not pass at this mapping." : "GET and FETCH read, the others command."}</p>
    </fieldset>`;
}

// mappings: those to choose from; of: {mapping, methods}, what is changed, if something is
function Give({ client, mappings, of, onClose }) {
    const [name, setName] = useState(of ? of.mapping.name : (mappings[0] || {}).name);
    const mapping = of ? of.mapping : mappings.find((one) => one.name === name);
    const [chosen, setChosen] = useState((of && (of.methods || passing(of.mapping))) || ["GET"]);
    const isReady = mapping !== undefined && chosen.length > 0;
    const change = () => [changeOf(mapping, client, chosen)];
    const { preview, isSettled } = useDryRun(() => (isReady ? dryRun(change()) : null), [name, chosen]);
    const give = () => makeChanges(change(), `${client} may send ${chosen.join(", ")} to ${name}.`);
    return html`<${Ask} title=${of ? `${client} on ${name}` : "Give access"} verb=${of ? "Save" : "Give"} isReady=${isReady && isSettled} onDo=${give} onClose=${onClose}>
        ${!of && html`<div class="field"><label for="grant-mapping">Mapping</label>
            <select id="grant-mapping" data-first onChange=${(event) => setName(event.target.value)}>${mappings.map((one) => html`<option key=${one.name} value=${one.name} selected=${one.name === name}>${one.name} (${pathOfMapping(one)})</option>`)}</select></div>`}
        ${mapping && html`<${Methods} mapping=${mapping} chosen=${chosen} onChange=${setChosen} />`}
        ${preview && html`<${Preview} ...${preview} sends=${null} />`}
    <//>`;
}

// ---- What there is

async function takeAway(client, mapping) {
    try {
        await makeChanges([changeOf(mapping, client, undefined)], `${client} may not use ${mapping.name} any more.`);
    } catch (error) {
        tellError(error, "Not taken away");
    }
}

function columnsFor(client, mayTry, isAdmin, onEdit) {
    const actions = ({ mapping, methods }) => html`<span class="actions tight">
        ${mayTry && mapping.state === "in-use" && html`<a class="button" href=${href("mappings", mapping.name, { tab: "try", client })} aria-label=${`Try as ${client}: ${mapping.name}`}>Try as ${client}</a>`}
        ${isAdmin && mapping.source === "stored" && html`<button type="button" aria-label=${`Change access to ${mapping.name}`} onClick=${() => onEdit({ mapping, methods })}>Change</button>
        <button type="button" aria-label=${`Take away access to ${mapping.name}`} onClick=${() => takeAway(client, mapping)}>Take away</button>`}
    </span>`;
    return [
        { key: "mapping", title: "Mapping", value: ({ mapping }) => mapping.name, cell: ({ mapping }) => html`<a href=${href("mappings", mapping.name)}>${mapping.name}</a>` },
        { key: "methods", title: "May send", value: ({ methods }) => methodsWords(methods) },
        { key: "path", title: "To", value: ({ mapping }) => pathOfMapping(mapping), cell: ({ mapping }) => html`<code>${pathOfMapping(mapping)}</code>` },
        { key: "state", title: "State", value: ({ mapping }) => stateOf(mapping).word, cell: ({ mapping }) => html`<${State} item=${mapping} />` },
        { key: "actions", title: "", value: () => "", cell: actions, noSort: true },
    ];
}

export function Access({ client, mappings, isAdmin }) {
    const [asked, setAsked] = useState(null); // {} gives anew, {mapping, methods} changes
    const mayTry = useMay("operator");
    const rows = accessOf(client, mappings);
    const free = mappings.filter((one) => one.source === "stored" && !rows.some(({ mapping }) => mapping === one));
    return html`<section>
        <div class="section-head"><h2>What it may</h2>
            ${isAdmin && free.length > 0 && html`<button type="button" onClick=${() => setAsked({})}><${Icon} name="plus" />Give access</button>`}
        </div>
        ${rows.length > 0
            ? html`<${Table} label="what it may" noSearch rows=${rows} columns=${columnsFor(client, mayTry, isAdmin, setAsked)} keyOf=${({ mapping }) => mapping.name} />`
            : html`<p class="faint">It may send nothing yet. ${mappings.length === 0 && isAdmin && html`There is no mapping: <a href=${href("mappings", "new")}>make one</a>.`}</p>`}
        ${asked && html`<${Give} client=${client} mappings=${free} of=${asked.mapping ? asked : null} onClose=${() => setAsked(null)} />`}
    </section>`;
}
