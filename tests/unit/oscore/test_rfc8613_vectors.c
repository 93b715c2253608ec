/* RFC 8613 Appendix C: all eight test vectors. */
#include "fake_group.h"

#include "oscore/derive.h"
#include "oscore/nonce.h"
#include "oscore/state.h"
#include "base/text.h"

struct hex {
    uint8_t data[128];
    size_t len;
};

static struct cg_slice from_hex(struct hex *to, const char *text) {
    assert_int_equal(cg_hex_parse(cg_slice_str(text), to->data, sizeof(to->data), &to->len), CG_OK);
    return cg_slice_of(to->data, to->len);
}

static void assert_hex(struct cg_slice actual, const char *text) {
    struct hex expected;
    struct cg_slice e = from_hex(&expected, text);
    assert_int_equal(actual.len, e.len);
    assert_memory_equal(actual.data, e.data, e.len);
}

/* One endpoint with one peer. id_context NULL: none. */
static struct cg_oscore_context *endpoint(const char *salt, const char *sender, const char *recipient,
                                          const char *id_context, struct cg_oscore_peer **peer) {
    struct hex secret, salt_bytes, sender_id, recipient_id, context_id;
    struct cg_oscore_sender_params self = {.id = from_hex(&sender_id, sender)};
    struct cg_oscore_params params = {
        .alg_aead = CG_COSE_AES_CCM_16_64_128,
        .hkdf = CG_SHA256,
        .master_secret = from_hex(&secret, "0102030405060708090a0b0c0d0e0f10"),
        .master_salt = from_hex(&salt_bytes, salt),
        .has_id_context = id_context != NULL,
        .send_id_context = id_context != NULL,
        .sender = &self,
    };
    if (id_context != NULL) params.id_context = from_hex(&context_id, id_context);
    struct cg_oscore_context *context = NULL;
    assert_int_equal(cg_oscore_context_new(&context, &params, NULL), CG_OK);
    struct cg_slice id = from_hex(&recipient_id, recipient);
    assert_int_equal(cg_oscore_peer_add(context, id, CG_SLICE_NONE, CG_OSCORE_WINDOW_NEW, peer, NULL), CG_OK);
    return context;
}

struct derivation {
    const char *salt, *sender, *recipient, *id_context;
    const char *info_sender, *info_recipient, *info_iv;
    const char *sender_key, *recipient_key, *common_iv, *sender_nonce, *recipient_nonce;
};

static const struct derivation derivations[] = {
    /* C.1.1, C.1.2 */
    {"9e7ca92223786340", "", "01", NULL, "8540f60a634b657910", "854101f60a634b657910", "8540f60a6249560d",
     "f0910ed7295e6ad4b54fc793154302ff", "ffb14e093c94c9cac9471648b4f98710", "4622d4dd6d944168eefb54987c",
     "4622d4dd6d944168eefb54987c", "4722d4dd6d944169eefb54987c"},
    {"9e7ca92223786340", "01", "", NULL, "854101f60a634b657910", "8540f60a634b657910", "8540f60a6249560d",
     "ffb14e093c94c9cac9471648b4f98710", "f0910ed7295e6ad4b54fc793154302ff", "4622d4dd6d944168eefb54987c",
     "4722d4dd6d944169eefb54987c", "4622d4dd6d944168eefb54987c"},
    /* C.2.1, C.2.2 */
    {"", "00", "01", NULL, "854100f60a634b657910", "854101f60a634b657910", "8540f60a6249560d",
     "321b26943253c7ffb6003b0b64d74041", "e57b5635815177cd679ab4bcec9d7dda", "be35ae297d2dace910c52e99f9",
     "bf35ae297d2dace910c52e99f9", "bf35ae297d2dace810c52e99f9"},
    {"", "01", "00", NULL, "854101f60a634b657910", "854100f60a634b657910", "8540f60a6249560d",
     "e57b5635815177cd679ab4bcec9d7dda", "321b26943253c7ffb6003b0b64d74041", "be35ae297d2dace910c52e99f9",
     "bf35ae297d2dace810c52e99f9", "bf35ae297d2dace910c52e99f9"},
    /* C.3.1, C.3.2 */
    {"9e7ca92223786340", "", "01", "37cbf3210017a2d3", "85404837cbf3210017a2d30a634b657910",
     "8541014837cbf3210017a2d30a634b657910", "85404837cbf3210017a2d30a6249560d", "af2a1300a5e95788b356336eeecd2b92",
     "e39a0c7c77b43f03b4b39ab9a268699f", "2ca58fb85ff1b81c0b7181b85e", "2ca58fb85ff1b81c0b7181b85e",
     "2da58fb85ff1b81d0b7181b85e"},
    {"9e7ca92223786340", "01", "", "37cbf3210017a2d3", "8541014837cbf3210017a2d30a634b657910",
     "85404837cbf3210017a2d30a634b657910", "85404837cbf3210017a2d30a6249560d", "e39a0c7c77b43f03b4b39ab9a268699f",
     "af2a1300a5e95788b356336eeecd2b92", "2ca58fb85ff1b81c0b7181b85e", "2da58fb85ff1b81d0b7181b85e",
     "2ca58fb85ff1b81c0b7181b85e"},
};

