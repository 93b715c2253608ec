/* Floods: what may be forged costs so many checks, silences nobody whose home is known, and uses up no numbers (R57).
 */
#include "fake_post.h"

#include "inbound/budget.h"
#include "legs/engine.h"

#include <stdio.h>
#include <string.h>

static const struct letter_style in_group_mode = {.group_mode = true};

static struct letter forge(struct post *post, int lamp) {
    struct letter letter = post_write(&post->lamps[lamp], in_group_mode);
    letter.bytes[letter.len - 1] ^= 1;
    return letter;
}

/* Sends so many forgeries from so many addresses. */
static void flood(struct post *post, int lamp, unsigned count) {
    struct parcel parcel;
    char from[32];
    struct letter letter = forge(post, lamp);
    for (unsigned i = 0; i < count; i++) {
        snprintf(from, sizeof from, "10.%u.%u.%u:5683", i >> 16 & 255, i >> 8 & 255, i & 255);
        post_send(post, &parcel, from, letter.bytes, letter.len);
        fake_crypto_end_all(&post->side.crypto);
    }
}

static void test_forgeries_cost_so_much(void **state) {
    struct post *post = *state;
    post_introduce(post, 1, in_group_mode);
    size_t before = post->side.crypto.submitted;
    flood(post, 1, 5000);
    assert_in_range(post->side.crypto.submitted - before, 1, CG_ALERT_ELSEWHERE / 4);
    before = post->side.crypto.submitted;
    for (int second = 0; second < 10; second++) {
        world_advance(&post->side.world, SECOND);
        flood(post, 1, 500);
    }
    assert_in_range(post->side.crypto.submitted - before, 10, 10 * CG_ALERT_ELSEWHERE);
    assert_int_equal(post->heard_count, 1);
}

/* Whoever forges from elsewhere keeps no member from being heard from its home. */
static void test_a_flood_silences_nobody(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    post_introduce(post, 1, in_group_mode);
    flood(post, 1, 1000);
    struct letter letter = post_write(&post->lamps[1], in_group_mode);
    post_deliver(post, &parcel, &letter);
    assert_int_equal(parcel.saying, CG_INBOUND_ANSWER);
    assert_int_equal(post->heard_count, 2);
    letter = post_write(&post->lamps[1], in_group_mode); /* from elsewhere itself it has to wait, and comes again */
    post_send(post, &parcel, "127.1.0.77:5683", letter.bytes, letter.len);
    post_settle(post);
    assert_int_equal(parcel.saying, CG_INBOUND_IGNORE);
    world_advance(&post->side.world, SECOND);
    post_send(post, &parcel, "127.1.0.77:5683", letter.bytes, letter.len);
    post_settle(post);
    assert_int_equal(parcel.saying, CG_INBOUND_ANSWER);
    assert_int_equal(post->heard_count, 3);
}

/* Members do not share what a forger uses up of one. */
static void test_a_flood_of_one_is_not_anothers(void **state) {
    struct post *post = *state;
    flood(post, 1, 1000);
    post_introduce(post, 2, in_group_mode);
    assert_int_equal(post->heard_count, 1);
}

/* Old ones sent again while the window is lost: each would cost a number of ours. */
static void test_challenges_cost_so_much(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    unsigned challenges = 0;
    struct letter letter = post_write(&post->lamps[1], (struct letter_style){0});
    for (int i = 0; i < 1000; i++) {
        post_deliver(post, &parcel, &letter);
        challenges += parcel.saying == CG_INBOUND_ANSWER;
    }
    assert_int_equal(challenges, CG_ALERT_CHALLENGES);
    world_advance(&post->side.world, 4 * SECOND);
    post_introduce(post, 1, (struct letter_style){0}); /* whose value is still good */
    assert_int_equal(post->heard_count, 1);
}

/* The answers to what is refused are no larger than that, and so many. */
static void test_refusals_are_small_and_few(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    unsigned answers = 0;
    uint8_t bytes[64];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_CON, CG_POST, 1, (struct cg_token){.len = 8});
    cg_msg_put_opt(&writer, CG_OPT_OSCORE, cg_slice_of("\x19\x01\x01\x09\x11", 5));
    cg_msg_put_payload(&writer, cg_slice_str("01234567"));
    for (int i = 0; i < 1000; i++) {
        post_send(post, &parcel, "192.0.2.1:5683", bytes, (size_t)cg_msg_end(&writer));
        answers += parcel.saying == CG_INBOUND_ANSWER;
        if (parcel.saying != CG_INBOUND_ANSWER) continue;
        assert_int_equal(parcel.answer.code, CG_CODE(4, 1));
        assert_int_equal(parcel.answer.payload.len, 0); /* the words would make it longer */
        assert_true(12 + parcel.answer.options.len <= (size_t)cg_msg_end(&writer));
    }
    assert_int_equal(answers, CG_ALERT_REFUSALS);
}

/* A member that cannot stop takes no more of our numbers than this. */
static void test_reports_of_one_member(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    post_introduce(post, 1, (struct letter_style){0});
    for (int i = 0; i < 1000; i++) {
        struct letter letter = post_write(&post->lamps[1], (struct letter_style){0});
        post_deliver(post, &parcel, &letter);
    }
    assert_in_range(post->heard_count, CG_ALERT_REPORTS, CG_ALERT_REPORTS + CG_ALERT_REPORTS_RATE);
    assert_int_equal(post_count(post, CG_ALERT_OVERLOAD), 1001 - post->heard_count);
}

static int group_mode_setup(void **state) { return post_setup_of(state, post_group_mode_only); }
#define group_mode_test(test) cmocka_unit_test_setup_teardown(test, group_mode_setup, post_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        group_mode_test(test_forgeries_cost_so_much),         group_mode_test(test_a_flood_silences_nobody),
        group_mode_test(test_a_flood_of_one_is_not_anothers), post_test(test_challenges_cost_so_much),
        post_test(test_refusals_are_small_and_few),           post_test(test_reports_of_one_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
