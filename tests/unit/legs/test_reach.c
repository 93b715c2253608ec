/* Acknowledgements and Resets: whoever writes from a made-up address must not have them sent to somebody else's
 * network, and a flood must not cost a question about routes a datagram. */
#include "exchange/fake_world.h"

#include <stdio.h>

#include "legs/endpoint.h"
#include "legs/reach.h"
#include "settings/settings.h"

enum { FLOOD = 5000 };

static void ping(struct world *world, const char *from) {
    static const uint8_t bytes[] = {0x40, 0, 0x12, 0x34};
    world_deliver(world, from, bytes, sizeof bytes);
}

/* One of each kind that RFC 7252 has answered by an empty message, but for answers. */
static void deliver_all(struct world *world, const char *from) {
    static const uint8_t unknown[] = {0x48, 0x45, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t request[] = {0x40, 0x01, 0x12, 0x34};
    static const uint8_t malformed[] = {0x40, 0x45, 0x12, 0x34, 0xff};
    ping(world, from);
    world_deliver(world, from, unknown, sizeof unknown);
    world_deliver(world, from, request, sizeof request);
    world_deliver(world, from, malformed, sizeof malformed);
}

static void answer(struct world *world, const char *from) {
    world_answer_as(world, 0, from,
                    (struct answer){.type = CG_CON, .code = CG_CODE(2, 5), .mid = 0x1234, .payload = "on"});
}

/* The next `count` emissions are empty, of that type, and go there. */
static void expect_empties(const struct world *world, size_t *at, size_t count, enum cg_type type, const char *to) {
    struct cg_addr addr = address(to);
    assert_int_equal(world->sent_count, *at + count);
    for (; *at < world->sent_count; ++*at) {
        const struct emission *emission = &world->sent[*at];
        assert_int_equal(emission->len, 4);
        assert_int_equal(emission->msg.type, type);
        assert_int_equal(emission->msg.code, CG_EMPTY);
        assert_int_equal(emission->msg.mid, 0x1234);
        assert_true(cg_addr_equal(&emission->route.to, &addr));
    }
}

static void expect_heard(struct world *world, size_t *at, const char *from) {
    deliver_all(world, from);
    expect_empties(world, at, 4, CG_RST, from);
    answer(world, from);
    expect_empties(world, at, 1, CG_ACK, from);
}

static void expect_silence(struct world *world, size_t at, const char *from) {
    deliver_all(world, from);
    answer(world, from);
    assert_int_equal(world->sent_count, at);
}

static void test_empty_messages_stay_within_link_prefixes_and_settings(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_prefix prefixes[2];
    world_mapping(world, "lamps")->timeout_us = 4 * SECOND;
    struct cg_mapping *pair = world_mapping(world, "pair");
    world_add_members(world, pair, 2);
    pair->members[1].addr = address("203.0.113.2"); /* behind a router */
    assert_int_equal(cg_prefix_parse(&prefixes[0], cg_slice_str("10.0.0.0/8")), CG_OK);
    assert_int_equal(cg_prefix_parse(&prefixes[1], cg_slice_str("2001:db8:7::/48")), CG_OK);
    world->config->group.prefixes = prefixes;
    world->config->group.prefix_count = 2;
    world_get(world, &call, "/lamps");
    size_t at = 1;
    expect_silence(world, at, "203.0.113.9");
    expect_silence(world, at, "[2001:db8:8::9]:5683");
    expect_heard(world, &at, "127.1.0.9");
    expect_heard(world, &at, "10.9.8.7:61616");
    expect_heard(world, &at, "[2001:db8:7:1::9]:5683");
    expect_heard(world, &at, "203.0.113.2");
    expect_heard(world, &at, "203.0.113.2:61616");
    world_advance(world, 4 * SECOND);
    assert_int_equal(call.reply.summary.answered, 7); /* silence refuses nobody */
    answer(world, "203.0.113.9");                     /* late */
    assert_int_equal(world->sent_count, at);
}

static void test_an_answer_of_somebody_who_was_not_asked_is_reset_by_the_same_rule(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 1); /* which is asked alone */
    world_get(world, &call, "/lamps");
    assert_false(cg_addr_is_multicast(&world->sent[0].route.to));
    size_t at = 1;
    answer(world, "203.0.113.9");
    assert_int_equal(world->sent_count, at);
    answer(world, "127.1.0.9");
    expect_empties(world, &at, 1, CG_RST, "127.1.0.9");
    answer(world, "127.1.0.1");
    expect_empties(world, &at, 1, CG_ACK, "127.1.0.1");
    world_advance(world, 2 * SECOND);
}

