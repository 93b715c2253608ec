/* Whole files and durable names: what is read is what there is, up to a limit, and what is replaced is never half
 * there. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    char path[64];
    int folder;
};

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    strcpy(scene->path, "/tmp/castgate-file.XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    scene->folder = open(scene->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(scene->folder >= 0);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    unlinkat(scene->folder, "file", 0);
    unlinkat(scene->folder, "draft", 0);
    close(scene->folder);
    assert_int_equal(rmdir(scene->path), 0);
    free(scene);
    return 0;
}

static int replace(const struct scene *scene, const char *text) {
    return cg_file_replace(scene->folder, "file", "draft", cg_slice_str(text));
}

static void assert_file(const struct scene *scene, const char *text) {
    char bytes[64];
    size_t len;
    int fd = openat(scene->folder, "file", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(cg_file_read(fd, bytes, sizeof bytes, &len), 0);
    close(fd);
    assert_true(cg_slice_is(cg_slice_of(bytes, len), text));
}

static void replaced_as_a_whole(void **state) {
    struct scene *scene = *state;
    struct stat info;
    assert_int_equal(replace(scene, "one"), 0);
    assert_file(scene, "one");
    assert_int_equal(replace(scene, ""), 0);
    assert_file(scene, "");
    assert_int_equal(replace(scene, "three"), 0);
    assert_file(scene, "three");
    assert_int_equal(fstatat(scene->folder, "file", &info, 0), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(faccessat(scene->folder, "draft", F_OK, 0), -1);
}

static void the_old_one_stays_when_it_fails(void **state) {
    struct scene *scene = *state;
    assert_int_equal(replace(scene, "old"), 0);
    assert_int_equal(symlinkat("/dev/full", scene->folder, "draft"), 0); /* nobody is led elsewhere */
    assert_int_equal(replace(scene, "new"), ELOOP);
    assert_file(scene, "old");
    assert_int_equal(cg_file_replace(-1, "file", "draft", CG_SLICE_NONE), EBADF);
}

static void a_full_disk_is_said(void **state) {
    (void)state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(cg_file_write(fd, cg_slice_str("x")), ENOSPC);
    assert_int_equal(cg_file_write(fd, CG_SLICE_NONE), 0);
    close(fd);
}

static void read_up_to_a_room(void **state) {
    struct scene *scene = *state;
    char bytes[4];
    size_t len;
    assert_int_equal(replace(scene, "abcdef"), 0);
    int fd = openat(scene->folder, "file", O_RDONLY | O_CLOEXEC);
    assert_int_equal(cg_file_read(fd, bytes, sizeof bytes, &len), 0);
    assert_true(cg_slice_is(cg_slice_of(bytes, len), "abcd"));
    assert_int_equal(cg_file_read(fd, bytes, sizeof bytes, &len), 0);
    assert_true(cg_slice_is(cg_slice_of(bytes, len), "ef"));
    assert_int_equal(cg_file_read(scene->folder, bytes, sizeof bytes, &len), EISDIR);
    close(fd);
}

/* Sizes around the pieces in which it is read. */
static void read_whole(void **state) {
    struct scene *scene = *state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 200000};
    static char bytes[200001];
    memset(bytes, 'x', sizeof bytes);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct cg_buf text;
        cg_buf_init(&text, 0);
        cg_buf_put_str(&text, "before ");
        assert_int_equal(cg_file_replace(scene->folder, "file", "draft", cg_slice_of(bytes, sizes[i])), 0);
        int fd = openat(scene->folder, "file", O_RDONLY | O_CLOEXEC);
        assert_int_equal(cg_file_read_all(fd, sizes[i], &text), 0);
        close(fd);
        assert_int_equal(text.len, 7 + sizes[i]);
        cg_buf_fini(&text);
    }
}

static void too_much_is_seen_and_not_read(void **state) {
    (void)state;
    struct cg_buf text;
    cg_buf_init(&text, 0);
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    assert_int_equal(cg_file_read_all(fd, 1000, &text), 0);
    assert_true(text.len > 1000 && text.len <= 1000 + 65536);
    cg_buf_fini(&text);
    cg_buf_init(&text, 10);
    assert_int_equal(cg_file_read_all(fd, 1000, &text), ENOMEM);
    cg_buf_fini(&text);
    close(fd);
}

static void names_are_synced_where_they_are(void **state) {
    struct scene *scene = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/file", scene->path);
    assert_int_equal(cg_file_sync_parent(path), 0);
    assert_int_equal(cg_file_sync_parent("file"), 0);
    assert_int_equal(cg_file_sync_parent("/file"), 0);
    assert_int_equal(cg_file_sync_folder(scene->path), 0);
    snprintf(path, sizeof path, "%s/none/file", scene->path);
    assert_int_equal(cg_file_sync_parent(path), ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(replaced_as_a_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_old_one_stays_when_it_fails, set_up, tear_down),
        cmocka_unit_test(a_full_disk_is_said),
        cmocka_unit_test_setup_teardown(read_up_to_a_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_whole, set_up, tear_down),
        cmocka_unit_test(too_much_is_seen_and_not_read),
        cmocka_unit_test_setup_teardown(names_are_synced_where_they_are, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("base/file", tests, NULL, NULL);
}
