/* New files that may never be seen half made: each is made under another name beside its place, and gets its own,
 * durably, only when it is whole; and never over a file that is there. */
#ifndef CG_STORE_DRAFT_H
#define CG_STORE_DRAFT_H

#include "model/request.h"

/* New, empty, 0600, beside `path`: its name, malloc'd. NULL with *problem. */
char *cg_draft_make(const char *path, struct cg_problem *problem);
/* It is the file `to` from now on. CG_E_STORE with *problem, also where there is one. */
int cg_draft_publish(const char *draft, const char *to, struct cg_problem *problem) CG_MUST_CHECK;
/* Removes what is left under its name, and what SQLite keeps beside it, and frees the name. NULL has no effect. */
void cg_draft_drop(char *draft);

/* The name in the folder of `path` is durable. CG_E_STORE with *problem. */
int cg_draft_sync_parent(const char *path, struct cg_problem *problem) CG_MUST_CHECK;
/* CG_E_STORE, with errno's text: "WHAT PATH: why". */
int cg_draft_cannot(const char *what, const char *path, struct cg_problem *problem);

#endif
