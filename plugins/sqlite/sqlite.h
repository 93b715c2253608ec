/* The store on SQLite: one folder, for one gateway at a time, on a local disk. README.md says what is in it and what of
 * copies can be detected. */
#ifndef CG_PLUGINS_SQLITE_H
#define CG_PLUGINS_SQLITE_H

#include "core/store.h"

/* Touches nothing yet: the first call opens the store, and after a failure the next call tries anew. NULL: out of
 * memory. */
struct cg_store_backend *cg_sqlite_new(const char *folder);

/* Opens it now, to learn early what is wrong. CG_E_STORE with *problem; the store may be used all the same, it will try
 * again. A gateway that is stopped gives the folder free; until then it stays locked. */
int cg_sqlite_open(struct cg_store_backend *backend, struct cg_problem *problem) CG_MUST_CHECK;

/* Claims a sender for a program that is not the gateway: as the store's own claim does, but also beside a gateway that
 * runs on the folder, so that a rekey needs no restart. CG_E_STORE with *problem. */
int cg_sqlite_claim(const char *folder, const struct cg_sender_id *sender, struct cg_problem *problem) CG_MUST_CHECK;

/* Makes the folder (0700) unless it is there, and an empty store in it (0600). CG_E_STORE, and nothing is changed:
 * where there is, or was, a store; where others may write; any failure. */
int cg_sqlite_init_state(const char *folder, struct cg_problem *problem) CG_MUST_CHECK;

/* A consistent copy as the new file `to`, durable, every sender marked as spent in it before it gets that name. A
 * gateway may be running on the folder. CG_E_STORE, and nothing is left: `to` exists, or any failure. */
int cg_sqlite_backup(const char *folder, const char *to, struct cg_problem *problem) CG_MUST_CHECK;

#endif
