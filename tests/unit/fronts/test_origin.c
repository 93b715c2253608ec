/* Whom browsers say that a request comes from: a table of what they send, and of what nobody sends by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "fronts/http/navigation.h"
#include "fronts/http/origin.h"

enum { FIELDS_MAX = 8 };

static const char *allowed_origins[] = {"https://dash.example", "http://192.0.2.7:8123", "chrome-extension://abcdef"};

struct sent {
    struct cg_http_message message;
    struct cg_http_field fields[FIELDS_MAX];
};

/* "Name: value" lines. */
static void take(struct sent *sent, const char *method, const char *lines) {
    *sent = (struct sent){.message = {.method = cg_slice_str(method), .fields = sent->fields}};
    while (*lines != '\0') {
        size_t name = strcspn(lines, ":"), line = strcspn(lines, "\n");
        assert_true(sent->message.field_count < FIELDS_MAX && name < line);
        sent->fields[sent->message.field_count++] = (struct cg_http_field){
            cg_slice_of(lines, name), cg_http_trim(cg_slice_of(lines + name + 1, line - name - 1))};
        lines += line + 1;
    }
}

static enum cg_origin origin_of(const char *lines, const char *certificate, const char **allowed) {
    struct sent sent;
    const struct cg_http_settings settings = {.origins = allowed_origins,
                                              .origin_count = sizeof allowed_origins / sizeof *allowed_origins,
                                              .tls.certificate = certificate};
    take(&sent, "GET", lines);
    return cg_http_origin(&settings, &sent.message, allowed);
}

#define HOST "Host: gw.example:8080\n"

struct row {
    const char *lines;
    enum cg_origin origin;
};

static void check(const struct row *rows, size_t count, const char *certificate) {
    for (size_t i = 0; i < count; i++) {
        const char *allowed;
        enum cg_origin origin = origin_of(rows[i].lines, certificate, &allowed);
        if (origin != rows[i].origin) fail_msg("row %zu: %d {%s}", i, origin, rows[i].lines);
        assert_int_equal(allowed != NULL, origin == CG_ORIGIN_ALLOWED);
    }
}
#define CHECK(rows, certificate) check(rows, sizeof(rows) / sizeof *(rows), certificate)

static void test_who_is_from_here(void **state) {
    (void)state;
    static const struct row rows[] = {
        {HOST, CG_ORIGIN_HERE},                          /* no browser */
        {HOST "Sec-Fetch-Mode: cors\n", CG_ORIGIN_HERE}, /* nor is node's fetch */
        {HOST "Sec-Fetch-Site: none\n", CG_ORIGIN_HERE},
        {HOST "Sec-Fetch-Site: same-origin\n", CG_ORIGIN_HERE},
        {HOST "Origin: http://gw.example:8080\n", CG_ORIGIN_HERE},
        {HOST "Origin: http://gw.example:8080\nSec-Fetch-Site: same-origin\n", CG_ORIGIN_HERE},
        {"Host: gw.example\nOrigin: http://gw.example\n", CG_ORIGIN_HERE},
        {"Host: gw.example:80\nOrigin: http://gw.example\n", CG_ORIGIN_HERE},
        {"Host: GW.example\nOrigin: http://gw.example\n", CG_ORIGIN_HERE},
        {"Host: [::1]:8080\nOrigin: http://[::1]:8080\n", CG_ORIGIN_HERE},
        {"", CG_ORIGIN_HERE}, /* HTTP/1.0 */
        /* TLS ends before us, and the browser says that it is the same origin. */
        {"Host: gw.example\nOrigin: https://gw.example\nSec-Fetch-Site: same-origin\n", CG_ORIGIN_HERE},
    };
    CHECK(rows, NULL);
}

static void test_who_is_not(void **state) {
    (void)state;
    static const struct row rows[] = {
        {HOST "Sec-Fetch-Site: cross-site\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Sec-Fetch-Site: same-site\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Sec-Fetch-Site: something-new\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Sec-Fetch-Site:\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Sec-Fetch-Site: same-origin\nSec-Fetch-Site: cross-site\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Sec-Fetch-Site: same-origin, cross-site\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Sec-Fetch-Site: Same-Origin\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: http://evil.example\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: http://evil.example\nSec-Fetch-Site: same-origin\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: http://gw.example:8080\nSec-Fetch-Site: cross-site\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: http://gw.example:8081\n", CG_ORIGIN_ELSEWHERE}, /* another program on the same host */
        {HOST "Origin: http://gw.example\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: https://gw.example:8080\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: http://gw.example:8080.evil.example\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: http://evil.example/http://gw.example:8080\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: http://gw.example:8080@evil.example\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: null\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: null\nSec-Fetch-Site: same-origin\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin:\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: gw.example:8080\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: ://gw.example:8080\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: ftp://gw.example:8080\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: http://gw.example:8080\nOrigin: http://gw.example:8080\n", CG_ORIGIN_ELSEWHERE},
        {"Origin: http://gw.example:8080\n", CG_ORIGIN_ELSEWHERE},
    };
    CHECK(rows, NULL);
}

