/* Notifications that nobody wants are answered by a Reset (RFC 7641 §3.6), Non-confirmable ones within a budget. */
#include "legs/fake_owner.h"

#include <stdio.h>

static uint64_t fates(const struct world *world, enum cg_fate fate) { return world->gateway->totals.fates[fate]; }

static void expect_reset(const struct world *world, size_t index, uint16_t mid, const char *to) {
    struct cg_addr addr = address(to);
    assert_int_equal(world->sent_count, index + 1);
    assert_int_equal(world->sent[index].msg.type, CG_RST);
    assert_int_equal(world->sent[index].msg.code, CG_EMPTY);
    assert_int_equal(world->sent[index].msg.mid, mid);
    assert_int_equal(world->sent[index].len, 4);
    assert_true(cg_addr_equal(&world->sent[index].route.to, &addr));
}

/* Emission 0 is of an observation that has ended; members are 127.1.0.1 to 127.1.0.9. */
static void end_one(struct owner *owner, struct world *world) {
    world_add_members(world, world_mapping(world, "lamps"), 9);
    owner_init(owner, world);
    struct cg_cast *cast = owner_cast(owner);
    cg_cast_end(owner_engine(owner), cast);
    assert_int_equal(world->sent_count, 1);
}

static void test_a_notification_after_the_end_is_reset(void **state) {
    struct world *world = *state;
    struct owner owner;
    end_one(&owner, world);
    notify_as(world, 0, "127.1.0.1", CG_NON, 77, "on");
    expect_reset(world, 1, 77, "127.1.0.1");
    assert_int_equal(fates(world, CG_FATE_UNWANTED), 1);
    assert_int_equal(owner.mapping.stats->late, 0); /* it is no answer that was too late */
    notify_as(world, 0, "127.1.0.2", CG_CON, 78, "on");
    expect_reset(world, 2, 78, "127.1.0.2");
    assert_int_equal(fates(world, CG_FATE_UNWANTED), 2);
}

static void test_a_late_answer_is_not_reset(void **state) {
    struct world *world = *state;
    struct owner owner;
    end_one(&owner, world);
    world_answer(world, 0, "127.1.0.1", "off, and you are off my list");
    assert_int_equal(world->sent_count, 1);
    assert_int_equal(owner.mapping.stats->late, 1);
    notify_as(world, 0, "127.1.0.1", CG_ACK, 5, "on"); /* an acknowledgement is answered by nothing */
    assert_int_equal(world->sent_count, 1);
}

/* Of an observation that ended long ago, or before a restart. */
static void test_a_notification_on_an_unknown_token_is_reset(void **state) {
    struct world *world = *state;
    struct owner owner;
    end_one(&owner, world);
    world_advance(world, 501 * SECOND);
    notify_as(world, 0, "127.1.0.1", CG_NON, 77, "on");
    expect_reset(world, 1, 77, "127.1.0.1");
    assert_int_equal(fates(world, CG_FATE_UNKNOWN_TOKEN), 1);
}

static void test_nobody_far_away_is_reset(void **state) {
    struct world *world = *state;
    struct owner owner;
    end_one(&owner, world);
    notify_as(world, 0, "192.0.2.7", CG_NON, 77, "on");
    notify_as(world, 0, "192.0.2.7", CG_CON, 78, "on");
    assert_int_equal(world->sent_count, 1);
    assert_int_equal(fates(world, CG_FATE_UNWANTED), 2);
}

static void test_one_endpoint_gets_few(void **state) {
    struct world *world = *state;
    struct owner owner;
    end_one(&owner, world);
    for (uint16_t i = 0; i < 100; i++) notify_as(world, 0, "127.1.0.1", CG_NON, i, "on");
    assert_int_equal(world->sent_count, 1 + (size_t)CG_RESETS_OF_ONE);
    notify_as(world, 0, "127.1.0.2", CG_NON, 7, "on"); /* others have their own */
    assert_int_equal(world->sent_count, 2 + (size_t)CG_RESETS_OF_ONE);
    world_advance(world, 4 * SECOND);
    for (uint16_t i = 0; i < 100; i++) notify_as(world, 0, "127.1.0.1", CG_NON, i, "on");
    assert_int_equal(world->sent_count, 2 + (size_t)(CG_RESETS_OF_ONE + 4 * CG_RESETS_ONE_RATE));
    assert_int_equal(fates(world, CG_FATE_UNWANTED), 201);
}

static void test_all_together_get_a_bounded_number(void **state) {
    struct world *world = *state;
    struct owner owner;
    char from[32];
    end_one(&owner, world);
    for (unsigned i = 0; i < 4000; i++) { /* any port of the members' hosts */
        snprintf(from, sizeof from, "127.1.0.%u:%u", 1 + i % 9, 20000 + i);
        notify_as(world, 0, from, CG_NON, (uint16_t)i, "on");
    }
    assert_int_equal(world->sent_count, 1 + (size_t)CG_RESETS_BURST);
    world_advance(world, SECOND);
    for (unsigned i = 0; i < 4000; i++) {
        snprintf(from, sizeof from, "127.1.0.%u:%u", 1 + i % 9, 30000 + i);
        notify_as(world, 0, from, CG_NON, (uint16_t)i, "on");
    }
    assert_int_equal(world->sent_count, 1 + (size_t)(CG_RESETS_BURST + CG_RESETS_RATE));
}

/* RFC 10020 §3.7: the cancellation may be repeated when a notification still comes. */
static void test_who_notifies_after_a_cancellation_is_reset_and_told_of(void **state) {
    struct world *world = *state;
    struct owner owner;
    world_add_members(world, world_mapping(world, "lamps"), 9);
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    notify_as(world, 0, "127.1.0.1", CG_NON, 1, "on");
    world_advance(world, 10 * SECOND);
    owner.keys.seals_later = true;
    cg_cast_renew(owner_engine(&owner), cast, &owner.cancellation, world->now_us + SECOND);
    notify_as(world, 0, "127.1.0.1", CG_NON, 2, "off"); /* before it can know */
    expect_reset(world, 1, 2, "127.1.0.1");
    assert_int_equal(owner.strays, 0);
    seal_now(&owner, cg_slice_of(world->sent[0].bytes, world->sent[0].len));
    assert_int_equal(owner.sent, 2);
    notify_as(world, 0, "127.1.0.2", CG_CON, 3, "on");
    expect_reset(world, 3, 3, "127.1.0.2"); /* not acknowledged: that would say that it is wanted */
    assert_int_equal(owner.strays, 1);
    assert_int_equal(owner.answers, 1);
    world_answer(world, 0, "127.1.0.1", "good-bye"); /* the response to the cancellation has no Observe */
    assert_int_equal(owner.answers, 2);
    assert_int_equal(fates(world, CG_FATE_UNWANTED), 2);
    owner.keys.seals_later = false;
    world_advance(world, 10 * SECOND);
    cg_cast_renew(owner_engine(&owner), cast, &owner.cancellation, world->now_us + SECOND);
    assert_int_equal(owner.sent, 3);
    cg_cast_end(owner_engine(&owner), cast);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_a_notification_after_the_end_is_reset),
        world_test(test_a_late_answer_is_not_reset),
        world_test(test_a_notification_on_an_unknown_token_is_reset),
        world_test(test_nobody_far_away_is_reset),
        world_test(test_one_endpoint_gets_few),
        world_test(test_all_together_get_a_bounded_number),
        world_test(test_who_notifies_after_a_cancellation_is_reset_and_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
