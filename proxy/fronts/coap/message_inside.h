/* The message layer from inside: what its files share, and nobody else includes. `message.c` has who is remembered and
 * when something is due, `message_in.c` what comes, `message_out.c` what goes.
 *
 * What is hard is what the front does while it hears of something: it may answer, send, give back its last hold or
 * prove the address, so a remote that something is being told about is looked at only afterwards, by
 * cg_coap_remote_settle: whether it stays, rests or is forgotten. */
#ifndef CG_FRONTS_COAP_MESSAGE_INSIDE_H
#define CG_FRONTS_COAP_MESSAGE_INSIDE_H

#include "base/container.h"
#include "fronts/coap/duplicates.h"
#include "fronts/coap/message.h"
#include "fronts/coap/remotes.h"
#include "wire/envelope.h"

/* The request that the front is hearing of. */
struct cg_coap_current {
    const struct cg_envelope *envelope;
    struct cg_coap_seen *seen;
    bool is_answered; /* or is to be soon */
    bool is_ignored;
};

struct cg_coap_messages {
    const struct cg_coap_peer_ops *ops;
    void *ctx;
    const struct cg_coap_host *host;
    void *host_ctx;
    struct cg_coap_remotes remotes;
    struct cg_coap_duplicates duplicates;
    struct cg_heap deadlines;
    struct cg_coap_soon *soon; /* acknowledgements that wait for their response */
    uint64_t armed_us;
    struct cg_coap_remote *inside; /* whom the front is hearing of: not freed before that is over */
    struct cg_coap_current current;
    struct cg_coap_counters counters;
    uint8_t scratch[CG_COAP_DATAGRAM_ROOM];
};

/* What becomes of a Confirmable message. */
enum cg_coap_outcome { CG_COAP_CONFIRMED, CG_COAP_LOST };

static inline struct cg_coap_remote *cg_coap_remote_of(struct cg_coap_peer *peer) {
    return CG_CONTAINER(peer, struct cg_coap_remote, peer);
}

/* ---- message.c ---- */

uint64_t cg_coap_messages_now(const struct cg_coap_messages *messages);
void cg_coap_messages_arm(struct cg_coap_messages *messages, uint64_t at_us); /* for then, at the latest */
struct cg_coap_remote *cg_coap_remote_new(struct cg_coap_messages *messages,
                                          const struct cg_coap_path *path); /* NULL: no room */
void cg_coap_remote_forget(struct cg_coap_messages *messages, struct cg_coap_remote *remote);
/* Unless the front is hearing of it: whether it stays, rests or is forgotten. */
void cg_coap_remote_settle(struct cg_coap_messages *messages, struct cg_coap_remote *remote);

/* ---- message_out.c ---- */

extern const struct cg_coap_layer cg_coap_message_layer; /* the front's side */
int cg_coap_messages_transmit(struct cg_coap_messages *messages, const struct cg_coap_path *path,
                              struct cg_slice datagram);
void cg_coap_messages_transmit_empty(struct cg_coap_messages *messages, const struct cg_coap_path *path,
                                     enum cg_type type, uint16_t mid);
void cg_coap_messages_reject(struct cg_coap_messages *messages, const struct cg_coap_path *path, uint16_t mid);
/* Into `scratch`. */
int cg_coap_messages_emit(struct cg_coap_messages *messages, const struct cg_coap_path *path,
                          const struct cg_coap_message *message, enum cg_type type, uint16_t mid);
/* The acknowledgement that waits for its response goes without. */
void cg_coap_remote_send_ahead(struct cg_coap_messages *messages, struct cg_coap_remote *remote);
void cg_coap_remote_conclude(struct cg_coap_messages *messages, struct cg_coap_remote *remote,
                             enum cg_coap_outcome outcome);
/* Its Confirmable message again, or not any more. */
void cg_coap_remote_on_due(struct cg_coap_messages *messages, struct cg_coap_remote *remote);

#endif
