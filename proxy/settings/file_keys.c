/* Which settings the file itself says: they cannot be set elsewhere, and people are told where a value comes from. The
 * hard thing is what a key is: objects are merged key by key, and maps member by member, so it is these that count. */
#include <string.h>

#include "settings/rows.h"
#include "settings/stored_reader.h"

struct keys {
    struct cg_reader *reader;
    const char **list; /* NULL: only counted */
    size_t count;
};

static void add(struct keys *keys, const struct cg_at *at) {
    if (keys->list != NULL) {
        keys->list[keys->count] = cg_keep_text(keys->reader, cg_slice_str(cg_pointer_text(keys->reader, at)));
    }
    keys->count++;
}

static void add_members(struct keys *keys, const struct cg_at *at, const json_t *map) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value) {
        const struct cg_at child = {.up = at, .key = name};
        add(keys, &child);
    }
}

static void look(struct keys *keys, const struct cg_at *at, const struct cg_rows *rows, const json_t *json) {
    for (size_t i = 0; i < rows->count; i++) {
        const struct cg_row *row = &rows->list[i];
        struct cg_at child;
        const json_t *value = cg_read_member(at, json, row->key, &child);
        if (value == NULL || (row->flags & CG_ROW_ITEMS) != 0) continue;
        if (row->kind->shape == CG_SHAPE_OBJECT && json_is_object(value)) {
            look(keys, &child, row->of, value);
        } else if (row->kind->shape == CG_SHAPE_MAP && json_is_object(value)) {
            add_members(keys, &child, value);
        } else {
            add(keys, &child);
        }
    }
}

void cg_stored_keep_file_keys(struct cg_reader *reader, const json_t *document) {
    static const struct cg_at root;
    struct keys keys = {.reader = reader};
    look(&keys, &root, &cg_document_rows, document);
    if (keys.count == 0) return;
    keys.list = cg_keep_array(reader, keys.count, sizeof *keys.list);
    if (keys.list == NULL) return;
    keys.count = 0;
    look(&keys, &root, &cg_document_rows, document);
    reader->config->file_keys = keys.list;
    reader->config->file_key_count = keys.count;
}

bool cg_stored_file_sets(const struct cg_config *config, const char *pointer) {
    size_t i = 0;
    while (i < config->file_key_count && strcmp(config->file_keys[i], pointer) != 0) i++;
    return i < config->file_key_count;
}
