/* What two key files have to agree in to be the same keys. The hard thing: whatever decides what goes out or is
 * accepted has to be in it, and no copy of a key may stay behind. */
#include "app/key_digest.h"

#include <sodium.h>

/* Straight into the hash: keys in a buffer that grows would leave copies behind. */
static void put_field(crypto_hash_sha256_state *to, struct cg_slice field) {
    uint64_t len = field.len;
    crypto_hash_sha256_update(to, (const uint8_t *)&len, sizeof len);
    if (field.len > 0) crypto_hash_sha256_update(to, field.data, field.len);
}

static void put_keys(crypto_hash_sha256_state *to, const struct cg_security_group *keys,
                     const struct cg_sender_id *sender) {
    const int algorithms[] = {keys->alg_aead,      keys->alg_group_enc, keys->alg_signature,
                              keys->alg_agreement, (int)keys->hkdf,     keys->countersign_four};
    put_field(to, cg_slice_of(algorithms, sizeof algorithms));
    put_field(to, cg_slice_of(sender->bytes, sizeof sender->bytes));
    put_field(to, keys->signature_encryption_key);
    put_field(to, keys->gid);
    put_field(to, keys->gm_cred);
    put_field(to, keys->self.cred);
    for (size_t i = 0; i < keys->peer_count; i++) {
        put_field(to, keys->peers[i].id);
        put_field(to, keys->peers[i].cred);
    }
}

bool cg_key_digest(uint8_t digest[CG_GROUP_DIGEST_LEN], const struct cg_security_group *keys) {
    crypto_hash_sha256_state hash;
    struct cg_sender_id sender = {0};
    bool sends = keys->file != CG_GROUP_FILE_CHECKER;
    if (sends && cg_security_group_sender_id(keys, &keys->self, &sender) < 0) return false;
    crypto_hash_sha256_init(&hash);
    put_keys(&hash, keys, &sender);
    crypto_hash_sha256_final(&hash, digest);
    sodium_memzero(&hash, sizeof hash);
    return true;
}
