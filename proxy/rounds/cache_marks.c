/* Marks. The hard thing: one device is known by its credential in one mapping and by its address in another, so what it
 * has answered marks both. */
#include "rounds/cache_marks.h"

#include <stdlib.h>

struct key {
    size_t len;
    uint8_t bytes[CG_CACHE_MARK_KEY_MAX];
};

enum kind { OF_GROUP = 'g', OF_ADDRESS = 'a', OF_IDENTITY = 'i' };

/* Longer identities would share a mark: that only makes more stale. */
static struct key key_of(enum kind kind, const void *data, size_t len) {
    struct key key = {.len = 1 + len};
    if (key.len > sizeof key.bytes) key.len = sizeof key.bytes;
    key.bytes[0] = (uint8_t)kind;
    memcpy(key.bytes + 1, data, key.len - 1);
    return key;
}

/* The same host is meant on whatever link and at whatever port it answers. */
static struct key key_of_address(const struct cg_addr *addr) {
    struct cg_addr host = cg_addr_host(addr);
    host.scope = 0;
    return key_of(OF_ADDRESS, &host, sizeof host);
}

static struct key key_of_group(const struct cg_addr *group) {
    struct cg_addr anywhere = *group;
    anywhere.scope = 0;
    return key_of(OF_GROUP, &anywhere, sizeof anywhere);
}

static struct cg_cache_mark *find(const struct cg_cache *cache, const struct key *key) {
    struct cg_cache_mark *mark;
    HASH_FIND(hh, cache->marks, key->bytes, key->len, mark);
    return mark;
}

static struct cg_cache_mark *add(struct cg_cache *cache, const struct key *key) {
    struct cg_cache_mark *mark = calloc(1, sizeof *mark);
    if (mark == NULL) return NULL;
    mark->changed_us = cache->changed_us;
    mark->key_len = key->len;
    memcpy(mark->key, key->bytes, key->len);
    HASH_ADD_KEYPTR(hh, cache->marks, mark->key, mark->key_len, mark);
    if (CG_HASH_HAS(hh, mark)) {
        cache->totals->cache_bytes += sizeof *mark;
        return mark;
    }
    free(mark);
    return NULL;
}

static struct cg_cache_mark *refer(struct cg_cache *cache, const struct key *key) {
    struct cg_cache_mark *mark = find(cache, key);
    if (mark == NULL) mark = add(cache, key);
    if (mark != NULL) mark->references++;
    return mark;
}

struct cg_cache_mark *cg_cache_mark_group(struct cg_cache *cache, const struct cg_addr *group) {
    const struct key key = key_of_group(group);
    return refer(cache, &key);
}

struct cg_cache_mark *cg_cache_mark_member(struct cg_cache *cache, const struct cg_addr *from,
                                           struct cg_slice identity) {
    const struct key key = identity.len > 0 ? key_of(OF_IDENTITY, identity.data, identity.len) : key_of_address(from);
    return refer(cache, &key);
}

void cg_cache_unmark(struct cg_cache *cache, struct cg_cache_mark *mark) {
    if (mark == NULL || --mark->references > 0) return;
    HASH_DEL(cache->marks, mark);
    cache->totals->cache_bytes -= sizeof *mark;
    free(mark);
}

static void change(struct cg_cache *cache, const struct key *key, uint64_t now_us) {
    struct cg_cache_mark *mark = find(cache, key);
    cache->changed_us = now_us;
    cache->changes++;
    if (mark != NULL) mark->changed_us = now_us;
}

void cg_cache_change_group(struct cg_cache *cache, const struct cg_addr *group, uint64_t now_us) {
    const struct key key = key_of_group(group);
    change(cache, &key, now_us);
}

void cg_cache_change_member(struct cg_cache *cache, const struct cg_addr *from, struct cg_slice identity,
                            uint64_t now_us) {
    const struct key address = key_of_address(from);
    change(cache, &address, now_us);
    if (identity.len == 0) return;
    const struct key credential = key_of(OF_IDENTITY, identity.data, identity.len);
    change(cache, &credential, now_us);
}
