/* The gateway's own doors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/listeners.h"

static struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), CG_COAP_PORT), CG_OK);
    return addr;
}

static bool have(const struct cg_config *config, const char *text, bool is_own) {
    struct cg_addr addr = address(text);
    return cg_listeners_have(config, &addr, is_own);
}

static void listeners_are_at_their_addresses(void **state) {
    (void)state;
    struct cg_listen http[] = {{.addr = address("127.0.0.1:8080")}, {.addr = address("[::]:8090")}};
    struct cg_listen admin[] = {{.addr = address("[::1]:8081")}};
    struct cg_coap_listen coap[] = {{.listen = {.addr = address("127.0.0.2:5683")}},
                                    {.listen = {.addr = address("127.0.0.1:5700")}, .scheme = CG_SCHEME_COAPS},
                                    {.listen = {.addr = address("127.0.0.1:5701")}, .scheme = CG_SCHEME_COAP_TCP}};
    const struct cg_config config = {.http = {.listen = http, .listen_count = 2},
                                     .admin = {.listen = admin, .listen_count = 1},
                                     .coap = {.listen = coap, .listen_count = 3}};
    static const struct {
        const char *addr;
        bool is_own, expected;
    } rows[] = {
        {"127.0.0.1:8080", true, true},     {"127.0.0.1:8080", false, true},      {"127.0.0.2:8080", true, false},
        {"127.0.0.1:8079", true, false},    {"[::1]:8081", true, true},           {"127.0.0.1:8081", true, false},
        {"[::1]:8090", true, true},         {"192.0.2.1:8090", true, true},       {"192.0.2.1:8090", false, false},
        {"[2001:db8::1]:8090", true, true}, {"[2001:db8::1]:8090", false, false}, {"127.0.0.2:5683", true, true},
        {"127.0.0.1:5700", true, true},     {"127.0.0.1:5683", true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (have(&config, rows[i].addr, rows[i].is_own) != rows[i].expected) fail_msg("wrong about %s", rows[i].addr);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(listeners_are_at_their_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
