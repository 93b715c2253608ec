/* Snapshots that are derived, beside such as are made whole of the same mappings: whatever is asked, both say the same.
 * And what a derivation may not do: change what it is derived from, or cost by the mappings that stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/access.h"
#include "model/derive.h"
#include "model/follow.h"
#include "model/forward.h"
#include "model/mapping.h"

enum { NAMES = 24, PATHS = 12, URIS = 10, HOSTS = 9, GROUPS = 3, INTERFACES = 4, STEPS = 600, GROUP_MEMBERS = 3 };

/* What a mapping is. */
struct plan {
    bool is_there;
    unsigned path, uri, interface;
    unsigned group; /* GROUPS: none */
    bool forward, has_host;
    unsigned first_host, host_count; /* of its own members */
};

struct scene {
    struct plan plans[NAMES];
    uint32_t random;
};

static unsigned draw(struct scene *scene, unsigned below) {
    scene->random = scene->random * 1664525u + 1013904223u;
    return (scene->random >> 8) % below;
}

static const char *const interfaces[INTERFACES] = {NULL, "eth0", "eth1", "eth2"};

static const char *text_of(struct cg_config *config, const char *before, unsigned number, const char *behind) {
    char text[64];
    int len = snprintf(text, sizeof text, "%s%u%s", before, number, behind);
    return (const char *)cg_arena_copy(&config->arena, cg_slice_of(text, (size_t)len + 1)).data;
}

static struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), CG_COAP_PORT), CG_OK);
    return addr;
}

static struct cg_addr host_address(unsigned number) {
    char text[32];
    snprintf(text, sizeof text, "127.1.0.%u", number + 1);
    return address(text);
}

static struct cg_member *members_at(struct cg_config *config, unsigned first, unsigned count) {
    struct cg_member *list = cg_arena_zalloc(&config->arena, (count + 1) * sizeof *list);
    if (list == NULL) return NULL;
    for (unsigned i = 0; i < count; i++) {
        list[i].addr = host_address((first + i) % HOSTS);
        list[i].name = text_of(config, "lamp-", (first + i) % HOSTS, "");
    }
    return list;
}

static struct cg_client somebody = {.name = "somebody"};
static struct cg_grant grant = {.client = &somebody, .methods = CG_METHODS_ALL};

/* False: no memory. */
static bool give_members(struct cg_config *config, struct cg_mapping *mapping, const struct plan *plan) {
    if (plan->group < GROUPS) {
        mapping->security = CG_SECURITY_GROUP;
        mapping->keys = &config->security_groups[plan->group];
        mapping->members = mapping->keys->members.list;
        mapping->member_count = mapping->keys->members.count;
        mapping->roster = &mapping->keys->members;
        return true;
    }
    mapping->member_count = plan->host_count;
    mapping->members = members_at(config, plan->first_host, plan->host_count);
    return mapping->members != NULL;
}

static bool fill(struct cg_config *config, struct cg_mapping *mapping, const struct plan *plan, unsigned name) {
    struct cg_target *target = cg_arena_zalloc(&config->arena, sizeof *target);
    if (target == NULL) return false;
    target->uri = text_of(config, "coap://224.0.1.", plan->uri, "/x");
    target->group = address("224.0.1.187");
    target->group.ip[3] = (uint8_t)plan->uri;
    target->interface = interfaces[plan->interface];
    *mapping = (struct cg_mapping){.name = text_of(config, "m", name, ""),
                                   .path = text_of(config, "/p", plan->path, ""),
                                   .host = plan->has_host ? "there" : NULL,
                                   .targets = target,
                                   .target_count = 1,
                                   .forward = plan->forward,
                                   .methods = CG_METHODS_ALL,
                                   .grants = &grant,
                                   .grant_count = 1};
    bool is_whole = mapping->name != NULL && mapping->path != NULL && target->uri != NULL;
    return is_whole && give_members(config, mapping, plan);
}

