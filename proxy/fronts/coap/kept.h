/* What is kept for clients between two of their messages: found by its key, bounded in all and for each client, gone
 * when nothing has been heard of it for as long as an exchange may last (EXCHANGE_LIFETIME, RFC 7252 §4.8.2). Where
 * there is no room a client's own oldest goes first, then the oldest of all. Time is the caller's; nothing here waits.
 */
#ifndef CG_FRONTS_COAP_KEPT_H
#define CG_FRONTS_COAP_KEPT_H

#include "base/hash.h"
#include "fronts/coap/key.h"

struct cg_keep_client;

/* Embedded in what is kept; zeroed, and key, size and charged set before it is put in. */
struct cg_kept {
    UT_hash_handle hh;
    struct cg_coap_key key;
    size_t size;    /* bytes, for the bounds */
    size_t charged; /* of them, those that are charged to the quota while it is kept */
    struct cg_keep_client *client;
    struct cg_kept *previous, *next;                     /* in the order in which they go */
    struct cg_kept *previous_of_client, *next_of_client; /* the same */
    uint64_t until_us;
};

struct cg_keep {
    void (*drop)(struct cg_kept *kept); /* frees it, when it is out */
    struct cg_quota *quota;
    size_t used, max; /* bytes; a client has a quarter at most */
    struct cg_kept *by_key, *first;
    struct cg_keep_client *clients;
};

void cg_keep_init(struct cg_keep *keep, size_t max, struct cg_quota *quota, void (*drop)(struct cg_kept *kept));
void cg_keep_fini(struct cg_keep *keep);

/* NULL: there is none, or its time is over. */
struct cg_kept *cg_keep_find(const struct cg_keep *keep, const struct cg_coap_key *key, uint64_t now_us);
/* For the request's client, instead of what has its key. CG_E_NO_MEMORY: it does not fit, and stays the caller's. */
int cg_keep_put(struct cg_keep *keep, struct cg_kept *kept, const struct cg_request *request,
                uint64_t now_us) CG_MUST_CHECK;
/* So many bytes more, charged; and its time begins anew. CG_E_NO_MEMORY: there is no room, nothing has changed but what
 * has gone for it. */
int cg_keep_grow(struct cg_keep *keep, struct cg_kept *kept, size_t more, uint64_t now_us) CG_MUST_CHECK;
void cg_keep_drop(struct cg_keep *keep, struct cg_kept *kept);
/* Drops what is over its time, some at a time. Returns when to go on, monotonic µs; UINT64_MAX: nothing is kept. */
uint64_t cg_keep_expire(struct cg_keep *keep, uint64_t now_us);

#endif
