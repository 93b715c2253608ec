/* Programs that are run: what they are told, how they end, and that nobody waits for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/child.h"

static int run(const char *script, struct cg_slice input, uint32_t seconds, struct cg_problem *problem) {
    const char *const argv[] = {"/bin/sh", "-c", script, NULL}, *const env[] = {"GROUP=floor3", NULL};
    const struct cg_child child = {.argv = argv, .env = env, .input = input, .seconds = seconds};
    *problem = (struct cg_problem){0};
    return cg_child_run(&child, problem);
}

static void it_reads_what_it_is_told(void **state) {
    (void)state;
    struct cg_problem problem;
    enum { LEN = 300000 }; /* more than a pipe takes */
    char *text = malloc(LEN + 1);
    memset(text, 'x', LEN);
    text[LEN] = '\0';
    assert_int_equal(run("test $(wc -c) = 300000", cg_slice_str(text), 60, &problem), CG_OK);
    assert_int_equal(run("test $(wc -c) = 0", CG_SLICE_NONE, 60, &problem), CG_OK);
    assert_int_equal(run("exit 0", cg_slice_str(text), 60, &problem), CG_OK); /* it need not */
    free(text);
}

static void it_has_its_own_surroundings(void **state) {
    (void)state;
    struct cg_problem problem;
    setenv("NOT_FOR_IT", "1", 1);
    int other = dup(STDERR_FILENO);
    assert_int_equal(run("test \"$GROUP\" = floor3 && test -z \"$NOT_FOR_IT\"", CG_SLICE_NONE, 60, &problem), CG_OK);
    char script[64];
    snprintf(script, sizeof script, "test ! -e /proc/self/fd/%d", other);
    assert_int_equal(run(script, CG_SLICE_NONE, 60, &problem), CG_OK);
    close(other);
}

static void how_it_ends_is_told(void **state) {
    (void)state;
    struct cg_problem problem;
    assert_int_equal(run("exit 7", CG_SLICE_NONE, 60, &problem), CG_E_INTERNAL);
    assert_non_null(strstr(problem.detail, "status 7"));
    assert_int_equal(run("kill -9 $$", CG_SLICE_NONE, 60, &problem), CG_E_INTERNAL);
    assert_non_null(strstr(problem.detail, "signal 9"));
    const char *const argv[] = {"/nowhere/at-all", NULL}, *const env[] = {NULL};
    assert_int_equal(cg_child_run(&(struct cg_child){.argv = argv, .env = env, .seconds = 60}, &problem),
                     CG_E_INTERNAL);
    assert_non_null(strstr(problem.detail, "cannot be run"));
}

static void what_does_not_end_is_ended(void **state) {
    (void)state;
    struct cg_problem problem;
    assert_int_equal(run("sleep 1000 & sleep 1000", CG_SLICE_NONE, 1, &problem), CG_E_INTERNAL);
    assert_non_null(strstr(problem.detail, "within 1 s"));
}

static void who_stops_does_not_wait(void **state) {
    (void)state;
    struct cg_problem problem;
    static atomic_bool cancelled = true;
    const char *const argv[] = {"/bin/sleep", "1000", NULL}, *const env[] = {NULL};
    const struct cg_child child = {.argv = argv, .env = env, .seconds = 1000, .cancelled = &cancelled};
    assert_int_equal(cg_child_run(&child, &problem), CG_E_STOPPING);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_reads_what_it_is_told), cmocka_unit_test(it_has_its_own_surroundings),
        cmocka_unit_test(how_it_ends_is_told),      cmocka_unit_test(what_does_not_end_is_ended),
        cmocka_unit_test(who_stops_does_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
