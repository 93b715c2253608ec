/* Silent members that let all datagrams of a unicast request pass: they are asked once more while there is time, each
 * time more patiently, and what that costs is bounded. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

enum { DATAGRAMS = 5 /* of one ask: MAX_RETRANSMIT and the first */, ASKS = 3, AT_ONCE = 32 };

#define TIMEOUT_US (SECOND / 10) /* so that an ask is over within 5 s */

/* "lamps" has so many members, and asks silent ones after a second. */
static struct cg_mapping *lamps_init(struct world *world, unsigned members, uint64_t timeout_us) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, members);
    lamps->timeout_us = lamps->max_timeout_us = timeout_us;
    lamps->repair_unicast = true;
    lamps->leisure = 1;
    world->config->group.ack_timeout_us = TIMEOUT_US;
    return lamps;
}

static void ask_with(struct world *world, struct call *call, uint8_t method) {
    world_new(world, call, "/lamps")->method = method;
    world_go(world, call);
}

static bool is_to(const struct world *world, size_t index, unsigned member) {
    const struct cg_addr *to = &world->sent[index].route.to;
    return !cg_addr_is_multicast(to) && to->ip[3] == member;
}

static size_t count_to(const struct world *world, unsigned member) {
    size_t count = 0;
    for (size_t i = 0; i < world->sent_count; i++) count += is_to(world, i, member);
    return count;
}

/* What went to it as number `nth`, from 0. */
static size_t index_of(const struct world *world, unsigned member, size_t nth) {
    size_t i = 0;
    while (!is_to(world, i, member) || nth-- > 0) i++;
    return i;
}

static uint64_t time_of(const struct world *world, unsigned member, size_t nth) {
    return world->sent[index_of(world, member, nth)].at_us;
}

/* The first of two answers, the second lets one ask pass, and hears the first of the next. */
static void let_one_ask_pass(struct world *world, struct call *call, uint8_t method) {
    ask_with(world, call, method);
    world_answer(world, 0, "127.1.0.1", "on");
    while (count_to(world, 2) <= DATAGRAMS) {
        assert_true(world->now_us - world->sent[0].at_us < 30 * SECOND);
        world_advance(world, SECOND / 100);
    }
}

static void who_lets_an_ask_pass_is_asked_once_more(void **state) {
    struct world *world = *state;
    struct call call;
    lamps_init(world, 2, 30 * SECOND);
    let_one_ask_pass(world, &call, CG_GET);
    size_t again = index_of(world, 2, DATAGRAMS);
    assert_int_not_equal(world->sent[again].msg.mid, world->sent[again - 1].msg.mid);
    world_answer_as(
        world, again, "127.1.0.2",
        (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5), .mid = world->sent[again].msg.mid, .payload = "off"});
    world_run(world);
    assert_int_equal(call.reply.summary.answered, 2);
    assert_string_equal(call.reply.summary.ended_by, "all");
    call_fini(&call);
}

/* RFC 6298 §5.7: where the one before has left off. */
static void each_ask_begins_more_patiently(void **state) {
    struct world *world = *state;
    struct call call;
    lamps_init(world, 2, 30 * SECOND);
    ask_with(world, &call, CG_GET);
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 29 * SECOND);
    assert_true(count_to(world, 2) > DATAGRAMS + 1);
    uint64_t first_us = time_of(world, 2, 1) - time_of(world, 2, 0);
    uint64_t later_us = time_of(world, 2, DATAGRAMS + 1) - time_of(world, 2, DATAGRAMS);
    assert_in_range(first_us, TIMEOUT_US, TIMEOUT_US * 3 / 2);
    assert_in_range(later_us, 16 * TIMEOUT_US, 16 * TIMEOUT_US * 3 / 2);
    call_fini(&call);
}

static void a_dead_member_costs_three_asks_at_most(void **state) {
    struct world *world = *state;
    struct call call;
    lamps_init(world, 2, 10000 * SECOND);
    ask_with(world, &call, CG_PUT);
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 29 * SECOND);
    assert_in_range(count_to(world, 2), DATAGRAMS + 1, 2 * DATAGRAMS - 1); /* in a round of half a minute */
    world_advance(world, 9000 * SECOND);
    assert_int_equal(count_to(world, 2), ASKS * DATAGRAMS);
    call_fini(&call);
}

static void many_dead_members_share_the_places(void **state) {
    enum { MEMBERS = AT_ONCE + 8 };
    struct world *world = *state;
    struct call call;
    lamps_init(world, MEMBERS, 10000 * SECOND);
    ask_with(world, &call, CG_GET);
    for (unsigned i = 0; i < 9000; i++) {
        world_advance(world, SECOND);
        assert_true(world_round(world, &call)->repair.running <= AT_ONCE);
    }
    for (unsigned member = 1; member <= MEMBERS; member++)
        assert_in_range(count_to(world, member), DATAGRAMS, ASKS * DATAGRAMS);
    call_fini(&call);
}

/* RFC 10021 §7: nothing new for what may have been done. */
static void what_may_not_be_done_twice_is_asked_for_once(void **state) {
    static const uint8_t methods[] = {CG_POST, CG_PATCH};
    struct world *world = *state;
    for (size_t i = 0; i < sizeof methods; i++) {
        struct call call;
        lamps_init(world, 3, 30 * SECOND)->members[1].is_unicast_only = true;
        ask_with(world, &call, methods[i]);
        world_advance(world, 29 * SECOND);
        assert_int_equal(count_to(world, 2), DATAGRAMS);
        call_fini(&call);
        world_renew(world);
    }
}

static void without_repair_nobody_is_asked_again(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = lamps_init(world, 3, 30 * SECOND);
    lamps->members[1].is_unicast_only = true;
    lamps->repair_unicast = false;
    ask_with(world, &call, CG_GET);
    world_advance(world, 29 * SECOND);
    assert_int_equal(count_to(world, 2), DATAGRAMS);
    call_fini(&call);
}

static void what_could_not_be_answered_in_time_is_not_asked(void **state) {
    struct world *world = *state;
    struct call call;
    lamps_init(world, 2, 30 * SECOND);
    let_one_ask_pass(world, &call, CG_GET);
    uint64_t second_us = time_of(world, 2, DATAGRAMS) - world->sent[0].at_us;
    call_fini(&call);
    world_renew(world);
    lamps_init(world, 2, second_us + TIMEOUT_US / 2); /* the same, as chance is the same */
    ask_with(world, &call, CG_GET);
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, second_us + TIMEOUT_US);
    assert_int_equal(count_to(world, 2), DATAGRAMS);
    assert_string_equal(call.reply.summary.ended_by, "deadline");
    call_fini(&call);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(who_lets_an_ask_pass_is_asked_once_more),         world_test(each_ask_begins_more_patiently),
        world_test(a_dead_member_costs_three_asks_at_most),          world_test(many_dead_members_share_the_places),
        world_test(what_may_not_be_done_twice_is_asked_for_once),    world_test(without_repair_nobody_is_asked_again),
        world_test(what_could_not_be_answered_in_time_is_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
