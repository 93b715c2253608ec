/* The loop and the store's thread. The backend hangs as a bad disk would, until the test opens its gate; the loop must
 * turn meanwhile. Time is a clock that the tests move, so that nothing depends on how fast the machine is. */
#include "io/store_thread.h"
#include "base/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "legs/sender.h"
#include "store/sqlite.h"

static _Atomic uint64_t clock_ns = 1;

static uint64_t read_clock(void) { return clock_ns; }

static void time_passes(unsigned ms) { clock_ns += ms * UINT64_C(1000000); }

/* A call of the backend that hangs: it says that it runs, then waits. */
struct gate {
    uv_sem_t runs, opens;
};

static const struct cg_store_watch watch = {.now_ns = read_clock, .look_ms = 1, .check_ms = 3600000};

/* Passes to another backend, after a while. */
struct slow_backend {
    struct cg_store_backend backend;
    struct cg_store_backend *real; /* NULL: gives 1024 numbers more each time */
    uint64_t next;
    unsigned delay_us;
    struct gate *gate; /* NULL: none */
    unsigned calls;
    bool *freed;
    int *state; /* NULL, or what check finds: CG_OK or not */
    unsigned *checks;
};

static struct slow_backend *slow_of(struct cg_store_backend *backend) {
    return CG_CONTAINER(backend, struct slow_backend, backend);
}

static void take_time(struct slow_backend *slow) {
    usleep(slow->delay_us);
    if (slow->gate == NULL) return;
    uv_sem_post(&slow->gate->runs);
    uv_sem_wait(&slow->gate->opens);
}

static int slow_reserve(struct cg_store_backend *backend, const struct cg_sender_id *sender, uint64_t count,
                        struct cg_store_range *range, struct cg_store_failure *failure) {
    struct slow_backend *slow = slow_of(backend);
    take_time(slow);
    slow->calls++;
    if (slow->real != NULL) return slow->real->ops->reserve(slow->real, sender, count, range, failure);
    *range = (struct cg_store_range){.first = slow->next, .count = count};
    slow->next += count;
    return CG_OK;
}

static int slow_claim(struct cg_store_backend *backend, const struct cg_sender_id *sender,
                      struct cg_store_failure *failure) {
    struct slow_backend *slow = slow_of(backend);
    take_time(slow);
    slow->calls++;
    if (slow->real != NULL) return slow->real->ops->claim(slow->real, sender, failure);
    failure->refusal = CG_STORE_SPENT;
    return cg_problem_set(&failure->problem, CG_E_STORE, "claimed %u", sender->bytes[0]);
}

static int slow_check(struct cg_store_backend *backend, struct cg_store_failure *failure) {
    struct slow_backend *slow = slow_of(backend);
    if (slow->state == NULL) return CG_OK;
    take_time(slow);
    ++*slow->checks;
    if (*slow->state == CG_OK) return CG_OK;
    failure->refusal = CG_STORE_UNAVAILABLE;
    return cg_problem_set(&failure->problem, CG_E_STORE, "the disk is away");
}

static void slow_free(struct cg_store_backend *backend) {
    struct slow_backend *slow = slow_of(backend);
    if (slow->real != NULL) slow->real->ops->free(slow->real);
    *slow->freed = true;
    free(slow);
}

static const struct cg_store_backend_ops slow_ops = {
    .reserve = slow_reserve, .claim = slow_claim, .check = slow_check, .free = slow_free};

struct side {
    uv_loop_t uv;
    struct cg_store_thread *thread;
    struct cg_store *store;
    bool freed, closed;
    uint64_t ticks;
    uv_timer_t ticker;
    struct gate gate;
    size_t done;
    struct cg_store_job jobs[100];
};

