/* An answer that comes in blocks is nobody's before it is whole: what its member has said wholly stands until then, and
 * if the others never come. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

#define BLOCK "0123456789abcdef" /* 16 bytes */

static void put_block(struct world *world, size_t index, const char *from, uint32_t number, bool more,
                      const char *payload) {
    uint8_t value[2] = {(uint8_t)(number >> 4), (uint8_t)(number << 4 | (more ? 8 : 0))};
    struct cg_opt block = {.number = CG_OPT_BLOCK2, .value = cg_slice_of(value, sizeof value)};
    struct cg_opts options = {.list = &block, .count = 1};
    world_answer_as(
        world, index, from,
        (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .mid = 5, .payload = payload, .options = &options});
    world_run(world);
}

static void put(struct world *world, size_t index, const char *from, const char *payload) {
    world_answer(world, index, from, payload);
    world_run(world);
}

/* "lamps" has so many members, and this rule. */
static void set_up(struct world *world, unsigned members, enum cg_finish_rule rule) {
    world_add_members(world, world_mapping(world, "lamps"), members);
    world_mapping(world, "lamps")->finish.rule = rule;
}

static void begin(struct world *world, struct call *call) {
    world_get(world, call, "/lamps");
    assert_int_equal(world->sent_count, 1);
}

static int teardown(void **state) {
    struct world *world = *state;
    assert_int_equal(world->gateway->engine.asks, 0);
    return world_teardown(state);
}

#define partial_test(test) cmocka_unit_test_setup_teardown(test, world_setup, teardown)

static void assert_has(const struct call *call, const char *part) {
    if (strstr(call->text, part) == NULL) fail_msg("no %s in %s", part, call->text);
}

static void assert_counts(const struct call *call, unsigned answered, unsigned duplicates, unsigned rejected,
                          unsigned missing) {
    const struct castgate_summary *summary = &call->reply.summary;
    assert_int_equal(call->replies, 1);
    assert_int_equal(summary->answered, answered);
    assert_int_equal(summary->duplicates, duplicates);
    assert_int_equal(summary->rejected, rejected);
    assert_int_equal(summary->missing, missing);
}

static const struct cg_stats *lamps_stats(struct world *world) { return world_mapping(world, "lamps")->stats; }

static void test_blocks_that_never_come_leave_the_older_answer(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 2, CG_FINISH_DEADLINE);
    begin(world, &call);
    put(world, 0, "127.1.0.1", "older");
    put_block(world, 0, "127.1.0.1", 0, true, BLOCK);
    assert_int_equal(world->sent_count, 2);
    world_advance(world, 2 * SECOND);
    assert_counts(&call, 1, 0, 1, 1);
    assert_has(&call, "\"body\":\"older\"");
    assert_has(&call, "\"reason\":\"blocks-incomplete\"");
    assert_null(strstr(call.text, BLOCK));
    assert_int_equal(lamps_stats(world)->duplicate, 0);
    assert_int_equal(lamps_stats(world)->rejected, 1);
}

static void test_a_failed_block_leaves_the_older_answer_and_lets_all_be_met(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 2, CG_FINISH_ALL);
    begin(world, &call);
    put(world, 0, "127.1.0.1", "older");
    put_block(world, 0, "127.1.0.1", 0, true, BLOCK);
    put(world, 0, "127.1.0.2", "other");
    assert_int_equal(call.replies, 0); /* the first's is to come */
    put_block(world, 1, "127.1.0.1", 2, false, "skips one");
    assert_counts(&call, 2, 0, 1, 0);
    assert_string_equal(call.reply.summary.ended_by, "all");
    assert_has(&call, "\"body\":\"older\"");
}

static void test_a_whole_newer_answer_replaces_the_older_one(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 2, CG_FINISH_ALL);
    begin(world, &call);
    world->now_us += SECOND / 10;
    put(world, 0, "127.1.0.1", "older");
    world->now_us += SECOND / 10;
    put_block(world, 0, "127.1.0.1", 0, true, BLOCK);
    put(world, 0, "127.1.0.2", "other");
    put_block(world, 1, "127.1.0.1", 1, false, "end");
    assert_counts(&call, 2, 1, 0, 0);
    assert_has(&call, "\"ms\":100,\"code\":\"2.05\",\"status\":200,\"content_type\":null,\"body\":\"" BLOCK "end\"");
    assert_null(strstr(call.text, "older"));
    assert_int_equal(lamps_stats(world)->duplicate, 1);
}

