/* The whole document: which sections there are, and the small ones. The hard thing is the order: what a section rests
 * on must have been read, and who may come in rests on several. */
#include "settings/rows.h"

static void read_address(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                         void *target) {
    if (json_is_null(json)) return;
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    struct cg_addr *addr = (void *)((char *)target + row->offset);
    int err = cg_addr_parse_ip(addr, cg_slice_str(text));
    if (err < 0 || cg_addr_is_multicast(addr)) {
        cg_mistake_at(reader, at, "must be an address of this host, without port, or null");
        *addr = (struct cg_addr){0};
    }
}

static void print_address(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_addr *addr = (const void *)((const char *)target + row->offset);
    char ip[CG_ADDR_TEXT_MAX];
    cg_addr_emit_ip(addr, ip);
    cg_out_text(out, row->key, addr->family == CG_FAMILY_NONE ? NULL : ip);
}

const struct cg_kind cg_kind_source_address = {
    .read = read_address, .print = print_address, .json = "'type': ['string', 'null']"};

static void read_prefix(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                        void *target) {
    (void)row;
    struct cg_prefix *prefix = target;
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    if (cg_prefix_parse(prefix, cg_slice_str(text)) == CG_OK && !cg_addr_is_multicast(&prefix->addr)) return;
    cg_mistake_at(reader, at,
                  "must be a range of members' addresses such as \"2001:db8:7::/48\", with no bit set beyond its "
                  "length");
}

static void print_prefix(struct cg_out *out, const struct cg_row *row, const void *target) {
    char text[CG_PREFIX_TEXT_MAX];
    cg_prefix_emit(target, text);
    cg_out_text(out, row->key, text);
}

const struct cg_kind cg_kind_prefix = {.read = read_prefix, .print = print_prefix, .json = "'type': 'string'"};

static bool is_whole_budget(const json_t *json) {
    return !json_is_object(json) ||
           (json_object_get(json, "interface") != NULL && json_object_get(json, "requests") != NULL &&
            json_object_get(json, "seconds") != NULL);
}

/* Each interface once: which of two bounds holds would be anybody's guess. */
static void read_send_budgets(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row,
                              const json_t *json, void *target) {
    const struct cg_group_settings *group = target;
    struct cg_seen *seen = NULL;
    cg_kind_list.read(reader, at, row, json, target);
    for (size_t i = 0; i < group->send_budget_count; i++) {
        struct cg_at item = {.up = at, .index = i};
        const struct cg_send_budget_settings *budget = &group->send_budgets[i];
        if (!is_whole_budget(json_array_get(json, i))) {
            cg_mistake_at(reader, &item, "must have \"interface\", \"requests\" and \"seconds\"");
        } else if (budget->interface != NULL &&
                   cg_seen_before(reader, &seen, cg_slice_str(budget->interface), &item) != NULL) {
            cg_mistake_at(reader, &item, "is the second budget of interface \"%s\"", budget->interface);
        }
    }
    cg_seen_clear(&seen);
}

const struct cg_kind cg_kind_send_budgets = {
    .shape = CG_SHAPE_LIST,
    .read = read_send_budgets,
    .print = cg_print_list,
    .json = "'type': 'array'",
    .max = "maxItems",
};

enum { PLUGIN_FILE_MAX = 255 };

/* A name in the plugins' folder: nothing that leads out of it, nothing hidden. */
static bool is_plugin_file(const char *name) {
    size_t len = strlen(name), good = 0;
    if (len < sizeof "x.so" - 1 || len > PLUGIN_FILE_MAX || name[0] == '.' || strcmp(name + len - 3, ".so") != 0)
        return false;
    while (name[good] > ' ' && name[good] < 0x7f && name[good] != '/') good++;
    return good == len;
}

static void read_plugin(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                        void *target) {
    (void)row;
    const char *name = cg_read_text(reader, at, json);
    if (name == NULL) return;
    if (is_plugin_file(name)) {
        *(const char **)target = cg_keep_text(reader, cg_slice_str(name));
    } else {
        cg_mistake_at(reader, at, "must be the name of a file in plugins.folder, such as \"example.so\"");
    }
}

