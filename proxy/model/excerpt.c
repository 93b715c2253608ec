/* An excerpt. The hard thing: it borrows all but its one mapping, so it keeps the other snapshot alive until the last
 * request under it has ended. */
#include "model/excerpt.h"

#include "wire/msg.h"

/* It was the last to need what it borrows. */
static void bury(struct cg_config *config) {
    struct cg_config *base = config->undertaker;
    cg_config_free(config);
    cg_config_unref(base);
}

/* Budgets, finish rules and what members are hidden by are for clients. */
static void open_mapping(struct cg_mapping *mapping) {
    bool all = mapping->complete && mapping->member_count > 0;
    mapping->checker_keys = NULL; /* the other snapshot's */
    mapping->methods |= CG_METHOD_BIT(CG_GET);
    mapping->requests_per_minute = 0;
    mapping->max_timeout_us = UINT64_MAX;
    mapping->finish = (struct cg_finish){.rule = all ? CG_FINISH_ALL : CG_FINISH_DEADLINE};
    mapping->anonymise = false;
}

struct cg_config *cg_excerpt_new(struct cg_config *base, const struct cg_mapping *mapping) {
    struct cg_config *excerpt = cg_config_new();
    if (excerpt == NULL) return NULL;
    excerpt->bury = bury;
    excerpt->undertaker = cg_config_ref(base);
    excerpt->group = base->group;
    excerpt->options = base->options;
    excerpt->limits = base->limits;
    excerpt->limits.exchanges_per_client = UINT32_MAX;
    excerpt->state = base->state;
    excerpt->hosts = base->hosts;
    excerpt->mappings = cg_arena_alloc(&excerpt->arena, sizeof *excerpt->mappings);
    if (excerpt->mappings == NULL) {
        cg_config_unref(excerpt);
        return NULL;
    }
    excerpt->mappings[0] = *mapping;
    excerpt->mapping_count = 1;
    open_mapping(&excerpt->mappings[0]);
    return excerpt;
}

void cg_excerpt_aim(struct cg_config *excerpt, const struct cg_target *target) {
    struct cg_mapping *mapping = &excerpt->mappings[0];
    mapping->targets = &mapping->targets[target - mapping->targets];
    mapping->target_count = 1;
}

bool cg_excerpt_expect(struct cg_config *excerpt, const struct cg_member *const *members, size_t count) {
    struct cg_mapping *mapping = &excerpt->mappings[0];
    struct cg_members *roster = cg_arena_zalloc(&excerpt->arena, sizeof *roster);
    struct cg_member *list = cg_arena_alloc(&excerpt->arena, count * sizeof *list);
    if (roster == NULL || list == NULL) return false;
    for (size_t i = 0; i < count; i++) list[i] = *members[i];
    *roster = (struct cg_members){.list = list, .count = count};
    mapping->members = list;
    mapping->member_count = count;
    mapping->complete = true;
    mapping->finish = (struct cg_finish){.rule = CG_FINISH_ALL};
    mapping->roster = roster;
    return cg_members_index(roster, &excerpt->arena);
}
