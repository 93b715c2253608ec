/* Where HTTP clients and admins come in. The hard thing: an address that others can reach needs TLS or the express word
 * that the network is trusted, and the same rule decides whether anybody may be anonymous. */
#include "settings/rows.h"

/* One of the two: what `http` and `admin` have in common. */
struct front {
    const char *name;
    const struct cg_rows *rows;
    struct cg_http_settings *settings;
};

static void read_tls(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                     void *target) {
    if (json_is_null(json)) return;
    cg_kind_object.read(reader, at, row, json, target);
    if (!json_is_object(json)) return;
    if (json_object_get(json, "certificate") == NULL || json_object_get(json, "key") == NULL) {
        cg_mistake_at(reader, at, "needs \"certificate\" and \"key\"");
    }
}

static void print_tls(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_tls_settings *tls = (const void *)((const char *)target + row->offset);
    if (tls->certificate == NULL) {
        cg_out_text(out, row->key, NULL);
    } else {
        cg_print_object(out, row, target);
    }
}

const struct cg_kind cg_kind_tls = {
    .shape = CG_SHAPE_OBJECT, .read = read_tls, .print = print_tls, .json = "'type': ['object', 'null']"};

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
    cg_read_object(reader, at, &cg_http_listen_rows, json, listen);
    struct cg_at child;
    const json_t *address = cg_read_member(at, json, "address", &child);
    if (address == NULL) {
        cg_mistake_missing(reader, at, "address", "needs \"address\"");
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
                        size_t max, struct cg_seen **seen) {
    struct cg_http_settings *settings = front->settings;
    if (!cg_read_is_array(reader, at, json, max)) return;
    settings->listen = cg_keep_array(reader, json_array_size(json), sizeof *settings->listen);
    if (settings->listen == NULL) return;
    settings->listen_count = json_array_size(json);
    for (size_t i = 0; i < settings->listen_count; i++) {
        struct cg_at child = {.up = at, .index = i};
        read_listen_item(reader, &child, json_array_get(json, i), &settings->listen[i]);
        check_listen(reader, &child, front, &settings->listen[i], seen);
    }
}

static void read_front(struct cg_reader *reader, const struct cg_at *document, const json_t *document_json,
                       const struct front *front, struct cg_seen **seen) {
    struct cg_at at, child;
    const json_t *json = cg_read_member(document, document_json, front->name, &at);
    if (json != NULL && !cg_read_object(reader, &at, front->rows, json, front->settings)) return;
    const struct cg_row *row = cg_row_of(front->rows, "listen");
    const json_t *listen = cg_read_member(&at, json, row->key, &child);
    json_t *fallback = listen == NULL ? cg_read_fallback(reader, row) : NULL;
    if (listen == NULL) listen = fallback;
    if (listen != NULL) read_listen(reader, &child, listen, front, row->max, seen);
    json_decref(fallback);
}

void cg_read_fronts(struct cg_reader *reader, const struct cg_at *document, const json_t *json) {
    struct cg_config *config = reader->config;
    const struct front fronts[] = {
        {"http", &cg_http_rows, &config->http},
        {"admin", &cg_admin_rows, &config->admin},
    };
    struct cg_seen *seen = NULL;
    for (size_t i = 0; i < sizeof fronts / sizeof *fronts; i++) read_front(reader, document, json, &fronts[i], &seen);
    cg_seen_clear(&seen);
    for (size_t i = 0; i < config->http.listen_count; i++) {
        const struct cg_listen *listen = &config->http.listen[i];
        if (listen->loopback || listen->insecure) reader->takes_anonymous = true;
    }
}
