/* legs/crypto.h on libuv's thread pool: urgent jobs first, then the lanes in turn, in shifts of at most 32 jobs, and
 * four shifts a thread at most in the pool, which also serves DNS and files. While only a few jobs wait they are done
 * on the loop itself, a millisecond a turn at most. */
#ifndef CG_IO_CRYPTO_POOL_H
#define CG_IO_CRYPTO_POOL_H

#include <uv.h>

#include "base/err.h"
#include "legs/crypto.h"

struct cg_crypto_pool {
    struct cg_crypto crypto;
    uv_loop_t *uv;
    uv_mutex_t lock; /* the five that follow, all lanes, and which jobs a shift has taken */
    struct cg_crypto_job *urgent_first, *urgent_last;
    struct cg_crypto_lane *round_first, *round_last; /* lanes with waiting jobs */
    size_t waiting;                                  /* jobs */
    struct cg_crypto_shift *shifts;                  /* in the pool; the loop's own, as is what follows */
    unsigned running, most;                          /* shifts */
    uv_idle_t desk;                                  /* runs when the loop may do some itself */
    uint64_t desk_ns;                                /* for how long in a turn: a millisecond, but in tests */
};

/* `threads`: of libuv's pool. */
void cg_crypto_pool_init(struct cg_crypto_pool *pool, uv_loop_t *uv, unsigned threads);
/* Makes the pool's threads now, at the start: libuv makes them with the first work that is queued, and ends the process
 * where it cannot. CG_E_NO_MEMORY: there is no room for them. */
int cg_crypto_pool_warm(struct cg_crypto_pool *pool, unsigned threads) CG_MUST_CHECK;
/* Jobs may still come and are done by the threads; nothing of the pool keeps the loop from being closed any more.
 * Calling it again does nothing. */
void cg_crypto_pool_close(struct cg_crypto_pool *pool);
/* It was closed; every lane must have been cancelled, and the loop have run until the pool was idle. */
void cg_crypto_pool_fini(struct cg_crypto_pool *pool);

#endif
