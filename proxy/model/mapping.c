/* Paths to mappings. The hard thing: the longest of any number of prefixes, in time proportional to the path, for paths
 * that consist of nothing but slashes, too. FNV-1a is invertible (its multiplier is odd), so one pass forward gives the
 * hash of the whole path, and walking back takes off one byte at a time: each '/' boundary costs one look-up by a hash
 * that is known already, and the first hit is the longest. */
#include "model/mapping.h"

#include "base/check.h"
#include "base/text.h"

/* A table's key is the host (empty: any), then the path: unambiguous, since a host has no '/' and a path begins with
 * one. */
struct key {
    uint8_t bytes[CG_MAPPING_HOST_MAX + CG_MAPPING_PATH_MAX + 1];
    size_t host_len;
    size_t path_len;
};

static bool is_unreserved(uint8_t c) { /* RFC 3986 §2.3 */
    uint8_t lower = (uint8_t)cg_ascii_lower((char)c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

/* The percent-encoded byte at the start of `text`, or -1. */
static int encoded_byte(struct cg_slice text) {
    if (text.len < 3) return -1;
    int high = cg_hex_digit(text.data[1]), low = cg_hex_digit(text.data[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Writes the normal form of `path`, its first `cap` bytes at most (never more than path.len). CG_E_BAD_URI. */
static int normalise(uint8_t *to, size_t cap, struct cg_slice path, size_t *len) {
    static const char digits[] = "0123456789ABCDEF";
    size_t out = 0;
    for (size_t at = 0; at < path.len && out < cap;) {
        if (path.data[at] != '%') {
            to[out++] = path.data[at++];
            continue;
        }
        int byte = encoded_byte(cg_slice_of(path.data + at, path.len - at));
        if (byte < 0) return CG_E_BAD_URI;
        at += 3;
        if (is_unreserved((uint8_t)byte)) {
            to[out++] = (uint8_t)byte;
            continue;
        }
        uint8_t triple[3] = {'%', (uint8_t)digits[byte >> 4], (uint8_t)digits[byte & 15]};
        for (size_t i = 0; i < sizeof triple && out < cap; i++) to[out++] = triple[i];
    }
    *len = out;
    return CG_OK;
}

int cg_mapping_normal_path(struct cg_buf *to, struct cg_slice path) {
    uint8_t *room = cg_buf_reserve(to, path.len);
    if (room == NULL) return CG_E_NO_MEMORY;
    size_t len;
    int err = normalise(room, path.len, path, &len);
    if (err == CG_OK) to->len += len;
    return err;
}

static uint32_t hash_of_place(const char *host, const char *path, size_t path_len) {
    uint32_t hash = host == NULL ? CG_FNV_START : cg_fnv(CG_FNV_START, host, strlen(host));
    return cg_fnv(hash, path, path_len);
}

static uint32_t hash_of_name(const char *name) { return cg_fnv(CG_FNV_START, name, strlen(name)); }

static size_t checked_path_len(const struct cg_mapping *mapping) {
    size_t path_len = strlen(mapping->path);
    CG_CHECK(path_len <= CG_MAPPING_PATH_MAX);
    CG_CHECK(mapping->host == NULL || strlen(mapping->host) <= CG_MAPPING_HOST_MAX);
    return path_len;
}

static void lengthen(struct cg_config *config, size_t path_len) {
    if (path_len > config->longest_path) config->longest_path = path_len;
}

bool cg_mapping_index(struct cg_config *config) {
    if (!cg_index_init(&config->mappings_by_path, &config->arena, config->mapping_count) ||
        !cg_index_init(&config->mappings_by_name, &config->arena, config->mapping_count))
        return false;
    for (size_t i = 0; i < config->mapping_count; i++) {
        struct cg_mapping *mapping = &config->mappings[i];
        mapping->number = (uint32_t)i;
        size_t path_len = checked_path_len(mapping);
        lengthen(config, path_len);
        cg_index_fill(&config->mappings_by_path, hash_of_place(mapping->host, mapping->path, path_len),
                      mapping->number);
        cg_index_fill(&config->mappings_by_name, hash_of_name(mapping->name), mapping->number);
    }
    return true;
}

bool cg_mapping_add(struct cg_config *config, const struct cg_mapping *mapping) {
    size_t path_len = checked_path_len(mapping);
    lengthen(config, path_len);
    return cg_index_add(&config->mappings_by_path, &config->arena,
                        hash_of_place(mapping->host, mapping->path, path_len), mapping->number) &&
           cg_index_add(&config->mappings_by_name, &config->arena, hash_of_name(mapping->name), mapping->number);
}

/* Whether it stands at the key's host and the first `path_len` bytes of the key's path. */
static bool stands_at(const struct cg_mapping *mapping, const struct key *key, size_t path_len) {
    struct cg_slice host = mapping->host == NULL ? CG_SLICE_NONE : cg_slice_str(mapping->host);
    return cg_slice_equal(host, cg_slice_of(key->bytes, key->host_len)) &&
           cg_slice_is(cg_slice_of(key->bytes + key->host_len, path_len), mapping->path);
}

static const struct cg_mapping *find_at(const struct cg_config *config, const struct key *key, size_t path_len,
                                        uint32_t hash) {
    uint32_t number;
    struct cg_index_look look = cg_index_look(&config->mappings_by_path, hash);
    while (cg_index_next(&look, &number)) {
        const struct cg_mapping *mapping = cg_config_mapping(config, number);
        if (mapping != NULL && stands_at(mapping, key, path_len)) return mapping;
    }
    return NULL;
}

/* The mapping with the longest path among the prefixes of the key's path, at the key's host. *prefix: its length. */
static const struct cg_mapping *find_longest(const struct cg_config *config, const struct key *key, size_t *prefix) {
    const uint8_t *path = key->bytes + key->host_len;
    size_t candidate = key->path_len < config->longest_path ? key->path_len : config->longest_path;
    uint32_t hash = cg_fnv(CG_FNV_START, key->bytes, key->host_len + candidate);
    for (;; candidate--) {
        if (candidate == key->path_len || path[candidate] == '/') {
            const struct cg_mapping *mapping = find_at(config, key, candidate, hash);
            *prefix = candidate;
            if (mapping != NULL) return mapping;
        }
        if (candidate == 0) return NULL;
        hash = cg_fnv_undo(hash, path[candidate - 1]);
    }
}

/* What follows a normalised prefix in the raw path: both have the same slashes, as "%2F" never becomes one. */
static struct cg_slice rest_after(struct cg_slice path, const uint8_t *prefix, size_t prefix_len) {
    size_t slashes = 0, at = 0;
    for (size_t i = 0; i < prefix_len; i++) slashes += prefix[i] == '/';
    for (; at < path.len; at++) {
        if (path.data[at] == '/' && slashes-- == 0) break;
    }
    return cg_slice_of(path.data + at, path.len - at);
}

static const struct cg_mapping *find_at_host(const struct cg_config *config, struct cg_slice host, struct cg_slice path,
                                             struct cg_slice *rest) {
    struct key key = {.host_len = host.len};
    if (host.len > 0) memcpy(key.bytes, host.data, host.len);
    uint8_t *normal = key.bytes + host.len;
    /* One byte beyond the longest path tells whether a '/' follows there. */
    if (normalise(normal, config->longest_path + 1, path, &key.path_len) < 0) return NULL;
    size_t prefix;
    const struct cg_mapping *mapping = find_longest(config, &key, &prefix);
    if (mapping != NULL) *rest = rest_after(path, normal, prefix);
    return mapping;
}

const struct cg_mapping *cg_mapping_find(const struct cg_config *config, struct cg_slice host, struct cg_slice path,
                                         struct cg_slice *rest) {
    const struct cg_mapping *mapping = NULL;
    if (path.len == 0 || path.data[0] != '/') return NULL;
    if (host.len > 0 && host.len <= CG_MAPPING_HOST_MAX) mapping = find_at_host(config, host, path, rest);
    return mapping != NULL ? mapping : find_at_host(config, CG_SLICE_NONE, path, rest);
}

static bool is_host(const char *one, const char *other) {
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

const struct cg_mapping *cg_mapping_at(const struct cg_config *config, const char *host, struct cg_slice path) {
    struct cg_index_look look =
        cg_index_look(&config->mappings_by_path, hash_of_place(host, (const char *)path.data, path.len));
    uint32_t number;
    while (cg_index_next(&look, &number)) {
        const struct cg_mapping *mapping = cg_config_mapping(config, number);
        if (mapping != NULL && is_host(mapping->host, host) && cg_slice_is(path, mapping->path)) return mapping;
    }
    return NULL;
}

const struct cg_mapping *cg_mapping_by_name(const struct cg_config *config, const char *name) {
    uint32_t hash = hash_of_name(name), number;
    struct cg_index_look look = cg_index_look(&config->mappings_by_name, hash);
    while (cg_index_next(&look, &number)) {
        const struct cg_mapping *mapping = cg_config_mapping(config, number);
        if (mapping != NULL && strcmp(mapping->name, name) == 0) return mapping;
    }
    return NULL;
}

const struct cg_member *cg_mapping_member(const struct cg_mapping *mapping, struct cg_slice name) {
    return mapping->roster == NULL ? NULL : cg_members_named(mapping->roster, name);
}
