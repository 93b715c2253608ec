/* Keeps what is known of members (model/known.h) over restarts: takes it in at the start, and saves what has changed
 * once in a while and at a clean stop. What is lost by a crash is no more than such a while's; without a folder, or
 * with a disk that fails, everything goes on without.
 *
 * The disk is a thread's business; the loop does its part in slices. */
#ifndef CG_APP_KEEPER_H
#define CG_APP_KEEPER_H

#include <uv.h>

#include "exchange/gateway.h"
#include "model/known.h"

#define CG_KEEPER_PAUSE_MS 60000u
#define CG_KEEPER_NAME_MAX CG_ADDR_TEXT_MAX

struct cg_keeper;

/* Somebody wants members to be forgotten: the asker's, still until `done`. */
struct cg_keeper_wish {
    char name[CG_KEEPER_NAME_MAX]; /* as the member is shown; empty: all of them */
    /* From the loop, once: CG_OK: they are neither in memory nor on the disk, durably. An error: on the disk they are
     * still, as *problem says, or the gateway ends. */
    void (*done)(struct cg_keeper_wish *wish, int err, const struct cg_problem *problem);
    size_t forgotten; /* entries */
    size_t unsaved;   /* the keeper's, as what follows: changed entries that are saved before */
    struct cg_known_walk walk;
    bool walks;
    struct cg_keeper_wish *prev, *next;
};

/* Begins with taking in what there is. The gateway outlives the keeper's close. NULL: no memory or thread. */
struct cg_keeper *cg_keeper_open(uv_loop_t *uv, struct cg_gateway *gateway, const char *folder, unsigned pause_ms);
void cg_keeper_forget(struct cg_keeper *keeper, struct cg_keeper_wish *wish);
/* From the loop, once: saves what has changed, for which the disk may need time, then closed(ctx). NULL: closed at
 * once. */
void cg_keeper_close(struct cg_keeper *keeper, void (*closed)(void *ctx), void *ctx);
void cg_keeper_free(struct cg_keeper *keeper); /* when the loop has ended; NULL is fine */

#endif
