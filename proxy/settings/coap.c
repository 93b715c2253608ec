/* Where CoAP clients come in, and the numbers of options that drafts asked for. The hard thing: those numbers may still
 * change, yet a number fixes how proxies treat an option, so only numbers of the same kind will do. */
#include "settings/rows.h"

#include <stdio.h>

/* Options */

enum forwarding { SAFE, UNSAFE };

/* Critical or not, and safe to forward or not (RFC 7252 §5.4.6); an elective safe one belongs to the cache key. */
struct wanted {
    const char *name;
    uint16_t number;
    bool is_critical;
    enum forwarding forwarding;
};

/* By CoAP's own options; a request's would be taken for what it is not. */
static bool is_taken(uint16_t number) {
    static const uint16_t taken[] = {
        CG_OPT_IF_MATCH,       CG_OPT_URI_HOST,      CG_OPT_ETAG,      CG_OPT_IF_NONE_MATCH, CG_OPT_OBSERVE,
        CG_OPT_URI_PORT,       CG_OPT_LOCATION_PATH, CG_OPT_OSCORE,    CG_OPT_URI_PATH,      CG_OPT_CONTENT_FORMAT,
        CG_OPT_MAX_AGE,        CG_OPT_URI_QUERY,     CG_OPT_HOP_LIMIT, CG_OPT_ACCEPT,        CG_OPT_Q_BLOCK1,
        CG_OPT_LOCATION_QUERY, CG_OPT_BLOCK2,        CG_OPT_BLOCK1,    CG_OPT_SIZE2,         CG_OPT_Q_BLOCK2,
        CG_OPT_PROXY_URI,      CG_OPT_PROXY_SCHEME,  CG_OPT_SIZE1,     CG_OPT_ECHO,          CG_OPT_NO_RESPONSE,
        CG_OPT_REQUEST_TAG,
    };
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (taken[i] == number) return true;
    }
    return false;
}

static void check_option_kind(struct cg_reader *reader, const struct cg_at *at, const struct wanted *wanted) {
    struct cg_at child = {.up = at, .key = wanted->name};
    bool is_unsafe = wanted->forwarding == UNSAFE;
    if (cg_opt_is_critical(wanted->number) != wanted->is_critical || cg_opt_is_unsafe(wanted->number) != is_unsafe) {
        cg_mistake_at(reader, &child, "must be the number of %s option that is %s to forward (%u modulo 4)",
                      wanted->is_critical ? "a critical" : "an elective", is_unsafe ? "unsafe" : "safe",
                      2u * is_unsafe + wanted->is_critical);
    } else if (!is_unsafe && cg_opt_is_no_cache_key(wanted->number)) {
        cg_mistake_at(reader, &child,
                      "must be the number of an option that belongs to the cache key (not 28 modulo 32)");
    } else if (is_taken(wanted->number)) {
        cg_mistake_at(reader, &child, "%u is the number of another option of CoAP", wanted->number);
    }
}

static void read_options(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                         void *target) {
    cg_kind_object.read(reader, at, row, json, target);
    if (!json_is_object(json)) return;
    const struct cg_option_numbers *numbers = &reader->config->options;
    const struct wanted all[] = {
        {"multicast_timeout", numbers->multicast_timeout, false, UNSAFE},
        {"reply_from", numbers->reply_from, false, SAFE},
        {"group_etag", numbers->group_etag, false, SAFE},
        {"uri_path_abbrev", numbers->uri_path_abbrev, true, SAFE},
        {"proxy_cri", numbers->proxy_cri, true, UNSAFE},
        {"proxy_scheme_number", numbers->proxy_scheme_number, true, UNSAFE},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) check_option_kind(reader, at, &all[i]);
    if (numbers->reply_from == numbers->group_etag)
        cg_mistake_at(reader, at, "reply_from and group_etag must be different numbers");
    if (numbers->proxy_cri == numbers->proxy_scheme_number)
        cg_mistake_at(reader, at, "proxy_cri and proxy_scheme_number must be different numbers");
}

const struct cg_kind cg_kind_options = {
    .shape = CG_SHAPE_OBJECT, .read = read_options, .print = cg_print_object, .json = "'type': 'object'"};

/* Listeners */

