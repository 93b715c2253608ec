/* The whole document: which sections there are, and the small ones. The hard thing: `options` are numbers that drafts
 * asked for and may still change, yet a number fixes how proxies treat an option, so only numbers of the same kind will
 * do. */
#include "settings/reader.h"

static void read_address(struct cg_reader *reader, const struct cg_at *at, const struct cg_key *key, const json_t *json,
                         void *target) {
    if (json_is_null(json)) return;
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    struct cg_addr *addr = (void *)((char *)target + key->offset);
    int err = cg_addr_parse_ip(addr, cg_slice_str(text));
    if (err < 0 || cg_addr_is_multicast(addr)) {
        cg_mistake_at(reader, at, "must be an address of this host, without port, or null");
        *addr = (struct cg_addr){0};
    }
}

enum { PREFIXES_MAX = 256 };

static void read_prefixes(struct cg_reader *reader, const struct cg_at *at, const struct cg_key *key,
                          const json_t *json, void *target) {
    (void)key, (void)target;
    struct cg_group_settings *group = &reader->config->group;
    if (!cg_read_is_array(reader, at, json, PREFIXES_MAX)) return;
    group->prefixes = cg_keep_array(reader, json_array_size(json), sizeof *group->prefixes);
    for (size_t i = 0; group->prefixes != NULL && i < json_array_size(json); i++) {
        struct cg_at item = {.up = at, .index = i};
        const char *text = cg_read_text(reader, &item, json_array_get(json, i));
        if (text == NULL) continue;
        struct cg_prefix *prefix = &group->prefixes[group->prefix_count];
        if (cg_prefix_parse(prefix, cg_slice_str(text)) < 0 || cg_addr_is_multicast(&prefix->addr)) {
            cg_mistake_at(reader, &item,
                          "must be a range of members' addresses such as \"2001:db8:7::/48\", with no bit "
                          "set beyond its length");
        } else {
            group->prefix_count++;
        }
    }
}

static const struct cg_key group_keys[] = {
    CG_KEY_FIELD("interface", cg_read_interface, struct cg_config, group.interface),
    CG_KEY_FIELD("address", read_address, struct cg_config, group.address),
    CG_KEY_INTEGER("port", struct cg_config, group.port, 0, UINT16_MAX),
    CG_KEY_INTEGER("hops", struct cg_config, group.hops, 1, UINT8_MAX),
    CG_KEY_INTEGER("receive_buffer", struct cg_config, group.receive_buffer, 4096, 1u << 30),
    CG_KEY_INTEGER("nstart", struct cg_config, group.nstart, 1, 65535),
    CG_KEY_INTEGER("probing_rate", struct cg_config, group.probing_rate, 1, 1000000000),
    CG_KEY_INTEGER("probing_burst", struct cg_config, group.probing_burst, 1, 1000000000),
    CG_KEY_INTEGER("frame_size", struct cg_config, group.frame_size, 0, 65535),
    {.name = "prefixes", .read = read_prefixes},
};
static const struct cg_keys all_group_keys = CG_KEYS(group_keys);

static const struct cg_key limit_keys[] = {
    CG_KEY_INTEGER("exchanges", struct cg_config, limits.exchanges, 1, 1000000),
    CG_KEY_INTEGER("exchanges_per_client", struct cg_config, limits.exchanges_per_client, 1, 1000000),
    CG_KEY_INTEGER("exchange_memory", struct cg_config, limits.exchange_memory, 65536, 1u << 30),
    CG_KEY_INTEGER("total_memory", struct cg_config, limits.total_memory, 65536, (uint64_t)1 << 40),
    CG_KEY_INTEGER("request_body", struct cg_config, limits.request_body, 0, 1u << 30),
    CG_KEY_INTEGER("answer", struct cg_config, limits.answer, 1024, 1u << 30),
    CG_KEY_INTEGER("stream_queue", struct cg_config, limits.stream_queue, 4096, 1u << 30),
};
static const struct cg_keys all_limit_keys = CG_KEYS(limit_keys);

enum { PLUGINS_MAX = 64, PLUGIN_FILE_MAX = 255 };

/* A name in the plugins' folder: nothing that leads out of it, nothing hidden. */
static bool is_plugin_file(const char *name) {
    size_t len = strlen(name), good = 0;
    if (len < sizeof "x.so" - 1 || len > PLUGIN_FILE_MAX || name[0] == '.' || strcmp(name + len - 3, ".so") != 0)
        return false;
    while (name[good] > ' ' && name[good] < 0x7f && name[good] != '/') good++;
    return good == len;
}

