/* Settings that the admin side has set: below the file's, above the defaults. The hard thing is whose mistake it is
 * where a stored value and one of the file do not go together: the file's alone is looked at first, and what is then
 * wrong with both is the stored ones'. */
#include "settings/json_load.h"
#include "settings/rows.h"
#include "settings/stored_reader.h"

/* What may be set there at all */

static void check_rows(struct cg_reader *reader, const struct cg_at *at, const struct cg_rows *rows,
                       const json_t *json) {
    for (size_t i = 0; i < rows->count; i++) {
        const struct cg_row *row = &rows->list[i];
        struct cg_at child;
        const json_t *value = cg_read_member(at, json, row->key, &child);
        if (value == NULL) continue;
        if ((row->flags & CG_ROW_ITEMS) != 0) {
            cg_mistake_at(reader, &child, "is no setting: its items are set one by one");
        } else if ((row->flags & CG_ROW_FILE_ONLY) != 0) {
            cg_mistake_at(reader, &child, "can be set in the settings file only");
        } else if (row->kind->shape == CG_SHAPE_OBJECT) {
            check_rows(reader, &child, row->of, value);
        }
    }
}

/* Merging */

static json_t *merge(json_t *above, json_t *below) {
    const char *key;
    json_t *value;
    json_t *merged = cg_json_copy(below);
    bool is_whole = merged != NULL;
    json_object_foreach(above, key, value) {
        json_t *other = json_object_get(below, key);
        bool both = json_is_object(value) && json_is_object(other);
        is_whole = is_whole && json_object_set_new(merged, key, both ? merge(value, other) : json_incref(value)) == 0;
    }
    if (is_whole) return merged;
    json_decref(merged);
    return NULL;
}

/* Without what is judged elsewhere. */
static json_t *without_items(json_t *document) {
    static const char *const items[] = {"security_groups", "clients", "mappings", "reactions", "alerts"};
    json_t *rest = cg_json_copy(document);
    for (size_t i = 0; rest != NULL && i < sizeof items / sizeof *items; i++) (void)json_object_del(rest, items[i]);
    return rest;
}

enum precedence { FILE_ABOVE, STORED_ABOVE };

/* The file's sections with what is stored. NULL: no memory. */
static json_t *merge_sections(json_t *file, json_t *stored, enum precedence precedence) {
    json_t *sections = without_items(file), *merged = NULL;
    if (sections != NULL) merged = precedence == FILE_ABOVE ? merge(sections, stored) : merge(stored, sections);
    json_decref(sections);
    return merged;
}

/* Takes `document` over. Whether there is a mistake in it. */
static bool is_good(struct cg_reader *reader, const struct cg_at *at, json_t *document, struct cg_mistakes *mistakes) {
    struct cg_reader trial = {.config = cg_config_new(), .mistakes = mistakes, .folder = reader->folder};
    size_t before = mistakes->count;
    if (trial.config == NULL || document == NULL) {
        reader->out_of_memory = true;
    } else {
        cg_arena_init(&trial.scratch, SIZE_MAX, NULL);
        cg_read_sections(&trial, at, document);
        cg_arena_fini(&trial.scratch);
        if (trial.out_of_memory) reader->out_of_memory = true;
    }
    cg_config_unref(trial.config);
    json_decref(document);
    return mistakes->count == before;
}

/* The part of the stored settings that rests on groups is kept for later. False: no memory. */
static bool take_alert_groups(struct cg_stored_reading *reading, const json_t *file, json_t *settings) {
    json_t *alerts = json_object_get(settings, "alerts");
    json_t *groups = json_object_get(alerts, "groups");
    if (groups == NULL) return true;
    if (json_object_get(json_object_get(file, "alerts"), "groups") == NULL) reading->alert_groups = json_incref(groups);
    return json_object_del(alerts, "groups") == 0;
}

static const struct cg_at root, collection = {.up = &root, .key = "settings"},
                                place = {.up = &collection, .key = CG_ITEM_SETTINGS_NAME};

