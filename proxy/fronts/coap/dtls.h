/* DTLS 1.2 sessions (RFC 6347): datagrams in, datagrams and messages out. No socket and no clock: whoever has those
 * calls, and is called by a table of operations.
 *
 * Nothing is remembered of an address before it has said its cookie back, and no asymmetric cryptography is done for
 * it. Handshakes that have begun are bounded in all and for each host, and wait for their turn: one step of one of them
 * a turn of the loop, so that a flood of them holds up nobody else for long. */
#ifndef CG_FRONTS_COAP_DTLS_H
#define CG_FRONTS_COAP_DTLS_H

#include "model/request.h"

/* Bytes of a datagram that go along any path without being fragmented: IPv6's least MTU less its header and UDP's. */
#define CG_DTLS_DATAGRAM_ROOM (1280 - 40 - 8)

struct cg_dtls;
struct cg_dtls_session;

/* Zeroed before it is filled in: it is compared as bytes. */
struct cg_dtls_path {
    struct cg_addr remote, local;
    void *by; /* the caller's: what it sends along this path by */
};

struct cg_dtls_ops {
    const struct cg_config *(*config)(void *ctx); /* of this moment */
    /* A datagram, borrowed. CG_E_OVERLOAD, CG_E_EMIT: it did not go. */
    int (*emit)(void *ctx, const struct cg_dtls_path *path, struct cg_slice datagram);
    /* There is work for cg_dtls_turn. Told once for each time that there was none before. */
    void (*busy)(void *ctx);
    /* A handshake is done. False: no memory, and it is closed without a word to the caller. */
    bool (*opened)(void *ctx, struct cg_dtls_session *session);
    /* One message, borrowed. The session may be sent on, and not ended, in it. */
    void (*received)(void *ctx, struct cg_dtls_session *session, struct cg_slice message);
    /* Who uses it: it is not to make room for others. */
    bool (*is_used)(void *ctx, struct cg_dtls_session *session);
    /* It is freed after this. */
    void (*closed)(void *ctx, struct cg_dtls_session *session);
};

struct cg_dtls_limits {
    uint32_t sessions;
    uint32_t handshakes;          /* in progress */
    uint32_t handshakes_per_host; /* of those; of IPv6, hosts are told apart by 64 bits */
    uint64_t handshake_us;        /* until one must be done */
    uint64_t idle_us;             /* without anything received, for a session of a client of the settings */
    uint64_t stranger_idle_us;    /* for one of somebody else */
};
extern const struct cg_dtls_limits cg_dtls_usual_limits;

struct cg_dtls_figures {
    uint64_t hellos;     /* ClientHello, with cookies or without */
    uint64_t challenged; /* of them, answered by a cookie */
    uint64_t refused;    /* of those with a good cookie: too many handshakes */
    uint64_t opened;
    uint64_t failed;  /* handshakes that ended otherwise, or ran out of time */
    uint64_t strays;  /* datagrams of no session */
    uint64_t ignored; /* to a session, without anything new in them: forged, garbled, repeated, of another epoch */
    uint32_t sessions, handshakes; /* at this moment */
};

/* NULL: *problem says why. `limits` is copied. */
struct cg_dtls *cg_dtls_new(const struct cg_dtls_ops *ops, void *ctx, const struct cg_dtls_limits *limits,
                            uint64_t now_us, struct cg_problem *problem);
/* Ends every session. NULL is fine. */
void cg_dtls_free(struct cg_dtls *dtls);

/* Reads certificate, key and client CA; before anything comes, and again whenever settings or files have changed.
 * Where that fails, what was in use stays. Sessions of what is no client any more end in the turns that follow. */
int cg_dtls_load(struct cg_dtls *dtls, const struct cg_tls_settings *settings, bool key_may_be_shared,
                 struct cg_problem *problem) CG_MUST_CHECK;

void cg_dtls_take(struct cg_dtls *dtls, const struct cg_dtls_path *path, struct cg_slice datagram, uint64_t now_us);
/* One piece of work, in a turn of its own. True: there is more. */
bool cg_dtls_turn(struct cg_dtls *dtls, uint64_t now_us);
/* When cg_dtls_run is to be called (monotonic); UINT64_MAX: never. */
uint64_t cg_dtls_due_us(const struct cg_dtls *dtls);
void cg_dtls_run(struct cg_dtls *dtls, uint64_t now_us);
const struct cg_dtls_figures *cg_dtls_figures(const struct cg_dtls *dtls);

/* CG_E_TOO_BIG: more than cg_dtls_room; otherwise as `emit`, or CG_E_NO_MEMORY. */
int cg_dtls_send(struct cg_dtls_session *session, struct cg_slice message) CG_MUST_CHECK;
size_t cg_dtls_room(const struct cg_dtls_session *session); /* bytes of a message */
const struct cg_dtls_path *cg_dtls_session_path(const struct cg_dtls_session *session);
void **cg_dtls_session_place(struct cg_dtls_session *session); /* the caller's; NULL at first */
/* As cg_coap_peer_identify (peer.h). */
int cg_dtls_session_identify(const struct cg_dtls_session *session, const struct cg_config *config,
                             struct cg_request *request, struct cg_problem *problem) CG_MUST_CHECK;

#endif