static void read_load(struct cg_reader *reader, const struct cg_at *at, const struct cg_key *key, const json_t *json,
                      void *target) {
    (void)key, (void)target;
    struct cg_config *config = reader->config;
    struct cg_seen *seen = NULL;
    if (!cg_read_is_array(reader, at, json, PLUGINS_MAX)) return;
    config->plugins = cg_keep_array(reader, json_array_size(json), sizeof *config->plugins);
    for (size_t i = 0; config->plugins != NULL && i < json_array_size(json); i++) {
        struct cg_at item = {.up = at, .index = i};
        const char *name = cg_read_text(reader, &item, json_array_get(json, i));
        if (name == NULL) continue;
        if (!is_plugin_file(name)) {
            cg_mistake_at(reader, &item, "must be the name of a file in plugins.folder, such as \"example.so\"");
        } else if (cg_seen_before(reader, &seen, cg_slice_str(name), &item) != NULL) {
            cg_mistake_at(reader, &item, "is named twice");
        } else {
            config->plugins[config->plugin_count++] = cg_keep_text(reader, cg_slice_str(name));
        }
    }
    cg_seen_clear(&seen);
}

static const struct cg_key plugin_keys[] = {
    CG_KEY_FIELD("folder", cg_read_file, struct cg_config, plugin_folder),
    {.name = "load", .read = read_load},
};
static const struct cg_keys all_plugin_keys = CG_KEYS(plugin_keys);

static const struct cg_key option_keys[] = {
    CG_KEY_INTEGER("multicast_timeout", struct cg_config, options.multicast_timeout, 1, UINT16_MAX),
    CG_KEY_INTEGER("reply_from", struct cg_config, options.reply_from, 1, UINT16_MAX),
    CG_KEY_INTEGER("group_etag", struct cg_config, options.group_etag, 1, UINT16_MAX),
};
static const struct cg_keys all_option_keys = CG_KEYS(option_keys);

/* Elective, and safe to forward or not (RFC 7252 §5.4.6); a safe one belongs to the cache key. */
static void check_option_kind(struct cg_reader *reader, const struct cg_at *at, const char *name, uint16_t number,
                              bool is_unsafe) {
    struct cg_at child = {.up = at, .key = name};
    if (cg_opt_is_critical(number) || cg_opt_is_unsafe(number) != is_unsafe) {
        cg_mistake_at(reader, &child, "must be the number of an elective option that is %s to forward (%u modulo 4)",
                      is_unsafe ? "unsafe" : "safe", is_unsafe ? 2u : 0u);
    } else if (!is_unsafe && cg_opt_is_no_cache_key(number)) {
        cg_mistake_at(reader, &child,
                      "must be the number of an option that belongs to the cache key (not 28 modulo 32)");
    }
}

static void read_options(struct cg_reader *reader, const struct cg_at *at, const struct cg_key *key, const json_t *json,
                         void *target) {
    (void)key;
    const struct cg_option_numbers *options = &reader->config->options;
    if (!cg_read_object(reader, at, &all_option_keys, json, target)) return;
    check_option_kind(reader, at, "multicast_timeout", options->multicast_timeout, true);
    check_option_kind(reader, at, "reply_from", options->reply_from, false);
    check_option_kind(reader, at, "group_etag", options->group_etag, false);
    if (options->reply_from == options->group_etag) {
        cg_mistake_at(reader, at, "reply_from and group_etag must be different numbers");
    }
}

/* Taken up so that one file serves this version and the next; a warning says that nothing listens there. */
static void read_coap_listen(struct cg_reader *reader, const struct cg_at *at, const struct cg_key *key,
                             const json_t *json, void *target) {
    (void)key, (void)target;
    enum { LISTEN_MAX = 64 };
    struct cg_config *config = reader->config;
    if (!cg_read_is_array(reader, at, json, LISTEN_MAX)) return;
    config->coap_listen = cg_keep_array(reader, json_array_size(json), sizeof *config->coap_listen);
    if (config->coap_listen == NULL) return;
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct cg_at child = {.up = at, .index = i};
        const char *text = cg_read_text(reader, &child, json_array_get(json, i));
        struct cg_uri uri;
        const char *why;
        if (text == NULL) continue;
        if (cg_uri_parse(&uri, cg_slice_str(text), &why) < 0) {
            cg_mistake_at(reader, &child, "must be a URI such as \"coap://127.0.0.1:5683\": %s", why);
            continue;
        }
        config->coap_listen[config->coap_listen_count++] = cg_keep_text(reader, cg_slice_str(text));
    }
}

