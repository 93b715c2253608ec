/* The group protector in a whole gateway core: sealing, opening, asking again, and time. R12 to R14, R23, R53. */
#include "fake_room.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Collects until the time is up. */
static int setup_patient(void **state) {
    struct room *room = calloc(1, sizeof *room);
    assert_non_null(room);
    room_init(room, fake_group_usual, CG_FINISH_DEADLINE);
    *state = room;
    return 0;
}

static void group_mode_only(struct fake_group *keys, uint8_t tag);

static int setup_group_mode(void **state) {
    struct room *room = calloc(1, sizeof *room);
    assert_non_null(room);
    room_init(room, group_mode_only, CG_FINISH_ALL);
    *state = room;
    return 0;
}

/* Answers */

static void the_request_is_sealed(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    const struct emission *emission = &room->side.world.sent[sent];
    struct cg_slice value;
    assert_int_equal(emission->msg.type, CG_NON);
    assert_int_equal(emission->msg.code, CG_POST); /* whatever it is inside (RFC 8613 §4.2) */
    assert_true(cg_msg_find(&emission->msg, CG_OPT_OSCORE, &value));
    assert_false(cg_msg_find(&emission->msg, CG_OPT_URI_PATH, &value));
    for (int i = 1; i <= LAMPS; i++) {
        struct reception reception = room_receive(room, i, sent);
        assert_int_equal(reception.plain.code, CG_GET);
        assert_true(reception.binding.group_mode);
        assert_true(cg_msg_find(&reception.plain, CG_OPT_URI_PATH, &value));
        assert_true(cg_slice_is(value, "base"));
    }
}

static void answers_are_verified_in_both_modes(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    room_answer(room, 1, sent, "one", (struct style){0});
    room_answer(room, 2, sent, "two", (struct style){.pairwise = true});
    room_answer(room, 3, sent, "three", (struct style){.numbered = true});
    assert_int_equal(room->side.crypto.count, 2);
    side_settle(&room->side);
    const char *text = side_reply(&room->side);
    assert_counts(text, 3, 0);
    assert_has(text, "\"ended_by\":\"all\"");
    assert_has(text, "\"member\":\"lamp-1\",\"from\":\"127.1.0.1:5683\",\"kid\":\"11\",\"verified\":\"source\"");
    assert_has(text, "\"member\":\"lamp-2\",\"from\":\"127.1.0.2:5683\",\"kid\":\"12\",\"verified\":\"source\"");
    assert_has(text, "\"body\":\"three\"");
}

static void a_member_is_its_credential_not_its_address(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = room_receive(room, 1, sent);
    struct answer_bytes bytes = room_seal(room, 1, &reception, "moved", (struct style){0});
    side_deliver(&room->side, 3, &bytes); /* from where lamp-3 is expected */
    side_settle(&room->side);
    const char *text = side_reply(&room->side);
    assert_counts(text, 1, 0);
    assert_has(text, "\"member\":\"lamp-1\",\"from\":\"127.1.0.3:5683\"");
    assert_has(text, "\"missing\":2");
}

static void groups_of_one_mode(struct room *room, side_kind_fn kind, const char *refusal, struct style style) {
    room_init(room, kind, CG_FINISH_ALL);
    if (refusal == NULL) {
        size_t sent = side_get(&room->side);
        for (int i = 1; i <= LAMPS; i++) room_answer(room, i, sent, "x", style);
        side_settle(&room->side);
        assert_counts(side_reply(&room->side), 3, 0);
    } else {
        world_get(&room->side.world, &room->side.call, "/lamps/x");
        assert_int_equal(room->side.call.problem.err, CG_E_PROTECT);
        assert_has(room->side.call.problem.detail, refusal);
        assert_int_equal(room->side.world.sent_count, 0);
    }
    for (int i = 1; i <= LAMPS; i++) lamp_fini(&room->lamps[i]);
    side_fini(&room->side);
}

static void ecdsa(struct fake_group *keys, uint8_t tag) {
    fake_group_make(keys, CG_COSE_AES_CCM_16_64_128, CG_COSE_A128CTR, CG_COSE_ES256, CG_COSE_ECDH_SS_HKDF_256,
                    CG_SHA256, tag);
}

