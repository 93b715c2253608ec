/* Comparing. The hard thing: members are told apart by number, so the same ones in another order are others. */
#include "model/same.h"

#include <string.h>

static bool are_equal(const char *one, const char *other) {
    if (one == NULL || other == NULL) return one == other;
    return strcmp(one, other) == 0;
}

static bool is_same_target(const struct cg_target *one, const struct cg_target *other) {
    return are_equal(one->uri, other->uri) && cg_addr_equal(&one->group, &other->group) &&
           cg_slice_equal(one->host, other->host) && cg_slice_equal(one->path, other->path) &&
           cg_slice_equal(one->query, other->query) && are_equal(one->interface, other->interface) &&
           one->hops == other->hops && are_equal(one->next_hop.uri, other->next_hop.uri) &&
           are_equal(one->next_hop.credentials_name, other->next_hop.credentials_name) &&
           one->next_hop.round_trip_s == other->next_hop.round_trip_s;
}

static bool is_same_member(const struct cg_member *one, const struct cg_member *other) {
    return are_equal(one->name, other->name) && cg_addr_equal(&one->addr, &other->addr) &&
           cg_slice_equal(one->identity, other->identity) && one->is_unicast_only == other->is_unicast_only;
}

static bool has_same_ways(const struct cg_mapping *one, const struct cg_mapping *other) {
    return one->is_unsaved == other->is_unsaved && one->security == other->security &&
           one->protector == other->protector && one->leisure == other->leisure && one->complete == other->complete &&
           one->block_size == other->block_size && one->max_answers == other->max_answers &&
           one->repair_unicast == other->repair_unicast && one->repair_probe == other->repair_probe;
}

static bool is_same_but_for_members(const struct cg_mapping *one, const struct cg_mapping *other) {
    bool is =
        are_equal(one->name, other->name) && has_same_ways(one, other) && one->target_count == other->target_count;
    for (size_t i = 0; is && i < one->target_count; i++) is = is_same_target(&one->targets[i], &other->targets[i]);
    return is;
}

/* All that there are now were there before, in the same order. */
static bool has_no_new_member(const struct cg_mapping *before, const struct cg_mapping *now) {
    size_t found = 0;
    for (size_t i = 0; i < before->member_count && found < now->member_count; i++) {
        if (is_same_member(&before->members[i], &now->members[found])) found++;
    }
    return found == now->member_count;
}

/* FNV-1a of 64 bits. */

static uint64_t add_bytes(uint64_t sum, const void *data, size_t len) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) sum = (sum ^ bytes[i]) * UINT64_C(1099511628211);
    return sum;
}

static uint64_t add_number(uint64_t sum, uint64_t number) { return add_bytes(sum, &number, sizeof number); }

static uint64_t add_slice(uint64_t sum, struct cg_slice slice) {
    return add_bytes(add_number(sum, slice.len), slice.data, slice.len);
}

static uint64_t add_text(uint64_t sum, const char *text) {
    return text == NULL ? add_number(sum, UINT64_MAX) : add_slice(sum, cg_slice_str(text));
}

static uint64_t add_target(uint64_t sum, const struct cg_target *target) {
    sum = add_text(add_bytes(sum, &target->group, sizeof target->group), target->uri);
    sum = add_slice(add_slice(add_slice(sum, target->host), target->path), target->query);
    sum = add_text(add_text(sum, target->next_hop.uri), target->next_hop.credentials_name);
    return add_number(add_number(add_text(sum, target->interface), target->hops), target->next_hop.round_trip_s);
}

static uint64_t add_member(uint64_t sum, const struct cg_member *member) {
    sum = add_text(add_bytes(sum, &member->addr, sizeof member->addr), member->name);
    return add_number(add_slice(sum, member->identity), member->is_unicast_only);
}

uint64_t cg_mapping_likeness(const struct cg_mapping *mapping) {
    const uint64_t ways[] = {
        mapping->is_unsaved,  mapping->security,   (uintptr_t)mapping->protector, cg_mapping_leisure_us(mapping),
        mapping->complete,    mapping->block_size, mapping->max_answers,          mapping->repair_unicast,
        mapping->repair_probe};
    uint64_t sum = add_text(add_bytes(UINT64_C(14695981039346656037), ways, sizeof ways), mapping->name);
    for (size_t i = 0; i < mapping->target_count; i++) sum = add_target(sum, &mapping->targets[i]);
    for (size_t i = 0; i < mapping->member_count; i++) sum = add_member(sum, &mapping->members[i]);
    return sum == 0 ? 1 : sum;
}

bool cg_mapping_is_same(const struct cg_mapping *one, const struct cg_mapping *other) {
    return is_same_but_for_members(one, other) && one->member_count == other->member_count &&
           has_no_new_member(one, other);
}

bool cg_mapping_goes_on(const struct cg_mapping *before, const struct cg_mapping *now) {
    bool may_lose_members = now->security == CG_SECURITY_GROUP;
    if (!may_lose_members) return cg_mapping_is_same(before, now);
    return is_same_but_for_members(before, now) && has_no_new_member(before, now);
}
