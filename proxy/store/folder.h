/* The state folder as files: who may use it, and whether its store is the one that was made here.
 *
 *     castgate.db               the store; SQLite keeps its journal, castgate.db-journal, beside it
 *     castgate.lock             locked (flock) by the gateway that uses the folder
 *     castgate.generation-N     the witness: an empty file whose name follows the counter in the store */
#ifndef CG_STORE_FOLDER_H
#define CG_STORE_FOLDER_H

#include "model/request.h"
#include "store/lock.h"

#define CG_FOLDER_DB      "castgate.db"
#define CG_FOLDER_LOCK    "castgate.lock"
#define CG_FOLDER_WITNESS "castgate.generation-"

/* What tells a file from its copies: cp, tar and rsync cannot set either. */
struct cg_file_mark {
    int64_t inode;
    int64_t born_ns; /* 0: the file system does not know */
};

struct cg_folder {
    char *path, *db;
    struct cg_state_lock *lock; /* shared, or `own` */
    struct cg_state_lock own;
    bool taken;             /* when it could last not be locked: another gateway has the lock */
    uint64_t device, inode; /* of the store that is in use */
    uint64_t witness;       /* what its name says */
    bool has_witness;
    struct cg_file_mark witness_mark; /* it is renamed, never made anew: what is put back is another file */
};

/* `lock`: the program's, which outlives it; NULL: it has one of its own. CG_E_NO_MEMORY. It must not move. */
int cg_folder_init(struct cg_folder *folder, const char *path, struct cg_state_lock *lock) CG_MUST_CHECK;
void cg_folder_fini(struct cg_folder *folder); /* unlocks what is its own */

char *cg_folder_file(const char *folder, const char *name); /* malloc'd; NULL: out of memory */

/* No effect if it holds the lock and the lock file is still in its place. CG_E_STORE: there is no store, another
 * gateway has the lock, the folder cannot be written. */
int cg_folder_lock(struct cg_folder *folder, struct cg_problem *problem) CG_MUST_CHECK;

/* Remembers which file the store is; later, whether it still is, and the lock is where it was. CG_E_STORE with
 * *problem. */
int cg_folder_note_db(struct cg_folder *folder, struct cg_problem *problem) CG_MUST_CHECK;
int cg_folder_check(const struct cg_folder *folder, struct cg_problem *problem) CG_MUST_CHECK;

bool cg_file_mark(const char *path, struct cg_file_mark *mark);

/* Looks for the witness: the highest one, should there be several. False: the folder cannot be read. */
bool cg_folder_find_witness(struct cg_folder *folder) CG_MUST_CHECK;
/* A new one with that number. CG_E_STORE with *problem. */
int cg_folder_make_witness(struct cg_folder *folder, uint64_t number, struct cg_problem *problem) CG_MUST_CHECK;
/* Gives it that number. CG_E_STORE with *problem: a witness that lags would not see an older store, so what was
 * committed must not be used. */
int cg_folder_move_witness(struct cg_folder *folder, uint64_t number, struct cg_problem *problem) CG_MUST_CHECK;
void cg_folder_remove_older_witnesses(const struct cg_folder *folder);

#endif
