/* What follows alerts. The hard thing: a reaction acts when nobody looks, so whatever could keep it from acting is a
 * mistake when the settings are read, and not a refusal when there is a fire. */
#include "settings/reader.h"
#include "settings/rows.h"

#include "base/text.h"
#include "model/reaction.h"
#include "model/stand_in.h"
#include "wire/content_format.h"

enum { BODY_MAX = 1024 /* RFC 7252 §4.6: what a group request carries */ };

/* Kinds. */

static void read_method(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                        void *target) {
    const char *name = cg_read_text(reader, at, json);
    unsigned code = name == NULL ? 0 : cg_method_code(name);
    if (code != 0) {
        *((uint8_t *)target + row->offset) = (uint8_t)code;
    } else if (name != NULL) {
        cg_mistake_at(reader, at, "must be GET, POST, PUT, DELETE, FETCH, PATCH or iPATCH");
    }
}

static void print_method(struct cg_out *out, const struct cg_row *row, const void *target) {
    cg_out_text(out, row->key, cg_method_name(*((const uint8_t *)target + row->offset)));
}

const struct cg_kind cg_kind_method = {
    .read = read_method,
    .print = print_method,
    .json = "'enum': ['GET', 'POST', 'PUT', 'DELETE', 'FETCH', 'PATCH', 'iPATCH']",
};

/* Absent, it is whoever. */
static void print_from(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_occasion *when = target;
    if (when->from_count > 0) cg_print_list(out, row, target);
}

const struct cg_kind cg_kind_from = {
    .shape = CG_SHAPE_LIST, .print = print_from, .json = "'type': 'array', 'minItems': 1", .max = "maxItems"};

const struct cg_kind cg_kind_own_text_item = {.print = cg_print_text, .json = "'type': 'string'"};

static void print_content_type(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_command *command = target;
    if (command->content_type != NULL) cg_print_text(out, row, target);
}

const struct cg_kind cg_kind_command_type = {.print = print_content_type, .json = "'type': 'string'"};

static uint32_t hash_of(const char *name) { return cg_fnv(CG_FNV_START, name, strlen(name)); }

/* The mappings by name, as the snapshot has no index yet. False: no memory. */
static bool index_mappings(struct cg_reader *reader) {
    const struct cg_config *config = reader->config;
    if (reader->mappings_indexed == config->mapping_count) return true;
    if (!cg_table_init(&reader->mappings_by_name, &reader->scratch, config->mapping_count)) {
        reader->out_of_memory = true;
        return false;
    }
    for (size_t i = 0; i < config->mapping_count; i++) {
        const char *name = config->mappings[i].name;
        if (name != NULL) cg_table_add(&reader->mappings_by_name, hash_of(name), (uint32_t)i);
    }
    reader->mappings_indexed = config->mapping_count;
    return true;
}

static const struct cg_mapping *find_mapping(struct cg_reader *reader, const char *name) {
    const struct cg_config *config = reader->config;
    uint32_t hash = hash_of(name), number;
    if (!index_mappings(reader)) return NULL;
    for (uint32_t at = hash; cg_table_next(&reader->mappings_by_name, hash, &at, &number);) {
        if (strcmp(config->mappings[number].name, name) == 0) return &config->mappings[number];
    }
    return NULL;
}

static bool is_idle(const struct cg_config *config, const char *name) {
    size_t i = 0;
    while (i < config->idle_mapping_count &&
           (config->idle_mappings[i].name == NULL || strcmp(config->idle_mappings[i].name, name) != 0))
        i++;
    return i < config->idle_mapping_count;
}

/* A text that must be there; NULL with a mistake. */
static const char *read_needed(struct cg_reader *reader, const struct cg_at *up, const json_t *object, const char *key,
                               struct cg_at *at) {
    const json_t *json = cg_read_member(up, object, key, at);
    if (json != NULL) return cg_read_text(reader, at, json);
    cg_mistake_missing(reader, up, key, "needs \"%s\"", key);
    return NULL;
}

/* When. */

