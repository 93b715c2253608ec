/* What rounds give and take. The hard thing: what a client gets from here is nobody's answer to its request, so it goes
 * the way of answers, through the tally and the feed, and says that it comes from the cache; an answer of the member's
 * own, whenever it comes, takes its place. */
#include "rounds/cached.h"

#include "base/container.h"
#include "rounds/cache.h"
#include "rounds/cache_key.h"
#include "rounds/revalidate.h"

#include <utlist.h>

enum { SECOND_US = 1000000 };

static struct cg_cache *cache_of(const struct cg_round *round) { return round->rounds->cache; }

static uint64_t now_of(const struct cg_round *round) { return cg_round_engine(round)->now_us; }

static struct cg_slice key_of(const struct cg_round *round) { return cg_buf_slice(&round->cached.key); }

static struct cg_cache_set *set_of(const struct cg_round *round) {
    return round->cached.keeps ? cg_cache_find(cache_of(round), key_of(round)) : NULL;
}

/* Beginning. */

static bool is_configured(const struct cg_mapping *mapping, const struct cg_member *member) {
    return member->number < mapping->member_count && &mapping->members[member->number] == member;
}

/* Not for whoever asks to see what members do, which the gateway itself and its administrators may. */
bool cg_cached_is_for(const struct cg_request *request) {
    if (request->is_anew) return false;
    switch (request->proof) {
    case CG_PROOF_NONE:
    case CG_PROOF_TOKEN:
    case CG_PROOF_CERTIFICATE:
    case CG_PROOF_PSK:
    case CG_PROOF_OSCORE: return true;
    case CG_PROOF_OPERATOR:
    case CG_PROOF_TRIAL:
    case CG_PROOF_ADMIN:
    case CG_PROOF_GATEWAY:
    case CG_PROOF_REACTION: break;
    }
    return false;
}

/* What a client has protected may be anything. */
static bool changes_something(const struct cg_round *round) {
    bool is_safe = (CG_METHOD_BIT(round->method) & CG_METHODS_SAFE) != 0;
    return !is_safe || round->mapping->security == CG_SECURITY_RELAY;
}

bool cg_cached_init(struct cg_round *round, const struct cg_wish *wish) {
    struct cg_round_cached *cached = &round->cached;
    const struct cg_leg_request *request = round->parts[0].request;
    cg_buf_init(&cached->key, 0);
    if (cache_of(round) == NULL) return true;
    bool is_known = wish->member == NULL || (!wish->is_stranger && is_configured(round->mapping, wish->member));
    cached->changes = changes_something(round);
    cached->keeps =
        is_known && !round->is_large && !wish->request->is_unkept && cg_cache_keeps(round->mapping, request);
    cached->serves = cached->keeps && !request->observes && cg_cached_is_for(wish->request);
    if (!cached->keeps) return true;
    cg_cache_key_emit(&cached->key, round->mapping, round->departures, request);
    return !cached->key.failed;
}

void cg_cached_fini(struct cg_round *round) { cg_buf_fini(&round->cached.key); }

void cg_cached_emit_shape(struct cg_buf *to, const struct cg_round *round, const struct cg_wish *wish) {
    if (!round->cached.keeps || cg_round_observes(round)) return;
    cg_buf_put(to, &wish->timeout_us, sizeof wish->timeout_us);
    cg_buf_put_u8(to, round->cached.serves);
}

/* Giving. */

/* For what is left of it (RFC 7252 §5.7.1), or a little less: as it is at the clock's next second, so that it is the
 * same until then. */
static uint32_t max_age_of(uint64_t now_us, uint64_t left_us) {
    uint64_t next_s = (now_us + SECOND_US - 1) / SECOND_US, end_s = (now_us + left_us) / SECOND_US;
    return end_s > next_s ? (uint32_t)(end_s - next_s) : 0;
}

/* With that Max-Age. False: no memory. */
static bool put_options(struct cg_buf *to, struct cg_slice options, uint32_t max_age) {
    enum { MORE = 8 }; /* bytes that an option of four takes, and the delta behind it */
    struct cg_msg msg = {.options = options};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    bool is_put = false;
    cg_buf_clear(to);
    uint8_t *at = cg_buf_reserve(to, options.len + MORE);
    if (at == NULL) return false;
    struct cg_msg_writer writer = {.data = at, .cap = options.len + MORE};
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (!is_put && opt.number > CG_OPT_MAX_AGE) {
            cg_msg_put_uint(&writer, CG_OPT_MAX_AGE, max_age);
            is_put = true;
        }
        cg_msg_put_opt(&writer, opt.number, opt.value);
    }
    if (!is_put) cg_msg_put_uint(&writer, CG_OPT_MAX_AGE, max_age);
    to->len = writer.len;
    return !writer.failed;
}

