// Who sends requests: what each may send where, and when it did last.
import { html } from "../vendor/preact.js";
import { useCollection } from "../core/data.js";
import { useUsage, usageOf } from "../core/usage.js";
import { useMay } from "../core/role.js";
import { accessOf, accessWords } from "../core/access.js";
import { href, go } from "../core/route.js";
import { ago, fullTime } from "../core/format.js";
import { useKeys } from "../core/keys.js";
import { Table } from "../parts/table.js";
import { Icon } from "../parts/icon.js";
import { Empty, Waiting } from "../parts/empty.js";
import { State, stateOf } from "../parts/state.js";

const columns = [
    { key: "name", title: "Client", value: (row) => row.name },
    { key: "access", title: "May send", value: (row) => accessWords(row.access, Infinity), cell: ({ access }) => accessWords(access) || html`<span class="faint">nothing yet</span>`, isWide: true },
    { key: "role", title: "Role here", value: (row) => row.role || "none", cell: ({ role }) => role || html`<span class="faint">none</span>` },
    { key: "last", title: "Last use", value: ({ lastUse }) => lastUse, cell: ({ lastUse }) => html`<span class="num" title=${fullTime(lastUse)}>${ago(lastUse)}</span>` },
    { key: "state", title: "State", value: (row) => stateOf(row).word, cell: (row) => html`<${State} item=${row} />` },
];

// lastUse: null where it was not used since the gateway's start
const lastUseOf = (usage, name) => (usageOf(usage.clients, name) || { last_use: null }).last_use;

const rowsOf = (clients, mappings, usage) => clients.map((client) => ({ ...client, access: accessOf(client.name, mappings), lastUse: lastUseOf(usage, client.name) }));

const newButton = () => html`<a class="button primary" href=${href("clients", "new")}><${Icon} name="plus" />New client</a>`;

export default function Clients() {
    const { data: clients, error, loading, reload } = useCollection("clients");
    const mappings = useCollection("mappings").data || [];
    const usage = useUsage();
    const isAdmin = useMay("admin");
    useKeys(isAdmin ? [{ key: "n", does: "New client", run: () => go("clients", "new") }] : []);
    const rows = rowsOf(clients || [], mappings, usage);
    const nothing = html`<${Empty} title="No client yet" action=${isAdmin && newButton()}>A client is an application, with a token of its own, that may send some methods to some paths.<//>`;
    return html`<div>
        <header class="head"><h1>Clients</h1><span class="space"></span>${isAdmin && rows.length > 0 && newButton()}</header>
        <${Table} label="clients" rows=${rows} columns=${columns} keyOf=${({ name }) => name} href=${({ name }) => href("clients", name)}
            empty=${loading || error ? html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />` : nothing} />
    </div>`;
}
