/* A protector that protects nothing and behaves like one that does: what it seals says which keys it was made with,
 * what it opens is from whoever sent it, a 4.01 with Echo is a
 * challenge, and its keys can change. */
#ifndef CG_TEST_FAKE_KEYS_H
#define CG_TEST_FAKE_KEYS_H

#include "legs/protector.h"

struct fake_keys {
    struct cg_protector protector;
    unsigned epoch;            /* from 1; a change makes what was sealed before stale */
    unsigned bindings;         /* made and not released */
    struct cg_addr challenger; /* the only one that is known by more than its address */
};

void fake_keys_init(struct fake_keys *keys);

#endif
