// A small chart over time. uPlot is fetched when the first one is drawn; colours are the theme's. For who does not see it,
// the caption has the last value in words.
import { html, useEffect, useRef } from "../vendor/preact.js";
import { number } from "../core/format.js";
import { useTheme } from "../core/theme.js";

const HEIGHT = 72;

// light-dark() is no colour to a canvas: it is what an element has that is painted with it.
function painted(element, name) {
    element.style.color = `var(${name})`;
    const found = getComputedStyle(element).color;
    element.style.color = "";
    return found;
}

const fade = (rgb, alpha) => rgb.replace(/^rgba?\(([^,]+),([^,]+),([^,)]+).*$/, `rgba($1,$2,$3,${alpha})`);

function optionsFor(element, tone) {
    const line = painted(element, tone);
    return {
        width: element.clientWidth || 200,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        padding: [4, 0, 0, 0],
        scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(high, 1)] } },
        axes: [{ show: false }, { show: false }],
        series: [{}, { stroke: line, fill: fade(line, 0.12), width: 1.5, points: { show: false } }],
    };
}

function loadStyle() {
    if (document.querySelector("link[data-uplot]")) return;
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = "vendor/uplot.css";
    link.dataset.uplot = "";
    document.head.append(link);
}

async function draw(element, points, tone, state) {
    loadStyle();
    const { default: UPlot } = await import("../vendor/uplot.js");
    if (state.isOver) return;
    if (!state.plot) state.plot = new UPlot(optionsFor(element, tone), state.points || points, element);
    else state.plot.setData(points);
}

// points: [[unix seconds…], [values…]]; unit: "per minute"; tone: a token's name ("--accent", "--bad")
export function Chart({ title, unit, points, tone = "--accent", value }) {
    const element = useRef(null);
    const state = useRef({});
    const theme = useTheme();
    useEffect(() => {
        const mine = (state.current = { points });
        const watch = new ResizeObserver(() => mine.plot && mine.plot.setSize({ width: element.current.clientWidth, height: HEIGHT }));
        watch.observe(element.current);
        return () => {
            mine.isOver = true;
            watch.disconnect();
            if (mine.plot) mine.plot.destroy();
        };
    }, [theme]);
    useEffect(() => {
        state.current.points = points;
        draw(element.current, points, tone, state.current);
    }, [points, theme]);
    const last = value === undefined ? points[1][points[1].length - 1] : value;
    return html`<figure class="chart">
        <figcaption><span>${title}</span> <strong class="num">${number(last === undefined ? null : last)}</strong> <small>${unit}</small></figcaption>
        <div class="plot" ref=${element} aria-hidden="true"></div>
    </figure>`;
}
