/* `castgate --reports` and `--reactions`: what the running gateway has heard of members, and done about it. */
#ifndef CG_APP_REPORTS_H
#define CG_APP_REPORTS_H

#include <stdbool.h>

/* Prints those that are kept, a line of JSON each, and with `follow` goes on with each that comes, until it is
 * interrupted or the gateway ends. `group`: only of that security group; NULL: all. Returns the exit status. */
int cg_reports_print(const char *file, const char *group, bool follow);
/* Prints a table. Returns the exit status. */
int cg_reactions_print(const char *file);

#endif
