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
        scales: { x: { time: true }, y: { range: (_, low, high) => [-0.03 * Math.max(high, 1), 1.05 * Math.max(high, 1)] } },
        axes: [{ show: false }, { show: false }],
        series: [{}, { stroke: line, fill: fade(line, 0.12), width: 1.5, points: { show: false } }],
    };
}

// uPlot as published in its small form, which is a script and no module; and its style. Once.
let library = null;

function element(name, attributes) {
    return new Promise((resolve, reject) => {
        const made = Object.assign(document.createElement(name), attributes, { onload: resolve, onerror: reject });
        document.head.append(made);
    });
}

const fetchLibrary = () => Promise.all([element("link", { rel: "stylesheet", href: "vendor/uplot.css" }), element("script", { src: "vendor/uplot.js" })]);

// Undefined where it cannot be had now: then the numbers are all there is, until the next ones come.
function loadLibrary() {
    library = library || fetchLibrary().catch(() => (library = null));
    return library.then(() => globalThis.uPlot);
}

async function draw(place, tone, state) {
    const UPlot = await loadLibrary();
    if (!UPlot || state.isOver) return;
    if (state.plot) state.plot.setData(state.points);
    else state.plot = new UPlot(optionsFor(place, tone), state.points, place);
}

// points: [[unix seconds…], [values…]]; unit: "per minute"; tone: a token's name ("--accent", "--bad")
export function Chart({ title, unit, points, tone = "--accent", value }) {
    const place = useRef(null);
    const state = useRef({});
    const theme = useTheme();
    useEffect(() => {
        const mine = (state.current = { points });
        const watch = new ResizeObserver(() => mine.plot && mine.plot.setSize({ width: place.current.clientWidth, height: HEIGHT }));
        watch.observe(place.current);
        return () => {
            mine.isOver = true;
            watch.disconnect();
            if (mine.plot) mine.plot.destroy();
        };
    }, [theme]);
    useEffect(() => {
        state.current.points = points;
        draw(place.current, tone, state.current);
    }, [points, theme]);
    const last = value === undefined ? points[1][points[1].length - 1] : value;
    return html`<figure class="chart">
        <figcaption><span>${title}</span> <strong class="num">${number(last === undefined ? null : last)}</strong> <small>${unit}</small></figcaption>
        <div class="plot" ref=${place} aria-hidden="true"></div>
    </figure>`;
}
