/* Addresses: what is read, what is refused, and that text and address agree both ways. */
#include "wire/addr.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define DEFAULT_PORT 5683

static struct cg_addr parsed(const char *text) {
    struct cg_addr addr;
    if (cg_addr_parse(&addr, cg_slice_str(text), DEFAULT_PORT) != CG_OK) fail_msg("refused: %s", text);
    return addr;
}

/* Parse, emit: the text that must come out. */
static void good_texts(void **state) {
    (void)state;
    static const struct {
        const char *text, *emitted;
    } cases[] = {
        {"1.2.3.4", "1.2.3.4:5683"},
        {"1.2.3.4:5", "1.2.3.4:5"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"2001:db8::1", "[2001:db8::1]:5683"},
        {"[2001:db8::1]", "[2001:db8::1]:5683"},
        {"[2001:db8::1]:5", "[2001:db8::1]:5"},
        {"[::]:80", "[::]:80"},
        {"::1", "[::1]:5683"},
        {"[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]:5683"},
        {"[2001:db8:0:0:1:0:0:1]", "[2001:db8::1:0:0:1]:5683"},
        {"[2001:db8:0:1:1:1:1:1]", "[2001:db8:0:1:1:1:1:1]:5683"},
        {"[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7:0]:5683"},
        {"[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1"},
        {"fe80::1%2", "[fe80::1%2]:5683"},
        {"[ff02::fd%4294967295]:61616", "[ff02::fd%4294967295]:61616"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cg_addr addr = parsed(cases[i].text), again;
        char text[CG_ADDR_TEXT_MAX];
        size_t len = cg_addr_emit(&addr, text);
        assert_string_equal(text, cases[i].emitted);
        assert_int_equal(len, strlen(text));
        assert_int_equal(cg_addr_parse(&again, cg_slice_of(text, len), 1), CG_OK);
        assert_true(cg_addr_equal(&addr, &again));
    }
}

static void bad_texts(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        ":",
        "::1:",
        ":5683",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "0x7f.0.0.1",
        "2130706433",
        "127.1",
        " 1.2.3.4",
        "1.2.3.4 ",
        "1.2.3.4:",
        "1.2.3.4:x",
        "1.2.3.4:-1",
        "1.2.3.4:+1",
        "1.2.3.4: 1",
        "1.2.3.4:65536",
        "1.2.3.4:99999999999999999999",
        "1.2.3.4%1",
        "[1.2.3.4]",
        "[1.2.3.4]:5",
        "[::1",
        "::1]",
        "[]",
        "[]:5",
        "[::1]5",
        "[::1]:",
        "[::1]:65536",
        "[[::1]]",
        "1::2::3",
        ":::",
        "12345::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "::g",
        "fe80::1%",
        "fe80::1%0",
        "fe80::1%eth0",
        "fe80::1%252x",
        "fe80::1%4294967296",
        "[fe80::1%1]%1",
        "localhost",
        "lo:5683",
        "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255:1",
        "0000:0000:0000:0000:0000:0000:000000000000000000000000000000000000000000001",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cg_addr addr = {.family = CG_FAMILY_IPV4};
        if (cg_addr_parse(&addr, cg_slice_str(cases[i]), DEFAULT_PORT) != CG_E_FORMAT)
            fail_msg("accepted: %s", cases[i]);
        assert_true(cg_addr_equal(&addr, &(struct cg_addr){0}));
    }
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, CG_SLICE_NONE, 1), CG_E_FORMAT);
    assert_int_equal(cg_addr_parse(&addr, cg_slice_of("1.2.3.4\0", 8), 1), CG_E_FORMAT);
    assert_int_equal(cg_addr_parse(&addr, cg_slice_of("1.2.3.4\0.5", 10), 1), CG_E_FORMAT);
    assert_int_equal(cg_addr_parse(&addr, cg_slice_of("::1\0", 4), 1), CG_E_FORMAT);
    assert_int_equal(cg_addr_parse(&addr, cg_slice_of("[::1\0]:5", 8), 1), CG_E_FORMAT);
}

