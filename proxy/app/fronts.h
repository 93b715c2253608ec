/* By which doors clients come in: all fronts together, for the files that start, reload and end the program. A new
 * front is its folder and a row in fronts.c. */
#ifndef CG_APP_FRONTS_H
#define CG_APP_FRONTS_H

#include "model/request.h"

#define CG_FRONTS_MAX 8

struct cg_program;

/* When the gateway runs. Those that were opened before one could not be are for cg_fronts_close. */
int cg_fronts_open(struct cg_program *program, struct cg_problem *problem) CG_MUST_CHECK;
/* In the log, and noted for whoever asks later; once. */
void cg_fronts_tell_listeners(struct cg_program *program);
/* Certificates are renewed by SIGHUP, with or without other settings. */
void cg_fronts_reload(const struct cg_program *program);

/* No further requests; the running ones still get their reply. */
void cg_fronts_stop(const struct cg_program *program);
/* Nobody waits for the rest of a reply. */
bool cg_fronts_are_idle(const struct cg_program *program);
void cg_fronts_close(const struct cg_program *program);

#endif
