// New keys in three steps: prepare, hand out (who has them), activate. What each means is said before it is done, since
// none of them can be undone; abandoning what is prepared is the way back, until it is activated.
import { html, useState, useEffect } from "../vendor/preact.js";
import { create, request } from "../core/api.js";
import { number } from "../core/format.js";
import { readiness, namesWords } from "../core/keys-words.js";
import { groupPath } from "../core/given.js";
import { Ask } from "../parts/ask.js";
import { Status } from "../parts/status.js";
import { Share } from "../parts/share.js";
import { tell } from "../core/notices.js";
import { SaveAll } from "./security-group-files.js";
import { TakeIn } from "./security-group-import.js";

const LOOK_MS = 4000; // members prove by answering that they hold the new keys

// ---- What is asked

function Prepare({ item, onClose, onDone }) {
    const [isOwn, setOwn] = useState(false);
    const [isElsewhere, setElsewhere] = useState(false);
    const prepare = async () => {
        await create(groupPath(item, "prepare-rekey"), { new_sender_id: isOwn });
        tell({ text: `New keys for ${item.name} are prepared. Hand them out.` });
        onDone();
    };
    if (isElsewhere) return html`<${TakeIn} name=${item.name} isNext isAsked onClose=${onClose} onDone=${onDone} />`;
    return html`<${Ask} title="Prepare new keys?" verb="Prepare" onDo=${prepare} onClose=${onClose}>
        <p>New keys are made. The gateway goes on sending under those in use and accepts both, so nothing is lost while members get theirs. Nothing goes out on the air.</p>
        <label class="check"><input type="checkbox" checked=${isOwn} onChange=${(event) => setOwn(event.target.checked)} /> Give the gateway a new Sender ID, too</label>
        <p class="hint">This is no change that Undo takes back: abandon what is prepared instead.</p>
        ${!(item.keys && item.keys.managed) && html`<p><button type="button" class="plain" onClick=${() => setElsewhere(true)}>Take in keys that were made elsewhere</button></p>`}
    <//>`;
}

function Activate({ item, waits, onClose, onDone }) {
    const isForced = waits.length > 0;
    const [isMeant, setMeant] = useState(false);
    const activate = async () => {
        await create(groupPath(item, "activate"), { force: isForced });
        tell({ text: `${item.name} sends under the new keys.` });
        onDone();
    };
    return html`<${Ask} title="Activate the new keys?" verb=${isForced ? "Activate anyway" : "Activate"} danger=${isForced} isReady=${!isForced || isMeant} onDo=${activate} onClose=${onClose}>
        <p>From now on the gateway sends under the new keys. This cannot be undone: the old ones never send again.</p>
        ${isForced && html`<p><strong>${namesWords(waits)}</strong> ${waits.length === 1 ? "is" : "are"} not known to hold them, and will hear nothing until they have their files. Whatever is commanded meanwhile they miss.</p>
        <label class="check"><input type="checkbox" checked=${isMeant} onChange=${(event) => setMeant(event.target.checked)} /> Go on without ${waits.length === 1 ? "it" : "them"}</label>`}
    <//>`;
}

function Abandon({ item, onClose, onDone }) {
    const abandon = async () => {
        await request("DELETE", groupPath(item, "prepare-rekey"));
        tell({ text: `The keys prepared for ${item.name} are given up; those in use go on.` });
        onDone();
    };
    return html`<${Ask} title="Abandon what is prepared?" verb="Abandon" danger onDo=${abandon} onClose=${onClose} cancel="Keep it">
        <p>The prepared keys are deleted, and files that members have of them are worth nothing. Whoever was to be added or evicted by them stays as before. This cannot be undone; prepare anew instead.</p>
    <//>`;
}

// ---- The steps

function Step({ n, title, state, children }) {
    const mark = state === "done" ? html`<${Status} tone="ok">done<//>` : null;
    return html`<li class=${state} aria-current=${state === "now" ? "step" : undefined}>
        <span class="step-number" aria-hidden="true">${n}</span>
        <div class="step-body"><h3>${title} ${mark}</h3>${children}</div>
    </li>`;
}

function HandOut({ item, isAdmin, onDone }) {
    const { of: all, holds, waits } = readiness(item.members);
    return html`<${Share} share=${all ? holds / all : 0} words=${`${number(holds)} of ${number(all)} have them`} />
        ${waits.length > 0 && html`<p class="hint">Without: ${namesWords(waits)}. Save each file in the table below, or all at once, and bring it to its member. A member that answers under the new keys has them.</p>`}
        ${isAdmin && item.next.managed && waits.length > 0 && html`<div class="actions"><${SaveAll} item=${item} members=${waits} epoch="next" onDone=${onDone} /></div>`}`;
}

// item: with all its members; onDone(): it is to be read anew
export function Rekey({ item, isAdmin, onDone }) {
    const [asked, setAsked] = useState(null);
    const isPrepared = !!item.next;
    const { waits } = readiness(item.members);
    useEffect(() => {
        if (!isPrepared || waits.length === 0) return undefined;
        const timer = setInterval(onDone, LOOK_MS);
        return () => clearInterval(timer);
    }, [isPrepared, waits.length]);
    const close = () => setAsked(null);
    const dialogs = { prepare: Prepare, activate: Activate, abandon: Abandon };
    const Asked = asked && dialogs[asked];
    return html`<section class="card" aria-label="Rekey">
        <h2>New keys (rekey)</h2>
        <ol class="steps">
            <${Step} n="1" title="Prepare" state=${isPrepared ? "done" : "now"}>
                ${isPrepared ? html`<p class="hint">Epoch <code>${item.next.gid}</code>; both keys are accepted, those in use send.</p>` : html`<p class="hint">When a member leaves or may have been opened, when numbers run out, or every year.</p>`}
                ${isAdmin && !isPrepared && html`<div class="actions"><button type="button" class="primary" onClick=${() => setAsked("prepare")}>Prepare new keys</button></div>`}
            <//>
            <${Step} n="2" title="Hand out" state=${!isPrepared ? "later" : waits.length === 0 ? "done" : "now"}>
                ${isPrepared ? html`<${HandOut} item=${item} isAdmin=${isAdmin} onDone=${onDone} />` : html`<p class="hint">Each member gets its file.</p>`}
            <//>
            <${Step} n="3" title="Activate" state=${isPrepared && waits.length === 0 ? "now" : "later"}>
                <p class="hint">The gateway sends under the new keys; who does not have them hears nothing any more.</p>
                ${isAdmin && isPrepared && html`<div class="actions">
                    <button type="button" class=${waits.length === 0 ? "primary" : ""} onClick=${() => setAsked("activate")}>${waits.length === 0 ? "Activate" : "Activate …"}</button>
                    <button type="button" onClick=${() => setAsked("abandon")}>Abandon</button>
                </div>`}
            <//>
        </ol>
        ${Asked && html`<${Asked} item=${item} waits=${waits} onClose=${close} onDone=${onDone} />`}
    </section>`;
}
