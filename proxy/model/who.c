/* Who an answer is from. The hard thing: where nothing is verified an address is all there is, and devices answer from
 * other ports than the one they are asked at, while members behind one translated address differ by nothing else. So
 * the port counts wherever it tells configured members apart, and nowhere else. */
#include "model/who.h"

static const struct cg_members *roster_of(const struct cg_mapping *mapping) {
    static const struct cg_members nobody;
    return mapping->roster != NULL ? mapping->roster : &nobody;
}

static const struct cg_member *member_at(const struct cg_mapping *mapping, const struct cg_addr *addr) {
    return cg_members_at(roster_of(mapping), addr, cg_member_hash(cg_slice_of(addr, sizeof *addr)));
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

static const struct cg_member *only_member_at_host(const struct cg_mapping *mapping, const struct cg_addr *from) {
    struct cg_addr host = cg_addr_host(from);
    const struct cg_member *here = cg_members_first_at(roster_of(mapping), &host), *anywhere = NULL;
    if (has_zone(from)) {
        host.scope = 0;
        anywhere = cg_members_first_at(roster_of(mapping), &host);
    }
    if (here != NULL && anywhere != NULL) return NULL;
    const struct cg_member *member = here != NULL ? here : anywhere;
    return member == NULL || member->shares_host ? NULL : member;
}

static void hash_key(struct cg_who *who) { who->hash = cg_member_hash(who->key); }

const struct cg_member *cg_who_of_identity(const struct cg_mapping *mapping, struct cg_slice identity) {
    return cg_members_of(roster_of(mapping), identity, cg_member_hash(identity));
}

/* The same device on two links is two, whatever the settings leave out. */
static void take_port(struct cg_who *who) {
    who->addr.port = who->member->addr.port;
    hash_key(who);
}

static void decide_by_address(struct cg_who *who, const struct cg_mapping *mapping) {
    who->member = cg_members_at(roster_of(mapping), &who->addr, who->hash);
    if (who->member == NULL) who->member = member_of_any_zone(mapping, &who->addr);
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
        who->member = cg_members_of(roster_of(mapping), who->key, who->hash);
    } else {
        decide_by_address(who, mapping);
    }
}
