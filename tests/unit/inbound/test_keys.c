/* Members' requests while keys change, numbers are not to be had, and threads work (R24, R54, R55). */
#include "fake_post.h"

#include <string.h>

#include <sodium.h>

static const struct letter_style usual = {0};

static struct letter deliver(struct post *post, struct parcel *parcel, int lamp, struct letter_style style) {
    struct letter letter = post_write(&post->lamps[lamp], style);
    post_deliver(post, parcel, &letter);
    return letter;
}

static void renew_lamp(struct post *post, int number, const struct fake_group *keys) {
    lamp_fini(&post->lamps[number]);
    lamp_init(&post->lamps[number], keys, number);
}

/* The new keys have windows of their own, and those of before are taken no more. */
static void test_rekey(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    struct fake_group next = post->side.keys;
    post_introduce(post, 1, usual);
    fake_group_rekey(&next);
    side_set_keys(&post->side, post->side.lamps, &next, 0, NULL);
    deliver(post, &parcel, 1, usual);
    assert_int_equal(post_count(post, CG_ALERT_FOREIGN), 1);
    renew_lamp(post, 1, &next);
    post_introduce(post, 1, usual);
    assert_int_equal(post_count(post, CG_ALERT_CHALLENGED), 2);
    assert_int_equal(post->heard_count, 2);
}

/* Under keys that are prepared a member that has them already is heard, and stays known when they come into use. */
static void test_prepared(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    struct fake_group next = post->side.keys;
    fake_group_rekey(&next);
    side_set_keys(&post->side, post->side.lamps, &post->side.keys, 0, &next);
    post_introduce(post, 2, usual);
    renew_lamp(post, 1, &next);
    struct letter letter = post_introduce(post, 1, usual);
    assert_int_equal(post->heard_count, 2);
    side_set_keys(&post->side, post->side.lamps, &next, 0, NULL);
    post_deliver(post, &parcel, &letter);
    assert_int_equal(post_count(post, CG_ALERT_REPLAYED), 1);
    deliver(post, &parcel, 1, usual);
    assert_int_equal(post->heard_count, 3);
}

/* The same keys with other members: what was received stays received, and who has left is nobody. */
static void test_eviction_without_rekey(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    post_introduce(post, 2, usual);
    struct letter letter = post_introduce(post, 1, usual);
    side_set_keys(&post->side, post->side.lamps, &post->side.keys, 2, NULL);
    post_deliver(post, &parcel, &letter);
    assert_int_equal(post_count(post, CG_ALERT_REPLAYED), 1);
    deliver(post, &parcel, 1, usual);
    assert_int_equal(post->heard_count, 3);
    deliver(post, &parcel, 2, usual);
    assert_int_equal(post->heard_count, 3);
    assert_int_equal(post_count(post, CG_ALERT_FOREIGN), 1);
}

/* Who comes back begins anew: what was sent meanwhile nobody knows. */
static void test_return(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    post_introduce(post, 2, usual);
    struct letter letter = post_write(&post->lamps[2], usual);
    side_set_keys(&post->side, post->side.lamps, &post->side.keys, 2, NULL);
    side_set_keys(&post->side, post->side.lamps, &post->side.keys, 0, NULL);
    post_deliver(post, &parcel, &letter);
    assert_int_equal(post->heard_count, 1);
    assert_int_equal(post_count(post, CG_ALERT_CHALLENGED), 2);
}

/* While its signature is checked its member is evicted, or comes under an epoch that has the same keys. */
static void test_keys_change_while_it_is_checked(void **state) {
    struct post *post = *state;
    struct parcel parcel, again;
    struct letter_style style = {.group_mode = true};
    post_introduce(post, 2, style);
    post_introduce(post, 1, style);
    post->heard_count = 0;
    struct letter evicted = post_write(&post->lamps[2], style), kept = post_write(&post->lamps[1], style);
    post_send(post, &parcel, "127.1.0.9:40000", evicted.bytes, evicted.len);
    post_send(post, &again, "127.1.0.9:40001", kept.bytes, kept.len);
    side_set_keys(&post->side, post->side.lamps, &post->side.keys, 2, NULL);
    post_settle(post);
    assert_int_equal(post->heard_count, 1);
    assert_string_equal(post->heard[0].member, "lamp-1");
    post_deliver(post, &again, &kept);
    assert_int_equal(post->heard_count, 1);
    assert_int_equal(post_count(post, CG_ALERT_REPLAYED), 1);
}