static void assert_info(const struct cg_oscore_context *context, struct cg_slice id, const char *type, size_t len,
                        const char *expected) {
    uint8_t info[CG_INFO_MAX];
    size_t info_len = cg_info_key(info, id, context->has_id_context ? &context->id_context : NULL, 10, type, len);
    assert_hex(cg_slice_of(info, info_len), expected);
}

static void assert_nonce(const struct cg_oscore_context *context, struct cg_slice id, const char *expected) {
    uint8_t nonce[13], zero = 0;
    cg_oscore_nonce(nonce, sizeof(nonce), id, cg_slice_of(&zero, 1), context->secrets->common_iv);
    assert_hex(cg_slice_of(nonce, sizeof(nonce)), expected);
}

static void test_c1_to_c3_derivations(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(derivations) / sizeof(derivations[0]); i++) {
        const struct derivation *d = &derivations[i];
        struct cg_oscore_peer *peer;
        struct cg_oscore_context *context = endpoint(d->salt, d->sender, d->recipient, d->id_context, &peer);
        assert_info(context, cg_oscore_sender_id(context), "Key", 16, d->info_sender);
        assert_info(context, cg_oscore_peer_id(peer), "Key", 16, d->info_recipient);
        assert_info(context, CG_SLICE_NONE, "IV", 13, d->info_iv);
        assert_hex(cg_slice_of(context->secrets->sender_key, 16), d->sender_key);
        assert_hex(cg_slice_of(peer->recipient_key, 16), d->recipient_key);
        assert_hex(cg_slice_of(context->secrets->common_iv, 13), d->common_iv);
        assert_nonce(context, cg_oscore_sender_id(context), d->sender_nonce);
        assert_nonce(context, cg_oscore_peer_id(peer), d->recipient_nonce);
        cg_oscore_context_unref(context);
    }
}

struct request {
    const char *salt, *client, *server, *id_context, *plain, *sealed;
};

static const struct request requests[] = {
    /* C.4, C.5, C.6 */
    {"9e7ca92223786340", "", "01", NULL, "44015d1f00003974396c6f63616c686f737483747631",
     "44025d1f00003974396c6f63616c686f7374620914ff612f1092f1776f1c1668b3825e"},
    {"", "00", "01", NULL, "440171c30000b932396c6f63616c686f737483747631",
     "440271c30000b932396c6f63616c686f737463091400ff4ed339a5a379b0b8bc731fffb0"},
    {"9e7ca92223786340", "", "01", "37cbf3210017a2d3", "44012f8eef9bbf7a396c6f63616c686f737483747631",
     "44022f8eef9bbf7a396c6f63616c686f73746b19140837cbf3210017a2d3ff72cd7273fd331ac45cffbe55c3"},
};

