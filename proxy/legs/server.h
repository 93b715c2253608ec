/* Requests that members of a group send to us, the gateway as a server among them (RFC 10021 §7.2, §8.4): whose they
 * are, what is in them, and their protected answer. An internal interface as the protector's is, and of the same keys.
 * What may be opened when, and what follows from it, is decided by inbound/.
 *
 * One request goes: `look`, which is cheap and verifies nothing; `open`; then `seal` or `challenge`, once; `release` at
 * any time. Where a result comes later it is told on the loop, never from inside these calls.
 *
 * Ownership: what `look` has made is the caller's until `release`, which may come while something is under way. */
#ifndef CG_LEGS_SERVER_H
#define CG_LEGS_SERVER_H

#include "model/allowance.h"
#include "model/request.h"
#include "wire/msg.h"

struct cg_incoming;

/* What inbound/ keeps of a member, in a place that lasts as long as this epoch's keys are used with it: all zero at
 * first. Allowances are counted from full (0) downwards. */
struct cg_server_account {
    struct cg_allowance home,
        elsewhere; /* signature checks that failed, of what came from its home and from elsewhere */
    struct cg_allowance challenges, alerts;
    unsigned home_running, elsewhere_running; /* signature checks */
};

struct cg_server;

struct cg_server_ops {
    /* CG_OK with *incoming. Errors: UNAUTHORIZED (the Gid or the kid is not this group's), BAD_OPTION, BAD_REQUEST (not
     * protected), REPLAY, NO_MEMORY. `sealed` is borrowed for the call; its token does not count. */
    int (*look)(struct cg_server *server, const struct cg_addr *from, const struct cg_msg *sealed,
                struct cg_incoming **incoming);
    /* CG_OK: verified, no replay, `request` and `number` are set. CG_PENDING: `opened` follows. CG_E_REPLAY with
     * `is_window_lost`: verified, but whether it is a replay nobody knows (RFC 10021 §2.6.1): answer with `challenge`.
     * Others as of oscore/open.h. */
    int (*open)(struct cg_incoming *incoming);
    /* The answer, with a Partial IV of its own, in pairwise mode where the group has it: CG_OK with `answer`, or
     * CG_PENDING: `sealed` follows. Errors with *problem: STORE, KEY_REFUSED, OVERLOAD, PROTECT, TOO_BIG, NO_MEMORY.
     * What is given is borrowed for the call. */
    int (*seal)(struct cg_incoming *incoming, uint8_t code, struct cg_slice options, struct cg_slice payload,
                struct cg_problem *problem);
    int (*challenge)(struct cg_incoming *incoming, struct cg_problem *problem); /* the same: 4.01 with Echo alone */
    void (*release)(struct cg_incoming *incoming);                              /* NULL has no effect */
};

struct cg_server {
    const struct cg_server_ops *ops;
};

/* One request. The slices last until `release`. */
struct cg_incoming {
    struct cg_server *server;

    /* From `look` on; nothing of it is verified. */
    struct cg_server_account *account;
    struct cg_slice kid;
    struct cg_slice identity; /* of the member with that kid: its credential's hash */
    bool is_home;             /* it came from where the member is known to be */
    bool is_signed;           /* it is in group mode: to open it costs a signature check */
    bool has_pairwise_mode;   /* the group has it, so that the member could have used it */
    struct cg_msg outer;      /* the request as it came */

    /* From `open` on, verified. */
    bool is_window_lost;
    struct cg_msg request; /* code, options and payload */
    uint64_t number;       /* its Partial IV */

    struct cg_msg answer; /* once sealed: code, options and payload */

    /* The caller's, before `open`. Either may end with `release`. */
    void (*opened)(struct cg_incoming *incoming, int err);
    void (*sealed)(struct cg_incoming *incoming, int err, const struct cg_problem *problem);
    void *ctx;
};

#endif
