/* Who may read a security group's file, and what is none. */
#include "fake_group_file.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/castgate-security-group-XXXXXX";
static char file[sizeof folder + 16];

static int make_folder(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(file, sizeof file, "%s/gateway.json", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    (void)unlink(file);
    return rmdir(folder);
}

static void write_file(const char *bytes, size_t len, mode_t mode) {
    (void)unlink(file);
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void load_with_mistake(bool may_be_shared, const char *message) {
    struct cg_security_group *group;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(cg_security_group_load(file, CG_GROUP_FILE_MEMBER, may_be_shared, &group, &mistakes), CG_E_FORMAT);
    assert_null(group);
    assert_int_equal(mistakes.count, 1);
    if (strstr(mistakes.first->message, message) == NULL) print_all(&mistakes);
    assert_non_null(strstr(mistakes.first->message, message));
    cg_mistakes_fini(&mistakes);
}

static void load(bool may_be_shared) {
    struct cg_security_group *group;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(cg_security_group_load(file, CG_GROUP_FILE_MEMBER, may_be_shared, &group, &mistakes), CG_OK);
    cg_mistakes_fini(&mistakes);
    cg_security_group_free(group);
}

static void a_byte_order_mark_is_no_mistake(void **state) {
    (void)state;
    json_t *json = quoted(MEMBER);
    struct cg_secret_text text;
    assert_int_equal(cg_secret_print(&text, json), CG_OK);
    char *marked = malloc(text.len + 3);
    assert_non_null(marked);
    memcpy(marked, "\xef\xbb\xbf", 3);
    memcpy(marked + 3, text.data, text.len);
    write_file(marked, text.len + 3, 0600);
    load(false);
    free(marked);
    cg_secret_free(&text);
    json_decref(json);
}

static void key_files_belong_to_one_user(void **state) {
    (void)state;
    static const mode_t shared[] = {0640, 0604, 0620, 0602, 0610, 0644, 0666};
    json_t *json = quoted(MEMBER);
    struct cg_secret_text text;
    assert_int_equal(cg_secret_print(&text, json), CG_OK);
    write_file((const char *)text.data, text.len, 0600);
    load(false);
    write_file((const char *)text.data, text.len, 0400);
    load(false);
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        write_file((const char *)text.data, text.len, shared[i]);
        load_with_mistake(false, "is open to its group or to others");
        load(true);
    }
    cg_secret_free(&text);
    json_decref(json);
}

/* An access list for the service's user shows as a right of the group. */
static void credentials_are_guarded_by_systemd(void **state) {
    (void)state;
    json_t *json = quoted(MEMBER);
    struct cg_secret_text text;
    char part[sizeof folder];
    assert_int_equal(cg_secret_print(&text, json), CG_OK);
    write_file((const char *)text.data, text.len, 0440);
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    load(false);
    setenv("CREDENTIALS_DIRECTORY", "/", 1); /* what is further below is none */
    load_with_mistake(false, "is open to its group or to others");
    snprintf(part, sizeof part, "%.*s", (int)strlen(folder) - 1, folder);
    setenv("CREDENTIALS_DIRECTORY", part, 1);
    load_with_mistake(false, "is open to its group or to others");
    setenv("CREDENTIALS_DIRECTORY", "", 1);
    load_with_mistake(false, "is open to its group or to others");
    unsetenv("CREDENTIALS_DIRECTORY");
    load_with_mistake(false, "is open to its group or to others");
    cg_secret_free(&text);
    json_decref(json);
}

static void what_is_no_such_file(void **state) {
    (void)state;
    (void)unlink(file);
    load_with_mistake(false, "cannot be read: No such file");
    assert_int_equal(mkfifo(file, 0600), 0);
    load_with_mistake(false, "is not a regular file");
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(file, 0700), 0);
    load_with_mistake(false, "is not a regular file");
    assert_int_equal(rmdir(file), 0);
    write_file("", 0, 0600);
    load_with_mistake(false, "line 1, column 0: ");
    assert_int_equal(truncate(file, (off_t)CG_SETTINGS_FILE_MAX + 1), 0);
    load_with_mistake(false, "is larger than 16 MiB");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_files_belong_to_one_user),
        cmocka_unit_test(credentials_are_guarded_by_systemd),
        cmocka_unit_test(a_byte_order_mark_is_no_mistake),
        cmocka_unit_test(what_is_no_such_file),
    };
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
