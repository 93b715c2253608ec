/* All members' hosts in one table. The hard thing: a thousand mappings may share ten thousand members of one security
 * group, which must not be gone through a thousand times. */
#include "model/hosts.h"

#include "model/config.h"

static const struct cg_host *host_of(const struct cg_hosts *hosts, uint32_t number) {
    void *since;
    return cg_trie_find(&hosts->since, number, &since) ? since : &hosts->list[number];
}

/* NULL: it is not there. */
static const struct cg_host *find(const struct cg_hosts *hosts, const struct cg_addr *addr, uint32_t *number) {
    struct cg_index_look look = cg_index_look(&hosts->index, cg_addr_hash(addr));
    while (cg_index_next(&look, number)) {
        const struct cg_host *host = host_of(hosts, *number);
        if (cg_addr_equal(&host->addr, addr)) return host;
    }
    return NULL;
}

static bool has(const struct cg_hosts *hosts, const struct cg_addr *addr) {
    uint32_t number;
    const struct cg_host *host = find(hosts, addr, &number);
    return host != NULL && host->uses > 0;
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
        struct cg_addr addr = cg_addr_host(&members->list[i].addr);
        uint32_t number;
        if (addr.family == CG_FAMILY_NONE) continue;
        if (find(hosts, &addr, &number) == NULL) {
            number = hosts->count++;
            hosts->list[number] = (struct cg_host){.addr = addr};
            cg_index_fill(&hosts->index, cg_addr_hash(&addr), number);
        }
        hosts->list[number].uses++;
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
        const char *it = hosts->interfaces[i].name;
        bool is_it = it == name || (it != NULL && name != NULL && strcmp(it, name) == 0);
        if (is_it) hosts->interfaces[i].uses++;
        if (is_it) return;
    }
    if (hosts->interface_count == CG_HOSTS_INTERFACES) return;
    hosts->interfaces[hosts->interface_count++] = (struct cg_hosts_interface){.name = name, .uses = 1};
}

static void add_interfaces_of(struct cg_hosts *hosts, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) add_interface(hosts, mapping->targets[i].interface);
}

bool cg_hosts_index(struct cg_config *config) {
    struct cg_hosts *hosts = &config->hosts;
    size_t count = count_members(config);
    if (count > 0) {
        hosts->list = cg_arena_alloc(&config->arena, count * sizeof *hosts->list);
        if (hosts->list == NULL || !cg_index_init(&hosts->index, &config->arena, count)) return false;
    }
    for (size_t i = 0; i < config->security_group_count; i++) add(hosts, &config->security_groups[i].members);
    for (size_t i = 0; i < config->mapping_count; i++) {
        if (has_own_members(&config->mappings[i])) add(hosts, config->mappings[i].roster);
        add_interfaces_of(hosts, &config->mappings[i]);
    }
    return true;
}
