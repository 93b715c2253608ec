/* What is there (R45, R46, R59): a job that asks a group, or all CoAP nodes of a link, for /.well-known/core, follows
 * long lists by unicast, looks into the Resource Directories that are found, and keeps what it learns in one bounded
 * result. It runs as a client of the gateway, so that protection, pace, budgets and who may be asked are what they are
 * for everybody; it gives way to clients, and what it had to leave out is said.
 *
 * One job runs at a time, the next when it is done. Ownership: a job is its starter's from cg_discovery_begin to
 * cg_discovery_free, and its result is the job's. */
#ifndef CG_JOBS_DISCOVERY_H
#define CG_JOBS_DISCOVERY_H

#include "exchange/gateway.h"
#include "model/found.h"

#define CG_DISCOVERIES_MAX     5    /* that run or wait */
#define CG_DISCOVERY_SECONDS   3600 /* at most */
#define CG_DISCOVERY_WHERE_MAX 1024 /* bytes of `where`, and of `filter` */

struct cg_discoveries; /* of one gateway */
struct cg_discovery;

/* `plain` protects nothing: for groups that no mapping has, and those that are only relayed to. NULL: no memory. */
struct cg_discoveries *cg_discoveries_new(struct cg_gateway *gateway, struct cg_protector *plain);
/* Before the gateway goes: every job is over with what it has, and `done` does not come any more. NULL is fine. */
void cg_discoveries_close(struct cg_discoveries *discoveries);
void cg_discoveries_free(struct cg_discoveries *discoveries); /* after the gateway and the jobs; NULL is fine */

struct cg_discovery_order {
    const char *where;      /* a mapping's name, a security group's name, or a group URI; NULL: all mappings' groups */
    struct cg_slice filter; /* a query of RFC 6690 §4.1, such as "rt=core.rd*"; empty: none */
    uint32_t seconds;       /* how long it may take in all, from its turn on; 1 to CG_DISCOVERY_SECONDS */
    const struct cg_prefix *prefixes; /* beyond group.prefixes: where directories' links may be looked up */
    size_t prefix_count;
    /* Once, and never from inside cg_discovery_begin; the job may be freed from it. Not after cg_discovery_free. */
    void (*done)(void *ctx, struct cg_discovery *discovery);
    void *ctx;
};

/* What the order borrows is needed for this call only. A group URI that is no mapping's is asked without protection, by
 * the interface of the settings. NULL, with *problem: CG_E_NOT_FOUND, CG_E_BAD_URI, CG_E_OVERLOAD, CG_E_NO_MEMORY. */
struct cg_discovery *cg_discovery_begin(struct cg_discoveries *discoveries, const struct cg_discovery_order *order,
                                        struct cg_problem *problem);
/* So far, or whole once done; valid until cg_discovery_free. */
const struct cg_found *cg_discovery_found(const struct cg_discovery *discovery);
/* It ends with what there is; `done` follows. */
void cg_discovery_hurry(struct cg_discovery *discovery);
void cg_discovery_free(struct cg_discovery *discovery); /* at any time; NULL is fine */

#endif
