/* CoAP over TCP and TLS (RFC 8323): listeners, and the connections that come in by them, each of which is a peer
 * (layer.h). All share their certificate, and the bounds of what clients may have at once. */
#ifndef CG_FRONTS_COAP_CONNECTIONS_H
#define CG_FRONTS_COAP_CONNECTIONS_H

#include <uv.h>

#include "fronts/coap/transport.h"
#include "model/request.h"

struct cg_coap_connections;

struct cg_coap_connection_limits {
    unsigned connections;
    unsigned openings;         /* of them: those from which no CSM has come yet */
    size_t input;              /* bytes of messages that have not come whole */
    uint64_t opening_us;       /* until the CSM must have come, TLS included */
    uint64_t idle_us;          /* without a message, for a client of the settings whose requests have all ended */
    uint64_t stranger_idle_us; /* for somebody else */
    uint64_t release_us;       /* for what runs, after the client has said that it goes */
};
extern const struct cg_coap_connection_limits cg_coap_connection_usual_limits;

/* Why connections ended: by the name that metrics have for it, and the words that clients are told on the way. */
#define CG_COAP_ENDS(END)                                                                                              \
    END(CLOSED, "closed", NULL)       /* by the client */                                                              \
    END(RELEASED, "released", NULL)   /* by the client, orderly */                                                     \
    END(ABORTED, "aborted", NULL)     /* by the client */                                                              \
    END(BROKEN, "broken", NULL)       /* by the network */                                                             \
    END(HANDSHAKE, "handshake", NULL) /* of TLS, which failed */                                                       \
    END(LATE, "late", NULL)           /* there was no CSM in time */                                                   \
    END(STALLED, "stalled", NULL)     /* the client took nothing any more */                                           \
    END(RULES, "rules", NULL)         /* it broke those of RFC 8323, and was told so by an Abort */                    \
    END(INPUT, "input", NULL)         /* there was no memory for its message, or ours */                               \
    END(IDLE, "idle", "idle for too long")                                                                             \
    END(ROOM, "room", "others need the room")                                                                          \
    END(WITHDRAWN, "withdrawn", "no client of this gateway any more")                                                  \
    END(STOPPING, "stopping", "the gateway stops")

enum cg_coap_end {
#define CG_COAP_END(name, metric, words) CG_COAP_END_##name,
    CG_COAP_ENDS(CG_COAP_END)
#undef CG_COAP_END
        CG_COAP_ENDS_COUNT
};

/* `ops` is the front's; limits are copied. NULL: no memory. It takes a reference to the settings. */
struct cg_coap_connections *cg_coap_connections_new(uv_loop_t *uv, struct cg_config *config,
                                                    const struct cg_coap_connection_limits *limits,
                                                    const struct cg_coap_peer_ops *ops, void *ctx);
/* By coap+tcp or coaps+tcp, as `scheme` says; the first of the latter reads the files of coap.tls. `listen` is
 * borrowed; its port may be replaced. */
int cg_coap_connections_listen(struct cg_coap_connections *connections, enum cg_scheme scheme, struct cg_listen *listen,
                               struct cg_problem *problem) CG_MUST_CHECK;
/* Takes up the settings, and reads the files again; where these are no good, those in use stay. Who is no client any
 * more is gone within some turns. */
int cg_coap_connections_reload(struct cg_coap_connections *connections, struct cg_config *config,
                               struct cg_problem *problem) CG_MUST_CHECK;
/* Every peer is `gone`, and told; then on_closed (may be NULL). */
void cg_coap_connections_close(struct cg_coap_connections *connections, void (*on_closed)(void *ctx), void *ctx);
/* Prometheus text. */
void cg_coap_connections_metrics(const struct cg_coap_connections *connections, struct cg_buf *to);

#endif
