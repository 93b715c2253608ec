/* Members changed by their own names: PUT and PATCH of one are edits of the member lists of the mappings that have it,
 * or are to. */
#ifndef CG_FRONTS_ADMIN_MEMBER_EDIT_H
#define CG_FRONTS_ADMIN_MEMBER_EDIT_H

#include "fronts/admin/call.h"

void cg_member_edit_put(struct cg_admin_call *call);
void cg_member_edit_patch(struct cg_admin_call *call);

/* What one place says of a member: a mapping, or a security group. Those of all places, added up, change whenever what
 * is configured of it does. */
uint64_t cg_member_tag(const char *collection, const char *where, const struct cg_member *member);
/* The sum as a revision, for an ETag; 0: it is configured nowhere. */
uint64_t cg_member_revision(uint64_t tags);

#endif