/* Whether they go together with the file's. An edit is looked at whole, also where the file says something else: what
 * nobody would take is not kept either. */
static bool fits(struct cg_stored_reading *reading, json_t *file, json_t *settings, bool is_edit,
                 struct cg_mistakes *mistakes) {
    struct cg_reader *reader = reading->reader;
    return is_good(reader, &place, merge_sections(file, settings, FILE_ABOVE), mistakes) &&
           (!is_edit || is_good(reader, &place, merge_sections(file, settings, STORED_ABOVE), mistakes));
}

/* What of the stored settings counts; NULL: nothing, with mistakes, or for want of memory. */
static json_t *judge(struct cg_stored_reading *reading, json_t *file, const struct cg_stored_entry *entry,
                     struct cg_mistakes *mistakes) {
    struct cg_reader *reader = reading->reader;
    struct cg_mistakes *told = reader->mistakes;
    json_t *settings = NULL;
    reader->mistakes = mistakes;
    json_t *json = cg_stored_parse(reader, &place, entry->item);
    size_t before = mistakes->count;
    if (json != NULL) check_rows(reader, &place, &cg_document_rows, json);
    reader->mistakes = told;
    if (json == NULL || mistakes->count > before) goto out;
    settings = cg_json_deep_copy(json);
    if (settings == NULL || !take_alert_groups(reading, file, settings)) reader->out_of_memory = true;
    if (!reader->out_of_memory && fits(reading, file, settings, entry->is_edit, mistakes)) goto out;
    json_decref(settings);
    settings = NULL;
out:
    json_decref(json);
    return settings;
}

/* Whether the file alone is good, without a word: it is read again, and then told of. */
static bool file_is_good(struct cg_reader *reader, json_t *file) {
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    bool good = json_is_object(file) && is_good(reader, &root, without_items(file), &mistakes);
    cg_mistakes_fini(&mistakes);
    return good;
}

static json_t *read_settings(struct cg_stored_reading *reading, json_t *file, const struct cg_stored_entry *entry) {
    struct cg_mistakes own;
    cg_mistakes_init(&own);
    struct cg_mistakes *mistakes = entry->is_edit ? reading->told : &own;
    size_t before = mistakes->count;
    json_t *settings = judge(reading, file, entry, mistakes);
    if (entry->is_edit) {
        reading->mistakes += mistakes->count - before;
    } else if (own.first != NULL) {
        cg_stored_set_idle(reading, entry->item, CG_ITEM_DISABLED, own.first->message);
    }
    cg_mistakes_fini(&own);
    return settings;
}

json_t *cg_stored_merge_settings(struct cg_stored_reading *reading, json_t *document) {
    const struct cg_stored_entry *entry = cg_stored_find(reading, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME);
    if (entry == NULL || !file_is_good(reading->reader, document)) return json_incref(document);
    json_t *settings = read_settings(reading, document, entry);
    json_t *merged = settings == NULL ? json_incref(document) : merge(document, settings);
    json_decref(settings);
    return merged;
}

/* alerts.groups */

void cg_stored_read_alert_groups(struct cg_stored_reading *reading) {
    struct cg_reader *reader = reading->reader;
    const struct cg_stored_entry *entry = cg_stored_find(reading, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME);
    const struct cg_at alerts = {.up = &place, .key = "alerts"}, at = {.up = &alerts, .key = "groups"};
    struct cg_mistakes own;
    if (reading->alert_groups == NULL) return;
    cg_mistakes_init(&own);
    reader->mistakes = entry->is_edit ? reading->told : &own;
    size_t before = reader->mistakes->count;
    cg_seen_clear(&reader->undefined);
    cg_read_alert_groups(reader, &at, reading->alert_groups);
    if (entry->is_edit) reading->mistakes += reading->told->count - before;
    cg_mistakes_fini(&own);
    reader->mistakes = reading->told;
}
