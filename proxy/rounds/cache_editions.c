/* Editions. The hard thing: settings come and go, and so do mappings in them, so what was said last is known by name;
 * there are no more of these than of mappings' counters, which are kept as long. */
#include "rounds/cache_editions.h"

#include "base/check.h"
#include "model/same.h"

#include <stdlib.h>

struct cg_cache_edition {
    UT_hash_handle hh;          /* by name */
    uint64_t number, likeness;  /* of what was said last */
    char name[CG_NAME_MAX + 1]; /* the mapping's */
};

static struct cg_cache_edition *add(struct cg_cache *cache, const char *name) {
    struct cg_cache_edition *edition = calloc(1, sizeof *edition);
    if (edition == NULL) return NULL;
    CG_CHECK(strlen(name) < sizeof edition->name);
    strcpy(edition->name, name);
    HASH_ADD_STR(cache->editions, name, edition);
    if (CG_HASH_HAS(hh, edition)) return edition;
    free(edition);
    return NULL;
}

uint64_t cg_cache_edition(struct cg_cache *cache, const struct cg_mapping *mapping) {
    const uint64_t likeness = mapping->cache ? cg_mapping_likeness(mapping) : 0;
    struct cg_cache_edition *edition;
    if (mapping->is_unsaved) return 0;
    HASH_FIND_STR(cache->editions, mapping->name, edition);
    if (edition == NULL) edition = add(cache, mapping->name);
    if (edition == NULL) return 0;
    if (edition->number == 0 || edition->likeness != likeness) edition->number = ++cache->edition_numbers;
    edition->likeness = likeness;
    return edition->number;
}

void cg_cache_forget_editions(struct cg_cache *cache) {
    struct cg_cache_edition *edition, *next;
    HASH_ITER(hh, cache->editions, edition, next) {
        HASH_DEL(cache->editions, edition);
        free(edition);
    }
}
