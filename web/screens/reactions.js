// Reactions: when an alert of this group says this, command those.
import { html } from "../vendor/preact.js";
import { useCollection } from "../core/data.js";
import { useMay } from "../core/role.js";
import { href, go } from "../core/route.js";
import { useKeys } from "../core/keys.js";
import { Table } from "../parts/table.js";
import { State, stateOf } from "../parts/state.js";
import { Icon } from "../parts/icon.js";
import { Empty, Waiting } from "../parts/empty.js";

const fromWords = (from) => (from && from.length > 0 ? from.join(", ") : "anybody of it");

export const whenWords = ({ group, path, method, from } = {}) => `${method || "POST"} ${path || ""} from ${fromWords(from)} in ${group || ""}`;

export const commandWords = ({ mapping, method, path, body }) => `${method || ""} ${mapping || ""}${path || ""}${body ? ` “${body.length > 40 ? body.slice(0, 40) + "…" : body}”` : ""}`;

const columns = [
    { key: "name", title: "Reaction", value: (one) => one.name },
    { key: "when", title: "When this alert comes", value: (one) => whenWords(one.when) },
    { key: "do", title: "Send", value: (one) => one.do.map(commandWords).join("; "), isWide: true },
    { key: "state", title: "State", value: (one) => stateOf(one).word, cell: (one) => html`<${State} item=${one} />` },
];

const newButton = () => html`<a class="button primary" href=${href("reactions", "new")}><${Icon} name="plus" />New reaction</a>`;

export default function Reactions() {
    const { data, error, loading, reload } = useCollection("reactions");
    const isAdmin = useMay("admin");
    useKeys(isAdmin ? [{ key: "n", does: "New reaction", run: () => go("reactions", "new") }] : []);
    const rows = data || [];
    const nothing = html`<${Empty} title="No reaction yet" action=${isAdmin && newButton()}>When a member sends an alert (smoke, say), the gateway itself commands others, without anybody looking.<//>`;
    return html`<div>
        <header class="head"><h1>Reactions</h1><span class="space"></span>${isAdmin && rows.length > 0 && newButton()}</header>
        <${Table} label="reactions" rows=${rows} columns=${columns} keyOf=${({ name }) => name} href=${({ name }) => href("reactions", name)}
            empty=${loading || error ? html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />` : nothing} />
    </div>`;
}
