/* Deriving. The hard thing: each look-up table has to know what it says of what stood there before, and none may walk
 * over everything; so tables only ever get more entries, which are hints, and what is counted is counted down. */
#include "model/derive.h"

#include "base/check.h"
#include "model/follow.h"
#include "model/forward.h"
#include "model/mapping.h"

#include <stdlib.h>

enum { SINCE_BYTES_MIN = 4 << 20, SINCE_MAX = 4096 };

static size_t bytes_of(const struct cg_config *config) { return config->arena.used + sizeof *config; }

static size_t whole_bytes(const struct cg_config *config) {
    return config->derivation.is_derived ? config->derivation.whole_bytes : bytes_of(config);
}

static size_t since_bytes(const struct cg_config *config) {
    return config->derivation.is_derived ? config->derivation.since_bytes + bytes_of(config) : 0;
}

bool cg_derive_is_worthwhile(const struct cg_config *from) {
    size_t whole = whole_bytes(from), most = whole < SINCE_BYTES_MIN ? SINCE_BYTES_MIN : whole;
    return from->derivation.since < SINCE_MAX && since_bytes(from) <= most;
}

/* What is of the one snapshot alone. */
static void become_own(struct cg_config *config, struct cg_config *from) {
    config->references = 1;
    cg_arena_init(&config->arena, SIZE_MAX, NULL);
    config->bury = NULL;
    config->undertaker = NULL;
    config->psk_keys = NULL;
    config->derivation = (struct cg_derivation){.is_derived = true,
                                                .from = cg_config_ref(from),
                                                .whole_bytes = whole_bytes(from),
                                                .since_bytes = since_bytes(from),
                                                .since = from->derivation.since + 1};
}

struct cg_config *cg_derive_new(struct cg_config *from, size_t changes) {
    struct cg_config *config = malloc(sizeof *config);
    if (config == NULL) return NULL;
    *config = *from;
    become_own(config, from);
    struct cg_derivation *derivation = &config->derivation;
    derivation->own_max = changes;
    derivation->own = cg_arena_alloc(&config->arena, (changes + 1) * sizeof(struct cg_mapping *));
    if (derivation->own != NULL) return config;
    cg_config_unref(config);
    return NULL;
}

static bool stand_in(struct cg_config *config, uint32_t number, struct cg_mapping *mapping) {
    return cg_trie_put(&config->new_mappings, &config->arena, number, mapping);
}

/* `now` stands where `before` stood; one of them may be NULL. */
static bool change(struct cg_config *config, const struct cg_mapping *before, const struct cg_mapping *now) {
    return (now == NULL || cg_mapping_add(config, now)) && cg_hosts_change(config, before, now) &&
           cg_reliances_change(config, before, now) && cg_visits_change(config, before, now) &&
           cg_forward_change(config, before, now) && cg_follow_change(config, before, now);
}

bool cg_derive_put_mapping(struct cg_config *config, struct cg_mapping *mapping) {
    struct cg_derivation *derivation = &config->derivation;
    const struct cg_mapping *before = cg_mapping_by_name(config, mapping->name);
    CG_CHECK(derivation->is_derived && derivation->own_count < derivation->own_max);
    CG_CHECK(config->mapping_count < UINT32_MAX - 1);
    derivation->own[derivation->own_count++] = mapping;
    mapping->number = before != NULL ? before->number : (uint32_t)config->mapping_count;
    if (!cg_config_index_members(config, mapping) || !stand_in(config, mapping->number, mapping)) return false;
    config->mapping_count += before == NULL;
    return change(config, before, mapping);
}

bool cg_derive_remove_mapping(struct cg_config *config, const struct cg_mapping *mapping) {
    CG_CHECK(config->derivation.is_derived && cg_config_mapping(config, mapping->number) == mapping);
    config->mappings_gone++;
    return stand_in(config, mapping->number, NULL) && change(config, mapping, NULL);
}

static bool client_stands_in(struct cg_config *config, uint32_t number, struct cg_client *client) {
    return cg_trie_put(&config->new_clients, &config->arena, number, client);
}

bool cg_derive_put_client(struct cg_config *config, struct cg_client *client) {
    const struct cg_client *before = cg_config_client_by_name(config, client->name);
    CG_CHECK(config->derivation.is_derived && config->client_count < UINT32_MAX - 1);
    client->number = before != NULL ? before->number : (uint32_t)config->client_count;
    if (!client_stands_in(config, client->number, client)) return false;
    config->client_count += before == NULL;
    return cg_config_add_client(config, client);
}

bool cg_derive_remove_client(struct cg_config *config, const struct cg_client *client) {
    CG_CHECK(config->derivation.is_derived && cg_config_client(config, client->number) == client);
    return client_stands_in(config, client->number, NULL);
}
