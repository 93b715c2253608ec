/* One program has the state folder, with all that it keeps there, and knows when the lock was taken away from under it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/lock.h"

struct scene {
    char folder[40], file[80];
    struct cg_state_lock mine, others;
    unsigned owner;
};

static int set_up(void **state) {
    struct scene *scene = test_calloc(1, sizeof *scene);
    strcpy(scene->folder, "/tmp/castgate-lock.XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->file, sizeof scene->file, "%s/castgate.lock", scene->folder);
    assert_int_equal(cg_state_lock_init(&scene->mine, scene->folder), CG_OK);
    assert_int_equal(cg_state_lock_init(&scene->others, scene->folder), CG_OK);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    cg_state_lock_fini(&scene->mine);
    cg_state_lock_fini(&scene->others);
    unlink(scene->file);
    assert_int_equal(rmdir(scene->folder), 0);
    test_free(scene);
    return 0;
}

static void whoever_has_it_keeps_it(void **state) {
    struct scene *scene = *state;
    assert_false(cg_state_lock_is_held(&scene->mine));
    assert_int_equal(cg_state_lock_take(&scene->mine, &scene->owner), 0);
    assert_int_equal(cg_state_lock_take(&scene->mine, &scene->owner), 0); /* for another who keeps something there */
    assert_true(cg_state_lock_is_held(&scene->mine));
    assert_int_equal(cg_state_lock_take(&scene->others, &scene->owner), EWOULDBLOCK);
    assert_int_equal(scene->owner, getpid());
    assert_false(cg_state_lock_is_held(&scene->others));
}

static void the_next_one_gets_it(void **state) {
    struct scene *scene = *state;
    assert_int_equal(cg_state_lock_take(&scene->mine, &scene->owner), 0);
    cg_state_lock_fini(&scene->mine);
    assert_int_equal(cg_state_lock_take(&scene->others, &scene->owner), 0);
    assert_int_equal(cg_state_lock_init(&scene->mine, scene->folder), CG_OK);
}

static void a_file_that_is_gone_locks_nothing(void **state) {
    struct scene *scene = *state;
    assert_int_equal(cg_state_lock_take(&scene->mine, &scene->owner), 0);
    assert_int_equal(unlink(scene->file), 0);
    assert_false(cg_state_lock_is_held(&scene->mine));
    assert_int_equal(cg_state_lock_take(&scene->others, &scene->owner), 0);
    assert_int_equal(cg_state_lock_take(&scene->mine, &scene->owner), EWOULDBLOCK);
}

static void what_cannot_be_opened_is_said(void **state) {
    struct scene *scene = *state;
    struct cg_state_lock nowhere;
    assert_int_equal(cg_state_lock_init(&nowhere, "/nowhere"), CG_OK);
    assert_int_equal(cg_state_lock_take(&nowhere, &scene->owner), ENOENT);
    cg_state_lock_fini(&nowhere);
    assert_int_equal(symlink("/dev/null", scene->file), 0);
    assert_int_equal(cg_state_lock_take(&scene->mine, &scene->owner), ELOOP);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whoever_has_it_keeps_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_one_gets_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_gone_locks_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_opened_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("store/lock", tests, NULL, NULL);
}
