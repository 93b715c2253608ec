/* The hard thing: "a" "bc" and "ab" "c" are not the same. */
#include "oscore/digest.h"

#include <sodium.h>

static void put(crypto_hash_sha256_state *hash, struct cg_slice part) {
    uint8_t len[8];
    for (size_t i = 0; i < sizeof len; i++) len[i] = (uint8_t)((uint64_t)part.len >> (56 - 8 * i));
    crypto_hash_sha256_update(hash, len, sizeof len);
    if (part.len > 0) crypto_hash_sha256_update(hash, part.data, part.len);
}

void cg_digest(uint8_t to[CG_DIGEST_LEN], const struct cg_slice *parts, size_t count) {
    crypto_hash_sha256_state hash;
    crypto_hash_sha256_init(&hash);
    for (size_t i = 0; i < count; i++) put(&hash, parts[i]);
    crypto_hash_sha256_final(&hash, to);
    sodium_memzero(&hash, sizeof hash);
}
