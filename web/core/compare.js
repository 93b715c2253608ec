// Two versions of a document. The read-only members of an item are no part of what was set.
const READ_ONLY = new Set(["source", "state", "reason", "revision", "changed", "changed_by", "warnings", "effective"]);

export const asText = (value) => (value === undefined ? "not set" : typeof value === "string" ? value : JSON.stringify(value));

const isSame = (one, other) => sorted(one) === sorted(other);

const sorted = (value) => JSON.stringify(value, (_, its) => (its && typeof its === "object" && !Array.isArray(its) ? Object.fromEntries(Object.entries(its).sort()) : its));

// Only what was set.
export const documentOf = (item) => Object.fromEntries(Object.entries(item || {}).filter(([key]) => !READ_ONLY.has(key)));

// Keys whose values differ, either way.
export function changedKeys(before, after) {
    const [one, other] = [documentOf(before), documentOf(after)];
    return [...new Set([...Object.keys(one), ...Object.keys(other)])].filter((key) => !isSame(one[key], other[key]));
}

// The merge patch (RFC 7396) that makes `after` of `before`; null where a key goes.
export function patchOf(before, after) {
    const patch = {};
    for (const key of changedKeys(before, after)) patch[key] = after[key] === undefined ? null : after[key];
    return patch;
}

// undefined: the key goes.
export function withKey(object, key, value) {
    const next = { ...object };
    if (value === undefined) delete next[key];
    else next[key] = value;
    return next;
}
