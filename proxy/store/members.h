/* What is known of members, over a restart: STATE/castgate.members.db, a database of its own, since losing it costs
 * knowledge and nothing else. Nothing secret is in it. One process has it at a time, by SQLite's own lock; there is no
 * folder made for it.
 *
 * Calls block, for as long as a disk likes: one thread, not the loop's. Ages go by the clock on the wall, times in
 * records by the monotonic one, so each call is told both. */
#ifndef CG_STORE_MEMBERS_H
#define CG_STORE_MEMBERS_H

#include "model/known.h"
#include "model/request.h"

#define CG_MEMBERS_FILE    "castgate.members.db"
#define CG_MEMBERS_DAMAGED "castgate.members.damaged" /* what could not be read, the last such file */

struct cg_members_file;

struct cg_members_time {
    int64_t unix_ms;
    uint64_t now_us; /* monotonic, at the same moment */
};

/* `keep_us` and `most` as model/known.h has them. NULL: no memory. */
struct cg_members_file *cg_members_file_new(const char *folder, uint64_t keep_us, size_t most);
void cg_members_file_free(struct cg_members_file *file);

/* All that is not too old, the latest first. The records are the caller's to free; NULL: there are none.
 * CG_E_NOT_FOUND: there is no folder. CG_E_STORE with *problem, CG_E_NO_MEMORY. Here as in the others, what is no file
 * of ours, or damaged, is set aside with a warning in the log, and a new one made. */
int cg_members_load(struct cg_members_file *file, const struct cg_members_time *time, struct cg_known_record **records,
                    size_t *count, struct cg_problem *problem) CG_MUST_CHECK;
/* All of them or none, in place of what was there of these members and mappings. Errors as above. */
int cg_members_save(struct cg_members_file *file, const struct cg_known_record *records, size_t count,
                    const struct cg_members_time *time, struct cg_problem *problem) CG_MUST_CHECK;
/* The members that are shown by that name (cg_known_shown); NULL: all. Durable when it returns, and overwritten with
 * zeros. CG_OK as well where there is no folder. */
int cg_members_erase(struct cg_members_file *file, const char *name, struct cg_problem *problem) CG_MUST_CHECK;

#endif
