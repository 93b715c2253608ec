/* Rounds that observe: one registration however many watch and however late they come, each of them told every
 * member's latest first and then whatever changes; and no end by time as long as somebody is observed. */
#include "exchange/fake_keys.h"
#include "rounds/fake_observer.h"

#include <string.h>

static int teardown(void **state) {
    struct world *world = *state;
    assert_int_equal(cg_gateway_running(world->gateway), 0);
    assert_int_equal(cg_gateway_observers(world->gateway), 0);
    assert_null(world->gateway->rounds.open);
    return world_teardown(state);
}

#define watch_test(test) cmocka_unit_test_setup_teardown(test, world_setup, teardown)

static void leave(struct world *world, struct observer *observer) {
    cg_gateway_abandon(world->gateway, observer->ticket);
    world_run(world);
    assert_true(observer->ended);
}

static void test_an_observer_hears_of_changes_beyond_its_time(void **state) {
    struct world *world = *state;
    struct observer observer;
    struct cg_slice value;
    observe(world, &observer, "/lamps");
    assert_int_equal(world->sent_count, 1);
    assert_true(cg_msg_find(&world->sent[0].msg, CG_OPT_OBSERVE, &value));
    assert_int_equal(value.len, 0); /* register */
    notify(world, 0, "127.1.0.1", 1, "on");
    world_run(world);
    assert_string_equal(observer_take(&observer), "127.1.0.1 on;");
    world_advance(world, 10 * SECOND);
    notify(world, 0, "127.1.0.1", 2, "off");
    notify(world, 0, "127.1.0.2", 1, "dim"); /* its first answer was lost, or it has come since */
    world_run(world);
    assert_string_equal(observer_take(&observer), "127.1.0.1 off;127.1.0.2 dim;");
    assert_int_equal(world_mapping(world, "lamps")->stats->notifications, 1);
    assert_int_equal(world_mapping(world, "lamps")->stats->duplicate, 0);
    leave(world, &observer);
}

