/* The snapshot's life and its look-up tables. The hard thing: everything in it lives in its arena but the keys, which
 * must be wiped, and uthash's bucket arrays, so these are cleared before the arena goes. */
#include "model/config.h"

#include "base/check.h"
#include "base/text.h"
#include "model/follow.h"
#include "model/forward.h"
#include "model/mapping.h"

#include <stdlib.h>

const char *const cg_role_names[] = {"nobody", "viewer", "operator", "admin"};

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
    for (size_t i = 0; !config->derivation.is_derived && i < config->security_group_count; i++) {
        config->free_keys(config->security_groups[i].keys);
        config->free_keys(config->security_groups[i].next_keys);
    }
    for (size_t i = 0; !config->derivation.is_derived && i < config->idle_mapping_count; i++)
        config->free_keys(config->idle_mappings[i].checker_keys);
    struct cg_mapping *mapping;
    for (uint32_t next = 0; (mapping = cg_config_next_own_mapping(config, &next)) != NULL;)
        config->free_keys(mapping->checker_keys);
}

const struct cg_client *cg_config_next_client(const struct cg_config *config, uint32_t *next) {
    const struct cg_client *client = NULL;
    while (client == NULL && *next < config->client_count) client = cg_config_client(config, (*next)++);
    return client;
}

struct cg_mapping *cg_config_next_mapping(const struct cg_config *config, uint32_t *next) {
    struct cg_mapping *mapping = NULL;
    while (mapping == NULL && *next < config->mapping_count) mapping = cg_config_mapping(config, (*next)++);
    return mapping;
}

struct cg_mapping *cg_config_next_own_mapping(const struct cg_config *config, uint32_t *next) {
    const struct cg_derivation *derivation = &config->derivation;
    if (!derivation->is_derived) return cg_config_next_mapping(config, next);
    return *next < derivation->own_count ? derivation->own[(*next)++] : NULL;
}

/* Those that only this one keeps go with it, all at once. */
static void part_from_kept(struct cg_config *config) {
    struct cg_config **from = &config->derivation.from;
    while (*from != NULL) {
        CG_CHECK((*from)->references > 0);
        if (--(*from)->references > 0) *from = NULL;
        if (*from != NULL) from = &(*from)->derivation.from;
    }
}

void cg_config_unref(struct cg_config *config) {
    if (config == NULL) return;
    CG_CHECK(config->references > 0);
    if (--config->references > 0) return;
    part_from_kept(config);
    if (config->bury != NULL) {
        config->bury(config);
    } else {
        cg_config_free(config);
    }
}

static void free_credentials(struct cg_config *config) {
    if (config->derivation.is_derived) return;
    for (size_t i = 0; config->free_credentials != NULL && i < config->credentials_count; i++)
        config->free_credentials(&config->credentials[i]);
    HASH_CLEAR(hh, config->credentials_by_name);
}

static void free_one(struct cg_config *config) {
    CG_CHECK(config->references == 0);
    free_keys(config);
    if (config->psk_keys != NULL) config->free_psk_keys(config->psk_keys);
    free_credentials(config);
    if (!config->derivation.is_derived) HASH_CLEAR(hh, config->security_groups_by_name);
    cg_arena_fini(&config->arena);
    free(config);
}

void cg_config_free(struct cg_config *config) {
    while (config != NULL) {
        struct cg_config *from = config->derivation.from;
        free_one(config);
        config = from;
    }
}

/* The indexes: false where memory ran out. */

static uint32_t hash_of_bytes(struct cg_slice bytes) { return cg_fnv(CG_FNV_START, bytes.data, bytes.len); }

static uint32_t hash_of_name(const char *name) { return hash_of_bytes(cg_slice_str(name)); }

/* Of a SHA-256, any of its bits will do. */
static uint32_t hash_of_sha256(const uint8_t sha256[32]) {
    uint32_t hash;
    memcpy(&hash, sha256, sizeof hash);
    return hash;
}

