/* Which mapping a request's path reaches: the longest configured path that is a prefix at a '/' boundary. A mapping
 * with the request's host wins over every one without a host, even over one with a longer path: what is written for a
 * host is its own space, and the others are only its fallback. Time is proportional to the path's length, whatever the
 * number of mappings, and bounded by the longest configured path for paths that are longer. */
#ifndef CG_MODEL_MAPPING_H
#define CG_MODEL_MAPPING_H

#include "model/config.h"

#define CG_MAPPING_PATH_MAX 1024 /* bytes of a mapping's path */
#define CG_MAPPING_HOST_MAX 255  /* bytes of a mapping's host */

/* Part of cg_config_index. Paths must be normal already (cg_mapping_normal_path) and without trailing slash. False: no
 * memory. */
bool cg_mapping_index(struct cg_config *config);
/* In a derived snapshot, it is found from now on; its number is set. False: no memory. */
bool cg_mapping_add(struct cg_config *config, const struct cg_mapping *mapping) CG_MUST_CHECK;

/* `host`: lower case, without port. `path`: raw, beginning with '/'. *rest: what follows the mapping's path, raw, empty
 * or beginning with '/'. NULL when nothing matches. Percent-encoded bytes are compared after normalisation of
 * unreserved characters only, so "%2F" never acts as a separator. */
const struct cg_mapping *cg_mapping_find(const struct cg_config *config, struct cg_slice host, struct cg_slice path,
                                         struct cg_slice *rest);
/* What stands exactly there (NULL: for any host); the path is normal. NULL: nothing. */
const struct cg_mapping *cg_mapping_at(const struct cg_config *config, const char *host, struct cg_slice path);
const struct cg_mapping *cg_mapping_by_name(const struct cg_config *config, const char *name);
/* The mapping's member of that name; NULL: none is configured. */
const struct cg_member *cg_mapping_member(const struct cg_mapping *mapping, struct cg_slice name);

/* What Uri-Path is compared by, e.g. "/a%7eb" → "/a~b", "%2f" → "%2F". Appended to `to`. CG_E_BAD_URI on a bad
 * encoding, CG_E_NO_MEMORY when `to` can't grow. Applying it twice changes nothing. */
int cg_mapping_normal_path(struct cg_buf *to, struct cg_slice path) CG_MUST_CHECK;

#endif
