/* Sessions and the handshakes that lead to them. The hard thing is a client that starts anew from an address that has a
 * session: anybody can write a ClientHello with that address, so the old session stays as it is until the new handshake
 * is done (RFC 6347 §4.2.8). Hence handshakes and sessions are in two tables, and one path may be in both. */
#include "fronts/coap/dtls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "base/heap.h"
#include "base/log.h"
#include "fronts/coap/dtls_bio.h"
#include "fronts/coap/tls_client.h"
#include "fronts/coap/tls_context.h"
#include "fronts/coap/dtls_cookie.h"
#include "model/allowance.h"

enum {
    INBOX_MAX = 24, /* datagrams of one handshake that wait for its turn: a client's longest flight */
    INBOX_BYTES_MAX = 20480,
    EVICTION_LOOK = 64, /* sessions that are looked at for one that may go */
    JUDGED_A_TURN = 64,
    FAILURES_LOGGED = 10, /* at once, and one more each second */
};

const struct cg_dtls_limits cg_dtls_usual_limits = {
    .sessions = 8192,
    .handshakes = 512,
    .handshakes_per_host = 64,
    .handshake_us = 15 * UINT64_C(1000000),
    .idle_us = 3600 * UINT64_C(1000000),
    .stranger_idle_us = 120 * UINT64_C(1000000),
};

/* A datagram that waits. */
struct waiting {
    struct waiting *next;
    size_t len;
    uint8_t bytes[];
};

enum state { SHAKING, OPEN };

