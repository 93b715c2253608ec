/* The tables of stored items, revisions and audit, and how a file of an older version gets them. */
#ifndef CG_STORE_ITEMS_SCHEMA_H
#define CG_STORE_ITEMS_SCHEMA_H

#include "store/connection.h"

#define CG_ITEMS_APPLICATION 0x63676974 /* "cgit" */

/* From version N to N + 1: step N, a list of statements. An empty file has version 0, so making one is step 0. */
extern const char *const cg_items_steps[];
extern const int cg_items_version; /* of this castgate: how many steps there are */

/* Brings a file to `version` by the steps that it lacks, all of them or none. SQLite's code. */
int cg_items_schema_bring(sqlite3 *db, const char *const *steps, int version) CG_MUST_CHECK;

#endif
