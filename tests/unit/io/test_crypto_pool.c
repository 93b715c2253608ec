/* The pool of signatures, with libuv's real threads. A first job that waits at a gate holds the one thread, so that
 * what comes meanwhile queues up and the order is the pool's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io/crypto_pool.h"
#include "base/container.h"

enum { JOBS = 256 };

struct note {
    struct cg_crypto_job job;
    struct hall *hall;
    int name;
    uv_sem_t *gate; /* waits for it first, after it has said that it runs */
    void (*then)(struct note *note);
    struct cg_crypto_lane *other;
};

struct hall {
    uv_loop_t loop;
    struct cg_crypto_pool pool;
    struct note notes[JOBS];
    int ran[JOBS], done[JOBS]; /* names, in order */
    unsigned ran_count, done_count, cancelled;
    bool at_desk;    /* jobs may be done on the loop; else they are such as block, and only threads do them */
    uv_mutex_t lock; /* of `ran` */
    uv_sem_t runs;   /* a job waits at its gate */
    struct cg_crypto_lane lanes[3];
};

static void run(struct cg_crypto_job *job) {
    struct note *note = CG_CONTAINER(job, struct note, job);
    if (note->gate != NULL) {
        uv_sem_post(&note->hall->runs);
        uv_sem_wait(note->gate);
    }
    uv_mutex_lock(&note->hall->lock);
    note->hall->ran[note->hall->ran_count++] = note->name;
    uv_mutex_unlock(&note->hall->lock);
}

static void done(struct cg_crypto_job *job) {
    struct note *note = CG_CONTAINER(job, struct note, job);
    struct hall *hall = note->hall;
    hall->done[hall->done_count++] = note->name;
    if (job->cancelled) hall->cancelled++;
    if (note->then != NULL) note->then(note);
}

static int setup(void **state) {
    struct hall *hall = calloc(1, sizeof *hall);
    assert_non_null(hall);
    assert_int_equal(uv_loop_init(&hall->loop), 0);
    assert_int_equal(uv_mutex_init(&hall->lock), 0);
    assert_int_equal(uv_sem_init(&hall->runs, 0), 0);
    cg_crypto_pool_init(&hall->pool, &hall->loop, 1);
    *state = hall;
    return 0;
}

static int teardown(void **state) {
    struct hall *hall = *state;
    cg_crypto_pool_close(&hall->pool);
    uv_run(&hall->loop, UV_RUN_DEFAULT);
    cg_crypto_pool_fini(&hall->pool);
    uv_mutex_destroy(&hall->lock);
    uv_sem_destroy(&hall->runs);
    assert_int_equal(uv_loop_close(&hall->loop), 0);
    free(hall);
    return 0;
}

static struct note *submit(struct hall *hall, struct cg_crypto_lane *lane, int name) {
    struct note *note = &hall->notes[name];
    *note = (struct note){.job = {.run = run, .done = done, .blocks = !hall->at_desk}, .hall = hall, .name = name};
    hall->pool.crypto.ops->submit(&hall->pool.crypto, lane, &note->job);
    return note;
}

static struct note *submit_gated(struct hall *hall, struct cg_crypto_lane *lane, int name, uv_sem_t *gate) {
    struct note *note = &hall->notes[name];
    *note = (struct note){.job = {.run = run, .done = done, .blocks = true}, .hall = hall, .name = name, .gate = gate};
    hall->pool.crypto.ops->submit(&hall->pool.crypto, lane, &note->job);
    return note;
}

static void cancel(struct hall *hall, struct cg_crypto_lane *lane) {
    hall->pool.crypto.ops->cancel(&hall->pool.crypto, lane);
}

/* The one thread is busy until the gate opens; what is submitted meanwhile is what it finds then. */
static void hold(struct hall *hall, struct cg_crypto_lane *lane, uv_sem_t *gate) {
    assert_int_equal(uv_sem_init(gate, 0), 0);
    submit_gated(hall, lane, 250, gate);
    uv_sem_wait(&hall->runs);
}

static void finish(struct hall *hall, uv_sem_t *gate) {
    uv_sem_post(gate);
    uv_run(&hall->loop, UV_RUN_DEFAULT);
    uv_sem_destroy(gate);
}

