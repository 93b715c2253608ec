/* What takes changes back, and everything out and in: over HTTP, with a real store. */
#include "fake_admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FLOOR                                                                                                          \
    "{\"path\":\"/floor3\",\"group\":\"coap://224.0.1.188/\",\"security\":\"none\",\"timeout\":2,"                     \
    "\"clients\":[\"anonymous\"]}"
#define PATH "/admin/v1/mappings/floor3"

static void make_floor(struct fake_admin *f) { fake_admin_expect(f, "PUT", PATH, BOSS, FLOOR, 201, NULL); }

static char *export(struct fake_admin *f) {
    struct fake_response response = fake_admin_ask(f, "GET", "/admin/v1/export", BOSS, NULL);
    assert_int_equal(response.status, 200);
    char *text = strdup(response.body);
    fake_response_fini(&response);
    assert_non_null(text);
    return text;
}

static void test_undo(void **state) {
    struct fake_admin *f = *state;
    make_floor(f);
    char *before = export(f);
    fake_admin_expect(f, "PATCH", PATH, BOSS "If-Match: \"1\"\r\n", "{\"timeout\":9}", 200, NULL);
    fake_admin_expect(f, "POST", "/admin/v1/revisions/2/undo?dry_run=true", BOSS, NULL, 200, "\"difference\":[{");
    fake_admin_expect(f, "GET", PATH, BOSS, NULL, 200, "\"timeout\":9");
    fake_admin_expect(f, "POST", "/admin/v1/revisions/2/undo", BOSS, NULL, 200, "{\"revision\":3}");
    char *after = export(f);
    assert_string_equal(before, after);
    fake_admin_expect(f, "GET", "/admin/v1/revisions/2", BOSS, NULL, 200, "\"undone_by\":3");
    fake_admin_expect(f, "POST", "/admin/v1/revisions/9/undo", BOSS, NULL, 404, NULL);
    fake_admin_expect(f, "POST", "/admin/v1/revisions/1/undo", LOOKER, NULL, 403, NULL);
    free(before);
    free(after);
}

static void test_undo_what_later_ones_rest_on(void **state) {
    struct fake_admin *f = *state;
    make_floor(f);
    fake_admin_expect(f, "PATCH", PATH, BOSS "If-Match: \"1\"\r\n", "{\"timeout\":9}", 200, NULL);
    fake_admin_expect(f, "POST", "/admin/v1/revisions/1/undo", BOSS, NULL, 409, "\"depends\":[{");
    fake_admin_expect(f, "POST", "/admin/v1/revisions/1/undo?with_later=true", BOSS, NULL, 200, "{\"revision\":3}");
    fake_admin_expect(f, "GET", PATH, BOSS, NULL, 404, NULL);
    fake_admin_expect(f, "GET", "/admin/v1/revisions/1", BOSS, NULL, 200, "\"undone_by\":3");
    fake_admin_expect(f, "GET", "/admin/v1/revisions/2", BOSS, NULL, 200, "\"undone_by\":3");
}

/* What comes out goes in again, and nothing differs then. */
static void test_export_and_import(void **state) {
    struct fake_admin *f = *state;
    make_floor(f);
    char *all = export(f);
    fake_admin_expect(f, "PUT", "/admin/v1/import", BOSS, all, 200, "{\"revision\":null}");
    fake_admin_expect(f, "DELETE", PATH, BOSS "If-Match: *\r\n", NULL, 204, NULL);
    fake_admin_expect(f, "PUT", "/admin/v1/import", BOSS "If-Match: \"1\"\r\n", all, 412, "problem:stale");
    fake_admin_expect(f, "PUT", "/admin/v1/import?dry_run=true", BOSS, all, 200, "\"difference\":[{");
    fake_admin_expect(f, "PUT", "/admin/v1/import", BOSS "If-Match: \"2\"\r\n", all, 200, "{\"revision\":3}");
    char *again = export(f);
    assert_string_equal(all, again);
    free(all);
    free(again);
    fake_admin_expect(f, "GET", "/admin/v1/export", BOSS "If-None-Match: \"3\"\r\n", NULL, 304, NULL);
}

/* A broken document changes nothing, and says where it is broken. */
static void test_import_of_what_is_broken(void **state) {
    struct fake_admin *f = *state;
    make_floor(f);
    fake_admin_expect(
        f, "PUT", "/admin/v1/import", BOSS,
        "{\"version\":1,\"mappings\":[{\"name\":\"a\",\"group\":\"coap://224.0.1.9\",\"security\":\"none\"},"
        "{\"name\":\"b\",\"group\":\"coap://224.0.1.9\",\"security\":\"none\",\"timeout\":\"x\"}]}",
        400, "\"pointer\":\"#/mappings/1/timeout\"");
    fake_admin_expect(f, "PUT", "/admin/v1/import", BOSS, "{\"version\":2}", 400, "problem:invalid");
    fake_admin_expect(f, "PUT", "/admin/v1/import", BOSS, "{\"version\":1,\"what\":1}", 400, "problem:invalid");
    fake_admin_expect(f, "GET", PATH, BOSS, NULL, 200, "\"revision\":1");
}

/* Who gains and who loses. */
static void test_preview_of_access(void **state) {
    struct fake_admin *f = *state;
    make_floor(f);
    fake_admin_expect(f, "PATCH", PATH "?dry_run=true", BOSS "If-Match: *\r\n", "{\"clients\":[\"looker\"]}", 200,
                      "\"gains\":[{\"client\":\"looker\"");
    fake_admin_expect(f, "PATCH", PATH "?dry_run=true", BOSS "If-Match: *\r\n", "{\"clients\":[\"looker\"]}", 200,
                      "\"loses\":[{\"client\":\"anonymous\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {admin_test(test_undo), admin_test(test_undo_what_later_ones_rest_on),
                                       admin_test(test_export_and_import), admin_test(test_import_of_what_is_broken),
                                       admin_test(test_preview_of_access)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