static void open_with(struct side *side, struct slow_backend like, const struct cg_store_watch *with) {
    struct cg_problem problem;
    struct slow_backend *slow = calloc(1, sizeof *slow);
    assert_non_null(slow);
    *slow = like;
    slow->backend.ops = &slow_ops;
    slow->freed = &side->freed;
    side->thread = cg_store_thread_open(&side->uv, &slow->backend, with, &problem);
    assert_non_null(side->thread);
    side->store = cg_store_thread_store(side->thread);
}

static void open_side(struct side *side, struct cg_store_backend *real, unsigned delay_us) {
    open_with(side, (struct slow_backend){.real = real, .delay_us = delay_us}, &watch);
}

static void open_side_with_gate(struct side *side) {
    open_with(side, (struct slow_backend){.gate = &side->gate}, &watch);
}

static int setup(void **state) {
    struct side *side = calloc(1, sizeof *side);
    uv_loop_init(&side->uv);
    uv_sem_init(&side->gate.runs, 0);
    uv_sem_init(&side->gate.opens, 0);
    *state = side;
    return 0;
}

static int teardown(void **state) {
    struct side *side = *state;
    assert_int_equal(uv_loop_close(&side->uv), 0);
    uv_sem_destroy(&side->gate.runs);
    uv_sem_destroy(&side->gate.opens);
    free(side);
    return 0;
}

static void on_closed(void *ctx) {
    struct side *side = ctx;
    assert_true(side->freed);
    side->closed = true;
}

static void close_and_run(struct side *side) {
    cg_store_thread_close(side->thread, on_closed, side);
    uv_run(&side->uv, UV_RUN_DEFAULT);
    assert_true(side->closed);
}

static void on_done(struct cg_store_job *job) {
    struct side *side = job->ctx;
    assert_ptr_equal(job, &side->jobs[side->done]); /* in order */
    side->done++;
}

static void submit(struct side *side, size_t i, enum cg_store_operation operation,
                   void (*done)(struct cg_store_job *job)) {
    struct cg_store_job *job = &side->jobs[i];
    *job = (struct cg_store_job){.operation = operation, .count = 10, .done = done, .ctx = side};
    job->sender.bytes[0] = (uint8_t)i;
    side->store->ops->submit(side->store, job);
}

/* ---- A call that hangs ---- */

static void on_tick(uv_timer_t *timer) { ((struct side *)timer->data)->ticks++; }

static void tick(struct side *side) {
    assert_int_equal(uv_timer_init(&side->uv, &side->ticker), 0);
    side->ticker.data = side;
    assert_int_equal(uv_timer_start(&side->ticker, on_tick, 1, 1), 0);
}

static void wait_until_it_hangs(struct side *side) { uv_sem_wait(&side->gate.runs); }

static void open_gate(struct side *side) { uv_sem_post(&side->gate.opens); }

/* As long as the loop takes for some looks at the store. */
static void turn_often(struct side *side) {
    for (const uint64_t end = side->ticks + 5; side->ticks < end;) uv_run(&side->uv, UV_RUN_ONCE);
}

static void close_with_ticker(struct side *side) {
    uv_close((uv_handle_t *)&side->ticker, NULL);
    close_and_run(side);
}

/* A timer of 1 ms goes on as if nothing were; the test would hang if it did not. */
static void the_loop_turns_while_the_disk_is_slow(void **state) {
    struct side *side = *state;
    open_side_with_gate(side);
    tick(side);
    submit(side, 0, CG_STORE_RESERVE, on_done);
    wait_until_it_hangs(side);
    turn_often(side);
    assert_int_equal(side->done, 0);
    open_gate(side);
    close_with_ticker(side);
    assert_int_equal(side->done, 1);
}

