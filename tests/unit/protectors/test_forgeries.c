/* A gateway under attack by forgeries without end, before, beside and after what is genuine: members are heard all the
 * same, at a bounded cost. R24, R56. Lamp 2 is whose kid is forged. */
#include "fake_room.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

static struct answer_bytes forged(struct room *room, int lamp, const struct reception *reception) {
    struct answer_bytes bytes = room_seal(room, lamp, reception, "forged", (struct style){.numbered = true});
    bytes.data[bytes.len - 70] ^= 1;
    return bytes;
}

/* From ever other ports and addresses. */
static void flood(struct room *room, const struct answer_bytes *bytes, unsigned first, unsigned count) {
    char text[32];
    for (unsigned i = first; i < first + count; i++) {
        snprintf(text, sizeof text, "127.%u.%u.%u:%u", 2 + i / 62500, i / 250 % 250, i % 250 + 1, 1024 + i % 60000);
        world_deliver(&room->side.world, text, bytes->data, bytes->len);
    }
}

static void flood_from(struct room *room, const struct answer_bytes *bytes, int host, unsigned count) {
    char text[32];
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof text, "127.1.0.%d:%u", host, 1024 + i);
        world_deliver(&room->side.world, text, bytes->data, bytes->len);
    }
}

/* All of it arrives before anything has been verified. */
static void a_member_is_heard_in_the_middle_of_a_flood(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    for (int spoofed = 0; spoofed < 2; spoofed++) { /* from its own address as well */
        size_t sent = side_get(side), before = side->crypto.submitted;
        struct reception two = room_receive(room, 2, sent);
        struct answer_bytes bytes = forged(room, 2, &two);
        if (spoofed) flood_from(room, &bytes, 20, 300);
        if (!spoofed) flood(room, &bytes, 0, 300);
        struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){0});
        side_deliver(side, 20, &genuine);
        if (spoofed) flood_from(room, &bytes, 20, 300);
        if (!spoofed) flood(room, &bytes, 1000, 300);
        room_answer(room, 1, sent, "on", (struct style){0});
        room_answer(room, 3, sent, "on", (struct style){0});
        assert_true(side->crypto.count <= 16 + 1 + 2); /* at once; one of those that wait */
        side_settle(side);
        const char *text = side_reply(side);
        assert_counts(text, 3, 600);
        assert_has(text, "\"body\":\"genuine\"");
        assert_true(side->crypto.submitted - before <= 600 + 3);
        assert_null(side->services.later.casts);
    }
}

/* What waited and was verified is refused for what it is; not for having waited. */
static void what_has_waited_is_refused_for_what_it_is(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct reception two = room_receive(room, 2, side_get(side));
    struct answer_bytes bytes = forged(room, 2, &two);
    flood(room, &bytes, 0, 25);
    assert_int_equal(side->crypto.count, 16 + 1); /* the others wait */
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 0, 25);
    assert_refused(text, "verification-failed", 25);
}

/* The same one by one, as it is where the threads keep up. */
static void a_member_is_heard_behind_a_flood(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent);
    struct answer_bytes bytes = forged(room, 2, &two);
    for (unsigned i = 0; i < 300; i++) {
        flood(room, &bytes, i, 1);
        side_settle(side);
    }
    struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){0});
    flood(room, &genuine, 299, 1); /* even from an address that forgeries came from */
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 1, 300);
    assert_has(text, "\"body\":\"genuine\"");
}

static void every_member_is_heard_where_every_kid_is_forged(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct answer_bytes genuine[LAMPS + 1];
    for (int lamp = 1; lamp <= LAMPS; lamp++) {
        struct reception reception = room_receive(room, lamp, sent);
        struct answer_bytes bytes = forged(room, lamp, &reception);
        flood(room, &bytes, (unsigned)lamp * 1000, 200);
        genuine[lamp] = room_seal(room, lamp, &reception, "genuine", (struct style){0});
    }
    for (int lamp = 1; lamp <= LAMPS; lamp++) side_deliver(side, 20, &genuine[lamp]); /* all behind one address */
    side_settle(side);
    assert_counts(side_reply(side), 3, 600);
}

/* How many are verified in all, and that there is an end. */
static void a_cast_costs_no_more_than_this(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent);
    struct answer_bytes bytes = forged(room, 2, &two);
    for (unsigned i = 0; i < 6000; i += 500) {
        flood(room, &bytes, i, 500);
        side_settle(side);
    }
    assert_int_equal(side->crypto.submitted, 16 + CG_LATER_CAST);
    struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){0});
    side_deliver(side, 77, &genuine); /* from nowhere in particular: it is too late for that */
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 0, 6001);
    sent = side_get(side); /* the next request begins anew */
    room_answer(room, 2, sent, "again", (struct style){0});
    side_settle(side);
    assert_counts(side_reply(side), 1, 0);
}

