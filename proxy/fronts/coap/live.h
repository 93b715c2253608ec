/* The live tokens: which exchange a client's token stands for while it runs. A token is one peer's (RFC 7252 §5.3.1),
 * so two peers may have equal ones. */
#ifndef CG_FRONTS_COAP_LIVE_H
#define CG_FRONTS_COAP_LIVE_H

#include "base/hash.h"
#include "fronts/coap/token.h"

/* Hashed as bytes: zeroed before it is filled. */
struct cg_live_key {
    const struct cg_coap_peer *peer;
    struct cg_coap_token token;
};

/* Embedded in what the token stands for. */
struct cg_live {
    struct cg_live_key key;
    struct cg_live *previous, *next; /* utlist: the same peer's */
    UT_hash_handle hh;
};

struct cg_lives {
    struct cg_live *table;
};

/* NULL: nothing of this peer runs on that token. */
struct cg_live *cg_live_find(const struct cg_lives *lives, const struct cg_coap_peer *peer, struct cg_slice token);
/* Into the table and the peer's list. The token is free, and of no more than CG_COAP_TOKEN_MAX bytes. False: no memory;
 * it is in neither. */
bool cg_live_add(struct cg_lives *lives, struct cg_live **of_peer, struct cg_live *live,
                 const struct cg_coap_peer *peer, struct cg_slice token) CG_MUST_CHECK;
void cg_live_remove(struct cg_lives *lives, struct cg_live **of_peer, struct cg_live *live);

#endif