static void group_mode_only(struct fake_group *keys, uint8_t tag) {
    fake_group_make(keys, CG_COSE_NONE, CG_COSE_CHACHA20_POLY1305, CG_COSE_EDDSA, CG_COSE_NONE, CG_SHA512, tag);
}

static void pairwise_mode_only(struct fake_group *keys, uint8_t tag) {
    fake_group_make(keys, CG_COSE_A128GCM, CG_COSE_NONE, CG_COSE_NONE, CG_COSE_ECDH_SS_HKDF_256, CG_SHA256, tag);
}

static void algorithms(void **state) {
    (void)state;
    struct room *room = calloc(1, sizeof *room);
    assert_non_null(room);
    groups_of_one_mode(room, ecdsa, NULL, (struct style){0});
    groups_of_one_mode(room, ecdsa, NULL, (struct style){.pairwise = true});
    groups_of_one_mode(room, group_mode_only, NULL, (struct style){0});
    groups_of_one_mode(room, pairwise_mode_only, "pairwise mode only", (struct style){0});
    free(room);
}

/* Sequence numbers */

static void nothing_goes_out_before_the_store_has_answered(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    world_get(&side->world, &side->call, "/lamps/x");
    side_settle(side);
    assert_int_equal(side->world.sent_count, 0);
    assert_int_equal(side->store.count, 1);
    fake_store_grant(&side->store);
    assert_int_equal(side->world.sent_count, 0); /* the signature is still to be made */
    side_settle(side);
    assert_int_equal(side->world.sent_count, 1);
}

static void without_the_store_nothing_goes_out_and_nothing_plain(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    world_get(&side->world, &side->call, "/lamps/x");
    fake_store_refuse(&side->store, CG_STORE_UNCLAIMED, "this key is not claimed");
    side_settle(side);
    assert_int_equal(side->call.problems, 1);
    assert_int_equal(side->call.problem.err, CG_E_STORE);
    assert_int_equal(cg_err_info(CG_E_STORE)->http_status, 503);
    assert_string_equal(side->call.problem.detail, "this key is not claimed");
    assert_int_equal(side->world.sent_count, 0);
    side_get(side); /* and when it is back */
}

static void a_sender_that_is_too_fast_is_told_when_to_come_back(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    world_get(&side->world, &side->call, "/lamps/x");
    fake_store_refuse(&side->store, CG_STORE_TOO_FAST, "faster than \"sequence_rate\" allows");
    side_settle(side);
    assert_int_equal(side->call.problem.err, CG_E_OVERLOAD);
    assert_int_equal(cg_err_info(CG_E_OVERLOAD)->http_status, 503);
    assert_int_equal(side->call.problem.retry_after, FAKE_WAIT_S);
    assert_non_null(strstr(side->call.problem.detail, "sequence_rate"));
    assert_int_equal(side->world.sent_count, 0);
    side_get(side); /* and when it may again */
}

static void a_store_that_hangs_ends_in_a_problem(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    world_get(&side->world, &side->call, "/lamps/x");
    world_advance(&side->world, 5 * SECOND);
    assert_int_equal(side->call.problem.err, CG_E_OVERLOAD);
    fake_store_grant(&side->store); /* nobody waits for it any more */
    side_settle(side);
    assert_int_equal(side->world.sent_count, 0);
}

static void a_group_without_keys_sends_nothing(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    const char *why;
    assert_int_equal(cg_group_oscore_stage(side->lamps, NULL, NULL, &why), CG_OK);
    cg_group_oscore_commit(side->lamps);
    world_get(&side->world, &side->call, "/lamps/x");
    assert_int_equal(side->call.problem.err, CG_E_PROTECT);
    assert_int_equal(side->world.sent_count, 0);
}

static uint64_t number_of(const struct emission *emission) {
    struct cg_oscore_option option;
    struct cg_slice value;
    assert_true(cg_msg_find(&emission->msg, CG_OPT_OSCORE, &value));
    assert_int_equal(cg_oscore_option_parse(&option, value), CG_OK);
    assert_true(option.piv.len > 0);
    return cg_oscore_piv_parse(option.piv);
}

static void every_request_has_its_own_number(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    for (uint64_t i = 0; i < 40; i++) {
        size_t sent = side_get(side);
        assert_int_equal(number_of(&side->world.sent[sent]), i);
        side_reply(side);
    }
}

