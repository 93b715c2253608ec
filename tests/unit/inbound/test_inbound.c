/* What a member sends is heard once, when it verifies and is no replay, and does nothing otherwise (R15, R24, R57). */
#include "fake_post.h"

#include <stdlib.h>
#include <string.h>

static void assert_nothing_heard_of(struct post *post, const struct parcel *parcel, enum cg_alert_fate fate) {
    assert_int_equal(post->heard_count, 0);
    assert_int_equal(post_count(post, CG_ALERT_ACCEPTED), 0);
    assert_int_equal(post_count(post, fate), 1);
    assert_int_equal(parcel->replies, 1);
    assert_false(parcel->is_proven);
}

static void test_valid(void **state) {
    struct post *post = *state;
    struct letter_style style = {.text = "smoke"};
    post_introduce(post, 1, style);
    assert_int_equal(post->heard_count, 1);
    const struct heard *heard = &post->heard[0];
    assert_string_equal(heard->member, "lamp-1");
    assert_string_equal(heard->group, "floor1");
    assert_string_equal(heard->path, "/alarm");
    assert_string_equal(heard->payload, "smoke");
    assert_int_equal(heard->method, CG_POST);
    assert_int_equal(heard->number, 101); /* the first one was challenged */
    assert_int_equal(post_count(post, CG_ALERT_CHALLENGED), 1);
    assert_int_equal(post_count(post, CG_ALERT_ACCEPTED), 1);
}

static void test_second_needs_no_challenge(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    struct cg_msg plain;
    post_introduce(post, 1, (struct letter_style){0});
    struct letter letter = post_write(&post->lamps[1], (struct letter_style){.code = CG_PUT, .path = "door"});
    post_deliver(post, &parcel, &letter);
    assert_true(parcel.is_proven);
    assert_int_equal(post_open(&post->lamps[1], &letter, &parcel, &plain), CG_OK);
    assert_int_equal(plain.code, CG_CODE(2, 4));
    assert_int_equal(post->heard_count, 2);
    assert_string_equal(post->heard[1].path, "/door");
    assert_int_equal(post->heard[1].method, CG_PUT);
}

/* A number of our own, never the request's nonce (RFC 10021 §7.3). */
static void test_answers_are_numbered(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    struct cg_slice value, before = CG_SLICE_NONE;
    struct cg_oscore_option option;
    uint8_t piv[CG_OSCORE_PIV_MAX];
    post_introduce(post, 1, (struct letter_style){0});
    for (int i = 0; i < 3; i++) {
        struct letter letter = post_write(&post->lamps[1], (struct letter_style){0});
        post_deliver(post, &parcel, &letter);
        assert_true(cg_msg_find(&parcel.answer, CG_OPT_OSCORE, &value));
        assert_int_equal(cg_oscore_option_parse(&option, value), CG_OK);
        assert_true(option.piv.len > 0);
        assert_false(option.group); /* in pairwise mode, as the request */
        assert_false(cg_slice_equal(option.piv, before));
        memcpy(piv, option.piv.data, option.piv.len);
        before = cg_slice_of(piv, option.piv.len);
    }
}

static void test_replayed(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    struct letter letter = post_introduce(post, 1, (struct letter_style){0});
    post_deliver(post, &parcel, &letter);
    assert_int_equal(parcel.saying, CG_INBOUND_IGNORE); /* R57: no answer */
    assert_int_equal(post->heard_count, 1);
    assert_int_equal(post_count(post, CG_ALERT_REPLAYED), 1);
}

/* Every bit of one alert, header and token left out, which nobody protects. */
static void test_flipped(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    post_introduce(post, 1, (struct letter_style){0});
    post->heard_count = 0;
    struct letter letter = post_write(&post->lamps[1], (struct letter_style){0});
    for (size_t bit = 5 * 8; bit < letter.len * 8; bit++) {
        struct letter flipped = letter;
        flipped.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        post_deliver(post, &parcel, &flipped);
        assert_int_equal(post->heard_count, 0);
    }
    assert_int_equal(post_count(post, CG_ALERT_ACCEPTED), 1);
    post_deliver(post, &parcel, &letter);
    assert_int_equal(post->heard_count, 1);
}

static void test_flipped_in_group_mode(void **state) {
    (void)state;
    struct post *post = malloc(sizeof *post);
    struct parcel parcel;
    post_init(post, post_group_mode_only);
    struct letter_style style = {.group_mode = true};
    post_introduce(post, 1, style);
    post->heard_count = 0;
    struct letter letter = post_write(&post->lamps[1], style);
    for (size_t bit = 5 * 8; bit < letter.len * 8; bit++) {
        struct letter flipped = letter;
        flipped.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        post_deliver(post, &parcel, &flipped);
        assert_int_equal(post->heard_count, 0);
        world_advance(&post->side.world, SECOND);
    }
    post_deliver(post, &parcel, &letter);
    assert_int_equal(post->heard_count, 1);
    post_fini(post);
    free(post);
}

