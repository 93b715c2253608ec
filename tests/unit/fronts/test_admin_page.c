/* The page's files: the table that is built in, the form and the condition that a browser asks for, and who may. */
#include "fronts/admin/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "fake_admin.h"

static void test_table(void **state) {
    (void)state;
    assert_true(cg_page_file_count > 0);
    for (size_t i = 0; i < cg_page_file_count; i++) {
        const struct cg_page_file *file = &cg_page_files[i];
        assert_int_equal(file->path[0], '/');
        assert_null(strstr(file->path, ".."));
        assert_true(strlen(file->content_type) > 0);
        assert_int_equal(strlen(file->tag), 16);
        assert_true(file->gzip.len > 2 && file->gzip.data[0] == 0x1f && file->gzip.data[1] == 0x8b);
        assert_ptr_equal(cg_page_find(cg_slice_str(file->path)), file);
    }
}

static void test_paths(void **state) {
    (void)state;
    static const char *const nowhere[] = {
        "",           "//",         "/.",          "/../index.html", "/index.html/", "/%69ndex.html",
        "index.html", "/index.htm", "/INDEX.HTML", "/README.md"};
    assert_non_null(cg_page_find(cg_slice_str("/")));
    assert_ptr_equal(cg_page_find(cg_slice_str("/")), cg_page_find(cg_slice_str("/index.html")));
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) assert_null(cg_page_find(cg_slice_str(nowhere[i])));
}

static bool takes_gzip(const char *value) {
    const struct cg_http_field field = {cg_slice_str("accept-encoding"), cg_slice_str(value)};
    return cg_page_takes_gzip(&(struct cg_http_message){.fields = &field, .field_count = 1});
}

static void test_encodings(void **state) {
    (void)state;
    static const char *const takes[] = {"gzip",       "GZIP", "br, gzip;q=0.1", "*", "gzip ; q=1.0", "br;q=0, *;q=0.5",
                                        "*;q=0, gzip"};
    static const char *const refuses[] = {"",      "br",          "identity", "gzip;q=0", "gzip; Q=0.000",
                                          "*;q=0", "*, gzip;q=0", "gzipped",  ",",        ";gzip"};
    for (size_t i = 0; i < sizeof takes / sizeof *takes; i++) assert_true(takes_gzip(takes[i]));
    for (size_t i = 0; i < sizeof refuses / sizeof *refuses; i++) assert_false(takes_gzip(refuses[i]));
    assert_false(cg_page_takes_gzip(&(struct cg_http_message){0}));
}

static void assert_field(const struct fake_response *response, const char *name, const char *value) {
    const char *is = fake_response_field(response, name);
    if (is == NULL || strcmp(is, value) != 0) fail_msg("%s: %s, not %s", name, is == NULL ? "(none)" : is, value);
}

static void assert_fields_of_page(const struct fake_response *response) {
    assert_field(response, "Cache-Control", "no-cache");
    assert_field(response, "Vary", "Accept-Encoding");
    assert_field(response, "X-Content-Type-Options", "nosniff");
    assert_field(response, "Referrer-Policy", "no-referrer");
    assert_field(response, "Cross-Origin-Opener-Policy", "same-origin");
    assert_field(response, "Content-Security-Policy",
                 "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                 "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    assert_null(fake_response_field(response, "Set-Cookie"));
    assert_null(fake_response_field(response, "Access-Control-Allow-Origin"));
}

/* Without a token, whatever the query is. */
static void test_plain(void **state) {
    const struct cg_page_file *file = cg_page_find(cg_slice_str("/"));
    struct fake_response response = fake_admin_ask(*state, "GET", "/?from=demo", "", NULL);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.body_len, file->plain.len);
    assert_memory_equal(response.body, file->plain.data, file->plain.len);
    assert_field(&response, "Content-Type", "text/html; charset=utf-8");
    assert_null(fake_response_field(&response, "Content-Encoding"));
    assert_fields_of_page(&response);
    fake_response_fini(&response);
}

