/* Which of a member's answers is the latest, when a late one to the group comes after the answer to its repair, or the
 * other way round. */
#include "exchange/fake_world.h"

#include <string.h>

/* Without numbers */

static void set_up(struct world *world, struct call *call) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->repair_unicast = true;
    lamps->leisure = 5;
    lamps->finish.rule = CG_FINISH_DEADLINE;
    world_get(world, call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "other");
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 2); /* the cast, and the repair of 127.1.0.2 */
}

static void expect_body(struct world *world, struct call *call, const char *part, unsigned duplicates) {
    world_advance(world, SECOND);
    assert_int_equal(call->reply.summary.answered, 2);
    assert_int_equal(call->reply.summary.duplicates, duplicates);
    if (strstr(call->text, part) == NULL) fail_msg("no %s in %s", part, call->text);
}

static void test_a_late_group_answer_does_not_replace_the_repair(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, &call);
    world_answer(world, 1, "127.1.0.2", "newer");
    world_answer(world, 0, "127.1.0.2", "older");
    expect_body(world, &call, "\"body\":\"newer\"", 1);
}

static void test_a_repair_replaces_the_late_group_answer(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, &call);
    world_answer(world, 0, "127.1.0.2", "older");
    world_answer(world, 1, "127.1.0.2", "newer");
    expect_body(world, &call, "\"body\":\"newer\"", 1);
}

static void test_of_answers_to_one_request_the_last_one_stays(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, &call);
    world_answer(world, 0, "127.1.0.2", "first");
    world_answer(world, 0, "127.1.0.2", "second");
    expect_body(world, &call, "\"body\":\"second\"", 1);
}

/* With numbers */

struct numbered {
    uint64_t request, number, generation; /* number 0: none */
    const char *kid, *payload;
    bool overtaken;
};

static enum cg_tally_result add(struct cg_tally *tally, const struct numbered *answer, struct cg_held_answer **held) {
    struct cg_opened opened = {.code = CG_CODE(2, 5),
                               .payload = cg_slice_str(answer->payload),
                               .verified = CASTGATE_VERIFIED_SOURCE,
                               .has_kid = true,
                               .kid = cg_slice_str(answer->kid),
                               .identity = cg_slice_str("who"),
                               .overtaken = answer->overtaken,
                               .has_number = answer->number != 0,
                               .number = answer->number,
                               .generation = answer->generation};
    struct cg_arrival arrival = {.from = address("127.1.0.1"), .request = answer->request, .opened = &opened};
    return cg_tally_add(tally, &arrival, held);
}

/* `second` comes after `first`. */
static void expect(struct numbered first, struct numbered second, enum cg_tally_result result) {
    struct cg_quota quota = {.max = SIZE_MAX};
    struct cg_arena arena;
    struct cg_mapping mapping = {.max_answers = 10};
    struct cg_tally tally;
    struct cg_held_answer *held = NULL;
    cg_arena_init(&arena, 1 << 20, &quota);
    assert_true(cg_tally_init(&tally, &arena, &mapping));
    assert_int_equal(add(&tally, &first, &held), CG_TALLY_NEW);
    assert_int_equal(add(&tally, &second, &held), result);
    assert_true(cg_slice_is(held->answer.payload, result == CG_TALLY_NEWER ? second.payload : first.payload));
    assert_int_equal(tally.duplicates, 1);
    cg_tally_fini(&tally);
    cg_arena_fini(&arena);
}

static void test_the_highest_number_is_the_latest_whatever_it_answers(void **state) {
    (void)state;
    struct numbered four = {.request = 2, .number = 4, .generation = 1, .kid = "k", .payload = "four"};
    struct numbered five = {.request = 1, .number = 5, .generation = 1, .kid = "k", .payload = "five"};
    expect(four, five, CG_TALLY_NEWER);
    expect(five, four, CG_TALLY_BESIDE);
    struct numbered as_well = {.request = 2, .number = 5, .generation = 1, .kid = "k", .payload = "five, too"};
    expect(five, as_well, CG_TALLY_BESIDE);
}

/* Numbers start again under new keys. */
static void test_later_keys_are_later_whatever_the_number(void **state) {
    (void)state;
    struct numbered old = {.request = 2, .number = 90, .generation = 1, .kid = "k", .payload = "old"};
    struct numbered fresh = {.request = 1, .number = 1, .generation = 2, .kid = "k", .payload = "fresh"};
    expect(old, fresh, CG_TALLY_NEWER);
    expect(fresh, old, CG_TALLY_BESIDE);
}

static void test_where_one_has_no_number_the_later_request_decides(void **state) {
    (void)state;
    struct numbered bare = {.request = 2, .kid = "k", .payload = "bare"};
    struct numbered earlier = {.request = 1, .number = 9, .generation = 1, .kid = "k", .payload = "earlier"};
    struct numbered later = {.request = 3, .number = 1, .generation = 1, .kid = "k", .payload = "later"};
    expect(bare, earlier, CG_TALLY_BESIDE);
    expect(earlier, bare, CG_TALLY_NEWER);
    expect(bare, later, CG_TALLY_NEWER);
    expect(later, bare, CG_TALLY_BESIDE);
}

/* A member with a new Sender ID counts from the beginning. */
static void test_numbers_of_another_kid_are_not_compared(void **state) {
    (void)state;
    struct numbered before = {.request = 1, .number = 9, .generation = 1, .kid = "a", .payload = "before"};
    struct numbered after = {.request = 2, .number = 1, .generation = 1, .kid = "b", .payload = "after"};
    expect(before, after, CG_TALLY_NEWER);
    expect(after, before, CG_TALLY_BESIDE);
}

