// When mappings and clients were used, and how it went, since the gateway's start.
import { useData } from "./data.js";
import { get } from "./api.js";

async function readUses(signal) {
    const all = { mappings: {}, clients: {} };
    for (let cursor; cursor !== null; ) {
        const page = await get("figures", { cursor }, signal);
        Object.assign(all.mappings, page.mappings);
        Object.assign(all.clients, page.clients);
        cursor = page.next || null;
    }
    return all;
}

// {mappings: {NAME: …}, clients: {NAME: {requests, last_use}}}; null until they are there
export const useUses = () => useData(readUses, ["figures"]).data;
