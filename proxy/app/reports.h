/* `castgate --reports` and `--reactions`: what the running gateway has heard of members, and done about it. */
#ifndef CG_APP_REPORTS_H
#define CG_APP_REPORTS_H

enum cg_reports_extent {
    CG_REPORTS_KEPT,
    CG_REPORTS_FOLLOWED, /* and each that comes, until it is interrupted or the gateway ends */
};

/* Prints those that are kept, a line of JSON each, and goes on as `extent` says. `group`: only of that security group;
 * NULL: all. Returns the exit status. */
int cg_reports_print(const char *file, const char *group, enum cg_reports_extent extent);
/* Prints a table. Returns the exit status. */
int cg_reactions_print(const char *file);

#endif