/* At most one of those that wait is with the threads: they are there for everybody else. */
static void one_at_a_time_in_the_whole_gateway(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent);
    struct answer_bytes bytes = forged(room, 2, &two);
    flood(room, &bytes, 0, 16);
    side_settle(side);
    flood(room, &bytes, 16, 300);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(side->crypto.count, 1);
        fake_crypto_end(&side->crypto, 0);
    }
    room_answer(room, 1, sent, "on", (struct style){0}); /* who is not suspected does not wait */
    assert_int_equal(side->crypto.count, 2);
    bytes = room_seal(room, 2, &two, "genuine", (struct style){.pairwise = true});
    flood(room, &bytes, 900, 1); /* nor does what costs no signature */
    assert_int_equal(side->crypto.count, 2);
    side_settle(side);
    assert_counts(side_reply(side), 2, 316);
}

/* Decrypting costs no more than receiving: forgeries in pairwise mode use nothing up. */
static void forgeries_in_pairwise_mode_make_nobody_wait(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent);
    struct answer_bytes bytes = room_seal(room, 2, &two, "forged", (struct style){.pairwise = true});
    bytes.data[bytes.len - 1] ^= 1;
    flood(room, &bytes, 0, 500);
    assert_int_equal(side->crypto.submitted, 0);
    struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){0});
    flood(room, &genuine, 0, 1);
    assert_int_equal(side->crypto.count, 1);
    assert_null(side->services.later.running);
    side_settle(side);
    assert_counts(side_reply(side), 1, 500);
}

/* Where a member answers from counts for the keys that came meanwhile as well. */
static void an_address_is_known_under_all_keys(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct fake_group next = side->keys;
    struct lamp renewed;
    fake_group_rekey(&next);
    lamp_init(&renewed, &next, 2);
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent);
    side_set_keys(side, side->lamps, &next, 0, NULL);
    struct answer_bytes bytes = room_seal(room, 2, &two, "under the old keys", (struct style){0});
    side_deliver(side, 66, &bytes);
    side_settle(side);
    assert_counts(side_reply(side), 1, 0);
    sent = side_get(side);
    two = lamp_receive(&renewed, &side->world.sent[sent]);
    bytes = lamp_seal(&renewed, &two, "forged", (struct style){.numbered = true});
    bytes.data[bytes.len - 70] ^= 1;
    flood(room, &bytes, 0, 100);
    size_t waiting = side->crypto.count;
    bytes = lamp_seal(&renewed, &two, "genuine", (struct style){0});
    side_deliver(side, 66, &bytes);
    assert_int_equal(side->crypto.count, waiting + 1);
    side_settle(side);
    assert_counts(side_reply(side), 1, 100);
    lamp_fini(&renewed);
}

/* Where a member is known to be, room is kept for it: more than its cast has left. */
static void a_flood_takes_nothing_from_where_the_member_is(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    side->addresses[2] = "127.1.0.2";
    side_set_keys(side, side->lamps, &side->keys, 3, NULL); /* other members, so that it is read */
    for (int known = 0; known < 3; known++) {
        size_t sent = side_get(side);
        struct reception two = room_receive(room, 2, sent);
        struct answer_bytes bytes = forged(room, 2, &two);
        flood(room, &bytes, 0, 2000);
        side_settle(side);
        flood(room, &bytes, 2000, 200);
        size_t waiting = side->crypto.count, before = side->crypto.submitted;
        struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){0});
        static const char *const from[] = {"127.1.0.2:61616", "127.1.0.66:5683", "127.1.0.66:7"};
        if (known == 1) { /* it has moved: heard in its turn, and known from then on */
            world_deliver(&side->world, from[known], genuine.data, genuine.len);
            assert_int_equal(side->crypto.submitted, before);
        } else {
            world_deliver(&side->world, from[known], genuine.data, genuine.len);
            assert_int_equal(side->crypto.submitted, before + 1);
            assert_int_equal(side->crypto.count, waiting + 1);
        }
        side_settle(side);
        const char *text = side_reply(side);
        assert_counts(text, 1, 2200);
        assert_has(text, "\"body\":\"genuine\"");
        if (known == 1) side_set_keys(side, side->lamps, &side->keys, 0, NULL); /* a reload forgets no address */
    }
}

/* All that a cast may cost where forging began so long before. */
static unsigned bound_of(unsigned members, double seconds) {
    return (unsigned)(members * (5 + 2 * seconds) + 256 + 4096 + 1024 + 2 * 1024 * seconds);
}

