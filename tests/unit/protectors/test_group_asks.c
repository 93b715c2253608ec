/* Requests to single members of a secured group: what is never sealed again, what goes out under which keys, and who
 * may answer. RFC 10021 §7, RFC 9175, R55. */
#include "fake_room.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "legs/endpoint.h"

static void group_mode_only(struct fake_group *keys, uint8_t tag) {
    fake_group_make(keys, CG_COSE_NONE, CG_COSE_CHACHA20_POLY1305, CG_COSE_EDDSA, CG_COSE_NONE, CG_SHA512, tag);
}

static int setup_group_mode(void **state) {
    struct room *room = calloc(1, sizeof *room);
    assert_non_null(room);
    room_init(room, group_mode_only, CG_FINISH_ALL);
    *state = room;
    return 0;
}

/* Whatever waits for the store or for threads. */
static void settle(struct side *side) {
    for (int i = 0; i < 4; i++) {
        while (side->store.count > 0) fake_store_grant(&side->store);
        side_settle(side);
    }
}

/* Starts a request with this method and brings it out; the index of its emission. */
static size_t begin(struct side *side, uint8_t method) {
    size_t sent = side->world.sent_count;
    call_fini(&side->call);
    struct cg_request *request = world_new(&side->world, &side->call, "/lamps/x");
    assert_non_null(request);
    request->method = method;
    request->payload = cg_slice_str("set");
    world_go(&side->world, &side->call);
    settle(side);
    assert_int_equal(side->world.sent_count, sent + 1);
    return sent;
}

static void advance(struct side *side, uint64_t by_us) {
    world_advance(&side->world, by_us);
    settle(side);
}

static void allow_repair(struct side *side) {
    struct cg_mapping *lamps = world_mapping(&side->world, "lamps");
    lamps->repair_unicast = true;
    lamps->leisure = 0.5;
    lamps->timeout_us = 100 * SECOND;
}

static uint64_t number_of(const struct emission *emission) {
    struct cg_slice value;
    struct cg_oscore_option option;
    uint64_t number = 0;
    assert_true(cg_msg_find(&emission->msg, CG_OPT_OSCORE, &value));
    assert_int_equal(cg_oscore_option_parse(&option, value), CG_OK);
    for (size_t i = 0; i < option.piv.len; i++) number = number << 8 | option.piv.data[i];
    return number;
}

static bool goes_to(const struct emission *emission, int lamp) {
    return emission->route.to.ip[3] == lamp && emission->route.to.ip[0] == 127;
}

/* The only emission from `from` on that goes to this lamp. */
static size_t index_to(const struct side *side, size_t from, int lamp) {
    size_t found = 0, times = 0;
    for (size_t i = from; i < side->world.sent_count; i++) {
        if (!goes_to(&side->world.sent[i], lamp) || side->world.sent[i].len == 4) continue;
        found = i;
        times++;
    }
    assert_int_equal(times, 1);
    return found;
}

static struct style challenge_style(void) {
    static struct cg_opt echo;
    static struct cg_opts options;
    echo = (struct cg_opt){.number = CG_OPT_ECHO, .value = cg_slice_str("12345678")};
    options = (struct cg_opts){.list = &echo, .count = 1};
    return (struct style){.numbered = true, .code = CG_CODE(4, 1), .options = &options};
}

static bool has_echo(const struct reception *request) {
    struct cg_slice value;
    return cg_msg_find(&request->plain, CG_OPT_ECHO, &value) && cg_slice_is(value, "12345678");
}

/* Never twice */

static void silent_members_get_post_and_patch_no_second_time(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    static const uint8_t methods[] = {CG_POST, CG_PATCH};
    allow_repair(side);
    for (size_t i = 0; i < sizeof methods; i++) {
        size_t sent = begin(side, methods[i]);
        room_answer(room, 1, sent, "on", (struct style){0});
        settle(side);
        advance(side, 100 * SECOND);
        assert_int_equal(side->world.sent_count, sent + 1);
        assert_has(side_reply(side), "\"missing\":2,");
    }
}

