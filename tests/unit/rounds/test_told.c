/* Many answers to clients that take each as it comes: beyond those that a record shows, only who has answered is kept.
 */
#include "rounds/fake_observer.h"
#include "rounds/told.h"

#include <stdio.h>
#include <string.h>

enum { MANY = CG_ANSWERS_KEPT + 500, A_TURN = 50 };

static const char *name_of(unsigned i) {
    static char name[32];
    snprintf(name, sizeof name, "127.2.%u.%u", i / 250, i % 250 + 1);
    return name;
}

static void answer(struct world *world, unsigned i, uint16_t mid, const char *payload) {
    world_answer_as(world, 0, name_of(i),
                    (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .mid = mid, .payload = payload});
}

static void answer_by_many(struct world *world) {
    for (unsigned i = 0; i < MANY; i++) {
        answer(world, i, (uint16_t)i, "on");
        if (i % A_TURN == 0) world_run(world);
    }
    world_run(world);
}

/* It takes each answer, and does not observe. */
static struct cg_round *stream(struct world *world, struct observer *observer) {
    observer_new(world, observer, "/lamps")->observes = false;
    observer_go(world, observer);
    return world->gateway->rounds.all;
}

static void test_who_has_answered_is_kept_and_not_what(void **state) {
    struct world *world = *state;
    struct observer observer;
    struct cg_round *round = stream(world, &observer);
    answer_by_many(world);
    assert_int_equal(observer.answers, MANY);
    assert_int_equal(round->tally.answered, MANY);
    assert_in_range(round->tally.told.used, MANY - CG_ANSWERS_KEPT - A_TURN - 1, MANY - CG_ANSWERS_KEPT);
    assert_in_range(round->tally.by_who.used, CG_ANSWERS_KEPT, CG_ANSWERS_KEPT + A_TURN + 1);
    world_advance(world, 2 * SECOND);
    assert_true(observer.ended);
    assert_int_equal(observer.summary.answered, MANY);
}

static void test_one_that_was_told_is_no_new_member(void **state) {
    struct world *world = *state;
    struct observer observer;
    const unsigned one = CG_ANSWERS_KEPT + 7;
    struct cg_round *round = stream(world, &observer);
    answer_by_many(world);
    observer.len = 0;
    answer(world, one, (uint16_t)one, "on"); /* the network has repeated it */
    world_run(world);
    assert_string_equal(observer_take(&observer), "");
    for (unsigned i = 0; i < 3; i++) {
        answer(world, one, (uint16_t)(9000 + i), "off"); /* as they come (GCP §5.4.1) */
        world_run(world);
        assert_string_equal(observer_take(&observer), "127.2.16.104 off alone;");
    }
    assert_int_equal(round->tally.answered, MANY);
    assert_int_equal(round->tally.duplicates, 4);
    assert_int_equal(round->tally.numbered, MANY);
    world_advance(world, 2 * SECOND);
}

static void test_failures_are_counted_as_the_latest_says(void **state) {
    struct world *world = *state;
    struct observer observer;
    const unsigned one = CG_ANSWERS_KEPT + 7;
    struct cg_round *round = stream(world, &observer);
    answer_by_many(world);
    world_answer_as(world, 0, name_of(one), (struct answer){.type = CG_NON, .code = CG_CODE(4, 4), .mid = 9000});
    assert_int_equal(round->tally.failed, 1);
    world_run(world);
    answer(world, one, 9001, "on");
    assert_int_equal(round->tally.failed, 0);
    world_advance(world, 2 * SECOND);
}

static void test_nothing_goes_before_it_is_taken(void **state) {
    struct world *world = *state;
    struct observer observer;
    struct cg_round *round = stream(world, &observer);
    observer.room = CG_ANSWERS_KEPT;
    answer_by_many(world);
    assert_int_equal(observer.answers, CG_ANSWERS_KEPT);
    assert_int_equal(round->tally.told.used, 0);
    observer.room = UINT32_MAX;
    world_advance(world, 2 * SECOND);
    assert_int_equal(observer.answers, MANY);
}

static void test_who_waits_for_the_whole_reply_gets_all(void **state) {
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps");
    struct cg_round *round = world_round(world, &call);
    answer_by_many(world);
    assert_int_equal(round->tally.told.used, 0);
    assert_int_equal(round->tally.by_who.used, MANY);
    world_advance(world, 2 * SECOND);
    call_fini(&call);
}

static void test_memory_is_that_of_keys(void **state) {
    enum { MOST_EACH = 64 };
    struct world *world = *state;
    struct observer observer;
    struct cg_round *round = stream(world, &observer);
    answer_by_many(world);
    size_t before = round->arena.used;
    for (unsigned i = MANY; i < MANY + 4000; i++) {
        answer(world, i, (uint16_t)i, "on");
        if (i % A_TURN == 0) world_run(world);
    }
    world_run(world);
    assert_in_range(round->arena.used - before, 0, 4000 * MOST_EACH);
    world_advance(world, 2 * SECOND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_who_has_answered_is_kept_and_not_what),   world_test(test_one_that_was_told_is_no_new_member),
        world_test(test_failures_are_counted_as_the_latest_says), world_test(test_nothing_goes_before_it_is_taken),
        world_test(test_who_waits_for_the_whole_reply_gets_all),  world_test(test_memory_is_that_of_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
