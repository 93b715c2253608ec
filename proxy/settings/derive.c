/* Edits of mappings to a snapshot that is derived from the one in use (model/derive.h). The hard thing is to decide
 * nothing that reading everything would decide otherwise: so only what is plain is done here, and whatever meets
 * something else, or may bring something else back into use, is left to that. */
#include "settings/stored_reader.h"

#include "base/check.h"
#include "base/text.h"
#include "model/derive.h"
#include "model/forward.h"
#include "model/mapping.h"
#include "model/reaction.h"

#include <stdio.h>

/* Reading everything is cheaper where much of it changes. */
enum { FEW = 16, SHARE = 8 };

static bool is_commanded(const struct cg_config *config, const char *mapping) {
    for (size_t i = 0; i < config->reaction_count; i++) {
        const struct cg_reaction *reaction = &config->reactions[i];
        for (size_t j = 0; j < reaction->command_count; j++)
            if (strcmp(reaction->commands[j].mapping, mapping) == 0) return true;
    }
    return false;
}

/* Keys in a file come from a folder that only the settings file's reader knows. */
static bool names_a_file(const struct cg_item *item) {
    static const char key[] = "\"check_signature\"";
    return item != NULL && item->document.len > 0 &&
           memmem(item->document.data, item->document.len, key, sizeof key - 1) != NULL;
}

static bool is_plain(const struct cg_config *in_use, const struct cg_edit *edit) {
    return edit->kind == CG_ITEM_MAPPING && !names_a_file(edit->item) && !is_commanded(in_use, edit->name) &&
           !cg_stored_is_of_file(in_use, edit->kind, edit->name);
}

bool cg_settings_may_derive(const struct cg_config *in_use, const struct cg_edit *edits, size_t count) {
    if (!cg_derive_is_worthwhile(in_use) || cg_stored_may_return(in_use)) return false;
    if (count > FEW + cg_config_mappings(in_use) / SHARE) return false;
    for (size_t i = 0; i < count; i++)
        if (!is_plain(in_use, &edits[i])) return false;
    return true;
}

/* ---- What no two mappings may share ---- */

static bool is_at_place(const struct cg_config *config, struct cg_slice key, const char *name) {
    char host[CG_MAPPING_HOST_MAX + 1];
    const char *bar = memchr(key.data, '|', key.len);
    CG_CHECK(bar != NULL);
    size_t len = (size_t)(bar - (const char *)key.data);
    if (len > CG_MAPPING_HOST_MAX) return true;
    memcpy(host, key.data, len);
    host[len] = '\0';
    const struct cg_mapping *there =
        cg_mapping_at(config, len == 0 ? NULL : host, cg_slice_of((const uint8_t *)bar + 1, key.len - len - 1));
    return there != NULL && strcmp(there->name, name) != 0;
}

static bool is_for_uri(const struct cg_config *config, struct cg_slice key, const char *name) {
    const struct cg_mapping *there = cg_forward_at(config, key);
    return there != NULL && strcmp(there->name, name) != 0;
}

bool cg_derive_is_taken(const struct cg_reader *reader, enum cg_unique what, struct cg_slice key) {
    if (reader->out_of_memory) return false; /* the key may not be whole */
    switch (what) {
    case CG_UNIQUE_PLACE: return is_at_place(reader->config, key, reader->derives);
    case CG_UNIQUE_FORWARD: return is_for_uri(reader->config, key, reader->derives);
    default: return false; /* a name is the edit's own */
    }
}

/* ---- Edits ---- */

static bool take_out(struct cg_reader *reader, const char *name) {
    const struct cg_mapping *mapping = cg_mapping_by_name(reader->config, name);
    if (mapping != NULL && !cg_derive_remove_mapping(reader->config, mapping)) reader->out_of_memory = true;
    return mapping != NULL;
}

static void put_in(struct cg_stored_reading *reading, const struct cg_item *item) {
    struct cg_reader *reader = reading->reader;
    if (reading->rests != NULL) {
        take_out(reader, item->name);
        cg_stored_derive_state(reader, item->kind, item->name, CG_ITEM_DISABLED, reading->rests);
        return;
    }
    if (!cg_derive_put_mapping(reader->config, reader->made)) reader->out_of_memory = true;
    cg_stored_derive_state(reader, item->kind, item->name, CG_ITEM_IN_USE, NULL);
}

static void read_item(struct cg_stored_reading *reading, const struct cg_item *item) {
    struct cg_reader *reader = reading->reader;
    const struct cg_at root = {0}, collection = {.up = &root, .key = cg_item_collections[item->kind]},
                       at = {.up = &collection, .key = item->name};
    size_t before = reader->mistakes->count;
    reader->derives = item->name;
    reader->made = NULL;
    reading->rests = NULL;
    cg_seen_clear(&reader->undefined);
    cg_stored_read_item(reading, &at, item);
    bool is_good = reader->mistakes->count == before && !reader->out_of_memory && !reader->is_taken;
    if (is_good) put_in(reading, item);
}

/* Who goes makes room for who comes. */
static void apply(struct cg_stored_reading *reading) {
    const struct cg_stored *stored = reading->stored;
    struct cg_reader *reader = reading->reader;
    for (size_t i = 0; i < stored->edit_count && !reader->out_of_memory; i++) {
        if (stored->edits[i].item != NULL) continue;
        take_out(reader, stored->edits[i].name);
        cg_stored_derive_state(reader, stored->edits[i].kind, stored->edits[i].name, CG_ITEM_IN_USE, NULL);
    }
    for (size_t i = 0; i < stored->edit_count && !reader->out_of_memory; i++) {
        if (stored->edits[i].item != NULL) read_item(reading, stored->edits[i].item);
    }
}

int cg_settings_derive(struct cg_config *config, const struct cg_stored *stored, struct cg_mistakes *mistakes) {
    struct cg_reader reader = {.config = config,
                               .mistakes = mistakes,
                               .folder = "/",
                               .origin = CG_ORIGIN_STORE,
                               .takes_anonymous = config->takes_anonymous};
    struct cg_stored_reading reading = {.reader = &reader, .stored = stored, .told = mistakes};
    size_t before = mistakes->count;
    cg_arena_init(&reader.scratch, SIZE_MAX, NULL);
    apply(&reading);
    cg_seen_clear(&reader.undefined);
    cg_arena_fini(&reader.scratch);
    if (reader.out_of_memory) {
        cg_mistakes_fini(mistakes);
        return CG_E_NO_MEMORY;
    }
    if (reader.is_taken) {
        cg_mistakes_fini(mistakes);
        return CG_E_CONFLICT;
    }
    return mistakes->count > before ? CG_E_FORMAT : CG_OK;
}
