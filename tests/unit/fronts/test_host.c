/* Host: whose names are taken, so that no name of somebody else's leads here (DNS rebinding). */
#include "fake_conversion.h"

static void test_host_refused(void **state) {
    (void)state;
    static const struct refusal rows[] = {
        {"GET", "/", "", "", CG_E_BAD_REQUEST, "no Host"},
        {"GET", "/", HOST HOST, "", CG_E_BAD_REQUEST, "more than once"},
        {"GET", "/", HOST "host: 127.0.0.1:8080\n", "", CG_E_BAD_REQUEST, "more than once"},
        {"GET", "/", "Host:\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: \n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: :8080\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: a b\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: user@localhost\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: localhost/\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: localhost, localhost\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: localhost:65536\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: localhost:80 80\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: localhost:-1\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: [::1\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: []\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: [\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: [127.0.0.1]:8080\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: [::1]x\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: \xc3\xa4.example\n", "", CG_E_BAD_REQUEST, "malformed"},
        {"GET", "/", "Host: evil.example\n", "", CG_E_MISDIRECTED, "evil.example"},
        {"GET", "/", "Host: localhost.evil.example:8080\n", "", CG_E_MISDIRECTED, "hosts"},
        {"GET", "/", "Host: evil.localhost\n", "", CG_E_MISDIRECTED, "hosts"},
        {"GET", "/", "Host: 127.0.0.2:8080\n", "", CG_E_MISDIRECTED, "hosts"},
        {"GET", "/", "Host: 127.0.0.1:8081\n", "", CG_E_MISDIRECTED, "hosts"},
        {"GET", "/", "Host: 127.1:8080\n", "", CG_E_MISDIRECTED, "hosts"},
        {"GET", "/", "Host: localhost:443\n", "", CG_E_MISDIRECTED, "hosts"},
        {"GET", "/", "Host: localhost..\n", "", CG_E_MISDIRECTED, "hosts"},
        {"GET", "/", "Host: .\n", "", CG_E_MISDIRECTED, "hosts"},
        {"GET", "/", "Host: other.example:80\n", "", CG_E_MISDIRECTED, "hosts"},
        {"GET", "/", "Host: [::1]:8080\n", "", CG_E_MISDIRECTED, "hosts"},
        {"GET", "/", "Host: other.example\n", "", CG_E_MISDIRECTED, "hosts"},
        {"GET", "/", "Host: other.example:9001\n", "", CG_E_MISDIRECTED, "hosts"},
    };
    CHECK_REFUSALS(rows);
}

static void test_host_accepted(void **state) {
    (void)state;
    static const struct {
        const char *listen, *fields, *host;
    } rows[] = {
        {"127.0.0.1:8080", "Host: 127.0.0.1:8080\n", "127.0.0.1"},
        {"127.0.0.1:8080", "hOST:\t127.0.0.1 \t\n", "127.0.0.1"},
        {"127.0.0.1:8080", "Host: 127.0.0.1:\n", "127.0.0.1"},
        {"127.0.0.1:8080", "Host: LocalHost:8080\n", "localhost"},
        {"127.0.0.1:8080", "Host: localhost\n", "localhost"},
        {"127.0.0.1:8080", "Host: localhost:80\n", "localhost"},
        {"127.0.0.1:8080", "Host: localhost.\n", "localhost"},
        {"127.0.0.1:8080", "Host: Localhost.:8080\n", "localhost"},
        {"127.0.0.1:8080", "Host: gw.example.\n", "gw.example"},
        {"127.0.0.1:8080", "Host: other.example.:9000\n", "other.example"},
        {"127.0.0.1:8080", "Host: [2001:db8::1]\n", "[2001:db8::1]"}, /* an entry with the default port */
        {"127.0.0.1:8080", "Host: GW.example\n", "gw.example"},
        {"127.0.0.1:8080", "Host: gw.example:1234\n", "gw.example"},
        {"127.0.0.1:8080", "Host: other.example:9000\n", "other.example"},
        {"[::1]:8080", "Host: [::1]:8080\n", "[::1]"},
        {"[::1]:8080", "Host: [0:0:0:0:0:0:0:1]\n", "[0:0:0:0:0:0:0:1]"},
        {"[::1]:8080", "Host: [2001:DB8::1]:80\n", "[2001:db8::1]"},
        {"0.0.0.0:8080", "Host: 192.0.2.7:8080\n", "192.0.2.7"},
        {"[::]:8080", "Host: [2001:db8::7]:8080\n", "[2001:db8::7]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        set_up(&f);
        assert_int_equal(cg_addr_parse(&f.listen.addr, cg_slice_str(rows[i].listen), 0), CG_OK);
        split_fields(&f, rows[i].fields);
        int err = convert(&f, cg_slice_str("GET"), cg_slice_str("/"), CG_SLICE_NONE);
        if (err < 0) fail_msg("row %zu: %s", i, f.problem.detail);
        assert_slice(f.request.host, rows[i].host);
        tear_down(&f);
    }
}

static void test_wildcard_listener_still_refuses_names(void **state) {
    (void)state;
    struct conversion f;
    set_up(&f);
    assert_int_equal(cg_addr_parse(&f.listen.addr, cg_slice_str("0.0.0.0:8080"), 0), CG_OK);
    split_fields(&f, "Host: rebound.example:8080\n");
    assert_int_equal(convert(&f, cg_slice_str("GET"), cg_slice_str("/"), CG_SLICE_NONE), CG_E_MISDIRECTED);
    tear_down(&f);
}

/* Probes of load balancers send HTTP/1.0, which knew no Host. */
static void test_http_1_0_may_lack_it(void **state) {
    (void)state;
    struct conversion f;
    set_up(&f);
    f.is_http_1_0 = true;
    int err = convert(&f, cg_slice_str("GET"), cg_slice_str("/"), CG_SLICE_NONE);
    if (err < 0) fail_msg("%s", f.problem.detail);
    assert_int_equal(f.request.host.len, 0);
    tear_down(&f);
    set_up(&f);
    f.is_http_1_0 = true;
    split_fields(&f, "Host: evil.example\n");
    assert_int_equal(convert(&f, cg_slice_str("GET"), cg_slice_str("/"), CG_SLICE_NONE), CG_E_MISDIRECTED);
    tear_down(&f);
}

static void test_https_has_another_default_port(void **state) {
    (void)state;
    struct conversion f;
    set_up(&f);
    f.config.http.tls.certificate = "certificate.pem";
    split_fields(&f, "Host: localhost:443\n");
    assert_int_equal(convert(&f, cg_slice_str("GET"), cg_slice_str("/"), CG_SLICE_NONE), CG_OK);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_refused),
        cmocka_unit_test(test_host_accepted),
        cmocka_unit_test(test_wildcard_listener_still_refuses_names),
        cmocka_unit_test(test_http_1_0_may_lack_it),
        cmocka_unit_test(test_https_has_another_default_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
