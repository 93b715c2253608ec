/* The store's file: its schema, its versions, and what its errors mean. */
#ifndef CG_STORE_DATABASE_H
#define CG_STORE_DATABASE_H

#include "store/connection.h"

/* Opens a store of this version or an older one (connection.h). CG_E_STORE with *problem, and *db is NULL. */
int cg_database_open(const char *path, sqlite3 **db, struct cg_problem *problem) CG_MUST_CHECK;

/* Looks through all of it for damage. CG_E_STORE with *problem. */
int cg_database_examine(sqlite3 *db, const char *path, struct cg_problem *problem) CG_MUST_CHECK;

/* Makes an older version's store one of this version; `now_ms`: Unix time, when its rows will have been written. */
int cg_database_upgrade(sqlite3 *db, int64_t now_ms, const char *path, struct cg_problem *problem) CG_MUST_CHECK;
/* Whether it is of this version. CG_E_STORE with *problem. */
int cg_database_check_version(sqlite3 *db, const char *path, struct cg_problem *problem) CG_MUST_CHECK;

/* Turns an empty file into an empty store. CG_E_STORE with *problem. */
int cg_database_create(const char *path, struct cg_problem *problem) CG_MUST_CHECK;

/* What SQLite's code means for whoever runs the gateway. Returns CG_E_STORE. */
int cg_database_explain(sqlite3 *db, int code, const char *path, struct cg_problem *problem);

#endif
