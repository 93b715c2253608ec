/* A BIO on a borrowed slice and a buffer. The hard thing is that OpenSSL may write while it reads (alerts, answers to
 * key updates), so whatever is done to it, `out` is to be looked at. */
#include "io/tls.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <limits.h>
#include <string.h>

/* ---- What OpenSSL reads and writes by ---- */

static int on_read(BIO *bio, char *to, int cap) {
    struct cg_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->in.len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t len = tls->in.len < (size_t)cap ? tls->in.len : (size_t)cap;
    memcpy(to, tls->in.data, len);
    tls->in = cg_slice_of(tls->in.data + len, tls->in.len - len);
    return (int)len;
}

static int on_write(BIO *bio, const char *bytes, int len) {
    struct cg_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    cg_buf_put(&tls->out, bytes, (size_t)len);
    return tls->out.failed ? -1 : len;
}

static long on_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

/* One for the process. NULL: no memory. */
static BIO_METHOD *method(void) {
    static BIO_METHOD *made;
    if (made != NULL) return made;
    int type = BIO_get_new_index();
    BIO_METHOD *fresh = type < 0 ? NULL : BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "stream");
    if (fresh == NULL) return NULL;
    if (BIO_meth_set_read(fresh, on_read) && BIO_meth_set_write(fresh, on_write) && BIO_meth_set_ctrl(fresh, on_ctrl))
        return made = fresh;
    BIO_meth_free(fresh);
    return NULL;
}

/* ---- A connection ---- */

bool cg_tls_init(struct cg_tls *tls, SSL *ssl) {
    *tls = (struct cg_tls){.ssl = ssl};
    cg_buf_init(&tls->out, 0);
    BIO *bio = method() == NULL ? NULL : BIO_new(method());
    if (bio == NULL) {
        cg_tls_fini(tls);
        return false;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return true;
}

void cg_tls_fini(struct cg_tls *tls) {
    SSL_free(tls->ssl);
    tls->ssl = NULL;
    cg_buf_fini(&tls->out);
}

int cg_tls_handshake(struct cg_tls *tls) {
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    if (result == 1) return CG_OK;
    return SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_READ ? CG_PENDING : CG_E_VERIFY;
}

int cg_tls_read(struct cg_tls *tls, uint8_t *to, size_t cap) {
    ERR_clear_error();
    int result = SSL_read(tls->ssl, to, cap > INT_MAX ? INT_MAX : (int)cap);
    if (result > 0) return result;
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ: return 0;
    case SSL_ERROR_ZERO_RETURN: return CG_E_STOPPING;
    default: return CG_E_VERIFY;
    }
}

int cg_tls_write(struct cg_tls *tls, struct cg_slice bytes) {
    size_t written;
    ERR_clear_error();
    if (bytes.len == 0 || SSL_write_ex(tls->ssl, bytes.data, bytes.len, &written) == 1) return CG_OK;
    return tls->out.failed ? CG_E_NO_MEMORY : CG_E_EMIT;
}

void cg_tls_say_goodbye(struct cg_tls *tls) {
    ERR_clear_error();
    if (SSL_is_init_finished(tls->ssl)) (void)SSL_shutdown(tls->ssl);
}

const char *cg_tls_reason(const struct cg_tls *tls) {
    unsigned long error = ERR_peek_last_error();
    if (ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl));
    const char *reason = ERR_reason_error_string(error);
    return reason == NULL ? "it ended early" : reason;
}