static void add_groups(struct cg_config *config) {
    config->security_groups = cg_arena_zalloc(&config->arena, GROUPS * sizeof *config->security_groups);
    assert_non_null(config->security_groups);
    config->security_group_count = GROUPS;
    for (unsigned i = 0; i < GROUPS; i++) {
        config->security_groups[i] = (struct cg_security_keys){.name = text_of(config, "g", i, ""), .warm = i != 1};
        config->security_groups[i].members.list = members_at(config, 2 * i, GROUP_MEMBERS);
        config->security_groups[i].members.count = GROUP_MEMBERS;
    }
}

static struct cg_config *make_whole(const struct scene *scene) {
    struct cg_config *config = cg_config_new();
    assert_non_null(config);
    add_groups(config);
    config->mappings = cg_arena_zalloc(&config->arena, NAMES * sizeof *config->mappings);
    assert_non_null(config->mappings);
    for (unsigned i = 0; i < NAMES; i++) {
        if (!scene->plans[i].is_there) continue;
        assert_true(fill(config, &config->mappings[config->mapping_count++], &scene->plans[i], i));
    }
    assert_int_equal(cg_config_index(config), CG_OK);
    return config;
}

/* ---- Edits ---- */

static bool clashes(const struct scene *scene, const struct plan *plan, unsigned name) {
    for (unsigned i = 0; i < NAMES; i++) {
        const struct plan *other = &scene->plans[i];
        if (i == name || !other->is_there) continue;
        if (other->path == plan->path && other->has_host == plan->has_host) return true;
        if (other->forward && plan->forward && other->uri == plan->uri) return true;
    }
    return false;
}

static struct plan draw_plan(struct scene *scene, unsigned name) {
    struct plan plan;
    do {
        plan = (struct plan){.is_there = draw(scene, 4) > 0,
                             .path = draw(scene, PATHS),
                             .uri = draw(scene, URIS),
                             .interface = draw(scene, INTERFACES),
                             .group = draw(scene, GROUPS + 2),
                             .forward = draw(scene, 2) == 0,
                             .has_host = draw(scene, 3) == 0,
                             .first_host = draw(scene, HOSTS),
                             .host_count = draw(scene, 4)};
        if (plan.group > GROUPS) plan.group = GROUPS;
    } while (plan.is_there && clashes(scene, &plan, name));
    return plan;
}

static bool edit(struct cg_config *config, const struct plan *plan, unsigned name) {
    char text[16];
    snprintf(text, sizeof text, "m%u", name);
    const struct cg_mapping *before = cg_mapping_by_name(config, text);
    if (!plan->is_there) return before == NULL || cg_derive_remove_mapping(config, before);
    struct cg_mapping *now = cg_arena_zalloc(&config->arena, sizeof *now);
    return now != NULL && fill(config, now, plan, name) && cg_derive_put_mapping(config, now);
}

/* A few edits, in the scene and in a snapshot that is derived. */
static struct cg_config *derive(struct scene *scene, struct cg_config *from) {
    unsigned edits = 1 + draw(scene, 3), first = draw(scene, NAMES);
    struct cg_config *config = cg_derive_new(from, edits);
    assert_non_null(config);
    for (unsigned i = 0; i < edits; i++) {
        unsigned name = (first + i) % NAMES;
        scene->plans[name] = (struct plan){0}; /* or two of them might clash on the way */
    }
    for (unsigned i = 0; i < edits; i++) {
        unsigned name = (first + i) % NAMES;
        struct plan gone = {0};
        char text[16];
        snprintf(text, sizeof text, "m%u", name);
        scene->plans[name] = draw_plan(scene, name);
        assert_true(edit(config, scene->plans[name].is_there ? &scene->plans[name] : &gone, name));
    }
    return config;
}

/* ---- Both say the same ---- */

static void check_name(const struct cg_mapping *one, const struct cg_mapping *other) {
    assert_int_equal(one == NULL, other == NULL);
    if (one != NULL) assert_string_equal(one->name, other->name);
}

