/* Two queues and a thread between them. The hard thing is the end: the thread leaves only when it was told to and
 * nothing is queued, and the loop joins it only after its last word, so that neither waits for the other and no job is
 * dropped. */
#include "io/store_thread.h"

#include <stdlib.h>

#include "base/check.h"

struct queue {
    struct cg_store_job *first, *last;
};

struct cg_store_thread {
    struct cg_store store;            /* first member */
    struct cg_store_backend *backend; /* the thread's */
    uv_thread_t thread;
    uv_async_t async;
    uv_mutex_t mutex; /* guards all below */
    uv_cond_t work;
    struct queue asked, done;
    bool closing; /* the loop wants it to end */
    bool ended;   /* the thread has said its last word */
    cg_store_closed_fn closed;
    void *closed_ctx;
};

static struct cg_store_thread *thread_of(struct cg_store *store) { return (struct cg_store_thread *)store; }

static void put(struct queue *queue, struct cg_store_job *job) {
    job->next = NULL;
    *(queue->last != NULL ? &queue->last->next : &queue->first) = job;
    queue->last = job;
}

static struct cg_store_job *get(struct queue *queue) {
    struct cg_store_job *job = queue->first;
    if (job == NULL) return NULL;
    queue->first = job->next;
    if (queue->first == NULL) queue->last = NULL;
    return job;
}

/* On the thread */

static void run(struct cg_store_backend *backend, struct cg_store_job *job) {
    switch (job->operation) {
    case CG_STORE_RESERVE:
        job->err = backend->ops->reserve(backend, &job->sender, job->count, &job->range, &job->failure);
        break;
    case CG_STORE_CLAIM: job->err = backend->ops->claim(backend, &job->sender, &job->failure); break;
    }
}

/* The next job, when there is one; NULL when there is none any more. With the mutex held. */
static struct cg_store_job *wait_for_job(struct cg_store_thread *thread) {
    while (thread->asked.first == NULL && !thread->closing) uv_cond_wait(&thread->work, &thread->mutex);
    return get(&thread->asked);
}

static void thread_main(void *arg) {
    struct cg_store_thread *thread = arg;
    uv_mutex_lock(&thread->mutex);
    for (struct cg_store_job *job; (job = wait_for_job(thread)) != NULL;) {
        uv_mutex_unlock(&thread->mutex);
        run(thread->backend, job);
        uv_mutex_lock(&thread->mutex);
        put(&thread->done, job);
        CG_CHECK(uv_async_send(&thread->async) == 0);
    }
    uv_mutex_unlock(&thread->mutex);
    thread->backend->ops->free(thread->backend);
    uv_mutex_lock(&thread->mutex);
    thread->ended = true;
    CG_CHECK(uv_async_send(&thread->async) == 0);
    uv_mutex_unlock(&thread->mutex);
}

/* On the loop */

static struct cg_store_job *next_done(struct cg_store_thread *thread, bool *ended) {
    uv_mutex_lock(&thread->mutex);
    struct cg_store_job *job = get(&thread->done);
    *ended = thread->ended;
    uv_mutex_unlock(&thread->mutex);
    return job;
}

/* Reports what is done; whether the thread had ended by then, so that nothing is left. */
static bool report(struct cg_store_thread *thread) {
    bool ended;
    for (struct cg_store_job *job; (job = next_done(thread, &ended)) != NULL;) job->done(job);
    return ended;
}

static void on_closed(uv_handle_t *handle) {
    struct cg_store_thread *thread = handle->data;
    cg_store_closed_fn closed = thread->closed;
    void *ctx = thread->closed_ctx;
    report(thread); /* who came while the handle was closing */
    uv_mutex_destroy(&thread->mutex);
    uv_cond_destroy(&thread->work);
    free(thread);
    if (closed != NULL) closed(ctx);
}

static void on_async(uv_async_t *async) {
    struct cg_store_thread *thread = async->data;
    if (!report(thread) || uv_is_closing((uv_handle_t *)async)) return;
    CG_CHECK(uv_thread_join(&thread->thread) == 0);
    uv_close((uv_handle_t *)async, on_closed);
}

static void refuse(struct cg_store_thread *thread, struct cg_store_job *job) {
    job->err = cg_problem_set(&job->failure.problem, CG_E_STOPPING, "the gateway is stopping");
    job->failure.refusal = CG_STORE_UNAVAILABLE;
    put(&thread->done, job);
    if (!uv_is_closing((uv_handle_t *)&thread->async)) CG_CHECK(uv_async_send(&thread->async) == 0);
}

static void submit(struct cg_store *store, struct cg_store_job *job) {
    struct cg_store_thread *thread = thread_of(store);
    uv_mutex_lock(&thread->mutex);
    if (thread->closing) {
        refuse(thread, job);
    } else {
        put(&thread->asked, job);
        uv_cond_signal(&thread->work);
    }
    uv_mutex_unlock(&thread->mutex);
}

static const struct cg_store_ops ops = {.submit = submit};

struct cg_store_thread *cg_store_thread_open(uv_loop_t *loop, struct cg_store_backend *backend,
                                             struct cg_problem *problem) {
    struct cg_store_thread *thread = calloc(1, sizeof *thread);
    int status = thread == NULL ? UV_ENOMEM : uv_async_init(loop, &thread->async, on_async);
    if (status != 0) {
        free(thread);
        goto failed;
    }
    thread->store.ops = &ops;
    thread->backend = backend;
    thread->async.data = thread;
    CG_CHECK(uv_mutex_init(&thread->mutex) == 0);
    CG_CHECK(uv_cond_init(&thread->work) == 0);
    status = uv_thread_create(&thread->thread, thread_main, thread);
    if (status == 0) return thread;
    uv_close((uv_handle_t *)&thread->async, on_closed);
failed:
    backend->ops->free(backend);
    cg_problem_set(problem, CG_E_INTERNAL, "no thread for the store: %s", uv_strerror(status));
    return NULL;
}

struct cg_store *cg_store_thread_store(struct cg_store_thread *thread) {
    return &thread->store;
}

void cg_store_thread_close(struct cg_store_thread *thread, cg_store_closed_fn closed, void *ctx) {
    thread->closed = closed;
    thread->closed_ctx = ctx;
    uv_mutex_lock(&thread->mutex);
    CG_CHECK(!thread->closing);
    thread->closing = true;
    uv_cond_signal(&thread->work);
    uv_mutex_unlock(&thread->mutex);
}
