/* The index behind model/follow.h: members, by address, of mappings that are open to target URIs. */
#ifndef CG_MODEL_FOLLOWS_H
#define CG_MODEL_FOLLOWS_H

#include "base/index.h"

struct cg_member;
struct cg_members;

/* A member of a list that is one mapping's, or a security group's and so of several mappings. */
struct cg_follow {
    const struct cg_member *member;
    const struct cg_members *roster;
    uint32_t mapping; /* its number; UINT32_MAX: those of the group */
    uint32_t group;   /* its place among the security groups */
};

/* A mapping of a group that came since. */
struct cg_follow_mapping {
    uint32_t number;
    const struct cg_follow_mapping *next;
};

/* Zeroed, there are none. Entries are hints, as in all indexes: a mapping counts while it is open and has that list. */
struct cg_follows {
    struct cg_index by_addr; /* numbers of entries; the zone does not count */
    struct cg_follow *list;
    uint32_t count;
    struct cg_trie since;          /* entries by number, instead of the list's */
    uint32_t *first;               /* by group: its first mapping; UINT32_MAX: it has none */
    uint32_t *next;                /* by mapping: the next one of its group */
    struct cg_trie mappings_since; /* by group: struct cg_follow_mapping, behind those */
};

#endif
