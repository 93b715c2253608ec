/* Who was heard. The hard thing: one row is in up to four lists (its address, its mapping's two, its credential), so
 * whatever changes about it is taken out and put in again by the same two functions. */
#include "model/heard.h"

#include "model/stats.h"

#include <stdlib.h>
#include <utlist.h>

struct cg_heard_mapping {
    const struct cg_stats *stats; /* key: kept as long as the gateway */
    struct cg_heard *by_who;      /* uthash head */
    struct cg_heard *rows[CG_HEARD_TRUSTS];
    uint32_t count[CG_HEARD_TRUSTS];
    UT_hash_handle hh;
};

const char *cg_heard_mapping(const struct cg_heard *heard) { return heard->of->stats->name; }

static struct cg_addr without_zone(const struct cg_addr *addr) {
    struct cg_addr anywhere = *addr;
    anywhere.scope = 0;
    return anywhere;
}

/* At one address */

static struct cg_heard *first_at(const struct cg_heards *heards, const struct cg_addr *addr) {
    struct cg_addr key = without_zone(addr);
    struct cg_heard *first;
    HASH_FIND(hh, heards->by_addr, &key, sizeof key, first);
    return first;
}

const struct cg_heard *cg_heard_at(const struct cg_heards *heards, const struct cg_addr *addr) {
    return first_at(heards, addr);
}

/* False: no memory, or too many mappings have heard from there. */
static bool join_place(struct cg_heards *heards, struct cg_heard *heard) {
    struct cg_heard *last = first_at(heards, &heard->addr);
    if (last == NULL) {
        HASH_ADD(hh, heards->by_addr, addr, sizeof heard->addr, heard);
        return CG_HASH_HAS(hh, heard);
    }
    unsigned count = 1;
    for (; last->here != NULL; last = last->here) count++;
    if (count >= CG_HEARD_HERE) return false;
    last->here = heard;
    return true;
}

/* The next one there takes the first one's place in the table, which needs no memory while that still is there. */
static void leave_place(struct cg_heards *heards, struct cg_heard *heard) {
    struct cg_heard *before = first_at(heards, &heard->addr);
    if (before != heard) {
        while (before->here != heard) before = before->here;
        before->here = heard->here;
        return;
    }
    struct cg_heard *heir = heard->here;
    if (heir != NULL) HASH_ADD(hh, heards->by_addr, addr, sizeof heir->addr, heir);
    HASH_DEL(heards->by_addr, heard);
}

/* Of one mapping */

static struct cg_heard_mapping *mapping_of(struct cg_heards *heards, const struct cg_stats *stats) {
    struct cg_heard_mapping *mapping;
    HASH_FIND_PTR(heards->mappings, &stats, mapping);
    if (mapping != NULL) return mapping;
    mapping = calloc(1, sizeof *mapping);
    if (mapping == NULL) return NULL;
    mapping->stats = stats;
    HASH_ADD_PTR(heards->mappings, stats, mapping);
    if (CG_HASH_HAS(hh, mapping)) return mapping;
    free(mapping);
    return NULL;
}

static void enlist(struct cg_heards *heards, struct cg_heard *heard) {
    struct cg_heard_mapping *mapping = heard->of;
    DL_APPEND2(mapping->rows[heard->trust], heard, previous, next);
    mapping->count[heard->trust]++;
    heards->count[heard->trust]++;
    if (heard->identity_len == 0) return;
    HASH_ADD_KEYPTR(by_who, mapping->by_who, heard->identity, heard->identity_len, heard);
    if (!CG_HASH_HAS(by_who, heard)) heard->identity_len = 0; /* no memory: it is found by address, and is nobody */
}

static void delist(struct cg_heards *heards, struct cg_heard *heard) {
    struct cg_heard_mapping *mapping = heard->of;
    DL_DELETE2(mapping->rows[heard->trust], heard, previous, next);
    mapping->count[heard->trust]--;
    heards->count[heard->trust]--;
    if (heard->identity_len > 0) HASH_DELETE(by_who, mapping->by_who, heard);
    heard->identity_len = 0;
}

static void forget(struct cg_heards *heards, struct cg_heard *heard) {
    delist(heards, heard);
    leave_place(heards, heard);
    free(heard);
}

