/* A snapshot out of a snapshot. The hard thing: it borrows all but its one mapping, so it keeps the other alive until
 * the last request under it has ended. */
#include "app/check/snapshot.h"

#include "base/text.h"
#include "model/mapping.h"

enum { ASK_S = 4 }; /* a member that is asked alone has no leisure */

static const double answers_late_s = 0.5; /* after leisure, for their way */

static uint32_t round_up(double seconds) {
    uint32_t whole = (uint32_t)seconds;
    return whole + (seconds > whole);
}

uint32_t cg_check_listens(const struct cg_check_order *order) {
    const struct cg_mapping *mapping = order->mapping;
    double timeout = mapping->has_timeout ? (double)mapping->timeout_us / 1e6 : 0;
    double leisure = mapping->leisure + answers_late_s;
    bool alone = mapping->complete && mapping->member_count == 1 && mapping->has_timeout;
    if (order->only != NULL) return ASK_S;
    return round_up(alone || timeout >= mapping->leisure ? timeout : leisure);
}

static uint32_t add_text(uint32_t hash, const char *text) {
    return text == NULL ? cg_fnv(hash, "", 1) : cg_fnv(hash, text, strlen(text) + 1);
}

uint32_t cg_check_digest(const struct cg_mapping *mapping) {
    uint32_t hash = add_text(CG_FNV_START, mapping->path);
    for (size_t i = 0; i < mapping->target_count; i++) {
        const struct cg_target *target = &mapping->targets[i];
        hash = add_text(add_text(hash, target->uri), target->interface);
        hash = cg_fnv(hash, &target->hops, sizeof target->hops);
    }
    hash = add_text(hash, mapping->keys == NULL ? NULL : mapping->keys->name);
    hash = cg_fnv(hash, &mapping->leisure, sizeof mapping->leisure);
    hash = cg_fnv(hash, &mapping->timeout_us, sizeof mapping->timeout_us);
    for (size_t i = 0; i < mapping->member_count; i++)
        hash = cg_fnv(add_text(hash, mapping->members[i].name), &mapping->members[i].addr, sizeof(struct cg_addr));
    return hash;
}

/* It was the last to need what it borrows. */
static void bury(struct cg_config *config) {
    struct cg_config *base = config->undertaker;
    cg_config_free(config);
    cg_config_unref(base);
}

static bool ask_for_core(struct cg_config *config, struct cg_mapping *mapping) {
    struct cg_target *targets = cg_arena_alloc(&config->arena, mapping->target_count * sizeof *targets);
    if (targets == NULL) return false;
    memcpy(targets, mapping->targets, mapping->target_count * sizeof *targets);
    for (size_t i = 0; i < mapping->target_count; i++) {
        targets[i].path = cg_slice_str(CG_CHECK_CORE_PATH);
        targets[i].query = CG_SLICE_NONE;
    }
    mapping->targets = targets;
    return true;
}

/* As where the only member is known (R6). */
static bool ask_only(struct cg_config *config, struct cg_mapping *mapping, const struct cg_member *only) {
    struct cg_members *roster = cg_arena_zalloc(&config->arena, sizeof *roster);
    struct cg_member *member = cg_arena_alloc(&config->arena, sizeof *member);
    if (roster == NULL || member == NULL) return false;
    *member = *only;
    *roster = (struct cg_members){.list = member, .count = 1};
    mapping->members = member;
    mapping->member_count = 1;
    mapping->target_count = 1;
    mapping->complete = true;
    mapping->roster = roster;
    return cg_members_index(roster, &config->arena);
}

/* Budgets, finish rules and what members are hidden by are for clients. */
static void open_mapping(struct cg_mapping *mapping) {
    bool all = mapping->complete && mapping->member_count > 0;
    mapping->checker_keys = NULL; /* the other snapshot's */
    mapping->methods |= CG_METHOD_BIT(CG_GET);
    mapping->requests_per_minute = 0;
    mapping->max_timeout_us = UINT64_MAX;
    mapping->finish = (struct cg_finish){.rule = all ? CG_FINISH_ALL : CG_FINISH_DEADLINE};
    mapping->repair_unicast = false; /* who is silent to the group is to be seen */
    mapping->anonymise = false;
}

static bool fill(struct cg_config *config, const struct cg_check_order *order) {
    struct cg_mapping *mapping = cg_arena_alloc(&config->arena, sizeof *mapping);
    if (mapping == NULL) return false;
    *mapping = *order->mapping;
    config->mappings = mapping;
    config->mapping_count = 1;
    open_mapping(mapping);
    if (order->core && !ask_for_core(config, mapping)) return false;
    if (order->only != NULL && !ask_only(config, mapping, order->only)) return false;
    return cg_mapping_index(config);
}

struct cg_config *cg_check_snapshot(struct cg_config *base, const struct cg_check_order *order) {
    struct cg_config *config = cg_config_new();
    if (config == NULL) return NULL;
    config->bury = bury;
    config->undertaker = cg_config_ref(base);
    config->group = base->group;
    config->options = base->options;
    config->limits = base->limits;
    config->limits.exchanges_per_client = UINT32_MAX;
    config->state = base->state;
    config->hosts = base->hosts;
    if (fill(config, order)) return config;
    cg_config_unref(config);
    return NULL;
}
