/* A BIO of one datagram. The hard thing is that it is a datagram: what a read has no room for is gone, and the next
 * read finds nothing, where OpenSSL's BIO in memory would go on with the rest. */
#include "fronts/coap/dtls_bio.h"

#include <string.h>

static int on_read(BIO *of, char *to, int cap) {
    struct cg_dtls_bio *bio = BIO_get_data(of);
    BIO_clear_retry_flags(of);
    if (bio->datagram.data == NULL) {
        BIO_set_retry_read(of);
        return -1;
    }
    size_t len = bio->datagram.len < (size_t)cap ? bio->datagram.len : (size_t)cap;
    memcpy(to, bio->datagram.data, len);
    bio->datagram = CG_SLICE_NONE;
    return (int)len;
}

static int on_write(BIO *of, const char *bytes, int len) {
    const struct cg_dtls_bio *bio = BIO_get_data(of);
    BIO_clear_retry_flags(of);
    bio->emit(bio->ctx, cg_slice_of(bytes, (size_t)len));
    return len; /* what the socket does not take is lost, as anything may be on its way */
}

static long on_ctrl(BIO *of, int command, long number, void *pointer) {
    (void)of, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *cg_dtls_bio_method(void) {
    static BIO_METHOD *method;
    if (method != NULL) return method;
    int type = BIO_get_new_index();
    BIO_METHOD *made = type < 0 ? NULL : BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "datagram");
    if (made == NULL) return NULL;
    if (BIO_meth_set_read(made, on_read) && BIO_meth_set_write(made, on_write) && BIO_meth_set_ctrl(made, on_ctrl)) {
        return method = made;
    }
    BIO_meth_free(made);
    return NULL;
}

BIO *cg_dtls_bio_new(struct cg_dtls_bio *bio) {
    BIO_METHOD *method = cg_dtls_bio_method();
    BIO *made = method == NULL ? NULL : BIO_new(method);
    if (made == NULL) return NULL;
    BIO_set_data(made, bio);
    BIO_set_init(made, 1);
    return made;
}
