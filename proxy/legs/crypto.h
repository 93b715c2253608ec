/* Where signatures are made and verified: jobs that own their bytes, run later and maybe on another thread, and are
 * finished on the loop.
 * A lane is the queue of one cast; lanes are served round robin, so that nobody's ten thousand answers delay another's
 * ten. */
#ifndef CG_LEGS_CRYPTO_H
#define CG_LEGS_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

struct cg_crypto;
struct cg_crypto_job;

struct cg_crypto_lane {
    struct cg_crypto_job *first, *last; /* waiting */
    struct cg_crypto_lane *next;        /* in the round; NULL at its end */
    bool in_round;
};

struct cg_crypto_job {
    void (*run)(struct cg_crypto_job *job);  /* any thread; touches the job's own bytes only */
    void (*done)(struct cg_crypto_job *job); /* on the loop, once; not from inside submit. Frees the job */
    struct cg_crypto_lane *lane;
    struct cg_crypto_job *next;
    bool blocks;    /* it may wait for a disk: never run on the loop's thread */
    bool cancelled; /* for `done`: the lane was cancelled; run may not have happened */
};

struct cg_crypto_ops {
    /* Queues the job. `lane` NULL: ahead of all lanes, as signing is, which a request waits for. */
    void (*submit)(struct cg_crypto *crypto, struct cg_crypto_lane *lane, struct cg_crypto_job *job);
    /* Ends the lane: waiting jobs are done at once, cancelled; running ones end later, marked as well. The lane may be
     * freed. */
    void (*cancel)(struct cg_crypto *crypto, struct cg_crypto_lane *lane);
};

struct cg_crypto {
    const struct cg_crypto_ops *ops;
};

#endif
