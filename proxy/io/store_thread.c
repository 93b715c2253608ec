/* Two queues and a thread between them. The hard thing is the end: the thread leaves only when it was told to and
 * nothing is queued, and the loop joins it only after its last word, so that neither waits for the other and no job is
 * dropped. */
#include "io/store_thread.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"

#define SILENT_NS (2 * UINT64_C(1000000000)) /* a call that runs for longer is trouble */

const struct cg_store_watch cg_store_watch = {.now_ns = uv_hrtime, .look_ms = 1000, .check_ms = 2000};

struct queue {
    struct cg_store_job *first, *last;
};

struct cg_store_thread {
    struct cg_store store;
    struct cg_store_backend *backend; /* the thread's */
    const struct cg_store_watch *watch;
    uv_thread_t thread;
    uv_async_t async;
    uv_timer_t looks;
    uv_mutex_t mutex; /* guards all below */
    uv_cond_t work;
    struct queue asked, done;
    bool closing;              /* the loop wants it to end */
    bool ended;                /* the thread has said its last word */
    uint64_t busy_since_ns;    /* when the call that is running began; 0: none */
    bool broken;               /* the last call found that the store cannot be used */
    struct cg_problem trouble; /* why */
    bool told_broken;          /* the loop's: what the log says last, ... */
    bool told_hanging;         /* ... and of the call that is running */
    cg_store_closed_fn closed;
    void *closed_ctx;
};

static struct cg_store_thread *thread_of(struct cg_store *store) {
    return CG_CONTAINER(store, struct cg_store_thread, store);
}

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

/* On the thread, with the mutex held but for the backend's calls */

static void run(struct cg_store_backend *backend, struct cg_store_job *job) {
    switch (job->operation) {
    case CG_STORE_RESERVE:
        job->err = backend->ops->reserve(backend, &job->sender, job->count, &job->range, &job->failure);
        break;
    case CG_STORE_CLAIM: job->err = backend->ops->claim(backend, &job->sender, &job->failure); break;
    case CG_STORE_COPY: job->err = backend->ops->copy(backend, job->to, &job->failure); break;
    case CG_STORE_LOOK: job->err = backend->ops->look(backend, job->looks, job->count, &job->failure); break;
    }
}

static void begin_call(struct cg_store_thread *thread) {
    thread->busy_since_ns = thread->watch->now_ns();
    uv_mutex_unlock(&thread->mutex);
}

static void end_call(struct cg_store_thread *thread, int err, const struct cg_store_failure *failure) {
    uv_mutex_lock(&thread->mutex);
    thread->busy_since_ns = 0;
    thread->broken = err != CG_OK && failure->refusal == CG_STORE_UNAVAILABLE;
    if (thread->broken) thread->trouble = failure->problem;
}

static void wake_loop(struct cg_store_thread *thread) { CG_CHECK(uv_async_send(&thread->async) == 0); }

static void run_job(struct cg_store_thread *thread, struct cg_store_job *job) {
    begin_call(thread);
    run(thread->backend, job);
    end_call(thread, job->err, &job->failure);
    put(&thread->done, job);
    wake_loop(thread);
}

static void check(struct cg_store_thread *thread) {
    struct cg_store_failure failure;
    bool was_broken = thread->broken;
    if (thread->backend->ops->check == NULL) return;
    begin_call(thread);
    int err = thread->backend->ops->check(thread->backend, &failure);
    end_call(thread, err, &failure);
    if (thread->broken != was_broken) wake_loop(thread);
}

static bool has_to_wait(const struct cg_store_thread *thread) {
    return thread->asked.first == NULL && !thread->closing;
}

/* The next job, when there is one; NULL when there is none any more. */
static struct cg_store_job *wait_for_job(struct cg_store_thread *thread) {
    while (has_to_wait(thread)) {
        int status = uv_cond_timedwait(&thread->work, &thread->mutex, thread->watch->check_ms * 1000000);
        if (status == UV_ETIMEDOUT && has_to_wait(thread)) check(thread);
    }
    return get(&thread->asked);
}