static void a_repair_is_a_request_with_a_number_of_its_own(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    static const uint8_t methods[] = {CG_GET, CG_PUT, CG_DELETE, CG_FETCH, CG_IPATCH};
    allow_repair(side);
    for (size_t i = 0; i < sizeof methods; i++) {
        size_t sent = begin(side, methods[i]);
        int silent = 2 + (int)i % 2; /* who is silent always is asked from the start */
        room_answer(room, 1, sent, "on", (struct style){0});
        room_answer(room, 5 - silent, sent, "on", (struct style){0});
        settle(side);
        advance(side, SECOND);
        size_t asked = index_to(side, sent + 1, silent);
        assert_true(number_of(&side->world.sent[asked]) > number_of(&side->world.sent[sent]));
        struct reception received = room_receive(room, silent, asked);
        assert_false(received.binding.group_mode);
        assert_int_equal(received.plain.code, methods[i]);
        struct answer_bytes bytes = room_seal(room, silent, &received, "on", (struct style){.pairwise = true});
        side_deliver(side, silent, &bytes);
        settle(side);
        assert_has(side_reply(side), "\"answered\":3,");
    }
}

/* The challenge proves that the member did not act: its retry is no second time. But a second challenge to the group
 * request comes from a member that may have acted on the retry by now. */
static void a_challenged_post_is_made_once_more_and_never_again(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    world_mapping(&side->world, "lamps")->timeout_us = 100 * SECOND;
    size_t sent = begin(side, CG_POST);
    struct reception two = room_receive(room, 2, sent);
    struct answer_bytes first = room_seal(room, 2, &two, "", challenge_style());
    struct answer_bytes second = room_seal(room, 2, &two, "", challenge_style());
    side_deliver(side, 2, &first);
    settle(side);
    size_t asked = index_to(side, sent + 1, 2);
    struct reception again = room_receive(room, 2, asked);
    assert_true(has_echo(&again));
    assert_int_equal(again.plain.code, CG_POST);
    struct answer_bytes done = room_seal(room, 2, &again, "done", (struct style){.pairwise = true});
    side_deliver(side, 2, &done);
    settle(side);
    side_deliver(side, 2, &second);
    settle(side);
    assert_int_equal(side->world.sent_count, sent + 2);
    advance(side, 100 * SECOND);
    assert_int_equal(side->world.sent_count, sent + 2);
    assert_counts(side_reply(side), 1, 0);
}

static void who_challenges_the_echo_itself_is_given_up(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    world_mapping(&side->world, "lamps")->timeout_us = 100 * SECOND;
    size_t sent = begin(side, CG_GET);
    room_answer(room, 2, sent, "", challenge_style());
    settle(side);
    struct reception again = room_receive(room, 2, index_to(side, sent + 1, 2));
    struct answer_bytes bytes = room_seal(room, 2, &again, "", challenge_style());
    side_deliver(side, 2, &bytes);
    settle(side);
    assert_int_equal(side->world.gateway->engine.asks, 0);
    advance(side, 100 * SECOND);
    assert_int_equal(side->world.sent_count, sent + 2);
    assert_has(side_reply(side), "\"answered\":0,");
}

/* A repair that is challenged is made again, as the challenge asks. */
static void a_challenged_repair_is_made_again(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    allow_repair(side);
    size_t sent = begin(side, CG_PUT);
    room_answer(room, 1, sent, "on", (struct style){0});
    room_answer(room, 2, sent, "on", (struct style){0});
    settle(side);
    advance(side, SECOND);
    size_t asked = index_to(side, sent + 1, 3);
    struct reception three = room_receive(room, 3, asked);
    assert_false(has_echo(&three));
    struct style pairwise = challenge_style();
    pairwise.pairwise = true;
    struct answer_bytes bytes = room_seal(room, 3, &three, "", pairwise);
    side_deliver(side, 3, &bytes);
    settle(side);
    size_t retried = index_to(side, asked + 1, 3);
    struct reception again = room_receive(room, 3, retried);
    assert_true(has_echo(&again));
    bytes = room_seal(room, 3, &again, "on", (struct style){.pairwise = true});
    side_deliver(side, 3, &bytes);
    settle(side);
    assert_counts(side_reply(side), 3, 0);
}