struct cg_dtls_session {
    struct cg_dtls *dtls;
    struct cg_dtls_path path;
    SSL *ssl;
    struct cg_dtls_bio bio;
    struct cg_tls_client client;
    enum state state;
    uint8_t random[32];                  /* the ClientHello's */
    UT_hash_handle hh;                   /* in handshakes or sessions, by the path's addresses */
    struct cg_dtls_session *prev, *next; /* among strangers or clients, the longest idle first */
    struct cg_dtls_session **list;       /* which of them; NULL: none */
    uint64_t heard_us;                   /* when something new came */
    uint64_t until_us;                   /* of a handshake */
    struct cg_deadline deadline;         /* of a handshake: to repeat its flight, or to give it up */
    struct waiting *inbox;               /* of a handshake */
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

enum { KEY_LEN = 2 * sizeof(struct cg_addr) };
_Static_assert(offsetof(struct cg_dtls_path, local) == sizeof(struct cg_addr), "a path's addresses are one key");

static struct cg_dtls_session *find(struct cg_dtls_session *table, const struct cg_dtls_path *path) {
    struct cg_dtls_session *found;
    HASH_FIND(hh, table, &path->remote, KEY_LEN, found);
    return found;
}

static void be_busy(struct cg_dtls *dtls) {
    if (dtls->busy) return;
    dtls->busy = true;
    dtls->ops.busy(dtls->ctx);
}

/* ---- One session ---- */

static void on_emit(void *ctx, struct cg_slice datagram) {
    struct cg_dtls_session *session = ctx;
    struct cg_dtls *dtls = session->dtls;
    session->emitted = dtls->ops.emit(dtls->ctx, &session->path, datagram);
}

static bool set_up_ssl(struct cg_dtls_session *session) {
    BIO *bio = cg_dtls_bio_new(&session->bio);
    if (bio == NULL) return false;
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_accept_state(session->ssl);
    return SSL_set_app_data(session->ssl, session) == 1 && SSL_set_mtu(session->ssl, CG_DTLS_DATAGRAM_ROOM) > 0;
}

static struct cg_dtls_session *new_session(struct cg_dtls *dtls) {
    struct cg_dtls_session *session = calloc(1, sizeof *session);
    if (session == NULL) return NULL;
    *session = (struct cg_dtls_session){.dtls = dtls, .bio = {.emit = on_emit, .ctx = session}};
    session->ssl = SSL_new(dtls->context);
    if (session->ssl != NULL && set_up_ssl(session)) return session;
    SSL_free(session->ssl);
    free(session);
    return NULL;
}

static void free_inbox(struct cg_dtls_session *session) {
    struct waiting *at, *next;
    LL_FOREACH_SAFE(session->inbox, at, next) free(at);
    session->inbox = NULL;
}

/* In no table any more. */
static void free_session(struct cg_dtls_session *session) {
    free_inbox(session);
    SSL_free(session->ssl);
    cg_tls_client_fini(&session->client);
    free(session);
}

/* ---- Lists of open sessions ---- */

static void unlist(struct cg_dtls_session *session) {
    if (session->list == NULL) return;
    if (session->dtls->sweep == session) session->dtls->sweep = session->next;
    DL_DELETE(*session->list, session);
    session->list = NULL;
}

static void list(struct cg_dtls_session *session, struct cg_dtls_session **where) {
    unlist(session);
    DL_APPEND(*where, session);
    session->list = where;
}

/* ---- Ends ---- */

static void forget_handshake(struct cg_dtls_session *session) {
    struct cg_dtls *dtls = session->dtls;
    HASH_DELETE(hh, dtls->handshakes, session);
    cg_heap_remove(&dtls->deadlines, &session->deadline);
    dtls->figures.handshakes--;
    for (struct cg_dtls_session **at = &dtls->ready; session->is_ready && *at != NULL; at = &(*at)->ready_next) {
        if (*at != session) continue;
        *at = session->ready_next;
        if (*at == NULL) dtls->ready_end = at;
        session->is_ready = false;
        break;
    }
    free_inbox(session);
}

/* Anybody with an address can have as many of them as it likes. */
static bool may_log_failure(struct cg_dtls *dtls) {
    cg_allowance_fill(&dtls->loggable, FAILURES_LOGGED, 1, dtls->now_us);
    dtls->unlogged += dtls->loggable.left < 1;
    if (dtls->loggable.left < 1) return false;
    dtls->loggable.left -= 1;
    return true;
}

/* The reason is OpenSSL's word or ours, so nothing that the peer sent is in it. */
static void log_failure(struct cg_dtls_session *session, const char *why) {
    struct cg_dtls *dtls = session->dtls;
    char at[CG_ADDR_TEXT_MAX];
    struct cg_log_line line;
    if (!may_log_failure(dtls)) return;
    cg_addr_emit(&session->path.remote, at);
    cg_log_begin(&line, CG_LOG_INFO, "dtls-failed");
    cg_log_str(&line, "peer", at);
    cg_log_str(&line, "reason", why == NULL ? "unknown" : why);
    if (dtls->unlogged > 0) cg_log_u64(&line, "others", dtls->unlogged);
    cg_log_end(&line);
    dtls->unlogged = 0;
}

static void drop_handshake(struct cg_dtls_session *session) {
    session->dtls->figures.failed++;
    forget_handshake(session);
    free_session(session);
}

static void fail_handshake(struct cg_dtls_session *session, const char *why) {
    log_failure(session, why);
    drop_handshake(session);
}

enum farewell { SAY_GOODBYE, SAY_NOTHING };

/* Whom the caller does not know, or no longer. */
static void drop_session(struct cg_dtls_session *session, enum farewell farewell) {
    struct cg_dtls *dtls = session->dtls;
    HASH_DELETE(hh, dtls->sessions, session);
    cg_heap_remove(&dtls->deadlines, &session->deadline);
    unlist(session);
    dtls->figures.sessions--;
    ERR_clear_error();
    if (farewell == SAY_GOODBYE && !session->is_broken && SSL_alloc_buffers(session->ssl)) SSL_shutdown(session->ssl);
    free_session(session);
}

static void end_session(struct cg_dtls_session *session, enum farewell farewell) {
    session->dtls->ops.closed(session->dtls->ctx, session);
    drop_session(session, farewell);
}

/* From inside a call that the caller makes on the session: it ends when the loop is back. */
static void break_session(struct cg_dtls_session *session) {
    session->is_broken = true;
    cg_heap_set(&session->dtls->deadlines, &session->deadline, session->dtls->now_us);
    be_busy(session->dtls); /* so that the caller asks when something is due */
}

/* ---- Clients ---- */

static bool is_of_client(const struct cg_dtls_session *session) {
    struct cg_dtls *dtls = session->dtls;
    struct cg_request request = {0};
    struct cg_problem ignored = {0};
    int err = cg_tls_client_identify(&session->client, dtls->ops.config(dtls->ctx), &request, &ignored);
    return err == CG_OK && request.client != NULL;
}

/* Once for each generation of settings. False: it was a client's session, and has ended as it is no more. */
static bool judge(struct cg_dtls_session *session) {
    struct cg_dtls *dtls = session->dtls;
    if (session->judged == dtls->generation) return true;
    session->judged = dtls->generation;
    if (is_of_client(session)) {
        if (session->list != &dtls->clients) list(session, &dtls->clients);
        return true;
    }
    if (session->list != &dtls->clients) return true;
    end_session(session, SAY_GOODBYE);
    return false;
}

static void sweep(struct cg_dtls *dtls) {
    for (unsigned i = 0; i < JUDGED_A_TURN && dtls->sweep != NULL; i++) {
        struct cg_dtls_session *session = dtls->sweep;
        dtls->sweep = session->next;
        (void)judge(session);
    }
}

int cg_dtls_session_identify(const struct cg_dtls_session *session, const struct cg_config *config,
                             struct cg_request *request, struct cg_problem *problem) {
    return cg_tls_client_identify(&session->client, config, request, problem);
}

/* ---- Room ---- */

static struct cg_dtls_session *longest_idle(struct cg_dtls *dtls, struct cg_dtls_session *head) {
    struct cg_dtls_session *at;
    unsigned looked = 0;
    DL_FOREACH(head, at) {
        if (!dtls->ops.is_used(dtls->ctx, at)) return at;
        if (++looked == EVICTION_LOOK) break;
    }
    return NULL;
}

/* Strangers go first: anybody can have a session, as many as it has addresses. */
static bool make_room(struct cg_dtls *dtls) {
    if (dtls->figures.sessions < dtls->limits.sessions) return true;
    struct cg_dtls_session *least = longest_idle(dtls, dtls->strangers);
    if (least == NULL) least = longest_idle(dtls, dtls->clients);
    if (least == NULL) return false;
    end_session(least, SAY_GOODBYE);
    return true;
}

static bool is_same_host(const struct cg_addr *a, const struct cg_addr *b) {
    const struct cg_addr of_a = cg_addr_network(a), of_b = cg_addr_network(b);
    return cg_addr_equal(&of_a, &of_b);
}

static bool may_begin(const struct cg_dtls *dtls, const struct cg_dtls_path *path) {
    uint32_t of_host = 0;
    if (dtls->figures.handshakes >= dtls->limits.handshakes) return false;
    for (const struct cg_dtls_session *at = dtls->handshakes; at != NULL; at = at->hh.next) {
        of_host += is_same_host(&at->path.remote, &path->remote);
    }
    return of_host < dtls->limits.handshakes_per_host;
}

/* ---- Receiving in a session ---- */

static void touch(struct cg_dtls_session *session) {
    session->heard_us = session->dtls->now_us;
    list(session, session->list);
}

/* What OpenSSL says of a read that brought nothing; false: the session has ended. */
static bool survives(struct cg_dtls_session *session, int result) {
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return true;
    case SSL_ERROR_ZERO_RETURN: end_session(session, SAY_GOODBYE); return false;
    default: end_session(session, SAY_NOTHING); return false;
    }
}