const struct cg_kind cg_kind_plugin = {
    .read = read_plugin,
    .print = cg_print_text,
    .json = "'type': 'string', 'maxLength': 255, 'pattern': '^[!-\\\\-0-~][!-.0-~]*\\\\.so$'",
};

static void read_load(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                      void *target) {
    const struct cg_config *config = reader->config;
    struct cg_seen *seen = NULL;
    cg_kind_list.read(reader, at, row, json, target);
    for (size_t i = 0; i < config->plugin_count; i++) {
        struct cg_at item = {.up = at, .index = i};
        const char *name = config->plugins[i];
        if (name != NULL && cg_seen_before(reader, &seen, cg_slice_str(name), &item) != NULL)
            cg_mistake_at(reader, &item, "is named twice");
    }
    cg_seen_clear(&seen);
}

const struct cg_kind cg_kind_load = {
    .shape = CG_SHAPE_LIST,
    .read = read_load,
    .print = cg_print_list,
    .json = "'type': 'array', 'uniqueItems': true",
    .max = "maxItems",
};

enum { ARGUMENT_MAX = 4096 };

/* The first is a file; where relative ones are looked for is the shell's to know, and there is none. */
static void read_argument(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row,
                          const json_t *json, void *target) {
    (void)row;
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    if (strlen(text) > ARGUMENT_MAX) {
        cg_mistake_at(reader, at, "must not be longer than 4096 bytes");
    } else if (at->index == 0 && text[0] != '/') {
        cg_mistake_at(reader, at, "must be a program's file name from the root on, such as \"/usr/local/bin/rekeyed\"");
    } else {
        *(const char **)target = cg_keep_text(reader, cg_slice_str(text));
    }
}

const struct cg_kind cg_kind_argument = {
    .read = read_argument, .print = cg_print_text, .json = "'type': 'string', 'maxLength': 4096"};

/* Whoever copies the state folder would have the key of its secrets, too. */
static void check_seal_key(struct cg_reader *reader, const struct cg_at *document) {
    const char *key = reader->config->seal_key, *state = reader->config->state;
    if (key == NULL || state == NULL) return;
    const size_t len = strlen(state);
    if (strncmp(key, state, len) == 0 && (key[len] == '/' || state[len - 1] == '/'))
        cg_mistake_at(reader, &(struct cg_at){.up = document, .key = "seal_key"},
                      "must lie outside the state folder, whose copies are to give no secret away");
}

void cg_read_sections(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    cg_read_defaults(reader, &cg_document_rows, reader->config);
    if (!cg_read_object(reader, at, &cg_document_rows, json, reader->config)) return;
    check_seal_key(reader, at);
    cg_read_fronts(reader, at, json);
    cg_read_coap(reader, at, json);
}

void cg_read_document(struct cg_reader *reader, const json_t *json) {
    struct cg_at document = {0}, at;
    cg_read_sections(reader, &document, json);
    if (!json_is_object(json)) return;
    const json_t *groups = cg_read_member(&document, json, "security_groups", &at);
    if (groups != NULL) cg_read_security_groups(reader, &at, groups);
    cg_read_alerts(reader, &document, json);
    const json_t *clients = cg_read_member(&document, json, "clients", &at);
    if (clients != NULL) cg_read_clients(reader, &at, clients);
    cg_check_coap_clients(reader, &document);
    const json_t *credentials = cg_read_member(&document, json, "credentials", &at);
    if (credentials != NULL) cg_read_credentials(reader, &at, credentials);
    const json_t *mappings = cg_read_member(&document, json, "mappings", &at);
    if (mappings != NULL) cg_read_mappings(reader, &at, mappings);
    const json_t *reactions = cg_read_member(&document, json, "reactions", &at);
    if (reactions != NULL) cg_read_reactions(reader, &at, reactions);
}
