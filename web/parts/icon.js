// Small pictures, drawn with strokes in the text's colour. Decoration only: whatever matters is said in words beside them.
import { html } from "../vendor/preact.js";

const paths = {
    overview: "M3 12l4-4 4 3 6-7M3 17h14",
    mappings: "M3 10h5M8 10l6-5M8 10h6M8 10l6 5M15 5h2M15 10h2M15 15h2",
    members: "M7 9a2.5 2.5 0 100-5 2.5 2.5 0 000 5zM2.5 16c0-2.5 2-4.5 4.500-4.500s4.500 2 4.500 4.500M13.500 9a2 2 0 100-4M14 12c2 .2 3.500 1.800 3.500 4",
    security: "M10 2.500l6 2.500v4.500c0 4-2.500 6.500-6 8-3.500-1.500-6-4-6-8V5z",
    clients: "M12.500 10.500a4 4 0 10-3.500-2l-6 6V17h2.500v-2H8v-2h1.500z",
    exchanges: "M3 7h13l-3-3M17 13H4l3 3",
    discovery: "M9 15a6 6 0 100-12 6 6 0 000 12zM13.500 13.500L17 17",
    reactions: "M11 2.500L4.500 11H10l-1 6.500L15.500 9H10z",
    history: "M3.500 6.500V3M3.500 6.500H7M3.700 6.300A7 7 0 113 10M10 6v4l3 2",
    system: "M4 4h12v5H4zM4 11h12v5H4zM7 6.500h.01M7 13.500h.01",
    menu: "M3 5.500h14M3 10h14M3 14.500h14",
    close: "M5 5l10 10M15 5L5 15",
    sun: "M10 13.500a3.500 3.500 0 100-7 3.500 3.500 0 000 7zM10 2v1.500M10 16.500V18M2 10h1.500M16.500 10H18M4.300 4.300l1.100 1.100M14.600 14.600l1.100 1.100M15.700 4.300l-1.100 1.100M5.400 14.600l-1.100 1.100",
    moon: "M16 12.500A6.500 6.500 0 018.500 3.300 7 7 0 1016 12.500z",
    system_theme: "M3 4h14v9.500H3zM7.500 17h5M10 13.500V17",
    up: "M10 15V5M6 9l4-4 4 4",
    down: "M10 5v10M6 11l4 4 4-4",
    pause: "M7 5v10M13 5v10",
    play: "M6.500 4.500v11l9-5.500z",
    download: "M10 3v9M6 8.500l4 4 4-4M3.500 16.500h13",
    again: "M16.500 4v4h-4M16.300 8A7 7 0 1017 11",
    plus: "M10 4v12M4 10h12",
    next: "M8 5l5 5-5 5",
    copy: "M7 7h9v9H7zM4 13V4h9",
    more: "M5 10a.6.6 0 10-1.2 0 .6.6 0 001.2 0zM10.600 10a.6.6 0 10-1.2 0 .6.6 0 001.2 0zM16.200 10a.6.6 0 10-1.2 0 .6.6 0 001.2 0z",
};

export const Icon = ({ name }) => html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d=${paths[name]} /></svg>`;
