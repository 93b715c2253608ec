/* Every role, mode and algorithm: what one member seals the right one opens, nobody else, and no bit of it may change
 * (R12, R13, R23, R24, R26, R27, R56). */
#include "fake_group.h"

#include "oscore/state.h"

static const int aeads[] = {1, 2, 3, 10, 11, 12, 13, 24, 30, 31, 32, 33};
static const int group_encs[] = {1, 2, 3, 10, 11, 12, 13, 24, 30, 31, 32, 33, -65534, -65533, -65532};

/* A client (member 0) and a server (member 1) of one group. */
struct pair {
    struct fake_group group;
    struct cg_oscore_context *client, *server;
    struct cg_oscore_peer *to, *from;
    uint64_t number;
};

static void open_pair(struct pair *pair) {
    pair->client = fake_context(&pair->group, 0);
    pair->server = fake_context(&pair->group, 1);
    pair->to = fake_peer(pair->client, &pair->group, 1);
    pair->from = fake_peer(pair->server, &pair->group, 0);
    pair->number = 0;
}

static void close_pair(struct pair *pair) {
    cg_oscore_context_unref(pair->client);
    cg_oscore_context_unref(pair->server);
}

/* One request and its response, in the modes given. */
static void exchange(struct pair *pair, bool request_in_group_mode, bool response_in_group_mode, bool with_number) {
    uint8_t sealed[512], room[1024];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_oscore_answers answers = {.bare = false};
    struct cg_msg request = fake_request("light", "on"), got;
    int len = cg_oscore_seal_request(pair->client, request_in_group_mode ? NULL : pair->to, pair->number, &request,
                                     sealed, sizeof(sealed), &binding);
    struct cg_msg msg = fake_parse(sealed, len);
    assert_int_equal(msg.code, CG_POST);
    assert_int_equal(cg_oscore_open_request(pair->server, &msg, room, sizeof(room), &got, &opened), CG_OK);
    fake_assert_same(&got, &request);
    assert_ptr_equal(opened.peer, pair->from);
    assert_true(opened.group_mode == request_in_group_mode && opened.has_number && opened.number == pair->number);
    struct cg_oscore_binding server_binding = opened.binding;

    struct cg_oscore_reply reply = {
        .to = response_in_group_mode ? NULL : pair->from, .has_number = with_number, .number = pair->number};
    struct cg_msg response = fake_response("it is on");
    len = cg_oscore_seal_response(pair->server, &reply, &response, sealed, sizeof(sealed), &server_binding);
    msg = fake_parse(sealed, len);
    assert_int_equal(msg.code, CG_CODE(2, 4));
    assert_int_equal(cg_oscore_open_response(pair->client, &msg, &binding, &answers, room, sizeof(room), &got, &opened),
                     CG_OK);
    fake_assert_same(&got, &response);
    assert_ptr_equal(opened.peer, pair->to);
    assert_true(opened.group_mode == response_in_group_mode && opened.has_number == with_number && opened.latest);
    pair->number++;
}

static void exchange_all(struct pair *pair) {
    bool group_mode = cg_oscore_has_group_mode(pair->client), pairwise = cg_oscore_has_pairwise_mode(pair->client);
    for (int request = 0; request < 2; request++) {
        for (int response = 0; response < 2; response++) {
            if ((request || response) && !group_mode) continue;
            if ((!request || !response) && !pairwise) continue;
            exchange(pair, request, response, false);
            exchange(pair, request, response, true);
        }
    }
    assert_true(pair->number > 0);
}

static void test_all_algorithms(void **state) {
    (void)state;
    static const int signatures[] = {CG_COSE_EDDSA, CG_COSE_ES256, CG_COSE_ED25519, CG_COSE_ESP256};
    for (size_t a = 0; a < sizeof(aeads) / sizeof(aeads[0]); a++) {
        for (size_t g = 0; g < sizeof(group_encs) / sizeof(group_encs[0]); g++) {
            for (size_t s = 0; s < sizeof(signatures) / sizeof(signatures[0]); s++) {
                bool sha512 = (a + g) % 2 == 1;
                struct pair pair;
                fake_group_make(&pair.group, aeads[a], group_encs[g], signatures[s],
                                sha512 ? CG_COSE_ECDH_SS_HKDF_512 : CG_COSE_ECDH_SS_HKDF_256,
                                sha512 ? CG_SHA512 : CG_SHA256, 1);
                open_pair(&pair);
                exchange_all(&pair);
                close_pair(&pair);
            }
        }
    }
}

