/* Answers that the group protector must refuse, in a whole gateway core: one honest lamp among forgers, impostors and
 * those who repeat what was said. R12, R24, R56, R57. */
#include "fake_room.h"

#include <string.h>

#include "base/log.h"

/* Refusals. Lamp 1 is honest in each of them. */

/* Flips one bit of the payload's byte `at`, counted from its end; false: it has not so many. */
static bool refuse_flip(struct room *room, size_t at, struct style style) {
    size_t sent = side_get(&room->side);
    struct reception reception = room_receive(room, 2, sent);
    struct answer_bytes bytes = room_seal(room, 2, &reception, "true", style);
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
    struct reception reception = room_receive(room, 2, sent);
    struct answer_bytes bytes = room_seal(room, 2, &reception, "on", (struct style){0});
    bytes.data[bytes.len - 70] ^= 1;
    side_deliver(&room->side, 2, &bytes);
    bytes = room_seal(room, 2, &reception, "on", (struct style){.pairwise = true});
    bytes.data[bytes.len - 1] ^= 1;
    side_deliver(&room->side, 2, &bytes);
    room_answer(room, 1, sent, "on", (struct style){0});
    room_finish_with(room, "verification-failed", 2);
}

static void a_truncated_answer(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = room_receive(room, 2, sent);
    struct answer_bytes bytes = room_seal(room, 2, &reception, "on", (struct style){0});
    bytes.len -= 1;
    side_deliver(&room->side, 2, &bytes);
    bytes.len -= 63;
    side_deliver(&room->side, 2, &bytes);
    room_answer(room, 1, sent, "on", (struct style){0});
    side_settle(&room->side);
    const char *text = side_reply(&room->side);
    assert_counts(text, 1, 2);
}

static void a_plain_answer(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    world_answer(&room->side.world, sent, "127.1.0.2:5683", "trust me");
    room_answer(room, 1, sent, "on", (struct style){0});
    room_finish_with(room, "unprotected", 1);
}

/* RFC 8613 §8.2: what a member says that has no context for the request, such as after a rekey that it missed. */
static void a_plain_error_is_told_and_not_believed(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    world_answer_as(&room->side.world, sent, "127.1.0.2:5683",
                    (struct answer){.type = CG_NON, .code = CG_CODE(4, 1), .payload = "Security context not found"});
    room_answer(room, 1, sent, "on", (struct style){0});
    room_finish_with(room, "unprotected", 1);
    assert_int_equal(count_of(room->side.call.text, "\"code\":\"4.01\",\"diagnostic\":\"Security context not found\""),
                     1);
}

/* The same datagram with one more OSCORE option, before or behind the one that it has: whose is it? */
static struct answer_bytes with_second_option(const struct answer_bytes *bytes, struct cg_slice more, bool in_front) {
    struct answer_bytes changed;
    struct cg_msg msg = fake_parse(bytes->data, (int)bytes->len);
    struct cg_msg_writer writer;
    struct cg_slice value;
    assert_true(cg_msg_find(&msg, CG_OPT_OSCORE, &value));
    cg_msg_begin(&writer, changed.data, sizeof changed.data, msg.type, msg.code, msg.mid, msg.token);
    cg_msg_put_opt(&writer, CG_OPT_OSCORE, in_front ? more : value);
    cg_msg_put_opt(&writer, CG_OPT_OSCORE, in_front ? value : more);
    cg_msg_put_payload(&writer, msg.payload);
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    changed.len = (size_t)len;
    return changed;
}

static void a_second_oscore_option(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent), three = room_receive(room, 3, sent);
    struct answer_bytes bytes = room_seal(room, 2, &two, "on", (struct style){0});
    struct answer_bytes others = room_seal(room, 3, &three, "on", (struct style){.with_kid_context = true});
    struct cg_msg msg = fake_parse(others.data, (int)others.len);
    struct cg_slice value;
    assert_true(cg_msg_find(&msg, CG_OPT_OSCORE, &value));
    for (int in_front = 0; in_front < 2; in_front++) {
        struct answer_bytes twice = with_second_option(&bytes, value, in_front);
        side_deliver(side, 2, &twice);
    }
    assert_int_equal(side->crypto.count, 0); /* neither reading is verified */
    room_answer(room, 1, sent, "on", (struct style){0});
    room_finish_with(room, "bad-option", 2);
    assert_int_equal(count_of(side->call.text, "\"kid\":\"13\""), 0); /* and it is nobody's */
}

