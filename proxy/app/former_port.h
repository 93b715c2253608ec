/* The source port that requests left from before the gateway was started again. A member may take an Echo value only
 * from the address and port that it was given to (RFC 9175 §2.3), so whoever was known there keeps to be where that can
 * be: where group.port leaves the choice. */
#ifndef CG_APP_FORMER_PORT_H
#define CG_APP_FORMER_PORT_H

#include "io/loop.h"

/* As cg_loop_init, from the port of before where it is free, which is kept in the snapshot's state folder, if that is
 * there. The snapshot is as before when it returns. Reads and writes a small file. */
int cg_former_port_init_loop(struct cg_loop *loop, struct cg_config *config, cg_signal_fn on_signal, void *ctx,
                             struct cg_problem *problem) CG_MUST_CHECK;

#endif
