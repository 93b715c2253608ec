/* Names and what they stand for, with a resolver that says what the test wants, when the test wants it (R50). */
#include "io/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "model/derive.h"

enum { HOSTS_MAX = 16, TESTS_MAX = 16 };

/* The resolver's side; the mutex guards all of it. Each test has one of its own, which stays: nobody waits for a thread
 * that has been started and has not come to its look-up yet, and it may do so when its test is over. */
struct zone {
    uv_mutex_t mutex;
    uv_cond_t changed;
    const char *error;
    const char *addresses[4]; /* NULL ends */
    bool held;                /* look-ups wait */
    unsigned asked, answered, most_at_once, at_once;
    char hosts[HOSTS_MAX][64];
};

static struct zone zones[TESTS_MAX], *zone;

struct side {
    uv_loop_t uv;
    struct cg_names *names;
    struct cg_config *config;
    struct cg_problem problem;
};

static const char *fake_lookup(void *ctx, const char *host, struct cg_addr found[CG_NAMES_ADDRESSES], size_t *count) {
    struct zone *its = ctx;
    uv_mutex_lock(&its->mutex);
    snprintf(its->hosts[its->asked % HOSTS_MAX], sizeof its->hosts[0], "%s", host);
    its->asked++;
    if (++its->at_once > its->most_at_once) its->most_at_once = its->at_once;
    uv_cond_broadcast(&its->changed);
    while (its->held) uv_cond_wait(&its->changed, &its->mutex);
    const char *error = its->error;
    *count = 0;
    for (size_t i = 0; its->addresses[i] != NULL; i++) {
        assert_int_equal(cg_addr_parse_ip(&found[(*count)++], cg_slice_str(its->addresses[i])), CG_OK);
    }
    its->at_once--;
    its->answered++;
    uv_cond_broadcast(&its->changed);
    uv_mutex_unlock(&its->mutex);
    return error;
}

static void say(const char *error, const char *first, const char *second) {
    uv_mutex_lock(&zone->mutex);
    zone->error = error;
    zone->addresses[0] = first;
    zone->addresses[1] = first == NULL ? NULL : second;
    zone->addresses[2] = NULL;
    uv_mutex_unlock(&zone->mutex);
}

static void hold(bool held) {
    uv_mutex_lock(&zone->mutex);
    zone->held = held;
    uv_cond_broadcast(&zone->changed);
    uv_mutex_unlock(&zone->mutex);
}

static unsigned asked(void) {
    uv_mutex_lock(&zone->mutex);
    unsigned count = zone->asked;
    uv_mutex_unlock(&zone->mutex);
    return count;
}

/* Those that begin with "gw" are next hops'. */
static struct cg_config *make_config(const char *const *hosts, size_t count) {
    struct cg_config *config = cg_config_new();
    assert_non_null(config);
    config->mapping_count = 1;
    config->mappings = cg_arena_zalloc(&config->arena, sizeof *config->mappings);
    config->mappings->target_count = count;
    config->mappings->targets = cg_arena_zalloc(&config->arena, count * sizeof *config->mappings->targets);
    for (size_t i = 0; i < count; i++) {
        config->mappings->targets[i].host = cg_slice_str(hosts[i]);
        config->mappings->targets[i].group.port = 61616;
        if (strncmp(hosts[i], "gw", 2) != 0) continue;
        config->mappings->targets[i].next_hop = (struct cg_next_hop){.uri = "coap://", .host = hosts[i]};
        config->mappings->targets[i].next_hop.addr.port = 5684;
    }
    return config;
}

static void start(struct side *side, const char *const *hosts, size_t count) {
    struct cg_names_options options = {.lookup = fake_lookup, .ctx = zone, .refresh_ms = 40, .retry_ms = 4};
    uv_loop_init(&side->uv);
    side->config = make_config(hosts, count);
    side->names = cg_names_new(&options);
    assert_non_null(side->names);
    assert_int_equal(cg_names_attach(side->names, side->config, &side->problem), CG_OK);
    cg_names_open(side->names, &side->uv);
}

static void stop(struct side *side) {
    cg_names_close(side->names);
    uv_run(&side->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&side->uv), 0);
    cg_config_unref(side->config);
    cg_names_free(side->names);
}

static struct cg_addr group_of(const struct side *side, size_t target) {
    return cg_target_group(&side->config->mappings->targets[target]);
}

static void turn_until_asked(struct side *side, unsigned count) {
    while (asked() < count) uv_run(&side->uv, UV_RUN_ONCE);
}

/* Turns the loop until the target's group is this one; "" for none. */
static void turn_until(struct side *side, size_t target, const char *ip) {
    for (;;) {
        char text[CG_ADDR_TEXT_MAX] = "";
        struct cg_addr group = group_of(side, target);
        if (group.family != CG_FAMILY_NONE) cg_addr_emit_ip(&group, text);
        if (strcmp(text, ip) == 0) return;
        uv_run(&side->uv, UV_RUN_ONCE);
    }
}

static const char *why_not(const struct side *side) { return side->config->mappings->targets->resolved->why; }

