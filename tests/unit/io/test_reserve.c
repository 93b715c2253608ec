/* What is reserved at the start, with limits that leave no room. */
#include "io/reserve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static void many_descriptors_can_be_watched(void **state) {
    (void)state;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(cg_reserve_descriptors(&loop, 700), CG_OK);
    assert_true(loop.nwatchers >= 700);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void no_more_than_may_be_open_are_reserved(void **state) {
    (void)state;
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 200;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(cg_reserve_descriptors(&loop, UINT64_MAX), CG_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(loop.nwatchers >= 200 && loop.nwatchers < 1000);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void threads_that_the_system_does_not_give_are_an_error(void **state) {
    (void)state;
    struct rlimit before, huge;
    assert_int_equal(cg_reserve_threads(4), CG_OK);
    assert_int_equal(getrlimit(RLIMIT_STACK, &before), 0);
    huge = before;
    huge.rlim_cur = 1ull << 46; /* a stack for which no address space is left */
    if (before.rlim_max != RLIM_INFINITY) huge.rlim_cur = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_STACK, &huge), 0);
    int err = cg_reserve_threads(8);
    assert_int_equal(setrlimit(RLIMIT_STACK, &before), 0);
    if (before.rlim_max == RLIM_INFINITY) assert_int_equal(err, CG_E_NO_MEMORY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_descriptors_can_be_watched),
        cmocka_unit_test(no_more_than_may_be_open_are_reserved),
        cmocka_unit_test(threads_that_the_system_does_not_give_are_an_error),
    };
    return cmocka_run_group_tests_name("io/reserve", tests, NULL, NULL);
}
