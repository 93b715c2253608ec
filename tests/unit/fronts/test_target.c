/* Request targets: origin-form, absolute-form, a group's URI behind /hc/, discovery; and what is none of them. */
#include "fake_conversion.h"

static void test_target_refused(void **state) {
    (void)state;
    static const struct refusal rows[] = {
        {"GET", "", HOST, "", CG_E_BAD_URI, "empty"},
        {"GET", "*", HOST, "", CG_E_BAD_URI, "OPTIONS"},
        {"GET", "a/b", HOST, "", CG_E_BAD_URI, "must begin with '/'"},
        {"GET", "127.0.0.1:8080", HOST, "", CG_E_BAD_URI, "must begin with '/'"},
        {"GET", "coap://224.0.1.187/", HOST, "", CG_E_BAD_URI, "/hc/"},
        {"GET", "ftp://127.0.0.1:8080/", HOST, "", CG_E_BAD_URI, "must begin with '/'"},
        {"GET", "/a%", HOST, "", CG_E_BAD_URI, "'%'"},
        {"GET", "/a%2", HOST, "", CG_E_BAD_URI, "'%'"},
        {"GET", "/a%zz", HOST, "", CG_E_BAD_URI, "'%'"},
        {"GET", "/a%%20", HOST, "", CG_E_BAD_URI, "'%'"},
        {"GET", "/a%2g", HOST, "", CG_E_BAD_URI, "'%'"},
        {"GET", "/a?b=%", HOST, "", CG_E_BAD_URI, "'%'"},
        {"GET", "/a%u0041", HOST, "", CG_E_BAD_URI, "'%'"},
        {"GET", "/a%00", HOST, "", CG_E_BAD_URI, "%00"},
        {"GET", "/a?q=%00", HOST, "", CG_E_BAD_URI, "%00"},
        {"GET", "/.", HOST, "", CG_E_BAD_URI, "dot segment"},
        {"GET", "/..", HOST, "", CG_E_BAD_URI, "dot segment"},
        {"GET", "/a/../b", HOST, "", CG_E_BAD_URI, "dot segment"},
        {"GET", "/a/./b", HOST, "", CG_E_BAD_URI, "dot segment"},
        {"GET", "/a/%2e%2E/b", HOST, "", CG_E_BAD_URI, "dot segment"},
        {"GET", "/a/.%2e", HOST, "", CG_E_BAD_URI, "dot segment"},
        {"GET", "/%2e/", HOST, "", CG_E_BAD_URI, "dot segment"},
        {"GET", "/../", HOST, "", CG_E_BAD_URI, "dot segment"},
        {"GET", "//..", HOST, "", CG_E_BAD_URI, "dot segment"},
        {"GET", "/hc/coap://224.0.1.187/a/../b", HOST, "", CG_E_BAD_URI, "dot segment"},
        {"GET", "http://127.0.0.1:8080/../x", HOST, "", CG_E_BAD_URI, "dot segment"},
        {"GET", "/a b", HOST, "", CG_E_BAD_URI, "space"},
        {"GET", "/a\tb", HOST, "", CG_E_BAD_URI, "control"},
        {"GET", "/a\rb", HOST, "", CG_E_BAD_URI, "control"},
        {"GET", "/a\nX: y", HOST, "", CG_E_BAD_URI, "control"},
        {"GET", "/a\x01", HOST, "", CG_E_BAD_URI, "control"},
        {"GET", "/a\x7f", HOST, "", CG_E_BAD_URI, "control"},
        {"GET", "/\xc3\xa4", HOST, "", CG_E_BAD_URI, "ASCII"},
        {"GET", "/?\xff", HOST, "", CG_E_BAD_URI, "ASCII"},
        {"GET", "/a#b", HOST, "", CG_E_BAD_URI, "fragment"},
        {"GET", "/a?b#c", HOST, "", CG_E_BAD_URI, "fragment"},
        {"GET", "/a\\b", HOST, "", CG_E_BAD_URI, "backslash"},
        {"GET", "/..\\..\\b", HOST, "", CG_E_BAD_URI, "backslash"},
        {"GET", "/a<b", HOST, "", CG_E_BAD_URI, "must be percent-encoded"},
        {"GET", "/a\"b", HOST, "", CG_E_BAD_URI, "must be percent-encoded"},
        {"GET", "/lamps?a[]=1", HOST, "", CG_E_BAD_URI,
         "a bracket ('[') at position 9, which must be percent-encoded: "
         "write %5B"},
        {"GET", "/a]", HOST, "", CG_E_BAD_URI,
         "a bracket (']') at position 3, which must be percent-encoded: write %5D"},
        {"GET", "http://127.0.0.1:8080/a[", HOST, "", CG_E_BAD_URI, "at position 24"},
        {"GET", "/\xc3\xa4", HOST, "", CG_E_BAD_URI, "ASCII at position 2, which must be percent-encoded: write %C3"},
        {"GET", "/a b", HOST, "", CG_E_BAD_URI, "a space at position 3, which must be percent-encoded: write %20"},
        {"GET", "/a?b={c}", HOST, "", CG_E_BAD_URI, "must be percent-encoded"},
        {"GET", "/a|b", HOST, "", CG_E_BAD_URI, "must be percent-encoded"},
        {"GET", "http://evil.example/", HOST, "", CG_E_BAD_REQUEST, "another host"},
        {"GET", "http://127.0.0.1/", HOST, "", CG_E_BAD_REQUEST, "another host"},
        {"GET", "http://u@127.0.0.1:8080/", HOST, "", CG_E_BAD_REQUEST, "another host"},
        {"GET", "http://", HOST, "", CG_E_BAD_REQUEST, "another host"},
        {"GET", "http:///a", HOST, "", CG_E_BAD_REQUEST, "another host"},
    };
    CHECK_REFUSALS(rows);
}