/* Somebody else may have sent the first block. */
static void test_a_whole_answer_counts_while_blocks_are_awaited(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 2, CG_FINISH_ALL);
    begin(world, &call);
    put_block(world, 0, "127.1.0.1", 0, true, BLOCK);
    put(world, 0, "127.1.0.1", "whole");
    put(world, 0, "127.1.0.2", "other");
    assert_int_equal(call.replies, 0);
    put_block(world, 1, "127.1.0.1", 5, false, "of something else");
    assert_counts(&call, 2, 0, 1, 0);
    assert_has(&call, "\"body\":\"whole\"");
}

/* The latest is what was said last, not what was whole last; the time is that of the first. */
static void test_blocks_of_an_earlier_answer_replace_no_later_one(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 2, CG_FINISH_ALL);
    begin(world, &call);
    world->now_us += SECOND / 10;
    put_block(world, 0, "127.1.0.1", 0, true, BLOCK);
    world->now_us += SECOND / 10;
    put(world, 0, "127.1.0.1", "whole");
    put_block(world, 1, "127.1.0.1", 1, false, "end");
    put(world, 0, "127.1.0.2", "other");
    assert_counts(&call, 2, 1, 0, 0);
    assert_has(&call, "\"ms\":100,\"code\":\"2.05\",\"status\":200,\"content_type\":null,\"body\":\"whole\"");
    assert_int_equal(lamps_stats(world)->duplicate, 1);
}

static void test_one_answer_of_a_member_is_fetched_at_a_time(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 2, CG_FINISH_DEADLINE);
    begin(world, &call);
    put_block(world, 0, "127.1.0.1", 0, true, BLOCK);
    put_block(world, 0, "127.1.0.1", 0, true, "another one here");
    assert_int_equal(world->sent_count, 2);
    put_block(world, 1, "127.1.0.1", 1, false, "end");
    world_advance(world, 2 * SECOND);
    assert_counts(&call, 1, 1, 0, 1);
    assert_has(&call, "\"body\":\"" BLOCK "end\"");
}

static void test_count_is_met_by_whole_answers(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 3, CG_FINISH_COUNT);
    world_mapping(world, "lamps")->finish.count = 2;
    begin(world, &call);
    put(world, 0, "127.1.0.1", "on");
    put_block(world, 0, "127.1.0.2", 0, true, BLOCK);
    assert_int_equal(call.replies, 0);
    put_block(world, 1, "127.1.0.2", 3, false, "skips");
    assert_int_equal(call.replies, 0);
    put(world, 0, "127.1.0.3", "off");
    assert_counts(&call, 2, 0, 1, 1);
    assert_string_equal(call.reply.summary.ended_by, "count");
}

static void test_quorum_is_met_by_whole_answers(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 4, CG_FINISH_QUORUM);
    world_mapping(world, "lamps")->finish.quorum = 0.5;
    begin(world, &call);
    put(world, 0, "127.1.0.1", "on");
    put_block(world, 0, "127.1.0.2", 0, true, BLOCK);
    assert_int_equal(call.replies, 0);
    put_block(world, 1, "127.1.0.2", 1, false, "end");
    assert_counts(&call, 2, 0, 0, 2);
    assert_string_equal(call.reply.summary.ended_by, "quorum");
}

static void test_repair_leaves_out_whose_blocks_are_awaited(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 2, CG_FINISH_ALL);
    world_mapping(world, "lamps")->repair_unicast = true;
    world_mapping(world, "lamps")->leisure = 1;
    begin(world, &call);
    put_block(world, 0, "127.1.0.1", 0, true, BLOCK);
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 3);
    assert_int_equal(world->sent[2].route.to.ip[3], 2); /* the other one */
    put_block(world, 1, "127.1.0.1", 1, false, "end");
    put(world, 2, "127.1.0.2", "on");
    assert_counts(&call, 2, 0, 0, 0);
}

