// A small chart over time, as wide as its place is. For who does not see it, the caption has the last value in words.
import { html } from "../vendor/preact.js";
import { number } from "../core/format.js";

const WIDTH = 1000; // of the drawing, which is stretched; lines are not (vector-effect)
const HEIGHT = 72;
const EDGE = 2; // above and below, so that a line at the edge is whole

// "0,70 12.5,31 …"
function lineOf([times, values]) {
    const span = Math.max(1, times[times.length - 1] - times[0]);
    const most = Math.max(1, ...values);
    const x = (time) => ((time - times[0]) / span) * WIDTH;
    const y = (value) => HEIGHT - EDGE - (value / most) * (HEIGHT - 2 * EDGE);
    return times.map((time, i) => `${x(time).toFixed(1)},${y(values[i]).toFixed(1)}`).join(" ");
}

function Drawing({ points, tone }) {
    const line = lineOf(points);
    const last = line.slice(line.lastIndexOf(" ") + 1).split(",")[0];
    return html`<svg class=${`plot ${tone}`} viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        <polygon points=${`0,${HEIGHT} ${line} ${last},${HEIGHT}`} />
        <polyline points=${line} />
    </svg>`;
}

// points: [[unix seconds…], [values…]]; unit: "a minute"; tone: "accent", "ok", "warn" or "bad"
export function Chart({ title, unit, points, tone = "accent" }) {
    const last = points[1][points[1].length - 1];
    return html`<figure class="chart">
        <figcaption><span>${title}</span> <strong class="num">${number(last)}</strong> <small>${unit}</small></figcaption>
        <${Drawing} points=${points} tone=${tone} />
    </figure>`;
}
