/* Members that have moved on to keys which are only prepared: they can open nothing that goes out under those in use.
 * Asked by unicast they are asked under theirs (RFC 10021 §12.2; RFC 8613 §8.2). */
#include "fake_room.h"

#include <stdlib.h>
#include <string.h>

#include "base/container.h"

struct prepared_room {
    struct room room;
    struct fake_group keys; /* that are prepared */
    struct lamp lamps[LAMPS + 1];
};

static int setup(void **state) {
    struct prepared_room *all = calloc(1, sizeof *all);
    assert_non_null(all);
    room_init(&all->room, fake_group_usual, CG_FINISH_ALL);
    all->keys = all->room.side.keys;
    fake_group_rekey(&all->keys);
    for (int i = 1; i <= LAMPS; i++) lamp_init(&all->lamps[i], &all->keys, i);
    struct cg_mapping *lamps = world_mapping(&all->room.side.world, "lamps");
    lamps->timeout_us = 100 * SECOND;
    lamps->stand_in = CG_STAND_IN_MEMBERS;
    side_set_keys(&all->room.side, all->room.side.lamps, &all->room.side.keys, 0, &all->keys);
    *state = &all->room;
    return 0;
}

_Static_assert(offsetof(struct prepared_room, room) == 0, "room_teardown frees it");

static struct prepared_room *all_of(void **state) {
    struct room *room = *state;
    return CG_CONTAINER(room, struct prepared_room, room);
}

static int teardown(void **state) {
    struct prepared_room *all = all_of(state);
    for (int i = 1; i <= LAMPS; i++) lamp_fini(&all->lamps[i]);
    return room_teardown(state);
}

static void settle(struct side *side) {
    for (int i = 0; i < 4; i++) {
        while (side->store.count > 0) fake_store_grant(&side->store);
        side_settle(side);
    }
}

/* The index of what went out last. */
static size_t latest(const struct side *side) { return side->world.sent_count - 1; }

/* Starts a request to lamp 3 alone. */
static size_t ask_three(struct side *side, uint8_t method) {
    call_fini(&side->call);
    struct cg_request *request = world_new(&side->world, &side->call, "/lamps/.member/lamp-3/x");
    assert_non_null(request);
    request->method = method;
    world_go(&side->world, &side->call);
    settle(side);
    return latest(side);
}

/* Lamp 3 has none of the keys: so it says, or whoever has seen the request. */
static void deny(struct side *side, size_t index) {
    world_answer_as(&side->world, index, "127.1.0.3",
                    (struct answer){.type = CG_ACK, .code = CG_CODE(4, 1), .mid = side->world.sent[index].msg.mid});
    settle(side);
}

static void answer_under_prepared(struct prepared_room *all, size_t index) {
    struct side *side = &all->room.side;
    struct reception three = lamp_receive(&all->lamps[3], &side->world.sent[index]);
    struct answer_bytes bytes = lamp_seal(&all->lamps[3], &three, "on", (struct style){.numbered = true});
    side_deliver(side, 3, &bytes);
    settle(side);
}

static void assert_under_prepared(struct prepared_room *all, size_t index) {
    assert_int_equal(lamp_try(&all->lamps[3], &all->room.side.world.sent[index]), CG_OK);
}

static void assert_under_those_in_use(struct prepared_room *all, size_t index) {
    assert_int_equal(lamp_try(&all->room.lamps[3], &all->room.side.world.sent[index]), CG_OK);
}

/* Lamp 3 got the new keys while it had the group request. */
static void see_under_prepared(struct prepared_room *all) {
    struct side *side = &all->room.side;
    size_t sent = side_get(side);
    settle(side);
    struct reception one = room_receive(&all->room, 1, sent), two = room_receive(&all->room, 2, sent),
                     three = room_receive(&all->room, 3, sent);
    struct answer_bytes bytes[] = {
        room_seal(&all->room, 1, &one, "on", (struct style){0}),
        room_seal(&all->room, 2, &two, "on", (struct style){0}),
        lamp_seal(&all->lamps[3], &three, "on", (struct style){.numbered = true, .with_kid_context = true})};
    for (int i = 0; i < 3; i++) side_deliver(side, i + 1, &bytes[i]);
    settle(side);
    assert_counts(side_reply(side), 3, 0);
}

static void who_was_verified_under_the_prepared_keys_is_asked_under_them(void **state) {
    struct prepared_room *all = all_of(state);
    struct side *side = &all->room.side;
    see_under_prepared(all);
    size_t asked = ask_three(side, CG_POST);
    answer_under_prepared(all, asked);
    assert_counts(side_reply(side), 1, 0);
}

