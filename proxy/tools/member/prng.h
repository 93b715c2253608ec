/* A small seeded generator (splitmix64), so that a run with --seed can be repeated exactly. Nothing secret comes from
 * it. */
#ifndef CG_TOOLS_MEMBER_PRNG_H
#define CG_TOOLS_MEMBER_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct cg_prng {
    uint64_t state;
};

static inline uint64_t cg_prng_next(struct cg_prng *prng) {
    uint64_t z = prng->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 to limit - 1; the slight bias of the remainder does not matter here. `limit` is not 0. */
static inline uint64_t cg_prng_below(struct cg_prng *prng, uint64_t limit) { return cg_prng_next(prng) % limit; }

/* True with this probability; draws nothing when it is 0, so that an unused fault leaves the sequence of the others
 * alone. */
static inline bool cg_prng_chance(struct cg_prng *prng, double probability) {
    return probability > 0 && (double)(cg_prng_next(prng) >> 11) * 0x1p-53 < probability;
}

#endif
