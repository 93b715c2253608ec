/* What a client that was let in wants of a mapping's groups. */
#ifndef CG_MODEL_WISH_H
#define CG_MODEL_WISH_H

#include "base/slots.h"
#include "model/request.h"

/* Borrowed while a round is begun or joined. */
struct cg_wish {
    struct cg_config *config;
    const struct cg_mapping *mapping;
    const struct cg_request *request;
    struct cg_slice rest;           /* of the request's path, behind the mapping's */
    const struct cg_member *member; /* asked alone, by unicast; NULL: the groups are */
    struct cg_addr at;   /* where it is asked, where the client has said that: then path and query are the member's own.
                            Family NONE: wherever it is known to be */
    bool is_stranger;    /* nobody has configured or verified it: only its address is known */
    uint64_t timeout_us; /* how long to collect */
    bool expects_answers; /* the client waits for answers, and does not suppress all of them */
    struct cg_ticket origin;
};

#endif
