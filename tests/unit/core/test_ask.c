/* Unicast requests: the single known member, silent members, and the blocks of large answers. */
#include "fake_world.h"

#include <stdio.h>
#include <string.h>

static void test_single_known_member_is_asked_by_unicast(void **state) { /* R6 */
    (void)state;
    struct world world;
    struct call call;
    world_init(&world);
    world_add_members(&world, world_mapping(&world, "lamps"), 1);
    world_start(&world);
    world_get(&world, &call, "/lamps");
    assert_int_equal(world.sent_count, 1);
    assert_int_equal(world.sent[0].msg.type, CG_CON);
    assert_true(cg_addr_equal(&world.sent[0].route.to,
                              &(struct cg_addr){.family = CG_FAMILY_IPV4, .port = 5683, .ip = {127, 1, 0, 1}}));
    world_answer_as(
        &world, 0, "127.1.0.1",
        (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5), .mid = world.sent[0].msg.mid, .payload = "on"});
    world_run(&world);
    assert_int_equal(call.replies, 1);
    assert_string_equal(call.reply.summary.ended_by, "all");
    assert_non_null(strstr(call.text, "\"via\":\"unicast\""));
    call_fini(&call);
    world_fini(&world);
}

static void test_retransmission_and_separate_answer(void **state) {
    (void)state;
    struct world world;
    struct call call;
    world_init(&world);
    world_add_members(&world, world_mapping(&world, "lamps"), 1);
    world_mapping(&world, "lamps")->timeout_us = 100 * SECOND;
    world_mapping(&world, "lamps")->max_timeout_us = 100 * SECOND;
    world_start(&world);
    world_get(&world, &call, "/lamps");
    world_advance(&world, 3 * SECOND); /* ACK_TIMEOUT is 2 to 3 s */
    assert_int_equal(world.sent_count, 2);
    assert_memory_equal(world.sent[0].bytes, world.sent[1].bytes, world.sent[0].len); /* the identical message */
    world_advance(&world, 6 * SECOND);
    assert_int_equal(world.sent_count, 3);
    uint8_t ack[] = {0x60, 0, (uint8_t)(world.sent[0].msg.mid >> 8), (uint8_t)world.sent[0].msg.mid};
    world_deliver(&world, "127.1.0.2", ack, sizeof ack); /* somebody else's */
    world_advance(&world, 13 * SECOND);
    assert_int_equal(world.sent_count, 4);
    world_deliver(&world, "127.1.0.1", ack, sizeof ack);
    world_advance(&world, 40 * SECOND);
    assert_int_equal(world.sent_count, 4); /* acknowledged: no more of it */
    world_answer(&world, 0, "127.1.0.2", "from the wrong endpoint");
    world_answer_as(&world, 0, "127.1.0.1",
                    (struct answer){.type = CG_CON, .code = CG_CODE(2, 5), .mid = 3, .payload = "on"});
    assert_int_equal(world.sent[4].msg.type, CG_ACK);
    world_run(&world);
    assert_int_equal(call.reply.summary.answered, 1);
    assert_non_null(strstr(call.text, "\"body\":\"on\""));
    call_fini(&call);
    world_fini(&world);
}

static void test_retransmission_gives_up(void **state) {
    (void)state;
    struct world world;
    struct call call;
    world_init(&world);
    world_add_members(&world, world_mapping(&world, "lamps"), 1);
    world_mapping(&world, "lamps")->timeout_us = 200 * SECOND;
    world_start(&world);
    world_get(&world, &call, "/lamps");
    world_advance(&world, 199 * SECOND);
    assert_int_equal(world.sent_count, 5); /* the first and MAX_RETRANSMIT */
    assert_int_equal(call.replies, 0);
    world_advance(&world, SECOND);
    assert_int_equal(call.reply.summary.missing, 1);
    assert_null(world.gateway->asks_by_mid);
    call_fini(&call);
    world_fini(&world);
}

static void test_silent_members_are_repaired(void **state) { /* R48 */
    (void)state;
    struct world world;
    struct call call;
    world_init(&world);
    struct cg_mapping *lamps = world_mapping(&world, "lamps");
    world_add_members(&world, lamps, 4);
    lamps->repair_unicast = true;
    lamps->leisure = 5;
    world_start(&world);
    world_get(&world, &call, "/lamps");
    world_answer(&world, 0, "127.1.0.2", "on");
    world_advance(&world, SECOND); /* half the time: the silent ones are asked */
    assert_int_equal(world.sent_count, 4);
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(world.sent[i].msg.type, CG_CON);
        assert_int_not_equal(world.sent[i].route.to.ip[3], 2);
    }
    world_answer_as(
        &world, 1, "127.1.0.1",
        (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5), .mid = world.sent[1].msg.mid, .payload = "on"});
    world_answer(&world, 0, "127.1.0.3", "on after all"); /* by the cast while being asked */
    uint8_t rst[] = {0x70, 0, (uint8_t)(world.sent[3].msg.mid >> 8), (uint8_t)world.sent[3].msg.mid};
    world_deliver(&world, "127.1.0.4", rst, sizeof rst);
    world_advance(&world, SECOND);
    assert_int_equal(call.reply.summary.answered, 3);
    assert_int_equal(call.reply.summary.missing, 1);
    assert_non_null(strstr(call.text, "\"via\":\"unicast\""));
    assert_non_null(strstr(call.text, "\"via\":\"multicast\""));
    call_fini(&call);
    world_fini(&world);
}