/* Of other groups no alert is ever taken. */
static void check_is_heard(struct cg_reader *reader, const struct cg_at *at, const struct cg_security_keys *group) {
    static const struct cg_at document;
    const struct cg_alert_settings *alerts = &reader->config->alerts;
    size_t i = 0;
    while (i < alerts->group_count && alerts->groups[i].keys != group) i++;
    if (i < alerts->group_count || cg_is_mistaken(reader, &document, "alerts")) return;
    cg_mistake_at(reader, at, "alerts of %s are not taken: it is not in alerts.groups", group->name);
}

static void read_group(struct cg_reader *reader, const struct cg_at *up, const json_t *json, struct cg_occasion *when,
                       const struct cg_security_keys **group) {
    struct cg_at at;
    const char *name = read_needed(reader, up, json, "group", &at);
    if (name == NULL) return;
    HASH_FIND_STR(reader->config->security_groups_by_name, name, *group);
    if (*group != NULL) {
        when->group = (*group)->name;
        check_is_heard(reader, &at, *group);
    } else if (!cg_is_undefined_again(reader, "security_groups", name, &at)) {
        cg_mistake_at(reader, &at, "the security group \"%.64s\" is not in \"security_groups\"", name);
    }
}

/* In the one form in which alerts have it. */
static void put_canonical(struct cg_reader *reader, struct cg_buf *to, struct cg_slice path) {
    struct cg_slice segment;
    struct cg_buf value;
    cg_buf_init(&value, 0);
    while (cg_uri_next_segment(&path, &segment)) {
        cg_buf_clear(&value);
        if (cg_uri_decode(segment, &value) < 0) reader->out_of_memory = true; /* it was looked at before */
        cg_buf_put_u8(to, '/');
        cg_uri_encode(to, cg_buf_slice(&value), CG_URI_SEGMENT);
    }
    cg_buf_fini(&value);
}

static void read_alert_path(struct cg_reader *reader, const struct cg_at *up, const json_t *json,
                            struct cg_occasion *when) {
    struct cg_at at;
    const char *text = read_needed(reader, up, json, "path", &at);
    if (text == NULL) return;
    const char *fault = strcmp(text, "/") == 0 ? NULL : cg_path_fault(reader, cg_slice_str(text));
    if (fault != NULL) {
        cg_mistake_at(reader, &at, "the path %s", fault);
        return;
    }
    struct cg_buf path;
    cg_buf_init(&path, 0);
    put_canonical(reader, &path, cg_slice_str(text));
    if (path.len == 0) cg_buf_put_u8(&path, '/');
    if (path.failed) reader->out_of_memory = true;
    when->path = cg_keep_text(reader, cg_buf_slice(&path));
    cg_buf_fini(&path);
}

static bool has_member(const struct cg_security_keys *group, const char *name) {
    for (size_t i = 0; i < group->members.count; i++) {
        const char *member = group->members.list[i].name;
        if (member != NULL && strcmp(member, name) == 0) return true;
    }
    return false;
}

static const char *read_member(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                               const struct cg_security_keys *group, struct cg_seen **seen) {
    const char *name = cg_read_text(reader, at, json);
    if (name == NULL) return NULL;
    const char *first = cg_seen_before(reader, seen, cg_slice_str(name), at);
    if (first != NULL) cg_mistake_at(reader, at, "is the same member as %s", first);
    bool is_known = group == NULL || group->keys == NULL || has_member(group, name);
    if (!is_known) {
        cg_mistake_at(reader, at,
                      "security group %s has no member \"%.64s\"; members go by their names in its file, else by their "
                      "Sender IDs in hexadecimal",
                      group->name, name);
    }
    return cg_keep_text(reader, cg_slice_str(name));
}

static void read_from(struct cg_reader *reader, const struct cg_at *up, const json_t *json,
                      const struct cg_security_keys *group, struct cg_occasion *when) {
    struct cg_seen *seen = NULL;
    struct cg_at at;
    const json_t *list = cg_read_member(up, json, "from", &at);
    if (list == NULL || !cg_read_is_array(reader, &at, list, CG_REACTION_MEMBERS_MAX)) return;
    if (json_array_size(list) == 0) cg_mistake_at(reader, &at, "names nobody: without it alerts of all members count");
    when->from = cg_keep_array(reader, json_array_size(list), sizeof *when->from);
    if (when->from == NULL) return;
    when->from_count = json_array_size(list);
    for (size_t i = 0; i < when->from_count; i++) {
        struct cg_at child = {.up = &at, .index = i};
        when->from[i] = read_member(reader, &child, json_array_get(list, i), group, &seen);
    }
    cg_seen_clear(&seen);
}

