/* Sets of what must be unique. The hard thing: a stored item that turns out to be no good must leave nothing in them,
 * or it would be in the way of a good one. */
#include "settings/reader.h"

#include <stdlib.h>

struct cg_seen {
    const char *pointer;
    enum cg_origin origin;
    struct cg_seen **set;   /* of `unique` */
    struct cg_seen *before; /* taken by the same item; NULL: the first */
    UT_hash_handle hh;
};

static struct cg_seen *find(struct cg_seen *set, struct cg_slice key) {
    struct cg_seen *seen;
    HASH_FIND(hh, set, key.data, key.len, seen);
    return seen;
}

/* NULL: no memory. */
static struct cg_seen *add(struct cg_reader *reader, struct cg_seen **set, struct cg_slice key,
                           const struct cg_at *at) {
    struct cg_slice kept = cg_arena_copy(&reader->scratch, key);
    if (kept.data == NULL) kept.data = (const uint8_t *)""; /* an empty key: the table hands it to memcmp */
    struct cg_seen *seen = cg_arena_zalloc(&reader->scratch, sizeof *seen);
    if (seen == NULL || kept.len != key.len) {
        reader->out_of_memory = true;
        return NULL;
    }
    seen->pointer = cg_pointer_text(reader, at);
    seen->origin = reader->origin;
    HASH_ADD_KEYPTR(hh, *set, kept.data, kept.len, seen);
    if (CG_HASH_HAS(hh, seen)) return seen;
    reader->out_of_memory = true;
    return NULL;
}

const char *cg_seen_before(struct cg_reader *reader, struct cg_seen **set, struct cg_slice key,
                           const struct cg_at *at) {
    const struct cg_seen *seen = find(*set, key);
    if (seen != NULL) return seen->pointer;
    (void)add(reader, set, key, at);
    return NULL;
}

void cg_seen_clear(struct cg_seen **set) { HASH_CLEAR(hh, *set); }

/* What the settings file has in place of a stored item. */
static const char *const shadows[CG_UNIQUE_COUNT] = {
    [CG_UNIQUE_MAPPING] = "the settings file has a mapping of that name",
    [CG_UNIQUE_PLACE] = "the settings file has a mapping at that path",
    [CG_UNIQUE_REACTION] = "the settings file has a reaction of that name",
};

/* The file's mapping of that number, among those that are in the order of their numbers. */
static const struct cg_mapping *mapping_at(const struct cg_mapping *mappings, size_t count, uint32_t place) {
    size_t end = count > place ? (size_t)place + 1 : count;
    while (end > 0 && mappings[end - 1].place != place) end--;
    return end == 0 ? NULL : &mappings[end - 1];
}

/* NULL: it is none. */
static const struct cg_mapping *mapping_of_file(const struct cg_reader *reader, const struct cg_seen *seen) {
    static const char collection[] = "/mappings/";
    const struct cg_config *config = reader->config;
    if (strncmp(seen->pointer, collection, sizeof collection - 1) != 0) return NULL;
    uint32_t place = (uint32_t)strtoul(seen->pointer + sizeof collection - 1, NULL, 10);
    const struct cg_mapping *mapping = mapping_at(config->mappings, config->mapping_count, place);
    return mapping != NULL ? mapping : mapping_at(config->idle_mappings, config->idle_mapping_count, place);
}

/* With which one it is, where that is a mapping. */
static const char *shadow_of(struct cg_reader *reader, enum cg_unique what, const struct cg_seen *seen) {
    const struct cg_mapping *mapping = mapping_of_file(reader, seen);
    struct cg_buf text;
    if (mapping == NULL || mapping->name == NULL || mapping->path == NULL) return shadows[what];
    cg_buf_init(&text, 0);
    cg_buf_printf(&text, "%s (%s at %s%s)", shadows[what], mapping->name, mapping->host == NULL ? "" : mapping->host,
                  mapping->path);
    if (text.failed) reader->out_of_memory = true;
    const char *kept = cg_keep_text(reader, cg_buf_slice(&text));
    cg_buf_fini(&text);
    return kept == NULL ? shadows[what] : kept;
}

const char *cg_unique_before(struct cg_reader *reader, enum cg_unique what, struct cg_slice key,
                             const struct cg_at *at) {
    struct cg_seen **set = &reader->unique[what], *seen = find(*set, key);
    if (reader->derives != NULL) {
        reader->is_taken |= cg_derive_is_taken(reader, what, key);
        return NULL;
    }
    if (seen == NULL) {
        seen = add(reader, set, key, at);
        if (seen == NULL || reader->origin == CG_ORIGIN_FILE) return NULL;
        seen->set = set;
        seen->before = reader->taken;
        reader->taken = seen;
        return NULL;
    }
    if (reader->origin != CG_ORIGIN_STORE || seen->origin != CG_ORIGIN_FILE || shadows[what] == NULL)
        return seen->pointer;
    if (reader->shadow == NULL) {
        reader->shadow = shadow_of(reader, what, seen);
        reader->shadow_at = cg_pointer_text(reader, at);
    }
    return NULL;
}

void cg_unique_give_back(struct cg_reader *reader) {
    for (; reader->taken != NULL; reader->taken = reader->taken->before) HASH_DEL(*reader->taken->set, reader->taken);
}

void cg_unique_clear(struct cg_reader *reader) {
    for (size_t i = 0; i < CG_UNIQUE_COUNT; i++) cg_seen_clear(&reader->unique[i]);
}

bool cg_is_undefined_again(struct cg_reader *reader, const char *section, const char *name, const struct cg_at *at) {
    static const struct cg_at document;
    struct cg_buf key;
    if (cg_is_mistaken_itself(reader, &document, section)) return true;
    cg_buf_init(&key, 0);
    cg_buf_printf(&key, "%s/%s", section, name);
    if (key.failed) reader->out_of_memory = true;
    bool again = cg_seen_before(reader, &reader->undefined, cg_buf_slice(&key), at) != NULL;
    cg_buf_fini(&key);
    return again;
}
