/* SipHash-2-4 over the address, by libsodium. The hard thing is the bound of three times what came: a request of four
 * bytes leaves room for six of a hash's eight, so the value may be cut, and what comes back may be; below that a forger
 * could guess. */
#include "fronts/coap/echo.h"

#include <sodium.h>

enum {
    SHORTEST = 6,          /* bytes: a guess hits once in 2^48 */
    KEY_US = 60 * 1000000, /* that a key is given out */
    AMPLIFICATION = 3,     /* RFC 7252 §11.3, RFC 9175 §2.4 */
    HEADER = 4,            /* bytes of a message without token and options */
    OPTION_HEAD = 2,       /* the option's number, 252, takes a byte of its own */
    SHORT_TOKEN = 12,      /* longer ones are preceded by their length (RFC 8974) */
};

_Static_assert(CG_COAP_ECHO_MAX == crypto_shorthash_BYTES && CG_COAP_ECHO_KEY_SIZE == crypto_shorthash_KEYBYTES,
               "SipHash-2-4");

static void renew(struct cg_coap_echo *echo, uint64_t now_us) {
    if (echo->has_key && now_us < echo->renew_us) return;
    bool is_recent = echo->has_key && now_us < echo->renew_us + KEY_US;
    memcpy(echo->former, echo->key, sizeof echo->former);
    echo->has_former = is_recent;
    echo->port->random(echo->port->ctx, echo->key, sizeof echo->key);
    echo->has_key = true;
    echo->renew_us = now_us + KEY_US;
}

static void hash(const uint8_t key[CG_COAP_ECHO_KEY_SIZE], const struct cg_coap_echo_path *path,
                 uint8_t value[CG_COAP_ECHO_MAX]) {
    uint8_t bytes[2 * sizeof(struct cg_addr)];
    memcpy(bytes, &path->peer, sizeof path->peer);
    memcpy(bytes + sizeof path->peer, &path->local, sizeof path->local);
    crypto_shorthash(value, bytes, sizeof bytes, key);
}

static size_t room(size_t received, size_t token_len) {
    size_t other = HEADER + (token_len > SHORT_TOKEN) + token_len + OPTION_HEAD;
    size_t most = AMPLIFICATION * received;
    return most > other ? most - other : 0;
}

size_t cg_coap_echo_make(struct cg_coap_echo *echo, const struct cg_coap_echo_path *path, size_t received,
                         size_t token_len, uint64_t now_us, uint8_t value[CG_COAP_ECHO_MAX]) {
    size_t len = room(received, token_len);
    if (len < SHORTEST) return 0;
    renew(echo, now_us);
    hash(echo->key, path, value);
    return len < CG_COAP_ECHO_MAX ? len : CG_COAP_ECHO_MAX;
}

static bool matches(const uint8_t key[CG_COAP_ECHO_KEY_SIZE], const struct cg_coap_echo_path *path,
                    struct cg_slice value) {
    uint8_t expected[CG_COAP_ECHO_MAX];
    hash(key, path, expected);
    return sodium_memcmp(expected, value.data, value.len) == 0;
}

bool cg_coap_echo_is_good(struct cg_coap_echo *echo, const struct cg_coap_echo_path *path, struct cg_slice value,
                          uint64_t now_us) {
    if (value.len < SHORTEST || value.len > CG_COAP_ECHO_MAX) return false;
    renew(echo, now_us);
    return matches(echo->key, path, value) || (echo->has_former && matches(echo->former, path, value));
}
