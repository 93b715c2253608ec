/* Sealed secrets: for one item, under one key. */
#include "store/seal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct scene {
    char folder[64], file[96], credential[96];
    struct cg_problem problem;
    struct cg_seal *seal;
    struct cg_buf sealed, secret;
};

static int setup(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    strcpy(scene->folder, "/tmp/castgate-seal.XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->file, sizeof scene->file, "%s/seal.key", scene->folder);
    snprintf(scene->credential, sizeof scene->credential, "%s/castgate.seal", scene->folder);
    cg_buf_init(&scene->sealed, 0);
    cg_buf_init(&scene->secret, 0);
    unsetenv("CREDENTIALS_DIRECTORY");
    *state = scene;
    return 0;
}

static int teardown(void **state) {
    struct scene *scene = *state;
    cg_seal_free(scene->seal);
    unlink(scene->file);
    unlink(scene->credential);
    assert_int_equal(rmdir(scene->folder), 0); /* no draft is left */
    cg_buf_fini(&scene->sealed);
    cg_buf_fini(&scene->secret);
    free(scene);
    return 0;
}

static void write_file(const char *file, const char *text, mode_t mode) {
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static int open_seal(struct scene *scene, const char *file) {
    cg_seal_free(scene->seal);
    return cg_seal_open(file, false, &scene->seal, &scene->problem);
}

static void make_and_open(struct scene *scene) {
    assert_int_equal(cg_seal_make(scene->file, &scene->problem), CG_OK);
    assert_int_equal(open_seal(scene, scene->file), CG_OK);
}

#define ABOUT  cg_slice_str("keys/floor3.1")
#define SECRET cg_slice_str("{\"master_secret\":\"0102\"}")

static int open_again(struct scene *scene, struct cg_slice about) {
    cg_buf_clear(&scene->secret);
    return cg_seal_open_sealed(scene->seal, about, cg_buf_slice(&scene->sealed), &scene->secret);
}

static void what_is_sealed_opens_for_its_item_alone(void **state) {
    struct scene *scene = *state;
    make_and_open(scene);
    assert_int_equal(cg_seal_close(scene->seal, ABOUT, SECRET, &scene->sealed), CG_OK);
    assert_null(memmem(scene->sealed.data, scene->sealed.len, "master", 6));
    assert_int_equal(open_again(scene, ABOUT), CG_OK);
    assert_true(cg_slice_equal(cg_buf_slice(&scene->secret), SECRET));
    assert_int_equal(open_again(scene, cg_slice_str("keys/floor3.2")), CG_E_KEY_REFUSED);
    assert_int_equal(scene->secret.len, 0);
}

static void nothing_that_was_changed_opens(void **state) {
    struct scene *scene = *state;
    make_and_open(scene);
    assert_int_equal(cg_seal_close(scene->seal, ABOUT, SECRET, &scene->sealed), CG_OK);
    for (size_t i = 0; i < scene->sealed.len; i++) {
        scene->sealed.data[i] ^= 1;
        assert_int_equal(open_again(scene, ABOUT), CG_E_KEY_REFUSED);
        scene->sealed.data[i] ^= 1;
    }
    while (scene->sealed.len > 0) {
        scene->sealed.len--;
        assert_int_equal(open_again(scene, ABOUT), CG_E_KEY_REFUSED);
    }
}

static void the_same_secret_is_never_sealed_alike(void **state) {
    struct scene *scene = *state;
    make_and_open(scene);
    assert_int_equal(cg_seal_close(scene->seal, ABOUT, SECRET, &scene->sealed), CG_OK);
    const size_t len = scene->sealed.len;
    assert_int_equal(cg_seal_close(scene->seal, ABOUT, SECRET, &scene->sealed), CG_OK);
    assert_int_equal(scene->sealed.len, 2 * len);
    assert_memory_not_equal(scene->sealed.data, scene->sealed.data + len, len);
}

static void an_empty_secret_is_one(void **state) {
    struct scene *scene = *state;
    make_and_open(scene);
    assert_int_equal(cg_seal_close(scene->seal, ABOUT, CG_SLICE_NONE, &scene->sealed), CG_OK);
    assert_int_equal(open_again(scene, ABOUT), CG_OK);
    assert_int_equal(scene->secret.len, 0);
}

static void another_key_opens_nothing(void **state) {
    struct scene *scene = *state;
    make_and_open(scene);
    assert_int_equal(cg_seal_close(scene->seal, ABOUT, SECRET, &scene->sealed), CG_OK);
    assert_int_equal(unlink(scene->file), 0);
    make_and_open(scene);
    assert_int_equal(open_again(scene, ABOUT), CG_E_KEY_REFUSED);
}

static void a_key_is_made_once_and_for_its_owner_alone(void **state) {
    struct scene *scene = *state;
    struct stat info;
    make_and_open(scene);
    assert_int_equal(stat(scene->file, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_size, 65);
    assert_int_equal(cg_seal_make(scene->file, &scene->problem), CG_E_STORE);
    assert_non_null(strstr(scene->problem.detail, "File exists"));
}

#define HEX "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static void expect_problem(struct scene *scene, const char *file, int err, const char *part) {
    assert_int_equal(open_seal(scene, file), err);
    assert_null(scene->seal);
    if (strstr(scene->problem.detail, part) == NULL) fail_msg("%s", scene->problem.detail);
}

static void a_key_is_32_bytes_or_their_hex(void **state) {
    struct scene *scene = *state;
    static const char *const good[] = {HEX, HEX "\n", HEX "\r\n", "0123456789abcdef0123456789abcde\n"};
    static const char *const bad[] = {"", "secret", HEX "00", "0123456789abcdef0123456789abcdef\n",
                                      "zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        write_file(scene->file, good[i], 0600);
        assert_int_equal(open_seal(scene, scene->file), CG_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file(scene->file, bad[i], 0600);
        expect_problem(scene, scene->file, CG_E_STORE, "64 hexadecimal digits");
    }
}

static void a_key_that_others_may_read_is_refused_unless_told(void **state) {
    struct scene *scene = *state;
    write_file(scene->file, HEX, 0640);
    expect_problem(scene, scene->file, CG_E_STORE, "chmod 600");
    assert_int_equal(cg_seal_open(scene->file, true, &scene->seal, &scene->problem), CG_OK);
}

static void a_key_that_is_not_there_is_said(void **state) {
    struct scene *scene = *state;
    expect_problem(scene, scene->file, CG_E_STORE, "No such file");
    expect_problem(scene, NULL, CG_E_NOT_FOUND, "\"seal_key\"");
}

static void without_a_file_it_is_the_credential(void **state) {
    struct scene *scene = *state;
    setenv("CREDENTIALS_DIRECTORY", scene->folder, 1);
    expect_problem(scene, NULL, CG_E_NOT_FOUND, "credential castgate.seal");
    write_file(scene->credential, HEX, 0440); /* as systemd makes it, with an access list */
    assert_int_equal(open_seal(scene, NULL), CG_OK);
    expect_problem(scene, scene->file, CG_E_STORE, "No such file"); /* what is named is meant */
}

#define seal_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        seal_test(what_is_sealed_opens_for_its_item_alone),
        seal_test(nothing_that_was_changed_opens),
        seal_test(the_same_secret_is_never_sealed_alike),
        seal_test(an_empty_secret_is_one),
        seal_test(another_key_opens_nothing),
        seal_test(a_key_is_made_once_and_for_its_owner_alone),
        seal_test(a_key_is_32_bytes_or_their_hex),
        seal_test(a_key_that_others_may_read_is_refused_unless_told),
        seal_test(a_key_that_is_not_there_is_said),
        seal_test(without_a_file_it_is_the_credential),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
