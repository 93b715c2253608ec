// What the gateway's own description says of a setting, and a check of what is typed against it before it is sent. The
// gateway checks again, and its word counts; here is only what a JSON Schema can say.
import { get } from "./api.js";
import { useState, useEffect } from "../vendor/preact.js";
import { useEvents } from "./live.js";
import { number } from "./format.js";

// What everything that is stored may be called.
export const NAME = { type: "string", pattern: "^[a-z0-9][a-z0-9._-]{0,63}$" };

let document; // a promise of openapi.json, read once

// useSchema("MappingSet") -> the schema with its references resolved, or null until it is there
export function useSchema(name) {
    const [schema, setSchema] = useState(null);
    const [turn, setTurn] = useState(0);
    useEvents(["back"], () => setTurn((now) => now + 1));
    useEffect(() => {
        document = document || get("openapi.json").catch((error) => ((document = null), Promise.reject(error)));
        document.then((whole) => setSchema(resolve(whole, whole.components.schemas[name])), () => {}); // it is asked for again when the connection is back
    }, [name, turn]);
    return schema;
}

function resolve(whole, schema, depth = 0) {
    if (!schema || typeof schema !== "object" || depth > 12) return schema;
    if (Array.isArray(schema)) return schema.map((one) => resolve(whole, one, depth + 1));
    if (schema.$ref) return resolve(whole, schema.$ref.slice(2).split("/").reduce((at, key) => at[key], whole), depth + 1);
    return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, resolve(whole, value, depth + 1)]));
}

const typesOf = (schema) => (Array.isArray(schema.type) ? schema.type : schema.type ? [schema.type] : schema.enum ? ["enum"] : []);

export const hasType = (schema, type) => typesOf(schema).includes(type);

export const isNumeric = (schema) => hasType(schema, "number") || hasType(schema, "integer");

function rangeWords({ minimum, maximum, exclusiveMinimum, "x-unit": unit }) {
    const parts = [];
    if (exclusiveMinimum !== undefined) parts.push(`above ${number(exclusiveMinimum)}`);
    if (minimum !== undefined) parts.push(`at least ${number(minimum)}`);
    if (maximum !== undefined) parts.push(`at most ${number(maximum)}`);
    return parts.length ? parts.join(" and ") + (unit ? ` ${unit}` : "") : "";
}

function checkNumber(schema, value) {
    if (typeof value !== "number" || !Number.isFinite(value)) return "This must be a number.";
    if (hasType(schema, "integer") && !hasType(schema, "number") && !Number.isInteger(value)) return "This must be a whole number.";
    const isInside = !(value < schema.minimum) && !(value > schema.maximum) && !(value <= schema.exclusiveMinimum);
    return isInside ? null : `This must be ${rangeWords(schema)}.`;
}

function checkText(schema, value) {
    if (schema.minLength > value.length) return "This must not be empty.";
    if (schema.maxLength < value.length) return `This may have ${number(schema.maxLength)} characters at most.`;
    if (schema.pattern && !new RegExp(schema.pattern, "u").test(value)) return patternWords[schema.pattern] || `This must look like ${schema.pattern}`;
    return null;
}

const patternWords = {
    "^[a-z0-9][a-z0-9._-]{0,63}$": "Small letters, digits and . _ - only, up to 64, beginning with a letter or digit.",
    "^/": "This must begin with a slash.",
    "^[Cc][Oo][Aa][Pp]://": "This must begin with coap://",
    "^[Cc][Oo][Aa][Pp][Ss]?([+][Tt][Cc][Pp])?://": "This must begin with coap://, coaps://, coap+tcp:// or coaps+tcp://",
};

// null: fine, or a sentence that says what would be right. undefined (not set) is always fine.
export function check(schema, value) {
    if (!schema || value === undefined) return null;
    if (value === null) return hasType(schema, "null") || (schema.enum || []).includes(null) ? null : "This must not be empty.";
    if (schema.enum) return schema.enum.includes(value) ? null : `This must be one of ${schema.enum.join(", ")}.`;
    if (typeof value === "number" || (isNumeric(schema) && !hasType(schema, "string"))) return isNumeric(schema) ? checkNumber(schema, value) : "This must be a text.";
    if (typeof value === "string" && typesOf(schema).length) return hasType(schema, "string") ? checkText(schema, value) : null;
    if (Array.isArray(value) && schema.items) return checkList(schema, value);
    if (typeof value === "object" && schema.properties) return checkParts(schema.properties, value);
    return null;
}

const checkParts = (properties, object) => Object.keys(object).map((key) => check(properties[key], object[key])).find(Boolean) || null;

function checkList(schema, list) {
    if (schema.minItems > list.length) return `At least ${number(schema.minItems)} must be given.`;
    if (schema.maxItems < list.length) return `At most ${number(schema.maxItems)} may be given.`;
    return list.map((one) => check(schema.items, one)).find(Boolean) || null;
}

// What a field says of itself when nothing is set: "default 60 seconds".
export function defaultWords(schema) {
    if (schema.default === undefined || schema.default === null) return "";
    const value = Array.isArray(schema.default) ? schema.default.join(", ") || "none" : schema.default === true ? "yes" : schema.default === false ? "no" : String(schema.default);
    return `default ${value}${schema["x-unit"] ? ` ${schema["x-unit"]}` : ""}`;
}
