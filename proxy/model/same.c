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
           one->hops == other->hops;
}

static bool is_same_member(const struct cg_member *one, const struct cg_member *other) {
    return are_equal(one->name, other->name) && cg_addr_equal(&one->addr, &other->addr) &&
           cg_slice_equal(one->identity, other->identity) && one->is_unicast_only == other->is_unicast_only;
}

static bool has_same_ways(const struct cg_mapping *one, const struct cg_mapping *other) {
    return one->security == other->security && one->protector == other->protector && one->leisure == other->leisure &&
           one->complete == other->complete && one->block_size == other->block_size &&
           one->max_answers == other->max_answers && one->repair_unicast == other->repair_unicast &&
           one->repair_probe == other->repair_probe;
}

bool cg_mapping_is_same(const struct cg_mapping *one, const struct cg_mapping *other) {
    bool is = are_equal(one->name, other->name) && has_same_ways(one, other) &&
              one->target_count == other->target_count && one->member_count == other->member_count;
    for (size_t i = 0; is && i < one->target_count; i++) is = is_same_target(&one->targets[i], &other->targets[i]);
    for (size_t i = 0; is && i < one->member_count; i++) is = is_same_member(&one->members[i], &other->members[i]);
    return is;
}
