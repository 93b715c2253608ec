/* Reactions, in a whole core with a fake clock: a fire (R25), and what must not follow an alert. */
#include "jobs/reactions.h"

#include <stdio.h>
#include <string.h>

#include "exchange/fake_world.h"
#include "model/reaction.h"

/* The sensors' group 1 commands doors (group 2, "lamps") and extinguishers (group 3, "pair"). */
struct scene {
    struct world world;
    struct cg_command commands[2];
    struct cg_reaction reactions[2];
    const char *from[2];
    struct cg_reactions *job;
    uint64_t number;
};

static struct cg_command command(const char *mapping, const char *whole, const char *body) {
    return (struct cg_command){
        .mapping = mapping, .method = CG_PUT, .path = "/state", .whole = cg_slice_str(whole), .body = body};
}

static void open_to_commands(struct world *world, const char *name) {
    struct cg_mapping *mapping = world_mapping(world, name);
    mapping->methods = CG_METHOD_BIT(CG_PUT);
    mapping->unsafe_methods = true;
    mapping->grant_count = 0; /* no client may use it */
}

static int setup(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    if (scene == NULL) return -1;
    world_init(&scene->world);
    open_to_commands(&scene->world, "lamps");
    open_to_commands(&scene->world, "pair");
    struct cg_mapping *pair = world_mapping(&scene->world, "pair");
    pair->targets++; /* the other group alone */
    pair->target_count = 1;
    scene->commands[0] = command("lamps", "/lamps/state", "open");
    scene->commands[1] = command("pair", "/pair/state", "spray");
    scene->from[0] = "sensor-1";
    scene->from[1] = "sensor-2";
    scene->reactions[0] = (struct cg_reaction){
        .name = "fire",
        .when = {.group = "floor1", .path = "/fire", .method = CG_POST, .from = scene->from, .from_count = 2},
        .commands = scene->commands,
        .command_count = 2,
        .requests_per_minute = 60};
    scene->world.config->reactions = scene->reactions;
    scene->world.config->reaction_count = 1;
    *state = scene;
    return 0;
}

static int teardown(void **state) {
    struct scene *scene = *state;
    cg_reactions_close(scene->job);
    world_fini(&scene->world);
    cg_reactions_free(scene->job);
    free(scene);
    return 0;
}

#define scene_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void start(struct scene *scene) {
    world_start(&scene->world);
    world_run(&scene->world);
    scene->job = cg_reactions_new(scene->world.gateway);
    assert_non_null(scene->job);
}

static struct cg_alert alert_of(struct scene *scene) {
    return (struct cg_alert){.group = "floor1",
                             .member = "sensor-1",
                             .kid = cg_slice_str("\x01"),
                             .method = CG_POST,
                             .path = cg_slice_str("/fire"),
                             .payload = cg_slice_str("close"),
                             .number = ++scene->number,
                             .arrival_us = scene->world.now_us};
}

static void tell(struct scene *scene, const struct cg_alert *alert) {
    struct cg_alert_hearer *hearer = cg_reactions_hearer(scene->job);
    hearer->hear(hearer, alert);
}

static void raise_alarm(struct scene *scene) {
    const struct cg_alert alert = alert_of(scene);
    tell(scene, &alert);
}

static void assert_figures(const struct scene *scene, const char *wanted) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_reactions_metrics(scene->job, &text);
    cg_buf_put_u8(&text, 0);
    assert_false(text.failed);
    if (strstr((const char *)text.data, wanted) == NULL) fail_msg("%s is not in\n%s", wanted, (const char *)text.data);
    cg_buf_fini(&text);
}

static void assert_sent(const struct scene *scene, size_t index, unsigned group, const char *body) {
    const struct emission *sent = &scene->world.sent[index];
    struct cg_slice value;
    assert_int_equal(sent->route.to.ip[3], group);
    assert_int_equal(sent->msg.code, CG_PUT);
    assert_int_equal(sent->msg.type, CG_NON);
    assert_true(cg_slice_is(sent->msg.payload, body));
    assert_true(cg_msg_find(&sent->msg, CG_OPT_URI_PATH, &value));
}

/* R25: exactly two multicasts, in one turn of the clock. */
static void an_alert_commands_both_groups_in_the_same_turn(void **state) {
    struct scene *scene = *state;
    start(scene);
    const uint64_t now_us = scene->world.now_us;
    raise_alarm(scene);
    assert_int_equal(scene->world.sent_count, 2);
    assert_sent(scene, 0, 187, "open");
    assert_sent(scene, 1, 188, "spray");
    assert_int_equal(scene->world.sent[0].at_us, now_us);
    assert_int_equal(scene->world.sent[1].at_us, now_us);
    world_advance(&scene->world, 100 * SECOND);
    assert_int_equal(scene->world.sent_count, 2);
    assert_int_equal(cg_gateway_running(scene->world.gateway), 0);
    assert_figures(scene, "{reaction=\"fire\",outcome=\"no-answer\"} 2\n");
}