static void test_signature_only_groups(void **state) {
    (void)state;
    for (size_t g = 0; g < sizeof(group_encs) / sizeof(group_encs[0]); g++) {
        struct pair pair;
        fake_group_make(&pair.group, CG_COSE_NONE, group_encs[g], CG_COSE_EDDSA, CG_COSE_NONE, CG_SHA256, 1);
        open_pair(&pair);
        exchange_all(&pair);
        uint8_t sealed[256];
        struct cg_oscore_binding binding;
        struct cg_msg request = fake_request("a", "");
        assert_int_equal(cg_oscore_seal_request(pair.client, pair.to, 100, &request, sealed, sizeof(sealed), &binding),
                         CG_E_PROTECT);
        close_pair(&pair);
    }
}

/* Without the group mode the keys are X25519 keys. */
static void test_pairwise_only_groups(void **state) {
    (void)state;
    for (size_t a = 0; a < sizeof(aeads) / sizeof(aeads[0]); a++) {
        struct pair pair;
        fake_group_make(&pair.group, aeads[a], CG_COSE_NONE, CG_COSE_NONE, CG_COSE_ECDH_SS_HKDF_256, CG_SHA256, 1);
        open_pair(&pair);
        exchange_all(&pair);
        uint8_t sealed[256];
        struct cg_oscore_binding binding;
        struct cg_msg request = fake_request("a", "");
        assert_int_equal(cg_oscore_seal_request(pair.client, NULL, 100, &request, sealed, sizeof(sealed), &binding),
                         CG_E_PROTECT);
        close_pair(&pair);
    }
}

static void test_four_element_countersign_structure(void **state) {
    (void)state;
    struct pair four, five;
    uint8_t sealed[512], room[1024];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg request, got;
    fake_group_usual(&four.group, 1);
    fake_group_usual(&five.group, 1);
    four.group.params.countersign_four = true;
    open_pair(&four);
    open_pair(&five);
    exchange_all(&four);
    request = fake_request("light", "on");
    int len = cg_oscore_seal_request(four.client, NULL, 50, &request, sealed, sizeof(sealed), &binding);
    struct cg_msg msg = fake_parse(sealed, len);
    assert_int_equal(cg_oscore_open_request(five.server, &msg, room, sizeof(room), &got, &opened), CG_E_VERIFY);
    assert_int_equal(cg_oscore_open_request(four.server, &msg, room, sizeof(room), &got, &opened), CG_OK);
    close_pair(&four);
    close_pair(&five);
}

