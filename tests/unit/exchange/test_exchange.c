/* The machine as a whole: exchanges and casts with a fake clock and a fake port. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

static void test_one_request_one_datagram_one_reply(void **state) { /* R6, R8, R29, R31, R37, R49 */
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps/status");
    assert_int_equal(world->sent_count, 1);
    const struct emission *cast = &world->sent[0];
    assert_int_equal(cast->msg.type, CG_NON);
    assert_int_equal(cast->msg.code, CG_GET);
    assert_int_equal(cast->msg.token.len, 8);
    assert_string_equal(cast->route.interface, "lo");
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, &cast->msg);
    assert_true(cg_opt_next(&iter, &opt) && opt.number == CG_OPT_URI_PATH && cg_slice_is(opt.value, "base"));
    assert_true(cg_opt_next(&iter, &opt) && opt.number == CG_OPT_URI_PATH && cg_slice_is(opt.value, "status"));
    assert_false(cg_opt_next(&iter, &opt));
    world->now_us += 12000;
    world_answer(world, 0, "127.1.0.1", "on");
    world_answer(world, 0, "127.1.0.2", "off");
    world_advance(world, SECOND);
    assert_int_equal(call.replies, 0); /* an open group ends by time */
    world_advance(world, SECOND);
    assert_int_equal(call.replies, 1);
    assert_int_equal(call.reply.status, 200);
    assert_int_equal(call.reply.summary.answered, 2);
    assert_string_equal(call.reply.summary.ended_by, "deadline");
    assert_non_null(strstr(call.text, "\"from\":\"127.1.0.1:5683\""));
    assert_non_null(strstr(call.text, "\"body\":\"off\""));
    assert_non_null(strstr(call.text, "\"ms\":12"));
    assert_int_equal(cg_gateway_running(world->gateway), 0);
}

static void test_interleaved_answers_never_cross(void **state) { /* R8 */
    struct world *world = *state;
    struct call calls[8];
    char path[32], from[32], text[32];
    world->config->group.nstart = 8;
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "/lamps/%d", i);
        world_get(world, &calls[i], path);
    }
    assert_int_equal(world->sent_count, 8);
    for (int member = 1; member < 6; member++) {
        for (int i = 7; i >= 0; i--) {
            snprintf(from, sizeof from, "127.1.0.%d", member);
            snprintf(text, sizeof text, "member %d request %d", member, i);
            world_answer(world, (size_t)i, from, text);
        }
    }
    world_advance(world, 2 * SECOND);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(calls[i].reply.summary.answered, 5);
        for (int other = 0; other < 8; other++) {
            snprintf(text, sizeof text, "member 3 request %d", other);
            assert_int_equal(strstr(calls[i].text, text) != NULL, i == other);
        }
    }
}

static void test_names_of_exchanges_are_64_random_bits(void **state) {
    struct world *world = *state;
    struct call call;
    unsigned seen[16] = {0}; /* bit per digit */
    for (int i = 0; i < 500; i++) {
        assert_non_null(world_new(world, &call, "/lamps"));
        const char *id = cg_gateway_exchange_id(world->gateway, call.ticket);
        assert_int_equal(strspn(id, "0123456789abcdef"), 16);
        for (int at = 0; at < 16; at++) seen[at] |= 1u << (id[at] <= '9' ? id[at] - '0' : id[at] - 'a' + 10);
        cg_gateway_abandon(world->gateway, call.ticket);
        world_run(world);
    }
    for (int at = 0; at < 16; at++) assert_int_equal(seen[at], 0xffff);
}

static void test_members_are_told_apart_by_address_and_port(void **state) {
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps");
    uint16_t mid = world->sent[0].msg.mid; /* servers that answer with the request's own MID */
    struct answer answer = {.type = CG_NON, .code = CG_CODE(2, 5), .mid = mid, .payload = "x"};
    world_answer_as(world, 0, "127.0.0.1:1001", answer);
    world_answer_as(world, 0, "127.0.0.1:1002", answer);
    world_answer_as(world, 0, "127.0.0.1:1003", answer);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 3);
    assert_int_equal(call.reply.summary.duplicates, 0);
}

