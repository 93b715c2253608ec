/* A next hop by TCP: what goes over its connection, and whatever may become of that. */
#include <string.h>

#include "hops/fake_next_hop.h"

static bool has_heard_one(const struct stage *stage) { return stage->requests == 1; }
static bool has_heard_two(const struct stage *stage) { return stage->requests == 2; }
static bool has_heard_three(const struct stage *stage) { return stage->requests == 3; }
static bool is_closed(const struct stage *stage) { return stage->end_count == 1 && stage->ends[0].stream == NULL; }

static void assert_answered(const struct call *call, const char *payload) {
    assert_int_equal(call->replies, 1);
    assert_non_null(call->text);
    assert_non_null(strstr(call->text, payload));
}

static void assert_lost(const struct call *call, const char *why) {
    assert_int_equal(call->problem.err, CG_E_HOP_LOST);
    assert_non_null(strstr(call->problem.detail, why));
}

/* ---- As it should be ---- */

static void answers_come_by_the_connection(void **state) {
    struct stage *stage = *state;
    struct call call;
    world_mapping(&stage->world, "lamps")->finish.count = 2;
    stage_asks(stage, &call, 10);
    stage_runs_until(stage, has_heard_one);
    far_answers(stage, 0, 0, 5, "on");
    far_answers(stage, 0, 0, 6, "off");
    stage_runs_until_told(stage, &call);
    assert_answered(&call, "10.0.0.5");
    assert_answered(&call, "10.0.0.6");
    assert_int_equal(stage->world.sent_count, 0); /* no datagram */
    assert_int_equal(stage->end_count, 1);
    assert_true(stage->pings > 0);
}

/* RFC 8323 §3.3: there is no NSTART. */
static void many_requests_are_under_way_by_one(void **state) {
    struct stage *stage = *state;
    struct call calls[3];
    stage->answers_no_pings = true;
    for (size_t i = 0; i < 3; i++) stage_asks(stage, &calls[i], 10);
    stage_runs_until(stage, has_heard_three);
    for (size_t i = 3; i-- > 0;) far_answers(stage, 0, i, 5, "on");
    for (size_t i = 0; i < 3; i++) {
        stage_runs_until_told(stage, &calls[i]);
        assert_answered(&calls[i], "on");
    }
    assert_int_equal(stage->end_count, 1);
}

/* A Pong is for a stream what an acknowledgement is for datagrams. */
static void the_silence_of_those_behind_it_is_none(void **state) {
    struct stage *stage = *state;
    struct call call;
    stage_asks(stage, &call, 1);
    stage_runs_until_told(stage, &call);
    assert_int_equal(call.problem.err, 0);
}

static void one_without_a_pong_is_silent(void **state) {
    struct stage *stage = *state;
    struct call call;
    stage->answers_no_pings = true;
    stage_asks(stage, &call, 1);
    stage_runs_until_told(stage, &call);
    assert_int_equal(call.problem.err, CG_E_NEXT_HOP);
}

static bool has_a_pong(const struct stage *stage) { return stage->pongs == 1; }

static void its_pings_are_answered(void **state) {
    struct stage *stage = *state;
    struct call call;
    stage_asks(stage, &call, 10);
    stage_runs_until(stage, has_heard_one);
    far_writes(stage, 0, "\x01\xe2t", 3);
    stage_runs_until(stage, has_a_pong);
    far_answers(stage, 0, 0, 5, "on");
    stage_runs_until_told(stage, &call);
    assert_answered(&call, "on");
}

/* ---- Ends ---- */

static void one_that_refuses_is_asked_again_later(void **state) {
    struct stage *stage = *state;
    struct call first, second, third;
    far_stops_listening(stage);
    stage_asks(stage, &first, 10);
    stage_runs_until_told(stage, &first);
    assert_lost(&first, "refused");
    stage_asks(stage, &second, 10); /* at once: no attempt is made for it */
    stage_runs_until_told(stage, &second);
    assert_lost(&second, "refused");
    far_listens(stage);
    stage_runs(stage, 50);
    stage_asks(stage, &third, 10);
    stage_runs_until(stage, has_heard_one);
    far_answers(stage, 0, 0, 5, "on");
    stage_runs_until_told(stage, &third);
    assert_answered(&third, "on");
}

static void one_that_does_not_say_what_it_can_is_lost(void **state) {
    struct stage *stage = *state;
    struct call call;
    stage->says_nothing = true;
    stage_asks(stage, &call, 10);
    stage_runs_until_told(stage, &call);
    assert_lost(&call, "CSM");
    assert_int_equal(stage->requests, 0);
    assert_true(stage->ends[0].reliable.is_open); /* ours has not waited for theirs */
}

