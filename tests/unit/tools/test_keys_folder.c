/* The folder of key files: made wholly or not at all, and, wherever a change was interrupted, either the old files or
 * the new ones once somebody opens it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "settings/secret.h"
#include "tools/keys/folder.h"
#include "tools/keys/options.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_MAX = 32, PATH_LEN = 512 };

#define MARK ".undecided"

static char place[] = "/tmp/castgate-keys-folder-XXXXXX";
static char error[CG_KEYS_ERROR_MAX];
static json_t *old_document, *new_document, *gone;

static void path(char to[PATH_LEN], const char *folder, const char *name) {
    int len = snprintf(to, PATH_LEN, "%s/%s/%s", place, folder, name);
    assert_true(len > 0 && len < PATH_LEN);
}

static const char *folder_path(const char *folder) {
    static char to[PATH_LEN];
    snprintf(to, sizeof to, "%s/%s", place, folder);
    return to;
}

static void must_make(const char *folder, json_t *document) {
    if (cg_keys_folder_make(folder_path(folder), document, error) != CG_OK) fail_msg("%s", error);
}

static int compare(const void *a, const void *b) { return strcmp(a, b); }

/* The names in a folder, sorted. */
static size_t list(const char *folder, char names[NAMES_MAX][64]) {
    size_t count = 0;
    DIR *dir = opendir(folder_path(folder));
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2) { /* .new- and .undecided, but not . and .. */
            assert_true(count < NAMES_MAX);
            snprintf(names[count++], 64, "%.63s", entry->d_name);
        }
    closedir(dir);
    qsort(names, count, 64, compare);
    return count;
}

static void clear(const char *folder) {
    char names[NAMES_MAX][64], name[PATH_LEN];
    size_t count = list(folder, names);
    for (size_t i = 0; i < count; i++) {
        path(name, folder, names[i]);
        assert_int_equal(unlink(name), 0);
    }
    assert_int_equal(rmdir(folder_path(folder)), 0);
}

