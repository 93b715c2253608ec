/* Stored items and the settings file become one snapshot. The hard thing is blame: an item that is no good any more
 * must harm nobody, so it leaves no trace but its reason; an edit that is no good, or that would put something else out
 * of use, is refused, and told where. */
#include "settings/stored_reader.h"

#include "base/text.h"
#include "model/mapping.h"
#include "model/reaction.h"
#include "settings/json_text.h"
#include "settings/security_group.h"

#include <stdio.h>
#include <stdlib.h>

/* Which items there are */

static int compare_names(enum cg_item_kind kind, const char *name, enum cg_item_kind other_kind, const char *other) {
    return kind != other_kind ? (kind < other_kind ? -1 : 1) : strcmp(name, other);
}

static int compare_edits(const void *a, const void *b) {
    const struct cg_edit *const *one = a, *const *other = b;
    return compare_names((*one)->kind, (*one)->name, (*other)->kind, (*other)->name);
}

static int compare_entries(const void *a, const void *b) {
    const struct cg_stored_entry *one = a, *other = b;
    if (one->item->kind == other->item->kind && one->is_edit != other->is_edit) return one->is_edit ? 1 : -1;
    return compare_names(one->item->kind, one->item->name, other->item->kind, other->item->name);
}

static bool is_edited(const struct cg_edit **edits, size_t count, const struct cg_item *item) {
    const struct cg_edit wanted = {.kind = item->kind, .name = item->name}, *key = &wanted;
    return count > 0 && bsearch(&key, edits, count, sizeof(const struct cg_edit *), compare_edits) != NULL;
}

/* Those of one kind and origin are in the order of their names. */
const struct cg_stored_entry *cg_stored_find(const struct cg_stored_reading *reading, enum cg_item_kind kind,
                                             const char *name) {
    struct cg_item wanted = {.kind = kind};
    if (strlen(name) > CG_NAME_MAX) return NULL;
    strcpy(wanted.name, name);
    for (int is_edit = 0; is_edit < 2; is_edit++) {
        const struct cg_stored_entry key = {.item = &wanted, .is_edit = is_edit != 0};
        const struct cg_stored_entry *found =
            reading->count == 0 ? NULL : bsearch(&key, reading->entries, reading->count, sizeof key, compare_entries);
        if (found != NULL) return found;
    }
    return NULL;
}

static void add_entry(struct cg_stored_reading *reading, struct cg_stored_entry entry) {
    reading->entries[reading->count++] = entry;
    reading->reader->room[entry.item->kind]++;
}

/* False: no memory. */
static bool collect(struct cg_stored_reading *reading) {
    const struct cg_stored *stored = reading->stored;
    struct cg_arena *arena = &reading->reader->scratch;
    size_t most = stored->count + stored->edit_count;
    const struct cg_edit **edits = cg_arena_alloc(arena, (stored->edit_count + 1) * sizeof *edits);
    reading->entries = cg_arena_alloc(arena, (most + 1) * sizeof *reading->entries);
    if (edits == NULL || reading->entries == NULL || !cg_stored_make_idle_room(reading, most)) return false;
    for (size_t i = 0; i < stored->edit_count; i++) edits[i] = &stored->edits[i];
    if (stored->edit_count > 1) qsort(edits, stored->edit_count, sizeof *edits, compare_edits);
    for (size_t i = 0; i < stored->count; i++) {
        if (!is_edited(edits, stored->edit_count, stored->items[i]))
            add_entry(reading, (struct cg_stored_entry){.item = stored->items[i]});
    }
    for (size_t i = 0; i < stored->edit_count; i++) {
        if (stored->edits[i].item != NULL)
            add_entry(reading, (struct cg_stored_entry){.item = stored->edits[i].item, .is_edit = true});
    }
    if (reading->count > 1) qsort(reading->entries, reading->count, sizeof *reading->entries, compare_entries);
    return true;
}

/* Refusals */

/* Whether the item's document may speak of that name. */
static bool mentions(const struct cg_item *item, const char *name) {
    char quoted[CG_NAME_MAX + 3];
    int len = snprintf(quoted, sizeof quoted, "\"%s\"", name);
    return len > 0 && (size_t)len < sizeof quoted && item->document.len > 0 &&
           memmem(item->document.data, item->document.len, quoted, (size_t)len) != NULL;
}

static const struct cg_edit *find_cause(const struct cg_stored *stored, const struct cg_item *item) {
    for (size_t i = 0; i < stored->edit_count; i++) {
        if (stored->edits[i].kind <= item->kind && mentions(item, stored->edits[i].name)) return &stored->edits[i];
    }
    return &stored->edits[0];
}

