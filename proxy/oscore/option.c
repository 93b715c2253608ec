/* Why: the compressed COSE object's header is hand-packed bits. Hard: accepting exactly one encoding of each value. Two
 * encodings of one Partial IV would be two requests with one nonce. */
#include "oscore/option.h"
#include "base/check.h"

enum { FLAG_PIV_LEN = 0x07, FLAG_KID = 0x08, FLAG_KID_CONTEXT = 0x10, FLAG_GROUP = 0x20, FLAG_RESERVED = 0xc0 };

static bool take(struct cg_slice *rest, size_t len, struct cg_slice *taken) {
    if (rest->len < len) return false;
    *taken = cg_slice_of(rest->data, len);
    rest->data += len;
    rest->len -= len;
    return true;
}

int cg_oscore_option_parse(struct cg_oscore_option *option, struct cg_slice value) {
    memset(option, 0, sizeof(*option));
    if (value.len == 0) return CG_OK;
    if (value.len > CG_OSCORE_OPTION_MAX) return CG_E_BAD_OPTION;
    uint8_t flags = value.data[0];
    struct cg_slice rest = cg_slice_of(value.data + 1, value.len - 1), length;
    if (flags == 0 || (flags & FLAG_RESERVED) != 0) return CG_E_BAD_OPTION;
    size_t piv_len = flags & FLAG_PIV_LEN;
    if (piv_len > CG_OSCORE_PIV_MAX || !take(&rest, piv_len, &option->piv)) return CG_E_BAD_OPTION;
    if (piv_len > 1 && option->piv.data[0] == 0) return CG_E_BAD_OPTION;
    option->group = (flags & FLAG_GROUP) != 0;
    option->has_kid_context = (flags & FLAG_KID_CONTEXT) != 0;
    if (option->has_kid_context && (!take(&rest, 1, &length) || !take(&rest, length.data[0], &option->kid_context)))
        return CG_E_BAD_OPTION;
    option->has_kid = (flags & FLAG_KID) != 0;
    if (option->has_kid)
        option->kid = rest;
    else if (rest.len > 0)
        return CG_E_BAD_OPTION;
    return CG_OK;
}

static size_t put(uint8_t *to, size_t at, struct cg_slice bytes) {
    if (bytes.len > 0) memcpy(to + at, bytes.data, bytes.len);
    return at + bytes.len;
}

int cg_oscore_option_emit(uint8_t to[CG_OSCORE_OPTION_MAX], const struct cg_oscore_option *option) {
    CG_CHECK(option->piv.len <= CG_OSCORE_PIV_MAX);
    uint8_t flags = (uint8_t)(option->piv.len | (option->has_kid ? FLAG_KID : 0) |
                              (option->has_kid_context ? FLAG_KID_CONTEXT : 0) | (option->group ? FLAG_GROUP : 0));
    if (flags == 0) return 0;
    size_t kid_len = option->has_kid ? option->kid.len : 0;
    size_t context_len = option->has_kid_context ? 1 + option->kid_context.len : 0;
    if (1 + option->piv.len + context_len + kid_len > CG_OSCORE_OPTION_MAX) return CG_E_TOO_BIG;
    to[0] = flags;
    size_t at = put(to, 1, option->piv);
    if (option->has_kid_context) {
        to[at++] = (uint8_t)option->kid_context.len;
        at = put(to, at, option->kid_context);
    }
    if (option->has_kid) at = put(to, at, option->kid);
    return (int)at;
}

size_t cg_oscore_piv_emit(uint8_t to[CG_OSCORE_PIV_MAX], uint64_t number) {
    CG_CHECK(number <= CG_OSCORE_NUMBER_MAX);
    size_t len = 1;
    while (number >> (8 * len) != 0) len++;
    for (size_t i = 0; i < len; i++) to[i] = (uint8_t)(number >> (8 * (len - 1 - i)));
    return len;
}

uint64_t cg_oscore_piv_parse(struct cg_slice piv) {
    CG_CHECK(piv.len <= CG_OSCORE_PIV_MAX);
    uint64_t number = 0;
    for (size_t i = 0; i < piv.len; i++) number = number << 8 | piv.data[i];
    return number;
}
