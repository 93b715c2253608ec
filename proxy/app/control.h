/* The control socket: STATE/control.sock, for the gateway's own user and root, who ask for what only the running
 * gateway can do or knows: one line of JSON in, one out (store/beside.h is the other side). */
#ifndef CG_APP_CONTROL_H
#define CG_APP_CONTROL_H

#include <uv.h>

#include "base/buf.h"
#include "model/store.h"

struct cg_control;
struct cg_discoveries;
struct cg_keeper;
struct cg_loop;
struct cg_manage;
struct cg_reactions;
struct cg_reports;

/* What others have. */
struct cg_control_source {
    struct cg_store *(*store)(void *ctx);         /* NULL: none is open */
    void (*status)(void *ctx, struct cg_buf *to); /* more members of a JSON object that is open: ,"NAME":VALUE… */
    struct cg_keeper *(*keeper)(void *ctx);       /* NULL: it has closed */
    struct cg_loop *loop;                         /* by which checks send */
    struct cg_reactions *reactions;               /* these two live as long as the loop runs */
    struct cg_reports *reports;
    struct cg_manage *manage;
    struct cg_discoveries *discoveries; /* among which those that are asked for are */
    void *ctx;
};

/* It listens as soon as there is the folder and nobody else listens there. NULL: no memory, *problem says so. */
struct cg_control *cg_control_open(uv_loop_t *uv, const char *folder, const struct cg_control_source *source,
                                   struct cg_problem *problem) CG_MUST_CHECK;
/* From the loop: ends at once what waits for nothing else, and takes the socket away, for which the disk may need time:
 * then closed(ctx). NULL: closed at once. */
void cg_control_close(struct cg_control *control, void (*closed)(void *ctx), void *ctx);

#endif
