/* Long work beside the loop: in order, heard of on the loop, and nothing lost at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/container.h"
#include "io/worker.h"

enum { MANY = 100 };

struct piece {
    struct cg_work work;
    unsigned number;
    pthread_t ran_on;
    int ran, heard;
};

static unsigned ran, heard, closed;
static struct cg_worker *worker;

static void run(struct cg_work *work) {
    struct piece *piece = CG_CONTAINER(work, struct piece, work);
    piece->ran_on = pthread_self();
    piece->ran = (int)ran++;
}

static void done(struct cg_work *work) {
    struct piece *piece = CG_CONTAINER(work, struct piece, work);
    piece->heard = (int)heard++;
    if (heard == MANY) cg_worker_close(worker, NULL, NULL);
}

static void on_closed(void *ctx) {
    (void)ctx;
    closed++;
}

static int begin(void **state) {
    (void)state;
    ran = heard = closed = 0;
    worker = cg_worker_new();
    return worker == NULL ? -1 : 0;
}

static void it_works_in_order_on_its_thread_and_is_heard_on_the_loop(void **state) {
    (void)state;
    static struct piece pieces[MANY];
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    cg_worker_open(worker, &loop);
    for (unsigned i = 0; i < MANY; i++) {
        pieces[i] = (struct piece){.work = {.run = run, .done = done}};
        cg_worker_do(worker, &pieces[i].work);
    }
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(pieces[i].ran, i);
        assert_int_equal(pieces[i].heard, i);
        assert_false(pthread_equal(pieces[i].ran_on, pthread_self()));
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    cg_worker_free(worker);
}

static void what_was_given_before_the_end_is_heard_of(void **state) {
    (void)state;
    struct piece piece = {.work = {.run = run, .done = done}};
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    cg_worker_open(worker, &loop);
    cg_worker_do(worker, &piece.work);
    cg_worker_close(worker, on_closed, NULL);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(heard, 1);
    assert_int_equal(closed, 1);
    assert_int_equal(uv_loop_close(&loop), 0);
    cg_worker_free(worker);
}

static atomic_uint times;

static void count(struct cg_work *work) {
    (void)work;
    times++;
}

/* Gives itself to the worker once more, and waits until that has been done. */
static void go_on(struct cg_work *work) {
    heard++;
    if (heard == MANY) {
        cg_worker_close(worker, NULL, NULL);
        return;
    }
    unsigned before = times;
    cg_worker_do(worker, work);
    while (times == before) sched_yield();
    usleep(1000); /* it need not be heard of now, and where it is that is wrong */
}

static void what_comes_of_what_is_heard_has_a_later_turn(void **state) {
    (void)state;
    struct cg_work work = {.run = count, .done = go_on};
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    cg_worker_open(worker, &loop);
    cg_worker_do(worker, &work);
    for (unsigned before = 0; heard < MANY; before = heard) {
        uv_run(&loop, UV_RUN_ONCE);
        assert_in_range(heard - before, 0, 1);
    }
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    cg_worker_free(worker);
}

static void free_piece(struct cg_work *work) {
    ran++;
    free(CG_CONTAINER(work, struct piece, work));
}

static void what_nobody_hears_of_is_done_to_the_last(void **state) {
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        struct piece *piece = calloc(1, sizeof *piece);
        assert_non_null(piece);
        piece->work.run = free_piece;
        cg_worker_do(worker, &piece->work);
    }
    cg_worker_free(worker);
    assert_int_equal(ran, MANY);
}

static void one_can_wait_for_it_where_no_loop_runs(void **state) {
    (void)state;
    struct piece first = {.work.run = run}, second = {.work.run = run};
    cg_worker_do_now(worker, &first.work);
    assert_int_equal(ran, 1);
    cg_worker_do_now(worker, &second.work);
    assert_int_equal(ran, 2);
    cg_worker_close(worker, on_closed, NULL);
    assert_int_equal(closed, 1);
    cg_worker_free(worker);
}

static void without_a_worker_there_is_nothing_to_free(void **state) {
    (void)state;
    cg_worker_free(NULL);
    cg_worker_free(worker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_works_in_order_on_its_thread_and_is_heard_on_the_loop, begin),
        cmocka_unit_test_setup(what_was_given_before_the_end_is_heard_of, begin),
        cmocka_unit_test_setup(what_comes_of_what_is_heard_has_a_later_turn, begin),
        cmocka_unit_test_setup(what_nobody_hears_of_is_done_to_the_last, begin),
        cmocka_unit_test_setup(one_can_wait_for_it_where_no_loop_runs, begin),
        cmocka_unit_test_setup(without_a_worker_there_is_nothing_to_free, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
