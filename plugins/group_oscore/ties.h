/* What requests on one token have in common. An observation is renewed, cancelled and followed up by unicast on its
 * token (RFC 7641 §3.3.1, RFC 10020 §3.7), each time by a request with a Partial IV of its own, and no notification
 * says which of them it answers: so all of them are kept here, beside what each member has answered and what forgers
 * have used up, for as long as any of their bindings is there. A request that nothing joins has ties of its own.
 *
 * What is kept is bounded whatever an observation lives through: CG_TIED_REQUESTS to the group, as many to each member
 * alone, and one entry a credential. */
#ifndef CG_GROUP_OSCORE_TIES_H
#define CG_GROUP_OSCORE_TIES_H

#include "base/lookup.h"
#include "group_oscore/epoch.h"
#include "group_oscore/forgeries.h"
#include "oscore/oscore.h"

enum {
    CG_TIED_REQUESTS = 3, /* the latest that went to the group, or to one member: older ones are forgotten */
    /* How long a member is heard to older requests than the latest that it has answered: what it sent before it heard
     * that one is still on its way, or being retransmitted (EXCHANGE_LIFETIME, RFC 7252 §4.8.2). */
    CG_TIED_LATE_US = 247 * 1000000,
};

/* One request, as it was sealed. */
struct cg_tied_request {
    unsigned references;           /* its binding's, the ties', and those of answers that are being opened */
    struct cg_tied_request *older; /* to the same */
    uint64_t number;               /* among the ties' requests, as they went out; 0: it has not */
    bool listed;                   /* in the ties */
    struct cg_epoch *epoch;        /* a reference: it was sealed under this one; NULL: not yet, or so long ago that its
                                      keys are used no more */
    bool for_one;                  /* it goes to one member, by unicast */
    bool stays;                    /* under the keys in use: the prepared ones cannot send */
    uint8_t identity[32];          /* that member's */
    struct cg_oscore_binding binding;
};

/* A member that was asked alone. */
struct cg_tied_alone {
    struct cg_tied_request *requests; /* the latest first; owned */
    struct cg_addr at;                /* where it answered from last, or is supposed to be */
};

/* What a member has answered. */
struct cg_tied_member {
    uint8_t fingerprint[32];
    uint64_t request;                 /* the latest that it has answered: its number */
    uint64_t since_us;                /* when it first did, where it had answered an older one */
    struct cg_oscore_answers answers; /* to that one */
    struct cg_oscore_answers *before; /* to older ones, owned; NULL: none, or too long ago */
    struct cg_tied_alone *alone;      /* owned; NULL: it was never asked alone */
    struct cg_kid_account account;    /* of the verifications under its kid */
    struct cg_tied_member *next;
};

struct cg_ties {
    unsigned references;
    uint64_t last;                    /* the latest request's number */
    struct cg_tied_request *requests; /* to the group, the latest first; owned */
    struct cg_tied_member *members;   /* owned */
    struct cg_lookup by_fingerprint;
    struct cg_lookup by_host; /* those that were asked alone, also where they were before */
    size_t alone_count;       /* of these */
    struct cg_forgeries forgeries;
};

struct cg_ties *cg_ties_new(void); /* NULL: no memory */
/* For a further request, which follows that one. */
struct cg_ties *cg_ties_join(struct cg_ties *ties, struct cg_tied_request *earlier, uint64_t now_us);
void cg_ties_unref(struct cg_ties *ties); /* NULL has no effect */

struct cg_tied_request *cg_tied_request_new(struct cg_slice identity); /* empty: to the group. NULL: no memory */
struct cg_tied_request *cg_tied_request_ref(struct cg_tied_request *request);
void cg_tied_request_unref(struct cg_tied_request *request); /* NULL has no effect */
static inline struct cg_slice cg_tied_identity(const struct cg_tied_request *request) {
    return cg_slice_of(request->identity, sizeof request->identity);
}

/* The Gid under which it was sealed. */
static inline struct cg_slice cg_tied_gid(const struct cg_tied_request *request) {
    return cg_oscore_binding_kid_context(&request->binding);
}

/* It has gone out, the first time or again: it may be answered from now on, and where others join it also when its own
 * binding is not there any more. Where memory lacks, only as long as that is. */
void cg_ties_sent(struct cg_ties *ties, struct cg_tied_request *request, uint64_t now_us);

/* NULL: it has answered nothing and was not asked alone; `member`: made then, NULL: no memory. */
struct cg_tied_member *cg_ties_find(const struct cg_ties *ties, struct cg_slice fingerprint);
struct cg_tied_member *cg_ties_member(struct cg_ties *ties, struct cg_slice fingerprint);

/* A member that was asked alone and is at that address, as cg_lookup_next has it, from *at = cg_ties_host_hash: a
 * response to a pairwise request may lack the kid (RFC 10021 §3.2). */
uint32_t cg_ties_host_hash(const struct cg_addr *host);
struct cg_tied_member *cg_ties_next_at(const struct cg_ties *ties, const struct cg_addr *host, uint32_t *at);

/* What counts against a further answer of the member to that request (RFC 10021 §5.3.1): what it has answered to it, or
 * to those before it. NULL: to this one it is heard no more, as it has answered a later one. */
const struct cg_oscore_answers *cg_tied_answers(const struct cg_tied_member *member,
                                                const struct cg_tied_request *request, uint64_t now_us);
/* One more is accepted from there, which makes them `answers`. True: the member has answered a later request already,
 * so it is older than what has come. */
bool cg_ties_accept(struct cg_ties *ties, struct cg_tied_member *member, const struct cg_tied_request *request,
                    const struct cg_oscore_answers *answers, const struct cg_addr *from, uint64_t now_us);

#endif
