/* The hard thing: cancelling as the real pool does. What waits ends at once, what runs later, marked. */
#include "fake_pool.h"
#include "base/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void submit(struct cg_crypto *crypto, struct cg_crypto_lane *lane, struct cg_crypto_job *job) {
    struct fake_crypto *fake = CG_CONTAINER(crypto, struct fake_crypto, crypto);
    assert_true(fake->count < FAKE_JOBS_MAX);
    job->lane = lane;
    job->cancelled = false;
    fake->jobs[fake->count++] = (struct fake_job){.job = job, .lane = lane};
    if (lane != NULL) fake->submitted++;
}

static struct cg_crypto_job *take(struct fake_crypto *fake, size_t index) {
    assert_true(index < fake->count);
    struct cg_crypto_job *job = fake->jobs[index].job;
    memmove(fake->jobs + index, fake->jobs + index + 1, (--fake->count - index) * sizeof *fake->jobs);
    return job;
}

static void cancel(struct cg_crypto *crypto, struct cg_crypto_lane *lane) {
    struct fake_crypto *fake = CG_CONTAINER(crypto, struct fake_crypto, crypto);
    for (size_t i = 0; i < fake->count; i++) {
        if (fake->jobs[i].lane == lane) fake->jobs[i].job->cancelled = true;
    }
    for (size_t i = 0; i < fake->count;) {
        if (fake->jobs[i].lane != lane || fake->jobs[i].ran) {
            i++;
            continue;
        }
        struct cg_crypto_job *job = take(fake, i);
        job->done(job);
        i = 0;
    }
}

static const struct cg_crypto_ops crypto_ops = {.submit = submit, .cancel = cancel};

void fake_crypto_init(struct fake_crypto *fake) { *fake = (struct fake_crypto){.crypto.ops = &crypto_ops}; }

void fake_crypto_run(struct fake_crypto *fake, size_t index) {
    assert_true(index < fake->count && !fake->jobs[index].ran);
    fake->jobs[index].job->run(fake->jobs[index].job);
    fake->jobs[index].ran = true;
}

void fake_crypto_end(struct fake_crypto *fake, size_t index) {
    assert_true(index < fake->count);
    if (!fake->jobs[index].ran) fake_crypto_run(fake, index);
    struct cg_crypto_job *job = take(fake, index);
    job->done(job);
}

void fake_crypto_end_all(struct fake_crypto *fake) {
    while (fake->count > 0) fake_crypto_end(fake, 0);
}

static void store_submit(struct cg_store *store, struct cg_store_job *job) {
    struct fake_store *fake = CG_CONTAINER(store, struct fake_store, store);
    assert_true(fake->count < sizeof fake->jobs / sizeof *fake->jobs);
    fake->jobs[fake->count++] = job;
}

static const struct cg_store_ops store_ops = {.submit = store_submit};

void fake_store_init(struct fake_store *fake) { *fake = (struct fake_store){.store.ops = &store_ops}; }

static struct cg_store_job *oldest(struct fake_store *fake) {
    assert_true(fake->count > 0);
    struct cg_store_job *job = fake->jobs[0];
    memmove(fake->jobs, fake->jobs + 1, --fake->count * sizeof *fake->jobs);
    return job;
}

void fake_store_grant(struct fake_store *fake) {
    struct cg_store_job *job = oldest(fake);
    job->err = CG_OK;
    job->range = (struct cg_store_range){.first = fake->next, .count = job->count};
    fake->next += job->count;
    job->done(job);
}

void fake_store_refuse(struct fake_store *fake, enum cg_store_refusal refusal, const char *detail) {
    struct cg_store_job *job = oldest(fake);
    bool fast = refusal == CG_STORE_TOO_FAST;
    job->err = cg_problem_set(&job->failure.problem, fast ? CG_E_OVERLOAD : CG_E_STORE, "%s", detail);
    if (fast) job->failure.problem.retry_after = FAKE_WAIT_S;
    job->failure.refusal = refusal;
    job->done(job);
}
