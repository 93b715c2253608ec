/* The gateway as a server in its groups: a member sends a request of its own, an alert or a report, and whoever wants
 * to hears of it (model/alert.h) once it is verified and no replay. Everything else does nothing, and is counted. It
 * has no socket: whoever has one gives it requests (cg_inbound_take) and carries the replies.
 *
 * Which groups these are the gateway's current settings say ("alerts"). */
#ifndef CG_INBOUND_INBOUND_H
#define CG_INBOUND_INBOUND_H

#include "base/buf.h"
#include "model/alert.h"
#include "wire/msg.h"

struct cg_gateway;
struct cg_inbound;

/* `gateway` outlives it. NULL: no memory. */
struct cg_inbound *cg_inbound_new(struct cg_gateway *gateway);
/* Every call must have been told its reply, or be forgotten. NULL is fine. */
void cg_inbound_free(struct cg_inbound *inbound);

/* It hears of what comes from now on, after those that came before it. It is not told of while it is told something. */
void cg_inbound_add_hearer(struct cg_inbound *inbound, struct cg_alert_hearer *hearer);

enum cg_inbound_saying {
    CG_INBOUND_ANSWER,      /* the response below */
    CG_INBOUND_ACKNOWLEDGE, /* that it came, and nothing else */
    CG_INBOUND_IGNORE       /* nothing: as if it had not come, so that when it comes again it is taken again */
};

/* Borrowed for the call. */
struct cg_inbound_reply {
    enum cg_inbound_saying saying;
    bool is_proven; /* the request was its sender's, and no replay */
    uint8_t code;
    struct cg_slice options; /* encoded */
    struct cg_slice payload;
};

/* A request that waits for its reply: embedded in who carries that, and still until then. */
struct cg_inbound_call {
    /* Once, from inside cg_inbound_take or later. */
    void (*reply)(struct cg_inbound_call *call, const struct cg_inbound_reply *reply);
    struct cg_inbound_alert *alert; /* inbound's own */
};

/* What came; borrowed for the call. */
struct cg_inbound_arrival {
    struct cg_addr from;
    struct cg_msg msg; /* type and token do not count */
    size_t size;       /* bytes of the datagram without its token: what is refused is answered by no more */
    uint64_t now_us;   /* monotonic */
};

void cg_inbound_take(struct cg_inbound *inbound, struct cg_inbound_call *call,
                     const struct cg_inbound_arrival *arrival);
/* Nobody is there to be told. What is accepted of it counts all the same. */
void cg_inbound_forget(struct cg_inbound *inbound, struct cg_inbound_call *call);

uint64_t cg_inbound_count(const struct cg_inbound *inbound, const char *group, enum cg_alert_fate fate);
/* Prometheus text. */
void cg_inbound_metrics(const struct cg_inbound *inbound, struct cg_buf *to);

#endif
