// The answer timeline: one exchange from the multicast to the deadline, one dot an answer, where it arrived. What came by
// multicast stands on the line, what came by unicast below it; failed ones are hollow, late ones behind the deadline's mark,
// the silent ones at the right end by name.
//
// The hard thing: answers come within milliseconds or within a minute, and both must be told apart at a glance. So time is
// drawn by its cube root, the same for all exchanges; the large form has ticks that say so.
import { html } from "../vendor/preact.js";
import { exchangeWords, causeWords } from "../core/words.js";
import { ms, number, count } from "../core/format.js";

const DEADLINE_AT = 92; // per cent of the width; behind it is what came too late
const DOTS_UP_TO = { small: 60, large: 160 }; // beyond, columns show how many
const COLUMNS = { small: 48, large: 96 };
const NAMED = 12; // silent members

const place = (time, deadline) => Math.min(99, 0.8 + (DEADLINE_AT - 0.8) * Math.cbrt(Math.max(0, time) / deadline));

const isFailed = (dot) => dot.failed === true || dot.outcome === "failed";
const isBelow = (dot) => dot.via === "unicast";

const dotsOf = (exchange) => exchange.answers || exchange.timeline.dots || [];

const toneOf = (dot) => (isFailed(dot) ? "failed" : isBelow(dot) ? "unicast" : dot.via === "cache" ? "cache" : "multicast");

// ---- Few: dots. In the large form those of one column stand upon each other, closer where they are many: none stands
// outside the drawing.

const counted = (columns) => columns.reduce((counts, column) => counts.set(column, (counts.get(column) || 0) + 1), new Map());

function stack(dots, deadline, { radius, isStacked, middle, top, bottom }) {
    const below = middle + radius * 2.2;
    const placed = dots.map((dot) => ({ dot, x: place(dot.ms, deadline) }));
    const columns = placed.map(({ x, dot }) => `${Math.round(x * 0.8)} ${isBelow(dot)}`);
    const counts = counted(columns);
    const heights = new Map();
    return placed.map(({ x, dot }, i) => {
        const level = heights.get(columns[i]) || 0;
        heights.set(columns[i], level + 1);
        const room = isBelow(dot) ? bottom - below : middle - top;
        const step = isStacked ? level * Math.min(radius * 2.1, room / Math.max(1, counts.get(columns[i]) - 1)) : 0;
        return { x, y: isBelow(dot) ? below + step : middle - step, dot };
    });
}

const Dots = ({ dots, deadline, shape }) => stack(dots, deadline, shape).map(({ x, y, dot }, i) => html`<circle key=${i} class=${`dot ${toneOf(dot)}`} cx=${`${x}%`} cy=${y} r=${shape.radius}>${shape.isStacked && html`<title>${`${dot.member || ""} ${ms(dot.ms)}`.trim()}</title>`}</circle>`);

// ---- Many: a strip of columns

function columnsOf(dots, deadline, columns) {
    const found = Array.from({ length: columns }, () => ({ above: 0, below: 0, failed: 0 }));
    for (const dot of dots) {
        const column = found[Math.min(columns - 1, Math.floor((place(dot.ms, deadline) / 100) * columns))];
        column[isBelow(dot) ? "below" : "above"]++;
        if (isFailed(dot)) column.failed++;
    }
    return found;
}

function Strip({ dots, deadline, columns, shape }) {
    const found = columnsOf(dots, deadline, columns);
    const most = Math.max(...found.map(({ above, below }) => Math.max(above, below)));
    const tall = (value) => (value === 0 ? 0 : Math.max(2, (shape.middle - 3) * Math.sqrt(value / most)));
    return found.map(({ above, below, failed }, i) => html`<g key=${i}>
        ${above > 0 && html`<rect class="bar" x=${`${(i * 100) / columns}%`} y=${shape.middle - tall(above)} width=${`${80 / columns}%`} height=${tall(above)} />`}
        ${below > 0 && html`<rect class="bar unicast" x=${`${(i * 100) / columns}%`} y=${shape.middle + 2} width=${`${80 / columns}%`} height=${Math.min(tall(below), shape.height - shape.middle - 4)} />`}
        ${failed > 0 && html`<rect class="bar failed" x=${`${(i * 100) / columns}%`} y=${shape.middle - tall(failed)} width=${`${80 / columns}%`} height=${tall(failed)} />`}
    </g>`);
}

