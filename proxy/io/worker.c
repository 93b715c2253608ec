/* A queue in, a queue out, a thread between. The hard thing is the end: the loop may only stop when the thread needs it
 * no more, while what the loop's objects leave behind when they are freed is still work. */
#include "io/worker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/check.h"

struct queue {
    struct cg_work *first, **last;
};

struct cg_worker {
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all below, up to `heard` */
    pthread_cond_t changed;
    struct queue in, out;
    bool busy, ending;
    bool heard;   /* the loop wants to know */
    bool is_open; /* the loop's alone, as is what follows */
    uv_async_t async;
    void (*closed)(void *ctx); /* while closing */
    void *ctx;
    bool closing;
};

static void put(struct queue *queue, struct cg_work *work) {
    work->next = NULL;
    if (queue->first == NULL) queue->last = &queue->first;
    *queue->last = work;
    queue->last = &work->next;
}

static struct cg_work *take(struct queue *queue) {
    struct cg_work *work = queue->first;
    if (work != NULL) queue->first = work->next;
    return work;
}

static void lock(struct cg_worker *worker) { CG_CHECK(pthread_mutex_lock(&worker->mutex) == 0); }
static void unlock(struct cg_worker *worker) { CG_CHECK(pthread_mutex_unlock(&worker->mutex) == 0); }

/* On the thread, with the mutex held. */
static void work_off(struct cg_worker *worker, struct cg_work *work) {
    bool is_heard = work->done != NULL;
    worker->busy = true;
    unlock(worker);
    work->run(work);
    lock(worker);
    worker->busy = false;
    if (is_heard) put(&worker->out, work);
    if (worker->heard) CG_CHECK(uv_async_send(&worker->async) == 0);
    pthread_cond_broadcast(&worker->changed);
}

static void *worker_main(void *arg) {
    struct cg_worker *worker = arg;
    lock(worker);
    for (;;) {
        struct cg_work *work = take(&worker->in);
        if (work != NULL) {
            work_off(worker, work);
        } else if (worker->ending) {
            break;
        } else {
            pthread_cond_wait(&worker->changed, &worker->mutex);
        }
    }
    unlock(worker);
    return NULL;
}

struct cg_worker *cg_worker_new(void) {
    struct cg_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) return NULL;
    CG_CHECK(pthread_mutex_init(&worker->mutex, NULL) == 0 && pthread_cond_init(&worker->changed, NULL) == 0);
    if (pthread_create(&worker->thread, NULL, worker_main, worker) == 0) return worker;
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
    return NULL;
}

void cg_worker_do(struct cg_worker *worker, struct cg_work *work) {
    lock(worker);
    put(&worker->in, work);
    pthread_cond_broadcast(&worker->changed);
    unlock(worker);
}

void cg_worker_do_now(struct cg_worker *worker, struct cg_work *work) {
    cg_worker_do(worker, work);
    lock(worker);
    while (worker->in.first != NULL || worker->busy) pthread_cond_wait(&worker->changed, &worker->mutex);
    struct cg_work *done = take(&worker->out);
    unlock(worker);
    CG_CHECK(done == work || work->done == NULL); /* nobody else waits for anything */
}

/* The loop */

static void on_async_closed(uv_handle_t *handle) {
    struct cg_worker *worker = handle->data;
    worker->is_open = false;
    if (worker->closed != NULL) worker->closed(worker->ctx);
}

static void close_when_idle(struct cg_worker *worker) {
    lock(worker);
    bool is_idle = worker->in.first == NULL && !worker->busy && worker->out.first == NULL;
    if (is_idle) worker->heard = false;
    unlock(worker);
    if (is_idle) uv_close((uv_handle_t *)&worker->async, on_async_closed);
}

static struct queue take_all_done(struct cg_worker *worker) {
    lock(worker);
    struct queue done = worker->out;
    worker->out = (struct queue){0};
    unlock(worker);
    return done;
}

/* What is done meanwhile, by order of these perhaps, has a later turn. */
static void on_async(uv_async_t *async) {
    struct cg_worker *worker = async->data;
    struct queue done = take_all_done(worker);
    struct cg_work *work;
    while ((work = take(&done)) != NULL) work->done(work);
    if (worker->closing) close_when_idle(worker);
}

void cg_worker_open(struct cg_worker *worker, uv_loop_t *uv) {
    CG_CHECK(!worker->is_open && uv_async_init(uv, &worker->async, on_async) == 0);
    worker->async.data = worker;
    worker->is_open = true;
    lock(worker);
    worker->heard = true;
    unlock(worker);
}

void cg_worker_close(struct cg_worker *worker, void (*closed)(void *ctx), void *ctx) {
    worker->closing = true;
    worker->closed = closed;
    worker->ctx = ctx;
    if (worker->is_open) {
        CG_CHECK(uv_async_send(&worker->async) == 0);
    } else if (closed != NULL) {
        closed(ctx);
    }
}

void cg_worker_free(struct cg_worker *worker) {
    if (worker == NULL) return;
    lock(worker);
    worker->ending = true;
    pthread_cond_broadcast(&worker->changed);
    unlock(worker);
    CG_CHECK(pthread_join(worker->thread, NULL) == 0);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}