/* The member's own order decides: by its Partial IVs, not by what came last. */
static void the_member_says_which_of_its_answers_is_the_latest(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    for (int late = 0; late < 2; late++) {
        allow_repair(side);
        world_mapping(&side->world, "lamps")->timeout_us = 2 * SECOND;
        world_mapping(&side->world, "lamps")->finish.rule = CG_FINISH_DEADLINE;
        size_t sent = begin(side, CG_GET);
        room_answer(room, 1, sent, "on", (struct style){0});
        room_answer(room, 2, sent, "on", (struct style){0});
        settle(side);
        struct reception group = room_receive(room, 3, sent);
        advance(side, SECOND);
        struct reception own = room_receive(room, 3, index_to(side, sent + 1, 3));
        struct answer_bytes first, second;
        if (late) { /* the answer to the group was given after that to the repair, and came before it */
            second = room_seal(room, 3, &own, "older", (struct style){.numbered = true, .pairwise = true});
            first = room_seal(room, 3, &group, "newer", (struct style){.numbered = true});
        } else { /* as the usual way round, but overtaken by it */
            second = room_seal(room, 3, &group, "older", (struct style){.numbered = true});
            first = room_seal(room, 3, &own, "newer", (struct style){.numbered = true, .pairwise = true});
        }
        side_deliver(side, 3, &first);
        settle(side);
        side_deliver(side, 3, &second);
        settle(side);
        const char *text = side_reply(side);
        assert_counts(text, 3, 0);
        assert_has(text, "\"body\":\"newer\"");
        assert_has(text, "\"duplicates\":1,");
    }
}

/* Rekeying */

struct rekeyed {
    struct fake_group keys;
    struct lamp lamps[LAMPS + 1];
};

static void rekey(struct rekeyed *to, struct side *side, int without) {
    to->keys = side->keys;
    fake_group_rekey(&to->keys);
    for (int i = 1; i <= LAMPS; i++) lamp_init(&to->lamps[i], &to->keys, i);
    side_set_keys(side, side->lamps, &to->keys, without, NULL);
}

static void rekeyed_fini(struct rekeyed *rekeyed) {
    for (int i = 1; i <= LAMPS; i++) lamp_fini(&rekeyed->lamps[i]);
}

/* Lamp 3 is evicted while it and lamp 2 are being asked: it is told nothing more, and lamp 2 under the new keys. */
static void no_retransmission_goes_out_under_retired_keys_R55(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    allow_repair(side);
    size_t sent = begin(side, CG_PUT);
    room_answer(room, 1, sent, "on", (struct style){0});
    settle(side);
    advance(side, SECOND); /* the group once more */
    advance(side, SECOND);
    size_t before = side->world.sent_count;
    assert_int_equal(before, sent + 4);
    rekey(&next, side, 3);
    advance(side, 4 * SECOND);
    for (size_t i = before; i < side->world.sent_count; i++) {
        assert_false(goes_to(&side->world.sent[i], 3));
        for (int lamp = 1; lamp <= LAMPS; lamp++) {
            assert_int_not_equal(lamp_try(&room->lamps[lamp], &side->world.sent[i]), CG_OK);
        }
    }
    struct reception two = lamp_receive(&next.lamps[2], &side->world.sent[index_to(side, before, 2)]);
    assert_true(cg_slice_is(two.plain.payload, "set"));
    struct answer_bytes bytes = lamp_seal(&next.lamps[2], &two, "on", (struct style){.pairwise = true});
    side_deliver(side, 2, &bytes);
    settle(side);
    advance(side, 100 * SECOND);
    const char *text = side_reply(side);
    assert_counts(text, 2, 0);
    assert_has(text, "\"missing\":1,");
    rekeyed_fini(&next);
}

static void who_left_the_group_retransmits_nothing(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    const char *why;
    allow_repair(side);
    size_t sent = begin(side, CG_GET);
    room_answer(room, 1, sent, "on", (struct style){0});
    settle(side);
    advance(side, SECOND); /* the group once more */
    advance(side, SECOND);
    assert_int_equal(side->world.sent_count, sent + 4);
    assert_int_equal(cg_group_oscore_stage(side->lamps, NULL, NULL, &why), CG_OK);
    cg_group_oscore_commit(side->lamps);
    advance(side, 100 * SECOND);
    assert_int_equal(side->world.sent_count, sent + 4);
    assert_counts(side_reply(side), 1, 0);
}

