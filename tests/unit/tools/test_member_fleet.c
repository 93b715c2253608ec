/* The simulated members and requests to them, to the group and by unicast. */
#include "fake_fleet.h"

/* R30, R31: every member answers, from its own address, Non-confirmable, with the request's token and a Message ID of
 * its own. */
static void every_member_answers_a_group_request(void **state) {
    (void)state;
    START("--count", "20");
    CAST(.mid = 7, .token = 1, .path = "status");
    assert_int_equal(w.len, 20);
    size_t own_mids = 0;
    for (uint32_t i = 0; i < 20; i++) {
        const struct cg_msg *msg = &w.sent[i].msg;
        assert_int_equal(w.sent[i].member, i);
        assert_true(cg_addr_equal(&w.sent[i].to, &w.client));
        assert_int_equal(msg->type, CG_NON);
        assert_int_equal(msg->code, CG_CODE(2, 5));
        assert_int_equal(msg->token.len, 2);
        assert_int_equal(msg->token.bytes[1], 1);
        assert_int_equal(option(msg, CG_OPT_CONTENT_FORMAT), 50);
        own_mids += msg->mid != 7;
    }
    assert_true(own_mids >= 19);
    assert_payload(&w.sent[2].msg, "{\"member\":3,\"address\":\"127.1.0.3:5683\",\"status\":\"ok\"}");
}

static void a_repeated_group_request_is_answered_once(void **state) {
    (void)state;
    START("--count", "3");
    CAST(.mid = 7, .path = "status");
    CAST(.mid = 7, .path = "status");
    assert_int_equal(w.len, 3);
    CAST(.mid = 8, .path = "status");
    assert_int_equal(w.len, 6);
    run_to(w.now + UINT64_C(146) * SECOND); /* past NON_LIFETIME */
    CAST(.mid = 7, .path = "status");
    assert_int_equal(w.len, 9);
}

/* RFC 7252 §4.5 lets servers of idempotent requests do without. */
static void members_without_memory_of_messages_take_everything_up(void **state) {
    (void)state;
    START("--count", "3", "--no-deduplication");
    CAST(.mid = 7, .path = "status");
    CAST(.mid = 7, .path = "status");
    assert_int_equal(w.len, 6);
    assert_non_null(ASK(0, .mid = 8, .path = "status"));
    assert_non_null(ASK(0, .mid = 8, .path = "status"));
    assert_int_equal(cg_fleet_counts(w.fleet).requests, 8);
}

/* The group is another destination endpoint than the member: the same Message ID is no duplicate there. */
static void message_ids_of_group_and_member_are_apart(void **state) {
    (void)state;
    START("--count", "1");
    CAST(.mid = 7, .path = "status");
    assert_non_null(ASK(0, .mid = 7, .path = "status"));
    assert_int_equal(w.len, 2);
}

/* RFC 10020 Response Suppression; R33: No-Response decides either way. */
static void errors_to_the_group_are_suppressed(void **state) {
    (void)state;
    START("--count", "2");
    CAST(.mid = 1, .path = "nowhere");
    CAST(.mid = 2, .path = "status", .code = CG_POST);
    CAST(.mid = 3, .path = "status", .accept = 60);
    CAST(.mid = 4, .path = ".well-known/core", .query = "rt=nothing");
    assert_int_equal(w.len, 0);
    CAST(.mid = 5, .path = "nowhere", .no_response = -1);
    assert_int_equal(w.len, 2);
    assert_int_equal(w.sent[0].msg.code, CG_CODE(4, 4));
    CAST(.mid = 6, .path = "status", .no_response = 2);
    assert_int_equal(w.len, 2);
    CAST(.mid = 7, .path = "status", .no_response = 24);
    assert_int_equal(w.len, 4);
}

static void errors_are_answered_when_told(void **state) {
    (void)state;
    START("--count", "2", "--answer-errors");
    CAST(.mid = 1, .path = "nowhere");
    assert_int_equal(w.len, 2);
    CAST(.mid = 2, .path = "nowhere", .no_response = 8);
    assert_int_equal(w.len, 2);
}

