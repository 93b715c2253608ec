/* Where the members of a security group are met before anybody asks for them: each group that its mappings' requests go
 * to, once. It is made with the snapshot, since it looks at all mappings. */
#ifndef CG_MODEL_VISITS_H
#define CG_MODEL_VISITS_H

#include "base/trie.h"

#define CG_VISITS_MAX 16 /* groups; further ones are left out */

struct cg_config;
struct cg_mapping;
struct cg_security_keys;
struct cg_target;

struct cg_visit {
    const struct cg_mapping *mapping; /* the first with that target */
    const struct cg_target *target;
};

/* Zeroed, there are none. */
struct cg_visits {
    struct cg_visit *list;
    size_t count;
};

/* All of a snapshot. Zeroed, there are none. */
struct cg_warming_visits {
    struct cg_visits *groups; /* by their places; NULL: none is warmed */
    struct cg_trie since;     /* instead of these */
};

/* Part of cg_config_index: of the security groups that say "warm". False: no memory. */
bool cg_visits_index(struct cg_config *config) CG_MUST_CHECK;
/* In a derived snapshot, `now` (NULL: nothing) stands where `before` (NULL: nothing) stood. Only where a group is
 * warmed by what stood there, and not by what stands there now, are all mappings looked at. False: no memory. */
bool cg_visits_change(struct cg_config *config, const struct cg_mapping *before,
                      const struct cg_mapping *now) CG_MUST_CHECK;

/* The group's, which is one of the snapshot's. */
const struct cg_visits *cg_visits_of(const struct cg_config *config, const struct cg_security_keys *group);

#endif
