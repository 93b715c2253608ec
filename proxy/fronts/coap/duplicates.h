/* Requests that came lately, by peer and Message ID, with what was replied, so that one that comes again is not done
 * again (RFC 7252 §4.5). For EXCHANGE_LIFETIME, whatever the type; bounded in all, by who has most (shares.h). */
#ifndef CG_FRONTS_COAP_DUPLICATES_H
#define CG_FRONTS_COAP_DUPLICATES_H

#include "base/err.h"
#include "base/slice.h"
#include "fronts/coap/shares.h"

enum cg_coap_reply {
    CG_COAP_NO_REPLY,
    CG_COAP_ACKNOWLEDGED, /* by an empty message */
    CG_COAP_ANSWERED,     /* by `answer` */
};

struct cg_coap_seen {
    uint64_t key;
    uint64_t until_us;
    enum cg_coap_reply reply;
    uint32_t answer_len;
    uint8_t *answer; /* the whole message; NULL: there was no memory for it */
    struct cg_coap_share share;
    struct cg_coap_seen *prev, *next; /* of all, oldest first */
    UT_hash_handle hh;
};

struct cg_coap_duplicates {
    struct cg_coap_seen *by_key; /* uthash head */
    struct cg_coap_seen *oldest; /* utlist head */
    struct cg_coap_shares shares;
    size_t max;         /* bytes, of rows and answers */
    uint64_t forgotten; /* before their time */
};

void cg_coap_duplicates_init(struct cg_coap_duplicates *duplicates, size_t max);
void cg_coap_duplicates_fini(struct cg_coap_duplicates *duplicates);

/* `peer` is a number that no other peer ever has, below 2^48. NULL: it is no duplicate. */
struct cg_coap_seen *cg_coap_seen_find(const struct cg_coap_duplicates *duplicates, uint64_t peer, uint16_t mid,
                                       uint64_t now_us);
/* One that is none; NULL: no memory. */
struct cg_coap_seen *cg_coap_seen_add(struct cg_coap_duplicates *duplicates, uint64_t peer, uint16_t mid,
                                      const struct cg_addr *host, uint64_t now_us);
/* What was replied, copied. Others may have to go for it. */
void cg_coap_seen_answered(struct cg_coap_duplicates *duplicates, struct cg_coap_seen *seen, struct cg_slice answer);
void cg_coap_seen_forget(struct cg_coap_duplicates *duplicates, struct cg_coap_seen *seen);

/* Forgets those whose time is over, at most so many. When to come again; UINT64_MAX: when there is another. */
uint64_t cg_coap_duplicates_sweep(struct cg_coap_duplicates *duplicates, uint64_t now_us, unsigned rows);

#endif
