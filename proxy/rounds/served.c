/* Served rounds. The hard thing is to find one for less than it costs to make: what is asked is compared as the client
 * has put it, before anything is made of it, and what is kept is known to be unchanged by a count of all changes. */
#include "rounds/served.h"

#include "base/container.h"
#include "rounds/cache.h"
#include "rounds/cached.h"
#include "rounds/shape.h"

#include <utlist.h>

enum { SECOND_US = 1000000 };

static uint64_t now_of(const struct cg_rounds *rounds) { return rounds->engine->now_us; }

/* Keys */

struct key_head {
    const struct cg_mapping *mapping; /* the round holds its settings, so no other one has that address */
    uint64_t renewals, departures;    /* of keys, from groups: see cache_key.h */
    uint32_t method, has_query;
    size_t rest, query, payload, options;
};

/* All that requests are made of (shape.h). */
static void emit_key(struct cg_buf *to, const struct cg_rounds *rounds, const struct cg_wish *wish) {
    const struct cg_request *request = wish->request;
    const struct key_head head = {
        .mapping = wish->mapping,
        .renewals = wish->mapping->protector->renewals,
        .departures = rounds->engine->departures,
        .method = request->method,
        .has_query = request->query.data != NULL,
        .rest = wish->rest.len,
        .query = request->query.len,
        .payload = request->payload.len,
        .options = request->options.count,
    };
    cg_buf_put(to, &head, sizeof head);
    cg_buf_put_slice(to, wish->rest);
    cg_buf_put_slice(to, request->query);
    cg_buf_put_slice(to, request->payload);
    for (size_t i = 0; i < request->options.count; i++) cg_shape_emit_option(to, &request->options.list[i]);
}

/* NULL: nothing may be there for such a wish, or there is no memory. Else its key is in `asked`. */
static struct cg_served *place_for(struct cg_rounds *rounds, const struct cg_wish *wish) {
    bool may = rounds->cache != NULL && wish->mapping->cache && wish->member == NULL && wish->expects_answers &&
               !wish->request->observes && cg_cached_is_for(wish->request);
    if (!may) return NULL;
    cg_buf_clear(&rounds->asked);
    emit_key(&rounds->asked, rounds, wish);
    if (rounds->asked.failed) return NULL;
    unsigned hash;
    HASH_VALUE(rounds->asked.data, rounds->asked.len, hash);
    return &rounds->served[hash % CG_SERVED];
}

/* Places */

static void discharge(struct cg_served *served) {
    served->rounds->cache->totals->cache_bytes -= served->charged;
    served->charged = 0;
}

static void forget(struct cg_served *served) {
    if (served->keeper.round == NULL) return;
    cg_engine_clear_timer(served->rounds->engine, &served->timer);
    discharge(served);
    served->keeper.round->cached.kept_as = NULL;
    cg_round_leave(&served->keeper);
}

static void due(struct cg_engine *engine, struct cg_timer *timer) {
    (void)engine;
    forget(CG_CONTAINER(timer, struct cg_served, timer));
}

static void wake(struct cg_waiter *waiter) { (void)waiter; }

/* Where something is different that may be about other questions, the set itself is looked at. */
static bool is_unchanged(struct cg_served *served) {
    struct cg_cache *cache = served->rounds->cache;
    if (served->changes == cache->changes) return true;
    served->set = cg_cache_find(cache, cg_buf_slice(&served->keeper.round->cached.key));
    bool is = served->set != NULL && served->set->changed == served->set_changed &&
              cg_cache_is_complete(served->set, now_of(served->rounds));
    served->changes = cache->changes;
    return is;
}

struct cg_round *cg_served_find(struct cg_rounds *rounds, const struct cg_wish *wish) {
    struct cg_served *served = place_for(rounds, wish);
    if (served == NULL || served->keeper.round == NULL) return NULL;
    if (!cg_slice_equal(cg_buf_slice(&served->key), cg_buf_slice(&rounds->asked))) return NULL;
    if (now_of(rounds) >= served->until_us || !is_unchanged(served)) {
        forget(served);
        return NULL;
    }
    cg_cache_use(rounds->cache, served->set, now_of(rounds));
    return served->keeper.round;
}

/* Nothing in it says anything else until then. */
static uint64_t end_of(const struct cg_rounds *rounds, const struct cg_cache_set *set) {
    uint64_t now_us = now_of(rounds), fresh_us = cg_cache_freshness(set, now_us);
    uint64_t second_us = SECOND_US - now_us % SECOND_US;
    return now_us + (fresh_us < second_us ? fresh_us : second_us);
}

void cg_served_keep(struct cg_round *round, const struct cg_wish *wish) {
    struct cg_rounds *rounds = round->rounds;
    struct cg_served *served = place_for(rounds, wish);
    struct cg_cache_set *set = cg_cache_find(rounds->cache, cg_buf_slice(&round->cached.key));
    if (served == NULL || set == NULL) return;
    forget(served);
    cg_buf_clear(&served->key);
    cg_buf_put_slice(&served->key, cg_buf_slice(&rounds->asked));
    if (served->key.failed) return;
    served->rounds = rounds;
    served->set = set;
    served->set_changed = set->changed;
    served->changes = rounds->cache->changes;
    served->until_us = end_of(rounds, set);
    served->keeper = (struct cg_waiter){.wake = wake, .round = round};
    DL_APPEND2(round->waiters, &served->keeper, previous, next);
    round->cached.kept_as = served;
    served->timer.due = due;
    cg_engine_set_timer(rounds->engine, &served->timer, served->until_us);
}

/* Replies are made while their waiters are there. */
void cg_served_weigh(struct cg_round *round) {
    struct cg_served *served = round->cached.kept_as;
    struct cg_cache *cache = served->rounds->cache;
    size_t size = sizeof *round + served->key.len + round->arena.used + cg_shelf_size(&round->shelf);
    discharge(served);
    if (cache->totals->cache_bytes + size > cache->max) {
        forget(served);
    } else {
        served->charged = size;
        cache->totals->cache_bytes += size;
    }
}

void cg_served_fini(struct cg_rounds *rounds) {
    for (size_t i = 0; i < CG_SERVED; i++) {
        forget(&rounds->served[i]);
        cg_buf_fini(&rounds->served[i].key);
    }
    cg_buf_fini(&rounds->asked);
}
