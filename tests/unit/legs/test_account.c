/* Every datagram is accounted for: an answer, a rejection with its reason in the reply of the request whose token it
 * bears, or a counter; and the counters add up. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

static uint64_t sum_of_fates(const struct world *world) {
    const struct cg_totals *totals = cg_gateway_totals(world->gateway);
    uint64_t sum = 0;
    for (size_t i = 0; i < CG_FATE_COUNT; i++) sum += totals->fates[i];
    return sum;
}

/* The latest datagram had this fate, and none was left out before. */
static void expect_fate(struct world *world, enum cg_fate fate, uint64_t count) {
    const struct cg_totals *totals = cg_gateway_totals(world->gateway);
    assert_int_equal(totals->fates[fate], count);
    assert_int_equal(sum_of_fates(world), totals->datagrams);
}

static void start(struct world *world, struct call *call, const char *path) { world_get(world, call, path); }

/* A datagram with this first byte and code, the token of emission `index`, and `rest`. */
static void deliver(struct world *world, size_t index, const char *from, uint8_t first, uint8_t code,
                    const char *rest) {
    uint8_t bytes[64] = {first, code, 0x12, 0x34};
    size_t len = strlen(rest);
    memcpy(bytes + 4, world->sent[index].msg.token.bytes, 8);
    memcpy(bytes + 12, rest, len);
    world_deliver(world, from, bytes, 12 + len);
}

static void expect_rejection(const struct call *call, const char *from, const char *reason) {
    char text[160];
    snprintf(text, sizeof text, "{\"from\":\"%s:5683\",\"kid\":null,\"gid\":null,\"reason\":\"%s\"", from, reason);
    if (strstr(call->text, text) == NULL) fail_msg("no %s in %s", text, call->text);
}

static void test_what_is_no_answer_but_has_the_token_is_rejected(void **state) {
    struct world *world = *state;
    struct call call;
    start(world, &call, "/lamps");
    deliver(world, 0, "127.1.0.1", 0x58, CG_GET, "");
    deliver(world, 0, "127.1.0.2", 0x58, CG_CODE(6, 1), "");
    deliver(world, 0, "127.1.0.3", 0x58, CG_CODE(7, 3), "");
    deliver(world, 0, "127.1.0.4", 0x58, CG_CODE(1, 1), "");
    deliver(world, 0, "127.1.0.5", 0x58, CG_CODE(2, 5), "\xff");      /* a marker without payload */
    deliver(world, 0, "127.1.0.6", 0x58, CG_CODE(2, 5), "\xd1");      /* a truncated option */
    deliver(world, 0, "127.1.0.7", 0x58, CG_EMPTY, "");               /* not empty */
    deliver(world, 0, "127.1.0.8", 0x78, CG_CODE(2, 5), "\xffreset"); /* RFC 7252 §4.2: must be empty */
    expect_fate(world, CG_FATE_REJECTED, 8);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 0);
    assert_int_equal(call.reply.summary.rejected, 8);
    static const char *const reasons[] = {"bad-code",  "bad-code",  "bad-code",  "bad-code",
                                          "malformed", "malformed", "malformed", "malformed"};
    for (size_t i = 0; i < 8; i++) {
        char from[16];
        snprintf(from, sizeof from, "127.1.0.%zu", i + 1);
        expect_rejection(&call, from, reasons[i]);
    }
    assert_non_null(strstr(call.text, "\"reason\":\"bad-code\",\"code\":\"6.01\",\"diagnostic\":null}"));
}

static void test_a_confirmable_one_that_is_no_answer_is_reset(void **state) { /* RFC 7252 §4.2 */
    struct world *world = *state;
    struct call call;
    start(world, &call, "/lamps");
    deliver(world, 0, "127.1.0.1", 0x48, CG_CODE(6, 1), "");
    deliver(world, 0, "127.1.0.1", 0x48, CG_CODE(2, 5), "\xff");
    assert_int_equal(world->sent_count, 3);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(world->sent[i].msg.type, CG_RST);
        assert_int_equal(world->sent[i].msg.mid, 0x1234);
    }
    world_advance(world, 2 * SECOND);
}