static void test_gzip(void **state) {
    const struct cg_page_file *file = cg_page_find(cg_slice_str("/"));
    struct fake_response response = fake_admin_ask(*state, "GET", "/", "Accept-Encoding: br, gzip\r\n", NULL);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.body_len, file->gzip.len);
    assert_memory_equal(response.body, file->gzip.data, file->gzip.len);
    assert_field(&response, "Content-Encoding", "gzip");
    assert_fields_of_page(&response);
    fake_response_fini(&response);
}

static void test_head(void **state) {
    char len[24];
    struct fake_response response = fake_admin_ask(*state, "HEAD", "/index.html", "", NULL);
    snprintf(len, sizeof len, "%zu", cg_page_find(cg_slice_str("/"))->plain.len);
    assert_int_equal(response.status, 200);
    assert_field(&response, "Content-Length", len);
    assert_int_equal(response.body_len, 0);
    assert_fields_of_page(&response);
    fake_response_fini(&response);
}

static void check_condition(struct fake_admin *f, const char *encoding, const char *tag, int status) {
    char fields[160];
    snprintf(fields, sizeof fields, "%sIf-None-Match: %s\r\n", encoding, tag);
    struct fake_response response = fake_admin_ask(f, "GET", "/", fields, NULL);
    assert_int_equal(response.status, status);
    if (status == 304) assert_int_equal(response.body_len, 0);
    assert_fields_of_page(&response);
    fake_response_fini(&response);
}

/* Each form has a tag of its own. */
static void test_conditions(void **state) {
    static const char gzip[] = "Accept-Encoding: gzip\r\n";
    char plain_tag[40], gzip_tag[40], both[96];
    struct fake_response response = fake_admin_ask(*state, "GET", "/", "", NULL);
    snprintf(plain_tag, sizeof plain_tag, "%s", fake_response_field(&response, "ETag"));
    fake_response_fini(&response);
    response = fake_admin_ask(*state, "GET", "/", gzip, NULL);
    snprintf(gzip_tag, sizeof gzip_tag, "%s", fake_response_field(&response, "ETag"));
    fake_response_fini(&response);
    assert_string_not_equal(plain_tag, gzip_tag);
    snprintf(both, sizeof both, "\"other\", W/%s", gzip_tag);
    check_condition(*state, "", plain_tag, 304);
    check_condition(*state, gzip, gzip_tag, 304);
    check_condition(*state, gzip, both, 304);
    check_condition(*state, "", "*", 304);
    check_condition(*state, "", gzip_tag, 200);
    check_condition(*state, gzip, plain_tag, 200);
}

static void test_methods(void **state) {
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct fake_response response = fake_admin_ask(*state, methods[i], "/", "", NULL);
        assert_int_equal(response.status, 405);
        assert_field(&response, "Allow", "GET, HEAD");
        fake_response_fini(&response);
    }
    fake_admin_expect(*state, "POST", "/index.html", "", "{}", 405, NULL);
    fake_admin_expect(*state, "GET", "/", "", "{}", 413, NULL);
    fake_admin_expect(*state, "GET", "/nothing.js", "", NULL, 404, "the page is at /");
}

/* A link from elsewhere may lead to the page, and to nothing else; other sites' pages get nothing at all. */
static void test_sites(void **state) {
    static const char link[] = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n";
    static const char script[] = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n";
    fake_admin_expect(*state, "GET", "/", link, NULL, 200, "castgate");
    fake_admin_expect(*state, "GET", "/", script, NULL, 403, "cross-origin");
    fake_admin_expect(*state, "POST", "/", link, NULL, 403, "cross-origin");
    fake_admin_expect(*state, "GET", "/metrics", link, NULL, 403, "cross-origin");
    fake_admin_expect(*state, "GET", "/admin/v1/openapi.json", link, NULL, 403, "cross-origin");
    struct fake_client client;
    fake_admin_connect(*state, &client);
    fake_client_send_text(&client, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 421);
    fake_response_fini(&response);
    fake_client_close(&client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table), cmocka_unit_test(test_paths), cmocka_unit_test(test_encodings),
        admin_test(test_plain),       admin_test(test_gzip),        admin_test(test_head),
        admin_test(test_conditions),  admin_test(test_methods),     admin_test(test_sites),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
