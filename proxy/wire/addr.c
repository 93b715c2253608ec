/* Addresses as text. The hard thing: one text must mean one address, so only the forms that the header names are read,
 * and nothing that a C string would end at is let through to inet_pton. */
#include "wire/addr.h"

#include "base/text.h"

#include <arpa/inet.h>

_Static_assert(sizeof(struct cg_addr) == 28, "no padding: addresses are compared and hashed as bytes");

bool cg_addr_equal(const struct cg_addr *a, const struct cg_addr *b) { return memcmp(a, b, sizeof *a) == 0; }

struct cg_addr cg_addr_host(const struct cg_addr *addr) {
    struct cg_addr host = *addr;
    host.port = 0;
    return host;
}

struct cg_addr cg_addr_network(const struct cg_addr *addr) {
    struct cg_addr network = {.family = addr->family};
    memcpy(network.ip, addr->ip, addr->family == CG_FAMILY_IPV6 ? sizeof network.ip / 2 : sizeof network.ip);
    return network;
}

bool cg_addr_same_host(const struct cg_addr *a, const struct cg_addr *b) {
    bool same_zone = a->scope == b->scope || a->scope == 0 || b->scope == 0;
    return a->family != CG_FAMILY_NONE && a->family == b->family && same_zone &&
           memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

uint32_t cg_addr_hash(const struct cg_addr *addr) { return cg_fnv(CG_FNV_START, addr, sizeof *addr); }

bool cg_addr_is_multicast(const struct cg_addr *addr) {
    if (addr->family == CG_FAMILY_IPV4) return addr->ip[0] >> 4 == 0xe;
    return addr->family == CG_FAMILY_IPV6 && addr->ip[0] == 0xff;
}

struct cg_addr cg_addr_unmapped(const struct cg_addr *addr) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (addr->family != CG_FAMILY_IPV6 || memcmp(addr->ip, mapped, sizeof mapped) != 0) return *addr;
    struct cg_addr plain = {.family = CG_FAMILY_IPV4};
    memcpy(plain.ip, addr->ip + sizeof mapped, 4);
    plain.port = addr->port;
    return plain;
}

bool cg_addr_is_unspecified(const struct cg_addr *addr) {
    static const uint8_t zeros[sizeof addr->ip];
    return memcmp(addr->ip, zeros, sizeof zeros) == 0;
}

bool cg_addr_is_loopback(const struct cg_addr *addr) {
    static const uint8_t one[16] = {[15] = 1};
    const struct cg_addr plain = cg_addr_unmapped(addr);
    if (plain.family == CG_FAMILY_IPV4) return plain.ip[0] == 127;
    return plain.family == CG_FAMILY_IPV6 && memcmp(plain.ip, one, sizeof one) == 0;
}

bool cg_addr_is_link_local(const struct cg_addr *addr) {
    return addr->family == CG_FAMILY_IPV6 && addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80;
}

struct cg_slice cg_addr_ip(const struct cg_addr *addr) {
    if (addr->family == CG_FAMILY_NONE) return CG_SLICE_NONE;
    return cg_slice_of(addr->ip, addr->family == CG_FAMILY_IPV4 ? 4 : 16);
}

int cg_addr_parse_ip(struct cg_addr *addr, struct cg_slice text) {
    *addr = (struct cg_addr){0};
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.data, '\0', text.len) != NULL) return CG_E_FORMAT;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    bool is_v6 = memchr(text.data, ':', text.len) != NULL;
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, copy, addr->ip) != 1) {
        *addr = (struct cg_addr){0};
        return CG_E_FORMAT;
    }
    addr->family = is_v6 ? CG_FAMILY_IPV6 : CG_FAMILY_IPV4;
    return CG_OK;
}

static struct cg_slice slice_from(struct cg_slice slice, size_t start) {
    return cg_slice_of(slice.data + start, slice.len - start);
}

/* Index of the byte, or the length. */
static size_t find_byte(struct cg_slice text, char byte) {
    const uint8_t *at = text.len == 0 ? NULL : memchr(text.data, byte, text.len);
    return at == NULL ? text.len : (size_t)(at - text.data);
}

