/* The mappings: what stands at which path. The hard thing: a path here must be the very text that a request's path is
 * compared with later, so it is normalised, and whatever could never match, or would hide the gateway's own paths, is
 * refused. */
#include "settings/draft.h"
#include "settings/rows.h"

#include "base/text.h"
#include "model/forward.h"
#include "model/mapping.h"
#include "model/stand_in.h"

#include <stdio.h>

enum {
    /* DEFAULT_LEISURE of RFC 10020 §3.6.1: longer where answers carry the overhead of Group OSCORE. */
    LEISURE_PLAIN_S = 5,
    LEISURE_PAIRWISE_S = 13,
    LEISURE_GROUP_MODE_S = 20,
    LEISURE_UNSAID = -1,
};

static void read_leisure(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                         void *target) {
    double seconds = json_number_value(json);
    if (!json_is_number(json) || seconds < 0 || seconds > (double)row->max) {
        cg_mistake_at(reader, at, "must be a number of seconds from 0 to %u", (unsigned)row->max);
        return;
    }
    *(double *)((char *)target + row->offset) = seconds;
}

static void print_leisure(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_draft *draft = target;
    cg_out_number(out, row->key, draft->mapping.leisure);
}

const struct cg_kind cg_kind_leisure = {
    .read = read_leisure, .print = print_leisure, .json = "'type': 'number'", .min = "minimum", .max = "maximum"};

static void print_stand_in(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_draft *draft = target;
    cg_out_text(out, row->key, draft->mapping.stand_in == CG_STAND_IN_MEMBERS ? "members" : "group");
}

const struct cg_kind cg_kind_stand_in = {.print = print_stand_in};

static void read_stand_in(struct cg_reader *reader, struct cg_draft *draft) {
    struct cg_at at;
    struct cg_mapping *mapping = &draft->mapping;
    const json_t *json = cg_read_member(draft->at, draft->json, "stand_in", &at);
    const char *text = json_is_string(json) ? json_string_value(json) : "";
    bool is_members = json == NULL ? mapping->anonymise : strcmp(text, "members") == 0;
    mapping->stand_in = is_members ? CG_STAND_IN_MEMBERS : CG_STAND_IN_GROUP;
    if (json == NULL || is_members || strcmp(text, "group") == 0) return;
    cg_mistake_at(reader, &at, "must be \"group\" or \"members\"");
}

/* R19. Who hides the members has to stand in for them (GCP). */
static void check_privacy(struct cg_reader *reader, const struct cg_draft *draft) {
    struct cg_at at;
    const struct cg_mapping *mapping = &draft->mapping;
    if (!mapping->anonymise) return;
    cg_read_member(draft->at, draft->json, "anonymise", &at);
    if (mapping->stand_in != CG_STAND_IN_MEMBERS && !cg_is_mistaken(reader, draft->at, "stand_in"))
        cg_mistake_at(reader, &at, "needs \"stand_in\": \"members\"");
    if (mapping->security == CG_SECURITY_RELAY) {
        cg_mistake_at(reader, &at, "cannot be with \"relay\": the client must know whom it hears");
    }
}

/* Nobody knows what is missing where there may be others, nor what a client has protected. */
static void check_cache(struct cg_reader *reader, const struct cg_draft *draft) {
    const struct cg_mapping *mapping = &draft->mapping;
    struct cg_at at = {.up = draft->at, .key = "cache"};
    if (!mapping->cache) return;
    if (mapping->security == CG_SECURITY_RELAY) {
        cg_mistake_at(reader, &at,
                      "cannot be with \"relay\": what a client has protected is answered to that one alone");
    } else if (cg_mapping_has_hop(mapping)) {
        cg_mistake_at(reader, &at,
                      "cannot be with \"next_hop\": the next gateway keeps answers where its mapping says so");
    } else if (!mapping->complete && !cg_is_mistaken(reader, draft->at, "membership")) {
        cg_mistake_at(reader, &at, "needs \"members\" and \"membership\": \"complete\"");
    }
}