static void what_members_answer_is_counted(void **state) {
    struct scene *scene = *state;
    start(scene);
    raise_alarm(scene);
    world_answer(&scene->world, 0, "127.1.0.1:5683", "");
    world_answer(&scene->world, 0, "127.1.0.2:5683", "");
    world_advance(&scene->world, 10 * SECOND);
    assert_figures(scene, "outcome=\"answered\"} 1\n");
    assert_figures(scene, "outcome=\"no-answer\"} 1\n");
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_reactions_put_json(scene->job, &text);
    cg_buf_put_u8(&text, 0);
    assert_non_null(strstr((const char *)text.data, "{\"name\":\"fire\",\"alerts\":1,\"running\":0,\"answered\":1,"));
    cg_buf_fini(&text);
}

/* R24: none of these is a fire. */
static void other_alerts_command_nobody(void **state) {
    struct scene *scene = *state;
    start(scene);
    struct cg_alert alert = alert_of(scene);
    alert.group = "floor2";
    tell(scene, &alert);
    alert = alert_of(scene);
    alert.member = "lamp-7"; /* may not */
    tell(scene, &alert);
    alert = alert_of(scene);
    alert.method = CG_PUT;
    tell(scene, &alert);
    alert = alert_of(scene);
    alert.path = cg_slice_str("/fire/drill");
    tell(scene, &alert);
    alert = alert_of(scene);
    alert.path = cg_slice_str("/fir");
    tell(scene, &alert);
    world_advance(&scene->world, 10 * SECOND);
    assert_int_equal(scene->world.sent_count, 0);
}

static void whoever_of_the_group_may_where_nobody_is_named(void **state) {
    struct scene *scene = *state;
    scene->reactions[0].when.from_count = 0;
    start(scene);
    struct cg_alert alert = alert_of(scene);
    alert.member = "lamp-7";
    tell(scene, &alert);
    assert_int_equal(scene->world.sent_count, 2);
}

static void reactions_go_in_the_order_of_the_settings(void **state) {
    struct scene *scene = *state;
    scene->reactions[1] = scene->reactions[0];
    scene->reactions[1].name = "second";
    scene->reactions[1].commands = &scene->commands[1];
    scene->reactions[1].command_count = 1;
    scene->reactions[0].command_count = 1;
    scene->world.config->reaction_count = 2;
    start(scene);
    raise_alarm(scene);
    assert_int_equal(scene->world.sent_count, 2);
    assert_sent(scene, 0, 187, "open");
    assert_sent(scene, 1, 188, "spray");
}

/* A command that cannot be given keeps no other from being given. */
static void methods_of_the_mapping_bind(void **state) {
    struct scene *scene = *state;
    world_mapping(&scene->world, "lamps")->methods = CG_METHOD_BIT(CG_GET);
    start(scene);
    raise_alarm(scene);
    assert_int_equal(scene->world.sent_count, 1);
    assert_sent(scene, 0, 188, "spray");
    assert_figures(scene, "outcome=\"refused\"} 1\n");
}

static void the_mappings_budget_binds(void **state) {
    struct scene *scene = *state;
    world_mapping(&scene->world, "lamps")->requests_per_minute = 1;
    scene->world.config->group.nstart = 100;
    start(scene);
    raise_alarm(scene);
    raise_alarm(scene);
    assert_int_equal(scene->world.sent_count, 3);
    assert_figures(scene, "outcome=\"refused\"} 1\n");
}

static void beyond_its_rate_a_reaction_gives_no_command(void **state) {
    struct scene *scene = *state;
    scene->reactions[0].requests_per_minute = 5;
    scene->world.config->group.nstart = 100;
    start(scene);
    for (unsigned i = 0; i < 4; i++) raise_alarm(scene);
    assert_int_equal(scene->world.sent_count, 4); /* five would be a half of the third */
    assert_figures(scene, "outcome=\"rate-limited\"} 4\n");
    world_advance(&scene->world, 60 * SECOND);
    raise_alarm(scene);
    assert_int_equal(scene->world.sent_count, 6);
}

static void another_mapping_at_a_longer_path_is_not_meant(void **state) {
    struct scene *scene = *state;
    world_mapping(&scene->world, "pair")->path = "/lamps/state";
    scene->reactions[0].command_count = 1;
    start(scene);
    raise_alarm(scene);
    assert_int_equal(scene->world.sent_count, 1);
    assert_sent(scene, 0, 187, "open");
}

static void exchanges_of_clients_leave_room(void **state) {
    struct scene *scene = *state;
    struct call call;
    scene->world.config->limits.exchanges = 1;
    world_mapping(&scene->world, "pair")->grant_count = 1;
    start(scene);
    assert_non_null(world_new(&scene->world, &call, "/pair"));
    raise_alarm(scene);
    assert_int_equal(scene->world.sent_count, 2);
    struct call other;
    assert_null(world_new(&scene->world, &other, "/pair")); /* nor does a reaction make room for clients */
    assert_int_equal(other.problem.err, CG_E_OVERLOAD);
    cg_gateway_abandon(scene->world.gateway, call.ticket);
    world_run(&scene->world);
    assert_non_null(world_new(&scene->world, &other, "/pair"));
    cg_gateway_abandon(scene->world.gateway, other.ticket);
}

