/* Access recovered from a shell: castgate --new-admin-token. */
#ifndef CG_APP_NEW_ADMIN_TOKEN_H
#define CG_APP_NEW_ADMIN_TOKEN_H

/* Makes one, by the running gateway where there is one, and prints it. Returns the exit status. */
int cg_new_admin_token_print(const char *file);

#endif
