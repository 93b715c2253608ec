/* Access: the mapping's list of clients is an allow-list, and a plain group takes reads only (GCP §3 REQ1, REQ2; R1,
 * R58). */
#include "model/access.h"

#define SAY_WHO                                                                                                        \
    "by HTTP send Authorization: Bearer TOKEN, by TLS or DTLS show a certificate, or use DTLS with a key (psk) or "    \
    "OSCORE"

/* A client whose tokens have changed is another object in a later snapshot, with the same number. */
static bool is_same(const struct cg_client *one, const struct cg_client *other) {
    if (one == other) return true;
    return one != NULL && other != NULL && one->number == other->number && strcmp(one->name, other->name) == 0;
}

static const struct cg_grant *find_grant(const struct cg_mapping *mapping, const struct cg_client *client) {
    for (size_t i = 0; i < mapping->grant_count; i++) {
        if (is_same(mapping->grants[i].client, client)) return &mapping->grants[i];
    }
    return NULL;
}

/* What a relayed request does nobody here can see, so whom it comes from must be known, off loopback. */
static bool is_relayed_from_afar(const struct cg_mapping *mapping, const struct cg_request *request) {
    return mapping->security == CG_SECURITY_RELAY && request->is_remote;
}

static int check_anonymous(const struct cg_mapping *mapping, const struct cg_request *request,
                           struct cg_problem *problem) {
    if (find_grant(mapping, NULL) == NULL) {
        return cg_problem_set(problem, CG_E_UNAUTHORIZED, "mapping %s takes known clients only; " SAY_WHO,
                              mapping->name);
    }
    if (!request->may_be_anonymous) {
        return cg_problem_set(problem, CG_E_UNAUTHORIZED,
                              "anonymous clients are taken on loopback listeners only, and there from this host "
                              "itself, unless the listener says \"insecure\": true; " SAY_WHO);
    }
    if (is_relayed_from_afar(mapping, request)) {
        return cg_problem_set(problem, CG_E_UNAUTHORIZED,
                              "mapping %s relays for anonymous clients on loopback only; " SAY_WHO, mapping->name);
    }
    return CG_OK;
}

bool cg_access_may_see(const struct cg_mapping *mapping, const struct cg_request *request) {
    if (request->client == NULL && !request->may_be_anonymous) return false;
    if (request->client == NULL && is_relayed_from_afar(mapping, request)) return false;
    return find_grant(mapping, request->client) != NULL;
}

static int forbid_client(const struct cg_mapping *mapping, const struct cg_request *request,
                         struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_FORBIDDEN, "client %s is not in the clients of mapping %s",
                          request->client->name, mapping->name);
}

/* Whoever has not said who it is may turn out to be somebody who may (RFC 9110 §15.5.2). */
static int forbid_method(const struct cg_mapping *mapping, const struct cg_request *request,
                         struct cg_problem *problem) {
    if (request->client == NULL) {
        return cg_problem_set(problem, CG_E_UNAUTHORIZED,
                              "anonymous clients may not use this method on mapping %s; " SAY_WHO, mapping->name);
    }
    return cg_problem_set(problem, CG_E_FORBIDDEN, "client %s may not use this method on mapping %s",
                          request->client->name, mapping->name);
}

/* What the mapping lets pass at all, whoever asks. */
static int check_method(const struct cg_mapping *mapping, const struct cg_request *request,
                        struct cg_problem *problem) {
    uint32_t method = CG_METHOD_BIT(request->method);
    if (request->method == CG_EMPTY) {
        problem->allow = mapping->methods;
        return cg_problem_set(problem, CG_E_METHOD, "the method has no counterpart in CoAP");
    }
    if (mapping->security == CG_SECURITY_NONE && !mapping->unsafe_methods && (method & CG_METHODS_SAFE) == 0) {
        return cg_problem_set(
            problem, CG_E_UNSAFE,
            "mapping %s is a plain group: GET and FETCH only, unless it says \"unsafe_methods\": true", mapping->name);
    }
    if ((mapping->methods & method) == 0) {
        problem->allow = mapping->methods;
        return cg_problem_set(problem, CG_E_METHOD, "mapping %s does not take this method", mapping->name);
    }
    return CG_OK;
}

static int check_client(const struct cg_mapping *mapping, const struct cg_request *request,
                        struct cg_problem *problem) {
    if (request->client == NULL) {
        int err = check_anonymous(mapping, request, problem);
        if (err < 0) return err;
    }
    const struct cg_grant *grant = find_grant(mapping, request->client);
    if (grant == NULL) return forbid_client(mapping, request, problem);
    if (mapping->security != CG_SECURITY_RELAY && cg_request_is_protected(request)) {
        return cg_problem_set(problem, CG_E_UNAUTHORIZED,
                              "mapping %s does not relay: a request that is protected already (OSCORE) is not taken",
                              mapping->name);
    }
    int err = check_method(mapping, request, problem);
    if (err < 0) return err;
    return (grant->methods & CG_METHOD_BIT(request->method)) != 0 ? CG_OK : forbid_method(mapping, request, problem);
}

int cg_access_check(const struct cg_mapping *mapping, const struct cg_request *request, struct cg_problem *problem) {
    switch (request->proof) {
    case CG_PROOF_OPERATOR:
    case CG_PROOF_ADMIN:
    case CG_PROOF_GATEWAY: return CG_OK;
    case CG_PROOF_REACTION: return check_method(mapping, request, problem);
    case CG_PROOF_TRIAL:
        if (request->client == NULL) return check_method(mapping, request, problem);
        return check_client(mapping, request, problem);
    default: return check_client(mapping, request, problem);
    }
}

int cg_access_methods(const struct cg_mapping *mapping, const struct cg_request *request, uint32_t *methods,
                      struct cg_problem *problem) {
    const struct cg_grant *grant = find_grant(mapping, request->client);
    if (grant == NULL && request->client != NULL) return forbid_client(mapping, request, problem);
    *methods = mapping->methods & (cg_access_may_see(mapping, request) ? grant->methods : CG_METHODS_ALL);
    return CG_OK;
}
