// Mappings' lists of members, and what is shown of members. An entry of a list is an address or {name, address, …}; a
// member is known by its name, or without one by its address, port included.
import { pathOf } from "./api.js";
import { etagOf } from "./changes.js";

const PORT = 5683;

// As the gateway writes addresses: small letters, with a port.
function wholeAddress(text) {
    const address = text.trim().toLowerCase();
    if (/^\[.*\]$/.test(address) || !address.includes(":")) return `${address}:${PORT}`;
    return address.startsWith("[") || address.split(":").length === 2 ? address : `[${address}]:${PORT}`;
}

export const nameOf = (entry) => (typeof entry === "string" ? wholeAddress(entry) : entry.name || wholeAddress(entry.address));

// Of a row of GET members; null where it is not known where the member is.
export function entryOf(row) {
    const address = row.address || (row.heard.find(({ addresses }) => addresses.length > 0) || { addresses: [null] }).addresses[0];
    if (address === null) return null;
    return row.name === address ? address : { name: row.name, address };
}

// "lamp-3 192.0.2.13:5683", either way round, or an address alone. null: no address is in it.
export function entryOfLine(line) {
    const words = line.split(/[\s;]+/).filter(Boolean);
    const address = words.find((word) => /[:[]/.test(word) || /^\d+(\.\d+){3}$/.test(word));
    const name = words.find((word) => word !== address);
    if (!address) return null;
    return name ? { name, address } : address;
}

// Only lists that are kept here, of groups without protection: who is in a protected one its keys say.
export const isEditable = (mapping) => mapping.source === "stored" && mapping.security === "none";

export const membersOf = (mapping) => mapping.members || [];

export function withMembers(list, entries) {
    const known = new Set(list.map(nameOf));
    return [...list, ...entries.filter((entry) => !known.has(nameOf(entry)))];
}

export const withoutMembers = (list, names) => list.filter((entry) => !names.has(nameOf(entry)));

export const setMembers = (mapping, members) => ({ method: "PATCH", path: pathOf("mappings", mapping.name), if_match: etagOf(mapping), body: { members } });

// Those that have one of them, without them; nothing for a list that stays as it is.
export function takeOut(mappings, names) {
    return mappings.flatMap((mapping) => {
        const left = withoutMembers(membersOf(mapping), names);
        return left.length === membersOf(mapping).length ? [] : [setMembers(mapping, left)];
    });
}

// ---- What is shown

const worst = (heard, key) => heard.reduce((most, one) => (one[key] === undefined || one[key] === null ? most : Math.max(most === null ? one[key] : most, one[key])), null);

// Of what protects it alone: cold as long as one has yet to be taken, heard of it or not. null: nothing does, or it is hidden.
const warmthOf = (warmths) => (warmths.length === 0 ? null : warmths.includes("cold") ? "cold" : "warm");

// A row with its figures, over all mappings or of one alone. Times of 0 are none.
export function withFigures(row, mapping) {
    const heard = mapping ? row.heard.filter((one) => one.mapping === mapping) : row.heard;
    const warmths = mapping ? Object.keys(row.warmth).filter((key) => key === mapping).map((key) => row.warmth[key]).filter(Boolean) : Object.values(row.warmth);
    return { ...row, median: worst(heard, "median_ms") || null, p99: worst(heard, "p99_ms") || null, loss: worst(heard, "loss"), isAway: heard.some((one) => one.out_of_reach), warm: warmthOf(warmths) };
}

export const groupsOf = (row) => [...row.mappings, ...row.security_groups];

const isOf = {
    mapping: (row, name, security) => row.mappings.includes(name) || row.security_groups.includes(security) || row.heard.some((one) => one.mapping === name),
    security: (row, name) => row.security_groups.includes(name),
};

// of: "mapping:hall", "security:doors", "none" or "" (all); mappings: to know what protects one
export function isIn(of, row, mappings) {
    if (!of) return true;
    if (of === "none") return groupsOf(row).length === 0;
    const [kind, name] = [of.slice(0, of.indexOf(":")), of.slice(of.indexOf(":") + 1)];
    const mapping = mappings.find((one) => one.name === name);
    return isOf[kind] ? isOf[kind](row, name, mapping && mapping.security) : true;
}

// Not seen for that many days; who was never seen is one of them.
export const isUnseen = (days, row, now) => !days || row.last_seen === null || now - new Date(row.last_seen).getTime() > days * 86400000;
