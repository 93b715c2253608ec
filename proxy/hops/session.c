/* A next hop by DTLS: what the core sends and hears are datagrams already, so this carries records. The hard thing: who
 * is at the other end may have forgotten the session, and then says nothing to whatever comes by it; so one whose
 * Confirmable messages bring nothing at all for a while is taken for lost, and the next request begins another. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/check.h"
#include "base/container.h"
#include "hops/hop.h"
#include "io/datagrams.h"
#include "io/loop.h"
#include "io/tls_terms.h"

enum {
    RECORDS_AT_ONCE = 64, /* that are read in a turn of the loop */
    DATAGRAM_MAX = 1232,  /* of a handshake: no path fragments it */
};

struct cg_hop_session {
    struct cg_hop_way way;
    uv_poll_t poll;
    int fd;
    SSL *ssl;
    bool has_begun, is_open;
    uint64_t begun_us, heard_us;
    uint64_t unheard_us; /* since when something was to be answered and nothing has come; 0: no such time */
    struct cg_hop_timer timer;
};

static struct cg_hop_session *of_way(struct cg_hop_way *way) { return CG_CONTAINER(way, struct cg_hop_session, way); }

/* ---- Ends ---- */

static void on_closed(uv_handle_t *handle) { free(handle->data); }

static void close_session(struct cg_hop_session *session) {
    ERR_clear_error();
    if (session->is_open) (void)SSL_shutdown(session->ssl);
    ERR_clear_error();
    SSL_free(session->ssl);
    cg_hop_clear_timer(session->way.all, &session->timer);
    uv_close((uv_handle_t *)&session->poll, on_closed);
    close(session->fd);
}

static void lose(struct cg_hop_session *session, const char *why) {
    cg_hop_lost(&session->way, why);
    close_session(session);
}

static void end(struct cg_hop_way *way) { close_session(of_way(way)); }

/* Of what OpenSSL has just failed with: its word or the system's, nothing that came. */
static const char *word_for(const struct cg_hop_session *session, int failure, int error) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    long verified = SSL_get_verify_result(session->ssl);
    if (failure == SSL_ERROR_ZERO_RETURN) return "it has ended the session";
    if (!session->is_open && verified != X509_V_OK) return X509_verify_cert_error_string(verified);
    if (reason != NULL) return reason;
    return error != 0 ? strerror(error) : "it ended early";
}

/* ---- Time ---- */

static uint64_t sooner(uint64_t one, uint64_t other) { return one < other ? one : other; }

static uint64_t next_flight_us(const struct cg_hop_session *session) {
    struct timeval left;
    if (DTLSv1_get_timeout(session->ssl, &left) != 1) return UINT64_MAX;
    return (uint64_t)left.tv_sec * 1000000 + (uint64_t)left.tv_usec;
}

static void arm(struct cg_hop_session *session) {
    const struct cg_hop_limits *limits = &session->way.all->limits;
    const uint64_t now = cg_loop_now_us();
    uint64_t at_us = session->heard_us + limits->quiet_us;
    if (!session->is_open) at_us = session->begun_us + limits->opening_us;
    if (session->unheard_us != 0) at_us = sooner(at_us, session->unheard_us + limits->pong_us);
    uint64_t in_us = at_us > now ? at_us - now : 0;
    if (!session->is_open) in_us = sooner(in_us, next_flight_us(session));
    cg_hop_set_timer(session->way.all, &session->timer, in_us);
}

static void be_quiet(struct cg_hop_session *session) {
    if (cg_hop_is_used(&session->way)) {
        session->heard_us = cg_loop_now_us();
        arm(session);
    } else {
        cg_hop_idle(&session->way);
        close_session(session);
    }
}

static bool shake(struct cg_hop_session *session);

static void on_due(struct cg_hop_timer *timer) {
    struct cg_hop_session *session = CG_CONTAINER(timer, struct cg_hop_session, timer);
    const struct cg_hop_limits *limits = &session->way.all->limits;
    const uint64_t now = cg_loop_now_us();
    ERR_clear_error();
    if (!session->has_begun) {
        (void)shake(session);
    } else if (!session->is_open && now >= session->begun_us + limits->opening_us) {
        lose(session, "it does not answer in time");
    } else if (!session->is_open && DTLSv1_handle_timeout(session->ssl) < 0) {
        lose(session, "it does not answer");
    } else if (session->unheard_us != 0 && now >= session->unheard_us + limits->pong_us) {
        lose(session, "it says nothing any more");
    } else if (session->is_open && now >= session->heard_us + limits->quiet_us) {
        be_quiet(session);
    } else {
        arm(session);
    }
}

/* ---- What comes ---- */

static bool is_to_go_on(int failure) { return failure == SSL_ERROR_WANT_READ || failure == SSL_ERROR_WANT_WRITE; }

/* As far as that goes now, which may be to its end. False: it is lost. */
static bool shake(struct cg_hop_session *session) {
    session->has_begun = true;
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(session->ssl), error = errno;
    int failure = SSL_get_error(session->ssl, result);
    if (result != 1 && !is_to_go_on(failure)) {
        lose(session, word_for(session, failure, error));
        return false;
    }
    session->is_open = result == 1;
    session->heard_us = cg_loop_now_us();
    arm(session);
    if (session->is_open) cg_hop_opened(&session->way);
    return true;
}

