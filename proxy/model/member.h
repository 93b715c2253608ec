/* Members that are known beforehand: each an item of its own, and the list of those that a mapping expects, with what
 * finds one in it. The mappings of one security group share one list. */
#ifndef CG_MODEL_MEMBER_H
#define CG_MODEL_MEMBER_H

#include "base/table.h"
#include "wire/addr.h"

struct cg_member {
    const char *name;    /* never NULL; the address's text when none was given */
    struct cg_addr addr; /* family NONE: not known, so it cannot be asked by unicast. A link-local one without zone is
                            on whatever link the mapping's first target is on at the moment */
    struct cg_slice identity; /* in secured groups: the hash of its credential, as cg_opened has it */
    uint32_t number;          /* index in its list */
    bool is_unicast_only;     /* group requests do not get there, so it is asked by unicast; it has an address */
    bool shares_host;         /* of the first at its host: others are configured there, too, at other ports */
};

/* Members are numbered 0 to count - 1. Zeroed, it is nobody. */
struct cg_members {
    struct cg_member *list;
    size_t count;
    struct cg_table by_addr, by_host, by_identity; /* numbers; one for each host: the first */
    struct cg_table by_name;                       /* the same */
};

/* After the list is filled, once: numbers it and makes the tables. Addresses and identities must be unique already.
 * False: no memory. */
bool cg_members_index(struct cg_members *members, struct cg_arena *arena) CG_MUST_CHECK;

/* NULL: none. A look-up by hash takes what cg_member_hash gives for the same bytes. */
uint32_t cg_member_hash(struct cg_slice key);
const struct cg_member *cg_members_at(const struct cg_members *members, const struct cg_addr *addr, uint32_t hash);
const struct cg_member *cg_members_of(const struct cg_members *members, struct cg_slice identity, uint32_t hash);
const struct cg_member *cg_members_named(const struct cg_members *members, struct cg_slice name);
/* The first at this host (port 0): those at one host stand together. */
const struct cg_member *cg_members_first_at(const struct cg_members *members, const struct cg_addr *host);

#endif
