/* The group protector in a whole gateway core. R12 to R14, R23, R24, R53 to R57. */
#include "fake_side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* What every test has: a gateway and its three lamps. */
struct room {
    struct side side;
    struct lamp lamps[LAMPS + 1]; /* by number; 0 is not used */
};

static void set_up(struct room *room, side_kind_fn kind, enum cg_finish_rule finish) {
    side_init(&room->side, kind, finish);
    for (int i = 1; i <= LAMPS; i++) lamp_init(&room->lamps[i], &room->side.keys, i);
}

static int setup(void **state) {
    struct room *room = calloc(1, sizeof *room);
    assert_non_null(room);
    set_up(room, fake_group_usual, CG_FINISH_ALL);
    *state = room;
    return 0;
}

/* Collects until the time is up. */
static int setup_patient(void **state) {
    struct room *room = calloc(1, sizeof *room);
    assert_non_null(room);
    set_up(room, fake_group_usual, CG_FINISH_DEADLINE);
    *state = room;
    return 0;
}

static void group_mode_only(struct fake_group *keys, uint8_t tag);

static int setup_group_mode(void **state) {
    struct room *room = calloc(1, sizeof *room);
    assert_non_null(room);
    set_up(room, group_mode_only, CG_FINISH_ALL);
    *state = room;
    return 0;
}

static int teardown(void **state) {
    struct room *room = *state;
    for (int i = 1; i <= LAMPS; i++) lamp_fini(&room->lamps[i]);
    side_fini(&room->side);
    free(room);
    return 0;
}

static struct reception receive(struct room *room, int lamp, size_t index) {
    return lamp_receive(&room->lamps[lamp], &room->side.world.sent[index]);
}

static struct answer_bytes seal(struct room *room, int lamp, const struct reception *to, const char *payload,
                                struct style style) {
    return lamp_seal(&room->lamps[lamp], to, payload, style);
}

/* Receives, seals, delivers. */
static void answer(struct room *room, int lamp, size_t index, const char *payload, struct style style) {
    struct reception reception = receive(room, lamp, index);
    struct answer_bytes bytes = seal(room, lamp, &reception, payload, style);
    side_deliver(&room->side, lamp, &bytes);
}

static void assert_has(const char *text, const char *part) {
    if (strstr(text, part) == NULL) fail_msg("no %s in %s", part, text);
}

static void assert_counts(const char *text, unsigned answered, unsigned rejected) {
    char part[64];
    snprintf(part, sizeof part, "\"answered\":%u,", answered);
    assert_has(text, part);
    snprintf(part, sizeof part, "\"rejected\":%u,", rejected);
    assert_has(text, part);
    assert_int_equal(count_of(text, "\"verified\":\"source\""), answered);
    assert_int_equal(count_of(text, "\"verified\":\"none\""), 0);
}

static void assert_refused(const char *text, const char *reason, unsigned times) {
    char part[64];
    snprintf(part, sizeof part, "\"reason\":\"%s\"", reason);
    if (count_of(text, part) != times) fail_msg("not %u times %s in %s", times, part, text);
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
        struct reception reception = receive(room, i, sent);
        assert_int_equal(reception.plain.code, CG_GET);
        assert_true(reception.binding.group_mode);
        assert_true(cg_msg_find(&reception.plain, CG_OPT_URI_PATH, &value));
        assert_true(cg_slice_is(value, "base"));
    }
}

static void answers_are_verified_in_both_modes(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    answer(room, 1, sent, "one", (struct style){0});
    answer(room, 2, sent, "two", (struct style){.pairwise = true});
    answer(room, 3, sent, "three", (struct style){.numbered = true});
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
    struct reception reception = receive(room, 1, sent);
    struct answer_bytes bytes = seal(room, 1, &reception, "moved", (struct style){0});
    side_deliver(&room->side, 3, &bytes); /* from where lamp-3 is expected */
    side_settle(&room->side);
    const char *text = side_reply(&room->side);
    assert_counts(text, 1, 0);
    assert_has(text, "\"member\":\"lamp-1\",\"from\":\"127.1.0.3:5683\"");
    assert_has(text, "\"missing\":2");
}

