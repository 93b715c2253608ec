/* A feed and its readers: each takes everything in order, at its own pace, and what is kept for the slow is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/container.h"
#include "rounds/feed.h"

enum { MEMBERS = 4, READERS = 3, BOUND = 1000 };

struct held {
    struct cg_answer answer;
    struct cg_news news;
    char payload[32];
};

struct listener {
    struct cg_reader reader;
    unsigned wakes;
    char took[512];
};

struct stage {
    struct cg_quota quota;
    struct cg_arena arena;
    struct cg_feed feed;
    struct held members[MEMBERS];
    struct listener readers[READERS];
};

static void on_wake(struct cg_reader *reader) { CG_CONTAINER(reader, struct listener, reader)->wakes++; }

static int setup(void **state) {
    static struct stage stage;
    stage = (struct stage){.quota.max = SIZE_MAX};
    cg_arena_init(&stage.arena, 1 << 20, &stage.quota);
    stage.feed = (struct cg_feed){.arena = &stage.arena, .copied_max = BOUND};
    for (int i = 0; i < READERS; i++) stage.readers[i].reader.wake = on_wake;
    for (int i = 0; i < MEMBERS; i++) stage.members[i].news.answer = &stage.members[i].answer;
    *state = &stage;
    return 0;
}

static int teardown(void **state) {
    struct stage *stage = *state;
    for (int i = 0; i < READERS; i++) cg_reader_leave(&stage->readers[i].reader);
    assert_null(stage->feed.readers);
    assert_int_equal(stage->feed.copied, 0);
    assert_int_equal(stage->arena.used, 0);
    return 0;
}

#define feed_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void read_with(struct stage *stage, int reader) { cg_feed_read(&stage->feed, &stage->readers[reader].reader); }

/* As a tally does it. */
static void say(struct stage *stage, int member, const char *payload) {
    struct held *held = &stage->members[member];
    cg_feed_release(&stage->feed, &held->news);
    snprintf(held->payload, sizeof held->payload, "%s", payload);
    held->answer.payload = cg_slice_str(held->payload);
    cg_feed_append(&stage->feed, &held->news);
}

static void say_beside(struct stage *stage, const char *payload) {
    const struct cg_answer answer = {.payload = cg_slice_str(payload)};
    cg_feed_append_copy(&stage->feed, &answer, NULL);
}

static void refuse(struct stage *stage) {
    const struct cg_answer answer = {.payload = cg_slice_str("none")};
    cg_feed_append_copy(&stage->feed, &answer, "bad-option");
}

/* What it takes, `most` at the most: "a b c". */
static const char *take(struct stage *stage, int reader, int most) {
    struct listener *listener = &stage->readers[reader];
    size_t len = 0;
    listener->took[0] = '\0';
    for (const struct cg_news *news; most-- > 0 && (news = listener->reader.untold) != NULL;) {
        struct cg_slice payload = news->answer->payload;
        len += (size_t)snprintf(listener->took + len, sizeof listener->took - len, "%s%s%.*s", len > 0 ? " " : "",
                                news->refusal != NULL ? "!" : "", (int)payload.len, (const char *)payload.data);
        cg_reader_took(&listener->reader);
    }
    return listener->took;
}

static const char *take_all(struct stage *stage, int reader) { return take(stage, reader, 1000); }

static void test_each_takes_everything_in_order(void **state) {
    struct stage *stage = *state;
    read_with(stage, 0);
    read_with(stage, 1);
    say(stage, 0, "a");
    say(stage, 1, "b");
    assert_string_equal(take_all(stage, 0), "a b");
    say(stage, 0, "c");
    say(stage, 0, "d");
    say(stage, 2, "e");
    assert_string_equal(take_all(stage, 0), "c d e");
    assert_string_equal(take_all(stage, 1), "a b c d e");
    assert_int_equal(stage->readers[0].wakes, 5);
}

static void test_what_nobody_waits_for_is_not_kept(void **state) {
    struct stage *stage = *state;
    say(stage, 0, "a");
    say(stage, 0, "b");
    say_beside(stage, "c");
    read_with(stage, 0);
    assert_string_equal(take_all(stage, 0), "b"); /* what there is */
    say(stage, 0, "d");
    assert_string_equal(take_all(stage, 0), "d");
    say(stage, 0, "e");
    assert_int_equal(stage->feed.copied, 0);
}

static void test_a_copy_lasts_until_the_last_has_taken_it(void **state) {
    struct stage *stage = *state;
    for (int i = 0; i < READERS; i++) read_with(stage, i);
    say(stage, 0, "a");
    say(stage, 0, "b");
    assert_true(stage->feed.copied > 0);
    assert_string_equal(take(stage, 0, 1), "a");
    assert_string_equal(take_all(stage, 1), "a b");
    assert_true(stage->feed.copied > 0);
    cg_reader_leave(&stage->readers[2].reader);
    assert_int_equal(stage->feed.copied, 0);
    assert_string_equal(take_all(stage, 0), "b");
}

