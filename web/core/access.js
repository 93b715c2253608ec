// Who may send what where, as mappings grant it: a grant is a client's name, or {name, methods}.

export const METHODS = ["GET", "FETCH", "PUT", "POST", "PATCH", "iPATCH", "DELETE"];
export const SAFE = ["GET", "FETCH"];

export const nameOf = (grant) => (typeof grant === "string" ? grant : grant.name);

const methodsOf = (grant) => (typeof grant === "string" || !grant.methods ? null : grant.methods);

export const methodsWords = (methods) => (methods === null ? "all methods" : methods.join(", "));

const grantsOf = (mapping) => mapping.clients || (mapping.effective && mapping.effective.clients) || [];

// What passes a mapping at all: a group without protection lets only the safe ones pass, unless the mapping says otherwise.
export const passing = (mapping) => mapping.methods || (mapping.security === "none" && !mapping.unsafe_methods ? SAFE : METHODS);

// Of one client, over all mappings: [{mapping, methods}], methods null: all that the mapping lets pass.
export function accessOf(client, mappings) {
    return mappings.flatMap((mapping) => grantsOf(mapping).filter((grant) => nameOf(grant) === client).map((grant) => ({ mapping, methods: methodsOf(grant) })));
}

// The mapping's grants with this one instead of what the client had; methods undefined: it has none any more.
export function withGrant(mapping, client, methods) {
    const others = grantsOf(mapping).filter((grant) => nameOf(grant) !== client);
    if (methods === undefined) return others;
    return [...others, methods === null ? client : { name: client, methods }];
}

// "floor3: GET; hall: all methods; and 3 more"
export function accessWords(access, most = 2) {
    const said = access.slice(0, most).map(({ mapping, methods }) => `${mapping.name}: ${methodsWords(methods)}`);
    return [...said, ...(access.length > most ? [`and ${access.length - most} more`] : [])].join("; ");
}