/* The same datagram with an option more outside, as somebody on the path can make it. */
static struct answer_bytes with_outer_option(const struct answer_bytes *bytes, uint16_t number, const char *value) {
    struct answer_bytes changed;
    struct cg_msg msg = fake_parse(bytes->data, (int)bytes->len);
    struct cg_msg_writer writer;
    struct cg_opt_iter iter;
    struct cg_opt opt;
    bool done = false;
    cg_msg_begin(&writer, changed.data, sizeof changed.data, msg.type, msg.code, msg.mid, msg.token);
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (!done && opt.number > number) cg_msg_put_opt(&writer, number, cg_slice_str(value));
        done = done || opt.number > number;
        cg_msg_put_opt(&writer, opt.number, opt.value);
    }
    if (!done) cg_msg_put_opt(&writer, number, cg_slice_str(value));
    cg_msg_put_payload(&writer, msg.payload);
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    changed.len = (size_t)len;
    return changed;
}

/* Whatever is added outside: the answer is the member's, without it, and counts once. */
static void outer_options_change_nothing(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    static const uint16_t numbers[] = {2, 3, 4, 6, 7, 12, 14, 16, 24, 27, 35, 39, 65, 235, 239, 248, 2053, 65001};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        for (int pairwise = 0; pairwise < 2; pairwise++) {
            size_t sent = side_get(side);
            struct reception one = room_receive(room, 1, sent);
            struct answer_bytes bytes = room_seal(room, 1, &one, "on", (struct style){.pairwise = pairwise});
            struct answer_bytes changed = with_outer_option(&bytes, numbers[i], "added");
            side_deliver(side, 9, &changed);
            side_settle(side);
            side_deliver(side, 1, &bytes);
            side_settle(side);
            const char *text = side_reply(side);
            assert_counts(text, 1, 1);
            assert_has(text, "\"body\":\"on\"");
            assert_refused(text, "replayed", 1); /* the same answer a second time */
            assert_int_equal(count_of(text, "added"), 0);
            assert_int_equal(count_of(text, "6164646564"), 0);
        }
    }
}

/* A fragment is refused by itself: it neither costs a verification nor counts as a forgery. */
static void a_fragment_is_refused(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception one = room_receive(room, 1, sent);
    struct answer_bytes bytes = room_seal(room, 1, &one, "on", (struct style){0});
    struct answer_bytes first = with_outer_option(&bytes, CG_OPT_BLOCK2, "\x0a");
    for (int i = 0; i < 70; i++) side_deliver(side, 1, &first);
    assert_int_equal(side->crypto.count, 0);
    side_deliver(side, 1, &bytes);
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 1, 70);
    assert_refused(text, "outer-blocks", 64); /* as many as are listed */
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
    room_answer(room, 1, sent, "on", (struct style){0});
    room_finish_with(room, "unknown-sender", 1);
    assert_int_equal(room->side.crypto.submitted, 1); /* no signature was looked at for it */
    lamp_fini(&stranger);
}

static void another_group(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = room_receive(room, 2, sent);
    struct fake_group keys;
    fake_group_usual(&keys, 0x90);
    memcpy(keys.members, room->side.keys.members, sizeof keys.members); /* the same people, in another group */
    struct lamp elsewhere;
    lamp_init(&elsewhere, &keys, 2);
    struct answer_bytes bytes = lamp_seal(&elsewhere, &reception, "hello", (struct style){.numbered = true});
    side_deliver(&room->side, 2, &bytes); /* says its Gid, because it is not the request's */
    room_answer(room, 1, sent, "on", (struct style){0});
    room_finish_with(room, "unknown-sender", 1);
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
    room_answer(room, 1, sent, "on", (struct style){0});
    room_answer(room, 2, sent, "the real one", (struct style){0}); /* displaces nobody and is not displaced */
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
    struct reception reception = room_receive(room, 2, sent);
    struct answer_bytes old = room_seal(room, 2, &reception, "old", (struct style){0});
    struct answer_bytes numbered = room_seal(room, 2, &reception, "old", (struct style){.numbered = true});
    side_reply(&room->side);
    sent = side_get(&room->side);
    const struct cg_token token = room->side.world.sent[sent].msg.token; /* whoever replays has seen it */
    memcpy(old.data + 4, token.bytes, token.len);
    memcpy(numbered.data + 4, token.bytes, token.len);
    side_deliver(&room->side, 2, &old);
    side_deliver(&room->side, 2, &numbered);
    room_answer(room, 1, sent, "on", (struct style){0});
    room_finish_with(room, "verification-failed", 2);
}

