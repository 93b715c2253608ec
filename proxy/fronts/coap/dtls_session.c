/* Open sessions. The hard thing is that the caller may be in the midst of one: what OpenSSL gives up while the caller
 * sends is broken, and ends when the loop is back. */
#include <openssl/err.h>
#include <utlist.h>

#include "fronts/coap/dtls_inside.h"

enum {
    EVICTION_LOOK = 64, /* sessions that are looked at for one that may go */
    JUDGED_A_TURN = 64,
};

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

struct cg_dtls_session *cg_dtls_session_new(struct cg_dtls *dtls) {
    struct cg_dtls_session *session = calloc(1, sizeof *session);
    if (session == NULL) return NULL;
    *session = (struct cg_dtls_session){.dtls = dtls, .bio = {.emit = on_emit, .ctx = session}};
    session->ssl = SSL_new(dtls->context);
    if (session->ssl != NULL && set_up_ssl(session)) return session;
    SSL_free(session->ssl);
    free(session);
    return NULL;
}

/* In no table any more. */
void cg_dtls_session_free(struct cg_dtls_session *session) {
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

/* Whom the caller does not know, or no longer. */
static void drop_session(struct cg_dtls_session *session, enum cg_dtls_farewell farewell) {
    struct cg_dtls *dtls = session->dtls;
    HASH_DELETE(hh, dtls->sessions, session);
    cg_heap_remove(&dtls->deadlines, &session->deadline);
    unlist(session);
    dtls->figures.sessions--;
    ERR_clear_error();
    if (farewell == CG_DTLS_GOODBYE && !session->is_broken && SSL_alloc_buffers(session->ssl))
        SSL_shutdown(session->ssl);
    cg_dtls_session_free(session);
}

void cg_dtls_session_end(struct cg_dtls_session *session, enum cg_dtls_farewell farewell) {
    session->dtls->ops.closed(session->dtls->ctx, session);
    drop_session(session, farewell);
}

/* From inside a call that the caller makes on the session: it ends when the loop is back. */
static void break_session(struct cg_dtls_session *session) {
    session->is_broken = true;
    cg_heap_set(&session->dtls->deadlines, &session->deadline, session->dtls->now_us);
    cg_dtls_be_busy(session->dtls); /* so that the caller asks when something is due */
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
    cg_dtls_session_end(session, CG_DTLS_GOODBYE);
    return false;
}

void cg_dtls_sessions_sweep(struct cg_dtls *dtls) {
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
    cg_dtls_session_end(least, CG_DTLS_GOODBYE);
    return true;
}

/* ---- Beginning ---- */

static bool put_among_sessions(struct cg_dtls_session *session) {
    struct cg_dtls *dtls = session->dtls;
    memset(&session->hh, 0, sizeof session->hh); /* so that it can be seen to be in the other table */
    if (!make_room(dtls) || !cg_tls_client_take(&session->client, session->ssl)) return false;
    HASH_ADD(hh, dtls->sessions, path.remote, CG_DTLS_KEY_LEN, session);
    if (!CG_HASH_HAS(hh, session)) return false;
    session->state = CG_DTLS_OPEN;
    session->judged = dtls->generation;
    session->heard_us = dtls->now_us;
    list(session, is_of_client(session) ? &dtls->clients : &dtls->strangers);
    dtls->figures.sessions++;
    return true;
}

/* The session that the client had before goes without a word, which it could not read any more. */
bool cg_dtls_session_begin(struct cg_dtls_session *session) {
    struct cg_dtls *dtls = session->dtls;
    struct cg_dtls_session *former = cg_dtls_find(dtls->sessions, &session->path);
    if (former != NULL) cg_dtls_session_end(former, CG_DTLS_NO_WORD);
    if (!put_among_sessions(session)) {
        cg_dtls_session_free(session);
    } else if (!dtls->ops.opened(dtls->ctx, session)) {
        drop_session(session, CG_DTLS_GOODBYE);
    } else {
        return true;
    }
    dtls->figures.failed++;
    return false;
}

/* ---- Receiving ---- */

static void touch(struct cg_dtls_session *session) {
    session->heard_us = session->dtls->now_us;
    list(session, session->list);
}

/* What OpenSSL says of a read that brought nothing; false: the session has ended. */
static bool survives(struct cg_dtls_session *session, int result) {
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return true;
    case SSL_ERROR_ZERO_RETURN: cg_dtls_session_end(session, CG_DTLS_GOODBYE); return false;
    default: cg_dtls_session_end(session, CG_DTLS_NO_WORD); return false;
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

void cg_dtls_session_take(struct cg_dtls_session *session, struct cg_slice datagram) {
    if (session->is_broken || !judge(session)) return;
    session->bio.datagram = datagram;
    read_session(session);
}

/* ---- Sending ---- */

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

/* One that is used is as good as heard. */
static void end_idle(struct cg_dtls *dtls, struct cg_dtls_session **head, uint64_t idle_us) {
    while (*head != NULL && idle_until(*head, idle_us) <= dtls->now_us) {
        if (dtls->ops.is_used(dtls->ctx, *head)) {
            touch(*head);
        } else {
            cg_dtls_session_end(*head, CG_DTLS_GOODBYE);
        }
    }
}

uint64_t cg_dtls_sessions_idle_until(const struct cg_dtls *dtls) {
    uint64_t strangers_us = idle_until(dtls->strangers, dtls->limits.stranger_idle_us);
    uint64_t clients_us = idle_until(dtls->clients, dtls->limits.idle_us);
    return clients_us < strangers_us ? clients_us : strangers_us;
}

void cg_dtls_sessions_end_idle(struct cg_dtls *dtls) {
    end_idle(dtls, &dtls->strangers, dtls->limits.stranger_idle_us);
    end_idle(dtls, &dtls->clients, dtls->limits.idle_us);
}