static void results_come_back_in_order(void **state) {
    struct side *side = *state;
    open_side(side, NULL, 0);
    for (size_t i = 0; i < 100; i++) submit(side, i, i % 10 == 9 ? CG_STORE_CLAIM : CG_STORE_RESERVE, on_done);
    assert_int_equal(side->done, 0); /* never from inside submit */
    close_and_run(side);
    assert_int_equal(side->done, 100); /* closing drops nothing */
    uint64_t next = 0;
    for (size_t i = 0; i < 100; i++) {
        const struct cg_store_job *job = &side->jobs[i];
        if (i % 10 == 9) {
            char expected[32];
            snprintf(expected, sizeof expected, "claimed %zu", i);
            assert_int_equal(job->err, CG_E_STORE);
            assert_int_equal(job->failure.refusal, CG_STORE_SPENT);
            assert_string_equal(job->failure.problem.detail, expected);
        } else {
            assert_int_equal(job->err, CG_OK);
            assert_int_equal(job->range.first, next);
            next += job->range.count;
        }
    }
}

static void nothing_to_do_is_closed_at_once(void **state) {
    struct side *side = *state;
    open_side(side, NULL, 0);
    close_and_run(side);
}

static void count_done(struct cg_store_job *job) {
    struct side *side = job->ctx;
    side->done++;
}

static void what_comes_while_it_closes_is_refused(void **state) {
    struct side *side = *state;
    open_side(side, NULL, 10000);
    submit(side, 0, CG_STORE_RESERVE, count_done);
    cg_store_thread_close(side->thread, on_closed, side);
    submit(side, 1, CG_STORE_RESERVE, count_done);
    assert_int_equal(side->done, 0);
    uv_run(&side->uv, UV_RUN_DEFAULT);
    assert_int_equal(side->done, 2);
    assert_int_equal(side->jobs[0].err, CG_OK);
    assert_int_equal(side->jobs[1].err, CG_E_STOPPING);
    assert_true(side->closed);
}

/* A job that is submitted again from its own completion until it is refused. */
static void on_done_again(struct cg_store_job *job) {
    struct side *side = job->ctx;
    side->done++;
    if (job->err == CG_E_STOPPING && side->done > 5) return;
    if (side->done == 3) cg_store_thread_close(side->thread, on_closed, side);
    side->store->ops->submit(side->store, job);
}

static void a_completion_may_submit(void **state) {
    struct side *side = *state;
    open_side(side, NULL, 0);
    submit(side, 0, CG_STORE_RESERVE, on_done_again);
    uv_run(&side->uv, UV_RUN_DEFAULT);
    assert_true(side->done > 5);
    assert_int_equal(side->jobs[0].err, CG_E_STOPPING);
    assert_true(side->closed);
}

/* What is known of a store that nobody asks for anything. */

struct watched {
    struct side *side;
    uv_timer_t timer;
    int state;
    unsigned checks;
    int expected;
};

static void on_watch(uv_timer_t *timer) {
    struct watched *watched = timer->data;
    struct cg_problem problem = {0};
    int err = cg_store_thread_status(watched->side->thread, &problem);
    if (err != watched->expected) return;
    if (err == CG_E_STORE) {
        assert_string_equal(problem.detail, "the disk is away");
        watched->state = CG_OK; /* the disk is back */
        watched->expected = CG_OK;
        return;
    }
    assert_true(watched->checks >= 2);
    uv_close((uv_handle_t *)timer, NULL);
    cg_store_thread_close(watched->side->thread, on_closed, watched->side);
}

/* The thread looks by itself, at the start and again: a store that breaks is known, and one that recovers too. */
static void a_broken_store_is_known_until_it_recovers(void **state) {
    struct side *side = *state;
    struct watched watched = {.side = side, .state = CG_E_STORE, .expected = CG_E_STORE};
    const struct cg_store_watch often = {.now_ns = read_clock, .look_ms = 1, .check_ms = 1};
    open_with(side, (struct slow_backend){.state = &watched.state, .checks = &watched.checks}, &often);
    uv_timer_init(&side->uv, &watched.timer);
    watched.timer.data = &watched;
    uv_timer_start(&watched.timer, on_watch, 1, 1);
    uv_run(&side->uv, UV_RUN_DEFAULT);
    assert_true(side->closed);
}

