/* The group protector while its keys and members change, in a whole gateway core. R4, R54, R55. */
#include "fake_room.h"

#include <string.h>

#include "base/log.h"

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
    struct reception one = room_receive(room, 1, sent), two = room_receive(room, 2, sent),
                     three = room_receive(room, 3, sent);
    side_set_keys(side, side->lamps, &next.keys, 0, NULL);
    struct answer_bytes old = room_seal(room, 1, &one, "old keys", (struct style){0});
    struct answer_bytes old_numbered = room_seal(room, 2, &two, "old keys, numbered", (struct style){.numbered = true});
    struct answer_bytes fresh = lamp_seal(&next.lamps[3], &three, "new keys", (struct style){.numbered = true});
    side_deliver(side, 1, &old);
    side_deliver(side, 2, &old_numbered); /* without Gid: tried under the new keys first */
    side_deliver(side, 3, &fresh);
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 3, 0);
    rekeyed_fini(&next);
}

static bool is_proven(struct side *side, enum cg_group_which which, int lamp) {
    struct cg_slice identity = world_mapping(&side->world, "lamps")->members[lamp - 1].identity;
    return cg_group_oscore_is_proven(side->lamps, which, identity);
}

static void answers_under_prepared_keys(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    rekey(&next, &side->keys);
    side_set_keys(side, side->lamps, &side->keys, 0, &next.keys);
    size_t sent = side_get(side);
    struct reception one = room_receive(room, 1, sent), two = room_receive(room, 2, sent);
    struct answer_bytes early = lamp_seal(&next.lamps[1], &one, "early", (struct style){.numbered = true});
    struct answer_bytes usual =
        room_seal(room, 2, &two, "usual", (struct style){.pairwise = true, .with_kid_context = true});
    side_deliver(side, 1, &early);
    side_deliver(side, 2, &usual);
    side_settle(side);
    assert_true(is_proven(side, CG_GROUP_NEXT, 1) && !is_proven(side, CG_GROUP_NEXT, 2));
    assert_true(!is_proven(side, CG_GROUP_CURRENT, 1) && is_proven(side, CG_GROUP_CURRENT, 2));
    const uint8_t *prepared = cg_group_oscore_next(side->lamps);
    side_set_keys(side, side->lamps, &next.keys, 0, NULL);
    assert_ptr_equal(cg_group_oscore_current(side->lamps), prepared);
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
    struct reception one = room_receive(room, 1, sent), two = room_receive(room, 2, sent);
    const uint8_t *before = cg_group_oscore_current(side->lamps);
    side_set_keys(side, side->lamps, &side->keys, 0, NULL);
    assert_ptr_equal(cg_group_oscore_current(side->lamps), before); /* the same keys, not equal ones */
    side_set_keys(side, side->lamps, &side->keys, 3, NULL);         /* nor one of the members */
    world_advance(&side->world, 550 * SECOND);
    struct answer_bytes bytes = room_seal(room, 1, &one, "group", (struct style){0});
    side_deliver(side, 1, &bytes);
    bytes = room_seal(room, 2, &two, "pairwise", (struct style){.pairwise = true});
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
    struct reception one = room_receive(room, 1, sent);
    struct answer_bytes bytes =
        room_seal(room, 1, &one, "on", (struct style){.numbered = true, .with_kid_context = true});
    side_deliver(side, 1, &bytes);
    side_settle(side);
    side_set_keys(side, side->lamps, &side->keys, 3, NULL);
    side_deliver(side, 1, &bytes);
    room_answer(room, 2, sent, "pairwise", (struct style){.pairwise = true}); /* its key is still the same */
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 2, 1);
    assert_refused(text, "replayed", 1);
}

/* The same without a Gid in the answer, as members usually send it: it counts once, whatever was reloaded meanwhile. */
static void changed_members_let_no_answer_count_twice(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    for (int numbered = 0; numbered < 2; numbered++) {
        size_t sent = side_get(side);
        struct reception one = room_receive(room, 1, sent);
        struct answer_bytes bytes = room_seal(room, 1, &one, "on", (struct style){.numbered = numbered});
        side_deliver(side, 1, &bytes);
        side_settle(side);
        for (int without = 3; without >= 0; without -= 3) {
            side_set_keys(side, side->lamps, &side->keys, without, NULL);
            side_deliver(side, 1, &bytes);
            side_settle(side);
        }
        const char *text = side_reply(side);
        assert_counts(text, 1, 2);
        assert_refused(text, "replayed", 2);
    }
}

