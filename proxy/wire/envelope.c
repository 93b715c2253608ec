/* The header with extended tokens. The hard thing is small: a token's length may take three places, and each of them
 * may be cut off. */
#include "wire/envelope.h"

#include <limits.h>

enum {
    HEADER_LEN = 4,
    VERSION = 1,
    MARKER = 0xff,
    EXTEND_1 = 13, /* TKL: one byte follows the header, plus 13 */
    EXTEND_2 = 14, /* two bytes, plus 269 */
    OFFSET_1 = 13,
    OFFSET_2 = 269,
};

/* How many bytes say the token's length, beside TKL; -1 for the value that is reserved. */
static int extension_of(unsigned tkl) { return tkl < EXTEND_1 ? 0 : tkl == EXTEND_1 ? 1 : tkl == EXTEND_2 ? 2 : -1; }

/* Behind the header; false when it is cut off. */
static bool read_token(struct cg_slice *rest, unsigned tkl, struct cg_slice *token) {
    int extension = extension_of(tkl);
    if (extension < 0 || (size_t)extension > rest->len) return false;
    size_t len = tkl;
    if (extension == 1) len = OFFSET_1 + (size_t)rest->data[0];
    if (extension == 2) len = OFFSET_2 + ((size_t)rest->data[0] << 8 | rest->data[1]);
    if (len > rest->len - (size_t)extension) return false;
    *token = cg_slice_of(rest->data + extension, len);
    *rest = cg_slice_of(token->data + len, rest->len - (size_t)extension - len);
    return true;
}

static int read_body(struct cg_envelope *envelope, struct cg_slice body) {
    struct cg_msg msg;
    int err = cg_msg_parse_body(&msg, body);
    if (err < 0) return err;
    envelope->options = msg.options;
    envelope->payload = msg.payload;
    return CG_OK;
}

int cg_envelope_parse(struct cg_envelope *envelope, struct cg_slice datagram) {
    *envelope = (struct cg_envelope){.type = CG_NON};
    const uint8_t *data = datagram.data;
    if (datagram.len < HEADER_LEN || data[0] >> 6 != VERSION) return CG_E_FORMAT;
    envelope->type = data[0] >> 4 & 3;
    envelope->code = data[1];
    envelope->mid = (uint16_t)(data[2] << 8 | data[3]);
    if (envelope->code == CG_EMPTY) return datagram.len == HEADER_LEN && (data[0] & 15) == 0 ? CG_OK : CG_E_FORMAT;
    struct cg_slice rest = cg_slice_of(data + HEADER_LEN, datagram.len - HEADER_LEN);
    if (!read_token(&rest, data[0] & 15, &envelope->token)) return CG_E_FORMAT;
    return envelope->token.len > CG_EXTENDED_TOKEN_MAX ? CG_E_TOO_BIG : read_body(envelope, rest);
}

/* TKL for a length, and the bytes that extend it. */
static uint8_t tkl_of(size_t len, uint8_t extension[2]) {
    if (len < OFFSET_1) return (uint8_t)len;
    if (len < OFFSET_2) {
        extension[0] = (uint8_t)(len - OFFSET_1);
        return EXTEND_1;
    }
    extension[0] = (uint8_t)((len - OFFSET_2) >> 8);
    extension[1] = (uint8_t)(len - OFFSET_2);
    return EXTEND_2;
}

static uint8_t *put(uint8_t *to, struct cg_slice bytes) {
    if (bytes.len > 0) memcpy(to, bytes.data, bytes.len);
    return to + bytes.len;
}

int cg_envelope_emit(const struct cg_envelope *envelope, uint8_t *bytes, size_t cap) {
    if (envelope->token.len > OFFSET_2 + UINT16_MAX) return CG_E_TOO_BIG;
    uint8_t extension[2] = {0}, tkl = tkl_of(envelope->token.len, extension);
    size_t extended = (size_t)extension_of(tkl);
    size_t len = HEADER_LEN + extended + envelope->token.len + envelope->options.len + (envelope->payload.len > 0) +
                 envelope->payload.len;
    if (len > cap || len > INT_MAX) return CG_E_TOO_BIG;
    *bytes++ = (uint8_t)(VERSION << 6 | envelope->type << 4 | tkl);
    *bytes++ = envelope->code;
    *bytes++ = (uint8_t)(envelope->mid >> 8);
    *bytes++ = (uint8_t)envelope->mid;
    bytes = put(put(put(bytes, cg_slice_of(extension, extended)), envelope->token), envelope->options);
    if (envelope->payload.len == 0) return (int)len;
    *bytes++ = MARKER;
    put(bytes, envelope->payload);
    return (int)len;
}
