// Beside the form: what will change, what would go out and who would gain or lose access, asked of the gateway by dry runs
// while one types; and the same as commands.
import { html, useState, useEffect, useRef } from "../vendor/preact.js";
import { makeItem, patchItem, pathOf, BASE } from "../core/api.js";
import { patchOf } from "../core/compare.js";
import { curlOf } from "../core/curl.js";
import { useGet } from "../core/data.js";
import { pathOfMapping } from "../core/words.js";
import { Difference } from "../parts/difference.js";
import { Preview } from "../parts/preview.js";
import { Copyable } from "../parts/copyable.js";
import { isNamed } from "./mapping-words.js";

const WAIT_MS = 400;

// What has to be there before the gateway can say anything of use.
export const isWhole = ({ name, group, targets = [{ group }], security }, isNew) => Boolean((!isNew || name) && targets.every(isNamed) && security);

const ask = (form, name) => {
    const query = { dry_run: true };
    return name === null
        ? makeItem(pathOf("mappings", form.values.name), form.values, query)
        : patchItem(pathOf("mappings", name), "*", patchOf(form.base, form.values), query);
};

// What 412 means of a new one.
export const taken = { errors: [{ pointer: "#/name", detail: "There is a mapping of that name already." }] };

// {preview, error}: mistakes go to the form's fields. name null: a new one; undefined: nobody is asked.
export function usePreview(form, name) {
    const [state, setState] = useState({ preview: null, error: null });
    const turn = useRef(0);
    const isWanted = name !== undefined && form.isChanged && form.isFine && isWhole(form.values, name === null);
    useEffect(() => {
        const mine = ++turn.current;
        if (!isWanted) return setState({ preview: null, error: null });
        const isLate = () => mine !== turn.current;
        const timer = setTimeout(() => ask(form, name).then(
            ({ data }) => isLate() || setState({ preview: data, error: null }),
            (error) => {
                if (isLate()) return;
                const mistakes = error.status === 412 ? taken : error;
                if (mistakes.errors.length) form.fail(mistakes);
                setState({ preview: null, error });
            },
        ), WAIT_MS);
        return () => clearTimeout(timer);
    }, [JSON.stringify(form.values), form.tag, isWanted]);
    useEffect(() => () => void turn.current++, []);
    return state;
}

const IMPOSSIBLE = "It cannot be like this: see the fields.";

const reasonOf = (error) => (error.errors.length || error.status === 412 ? IMPOSSIBLE : error.message);

export function Changes({ form, isNew, preview: { preview, error } }) {
    if (!form.isChanged) return html`<p class="hint">Nothing is changed. What you change is shown here, with what comes of it, before it is saved.</p>`;
    if (!isWhole(form.values, isNew)) return html`<p class="hint">Name, group and protection are needed; then it says here what will come of it.</p>`;
    if (!form.isFine) return html`<p class="error">${IMPOSSIBLE}</p>`;
    if (error) return html`<p class="error">${reasonOf(error)}</p>`;
    if (!preview) return html`<p class="faint">Working out what will change …</p>`;
    return html`<${Difference} changes=${preview.difference} /><${Preview} ...${preview} />`;
}

// ---- The same by commands

const TOKEN = ["Authorization", "Bearer $TOKEN"];

// Where clients find the gateway: at its first listener, which, where that is at all addresses, is how this page was reached.
export function useGateway() {
    const { data: system } = useGet("system");
    const first = system && system.listeners.find(({ front }) => front === "http");
    return first ? `http${first.encrypted ? "s" : ""}://${first.at.replace(/^(0\.0\.0\.0|\[::\])(?=:)/, location.hostname)}` : "$GATEWAY";
}

// What a client sends: the mapping's own path, as one that has a token.
export function dataCurl(gateway, values, { method = "GET", path = "", body, contentType } = {}) {
    const headers = [TOKEN, ...(body ? [["Content-Type", contentType || "text/plain;charset=utf-8"]] : [])];
    return curlOf(method, gateway + pathOfMapping(values) + path, { headers, body: body || undefined });
}

function adminCurl(form, isNew, name) {
    const url = `${location.origin}${BASE}${pathOf("mappings", name)}`;
    const json = (value) => JSON.stringify(value);
    if (isNew) return curlOf("PUT", url, { headers: [TOKEN, ["Content-Type", "application/json"]], body: json(form.values) });
    if (!form.isChanged) return curlOf("GET", url, { headers: [TOKEN] });
    return curlOf("PATCH", url, { headers: [TOKEN, ["Content-Type", "application/merge-patch+json"], ["If-Match", form.tag || "*"]], body: json(patchOf(form.base, form.values)) });
}

export function Commands({ form, isNew, name, gateway }) {
    const data = dataCurl(gateway, { name, ...form.values });
    return html`<details class="commands"><summary>As commands</summary>
        <h3>${isNew ? "This mapping" : form.isChanged ? "This change" : "This mapping, read"}</h3>
        <${Copyable} label="the command for the mapping" text=${adminCurl(form, isNew, name)} />
        <h3>A client's request</h3>
        <${Copyable} label="the client's request" text=${data} />
        <p class="hint"><code>$TOKEN</code> is an admin's, and the client's.</p>
    </details>`;
}
