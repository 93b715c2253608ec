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
        if (is_listed(visits, target) || cg_target_is_hop(target)) continue;
        visits->list[visits->count++] = (struct cg_visit){.mapping = mapping, .target = target};
    }
}

static size_t place_of(const struct cg_config *config, const struct cg_security_keys *group) {
    return (size_t)(group - config->security_groups);
}

static bool make_list(struct cg_config *config, struct cg_visits *visits) {
    visits->count = 0;
    visits->list = cg_arena_zalloc(&config->arena, CG_VISITS_MAX * sizeof *visits->list);
    return visits->list != NULL;
}

static bool is_any_warm(const struct cg_config *config) {
    size_t i = 0;
    while (i < config->security_group_count && !config->security_groups[i].warm) i++;
    return i < config->security_group_count;
}

static bool make_lists(struct cg_config *config) {
    struct cg_visits *groups = cg_arena_zalloc(&config->arena, config->security_group_count * sizeof *groups);
    if (groups == NULL) return false;
    config->visits.groups = groups;
    for (size_t i = 0; i < config->security_group_count; i++) {
        if (config->security_groups[i].warm && !make_list(config, &groups[i])) return false;
    }
    return true;
}

static bool is_warmed(const struct cg_mapping *mapping) {
    return mapping != NULL && mapping->keys != NULL && mapping->keys->warm && mapping->member_count > 0;
}

bool cg_visits_index(struct cg_config *config) {
    if (!is_any_warm(config)) return true;
    if (!make_lists(config)) return false;
    for (size_t i = 0; i < config->mapping_count; i++) {
        const struct cg_mapping *mapping = &config->mappings[i];
        if (is_warmed(mapping)) add_targets(&config->visits.groups[place_of(config, mapping->keys)], mapping);
    }
    return true;
}

const struct cg_visits *cg_visits_of(const struct cg_config *config, const struct cg_security_keys *group) {
    static const struct cg_visits none;
    void *since;
    const size_t place = place_of(config, group);
    if (cg_trie_find(&config->visits.since, (uint32_t)place, &since)) return since;
    return config->visits.groups == NULL ? &none : &config->visits.groups[place];
}

/* ---- In a derived snapshot ---- */

static struct cg_visits *new_visits(struct cg_config *config, const struct cg_security_keys *group) {
    struct cg_visits *visits = cg_arena_zalloc(&config->arena, sizeof *visits);
    bool is_made = visits != NULL && make_list(config, visits) &&
                   cg_trie_put(&config->visits.since, &config->arena, (uint32_t)place_of(config, group), visits);
    return is_made ? visits : NULL;
}

static bool is_visited_by(const struct cg_visits *visits, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < visits->count; i++) {
        if (visits->list[i].mapping == mapping) return true;
    }
    return false;
}

static bool list_anew(struct cg_config *config, const struct cg_security_keys *group) {
    const struct cg_mapping *mapping;
    struct cg_visits *visits = new_visits(config, group);
    for (uint32_t next = 0; visits != NULL && (mapping = cg_config_next_mapping(config, &next)) != NULL;) {
        if (mapping->keys == group && is_warmed(mapping)) add_targets(visits, mapping);
    }
    return visits != NULL;
}

static const struct cg_target *find_target(const struct cg_mapping *mapping, const struct cg_target *wanted) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        if (is_same_group(&mapping->targets[i], wanted)) return &mapping->targets[i];
    }
    return NULL;
}

/* The same visits, by what stands there now. False: it does not go to all of them. */
static bool pass_on(struct cg_visits *to, const struct cg_visits *from, const struct cg_mapping *before,
                    const struct cg_mapping *now) {
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        struct cg_visit visit = from->list[i];
        if (visit.mapping == before) {
            visit = (struct cg_visit){.mapping = now, .target = find_target(now, visit.target)};
            if (visit.target == NULL) return false;
        }
        to->list[i] = visit;
    }
    return true;
}

/* What stood there goes out of its group's visits. */
static bool leave(struct cg_config *config, const struct cg_mapping *before, const struct cg_mapping *now) {
    if (!is_warmed(before)) return true;
    const struct cg_visits *visits = cg_visits_of(config, before->keys);
    if (!is_visited_by(visits, before)) return true;
    if (!is_warmed(now) || now->keys != before->keys) return list_anew(config, before->keys);
    struct cg_visits *made = new_visits(config, before->keys);
    if (made == NULL) return false;
    return pass_on(made, visits, before, now) || list_anew(config, before->keys);
}

static bool has_all_targets(const struct cg_visits *visits, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        if (!is_listed(visits, &mapping->targets[i])) return false;
    }
    return true;
}

static bool join(struct cg_config *config, const struct cg_mapping *now) {
    if (!is_warmed(now)) return true;
    const struct cg_visits *visits = cg_visits_of(config, now->keys);
    if (visits->count == CG_VISITS_MAX || has_all_targets(visits, now)) return true;
    struct cg_visits *made = new_visits(config, now->keys);
    if (made == NULL) return false;
    made->count = visits->count;
    for (size_t i = 0; i < visits->count; i++) made->list[i] = visits->list[i];
    add_targets(made, now);
    return true;
}

bool cg_visits_change(struct cg_config *config, const struct cg_mapping *before, const struct cg_mapping *now) {
    return leave(config, before, now) && join(config, now);
}