static void test_target_with_nul(void **state) {
    (void)state;
    struct conversion f;
    set_up(&f);
    split_fields(&f, HOST);
    assert_int_equal(convert(&f, cg_slice_str("GET"), cg_slice_of("/a\0b", 4), CG_SLICE_NONE), CG_E_BAD_URI);
    tear_down(&f);
}

static void test_target_length(void **state) {
    (void)state;
    for (size_t len = 8191; len <= 8193; len++) {
        char *target = malloc(len + 1);
        assert_non_null(target);
        memset(target, 'a', len);
        target[0] = '/';
        target[len] = '\0';
        struct conversion f;
        int err = from(&f, "GET", target, HOST, "");
        assert_int_equal(err, len <= 8192 ? CG_OK : CG_E_URI_TOO_LONG);
        if (err == CG_OK) assert_slice(f.request.path, target);
        tear_down(&f);
        free(target);
    }
}

static void test_target_accepted(void **state) {
    (void)state;
    static const struct {
        const char *target, *path, *query;
    } rows[] = {
        {"/", "/", ""},
        {"/floor3", "/floor3", ""},
        {"/floor3/light?on=1&x", "/floor3/light", "on=1&x"},
        {"/a?", "/a", ""},
        {"/a??b", "/a", "?b"},
        {"/a%2Fb%2fc", "/a%2Fb%2Fc", ""},
        {"/%7Euser/%61", "/~user/a", ""},
        {"/a%20b?c=%20d", "/a%20b", "c=%20d"},
        {"/a/...", "/a/...", ""},
        {"/a/..b/.c", "/a/..b/.c", ""},
        {"/a//b/", "/a//b/", ""},
        {"//a", "//a", ""},
        {"/%5c", "/%5C", ""},
        {"/a?../..", "/a", "../.."},
        {"/hcx/?target_uri=coap://224.0.1.187/a", "/hcx/", "target_uri=coap://224.0.1.187/a"},
        {"/x/hc/coap://224.0.1.187:5683/a", "/x/hc/coap://224.0.1.187:5683/a", ""},
        {"http://127.0.0.1:8080/x?y", "/x", "y"},
        {"HTTP://127.0.0.1:8080", "/", ""},
        {"https://127.0.0.1:8080?y", "/", "y"},
        {"/a;b=c:d@e!$&'()*+,=", "/a;b=c:d@e!$&'()*+,=", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        int err = from(&f, "GET", rows[i].target, HOST, "");
        if (err < 0) fail_msg("%s: %s", rows[i].target, f.problem.detail);
        assert_slice(f.request.path, rows[i].path);
        assert_slice(f.request.query, rows[i].query);
        assert_false(f.request.forward || f.request.discovery);
        tear_down(&f);
    }
}

static void test_target_uri_accepted(void **state) {
    (void)state;
    static const struct {
        const char *uri, *path, *query;
    } rows[] = {
        {GROUP, GROUP "/", NULL},
        {GROUP "/", GROUP "/", NULL},
        {GROUP ":5683/light", GROUP "/light", NULL},
        {GROUP ":/light", GROUP "/light", NULL},
        {"COAP://224.0.1.187:9999/%6cight%2fx", GROUP ":9999/light%2Fx", NULL},
        {GROUP "/light?on=1&off=%262", GROUP "/light", "on=1&off=%262"},
        {GROUP "?x", GROUP "/", "x"},
        {GROUP "/?", GROUP "/", ""},
        {GROUP "/a?b=coap://224.0.1.188/?c", GROUP "/a", "b=coap://224.0.1.188/?c"},
        {"coap://[ff35:30::1]/a", "coap://[ff35:30::1]/a", NULL},
        {"coap://%5Bff35:30::1%5D/a", "coap://[ff35:30::1]/a", NULL},
        {"coap://%5bFF35:30:0::1%5d:5683/a", "coap://[ff35:30::1]/a", NULL},
        {"coap://%5Bff35:30::1%5D", "coap://[ff35:30::1]/", NULL},
        {"coap://%5Bff35:30::1%5D/a%5B%5D?b=%5B%5D", "coap://[ff35:30::1]/a%5B%5D", "b=%5B%5D"},
        {"coap://%5Bff02::fd%25eth1%5D/", "coap://[ff02::fd%25eth1]/", NULL},
        {"coap://lights.example/a", "coap://lights.example/a", NULL},
        {"coap://127.1.0.3:5683/a", "coap://127.1.0.3/a", NULL},
        {"coap://%5Bfe80::3%25eth1%5D:61616/a?b", "coap://[fe80::3%25eth1]:61616/a", "b"},
        {GROUP "//a//b/", GROUP "//a//b/", NULL},
        {GROUP "/a/..b/...", GROUP "/a/..b/...", NULL},
    };
    static const char *const fronts[] = {"/hc/?target_uri=", "/hc/", "http://127.0.0.1:8080/hc/"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t form = 0; form < sizeof fronts / sizeof fronts[0]; form++) {
            struct conversion f;
            char target[200];
            snprintf(target, sizeof target, "%s%s", fronts[form], rows[i].uri);
            int err = from(&f, "GET", target, HOST, "");
            if (err < 0) fail_msg("%s: %s", target, f.problem.detail);
            assert_true(f.request.forward && !f.request.discovery);
            assert_slice(f.request.path, rows[i].path);
            if (rows[i].query == NULL) assert_null(f.request.query.data);
            if (rows[i].query != NULL) assert_slice(f.request.query, rows[i].query);
            tear_down(&f);
        }
    }
}

