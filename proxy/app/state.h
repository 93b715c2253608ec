/* castgate --init-state and --backup: the state folder that the settings name. Both return the program's exit status.
 */
#ifndef CG_APP_STATE_H
#define CG_APP_STATE_H

/* Whether somebody says that the keys of the settings have never sent. */
enum cg_state_claims { CG_CLAIM_NOTHING, CG_CLAIM_NEW_KEYS };

int cg_state_make(const char *file, enum cg_state_claims claims);
/* Prints what the gateway that runs on FILE's state folder says of itself, one line of JSON. 0: it runs and is ready.
 */
int cg_state_print_status(const char *file);
int cg_state_back_up(const char *file, const char *to);

#endif