/* Each record is a message. */
static void read_session(struct cg_dtls_session *session) {
    struct cg_dtls *dtls = session->dtls;
    bool is_new = session->bio.datagram.data == NULL;
    int len;
    ERR_clear_error();
    if (!SSL_alloc_buffers(session->ssl)) return; /* no memory: lost */
    while ((len = SSL_read(session->ssl, dtls->plain, sizeof dtls->plain)) > 0) {
        is_new = true;
        touch(session);
        session->is_reading = true;
        dtls->ops.received(dtls->ctx, session, cg_slice_of(dtls->plain, (size_t)len));
        session->is_reading = false;
        if (session->is_broken) return;
    }
    if (!survives(session, len)) return;
    dtls->figures.ignored += !is_new;
    SSL_free_buffers(session->ssl);
}

static void take_in_session(struct cg_dtls_session *session, struct cg_slice datagram) {
    if (session->is_broken || !judge(session)) return;
    session->bio.datagram = datagram;
    read_session(session);
}

/* ---- Handshakes ---- */

static void be_ready(struct cg_dtls_session *session) {
    struct cg_dtls *dtls = session->dtls;
    if (!session->is_ready) {
        session->is_ready = true;
        session->ready_next = NULL;
        *dtls->ready_end = session;
        dtls->ready_end = &session->ready_next;
    }
    be_busy(dtls);
}

