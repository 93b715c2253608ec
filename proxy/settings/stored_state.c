/* What a snapshot says of one item: whose it is, how it counts, or why it is not in use. The hard thing: a snapshot is
 * derived from another one by a few changes at the cost of these alone, so the list of what the first has not in use
 * stays, and what has come since stands before it. */
#include "settings/stored_reader.h"

#include "base/text.h"
#include "model/mapping.h"
#include "model/reaction.h"
#include "settings/rows.h"

#include <string.h>

/* What is not in use */

struct cg_idle_item {
    enum cg_item_kind kind;
    enum cg_item_state state;
    const char *name;
    const char *reason;
    const struct cg_idle_item *before; /* in a snapshot that is derived: with the same hash, or of the same item */
};

struct cg_idle_items {
    struct cg_table by_name;
    const struct cg_idle_item *list;
    struct cg_trie since; /* by hash, before those of the list */
    bool may_return;      /* some of the list */
};

static uint32_t hash_of(enum cg_item_kind kind, const char *name) {
    uint8_t byte = (uint8_t)kind;
    return cg_fnv(cg_fnv(CG_FNV_START, &byte, 1), name, strlen(name));
}

static bool is_item(const struct cg_idle_item *item, enum cg_item_kind kind, const char *name) {
    return item->kind == kind && strcmp(item->name, name) == 0;
}

static const struct cg_idle_item *find_since(const struct cg_idle_items *idle, uint32_t hash, enum cg_item_kind kind,
                                             const char *name) {
    void *first = NULL;
    cg_trie_find(&idle->since, hash, &first);
    const struct cg_idle_item *item = first;
    while (item != NULL && !is_item(item, kind, name)) item = item->before;
    return item;
}

enum cg_item_state cg_stored_state(const struct cg_config *config, enum cg_item_kind kind, const char *name,
                                   const char **reason) {
    const struct cg_idle_items *idle = config->idle_items;
    uint32_t hash = hash_of(kind, name), number;
    *reason = NULL;
    if (idle == NULL) return CG_ITEM_IN_USE;
    const struct cg_idle_item *since = find_since(idle, hash, kind, name);
    if (since != NULL) {
        *reason = since->reason;
        return since->state;
    }
    for (uint32_t at = hash; cg_table_next(&idle->by_name, hash, &at, &number);) {
        if (!is_item(&idle->list[number], kind, name)) continue;
        *reason = idle->list[number].reason;
        return idle->list[number].state;
    }
    return CG_ITEM_IN_USE;
}

bool cg_stored_make_idle_room(struct cg_stored_reading *reading, size_t most) {
    reading->idle = cg_arena_alloc(&reading->reader->scratch, (most + 1) * sizeof *reading->idle);
    return reading->idle != NULL;
}

void cg_stored_set_idle(struct cg_stored_reading *reading, const struct cg_item *item, enum cg_item_state state,
                        const char *reason) {
    reading->idle[reading->idle_count++] = (struct cg_idle_item){
        .kind = item->kind,
        .state = state,
        .name = cg_keep_text(reading->reader, cg_slice_str(item->name)),
        .reason = cg_keep_text(reading->reader, cg_slice_str(reason)),
    };
}

/* On clients, groups, mappings and what is unique among them; what says itself that it is not to be in use, or is
 * shadowed by the settings file, stays so. */
static bool rests_on_others(const struct cg_idle_item *item) {
    bool is_mistaken = item->state == CG_ITEM_DISABLED && strcmp(item->reason, CG_STORED_NOT_ENABLED) != 0;
    return is_mistaken && (item->kind == CG_ITEM_MAPPING || item->kind == CG_ITEM_REACTION);
}

void cg_stored_keep_idle(struct cg_stored_reading *reading) {
    struct cg_reader *reader = reading->reader;
    if (reading->idle_count == 0 || reader->out_of_memory) return;
    struct cg_idle_items *kept = cg_keep_array(reader, 1, sizeof *kept);
    struct cg_idle_item *list = cg_keep_array(reader, reading->idle_count, sizeof *list);
    if (kept == NULL || list == NULL) return;
    if (!cg_table_init(&kept->by_name, &reader->config->arena, reading->idle_count)) reader->out_of_memory = true;
    if (reader->out_of_memory) return;
    for (size_t i = 0; i < reading->idle_count; i++) {
        list[i] = reading->idle[i];
        kept->may_return |= rests_on_others(&list[i]);
        cg_table_add(&kept->by_name, hash_of(list[i].kind, list[i].name), (uint32_t)i);
    }
    kept->list = list;
    reader->config->idle_items = kept;
}

