/* The challenge to an address: known again from there alone, for a while, and never longer than what was asked allows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "fronts/coap/echo.h"

enum { LONG_REQUEST = 100 };
static const uint64_t second = 1000000;

static void fill(void *ctx, void *to, size_t len) { memset(to, ++*(uint8_t *)ctx, len); }

struct fixture {
    uint8_t random;
    struct cg_port port;
    struct cg_coap_echo echo;
    struct cg_coap_echo_path path;
    uint8_t value[CG_COAP_ECHO_MAX];
};

static struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), 0), CG_OK);
    return addr;
}

static void set_up(struct fixture *f) {
    *f = (struct fixture){.port = {.random = fill},
                          .path = {.peer = address("192.0.2.1:4000"), .local = address("192.0.2.9:5683")}};
    f->port.ctx = &f->random;
    f->echo.port = &f->port;
}

static size_t make(struct fixture *f, uint64_t now_us) {
    return cg_coap_echo_make(&f->echo, &f->path, LONG_REQUEST, 4, now_us, f->value);
}

static bool is_good(struct fixture *f, size_t len, uint64_t now_us) {
    return cg_coap_echo_is_good(&f->echo, &f->path, cg_slice_of(f->value, len), now_us);
}

static void test_is_known_again_for_a_while(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f);
    assert_int_equal(make(&f, 5 * second), 8);
    assert_true(is_good(&f, 8, 5 * second));
    assert_true(is_good(&f, 8, 64 * second));
    assert_true(is_good(&f, 8, 66 * second)); /* under the key before */
    assert_true(is_good(&f, 8, 120 * second));
    assert_false(is_good(&f, 8, 127 * second));
}

static void test_is_forgotten_where_nobody_has_asked_meanwhile(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f);
    make(&f, 5 * second);
    assert_false(is_good(&f, 8, 1000 * second));
}

static void test_holds_for_both_addresses_with_their_ports(void **state) {
    (void)state;
    struct fixture f;
    const char *const others[][2] = {{"192.0.2.1:4001", "192.0.2.9:5683"},
                                     {"192.0.2.2:4000", "192.0.2.9:5683"},
                                     {"192.0.2.1:4000", "192.0.2.8:5683"},
                                     {"[2001:db8::1]:4000", "192.0.2.9:5683"}};
    set_up(&f);
    make(&f, 0);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        f.path = (struct cg_coap_echo_path){.peer = address(others[i][0]), .local = address(others[i][1])};
        assert_false(is_good(&f, 8, 0));
    }
}

static void test_what_was_not_given_out_is_no_good(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f);
    assert_false(is_good(&f, 8, 0)); /* before there was any */
    make(&f, 0);
    assert_false(is_good(&f, 0, 0));
    assert_false(is_good(&f, 5, 0)); /* too short to mean anything, though its bytes are right */
    for (size_t i = 0; i < 8; i++) {
        f.value[i] ^= 1;
        assert_false(is_good(&f, 8, 0));
        f.value[i] ^= 1;
    }
    uint8_t longer[CG_COAP_ECHO_MAX + 1] = {0};
    memcpy(longer, f.value, sizeof f.value);
    assert_false(cg_coap_echo_is_good(&f.echo, &f.path, cg_slice_of(longer, sizeof longer), 0));
}

/* Header, token and its length, the option's head and value: never more than three times what came. */
static void test_never_amplifies_more_than_three_times(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f);
    for (size_t token = 0; token <= 64; token++) {
        size_t head = 4 + (token > 12) + token;
        for (size_t received = head; received < head + 20; received++) {
            size_t len = cg_coap_echo_make(&f.echo, &f.path, received, token, 0, f.value);
            assert_true(len == 0 || head + 2 + len <= 3 * received);
            assert_true(len == 0 || (len >= 6 && len <= 8));
            assert_true(len > 0); /* whatever is a request at all can be challenged */
            assert_true(is_good(&f, len, 0));
        }
    }
    assert_int_equal(cg_coap_echo_make(&f.echo, &f.path, 4, 0, 0, f.value), 6);
    assert_int_equal(cg_coap_echo_make(&f.echo, &f.path, 3, 0, 0, f.value), 0);
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_known_again_for_a_while),
        cmocka_unit_test(test_is_forgotten_where_nobody_has_asked_meanwhile),
        cmocka_unit_test(test_holds_for_both_addresses_with_their_ports),
        cmocka_unit_test(test_what_was_not_given_out_is_no_good),
        cmocka_unit_test(test_never_amplifies_more_than_three_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
