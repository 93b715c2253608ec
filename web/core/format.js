// Numbers and times as text. Lists and tables show them in tabular figures (class "num").
const numbers = new Intl.NumberFormat("en-GB");
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const whole = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export const number = (value) => (value === null || value === undefined ? "–" : numbers.format(value));

// "1 member", "3 members"
export const count = (value, one, many = one + "s") => `${number(value)} ${value === 1 ? one : many}`;

// Milliseconds: "412 ms", "1.25 s", "3 min 5 s"
export function ms(value) {
    if (value === null || value === undefined) return "–";
    if (value < 1000) return `${Math.round(value)} ms`;
    if (value < 60000) return `${trim((value / 1000).toFixed(value < 10000 ? 2 : 1))} s`;
    return seconds(value / 1000);
}

const trim = (text) => text.replace(/\.?0+$/, "");

// Seconds: "25 s", "3 min 5 s", "2 h 10 min", "12 days"
export function seconds(value) {
    if (value === null || value === undefined) return "–";
    if (value < 60) return `${trim(value.toFixed(1))} s`;
    const rounded = Math.round(value);
    if (rounded < 3600) return join(Math.floor(rounded / 60), "min", rounded % 60, "s");
    if (rounded < 172800) return join(Math.floor(rounded / 3600), "h", Math.floor((rounded % 3600) / 60), "min");
    return count(Math.floor(rounded / 86400), "day");
}

const join = (more, of, rest, its) => (rest === 0 ? `${more} ${of}` : `${more} ${of} ${rest} ${its}`);

export function bytes(value) {
    if (value === null || value === undefined) return "–";
    if (value < 1024) return count(value, "byte");
    const steps = ["KiB", "MiB", "GiB", "TiB"];
    let step = -1;
    for (; value >= 1024 && step < steps.length - 1; step++) value /= 1024;
    return `${trim(value.toFixed(1))} ${steps[step]}`;
}

// 0.0312 -> "3.1 %"
export function percent(share) {
    if (share === null || share === undefined) return "–";
    const value = share * 100;
    return value > 0 && value < 0.1 ? "below 0.1 %" : `${trim(value.toFixed(value < 10 ? 1 : 0))} %`;
}

// RFC 3339 -> "14:03:21" today, "28 Nov, 14:03:21" before
export function time(text) {
    if (!text) return "–";
    const date = new Date(text);
    const isToday = date.toDateString() === new Date().toDateString();
    return isToday ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
}

export const fullTime = (text) => (text ? whole.format(new Date(text)) : "–");

// "just now", "3 min ago", "in 5 days"
export function ago(text, now = Date.now()) {
    if (!text) return "never";
    const past = (now - new Date(text).getTime()) / 1000;
    if (Math.abs(past) < 5) return "just now";
    return past < 0 ? `in ${coarse(-past)}` : `${coarse(past)} ago`;
}

function coarse(value) {
    if (value < 60) return `${Math.round(value)} s`;
    if (value < 3600) return `${Math.round(value / 60)} min`;
    if (value < 172800) return `${Math.round(value / 3600)} h`;
    return count(Math.round(value / 86400), "day");
}

export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// "max_timeout" -> "Max timeout"
export const keyWords = (key) => sentence(key).replace(/_/g, " ");
