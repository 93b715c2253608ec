/* Other settings end what has lost its right, with the reason, and nothing else. */
#include "exchange/fake_world.h"

#include <string.h>

enum { MANY = 2000 };

/* The world's settings again, without "lamps" where it is renamed. */
static void adopt(struct world *world, const char *name_of_lamps) {
    struct world other;
    world_init(&other);
    other.config->mappings[0].name = name_of_lamps;
    assert_int_equal(cg_config_index(other.config), CG_OK);
    cg_gateway_adopt(world->gateway, other.config);
    world_fini(&other);
}

static void test_the_same_settings_end_nothing(void **state) {
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps");
    adopt(world, "lamps");
    world_run(world);
    assert_int_equal(call.replies + call.problems, 0);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.replies, 1);
}

static void test_a_removed_mapping_ends_its_requests_at_once(void **state) {
    struct world *world = *state;
    struct call lamps, pair;
    world_get(world, &lamps, "/lamps");
    world_get(world, &pair, "/pair");
    world_answer(world, 0, "127.1.0.1", "on");
    adopt(world, "others");
    world_run(world);
    assert_int_equal(lamps.problem.err, CG_E_NOT_FOUND);
    assert_string_equal(lamps.problem.detail,
                        "mapping lamps was removed from the settings; members may have acted on the request");
    assert_int_equal(pair.replies + pair.problems, 0);
    world_advance(world, 2 * SECOND);
    assert_int_equal(pair.replies, 1);
    assert_int_equal(lamps.problems, 1);
    assert_int_equal(lamps.replies, 0);
}

static void test_one_whose_client_was_known_before_is_not_admitted_after(void **state) {
    struct world *world = *state;
    struct call call;
    world_start(world);
    world_new(world, &call, "/lamps");
    adopt(world, "others");
    world_run(world);
    world_go(world, &call);
    assert_int_equal(call.problem.err, CG_E_NOT_FOUND);
    assert_null(strstr(call.problem.detail, "acted")); /* nothing went out */
    assert_int_equal(world->sent_count, 0);
}

/* A grant that shrinks says as much as a mapping that goes. */
static void test_a_withdrawn_method_ends_its_requests(void **state) {
    struct world *world = *state;
    struct world other;
    struct call call;
    world_get(world, &call, "/lamps");
    world_init(&other);
    other.config->mappings[0].grants[0].methods = CG_METHOD_BIT(CG_PUT);
    assert_int_equal(cg_config_index(other.config), CG_OK);
    cg_gateway_adopt(world->gateway, other.config);
    world_fini(&other);
    world_run(world);
    assert_int_equal(call.problem.err, CG_E_UNAUTHORIZED);
    assert_non_null(strstr(call.problem.detail, "; members may have acted on the request"));
}

static void test_two_changes_in_a_row_count_both(void **state) {
    struct world *world = *state;
    struct call call;
    world_get(world, &call, "/lamps");
    adopt(world, "others");
    adopt(world, "lamps"); /* before anything was looked at: it is there again */
    world_run(world);
    assert_int_equal(call.problems, 0);
    adopt(world, "others");
    world_run(world);
    assert_int_equal(call.problem.err, CG_E_NOT_FOUND);
}

static void test_many_are_looked_at_in_parts(void **state) {
    static struct call calls[MANY];
    struct world *world = *state;
    unsigned turns = 0;
    world->config->limits.exchanges = world->config->limits.exchanges_per_client = MANY;
    for (unsigned i = 0; i < MANY; i++) world_get(world, &calls[i], "/lamps");
    adopt(world, "others");
    while (cg_gateway_run(world->gateway, world->now_us) <= world->now_us) turns++;
    assert_true(turns > 1);
    for (unsigned i = 0; i < MANY; i++) assert_int_equal(calls[i].problem.err, CG_E_NOT_FOUND);
}

/* A client with two tokens, of which the second expires at 1000, is the only one that may use "lamps". */
static const struct cg_client *know_client(struct world *world) {
    struct cg_config *config = world->config;
    struct cg_client *client = config->clients = cg_arena_zalloc(&config->arena, sizeof *client);
    config->client_count = 1;
    *client = (struct cg_client){.name = "demo", .token_count = 2};
    client->tokens = cg_arena_zalloc(&config->arena, 2 * sizeof *client->tokens);
    client->tokens[0] = (struct cg_pass){.sha256 = {1}, .expires_s = CG_PASS_FOR_EVER};
    client->tokens[1] = (struct cg_pass){.sha256 = {2}, .expires_s = 1000};
    config->mappings[0].grants[0].client = client;
    assert_true(cg_config_index_clients(config));
    return client;
}

static void go_with_token(struct world *world, struct call *call, const struct cg_client *client, size_t token) {
    struct cg_request *request = world_new(world, call, "/lamps");
    assert_non_null(request);
    request->client = client;
    request->proof = CG_PROOF_TOKEN;
    request->pass = &client->tokens[token];
    world_go(world, call);
}

static void test_a_token_that_expires_ends_what_came_by_it(void **state) {
    struct world *world = *state;
    const struct cg_client *client = know_client(world);
    struct call lasting, brief;
    go_with_token(world, &lasting, client, 0);
    go_with_token(world, &brief, client, 1);
    world_run(world);
    cg_gateway_expire(world->gateway, 999);
    world_run(world);
    assert_int_equal(brief.problems, 0);
    cg_gateway_expire(world->gateway, 1000);
    world_run(world);
    assert_int_equal(brief.problem.err, CG_E_UNAUTHORIZED);
    assert_non_null(strstr(brief.problem.detail, "the token of client demo was withdrawn or has expired"));
    assert_int_equal(lasting.problems, 0);
    world_advance(world, 2 * SECOND);
    assert_int_equal(lasting.replies, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_the_same_settings_end_nothing),
        world_test(test_a_removed_mapping_ends_its_requests_at_once),
        world_test(test_one_whose_client_was_known_before_is_not_admitted_after),
        world_test(test_a_withdrawn_method_ends_its_requests),
        world_test(test_two_changes_in_a_row_count_both),
        world_test(test_a_token_that_expires_ends_what_came_by_it),
        world_test(test_many_are_looked_at_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
