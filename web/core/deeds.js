// What somebody did, in words: "changes mapping floor3". History and audit name it by the API's operation and its target.

export const kindWords = {
    mappings: "mapping",
    clients: "client",
    reactions: "reaction",
    settings: "settings",
    "security-groups": "security group",
    keys: "keys",
};

const verbs = { post: "Make", put: "Save", patch: "Change", delete: "Remove" };

// "mappings/floor3" -> "mapping floor3"
const nameOf = (target) => {
    const [kind, ...rest] = target.split("/");
    const name = rest.join("/");
    return name ? `${kindWords[kind] || kind} ${name}` : kindWords[kind] || kind;
};

// "security-groups/lights/members/lamp-3" -> ["lights", "lamp-3"]
const partsOf = (target) => target.split("/").filter((_, i) => i % 2 === 1);

const ofGroup = (words) => (target) => `${words} security group ${partsOf(target)[0]}`;

const special = {
    "changes.post": (_, count) => (count === undefined ? "Make several changes as one" : count === 1 ? "Make a change" : `Make ${count} changes as one`),
    "import.put": () => "Replace everything stored by an import",
    "revisions.undo": (target) => `Take back revision ${partsOf(target)[0]}`,
    "settings.patch": () => "Change the settings",
    "tokens.post": (target) => `Make a token for client ${partsOf(target)[0]}`,
    "tokens.delete": (target) => `Revoke a token of client ${partsOf(target)[0]}`,
    "first-token": () => "Make the first admin's token",
    "new-admin-token": () => "Make a new admin's token",
    "security-groups.prepare-rekey": ofGroup("Prepare new keys for"),
    "security-groups.abandon-rekey": ofGroup("Give up the new keys of"),
    "security-groups.activate": ofGroup("Activate the new keys of"),
    "security-groups.members.post": ofGroup("Add a member to"),
    "security-groups.members.delete": (target) => `Evict ${partsOf(target)[1]} from security group ${partsOf(target)[0]}`,
    "security-groups.members.file": (target) => `Hand out the file of ${partsOf(target)[1]} in security group ${partsOf(target)[0]}`,
    "members.delete": (target) => `Forget what was learnt of ${target.replace(/^members\//, "")}`,
    "discovery.post": () => "Start a discovery",
    "discovery.delete": () => "End a discovery",
    "hooks.after_rekey": () => "Run the commands that follow a rekey",
    login: () => "Sign in",
    try: (target) => `Try ${target}`,
};

// In the imperative, since the audit has attempts, too: "Change mapping floor3"
export function deedWords({ operation, target, change_count: count }) {
    if (special[operation]) return special[operation](target, count);
    const verb = verbs[operation.slice(operation.lastIndexOf(".") + 1)];
    return verb ? `${verb} ${nameOf(target)}` : `${operation} ${target}`;
}

export const whoWords = (who) => (!who || who === "-" ? "nobody known" : who);