static void on_refused(struct cg_store_job *job) {
    struct side *side = job->ctx;
    struct cg_problem problem;
    assert_int_equal(job->failure.refusal, CG_STORE_SPENT);
    assert_int_equal(cg_store_thread_status(side->thread, &problem), CG_OK); /* that key's trouble, not the store's */
    cg_store_thread_close(side->thread, on_closed, side);
}

static void a_refused_key_is_no_broken_store(void **state) {
    struct side *side = *state;
    open_side(side, NULL, 0);
    submit(side, 0, CG_STORE_CLAIM, on_refused);
    uv_run(&side->uv, UV_RUN_DEFAULT);
    assert_true(side->closed);
}

static void on_late_done(struct cg_store_job *job) {
    struct side *side = job->ctx;
    struct cg_problem problem;
    assert_int_equal(cg_store_thread_status(side->thread, &problem), CG_OK);
    side->done++;
}

static void a_disk_that_hangs_is_known(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    open_side_with_gate(side);
    submit(side, 0, CG_STORE_RESERVE, on_late_done);
    wait_until_it_hangs(side);
    time_passes(2000);
    assert_int_equal(cg_store_thread_status(side->thread, &problem), CG_OK);
    time_passes(1);
    assert_int_equal(cg_store_thread_status(side->thread, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "has not answered for 2 s"));
    open_gate(side);
    close_and_run(side);
    assert_int_equal(side->done, 1);
}

/* What the log says meanwhile. */

static FILE *caught;
static int real_stderr;

static void catch_stderr(void) {
    caught = tmpfile();
    assert_non_null(caught);
    real_stderr = dup(STDERR_FILENO);
    assert_true(real_stderr >= 0);
    assert_true(dup2(fileno(caught), STDERR_FILENO) >= 0);
}

static const char *caught_so_far(void) {
    static char text[4096];
    ssize_t len = pread(fileno(caught), text, sizeof text - 1, 0);
    assert_true(len >= 0);
    text[len] = '\0';
    return text;
}

static const char *release_stderr(void) {
    assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
    close(real_stderr);
    const char *text = caught_so_far();
    fclose(caught);
    return text;
}

static void turn_until_said(struct side *side, const char *part) {
    while (strstr(caught_so_far(), part) == NULL) uv_run(&side->uv, UV_RUN_ONCE);
}

static size_t count_of(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) count++;
    return count;
}

static void expect_a_beginning_and_an_end(const char *text) {
    const char *begins =
        strstr(text, "level=error event=store msg=\"secured sending waits: the store has not answered");
    const char *ends = strstr(text, "level=info event=store msg=\"the store answers again");
    assert_non_null(begins);
    assert_non_null(ends);
    assert_true(begins < ends);
    assert_int_equal(count_of(text, "event=store"), 2);
}

static void hang_until_it_is_said(struct side *side) {
    wait_until_it_hangs(side);
    turn_often(side);
    assert_string_equal(caught_so_far(), "");
    time_passes(3500);
    turn_until_said(side, "has not answered");
    open_gate(side);
}

/* Nobody asks for the store's state, and the number comes in the end. */
static void the_log_says_when_a_job_hangs_and_when_that_is_over(void **state) {
    struct side *side = *state;
    catch_stderr();
    open_side_with_gate(side);
    tick(side);
    submit(side, 0, CG_STORE_RESERVE, on_done);
    hang_until_it_is_said(side);
    close_with_ticker(side);
    expect_a_beginning_and_an_end(release_stderr());
    assert_int_equal(side->jobs[0].err, CG_OK);
}

/* Such a call changes nothing else, and nobody waits for it. */
static void the_log_says_when_a_check_hangs_and_when_that_is_over(void **state) {
    struct side *side = *state;
    unsigned checks = 0;
    int works = CG_OK;
    catch_stderr();
    open_with(side, (struct slow_backend){.gate = &side->gate, .state = &works, .checks = &checks}, &watch);
    tick(side);
    hang_until_it_is_said(side);
    turn_until_said(side, "answers again");
    close_with_ticker(side);
    expect_a_beginning_and_an_end(release_stderr());
    assert_int_equal(checks, 1);
}

