/* Why: everything that is derived once per epoch. Hard: the rules that couple the algorithms. The Common IV is as long
 * as the longest nonce, Sender IDs as short as the shortest allows, and 'info' names the Group Encryption Algorithm
 * where there is one, even in keys that only feed the pairwise mode. */
#include "oscore/state.h"
#include "oscore/derive.h"
#include "base/check.h"
#include "oscore/failure.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

static int refuse(const char **why, const char *sentence) {
    if (why != NULL) *why = sentence;
    return CG_E_KEY;
}

static const struct cg_cose_cipher *cipher_or_none(int id) { return id == CG_COSE_NONE ? NULL : cg_cose_cipher(id); }

/* Each algorithm may be set alone; a mode is there where both of its are (RFC 10021 §2.1.1, §2.1.7 to §2.1.10). */
static int check_group_algorithms(const struct cg_oscore_params *p, const char **why) {
    bool group_mode = p->alg_group_enc != CG_COSE_NONE && p->alg_signature != CG_COSE_NONE;
    bool pairwise_mode = p->alg_aead != CG_COSE_NONE && p->alg_agreement != CG_COSE_NONE;
    if (p->alg_group_enc != CG_COSE_NONE && cg_cose_cipher(p->alg_group_enc) == NULL)
        return refuse(why, "alg_group_enc is unknown or, as AES-CBC, forbidden (RFC 10021 2.1.7)");
    if (p->alg_signature != CG_COSE_NONE && cg_cose_signature_curve(p->alg_signature) == CG_CURVE_NONE)
        return refuse(why, "alg_signature must be -8 (EdDSA), -19 (Ed25519), -7 (ES256) or -9 (ESP256)");
    if (p->alg_agreement != CG_COSE_NONE && cg_cose_agreement_hash(p->alg_agreement) != p->hkdf)
        return refuse(why, "alg_pairwise_key_agreement must be -27 with HKDF SHA-256, -28 with HKDF SHA-512");
    if (!group_mode && !pairwise_mode) return refuse(why, "neither the group mode nor the pairwise mode is set up");
    return CG_OK;
}

static int check_params(const struct cg_oscore_params *p, const char **why) {
    const struct cg_cose_cipher *aead = cipher_or_none(p->alg_aead);
    if (p->hkdf != CG_SHA256 && p->hkdf != CG_SHA512) return refuse(why, "the HKDF must use SHA-256 or SHA-512");
    if (p->alg_aead != CG_COSE_NONE && (aead == NULL || aead->tag_len == 0))
        return refuse(why, "alg_aead must be an AEAD algorithm that is known here");
    if (p->group) {
        int err = check_group_algorithms(p, why);
        if (err != CG_OK) return err;
        if (!p->has_id_context) return refuse(why, "a group needs a Gid");
        if (p->gm_cred.len == 0 || p->gm_cred.len > CG_CRED_MAX)
            return refuse(why, "gm_cred is missing or longer than 4096 bytes");
    } else {
        if (aead == NULL) return refuse(why, "OSCORE needs alg_aead");
        if (p->alg_group_enc != CG_COSE_NONE || p->alg_signature != CG_COSE_NONE || p->alg_agreement != CG_COSE_NONE)
            return refuse(why, "OSCORE has no group algorithms");
        if (p->sender == NULL) return refuse(why, "OSCORE needs a Sender ID");
    }
    if (p->has_id_context && p->id_context.len > CG_OSCORE_ID_CONTEXT_MAX)
        return refuse(why, "the ID Context is longer than 241 bytes");
    if (p->sender != NULL && p->sender->id.len > cg_oscore_sender_id_max(p))
        return refuse(why, "the Sender ID is longer than the nonce allows");
    return CG_OK;
}

/* The shortest and the longest nonce among the algorithms that are set. */
static void nonce_lens(const struct cg_oscore_params *p, size_t *shortest, size_t *longest) {
    const struct cg_cose_cipher *a = cipher_or_none(p->alg_aead), *g = cipher_or_none(p->alg_group_enc);
    if (a == NULL) a = g;
    if (g == NULL) g = a;
    *shortest = a == NULL ? 0 : a->nonce_len < g->nonce_len ? a->nonce_len : g->nonce_len;
    *longest = a == NULL ? 0 : a->nonce_len > g->nonce_len ? a->nonce_len : g->nonce_len;
}

size_t cg_oscore_sender_id_max(const struct cg_oscore_params *params) {
    size_t shortest, longest;
    nonce_lens(params, &shortest, &longest);
    return shortest > 6 ? shortest - 6 : 0;
}

static struct cg_slice keep(uint8_t **at, struct cg_slice from) {
    struct cg_slice kept = cg_slice_of(*at, from.len);
    if (from.len > 0) memcpy(*at, from.data, from.len);
    *at += from.len;
    return kept;
}

