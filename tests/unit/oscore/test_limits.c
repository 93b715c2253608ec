/* Too small, too big, cut off (R57): every length a buffer or message can have. */
#include "fake_group.h"

#include "oscore/nonce.h"
#include "oscore/state.h"

#include <sodium.h>
#include <stdlib.h>

struct scene {
    struct fake_group group;
    struct cg_oscore_context *client, *server;
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg got;
};

static void set_up(struct scene *s) {
    memset(s, 0, sizeof(*s));
    fake_group_usual(&s->group, 1);
    s->client = fake_context(&s->group, 0);
    s->server = fake_context(&s->group, 1);
}

static void tear_down(struct scene *s) {
    cg_oscore_context_unref(s->client);
    cg_oscore_context_unref(s->server);
}

/* Every capacity below the need is refused, the exact one is enough; the sanitizer watches the heap blocks. */
static void test_seal_into_every_capacity(void **state) {
    (void)state;
    struct scene s;
    set_up(&s);
    for (int mode = 0; mode < 2; mode++) {
        struct cg_msg request = fake_request("light", "on");
        struct cg_oscore_peer *to = mode ? NULL : fake_peer(s.client, &s.group, 1);
        uint8_t room[512];
        int need =
            cg_oscore_seal_request(s.client, to, (uint64_t)(mode * 100), &request, room, sizeof(room), &s.binding);
        assert_true(need > 0);
        for (int cap = 0; cap <= need; cap++) {
            uint8_t *data = malloc(cap > 0 ? (size_t)cap : 1);
            int len = cg_oscore_seal_request(s.client, to, (uint64_t)(mode * 100 + 1), &request, data, (size_t)cap,
                                             &s.binding);
            assert_int_equal(len, cap < need ? CG_E_TOO_BIG : need);
            free(data);
        }
    }
    tear_down(&s);
}

static void test_open_into_every_capacity(void **state) {
    (void)state;
    struct scene s;
    set_up(&s);
    for (int mode = 0; mode < 2; mode++) {
        struct cg_msg request = fake_request("light", "on"), msg;
        uint8_t sealed[512];
        int len = cg_oscore_seal_request(s.client, mode ? NULL : fake_peer(s.client, &s.group, 1), (uint64_t)mode,
                                         &request, sealed, sizeof(sealed), &s.binding);
        int err = CG_E_TOO_BIG;
        for (size_t cap = 0; err == CG_E_TOO_BIG; cap++) {
            assert_true(cap <= CG_OSCORE_OPEN_ROOM((size_t)len));
            uint8_t *data = malloc(cap > 0 ? cap : 1);
            msg = fake_parse(sealed, len);
            err = cg_oscore_open_request(s.server, &msg, data, cap, &s.got, &s.opened);
            if (err == CG_OK) fake_assert_same(&s.got, &request);
            free(data);
        }
        assert_int_equal(err, CG_OK); /* lack of room spent nothing */
    }
    tear_down(&s);
}

/* Payloads of every length down to none. */
static void test_truncated_messages(void **state) {
    (void)state;
    struct scene s;
    set_up(&s);
    for (int mode = 0; mode < 2; mode++) {
        struct cg_msg request = fake_request("light", "on"), msg;
        uint8_t sealed[512], room[512];
        int len = cg_oscore_seal_request(s.client, mode ? NULL : fake_peer(s.client, &s.group, 1), (uint64_t)mode,
                                         &request, sealed, sizeof(sealed), &s.binding);
        struct cg_msg whole = fake_parse(sealed, len);
        for (size_t cut = 1; cut <= whole.payload.len; cut++) {
            msg = whole;
            msg.payload.len -= cut;
            int err = cg_oscore_open_request(s.server, &msg, room, sizeof(room), &s.got, &s.opened);
            assert_true(err == CG_E_VERIFY || err == CG_E_BAD_OPTION);
        }
        /* The datagram cut anywhere, in a block of just that size. */
        for (int cut = 0; cut < len; cut++) {
            uint8_t *exact = malloc(cut > 0 ? (size_t)cut : 1);
            memcpy(exact, sealed, (size_t)cut);
            if (cg_msg_parse(&msg, cg_slice_of(exact, (size_t)cut)) == CG_OK)
                assert_true(cg_oscore_open_request(s.server, &msg, room, sizeof(room), &s.got, &s.opened) < 0);
            free(exact);
        }
    }
    tear_down(&s);
}