// ---- What both stand on

const STEPS = [1, 10, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 30000, 60000, 120000, 300000, 600000, 1800000, 3600000];

function ticksOf(deadline) {
    const ticks = [];
    for (const step of STEPS) {
        const x = place(step, deadline);
        if (step < deadline && x < DEADLINE_AT - 9 && x - (ticks.length ? ticks[ticks.length - 1].x : -3) >= 9) ticks.push({ step, x });
    }
    return ticks;
}

const Ticks = ({ deadline, shape }) => html`<g class="ticks">
    ${ticksOf(deadline).map(({ step, x }) => html`<g key=${step}><line x1=${`${x}%`} x2=${`${x}%`} y1=${shape.middle - 3} y2=${shape.middle + 3} /><text x=${`${x}%`} y=${shape.height - 4} text-anchor="middle">${ms(step)}</text></g>`)}
    <text x=${`${DEADLINE_AT}%`} y=${shape.height - 4} text-anchor="end" class="strong">${ms(deadline)}</text>
</g>`;

const lateOf = ({ missing = [], summary }) => Math.min(Math.max(summary.late || 0, missing.filter(({ cause }) => cause === "late").length), 5);

function Ground({ exchange, shape, deadline }) {
    const { leisure_ms: leisure } = exchange.timeline;
    const leisureTo = place(Math.min(leisure || 0, deadline), deadline);
    return html`<g>
        ${leisure > 0 && html`<rect class="leisure" x="0" width=${`${leisureTo}%`} y=${shape.middle - 1.5} height="3" />`}
        <line class="axis" x1="0" x2="100%" y1=${shape.middle} y2=${shape.middle} />
        <line class="deadline" x1=${`${DEADLINE_AT}%`} x2=${`${DEADLINE_AT}%`} y1=${shape.top} y2=${shape.bottom} />
        ${Array.from({ length: lateOf(exchange) }, (_, i) => html`<circle key=${i} class="dot late" cx=${`${DEADLINE_AT + 2 + i * 1.4}%`} cy=${shape.middle} r=${shape.radius} />`)}
    </g>`;
}

const shapes = {
    small: { height: 24, middle: 11, top: 3, bottom: 21, radius: 3, isStacked: false },
    large: { height: 132, middle: 74, top: 10, bottom: 106, radius: 4.5, isStacked: true },
};

function Silent({ exchange, isLarge }) {
    const named = exchange.missing || [];
    const all = exchange.summary.missing;
    if (!isLarge && !all) return html`<span class="silent"></span>`; // so that all deadlines of a list stand in a line
    if (!all) return null;
    if (!isLarge || named.length === 0) return html`<span class="silent" aria-hidden="true"><i></i>${number(all)} silent</span>`;
    return html`<ul class="silent" aria-label="Silent">
        ${named.slice(0, NAMED).map((one) => html`<li key=${one.member || one.from}><strong>${one.member || one.from}</strong> ${causeWords(one.cause)}</li>`)}
        ${named.length > NAMED && html`<li>${count(named.length - NAMED, "more", "more")}, in the table</li>`}
    </ul>`;
}

// exchange: as GET exchanges (or exchanges/ID) has it. size: "small" (one row high) or "large".
export function Timeline({ exchange, size = "small" }) {
    const isLarge = size === "large";
    if (!exchange.timeline) return html`<div class=${`timeline ${size}`}><span class="hint">nothing was sent</span></div>`;
    const shape = shapes[size];
    const deadline = Math.max(1, exchange.timeline.deadline_ms);
    const dots = dotsOf(exchange);
    return html`<div class=${`timeline ${size}`}>
        <svg role="img" aria-label=${exchangeWords(exchange)} height=${shape.height} width="100%">
            <${Ground} exchange=${exchange} shape=${shape} deadline=${deadline} />
            ${isLarge && html`<${Ticks} deadline=${deadline} shape=${shape} />`}
            ${dots.length > DOTS_UP_TO[size] ? html`<${Strip} dots=${dots} deadline=${deadline} columns=${COLUMNS[size]} shape=${shape} />` : html`<${Dots} dots=${dots} deadline=${deadline} shape=${shape} />`}
        </svg>
        <${Silent} exchange=${exchange} isLarge=${isLarge} />
    </div>`;
}
