/* Where relayed numbers are kept (plugins/relay/windows.h): one text in the state folder, castgate.relayed, replaced as
 * a whole.
 *
 * Reading makes the folder (not those above it) where it is missing, and keeps it locked from then on. */
#ifndef CG_STORE_RELAYED_H
#define CG_STORE_RELAYED_H

#include "relay/windows.h"
#include "store/lock.h"

struct cg_relayed_file {
    struct cg_windows_place place;
    char *folder;               /* owned */
    struct cg_state_lock *lock; /* the program's */
};

/* The lock, of that folder, outlives it. CG_E_NO_MEMORY. */
int cg_relayed_file_init(struct cg_relayed_file *file, const char *folder, struct cg_state_lock *lock) CG_MUST_CHECK;
void cg_relayed_file_fini(struct cg_relayed_file *file); /* no effect on one that is all zero */

#endif