static size_t read_whole(const char *folder, const char *name, char *to, size_t cap) {
    char from[PATH_LEN];
    path(from, folder, name);
    int fd = open(from, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t len = read(fd, to, cap);
    assert_true(len >= 0 && (size_t)len < cap);
    close(fd);
    return (size_t)len;
}

static void copy(const char *from, const char *name, const char *folder, const char *as) {
    char bytes[8192], to[PATH_LEN];
    size_t len = read_whole(from, name, bytes, sizeof bytes);
    path(to, folder, as);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

/* The same names with the same bytes, mode 0600. */
static void assert_same(const char *a, const char *b) {
    char in_a[NAMES_MAX][64], in_b[NAMES_MAX][64], bytes_a[8192], bytes_b[8192], name[PATH_LEN];
    size_t count = list(a, in_a);
    assert_int_equal(count, list(b, in_b));
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(in_a[i], in_b[i]);
        size_t len = read_whole(a, in_a[i], bytes_a, sizeof bytes_a);
        assert_int_equal(len, read_whole(b, in_a[i], bytes_b, sizeof bytes_b));
        assert_memory_equal(bytes_a, bytes_b, len);
        struct stat info;
        path(name, b, in_a[i]);
        assert_int_equal(stat(name, &info), 0);
        assert_int_equal(info.st_mode & 07777, 0600);
    }
}

static int make_documents(void **state) {
    (void)state;
    const struct cg_keyring_options change = {.members = 1, .evict = {"12"}, .evict_count = 1};
    const char *const argv[] = {"castgate-keys", "new", "DIR", "--members", "2"};
    struct cg_keys_options options;
    gone = json_array();
    if (mkdtemp(place) == NULL || gone == NULL || cg_keys_options_parse(&options, 5, argv, error) != CG_OK ||
        cg_keyring_new(&old_document, &options.ring, error) != CG_OK)
        return -1;
    new_document = json_deep_copy(old_document);
    if (cg_keyring_add(new_document, &change, error) != CG_OK ||
        cg_keyring_rekey(new_document, &change, old_document, error) != CG_OK ||
        json_array_append_new(gone, json_string("member-12.json")) != 0)
        return -1;
    must_make("old", old_document);
    must_make("new", new_document);
    return 0;
}

static int remove_documents(void **state) {
    (void)state;
    clear("old");
    clear("new");
    json_decref(old_document);
    json_decref(new_document);
    json_decref(gone);
    return rmdir(place);
}

static void nothing_is_overwritten(void **state) {
    (void)state;
    struct stat info;
    assert_int_equal(cg_keys_folder_make(folder_path("old"), new_document, error), CG_E_STORE);
    assert_non_null(strstr(error, "nothing is overwritten"));
    must_make("again", old_document);
    assert_same("old", "again");
    assert_int_equal(stat(folder_path("again"), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    clear("again");
    assert_int_equal(mkdir(folder_path("empty"), 0755), 0);
    must_make("empty/", old_document);
    assert_same("old", "empty");
    clear("empty");
    int fd = open(folder_path("file"), O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(cg_keys_folder_make(folder_path("file"), old_document, error), CG_E_STORE);
    assert_int_equal(unlink(folder_path("file")), 0);
    assert_int_equal(cg_keys_folder_make(folder_path("no/such"), old_document, error), CG_E_STORE);
    char names[NAMES_MAX][64];
    assert_int_equal(list(".", names), 2); /* old and new: no refused folder left anything behind */
}

static void copy_folder(const char *from, const char *to) {
    char names[NAMES_MAX][64];
    size_t count = list(from, names);
    assert_int_equal(mkdir(folder_path(to), 0700), 0);
    for (size_t i = 0; i < count; i++) copy(from, names[i], to, names[i]);
}

static void open_folder(const char *folder, bool expect_completed) {
    int fd;
    bool completed;
    if (cg_keys_folder_open(folder_path(folder), &fd, &completed, error) != CG_OK) fail_msg("%s", error);
    assert_int_equal(completed, expect_completed);
    cg_keys_folder_close(fd);
}

static void a_change_replaces_and_deletes(void **state) {
    (void)state;
    int fd, other;
    bool completed;
    copy_folder("old", "changed");
    assert_int_equal(cg_keys_folder_open(folder_path("changed"), &fd, &completed, error), CG_OK);
    assert_false(completed);
    assert_int_equal(cg_keys_folder_open(folder_path("changed"), &other, &completed, error), CG_E_STORE);
    assert_non_null(strstr(error, "is being changed by another"));
    assert_int_equal(cg_keys_folder_change(fd, new_document, CG_KEYRING_CURRENT, gone, error), CG_OK);
    cg_keys_folder_close(fd);
    assert_same("new", "changed");
    clear("changed");
    assert_int_equal(cg_keys_folder_open(folder_path("nowhere"), &fd, &completed, error), CG_E_STORE);
}

/* The keys of the new document lie beside those of the old one, which stay as they are; then they take their place. */
static void the_next_epoch_lies_beside_the_current_one(void **state) {
    (void)state;
    char names[NAMES_MAX][64], name[CG_KEYRING_NAME_MAX];
    int fd;
    bool completed;
    json_t *none = json_array(), *leaving = json_array();
    copy_folder("old", "changed");
    assert_int_equal(cg_keys_folder_open(folder_path("changed"), &fd, &completed, error), CG_OK);
    assert_int_equal(cg_keys_folder_change(fd, new_document, CG_KEYRING_NEXT, none, error), CG_OK);
    size_t both = list("changed", names), in_old = list("old", names), in_new = list("new", names);
    assert_int_equal(both, in_old + in_new);
    for (size_t i = 0; cg_keyring_file_name(new_document, i, CG_KEYRING_NEXT, name); i++) {
        assert_int_equal(json_array_append_new(leaving, json_string(name)), 0);
        assert_int_equal(unlinkat(fd, name, 0), 0);
    }
    assert_same("old", "changed");
    assert_int_equal(cg_keys_folder_change(fd, new_document, CG_KEYRING_NEXT, none, error), CG_OK);
    assert_int_equal(json_array_append_new(leaving, json_string("member-12.json")), 0);
    assert_int_equal(cg_keys_folder_change(fd, new_document, CG_KEYRING_CURRENT, leaving, error), CG_OK);
    assert_same("new", "changed");
    cg_keys_folder_close(fd);
    clear("changed");
    json_decref(none);
    json_decref(leaving);
}

/* The names of a change's new files in the order of their making: the mark that nothing is decided first, an empty one
 * to delete member-12.json last. */
static size_t pending_names(char names[NAMES_MAX][CG_KEYRING_NAME_MAX]) {
    size_t count = 1;
    strcpy(names[0], MARK);
    for (size_t i = 0; cg_keyring_file_name(new_document, i, CG_KEYRING_CURRENT, names[count]); i++) count++;
    snprintf(names[count++], CG_KEYRING_NAME_MAX, "member-12.json");
    return count;
}

static void make_pending(const char *folder, const char *name) {
    char as[64], full[PATH_LEN];
    bool mark = strcmp(name, MARK) == 0;
    snprintf(as, sizeof as, "%s%s", mark ? "" : ".new-", name);
    if (!mark && strcmp(name, "member-12.json") != 0) {
        copy("new", name, folder, as);
        return;
    }
    path(full, folder, as);
    int fd = open(full, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void settle(const char *folder, const char *name) {
    char as[64], from[PATH_LEN], to[PATH_LEN];
    int len = snprintf(as, sizeof as, ".new-%s", name);
    assert_true(len > 0 && (size_t)len < sizeof as);
    path(from, folder, as);
    path(to, folder, name);
    if (strcmp(name, MARK) == 0) {
        assert_int_equal(unlink(to), 0);
    } else if (strcmp(name, "member-12.json") == 0) {
        assert_int_equal(unlink(to), 0);
        assert_int_equal(unlink(from), 0);
    } else {
        assert_int_equal(rename(from, to), 0);
    }
}

/* Ends in the middle of writing: before the decision the old files count. */
static void an_undecided_change_is_taken_back(void **state) {
    (void)state;
    char names[NAMES_MAX][CG_KEYRING_NAME_MAX];
    size_t count = pending_names(names);
    for (size_t written = 0; written <= count; written++) {
        copy_folder("old", "cut");
        for (size_t i = 0; i < written; i++) make_pending("cut", names[i]);
        open_folder("cut", false);
        assert_same("old", "cut");
        clear("cut");
    }
}

/* Ends after it: the new ones count. */
static void a_decided_change_is_completed(void **state) {
    (void)state;
    char names[NAMES_MAX][CG_KEYRING_NAME_MAX];
    size_t count = pending_names(names);
    for (size_t settled = 1; settled <= count; settled++) {
        copy_folder("old", "cut");
        for (size_t i = 0; i < count; i++) make_pending("cut", names[i]);
        for (size_t i = 0; i < settled; i++) settle("cut", names[i]);
        open_folder("cut", settled < count);
        assert_same("new", "cut");
        clear("cut");
    }
}

/* Ends between the two steps of a deletion. */
static void a_half_done_deletion_is_completed(void **state) {
    (void)state;
    char name[PATH_LEN];
    copy_folder("new", "cut");
    make_pending("cut", "member-12.json");
    path(name, "cut", "member-12.json");
    assert_int_not_equal(access(name, F_OK), 0);
    open_folder("cut", true);
    assert_same("new", "cut");
    clear("cut");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_overwritten),
        cmocka_unit_test(a_change_replaces_and_deletes),
        cmocka_unit_test(the_next_epoch_lies_beside_the_current_one),
        cmocka_unit_test(an_undecided_change_is_taken_back),
        cmocka_unit_test(a_decided_change_is_completed),
        cmocka_unit_test(a_half_done_deletion_is_completed),
    };
    return cmocka_run_group_tests(tests, make_documents, remove_documents);
}
