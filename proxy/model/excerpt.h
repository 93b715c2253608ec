/* A snapshot out of a snapshot: one mapping alone, for a request that is no client's. Running requests and clients
 * never meet it, so grants, budgets, finish rules and joining are out of the way without a branch anywhere. */
#ifndef CG_MODEL_EXCERPT_H
#define CG_MODEL_EXCERPT_H

#include "model/config.h"

/* Takes a reference to `base`, whose mapping it is. Its copy, which is the first and only one of config->mappings, may
 * be changed until cg_mapping_index (model/mapping.h), which must come before it is used. What it waits for is every
 * member, or the time where there are none. NULL: no memory. */
struct cg_config *cg_excerpt_new(struct cg_config *base, const struct cg_mapping *mapping);
/* Of the mapping's targets only this one of them. */
void cg_excerpt_aim(struct cg_config *excerpt, const struct cg_target *target);
/* Its requests go to this path of the groups, whatever these say; it lives as long. False: no memory. */
bool cg_excerpt_go_to(struct cg_config *excerpt, const char *path) CG_MUST_CHECK;
/* Strangers in these ranges may be asked, too, as if they were in group.prefixes. False: no memory. */
bool cg_excerpt_reach(struct cg_config *excerpt, const struct cg_prefix *prefixes, size_t count) CG_MUST_CHECK;
/* It expects these members of the mapping and no others. False: no memory. */
bool cg_excerpt_expect(struct cg_config *excerpt, const struct cg_member *const *members, size_t count) CG_MUST_CHECK;

/* The same with a group in it that no mapping has: plain, for reads, by the interface of the settings, under a name
 * that no mapping can have. `plain` protects nothing. NULL: no memory. */
struct cg_config *cg_excerpt_of_group(struct cg_config *base, const struct cg_uri *group, struct cg_protector *plain);
/* Whether the mapping is such a one, that no settings have, and none can withdraw. */
bool cg_excerpt_is_of_group(const struct cg_mapping *mapping);

#endif
