/* Opening: hostile datagrams, and hostile insides that a member sealed. The first byte chooses:
 *   0 a request, 1 a response, each as it came from the network; 2, 3 a plain request, sealed and opened again;
 *   4 an inside, of whatever bytes, that a member encrypts for us in pairwise mode. */
#include "input.h"

#include "oscore/nonce.h"
#include "oscore/oscore.h"
#include "oscore/state.h"

#include <sodium.h>

enum { ROOM = 1 << 17, CRED_LEN = 44 };

static struct cg_oscore_context *sides[2]; /* client, server */
static struct cg_oscore_peer *peers[2];    /* the server as the client sees it, and the other way round */
static struct cg_oscore_binding request_binding;

static void make_context(int self, const uint8_t seeds[2][32], const uint8_t creds[2][CRED_LEN]) {
    static const uint8_t ids[2] = {0x25, 0x52};
    struct cg_oscore_sender_params sender = {.id = cg_slice_of(&ids[self], 1),
                                             .private_key = cg_slice_of(seeds[self], 32),
                                             .cred = cg_slice_of(creds[self], CRED_LEN)};
    struct cg_oscore_params params = {.group = true,
                                      .alg_aead = CG_COSE_AES_CCM_16_64_128,
                                      .alg_group_enc = CG_COSE_AES_CCM_16_64_128,
                                      .alg_signature = CG_COSE_EDDSA,
                                      .alg_agreement = CG_COSE_ECDH_SS_HKDF_256,
                                      .hkdf = CG_SHA256,
                                      .master_secret = cg_slice_str("0123456789abcdef"),
                                      .has_id_context = true,
                                      .id_context = cg_slice_str("Dal"),
                                      .gm_cred = cg_slice_str("manager"),
                                      .sender = &sender};
    CG_CHECK(cg_oscore_context_new(&sides[self], &params, NULL) == CG_OK);
    CG_CHECK(cg_oscore_peer_add(sides[self], cg_slice_of(&ids[1 - self], 1), cg_slice_of(creds[1 - self], CRED_LEN),
                                CG_OSCORE_WINDOW_NEW, &peers[self], NULL) == CG_OK);
    CG_CHECK(cg_oscore_peer_warm(peers[self]) == CG_OK);
}

static void set_up(void) {
    static const uint8_t ccs_head[] = {0xa1, 0x08, 0xa1, 0x01, 0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20};
    uint8_t seeds[2][32] = {{1}, {2}}, expanded[64], creds[2][CRED_LEN], sealed[256];
    struct cg_msg request = {.type = CG_NON, .code = CG_GET};
    CG_CHECK(sodium_init() >= 0);
    for (int i = 0; i < 2; i++) {
        memcpy(creds[i], ccs_head, sizeof(ccs_head));
        crypto_sign_seed_keypair(creds[i] + sizeof(ccs_head), expanded, seeds[i]);
    }
    for (int i = 0; i < 2; i++) make_context(i, seeds, creds);
    CG_CHECK(cg_oscore_seal_request(sides[0], NULL, 5, &request, sealed, sizeof(sealed), &request_binding) > 0);
}

/* No input may change what the next one meets. */
static void forget(void) {
    memset(&sides[0]->sent, 0, sizeof(sides[0]->sent));
    for (int i = 0; i < 2; i++) memset(&peers[i]->window, 0, sizeof(peers[i]->window));
}

static void open_raw(struct cg_slice bytes, bool is_request) {
    static uint8_t room[ROOM];
    struct cg_msg msg, plain;
    struct cg_oscore_opened opened;
    struct cg_oscore_answers answers = {.bare = false};
    if (cg_msg_parse(&msg, bytes) != CG_OK) return;
    int err = is_request ? cg_oscore_open_request(sides[1], &msg, room, sizeof(room), &plain, &opened)
                         : cg_oscore_open_response(sides[0], &msg, &request_binding, &answers, room, sizeof(room),
                                                   &plain, &opened);
    CG_CHECK(err < 0); /* a forgery otherwise */
}

