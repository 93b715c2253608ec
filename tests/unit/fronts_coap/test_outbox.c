/* How fast one client is sent responses: in windows, each of which it acknowledges, and in turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "fronts/coap/outbox.h"

enum { SEATS = 3, SECOND = 1000000 };

struct exchange {
    struct cg_outbox_seat seat;
    unsigned wakes;
    unsigned sent;
    const char *token;
};

struct stage {
    struct cg_outbox *outbox;
    struct exchange exchanges[SEATS];
    uint64_t now_us;
};

static void on_wake(struct cg_outbox_seat *seat) { CG_CONTAINER(seat, struct exchange, seat)->wakes++; }

static int setup(void **state) {
    static struct stage stage;
    static const char *const tokens[SEATS] = {"a", "b", "c"};
    stage = (struct stage){.outbox = cg_outbox_new(), .now_us = SECOND};
    assert_non_null(stage.outbox);
    for (int i = 0; i < SEATS; i++) {
        stage.exchanges[i] = (struct exchange){.seat.wake = on_wake, .token = tokens[i]};
        cg_outbox_take_seat(stage.outbox, &stage.exchanges[i].seat, stage.now_us);
    }
    *state = &stage;
    return 0;
}

static int teardown(void **state) {
    struct stage *stage = *state;
    for (int i = 0; i < SEATS; i++) cg_outbox_leave_seat(&stage->exchanges[i].seat);
    cg_outbox_unref(stage->outbox);
    return 0;
}

#define outbox_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* As many as may go now, `most` at the most; the last one's type in *type. */
static unsigned send(struct stage *stage, int which, unsigned most, enum cg_type *type) {
    struct exchange *exchange = &stage->exchanges[which];
    unsigned count = 0;
    for (; count < most && cg_outbox_may_send(&exchange->seat); count++) {
        *type = cg_outbox_type(&exchange->seat, stage->now_us);
        cg_outbox_sent(&exchange->seat, *type, cg_slice_str(exchange->token), stage->now_us);
    }
    exchange->sent += count;
    return count;
}

static unsigned send_all(struct stage *stage, int which) {
    enum cg_type type = CG_NON;
    unsigned count = send(stage, which, 10000, &type);
    if (count > 0) assert_int_equal(type, CG_CON);
    return count;
}

static void settle(struct stage *stage, int which, uint64_t after_us) {
    stage->now_us += after_us;
    cg_outbox_settled(stage->outbox, cg_slice_str(stage->exchanges[which].token), stage->now_us);
}

static void test_the_last_of_a_window_is_to_be_acknowledged(void **state) {
    struct stage *stage = *state;
    enum cg_type type;
    assert_int_equal(send(stage, 0, CG_OUTBOX_WINDOW_MIN - 1, &type), CG_OUTBOX_WINDOW_MIN - 1);
    assert_int_equal(type, CG_NON);
    assert_int_equal(send(stage, 0, 10, &type), 1);
    assert_int_equal(type, CG_CON);
    assert_int_equal(send_all(stage, 0), 0);
}

static void test_windows_double_up_to_a_bound(void **state) {
    struct stage *stage = *state;
    unsigned window = CG_OUTBOX_WINDOW_MIN;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(send_all(stage, 0), window);
        settle(stage, 0, SECOND);
        assert_int_equal(stage->exchanges[0].wakes, (unsigned)i + 1);
        window = 2 * window < CG_OUTBOX_WINDOW_MAX ? 2 * window : CG_OUTBOX_WINDOW_MAX;
    }
    assert_int_equal(window, CG_OUTBOX_WINDOW_MAX);
}

static void test_a_late_acknowledgement_begins_again(void **state) {
    struct stage *stage = *state;
    send_all(stage, 0);
    settle(stage, 0, SECOND);
    assert_int_equal(send_all(stage, 0), 2 * CG_OUTBOX_WINDOW_MIN);
    settle(stage, 0, 2 * SECOND);
    assert_int_equal(send_all(stage, 0), CG_OUTBOX_WINDOW_MIN);
}

static void test_other_acknowledgements_open_nothing(void **state) {
    struct stage *stage = *state;
    settle(stage, 0, 0); /* of nothing */
    assert_int_equal(send_all(stage, 0), CG_OUTBOX_WINDOW_MIN);
    settle(stage, 1, 0);
    assert_int_equal(send_all(stage, 0), 0);
    settle(stage, 0, 0);
    settle(stage, 0, 0); /* once more */
    assert_int_equal(send_all(stage, 0), 2 * CG_OUTBOX_WINDOW_MIN);
}

static void test_exchanges_take_turns(void **state) {
    struct stage *stage = *state;
    enum cg_type type;
    send_all(stage, 0);
    assert_int_equal(send_all(stage, 1) + send_all(stage, 2), 0);
    settle(stage, 0, 0); /* 20 for three that have more than that */
    for (unsigned i = 0; i < 2 * CG_OUTBOX_WINDOW_MIN; i++) {
        int turn = -1;
        for (int j = 0; j < SEATS; j++) {
            if (cg_outbox_may_send(&stage->exchanges[j].seat)) turn = j;
        }
        assert_int_equal(turn, i % SEATS);
        assert_int_equal(send(stage, turn, 1, &type), 1);
    }
}

