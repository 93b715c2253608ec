/* Revalidation. The hard thing: tags are each member's own, and a group request has one list of them for all. So one
 * that two members have is not asked for, and where a member says that something is valid which it has not said itself,
 * it is asked once more by unicast, without tags (RFC 10020 §3.2.2). */
#include "rounds/revalidate.h"

#include "legs/ask.h"
#include "rounds/asks.h"
#include "rounds/cache.h"

#include <utlist.h>

enum {
    TAGS_MAX = 16,    /* in a group request, so that it stays small */
    LOOKS_MAX = 64,   /* at tags, each of which is compared with all others */
    AGAIN_MAX = 1024, /* of a round at once */
};

static struct cg_cache_set *set_of(const struct cg_round *round) {
    if (!round->cached.keeps) return NULL;
    return cg_cache_find(round->rounds->cache, cg_buf_slice(&round->cached.key));
}

/* Requests. */

/* The same with these tags, in the arena. NULL: no memory. */
static const struct cg_leg_request *with_tags(const struct cg_leg_request *request, const struct cg_slice *tags,
                                              size_t count, struct cg_arena *arena) {
    const struct cg_opts *own = &request->options;
    struct cg_leg_request *more = cg_arena_alloc(arena, sizeof *more);
    struct cg_opt *list = cg_arena_alloc(arena, (own->count + count) * sizeof *list);
    size_t at = 0, i = 0;
    if (more == NULL || list == NULL) return NULL;
    while (i < own->count && own->list[i].number < CG_OPT_ETAG) list[at++] = own->list[i++];
    for (size_t t = 0; t < count; t++) {
        struct cg_slice kept = cg_arena_copy(arena, tags[t]);
        if (kept.data == NULL) return NULL;
        list[at++] = (struct cg_opt){.number = CG_OPT_ETAG, .value = kept};
    }
    while (i < own->count) list[at++] = own->list[i++];
    *more = *request;
    more->options = (struct cg_opts){.list = list, .count = at};
    return more;
}

static bool is_shared(const struct cg_cache_set *set, const struct cg_cached *of) {
    const struct cg_cached *other;
    DL_FOREACH(set->answers, other) {
        if (other != of && cg_slice_equal(other->etag, of->etag)) return true;
    }
    return false;
}

static size_t gather_tags(const struct cg_cache_set *set, struct cg_slice tags[TAGS_MAX]) {
    const struct cg_cached *kept = set->answers;
    size_t count = 0;
    for (int looks = 0; kept != NULL && count < TAGS_MAX && looks < LOOKS_MAX; kept = kept->next) {
        if (kept->etag.len == 0) continue;
        looks++;
        if (!is_shared(set, kept)) tags[count++] = kept->etag;
    }
    return count;
}

/* Not where it observes: the registration would be without an answer to begin with. */
void cg_revalidate_plan(struct cg_round *round) {
    const struct cg_cache_set *set = cg_round_observes(round) ? NULL : set_of(round);
    struct cg_slice tags[TAGS_MAX];
    size_t count = set == NULL ? 0 : gather_tags(set, tags);
    for (size_t i = 0; i < round->part_count && count > 0; i++) {
        struct cg_part *part = &round->parts[i];
        part->revalidates = with_tags(part->request, tags, count, &round->arena);
    }
}

static bool is_to_tell_anew(const struct cg_round *round, const struct cg_member *member) {
    return round->cached.anew != NULL && cg_member_set_has(round->cached.anew, member);
}

const struct cg_leg_request *cg_revalidate_request(struct cg_part *part, const struct cg_member *member) {
    struct cg_round *round = part->round;
    const struct cg_cache_set *set = cg_round_observes(round) ? NULL : set_of(round);
    const struct cg_cached *kept = set == NULL ? NULL : set->of[member->number];
    const struct cg_leg_request *with = NULL;
    bool has_tag = kept != NULL && kept->etag.len > 0 && !is_to_tell_anew(round, member);
    if (has_tag) with = with_tags(part->request, &kept->etag, 1, &round->arena);
    return with != NULL ? with : part->request;
}

/* Answers. */

static bool has_option(struct cg_slice options, uint16_t number) {
    struct cg_msg msg = {.options = options};
    struct cg_slice value;
    return cg_msg_find(&msg, number, &value);
}