/* Asked anew it is all new: the datagrams begin again, and every second one is the one before it once more. */
static void what_is_asked_anew_is_retransmitted_as_it_is(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    allow_repair(side);
    size_t sent = begin(side, CG_GET);
    room_answer(room, 1, sent, "on", (struct style){0});
    room_answer(room, 2, sent, "on", (struct style){0});
    settle(side);
    advance(side, SECOND);
    rekey(&next, side, 0);
    advance(side, 3 * SECOND);
    assert_int_equal(side->world.sent_count, sent + 3);
    advance(side, 54 * SECOND);
    assert_int_equal(side->world.sent_count, sent + 2 + 5); /* the first, and MAX_RETRANSMIT */
    for (size_t i = sent + 2; i < side->world.sent_count; i += 2) {
        const struct emission *anew = &side->world.sent[i], *before = &side->world.sent[i - 1], *again = anew + 1;
        assert_int_not_equal(anew->msg.mid, before->msg.mid);
        assert_memory_not_equal(anew->msg.token.bytes, before->msg.token.bytes, CG_TOKEN_MAX);
        assert_true(number_of(anew) > number_of(before));
        if (i + 1 == side->world.sent_count) break;
        assert_int_equal(again->len, anew->len);
        assert_memory_equal(again->bytes, anew->bytes, anew->len);
    }
    rekeyed_fini(&next);
}

/* It may have acted on the retry already: nothing is said to it under either keys, but it may still answer. */
static void a_retried_post_is_not_said_again_after_a_rekey(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    world_mapping(&side->world, "lamps")->timeout_us = 100 * SECOND;
    size_t sent = begin(side, CG_POST);
    room_answer(room, 2, sent, "", challenge_style());
    settle(side);
    struct reception again = room_receive(room, 2, index_to(side, sent + 1, 2));
    rekey(&next, side, 0);
    advance(side, 50 * SECOND);
    assert_int_equal(side->world.sent_count, sent + 2);
    struct answer_bytes bytes = room_seal(room, 2, &again, "done", (struct style){0});
    side_deliver(side, 2, &bytes);
    settle(side);
    advance(side, 50 * SECOND);
    assert_counts(side_reply(side), 1, 0);
    rekeyed_fini(&next);
}

/* What is not said again keeps no other request from the member (RFC 7252 §4.7), and may still be answered. */
static void a_post_that_is_not_said_again_makes_room_for_others(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    struct call other;
    world_mapping(&side->world, "lamps")->timeout_us = 100 * SECOND;
    size_t sent = begin(side, CG_POST);
    room_answer(room, 2, sent, "", challenge_style());
    settle(side);
    struct reception retry = room_receive(room, 2, index_to(side, sent + 1, 2));
    rekey(&next, side, 0);
    world_get(&side->world, &other, "/lamps/y");
    settle(side);
    size_t group = side->world.sent_count - 1;
    assert_int_equal(group, sent + 2);
    struct reception two = lamp_receive(&next.lamps[2], &side->world.sent[group]);
    struct answer_bytes bytes = lamp_seal(&next.lamps[2], &two, "", challenge_style());
    side_deliver(side, 2, &bytes);
    settle(side);
    assert_int_equal(side->world.sent_count, group + 1); /* one at a time */
    advance(side, 4 * SECOND);
    size_t asked = index_to(side, group + 1, 2);
    two = lamp_receive(&next.lamps[2], &side->world.sent[asked]);
    assert_true(has_echo(&two));
    assert_int_equal(cg_endpoint_find(&side->world.gateway->engine, &side->world.sent[asked].route.to)->outstanding, 1);
    bytes = room_seal(room, 2, &retry, "done", (struct style){0});
    side_deliver(side, 2, &bytes);
    settle(side);
    advance(side, 100 * SECOND);
    assert_counts(side_reply(side), 1, 0);
    assert_int_equal(side->world.gateway->engine.endpoints.sealed_bytes, 0);
    call_fini(&other);
    rekeyed_fini(&next);
}