static void a_repeated_answer(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = room_receive(room, 1, sent);
    struct answer_bytes bytes = room_seal(room, 1, &reception, "on", (struct style){0});
    side_deliver(&room->side, 1, &bytes);
    side_settle(&room->side);
    side_deliver(&room->side, 1, &bytes);
    side_deliver(&room->side, 9, &bytes);
    assert_int_equal(room->side.crypto.count, 0); /* costs no signature */
    room_finish_with(room, "replayed", 2);
}

/* Both copies are on threads before the first has ended. */
static void a_repeated_answer_at_the_same_time(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = room_receive(room, 1, sent);
    struct answer_bytes bytes = room_seal(room, 1, &reception, "on", (struct style){.numbered = true});
    side_deliver(&room->side, 1, &bytes);
    side_deliver(&room->side, 1, &bytes);
    assert_int_equal(room->side.crypto.count, 2);
    room_finish_with(room, "replayed", 1);
}

static void a_repeated_partial_iv(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = room_receive(room, 1, sent);
    struct lamp twin; /* a second context, as a member that lost its counter has */
    lamp_init(&twin, &room->side.keys, 1);
    struct answer_bytes first = room_seal(room, 1, &reception, "on", (struct style){.numbered = true, .number = 7});
    struct answer_bytes second = lamp_seal(&twin, &reception, "off", (struct style){.numbered = true, .number = 7});
    side_deliver(&room->side, 1, &first);
    side_settle(&room->side);
    side_deliver(&room->side, 1, &second);
    room_finish_with(room, "replayed", 1);
    assert_has(room->side.call.text, "\"body\":\"on\"");
    lamp_fini(&twin);
}

static void the_highest_partial_iv_is_the_latest_answer(void **state) {
    struct room *room = *state;
    size_t sent = side_get(&room->side);
    struct reception reception = room_receive(room, 1, sent);
    struct answer_bytes early = room_seal(room, 1, &reception, "early", (struct style){.numbered = true, .number = 20});
    struct answer_bytes late = room_seal(room, 1, &reception, "late", (struct style){.numbered = true, .number = 21});
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
    room_answer(room, 1, sent, "first", (struct style){0});
    side_settle(&room->side);
    struct fake_group next = room->side.keys;
    fake_group_rekey(&next);
    next.members[1].id[0] = 0x51;
    side_set_keys(&room->side, room->side.lamps, &room->side.keys, 0, &next);
    struct lamp renamed;
    lamp_init(&renamed, &next, 1);
    struct reception reception = room_receive(room, 2, sent);
    struct answer_bytes bytes = lamp_seal(&renamed, &reception, "second", (struct style){.numbered = true});
    side_deliver(&room->side, 1, &bytes);
    room_finish_with(room, "replayed", 1);
    assert_has(room->side.call.text, "\"body\":\"first\"");
    lamp_fini(&renamed);
}

int main(void) {
    cg_log_set_level(CG_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        room_test(every_flipped_byte_is_refused),
        room_test(a_flipped_answer),
        room_test(a_truncated_answer),
        room_test(a_plain_answer),
        room_test(a_plain_error_is_told_and_not_believed),
        room_test(a_second_oscore_option),
        room_test(outer_options_change_nothing),
        room_test(a_fragment_is_refused),
        room_test(an_unknown_kid),
        room_test(another_group),
        room_test(an_impostor),
        room_test(an_answer_to_an_earlier_request),
        room_test(a_repeated_answer),
        room_test(a_repeated_answer_at_the_same_time),
        room_test(a_repeated_partial_iv),
        room_test(the_highest_partial_iv_is_the_latest_answer),
        room_test(a_kid_that_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
