/* Where the members of a security group are met before anybody asks for them: each group that its mappings' requests go
 * to, once. It looks at all mappings, so it is made with the snapshot. */
#ifndef CG_MODEL_VISITS_H
#define CG_MODEL_VISITS_H

#include <stdbool.h>
#include <stddef.h>

#define CG_VISITS_MAX 16 /* groups; further ones are left out */

struct cg_config;
struct cg_mapping;
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

/* Part of cg_config_index: of the security groups that say "warm". False: no memory. */
bool cg_visits_index(struct cg_config *config);

#endif
