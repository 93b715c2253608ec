/* Finding members. The hard thing: an answer's sender is looked up once for each answer, and its hash serves the tally,
 * too, so the hash is uthash's. */
#include "model/member.h"

#include "base/hash.h"

uint32_t cg_member_hash(struct cg_slice key) {
    unsigned hash;
    HASH_VALUE(key.data, key.len, hash);
    return hash;
}

static struct cg_slice bytes_of(const struct cg_addr *addr) { return cg_slice_of(addr, sizeof *addr); }

const struct cg_member *cg_members_first_at(const struct cg_members *members, const struct cg_addr *host) {
    uint32_t hash = cg_addr_hash(host), number;
    for (uint32_t at = hash; cg_table_next(&members->by_host, hash, &at, &number);) {
        struct cg_addr its = cg_addr_host(&members->list[number].addr);
        if (cg_addr_equal(&its, host)) return &members->list[number];
    }
    return NULL;
}

static void index_host(struct cg_members *members, const struct cg_member *member) {
    struct cg_addr host = cg_addr_host(&member->addr);
    const struct cg_member *first = cg_members_first_at(members, &host);
    if (first != NULL) {
        members->list[first->number].shares_host = true;
    } else {
        cg_table_add(&members->by_host, cg_addr_hash(&host), member->number);
    }
}

static void index_member(struct cg_members *members, const struct cg_member *member) {
    cg_table_add(&members->by_name, cg_member_hash(cg_slice_str(member->name)), member->number);
    if (member->addr.family != CG_FAMILY_NONE) {
        cg_table_add(&members->by_addr, cg_member_hash(bytes_of(&member->addr)), member->number);
        index_host(members, member);
    }
    if (member->identity.len > 0) cg_table_add(&members->by_identity, cg_member_hash(member->identity), member->number);
}

/* A table for each kind of key that somebody has. */
static bool make_tables(struct cg_members *members, struct cg_arena *arena) {
    size_t addresses = 0, identities = 0;
    for (size_t i = 0; i < members->count; i++) {
        addresses += members->list[i].addr.family != CG_FAMILY_NONE;
        identities += members->list[i].identity.len > 0;
    }
    return cg_table_init(&members->by_addr, arena, addresses) && cg_table_init(&members->by_host, arena, addresses) &&
           cg_table_init(&members->by_identity, arena, identities) &&
           cg_table_init(&members->by_name, arena, members->count);
}

bool cg_members_index(struct cg_members *members, struct cg_arena *arena) {
    if (!make_tables(members, arena)) return false;
    for (size_t i = 0; i < members->count; i++) {
        members->list[i].number = (uint32_t)i;
        index_member(members, &members->list[i]);
    }
    return true;
}

const struct cg_member *cg_members_at(const struct cg_members *members, const struct cg_addr *addr, uint32_t hash) {
    uint32_t number;
    for (uint32_t at = hash; cg_table_next(&members->by_addr, hash, &at, &number);) {
        if (cg_addr_equal(&members->list[number].addr, addr)) return &members->list[number];
    }
    return NULL;
}

const struct cg_member *cg_members_of(const struct cg_members *members, struct cg_slice identity, uint32_t hash) {
    uint32_t number;
    for (uint32_t at = hash; cg_table_next(&members->by_identity, hash, &at, &number);) {
        if (cg_slice_equal(members->list[number].identity, identity)) return &members->list[number];
    }
    return NULL;
}

const struct cg_member *cg_members_named(const struct cg_members *members, struct cg_slice name) {
    uint32_t hash = cg_member_hash(name), number;
    for (uint32_t at = hash; cg_table_next(&members->by_name, hash, &at, &number);) {
        if (cg_slice_is(name, members->list[number].name)) return &members->list[number];
    }
    return NULL;
}
