/* The forward proxy's targets (RFC 8075 §5, GCP): which mapping's group URI a URI lies below. No URI is ever looked up
 * or connected to: what is below no group that the settings name and open with "forward": true is not a target. */
#ifndef CG_MODEL_FORWARD_H
#define CG_MODEL_FORWARD_H

#include "model/request.h"

/* Whether the mapping can be reached so: "forward": true, one group, and no query in that group's URI. */
bool cg_forward_is_open(const struct cg_mapping *mapping);

/* Whether any mapping can. */
static inline bool cg_forward_is_on(const struct cg_config *config) { return config->forwards > 0; }

/* Part of cg_config_index. Group URIs of such mappings must be unique already, a final slash apart. False: no memory.
 */
bool cg_forward_index(struct cg_config *config);
/* In a derived snapshot, `now` (NULL: nothing) stands where `before` (NULL: nothing) stood. False: no memory. */
bool cg_forward_change(struct cg_config *config, const struct cg_mapping *before,
                       const struct cg_mapping *now) CG_MUST_CHECK;
/* The mapping that stands for that group URI, in normal form; a final slash does not count. NULL: none. */
const struct cg_mapping *cg_forward_at(const struct cg_config *config, struct cg_slice uri);

/* `uri`: in normal form (cg_uri_emit_normal), without query. Below means: same scheme, host and port, and the group
 * URI's path segments first; the longest such group URI wins. *rest: the path behind them, raw, empty or beginning with
 * '/'. NULL: below none. Time is proportional to the URI's length, whatever the number of mappings. */
const struct cg_mapping *cg_forward_find(const struct cg_config *config, struct cg_slice uri, struct cg_slice *rest);

/* Makes the URI the request's target: `forward`, `path` and `query`, in normal form, in the arena. CG_E_NO_MEMORY with
 * *problem. */
int cg_forward_set_target(struct cg_request *request, struct cg_arena *arena, const struct cg_uri *uri,
                          struct cg_problem *problem) CG_MUST_CHECK;

#endif