static void a_job_runs_elsewhere_and_ends_on_the_loop(void **state) {
    struct hall *hall = *state;
    submit(hall, &hall->lanes[0], 1);
    assert_int_equal(hall->done_count, 0); /* never from inside submit */
    uv_run(&hall->loop, UV_RUN_DEFAULT);
    assert_int_equal(hall->done_count, 1);
    assert_int_equal(hall->cancelled, 0);
}

static void lanes_take_turns(void **state) {
    struct hall *hall = *state;
    uv_sem_t gate;
    hold(hall, NULL, &gate);
    for (int i = 0; i < 100; i++) submit(hall, &hall->lanes[0], i);
    for (int i = 100; i < 103; i++) submit(hall, &hall->lanes[1], i);
    for (int i = 110; i < 112; i++) submit(hall, &hall->lanes[2], i);
    finish(hall, &gate);
    assert_int_equal(hall->done_count, 1 + 105);
    static const int expected[] = {0, 100, 110, 1, 101, 111, 2, 102, 3, 4};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) assert_int_equal(hall->done[1 + i], expected[i]);
    for (int i = 4; i < 100; i++) assert_int_equal(hall->done[1 + 5 + i], i); /* each lane in its own order */
}

static void urgent_jobs_are_first(void **state) {
    struct hall *hall = *state;
    uv_sem_t gate;
    hold(hall, NULL, &gate);
    for (int i = 0; i < 50; i++) submit(hall, &hall->lanes[0], i);
    submit(hall, NULL, 200);
    submit(hall, NULL, 201);
    finish(hall, &gate);
    assert_int_equal(hall->done[1], 200);
    assert_int_equal(hall->done[2], 201);
    assert_int_equal(hall->done[3], 0);
}

/* Also of those that are in the pool already: what a thread does next is decided then. Its end is told at once. */
static void an_urgent_job_overtakes_what_is_in_the_pool(void **state) {
    struct hall *hall = *state;
    uv_sem_t gate;
    hold(hall, &hall->lanes[0], &gate);
    for (int i = 0; i < 50; i++) submit(hall, &hall->lanes[0], i);
    submit(hall, NULL, 200);
    uv_sem_post(&gate);
    while (hall->done_count == 0) uv_run(&hall->loop, UV_RUN_ONCE);
    assert_int_equal(hall->ran[1], 200);
    assert_int_equal(hall->done[0], 250);
    assert_int_equal(hall->done[1], 200);
    uv_run(&hall->loop, UV_RUN_DEFAULT);
    uv_sem_destroy(&gate);
    assert_int_equal(hall->done_count, 52);
}

/* The pool also serves DNS and files. */
static void shifts_are_limited(void **state) {
    struct hall *hall = *state;
    uv_sem_t gate;
    hold(hall, NULL, &gate);
    for (int i = 0; i < 200; i++) submit(hall, &hall->lanes[0], i);
    assert_int_equal(hall->pool.running, 4); /* one thread's */
    finish(hall, &gate);
    assert_int_equal(hall->done_count, 201);
    assert_int_equal(hall->pool.running, 0);
}

/* The thread goes on while the loop is busy with something else. */
static void threads_do_not_wait_for_the_loop(void **state) {
    struct hall *hall = *state;
    uv_sem_t first, last;
    hold(hall, &hall->lanes[0], &first);
    for (int i = 0; i < 40; i++) submit(hall, &hall->lanes[0], i); /* more than a shift */
    assert_int_equal(uv_sem_init(&last, 0), 0);
    submit_gated(hall, &hall->lanes[0], 251, &last);
    uv_sem_post(&first);
    uv_sem_wait(&hall->runs);
    assert_int_equal(hall->ran_count, 41);
    assert_int_equal(hall->done_count, 0);
    finish(hall, &last);
    uv_sem_destroy(&first);
    assert_int_equal(hall->done_count, 42);
}

static void cancelled_jobs_that_wait_end_at_once(void **state) {
    struct hall *hall = *state;
    uv_sem_t gate;
    hold(hall, NULL, &gate);
    for (int i = 0; i < 20; i++) submit(hall, &hall->lanes[0], i);
    submit(hall, &hall->lanes[1], 100);
    cancel(hall, &hall->lanes[0]);
    assert_int_equal(hall->done_count, 20);
    assert_int_equal(hall->cancelled, 20);
    cancel(hall, &hall->lanes[0]); /* nothing is left to cancel */
    cancel(hall, &hall->lanes[2]);
    finish(hall, &gate);
    assert_int_equal(hall->done_count, 22);
    assert_int_equal(hall->cancelled, 20);
    assert_int_equal(hall->ran_count, 2); /* none of the cancelled ran */
}