/* Who was asked as a member and has answered is known for a while, whatever the settings say by now. */
static void test_who_has_answered_a_request_is_heard_until_it_is_forgotten(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 1);
    lamps->members[0].addr = address("203.0.113.2");
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "203.0.113.2", "on");
    world_run(world);
    assert_int_equal(call.reply.summary.answered, 1);
    struct cg_config *empty = cg_settings_defaults();
    assert_non_null(empty);
    assert_int_equal(cg_config_index(empty), CG_OK);
    size_t at = world->sent_count;
    ping(world, "203.0.113.2:61616");
    expect_empties(world, &at, 1, CG_RST, "203.0.113.2:61616");
    cg_gateway_adopt(world->gateway, empty);
    ping(world, "203.0.113.2:61616"); /* what was found out before is of other settings */
    assert_int_equal(world->sent_count, at);
    ping(world, "203.0.113.2");
    expect_empties(world, &at, 1, CG_RST, "203.0.113.2");
    world_advance(world, 400 * SECOND);
    ping(world, "203.0.113.2");
    assert_int_equal(world->sent_count, at);
    cg_config_unref(empty);
}

static void test_a_host_is_asked_about_once_in_ten_seconds(void **state) {
    struct world *world = *state;
    for (int i = 0; i < FLOOD; i++) ping(world, "203.0.113.9");
    assert_int_equal(world->link_questions, 1); /* three targets, one interface */
    for (int i = 0; i < FLOOD; i++) ping(world, "127.1.0.9");
    assert_int_equal(world->link_questions, 2);
    assert_int_equal(world->sent_count, FLOOD);
    world->now_us += 9 * SECOND;
    ping(world, "127.1.0.9");
    assert_int_equal(world->link_questions, 2);
    world->now_us += 2 * SECOND;
    ping(world, "127.1.0.9");
    assert_int_equal(world->link_questions, 3);
    assert_int_equal(world->sent_count, FLOOD + 2);
}

static void test_a_flood_of_hosts_asks_a_bounded_number_of_questions(void **state) {
    struct world *world = *state;
    char from[32];
    world_add_members(world, world_mapping(world, "lamps"), 1);
    for (int i = 0; i < FLOOD; i++) {
        snprintf(from, sizeof from, "198.18.%d.%d", i / 250, i % 250 + 1);
        ping(world, from);
    }
    assert_int_equal(world->link_questions, (unsigned)CG_REACH_QUESTIONS);
    ping(world, "127.1.0.9"); /* unknown, so nobody */
    assert_int_equal(world->sent_count, 0);
    ping(world, "127.1.0.1"); /* of members nothing needs to be asked */
    assert_int_equal(world->sent_count, 1);
    world->now_us += SECOND;
    ping(world, "127.1.0.9");
    assert_int_equal(world->sent_count, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_empty_messages_stay_within_link_prefixes_and_settings),
        world_test(test_an_answer_of_somebody_who_was_not_asked_is_reset_by_the_same_rule),
        world_test(test_who_has_answered_a_request_is_heard_until_it_is_forgotten),
        world_test(test_a_host_is_asked_about_once_in_ten_seconds),
        world_test(test_a_flood_of_hosts_asks_a_bounded_number_of_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
