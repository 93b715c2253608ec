/* From findings to sentences: each hint with its condition, and none without. What the conditions are found by is
 * tested where there are networks to find them in (tests/e2e/test_check.py). */
#include "app/check/hints.h"
#include "settings/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct scene {
    struct cg_config *config;
    struct cg_mapping mapping;
    struct cg_target target;
    struct cg_outlet outlet;
    struct cg_findings findings;
    char *text;
};

static struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), CG_COAP_PORT), CG_OK);
    return addr;
}

/* Nobody answered, over a good interface, and nothing else is known. */
static int setup(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    scene->config = cg_settings_defaults();
    scene->target = (struct cg_target){.hops = 5};
    scene->outlet = (struct cg_outlet){.target = &scene->target,
                                       .group = address("239.7.7.7"),
                                       .has_interface = true,
                                       .by = {.name = "near0", .index = 4242},
                                       .link = {.up = true, .running = true, .multicast = true},
                                       .self_test_done = true,
                                       .self_test_passed = true};
    scene->target.group = address("239.7.7.7");
    scene->config->group.receive_buffer = 4096;
    scene->mapping.name = "lights";
    scene->findings = (struct cg_findings){.config = scene->config,
                                           .mapping = &scene->mapping,
                                           .path = "/status",
                                           .outlets = &scene->outlet,
                                           .outlet_count = 1,
                                           .facts = {.buffer_v4 = 4096},
                                           .tap = {.fd = -1},
                                           .tapped = true,
                                           .has_rules = true};
    *state = scene;
    return 0;
}

static int teardown(void **state) {
    struct scene *scene = *state;
    cg_config_unref(scene->config);
    free(scene->text);
    free(scene);
    return 0;
}

/* The hints on one line. */
static const char *hints_of(struct scene *scene) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_hints_put(&text, &scene->findings);
    cg_buf_put_u8(&text, 0);
    free(scene->text);
    scene->text = calloc(1, text.len + 1);
    assert_non_null(scene->text);
    char *to = scene->text;
    for (const char *from = (const char *)text.data; *from != '\0'; from++) {
        bool again = (*from == ' ' || *from == '\n') && to > scene->text && to[-1] == ' ';
        if (!again) *to++ = *from == '\n' ? ' ' : *from;
    }
    cg_buf_fini(&text);
    return scene->text;
}

#define assert_hint(scene, part)    assert_non_null(strstr(hints_of(scene), part))
#define assert_no_hint(scene, part) assert_null(strstr(hints_of(scene), part))

static void assert_first_hint(struct scene *scene, const char *start) {
    const char *hints = hints_of(scene), *lead = " - ";
    if (strncmp(hints, lead, strlen(lead)) != 0 || strncmp(hints + strlen(lead), start, strlen(start)) != 0)
        fail_msg("first is not \"%s\" in:%s", start, hints);
}

static const struct cg_way on_link = {.interface = 4242}, routed = {.interface = 4242, .routed = true};

static struct cg_silent *add_silent(struct scene *scene, const char *name, struct cg_way way,
                                    enum cg_probe_result result) {
    struct cg_silent *silent = &scene->findings.silent[scene->findings.silent_count++];
    strcpy(silent->name, name);
    silent->way = way;
    silent->probe.result = result;
    silent->probe.to = address("192.0.2.7");
    strcpy(silent->probe.what, "port unreachable: nothing listens there, says 192.0.2.7");
    scene->findings.group.missing++;
    return silent;
}

/* Asked by unicast, it says that. */
static struct cg_silent *add_speaking(struct scene *scene, const char *reason, uint8_t code) {
    struct cg_silent *silent = add_silent(scene, "lamp", on_link, CG_PROBE_PONG);
    silent->asked = silent->said = true;
    silent->word.code = code;
    strcpy(silent->word.reason, reason);
    return silent;
}

static void a_healthy_group_needs_none(void **state) {
    struct scene *scene = *state;
    scene->findings.group.answered = 3;
    assert_string_equal(hints_of(scene), "");
}

static void a_small_buffer(void **state) {
    struct scene *scene = *state;
    scene->findings.group.answered = 3;
    scene->findings.facts.buffer_v4 = 2048;
    assert_hint(scene, "the receive buffer is 2048 bytes rather than 4096");
    assert_hint(scene, "sysctl -w net.core.rmem_max=4096");
    assert_no_hint(scene, "the kernel dropped");
    scene->findings.group.kernel_drops = 7;
    assert_first_hint(scene, "the kernel dropped 7 datagrams because the receive buffer was full: it asks for 4096");
}