/* The same bytes twice at a time, from two addresses: one of them counts. */
static void test_twice_while_it_is_checked(void **state) {
    struct post *post = *state;
    struct parcel parcels[2];
    struct letter_style style = {.group_mode = true};
    post_introduce(post, 1, style);
    struct letter letter = post_write(&post->lamps[1], style);
    post_send(post, &parcels[0], "127.1.0.9:40000", letter.bytes, letter.len);
    post_send(post, &parcels[1], "127.1.0.8:40000", letter.bytes, letter.len);
    post_settle(post);
    assert_int_equal(post->heard_count, 2);
    assert_int_equal(parcels[0].saying, CG_INBOUND_ANSWER);
    assert_int_equal(parcels[1].saying, CG_INBOUND_IGNORE);
}

/* Threads end in any order; hearers hear in the order in which requests came. */
static void test_order(void **state) {
    struct post *post = *state;
    enum { COUNT = 8 };
    struct parcel parcels[COUNT];
    struct letter_style style = {.group_mode = true};
    post_introduce(post, 1, style);
    post->heard_count = 0;
    for (int i = 0; i < COUNT; i++) {
        struct letter letter = post_write(&post->lamps[1], style);
        post_send(post, &parcels[i], "127.1.0.9:40000", letter.bytes, letter.len);
    }
    for (size_t i = post->side.crypto.count; i-- > 0;) fake_crypto_run(&post->side.crypto, i);
    fake_crypto_end(&post->side.crypto, COUNT - 1);
    fake_crypto_end(&post->side.crypto, 3);
    assert_int_equal(post->heard_count, 0);
    post_settle(post);
    assert_int_equal(post->heard_count, COUNT);
    for (size_t i = 1; i < COUNT; i++) assert_true(post->heard[i].number > post->heard[i - 1].number);
}

/* Without a number nothing can be answered; what is accepted counts all the same. */
static void test_no_numbers(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    post_introduce(post, 1, usual);
    do { /* until the block is used up */
        struct letter letter = post_write(&post->lamps[1], usual);
        post->heard_count = 0;
        post_send(post, &parcel, "127.1.0.9:40000", letter.bytes, letter.len);
        world_advance(&post->side.world, SECOND);
    } while (parcel.replies == 1);
    assert_int_equal(post->heard_count, 1);
    fake_store_refuse(&post->side.store, CG_STORE_UNAVAILABLE, "the disk is full");
    assert_int_equal(parcel.replies, 1);
    assert_int_equal(parcel.saying, CG_INBOUND_ACKNOWLEDGE);
    assert_true(parcel.is_proven);
}

/* Nobody waits for the reply any more. */
static void test_forgotten(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    struct letter_style style = {.group_mode = true};
    post_introduce(post, 1, style);
    struct letter letter = post_write(&post->lamps[1], style);
    post_send(post, &parcel, "127.1.0.9:40000", letter.bytes, letter.len);
    cg_inbound_forget(post->inbound, &parcel.call);
    post_settle(post);
    assert_int_equal(parcel.replies, 0);
    assert_int_equal(post->heard_count, 2);
}

/* And it ends while threads work. */
static void test_end_while_it_is_checked(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    struct letter_style style = {.group_mode = true};
    post_introduce(post, 1, style);
    struct letter letter = post_write(&post->lamps[1], style);
    post_send(post, &parcel, "127.1.0.9:40000", letter.bytes, letter.len);
    cg_inbound_forget(post->inbound, &parcel.call);
    cg_inbound_free(post->inbound);
    post->inbound = NULL;
    fake_crypto_end_all(&post->side.crypto);
    assert_int_equal(post->heard_count, 1);
}