static void groups_with_the_same_key_share_its_numbers(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct cg_group_oscore *other = cg_group_oscore_new(&side->services);
    assert_non_null(other);
    side_set_keys(side, other, &side->keys, 3, NULL); /* fewer members, the same key */
    size_t first = side_get(side);
    side_reply(side);
    struct cg_mapping *mapping = world_mapping(&side->world, "lamps");
    mapping->protector = cg_group_oscore_protector(other);
    size_t second = side_get(side);
    side_reply(side);
    assert_int_equal(number_of(&side->world.sent[first]), 0);
    assert_int_equal(number_of(&side->world.sent[second]), 1);
    mapping->protector = cg_group_oscore_protector(side->lamps);
    cg_group_oscore_free(other);
}

/* Echo */

static void a_challenge_is_asked_again_by_unicast(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct cg_opt echo = {.number = CG_OPT_ECHO, .value = cg_slice_str("12345678")};
    struct cg_opts options = {.list = &echo, .count = 1};
    size_t sent = side_get(side);
    room_answer(room, 2, sent, "", (struct style){.numbered = true, .code = CG_CODE(4, 1), .options = &options});
    room_answer(room, 1, sent, "on", (struct style){0});
    side_settle(side);
    assert_int_equal(side->call.replies, 0);
    assert_int_equal(side->world.sent_count, sent + 2);
    const struct emission *asked = &side->world.sent[sent + 1];
    struct cg_addr lamp = address("127.1.0.2:5683");
    assert_memory_equal(&asked->route.to, &lamp, sizeof lamp);
    assert_int_equal(asked->msg.type, CG_CON);
    struct reception again = room_receive(room, 2, sent + 1);
    assert_false(again.binding.group_mode);
    struct cg_slice value;
    assert_true(cg_msg_find(&again.plain, CG_OPT_ECHO, &value));
    assert_true(cg_slice_is(value, "12345678"));
    struct answer_bytes bytes = room_seal(room, 2, &again, "fresh", (struct style){.pairwise = true, .type = CG_ACK});
    bytes.data[2] = asked->bytes[2];
    bytes.data[3] = asked->bytes[3];
    side_deliver(side, 2, &bytes);
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 2, 0);
    assert_has(
        text,
        "\"member\":\"lamp-2\",\"from\":\"127.1.0.2:5683\",\"kid\":\"12\",\"verified\":\"source\",\"via\":\"unicast\"");
}

/* What somebody else says on the asked member's address does not end the asking, nor count as its answer. */
static void nobody_else_answers_for_the_asked_member(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct cg_opt echo = {.number = CG_OPT_ECHO, .value = cg_slice_str("12345678")};
    struct cg_opts options = {.list = &echo, .count = 1};
    world_mapping(&side->world, "lamps")->timeout_us = 20 * SECOND;
    size_t sent = side_get(side);
    room_answer(room, 2, sent, "", (struct style){.numbered = true, .code = CG_CODE(4, 1), .options = &options});
    side_settle(side);
    assert_int_equal(side->world.sent_count, sent + 2);
    const struct emission *asked = &side->world.sent[sent + 1];
    uint8_t forged[] = {0x68, CG_CODE(4, 4), asked->bytes[2], asked->bytes[3], 0, 0, 0, 0, 0, 0, 0, 0};
    memcpy(forged + 4, asked->msg.token.bytes, CG_TOKEN_MAX);
    world_deliver(&side->world, "127.1.0.2:5683", forged, sizeof forged);
    world_advance(&side->world, 4 * SECOND);
    assert_int_equal(side->call.replies, 0);
    assert_int_equal(side->world.sent_count, sent + 3); /* asked once more, in the same words */
    assert_memory_equal(side->world.sent[sent + 1].bytes, side->world.sent[sent + 2].bytes,
                        side->world.sent[sent + 2].len);
    struct reception again = room_receive(room, 2, sent + 1);
    struct answer_bytes bytes = room_seal(room, 2, &again, "fresh", (struct style){.pairwise = true});
    side_deliver(side, 2, &bytes);
    world_advance(&side->world, 20 * SECOND);
    const char *text = side_reply(side);
    assert_counts(text, 1, 1);
    assert_refused(text, "unprotected", 1);
}