static void know_all_addresses(struct side *side) {
    static const char *const addresses[FAKE_MEMBERS] = {NULL, "127.1.0.1", "127.1.0.2", "127.1.0.3"};
    memcpy(side->addresses, addresses, sizeof addresses);
    side_set_keys(side, side->lamps, &side->keys, 3, NULL); /* other members, so that they are read */
    side_set_keys(side, side->lamps, &side->keys, 0, NULL);
}

/* Members take their time, and the forger has it: each kid from its own address and from five thousand others, till
 * nothing is left. */
static void members_are_heard_long_after_a_flood(struct room *room, bool known, bool settles) {
    struct side *side = &room->side;
    if (known) know_all_addresses(side);
    const size_t sent = side_get(side), before = side->crypto.submitted;
    struct answer_bytes genuine[LAMPS + 1], bytes[LAMPS + 1];
    for (int lamp = 1; lamp <= LAMPS; lamp++) {
        struct reception reception = room_receive(room, lamp, sent);
        bytes[lamp] = forged(room, lamp, &reception);
        genuine[lamp] = room_seal(room, lamp, &reception, "genuine", (struct style){0});
        for (int i = 0; i < 5; i++) side_deliver(side, lamp, &bytes[lamp]);
    }
    for (unsigned i = 0; i < 6000; i++) {
        flood(room, &bytes[1 + i % 3], i % 5000, 1);
        if (settles && i % 500 == 0) side_settle(side);
    }
    side_settle(side);
    world_advance(&side->world, SECOND + SECOND / 2);
    for (unsigned i = 0; i < 900; i++) flood(room, &bytes[1 + i % 3], 5000 + i, 1); /* and once more */
    if (!known) side_settle(side);
    for (int lamp = 1; lamp <= LAMPS; lamp++) {
        const size_t submitted = side->crypto.submitted;
        side_deliver(side, lamp, &genuine[lamp]);
        if (known) assert_int_equal(side->crypto.submitted, submitted + 1); /* at once */
    }
    side_settle(side);
    assert_in_range(side->crypto.submitted - before, 3, bound_of(3, 1.5));
    const char *text = side_reply(side);
    assert_counts(text, 3, 15 + 6000 + 900);
    assert_int_equal(count_of(text, "\"body\":\"genuine\""), 3);
}

static void known_members_are_heard_long_after_a_flood(void **state) {
    members_are_heard_long_after_a_flood(*state, true, true);
}

static void known_members_are_heard_long_after_a_sudden_flood(void **state) {
    members_are_heard_long_after_a_flood(*state, true, false);
}

static void unknown_members_are_heard_long_after_a_flood(void **state) {
    members_are_heard_long_after_a_flood(*state, false, true);
}

/* Without a moment to recover, and more forged from its own address than is verified at once: it has to wait, but is
 * not refused. */
static void a_known_member_is_heard_where_nothing_is_left(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    know_all_addresses(side);
    const size_t sent = side_get(side), before = side->crypto.submitted;
    struct reception two = room_receive(room, 2, sent);
    struct answer_bytes bytes = forged(room, 2, &two);
    for (unsigned i = 0; i < 6000; i += 500) {
        flood(room, &bytes, i, 500);
        side_settle(side);
    }
    flood_from(room, &bytes, 2, 100);
    flood(room, &bytes, 6000, 100);
    struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){0});
    side_deliver(side, 2, &genuine);
    flood_from(room, &bytes, 2, 100);
    flood(room, &bytes, 6100, 2000);
    side_settle(side);
    assert_int_equal(side->crypto.submitted - before, 16 + 4 + CG_LATER_CAST + 200 + 1 - 4);
    const char *text = side_reply(side);
    assert_counts(text, 1, 8300);
    assert_has(text, "\"body\":\"genuine\"");
}

/* A forger with the addresses of all members, who never stops: what it costs at the most. */
static void a_cast_costs_no_more_where_homes_are_forged(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    know_all_addresses(side);
    const size_t sent = side_get(side), before = side->crypto.submitted;
    struct answer_bytes bytes[LAMPS + 1];
    for (int lamp = 1; lamp <= LAMPS; lamp++) {
        struct reception reception = room_receive(room, lamp, sent);
        bytes[lamp] = forged(room, lamp, &reception);
    }
    unsigned forgeries = 0;
    for (int tenth = 0; tenth <= 15; tenth++) {
        if (tenth > 0) world_advance(&side->world, SECOND / 10);
        for (int i = 0; i < (tenth == 0 ? 6000 : 700); i++, forgeries++) {
            side_deliver(side, 1 + i % 3, &bytes[1 + i % 3]);
            if (i % 200 == 0) side_settle(side);
        }
        side_settle(side);
    }
    const size_t cost = side->crypto.submitted - before;
    assert_in_range(cost, 4096 + 1024 + 3000, bound_of(3, 1.5));
    assert_counts(side_reply(side), 0, forgeries);
}