static void members_behind_routers(void **state) {
    struct scene *scene = *state;
    scene->target.hops = 1;
    add_silent(scene, "near", on_link, CG_PROBE_SILENT);
    assert_no_hint(scene, "hop limit");
    add_silent(scene, "far", routed, CG_PROBE_SILENT);
    assert_first_hint(scene, "member far is behind a router, but the hop limit is 1");
    scene->outlet.group = address("ff02::7:7");
    assert_first_hint(scene, "member far is behind a router, and no router passes on ff02::7:7");
    scene->target.hops = 2;
    assert_no_hint(scene, "hop limit");
    assert_first_hint(scene, "member far is silent to a CoAP ping by unicast, too");
}

static void members_that_hear_only_unicast(void **state) {
    struct scene *scene = *state;
    struct cg_silent *lamp = add_speaking(scene, "", 0x45);
    assert_first_hint(scene, "member lamp answers the same request by unicast (2.05), so the group request does not");
    lamp->probe.to.port = 17;
    assert_first_hint(scene, "member lamp answers the same request by unicast at port 17, while the group request goes "
                             "to port 5683");
    lamp->said = false;
    assert_first_hint(scene, "member lamp answers a CoAP ping by unicast, but not the request (/status)");
}

static void members_that_have_nothing_at_the_path(void **state) {
    struct scene *scene = *state;
    add_speaking(scene, "", 0x84);
    assert_first_hint(scene, "member lamp answers 4.04 to the same request (/status) by unicast: they have nothing at "
                             "the path");
    assert_hint(scene, "--check lights/PATH");
}

static void members_with_other_keys(void **state) {
    struct scene *scene = *state;
    scene->mapping.security = CG_SECURITY_GROUP;
    struct cg_silent *lamp = add_speaking(scene, "unprotected", 0x81);
    assert_first_hint(scene, "member lamp is up, but answers the same request by unicast with 4.01, unprotected: its "
                             "keys are others");
    lamp->word.code = 0;
    strcpy(lamp->word.reason, "unknown-sender");
    assert_first_hint(scene, "member lamp is up, but answers the same request by unicast with what is rejected as "
                             "unknown-sender: its keys");
    lamp->said = false;
    assert_first_hint(scene, "member lamp is up, but says nothing to the same request by unicast: its keys");
}

static void members_with_a_firewall(void **state) {
    struct scene *scene = *state;
    struct cg_silent *lamp = add_silent(scene, "lamp", on_link, CG_PROBE_SILENT);
    lamp->neighbour = CG_NEIGHBOUR_PRESENT;
    assert_first_hint(scene, "a firewall on member lamp, most likely: its host is there on the link");
    lamp->neighbour = CG_NEIGHBOUR_ABSENT;
    assert_first_hint(scene, "member lamp is not there: no host on the link says that it has this address");
    lamp->probe.result = CG_PROBE_ICMP;
    lamp->probe.why = CG_UNREACHABLE_PROHIBITED;
    assert_first_hint(scene, "a firewall on the way to member lamp refuses");
}

static void members_that_are_not_there(void **state) {
    struct scene *scene = *state;
    scene->findings.group.answered = 1;
    struct cg_silent *lamp = add_silent(scene, "lamp", on_link, CG_PROBE_ICMP);
    lamp->probe.why = CG_UNREACHABLE_PORT;
    assert_first_hint(scene, "nothing listens at port 5683 of member lamp: its program does not run, or the port is "
                             "wrong");
    lamp->other_port = 17;
    assert_first_hint(scene, "nothing listens at port 5683 of member lamp, but something that speaks CoAP does at its "
                             "port 17: the wrong port");
    lamp->probe.why = CG_UNREACHABLE_HOST;
    assert_first_hint(scene, "member lamp is not there");
    lamp->way = routed;
    assert_first_hint(scene, "member lamp cannot be reached by unicast either: port unreachable");
}

/* Clients of the mapping wait for less than members may take. */
static void members_that_had_no_time(void **state) {
    struct scene *scene = *state;
    scene->findings.group.answered = 3;
    scene->mapping.has_timeout = true;
    scene->mapping.leisure = 5;
    scene->mapping.timeout_us = 5000000;
    assert_string_equal(hints_of(scene), "");
    scene->mapping.timeout_us = 1500000;
    assert_first_hint(scene, "the mapping's timeout of 1.5 s is below its members' leisure of 5 s");
    scene->findings.group.over_time = 2;
    scene->findings.group.latest_ms = 4200;
    assert_first_hint(scene, "2 of 3 answers came after the mapping's timeout of 1.5 s, the last after 4.2 s");
    assert_no_hint(scene, "is below");
    scene->findings.group.over_time = 0;
    scene->findings.unicast = true; /* there is no leisure */
    assert_string_equal(hints_of(scene), "");
}

