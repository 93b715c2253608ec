/* What the simulated members serve: resources in blocks, with ETags and links, and observations of them (R39, R40). */
#include "fake_fleet.h"

/* R40: the first block by the group's answer, the rest by unicast. */
static void a_large_answer_comes_in_blocks(void **state) {
    (void)state;
    START("--count", "2");
    CAST(.mid = 1, .path = "big");
    assert_int_equal(w.len, 2);
    assert_int_equal(w.sent[0].msg.payload.len, 1024);
    assert_int_equal(option(&w.sent[0].msg, CG_OPT_BLOCK2), 0x0e);
    assert_int_equal(option(&w.sent[0].msg, CG_OPT_SIZE2), 4096);
    assert_memory_not_equal(w.sent[0].msg.payload.data, w.sent[1].msg.payload.data, 1024);
    for (int i = 0; i < 4096 / 64; i++) {
        const struct cg_msg *msg = ASK(1, .mid = (uint16_t)(100 + i), .path = "big", .block2 = i << 4 | 2);
        assert_int_equal(msg->payload.len, 64);
        assert_int_equal(option(msg, CG_OPT_BLOCK2), (uint32_t)(i << 4 | (i < 63) << 3 | 2));
        char line[32];
        (void)snprintf(line, sizeof line, "member     2 line %2d ", i);
        assert_memory_equal(msg->payload.data, line, 20);
        assert_int_equal(msg->payload.data[63], '\n');
    }
    assert_int_equal(ASK(1, .mid = 300, .path = "big", .block2 = 64 << 4 | 2)->code, CG_CODE(4, 0));
    assert_int_equal(ASK(1, .mid = 301, .path = "big", .block2 = 7)->code, CG_CODE(4, 0));
}

static void an_etag_that_still_holds_is_confirmed(void **state) {
    (void)state;
    START("--count", "1", "--max-age", "5");
    const struct cg_msg *msg = ASK(0, .mid = 1, .path = "light");
    assert_int_equal(option(msg, CG_OPT_MAX_AGE), 5);
    struct cg_slice etag;
    assert_true(cg_msg_find(msg, CG_OPT_ETAG, &etag));
    msg = ASK(0, .mid = 2, .path = "light", .etag = etag);
    assert_int_equal(msg->code, CG_CODE(2, 3));
    assert_int_equal(msg->payload.len, 0);
    (void)ASK(0, .mid = 3, .path = "light", .code = CG_PUT, .payload = "on");
    assert_int_equal(ASK(0, .mid = 4, .path = "light", .etag = etag)->code, CG_CODE(2, 5));
}

static void a_light_takes_text_only(void **state) {
    (void)state;
    START("--count", "2");
    assert_payload(ASK(0, .mid = 1, .path = "light"), "off");
    CAST(.mid = 2, .path = "light", .code = CG_PUT, .payload = "on");
    assert_int_equal(w.len, 3);
    assert_int_equal(w.sent[2].msg.code, CG_CODE(2, 4));
    assert_payload(ASK(1, .mid = 3, .path = "light"), "on");
    char long_text[CG_LIGHT_MAX + 2] = {0};
    memset(long_text, 'x', CG_LIGHT_MAX + 1);
    assert_int_equal(ASK(0, .mid = 4, .path = "light", .code = CG_PUT, .payload = long_text)->code, CG_CODE(4, 13));
    assert_int_equal(ASK(0, .mid = 5, .path = "light", .code = CG_PUT, .payload = "\xc3(")->code, CG_CODE(4, 0));
    assert_int_equal(ASK(0, .mid = 6, .path = "light", .code = CG_DELETE)->code, CG_CODE(4, 5));
    assert_payload(ASK(0, .mid = 7, .path = "light"), "on");
}

