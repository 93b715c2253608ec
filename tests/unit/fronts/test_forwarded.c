/* Who a request counts for behind proxies: what proxies write, and what clients write to be somebody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fronts/http/forwarded.h"

enum { FIELDS_MAX = 8, LONG = 8000 };

static struct cg_prefix proxies[3];
static const struct cg_http_settings settings = {.trusted_proxies = proxies, .trusted_proxy_count = 3};

static int setup(void **state) {
    (void)state;
    static const char *const texts[] = {"127.0.0.1", "10.0.3.0/24", "2001:db8:9::/48"};
    for (size_t i = 0; i < 3; i++) {
        if (cg_prefix_parse(&proxies[i], cg_slice_str(texts[i])) < 0) return -1;
    }
    return 0;
}

/* "Name: value" lines that come from `peer`; the address that counts, as text. */
static bool forwarded(const char *peer, const char *lines, char text[CG_ADDR_TEXT_MAX]) {
    struct cg_http_field fields[FIELDS_MAX];
    struct cg_http_message message = {.fields = fields};
    struct cg_addr from, addr;
    for (; *lines != '\0'; lines += strcspn(lines, "\n") + 1) {
        size_t name = strcspn(lines, ":"), line = strcspn(lines, "\n");
        fields[message.field_count++] = (struct cg_http_field){
            cg_slice_of(lines, name), cg_http_trim(cg_slice_of(lines + name + 1, line - name - 1))};
    }
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(peer), 0), CG_OK);
    bool is_forwarded = cg_forwarded_from(&settings, &message, &addr, &from);
    assert_int_equal(from.port, 0);
    cg_addr_emit_ip(&from, text);
    return is_forwarded;
}

struct row {
    const char *lines, *from;
};

static void check(const char *peer, const struct row *rows, size_t count, bool is_forwarded) {
    for (size_t i = 0; i < count; i++) {
        char text[CG_ADDR_TEXT_MAX];
        bool found = forwarded(peer, rows[i].lines, text);
        if (strcmp(text, rows[i].from) != 0 || found != is_forwarded) fail_msg("row %zu: %s", i, text);
    }
}
#define CHECK(peer, rows, is_forwarded) check(peer, rows, sizeof(rows) / sizeof *(rows), is_forwarded)

static void test_what_proxies_write(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"X-Forwarded-For: 192.0.2.4\n", "192.0.2.4"},
        {"X-Forwarded-For: 192.0.2.4:47011\n", "192.0.2.4"},
        {"X-Forwarded-For: 2001:db8::17\n", "2001:db8::17"},
        {"X-Forwarded-For: [2001:db8::17]:4711\n", "2001:db8::17"},
        {"X-Forwarded-For: ::ffff:192.0.2.4\n", "192.0.2.4"},
        {"x-forwarded-for: 192.0.2.4\n", "192.0.2.4"},
        {"Forwarded: for=192.0.2.4\n", "192.0.2.4"},
        {"Forwarded: For=\"192.0.2.4:47011\";proto=https;by=10.0.3.1\n", "192.0.2.4"},
        {"Forwarded: by=10.0.3.1; for=\"[2001:db8:cafe::17]:4711\"\n", "2001:db8:cafe::17"},
        {"Forwarded: for=\"[2001:db8:cafe::17]:_gazonk\"\n", "2001:db8:cafe::17"},
        {"Forwarded: for=\"\\1\\92.0.2.4\"\n", "192.0.2.4"},
        {"Forwarded: host=\"a,b;c=\\\"\";for=192.0.2.4\n", "192.0.2.4"},
        {"Forwarded: for=192.0.2.4\nX-Forwarded-For: 192.0.2.4\n", "192.0.2.4"},
    };
    CHECK("127.0.0.1:4711", rows, true);
    CHECK("[::ffff:127.0.0.1]:4711", rows, true);
}

static void test_the_rightmost_that_is_not_trusted(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"X-Forwarded-For: 198.51.100.1, 192.0.2.4\n", "192.0.2.4"},
        {"X-Forwarded-For: 198.51.100.1\nX-Forwarded-For: 192.0.2.4\n", "192.0.2.4"},
        {"X-Forwarded-For: 198.51.100.1, 192.0.2.4, 10.0.3.7, 10.0.3.8\n", "192.0.2.4"},
        {"X-Forwarded-For: 198.51.100.1, 10.0.4.7\n", "10.0.4.7"},
        {"X-Forwarded-For: 127.0.0.1, 192.0.2.4\n", "192.0.2.4"},
        {"X-Forwarded-For: , 192.0.2.4 ,, 10.0.3.7,\n", "192.0.2.4"},
        {"X-Forwarded-For: 10.0.3.9, 127.0.0.1\n", "10.0.3.9"}, /* all of them are trusted */
        {"X-Forwarded-For: 2001:db8:9::5\n", "2001:db8:9::5"},
        {"Forwarded: for=198.51.100.1, for=192.0.2.4;proto=http, for=10.0.3.7\n", "192.0.2.4"},
        {"Forwarded: for=\"_made-up\", for=192.0.2.4\n", "192.0.2.4"},
        {"Forwarded: for=unknown, for=10.0.3.7\n", "10.0.3.7"},
        {"Forwarded: for=198.51.100.1, for=_hidden, for=10.0.3.7\n", "10.0.3.7"},
        {"X-Forwarded-For: 198.51.100.1, unknown\n", "127.0.0.1"},
    };
    CHECK("127.0.0.1:4711", rows, true);
}

