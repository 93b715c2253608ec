/* Stored security groups in the program: the key that their secrets are sealed with, and what their administration
 * (manage/groups.h) asks of the rest. */
#ifndef CG_APP_GROUPS_H
#define CG_APP_GROUPS_H

#include "io/worker.h"
#include "manage/groups.h"
#include "manage/rekey_hook.h"

struct cg_program;

/* All zero at first. */
struct cg_app_groups {
    struct cg_seal *seal;     /* NULL: none, so secrets can be neither kept nor opened */
    struct cg_worker *worker; /* for the hook alone */
    struct cg_rekey_hook *hook;
    struct cg_groups *groups;
};

/* Where the key lies, the settings say. Without it what is sealed stays so; the log has why, where it should be there.
 * On any thread, before anybody opens anything. */
void cg_app_groups_open_seal(struct cg_app_groups *groups, const struct cg_config *config);
/* As in settings/stored.h; `ctx`: the struct cg_app_groups. */
int cg_app_groups_unseal(void *ctx, const struct cg_item *item, struct cg_buf *secret);

/* Once there is a loop and a write path. False: no memory, or no thread. */
bool cg_app_groups_open(struct cg_program *program);
/* The hook's thread ends; then `closed`. At once where it never began. */
void cg_app_groups_close(struct cg_app_groups *groups, void (*closed)(void *ctx), void *ctx);
/* After the loop. */
void cg_app_groups_fini(struct cg_app_groups *groups);

#endif
