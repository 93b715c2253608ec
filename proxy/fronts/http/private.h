/* The inside of the HTTP server, shared by its own files only: connections and calls. */
#ifndef CG_FRONTS_HTTP_PRIVATE_H
#define CG_FRONTS_HTTP_PRIVATE_H

#include "fronts/http/mhd.h"

#include "base/container.h"
#include "base/heap.h"
#include "fronts/http/seats.h"
#include "fronts/http/server.h"
#include "fronts/http/tls.h"

#define CG_HTTP_HEADER_MAX 16384   /* bytes: request line and header fields */
#define CG_HTTP_NEVER_S    1000000 /* a timeout of libmicrohttpd that is there, and never comes */

/* A deadline with what it does. */
struct cg_http_timer {
    struct cg_deadline deadline;
    void (*due)(struct cg_http_timer *timer);
};

struct cg_http_listener {
    struct cg_http_server *server;
    struct cg_listen listen; /* with a text of its own */
    int fd;
    uv_poll_t poll;
};

/* A libmicrohttpd daemon with a part of the connections. */
struct cg_http_daemon {
    struct cg_http_server *server;
    struct cg_http_daemon *prev, *next;               /* of all */
    struct cg_http_daemon *prev_roomy, *next_roomy;   /* of those with room */
    struct cg_http_daemon *prev_wanted, *next_wanted; /* of those that are to run at once */
    struct MHD_Daemon *mhd;
    unsigned connections;
    bool has_room, wanted;
    bool last_look;      /* the timer stands for what libmicrohttpd does not ask for */
    unsigned eager_runs; /* runs in a row after which it wanted the next one at once */
    struct cg_http_timer timer;
    uv_poll_t poll; /* its epoll descriptor */
};

struct cg_http_server {
    uv_loop_t *uv;
    const struct cg_http_handler *handler;
    void *ctx;
    struct cg_http_daemon *daemons, *roomy, *wanted; /* lists */
    uv_prepare_t run_prepare;                        /* runs them before the loop sleeps */
    uv_idle_t run_idle;                              /* keeps it from sleeping while there are any */
    uint64_t turn;                                   /* of the loop: how often it has gone to sleep */
    struct cg_http_tls *tls;                         /* what new connections begin with; NULL: no TLS */
    struct cg_http_listener *listeners;
    size_t listener_count;
    struct cg_http_connection *connections;         /* a list */
    struct cg_http_linger *lingers;                 /* a list */
    const struct cg_http_listener **listener_by_fd; /* by a connection's descriptor */
    size_t fd_cap;
    struct cg_http_seats seats;
    unsigned connection_count; /* those that linger or are being closed included */
    unsigned connection_max;   /* of them */
    uint64_t patience_us, head_patience_us;
    struct cg_quota *bodies;
    uint64_t full_said_us; /* when the log last said that somebody was turned away; 0: never */
    struct cg_heap deadlines;
    uint64_t armed_us; /* what deadline_timer stands at; UINT64_MAX: it does not run */
    uv_timer_t deadline_timer;
    uv_timer_t pause_timer; /* runs while descriptors are short */
    size_t open_handles;    /* the server's memory goes with the last */
    bool accepting;
    bool short_of_fds;
    bool stopping;
    bool closing;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
};

/* A client's socket. libmicrohttpd owns the descriptor. */
struct cg_http_connection {
    struct cg_http_timer timer; /* when patience ends */
    struct cg_http_seat seat;
    struct cg_http_server *server;
    struct cg_http_daemon *daemon;
    struct cg_http_connection *previous, *next;
    struct cg_addr from;
    const struct cg_http_listener *listener;
    struct MHD_Connection *mhd;
    struct cg_http_tls *tls; /* a reference; NULL: no TLS */
    int64_t certified_until; /* the client's certificate was found good and expires then; 0: not checked yet */
    uint8_t certificate_sha256[CG_HTTP_CERTIFICATE_SHA256];
    struct cg_http_call *call; /* the request in progress, or NULL */
    int fd;
    bool has_watch;
    int watched;     /* the events that it waits for */
    uv_poll_t watch; /* for the first byte of a head, and for the client's end */
    uint64_t turn;   /* of the loop, in which it began to idle, or a head began */
    bool suspended;
    bool asked_first; /* it has a timeout of its own */
    bool in_head;     /* the first byte of a request has come */
    bool ended;       /* the client has shut its sending side, at least */
    bool half_closed; /* so it seems; only a reset tells that it left */
    bool unread;      /* refused before all of the request was read */
    bool heard;       /* since it idles: what had come was read before it was to go */
    bool expired;     /* shut down by us */
};

enum cg_http_call_state {
    CG_HTTP_CALL_HEAD,     /* nothing was looked at yet */
    CG_HTTP_CALL_BODY,     /* being read */
    CG_HTTP_CALL_ASKED,    /* the handler has it */
    CG_HTTP_CALL_ANSWERED, /* the response is made */
    CG_HTTP_CALL_SENDING,  /* libmicrohttpd has it */
    CG_HTTP_CALL_LOST,     /* the client left or the server closes */
};

