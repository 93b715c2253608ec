/* DTLS from inside: what its files share, and nobody else includes. `dtls.c` sorts what comes and has the time,
 * `dtls_handshake.c` the handshakes and the ClientHellos that they begin with, `dtls_session.c` what comes of them. */
#ifndef CG_FRONTS_COAP_DTLS_INSIDE_H
#define CG_FRONTS_COAP_DTLS_INSIDE_H

#include <openssl/ssl.h>

#include "base/hash.h"
#include "base/heap.h"
#include "fronts/coap/dtls.h"
#include "fronts/coap/dtls_bio.h"
#include "fronts/coap/dtls_cookie.h"
#include "fronts/coap/tls_client.h"
#include "model/allowance.h"

enum cg_dtls_state { CG_DTLS_SHAKING, CG_DTLS_OPEN };

struct cg_dtls_session {
    struct cg_dtls *dtls;
    struct cg_dtls_path path;
    SSL *ssl;
    struct cg_dtls_bio bio;
    struct cg_tls_client client;
    enum cg_dtls_state state;
    uint8_t random[32];                  /* the ClientHello's */
    UT_hash_handle hh;                   /* in handshakes or sessions, by the path's addresses */
    struct cg_dtls_session *prev, *next; /* among strangers or clients, the longest idle first */
    struct cg_dtls_session **list;       /* which of them; NULL: none */
    uint64_t heard_us;                   /* when something new came */
    uint64_t until_us;                   /* of a handshake */
    struct cg_deadline deadline;         /* of a handshake: to repeat its flight, or to give it up */
    struct cg_dtls_waiting *inbox;       /* of a handshake */
    unsigned inbox_len;
    size_t inbox_bytes;
    struct cg_dtls_session *ready_next; /* a handshake with something in its inbox */
    bool is_ready;
    bool is_reading; /* its buffers are in use */
    bool is_broken;  /* OpenSSL gave it up in a call that may not end it */
    unsigned judged; /* dtls->generation when it was last looked at */
    int emitted;     /* of the latest datagram */
    void *place;
};

struct cg_dtls {
    struct cg_dtls_ops ops;
    void *ctx;
    struct cg_dtls_limits limits;
    struct cg_dtls_figures figures;
    struct cg_dtls_cookies cookies;
    SSL_CTX *context;
    struct cg_dtls_session *ear; /* in no table: listens to ClientHellos until one has a good cookie; NULL: none yet */
    BIO_ADDR *nobody;            /* DTLSv1_listen wants to write an address */
    struct cg_dtls_session *handshakes, *sessions; /* uthash heads */
    struct cg_dtls_session *strangers, *clients;   /* the open ones */
    struct cg_dtls_session *ready, **ready_end;    /* handshakes, in the order in which they get a turn */
    struct cg_dtls_session *sweep;                 /* the next client to be judged; NULL: all are */
    struct cg_heap deadlines;
    unsigned generation; /* of settings */
    bool busy;           /* ops.busy was told */
    struct cg_allowance loggable;
    uint64_t unlogged; /* failures since the latest that was */
    uint64_t now_us;
    uint8_t plain[SSL3_RT_MAX_PLAIN_LENGTH];
};

enum {
    CG_DTLS_KEY_LEN = 2 * sizeof(struct cg_addr), /* a path's addresses */
    CG_DTLS_FAILURES_LOGGED = 10,                 /* at once, and one more each second */
};

/* A client that starts anew may be in both. */
struct cg_dtls_session *cg_dtls_find(struct cg_dtls_session *table, const struct cg_dtls_path *path);
void cg_dtls_be_busy(struct cg_dtls *dtls);

/* ---- dtls_handshake.c ---- */

bool cg_dtls_is_of_epoch_0(struct cg_slice datagram);
bool cg_dtls_is_hello(struct cg_slice datagram);
void cg_dtls_handshakes_hear(struct cg_dtls *dtls, const struct cg_dtls_path *path, struct cg_slice hello);
void cg_dtls_handshake_take(struct cg_dtls_session *session, struct cg_slice datagram);
/* A step of the one whose turn it is. */
void cg_dtls_handshakes_turn(struct cg_dtls *dtls);
void cg_dtls_handshake_run_deadline(struct cg_dtls_session *session);
void cg_dtls_handshake_drop(struct cg_dtls_session *session);
int cg_dtls_on_cookie_wanted(SSL *ssl, unsigned char *cookie, unsigned int *len);
int cg_dtls_on_cookie(SSL *ssl, const unsigned char *cookie, unsigned int len);

/* ---- dtls_session.c ---- */

struct cg_dtls_session *cg_dtls_session_new(struct cg_dtls *dtls); /* NULL: no memory */
void cg_dtls_session_free(struct cg_dtls_session *session);        /* in no table any more */
/* Its handshake is done. False: there is no room for it, and it is freed. */
bool cg_dtls_session_begin(struct cg_dtls_session *session);
void cg_dtls_session_take(struct cg_dtls_session *session, struct cg_slice datagram);
enum cg_dtls_farewell { CG_DTLS_GOODBYE, CG_DTLS_NO_WORD };
void cg_dtls_session_end(struct cg_dtls_session *session, enum cg_dtls_farewell farewell);
/* Some of those that settings may have made nobody's. */
void cg_dtls_sessions_sweep(struct cg_dtls *dtls);
uint64_t cg_dtls_sessions_idle_until(const struct cg_dtls *dtls); /* UINT64_MAX: there are none */
void cg_dtls_sessions_end_idle(struct cg_dtls *dtls);

#endif
