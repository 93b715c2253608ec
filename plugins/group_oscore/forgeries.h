/* What forgeries may cost. Anybody who hears a request can answer it under any kid from any address, and each such
 * answer costs a signature check before it shows. So what an attacker chooses decides when a member is heard, not
 * whether: answers that may be forged wait (later.h), and are refused only where a cast has had all that it may cost.
 *
 * At once is verified, in one cast: a member's first answer, whoever else is forging; a few, and soon again, from its
 * home, which is the address where its credential verified last or is configured; and beyond that as long as kid,
 * source, cast and gateway have not had too many failures. Where nothing fails nothing is limited: ten thousand members
 * may answer at the same moment.
 *
 * All that can fail in a cast of M members that has lasted T seconds, up to CG_FAILURES_PERIOD_US: at once M (1 +
 * CG_FAILURES_HOME + CG_FAILURES_HOME_RATE T) + CG_FAILURES_CAST, and of those that waited CG_LATER_CAST +
 * CG_LATER_HOME + (CG_LATER_RATE + CG_LATER_HOME_RATE) T, one at a time. What does not come back by a rate is forgiven
 * at the end of each period, because an observation is a cast that lasts for months. */
#ifndef CG_GROUP_OSCORE_FORGERIES_H
#define CG_GROUP_OSCORE_FORGERIES_H

#include "base/hash.h"
#include "model/allowance.h"
#include "wire/addr.h"

enum {
    CG_FAILURES_KID = 16,      /* of one member, failed or running */
    CG_FAILURES_HOME = 4,      /* beside these: from its home, failed or running; failures are forgotten again: */
    CG_FAILURES_HOME_RATE = 2, /* so many a second */
    CG_FAILURES_SOURCE = 16,   /* from one IPv4 address or IPv6 /64 */
    CG_FAILURES_CAST = 256,    /* failed, or running beyond one a member */
    CG_FAILURES_PERIOD_US = 300 * 1000000, /* from the first failure on, before these three begin anew */
    /* Of the gateway, all casts together: an allowance of failures, which is counted from full (0) downwards. */
    CG_FAILURES_GATEWAY = 2048,
    CG_FAILURES_GATEWAY_RATE = 256, /* a second */
};

struct cg_waiting;

/* An IPv4 address or IPv6 /64: ports and interface identifiers cost an attacker nothing. What a member sends from its
 * home waits apart from what comes under other kids from there. */
struct cg_source {
    struct cg_addr from; /* as cg_addr_network makes it; port 1: a home */
    bool home;
    unsigned failures;
    struct cg_waiting *waiting; /* utlist head: its answers that wait */
    size_t bytes;               /* of these */
    struct cg_source *prev, *next;
    UT_hash_handle hh;
};

/* One cast's. All zero: nothing yet. */
struct cg_forgeries {
    struct cg_source *sources; /* uthash head: those with failures, while the cast has some left, or waiting answers */
    unsigned failures;         /* in this period */
    uint64_t begun_us;         /* when it began, where something has failed */
    uint32_t period;           /* its number, by which members' failures are known to be of it */
    unsigned running, members; /* verifications that have not ended, and of how many members they are */
    struct cg_allowance later, home_later; /* verifications of answers that waited: see later.h */
    /* utlist heads: the sources with waiting answers, whose turn it is first; and the homes, before all others. */
    struct cg_source *turns, *home_turns;
    size_t bytes, home_bytes; /* of all waiting answers, and of those from home */
    struct cg_forgeries *prev, *next;
};

/* One member's in one cast. All zero: nothing yet. */
struct cg_kid_account {
    unsigned failures, running;
    uint32_t period;          /* of the cast: its failures are of that one */
    unsigned at_home;         /* running, from its home */
    struct cg_allowance home; /* failures from there, counted from full (0) downwards */
};

/* As it is now, of one that is counted from full (0) downwards. */
struct cg_allowance cg_failures_now(const struct cg_allowance *allowance, unsigned per_second, uint64_t now_us);

/* Whether an answer of this member is verified at once; else it waits. */
bool cg_forgeries_allow(const struct cg_forgeries *forgeries, const struct cg_allowance *of_all, uint64_t now_us,
                        const struct cg_kid_account *account, const struct cg_addr *from, bool at_home);
/* A verification begins, and ends; or it fails, which uses up what it had. */
void cg_forgeries_begin(struct cg_forgeries *forgeries, struct cg_kid_account *account, bool at_home);
void cg_forgeries_end(struct cg_forgeries *forgeries, struct cg_kid_account *account, bool at_home);
void cg_forgeries_fail(struct cg_forgeries *forgeries, struct cg_allowance *of_all, uint64_t now_us,
                       struct cg_kid_account *account, const struct cg_addr *from, bool at_home);

/* The source's entry, made where there is none. NULL: no memory. */
struct cg_source *cg_forgeries_source(struct cg_forgeries *forgeries, const struct cg_addr *from, bool home);
void cg_forgeries_drop(struct cg_forgeries *forgeries,
                       struct cg_source *source);       /* unless it has failures or waiting answers */
void cg_forgeries_fini(struct cg_forgeries *forgeries); /* nothing waits any more */

#endif
