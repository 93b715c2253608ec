/* The cache. The hard thing is its bound: whoever asks for ever new things, and members whose answers are as large as
 * they like, cost what they bring in and no more, so every byte is counted where it is taken and given back, and
 * nothing is put in before there is room for it. */
#include "rounds/cache.h"

#include "rounds/cache_editions.h"
#include "rounds/cache_marks.h"

#include <stdlib.h>
#include <utlist.h>

#define IDLE_US (CG_CACHE_LONGEST_S * UINT64_C(1000000)) /* nothing is fresh any more by then */

enum { EVICTIONS_AT_ONCE = 64 /* for one answer: more are left to the next */ };

void cg_cache_init(struct cg_cache *cache, struct cg_totals *totals, const struct cg_port *port) {
    *cache = (struct cg_cache){.totals = totals, .port = port};
}

static size_t used(const struct cg_cache *cache) { return cache->totals->cache_bytes; }

static void charge(struct cg_cache *cache, struct cg_cache_set *set, size_t size) {
    set->size += size;
    cache->totals->cache_bytes += size;
}

static void discharge(struct cg_cache *cache, struct cg_cache_set *set, size_t size) {
    set->size -= size;
    cache->totals->cache_bytes -= size;
}

/* Sets */

static void forget_answer(struct cg_cache *cache, struct cg_cache_set *set, struct cg_cached *answer) {
    DL_DELETE2(set->answers, answer, previous, next);
    set->of[answer->member] = NULL;
    set->count--;
    set->tag = 0;
    set->changed = ++cache->changes;
    discharge(cache, set, answer->size);
    cg_cache_unmark(cache, answer->mark);
    free(answer);
}

/* What is in no list. */
static void free_set(struct cg_cache *cache, struct cg_cache_set *set) {
    for (size_t i = 0; i < set->mark_count; i++) cg_cache_unmark(cache, set->marks[i]);
    discharge(cache, set, set->size);
    free(set->marks);
    free(set->of);
    free(set);
}

static void forget_set(struct cg_cache *cache, struct cg_cache_set *set) {
    while (set->answers != NULL) forget_answer(cache, set, set->answers);
    HASH_DEL(cache->by_key, set);
    DL_DELETE2(cache->sets, set, previous, next);
    cache->changes++;
    free_set(cache, set);
}

void cg_cache_fini(struct cg_cache *cache) {
    while (cache->sets != NULL) forget_set(cache, cache->sets);
    cg_cache_forget_editions(cache);
}

static void evict(struct cg_cache *cache, struct cg_cache_set *set) {
    cache->totals->cache_evictions++;
    forget_set(cache, set);
}

bool cg_cache_purge(struct cg_cache *cache, uint64_t now_us, size_t *sets) {
    for (; cache->sets != NULL && *sets > 0; --*sets) {
        bool is_idle = now_us > cache->sets->used_us + IDLE_US;
        if (!is_idle && used(cache) <= cache->max) return false;
        evict(cache, cache->sets);
    }
    return cache->sets != NULL;
}

struct cg_cache_set *cg_cache_find(struct cg_cache *cache, struct cg_slice key) {
    struct cg_cache_set *set;
    HASH_FIND(hh, cache->by_key, key.data, key.len, set);
    return set;
}

void cg_cache_use(struct cg_cache *cache, struct cg_cache_set *set, uint64_t now_us) {
    set->used_us = now_us;
    DL_DELETE2(cache->sets, set, previous, next);
    DL_APPEND2(cache->sets, set, previous, next);
}

static bool mark_groups(struct cg_cache *cache, struct cg_cache_set *set, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        const struct cg_addr group = cg_target_group(&mapping->targets[i]);
        set->marks[i] = cg_cache_mark_group(cache, &group);
        if (set->marks[i] == NULL) return false;
        set->mark_count++;
    }
    return true;
}

static bool fill_set(struct cg_cache *cache, struct cg_cache_set *set, struct cg_slice key,
                     const struct cg_mapping *mapping) {
    set->key_len = key.len;
    memcpy(set->key, key.data, key.len);
    set->member_count = mapping->member_count;
    set->of = calloc(mapping->member_count, sizeof *set->of);
    set->marks = calloc(mapping->target_count, sizeof *set->marks);
    return set->of != NULL && set->marks != NULL && mark_groups(cache, set, mapping);
}

