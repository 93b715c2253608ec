/* The settings of a check's request: one mapping out of others, opened, which keeps alive what it borrows. */
#include "app/check/snapshot.h"
#include "model/mapping.h"
#include "settings/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct scene {
    struct cg_config *base;
    struct cg_target target;
    struct cg_member members[2];
    struct cg_mapping mapping;
    struct cg_check_order order;
};

static void buried(struct cg_config *config) { *(bool *)config->undertaker = true; }

static struct scene make(void) {
    struct scene scene = {.base = cg_config_new()};
    assert_non_null(scene.base);
    scene.target = (struct cg_target){.uri = "coap://239.7.7.7/a", .path = cg_slice_str("/a"), .hops = 1};
    scene.members[0] = (struct cg_member){.name = "one"};
    scene.members[1] = (struct cg_member){.name = "two", .addr = {.family = CG_FAMILY_IPV4, .port = 5683}};
    scene.mapping = (struct cg_mapping){.name = "lamps",
                                        .path = "/lamps",
                                        .target_count = 1,
                                        .member_count = 2,
                                        .complete = true,
                                        .anonymise = true,
                                        .repair_unicast = true,
                                        .repair_probe = true,
                                        .leisure = 5,
                                        .has_timeout = true,
                                        .timeout_us = 1000000,
                                        .requests_per_minute = 1,
                                        .finish = {.rule = CG_FINISH_COUNT, .count = 1}};
    return scene;
}

static struct cg_config *snapshot_of(struct scene *scene) {
    scene->mapping.targets = &scene->target;
    scene->mapping.members = scene->members;
    scene->order.mapping = &scene->mapping;
    struct cg_config *config = cg_check_snapshot(scene->base, &scene->order);
    assert_non_null(config);
    return config;
}

static void what_is_for_clients_is_out_of_the_way(void **state) {
    struct scene scene = make();
    struct cg_config *config = snapshot_of(&scene);
    const struct cg_mapping *mapping = cg_mapping_by_name(config, "lamps");
    (void)state;
    assert_int_equal(config->mapping_count, 1);
    assert_ptr_equal(mapping, &config->mappings[0]);
    assert_ptr_not_equal(mapping, &scene.mapping); /* so nobody joins its rounds */
    assert_int_equal(mapping->finish.rule, CG_FINISH_ALL);
    assert_int_equal(mapping->requests_per_minute, 0);
    assert_false(mapping->anonymise);
    assert_false(mapping->repair_unicast || mapping->repair_probe);
    assert_int_equal(mapping->member_count, 2);
    assert_ptr_equal(mapping->targets, &scene.target);
    cg_config_unref(config);
    cg_config_unref(scene.base);
}

static void what_it_borrows_lives_as_long(void **state) {
    struct scene scene = make();
    bool is_buried = false;
    struct cg_config *config = snapshot_of(&scene);
    (void)state;
    scene.base->bury = buried;
    scene.base->undertaker = &is_buried;
    cg_config_unref(scene.base);
    assert_false(is_buried);
    cg_config_unref(config);
    assert_true(is_buried);
    cg_config_free(scene.base);
}

static void one_member_alone(void **state) {
    struct scene scene = make();
    (void)state;
    scene.order.only = &scene.members[1];
    struct cg_config *config = snapshot_of(&scene);
    const struct cg_mapping *mapping = &config->mappings[0];
    assert_int_equal(mapping->member_count, 1);
    assert_string_equal(mapping->members[0].name, "two");
    assert_int_equal(mapping->members[0].number, 0);
    assert_true(mapping->complete);
    assert_int_equal(cg_check_listens(&scene.order), 4);
    cg_config_unref(config);
    cg_config_unref(scene.base);
}

static void the_core_in_the_place_of_the_path(void **state) {
    struct scene scene = make();
    (void)state;
    scene.order.core = true;
    struct cg_config *config = snapshot_of(&scene);
    assert_true(cg_slice_is(config->mappings[0].targets[0].path, "/.well-known/core"));
    assert_true(cg_slice_is(scene.target.path, "/a"));
    cg_config_unref(config);
    cg_config_unref(scene.base);
}

static void it_listens_to_the_end_of_leisure(void **state) {
    struct scene scene = make();
    (void)state;
    scene.order.mapping = &scene.mapping;
    assert_int_equal(cg_check_listens(&scene.order), 6); /* and a moment for the way */
    scene.mapping.timeout_us = 5000000;
    assert_int_equal(cg_check_listens(&scene.order), 5);
    scene.mapping.timeout_us = 7200000;
    assert_int_equal(cg_check_listens(&scene.order), 8);
    scene.mapping.has_timeout = false;
    assert_int_equal(cg_check_listens(&scene.order), 6);
    cg_config_unref(scene.base);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_for_clients_is_out_of_the_way),
        cmocka_unit_test(what_it_borrows_lives_as_long),
        cmocka_unit_test(one_member_alone),
        cmocka_unit_test(the_core_in_the_place_of_the_path),
        cmocka_unit_test(it_listens_to_the_end_of_leisure),
    };
    return cmocka_run_group_tests_name("app/check snapshot", tests, NULL, NULL);
}
