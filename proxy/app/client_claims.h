/* Whether the keys of clients' OSCORE contexts may send, asked of the store before a client comes: one that nobody has
 * claimed answers nobody. What claims.h is for security groups. */
#ifndef CG_APP_CLIENT_CLAIMS_H
#define CG_APP_CLIENT_CLAIMS_H

#include "app/claims.h"

/* What is known of one client's key. */
struct cg_client_key {
    char name[CG_NAME_MAX + 1];
    uint8_t digest[32]; /* of the context that the state is of */
    struct cg_sender_id sender;
    enum cg_key_state state;
    uint64_t pass; /* in which the settings had it last */
    UT_hash_handle hh;
};

/* Its owner's storage, still until it is closed. */
struct cg_client_claims {
    struct cg_protectors *protectors;
    struct cg_gateway *gateway;
    uv_timer_t timer;
    struct cg_store_job job;
    struct cg_store_look looks[CG_CLAIMS_SLICE];
    struct cg_client_key *keys; /* uthash head */
    size_t next;                /* of the settings' clients */
    uint64_t pass;              /* over all of them */
    size_t refused;             /* keys that may not send */
    bool hurries;               /* until this pass is over: there may be new ones */
    bool asking;
};

/* From now on every client's key is asked about in its turn: those that are new at once, else 64 every two seconds.
 * What changes is in the log. */
void cg_client_claims_open(struct cg_client_claims *claims, struct cg_protectors *protectors,
                           struct cg_gateway *gateway, uv_loop_t *uv);
/* Clients may have changed. */
void cg_client_claims_hurry(struct cg_client_claims *claims);
/* Nothing is asked any more; the store answers what is asked already before it closes. */
void cg_client_claims_close(struct cg_client_claims *claims);
/* When the store has closed. */
void cg_client_claims_fini(struct cg_client_claims *claims);

/* Why that client's key does not send, and what to do, for people; NULL: it does, or nobody knows. */
const char *cg_client_claims_reason(const struct cg_client_claims *claims, const struct cg_client *client);

#endif
