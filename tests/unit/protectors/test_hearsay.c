/* What nobody has verified settles nothing where answers are verified: not a group's turn, not its silence, not a
 * request to a member. RFC 10020 §3.6, RFC 7252 §4.2. */
#include "fake_room.h"

#include <string.h>

#include "legs/endpoint.h"

/* A second request, whose group request waits until the first one is settled. */
static void begin_another(struct side *side, struct call *call) {
    side->world.config->group.nstart = 1;
    world_get(&side->world, call, "/lamps/another");
    while (side->store.count > 0) fake_store_grant(&side->store);
    side_settle(side);
}

static struct cg_pace *pace_of(struct side *side) {
    const struct cg_pace_key group = {.group = address("224.0.1.187")};
    return cg_pace_get(&side->world.gateway->engine.paces, &side->world.config->group, &group, side->world.now_us);
}

static void what_nobody_verified_settles_nothing(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct call another;
    size_t sent = side_get(side);
    begin_another(side, &another);
    double allowance = pace_of(side)->bytes.left;
    struct reception reception = room_receive(room, 2, sent);
    struct answer_bytes forged = room_seal(room, 2, &reception, "on", (struct style){0});
    forged.data[forged.len - 1] ^= 1;
    world_answer(&side->world, sent, "127.1.0.2", "trust me");
    side_deliver(side, 2, &forged);
    side_settle(side);
    assert_int_equal(side->world.sent_count, sent + 1);
    assert_true(pace_of(side)->bytes.left == allowance);
    assert_true(allowance < side->world.config->group.probing_burst);
    room_answer(room, 1, sent, "on", (struct style){0});
    assert_int_equal(side->world.sent_count, sent + 1); /* not before it is verified */
    side_settle(side);
    assert_int_equal(side->world.sent_count, sent + 2);
    assert_true(pace_of(side)->bytes.left ==
                (double)(side->world.config->group.probing_burst - side->world.sent[sent + 1].len));
    side_reply(side);
    cg_gateway_abandon(side->world.gateway, another.ticket);
    call_fini(&another);
}

static void a_verified_challenge_settles(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct call another;
    size_t sent = side_get(side);
    begin_another(side, &another);
    struct cg_opt echo = {.number = CG_OPT_ECHO, .value = cg_slice_str("fresh?")};
    struct cg_opts options = {.list = &echo, .count = 1};
    room_answer(room, 1, sent, "", (struct style){.code = CG_CODE(4, 1), .options = &options, .numbered = true});
    side_settle(side);
    assert_int_equal(side->world.sent_count, sent + 3); /* the waiting one, and the request with the Echo */
    assert_true(cg_addr_is_multicast(&side->world.sent[sent + 1].route.to) ||
                cg_addr_is_multicast(&side->world.sent[sent + 2].route.to));
    side_reply(side);
    cg_gateway_abandon(side->world.gateway, another.ticket);
    call_fini(&another);
}

static void a_verified_unicast_answer_settles(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct call another;
    world_mapping(&side->world, "lamps")->repair_unicast = true;
    world_mapping(&side->world, "lamps")->leisure = 5;
    size_t sent = side_get(side);
    begin_another(side, &another);
    world_advance(&side->world, SECOND); /* nobody has answered the group request: they are asked */
    while (side->store.count > 0) fake_store_grant(&side->store);
    side_settle(side);
    assert_int_equal(side->world.sent_count, sent + 1 + LAMPS);
    world_answer(&side->world, sent + 1, "127.1.0.1", "trust me");
    side_settle(side);
    assert_int_equal(side->world.sent_count, sent + 1 + LAMPS);
    room_answer(room, 1, sent + 1, "on", (struct style){0});
    side_settle(side);
    assert_int_equal(side->world.sent_count, sent + 1 + LAMPS + 1);
    assert_true(cg_addr_is_multicast(&side->world.sent[sent + 1 + LAMPS].route.to));
    side_reply(side);
    cg_gateway_abandon(side->world.gateway, another.ticket);
    call_fini(&another);
}