static void test_it_ends_in_time_where_nobody_is_observed(void **state) {
    struct world *world = *state;
    struct observer observer;
    observe(world, &observer, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on"); /* which knows no Observe */
    world_advance(world, 2 * SECOND - 1);
    assert_string_equal(observer_take(&observer), "127.1.0.1 on alone;");
    assert_false(observer.ended);
    world_advance(world, 1);
    assert_true(observer.ended);
    assert_string_equal(observer.summary.ended_by, "deadline");
    assert_int_equal(observer.summary.answered, 1);
}

static void test_no_finish_rule_ends_it(void **state) {
    struct world *world = *state;
    struct observer observer;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    observer_new(world, &observer, "/lamps")->finishing = CG_FINISH_AS_MAPPING;
    observer_go(world, &observer);
    notify(world, 0, "127.1.0.1", 1, "on");
    notify(world, 0, "127.1.0.2", 1, "on");
    world_advance(world, 30 * SECOND);
    assert_false(observer.ended);
    leave(world, &observer);
}

static void test_it_ends_with_the_last_member_that_leaves(void **state) {
    struct world *world = *state;
    struct observer observer;
    observe(world, &observer, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    notify(world, 0, "127.1.0.2", 1, "on");
    world_advance(world, 5 * SECOND);
    observer_take(&observer);
    world_answer_as(world, 0, "127.1.0.1",
                    (struct answer){.type = CG_NON, .code = CG_CODE(4, 4), .mid = 7, .payload = "gone"});
    world_run(world);
    assert_string_equal(observer_take(&observer), "127.1.0.1 gone alone;");
    assert_false(observer.ended);
    world_answer(world, 0, "127.1.0.2", "last"); /* 2.05 without Observe */
    world_run(world);
    assert_string_equal(observer_take(&observer), "127.1.0.2 last alone;");
    assert_true(observer.ended);
    assert_string_equal(observer.summary.ended_by, "deadline");
    assert_int_equal(observer.summary.failed, 1);
    assert_int_equal(observer.summary.duplicates, 0);
}

static void test_a_late_one_joins_and_hears_every_latest_first(void **state) {
    struct world *world = *state;
    struct observer early, late;
    observe(world, &early, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    notify(world, 0, "127.1.0.2", 1, "on");
    world_run(world);
    notify(world, 0, "127.1.0.1", 2, "off");
    world_advance(world, 100 * SECOND);
    observe(world, &late, "/lamps");
    assert_int_equal(world->sent_count, 1); /* nothing upstream */
    assert_string_equal(observer_take(&late), "127.1.0.2 on;127.1.0.1 off;");
    notify(world, 0, "127.1.0.2", 2, "dim");
    world_run(world);
    assert_string_equal(observer_take(&late), "127.1.0.2 dim;");
    leave(world, &early);
    notify(world, 0, "127.1.0.2", 3, "off");
    world_run(world);
    assert_string_equal(observer_take(&late), "127.1.0.2 off;");
    assert_int_equal(world_mapping(world, "lamps")->stats->joined, 1);
    leave(world, &late);
}

static void test_who_does_not_observe_has_a_request_of_its_own(void **state) {
    struct world *world = *state;
    struct observer observer;
    struct call call;
    observe(world, &observer, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    world_advance(world, SECOND);
    world_get(world, &call, "/lamps");
    assert_int_equal(world->sent_count, 2);
    world_answer(world, 1, "127.1.0.1", "on");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.replies, 1);
    call_fini(&call);
    leave(world, &observer);
}

static void test_what_is_not_newer_is_dropped(void **state) {
    struct world *world = *state;
    struct observer observer;
    observe(world, &observer, "/lamps");
    notify(world, 0, "127.1.0.1", 7, "on");
    notify(world, 0, "127.1.0.1", 6, "off");
    notify(world, 0, "127.1.0.1", 7, "dim");
    world_run(world);
    assert_string_equal(observer_take(&observer), "127.1.0.1 on;");
    assert_int_equal(world_mapping(world, "lamps")->stats->duplicate, 2);
    notify(world, 0, "127.1.0.1", 8, "on"); /* the same, and news all the same */
    world_run(world);
    assert_string_equal(observer_take(&observer), "127.1.0.1 on;");
    world_advance(world, 129 * SECOND);
    notify(world, 0, "127.1.0.1", 2, "off"); /* nothing is under way for so long (RFC 7641 §3.4) */
    world_run(world);
    assert_string_equal(observer_take(&observer), "127.1.0.1 off;");
    leave(world, &observer);
}

static void test_a_slow_reader_gets_the_latest_of_each(void **state) {
    struct world *world = *state;
    struct observer observer;
    observe(world, &observer, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "a");
    notify(world, 0, "127.1.0.2", 1, "b");
    world_run(world);
    observer_take(&observer);
    observer.room = 0;
    for (uint32_t i = 2; i < 1000; i++) {
        notify(world, 0, "127.1.0.1", i, "c");
        notify(world, 0, "127.1.0.2", i, i == 999 ? "last" : "d");
        world->now_us += SECOND;
    }
    struct cg_slots *exchanges = &world->gateway->exchanges;
    struct cg_exchange *exchange = cg_slots_get(exchanges, observer.ticket);
    assert_int_equal(exchange->waiter.round->feed.copied, 0);
    observer.room = 10;
    cg_sink_wake(&observer.sink);
    world_run(world);
    assert_string_equal(observer_take(&observer), "127.1.0.1 c;127.1.0.2 last;");
    leave(world, &observer);
}

static void test_observers_have_places_of_their_own(void **state) {
    struct world *world = *state;
    struct observer observers[5], once;
    struct call call;
    world->config->limits.exchanges = 1;
    world->config->limits.exchanges_per_client = 1;
    world->config->limits.observers = 8;
    for (int i = 0; i < 4; i++) observe(world, &observers[i], "/lamps");
    assert_int_equal(world->sent_count, 1);
    notify(world, 0, "127.1.0.1", 1, "on");
    world_advance(world, 3 * SECOND);
    observe(world, &observers[4], "/lamps"); /* half of them are one client's already */
    assert_int_equal(observers[4].problem.err, CG_E_OVERLOAD);
    assert_non_null(strstr(observers[4].problem.detail, "limits.observers"));
    observer_new(world, &once, "/lamps")->crowding = CG_CROWDING_SERVES_ONCE;
    observer_go(world, &once);
    assert_int_equal(world->sent_count, 2);
    world_advance(world, 2 * SECOND);
    assert_true(once.ended);
    assert_int_equal(once.problem.err, 0);
    world_get(world, &call, "/lamps"); /* there is room for an exchange */
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.replies, 1);
    assert_int_equal(cg_gateway_observers(world->gateway), 4);
    for (int i = 0; i < 4; i++) leave(world, &observers[i]);
    call_fini(&call);
}

static void test_one_member_is_observed_alone(void **state) {
    struct world *world = *state;
    struct observer one, two, other;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->stand_in = CG_STAND_IN_MEMBERS;
    observe(world, &one, "/lamps/.member/first");
    assert_int_equal(world->sent_count, 1);
    assert_false(cg_addr_is_multicast(&world->sent[0].route.to));
    notify(world, 0, "127.1.0.1", 1, "on");
    world_advance(world, 100 * SECOND);
    notify(world, 0, "127.1.0.1", 2, "off");
    world_run(world);
    assert_string_equal(observer_take(&one), "127.1.0.1 on;127.1.0.1 off;");
    observe(world, &two, "/lamps/.member/first");
    assert_int_equal(world->sent_count, 1);
    assert_string_equal(observer_take(&two), "127.1.0.1 off;");
    observe(world, &other, "/lamps/.member/other");
    assert_int_equal(world->sent_count, 2);
    leave(world, &one);
    leave(world, &two);
    leave(world, &other);
}

/* Of emission `index`: to the group, with this Observe value, on the token of the first. */
static void assert_registers(const struct world *world, size_t index, bool is_cast, uint32_t value) {
    const struct cg_msg *msg = &world->sent[index].msg, *first = &world->sent[0].msg;
    uint32_t observe;
    assert_true(index < world->sent_count);
    assert_int_equal(cg_addr_is_multicast(&world->sent[index].route.to), is_cast);
    assert_true(cg_msg_find_uint(msg, CG_OPT_OBSERVE, &observe));
    assert_int_equal(observe, value);
    assert_int_equal(msg->token.len, first->token.len);
    assert_memory_equal(msg->token.bytes, first->token.bytes, first->token.len);
    assert_int_not_equal(msg->mid, first->mid);
}

static void test_the_last_to_leave_cancels(void **state) {
    struct world *world = *state;
    struct observer one, two;
    observe(world, &one, "/lamps");
    observe(world, &two, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    world_advance(world, SECOND);
    assert_int_equal(cg_gateway_observations(world->gateway), 1);
    leave(world, &one);
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 1);
    leave(world, &two);
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 2);
    assert_registers(world, 1, true, 1);
    assert_int_equal(cg_gateway_observations(world->gateway), 0);
    assert_false(cg_gateway_is_cancelling(world->gateway));
    world_advance(world, 100 * SECOND);
    assert_int_equal(world->sent_count, 2);
    assert_null(world->gateway->rounds.all);
    assert_int_equal(world->gateway->engine.legs.used, 0);
    assert_int_equal(world->gateway->quota.used, 0);
}

static void test_who_has_missed_the_cancellation_has_it_repeated_once(void **state) {
    struct world *world = *state;
    struct observer one;
    observe(world, &one, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    world_run(world);
    leave(world, &one);
    world_advance(world, SECOND);
    size_t cancelled = world->sent_count;
    assert_registers(world, cancelled - 1, true, 1);
    notify(world, 0, "127.1.0.1", 2, "off"); /* it may have been under way */
    world_advance(world, 10 * SECOND);
    for (size_t i = cancelled; i < world->sent_count; i++) assert_int_equal(world->sent[i].msg.code, CG_EMPTY);
    notify(world, 0, "127.1.0.1", 3, "on");
    world_advance(world, SECOND);
    assert_registers(world, world->sent_count - 1, true, 1);
    size_t repeated = world->sent_count;
    world_advance(world, 10 * SECOND);
    notify(world, 0, "127.1.0.1", 4, "off");
    world_advance(world, SECOND);
    for (size_t i = repeated; i < world->sent_count; i++) assert_int_equal(world->sent[i].msg.code, CG_EMPTY);
    world_advance(world, 100 * SECOND);
    assert_null(world->gateway->rounds.all);
}

static void assert_asks(const struct world *world, size_t index, const char *to, size_t token_of, uint32_t value) {
    const struct cg_msg *msg = &world->sent[index].msg, *first = &world->sent[token_of].msg;
    struct cg_addr addr = address(to);
    uint32_t observe;
    assert_true(index < world->sent_count);
    assert_true(cg_addr_equal(&world->sent[index].route.to, &addr));
    assert_true(cg_msg_find_uint(msg, CG_OPT_OBSERVE, &observe));
    assert_int_equal(observe, value);
    assert_int_equal(msg->token.len, first->token.len);
    assert_memory_equal(msg->token.bytes, first->token.bytes, first->token.len);
}

/* To the second in which something goes out. */
static void advance_to_more(struct world *world, unsigned most_s) {
    size_t sent = world->sent_count;
    for (unsigned i = 0; i < most_s && world->sent_count == sent; i++) world_advance(world, SECOND);
    assert_true(world->sent_count > sent);
}

static void test_members_that_are_all_asked_by_unicast_are_renewed_and_cancelled_so(void **state) {
    struct world *world = *state;
    struct observer one;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->complete = lamps->repair_unicast = true;
    lamps->members[0].is_unicast_only = true;
    lamps->members[1].is_unicast_only = true;
    world->config->group.observe_renewal_s = 600;
    observe(world, &one, "/lamps");
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 2);
    assert_asks(world, 0, "127.1.0.1", 0, 0);
    assert_asks(world, 1, "127.1.0.2", 1, 0);
    notify(world, 0, "127.1.0.1", 1, "on");
    notify_for(world, 1, "127.1.0.2", 1, 10, "on");
    advance_to_more(world, 30); /* one is stale, which puts nothing off */
    assert_int_equal(world->sent_count, 3);
    assert_asks(world, 2, "127.1.0.2", 1, 0);
    notify(world, 1, "127.1.0.2", 2, "dim");
    advance_to_more(world, 595);
    assert_int_equal(world->sent_count, 5);
    assert_asks(world, 3, "127.1.0.1", 0, 0);
    assert_asks(world, 4, "127.1.0.2", 1, 0);
    notify(world, 0, "127.1.0.1", 3, "on");
    notify(world, 1, "127.1.0.2", 3, "on");
    world_advance(world, 10 * SECOND);
    leave(world, &one);
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 7);
    assert_asks(world, 5, "127.1.0.1", 0, 1);
    assert_asks(world, 6, "127.1.0.2", 1, 1);
    world_answer(world, 5, "127.1.0.1", "on");
    world_answer(world, 6, "127.1.0.2", "on");
    world_advance(world, 100 * SECOND);
    assert_null(world->gateway->rounds.all);
}

