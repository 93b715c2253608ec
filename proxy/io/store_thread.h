/* The store on a thread of its own: a disk that takes half a second for an fsync must not be felt by the loop. Jobs run
 * one after the other, in the order of their coming. Before the first, and whenever there is none for two seconds, the
 * thread checks the store, so that it is known whether it works before somebody needs a number. */
#ifndef CG_IO_STORE_THREAD_H
#define CG_IO_STORE_THREAD_H

#include <uv.h>

#include "model/store.h"

struct cg_store_thread;

typedef void (*cg_store_closed_fn)(void *ctx);

/* What it goes by; tests have a clock that they move themselves. */
struct cg_store_watch {
    uint64_t (*now_ns)(void); /* monotonic, from any thread */
    uint64_t look_ms;         /* between the loop's looks whether a call hangs */
    uint64_t check_ms;        /* between checks of a store that nobody uses */
};

extern const struct cg_store_watch cg_store_watch; /* the system's clock, 1 s, 2 s */

/* Takes the backend over in any case: only the thread touches it, and frees it in the end. `watch` stays the caller's,
 * and as long as the thread. NULL with *problem. */
struct cg_store_thread *cg_store_thread_open(uv_loop_t *loop, struct cg_store_backend *backend,
                                             const struct cg_store_watch *watch,
                                             struct cg_problem *problem) CG_MUST_CHECK;

/* What the core submits to, from the loop. */
struct cg_store *cg_store_thread_store(struct cg_store_thread *thread);

/* Whether the store can give numbers, as far as is known. CG_E_STORE with *problem: the last call or check failed, or
 * one has been running for more than two seconds. What becomes of it is in the log, one line a change, within a second
 * and whether somebody asks or not. */
int cg_store_thread_status(struct cg_store_thread *thread, struct cg_problem *problem) CG_MUST_CHECK;

/* From the loop, once: what was submitted is still done and reported; what is submitted later ends with CG_E_STOPPING,
 * and after `closed` (from the loop, the last that is heard; the memory is freed already; may be NULL) nothing may be
 * submitted. Takes as long as the disk does. A process that cannot wait may exit without: no number is lost that was
 * not given. */
void cg_store_thread_close(struct cg_store_thread *thread, cg_store_closed_fn closed, void *ctx);

#endif
