/* Proposals. The hard thing: they are made of what strangers said, and must be settings that are taken as they are, so
 * every name is made anew, every URI is read as a group's, and what does not fit is left out. Nothing is proposed to be
 * less protected than it was asked: what is plain may be read, and that is all. */
#include "app/discover/paste.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/discover/json_text.h"
#include "base/text.h"
#include "model/mapping.h"
#include "wire/uri.h"

enum {
    PROPOSALS_MAX = 24,
    MEMBERS_MAX = 1000,  /* of a proposal */
    PLAIN_TIMEOUT_S = 6, /* the leisure of plain groups, and a second for the way */
    TIMEOUT_MAX_S = 60,  /* the default of max_timeout */
    NAME_STEM = 48,      /* characters of a name, before what tells it from another */
};

struct proposal {
    char name[CG_NAME_MAX + 1];
    char *uri;                   /* normal; the proposal's */
    const struct cg_mapping *by; /* how it was asked; NULL: plainly, by no mapping */
    json_t *members;             /* of a plain one: those who told of it; NULL: not known */
};

struct paste {
    const struct cg_config *config;
    const json_t *document;
    struct proposal list[PROPOSALS_MAX];
    size_t count, left_out;
};

/* ---- Names ---- */

static bool is_taken(const struct paste *paste, const char *name) {
    char path[CG_NAME_MAX + 2];
    snprintf(path, sizeof path, "/%s", name);
    const struct cg_mapping *mapping;
    for (uint32_t next = 0; (mapping = cg_config_next_mapping(paste->config, &next)) != NULL;) {
        if (strcmp(mapping->name, name) == 0 || strcmp(mapping->path, path) == 0) return true;
    }
    for (size_t i = 0; i < paste->count; i++) {
        if (strcmp(paste->list[i].name, name) == 0) return true;
    }
    return strcmp(name, "hc") == 0; /* the forward proxy's path */
}

/* What settings take as a name, of whatever it was. */
static size_t name_stem(struct cg_slice text, char stem[NAME_STEM + 1]) {
    size_t len = 0;
    for (size_t i = 0; i < text.len && len < NAME_STEM; i++) {
        char c = cg_ascii_lower((char)text.data[i]);
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_letter && len == 0) continue; /* it begins with one */
        stem[len++] = is_letter || c == '.' || c == '_' ? c : '-';
    }
    while (len > 0 && stem[len - 1] == '-') len--;
    stem[len] = '\0';
    return len;
}

static void give_name(const struct paste *paste, struct cg_slice text, char name[CG_NAME_MAX + 1]) {
    char stem[NAME_STEM + 1];
    if (name_stem(text, stem) == 0) snprintf(stem, sizeof stem, "group");
    snprintf(name, CG_NAME_MAX + 1, "%s", stem);
    for (unsigned i = 2; is_taken(paste, name); i++) snprintf(name, CG_NAME_MAX + 1, "%s-%u", stem, i);
}

/* ---- Groups ---- */

/* The normal form of `base` and what is appended to it; NULL: it is no group's URI. The caller frees. */
static char *group_uri(struct cg_slice base, struct cg_slice path) {
    struct cg_buf text, normal;
    struct cg_uri uri;
    cg_buf_init(&text, 0);
    cg_buf_init(&normal, 0);
    if (path.len > 0 && base.len > 0 && base.data[base.len - 1] == '/') base.len--;
    cg_buf_put_slice(&text, base);
    cg_buf_put_slice(&text, path);
    bool is_group = !text.failed && cg_uri_parse(&uri, cg_buf_slice(&text), NULL) == CG_OK && uri.zone.len == 0 &&
                    cg_uri_check_group(&uri, NULL) == CG_OK && !cg_uri_has_dot_segment(uri.path);
    if (is_group) cg_uri_emit_normal(&normal, &uri);
    cg_buf_put_u8(&normal, '\0');
    if (!is_group || normal.failed) cg_buf_fini(&normal);
    cg_buf_fini(&text);
    return (char *)normal.data;
}

static bool has_target(const struct cg_mapping *mapping, const char *uri) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        if (strcmp(mapping->targets[i].uri, uri) == 0) return true;
    }
    return false;
}

