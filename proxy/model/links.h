/* What there is, as links (RFC 6690, RFC 8075 §5.5; R20): the mappings that a client may use, and for HTTP clients the
 * forward proxy, which for CoAP clients is no resource. */
#ifndef CG_MODEL_LINKS_H
#define CG_MODEL_LINKS_H

#include "model/request.h"

#define CG_LINKS_MAX ((size_t)1 << 20) /* bytes of a reply */

#define CG_DISCOVERY_PATH "/.well-known/core"

struct cg_links;

/* Begins a list in application/link-format. Of the request it takes client, may_be_anonymous, is_remote, scheme, host
 * and query: each of its arguments is a filter (RFC 6690 §4.1: NAME=VALUE, VALUE perhaps with '*' at its end), and what
 * passes all of them is told; nothing may be left. `config` and `request` outlive it. NULL with *problem: CG_E_BAD_URI
 * for a query that is malformed, CG_E_NO_MEMORY. */
struct cg_links *cg_links_begin(const struct cg_config *config, const struct cg_request *request,
                                struct cg_problem *problem) CG_MUST_CHECK;
/* Before anything is looked at: what each path is written behind, as "coap://192.0.2.1:5685", for who asked elsewhere.
 * It outlives the list. */
void cg_links_set_base(struct cg_links *links, const char *base);
/* Looks at so many mappings more. True: there are others. */
bool cg_links_go_on(struct cg_links *links, size_t mappings);
/* Appends the list to `to`, and frees it in any case. CG_E_TOO_BIG above CG_LINKS_MAX, CG_E_NO_MEMORY, with *problem.
 */
int cg_links_end(struct cg_links *links, struct cg_buf *to, struct cg_problem *problem) CG_MUST_CHECK;
void cg_links_free(struct cg_links *links); /* NULL is fine */

#endif
