/* Who an answer is from (RFC 7252 §4.4, §5.3.2; RFC 4007 §11): members that answer from other ports, members that share
 * an address, credentials that move. */
#include "exchange/fake_world.h"

#include "model/who.h"

#include <stdio.h>
#include <string.h>

static void start(struct world *world, const char *const *members, unsigned count) {
    struct cg_mapping *mapping = world_mapping(world, "lamps");
    world_add_members(world, mapping, count);
    for (unsigned i = 0; i < count; i++) mapping->members[i].addr = address(members[i]);
    world_start(world);
}

static const struct cg_member *member_of(struct world *world, const char *from) {
    struct cg_who who;
    struct cg_addr addr = address(from);
    cg_who_decide(&who, world_mapping(world, "lamps"), &addr, CG_SLICE_NONE);
    return who.member;
}

static void test_a_member_that_answers_from_another_port_is_not_missing(void **state) {
    struct world *world = *state;
    struct call call;
    static const char *const members[] = {"127.1.0.1:5683", "127.1.0.2:5683"};
    start(world, members, 2);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1:49152", "on");
    world_answer(world, 0, "127.1.0.2:5683", "on");
    world_run(world);
    assert_int_equal(call.replies, 1);
    assert_string_equal(call.reply.summary.ended_by, "all");
    assert_int_equal(call.reply.summary.answered, 2);
    assert_int_equal(call.reply.summary.missing, 0);
    assert_non_null(strstr(call.text, "{\"member\":\"first\",\"from\":\"127.1.0.1:49152\"")); /* where it came from */
}

static void test_a_member_has_one_answer_whatever_ports_it_uses(void **state) {
    struct world *world = *state;
    struct call call;
    static const char *const members[] = {"127.1.0.1:5683", "127.1.0.2:5683"};
    start(world, members, 2);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1:49152", "old");
    world_answer(world, 0, "127.1.0.1:5683", "newer");
    world_answer(world, 0, "127.1.0.1:49153", "newest");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
    assert_int_equal(call.reply.summary.duplicates, 2);
    assert_int_equal(call.reply.summary.missing, 1);
    assert_non_null(strstr(call.text, "\"body\":\"newest\""));
}

static void test_members_behind_one_address_stay_apart_by_port(void **state) {
    struct world *world = *state;
    struct call call;
    static const char *const members[] = {"127.1.0.1:1001", "127.1.0.1:1002"};
    start(world, members, 2);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1:1001", "one");
    world_answer(world, 0, "127.1.0.1:1003", "either"); /* nobody can tell which */
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 2);
    assert_int_equal(call.reply.summary.missing, 1);
    assert_non_null(strstr(call.text, "{\"member\":\"127.1.0.1:1003\",\"from\":\"127.1.0.1:1003\""));
    assert_non_null(strstr(call.text, "\"missing\":[{\"member\":\"other\""));
}

static void test_strangers_stay_apart_by_port(void **state) {
    struct world *world = *state;
    struct call call;
    static const char *const members[] = {"127.1.0.1:5683"};
    start(world, members, 1);
    world_mapping(world, "lamps")->complete = false;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.9:1001", "one");
    world_answer(world, 0, "127.1.0.9:1002", "two");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 2);
    assert_int_equal(call.reply.summary.missing, 1);
}

static void test_the_zone_counts_like_the_address(void **state) {
    struct world *world = *state;
    static const char *const members[] = {"[fe80::1%3]:5683", "[fe80::2]:5683", "[fe80::3]:5683", "[fe80::3%3]:5683"};
    start(world, members, 4);
    const struct cg_member *list = world_mapping(world, "lamps")->members;
    assert_ptr_equal(member_of(world, "[fe80::1%3]:9"), &list[0]);
    assert_null(member_of(world, "[fe80::1%4]:9"));
    assert_ptr_equal(member_of(world, "[fe80::2%7]:9"), &list[1]);
    assert_ptr_equal(member_of(world, "[fe80::3%3]:5683"), &list[3]);
    assert_ptr_equal(member_of(world, "[fe80::3%4]:9"), &list[2]);
    assert_null(member_of(world, "[fe80::3%3]:9")); /* both may be there */
}

static void test_the_same_device_on_two_links_is_two(void **state) {
    struct world *world = *state;
    struct call call;
    static const char *const members[] = {"[fe80::1]:5683", "[fe80::2]:5683"};
    start(world, members, 2);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "[fe80::1%3]:9", "here");
    world_answer(world, 0, "[fe80::1%4]:9", "there");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 2);
    assert_int_equal(call.reply.summary.duplicates, 0);
    assert_int_equal(call.reply.summary.missing, 1);
}

