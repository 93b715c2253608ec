/* Logins to the admin side that fail: slowed (fronts/http/guesses.h), and in the audit, each source once a minute with
 * a count, so that no flood fills a disk. */
#ifndef CG_FRONTS_ADMIN_LOGINS_H
#define CG_FRONTS_ADMIN_LOGINS_H

#include <uv.h>

#include "fronts/http/guesses.h"
#include "manage/manage.h"

struct cg_logins {
    struct cg_guesses guesses;
    struct cg_manage *manage; /* NULL: there is no audit */
    uv_timer_t timer;         /* runs while somebody is to be told of */
    struct cg_allowance notes;
    void (*on_closed)(void *ctx);
    void *ctx;
};

void cg_logins_open(struct cg_logins *logins, uv_loop_t *uv, struct cg_manage *manage);
/* One has failed, as *problem says. Returns what it is then: CG_E_UNAUTHORIZED or CG_E_RATE. */
int cg_logins_fail(struct cg_logins *logins, const struct cg_addr *from, struct cg_problem *problem);
/* on_closed(ctx) says that the storage is the owner's again. */
void cg_logins_close(struct cg_logins *logins, void (*on_closed)(void *ctx), void *ctx);

#endif