static void thread_main(void *arg) {
    struct cg_store_thread *thread = arg;
    uv_mutex_lock(&thread->mutex);
    check(thread);
    for (struct cg_store_job *job; (job = wait_for_job(thread)) != NULL;) run_job(thread, job);
    begin_call(thread);
    thread->backend->ops->free(thread->backend);
    uv_mutex_lock(&thread->mutex);
    thread->busy_since_ns = 0;
    thread->ended = true;
    wake_loop(thread);
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

/* How long the running call has taken, where that is too long; 0: it has not, or there is none. With the mutex held. */
static unsigned silent_s(const struct cg_store_thread *thread) {
    const uint64_t busy_ns = thread->busy_since_ns == 0 ? 0 : thread->watch->now_ns() - thread->busy_since_ns;
    return busy_ns > SILENT_NS ? (unsigned)(busy_ns / 1000000000) : 0;
}

static int silent_problem(unsigned seconds, struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_STORE, "the store has not answered for %u s: its disk is slow or hangs",
                          seconds);
}

/* While a call hangs, nothing comes back that could say so. */
static void tell_hanging(struct cg_store_thread *thread, unsigned seconds) {
    struct cg_problem problem = {0};
    const bool hanging = seconds > 0;
    if (hanging == thread->told_hanging) return;
    thread->told_hanging = hanging;
    if (hanging) {
        (void)silent_problem(seconds, &problem);
        cg_log(CG_LOG_ERROR, "store", "secured sending waits: %s", problem.detail);
    } else {
        cg_log(CG_LOG_INFO, "store", "the store answers again");
    }
}

static void tell_broken(struct cg_store_thread *thread, bool broken, const struct cg_problem *trouble) {
    if (broken == thread->told_broken) return;
    thread->told_broken = broken;
    if (broken)
        cg_log(CG_LOG_ERROR, "store", "secured sending fails until this is mended: %s", trouble->detail);
    else
        cg_log(CG_LOG_INFO, "store", "the store can be used again");
}

/* One line a change, whoever noticed it. */
static void tell_state(struct cg_store_thread *thread) {
    struct cg_problem trouble;
    uv_mutex_lock(&thread->mutex);
    const unsigned seconds = silent_s(thread);
    const bool broken = thread->broken;
    trouble = thread->trouble;
    uv_mutex_unlock(&thread->mutex);
    tell_hanging(thread, seconds);
    tell_broken(thread, broken, &trouble);
}

static void on_look(uv_timer_t *looks) { tell_state(looks->data); }

int cg_store_thread_status(struct cg_store_thread *thread, struct cg_problem *problem) {
    int err = CG_OK;
    uv_mutex_lock(&thread->mutex);
    const unsigned seconds = silent_s(thread);
    if (seconds > 0) {
        err = silent_problem(seconds, problem);
    } else if (thread->broken) {
        *problem = thread->trouble;
        err = CG_E_STORE;
    }
    uv_mutex_unlock(&thread->mutex);
    return err;
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

static void on_async_closed(uv_handle_t *async) {
    struct cg_store_thread *thread = async->data;
    uv_close((uv_handle_t *)&thread->looks, on_closed);
}

static void on_async(uv_async_t *async) {
    struct cg_store_thread *thread = async->data;
    tell_state(thread); /* before those who waited: they end what asks for it */
    if (!report(thread) || uv_is_closing((uv_handle_t *)async)) return;
    CG_CHECK(uv_thread_join(&thread->thread) == 0);
    uv_close((uv_handle_t *)async, on_async_closed);
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
                                             const struct cg_store_watch *watch, struct cg_problem *problem) {
    struct cg_store_thread *thread = calloc(1, sizeof *thread);
    int status = thread == NULL ? UV_ENOMEM : uv_async_init(loop, &thread->async, on_async);
    if (status != 0) {
        free(thread);
        goto failed;
    }
    thread->store.ops = &ops;
    thread->backend = backend;
    thread->watch = watch;
    thread->async.data = thread->looks.data = thread;
    CG_CHECK(uv_timer_init(loop, &thread->looks) == 0);
    CG_CHECK(uv_timer_start(&thread->looks, on_look, watch->look_ms, watch->look_ms) == 0);
    uv_unref((uv_handle_t *)&thread->looks);
    CG_CHECK(uv_mutex_init(&thread->mutex) == 0);
    CG_CHECK(uv_cond_init(&thread->work) == 0);
    status = uv_thread_create(&thread->thread, thread_main, thread);
    if (status == 0) return thread;
    uv_close((uv_handle_t *)&thread->async, on_async_closed);
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