static int copy_params(struct cg_oscore_context *context, const struct cg_oscore_params *p) {
    static const uint16_t gcp_options[] = {2, 24, 248}; /* Multicast-Timeout, Group-ETag, Reply-From */
    struct cg_slice cred = p->group && p->sender != NULL ? p->sender->cred : CG_SLICE_NONE;
    struct cg_slice id_context = p->has_id_context ? p->id_context : CG_SLICE_NONE;
    size_t shortest;
    context->owned = malloc(1 + id_context.len + p->gm_cred.len + cred.len);
    if (context->owned == NULL) return CG_E_NO_MEMORY;
    uint8_t *at = context->owned;
    context->id_context = keep(&at, id_context);
    context->gm_cred = keep(&at, p->gm_cred);
    context->cred = keep(&at, cred);
    context->group = p->group;
    context->hash = p->hkdf;
    context->alg_signature = p->alg_signature;
    context->alg_agreement = p->alg_agreement;
    context->aead = cipher_or_none(p->alg_aead);
    context->group_enc = cipher_or_none(p->alg_group_enc);
    context->has_id_context = p->has_id_context;
    context->send_id_context = p->has_id_context && (p->group || p->send_id_context);
    context->hop = p->hop && !p->group;
    context->countersign_four = p->countersign_four;
    nonce_lens(p, &shortest, &context->common_iv_len);
    context->id_max = cg_oscore_sender_id_max(p);
    memcpy(context->class_u, p->class_u, sizeof(context->class_u));
    if (context->class_u[0] == 0) memcpy(context->class_u, gcp_options, sizeof(gcp_options));
    return CG_OK;
}

static int fetch(const struct cg_cose_cipher *cipher, EVP_CIPHER **fetched) {
    if (cipher == NULL) return CG_OK;
    *fetched = EVP_CIPHER_fetch(NULL, cipher->openssl, NULL);
    return *fetched != NULL ? CG_OK : cg_openssl_failure();
}

const struct cg_cose_cipher *cg_oscore_info_cipher(const struct cg_oscore_context *context) {
    return context->group_enc != NULL ? context->group_enc : context->aead;
}

static int derive(const struct cg_oscore_context *context, struct cg_slice id, const char *type, uint8_t *to,
                  size_t len) {
    uint8_t info[CG_INFO_MAX];
    size_t info_len = cg_info_key(info, id, context->has_id_context ? &context->id_context : NULL,
                                  cg_oscore_info_cipher(context)->id, type, len);
    return cg_hkdf_expand(context->hash, context->secrets->prk, cg_slice_of(info, info_len), to, len);
}

int cg_oscore_derive_key(const struct cg_oscore_context *context, struct cg_slice id, uint8_t *to) {
    return derive(context, id, "Key", to, cg_oscore_info_cipher(context)->key_len);
}

static int derive_common(struct cg_oscore_context *context, const struct cg_oscore_params *p) {
    struct cg_oscore_secrets *secrets = context->secrets;
    int err = cg_hkdf_extract(p->hkdf, p->master_salt, p->master_secret, secrets->prk);
    if (err == CG_OK) err = derive(context, CG_SLICE_NONE, "IV", secrets->common_iv, context->common_iv_len);
    if (err == CG_OK && cg_oscore_has_group_mode(context))
        err = derive(context, CG_SLICE_NONE, "SEKey", secrets->signature_encryption_key, context->group_enc->key_len);
    return err;
}

int cg_oscore_credential_key(const struct cg_oscore_context *context, struct cg_slice cred, struct cg_public_key *key,
                             const char **why) {
    struct cg_ccs ccs;
    int err = cg_ccs_parse(&ccs, cred);
    if (err != CG_OK) return refuse(why, "the credential is not a CCS with a usable COSE_Key");
    if (context->alg_signature != CG_COSE_NONE) {
        if (ccs.curve != cg_cose_signature_curve(context->alg_signature) ||
            (ccs.alg != CG_COSE_NONE && !cg_cose_same_signature(ccs.alg, context->alg_signature)))
            return refuse(why, "the credential's key does not fit alg_signature");
    } else if (ccs.curve == CG_CURVE_ED25519 || (ccs.alg != CG_COSE_NONE && ccs.alg != context->alg_agreement)) {
        return refuse(why, "the credential's key does not fit alg_pairwise_key_agreement");
    }
    err = cg_public_key_init(key, ccs.curve, ccs.x, ccs.y, ccs.y_is_odd);
    return err == CG_OK ? CG_OK : refuse(why, "the credential's public key is not a valid point");
}

