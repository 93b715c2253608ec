/* Files past signals and short counts, and changes to folders that survive a power cut. All of it blocks: for tools,
 * threads and the start, never for the loop; the core has no files at all. What returns int gives 0 or errno. */
#ifndef CG_BASE_FILE_H
#define CG_BASE_FILE_H

#include "base/buf.h"

/* Up to `cap` bytes, fewer at the end of the file only. */
int cg_file_read(int fd, void *to, size_t cap, size_t *len) CG_MUST_CHECK;
/* Appends what there is, but stops behind `max` bytes: whoever has got more than that knows that it is too much. ENOMEM
 * without memory. */
int cg_file_read_all(int fd, size_t max, struct cg_buf *to) CG_MUST_CHECK;
int cg_file_write(int fd, struct cg_slice bytes) CG_MUST_CHECK;

/* The file `name` has these bytes from now on, or, whatever happens, those that it had; 0600. Both names are in the
 * folder that is open as `folder`, and nobody else uses `draft`. */
int cg_file_replace(int folder, const char *name, const char *draft, struct cg_slice bytes) CG_MUST_CHECK;

/* Makes names in a folder, or their disappearance, durable; the second for the folder that `path` is in. */
int cg_file_sync_folder(const char *folder) CG_MUST_CHECK;
int cg_file_sync_parent(const char *path) CG_MUST_CHECK;

#endif
