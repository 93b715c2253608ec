// Light, dark, or what the system says. The choice is this browser's, and no secret.
import { makeStore, useStore } from "./store.js";

const KEY = "castgate.theme";
export const themes = ["system", "light", "dark"];
const theme = makeStore("system");
export const useTheme = () => useStore(theme);

export function startTheme() {
    setTheme(localStorage.getItem(KEY) || "system");
}

export function setTheme(name) {
    const known = themes.includes(name) ? name : "system";
    localStorage.setItem(KEY, known);
    if (known === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = known;
    theme.set(known);
}
