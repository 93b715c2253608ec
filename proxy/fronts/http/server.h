/* HTTP/1.1 on our own listening sockets: libmicrohttpd inside the libuv loop, shared by the data side and the admin
 * side. It hands over whole requests and takes replies, at once or later; what it hands over is framed unambiguously
 * (RFC 9112 §11.2), everything else is refused and its connection closed. */
#ifndef CG_FRONTS_HTTP_SERVER_H
#define CG_FRONTS_HTTP_SERVER_H

#include <uv.h>

#include "fronts/http/message.h"
#include "model/request.h"
#include "reply/outq.h"

struct cg_http_server;

/* One request and its reply. It belongs to the server; the handler may use it from `request` until it has replied or
 * `done` was called, whichever comes first. */
struct cg_http_call;

struct cg_http_handler {
    /* A whole request has come in. The handler replies now or later, with exactly one of the cg_http_call_… functions.
     * The value of Authorization is for now only: it is wiped when this returns. Where the body is too big, it replies
     * at once. */
    void (*request)(void *ctx, struct cg_http_call *call);
    /* The end of every call that `request` saw: the reply is sent, or the client left. The call is gone after that. */
    void (*done)(void *ctx, struct cg_http_call *call);
    /* The largest body of this request that is taken, in bytes. Its head is there, and Authorization's value. */
    size_t (*body_max)(void *ctx, struct cg_http_call *call);
    /* Whether many clients come in by that address, so that it may have all connections. NULL: none is such. */
    bool (*is_proxy)(void *ctx, const struct cg_addr *from);
};

/* So many connections have one descriptor more between them. */
#define CG_HTTP_DAEMON_CONNECTIONS 32

struct cg_http_options {
    const struct cg_http_settings *settings; /* listen and tls are used; nothing is kept by reference */
    bool key_may_be_shared;                  /* others than its owner may have a right to the file of the TLS key */
    const struct cg_http_handler *handler;   /* outlives the server */
    void *ctx;                               /* for the handler */
    unsigned connections; /* at once; for one more the one goes that has been without a running request for longest */
    unsigned share;       /* of them for one address (IPv6: its first 64 bits); 0: half of them */
    uint64_t patience_us; /* for a body to come in whole, for a reply to be taken, between requests; 0: 60 s */
    struct cg_quota *bodies;   /* of all bodies that come in or are here; NULL: no bound but each one's own. Borrowed */
    uint64_t head_patience_us; /* from a request's first byte, TLS' included, to the end of its head; 0: 10 s */
};

/* Binds and listens, with TLS when the settings have a certificate. NULL when that fails: *problem says which address
 * or file and why (CG_E_INTERNAL, CG_E_NO_MEMORY). */
struct cg_http_server *cg_http_server_open(uv_loop_t *uv, const struct cg_http_options *options,
                                           struct cg_problem *problem);

/* Reads the TLS files again, perhaps under new names: connections from now on use what they hold, the others go on with
 * what they began with. On failure nothing changes and *problem says which file and why. TLS cannot be turned on or off
 * this way (CG_E_INTERNAL). Without TLS there is nothing to do. */
int cg_http_server_reload_tls(struct cg_http_server *server, const struct cg_tls_settings *settings,
                              bool key_may_be_shared, struct cg_problem *problem) CG_MUST_CHECK;

/* No new connections and no further requests on the old ones; calls that were handed over stay until replied. */
void cg_http_server_stop(struct cg_http_server *server);
size_t cg_http_server_connections(const struct cg_http_server *server);

/* Ends every connection now (`done` comes for each call) and frees the server; then on_closed (may be NULL). Not from
 * inside a handler. NULL is fine, on_closed is then not called. */
void cg_http_server_close(struct cg_http_server *server, void (*on_closed)(void *ctx), void *ctx);

/* The listener's address as it is bound: port 0 in the settings is the chosen port here. */
const struct cg_listen *cg_http_server_listen(const struct cg_http_server *server, size_t index);

/* ---- Calls ---- */

/* Borrowed, valid as long as the call. */
const struct cg_http_message *cg_http_call_message(const struct cg_http_call *call);
const struct cg_listen *cg_http_call_listen(const struct cg_http_call *call);
const struct cg_addr *cg_http_call_peer(const struct cg_http_call *call); /* who connected */
/* Lets pages of that origin read the reply, whatever it will be (Fetch, "CORS protocol"). False: no memory. */
bool cg_http_call_allow_origin(struct cg_http_call *call, const char *origin) CG_MUST_CHECK;

#define CG_HTTP_CERTIFICATE_SHA256 32
/* The client's certificate: CG_OK with the SHA-256 of its DER form when the settings' client_ca vouches for it at this
 * moment. CG_E_NOT_FOUND: there is none, or no TLS. CG_E_UNAUTHORIZED with *problem: it proves nothing (another CA's,
 * expired, not for clients). */
int cg_http_call_certificate(struct cg_http_call *call, uint8_t sha256[CG_HTTP_CERTIFICATE_SHA256],
                             struct cg_problem *problem) CG_MUST_CHECK;

/* The body's memory becomes the caller's, and what the server's quota has for it: as many bytes are to be given back to
 * it. The message has no body then. */
void cg_http_call_take_body(struct cg_http_call *call, struct cg_buf *body);

/* A pointer of the handler's own; NULL at first. */
void cg_http_call_set_ctx(struct cg_http_call *call, void *ctx);
void *cg_http_call_ctx(const struct cg_http_call *call);

struct cg_http_header {
    const char *name;
    const char *value; /* printable; the handler escapes what comes from others. Empty: the header is left out */
};

/* The header `content_type` is left out when empty. Every reply also says X-Content-Type-Options: nosniff, a streamed
 * one X-Accel-Buffering: no; and, where `headers` has none of that name, Cache-Control: no-store, and a page its
 * Content-Security-Policy (base/html.h), whoever made it. HEAD and 204 lose their body here. */
struct cg_http_head {
    uint16_t status;
    const char *content_type;
    const struct cg_http_header *headers;
    size_t header_count;
};

/* Takes over the buffer's memory. */
void cg_http_call_reply_bytes(struct cg_http_call *call, const struct cg_http_head *head, struct cg_buf *body);
/* Bytes that outlive the program's last reply: constants. */
void cg_http_call_reply_static(struct cg_http_call *call, const struct cg_http_head *head, struct cg_slice body);
/* Takes a reference of its own. An ended queue is sent with its length, another is streamed until it ends; its
 * on_change is the server's from now on. */
void cg_http_call_reply_queue(struct cg_http_call *call, const struct cg_http_head *head, struct cg_outq *body);
/* application/problem+json (RFC 9457) with the headers that go with the error. `exchange_id`: NULL when there is none.
 */
void cg_http_call_reply_problem(struct cg_http_call *call, const struct cg_problem *problem, const char *exchange_id);
struct cg_http_more {
    const struct cg_http_header *headers; /* at most eight */
    size_t count;
    struct cg_slice members; /* of the JSON object: each behind a comma; empty: none */
};
void cg_http_call_reply_problem_with(struct cg_http_call *call, const struct cg_problem *problem,
                                     const char *exchange_id, const struct cg_http_more *more);

#endif
