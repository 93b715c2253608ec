/* Which interface a group request leaves by, over IPv4 and IPv6, while interfaces come and go. The hard thing is to
 * have interfaces to play with: the program moves into a network namespace of its own, which needs no root. Where that
 * or the program `ip` cannot be had, the tests are skipped, and say so. */
#include "io/group_socket.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_member.h"

#define GROUP_V4 "224.0.1.187"
#define GROUP_V6 "ff15::4d31"
#define LINK_V6  "ff02::4d31"

static const char *why_not; /* NULL: the namespace is there */

struct side {
    uv_loop_t uv;
    struct cg_group_socket *socket;
    struct cg_group_settings settings;
    struct cg_problem problem;
    size_t received;
    struct cg_addr last_from;
    size_t last_len;
};

static bool run(const char *command) { return system(command) == 0; }

static bool write_file(const char *name, const char *text) {
    int fd = open(name, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return written;
}

/* Root of a user namespace, so that `ip` keeps the right to change the network over execve. */
static bool become_root(uid_t uid) {
    char map[32];
    snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
    return write_file("/proc/self/uid_map", map);
}

static void enter_namespace(void) {
    uid_t uid = getuid();
    if (unshare(CLONE_NEWNET) != 0 && (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 || !become_root(uid))) {
        why_not = "no network namespace can be made here";
    } else if (!run("ip link set lo up") || !run("ip -6 route add local ff00::/8 dev lo table local")) {
        why_not = "the program ip is missing or lo cannot be set up";
    } else if (!write_file("/proc/sys/net/ipv6/conf/default/accept_dad", "0") || /* addresses are usable at once */
               !write_file("/proc/sys/net/ipv4/conf/all/rp_filter", "0") ||
               !write_file("/proc/sys/net/ipv4/conf/default/rp_filter", "0") ||
               !write_file("/proc/sys/net/ipv4/conf/all/accept_local", "1")) { /* both ends of a cable are ours */
        why_not = "the settings of the network cannot be changed";
    }
}

/* The kernel tells of a carrier that came or went up to a second later, and drops what is sent before that. */
static void wait_for_carrier(const char *name, bool carrier) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    bool reached = false;
    for (int i = 0; i < 6000 && !reached; i++) { /* 30 s: a bound, not an expectation */
        assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &request), 0);
        reached = ((request.ifr_flags & IFF_RUNNING) != 0) == carrier;
        if (!reached) usleep(5000);
    }
    close(fd);
    assert_true(reached);
}

/* What was configured is there a moment before the kernel leads to it. A host without IPv6 never does. */
static void wait_for_route(const char *interface, const char *address) {
    char command[160];
    snprintf(command, sizeof command, "ip -6 route show table local dev %s | grep -q '^local %s'", interface, address);
    for (int i = 0; i < 1000 && !run(command); i++) usleep(5000);
}

/* A pair of interfaces whose other end cannot be a candidate: it has no multicast flag, but hears all the same. */
static void add_pair(const char *name, const char *peer) {
    char command[512];
    snprintf(command, sizeof command,
             "ip link add %s type veth peer name %s && ip link set %s multicast off && ip link set %s up && ip link "
             "set %s up",
             name, peer, peer, peer, name);
    assert_true(run(command));
    wait_for_carrier(name, true);
    wait_for_carrier(peer, true);
    wait_for_route(name, "fe80::"); /* its own address, behind the route for multicast */
    wait_for_route(peer, "fe80::");
}

static void delete_link(const char *name) {
    char command[64];
    snprintf(command, sizeof command, "ip link del %s", name);
    assert_true(run(command));
}

static void on_datagram(void *ctx, const struct cg_datagram *datagram) {
    struct side *side = ctx;
    side->received++;
    side->last_from = datagram->from;
    side->last_len = datagram->bytes.len;
}

static void on_patience_over(uv_timer_t *timer) { fail_msg("nothing came (%p)", (void *)timer); }

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

static void open_side(struct side *side) {
    side->socket = cg_group_socket_open(&side->uv, &side->settings, on_datagram, side, &side->problem);
    assert_non_null(side->socket);
}