static void check_mappings(const struct cg_config *derived, const struct cg_config *whole) {
    char text[64];
    struct cg_slice rest;
    assert_int_equal(cg_config_mappings(derived), whole->mapping_count);
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(text, sizeof text, "m%u", i);
        check_name(cg_mapping_by_name(derived, text), cg_mapping_by_name(whole, text));
    }
    for (unsigned i = 0; i < PATHS; i++) {
        snprintf(text, sizeof text, "/p%u", i);
        check_name(cg_mapping_at(derived, NULL, cg_slice_str(text)), cg_mapping_at(whole, NULL, cg_slice_str(text)));
        check_name(cg_mapping_at(derived, "there", cg_slice_str(text)),
                   cg_mapping_at(whole, "there", cg_slice_str(text)));
        snprintf(text, sizeof text, "/p%u/below", i);
        struct cg_slice host = i % 2 == 0 ? cg_slice_str("there") : CG_SLICE_NONE;
        check_name(cg_mapping_find(derived, host, cg_slice_str(text), &rest),
                   cg_mapping_find(whole, host, cg_slice_str(text), &rest));
    }
}

static void check_forwards(const struct cg_config *derived, const struct cg_config *whole) {
    char text[64];
    struct cg_slice rest;
    assert_int_equal(cg_forward_is_on(derived), cg_forward_is_on(whole));
    for (unsigned i = 0; i < URIS; i++) {
        snprintf(text, sizeof text, "coap://224.0.1.%u/x/y", i);
        check_name(cg_forward_find(derived, cg_slice_str(text), &rest),
                   cg_forward_find(whole, cg_slice_str(text), &rest));
        snprintf(text, sizeof text, "coap://224.0.1.%u/x", i);
        check_name(cg_forward_at(derived, cg_slice_str(text)), cg_forward_at(whole, cg_slice_str(text)));
    }
}

/* Which of several mappings it is depends on their order, which is not the same: whether there is one, does not. */
static void check_follows(const struct cg_config *derived, const struct cg_config *whole) {
    for (unsigned i = 0; i < HOSTS; i++) {
        char text[64];
        struct cg_slice rest;
        struct cg_followed followed;
        snprintf(text, sizeof text, "coap://127.1.0.%u/x", i + 1);
        const struct cg_request request = {
            .method = CG_GET, .client = &somebody, .forward = true, .path = cg_slice_str(text)};
        const struct cg_mapping *one = cg_follow_find(derived, &request, &rest);
        const struct cg_mapping *other = cg_follow_find(whole, &request, &rest);
        assert_int_equal(one == NULL, other == NULL);
        if (one == NULL) continue;
        const struct cg_mapping *same = cg_mapping_by_name(whole, one->name);
        assert_true(cg_follow_member(derived, one, request.path, &followed));
        assert_true(cg_follow_member(whole, same, request.path, &followed));
    }
}

static void check_hosts(const struct cg_config *derived, const struct cg_config *whole) {
    for (unsigned i = 0; i < HOSTS; i++) {
        struct cg_addr addr = host_address(i);
        assert_int_equal(cg_hosts_have(&derived->hosts, &addr), cg_hosts_have(&whole->hosts, &addr));
    }
    assert_int_equal(derived->hosts.interface_count, whole->hosts.interface_count);
}

static size_t reliance_on(const struct cg_config *config, const char *interface, size_t *over_ipv4) {
    for (size_t i = 0; i < config->reliances.interface_count; i++) {
        const struct cg_interface_reliance *by = &config->reliances.interfaces[i];
        bool is_it = by->interface == interface ||
                     (by->interface != NULL && interface != NULL && strcmp(by->interface, interface) == 0);
        *over_ipv4 = by->over_ipv4;
        if (is_it) return by->on.count;
    }
    *over_ipv4 = 0;
    return 0;
}

static void check_names(const struct cg_config *derived, const struct cg_reliance *on) {
    for (size_t i = 0; i < CG_RELIANCE_NAMED; i++) {
        if (on->names[i] != NULL) assert_non_null(cg_mapping_by_name(derived, on->names[i]));
    }
}

static void check_reliances(const struct cg_config *derived, const struct cg_config *whole) {
    for (size_t i = 0; i < GROUPS; i++) {
        assert_int_equal(cg_reliance_on_group(derived, i)->count, cg_reliance_on_group(whole, i)->count);
        check_names(derived, cg_reliance_on_group(derived, i));
    }
    assert_int_equal(derived->reliances.interface_count, whole->reliances.interface_count);
    for (size_t i = 0; i < INTERFACES; i++) {
        size_t one, other;
        assert_int_equal(reliance_on(derived, interfaces[i], &one), reliance_on(whole, interfaces[i], &other));
        assert_int_equal(one, other);
    }
}

