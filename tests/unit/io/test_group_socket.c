/* The group sockets over IPv4 on loopback, with real sockets on both ends. The hard thing is to assert on what the
 * kernel put on the wire (interface, source, hop limit) instead of on what was asked of it. */
#include "io/group_socket.h"

#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_member.h"

#define GROUP "224.0.1.187"

struct side {
    uv_loop_t uv;
    struct cg_group_socket *socket;
    struct cg_group_settings settings;
    struct cg_problem problem;
    size_t received;
    size_t bytes;
    struct cg_datagram last;
    uint8_t last_start[16];
    uint64_t first_arrival_us;
    unsigned unreachable;
    struct cg_addr unreached;
    enum cg_sign sign;
};

static void on_datagram(void *ctx, const struct cg_datagram *datagram) {
    struct side *side = ctx;
    if (side->received == 0) side->first_arrival_us = datagram->arrival_us;
    side->received++;
    side->bytes += datagram->bytes.len;
    side->last = *datagram;
    size_t kept = datagram->bytes.len < sizeof side->last_start ? datagram->bytes.len : sizeof side->last_start;
    memcpy(side->last_start, datagram->bytes.data, kept);
}

static void open_side(struct side *side) {
    side->socket = cg_group_socket_open(&side->uv, &side->settings, on_datagram, side, &side->problem);
    assert_non_null(side->socket);
}

static void on_patience_over(uv_timer_t *timer) { fail_msg("nothing came (%p)", (void *)timer); }

/* Turns the loop until `count` datagrams have come in all. */
static void wait_for(struct side *side, size_t count) {
    uv_timer_t patience;
    uv_timer_init(&side->uv, &patience);
    uv_update_time(&side->uv);
    uv_timer_start(&patience, on_patience_over, 60000, 0);
    while (side->received < count) uv_run(&side->uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&patience, NULL);
    uv_run(&side->uv, UV_RUN_NOWAIT);
    assert_int_equal(side->received, count);
}

static int setup(void **state) {
    struct side *side = calloc(1, sizeof *side);
    uv_loop_init(&side->uv);
    side->settings.receive_buffer = 4194304;
    *state = side;
    return 0;
}

static int teardown(void **state) {
    struct side *side = *state;
    cg_group_socket_close(side->socket);
    uv_run(&side->uv, UV_RUN_DEFAULT);
    int status = uv_loop_close(&side->uv);
    free(side);
    return status;
}

static int emit(struct side *side, const struct cg_addr *to, const char *interface, uint8_t hops, const char *text) {
    struct cg_route route = {.to = *to, .interface = interface, .hops = hops};
    side->problem = (struct cg_problem){0};
    return cg_group_socket_emit(side->socket, &route, cg_slice_str(text), &side->problem);
}

static struct cg_addr side_addr(const struct side *side) {
    return fake_addr("127.0.0.1", cg_group_socket_port(side->socket, CG_FAMILY_IPV4));
}

/* Each datagram has its own hop limit: the socket keeps none. */
static void test_interface_source_and_hops(void **state) {
    struct side *side = *state;
    struct fake_member member;
    struct fake_received received;
    fake_member_init(&member, GROUP, "lo");
    open_side(side);
    static const uint8_t hops[] = {7, 1, 255, 1};
    for (size_t i = 0; i < sizeof hops; i++) {
        assert_int_equal(emit(side, &member.addr, "lo", hops[i], "hello"), CG_OK);
        fake_member_receive(&member, &received);
        assert_int_equal(received.hops, hops[i]);
        assert_int_equal(received.interface, if_nametoindex("lo"));
        assert_int_equal(received.len, 5);
        assert_memory_equal(received.bytes, "hello", 5);
        struct cg_addr source = side_addr(side);
        assert_true(cg_addr_equal(&received.from, &source));
    }
    fake_member_fini(&member);
}

static void test_configured_source(void **state) {
    struct side *side = *state;
    struct fake_member member, free_port;
    struct fake_received received;
    fake_member_init(&member, GROUP, "lo");
    fake_member_init(&free_port, "127.0.0.9", NULL);
    side->settings.address = fake_addr("127.0.0.9", 0);
    side->settings.port = free_port.addr.port;
    fake_member_fini(&free_port);
    open_side(side);
    assert_int_equal(cg_group_socket_port(side->socket, CG_FAMILY_IPV4), side->settings.port);
    assert_int_equal(emit(side, &member.addr, "lo", 1, "x"), CG_OK);
    fake_member_receive(&member, &received);
    struct cg_addr source = fake_addr("127.0.0.9", side->settings.port);
    assert_true(cg_addr_equal(&received.from, &source));
    fake_member_send(&member, &source, "y", 1);
    wait_for(side, 1);
    fake_member_fini(&member);
}