/* What is wrong with it as a place to listen, or NULL. */
static const char *place_fault(const struct cg_uri *uri) {
    bool is_web = uri->scheme == CG_SCHEME_COAP_WS || uri->scheme == CG_SCHEME_COAPS_WS;
    bool has_path = uri->path.len > 1 || uri->has_query;
    if (is_web) return "CoAP over WebSockets is not listened to";
    if (has_path) return "a listener has no path";
    if (uri->addr.family == CG_FAMILY_NONE) return "it needs an address of this host, not a name";
    return cg_addr_is_multicast(&uri->addr)
               ? "the address is a group's, not one of this host's (All CoAP Nodes: coap.all_nodes)"
               : NULL;
}

/* A zone that is a number; names belong to the shell, as with other addresses. */
static const char *take_zone(const struct cg_uri *uri, struct cg_addr *addr) {
    char text[CG_ADDR_TEXT_MAX];
    *addr = uri->addr;
    if (uri->zone.len == 0) return NULL;
    snprintf(text, sizeof text, "[%.*s%%%.*s]", (int)uri->host.len, (const char *)uri->host.data, (int)uri->zone.len,
             (const char *)uri->zone.data);
    return cg_addr_parse(addr, cg_slice_str(text), uri->addr.port) < 0 ? "its zone must be an interface's index" : NULL;
}

static void keep_uri(struct cg_reader *reader, struct cg_coap_listen *listen) {
    char addr[CG_ADDR_TEXT_MAX], text[CG_ADDR_TEXT_MAX + 16];
    cg_addr_emit(&listen->listen.addr, addr);
    int len = snprintf(text, sizeof text, "%s://%s", cg_scheme_name(listen->scheme), addr);
    listen->listen.text = cg_keep_text(reader, cg_slice_of(text, (size_t)len));
    listen->listen.loopback = cg_addr_is_loopback(&listen->listen.addr);
}

void cg_read_coap_listen(struct cg_reader *reader, const struct cg_at *at, const char *text,
                         struct cg_coap_listen *listen) {
    struct cg_uri uri;
    const char *why = NULL;
    if (cg_uri_parse(&uri, cg_slice_str(text), &why) == CG_OK) {
        why = place_fault(&uri);
        if (why == NULL) why = take_zone(&uri, &listen->listen.addr);
    }
    if (why != NULL) {
        cg_mistake_at(reader, at, "must be a URI to listen at, such as \"coap://127.0.0.1:5683\": %s", why);
        listen->listen.addr = (struct cg_addr){0};
        return;
    }
    listen->scheme = uri.scheme;
    keep_uri(reader, listen);
}

/* A string, or an object with more to say. */
static void read_listen_item(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                             struct cg_coap_listen *listen) {
    struct cg_at child = *at;
    const json_t *address = json;
    if (json_is_object(json)) {
        cg_read_object(reader, at, &cg_coap_listen_rows, json, listen);
        address = cg_read_member(at, json, "address", &child);
        if (address == NULL) cg_mistake_missing(reader, at, "address", "needs \"address\"");
    } else if (!json_is_string(json)) {
        cg_mistake_at(reader, at, "must be a string such as \"coap://127.0.0.1:5683\", or an object with \"address\"");
        return;
    }
    const char *text = address == NULL ? NULL : cg_read_text(reader, &child, address);
    if (text != NULL) cg_read_coap_listen(reader, &child, text, listen);
}

/* UDP and DTLS share the ports, as TCP and TLS do. */
static void check_is_free(struct cg_reader *reader, const struct cg_at *at, const struct cg_coap_listen *listen,
                          struct cg_seen *seen[2]) {
    bool is_stream = !cg_coap_is_by_datagrams(listen);
    const struct cg_addr *addr = &listen->listen.addr;
    const char *first = cg_seen_before(reader, &seen[is_stream], cg_slice_of(addr, sizeof *addr), at);
    if (first != NULL) cg_mistake_at(reader, at, "is the same address and port as %s", first);
}

static void check_listen(struct cg_reader *reader, const struct cg_at *at, const struct cg_coap_listen *coap,
                         struct cg_seen *seen[2]) {
    if (coap->listen.addr.family != CG_FAMILY_NONE) check_is_free(reader, at, coap, seen);
}

/* The one that nobody wrote is not what somebody means who writes "anonymous" and HTTP listeners that take none. */
static bool takes_anonymous(const struct cg_config *config, const struct cg_coap_listen *listen) {
    bool is_meant = !listen->is_default || config->http.listen_count == 0;
    return is_meant && (listen->listen.loopback || listen->listen.insecure);
}

