/* Links that a member only tells of: those that make its list long, those of a Group Manager, and the look-up of a
 * small Resource Directory (RFC 9176), whose entries the command line names. */
#ifndef CG_TOOLS_MEMBER_LINKS_H
#define CG_TOOLS_MEMBER_LINKS_H

#include "tools/member/resource.h"

/* What /.well-known/core says beyond the member's own resources, as far as it passes the request's queries. */
void cg_member_links_put(struct cg_buf *to, const struct cg_member_options *options,
                         const struct cg_resource_request *request);

bool cg_member_links_is_look_up(const char *path);
/* A look-up resource of the directory, if there is one and the path is such: the page that was asked for. */
bool cg_member_links_look_up(struct cg_buf *to, const struct cg_member_options *options,
                             const struct cg_resource_request *request);

#endif
