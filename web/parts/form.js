// What is being edited: the values, the gateway's mistakes at their fields, and what differs from what was read. What was
// typed is kept over reloads of the screen until it is saved or given up (in this tab, and never a secret: no tokens here).
import { html, useState, useMemo, useEffect } from "../vendor/preact.js";
import { changedKeys, documentOf } from "../core/compare.js";
import { check } from "../core/schema.js";
import { Field } from "./field.js";

const keep = (id, values) => (values ? sessionStorage.setItem(`castgate.draft.${id}`, JSON.stringify(values)) : sessionStorage.removeItem(`castgate.draft.${id}`));

function kept(id) {
    try {
        return JSON.parse(sessionStorage.getItem(`castgate.draft.${id}`));
    } catch {
        return null;
    }
}

// useForm({id, schema, initial}): id names the draft ("mappings/floor3"; null: none is kept); initial is an item.
// {values, set(key, value), errors, fail(ApiError), changed: [keys], isChanged, isFine, reset(item), field(key, more)}
export function useForm({ id = null, schema, initial }) {
    const [base, setBase] = useState(documentOf(initial));
    const [values, setValues] = useState(() => (id && kept(id)) || documentOf(initial));
    const [errors, setErrors] = useState([]);
    const changed = useMemo(() => changedKeys(base, values), [base, values]);
    useEffect(() => {
        if (id) keep(id, changed.length ? values : null);
    }, [id, values, changed]);
    const propertyOf = (key) => (schema && schema.properties && schema.properties[key]) || undefined;
    const set = (key, value) => {
        setErrors((now) => now.filter(({ pointer }) => !isAt(pointer, key)));
        setValues((now) => withKey(now, key, value));
    };
    const reset = (item) => {
        setBase(documentOf(item));
        setValues(documentOf(item));
        setErrors([]);
    };
    const errorAt = (key) => (errors.find(({ pointer }) => isAt(pointer, key)) || { detail: null }).detail;
    return {
        values,
        set,
        reset,
        errors,
        changed,
        base,
        rebase: (item) => setBase(documentOf(item)),
        isChanged: changed.length > 0,
        isFine: Object.keys(values).every((key) => check(propertyOf(key), values[key]) === null),
        fail: (error) => setErrors(error.errors && error.errors.length ? error.errors : [{ pointer: "", detail: error.message }]),
        field: (key, more = {}) => html`<${Field} key=${key} name=${key} schema=${propertyOf(key)} value=${values[key]} error=${errorAt(key)} onChange=${(value) => set(key, value)} ...${more} />`,
        // What no field that is shown has: said above the form.
        unplaced: (keys) => errors.filter(({ pointer }) => !keys.some((key) => isAt(pointer, key))).map(({ detail }) => detail),
    };
}

// "#/changes/0/body/timeout", "#/timeout" and "#/timeout/x" are at "timeout".
const isAt = (pointer, key) => `${pointer}/`.replace(/^#?(\/changes\/\d+\/body)?/, "").startsWith(`/${key}/`);

function withKey(values, key, value) {
    const next = { ...values };
    if (value === undefined) delete next[key];
    else next[key] = value;
    return next;
}

// A titled group of fields.
export const Section = ({ title, children }) => html`<fieldset class="section"><legend>${title}</legend>${children}</fieldset>`;

export const Mistakes = ({ list }) => list.length > 0 && html`<div class="error" role="alert">${list.map((one) => html`<p key=${one}>${one}</p>`)}</div>`;
