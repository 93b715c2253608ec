/* The store as one that is ours, and transactions on it. Internal to store/: sqlite.c gives the numbers.
 *
 * After any failure the connection is closed and nothing of what was known is believed; the next call opens and reads
 * anew. `failure` says why, in full, wherever CG_OK or SQLITE_OK is not what is returned. */
#ifndef CG_STORE_SQLITE_HOME_H
#define CG_STORE_SQLITE_HOME_H

#include "store/folder.h"
#include "store/ledger.h"
#include "store/rate.h"
#include "store/sqlite.h"

struct cg_sqlite {
    struct cg_store_backend backend;
    struct cg_folder folder;
    sqlite3 *db;          /* NULL: not open */
    uint64_t generation;  /* the highest that was seen, in whatever file */
    struct cg_rate rates; /* the senders that this process has used */
    bool require_clock;
    int64_t (*clock_ms)(void);
    uint64_t (*timer_us)(void);
    uint64_t freshened_us; /* when all their rows were last written */
    int64_t offset_ms;     /* of the clock to the timer, then */
    bool used;             /* something was reserved */
};

int cg_home_unavailable(int err, struct cg_store_failure *failure); /* err, which the problem has already */
void cg_home_disconnect(struct cg_sqlite *store);
/* False: it was replaced, set back or damaged under us. */
bool cg_home_is_ours(struct cg_sqlite *store);
/* Opens it, where it is not open or not ours. */
int cg_home_make_ready(struct cg_sqlite *store, struct cg_problem *problem) CG_MUST_CHECK;

/* CG_E_STORE, of what SQLite said. */
int cg_home_fail(struct cg_sqlite *store, int code, struct cg_store_failure *failure);
/* A transaction; of SQLite's codes. The sender's rows are read; NULL: none. */
int cg_home_begin(struct cg_sqlite *store, const struct cg_sender_id *sender, struct cg_ledger *ledger) CG_MUST_CHECK;
int cg_home_begin_ready(struct cg_sqlite *store, const struct cg_sender_id *sender, struct cg_ledger *ledger,
                        struct cg_store_failure *failure) CG_MUST_CHECK;
int cg_home_commit(struct cg_sqlite *store, struct cg_ledger *ledger, struct cg_store_failure *failure) CG_MUST_CHECK;
/* Ends a transaction that gives nothing, and returns err. */
int cg_home_refuse(struct cg_sqlite *store, struct cg_ledger *ledger, int err);

#endif
