/* The store on SQLite: one folder, for one gateway at a time, on a local disk. README.md says what is in it and what of
 * copies can be detected. */
#ifndef CG_STORE_SQLITE_H
#define CG_STORE_SQLITE_H

#include "model/store.h"

struct cg_state_lock;

/* Numbers that a sender may take at once, beyond its rate. */
#define CG_SQLITE_BURST UINT64_C(1000000)
#define CG_SQLITE_RATE  UINT64_C(100) /* "sequence_rate" unless set */

struct cg_sqlite_options {
    uint64_t rate;              /* "sequence_rate", numbers a second; 0: CG_SQLITE_RATE */
    bool require_clock;         /* "require_clock": no numbers while the clock is behind what was stored */
    int64_t (*clock_ms)(void);  /* Unix time; NULL: the system's */
    uint64_t (*timer_us)(void); /* monotonic; NULL: the system's */
    struct cg_state_lock *lock; /* the program's lock on the folder, which outlives the store; NULL: one of its own */
};

/* Touches nothing yet: the first call opens the store, and after a failure the next call tries anew. `options` may be
 * NULL. NULL: out of memory. */
struct cg_store_backend *cg_sqlite_new(const char *folder, const struct cg_sqlite_options *options);

/* Claims a sender for a program that is not the gateway: as the store's own claim does, or, where a gateway runs on the
 * folder, by asking that (beside.h), so that a rekey needs no restart. Blocks. CG_E_STORE with *problem. */
int cg_sqlite_claim(const char *folder, const struct cg_sender_id *sender, struct cg_problem *problem) CG_MUST_CHECK;

/* Makes the folder (0700) unless it is there, and an empty store in it (0600). CG_E_STORE, and nothing is changed:
 * where there is, or was, a store; where others may write; any failure. */
int cg_sqlite_init_state(const char *folder, struct cg_problem *problem) CG_MUST_CHECK;

/* A consistent copy as the new file `to`, durable, every sender marked as spent in it before it gets that name; and of
 * the stored items, where there are any, as `to` with CG_ITEMS_COPY behind it, no newer than the other. Where a gateway
 * runs on the folder, it makes the copies. CG_E_STORE, and nothing is left: one of them exists, or any failure. */
int cg_sqlite_backup(const char *folder, const char *to, struct cg_problem *problem) CG_MUST_CHECK;

/* The same of a store that nobody else uses, or by whoever has the lock. */
int cg_sqlite_copy(const char *db, const char *to, struct cg_problem *problem) CG_MUST_CHECK;

#endif