static bool is_met(const struct stage *stage) { return stage->end_count == 1; }
static bool is_aborted(const struct stage *stage) {
    return stage->ends[stage->end_count - 1].reliable.cause == CG_RELIABLE_ABORTED;
}

static void one_that_says_something_else_first_is_aborted(void **state) {
    struct stage *stage = *state;
    struct call call;
    stage->says_nothing = true;
    stage_asks(stage, &call, 10);
    stage_runs_until(stage, is_met);
    far_writes(stage, 0, "\x00\x45", 2);
    stage_runs_until_told(stage, &call);
    assert_lost(&call, "no CoAP over TCP");
    stage_runs_until(stage, is_aborted);
    assert_int_equal(stage->requests, 0);
}

static void one_that_closes_amid_answers_is_told_beside_them(void **state) {
    struct stage *stage = *state;
    struct call call, again;
    world_mapping(&stage->world, "lamps")->finish.count = 2;
    stage_asks(stage, &call, 1);
    stage_runs_until(stage, has_heard_one);
    far_answers(stage, 0, 0, 5, "on");
    far_closes(stage, 0);
    stage_runs_until_told(stage, &call);
    assert_answered(&call, "10.0.0.5");
    assert_answered(&call, "next-hop-unreachable");
    stage_asks(stage, &again, 10);
    stage_runs_until(stage, has_heard_two);
    assert_int_equal(stage->end_count, 2);
    far_answers(stage, 1, 1, 5, "on");
    far_answers(stage, 1, 1, 6, "on");
    stage_runs_until_told(stage, &again);
    assert_answered(&again, "on");
}

static void one_that_answers_no_ping_is_lost(void **state) {
    struct stage *stage = *state;
    struct call call;
    stage_asks(stage, &call, 10);
    stage_runs_until(stage, has_heard_one);
    stage->answers_no_pings = true;
    stage_runs_until_told(stage, &call);
    assert_lost(&call, "Ping");
}

static void one_that_nobody_asks_is_let_go(void **state) {
    struct stage *stage = *state;
    struct call call;
    stage_asks(stage, &call, 10);
    stage_runs_until(stage, has_heard_one);
    stage_runs(stage, 200); /* pinged meanwhile */
    far_answers(stage, 0, 0, 5, "on");
    stage_runs_until_told(stage, &call);
    assert_answered(&call, "on");
    stage_runs_until(stage, is_closed);
    assert_true(stage->ends[0].is_released);
}

static void released_ones_answer_to_the_end(void **state) {
    struct stage *stage = *state;
    struct call first, second;
    world_mapping(&stage->world, "lamps")->finish.count = 2;
    stage_asks(stage, &first, 1);
    stage_runs_until(stage, has_heard_one);
    far_releases(stage, 0);
    stage_runs(stage, 20);
    stage_asks(stage, &second, 1);
    stage_runs_until(stage, has_heard_two);
    assert_int_equal(stage->end_count, 2);
    far_answers(stage, 0, 0, 5, "first");
    stage_runs(stage, 20);
    far_closes(stage, 0);
    far_answers(stage, 1, 1, 5, "second");
    stage_runs_until_told(stage, &second);
    stage_runs_until_told(stage, &first);
    assert_answered(&first, "first");
    assert_answered(&first, "next-hop-unreachable"); /* others may have been to answer */
    assert_answered(&second, "second");
    assert_null(strstr(second.text, "next-hop-unreachable"));
}

/* Else it would be connected to as often as this end can. */
static void one_that_releases_unasked_is_asked_again_later(void **state) {
    struct stage *stage = *state;
    struct call calls[3];
    stage->releases_at_once = true;
    for (size_t i = 0; i < 2; i++) {
        stage_asks(stage, &calls[i], 10);
        stage_runs_until_told(stage, &calls[i]);
        assert_lost(&calls[i], "released");
    }
    assert_true(stage->end_count <= 2); /* the pause may be over between them */
    stage->releases_at_once = false;
    stage_runs(stage, 50);
    stage_asks(stage, &calls[2], 10);
    stage_runs_until(stage, has_heard_one);
    far_answers(stage, stage->end_count - 1, 0, 5, "on");
    stage_runs_until_told(stage, &calls[2]);
    assert_answered(&calls[2], "on");
}

