// Trying a mapping, as it is saved or as it stands in the form: the request, what it would send, and who answered when, with
// what was predicted beside what was measured.
import { html, useState, useEffect, useRef } from "../vendor/preact.js";
import { METHODS, passing } from "../core/access.js";
import { create, previewOf, get, pathOf } from "../core/api.js";
import { useMay } from "../core/role.js";
import { href } from "../core/route.js";
import { bytes, ms, number } from "../core/format.js";
import { exchangeWords, pathOfMapping } from "../core/words.js";
import { Field } from "../parts/field.js";
import { Timeline } from "../parts/timeline.js";
import { Answers } from "../parts/answers.js";
import { Preview } from "../parts/preview.js";
import { Copyable } from "../parts/copyable.js";
import { askToSend } from "../parts/confirm-send.js";
import { keepReply, withReply } from "../parts/trial.js";
import { Labelled } from "./mapping-fields.js";
import { isWhole, dataCurl } from "./mapping-side.js";

const WAIT_MS = 400;
const LOOK_MS = 700;
const SEEN = 0.6; // of the window's height: what begins below is scrolled to
const BODIES = ["FETCH", "PUT", "POST", "PATCH", "iPATCH"];
const TYPES = ["text/plain;charset=utf-8", "application/json", "application/cbor", "application/senml+json", "application/octet-stream"];

// What POST try takes. The form's mapping goes as a whole where it is not what is saved.
function orderOf(asked, form, name) {
    const isUnsaved = name === null || form.isChanged;
    const order = { mapping: isUnsaved ? form.values : name, method: asked.method };
    for (const key of ["path", "client", "timeout"]) if (asked[key] !== undefined) order[key] = asked[key];
    if (BODIES.includes(asked.method) && asked.body) {
        order.body = asked.body;
        if (asked.content_type) order.content_type = asked.content_type;
    }
    return order;
}

// ---- Beforehand

function useSends(order, isWanted) {
    const [state, setState] = useState({ preview: null, error: null });
    const turn = useRef(0);
    const key = JSON.stringify(order);
    useEffect(() => {
        const mine = ++turn.current;
        if (!isWanted) return;
        const show = (next) => mine === turn.current && setState(next);
        const timer = setTimeout(() => previewOf(order).then((preview) => show({ preview, error: null }), (error) => show({ preview: null, error })), WAIT_MS);
        return () => clearTimeout(timer);
    }, [key, isWanted]);
    useEffect(() => () => void turn.current++, []);
    return state;
}

// ---- While it runs: the exchange is found among those that run, since the reply comes at its end only

const running = async () => (await get("exchanges", { outcome: "running", limit: 50 })).items.map(({ id }) => id);

function watch(known, show) {
    let timer = null;
    let id = null;
    const look = async () => {
        try {
            id = id || (await running()).find((one) => !known.includes(one));
            if (id) show(await get(pathOf("exchanges", id)));
        } catch {
            // looked at again
        }
        timer = timer === null ? null : setTimeout(look, LOOK_MS);
    };
    timer = setTimeout(look, LOOK_MS);
    return () => {
        clearTimeout(timer);
        timer = null;
    };
}

// {exchange, reply, error, isBusy, send(order)}
function useTrial() {
    const [state, setState] = useState({ exchange: null, reply: null, error: null, isBusy: false });
    const isOver = useRef(false);
    useEffect(() => () => void (isOver.current = true), []);
    const set = (next) => isOver.current || setState(next);
    const send = async (order) => {
        if (!(await askToSend(order))) return;
        set({ exchange: null, reply: null, error: null, isBusy: true });
        const known = await running().catch(() => []);
        const stop = watch(known, (exchange) => set((was) => (was.isBusy ? { ...was, exchange } : was)));
        try {
            const { data: reply } = await create("try", order);
            keepReply(reply);
            const exchange = await get(pathOf("exchanges", reply.exchange));
            set({ exchange, reply, error: null, isBusy: false });
        } catch (error) {
            set({ exchange: null, reply: null, error, isBusy: false });
        } finally {
            stop();
        }
    };
    return { ...state, send };
}

// ---- Afterwards

const Compared = ({ predicted, measured }) => html`<table class="plain-table compared">
    <thead><tr><th scope="col"></th><th scope="col">Predicted</th><th scope="col">Measured</th></tr></thead>
    <tbody class="num">
        <tr><th scope="row">Datagrams sent</th><td>${predicted.at_most > predicted.datagrams ? `${number(predicted.datagrams)} to ${number(predicted.at_most)}` : number(predicted.datagrams)}</td><td>${number(measured.datagrams)}</td></tr>
        <tr><th scope="row">Sent to groups</th><td>${predicted.by_unicast ? "0" : number(predicted.targets.length)}</td><td>${number(measured.to_groups)}</td></tr>
        <tr><th scope="row">Bytes sent</th><td>${bytes(predicted.bytes)}</td><td>${bytes(measured.bytes)}</td></tr>
        <tr><th scope="row">Datagrams received</th><td>${number(predicted.expected)}</td><td>${number(measured.received)}</td></tr>
    </tbody>
</table>`;