static void deliver_empty(struct side *side, enum cg_type type, uint16_t mid) {
    uint8_t bytes[] = {(uint8_t)(0x40 | type << 4), 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    world_deliver(&side->world, "127.1.0.1:5683", bytes, sizeof bytes);
}

static void answer_block(struct room *room, size_t index, uint32_t number, bool more, const char *payload) {
    uint32_t whole = number << 4 | (more ? 8 : 0);
    uint8_t value[2] = {(uint8_t)(whole >> 8), (uint8_t)whole};
    struct cg_opt block = {.number = CG_OPT_BLOCK2, .value = cg_slice_of(value, sizeof value)};
    struct cg_opts options = {.list = &block, .count = 1};
    room_answer(room, 1, index, payload, (struct style){.options = &options});
    side_settle(&room->side);
    while (room->side.store.count > 0) fake_store_grant(&room->side.store); /* numbers for more requests */
    side_settle(&room->side);
}

static void a_reset_takes_nothing_verified_away(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    answer_block(room, sent, 0, true, "0123456789abcdef");
    assert_int_equal(side->world.sent_count, sent + 2);
    for (int i = 0; i < 10; i++) deliver_empty(side, CG_RST, side->world.sent[sent + 1].msg.mid);
    world_run(&side->world);
    answer_block(room, sent + 1, 1, false, "ghij");
    const char *text = side_reply(side);
    assert_counts(text, 1, 0);
    assert_has(text, "\"body\":\"0123456789abcdefghij\"");
}

static void an_acknowledgement_does_not_silence_retransmission(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct cg_mapping *lamps = world_mapping(&side->world, "lamps");
    lamps->timeout_us = lamps->max_timeout_us = 200 * SECOND;
    size_t sent = side_get(side);
    answer_block(room, sent, 0, true, "0123456789abcdef");
    uint16_t mid = side->world.sent[sent + 1].msg.mid;
    deliver_empty(side, CG_ACK, mid);
    world_advance(&side->world, 4 * SECOND - 1);
    assert_int_equal(side->world.sent_count, sent + 2); /* if it was true, this was polite */
    for (int i = 0; i < 20; i++) {                      /* more of them put nothing off */
        deliver_empty(side, CG_ACK, mid);
        world_advance(&side->world, SECOND / 10);
    }
    assert_int_equal(side->world.sent_count, sent + 3);
    world_advance(&side->world, 150 * SECOND);
    assert_int_equal(side->world.sent_count, sent + 6);
    answer_block(room, sent + 1, 1, false, "ghij"); /* it was true after all: a separate response, late */
    world_advance(&side->world, 50 * SECOND);
    assert_has(side->call.text, "\"body\":\"0123456789abcdefghij\"");
}

static void forged_answers_put_no_retransmission_off(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct cg_mapping *lamps = world_mapping(&side->world, "lamps");
    lamps->timeout_us = lamps->max_timeout_us = 60 * SECOND;
    size_t sent = side_get(side);
    answer_block(room, sent, 0, true, "0123456789abcdef");
    for (int i = 0; i < 31; i++) { /* somebody has seen the token */
        world_answer(&side->world, sent + 1, "127.1.0.1", "forged");
        world_advance(&side->world, SECOND / 10);
    }
    assert_int_equal(side->world.sent_count, sent + 3);
    answer_block(room, sent + 1, 1, false, "ghij");
    world_advance(&side->world, 60 * SECOND);
    assert_has(side->call.text, "\"body\":\"0123456789abcdefghij\"");
}

/* It has the group's keys, and still it does not keep the gateway busy for ever. */
static void a_verified_member_orders_a_bounded_number_of_blocks(void **state) {
    enum { SHARE = 1024 };
    struct answer_bytes first[2];
    struct room *room = *state;
    struct side *side = &room->side;
    uint8_t value = 8;
    struct cg_opt block = {.number = CG_OPT_BLOCK2, .value = cg_slice_of(&value, 1)};
    struct cg_opts options = {.list = &block, .count = 1};
    size_t sent = side_get(side);
    struct reception reception = room_receive(room, 1, sent);
    for (int i = 0; i < 2; i++)
        first[i] =
            room_seal(room, 1, &reception, "0123456789abcdef", (struct style){.options = &options, .numbered = true});
    side_deliver(side, 1, &first[0]);
    side_settle(side);
    for (uint32_t number = 1; number <= SHARE; number++) {
        assert_int_equal(side->world.sent_count, sent + 1 + number);
        answer_block(room, sent + number, number, true, "0123456789abcdef");
    }
    assert_int_equal(side->world.sent_count, sent + 1 + SHARE);
    side_deliver(side, 1, &first[1]); /* from the beginning */
    side_settle(side);
    assert_int_equal(side->world.sent_count, sent + 1 + SHARE);
    room_answer(room, 2, sent, "on", (struct style){0});
    side_settle(side);
    const char *text = side_reply(side);
    assert_has(text, "\"answered\":1,");
    assert_has(text, "\"reason\":\"blocks-incomplete\"");
    assert_null(side->world.gateway->engine.pings.hosts); /* and nobody was pinged */
}

/* What nobody has verified has us send nothing to an address that anybody may have made up. */
static void a_confirmable_answer_from_afar_is_acknowledged_when_it_is_verified(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception reception = room_receive(room, 1, sent);
    struct answer_bytes answer = room_seal(room, 1, &reception, "on", (struct style){0});
    answer.data[0] &= (uint8_t)~0x30; /* Confirmable */
    struct answer_bytes forged = answer;
    forged.data[forged.len - 1] ^= 1;
    world_deliver(&side->world, "203.0.113.9:5683", forged.data, forged.len);
    side_settle(side);
    assert_int_equal(side->world.sent_count, sent + 1);
    world_deliver(&side->world, "203.0.113.1:5683", answer.data, answer.len);
    assert_int_equal(side->world.sent_count, sent + 1);
    side_settle(side);
    assert_int_equal(side->world.sent_count, sent + 2);
    const struct emission *ack = &side->world.sent[sent + 1];
    struct cg_addr from = address("203.0.113.1:5683");
    assert_int_equal(ack->len, 4);
    assert_int_equal(ack->msg.type, CG_ACK);
    assert_int_equal(ack->msg.mid, answer.data[2] << 8 | answer.data[3]);
    assert_true(cg_addr_equal(&ack->route.to, &from));
    assert_has(side_reply(side), "\"answered\":1,");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        room_test(what_nobody_verified_settles_nothing),
        room_test(a_verified_challenge_settles),
        room_test(a_verified_unicast_answer_settles),
        room_test(a_reset_takes_nothing_verified_away),
        room_test(an_acknowledgement_does_not_silence_retransmission),
        room_test(a_verified_member_orders_a_bounded_number_of_blocks),
        room_test(forged_answers_put_no_retransmission_off),
        cmocka_unit_test_setup_teardown(a_confirmable_answer_from_afar_is_acknowledged_when_it_is_verified, room_setup,
                                        room_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
