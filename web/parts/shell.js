// What is around every screen: navigation, how the gateway is, the theme, the notices, the keys; and the line at the top
// while there is no connection.
import { html, useState, useEffect, useErrorBoundary } from "../vendor/preact.js";
import { useRoute, match } from "../core/route.js";
import { useSession, signOut } from "../core/session.js";
import { connection } from "../core/api.js";
import { useStore } from "../core/store.js";
import { useTheme, setTheme, themes } from "../core/theme.js";
import { useKeys, useKeyList } from "../core/keys.js";
import { useHealth } from "../core/health.js";
import { screens } from "../screens/index.js";
import { Icon } from "./icon.js";
import { Status } from "./status.js";
import { Dialog } from "./dialog.js";
import { Notices } from "./notice.js";
import { ConfirmSend } from "./confirm-send.js";
import { SignInScreen, SignInDialog } from "./sign-in.js";

// ---- Navigation

const places = screens.filter((screen) => screen.nav).sort((one, other) => one.place - other.place);

const Link = ({ screen, isHere }) => html`<li><a href=${`#/${screen.path}`} aria-current=${isHere ? "page" : undefined}><${Icon} name=${screen.icon} /><span>${screen.nav}</span></a></li>`;

function Navigation({ here, isOpen }) {
    const of = here && (here.screen.under || here.screen.path);
    return html`<nav id="navigation" aria-label="Screens" class=${isOpen ? "open" : ""}>
        <ul>${places.map((screen) => html`<${Link} key=${screen.path} screen=${screen} isHere=${of === screen.path} />`)}</ul>
        <${Settings} />
    </nav>`;
}

const themeIcons = { system: "system_theme", light: "sun", dark: "moon" };

function Settings() {
    const theme = useTheme();
    return html`<div class="nav-foot">
        <div class="themes" role="group" aria-label="Theme">
            ${themes.map((name) => html`<button key=${name} type="button" class="plain square" aria-pressed=${name === theme ? "true" : "false"} aria-label=${`Theme: ${name}`} title=${`Theme: ${name}`} onClick=${() => setTheme(name)}><${Icon} name=${themeIcons[name]} /></button>`)}
        </div>
        <button type="button" class="plain" onClick=${signOut}>Sign out</button>
    </div>`;
}

function Health() {
    const { tone, word } = useHealth();
    return html`<a class="health" href="#/" title="To the overview"><${Status} tone=${tone}>${word}<//></a>`;
}

// ---- The screen

function find(route) {
    for (const screen of screens) {
        const params = match(screen.path, route.parts);
        if (params) return { screen, params };
    }
    return null;
}

const loaded = new Map(); // screen -> component

function useComponent(screen) {
    const [, setTurn] = useState(0);
    const [failed, setFailed] = useState(null);
    useEffect(() => {
        if (!screen || loaded.has(screen)) return;
        screen.load().then((module) => (loaded.set(screen, module.default), setTurn((now) => now + 1)), setFailed);
    }, [screen]);
    return { Component: screen && loaded.get(screen), failed };
}

const Nowhere = () => html`<section class="empty"><h1>There is nothing here</h1><p>The address leads to no screen.</p><div class="actions"><a class="button" href="#/">To the overview</a></div></section>`;

const Broken = ({ what }) => html`<section class="empty" role="alert"><h1>This screen has failed</h1><p>${String(what && what.message)}</p><div class="actions"><button type="button" onClick=${() => location.reload()}>Load the page anew</button></div></section>`;

function Screen({ here, route }) {
    const { Component, failed } = useComponent(here && here.screen);
    const [error] = useErrorBoundary((thrown) => console.error(thrown));
    useEffect(() => {
        document.title = here ? `${Object.values(here.params)[0] || here.screen.title} – castgate` : "castgate";
    }, [route.hash]);
    if (!here) return html`<${Nowhere} />`;
    if (failed || error) return html`<${Broken} what=${failed || error} />`;
    return Component ? html`<${Component} key=${route.parts.join("/")} params=${here.params} query=${route.query} />` : null;
}

// ---- Around it

function Lost() {
    const { state, since } = useStore(connection);
    const [isShown, setShown] = useState(false);
    useEffect(() => {
        if (state === "on") return setShown(false);
        const timer = setTimeout(() => setShown(true), 700); // a mere hiccup is not worth a line
        return () => clearTimeout(timer);
    }, [state]);
    return html`<div role="status" aria-live="polite">${isShown && html`<p class="lost">No connection to the gateway since ${new Date(since).toLocaleTimeString("en-GB")}. What is shown is from then; this goes on by itself.</p>`}</div>`;
}

function KeyList({ onClose }) {
    const list = [{ key: "/", does: "Search" }, ...useKeyList()];
    return html`<${Dialog} title="Keys" onClose=${onClose}>
        <dl class="keys-list">${list.map(({ key, does }) => html`<div key=${key + does}><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>
    <//>`;
}

function Inside() {
    const route = useRoute();
    const here = find(route);
    const [isOpen, setOpen] = useState(false);
    const [areKeysShown, setKeysShown] = useState(false);
    useKeys([{ key: "?", does: "This list", run: () => setKeysShown(true) }]);
    useEffect(() => {
        setOpen(false);
        scrollTo(0, 0);
    }, [route.parts.join("/")]);
    return html`<div class="shell">
        <a class="skip" href="#content" onClick=${(event) => (event.preventDefault(), document.getElementById("content").focus())}>To the content</a>
        <header class="top">
            <button type="button" class="plain square menu" aria-expanded=${isOpen ? "true" : "false"} aria-controls="navigation" aria-label="Screens" onClick=${() => setOpen(!isOpen)}><${Icon} name=${isOpen ? "close" : "menu"} /></button>
            <a class="brand" href="#/"><img src="favicon.svg" alt="" width="22" height="22" /><span>castgate</span></a>
            <${Health} />
        </header>
        <${Navigation} here=${here} isOpen=${isOpen} />
        <main id="content" tabindex="-1"><${Lost} /><${Screen} key=${route.parts[0] || ""} here=${here} route=${route} /></main>
        <${Notices} />
        <${ConfirmSend} />
        ${areKeysShown && html`<${KeyList} onClose=${() => setKeysShown(false)} />`}
    </div>`;
}

export function Shell() {
    const { state, why } = useSession();
    if (state === "out") return html`<${SignInScreen} />`;
    return html`<div><${Inside} />${state === "ended" && html`<${SignInDialog} why=${why} />`}</div>`;
}
