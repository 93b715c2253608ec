/* Counting. The hard thing is what it may cost: a hundred thousand mappings are counted in one pass, and of each cause
 * only a few are named, so that one which goes may leave fewer names than there are mappings. */
#include "model/reliance.h"

#include <string.h>

#include "base/check.h"
#include "model/config.h"

static void add(struct cg_reliance *to, const struct cg_mapping *mapping) {
    size_t i = 0;
    if (to->last == mapping) return; /* by another of its targets */
    to->last = mapping;
    while (i < CG_RELIANCE_NAMED && to->names[i] != NULL) i++;
    if (i < CG_RELIANCE_NAMED) to->names[i] = mapping->name;
    to->count++;
}

static void drop(struct cg_reliance *from, const struct cg_mapping *mapping) {
    size_t kept = 0;
    if (from->last == mapping) return;
    from->last = mapping;
    for (size_t i = 0; i < CG_RELIANCE_NAMED; i++) {
        const char *name = from->names[i];
        from->names[i] = NULL;
        if (name != NULL && strcmp(name, mapping->name) != 0) from->names[kept++] = name;
    }
    CG_CHECK(from->count > 0);
    from->count--;
}

static bool is_same(const char *a, const char *b) { return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0); }

/* NULL: there are too many. */
static struct cg_interface_reliance *find_interface(struct cg_reliances *all, const char *name) {
    for (size_t i = 0; i < all->interface_count; i++) {
        if (is_same(all->interfaces[i].interface, name)) return &all->interfaces[i];
    }
    if (all->interface_count == CG_RELIANCE_INTERFACES) return NULL;
    struct cg_interface_reliance *made = &all->interfaces[all->interface_count++];
    *made = (struct cg_interface_reliance){.interface = name};
    return made;
}

static bool is_ipv4(const struct cg_target *target) {
    return target->group.family == CG_FAMILY_IPV4 && !cg_target_is_hop(target);
}

static void add_interfaces(struct cg_reliances *all, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        struct cg_interface_reliance *by = find_interface(all, mapping->targets[i].interface);
        if (by == NULL) continue;
        by->over_ipv4 += is_ipv4(&mapping->targets[i]);
        add(&by->on, mapping);
    }
}

bool cg_reliances_index(struct cg_config *config) {
    struct cg_reliances *all = &config->reliances;
    size_t count = config->security_group_count;
    all->interfaces = cg_arena_zalloc(&config->arena, CG_RELIANCE_INTERFACES * sizeof *all->interfaces);
    if (all->interfaces == NULL) return false;
    all->groups = count == 0 ? NULL : cg_arena_zalloc(&config->arena, count * sizeof *all->groups);
    if (count > 0 && all->groups == NULL) return false;
    for (size_t i = 0; i < config->mapping_count; i++) {
        const struct cg_mapping *mapping = &config->mappings[i];
        if (mapping->keys != NULL) add(&all->groups[mapping->keys - config->security_groups], mapping);
        add_interfaces(all, mapping);
    }
    return true;
}

const struct cg_reliance *cg_reliance_on_group(const struct cg_config *config, size_t place) {
    void *since;
    const struct cg_reliances *all = &config->reliances;
    return cg_trie_find(&all->groups_since, (uint32_t)place, &since) ? since : &all->groups[place];
}

/* ---- In a derived snapshot ---- */

static bool change_group(struct cg_config *config, const struct cg_mapping *mapping,
                         void (*change)(struct cg_reliance *on, const struct cg_mapping *mapping)) {
    if (mapping == NULL || mapping->keys == NULL) return true;
    size_t place = (size_t)(mapping->keys - config->security_groups);
    struct cg_reliance *on = cg_arena_alloc(&config->arena, sizeof *on);
    if (on == NULL) return false;
    *on = *cg_reliance_on_group(config, place);
    on->last = NULL;
    change(on, mapping);
    return cg_trie_put(&config->reliances.groups_since, &config->arena, (uint32_t)place, on);
}

/* There are so few that all are copied. */
static bool copy_interfaces(struct cg_config *config) {
    struct cg_reliances *all = &config->reliances;
    struct cg_interface_reliance *copy = cg_arena_alloc(&config->arena, CG_RELIANCE_INTERFACES * sizeof *copy);
    if (copy == NULL) return false;
    if (all->interface_count > 0) memcpy(copy, all->interfaces, all->interface_count * sizeof *copy);
    for (size_t i = 0; i < all->interface_count; i++) copy[i].on.last = NULL;
    all->interfaces = copy;
    return true;
}

static void drop_interfaces(struct cg_reliances *all, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        struct cg_interface_reliance *by = find_interface(all, mapping->targets[i].interface);
        if (by == NULL || by->on.count == 0) continue; /* beyond the limit */
        if (is_ipv4(&mapping->targets[i]) && by->over_ipv4 > 0) by->over_ipv4--;
        drop(&by->on, mapping);
    }
    for (size_t i = all->interface_count; i-- > 0;) {
        if (all->interfaces[i].on.count == 0) all->interfaces[i] = all->interfaces[--all->interface_count];
    }
}

static bool has_same_interfaces(const struct cg_mapping *one, const struct cg_mapping *other) {
    bool is = strcmp(one->name, other->name) == 0 && one->target_count == other->target_count;
    for (size_t i = 0; is && i < one->target_count; i++) {
        is = is_same(one->targets[i].interface, other->targets[i].interface) &&
             is_ipv4(&one->targets[i]) == is_ipv4(&other->targets[i]);
    }
    return is;
}

static bool change_interfaces(struct cg_config *config, const struct cg_mapping *before, const struct cg_mapping *now) {
    if (before != NULL && now != NULL && has_same_interfaces(before, now)) return true;
    if (!copy_interfaces(config)) return false;
    if (now != NULL) add_interfaces(&config->reliances, now);
    if (before != NULL) drop_interfaces(&config->reliances, before);
    return true;
}

bool cg_reliances_change(struct cg_config *config, const struct cg_mapping *before, const struct cg_mapping *now) {
    return change_group(config, before, drop) && change_group(config, now, add) &&
           change_interfaces(config, before, now);
}