static int derive_sender(struct cg_oscore_context *context, const struct cg_oscore_sender_params *sender,
                         const char **why) {
    context->has_sender = true;
    context->sender_id_len = sender->id.len;
    if (sender->id.len > 0) memcpy(context->sender_id, sender->id.data, sender->id.len);
    int err = cg_oscore_derive_key(context, sender->id, context->secrets->sender_key);
    if (err != CG_OK || !context->group) return err;
    struct cg_public_key public_key;
    err = cg_oscore_credential_key(context, context->cred, &public_key, why);
    if (err != CG_OK) return err;
    err = cg_private_key_init(&context->private_key, sender->private_key, &public_key);
    cg_public_key_fini(&public_key);
    if (err == CG_E_KEY) return refuse(why, "the private key is not the one of the own credential");
    if (err != CG_OK) return err;
    if (!cg_oscore_has_group_mode(context)) return CG_OK;
    return cg_aead_key_init(&context->group_send_key, context->group_enc, context->group_enc_fetched,
                            context->secrets->sender_key, true);
}

int cg_oscore_scratch_fit(struct cg_oscore_context *context, size_t cred_len) {
    size_t len = CG_AAD_ROOM(cred_len, context->gm_cred.len);
    if (len <= context->scratch_len) return CG_OK;
    uint8_t *scratch = realloc(context->scratch, 2 * len);
    if (scratch == NULL) return CG_E_NO_MEMORY;
    context->scratch = scratch;
    context->scratch_len = len;
    return CG_OK;
}

/* What members and checkers have in common; the secrets are still zero. */
static int context_new(struct cg_oscore_context **created, const struct cg_oscore_params *params) {
    static atomic_uint_least64_t serials;
    struct cg_oscore_context *context = NULL;
    int err = CG_E_NO_MEMORY;
    if (sodium_init() < 0) return CG_E_INTERNAL;
    context = calloc(1, sizeof(*context));
    if (context == NULL) return CG_E_NO_MEMORY;
    context->refs = 1;
    context->serial = context->generation = atomic_fetch_add(&serials, 1) + 1;
    context->secrets = sodium_malloc(sizeof(*context->secrets)); /* works where locking memory is not allowed, too */
    if (context->secrets == NULL) goto failed;
    memset(context->secrets, 0, sizeof(*context->secrets));
    context->bucket_count = 16;
    context->buckets = calloc(context->bucket_count, sizeof(*context->buckets));
    if (context->buckets == NULL) goto failed;
    err = copy_params(context, params);
    if (err == CG_OK) err = fetch(context->aead, &context->aead_fetched);
    if (err == CG_OK) err = fetch(context->group_enc, &context->group_enc_fetched);
    if (err == CG_OK) err = cg_oscore_scratch_fit(context, context->cred.len);
    if (err != CG_OK) goto failed;
    *created = context;
    return CG_OK;
failed:
    cg_oscore_context_unref(context);
    return err;
}

int cg_oscore_context_new(struct cg_oscore_context **context, const struct cg_oscore_params *params, const char **why) {
    int err = check_params(params, why);
    if (err != CG_OK) return err;
    if (params->master_secret.len == 0 || params->master_secret.len > CG_OSCORE_SECRET_MAX ||
        params->master_salt.len > CG_OSCORE_SECRET_MAX)
        return refuse(why, "the Master Secret is missing, or it or the Master Salt is longer than 256 bytes");
    struct cg_oscore_context *created;
    err = context_new(&created, params);
    if (err != CG_OK) return err;
    err = derive_common(created, params);
    if (err == CG_OK && params->sender != NULL) err = derive_sender(created, params->sender, why);
    if (err != CG_OK) {
        cg_oscore_context_unref(created);
        return err;
    }
    *context = created;
    return CG_OK;
}

int cg_oscore_checker_new(struct cg_oscore_context **context, const struct cg_oscore_params *params,
                          struct cg_slice signature_encryption_key, const char **why) {
    int err = check_params(params, why);
    if (err != CG_OK) return err;
    if (!params->group || params->alg_group_enc == CG_COSE_NONE || params->alg_signature == CG_COSE_NONE)
        return refuse(why, "a signature checker needs a group with the group mode");
    if (params->sender != NULL || params->master_secret.len > 0 || params->master_salt.len > 0)
        return refuse(why, "a signature checker must not have what a member has");
    if (signature_encryption_key.len != cg_cose_cipher(params->alg_group_enc)->key_len)
        return refuse(why, "signature_encryption_key must be as long as alg_group_enc's key");
    struct cg_oscore_context *created;
    err = context_new(&created, params);
    if (err != CG_OK) return err;
    created->checker = true;
    memcpy(created->secrets->signature_encryption_key, signature_encryption_key.data, signature_encryption_key.len);
    *context = created;
    return CG_OK;
}

void cg_oscore_context_ref(struct cg_oscore_context *context) { context->refs++; }

