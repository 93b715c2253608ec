/* The pool of signatures, and the desk beside it: waking a thread and being woken by it costs as much as a signature
 * does, so what is little is done where it came up. The hard thing is cancelling: a job on a thread cannot be taken
 * back, so it is marked, ends as if nobody waited, and its lane may be gone by then; only jobs that are not running are
 * found through their lane.
 */
#include "io/crypto_pool.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "io/reserve.h"

/* A shift's jobs: 1.5 ms or so. Shifts a thread: what a turn of the loop may last while the threads go on without it;
 * what else uses libuv's pool waits for as many. */
enum { SHIFT = 32, SHIFTS_A_THREAD = 4 };

/* At the desk: while no more than these wait, and as long in a turn of the loop. */
enum { DESK_JOBS = 8, DESK_NS = 1000000 };

struct cg_crypto_shift {
    uv_work_t work;
    struct cg_crypto_pool *pool;
    struct cg_crypto_shift *prev, *next; /* of the pool */
    struct cg_crypto_job *jobs[SHIFT];   /* under the lock, as is `count`, while it runs */
    unsigned first, count;               /* those before `first` are done */
};

static struct cg_crypto_pool *pool_of(struct cg_crypto *crypto) {
    return CG_CONTAINER(crypto, struct cg_crypto_pool, crypto);
}

/* Queues: under the lock. */

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
    if (pool->waiting == 0) return NULL;
    pool->waiting--;
    if (pool->urgent_first != NULL) return take(&pool->urgent_first, &pool->urgent_last);
    struct cg_crypto_lane *lane = pool->round_first;
    struct cg_crypto_job *job = take(&lane->first, &lane->last);
    leave_round(pool, lane);
    if (lane->first != NULL) enter_round(pool, lane);
    return job;
}

/* Shifts: on the pool's threads. Which jobs a shift does is decided when it runs and not before, so that what is urgent
 * comes next, and that threads need not wait for the loop while other shifts are queued. */

static void on_work(uv_work_t *work) {
    struct cg_crypto_shift *shift = work->data;
    struct cg_crypto_pool *pool = shift->pool;
    bool urgent = false; /* its result is waited for: the shift ends with it */
    while (shift->count < SHIFT && !urgent) {
        uv_mutex_lock(&pool->lock);
        struct cg_crypto_job *job = next_job(pool);
        if (job != NULL) shift->jobs[shift->count++] = job;
        uv_mutex_unlock(&pool->lock);
        if (job == NULL) return;
        urgent = job->lane == NULL;
        job->run(job);
    }
}

static void on_worked(uv_work_t *work, int status);

static bool start_shift(struct cg_crypto_pool *pool) {
    struct cg_crypto_shift *shift = calloc(1, sizeof *shift);
    if (shift == NULL) return false; /* a later submit or the end of a shift tries again */
    shift->pool = pool;
    shift->work.data = shift;
    DL_APPEND(pool->shifts, shift);
    pool->running++;
    CG_CHECK(uv_queue_work(pool->uv, &shift->work, on_work, on_worked) == 0);
    return true;
}

static size_t count_waiting(struct cg_crypto_pool *pool) {
    uv_mutex_lock(&pool->lock);
    size_t waiting = pool->waiting;
    uv_mutex_unlock(&pool->lock);
    return waiting;
}

static void start_up_to(struct cg_crypto_pool *pool, size_t wanted) {
    while (pool->running < wanted && pool->running < pool->most && start_shift(pool)) {
    }
}

/* As many as may be queued, but no more than there are jobs. */
static void start_shifts(struct cg_crypto_pool *pool) { start_up_to(pool, count_waiting(pool)); }

static void on_worked(uv_work_t *work, int status) {
    struct cg_crypto_shift *shift = work->data;
    struct cg_crypto_pool *pool = shift->pool;
    CG_CHECK(status == 0); /* shifts are never cancelled */
    pool->running--;
    start_shifts(pool);                   /* the thread is not to wait for what follows here */
    while (shift->first < shift->count) { /* one job's end may cancel the lane of those that follow */
        struct cg_crypto_job *job = shift->jobs[shift->first++];
        job->done(job);
    }
    DL_DELETE(pool->shifts, shift);
    free(shift);
}

/* The desk: on the loop, when whatever submitted has returned. */

static struct cg_crypto_job *next_at_desk(struct cg_crypto_pool *pool) {
    struct cg_crypto_job *job = NULL;
    uv_mutex_lock(&pool->lock);
    bool is_blocked = pool->urgent_first != NULL && pool->urgent_first->blocks;
    if (!is_blocked && pool->waiting <= DESK_JOBS) job = next_job(pool);
    uv_mutex_unlock(&pool->lock);
    return job;
}

