/* Large trees of JSON, freed off the loop. */
#ifndef CG_FRONTS_ADMIN_RELEASE_H
#define CG_FRONTS_ADMIN_RELEASE_H

#include <jansson.h>

#include "io/worker.h"

/* Gives a reference up. NULL is fine for both: without a worker, and without memory, it is done at once. */
void cg_admin_release(struct cg_worker *worker, json_t *json);

#endif
