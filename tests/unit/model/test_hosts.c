/* Where members are, over all mappings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "model/config.h"

enum { MAPPINGS = 1000, GROUP_MEMBERS = 100 };

static struct cg_addr at(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), 5683), CG_OK);
    return addr;
}

static bool is_known(const struct cg_config *config, const char *text) {
    struct cg_addr addr = at(text);
    return cg_hosts_have(&config->hosts, &addr);
}

static int begin(void **state) {
    struct cg_config *config = *state = cg_config_new();
    if (config == NULL) return -1;
    config->mappings = cg_arena_zalloc(&config->arena, MAPPINGS * sizeof *config->mappings);
    return config->mappings == NULL ? -1 : 0;
}

static int end(void **state) {
    cg_config_unref(*state);
    return 0;
}

static struct cg_mapping *add(struct cg_config *config, const char *name) {
    struct cg_mapping *mapping = &config->mappings[config->mapping_count++];
    *mapping = (struct cg_mapping){.name = name, .path = name};
    return mapping;
}

static void hosts_count_and_ports_do_not(void **state) {
    struct cg_config *config = *state;
    struct cg_member members[] = {{.name = "a", .addr = at("192.0.2.1:1000")},
                                  {.name = "b", .addr = at("192.0.2.1:1001")},
                                  {.name = "c", .addr = at("[fe80::1]:5683")},
                                  {.name = "d"}};
    struct cg_mapping *mapping = add(config, "/lamps");
    mapping->members = members;
    mapping->member_count = 4;
    assert_int_equal(cg_config_index(config), CG_OK);
    assert_int_equal(config->hosts.count, 2);
    assert_true(is_known(config, "192.0.2.1:9"));
    assert_false(is_known(config, "192.0.2.2"));
    assert_true(is_known(config, "[fe80::1%3]:9")); /* without a zone it is on any link */
    assert_false(is_known(config, "[fe80::2%3]:9"));
}

static void nobody_is_known_where_no_members_are(void **state) {
    struct cg_config *config = *state;
    add(config, "/lamps");
    assert_int_equal(cg_config_index(config), CG_OK);
    assert_false(is_known(config, "192.0.2.1"));
}

static void a_group_s_members_are_there_once_however_many_mappings_share_them(void **state) {
    struct cg_config *config = *state;
    static char names[MAPPINGS][8];
    struct cg_member members[GROUP_MEMBERS];
    for (unsigned i = 0; i < GROUP_MEMBERS; i++) {
        members[i] = (struct cg_member){.name = "m", .addr = at("192.0.2.1")};
        members[i].addr.ip[3] = (uint8_t)(i + 1);
    }
    struct cg_security_keys group = {.name = "floor3", .members = {.list = members, .count = GROUP_MEMBERS}};
    config->security_groups = &group;
    config->security_group_count = 1;
    for (unsigned i = 0; i < MAPPINGS; i++) {
        memcpy(names[i], (char[]){'/', (char)('a' + i / 100), (char)('a' + i / 10 % 10), (char)('a' + i % 10), 0}, 5);
        struct cg_mapping *mapping = add(config, names[i]);
        mapping->security = CG_SECURITY_GROUP;
        mapping->keys = &group;
        mapping->roster = &group.members;
    }
    assert_int_equal(cg_config_index(config), CG_OK);
    assert_int_equal(config->hosts.count, GROUP_MEMBERS);
    assert_true(is_known(config, "192.0.2.100"));
    assert_false(is_known(config, "192.0.2.101"));
}

static void links_are_those_of_all_targets(void **state) {
    struct cg_config *config = *state;
    static struct cg_target targets[] = {{.interface = "eth0"}, {.interface = NULL}, {.interface = "eth1"}};
    struct cg_mapping *mapping = add(config, "/lamps"), *other = add(config, "/blinds");
    mapping->targets = targets;
    mapping->target_count = 2;
    other->targets = targets + 1;
    other->target_count = 2;
    assert_int_equal(cg_config_index(config), CG_OK);
    assert_int_equal(config->hosts.interface_count, 3);
    assert_string_equal(config->hosts.interfaces[0].name, "eth0");
    assert_null(config->hosts.interfaces[1].name);
    assert_string_equal(config->hosts.interfaces[2].name, "eth1");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(hosts_count_and_ports_do_not),
        TEST(nobody_is_known_where_no_members_are),
        TEST(a_group_s_members_are_there_once_however_many_mappings_share_them),
        TEST(links_are_those_of_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