static bool visits_go_to(const struct cg_visits *visits, const struct cg_target *target) {
    for (size_t i = 0; i < visits->count; i++) {
        const struct cg_target *it = visits->list[i].target;
        bool is_it = cg_addr_equal(&it->group, &target->group) &&
                     (it->interface == target->interface || (it->interface != NULL && target->interface != NULL &&
                                                             strcmp(it->interface, target->interface) == 0));
        if (is_it) return true;
    }
    return false;
}

static void check_visits(const struct cg_config *derived, const struct cg_config *whole) {
    for (size_t i = 0; i < GROUPS; i++) {
        const struct cg_visits *one = cg_visits_of(derived, &derived->security_groups[i]);
        const struct cg_visits *other = cg_visits_of(whole, &whole->security_groups[i]);
        assert_int_equal(one->count, other->count);
        for (size_t j = 0; j < one->count; j++) {
            const struct cg_mapping *mapping = one->list[j].mapping;
            assert_ptr_equal(cg_mapping_by_name(derived, mapping->name), mapping);
            assert_true(visits_go_to(other, one->list[j].target));
        }
    }
}

static void check_same(const struct cg_config *derived, const struct cg_config *whole) {
    check_mappings(derived, whole);
    check_forwards(derived, whole);
    check_follows(derived, whole);
    check_hosts(derived, whole);
    check_reliances(derived, whole);
    check_visits(derived, whole);
}

/* ---- Tests ---- */

static void begin(struct scene *scene, uint32_t seed) {
    *scene = (struct scene){.random = seed};
    for (unsigned i = 0; i < NAMES / 2; i++) {
        scene->plans[i] = draw_plan(scene, i);
        if (!scene->plans[i].is_there) scene->plans[i] = (struct plan){0};
    }
}

static void what_is_derived_is_what_would_be_made_whole(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 3; seed++) {
        struct scene scene;
        begin(&scene, seed);
        struct cg_config *config = make_whole(&scene);
        for (unsigned step = 0; step < STEPS; step++) {
            struct cg_config *derived = derive(&scene, config), *whole = make_whole(&scene);
            check_same(derived, whole);
            cg_config_unref(whole);
            cg_config_unref(config);
            config = derived;
        }
        cg_config_unref(config);
    }
}

static void what_it_is_derived_from_stays_as_it_was(void **state) {
    (void)state;
    struct scene scene, before[20];
    struct cg_config *kept[20];
    begin(&scene, 7);
    kept[0] = make_whole(&scene);
    before[0] = scene;
    for (size_t i = 1; i < 20; i++) {
        kept[i] = derive(&scene, kept[i - 1]);
        before[i] = scene;
    }
    for (size_t i = 0; i < 20; i++) {
        struct cg_config *whole = make_whole(&before[i]);
        check_same(kept[i], whole);
        cg_config_unref(whole);
    }
    for (size_t i = 0; i < 20; i++) cg_config_unref(kept[(i * 7) % 20]); /* whoever goes first */
}

/* One edit, with less and less memory. */
static void a_shortage_leaves_it_as_it_was(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, 11);
    struct cg_config *whole = make_whole(&scene), *from = cg_config_ref(whole);
    const struct plan plan = {
        .is_there = true, .path = PATHS, .uri = URIS, .group = GROUPS, .forward = true, .host_count = 3};
    size_t failures = 0;
    bool done = false;
    for (size_t max = 2048; !done; max += 64) {
        struct cg_config *derived = cg_derive_new(from, 1);
        assert_non_null(derived);
        derived->arena.max = max;
        done = edit(derived, &plan, 3);
        failures += !done;
        cg_config_unref(derived);
        check_same(from, whole);
    }
    assert_true(failures > 0);
    cg_config_unref(from);
    cg_config_unref(whole);
}

static const struct cg_client *by_token(const struct cg_config *config, uint8_t first) {
    const uint8_t sha256[32] = {first};
    const struct cg_pass *pass;
    return cg_config_client_by_token(config, sha256, &pass);
}

