/* Made once a snapshot. The hard thing is what it may cost: a hundred thousand mappings are counted in one pass, and of
 * each cause only the first few are named. */
#include "model/reliance.h"

#include <string.h>

#include "model/config.h"

static void add(struct cg_reliance *to, const struct cg_mapping *mapping) {
    if (to->last == mapping) return; /* by another of its targets */
    to->last = mapping;
    if (to->count < CG_RELIANCE_NAMED) to->names[to->count] = mapping->name;
    to->count++;
}

static bool is_same(const char *a, const char *b) { return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0); }

/* NULL: there are too many. */
static struct cg_interface_reliance *find_interface(struct cg_reliances *all, const char *name) {
    for (size_t i = 0; i < all->interface_count; i++) {
        if (is_same(all->interfaces[i].interface, name)) return &all->interfaces[i];
    }
    if (all->interface_count == CG_RELIANCE_INTERFACES) return NULL;
    struct cg_interface_reliance *made = &all->interfaces[all->interface_count++];
    made->interface = name;
    return made;
}

static void add_interfaces(struct cg_reliances *all, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        struct cg_interface_reliance *by = find_interface(all, mapping->targets[i].interface);
        if (by == NULL) continue;
        by->over_ipv4 |= mapping->targets[i].group.family == CG_FAMILY_IPV4;
        add(&by->on, mapping);
    }
}

bool cg_reliances_index(struct cg_config *config) {
    struct cg_reliances *all = &config->reliances;
    size_t count = config->security_group_count;
    all->groups = count == 0 ? NULL : cg_arena_zalloc(&config->arena, count * sizeof *all->groups);
    if (count > 0 && all->groups == NULL) return false;
    for (size_t i = 0; i < config->mapping_count; i++) {
        const struct cg_mapping *mapping = &config->mappings[i];
        if (mapping->keys != NULL) add(&all->groups[mapping->keys - config->security_groups], mapping);
        add_interfaces(all, mapping);
    }
    return true;
}
