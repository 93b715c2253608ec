/* What the audit is told without a change. Nobody waits for it, and it may not grow: whoever fails to log in a thousand
 * times a second does not fill the memory with that. */
#ifndef CG_MANAGE_NOTES_H
#define CG_MANAGE_NOTES_H

#include <stdatomic.h>

#include "io/worker.h"
#include "store/items.h"

#define CG_NOTES_WAITING_MAX 256

struct cg_notes {
    struct cg_worker *disk;
    struct cg_items_file *file;
    atomic_uint waiting;
    atomic_bool fails; /* the last one could not be written: said once */
    uint64_t lost;
};

void cg_notes_init(struct cg_notes *notes, struct cg_worker *disk, struct cg_items_file *file);
/* Copies it. Beyond CG_NOTES_WAITING_MAX, and without memory, the log has it alone. */
void cg_notes_add(struct cg_notes *notes, const struct cg_deed *deed);

#endif