/* Flips every bit behind the token and expects a refusal each time, and that nothing has changed by it. */
static void assert_no_bit_may_change(struct cg_oscore_context *context, struct cg_oscore_peer *from, uint8_t *sealed,
                                     int len, const struct cg_oscore_binding *binding) {
    for (int bit = 6 * 8; bit < len * 8; bit++) {
        uint8_t room[1024];
        struct cg_msg msg, got = {.code = 0};
        struct cg_oscore_opened opened;
        struct cg_oscore_answers answers = {.bare = false};
        const struct cg_oscore_window before = *cg_oscore_peer_window(from);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (cg_msg_parse(&msg, cg_slice_of(sealed, (size_t)len)) == CG_OK) {
            int err = binding == NULL ? cg_oscore_open_request(context, &msg, room, sizeof(room), &got, &opened)
                                      : cg_oscore_open_response(context, &msg, binding, &answers, room, sizeof(room),
                                                                &got, &opened);
            assert_true(err < 0);
            assert_int_equal(got.code, 0);
            assert_false(answers.bare || answers.known || opened.challenge);
        }
        assert_memory_equal(&before, cg_oscore_peer_window(from), sizeof(before));
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void flip_exchange(struct pair *pair, bool group_mode) {
    uint8_t sealed[512], room[1024];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg request = fake_request("light", "on"), got;
    int len = cg_oscore_seal_request(pair->client, group_mode ? NULL : pair->to, 5, &request, sealed, sizeof(sealed),
                                     &binding);
    struct cg_msg msg = fake_parse(sealed, len);
    assert_no_bit_may_change(pair->server, pair->from, sealed, len, NULL);
    assert_int_equal(cg_oscore_open_request(pair->server, &msg, room, sizeof(room), &got, &opened), CG_OK);
    struct cg_oscore_reply reply = {.to = group_mode ? NULL : pair->from, .has_number = true, .number = 7};
    struct cg_msg response = fake_response("it is on");
    len = cg_oscore_seal_response(pair->server, &reply, &response, sealed, sizeof(sealed), &opened.binding);
    assert_no_bit_may_change(pair->client, pair->to, sealed, len, &binding);
    msg = fake_parse(sealed, len);
    struct cg_oscore_answers answers = {.bare = false};
    assert_int_equal(cg_oscore_open_response(pair->client, &msg, &binding, &answers, room, sizeof(room), &got, &opened),
                     CG_OK);
}

static void test_r24_flipped_bits(void **state) {
    (void)state;
    static const int encs[] = {10, 24, 1, -65534};
    for (size_t i = 0; i < 4; i++) {
        struct pair pair;
        fake_group_make(&pair.group, 10, encs[i], CG_COSE_EDDSA, CG_COSE_ECDH_SS_HKDF_256, CG_SHA256, 1);
        open_pair(&pair);
        flip_exchange(&pair, true);
        close_pair(&pair);
        open_pair(&pair);
        flip_exchange(&pair, false);
        close_pair(&pair);
    }
}

/* R26: another group, even one with the same Gid and members, or one that is a clone under another Group Manager (RFC
 * 10021 §13.8). */
static void test_r26_wrong_group(void **state) {
    (void)state;
    struct pair right;
    struct fake_group other_gid, other_secret, clone;
    uint8_t sealed[512], room[1024];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg request = fake_request("alarm", "on"), got;
    fake_group_usual(&right.group, 1);
    other_gid = other_secret = clone = right.group;
    other_gid.gid[0]++;
    other_secret.secret[0]++;
    clone.gm_cred[0]++;
    open_pair(&right);
    struct cg_oscore_context *wrong[] = {fake_context(&other_gid, 1), fake_context(&other_secret, 1),
                                         fake_context(&clone, 1)};
    static const int expected[] = {CG_E_UNAUTHORIZED, CG_E_VERIFY, CG_E_VERIFY};
    for (int mode = 0; mode < 2; mode++) {
        int len = cg_oscore_seal_request(right.client, mode ? NULL : right.to, (uint64_t)mode, &request, sealed,
                                         sizeof(sealed), &binding);
        struct cg_msg msg = fake_parse(sealed, len);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(cg_oscore_open_request(wrong[i], &msg, room, sizeof(room), &got, &opened), expected[i]);
        assert_int_equal(cg_oscore_open_request(right.server, &msg, room, sizeof(room), &got, &opened), CG_OK);
    }
    for (size_t i = 0; i < 3; i++) cg_oscore_context_unref(wrong[i]);
    close_pair(&right);
}

/* R12, R23: a member knows all group keys, and still cannot speak for another one. */
static void test_r23_member_forges_another_sender(void **state) {
    (void)state;
    struct pair pair;
    struct fake_group forged;
    uint8_t sealed[512], room[1024];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg request = fake_request("alarm", "on"), got;
    fake_group_usual(&pair.group, 1);
    open_pair(&pair);
    /* Member 2 takes member 0's Sender ID but has only its own private key. */
    forged = pair.group;
    forged.members[0] = pair.group.members[2];
    forged.members[0].id[0] = pair.group.members[0].id[0];
    forged.members[2] = pair.group.members[0];
    forged.members[2].id[0] = pair.group.members[2].id[0];
    struct cg_oscore_context *forger = fake_context(&forged, 0);
    for (int mode = 0; mode < 2; mode++) {
        int len = cg_oscore_seal_request(forger, mode ? NULL : fake_peer(forger, &forged, 1), (uint64_t)mode, &request,
                                         sealed, sizeof(sealed), &binding);
        struct cg_msg msg = fake_parse(sealed, len);
        assert_int_equal(cg_oscore_open_request(pair.server, &msg, room, sizeof(room), &got, &opened), CG_E_VERIFY);
        assert_false(cg_oscore_peer_window(pair.from)->used);
    }
    cg_oscore_context_unref(forger);
    close_pair(&pair);
}

static void test_wrong_kid(void **state) {
    (void)state;
    struct pair pair;
    struct fake_group stranger;
    uint8_t sealed[512], room[1024];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg request = fake_request("alarm", "on"), got;
    fake_group_usual(&pair.group, 1);
    open_pair(&pair);
    stranger = pair.group;
    stranger.members[0].id[0] = 0x77; /* a Sender ID that nobody was told of */
    struct cg_oscore_context *context = fake_context(&stranger, 0);
    for (int mode = 0; mode < 2; mode++) {
        int len = cg_oscore_seal_request(context, mode ? NULL : fake_peer(context, &stranger, 1), (uint64_t)mode,
                                         &request, sealed, sizeof(sealed), &binding);
        struct cg_msg msg = fake_parse(sealed, len);
        assert_int_equal(cg_oscore_open_request(pair.server, &msg, room, sizeof(room), &got, &opened),
                         CG_E_UNAUTHORIZED);
        /* Our own kid comes back: not processed either (RFC 10021 §7.2). */
        msg = fake_parse(sealed, len);
        assert_int_equal(cg_oscore_open_request(context, &msg, room, sizeof(room), &got, &opened), CG_E_UNAUTHORIZED);
    }
    cg_oscore_context_unref(context);
    close_pair(&pair);
}

/* A pairwise request opens at the one it is for and nowhere else. */
static void test_pairwise_is_for_one(void **state) {
    (void)state;
    struct pair pair;
    uint8_t sealed[512], room[1024];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg request = fake_request("alarm", "on"), got;
    fake_group_usual(&pair.group, 1);
    open_pair(&pair);
    struct cg_oscore_context *third = fake_context(&pair.group, 2);
    int len = cg_oscore_seal_request(pair.client, pair.to, 1, &request, sealed, sizeof(sealed), &binding);
    struct cg_msg msg = fake_parse(sealed, len);
    assert_int_equal(cg_oscore_open_request(third, &msg, room, sizeof(room), &got, &opened), CG_E_VERIFY);
    cg_oscore_context_unref(third);
    close_pair(&pair);
}

/* Algorithms are authenticated: equal keys and another number in the array do not fit. */
static void test_mismatched_algorithms(void **state) {
    (void)state;
    struct pair pair;
    struct fake_group other;
    uint8_t sealed[512], room[1024];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg request = fake_request("a", "b"), got;
    fake_group_usual(&pair.group, 1);
    open_pair(&pair);
    other = pair.group;
    other.params.alg_aead = 30; /* group mode does not use it, and still refuses */
    struct cg_oscore_context *context = fake_context(&other, 1);
    int len = cg_oscore_seal_request(pair.client, NULL, 1, &request, sealed, sizeof(sealed), &binding);
    struct cg_msg msg = fake_parse(sealed, len);
    assert_int_equal(cg_oscore_open_request(context, &msg, room, sizeof(room), &got, &opened), CG_E_VERIFY);
    cg_oscore_context_unref(context);
    close_pair(&pair);
}

/* A plain OSCORE context must not take messages with the Group Flag (RFC 10021 §6), nor the other way round. */
static void test_oscore_and_groups_do_not_mix(void **state) {
    (void)state;
    struct pair pair;
    struct cg_oscore_context *oscore;
    uint8_t sealed[512], room[1024];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg request = fake_request("a", "b"), got;
    fake_group_usual(&pair.group, 1);
    open_pair(&pair);
    struct cg_oscore_sender_params self = {.id = fake_id(&pair.group.members[1])};
    struct cg_oscore_params params = pair.group.params;
    params.group = false;
    params.alg_group_enc = params.alg_signature = params.alg_agreement = CG_COSE_NONE;
    params.gm_cred = CG_SLICE_NONE;
    params.master_secret = cg_slice_of(pair.group.secret, sizeof(pair.group.secret));
    params.master_salt = cg_slice_of(pair.group.salt, sizeof(pair.group.salt));
    params.id_context = cg_slice_of(pair.group.gid, sizeof(pair.group.gid));
    params.sender = &self;
    assert_int_equal(cg_oscore_context_new(&oscore, &params, NULL), CG_OK);
    assert_int_equal(
        cg_oscore_peer_add(oscore, fake_id(&pair.group.members[0]), CG_SLICE_NONE, CG_OSCORE_WINDOW_NEW, NULL, NULL),
        CG_OK);
    for (int mode = 0; mode < 2; mode++) {
        int len = cg_oscore_seal_request(pair.client, mode ? NULL : pair.to, (uint64_t)mode, &request, sealed,
                                         sizeof(sealed), &binding);
        struct cg_msg msg = fake_parse(sealed, len);
        assert_int_equal(cg_oscore_open_request(oscore, &msg, room, sizeof(room), &got, &opened),
                         mode ? CG_E_UNAUTHORIZED : CG_E_VERIFY);
    }
    cg_oscore_context_unref(oscore);
    close_pair(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_algorithms),
        cmocka_unit_test(test_signature_only_groups),
        cmocka_unit_test(test_pairwise_only_groups),
        cmocka_unit_test(test_four_element_countersign_structure),
        cmocka_unit_test(test_r24_flipped_bits),
        cmocka_unit_test(test_r26_wrong_group),
        cmocka_unit_test(test_r23_member_forges_another_sender),
        cmocka_unit_test(test_wrong_kid),
        cmocka_unit_test(test_pairwise_is_for_one),
        cmocka_unit_test(test_mismatched_algorithms),
        cmocka_unit_test(test_oscore_and_groups_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