static void test_repair_asks_whose_blocks_have_failed(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 2, CG_FINISH_ALL);
    world_mapping(world, "lamps")->repair_unicast = true;
    world_mapping(world, "lamps")->leisure = 1;
    begin(world, &call);
    put(world, 0, "127.1.0.2", "on");
    put_block(world, 0, "127.1.0.1", 0, true, BLOCK);
    put_block(world, 1, "127.1.0.1", 7, false, "skips");
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 3);
    put(world, 2, "127.1.0.1", "off");
    assert_counts(&call, 2, 0, 1, 0);
}

/* Limits */

/* A first block holds a place, so that what is fetched is bounded as well; but nobody's whole answer gives way to it.
 */
static void test_no_more_is_fetched_than_may_be_kept(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 5, CG_FINISH_DEADLINE);
    world_mapping(world, "lamps")->max_answers = 2;
    begin(world, &call);
    put_block(world, 0, "127.1.0.1", 0, true, BLOCK);
    put_block(world, 0, "127.1.0.2", 0, true, BLOCK);
    assert_int_equal(world->sent_count, 3);
    put_block(world, 0, "127.1.0.3", 0, true, BLOCK);
    assert_int_equal(world->sent_count, 3);
    put(world, 0, "127.1.0.1", "whole"); /* its own place */
    put(world, 0, "127.1.0.4", "whole");
    put_block(world, 2, "127.1.0.2", 1, false, "end");
    world_advance(world, 2 * SECOND);
    assert_counts(&call, 2, 0, 3, 3);
    assert_has(&call, "\"reason\":\"max_answers\"");
    assert_has(&call, "\"reason\":\"blocks-incomplete\"");
    assert_string_equal(call.reply.summary.ended_by, "limit");
    assert_int_equal(lamps_stats(world)->over_cap, 2);
    assert_int_equal(lamps_stats(world)->rejected, 3);
}

static void test_a_place_is_free_again_when_blocks_fail(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 3, CG_FINISH_DEADLINE);
    world_mapping(world, "lamps")->max_answers = 2;
    begin(world, &call);
    put(world, 0, "127.1.0.1", "on");
    put_block(world, 0, "127.1.0.1", 0, true, BLOCK); /* it has one */
    put_block(world, 0, "127.1.0.2", 0, true, BLOCK);
    put_block(world, 2, "127.1.0.2", 7, false, "skips");
    put_block(world, 0, "127.1.0.3", 0, true, BLOCK);
    assert_int_equal(world->sent_count, 4);
    put_block(world, 3, "127.1.0.3", 1, false, "end");
    world_advance(world, 2 * SECOND);
    assert_counts(&call, 2, 0, 2, 1);
}

static void test_what_has_come_counts_as_the_exchanges_memory(void **state) {
    struct world *world = *state;
    enum { KEPT = 40 };
    struct call call;
    set_up(world, 2, CG_FINISH_DEADLINE);
    world->config->limits.exchange_memory = 16384;
    begin(world, &call);
    size_t before = world->gateway->quota.used;
    put_block(world, 0, "127.1.0.1", 0, true, BLOCK);
    for (uint32_t i = 1; i <= KEPT; i++) put_block(world, i, "127.1.0.1", i, true, BLOCK);
    size_t during = world->gateway->quota.used;
    assert_true(during >= before + (KEPT + 1) * 16);
    put_block(world, KEPT + 1, "127.1.0.1", KEPT + 7, false, "skips");
    assert_true(world->gateway->quota.used + (KEPT + 1) * 16 <= during); /* given back before the exchange ends */
    for (uint32_t at = (uint32_t)world->sent_count, i = 0; i < 1023 && world->sent_count > at - 1; i++) {
        if (i == 0) put_block(world, 0, "127.1.0.1", 0, true, BLOCK);
        size_t last = world->sent_count - 1;
        put_block(world, last, "127.1.0.1", i + 1, true, BLOCK);
        if (world->sent_count == last + 1) break;
    }
    assert_int_equal(world->gateway->engine.asks, 0); /* the limit of 16 KiB came first */
    assert_true(world->sent_count < 2 * 1024);
    world_advance(world, 2 * SECOND);
    assert_counts(&call, 0, 0, 2, 2);
    assert_int_equal(world->gateway->quota.used, 0);
}

/* Streams */

static int stream_answer(const struct castgate_host *host, struct castgate_call *call,
                         const struct castgate_answer *answer) {
    return host->write(call, answer->payload) && host->write(call, (struct castgate_slice){.data = ";", .len = 1})
               ? 0
               : CASTGATE_NO_MEMORY;
}

