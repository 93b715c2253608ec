// What a discovery has found, as the screens need it: all resources as one tree with how many have each, and members.

const partsOf = (target) => target.split("?")[0].split("/").filter(Boolean);

// A link to somebody else ("coap://…") is a branch of its own.
const placesOf = (target) => (/^[a-z][a-z0-9+.-]*:/i.test(target) ? [target] : shallow(partsOf(target)));

const DEEPEST = 16; // a member may tell of a path of thousands of parts, which no screen could draw

const shallow = (parts) => (parts.length <= DEEPEST ? parts : [...parts.slice(0, DEEPEST - 1), parts.slice(DEEPEST - 1).join("/")]);

const listOf = (value) => (value === undefined || value === null ? [] : [].concat(value).map(String));

function branch(under, name) {
    if (!under.has(name)) under.set(name, { name, count: 0, types: new Set(), interfaces: new Set(), formats: new Set(), isObservable: false, below: new Map() });
    return under.get(name);
}

function note(leaf, link) {
    leaf.count++;
    listOf(link.rt).forEach((one) => leaf.types.add(one));
    listOf(link.if).forEach((one) => leaf.interfaces.add(one));
    listOf(link.ct).forEach((one) => leaf.formats.add(one));
    leaf.isObservable = leaf.isObservable || link.obs !== undefined;
}

// nodes -> a Map of branches: {name, count (how many have it; 0: it is only on the way), types, interfaces, formats,
// isObservable, below}
export function treeOf(nodes) {
    const root = new Map();
    for (const node of nodes) {
        for (const link of node.links) {
            let under = root;
            let leaf = null;
            for (const name of placesOf(String(link.target))) {
                leaf = branch(under, name);
                under = leaf.below;
            }
            if (leaf) note(leaf, link);
        }
    }
    return root;
}

export const nodeName = (node) => node.member || node.from || node.kid || "somebody";

export const nodeKey = (node) => `${node.group} ${node.from} ${node.kid} ${node.mapping} ${node.member}`;

// As a row of members, for lists.
const rowOf = (node) => ({ name: nodeName(node), address: node.from, mappings: [], security_groups: [], heard: [], last_seen: null });

// Once each, whichever group or mapping it answered in.
export function rowsOf(nodes) {
    const byName = new Map(nodes.filter(({ from }) => from).map((node) => [nodeName(node), rowOf(node)]));
    return [...byName.values()];
}

export const groupsOfNodes = (nodes) => [...new Set(nodes.map(({ group }) => group).filter(Boolean))];

export const answered = (node) => !["silent", "unasked"].includes(node.state);
