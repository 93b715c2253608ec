/* The real gateway as a process, on loopback, with settings of its own. */
#ifndef CG_BENCH_GATEWAY_H
#define CG_BENCH_GATEWAY_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "common/peer.h"

struct bench_gateway {
    pid_t pid;
    char folder[32];
    uint16_t http, admin, coap; /* ports; CoAP's by UDP and by TCP */
    uint16_t coaps;             /* by TLS, with pre-shared keys of the clients in `more` */
    uint32_t receive_buffer;    /* bytes; 0: castgate's default */
    const char *more;           /* further members of the settings; NULL: none */
    bool claims;                /* the keys in the settings, before it starts */
    double idle;                /* CPU ns a ns of wall-clock time, with nothing to do */
};

/* A mapping "NAME" at /NAME of the peer's group, without protection; `finish`: as in the settings. `members` are the
 * peer's first ones, configured; 0: open membership. Separated by commas already. */
void bench_put_mapping(struct cg_buf *mappings, const struct bench_peer *peer, const char *name, const char *finish,
                       uint32_t members);

/* `receive_buffer`: bytes; 0: castgate's default. One client may have as many exchanges as there may be. Ends the
 * program when the gateway does not start. */
void bench_gateway_start(struct bench_gateway *gateway, struct cg_slice mappings, uint32_t receive_buffer);
/* `more`: further members of the settings, which stay the caller's. */
void bench_gateway_start_with(struct bench_gateway *gateway, struct cg_slice mappings, const char *more);
/* The same with a store, in which the keys are claimed that `more` names. */
void bench_gateway_start_claimed(struct bench_gateway *gateway, struct cg_slice mappings, const char *more);
void bench_gateway_start_unread(struct bench_gateway *gateway, struct cg_slice mappings); /* nobody reads its log */
/* Writes other mappings, sends SIGHUP and waits until they are in use. */
void bench_gateway_reload(struct bench_gateway *gateway, struct cg_slice mappings);
void bench_gateway_stop(struct bench_gateway *gateway);
void bench_gateway_kill(struct bench_gateway *gateway); /* one that may not end by itself */
/* Measures `idle`: takes a second. */
void bench_gateway_rest(struct bench_gateway *gateway);
/* The value of a line of /metrics that begins with `name`; 0 when there is none. */
double bench_gateway_metric(const struct bench_gateway *gateway, const char *name);
uint64_t bench_gateway_rss(const struct bench_gateway *gateway);  /* bytes */
uint64_t bench_gateway_peak(const struct bench_gateway *gateway); /* the most it was so far */

/* CPU time of the gateway between two moments, without what it would have used at rest. */
struct bench_span {
    uint64_t cpu_ns, wall_ns;
};
struct bench_span bench_gateway_begin(const struct bench_gateway *gateway);
double bench_gateway_end(const struct bench_gateway *gateway, struct bench_span begin); /* ns */

#endif
