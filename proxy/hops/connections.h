/* The connections to next hops: one for each of them, made when it is asked, kept while somebody asks there and for a
 * while after. What the core sees of them is legs/port.h and legs/connection.h. */
#ifndef CG_HOPS_CONNECTIONS_H
#define CG_HOPS_CONNECTIONS_H

#include <uv.h>

#include "base/buf.h"
#include "legs/connection.h"

struct cg_hop_limits {
    uint64_t opening_us; /* until the other end has said what it can (CSM) */
    uint64_t pong_us;    /* until it has answered a Ping */
    uint64_t quiet_us;   /* without a word, before it is asked for one; or let go, where nobody asks anything there */
    uint64_t release_us; /* for what runs on one that the other end has released (RFC 8323 §5.5) */
    uint64_t rest_us;    /* after a first vain attempt, doubled with each more, five times at the most */
};
extern const struct cg_hop_limits cg_hop_usual_limits;

struct cg_hop_connections;

/* NULL: no memory. The engine outlives it. */
struct cg_hop_connections *cg_hop_connections_open(uv_loop_t *uv, struct cg_engine *engine,
                                                   const struct cg_hop_limits *limits);
const struct cg_connection_port *cg_hop_connections_port(const struct cg_hop_connections *all);
void cg_hop_connections_metrics(const struct cg_hop_connections *all, struct cg_buf *to);
/* From the loop: all are ended, and none is made any more. NULL is fine. */
void cg_hop_connections_close(struct cg_hop_connections *all);
/* When the loop has ended and the engine calls the port no more. NULL is fine. */
void cg_hop_connections_free(struct cg_hop_connections *all);

#endif