static void one_that_wants_no_other_connection_is_left_alone(void **state) {
    struct stage *stage = *state;
    struct call first, second, third;
    stage_asks(stage, &first, 10);
    stage_runs_until(stage, has_heard_one);
    far_writes(stage, 0, "\x20\xe4\x41\x01", 4); /* Release, Hold-Off 1 */
    stage_runs(stage, 20);
    stage_asks(stage, &second, 10);
    stage_runs_until_told(stage, &second);
    assert_lost(&second, "no other connection for 1 s");
    assert_int_equal(stage->end_count, 1);
    far_answers(stage, 0, 0, 5, "on");
    stage_runs_until_told(stage, &first);
    assert_answered(&first, "on");
    stage_runs(stage, 1100);
    stage_asks(stage, &third, 10);
    stage_runs_until(stage, has_heard_two);
    assert_int_equal(stage->end_count, 2);
    far_answers(stage, 1, 1, 5, "again");
    stage_runs_until_told(stage, &third);
    assert_answered(&third, "again");
}

/* Each is owed an answer; the first gives way. */
static void few_that_were_released_are_kept(void **state) {
    enum { KEPT = 4 };
    struct stage *stage = *state;
    struct call calls[KEPT + 1];
    for (size_t i = 0; i <= KEPT; i++) {
        const size_t before = stage->requests;
        stage_asks(stage, &calls[i], 30);
        for (int turns = 0; stage->requests == before && turns < 1000; turns++) stage_runs(stage, 2);
        assert_int_equal(stage->requests, before + 1);
        assert_int_equal(stage->end_count, i + 1);
        far_releases(stage, i);
        stage_runs(stage, 20);
    }
    stage_runs_until_told(stage, &calls[0]);
    assert_lost(&calls[0], "released too many");
    for (size_t i = 1; i <= KEPT; i++) {
        far_answers(stage, i, i, 5, "on");
        stage_runs_until_told(stage, &calls[i]);
        assert_answered(&calls[i], "on");
    }
}

/* What a name stands for changes: whatever is connected stays, and what comes after is somewhere else. */
static void a_new_address_is_followed(void **state) {
    struct cg_resolved resolved = {0};
    struct stage *stage = *state;
    struct call calls[3];
    resolved.addr = stage->addr;
    stage->next_hop->resolved = &resolved;
    for (size_t i = 0; i < 2; i++) {
        stage->requests = 0;
        stage_asks(stage, &calls[i], 10);
        stage_runs_until(stage, has_heard_one);
        resolved.addr.ip[3] = 2;
        far_answers(stage, 0, 0, 5, "on");
        stage_runs_until_told(stage, &calls[i]);
    }
    assert_int_equal(stage->end_count, 1);
    far_stops_listening(stage);
    stage_runs(stage, 20);
    stage->addr.ip[3] = 2;
    far_listens(stage);
    stage->requests = 0;
    stage_asks(stage, &calls[2], 10);
    stage_runs_until(stage, has_heard_one);
    far_answers(stage, 1, 0, 5, "on");
    stage_runs_until_told(stage, &calls[2]);
    assert_answered(&calls[2], "on");
}

static void a_name_that_stands_for_nobody_is_told(void **state) {
    static const struct cg_resolved nobody = {.why = "the name cannot be looked up"};
    struct stage *stage = *state;
    struct call call;
    stage->next_hop->resolved = &nobody;
    stage_asks(stage, &call, 10);
    stage_runs_until_told(stage, &call);
    assert_lost(&call, nobody.why);
}

/* Never without them. */
static void what_lacks_its_credentials_goes_nowhere(void **state) {
    struct stage *stage = *state;
    struct call call;
    stage->next_hop->scheme = CG_SCHEME_COAPS_TCP;
    stage_asks(stage, &call, 10);
    stage_runs_until_told(stage, &call);
    assert_lost(&call, "credentials");
    assert_int_equal(stage->end_count, 0);
}

/* ---- Hostile ones ---- */

static void what_breaks_the_rules_ends_it(void **state) {
    static const struct {
        const char *bytes;
        size_t len;
        const char *why;
    } cases[] = {
        {"\x0f\x45", 2, "no CoAP over TCP"},                 /* a reserved token length */
        {"\xf0\x00\x20\x00\x00\x45", 6, "Max-Message-Size"}, /* two megabytes follow */
        {"\x00\xe5", 2, "aborted"},                          /* 7.05 */
        {"\x00\xff", 2, "no CoAP over TCP"},                 /* a signal that nobody knows */
        {"\x10\xe2\x30", 3, "no CoAP over TCP"},             /* a Ping with a critical option that nobody knows */
        {"HTTP/1.0 400 Bad Request\r\n\r\n", 28, "no CoAP over TCP"},
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct call call;
        stage->requests = 0;
        stage_asks(stage, &call, 10);
        stage_runs_until(stage, has_heard_one);
        far_writes(stage, i, cases[i].bytes, cases[i].len);
        stage_runs_until_told(stage, &call);
        assert_lost(&call, cases[i].why);
        if (strcmp(cases[i].why, "aborted") != 0) stage_runs_until(stage, is_aborted); /* it hears why, too */
    }
}

