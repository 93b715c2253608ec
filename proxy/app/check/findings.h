/* What --check has found out: what its hints are drawn from. */
#ifndef CG_APP_CHECK_FINDINGS_H
#define CG_APP_CHECK_FINDINGS_H

#include "app/check/outlet.h"
#include "app/check/probe.h"
#include "app/check/wiretap.h"
#include "io/routes.h"
#include "model/stats.h"

/* A known member that did not answer. */
struct cg_silent {
    char name[CG_NAME_MAX + 1];
    struct cg_probe probe;
    struct cg_way way;
};

struct cg_findings {
    const struct cg_config *config;
    const struct cg_mapping *mapping;
    struct cg_outlet *outlets;
    size_t outlet_count;
    bool unicast;              /* the request went to the only member */
    struct cg_problem problem; /* why there was no request or no reply; err 0: there was */
    bool interrupted;          /* by a signal: it collected no further */
    uint32_t answered, missing, rejected, late;
    const char *first_rejection; /* its reason; NULL: none */
    uint64_t received;           /* datagrams at the group sockets */
    uint64_t fates[CG_FATE_COUNT];
    uint64_t kernel_drops;
    uint64_t reverse_path_drops;
    uint32_t buffer_asked, buffer_got;
    struct cg_wiretap tap; /* fd -1: it could not be opened */
    bool tapped;
    const struct cg_silent *silent;
    size_t silent_count;
    bool has_rules;
    struct cg_slice rules; /* that drop, one a line */
};

#endif
