/* What a plan comes to: what follows from it, what differs, the book as it would be. */
#ifndef CG_MANAGE_PREPARE_H
#define CG_MANAGE_PREPARE_H

#include "manage/change.h"

/* By whoever has the turn, on any thread. Errors are in change->problem. */
int cg_change_prepare(struct cg_change_own *own) CG_MUST_CHECK;

#endif