static void test_who_hears_no_multicast_is_renewed_and_cancelled_by_unicast_on_the_token(void **state) {
    struct world *world = *state;
    struct observer one;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 3);
    lamps->members[2].is_unicast_only = true;
    world->config->group.observe_renewal_s = 600;
    observe(world, &one, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    notify(world, 0, "127.1.0.2", 1, "on");
    world_advance(world, SECOND / 10);
    assert_int_equal(world->sent_count, 2);
    assert_asks(world, 1, "127.1.0.3", 0, 0);
    notify(world, 1, "127.1.0.3", 1, "on");
    advance_to_more(world, 610);
    assert_int_equal(world->sent_count, 4);
    assert_registers(world, 2, true, 0);
    assert_asks(world, 3, "127.1.0.3", 0, 0);
    notify(world, 3, "127.1.0.3", 2, "dim");
    world_advance(world, 10 * SECOND);
    leave(world, &one);
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 6);
    assert_registers(world, 4, true, 1);
    assert_asks(world, 5, "127.1.0.3", 0, 1);
    world_answer(world, 5, "127.1.0.3", "on");
    world_advance(world, 100 * SECOND);
    assert_null(world->gateway->rounds.all);
    assert_int_equal(world->gateway->engine.legs.used, 0);
}

static void test_whom_nobody_has_observed_nobody_tells(void **state) {
    struct world *world = *state;
    struct observer one;
    observe(world, &one, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 3 * SECOND);
    assert_true(one.ended);
    world_advance(world, 10 * SECOND);
    assert_int_equal(world->sent_count, 1);
}

static void test_many_stale_members_are_registered_at_their_group(void **state) {
    struct world *world = *state;
    struct observer one;
    observe(world, &one, "/lamps");
    notify_for(world, 0, "127.1.0.1", 1, 10, "on");
    notify_for(world, 0, "127.1.0.2", 1, 10, "on");
    notify_for(world, 0, "127.1.0.3", 1, 3000, "on");
    world_advance(world, 14 * SECOND);
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 13 * SECOND);
    assert_int_equal(world->sent_count, 2);
    assert_registers(world, 1, true, 0);
    observer_take(&one);
    notify_for(world, 1, "127.1.0.1", 2, 3000, "off");
    notify_for(world, 1, "127.1.0.2", 2, 3000, "off");
    world_advance(world, 100 * SECOND);
    assert_int_equal(world->sent_count, 2);
    assert_string_equal(observer_take(&one), "127.1.0.1 off;127.1.0.2 off;");
    assert_int_equal(world_mapping(world, "lamps")->stats->renewals[CG_RENEWAL_STALE], 1);
    leave(world, &one);
}

