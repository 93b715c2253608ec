/* The settings' program that hears of rekeys of stored security groups ("hooks": "after_rekey"), so that somebody else
 * hands the keys out. One at a time, on a thread of its own. It gets
 *
 * {"group", "event": "prepared" or "activated", "gid", "files": {Sender ID in hexadecimal: the member's file}}
 *
 * on its stdin (no files when keys are activated, or are managed elsewhere), and CASTGATE_GROUP, CASTGATE_EVENT and
 * CASTGATE_GID in its environment. If it ends well the members count as having their files. */
#ifndef CG_MANAGE_REKEY_HOOK_H
#define CG_MANAGE_REKEY_HOOK_H

#include "manage/manage.h"
#include "store/seal.h"

struct cg_rekey_hook;

enum cg_rekey_event { CG_REKEY_PREPARED, CG_REKEY_ACTIVATED };

#define CG_REKEY_HOOKS_WAITING 64

/* `seal` NULL: nothing is ever heard of. `worker`: for it alone. All borrowed. NULL: no memory. */
struct cg_rekey_hook *cg_rekey_hook_new(struct cg_manage *manage, const struct cg_seal *seal, struct cg_worker *worker);
/* What runs is ended soon, what waits does not run; what comes of it is not heard of. On the loop. */
void cg_rekey_hook_stop(struct cg_rekey_hook *hook);
/* After the worker's thread. NULL is fine. */
void cg_rekey_hook_free(struct cg_rekey_hook *hook);

/* `keys`: the item of the epoch that the event is about. What came of it is in the log and the audit, as the author's.
 * Nothing happens where the settings name no program. */
void cg_rekey_hook_run(struct cg_rekey_hook *hook, struct cg_config *config, enum cg_rekey_event event,
                       const char *group, const struct cg_item *keys, const struct cg_author *author);

/* In place of a member's Sender ID in the name of what tells of a file that was fetched (groups.h): the program has had
 * them all. */
#define CG_REKEY_HOOK_HAD "all"

#endif