/* Answers emission `index` with a block. */
static void answer_block(struct world *world, size_t index, const char *from, uint32_t number, bool more,
                         const char *payload, const char *etag) {
    uint8_t value[2] = {(uint8_t)(number >> 4), (uint8_t)(number << 4 | (more ? 8 : 0))}; /* szx 0: 16 bytes */
    struct cg_opt list[] = {{.number = CG_OPT_ETAG, .value = cg_slice_str(etag)},
                            {.number = CG_OPT_BLOCK2, .value = cg_slice_of(value, sizeof value)}};
    struct cg_opts options = {.list = list, .count = 2};
    struct answer answer = {.type = CG_NON, .code = CG_CODE(2, 5), .mid = 5, .payload = payload, .options = &options};
    world_answer_as(world, index, from, answer);
}

static void expect_block_request(const struct world *world, size_t index, uint32_t number) {
    uint32_t value;
    assert_true(index < world->sent_count);
    assert_int_equal(world->sent[index].msg.type, CG_CON);
    assert_true(cg_msg_find_uint(&world->sent[index].msg, CG_OPT_BLOCK2, &value));
    assert_int_equal(value, number << 4);
}

static void test_blocks_make_one_answer(void **state) { /* R40 */
    (void)state;
    struct world world;
    struct call call;
    world_init(&world);
    world_add_members(&world, world_mapping(&world, "lamps"), 2);
    world_start(&world);
    world_get(&world, &call, "/lamps");
    world_answer(&world, 0, "127.1.0.2", "small");
    answer_block(&world, 0, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    world_run(&world);
    assert_int_equal(call.replies, 0); /* everybody answered, but one not wholly */
    expect_block_request(&world, 1, 1);
    answer_block(&world, 1, "127.1.0.1", 1, true, "ghijklmnopqrstuv", "e");
    expect_block_request(&world, 2, 2);
    assert_memory_not_equal(world.sent[1].msg.token.bytes, world.sent[2].msg.token.bytes, 8);
    answer_block(&world, 2, "127.1.0.1", 2, false, "wxyz", "e");
    world_run(&world);
    assert_int_equal(call.replies, 1);
    assert_non_null(strstr(call.text, "\"body\":\"0123456789abcdefghijklmnopqrstuvwxyz\""));
    call_fini(&call);
    world_fini(&world);
}

static void expect_blocks_refused(struct world *world, struct call *call) {
    world_advance(world, 2 * SECOND);
    assert_int_equal(call->reply.summary.answered, 0);
    assert_int_equal(call->reply.summary.rejected, 1);
    assert_non_null(strstr(call->text, "\"reason\":\"blocks-incomplete\""));
    assert_non_null(strstr(call->text, "\"answers\":[]"));
    call_fini(call);
}

static void test_blocks_that_do_not_fit_are_refused(void **state) {
    (void)state;
    struct world world;
    struct call call;
    world_init(&world);
    world.config->limits.answer = 64;
    world_start(&world);
    world_get(&world, &call, "/lamps");
    size_t at = world.sent_count;
    answer_block(&world, at - 1, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    answer_block(&world, at, "127.1.0.1", 1, false, "new", "changed"); /* the representation changed */
    expect_blocks_refused(&world, &call);
    world_get(&world, &call, "/lamps");
    at = world.sent_count;
    answer_block(&world, at - 1, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    answer_block(&world, at, "127.1.0.1", 3, false, "skips", "e");
    expect_blocks_refused(&world, &call);
    world_get(&world, &call, "/lamps");
    at = world.sent_count;
    answer_block(&world, at - 1, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    expect_blocks_refused(&world, &call); /* the rest never comes */
    world_get(&world, &call, "/lamps");
    at = world.sent_count;
    for (uint32_t i = 0; i < 10 && at - 1 + i < world.sent_count; i++) { /* without end */
        answer_block(&world, at - 1 + i, "127.1.0.1", i, true, "0123456789abcdef", "e");
    }
    expect_blocks_refused(&world, &call);
    world_fini(&world);
}

static void test_repair_waits_for_the_members_leisure_only(void **state) { /* R48 */
    (void)state;
    struct world world;
    struct call call;
    world_init(&world);
    struct cg_mapping *lamps = world_mapping(&world, "lamps");
    world_add_members(&world, lamps, 2);
    lamps->repair_unicast = true;
    lamps->leisure = 0.5;
    lamps->timeout_us = 60 * SECOND;
    world_start(&world);
    world_get(&world, &call, "/lamps");
    world_answer(&world, 0, "127.1.0.1", "on");
    world_advance(&world, SECOND / 2 - 1);
    assert_int_equal(world.sent_count, 1);
    world_advance(&world, 1);
    assert_int_equal(world.sent_count, 2);
    world_answer_as(
        &world, 1, "127.1.0.2",
        (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5), .mid = world.sent[1].msg.mid, .payload = "on"});
    world_run(&world);
    assert_string_equal(call.reply.summary.ended_by, "all");
    call_fini(&call);
    world_fini(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_known_member_is_asked_by_unicast),
        cmocka_unit_test(test_retransmission_and_separate_answer),
        cmocka_unit_test(test_retransmission_gives_up),
        cmocka_unit_test(test_silent_members_are_repaired),
        cmocka_unit_test(test_repair_waits_for_the_members_leisure_only),
        cmocka_unit_test(test_blocks_make_one_answer),
        cmocka_unit_test(test_blocks_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