static void groups_of_one_mode(struct room *room, side_kind_fn kind, const char *refusal, struct style style) {
    set_up(room, kind, CG_FINISH_ALL);
    if (refusal == NULL) {
        size_t sent = side_get(&room->side);
        for (int i = 1; i <= LAMPS; i++) answer(room, i, sent, "x", style);
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

/* Refusals. Lamp 1 is honest in each of them. */

static void finish_with(struct room *room, const char *reason, unsigned times) {
    side_settle(&room->side);
    const char *text = side_reply(&room->side);
    assert_counts(text, 1, times);
    assert_refused(text, reason, times);
    assert_has(text, "\"member\":\"lamp-1\"");
}

/* Flips one bit of the payload's byte `at`, counted from its end; false: it has not so many. */
static bool refuse_flip(struct room *room, size_t at, struct style style) {
    size_t sent = side_get(&room->side);
    struct reception reception = receive(room, 2, sent);
    struct answer_bytes bytes = seal(room, 2, &reception, "true", style);
    bool exists = at < fake_parse(bytes.data, (int)bytes.len).payload.len;
    bytes.data[bytes.len - 1 - at] ^= (uint8_t)(1u << at % 8);
    if (exists) side_deliver(&room->side, 2, &bytes);
    side_settle(&room->side);
    const char *text = side_reply(&room->side);
    assert_counts(text, 0, exists);
    assert_refused(text, "verification-failed", exists);
    return exists;
}

static void every_flipped_byte_is_refused(void **state) {
    struct room *room = *state;
    size_t group = 0, pairwise = 0;
    while (refuse_flip(room, group, (struct style){0})) group++;
    while (refuse_flip(room, pairwise, (struct style){.pairwise = true})) pairwise++;
    assert_int_equal(group, 64 + pairwise); /* the signature */
}

static void a_flipped_answer(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = receive(room, 2, sent);
    struct answer_bytes bytes = seal(room, 2, &reception, "on", (struct style){0});
    bytes.data[bytes.len - 70] ^= 1;
    side_deliver(&room->side, 2, &bytes);
    bytes = seal(room, 2, &reception, "on", (struct style){.pairwise = true});
    bytes.data[bytes.len - 1] ^= 1;
    side_deliver(&room->side, 2, &bytes);
    answer(room, 1, sent, "on", (struct style){0});
    finish_with(room, "verification-failed", 2);
}

static void a_truncated_answer(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = receive(room, 2, sent);
    struct answer_bytes bytes = seal(room, 2, &reception, "on", (struct style){0});
    bytes.len -= 1;
    side_deliver(&room->side, 2, &bytes);
    bytes.len -= 63;
    side_deliver(&room->side, 2, &bytes);
    answer(room, 1, sent, "on", (struct style){0});
    side_settle(&room->side);
    const char *text = side_reply(&room->side);
    assert_counts(text, 1, 2);
}

static void a_plain_answer(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    world_answer(&room->side.world, sent, "127.1.0.2:5683", "trust me");
    answer(room, 1, sent, "on", (struct style){0});
    finish_with(room, "unprotected", 1);
}

static void an_unknown_kid(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct fake_group keys = room->side.keys;
    keys.members[2].id[0] = 0x77; /* knows the group's secret, but nobody knows it */
    struct lamp stranger;
    lamp_init(&stranger, &keys, 2);
    struct reception reception = lamp_receive(&stranger, &room->side.world.sent[sent]);
    struct answer_bytes bytes = lamp_seal(&stranger, &reception, "hello", (struct style){0});
    side_deliver(&room->side, 2, &bytes);
    answer(room, 1, sent, "on", (struct style){0});
    finish_with(room, "unknown-sender", 1);
    assert_int_equal(room->side.crypto.submitted, 1); /* no signature was looked at for it */
    lamp_fini(&stranger);
}

static void another_group(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = receive(room, 2, sent);
    struct fake_group keys;
    fake_group_usual(&keys, 0x90);
    memcpy(keys.members, room->side.keys.members, sizeof keys.members); /* the same people, in another group */
    struct lamp elsewhere;
    lamp_init(&elsewhere, &keys, 2);
    struct answer_bytes bytes = lamp_seal(&elsewhere, &reception, "hello", (struct style){.numbered = true});
    side_deliver(&room->side, 2, &bytes); /* says its Gid, because it is not the request's */
    answer(room, 1, sent, "on", (struct style){0});
    finish_with(room, "unknown-sender", 1);
    assert_has(room->side.call.text, "\"gid\":\"90909090\"");
    lamp_fini(&elsewhere);
}

/* Lamp 3 has the group's secret and so every Recipient Key of the group mode, but not lamp 2's private key. */
static void an_impostor(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct fake_group keys = room->side.keys;
    struct fake_member honest = keys.members[2];
    keys.members[2] = keys.members[3];
    memcpy(keys.members[2].id, honest.id, sizeof honest.id); /* lamp 3's key under lamp 2's kid */
    keys.members[3].id[0] = 0x66;
    struct lamp impostor;
    lamp_init(&impostor, &keys, 2);
    struct reception reception = lamp_receive(&impostor, &room->side.world.sent[sent]);
    struct answer_bytes bytes = lamp_seal(&impostor, &reception, "I am lamp 2", (struct style){0});
    side_deliver(&room->side, 2, &bytes);
    bytes = lamp_seal(&impostor, &reception, "I am lamp 2", (struct style){.pairwise = true});
    side_deliver(&room->side, 2, &bytes);
    answer(room, 1, sent, "on", (struct style){0});
    answer(room, 2, sent, "the real one", (struct style){0}); /* displaces nobody and is not displaced */
    side_settle(&room->side);
    const char *text = side_reply(&room->side);
    assert_counts(text, 2, 2);
    assert_refused(text, "verification-failed", 2);
    assert_has(text, "\"body\":\"the real one\"");
    lamp_fini(&impostor);
}

static void an_answer_to_an_earlier_request(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = receive(room, 2, sent);
    struct answer_bytes old = seal(room, 2, &reception, "old", (struct style){0});
    struct answer_bytes numbered = seal(room, 2, &reception, "old", (struct style){.numbered = true});
    side_reply(&room->side);
    sent = side_get(&room->side);
    const struct cg_token token = room->side.world.sent[sent].msg.token; /* whoever replays has seen it */
    memcpy(old.data + 4, token.bytes, token.len);
    memcpy(numbered.data + 4, token.bytes, token.len);
    side_deliver(&room->side, 2, &old);
    side_deliver(&room->side, 2, &numbered);
    answer(room, 1, sent, "on", (struct style){0});
    finish_with(room, "verification-failed", 2);
}

static void a_repeated_answer(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = receive(room, 1, sent);
    struct answer_bytes bytes = seal(room, 1, &reception, "on", (struct style){0});
    side_deliver(&room->side, 1, &bytes);
    side_settle(&room->side);
    side_deliver(&room->side, 1, &bytes);
    side_deliver(&room->side, 9, &bytes);
    assert_int_equal(room->side.crypto.count, 0); /* costs no signature */
    finish_with(room, "replayed", 2);
}

/* Both copies are on threads before the first has ended. */
static void a_repeated_answer_at_the_same_time(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = receive(room, 1, sent);
    struct answer_bytes bytes = seal(room, 1, &reception, "on", (struct style){.numbered = true});
    side_deliver(&room->side, 1, &bytes);
    side_deliver(&room->side, 1, &bytes);
    assert_int_equal(room->side.crypto.count, 2);
    finish_with(room, "replayed", 1);
}

static void a_repeated_partial_iv(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = receive(room, 1, sent);
    struct lamp twin; /* a second context, as a member that lost its counter has */
    lamp_init(&twin, &room->side.keys, 1);
    struct answer_bytes first = seal(room, 1, &reception, "on", (struct style){.numbered = true, .number = 7});
    struct answer_bytes second = lamp_seal(&twin, &reception, "off", (struct style){.numbered = true, .number = 7});
    side_deliver(&room->side, 1, &first);
    side_settle(&room->side);
    side_deliver(&room->side, 1, &second);
    finish_with(room, "replayed", 1);
    assert_has(room->side.call.text, "\"body\":\"on\"");
    lamp_fini(&twin);
}

static void the_highest_partial_iv_is_the_latest_answer(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = receive(room, 1, sent);
    struct answer_bytes early = seal(room, 1, &reception, "early", (struct style){.numbered = true, .number = 20});
    struct answer_bytes late = seal(room, 1, &reception, "late", (struct style){.numbered = true, .number = 21});
    side_deliver(&room->side, 1, &late);
    side_deliver(&room->side, 1, &early);
    side_settle(&room->side);
    const char *text = side_reply(&room->side);
    assert_counts(text, 1, 0);
    assert_has(text, "\"body\":\"late\"");
    assert_has(text, "\"duplicates\":1");
}

/* RFC 10021 §7.4: who has answered under one kid does not answer under another. Two Sender IDs of one credential come
 * of a rekey in between. */
static void a_kid_that_changes(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    answer(room, 1, sent, "first", (struct style){0});
    side_settle(&room->side);
    struct fake_group next = room->side.keys;
    fake_group_rekey(&next);
    next.members[1].id[0] = 0x51;
    side_set_keys(&room->side, room->side.lamps, &room->side.keys, 0, &next);
    struct lamp renamed;
    lamp_init(&renamed, &next, 1);
    struct reception reception = receive(room, 2, sent);
    struct answer_bytes bytes = lamp_seal(&renamed, &reception, "second", (struct style){.numbered = true});
    side_deliver(&room->side, 1, &bytes);
    finish_with(room, "replayed", 1);
    assert_has(room->side.call.text, "\"body\":\"first\"");
    lamp_fini(&renamed);
}

/* Echo */

static void a_challenge_is_asked_again_by_unicast(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct cg_opt echo = {.number = CG_OPT_ECHO, .value = cg_slice_str("12345678")};
    struct cg_opts options = {.list = &echo, .count = 1};
    size_t sent = side_get(side);
    answer(room, 2, sent, "", (struct style){.numbered = true, .code = CG_CODE(4, 1), .options = &options});
    answer(room, 1, sent, "on", (struct style){0});
    side_settle(side);
    assert_int_equal(side->call.replies, 0);
    assert_int_equal(side->world.sent_count, sent + 2);
    const struct emission *asked = &side->world.sent[sent + 1];
    struct cg_addr lamp = address("127.1.0.2:5683");
    assert_memory_equal(&asked->route.to, &lamp, sizeof lamp);
    assert_int_equal(asked->msg.type, CG_CON);
    struct reception again = receive(room, 2, sent + 1);
    assert_false(again.binding.group_mode);
    struct cg_slice value;
    assert_true(cg_msg_find(&again.plain, CG_OPT_ECHO, &value));
    assert_true(cg_slice_is(value, "12345678"));
    struct answer_bytes bytes = seal(room, 2, &again, "fresh", (struct style){.pairwise = true, .type = CG_ACK});
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
    answer(room, 2, sent, "", (struct style){.numbered = true, .code = CG_CODE(4, 1), .options = &options});
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
    struct reception again = receive(room, 2, sent + 1);
    struct answer_bytes bytes = seal(room, 2, &again, "fresh", (struct style){.pairwise = true});
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
    answer(room, 2, sent, "", (struct style){.numbered = true, .code = CG_CODE(4, 1), .options = &options});
    side_settle(side); /* opened, and the request to lamp 2 signed */
    assert_int_equal(side->world.sent_count, sent + 2);
    struct reception three = receive(room, 3, sent + 1), two = receive(room, 2, sent + 1);
    struct answer_bytes bytes = seal(room, 3, &three, "I am lamp 3", (struct style){0});
    side_deliver(side, 2, &bytes);
    side_settle(side);
    bytes = seal(room, 2, &two, "I am lamp 2", (struct style){0});
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
    struct reception reception = receive(room, 1, sent);
    struct answer_bytes bytes = seal(room, 1, &reception, text, (struct style){.options = &options});
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

/* Limits */

static void a_forger_is_heard_a_few_times_only(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception reception = receive(room, 2, sent);
    for (int i = 0; i < 100; i++) { /* all at once: none has failed yet */
        struct answer_bytes bytes = seal(room, 2, &reception, "on", (struct style){.numbered = true});
        bytes.data[bytes.len - 70] ^= 1;
        side_deliver(side, 20, &bytes);
    }
    assert_int_equal(side->crypto.count, 16);
    side_settle(side);
    struct answer_bytes bytes = seal(room, 2, &reception, "on", (struct style){.numbered = true});
    side_deliver(side, 20, &bytes); /* even what is genuine comes too late from there */
    assert_int_equal(side->crypto.count, 0);
    bytes = seal(room, 2, &reception, "on", (struct style){.numbered = true});
    side_deliver(side, 2, &bytes); /* not from lamp 2 itself */
    answer(room, 1, sent, "on", (struct style){0});
    side_settle(side);
    const char *text = side_reply(side);
    assert_has(text, "\"answered\":2,");
    assert_has(text, "\"rejected\":101,");
    assert_refused(text, "too-many-failures",
                   64 - 0); /* 64 are listed: the ones that were refused at once came first */
}

static void a_kid_is_verified_a_few_times_only(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception reception = receive(room, 2, sent);
    for (int i = 0; i < 200; i++) {
        struct answer_bytes bytes = seal(room, 2, &reception, "on", (struct style){.numbered = true});
        bytes.data[bytes.len - 70] ^= 1;
        side_deliver(side, 20 + i, &bytes); /* from everywhere */
        if (i % 3 == 0) side_settle(side);
    }
    assert_int_equal(side->crypto.submitted, 64);
    answer(room, 1, sent, "on", (struct style){0}); /* others are not concerned */
    side_settle(side);
    assert_has(side_reply(side), "\"answered\":1,");
    side_get(side); /* and the next request begins anew */
    answer(room, 2, side->world.sent_count - 1, "on", (struct style){0});
    side_settle(side);
    assert_has(side_reply(side), "\"answered\":1,");
}

/* Time, and order */

static void the_order_in_which_threads_end_does_not_matter(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    for (unsigned seed = 1; seed <= 20; seed++) {
        unsigned random = seed;
        size_t sent = side_get(side);
        for (int i = 1; i <= LAMPS; i++) {
            struct reception reception = receive(room, i, sent);
            for (int k = 0; k < 4; k++) {
                struct answer_bytes bytes =
                    seal(room, i, &reception, k == 3 ? "last" : "x", (struct style){.numbered = true});
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
    answer(room, 1, sent, "in time", (struct style){0});
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
    for (int i = 1; i <= LAMPS; i++) answer(room, i, sent, "x", (struct style){0});
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
    answer(room, 1, sent, "x", (struct style){0});
    answer(room, 2, sent, "x", (struct style){0});
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
    struct reception one = receive(room, 1, sent), two = receive(room, 2, sent);
    struct call second;
    world_get(&side->world, &second, "/lamps/y");
    struct answer_bytes bytes = seal(room, 1, &one, "x", (struct style){0});
    side_deliver(side, 1, &bytes);
    fake_crypto_end_all(&side->crypto); /* the loop ends when no thread works any more */
    bytes = seal(room, 2, &two, "x", (struct style){0});
    side_deliver(side, 2, &bytes);
    cg_gateway_free(side->world.gateway); /* with what waits in lanes: it is cancelled, nothing is left */
    assert_int_equal(side->crypto.count, 0);
    side->world.gateway = cg_gateway_new(side->world.config, &side->world.port);
    assert_non_null(side->world.gateway);
    side->services.gateway = side->world.gateway;
}

/* Rekeying */

struct rekeyed {
    struct fake_group keys;
    struct lamp lamps[LAMPS + 1];
};

static void rekey(struct rekeyed *to, const struct fake_group *from) {
    to->keys = *from;
    fake_group_rekey(&to->keys);
    for (int i = 1; i <= LAMPS; i++) lamp_init(&to->lamps[i], &to->keys, i);
}

static void rekeyed_fini(struct rekeyed *rekeyed) {
    for (int i = 1; i <= LAMPS; i++) lamp_fini(&rekeyed->lamps[i]);
}

static void answers_under_old_and_new_keys_R55(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    rekey(&next, &side->keys);
    size_t sent = side_get(side);
    struct reception one = receive(room, 1, sent), two = receive(room, 2, sent), three = receive(room, 3, sent);
    side_set_keys(side, side->lamps, &next.keys, 0, NULL);
    struct answer_bytes old = seal(room, 1, &one, "old keys", (struct style){0});
    struct answer_bytes old_numbered = seal(room, 2, &two, "old keys, numbered", (struct style){.numbered = true});
    struct answer_bytes fresh = lamp_seal(&next.lamps[3], &three, "new keys", (struct style){.numbered = true});
    side_deliver(side, 1, &old);
    side_deliver(side, 2, &old_numbered); /* without Gid: tried under the new keys first */
    side_deliver(side, 3, &fresh);
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 3, 0);
    rekeyed_fini(&next);
}

static void answers_under_prepared_keys(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    rekey(&next, &side->keys);
    side_set_keys(side, side->lamps, &side->keys, 0, &next.keys);
    size_t sent = side_get(side);
    struct reception one = receive(room, 1, sent), two = receive(room, 2, sent);
    struct answer_bytes early = lamp_seal(&next.lamps[1], &one, "early", (struct style){.numbered = true});
    struct answer_bytes usual =
        seal(room, 2, &two, "usual", (struct style){.pairwise = true, .with_kid_context = true});
    side_deliver(side, 1, &early);
    side_deliver(side, 2, &usual);
    side_settle(side);
    side_set_keys(side, side->lamps, &next.keys, 0, NULL);
    side_deliver(side, 1, &early); /* the prepared keys became the current ones: they remember it */
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 2, 1);
    assert_refused(text, "replayed", 1);
    rekeyed_fini(&next);
}

/* A reload without a change is none, however long an exchange takes. */
static void unchanged_keys_go_on(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    world_mapping(&side->world, "lamps")->timeout_us = 600 * SECOND;
    size_t sent = side_get(side);
    struct reception one = receive(room, 1, sent), two = receive(room, 2, sent);
    side_set_keys(side, side->lamps, &side->keys, 0, NULL);
    side_set_keys(side, side->lamps, &side->keys, 3, NULL); /* nor one of the members */
    world_advance(&side->world, 550 * SECOND);
    struct answer_bytes bytes = seal(room, 1, &one, "group", (struct style){0});
    side_deliver(side, 1, &bytes);
    bytes = seal(room, 2, &two, "pairwise", (struct style){.pairwise = true});
    side_deliver(side, 2, &bytes);
    side_settle(side);
    world_advance(&side->world, 100 * SECOND);
    assert_counts(side_reply(side), 2, 0);
}

/* A member list that changed alone leaves the keys, and what was accepted under them, as they are. */
static void changed_members_forget_no_answer(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception one = receive(room, 1, sent);
    struct answer_bytes bytes = seal(room, 1, &one, "on", (struct style){.numbered = true, .with_kid_context = true});
    side_deliver(side, 1, &bytes);
    side_settle(side);
    side_set_keys(side, side->lamps, &side->keys, 3, NULL);
    side_deliver(side, 1, &bytes);
    answer(room, 2, sent, "pairwise", (struct style){.pairwise = true}); /* its key is still the same */
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 2, 1);
    assert_refused(text, "replayed", 1);
}

static void an_evicted_member_is_refused_R55(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    rekey(&next, &side->keys);
    size_t sent = side_get(side);
    answer(room, 3, sent, "waits for a thread", (struct style){0});
    fake_crypto_run(&side->crypto, 0);
    side_set_keys(side, side->lamps, &next.keys, 3, NULL);
    struct reception three = receive(room, 2, sent);
    struct answer_bytes after = seal(room, 3, &three, "after", (struct style){.numbered = true});
    struct answer_bytes fresh = lamp_seal(&next.lamps[3], &three, "new keys", (struct style){.numbered = true});
    side_deliver(side, 3, &after);
    side_deliver(side, 3, &fresh); /* somehow it has them */
    answer(room, 1, sent, "on", (struct style){0});
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 1, 3);
    assert_refused(text, "evicted", 2);
    assert_refused(text, "unknown-sender", 1);
    assert_int_equal(side->crypto.submitted, 2); /* who is known to be evicted costs no signature */
    rekeyed_fini(&next);
}

static void a_removed_member_is_refused_R4(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    side_set_keys(side, side->lamps, &side->keys, 2, NULL);
    size_t sent = side_get(side);
    answer(room, 2, sent, "still here", (struct style){0});
    answer(room, 1, sent, "on", (struct style){0});
    finish_with(room, "unknown-sender", 1);
}

/* What is sealed while the keys change goes out under the new ones: who was evicted cannot read it. */
static void nothing_goes_out_under_old_keys_R55(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    for (int moment = 0; moment < 3; moment++) {
        struct rekeyed next;
        rekey(&next, &side->keys);
        size_t sent = side->world.sent_count;
        call_fini(&side->call);
        world_get(&side->world, &side->call, "/lamps/x");
        if (moment == 0) assert_int_equal(side->store.count, 1);  /* waits for a number */
        if (moment == 1) assert_int_equal(side->crypto.count, 1); /* for its signature */
        if (moment == 2) fake_crypto_run(&side->crypto, 0);       /* which is made already */
        side_set_keys(side, side->lamps, &next.keys, 0, NULL);
        for (int i = 0; i < 4; i++) {
            while (side->store.count > 0) fake_store_grant(&side->store);
            side_settle(side);
        }
        assert_int_equal(side->world.sent_count, sent + 1);
        assert_int_not_equal(lamp_try(&room->lamps[3], &side->world.sent[sent]), CG_OK);
        struct reception one = lamp_receive(&next.lamps[1], &side->world.sent[sent]);
        struct answer_bytes bytes = lamp_seal(&next.lamps[1], &one, "on", (struct style){0});
        side_deliver(side, 1, &bytes);
        side_settle(side);
        assert_has(side_reply(side), "\"answered\":1,");
        side->keys = next.keys;
        for (int i = 1; i <= LAMPS; i++) {
            lamp_fini(&room->lamps[i]);
            room->lamps[i] = next.lamps[i];
        }
    }
}

static void what_the_store_says_of_old_keys_does_not_matter(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    rekey(&next, &side->keys);
    world_get(&side->world, &side->call, "/lamps/x");
    side_set_keys(side, side->lamps, &next.keys, 0, NULL);
    fake_store_refuse(&side->store, CG_STORE_SPENT, "this key is spent");
    fake_store_grant(&side->store);
    side_settle(side);
    assert_int_equal(side->call.problems, 0);
    assert_int_equal(side->world.sent_count, 1);
    assert_int_equal(lamp_try(&next.lamps[1], &side->world.sent[0]), CG_OK);
    rekeyed_fini(&next);
}

static void nothing_that_waited_for_its_turn_goes_out_under_old_keys_R55(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    rekey(&next, &side->keys);
    side->world.config->group.nstart = 1;
    size_t first = side_get(side); /* nobody answers: it is outstanding */
    struct call second = {0};
    assert_non_null(world_new(&side->world, &second, "/lamps/y"));
    struct cg_request *request = cg_gateway_request(side->world.gateway, second.ticket);
    request->method = CG_PUT;
    request->payload = cg_slice_str("secret");
    world_go(&side->world, &second);
    side_settle(side);
    assert_int_equal(side->world.sent_count, first + 1); /* sealed, and in the queue */
    side_set_keys(side, side->lamps, &next.keys, 3, NULL);
    world_advance(&side->world, 2 * SECOND);
    for (int i = 0; i < 3; i++) {
        while (side->store.count > 0) fake_store_grant(&side->store);
        side_settle(side);
    }
    assert_int_equal(side->world.sent_count, first + 2);
    assert_int_not_equal(lamp_try(&room->lamps[3], &side->world.sent[first + 1]), CG_OK);
    struct reception one = lamp_receive(&next.lamps[1], &side->world.sent[first + 1]);
    assert_int_equal(one.plain.code, CG_PUT);
    assert_true(cg_slice_is(one.plain.payload, "secret"));
    struct cg_opt_iter iter;
    struct cg_opt opt;
    unsigned segments = 0;
    cg_opt_iter_init(&iter, &one.plain);
    while (cg_opt_next(&iter, &opt)) segments += opt.number == CG_OPT_URI_PATH;
    assert_int_equal(segments, 2); /* base, y: as the first time */
    world_advance(&side->world, 3 * SECOND);
    call_fini(&second);
    rekeyed_fini(&next);
}

static void old_keys_open_answers_for_500_seconds(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    rekey(&next, &side->keys);
    struct cg_mapping *mapping = world_mapping(&side->world, "lamps");
    mapping->timeout_us = 600 * SECOND;
    size_t sent = side_get(side);
    struct reception one = receive(room, 1, sent), two = receive(room, 2, sent);
    side_set_keys(side, side->lamps, &next.keys, 0, NULL);
    world_advance(&side->world, 499 * SECOND);
    struct answer_bytes bytes = seal(room, 1, &one, "in time", (struct style){0});
    side_deliver(side, 1, &bytes);
    side_settle(side);
    world_advance(&side->world, 2 * SECOND);
    bytes = seal(room, 2, &two, "too old", (struct style){0});
    side_deliver(side, 2, &bytes);
    side_settle(side);
    world_advance(&side->world, 100 * SECOND);
    const char *text = side_reply(side);
    assert_counts(text, 1, 1);
    assert_refused(text, "unknown-sender", 1);
    rekeyed_fini(&next);
}

/* RFC 10021 §2.5.1: they are deleted. */
static void old_pairwise_keys_are_gone(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    rekey(&next, &side->keys);
    size_t sent = side_get(side);
    struct reception two = receive(room, 2, sent);
    side_set_keys(side, side->lamps, &next.keys, 0, NULL);
    struct answer_bytes bytes = seal(room, 2, &two, "old", (struct style){.pairwise = true});
    side_deliver(side, 2, &bytes);
    answer(room, 1, sent, "on", (struct style){0});
    finish_with(room, "unknown-sender", 1);
    rekeyed_fini(&next);
}

/* A joiner has the new keys only (R54). */
static void a_joiner_cannot_read_what_was_sent_before_R54(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    rekey(&next, &side->keys);
    size_t sent = side_get(side);
    side_set_keys(side, side->lamps, &next.keys, 0, NULL);
    assert_int_equal(lamp_try(&next.lamps[2], &side->world.sent[sent]), CG_E_UNAUTHORIZED);
    rekeyed_fini(&next);
}

/* Trying several epochs is no way around the limits. */
static void forgeries_count_once_under_several_epochs(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    rekey(&next, &side->keys);
    size_t sent = side_get(side);
    struct reception two = receive(room, 2, sent);
    side_set_keys(side, side->lamps, &next.keys, 0, NULL);
    for (int i = 0; i < 40; i++) {
        struct answer_bytes bytes = seal(room, 2, &two, "on", (struct style){.numbered = true});
        bytes.data[bytes.len - 70] ^= 1;
        side_deliver(side, 2, &bytes);
        side_settle(side);
    }
    assert_int_equal(side->crypto.submitted, 2 * 16);
    rekeyed_fini(&next);
}

static void a_removed_group_ends_as_it_began(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    const char *why;
    size_t sent = side_get(side);
    assert_int_equal(cg_group_oscore_stage(side->lamps, NULL, NULL, &why), CG_OK);
    cg_group_oscore_commit(side->lamps);
    answer(room, 1, sent, "on", (struct style){0});
    answer(room, 2, sent, "on", (struct style){.numbered = true});
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 2, 0);
}

static void what_cannot_be_used_changes_nothing(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct fake_group twins = side->keys;
    memcpy(twins.members[2].cred, twins.members[1].cred, sizeof twins.members[1].cred);
    twins.members[2].cred_len = twins.members[1].cred_len;
    struct cg_group_peer peers[2] = {{fake_id(&twins.members[1]), fake_cred(&twins.members[1])},
                                     {fake_id(&twins.members[2]), fake_cred(&twins.members[2])}};
    struct cg_oscore_params params = side->keys.params;
    struct cg_oscore_sender_params self = {.id = fake_id(&side->keys.members[0]),
                                           .private_key = cg_slice_of(side->keys.members[0].private_key, 32),
                                           .cred = fake_cred(&side->keys.members[0])};
    params.sender = &self;
    struct cg_group_keys keys = {.digest = {1}, .params = &params, .peers = peers, .peer_count = 2};
    const char *why = NULL;
    assert_int_equal(cg_group_oscore_stage(side->lamps, &keys, NULL, &why), CG_E_KEY);
    assert_string_equal(why, "two members have the same credential");
    size_t sent = side_get(side);
    for (int i = 1; i <= LAMPS; i++) answer(room, i, sent, "x", (struct style){0});
    side_settle(side);
    assert_counts(side_reply(side), 3, 0);
}

int main(void) {
    cg_log_set_level(CG_LOG_ERROR);
#define WITH_ROOM(test)     cmocka_unit_test_setup_teardown(test, setup, teardown)
#define WITH_PATIENCE(test) cmocka_unit_test_setup_teardown(test, setup_patient, teardown)
    const struct CMUnitTest tests[] = {
        WITH_ROOM(the_request_is_sealed),
        WITH_ROOM(answers_are_verified_in_both_modes),
        WITH_ROOM(a_member_is_its_credential_not_its_address),
        cmocka_unit_test(algorithms),
        WITH_ROOM(nothing_goes_out_before_the_store_has_answered),
        WITH_ROOM(without_the_store_nothing_goes_out_and_nothing_plain),
        WITH_ROOM(a_store_that_hangs_ends_in_a_problem),
        WITH_ROOM(a_group_without_keys_sends_nothing),
        WITH_ROOM(every_request_has_its_own_number),
        WITH_ROOM(groups_with_the_same_key_share_its_numbers),
        WITH_ROOM(every_flipped_byte_is_refused),
        WITH_ROOM(a_flipped_answer),
        WITH_ROOM(a_truncated_answer),
        WITH_ROOM(a_plain_answer),
        WITH_ROOM(an_unknown_kid),
        WITH_ROOM(another_group),
        WITH_ROOM(an_impostor),
        WITH_ROOM(an_answer_to_an_earlier_request),
        WITH_ROOM(a_repeated_answer),
        WITH_ROOM(a_repeated_answer_at_the_same_time),
        WITH_ROOM(a_repeated_partial_iv),
        WITH_ROOM(the_highest_partial_iv_is_the_latest_answer),
        WITH_ROOM(a_kid_that_changes),
        WITH_ROOM(a_challenge_is_asked_again_by_unicast),
        WITH_ROOM(nobody_else_answers_for_the_asked_member),
        cmocka_unit_test_setup_teardown(another_member_does_not_answer_for_the_asked_one, setup_group_mode, teardown),
        cmocka_unit_test_setup_teardown(a_repeated_block_belongs_to_nothing, setup_group_mode, teardown),
        WITH_ROOM(a_forger_is_heard_a_few_times_only),
        WITH_ROOM(a_kid_is_verified_a_few_times_only),
        WITH_PATIENCE(the_order_in_which_threads_end_does_not_matter),
        WITH_ROOM(what_came_in_time_is_waited_for),
        WITH_ROOM(the_cast_ends_while_threads_work_for_it),
        WITH_ROOM(the_client_leaves_at_any_moment),
        WITH_ROOM(the_gateway_ends_while_answers_wait),
        WITH_ROOM(answers_under_old_and_new_keys_R55),
        WITH_ROOM(answers_under_prepared_keys),
        WITH_ROOM(unchanged_keys_go_on),
        WITH_ROOM(changed_members_forget_no_answer),
        WITH_ROOM(an_evicted_member_is_refused_R55),
        WITH_ROOM(a_removed_member_is_refused_R4),
        WITH_ROOM(nothing_goes_out_under_old_keys_R55),
        WITH_ROOM(what_the_store_says_of_old_keys_does_not_matter),
        WITH_ROOM(nothing_that_waited_for_its_turn_goes_out_under_old_keys_R55),
        WITH_ROOM(old_keys_open_answers_for_500_seconds),
        WITH_ROOM(old_pairwise_keys_are_gone),
        WITH_ROOM(a_joiner_cannot_read_what_was_sent_before_R54),
        WITH_ROOM(forgeries_count_once_under_several_epochs),
        WITH_ROOM(a_removed_group_ends_as_it_began),
        WITH_ROOM(what_cannot_be_used_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
