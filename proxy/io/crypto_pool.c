/* The pool of signatures. The hard thing is cancelling: a job on a thread cannot be taken back, so it is marked, ends as if nobody waited,
 * and its lane may be gone by then; only jobs that are not running are found through their lane. */
#include "io/crypto_pool.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"

enum { BATCH = 16, BATCHES_A_THREAD = 2 };

struct cg_crypto_batch {
    uv_work_t work;
    struct cg_crypto_pool *pool;
    struct cg_crypto_batch *prev, *next; /* of the pool */
    struct cg_crypto_job *jobs[BATCH];
    unsigned first, count; /* those before `first` are done */
};

static struct cg_crypto_pool *pool_of(struct cg_crypto *crypto) { return (struct cg_crypto_pool *)crypto; }

/* Queues */

static void append(struct cg_crypto_job **first, struct cg_crypto_job **last, struct cg_crypto_job *job) {
    job->next = NULL;
    if (*last == NULL) {
        *first = job;
    } else {
        (*last)->next = job;
    }
    *last = job;
}

static struct cg_crypto_job *take(struct cg_crypto_job **first, struct cg_crypto_job **last) {
    struct cg_crypto_job *job = *first;
    *first = job->next;
    if (*first == NULL) *last = NULL;
    return job;
}

static void enter_round(struct cg_crypto_pool *pool, struct cg_crypto_lane *lane) {
    lane->next = NULL;
    lane->in_round = true;
    if (pool->round_last == NULL) {
        pool->round_first = lane;
    } else {
        pool->round_last->next = lane;
    }
    pool->round_last = lane;
}

static void leave_round(struct cg_crypto_pool *pool, struct cg_crypto_lane *lane) {
    struct cg_crypto_lane **link = &pool->round_first, *before = NULL;
    while (*link != lane) {
        before = *link;
        link = &before->next;
    }
    *link = lane->next;
    if (pool->round_last == lane) pool->round_last = before;
    lane->in_round = false;
}

/* One job of the lane whose turn it is, which then goes to the end of the round. NULL: nothing waits. */
static struct cg_crypto_job *next_job(struct cg_crypto_pool *pool) {
    if (pool->urgent_first != NULL) return take(&pool->urgent_first, &pool->urgent_last);
    struct cg_crypto_lane *lane = pool->round_first;
    if (lane == NULL) return NULL;
    struct cg_crypto_job *job = take(&lane->first, &lane->last);
    leave_round(pool, lane);
    if (lane->first != NULL) enter_round(pool, lane);
    return job;
}

/* Batches */

static void start_batches(struct cg_crypto_pool *pool);

static void on_work(uv_work_t *work) {
    struct cg_crypto_batch *batch = work->data;
    for (unsigned i = 0; i < batch->count; i++) batch->jobs[i]->run(batch->jobs[i]);
}

static void on_worked(uv_work_t *work, int status) {
    struct cg_crypto_batch *batch = work->data;
    struct cg_crypto_pool *pool = batch->pool;
    CG_CHECK(status == 0); /* batches are never cancelled */
    pool->running--;
    start_batches(pool); /* the thread is not to wait for what follows here */
    while (batch->first < batch->count) { /* one job's end may cancel the lane of those that follow */
        struct cg_crypto_job *job = batch->jobs[batch->first++];
        job->done(job);
    }
    DL_DELETE(pool->batches, batch);
    free(batch);
}

static bool start_batch(struct cg_crypto_pool *pool) {
    struct cg_crypto_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return false; /* a later submit or batch tries again */
    batch->pool = pool;
    batch->work.data = batch;
    while (batch->count < BATCH) {
        struct cg_crypto_job *job = next_job(pool);
        if (job == NULL) break;
        batch->jobs[batch->count++] = job;
    }
    DL_APPEND(pool->batches, batch);
    pool->running++;
    CG_CHECK(uv_queue_work(pool->uv, &batch->work, on_work, on_worked) == 0);
    return true;
}

static void start_batches(struct cg_crypto_pool *pool) {
    while (pool->running < pool->most && (pool->urgent_first != NULL || pool->round_first != NULL)) {
        if (!start_batch(pool)) break;
    }
}

/* The interface */

static void pool_submit(struct cg_crypto *crypto, struct cg_crypto_lane *lane, struct cg_crypto_job *job) {
    struct cg_crypto_pool *pool = pool_of(crypto);
    job->lane = lane;
    job->cancelled = false;
    if (lane == NULL) {
        append(&pool->urgent_first, &pool->urgent_last, job);
    } else {
        append(&lane->first, &lane->last, job);
        if (!lane->in_round) enter_round(pool, lane);
    }
    start_batches(pool);
}

static void mark_running(struct cg_crypto_pool *pool, const struct cg_crypto_lane *lane) {
    struct cg_crypto_batch *batch;
    DL_FOREACH(pool->batches, batch) {
        for (unsigned i = batch->first; i < batch->count; i++) {
            if (batch->jobs[i]->lane == lane) batch->jobs[i]->cancelled = true;
        }
    }
}

static void pool_cancel(struct cg_crypto *crypto, struct cg_crypto_lane *lane) {
    struct cg_crypto_pool *pool = pool_of(crypto);
    mark_running(pool, lane);
    if (lane->in_round) leave_round(pool, lane);
    while (lane->first != NULL) {
        struct cg_crypto_job *job = take(&lane->first, &lane->last);
        job->cancelled = true;
        job->done(job);
    }
}

static const struct cg_crypto_ops pool_ops = {.submit = pool_submit, .cancel = pool_cancel};

void cg_crypto_pool_init(struct cg_crypto_pool *pool, uv_loop_t *uv, unsigned threads) {
    *pool = (struct cg_crypto_pool){.crypto.ops = &pool_ops, .uv = uv, .most = threads * BATCHES_A_THREAD};
}

void cg_crypto_pool_fini(struct cg_crypto_pool *pool) {
    CG_CHECK(pool->running == 0 && pool->urgent_first == NULL && pool->round_first == NULL);
}