void cg_stored_refuse(struct cg_stored_reading *reading, const struct cg_item *item, const char *why) {
    const struct cg_edit *cause = find_cause(reading->stored, item);
    char pointer[2 * CG_NAME_MAX + 2];
    snprintf(pointer, sizeof pointer, "/%s/%s", cg_item_collections[cause->kind], cause->name);
    cg_mistakes_add(reading->told, pointer, "%s/%s would be out of use: %s", cg_item_collections[item->kind],
                    item->name, why);
    reading->conflicts++;
}

/* Whether it is in use now, and edits would end that. */
static bool is_ended(const struct cg_stored_reading *reading, const struct cg_stored_entry *entry) {
    const struct cg_stored *stored = reading->stored;
    const char *reason;
    if (entry->is_edit || stored->edit_count == 0 || stored->in_use == NULL) return false;
    return cg_stored_state(stored->in_use, entry->item->kind, entry->item->name, &reason) == CG_ITEM_IN_USE;
}

/* Reading one item */

/* So many items there were before it. */
struct level {
    size_t groups, clients, mappings, reactions;
};

static struct level level_of(const struct cg_config *config) {
    return (struct level){config->security_group_count, config->client_count, config->mapping_count,
                          config->reaction_count};
}

static void take_back_groups(struct cg_config *config, size_t count) {
    while (config->security_group_count > count) {
        struct cg_security_keys *entry = &config->security_groups[--config->security_group_count];
        HASH_DEL(config->security_groups_by_name, entry);
        config->free_keys(entry->keys);
        config->free_keys(entry->next_keys);
    }
}

static void take_back(struct cg_reader *reader, const struct level *level) {
    struct cg_config *config = reader->config;
    take_back_groups(config, level->groups);
    config->client_count = level->clients;
    config->mapping_count = level->mappings;
    config->reaction_count = level->reactions;
    cg_unique_give_back(reader);
}

static void read_client(struct cg_stored_reading *reading, const struct cg_at *at, const json_t *json) {
    struct cg_reader *reader = reading->reader;
    if (cg_config_client_by_name(reader->config, at->key) != NULL) {
        reader->shadow = "the settings file has a client of that name";
        reader->shadow_at = cg_pointer_text(reader, at);
    } else {
        cg_read_client(reader, at, json);
    }
}

/* Whose it is, is looked up when all clients are there. */
static void read_token(struct cg_stored_reading *reading, const struct cg_at *at, const json_t *json) {
    struct cg_token_read *token = &reading->tokens[reading->token_count];
    if (!cg_token_read(reading->reader, at, at->key, json, token)) return;
    token->client = cg_keep_text(reading->reader, cg_slice_str(token->client));
    if (token->client != NULL) reading->tokens_of[reading->token_count++] = reading->reads;
}

static void read_mapping(struct cg_stored_reading *reading, const struct cg_at *at, const json_t *json) {
    if (json_is_false(json_object_get(json, "enabled"))) reading->rests = CG_STORED_NOT_ENABLED;
    cg_read_mapping(reading->reader, at, json);
}

static void read_reaction(struct cg_stored_reading *reading, const struct cg_at *at, const json_t *json) {
    if (reading->reader->config->reaction_count < CG_REACTIONS_MAX) {
        cg_read_reaction(reading->reader, at, json);
    } else {
        cg_mistake_at(reading->reader, at, "there are %d reactions already, and no more may be", CG_REACTIONS_MAX);
    }
}

typedef void read_item_fn(struct cg_stored_reading *reading, const struct cg_at *at, const json_t *json);

/* NULL: nothing comes of it by itself. */
static const struct {
    read_item_fn *read;
    bool has_name; /* among its keys; in a document it may be left out */
} kinds[CG_ITEM_KIND_COUNT] = {
    [CG_ITEM_SECURITY_GROUP] = {cg_stored_read_group, false},
    [CG_ITEM_CLIENT] = {read_client, false},
    [CG_ITEM_TOKEN] = {read_token, false},
    [CG_ITEM_MAPPING] = {read_mapping, true},
    [CG_ITEM_REACTION] = {read_reaction, true},
};

json_t *cg_stored_parse(struct cg_reader *reader, const struct cg_at *at, const struct cg_item *item) {
    json_error_t error;
    bool is_short;
    json_t *json = cg_json_read(item->document, &error, &is_short);
    if (json_is_object(json)) return json;
    if (json != NULL) {
        cg_mistake_at(reader, at, "must be an object");
        json_decref(json);
    } else if (is_short) {
        reader->out_of_memory = true;
    } else {
        cg_mistake_at(reader, at, "not JSON: %s", error.text);
    }
    return NULL;
}

