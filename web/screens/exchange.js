// One exchange: why did that one not answer? The timeline, then everybody, those who did not answer first.
import { html, useState, useEffect } from "../vendor/preact.js";
import { useGet } from "../core/data.js";
import { pathOf, download } from "../core/api.js";
import { useEvents } from "../core/live.js";
import { href } from "../core/route.js";
import { orderOf, sendAndShow, withReply } from "../parts/trial.js";
import { useMay } from "../core/role.js";
import { useKeys } from "../core/keys.js";
import { ms, fullTime, bytes, number, count } from "../core/format.js";
import { exchangeWords, outcomeOf, clientWords } from "../core/words.js";
import { Answers } from "../parts/answers.js";
import { Fact } from "../parts/fact.js";
import { Timeline } from "../parts/timeline.js";
import { Status } from "../parts/status.js";
import { Icon } from "../parts/icon.js";
import { Waiting } from "../parts/empty.js";
import { visible } from "../parts/payload.js";
import { tellError } from "../core/notices.js";

// ---- What it was

const Facts = ({ exchange }) => html`<dl class="facts">
    <${Fact} title="Request"><code>${visible(`${exchange.method} ${exchange.path}`)}</code><//>
    <${Fact} title="Client">${clientWords(exchange.client)}${exchange.from && html` <small>${exchange.from}</small>`}<//>
    <${Fact} title="Begun"><span class="num">${fullTime(exchange.begun)}</span><//>
    <${Fact} title="Took"><span class="num">${ms(exchange.ms)}</span>${exchange.summary.ended_by && html`, ${endWords(exchange.summary.ended_by)}`}<//>
    ${exchange.timeline && html`<${Fact} title="Leisure"><span class="num">${ms(exchange.timeline.leisure_ms)}</span><//>`}
    ${exchange.measured && html`<${Fact} title="On the air">${count(exchange.measured.datagrams, "datagram")}, ${bytes(exchange.measured.bytes)}<//>`}
</dl>`;

const endings = { all: "until all had answered", deadline: "to the deadline", quorum: "until enough had answered", count: "until enough had answered" };

const endWords = (by) => endings[by] || by;

// A deadline before the members' leisure is over cuts answers off that were to come.
function Advice({ exchange }) {
    const { timeline, summary } = exchange;
    if (!timeline || !summary.missing || timeline.deadline_ms >= timeline.leisure_ms) return null;
    return html`<p class="hint">Members may take ${ms(timeline.leisure_ms)} to answer (leisure), and the deadline came after ${ms(timeline.deadline_ms)}: a longer one may find more of them.</p>`;
}

// ---- What can be done

// What was sent along is not kept, so only what asks is sent again; commands are for the mapping's own try.
const isQuestion = ({ mapping, method, member }) => mapping !== null && method === "GET" && member === null;

const sendAgain = (exchange, setBusy) =>
    orderOf(exchange).then((order) => sendAndShow(order, setBusy), (error) => tellError(error, "Not sent"));

const save = (id, what, name) => download(pathOf("exchanges", id, what), name).catch((error) => tellError(error, "Not downloaded"));

function Actions({ exchange }) {
    const [isBusy, setBusy] = useState(false);
    const mayTry = useMay("operator") && exchange.mapping !== null;
    const mayAgain = mayTry && isQuestion(exchange);
    const again = () => sendAgain(exchange, setBusy);
    useKeys(mayAgain ? [{ key: "t", does: "Try again", run: again }] : []);
    return html`<div class="actions">
        <button type="button" onClick=${() => save(exchange.id, "pcap", `${exchange.id}.pcap`)}><${Icon} name="download" />Datagrams (pcap)</button>
        <button type="button" onClick=${() => save(exchange.id, "transcript", `${exchange.id}.transcript`)}><${Icon} name="download" />Transcript</button>
        ${mayTry && !mayAgain && html`<a class="button" href=${href("mappings", exchange.mapping, { tab: "try" })}>Try something else</a>`}
        ${mayAgain && html`<button type="button" class="primary" disabled=${isBusy} onClick=${again}><${Icon} name="again" />${isBusy ? "Waiting for answers …" : "Try again"}</button>`}
    </div>`;
}

// One that runs is looked at every second; that it has ended comes by the stream.
function useFollowing(exchange, reload) {
    const isRunning = exchange !== null && exchange.outcome === "running";
    useEffect(() => {
        if (!isRunning) return;
        const timer = setInterval(reload, 1000);
        return () => clearInterval(timer);
    }, [isRunning]);
}

export default function Exchange({ params }) {
    const { data: exchange, error, loading, reload } = useGet(pathOf("exchanges", params.id));
    useEvents(["exchange"], ({ id }) => id === params.id && reload());
    useFollowing(exchange, reload);
    if (!exchange) return html`<${Waiting} title="Exchange" loading=${loading} error=${error} onAgain=${reload} />`;
    const { tone, word } = outcomeOf(exchange);
    return html`<div class="exchange stack">
        <header class="head">
            <p class="crumb"><a href=${href("exchanges")}>Exchanges</a> / <span class="num">${exchange.id}</span></p>
            <h1>${visible(exchange.mapping || exchange.path || "")}</h1>
            <${Status} tone=${tone}>${word}<//>
            <span class="space"></span>
            <${Actions} exchange=${exchange} />
        </header>
        <section>
            <p>${exchangeWords(exchange)}</p>
            <${Timeline} exchange=${exchange} size="large" />
            ${exchange.problem && exchange.timeline && html`<p class="hint">${exchange.problem.detail}</p>`}
            <${Advice} exchange=${exchange} />
        </section>
        <${Facts} exchange=${exchange} />
        <section>
            <h2>Members</h2>
            <${Answers} exchange=${withReply(exchange)} />
            ${exchange.left_out > 0 && html`<p class="hint">${number(exchange.left_out)} more were too many to be kept.</p>`}
        </section>
    </div>`;
}