static void only_the_ip(void **state) {
    (void)state;
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse_ip(&addr, cg_slice_str("224.0.1.187")), CG_OK);
    assert_int_equal(addr.family, CG_FAMILY_IPV4);
    assert_int_equal(addr.port, 0);
    assert_int_equal(cg_addr_ip(&addr).len, 4);
    assert_memory_equal(cg_addr_ip(&addr).data, "\xe0\x00\x01\xbb", 4);
    assert_int_equal(cg_addr_parse_ip(&addr, cg_slice_str("ff02::fd")), CG_OK);
    assert_int_equal(cg_addr_ip(&addr).len, 16);
    char text[CG_ADDR_TEXT_MAX];
    assert_int_equal(cg_addr_emit_ip(&addr, text), 8);
    assert_string_equal(text, "ff02::fd");
    assert_int_equal(cg_addr_parse_ip(&addr, cg_slice_str("[::1]")), CG_E_FORMAT);
    assert_int_equal(cg_addr_parse_ip(&addr, cg_slice_str("1.2.3.4:5")), CG_E_FORMAT);
    assert_int_equal(cg_addr_parse_ip(&addr, cg_slice_str("fe80::1%1")), CG_E_FORMAT);
    assert_int_equal(cg_addr_parse_ip(&addr, CG_SLICE_NONE), CG_E_FORMAT);
}

static void no_address_has_no_text(void **state) {
    (void)state;
    struct cg_addr none = {0};
    char text[CG_ADDR_TEXT_MAX] = "x";
    assert_int_equal(cg_addr_emit_ip(&none, text), 0);
    assert_string_equal(text, "");
    assert_int_equal(cg_addr_ip(&none).len, 0);
    assert_false(cg_addr_is_multicast(&none) || cg_addr_is_loopback(&none));
}

static void longest_text_fits(void **state) {
    (void)state;
    struct cg_addr addr = {.family = CG_FAMILY_IPV6, .port = 65535, .scope = UINT32_MAX};
    char text[CG_ADDR_TEXT_MAX];
    memset(addr.ip, 0xff, sizeof addr.ip);
    size_t len = cg_addr_emit(&addr, text);
    assert_int_equal(len, strlen(text));
    assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

static void kinds(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool multicast, loopback;
    } cases[] = {
        {"223.255.255.255", false, false},
        {"224.0.0.0", true, false},
        {"239.255.255.255", true, false},
        {"240.0.0.0", false, false},
        {"127.0.0.1", false, true},
        {"127.255.255.255", false, true},
        {"128.0.0.1", false, false},
        {"ff02::1", true, false},
        {"fe80::1", false, false},
        {"::1", false, true},
        {"::2", false, false},
        {"::", false, false},
        {"::ffff:127.0.0.9", false, true},
        {"::ffff:10.0.0.1", false, false},
        {"::ffff:224.0.1.187", false, false}, /* a dual-stack socket would emit IPv4: no group address */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cg_addr addr = parsed(cases[i].text);
        assert_int_equal(cg_addr_is_multicast(&addr), cases[i].multicast);
        assert_int_equal(cg_addr_is_loopback(&addr), cases[i].loopback);
    }
}

static void link_local_addresses(void **state) {
    (void)state;
    static const char *const are[] = {"fe80::", "fe80::1", "fe80::1%2", "febf:ffff::1"};
    static const char *const are_not[] = {"fe7f::1", "fec0::1",     "ff02::1",    "::1",
                                          "fd00::1", "169.254.0.1", "254.128.0.1"};
    for (size_t i = 0; i < sizeof are / sizeof *are; i++) {
        struct cg_addr addr = parsed(are[i]);
        assert_true(cg_addr_is_link_local(&addr));
    }
    for (size_t i = 0; i < sizeof are_not / sizeof *are_not; i++) {
        struct cg_addr addr = parsed(are_not[i]);
        assert_false(cg_addr_is_link_local(&addr));
    }
    assert_false(cg_addr_is_link_local(&(struct cg_addr){0}));
}

static void unspecified_addresses(void **state) {
    (void)state;
    struct cg_addr ipv4 = parsed("0.0.0.0:5683"), ipv6 = parsed("[::]:5683"), one = parsed("::1"),
                   low = parsed("0.0.0.1");
    assert_true(cg_addr_is_unspecified(&ipv4) && cg_addr_is_unspecified(&ipv6));
    assert_true(cg_addr_is_unspecified(&(struct cg_addr){0}));
    assert_false(cg_addr_is_unspecified(&one) || cg_addr_is_unspecified(&low));
}

