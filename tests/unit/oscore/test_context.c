/* Security Contexts: which parameters are refused, what the rules about lengths give, peers and their windows (R13,
 * R22). */
#include "fake_group.h"

#include "oscore/derive.h"
#include "oscore/state.h"

#include <sodium.h>

static int try_params(struct fake_group *group, const char **why) {
    struct cg_oscore_context *context;
    const struct fake_member *me = &group->members[0];
    struct cg_oscore_sender_params sender = {
        .id = fake_id(me), .private_key = cg_slice_of(me->private_key, 32), .cred = fake_cred(me)};
    group->params.sender = &sender;
    int err = cg_oscore_context_new(&context, &group->params, why);
    if (err == CG_OK) cg_oscore_context_unref(context);
    group->params.sender = NULL;
    return err;
}

static void test_algorithm_combinations(void **state) {
    (void)state;
    static const struct {
        int aead, group_enc, signature, agreement;
        enum cg_hash hkdf;
        bool fits;
    } cases[] = {
        {10, 10, -8, -27, CG_SHA256, true},
        {10, 10, -7, -27, CG_SHA256, true},
        {10, 10, -8, -28, CG_SHA512, true},
        {10, 10, -8, -27, CG_SHA512, false}, /* the agreement's hash is not the group's */
        {10, 10, -8, -28, CG_SHA256, false},
        {0, 10, -8, 0, CG_SHA256, true},       /* signatures only */
        {10, 0, 0, -27, CG_SHA256, true},      /* pairwise only */
        {10, 10, -8, 0, CG_SHA256, true},      /* an AEAD is named, but there is no pairwise mode */
        {0, -65534, -8, 0, CG_SHA256, true},   /* A128CTR under a signature */
        {10, -65534, 0, -27, CG_SHA256, true}, /* A128CTR without one: no group mode */
        {-65534, 0, 0, -27, CG_SHA256, false}, /* A128CTR in pairwise mode */
        {-65534, 10, -8, -27, CG_SHA256, false},
        {10, -65531, -8, -27, CG_SHA256, false}, /* AES-CBC: A128CBC, A192CBC, A256CBC */
        {10, -65530, -8, -27, CG_SHA256, false},
        {10, -65529, -8, -27, CG_SHA256, false},
        {10, 0, -8, -27, CG_SHA256, true}, /* a signature of nothing: pairwise only */
        {0, 10, -8, -27, CG_SHA256, true}, /* agreement without AEAD: group mode only */
        {10, 10, -19, -27, CG_SHA256, true},
        {10, 10, -9, -27, CG_SHA256, true},
        {10, 0, -35, -27, CG_SHA256, false}, /* alone, but unknown */
        {10, 10, -8, -29, CG_SHA256, false},
        {10, 0, 0, 0, CG_SHA256, false}, /* no mode at all */
        {0, 10, 0, 0, CG_SHA256, false},
        {0, 0, -8, 0, CG_SHA256, false},
        {0, 0, 0, -27, CG_SHA256, false},
        {10, 10, 0, 0, CG_SHA256, false}, /* half of each */
        {0, 10, 0, -27, CG_SHA256, false},
        {0, 0, 0, 0, CG_SHA256, false},
        {10, 10, -35, -27, CG_SHA256, false}, /* ES384 */
        {10, 10, -8, -29, CG_SHA256, false},  /* ECDH-ES with key wrap */
        {99, 10, -8, -27, CG_SHA256, false},
        {10, 99, -8, -27, CG_SHA256, false},
        {10, 10, -8, -27, (enum cg_hash)7, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_group g;
        const char *why = NULL;
        fake_group_make(&g, cases[i].aead, cases[i].group_enc, cases[i].signature, cases[i].agreement, cases[i].hkdf,
                        1);
        int err = try_params(&g, &why);
        if (err != (cases[i].fits ? CG_OK : CG_E_KEY)) fail_msg("case %zu: %d, %s", i, err, why != NULL ? why : "-");
        assert_true(cases[i].fits == (why == NULL)); /* a refusal says why */
    }
}

static void test_other_parameters(void **state) {
    (void)state;
    struct fake_group g;
    const char *why;
    static const uint8_t big[5000];
    fake_group_usual(&g, 1);
    assert_int_equal(try_params(&g, &why), CG_OK);
    g.params.has_id_context = false;
    assert_int_equal(try_params(&g, &why), CG_E_KEY);
    fake_group_usual(&g, 1);
    g.params.gm_cred = CG_SLICE_NONE;
    assert_int_equal(try_params(&g, &why), CG_E_KEY);
    g.params.gm_cred = cg_slice_of(big, CG_CRED_MAX + 1);
    assert_int_equal(try_params(&g, &why), CG_E_KEY);
    fake_group_usual(&g, 1);
    g.params.master_secret = CG_SLICE_NONE;
    assert_int_equal(try_params(&g, &why), CG_E_KEY);
    fake_group_usual(&g, 1);
    g.params.id_context = cg_slice_of(big, CG_OSCORE_ID_CONTEXT_MAX + 1);
    assert_int_equal(try_params(&g, &why), CG_E_KEY);
    g.params.id_context = cg_slice_of(big, CG_OSCORE_ID_CONTEXT_MAX);
    assert_int_equal(try_params(&g, &why), CG_OK);
    fake_group_usual(&g, 1);
    g.params.master_secret = g.params.master_salt = cg_slice_of(big, 256);
    assert_int_equal(try_params(&g, &why), CG_OK);
    g.params.master_secret = cg_slice_of(big, 257);
    assert_int_equal(try_params(&g, &why), CG_E_KEY);
    fake_group_usual(&g, 1);
    g.params.master_salt = cg_slice_of(big, 257);
    assert_int_equal(try_params(&g, &why), CG_E_KEY);
    fake_group_usual(&g, 1);
    g.members[0].private_key[5] ^= 1; /* not the credential's */
    assert_int_equal(try_params(&g, &why), CG_E_KEY);
    /* OSCORE takes none of the group's algorithms and needs a Sender ID. */
    fake_group_usual(&g, 1);
    g.params.group = false;
    assert_int_equal(try_params(&g, &why), CG_E_KEY);
    g.params.alg_group_enc = g.params.alg_signature = g.params.alg_agreement = CG_COSE_NONE;
    assert_int_equal(try_params(&g, &why), CG_OK);
    g.params.alg_aead = CG_COSE_NONE;
    assert_int_equal(try_params(&g, &why), CG_E_KEY);
}

/* RFC 10021 §2.4: the credential's key must be one of the group's algorithm. */
static void test_credentials_must_fit(void **state) {
    (void)state;
    static const enum cg_cose_curve curves[] = {CG_CURVE_ED25519, CG_CURVE_P256, CG_CURVE_X25519};
    static const struct {
        int group_enc, signature, agreement;
        bool fits[3];
    } cases[] = {
        {10, -8, -27, {true, false, false}},
        {10, -7, -27, {false, true, false}},
        {10, -8, 0, {true, false, false}},
        {0, 0, -27, {false, true, true}}, /* pairwise only: keys for key agreement */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_group g;
        fake_group_make(&g, 10, cases[i].group_enc, cases[i].signature, cases[i].agreement, CG_SHA256, 1);
        struct cg_oscore_context *context = fake_context(&g, 0);
        for (size_t c = 0; c < 3; c++) {
            struct fake_member m;
            const char *why = NULL;
            fake_member_make(&m, curves[c], (uint8_t)(0x80 + c), 99);
            int err = cg_oscore_peer_add(context, fake_id(&m), fake_cred(&m), CG_OSCORE_WINDOW_NEW, NULL, &why);
            assert_int_equal(err, cases[i].fits[c] ? CG_OK : CG_E_KEY);
        }
        cg_oscore_context_unref(context);
    }
}

/* The member's credential with an alg in its COSE_Key (a number of one byte: above -25). */
static void name_algorithm(struct fake_member *member, int alg) {
    static const size_t map = 4, kty = 5; /* a1 08 a1 01 [map] 01 kty */
    uint8_t cred[sizeof(member->cred)];
    size_t at = kty + 2;
    memcpy(cred, member->cred, at);
    cred[map]++;
    cred[at++] = 3;
    cred[at++] = (uint8_t)(0x20 | (-1 - alg));
    memcpy(cred + at, member->cred + kty + 2, member->cred_len - (kty + 2));
    memcpy(member->cred, cred, member->cred_len + 2);
    member->cred_len += 2;
}

/* RFC 9864: -19 is what -8 means with an Ed25519 key, -9 what -7 means with one of P-256. */
static void test_credentials_may_name_either_number(void **state) {
    (void)state;
    static const int numbers[] = {CG_COSE_EDDSA, CG_COSE_ED25519, CG_COSE_ES256, CG_COSE_ESP256};
    for (size_t group = 0; group < 4; group++) {
        for (size_t named = 0; named < 4; named++) {
            struct fake_group g;
            struct fake_member m;
            const char *why = NULL;
            fake_group_make(&g, 10, 10, numbers[group], -27, CG_SHA256, 1);
            struct cg_oscore_context *context = fake_context(&g, 0);
            fake_member_make(&m, named < 2 ? CG_CURVE_ED25519 : CG_CURVE_P256, 0x80, 99);
            name_algorithm(&m, numbers[named]);
            int err = cg_oscore_peer_add(context, fake_id(&m), fake_cred(&m), CG_OSCORE_WINDOW_NEW, NULL, &why);
            assert_int_equal(err, group / 2 == named / 2 ? CG_OK : CG_E_KEY);
            fake_member_make(&m, named < 2 ? CG_CURVE_P256 : CG_CURVE_ED25519, 0x81, 98);
            name_algorithm(&m, numbers[named]); /* a number that is not its own key's */
            err = cg_oscore_peer_add(context, fake_id(&m), fake_cred(&m), CG_OSCORE_WINDOW_NEW, NULL, &why);
            assert_int_equal(err, CG_E_KEY);
            cg_oscore_context_unref(context);
        }
    }
}

/* RFC 10021 §2.1.4, §2.2: the Common IV is as long as the longest nonce, a Sender ID as short as the shortest allows.
 */
static void test_lengths(void **state) {
    (void)state;
    static const struct {
        int aead, group_enc;
        size_t common_iv, id;
    } cases[] = {{10, 10, 13, 7},     {10, 24, 13, 6}, {24, 10, 13, 6}, {24, 24, 12, 6},
                 {10, -65534, 13, 6}, {1, 12, 12, 1},  {0, 10, 13, 7},  {0, 24, 12, 6},
                 {10, 0, 13, 7},      {24, 0, 12, 6},  {0, 12, 7, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_group g;
        fake_group_make(&g, cases[i].aead, cases[i].group_enc, cases[i].group_enc ? -8 : 0, cases[i].aead ? -27 : 0,
                        CG_SHA256, 1);
        struct cg_oscore_context *context = fake_context(&g, 0);
        assert_int_equal(context->common_iv_len, cases[i].common_iv);
        assert_int_equal(cg_oscore_sender_id_max(&g.params), cases[i].id);
        struct fake_member m = g.members[1];
        static const uint8_t id[8] = {1, 2, 3, 4, 5, 6, 7, 8};
        struct cg_slice longest = cg_slice_of(id, cases[i].id), longer = cg_slice_of(id, cases[i].id + 1);
        assert_int_equal(cg_oscore_peer_add(context, longer, fake_cred(&m), CG_OSCORE_WINDOW_NEW, NULL, NULL),
                         CG_E_KEY);
        assert_int_equal(cg_oscore_peer_add(context, longest, fake_cred(&m), CG_OSCORE_WINDOW_NEW, NULL, NULL), CG_OK);
        assert_int_equal(cg_oscore_peer_add(context, CG_SLICE_NONE, fake_cred(&m), CG_OSCORE_WINDOW_NEW, NULL, NULL),
                         CG_OK);
        cg_oscore_context_unref(context);
        if (cases[i].id < CG_OSCORE_ID_MAX) {
            const char *why = NULL;
            g.members[0].id_len = cases[i].id + 1;
            assert_int_equal(try_params(&g, &why), CG_E_KEY);
        }
    }
}

static void test_hkdf_sha512_and_separate_groups(void **state) {
    (void)state;
    struct fake_group g, h;
    fake_group_make(&g, 10, 10, -8, -28, CG_SHA512, 1);
    fake_group_make(&h, 10, 10, -8, -27, CG_SHA256, 1);
    struct cg_oscore_context *a = fake_context(&g, 0), *b = fake_context(&h, 0);
    assert_memory_not_equal(a->secrets->sender_key, b->secrets->sender_key, 16);
    cg_oscore_context_unref(b);
    fake_group_make(&h, 10, 10, -8, -28, CG_SHA512, 2);
    b = fake_context(&h, 0);
    assert_memory_not_equal(a->secrets->sender_key, b->secrets->sender_key, 16);
    assert_true(b->serial > a->serial);
    cg_oscore_context_unref(a);
    cg_oscore_context_unref(b);
}

static void test_peers(void **state) {
    (void)state;
    struct fake_group g;
    fake_group_usual(&g, 1);
    struct cg_oscore_context *context = fake_context(&g, 0);
    const char *why = NULL;
    struct cg_oscore_peer *peer;
    assert_int_equal(cg_oscore_peer_add(context, fake_id(&g.members[1]), fake_cred(&g.members[1]), CG_OSCORE_WINDOW_NEW,
                                        &peer, &why),
                     CG_E_KEY); /* taken */
    assert_int_equal(cg_oscore_peer_add(context, fake_id(&g.members[0]), fake_cred(&g.members[0]), CG_OSCORE_WINDOW_NEW,
                                        &peer, &why),
                     CG_E_KEY); /* our own */
    /* A thousand of them are all found again, and gone after removal. */
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t id[3] = {0x99, (uint8_t)(i >> 8), (uint8_t)i};
        assert_int_equal(cg_oscore_peer_add(context, cg_slice_of(id, 3), fake_cred(&g.members[1]), CG_OSCORE_WINDOW_NEW,
                                            &peer, &why),
                         CG_OK);
        cg_oscore_peer_set_user(peer, (void *)(uintptr_t)(i + 1));
    }
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t id[3] = {0x99, (uint8_t)(i >> 8), (uint8_t)i};
        peer = cg_oscore_peer_find(context, cg_slice_of(id, 3));
        assert_non_null(peer);
        assert_int_equal((uintptr_t)cg_oscore_peer_user(peer), i + 1);
        assert_true(cg_slice_equal(cg_oscore_peer_cred(peer), fake_cred(&g.members[1])));
        if (i % 2 == 0) cg_oscore_peer_remove(peer);
        assert_true((cg_oscore_peer_find(context, cg_slice_of(id, 3)) == NULL) == (i % 2 == 0));
    }
    assert_non_null(why); /* why the first was refused */
    peer = fake_peer(context, &g, 2);
    cg_oscore_peer_suspend(peer, true);
    assert_null(cg_oscore_peer_find(context, fake_id(&g.members[2])));
    cg_oscore_peer_suspend(peer, false);
    assert_non_null(cg_oscore_peer_find(context, fake_id(&g.members[2])));
    /* The fingerprint belongs to the credential, not to the kid. */
    uint8_t id[3] = {0x99, 0, 1};
    assert_true(cg_slice_equal(cg_oscore_peer_fingerprint(cg_oscore_peer_find(context, cg_slice_of(id, 3))),
                               cg_oscore_peer_fingerprint(fake_peer(context, &g, 1))));
    cg_oscore_context_unref(context);
}