/* Others are never taken: a member tells something, it asks for nothing. */
static void check_alert_method(struct cg_reader *reader, const struct cg_at *up, const struct cg_occasion *when) {
    const struct cg_at at = {.up = up, .key = "method"};
    const uint32_t taken =
        CG_METHOD_BIT(CG_POST) | CG_METHOD_BIT(CG_PUT) | CG_METHOD_BIT(CG_PATCH) | CG_METHOD_BIT(CG_IPATCH);
    if ((CG_METHOD_BIT(when->method) & taken) == 0)
        cg_mistake_at(reader, &at, "must be POST, PUT, PATCH or iPATCH: alerts have no other");
}

static void read_occasion(struct cg_reader *reader, const struct cg_at *up, const json_t *object,
                          struct cg_occasion *when) {
    const struct cg_security_keys *group = NULL;
    struct cg_at at;
    const json_t *json = cg_read_member(up, object, "when", &at);
    if (json == NULL) {
        cg_mistake_missing(reader, up, "when", "needs \"when\": which alerts it follows");
        return;
    }
    if (!cg_read_object(reader, &at, &cg_occasion_rows, json, when)) return;
    check_alert_method(reader, &at, when);
    read_group(reader, &at, json, when, &group);
    read_alert_path(reader, &at, json, when);
    read_from(reader, &at, json, group, when);
}

/* Do. */

static const struct cg_mapping *read_mapping(struct cg_reader *reader, const struct cg_at *up, const json_t *json,
                                             struct cg_command *command) {
    struct cg_at at;
    const char *name = read_needed(reader, up, json, "mapping", &at);
    if (name == NULL) return NULL;
    const struct cg_mapping *mapping = find_mapping(reader, name);
    if (mapping == NULL) {
        if (!cg_is_undefined_again(reader, "mappings", name, &at))
            cg_mistake_at(reader, &at, "the mapping \"%.64s\" is %s", name,
                          is_idle(reader->config, name) ? "out of use (\"enabled\": false)" : "not in \"mappings\"");
        return NULL;
    }
    command->mapping = mapping->name;
    if (mapping->security != CG_SECURITY_RELAY) return mapping;
    cg_mistake_at(reader, &at, "%s relays what its clients protect: the gateway itself has no keys for it",
                  mapping->name);
    return NULL;
}

static void check_method(struct cg_reader *reader, const struct cg_at *up, const struct cg_mapping *mapping,
                         const struct cg_command *command) {
    const struct cg_at at = {.up = up, .key = "method"};
    const uint32_t method = CG_METHOD_BIT(command->method);
    if (mapping == NULL || command->method == 0 || (mapping->methods & method) != 0) return;
    if (mapping->security == CG_SECURITY_NONE && !mapping->unsafe_methods && (method & CG_METHODS_SAFE) == 0) {
        cg_mistake_at(reader, &at, "%s is a plain group: GET and FETCH only, unless it says \"unsafe_methods\": true",
                      mapping->name);
    } else {
        cg_mistake_at(reader, &at, "mapping %s does not let this method pass", mapping->name);
    }
}

static bool is_marked(struct cg_slice path) {
    struct cg_slice segment;
    while (cg_uri_next_segment(&path, &segment)) {
        if (cg_stand_in_is_marker(segment)) return true;
    }
    return false;
}

