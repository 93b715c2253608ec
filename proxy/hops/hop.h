/* One next hop and the ways to it. A way is one connection, from its beginning to its end; what differs between
 * connections and sessions is a table of operations. Private to hops/. */
#ifndef CG_HOPS_HOP_H
#define CG_HOPS_HOP_H

#include "base/hash.h"
#include "base/heap.h"
#include "hops/connections.h"
#include "io/stream.h"

#define CG_HOP_MESSAGE_MAX (64 * 1024 + 4096) /* bytes of one that is taken */

struct cg_hop;
struct cg_hop_stream;
struct cg_hop_way;

/* Of whatever waits for a time here. */
struct cg_hop_timer {
    struct cg_deadline deadline;
    void (*due)(struct cg_hop_timer *timer);
};

struct cg_hop_way_ops {
    /* Whether one that is open takes a message now: CG_OK; CG_PENDING: cg_hop_has_room follows. */
    int (*has_room)(struct cg_hop_way *way);
    int (*emit)(struct cg_hop_way *way, struct cg_slice datagram, struct cg_problem *problem);
    /* Frees it. The other end is told, and this side nothing. */
    void (*end)(struct cg_hop_way *way);
};

struct cg_hop_way {
    const struct cg_hop_way_ops *ops;
    struct cg_hop *hop; /* may be forgotten with its last way */
    struct cg_hop_connections *all;
    bool was_asked;    /* something has gone out by it */
    uint64_t requests; /* of a former one: that had gone out when it was replaced */
    struct cg_hop_way *prev, *next;
};

struct cg_hop {
    struct cg_hop_connections *all;
    char *key;                 /* owned: its origin and the name of its credentials */
    char *origin, *host;       /* owned: as struct cg_next_hop has them */
    SSL_CTX *context;          /* a reference: what its next connection begins with; NULL: without protection */
    struct cg_addr addr;       /* as the core knows it */
    struct cg_hop_way *way;    /* owned; NULL: none */
    struct cg_hop_way *former; /* utlist, owned: those whose other end wants no further requests */
    bool is_open;              /* its way is */
    unsigned failures;         /* attempts in vain, since one came off */
    uint64_t rests_until_us;   /* after these */
    struct cg_problem problem; /* why the latest was in vain */
    struct cg_hop_timer rest;
    UT_hash_handle hh, hh_number;
};

struct cg_hop_figures {
    uint64_t opened, failed, lost, released, idle;
};

struct cg_hop_connections {
    struct cg_connection_port port;
    struct cg_hop_limits limits;
    struct cg_engine *engine;
    uv_loop_t *uv;
    uv_timer_t timer;
    uv_idle_t idle;
    struct cg_heap deadlines;
    struct cg_streams *streams;
    struct cg_hop *by_key, *by_number; /* uthash heads */
    struct cg_hop_stream *owing;       /* utlist: that have a Ping to send, when all of the turn's requests are out */
    uint32_t last_number;
    struct cg_hop_figures figures;
    bool is_closed;
    uint8_t in[CG_HOP_MESSAGE_MAX + 64], out[CG_HOP_MESSAGE_MAX]; /* one may be sent while another is dealt with */
};

/* ---- connections.c ---- */

void cg_hop_set_timer(struct cg_hop_connections *all, struct cg_hop_timer *timer, uint64_t in_us);
void cg_hop_clear_timer(struct cg_hop_connections *all, struct cg_hop_timer *timer);
void cg_hop_run_soon(struct cg_hop_connections *all); /* cg_hop_streams_ping, in the next turn of the loop */
void cg_hop_forget(struct cg_hop *hop);               /* frees one that has no way */

/* ---- hop.c: what a way tells ---- */

void cg_hop_opened(struct cg_hop_way *way);
void cg_hop_has_room(struct cg_hop_way *way);
/* Further requests are to go by another, which is not to be made for so many seconds. */
void cg_hop_released(struct cg_hop_way *way, uint32_t hold_off_s);
/* A message, in the form of a datagram. May not end the way. */
void cg_hop_received(struct cg_hop_way *way, struct cg_slice datagram);
/* The other end has had so many of all requests. */
void cg_hop_reached(struct cg_hop_way *way, uint64_t requests);
/* It is over, for this reason (a library's word or ours), and frees itself then. */
void cg_hop_lost(struct cg_hop_way *way, const char *why);
/* Nobody needs it any more; the same. */
void cg_hop_idle(struct cg_hop_way *way);
bool cg_hop_is_used(const struct cg_hop_way *way);

/* ---- hop.c: for connections.c ---- */

int cg_hop_open(struct cg_hop *hop, struct cg_problem *problem) CG_MUST_CHECK;
int cg_hop_emit(struct cg_hop *hop, struct cg_slice datagram, struct cg_problem *problem) CG_MUST_CHECK;
void cg_hop_end(struct cg_hop *hop); /* with all of its ways */

/* ---- session.c ---- */

/* By DTLS. NULL: *problem says why. */
struct cg_hop_way *cg_hop_session_new(struct cg_hop *hop, struct cg_problem *problem);

/* ---- stream.c ---- */

/* By TCP. NULL: *problem says why. */
struct cg_hop_way *cg_hop_stream_new(struct cg_hop *hop, struct cg_problem *problem);
void cg_hop_streams_ping(struct cg_hop_connections *all); /* those that owe one */

#endif