/* Nobody is known who could be asked why, but all can be asked for what every server may have. */
static void members_that_answer_for_the_core_only(void **state) {
    struct scene *scene = *state;
    scene->findings.core_asked = true;
    assert_no_hint(scene, "/.well-known/core");
    scene->findings.core.answered = 3;
    assert_first_hint(scene, "3 members answer a request for the group's /.well-known/core, and none for /status");
}

static void what_was_refused_and_why(void **state) {
    static const char *const reasons[] = {"unprotected", "unknown-sender",    "bad-option",   "verification-failed",
                                          "evicted",     "blocks-incomplete", "wrong-source", "unproven-address"};
    struct scene *scene = *state;
    struct cg_check_result *group = &scene->findings.group;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        group->kind_count = 0;
        group->rejected = 2;
        cg_check_result_count(group, reasons[i], 0, cg_slice_str("192.0.2.1:5683"));
        cg_check_result_count(group, reasons[i], 0, cg_slice_str("192.0.2.2:5683"));
        assert_first_hint(scene, "2 answers were rejected, the first from 192.0.2.1:5683: ");
        assert_no_hint(scene, "switch");
    }
    group->kind_count = 0;
    cg_check_result_count(group, "some-new-reason", 0, cg_slice_str("192.0.2.1:5683"));
    assert_first_hint(scene, "2 answers were rejected: \"rejected\" says why");
}

static void errors_that_members_answer(void **state) {
    struct scene *scene = *state;
    scene->findings.group.answered = 1;
    cg_check_result_count(&scene->findings.group, "", 0x84, cg_slice_str("192.0.2.1:5683"));
    assert_first_hint(scene, "1 members answer 4.04, such as 192.0.2.1:5683: they have nothing at the path");
}

static void members_that_wanted_an_echo(void **state) {
    struct scene *scene = *state;
    scene->findings.group.received = 2;
    scene->findings.group.fates[CG_FATE_CHALLENGE] = 2;
    assert_first_hint(scene, "members wanted the request again with an Echo value (2 times)");
    scene->findings.group.answered = 2; /* and have answered */
    assert_string_equal(hints_of(scene), "");
}

static void nobody_knows_who_is_there(void **state) {
    struct scene *scene = *state;
    scene->mapping.member_count = 0;
    assert_hint(scene, "castgate --discover coap://224.0.1.187.");
    scene->mapping.member_count = 1;
    assert_no_hint(scene, "--discover");
}

/* What came and was no answer is not said to be nothing. */
static void what_came_and_was_no_answer(void **state) {
    struct scene *scene = *state;
    assert_hint(scene, "nothing came back");
    scene->findings.group.received = scene->findings.tap.total = 1;
    assert_no_hint(scene, "nothing came back");
    scene->findings.group.fates[CG_FATE_UNKNOWN_TOKEN] = 1;
    assert_first_hint(scene, "1 answers came with a token of no request");
    scene->findings.group.fates[CG_FATE_UNKNOWN_TOKEN] = 0;
    scene->findings.group.fates[CG_FATE_LATE] = 1;
    assert_first_hint(scene, "1 answers came too late");
}

/* What the reverse path filter, the full buffer and wrong checksums explain is not the firewall's. */
static void each_loss_has_one_cause(void **state) {
    struct scene *scene = *state;
    scene->findings.tap.total = 11;
    scene->findings.group.received = 1;
    scene->findings.group.kernel_drops = 2;
    scene->findings.drops = (struct cg_drops){.reverse_path = 3, .checksums = 1};
    scene->outlet.link.strict_reverse_path = true;
    assert_hint(scene, "the reverse path filter of this host dropped 3 datagrams");
    assert_hint(scene, "1 datagrams came with a wrong UDP checksum");
    assert_hint(scene, "11 datagrams for the gateway's port arrived here, 4 of them were dropped");
    assert_no_hint(scene, "cannot be read");
    scene->findings.group.kernel_drops = 6;
    assert_no_hint(scene, "a firewall on this host");
    scene->findings.group.received = 0;
    scene->findings.has_rules = false;
    assert_hint(scene, "its rules cannot be read as this user; run --check as root");
    scene->findings.as_root = true;
    assert_no_hint(scene, "as root");
}

