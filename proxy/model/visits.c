/* One pass over the mappings. The hard thing: two targets are one where what is sent reaches the same members, whatever
 * path it asks for. */
#include "model/visits.h"

#include <string.h>

#include "model/config.h"

static bool is_same_interface(const char *a, const char *b) {
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* A host name stands for one address at a time; of it the group has the port alone. */
static bool is_same_group(const struct cg_target *a, const struct cg_target *b) {
    return cg_slice_equal(a->host, b->host) && cg_addr_equal(&a->group, &b->group) &&
           is_same_interface(a->interface, b->interface);
}

static bool is_listed(const struct cg_visits *visits, const struct cg_target *target) {
    for (size_t i = 0; i < visits->count; i++) {
        if (is_same_group(visits->list[i].target, target)) return true;
    }
    return false;
}

static void add_targets(struct cg_visits *visits, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count && visits->count < CG_VISITS_MAX; i++) {
        const struct cg_target *target = &mapping->targets[i];
        if (is_listed(visits, target)) continue;
        visits->list[visits->count++] = (struct cg_visit){.mapping = mapping, .target = target};
    }
}

static bool make_lists(struct cg_config *config, bool *any) {
    for (size_t i = 0; i < config->security_group_count; i++) {
        struct cg_security_keys *group = &config->security_groups[i];
        group->visits = (struct cg_visits){0};
        if (!group->warm) continue;
        group->visits.list = cg_arena_zalloc(&config->arena, CG_VISITS_MAX * sizeof *group->visits.list);
        if (group->visits.list == NULL) return false;
        *any = true;
    }
    return true;
}

bool cg_visits_index(struct cg_config *config) {
    bool any = false;
    if (!make_lists(config, &any)) return false;
    for (size_t i = 0; any && i < config->mapping_count; i++) {
        const struct cg_mapping *mapping = &config->mappings[i];
        if (mapping->keys == NULL || !mapping->keys->warm || mapping->member_count == 0) continue;
        add_targets(&config->security_groups[mapping->keys - config->security_groups].visits, mapping);
    }
    return true;
}
