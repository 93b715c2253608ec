// The page begins here: the token of the address is taken before anything is drawn, then the shell draws what the hash says.
import { html, render } from "./vendor/preact.js";
import { startSession } from "./core/session.js";
import { startRoute } from "./core/route.js";
import { startTheme } from "./core/theme.js";
import { startKeys } from "./core/keys.js";
import { startLive } from "./core/live.js";
import { startRole } from "./core/role.js";
import { startHealth } from "./core/health.js";
import { startFigures } from "./core/figures.js";
import { Shell } from "./parts/shell.js";

startTheme();
startSession();
startRoute();
startKeys();
startLive();
startRole();
startHealth();
startFigures();
const page = document.getElementById("page");
page.textContent = "";
render(html`<${Shell} />`, page);