/* Of lamps that nobody switches, with the default Max-Age: an hour of them is not fifty group requests. */
static void test_who_only_speaks_when_asked_is_asked_less_often(void **state) {
    struct world *world = *state;
    struct observer one;
    uint32_t order = 1;
    size_t answered = 0;
    observe(world, &one, "/lamps");
    for (int s = 0; s < 3000; s++) {
        for (; answered < world->sent_count; answered++, order++) {
            notify_for(world, answered, "127.1.0.1", order, 60, "on");
            notify_for(world, answered, "127.1.0.2", order, 60, "on");
        }
        world_advance(world, SECOND);
    }
    assert_in_range(world->sent_count, 6, 10); /* after 1, 3, 7, 15, 23, 31, … minutes */
    size_t sent = world->sent_count;
    notify_for(world, sent - 1, "127.1.0.1", order, 60, "off");
    notify_for(world, sent - 1, "127.1.0.2", order, 60, "off");
    world_advance(world, 80 * SECOND);
    assert_int_equal(world->sent_count, sent + 1); /* they do speak: what is lost is found out soon */
    leave(world, &one);
}

static void test_a_single_stale_member_is_registered_alone(void **state) {
    struct world *world = *state;
    struct observer one;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->repair_unicast = true;
    observe(world, &one, "/lamps");
    notify_for(world, 0, "127.1.0.1", 1, 10, "on");
    notify_for(world, 0, "127.1.0.2", 1, 3000, "on");
    world_advance(world, 27 * SECOND);
    assert_registers(world, 1, false, 0);
    notify_for(world, 1, "127.1.0.1", 2, 3000, "off"); /* it had forgotten us, or its notification was lost */
    size_t sent = world->sent_count;                   /* with what was repeated */
    world_advance(world, 100 * SECOND);
    assert_int_equal(world->sent_count, sent);
    assert_int_equal(lamps->stats->renewals[CG_RENEWAL_MEMBER], 1);
    leave(world, &one);
}

/* aiocoap counts from 0 again, and so does who has begun anew. Only what comes first may do that: then the numbers
 * bind. */
static void test_what_a_registration_brings_is_newer_whatever_its_number(void **state) {
    struct world *world = *state;
    struct observer one;
    world->config->group.observe_renewal_s = 600;
    observe(world, &one, "/lamps");
    notify_for(world, 0, "127.1.0.1", 7, 100000, "on");
    notify_for(world, 0, "127.1.0.2", 7, 100000, "on");
    world_advance(world, 700 * SECOND);
    assert_registers(world, 1, true, 0);
    observer_take(&one);
    notify_for(world, 1, "127.1.0.1", 0, 3000, "off");
    notify_for(world, 1, "127.1.0.2", 8, 3000, "off");
    world_run(world);
    assert_string_equal(observer_take(&one), "127.1.0.1 off;127.1.0.2 off;");
    notify_for(world, 1, "127.1.0.1", 1, 3000, "dim");
    notify_for(world, 1, "127.1.0.2", 7, 3000, "late");
    world_run(world);
    assert_string_equal(observer_take(&one), "127.1.0.1 dim;");
    leave(world, &one);
}

static void test_one_that_was_registered_alone_may_count_anew(void **state) {
    struct world *world = *state;
    struct observer one;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->repair_unicast = true;
    observe(world, &one, "/lamps");
    notify_for(world, 0, "127.1.0.1", 7, 10, "on");
    notify_for(world, 0, "127.1.0.2", 7, 3000, "on");
    world_advance(world, 27 * SECOND);
    assert_registers(world, 1, false, 0);
    observer_take(&one);
    notify_for(world, 1, "127.1.0.1", 0, 3000, "off");
    notify_for(world, 1, "127.1.0.2", 6, 3000, "late");
    notify_for(world, 1, "127.1.0.1", 1, 3000, "dim");
    world_run(world);
    assert_non_null(strstr(observer_take(&one), "127.1.0.1 dim;"));
    assert_int_equal(lamps->stats->duplicate, 1);
    leave(world, &one);
}

/* And it is waited for longer each time. */
static void test_a_member_that_is_gone_is_not_asked_on_and_on(void **state) {
    struct world *world = *state;
    struct observer one;
    observe(world, &one, "/lamps");
    notify_for(world, 0, "127.1.0.1", 1, 10, "on");
    world_advance(world, 3500 * SECOND);
    size_t in_an_hour = world->sent_count;
    assert_in_range(in_an_hour, 4, 12);
    world_advance(world, 36000 * SECOND);
    assert_in_range(world->sent_count - in_an_hour, 8, 24);
    assert_false(one.ended);
    leave(world, &one);
}

static void test_it_is_registered_once_more_in_each_period(void **state) {
    struct world *world = *state;
    struct observer one;
    world->config->group.observe_renewal_s = 600;
    observe(world, &one, "/lamps");
    notify_for(world, 0, "127.1.0.1", 1, 100000, "on");
    world_advance(world, 599 * SECOND);
    assert_int_equal(world->sent_count, 1);
    for (uint32_t i = 0; i < 10; i++) {
        world_advance(world, 600 * SECOND);
        assert_registers(world, 1 + i, true, 0);
        notify_for(world, 1 + i, "127.1.0.1", i + 2, 100000, "on");
    }
    notify_for(world, 2, "127.1.0.9", 1, 100000, "new"); /* a newcomer, on the same token */
    world_run(world);
    assert_int_equal(world->sent_count, 11);
    assert_non_null(strstr(observer_take(&one), "127.1.0.9 new;"));
    assert_int_equal(world_mapping(world, "lamps")->stats->renewals[CG_RENEWAL_PERIOD], 10);
    leave(world, &one);
}

