/* The snapshot's life and its look-up tables. The hard thing: everything in it lives in its arena, but uthash's bucket
 * arrays don't, so they are cleared one by one before the arena goes. */
#include "model/config.h"

#include "base/check.h"
#include "model/forward.h"
#include "model/mapping.h"

#include <stdlib.h>

struct cg_config *cg_config_new(void) {
    struct cg_config *config = calloc(1, sizeof *config);
    if (config == NULL) return NULL;
    config->references = 1;
    cg_arena_init(&config->arena, SIZE_MAX, NULL);
    return config;
}

struct cg_config *cg_config_ref(struct cg_config *config) {
    CG_CHECK(config->references > 0);
    config->references++;
    return config;
}

static void free_keys(struct cg_config *config) {
    if (config->free_keys == NULL) return;
    for (size_t i = 0; i < config->security_group_count; i++) {
        config->free_keys(config->security_groups[i].keys);
        config->free_keys(config->security_groups[i].next_keys);
    }
    for (size_t i = 0; i < config->mapping_count; i++) config->free_keys(config->mappings[i].checker_keys);
}

void cg_config_unref(struct cg_config *config) {
    if (config == NULL) return;
    CG_CHECK(config->references > 0);
    if (--config->references > 0) return;
    free_keys(config);
    HASH_CLEAR(hh, config->security_groups_by_name);
    HASH_CLEAR(hh_name, config->clients_by_name);
    HASH_CLEAR(hh_token, config->clients_by_token);
    HASH_CLEAR(hh_certificate, config->clients_by_certificate);
    HASH_CLEAR(hh, config->mappings_by_path);
    HASH_CLEAR(hh_group, config->mappings_by_group);
    HASH_CLEAR(hh_name, config->mappings_by_name);
    for (size_t i = 0; i < config->mapping_count; i++) {
        HASH_CLEAR(hh, config->mappings[i].members_by_addr);
        HASH_CLEAR(hh_host, config->mappings[i].members_by_host);
        HASH_CLEAR(hh_identity, config->mappings[i].members_by_identity);
    }
    cg_arena_fini(&config->arena);
    free(config);
}

/* The indexes: false where memory ran out. */

static bool index_client(struct cg_config *config, struct cg_client *client) {
    HASH_ADD_KEYPTR(hh_name, config->clients_by_name, client->name, strlen(client->name), client);
    if (client->has_token) {
        HASH_ADD(hh_token, config->clients_by_token, token_sha256, sizeof client->token_sha256, client);
    }
    if (client->has_certificate) {
        HASH_ADD(hh_certificate, config->clients_by_certificate, certificate_sha256, sizeof client->certificate_sha256,
                 client);
    }
    return CG_HASH_HAS(hh_name, client) && (!client->has_token || CG_HASH_HAS(hh_token, client)) &&
           (!client->has_certificate || CG_HASH_HAS(hh_certificate, client));
}

static bool index_clients(struct cg_config *config) {
    for (size_t i = 0; i < config->client_count; i++) {
        struct cg_client *client = &config->clients[i];
        client->number = (uint32_t)i;
        if (!index_client(config, client)) return false;
    }
    return true;
}

static bool index_host(struct cg_mapping *mapping, struct cg_member *member) {
    struct cg_member *first;
    member->host = cg_addr_host(&member->addr);
    HASH_FIND(hh_host, mapping->members_by_host, &member->host, sizeof member->host, first);
    if (first != NULL) {
        first->shares_host = true;
        return true;
    }
    HASH_ADD(hh_host, mapping->members_by_host, host, sizeof member->host, member);
    return CG_HASH_HAS(hh_host, member);
}

static bool index_address(struct cg_mapping *mapping, struct cg_member *member) {
    if (member->addr.family == CG_FAMILY_NONE) return true;
    HASH_ADD(hh, mapping->members_by_addr, addr, sizeof member->addr, member);
    return CG_HASH_HAS(hh, member) && index_host(mapping, member);
}

static bool index_identity(struct cg_mapping *mapping, struct cg_member *member) {
    if (member->identity.len == 0) return true;
    HASH_ADD_KEYPTR(hh_identity, mapping->members_by_identity, member->identity.data, member->identity.len, member);
    return CG_HASH_HAS(hh_identity, member);
}

static bool index_members(struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->member_count; i++) {
        struct cg_member *member = &mapping->members[i];
        member->number = (uint32_t)i;
        if (!index_address(mapping, member) || !index_identity(mapping, member)) return false;
    }
    return true;
}

int cg_config_index(struct cg_config *config) {
    bool whole = index_clients(config);
    for (size_t i = 0; whole && i < config->mapping_count; i++) whole = index_members(&config->mappings[i]);
    return whole && cg_mapping_index(config) && cg_forward_index(config) ? CG_OK : CG_E_NO_MEMORY;
}

struct cg_addr cg_target_group(const struct cg_target *target) {
    if (target->host.len == 0) return target->group;
    CG_CHECK(target->resolved != NULL);
    struct cg_addr addr = target->resolved->addr;
    addr.port = target->group.port;
    return addr;
}

const struct cg_client *cg_config_client_by_token(const struct cg_config *config, const uint8_t sha256[32]) {
    struct cg_client *client;
    HASH_FIND(hh_token, config->clients_by_token, sha256, 32, client);
    return client;
}

const struct cg_client *cg_config_client_by_certificate(const struct cg_config *config, const uint8_t sha256[32]) {
    struct cg_client *client;
    HASH_FIND(hh_certificate, config->clients_by_certificate, sha256, 32, client);
    return client;
}

const struct cg_client *cg_config_client_by_name(const struct cg_config *config, const char *name) {
    struct cg_client *client;
    HASH_FIND(hh_name, config->clients_by_name, name, strlen(name), client);
    return client;
}
