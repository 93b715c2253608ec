/* Members' addresses to mappings: lists that many mappings share, who was heard, and what is looked at for one address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/follow.h"
#include "model/heard.h"
#include "model/stats.h"

static struct cg_client alice = {.name = "alice"}, bob = {.name = "bob"};
static struct cg_grant for_alice = {.client = &alice, .methods = CG_METHODS_ALL};
static struct cg_grant for_bob = {.client = &bob, .methods = CG_METHODS_ALL};
static struct cg_target target = {.uri = "coap://224.0.1.187/", .interface = "lo"};

static struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), CG_COAP_PORT), CG_OK);
    return addr;
}

/* `count` open mappings, for bob, of one security group with one member. */
static struct cg_config *with_shared_members(size_t count) {
    struct cg_config *config = cg_config_new();
    assert_non_null(config);
    config->security_groups = cg_arena_zalloc(&config->arena, sizeof *config->security_groups);
    config->mappings = cg_arena_zalloc(&config->arena, count * sizeof *config->mappings);
    struct cg_member *member = cg_arena_zalloc(&config->arena, sizeof *member);
    assert_true(config->security_groups != NULL && config->mappings != NULL && member != NULL);
    *member =
        (struct cg_member){.name = "lamp", .addr = address("127.1.0.1"), .identity = cg_slice_str("lamp's credential")};
    struct cg_security_keys *keys = &config->security_groups[0];
    *keys = (struct cg_security_keys){.name = "floor", .members = {.list = member, .count = 1}};
    config->security_group_count = 1;
    config->mapping_count = count;
    for (size_t i = 0; i < count; i++) {
        char *name = cg_arena_alloc(&config->arena, 32);
        assert_non_null(name);
        snprintf(name, 32, "m%zu", i);
        config->mappings[i] = (struct cg_mapping){.name = name,
                                                  .path = name,
                                                  .forward = true,
                                                  .targets = &target,
                                                  .target_count = 1,
                                                  .security = CG_SECURITY_GROUP,
                                                  .keys = keys,
                                                  .roster = &keys->members,
                                                  .methods = CG_METHODS_ALL,
                                                  .grants = &for_bob,
                                                  .grant_count = 1};
    }
    return config;
}

static const struct cg_mapping *find(const struct cg_config *config, const struct cg_client *client, const char *uri) {
    const struct cg_request request = {.method = CG_GET, .client = client, .forward = true, .path = cg_slice_str(uri)};
    struct cg_slice rest;
    return cg_follow_find(config, &request, &rest);
}

static void mappings_of_one_group_share_its_members(void **state) {
    (void)state;
    struct cg_config *config = with_shared_members(100);
    config->mappings[70].grants = &for_alice;
    config->mappings[80].grants = &for_alice;
    config->mappings[0].forward = false;
    assert_int_equal(cg_config_index(config), CG_OK);
    assert_int_equal(config->follows.count, 1);
    assert_ptr_equal(find(config, &alice, "coap://127.1.0.1/x"), &config->mappings[70]);
    assert_ptr_equal(find(config, &bob, "coap://127.1.0.1/x"), &config->mappings[1]);
    assert_null(find(config, NULL, "coap://127.1.0.1/x"));
    assert_null(find(config, &bob, "coap://127.1.0.1:9/x"));
    cg_config_unref(config);
}

static void no_more_than_so_many_mappings_are_looked_at(void **state) {
    (void)state;
    struct cg_config *config = with_shared_members(CG_FOLLOW_MAPPINGS + 1);
    config->mappings[CG_FOLLOW_MAPPINGS].grants = &for_alice;
    assert_int_equal(cg_config_index(config), CG_OK);
    assert_null(find(config, &alice, "coap://127.1.0.1/x"));
    cg_config_unref(config);
}

/* A verified member is at the address that it was heard from, as long as the settings have it. */
static void who_was_verified_is_found_where_it_was_heard(void **state) {
    (void)state;
    struct cg_stats_table table = {0};
    struct cg_heards heards = {0};
    struct cg_followed followed;
    struct cg_config *config = with_shared_members(2);
    struct cg_slice uri = cg_slice_str("coap://127.1.0.7:6000/x");
    config->heards = &heards;
    assert_int_equal(cg_config_index(config), CG_OK);
    const struct cg_mapping *second = &config->mappings[1];
    struct cg_heard_answer answer = {.stats = cg_stats_get(&table, "m1"),
                                     .from = address("127.1.0.7:6000"),
                                     .identity = cg_slice_str("lamp's credential"),
                                     .trust = CG_HEARD_PROVEN};
    assert_null(find(config, &bob, "coap://127.1.0.7:6000/x"));
    cg_heard_note(&heards, &answer, 1);
    assert_ptr_equal(find(config, &bob, "coap://127.1.0.7:6000/x"), second);
    assert_null(find(config, &alice, "coap://127.1.0.7:6000/x"));
    assert_true(cg_follow_member(config, second, uri, &followed));
    assert_string_equal(followed.member->name, "lamp");
    assert_int_equal(followed.at.port, 6000);
    assert_false(cg_follow_member(config, &config->mappings[0], uri, &followed));
    answer.identity = cg_slice_str("somebody who was evicted");
    cg_heard_note(&heards, &answer, 2);
    assert_null(find(config, &bob, "coap://127.1.0.7:6000/x"));
    assert_false(cg_follow_member(config, second, uri, &followed));
    answer.identity = CG_SLICE_NONE; /* from when the mapping was a plain one */
    cg_heard_note(&heards, &answer, 3);
    assert_null(find(config, &bob, "coap://127.1.0.7:6000/x"));
    config->heards = NULL;
    cg_config_unref(config);
    cg_heard_fini(&heards);
    cg_stats_fini(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_of_one_group_share_its_members),
        cmocka_unit_test(no_more_than_so_many_mappings_are_looked_at),
        cmocka_unit_test(who_was_verified_is_found_where_it_was_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
