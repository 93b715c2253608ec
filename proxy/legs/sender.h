/* Sender Sequence Numbers: every number that a Sender Key is ever used with comes from its one cg_sender, whichever
 * mapping, security group or name the message belongs to, group or pairwise mode, request or response (RFC 8613 §7.2,
 * RFC 10021 §2.5.3, §3.3). A number is handed out once, and only after the store has made durable that it will not be
 * given again. What is taken and not used is lost, which costs nothing.
 *
 * Numbers are reserved in blocks; the next block is asked for when half of one is left. */
#ifndef CG_LEGS_SENDER_H
#define CG_LEGS_SENDER_H

#include "base/hash.h"
#include "model/store.h"

/* Numbers a block. One fsync serves that many messages, and half a block lasts 25 ms at the 20 000 signatures a second
 * that a core can make at best: longer than a healthy disk needs. A restart wastes one and a half blocks at most, far
 * less than it goes on by for the sake of set-backs (proxy/store); there is no reason to adapt. */
#define CG_SENDER_BLOCK 1024

/* From here on a sender's numbers are running out, four fifths are used: time to rekey (RFC 10021 §2.6.2). */
#define CG_SENDER_LOW (CG_SENDER_NUMBERS / 5 * 4)

struct cg_sender;
struct cg_sender_wait;

/* CG_OK: `number` is the waiter's. Else why not (CG_E_STORE, CG_E_KEY_REFUSED, CG_E_OVERLOAD, CG_E_STOPPING), with the
 * detail in *problem, which is NULL with CG_OK. On the loop, never from inside take. The waiter is out of all lists
 * already: it may be freed, or take again. */
typedef void (*cg_sender_ready_fn)(struct cg_sender_wait *wait, int err, uint64_t number,
                                   const struct cg_problem *problem);

/* One who waits for a number: the caller's storage, zeroed but for what is his own, still from CG_PENDING until `ready`
 * or cg_sender_cancel. */
struct cg_sender_wait {
    cg_sender_ready_fn ready; /* his own */
    void *ctx;                /* his own */
    struct cg_sender *sender; /* NULL: does not wait */
    struct cg_sender_wait *previous, *next;
    uint64_t attempt; /* the request to the store that he waits for */
};

/* All senders of the gateway, by id. */
struct cg_senders {
    struct cg_store *store;  /* borrowed; outlives the table's senders */
    struct cg_sender *table; /* uthash head */
    /* Heard once a sender, when it has reached CG_SENDER_LOW; on the loop; may be NULL. */
    void (*low)(void *ctx, const struct cg_sender_id *id);
    void *ctx;
};

void cg_senders_init(struct cg_senders *senders, struct cg_store *store);
/* Every reference must have been given back, and the store must have finished every job. */
void cg_senders_fini(struct cg_senders *senders);

/* The one sender of that id, made if it is not there yet, with a reference for the caller. NULL: out of memory. Whether
 * it is claimed shows when it is asked for a number. */
struct cg_sender *cg_senders_get(struct cg_senders *senders, const struct cg_sender_id *id);
struct cg_sender *cg_sender_ref(struct cg_sender *sender);
void cg_sender_unref(struct cg_sender *sender); /* NULL has no effect. Who still waits keeps the sender alive */

/* How many of the sender's numbers are used or lost, as far as this process has seen; 0: none was asked for yet. */
uint64_t cg_senders_used(const struct cg_senders *senders, const struct cg_sender_id *id);

/* The number that would be given next, as far as the store has said one; else one that takes as many bytes as those of
 * a key that was in use before a start (its burst). Nothing is taken. */
uint64_t cg_sender_peek(const struct cg_sender *sender);
/* CG_OK: *number is the caller's, for one message, for ever. CG_PENDING: wait->ready comes later. CG_E_KEY_REFUSED with
 * *problem: the store has contradicted itself and numbers of this sender cannot be trusted any more. `wait` must not
 * wait already. */
int cg_sender_take(struct cg_sender *sender, struct cg_sender_wait *wait, uint64_t *number,
                   struct cg_problem *problem) CG_MUST_CHECK;
void cg_sender_cancel(struct cg_sender_wait *wait); /* no effect on one who does not wait */

#endif