/* Of one without answers. */
static size_t set_size(struct cg_slice key, const struct cg_mapping *mapping) {
    const struct cg_cache_set *set = NULL;
    return sizeof *set + key.len + mapping->member_count * sizeof *set->of + mapping->target_count * sizeof *set->marks;
}

/* NULL: no memory. */
static struct cg_cache_set *add_set(struct cg_cache *cache, struct cg_slice key, const struct cg_mapping *mapping) {
    struct cg_cache_set *set = calloc(1, sizeof *set + key.len);
    if (set == NULL) return NULL;
    bool is_filled = fill_set(cache, set, key, mapping);
    if (is_filled) HASH_ADD_KEYPTR(hh, cache->by_key, set->key, set->key_len, set);
    if (!is_filled || !CG_HASH_HAS(hh, set)) {
        free_set(cache, set);
        return NULL;
    }
    DL_APPEND2(cache->sets, set, previous, next);
    charge(cache, set, set_size(key, mapping));
    return set;
}

/* Answers */

static size_t size_of(const struct cg_opened *opened) {
    return sizeof(struct cg_cached) + opened->options.len + opened->payload.len + opened->kid.len;
}

/* The gateway's own words (2.03) and those of requests that change something are nobody's to give again. */
static bool may_be_kept(uint8_t code) { return code == CG_CODE(2, 5) || code >= CG_CODE(4, 0); }

/* Those that are unsafe to forward were for this hop: Observe, Block2; Max-Age is counted. Returns their length, which
 * is no more than that of all: where one is left out the delta of the next takes its bytes. */
static size_t keep_options(uint8_t *to, struct cg_slice options) {
    struct cg_msg msg = {.options = options};
    struct cg_msg_writer writer = {.data = to, .cap = options.len};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (!cg_opt_is_unsafe(opt.number)) cg_msg_put_opt(&writer, opt.number, opt.value);
    }
    return writer.len;
}

static struct cg_slice keep(uint8_t **at, struct cg_slice bytes) {
    if (bytes.len == 0) return CG_SLICE_NONE;
    memcpy(*at, bytes.data, bytes.len);
    *at += bytes.len;
    return cg_slice_of(*at - bytes.len, bytes.len);
}

static void keep_bytes(struct cg_cached *kept, const struct cg_opened *opened) {
    uint8_t *at = kept->bytes;
    struct cg_msg msg;
    kept->options = cg_slice_of(at, keep_options(at, opened->options));
    at += kept->options.len;
    kept->payload = keep(&at, opened->payload);
    kept->kid = keep(&at, opened->kid);
    msg = (struct cg_msg){.options = kept->options};
    if (!cg_msg_find(&msg, CG_OPT_ETAG, &kept->etag) || kept->etag.len == 0 || kept->etag.len > 8)
        kept->etag = CG_SLICE_NONE;
}

static uint64_t fresh_until(const struct cg_to_cache *answer) {
    struct cg_msg msg = {.options = answer->opened->options};
    uint32_t max_age;
    if (!cg_msg_find_uint(&msg, CG_OPT_MAX_AGE, &max_age)) max_age = CG_CACHE_DEFAULT_AGE;
    if (max_age > CG_CACHE_LONGEST_S) max_age = CG_CACHE_LONGEST_S;
    return answer->arrival_us + max_age * UINT64_C(1000000);
}

/* NULL: no memory. */
static struct cg_cached *new_answer(struct cg_cache *cache, const struct cg_to_cache *answer) {
    const struct cg_opened *opened = answer->opened;
    size_t size = size_of(opened);
    struct cg_cached *kept = malloc(size);
    if (kept == NULL) return NULL;
    *kept = (struct cg_cached){
        .mark = cg_cache_mark_member(cache, answer->from, opened->identity),
        .since_us = answer->arrival_us,
        .asked_us = answer->asked_us,
        .until_us = fresh_until(answer),
        .from = *answer->from,
        .member = answer->member->number,
        .code = opened->code,
        .verified = opened->verified,
        .has_kid = opened->has_kid,
        .size = size,
    };
    keep_bytes(kept, opened);
    if (kept->mark != NULL) return kept;
    free(kept);
    return NULL;
}

