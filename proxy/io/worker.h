/* One thread for long work that the loop must not do itself: reading settings, freeing what they replaced. Pieces of
 * work run one after the other, in the order of their coming. It is not for what somebody waits for by the network:
 * that has the pool of signatures. */
#ifndef CG_IO_WORKER_H
#define CG_IO_WORKER_H

#include <uv.h>

struct cg_worker;

/* The caller's storage, still until `done`; without `done` it is `run`'s, which may free it. */
struct cg_work {
    void (*run)(struct cg_work *work);  /* on the thread */
    void (*done)(struct cg_work *work); /* on the loop; may be NULL */
    struct cg_work *next;
};

/* Starts the thread. NULL: no memory or no thread. */
struct cg_worker *cg_worker_new(void);
/* From here on what is done is heard of, on this loop. */
void cg_worker_open(struct cg_worker *worker, uv_loop_t *uv);
/* From the loop's thread. Cannot fail. */
void cg_worker_do(struct cg_worker *worker, struct cg_work *work);
/* The same and waits for it, `done` apart. Before the loop runs, or after. */
void cg_worker_do_now(struct cg_worker *worker, struct cg_work *work);

/* From the loop, once: when nothing is left to do, and all that was done is heard of, `closed` is called. Until then
 * the loop lives. Work may be given later, too, but is not heard of. One that was never open has nothing to close. */
void cg_worker_close(struct cg_worker *worker, void (*closed)(void *ctx), void *ctx);
/* Does what is left, and ends the thread. NULL is fine. */
void cg_worker_free(struct cg_worker *worker);

#endif
