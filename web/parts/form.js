// What is being edited: the values, the gateway's mistakes at their fields, and what differs from what was read. What was
// typed is kept over reloads of the screen until it is saved or given up (in this tab, and never a secret: no tokens here).
import { html, useState, useMemo, useEffect } from "../vendor/preact.js";
import { changedKeys, documentOf, withKey } from "../core/compare.js";
import { check } from "../core/schema.js";
import { Field } from "./field.js";

const placeOf = (id) => `castgate.draft.${id}`;

function keep(id, draft) {
    try {
        if (draft) sessionStorage.setItem(placeOf(id), JSON.stringify(draft));
        else sessionStorage.removeItem(placeOf(id));
    } catch {
        sessionStorage.removeItem(placeOf(id)); // no room: what is typed stays on the screen only, an older draft would be wrong
    }
}

function kept(id) {
    try {
        const draft = JSON.parse(sessionStorage.getItem(placeOf(id)));
        return draft && draft.base && draft.values ? draft : null;
    } catch {
        return null;
    }
}

const begun = (initial, proposed, tag) => ({ base: documentOf(initial), values: { ...documentOf(initial), ...proposed }, tag });

// useForm({id, schema, initial, proposed, tag}): id names the draft ("mappings/floor3"; null: none is kept); initial is an
// item and tag its ETag; proposed: values that stand there at first as if they had been typed.
// {values, set(key, value), errors, fail(ApiError), changed: [keys], isChanged, isFine, reset(item, tag), field(key, more),
// saved(item, tag): the values went, this came back,
// wrong(key): what the schema has against its value, or null,
// base and tag: what is edited, as it was, and which version that is}
export function useForm({ id = null, schema, initial, proposed, tag = null }) {
    const [first] = useState(() => (id && kept(id)) || begun(initial, proposed, tag));
    const [of, setOf] = useState({ base: first.base, tag: first.tag });
    const [values, setValues] = useState(first.values);
    const [errors, setErrors] = useState([]);
    const { base } = of;
    const changed = useMemo(() => changedKeys(base, values), [base, values]);
    useEffect(() => {
        if (id) keep(id, changed.length ? { ...of, values } : null);
    }, [id, of, values, changed]);
    const propertyOf = (key) => (schema && schema.properties && schema.properties[key]) || undefined;
    const set = (key, value) => {
        setErrors((now) => now.filter(({ pointer }) => !isAt(pointer, key)));
        setValues((now) => withKey(now, key, value));
    };
    const reset = (item, its = null) => {
        if (id) keep(id, null); // at once: who saves may leave the screen before it is drawn anew
        setOf({ base: documentOf(item), tag: its });
        setValues(documentOf(item));
        setErrors([]);
    };
    // What was saved are the values of this drawing; what has been typed since stays, on top of what is there now.
    const saved = (item, its) => {
        if (id) keep(id, null);
        setOf({ base: documentOf(item), tag: its });
        setValues((now) => changedKeys(values, now).reduce((kept, key) => withKey(kept, key, now[key]), documentOf(item)));
        setErrors([]);
    };
    const wrong = (key) => check(propertyOf(key), values[key]);
    const errorAt = (key) => (errors.find(({ pointer }) => isAt(pointer, key)) || { detail: null }).detail;
    return {
        values,
        set,
        reset,
        saved,
        errors,
        changed,
        base,
        tag: of.tag,
        errorAt,
        isChanged: changed.length > 0,
        wrong,
        isFine: Object.keys(values).every((key) => wrong(key) === null),
        fail: (error) => setErrors(error.errors && error.errors.length ? error.errors : [{ pointer: "", detail: error.message }]),
        field: (key, more = {}) => html`<${Field} key=${key} name=${key} schema=${propertyOf(key)} value=${values[key]} error=${errorAt(key)} onChange=${(value) => set(key, value)} ...${more} />`,
        // What no field that is shown has: said above the form.
        unplaced: (keys) => errors.filter(({ pointer }) => !keys.some((key) => isAt(pointer, key))).map(({ detail }) => detail),
    };
}

// "#/changes/0/body/timeout", "#/mapping/timeout", "#/timeout" and "#/timeout/x" are at "timeout".
const isAt = (pointer, key) => `${pointer}/`.replace(/^#?(\/changes\/\d+\/body|\/mapping(?=\/))?/, "").startsWith(`/${key}/`);

// A titled group of fields.
export const Section = ({ title, children }) => html`<fieldset class="section"><legend>${title}</legend>${children}</fieldset>`;

// What an error says, field by field where it names some.
export const textsOf = (error) => (error.errors && error.errors.length ? error.errors.map(({ detail }) => detail) : [error.message]);

export const Mistakes = ({ list }) => list.length > 0 && html`<div class="error" role="alert">${list.map((one) => html`<p key=${one}>${one}</p>`)}</div>`;