static void test_big_payloads(void **state) {
    (void)state;
    enum { BIG = 60000 };
    struct scene s;
    static uint8_t plain_bytes[BIG + 64], sealed[BIG + 256], room[CG_OSCORE_OPEN_ROOM(BIG + 256)], payload[BIG];
    struct cg_token token = {.len = 0};
    set_up(&s);
    for (size_t i = 0; i < BIG; i++) payload[i] = (uint8_t)(i * 7);
    for (int mode = 0; mode < 2; mode++) {
        struct cg_msg_writer w;
        cg_msg_begin(&w, plain_bytes, sizeof(plain_bytes), CG_CON, CG_PUT, 1, token);
        cg_msg_put_payload(&w, cg_slice_of(payload, BIG));
        struct cg_msg request = fake_parse(plain_bytes, cg_msg_end(&w));
        int len = cg_oscore_seal_request(s.client, mode ? NULL : fake_peer(s.client, &s.group, 1), (uint64_t)mode,
                                         &request, sealed, sizeof(sealed), &s.binding);
        struct cg_msg msg = fake_parse(sealed, len);
        assert_int_equal(cg_oscore_open_request(s.server, &msg, room, sizeof(room), &s.got, &s.opened), CG_OK);
        fake_assert_same(&s.got, &request);
    }
    tear_down(&s);
}

/* The longest of everything: a Gid of 241 bytes, IDs of 7, the last number, credentials of hundreds of bytes. */
static void test_longest_option(void **state) {
    (void)state;
    struct scene s;
    static uint8_t gid[CG_OSCORE_ID_CONTEXT_MAX];
    uint8_t sealed[1024], room[2048];
    memset(&s, 0, sizeof(s));
    memset(gid, 0x67, sizeof(gid));
    fake_group_usual(&s.group, 1);
    struct fake_member *m = s.group.members;
    for (int i = 0; i < 2; i++) {
        memset(m[i].id, 0x40 + i, CG_OSCORE_ID_MAX);
        m[i].id_len = CG_OSCORE_ID_MAX;
    }
    struct cg_oscore_context *side[2];
    for (int i = 0; i < 2; i++) {
        struct cg_oscore_sender_params sender = {
            .id = fake_id(&m[i]), .private_key = cg_slice_of(m[i].private_key, 32), .cred = fake_cred(&m[i])};
        struct cg_oscore_params params = s.group.params;
        params.sender = &sender;
        params.id_context = cg_slice_of(gid, sizeof(gid));
        assert_int_equal(cg_oscore_context_new(&side[i], &params, NULL), CG_OK);
        assert_int_equal(
            cg_oscore_peer_add(side[i], fake_id(&m[1 - i]), fake_cred(&m[1 - i]), CG_OSCORE_WINDOW_NEW, NULL, NULL),
            CG_OK);
    }
    struct cg_msg request = fake_request("a", "b"), response = fake_response("c"), got;
    int len = cg_oscore_seal_request(side[0], NULL, CG_OSCORE_NUMBER_MAX, &request, sealed, sizeof(sealed), &s.binding);
    struct cg_msg msg = fake_parse(sealed, len);
    struct cg_slice value;
    assert_true(cg_msg_find(&msg, CG_OPT_OSCORE, &value));
    assert_int_equal(value.len, CG_OSCORE_OPTION_MAX);
    assert_int_equal(cg_oscore_open_request(side[1], &msg, room, sizeof(room), &got, &s.opened), CG_OK);
    struct cg_oscore_reply reply = {.has_number = true, .number = CG_OSCORE_NUMBER_MAX, .with_kid_context = true};
    len = cg_oscore_seal_response(side[1], &reply, &response, sealed, sizeof(sealed), &s.opened.binding);
    msg = fake_parse(sealed, len);
    assert_int_equal(cg_oscore_open_response(side[0], &msg, &s.binding, NULL, room, sizeof(room), &got, &s.opened),
                     CG_OK);
    for (int i = 0; i < 2; i++) cg_oscore_context_unref(side[i]);
}