struct cg_http_call {
    struct cg_http_connection *connection;
    enum cg_http_call_state state;
    struct cg_http_message message;
    struct cg_http_field *fields;
    struct cg_buf target;
    const char *raw_target; /* where it stood in libmicrohttpd's buffer */
    char *allowed_origin;   /* whose pages may read the reply; NULL: only our own */
    struct cg_buf body;
    size_t body_max;
    size_t charged;   /* bytes of the body, to the server's quota */
    size_t discarded; /* bytes of the body beyond what is taken */
    bool must_close;  /* the connection ends with the reply */
    bool handed_over; /* the handler has seen it */
    struct MHD_Response *response;
    unsigned status;
    bool streaming; /* the end of the reply is not known yet */
    void *ctx;
};

/* Whether the head may be trusted: CG_OK, or 400 or 431 with the problem. Fills call->message except body.
 * *content_length: UINT64_MAX when the request does not say. */
int cg_http_check_head(struct cg_http_call *call, const char *method, const char *version, uint64_t *content_length,
                       struct cg_problem *problem) CG_MUST_CHECK;

/* libmicrohttpd's callbacks about requests; cls is the server. */
void *cg_http_on_request_line(void *cls, const char *target, struct MHD_Connection *mhd);
enum MHD_Result cg_http_on_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_len, void **call);
/* For a call that is never completed: libmicrohttpd gave up on it between the request line and the end of the head. */
void cg_http_call_drop(struct cg_http_call *call);
void cg_http_on_completed(void *cls, struct MHD_Connection *mhd, void **call, enum MHD_RequestTerminationCode code);

/* NULL without memory. It idles: no request has begun. */
struct cg_http_connection *cg_http_connection_new(struct cg_http_daemon *daemon, struct MHD_Connection *mhd);
/* libmicrohttpd is about to close the descriptor. */
void cg_http_connection_end(struct cg_http_connection *connection);

/* Where it is between and in requests: how long that may take follows from it. */
void cg_http_connection_idles(struct cg_http_connection *connection);
void cg_http_connection_begins_head(struct cg_http_connection *connection); /* without effect when it has already */
void cg_http_connection_begins_body(struct cg_http_connection *connection);
/* Whether and when it goes for others. Idling ranks by itself. */
void cg_http_connection_rank(struct cg_http_connection *connection, enum cg_http_rank rank);
void cg_http_connection_expire(struct cg_http_connection *connection); /* not while it is suspended */

/* Pausing a connection until cg_http_resume; a client that leaves meanwhile makes its call LOST. */
void cg_http_suspend(struct cg_http_connection *connection);
void cg_http_resume(struct cg_http_connection *connection);

/* One that takes a further connection. NULL: none can be had, and errno says why. */
struct cg_http_daemon *cg_http_daemon_with_room(struct cg_http_server *server);
void cg_http_daemon_add(struct cg_http_daemon *daemon, int fd, const struct sockaddr *from, socklen_t from_len);
/* Lets libmicrohttpd run in the loop's next turn, for what it does not know of. */
void cg_http_run_soon(struct cg_http_daemon *daemon);
/* Lets those run now that are to run soon. Not from inside a handler. */
void cg_http_run_wanted(struct cg_http_server *server);
void cg_http_on_prepare(uv_prepare_t *prepare);
/* Ends all connections. The server is closing. */
void cg_http_daemons_stop(struct cg_http_server *server);

int cg_http_open_listeners(struct cg_http_server *server, const struct cg_http_settings *settings,
                           struct cg_problem *problem) CG_MUST_CHECK;
void cg_http_close_listeners(struct cg_http_server *server);
void cg_http_set_accepting(struct cg_http_server *server, bool wanted);

uint64_t cg_http_now_us(void); /* monotonic */
/* Timers: `us` from now. */
void cg_http_set_timer(struct cg_http_server *server, struct cg_http_timer *timer, uint64_t us);
void cg_http_clear_timer(struct cg_http_server *server, struct cg_http_timer *timer);

/* One connection or lingering socket less. */
void cg_http_connection_gone(struct cg_http_server *server);
/* Somebody has left, or may go for another: there may be room again. */
void cg_http_room_made(struct cg_http_server *server);

/* Every libuv handle that holds the server's memory is counted. */
void cg_http_handle_opened(struct cg_http_server *server);
void cg_http_handle_closed(struct cg_http_server *server);
void cg_http_close_handle(struct cg_http_server *server, void *handle);

/* Reads what a refused client still sends, and throws it away for a while: closing at once would reset the connection,
 * and the client would never see the reply. Takes the descriptor, and a seat: the first to go for others. */
void cg_http_linger(struct cg_http_server *server, int fd, const struct cg_addr *from);
void cg_http_linger_end_all(struct cg_http_server *server);

#endif