static void the_group_is_asked_under_the_keys_in_use(void **state) {
    struct prepared_room *all = all_of(state);
    struct side *side = &all->room.side;
    see_under_prepared(all);
    world_mapping(&side->world, "lamps")->repair_unicast = true;
    world_mapping(&side->world, "lamps")->leisure = 0.5;
    size_t sent = side_get(side);
    room_answer(&all->room, 1, sent, "on", (struct style){0});
    room_answer(&all->room, 2, sent, "on", (struct style){0});
    settle(side);
    world_advance(&side->world, SECOND); /* lamp 3 is silent, and is asked alone */
    settle(side);
    assert_int_equal(latest(side), sent + 1);
    answer_under_prepared(all, latest(side));
    assert_counts(side_reply(side), 3, 0);
}

/* A member that was never heard under them is asked as the others are; what it says then is enough. */
static void who_says_that_it_lacks_the_keys_is_asked_once_more(void **state) {
    struct prepared_room *all = all_of(state);
    struct side *side = &all->room.side;
    size_t first = ask_three(side, CG_GET);
    assert_under_those_in_use(all, first);
    deny(side, first);
    assert_int_equal(latest(side), first + 1);
    assert_int_not_equal(side->world.sent[first].msg.mid, side->world.sent[first + 1].msg.mid);
    answer_under_prepared(all, first + 1);
    assert_counts(side_reply(side), 1, 0);                /* it has answered after all */
    assert_under_prepared(all, ask_three(side, CG_POST)); /* from now on it is known */
}

/* Anybody could have said that, and the member may have acted. */
static void what_acts_twice_is_not_asked_again_on_hearsay(void **state) {
    struct prepared_room *all = all_of(state);
    struct side *side = &all->room.side;
    size_t first = ask_three(side, CG_POST);
    deny(side, first);
    world_advance(&side->world, 50 * SECOND);
    settle(side);
    assert_int_equal(latest(side), first);
}

static void hearsay_costs_one_request_now_and_then(void **state) {
    struct prepared_room *all = all_of(state);
    struct side *side = &all->room.side;
    size_t first = ask_three(side, CG_GET);
    deny(side, first);
    deny(side, first + 1);                     /* under the prepared keys: it has these no more than the others */
    assert_int_equal(latest(side), first + 2); /* under those in use, as the answer shows */
    deny(side, first + 2);
    assert_int_equal(latest(side), first + 2);
    room_answer(&all->room, 3, latest(side), "on", (struct style){.pairwise = true});
    settle(side);
    assert_counts(side_reply(side), 1, 0);
}

/* Nobody has claimed them yet. */
static void prepared_keys_that_cannot_send_are_not_waited_for(void **state) {
    struct prepared_room *all = all_of(state);
    struct side *side = &all->room.side;
    see_under_prepared(all);
    call_fini(&side->call);
    world_get(&side->world, &side->call, "/lamps/.member/lamp-3/x");
    side_settle(side);
    assert_true(side->store.count > 0);
    fake_store_refuse(&side->store, CG_STORE_UNCLAIMED, "this key is not claimed");
    settle(side);
    assert_under_those_in_use(all, latest(side));
    size_t asked = latest(side);
    deny(side, asked);
    assert_int_equal(latest(side), asked + 1); /* the one that a hint may cost */
    deny(side, latest(side));
    assert_int_equal(latest(side), asked + 1);
}

static void keys_that_are_in_use_now_go_on(void **state) {
    struct prepared_room *all = all_of(state);
    struct side *side = &all->room.side;
    see_under_prepared(all);
    size_t asked = ask_three(side, CG_PUT);
    side_set_keys(side, side->lamps, &all->keys, 0, NULL);
    world_advance(&side->world, 4 * SECOND);
    settle(side);
    assert_int_equal(latest(side), asked + 1);
    assert_int_equal(side->world.sent[asked].msg.mid, side->world.sent[asked + 1].msg.mid); /* a retransmission */
    answer_under_prepared(all, asked);
    assert_counts(side_reply(side), 1, 0);
}

/* Other keys are prepared instead: nothing goes out under the ones that were given up. */
static void keys_that_are_prepared_no_more_send_nothing(void **state) {
    struct prepared_room *all = all_of(state);
    struct side *side = &all->room.side;
    see_under_prepared(all);
    size_t asked = ask_three(side, CG_PUT);
    side_set_keys(side, side->lamps, &side->keys, 0, NULL);
    world_advance(&side->world, 4 * SECOND);
    settle(side);
    assert_int_equal(latest(side), asked + 1);
    assert_under_those_in_use(all, asked + 1);
}

#define prepared_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        prepared_test(who_was_verified_under_the_prepared_keys_is_asked_under_them),
        prepared_test(the_group_is_asked_under_the_keys_in_use),
        prepared_test(who_says_that_it_lacks_the_keys_is_asked_once_more),
        prepared_test(what_acts_twice_is_not_asked_again_on_hearsay),
        prepared_test(hearsay_costs_one_request_now_and_then),
        prepared_test(prepared_keys_that_cannot_send_are_not_waited_for),
        prepared_test(keys_that_are_in_use_now_go_on),
        prepared_test(keys_that_are_prepared_no_more_send_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