/* A datagram beyond what a flight can be is lost, as is one that there is no memory for. */
static void take_in_handshake(struct cg_dtls_session *session, struct cg_slice datagram) {
    if (session->inbox_len == INBOX_MAX || session->inbox_bytes + datagram.len > INBOX_BYTES_MAX) return;
    struct waiting *waiting = malloc(sizeof *waiting + datagram.len);
    if (waiting == NULL) return;
    *waiting = (struct waiting){.len = datagram.len};
    memcpy(waiting->bytes, datagram.data, datagram.len);
    LL_APPEND(session->inbox, waiting);
    session->inbox_len++;
    session->inbox_bytes += datagram.len;
    be_ready(session);
}

/* Its flight again when OpenSSL thinks so, and the end of our patience. OpenSSL's timer goes by the clock on the wall,
 * so the latter is what counts in the end. */
static void set_deadline(struct cg_dtls_session *session) {
    struct timeval left;
    uint64_t at_us = session->until_us;
    if (DTLSv1_get_timeout(session->ssl, &left) == 1) {
        uint64_t repeat_us = session->dtls->now_us + (uint64_t)left.tv_sec * 1000000 + (uint64_t)left.tv_usec + 1;
        if (repeat_us < at_us) at_us = repeat_us;
    }
    cg_heap_set(&session->dtls->deadlines, &session->deadline, at_us);
}

/* What has come into its inbox before the handshake was over: application data behind it. */
static void replay_inbox(struct cg_dtls *dtls, const struct cg_dtls_path *path, struct waiting *inbox) {
    struct waiting *at, *next;
    LL_FOREACH_SAFE(inbox, at, next) {
        struct cg_dtls_session *session = find(dtls->sessions, path);
        if (session != NULL) take_in_session(session, cg_slice_of(at->bytes, at->len));
        free(at);
    }
}

static void log_opened(const struct cg_dtls_session *session) {
    char at[CG_ADDR_TEXT_MAX];
    struct cg_log_line line;
    cg_addr_emit(&session->path.remote, at);
    cg_log_begin(&line, CG_LOG_DEBUG, "dtls-session");
    cg_log_str(&line, "peer", at);
    cg_log_str(&line, "cipher", SSL_get_cipher_name(session->ssl));
    cg_log_end(&line);
}

static bool put_among_sessions(struct cg_dtls_session *session) {
    struct cg_dtls *dtls = session->dtls;
    memset(&session->hh, 0, sizeof session->hh); /* so that it can be seen to be in the other table */
    if (!make_room(dtls) || !cg_tls_client_take(&session->client, session->ssl)) return false;
    HASH_ADD(hh, dtls->sessions, path.remote, KEY_LEN, session);
    if (!CG_HASH_HAS(hh, session)) return false;
    session->state = OPEN;
    session->judged = dtls->generation;
    session->heard_us = dtls->now_us;
    list(session, is_of_client(session) ? &dtls->clients : &dtls->strangers);
    dtls->figures.sessions++;
    return true;
}

/* The session that the client had before goes without a word, which it could not read any more. */
static bool make_session(struct cg_dtls_session *session) {
    struct cg_dtls *dtls = session->dtls;
    struct cg_dtls_session *former = find(dtls->sessions, &session->path);
    if (former != NULL) end_session(former, SAY_NOTHING);
    if (!put_among_sessions(session)) {
        free_session(session);
    } else if (!dtls->ops.opened(dtls->ctx, session)) {
        drop_session(session, SAY_GOODBYE);
    } else {
        return true;
    }
    dtls->figures.failed++;
    return false;
}

static void open_session(struct cg_dtls_session *session) {
    struct cg_dtls *dtls = session->dtls;
    struct waiting *inbox = session->inbox;
    const struct cg_dtls_path path = session->path;
    session->inbox = NULL;
    forget_handshake(session);
    if (make_session(session)) {
        dtls->figures.opened++;
        log_opened(session);
        take_in_session(session, CG_SLICE_NONE);
    }
    replay_inbox(dtls, &path, inbox);
}