static void read_name(struct cg_reader *reader, struct cg_draft *draft) {
    struct cg_at at;
    const json_t *json = cg_read_member(draft->at, draft->json, "name", &at);
    if (json == NULL) {
        cg_mistake_missing(reader, draft->at, "name", "a mapping needs a \"name\"");
        return;
    }
    const char *text = cg_read_text(reader, &at, json);
    if (text == NULL) return;
    if (!cg_name_is_valid(text)) {
        cg_mistake_at(reader, &at, "a name is 1 to 64 of a-z, 0-9, '.', '_', '-', and begins with a letter or digit");
        return;
    }
    const char *first = cg_unique_before(reader, CG_UNIQUE_MAPPING, cg_slice_str(text), &at);
    if (first != NULL) cg_mistake_at(reader, &at, "is the same name as %s", first);
    draft->mapping.name = cg_keep_text(reader, cg_slice_str(text));
}

/* What is wrong with a segment of a path, or NULL. */
static const char *segment_fault(struct cg_reader *reader, struct cg_slice path, struct cg_slice segment) {
    struct cg_opts opts;
    struct cg_slice with_slash = cg_slice_of(segment.data - 1, segment.len + 1);
    if (segment.len == 0 && path.data + path.len == segment.data) return "must not end in '/'";
    if (segment.len == 0) return "must not have an empty segment (\"//\")";
    if (cg_uri_is_dot_segment(segment)) return "must not have a \".\" or \"..\" segment";
    if (cg_stand_in_is_marker(segment))
        return "must not have the segment \"" CG_STAND_IN_MARKER "\", which leads to single members";
    bool has_query = memchr(segment.data, '?', segment.len) != NULL;
    int err = cg_uri_decompose(&opts, &reader->scratch, with_slash, CG_SLICE_NONE, CG_SLICE_NONE, CG_SLICE_NONE);
    if (err == CG_E_NO_MEMORY) reader->out_of_memory = true;
    if (err < 0 || has_query)
        return "has a character that must be percent-encoded, is badly encoded, or has a part above 255 bytes";
    return NULL;
}

const char *cg_path_fault(struct cg_reader *reader, struct cg_slice path) {
    if (path.len == 0 || path.data[0] != '/') return "must begin with '/'";
    if (path.len > CG_MAPPING_PATH_MAX) return "is longer than 1024 bytes";
    const char *fault = NULL;
    for (size_t at = 0; at < path.len && fault == NULL;) {
        const uint8_t *begin = path.data + at + 1;
        const uint8_t *slash = memchr(begin, '/', path.len - at - 1);
        struct cg_slice segment = cg_slice_of(begin, slash == NULL ? path.len - at - 1 : (size_t)(slash - begin));
        fault = segment_fault(reader, path, segment);
        at += 1 + segment.len;
    }
    return fault;
}

