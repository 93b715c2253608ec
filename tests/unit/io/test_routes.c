/* Neighbours of the loopback interface, the one link that every machine has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <net/if.h>

#include "io/routes.h"

static struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), 5683), CG_OK);
    return addr;
}

static bool is_neighbour(struct cg_routes *routes, const char *text, unsigned index) {
    struct cg_addr addr = address(text);
    return cg_routes_on_link(routes, &addr, index);
}

static void loopback_is_the_link_of_lo(void **state) {
    (void)state;
    struct cg_routes routes;
    unsigned lo = if_nametoindex("lo");
    cg_routes_init(&routes);
    for (int i = 0; i < 1000; i++) { /* each answer belongs to its question */
        assert_true(is_neighbour(&routes, "127.1.0.1", lo));
        assert_false(is_neighbour(&routes, "127.1.0.1", lo + 1));
        assert_false(is_neighbour(&routes, "203.0.113.9", lo));
    }
    assert_false(is_neighbour(&routes, "127.255.255.255", lo)); /* a broadcast address is no host */
    assert_false(is_neighbour(&routes, "224.0.1.187", lo));
    assert_false(is_neighbour(&routes, "2001:db8::1", lo));
    cg_routes_fini(&routes);
}

static void ipv6_is_asked_for_as_well(void **state) {
    (void)state;
    struct cg_routes routes;
    unsigned lo = if_nametoindex("lo");
    cg_routes_init(&routes);
    if (access("/proc/net/if_inet6", R_OK) == 0) assert_true(is_neighbour(&routes, "::1", lo));
    assert_false(is_neighbour(&routes, "::1", lo + 1));
    assert_false(is_neighbour(&routes, "[fe80::1%65535]:5683", 65535)); /* there is no such interface */
    cg_routes_fini(&routes);
}

static bool is_own(struct cg_routes *routes, const char *text) {
    struct cg_addr addr = address(text);
    return cg_routes_find(routes, &addr).is_own;
}

static void addresses_of_this_host_are_its_own(void **state) {
    (void)state;
    struct cg_routes routes;
    cg_routes_init(&routes);
    assert_true(is_own(&routes, "127.0.0.1"));
    assert_true(is_own(&routes, "127.3.2.1:9"));
    assert_false(is_own(&routes, "203.0.113.9"));
    assert_false(is_own(&routes, "224.0.1.187"));
    cg_routes_fini(&routes);
}

static void without_a_socket_nobody_is_a_neighbour(void **state) {
    (void)state;
    struct cg_routes routes = {.fd = -1};
    assert_false(is_neighbour(&routes, "127.0.0.1", if_nametoindex("lo")));
    cg_routes_init(&routes);
    struct cg_addr none = {0};
    assert_false(cg_routes_on_link(&routes, &none, if_nametoindex("lo")));
    cg_routes_fini(&routes);
    assert_int_equal(routes.fd, -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_the_link_of_lo),
        cmocka_unit_test(ipv6_is_asked_for_as_well),
        cmocka_unit_test(addresses_of_this_host_are_its_own),
        cmocka_unit_test(without_a_socket_nobody_is_a_neighbour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