static void test_the_scheme_is_part_of_it(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"Host: gw.example\nOrigin: https://gw.example\n", CG_ORIGIN_HERE},
        {"Host: gw.example:443\nOrigin: https://gw.example\n", CG_ORIGIN_HERE},
        {"Host: gw.example\nOrigin: http://gw.example\n", CG_ORIGIN_ELSEWHERE}, /* what anybody in between can write */
    };
    CHECK(rows, "cert.pem");
}

static void test_who_is_named(void **state) {
    (void)state;
    static const struct row rows[] = {
        {HOST "Origin: https://dash.example\n", CG_ORIGIN_ALLOWED},
        {HOST "Origin: https://dash.example\nSec-Fetch-Site: cross-site\n", CG_ORIGIN_ALLOWED},
        {HOST "Origin: http://192.0.2.7:8123\nSec-Fetch-Site: same-site\n", CG_ORIGIN_ALLOWED},
        {HOST "Origin: chrome-extension://abcdef\n", CG_ORIGIN_ALLOWED},
        {HOST "Origin: https://dash.example:443\n", CG_ORIGIN_ELSEWHERE}, /* no browser writes that */
        {HOST "Origin: http://dash.example\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: https://dash.example/\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: https://dash.example.evil.example\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: https://evil-dash.example\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: https://dash.example\nOrigin: https://evil.example\n", CG_ORIGIN_ELSEWHERE},
        {HOST "Origin: https://dash.example, https://evil.example\n", CG_ORIGIN_ELSEWHERE},
    };
    CHECK(rows, NULL);
}

static void test_what_to_set_is_said(void **state) {
    (void)state;
    struct cg_problem problem = {0};
    struct sent sent;
    take(&sent, "GET", "Origin: https://other.example\n");
    assert_int_equal(cg_http_refuse_origin(&sent.message, &problem), CG_E_ORIGIN);
    assert_non_null(strstr(problem.detail, "\"https://other.example\""));
    assert_non_null(strstr(problem.detail, "\"origins\""));
    assert_int_equal(cg_err_info(CG_E_ORIGIN)->http_status, 403);
    static const char *const hidden[] = {"Sec-Fetch-Site: cross-site\n", "Origin: null\n"};
    for (size_t i = 0; i < 2; i++) {
        take(&sent, "GET", hidden[i]);
        assert_int_equal(cg_http_refuse_origin(&sent.message, &problem), CG_E_ORIGIN);
        assert_non_null(strstr(problem.detail, "\"origins\""));
        assert_null(strstr(problem.detail, "\"null\""));
    }
}

static void test_what_navigates(void **state) {
    (void)state;
    struct sent sent;
    take(&sent, "GET", "Sec-Fetch-Mode: navigate\n");
    assert_true(cg_http_is_navigation(&sent.message));
    take(&sent, "HEAD", "Sec-Fetch-Mode: navigate\n");
    assert_true(cg_http_is_navigation(&sent.message));
    take(&sent, "POST", "Sec-Fetch-Mode: navigate\n"); /* a form */
    assert_false(cg_http_is_navigation(&sent.message));
    take(&sent, "GET", "Sec-Fetch-Mode: no-cors\n");
    assert_false(cg_http_is_navigation(&sent.message));
    take(&sent, "GET", "");
    assert_false(cg_http_is_navigation(&sent.message));
}

static void test_what_is_a_preflight(void **state) {
    (void)state;
    struct sent sent;
    take(&sent, "OPTIONS", "Access-Control-Request-Method: PUT\n");
    assert_true(cg_http_is_preflight(&sent.message));
    take(&sent, "OPTIONS", "");
    assert_false(cg_http_is_preflight(&sent.message));
    take(&sent, "GET", "Access-Control-Request-Method: PUT\n");
    assert_false(cg_http_is_preflight(&sent.message));
}

/* ---- The page ---- */

static void check_link(const char *target, const char *link) {
    struct cg_buf page;
    cg_buf_init(&page, 0);
    cg_navigation_page(&page, "lights", cg_slice_str(target));
    cg_buf_put_u8(&page, 0);
    assert_false(page.failed);
    const char *text = (const char *)page.data;
    assert_non_null(strstr(text, "<h1>lights</h1>"));
    if (strstr(text, link) == NULL) fail_msg("no %s in %s", link, text);
    const char *only = strstr(text, "href=");
    assert_null(strstr(only + 1, "href="));
    cg_buf_fini(&page);
}

static void test_the_page_leads_to_the_request(void **state) {
    (void)state;
    check_link("/lights/status?a=b&c=%22", "<a href=\"/lights/status?a=b&amp;c=%22\">");
    check_link("//evil.example/lights", "<a href=\"/.//evil.example/lights\">");
    check_link("http://gw.example:8080/lights", "<a href=\"http://gw.example:8080/lights\">");
    check_link("/'\"><script>", "<a href=\"/&#39;&quot;&gt;&lt;script&gt;\">");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_from_here),         cmocka_unit_test(test_who_is_not),
        cmocka_unit_test(test_the_scheme_is_part_of_it), cmocka_unit_test(test_who_is_named),
        cmocka_unit_test(test_what_to_set_is_said),      cmocka_unit_test(test_what_navigates),
        cmocka_unit_test(test_what_is_a_preflight),      cmocka_unit_test(test_the_page_leads_to_the_request),
    };
    return cmocka_run_group_tests_name("fronts/origin", tests, NULL, NULL);
}
