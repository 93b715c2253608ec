// What security groups consist of, in words; the standard's term in brackets.
import { number, percent } from "./format.js";

// COSE numbers (RFC 9053 and the registry)
const ALGORITHMS = {
    1: "AES-GCM-128", 2: "AES-GCM-192", 3: "AES-GCM-256",
    10: "AES-CCM-16-64-128", 11: "AES-CCM-16-64-256", 12: "AES-CCM-64-64-128", 13: "AES-CCM-64-64-256",
    24: "ChaCha20/Poly1305", 30: "AES-CCM-16-128-128", 31: "AES-CCM-16-128-256", 32: "AES-CCM-64-128-128", 33: "AES-CCM-64-128-256",
    "-7": "ES256", "-8": "EdDSA", "-27": "ECDH-SS with HKDF-SHA-256", "-28": "ECDH-SS with HKDF-SHA-512",
};

export const algorithmWords = (id) => (id === null || id === undefined ? "none" : `${ALGORITHMS[id] || "COSE algorithm"} (${id})`);

const allWords = (of) => (of === 2 ** 40 ? "2⁴⁰" : number(of));

export const numbersWords = ({ used, of }) => `${number(used)} of ${allWords(of)} (${percent(used / of)})`;

// Of the key's row where sequence numbers are kept.
export const numberStates = {
    sends: ["ok", "sends"],
    unclaimed: ["bad", "not claimed: it must not send"],
    spent: ["bad", "spent"],
    exhausted: ["bad", "all numbers are used: rekey"],
    unknown: ["off", "not known"],
};

// Of which epoch a member is known to hold the keys.
export const holdings = {
    proven: ["ok", "holds them", "it has answered under them"],
    fetched: ["warn", "file taken", "its file was taken, it has not answered under them yet"],
    unknown: ["off", "not known", "its file was not taken, and it has not answered under them"],
};

export const isHeld = (state) => state === "proven" || state === "fetched";

export const memberName = (member) => member.name || member.id || member.credential.slice(0, 16);

// {holds: how many have the next keys, waits: who does not}
export function readiness(members) {
    const inNext = members.filter(({ holds }) => holds.next !== undefined);
    const waits = inNext.filter(({ holds }) => !isHeld(holds.next));
    return { of: inNext.length, holds: inNext.length - waits.length, waits };
}

// "lamp-1, lamp-2 and 7 more"
export function namesWords(members, most = 5) {
    const names = members.slice(0, most).map(memberName).join(", ");
    return members.length > most ? `${names} and ${number(members.length - most)} more` : names;
}