/* What was accepted belongs to the key material, not to the moment at which a file with it was read. */
static void a_rekey_and_a_reload_of_members_let_nothing_count_twice(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    rekey(&next, &side->keys);
    size_t sent = side_get(side);
    struct reception one = room_receive(room, 1, sent);
    side_set_keys(side, side->lamps, &next.keys, 0, NULL);
    struct answer_bytes bytes[2];
    for (int with_gid = 0; with_gid < 2; with_gid++) {
        bytes[with_gid] =
            lamp_seal(&next.lamps[1], &one, "on", (struct style){.numbered = true, .with_kid_context = with_gid});
        side_deliver(side, 1, &bytes[with_gid]);
        side_settle(side);
    }
    side_set_keys(side, side->lamps, &next.keys, 3, NULL);
    side_deliver(side, 1, &bytes[0]);
    side_deliver(side, 1, &bytes[1]);
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 1, 2);
    assert_has(text, "\"duplicates\":1,");
    assert_refused(text, "replayed", 2);
    rekeyed_fini(&next);
}

/* Prepared, taken back, prepared once more. */
static void prepared_keys_that_come_back_let_nothing_count_twice(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    rekey(&next, &side->keys);
    side_set_keys(side, side->lamps, &side->keys, 0, &next.keys);
    size_t sent = side_get(side);
    struct reception one = room_receive(room, 1, sent);
    struct answer_bytes bytes = lamp_seal(&next.lamps[1], &one, "on", (struct style){.numbered = true});
    side_deliver(side, 1, &bytes);
    side_settle(side);
    side_set_keys(side, side->lamps, &side->keys, 0, NULL);
    side_set_keys(side, side->lamps, &side->keys, 0, &next.keys);
    side_deliver(side, 1, &bytes);
    side_settle(side);
    side_set_keys(side, side->lamps, &next.keys, 0, NULL);
    side_deliver(side, 1, &bytes);
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 1, 2);
    assert_refused(text, "replayed", 2);
    rekeyed_fini(&next);
}

/* The gateway under another Sender ID in the same group. */
static void rename_gateway(struct rekeyed *to, const struct fake_group *from) {
    to->keys = *from;
    to->keys.members[0].id[0] = 0x5a;
    for (int i = 1; i <= LAMPS; i++) lamp_init(&to->lamps[i], &to->keys, i);
}

/* RFC 10021 §2.6.3.1: the Gid and everybody else's keys stay, and so do answers in pairwise mode. */
static void a_new_sender_id_loses_no_pairwise_answer(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed renamed;
    rename_gateway(&renamed, &side->keys);
    size_t sent = side_get(side);
    struct reception one = room_receive(room, 1, sent), two = room_receive(room, 2, sent),
                     three = room_receive(room, 3, sent);
    side_set_keys(side, side->lamps, &renamed.keys, 0, NULL);
    struct answer_bytes bytes = room_seal(room, 1, &one, "pairwise", (struct style){.pairwise = true});
    side_deliver(side, 1, &bytes);
    bytes = lamp_seal(&renamed.lamps[2], &two, "has heard of it",
                      (struct style){.pairwise = true, .numbered = true, .with_kid_context = true});
    side_deliver(side, 2, &bytes);
    bytes = room_seal(room, 3, &three, "group", (struct style){.numbered = true});
    side_deliver(side, 3, &bytes);
    side_settle(side);
    assert_counts(side_reply(side), 3, 0);
    sent = side->world.sent_count; /* and nothing more goes out under the old one */
    call_fini(&side->call);
    world_get(&side->world, &side->call, "/lamps/x");
    while (side->store.count > 0) fake_store_grant(&side->store);
    side_settle(side);
    assert_int_equal(side->world.sent_count, sent + 1);
    assert_int_not_equal(lamp_try(&room->lamps[1], &side->world.sent[sent]), CG_OK);
    one = lamp_receive(&renamed.lamps[1], &side->world.sent[sent]);
    rekeyed_fini(&renamed);
}