static void test_what_is_overtaken_replaces_nothing(void **state) {
    (void)state;
    struct numbered held = {.request = 1, .kid = "k", .payload = "held"};
    struct numbered overtaken = {.request = 2, .kid = "k", .payload = "overtaken", .overtaken = true};
    expect(held, overtaken, CG_TALLY_BESIDE);
}

/* The same answer once more has a number as well: what was numbered before it stays behind. */
static void test_the_same_answer_again_moves_on(void **state) {
    (void)state;
    struct cg_quota quota = {.max = SIZE_MAX};
    struct cg_arena arena;
    struct cg_mapping mapping = {.max_answers = 10};
    struct cg_tally tally;
    struct cg_held_answer *held = NULL;
    struct numbered on = {.request = 1, .number = 4, .generation = 1, .kid = "k", .payload = "on"}, on_again = on;
    struct numbered off = {.request = 1, .number = 5, .generation = 1, .kid = "k", .payload = "off"};
    on_again.number = 6;
    cg_arena_init(&arena, 1 << 20, &quota);
    assert_true(cg_tally_init(&tally, &arena, &mapping));
    assert_int_equal(add(&tally, &on, &held), CG_TALLY_NEW);
    assert_int_equal(add(&tally, &on_again, &held), CG_TALLY_SAME);
    assert_int_equal(add(&tally, &off, &held), CG_TALLY_BESIDE);
    assert_true(cg_slice_is(held->answer.payload, "on"));
    cg_tally_fini(&tally);
    cg_arena_fini(&arena);
}

/* Messages */

struct message {
    uint64_t request;
    uint16_t mid;
    const char *payload;
    enum cg_tally_result result;
};

static void expect_messages(const struct message *messages, size_t count) {
    struct cg_quota quota = {.max = SIZE_MAX};
    struct cg_arena arena;
    struct cg_mapping mapping = {.max_answers = 10};
    struct cg_tally tally;
    cg_arena_init(&arena, 1 << 20, &quota);
    assert_true(cg_tally_init(&tally, &arena, &mapping));
    for (size_t i = 0; i < count; i++) {
        struct cg_opened opened = {.code = CG_CODE(2, 5), .payload = cg_slice_str(messages[i].payload)};
        struct cg_arrival arrival = {
            .from = address("127.1.0.1"), .request = messages[i].request, .mid = messages[i].mid, .opened = &opened};
        assert_int_equal(cg_tally_add(&tally, &arrival, NULL), messages[i].result);
    }
    assert_int_equal(tally.duplicates, count - 1);
    cg_tally_fini(&tally);
    cg_arena_fini(&arena);
}

#define EXPECT_MESSAGES(...)                                                                                           \
    do {                                                                                                               \
        static const struct message rows[] = {__VA_ARGS__};                                                            \
        expect_messages(rows, sizeof rows / sizeof *rows);                                                             \
    } while (0)

/* GCP §3.4.1: several responses of one server are several; RFC 7252 §4.5: one message that comes twice is one. */
static void test_a_message_is_one_however_often_it_comes(void **state) {
    (void)state;
    EXPECT_MESSAGES({1, 7, "on", CG_TALLY_NEW}, {1, 7, "on", CG_TALLY_AGAIN}, {1, 8, "on", CG_TALLY_SAME},
                    {1, 7, "on", CG_TALLY_AGAIN}, {1, 8, "on", CG_TALLY_AGAIN}, {1, 9, "on", CG_TALLY_SAME});
    EXPECT_MESSAGES({1, 7, "on", CG_TALLY_NEW}, {1, 8, "off", CG_TALLY_NEWER}, {1, 7, "on", CG_TALLY_AGAIN},
                    {1, 9, "on", CG_TALLY_NEWER}, {1, 8, "off", CG_TALLY_AGAIN});
}

/* Common servers answer all with the request's Message ID. */
static void test_one_message_id_may_be_of_several_messages(void **state) {
    (void)state;
    EXPECT_MESSAGES({1, 7, "on", CG_TALLY_NEW}, {1, 7, "off", CG_TALLY_NEWER}, {1, 7, "on", CG_TALLY_AGAIN},
                    {1, 7, "dim", CG_TALLY_NEWER}, {1, 7, "off", CG_TALLY_AGAIN});
}

/* The client has asked once. */
static void test_the_same_to_a_request_that_was_made_again_is_nothing_new(void **state) {
    (void)state;
    EXPECT_MESSAGES({1, 7, "on", CG_TALLY_NEW}, {2, 8, "on", CG_TALLY_AGAIN}, {1, 9, "on", CG_TALLY_AGAIN},
                    {2, 10, "off", CG_TALLY_NEWER}, {1, 11, "on", CG_TALLY_BESIDE}, {1, 11, "on", CG_TALLY_AGAIN});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_a_late_group_answer_does_not_replace_the_repair),
        world_test(test_a_repair_replaces_the_late_group_answer),
        world_test(test_of_answers_to_one_request_the_last_one_stays),
        cmocka_unit_test(test_the_highest_number_is_the_latest_whatever_it_answers),
        cmocka_unit_test(test_later_keys_are_later_whatever_the_number),
        cmocka_unit_test(test_where_one_has_no_number_the_later_request_decides),
        cmocka_unit_test(test_numbers_of_another_kid_are_not_compared),
        cmocka_unit_test(test_what_is_overtaken_replaces_nothing),
        cmocka_unit_test(test_the_same_answer_again_moves_on),
        cmocka_unit_test(test_a_message_is_one_however_often_it_comes),
        cmocka_unit_test(test_one_message_id_may_be_of_several_messages),
        cmocka_unit_test(test_the_same_to_a_request_that_was_made_again_is_nothing_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