static bool says_the_same(const struct cg_cached *one, const struct cg_cached *other) {
    return one->code == other->code && one->verified == other->verified && cg_addr_equal(&one->from, &other->from) &&
           cg_slice_equal(one->kid, other->kid) && cg_slice_equal(one->options, other->options) &&
           cg_slice_equal(one->payload, other->payload);
}

/* In the place of an earlier one of its member. */
static void put_in(struct cg_cache *cache, struct cg_cache_set *set, struct cg_cached *kept) {
    struct cg_cached *before = set->of[kept->member];
    bool is_same = before != NULL && says_the_same(before, kept);
    uint64_t tag = is_same ? set->tag : 0;
    kept->version = is_same ? before->version : ++cache->versions;
    if (before != NULL) {
        kept->since_us = before->since_us;
        forget_answer(cache, set, before);
    }
    set->of[kept->member] = kept;
    set->count++;
    set->tag = tag;
    set->changed = ++cache->changes;
    DL_APPEND2(set->answers, kept, previous, next);
    charge(cache, set, kept->size);
}

/* False: it does not fit, or not without more evictions than one answer is worth. */
static bool make_room(struct cg_cache *cache, const struct cg_cache_set *set, size_t size) {
    for (int i = 0; used(cache) + size > cache->max && i < EVICTIONS_AT_ONCE; i++) {
        struct cg_cache_set *oldest = cache->sets;
        if (oldest == set) break; /* it is the one that was used last, so it stands alone */
        evict(cache, oldest);
    }
    return used(cache) + size <= cache->max;
}

/* NULL: no memory; or it is too large, and then what there is of it is of no use. */
static struct cg_cache_set *set_for(struct cg_cache *cache, struct cg_slice key, const struct cg_to_cache *answer) {
    const struct cg_mapping *mapping = answer->mapping;
    struct cg_cache_set *set = cg_cache_find(cache, key);
    if (set == NULL && make_room(cache, NULL, set_size(key, mapping) + size_of(answer->opened)))
        set = add_set(cache, key, mapping);
    if (set == NULL) return NULL;
    cg_cache_use(cache, set, answer->arrival_us);
    if (make_room(cache, set, size_of(answer->opened))) return set;
    if (cache->sets == set) evict(cache, set);
    return NULL;
}

static void drop(struct cg_cache *cache, struct cg_slice key, const struct cg_member *member) {
    struct cg_cache_set *set = cg_cache_find(cache, key);
    if (set != NULL && set->of[member->number] != NULL) forget_answer(cache, set, set->of[member->number]);
}

uint64_t cg_cache_put(struct cg_cache *cache, struct cg_slice key, const struct cg_to_cache *answer) {
    struct cg_cached *kept = may_be_kept(answer->opened->code) ? new_answer(cache, answer) : NULL;
    struct cg_cache_set *set = kept == NULL ? NULL : set_for(cache, key, answer);
    if (set == NULL) { /* what there was is older */
        if (kept != NULL) cg_cache_unmark(cache, kept->mark);
        free(kept);
        drop(cache, key, answer->member);
        return 0;
    }
    put_in(cache, set, kept);
    return kept->version;
}

/* What may be given */

static bool is_changed(const struct cg_cache_set *set, const struct cg_cached *answer) {
    bool is = answer->asked_us <= answer->mark->changed_us;
    for (size_t i = 0; i < set->mark_count && !is; i++) is = answer->asked_us <= set->marks[i]->changed_us;
    return is;
}

uint64_t cg_cached_freshness(const struct cg_cache_set *set, const struct cg_cached *answer, uint64_t now_us) {
    if (now_us >= answer->until_us || is_changed(set, answer)) return 0;
    return answer->until_us - now_us;
}

uint64_t cg_cache_freshness(const struct cg_cache_set *set, uint64_t now_us) {
    const struct cg_cached *answer;
    uint64_t least_us = set->count < set->member_count ? 0 : UINT64_MAX;
    for (answer = set->answers; answer != NULL && least_us > 0; answer = answer->next) {
        uint64_t left_us = cg_cached_freshness(set, answer, now_us);
        if (left_us < least_us) least_us = left_us;
    }
    return least_us;
}

uint64_t cg_cache_tag(struct cg_cache *cache, struct cg_cache_set *set) {
    if (cache->tags == 0) cache->port->random(cache->port->ctx, &cache->first_tag, sizeof cache->first_tag);
    if (set->tag == 0) set->tag = ++cache->tags;
    return set->tag + cache->first_tag;
}
