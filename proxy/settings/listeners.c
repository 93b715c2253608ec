/* Where HTTP clients and admins come in. The hard thing: an address that others can reach needs TLS or the express word
 * that the network is trusted, and the same rule decides whether anybody may be anonymous. */
#include "settings/reader.h"

enum { LISTENERS_MAX = 64, HOSTS_MAX = 1000 };

static const struct cg_key http_keys[] = {
    CG_KEY_OWN("listen"),
    CG_KEY_OWN("hosts"),
    CG_KEY_OWN("tls"),
    CG_KEY_FIELD("strict", cg_read_bool, struct cg_http_settings, strict),
    CG_KEY_FIELD("coap_payload", cg_read_bool, struct cg_http_settings, coap_payload),
};
const struct cg_keys cg_http_keys = CG_KEYS(http_keys);

static const struct cg_key admin_keys[] = {
    CG_KEY_OWN("listen"),
    CG_KEY_OWN("hosts"),
    CG_KEY_OWN("tls"),
};
const struct cg_keys cg_admin_keys = CG_KEYS(admin_keys);

static const struct cg_key tls_keys[] = {
    CG_KEY_FIELD("certificate", cg_read_file, struct cg_tls_settings, certificate),
    CG_KEY_FIELD("key", cg_read_file, struct cg_tls_settings, key),
    CG_KEY_FIELD("client_ca", cg_read_file, struct cg_tls_settings, client_ca),
};
const struct cg_keys cg_tls_keys = CG_KEYS(tls_keys);

static const struct cg_key listen_keys[] = {
    CG_KEY_OWN("address"),
    CG_KEY_FIELD("insecure", cg_read_bool, struct cg_listen, insecure),
};
const struct cg_keys cg_listen_keys = CG_KEYS(listen_keys);

/* One of the two: what `http` and `admin` have in common. */
struct front {
    const char *name;
    const char *default_listen;
    const struct cg_keys *keys;
    struct cg_http_settings *settings;
};

static void read_tls(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                     struct cg_tls_settings *tls) {
    if (json == NULL || json_is_null(json)) return;
    if (!cg_read_object(reader, at, &cg_tls_keys, json, tls)) return;
    if (json_object_get(json, "certificate") == NULL || json_object_get(json, "key") == NULL) {
        cg_mistake_at(reader, at, "needs \"certificate\" and \"key\"");
    }
}

static void read_hosts(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                       struct cg_http_settings *settings) {
    if (json == NULL || !cg_read_is_array(reader, at, json, HOSTS_MAX)) return;
    settings->hosts = cg_keep_array(reader, json_array_size(json), sizeof *settings->hosts);
    if (settings->hosts == NULL) return;
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct cg_at child = {.up = at, .index = i};
        settings->hosts[settings->host_count++] = cg_read_host(reader, &child, json_array_get(json, i), true);
    }
}

static void read_address(struct cg_reader *reader, const struct cg_at *at, const char *text, struct cg_listen *listen) {
    int err = cg_addr_parse(&listen->addr, cg_slice_str(text), 0);
    if (err < 0 || listen->addr.port == 0 || cg_addr_is_multicast(&listen->addr)) {
        cg_mistake_at(reader, at,
                      "must be an address and port to listen on, such as \"127.0.0.1:8080\" or \"[::1]:8080\"");
        listen->addr = (struct cg_addr){0};
        return;
    }
    listen->text = cg_keep_text(reader, cg_slice_str(text));
    listen->loopback = cg_addr_is_loopback(&listen->addr);
}

/* A string, or an object with more to say. */
static void read_listen_item(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                             struct cg_listen *listen) {
    if (json_is_string(json)) {
        read_address(reader, at, json_string_value(json), listen);
        return;
    }
    if (!json_is_object(json)) {
        cg_mistake_at(reader, at, "must be a string such as \"127.0.0.1:8080\", or an object with \"address\"");
        return;
    }
    cg_read_object(reader, at, &cg_listen_keys, json, listen);
    struct cg_at child;
    const json_t *address = cg_read_member(at, json, "address", &child);
    if (address == NULL) {
        cg_mistake_at(reader, at, "needs \"address\"");
        return;
    }
    const char *text = cg_read_text(reader, &child, address);
    if (text != NULL) read_address(reader, &child, text, listen);
}

static void check_listen(struct cg_reader *reader, const struct cg_at *at, const struct front *front,
                         const struct cg_listen *listen, struct cg_seen **seen) {
    if (listen->addr.family == CG_FAMILY_NONE) return;
    const char *first = cg_seen_before(reader, seen, cg_slice_of(&listen->addr, sizeof listen->addr), at);
    if (first != NULL) cg_mistake_at(reader, at, "is the same address and port as %s", first);
    if (listen->loopback || listen->insecure || front->settings->tls.certificate != NULL) return;
    cg_mistake_at(
        reader, at,
        "%s can be reached by others: needs \"tls\" in \"%s\", or, on a network that is trusted, {\"address\": "
        "\"%s\", \"insecure\": true}",
        listen->text, front->name, listen->text);
}

static void read_listen(struct cg_reader *reader, const struct cg_at *at, const json_t *json, const struct front *front,
                        struct cg_seen **seen) {
    struct cg_http_settings *settings = front->settings;
    if (json != NULL && !cg_read_is_array(reader, at, json, LISTENERS_MAX)) return;
    size_t count = json == NULL ? 1 : json_array_size(json);
    settings->listen = cg_keep_array(reader, count, sizeof *settings->listen);
    if (settings->listen == NULL) return;
    settings->listen_count = count;
    for (size_t i = 0; i < count; i++) {
        struct cg_at child = {.up = at, .index = i};
        if (json == NULL) {
            read_address(reader, &child, front->default_listen, &settings->listen[i]);
        } else {
            read_listen_item(reader, &child, json_array_get(json, i), &settings->listen[i]);
        }
        check_listen(reader, &child, front, &settings->listen[i], seen);
    }
}

static void read_front(struct cg_reader *reader, const struct cg_at *document, const json_t *document_json,
                       const struct front *front, struct cg_seen **seen) {
    struct cg_at at, child;
    const json_t *json = cg_read_member(document, document_json, front->name, &at), *value;
    if (json != NULL && !cg_read_object(reader, &at, front->keys, json, front->settings)) return;
    value = cg_read_member(&at, json, "tls", &child);
    read_tls(reader, &child, value, &front->settings->tls);
    value = cg_read_member(&at, json, "hosts", &child);
    read_hosts(reader, &child, value, front->settings);
    value = cg_read_member(&at, json, "listen", &child);
    read_listen(reader, &child, value, front, seen);
}

void cg_read_fronts(struct cg_reader *reader, const struct cg_at *document, const json_t *json) {
    struct cg_config *config = reader->config;
    const struct front fronts[] = {
        {"http", "127.0.0.1:8080", &cg_http_keys, &config->http},
        {"admin", "127.0.0.1:8081", &cg_admin_keys, &config->admin},
    };
    struct cg_seen *seen = NULL;
    for (size_t i = 0; i < sizeof fronts / sizeof *fronts; i++) read_front(reader, document, json, &fronts[i], &seen);
    cg_seen_clear(&seen);
    for (size_t i = 0; i < config->http.listen_count; i++) {
        const struct cg_listen *listen = &config->http.listen[i];
        if (listen->loopback || listen->insecure) reader->takes_anonymous = true;
    }
}