/* A newcomer takes the place of the one of its own mapping that was silent longest, which may be itself. */
static void make_room(struct cg_heards *heards, struct cg_heard_mapping *mapping, enum cg_heard_trust trust) {
    bool is_over =
        heards->count[trust] > CG_HEARD_MAX || (trust == CG_HEARD_ONLY && mapping->count[trust] > CG_HEARD_OF_MAPPING);
    if (is_over) forget(heards, mapping->rows[trust]);
}

/* Answers */

static struct cg_heard *find(const struct cg_heards *heards, const struct cg_heard_mapping *mapping,
                             const struct cg_addr *addr) {
    struct cg_heard *heard = first_at(heards, addr);
    while (heard != NULL && heard->of != mapping) heard = heard->here;
    return heard;
}

static struct cg_heard *find_who(const struct cg_heard_mapping *mapping, struct cg_slice identity) {
    struct cg_heard *heard = NULL;
    if (identity.len > 0) HASH_FIND(by_who, mapping->by_who, identity.data, identity.len, heard);
    return heard;
}

static struct cg_heard *add(struct cg_heards *heards, struct cg_heard_mapping *mapping, const struct cg_addr *from) {
    struct cg_heard *heard = calloc(1, sizeof *heard);
    if (heard == NULL) return NULL;
    heard->of = mapping;
    heard->addr = without_zone(from);
    if (join_place(heards, heard)) return heard;
    free(heard);
    return NULL;
}

static void take(struct cg_heard *heard, const struct cg_heard_answer *answer, uint64_t now_us) {
    heard->scope = answer->from.scope;
    heard->last_us = now_us;
    if (answer->trust > heard->trust) heard->trust = answer->trust;
    heard->identity_len = (uint8_t)answer->identity.len;
    if (answer->identity.len > 0) memcpy(heard->identity, answer->identity.data, answer->identity.len);
}

void cg_heard_note(struct cg_heards *heards, const struct cg_heard_answer *answer, uint64_t now_us) {
    struct cg_heard_mapping *mapping = mapping_of(heards, answer->stats);
    if (mapping == NULL || answer->identity.len > CG_HEARD_IDENTITY_MAX) return;
    struct cg_heard *heard = find(heards, mapping, &answer->from), *elsewhere = find_who(mapping, answer->identity);
    if (elsewhere != NULL && elsewhere != heard) forget(heards, elsewhere);
    if (heard != NULL) {
        delist(heards, heard);
    } else {
        heard = add(heards, mapping, &answer->from);
    }
    if (heard == NULL) return;
    take(heard, answer, now_us);
    enlist(heards, heard);
    make_room(heards, mapping, heard->trust);
}

/* Forgetting */

static void forget_silent(struct cg_heards *heards, struct cg_heard **rows, uint64_t now_us, size_t *left) {
    while (*rows != NULL && *left > 0 && now_us - (*rows)->last_us >= CG_HEARD_US) {
        forget(heards, *rows);
        --*left;
    }
}

bool cg_heard_purge(struct cg_heards *heards, uint64_t now_us, size_t *rows) {
    struct cg_heard_mapping *mapping;
    CG_HASH_SWEEP(heards->mappings, heards->sweep, mapping, *rows) {
        for (int trust = 0; trust < CG_HEARD_TRUSTS; trust++)
            forget_silent(heards, &mapping->rows[trust], now_us, rows);
        if (*rows == 0) heards->sweep = mapping; /* it may have more */
        if (*rows == 0 || mapping->rows[CG_HEARD_ONLY] != NULL || mapping->rows[CG_HEARD_PROVEN] != NULL) continue;
        HASH_DEL(heards->mappings, mapping);
        free(mapping);
    }
    return heards->sweep != NULL;
}

void cg_heard_fini(struct cg_heards *heards) {
    struct cg_heard_mapping *mapping, *next;
    HASH_ITER(hh, heards->mappings, mapping, next) {
        for (int trust = 0; trust < CG_HEARD_TRUSTS; trust++) {
            while (mapping->rows[trust] != NULL) forget(heards, mapping->rows[trust]);
        }
        HASH_DEL(heards->mappings, mapping);
        free(mapping);
    }
}