/* A key that is of low order gives no secret: nothing is sealed with what is not there. */
static void test_keys_that_do_not_agree(void **state) {
    (void)state;
    struct fake_group g;
    fake_group_usual(&g, 1);
    struct cg_oscore_context *context = fake_context(&g, 0);
    struct cg_oscore_peer *peer = fake_peer(context, &g, 1);
    memset(peer->public_key.bytes, 0, 32);
    peer->public_key.bytes[0] = 1;
    uint8_t sealed[256];
    struct cg_oscore_binding binding;
    struct cg_msg plain = fake_request("light", "on");
    assert_int_equal(cg_oscore_peer_warm(peer), CG_E_KEY);
    assert_int_equal(cg_oscore_seal_request(context, peer, 0, &plain, sealed, sizeof(sealed), &binding), CG_E_KEY);
    assert_int_equal(cg_oscore_peer_warm(fake_peer(context, &g, 2)), CG_OK);
    cg_oscore_context_unref(context);
}

/* Equal for the same Sender Key material, in any context object; different where anything of it differs. */
static void test_sender_fingerprint(void **state) {
    (void)state;
    struct fake_group g[4];
    uint8_t print[5][32];
    for (int i = 0; i < 4; i++) fake_group_usual(&g[i], 1);
    g[1].secret[0]++;
    g[2].salt[0]++;
    g[3].gid[0]++;
    for (int i = 0; i < 5; i++) {
        struct cg_oscore_context *context = fake_context(&g[i % 4], 0);
        assert_int_equal(cg_oscore_sender_fingerprint(context, print[i]), CG_OK);
        assert_memory_not_equal(print[i], context->secrets->prk, 32);
        cg_oscore_context_unref(context);
    }
    assert_memory_equal(print[0], print[4], 32);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++) assert_memory_not_equal(print[i], print[j], 32);
    struct cg_oscore_context *other = fake_context(&g[0], 1);
    assert_int_equal(cg_oscore_sender_fingerprint(other, print[1]), CG_OK);
    assert_memory_not_equal(print[0], print[1], 32);
    cg_oscore_context_unref(other);
}

