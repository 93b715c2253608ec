/* URIs to mappings, the way that mapping.c has from paths: hashes of all prefixes in one pass, the longest first. The
 * hard thing is the final slash: "coap://g/a/" is a group URI, and everything below it begins with its text, but
 * "coap://g/a" is not below it, although both are kept as "coap://g/a". */
#include "model/forward.h"

#include "base/check.h"
#include "base/text.h"

bool cg_forward_is_open(const struct cg_mapping *mapping) {
    return mapping->forward && mapping->target_count == 1 && strchr(mapping->targets[0].uri, '?') == NULL;
}

static struct cg_slice key_of(const struct cg_mapping *mapping, bool *has_slash) {
    struct cg_slice key = cg_slice_str(mapping->targets[0].uri);
    *has_slash = key.len > 0 && key.data[key.len - 1] == '/';
    key.len -= *has_slash;
    return key;
}

bool cg_forward_index(struct cg_config *config) {
    for (size_t i = 0; i < config->mapping_count; i++) {
        struct cg_mapping *mapping = &config->mappings[i];
        bool has_slash;
        if (!cg_forward_is_open(mapping)) continue;
        struct cg_slice key = key_of(mapping, &has_slash);
        uint32_t hash = cg_fnv(CG_FNV_START, key.data, key.len);
        HASH_ADD_KEYPTR_BYHASHVALUE(hh_group, config->mappings_by_group, key.data, key.len, hash, mapping);
        if (!CG_HASH_HAS(hh_group, mapping)) return false;
        if (key.len > config->longest_group) config->longest_group = key.len;
    }
    return true;
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
            struct cg_mapping *mapping;
            HASH_FIND_BYHASHVALUE(hh_group, config->mappings_by_group, uri.data, len, hash, mapping);
            *rest = cg_slice_of(uri.data + len, uri.len - len);
            if (mapping != NULL && lies_below(mapping, *rest)) return mapping;
        }
        hash = cg_fnv_undo(hash, uri.data[len - 1]);
    }
    return NULL;
}