static void test_what_has_no_token_of_ours_has_a_counter(void **state) {
    struct world *world = *state;
    struct call call;
    start(world, &call, "/lamps");
    static const uint8_t no_token[] = {0x50, 0x45, 0, 1}, unknown[] = {0x58, 0x45, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t garbage[] = {0xff, 0, 0}, other_version[] = {0x98, 0x45, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t get[] = {0x50, 0x01, 0, 1}, ping[] = {0x40, 0, 0, 1};
    static const uint8_t reserved[] = {0x50, 0xc1, 0, 1}, ack[] = {0x60, 0, 0, 1}, rst[] = {0x70, 0, 0, 1};
    static const struct {
        const uint8_t *bytes;
        size_t len;
        enum cg_fate fate;
        uint64_t count;
    } strays[] = {
        {no_token, sizeof no_token, CG_FATE_UNKNOWN_TOKEN, 1},
        {unknown, sizeof unknown, CG_FATE_UNKNOWN_TOKEN, 2},
        {garbage, sizeof garbage, CG_FATE_MALFORMED, 1},
        {other_version, 12, CG_FATE_MALFORMED, 2},
        {garbage, 0, CG_FATE_MALFORMED, 3},
        {get, sizeof get, CG_FATE_REQUEST, 1},
        {ping, sizeof ping, CG_FATE_REQUEST, 2},
        {reserved, sizeof reserved, CG_FATE_BAD_CODE, 1},
        {ack, sizeof ack, CG_FATE_STRAY_EMPTY, 1},
        {rst, sizeof rst, CG_FATE_STRAY_EMPTY, 2},
    };
    for (size_t i = 0; i < sizeof strays / sizeof *strays; i++) {
        world_deliver(world, "127.1.0.9", strays[i].bytes, strays[i].len);
        expect_fate(world, strays[i].fate, strays[i].count);
    }
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.rejected, 0);
}

static void test_answers_repetitions_and_late_ones_have_counters(void **state) {
    struct world *world = *state;
    struct call call;
    start(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    expect_fate(world, CG_FATE_ANSWER, 1);
    world_answer(world, 0, "127.1.0.1", "on");
    expect_fate(world, CG_FATE_DUPLICATE, 1);
    world_answer(world, 0, "127.1.0.1", "off"); /* newer */
    expect_fate(world, CG_FATE_ANSWER, 2);
    world->now_us += 2 * SECOND + 1;
    world_answer(world, 0, "127.1.0.2", "on"); /* before the exchange has noticed its end */
    expect_fate(world, CG_FATE_LATE, 1);
    world_run(world);
    world_answer(world, 0, "127.1.0.3", "on");
    expect_fate(world, CG_FATE_LATE, 2);
    deliver(world, 0, "127.1.0.4", 0x58, CG_CODE(6, 1), ""); /* of nobody any more */
    expect_fate(world, CG_FATE_BAD_CODE, 1);
    deliver(world, 0, "127.1.0.4", 0x58, CG_CODE(2, 5), "\xff");
    expect_fate(world, CG_FATE_MALFORMED, 1);
    assert_int_equal(call.reply.summary.late, 1);
    assert_int_equal(cg_stats_get(cg_gateway_stats(world->gateway), "lamps")->late, 2);
}

/* One datagram, several exchanges: it is one answer. */
static void test_an_answer_to_joined_requests_is_one_datagram(void **state) {
    struct world *world = *state;
    struct call first, second;
    start(world, &first, "/lamps");
    world_get(world, &second, "/lamps");
    size_t last = world->sent_count - 1;
    assert_int_equal(last, 0); /* joined */
    world_answer(world, 0, "127.1.0.1", "on");
    expect_fate(world, CG_FATE_ANSWER, 1);
    deliver(world, 0, "127.1.0.2", 0x58, CG_CODE(6, 1), "");
    expect_fate(world, CG_FATE_REJECTED, 1);
    world_advance(world, 2 * SECOND);
    expect_rejection(&first, "127.1.0.2", "bad-code"); /* in each of the replies */
    expect_rejection(&second, "127.1.0.2", "bad-code");
    assert_int_equal(first.reply.summary.answered + second.reply.summary.answered, 2);
    assert_int_equal(cg_stats_get(cg_gateway_stats(world->gateway), "lamps")->rejected, 1);
}

/* Acknowledgements as answers */

static void answer_by_ack(struct world *world, const char *from, uint16_t mid) {
    world_answer_as(world, 0, from,
                    (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5), .mid = mid, .payload = "on"});
}

static void test_an_ack_to_a_group_request_is_an_answer(void **state) {
    struct world *world = *state;
    struct call call;
    start(world, &call, "/lamps");
    uint16_t mid = world->sent[0].msg.mid;
    answer_by_ack(world, "127.1.0.1", mid);
    answer_by_ack(world, "127.1.0.2", mid); /* of each member */
    expect_fate(world, CG_FATE_ANSWER, 2);
    answer_by_ack(world, "127.1.0.3", (uint16_t)(mid + 1));
    expect_fate(world, CG_FATE_REJECTED, 1);
    assert_int_equal(world->sent_count, 1); /* nothing is said to an acknowledgement */
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 2);
    expect_rejection(&call, "127.1.0.3", "wrong-mid");
}

