/* Prefixes. The hard thing: a length that is no multiple of eight splits a byte. */
#include "wire/prefix.h"

#include <stdio.h>

#include "base/text.h"

static uint8_t longest(const struct cg_addr *addr) { return addr->family == CG_FAMILY_IPV4 ? 32 : 128; }

/* Of the byte at `index`, the bits that count. */
static uint8_t mask_at(uint8_t bits, size_t index) {
    if (bits >= 8 * (index + 1)) return 0xff;
    return bits <= 8 * index ? 0 : (uint8_t)(0xff00 >> (bits - 8 * index));
}

static bool has_host_bits(const struct cg_prefix *prefix) {
    for (size_t i = 0; i < sizeof prefix->addr.ip; i++) {
        if ((prefix->addr.ip[i] & (uint8_t)~mask_at(prefix->bits, i)) != 0) return true;
    }
    return false;
}

static int parse(struct cg_prefix *prefix, struct cg_slice text) {
    const uint8_t *slash = text.len == 0 ? NULL : memchr(text.data, '/', text.len);
    size_t ip_len = slash == NULL ? text.len : (size_t)(slash - text.data);
    if (cg_addr_parse_ip(&prefix->addr, cg_slice_of(text.data, ip_len)) < 0) return CG_E_FORMAT;
    uint64_t bits = longest(&prefix->addr);
    if (slash != NULL && cg_decimal_parse(cg_slice_of(slash + 1, text.len - ip_len - 1), bits, &bits) < 0) {
        return CG_E_FORMAT;
    }
    prefix->bits = (uint8_t)bits;
    return has_host_bits(prefix) ? CG_E_FORMAT : CG_OK;
}

int cg_prefix_parse(struct cg_prefix *prefix, struct cg_slice text) {
    *prefix = (struct cg_prefix){0};
    int err = parse(prefix, text);
    if (err < 0) *prefix = (struct cg_prefix){0};
    return err;
}

size_t cg_prefix_emit(const struct cg_prefix *prefix, char text[CG_PREFIX_TEXT_MAX]) {
    char ip[CG_ADDR_TEXT_MAX];
    cg_addr_emit_ip(&prefix->addr, ip);
    return (size_t)snprintf(text, CG_PREFIX_TEXT_MAX, "%.50s/%u", ip, prefix->bits);
}

bool cg_prefix_has(const struct cg_prefix *prefix, const struct cg_addr *addr) {
    if (addr->family != prefix->addr.family) return false;
    for (size_t i = 0; i < sizeof addr->ip; i++) {
        if (((addr->ip[i] ^ prefix->addr.ip[i]) & mask_at(prefix->bits, i)) != 0) return false;
    }
    return true;
}