static void a_running_job_ends_later_marked(void **state) {
    struct hall *hall = *state;
    uv_sem_t gate;
    hold(hall, &hall->lanes[0], &gate);
    submit(hall, &hall->lanes[1], 2);
    cancel(hall, &hall->lanes[0]);
    assert_int_equal(hall->done_count, 0);
    finish(hall, &gate);
    assert_int_equal(hall->done_count, 2);
    assert_int_equal(hall->cancelled, 1);
    assert_true(hall->notes[250].job.cancelled);
    assert_false(hall->notes[2].job.cancelled);
}

static void cancel_other(struct note *note) { cancel(note->hall, note->other); }

/* The first of a shift ends the lane of those that are in the same shift. */
static void an_end_may_cancel_what_ran_with_it(void **state) {
    struct hall *hall = *state;
    uv_sem_t gate;
    hold(hall, NULL, &gate);
    struct note *first = submit(hall, &hall->lanes[0], 1);
    first->then = cancel_other;
    first->other = &hall->lanes[1];
    submit(hall, &hall->lanes[1], 2);
    submit(hall, &hall->lanes[1], 3);
    submit(hall, &hall->lanes[2], 4);
    finish(hall, &gate);
    assert_int_equal(hall->done_count, 5);
    assert_int_equal(hall->cancelled, 2);
    assert_false(hall->notes[1].job.cancelled);
    assert_true(hall->notes[2].job.cancelled);
    assert_true(hall->notes[3].job.cancelled);
    assert_false(hall->notes[4].job.cancelled);
}

static void submit_again(struct note *note) {
    if (note->hall->done_count < 40) submit(note->hall, note->other, note->name);
}

static void an_end_may_submit(void **state) {
    struct hall *hall = *state;
    struct note *note = submit(hall, &hall->lanes[0], 1);
    for (int i = 0; i < 40; i++) { /* an answer that is tried under another epoch */
        note->then = submit_again;
        note->other = &hall->lanes[i % 3];
        uv_run(&hall->loop, UV_RUN_ONCE);
    }
    uv_run(&hall->loop, UV_RUN_DEFAULT);
    assert_true(hall->done_count >= 2);
}

/* What waits in a cancelled lane may be freed with the lane, whatever else is in the round. */
static void lanes_leave_the_round_from_anywhere(void **state) {
    struct hall *hall = *state;
    for (unsigned leaving = 0; leaving < 3; leaving++) {
        uv_sem_t gate;
        unsigned before = hall->done_count;
        hold(hall, NULL, &gate);
        struct cg_crypto_lane *lanes[3];
        for (int i = 0; i < 3; i++) {
            lanes[i] = calloc(1, sizeof *lanes[i]);
            assert_non_null(lanes[i]);
            submit(hall, lanes[i], 10 * i);
            submit(hall, lanes[i], 10 * i + 1);
        }
        cancel(hall, lanes[leaving]);
        free(lanes[leaving]);
        struct cg_crypto_lane extra = {0};
        submit(hall, &extra, 100);
        finish(hall, &gate);
        assert_int_equal(hall->done_count - before, 8);
        assert_int_equal(hall->cancelled, 2 * (leaving + 1));
        for (unsigned i = 0; i < 3; i++) {
            if (i != leaving) free(lanes[i]);
        }
    }
}

/* The desk: every thread is busy. */

static void hold_for_desk(struct hall *hall, uv_sem_t *gate) {
    hold(hall, NULL, gate);
    hall->at_desk = true;
}

static void little_is_done_on_the_loop(void **state) {
    struct hall *hall = *state;
    uv_sem_t gate;
    hold_for_desk(hall, &gate);
    hall->pool.desk_ns = UINT64_C(3600000000000);
    for (int i = 0; i < 3; i++) submit(hall, &hall->lanes[i], i);
    assert_int_equal(hall->done_count, 0); /* never from inside submit */
    while (hall->done_count < 3) uv_run(&hall->loop, UV_RUN_NOWAIT);
    for (int i = 0; i < 3; i++) assert_int_equal(hall->done[i], i);
    finish(hall, &gate);
    assert_int_equal(hall->done_count, 4);
}