/* Another Group Manager's group that has the same Gid and Sender IDs. */
static void add_group(struct post *post, struct cg_group_oscore *protector, const struct fake_group *keys) {
    struct cg_arena *arena = &post->side.world.config->arena;
    struct cg_member *members = cg_arena_alloc(arena, LAMPS * sizeof *members);
    assert_non_null(members);
    for (size_t i = 0; i < LAMPS; i++) {
        uint8_t *hash = cg_arena_alloc(arena, crypto_hash_sha256_BYTES);
        crypto_hash_sha256(hash, keys->members[i + 1].cred, keys->members[i + 1].cred_len);
        members[i] = (struct cg_member){.name = "elsewhere", .identity = cg_slice_of(hash, crypto_hash_sha256_BYTES)};
    }
    side_set_keys(&post->side, protector, keys, 0, NULL);
    post->keys[1].name = "floor2";
    post->keys[1].members.list = members;
    post->keys[1].members.count = LAMPS;
    assert_true(cg_members_index(&post->keys[1].members, arena));
    post->groups[1] = (struct cg_alert_group){.keys = &post->keys[1], .server = cg_group_oscore_server(protector)};
    post->side.world.config->alerts.group_count = 2;
}

/* The group in which it verifies is its group; an order is kept all the same. */
static void hear_both_groups(struct post *post, struct letter_style style, side_kind_fn kind,
                             struct letter_style other) {
    struct parcel parcel, others[2];
    struct cg_group_oscore *protector = cg_group_oscore_new(&post->side.services);
    struct fake_group second;
    struct lamp own = post->lamps[2];
    assert_non_null(protector);
    kind(&second, 0x50);
    memcpy(second.gid, post->side.keys.gid, sizeof second.gid);
    add_group(post, protector, &second);
    post_introduce(post, 1, style);
    lamp_init(&post->lamps[2], &second, 2);
    struct letter letter = post_introduce(post, 2, other);
    assert_int_equal(post->heard_count, 2);
    assert_string_equal(post->heard[0].group, "floor1");
    assert_string_equal(post->heard[1].group, "floor2");
    assert_string_equal(post->heard[1].member, "elsewhere");
    post_deliver(post, &parcel, &letter);
    assert_int_equal(post_count(post, CG_ALERT_REPLAYED), 1);
    letter = post_write(&post->lamps[2], other);
    struct letter after = post_write(&post->lamps[1], style);
    post_send(post, &others[0], "127.1.0.9:40000", letter.bytes, letter.len);
    post_send(post, &others[1], "127.1.0.9:40001", after.bytes, after.len);
    post_settle(post);
    post_settle(post);
    assert_int_equal(post->heard_count, 4);
    assert_string_equal(post->heard[2].group, "floor2");
    assert_string_equal(post->heard[3].group, "floor1");
    letter = post_write(&post->lamps[2], other);
    letter.bytes[letter.len - 1] ^= 1;
    post_deliver(post, &parcel, &letter);
    post_settle(post);
    assert_int_equal(post_count(post, CG_ALERT_FORGED), 1);
    lamp_fini(&post->lamps[2]);
    post->lamps[2] = own;
    post->side.world.config->alerts.group_count = 1;
    cg_group_oscore_free(protector);
}

static const struct letter_style group_mode = {.group_mode = true};

static void test_coinciding_gids(void **state) { hear_both_groups(*state, usual, fake_group_usual, usual); }

static void test_coinciding_gids_in_group_mode(void **state) {
    hear_both_groups(*state, group_mode, post_group_mode_only, group_mode);
}

/* What one of them could not have sent is the other's, maybe. */
static void test_coinciding_gids_pairwise_beside_group_mode(void **state) {
    hear_both_groups(*state, group_mode, fake_group_usual, usual);
}

static void test_coinciding_gids_group_mode_beside_pairwise(void **state) {
    hear_both_groups(*state, usual, post_group_mode_only, group_mode);
}

static int group_mode_setup(void **state) { return post_setup_of(state, post_group_mode_only); }
#define group_mode_test(test) cmocka_unit_test_setup_teardown(test, group_mode_setup, post_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        post_test(test_rekey),
        post_test(test_prepared),
        post_test(test_eviction_without_rekey),
        post_test(test_return),
        group_mode_test(test_keys_change_while_it_is_checked),
        group_mode_test(test_twice_while_it_is_checked),
        group_mode_test(test_order),
        post_test(test_coinciding_gids),
        group_mode_test(test_coinciding_gids_in_group_mode),
        group_mode_test(test_coinciding_gids_pairwise_beside_group_mode),
        post_test(test_coinciding_gids_group_mode_beside_pairwise),
        post_test(test_no_numbers),
        group_mode_test(test_forgotten),
        group_mode_test(test_end_while_it_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
