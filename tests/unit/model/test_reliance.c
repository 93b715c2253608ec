/* Who relies on which interface and security group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/config.h"

enum { MAPPINGS = 100, TARGETS = 2 };

struct side {
    struct cg_config *config;
    struct cg_mapping mappings[MAPPINGS];
    struct cg_target targets[MAPPINGS][TARGETS];
    struct cg_security_keys groups[2];
    char names[MAPPINGS][8];
};

static int setup(void **state) {
    struct side *side = calloc(1, sizeof *side);
    side->config = cg_config_new();
    assert_non_null(side->config);
    side->config->mappings = side->mappings;
    side->config->security_groups = side->groups;
    side->config->security_group_count = 2;
    for (size_t i = 0; i < MAPPINGS; i++) {
        snprintf(side->names[i], sizeof side->names[i], "m%zu", i);
        side->mappings[i] = (struct cg_mapping){.name = side->names[i], .targets = side->targets[i], .target_count = 1};
    }
    *state = side;
    return 0;
}

static int teardown(void **state) {
    struct side *side = *state;
    side->config->mapping_count = 0;
    side->config->security_group_count = 0;
    cg_config_unref(side->config);
    free(side);
    return 0;
}

static const struct cg_reliances *index_of(struct side *side, size_t mappings) {
    side->config->mapping_count = mappings;
    assert_true(cg_reliances_index(side->config));
    return &side->config->reliances;
}

static void the_first_are_named_and_all_are_counted(void **state) {
    struct side *side = *state;
    for (size_t i = 0; i < 5; i++) side->mappings[i].keys = &side->groups[1];
    const struct cg_reliances *all = index_of(side, 6);
    assert_int_equal(all->groups[0].count, 0);
    assert_int_equal(all->groups[1].count, 5);
    for (size_t i = 0; i < CG_RELIANCE_NAMED; i++) assert_string_equal(all->groups[1].names[i], side->names[i]);
    assert_int_equal(all->interface_count, 1);
    assert_null(all->interfaces[0].interface);
    assert_int_equal(all->interfaces[0].on.count, 6);
}

static void a_mapping_counts_once_an_interface(void **state) {
    struct side *side = *state;
    side->mappings[0].target_count = TARGETS;
    side->targets[0][0] = (struct cg_target){.interface = "a", .group.family = CG_FAMILY_IPV6};
    side->targets[0][1] = (struct cg_target){.interface = "a", .group.family = CG_FAMILY_IPV4};
    side->targets[1][0] = (struct cg_target){.interface = "b", .group.family = CG_FAMILY_IPV6};
    const struct cg_reliances *all = index_of(side, 2);
    assert_int_equal(all->interface_count, 2);
    assert_int_equal(all->interfaces[0].on.count, 1);
    assert_true(all->interfaces[0].over_ipv4);
    assert_int_equal(all->interfaces[1].on.count, 1);
    assert_false(all->interfaces[1].over_ipv4);
}

static void interfaces_are_bounded(void **state) {
    struct side *side = *state;
    for (size_t i = 0; i < MAPPINGS; i++) side->targets[i][0].interface = side->names[i];
    assert_int_equal(index_of(side, MAPPINGS)->interface_count, CG_RELIANCE_INTERFACES);
}

int main(void) {
#define ON_SIDE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ON_SIDE(the_first_are_named_and_all_are_counted),
        ON_SIDE(a_mapping_counts_once_an_interface),
        ON_SIDE(interfaces_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