static void on_desk(uv_idle_t *desk) {
    struct cg_crypto_pool *pool = desk->data;
    const uint64_t end_ns = uv_hrtime() + pool->desk_ns;
    struct cg_crypto_job *job;
    uv_idle_stop(desk);
    do {
        if ((job = next_at_desk(pool)) == NULL) break;
        job->run(job);
        job->done(job);
    } while (uv_hrtime() < end_ns);
    start_up_to(pool, pool->running + count_waiting(pool)); /* those that run may be long */
}

static bool open_desk(struct cg_crypto_pool *pool) {
    return !uv_is_closing((uv_handle_t *)&pool->desk) && uv_idle_start(&pool->desk, on_desk) == 0;
}

/* The interface */

/* How many wait then. */
static size_t enqueue(struct cg_crypto_pool *pool, struct cg_crypto_lane *lane, struct cg_crypto_job *job) {
    uv_mutex_lock(&pool->lock);
    size_t waiting = ++pool->waiting;
    if (lane == NULL) {
        append(&pool->urgent_first, &pool->urgent_last, job);
    } else {
        append(&lane->first, &lane->last, job);
        if (!lane->in_round) enter_round(pool, lane);
    }
    uv_mutex_unlock(&pool->lock);
    return waiting;
}

static void pool_submit(struct cg_crypto *crypto, struct cg_crypto_lane *lane, struct cg_crypto_job *job) {
    struct cg_crypto_pool *pool = pool_of(crypto);
    job->lane = lane;
    job->cancelled = false;
    size_t waiting = enqueue(pool, lane, job);
    if (!job->blocks && waiting <= DESK_JOBS && open_desk(pool)) return;
    if (pool->running < pool->most) (void)start_shift(pool);
}

static void mark_running(struct cg_crypto_pool *pool, const struct cg_crypto_lane *lane) {
    struct cg_crypto_shift *shift;
    DL_FOREACH(pool->shifts, shift) {
        for (unsigned i = shift->first; i < shift->count; i++) {
            if (shift->jobs[i]->lane == lane) shift->jobs[i]->cancelled = true;
        }
    }
}

/* Takes the lane out of the threads' reach; returns what waited in it. */
static struct cg_crypto_job *close_lane(struct cg_crypto_pool *pool, struct cg_crypto_lane *lane) {
    uv_mutex_lock(&pool->lock);
    struct cg_crypto_job *waiting = lane->first;
    mark_running(pool, lane);
    if (lane->in_round) leave_round(pool, lane);
    for (struct cg_crypto_job *job = waiting; job != NULL; job = job->next) pool->waiting--;
    lane->first = lane->last = NULL;
    uv_mutex_unlock(&pool->lock);
    return waiting;
}

static void pool_cancel(struct cg_crypto *crypto, struct cg_crypto_lane *lane) {
    struct cg_crypto_job *job = close_lane(pool_of(crypto), lane);
    while (job != NULL) {
        struct cg_crypto_job *next = job->next;
        job->cancelled = true;
        job->done(job);
        job = next;
    }
}

static const struct cg_crypto_ops pool_ops = {.submit = pool_submit, .cancel = pool_cancel};

void cg_crypto_pool_init(struct cg_crypto_pool *pool, uv_loop_t *uv, unsigned threads) {
    *pool = (struct cg_crypto_pool){
        .crypto.ops = &pool_ops, .uv = uv, .most = threads * SHIFTS_A_THREAD, .desk_ns = DESK_NS};
    CG_CHECK(uv_mutex_init(&pool->lock) == 0 && uv_idle_init(uv, &pool->desk) == 0);
    pool->desk.data = pool;
}

int cg_crypto_pool_warm(struct cg_crypto_pool *pool, unsigned threads) {
    int err = cg_reserve_threads(threads);
    return err == CG_OK && !start_shift(pool) ? CG_E_NO_MEMORY : err;
}

void cg_crypto_pool_close(struct cg_crypto_pool *pool) {
    if (uv_is_closing((uv_handle_t *)&pool->desk)) return;
    uv_close((uv_handle_t *)&pool->desk, NULL);
    start_up_to(pool, pool->running + count_waiting(pool));
}

void cg_crypto_pool_fini(struct cg_crypto_pool *pool) {
    CG_CHECK(pool->running == 0 && pool->urgent_first == NULL && pool->round_first == NULL);
    uv_mutex_destroy(&pool->lock);
}