static void test_what_cannot_be_read_counts_for_the_proxy(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"X-Forwarded-For:\n", "127.0.0.1"},
        {"X-Forwarded-For: ,\n", "127.0.0.1"},
        {"X-Forwarded-For: 192.0.2.4.5\n", "127.0.0.1"},
        {"X-Forwarded-For: 192.0.2\n", "127.0.0.1"},
        {"X-Forwarded-For: lamp.example\n", "127.0.0.1"},
        {"X-Forwarded-For: [2001:db8::17\n", "127.0.0.1"},
        {"X-Forwarded-For: [2001:db8::17]x\n", "127.0.0.1"},
        {"X-Forwarded-For: []\n", "127.0.0.1"},
        {"X-Forwarded-For: :80\n", "127.0.0.1"},
        {"X-Forwarded-For: fe80::1%eth0\n", "127.0.0.1"},
        {"X-Forwarded-For: \"192.0.2.4, 198.51.100.1\n", "127.0.0.1"},
        {"X-Forwarded-For: \"\n", "127.0.0.1"},
        {"Forwarded:\n", "127.0.0.1"},
        {"Forwarded: 192.0.2.4\n", "127.0.0.1"},
        {"Forwarded: for=\n", "127.0.0.1"},
        {"Forwarded: for=\"\"\n", "127.0.0.1"},
        {"Forwarded: for=\"192.0.2.4\n", "127.0.0.1"},
        {"Forwarded: for=192.0.2.4;for=198.51.100.1\n", "127.0.0.1"},
        {"Forwarded: for=192.0.2.4;\"x\"=y\n", "127.0.0.1"},
        {"Forwarded: proto=https\n", "127.0.0.1"},
        {"Forwarded: nonsense, for=192.0.2.4\n", "127.0.0.1"},
        /* One of them is the proxy's word, the other the client's, and nobody knows which. */
        {"Forwarded: for=198.51.100.1\nX-Forwarded-For: 192.0.2.4\n", "127.0.0.1"},
        {"Forwarded: for=nonsense\nX-Forwarded-For: 192.0.2.4\n", "127.0.0.1"},
    };
    CHECK("127.0.0.1:4711", rows, true);
}

static void test_nobody_else_is_believed(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"", "192.0.2.9"},
        {"X-Forwarded-For: 198.51.100.1\n", "192.0.2.9"},
        {"Forwarded: for=198.51.100.1\n", "192.0.2.9"},
        {"X-Forwarded-For: 10.0.3.1\n", "192.0.2.9"},
    };
    CHECK("192.0.2.9:4711", rows, false);
    CHECK("[::ffff:192.0.2.9]:4711", rows, false);
}

static void test_a_proxy_may_speak_for_itself(void **state) {
    (void)state;
    static const struct row rows[] = {{"", "10.0.3.1"}};
    CHECK("10.0.3.1:4711", rows, false);
}

/* As many hops as a head has room for: the right end is what counts. */
static void test_many_hops(void **state) {
    (void)state;
    static char lines[LONG];
    char text[CG_ADDR_TEXT_MAX];
    size_t len = (size_t)snprintf(lines, sizeof lines, "X-Forwarded-For: 192.0.2.4");
    for (int i = 0; i < 300; i++) len += (size_t)snprintf(lines + len, sizeof lines - len, ", 198.51.100.%d", i % 250);
    snprintf(lines + len, sizeof lines - len, ", 192.0.2.77, 10.0.3.1\n");
    assert_true(forwarded("127.0.0.1:4711", lines, text));
    assert_string_equal(text, "192.0.2.77");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_proxies_write),
        cmocka_unit_test(test_the_rightmost_that_is_not_trusted),
        cmocka_unit_test(test_what_cannot_be_read_counts_for_the_proxy),
        cmocka_unit_test(test_nobody_else_is_believed),
        cmocka_unit_test(test_a_proxy_may_speak_for_itself),
        cmocka_unit_test(test_many_hops),
    };
    return cmocka_run_group_tests_name("fronts/forwarded", tests, setup, NULL);
}