static void step_handshake(struct cg_dtls_session *session) {
    ERR_clear_error();
    int result = SSL_do_handshake(session->ssl);
    if (result == 1) {
        open_session(session);
    } else if (SSL_get_error(session->ssl, result) == SSL_ERROR_WANT_READ) {
        set_deadline(session);
    } else {
        fail_handshake(session, ERR_reason_error_string(ERR_peek_last_error()));
    }
}

/* The next datagram of the handshake whose turn it is; of one that has just begun, OpenSSL has the ClientHello. */
static void turn_handshake(struct cg_dtls *dtls) {
    struct cg_dtls_session *session = dtls->ready;
    if (session == NULL) return;
    dtls->ready = session->ready_next;
    if (dtls->ready == NULL) dtls->ready_end = &dtls->ready;
    session->is_ready = false;
    struct waiting *waiting = session->inbox;
    if (waiting != NULL) {
        session->inbox = waiting->next;
        session->inbox_len--;
        session->inbox_bytes -= waiting->len;
        session->bio.datagram = cg_slice_of(waiting->bytes, waiting->len);
    }
    if (session->inbox != NULL) be_ready(session);
    step_handshake(session);
    free(waiting);
}

bool cg_dtls_turn(struct cg_dtls *dtls, uint64_t now_us) {
    dtls->now_us = now_us;
    dtls->busy = true; /* so that what is found meanwhile is not told: it is returned */
    turn_handshake(dtls);
    sweep(dtls);
    dtls->busy = dtls->ready != NULL || dtls->sweep != NULL;
    return dtls->busy;
}

/* ---- Hellos ---- */

enum { /* offsets in the first record (RFC 6347 §4.1, §4.2.2) */
       AT_TYPE = 0,
       AT_EPOCH = 3,
       AT_HANDSHAKE = 13,
       AT_RANDOM = 13 + 12 + 2,
       TYPE_HANDSHAKE = 22,
       TYPE_CLIENT_HELLO = 1,
};

static bool is_of_epoch_0(struct cg_slice datagram) {
    return datagram.len > AT_HANDSHAKE && datagram.data[AT_EPOCH] == 0 && datagram.data[AT_EPOCH + 1] == 0;
}

static bool is_hello(struct cg_slice datagram) {
    return datagram.len >= AT_RANDOM + 32 && is_of_epoch_0(datagram) && datagram.data[AT_TYPE] == TYPE_HANDSHAKE &&
           datagram.data[AT_HANDSHAKE] == TYPE_CLIENT_HELLO;
}

/* A ClientHello that its handshake began with has been sent again, or was late. */
static bool is_of(const struct cg_dtls_session *session, struct cg_slice hello) {
    return session != NULL && memcmp(session->random, hello.data + AT_RANDOM, sizeof session->random) == 0;
}

static int on_cookie_wanted(SSL *ssl, unsigned char *cookie, unsigned int *len) {
    struct cg_dtls_session *ear = SSL_get_app_data(ssl);
    struct cg_dtls *dtls = ear->dtls;
    *len = CG_DTLS_COOKIE_LEN;
    dtls->figures.challenged++;
    return cg_dtls_cookie_make(&dtls->cookies, &ear->path.remote, &ear->path.local, dtls->now_us, cookie);
}

static int on_cookie(SSL *ssl, const unsigned char *cookie, unsigned int len) {
    struct cg_dtls_session *ear = SSL_get_app_data(ssl);
    struct cg_dtls *dtls = ear->dtls;
    return cg_dtls_cookie_is_good(&dtls->cookies, &ear->path.remote, &ear->path.local, dtls->now_us,
                                  cg_slice_of(cookie, len));
}

/* True: it has a good cookie, and the ear has become its handshake's. */
static bool hear(struct cg_dtls *dtls, const struct cg_dtls_path *path, struct cg_slice hello) {
    if (dtls->ear == NULL) dtls->ear = new_session(dtls);
    if (dtls->ear == NULL) return false;
    dtls->ear->path = *path;
    dtls->ear->bio.datagram = hello;
    ERR_clear_error();
    bool is_good = DTLSv1_listen(dtls->ear->ssl, dtls->nobody) == 1;
    dtls->ear->bio.datagram = CG_SLICE_NONE;
    return is_good;
}

