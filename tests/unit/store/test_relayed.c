/* The text of what was relayed, on a disk: replaced as a whole, by one gateway at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/relayed.h"

struct scene {
    char folder[32], state[48], text[80], fresh[96], lock_file[96];
    struct cg_state_lock lock;
    struct cg_relayed_file file;
};

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    strcpy(scene->folder, "/tmp/castgate-relayed.XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->state, sizeof scene->state, "%s/state", scene->folder);
    snprintf(scene->text, sizeof scene->text, "%s/castgate.relayed", scene->state);
    snprintf(scene->fresh, sizeof scene->fresh, "%s.new", scene->text);
    snprintf(scene->lock_file, sizeof scene->lock_file, "%s/castgate.lock", scene->state);
    assert_int_equal(cg_state_lock_init(&scene->lock, scene->state), CG_OK);
    assert_int_equal(cg_relayed_file_init(&scene->file, scene->state, &scene->lock), CG_OK);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    cg_relayed_file_fini(&scene->file);
    cg_state_lock_fini(&scene->lock);
    unlink(scene->text);
    unlink(scene->fresh);
    unlink(scene->lock_file);
    rmdir(scene->state);
    rmdir(scene->folder);
    free(scene);
    return 0;
}

static void has_text(struct cg_relayed_file *file, const char *wanted) {
    struct cg_buf text;
    struct cg_problem problem;
    cg_buf_init(&text, 0);
    assert_int_equal(file->place.ops->read(&file->place, &text, &problem), CG_OK);
    assert_true(cg_slice_is(cg_buf_slice(&text), wanted));
    cg_buf_fini(&text);
}

static int put_text(struct cg_relayed_file *file, const char *text, struct cg_problem *problem) {
    return file->place.ops->write(&file->place, cg_slice_str(text), problem);
}

static void fails(struct cg_relayed_file *file, const char *why) {
    struct cg_buf text;
    struct cg_problem problem;
    cg_buf_init(&text, 0);
    assert_int_equal(file->place.ops->read(&file->place, &text, &problem), CG_E_STORE);
    if (strstr(problem.detail, why) == NULL) fail_msg("%s", problem.detail);
    cg_buf_fini(&text);
}

static void the_latest_text_is_there(void **state) {
    struct scene *scene = *state;
    struct cg_problem problem;
    struct stat info;
    has_text(&scene->file, ""); /* nothing was written ever; the folder is made */
    assert_int_equal(put_text(&scene->file, "first", &problem), CG_OK);
    has_text(&scene->file, "first");
    assert_int_equal(put_text(&scene->file, "the second", &problem), CG_OK);
    has_text(&scene->file, "the second");
    assert_int_equal(stat(scene->text, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(access(scene->fresh, F_OK), -1);
}

static void a_write_that_fails_leaves_the_text_before(void **state) {
    struct scene *scene = *state;
    struct cg_problem problem;
    assert_int_equal(put_text(&scene->file, "first", &problem), CG_OK);
    assert_int_equal(mkdir(scene->fresh, 0700), 0);
    assert_int_equal(put_text(&scene->file, "second", &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, scene->state));
    has_text(&scene->file, "first");
    assert_int_equal(rmdir(scene->fresh), 0);
    assert_int_equal(put_text(&scene->file, "second", &problem), CG_OK);
    has_text(&scene->file, "second");
}

static void one_gateway_has_the_folder(void **state) {
    struct scene *scene = *state;
    struct cg_state_lock other_lock;
    struct cg_relayed_file other;
    has_text(&scene->file, "");
    assert_int_equal(cg_state_lock_init(&other_lock, scene->state), CG_OK);
    assert_int_equal(cg_relayed_file_init(&other, scene->state, &other_lock), CG_OK);
    fails(&other, "another gateway uses it");
    cg_state_lock_fini(&scene->lock); /* it ends */
    has_text(&other, "");
    cg_relayed_file_fini(&other);
    cg_state_lock_fini(&other_lock);
}

static void what_is_no_file_is_refused(void **state) {
    struct scene *scene = *state;
    has_text(&scene->file, "");
    assert_int_equal(mkfifo(scene->text, 0600), 0);
    fails(&scene->file, "is no file of a gateway"); /* and nobody waits for it */
    struct cg_relayed_file nowhere;
    assert_int_equal(cg_relayed_file_init(&nowhere, "/nowhere/state", &scene->lock), CG_OK);
    fails(&nowhere, "/nowhere/state: No such file");
    cg_relayed_file_fini(&nowhere);
}

int main(void) {
#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SCENE(the_latest_text_is_there),
        WITH_SCENE(a_write_that_fails_leaves_the_text_before),
        WITH_SCENE(one_gateway_has_the_folder),
        WITH_SCENE(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