/* The Echo was for what the member knew under the old keys; under the new ones it may challenge again. */
static void a_challenged_member_that_is_asked_anew_may_challenge_again(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    world_mapping(&side->world, "lamps")->timeout_us = 100 * SECOND;
    size_t sent = begin(side, CG_GET);
    room_answer(room, 2, sent, "", challenge_style());
    settle(side);
    rekey(&next, side, 0);
    advance(side, 4 * SECOND);
    size_t anew = index_to(side, sent + 2, 2);
    struct reception two = lamp_receive(&next.lamps[2], &side->world.sent[anew]);
    assert_false(has_echo(&two));
    struct answer_bytes bytes = lamp_seal(&next.lamps[2], &two, "", challenge_style());
    side_deliver(side, 2, &bytes);
    settle(side);
    two = lamp_receive(&next.lamps[2], &side->world.sent[index_to(side, anew + 1, 2)]);
    assert_true(has_echo(&two));
    rekeyed_fini(&next);
}

/* Blocks */

static struct answer_bytes seal_block(struct room *room, int lamp, const struct reception *to, uint8_t value,
                                      const char *text) {
    struct cg_opt option = {.number = CG_OPT_BLOCK2, .value = cg_slice_of(&value, 1)};
    struct cg_opts options = {.list = &option, .count = 1};
    return room_seal(room, lamp, to, text, (struct style){.options = &options});
}

static void answer_block(struct room *room, int lamp, size_t sent, uint8_t value, const char *text) {
    struct reception reception = room_receive(room, lamp, sent);
    struct answer_bytes bytes = seal_block(room, lamp, &reception, value, text);
    side_deliver(&room->side, lamp, &bytes);
    settle(&room->side);
}

static uint32_t block_of(const struct reception *request) {
    uint32_t value = 0xffffffff;
    assert_true(cg_msg_find_uint(&request->plain, CG_OPT_BLOCK2, &value));
    return value;
}

/* Every request may be challenged, but none twice. */
static void a_challenged_block_is_asked_for_again(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = begin(side, CG_GET);
    answer_block(room, 1, sent, 0x08, "0123456789abcdef");
    for (uint8_t number = 1; number <= 2; number++) {
        size_t asked = side->world.sent_count - 1;
        struct reception request = room_receive(room, 1, asked);
        assert_int_equal(block_of(&request), number << 4);
        assert_false(has_echo(&request));
        struct answer_bytes bytes = room_seal(room, 1, &request, "", challenge_style());
        side_deliver(side, 1, &bytes);
        settle(side);
        assert_int_equal(side->world.sent_count, asked + 2);
        request = room_receive(room, 1, asked + 1);
        assert_int_equal(block_of(&request), number << 4);
        assert_true(has_echo(&request));
        bytes = seal_block(room, 1, &request, (uint8_t)(number << 4 | (number < 2 ? 8 : 0)), "ghijklmnopqrstuv");
        side_deliver(side, 1, &bytes);
        settle(side);
    }
    advance(side, 3 * SECOND);
    const char *text = side_reply(side);
    assert_counts(text, 1, 0);
    assert_has(text, "\"body\":\"0123456789abcdefghijklmnopqrstuvghijklmnopqrstuv\"");
}

static void a_block_that_is_challenged_for_ever_is_given_up(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = begin(side, CG_GET);
    answer_block(room, 1, sent, 0x08, "0123456789abcdef");
    for (size_t times = 1; times <= 5; times++) {
        room_answer(room, 1, sent + times, "", challenge_style());
        settle(side);
    }
    assert_int_equal(side->world.sent_count, sent + 2 + 4);
    advance(side, 3 * SECOND);
    const char *text = side_reply(side);
    assert_counts(text, 0, 1);
    assert_refused(text, "blocks-incomplete", 1);
}

/* Without pairwise mode every member can read the request for a block. */
static void another_member_supplies_no_block(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = begin(side, CG_GET);
    answer_block(room, 1, sent, 0x08, "0123456789abcdef");
    struct reception three = room_receive(room, 3, sent + 1), one = room_receive(room, 1, sent + 1);
    struct answer_bytes bytes = seal_block(room, 3, &three, 0x10, "of lamp 3");
    side_deliver(side, 1, &bytes);
    settle(side);
    bytes = seal_block(room, 1, &one, 0x10, "of lamp 1");
    side_deliver(side, 1, &bytes);
    settle(side);
    advance(side, 3 * SECOND);
    const char *text = side_reply(side);
    assert_counts(text, 1, 1);
    assert_refused(text, "unknown-sender", 1);
    assert_has(text, "\"body\":\"0123456789abcdefof lamp 1\"");
}

