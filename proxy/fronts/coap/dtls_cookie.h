/* The cookie that a client has to say back before DTLS does anything for it (RFC 6347 §4.2.1): an HMAC of its address
 * under a secret that is renewed, so that nothing is remembered of whoever asks. */
#ifndef CG_FRONTS_COAP_DTLS_COOKIE_H
#define CG_FRONTS_COAP_DTLS_COOKIE_H

#include "base/slice.h"
#include "wire/addr.h"

#define CG_DTLS_COOKIE_LEN 16 /* bytes: HelloVerifyRequest has 44, the least ClientHello more than that */

struct cg_dtls_cookies {
    uint8_t secrets[2][32]; /* the newest first: a cookie is good for one period, and the rest of its own */
    uint64_t renew_us;      /* monotonic */
};

/* False: there is no randomness to be had. */
bool cg_dtls_cookies_init(struct cg_dtls_cookies *cookies, uint64_t now_us);
void cg_dtls_cookies_fini(struct cg_dtls_cookies *cookies); /* wipes */

/* False: no memory. */
bool cg_dtls_cookie_make(struct cg_dtls_cookies *cookies, const struct cg_addr *remote, const struct cg_addr *local,
                         uint64_t now_us, uint8_t cookie[CG_DTLS_COOKIE_LEN]);
bool cg_dtls_cookie_is_good(struct cg_dtls_cookies *cookies, const struct cg_addr *remote, const struct cg_addr *local,
                            uint64_t now_us, struct cg_slice cookie);

#endif