static void begin_handshake(struct cg_dtls *dtls, struct cg_slice hello) {
    struct cg_dtls_session *session = dtls->ear;
    HASH_ADD(hh, dtls->handshakes, path.remote, KEY_LEN, session);
    if (!CG_HASH_HAS(hh, session)) return; /* no memory: it goes on listening */
    dtls->ear = NULL;
    dtls->figures.handshakes++;
    memcpy(session->random, hello.data + AT_RANDOM, sizeof session->random);
    session->until_us = dtls->now_us + dtls->limits.handshake_us;
    set_deadline(session);
    be_ready(session);
}

static void take_hello(struct cg_dtls *dtls, const struct cg_dtls_path *path, struct cg_slice hello) {
    struct cg_dtls_session *handshake = find(dtls->handshakes, path);
    dtls->figures.hellos++;
    if (is_of(handshake, hello) || is_of(find(dtls->sessions, path), hello)) return;
    if (!hear(dtls, path, hello)) return;
    if (handshake != NULL) drop_handshake(handshake); /* it began anew in the midst of it */
    if (may_begin(dtls, path)) {
        begin_handshake(dtls, hello);
    } else {
        dtls->figures.refused++;
    }
}

/* ---- Datagrams ---- */

void cg_dtls_take(struct cg_dtls *dtls, const struct cg_dtls_path *path, struct cg_slice datagram, uint64_t now_us) {
    dtls->now_us = now_us;
    if (datagram.len == 0) { /* to OpenSSL it would be the end of the connection */
        dtls->figures.strays++;
        return;
    }
    if (is_hello(datagram)) {
        take_hello(dtls, path, datagram);
        return;
    }
    struct cg_dtls_session *handshake = find(dtls->handshakes, path), *session = find(dtls->sessions, path);
    dtls->figures.strays += handshake == NULL && session == NULL;
    if (handshake != NULL) take_in_handshake(handshake, datagram);
    if (session != NULL && (handshake == NULL || !is_of_epoch_0(datagram))) take_in_session(session, datagram);
}

int cg_dtls_send(struct cg_dtls_session *session, struct cg_slice message) {
    if (session->is_broken) return CG_E_EMIT;
    if (message.len > cg_dtls_room(session)) return CG_E_TOO_BIG;
    ERR_clear_error();
    if (!SSL_alloc_buffers(session->ssl)) return CG_E_NO_MEMORY;
    session->emitted = CG_OK;
    int sent = SSL_write(session->ssl, message.data, (int)message.len);
    if (!session->is_reading) SSL_free_buffers(session->ssl);
    if (sent > 0) return session->emitted;
    break_session(session);
    return CG_E_EMIT;
}

size_t cg_dtls_room(const struct cg_dtls_session *session) { return DTLS_get_data_mtu(session->ssl); }

const struct cg_dtls_path *cg_dtls_session_path(const struct cg_dtls_session *session) { return &session->path; }

void **cg_dtls_session_place(struct cg_dtls_session *session) { return &session->place; }

/* ---- Time ---- */

static uint64_t idle_until(const struct cg_dtls_session *head, uint64_t idle_us) {
    return head == NULL ? UINT64_MAX : head->heard_us + idle_us;
}

uint64_t cg_dtls_due_us(const struct cg_dtls *dtls) {
    const struct cg_deadline *first = cg_heap_first(&dtls->deadlines);
    uint64_t due_us = first == NULL ? UINT64_MAX : first->at_us;
    uint64_t strangers_us = idle_until(dtls->strangers, dtls->limits.stranger_idle_us);
    uint64_t clients_us = idle_until(dtls->clients, dtls->limits.idle_us);
    if (strangers_us < due_us) due_us = strangers_us;
    return clients_us < due_us ? clients_us : due_us;
}

static void run_deadline(struct cg_dtls_session *session) {
    struct cg_dtls *dtls = session->dtls;
    if (session->state == OPEN) {
        end_session(session, SAY_NOTHING); /* it is broken */
    } else if (dtls->now_us >= session->until_us || DTLSv1_handle_timeout(session->ssl) < 0) {
        fail_handshake(session, "it was not done in time: the key is wrong, or datagrams are lost");
    } else {
        set_deadline(session);
    }
}

