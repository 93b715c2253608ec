/* What a check sends: the loop's port, and a copy of the first datagram by each way out. */
#ifndef CG_APP_CHECK_EMISSIONS_H
#define CG_APP_CHECK_EMISSIONS_H

#include "app/check/findings.h"
#include "legs/port.h"

struct cg_emission {
    bool happened;
    struct cg_addr to;
    uint8_t *bytes; /* NULL: no memory for a copy */
    size_t len;
};

struct cg_emissions {
    struct cg_port inner; /* the loop's own */
    const struct cg_findings *findings;
    struct cg_emission *list; /* one an outlet of the findings */
};

/* The outlets are counted; they may be filled in later. CG_E_NO_MEMORY. */
int cg_emissions_init(struct cg_emissions *emissions, const struct cg_findings *findings) CG_MUST_CHECK;
/* Stands between the port and its users from now on. */
void cg_emissions_attach(struct cg_emissions *emissions, struct cg_port *port);
void cg_emissions_fini(struct cg_emissions *emissions); /* fine on what is zeroed */

#endif