static void set_name(struct cg_reader *reader, const struct cg_at *at, json_t *json, const char *name) {
    const json_t *said = json_object_get(json, "name");
    const struct cg_at child = {.up = at, .key = "name"};
    if (said == NULL) {
        if (json_object_set_new(json, "name", json_string(name)) < 0) reader->out_of_memory = true;
    } else if (!json_is_string(said) || strcmp(json_string_value(said), name) != 0) {
        cg_mistake_at(reader, &child, "must be \"%s\", the item's name, or absent", name);
    }
}

void cg_stored_read_item(struct cg_stored_reading *reading, const struct cg_at *at, const struct cg_item *item) {
    struct cg_reader *reader = reading->reader;
    json_t *json = cg_stored_parse(reader, at, item);
    if (json == NULL) return;
    size_t before = reader->mistakes->count;
    if (!cg_name_is_valid(item->name)) {
        cg_mistake_at(reader, at, "a name is 1 to 64 of a-z, 0-9, '.', '_', '-', and begins with a letter or digit");
    } else if (kinds[item->kind].has_name) {
        set_name(reader, at, json, item->name);
    }
    if (reader->mistakes->count == before) kinds[item->kind].read(reading, at, json);
    json_decref(json);
}

/* Of one that is no good: the first thing that is wrong with it. */
static const char *reason_of(struct cg_reader *reader, const struct cg_mistakes *mistakes, const char *pointer) {
    const struct cg_mistake *first = mistakes->first;
    struct cg_buf text;
    if (first == NULL) return "it cannot be read";
    const char *where = strncmp(first->pointer, pointer, strlen(pointer)) == 0 ? first->pointer + strlen(pointer) : "";
    cg_buf_init(&text, 0);
    cg_buf_printf(&text, "%s%s%s", where, *where == '\0' ? "" : ": ", first->message);
    if (text.failed) reader->out_of_memory = true;
    const char *kept = cg_keep_text(reader, cg_buf_slice(&text));
    cg_buf_fini(&text);
    return kept == NULL ? "" : kept;
}

static void end_item(struct cg_stored_reading *reading, const struct cg_stored_entry *entry, enum cg_item_state state,
                     const char *reason) {
    if (state == CG_ITEM_IN_USE) return;
    cg_stored_set_idle(reading, entry->item, state, reason);
    if (is_ended(reading, entry)) cg_stored_refuse(reading, entry->item, reason);
}

static void judge_edit(struct cg_stored_reading *reading, const struct cg_stored_entry *entry, size_t mistakes) {
    const struct cg_reader *reader = reading->reader;
    if (mistakes > 0) {
        reading->mistakes += mistakes;
    } else if (reader->shadow != NULL) {
        cg_mistakes_add(reading->told, reader->shadow_at, "%s: it can be changed there only", reader->shadow);
        reading->conflicts++;
    } else if (reading->rests != NULL) {
        end_item(reading, entry, CG_ITEM_DISABLED, reading->rests);
    }
}

static void judge(struct cg_stored_reading *reading, const struct cg_stored_entry *entry, const char *pointer) {
    struct cg_reader *reader = reading->reader;
    if (reading->rests != NULL) {
        end_item(reading, entry, CG_ITEM_DISABLED, reading->rests);
    } else if (reader->shadow != NULL) {
        end_item(reading, entry, CG_ITEM_SHADOWED, reader->shadow);
    } else if (reader->mistakes->count > 0) {
        end_item(reading, entry, CG_ITEM_DISABLED, reason_of(reader, reader->mistakes, pointer));
    }
}

static void read_entry(struct cg_stored_reading *reading, const struct cg_stored_entry *entry) {
    struct cg_reader *reader = reading->reader;
    const struct cg_item *item = entry->item;
    const struct cg_at root = {0}, collection = {.up = &root, .key = cg_item_collections[item->kind]},
                       at = {.up = &collection, .key = item->name};
    const struct level level = level_of(reader->config);
    struct cg_mistakes own;
    cg_mistakes_init(&own);
    reader->mistakes = entry->is_edit ? reading->told : &own;
    reader->shadow = reading->rests = NULL;
    reader->taken = NULL;
    reading->reads = entry;
    cg_seen_clear(&reader->undefined); /* what an item before it lacked, this one lacks, too */
    size_t before = reader->mistakes->count;
    cg_stored_read_item(reading, &at, item);
    size_t mistakes = reader->mistakes->count - before;
    if (mistakes > 0 || reader->shadow != NULL || reading->rests != NULL) take_back(reader, &level);
    if (entry->is_edit) {
        judge_edit(reading, entry, mistakes);
    } else {
        judge(reading, entry, cg_pointer_text(reader, &at));
    }
    reader->mistakes = reading->told;
    cg_mistakes_fini(&own);
}

static void read_kind(struct cg_stored_reading *reading, enum cg_item_kind kind) {
    if (kinds[kind].read == NULL) return;
    for (size_t i = 0; i < reading->count && !reading->reader->out_of_memory; i++) {
        if (reading->entries[i].item->kind == kind) read_entry(reading, &reading->entries[i]);
    }
}