static bool is_mapped(const struct paste *paste, const char *uri) {
    const struct cg_mapping *mapping;
    for (uint32_t next = 0; (mapping = cg_config_next_mapping(paste->config, &next)) != NULL;) {
        if (has_target(mapping, uri)) return true;
    }
    return false;
}

static bool is_secured(const struct cg_mapping *by) { return by != NULL && by->security != CG_SECURITY_NONE; }

/* Something protects that group, whatever its path. */
static bool is_protected(const struct paste *paste, const char *uri_text) {
    struct cg_uri uri;
    if (cg_uri_parse(&uri, cg_slice_str(uri_text), NULL) < 0) return false;
    const struct cg_mapping *mapping;
    for (uint32_t next = 0; (mapping = cg_config_next_mapping(paste->config, &next)) != NULL;) {
        for (size_t j = 0; is_secured(mapping) && j < mapping->target_count; j++) {
            if (cg_addr_equal(&mapping->targets[j].group, &uri.addr)) return true;
        }
    }
    return false;
}

/* ---- Gathering ---- */

/* Of that URI, asked in that way; NULL: there is none so far, and no room or no need for one. Uses the URI up. */
static struct proposal *proposal_of(struct paste *paste, char *uri, const struct cg_mapping *by, struct cg_slice name) {
    struct proposal *proposal = NULL;
    for (size_t i = 0; i < paste->count && uri != NULL; i++) {
        if (strcmp(paste->list[i].uri, uri) == 0) proposal = &paste->list[i];
    }
    bool is_new =
        proposal == NULL && uri != NULL && !is_mapped(paste, uri) && (is_secured(by) || !is_protected(paste, uri));
    if (!is_new || paste->count == PROPOSALS_MAX) {
        paste->left_out += is_new;
        free(uri);
        return proposal;
    }
    proposal = &paste->list[paste->count];
    *proposal = (struct proposal){.uri = uri, .by = by};
    give_name(paste, name, proposal->name);
    paste->count++;
    return proposal;
}

/* As members are written in settings: without a zone, which the mapping's interface gives. False: it can be none. */
static bool member_address(struct cg_slice text, char address[CG_ADDR_TEXT_MAX]) {
    struct cg_addr addr;
    if (cg_addr_parse(&addr, text, CG_COAP_PORT) < 0 || addr.port == 0 || addr.port == CG_COAPS_PORT ||
        cg_addr_is_multicast(&addr) || cg_addr_is_unspecified(&addr))
        return false;
    addr.scope = 0;
    cg_addr_emit(&addr, address);
    return true;
}

static bool has_text(const json_t *list, const char *text) {
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item) {
        if (cg_slice_is(cg_json_slice(item), text)) return true;
    }
    return false;
}

/* Only at whom the gateway may look for it later: at unicast addresses, each once. */
static void add_member(struct proposal *proposal, const json_t *node) {
    char address[CG_ADDR_TEXT_MAX];
    if (is_secured(proposal->by) || !member_address(cg_json_text_at(node, "from"), address)) return;
    if (proposal->members == NULL) proposal->members = json_array();
    if (json_array_size(proposal->members) < MEMBERS_MAX && !has_text(proposal->members, address))
        (void)json_array_append_new(proposal->members, json_string(address));
}

/* What the protocols themselves have there is nobody's application. */
static bool is_application(struct cg_slice type) { return type.len > 0 && !cg_slice_starts(type, "core."); }

static struct cg_slice type_of(const json_t *link) {
    size_t i;
    const json_t *word;
    json_array_foreach(json_object_get(link, "rt"), i, word) {
        if (is_application(cg_json_slice(word))) return cg_json_slice(word);
    }
    return CG_SLICE_NONE;
}

static void take_link(struct paste *paste, const json_t *node, const struct cg_mapping *by, const json_t *link) {
    const struct cg_slice target = cg_json_text_at(link, "target"), type = type_of(link);
    bool is_path = cg_slice_starts(target, "/") && !cg_slice_starts(target, "//");
    if (type.len == 0) return;
    char *uri = is_path ? group_uri(cg_json_text_at(node, "group"), target) : group_uri(target, CG_SLICE_NONE);
    struct proposal *proposal = proposal_of(paste, uri, by, type);
    if (proposal != NULL && is_path) add_member(proposal, node);
}