static void blocks_go_on_under_the_new_keys(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    world_mapping(&side->world, "lamps")->timeout_us = 20 * SECOND;
    size_t sent = begin(side, CG_GET);
    answer_block(room, 1, sent, 0x08, "0123456789abcdef");
    rekey(&next, side, 0);
    advance(side, 4 * SECOND);
    struct reception one = lamp_receive(&next.lamps[1], &side->world.sent[index_to(side, sent + 2, 1)]);
    assert_int_equal(block_of(&one), 0x10);
    uint8_t value = 0x10;
    struct cg_opt option = {.number = CG_OPT_BLOCK2, .value = cg_slice_of(&value, 1)};
    struct cg_opts options = {.list = &option, .count = 1};
    struct answer_bytes bytes = lamp_seal(&next.lamps[1], &one, "end", (struct style){.options = &options});
    side_deliver(side, 1, &bytes);
    settle(side);
    advance(side, 20 * SECOND);
    assert_has(side_reply(side), "\"body\":\"0123456789abcdefend\"");
    rekeyed_fini(&next);
}

/* Time */

static void forge(struct side *side, size_t asked, int lamp) {
    const struct emission *emission = &side->world.sent[asked];
    uint8_t bytes[] = {0x58, CG_CODE(4, 4), 0x12, 0x34, 0, 0, 0, 0, 0, 0, 0, 0};
    memcpy(bytes + 4, emission->msg.token.bytes, CG_TOKEN_MAX);
    struct answer_bytes answer = {.len = sizeof bytes};
    memcpy(answer.data, bytes, sizeof bytes);
    side_deliver(side, lamp, &answer);
}

static void a_refused_answer_brings_no_retransmission_forward_after_an_ack(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    world_mapping(&side->world, "lamps")->timeout_us = 100 * SECOND;
    size_t sent = begin(side, CG_GET);
    room_answer(room, 2, sent, "", challenge_style());
    settle(side);
    const struct emission *asked = &side->world.sent[sent + 1];
    struct answer_bytes ack = {.data = {0x60, 0, asked->bytes[2], asked->bytes[3]}, .len = 4};
    side_deliver(side, 2, &ack);
    forge(side, sent + 1, 2);
    advance(side, 4 * SECOND - 1); /* ACK_TIMEOUT is 2 s at the least, and the ACK has doubled it */
    assert_int_equal(side->world.sent_count, sent + 2);
    advance(side, 46 * SECOND);
    struct reception again = room_receive(room, 2, sent + 1);
    struct answer_bytes bytes = room_seal(room, 2, &again, "fresh", (struct style){.pairwise = true});
    side_deliver(side, 2, &bytes);
    settle(side);
    advance(side, 50 * SECOND);
    assert_counts(side_reply(side), 1, 1);
}

static void refused_answers_do_not_hold_retransmissions_off(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    world_mapping(&side->world, "lamps")->timeout_us = 100 * SECOND;
    size_t sent = begin(side, CG_GET);
    room_answer(room, 2, sent, "", challenge_style());
    settle(side);
    for (int i = 0; i < 16; i++) {
        forge(side, sent + 1, 2);
        advance(side, SECOND);
    }
    assert_int_equal(side->world.sent_count, sent + 4); /* after 2 to 3, 6 to 9, and 14 to 21 s */
    advance(side, 100 * SECOND);
}

/* Group mode answers are verified by a thread. */
static void what_is_being_verified_is_neither_retransmitted_nor_given_up(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    world_mapping(&side->world, "lamps")->timeout_us = 200 * SECOND;
    size_t sent = begin(side, CG_GET);
    room_answer(room, 2, sent, "", challenge_style());
    settle(side);
    size_t asked = sent + 1;
    /* MAX_TRANSMIT_SPAN is over in 30 to 45 s, MAX_TRANSMIT_WAIT in 62 to 93, and new requests are sealed meanwhile */
    for (int i = 0; i < 48; i++) advance(side, SECOND);
    assert_int_equal(side->world.sent_count, asked + 5);
    room_answer(room, 2, asked, "on", (struct style){0});
    world_advance(&side->world, 60 * SECOND);
    assert_int_equal(side->call.replies, 0);
    side_settle(side);
    assert_int_equal(side->world.sent_count, asked + 5);
    advance(side, 200 * SECOND);
    assert_counts(side_reply(side), 1, 0);
}