static int stream_nothing(const struct castgate_host *host, struct castgate_call *call) {
    (void)host;
    (void)call;
    return 0;
}

static const struct castgate_encoder stream_encoder = {.media_type = "text/plain",
                                                       .begin = stream_nothing,
                                                       .answer = stream_answer,
                                                       .idle = stream_nothing,
                                                       .end = stream_nothing};

static void begin_stream(struct world *world, struct call *call) {
    world_new(world, call, "/lamps");
    call->encoder = &stream_encoder;
    world_go(world, call);
}

static void test_a_stream_tells_what_is_whole_once(void **state) {
    struct world *world = *state;
    struct call call;
    set_up(world, 2, CG_FINISH_DEADLINE);
    begin_stream(world, &call);
    world_answer(world, 0, "127.1.0.1", "older"); /* not taken yet when the next begins to come */
    put_block(world, 0, "127.1.0.1", 0, true, BLOCK);
    assert_string_equal(call_take(&call), "older;");
    put_block(world, 1, "127.1.0.1", 1, false, "end");
    assert_string_equal(call_take(&call), BLOCK "end;");
    put_block(world, 0, "127.1.0.1", 0, true, BLOCK);
    put_block(world, 2, "127.1.0.1", 4, false, "skips");
    world_advance(world, 2 * SECOND);
    assert_string_equal(call_take(&call), "");
    assert_int_equal(lamps_stats(world)->answered, 1);
    assert_int_equal(lamps_stats(world)->duplicate, 1);
    assert_int_equal(lamps_stats(world)->rejected, 1);
    call_fini(&call);
}

/* The tally alone: with numbers */

struct numbered {
    uint64_t number;
    const char *payload;
};

static void numbered_arrival(struct cg_arrival *arrival, struct cg_opened *opened, struct numbered answer) {
    *opened = (struct cg_opened){.code = CG_CODE(2, 5),
                                 .payload = cg_slice_str(answer.payload),
                                 .verified = CASTGATE_VERIFIED_SOURCE,
                                 .identity = cg_slice_str("who"),
                                 .has_number = true,
                                 .number = answer.number};
    *arrival = (struct cg_arrival){.from = address("127.1.0.1"), .request = 1, .opened = opened};
}

/* While the blocks of the first are awaited the second comes, whole. */
static const char *kept_of(struct numbered in_blocks, struct numbered whole) {
    struct cg_arena arena;
    struct cg_mapping mapping = {.max_answers = 10};
    struct cg_tally tally;
    struct cg_awaited awaited = {0}, again = {0};
    struct cg_opened opened[2];
    struct cg_arrival arrivals[2];
    struct cg_held_answer *held;
    cg_arena_init(&arena, 1 << 20, NULL);
    assert_true(cg_tally_init(&tally, &arena, &mapping));
    numbered_arrival(&arrivals[0], &opened[0], in_blocks);
    numbered_arrival(&arrivals[1], &opened[1], whole);
    assert_int_equal(cg_tally_await(&tally, &arrivals[0], &awaited), CG_TALLY_AWAITED);
    assert_int_equal(cg_tally_await(&tally, &arrivals[0], &again), CG_TALLY_AGAIN);
    assert_int_equal(cg_tally_add(&tally, &arrivals[1], NULL), CG_TALLY_NEW);
    cg_tally_forgo(&tally, &awaited);
    cg_tally_add(&tally, &arrivals[0], &held);
    assert_int_equal(tally.answered, 1);
    assert_int_equal(tally.duplicates, 2);
    const char *kept = cg_slice_is(held->answer.payload, in_blocks.payload) ? in_blocks.payload : whole.payload;
    assert_true(cg_slice_is(held->answer.payload, kept));
    cg_tally_fini(&tally);
    cg_arena_fini(&arena);
    return kept;
}

static void test_the_highest_number_stays_whichever_was_whole_last(void **state) {
    (void)state;
    struct numbered four = {4, "four"}, five = {5, "five"};
    assert_string_equal(kept_of(four, five), "five");
    assert_string_equal(kept_of(five, four), "five");
}

