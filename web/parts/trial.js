// A request that is tried: asked about first, since it goes out on the air; then its exchange is shown.
import { create, get, pathOf } from "../core/api.js";
import { href } from "../core/route.js";
import { askToSend } from "./confirm-send.js";
import { tellError } from "./notice.js";

// order: the body of POST try. setBusy(true) while answers are awaited. Leads to the exchange.
export async function sendAndShow(order, setBusy) {
    if (!(await askToSend(order))) return;
    setBusy(true);
    try {
        const { data } = await create("try", order);
        location.hash = href("exchanges", data.exchange);
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