static void nobody_s_addresses_are_no_firewall(void **state) {
    static const char *const sources[] = {"224.0.0.5:5683", "127.0.0.1:5683", "0.0.0.0:5683", "255.255.255.255:5683",
                                          "[ff02::1]:5683", "[::1]:5683",     "[::]:5683"};
    struct scene *scene = *state;
    scene->findings.tap.total = scene->findings.tap.count = 1;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        scene->findings.tap.list[0] = (struct cg_sighting){.interface = 4242, .from = address(sources[i]), .count = 1};
        assert_first_hint(scene, "1 datagrams came from addresses that none may come from, as from ");
        assert_no_hint(scene, "a firewall on this host");
    }
}

static void without_the_right_to_look(void **state) {
    struct scene *scene = *state;
    assert_hint(scene, "the request left by near0 and nothing came back");
    assert_no_hint(scene, "as root");
    scene->findings.tapped = false;
    assert_hint(scene, "no answer reached the gateway");
    assert_hint(scene, "run --check as root");
    scene->findings.as_root = true;
    assert_no_hint(scene, "as root");
    assert_hint(scene, "CAP_NET_RAW");
}

/* The kernel would speak to the member from another address than the request came from. */
static void a_source_that_members_do_not_know(void **state) {
    struct scene *scene = *state;
    struct cg_silent *lamp = add_speaking(scene, "", 0x45);
    scene->outlet.source = address("10.9.9.9:777");
    lamp->source = address("10.7.1.1:0");
    assert_first_hint(scene, "the wrong source: the request left from 10.9.9.9, but unicast to member lamp leaves from "
                             "10.7.1.1: its answer goes to 10.9.9.9");
    lamp->source = scene->outlet.source;
    assert_no_hint(scene, "the wrong source");
}

static void interfaces_that_cannot_carry_it(void **state) {
    struct scene *scene = *state;
    scene->outlet.link.multicast = false;
    assert_first_hint(scene, "near0 is set up without multicast");
    scene->target.interface = "near0";
    scene->outlet.has_interface = false;
    scene->outlet.problem.err = scene->findings.problem.err = CG_E_EMIT;
    scene->outlet.link = (struct cg_link){.mtu = 1500};
    assert_first_hint(scene, "bring near0 up (ip link set dev near0 up), or take another: ");
    scene->outlet.link.up = true;
    assert_first_hint(scene, "near0 has no carrier");
}

/* Where there is no store its own text says what to do; another process has none of it. */
static void a_store_that_is_missing_or_taken(void **state) {
    struct scene *scene = *state;
    cg_problem_set(&scene->findings.problem, CG_E_STORE, "the state folder /state is locked by another gateway");
    assert_first_hint(scene, "a protected request takes numbers from the state folder");
    cg_problem_set(&scene->findings.problem, CG_E_STORE, "the store /state/castgate.db is missing: put it back");
    assert_no_hint(scene, "a protected request takes numbers");
}

/* Advice about switches and groups means nothing where the only member was asked by unicast. */
static void a_member_asked_by_unicast(void **state) {
    struct scene *scene = *state;
    scene->findings.unicast = true;
    scene->mapping.leisure = 5;
    scene->target.hops = 1;
    add_silent(scene, "lamp", (struct cg_way){.interface = 17}, CG_PROBE_ICMP)->probe.why = CG_UNREACHABLE_PORT;
    assert_string_equal(hints_of(scene), " - nothing listens at port 5683 of member lamp: its program does not run, or "
                                         "the port is wrong (port unreachable: nothing listens there, says "
                                         "192.0.2.7). Replies call it not-listening. ");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_healthy_group_needs_none),
        TEST(a_small_buffer),
        TEST(members_behind_routers),
        TEST(members_that_hear_only_unicast),
        TEST(members_that_have_nothing_at_the_path),
        TEST(members_with_other_keys),
        TEST(members_with_a_firewall),
        TEST(members_that_are_not_there),
        TEST(members_that_had_no_time),
        TEST(members_that_answer_for_the_core_only),
        TEST(what_was_refused_and_why),
        TEST(errors_that_members_answer),
        TEST(members_that_wanted_an_echo),
        TEST(nobody_knows_who_is_there),
        TEST(what_came_and_was_no_answer),
        TEST(each_loss_has_one_cause),
        TEST(nobody_s_addresses_are_no_firewall),
        TEST(without_the_right_to_look),
        TEST(a_source_that_members_do_not_know),
        TEST(interfaces_that_cannot_carry_it),
        TEST(a_store_that_is_missing_or_taken),
        TEST(a_member_asked_by_unicast),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