/* R30 */
static void successes_and_failures_mix(void **state) {
    (void)state;
    START("--count", "5", "--fail", "2:5.03");
    CAST(.mid = 1, .path = "status");
    assert_int_equal(w.len, 5);
    for (size_t i = 0; i < 5; i++) assert_int_equal(w.sent[i].msg.code, i < 3 ? CG_CODE(2, 5) : CG_CODE(5, 3));
}

static void only_nonconfirmable_group_messages_are_heard(void **state) {
    (void)state;
    START("--count", "2");
    cast(&(struct request){.type = CG_CON, .mid = 1, .path = "status"});
    cast(&(struct request){.type = CG_ACK, .mid = 2, .path = "status"});
    CAST(.mid = 3, .path = "status", .extra = 9);  /* critical, not understood */
    CAST(.mid = 4, .path = "status", .extra = 31); /* Q-Block2 (RFC 9177: to be ignored by multicast) */
    uint8_t broken[] = {0x50, 1, 0, 5, 0xff};
    cg_fleet_receive_group(w.fleet, 0, &w.client, cg_slice_of(broken, sizeof broken), w.now);
    assert_int_equal(w.len, 0);
}

static void a_confirmable_request_is_answered_in_its_acknowledgement(void **state) {
    (void)state;
    START("--count", "2");
    const struct cg_msg *msg = ASK(1, .mid = 0x1234, .path = "nowhere");
    assert_non_null(msg);
    assert_int_equal(msg->type, CG_ACK);
    assert_int_equal(msg->mid, 0x1234);
    assert_int_equal(msg->code, CG_CODE(4, 4));
    assert_non_null(ASK(1, .mid = 0x1234, .path = "nowhere")); /* the same bytes again */
    assert_int_equal(w.sent[0].len, w.sent[1].len);
    assert_memory_equal(w.sent[0].bytes, w.sent[1].bytes, w.sent[0].len);
    assert_int_equal(cg_fleet_counts(w.fleet).requests, 1);
    msg = ASK(1, .mid = 2, .path = "status", .no_response = 2);
    assert_int_equal(msg->code, CG_EMPTY);
    assert_int_equal(msg->type, CG_ACK);
}

/* RFC 7252 §4.5: for EXCHANGE_LIFETIME, however much comes between. */
static void a_retransmission_is_answered_as_before(void **state) {
    (void)state;
    START("--count", "1");
    for (uint16_t i = 0; i < 200; i++) assert_non_null(ASK(0, .mid = i, .token = (uint8_t)i, .path = "status"));
    for (uint16_t i = 1000; i < 1200; i++) CAST(.mid = i, .path = "status");
    run_to(w.now + UINT64_C(200) * SECOND);
    size_t answered = w.len;
    for (uint16_t i = 0; i < 200; i++) {
        assert_non_null(ASK(0, .mid = i, .token = (uint8_t)i, .path = "status"));
        assert_int_equal(w.sent[answered + i].len, w.sent[i].len);
        assert_memory_equal(w.sent[answered + i].bytes, w.sent[i].bytes, w.sent[i].len);
    }
    assert_int_equal(cg_fleet_counts(w.fleet).requests, 400);
    run_to(w.now + UINT64_C(48) * SECOND); /* past EXCHANGE_LIFETIME */
    assert_non_null(ASK(0, .mid = 3, .path = "status"));
    assert_int_equal(cg_fleet_counts(w.fleet).requests, 401);
}

/* One that takes too many gives up the oldest, and forgets none of the others. */
static void remembered_requests_are_bounded(void **state) {
    (void)state;
    START("--count", "1");
    for (uint16_t i = 0; i < 1025; i++) {
        assert_non_null(ASK(0, .mid = i, .path = "status"));
        forget_sent();
    }
    assert_non_null(ASK(0, .mid = 1, .path = "status"));
    assert_int_equal(cg_fleet_counts(w.fleet).requests, 1025);
    assert_non_null(ASK(0, .mid = 0, .path = "status"));
    assert_int_equal(cg_fleet_counts(w.fleet).requests, 1026);
}