static void test_of_another_group(void **state) {
    struct post *post = *state;
    struct fake_group other;
    struct lamp lamp;
    struct parcel parcel;
    fake_group_usual(&other, 0x77);
    lamp_init(&lamp, &other, 1);
    struct letter letter = post_write(&lamp, (struct letter_style){0});
    post_deliver(post, &parcel, &letter);
    assert_nothing_heard_of(post, &parcel, CG_ALERT_FOREIGN);
    assert_int_equal(parcel.answer.code, CG_CODE(4, 1));
    lamp_fini(&lamp);
}

static void test_of_nobody_in_the_group(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    side_set_keys(&post->side, post->side.lamps, &post->side.keys, 2, NULL);
    struct letter letter = post_write(&post->lamps[2], (struct letter_style){0});
    post_deliver(post, &parcel, &letter);
    assert_nothing_heard_of(post, &parcel, CG_ALERT_FOREIGN);
}

/* Whoever can sign in the group's name of another group still has not this one's keys; and group mode, which whoever is
 * on the way could send on to others, is not taken where there is the other. */
static void test_group_mode_where_pairwise_is_required(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    struct letter letter = post_write(&post->lamps[1], (struct letter_style){.group_mode = true});
    post_deliver(post, &parcel, &letter);
    assert_nothing_heard_of(post, &parcel, CG_ALERT_WRONG_MODE);
    assert_int_equal(post->side.crypto.submitted, 0);
}

static void test_unprotected(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    uint8_t bytes[64];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_CON, CG_POST, 1, (struct cg_token){0});
    cg_msg_put_opt(&writer, CG_OPT_URI_PATH, cg_slice_str("alarm"));
    post_send(post, &parcel, "127.1.0.9:40000", bytes, (size_t)cg_msg_end(&writer));
    assert_nothing_heard_of(post, &parcel, CG_ALERT_UNPROTECTED);
    assert_int_equal(parcel.answer.code, CG_CODE(4, 1));
}

/* The window is lost: one challenge, whose value stays the same until it is echoed, and then none. */
static void test_lost_window_costs_one_echo(void **state) {
    struct post *post = *state;
    post_introduce(post, 1, (struct letter_style){0});
    for (int i = 0; i < 5; i++) {
        struct parcel parcel;
        struct letter letter = post_write(&post->lamps[1], (struct letter_style){0});
        post_deliver(post, &parcel, &letter);
    }
    assert_int_equal(post_count(post, CG_ALERT_CHALLENGED), 1);
    assert_int_equal(post->heard_count, 6);
    post_introduce(post, 2, (struct letter_style){0}); /* each member's own */
    assert_int_equal(post_count(post, CG_ALERT_CHALLENGED), 2);
}

/* Answers to casts do not wait for that. */
static void test_lost_window_keeps_nobody_from_answering(void **state) {
    struct post *post = *state;
    size_t index = side_get(&post->side);
    struct reception reception = lamp_receive(&post->lamps[1], &post->side.world.sent[index]);
    struct answer_bytes answer = lamp_seal(&post->lamps[1], &reception, "on", (struct style){0});
    side_deliver(&post->side, 1, &answer);
    side_settle(&post->side);
    assert_non_null(strstr(side_reply(&post->side), "\"answered\":1"));
}

static void test_random_datagrams(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    uint64_t seed = 88172645463325252u;
    post_introduce(post, 1, (struct letter_style){0});
    post->heard_count = 0;
    struct letter letter = post_write(&post->lamps[1], (struct letter_style){0});
    for (int i = 0; i < 100000; i++) {
        struct letter other = letter;
        size_t cut = 0;
        for (int changes = 0; changes < 4; changes++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            other.bytes[seed % other.len] = (uint8_t)(seed >> 32);
            if ((seed >> 50) % 8 == 0) cut = (seed >> 20) % other.len;
        }
        if (memcmp(other.bytes + 5, letter.bytes + 5, letter.len - 5) == 0) continue; /* header and token only */
        post_send(post, &parcel, "127.1.0.9:40000", other.bytes, other.len - cut);
    }
    assert_int_equal(post->heard_count, 0);
    assert_true(post->inbound != NULL && post_count(post, CG_ALERT_FORGED) > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        post_test(test_valid),
        post_test(test_second_needs_no_challenge),
        post_test(test_answers_are_numbered),
        post_test(test_replayed),
        post_test(test_flipped),
        cmocka_unit_test(test_flipped_in_group_mode),
        post_test(test_of_another_group),
        post_test(test_of_nobody_in_the_group),
        post_test(test_group_mode_where_pairwise_is_required),
        post_test(test_unprotected),
        post_test(test_lost_window_costs_one_echo),
        post_test(test_lost_window_keeps_nobody_from_answering),
        post_test(test_random_datagrams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
