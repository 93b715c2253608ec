// Members' files to be taken along: one, or all that nobody has taken yet in one document.
import { html, useState } from "../vendor/preact.js";
import { count } from "../core/format.js";
import { memberName } from "../core/keys-words.js";
import { saveFile, saveFiles } from "../core/given.js";
import { Icon } from "../parts/icon.js";
import { tellError } from "../core/notices.js";

const gidOf = (item, epoch) => (epoch === "next" ? item.next : item.keys).gid;

export function SaveAll({ item, members, epoch, onDone }) {
    const [saved, setSaved] = useState(null); // how many so far, while it goes on
    const save = async () => {
        setSaved(0);
        await saveFiles(item.name, gidOf(item, epoch), members, epoch, setSaved).catch((error) => tellError(error, "Not all files were saved"));
        setSaved(null);
        onDone();
    };
    return html`<button type="button" disabled=${saved !== null} onClick=${save}><${Icon} name="download" />${saved === null ? `Save ${count(members.length, "file")} in one` : `Saving ${saved} of ${members.length} …`}</button>`;
}

export function SaveOne({ item, member, epoch, onDone }) {
    const save = () => saveFile(item.name, member, epoch).then(onDone, (error) => tellError(error, "Not saved"));
    return html`<button type="button" aria-label=${`Save file of ${memberName(member)}`} onClick=${save}><${Icon} name="download" />Save file</button>`;
}