static int setup(void **state) {
    (void)state;
    zone = zone == NULL ? zones : zone + 1;
    assert_true(zone < zones + TESTS_MAX);
    uv_mutex_init(&zone->mutex);
    uv_cond_init(&zone->changed);
    return 0;
}

/* Waits for look-ups that hang. */
static int teardown(void **state) {
    (void)state;
    uv_mutex_lock(&zone->mutex);
    zone->held = false;
    uv_cond_broadcast(&zone->changed);
    while (zone->answered < zone->asked) uv_cond_wait(&zone->changed, &zone->mutex);
    uv_mutex_unlock(&zone->mutex);
    return 0;
}

static const char *const lights[] = {"lights.example"};

static void a_name_becomes_a_group_R50(void **state) {
    (void)state;
    struct side side = {0};
    say(NULL, "ff05::1:3", NULL);
    start(&side, lights, 1);
    assert_int_equal(group_of(&side, 0).family, CG_FAMILY_NONE);
    assert_string_equal(why_not(&side), "the name has not been looked up yet");
    turn_until(&side, 0, "ff05::1:3");
    assert_int_equal(group_of(&side, 0).port, 61616);
    assert_string_equal(zone->hosts[0], "lights.example");
    stop(&side);
}

/* The resolver's order decides, among the multicast addresses. */
static void the_first_multicast_address_counts_R50(void **state) {
    (void)state;
    struct side side = {0};
    say(NULL, "192.0.2.1", "224.0.1.190");
    start(&side, lights, 1);
    turn_until(&side, 0, "224.0.1.190");
    say(NULL, "ff02::fd", "224.0.1.190");
    turn_until(&side, 0, "ff02::fd");
    stop(&side);
}

static void a_change_is_followed_R50(void **state) {
    (void)state;
    struct side side = {0};
    say(NULL, "224.0.1.190", NULL);
    start(&side, lights, 1);
    turn_until(&side, 0, "224.0.1.190");
    say(NULL, "224.0.1.191", NULL);
    turn_until(&side, 0, "224.0.1.191");
    stop(&side);
}

static void what_is_not_multicast_is_refused_R50(void **state) {
    (void)state;
    struct side side = {0};
    say(NULL, "192.0.2.1", "2001:db8::1");
    start(&side, lights, 1);
    turn_until_asked(&side, 2);
    assert_int_equal(group_of(&side, 0).family, CG_FAMILY_NONE);
    assert_string_equal(why_not(&side), "the name stands for 192.0.2.1, which is not multicast");
    say(NULL, "224.0.1.190", NULL);
    turn_until(&side, 0, "224.0.1.190");
    say(NULL, "192.0.2.7", NULL); /* it was one; it is none any more */
    turn_until(&side, 0, "");
    assert_string_equal(why_not(&side), "the name stands for 192.0.2.7, which is not multicast");
    stop(&side);
}

/* Also where a group has the same name. */
static void a_next_hop_is_one_host(void **state) {
    static const char *const both[] = {"gw.example", "lights.example"};
    (void)state;
    struct side side = {0};
    say(NULL, "224.0.1.190", "192.0.2.7");
    start(&side, both, 2);
    side.config->mappings->targets[1].host = cg_slice_str("gw.example");
    assert_int_equal(cg_names_attach(side.names, side.config, &side.problem), CG_OK);
    cg_names_open(side.names, &side.uv);
    turn_until(&side, 0, "192.0.2.7");
    turn_until(&side, 1, "224.0.1.190");
    assert_int_equal(group_of(&side, 0).port, 5684);
    stop(&side);
}

static void the_last_good_answer_stays_R50(void **state) {
    (void)state;
    struct side side = {0};
    say(NULL, "224.0.1.190", NULL);
    start(&side, lights, 1);
    turn_until(&side, 0, "224.0.1.190");
    say("Temporary failure in name resolution", NULL, NULL);
    turn_until_asked(&side, asked() + 3);
    assert_int_equal(group_of(&side, 0).family, CG_FAMILY_IPV4);
    say(NULL, "224.0.1.191", NULL);
    turn_until(&side, 0, "224.0.1.191");
    stop(&side);
}

static void what_cannot_be_looked_up_is_tried_again_R50(void **state) {
    (void)state;
    struct side side = {0};
    say("Name or service not known", NULL, NULL);
    start(&side, lights, 1);
    turn_until_asked(&side, 3);
    assert_int_equal(group_of(&side, 0).family, CG_FAMILY_NONE);
    assert_string_equal(why_not(&side), "the name cannot be looked up (Name or service not known)");
    say(NULL, "224.0.1.190", NULL);
    turn_until(&side, 0, "224.0.1.190");
    stop(&side);
}

/* Two targets of one name share a look-up; a resolver that hangs is asked once, and holds neither the loop nor the end.
 */