static void test_target_uri_refused(void **state) {
    (void)state;
    static const struct refusal rows[] = {
        {"GET", "/hc", HOST, "", CG_E_BAD_URI, "/hc/?target_uri=URI"},
        {"GET", "/hc/", HOST, "", CG_E_BAD_URI, "/hc/?target_uri=URI"},
        {"GET", "/hc?target_uri=" GROUP, HOST, "", CG_E_BAD_URI, "/hc/?target_uri=URI"},
        {"GET", "/hc/?", HOST, "", CG_E_BAD_URI, "/hc/?target_uri=URI"},
        {"GET", "/hc/?target_uri=", HOST, "", CG_E_BAD_URI, "/hc/?target_uri=URI"},
        {"GET", "/hc/?uri=" GROUP, HOST, "", CG_E_BAD_URI, "/hc/?target_uri=URI"},
        {"GET", "/hc/?x=1&target_uri=" GROUP, HOST, "", CG_E_BAD_URI, "/hc/?target_uri=URI"},
        {"GET", "/hc/?target_uri=224.0.1.187/a", HOST, "", CG_E_BAD_URI, "scheme"}, /* RFC 8075 §5.3.1 */
        {"GET", "/hc/224.0.1.187/a", HOST, "", CG_E_BAD_URI, "scheme"},
        {"GET", "/hc/?target_uri=coap%3A%2F%2F224.0.1.187%2F", HOST, "", CG_E_BAD_URI, "as it is"},
        {"GET", "/hc/http://224.0.1.187/", HOST, "", CG_E_BAD_URI, "scheme"},
        {"GET", "/hc/coap:/224.0.1.187/", HOST, "", CG_E_BAD_URI, "authority"},
        {"GET", "/hc/coap:", HOST, "", CG_E_BAD_URI, "authority"},
        {"GET", "/hc/coap://", HOST, "", CG_E_BAD_URI, "host"},
        {"GET", "/hc/coap://u@224.0.1.187/", HOST, "", CG_E_BAD_URI, "user"},
        {"GET", "/hc/coap://%5Bff35::1/", HOST, "", CG_E_BAD_URI, "bracket"},
        {"GET", "/hc/coap://%5Bff35::1%5", HOST, "", CG_E_BAD_URI, "'%'"},
        {"GET", "/hc/coap://%5B", HOST, "", CG_E_BAD_URI, "bracket"},
        {"GET", "/hc/coap://%5Bff35::1%5Dx/", HOST, "", CG_E_BAD_URI, "port"},
        {"GET", "/hc/coap://0xe00001bb/", HOST, "", CG_E_BAD_URI, "address"},
        {"GET", "/hc/coap://224.0.1.187:0/", HOST, "", CG_E_BAD_URI, "port"},
        {"GET", "/hc/" GROUP "/a/../b", HOST, "", CG_E_BAD_URI, "dot segment"},
        {"GET", "/hc/?target_uri=" GROUP "/%2e%2E/b", HOST, "", CG_E_BAD_URI, "dot segment"},
        {"GET", "/hc/" GROUP "/a[b]", HOST, "", CG_E_BAD_URI,
         "a bracket ('[') at position 25, which must be "
         "percent-encoded: write %5B"},
        {"GET", "/hc/?target_uri=" GROUP "/a?b]", HOST, "", CG_E_BAD_URI, "write %5D"},
        {"GET", "/hc/coap://127.0.0.1:5684/", HOST, "", CG_E_PROXYING, "5684"},
        {"GET", "/hc/coaps://224.0.1.187/", HOST, "", CG_E_PROXYING, "DTLS"}, /* R2 */
        {"GET", "/hc/coap://224.0.1.187:5684/", HOST, "", CG_E_PROXYING, "5684"},
        {"GET", "/hc/coap+tcp://224.0.1.187/", HOST, "", CG_E_PROXYING, "UDP"}, /* R43 */
        {"GET", "/hc/coaps+ws://224.0.1.187/", HOST, "", CG_E_PROXYING, "UDP"},
    };
    CHECK_REFUSALS(rows);
    assert_int_equal(cg_err_info(CG_E_PROXYING)->http_status, 502);
    assert_int_equal(cg_err_info(CG_E_FORBIDDEN)->http_status, 403);
}

