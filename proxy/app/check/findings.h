/* What --check has found out: what its hints are drawn from. */
#ifndef CG_APP_CHECK_FINDINGS_H
#define CG_APP_CHECK_FINDINGS_H

#include "app/check/outlet.h"
#include "app/check/probe.h"
#include "app/check/trial.h"
#include "app/check/wiretap.h"
#include "io/routes.h"

/* A known member that did not answer the group request, and what was found out about it. */
struct cg_silent {
    char name[CG_NAME_MAX + CG_ADDR_TEXT_MAX];
    struct cg_probe probe;
    struct cg_way way;
    struct cg_addr source;       /* that unicast to it has here; family NONE: none */
    enum cg_neighbour neighbour; /* where it is on the link and did not answer the ping */
    uint16_t other_port;         /* of its host where something answers, and not at its own; 0: none */
    bool asked;                  /* the same request, by unicast */
    bool said;                   /* what it said to that: */
    struct cg_check_kind word;
};

struct cg_findings {
    const struct cg_config *config;
    const struct cg_mapping *mapping;
    const char *path; /* what was asked for, for people */
    struct cg_outlet *outlets;
    size_t outlet_count;
    bool unicast;                /* the request went to the only member */
    bool beside;                 /* by the gateway that runs */
    bool as_root;                /* what cannot be seen, root cannot see either */
    struct cg_problem problem;   /* why there was no request or no reply; err 0: there was */
    bool interrupted;            /* by a signal: it collected no further */
    struct cg_check_facts facts; /* before the request */
    uint32_t listened_s;
    struct cg_check_result group; /* the request that clients make */
    bool core_asked;              /* the group's /.well-known/core, as nobody is known: */
    struct cg_check_result core;
    struct cg_drops drops; /* meanwhile */
    struct cg_wiretap tap; /* fd -1: it could not be opened */
    bool tapped;
    struct cg_silent silent[CG_SILENT_MAX];
    size_t silent_count;
    bool has_rules;
    struct cg_slice rules; /* that drop, one a line */
};

#endif