/* Asked without any mapping, so all of it can be one. */
static void take_group(struct paste *paste, const json_t *node) {
    const struct cg_slice group = cg_json_text_at(node, "group");
    struct cg_uri uri;
    struct cg_buf name;
    if (cg_uri_parse(&uri, group, NULL) < 0) return;
    cg_buf_init(&name, 0);
    cg_buf_put_str(&name, "group-");
    cg_buf_put_slice(&name, uri.host);
    struct proposal *proposal = proposal_of(paste, group_uri(group, cg_slice_str("/")), NULL, cg_buf_slice(&name));
    if (proposal != NULL) add_member(proposal, node);
    cg_buf_fini(&name);
}

/* NULL: the settings have none of that name, or the node was asked by none. */
static const struct cg_mapping *mapping_of(const struct paste *paste, const json_t *node) {
    const char *name = json_string_value(json_object_get(node, "mapping"));
    return name == NULL ? NULL : cg_mapping_by_name(paste->config, name);
}

static bool has_list(const json_t *node) {
    return !cg_json_is_at(node, "state", "silent") && !cg_json_is_at(node, "state", "refused");
}

static void take_node(struct paste *paste, const json_t *node) {
    const struct cg_mapping *by = mapping_of(paste, node);
    bool is_by_none = cg_json_text_at(node, "mapping").len == 0;
    size_t i;
    const json_t *link;
    if (!has_list(node) || (by == NULL && !is_by_none)) return;
    if (is_by_none) take_group(paste, node);
    if (by != NULL && by->security == CG_SECURITY_RELAY) return;
    json_array_foreach(json_object_get(node, "links"), i, link) take_link(paste, node, by, link);
}

/* A group of that name is protected by a security group that nobody has joined yet. */
static bool is_pending(const struct paste *paste, struct cg_slice application) {
    size_t i;
    const json_t *group;
    json_array_foreach(json_object_get(paste->document, "security_groups"), i, group) {
        if (cg_slice_equal(cg_json_text_at(group, "application"), application)) return true;
    }
    return false;
}

static void take_entry(struct paste *paste, const json_t *entry) {
    const struct cg_slice name = cg_json_text_at(entry, "name");
    if (!json_is_true(json_object_get(entry, "is_group")) || is_pending(paste, name)) return;
    (void)proposal_of(paste, group_uri(cg_json_text_at(entry, "base"), CG_SLICE_NONE), NULL, name);
}

static void gather(struct paste *paste) {
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(paste->document, "nodes"), i, item) take_node(paste, item);
    json_array_foreach(json_object_get(paste->document, "entries"), i, item) take_entry(paste, item);
}

/* ---- Writing ---- */

static bool takes_anonymous(const struct cg_config *config) {
    for (size_t i = 0; i < config->http.listen_count; i++) {
        if (config->http.listen[i].loopback || config->http.listen[i].insecure) return true;
    }
    return false;
}

static json_t *clients_of(const struct cg_mapping *mapping) {
    json_t *clients = json_array();
    for (size_t i = 0; i < mapping->grant_count; i++) {
        const struct cg_client *client = mapping->grants[i].client;
        if ((mapping->grants[i].methods & CG_METHOD_BIT(CG_GET)) == 0) continue;
        (void)json_array_append_new(clients, client == NULL
                                                 ? json_string("anonymous")
                                                 : json_pack("{s:s, s:[s]}", "name", client->name, "methods", "GET"));
    }
    return clients;
}

/* Whoever may use the mapping by which it was found; on a machine of one's own everybody there. */
static json_t *clients_for(const struct paste *paste, const struct proposal *proposal) {
    if (proposal->by != NULL) return clients_of(proposal->by);
    json_t *clients = json_array();
    if (takes_anonymous(paste->config)) (void)json_array_append_new(clients, json_string("anonymous"));
    return clients;
}

