/* Why: a rate of verified answers means something only beside the rate of the bare function on as many cores. The hard
 * thing is to be fair: every message, key and signature is another one, as it is with answers. */
#include "common/bare_verify.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/check.h"
#include "common/figures.h"

enum { THREADS_MAX = 64 };

/* Signing, for what is verified later. */

struct signer {
    struct cg_public_key public_key;
    struct cg_private_key private_key;
};

static void signer_init(struct signer *signer, enum cg_cose_curve curve, const struct bench_identity *identity) {
    struct cg_slice y = curve == CG_CURVE_P256 ? cg_slice_of(identity->public_key + 32, 32) : CG_SLICE_NONE;
    CG_CHECK(cg_public_key_init(&signer->public_key, curve, cg_slice_of(identity->public_key, 32), y, false) == CG_OK);
    CG_CHECK(cg_private_key_init(&signer->private_key, cg_slice_of(identity->private_key, 32), &signer->public_key) ==
             CG_OK);
}

static void signer_fini(struct signer *signer) {
    cg_private_key_fini(&signer->private_key);
    cg_public_key_fini(&signer->public_key);
}

static size_t sign(const struct signer *signer, const uint8_t *message, size_t len, uint8_t signature[80]) {
    if (signer->public_key.curve != CG_CURVE_P256) {
        CG_CHECK(crypto_sign_detached(signature, NULL, message, len, signer->private_key.ed25519) == 0);
        return 64;
    }
    size_t signature_len = 80;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    CG_CHECK(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, signer->private_key.agree) == 1);
    CG_CHECK(EVP_DigestSign(ctx, signature, &signature_len, message, len) == 1);
    EVP_MD_CTX_free(ctx);
    return signature_len;
}

double bench_bare_sign_round(const struct bench_group_keys *keys, size_t len, uint32_t count) {
    struct signer signer;
    uint8_t message[1024] = {0}, signature[80];
    CG_CHECK(len <= sizeof message);
    signer_init(&signer, keys->curve, &keys->gateway);
    uint64_t start_ns = bench_thread_ns();
    for (uint32_t i = 0; i < count; i++) {
        memcpy(message, &i, sizeof i);
        sign(&signer, message, len, signature);
    }
    double spent_ns = (double)(bench_thread_ns() - start_ns) / count;
    signer_fini(&signer);
    return spent_ns;
}

/* Verifying */

void bench_bare_verify_init(struct bench_bare_verify *bare, const struct bench_group_keys *keys, uint32_t count,
                            size_t len) {
    *bare = (struct bench_bare_verify){.curve = keys->curve, .count = count, .len = len};
    bare->messages = malloc(count * len);
    bare->signatures = calloc(count, sizeof *bare->signatures);
    bare->signature_lens = calloc(count, sizeof *bare->signature_lens);
    bare->keys = calloc(count, sizeof *bare->keys);
    bare->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    CG_CHECK(count <= keys->count && bare->messages != NULL && bare->signatures != NULL);
    CG_CHECK(bare->signature_lens != NULL && bare->keys != NULL && bare->sha256 != NULL);
    randombytes_buf(bare->messages, count * len);
    for (uint32_t i = 0; i < count; i++) {
        struct signer signer;
        signer_init(&signer, keys->curve, &keys->members[i]);
        bare->signature_lens[i] = sign(&signer, bare->messages + i * len, len, bare->signatures[i]);
        cg_public_key_share(&bare->keys[i], &signer.public_key);
        signer_fini(&signer);
    }
}

void bench_bare_verify_fini(struct bench_bare_verify *bare) {
    for (uint32_t i = 0; i < bare->count; i++) cg_public_key_fini(&bare->keys[i]);
    EVP_MD_free(bare->sha256);
    free(bare->messages);
    free(bare->signatures);
    free(bare->signature_lens);
    free(bare->keys);
}

static bool verify_p256(const struct bench_bare_verify *bare, uint32_t i) {
    EVP_PKEY_CTX *key_ctx;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool valid = EVP_DigestVerifyInit(ctx, &key_ctx, bare->sha256, NULL, bare->keys[i].pkey) == 1 &&
                 EVP_DigestVerify(ctx, bare->signatures[i], bare->signature_lens[i], bare->messages + i * bare->len,
                                  bare->len) == 1;
    EVP_MD_CTX_free(ctx);
    return valid;
}

struct part {
    const struct bench_bare_verify *bare;
    uint32_t first, step;
    uint64_t cpu_ns;
    pthread_t thread;
};

static void *verify_part(void *ctx) {
    struct part *part = ctx;
    const struct bench_bare_verify *bare = part->bare;
    uint64_t start_ns = bench_thread_ns();
    for (uint32_t i = part->first; i < bare->count; i += part->step) {
        bool valid = bare->curve == CG_CURVE_P256
                         ? verify_p256(bare, i)
                         : crypto_sign_verify_detached(bare->signatures[i], bare->messages + i * bare->len, bare->len,
                                                       bare->keys[i].bytes) == 0;
        CG_CHECK(valid);
    }
    part->cpu_ns = bench_thread_ns() - start_ns;
    return NULL;
}

struct bench_verified bench_bare_verify_round(const struct bench_bare_verify *bare, unsigned threads) {
    struct part parts[THREADS_MAX];
    uint64_t cpu_ns = 0;
    CG_CHECK(threads <= THREADS_MAX);
    uint64_t start_ns = bench_wall_ns();
    for (unsigned i = 0; i < threads; i++) {
        parts[i] = (struct part){.bare = bare, .first = i, .step = threads};
        CG_CHECK(pthread_create(&parts[i].thread, NULL, verify_part, &parts[i]) == 0);
    }
    for (unsigned i = 0; i < threads; i++) {
        CG_CHECK(pthread_join(parts[i].thread, NULL) == 0);
        cpu_ns += parts[i].cpu_ns;
    }
    double wall_ns = (double)(bench_wall_ns() - start_ns);
    return (struct bench_verified){.wall_ns = wall_ns / bare->count, .cpu_ns = (double)cpu_ns / bare->count};
}
