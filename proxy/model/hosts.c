/* All members' hosts in one index. The hard thing: a thousand mappings may share ten thousand members of one security
 * group, which must not be gone through a thousand times; and a host goes with the last list that has it, so they are
 * counted. */
#include "model/hosts.h"

#include "base/check.h"
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

/* NULL: it is not there. */
static struct cg_hosts_interface *find_interface(struct cg_hosts *hosts, const char *name) {
    for (size_t i = 0; i < hosts->interface_count; i++) {
        const char *it = hosts->interfaces[i].name;
        if (it == name || (it != NULL && name != NULL && strcmp(it, name) == 0)) return &hosts->interfaces[i];
    }
    return NULL;
}

static void add_interface(struct cg_hosts *hosts, const char *name) {
    struct cg_hosts_interface *interface = find_interface(hosts, name);
    if (interface == NULL && hosts->interface_count < CG_HOSTS_INTERFACES) {
        interface = &hosts->interfaces[hosts->interface_count++];
        *interface = (struct cg_hosts_interface){.name = name};
    }
    if (interface != NULL) interface->uses++;
}

/* Of those beyond the limit nobody knows, so one may go while some target still has it: when everything is read anew it
 * is known again. */
static void drop_interface(struct cg_hosts *hosts, const char *name) {
    struct cg_hosts_interface *interface = find_interface(hosts, name);
    if (interface == NULL || --interface->uses > 0) return;
    *interface = hosts->interfaces[--hosts->interface_count];
}

static void add_interfaces_of(struct cg_hosts *hosts, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) add_interface(hosts, mapping->targets[i].interface);
}

static void drop_interfaces_of(struct cg_hosts *hosts, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) drop_interface(hosts, mapping->targets[i].interface);
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

/* ---- In a derived snapshot ---- */

static bool put_host(struct cg_config *config, uint32_t number, const struct cg_addr *addr, uint32_t uses) {
    struct cg_host *host = cg_arena_alloc(&config->arena, sizeof *host);
    if (host == NULL) return false;
    *host = (struct cg_host){.addr = *addr, .uses = uses};
    return cg_trie_put(&config->hosts.since, &config->arena, number, host);
}

static bool add_host(struct cg_config *config, const struct cg_addr *addr) {
    struct cg_hosts *hosts = &config->hosts;
    uint32_t number;
    const struct cg_host *host = find(hosts, addr, &number);
    if (host != NULL) return put_host(config, number, addr, host->uses + 1);
    number = hosts->count++;
    return put_host(config, number, addr, 1) && cg_index_add(&hosts->index, &config->arena, cg_addr_hash(addr), number);
}

static bool drop_host(struct cg_config *config, const struct cg_addr *addr) {
    uint32_t number;
    const struct cg_host *host = find(&config->hosts, addr, &number);
    CG_CHECK(host != NULL && host->uses > 0);
    return put_host(config, number, addr, host->uses - 1);
}

static bool each_host(struct cg_config *config, const struct cg_mapping *mapping,
                      bool (*change)(struct cg_config *config, const struct cg_addr *addr)) {
    if (mapping == NULL || !has_own_members(mapping)) return true;
    for (size_t i = 0; i < mapping->roster->count; i++) {
        struct cg_addr addr = cg_addr_host(&mapping->roster->list[i].addr);
        if (addr.family != CG_FAMILY_NONE && !change(config, &addr)) return false;
    }
    return true;
}

bool cg_hosts_change(struct cg_config *config, const struct cg_mapping *before, const struct cg_mapping *now) {
    if (now != NULL) add_interfaces_of(&config->hosts, now);
    if (before != NULL) drop_interfaces_of(&config->hosts, before);
    return each_host(config, now, add_host) && each_host(config, before, drop_host);
}
