// The groups' keys: how far each key's numbers are used, whether new keys are prepared, and what it protects.
import { html } from "../vendor/preact.js";
import { useCollection } from "../core/data.js";
import { useMay } from "../core/role.js";
import { href, go } from "../core/route.js";
import { percent } from "../core/format.js";
import { numbersWords } from "../core/keys-words.js";
import { useKeys } from "../core/keys.js";
import { Table } from "../parts/table.js";
import { Share } from "../parts/share.js";
import { State, stateOf } from "../parts/state.js";
import { Status } from "../parts/status.js";
import { Icon } from "../parts/icon.js";
import { Empty, Waiting } from "../parts/empty.js";

const shareOf = ({ keys }) => (keys && keys.numbers ? keys.numbers.used / keys.numbers.of : null);

const Numbers = ({ numbers }) => html`<span title=${numbersWords(numbers)}><${Share} share=${numbers.used / numbers.of} words=${percent(numbers.used / numbers.of)} /></span>`;

const rekeyWords = (row) => (row.next || row.next_file ? "new keys prepared" : row.pending ? "keys yet to come" : "");

const columns = [
    { key: "name", title: "Security group", value: (row) => row.name },
    { key: "protects", title: "Protects", value: ({ protects }) => protects.join(", "), isWide: true },
    { key: "numbers", title: "Numbers used", value: shareOf, cell: (row) => shareOf(row) !== null && html`<${Numbers} numbers=${row.keys.numbers} />` || null },
    { key: "rekey", title: "Keys", value: rekeyWords, cell: (row) => (rekeyWords(row) ? html`<${Status} tone="busy">${rekeyWords(row)}<//>` : html`<span class="faint">in use</span>`) },
    { key: "state", title: "State", value: (row) => stateOf(row).word, cell: (row) => html`<${State} item=${row} />` },
];

const newButton = () => html`<a class="button primary" href=${href("security-groups", "new")}><${Icon} name="plus" />New security group</a>`;

const rowsOf = (groups, mappings) => groups.map((group) => ({ ...group, protects: mappings.filter(({ security }) => security === group.name).map(({ name }) => name) }));

export default function SecurityGroups() {
    const { data: groups, error, loading, reload } = useCollection("security-groups");
    const mappings = useCollection("mappings").data || [];
    const isAdmin = useMay("admin");
    useKeys(isAdmin ? [{ key: "n", does: "New security group", run: () => go("security-groups", "new") }] : []);
    const rows = rowsOf(groups || [], mappings);
    const nothing = html`<${Empty} title="No security group yet" action=${isAdmin && newButton()}>Its members share keys (Group OSCORE), so that nobody else reads or forges what is said. Make the keys here, take them in, or wait for a Group Manager.<//>`;
    return html`<div>
        <header class="head"><h1>Security groups</h1><span class="space"></span>${isAdmin && rows.length > 0 && newButton()}</header>
        <${Table} label="security groups" rows=${rows} columns=${columns} keyOf=${({ name }) => name} href=${({ name }) => href("security-groups", name)}
            empty=${loading || error ? html`<${Waiting} loading=${loading} error=${error} onAgain=${reload} />` : nothing} />
    </div>`;
}