static void test_strict_takes_no_ack_to_a_group_request(void **state) { /* RFC 7252 §4.3 */
    struct world *world = *state;
    struct call call;
    world->config->http.strict = true;
    struct cg_request *request = world_new(world, &call, "/lamps");
    request->has_timeout = true;
    request->timeout_s = 2;
    world_go(world, &call);
    answer_by_ack(world, "127.1.0.1", world->sent[0].msg.mid);
    world_answer(world, 0, "127.1.0.2", "on");
    expect_fate(world, CG_FATE_REJECTED, 1);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
    expect_rejection(&call, "127.1.0.1", "unexpected-ack");
}

/* Unicast */

static void ask_only_member(struct world *world, struct call *call) {
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_get(world, call, "/lamps");
    assert_int_equal(world->sent[0].msg.type, CG_CON);
}

static void test_what_fits_no_unicast_request_is_rejected(void **state) { /* RFC 7252 §5.3.2 */
    struct world *world = *state;
    struct call call;
    ask_only_member(world, &call);
    world_answer(world, 0, "127.1.0.1:5684", "from another port");
    world_answer(world, 0, "127.1.0.9", "from somebody else");
    answer_by_ack(world, "127.1.0.1", (uint16_t)(world->sent[0].msg.mid + 1));
    deliver(world, 0, "127.1.0.1", 0x58, CG_CODE(6, 1), "");
    expect_fate(world, CG_FATE_REJECTED, 4);
    world_answer(world, 0, "127.1.0.1", "on");
    expect_fate(world, CG_FATE_ANSWER, 1);
    world_run(world);
    assert_int_equal(call.reply.summary.answered, 1);
    assert_int_equal(call.reply.summary.rejected, 4);
    assert_non_null(
        strstr(call.text, "{\"from\":\"127.1.0.1:5684\",\"kid\":null,\"gid\":null,\"reason\":\"wrong-source\""));
    expect_rejection(&call, "127.1.0.9", "wrong-source");
    expect_rejection(&call, "127.1.0.1", "wrong-mid");
    expect_rejection(&call, "127.1.0.1", "bad-code");
}

static void answer_block(struct world *world, size_t index, uint8_t block) {
    struct cg_opt opt = {.number = CG_OPT_BLOCK2, .value = cg_slice_of(&block, 1)};
    struct cg_opts options = {.list = &opt, .count = 1};
    struct answer answer = {.type = CG_NON, .code = CG_CODE(2, 5), .options = &options};
    answer.payload = "0123456789abcdef";
    world_answer_as(world, index, "127.1.0.1", answer);
}

static void test_further_blocks_have_a_counter(void **state) {
    struct world *world = *state;
    struct call call;
    ask_only_member(world, &call);
    answer_block(world, 0, 0x08);
    expect_fate(world, CG_FATE_ANSWER, 1);
    answer_block(world, 1, 0x18);
    expect_fate(world, CG_FATE_BLOCK, 1);
    answer_block(world, 2, 0x20);
    expect_fate(world, CG_FATE_BLOCK, 2);
    world_run(world);
    assert_int_equal(call.reply.summary.answered, 1);
}

static void test_empty_messages_about_unicast_requests_have_a_counter(void **state) {
    struct world *world = *state;
    struct call call;
    ask_only_member(world, &call);
    uint8_t ack[] = {0x60, 0, (uint8_t)(world->sent[0].msg.mid >> 8), (uint8_t)world->sent[0].msg.mid};
    world_deliver(world, "127.1.0.1", ack, sizeof ack);
    expect_fate(world, CG_FATE_ACKNOWLEDGEMENT, 1);
    world_deliver(world, "127.1.0.9", ack, sizeof ack); /* somebody else's */
    expect_fate(world, CG_FATE_STRAY_EMPTY, 1);
    ack[0] = 0x70;
    world_deliver(world, "127.1.0.1", ack, sizeof ack);
    expect_fate(world, CG_FATE_ACKNOWLEDGEMENT, 2);
    world_advance(world, 2 * SECOND);
}

/* Protectors that take their time, or refuse */

struct scripted {
    struct cg_protector protector;
    struct cg_protector_ops ops;
    uint64_t job;
    int result;
    struct cg_opened opened;
};

