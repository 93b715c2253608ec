/* Why: Recipient Contexts, found by kid for every message. Hard: a peer may be removed while a message of it is in the
 * thread pool, so removal takes it off the table and the last reference wipes it. */
#include "oscore/state.h"
#include "oscore/derive.h"
#include "base/check.h"
#include "base/text.h"

#include <openssl/crypto.h>
#include <sodium.h>
#include <stdlib.h>

static int refuse(const char **why, const char *sentence) {
    if (why != NULL) *why = sentence;
    return CG_E_KEY;
}

static struct cg_oscore_peer **bucket_of(const struct cg_oscore_context *context, struct cg_slice id) {
    return &context->buckets[cg_fnv(CG_FNV_START, id.data, id.len) & (context->bucket_count - 1)];
}

static bool grow_table(struct cg_oscore_context *context) {
    struct cg_oscore_peer **old = context->buckets;
    size_t old_count = context->bucket_count;
    struct cg_oscore_peer **buckets = calloc(2 * old_count, sizeof(*buckets));
    if (buckets == NULL) return false;
    context->buckets = buckets;
    context->bucket_count = 2 * old_count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct cg_oscore_peer *peer = old[i], *next; peer != NULL; peer = next) {
            next = peer->next;
            struct cg_oscore_peer **bucket = bucket_of(context, cg_oscore_peer_id(peer));
            peer->next = *bucket;
            *bucket = peer;
        }
    }
    free(old);
    return true;
}

static void release(struct cg_oscore_peer *peer) {
    struct cg_oscore_context *context = peer->context;
    cg_aead_key_fini(&peer->group_key);
    cg_aead_key_fini(&peer->receive_key);
    cg_aead_key_fini(&peer->send_key);
    cg_public_key_fini(&peer->public_key);
    cg_vault_give(&context->vault, peer->recipient_key);
    free(peer->cred);
    sodium_memzero(peer, sizeof(*peer));
    free(peer);
}

void cg_oscore_peer_ref(struct cg_oscore_peer *peer) { peer->refs++; }

void cg_oscore_peer_unref(struct cg_oscore_peer *peer) {
    CG_CHECK(peer->refs > 0);
    if (--peer->refs == 0) release(peer);
}

static struct cg_oscore_peer *find_any(const struct cg_oscore_context *context, struct cg_slice id) {
    for (struct cg_oscore_peer *peer = *bucket_of(context, id); peer != NULL; peer = peer->next)
        if (cg_slice_equal(cg_oscore_peer_id(peer), id)) return peer;
    return NULL;
}

struct cg_oscore_peer *cg_oscore_peer_find(const struct cg_oscore_context *context, struct cg_slice id) {
    struct cg_oscore_peer *peer = find_any(context, id);
    return peer != NULL && !peer->suspended ? peer : NULL;
}

static int set_up(struct cg_oscore_peer *peer, struct cg_slice id, struct cg_slice cred, const char **why) {
    struct cg_oscore_context *context = peer->context;
    peer->id_len = (uint8_t)id.len;
    if (id.len > 0) memcpy(peer->id, id.data, id.len);
    if (!context->checker) {
        peer->recipient_key = cg_vault_take(&context->vault);
        if (peer->recipient_key == NULL) return CG_E_NO_MEMORY;
        int err = cg_oscore_derive_key(context, id, peer->recipient_key);
        if (err != CG_OK) return err;
    }
    if (!context->group) return cred.len == 0 ? CG_OK : refuse(why, "OSCORE has no credentials");
    int err = cg_oscore_credential_key(context, cred, &peer->public_key, why);
    if (err != CG_OK) return err;
    peer->cred = malloc(cred.len);
    if (peer->cred == NULL) return CG_E_NO_MEMORY;
    memcpy(peer->cred, cred.data, cred.len);
    peer->cred_len = cred.len;
    crypto_hash_sha256(peer->fingerprint, cred.data, cred.len);
    return cg_oscore_scratch_fit(context, cred.len);
}

int cg_oscore_peer_add(struct cg_oscore_context *context, struct cg_slice id, struct cg_slice cred,
                       enum cg_oscore_window_state state, struct cg_oscore_peer **added, const char **why) {
    if (id.len > context->id_max) return refuse(why, "the ID is longer than the nonce allows");
    if (context->has_sender && cg_slice_equal(id, cg_oscore_sender_id(context)))
        return refuse(why, "the ID is the own Sender ID");
    if (find_any(context, id) != NULL) return refuse(why, "the ID is taken");
    if (context->peer_count >= context->bucket_count && !grow_table(context)) return CG_E_NO_MEMORY;
    struct cg_oscore_peer *peer = calloc(1, sizeof(*peer));
    if (peer == NULL) return CG_E_NO_MEMORY;
    peer->context = context;
    peer->refs = 1;
    peer->window.invalid = state != CG_OSCORE_WINDOW_NEW || context->peers_lost;
    peer->window.spares_responses = state == CG_OSCORE_WINDOW_UNKNOWN && !context->peers_lost;
    int err = set_up(peer, id, cred, why);
    if (err != CG_OK) {
        release(peer);
        return err;
    }
    struct cg_oscore_peer **bucket = bucket_of(context, id);
    peer->next = *bucket;
    *bucket = peer;
    peer->listed = true;
    context->peer_count++;
    if (added != NULL) *added = peer;
    return CG_OK;
}

void cg_oscore_peer_remove(struct cg_oscore_peer *peer) {
    struct cg_oscore_context *context = peer->context;
    CG_CHECK(peer->listed);
    struct cg_oscore_peer **link = bucket_of(context, cg_oscore_peer_id(peer));
    while (*link != peer) link = &(*link)->next;
    *link = peer->next;
    peer->next = NULL;
    peer->listed = false;
    context->peer_count--;
    if (peer->verified) context->peers_lost = true;
    cg_oscore_peer_unref(peer);
}

