/* Where members' own requests come in, and of which security groups. The hard thing: a port that clients' listeners
 * have too is one of the two's, and which is nobody's to guess. */
#include "settings/rows.h"

/* Listeners */

static void print_listen(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_coap_listen *listen = target;
    cg_out_text(out, row->key, listen->listen.text);
}

const struct cg_kind cg_kind_alert_listen = {.print = print_listen,
                                             .json = "'type': 'string', 'pattern': '^[Cc][Oo][Aa][Pp]://'"};

/* One of them on all addresses is on the other's, too. */
static bool clashes(const struct cg_addr *a, const struct cg_addr *b) {
    if (a->family != b->family || a->port != b->port || a->port == 0) return false;
    return cg_addr_is_unspecified(a) || cg_addr_is_unspecified(b) || cg_addr_equal(a, b);
}

static void check_is_free(struct cg_reader *reader, const struct cg_at *at, const struct cg_coap_listen *listen,
                          size_t index) {
    const struct cg_config *config = reader->config;
    for (size_t i = 0; i < config->coap.listen_count; i++) {
        const struct cg_coap_listen *other = &config->coap.listen[i];
        if (!cg_coap_is_by_datagrams(other) || !clashes(&listen->listen.addr, &other->listen.addr)) continue;
        cg_mistake_at(reader, at, "%s is clients' already: %s of coap.listen%s", listen->listen.text,
                      other->listen.text, other->is_default ? ", which is its default" : "");
        return;
    }
    for (size_t i = 0; i < index; i++) {
        if (!clashes(&listen->listen.addr, &config->alerts.listen[i].listen.addr)) continue;
        cg_mistake_at(reader, at, "is the same address and port as /alerts/listen/%zu", i);
        return;
    }
}

static void read_listen_item(struct cg_reader *reader, const struct cg_at *at, const json_t *json, size_t index) {
    struct cg_coap_listen *listen = &reader->config->alerts.listen[index];
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    cg_read_coap_listen(reader, at, text, listen);
    if (listen->listen.addr.family == CG_FAMILY_NONE) return;
    if (listen->scheme != CG_SCHEME_COAP) {
        cg_mistake_at(reader, at, "must be coap, by UDP: requests are protected by Group OSCORE");
        listen->listen.addr = (struct cg_addr){0};
        return;
    }
    check_is_free(reader, at, listen, index);
}

static void read_listen(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    struct cg_alert_settings *alerts = &reader->config->alerts;
    if (!cg_read_is_array(reader, at, json, cg_row_of(&cg_alert_rows, "listen")->max)) return;
    alerts->listen = cg_keep_array(reader, json_array_size(json), sizeof *alerts->listen);
    if (alerts->listen == NULL) return;
    alerts->listen_count = json_array_size(json);
    for (size_t i = 0; i < alerts->listen_count; i++) {
        struct cg_at child = {.up = at, .index = i};
        read_listen_item(reader, &child, json_array_get(json, i), i);
    }
}

/* Groups */

static void print_group(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_alert_group *group = target;
    cg_out_text(out, row->key, group->keys->name);
}

const struct cg_kind cg_kind_alert_group = {.print = print_group, .json = "'type': 'string'"};

static const struct cg_security_keys *read_group(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                                                 struct cg_seen **seen) {
    struct cg_security_keys *keys;
    const char *name = cg_read_text(reader, at, json);
    if (name == NULL) return NULL;
    if (cg_seen_before(reader, seen, cg_slice_str(name), at) != NULL) cg_mistake_at(reader, at, "is named twice");
    HASH_FIND_STR(reader->config->security_groups_by_name, name, keys);
    if (keys == NULL && !cg_is_undefined_again(reader, "security_groups", name, at))
        cg_mistake_at(reader, at, "the security group \"%.64s\" is not in \"security_groups\"", name);
    return keys;
}

void cg_read_alert_groups(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    struct cg_alert_settings *alerts = &reader->config->alerts;
    struct cg_seen *seen = NULL;
    if (!cg_read_is_array(reader, at, json, cg_row_of(&cg_alert_rows, "groups")->max)) return;
    alerts->groups = cg_keep_array(reader, json_array_size(json), sizeof *alerts->groups);
    if (alerts->groups == NULL) return;
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct cg_at child = {.up = at, .index = i};
        const struct cg_security_keys *keys = read_group(reader, &child, json_array_get(json, i), &seen);
        if (keys != NULL) alerts->groups[alerts->group_count++].keys = keys;
    }
    cg_seen_clear(&seen);
}

void cg_read_alerts(struct cg_reader *reader, const struct cg_at *document, const json_t *document_json) {
    struct cg_at at, child;
    const json_t *json = cg_read_member(document, document_json, "alerts", &at);
    if (json == NULL || !cg_read_object(reader, &at, &cg_alert_rows, json, reader->config)) return;
    const json_t *listen = cg_read_member(&at, json, "listen", &child);
    if (listen != NULL) read_listen(reader, &child, listen);
    const json_t *groups = cg_read_member(&at, json, "groups", &child);
    if (groups != NULL) cg_read_alert_groups(reader, &child, groups);
}
