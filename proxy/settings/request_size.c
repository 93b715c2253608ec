/* Sizes of requests. The hard thing is that nobody knows what clients will ask for: so it is what every request has,
 * and a warning that comes of it is always right. */
#include "settings/request_size.h"

enum {
    HEADER = 4,
    TOKEN = 8,
    OPTION_HEAD = 1, /* RFC 7252 §3.1; one more for a long value */
    OPTION_SHORT = 12,
    OSCORE_FLAGS = 1,    /* RFC 8613 §6.1 */
    PARTIAL_IV = 3,      /* numbers go on beyond a burst of 10^6 at each start */
    KID_CONTEXT_LEN = 1, /* before the Gid */
    INNER_CODE = 1,      /* RFC 8613 §5.3 */
    PAYLOAD_MARKER = 1,
};

static size_t option_size(size_t len) { return OPTION_HEAD + (len > OPTION_SHORT) + len; }

static size_t decoded_len(struct cg_slice segment) {
    size_t len = segment.len;
    for (size_t i = 0; i < segment.len; i++) len -= segment.data[i] == '%' ? 2 : 0;
    return len;
}

/* Of a path or query, an option for each part. */
static size_t options_size(struct cg_slice rest) {
    struct cg_slice segment;
    size_t size = 0;
    while (cg_uri_next_segment(&rest, &segment)) size += option_size(decoded_len(segment));
    return size;
}

uint32_t cg_protection_overhead(const struct cg_security_group *keys) {
    bool has_group_mode = keys->alg_group_enc != CG_COSE_NONE;
    const struct cg_cose_cipher *cipher = cg_cose_cipher(has_group_mode ? keys->alg_group_enc : keys->alg_aead);
    size_t option = OSCORE_FLAGS + PARTIAL_IV + KID_CONTEXT_LEN + keys->gid.len + keys->self.id.len;
    size_t signature = has_group_mode ? CG_COSE_SIGNATURE_LEN : 0, tag = cipher == NULL ? 0 : cipher->tag_len;
    return (uint32_t)(option_size(option) + INNER_CODE + PAYLOAD_MARKER + tag + signature);
}

size_t cg_least_request(const struct cg_mapping *mapping, const struct cg_target *target) {
    size_t size = HEADER + TOKEN + options_size(target->path) + options_size(target->query);
    if (target->host.len > 0) size += option_size(target->host.len);
    return mapping->keys == NULL ? size : size + mapping->keys->overhead;
}