/* All of them */

static void *room(struct cg_reader *reader, void *array, enum cg_item_kind kind, size_t size) {
    return array != NULL ? array : cg_keep_array(reader, reader->room[kind], size);
}

/* Where the file has no such section. */
static void make_room(struct cg_reader *reader) {
    struct cg_config *config = reader->config;
    config->security_groups =
        room(reader, config->security_groups, CG_ITEM_SECURITY_GROUP, sizeof *config->security_groups);
    config->clients = room(reader, config->clients, CG_ITEM_CLIENT, sizeof *config->clients);
    config->mappings = room(reader, config->mappings, CG_ITEM_MAPPING, sizeof *config->mappings);
    config->reactions = room(reader, config->reactions, CG_ITEM_REACTION, sizeof *config->reactions);
    config->free_keys = cg_security_group_free;
}

static bool make_token_room(struct cg_stored_reading *reading) {
    size_t count = reading->reader->room[CG_ITEM_TOKEN] + 1;
    struct cg_arena *arena = &reading->reader->scratch;
    reading->tokens = cg_arena_alloc(arena, count * sizeof *reading->tokens);
    reading->tokens_of = cg_arena_alloc(arena, count * sizeof *reading->tokens_of);
    if (reading->tokens == NULL || reading->tokens_of == NULL) reading->reader->out_of_memory = true;
    return !reading->reader->out_of_memory;
}

static void end_token(struct cg_stored_reading *reading, const struct cg_stored_entry *entry, const char *why) {
    char pointer[2 * CG_NAME_MAX + 2];
    if (!entry->is_edit) {
        end_item(reading, entry, CG_ITEM_DISABLED, why);
        return;
    }
    snprintf(pointer, sizeof pointer, "/%s/%s", cg_item_collections[CG_ITEM_TOKEN], entry->item->name);
    cg_mistakes_add(reading->told, pointer, "%s", why);
    reading->mistakes++;
}

static void read_clients_and_tokens(struct cg_stored_reading *reading) {
    struct cg_reader *reader = reading->reader;
    if (!make_token_room(reading)) return;
    read_kind(reading, CG_ITEM_CLIENT);
    read_kind(reading, CG_ITEM_TOKEN);
    if (!cg_config_index_clients(reader->config)) reader->out_of_memory = true;
    if (!reader->out_of_memory) cg_tokens_join(reader, reading->tokens, reading->token_count);
    if (reader->out_of_memory) return;
    for (size_t i = 0; i < reading->token_count; i++)
        if (reading->tokens[i].why != NULL) end_token(reading, reading->tokens_of[i], reading->tokens[i].why);
}

static int compare_mappings(const void *a, const void *b) {
    const struct cg_mapping *one = a, *other = b;
    return strcmp(one->name, other->name);
}

/* Whichever was edited last. */
static void order_mappings(struct cg_config *config, size_t of_file) {
    if (config->mapping_count > of_file)
        qsort(config->mappings + of_file, config->mapping_count - of_file, sizeof *config->mappings, compare_mappings);
}

static void read_items(struct cg_stored_reading *reading) {
    struct cg_reader *reader = reading->reader;
    struct cg_config *config = reader->config;
    size_t of_file = config->mapping_count;
    reader->origin = CG_ORIGIN_STORE;
    make_room(reader);
    if (reader->out_of_memory) return;
    read_kind(reading, CG_ITEM_SECURITY_GROUP);
    cg_stored_read_alert_groups(reading);
    read_clients_and_tokens(reading);
    read_kind(reading, CG_ITEM_MAPPING);
    order_mappings(config, of_file);
    read_kind(reading, CG_ITEM_REACTION);
    cg_stored_keep_idle(reading);
}

int cg_read_with_stored(struct cg_reader *reader, json_t *document, const struct cg_stored *stored) {
    struct cg_stored_reading reading = {.reader = reader, .stored = stored, .told = reader->mistakes};
    size_t before = reader->mistakes->count;
    json_t *merged = collect(&reading) ? cg_stored_merge_settings(&reading, document) : NULL;
    if (merged == NULL) {
        reader->out_of_memory = true;
        return CG_E_NO_MEMORY;
    }
    size_t of_edits = reader->mistakes->count - before;
    cg_read_document(reader, merged);
    bool is_good = reader->mistakes->count - before == of_edits;
    if (is_good) read_items(&reading);
    json_decref(merged);
    json_decref(reading.alert_groups);
    if (!is_good || reading.mistakes > 0) return CG_E_FORMAT;
    return reading.conflicts > 0 ? CG_E_CONFLICT : CG_OK;
}
