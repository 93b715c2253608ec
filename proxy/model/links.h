/* What there is, as links (RFC 6690, RFC 8075 §5.5; R20): the mappings that a client may use, and the forward proxy. */
#ifndef CG_MODEL_LINKS_H
#define CG_MODEL_LINKS_H

#include "model/request.h"

#define CG_LINKS_MAX ((size_t)1 << 20) /* bytes of a reply */

/* Appends application/link-format to `to`. Of the request it takes client, may_be_anonymous, host and query: each of
 * its arguments is a filter (RFC 6690 §4.1: NAME=VALUE, VALUE perhaps with '*' at its end), and what passes all of them
 * is told; nothing may be left. CG_E_BAD_URI for a query that is malformed, CG_E_TOO_BIG above CG_LINKS_MAX,
 * CG_E_NO_MEMORY, with their problem. */
int cg_links_emit(struct cg_buf *to, const struct cg_config *config, const struct cg_request *request,
                  struct cg_problem *problem) CG_MUST_CHECK;

#endif
