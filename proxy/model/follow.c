/* Addresses to members. The hard thing: a member may be one of many mappings', and mappings of one security group share
 * their members, so the index has each list of members once, and each list knows its mappings. Zones make a link-local
 * address mean something, but Reply-From has none (draft-ietf-core-href), so addresses are found without. */
#include "model/follow.h"

#include "base/text.h"
#include "model/access.h"
#include "model/forward.h"
#include "model/heard.h"
#include "model/mapping.h"
#include "model/who.h"

#include <string.h>

#define NOBODY UINT32_MAX

/* The index */

bool cg_follow_is_open(const struct cg_mapping *mapping) { return cg_forward_is_open(mapping) && !mapping->anonymise; }

static bool is_indexed(const struct cg_mapping *mapping) {
    return cg_follow_is_open(mapping) && mapping->roster != NULL;
}

static bool is_of_group(const struct cg_mapping *mapping) {
    return mapping->keys != NULL && mapping->roster == &mapping->keys->members;
}

/* Each security group's list has the group's number; a list that is one mapping's alone comes behind them. */
static size_t roster_number(const struct cg_config *config, const struct cg_mapping *mapping) {
    if (is_of_group(mapping)) return (size_t)(mapping->keys - config->security_groups);
    return config->security_group_count + (size_t)(mapping - config->mappings);
}

static uint32_t hash_of(const struct cg_addr *addr) {
    struct cg_addr anywhere = *addr;
    anywhere.scope = 0;
    return cg_addr_hash(&anywhere);
}

/* From the last mapping to the first, so that each list's chain is in their order. Returns how many members the lists
 * have. */
static size_t chain_mappings(struct cg_config *config) {
    struct cg_follows *follows = &config->follows;
    size_t members = 0;
    for (size_t i = config->mapping_count; i-- > 0;) {
        const struct cg_mapping *mapping = &config->mappings[i];
        if (!is_indexed(mapping)) continue;
        uint32_t *first = &follows->first[roster_number(config, mapping)];
        if (*first == NOBODY) members += mapping->roster->count;
        follows->next[i] = *first;
        *first = (uint32_t)i;
    }
    return members;
}

static void add_members(struct cg_follows *follows, const struct cg_members *roster, uint32_t first) {
    for (size_t i = 0; i < roster->count; i++) {
        const struct cg_member *member = &roster->list[i];
        if (member->addr.family == CG_FAMILY_NONE) continue;
        cg_table_add(&follows->by_addr, hash_of(&member->addr), follows->count);
        follows->list[follows->count++] = (struct cg_follow){.member = member, .first = first};
    }
}

static void add_rosters(struct cg_config *config) {
    struct cg_follows *follows = &config->follows;
    for (size_t i = 0; i < config->mapping_count; i++) {
        const struct cg_mapping *mapping = &config->mappings[i];
        bool is_first = is_indexed(mapping) && follows->first[roster_number(config, mapping)] == i;
        if (is_first) add_members(follows, mapping->roster, (uint32_t)i);
    }
}

static uint32_t *make_numbers(struct cg_config *config, size_t count) {
    uint32_t *numbers = cg_arena_alloc(&config->arena, (count + 1) * sizeof *numbers);
    for (size_t i = 0; numbers != NULL && i < count; i++) numbers[i] = NOBODY;
    return numbers;
}

static bool is_any_indexed(const struct cg_config *config) {
    size_t i = 0;
    while (i < config->mapping_count && !is_indexed(&config->mappings[i])) i++;
    return i < config->mapping_count;
}

bool cg_follow_index(struct cg_config *config) {
    struct cg_follows *follows = &config->follows;
    if (!is_any_indexed(config)) return true;
    follows->first = make_numbers(config, config->security_group_count + config->mapping_count);
    follows->next = make_numbers(config, config->mapping_count);
    if (follows->first == NULL || follows->next == NULL) return false;
    size_t members = chain_mappings(config);
    follows->list = cg_arena_alloc(&config->arena, (members + 1) * sizeof *follows->list);
    if (follows->list == NULL || !cg_table_init(&follows->by_addr, &config->arena, members)) return false;
    add_rosters(config);
    return true;
}

/* What a URI names */

struct place {
    struct cg_addr addr;  /* with a zone that is a number */
    struct cg_slice zone; /* one that is a name; empty: none */
    struct cg_slice path;
};

static bool read_place(struct cg_slice uri, struct place *place) {
    struct cg_uri parsed;
    if (cg_uri_parse(&parsed, uri, NULL) < 0 || parsed.scheme != CG_SCHEME_COAP) return false;
    uint64_t index = 0;
    bool is_index = cg_decimal_parse(parsed.zone, UINT32_MAX, &index) == CG_OK;
    place->addr = cg_addr_unmapped(&parsed.addr);
    place->addr.scope = (uint32_t)index;
    place->zone = is_index ? CG_SLICE_NONE : parsed.zone;
    place->path = parsed.path;
    return place->addr.family != CG_FAMILY_NONE && !cg_addr_is_multicast(&place->addr);
}

bool cg_follow_is_meant(struct cg_slice uri) {
    struct place place;
    return read_place(uri, &place);
}

/* An interface's name stands for the mapping's own; one that is out of reach anyway is nobody's. */
static bool is_on_its_link(const struct cg_mapping *mapping, const struct place *place) {
    const char *interface = mapping->targets[0].interface;
    return place->zone.len == 0 || (interface != NULL && cg_slice_is(place->zone, interface));
}

