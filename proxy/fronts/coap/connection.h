/* One connection by TCP or TLS as a peer, and what all of them share. Private to connection.c, which has what one does,
 * and connections.c, which has how many there are and for how long. */
#ifndef CG_FRONTS_COAP_CONNECTION_H
#define CG_FRONTS_COAP_CONNECTION_H

#include "fronts/coap/connections.h"
#include "fronts/coap/layer.h"
#include "fronts/coap/shares.h"
#include "fronts/coap/tls_client.h"
#include "fronts/coap/token.h"
#include "io/stream.h"
#include "model/allowance.h"
#include "wire/reliable.h"

/* Those that nothing runs for are in one of them, longest first, and go when their time is over; who gives way where
 * room is needed goes by shares. */
enum cg_coap_waiting {
    CG_COAP_OPENING,   /* no CSM yet */
    CG_COAP_STRANGERS, /* nobody of the settings */
    CG_COAP_CLIENTS,
    CG_COAP_RELEASING, /* what runs for it may end */
    CG_COAP_WAITINGS,
    CG_COAP_NOT_WAITING = CG_COAP_WAITINGS /* something runs for it */
};

struct cg_coap_connection {
    struct cg_coap_peer peer;
    struct cg_coap_connections *all;
    struct cg_stream *stream;
    SSL *ssl; /* the stream's; NULL: no TLS */
    struct cg_reliable reliable;
    bool has_begun; /* its stream is open, and our CSM is sent */
    bool is_mute;   /* there was no memory for something that the client would wait for in vain */
    struct cg_tls_client client;
    bool is_client;
    unsigned judged; /* all->generation when that was looked at */
    enum cg_coap_waiting waiting;
    uint64_t since_us; /* when it came there */
    struct cg_coap_share seat, input;
    bool is_inside;                                 /* the front is hearing of a request */
    bool awaits;                                    /* the front is to be told when all is out */
    struct cg_coap_token what;                      /* of the message that it is about */
    struct cg_coap_connection *prev, *next;         /* of those that wait alike */
    struct cg_coap_connection *all_prev, *all_next; /* of all */
};

struct cg_coap_connection_figures {
    uint64_t accepted, refused, opened, requests, sent, dropped;
    uint64_t ended[CG_COAP_ENDS_COUNT];
    uint64_t broken_rules[CG_RELIABLE_CAUSES]; /* of RULES: which */
};

/* A response is no longer, whatever the other end takes. */
#define CG_COAP_RESPONSE_MAX (64 * 1024 + 4096)

struct cg_coap_tcp_listener;

struct cg_coap_connections {
    const struct cg_coap_peer_ops *ops;
    void *ctx;
    struct cg_coap_connection_limits limits;
    struct cg_config *config; /* a reference of ours */
    struct cg_coap_tcp_listener *listeners;
    struct cg_streams *streams;
    SSL_CTX *context; /* NULL: nobody listens by TLS */
    uv_loop_t *uv;
    uv_timer_t timer;
    uv_idle_t idle; /* while there are clients to be judged */
    unsigned open_handles;
    unsigned generation; /* of settings */
    size_t count;
    struct cg_coap_connection *list;  /* utlist: all */
    struct cg_coap_connection *sweep; /* the next one to be judged; NULL: all are */
    struct cg_coap_connection *waiting[CG_COAP_WAITINGS];
    struct cg_coap_shares seats[CG_COAP_WAITINGS], input;
    struct cg_coap_connection_figures figures;
    struct cg_allowance loggable;
    uint64_t unlogged;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
    uint8_t scratch[CG_COAP_RESPONSE_MAX];
};

/* ---- connection.c ---- */

/* Owns `fd` and, unless NULL, `ssl` from here on. NULL: no memory. */
struct cg_coap_connection *cg_coap_connection_new(struct cg_coap_connections *all, const struct cg_coap_path *path,
                                                  int fd, SSL *ssl);
/* The front and the client are told, and it is freed; not from inside a request of its own. */
void cg_coap_connection_end(struct cg_coap_connection *connection, enum cg_coap_end end);
/* Whom it has shown itself to be, in the settings of now. False: it was a client's and is no more. */
bool cg_coap_connection_judge(struct cg_coap_connection *connection);

/* ---- connections.c ---- */

/* It is there, or waits as something else from now on, or has been heard of: where it belongs is found anew. */
void cg_coap_connection_place(struct cg_coap_connection *connection);
void cg_coap_connection_take_out(struct cg_coap_connection *connection); /* of everything here */
/* It holds so much of a message that has not come whole. Who has most gives way, and may be this one: then false. */
bool cg_coap_connection_weigh(struct cg_coap_connection *connection, size_t held);

#endif
