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

/* Hashes that differ in four bytes at `at`. */
static struct cg_pass *add_passes(struct cg_config *config, size_t count, unsigned client, size_t at) {
    struct cg_pass *passes = cg_arena_zalloc(&config->arena, (count + 1) * sizeof *passes);
    assert_non_null(passes);
    for (size_t i = 0; i < count; i++) {
        passes[i].expires_s = i == 0 ? CG_PASS_FOR_EVER : 1000 + (int64_t)((client * 7919) % CLIENTS);
        memcpy(passes[i].sha256 + at, &(uint32_t){2 * client + (uint32_t)i + 1}, 4);
    }
    return passes;
}

static void add_clients(struct cg_config *config) {
    config->clients = cg_arena_zalloc(&config->arena, CLIENTS * sizeof *config->clients);
    assert_non_null(config->clients);
    config->client_count = CLIENTS;
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct cg_client *client = &config->clients[i];
        char name[16];
        int len = snprintf(name, sizeof name, "client-%u", i);
        client->name = (const char *)cg_arena_copy(&config->arena, cg_slice_of(name, (size_t)len + 1)).data;
        client->token_count = i % 3; /* none: an all-zero hash must not be found */
        client->tokens = add_passes(config, client->token_count, i, 0);
        client->certificate_count = (i + 1) % 3;
        client->certificates = add_passes(config, client->certificate_count, i, 28);
    }
}

static void assert_found(const struct cg_config *config, const struct cg_client *client) {
    const struct cg_pass *pass;
    for (size_t i = 0; i < client->token_count; i++) {
        assert_ptr_equal(cg_config_client_by_token(config, client->tokens[i].sha256, &pass), client);
        assert_ptr_equal(pass, &client->tokens[i]);
        assert_null(cg_config_client_by_certificate(config, client->tokens[i].sha256, &pass));
    }
    for (size_t i = 0; i < client->certificate_count; i++) {
        assert_ptr_equal(cg_config_client_by_certificate(config, client->certificates[i].sha256, &pass), client);
        assert_ptr_equal(pass, &client->certificates[i]);
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
        assert_ptr_equal(cg_config_client_by_name(config, client->name), client);
        assert_found(config, client);
        assert_int_equal(client->number, i);
    }
    static const uint8_t zero[32];
    const struct cg_pass *pass;
    assert_null(cg_config_client_by_token(config, zero, &pass));
    assert_null(cg_config_client_by_certificate(config, zero, &pass));
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
