/* What a message costs in oscore/, in CPU microseconds: pairwise and group mode, and each of the three steps where a
 * signature is between. Usage: oscore [messages] */
#include "oscore/oscore.h"
#include "base/check.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CRED_LEN = 44, SEALED_MAX = 256 };

static double cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Two members of one group, who know each other. */
static void make_sides(struct cg_oscore_context *side[2], struct cg_oscore_peer *peer[2]) {
    static const uint8_t ccs_head[] = {0xa1, 0x08, 0xa1, 0x01, 0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20};
    static const uint8_t ids[2] = {1, 2};
    uint8_t seed[2][32] = {{1}, {2}}, cred[2][CRED_LEN], expanded[64];
    for (int i = 0; i < 2; i++) {
        memcpy(cred[i], ccs_head, sizeof(ccs_head));
        crypto_sign_seed_keypair(cred[i] + sizeof(ccs_head), expanded, seed[i]);
    }
    for (int i = 0; i < 2; i++) {
        struct cg_oscore_sender_params sender = {.id = cg_slice_of(&ids[i], 1),
                                                 .private_key = cg_slice_of(seed[i], 32),
                                                 .cred = cg_slice_of(cred[i], CRED_LEN)};
        struct cg_oscore_params params = {.group = true,
                                          .alg_aead = CG_COSE_AES_CCM_16_64_128,
                                          .alg_group_enc = CG_COSE_AES_CCM_16_64_128,
                                          .alg_signature = CG_COSE_EDDSA,
                                          .alg_agreement = CG_COSE_ECDH_SS_HKDF_256,
                                          .hkdf = CG_SHA256,
                                          .master_secret = cg_slice_str("0123456789abcdef"),
                                          .has_id_context = true,
                                          .id_context = cg_slice_str("Gid"),
                                          .gm_cred = cg_slice_of(cred[0], CRED_LEN),
                                          .sender = &sender};
        CG_CHECK(cg_oscore_context_new(&side[i], &params, NULL) == CG_OK);
        CG_CHECK(cg_oscore_peer_add(side[i], cg_slice_of(&ids[1 - i], 1), cg_slice_of(cred[1 - i], CRED_LEN),
                                    CG_OSCORE_WINDOW_NEW, &peer[i], NULL) == CG_OK);
        CG_CHECK(cg_oscore_peer_warm(peer[i]) == CG_OK);
    }
}

static struct cg_msg parse(const uint8_t *data, int len) {
    struct cg_msg msg;
    CG_CHECK(len > 0 && cg_msg_parse(&msg, cg_slice_of(data, (size_t)len)) == CG_OK);
    return msg;
}

int main(int argc, char **argv) {
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
    struct cg_oscore_context *side[2];
    struct cg_oscore_peer *peer[2];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg plain = {.type = CG_NON, .code = CG_PUT, .payload = cg_slice_str("a reading of usual length: 23.5")};
    uint8_t sealed[SEALED_MAX], room[CG_OSCORE_OPEN_ROOM(SEALED_MAX)];
    double spent[6] = {0};
    CG_CHECK(sodium_init() >= 0);
    make_sides(side, peer);
    for (uint64_t i = 0; i < count; i++) {
        struct cg_msg got;
        double start = cpu_us();
        int len = cg_oscore_seal_request(side[0], peer[0], 2 * i, &plain, sealed, sizeof(sealed), &binding);
        double middle = cpu_us();
        struct cg_msg msg = parse(sealed, len);
        CG_CHECK(cg_oscore_open_request(side[1], &msg, room, sizeof(room), &got, &opened) == CG_OK);
        spent[0] += middle - start;
        spent[1] += cpu_us() - middle;
    }
    for (uint64_t i = 0; i < count; i++) {
        struct cg_msg got;
        struct cg_oscore_opening op;
        double times[5] = {cpu_us()};
        int len = cg_oscore_seal_request(side[0], NULL, 2 * (count + i), &plain, sealed, sizeof(sealed), &binding);
        times[1] = cpu_us();
        struct cg_msg msg = parse(sealed, len);
        CG_CHECK(cg_oscore_open_request_prepare(&op, side[1], &msg) == CG_PENDING);
        times[2] = cpu_us();
        cg_oscore_verify_run(&op.job);
        times[3] = cpu_us();
        CG_CHECK(cg_oscore_open_finish(&op, NULL, room, sizeof(room), &got, &opened) == CG_OK);
        times[4] = cpu_us();
        for (int k = 0; k < 4; k++) spent[2 + k] += times[k + 1] - times[k];
    }
    static const char *const names[] = {"pairwise seal",      "pairwise open",     "group mode seal",
                                        "group open prepare", "group open verify", "group open finish"};
    for (int k = 0; k < 6; k++) printf("%-20s %7.2f us\n", names[k], spent[k] / (double)count);
    for (int i = 0; i < 2; i++) cg_oscore_context_unref(side[i]);
    return 0;
}
