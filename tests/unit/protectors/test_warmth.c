/* Which members have yet to take what the gateway sends: known by what they answer to the key in use. */
#include "fake_room.h"

#include <sodium.h>

static struct cg_slice identity_of(struct side *side, int lamp) {
    return world_mapping(&side->world, "lamps")->members[lamp - 1].identity;
}

static bool is_cold(struct side *side, int lamp) {
    struct cg_protector *protector = cg_group_oscore_protector(side->lamps);
    return protector->ops->is_cold(protector, identity_of(side, lamp));
}

static uint64_t renewals(const struct side *side) { return cg_group_oscore_protector(side->lamps)->renewals; }

static struct style challenge_style(void) {
    static struct cg_opt echo;
    static struct cg_opts options;
    echo = (struct cg_opt){.number = CG_OPT_ECHO, .value = cg_slice_str("12345678")};
    options = (struct cg_opts){.list = &echo, .count = 1};
    return (struct style){.numbered = true, .code = CG_CODE(4, 1), .options = &options};
}

/* One request; lamp 1 answers it. */
static void warm_the_first(struct room *room) {
    size_t sent = side_get(&room->side);
    room_answer(room, 1, sent, "on", (struct style){0});
    side_settle(&room->side);
    (void)side_reply(&room->side);
}

static void all_are_cold_until_they_answer(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    assert_int_equal(cg_group_oscore_cold(side->lamps), LAMPS);
    assert_int_equal(renewals(side), 1);
    warm_the_first(room);
    assert_false(is_cold(side, 1));
    assert_true(is_cold(side, 2));
    assert_int_equal(cg_group_oscore_cold(side->lamps), LAMPS - 1);
}

static void who_challenges_is_cold_until_it_has_answered(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    warm_the_first(room);
    size_t sent = side_get(side);
    room_answer(room, 1, sent, "", challenge_style()); /* it was started again */
    side_settle(side);
    assert_true(is_cold(side, 1));
    size_t retry = side->world.sent_count - 1;
    assert_true(retry > sent);
    room_answer(room, 1, retry, "on", (struct style){.type = CG_CON});
    side_settle(side);
    assert_false(is_cold(side, 1));
    (void)side_reply(side);
}

static void other_members_under_the_same_key_change_nothing(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    warm_the_first(room);
    side_set_keys(side, side->lamps, &side->keys, 3, NULL);
    assert_false(is_cold(side, 1));
    assert_true(is_cold(side, 2));
    assert_false(is_cold(side, 3)); /* it is no member */
    assert_int_equal(cg_group_oscore_cold(side->lamps), 1);
    assert_int_equal(renewals(side), 1);
}

static void a_rekey_makes_all_cold(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct fake_group next = side->keys;
    warm_the_first(room);
    fake_group_rekey(&next);
    side_set_keys(side, side->lamps, &side->keys, 0, &next); /* prepared: nothing is sent with it yet */
    assert_int_equal(renewals(side), 1);
    assert_false(is_cold(side, 1));
    side_set_keys(side, side->lamps, &next, 0, NULL);
    assert_int_equal(renewals(side), 2);
    assert_int_equal(cg_group_oscore_cold(side->lamps), LAMPS);
}

static void without_keys_nobody_is_cold(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    const char *why;
    assert_int_equal(cg_group_oscore_stage(side->lamps, NULL, NULL, &why), CG_OK);
    cg_group_oscore_commit(side->lamps);
    assert_int_equal(cg_group_oscore_cold(side->lamps), 0);
    assert_false(is_cold(side, 1));
    assert_int_equal(renewals(side), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        room_test(all_are_cold_until_they_answer),
        room_test(who_challenges_is_cold_until_it_has_answered),
        room_test(other_members_under_the_same_key_change_nothing),
        room_test(a_rekey_makes_all_cold),
        room_test(without_keys_nobody_is_cold),
    };
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
