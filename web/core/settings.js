// The settings as one flat form: a key is its path ("limits/exchanges"), as in the gateway's JSON pointers.
import { hasType } from "./schema.js";

const isSection = (schema) => hasType(schema, "object") && schema.properties !== undefined;

// The leaves of SettingsSet: [{key, section, schema}], section null where it stands by itself
export function leavesOf(schema, path = [], section = null) {
    return Object.entries(schema.properties).flatMap(([name, its]) =>
        isSection(its) ? leavesOf(its, [...path, name], section || { key: name, title: name, description: its.description }) : [{ key: [...path, name].join("/"), section, schema: its }],
    );
}

// {limits: {exchanges: 5}} -> {"limits/exchanges": 5}
export function flat(document, leaves) {
    return Object.fromEntries(leaves.map(({ key }) => [key, valueAt(document, key)]).filter(([, value]) => value !== undefined));
}

export const valueAt = (document, key) => key.split("/").reduce((at, part) => (at === undefined || at === null ? undefined : at[part]), document);

// {"limits/exchanges": null} -> {limits: {exchanges: null}}
export function nested(values) {
    const document = {};
    for (const [key, value] of Object.entries(values)) {
        const parts = key.split("/");
        const last = parts.pop();
        parts.reduce((at, part) => (at[part] = at[part] || {}), document)[last] = value;
    }
    return document;
}
