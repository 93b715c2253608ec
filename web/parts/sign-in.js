// Where a token is asked for: as a screen of its own at the beginning, as a dialog over what one was doing when it ends.
import { html, useState } from "../vendor/preact.js";
import { rawRequest } from "../core/api.js";
import { signIn, isToken } from "../core/session.js";
import { Dialog } from "./dialog.js";

// What the gateway says to the token; null: it takes it.
async function refusal(token) {
    try {
        const response = await rawRequest("GET", "warnings", { headers: { Authorization: `Bearer ${token}` } });
        if (response.ok) return null;
        if (response.status === 401) return "The gateway does not know this token, or it has expired.";
        if (response.status === 403) return "This token's client has no role on the admin side.";
        return `The gateway answered with ${response.status}.`;
    } catch (error) {
        return error.message;
    }
}

function TokenForm() {
    const [token, setToken] = useState("");
    const [state, setState] = useState({ error: null, isAsking: false });
    const submit = async (event) => {
        event.preventDefault();
        setState({ error: null, isAsking: true });
        const error = token.trim() === "" ? "A token is needed." : !isToken(token.trim()) ? "This is no token: it has a space or a character in it that none has." : await refusal(token.trim());
        if (error) setState({ error, isAsking: false });
        else signIn(token.trim());
    };
    return html`<form onSubmit=${submit}>
        <div class=${state.error ? "field wrong" : "field"}>
            <label for="token">Token</label>
            <input id="token" data-first type="password" autocomplete="off" spellcheck=${false} value=${token} onInput=${(event) => setToken(event.target.value)}
                aria-describedby="token-help" aria-invalid=${state.error ? "true" : undefined} />
            ${state.error && html`<p class="error" role="alert">${state.error}</p>`}
            <p class="hint" id="token-help">An admin's, operator's or viewer's. The first one is in <code>admin.token</code> in the state folder. It is kept in this tab only.</p>
        </div>
        <div class="actions"><button class="primary" disabled=${state.isAsking}>Sign in</button></div>
    </form>`;
}

export const SignInScreen = () => html`<main class="sign-in">
    <img src="favicon.svg" alt="" width="44" height="44" />
    <h1>castgate</h1>
    <${TokenForm} />
</main>`;

export const SignInDialog = ({ why }) => html`<${Dialog} title="Sign in again" fixed>
    <p>${why || "The token is not taken any more."} What you were doing is kept.</p>
    <${TokenForm} />
<//>`;