static const struct cg_key coap_keys[] = {
    {.name = "listen", .read = read_coap_listen},
    {.name = "options", .read = read_options},
};
static const struct cg_keys all_coap_keys = CG_KEYS(coap_keys);

/* A section of its own that only fills fields. */
#define SECTION(function, keys)                                                                                        \
    static void function(struct cg_reader *reader, const struct cg_at *at, const struct cg_key *key,                   \
                         const json_t *json, void *target) {                                                           \
        (void)key;                                                                                                     \
        cg_read_object(reader, at, &(keys), json, target);                                                             \
    }
SECTION(read_coap, all_coap_keys)
SECTION(read_group, all_group_keys)
SECTION(read_limits, all_limit_keys)
SECTION(read_plugins, all_plugin_keys)

static const struct cg_key document_keys[] = {
    CG_KEY_OWN("http"),
    CG_KEY_OWN("admin"),
    {.name = "coap", .read = read_coap},
    CG_KEY_FIELD("state", cg_read_file, struct cg_config, state),
    CG_KEY_INTEGER("sequence_rate", struct cg_config, sequence_rate, 1, 1000000),
    CG_KEY_FIELD("require_clock", cg_read_bool, struct cg_config, require_clock),
    {.name = "group", .read = read_group},
    {.name = "limits", .read = read_limits},
    {.name = "plugins", .read = read_plugins},
    CG_KEY_OWN("security_groups"),
    CG_KEY_FIELD("key_files_may_be_shared", cg_read_bool, struct cg_config, key_files_may_be_shared),
    CG_KEY_OWN("clients"),
    CG_KEY_OWN("mappings"),
};
static const struct cg_keys all_document_keys = CG_KEYS(document_keys);

void cg_read_document(struct cg_reader *reader, const json_t *json) {
    struct cg_at document = {0}, at;
    if (!cg_read_object(reader, &document, &all_document_keys, json, reader->config)) return;
    cg_read_fronts(reader, &document, json);
    const json_t *groups = cg_read_member(&document, json, "security_groups", &at);
    if (groups != NULL) cg_read_security_groups(reader, &at, groups);
    const json_t *clients = cg_read_member(&document, json, "clients", &at);
    if (clients != NULL) cg_read_clients(reader, &at, clients);
    const json_t *mappings = cg_read_member(&document, json, "mappings", &at);
    if (mappings != NULL) cg_read_mappings(reader, &at, mappings);
}

static const struct {
    const char *pattern;
    const struct cg_keys *keys;
} objects[] = {
    {"", &all_document_keys},
    {"/http", &cg_http_keys},
    {"/http/listen/*", &cg_listen_keys},
    {"/http/tls", &cg_tls_keys},
    {"/admin", &cg_admin_keys},
    {"/admin/listen/*", &cg_listen_keys},
    {"/admin/tls", &cg_tls_keys},
    {"/coap", &all_coap_keys},
    {"/coap/options", &all_option_keys},
    {"/group", &all_group_keys},
    {"/limits", &all_limit_keys},
    {"/plugins", &all_plugin_keys},
    {"/security_groups/*", &cg_security_keys_keys},
    {"/clients/*", &cg_client_keys},
    {"/mappings/*", &cg_mapping_keys},
    {"/mappings/*/targets/*", &cg_target_keys},
    {"/mappings/*/members/*", &cg_member_keys},
    {"/mappings/*/clients/*", &cg_grant_keys},
    {"/mappings/*/repair", &cg_repair_keys},
    {"/mappings/*/budget", &cg_budget_keys},
};

bool cg_settings_key(size_t index, const char **object, const char **key) {
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        const struct cg_keys *keys = objects[i].keys;
        for (size_t j = 0; j < keys->count; j++) {
            if (keys->list[j].read == cg_read_later || index-- > 0) continue;
            *object = objects[i].pattern;
            *key = keys->list[j].name;
            return true;
        }
    }
    return false;
}