static struct cg_arrival on_link(const char *from, const struct cg_opened *opened) {
    return (struct cg_arrival){.from = address(from), .opened = opened};
}

/* What is given up on one link leaves what comes on another. */
static void test_a_member_is_not_silent_while_any_answer_comes(void **state) {
    struct world *world = *state;
    struct cg_tally tally;
    struct cg_arena arena;
    struct cg_awaited here = {0}, there = {0};
    static const char *const members[] = {"[fe80::1]:5683", "[fe80::2]:5683"};
    start(world, members, 2);
    const struct cg_mapping *lamps = world_mapping(world, "lamps");
    const struct cg_member *member = &lamps->members[0];
    cg_arena_init(&arena, SIZE_MAX, NULL);
    assert_true(cg_tally_init(&tally, &arena, lamps));
    struct cg_opened opened = {.code = CG_CODE(2, 5)};
    struct cg_arrival arrivals[] = {on_link("[fe80::1%3]:9", &opened), on_link("[fe80::1%4]:9", &opened)};
    assert_true(cg_tally_is_silent(&tally, member));
    assert_int_equal(cg_tally_await(&tally, &arrivals[0], &here), CG_TALLY_AWAITED);
    assert_int_equal(cg_tally_await(&tally, &arrivals[1], &there), CG_TALLY_AWAITED);
    cg_tally_forgo(&tally, &there);
    assert_false(cg_tally_is_silent(&tally, member));
    cg_tally_forgo(&tally, &here);
    assert_true(cg_tally_is_silent(&tally, member));
    assert_false(cg_tally_has_seen(&tally, member));
    assert_int_equal(cg_tally_add(&tally, &arrivals[0], NULL), CG_TALLY_NEW);
    assert_int_equal(cg_tally_await(&tally, &arrivals[1], &there), CG_TALLY_AWAITED);
    cg_tally_forgo(&tally, &there);
    assert_true(cg_tally_has_seen(&tally, member));
    assert_int_equal(tally.seen_count, 1);
    cg_tally_fini(&tally);
    cg_arena_fini(&arena);
}

static void test_addresses_that_are_not_link_local_have_no_zone(void **state) {
    struct world *world = *state;
    static const char *const members[] = {"[fd00::1]:5683"};
    start(world, members, 1);
    assert_null(member_of(world, "[fd00::1%4]:5683"));
    assert_ptr_equal(member_of(world, "[fd00::1]:9"), &world_mapping(world, "lamps")->members[0]);
}

/* Credentials */

struct identified {
    struct cg_protector protector;
    struct cg_opened next; /* what the next answer turns out to be */
};

static int open_identified(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                           struct cg_opened *opened) {
    (void)job;
    *opened = ((struct identified *)protector)->next;
    opened->code = opening->msg->code;
    opened->payload = opening->msg->payload;
    opened->verified = CASTGATE_VERIFIED_SOURCE;
    opened->has_kid = true;
    return CG_OK;
}

static void start_identified(struct world *world, struct identified *identified, struct cg_protector_ops *ops) {
    *ops = *cg_protector_none()->ops;
    ops->open = open_identified;
    identified->protector = (struct cg_protector){.ops = ops};
    struct cg_mapping *mapping = world_mapping(world, "lamps");
    world_add_members(world, mapping, 2);
    mapping->protector = &identified->protector;
    mapping->members[0].identity = cg_slice_str("credential of the first");
    mapping->members[1].identity = cg_slice_str("credential of the other");
}

static void test_a_credential_is_who_it_is_wherever_it_sends_from(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_protector_ops ops;
    struct identified identified;
    start_identified(world, &identified, &ops);
    identified.next = (struct cg_opened){.kid = cg_slice_str("a"), .identity = cg_slice_str("credential of the first")};
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.2:5683", "from the other's address");
    world_answer(world, 0, "127.9.9.9:1", "from anywhere");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
    assert_int_equal(call.reply.summary.duplicates, 1);
    assert_int_equal(call.reply.summary.missing, 1);
    assert_non_null(strstr(call.text, "{\"member\":\"first\",\"from\":\"127.9.9.9:1\""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_a_member_that_answers_from_another_port_is_not_missing),
        world_test(test_a_member_has_one_answer_whatever_ports_it_uses),
        world_test(test_members_behind_one_address_stay_apart_by_port),
        world_test(test_strangers_stay_apart_by_port),
        world_test(test_the_zone_counts_like_the_address),
        world_test(test_the_same_device_on_two_links_is_two),
        world_test(test_a_member_is_not_silent_while_any_answer_comes),
        world_test(test_addresses_that_are_not_link_local_have_no_zone),
        world_test(test_a_credential_is_who_it_is_wherever_it_sends_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
