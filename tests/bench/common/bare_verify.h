/* The limit of verifying: signatures checked by the library alone, one thread a core, nothing else. */
#ifndef CG_BENCH_BARE_VERIFY_H
#define CG_BENCH_BARE_VERIFY_H

#include <openssl/types.h>

#include "common/group_keys.h"

/* One signature of each member, over a message of its own: libsodium's for Ed25519, OpenSSL's for P-256. */
struct bench_bare_verify {
    enum cg_cose_curve curve;
    uint32_t count;
    size_t len;                /* of each message */
    uint8_t *messages;         /* all arrays are owned */
    uint8_t (*signatures)[80]; /* P-256: DER */
    size_t *signature_lens;
    struct cg_public_key *keys;
    EVP_MD *sha256;
};

/* `count`: of the group's members, from the first. */
void bench_bare_verify_init(struct bench_bare_verify *bare, const struct bench_group_keys *keys, uint32_t count,
                            size_t len);
void bench_bare_verify_fini(struct bench_bare_verify *bare);

struct bench_verified {
    double wall_ns, cpu_ns; /* a signature; CPU of all threads */
};
/* Each signature once, spread over `threads`. */
struct bench_verified bench_bare_verify_round(const struct bench_bare_verify *bare, unsigned threads);

/* CPU ns of making one signature, by the library alone. */
double bench_bare_sign_round(const struct bench_group_keys *keys, size_t len, uint32_t count);

#endif
