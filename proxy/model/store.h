/* Where sequence numbers are kept so that no number is ever given twice: an internal interface, because what it holds
 * decides over nonces. Two halves. The core sees `cg_store`: it hands over a job and hears of it later, on the loop.
 * What reads and writes is a `cg_store_backend` (proxy/store): its calls block, for as long as a disk likes, so the
 * shell runs them on a thread of their own (io/store_thread.h); the small programs call it directly.
 *
 * A row, once there, stays: nothing deletes it, sets it back, or makes a spent one good again. */
#ifndef CG_MODEL_STORE_H
#define CG_MODEL_STORE_H

#include "model/request.h"

#define CG_SENDER_ID_LEN 32
/* Partial IVs are 0 to 2^40 - 1 (RFC 8613 §7.2.1). */
#define CG_SENDER_NUMBERS (UINT64_C(1) << 40)

/* Names one Sender Key: a digest of what a nonce depends on, the derived key and Common IV (oscore/context.h). Not a
 * secret. */
struct cg_sender_id {
    uint8_t bytes[CG_SENDER_ID_LEN];
    /* What version 1 stores call it, a hash of what the key is derived from: one key may have had several such names,
     * whose counters the store unites. All zero: none. Takes no part in comparisons. */
    uint8_t former[CG_SENDER_ID_LEN];
};

/* [first, first + count): never given before and never given again, whatever happens to the machine. */
struct cg_store_range {
    uint64_t first;
    uint64_t count;
};

enum cg_store_refusal {
    CG_STORE_UNAVAILABLE, /* missing, locked, full, read-only, failing: the same call may succeed later */
    CG_STORE_UNCLAIMED,   /* the sender has no row */
    CG_STORE_SPENT,       /* its row came from a copy: rekey, or take a new Sender ID */
    CG_STORE_EXHAUSTED,   /* all 2^40 numbers are given */
    CG_STORE_TOO_FAST,    /* more than "sequence_rate" allows: problem.retry_after says when */
};

/* What people can do who have such a key, or do not know whether it has sent. */
#define CG_STORE_WAYS_OUT "rekey the group (castgate-keys rekey) or take a new Sender ID (castgate-keys new-sender-id)"

/* Why not, and for people in `problem` (CG_E_STORE, CG_E_KEY_REFUSED, CG_E_OVERLOAD or CG_E_STOPPING). Only set by what
 * failed. */
struct cg_store_failure {
    enum cg_store_refusal refusal;
    struct cg_problem problem;
};

/* A question about one sender: could it get a number, as far as its row says? */
struct cg_store_look {
    struct cg_sender_id sender;
    void *ctx; /* the asker's */
    int err;   /* the answer: CG_OK, or as `failure` says */
    struct cg_store_failure failure;
};

struct cg_store_backend;

/* Not for several threads at once; no thread in particular. Whatever made a call fail, the next one finds out for
 * itself whether it is over. */
struct cg_store_backend_ops {
    /* Reserves `count` numbers, or the fewer that are left below 2^40 or that the sender's rate allows, at least one.
     * CG_OK only once that is durable. */
    int (*reserve)(struct cg_store_backend *backend, const struct cg_sender_id *sender, uint64_t count,
                   struct cg_store_range *range, struct cg_store_failure *failure);
    /* Makes the row of a sender that has none, with 0 as its next number; who calls this says that the key has never
     * sent. CG_OK as well when it is claimed already, by its former name perhaps: it keeps its counter. Durable before
     * it returns. */
    int (*claim)(struct cg_store_backend *backend, const struct cg_sender_id *sender, struct cg_store_failure *failure);
    /* A copy of the store as the new file `to`, durable, in which every sender is spent. May be NULL. */
    int (*copy)(struct cg_store_backend *backend, const char *to, struct cg_store_failure *failure);
    /* Answers each question; changes nothing. Fails as a whole where the store cannot be used. May be NULL. */
    int (*look)(struct cg_store_backend *backend, struct cg_store_look *looks, size_t count,
                struct cg_store_failure *failure);
    /* Opens the store if it is not open, finds out whether it can be used, and does what is due from time to time. May
     * be NULL. */
    int (*check)(struct cg_store_backend *backend, struct cg_store_failure *failure);
    void (*free)(struct cg_store_backend *backend);
};

struct cg_store_backend {
    const struct cg_store_backend_ops *ops;
};

enum cg_store_operation { CG_STORE_RESERVE, CG_STORE_CLAIM, CG_STORE_COPY, CG_STORE_LOOK };

/* One call on its way. The caller's storage, untouched from submit until `done`. */
struct cg_store_job {
    enum cg_store_operation operation;
    struct cg_sender_id sender;
    uint64_t count;                         /* RESERVE, LOOK: how many */
    const char *to;                         /* COPY: the new file */
    struct cg_store_look *looks;            /* LOOK: the questions, and where the answers go */
    void (*done)(struct cg_store_job *job); /* on the loop, exactly once, never from inside submit; may free the job */
    void *ctx;
    int err;                         /* result: CG_OK, or as `failure` says */
    struct cg_store_range range;     /* result of RESERVE */
    struct cg_store_failure failure; /* result */
    struct cg_store_job *next;       /* the store's */
};

struct cg_store;

struct cg_store_ops {
    void (*submit)(struct cg_store *store, struct cg_store_job *job);
};

struct cg_store {
    const struct cg_store_ops *ops;
};

#endif