static void test_silent_members_are_registered_on_the_token(void **state) {
    struct world *world = *state;
    struct observer one;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 4);
    lamps->repair_unicast = true;
    lamps->leisure = 1;
    lamps->timeout_us = 20 * SECOND;
    observe(world, &one, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    world_advance(world, 3 * SECOND / 2);
    assert_int_equal(world->sent_count, 2); /* three of four are silent */
    assert_registers(world, 1, true, 0);
    notify(world, 0, "127.1.0.2", 1, "on");
    notify(world, 1, "127.1.0.3", 1, "on");
    world_advance(world, 2 * SECOND);
    assert_true(world->sent_count > 2);
    assert_registers(world, 2, false, 0);
    notify(world, 2, "127.1.0.4", 1, "on");
    world_run(world);
    assert_string_equal(observer_take(&one), "127.1.0.1 on;127.1.0.2 on;127.1.0.3 on;127.1.0.4 on;");
    size_t sent = world->sent_count;
    world_advance(world, 20 * SECOND);
    assert_int_equal(world->sent_count, sent);
    leave(world, &one);
}

static void test_other_keys_are_registered_under(void **state) {
    struct world *world = *state;
    struct observer one;
    struct fake_keys keys;
    fake_keys_init(&keys);
    world_mapping(world, "lamps")->protector = &keys.protector;
    observe(world, &one, "/lamps");
    notify_for(world, 0, "127.1.0.1", 1, 3000, "on");
    world_advance(world, 20 * SECOND);
    keys.epoch++;
    world_advance(world, 11 * SECOND); /* within leisure */
    assert_int_equal(world->sent_count, 2);
    assert_registers(world, 1, true, 0);
    world_advance(world, 20 * SECOND);
    assert_int_equal(world->sent_count, 2);
    assert_int_equal(world_mapping(world, "lamps")->stats->renewals[CG_RENEWAL_REKEY], 1);
    leave(world, &one);
    world_advance(world, 100 * SECOND);
    assert_int_equal(keys.bindings, 0);
    world_mapping(world, "lamps")->protector = cg_protector_none();
}