/* The algorithm of the pairwise mode lengthens the Common IV of both modes: the same key, but other nonces. */
static void test_sender_fingerprint_has_the_common_iv(void **state) {
    (void)state;
    static const int aeads[] = {0, 10}, agreements[] = {0, -27};
    struct cg_oscore_context *contexts[2];
    uint8_t print[2][32];
    for (int i = 0; i < 2; i++) {
        struct fake_group g;
        fake_group_make(&g, aeads[i], 12, -8, agreements[i], CG_SHA256, 1);
        contexts[i] = fake_context(&g, 0);
        assert_int_equal(cg_oscore_sender_fingerprint(contexts[i], print[i]), CG_OK);
    }
    assert_memory_equal(contexts[0]->secrets->sender_key, contexts[1]->secrets->sender_key, 16);
    assert_int_not_equal(contexts[0]->common_iv_len, contexts[1]->common_iv_len);
    assert_memory_not_equal(print[0], print[1], 32);
    for (int i = 0; i < 2; i++) cg_oscore_context_unref(contexts[i]);
}

static void test_silent_server(void **state) {
    (void)state;
    struct fake_group g;
    struct cg_oscore_context *client, *silent;
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    uint8_t sealed[256], room[512];
    struct cg_msg plain = fake_request("light", "on"), got;
    fake_group_usual(&g, 1);
    client = fake_context(&g, 0);
    assert_int_equal(cg_oscore_context_new(&silent, &g.params, NULL), CG_OK);
    assert_int_equal(
        cg_oscore_peer_add(silent, fake_id(&g.members[0]), fake_cred(&g.members[0]), CG_OSCORE_WINDOW_NEW, NULL, NULL),
        CG_OK);
    int len = cg_oscore_seal_request(client, NULL, 1, &plain, sealed, sizeof(sealed), &binding);
    struct cg_msg msg = fake_parse(sealed, len);
    assert_int_equal(cg_oscore_open_request(silent, &msg, room, sizeof(room), &got, &opened), CG_OK);
    fake_assert_same(&got, &plain);
    /* It has nothing to send with, and no pairwise mode. */
    struct cg_oscore_reply reply = {.has_number = true, .number = 1};
    struct cg_msg response = fake_response("x");
    assert_int_equal(cg_oscore_seal_response(silent, &reply, &response, sealed, sizeof(sealed), &opened.binding),
                     CG_E_PROTECT);
    len = cg_oscore_seal_request(client, fake_peer(client, &g, 1), 2, &plain, sealed, sizeof(sealed), &binding);
    msg = fake_parse(sealed, len);
    assert_int_equal(cg_oscore_open_request(silent, &msg, room, sizeof(room), &got, &opened), CG_E_BAD_OPTION);
    assert_int_equal(cg_oscore_peer_warm(fake_peer(silent, &g, 0)), CG_E_PROTECT);
    cg_oscore_context_unref(client);
    cg_oscore_context_unref(silent);
}

