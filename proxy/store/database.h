/* One connection to a store's file: opening it so that a commit is durable, its schema, and what its errors mean. */
#ifndef CG_STORE_DATABASE_H
#define CG_STORE_DATABASE_H

#include <sqlite3.h>

#include "model/request.h"

/* Opens a store of this version or an older one; never creates a file, and never maps one into memory: a mapped file
 * that somebody truncates, or that the disk has no room for, ends the process. What is committed from here on is
 * durable: a rollback journal, synchronous EXTRA. CG_E_STORE with *problem, and *db is NULL. */
int cg_database_open(const char *path, sqlite3 **db, struct cg_problem *problem) CG_MUST_CHECK;
/* Whether a write-ahead log stands beside the open file, as where somebody has put an old copy's back. Whatever reads
 * next would take it for the store's own, and map its index. */
bool cg_database_has_log_beside(sqlite3 *db);
/* Whether SQLite may look at the journal beside this file. CG_E_STORE with *problem. */
int cg_database_check_journal(const char *path, struct cg_problem *problem) CG_MUST_CHECK;
void cg_database_close(sqlite3 *db); /* NULL has no effect */

/* Looks through all of it for damage. CG_E_STORE with *problem. */
int cg_database_examine(sqlite3 *db, const char *path, struct cg_problem *problem) CG_MUST_CHECK;

/* Makes an older version's store one of this version; `now_ms`: Unix time, when its rows will have been written. */
int cg_database_upgrade(sqlite3 *db, int64_t now_ms, const char *path, struct cg_problem *problem) CG_MUST_CHECK;
/* Whether it is of this version. CG_E_STORE with *problem. */
int cg_database_check_version(sqlite3 *db, const char *path, struct cg_problem *problem) CG_MUST_CHECK;

/* Turns an empty file into an empty store. CG_E_STORE with *problem. */
int cg_database_create(const char *path, struct cg_problem *problem) CG_MUST_CHECK;

/* These return SQLite's codes: SQLITE_OK or what went wrong. */
int cg_database_run(sqlite3 *db, const char *sql) CG_MUST_CHECK;
int cg_database_ask(sqlite3 *db, const char *sql, int64_t *value) CG_MUST_CHECK;      /* one row, one integer */
int cg_database_expect(sqlite3 *db, const char *sql, const char *text) CG_MUST_CHECK; /* one row, that text */

/* What such a code means for whoever runs the gateway. Returns CG_E_STORE. */
int cg_database_explain(sqlite3 *db, int code, const char *path, struct cg_problem *problem);

#endif
