/* Figures of what is used (recorder/figures.h), as the REST side shows them. */
#ifndef CG_FRONTS_ADMIN_FIGURES_H
#define CG_FRONTS_ADMIN_FIGURES_H

#include "base/buf.h"

struct cg_admin;

/* The counters of all, and what runs, as members of a JSON object. */
void cg_admin_put_counts(struct cg_buf *to, const struct cg_admin *admin);

#endif