static void test_big_credentials(void **state) {
    (void)state;
    /* {2: text of 3000 bytes, 8: ...}: legal, and every structure still has room for it. */
    struct fake_group g;
    static uint8_t big[CG_CRED_MAX];
    struct cg_oscore_context *context;
    struct cg_oscore_peer *peer;
    struct cg_oscore_binding binding;
    uint8_t sealed[256];
    fake_group_usual(&g, 1);
    context = fake_context(&g, 0);
    size_t len = 0;
    memcpy(big, "\xa2\x02\x79\x0b\xb8", 5);
    memset(big + 5, 'x', 3000);
    len = 3005;
    memcpy(big + len, g.members[1].cred + 1, g.members[1].cred_len - 1);
    len += g.members[1].cred_len - 1;
    assert_int_equal(
        cg_oscore_peer_add(context, cg_slice_str("big"), cg_slice_of(big, len), CG_OSCORE_WINDOW_NEW, &peer, NULL),
        CG_OK);
    assert_int_equal(cg_oscore_peer_warm(peer), CG_OK);
    struct cg_msg plain = fake_request("a", "");
    assert_true(cg_oscore_seal_request(context, peer, 1, &plain, sealed, sizeof(sealed), &binding) > 0);
    assert_int_equal(cg_oscore_peer_add(context, cg_slice_str("huge"), cg_slice_of(big, sizeof(big) + 1),
                                        CG_OSCORE_WINDOW_NEW, NULL, NULL),
                     CG_E_KEY);
    cg_oscore_context_unref(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_algorithm_combinations),
        cmocka_unit_test(test_other_parameters),
        cmocka_unit_test(test_credentials_must_fit),
        cmocka_unit_test(test_credentials_may_name_either_number),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_hkdf_sha512_and_separate_groups),
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_keys_that_do_not_agree),
        cmocka_unit_test(test_sender_fingerprint),
        cmocka_unit_test(test_sender_fingerprint_has_the_common_iv),
        cmocka_unit_test(test_silent_server),
        cmocka_unit_test(test_big_credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