/* With another credential too: a member answers with the pairwise key of whichever it knows. */
static void a_new_credential_loses_no_pairwise_answer(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct fake_group keys = side->keys;
    struct rekeyed renamed;
    fake_member_make(&keys.members[0], CG_CURVE_ED25519, 0x5a, 0x77);
    rename_gateway(&renamed, &keys);
    size_t sent = side_get(side);
    struct reception one = room_receive(room, 1, sent), two = room_receive(room, 2, sent);
    side_set_keys(side, side->lamps, &renamed.keys, 0, NULL);
    for (int copy = 0; copy < 2; copy++) {
        struct answer_bytes bytes = room_seal(room, 1, &one, "old", (struct style){.pairwise = true});
        side_deliver(side, 1, &bytes);
        bytes = lamp_seal(&renamed.lamps[2], &two, "new", (struct style){.pairwise = true, .numbered = true}); /* two */
        side_deliver(side, 2, &bytes);
    }
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 2, 1);
    assert_has(text, "\"duplicates\":1,");
    rekeyed_fini(&renamed);
}

/* A rekey after that, or after a change of members, ends all of it: what requests were sent under as well. */
static void a_rekey_retires_what_shared_the_keys(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed renamed, next;
    rename_gateway(&renamed, &side->keys);
    rekey(&next, &renamed.keys);
    world_mapping(&side->world, "lamps")->timeout_us = 600 * SECOND;
    for (int kind = 0; kind < 2; kind++) {
        size_t sent = side_get(side);
        struct reception one = room_receive(room, 1, sent), two = room_receive(room, 2, sent);
        if (kind == 0) side_set_keys(side, side->lamps, &renamed.keys, 0, NULL);
        if (kind == 1) side_set_keys(side, side->lamps, &side->keys, 3, NULL);
        side_set_keys(side, side->lamps, &next.keys, 0, NULL);
        struct answer_bytes bytes = room_seal(room, 1, &one, "pairwise", (struct style){.pairwise = true});
        side_deliver(side, 1, &bytes); /* RFC 10021 §2.5.1: its key is deleted */
        world_advance(&side->world, 501 * SECOND);
        bytes = room_seal(room, 2, &two, "too late", (struct style){0});
        side_deliver(side, 2, &bytes);
        side_settle(side);
        world_advance(&side->world, 100 * SECOND);
        const char *text = side_reply(side);
        assert_counts(text, 0, 2);
        assert_refused(text, "unknown-sender", 2);
        side_set_keys(side, side->lamps, &side->keys, 0, NULL);
    }
    rekeyed_fini(&renamed);
    rekeyed_fini(&next);
}

static void an_evicted_member_is_refused_R55(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct rekeyed next;
    rekey(&next, &side->keys);
    size_t sent = side_get(side);
    room_answer(room, 3, sent, "waits for a thread", (struct style){0});
    fake_crypto_run(&side->crypto, 0);
    side_set_keys(side, side->lamps, &next.keys, 3, NULL);
    struct reception three = room_receive(room, 2, sent);
    struct answer_bytes after = room_seal(room, 3, &three, "after", (struct style){.numbered = true});
    struct answer_bytes fresh = lamp_seal(&next.lamps[3], &three, "new keys", (struct style){.numbered = true});
    side_deliver(side, 3, &after);
    side_deliver(side, 3, &fresh); /* somehow it has them */
    room_answer(room, 1, sent, "on", (struct style){0});
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
    room_answer(room, 2, sent, "still here", (struct style){0});
    room_answer(room, 1, sent, "on", (struct style){0});
    room_finish_with(room, "unknown-sender", 1);
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
    struct reception one = room_receive(room, 1, sent), two = room_receive(room, 2, sent);
    side_set_keys(side, side->lamps, &next.keys, 0, NULL);
    world_advance(&side->world, 499 * SECOND);
    struct answer_bytes bytes = room_seal(room, 1, &one, "in time", (struct style){0});
    side_deliver(side, 1, &bytes);
    side_settle(side);
    world_advance(&side->world, 2 * SECOND);
    bytes = room_seal(room, 2, &two, "too old", (struct style){0});
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
    struct reception two = room_receive(room, 2, sent);
    side_set_keys(side, side->lamps, &next.keys, 0, NULL);
    struct answer_bytes bytes = room_seal(room, 2, &two, "old", (struct style){.pairwise = true});
    side_deliver(side, 2, &bytes);
    room_answer(room, 1, sent, "on", (struct style){0});
    room_finish_with(room, "unknown-sender", 1);
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

static void remove_group(struct side *side) {
    const char *why;
    assert_int_equal(cg_group_oscore_stage(side->lamps, NULL, NULL, &why), CG_OK);
    cg_group_oscore_commit(side->lamps);
    world_run(&side->world);
}

/* RFC 10021 §5.1: whoever leaves a group ends what it has begun in it. */
static void a_removed_group_ends_what_runs_with_what_it_has(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent);
    room_answer(room, 1, sent, "on", (struct style){0});
    side_settle(side);
    remove_group(side);
    assert_int_equal(side->call.replies, 1); /* at once */
    assert_counts(side->call.text, 1, 0);
    assert_string_equal(side->call.reply.summary.ended_by, "limit");
    assert_int_equal(cg_gateway_running(side->world.gateway), 0);
    struct answer_bytes late = room_seal(room, 2, &two, "late", (struct style){0});
    side_deliver(side, 2, &late);
    assert_int_equal(side->crypto.count, 0);
}

