/* What mappings rely on to send, turned round: for each security group and each interface, which mappings need it. So
 * that whoever finds one of these missing can say what that means without a walk over all mappings. */
#ifndef CG_MODEL_RELIANCE_H
#define CG_MODEL_RELIANCE_H

#include "base/trie.h"

#define CG_RELIANCE_INTERFACES 64 /* that are remembered, of all targets */
#define CG_RELIANCE_NAMED      3

struct cg_config;
struct cg_mapping;

struct cg_reliance {
    size_t count;                         /* mappings */
    const char *names[CG_RELIANCE_NAMED]; /* some of them; the rest NULL */
    const void *last;                     /* while it is made: the mapping that was counted last */
};

struct cg_interface_reliance {
    const char *interface; /* NULL: the only one */
    size_t over_ipv4;      /* targets whose group is an IPv4 address */
    struct cg_reliance on;
};

/* Zeroed, nothing relies on anything. */
struct cg_reliances {
    struct cg_reliance *groups;  /* by the places of the snapshot's security groups */
    struct cg_trie groups_since; /* instead of these */
    struct cg_interface_reliance *interfaces;
    size_t interface_count;
};

/* Part of cg_config_index. False: no memory. */
bool cg_reliances_index(struct cg_config *config) CG_MUST_CHECK;
/* In a derived snapshot, `now` (NULL: nothing) stands where `before` (NULL: nothing) stood. False: no memory. */
bool cg_reliances_change(struct cg_config *config, const struct cg_mapping *before,
                         const struct cg_mapping *now) CG_MUST_CHECK;

/* On the security group in that place. */
const struct cg_reliance *cg_reliance_on_group(const struct cg_config *config, size_t place);

#endif