static void test_port_in_use(void **state) {
    struct side *side = *state;
    struct fake_member other;
    fake_member_init(&other, "127.0.0.1", NULL);
    side->settings.port = other.addr.port;
    assert_null(cg_group_socket_open(&side->uv, &side->settings, on_datagram, side, &side->problem));
    assert_int_equal(side->problem.err, CG_E_EMIT);
    char port[8];
    snprintf(port, sizeof port, "%u", other.addr.port);
    assert_non_null(strstr(side->problem.detail, port));
    fake_member_fini(&other);
}

static void on_unreachable(void *ctx, const struct cg_addr *addr, enum cg_sign sign) {
    struct side *side = ctx;
    side->unreachable++;
    side->unreached = *addr;
    side->sign = sign;
}

/* A port that nobody listens at is told of, and costs nobody else's datagram. */
static void test_nobody_listens(void **state) {
    struct side *side = *state;
    struct fake_member gone, other;
    struct fake_received received;
    fake_member_init(&gone, "127.0.0.7", NULL);
    fake_member_init(&other, "127.0.0.8", NULL);
    struct cg_addr nowhere = gone.addr;
    fake_member_fini(&gone);
    open_side(side);
    cg_group_socket_on_unreachable(side->socket, on_unreachable);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(emit(side, &nowhere, NULL, 0, "x"), CG_OK);
        assert_int_equal(emit(side, &other.addr, NULL, 0, "y"), CG_OK);
        fake_member_receive(&other, &received);
        assert_int_equal(received.len, 1);
        while (side->unreachable < i) uv_run(&side->uv, UV_RUN_ONCE);
        assert_true(cg_addr_equal(&side->unreached, &nowhere));
        assert_int_equal(side->sign, CG_SIGN_PORT_UNREACHABLE);
    }
    struct cg_addr here = side_addr(side);
    fake_member_send(&other, &here, "z", 1);
    wait_for(side, 1);
    for (int i = 0; i < 10; i++) assert_int_equal(uv_run(&side->uv, UV_RUN_NOWAIT), 1); /* it does not spin on errors */
    assert_int_equal(side->unreachable, 3);
    fake_member_fini(&other);
}

static void test_unicast_both_ways(void **state) {
    struct side *side = *state;
    struct fake_member member;
    struct fake_received received;
    fake_member_init(&member, "127.0.0.11", NULL);
    open_side(side);
    struct cg_addr here = side_addr(side);
    assert_int_equal(emit(side, &member.addr, NULL, 0, "ask"), CG_OK);
    fake_member_receive(&member, &received);
    assert_true(cg_addr_equal(&received.from, &here));
    uint64_t before_us = uv_hrtime() / 1000;
    fake_member_send(&member, &received.from, "answer", 6);
    wait_for(side, 1);
    assert_true(cg_addr_equal(&side->last.from, &member.addr));
    assert_memory_equal(side->last_start, "answer", 6);
    assert_in_range(side->last.arrival_us, before_us, uv_hrtime() / 1000);
    fake_member_fini(&member);
}

static void test_any_size(void **state) {
    struct side *side = *state;
    struct fake_member member;
    static const uint8_t big[65507] = {1, 2, 3};
    fake_member_init(&member, "127.0.0.1", NULL);
    open_side(side);
    struct cg_addr here = side_addr(side);
    fake_member_send(&member, &here, "", 0);
    wait_for(side, 1);
    assert_int_equal(side->last.bytes.len, 0);
    fake_member_send(&member, &here, big, sizeof big);
    wait_for(side, 2);
    assert_int_equal(side->last.bytes.len, sizeof big);
    fake_member_send(&member, &here, "abc", 3);
    wait_for(side, 3);
    assert_int_equal(side->last.bytes.len, 3);
    fake_member_fini(&member);
}

/* However much is queued, other work of the loop gets its turn after 1024 datagrams, or after a millisecond. */
static void test_flood_leaves_room(void **state) {
    struct side *side = *state;
    struct fake_member member;
    fake_member_init(&member, "127.0.0.1", NULL);
    open_side(side);
    struct cg_addr here = side_addr(side);
    enum { SENT = 1500 };
    for (int i = 0; i < SENT; i++) fake_member_send(&member, &here, "abcdefgh", 8);
    size_t held = SENT - cg_group_socket_kernel_drops(side->socket);
    uv_run(&side->uv, UV_RUN_NOWAIT);
    assert_in_range(side->received, held < 64 ? held : 64, 1024);
    wait_for(side, held);
    assert_int_equal(side->bytes, held * 8);
    fake_member_fini(&member);
}

