/* The snapshot: references, look-ups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "model/config.h"

static void it_lives_as_long_as_its_last_reference(void **state) {
    (void)state;
    struct cg_config *config = cg_config_new();
    config->state = "/var/lib/castgate";
    assert_ptr_equal(cg_config_ref(config), config);
    cg_config_unref(config);
    assert_int_equal(config->references, 1);
    assert_string_equal(config->state, "/var/lib/castgate");
    cg_config_unref(config);
    cg_config_unref(NULL);
}

enum { CLIENTS = 1000 };

static void add_clients(struct cg_config *config) {
    config->clients = cg_arena_zalloc(&config->arena, CLIENTS * sizeof *config->clients);
    assert_non_null(config->clients);
    config->client_count = CLIENTS;
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct cg_client *client = &config->clients[i];
        char name[16];
        int len = snprintf(name, sizeof name, "client-%u", i);
        client->name = (const char *)cg_arena_copy(&config->arena, cg_slice_of(name, (size_t)len + 1)).data;
        client->has_token = i % 2 == 0; /* the others' all-zero hashes must not be found */
        client->has_certificate = i % 3 == 0;
        if (client->has_token) memcpy(client->token_sha256, &(uint32_t){i + 1}, 4);
        if (client->has_certificate) memcpy(client->certificate_sha256 + 28, &(uint32_t){i + 1}, 4);
    }
}

static int freed_keys[4];

static void note_freed(struct cg_security_group *keys) {
    if (keys != NULL) ++*(int *)(void *)keys;
}

static void keys_go_with_its_last_reference(void **state) {
    (void)state;
    struct cg_config *config = cg_config_new();
    struct cg_security_keys groups[2] = {{.keys = (void *)&freed_keys[0]},
                                         {.keys = (void *)&freed_keys[1], .next_keys = (void *)&freed_keys[2]}};
    struct cg_mapping mappings[2] = {{.checker_keys = NULL}, {.checker_keys = (void *)&freed_keys[3]}};
    config->security_groups = groups;
    config->security_group_count = 2;
    config->mappings = mappings;
    config->mapping_count = 2;
    config->free_keys = note_freed;
    cg_config_unref(cg_config_ref(config));
    for (size_t i = 0; i < 4; i++) assert_int_equal(freed_keys[i], 0);
    cg_config_unref(config);
    for (size_t i = 0; i < 4; i++) assert_int_equal(freed_keys[i], 1);
}

static void clients_are_found_by_what_they_prove(void **state) {
    (void)state;
    struct cg_config *config = cg_config_new();
    add_clients(config);
    assert_int_equal(cg_config_index(config), CG_OK);
    for (unsigned i = 0; i < CLIENTS; i++) {
        const struct cg_client *client = &config->clients[i];
        uint8_t token[32] = {0}, certificate[32] = {0};
        memcpy(token, &(uint32_t){i + 1}, 4);
        memcpy(certificate + 28, &(uint32_t){i + 1}, 4);
        assert_ptr_equal(cg_config_client_by_name(config, client->name), client);
        assert_ptr_equal(cg_config_client_by_token(config, token), client->has_token ? client : NULL);
        assert_ptr_equal(cg_config_client_by_certificate(config, certificate), client->has_certificate ? client : NULL);
        assert_int_equal(client->number, i);
    }
    static const uint8_t zero[32];
    assert_null(cg_config_client_by_token(config, zero));
    assert_null(cg_config_client_by_certificate(config, zero));
    assert_null(cg_config_client_by_name(config, "client-1000"));
    assert_null(cg_config_client_by_name(config, ""));
    cg_config_unref(config);
}

static void members_are_found_by_address(void **state) {
    (void)state;
    struct cg_config *config = cg_config_new();
    struct cg_mapping *mapping = config->mappings = cg_arena_zalloc(&config->arena, sizeof *mapping);
    config->mapping_count = 1;
    mapping->name = "floor3";
    mapping->path = "/floor3";
    mapping->members = cg_arena_zalloc(&config->arena, 2 * sizeof *mapping->members);
    mapping->member_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        struct cg_member *member = &mapping->members[i];
        member->name = i == 0 ? "a" : "b";
        member->addr = (struct cg_addr){.family = CG_FAMILY_IPV4, .port = 5683, .ip = {127, 1, 0, (uint8_t)(i + 1)}};
    }
    assert_int_equal(cg_config_index(config), CG_OK);
    struct cg_addr wanted = {.family = CG_FAMILY_IPV4, .port = 5683, .ip = {127, 1, 0, 2}};
    const struct cg_member *found =
        cg_members_at(mapping->roster, &wanted, cg_member_hash(cg_slice_of(&wanted, sizeof wanted)));
    assert_ptr_equal(found, &mapping->members[1]);
    assert_int_equal(found->number, 1);
    wanted.port = 5684;
    assert_null(cg_members_at(mapping->roster, &wanted, cg_member_hash(cg_slice_of(&wanted, sizeof wanted))));
    cg_config_unref(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_lives_as_long_as_its_last_reference),
        cmocka_unit_test(keys_go_with_its_last_reference),
        cmocka_unit_test(clients_are_found_by_what_they_prove),
        cmocka_unit_test(members_are_found_by_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
