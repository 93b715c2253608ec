/* The hard thing: a proxy adds to one of the two fields and passes the other on as the client wrote it, and nobody
 * tells which. So where both are there they must agree, and whatever cannot be read makes the proxy itself the one who
 * counts: a lie gets its teller into the limits of all who lie there, never into or out of somebody else's.
 *
 * Each hop stands right of the one before it. Reading goes from the right, over trusted proxies, to the first address
 * that is none; what is left of that its owner may have made up. */
#include "fronts/http/forwarded.h"

#include "base/text.h"

enum { HOPS_MAX = 32, NODE_MAX = 128 };

/* The hops that a field names, left to right. */
struct hops {
    struct cg_slice nodes[HOPS_MAX]; /* as the field has them, quoted or not */
    size_t count;
    bool is_there;
    bool is_bad;
};

static void add_hop(struct hops *hops, struct cg_slice node) {
    if (hops->count == HOPS_MAX) { /* the leftmost are of no use first */
        memmove(hops->nodes, hops->nodes + 1, (HOPS_MAX - 1) * sizeof *hops->nodes);
        hops->count--;
    }
    hops->nodes[hops->count++] = node;
}

/* One element of Forwarded: pairs, of which `for` counts (RFC 7239 §4). */
static bool read_element(struct cg_slice element, struct cg_slice *node) {
    struct cg_slice pair;
    bool found = false;
    *node = cg_slice_str("unknown");
    while (cg_http_next_item(&element, ';', &pair)) {
        const uint8_t *equals = pair.len == 0 ? NULL : memchr(pair.data, '=', pair.len);
        if (equals == NULL) return false;
        struct cg_slice name = cg_slice_of(pair.data, (size_t)(equals - pair.data));
        if (!cg_http_is_token(name)) return false;
        if (!cg_slice_is_nocase(name, "for")) continue;
        if (found) return false;
        found = true;
        *node = cg_slice_of(equals + 1, pair.len - name.len - 1);
    }
    return true;
}

/* All fields of that name, in their order, are one list (RFC 9110 §5.3). */
static void read_hops(const struct cg_http_message *message, const char *name, struct hops *hops,
                      bool (*read)(struct cg_slice element, struct cg_slice *node)) {
    *hops = (struct hops){0};
    for (size_t i = 0; i < message->field_count; i++) {
        if (!cg_slice_is_nocase(message->fields[i].name, name)) continue;
        hops->is_there = true;
        struct cg_slice rest = message->fields[i].value, element, node;
        while (cg_http_next_item(&rest, ',', &element)) {
            if (element.len == 0) continue;
            bool good = read(element, &node);
            if (good) add_hop(hops, node);
            hops->is_bad |= !good;
        }
    }
    hops->is_bad |= hops->is_there && hops->count == 0;
}

static bool read_plain(struct cg_slice element, struct cg_slice *node) {
    *node = element;
    return true;
}

/* Without its quotes, in `text`. */
static bool unquote(struct cg_slice *node, uint8_t text[NODE_MAX]) {
    if (node->len == 0 || node->data[0] != '"') return node->len > 0;
    if (node->len < 2 || node->len > NODE_MAX || node->data[node->len - 1] != '"') return false;
    size_t len = 0;
    for (size_t i = 1; i + 1 < node->len; i++) {
        if (node->data[i] == '\\' && i + 2 < node->len) i++;
        text[len++] = node->data[i];
    }
    *node = cg_slice_of(text, len);
    return len > 0;
}

/* "192.0.2.4", "192.0.2.4:_x", "[2001:db8::1]:4711": what stands before the port, whatever that is (RFC 7239 §6). Bare
 * IPv6 addresses are X-Forwarded-For's. */
static struct cg_slice without_port(struct cg_slice node) {
    if (node.data[0] == '[') {
        const uint8_t *end = memchr(node.data, ']', node.len);
        if (end == NULL || (end + 1 < node.data + node.len && end[1] != ':')) return CG_SLICE_NONE;
        return cg_slice_of(node.data + 1, (size_t)(end - node.data) - 1);
    }
    const uint8_t *colon = memchr(node.data, ':', node.len);
    if (colon == NULL) return node;
    size_t before = (size_t)(colon - node.data);
    bool is_ipv6 = memchr(colon + 1, ':', node.len - before - 1) != NULL;
    return is_ipv6 ? node : cg_slice_of(node.data, before);
}

/* False: it names no address (unknown, hidden behind a word, or nonsense). */
static bool parse_node(struct cg_slice node, struct cg_addr *addr) {
    uint8_t text[NODE_MAX];
    if (!unquote(&node, text)) return false;
    struct cg_slice ip = without_port(node);
    if (ip.len == 0 || cg_addr_parse_ip(addr, ip) < 0) return false;
    *addr = cg_addr_unmapped(addr);
    return true;
}

bool cg_forwarded_trusts(const struct cg_http_settings *settings, const struct cg_addr *peer) {
    const struct cg_addr addr = cg_addr_unmapped(peer);
    for (size_t i = 0; i < settings->trusted_proxy_count; i++) {
        if (cg_prefix_has(&settings->trusted_proxies[i], &addr)) return true;
    }
    return false;
}

/* A hop that names no address ends it at the proxy that said so. */
static struct cg_addr walk(const struct cg_http_settings *settings, const struct hops *hops,
                           const struct cg_addr *proxy) {
    struct cg_addr from = *proxy;
    if (hops->is_bad) return from;
    for (size_t i = hops->count; i > 0 && cg_forwarded_trusts(settings, &from); i--) {
        struct cg_addr before;
        if (!parse_node(hops->nodes[i - 1], &before)) break;
        from = before;
    }
    return from;
}

bool cg_forwarded_from(const struct cg_http_settings *settings, const struct cg_http_message *message,
                       const struct cg_addr *peer, struct cg_addr *from) {
    struct hops standard, common;
    const struct cg_addr host = cg_addr_host(peer);
    *from = cg_addr_unmapped(&host);
    if (!cg_forwarded_trusts(settings, from)) return false;
    read_hops(message, "Forwarded", &standard, read_element);
    read_hops(message, "X-Forwarded-For", &common, read_plain);
    struct cg_addr by_standard = walk(settings, &standard, from), by_common = walk(settings, &common, from);
    bool agree = cg_addr_same_host(&by_standard, &by_common);
    if (standard.is_there && (agree || !common.is_there)) *from = by_standard;
    if (common.is_there && !standard.is_there) *from = by_common;
    return standard.is_there || common.is_there;
}
