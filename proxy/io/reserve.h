/* What libuv would end the process for when memory runs out while it runs: reserved at the start instead. */
#ifndef CG_IO_RESERVE_H
#define CG_IO_RESERVE_H

#include <uv.h>

#include <stdbool.h>

#include "base/err.h"

/* Room to watch descriptors up to `count`, or as many as may be open. Nothing has been watched there yet. The loop is
 * to run once before it is closed. CG_E_NO_MEMORY. */
int cg_reserve_descriptors(uv_loop_t *loop, uint64_t count) CG_MUST_CHECK;

/* Tries out whether so many threads can be made. Their stacks stay with libc, which gives them to the next ones.
 * CG_E_NO_MEMORY. */
int cg_reserve_threads(unsigned count) CG_MUST_CHECK;

#endif
