// Keys that were made elsewhere, from a security group file. Whoever takes them in must know that they have never sent:
// numbers that were used would be used again, and with that the protection is gone.
import { html, useState } from "../vendor/preact.js";
import { create, request, pathOf } from "../core/api.js";
import { Ask } from "../parts/ask.js";
import { Mistakes, textsOf } from "../parts/form.js";
import { tell } from "../core/notices.js";

async function readKeys(file) {
    const keys = JSON.parse(await file.text());
    if (!keys || typeof keys !== "object" || !keys.common || !keys.self) throw new Error("common or self is not in it");
    return keys;
}

// onChange({keys, never_sent} or null)
export function KeysFields({ onChange }) {
    const [state, setState] = useState({ keys: null, error: null, isSure: false });
    const update = (next) => {
        setState(next);
        onChange(next.keys && next.isSure ? { ...next.keys, never_sent: true } : null);
    };
    const read = async (event) => {
        const [file] = event.target.files;
        if (!file) return update({ ...state, keys: null });
        await readKeys(file).then((keys) => update({ ...state, keys, error: null }), (error) => update({ ...state, keys: null, error: `This is no security group file: ${error.message}` }));
    };
    return html`<div class="field"><label for="keys-file">Security group file</label>
            <input id="keys-file" type="file" accept=".json,application/json" onChange=${read} aria-invalid=${state.error ? "true" : undefined} aria-describedby="keys-file-help" />
            ${state.error && html`<p class="error" role="alert">${state.error}</p>`}
            <p class="hint" id="keys-file-help">The gateway's own, with its private key (common, self, peers).</p></div>
        <label class="check"><input type="checkbox" checked=${state.isSure} onChange=${(event) => update({ ...state, isSure: event.target.checked })} /> I know that this key has never sent anything</label>
        <p class="hint">If it has, its numbers would be used again, and what was said could be read and forged. Who does not know makes new keys instead. Taking keys in cannot be undone.</p>`;
}

async function send(name, keys, isNext) {
    if (isNext) await create(pathOf("security-groups", name, "prepare-rekey"), keys);
    else await request("PUT", pathOf("security-groups", name), { body: keys, etag: "*" });
    tell({ text: isNext ? `New keys for ${name} are taken in. Once all have them, activate.` : `${name} has its keys.` });
}

// Of a group that is there: the keys that it waits for, or (isNext) its next ones. isAsked: as a dialog.
export function TakeIn({ name, isNext = false, isAsked, onClose, onDone = () => {} }) {
    const [keys, setKeys] = useState(null);
    const [error, setError] = useState(null);
    const take = () => send(name, keys, isNext).then(onDone);
    if (isAsked) return html`<${Ask} title="Take in new keys" verb="Take them in" isReady=${keys !== null} onDo=${take} onClose=${onClose}><${KeysFields} onChange=${setKeys} /><//>`;
    const submit = (event) => {
        event.preventDefault();
        take().catch(setError);
    };
    return html`<form class="section" onSubmit=${submit}>
        ${error && html`<${Mistakes} list=${textsOf(error)} />`}
        <${KeysFields} onChange=${setKeys} />
        <div class="actions"><button class="primary" disabled=${keys === null}>Take them in</button></div>
    </form>`;
}
