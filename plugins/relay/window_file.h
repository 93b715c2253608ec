/* One text in the state folder, replaced as a whole: which numbers were relayed. Its calls block, for as long as a disk
 * likes.
 *
 *     castgate.relayed        the text
 *     castgate.relayed.lock   locked (flock) by the gateway that uses it */
#ifndef CG_RELAY_WINDOW_FILE_H
#define CG_RELAY_WINDOW_FILE_H

#include "base/buf.h"
#include "core/request.h"

struct cg_window_file {
    char *folder; /* owned */
    int lock_fd;  /* -1: not locked */
};

int cg_window_file_init(struct cg_window_file *file, const char *folder) CG_MUST_CHECK; /* CG_E_NO_MEMORY */
void cg_window_file_fini(struct cg_window_file *file);                                  /* unlocks */

/* Appends what is there to `text`, nothing where no file is yet, and keeps the folder locked from then on; makes the
 * folder (not those above it) where it is missing. CG_E_STORE, CG_E_NO_MEMORY with *problem. */
int cg_window_file_read(struct cg_window_file *file, struct cg_buf *text, struct cg_problem *problem) CG_MUST_CHECK;
/* CG_OK: the text is there, durably, instead of the earlier one. CG_E_STORE with *problem: the one or the other is. */
int cg_window_file_write(struct cg_window_file *file, struct cg_slice text, struct cg_problem *problem) CG_MUST_CHECK;

#endif