/* Without pairwise mode every member can read a request by unicast, and answer it; but only the one that was asked may.
 */
static void another_member_does_not_answer_for_the_asked_one(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct cg_opt echo = {.number = CG_OPT_ECHO, .value = cg_slice_str("12345678")};
    struct cg_opts options = {.list = &echo, .count = 1};
    size_t sent = side_get(side);
    room_answer(room, 2, sent, "", (struct style){.numbered = true, .code = CG_CODE(4, 1), .options = &options});
    side_settle(side); /* opened, and the request to lamp 2 signed */
    assert_int_equal(side->world.sent_count, sent + 2);
    struct reception three = room_receive(room, 3, sent + 1), two = room_receive(room, 2, sent + 1);
    struct answer_bytes bytes = room_seal(room, 3, &three, "I am lamp 3", (struct style){0});
    side_deliver(side, 2, &bytes);
    side_settle(side);
    bytes = room_seal(room, 2, &two, "I am lamp 2", (struct style){0});
    side_deliver(side, 2, &bytes);
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 1, 1);
    assert_refused(text, "unknown-sender", 1);
    assert_has(text, "\"body\":\"I am lamp 2\"");
}

static struct cg_opt block_option(uint8_t *value, unsigned number, bool more) {
    *value = (uint8_t)(number << 4 | (more ? 8 : 0)); /* of 16 bytes */
    return (struct cg_opt){.number = CG_OPT_BLOCK2, .value = cg_slice_of(value, *value == 0 ? 0 : 1)};
}

static void answer_block(struct room *room, size_t sent, unsigned number, bool more, const char *text, int copies) {
    uint8_t value;
    struct cg_opt option = block_option(&value, number, more);
    struct cg_opts options = {.list = &option, .count = 1};
    struct reception reception = room_receive(room, 1, sent);
    struct answer_bytes bytes = room_seal(room, 1, &reception, text, (struct style){.options = &options});
    while (copies-- > 0) side_deliver(&room->side, 1, &bytes);
    side_settle(&room->side);
}

/* The second copy is being verified when the first has already made the next block be asked for. */
static void a_repeated_block_belongs_to_nothing(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    answer_block(room, sent, 0, true, "0123456789abcdef", 1);
    assert_int_equal(side->world.sent_count, sent + 2);
    answer_block(room, sent + 1, 1, true, "ghijklmnopqrstuv", 2);
    assert_int_equal(side->world.sent_count, sent + 3);
    answer_block(room, sent + 2, 2, false, "wxyz", 1);
    const char *text = side_reply(side);
    assert_counts(text, 1, 0);
    assert_has(text, "\"body\":\"0123456789abcdefghijklmnopqrstuvwxyz\"");
}

/* Time, and order */

static void the_order_in_which_threads_end_does_not_matter(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    for (unsigned seed = 1; seed <= 20; seed++) {
        unsigned random = seed;
        size_t sent = side_get(side);
        for (int i = 1; i <= LAMPS; i++) {
            struct reception reception = room_receive(room, i, sent);
            for (int k = 0; k < 4; k++) {
                struct answer_bytes bytes =
                    room_seal(room, i, &reception, k == 3 ? "last" : "x", (struct style){.numbered = true});
                if (k == 1) bytes.data[bytes.len - 3] ^= 1;
                side_deliver(side, i, &bytes);
            }
        }
        while (side->crypto.count > 0) {
            random = random * 1103515245 + 12345;
            size_t index = (random >> 16) % side->crypto.count;
            if (!side->crypto.jobs[index].ran) fake_crypto_run(&side->crypto, index);
            if (random % 3 != 0) fake_crypto_end(&side->crypto, index);
            while (side->crypto.count > 0 && side->crypto.jobs[0].ran) fake_crypto_end(&side->crypto, 0);
        }
        const char *text = side_reply(side);
        assert_has(text, "\"answered\":3,");
        assert_int_equal(count_of(text, "\"body\":\"last\""), 3);
        assert_refused(text, "verification-failed", 3);
        call_fini(&side->call);
        side->call = (struct call){0};
    }
}

static void what_came_in_time_is_waited_for(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    room_answer(room, 1, sent, "in time", (struct style){0});
    world_advance(&side->world, 2 * SECOND + SECOND / 4);
    assert_int_equal(side->call.replies, 0);
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 1, 0);
}

