// Members' key files. The gateway gives each once, so what was fetched is saved at once, and can be saved again as long as
// the notice about it stands.
import { get, pathOf, saveAs } from "./api.js";
import { count } from "./format.js";
import { memberName } from "./keys-words.js";
import { tell } from "./notices.js";
import { holdPage } from "./leaving.js";

// "security-groups/NAME/…"
export const groupPath = (item, ...parts) => pathOf("security-groups", item.name, ...parts);

const clean = (name) => name.replace(/[^A-Za-z0-9._-]/g, "_");

export const fileName = (group, member) => `${clean(group)}-${clean(memberName(member))}.json`;

export function saveJson(name, value) {
    saveAs(new Blob([JSON.stringify(value, null, 1) + "\n"], { type: "application/json" }), name);
}

const fetchFile = (group, member, epoch) => get(pathOf("security-groups", group, "members", member.id, "file"), { epoch });

export async function saveFile(group, member, epoch) {
    const file = await fetchFile(group, member, epoch);
    const name = fileName(group, member);
    saveJson(name, file);
    tell({ text: `${name} is saved. It is given this once.`, action: { label: "Save it again", run: () => saveJson(name, file) } });
}

// All in one document, as after_rekey hooks get them. What was fetched before one failed is saved, too.
export async function saveFiles(group, gid, members, epoch, onProgress) {
    const files = {};
    const name = `${clean(group)}-${clean(gid || epoch)}-files.json`;
    const save = () => saveJson(name, { group, gid, files });
    const letGo = holdPage(); // what was fetched counts as taken, and is saved at the end only
    try {
        for (const member of members) {
            files[member.id] = await fetchFile(group, member, epoch);
            onProgress(Object.keys(files).length);
        }
    } finally {
        const saved = Object.keys(files).length;
        letGo();
        if (saved > 0) save();
        if (saved > 0) tell({ text: `${name} has ${count(saved, "member's file", "members' files")}. They are given this once.`, action: { label: "Save it again", run: save } });
    }
}