static void test_the_end_of_the_gateway_cancels(void **state) {
    struct world *world = *state;
    struct observer one;
    observe(world, &one, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    world_advance(world, 10 * SECOND);
    cg_gateway_stop(world->gateway);
    world_run(world);
    world_advance(world, 1);
    assert_true(one.ended);
    assert_string_equal(one.summary.ended_by, "limit");
    assert_registers(world, 1, true, 1);
    assert_false(cg_gateway_is_cancelling(world->gateway));
}

static unsigned finds;

static bool count_find(struct cg_protector *protector, struct cg_slice identity, struct cg_addr *at) {
    (void)protector, (void)identity, (void)at;
    finds++;
    return false;
}

/* What is known of silent members is gathered for all who end with a round, not for each. */
static void test_many_who_end_at_once_look_at_its_members_once(void **state) {
    enum { CLIENTS = 50, MEMBERS = 4 };
    static struct observer observers[CLIENTS];
    struct world *world = *state;
    struct fake_keys keys;
    fake_keys_init(&keys);
    struct cg_protector_ops counting = *keys.protector.ops;
    counting.find = count_find;
    keys.protector.ops = &counting;
    world_add_members(world, world_mapping(world, "lamps"), MEMBERS);
    world_mapping(world, "lamps")->protector = &keys.protector;
    world->config->limits.observers = 2 * CLIENTS;
    for (int i = 0; i < CLIENTS; i++) observe(world, &observers[i], "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    world_advance(world, 10 * SECOND);
    finds = 0;
    world_answer(world, 0, "127.1.0.1", "enough");
    world_run(world);
    for (int i = 0; i < CLIENTS; i++) assert_true(observers[i].ended);
    assert_in_range(finds, MEMBERS - 1, 2 * MEMBERS * 4);
    world_advance(world, 100 * SECOND);
    world_mapping(world, "lamps")->protector = cg_protector_none();
}

static void test_a_client_renews_and_cancels(void **state) {
    struct world *world = *state;
    struct observer one;
    const struct cg_opts none = {0};
    observe(world, &one, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    notify(world, 0, "127.1.0.2", 1, "dim");
    world_run(world);
    observer_take(&one);
    cg_gateway_renew(world->gateway, one.ticket, CG_RENEWS, none, CG_SLICE_NONE);
    world_run(world);
    assert_string_equal(observer_take(&one), "127.1.0.1 on;127.1.0.2 dim;");
    assert_int_equal(world->sent_count, 1);
    cg_gateway_renew(world->gateway, one.ticket, CG_CANCELS, none, CG_SLICE_NONE);
    world_run(world);
    assert_true(one.ended);
    assert_string_equal(one.summary.ended_by, "client");
    cg_gateway_renew(world->gateway, one.ticket, CG_RENEWS, none, CG_SLICE_NONE); /* stale */
}

static void test_who_sends_without_end_is_told_less_often(void **state) {
    struct world *world = *state;
    struct observer one;
    observe(world, &one, "/lamps");
    for (uint32_t i = 1; i <= 1000; i++) {
        notify(world, 0, "127.1.0.1", i, i == 1000 ? "last" : "on");
        world_run(world);
    }
    notify(world, 0, "127.1.0.2", 1, "calm");
    world_run(world);
    assert_in_range(one.answers, 30, 40);
    assert_null(strstr(observer_take(&one), "last"));
    world_advance(world, SECOND);
    assert_string_equal(observer_take(&one), "127.1.0.1 last;");
    assert_true(world_mapping(world, "lamps")->stats->held_back > 900);
    leave(world, &one);
}

/* Block `number` of what 127.1.0.1 says: of a notification with this Observe value, or 0: of what was fetched. */
static void put_block(struct world *world, size_t index, uint8_t order, uint8_t number, bool more,
                      const char *payload) {
    static uint16_t mid = 5000;
    uint8_t block = (uint8_t)(number << 4 | (more ? 8 : 0));
    struct cg_opt options[] = {{.number = CG_OPT_OBSERVE, .value = cg_slice_of(&order, 1)},
                               {.number = CG_OPT_BLOCK2, .value = cg_slice_of(&block, 1)}};
    struct cg_opts all = {.list = options + (order == 0), .count = 2 - (order == 0)};
    world_answer_as(
        world, index, "127.1.0.1",
        (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .mid = mid++, .payload = payload, .options = &all});
    world_run(world);
}

/* RFC 7959 §2.6: the rest of what is no longer so is of no use. */
static void test_a_newer_notification_ends_the_fetch_of_an_older_one(void **state) {
    struct world *world = *state;
    struct observer one;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    observe(world, &one, "/lamps");
    put_block(world, 0, 1, 0, true, "first-----------");
    assert_int_equal(world->sent_count, 2);
    put_block(world, 0, 2, 0, true, "second----------");
    assert_int_equal(world->sent_count, 3);
    assert_int_equal(world->gateway->engine.asks, 1);
    put_block(world, 1, 0, 1, false, "of the first");
    put_block(world, 0, 1, 0, true, "first-----------"); /* once more, late */
    assert_string_equal(observer_take(&one), "");
    put_block(world, 2, 0, 1, false, "end");
    assert_string_equal(observer_take(&one), "127.1.0.1 second----------end;");
    put_block(world, 0, 3, 0, true, "third-----------");
    assert_int_equal(world->gateway->engine.asks, 1);
    notify(world, 0, "127.1.0.1", 4, "whole");
    world_run(world);
    assert_int_equal(world->gateway->engine.asks, 0);
    assert_string_equal(observer_take(&one), "127.1.0.1 whole;");
    put_block(world, 0, 3, 0, true, "third-----------");
    assert_int_equal(world->gateway->engine.asks, 0);
    assert_int_equal(world_mapping(world, "lamps")->stats->rejected, 0);
    leave(world, &one);
}

/* One that has let a whole registration pass has come back as somebody else, or never will. */
static void test_who_is_gone_leaves_its_place_to_whoever_comes(void **state) {
    struct world *world = *state;
    struct observer one, late;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    lamps->max_answers = 2;
    world->config->group.observe_renewal_s = 600;
    observe(world, &one, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    notify(world, 0, "127.1.0.2", 1, "on");
    notify(world, 0, "127.1.0.3", 1, "over");
    assert_int_equal(lamps->stats->over_cap, 1);
    for (uint32_t i = 2; i < 5; i++) {
        world_advance(world, 610 * SECOND);
        notify(world, 0, "127.1.0.1", i, "on");
    }
    world_run(world);
    observer_take(&one);
    notify(world, 0, "127.1.0.3", 2, "moved");
    notify(world, 0, "127.1.0.4", 1, "over");
    notify(world, 0, "127.1.0.3", 3, "settled");
    notify(world, 0, "127.1.0.1", 9, "off");
    world_run(world);
    assert_string_equal(observer_take(&one), "127.1.0.3 settled;127.1.0.1 off;");
    assert_int_equal(lamps->stats->over_cap, 2);
    observe(world, &late, "/lamps");
    assert_string_equal(observer_take(&late), "127.1.0.3 settled;127.1.0.1 off;");
    world_answer(world, 0, "127.1.0.1", "enough"); /* it is observed no more */
    notify(world, 0, "127.1.0.4", 2, "new");
    world_run(world);
    assert_string_equal(observer_take(&late), "127.1.0.1 enough alone;127.1.0.4 new;");
    world_answer(world, 0, "127.1.0.3", "enough");
    world_answer(world, 0, "127.1.0.4", "enough");
    world_advance(world, 2 * SECOND);
    assert_true(one.ended && late.ended);
}

static void test_what_is_repeated_for_months_is_told(void **state) {
    struct world *world = *state;
    struct observer one;
    world_mapping(world, "lamps")->max_answers = 2;
    observe(world, &one, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    for (int i = 0; i < 10; i++) {
        world_answer(world, 0, "127.1.0.2", "alone");
        world->now_us += SECOND;
    }
    world_run(world);
    assert_int_equal(one.answers, 11);
    leave(world, &one);
}

static void test_its_time_is_told_as_far_as_it_can_be_counted(void **state) {
    struct world *world = *state;
    struct observer one;
    observe(world, &one, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    world_run(world);
    world->now_us += 50 * 86400 * SECOND;
    world_answer(world, 0, "127.1.0.1", "enough");
    world_run(world);
    assert_true(one.ended);
    assert_int_equal(one.summary.ms, UINT32_MAX);
}

/* And each registration is a request that may be challenged. */
static void test_challenges_of_months_take_no_memory(void **state) {
    struct world *world = *state;
    struct observer one;
    struct fake_keys keys;
    struct cg_opt echo = {.number = CG_OPT_ECHO, .value = cg_slice_str("fresh")};
    struct cg_opts options = {.list = &echo, .count = 1};
    size_t used = 0;
    fake_keys_init(&keys);
    world_mapping(world, "lamps")->protector = &keys.protector;
    world->config->group.observe_renewal_s = 600;
    observe(world, &one, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    for (uint16_t i = 0; i < 30; i++) {
        size_t sent = world->sent_count;
        world_answer_as(world, 0, "127.1.0.2",
                        (struct answer){.type = CG_NON, .code = CG_CODE(4, 1), .mid = i, .options = &options});
        world_run(world);
        while (cg_addr_is_multicast(&world->sent[sent].route.to)) sent++;
        assert_true(sent < world->sent_count);
        notify(world, sent, "127.1.0.2", i + 1, "on");
        world_advance(world, 600 * SECOND);
        if (i == 10) used = world->gateway->quota.used;
    }
    assert_int_equal(world->gateway->quota.used, used);
    leave(world, &one);
    world_advance(world, 100 * SECOND);
    world_mapping(world, "lamps")->protector = cg_protector_none();
}

/* A round that does not observe holds nobody back, and looks at nothing later. */
static void test_who_repeats_itself_in_a_round_that_observes_nothing(void **state) {
    struct world *world = *state;
    struct observer one;
    observer_new(world, &one, "/lamps")->observes = false;
    observer_go(world, &one);
    for (int i = 0; i < 50; i++) world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 3 * SECOND);
    assert_int_equal(one.answers, 50);
    assert_int_equal(world_mapping(world, "lamps")->stats->held_back, 0);
    assert_true(one.ended);
}

/* The world's settings again, where members' leisure or the mapping's name may be others. */
static void adopt(struct world *world, const char *name_of_lamps, double leisure) {
    struct world other;
    world_init(&other);
    other.config->mappings[0].name = name_of_lamps;
    other.config->mappings[0].leisure = leisure;
    assert_int_equal(cg_config_index(other.config), CG_OK);
    cg_gateway_adopt(world->gateway, other.config);
    world_fini(&other);
    world_run(world);
}

static void test_settings_that_say_the_same_end_nothing_and_are_joined_under(void **state) {
    struct world *world = *state;
    struct observer one, two, three;
    observe(world, &one, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    world_advance(world, 10 * SECOND);
    adopt(world, "lamps", 5);
    assert_false(one.ended);
    observe(world, &two, "/lamps");
    assert_int_equal(world->sent_count, 1);
    assert_string_equal(observer_take(&two), "127.1.0.1 on;");
    leave(world, &one);
    notify(world, 0, "127.1.0.1", 2, "off");
    world_run(world);
    assert_string_equal(observer_take(&two), "127.1.0.1 off;");
    adopt(world, "lamps", 6);
    observe(world, &three, "/lamps"); /* by settings that say something else it is a request of its own */
    assert_true(two.ended);
    notify(world, 1, "127.1.0.1", 3, "dim");
    world_advance(world, 20 * SECOND);
    assert_int_equal(world->sent_count, 3); /* and the group is told that the other one is over */
    leave(world, &three);
}

static void test_settings_that_say_something_else_end_what_observes(void **state) {
    struct world *world = *state;
    struct observer one, two, other, once;
    observe(world, &one, "/lamps");
    observe(world, &two, "/lamps");
    observe(world, &other, "/pair");
    notify(world, 0, "127.1.0.1", 1, "on");
    notify(world, 1, "127.1.0.2", 1, "warm");
    world_advance(world, 10 * SECOND);
    observer_new(world, &once, "/lamps")->observes = false;
    observer_go(world, &once);
    adopt(world, "lamps", 6);
    assert_true(one.ended && two.ended);
    assert_false(other.ended || once.ended);
    assert_int_equal(one.problem.err, CG_OK); /* what it has heard holds; it may ask anew */
    assert_int_equal(one.how, CG_SINK_DONE);
    assert_string_equal(one.summary.ended_by, "limit");
    assert_int_equal(one.summary.answered, 1);
    world_advance(world, 3 * SECOND);
    assert_string_equal(once.summary.ended_by, "deadline");
    adopt(world, "lamps", 6);
    notify(world, 1, "127.1.0.2", 2, "hot");
    world_run(world);
    assert_string_equal(observer_take(&other), "127.1.0.2 warm;127.1.0.2 hot;");
    leave(world, &other);
}

static void test_who_loses_its_right_observes_no_more(void **state) {
    struct world *world = *state;
    struct observer one;
    observe(world, &one, "/lamps");
    notify(world, 0, "127.1.0.1", 1, "on");
    world_advance(world, 10 * SECOND);
    adopt(world, "others", 5);
    assert_true(one.ended);
    assert_int_equal(one.problem.err, CG_E_NOT_FOUND);
    world_advance(world, SECOND);
    assert_registers(world, 1, true, 1); /* and the group is told */
}

static struct cg_opts protected_options(void) {
    static struct cg_opt oscore[] = {{.number = CG_OPT_OSCORE}};
    return (struct cg_opts){.list = oscore, .count = 1};
}

static void observe_through(struct world *world, struct observer *observer, const char *payload) {
    struct cg_request *request = observer_new(world, observer, "/lamps");
    request->method = CG_FETCH;
    request->options = protected_options();
    request->payload = cg_slice_str(payload);
    observer_go(world, observer);
}

/* What a client has protected is its own to renew and to cancel. */
static void test_a_relayed_observation_is_its_clients_own(void **state) {
    struct world *world = *state;
    struct observer one, two;
    world_mapping(world, "lamps")->security = CG_SECURITY_RELAY;
    observe_through(world, &one, "sealed");
    observe_through(world, &two, "sealed");
    world_advance(world, 10 * SECOND);
    assert_int_equal(world->sent_count, 2);
    assert_true(one.ended && two.ended);
    observe_through(world, &one, "sealed");
    size_t first = world->sent_count - 1;
    notify_for(world, first, "127.1.0.1", 1, 10, "on");
    world_advance(world, 5000 * SECOND);
    assert_int_equal(world->sent_count, first + 1);
    assert_true(cg_engine_next_us(&world->gateway->engine) > world->now_us + SECOND / 10); /* and nothing spins */
    cg_gateway_renew(world->gateway, one.ticket, CG_RENEWS, protected_options(), cg_slice_str("anew"));
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, first + 2);
    const struct cg_msg *renewal = &world->sent[first + 1].msg;
    assert_true(cg_slice_equal(renewal->payload, cg_slice_str("anew")));
    assert_memory_equal(renewal->token.bytes, world->sent[first].msg.token.bytes, renewal->token.len);
    notify(world, first + 1, "127.1.0.1", 2, "off");
    world_advance(world, 10 * SECOND);
    assert_false(one.ended);
    cg_gateway_renew(world->gateway, one.ticket, CG_CANCELS, protected_options(), cg_slice_str("enough"));
    world_advance(world, 10 * SECOND);
    assert_true(one.ended);
    uint32_t value;
    assert_int_equal(world->sent_count, first + 3);
    assert_true(cg_msg_find_uint(&world->sent[first + 2].msg, CG_OPT_OBSERVE, &value));
    assert_int_equal(value, 1);
}

/* Each of its renewals is a group request: the budget counts them. */
static void test_a_relayed_observation_is_renewed_within_the_budget(void **state) {
    struct world *world = *state;
    struct observer one;
    world_mapping(world, "lamps")->security = CG_SECURITY_RELAY;
    world_mapping(world, "lamps")->requests_per_minute = 2;
    observe_through(world, &one, "sealed");
    notify_for(world, 0, "127.1.0.1", 1, 1000, "on");
    for (int i = 0; i < 2; i++) {
        world_advance(world, SECOND);
        assert_false(one.ended);
        cg_gateway_renew(world->gateway, one.ticket, CG_RENEWS, protected_options(), cg_slice_str("anew"));
    }
    world_advance(world, SECOND);
    assert_true(one.ended);
    assert_int_equal(one.problem.err, CG_E_RATE);
    assert_true(one.problem.retry_after > 0);
    assert_int_equal(world->sent_count, 2);
}

/* Errors that are no news any more once their member has answered. */
static void test_hints_of_months_take_no_memory(void **state) {
    static const struct cg_mapping mapping = {.name = "lamps"};
    const struct cg_opened error = {.code = CG_CODE(4, 1)};
    const struct cg_slice who = cg_slice_str("a member");
    const struct cg_addr from = address("127.1.0.1");
    struct cg_arena arena;
    struct cg_tally tally;
    size_t used = 0;
    (void)state;
    cg_arena_init(&arena, 1 << 20, NULL);
    assert_true(cg_tally_init(&tally, &arena, &mapping));
    for (int i = 0; i < 10000; i++) {
        cg_tally_refuse_hint(&tally, &from, &error, "unprotected", who);
        cg_tally_withdraw_hints(&tally, who, 1);
        if (i == CG_REFUSALS_KEPT) used = arena.used;
    }
    assert_int_equal(arena.used, used);
    assert_int_equal(tally.rejected, 0);
    cg_tally_fini(&tally);
    cg_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watch_test(test_an_observer_hears_of_changes_beyond_its_time),
        watch_test(test_it_ends_in_time_where_nobody_is_observed),
        watch_test(test_no_finish_rule_ends_it),
        watch_test(test_it_ends_with_the_last_member_that_leaves),
        watch_test(test_a_late_one_joins_and_hears_every_latest_first),
        watch_test(test_who_does_not_observe_has_a_request_of_its_own),
        watch_test(test_what_is_not_newer_is_dropped),
        watch_test(test_a_slow_reader_gets_the_latest_of_each),
        watch_test(test_observers_have_places_of_their_own),
        watch_test(test_one_member_is_observed_alone),
        watch_test(test_the_last_to_leave_cancels),
        watch_test(test_who_has_missed_the_cancellation_has_it_repeated_once),
        watch_test(test_members_that_are_all_asked_by_unicast_are_renewed_and_cancelled_so),
        watch_test(test_who_hears_no_multicast_is_renewed_and_cancelled_by_unicast_on_the_token),
        watch_test(test_whom_nobody_has_observed_nobody_tells),
        watch_test(test_many_stale_members_are_registered_at_their_group),
        watch_test(test_who_only_speaks_when_asked_is_asked_less_often),
        watch_test(test_a_single_stale_member_is_registered_alone),
        watch_test(test_what_a_registration_brings_is_newer_whatever_its_number),
        watch_test(test_one_that_was_registered_alone_may_count_anew),
        watch_test(test_a_member_that_is_gone_is_not_asked_on_and_on),
        watch_test(test_it_is_registered_once_more_in_each_period),
        watch_test(test_silent_members_are_registered_on_the_token),
        watch_test(test_other_keys_are_registered_under),
        watch_test(test_the_end_of_the_gateway_cancels),
        watch_test(test_many_who_end_at_once_look_at_its_members_once),
        watch_test(test_a_client_renews_and_cancels),
        watch_test(test_who_sends_without_end_is_told_less_often),
        watch_test(test_a_newer_notification_ends_the_fetch_of_an_older_one),
        watch_test(test_who_is_gone_leaves_its_place_to_whoever_comes),
        watch_test(test_what_is_repeated_for_months_is_told),
        watch_test(test_its_time_is_told_as_far_as_it_can_be_counted),
        watch_test(test_challenges_of_months_take_no_memory),
        watch_test(test_who_repeats_itself_in_a_round_that_observes_nothing),
        watch_test(test_settings_that_say_the_same_end_nothing_and_are_joined_under),
        watch_test(test_settings_that_say_something_else_end_what_observes),
        watch_test(test_who_loses_its_right_observes_no_more),
        watch_test(test_a_relayed_observation_is_its_clients_own),
        watch_test(test_a_relayed_observation_is_renewed_within_the_budget),
        cmocka_unit_test(test_hints_of_months_take_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