static void wrong_tokens_and_requests_are_nothing(void **state) {
    static const char odd[] = "\x02\x45xy" /* on a token of nobody */
                              "\x09\x45"
                              "123456789" /* on one that is longer than any of ours */
                              "\x01\x01r" /* a request */
                              "\x00\x00"; /* an empty message */
    struct stage *stage = *state;
    struct call call;
    stage_asks(stage, &call, 10);
    stage_runs_until(stage, has_heard_one);
    for (int i = 0; i < 1000; i++) far_writes(stage, 0, odd, sizeof odd - 1);
    far_answers(stage, 0, 0, 5, "on");
    stage_runs_until_told(stage, &call);
    assert_answered(&call, "on");
}

static struct cg_addr where(const struct stage *stage) {
    struct cg_problem problem = {0};
    struct cg_addr at;
    struct cg_engine *engine = cg_gateway_engine(stage->world.gateway);
    assert_int_equal(cg_connection_find(engine, stage->next_hop, &at, &problem), CG_OK);
    return at;
}

static bool takes_more(const struct stage *stage) {
    const struct cg_connection_port *port = stage->world.port.connections;
    const struct cg_addr at = where(stage);
    struct cg_problem problem = {0};
    int err = port->open(port->ctx, &at, &problem);
    assert_true(err == CG_OK || err == CG_PENDING);
    return err == CG_OK;
}

/* The core is told to wait, so nothing grows. */
static void one_that_reads_nothing_is_sent_no_more(void **state) {
    static uint8_t large[1000] = {0x40, CG_PUT, 0, 0, 0xff};
    struct stage *stage = *state;
    const struct cg_connection_port *port = stage->world.port.connections;
    const struct cg_addr at = where(stage);
    struct cg_problem problem = {0};
    stage_runs_until(stage, takes_more);
    stage->reads_nothing = true;
    for (int i = 0; i < 100000 && takes_more(stage); i++) {
        assert_int_equal(port->emit(port->ctx, &at, cg_slice_of(large, sizeof large), &problem), CG_OK);
        if (i % 32 == 0) uv_run(&stage->uv, UV_RUN_NOWAIT);
    }
    assert_false(takes_more(stage));
    far_closes(stage, 0);
    stage_runs(stage, 20);
    stage_runs_until(stage, takes_more);
    assert_int_equal(stage->end_count, 2);
}

static void what_is_too_large_for_it_is_refused(void **state) {
    static uint8_t large[5000] = {0x40, CG_PUT, 0, 0, 0xff};
    struct stage *stage = *state;
    const struct cg_connection_port *port = stage->world.port.connections;
    const struct cg_addr at = where(stage);
    struct cg_problem problem = {0};
    stage_runs_until(stage, takes_more);
    assert_int_equal(port->emit(port->ctx, &at, cg_slice_of(large, sizeof large), &problem), CG_E_TOO_BIG);
    assert_non_null(strstr(problem.detail, "4096 bytes"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        stage_test(answers_come_by_the_connection),
        stage_test(many_requests_are_under_way_by_one),
        stage_test(the_silence_of_those_behind_it_is_none),
        stage_test(one_without_a_pong_is_silent),
        stage_test(its_pings_are_answered),
        stage_test(one_that_refuses_is_asked_again_later),
        hasty_stage_test(one_that_does_not_say_what_it_can_is_lost),
        stage_test(one_that_says_something_else_first_is_aborted),
        stage_test(one_that_closes_amid_answers_is_told_beside_them),
        hasty_stage_test(one_that_answers_no_ping_is_lost),
        hasty_stage_test(one_that_nobody_asks_is_let_go),
        stage_test(released_ones_answer_to_the_end),
        stage_test(one_that_releases_unasked_is_asked_again_later),
        stage_test(one_that_wants_no_other_connection_is_left_alone),
        stage_test(few_that_were_released_are_kept),
        stage_test(a_new_address_is_followed),
        stage_test(a_name_that_stands_for_nobody_is_told),
        stage_test(what_lacks_its_credentials_goes_nowhere),
        stage_test(what_breaks_the_rules_ends_it),
        stage_test(wrong_tokens_and_requests_are_nothing),
        stage_test(one_that_reads_nothing_is_sent_no_more),
        stage_test(what_is_too_large_for_it_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
