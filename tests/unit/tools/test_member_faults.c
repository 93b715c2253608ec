/* The simulated members' faults and misbehaviour, and hostile bytes sent to them. */
#include "fake_fleet.h"

static void answers_are_delayed(void **state) {
    (void)state;
    START("--count", "50", "--delay", "100:200", "--seed", "1");
    CAST(.mid = 1, .path = "status");
    run_to(w.now + 100000 - 1);
    assert_int_equal(w.len, 0);
    run_to(w.now + 50000);
    assert_true(w.len > 5 && w.len < 45);
    run_to(w.now + 50001);
    assert_int_equal(w.len, 50);
}

static void some_datagrams_are_lost_and_some_come_twice(void **state) {
    (void)state;
    START("--count", "1000", "--loss", "0.1", "--seed", "1");
    CAST(.mid = 1, .path = "status");
    assert_in_range(w.len, 770, 850); /* 0.9 * 0.9 */
    assert_int_equal(cg_fleet_counts(w.fleet).lost + w.len, 1000);
    assert_int_equal(stop(NULL), 0);
    START("--count", "1000", "--duplicate", "0.5", "--seed", "1");
    CAST(.mid = 1, .path = "status");
    assert_in_range(w.len, 1440, 1560);
}

static void the_order_is_shuffled(void **state) {
    (void)state;
    START("--count", "50", "--reorder", "--seed", "1");
    CAST(.mid = 1, .path = "status");
    run_to(w.now + 20000);
    assert_int_equal(w.len, 50);
    size_t backwards = 0;
    for (size_t i = 1; i < w.len; i++) backwards += w.sent[i].member < w.sent[i - 1].member;
    assert_true(backwards > 10);
}

static void equal_seeds_make_equal_runs(void **state) {
    (void)state;
    uint32_t hashes[3];
    static const char *const seeds[] = {"5", "5", "6"};
    for (size_t run = 0; run < 3; run++) {
        START("--count", "100", "--loss", "0.3", "--duplicate", "0.3", "--reorder", "--seed", seeds[run]);
        CAST(.mid = 1, .path = "status");
        run_to(w.now + SECOND);
        hashes[run] = 0;
        for (size_t i = 0; i < w.len; i++) hashes[run] = hashes[run] * 31 + w.sent[i].member + w.sent[i].msg.mid;
        assert_int_equal(stop(NULL), 0);
    }
    assert_int_equal(hashes[0], hashes[1]);
    assert_int_not_equal(hashes[0], hashes[2]);
}

static void misbehaviour_repeat(void **state) {
    (void)state;
    START("--count", "1", "--misbehave", "repeat:3");
    CAST(.mid = 1, .path = "status");
    assert_int_equal(w.len, 3);
    assert_int_not_equal(w.sent[0].msg.mid, w.sent[1].msg.mid);
    assert_int_not_equal(w.sent[1].msg.mid, w.sent[2].msg.mid);
    assert_true(cg_slice_equal(w.sent[0].msg.payload, w.sent[2].msg.payload));
}

static void misbehaviour_con(void **state) {
    (void)state;
    START("--count", "1", "--misbehave", "con");
    CAST(.mid = 1, .path = "status");
    assert_int_equal(w.len, 1);
    assert_int_equal(w.sent[0].msg.type, CG_CON);
    run_to(w.now + 3 * SECOND);
    assert_int_equal(w.len, 2);
    say_empty(0, CG_ACK, w.sent[0].msg.mid);
    run_to(w.now + 100 * SECOND);
    assert_int_equal(w.len, 2);
}

static void misbehaviour_with_single_answers(void **state) {
    (void)state;
    START("--count", "1", "--misbehave", "oversized");
    CAST(.mid = 1, .path = "status");
    assert_int_equal(w.sent[0].msg.payload.len, 60000);
    assert_int_equal(stop(NULL), 0);
    START("--count", "1", "--misbehave", "wrong-token", "--seed", "1");
    CAST(.mid = 1, .token = 9, .path = "status");
    assert_int_equal(w.sent[0].msg.token.len, 2);
    assert_false(w.sent[0].msg.token.bytes[0] == 0xca && w.sent[0].msg.token.bytes[1] == 9);
    assert_int_equal(stop(NULL), 0);
    START("--count", "3", "--misbehave", "request-mid");
    CAST(.mid = 77, .path = "status");
    for (size_t i = 0; i < 3; i++) assert_int_equal(w.sent[i].msg.mid, 77);
    assert_int_equal(stop(NULL), 0);
    START("--count", "1", "--misbehave", "late:1500");
    CAST(.mid = 1, .path = "status");
    run_to(w.now + 1499999);
    assert_int_equal(w.len, 0);
    run_to(w.now + 1);
    assert_int_equal(w.len, 1);
}

static void misbehaviour_garbage(void **state) {
    (void)state;
    START("--count", "300", "--misbehave", "garbage", "--seed", "1");
    CAST(.mid = 1, .path = "status");
    assert_int_equal(w.len, 300);
    size_t malformed = 0;
    for (size_t i = 0; i < w.len; i++) malformed += w.sent[i].malformed;
    assert_in_range(malformed, 50, 290);
}

/* Nothing that comes in may harm the process; the sanitizers watch. */
static void hostile_bytes_do_no_harm(void **state) {
    (void)state;
    START("--count", "1", "--seed", "1");
    uint32_t random = 1;
    for (int round = 0; round < 50000; round++) {
        uint8_t bytes[64];
        size_t len = (random >> 8) % sizeof bytes;
        for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
        random++;
        if (len > 0) bytes[0] = (bytes[0] & 0x3f) | 0x40;
        if (len > 1 && round % 2) bytes[1] &= 7;
        cg_fleet_receive(w.fleet, 0, &w.client, cg_slice_of(bytes, len), w.now);
        cg_fleet_receive_group(w.fleet, 0, &w.client, cg_slice_of(bytes, len), w.now);
        w.now += 1000;
        run_now();
        for (size_t i = 0; i < w.len; i++) assert_false(w.sent[i].malformed);
        forget_sent();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        fleet_test(answers_are_delayed),
        fleet_test(some_datagrams_are_lost_and_some_come_twice),
        fleet_test(the_order_is_shuffled),
        fleet_test(equal_seeds_make_equal_runs),
        fleet_test(misbehaviour_repeat),
        fleet_test(misbehaviour_con),
        fleet_test(misbehaviour_with_single_answers),
        fleet_test(misbehaviour_garbage),
        fleet_test(hostile_bytes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