/* One that is used is as good as heard. */
static void end_idle(struct cg_dtls *dtls, struct cg_dtls_session **head, uint64_t idle_us) {
    while (*head != NULL && idle_until(*head, idle_us) <= dtls->now_us) {
        if (dtls->ops.is_used(dtls->ctx, *head)) {
            touch(*head);
        } else {
            end_session(*head, SAY_GOODBYE);
        }
    }
}

void cg_dtls_run(struct cg_dtls *dtls, uint64_t now_us) {
    struct cg_deadline *first;
    dtls->now_us = now_us;
    while ((first = cg_heap_first(&dtls->deadlines)) != NULL && first->at_us <= now_us) {
        run_deadline(CG_CONTAINER(first, struct cg_dtls_session, deadline));
    }
    end_idle(dtls, &dtls->strangers, dtls->limits.stranger_idle_us);
    end_idle(dtls, &dtls->clients, dtls->limits.idle_us);
}

const struct cg_dtls_figures *cg_dtls_figures(const struct cg_dtls *dtls) { return &dtls->figures; }

/* ---- All ---- */

static unsigned on_psk(SSL *ssl, const char *identity, unsigned char *key, unsigned cap) {
    struct cg_dtls_session *session = SSL_get_app_data(ssl);
    const struct cg_config *config = session->dtls->ops.config(session->dtls->ctx);
    return cg_tls_client_on_psk(&session->client, config, identity, key, cap);
}

static int on_chain(X509_STORE_CTX *chain, void *ctx) {
    SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct cg_dtls_session *session = SSL_get_app_data(ssl);
    (void)ctx;
    cg_tls_client_on_chain(&session->client, chain);
    return 1;
}

int cg_dtls_load(struct cg_dtls *dtls, const struct cg_tls_settings *settings, bool key_may_be_shared,
                 struct cg_problem *problem) {
    dtls->generation++;
    dtls->sweep = dtls->clients;
    if (dtls->sweep != NULL) be_busy(dtls);
    SSL_CTX *context = cg_tls_context_new(CG_TLS_OF_DATAGRAMS, settings, key_may_be_shared, problem);
    if (context == NULL) return problem->err;
    SSL_CTX_set_cookie_generate_cb(context, on_cookie_wanted);
    SSL_CTX_set_cookie_verify_cb(context, on_cookie);
    SSL_CTX_set_psk_server_callback(context, on_psk);
    SSL_CTX_set_cert_verify_callback(context, on_chain, NULL);
    SSL_CTX_set_verify(context, settings->client_ca == NULL ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (dtls->ear != NULL) free_session(dtls->ear);
    dtls->ear = NULL;
    SSL_CTX_free(dtls->context);
    dtls->context = context;
    return CG_OK;
}

struct cg_dtls *cg_dtls_new(const struct cg_dtls_ops *ops, void *ctx, const struct cg_dtls_limits *limits,
                            uint64_t now_us, struct cg_problem *problem) {
    struct cg_dtls *dtls = calloc(1, sizeof *dtls);
    BIO_ADDR *nobody = BIO_ADDR_new();
    if (dtls == NULL || nobody == NULL || !cg_dtls_cookies_init(&dtls->cookies, now_us)) {
        free(dtls);
        BIO_ADDR_free(nobody);
        cg_problem_no_memory(problem);
        return NULL;
    }
    dtls->ops = *ops;
    dtls->ctx = ctx;
    dtls->limits = *limits;
    dtls->nobody = nobody;
    dtls->ready_end = &dtls->ready;
    dtls->now_us = now_us;
    dtls->loggable = (struct cg_allowance){.left = FAILURES_LOGGED, .filled_us = now_us};
    cg_heap_init(&dtls->deadlines);
    return dtls;
}

void cg_dtls_free(struct cg_dtls *dtls) {
    if (dtls == NULL) return;
    while (dtls->handshakes != NULL) drop_handshake(dtls->handshakes);
    while (dtls->sessions != NULL) end_session(dtls->sessions, SAY_GOODBYE);
    if (dtls->ear != NULL) free_session(dtls->ear);
    SSL_CTX_free(dtls->context);
    BIO_ADDR_free(dtls->nobody);
    cg_dtls_cookies_fini(&dtls->cookies);
    cg_heap_fini(&dtls->deadlines);
    OPENSSL_cleanse(dtls->plain, sizeof dtls->plain);
    free(dtls);
}
