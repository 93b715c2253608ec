/* What the running gateway knows of members, as a table, and having it forget them: `castgate --members` and
 * `--forget-members`. */
#ifndef CG_APP_MEMBERS_H
#define CG_APP_MEMBERS_H

/* Both return the process's exit status: 0; 1: no gateway runs on the state folder, or it refused; CG_EXIT_SETTINGS. */
int cg_members_print(const char *file);
int cg_members_forget(const char *file, const char *name); /* "all": all of them */

#endif
