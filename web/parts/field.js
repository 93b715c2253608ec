// A field that is made of its schema: label, unit, range, default and description are the settings' own words. What is
// typed stays as typed, also where it is no value yet.
import { html, useState, useRef, useEffect } from "../vendor/preact.js";
import { check, hasType, isNumeric, defaultWords } from "../core/schema.js";
import { keyWords, sentence } from "../core/format.js";

let ids = 0;

// Typed text -> value; undefined is "not set", NaN what is no number.
function parse(schema, text) {
    if (text.trim() === "") return undefined;
    if (isNumeric(schema)) return Number(text.trim().replace(",", "."));
    if (hasType(schema, "array")) return hasType(schema.items || {}, "object") ? parseObjects(text) : parseTexts(text);
    return text;
}

const parseTexts = (text) => text.split(/[\n,]/).map((one) => one.trim()).filter(Boolean);

// One a line; what is no JSON yet stays a text, which the check refuses.
const parseObjects = (text) => text.split("\n").map((one) => one.trim()).filter(Boolean).map(parseObject);

function parseObject(text) {
    try {
        return JSON.parse(text);
    } catch {
        return text;
    }
}

function write(value) {
    if (value === undefined || value === null) return "";
    return Array.isArray(value) ? value.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n") : String(value);
}

// What is typed stays as typed as long as it means the value; else the value came from outside, and is shown.
function Typed({ schema, value, onChange, attributes, suggestions }) {
    const [typed, setTyped] = useState(write(value));
    const draft = JSON.stringify(parse(schema, typed)) === JSON.stringify(value) ? typed : write(value);
    const type = (event) => {
        setTyped(event.target.value);
        onChange(parse(schema, event.target.value));
    };
    const common = { ...attributes, value: draft, onInput: type, spellcheck: false, autocomplete: "off" };
    if (hasType(schema, "array")) return html`<textarea rows=${Math.min(8, Math.max(3, draft.split("\n").length))} ...${common} />`;
    const list = suggestions ? `${attributes.id}-list` : undefined;
    return html`<input type="text" inputmode=${isNumeric(schema) ? "decimal" : undefined} list=${list} ...${common} />
        ${suggestions && html`<datalist id=${list}>${suggestions.map((one) => html`<option key=${one} value=${one} />`)}</datalist>`}`;
}

function Choice({ schema, value, onChange, attributes }) {
    const nothing = schema.default === undefined || schema.default === null ? "not set" : defaultWords(schema);
    const choose = (event) => onChange(event.target.value === "" ? undefined : JSON.parse(event.target.value));
    return html`<select ...${attributes} onChange=${choose}>
        <option value="" selected=${value === undefined}>${nothing}</option>
        ${schema.enum.filter((one) => one !== null).map((one) => html`<option key=${one} value=${JSON.stringify(one)} selected=${one === value}>${String(one)}</option>`)}
    </select>`;
}

// Several of a few: methods, say.
function Several({ schema, value, onChange, attributes }) {
    const chosen = value || [];
    const turn = (one) => {
        const next = schema.items.enum.filter((its) => (its === one ? !chosen.includes(one) : chosen.includes(its)));
        onChange(next.length ? next : undefined);
    };
    return html`<div class="several" role="group" ...${attributes}>
        ${schema.items.enum.map((one) => html`<label key=${one} class="check"><input type="checkbox" checked=${chosen.includes(one)} onChange=${() => turn(one)} /> ${one}</label>`)}
    </div>`;
}

const Switch = ({ schema, value, onChange, attributes }) => html`<input type="checkbox" class="switch" role="switch" ...${attributes}
    checked=${value === undefined ? schema.default === true : value} onChange=${(event) => onChange(event.target.checked)} />`;

function controlOf(schema) {
    if (hasType(schema, "boolean")) return Switch;
    if (schema.enum) return Choice;
    if (hasType(schema, "array") && schema.items && schema.items.enum) return Several;
    return Typed;
}

// (onfocusout in small letters: Preact takes names of events as they are where an element has no such on… property.)
// name: the key; label, help: instead of the key's and the description; error: the gateway's, at this field.
// onChange(value): undefined means "not set". suggestions: texts offered while typing. first: has the focus in a dialog;
// begins: on a screen, as soon as it is there.
export function Field({ name, schema = { type: "string" }, value, onChange, error, label, help, suggestions, required, first, begins, disabled }) {
    const id = useRef(`field-${++ids}`).current;
    useEffect(() => {
        if (begins) document.getElementById(id).focus();
    }, []);
    const [isLeft, setLeft] = useState(false);
    const own = required && value === undefined ? "This is needed." : check(schema, value);
    const shown = error || (isLeft ? own : null);
    const Control = controlOf(schema);
    const isChoice = Control === Switch;
    const attributes = {
        id,
        name,
        "aria-describedby": `${id}-help${shown ? ` ${id}-error` : ""}`,
        "aria-invalid": shown ? "true" : undefined,
        "aria-required": required ? "true" : undefined,
        "aria-labelledby": Control === Several ? `${id}-label` : undefined,
        "data-first": first ? "" : undefined,
        placeholder: Control === Typed ? defaultWords(schema) || undefined : undefined,
        disabled,
    };
    return html`<div class=${`field${shown ? " wrong" : ""}${isChoice ? " beside" : ""}`} onfocusout=${() => setLeft(true)}>
        <label id=${`${id}-label`} for=${id}>${label || keyWords(name)}${schema["x-unit"] && html` <span class="unit">(${schema["x-unit"]})</span>`}</label>
        <${Control} schema=${schema} value=${value} onChange=${onChange} attributes=${attributes} suggestions=${suggestions} />
        ${shown && html`<p class="error" id=${`${id}-error`}>${sentence(shown)}</p>`}
        <p class="hint" id=${`${id}-help`}>${help === undefined ? schema.description : help}</p>
    </div>`;
}