static bool is_at_or_below(const char *path, const char *top) {
    size_t len = strlen(top);
    return strncmp(path, top, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* The normal form, kept; NULL with a mistake. */
static const char *keep_path(struct cg_reader *reader, const struct cg_at *at, struct cg_slice path) {
    const char *fault = cg_slice_is(path, "/") ? NULL : cg_path_fault(reader, path), *kept = NULL;
    struct cg_buf normal;
    if (cg_slice_is(path, "/")) path.len = 0; /* the root's path is empty */
    if (fault != NULL) {
        cg_mistake_at(reader, at, "the path %s", fault);
        return NULL;
    }
    cg_buf_init(&normal, 0);
    if (cg_mapping_normal_path(&normal, path) < 0) {
        reader->out_of_memory = true; /* the encoding has been checked */
    } else {
        kept = cg_keep_text(reader, cg_buf_slice(&normal));
    }
    cg_buf_fini(&normal);
    if (kept != NULL && (is_at_or_below(kept, "/hc") || is_at_or_below(kept, "/.well-known"))) {
        cg_mistake_at(reader, at, "/hc and /.well-known are the gateway's own paths");
    }
    return kept;
}

static void print_path(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_draft *draft = target;
    cg_out_text(out, row->key, *draft->mapping.path == '\0' ? "/" : draft->mapping.path);
}

const struct cg_kind cg_kind_path = {.print = print_path};

static void check_place_is_free(struct cg_reader *reader, const struct cg_draft *draft, const struct cg_at *at) {
    const char *host = draft->mapping.host == NULL ? "" : draft->mapping.host;
    struct cg_buf place;
    cg_buf_init(&place, 0);
    cg_buf_printf(&place, "%s|%s", host, draft->mapping.path);
    if (place.failed) reader->out_of_memory = true;
    const char *first = cg_unique_before(reader, CG_UNIQUE_PLACE, cg_buf_slice(&place), at);
    if (first != NULL) cg_mistake_at(reader, at, "is the same path at the same host as %s", first);
    cg_buf_fini(&place);
}

/* Where the mapping stands; without "path" its name is the path. */
static void read_place(struct cg_reader *reader, struct cg_draft *draft) {
    struct cg_at host_at, at;
    const json_t *host = cg_read_member(draft->at, draft->json, "host", &host_at);
    if (host != NULL && !json_is_null(host)) draft->mapping.host = cg_read_host(reader, &host_at, host, false);
    const json_t *json = cg_read_member(draft->at, draft->json, "path", &at);
    if (json != NULL) {
        const char *text = cg_read_text(reader, &at, json);
        if (text != NULL) draft->mapping.path = keep_path(reader, &at, cg_slice_str(text));
    } else if (draft->mapping.name != NULL) {
        char path[CG_NAME_MAX + 2];
        snprintf(path, sizeof path, "/%s", draft->mapping.name);
        draft->mapping.path = keep_path(reader, draft->at, cg_slice_str(path));
    }
    if (draft->mapping.path != NULL && draft->mapping.enabled)
        check_place_is_free(reader, draft, json != NULL ? &at : draft->at);
}

uint32_t cg_read_method_set(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    uint32_t methods = 0;
    if (!cg_read_is_array(reader, at, json, SIZE_MAX)) return 0;
    if (json_array_size(json) == 0) cg_mistake_at(reader, at, "names no method");
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct cg_at child = {.up = at, .index = i};
        const char *name = cg_read_text(reader, &child, json_array_get(json, i));
        unsigned code = name == NULL ? 0 : cg_method_code(name);
        if (code != 0) {
            methods |= CG_METHOD_BIT(code);
        } else if (name != NULL) {
            cg_mistake_at(reader, &child, "must be GET, POST, PUT, DELETE, FETCH, PATCH or iPATCH");
        }
    }
    return methods;
}

void cg_read_methods(struct cg_reader *reader, struct cg_draft *draft) {
    struct cg_mapping *mapping = &draft->mapping;
    struct cg_at at;
    const json_t *json = cg_read_member(draft->at, draft->json, "methods", &at);
    bool is_explained =
        cg_is_mistaken(reader, draft->at, "security") || cg_is_mistaken(reader, draft->at, "unsafe_methods");
    bool safe_only = mapping->security == CG_SECURITY_NONE && !mapping->unsafe_methods;
    mapping->methods = safe_only ? CG_METHODS_SAFE : CG_METHODS_ALL;
    if (mapping->security == CG_SECURITY_RELAY) mapping->methods = CG_METHODS_RELAYED;
    /* What grants may have is judged later, and then not for what is wrong here. */
    if (is_explained) mapping->methods = CG_METHODS_ALL;
    if (json == NULL) return;
    uint32_t methods = cg_read_method_set(reader, &at, json);
    if (safe_only && (methods & ~CG_METHODS_SAFE) != 0 && !is_explained) {
        cg_mistake_at(reader, &at,
                      "a plain group (\"security\": \"none\") takes GET and FETCH only, unless the mapping says "
                      "\"unsafe_methods\": true");
    }
    if (cg_is_mistaken(reader, draft->at, "methods")) {
        mapping->methods = CG_METHODS_ALL;
    } else if (methods != 0 && mapping->security != CG_SECURITY_RELAY) {
        mapping->methods = methods;
    }
}

static void read_timeouts(struct cg_reader *reader, struct cg_draft *draft) {
    struct cg_mapping *mapping = &draft->mapping;
    struct cg_at at = {.up = draft->at, .key = "timeout"};
    cg_read_late(reader, draft->at, &cg_mapping_rows, "max_timeout", draft->json, draft);
    cg_read_late(reader, draft->at, &cg_mapping_rows, "timeout", draft->json, draft);
    mapping->has_timeout = mapping->timeout_us > 0;
    if (mapping->max_timeout_us > 0 && mapping->timeout_us > mapping->max_timeout_us) {
        cg_mistake_at(reader, &at, "is above \"max_timeout\", which is %g", (double)mapping->max_timeout_us / 1e6);
    }
}

/* A target URI must lead to one mapping, and to nobody whom it does not name. */
static void check_forward(struct cg_reader *reader, const struct cg_draft *draft) {
    const struct cg_mapping *mapping = &draft->mapping;
    struct cg_at at = {.up = draft->at, .key = "forward"};
    if (!mapping->forward || mapping->target_count == 0 || mapping->targets[0].uri == NULL) return;
    if (!cg_forward_is_open(mapping)) {
        cg_mistake_at(reader, &at,
                      "needs one \"group\", whose URI has no query: it is what target URIs are compared with");
        return;
    }
    if (!mapping->enabled) return;
    struct cg_slice group = cg_slice_str(mapping->targets[0].uri);
    if (group.data[group.len - 1] == '/') group.len--;
    const char *first = cg_unique_before(reader, CG_UNIQUE_FORWARD, group, &at);
    if (first != NULL) cg_mistake_at(reader, &at, "stands for the same target URIs as %s", first);
}

/* Whatever members answer in: where there is a group mode they may. What is relayed is not known. */
static double default_leisure(const struct cg_mapping *mapping) {
    if (mapping->security == CG_SECURITY_NONE) return LEISURE_PLAIN_S;
    const struct cg_security_keys *group = mapping->keys;
    return group != NULL && !group->has_group_mode ? LEISURE_PAIRWISE_S : LEISURE_GROUP_MODE_S;
}

/* What a mapping is that says nothing; made once. NULL: no memory. */
static const struct cg_draft *blank_mapping(struct cg_reader *reader) {
    const struct cg_group_settings *group = &reader->config->group;
    if (reader->blank != NULL) return reader->blank;
    struct cg_draft *blank = cg_arena_zalloc(&reader->scratch, sizeof *blank);
    if (blank == NULL) {
        reader->out_of_memory = true;
        return NULL;
    }
    *blank = (struct cg_draft){
        .mapping = {.leisure = LEISURE_UNSAID},
        .interface = group->interface,
        .hops = group->hops,
    };
    cg_read_defaults(reader, &cg_mapping_rows, blank);
    return reader->blank = blank;
}

static void read_draft(struct cg_reader *reader, struct cg_draft *draft) {
    read_name(reader, draft);
    read_place(reader, draft);
    cg_read_targets(reader, draft);
    cg_read_security(reader, draft);
    if (draft->mapping.leisure < 0) draft->mapping.leisure = default_leisure(&draft->mapping);
    cg_read_methods(reader, draft);
    read_timeouts(reader, draft);
    cg_read_members(reader, draft);
    cg_read_finish(reader, draft);
    cg_read_grants(reader, draft);
    read_stand_in(reader, draft);
    check_privacy(reader, draft);
    check_cache(reader, draft);
    check_forward(reader, draft);
    cg_check_next_hops(reader, draft);
}

/* Behind the others of its kind: in use, or not. Of those that are stored the latter have no place in the snapshot. */
static void add_mapping(struct cg_reader *reader, const struct cg_mapping *mapping) {
    struct cg_config *config = reader->config;
    if (reader->derives != NULL) {
        reader->made = cg_keep_array(reader, 1, sizeof *reader->made);
        if (reader->made != NULL) *reader->made = *mapping;
    } else if (mapping->enabled) {
        config->mappings[config->mapping_count++] = *mapping;
    } else if (!mapping->is_stored) {
        config->idle_mappings[config->idle_mapping_count++] = *mapping;
    }
}

void cg_read_mapping(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    const struct cg_draft *blank = blank_mapping(reader);
    if (blank == NULL) return;
    struct cg_draft draft = *blank;
    draft.json = json;
    draft.at = at;
    draft.mapping.is_stored = reader->origin == CG_ORIGIN_STORE;
    draft.mapping.place = (uint32_t)at->index;
    if (!cg_read_object(reader, at, &cg_mapping_rows, json, &draft)) return;
    read_draft(reader, &draft);
    if (!reader->out_of_memory) add_mapping(reader, &draft.mapping); /* else nothing is what it says */
}

static bool says_idle(const json_t *mapping) { return json_is_false(json_object_get(mapping, "enabled")); }

static bool make_room(struct cg_reader *reader, const json_t *list) {
    struct cg_config *config = reader->config;
    size_t count = json_array_size(list), idle = 0;
    for (size_t i = 0; i < count; i++) idle += says_idle(json_array_get(list, i));
    count += reader->room[CG_ITEM_MAPPING];
    config->mappings = cg_keep_array(reader, count, sizeof *config->mappings);
    config->idle_mappings = idle == 0 ? NULL : cg_keep_array(reader, idle, sizeof *config->idle_mappings);
    return !reader->out_of_memory;
}

void cg_read_mappings(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    if (!cg_read_is_array(reader, at, json, cg_row_of(&cg_document_rows, "mappings")->max)) return;
    if (!make_room(reader, json)) return;
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct cg_at child = {.up = at, .index = i};
        cg_read_mapping(reader, &child, json_array_get(json, i));
    }
}