static void test_what_is_told_again_has_two_places(void **state) {
    struct stage *stage = *state;
    read_with(stage, 0);
    read_with(stage, 1);
    say(stage, 0, "a");
    say(stage, 1, "b");
    take_all(stage, 0);
    say(stage, 0, "a");
    assert_string_equal(take_all(stage, 1), "a b a");
    assert_string_equal(take_all(stage, 0), "a");
}

static void test_who_has_stopped_takes_what_came_before(void **state) {
    struct stage *stage = *state;
    read_with(stage, 0);
    read_with(stage, 1);
    say(stage, 0, "a");
    say(stage, 1, "b");
    cg_reader_stop(&stage->readers[0].reader);
    say(stage, 0, "c");
    say_beside(stage, "d");
    assert_string_equal(take_all(stage, 0), "a b");
    assert_string_equal(take_all(stage, 1), "a b c d");
    cg_reader_stop(&stage->readers[1].reader);
    say_beside(stage, "e");
    assert_string_equal(take_all(stage, 1), "");
}

static void test_whoever_is_furthest_behind_loses_what_is_too_much(void **state) {
    struct stage *stage = *state;
    for (int i = 0; i < READERS; i++) read_with(stage, i);
    say(stage, 0, "a");
    take_all(stage, 1);
    char text[16];
    int said = 0;
    while (!stage->readers[0].reader.lost) {
        snprintf(text, sizeof text, "%d", said++);
        say(stage, 0, text);
        take_all(stage, 1);
        assert_true(stage->feed.copied <= BOUND);
    }
    assert_true(stage->readers[2].reader.lost);
    assert_false(stage->readers[1].reader.lost);
    assert_null(stage->readers[0].reader.untold);
    assert_int_equal(stage->feed.copied, 0);
    say(stage, 0, "after");
    assert_string_equal(take_all(stage, 0), ""); /* it has lost, and takes nothing more */
    assert_string_equal(take_all(stage, 1), "after");
}

/* Only they. */
static void test_who_is_less_behind_goes_on(void **state) {
    struct stage *stage = *state;
    read_with(stage, 0);
    say(stage, 0, "a");
    say(stage, 0, "b");
    say(stage, 0, "c");
    read_with(stage, 1); /* is there for the latest copies as well */
    while (!stage->readers[0].reader.lost) {
        say_beside(stage, "x");
        if (!stage->readers[0].reader.lost) take(stage, 1, 1);
    }
    assert_false(stage->readers[1].reader.lost);
    assert_true(strlen(take_all(stage, 1)) > 0);
}

static void test_one_that_is_larger_than_the_bound_finds_its_way(void **state) {
    struct stage *stage = *state;
    static char large[2 * BOUND];
    memset(large, 'x', sizeof large - 1);
    read_with(stage, 0);
    say_beside(stage, large);
    assert_false(stage->readers[0].reader.lost);
    assert_int_equal(stage->readers[0].reader.untold->answer->payload.len, sizeof large - 1);
    cg_reader_took(&stage->readers[0].reader);
}

static void test_without_memory_those_lose_who_would_need_it(void **state) {
    struct stage *stage = *state;
    read_with(stage, 0);
    read_with(stage, 1);
    say(stage, 0, "a");
    take_all(stage, 1);
    stage->quota.max = 0;
    say(stage, 0, "b");
    assert_true(stage->readers[0].reader.lost);
    assert_string_equal(take_all(stage, 1), "b");
    say_beside(stage, "c");
    assert_true(stage->readers[1].reader.lost);
}

static void test_refusals_are_for_those_who_hear_them(void **state) {
    struct stage *stage = *state;
    read_with(stage, 0);
    refuse(stage);
    assert_int_equal(stage->feed.copied, 0);
    assert_int_equal(stage->readers[0].wakes, 0);
    stage->readers[1].reader.hears_refusals = true;
    read_with(stage, 1);
    refuse(stage);
    assert_string_equal(take_all(stage, 1), "!none");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        feed_test(test_each_takes_everything_in_order),
        feed_test(test_what_nobody_waits_for_is_not_kept),
        feed_test(test_a_copy_lasts_until_the_last_has_taken_it),
        feed_test(test_what_is_told_again_has_two_places),
        feed_test(test_who_has_stopped_takes_what_came_before),
        feed_test(test_whoever_is_furthest_behind_loses_what_is_too_much),
        feed_test(test_who_is_less_behind_goes_on),
        feed_test(test_one_that_is_larger_than_the_bound_finds_its_way),
        feed_test(test_without_memory_those_lose_who_would_need_it),
        feed_test(test_refusals_are_for_those_who_hear_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
