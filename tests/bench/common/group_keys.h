/* The keys of a security group for benchmarks: the gateway and thousands of members, each with a key pair of its own,
 * the same in every run. Both modes, AES-CCM-16-64-128. */
#ifndef CG_BENCH_GROUP_KEYS_H
#define CG_BENCH_GROUP_KEYS_H

#include "oscore/oscore.h"

struct bench_identity {
    uint8_t kid[4];
    size_t kid_len;
    uint8_t private_key[32];
    uint8_t public_key[64]; /* Ed25519: the first 32 bytes; P-256: x, y */
    uint8_t cred[80];
    size_t cred_len;
};

struct bench_group_keys {
    enum cg_cose_curve curve; /* Ed25519 or P-256 */
    struct bench_identity gateway;
    struct bench_identity *members; /* owned */
    uint32_t count;
};

void bench_group_keys_init(struct bench_group_keys *keys, enum cg_cose_curve curve, uint32_t count);
void bench_group_keys_fini(struct bench_group_keys *keys);
/* Views into the keys. */
void bench_group_keys_params(const struct bench_group_keys *keys, const struct bench_identity *self,
                             struct cg_oscore_params *params, struct cg_oscore_sender_params *sender);

#endif
