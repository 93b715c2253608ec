/* Links as places. The hard thing is to be told nothing by a link but where it leads: not whom we ask from the inside,
 * not ourselves, nobody far away. */
#include "jobs/place.h"

#include "base/text.h"
#include "legs/engine.h"
#include "legs/reach.h"
#include "model/listeners.h"

/* Whole URIs */

static bool is_whole(struct cg_slice text) { return cg_uri_scheme_part(text).len > 0; }

static void put_origin(struct cg_buf *to, const struct cg_addr *at) {
    struct cg_addr anywhere = *at;
    char text[CG_ADDR_TEXT_MAX];
    anywhere.scope = 0; /* the link of whoever told it */
    cg_addr_emit(&anywhere, text);
    cg_buf_printf(to, "coap://%s", text);
}

/* What is before its path; all of it where that cannot be told. */
static struct cg_slice origin_of(struct cg_slice uri) {
    size_t at = cg_uri_scheme_part(uri).len + 1;
    if (at + 1 < uri.len && uri.data[at] == '/' && uri.data[at + 1] == '/') at += 2;
    while (at < uri.len && uri.data[at] != '/' && uri.data[at] != '?' && uri.data[at] != '#') at++;
    return cg_slice_of(uri.data, at < uri.len ? at : uri.len);
}

static struct cg_slice anchor_of(const struct cg_link *link) {
    struct cg_slice attributes = link->attributes;
    struct cg_link_attribute attribute;
    while (cg_link_next_attribute(&attributes, &attribute)) {
        if (cg_slice_is(attribute.name, "anchor") && is_whole(attribute.value)) return origin_of(attribute.value);
    }
    return CG_SLICE_NONE;
}

void cg_place_put(struct cg_buf *to, const struct cg_link *link, const struct cg_addr *at) {
    struct cg_slice target = link->target, anchor = anchor_of(link);
    if (is_whole(target)) {
        cg_buf_put_slice(to, target);
        return;
    }
    if (anchor.len > 0) {
        cg_buf_put_slice(to, anchor);
    } else {
        put_origin(to, at);
    }
    if (target.len == 0 || target.data[0] != '/') cg_buf_put_u8(to, '/');
    cg_buf_put_slice(to, target);
}

/* Who may be asked */

static bool is_on_link(const struct cg_place_view *view, const struct cg_addr *addr) {
    const struct cg_port *port = cg_gateway_port(view->gateway);
    const char *interface = view->excerpt->mappings[0].targets[0].interface;
    return port->on_link != NULL && port->on_link(port->ctx, interface, addr);
}

static bool is_ours(const struct cg_place_view *view, const struct cg_addr *addr) {
    bool is_own = cg_port_is_own(cg_gateway_port(view->gateway), addr);
    return cg_listeners_have(cg_gateway_config(view->gateway), addr, is_own);
}

/* A zone that is written is a number, and the one that the link came by. */
static bool take_zone(const struct cg_place_view *view, struct cg_uri *uri) {
    uint64_t zone = view->told_by->scope;
    if (uri->zone.len > 0 && cg_decimal_parse(uri->zone, UINT32_MAX, &zone) < 0) return false;
    if (cg_addr_is_link_local(&uri->addr)) uri->addr.scope = (uint32_t)zone;
    return zone == view->told_by->scope;
}

static bool is_one_host(const struct cg_uri *uri) {
    const struct cg_addr *addr = &uri->addr;
    return addr->family != CG_FAMILY_NONE && !cg_addr_is_multicast(addr) && !cg_addr_is_unspecified(addr);
}

bool cg_place_may_be_asked(const struct cg_place_view *view, struct cg_slice text, struct cg_uri *uri) {
    if (cg_uri_parse(uri, text, NULL) < 0 || uri->scheme != CG_SCHEME_COAP) return false;
    uri->addr = cg_addr_unmapped(&uri->addr);
    if (!is_one_host(uri) || uri->addr.port == CG_COAPS_PORT || !take_zone(view, uri)) return false;
    if (is_ours(view, &uri->addr)) return false;
    if (cg_addr_is_loopback(&uri->addr)) return is_on_link(view, &uri->addr);
    return cg_reach_near(cg_gateway_engine(view->gateway), &view->excerpt->group,
                         &view->excerpt->mappings[0].targets[0], &uri->addr);
}

bool cg_place_is_group(struct cg_slice text) {
    struct cg_uri uri;
    return cg_uri_parse(&uri, text, NULL) == CG_OK && cg_uri_check_group(&uri, NULL) == CG_OK &&
           uri.addr.family != CG_FAMILY_NONE;
}