/* Seals the request as the client and opens it as the server; the binding that the server gets goes to *binding. */
static void run_request(const struct request *r, struct cg_oscore_context *client, struct cg_oscore_peer *to,
                        struct cg_oscore_context *server, struct cg_oscore_binding *client_binding,
                        struct cg_oscore_binding *binding) {
    struct hex bytes;
    uint8_t sealed[128], room[256];
    struct cg_oscore_opened opened;
    struct cg_slice datagram = from_hex(&bytes, r->plain);
    struct cg_msg plain = fake_parse(datagram.data, (int)datagram.len), got;
    int len = cg_oscore_seal_request(client, to, 20, &plain, sealed, sizeof(sealed), client_binding);
    assert_true(len > 0);
    assert_hex(cg_slice_of(sealed, (size_t)len), r->sealed);
    struct cg_msg msg = fake_parse(sealed, len);
    assert_int_equal(cg_oscore_open_request(server, &msg, room, sizeof(room), &got, &opened), CG_OK);
    fake_assert_same(&got, &plain);
    *binding = opened.binding;
}

static void test_c4_to_c6_requests(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const struct request *r = &requests[i];
        struct cg_oscore_peer *to, *from;
        struct cg_oscore_binding client_binding, binding;
        struct cg_oscore_context *client = endpoint(r->salt, r->client, r->server, r->id_context, &to);
        struct cg_oscore_context *server = endpoint(r->salt, r->server, r->client, r->id_context, &from);
        run_request(r, client, to, server, &client_binding, &binding);
        cg_oscore_context_unref(client);
        cg_oscore_context_unref(server);
    }
}

static void test_c7_c8_responses(void **state) {
    (void)state;
    static const char *const sealed_hex[] = {
        "64445d1f0000397490ffdbaad1e9a7e7b2a813d3c31524378303cdafae119106",
        "64445d1f00003974920100ff4d4c13669384b67354b2b6175ff4b8658c666a6cf88e",
    };
    struct hex bytes;
    struct cg_slice datagram = from_hex(&bytes, "64455d1f00003974ff48656c6c6f20576f726c6421");
    struct cg_msg plain = fake_parse(datagram.data, (int)datagram.len), got;
    for (int with_number = 0; with_number < 2; with_number++) {
        struct cg_oscore_peer *to, *from;
        struct cg_oscore_binding client_binding, binding;
        struct cg_oscore_opened opened;
        struct cg_oscore_answers answers = {.bare = false};
        uint8_t sealed[128], room[256];
        struct cg_oscore_context *client = endpoint("9e7ca92223786340", "", "01", NULL, &to);
        struct cg_oscore_context *server = endpoint("9e7ca92223786340", "01", "", NULL, &from);
        run_request(&requests[0], client, to, server, &client_binding, &binding);
        struct cg_oscore_reply reply = {.to = from, .has_number = with_number != 0, .number = 0};
        int len = cg_oscore_seal_response(server, &reply, &plain, sealed, sizeof(sealed), &binding);
        assert_true(len > 0);
        assert_hex(cg_slice_of(sealed, (size_t)len), sealed_hex[with_number]);
        struct cg_msg msg = fake_parse(sealed, len);
        assert_int_equal(
            cg_oscore_open_response(client, &msg, &client_binding, &answers, room, sizeof(room), &got, &opened), CG_OK);
        fake_assert_same(&got, &plain);
        cg_oscore_context_unref(client);
        cg_oscore_context_unref(server);
    }
}

/* RFC 8613 §5.4's example of an AAD. */
static void test_aad_example(void **state) {
    (void)state;
    uint8_t kid = 0, piv = 0x25, array[64], structure[64];
    struct cg_aad aad = {.alg_aead = 10, .request_kid = cg_slice_of(&kid, 1), .request_piv = cg_slice_of(&piv, 1)};
    int len = cg_aad_emit_array(array, sizeof(array), &aad);
    assert_hex(cg_slice_of(array, (size_t)len), "8501810a4100412540");
    len = cg_aad_emit_enc_structure(structure, sizeof(structure), cg_slice_of(array, (size_t)len));
    assert_hex(cg_slice_of(structure, (size_t)len), "8368456e63727970743040498501810a4100412540");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_c1_to_c3_derivations),
        cmocka_unit_test(test_c4_to_c6_requests),
        cmocka_unit_test(test_c7_c8_responses),
        cmocka_unit_test(test_aad_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