static void a_removed_group_ends_what_nobody_has_answered_with_an_error(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    side_get(side);
    remove_group(side);
    assert_int_equal(side->call.problems, 1);
    assert_int_equal(side->call.problem.err, CG_E_PROTECT);
    assert_int_equal(cg_gateway_running(side->world.gateway), 0);
}

/* Before it is sent, whatever it waits for; and nothing goes out afterwards. */
static void a_removed_group_ends_what_waits(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    for (int moment = 0; moment < 2; moment++) {
        side->call = (struct call){0};
        world_get(&side->world, &side->call, "/lamps/x");
        assert_int_equal(side->store.count, 1); /* for a number */
        if (moment == 1) fake_store_grant(&side->store);
        assert_int_equal(side->crypto.count, (size_t)moment); /* for its signature */
        remove_group(side);
        assert_int_equal(side->call.problems, 1);
        while (side->store.count > 0) fake_store_grant(&side->store);
        side_settle(side);
        assert_int_equal(side->world.sent_count, 0);
        side_set_keys(side, side->lamps, &side->keys, 0, NULL);
    }
}

/* Retransmissions end as well, and other groups' exchanges go on. */
static void a_removed_group_ends_nothing_else(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct call plain;
    side_get(side);
    world_get(&side->world, &plain, "/pair");
    remove_group(side);
    assert_int_equal(side->call.problems, 1);
    assert_int_equal(plain.replies + plain.problems, 0);
    world_advance(&side->world, 3 * SECOND);
    assert_int_equal(plain.replies, 1);
    call_fini(&plain);
}

static void what_cannot_be_used_changes_nothing(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct fake_group twins = side->keys;
    memcpy(twins.members[2].cred, twins.members[1].cred, sizeof twins.members[1].cred);
    twins.members[2].cred_len = twins.members[1].cred_len;
    struct cg_group_peer peers[2] = {{.kid = fake_id(&twins.members[1]), .cred = fake_cred(&twins.members[1])},
                                     {.kid = fake_id(&twins.members[2]), .cred = fake_cred(&twins.members[2])}};
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
    for (int i = 1; i <= LAMPS; i++) room_answer(room, i, sent, "x", (struct style){0});
    side_settle(side);
    assert_counts(side_reply(side), 3, 0);
}

int main(void) {
    cg_log_set_level(CG_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        room_test(answers_under_old_and_new_keys_R55),
        room_test(answers_under_prepared_keys),
        room_test(unchanged_keys_go_on),
        room_test(changed_members_forget_no_answer),
        room_test(changed_members_let_no_answer_count_twice),
        room_test(a_rekey_and_a_reload_of_members_let_nothing_count_twice),
        room_test(prepared_keys_that_come_back_let_nothing_count_twice),
        room_test(a_new_sender_id_loses_no_pairwise_answer),
        room_test(a_new_credential_loses_no_pairwise_answer),
        room_test(a_rekey_retires_what_shared_the_keys),
        room_test(an_evicted_member_is_refused_R55),
        room_test(a_removed_member_is_refused_R4),
        room_test(nothing_goes_out_under_old_keys_R55),
        room_test(what_the_store_says_of_old_keys_does_not_matter),
        room_test(nothing_that_waited_for_its_turn_goes_out_under_old_keys_R55),
        room_test(old_keys_open_answers_for_500_seconds),
        room_test(old_pairwise_keys_are_gone),
        room_test(a_joiner_cannot_read_what_was_sent_before_R54),
        room_test(a_removed_group_ends_what_runs_with_what_it_has),
        room_test(a_removed_group_ends_what_nobody_has_answered_with_an_error),
        room_test(a_removed_group_ends_what_waits),
        room_test(a_removed_group_ends_nothing_else),
        room_test(what_cannot_be_used_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
