/* Stateless cookies. The hard thing is renewal: a client may ask just before and answer just after it, so that the
 * secret before the newest still counts. */
#include "fronts/coap/dtls_cookie.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

enum { PERIOD_US = 60 * 1000000 };

bool cg_dtls_cookies_init(struct cg_dtls_cookies *cookies, uint64_t now_us) {
    cookies->renew_us = now_us + PERIOD_US;
    return RAND_bytes(cookies->secrets[0], sizeof cookies->secrets) == 1;
}

void cg_dtls_cookies_fini(struct cg_dtls_cookies *cookies) { OPENSSL_cleanse(cookies, sizeof *cookies); }

/* Where randomness fails the secret stays as it is, which is better than none. */
static void renew(struct cg_dtls_cookies *cookies, uint64_t now_us) {
    uint8_t fresh[32];
    if (now_us < cookies->renew_us || RAND_bytes(fresh, sizeof fresh) != 1) return;
    memcpy(cookies->secrets[1], cookies->secrets[0], sizeof fresh);
    memcpy(cookies->secrets[0], fresh, sizeof fresh);
    OPENSSL_cleanse(fresh, sizeof fresh);
    cookies->renew_us = now_us + PERIOD_US;
}

static bool make(const uint8_t secret[32], const struct cg_addr *remote, const struct cg_addr *local,
                 uint8_t cookie[CG_DTLS_COOKIE_LEN]) {
    struct cg_addr of[2] = {*remote, *local};
    uint8_t mac[EVP_MAX_MD_SIZE];
    if (HMAC(EVP_sha256(), secret, 32, (const uint8_t *)of, sizeof of, mac, NULL) == NULL) return false;
    memcpy(cookie, mac, CG_DTLS_COOKIE_LEN);
    return true;
}

bool cg_dtls_cookie_make(struct cg_dtls_cookies *cookies, const struct cg_addr *remote, const struct cg_addr *local,
                         uint64_t now_us, uint8_t cookie[CG_DTLS_COOKIE_LEN]) {
    renew(cookies, now_us);
    return make(cookies->secrets[0], remote, local, cookie);
}

bool cg_dtls_cookie_is_good(struct cg_dtls_cookies *cookies, const struct cg_addr *remote, const struct cg_addr *local,
                            uint64_t now_us, struct cg_slice cookie) {
    renew(cookies, now_us);
    for (size_t i = 0; i < 2 && cookie.len == CG_DTLS_COOKIE_LEN; i++) {
        uint8_t good[CG_DTLS_COOKIE_LEN];
        if (!make(cookies->secrets[i], remote, local, good)) return false;
        if (CRYPTO_memcmp(good, cookie.data, sizeof good) == 0) return true;
    }
    return false;
}
