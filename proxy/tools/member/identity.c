/* Identities from key files. The hard thing: a member's file and a group's show the same keys from different sides;
 * whose they are and who asks is decided here, for everybody else. */
#include "tools/member/identity.h"

#include <stdlib.h>

/* In a group's file `self` is the gateway, and the peers are the members. */
static bool is_group(const struct cg_security_group *keys) { return keys->file == CG_GROUP_FILE_MANAGER; }

size_t cg_identity_owner_count(const struct cg_security_group *keys) { return is_group(keys) ? keys->peer_count : 1; }

const struct cg_security_party *cg_identity_owner(const struct cg_security_group *keys, size_t index) {
    return is_group(keys) ? &keys->peers[index] : &keys->self;
}

static const struct cg_security_party *requesters(const struct cg_security_group *keys, size_t *count) {
    *count = is_group(keys) ? 1 : keys->peer_count;
    return is_group(keys) ? &keys->self : keys->peers;
}

static int add_requesters(struct cg_identity *identity, const struct cg_security_group *keys,
                          enum cg_oscore_window_state window, const char **why) {
    size_t count;
    const struct cg_security_party *parties = requesters(keys, &count);
    identity->requesters = calloc(count + 1, sizeof(struct cg_oscore_peer *));
    int err = identity->requesters == NULL ? CG_E_NO_MEMORY : CG_OK;
    for (size_t i = 0; err == CG_OK && i < count; i++) {
        err = cg_oscore_peer_add(identity->context, parties[i].id, parties[i].cred, window, &identity->requesters[i],
                                 why);
        if (err == CG_OK) identity->requester_count++;
    }
    return err;
}

int cg_identity_init(struct cg_identity *identity, const struct cg_security_group *keys,
                     const struct cg_security_party *owner, struct cg_slice id, enum cg_oscore_window_state window,
                     const char **why) {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    cg_security_group_params(keys, owner, &params, &own);
    own.id = id;
    *identity = (struct cg_identity){0};
    int err = cg_oscore_context_new(&identity->context, &params, why);
    if (err == CG_OK) err = add_requesters(identity, keys, window, why);
    if (err < 0) cg_identity_fini(identity);
    return err;
}

void cg_identity_fini(struct cg_identity *identity) {
    if (identity->context != NULL) cg_oscore_context_unref(identity->context);
    free(identity->requesters);
    *identity = (struct cg_identity){0};
}

struct cg_oscore_peer *cg_identity_requester(const struct cg_identity *identity, struct cg_slice fingerprint) {
    for (size_t i = 0; i < identity->requester_count; i++)
        if (cg_slice_equal(cg_oscore_peer_fingerprint(identity->requesters[i]), fingerprint))
            return identity->requesters[i];
    return NULL;
}

void cg_identity_forget_strangers(struct cg_identity *identity, const struct cg_identity *to) {
    size_t kept = 0;
    for (size_t i = 0; i < identity->requester_count; i++) {
        struct cg_oscore_peer *peer = identity->requesters[i];
        if (cg_identity_requester(to, cg_oscore_peer_fingerprint(peer)) != NULL)
            identity->requesters[kept++] = peer;
        else
            cg_oscore_peer_remove(peer);
    }
    identity->requester_count = kept;
}