static bool is_at(const struct cg_addr *addr, const struct place *place) {
    return addr->port == place->addr.port && cg_addr_same_host(addr, &place->addr);
}

/* The next whose address it is, as cg_table_next; NULL: no more. */
static const struct cg_follow *next_at(const struct cg_follows *follows, const struct place *place, uint32_t *at) {
    uint32_t number;
    while (cg_table_next(&follows->by_addr, hash_of(&place->addr), at, &number)) {
        if (is_at(&follows->list[number].member->addr, place)) return &follows->list[number];
    }
    return NULL;
}

/* Which mapping */

struct search {
    const struct cg_config *config;
    const struct cg_request *request;
    struct place place;
    const struct cg_mapping *taking; /* the first that takes the request; NULL: none yet */
    const struct cg_mapping *known;  /* the first that its client may know of */
    unsigned left;                   /* how many to look at yet */
};

/* Who relays, relays what is protected; everybody else takes what is not. */
static bool takes(const struct cg_mapping *mapping, const struct cg_request *request) {
    struct cg_problem ignored = {0};
    bool relays = mapping->security == CG_SECURITY_RELAY;
    return relays == cg_request_is_protected(request) && cg_access_check(mapping, request, &ignored) == CG_OK;
}

static void keep_first(const struct cg_mapping **first, const struct cg_mapping *mapping) {
    if (*first == NULL || mapping->number < (*first)->number) *first = mapping;
}

static void consider(struct search *search, const struct cg_mapping *mapping) {
    search->left--;
    if (!is_on_its_link(mapping, &search->place)) return;
    if (takes(mapping, search->request)) {
        keep_first(&search->taking, mapping);
    } else if (cg_access_may_see(mapping, search->request)) {
        keep_first(&search->known, mapping);
    }
}

static void consider_members(struct search *search) {
    const struct cg_config *config = search->config;
    const struct cg_follow *follow;
    for (uint32_t at = hash_of(&search->place.addr);
         (follow = next_at(&config->follows, &search->place, &at)) != NULL;) {
        for (uint32_t i = follow->first; i != NOBODY && search->left > 0; i = config->follows.next[i])
            consider(search, &config->mappings[i]);
    }
}

/* Who was heard */

/* What is verified is somebody's whom the settings still know; elsewhere there is the address alone. */
static bool is_still_known(const struct cg_mapping *mapping, const struct cg_heard *heard) {
    struct cg_slice identity = cg_slice_of(heard->identity, heard->identity_len);
    if (mapping->security != CG_SECURITY_GROUP) return identity.len == 0;
    return identity.len > 0 && cg_who_of_identity(mapping, identity) != NULL;
}

static bool was_heard(const struct cg_mapping *mapping, const struct cg_heard *heard, const struct place *place) {
    bool is_its_zone = place->addr.scope == 0 || place->addr.scope == heard->scope;
    return cg_follow_is_open(mapping) && is_its_zone && is_still_known(mapping, heard);
}

static const struct cg_heard *first_heard(const struct cg_config *config, const struct place *place) {
    return config->heards == NULL ? NULL : cg_heard_at(config->heards, &place->addr);
}

static void consider_heard(struct search *search) {
    const struct cg_heard *heard = first_heard(search->config, &search->place);
    for (; heard != NULL && search->left > 0; heard = heard->here) {
        const struct cg_mapping *mapping = cg_mapping_by_name(search->config, cg_heard_mapping(heard));
        if (mapping != NULL && was_heard(mapping, heard, &search->place)) consider(search, mapping);
    }
}

const struct cg_mapping *cg_follow_find(const struct cg_config *config, const struct cg_request *request,
                                        struct cg_slice *rest) {
    struct search search = {.config = config, .request = request, .left = CG_FOLLOW_MAPPINGS};
    if (!read_place(request->path, &search.place)) return NULL;
    *rest = search.place.path;
    consider_members(&search);
    if (search.taking == NULL) consider_heard(&search);
    return search.taking != NULL ? search.taking : search.known;
}

/* Which member */

static const struct cg_member *member_at(const struct cg_config *config, const struct cg_mapping *mapping,
                                         const struct place *place) {
    const struct cg_follow *follow;
    for (uint32_t at = hash_of(&place->addr); (follow = next_at(&config->follows, place, &at)) != NULL;) {
        if (config->mappings[follow->first].roster == mapping->roster) return follow->member;
    }
    return NULL;
}

static bool find_heard(const struct cg_config *config, const struct cg_mapping *mapping, const struct place *place,
                       struct cg_followed *followed) {
    const struct cg_heard *heard = first_heard(config, place);
    while (heard != NULL && strcmp(cg_heard_mapping(heard), mapping->name) != 0) heard = heard->here;
    if (heard == NULL || !was_heard(mapping, heard, place)) return false;
    struct cg_slice identity = cg_slice_of(heard->identity, heard->identity_len);
    followed->member = identity.len == 0 ? NULL : cg_who_of_identity(mapping, identity);
    followed->at = place->addr;
    followed->at.scope = heard->scope;
    return true;
}

bool cg_follow_member(const struct cg_config *config, const struct cg_mapping *mapping, struct cg_slice uri,
                      struct cg_followed *followed) {
    struct place place;
    if (!read_place(uri, &place)) return false;
    followed->member = member_at(config, mapping, &place);
    if (followed->member == NULL) return find_heard(config, mapping, &place, followed);
    followed->at = followed->member->addr;
    if (followed->at.scope == 0) followed->at.scope = place.addr.scope;
    return true;
}