/* A grant is its client's whatever became of its tokens. */
static void a_client_changes_comes_and_goes(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, 17);
    struct cg_config *whole = make_whole(&scene), *first = cg_derive_new(whole, 0), *second, *third;
    struct cg_pass passes[] = {{.sha256 = {1}, .expires_s = CG_PASS_FOR_EVER},
                               {.sha256 = {2}, .expires_s = CG_PASS_FOR_EVER}};
    struct cg_client alice = {.name = "alice", .tokens = &passes[0], .token_count = 1}, again = alice;
    struct cg_client bob = {.name = "bob", .certificates = &passes[0], .certificate_count = 1};
    again.tokens = &passes[1];
    assert_non_null(first);
    assert_true(cg_derive_put_client(first, &alice) && cg_derive_put_client(first, &bob));
    second = cg_derive_new(first, 0);
    assert_non_null(second);
    assert_true(cg_derive_put_client(second, &again));
    third = cg_derive_new(second, 0);
    assert_non_null(third);
    assert_true(cg_derive_remove_client(third, &again));
    assert_ptr_equal(by_token(first, 1), &alice);
    assert_ptr_equal(by_token(second, 2), &again);
    assert_null(by_token(second, 1));
    assert_null(by_token(third, 2));
    assert_null(cg_config_client_by_name(third, "alice"));
    assert_ptr_equal(cg_config_client_by_name(third, "bob"), &bob);
    struct cg_grant to_alice = {.client = &alice, .methods = CG_METHODS_ALL};
    const struct cg_mapping mapping = {.name = "m", .grants = &to_alice, .grant_count = 1, .methods = CG_METHODS_ALL};
    const struct cg_request by_her = {.client = by_token(second, 2)}, by_him = {.client = &bob};
    assert_true(cg_access_may_see(&mapping, &by_her));
    assert_false(cg_access_may_see(&mapping, &by_him));
    uint32_t next = 0;
    assert_ptr_equal(cg_config_next_client(third, &next), &bob);
    assert_null(cg_config_next_client(third, &next));
    cg_config_unref(third);
    cg_config_unref(whole);
    cg_config_unref(second);
    cg_config_unref(first);
}

static size_t bytes_for_one_of(unsigned count) {
    struct cg_config *config = cg_config_new();
    assert_non_null(config);
    config->mappings = cg_arena_zalloc(&config->arena, count * sizeof *config->mappings);
    assert_non_null(config->mappings);
    config->mapping_count = count;
    for (unsigned i = 0; i < count; i++) {
        struct plan plan = {.group = GROUPS, .forward = true, .host_count = 1, .first_host = i};
        assert_true(fill(config, &config->mappings[i], &plan, i));
        config->mappings[i].path = text_of(config, "/q", i, "");
        config->mappings[i].targets->uri = text_of(config, "coap://[ff35::", i, "]/");
    }
    assert_int_equal(cg_config_index(config), CG_OK);
    struct cg_config *derived = cg_derive_new(config, 1);
    assert_non_null(derived);
    const struct plan plan = {.is_there = true, .path = 1, .uri = 1, .group = GROUPS, .forward = true, .host_count = 1};
    assert_true(edit(derived, &plan, count / 2));
    size_t bytes = derived->arena.used;
    cg_config_unref(derived);
    cg_config_unref(config);
    return bytes;
}

static void it_takes_no_more_memory_among_many(void **state) {
    (void)state;
    assert_true(bytes_for_one_of(10000) <= 2 * bytes_for_one_of(10));
}

static void it_is_not_worthwhile_for_ever(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, 13);
    struct cg_config *config = make_whole(&scene);
    unsigned steps = 0;
    for (; cg_derive_is_worthwhile(config) && steps < 100000; steps++) {
        struct cg_config *derived = derive(&scene, config);
        cg_config_unref(config);
        config = derived;
    }
    assert_true(steps > 100 && steps < 100000);
    cg_config_unref(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_derived_is_what_would_be_made_whole),
        cmocka_unit_test(what_it_is_derived_from_stays_as_it_was),
        cmocka_unit_test(a_shortage_leaves_it_as_it_was),
        cmocka_unit_test(a_client_changes_comes_and_goes),
        cmocka_unit_test(it_takes_no_more_memory_among_many),
        cmocka_unit_test(it_is_not_worthwhile_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
