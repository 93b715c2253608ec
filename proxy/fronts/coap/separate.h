/* The sink for separate responses (GCP §3.4): each answer of the group goes to the client as it comes, on the client's
 * token, with Reply-From; nothing is replaced. What waits for the client's window (outbox.h) waits in the round. An
 * answer that is too large for one message goes by its first block, and the rest is for whoever asks that member
 * (RFC 10020 §3.8). A request to a single member gets that one's response, or 5.04.
 *
 * Notifications have Observe numbers that rise for each token (RFC 7641 §4.4), and are Confirmable once a day at the
 * least, where nothing changes, too (§4.5). */
#ifndef CG_FRONTS_COAP_SEPARATE_H
#define CG_FRONTS_COAP_SEPARATE_H

#include "fronts/coap/outbox.h"
#include "fronts/coap/peer.h"
#include "reply/sink.h"
#include "wire/block.h"

/* Whoever sends for it: the front. All calls come from the gateway's run. */
struct cg_separate_ops {
    /* A response to the client. Its options and payload are borrowed. CG_OK; CG_E_TOO_BIG: a smaller one may go;
     * CG_E_OVERLOAD, CG_E_NO_MEMORY: it did not go, and may later. */
    int (*respond)(void *ctx, const struct cg_coap_message *response, enum cg_type type);
    /* The client got the first block of that answer alone, under this ETag; `options` are those of each of its blocks
     * in a response to a unicast request, but for Block2 and Size2. All is borrowed. NULL: nobody keeps answers. */
    void (*keep)(void *ctx, const struct cg_view *view, const struct cg_answer *answer, struct cg_slice options,
                 struct cg_slice etag);
    /* It goes to one member: there will be one response, if any. NULL: nobody minds. */
    void (*single)(void *ctx);
    /* The exchange is over: nothing more comes, and `ctx` is not used any more. *problem (err 0: none) is what the
     * client must be told, as nothing else was. */
    void (*over)(void *ctx, const struct cg_problem *problem);
};

struct cg_separate_to {
    const struct cg_separate_ops *ops;
    void *ctx;
    struct cg_outbox *outbox;      /* the client's */
    enum cg_type type;             /* the request's: a single member's response is of that kind */
    struct cg_slice token;         /* copied; CG_COAP_TOKEN_MAX bytes at the most */
    const struct cg_block *block1; /* the request's, said again in its responses (RFC 7959 §2.3); NULL: it has none */
    const struct cg_block *block2; /* the request's: the largest blocks that the client takes, and which one of a single
                                      member's answer; NULL: it does not say */
    size_t room;                   /* bytes of a message to the client: cg_coap_peer_room */
    uint64_t now_us;
};

/* Frees itself at its end. NULL: out of memory. */
struct cg_sink *cg_separate_new(const struct cg_separate_to *to);

/* Its exchange has begun to collect, and observes: not where there was no room for that, or nothing to observe. */
bool cg_separate_observes(struct cg_sink *sink);
/* Its client has cancelled the observation, by a message of that kind: what it still hears are no notifications. Where
 * it is of a single member, the end tells what that one has said last, as an answer to the message (RFC 7641 §4.1). */
void cg_separate_cancel(struct cg_sink *sink, enum cg_type type);

#endif
