/* One connection to a store's file: opening it so that a commit is durable, its schema, and what its errors mean. */
#ifndef CG_PLUGINS_SQLITE_DATABASE_H
#define CG_PLUGINS_SQLITE_DATABASE_H

#include <sqlite3.h>

#include "core/request.h"

/* Opens a store of this version; never creates a file. CG_E_STORE with *problem, and *db is NULL. */
int cg_database_open(const char *path, sqlite3 **db, struct cg_problem *problem) CG_MUST_CHECK;
void cg_database_close(sqlite3 *db); /* NULL has no effect */

/* From here on what is committed is durable: WAL mode, synchronous FULL, and a log that begins empty. */
int cg_database_make_durable(sqlite3 *db, const char *path, struct cg_problem *problem) CG_MUST_CHECK;

/* Turns an empty file into an empty store. CG_E_STORE with *problem. */
int cg_database_create(const char *path, struct cg_problem *problem) CG_MUST_CHECK;

/* These return SQLite's codes: SQLITE_OK or what went wrong. */
int cg_database_run(sqlite3 *db, const char *sql) CG_MUST_CHECK;
int cg_database_ask(sqlite3 *db, const char *sql, int64_t *value) CG_MUST_CHECK;      /* one row, one integer */
int cg_database_expect(sqlite3 *db, const char *sql, const char *text) CG_MUST_CHECK; /* one row, that text */

/* What such a code means for whoever runs the gateway. Returns CG_E_STORE. */
int cg_database_explain(sqlite3 *db, int code, const char *path, struct cg_problem *problem);

#endif
