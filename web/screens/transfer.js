// Everything stored as one document: out as a file, and in again, with what that would change shown before.
import { html, useState, useRef } from "../vendor/preact.js";
import { request, readItem, download } from "../core/api.js";
import { Difference } from "../parts/difference.js";
import { Preview } from "../parts/preview.js";
import { Icon } from "../parts/icon.js";
import { Payload } from "../parts/payload.js";
import { tellChange, tellError } from "../core/notices.js";

const save = () => download("export", "castgate-export.json").catch((error) => tellError(error, "Not exported"));

// {document, etag: of what is stored now, preview}
async function lookInto(file) {
    const document = parse(await file.text());
    const { etag } = await readItem("export");
    const { data } = await request("PUT", "import", { body: document, etag, query: { dry_run: true } });
    return { document, etag, preview: data };
}

function parse(text) {
    try {
        return JSON.parse(text);
    } catch (error) {
        throw new Error(`This is no JSON: ${error.message}`);
    }
}

const Wrong = ({ error }) => html`<div class="error" role="alert">
    <p>${error.message}</p>
    ${(error.errors || []).length > 0 && html`<ul class="bare">${error.errors.map((one) => html`<li key=${one.pointer + one.detail}><code>${one.pointer}</code> <${Payload} value=${one.detail} /></li>`)}</ul>`}
</div>`;

function Looked({ name, looked, isBusy, onImport, onGiveUp }) {
    const { preview } = looked;
    return html`<div class="stack small-gaps">
        <p>${preview.difference.length === 0 ? html`All of <strong>${name}</strong> is stored already.` : html`<strong>${name}</strong> would change this:`}</p>
        <${Difference} changes=${preview.difference} />
        <${Preview} gains=${preview.gains} loses=${preview.loses} warnings=${preview.warnings} />
        <div class="actions">
            ${preview.difference.length > 0 && html`<button type="button" class="primary" disabled=${isBusy} onClick=${onImport}>Replace what is stored</button>`}
            <button type="button" onClick=${onGiveUp}>Give up</button>
        </div>
    </div>`;
}

export function Import() {
    const none = { name: null, looked: null, error: null, isBusy: false };
    const [state, setState] = useState(none);
    const input = useRef(null);
    const choose = async (event) => {
        const [file] = event.target.files;
        event.target.value = ""; // the same one may be chosen again
        if (!file) return;
        setState({ ...none, name: file.name, isBusy: true });
        try {
            setState({ ...none, name: file.name, looked: await lookInto(file) });
        } catch (error) {
            setState({ ...none, name: file.name, error });
        }
    };
    const run = async () => {
        setState({ ...state, isBusy: true });
        try {
            const { data } = await request("PUT", "import", { body: state.looked.document, etag: state.looked.etag });
            setState(none);
            tellChange(`${state.name} is imported.`, data.revision);
        } catch (error) {
            setState({ ...none, name: state.name, error: error.status === 412 ? new Error("Somebody changed something meanwhile. Choose the file again to see what it would change now.") : error });
        }
    };
    return html`<div class="stack small-gaps">
        <p>A document as Export makes it. What is stored becomes what it says, and <strong>what it leaves out goes</strong>. Keys and tokens are not in it: security groups and clients keep theirs. Before anything is done, what it would change is shown here.</p>
        ${state.looked === null && html`<div class="actions">
            <button type="button" disabled=${state.isBusy} onClick=${() => input.current.click()}>${state.isBusy ? "Looking …" : "Choose a file"}</button>
            <input ref=${input} type="file" hidden accept=".json,application/json" aria-label="The document to import" onChange=${choose} />
        </div>`}
        ${state.error && html`<${Wrong} error=${state.error} />`}
        ${state.looked && html`<${Looked} name=${state.name} looked=${state.looked} isBusy=${state.isBusy} onImport=${run} onGiveUp=${() => setState(none)} />`}
    </div>`;
}

export const Export = () => html`<div class="stack small-gaps">
    <p>Mappings, clients, reactions, security groups and settings that are stored here, without secrets, counters and what was learnt. The same state makes the same bytes, so it can be compared and kept beside other versions.</p>
    <div class="actions"><button type="button" onClick=${save}><${Icon} name="download" />Export</button></div>
</div>`;
