/* Who may ask the admin side what, in which order it is told, and what a body may be. */
#include "fake_admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_needs_no_token(void **state) {
    struct fake_admin *f = *state;
    fake_admin_expect(f, "GET", "/admin/v1/openapi.json", "", NULL, 200, "\"openapi\":\"3.1.0\"");
    struct fake_response response = fake_admin_ask(f, "HEAD", "/admin/v1/openapi.json", "", NULL);
    assert_int_equal(response.status, 200);
    assert_string_equal(fake_response_field(&response, "Content-Type"), "application/json");
    assert_string_equal(fake_response_field(&response, "Cache-Control"), "no-store");
    assert_string_equal(fake_response_field(&response, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(fake_response_field(&response, "X-Frame-Options"), "DENY");
    assert_string_equal(fake_response_field(&response, "Referrer-Policy"), "no-referrer");
    assert_null(fake_response_field(&response, "Access-Control-Allow-Origin"));
    fake_response_fini(&response);
}

/* Without a token nobody learns what there is and what is not. */
static void test_unknown_clients(void **state) {
    struct fake_admin *f = *state;
    static const char *const requests[][2] = {{"GET", "/admin/v1/nothing"},
                                              {"GET", "/admin/v1"},
                                              {"POST", "/admin/v1/openapi.json"},
                                              {"OPTIONS", "/admin/v1/openapi.json"}};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        fake_admin_expect(f, requests[i][0], requests[i][1], "", NULL, 401, "problem:unauthorized");
        fake_admin_expect(f, requests[i][0], requests[i][1], "Authorization: Bearer wrong\r\n", NULL, 401,
                          "problem:unauthorized");
    }
    struct fake_response response = fake_admin_ask(f, "GET", "/admin/v1/nothing", "", NULL);
    assert_string_equal(fake_response_field(&response, "WWW-Authenticate"), "Bearer");
    fake_response_fini(&response);
}

/* What an unknown client would send is not waited for. */
static void test_unknown_clients_bodies(void **state) {
    struct fake_admin *f = *state;
    struct fake_client client;
    fake_admin_connect(f, &client);
    fake_client_send_text(&client, "PUT /admin/v1/import HTTP/1.1\r\nHost: localhost\r\n"
                                   "Content-Type: application/json\r\nContent-Length: 60000000\r\n\r\n{");
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 401);
    fake_response_fini(&response);
    fake_client_close(&client);
}

static void test_warnings(void **state) {
    struct fake_admin *f = *state;
    fake_admin_expect(f, "GET", "/admin/v1/warnings", BOSS, NULL, 200,
                      "\"code\":\"plain-group\",\"about\":\"/mappings/");
    fake_admin_expect(f, "GET", "/admin/v1/warnings", "", NULL, 401, NULL);
}

static void test_paths_and_methods(void **state) {
    struct fake_admin *f = *state;
    fake_admin_expect(f, "GET", "/admin/v1/nothing", BOSS, NULL, 404, "problem:not-found");
    fake_admin_expect(f, "GET", "/admin/v2/openapi.json", BOSS, NULL, 404, "problem:not-found");
    fake_admin_expect(f, "GET", "/admin/v1openapi.json", BOSS, NULL, 404, "problem:not-found");
    struct fake_response response = fake_admin_ask(f, "DELETE", "/admin/v1/openapi.json", BOSS, NULL);
    assert_int_equal(response.status, 405);
    assert_string_equal(fake_response_field(&response, "Allow"), "GET, HEAD");
    fake_response_fini(&response);
    response = fake_admin_ask(f, "OPTIONS", "/admin/v1/openapi.json", BOSS, NULL);
    assert_int_equal(response.status, 204);
    assert_string_equal(fake_response_field(&response, "Allow"), "GET, HEAD, OPTIONS");
    fake_response_fini(&response);
}

static void test_queries(void **state) {
    struct fake_admin *f = *state;
    fake_admin_expect(f, "GET", "/admin/v1/openapi.json?x=1", BOSS, NULL, 400, "\\\"x\\\" means nothing here");
    fake_admin_expect(f, "GET", "/admin/v1/openapi.json?", BOSS, NULL, 200, NULL);
    fake_admin_expect(f, "GET", "/admin/v1/openapi.json?&", BOSS, NULL, 400, "problem:bad-request");
}

static void test_bodies_where_none_is_taken(void **state) {
    struct fake_admin *f = *state;
    fake_admin_expect(f, "GET", "/admin/v1/openapi.json", BOSS, "{}", 413, "takes no body");
}

static void test_other_sites(void **state) {
    struct fake_admin *f = *state;
    fake_admin_expect(f, "GET", "/admin/v1/openapi.json", "Sec-Fetch-Site: cross-site\r\n" BOSS, NULL, 403,
                      "problem:cross-origin");
    fake_admin_expect(f, "OPTIONS", "/admin/v1/openapi.json",
                      "Origin: https://evil.example\r\nAccess-Control-Request-Method: GET\r\n", NULL, 403,
                      "problem:cross-origin");
}

int main(void) {
    const struct CMUnitTest tests[] = {admin_test(test_needs_no_token),
                                       admin_test(test_unknown_clients),
                                       admin_test(test_unknown_clients_bodies),
                                       admin_test(test_warnings),
                                       admin_test(test_paths_and_methods),
                                       admin_test(test_queries),
                                       admin_test(test_bodies_where_none_is_taken),
                                       admin_test(test_other_sites)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