void cg_oscore_peer_suspend(struct cg_oscore_peer *peer, bool suspended) { peer->suspended = suspended; }

void cg_oscore_peers_fini(struct cg_oscore_context *context) {
    for (size_t i = 0; i < context->bucket_count && context->buckets != NULL; i++) {
        while (context->buckets[i] != NULL) {
            struct cg_oscore_peer *peer = context->buckets[i];
            context->buckets[i] = peer->next;
            CG_CHECK(peer->refs == 1); /* a message being opened holds a reference to the context as well */
            release(peer);
        }
    }
}

void cg_oscore_peers_forget_pairwise(struct cg_oscore_context *context) {
    if (!context->group) return;
    for (size_t i = 0; i < context->bucket_count; i++) {
        for (struct cg_oscore_peer *peer = context->buckets[i]; peer != NULL; peer = peer->next) {
            cg_aead_key_fini(&peer->receive_key);
            cg_aead_key_fini(&peer->send_key);
        }
    }
}

int cg_oscore_group_open_key(struct cg_oscore_peer *peer, struct cg_aead_key **key) {
    const struct cg_oscore_context *context = peer->context;
    *key = &peer->group_key;
    if (cg_aead_key_is_set(&peer->group_key)) return CG_OK;
    return cg_aead_key_init(&peer->group_key, context->group_enc, context->group_enc_fetched, peer->recipient_key,
                            false);
}

int cg_oscore_pairwise_key(const struct cg_oscore_context *context, struct cg_slice sender_id, const uint8_t *salt,
                           struct cg_slice sender_cred, struct cg_slice recipient_cred, const uint8_t secret[32],
                           uint8_t key[CG_COSE_KEY_MAX]) {
    uint8_t info[CG_INFO_MAX];
    size_t len = sender_cred.len + recipient_cred.len + 32, key_len = context->aead->key_len;
    uint8_t *ikm = malloc(len);
    if (ikm == NULL) return CG_E_NO_MEMORY;
    memcpy(ikm, sender_cred.data, sender_cred.len);
    memcpy(ikm + sender_cred.len, recipient_cred.data, recipient_cred.len);
    memcpy(ikm + len - 32, secret, 32);
    size_t info_len = cg_info_key(info, sender_id, &context->id_context, context->aead->id, "Key", key_len);
    int err = cg_hkdf(context->hash, cg_slice_of(salt, cg_oscore_info_cipher(context)->key_len), cg_slice_of(ikm, len),
                      cg_slice_of(info, info_len), key, key_len);
    OPENSSL_cleanse(ikm, len);
    free(ikm);
    return err;
}

static int derive_pairwise(struct cg_oscore_peer *peer, uint8_t *send, uint8_t *receive) {
    const struct cg_oscore_context *context = peer->context;
    struct cg_slice peer_cred = cg_oscore_peer_cred(peer);
    uint8_t secret[32];
    int err = cg_agree(&context->private_key, &peer->public_key, secret);
    if (err != CG_OK) return err;
    err = cg_oscore_pairwise_key(context, cg_oscore_sender_id(context), context->secrets->sender_key, context->cred,
                                 peer_cred, secret, send);
    if (err == CG_OK)
        err = cg_oscore_pairwise_key(context, cg_oscore_peer_id(peer), peer->recipient_key, peer_cred, context->cred,
                                     secret, receive);
    OPENSSL_cleanse(secret, sizeof(secret));
    return err;
}

int cg_oscore_direct_keys(struct cg_oscore_peer *peer) {
    struct cg_oscore_context *context = peer->context;
    if (cg_aead_key_is_set(&peer->receive_key)) return CG_OK;
    uint8_t pairwise[2][CG_COSE_KEY_MAX];
    const uint8_t *send = context->secrets->sender_key, *receive = peer->recipient_key;
    int err = CG_OK;
    if (context->group) {
        err = derive_pairwise(peer, pairwise[0], pairwise[1]);
        send = pairwise[0];
        receive = pairwise[1];
    }
    if (err == CG_OK) err = cg_aead_key_init(&peer->send_key, context->aead, context->aead_fetched, send, true);
    if (err == CG_OK) err = cg_aead_key_init(&peer->receive_key, context->aead, context->aead_fetched, receive, false);
    if (err != CG_OK) cg_aead_key_fini(&peer->send_key);
    OPENSSL_cleanse(pairwise, sizeof(pairwise));
    return err;
}

int cg_oscore_peer_warm(struct cg_oscore_peer *peer) {
    if (!cg_oscore_has_pairwise_mode(peer->context) || !peer->context->has_sender) return CG_E_PROTECT;
    return cg_oscore_direct_keys(peer);
}

struct cg_slice cg_oscore_peer_id(const struct cg_oscore_peer *peer) {
    return cg_slice_of(peer->id, peer->id_len);
}

struct cg_slice cg_oscore_peer_cred(const struct cg_oscore_peer *peer) {
    return cg_slice_of(peer->cred, peer->cred_len);
}

struct cg_slice cg_oscore_peer_fingerprint(const struct cg_oscore_peer *peer) {
    return cg_slice_of(peer->fingerprint, sizeof(peer->fingerprint));
}

struct cg_oscore_window *cg_oscore_peer_window(struct cg_oscore_peer *peer) {
    return &peer->window;
}

void *cg_oscore_peer_user(const struct cg_oscore_peer *peer) { return peer->user; }

void cg_oscore_peer_set_user(struct cg_oscore_peer *peer, void *user) { peer->user = user; }
