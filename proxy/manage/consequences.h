/* What follows from edits: whom a client's end takes its grants and tokens from, and who keeps something from going. */
#ifndef CG_MANAGE_CONSEQUENCES_H
#define CG_MANAGE_CONSEQUENCES_H

#include "manage/change.h"

/* Adds to the edits and their draft. CG_E_CONFLICT: something that stays needs what is to go; change->problem names it.
 * CG_E_NO_MEMORY. */
int cg_change_follow(struct cg_change_own *own) CG_MUST_CHECK;

#endif
