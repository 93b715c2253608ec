/* An excerpt. The hard thing: it borrows all but its one mapping, so it keeps the other snapshot alive until the last
 * request under it has ended. */
#include "model/excerpt.h"

#include "wire/msg.h"
#include "wire/uri.h"

enum {
    LEISURE_S = 5,       /* of a group that nobody has said anything about (RFC 7252 §8.2) */
    MAX_ANSWERS = 10000, /* the same */
};

static const char nobodys_name[] = ".group";

bool cg_excerpt_is_of_group(const struct cg_mapping *mapping) { return strcmp(mapping->name, nobodys_name) == 0; }

/* It was the last to need what it borrows. */
static void bury(struct cg_config *config) {
    struct cg_config *base = config->undertaker;
    cg_config_free(config);
    cg_config_unref(base);
}

/* Budgets, finish rules and what members are hidden by are for clients. */
static void open_mapping(struct cg_mapping *mapping) {
    bool all = mapping->complete && mapping->member_count > 0;
    mapping->checker_keys = NULL; /* the other snapshot's */
    mapping->methods |= CG_METHOD_BIT(CG_GET);
    mapping->requests_per_minute = 0;
    mapping->max_timeout_us = UINT64_MAX;
    mapping->finish = (struct cg_finish){.rule = all ? CG_FINISH_ALL : CG_FINISH_DEADLINE};
    mapping->anonymise = false;
}

static void borrow(struct cg_config *excerpt, struct cg_config *base) {
    excerpt->bury = bury;
    excerpt->undertaker = cg_config_ref(base);
    excerpt->http = base->http;
    excerpt->admin = base->admin;
    excerpt->coap = base->coap;
    excerpt->alerts.listen = base->alerts.listen;
    excerpt->alerts.listen_count = base->alerts.listen_count;
    excerpt->group = base->group;
    excerpt->options = base->options;
    excerpt->limits = base->limits;
    excerpt->limits.exchanges_per_client = UINT32_MAX;
    excerpt->state = base->state;
    excerpt->hosts = base->hosts;
}

struct cg_config *cg_excerpt_new(struct cg_config *base, const struct cg_mapping *mapping) {
    struct cg_config *excerpt = cg_config_new();
    if (excerpt == NULL) return NULL;
    borrow(excerpt, base);
    excerpt->mappings = cg_arena_alloc(&excerpt->arena, sizeof *excerpt->mappings);
    if (excerpt->mappings == NULL) {
        cg_config_unref(excerpt);
        return NULL;
    }
    excerpt->mappings[0] = *mapping;
    excerpt->mapping_count = 1;
    open_mapping(&excerpt->mappings[0]);
    return excerpt;
}

static const char *normal_text(struct cg_arena *arena, const struct cg_uri *uri) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_uri_emit_normal(&text, uri);
    cg_buf_put_u8(&text, '\0');
    struct cg_slice kept = text.failed ? CG_SLICE_NONE : cg_arena_copy(arena, cg_buf_slice(&text));
    cg_buf_fini(&text);
    return (const char *)kept.data;
}

struct cg_config *cg_excerpt_of_group(struct cg_config *base, const struct cg_uri *group, struct cg_protector *plain) {
    struct cg_target target = {
        .group = group->addr, .interface = base->group.interface, .hops = base->group.hops, .path = CG_SLICE_NONE};
    const struct cg_mapping mapping = {.name = nobodys_name,
                                       .path = "",
                                       .targets = &target,
                                       .target_count = 1,
                                       .security = CG_SECURITY_NONE,
                                       .protector = plain,
                                       .leisure = LEISURE_S,
                                       .max_answers = MAX_ANSWERS};
    struct cg_config *excerpt = cg_excerpt_new(base, &mapping);
    if (excerpt == NULL) return NULL;
    struct cg_target *kept = cg_arena_alloc(&excerpt->arena, sizeof *kept);
    target.uri = normal_text(&excerpt->arena, group);
    if (kept == NULL || target.uri == NULL) {
        cg_config_unref(excerpt);
        return NULL;
    }
    *kept = target;
    excerpt->mappings[0].targets = kept;
    return excerpt;
}

void cg_excerpt_aim(struct cg_config *excerpt, const struct cg_target *target) {
    struct cg_mapping *mapping = &excerpt->mappings[0];
    mapping->targets = &mapping->targets[target - mapping->targets];
    mapping->target_count = 1;
}

bool cg_excerpt_go_to(struct cg_config *excerpt, const char *path) {
    struct cg_mapping *mapping = &excerpt->mappings[0];
    struct cg_target *targets = cg_arena_alloc(&excerpt->arena, mapping->target_count * sizeof *targets);
    if (targets == NULL) return false;
    for (size_t i = 0; i < mapping->target_count; i++) {
        targets[i] = mapping->targets[i];
        targets[i].path = cg_slice_str(path);
        targets[i].query = CG_SLICE_NONE;
    }
    mapping->targets = targets;
    if (path[0] != '\0') mapping->path = path; /* for the log; and behind the root there would be an empty segment */
    return true;
}

bool cg_excerpt_reach(struct cg_config *excerpt, const struct cg_prefix *prefixes, size_t count) {
    struct cg_group_settings *group = &excerpt->group;
    struct cg_prefix *all = cg_arena_alloc(&excerpt->arena, (group->prefix_count + count + 1) * sizeof *all);
    if (all == NULL) return false;
    for (size_t i = 0; i < group->prefix_count; i++) all[i] = group->prefixes[i];
    for (size_t i = 0; i < count; i++) all[group->prefix_count + i] = prefixes[i];
    group->prefixes = all;
    group->prefix_count += count;
    return true;
}

bool cg_excerpt_expect(struct cg_config *excerpt, const struct cg_member *const *members, size_t count) {
    struct cg_mapping *mapping = &excerpt->mappings[0];
    struct cg_members *roster = cg_arena_zalloc(&excerpt->arena, sizeof *roster);
    struct cg_member *list = cg_arena_alloc(&excerpt->arena, count * sizeof *list);
    if (roster == NULL || list == NULL) return false;
    for (size_t i = 0; i < count; i++) list[i] = *members[i];
    *roster = (struct cg_members){.list = list, .count = count};
    mapping->members = list;
    mapping->member_count = count;
    mapping->complete = true;
    mapping->finish = (struct cg_finish){.rule = CG_FINISH_ALL};
    mapping->roster = roster;
    return cg_members_index(roster, &excerpt->arena);
}
