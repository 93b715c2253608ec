/* The sink for separate responses (GCP §3.4): each answer of the group goes to the client as it comes, on the client's
 * token, with Reply-From; nothing is replaced, and what waits is bounded and paced for each client. */
#ifndef CG_FRONTS_COAP_SEPARATE_H
#define CG_FRONTS_COAP_SEPARATE_H

#include "fronts/coap/peer.h"
#include "reply/sink.h"

/* Whoever sends for it: the front. All calls come from the gateway's run. */
struct cg_separate_ops {
    /* A response to the client. Its options and payload are borrowed. */
    void (*respond)(void *ctx, const struct cg_coap_message *response, enum cg_type type);
    /* The exchange is over: nothing more comes, and `ctx` is not used any more. *problem (err 0: none) is what the
     * client must be told, as nothing else was. */
    void (*over)(void *ctx, const struct cg_problem *problem);
};

struct cg_separate_to {
    const struct cg_separate_ops *ops;
    void *ctx;
    struct cg_slice token; /* copied */
    const struct cg_option_numbers *numbers;
    struct cg_quota *quota;
};

/* Frees itself at its end. NULL: out of memory. */
struct cg_sink *cg_separate_new(const struct cg_separate_to *to);

#endif