static void test_success_and_failure_mix(void **state) { /* R30, R35 */
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_answer_as(world, 0, "127.1.0.2", (struct answer){.type = CG_NON, .code = CG_CODE(4, 4), .mid = 9});
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.status, 200);
    assert_int_equal(call.reply.summary.answered, 2);
    assert_int_equal(call.reply.summary.failed, 1);
    assert_non_null(strstr(call.text, "\"code\":\"4.04\",\"status\":404"));
}

/* Failed are the classes 4 and 5, whatever else there may be one day. */
static void test_what_counts_as_failed(void **state) {
    struct world *world = *state;
    static const uint8_t codes[] = {CG_CODE(2, 31), CG_CODE(3, 0), CG_CODE(3, 31), CG_CODE(4, 0), CG_CODE(5, 31)};
    struct call call;
    world_get(world, &call, "/lamps");
    for (size_t i = 0; i < sizeof codes; i++) {
        char from[32];
        snprintf(from, sizeof from, "127.1.0.%zu", i + 1);
        world_answer_as(world, 0, from, (struct answer){.type = CG_NON, .code = codes[i]});
    }
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 5);
    assert_int_equal(call.reply.summary.failed, 2);
    assert_int_equal(cg_stats_get(cg_gateway_stats(world->gateway), "lamps")->failed, 2);
}

static void test_latest_answer_counts_and_memory_stays(void **state) {
    struct world *world = *state;
    struct call call;
    char text[64];
    world_get(world, &call, "/lamps");
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "reading %d of a member that goes on", i);
        world_answer(world, 0, "127.1.0.1", text);
    }
    const struct cg_round *round = world_round(world, &call);
    assert_true(round->arena.used <= 8192);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
    assert_int_equal(call.reply.summary.duplicates, 99);
    assert_non_null(strstr(call.text, "reading 99"));
}

static void test_answers_that_grow_cost_a_few_times_the_largest(void **state) {
    struct world *world = *state;
    struct call call;
    char text[2001];
    world_get(world, &call, "/lamps");
    const struct cg_round *round = world_round(world, &call);
    memset(text, 'x', sizeof text);
    for (size_t len = 10; len < sizeof text; len += 10) {
        text[len] = '\0';
        world_answer(world, 0, "127.1.0.1", text);
        text[len] = 'x';
    }
    assert_true(round->arena.used <= 20000); /* all together are 200000 bytes */
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.duplicates, 199);
}

static void test_con_answers_are_acknowledged(void **state) {
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps");
    world_answer_as(world, 0, "127.1.0.1",
                    (struct answer){.type = CG_CON, .code = CG_CODE(2, 5), .mid = 77, .payload = "on"});
    assert_int_equal(world->sent_count, 2);
    assert_int_equal(world->sent[1].msg.type, CG_ACK);
    assert_int_equal(world->sent[1].msg.mid, 77);
    assert_int_equal(world->sent[1].route.to.port, 5683);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
    /* to a dead exchange: reset, and counted as late for its mapping */
    world_answer_as(world, 0, "127.1.0.3",
                    (struct answer){.type = CG_CON, .code = CG_CODE(2, 5), .mid = 78, .payload = "on"});
    assert_int_equal(world->sent[2].msg.type, CG_RST);
    assert_int_equal(world->sent[2].msg.mid, 78);
    assert_int_equal(cg_stats_get(cg_gateway_stats(world->gateway), "lamps")->late, 1);
}