static void a_hanging_resolver_holds_nobody(void **state) {
    (void)state;
    struct side side = {0};
    static const char *const hosts[] = {"lights.example", "lights.example"};
    hold(true);
    say(NULL, "224.0.1.190", NULL);
    start(&side, hosts, 2);
    turn_until_asked(&side, 1);
    for (int i = 0; i < 20; i++) uv_run(&side.uv, UV_RUN_ONCE); /* ticks */
    assert_int_equal(asked(), 1);
    stop(&side);
}

static void many_names_take_their_turns(void **state) {
    (void)state;
    struct side side = {0};
    static const char *const hosts[] = {"a.example", "b.example", "c.example", "d.example", "e.example", "f.example"};
    hold(true);
    say(NULL, "224.0.1.190", NULL);
    start(&side, hosts, 6);
    turn_until_asked(&side, 4);
    for (int i = 0; i < 20; i++) uv_run(&side.uv, UV_RUN_ONCE);
    assert_int_equal(asked(), 4);
    hold(false);
    for (size_t i = 0; i < 6; i++) turn_until(&side, i, "224.0.1.190");
    assert_true(zone->most_at_once <= 4);
    stop(&side);
}

/* A reload: the address is there at once, and what nobody names any more is left alone. */
static void names_outlive_snapshots(void **state) {
    (void)state;
    struct side side = {0};
    static const char *const both[] = {"doors.example", "lights.example"};
    say(NULL, "224.0.1.190", NULL);
    start(&side, both, 2);
    turn_until(&side, 0, "224.0.1.190");
    turn_until(&side, 1, "224.0.1.190");
    struct cg_config *old = side.config;
    side.config = make_config(lights, 1);
    assert_int_equal(cg_names_attach(side.names, side.config, &side.problem), CG_OK);
    cg_names_open(side.names, &side.uv);
    assert_int_equal(group_of(&side, 0).family, CG_FAMILY_IPV4);
    assert_int_equal(cg_target_group(&old->mappings->targets[0]).family, CG_FAMILY_IPV4);
    cg_config_unref(old);
    unsigned before = asked();
    turn_until_asked(&side, before + 3);
    for (unsigned i = before + 1; i < before + 3; i++)
        assert_string_equal(zone->hosts[i % HOSTS_MAX], "lights.example");
    stop(&side);
}

/* A mapping of another name is derived: the name that was there is neither forgotten nor asked for at once. */
static void a_derived_snapshot_adds_its_names(void **state) {
    (void)state;
    struct side side = {0};
    struct cg_mapping mapping = {.name = "blinds", .path = "/blinds", .target_count = 1};
    struct cg_target target = {.uri = "coap://blinds.example/", .host = cg_slice_str("blinds.example")};
    say(NULL, "224.0.1.187", NULL);
    start(&side, lights, 1);
    side.config->mappings->name = "lights";
    side.config->mappings->path = "/lights";
    turn_until(&side, 0, "224.0.1.187");
    const struct cg_resolved *resolved = side.config->mappings->targets->resolved;
    struct cg_config *derived = cg_derive_new(side.config, 1);
    assert_non_null(derived);
    mapping.targets = &target;
    assert_true(cg_derive_put_mapping(derived, &mapping));
    assert_int_equal(cg_names_attach(side.names, derived, &side.problem), CG_OK);
    assert_non_null(target.resolved);
    assert_ptr_equal(side.config->mappings->targets->resolved, resolved);
    say(NULL, "224.0.1.188", NULL);
    cg_names_open(side.names, &side.uv);
    while (target.resolved->addr.family == CG_FAMILY_NONE) uv_run(&side.uv, UV_RUN_ONCE);
    turn_until(&side, 0, "224.0.1.188"); /* it is asked for again in its turn */
    cg_config_unref(derived);
    stop(&side);
}

/* The real resolver, with what it knows without asking anybody. */
static void the_systems_resolver_is_asked(void **state) {
    (void)state;
    struct side side = {0};
    static const char *const hosts[] = {"localhost"};
    uv_loop_init(&side.uv);
    side.config = make_config(hosts, 1);
    side.names = cg_names_new(&(struct cg_names_options){.retry_ms = 4});
    assert_int_equal(cg_names_attach(side.names, side.config, &side.problem), CG_OK);
    cg_names_open(side.names, &side.uv);
    while (strcmp(why_not(&side), "the name has not been looked up yet") == 0) uv_run(&side.uv, UV_RUN_ONCE);
    assert_non_null(strstr(why_not(&side), "which is not multicast"));
    stop(&side);
}

int main(void) {
    cg_log_set_level(CG_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_name_becomes_a_group_R50, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_multicast_address_counts_R50, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_is_followed_R50, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_multicast_is_refused_R50, setup, teardown),
        cmocka_unit_test_setup_teardown(a_next_hop_is_one_host, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_good_answer_stays_R50, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_looked_up_is_tried_again_R50, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hanging_resolver_holds_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(many_names_take_their_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(names_outlive_snapshots, setup, teardown),
        cmocka_unit_test_setup_teardown(a_derived_snapshot_adds_its_names, setup, teardown),
        cmocka_unit_test_setup_teardown(the_systems_resolver_is_asked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
