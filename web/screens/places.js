// Where a warning leads: its pointer (/COLLECTION/NAME/KEY) as a link.
import { href } from "../core/route.js";
import { screens } from "./index.js";

const words = { mappings: "Open the mapping", clients: "Open the client", "security-groups": "Open the security group", security_groups: "Open the security group", reactions: "Open the reaction" };

export const isScreen = (path) => screens.some((screen) => screen.path === path);

// {href, words}, or null where no screen shows it
export function placeOf(pointer) {
    const [, collection, name] = String(pointer || "").split("/");
    const path = collection === "security_groups" ? "security-groups" : collection;
    if (!name || !isScreen(`${path}/:name`)) return null;
    return { href: href(path, name), words: words[collection] || "Open it" };
}
