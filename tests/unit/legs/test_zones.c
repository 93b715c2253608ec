/* Members with link-local addresses (RFC 4007): whose zone the settings have, and whose zone is the link's of the
 * moment (R42). */
#include "exchange/fake_world.h"

#include <string.h>

static uint32_t zone_now;

static uint32_t fake_zone(void *ctx, const char *interface) {
    (void)ctx;
    assert_string_equal(interface, "lo");
    return zone_now;
}

static void start(struct world *world, const char *const *members, unsigned count) {
    world->port.zone = fake_zone;
    struct cg_mapping *mapping = world_mapping(world, "lamps");
    world_add_members(world, mapping, count);
    for (unsigned i = 0; i < count; i++) mapping->members[i].addr = address(members[i]);
}

static void test_a_member_without_zone_is_known_on_any_link(void **state) {
    struct world *world = *state;
    struct call call;
    static const char *const members[] = {"[fe80::1]:5683", "[fe80::1]:5684"};
    start(world, members, 2);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "[fe80::1%3]:5683", "on");
    world_answer(world, 0, "[fe80::1%7]:5684", "on");
    world_run(world);
    assert_int_equal(call.replies, 1);
    assert_string_equal(call.reply.summary.ended_by, "all");
    assert_non_null(strstr(call.text, "\"from\":\"[fe80::1%3]:5683\""));
}

static void test_a_member_with_zone_is_known_there_only(void **state) {
    struct world *world = *state;
    struct call call;
    static const char *const members[] = {"[fe80::1%3]:5683", "[fe80::2%3]:5683"};
    start(world, members, 2);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "[fe80::1%4]:5683", "on");
    world_answer(world, 0, "[fe80::2%3]:5683", "on");
    world_advance(world, 2 * SECOND);
    assert_string_equal(call.reply.summary.ended_by, "deadline");
    assert_int_equal(call.reply.summary.answered, 2);
    assert_int_equal(call.reply.summary.missing, 1);
}

/* Other addresses mean the same everywhere: no zone is taken off them. */
static void test_only_link_local_addresses_have_zones(void **state) {
    struct world *world = *state;
    struct call call;
    static const char *const members[] = {"[fd00::1]:5683", "[fd00::2]:5683"};
    start(world, members, 2);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "[fd00::1%4]:5683", "on");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.missing, 2);
}

/* R6 over a link: the zone is asked for each time, since the interface may have come back with another. */
static void test_unicast_goes_to_the_zone_of_the_moment(void **state) {
    struct world *world = *state;
    struct call call;
    static const char *const members[] = {"[fe80::1]:5683"};
    start(world, members, 1);
    for (zone_now = 3; zone_now < 5; zone_now++) {
        size_t index = world->sent_count;
        char from[CG_ADDR_TEXT_MAX];
        struct cg_addr to = address("[fe80::1%9]:5683");
        to.scope = zone_now;
        world_get(world, &call, "/lamps");
        assert_int_equal(world->sent_count, index + 1);
        assert_true(cg_addr_equal(&world->sent[index].route.to, &to));
        cg_addr_emit(&to, from);
        world_answer_as(
            world, index, from,
            (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5), .mid = world->sent[index].msg.mid, .payload = "on"});
        world_run(world);
        assert_string_equal(call.reply.summary.ended_by, "all");
    }
}

static void test_a_configured_zone_stays(void **state) {
    struct world *world = *state;
    struct call call;
    static const char *const members[] = {"[fe80::1%2]:5683"};
    zone_now = 9;
    start(world, members, 1);
    world_get(world, &call, "/lamps");
    assert_int_equal(world->sent[0].route.to.scope, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_a_member_without_zone_is_known_on_any_link),
        world_test(test_a_member_with_zone_is_known_there_only),
        world_test(test_only_link_local_addresses_have_zones),
        world_test(test_unicast_goes_to_the_zone_of_the_moment),
        world_test(test_a_configured_zone_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
