/* Options for next hops. The hard thing: the group goes as Proxy-Scheme and Uri-*, not as a Proxy-Uri, since protection
 * end to end covers the path, and the next hop must see the rest (RFC 8613 §4.1.3). */
#include "rounds/hop_options.h"

#include <stdio.h>

enum {
    HOP_OPTIONS = 4, /* Multicast-Timeout, Uri-Port, Hop-Limit, Proxy-Scheme */
    HOP_LIMIT = 16,  /* of a request that comes with none (RFC 8768 §3) */
};

bool cg_hop_timeout(const struct cg_target *target, uint64_t timeout_us, uint32_t *seconds) {
    uint64_t whole_s = timeout_us / 1000000;
    *seconds = 0;
    if (timeout_us == 0) return true;
    if (whole_s <= target->next_hop.round_trip_s) return false;
    *seconds = (uint32_t)whole_s - target->next_hop.round_trip_s;
    return true;
}

/* A copy. False: no memory. */
static bool put(struct cg_opts *to, struct cg_arena *arena, uint16_t number, struct cg_slice value) {
    struct cg_slice kept = value.len == 0 ? CG_SLICE_NONE : cg_arena_copy(arena, value);
    cg_opts_insert(to, number, kept);
    return kept.len == value.len;
}

static bool put_uint(struct cg_opts *to, struct cg_arena *arena, uint16_t number, uint32_t value) {
    uint8_t bytes[4];
    return put(to, arena, number, cg_uint_emit(value, bytes));
}

static bool put_hop_limit(struct cg_opts *to, struct cg_arena *arena) {
    for (size_t i = 0; i < to->count; i++) {
        if (to->list[i].number == CG_OPT_HOP_LIMIT) return true; /* one less already */
    }
    return put_uint(to, arena, CG_OPT_HOP_LIMIT, HOP_LIMIT);
}

size_t cg_hop_host(const struct cg_addr *addr, char text[CG_HOP_HOST_MAX]) {
    char ip[CG_ADDR_TEXT_MAX];
    cg_addr_emit_ip(addr, ip);
    int len = snprintf(text, CG_HOP_HOST_MAX, addr->family == CG_FAMILY_IPV6 ? "[%s]" : "%s", ip);
    return (size_t)len;
}

static bool put_group(struct cg_opts *to, struct cg_arena *arena, const struct cg_target *target,
                      struct cg_slice *host) {
    char literal[CG_HOP_HOST_MAX];
    if (host->len == 0) {
        *host = cg_arena_copy(arena, cg_slice_of(literal, cg_hop_host(&target->group, literal)));
        if (host->len == 0) return false;
    }
    bool has_port = target->group.port != CG_COAP_PORT;
    return (!has_port || put_uint(to, arena, CG_OPT_URI_PORT, target->group.port)) &&
           put(to, arena, CG_OPT_PROXY_SCHEME, cg_slice_str(cg_scheme_name(CG_SCHEME_COAP)));
}

int cg_hop_options(const struct cg_wish *wish, const struct cg_target *target, struct cg_arena *arena,
                   struct cg_slice *host, struct cg_opts *own) {
    struct cg_opts to = {.list = cg_arena_alloc(arena, (own->count + HOP_OPTIONS) * sizeof *to.list),
                         .count = own->count};
    uint32_t seconds;
    if (to.list == NULL) return CG_E_NO_MEMORY;
    if (own->count > 0) memcpy(to.list, own->list, own->count * sizeof *own->list);
    (void)cg_hop_timeout(target, wish->timeout_us, &seconds); /* that there is some was checked before */
    bool is_whole = put_uint(&to, arena, wish->config->options.multicast_timeout, seconds) &&
                    put_hop_limit(&to, arena) && (target->group_uri == NULL || put_group(&to, arena, target, host));
    *own = to;
    return is_whole ? CG_OK : CG_E_NO_MEMORY;
}