static void an_asked_members_answer_that_came_in_time_is_waited_for(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    world_mapping(&side->world, "lamps")->timeout_us = 2 * SECOND;
    size_t sent = begin(side, CG_GET);
    room_answer(room, 2, sent, "", challenge_style());
    settle(side);
    room_answer(room, 2, sent + 1, "in time", (struct style){0});
    world_advance(&side->world, 2 * SECOND + SECOND / 4);
    assert_int_equal(side->call.replies, 0);
    side_settle(side);
    assert_counts(side_reply(side), 1, 0);
}

/* But not once it has turned out to be none. */
static void an_asked_members_forged_answer_is_waited_for_until_it_fails(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = begin(side, CG_GET);
    room_answer(room, 2, sent, "", challenge_style());
    settle(side);
    struct reception again = room_receive(room, 2, sent + 1);
    struct answer_bytes bytes = room_seal(room, 2, &again, "forged", (struct style){0});
    bytes.data[bytes.len - 3] ^= 1;
    side_deliver(side, 2, &bytes);
    world_advance(&side->world, 2 * SECOND + SECOND / 4);
    assert_int_equal(side->call.replies, 0);
    side_settle(side);
    assert_int_equal(side->call.replies, 1);
    assert_counts(side->call.text, 0, 1);
}

/* What was verified long before the end does not make the end later. */
static void the_end_is_not_later_for_what_was_verified_before(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    world_mapping(&side->world, "lamps")->timeout_us = 2 * SECOND;
    allow_repair(side);
    world_mapping(&side->world, "lamps")->timeout_us = 2 * SECOND;
    size_t sent = begin(side, CG_GET);
    room_answer(room, 1, sent, "on", (struct style){0});
    world_advance(&side->world, SECOND); /* the exchange looks while it is being verified */
    settle(side);
    world_advance(&side->world, SECOND);
    assert_int_equal(side->call.replies, 1);
    settle(side);
}

int main(void) {
    cg_log_set_level(CG_LOG_ERROR);
#define GROUP_MODE(test) cmocka_unit_test_setup_teardown(test, setup_group_mode, room_teardown)
    const struct CMUnitTest tests[] = {
        room_test(silent_members_get_post_and_patch_no_second_time),
        room_test(a_repair_is_a_request_with_a_number_of_its_own),
        room_test(a_challenged_post_is_made_once_more_and_never_again),
        room_test(who_challenges_the_echo_itself_is_given_up),
        room_test(a_challenged_repair_is_made_again),
        room_test(the_member_says_which_of_its_answers_is_the_latest),
        room_test(no_retransmission_goes_out_under_retired_keys_R55),
        room_test(who_left_the_group_retransmits_nothing),
        room_test(what_is_asked_anew_is_retransmitted_as_it_is),
        room_test(a_retried_post_is_not_said_again_after_a_rekey),
        room_test(a_post_that_is_not_said_again_makes_room_for_others),
        room_test(a_challenged_member_that_is_asked_anew_may_challenge_again),
        room_test(a_challenged_block_is_asked_for_again),
        room_test(a_block_that_is_challenged_for_ever_is_given_up),
        GROUP_MODE(another_member_supplies_no_block),
        room_test(blocks_go_on_under_the_new_keys),
        room_test(a_refused_answer_brings_no_retransmission_forward_after_an_ack),
        room_test(refused_answers_do_not_hold_retransmissions_off),
        GROUP_MODE(what_is_being_verified_is_neither_retransmitted_nor_given_up),
        GROUP_MODE(an_asked_members_answer_that_came_in_time_is_waited_for),
        GROUP_MODE(an_asked_members_forged_answer_is_waited_for_until_it_fails),
        room_test(the_end_is_not_later_for_what_was_verified_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