function Result({ trial }) {
    const { exchange, reply, error, isBusy } = trial;
    if (error) return html`<section role="alert"><h2>Not answered</h2><p class="error">${error.message}</p></section>`;
    if (isBusy && !exchange) return html`<p class="faint waiting" role="status">Waiting for answers …</p>`;
    if (!exchange) return null;
    return html`<section class="result" aria-live="polite"><h2>${isBusy ? "Waiting for answers …" : "What came of it"}</h2>
        <p>${exchangeWords(exchange)}</p>
        <${Timeline} exchange=${exchange} size="large" />
        ${isBusy && exchange.timeline && html`<p class="hint">Answers are taken until the mark, ${ms(exchange.timeline.deadline_ms)}, or as long as “Finished when” of the mapping says.</p>`}
        ${reply && html`<p class="hint">What was sent is not what is: only members that answered have said something. <a href=${href("exchanges", exchange.id)}>The whole exchange</a></p>`}
    </section>
    <section><h2>Members</h2><${Answers} exchange=${withReply(exchange)} /></section>
    ${reply && html`<section><h2>Predicted and measured</h2><${Compared} ...${reply} /></section>`}`;
}

// ---- The request

const methodsFor = (values, isAdmin) => METHODS.filter((one) => isAdmin || passing(values).includes(one));

function Request({ asked, set, form, name, clients, isAdmin, client }) {
    const field = (key, more) => html`<${Field} name=${key} value=${asked[key]} onChange=${(value) => set({ ...asked, [key]: value })} ...${more} />`;
    const grants = ["anonymous", ...clients.map((one) => one.name)];
    const offered = client && !grants.includes(client) ? [...grants, client] : grants;
    const path = pathOfMapping({ name: name || "", ...form.values });
    return html`<div class="request">
        <div class="field"><label for="try-method">Method</label><select id="try-method" onChange=${(event) => set({ ...asked, method: event.target.value })}>
            ${methodsFor(form.values, isAdmin).map((one) => html`<option key=${one} value=${one} selected=${one === asked.method}>${one}${passing(form.values).includes(one) ? "" : " (no client's)"}</option>`)}
        </select></div>
        ${field("path", { label: "Path below the mapping", help: html`What comes after <code>${path}</code>, with a query: empty for the mapping's own resource. <code>/.well-known/core</code> asks members what they have.` })}
        ${BODIES.includes(asked.method) && html`<${Labelled} label="Body" help="Sent as it stands here.">
            ${(attributes) => html`<textarea ...${attributes} rows="4" spellcheck=${false} value=${asked.body || ""} onInput=${(event) => set({ ...asked, body: event.target.value || undefined })} />`}<//>`}
        ${BODIES.includes(asked.method) && field("content_type", { label: "Content type", suggestions: TYPES, help: "Without one: plain text." })}
        <div class="field"><label for="try-client">As this client</label><select id="try-client" onChange=${(event) => set({ ...asked, client: event.target.value || undefined })}>
            <option value="" selected=${!asked.client}>${isAdmin ? "as yourself: no grant is needed" : "as yourself"}</option>
            ${offered.map((one) => html`<option key=${one} value=${one} selected=${one === asked.client}>${one === "anonymous" ? "anybody (anonymous)" : one}</option>`)}
        </select><p class="hint">Then that client's grants and budgets count.</p></div>
        ${field("timeout", { label: "Collect for", schema: { type: "integer", minimum: 0, maximum: 3600, "x-unit": "seconds" }, help: "Empty: the mapping's timeout." })}
    </div>`;
}

export function Try({ form, name, item, clients, client, gateway, isShown }) {
    const isAdmin = useMay("admin");
    const [asked, set] = useState({ method: "GET", client: client || undefined });
    const isUnsaved = name === null || form.isChanged;
    const isReady = isWhole(form.values, false) && form.isFine && (isUnsaved || item.state === "in-use");
    const order = orderOf(asked, form, name);
    const { preview, error } = useSends(order, isShown && isReady);
    const trial = useTrial();
    const curl = dataCurl(gateway, { name: name || "", ...form.values }, { ...order, contentType: order.content_type });
    const place = useRef(null);
    useEffect(() => {
        if (trial.isBusy && place.current.getBoundingClientRect().top > innerHeight * SEEN) place.current.scrollIntoView();
    }, [trial.isBusy]);
    const submit = (event) => {
        event.preventDefault();
        trial.send(order);
    };
    return html`<div class="stack">
        <form onSubmit=${submit}><div class="with-side">
            <div class="section">
                ${isUnsaved && html`<p class="notice-line">This tries the mapping as it stands in the settings, without saving it.</p>`}
                ${!isReady && html`<p class="notice-line">${isUnsaved ? "Group and protection are needed first: see the settings." : item.reason || "It is out of use, so it cannot be tried."}</p>`}
                <${Request} asked=${asked} set=${set} form=${form} name=${name} clients=${clients} isAdmin=${isAdmin} client=${client} />
                <div class="actions"><button class="primary" disabled=${trial.isBusy || !isReady}>${trial.isBusy ? "Waiting for answers …" : `Send ${asked.method}`}</button></div>
            </div>
            <aside aria-label="What would go out"><h2>What would go out</h2>
                ${!isReady ? html`<p class="hint">Nothing yet.</p>` : error ? html`<p class="error">${error.message}</p>` : preview ? html`<${Preview} ...${preview} />` : html`<p class="faint">Working it out …</p>`}
                <details class="commands"><summary>As a client's command</summary><${Copyable} label="the client's request" text=${curl} /></details>
            </aside>
        </div></form>
        <div class="stack outcome" ref=${place}><${Result} trial=${trial} /></div>
    </div>`;
}