static int parse_v6_zone(struct cg_addr *addr, struct cg_slice text) {
    size_t percent = find_byte(text, '%');
    int err = cg_addr_parse_ip(addr, cg_slice_of(text.data, percent));
    if (err < 0) return err;
    if (addr->family != CG_FAMILY_IPV6) return CG_E_FORMAT;
    if (percent == text.len) return CG_OK;
    uint64_t scope;
    err = cg_decimal_parse(slice_from(text, percent + 1), UINT32_MAX, &scope);
    if (err < 0) return err;
    if (scope == 0) return CG_E_FORMAT; /* 0 is how "no zone" is stored */
    addr->scope = (uint32_t)scope;
    return CG_OK;
}

/* What follows the host: nothing or ":PORT". */
static int parse_port(struct cg_addr *addr, struct cg_slice text, uint16_t default_port) {
    addr->port = default_port;
    if (text.len == 0) return CG_OK;
    uint64_t port;
    if (text.data[0] != ':') return CG_E_FORMAT;
    int err = cg_decimal_parse(slice_from(text, 1), UINT16_MAX, &port);
    if (err < 0) return err;
    addr->port = (uint16_t)port;
    return CG_OK;
}

static int parse_any(struct cg_addr *addr, struct cg_slice text, uint16_t default_port) {
    if (text.len == 0) return CG_E_FORMAT;
    if (text.data[0] == '[') {
        size_t close = find_byte(text, ']');
        if (close == text.len) return CG_E_FORMAT;
        int err = parse_v6_zone(addr, cg_slice_of(text.data + 1, close - 1));
        return err < 0 ? err : parse_port(addr, slice_from(text, close + 1), default_port);
    }
    size_t colon = find_byte(text, ':');
    bool is_v6 = colon < text.len && find_byte(slice_from(text, colon + 1), ':') < text.len - colon - 1;
    if (is_v6) {
        int err = parse_v6_zone(addr, text);
        return err < 0 ? err : parse_port(addr, CG_SLICE_NONE, default_port);
    }
    int err = cg_addr_parse_ip(addr, cg_slice_of(text.data, colon));
    return err < 0 ? err : parse_port(addr, slice_from(text, colon), default_port);
}

int cg_addr_parse(struct cg_addr *addr, struct cg_slice text, uint16_t default_port) {
    *addr = (struct cg_addr){0};
    int err = parse_any(addr, text, default_port);
    if (err < 0) *addr = (struct cg_addr){0};
    return err;
}

/* No printf, here and below: every answer of a reply shows its address, and that would be a quarter of its cost. */
static char *put_number(char *to, uint32_t number) { return to + cg_decimal_emit(to, number); }

static char *put_ipv4(char *to, const uint8_t ip[4]) {
    for (int i = 0; i < 4; i++) {
        if (i > 0) *to++ = '.';
        to = put_number(to, ip[i]);
    }
    return to;
}

static char *put_ip(char *to, const struct cg_addr *addr) {
    if (addr->family == CG_FAMILY_IPV4) return put_ipv4(to, addr->ip);
    if (addr->family == CG_FAMILY_NONE || inet_ntop(AF_INET6, addr->ip, to, INET6_ADDRSTRLEN) == NULL) return to;
    return to + strlen(to);
}

size_t cg_addr_emit_ip(const struct cg_addr *addr, char text[CG_ADDR_TEXT_MAX]) {
    char *end = put_ip(text, addr);
    *end = '\0';
    return (size_t)(end - text);
}

size_t cg_addr_emit(const struct cg_addr *addr, char text[CG_ADDR_TEXT_MAX]) {
    bool is_v6 = addr->family == CG_FAMILY_IPV6;
    char *at = text;
    if (is_v6) *at++ = '[';
    at = put_ip(at, addr);
    if (addr->scope != 0) {
        *at++ = '%';
        at = put_number(at, addr->scope);
    }
    if (is_v6) *at++ = ']';
    *at++ = ':';
    at = put_number(at, addr->port);
    *at = '\0';
    return (size_t)(at - text);
}
