/* Which files may be loaded at all, and the list that the front gets. What is wrong inside a library is tested with
 * real ones, end to end (tests/e2e/test_plugins.py). */
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

#include "app/plugins.h"
#include "settings/settings.h"

enum { STRANGER = 65533, NOBODY = 65534 };

static const struct castgate_encoder text_encoder = {.media_type = "text/plain"};
static const struct castgate_plugin builtin = {.name = "text", .ops.encoder = &text_encoder};
static const struct castgate_plugin *const builtin_plugins[] = {&builtin};
static const struct cg_encoder_list builtins = {.plugins = builtin_plugins, .count = 1};

struct place {
    char folder[64];
    char file[96];
};

static void make_place(struct place *place) {
    strcpy(place->folder, "/tmp/castgate-plugins-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->file, sizeof place->file, "%s/x.so", place->folder);
    FILE *file = fopen(place->file, "w");
    assert_non_null(file);
    assert_true(fputs("no library\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(place->file, 0644), 0);
    assert_int_equal(chmod(place->folder, 0755), 0);
}

static void remove_place(const struct place *place) {
    unlink(place->file);
    assert_int_equal(rmdir(place->folder), 0);
}

static void expect_refused(const char *folder, const char *file, const char *why) {
    struct cg_plugins plugins;
    struct cg_problem problem = {0};
    assert_int_equal(cg_plugins_init(&plugins, &builtins, 1, &problem), CG_OK);
    assert_int_equal(cg_plugins_add(&plugins, folder, file, &problem), CG_E_FORMAT);
    if (strstr(problem.detail, why) == NULL) fail_msg("said: %s\nnot: %s", problem.detail, why);
    assert_int_equal(plugins.encoders.count, 1);
    cg_plugins_fini(&plugins);
}

static void expect_trusted(const struct place *place) { /* what is inside is looked at, and is nothing */
    expect_refused(place->folder, "x.so", "it cannot be loaded: ");
}

static void must_be_root(void) {
    if (geteuid() != 0) skip();
}

static void test_modes(void **state) {
    (void)state;
    struct place place;
    make_place(&place);
    if (geteuid() == 0) expect_trusted(&place);
    static const mode_t bad[] = {0020, 0002, 0022};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(chmod(place.folder, 0755 | bad[i]), 0);
        expect_refused(place.folder, "x.so", "the folder may be written by its group or by others");
        assert_int_equal(chmod(place.folder, 0755), 0);
        if (geteuid() != 0) continue;
        assert_int_equal(chmod(place.file, 0644 | bad[i]), 0);
        expect_refused(place.folder, "x.so", "the file may be written by its group or by others");
        assert_int_equal(chmod(place.file, 0644), 0);
    }
    assert_int_equal(chmod(place.folder, 01777), 0); /* like /tmp */
    expect_refused(place.folder, "x.so", "the folder may be written");
    assert_int_equal(chmod(place.folder, 0755), 0);
    remove_place(&place);
}

static void test_what_is_no_file(void **state) {
    (void)state;
    must_be_root();
    struct place place;
    make_place(&place);
    char other[128];
    expect_refused(place.folder, "missing.so", "the file cannot be opened: No such file");
    expect_refused("/nonexistent", "x.so", "plugins.folder cannot be opened: No such file");
    expect_refused(place.file, "x.so", "plugins.folder cannot be opened: Not a directory");
    snprintf(other, sizeof other, "%s/y.so", place.folder);
    assert_int_equal(symlink(place.file, other), 0);
    expect_refused(place.folder, "y.so", "it is no regular file");
    unlink(other);
    assert_int_equal(mkfifo(other, 0600), 0); /* and it does not wait for a writer */
    expect_refused(place.folder, "y.so", "it is no regular file");
    unlink(other);
    assert_int_equal(mkdir(other, 0755), 0);
    expect_refused(place.folder, "y.so", "it is no regular file");
    rmdir(other);
    remove_place(&place);
}

static void test_root_loads_what_belongs_to_root(void **state) {
    (void)state;
    must_be_root();
    struct place place;
    make_place(&place);
    expect_trusted(&place);
    assert_int_equal(chown(place.file, NOBODY, (gid_t)-1), 0);
    expect_refused(place.folder, "x.so", "the file does not belong to root");
    assert_int_equal(chown(place.file, 0, (gid_t)-1), 0);
    assert_int_equal(chown(place.folder, NOBODY, (gid_t)-1), 0);
    expect_refused(place.folder, "x.so", "the folder does not belong to root");
    remove_place(&place);
}

static void test_a_service_loads_nothing_of_its_own(void **state) {
    (void)state;
    must_be_root();
    struct place place;
    make_place(&place);
    static const struct {
        uid_t folder, file;
        const char *refused; /* NULL: trusted */
    } rows[] = {
        {0, 0, NULL},
        {STRANGER, 0, NULL},
        {STRANGER, STRANGER, NULL},
        {NOBODY, 0, "the folder belongs to the user that castgate runs as"},
        {0, NOBODY, "the file belongs to the user that castgate runs as"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(chown(place.folder, rows[i].folder, (gid_t)-1), 0);
        assert_int_equal(chown(place.file, rows[i].file, (gid_t)-1), 0);
        assert_int_equal(seteuid(NOBODY), 0);
        if (rows[i].refused == NULL) {
            expect_trusted(&place);
        } else {
            expect_refused(place.folder, "x.so", rows[i].refused);
        }
        assert_int_equal(seteuid(0), 0);
    }
    remove_place(&place);
}

static void test_misfits_leave_the_rest(void **state) {
    (void)state;
    struct place place;
    make_place(&place);
    struct cg_config *config = cg_config_new();
    assert_non_null(config);
    const char *files[] = {"x.so", "missing.so"};
    config->plugin_folder = place.folder;
    config->plugins = files;
    config->plugin_count = 2;
    struct cg_plugins plugins;
    struct cg_problem problem = {0};
    assert_int_equal(cg_plugins_load(&plugins, &builtins, config, &cg_plugins_log, &problem), CG_OK);
    assert_int_equal(plugins.encoders.count, 1);
    assert_ptr_equal(plugins.encoders.plugins[0], &builtin);
    cg_plugins_fini(&plugins);
    cg_config_unref(config);
    remove_place(&place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_what_is_no_file),
        cmocka_unit_test(test_root_loads_what_belongs_to_root),
        cmocka_unit_test(test_a_service_loads_nothing_of_its_own),
        cmocka_unit_test(test_misfits_leave_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
