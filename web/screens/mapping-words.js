// What mappings are called by, and where they are found: the list and the screen of one say it alike.
import { href } from "../core/route.js";
import { pathOf } from "../core/api.js";
import { makeChanges, etagOf } from "../core/changes.js";
import { tellError } from "../core/notices.js";

// Of a new one. More than any leisure that is a default; without one, plain requests are refused.
export const TIMEOUT_S = 25;

// "new" in the address is a mapping that is being made; one that is called so says that it is there.
export const hrefOf = (name, query = {}) => href("mappings", name, { ...query, stored: name === "new" ? "yes" : null });

export const groupsOf = (mapping) => (mapping.targets || []).map(({ group, next_hop: hop }) => group || hop).concat(mapping.group || []);

export function protectionOf({ security }) {
    if (security === "none") return { tone: "warn", word: "not protected" };
    if (security === "relay") return { tone: "ok", word: "end to end" };
    return { tone: "ok", word: security };
}

// Each as one revision, which the notice can undo. True where it was done.
async function changeOne(item, method, body, said) {
    try {
        await makeChanges([{ method, path: pathOf("mappings", item.name), if_match: etagOf(item), ...body }], said);
        return true;
    } catch (error) {
        tellError(error, `${item.name} is as it was`);
        return false;
    }
}

export const remove = (item) => changeOne(item, "DELETE", {}, `${item.name} is removed.`);

export const turn = (item, isOn) => changeOne(item, "PATCH", { body: { enabled: isOn ? null : false } }, isOn ? `${item.name} is in use again.` : `${item.name} is out of use.`);

// A target that has been said, to a group or a next gateway.
export const isNamed = (target) => Boolean(target.group || target.next_hop);
