/* What to try when a group stays silent: from what --check has seen to sentences for people. Each hint stands for a
 * condition that was found, and names what was found. */
#ifndef CG_APP_CHECK_HINTS_H
#define CG_APP_CHECK_HINTS_H

#include "model/stats.h"
#include "app/check/evidence.h"

/* One way out: a target of the mapping. */
struct cg_leg {
    const struct cg_target *target;
    struct cg_addr group; /* family NONE: its name stands for none */
    bool has_interface;   /* else `problem` says why not */
    struct cg_interface by;
    struct cg_link link;
    struct cg_addr source; /* with port; family NONE: none */
    unsigned route;        /* the interface that the routing table has for the group; 0: none */
    bool is_joined;        /* some program of this host has joined the group there */
    bool self_test_done;   /* a datagram from this host to its own group socket */
    bool self_test_passed;
    struct cg_problem problem;
};

/* A known member that did not answer. */
struct cg_silent {
    char name[CG_NAME_MAX + 1];
    struct cg_ping ping;
    struct cg_way way;
};

struct cg_findings {
    const struct cg_config *config;
    const struct cg_mapping *mapping;
    struct cg_leg *legs;
    size_t leg_count;
    bool unicast;              /* the request went to the only member */
    struct cg_problem problem; /* why there was no request or no reply; err 0: there was */
    uint32_t answered, missing, rejected, late;
    const char *first_rejection; /* its reason; NULL: none */
    uint64_t received;           /* datagrams at the group sockets */
    uint64_t fates[CG_FATE_COUNT];
    uint64_t kernel_drops;
    uint64_t reverse_path_drops;
    uint32_t buffer_asked, buffer_got;
    struct cg_tap tap; /* fd -1: it could not be opened */
    bool tapped;
    const struct cg_silent *silent;
    size_t silent_count;
    bool has_rules;
    struct cg_slice rules; /* that drop, one a line */
};

/* "  - …" lines; nothing when there is nothing to say. */
void cg_hints_put(struct cg_buf *to, const struct cg_findings *findings);

#endif
