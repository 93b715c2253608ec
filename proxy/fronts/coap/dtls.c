/* What comes for whom. The hard thing is a client that starts anew from an address that has a session: anybody can
 * write a ClientHello with that address, so the old session stays as it is until the new handshake is done (RFC 6347
 * §4.2.8). Hence handshakes and sessions are in two tables, and one path may be in both. */
#include <openssl/err.h>

#include "base/container.h"
#include "fronts/coap/dtls_inside.h"
#include "fronts/coap/tls_context.h"

_Static_assert(offsetof(struct cg_dtls_path, local) == sizeof(struct cg_addr), "a path's addresses are one key");

const struct cg_dtls_limits cg_dtls_usual_limits = {
    .sessions = 8192,
    .handshakes = 512,
    .handshakes_per_host = 64,
    .handshake_us = 15 * UINT64_C(1000000),
    .idle_us = 3600 * UINT64_C(1000000),
    .stranger_idle_us = 120 * UINT64_C(1000000),
};

struct cg_dtls_session *cg_dtls_find(struct cg_dtls_session *table, const struct cg_dtls_path *path) {
    struct cg_dtls_session *found;
    HASH_FIND(hh, table, &path->remote, CG_DTLS_KEY_LEN, found);
    return found;
}

void cg_dtls_be_busy(struct cg_dtls *dtls) {
    if (dtls->busy) return;
    dtls->busy = true;
    dtls->ops.busy(dtls->ctx);
}

bool cg_dtls_turn(struct cg_dtls *dtls, uint64_t now_us) {
    dtls->now_us = now_us;
    dtls->busy = true; /* so that what is found meanwhile is not told: it is returned */
    cg_dtls_handshakes_turn(dtls);
    cg_dtls_sessions_sweep(dtls);
    dtls->busy = dtls->ready != NULL || dtls->sweep != NULL;
    return dtls->busy;
}

/* ---- Datagrams ---- */

void cg_dtls_take(struct cg_dtls *dtls, const struct cg_dtls_path *path, struct cg_slice datagram, uint64_t now_us) {
    dtls->now_us = now_us;
    if (datagram.len == 0) { /* to OpenSSL it would be the end of the connection */
        dtls->figures.strays++;
        return;
    }
    if (cg_dtls_is_hello(datagram)) {
        cg_dtls_handshakes_hear(dtls, path, datagram);
        return;
    }
    struct cg_dtls_session *handshake = cg_dtls_find(dtls->handshakes, path),
                           *session = cg_dtls_find(dtls->sessions, path);
    dtls->figures.strays += handshake == NULL && session == NULL;
    if (handshake != NULL) cg_dtls_handshake_take(handshake, datagram);
    if (session != NULL && (handshake == NULL || !cg_dtls_is_of_epoch_0(datagram)))
        cg_dtls_session_take(session, datagram);
}

/* ---- Time ---- */

uint64_t cg_dtls_due_us(const struct cg_dtls *dtls) {
    const struct cg_deadline *first = cg_heap_first(&dtls->deadlines);
    uint64_t due_us = first == NULL ? UINT64_MAX : first->at_us;
    uint64_t idle_us = cg_dtls_sessions_idle_until(dtls);
    return idle_us < due_us ? idle_us : due_us;
}

static void run_deadline(struct cg_dtls_session *session) {
    if (session->state == CG_DTLS_OPEN) {
        cg_dtls_session_end(session, CG_DTLS_NO_WORD); /* it is broken */
    } else {
        cg_dtls_handshake_run_deadline(session);
    }
}

void cg_dtls_run(struct cg_dtls *dtls, uint64_t now_us) {
    struct cg_deadline *first;
    dtls->now_us = now_us;
    while ((first = cg_heap_first(&dtls->deadlines)) != NULL && first->at_us <= now_us) {
        run_deadline(CG_CONTAINER(first, struct cg_dtls_session, deadline));
    }
    cg_dtls_sessions_end_idle(dtls);
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
    if (dtls->sweep != NULL) cg_dtls_be_busy(dtls);
    SSL_CTX *context = cg_tls_context_new(CG_TLS_OF_DATAGRAMS, settings, key_may_be_shared, problem);
    if (context == NULL) return problem->err;
    SSL_CTX_set_cookie_generate_cb(context, cg_dtls_on_cookie_wanted);
    SSL_CTX_set_cookie_verify_cb(context, cg_dtls_on_cookie);
    SSL_CTX_set_psk_server_callback(context, on_psk);
    SSL_CTX_set_cert_verify_callback(context, on_chain, NULL);
    SSL_CTX_set_verify(context, settings->client_ca == NULL ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (dtls->ear != NULL) cg_dtls_session_free(dtls->ear);
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
    dtls->loggable = (struct cg_allowance){.left = CG_DTLS_FAILURES_LOGGED, .filled_us = now_us};
    cg_heap_init(&dtls->deadlines);
    return dtls;
}

void cg_dtls_free(struct cg_dtls *dtls) {
    if (dtls == NULL) return;
    while (dtls->handshakes != NULL) cg_dtls_handshake_drop(dtls->handshakes);
    while (dtls->sessions != NULL) cg_dtls_session_end(dtls->sessions, CG_DTLS_GOODBYE);
    if (dtls->ear != NULL) cg_dtls_session_free(dtls->ear);
    SSL_CTX_free(dtls->context);
    BIO_ADDR_free(dtls->nobody);
    cg_dtls_cookies_fini(&dtls->cookies);
    cg_heap_fini(&dtls->deadlines);
    OPENSSL_cleanse(dtls->plain, sizeof dtls->plain);
    free(dtls);
}