/* Drops are known at once, not only when a later datagram gets in. */
static void test_kernel_drops(void **state) {
    struct side *side = *state;
    struct fake_member member;
    fake_member_init(&member, "127.0.0.1", NULL);
    side->settings.receive_buffer = 4096;
    open_side(side);
    assert_int_equal(emit(side, &member.addr, NULL, 1, "x"), CG_OK);
    assert_int_equal(cg_group_socket_kernel_drops(side->socket), 0);
    struct cg_addr here = side_addr(side);
    enum { SENT = 200 };
    for (int i = 0; i < SENT; i++) fake_member_send(&member, &here, "abcdefgh", 8);
    uint64_t drops = cg_group_socket_kernel_drops(side->socket);
    assert_in_range(drops, 1, SENT - 1);
    wait_for(side, SENT - drops);
    assert_int_equal(cg_group_socket_kernel_drops(side->socket), drops);
    fake_member_fini(&member);
}

static void test_drops_before_anything_was_asked_are_nobodys(void **state) {
    struct side *side = *state;
    struct fake_member member;
    fake_member_init(&member, "127.0.0.1", NULL);
    side->settings.receive_buffer = 4096;
    open_side(side);
    struct cg_addr here = side_addr(side);
    for (int i = 0; i < 200; i++) fake_member_send(&member, &here, "abcdefgh", 8);
    assert_int_equal(emit(side, &member.addr, NULL, 1, "x"), CG_OK);
    assert_int_equal(cg_group_socket_kernel_drops(side->socket), 0);
    fake_member_fini(&member);
}

static void test_icmp_errors_are_survived(void **state) {
    struct side *side = *state;
    struct fake_member member, gone;
    fake_member_init(&member, "127.0.0.1", NULL);
    fake_member_init(&gone, "127.0.0.1", NULL);
    fake_member_fini(&gone);
    open_side(side);
    struct cg_addr here = side_addr(side);
    for (int i = 0; i < 5; i++) assert_int_equal(emit(side, &gone.addr, NULL, 0, "anybody?"), CG_OK);
    fake_member_send(&member, &here, "1", 1);
    wait_for(side, 1);
    assert_int_equal(emit(side, &member.addr, NULL, 0, "still here"), CG_OK);
    fake_member_fini(&member);
}

/* Somebody else on this host joined: what goes to the group at our port is still not ours. */
static void test_hears_no_multicast(void **state) {
    struct side *side = *state;
    struct fake_member joined;
    struct cg_addr group;
    open_side(side);
    struct cg_addr here = side_addr(side);
    fake_member_init(&joined, GROUP, "lo");
    struct ip_mreqn by = {.imr_ifindex = (int)if_nametoindex("lo")};
    assert_int_equal(setsockopt(joined.fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by), 0);
    group = fake_addr(GROUP, here.port);
    fake_member_send(&joined, &group, "to the group", 12);
    fake_member_send(&joined, &here, "to us", 5);
    wait_for(side, 1);
    assert_memory_equal(side->last_start, "to us", 5);
    fake_member_fini(&joined);
}

static void test_what_cannot_be_sent(void **state) {
    struct side *side = *state;
    open_side(side);
    struct cg_addr group = fake_addr(GROUP, 5683);
    assert_int_equal(emit(side, &group, "no-such-0", 1, "x"), CG_E_EMIT);
    assert_string_equal(side->problem.detail, "interface \"no-such-0\" does not exist");
    assert_int_equal(emit(side, &group, "a-name-that-is-too-long-for-any", 1, "x"), CG_E_EMIT);
    assert_non_null(strstr(side->problem.detail, "does not exist"));

    static const uint8_t big[65508];
    struct cg_route route = {.to = group, .interface = "lo", .hops = 1};
    assert_int_equal(cg_group_socket_emit(side->socket, &route, cg_slice_of(big, sizeof big), &side->problem),
                     CG_E_EMIT);
    assert_non_null(strstr(side->problem.detail, "224.0.1.187:5683 by lo failed"));

    struct cg_addr nobody = fake_addr("127.0.0.1", 0);
    assert_int_equal(emit(side, &nobody, NULL, 0, "x"), CG_E_EMIT);
}

static void test_close_of_nothing(void **state) {
    (void)state;
    cg_group_socket_close(NULL);
}

int main(void) {
#define ON_LOOPBACK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ON_LOOPBACK(test_interface_source_and_hops),
        ON_LOOPBACK(test_configured_source),
        ON_LOOPBACK(test_port_in_use),
        ON_LOOPBACK(test_unicast_both_ways),
        ON_LOOPBACK(test_nobody_listens),
        ON_LOOPBACK(test_any_size),
        ON_LOOPBACK(test_flood_leaves_room),
        ON_LOOPBACK(test_kernel_drops),
        ON_LOOPBACK(test_drops_before_anything_was_asked_are_nobodys),
        ON_LOOPBACK(test_icmp_errors_are_survived),
        ON_LOOPBACK(test_hears_no_multicast),
        ON_LOOPBACK(test_what_cannot_be_sent),
        cmocka_unit_test(test_close_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