static json_int_t timeout_of(const struct cg_mapping *by) {
    if (by == NULL) return PLAIN_TIMEOUT_S;
    json_int_t seconds = by->has_timeout ? (json_int_t)(by->timeout_us / 1000000) : (json_int_t)by->leisure;
    return seconds < TIMEOUT_MAX_S ? seconds + !by->has_timeout : TIMEOUT_MAX_S;
}

/* By the interface that it was asked by, where the settings name one. */
static void put_way(json_t *mapping, const struct paste *paste, const struct cg_mapping *by) {
    const char *interface = by == NULL ? paste->config->group.interface : by->targets[0].interface;
    unsigned hops = by == NULL ? 1 : by->targets[0].hops;
    if (interface != NULL) (void)json_object_set_new(mapping, "interface", json_string(interface));
    if (hops > 1) (void)json_object_set_new(mapping, "hops", json_integer(hops));
}

/* NULL: no memory. */
static json_t *to_json(const struct paste *paste, const struct proposal *proposal) {
    const struct cg_mapping *by = proposal->by;
    char path[CG_NAME_MAX + 2];
    snprintf(path, sizeof path, "/%s", proposal->name);
    json_t *mapping = json_pack("{s:s, s:s, s:s}", "name", proposal->name, "path", path, "group", proposal->uri);
    put_way(mapping, paste, by);
    if (is_secured(by)) {
        (void)json_object_set_new(mapping, "security", json_string(by->keys->name));
    } else {
        (void)json_object_set_new(mapping, "security", json_string("none"));
        (void)json_object_set_new(mapping, "methods", json_pack("[s]", "GET"));
    }
    (void)json_object_set_new(mapping, "timeout", json_integer(timeout_of(by)));
    if (proposal->members != NULL) (void)json_object_set(mapping, "members", proposal->members);
    (void)json_object_set_new(mapping, "clients", clients_for(paste, proposal));
    return mapping;
}

static void put_json(struct cg_buf *to, json_t *value) {
    char *text = json_dumps(value, JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
    if (text == NULL) {
        to->failed = true;
    } else {
        cg_buf_put_str(to, text);
    }
    free(text);
    json_decref(value);
}

static void put_mappings(struct cg_buf *to, const struct paste *paste) {
    cg_buf_put_str(to, "\nsettings to paste: these belong to \"mappings\" (castgate -T checks them)\n{\"mappings\": [");
    for (size_t i = 0; i < paste->count; i++) {
        cg_buf_put_str(to, i > 0 ? ",\n  " : "\n  ");
        put_json(to, to_json(paste, &paste->list[i]));
    }
    cg_buf_put_str(to, "]}\n");
    if (paste->left_out > 0) cg_buf_printf(to, "(and %zu more that could be: --filter says which)\n", paste->left_out);
}

/* Who could be expected, where nobody is. */
static void put_members(struct cg_buf *to, const struct paste *paste, const struct cg_mapping *mapping) {
    struct proposal members = {.by = mapping};
    size_t i;
    const json_t *node;
    if (mapping->security != CG_SECURITY_NONE || mapping->member_count > 0) return;
    json_array_foreach(json_object_get(paste->document, "nodes"), i, node) {
        if (has_list(node) && mapping_of(paste, node) == mapping) add_member(&members, node);
    }
    if (members.members == NULL) return;
    cg_buf_printf(to, "\nwho answered: these belong to mapping \"%s\", whose replies then say who is missing\n",
                  mapping->name);
    cg_buf_put_str(to, "\"members\": ");
    put_json(to, members.members);
    cg_buf_put_u8(to, '\n');
}

static void forget(struct paste *paste) {
    for (size_t i = 0; i < paste->count; i++) {
        free(paste->list[i].uri);
        json_decref(paste->list[i].members);
    }
}

void cg_discover_paste(struct cg_buf *to, const json_t *document, const struct cg_config *config) {
    struct paste paste = {.config = config, .document = document};
    const struct cg_mapping *mapping;
    gather(&paste);
    for (uint32_t next = 0; (mapping = cg_config_next_mapping(config, &next)) != NULL;)
        put_members(to, &paste, mapping);
    if (paste.count > 0) put_mappings(to, &paste);
    forget(&paste);
}
