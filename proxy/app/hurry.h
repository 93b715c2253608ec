/* SIGINT and SIGTERM while a command waits for the gateway that runs: it is to answer with what it has. */
#ifndef CG_APP_HURRY_H
#define CG_APP_HURRY_H

#include <signal.h>

/* What the signals set from now on, until cg_hurry_end gives them back to whom they were; blocking calls end with them.
 * Not within each other. */
const volatile sig_atomic_t *cg_hurry_begin(void);
void cg_hurry_end(void);

#endif