static void test_unknown_and_malformed_are_counted(void **state) {
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps");
    static const uint8_t unknown_con[] = {0x48, 0x45, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8};
    world_deliver(world, "127.1.0.9", unknown_con, sizeof unknown_con);
    assert_int_equal(world->sent[1].msg.type, CG_RST);
    static const uint8_t short_token[] = {0x51, 0x45, 0x12, 0x34, 1};
    world_deliver(world, "127.1.0.9", short_token, sizeof short_token);
    static const uint8_t garbage[] = {0xff, 0xff, 0xff};
    world_deliver(world, "127.1.0.9", garbage, sizeof garbage);
    world_deliver(world, "127.1.0.9", garbage, 0);
    static const uint8_t get_con[] = {0x40, 0x01, 0x55, 0x55};
    world_deliver(world, "127.1.0.9", get_con, sizeof get_con); /* this endpoint serves nobody */
    assert_int_equal(world->sent[2].msg.type, CG_RST);
    const struct cg_totals *totals = cg_gateway_totals(world->gateway);
    assert_int_equal(totals->datagrams, 5);
    assert_int_equal(totals->fates[CG_FATE_UNKNOWN_TOKEN], 2);
    assert_int_equal(totals->fates[CG_FATE_MALFORMED], 2);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 0);
}

static void test_arrival_time_decides_what_is_late(void **state) {
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps");
    world->now_us += 2 * SECOND;
    world_answer(world, 0, "127.1.0.1", "in time"); /* exactly at the deadline */
    world->now_us += 1;
    world_answer(world, 0, "127.1.0.2", "late");
    world_run(world);
    assert_int_equal(call.reply.summary.answered, 1);
    assert_int_equal(call.reply.summary.late, 1);
}

/* Datagrams may be looked at in another order than they came; time does not go back. */
static void test_an_earlier_arrival_turns_no_clock_back(void **state) {
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps");
    uint64_t began = world->now_us;
    world->now_us = began + 3000;
    world_answer(world, 0, "127.1.0.1", "later");
    assert_int_equal(cg_gateway_now(world->gateway), began + 3000);
    world->now_us = began + 1000;
    world_answer(world, 0, "127.1.0.2", "earlier");
    assert_int_equal(cg_gateway_now(world->gateway), began + 3000);
    world_advance(world, 2 * SECOND);
    assert_non_null(strstr(call.text, "\"ms\":3,"));
    assert_non_null(strstr(call.text, "\"ms\":1,"));
}

static void test_a_target_uri_finds_its_group(void **state) { /* RFC 8075 §5.3 */
    struct world *world = *state;
    struct call call;
    world_mapping(world, "lamps")->forward = true;
    struct cg_request *request = world_new(world, &call, "coap://224.0.1.187/status");
    request->forward = true;
    request->has_timeout = true;
    request->timeout_s = 2;
    world_go(world, &call);
    assert_int_equal(world->sent_count, 1);
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
    request = world_new(world, &call, "coap://224.0.1.187/status"); /* the mapping's timeout is not its own */
    request->forward = true;
    world_go(world, &call);
    assert_int_equal(call.problem.err, CG_E_NO_TIMEOUT);
    assert_true(call.problem.ask_timeout);
    assert_string_equal(
        call.problem.detail,
        "say how long to collect answers: Multicast-Timeout: SECONDS, always through the forward proxy; "
        "the timeout of mapping lamps is for requests to its own path");
    request = world_new(world, &call, "coap://224.0.1.189/status");
    request->forward = true;
    world_go(world, &call);
    assert_int_equal(call.problem.err, CG_E_FORBIDDEN);
    assert_int_equal(world->sent_count, 1);
}

static void test_finish_all(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 3);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.9", "a stranger");
    world_answer(world, 0, "127.1.0.1", "on");
    world_answer(world, 0, "127.1.0.2", "on");
    world_run(world);
    assert_int_equal(call.replies, 0);
    world_answer(world, 0, "127.1.0.3", "on");
    world_run(world);
    assert_int_equal(call.replies, 1);
    assert_string_equal(call.reply.summary.ended_by, "all");
    assert_int_equal(call.reply.summary.answered, 4);
    assert_int_equal(call.reply.summary.expected, 3);
    assert_int_equal(call.reply.summary.missing, 0);
    assert_non_null(strstr(call.text, "\"member\":\"first\""));
}

