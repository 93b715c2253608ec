// Whether a member has taken what is sent with the key in use, or may first ask whether that is fresh (Echo).
import { html } from "../vendor/preact.js";
import { Status } from "./status.js";

// warm: "cold", "warm", null: nobody can say
export const Warmth = ({ warm }) => warm && html`<${Status} tone=${warm === "warm" ? "ok" : "off"}>${warm}<//>`;