static void equality_and_hash(void **state) {
    (void)state;
    struct cg_addr a = parsed("1.2.3.4:5"), b = parsed("1.2.3.4:5"), port = parsed("1.2.3.4:6"),
                   ip = parsed("1.2.3.5:5");
    struct cg_addr zone1 = parsed("fe80::1%1"), zone2 = parsed("fe80::1%2");
    assert_true(cg_addr_equal(&a, &b));
    assert_int_equal(cg_addr_hash(&a), cg_addr_hash(&b));
    assert_false(cg_addr_equal(&a, &port));
    assert_false(cg_addr_equal(&a, &ip));
    assert_false(cg_addr_equal(&zone1, &zone2));
    assert_int_not_equal(cg_addr_hash(&a), cg_addr_hash(&port));
}

static void mutations_never_crash(void **state) {
    (void)state;
    static const char *const seeds[] = {"[2001:db8::1%2]:5683", "255.255.255.255:5683", "::ffff:1.2.3.4"};
    for (size_t s = 0; s < sizeof seeds / sizeof seeds[0]; s++) {
        size_t len = strlen(seeds[s]);
        for (size_t cut = 0; cut <= len; cut++) {
            uint8_t *copy = malloc(cut + 1);
            assert_non_null(copy);
            struct cg_addr addr;
            memcpy(copy, seeds[s], cut);
            (void)!cg_addr_parse(&addr, cg_slice_of(copy, cut), 1);
            for (unsigned value = 0; cut > 0 && value < 256; value++) {
                copy[cut - 1] = (uint8_t)value;
                (void)!cg_addr_parse(&addr, cg_slice_of(copy, cut), 1);
            }
            free(copy);
        }
    }
}

static void a_host_has_many_ports_and_a_zone_or_any(void **state) {
    (void)state;
    struct cg_addr lamp = parsed("[fe80::1%3]:5683"), port = parsed("[fe80::1%3]:9"), link = parsed("[fe80::1%4]:5683");
    struct cg_addr anywhere = parsed("[fe80::1]:5683"), other = parsed("[fe80::2%3]:5683"), none = {0};
    struct cg_addr host = cg_addr_host(&port);
    assert_int_equal(host.port, 0);
    assert_int_equal(host.scope, 3);
    assert_true(cg_addr_same_host(&lamp, &port));
    assert_true(cg_addr_same_host(&lamp, &anywhere) && cg_addr_same_host(&anywhere, &link));
    assert_false(cg_addr_same_host(&lamp, &link));
    assert_false(cg_addr_same_host(&lamp, &other));
    assert_false(cg_addr_same_host(&none, &none)); /* nobody is nobody's neighbour */
}

/* What limits count by: all that one host can have. */
static void networks(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"192.0.2.1:4", "192.0.2.1:5", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"[2001:db8::1]:4", "[2001:db8::ffff:0:0:1]:5", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
        {"fe80::1%2", "fe80::2%3", true},
        {"::", "0.0.0.0", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cg_addr a = parsed(cases[i].a), b = parsed(cases[i].b);
        a = cg_addr_network(&a);
        b = cg_addr_network(&b);
        assert_int_equal(cg_addr_equal(&a, &b), cases[i].same);
        assert_int_equal(a.port, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_has_many_ports_and_a_zone_or_any),
        cmocka_unit_test(good_texts),
        cmocka_unit_test(bad_texts),
        cmocka_unit_test(only_the_ip),
        cmocka_unit_test(no_address_has_no_text),
        cmocka_unit_test(longest_text_fits),
        cmocka_unit_test(kinds),
        cmocka_unit_test(link_local_addresses),
        cmocka_unit_test(unspecified_addresses),
        cmocka_unit_test(equality_and_hash),
        cmocka_unit_test(networks),
        cmocka_unit_test(mutations_never_crash),
    };
    return cmocka_run_group_tests_name("wire/addr", tests, NULL, NULL);
}