static void test_missing_members_are_listed(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 3);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.2", "on");
    world_advance(world, 2 * SECOND);
    assert_string_equal(call.reply.summary.ended_by, "deadline");
    assert_int_equal(call.reply.summary.missing, 2);
    assert_non_null(strstr(call.text,
                           "\"missing\":[{\"member\":\"first\",\"from\":\"127.1.0.1:5683\",\"cause\":\"unknown\"},"
                           "{\"member\":\"other\",\"from\":\"127.1.0.3:5683\",\"cause\":\"unknown\"}]"));
}

static void test_finish_quorum_and_count(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 4);
    world_mapping(world, "lamps")->finish = (struct cg_finish){.rule = CG_FINISH_QUORUM, .quorum = 0.5};
    world_mapping(world, "pair")->finish = (struct cg_finish){.rule = CG_FINISH_COUNT, .count = 1};
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_run(world);
    assert_int_equal(call.replies, 0);
    world_answer(world, 0, "127.1.0.4", "on");
    world_run(world);
    assert_string_equal(call.reply.summary.ended_by, "quorum");
    world_get(world, &call, "/pair");
    world_answer(world, 1, "127.1.0.1", "on");
    world_run(world);
    assert_string_equal(call.reply.summary.ended_by, "count");
}

static void test_two_casts_in_one_exchange(void **state) {
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/pair");
    assert_int_equal(world->sent_count, 2);
    assert_memory_not_equal(world->sent[0].msg.token.bytes, world->sent[1].msg.token.bytes, 8);
    assert_int_not_equal(world->sent[0].route.to.ip[3], world->sent[1].route.to.ip[3]);
    world_answer(world, 0, "127.1.0.1", "left");
    world_answer(world, 1, "127.1.0.2", "right");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 2);
}

static void test_no_response_ends_early(void **state) { /* R33 */
    struct world *world = *state;
    struct call call;
    struct cg_request *request = world_new(world, &call, "/lamps");
    static const uint8_t all = 26;
    static struct cg_opt option;
    option = (struct cg_opt){.number = CG_OPT_NO_RESPONSE, .value = {.data = &all, .len = 1}};
    request->options = (struct cg_opts){.list = &option, .count = 1};
    request->no_response = 26;
    call.encoder = cg_plugin_mixed.ops.encoder;
    world_go(world, &call);
    uint32_t value;
    assert_int_equal(world->sent_count, 1);
    assert_true(cg_msg_find_uint(&world->sent[0].msg, CG_OPT_NO_RESPONSE, &value) && value == 26);
    assert_int_equal(call.replies, 1);
    assert_int_equal(call.reply.status, 204);
    /* one class only: goes on */
    request = world_new(world, &call, "/lamps");
    request->no_response = 2;
    world_go(world, &call);
    assert_int_equal(call.replies, 0);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.replies, 1);
}

static void test_timeout_zero_sends_and_leaves(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_request *request = world_new(world, &call, "/lamps");
    request->has_timeout = true;
    world_go(world, &call);
    assert_int_equal(world->sent_count, 1);
    assert_int_equal(call.reply.status, 204);
    assert_int_equal(world->gateway->engine.legs.used, 0);
}

static void test_client_goes_away(void **state) {
    struct world *world = *state;
    struct call call, stays;
    world_get(world, &call, "/lamps");
    world_get(world, &stays, "/lamps"); /* shares the cast */
    cg_gateway_abandon(world->gateway, call.ticket);
    world_run(world);
    assert_int_equal(call.replies + call.problems, 0);
    cg_gateway_abandon(world->gateway, call.ticket); /* stale: ignored */
    cg_gateway_abandon(world->gateway, (struct cg_ticket){0});
    cg_gateway_abandon(world->gateway, (struct cg_ticket){.slot = 9999, .generation = 7});
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.replies + call.problems, 0);
    assert_int_equal(stays.reply.summary.answered, 1);
}