static bool make_client_tables(struct cg_config *config) {
    size_t tokens = 0, certificates = 0, psks = 0, contexts = 0;
    for (size_t i = 0; i < config->client_count; i++) {
        tokens += config->clients[i].token_count;
        certificates += config->clients[i].certificate_count;
        psks += config->clients[i].psk.identity != NULL;
        contexts += config->clients[i].oscore.file != NULL;
    }
    return cg_index_init(&config->clients_by_name, &config->arena, config->client_count) &&
           cg_index_init(&config->clients_by_token, &config->arena, tokens) &&
           cg_index_init(&config->clients_by_certificate, &config->arena, certificates) &&
           cg_index_init(&config->clients_by_psk, &config->arena, psks) &&
           cg_index_init(&config->clients_by_oscore, &config->arena, contexts);
}

static void fill_passes(struct cg_index *index, const struct cg_pass *passes, size_t count, uint32_t client) {
    for (size_t i = 0; i < count; i++) cg_index_fill(index, hash_of_sha256(passes[i].sha256), client);
}

bool cg_config_index_clients(struct cg_config *config) {
    if (!make_client_tables(config)) return false;
    for (size_t i = 0; i < config->client_count; i++) {
        struct cg_client *client = &config->clients[i];
        client->number = (uint32_t)i;
        cg_index_fill(&config->clients_by_name, hash_of_name(client->name), client->number);
        fill_passes(&config->clients_by_token, client->tokens, client->token_count, client->number);
        fill_passes(&config->clients_by_certificate, client->certificates, client->certificate_count, client->number);
        if (client->psk.identity != NULL)
            cg_index_fill(&config->clients_by_psk, hash_of_name(client->psk.identity), client->number);
        if (client->oscore.file != NULL)
            cg_index_fill(&config->clients_by_oscore, hash_of_bytes(client->oscore.recipient_id), client->number);
    }
    return true;
}

static bool add_passes(struct cg_config *config, struct cg_index *index, const struct cg_pass *passes, size_t count,
                       uint32_t client) {
    for (size_t i = 0; i < count; i++)
        if (!cg_index_add(index, &config->arena, hash_of_sha256(passes[i].sha256), client)) return false;
    return true;
}

bool cg_config_add_client(struct cg_config *config, const struct cg_client *client) {
    const char *identity = client->psk.identity;
    uint32_t number = client->number;
    return cg_index_add(&config->clients_by_name, &config->arena, hash_of_name(client->name), number) &&
           add_passes(config, &config->clients_by_token, client->tokens, client->token_count, number) &&
           add_passes(config, &config->clients_by_certificate, client->certificates, client->certificate_count,
                      number) &&
           (identity == NULL ||
            cg_index_add(&config->clients_by_psk, &config->arena, hash_of_name(identity), number)) &&
           (client->oscore.file == NULL || cg_index_add(&config->clients_by_oscore, &config->arena,
                                                        hash_of_bytes(client->oscore.recipient_id), number));
}

/* A list of the mapping's own. */
static bool index_own_members(struct cg_config *config, struct cg_mapping *mapping) {
    struct cg_members *own = cg_arena_zalloc(&config->arena, sizeof *own);
    if (own == NULL) return false;
    own->list = mapping->members;
    own->count = mapping->member_count;
    mapping->roster = own;
    return cg_members_index(own, &config->arena);
}

bool cg_config_index_members(struct cg_config *config, struct cg_mapping *mapping) {
    bool is_done = mapping->roster != NULL || mapping->member_count == 0;
    return is_done || index_own_members(config, mapping);
}

static bool index_security_groups(struct cg_config *config) {
    for (size_t i = 0; i < config->security_group_count; i++) {
        if (!cg_members_index(&config->security_groups[i].members, &config->arena)) return false;
    }
    return true;
}

int cg_config_index(struct cg_config *config) {
    bool whole = config->clients_by_name.whole.slots != NULL || cg_config_index_clients(config);
    whole = whole && index_security_groups(config);
    for (size_t i = 0; whole && i < config->mapping_count; i++)
        whole = cg_config_index_members(config, &config->mappings[i]);
    return whole && cg_hosts_index(config) && cg_reliances_index(config) && cg_visits_index(config) &&
                   cg_mapping_index(config) && cg_forward_index(config) && cg_follow_index(config)
               ? CG_OK
               : CG_E_NO_MEMORY;
}

