/* Requests to single members of a secured group when datagrams are lost, with real keys: each request that goes out for
 * the same is open for its own answer, and what a member without memory of messages says costs one more. RFC 10021 §7,
 * RFC 8613 §7.4, §8.2. */
#include "fake_room.h"

#include <string.h>

/* Whatever waits for the store or for threads. */
static void settle(struct side *side) {
    for (int i = 0; i < 4; i++) {
        while (side->store.count > 0) fake_store_grant(&side->store);
        side_settle(side);
    }
}

/* Lamps 1 and 2 have answered the group; lamp 3 is asked alone. The index of that request. */
static size_t ask_the_silent_one(struct room *room) {
    struct side *side = &room->side;
    struct cg_mapping *lamps = world_mapping(&side->world, "lamps");
    lamps->repair_unicast = true;
    lamps->leisure = 0.5;
    lamps->timeout_us = lamps->max_timeout_us = 100 * SECOND;
    size_t sent = side_get(side);
    room_answer(room, 1, sent, "on", (struct style){0});
    room_answer(room, 2, sent, "on", (struct style){0});
    settle(side);
    world_advance(&side->world, SECOND);
    settle(side);
    assert_int_equal(side->world.sent_count, sent + 2);
    return sent + 1;
}

static void wait_for_datagrams(struct side *side, size_t count) {
    for (int i = 0; side->world.sent_count < count; i++) {
        assert_true(i < 1000);
        world_advance(&side->world, SECOND / 10);
        settle(side);
    }
}

static void answer_to(struct room *room, const struct reception *request) {
    struct style pairwise = {.pairwise = true, .numbered = true};
    struct answer_bytes bytes = room_seal(room, 3, request, "on after all", pairwise);
    side_deliver(&room->side, 3, &bytes);
    settle(&room->side);
}

static void deny(struct side *side, size_t index) {
    struct answer answer = {.type = CG_ACK, .code = CG_CODE(4, 1), .payload = "Replay detected"};
    answer.mid = side->world.sent[index].msg.mid;
    world_answer_as(&side->world, index, "127.1.0.3", answer);
    settle(side);
}

/* Its binding is the request's own, whichever went out last. */
static void each_request_that_is_out_opens_its_own_answer(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t asked = ask_the_silent_one(room);
    struct reception first = room_receive(room, 3, asked);
    wait_for_datagrams(side, asked + 3);
    struct emission *sent = side->world.sent;
    assert_int_equal(sent[asked].len, sent[asked + 1].len);
    assert_memory_equal(sent[asked].bytes, sent[asked + 1].bytes, sent[asked].len);
    assert_int_not_equal(sent[asked].msg.mid, sent[asked + 2].msg.mid);
    answer_to(room, &first);
    assert_counts(side_reply(side), 3, 0);
    assert_has(side_reply(side), "\"via\":\"unicast\"");
}

static void the_new_request_is_one_that_the_member_takes(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t asked = ask_the_silent_one(room);
    (void)room_receive(room, 3, asked); /* and the answer is lost */
    wait_for_datagrams(side, asked + 3);
    struct reception anew = room_receive(room, 3, asked + 2);
    answer_to(room, &anew);
    assert_counts(side_reply(side), 3, 0);
}

/* The answer was lost, and the member takes what it gets once more for a replay. */
static void a_replay_that_is_none_costs_one_request_and_no_answer(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t asked = ask_the_silent_one(room);
    (void)room_receive(room, 3, asked);
    wait_for_datagrams(side, asked + 2);
    deny(side, asked + 1);
    assert_int_equal(side->world.sent_count, asked + 3);
    deny(side, asked); /* a duplicate of it */
    assert_int_equal(side->world.sent_count, asked + 3);
    struct reception anew = room_receive(room, 3, asked + 2);
    answer_to(room, &anew);
    assert_counts(side_reply(side), 3, 0);
}

static void who_says_so_and_nothing_else_is_shown_as_it_is(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t asked = ask_the_silent_one(room);
    deny(side, asked);
    for (int i = 0; i < 110; i++) {
        world_advance(&side->world, SECOND);
        settle(side);
    }
    assert_counts(side_reply(side), 2, 1);
    assert_has(side_reply(side), "\"diagnostic\":\"Replay detected\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        room_test(each_request_that_is_out_opens_its_own_answer),
        room_test(the_new_request_is_one_that_the_member_takes),
        room_test(a_replay_that_is_none_costs_one_request_and_no_answer),
        room_test(who_says_so_and_nothing_else_is_shown_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