/* What is older than what is there is not even fetched. */
static void test_blocks_of_an_older_answer_are_not_awaited(void **state) {
    (void)state;
    struct cg_arena arena;
    struct cg_mapping mapping = {.max_answers = 10};
    struct cg_tally tally;
    struct cg_awaited awaited = {0};
    struct cg_opened opened;
    struct cg_arrival arrival;
    cg_arena_init(&arena, 1 << 20, NULL);
    assert_true(cg_tally_init(&tally, &arena, &mapping));
    numbered_arrival(&arrival, &opened, (struct numbered){5, "five"});
    assert_int_equal(cg_tally_add(&tally, &arrival, NULL), CG_TALLY_NEW);
    numbered_arrival(&arrival, &opened, (struct numbered){4, "four"});
    assert_int_equal(cg_tally_await(&tally, &arrival, &awaited), CG_TALLY_AGAIN);
    numbered_arrival(&arrival, &opened, (struct numbered){6, "six"});
    opened.overtaken = true;
    assert_int_equal(cg_tally_await(&tally, &arrival, &awaited), CG_TALLY_AGAIN);
    assert_int_equal(tally.duplicates, 2);
    assert_null(tally.awaited);
    cg_tally_fini(&tally);
    cg_arena_fini(&arena);
}

/* Thirty-two at once, and the others in their turn; nobody is left out. */
static void test_many_are_fetched_in_turn(void **state) {
    struct world *world = *state;
    struct call call;
    enum { MEMBERS = 50 };
    char from[16];
    world_add_members(world, world_mapping(world, "lamps"), MEMBERS);
    world_get(world, &call, "/lamps");
    for (unsigned i = 1; i <= MEMBERS; i++) {
        snprintf(from, sizeof from, "127.1.0.%u", i);
        put_block(world, 0, from, 0, true, BLOCK);
    }
    assert_int_equal(world->sent_count, 1 + 32);
    assert_int_equal(world_round(world, &call)->repair.fetching, 32);
    for (size_t i = 1; i <= MEMBERS; i++) {
        assert_true(i < world->sent_count);
        snprintf(from, sizeof from, "127.1.0.%u", world->sent[i].route.to.ip[3]);
        put_block(world, i, from, 1, false, "end");
        world_run(world);
    }
    assert_int_equal(world->sent_count, 1 + MEMBERS);
    assert_int_equal(call.replies, 1);
    assert_int_equal(call.reply.summary.answered, MEMBERS);
    assert_int_equal(call.reply.summary.rejected, 0);
}

/* Whoever still waits when time is up is said to be incomplete. */
static void test_who_never_had_a_turn_is_incomplete(void **state) {
    struct world *world = *state;
    struct call call;
    char from[16];
    world_add_members(world, world_mapping(world, "lamps"), 40);
    world_get(world, &call, "/lamps");
    for (unsigned i = 1; i <= 40; i++) {
        snprintf(from, sizeof from, "127.1.0.%u", i);
        put_block(world, 0, from, 0, true, BLOCK);
    }
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.rejected, 40);
    assert_int_equal(call.reply.summary.missing, 40);
    assert_int_equal(world->gateway->engine.asks, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_many_are_fetched_in_turn),
        world_test(test_who_never_had_a_turn_is_incomplete),
        partial_test(test_blocks_that_never_come_leave_the_older_answer),
        partial_test(test_a_failed_block_leaves_the_older_answer_and_lets_all_be_met),
        partial_test(test_a_whole_newer_answer_replaces_the_older_one),
        partial_test(test_a_whole_answer_counts_while_blocks_are_awaited),
        partial_test(test_blocks_of_an_earlier_answer_replace_no_later_one),
        partial_test(test_one_answer_of_a_member_is_fetched_at_a_time),
        partial_test(test_count_is_met_by_whole_answers),
        partial_test(test_quorum_is_met_by_whole_answers),
        partial_test(test_repair_leaves_out_whose_blocks_are_awaited),
        partial_test(test_repair_asks_whose_blocks_have_failed),
        partial_test(test_no_more_is_fetched_than_may_be_kept),
        partial_test(test_a_place_is_free_again_when_blocks_fail),
        partial_test(test_what_has_come_counts_as_the_exchanges_memory),
        partial_test(test_a_stream_tells_what_is_whole_once),
        cmocka_unit_test(test_the_highest_number_stays_whichever_was_whole_last),
        cmocka_unit_test(test_blocks_of_an_older_answer_are_not_awaited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
