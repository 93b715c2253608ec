/* How what is to be becomes what is: the settings file, the stored items and proposed edits to a snapshot, and the
 * snapshot into use. Settings file, admin side and reload are three ways into this. app/ does it; whoever proposes
 * knows nothing of loops, threads, protectors and names.
 *
 * One proposal at a time: from `propose` to `adopt` or `drop` nobody else proposes or reloads. It ends with one of
 * these, whatever came of it. */
#ifndef CG_MANAGE_CATALOGUE_H
#define CG_MANAGE_CATALOGUE_H

#include "model/item.h"
#include "model/request.h"
#include "settings/settings.h"

/* The caller's storage, still until `adopt` or `drop`. */
struct cg_proposal {
    const struct cg_edit *edits; /* on the stored items as they are; each (kind, name) once */
    size_t edit_count;
    void (*done)(struct cg_proposal *proposal); /* on the loop, once */
    /* What came of it. */
    int err; /* CG_OK; CG_E_FORMAT: `mistakes`; CG_E_CONFLICT; CG_E_NO_MEMORY …: `problem` */
    struct cg_problem problem;
    struct cg_mistakes
        mistakes; /* pointers "/COLLECTION/NAME/key…", also where the file or an earlier item is the cause */
    struct cg_mistakes warnings; /* of the edited items */
    struct cg_config *config;    /* what would be in use; NULL: nothing */
    void *own;                   /* the catalogue's */
};

struct cg_catalogue {
    void (*propose)(struct cg_catalogue *catalogue, struct cg_proposal *proposal);
    /* Once the edits are durable: into use, within this turn of the loop. What could fail was done before. */
    void (*adopt)(struct cg_catalogue *catalogue, struct cg_proposal *proposal);
    void (*drop)(struct cg_catalogue *catalogue, struct cg_proposal *proposal);
    /* Borrowed: as long as nobody adopts. By whoever has the turn, on any thread. */
    struct cg_config *(*in_use)(const struct cg_catalogue *catalogue);
};

#endif
