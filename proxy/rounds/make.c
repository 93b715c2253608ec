/* Making. The hard thing is whom it is for: the group, the one member that is known or meant, or those of a group of
 * which so few can be reached that each is asked by itself. */
#include "rounds/make.h"

#include "base/container.h"
#include "rounds/cached.h"
#include "rounds/hops.h"
#include "rounds/large.h"
#include "rounds/round_inside.h"
#include "rounds/shape.h"

#include <stdlib.h>

static int make_parts(struct cg_round *round, const struct cg_wish *wish) {
    const struct cg_mapping *mapping = wish->mapping;
    struct cg_leg_request *requests = cg_arena_alloc(&round->arena, mapping->target_count * sizeof *requests);
    struct cg_part *parts = cg_arena_zalloc(&round->arena, mapping->target_count * sizeof *parts);
    if (requests == NULL || parts == NULL) return CG_E_NO_MEMORY;
    int err = cg_shape_requests(wish, &round->arena, requests);
    if (err < 0) return err;
    for (size_t i = 0; i < mapping->target_count; i++) {
        parts[i] = (struct cg_part){.round = round, .target = &mapping->targets[i], .request = &requests[i]};
    }
    round->parts = parts;
    round->part_count = mapping->target_count;
    cg_shape_emit(&round->shape, mapping, &requests[0]);
    if (cg_mapping_has_hop(mapping)) cg_buf_put(&round->shape, &wish->timeout_us, sizeof wish->timeout_us);
    if (wish->member != NULL) cg_shape_emit_member(&round->shape, wish);
    if (!cg_cached_init(round, wish)) return CG_E_NO_MEMORY;
    cg_cached_emit_shape(&round->shape, round, wish);
    return CG_OK;
}

/* R6: fewer than two members can be reached by a group request, and all can be asked by unicast. */
static bool has_nobody_to_cast_to(const struct cg_wish *wish) {
    const struct cg_mapping *mapping = wish->mapping;
    bool is_known = mapping->complete && mapping->member_count > 0 && mapping->target_count == 1;
    size_t reachable = 0;
    if (!is_known || !wish->expects_answers || cg_mapping_has_hop(mapping)) return false;
    for (size_t i = 0; i < mapping->member_count && reachable < 2; i++) {
        const struct cg_member *member = &mapping->members[i];
        if (member->addr.family == CG_FAMILY_NONE) return false;
        reachable += !member->is_unicast_only;
    }
    return reachable < 2;
}

static const struct cg_member *only_member(const struct cg_wish *wish) {
    if (wish->member != NULL) return wish->member;
    bool is_only = wish->mapping->member_count == 1 && has_nobody_to_cast_to(wish);
    return is_only ? &wish->mapping->members[0] : NULL;
}

/* Of before a restart. Only who verifies what comes may ask there: an address may be somebody else's by now. */
static bool find_remembered(const struct cg_round *round, struct cg_addr *at) {
    const struct cg_member *only = round->only;
    const struct cg_known *known = NULL;
    if (only->identity.len > 0 && round->rounds->knowns != NULL)
        known = cg_known_find(round->rounds->knowns, round->mapping, only);
    if (known != NULL) *at = *cg_known_addr(known);
    return known != NULL;
}

/* Where the client says that it is; else where it is configured to be, or where its credential has verified last. */
static int find_only(struct cg_round *round, const struct cg_wish *wish, struct cg_problem *problem) {
    const struct cg_member *only = round->only;
    round->only_at = wish->at;
    if (only == NULL || wish->at.family != CG_FAMILY_NONE) return CG_OK;
    if (cg_protector_find(round->mapping->protector, only, &round->only_at)) return CG_OK;
    if (find_remembered(round, &round->only_at)) return CG_OK;
    return cg_problem_set(problem, CG_E_EMIT,
                          "where member %s is is not known: no \"address\" is configured, and it has answered nothing "
                          "since the gateway started",
                          only->name);
}

/* Those who follow and have not taken it yet take it as it is. */
static void release(struct cg_tally *tally, struct cg_held_answer *held, enum cg_replacement by) {
    struct cg_feed *feed = &CG_CONTAINER(tally, struct cg_round, tally)->feed;
    if (by == CG_REPLACED_BY_NOTIFICATION) {
        cg_feed_supersede(feed, &held->news);
    } else {
        cg_feed_release(feed, &held->news);
    }
}

static int fill(struct cg_round *round, const struct cg_wish *wish, struct cg_problem *problem) {
    if (!cg_tally_init(&round->tally, &round->arena, round->mapping)) return cg_problem_memory_full(problem);
    round->tally.replacing = release;
    if (wish->member != NULL) cg_tally_expect_one(&round->tally);
    if (cg_large_check(wish, round->only, problem) < 0) return problem->err;
    if (wish->member == NULL && cg_hops_check(wish, problem) < 0) return problem->err;
    if (find_only(round, wish, problem) < 0) return problem->err;
    int err = make_parts(round, wish);
    if (round->parts != NULL && round->parts[0].request->observes) cg_tally_observe(&round->tally);
    if (err == CG_OK) return CG_OK;
    if (err == CG_E_NO_MEMORY) return cg_problem_memory_full(problem);
    return cg_problem_set(problem, err, "the path or query cannot be put into CoAP options");
}

/* Who is in no settings is its client's, which may leave before others do. NULL: no memory. */
static const struct cg_member *keep_stranger(struct cg_round *round, const struct cg_member *stranger) {
    struct cg_member *kept = cg_arena_alloc(&round->arena, sizeof *kept);
    struct cg_slice name = cg_arena_copy(&round->arena, cg_slice_of(stranger->name, strlen(stranger->name) + 1));
    if (kept == NULL || name.data == NULL) return NULL;
    *kept = *stranger;
    kept->name = (const char *)name.data;
    return kept;
}

/* Nothing of it is anywhere yet. NULL, with *problem. */
struct cg_round *cg_round_make(struct cg_rounds *rounds, const struct cg_wish *wish, struct cg_problem *problem) {
    struct cg_round *round = calloc(1, sizeof *round);
    if (round == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    round->rounds = rounds;
    round->departures = rounds->engine->departures;
    round->config = cg_config_ref(wish->config);
    round->mapping = wish->mapping;
    round->method = wish->request->method;
    round->only_is_stranger = wish->is_stranger;
    round->is_large = cg_shape_is_large(wish->mapping, wish->request->payload);
    cg_arena_init(&round->arena, wish->config->limits.exchange_memory, rounds->quota);
    round->only = wish->is_stranger ? keep_stranger(round, wish->member) : only_member(wish);
    round->by_unicast = round->only != NULL || round->is_large || has_nobody_to_cast_to(wish);
    round->feed = (struct cg_feed){.arena = &round->arena, .copied_max = wish->config->limits.stream_queue};
    cg_buf_init(&round->shape, 0);
    if (wish->is_stranger && round->only == NULL) {
        cg_problem_memory_full(problem);
    } else if (fill(round, wish, problem) == CG_OK) {
        return round;
    }
    cg_round_free(round);
    return NULL;
}