/* What is wrong with a path and query behind a mapping's, or NULL. */
static const char *command_path_fault(struct cg_reader *reader, struct cg_slice path, struct cg_slice query) {
    struct cg_opts options;
    if (path.len > 0 && path.data[0] != '/') return "must begin with '/'";
    if (is_marked(path)) return "leads to a single member (\"" CG_STAND_IN_MARKER "\"): reactions command groups";
    int err = cg_uri_decompose(&options, &reader->scratch, path, CG_SLICE_NONE, query, CG_SLICE_NONE);
    if (err == CG_E_NO_MEMORY) reader->out_of_memory = true;
    return err < 0 ? "has a dot segment, a character that must be percent-encoded, is badly encoded, or has a part "
                     "above 255 bytes"
                   : NULL;
}

static void keep_whole(struct cg_reader *reader, const struct cg_mapping *mapping, struct cg_slice path,
                       struct cg_command *command) {
    struct cg_buf whole;
    if (mapping == NULL || mapping->path == NULL) return;
    cg_buf_init(&whole, 0);
    cg_buf_put_str(&whole, mapping->path);
    cg_buf_put_slice(&whole, path);
    if (whole.failed) reader->out_of_memory = true;
    const char *kept = cg_keep_text(reader, cg_buf_slice(&whole));
    if (kept != NULL) command->whole = cg_slice_str(kept);
    cg_buf_fini(&whole);
}

static void read_path(struct cg_reader *reader, const struct cg_at *up, const json_t *json,
                      const struct cg_mapping *mapping, struct cg_command *command) {
    struct cg_at at;
    const json_t *value = cg_read_member(up, json, "path", &at);
    const char *text = value == NULL ? "" : cg_read_text(reader, &at, value);
    command->path = text == NULL ? NULL : cg_keep_text(reader, cg_slice_str(text));
    if (command->path == NULL) return;
    const char *mark = strchr(command->path, '?');
    struct cg_slice path = cg_slice_str(command->path);
    if (mark != NULL) path.len = (size_t)(mark - command->path);
    command->query = mark == NULL ? CG_SLICE_NONE : cg_slice_str(mark + 1);
    const char *fault = command_path_fault(reader, path, command->query);
    if (fault != NULL) cg_mistake_at(reader, &at, "the path %s", fault);
    keep_whole(reader, mapping, path, command);
}

/* Groups take no blocks, so one that is longer would go to each member alone. */
static size_t longest_body(const struct cg_mapping *mapping) {
    bool is_less = mapping != NULL && mapping->block_size > 0;
    return is_less ? mapping->block_size : BODY_MAX;
}

static void read_body(struct cg_reader *reader, const struct cg_at *up, const json_t *json,
                      const struct cg_mapping *mapping, struct cg_command *command) {
    struct cg_at at;
    const json_t *value = cg_read_member(up, json, "body", &at);
    const char *text = value == NULL ? "" : cg_read_text(reader, &at, value);
    if (text == NULL) return;
    if (strlen(text) > longest_body(mapping))
        cg_mistake_at(reader, &at, "has more than the %zu bytes that a request to a group carries",
                      longest_body(mapping));
    command->body = cg_keep_text(reader, cg_slice_str(text));
}

/* As few bytes as it takes (RFC 7252 §3.2). */
static void keep_format(struct cg_reader *reader, struct cg_command *command, uint16_t format) {
    struct cg_opt *option = cg_keep_array(reader, 1, sizeof *option);
    uint8_t *bytes = cg_keep_array(reader, 2, 1);
    if (option == NULL || bytes == NULL) return;
    bytes[0] = (uint8_t)(format >> 8);
    bytes[1] = (uint8_t)format;
    size_t skip = format > UINT8_MAX ? 0 : format > 0 ? 1 : 2;
    *option = (struct cg_opt){.number = CG_OPT_CONTENT_FORMAT, .value = cg_slice_of(bytes + skip, 2 - skip)};
    command->options = (struct cg_opts){.list = option, .count = 1};
}

static void read_content_type(struct cg_reader *reader, const struct cg_at *up, const json_t *json,
                              struct cg_command *command) {
    struct cg_at at;
    uint16_t format;
    const json_t *value = cg_read_member(up, json, "content_type", &at);
    const char *text = value == NULL ? NULL : cg_read_text(reader, &at, value);
    if (text == NULL) return;
    if (cg_format_from_media_type(cg_slice_str(text), &format) < 0 || format == CG_FORMAT_OSCORE) {
        cg_mistake_at(reader, &at,
                      "must be a media type that has a CoAP Content-Format, such as \"text/plain\" or "
                      "\"application/json\"");
        return;
    }
    command->content_type = cg_keep_text(reader, cg_slice_str(text));
    keep_format(reader, command, format);
}

