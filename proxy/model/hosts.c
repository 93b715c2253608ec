/* All members' hosts in one table. The hard thing: a thousand mappings may share ten thousand members of one security
 * group, which must not be gone through a thousand times. */
#include "model/hosts.h"

#include "model/config.h"

static bool has(const struct cg_hosts *hosts, const struct cg_addr *host) {
    uint32_t hash = cg_addr_hash(host), number;
    for (uint32_t at = hash; cg_table_next(&hosts->table, hash, &at, &number);) {
        if (cg_addr_equal(&hosts->list[number], host)) return true;
    }
    return false;
}

bool cg_hosts_have(const struct cg_hosts *hosts, const struct cg_addr *addr) {
    struct cg_addr host = cg_addr_host(addr);
    if (has(hosts, &host)) return true;
    if (host.scope == 0 || !cg_addr_is_link_local(&host)) return false;
    host.scope = 0;
    return has(hosts, &host);
}

static void add(struct cg_hosts *hosts, const struct cg_members *members) {
    for (size_t i = 0; i < members->count; i++) {
        struct cg_addr host = cg_addr_host(&members->list[i].addr);
        if (host.family == CG_FAMILY_NONE || has(hosts, &host)) continue;
        hosts->list[hosts->count] = host;
        cg_table_add(&hosts->table, cg_addr_hash(&host), hosts->count++);
    }
}

static bool has_own_members(const struct cg_mapping *mapping) {
    return mapping->roster != NULL && (mapping->keys == NULL || mapping->roster != &mapping->keys->members);
}

static size_t count_members(const struct cg_config *config) {
    size_t count = 0;
    for (size_t i = 0; i < config->security_group_count; i++) count += config->security_groups[i].members.count;
    for (size_t i = 0; i < config->mapping_count; i++) {
        if (has_own_members(&config->mappings[i])) count += config->mappings[i].roster->count;
    }
    return count;
}

static void add_interface(struct cg_hosts *hosts, const char *name) {
    for (size_t i = 0; i < hosts->interface_count; i++) {
        const char *it = hosts->interfaces[i];
        if (it == name || (it != NULL && name != NULL && strcmp(it, name) == 0)) return;
    }
    hosts->interfaces[hosts->interface_count++] = name;
}

static void add_interfaces_of(struct cg_hosts *hosts, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count && hosts->interface_count < CG_HOSTS_INTERFACES; i++) {
        add_interface(hosts, mapping->targets[i].interface);
    }
}

bool cg_hosts_index(struct cg_config *config) {
    struct cg_hosts *hosts = &config->hosts;
    size_t count = count_members(config);
    if (count > 0) {
        hosts->list = cg_arena_alloc(&config->arena, count * sizeof *hosts->list);
        if (hosts->list == NULL || !cg_table_init(&hosts->table, &config->arena, count)) return false;
    }
    for (size_t i = 0; i < config->security_group_count; i++) add(hosts, &config->security_groups[i].members);
    for (size_t i = 0; i < config->mapping_count; i++) {
        if (has_own_members(&config->mappings[i])) add(hosts, config->mappings[i].roster);
        add_interfaces_of(hosts, &config->mappings[i]);
    }
    return true;
}
