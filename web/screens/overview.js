// Is it well? One sentence, four small charts, what wants to be done, and the last exchanges as they come.
import { html, useState } from "../vendor/preact.js";
import { useStore } from "../core/store.js";
import { connection } from "../core/api.js";
import { health } from "../core/health.js";
import { useFigures } from "../core/figures.js";
import { useExchanges } from "../core/exchanges.js";
import { href, go } from "../core/route.js";
import { time, count, number } from "../core/format.js";
import { exchangeWords, outcomeOf } from "../core/words.js";
import { useKeys } from "../core/keys.js";
import { Chart } from "../parts/chart.js";
import { Timeline } from "../parts/timeline.js";
import { Mark } from "../parts/status.js";
import { Icon } from "../parts/icon.js";
import { visible } from "../parts/payload.js";
import { Waiting } from "../parts/empty.js";
import { placeOf, isScreen } from "./places.js";
import { FirstSteps } from "./first-steps.js";

const SHOWN = 12;
const WARNINGS = 3; // shown before one asks for all
const LITTLE = 10; // exchanges, up to which there is advice what to try

// ---- The sentence

function sentenceOf({ ready, reasons, warningCount }, isLost) {
    if (isLost) return { tone: "off", text: "No connection to the gateway" };
    if (ready === null) return { tone: "busy", text: "Looking how it is …" };
    if (!ready) return { tone: "bad", text: `Not ready: ${reasons.join("; ") || "it does not say why"}` };
    if (warningCount > 0) return { tone: "warn", text: `Ready, and ${count(warningCount, "thing")} to look at` };
    return { tone: "ok", text: "Ready" };
}

function Sentence() {
    const state = useStore(health);
    const { tone, text } = sentenceOf(state, useStore(connection).state === "lost");
    return html`<div><h1 class="sentence"><${Mark} tone=${tone} /><span>${text}</span></h1>
        ${state.ready === false && isScreen("system") && html`<p><a href=${href("system")}>What the system says</a></p>`}</div>`;
}

const Warning = ({ warning, place }) => html`<li><${Mark} tone="warn" /><span>${warning.detail}${place && html` <a href=${place.href}>${place.words}</a>`}</span></li>`;

function Warnings() {
    const { warnings, warningCount } = useStore(health);
    const [isWhole, setWhole] = useState(false);
    if (warnings.length === 0) return null;
    const shown = isWhole ? warnings : warnings.slice(0, WARNINGS);
    return html`<section><h2>To look at</h2>
        <ul class="warnings">${shown.map((one) => html`<${Warning} key=${one.about + one.code} warning=${one} place=${placeOf(one.about)} />`)}</ul>
        ${warnings.length > WARNINGS && html`<button type="button" class="plain" aria-expanded=${isWhole ? "true" : "false"} onClick=${() => setWhole(!isWhole)}>${isWhole ? "Show fewer" : `Show all ${number(warnings.length)}`}</button>`}
        ${warningCount > warnings.length && isWhole && html`<p class="hint">There are ${number(warningCount - warnings.length)} more.</p>`}
    </section>`;
}

// ---- Charts

function Charts({ figures }) {
    return html`<section class="charts" aria-label="Per minute">
        <${Chart} title="Requests" unit="a minute" points=${figures.requests} />
        <${Chart} title="Answers" unit="a minute" points=${figures.answers} tone="ok" />
        <${Chart} title="Missing" unit="a minute" points=${figures.missing} tone="warn" />
        <${Chart} title="Rejected" unit="a minute" points=${figures.rejected} tone="bad" />
    </section>`;
}

// ---- The last exchanges

const Line = ({ exchange }) => html`<li><a href=${href("exchanges", exchange.id)}>
    <span class="time num">${time(exchange.begun)}</span>
    <span class="name">${visible(exchange.mapping || exchange.path || "")}</span>
    <${Timeline} exchange=${exchange} />
    <span class="said"><${Mark} tone=${outcomeOf(exchange).tone} /> ${exchangeWords(exchange)}</span>
</a></li>`;

function Pause({ isPaused, waiting, onTurn }) {
    return html`<button type="button" onClick=${onTurn} aria-pressed=${isPaused ? "true" : "false"}>
        <${Icon} name=${isPaused ? "play" : "pause"} />${isPaused ? (waiting > 0 ? `Go on (${waiting} new)` : "Go on") : "Pause"}
    </button>`;
}

export default function Overview() {
    const [isPaused, setPaused] = useState(false);
    const { items, loading, error, waiting, skipped, reload } = useExchanges({}, { limit: SHOWN, isPaused });
    const figures = useFigures();
    const turn = () => setPaused(!isPaused);
    useKeys([{ key: "p", does: "Pause the live list, or go on", run: turn }, { key: "x", does: "All exchanges", run: () => go("exchanges") }]);
    return html`<div class="overview stack">
        <${Sentence} />
        <${Warnings} />
        ${!loading && items.length < LITTLE && html`<${FirstSteps} />`}
        ${figures && html`<${Charts} figures=${figures} />`}
        <section>
            <div class="live-head"><h2>Last exchanges${figures && figures.running > 0 && html` <small class="num">${number(figures.running)} running</small>`}</h2><a href=${href("exchanges")} aria-label="All exchanges">All</a><${Pause} isPaused=${isPaused} waiting=${waiting} onTurn=${turn} /></div>
            ${items.length > 0
                ? html`<ul class="live-rows">${items.map((exchange) => html`<${Line} key=${exchange.id} exchange=${exchange} />`)}</ul>`
                : html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />`}
            ${skipped > 0 && html`<p class="hint waiting num">${count(skipped, "more exchange")} came faster than they can be shown; the counts above have them.</p>`}
            ${!loading && !error && items.length === 0 && html`<p class="faint">Nobody has asked for anything yet.</p>`}
        </section>
    </div>`;
}