static void the_cast_ends_while_threads_work_for_it(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    for (int i = 1; i <= LAMPS; i++) room_answer(room, i, sent, "x", (struct style){0});
    fake_crypto_run(&side->crypto, 1); /* one is on a thread, the others wait */
    world_advance(&side->world, 3 * SECOND);
    assert_int_equal(side->call.replies, 1);
    assert_has(side->call.text, "\"answered\":0,");
    assert_int_equal(side->crypto.count, 1);
    side_settle(side);
    assert_int_equal(side->call.replies, 1);
}

static void the_client_leaves_at_any_moment(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    world_get(&side->world, &side->call, "/lamps/x"); /* waits for a number */
    cg_gateway_abandon(side->world.gateway, side->call.ticket);
    world_run(&side->world);
    fake_store_grant(&side->store);
    side_settle(side);
    assert_int_equal(side->world.sent_count, 0);
    world_get(&side->world, &side->call, "/lamps/x"); /* waits for the signature */
    fake_crypto_run(&side->crypto, 0);
    cg_gateway_abandon(side->world.gateway, side->call.ticket);
    world_run(&side->world);
    side_settle(side);
    assert_int_equal(side->world.sent_count, 0);
    size_t sent = side_get(side); /* waits for answers */
    room_answer(room, 1, sent, "x", (struct style){0});
    room_answer(room, 2, sent, "x", (struct style){0});
    fake_crypto_run(&side->crypto, 0);
    cg_gateway_abandon(side->world.gateway, side->call.ticket);
    world_run(&side->world);
    side_settle(side);
    assert_int_equal(cg_gateway_running(side->world.gateway), 0);
}

static void the_gateway_ends_while_answers_wait(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception one = room_receive(room, 1, sent), two = room_receive(room, 2, sent);
    struct call second;
    world_get(&side->world, &second, "/lamps/y");
    struct answer_bytes bytes = room_seal(room, 1, &one, "x", (struct style){0});
    side_deliver(side, 1, &bytes);
    fake_crypto_end_all(&side->crypto); /* the loop ends when no thread works any more */
    bytes = room_seal(room, 2, &two, "x", (struct style){0});
    side_deliver(side, 2, &bytes);
    cg_gateway_free(side->world.gateway); /* with what waits in lanes: it is cancelled, nothing is left */
    assert_int_equal(side->crypto.count, 0);
    side->world.gateway = cg_gateway_new(side->world.config, &side->world.port);
    assert_non_null(side->world.gateway);
    side->services.engine = cg_gateway_engine(side->world.gateway);
}

int main(void) {
    cg_log_set_level(CG_LOG_ERROR);
#define WITH_PATIENCE(test) cmocka_unit_test_setup_teardown(test, setup_patient, room_teardown)
    const struct CMUnitTest tests[] = {
        room_test(the_request_is_sealed),
        room_test(answers_are_verified_in_both_modes),
        room_test(a_member_is_its_credential_not_its_address),
        cmocka_unit_test(algorithms),
        room_test(nothing_goes_out_before_the_store_has_answered),
        room_test(without_the_store_nothing_goes_out_and_nothing_plain),
        room_test(a_sender_that_is_too_fast_is_told_when_to_come_back),
        room_test(a_store_that_hangs_ends_in_a_problem),
        room_test(a_group_without_keys_sends_nothing),
        room_test(every_request_has_its_own_number),
        room_test(groups_with_the_same_key_share_its_numbers),
        room_test(a_challenge_is_asked_again_by_unicast),
        room_test(nobody_else_answers_for_the_asked_member),
        cmocka_unit_test_setup_teardown(another_member_does_not_answer_for_the_asked_one, setup_group_mode,
                                        room_teardown),
        cmocka_unit_test_setup_teardown(a_repeated_block_belongs_to_nothing, setup_group_mode, room_teardown),
        WITH_PATIENCE(the_order_in_which_threads_end_does_not_matter),
        room_test(what_came_in_time_is_waited_for),
        room_test(the_cast_ends_while_threads_work_for_it),
        room_test(the_client_leaves_at_any_moment),
        room_test(the_gateway_ends_while_answers_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
