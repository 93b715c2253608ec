/* A whole exchange with every single allocation failing once, and with several in a row: the client gets a reply or
 * 503, nothing is lost, and the next request is served. */
#include <stdio.h>

#include "exchange/fake_world.h"
#include "fake_shortage.h"

enum { IN_A_ROW = 5 };

struct scene {
    struct world world;
    struct call call;
    const struct castgate_encoder *encoder;
    unsigned members; /* configured; the last one is silent until it is asked by unicast */
    bool is_large;    /* the request goes to each of them in blocks */
    bool repairs; /* with an interface that may send little; most members are silent, and the group is asked again */
    bool probes;  /* silent members are asked why they are */
    bool entered;
};

static uint32_t only_link(void *ctx, const char *interface) {
    (void)ctx, (void)interface;
    return 1;
}

static void bind(struct world *world) {
    struct cg_group_settings *group = &world->config->group;
    world->port.zone = only_link;
    group->send_budget_count = 1;
    group->send_budgets = cg_arena_zalloc(&world->config->arena, sizeof *group->send_budgets);
    group->send_budgets[0] = (struct cg_send_budget_settings){.interface = "lo", .requests = 4, .seconds = 1};
}

static void begin(void *ctx) {
    struct scene *scene = ctx;
    world_init(&scene->world);
    scene->world.probes = scene->probes;
    if (scene->repairs || scene->probes) {
        bind(&scene->world);
        world_mapping(&scene->world, "lamps")->leisure = 1;
        world_mapping(&scene->world, "lamps")->timeout_us = 20 * SECOND;
    }
    world_mapping(&scene->world, "lamps")->repair_unicast = scene->repairs;
    if (scene->members > 0) world_add_members(&scene->world, world_mapping(&scene->world, "lamps"), scene->members);
    world_mapping(&scene->world, "lamps")->block_size = scene->is_large ? 16 : 0;
    world_mapping(&scene->world, "lamps")->repair_large_requests = scene->is_large;
    world_start(&scene->world);
}

static void answer(struct world *world, const char *from, const char *payload) {
    shortage_pause();
    size_t sent = world->sent_count;
    shortage_resume();
    if (sent > 0) world_answer(world, sent - 1, from, payload);
}

/* What each block that has gone out until now is answered with. */
static void take_blocks(struct world *world, size_t *at) {
    struct cg_opt opt = {.number = CG_OPT_BLOCK1};
    const struct cg_opts options = {.list = &opt, .count = 1};
    for (size_t sent = world->sent_count; *at < sent; ++*at) {
        const struct cg_msg *msg = &world->sent[*at].msg;
        char from[CG_ADDR_TEXT_MAX];
        shortage_pause();
        bool is_block = cg_msg_find(msg, CG_OPT_BLOCK1, &opt.value);
        cg_addr_emit_ip(&world->sent[*at].route.to, from);
        shortage_resume();
        if (!is_block) continue;
        bool more = opt.value.data[opt.value.len - 1] & 8;
        world_answer_as(
            world, *at, from,
            (struct answer){
                .type = CG_ACK, .code = more ? CG_CODE(2, 31) : CG_CODE(2, 4), .mid = msg->mid, .options = &options});
    }
}

static void send_blocks(struct scene *scene, struct cg_request *request) {
    struct world *world = &scene->world;
    size_t at = 0;
    request->method = CG_PUT;
    request->payload = cg_slice_str("0123456789abcdefghijklmnopqrstuvwxyz");
    world_go(world, &scene->call);
    for (unsigned times = 0; times < 4; times++) {
        world_run(world);
        take_blocks(world, &at);
    }
    world_advance(world, 100 * SECOND);
}

static void ask(void *ctx) {
    struct scene *scene = ctx;
    struct world *world = &scene->world;
    struct cg_request *request = world_new(world, &scene->call, "/lamps/light");
    scene->entered = request != NULL;
    if (!scene->entered) return;
    scene->call.encoder = scene->encoder;
    if (scene->is_large) {
        send_blocks(scene, request);
        return;
    }
    world_go(world, &scene->call);
    answer(world, "127.1.0.1", "{\"on\":true}");
    world_run(world);
    answer(world, "127.1.0.2", "off");
    answer(world, "127.1.0.2", "on"); /* before anybody has taken the first */
    world_advance(world, 2 * SECOND);
    answer(world, "127.1.0.3", "late");
    world_advance(world, 100 * SECOND);
}

static void assert_is_503(const struct cg_problem *problem) {
    assert_int_equal(cg_err_info(problem->err)->http_status, 503);
}

static void assert_served(struct world *world) {
    struct call call;
    world_get(world, &call, "/lamps/light");
    world_answer(world, world->sent_count - 1, "127.1.0.1", "on");
    world_advance(world, 100 * SECOND);
    assert_int_equal(call.replies, 1);
    assert_non_null(strstr(call.text, "\"answered\":1"));
    call_fini(&call);
}

static void look(void *ctx) {
    struct scene *scene = ctx;
    const struct call *call = &scene->call;
    if (call->problems > 0 || !scene->entered) assert_is_503(&call->problem);
    assert_int_equal(call->replies + call->problems, scene->entered ? 1 : 0);
    call_fini(&scene->call);
    assert_served(&scene->world);
    assert_int_equal(scene->world.gateway->quota.used, 0);
    assert_int_equal(cg_gateway_running(scene->world.gateway), 0);
    world_fini(&scene->world);
}

static const struct shortage_scenario scenario = {.before = begin, .act = ask, .after = look};

static void every_allocation(struct scene scene) {
    assert_true(shortage_every(&scenario, &scene, 0) > 10);
    assert_true(shortage_every(&scenario, &scene, IN_A_ROW) > 10);
}

static void a_reply_as_json(void **state) {
    (void)state;
    every_allocation((struct scene){.encoder = cg_plugin_json.ops.encoder});
}

static void a_reply_in_parts(void **state) {
    (void)state;
    every_allocation((struct scene){.encoder = cg_plugin_mixed.ops.encoder});
}

static void a_stream_of_events(void **state) {
    (void)state;
    every_allocation((struct scene){.encoder = cg_plugin_sse.ops.encoder});
}

static void a_silent_member_that_is_asked(void **state) {
    (void)state;
    every_allocation((struct scene){.encoder = cg_plugin_json.ops.encoder, .members = 3});
}

static void a_single_member(void **state) {
    (void)state;
    every_allocation((struct scene){.encoder = cg_plugin_json.ops.encoder, .members = 1});
}

static void a_silent_group_that_is_asked_again(void **state) {
    (void)state;
    every_allocation((struct scene){.encoder = cg_plugin_json.ops.encoder, .members = 9, .repairs = true});
}

static void a_silent_group_that_is_asked_why(void **state) {
    (void)state;
    every_allocation((struct scene){.encoder = cg_plugin_json.ops.encoder, .members = 9, .probes = true});
}

static void a_large_request_to_each_member(void **state) {
    (void)state;
    every_allocation((struct scene){.encoder = cg_plugin_json.ops.encoder, .members = 2, .is_large = true});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_as_json),
        cmocka_unit_test(a_reply_in_parts),
        cmocka_unit_test(a_stream_of_events),
        cmocka_unit_test(a_silent_member_that_is_asked),
        cmocka_unit_test(a_single_member),
        cmocka_unit_test(a_large_request_to_each_member),
        cmocka_unit_test(a_silent_group_that_is_asked_again),
        cmocka_unit_test(a_silent_group_that_is_asked_why),
    };
    shortage_init();
    return cmocka_run_group_tests_name("shortage/exchange", tests, NULL, NULL);
}