bool cg_stored_may_return(const struct cg_config *config) {
    return config->idle_items != NULL && config->idle_items->may_return;
}

/* A copy, to be changed. NULL: no memory. */
static struct cg_idle_items *own_idle(struct cg_reader *reader) {
    static const struct cg_idle_items none;
    const struct cg_idle_items *idle = reader->config->idle_items;
    struct cg_idle_items *copy = cg_keep_array(reader, 1, sizeof *copy);
    if (copy != NULL) *copy = idle == NULL ? none : *idle;
    return copy;
}

void cg_stored_derive_state(struct cg_reader *reader, enum cg_item_kind kind, const char *name,
                            enum cg_item_state state, const char *reason) {
    const char *before;
    if (state == CG_ITEM_IN_USE && cg_stored_state(reader->config, kind, name, &before) == CG_ITEM_IN_USE) return;
    struct cg_idle_items *idle = own_idle(reader);
    struct cg_idle_item *item = cg_keep_array(reader, 1, sizeof *item);
    void *first = NULL;
    if (idle == NULL || item == NULL) return;
    cg_trie_find(&idle->since, hash_of(kind, name), &first);
    *item = (struct cg_idle_item){.kind = kind, .state = state, .before = first};
    item->name = cg_keep_text(reader, cg_slice_str(name));
    item->reason = reason == NULL ? NULL : cg_keep_text(reader, cg_slice_str(reason));
    if (!cg_trie_put(&idle->since, &reader->config->arena, hash_of(kind, name), item)) reader->out_of_memory = true;
    reader->config->idle_items = idle;
}

/* What an item is */

static const struct cg_security_keys *find_group(const struct cg_config *config, const char *name) {
    struct cg_security_keys *entry;
    HASH_FIND_STR(config->security_groups_by_name, name, entry);
    return entry;
}

static bool is_idle_mapping(const struct cg_config *config, const char *name) {
    size_t i = 0;
    while (i < config->idle_mapping_count && strcmp(config->idle_mappings[i].name, name) != 0) i++;
    return i < config->idle_mapping_count;
}

static bool mapping_is_of_file(const struct cg_config *config, const char *name) {
    const struct cg_mapping *mapping = cg_mapping_by_name(config, name);
    return mapping != NULL ? !mapping->is_stored : is_idle_mapping(config, name);
}

bool cg_stored_is_of_file(const struct cg_config *config, enum cg_item_kind kind, const char *name) {
    const struct cg_security_keys *group;
    const struct cg_client *client;
    const struct cg_reaction *reaction;
    switch (kind) {
    case CG_ITEM_SECURITY_GROUP: return (group = find_group(config, name)) != NULL && group->stored_keys == NULL;
    case CG_ITEM_CLIENT: return (client = cg_config_client_by_name(config, name)) != NULL && !client->is_stored;
    case CG_ITEM_MAPPING: return mapping_is_of_file(config, name);
    case CG_ITEM_REACTION: return (reaction = cg_reaction_by_name(config, name)) != NULL && !reaction->is_stored;
    default: return false;
    }
}

/* The item, and the row of the list or map that it is in; NULL: it is not in use. */
static const void *find_item(const struct cg_config *config, enum cg_item_kind kind, const char *name,
                             const struct cg_row **list) {
    static const char *const keys[CG_ITEM_KIND_COUNT] = {
        [CG_ITEM_SECURITY_GROUP] = "security_groups",
        [CG_ITEM_CLIENT] = "clients",
        [CG_ITEM_MAPPING] = "mappings",
        [CG_ITEM_REACTION] = "reactions",
    };
    if (keys[kind] == NULL) return NULL;
    *list = cg_row_of(&cg_document_rows, keys[kind]);
    switch (kind) {
    case CG_ITEM_SECURITY_GROUP: return find_group(config, name);
    case CG_ITEM_CLIENT: return cg_config_client_by_name(config, name);
    case CG_ITEM_MAPPING: return cg_mapping_by_name(config, name);
    default: return cg_reaction_by_name(config, name);
    }
}

bool cg_stored_put_effective(struct cg_buf *to, const struct cg_config *config, enum cg_item_kind kind,
                             const char *name) {
    const struct cg_row *list;
    const void *item = find_item(config, kind, name, &list);
    if (item == NULL) return false;
    struct cg_out out = {.buf = to, .fresh = true};
    const struct cg_row row = {.kind = list->items->kind, .of = list->of};
    row.kind->print(&out, &row, item);
    return true;
}
