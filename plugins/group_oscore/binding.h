/* What a sealed request leaves behind for its answers, and the group itself: shared by seal.c, open.c and
 * group_oscore.c. */
#ifndef CG_GROUP_OSCORE_BINDING_H
#define CG_GROUP_OSCORE_BINDING_H

#include "base/container.h"
#include "legs/protector.h"
#include "group_oscore/ties.h"

struct group_opening;

/* Key material that the group has had, and the generation by which what was accepted under it is remembered. */
struct cg_known_keys {
    uint8_t keys[32];
    uint64_t generation;
};

enum { CG_KNOWN_KEYS = 16 }; /* far more than there can be within one exchange */

struct cg_group_oscore {
    struct cg_protector protector;
    struct cg_server server;
    struct cg_group_services *services;
    struct cg_epoch *current; /* sent under; NULL: no keys */
    struct cg_epoch *next;    /* prepared: accepted; NULL: none */
    struct cg_epoch *staged_current, *staged_next;
    struct cg_epoch *epochs; /* all that are alive: those above, and those that requests were sent under */
    struct cg_known_keys known[CG_KNOWN_KEYS];
    unsigned known_count;       /* in all; the latest are kept */
    struct group_opening *lent; /* what the latest answer that was opened at once is lent from */
};

static inline struct cg_group_oscore *cg_group_oscore_of(struct cg_protector *protector) {
    return CG_CONTAINER(protector, struct cg_group_oscore, protector);
}

struct cg_binding {
    struct cg_group_oscore *group;
    struct cg_ties *ties;            /* a reference: with those of all that is sent on its token */
    struct cg_tied_request *request; /* a reference */
    struct cg_crypto_lane lane;
    unsigned jobs; /* in flight: sealing and opening */
    bool released;
};

/* incoming.c */
extern const struct cg_server_ops cg_group_server_ops;

/* seal.c, open.c: the operations of the protector. */
int cg_group_seal(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job, struct cg_buf *out,
                  struct cg_binding **binding, struct cg_problem *problem) CG_MUST_CHECK;
int cg_group_measure(struct cg_protector *protector, const struct cg_sealing *sealing, size_t *size,
                     struct cg_problem *problem) CG_MUST_CHECK;
int cg_group_open(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                  struct cg_opened *opened) CG_MUST_CHECK;

void cg_group_opening_free(struct group_opening *opening); /* NULL has no effect */
void cg_group_open_none(struct cg_binding *binding);       /* ends what still waits to be verified for it */

/* Under which epoch its request is to go out: the prepared one where the only member that it is for seems to have no
 * other keys any more. NULL: there are none. */
struct cg_epoch *cg_group_epoch_for(const struct cg_binding *binding);
/* Whether its request must not go out any more, since it is to go under other keys, or there are none. */
bool cg_group_is_stale(const struct cg_binding *binding);
/* Whether it was sealed under the keys that are only prepared. */
static inline bool cg_tied_is_ahead(const struct cg_group_oscore *group, const struct cg_tied_request *request) {
    return request->for_one && request->epoch != NULL && request->epoch == group->next;
}

/* group_oscore.c: the end of a job; frees the binding when it was the last thing that needed it. */
void cg_binding_end_job(struct cg_binding *binding);
void cg_binding_free(struct cg_binding *binding);

#endif