static void test_reload_while_running(void **state) { /* R4 */
    struct world *world = *state, other;
    struct call before, after;
    world_get(world, &before, "/lamps");
    world_init(&other);
    other.config->mappings[0].path = "/lights";
    assert_int_equal(cg_config_index(other.config), CG_OK);
    cg_gateway_adopt(world->gateway, other.config);
    world_answer(world, 0, "127.1.0.1", "on");
    world_new(world, &after, "/lamps");
    world_go(world, &after);
    assert_int_equal(after.problem.err, CG_E_NOT_FOUND);
    world_advance(world, 2 * SECOND);
    assert_int_equal(before.reply.summary.answered, 1);
    world_get(world, &after, "/lights");
    world_advance(world, 2 * SECOND);
    assert_int_equal(after.replies, 1);
    world_fini(&other);
}

static void test_stop(void **state) {
    struct world *world = *state;
    struct call running, waiting, refused;
    world_get(world, &running, "/lamps/a");
    world_get(world, &waiting, "/lamps/b"); /* NSTART: not sent yet */
    world_answer_as(world, 0, "127.1.0.1",
                    (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5)}); /* no answer to a NON */
    cg_gateway_stop(world->gateway);
    assert_null(world_new(world, &refused, "/lamps"));
    assert_int_equal(refused.problem.err, CG_E_STOPPING);
    cg_gateway_finish_all(world->gateway);
    world_run(world);
    assert_int_equal(running.replies, 1);
    assert_int_equal(waiting.problem.err, CG_E_STOPPING);
    assert_int_equal(cg_gateway_running(world->gateway), 0);
}

static void test_freed_while_running(void **state) {
    struct world *world = *state;
    struct call calls[3];
    world_get(world, &calls[0], "/lamps/a");
    world_get(world, &calls[1], "/lamps/b");
    world_new(world, &calls[2], "/lamps/c");
    size_t sent = world->sent_count;
    cg_gateway_free(world->gateway);
    world->gateway = NULL;
    assert_int_equal(world->sent_count, sent); /* nothing leaves on the way down */
}

static void test_kernel_drops_are_reported(void **state) { /* R17 */
    struct world *world = *state;
    struct call call;
    world->kernel_drops = 5;
    world_get(world, &call, "/lamps");
    world->kernel_drops = 17;
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.kernel_drops, 12);
    const struct cg_stats *stats = cg_stats_get(cg_gateway_stats(world->gateway), "lamps");
    assert_int_equal(stats->kernel_drops, 12);
    assert_int_equal(stats->sent, 1);
    assert_int_equal(stats->requests, 1);
}

static void test_a_mapping_has_counters_from_its_first_request_on(void **state) {
    struct world *world = *state;
    struct call nowhere, call;
    world_start(world);
    world_get(world, &nowhere, "/nowhere");
    assert_null(world->gateway->stats.by_name);
    world_get(world, &call, "/lamps");
    assert_int_equal(HASH_COUNT(world->gateway->stats.by_name), 1);
    assert_int_equal(world_mapping(world, "lamps")->stats->requests, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_one_request_one_datagram_one_reply),
        world_test(test_interleaved_answers_never_cross),
        world_test(test_names_of_exchanges_are_64_random_bits),
        world_test(test_members_are_told_apart_by_address_and_port),
        world_test(test_success_and_failure_mix),
        world_test(test_what_counts_as_failed),
        world_test(test_latest_answer_counts_and_memory_stays),
        world_test(test_answers_that_grow_cost_a_few_times_the_largest),
        world_test(test_con_answers_are_acknowledged),
        world_test(test_unknown_and_malformed_are_counted),
        world_test(test_arrival_time_decides_what_is_late),
        world_test(test_an_earlier_arrival_turns_no_clock_back),
        world_test(test_a_target_uri_finds_its_group),
        world_test(test_finish_all),
        world_test(test_missing_members_are_listed),
        world_test(test_finish_quorum_and_count),
        world_test(test_two_casts_in_one_exchange),
        world_test(test_no_response_ends_early),
        world_test(test_timeout_zero_sends_and_leaves),
        world_test(test_client_goes_away),
        world_test(test_reload_while_running),
        world_test(test_stop),
        world_test(test_freed_while_running),
        world_test(test_kernel_drops_are_reported),
        world_test(test_a_mapping_has_counters_from_its_first_request_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
