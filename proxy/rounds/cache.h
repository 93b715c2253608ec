/* Answers that are kept to be given again (GCP §7, RFC 10020 §3.2): for each question what each member answered last.
 * A question is whatever has the same Cache-Key (cache_key.h); the answers to one are a set. A request to the group is
 * served with what a set has where it is complete and all of it is fresh, one to a member with that one's.
 *
 * An answer is fresh for its Max-Age, and as long as nothing that was asked later may have changed what it tells of: an
 * unsafe request leaves a mark at its group and at each member that answers it, and what was asked before a mark is
 * stale. No answer is fresh for longer than a day, whatever its member says.
 *
 * All of it is bounded by `max` bytes: the sets that were used least lately go first. */
#ifndef CG_ROUNDS_CACHE_H
#define CG_ROUNDS_CACHE_H

#include "base/hash.h"
#include "legs/port.h"
#include "legs/protector.h"
#include "model/stats.h"

#define CG_CACHE_LONGEST_S   86400 /* a day */
#define CG_CACHE_DEFAULT_AGE 60    /* seconds (RFC 7252 §5.10.5) */

struct cg_cache_edition;
struct cg_cache_mark;

/* What one member answered. */
struct cg_cached {
    struct cg_cached *previous, *next; /* of its set, in the order in which they came */
    struct cg_cache_mark *mark;        /* the member's */
    uint64_t since_us;                 /* there has been an answer of this member since then */
    uint64_t asked_us;                 /* the request that it answers had gone out */
    uint64_t until_us;                 /* its Max-Age is over */
    uint64_t version;                  /* of what it says: another one says something else */
    struct cg_addr from;
    struct cg_slice options; /* encoded; safe ones only, so neither Max-Age nor Observe */
    struct cg_slice payload, kid, etag;
    uint32_t member; /* its number in the mapping */
    uint8_t code;
    uint8_t verified; /* enum castgate_verified */
    bool has_kid;
    size_t size; /* bytes of all this */
    uint8_t bytes[];
};

struct cg_cache_set {
    UT_hash_handle hh;                    /* by key */
    struct cg_cache_set *previous, *next; /* of all, least lately used first */
    struct cg_cached *answers;            /* utlist */
    struct cg_cached **of;                /* by the member's number; NULL: none */
    size_t count, member_count;
    struct cg_cache_mark **marks; /* its groups' */
    size_t mark_count;
    uint64_t tag;     /* the Group-ETag's number; 0: none for what it says now */
    uint64_t changed; /* struct cg_cache's `changes`, when it got or lost an answer last */
    uint64_t used_us;
    size_t size; /* bytes with all answers */
    size_t key_len;
    uint8_t key[];
};

struct cg_cache {
    struct cg_cache_set *by_key;       /* uthash head */
    struct cg_cache_set *sets;         /* utlist */
    struct cg_cache_mark *marks;       /* uthash head */
    struct cg_cache_edition *editions; /* uthash head */
    size_t max;                        /* bytes */
    uint64_t changed_us;               /* the latest mark, anywhere: what no mark is kept of may have changed then */
    uint64_t changes; /* of anything here, so far: as long as it is the same, all that is known of sets is so */
    uint64_t versions, tags, edition_numbers; /* given so far */
    uint64_t first_tag; /* random, drawn with it: tags of an earlier process are none of this one */
    const struct cg_port *port;
    struct cg_totals *totals; /* bytes and evictions are counted there; outlives the cache */
};

/* The port is for randomness, and outlives the cache. */
void cg_cache_init(struct cg_cache *cache, struct cg_totals *totals, const struct cg_port *port);
void cg_cache_fini(struct cg_cache *cache);
/* Forgets what was not used for a day, and what is too much; at most so many sets, which are counted down. True:
 * there is more. */
bool cg_cache_purge(struct cg_cache *cache, uint64_t now_us, size_t *sets);

/* The set for that question; NULL: there is none. */
struct cg_cache_set *cg_cache_find(struct cg_cache *cache, struct cg_slice key);
void cg_cache_use(struct cg_cache *cache, struct cg_cache_set *set, uint64_t now_us); /* it is used lately */

/* An answer to be kept, borrowed. */
struct cg_to_cache {
    const struct cg_mapping *mapping;
    const struct cg_member *member;
    const struct cg_opened *opened;
    const struct cg_addr *from;
    uint64_t asked_us, arrival_us;
};
/* It takes the place of what the member has answered before; what may not be kept (RFC 7252 §5.9) leaves none. Returns
 * the version of what it says; 0: it is not kept. */
uint64_t cg_cache_put(struct cg_cache *cache, struct cg_slice key, const struct cg_to_cache *answer);

/* How long the answer is fresh from now on, in µs; 0: it is not. */
uint64_t cg_cached_freshness(const struct cg_cache_set *set, const struct cg_cached *answer, uint64_t now_us);
/* How long it has a fresh answer of every member, in µs from now on; 0: it has not. */
uint64_t cg_cache_freshness(const struct cg_cache_set *set, uint64_t now_us);
static inline bool cg_cache_is_complete(const struct cg_cache_set *set, uint64_t now_us) {
    return cg_cache_freshness(set, now_us) > 0;
}
/* The Group-ETag of a complete set (GCP §7.3): the same as long as no answer in it says anything else. */
uint64_t cg_cache_tag(struct cg_cache *cache, struct cg_cache_set *set);

/* Something unsafe goes to that group, or was answered by that member: what was asked before now is stale. */
void cg_cache_change_group(struct cg_cache *cache, const struct cg_addr *group, uint64_t now_us);
void cg_cache_change_member(struct cg_cache *cache, const struct cg_addr *from, struct cg_slice identity,
                            uint64_t now_us);

#endif