static void links_are_filtered(void **state) {
    (void)state;
    START("--count", "1", "--resource", "/room/name=kitchen", "--resource", "/slow=not any more");
    assert_payload(ASK(0, .mid = 1, .path = ".well-known/core"),
                   "</status>;ct=50;rt=\"status\",</light>;ct=0;rt=\"light\";obs,</big>;ct=0;sz=4096,</firmware>;ct=50,"
                   "</room/name>;ct=0,</slow>;ct=0");
    static const struct {
        const char *query, *expected;
    } rows[] = {
        {"rt=light", "</light>;ct=0;rt=\"light\";obs"},
        {"rt=li*", "</light>;ct=0;rt=\"light\";obs"},
        {"rt=lig", ""},
        {"ct=50", "</status>;ct=50;rt=\"status\",</firmware>;ct=50"},
        {"href=/room*", "</room/name>;ct=0"},
        {"href=/big", "</big>;ct=0;sz=4096"},
        {"obs", "</light>;ct=0;rt=\"light\";obs"},
        {"unknown=*", ""},
        {"=", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_payload(ASK(0, .mid = (uint16_t)(2 + i), .path = ".well-known/core", .query = rows[i].query),
                       rows[i].expected);
    assert_payload(ASK(0, .mid = 100, .path = "room/name"), "kitchen");
    assert_payload(ASK(0, .mid = 101, .path = "slow"), "not any more");
}

static void a_list_may_be_long(void **state) {
    (void)state;
    START("--count", "1", "--links", "60");
    const struct cg_msg *msg = ASK(0, .mid = 1, .path = ".well-known/core");
    assert_int_equal(msg->payload.len, 1024);
    assert_int_equal(option(msg, CG_OPT_BLOCK2), 0 << 4 | 8 | 6);
    assert_in_range(option(msg, CG_OPT_SIZE2), 3900, 5000);
    assert_payload(ASK(0, .mid = 2, .path = ".well-known/core", .query = "rt=light"), "</light>;ct=0;rt=\"light\";obs");
}

static void a_group_request_that_nothing_passes_stays_unanswered(void **state) {
    (void)state;
    START("--count", "1", "--rd");
    CAST(.mid = 1, .path = ".well-known/core", .query = "rt=nothing");
    assert_int_equal(w.len, 0);
    CAST(.mid = 2, .path = ".well-known/core", .query = "rt=core.rd");
    assert_int_equal(w.len, 1);
    assert_payload(&w.sent[0].msg, "</rd>;rt=\"core.rd\";ct=40");
}

static void a_directory_has_pages(void **state) {
    static const char lights[] = "</rd/1>;ep=\"lights\";et=\"core.rd-group\";base=\"coap://224.0.1.200\"";
    static const char node[] = "</rd/2>;ep=\"node\";base=\"coap://127.1.0.9\"";
    static const char join[] = "<coap://127.1.0.9/ace-group/g>;rt=\"core.osc.gm\";sec-gp=\"g\"";
    (void)state;
    START("--count", "1", "--rd", "--rd-entry", lights, "--rd-entry", node, "--rd-entry", join);
    assert_payload(ASK(0, .mid = 1, .path = "rd-lookup/ep", .query = "et=core.rd-group"), lights);
    assert_payload(ASK(0, .mid = 2, .path = "rd-lookup/ep", .query = "count=1"), lights);
    assert_payload(ASK(0, .mid = 3, .path = "rd-lookup/res"), join);
    assert_payload(ASK(0, .mid = 4, .path = "rd-lookup/res", .query = "rt=nothing"), "");
    assert_int_equal(ASK(0, .mid = 5, .path = "rd-lookup/gp")->code, CG_CODE(4, 4));
}

static void paths_are_compared_by_segments(void **state) {
    (void)state;
    START("--count", "1", "--resource", "/a/b=c");
    uint8_t bytes[64];
    struct cg_msg_writer m;
    cg_msg_begin(&m, bytes, sizeof bytes, CG_CON, CG_GET, 1, (struct cg_token){0});
    cg_msg_put_opt(&m, CG_OPT_URI_PATH, cg_slice_str("a/b")); /* one segment with a slash in it */
    cg_fleet_receive(w.fleet, 0, &w.client, cg_slice_of(bytes, m.len), w.now);
    assert_int_equal(w.sent[0].msg.code, CG_CODE(4, 4));
    cg_msg_begin(&m, bytes, sizeof bytes, CG_CON, CG_GET, 2, (struct cg_token){0});
    for (int i = 0; i < 2; i++) cg_msg_put_opt(&m, CG_OPT_URI_PATH, i == 0 ? cg_slice_str("status") : CG_SLICE_NONE);
    cg_fleet_receive(w.fleet, 0, &w.client, cg_slice_of(bytes, m.len), w.now);
    assert_int_equal(w.sent[1].msg.code, CG_CODE(4, 4));
}

static void observers_hear_of_changes(void **state) {
    (void)state;
    START("--count", "2");
    CAST(.mid = 1, .token = 5, .path = "light", .observe = -1);
    assert_int_equal(w.len, 2);
    uint32_t first = option(&w.sent[0].msg, CG_OPT_OBSERVE);
    assert_true(first != UINT32_MAX);
    forget_sent();
    (void)ASK(1, .mid = 2, .token = 6, .path = "light", .code = CG_PUT, .payload = "on");
    assert_int_equal(w.len, 2); /* the ACK, one notification */
    const struct cg_msg *msg = &w.sent[1].msg;
    assert_int_equal(w.sent[1].member, 1);
    assert_int_equal(msg->type, CG_NON);
    assert_int_equal(msg->token.bytes[1], 5);
    assert_true(option(msg, CG_OPT_OBSERVE) > first);
    assert_payload(msg, "on");
    (void)ASK(1, .mid = 3, .path = "light", .code = CG_PUT, .payload = "on"); /* no change */
    assert_int_equal(w.len, 3);
}

static void registering_again_makes_no_second_entry(void **state) {
    (void)state;
    START("--count", "1");
    CAST(.mid = 1, .token = 5, .path = "light", .observe = -1);
    CAST(.mid = 2, .token = 5, .path = "light", .observe = -1);
    forget_sent();
    CAST(.mid = 3, .path = "light", .code = CG_PUT, .payload = "on");
    assert_int_equal(w.len, 2);
}

static void an_observation_ends(void **state) {
    (void)state;
    START("--count", "1");
    CAST(.mid = 1, .token = 5, .path = "light", .observe = -1);
    CAST(.mid = 2, .token = 6, .path = "light", .observe = -1);
    forget_sent();
    CAST(.mid = 3, .token = 5, .path = "light", .observe = 1); /* deregister, through the group */
    assert_int_equal(option(&w.sent[0].msg, CG_OPT_OBSERVE), UINT32_MAX);
    CAST(.mid = 4, .path = "light", .code = CG_PUT, .payload = "on");
    assert_int_equal(w.len, 3);
    assert_int_equal(w.sent[2].msg.token.bytes[1], 6);
    say_empty(0, CG_RST, w.sent[2].msg.mid);
    CAST(.mid = 5, .path = "light", .code = CG_PUT, .payload = "off");
    assert_int_equal(w.len, 4);
}

/* The response to the registration is the first notification: a Reset ends what it began (RFC 7641 §3.6). */
static void a_reset_of_the_first_response_ends_it_as_well(void **state) {
    (void)state;
    START("--count", "1");
    CAST(.mid = 1, .token = 5, .path = "light", .observe = -1);
    say_empty(0, CG_RST, (uint16_t)(w.sent[0].msg.mid + 1));
    say_empty(0, CG_RST, w.sent[0].msg.mid);
    forget_sent();
    CAST(.mid = 2, .path = "light", .code = CG_PUT, .payload = "on");
    assert_int_equal(w.len, 1);
}

static void lights_change_by_themselves(void **state) {
    (void)state;
    START("--count", "2", "--changes", "10", "--max-age", "15");
    run_now();
    CAST(.mid = 1, .token = 5, .path = "light", .observe = -1);
    forget_sent();
    run_to(w.now + 30 * SECOND);
    assert_int_equal(w.len, 6); /* each thrice, in turns */
    for (size_t i = 0; i < 6; i++) {
        char text[8];
        snprintf(text, sizeof text, "%zu", i / 2 + 1);
        assert_int_equal(w.sent[i].member, i % 2);
        assert_payload(&w.sent[i].msg, text);
        assert_int_equal(option(&w.sent[i].msg, CG_OPT_MAX_AGE), 15);
        if (i >= 2) assert_true(option(&w.sent[i].msg, CG_OPT_OBSERVE) > option(&w.sent[i - 2].msg, CG_OPT_OBSERVE));
    }
    forget_sent();
    (void)ASK(0, .mid = 9, .path = "light");
    assert_payload(&w.sent[0].msg, "3");
    forget_sent();
    w.now += 86400 * (uint64_t)SECOND; /* it has slept: nothing is made up for */
    run_now();
    assert_int_equal(w.len, 0);
}

/* Every eighth notification asks whether somebody is there; who does not acknowledge is forgotten (RFC 7641 §4.5). */
static void a_dead_observer_is_forgotten(void **state) {
    (void)state;
    START("--count", "1");
    CAST(.mid = 1, .token = 5, .path = "light", .observe = -1);
    for (uint16_t i = 0; i < 8; i++)
        CAST(.mid = (uint16_t)(10 + i), .path = "light", .code = CG_PUT, .payload = i & 1 ? "a" : "b");
    assert_int_equal(w.sent[w.len - 1].msg.type, CG_CON);
    uint16_t mid = w.sent[w.len - 1].msg.mid;
    run_to(w.now + 3 * SECOND);
    assert_int_equal(w.sent[w.len - 1].msg.mid, mid);
    CAST(.mid = 30, .path = "light", .code = CG_PUT, .payload = "new"); /* replaces what was not acknowledged */
    assert_int_equal(w.sent[w.len - 1].msg.type, CG_CON);
    assert_payload(&w.sent[w.len - 1].msg, "new");
    mid = w.sent[w.len - 1].msg.mid;
    forget_sent();
    run_to(w.now + 300 * SECOND);
    assert_int_equal(w.len, 2); /* what was left of five transmissions */
    for (size_t i = 0; i < w.len; i++) assert_int_equal(w.sent[i].msg.mid, mid);
    forget_sent();
    CAST(.mid = 40, .path = "light", .code = CG_PUT, .payload = "x");
    assert_int_equal(w.len, 1);
}

static void observers_are_bounded(void **state) {
    (void)state;
    START("--count", "1");
    for (uint16_t i = 0; i < 70; i++) CAST(.mid = i, .token = (uint8_t)i, .path = "light", .observe = -1);
    assert_int_equal(w.len, 70);
    assert_true(option(&w.sent[63].msg, CG_OPT_OBSERVE) != UINT32_MAX);
    assert_int_equal(option(&w.sent[64].msg, CG_OPT_OBSERVE), UINT32_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        fleet_test(a_large_answer_comes_in_blocks),
        fleet_test(an_etag_that_still_holds_is_confirmed),
        fleet_test(a_light_takes_text_only),
        fleet_test(links_are_filtered),
        fleet_test(a_list_may_be_long),
        fleet_test(a_group_request_that_nothing_passes_stays_unanswered),
        fleet_test(a_directory_has_pages),
        fleet_test(paths_are_compared_by_segments),
        fleet_test(observers_hear_of_changes),
        fleet_test(registering_again_makes_no_second_entry),
        fleet_test(an_observation_ends),
        fleet_test(a_reset_of_the_first_response_ends_it_as_well),
        fleet_test(lights_change_by_themselves),
        fleet_test(a_dead_observer_is_forgotten),
        fleet_test(observers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