static void seal_and_open(struct cg_slice bytes, bool group_mode) {
    static uint8_t sealed[ROOM], room[ROOM];
    struct cg_msg plain, msg, got;
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    if (bytes.len > 4096 || cg_msg_parse(&plain, bytes) != CG_OK) return;
    int len =
        cg_oscore_seal_request(sides[0], group_mode ? NULL : peers[0], 1, &plain, sealed, sizeof(sealed), &binding);
    if (len < 0) return;
    CG_CHECK(cg_msg_parse(&msg, cg_slice_of(sealed, (size_t)len)) == CG_OK);
    int err = cg_oscore_open_request(sides[1], &msg, room, CG_OSCORE_OPEN_ROOM((size_t)len), &got, &opened);
    CG_CHECK(err == CG_OK && got.code == plain.code && cg_slice_equal(got.payload, plain.payload));
    struct cg_slice proxy_uri;
    if (!cg_msg_find(&plain, CG_OPT_PROXY_URI, &proxy_uri)) CG_CHECK(got.options.len <= plain.options.len);
}

static void open_inside(struct cg_slice inside) {
    static uint8_t body[4096 + CG_COSE_TAG_MAX], room[ROOM];
    static const uint8_t number = 7;
    uint8_t option[] = {0x19, number, 3, 'D', 'a', 'l', 0x25}, array[512], structure[512], nonce[CG_COSE_NONCE_MAX],
            bytes[16];
    struct cg_aad aad = cg_oscore_aad(sides[0]);
    struct cg_msg msg = {.type = CG_NON, .code = CG_POST}, got;
    struct cg_oscore_opened opened;
    if (inside.len == 0 || inside.len > 4096) return;
    memcpy(body, inside.data, inside.len);
    aad.request_kid = cg_oscore_sender_id(sides[0]);
    aad.request_piv = cg_slice_of(&number, 1);
    aad.request_kid_context = cg_oscore_context_id(sides[0]);
    aad.option = cg_slice_of(option, sizeof(option));
    aad.sender_cred = sides[0]->cred;
    int array_len = cg_aad_emit_array(array, sizeof(array), &aad);
    CG_CHECK(array_len > 0);
    int structure_len = cg_aad_emit_enc_structure(structure, sizeof(structure), cg_slice_of(array, (size_t)array_len));
    CG_CHECK(structure_len > 0);
    cg_oscore_nonce(nonce, sides[0]->aead->nonce_len, aad.request_kid, aad.request_piv, sides[0]->secrets->common_iv);
    CG_CHECK(cg_aead_seal(&peers[0]->send_key, nonce, cg_slice_of(structure, (size_t)structure_len), body,
                          inside.len) == CG_OK);
    struct cg_msg_writer w = {.data = bytes, .cap = sizeof(bytes)};
    cg_msg_put_opt(&w, CG_OPT_OSCORE, aad.option);
    msg.options = cg_slice_of(bytes, w.len);
    msg.payload = cg_slice_of(body, inside.len + sides[0]->aead->tag_len);
    int err = cg_oscore_open_request(sides[1], &msg, room, sizeof(room), &got, &opened);
    CG_CHECK(err == CG_OK || err == CG_E_FORMAT);
    CG_CHECK(peers[1]->window.used); /* it was a member's, so its number is spent */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (sides[0] == NULL) set_up();
    if (size == 0) return 0;
    struct cg_slice rest = cg_slice_of(data + 1, size - 1);
    forget();
    switch (data[0] % 5) {
    case 0: open_raw(rest, true); break;
    case 1: open_raw(rest, false); break;
    case 2: seal_and_open(rest, true); break;
    case 3: seal_and_open(rest, false); break;
    default: open_inside(rest); break;
    }
    return 0;
}