const struct cg_credentials *cg_config_credentials(const struct cg_config *config, const char *name) {
    const struct cg_credentials *credentials;
    HASH_FIND(hh, config->credentials_by_name, name, strlen(name), credentials);
    return credentials;
}

bool cg_mapping_has_hop(const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        if (cg_target_is_hop(&mapping->targets[i])) return true;
    }
    return false;
}

bool cg_mapping_is_by_hops(const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        if (!cg_target_is_hop(&mapping->targets[i])) return false;
    }
    return mapping->target_count > 0;
}

struct cg_addr cg_next_hop_addr(const struct cg_next_hop *next_hop) {
    if (next_hop->resolved == NULL) return next_hop->addr;
    struct cg_addr addr = next_hop->resolved->addr;
    addr.port = next_hop->addr.port;
    return addr;
}

struct cg_addr cg_target_group(const struct cg_target *target) {
    if (cg_target_is_hop(target)) return cg_next_hop_addr(&target->next_hop);
    if (target->host.len == 0) return target->group;
    CG_CHECK(target->resolved != NULL);
    struct cg_addr addr = target->resolved->addr;
    addr.port = target->group.port;
    return addr;
}

const struct cg_pass *cg_pass_find(const struct cg_pass *passes, size_t count, const uint8_t sha256[32]) {
    const struct cg_pass *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (cg_is_same_secret(passes[i].sha256, sha256, sizeof passes[i].sha256)) found = &passes[i];
    }
    return found;
}

const struct cg_client *cg_config_client_by_token(const struct cg_config *config, const uint8_t sha256[32],
                                                  const struct cg_pass **pass) {
    uint32_t hash = hash_of_sha256(sha256), number;
    struct cg_index_look look = cg_index_look(&config->clients_by_token, hash);
    while (cg_index_next(&look, &number)) {
        const struct cg_client *client = cg_config_client(config, number);
        *pass = client == NULL ? NULL : cg_pass_find(client->tokens, client->token_count, sha256);
        if (*pass != NULL) return client;
    }
    return NULL;
}

const struct cg_client *cg_config_client_by_certificate(const struct cg_config *config, const uint8_t sha256[32],
                                                        const struct cg_pass **pass) {
    uint32_t hash = hash_of_sha256(sha256), number;
    struct cg_index_look look = cg_index_look(&config->clients_by_certificate, hash);
    while (cg_index_next(&look, &number)) {
        const struct cg_client *client = cg_config_client(config, number);
        *pass = client == NULL ? NULL : cg_pass_find(client->certificates, client->certificate_count, sha256);
        if (*pass != NULL) return client;
    }
    return NULL;
}

const struct cg_client *cg_config_client_by_psk(const struct cg_config *config, struct cg_slice identity) {
    uint32_t hash = hash_of_bytes(identity), number;
    struct cg_index_look look = cg_index_look(&config->clients_by_psk, hash);
    while (cg_index_next(&look, &number)) {
        const struct cg_client *client = cg_config_client(config, number);
        if (client != NULL && client->psk.identity != NULL && cg_slice_is(identity, client->psk.identity))
            return client;
    }
    return NULL;
}

const struct cg_client *cg_config_client_by_oscore(const struct cg_config *config, struct cg_slice recipient_id) {
    uint32_t hash = hash_of_bytes(recipient_id), number;
    struct cg_index_look look = cg_index_look(&config->clients_by_oscore, hash);
    while (cg_index_next(&look, &number)) {
        const struct cg_client *client = cg_config_client(config, number);
        bool is_it = client != NULL && client->oscore.file != NULL;
        if (is_it && cg_slice_equal(client->oscore.recipient_id, recipient_id)) return client;
    }
    return NULL;
}

const struct cg_client *cg_config_client_by_name(const struct cg_config *config, const char *name) {
    uint32_t hash = hash_of_name(name), number;
    struct cg_index_look look = cg_index_look(&config->clients_by_name, hash);
    while (cg_index_next(&look, &number)) {
        const struct cg_client *client = cg_config_client(config, number);
        if (client != NULL && strcmp(client->name, name) == 0) return client;
    }
    return NULL;
}