/* One that is fresh for so long, as it would have come; its options are in `options`. False: no memory. */
static bool open(const struct cg_round *round, const struct cg_cached *kept, uint64_t left_us, struct cg_buf *options,
                 struct cg_opened *opened) {
    const struct cg_member *member = &round->mapping->members[kept->member];
    *opened = (struct cg_opened){
        .code = kept->code,
        .payload = kept->payload,
        .verified = kept->verified,
        .has_kid = kept->has_kid,
        .kid = kept->kid,
        .identity = kept->verified == CASTGATE_VERIFIED_SOURCE ? member->identity : CG_SLICE_NONE,
    };
    if (!put_options(options, kept->options, max_age_of(now_of(round), left_us))) return false;
    opened->options = cg_buf_slice(options);
    return true;
}

/* False: no memory. */
static bool give(struct cg_round *round, const struct cg_cached *kept, uint64_t left_us, struct cg_buf *options) {
    struct cg_opened opened;
    struct cg_held_answer *held = NULL;
    if (!open(round, kept, left_us, options, &opened)) return false;
    const struct cg_arrival arrival = {
        .from = kept->from, .arrival_us = now_of(round), .opened = &opened, .via = CASTGATE_VIA_CACHE};
    if (cg_tally_add(&round->tally, &arrival, &held) != CG_TALLY_NEW) return false;
    held->cached = kept->version;
    cg_feed_append(&round->feed, &held->news);
    return true;
}

/* Serving. */

/* All of them, or the one of the member that is meant. */
static bool give_all(struct cg_round *round, const struct cg_cache_set *set, const struct cg_member *member) {
    const struct cg_cached *kept = member != NULL ? set->of[member->number] : set->answers;
    struct cg_buf options;
    bool is_given = true;
    cg_buf_init(&options, 0);
    for (; kept != NULL && is_given; kept = member != NULL ? NULL : kept->next) {
        is_given = give(round, kept, cg_cached_freshness(set, kept, now_of(round)), &options);
    }
    cg_buf_fini(&options);
    return is_given;
}

static bool has_all(const struct cg_round *round, const struct cg_cache_set *set, const struct cg_member *member) {
    if (set == NULL) return false;
    if (member == NULL) return set->count <= round->mapping->max_answers && cg_cache_is_complete(set, now_of(round));
    const struct cg_cached *kept = set->of[member->number];
    return kept != NULL && cg_cached_freshness(set, kept, now_of(round)) > 0;
}

/* Where there is not even memory for that, the members are asked. */
bool cg_cached_serve(struct cg_round *round, const struct cg_wish *wish) {
    struct cg_round_cached *cached = &round->cached;
    struct cg_cache_set *set = cached->serves && wish->timeout_us > 0 ? set_of(round) : NULL;
    if (!has_all(round, set, wish->member) || !give_all(round, set, wish->member)) return false;
    cg_cache_use(cache_of(round), set, now_of(round));
    round->mapping->stats->cache_hits++;
    cached->is_served = true;
    return true;
}

/* What has changed. By way of a next hop it is the group there, which may be asked from here, too. */

static void note_change(struct cg_round *round) {
    for (size_t i = 0; i < round->part_count; i++) {
        const struct cg_target *target = round->parts[i].target;
        const struct cg_addr group = cg_target_group(target);
        cg_cache_change_group(cache_of(round), &group, now_of(round));
        if (cg_target_is_hop(target)) cg_cache_change_group(cache_of(round), &target->group, now_of(round));
    }
    if (round->only == NULL) return;
    cg_cache_change_member(cache_of(round), &round->only_at, round->only->identity, now_of(round));
}

void cg_cached_begin(struct cg_round *round) {
    if (round->cached.serves) round->mapping->stats->cache_misses++;
    if (round->cached.changes) note_change(round);
    if (round->cached.keeps) cg_revalidate_plan(round);
}

void cg_cached_note_sent(struct cg_round *round) {
    if (round->cached.changes) note_change(round);
}

void cg_cached_end(struct cg_round *round) {
    if (round->cached.changes && !round->cached.is_served) note_change(round);
}

/* Keeping. */

/* What notifies says what is now. */
static uint64_t asked_of(const struct cg_held_answer *held, const struct cg_arrival *arrival) {
    return held->answer.is_notification ? arrival->arrival_us : arrival->sent_us;
}

static void put(struct cg_round *round, struct cg_held_answer *held, const struct cg_arrival *arrival) {
    const struct cg_to_cache answer = {
        .mapping = round->mapping,
        .member = held->answer.member,
        .opened = arrival->opened,
        .from = &arrival->from,
        .asked_us = asked_of(held, arrival),
        .arrival_us = arrival->arrival_us,
    };
    held->cached = cg_cache_put(cache_of(round), key_of(round), &answer);
}

void cg_cached_keep(struct cg_round *round, struct cg_held_answer *held, const struct cg_arrival *arrival) {
    struct cg_round_cached *cached = &round->cached;
    if (cached->changes) {
        note_change(round);
        cg_cache_change_member(cache_of(round), &arrival->from, arrival->opened->identity, now_of(round));
    }
    if (!cached->keeps || held->answer.member == NULL) return;
    put(round, held, arrival);
    cached->is_told = false;
}

