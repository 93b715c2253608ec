/* What the store's tables say, read and written as a whole: the senders' rows, and `home`, where the store was made and
 * how far it has come. A sum over every field of all of it stands in `home`, so that a flipped bit, or pages of
 * different times put together, show before anything is believed: a row that is missing might be one whose id was
 * damaged, and its key would be claimed and begin at 0 again. */
#ifndef CG_STORE_LEDGER_H
#define CG_STORE_LEDGER_H

#include <sqlite3.h>

#include "model/store.h"
#include "store/folder.h"

enum cg_row_state {
    CG_ROW_CLAIMED,
    CG_ROW_SPENT, /* was in a copy */
    CG_ROW_MOVED, /* its counter goes on under the key's present name */
};

struct cg_row {
    bool present;
    enum cg_row_state state;
    uint64_t next;
    int64_t created_s;  /* Unix time */
    int64_t written_ms; /* Unix time: no number from `next` on had been given by then */
    uint64_t rate;      /* how fast the sender might go from then on: "sequence_rate" */
};

struct cg_home {
    struct cg_file_mark mark;    /* of the store's file */
    struct cg_file_mark witness; /* of the witness; zero: not known yet */
    uint64_t generation;         /* counts the commits */
};

struct cg_ledger {
    struct cg_home home;
    uint64_t rows, sum;   /* `sum` of the rows alone */
    bool fits;            /* the sum in `home` is right */
    bool changed;         /* a row was written since */
    struct cg_row row;    /* the sender's that was asked for */
    struct cg_row former; /* the one of its former name */
};

/* All return SQLite's codes; inside a transaction. `sender` may be NULL: no row is looked for. */
int cg_ledger_read(sqlite3 *db, const struct cg_sender_id *sender, struct cg_ledger *ledger) CG_MUST_CHECK;

/* The row of one sender and that of its former name, by the index: for advice, never for a number. Nothing else of the
 * ledger is set. */
int cg_ledger_find(sqlite3 *db, const struct cg_sender_id *sender, struct cg_ledger *ledger) CG_MUST_CHECK;

/* Write a row, new or not, and note it in the sum. `id`: 32 bytes. */
int cg_ledger_put_row(sqlite3 *db, struct cg_ledger *ledger, const uint8_t *id, const struct cg_row *before,
                      const struct cg_row *after) CG_MUST_CHECK;

/* Marks every sender that is claimed as spent. */
int cg_ledger_spend_all(sqlite3 *db, struct cg_ledger *ledger) CG_MUST_CHECK;

/* Last in a transaction: `home` as it stands in the ledger, with the sum. */
int cg_ledger_put_home(sqlite3 *db, const struct cg_ledger *ledger) CG_MUST_CHECK;

#endif