/* What is in the queue when its cast ends, its client leaves, or the gateway stops. */
static void a_cast_ends_while_answers_wait(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    for (int moment = 0; moment < 3; moment++) {
        size_t sent = side_get(side);
        struct reception two = room_receive(room, 2, sent);
        struct answer_bytes bytes = forged(room, 2, &two);
        flood(room, &bytes, 0, 2000); /* some are displaced */
        if (moment == 1) fake_crypto_run(&side->crypto, side->crypto.count - 1);
        if (moment == 2) {
            cg_gateway_abandon(side->world.gateway, side->call.ticket);
            world_run(&side->world);
        } else {
            world_advance(&side->world, 5 * SECOND); /* threads that hang */
            assert_int_equal(side->call.replies, 1);
        }
        fake_crypto_end_all(&side->crypto);
        assert_null(side->services.later.running);
        assert_null(side->services.later.casts);
        assert_null(side->services.later.displaced);
    }
    size_t sent = side_get(side); /* and once more, for side_fini */
    struct reception two = room_receive(room, 2, sent);
    struct answer_bytes bytes = forged(room, 2, &two);
    flood(room, &bytes, 0, 2000);
}

/* Two casts under attack; one ends, and the other's answers are verified as before. */
static void the_end_of_one_cast_holds_no_other(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    side->world.config->group.nstart = 10;
    struct call other = {0};
    size_t sent = side_get(side);
    assert_non_null(world_new(&side->world, &other, "/lamps/y"));
    world_go(&side->world, &other);
    side_settle(side);
    assert_int_equal(side->world.sent_count, sent + 2);
    for (size_t i = 0; i < 2; i++) {
        struct reception two = room_receive(room, 2, sent + i);
        struct answer_bytes bytes = forged(room, 2, &two);
        flood(room, &bytes, 0, 100);
    }
    struct reception two = room_receive(room, 3, sent + 1);
    struct answer_bytes bytes = forged(room, 3, &two);
    flood(room, &bytes, 500, 100);
    struct answer_bytes genuine = room_seal(room, 3, &two, "genuine", (struct style){0});
    flood(room, &genuine, 900, 1);
    cg_gateway_abandon(side->world.gateway, side->call.ticket); /* the first one's: its answer is being verified */
    world_run(&side->world);
    side_settle(side);
    world_advance(&side->world, 5 * SECOND);
    assert_int_equal(other.replies, 1);
    assert_counts(other.text, 1, 200);
    call_fini(&other);
}

/* Trying several epochs is no way around the limits: what is forged counts once, whatever it was tried under. */
static void forgeries_count_once_under_several_epochs(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct fake_group next = side->keys;
    fake_group_rekey(&next);
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent);
    side_set_keys(side, side->lamps, &next, 0, NULL);
    struct answer_bytes bytes = forged(room, 2, &two);
    flood(room, &bytes, 0, 40);
    assert_int_equal(side->crypto.count, 16 + 1);
    side_settle(side);
    assert_int_equal(side->crypto.submitted, 2 * 40);
    struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){.numbered = true});
    flood(room, &genuine, 40, 1);
    side_settle(side);
    assert_int_equal(side->crypto.submitted, 2 * 41);
    assert_counts(side_reply(side), 1, 40);
}

int main(void) {
    cg_log_set_level(CG_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        room_test(a_member_is_heard_in_the_middle_of_a_flood),
        room_test(what_has_waited_is_refused_for_what_it_is),
        room_test(a_member_is_heard_behind_a_flood),
        room_test(every_member_is_heard_where_every_kid_is_forged),
        room_test(a_cast_costs_no_more_than_this),
        room_test(one_at_a_time_in_the_whole_gateway),
        room_test(forgeries_in_pairwise_mode_make_nobody_wait),
        room_test(an_address_is_known_under_all_keys),
        room_test(a_flood_takes_nothing_from_where_the_member_is),
        room_test(known_members_are_heard_long_after_a_flood),
        room_test(known_members_are_heard_long_after_a_sudden_flood),
        room_test(unknown_members_are_heard_long_after_a_flood),
        room_test(a_known_member_is_heard_where_nothing_is_left),
        room_test(a_cast_costs_no_more_where_homes_are_forged),
        room_test(a_cast_ends_while_answers_wait),
        room_test(the_end_of_one_cast_holds_no_other),
        room_test(forgeries_count_once_under_several_epochs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