static int setup(void **state) {
    struct side *side = calloc(1, sizeof *side);
    uv_loop_init(&side->uv);
    side->settings.receive_buffer = 65536;
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

static void need_namespace(void) {
    if (why_not == NULL) return;
    print_message("skipped: %s\n", why_not);
    skip();
}

static int emit(struct side *side, const struct cg_addr *to, const char *interface, uint8_t hops) {
    struct cg_route route = {.to = *to, .interface = interface, .hops = hops};
    side->problem = (struct cg_problem){0};
    return cg_group_socket_emit(side->socket, &route, cg_slice_str("hello"), &side->problem);
}

static void assert_refused(struct side *side, const struct cg_addr *to, const char *interface, const char *detail) {
    assert_int_equal(emit(side, to, interface, 1), CG_E_EMIT);
    assert_string_equal(side->problem.detail, detail);
}

static void test_none_one_several(void **state) {
    need_namespace();
    struct side *side = *state;
    struct fake_member member;
    struct fake_received received;
    open_side(side);
    struct cg_addr group = fake_addr(GROUP_V4, 5683);
    static const char none[] = "no interface but loopback is up and multicast-capable: set group.interface or the "
                               "mapping's interface (\"lo\" for members on this host)";
    assert_refused(side, &group, NULL, none);

    add_pair("one", "one-peer");
    assert_refused(side, &group, NULL, "interface \"one\" has no IPv4 address");
    assert_true(run("ip addr add 10.77.0.1/24 dev one"));
    fake_member_init(&member, GROUP_V4, "one-peer");
    assert_int_equal(emit(side, &member.addr, NULL, 3), CG_OK);
    fake_member_receive(&member, &received);
    assert_int_equal(received.hops, 3);
    assert_int_equal(received.interface, if_nametoindex("one-peer"));
    struct cg_addr source = fake_addr("10.77.0.1", cg_group_socket_port(side->socket, CG_FAMILY_IPV4));
    assert_true(cg_addr_equal(&received.from, &source));

    add_pair("two", "two-peer");
    assert_true(run("ip route add default via 10.77.0.2")); /* tempting, but nobody chose it */
    assert_int_equal(emit(side, &member.addr, NULL, 1), CG_E_EMIT);
    assert_non_null(strstr(side->problem.detail, "several interfaces"));
    assert_non_null(strstr(side->problem.detail, "one"));
    assert_non_null(strstr(side->problem.detail, "two"));
    assert_non_null(strstr(side->problem.detail, "set group.interface"));
    assert_true(fake_member_hears_nothing(&member));
    assert_int_equal(emit(side, &member.addr, "one", 1), CG_OK);
    fake_member_receive(&member, &received);

    delete_link("two");
    assert_int_equal(emit(side, &member.addr, NULL, 1), CG_OK);
    fake_member_receive(&member, &received);
    fake_member_fini(&member);
    delete_link("one");
    assert_refused(side, &group, NULL, none);
}

static void test_named_comes_and_goes(void **state) {
    need_namespace();
    struct side *side = *state;
    open_side(side);
    struct cg_addr group = fake_addr(GROUP_V4, 5683);
    assert_refused(side, &group, "eth9", "interface \"eth9\" does not exist");
    add_pair("eth9", "peer9");
    assert_true(run("ip addr add 10.77.9.1/24 dev eth9"));
    assert_int_equal(emit(side, &group, "eth9", 1), CG_OK);
    assert_true(run("ip link set peer9 down"));
    wait_for_carrier("eth9", false);
    assert_refused(side, &group, "eth9", "interface \"eth9\" has no carrier");
    assert_true(run("ip link set eth9 down"));
    assert_refused(side, &group, "eth9", "interface \"eth9\" is down");
    delete_link("eth9");
    assert_refused(side, &group, "eth9", "interface \"eth9\" does not exist");
    add_pair("eth9", "peer9");
    assert_true(run("ip addr add 10.77.9.5/24 dev eth9"));
    assert_int_equal(emit(side, &group, "eth9", 1), CG_OK);
    delete_link("eth9");
}

/* What was found about an interface is kept, and given up when its address changes. */
static void test_renumbered_interface_is_followed(void **state) {
    need_namespace();
    struct side *side = *state;
    struct fake_member member;
    struct fake_received received;
    add_pair("renumbered", "renumbered-peer");
    assert_true(run("ip addr add 10.77.4.1/24 dev renumbered"));
    open_side(side);
    fake_member_init(&member, GROUP_V4, "renumbered");
    static const char *const sources[] = {"10.77.4.1", "10.77.4.1", "10.77.4.2"};
    for (size_t i = 0; i < 3; i++) {
        if (i == 2) assert_true(run("ip addr flush dev renumbered && ip addr add 10.77.4.2/24 dev renumbered"));
        assert_int_equal(emit(side, &member.addr, "renumbered", 1), CG_OK);
        fake_member_receive(&member, &received);
        struct cg_addr source = fake_addr(sources[i], received.from.port);
        assert_true(cg_addr_equal(&received.from, &source));
    }
    fake_member_fini(&member);
    delete_link("renumbered");
}

static void assert_heard_from(struct side *side, const char *interface, const char *source) {
    struct fake_member member;
    struct fake_received received;
    fake_member_init(&member, GROUP_V4, "names");
    assert_int_equal(emit(side, &member.addr, interface, 1), CG_OK);
    fake_member_receive(&member, &received);
    struct cg_addr from = fake_addr(source, received.from.port);
    assert_true(cg_addr_equal(&received.from, &from));
    fake_member_fini(&member);
}

#define LONG_NAME "the-cable-that-leads-through-the-third-floor-to-the-lamps"

static void test_alternative_names_and_labels(void **state) {
    need_namespace();
    struct side *side = *state;
    struct cg_addr group = fake_addr(GROUP_V4, 5683);
    open_side(side);
    add_pair("names", "names-peer");
    assert_refused(side, &group, LONG_NAME, "interface \"" LONG_NAME "\" does not exist");
    assert_true(run("ip link property add dev names altname short altname " LONG_NAME));
    assert_refused(side, &group, "short", "interface \"names\" has no IPv4 address");
    assert_true(run("ip addr add 10.77.6.1/24 dev names label names:1"));
    assert_heard_from(side, "names", "10.77.6.1");
    assert_heard_from(side, "short", "10.77.6.1");
    assert_heard_from(side, LONG_NAME, "10.77.6.1");
    assert_heard_from(side, NULL, "10.77.6.1");
    assert_true(run("ip addr add 10.77.7.1/24 dev names && ip addr del 10.77.6.1/24 dev names"));
    assert_heard_from(side, "short", "10.77.7.1");
    assert_true(run("ip link property del dev names altname short"));
    assert_refused(side, &group, "short", "interface \"short\" does not exist");
    delete_link("names");
}

/* More than one datagram of the kernel's holds. */
static void test_many_links_and_addresses(void **state) {
    need_namespace();
    struct side *side = *state;
    struct cg_addr group = fake_addr(GROUP_V4, 5683);
    open_side(side);
    add_pair("names", "names-peer");
    for (int i = 0; i < 60; i++) {
        char command[96];
        snprintf(command, sizeof command, "ip link add many%d type veth peer name far%d", i, i);
        assert_true(run(command));
    }
    assert_true(run("i=0; while [ $i -lt 600 ]; do echo addr add 10.78.$((i / 200)).$((i % 200 + 1))/32 dev lo; "
                    "i=$((i + 1)); done | ip -batch -"));
    assert_true(run("ip addr add 10.77.6.9/24 dev names"));
    assert_heard_from(side, NULL, "10.77.6.9");
    assert_true(run("ip link set many59 up"));
    assert_int_equal(emit(side, &group, NULL, 1), CG_E_EMIT);
    assert_non_null(strstr(side->problem.detail, "(names, many59)"));
    for (int i = 0; i < 60; i++) {
        char name[16];
        snprintf(name, sizeof name, "many%d", i);
        delete_link(name);
    }
    assert_true(run("ip addr flush dev lo && ip addr add 127.0.0.1/8 dev lo && ip addr add ::1/128 dev lo"));
    delete_link("names");
}

static void test_link_without_the_flag_multicast(void **state) {
    need_namespace();
    struct side *side = *state;
    struct cg_addr v4 = fake_addr(GROUP_V4, 5683), v6 = fake_addr(GROUP_V6, 5683);
    open_side(side);
    add_pair("tunnel", "tunnel-peer");
    assert_true(run("ip link set tunnel down && ip link set tunnel multicast off && ip link set tunnel up"));
    wait_for_carrier("tunnel", true);
    assert_refused(side, &v4, NULL,
                   "no interface but loopback is up and multicast-capable; tunnel-peer, tunnel, as tunnels often do, "
                   "lacks the flag: \"ip link set dev NAME multicast on\", or set group.interface or the mapping's "
                   "interface");
    assert_true(run("ip addr add 10.77.6.1/24 dev tunnel"));
    assert_int_equal(emit(side, &v4, "tunnel", 1), CG_OK); /* who names it knows what is behind it */
    assert_int_equal(emit(side, &v6, "tunnel", 1), CG_OK);
    delete_link("tunnel");
}

/* A member on this host hears what leaves by its interface. */
static void test_member_on_the_same_interface(void **state) {
    need_namespace();
    struct side *side = *state;
    struct fake_member v4, v6;
    struct fake_received received;
    add_pair("same", "same-peer");
    assert_true(run("ip addr add 10.77.3.1/24 dev same"));
    open_side(side);
    fake_member_init(&v4, GROUP_V4, "same");
    fake_member_init(&v6, GROUP_V6, "same");
    assert_int_equal(emit(side, &v4.addr, "same", 1), CG_OK);
    fake_member_receive(&v4, &received);
    assert_int_equal(emit(side, &v6.addr, "same", 1), CG_OK);
    fake_member_receive(&v6, &received);
    fake_member_fini(&v4);
    fake_member_fini(&v6);
    delete_link("same");
}

/* Both sockets receive into the same arrays; the shorter address of one must not shorten the other's. */
static void test_both_families(void **state) {
    need_namespace();
    struct side *side = *state;
    struct fake_member v4, v6;
    open_side(side);
    fake_member_init(&v4, "127.0.0.1", NULL);
    fake_member_init(&v6, "::1", NULL);
    struct cg_addr here_v4 = fake_addr("127.0.0.1", cg_group_socket_port(side->socket, CG_FAMILY_IPV4));
    struct cg_addr here_v6 = fake_addr("::1", cg_group_socket_port(side->socket, CG_FAMILY_IPV6));
    for (size_t i = 0; i < 4; i += 2) {
        fake_member_send(&v4, &here_v4, "4", 1);
        wait_for(side, i + 1);
        assert_true(cg_addr_equal(&side->last_from, &v4.addr));
        fake_member_send(&v6, &here_v6, "6", 1);
        wait_for(side, i + 2);
        assert_true(cg_addr_equal(&side->last_from, &v6.addr));
    }
    fake_member_fini(&v4);
    fake_member_fini(&v6);
}

/* One member at a group by interface `at`; asks by `interface`; answers back. */
static void exchange_v6(struct side *side, const char *group, const char *interface, const char *at, uint8_t hops) {
    struct fake_member member, answering;
    struct fake_received received;
    fake_member_init(&member, group, at);
    assert_int_equal(emit(side, &member.addr, interface, hops), CG_OK);
    fake_member_receive(&member, &received);
    assert_int_equal(received.hops, hops);
    assert_int_equal(received.interface, if_nametoindex(at));
    assert_int_equal(received.from.port, cg_group_socket_port(side->socket, CG_FAMILY_IPV6));
    assert_false(cg_addr_is_multicast(&received.from));
    struct cg_addr to = received.to;
    to.port = member.addr.port;
    assert_true(cg_addr_equal(&to, &member.addr));
    fake_member_fini(&member);
    if (!cg_addr_is_loopback(&received.from)) return; /* both ends have the same addresses: nowhere to send from */
    fake_member_init(&answering, "::1", NULL);
    size_t before = side->received;
    fake_member_send(&answering, &received.from, "answer", 6);
    wait_for(side, before + 1);
    assert_true(cg_addr_equal(&side->last_from, &answering.addr));
    assert_int_equal(emit(side, &answering.addr, NULL, 0), CG_OK);
    fake_member_receive(&answering, &received);
    fake_member_fini(&answering);
}

static void test_ipv6(void **state) {
    need_namespace();
    struct side *side = *state;
    open_side(side);
    exchange_v6(side, GROUP_V6, "lo", "lo", 9);
    exchange_v6(side, GROUP_V6, "lo", "lo", 1);
    add_pair("six", "six-peer");
    exchange_v6(side, GROUP_V6, "six", "six-peer", 200);
    exchange_v6(side, LINK_V6, "six", "six-peer", 1);
    exchange_v6(side, LINK_V6, NULL, "six-peer", 2);
    delete_link("six");
}

static void test_ipv6_source_and_zone(void **state) {
    need_namespace();
    struct side *side = *state;
    struct fake_member member;
    struct fake_received received;
    add_pair("src", "src-peer");
    add_pair("other", "other-peer");
    assert_true(run("ip addr add fd77::1/64 dev src nodad && ip addr add fd77::2/64 dev src nodad"));
    side->settings.address = fake_addr("fd77::2", 0);
    open_side(side);
    fake_member_init(&member, LINK_V6, "src-peer");
    member.addr.scope = if_nametoindex("src"); /* the group's zone chooses, where no interface is named */
    assert_int_equal(emit(side, &member.addr, NULL, 1), CG_OK);
    fake_member_receive(&member, &received);
    struct cg_addr source = fake_addr("fd77::2", cg_group_socket_port(side->socket, CG_FAMILY_IPV6));
    assert_true(cg_addr_equal(&received.from, &source));
    member.addr.scope = 4000000;
    assert_refused(side, &member.addr, NULL, "no interface has index 4000000");
    fake_member_fini(&member);
    delete_link("src");
    delete_link("other");
}

/* A link-local member's address is nothing without its zone. */
static void test_link_local_member(void **state) {
    need_namespace();
    struct side *side = *state;
    struct fake_member member;
    struct fake_received received;
    add_pair("ll", "ll-peer");
    assert_true(run("ip addr add fe80::77/64 dev ll-peer nodad"));
    wait_for_route("ll-peer", "fe80::77 ");
    open_side(side);
    fake_member_init(&member, "fe80::77", "ll-peer");
    member.addr.scope = if_nametoindex("ll-peer");
    assert_int_equal(emit(side, &member.addr, NULL, 0), CG_OK);
    fake_member_receive(&member, &received);
    fake_member_send(&member, &received.from, "answer", 6);
    wait_for(side, 1);
    assert_int_equal(side->last_from.scope, if_nametoindex("ll-peer"));
    member.addr.scope = 0;
    assert_refused(side, &member.addr, NULL,
                   "a link-local member needs its zone, as in fe80::1%2, or the mapping's interface");
    fake_member_fini(&member);
    delete_link("ll");
}

static void test_hears_no_multicast(void **state) {
    need_namespace();
    struct side *side = *state;
    struct fake_member joined;
    open_side(side);
    fake_member_init(&joined, GROUP_V6, "lo");
    unsigned by = if_nametoindex("lo");
    assert_int_equal(setsockopt(joined.fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &by, sizeof by), 0);
    uint16_t port = cg_group_socket_port(side->socket, CG_FAMILY_IPV6);
    struct cg_addr group = fake_addr(GROUP_V6, port), here = fake_addr("::1", port);
    fake_member_send(&joined, &group, "to the group", 12);
    fake_member_send(&joined, &here, "to us", 5);
    wait_for(side, 1);
    assert_int_equal(side->last_len, 5);
    fake_member_fini(&joined);
}

static size_t read_file(const char *name, char *to, size_t cap) {
    FILE *file = fopen(name, "re");
    assert_non_null(file);
    size_t len = fread(to, 1, cap - 1, file);
    fclose(file);
    to[len] = '\0';
    return len;
}

/* R9, R52: a sender is no member. */
static void test_joins_nothing(void **state) {
    need_namespace();
    struct side *side = *state;
    char before[2][8192], after[2][8192];
    read_file("/proc/self/net/igmp", before[0], sizeof before[0]);
    read_file("/proc/self/net/igmp6", before[1], sizeof before[1]);
    open_side(side);
    struct cg_addr v4 = fake_addr(GROUP_V4, 5683), v6 = fake_addr(GROUP_V6, 5683);
    assert_int_equal(emit(side, &v4, "lo", 1), CG_OK);
    assert_int_equal(emit(side, &v6, "lo", 1), CG_OK);
    uv_run(&side->uv, UV_RUN_NOWAIT);
    read_file("/proc/self/net/igmp", after[0], sizeof after[0]);
    read_file("/proc/self/net/igmp6", after[1], sizeof after[1]);
    assert_string_equal(before[0], after[0]);
    assert_string_equal(before[1], after[1]);
}

int main(void) {
    enter_namespace();
#define IN_NAMESPACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_NAMESPACE(test_joins_nothing),
        IN_NAMESPACE(test_none_one_several),
        IN_NAMESPACE(test_named_comes_and_goes),
        IN_NAMESPACE(test_renumbered_interface_is_followed),
        IN_NAMESPACE(test_alternative_names_and_labels),
        IN_NAMESPACE(test_many_links_and_addresses),
        IN_NAMESPACE(test_link_without_the_flag_multicast),
        IN_NAMESPACE(test_ipv6),
        IN_NAMESPACE(test_ipv6_source_and_zone),
        IN_NAMESPACE(test_link_local_member),
        IN_NAMESPACE(test_hears_no_multicast),
        IN_NAMESPACE(test_member_on_the_same_interface),
        IN_NAMESPACE(test_both_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