/* The rows' places are in a draft. */
static void print_mapping(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_mapping *mapping = target;
    const struct cg_draft draft = {.mapping = *mapping, .hops = mapping->targets[0].hops /* the same for all */};
    cg_print_object(out, row, &draft);
}

const struct cg_kind cg_kind_mapping = {.shape = CG_SHAPE_OBJECT, .print = print_mapping, .json = "'type': 'object'"};

/* From number `idle` on, those whose place is before that one. Returns the number of the next. */
static size_t print_idle(struct cg_out *out, const struct cg_row *item, const struct cg_config *config, size_t idle,
                         uint32_t place) {
    for (; idle < config->idle_mapping_count && config->idle_mappings[idle].place < place; idle++)
        print_mapping(out, item, &config->idle_mappings[idle]);
    return idle;
}

/* All of them, in the file's order: so that an index into what is printed is one into what was read. */
static void print_mappings(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_config *config = target;
    const struct cg_row item = {.kind = &cg_kind_mapping, .of = row->of};
    const struct cg_mapping *mapping;
    size_t idle = 0;
    cg_out_open(out, row->key, '[');
    for (uint32_t next = 0; (mapping = cg_config_next_mapping(config, &next)) != NULL;) {
        idle = print_idle(out, &item, config, idle, mapping->is_stored ? UINT32_MAX : mapping->place);
        print_mapping(out, &item, mapping);
    }
    (void)print_idle(out, &item, config, idle, UINT32_MAX);
    cg_out_close(out, ']');
}

const struct cg_kind cg_kind_mappings = {
    .shape = CG_SHAPE_LIST, .print = print_mappings, .json = "'type': 'array'", .max = "maxItems"};
