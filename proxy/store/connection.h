/* One connection to a database file of ours: opened so that a commit is durable, and what SQLite's errors mean to
 * whoever runs the gateway. */
#ifndef CG_STORE_CONNECTION_H
#define CG_STORE_CONNECTION_H

#include <sqlite3.h>

#include "model/request.h"

/* What becomes of the rollback journal's space after a commit. */
enum cg_journal {
    CG_JOURNAL_GIVES_BACK, /* it is truncated */
    CG_JOURNAL_KEEPS,      /* it stays: a commit of no more than was committed before needs no space that a full disk
                              does not have */
};

/* Opens the file, never creates it, and never maps one into memory: a mapped file that somebody truncates, or that the
 * disk has no room for, ends the process. What is committed from here on is durable: a rollback journal, synchronous
 * EXTRA. SQLite's code; *db is to be closed in any case. */
int cg_connection_open(const char *path, enum cg_journal journal, sqlite3 **db) CG_MUST_CHECK;
void cg_connection_close(sqlite3 *db); /* NULL has no effect */
/* Whether a write-ahead log stands beside the open file, as where somebody has put an old copy's back. Whatever reads
 * next would take it for the file's own, and map its index. */
bool cg_connection_has_log_beside(sqlite3 *db);
/* Whether SQLite may look at the journal beside this file. CG_E_STORE with *problem. */
int cg_connection_check_journal(const char *path, struct cg_problem *problem) CG_MUST_CHECK;

/* These return SQLite's codes: SQLITE_OK or what went wrong. */
int cg_connection_run(sqlite3 *db, const char *sql) CG_MUST_CHECK;
int cg_connection_ask(sqlite3 *db, const char *sql, int64_t *value) CG_MUST_CHECK;      /* one row, one integer */
int cg_connection_expect(sqlite3 *db, const char *sql, const char *text) CG_MUST_CHECK; /* one row, that text */

/* All of `from` in place of all of `to`. SQLite's code. */
int cg_connection_copy(sqlite3 *from, sqlite3 *to) CG_MUST_CHECK;

/* What differs from file to file in what an error means: parts of sentences. */
struct cg_connection_words {
    const char *name;    /* "the store" */
    const char *way_out; /* where it is damaged: "put the original file back …" */
    const char *refuses; /* what it does where a constraint of its own is violated */
};

/* Returns CG_E_STORE, or CG_E_NO_MEMORY. */
int cg_connection_explain(sqlite3 *db, int code, const char *path, const struct cg_connection_words *words,
                          struct cg_problem *problem);

#endif