static void read_command(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                         struct cg_command *command) {
    if (!cg_read_object(reader, at, &cg_command_rows, json, command)) return;
    const struct cg_mapping *mapping = read_mapping(reader, at, json, command);
    if (json_object_get(json, "method") == NULL) cg_mistake_missing(reader, at, "method", "needs \"method\"");
    check_method(reader, at, mapping, command);
    read_path(reader, at, json, mapping, command);
    read_body(reader, at, json, mapping, command);
    read_content_type(reader, at, json, command);
}

static void read_commands(struct cg_reader *reader, const struct cg_at *up, const json_t *object,
                          struct cg_reaction *reaction) {
    struct cg_at at;
    const json_t *json = cg_read_member(up, object, "do", &at);
    if (json == NULL) cg_mistake_missing(reader, up, "do", "needs \"do\": which commands it gives");
    if (json == NULL || !cg_read_is_array(reader, &at, json, CG_REACTION_COMMANDS_MAX)) return;
    if (json_array_size(json) == 0) cg_mistake_at(reader, &at, "has no command");
    reaction->commands = cg_keep_array(reader, json_array_size(json), sizeof *reaction->commands);
    if (reaction->commands == NULL) return;
    reaction->command_count = json_array_size(json);
    for (size_t i = 0; i < reaction->command_count; i++) {
        struct cg_at child = {.up = &at, .index = i};
        read_command(reader, &child, json_array_get(json, i), &reaction->commands[i]);
    }
}

/* All of them go or none, so there must be room for all at some time. */
static void check_rate(struct cg_reader *reader, const struct cg_at *up, const struct cg_reaction *reaction) {
    const struct cg_at at = {.up = up, .key = "requests_per_minute"};
    if (reaction->requests_per_minute >= reaction->command_count) return;
    cg_mistake_at(reader, &at, "is less than its %zu commands, which go together", reaction->command_count);
}

static void read_name(struct cg_reader *reader, const struct cg_at *up, const json_t *json,
                      struct cg_reaction *reaction) {
    struct cg_at at;
    const char *name = read_needed(reader, up, json, "name", &at);
    if (name == NULL) return;
    if (!cg_name_is_valid(name)) {
        cg_mistake_at(reader, &at, "a name is 1 to 64 of a-z, 0-9, '.', '_', '-', and begins with a letter or digit");
        return;
    }
    const char *first = cg_unique_before(reader, CG_UNIQUE_REACTION, cg_slice_str(name), &at);
    if (first != NULL) cg_mistake_at(reader, &at, "is the same name as %s", first);
    reaction->name = cg_keep_text(reader, cg_slice_str(name));
}

void cg_read_reaction(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    struct cg_config *config = reader->config;
    struct cg_reaction *reaction = &config->reactions[config->reaction_count++];
    *reaction = (struct cg_reaction){.is_stored = reader->origin == CG_ORIGIN_STORE};
    cg_read_defaults(reader, &cg_reaction_rows, reaction);
    if (!cg_read_object(reader, at, &cg_reaction_rows, json, reaction)) return;
    read_name(reader, at, json, reaction);
    read_occasion(reader, at, json, &reaction->when);
    read_commands(reader, at, json, reaction);
    check_rate(reader, at, reaction);
}

void cg_read_reactions(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    struct cg_config *config = reader->config;
    if (!cg_read_is_array(reader, at, json, CG_REACTIONS_MAX)) return;
    size_t count = json_array_size(json) + reader->room[CG_ITEM_REACTION];
    config->reactions = cg_keep_array(reader, count, sizeof *config->reactions);
    if (config->reactions == NULL) return;
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct cg_at child = {.up = at, .index = i};
        cg_read_reaction(reader, &child, json_array_get(json, i));
    }
}
