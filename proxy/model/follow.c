/* Addresses to members. The hard thing: a member may be one of many mappings', and mappings of one security group share
 * their members, so the index has each list of members once, and each group knows its mappings. Zones make a link-local
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

static uint32_t group_of(const struct cg_config *config, const struct cg_mapping *mapping) {
    return (uint32_t)(mapping->keys - config->security_groups);
}

static uint32_t hash_of(const struct cg_addr *addr) {
    struct cg_addr anywhere = *addr;
    anywhere.scope = 0;
    return cg_addr_hash(&anywhere);
}

static struct cg_follow make_entry(const struct cg_config *config, const struct cg_mapping *mapping,
                                   const struct cg_member *member) {
    bool is_shared = is_of_group(mapping);
    return (struct cg_follow){.member = member,
                              .roster = mapping->roster,
                              .mapping = is_shared ? NOBODY : mapping->number,
                              .group = is_shared ? group_of(config, mapping) : NOBODY};
}

/* From the last mapping to the first, so that each group's chain is in their order. Returns how many members the lists
 * have. */
static size_t chain_mappings(struct cg_config *config) {
    struct cg_follows *follows = &config->follows;
    size_t members = 0;
    for (size_t i = config->mapping_count; i-- > 0;) {
        const struct cg_mapping *mapping = &config->mappings[i];
        if (!is_indexed(mapping)) continue;
        uint32_t *first = is_of_group(mapping) ? &follows->first[group_of(config, mapping)] : NULL;
        if (first == NULL || *first == NOBODY) members += mapping->roster->count;
        if (first == NULL) continue;
        follows->next[i] = *first;
        *first = (uint32_t)i;
    }
    return members;
}

static void add_members(struct cg_config *config, const struct cg_mapping *mapping) {
    struct cg_follows *follows = &config->follows;
    for (size_t i = 0; i < mapping->roster->count; i++) {
        const struct cg_member *member = &mapping->roster->list[i];
        if (member->addr.family == CG_FAMILY_NONE) continue;
        cg_index_fill(&follows->by_addr, hash_of(&member->addr), follows->count);
        follows->list[follows->count++] = make_entry(config, mapping, member);
    }
}

static void add_rosters(struct cg_config *config) {
    const struct cg_follows *follows = &config->follows;
    for (size_t i = 0; i < config->mapping_count; i++) {
        const struct cg_mapping *mapping = &config->mappings[i];
        if (!is_indexed(mapping)) continue;
        if (!is_of_group(mapping) || follows->first[group_of(config, mapping)] == i) add_members(config, mapping);
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
    follows->first = make_numbers(config, config->security_group_count);
    follows->next = make_numbers(config, config->mapping_count);
    if (follows->first == NULL || follows->next == NULL) return false;
    size_t members = chain_mappings(config);
    follows->list = cg_arena_alloc(&config->arena, (members + 1) * sizeof *follows->list);
    if (follows->list == NULL || !cg_index_init(&follows->by_addr, &config->arena, members)) return false;
    add_rosters(config);
    return true;
}

/* In a derived snapshot */

static bool add_entry(struct cg_config *config, const struct cg_mapping *mapping, const struct cg_member *member) {
    struct cg_follows *follows = &config->follows;
    struct cg_follow *entry = cg_arena_alloc(&config->arena, sizeof *entry);
    if (entry == NULL) return false;
    *entry = make_entry(config, mapping, member);
    return cg_trie_put(&follows->since, &config->arena, follows->count, entry) &&
           cg_index_add(&follows->by_addr, &config->arena, hash_of(&member->addr), follows->count++);
}

static bool add_roster(struct cg_config *config, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->roster->count; i++) {
        const struct cg_member *member = &mapping->roster->list[i];
        if (member->addr.family != CG_FAMILY_NONE && !add_entry(config, mapping, member)) return false;
    }
    return true;
}

static bool link_mapping(struct cg_config *config, const struct cg_mapping *mapping, void *behind) {
    struct cg_follow_mapping *link = cg_arena_alloc(&config->arena, sizeof *link);
    if (link == NULL) return false;
    *link = (struct cg_follow_mapping){.number = mapping->number, .next = behind};
    return cg_trie_put(&config->follows.mappings_since, &config->arena, group_of(config, mapping), link);
}

/* The members of a group are there once one of its mappings has been. */
static bool add_to_group(struct cg_config *config, const struct cg_mapping *mapping) {
    const struct cg_follows *follows = &config->follows;
    const uint32_t group = group_of(config, mapping);
    void *since = NULL;
    bool is_there = cg_trie_find(&follows->mappings_since, group, &since) ||
                    (follows->first != NULL && follows->first[group] != NOBODY);
    return link_mapping(config, mapping, since) && (is_there || add_roster(config, mapping));
}

bool cg_follow_change(struct cg_config *config, const struct cg_mapping *before, const struct cg_mapping *now) {
    if (now == NULL || !is_indexed(now)) return true;
    if (!is_of_group(now)) return add_roster(config, now);
    bool was_there = before != NULL && is_indexed(before) && before->roster == now->roster;
    return was_there || add_to_group(config, now);
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

/* The next whose address it is, as cg_index_next; NULL: no more. */
static const struct cg_follow *next_at(const struct cg_follows *follows, const struct place *place,
                                       struct cg_index_look *look) {
    uint32_t number;
    while (cg_index_next(look, &number)) {
        void *since;
        const struct cg_follow *follow = cg_trie_find(&follows->since, number, &since) ? since : &follows->list[number];
        if (is_at(&follow->member->addr, place)) return follow;
    }
    return NULL;
}

static struct cg_index_look look_at(const struct cg_follows *follows, const struct place *place) {
    return cg_index_look(&follows->by_addr, hash_of(&place->addr));
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

/* What the index says of a number, it may not be any more. */
static void consider_number(struct search *search, const struct cg_follow *follow, uint32_t number) {
    const struct cg_mapping *mapping = cg_config_mapping(search->config, number);
    if (mapping != NULL && is_indexed(mapping) && mapping->roster == follow->roster) consider(search, mapping);
}

static void consider_group(struct search *search, const struct cg_follow *follow) {
    const struct cg_follows *follows = &search->config->follows;
    void *since = NULL;
    uint32_t number = follows->first == NULL ? NOBODY : follows->first[follow->group];
    for (; number != NOBODY && search->left > 0; number = follows->next[number])
        consider_number(search, follow, number);
    cg_trie_find(&follows->mappings_since, follow->group, &since);
    for (const struct cg_follow_mapping *it = since; it != NULL && search->left > 0; it = it->next)
        consider_number(search, follow, it->number);
}

static void consider_members(struct search *search) {
    const struct cg_follows *follows = &search->config->follows;
    struct cg_index_look look = look_at(follows, &search->place);
    const struct cg_follow *follow;
    while (search->left > 0 && (follow = next_at(follows, &search->place, &look)) != NULL) {
        if (follow->group == NOBODY) {
            consider_number(search, follow, follow->mapping);
        } else {
            consider_group(search, follow);
        }
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
    struct cg_index_look look = look_at(&config->follows, place);
    const struct cg_follow *follow;
    while ((follow = next_at(&config->follows, place, &look)) != NULL) {
        if (follow->roster == mapping->roster) return follow->member;
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
