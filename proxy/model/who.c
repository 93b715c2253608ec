/* Who an answer is from. The hard thing: where nothing is verified an address is all there is, and devices answer from
 * other ports than the one they are asked at, while members behind one translated address differ by nothing else. So
 * the port counts wherever it tells configured members apart, and nowhere else. */
#include "model/who.h"

/* Chains half as long as uthash has them: where ten thousand answer, each entry passed on the way is a cache miss. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 5U

static const struct cg_member *member_at(const struct cg_mapping *mapping, const struct cg_addr *addr) {
    struct cg_member *member;
    HASH_FIND(hh, mapping->members_by_addr, addr, sizeof *addr, member);
    return member;
}

static struct cg_addr without_zone(const struct cg_addr *addr) {
    struct cg_addr anywhere = *addr;
    anywhere.scope = 0;
    return anywhere;
}

/* Interfaces come back with other numbers, so settings may leave the zone out (RFC 4007 §11). */
static bool has_zone(const struct cg_addr *addr) { return addr->scope != 0 && cg_addr_is_link_local(addr); }

static const struct cg_member *member_of_any_zone(const struct cg_mapping *mapping, const struct cg_addr *from) {
    if (!has_zone(from)) return NULL;
    struct cg_addr anywhere = without_zone(from);
    return member_at(mapping, &anywhere);
}

bool cg_who_is_configured(const struct cg_mapping *mapping, const struct cg_addr *addr) {
    return member_at(mapping, addr) != NULL || member_of_any_zone(mapping, addr) != NULL;
}

/* Those at one host stand together. */
static const struct cg_member *first_at_host(const struct cg_mapping *mapping, const struct cg_addr *host) {
    struct cg_member *member;
    HASH_FIND(hh_host, mapping->members_by_host, host, sizeof *host, member);
    return member;
}

bool cg_who_has_host(const struct cg_mapping *mapping, const struct cg_addr *addr) {
    struct cg_addr host = cg_addr_host(addr);
    if (first_at_host(mapping, &host) != NULL) return true;
    host.scope = 0;
    return has_zone(addr) && first_at_host(mapping, &host) != NULL;
}

static const struct cg_member *only_member_at_host(const struct cg_mapping *mapping, const struct cg_addr *from) {
    struct cg_addr host = cg_addr_host(from);
    const struct cg_member *here = first_at_host(mapping, &host), *anywhere = NULL;
    if (has_zone(from)) {
        host.scope = 0;
        anywhere = first_at_host(mapping, &host);
    }
    if (here != NULL && anywhere != NULL) return NULL;
    const struct cg_member *member = here != NULL ? here : anywhere;
    return member == NULL || member->shares_host ? NULL : member;
}

static void hash_key(struct cg_who *who) { HASH_VALUE(who->key.data, who->key.len, who->hash); }

static const struct cg_member *member_of(const struct cg_mapping *mapping, struct cg_slice identity, unsigned hash) {
    struct cg_member *member;
    HASH_FIND_BYHASHVALUE(hh_identity, mapping->members_by_identity, identity.data, identity.len, hash, member);
    return member;
}

const struct cg_member *cg_who_of_identity(const struct cg_mapping *mapping, struct cg_slice identity) {
    unsigned hash;
    HASH_VALUE(identity.data, identity.len, hash);
    return member_of(mapping, identity, hash);
}

/* The same device on two links is two, whatever the settings leave out. */
static void take_port(struct cg_who *who) {
    who->addr.port = who->member->addr.port;
    hash_key(who);
}

static void decide_by_address(struct cg_who *who, const struct cg_mapping *mapping) {
    struct cg_member *member;
    HASH_FIND_BYHASHVALUE(hh, mapping->members_by_addr, who->key.data, who->key.len, who->hash, member);
    who->member = member != NULL ? member : member_of_any_zone(mapping, &who->addr);
    if (who->member != NULL) return;
    who->member = only_member_at_host(mapping, &who->addr);
    if (who->member != NULL) take_port(who);
}

void cg_who_decide(struct cg_who *who, const struct cg_mapping *mapping, const struct cg_addr *from,
                   struct cg_slice identity) {
    *who = (struct cg_who){.key = identity, .addr = *from, .is_identity = identity.len > 0};
    if (!who->is_identity) who->key = cg_slice_of(&who->addr, sizeof who->addr);
    hash_key(who);
    if (who->is_identity) {
        who->member = member_of(mapping, who->key, who->hash);
    } else {
        decide_by_address(who, mapping);
    }
}