void cg_oscore_context_unref(struct cg_oscore_context *context) {
    CG_CHECK(context->refs > 0);
    if (--context->refs > 0) return;
    cg_oscore_peers_fini(context);
    cg_aead_key_fini(&context->group_send_key);
    cg_private_key_fini(&context->private_key);
    cg_vault_fini(&context->vault);
    sodium_free(context->secrets); /* wipes */
    EVP_CIPHER_free(context->aead_fetched);
    EVP_CIPHER_free(context->group_enc_fetched);
    free(context->buckets);
    free(context->scratch);
    free(context->owned);
    free(context);
}

void cg_oscore_context_retire(struct cg_oscore_context *context) {
    context->retired = true;
    cg_oscore_peers_forget_pairwise(context);
}

static void hash_field(crypto_hash_sha256_state *hash, const uint8_t *field, size_t len) {
    const uint8_t length = (uint8_t)len;
    crypto_hash_sha256_update(hash, &length, sizeof length);
    crypto_hash_sha256_update(hash, field, len);
}

int cg_oscore_sender_fingerprint(const struct cg_oscore_context *context, uint8_t to[32]) {
    static const char purpose[] = "castgate sender 2";
    crypto_hash_sha256_state hash;
    if (!context->has_sender) return CG_E_PROTECT;
    crypto_hash_sha256_init(&hash);
    crypto_hash_sha256_update(&hash, (const uint8_t *)purpose, sizeof purpose);
    hash_field(&hash, context->secrets->sender_key, cg_oscore_info_cipher(context)->key_len);
    hash_field(&hash, context->secrets->common_iv, context->common_iv_len);
    crypto_hash_sha256_final(&hash, to);
    sodium_memzero(&hash, sizeof hash);
    return CG_OK;
}

int cg_oscore_keys_fingerprint(const struct cg_oscore_context *context, uint8_t to[32]) {
    uint8_t info[CG_INFO_MAX];
    size_t len = cg_info_key(info, CG_SLICE_NONE, context->has_id_context ? &context->id_context : NULL, CG_COSE_NONE,
                             "castgate keys", 32);
    return cg_hkdf_expand(context->hash, context->secrets->prk, cg_slice_of(info, len), to, 32);
}

uint64_t cg_oscore_generation(const struct cg_oscore_context *context) { return context->generation; }

void cg_oscore_set_generation(struct cg_oscore_context *context, uint64_t generation) {
    context->generation = generation;
}

struct cg_slice cg_oscore_signature_encryption_key(const struct cg_oscore_context *context) {
    if (!cg_oscore_has_group_mode(context)) return CG_SLICE_NONE;
    return cg_slice_of(context->secrets->signature_encryption_key, context->group_enc->key_len);
}

bool cg_oscore_context_matches(const struct cg_oscore_context *context, const struct cg_oscore_option *option) {
    if (!option->has_kid_context) return true;
    return context->has_id_context && cg_slice_equal(option->kid_context, context->id_context);
}

bool cg_oscore_has_group_mode(const struct cg_oscore_context *context) {
    return context->group_enc != NULL && context->alg_signature != CG_COSE_NONE;
}

bool cg_oscore_has_pairwise_mode(const struct cg_oscore_context *context) {
    bool possible = context->aead != NULL && (!context->group || context->alg_agreement != CG_COSE_NONE);
    return possible && !context->checker && !(context->group && context->retired);
}

struct cg_slice cg_oscore_context_id(const struct cg_oscore_context *context) {
    return context->id_context;
}

struct cg_slice cg_oscore_sender_id(const struct cg_oscore_context *context) {
    return cg_slice_of(context->sender_id, context->sender_id_len);
}

int cg_oscore_keystream(const struct cg_oscore_context *context, struct cg_slice piv_id, struct cg_slice piv,
                        bool is_request, uint8_t keystream[CG_COSE_SIGNATURE_LEN]) {
    uint8_t info[CG_INFO_MAX];
    size_t len = cg_info_keystream(info, piv_id, context->id_context, is_request, CG_COSE_SIGNATURE_LEN);
    return cg_hkdf(context->hash, piv, cg_oscore_signature_encryption_key(context), cg_slice_of(info, len), keystream,
                   CG_COSE_SIGNATURE_LEN);
}

struct cg_aad cg_oscore_aad(const struct cg_oscore_context *context) {
    return (struct cg_aad){
        .group = context->group,
        .alg_aead = context->aead != NULL ? context->aead->id : CG_COSE_NONE,
        .alg_group_enc = context->group_enc != NULL ? context->group_enc->id : CG_COSE_NONE,
        .alg_signature = context->alg_signature,
        .alg_agreement = context->alg_agreement,
        .gm_cred = context->gm_cred,
    };
}
