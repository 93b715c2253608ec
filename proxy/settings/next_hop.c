/* The gateways that a mapping's groups are reached by. The hard thing: a next hop is asked as a forward proxy or by a
 * path of its own, and what is protected end to end hides the path that the latter needs. */
#include "settings/draft.h"
#include "settings/rows.h"

static bool has_path(const struct cg_uri *uri) { return uri->path.len > 0 && !cg_slice_is(uri->path, "/"); }

static bool asks_by(enum cg_scheme scheme) {
    return scheme == CG_SCHEME_COAP || scheme == CG_SCHEME_COAPS || scheme == CG_SCHEME_COAP_TCP ||
           scheme == CG_SCHEME_COAPS_TCP;
}

static bool is_protected(const struct cg_next_hop *next_hop) {
    return next_hop->scheme == CG_SCHEME_COAPS || next_hop->scheme == CG_SCHEME_COAPS_TCP;
}

/* Why it cannot be asked; NULL: it can. */
static const char *fault_of(const struct cg_uri *uri, bool is_proxy) {
    if (!asks_by(uri->scheme)) return "must be a coap, coaps, coap+tcp or coaps+tcp URI";
    bool has_name = uri->addr.family == CG_FAMILY_NONE;
    if (has_name && !cg_host_is_sound(uri->host)) return "has a host that is longer than 255 bytes or no UTF-8";
    if (!has_name && (cg_addr_is_multicast(&uri->addr) || cg_addr_is_unspecified(&uri->addr)))
        return "must be one gateway's address";
    if (uri->zone.len > 0) return "must not have a zone";
    if (is_proxy && (has_path(uri) || uri->has_query)) return "beside \"group\" has neither a path nor a query";
    return NULL;
}

static const char *keep_normal(struct cg_reader *reader, const struct cg_uri *uri) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_uri_emit_normal(&text, uri);
    const char *kept = text.failed ? NULL : cg_keep_text(reader, cg_buf_slice(&text));
    cg_buf_fini(&text);
    if (kept == NULL) reader->out_of_memory = true;
    return kept;
}

/* As a certificate names it; the URI is in normal form. */
static const char *keep_host(struct cg_reader *reader, const struct cg_uri *uri) {
    char ip[CG_ADDR_TEXT_MAX];
    if (uri->addr.family == CG_FAMILY_NONE) return (const char *)cg_keep_host(reader, uri->host).data;
    cg_addr_emit_ip(&uri->addr, ip);
    return cg_keep_text(reader, cg_slice_str(ip));
}

/* Without path and query, and with the port. */
static const char *keep_origin(struct cg_reader *reader, const struct cg_uri *uri, const char *host) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_buf_printf(&text, uri->addr.family == CG_FAMILY_IPV6 ? "%s://[%s]:%u" : "%s://%s:%u",
                  cg_scheme_name(uri->scheme), host, (unsigned)uri->addr.port);
    const char *kept = text.failed ? NULL : cg_keep_text(reader, cg_buf_slice(&text));
    cg_buf_fini(&text);
    if (kept == NULL) reader->out_of_memory = true;
    return kept;
}

/* Without a group its own path stands for one there. */
static void stand_for_group(struct cg_reader *reader, struct cg_target *target) {
    struct cg_uri kept;
    target->uri = target->next_hop.uri;
    if (cg_uri_parse(&kept, cg_slice_str(target->uri), NULL) < 0) {
        reader->out_of_memory = true;
        return;
    }
    target->path = kept.path;
    target->query = kept.query;
    if (kept.addr.family == CG_FAMILY_NONE && target->next_hop.host != NULL)
        target->host = cg_slice_str(target->next_hop.host);
}

static void keep(struct cg_reader *reader, struct cg_target *target) {
    struct cg_next_hop *next_hop = &target->next_hop;
    struct cg_uri uri;
    if (next_hop->uri == NULL || cg_uri_parse(&uri, cg_slice_str(next_hop->uri), NULL) < 0) {
        reader->out_of_memory = true;
        return;
    }
    next_hop->scheme = uri.scheme;
    next_hop->addr = uri.addr;
    next_hop->host = keep_host(reader, &uri);
    if (next_hop->host != NULL) next_hop->origin = keep_origin(reader, &uri, next_hop->host);
}

void cg_read_next_hop(struct cg_reader *reader, const struct cg_at *at, const json_t *json, struct cg_target *target) {
    struct cg_uri uri;
    struct cg_opts opts;
    bool is_proxy = target->group_uri != NULL;
    const char *why = NULL, *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    if (cg_uri_parse(&uri, cg_slice_str(text), &why) == CG_OK) why = fault_of(&uri, is_proxy);
    if (why == NULL && cg_uri_decompose(&opts, &reader->scratch, uri.path, CG_SLICE_NONE, uri.query, CG_SLICE_NONE) < 0)
        why = "has a \".\" or \"..\" segment, or a part that is no UTF-8 or above 255 bytes";
    if (why != NULL) {
        cg_mistake_at(reader, at, "%s", why);
        return;
    }
    target->next_hop.uri = keep_normal(reader, &uri);
    keep(reader, target);
    if (target->next_hop.uri != NULL && !is_proxy) stand_for_group(reader, target);
}

void cg_read_hop_credentials(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                             struct cg_target *target) {
    struct cg_next_hop *next_hop = &target->next_hop;
    const char *name = cg_read_text(reader, at, json);
    if (name == NULL) return;
    const struct cg_credentials *credentials = cg_config_credentials(reader->config, name);
    next_hop->credentials = credentials;
    if (credentials != NULL) {
        next_hop->credentials_name = credentials->name;
    } else if (!cg_is_undefined_again(reader, "credentials", name, at)) {
        cg_mistake_at(reader, at, "\"%.64s\" is not in \"credentials\", which the settings file alone has", name);
    }
    if (next_hop->uri != NULL && !is_protected(next_hop))
        cg_mistake_at(reader, at, "protects nothing here: that takes a \"next_hop\" by coaps:// or coaps+tcp://");
}

static void check_one(struct cg_reader *reader, const struct cg_draft *draft, size_t i) {
    const struct cg_at targets = {.up = draft->at, .key = "targets"}, at = {.up = &targets, .index = i};
    const struct cg_mapping *mapping = &draft->mapping;
    const struct cg_target *target = &mapping->targets[i];
    if (!cg_target_is_hop(target)) return;
    bool lacks_credentials = is_protected(&target->next_hop) && target->next_hop.credentials_name == NULL;
    if (lacks_credentials && !cg_is_mistaken(reader, &at, "credentials"))
        cg_mistake_at(reader, &at, "needs \"credentials\", by which it and this gateway know each other");
    if (mapping->security != CG_SECURITY_NONE && target->group_uri == NULL)
        cg_mistake_at(reader, &at, "needs \"group\": what is protected end to end hides its path from the next hop");
    if (mapping->forward && target->group_uri == NULL)
        cg_mistake_at(reader, &at, "needs \"group\", as the mapping says \"forward\": true");
    if (mapping->stand_in == CG_STAND_IN_MEMBERS)
        cg_mistake_at(reader, &at, "cannot be with \"stand_in\": \"members\": they are known to the next hop alone");
}

void cg_check_next_hops(struct cg_reader *reader, const struct cg_draft *draft) {
    for (size_t i = 0; i < draft->mapping.target_count; i++) check_one(reader, draft, i);
}