static void what_may_block_is_never_done_on_the_loop(void **state) {
    struct hall *hall = *state;
    uv_sem_t gate;
    hold_for_desk(hall, &gate);
    submit(hall, &hall->lanes[0], 1);
    hall->at_desk = false;
    submit(hall, NULL, 200);
    for (int i = 0; i < 10; i++) uv_run(&hall->loop, UV_RUN_NOWAIT);
    assert_int_equal(hall->done_count, 0); /* and nothing overtakes it */
    finish(hall, &gate);
    static const int expected[] = {250, 200, 1};
    for (size_t i = 0; i < 3; i++) assert_int_equal(hall->done[i], expected[i]);
}

static void much_is_left_to_the_threads(void **state) {
    struct hall *hall = *state;
    uv_sem_t gate;
    hold_for_desk(hall, &gate);
    for (int i = 0; i < 20; i++) submit(hall, &hall->lanes[0], i);
    for (int i = 0; i < 10; i++) uv_run(&hall->loop, UV_RUN_NOWAIT);
    assert_int_equal(hall->done_count, 0);
    finish(hall, &gate);
    assert_int_equal(hall->done_count, 21);
}

static void run_slowly(struct cg_crypto_job *job) {
    const uint64_t end_ns = uv_hrtime() + 2000000;
    while (uv_hrtime() < end_ns) {
    }
    run(job);
}

/* One turn does not do all that little, where each takes long. */
static void the_desk_closes_after_a_while(void **state) {
    struct hall *hall = *state;
    uv_sem_t gate;
    hold_for_desk(hall, &gate);
    for (int i = 0; i < 3; i++) submit(hall, &hall->lanes[0], i)->job.run = run_slowly;
    while (hall->done_count == 0) uv_run(&hall->loop, UV_RUN_NOWAIT);
    assert_int_equal(hall->done_count, 1);
    assert_int_equal(hall->pool.running, 3); /* the one at the gate, and one for each job that is left */
    finish(hall, &gate);
    assert_int_equal(hall->done_count, 4);
}

static void an_end_at_the_desk_may_cancel_what_waits_there(void **state) {
    struct hall *hall = *state;
    uv_sem_t gate;
    hold_for_desk(hall, &gate);
    struct note *first = submit(hall, &hall->lanes[0], 1);
    first->then = cancel_other;
    first->other = &hall->lanes[1];
    submit(hall, &hall->lanes[1], 2);
    while (hall->done_count < 2) uv_run(&hall->loop, UV_RUN_NOWAIT);
    assert_int_equal(hall->cancelled, 1);
    assert_int_equal(hall->ran_count, 1);
    finish(hall, &gate);
}

static void a_closed_pool_goes_on_without_its_desk(void **state) {
    struct hall *hall = *state;
    hall->at_desk = true;
    submit(hall, &hall->lanes[0], 1);
    cg_crypto_pool_close(&hall->pool);
    submit(hall, &hall->lanes[0], 2);
    uv_run(&hall->loop, UV_RUN_DEFAULT);
    assert_int_equal(hall->done_count, 2);
}

int main(void) {
#define WITH_HALL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    setenv("UV_THREADPOOL_SIZE", "1", 1);
    const struct CMUnitTest tests[] = {
        WITH_HALL(a_job_runs_elsewhere_and_ends_on_the_loop),
        WITH_HALL(lanes_take_turns),
        WITH_HALL(urgent_jobs_are_first),
        WITH_HALL(an_urgent_job_overtakes_what_is_in_the_pool),
        WITH_HALL(shifts_are_limited),
        WITH_HALL(threads_do_not_wait_for_the_loop),
        WITH_HALL(cancelled_jobs_that_wait_end_at_once),
        WITH_HALL(a_running_job_ends_later_marked),
        WITH_HALL(an_end_may_cancel_what_ran_with_it),
        WITH_HALL(an_end_may_submit),
        WITH_HALL(lanes_leave_the_round_from_anywhere),
        WITH_HALL(little_is_done_on_the_loop),
        WITH_HALL(what_may_block_is_never_done_on_the_loop),
        WITH_HALL(much_is_left_to_the_threads),
        WITH_HALL(the_desk_closes_after_a_while),
        WITH_HALL(an_end_at_the_desk_may_cancel_what_waits_there),
        WITH_HALL(a_closed_pool_goes_on_without_its_desk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