static void test_only_the_first_in_line_is_woken_and_wakes_the_next(void **state) {
    struct stage *stage = *state;
    enum cg_type type;
    send_all(stage, 0);
    send_all(stage, 1);
    send_all(stage, 2);
    settle(stage, 0, 0);
    assert_int_equal(stage->exchanges[0].wakes, 1);
    assert_int_equal(stage->exchanges[1].wakes + stage->exchanges[2].wakes, 0);
    send(stage, 0, 1, &type);
    assert_int_equal(stage->exchanges[1].wakes, 1);
    cg_outbox_leave_seat(&stage->exchanges[1].seat); /* it has ended meanwhile */
    assert_int_equal(stage->exchanges[2].wakes, 1);
    cg_outbox_take_seat(stage->outbox, &stage->exchanges[1].seat, stage->now_us);
}

static void test_a_new_request_shows_that_the_client_is_there(void **state) {
    struct stage *stage = *state;
    enum cg_type type;
    send(stage, 0, CG_OUTBOX_WINDOW_MIN - 1, &type);
    cg_outbox_leave_seat(&stage->exchanges[1].seat);
    cg_outbox_take_seat(stage->outbox, &stage->exchanges[1].seat, stage->now_us);
    assert_int_equal(send_all(stage, 1), CG_OUTBOX_WINDOW_MIN);
}

/* What it has not acknowledged it may not have. */
static void test_a_new_request_opens_nothing_while_an_acknowledgement_is_awaited(void **state) {
    struct stage *stage = *state;
    send_all(stage, 0);
    cg_outbox_leave_seat(&stage->exchanges[1].seat);
    cg_outbox_take_seat(stage->outbox, &stage->exchanges[1].seat, stage->now_us);
    assert_int_equal(send_all(stage, 1), 0);
}

/* RFC 7641 §4.5: each of those that it listens to. */
static void test_a_client_is_asked_once_a_day_whether_it_still_listens(void **state) {
    struct stage *stage = *state;
    enum cg_type type;
    stage->now_us += CG_OUTBOX_CONFIRM_US - SECOND - 1;
    send(stage, 0, 1, &type);
    assert_int_equal(type, CG_NON);
    stage->now_us++;
    send(stage, 0, 1, &type);
    assert_int_equal(type, CG_NON);
    stage->now_us += SECOND;
    send(stage, 0, 1, &type);
    assert_int_equal(type, CG_CON);
    assert_false(cg_outbox_may_send(&stage->exchanges[1].seat)); /* before it has said so */
    settle(stage, 0, 1);
    send(stage, 1, 1, &type);
    assert_int_equal(type, CG_CON); /* it may have forgotten this one */
    settle(stage, 1, 1);
    send(stage, 0, 1, &type);
    assert_int_equal(type, CG_NON); /* for another day */
}

static void test_a_request_on_a_running_token_shows_that_the_client_is_there(void **state) {
    struct stage *stage = *state;
    enum cg_type type;
    send(stage, 0, CG_OUTBOX_WINDOW_MIN - 1, &type);
    cg_outbox_heard(stage->outbox);
    assert_int_equal(send_all(stage, 0), CG_OUTBOX_WINDOW_MIN);
    cg_outbox_heard(stage->outbox); /* but it has not acknowledged */
    assert_int_equal(send_all(stage, 0), 0);
}

static void test_an_outbox_outlives_its_client_while_somebody_sits_at_it(void **state) {
    struct stage *stage = *state;
    struct cg_outbox *outbox = cg_outbox_new();
    struct exchange exchange = {.seat.wake = on_wake, .token = "z"};
    (void)stage;
    assert_non_null(outbox);
    cg_outbox_take_seat(outbox, &exchange.seat, 0);
    cg_outbox_unref(outbox);
    assert_true(cg_outbox_may_send(&exchange.seat));
    cg_outbox_leave_seat(&exchange.seat);
    cg_outbox_leave_seat(&exchange.seat); /* it has none any more */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        outbox_test(test_the_last_of_a_window_is_to_be_acknowledged),
        outbox_test(test_windows_double_up_to_a_bound),
        outbox_test(test_a_late_acknowledgement_begins_again),
        outbox_test(test_other_acknowledgements_open_nothing),
        outbox_test(test_exchanges_take_turns),
        outbox_test(test_only_the_first_in_line_is_woken_and_wakes_the_next),
        outbox_test(test_a_new_request_shows_that_the_client_is_there),
        outbox_test(test_a_new_request_opens_nothing_while_an_acknowledgement_is_awaited),
        outbox_test(test_a_client_is_asked_once_a_day_whether_it_still_listens),
        outbox_test(test_a_request_on_a_running_token_shows_that_the_client_is_there),
        outbox_test(test_an_outbox_outlives_its_client_while_somebody_sits_at_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