/* The next record's length; 0: there is none, or the session is lost. */
static int read_one(struct cg_hop_session *session) {
    struct cg_hop_connections *all = session->way.all;
    ERR_clear_error();
    errno = 0;
    int len = SSL_read(session->ssl, all->in, sizeof all->in), error = errno;
    if (len > 0) return len;
    int failure = SSL_get_error(session->ssl, len);
    if (!is_to_go_on(failure)) lose(session, word_for(session, failure, error));
    return 0;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    struct cg_hop_session *session = poll->data;
    struct cg_hop_connections *all = session->way.all;
    int len;
    (void)status, (void)events; /* an error of the socket is read from it */
    if (!session->is_open && !shake(session)) return;
    for (unsigned left = RECORDS_AT_ONCE; session->is_open && left > 0 && (len = read_one(session)) > 0; left--) {
        session->heard_us = cg_loop_now_us();
        session->unheard_us = 0;
        cg_hop_received(&session->way, cg_slice_of(all->in, (size_t)len));
    }
}

/* ---- The core's side ---- */

static int has_room(struct cg_hop_way *way) {
    (void)way;
    return CG_OK; /* what the socket does not take is as if it were lost */
}

static void expect_answer(struct cg_hop_session *session, struct cg_slice datagram) {
    const bool is_confirmable = (datagram.data[0] >> 4 & 3) == CG_CON;
    if (!is_confirmable || session->unheard_us != 0) return;
    session->unheard_us = cg_loop_now_us();
    arm(session);
}

static int emit(struct cg_hop_way *way, struct cg_slice datagram, struct cg_problem *problem) {
    struct cg_hop_session *session = of_way(way);
    ERR_clear_error();
    errno = 0;
    int written = SSL_write(session->ssl, datagram.data, (int)datagram.len), error = errno;
    int failure = SSL_get_error(session->ssl, written);
    if (written <= 0 && !is_to_go_on(failure) && error != ECONNREFUSED)
        return cg_problem_set(problem, CG_E_EMIT, "the next hop %s cannot be sent to: %s", way->hop->origin,
                              word_for(session, failure, error));
    expect_answer(session, datagram);
    return CG_OK;
}

static const struct cg_hop_way_ops way_ops = {.has_room = has_room, .emit = emit, .end = end};

/* ---- Beginning ---- */

/* The next hop's address, as OpenSSL writes to. False: no memory. */
static bool name_peer(BIO *bio, const struct cg_addr *to) {
    BIO_ADDR *peer = BIO_ADDR_new();
    const struct cg_slice ip = cg_addr_ip(to);
    const int family = to->family == CG_FAMILY_IPV4 ? AF_INET : AF_INET6;
    bool is_named = peer != NULL && BIO_ADDR_rawmake(peer, family, ip.data, ip.len, htons(to->port)) == 1;
    if (is_named) (void)BIO_ctrl_set_connected(bio, peer);
    BIO_ADDR_free(peer);
    return is_named;
}

/* NULL: no memory. */
static SSL *make_ssl(const struct cg_hop *hop, int fd) {
    SSL *ssl = SSL_new(hop->context);
    BIO *bio = ssl == NULL ? NULL : BIO_new_dgram(fd, BIO_NOCLOSE);
    if (bio != NULL) SSL_set_bio(ssl, bio, bio);
    if (bio == NULL || !name_peer(bio, &hop->addr) || !cg_tls_expect(ssl, hop->host)) {
        SSL_free(ssl);
        return NULL;
    }
    (void)SSL_set_mtu(ssl, DATAGRAM_MAX);
    SSL_set_connect_state(ssl);
    return ssl;
}

/* It begins in the next turn, as nobody may be told from inside what comes of it. */
static struct cg_hop_session *make_session(struct cg_hop *hop, int fd, SSL *ssl) {
    struct cg_hop_session *session = calloc(1, sizeof *session);
    if (session == NULL) return NULL;
    session->way = (struct cg_hop_way){.ops = &way_ops, .hop = hop, .all = hop->all};
    session->fd = fd;
    session->ssl = ssl;
    session->begun_us = session->heard_us = cg_loop_now_us();
    session->timer.due = on_due;
    CG_CHECK(uv_poll_init(hop->all->uv, &session->poll, fd) == 0);
    session->poll.data = session;
    CG_CHECK(uv_poll_start(&session->poll, UV_READABLE, on_readable) == 0);
    cg_hop_set_timer(hop->all, &session->timer, 0);
    return session;
}

struct cg_hop_way *cg_hop_session_new(struct cg_hop *hop, struct cg_problem *problem) {
    const int fd = cg_datagrams_connect(&hop->addr);
    if (fd < 0) {
        cg_problem_set(problem, CG_E_EMIT, "no socket leads to %s: %s", hop->origin, strerror(errno));
        return NULL;
    }
    SSL *ssl = make_ssl(hop, fd);
    struct cg_hop_session *session = ssl == NULL ? NULL : make_session(hop, fd, ssl);
    if (session != NULL) return &session->way;
    SSL_free(ssl);
    close(fd);
    cg_problem_no_memory(problem);
    return NULL;
}
