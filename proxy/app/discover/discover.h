/* castgate --discover [GROUP]: what is there, asked by the gateway that runs, or by one of the command's own. */
#ifndef CG_APP_DISCOVER_DISCOVER_H
#define CG_APP_DISCOVER_DISCOVER_H

#include "model/config.h"

#define CG_DISCOVER_SECONDS 60 /* where nobody says for how long */

enum { CG_DISCOVER_ANSWERED = 0, CG_DISCOVER_SILENT = 1, CG_DISCOVER_SETTINGS = 2 };

enum cg_discover_form { CG_DISCOVER_FOR_PEOPLE, CG_DISCOVER_AS_JSON };

struct cg_discover_words {
    const char *group;  /* a mapping's name, a security group's, or a group URI; NULL: all mappings' groups */
    const char *filter; /* a query (RFC 6690 §4.1); NULL: none */
    uint32_t seconds;   /* 1 to CG_DISCOVERY_SECONDS */
    enum cg_discover_form form;
};

/* Prints to stdout, mistakes to stderr; returns one of the above, the program's exit status. The snapshot must not be
 * used for anything else. Keeps no reference. */
int cg_discover_run(struct cg_config *config, const struct cg_discover_words *words);

#endif
