/* castgate --check MAPPING: one request of a mapping by way of the real machinery, that of the gateway which runs where
 * there is one, with everything told that can be told about it. */
#ifndef CG_APP_CHECK_CHECK_H
#define CG_APP_CHECK_CHECK_H

#include "model/request.h"

enum { CG_CHECK_ANSWERED = 0, CG_CHECK_SILENT = 1, CG_CHECK_SETTINGS = 2 };

/* `what`: MAPPING, or MAPPING/PATH?QUERY, as a client would ask for it. Prints to stdout, mistakes to stderr; returns
 * one of the above, the program's exit status. The snapshot must not be used for anything else. Keeps no reference. */
int cg_check_run(struct cg_config *config, const char *what);

#endif