static void options_that_are_not_understood(void **state) {
    (void)state;
    START("--count", "1");
    assert_int_equal(ASK(0, .mid = 1, .path = "status", .extra = 9 + 256)->code, CG_CODE(4, 2));
    assert_int_equal(ASK(0, .mid = 2, .path = "status", .extra = CG_OPT_PROXY_URI)->code, CG_CODE(5, 5));
    assert_int_equal(ASK(0, .mid = 3, .path = "status", .extra = CG_OPT_ECHO)->code, CG_CODE(2, 5)); /* elective */
    assert_int_equal(ask(0, &(struct request){.type = CG_NON, .mid = 4, .extra = CG_OPT_IF_MATCH})->type, CG_RST);
    assert_int_equal(ASK(0, .mid = 5, .path = "status", .accept = -1)->code, CG_CODE(4, 6));
}

static void what_is_no_request_is_reset(void **state) {
    (void)state;
    START("--count", "1");
    say_empty(0, CG_CON, 9); /* ping */
    assert_int_equal(w.len, 1);
    assert_int_equal(w.sent[0].msg.type, CG_RST);
    assert_int_equal(w.sent[0].msg.mid, 9);
    assert_int_equal(ASK(0, .mid = 10, .code = CG_CODE(2, 5))->type, CG_RST);
    assert_null(ask(0, &(struct request){.type = CG_NON, .mid = 11, .code = CG_CODE(2, 5)}));
    uint8_t broken[] = {0x40, 1, 0, 12, 0xff};
    cg_fleet_receive(w.fleet, 0, &w.client, cg_slice_of(broken, sizeof broken), w.now);
    assert_int_equal(w.len, 3);
    assert_int_equal(w.sent[2].msg.type, CG_RST);
}

/* A separate response, repeated until it is acknowledged (RFC 7252 §5.2.2, §4.2). */
static void what_takes_long_is_answered_separately(void **state) {
    (void)state;
    START("--count", "1");
    assert_int_equal(ASK(0, .mid = 1, .path = "slow")->code, CG_EMPTY);
    run_to(w.now + 2 * SECOND - 1);
    assert_int_equal(w.len, 1);
    run_to(w.now + 1);
    assert_int_equal(w.len, 2);
    assert_int_equal(w.sent[1].msg.type, CG_CON);
    assert_payload(&w.sent[1].msg, "member 1 took its time");
    run_to(w.now + 3 * SECOND);
    assert_int_equal(w.len, 3);
    assert_int_equal(w.sent[2].msg.mid, w.sent[1].msg.mid);
    say_empty(0, CG_ACK, w.sent[1].msg.mid);
    run_to(w.now + 300 * SECOND);
    assert_int_equal(w.len, 3);
}

static void a_separate_response_is_given_up_in_the_end(void **state) {
    (void)state;
    START("--count", "1");
    (void)ASK(0, .mid = 1, .path = "slow");
    run_to(w.now + 300 * SECOND);
    assert_int_equal(w.len, 1 + 1 + 4); /* ACK, response, MAX_RETRANSMIT */
    assert_true(cg_fleet_run(w.fleet, w.now) == UINT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        fleet_test(every_member_answers_a_group_request),
        fleet_test(a_repeated_group_request_is_answered_once),
        fleet_test(members_without_memory_of_messages_take_everything_up),
        fleet_test(message_ids_of_group_and_member_are_apart),
        fleet_test(errors_to_the_group_are_suppressed),
        fleet_test(errors_are_answered_when_told),
        fleet_test(successes_and_failures_mix),
        fleet_test(only_nonconfirmable_group_messages_are_heard),
        fleet_test(a_confirmable_request_is_answered_in_its_acknowledgement),
        fleet_test(a_retransmission_is_answered_as_before),
        fleet_test(remembered_requests_are_bounded),
        fleet_test(options_that_are_not_understood),
        fleet_test(what_is_no_request_is_reset),
        fleet_test(what_takes_long_is_answered_separately),
        fleet_test(a_separate_response_is_given_up_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
