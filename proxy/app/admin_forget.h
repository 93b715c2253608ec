/* Members forgotten by the admin side: the keeper does it. */
#ifndef CG_APP_ADMIN_FORGET_H
#define CG_APP_ADMIN_FORGET_H

#include "fronts/admin/admin.h"

/* `program`: struct cg_program. */
void cg_admin_forget_by_keeper(void *program, struct cg_admin_forget *asker);

#endif
