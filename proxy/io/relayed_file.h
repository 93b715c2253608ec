/* Where relayed numbers are kept (plugins/relay/windows.h): one text in the state folder, replaced as a whole.
 *
 *     castgate.relayed        the text
 *     castgate.relayed.lock   locked (flock) by the gateway that uses it
 *
 * Reading makes the folder (not those above it) where it is missing, and keeps it locked from then on. */
#ifndef CG_IO_RELAYED_FILE_H
#define CG_IO_RELAYED_FILE_H

#include "relay/windows.h"

struct cg_relayed_file {
    struct cg_windows_place place;
    char *folder; /* owned */
    int lock_fd;  /* -1: not locked */
};

int cg_relayed_file_init(struct cg_relayed_file *file, const char *folder) CG_MUST_CHECK; /* CG_E_NO_MEMORY */
void cg_relayed_file_fini(struct cg_relayed_file *file); /* unlocks; no effect on one that is all zero */

#endif
