/* Comparing a running request with other settings than its own. The hard thing: both sides have a client and a mapping
 * of that name, which are not the same objects, so everything goes by name, and a client by what it has proven. */
#include "model/withdrawal.h"

#include "model/access.h"
#include "model/excerpt.h"
#include "model/mapping.h"
#include "model/reaction.h"

/* That it expires now, or earlier than it did, counts. */
static bool has_pass(const struct cg_pass *passes, size_t count, const struct cg_pass *before, int64_t now_s) {
    const struct cg_pass *pass = before == NULL ? NULL : cg_pass_find(passes, count, before->sha256);
    return pass != NULL && cg_pass_is_good(pass, now_s);
}

static bool is_same_psk(const struct cg_psk *before, const struct cg_psk *now) {
    return now->identity != NULL && strcmp(before->identity, now->identity) == 0 &&
           cg_slice_equal(before->key, now->key);
}

static bool is_same_oscore(const struct cg_client_oscore *before, const struct cg_client_oscore *now) {
    return now->file != NULL && memcmp(before->digest, now->digest, sizeof now->digest) == 0;
}

static bool proves_still(const struct cg_request *request, const struct cg_client *now, int64_t now_s) {
    switch (request->proof) {
    case CG_PROOF_CERTIFICATE: return has_pass(now->certificates, now->certificate_count, request->pass, now_s);
    case CG_PROOF_TRIAL: return true;
    case CG_PROOF_PSK: return is_same_psk(&request->client->psk, &now->psk);
    case CG_PROOF_OSCORE: return is_same_oscore(&request->client->oscore, &now->oscore);
    default: return has_pass(now->tokens, now->token_count, request->pass, now_s);
    }
}

static const char *proof_name(enum cg_proof proof) {
    switch (proof) {
    case CG_PROOF_CERTIFICATE: return "certificate";
    case CG_PROOF_PSK: return "pre-shared key";
    case CG_PROOF_OSCORE: return "OSCORE context";
    default: return "token";
    }
}

/* The client as it is now; NULL with *problem. */
static const struct cg_client *find_client(const struct cg_config *now, const struct cg_request *request, int64_t now_s,
                                           struct cg_problem *problem) {
    const struct cg_client *client = cg_config_client_by_name(now, request->client->name);
    if (client == NULL) {
        cg_problem_set(problem, CG_E_UNAUTHORIZED, "client %s was removed from the settings", request->client->name);
    } else if (!proves_still(request, client, now_s)) {
        cg_problem_set(problem, CG_E_UNAUTHORIZED, "the %s of client %s was withdrawn%s", proof_name(request->proof),
                       client->name, request->proof == CG_PROOF_TOKEN ? " or has expired" : "");
        return NULL;
    }
    return client;
}

/* Its grants are its own, and nobody else has it. */
static int check_unsaved(const struct cg_config *now, const struct cg_request *request, int64_t now_s,
                         struct cg_problem *problem) {
    return request->client == NULL || find_client(now, request, now_s, problem) != NULL ? CG_OK : problem->err;
}

/* Then its protector ends what runs under it, with what was verified until then (RFC 10021 §5.1). */
static bool has_lost_its_group(const struct cg_config *now, const struct cg_mapping *mapping) {
    struct cg_security_keys *group;
    if (mapping->security != CG_SECURITY_GROUP) return false;
    HASH_FIND_STR(now->security_groups_by_name, mapping->keys->name, group);
    return group == NULL;
}

int cg_withdrawal_check(const struct cg_config *now, const struct cg_mapping *mapping, const struct cg_request *request,
                        int64_t now_s, struct cg_problem *problem) {
    const struct cg_mapping *successor = cg_mapping_by_name(now, mapping->name);
    struct cg_request again = *request;
    if (request->proof == CG_PROOF_ADMIN) return CG_OK;
    if (mapping->is_unsaved) return check_unsaved(now, request, now_s, problem);
    if (has_lost_its_group(now, mapping) || cg_excerpt_is_of_group(mapping)) return CG_OK;
    if (successor == NULL) {
        return cg_problem_set(problem, CG_E_NOT_FOUND, "mapping %s was removed from the settings", mapping->name);
    }
    if (request->client != NULL) again.client = find_client(now, request, now_s, problem);
    if (request->reaction != NULL && cg_reaction_by_name(now, request->reaction) == NULL)
        return cg_problem_set(problem, CG_E_UNAUTHORIZED, "reaction %s was removed from the settings",
                              request->reaction);
    return problem->err < 0 ? problem->err : cg_access_check(successor, &again, problem);
}