static int open_as_told(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                        struct cg_opened *opened) {
    struct scripted *scripted = (struct scripted *)protector;
    (void)opening;
    scripted->job = job;
    *opened = scripted->opened;
    return scripted->result;
}

static void start_scripted(struct world *world, struct scripted *scripted, struct call *call) {
    *scripted = (struct scripted){.ops = *cg_protector_none()->ops};
    scripted->ops.open = open_as_told;
    scripted->protector.ops = &scripted->ops;
    world_mapping(world, "lamps")->protector = &scripted->protector;
    world_get(world, call, "/lamps");
}

static void test_what_is_being_verified_has_its_fate_later(void **state) {
    struct world *world = *state;
    struct call call;
    struct scripted scripted;
    start_scripted(world, &scripted, &call);
    scripted.result = CG_PENDING;
    world_answer(world, 0, "127.1.0.1", "on");
    uint64_t first = scripted.job;
    world_answer(world, 0, "127.1.0.2", "on");
    assert_int_equal(sum_of_fates(world), 0);
    struct cg_opened opened = {.code = CG_CODE(2, 5), .identity = cg_slice_str("who")};
    cg_engine_opened(cg_gateway_engine(world->gateway), first, CG_OK, &opened);
    assert_int_equal(sum_of_fates(world), 1);
    world_advance(world, 3 * SECOND);
    cg_engine_opened(cg_gateway_engine(world->gateway), scripted.job, CG_OK, &opened); /* too late for its request */
    expect_fate(world, CG_FATE_ANSWER, 1);
    expect_fate(world, CG_FATE_LATE, 1);
}

static void test_a_challenge_has_a_counter(void **state) {
    struct world *world = *state;
    struct call call;
    struct scripted scripted;
    start_scripted(world, &scripted, &call);
    scripted.opened = (struct cg_opened){.code = CG_CODE(4, 1), .echo = cg_slice_str("echo")};
    world_answer(world, 0, "127.1.0.1", "fresh?");
    expect_fate(world, CG_FATE_CHALLENGE, 1);
    world_advance(world, 2 * SECOND);
}

static void refuse_with(struct world *world, struct scripted *scripted, struct cg_opened opened) {
    scripted->result = CG_E_UNPROTECTED;
    scripted->opened = opened;
    world_answer(world, 0, "127.1.0.1", "sealed");
}

static void test_what_an_unprotected_answer_says_is_told(void **state) { /* RFC 8613 §8.2 */
    struct world *world = *state;
    struct call call;
    struct scripted scripted;
    char long_text[300];
    memset(long_text, 'x', sizeof long_text);
    memcpy(long_text + 255, "\xc3\xbc", 2); /* a character that would be cut */
    start_scripted(world, &scripted, &call);
    refuse_with(world, &scripted,
                (struct cg_opened){.code = CG_CODE(4, 1), .payload = cg_slice_str("Security \"context\" not found")});
    refuse_with(world, &scripted, (struct cg_opened){.code = CG_CODE(4, 2)});
    refuse_with(world, &scripted, (struct cg_opened){.code = CG_CODE(2, 5), .payload = cg_slice_str("no diagnostic")});
    refuse_with(world, &scripted,
                (struct cg_opened){.code = CG_CODE(4, 0),
                                   .options = cg_slice_of("\xc1\x3c", 2), /* Content-Format 60 */
                                   .payload = cg_slice_str("cbor")});
    refuse_with(world, &scripted,
                (struct cg_opened){.code = CG_CODE(5, 0), .payload = cg_slice_of(long_text, sizeof long_text)});
    refuse_with(world, &scripted, (struct cg_opened){.code = CG_CODE(4, 3), .payload = cg_slice_str("ab\xff")});
    refuse_with(world, &scripted,
                (struct cg_opened){
                    .code = CG_CODE(4, 6), .verified = CASTGATE_VERIFIED_SOURCE, .payload = cg_slice_str("verified")});
    expect_fate(world, CG_FATE_REJECTED, 7);
    world_advance(world, 2 * SECOND);
    long_text[255] = 0;
    char longest[400];
    snprintf(longest, sizeof longest, "\"code\":\"5.00\",\"diagnostic\":\"%s\"}", long_text);
    const char *const told[] = {
        "\"reason\":\"unprotected\",\"code\":\"4.01\",\"diagnostic\":\"Security \\\"context\\\" not found\"}",
        "\"code\":\"4.02\",\"diagnostic\":null}",
        "\"code\":\"2.05\",\"diagnostic\":null}",
        "\"code\":\"4.00\",\"diagnostic\":null}",
        longest,
        "\"code\":\"4.03\",\"diagnostic\":\"ab\"}",
        "\"code\":null,\"diagnostic\":null}",
    };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        if (strstr(call.text, told[i]) == NULL) fail_msg("no %s in %s", told[i], call.text);
    }
}