/* Of what is kept those that the answer does not say, and all that it says (RFC 7252 §5.9.1.3); Max-Age with it, whose
 * absence means its default. Returns their length; -1: there is no room. */
static int merge_options(uint8_t to[CG_VALID_OPTIONS_MAX], struct cg_slice kept, struct cg_slice said) {
    struct cg_msg old = {.options = kept}, new = {.options = said};
    struct cg_msg_writer writer = {.data = to, .cap = CG_VALID_OPTIONS_MAX};
    struct cg_opt_iter olds, news;
    struct cg_opt from_old, from_new;
    cg_opt_iter_init(&olds, &old);
    cg_opt_iter_init(&news, &new);
    bool has_old = cg_opt_next(&olds, &from_old), has_new = cg_opt_next(&news, &from_new);
    while (has_old || has_new) {
        bool is_old = has_old && (!has_new || from_old.number < from_new.number);
        const struct cg_opt *next = is_old ? &from_old : &from_new;
        if (!is_old || !has_option(said, next->number)) cg_msg_put_opt(&writer, next->number, next->value);
        if (is_old) {
            has_old = cg_opt_next(&olds, &from_old);
        } else {
            has_new = cg_opt_next(&news, &from_new);
        }
    }
    return writer.failed ? -1 : (int)writer.len;
}

/* The answer that it says to be valid; NULL: none that this member has given. */
static const struct cg_cached *meant(const struct cg_cache_set *set, const struct cg_member *member,
                                     const struct cg_opened *opened) {
    const struct cg_cached *kept = set == NULL ? NULL : set->of[member->number];
    const struct cg_msg msg = {.options = opened->options};
    struct cg_slice etag;
    bool is =
        kept != NULL && kept->etag.len > 0 && cg_msg_find(&msg, CG_OPT_ETAG, &etag) && cg_slice_equal(etag, kept->etag);
    return is ? kept : NULL;
}

static bool restore(const struct cg_cached *kept, const struct cg_arrival *arrival, struct cg_valid *valid) {
    valid->opened = *arrival->opened;
    valid->opened.code = kept->code;
    valid->opened.payload = kept->payload;
    int len = merge_options(valid->options, kept->options, arrival->opened->options);
    if (len < 0) return false;
    valid->opened.options = cg_slice_of(valid->options, (size_t)len);
    valid->arrival = *arrival;
    valid->arrival.opened = &valid->opened;
    return true;
}

/* False: it was before, or there is no memory. */
static bool note_anew(struct cg_round *round, const struct cg_member *member) {
    uint8_t **set = &round->cached.anew;
    if (*set == NULL) *set = cg_arena_zalloc(&round->arena, cg_member_set_size(round->mapping));
    if (*set == NULL || cg_member_set_has(*set, member)) return false;
    cg_member_set_put(*set, member, true);
    return true;
}

/* Once: what it says then is its answer, whatever that is. */
static bool ask_anew(struct cg_part *part, const struct cg_member *member) {
    struct cg_round *round = part->round;
    struct cg_problem ignored = {0}; /* it is one silent member more */
    struct cg_addr at;
    bool may = round->repair.running < AGAIN_MAX && cg_protector_find(round->mapping->protector, member, &at);
    if (!may || !note_anew(round, member)) return false;
    cg_asks_member(round, member, &at, 0, &ignored);
    return ignored.err == 0;
}

/* Only where it was asked for is it any news. */
enum cg_revalidated cg_revalidate_hear(struct cg_part *part, const struct cg_arrival *arrival, struct cg_valid *valid) {
    struct cg_round *round = part->round;
    struct cg_who who;
    if (!round->cached.keeps || arrival->opened->code != CG_CODE(2, 3)) return CG_REVALIDATED_NOT;
    cg_who_decide(&who, round->mapping, &arrival->from, arrival->opened->identity);
    if (who.member == NULL) return CG_REVALIDATED_NOT;
    const struct cg_cached *kept = meant(set_of(round), who.member, arrival->opened);
    if (kept != NULL && restore(kept, arrival, valid)) {
        round->mapping->stats->revalidations++;
        return CG_REVALIDATED;
    }
    return ask_anew(part, who.member) ? CG_REVALIDATED_OTHER : CG_REVALIDATED_NOT;
}
