// What would go out, and who would gain or lose access: said before it is done.
import { html } from "../vendor/preact.js";
import { bytes, percent, number } from "../core/format.js";
import { Mark } from "./status.js";

const budgetOf = (sends) => sends.targets.map((target) => target.send_budget).filter(Boolean).sort((a, b) => b.share - a.share)[0];

// sends: as POST try?dry_run=true gives it
function Sends({ sends }) {
    const budget = budgetOf(sends);
    return html`<dl class="figures">
        <div><dt>Datagrams</dt><dd class="num">${number(sends.datagrams)}${sends.at_most > sends.datagrams && html` <small>at most ${number(sends.at_most)} with repairs</small>`}</dd></div>
        <div><dt>On the air</dt><dd class="num">${bytes(sends.bytes)}</dd></div>
        <div><dt>Frames (6LoWPAN)</dt><dd class="num">${number(sends.frames_6lowpan)}</dd></div>
        <div><dt>Expected to answer</dt><dd class="num">${number(sends.expected)}</dd></div>
        ${budget && html`<div><dt>Share of the send budget</dt><dd class="num">${percent(budget.share)} <small>of ${number(budget.requests)} in ${number(budget.seconds)} s</small></dd></div>`}
    </dl>
    ${sends.above_frame_size && html`<p class="hint"><${Mark} tone="warn" /> Larger than one frame: a lost frame loses it for the member.</p>`}`;
}

const accessWords = ({ client, mapping, methods }) => `${client} on ${mapping}: ${methods.join(", ")}`;

const Access = ({ title, tone, list }) => html`<section><h3>${title}</h3><ul class="bare">${list.map((one) => html`<li key=${accessWords(one)}><${Mark} tone=${tone} /> ${accessWords(one)}</li>`)}</ul></section>`;

// Of a change the sends of each mapping, of a trial those of the one.
const listOf = (sends) => [].concat(sends || []);

const Going = ({ sends, isOneOfMany }) => html`<section>
    ${sends.method && html`<h3>${isOneOfMany ? `What ${sends.method} ${sends.mapping} would send` : `What a ${sends.method} would send`}</h3>`}
    ${sends.problem ? html`<p class="hint"><${Mark} tone="warn" /> Nothing: ${sends.problem}</p>` : html`<${Sends} sends=${sends} />`}
</section>`;

// A dry run's answer: {sends, gains, loses, warnings}, each of which may be absent.
export function Preview({ sends, gains = [], loses = [], warnings = [] }) {
    return html`<div class="preview">
        ${listOf(sends).map((one) => html`<${Going} key=${one.mapping} sends=${one} isOneOfMany=${listOf(sends).length > 1} />`)}
        ${gains.length > 0 && html`<${Access} title="Gains access" tone="ok" list=${gains} />`}
        ${loses.length > 0 && html`<${Access} title="Loses access" tone="bad" list=${loses} />`}
        ${warnings.length > 0 && html`<section><h3>Worth knowing</h3><ul class="bare">${warnings.map((one) => html`<li key=${one.detail}><${Mark} tone="warn" /> ${one.detail}</li>`)}</ul></section>`}
    </div>`;
}
