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
    struct cg_silent silent[2];
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
    scene->findings = (struct cg_findings){.config = scene->config,
                                           .mapping = &scene->mapping,
                                           .outlets = &scene->outlet,
                                           .outlet_count = 1,
                                           .buffer_asked = 4096,
                                           .buffer_got = 4096,
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

static void add_silent(struct scene *scene, const char *name, struct cg_way way, enum cg_probe_result result) {
    struct cg_silent *silent = &scene->silent[scene->findings.silent_count++];
    strcpy(silent->name, name);
    silent->way = way;
    silent->probe.result = result;
    strcpy(silent->probe.what, "port unreachable: nothing listens there, says 192.0.2.7");
    scene->findings.silent = scene->silent;
    scene->findings.missing++;
}

static void a_healthy_group_needs_none(void **state) {
    struct scene *scene = *state;
    scene->findings.answered = 3;
    assert_string_equal(hints_of(scene), "");
}

static void a_small_buffer(void **state) {
    struct scene *scene = *state;
    scene->findings.answered = 3;
    scene->findings.buffer_got = 2048;
    assert_hint(scene, "the receive buffer is 2048 bytes rather than 4096");
    assert_hint(scene, "sysctl -w net.core.rmem_max=4096");
    assert_no_hint(scene, "the kernel dropped");
    scene->findings.kernel_drops = 7;
    assert_hint(scene, "the kernel dropped 7 datagrams because the receive buffer was full");
}

static void members_behind_routers(void **state) {
    struct scene *scene = *state;
    scene->target.hops = 1;
    add_silent(scene, "near", (struct cg_way){.interface = 4242}, CG_PROBE_SILENT);
    assert_no_hint(scene, "hop limit");
    add_silent(scene, "far", (struct cg_way){.interface = 4242, .routed = true}, CG_PROBE_SILENT);
    assert_hint(scene, "member far is behind a router, but the hop limit is 1");
    scene->outlet.group = address("ff02::7:7");
    assert_hint(scene, "member far is behind a router, and no router passes on ff02::7:7");
    scene->target.hops = 2;
    assert_no_hint(scene, "hop limit");
}

static void members_that_hear_only_unicast(void **state) {
    struct scene *scene = *state;
    add_silent(scene, "lamp", (struct cg_way){.interface = 4242}, CG_PROBE_PONG);
    assert_hint(scene, "1 of the silent members, such as lamp, answer a CoAP ping by unicast");
    assert_no_hint(scene, "same keys");
    scene->mapping.security = CG_SECURITY_GROUP;
    assert_hint(scene, "have they the same keys?");
}

/* Members that are up may have waited longer than the gateway did. */
static void members_that_had_no_time(void **state) {
    struct scene *scene = *state;
    scene->mapping.leisure = 5;
    scene->mapping.timeout_us = 5000000;
    assert_no_hint(scene, "the gateway listened");
    scene->mapping.timeout_us = 1500000;
    assert_hint(scene, "the gateway listened for 1.5 s, while members may take up to 5 s to answer a group");
    add_silent(scene, "lamp", (struct cg_way){.interface = 4242}, CG_PROBE_PONG);
    assert_hint(scene, "the gateway listened");
    scene->findings.late = 1; /* said better by what came */
    assert_no_hint(scene, "the gateway listened");
    scene->findings.late = 0;
    scene->findings.answered = 1; /* one was quick, and the lamp is still missing */
    assert_hint(scene, "the gateway listened");
    scene->findings.tap.total = 1; /* a firewall's fault, not time's */
    assert_no_hint(scene, "the gateway listened");
    scene->findings.tap.total = 0;
    scene->outlet.link.loopback = true; /* and nobody there */
    assert_no_hint(scene, "the gateway listened");
    scene->outlet.is_joined = true;
    assert_hint(scene, "the gateway listened");
}

/* Nothing came and nothing explains it: the resource may not be there. */
static void members_that_have_nothing_there(void **state) {
    struct scene *scene = *state;
    assert_hint(scene, "members that have nothing at the path of the mapping's group URI do not answer");
    scene->findings.received = 1;
    assert_no_hint(scene, "nothing at the path");
    scene->findings.received = 0;
    scene->findings.unicast = true;
    assert_no_hint(scene, "nothing at the path");
}

static void members_that_are_not_there(void **state) {
    struct scene *scene = *state;
    scene->findings.answered = 1;
    add_silent(scene, "lamp", (struct cg_way){.interface = 4242}, CG_PROBE_ICMP);
    assert_hint(
        scene,
        "member lamp cannot be reached by unicast either: port unreachable: nothing listens there, says 192.0.2.7.");
}

static void what_was_refused_and_why(void **state) {
    struct scene *scene = *state;
    scene->findings.rejected = 1;
    scene->findings.first_rejection = "unprotected";
    assert_hint(scene, "members answered without protection");
    assert_no_hint(scene, "switch");
    scene->findings.first_rejection = "unknown-sender";
    assert_hint(scene, "compare the key files");
}

/* What the reverse path filter and the full buffer explain is not the firewall's. */
static void each_loss_has_one_cause(void **state) {
    struct scene *scene = *state;
    scene->findings.tap.total = 10;
    scene->findings.received = 1;
    scene->findings.kernel_drops = 2;
    scene->findings.reverse_path_drops = 3;
    scene->outlet.link.strict_reverse_path = true;
    assert_hint(scene, "the reverse path filter of this host dropped 3 datagrams");
    assert_hint(scene, "10 datagrams for the gateway's port arrived here, 4 of them were dropped");
    assert_no_hint(scene, "cannot be read");
    scene->findings.kernel_drops = 6;
    assert_no_hint(scene, "a firewall on this host");
    scene->findings.received = 0;
    scene->findings.has_rules = false;
    assert_hint(scene, "its rules cannot be read as this user");
}

static void without_the_right_to_look(void **state) {
    struct scene *scene = *state;
    assert_hint(scene, "the request left by near0 and nothing came back");
    assert_no_hint(scene, "as root");
    scene->findings.tapped = false;
    assert_hint(scene, "no answer reached the gateway");
    assert_hint(scene, "run --check as root");
}

/* Advice about switches and groups means nothing where the only member was asked by unicast. */
static void a_member_asked_by_unicast(void **state) {
    struct scene *scene = *state;
    scene->findings.unicast = true;
    scene->mapping.leisure = 5;
    scene->target.hops = 1;
    add_silent(scene, "lamp", (struct cg_way){.interface = 17}, CG_PROBE_ICMP);
    assert_string_equal(hints_of(scene),
                        " - member lamp cannot be reached by unicast either: port unreachable: nothing listens "
                        "there, says 192.0.2.7. ");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_healthy_group_needs_none),      TEST(a_small_buffer),
        TEST(members_behind_routers),          TEST(members_that_hear_only_unicast),
        TEST(members_that_have_nothing_there), TEST(members_that_are_not_there),
        TEST(what_was_refused_and_why),        TEST(each_loss_has_one_cause),
        TEST(without_the_right_to_look),       TEST(a_member_asked_by_unicast),
        TEST(members_that_had_no_time),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