/* Per mapping */

static struct cg_stats *lamps_stats(struct world *world) {
    return cg_stats_get(cg_gateway_stats(world->gateway), "lamps");
}

static void test_a_failed_target_is_a_rejection_of_its_mapping(void **state) {
    struct world *world = *state;
    struct call call;
    static const struct cg_resolved nobody = {.why = "not known"};
    struct cg_target *second = &world_mapping(world, "pair")->targets[1];
    second->host = cg_slice_str("nobody.example");
    second->resolved = &nobody;
    world_get(world, &call, "/pair");
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
    assert_int_equal(call.reply.summary.rejected, 1);
    assert_non_null(strstr(call.text, "\"reason\":\"cannot-emit\""));
    assert_int_equal(cg_stats_get(cg_gateway_stats(world->gateway), "pair")->rejected, 1);
}

static void test_answers_beyond_a_limit_are_rejections_of_their_mapping(void **state) {
    struct world *world = *state;
    struct call call;
    world_mapping(world, "lamps")->max_answers = 1;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_answer(world, 0, "127.1.0.2", "on");
    expect_fate(world, CG_FATE_REJECTED, 1);
    world_advance(world, 2 * SECOND);
    assert_int_equal(lamps_stats(world)->rejected, call.reply.summary.rejected);
    assert_int_equal(lamps_stats(world)->over_cap, 1);
}

static void test_blocks_that_are_given_up_are_a_rejection_of_their_mapping(void **state) {
    struct world *world = *state;
    struct call call;
    start(world, &call, "/lamps");
    struct cg_opt block = {.number = CG_OPT_BLOCK2, .value = cg_slice_of("\x08", 1)}; /* 0, more, 16 bytes */
    struct cg_opts options = {.list = &block, .count = 1};
    world_answer_as(
        world, 0, "127.1.0.1",
        (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .payload = "0123456789abcdef", .options = &options});
    world_advance(world, 2 * SECOND); /* the rest never comes */
    assert_int_equal(call.reply.summary.answered, 0);
    assert_int_equal(call.reply.summary.rejected, 1);
    assert_int_equal(lamps_stats(world)->rejected, 1);
    assert_int_equal(lamps_stats(world)->answered, 0);
}

static void test_an_answer_has_the_time_of_the_members_first(void **state) {
    struct world *world = *state;
    struct call call;
    start(world, &call, "/lamps");
    world->now_us += 30000;
    world_answer(world, 0, "127.1.0.1", "on");
    world->now_us += 700000;
    world_answer(world, 0, "127.1.0.1", "off");
    world_advance(world, 2 * SECOND);
    assert_non_null(
        strstr(call.text, "\"ms\":30,\"code\":\"2.05\",\"status\":200,\"content_type\":null,\"body\":\"off\""));
    assert_int_equal(call.reply.summary.duplicates, 1);
    assert_int_equal(lamps_stats(world)->duplicate, 1);
    assert_int_equal(lamps_stats(world)->answered, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_what_is_no_answer_but_has_the_token_is_rejected),
        world_test(test_a_confirmable_one_that_is_no_answer_is_reset),
        world_test(test_what_has_no_token_of_ours_has_a_counter),
        world_test(test_answers_repetitions_and_late_ones_have_counters),
        world_test(test_an_answer_to_joined_requests_is_one_datagram),
        world_test(test_an_ack_to_a_group_request_is_an_answer),
        world_test(test_strict_takes_no_ack_to_a_group_request),
        world_test(test_what_fits_no_unicast_request_is_rejected),
        world_test(test_further_blocks_have_a_counter),
        world_test(test_empty_messages_about_unicast_requests_have_a_counter),
        world_test(test_what_is_being_verified_has_its_fate_later),
        world_test(test_a_challenge_has_a_counter),
        world_test(test_what_an_unprotected_answer_says_is_told),
        world_test(test_a_failed_target_is_a_rejection_of_its_mapping),
        world_test(test_answers_beyond_a_limit_are_rejections_of_their_mapping),
        world_test(test_blocks_that_are_given_up_are_a_rejection_of_their_mapping),
        world_test(test_an_answer_has_the_time_of_the_members_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