/* Some of them. */

/* How long one may still stand for a member that has said nothing, in microseconds; 0: it may not. */
static uint64_t stands_in_us(const struct cg_round *round, const struct cg_cache_set *set,
                             const struct cg_cached *kept) {
    const bool was_there = kept->since_us <= round->sent_us;
    const bool is_silent = cg_tally_is_silent(&round->tally, &round->mapping->members[kept->member]);
    return was_there && is_silent ? cg_cached_freshness(set, kept, now_of(round)) : 0;
}

static void tell_early(struct cg_waiter *waiter, const struct cg_cached *kept, uint64_t left_us,
                       struct cg_buf *options) {
    struct cg_round *round = waiter->round;
    struct cg_opened opened;
    if (!open(round, kept, left_us, options, &opened)) return;
    const struct cg_answer answer = {
        .member = &round->mapping->members[kept->member],
        .from = kept->from,
        .options = opened.options,
        .payload = kept->payload,
        .kid = kept->kid,
        .number = ++round->tally.numbered,
        .code = kept->code,
        .verified = kept->verified,
        .via = CASTGATE_VIA_CACHE,
        .has_kid = kept->has_kid,
    };
    cg_feed_append_copy_for(&round->feed, &waiter->reader, &answer);
}

static struct cg_cache_set *set_to_share(const struct cg_round *round) {
    bool shares = round->cached.serves && !round->cached.is_served && !round->tally.expects_one;
    return shares ? set_of(round) : NULL;
}

/* Where members have no names, one that is told twice would be two. */
void cg_cached_follow(struct cg_waiter *waiter) {
    struct cg_round *round = waiter->round;
    const struct cg_cache_set *set = round->mapping->anonymise ? NULL : set_to_share(round);
    const struct cg_cached *kept;
    struct cg_buf options;
    if (set == NULL) return;
    cg_buf_init(&options, 0);
    DL_FOREACH(set->answers, kept) {
        uint64_t left_us = stands_in_us(round, set, kept);
        if (left_us > 0 && left_us < waiter->timeout_us) tell_early(waiter, kept, left_us, &options);
    }
    cg_buf_fini(&options);
}

void cg_cached_fill(struct cg_round *round) {
    if (cg_tally_missing(&round->tally) == 0) return;
    const struct cg_cache_set *set = set_to_share(round);
    const struct cg_cached *kept;
    struct cg_buf options;
    if (set == NULL) return;
    cg_buf_init(&options, 0);
    DL_FOREACH(set->answers, kept) {
        uint64_t left_us = stands_in_us(round, set, kept);
        if (left_us == 0) continue;
        cg_shelf_clear(&round->shelf);
        round->cached.is_told = false;
        if (!give(round, kept, left_us, &options)) break;
    }
    cg_buf_fini(&options);
}

/* The Group-ETag. */

/* What the client gets is what is kept: another round may have got something newer. */
static bool is_the_set(const struct cg_round *round, const struct cg_cache_set *set) {
    const struct cg_answer *answer = round->tally.answers;
    bool is = true;
    for (; answer != NULL && is; answer = answer->next) {
        const struct cg_held_answer *held = CG_CONTAINER(answer, const struct cg_held_answer, answer);
        const struct cg_cached *kept = answer->member == NULL ? NULL : set->of[answer->member->number];
        is = kept != NULL && kept->version == held->cached;
    }
    return is;
}

static void emit_tag(uint8_t bytes[CG_GROUP_ETAG_MAX], uint64_t tag) {
    for (int i = 0; i < CG_GROUP_ETAG_MAX; i++) bytes[i] = (uint8_t)(tag >> (56 - 8 * i));
}

/* It is looked at for each turn of each client, so it is found out once. */
bool cg_cached_tag(struct cg_round *round, uint8_t tag[CG_GROUP_ETAG_MAX]) {
    struct cg_round_cached *cached = &round->cached;
    bool is_whole = cached->keeps && !round->tally.expects_one && cg_tally_missing(&round->tally) == 0;
    if (!is_whole) return false;
    if (!cached->is_told) {
        struct cg_cache_set *set = set_of(round);
        cached->is_told = true;
        cached->has_tag = set != NULL && cg_cache_is_complete(set, now_of(round)) && is_the_set(round, set);
        if (cached->has_tag) cached->tag = cg_cache_tag(cache_of(round), set);
    }
    emit_tag(tag, cached->tag);
    return cached->has_tag;
}

bool cg_cached_is_known(const struct cg_round *round, const struct cg_request *request,
                        const uint8_t tag[CG_GROUP_ETAG_MAX]) {
    const struct cg_slice current = cg_slice_of(tag, CG_GROUP_ETAG_MAX);
    size_t i = 0;
    if (!round->cached.is_served) return false;
    while (i < request->group_etag_count && !cg_slice_equal(request->group_etags[i], current)) i++;
    return i < request->group_etag_count;
}
