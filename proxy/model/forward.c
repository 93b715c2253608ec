/* URIs to mappings, the way that mapping.c has from paths: hashes of all prefixes in one pass, the longest first. The
 * hard thing is the final slash: "coap://g/a/" is a group URI, and everything below it begins with its text, but
 * "coap://g/a" is not below it, although both are kept as "coap://g/a". */
#include "model/forward.h"

#include "base/check.h"
#include "base/text.h"

bool cg_forward_is_open(const struct cg_mapping *mapping) {
    return mapping->forward && mapping->target_count == 1 && strchr(mapping->targets[0].uri, '?') == NULL;
}

static struct cg_slice key_of_uri(struct cg_slice key, bool *has_slash) {
    *has_slash = key.len > 0 && key.data[key.len - 1] == '/';
    key.len -= *has_slash;
    return key;
}

static struct cg_slice key_of(const struct cg_mapping *mapping, bool *has_slash) {
    return key_of_uri(cg_slice_str(mapping->targets[0].uri), has_slash);
}

static uint32_t hash_of(struct cg_slice key) { return cg_fnv(CG_FNV_START, key.data, key.len); }

static void lengthen(struct cg_config *config, struct cg_slice key) {
    if (key.len > config->longest_group) config->longest_group = key.len;
}

bool cg_forward_index(struct cg_config *config) {
    for (size_t i = 0; i < config->mapping_count; i++) config->forwards += cg_forward_is_open(&config->mappings[i]);
    if (!cg_index_init(&config->mappings_by_group, &config->arena, config->forwards)) return false;
    for (size_t i = 0; i < config->mapping_count; i++) {
        bool has_slash;
        if (!cg_forward_is_open(&config->mappings[i])) continue;
        struct cg_slice key = key_of(&config->mappings[i], &has_slash);
        cg_index_fill(&config->mappings_by_group, hash_of(key), (uint32_t)i);
        lengthen(config, key);
    }
    return true;
}

bool cg_forward_change(struct cg_config *config, const struct cg_mapping *before, const struct cg_mapping *now) {
    bool has_slash;
    if (before != NULL) config->forwards -= cg_forward_is_open(before);
    if (now == NULL || !cg_forward_is_open(now)) return true;
    struct cg_slice key = key_of(now, &has_slash);
    config->forwards++;
    lengthen(config, key);
    return cg_index_add(&config->mappings_by_group, &config->arena, hash_of(key), now->number);
}

static bool stands_for(const struct cg_mapping *mapping, struct cg_slice group) {
    bool has_slash;
    return cg_forward_is_open(mapping) && cg_slice_equal(key_of(mapping, &has_slash), group);
}

static const struct cg_mapping *find_group(const struct cg_config *config, struct cg_slice group, uint32_t hash) {
    uint32_t number;
    struct cg_index_look look = cg_index_look(&config->mappings_by_group, hash);
    while (cg_index_next(&look, &number)) {
        const struct cg_mapping *mapping = cg_config_mapping(config, number);
        if (mapping != NULL && stands_for(mapping, group)) return mapping;
    }
    return NULL;
}

const struct cg_mapping *cg_forward_at(const struct cg_config *config, struct cg_slice uri) {
    bool has_slash;
    struct cg_slice key = key_of_uri(uri, &has_slash);
    return find_group(config, key, hash_of(key));
}

/* The end of "coap://host:port", or 0. */
static size_t authority_end(struct cg_slice uri) {
    const uint8_t *colon = uri.len == 0 ? NULL : memchr(uri.data, ':', uri.len);
    size_t at = colon == NULL ? uri.len : (size_t)(colon - uri.data) + 3; /* "://" */
    if (at >= uri.len) return 0;
    const uint8_t *slash = memchr(uri.data + at, '/', uri.len - at);
    return slash == NULL ? uri.len : (size_t)(slash - uri.data);
}

static bool lies_below(const struct cg_mapping *mapping, struct cg_slice rest) {
    bool has_slash;
    key_of(mapping, &has_slash);
    return !has_slash || rest.len > 0;
}

const struct cg_mapping *cg_forward_find(const struct cg_config *config, struct cg_slice uri, struct cg_slice *rest) {
    size_t shortest = authority_end(uri);
    size_t len = uri.len < config->longest_group ? uri.len : config->longest_group;
    if (shortest == 0) return NULL;
    uint32_t hash = cg_fnv(CG_FNV_START, uri.data, len);
    for (; len >= shortest; len--) {
        if (len == uri.len || uri.data[len] == '/') {
            const struct cg_mapping *mapping = find_group(config, cg_slice_of(uri.data, len), hash);
            *rest = cg_slice_of(uri.data + len, uri.len - len);
            if (mapping != NULL && lies_below(mapping, *rest)) return mapping;
        }
        hash = cg_fnv_undo(hash, uri.data[len - 1]);
    }
    return NULL;
}

int cg_forward_set_target(struct cg_request *request, struct cg_arena *arena, const struct cg_uri *uri,
                          struct cg_problem *problem) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_uri_emit_normal(&text, uri);
    struct cg_slice kept = text.failed ? CG_SLICE_NONE : cg_arena_copy(arena, cg_buf_slice(&text));
    cg_buf_fini(&text);
    if (kept.data == NULL) return cg_problem_no_memory(problem);
    const uint8_t *mark = memchr(kept.data, '?', kept.len);
    size_t len = mark == NULL ? kept.len : (size_t)(mark - kept.data);
    request->forward = true;
    request->path = cg_slice_of(kept.data, len);
    if (mark != NULL) request->query = cg_slice_of(mark + 1, kept.len - len - 1);
    return CG_OK;
}
