// A request that is tried: asked about first, since it goes out on the air; then its exchange is shown. What members said
// is in the reply only, never in the recorder: the last replies are kept for as long as the page is open.
import { create, get, pathOf } from "../core/api.js";
import { href } from "../core/route.js";
import { askToSend } from "./confirm-send.js";
import { tell, tellError } from "../core/notices.js";

const KEPT = 10;
const replies = new Map(); // exchange -> reply

export function keepReply(reply) {
    replies.set(reply.exchange, reply);
    if (replies.size > KEPT) replies.delete(replies.keys().next().value);
}

// An exchange of the recorder with the payloads of its reply, where it was tried from here.
export function withReply(exchange) {
    const reply = replies.get(exchange.id);
    return reply && reply.answers && exchange.answers ? { ...exchange, answers: reply.answers } : exchange;
}

// Whoever has gone elsewhere meanwhile may be typing there.
function lead(to, from) {
    const go = () => (location.hash = to);
    if (location.hash === from) go();
    else tell({ text: "What was tried has its answers.", action: { label: "Show them", run: go } });
}

// order: the body of POST try. setBusy(true) while answers are awaited. Leads to the exchange.
export async function sendAndShow(order, setBusy) {
    if (!(await askToSend(order))) return;
    setBusy(true);
    const from = location.hash;
    try {
        const { data } = await create("try", order);
        keepReply(data);
        lead(href("exchanges", data.exchange), from);
    } catch (error) {
        tellError(error, "Not sent");
    } finally {
        setBusy(false);
    }
}

// The request of an exchange, to be sent again. What the path has beyond its mapping's is what `try` wants.
export async function orderOf(exchange) {
    const { effective } = await get(pathOf("mappings", exchange.mapping));
    return { mapping: exchange.mapping, method: exchange.method, path: exchange.path.slice(effective.path.length) };
}
