/* What protectors use, under the test's control: signatures that are made when the test says so, in any order, and a
 * store that answers when the test says so. */
#ifndef FAKE_POOL_H
#define FAKE_POOL_H

#include "legs/crypto.h"
#include "legs/sender.h"

enum { FAKE_JOBS_MAX = 16384, FAKE_WAIT_S = 17 /* what a store says that is asked too fast */ };

struct fake_crypto {
    struct cg_crypto crypto;
    struct fake_job {
        struct cg_crypto_job *job;
        struct cg_crypto_lane *lane; /* NULL: urgent */
        bool ran;                    /* on its thread; its end has not reached the loop */
    } jobs[FAKE_JOBS_MAX];
    size_t count;
    size_t submitted; /* lane jobs in all: signatures that were to be verified */
};

struct fake_store {
    struct cg_store store;
    struct cg_store_job *jobs[16];
    size_t count;
    uint64_t next; /* the number that the next block begins with */
};

void fake_crypto_init(struct fake_crypto *fake);
void fake_crypto_run(struct fake_crypto *fake, size_t index); /* on a thread */
void fake_crypto_end(struct fake_crypto *fake, size_t index); /* on the loop; runs it first where that was not done */
void fake_crypto_end_all(struct fake_crypto *fake);           /* in order, with what they bring about */

void fake_store_init(struct fake_store *fake);
void fake_store_grant(struct fake_store *fake); /* the oldest job: a block */
void fake_store_refuse(struct fake_store *fake, enum cg_store_refusal refusal, const char *detail);

#endif