static void test_discovery(void **state) {
    (void)state;
    static const char *const targets[] = {"/.well-known/core", "/.well-known/core?rt=core.hc", "/%2ewell-known/cor%65",
                                          "http://127.0.0.1:8080/.well-known/core"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct conversion f;
        assert_int_equal(from(&f, i % 2 == 0 ? "GET" : "HEAD", targets[i], HOST, ""), CG_OK);
        assert_true(f.request.discovery && !f.request.forward);
        tear_down(&f);
    }
    static const char *const others[] = {"/.well-known/core/", "/.well-known/corex", "/a/.well-known/core"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct conversion f;
        assert_int_equal(from(&f, "PUT", others[i], HOST, "x"), CG_OK);
        assert_false(f.request.discovery);
        tear_down(&f);
    }
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        struct conversion f;
        assert_int_equal(from(&f, methods[i], "/.well-known/core", HOST, ""), CG_E_METHOD);
        assert_int_equal(f.problem.allow, CG_METHOD_BIT(CG_GET));
        tear_down(&f);
    }
}

/* What makes no difference in Host makes none beside it. */
static void test_absolute_targets_name_the_host(void **state) {
    (void)state;
    static const struct {
        const char *target, *fields;
    } rows[] = {{"http://localhost:80/x", "Host: localhost\n"},
                {"http://localhost/x", "Host: localhost:80\n"},
                {"http://localhost./x", "Host: LOCALHOST\n"},
                {"http://localhost:/x", "Host: localhost\n"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        int err = from(&f, "GET", rows[i].target, rows[i].fields, "");
        if (err < 0) fail_msg("%s: %s", rows[i].target, f.problem.detail);
        assert_slice(f.request.path, "/x");
        tear_down(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_target_refused),      cmocka_unit_test(test_target_with_nul),
        cmocka_unit_test(test_target_length),       cmocka_unit_test(test_target_accepted),
        cmocka_unit_test(test_target_uri_accepted), cmocka_unit_test(test_target_uri_refused),
        cmocka_unit_test(test_discovery),           cmocka_unit_test(test_absolute_targets_name_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