static void a_short_call_is_not_worth_a_line(void **state) {
    struct side *side = *state;
    catch_stderr();
    open_side_with_gate(side);
    tick(side);
    for (size_t i = 0; i < 2; i++) submit(side, i, CG_STORE_RESERVE, on_done);
    for (size_t i = 0; i < 2; i++) { /* each on its own */
        wait_until_it_hangs(side);
        time_passes(1200);
        turn_often(side);
        open_gate(side);
    }
    close_with_ticker(side);
    assert_string_equal(release_stderr(), "");
}

/* Senders, thread and real store together. */

enum { TAKES = 5000 };

struct taker {
    struct cg_sender_wait wait;
    struct side *side;
    struct cg_sender *sender;
    uint64_t taken, pending;
};

static void take_on(struct taker *taker) {
    struct cg_problem problem;
    uint64_t number;
    int err = CG_OK;
    while (taker->taken < TAKES && (err = cg_sender_take(taker->sender, &taker->wait, &number, &problem)) == CG_OK)
        assert_int_equal(number, taker->taken++);
    if (taker->taken < TAKES) {
        assert_int_equal(err, CG_PENDING);
        taker->pending++;
    } else {
        cg_store_thread_close(taker->side->thread, on_closed, taker->side);
    }
}

static void on_number(struct cg_sender_wait *wait, int err, uint64_t number, const struct cg_problem *problem) {
    struct taker *taker = CG_CONTAINER(wait, struct taker, wait);
    assert_null(problem);
    assert_int_equal(err, CG_OK);
    assert_int_equal(number, taker->taken++);
    take_on(taker);
}

static void senders_take_from_the_real_store(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    struct cg_store_failure failure;
    struct cg_senders senders;
    struct cg_sender_id id = {.bytes = {7}};
    char top[] = "/tmp/castgate-thread.XXXXXX", folder[64], command[96];
    assert_non_null(mkdtemp(top));
    snprintf(folder, sizeof folder, "%s/state", top);
    assert_int_equal(cg_sqlite_init_state(folder, &problem), CG_OK);
    struct cg_store_backend *sqlite = cg_sqlite_new(folder, NULL);
    assert_int_equal(sqlite->ops->claim(sqlite, &id, &failure), CG_OK);
    open_side(side, sqlite, 1000);
    cg_senders_init(&senders, side->store);
    struct taker taker = {.wait.ready = on_number, .side = side, .sender = cg_senders_get(&senders, &id)};
    take_on(&taker);
    uv_run(&side->uv, UV_RUN_DEFAULT);
    assert_int_equal(taker.taken, TAKES);
    assert_true(taker.pending > 0);
    assert_true(side->closed);
    cg_sender_unref(taker.sender);
    cg_senders_fini(&senders);
    snprintf(command, sizeof command, "rm -r %s", top);
    assert_int_equal(system(command), 0);
}

int main(void) {
#define WITH_SIDE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SIDE(the_loop_turns_while_the_disk_is_slow),
        WITH_SIDE(results_come_back_in_order),
        WITH_SIDE(nothing_to_do_is_closed_at_once),
        WITH_SIDE(what_comes_while_it_closes_is_refused),
        WITH_SIDE(a_completion_may_submit),
        WITH_SIDE(a_broken_store_is_known_until_it_recovers),
        WITH_SIDE(a_refused_key_is_no_broken_store),
        WITH_SIDE(a_disk_that_hangs_is_known),
        WITH_SIDE(the_log_says_when_a_job_hangs_and_when_that_is_over),
        WITH_SIDE(the_log_says_when_a_check_hangs_and_when_that_is_over),
        WITH_SIDE(a_short_call_is_not_worth_a_line),
        WITH_SIDE(senders_take_from_the_real_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
