/* A listening TCP socket. It takes some connections a turn of the loop, so that those that are there are served in
 * between, and looks the other way for a moment when there are no descriptors left. */
#ifndef CG_IO_ACCEPTOR_H
#define CG_IO_ACCEPTOR_H

#include <uv.h>

#include "model/request.h"
#include "wire/addr.h"

struct cg_acceptor;

/* A connection, from there; `fd` is the caller's to close. */
typedef void cg_accepted_fn(void *ctx, int fd, const struct cg_addr *from);

/* Port 0 becomes the port that it gets. NULL: *problem says why. */
struct cg_acceptor *cg_acceptor_open(uv_loop_t *uv, struct cg_addr *addr, cg_accepted_fn *accepted, void *ctx,
                                     struct cg_problem *problem);
/* Nothing is accepted any more. Then on_closed (may be NULL). */
void cg_acceptor_close(struct cg_acceptor *acceptor, void (*on_closed)(void *ctx), void *ctx);

#endif
