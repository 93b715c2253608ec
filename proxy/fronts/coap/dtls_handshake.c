/* Handshakes, from the ClientHello on. The hard thing is that anybody can write one: nothing is kept before its cookie
 * has come back, handshakes are bounded, and a step of one of them is done a turn. */
#include <openssl/err.h>
#include <utlist.h>

#include "base/log.h"
#include "fronts/coap/dtls_inside.h"

enum {
    INBOX_MAX = 24, /* datagrams of one handshake that wait for its turn: a client's longest flight */
    INBOX_BYTES_MAX = 20480,
};

/* A datagram that waits. */
struct cg_dtls_waiting {
    struct cg_dtls_waiting *next;
    size_t len;
    uint8_t bytes[];
};

/* ---- Ends ---- */

static void free_inbox(struct cg_dtls_session *session) {
    struct cg_dtls_waiting *at, *next;
    LL_FOREACH_SAFE(session->inbox, at, next) free(at);
    session->inbox = NULL;
}

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
    cg_allowance_fill(&dtls->loggable, CG_DTLS_FAILURES_LOGGED, 1, dtls->now_us);
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

void cg_dtls_handshake_drop(struct cg_dtls_session *session) {
    session->dtls->figures.failed++;
    forget_handshake(session);
    cg_dtls_session_free(session);
}

static void fail_handshake(struct cg_dtls_session *session, const char *why) {
    log_failure(session, why);
    cg_dtls_handshake_drop(session);
}

/* ---- Steps ---- */

static void be_ready(struct cg_dtls_session *session) {
    struct cg_dtls *dtls = session->dtls;
    if (!session->is_ready) {
        session->is_ready = true;
        session->ready_next = NULL;
        *dtls->ready_end = session;
        dtls->ready_end = &session->ready_next;
    }
    cg_dtls_be_busy(dtls);
}

/* A datagram beyond what a flight can be is lost, as is one that there is no memory for. */
void cg_dtls_handshake_take(struct cg_dtls_session *session, struct cg_slice datagram) {
    if (session->inbox_len == INBOX_MAX || session->inbox_bytes + datagram.len > INBOX_BYTES_MAX) return;
    struct cg_dtls_waiting *waiting = malloc(sizeof *waiting + datagram.len);
    if (waiting == NULL) return;
    *waiting = (struct cg_dtls_waiting){.len = datagram.len};
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
static void replay_inbox(struct cg_dtls *dtls, const struct cg_dtls_path *path, struct cg_dtls_waiting *inbox) {
    struct cg_dtls_waiting *at, *next;
    LL_FOREACH_SAFE(inbox, at, next) {
        struct cg_dtls_session *session = cg_dtls_find(dtls->sessions, path);
        if (session != NULL) cg_dtls_session_take(session, cg_slice_of(at->bytes, at->len));
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

static void open_session(struct cg_dtls_session *session) {
    struct cg_dtls *dtls = session->dtls;
    struct cg_dtls_waiting *inbox = session->inbox;
    const struct cg_dtls_path path = session->path;
    session->inbox = NULL;
    forget_handshake(session);
    if (cg_dtls_session_begin(session)) {
        dtls->figures.opened++;
        log_opened(session);
        cg_dtls_session_take(session, CG_SLICE_NONE);
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
void cg_dtls_handshakes_turn(struct cg_dtls *dtls) {
    struct cg_dtls_session *session = dtls->ready;
    if (session == NULL) return;
    dtls->ready = session->ready_next;
    if (dtls->ready == NULL) dtls->ready_end = &dtls->ready;
    session->is_ready = false;
    struct cg_dtls_waiting *waiting = session->inbox;
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

void cg_dtls_handshake_run_deadline(struct cg_dtls_session *session) {
    if (session->dtls->now_us >= session->until_us || DTLSv1_handle_timeout(session->ssl) < 0) {
        fail_handshake(session, "it was not done in time: the key is wrong, or datagrams are lost");
    } else {
        set_deadline(session);
    }
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

bool cg_dtls_is_of_epoch_0(struct cg_slice datagram) {
    return datagram.len > AT_HANDSHAKE && datagram.data[AT_EPOCH] == 0 && datagram.data[AT_EPOCH + 1] == 0;
}

bool cg_dtls_is_hello(struct cg_slice datagram) {
    return datagram.len >= AT_RANDOM + 32 && cg_dtls_is_of_epoch_0(datagram) &&
           datagram.data[AT_TYPE] == TYPE_HANDSHAKE && datagram.data[AT_HANDSHAKE] == TYPE_CLIENT_HELLO;
}

/* A ClientHello that its handshake began with has been sent again, or was late. */
static bool is_of(const struct cg_dtls_session *session, struct cg_slice hello) {
    return session != NULL && memcmp(session->random, hello.data + AT_RANDOM, sizeof session->random) == 0;
}

int cg_dtls_on_cookie_wanted(SSL *ssl, unsigned char *cookie, unsigned int *len) {
    struct cg_dtls_session *ear = SSL_get_app_data(ssl);
    struct cg_dtls *dtls = ear->dtls;
    *len = CG_DTLS_COOKIE_LEN;
    dtls->figures.challenged++;
    return cg_dtls_cookie_make(&dtls->cookies, &ear->path.remote, &ear->path.local, dtls->now_us, cookie);
}

int cg_dtls_on_cookie(SSL *ssl, const unsigned char *cookie, unsigned int len) {
    struct cg_dtls_session *ear = SSL_get_app_data(ssl);
    struct cg_dtls *dtls = ear->dtls;
    return cg_dtls_cookie_is_good(&dtls->cookies, &ear->path.remote, &ear->path.local, dtls->now_us,
                                  cg_slice_of(cookie, len));
}

/* True: it has a good cookie, and the ear has become its handshake's. */
static bool hear(struct cg_dtls *dtls, const struct cg_dtls_path *path, struct cg_slice hello) {
    if (dtls->ear == NULL) dtls->ear = cg_dtls_session_new(dtls);
    if (dtls->ear == NULL) return false;
    dtls->ear->path = *path;
    dtls->ear->bio.datagram = hello;
    ERR_clear_error();
    bool is_good = DTLSv1_listen(dtls->ear->ssl, dtls->nobody) == 1;
    dtls->ear->bio.datagram = CG_SLICE_NONE;
    return is_good;
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

static void begin_handshake(struct cg_dtls *dtls, struct cg_slice hello) {
    struct cg_dtls_session *session = dtls->ear;
    HASH_ADD(hh, dtls->handshakes, path.remote, CG_DTLS_KEY_LEN, session);
    if (!CG_HASH_HAS(hh, session)) return; /* no memory: it goes on listening */
    dtls->ear = NULL;
    dtls->figures.handshakes++;
    memcpy(session->random, hello.data + AT_RANDOM, sizeof session->random);
    session->until_us = dtls->now_us + dtls->limits.handshake_us;
    set_deadline(session);
    be_ready(session);
}

void cg_dtls_handshakes_hear(struct cg_dtls *dtls, const struct cg_dtls_path *path, struct cg_slice hello) {
    struct cg_dtls_session *handshake = cg_dtls_find(dtls->handshakes, path);
    dtls->figures.hellos++;
    if (is_of(handshake, hello) || is_of(cg_dtls_find(dtls->sessions, path), hello)) return;
    if (!hear(dtls, path, hello)) return;
    if (handshake != NULL) cg_dtls_handshake_drop(handshake); /* it began anew in the midst of it */
    if (may_begin(dtls, path)) {
        begin_handshake(dtls, hello);
    } else {
        dtls->figures.refused++;
    }
}
