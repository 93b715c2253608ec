// Removing a client says first what goes with it: its access everywhere, and its tokens, which do not come back.
import { html } from "../vendor/preact.js";
import { pathOf } from "../core/api.js";
import { makeChanges, dryRun, useDryRun } from "../core/changes.js";
import { tellError } from "../core/notices.js";
import { go } from "../core/route.js";
import { count } from "../core/format.js";
import { Ask } from "../parts/ask.js";
import { Preview } from "../parts/preview.js";
import { useTokens } from "./client-tokens.js";

export function RemoveClient({ name, etag, onClose }) {
    const tokens = useTokens(name).tokens || [];
    const change = [{ method: "DELETE", path: pathOf("clients", name), if_match: etag }];
    const { preview, error } = useDryRun(() => dryRun(change), [name]);
    const remove = () => {
        go("clients"); // first: what is gone cannot be read anew
        makeChanges(change, `${name} is removed.`).catch((thrown) => tellError(thrown, "Not removed"));
    };
    return html`<${Ask} title=${`Remove ${name}?`} verb="Remove" danger onDo=${remove} onClose=${onClose} isReady=${!!preview}>
        ${error && html`<p class="error">${error.message}</p>`}
        ${preview && html`<${Preview} loses=${preview.loses} />`}
        ${tokens.length > 0
            ? html`<p>${count(tokens.length, "token")} will be revoked. That cannot be undone: if the client comes back by Undo or anew, it needs new ones.</p>`
            : html`<p>It has no token here, and can be brought back by Undo.</p>`}
    <//>`;
}
