/* Kept bodies. The hard thing: a request for a further block may leave out the payload that the first one had (RFC 8132
 * has none to say), so the payload only counts where there is one. */
#include "fronts/coap/bodies.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/container.h"

struct kept_body {
    struct cg_kept kept;
    struct cg_coap_key payload; /* of the request */
    struct cg_coap_body body;
    uint8_t etag[CG_COAP_ETAG_MAX];
    uint8_t options[];
};

static void free_body(struct kept_body *held) {
    cg_bytes_unref(held->body.bytes);
    free(held);
}

static void drop(struct cg_kept *kept) { free_body(CG_CONTAINER(kept, struct kept_body, kept)); }

void cg_coap_bodies_init(struct cg_coap_bodies *bodies, size_t max, struct cg_quota *quota) {
    cg_keep_init(&bodies->keep, max, quota, drop);
}

void cg_coap_bodies_fini(struct cg_coap_bodies *bodies) { cg_keep_fini(&bodies->keep); }

void cg_coap_body_make_etag(uint8_t etag[CG_COAP_ETAG_MAX], struct cg_slice payload) {
    struct cg_coap_key digest;
    cg_coap_key_of_payload(&digest, payload);
    memcpy(etag, digest.digest, CG_COAP_ETAG_MAX);
}

static struct kept_body *copy(const struct cg_coap_body *body) {
    CG_CHECK(body->etag.len > 0 && body->etag.len <= CG_COAP_ETAG_MAX);
    size_t size = sizeof(struct kept_body) + body->options.len;
    struct kept_body *held = calloc(1, size);
    if (held == NULL) return NULL;
    held->kept.charged = size;
    held->kept.size = size + body->bytes->len;
    held->body = *body;
    held->body.bytes = cg_bytes_ref(body->bytes);
    held->body.options.data = held->options;
    held->body.etag.data = held->etag;
    if (body->options.len > 0) memcpy(held->options, body->options.data, body->options.len);
    memcpy(held->etag, body->etag.data, body->etag.len);
    return held;
}

int cg_coap_bodies_keep(struct cg_coap_bodies *bodies, const struct cg_request *request,
                        const struct cg_coap_body *body, uint64_t now_us) {
    struct kept_body *held = copy(body);
    if (held == NULL) return CG_E_NO_MEMORY;
    cg_coap_key_of_payload(&held->payload, request->payload);
    bool is_in = cg_coap_key_of_request(&held->kept.key, request) &&
                 cg_keep_put(&bodies->keep, &held->kept, request, now_us) == CG_OK;
    if (!is_in) free_body(held);
    return is_in ? CG_OK : CG_E_NO_MEMORY;
}

const struct cg_coap_body *cg_coap_bodies_find(const struct cg_coap_bodies *bodies, const struct cg_request *request,
                                               uint64_t now_us) {
    struct cg_coap_key key, payload;
    if (!cg_coap_key_of_request(&key, request)) return NULL;
    struct cg_kept *kept = cg_keep_find(&bodies->keep, &key, now_us);
    if (kept == NULL) return NULL;
    const struct kept_body *held = CG_CONTAINER(kept, struct kept_body, kept);
    cg_coap_key_of_payload(&payload, request->payload);
    bool is_same = request->payload.len == 0 || cg_coap_key_equal(&payload, &held->payload);
    return is_same ? &held->body : NULL;
}