static void a_reaction_has_exchanges_of_its_own_and_no_more(void **state) {
    struct scene *scene = *state;
    scene->reactions[0].requests_per_minute = 1000;
    scene->world.config->group.nstart = 1000;
    scene->world.config->limits.exchanges_per_client = 6;
    start(scene);
    for (unsigned i = 0; i < 5; i++) raise_alarm(scene);
    assert_int_equal(scene->world.sent_count, 6);
    assert_figures(scene, "outcome=\"refused\"} 4\n");
}

/* One reaction that alerts keep busy holds no other up as long as there is room for anybody. */
static void beyond_the_reserve_a_command_takes_a_clients_place(void **state) {
    struct scene *scene = *state;
    struct cg_limits *limits = &scene->world.config->limits;
    scene->reactions[0].requests_per_minute = 1000;
    scene->world.config->group.nstart = 1000;
    limits->exchanges = 2;
    limits->exchanges_per_client = 1000;
    start(scene);
    for (unsigned i = 0; i < CG_RESERVED_EXCHANGES / 2 + 1; i++) raise_alarm(scene);
    assert_int_equal(cg_gateway_running(scene->world.gateway), CG_RESERVED_EXCHANGES + 2);
    assert_figures(scene, "outcome=\"refused\"} 0\n");
    raise_alarm(scene);
    assert_figures(scene, "outcome=\"refused\"} 2\n");
}

/* However many clients wait for the group's turn. */
static void a_command_goes_before_what_clients_wait_for(void **state) {
    struct scene *scene = *state;
    struct call calls[5];
    scene->reactions[0].command_count = 1;
    world_mapping(&scene->world, "lamps")->methods |= CG_METHOD_BIT(CG_GET);
    world_mapping(&scene->world, "lamps")->grant_count = 1;
    start(scene);
    for (size_t i = 0; i < 5; i++) {
        struct cg_request *request = world_new(&scene->world, &calls[i], "/lamps/x");
        char query[8];
        snprintf(query, sizeof query, "i=%zu", i);
        request->query = cg_arena_copy(cg_gateway_arena(scene->world.gateway, calls[i].ticket), cg_slice_str(query));
        request->from = address("192.0.2.1");
        request->from.ip[3] = (uint8_t)i;
        world_go(&scene->world, &calls[i]);
    }
    assert_int_equal(scene->world.sent_count, 1); /* NSTART: the others wait */
    raise_alarm(scene);
    assert_int_equal(scene->world.sent_count, 1);
    world_answer(&scene->world, 0, "127.1.0.1:5683", "on");
    world_run(&scene->world);
    assert_int_equal(scene->world.sent_count, 2);
    assert_sent(scene, 1, 187, "open");
}

static void what_runs_ends_with_its_reaction(void **state) {
    struct scene *scene = *state;
    start(scene);
    raise_alarm(scene);
    assert_int_equal(cg_gateway_running(scene->world.gateway), 2);
    struct world fresh = {0};
    world_init(&fresh);
    open_to_commands(&fresh, "lamps");
    open_to_commands(&fresh, "pair");
    assert_int_equal(cg_config_index(fresh.config), CG_OK);
    cg_gateway_adopt(scene->world.gateway, fresh.config);
    cg_reactions_look(scene->job);
    world_run(&scene->world);
    assert_int_equal(cg_gateway_running(scene->world.gateway), 0);
    assert_figures(scene, "outcome=\"refused\"} 2\n");
    cg_reactions_look(scene->job); /* and then it is forgotten */
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_reactions_put_json(scene->job, &text);
    assert_true(cg_slice_is(cg_buf_slice(&text), "[]"));
    cg_buf_fini(&text);
    world_fini(&fresh);
}

static void nothing_begins_after_the_end(void **state) {
    struct scene *scene = *state;
    start(scene);
    raise_alarm(scene);
    cg_reactions_close(scene->job);
    raise_alarm(scene);
    assert_int_equal(scene->world.sent_count, 2);
    world_run(&scene->world);
    assert_int_equal(cg_gateway_running(scene->world.gateway), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scene_test(an_alert_commands_both_groups_in_the_same_turn),
        scene_test(what_members_answer_is_counted),
        scene_test(other_alerts_command_nobody),
        scene_test(whoever_of_the_group_may_where_nobody_is_named),
        scene_test(reactions_go_in_the_order_of_the_settings),
        scene_test(methods_of_the_mapping_bind),
        scene_test(the_mappings_budget_binds),
        scene_test(beyond_its_rate_a_reaction_gives_no_command),
        scene_test(another_mapping_at_a_longer_path_is_not_meant),
        scene_test(exchanges_of_clients_leave_room),
        scene_test(a_reaction_has_exchanges_of_its_own_and_no_more),
        scene_test(beyond_the_reserve_a_command_takes_a_clients_place),
        scene_test(a_command_goes_before_what_clients_wait_for),
        scene_test(what_runs_ends_with_its_reaction),
        scene_test(nothing_begins_after_the_end),
    };
    return cmocka_run_group_tests_name("jobs/reactions", tests, NULL, NULL);
}