/* Messages that are not what a server or client expects. */
static void test_wrong_kind_of_message(void **state) {
    (void)state;
    struct scene s;
    uint8_t sealed[512], room[512];
    set_up(&s);
    struct cg_msg request = fake_request("a", "");
    assert_int_equal(cg_oscore_open_request(s.server, &request, room, sizeof(room), &s.got, &s.opened),
                     CG_E_BAD_REQUEST);
    int len = cg_oscore_seal_request(s.client, NULL, 1, &request, sealed, sizeof(sealed), &s.binding);
    struct cg_msg msg = fake_parse(sealed, len);
    msg.code = CG_CODE(2, 4);
    assert_int_equal(cg_oscore_open_request(s.server, &msg, room, sizeof(room), &s.got, &s.opened), CG_E_BAD_REQUEST);
    msg.code = CG_POST;
    assert_int_equal(cg_oscore_open_response(s.server, &msg, &s.binding, NULL, room, sizeof(room), &s.got, &s.opened),
                     CG_E_BAD_REQUEST);
    msg.payload.len = 0; /* RFC 8613 §2: malformed */
    assert_int_equal(cg_oscore_open_request(s.server, &msg, room, sizeof(room), &s.got, &s.opened), CG_E_BAD_OPTION);
    tear_down(&s);
}

/* Verified, and still no CoAP message: a member that sends rubbish. The number is spent all the same. */
static void test_rubbish_from_a_member(void **state) {
    (void)state;
    static const char *const bodies[] = {"\x01\xf0", "\x45", "\x00", "\x01\xff", "\x01\x90", "\x01\x92\x09\x01\xff.",
                                         "\xe1"};
    static const size_t lens[] = {2, 1, 1, 2, 2, 6, 1};
    struct scene s;
    set_up(&s);
    struct cg_oscore_peer *to = fake_peer(s.client, &s.group, 1);
    assert_int_equal(cg_oscore_peer_warm(to), CG_OK);
    for (uint64_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        uint8_t sealed[512], room[512], replacement[64];
        struct cg_msg request = fake_request("a", "");
        int len = cg_oscore_seal_request(s.client, to, i, &request, sealed, sizeof(sealed), &s.binding);
        struct cg_msg msg = fake_parse(sealed, len);
        /* Encrypt the rubbish under the same option and nonce, as that member could. */
        struct cg_aad aad = cg_oscore_aad(s.client);
        uint8_t array[512], structure[600], nonce[13], piv[5];
        struct cg_slice piv_slice = cg_slice_of(piv, cg_oscore_piv_emit(piv, i));
        aad.request_kid = cg_oscore_sender_id(s.client);
        aad.request_piv = piv_slice;
        aad.request_kid_context = cg_oscore_context_id(s.client);
        assert_true(cg_msg_find(&msg, CG_OPT_OSCORE, &aad.option));
        aad.sender_cred = s.client->cred;
        int array_len = cg_aad_emit_array(array, sizeof(array), &aad);
        int structure_len =
            cg_aad_emit_enc_structure(structure, sizeof(structure), cg_slice_of(array, (size_t)array_len));
        memcpy(replacement, bodies[i], lens[i]);
        cg_oscore_nonce(nonce, 13, aad.request_kid, piv_slice, s.client->secrets->common_iv);
        assert_int_equal(
            cg_aead_seal(&to->send_key, nonce, cg_slice_of(structure, (size_t)structure_len), replacement, lens[i]),
            CG_OK);
        msg.payload = cg_slice_of(replacement, lens[i] + 8);
        struct cg_msg got = {.code = 0};
        memset(room, 0, sizeof(room));
        assert_int_equal(cg_oscore_open_request(s.server, &msg, room, sizeof(room), &got, &s.opened), CG_E_FORMAT);
        assert_int_equal(got.code, 0);
        assert_int_equal(sodium_is_zero(room, sizeof(room)), 1); /* what was decrypted is wiped */
        assert_int_equal(cg_oscore_open_request(s.server, &msg, room, sizeof(room), &got, &s.opened), CG_E_REPLAY);
    }
    tear_down(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal_into_every_capacity), cmocka_unit_test(test_open_into_every_capacity),
        cmocka_unit_test(test_truncated_messages),       cmocka_unit_test(test_big_payloads),
        cmocka_unit_test(test_longest_option),           cmocka_unit_test(test_wrong_kind_of_message),
        cmocka_unit_test(test_rubbish_from_a_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
