// The one way to the gateway. Everything that fails is an ApiError: also no connection (status 0), and somebody else's
// edit (412), which brings what is there now as `theirs`.
import { session, endSession } from "./session.js";
import { makeStore } from "./store.js";

export const BASE = "/admin/v1/";

// "on" while requests get through; core/live.js looks after it while they do not.
export const connection = makeStore({ state: "on", since: null });

export function setConnection(state) {
    if (connection.get().state !== state) connection.set({ state, since: state === "on" ? null : Date.now() });
}

class ApiError extends Error {
    // type: the slug ("invalid", "stale", "conflict", …); errors: [{pointer, detail}]; more: all members of the problem
    constructor(status, problem) {
        super(problem.detail || problem.title || `The gateway answered with ${status}.`);
        this.status = status;
        this.type = slugOf(problem.type);
        this.errors = Array.isArray(problem.errors) ? problem.errors : [];
        this.more = problem;
    }
}

const slugOf = (type) => String(type || "").replace(/.*[/:#]/, "");

// "mappings", "a b" -> "mappings/a%20b"
export const pathOf = (...parts) => parts.map(encodeURIComponent).join("/");

function withQuery(path, query) {
    const given = Object.entries(query || {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
    return BASE + path + (given.length ? "?" + new URLSearchParams(given) : "");
}

// Headers and body are fetch's. Returns the Response, whatever its status.
export async function rawRequest(method, path, { query, headers, body, signal } = {}) {
    const { token } = session.get();
    let response;
    try {
        response = await fetch(withQuery(path, query), {
            method,
            headers: { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...headers },
            body,
            signal,
            cache: "no-store",
            credentials: "omit",
        });
    } catch (error) {
        if (error.name === "AbortError") throw error;
        setConnection("lost");
        throw new ApiError(0, { type: "unreachable", detail: "The gateway does not answer. Nothing was changed that it did not confirm." });
    }
    setConnection("on");
    if (response.status === 401 && token && token === session.get().token) endSession(await problemOf(response.clone()).then((p) => p.detail));
    return response;
}

async function problemOf(response) {
    try {
        const problem = await response.json();
        return problem && typeof problem === "object" ? problem : {};
    } catch {
        return {};
    }
}

const errorOf = async (response) => new ApiError(response.status, await problemOf(response));

// {status, data, etag, location}. `body` is sent as JSON; `patch: true` as a merge patch; `etag` is If-Match.
export async function request(method, path, { query, body, patch, etag, headers, signal } = {}) {
    const sent = { ...headers };
    if (body !== undefined) sent["Content-Type"] = patch ? "application/merge-patch+json" : "application/json";
    if (etag) sent["If-Match"] = etag;
    const response = await rawRequest(method, path, {
        query,
        headers: sent,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal,
    });
    if (!response.ok) throw await errorOf(response);
    const isJson = (response.headers.get("Content-Type") || "").includes("json");
    const data = response.status === 204 ? null : isJson ? await response.json() : await response.text();
    return { status: response.status, data, etag: response.headers.get("ETag"), location: response.headers.get("Location") };
}

export const get = async (path, query, signal) => (await request("GET", path, { query, signal })).data;

// {item, etag}
export async function readItem(path, signal) {
    const { data, etag } = await request("GET", path, { signal });
    return { item: data, etag };
}

// All pages of a collection, in its order. `onPage(items so far)` lets a screen show the first ones at once.
export async function readAll(path, { query, onPage, signal, limit = 1000 } = {}) {
    const items = [];
    for (let cursor; cursor !== null; ) {
        const page = await get(path, { limit, ...query, cursor }, signal);
        for (const item of page.items) items.push(item);
        cursor = page.next === undefined ? null : page.next;
        if (onPage && cursor !== null) onPage(items.slice());
    }
    return items;
}

// PUT or PATCH of something that was read. Where somebody was faster, the error has what is there now.
async function change(method, path, { etag, body, patch, query } = {}) {
    try {
        return await request(method, path, { etag, body, patch, query });
    } catch (error) {
        if (error.status === 412) error.theirs = await readItem(path).catch(() => null);
        throw error;
    }
}

export const create = (path, body, query) => request("POST", path, { body, query });
// What POST try would send for an order: nothing goes out.
export const previewOf = async (order) => (await create("try", order, { dry_run: true })).data;

export const makeItem = (path, body, query) => request("PUT", path, { body, query, headers: { "If-None-Match": "*" } });
export const replaceItem = (path, etag, body, query) => change("PUT", path, { etag, body, query });
export const patchItem = (path, etag, body, query) => change("PATCH", path, { etag, body, patch: true, query });

// Saved by the browser as a file; the token cannot be in a link.
export async function download(path, name) {
    const response = await rawRequest("GET", path);
    if (!response.ok) throw await errorOf(response);
    saveAs(await response.blob(), name);
}

export function saveAs(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