enum author { WRITTEN, DEFAULT };

static void read_listen(struct cg_reader *reader, const struct cg_at *at, const json_t *json, enum author author) {
    struct cg_coap_settings *settings = &reader->config->coap;
    struct cg_seen *seen[2] = {NULL, NULL};
    if (!cg_read_is_array(reader, at, json, cg_row_of(&cg_coap_rows, "listen")->max)) return;
    settings->listen = cg_keep_array(reader, json_array_size(json), sizeof *settings->listen);
    if (settings->listen == NULL) return;
    settings->listen_count = json_array_size(json);
    for (size_t i = 0; i < settings->listen_count; i++) {
        struct cg_at child = {.up = at, .index = i};
        struct cg_coap_listen *listen = &settings->listen[i];
        listen->is_default = author == DEFAULT;
        read_listen_item(reader, &child, json_array_get(json, i), listen);
        check_listen(reader, &child, listen, seen);
        if (takes_anonymous(reader->config, listen)) reader->takes_anonymous = true;
    }
    cg_seen_clear(&seen[0]);
    cg_seen_clear(&seen[1]);
}

void cg_read_coap(struct cg_reader *reader, const struct cg_at *document, const json_t *document_json) {
    struct cg_at at, child;
    const json_t *json = cg_read_member(document, document_json, "coap", &at);
    if (json != NULL && !cg_read_object(reader, &at, &cg_coap_rows, json, reader->config)) return;
    const json_t *listen = cg_read_member(&at, json, "listen", &child);
    json_t *fallback = listen == NULL ? cg_read_fallback(reader, cg_row_of(&cg_coap_rows, "listen")) : NULL;
    if (listen != NULL) read_listen(reader, &child, listen, WRITTEN);
    if (fallback != NULL) read_listen(reader, &child, fallback, DEFAULT);
    json_decref(fallback);
}

static bool has_psk(const struct cg_config *config) {
    for (size_t i = 0; i < config->client_count; i++) {
        if (config->clients[i].psk.identity != NULL) return true;
    }
    return false;
}

static bool has_oscore(const struct cg_config *config) {
    for (size_t i = 0; i < config->client_count; i++) {
        if (config->clients[i].oscore.file != NULL) return true;
    }
    return false;
}

/* Strangers get nothing by a listener that is not "insecure"; but without anybody who could show who it is, somebody
 * has forgotten something. */
static void check_reach(struct cg_reader *reader, const struct cg_at *at, const struct cg_listen *listen) {
    if (listen->loopback || listen->insecure || has_oscore(reader->config)) return;
    cg_mistake_at(reader, at,
                  "%s can be reached by others: listen by coaps or coaps+tcp, have a client with \"oscore\", or, on a "
                  "network that is trusted, say {\"address\": \"%s\", \"insecure\": true}",
                  listen->text, listen->text);
}

static void check_proofs(struct cg_reader *reader, const struct cg_at *at, const struct cg_listen *listen) {
    const struct cg_config *config = reader->config;
    if (config->coap.tls.certificate != NULL || has_psk(config)) return;
    cg_mistake_at(reader, at, "%s needs a certificate and key, in \"tls\" of \"coap\", or a client with \"psk\"",
                  listen->text);
}

void cg_check_coap_clients(struct cg_reader *reader, const struct cg_at *document) {
    const struct cg_config *config = reader->config;
    struct cg_at coap = {.up = document, .key = "coap"}, list = {.up = &coap, .key = "listen"};
    bool has_mistaken_clients = cg_is_mistaken(reader, document, "clients");
    bool is_explained = cg_is_mistaken(reader, &coap, "tls") || has_mistaken_clients;
    for (size_t i = 0; i < config->coap.listen_count; i++) {
        struct cg_at at = {.up = &list, .index = i};
        const struct cg_coap_listen *listen = &config->coap.listen[i];
        if (listen->listen.addr.family == CG_FAMILY_NONE) continue;
        if (!cg_coap_is_secured(listen) && !has_mistaken_clients) check_reach(reader, &at, &listen->listen);
        if (cg_coap_is_secured(listen) && !is_explained) check_proofs(reader, &at, &listen->listen);
    }
}
