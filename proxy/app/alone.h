/* A gateway for one command, where none is in service: the loop, the names and the protectors of the settings, without
 * fronts; whoever has it waits on its loop. */
#ifndef CG_APP_ALONE_H
#define CG_APP_ALONE_H

#include "app/protectors.h"
#include "hops/connections.h"
#include "io/loop.h"
#include "io/names.h"

enum cg_alone_keys {
    CG_ALONE_PLAIN,     /* nothing that is protected is sent: the state folder is left to whoever may have it */
    CG_ALONE_PROTECTED, /* protected requests may be sent */
};

struct cg_alone {
    struct cg_config *config; /* the settings; borrowed */
    struct cg_loop loop;
    struct cg_protectors protectors;
    struct cg_names *names;
    struct cg_hop_connections *hops;
    uv_timer_t timer;
    bool timed_out;
    bool interrupted;         /* by a signal: nothing more is to be sent */
    void (*hurry)(void *ctx); /* which comes with the signal: whoever is tired of waiting still gets to see what came */
    void *ctx;
};

/* Must not move. A group.port that is in use is given up in the snapshot, which is said. False, with *problem: nothing
 * is left open. */
bool cg_alone_open(struct cg_alone *alone, struct cg_config *config, enum cg_alone_keys keys, void (*hurry)(void *ctx),
                   void *ctx, struct cg_problem *problem) CG_MUST_CHECK;
/* Whoever has handles on its loop has closed them. */
void cg_alone_close(struct cg_alone *alone);

/* Runs the loop until `done` says so, for `most_ms` at most. It is asked after each turn, and a turn may sleep before
 * it ends: whoever changes what `done` looks at from inside the gateway calls cg_alone_wake. */
void cg_alone_wait(struct cg_alone *alone, bool (*done)(const void *who), const void *who, uint64_t most_ms);
void cg_alone_wake(struct cg_alone *alone);
/* The same, for the groups of these mappings' targets to be known by their names. */
void cg_alone_wait_for_names(struct cg_alone *alone, const struct cg_mapping *mappings, size_t count);

#endif
