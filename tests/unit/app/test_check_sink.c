/* What --check hears of its request: a line for each who answered, what was refused and why, and who is silent. */
#include "app/check/sink.h"
#include "exchange/fake_world.h"

struct scene {
    struct world *world;
    struct cg_check_sink sink;
    struct cg_check_result heard;
    unsigned ends;
    enum cg_sink_end how;
};

static void on_over(void *ctx, enum cg_sink_end how) {
    struct scene *scene = ctx;
    scene->ends++;
    scene->how = how;
}

static void begin(struct scene *scene, void **state) {
    struct call call;
    *scene = (struct scene){.world = *state};
    cg_check_result_init(&scene->heard);
    cg_check_sink_init(&scene->sink, &scene->heard, 1500000, on_over, scene);
    assert_non_null(world_new(scene->world, &call, "/lamps"));
    cg_gateway_start(scene->world->gateway, call.ticket, &scene->sink.sink, scene->world->now_us);
    world_run(scene->world);
}

static void assert_lines(const struct cg_buf *lines, const char *wanted) {
    if (!cg_slice_is(cg_buf_slice(lines), wanted)) fail_msg("%.*s", (int)lines->len, (const char *)lines->data);
}

static void answers_are_lines(void **state) {
    struct scene scene;
    begin(&scene, state);
    world_advance(scene.world, 3000);
    world_answer(scene.world, 0, "127.1.0.1", "on");
    world_answer(scene.world, 0, "127.1.0.2", "off");
    assert_int_equal(scene.ends, 0);
    world_advance(scene.world, 2 * SECOND);
    assert_int_equal(scene.ends, 1);
    assert_int_equal(scene.how, CG_SINK_DONE);
    assert_int_equal(scene.heard.problem.err, 0);
    assert_int_equal(scene.heard.answered, 2);
    assert_lines(&scene.heard.answers, "127.1.0.1:5683           2.05      3 ms  not verified, 2 bytes\n"
                                       "127.1.0.2:5683           2.05      3 ms  not verified, 3 bytes\n");
    assert_lines(&scene.heard.rejections, "");
    cg_check_result_fini(&scene.heard);
}

/* What a stranger says cannot draw on the terminal. */
static void rejections_are_lines_in_printable_letters(void **state) {
    struct scene scene;
    uint8_t bytes[32];
    begin(&scene, state);
    const struct cg_token *token = &scene.world->sent[0].msg.token;
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, 0x84, 1, *token);
    cg_msg_put_opt(&writer, 9, CG_SLICE_NONE); /* OSCORE, in answer to a plain request */
    cg_msg_put_payload(&writer, cg_slice_str("no \033[2J\xc3\xa4"));
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    world_deliver(scene.world, "127.1.0.9", bytes, (size_t)len);
    world_advance(scene.world, 2 * SECOND);
    assert_int_equal(scene.heard.rejected, 1);
    const struct cg_check_kind *first;
    assert_int_equal(cg_check_result_rejected(&scene.heard, "bad-option", &first), 1);
    assert_string_equal(first->from, "127.1.0.9:5683");
    assert_true(scene.heard.rejections.len > 0);
    for (size_t i = 0; i + 1 < scene.heard.rejections.len; i++) {
        uint8_t byte = scene.heard.rejections.data[i];
        assert_true(byte >= ' ' && byte <= '~');
    }
    cg_check_result_fini(&scene.heard);
}

/* Clients of the mapping wait for 1.5 s. */
static void answers_that_clients_would_miss_are_counted(void **state) {
    struct scene scene;
    begin(&scene, state);
    world_advance(scene.world, 1400000);
    world_answer(scene.world, 0, "127.1.0.1", "on");
    world_advance(scene.world, 300000);
    world_answer(scene.world, 0, "127.1.0.2", "off");
    world_advance(scene.world, 2 * SECOND);
    assert_int_equal(scene.heard.answered, 2);
    assert_int_equal(scene.heard.over_time, 1);
    assert_int_equal(scene.heard.latest_ms, 1700);
    assert_int_equal(scene.heard.strangers, 0); /* nobody is configured */
    cg_check_result_fini(&scene.heard);
}

static void who_answers_and_is_not_configured_is_a_stranger(void **state) {
    struct world *world = *state;
    struct scene scene;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    begin(&scene, state);
    world_answer(world, 0, "127.1.0.2", "on");
    world_answer(world, 0, "127.9.9.9", "on");
    world_advance(world, 3 * SECOND);
    assert_int_equal(scene.heard.answered, 2);
    assert_int_equal(scene.heard.strangers, 1);
    cg_check_result_fini(&scene.heard);
}

static void who_is_silent_can_be_asked_why(void **state) {
    struct world *world = *state;
    struct scene scene;
    world_add_members(world, world_mapping(world, "lamps"), 3);
    begin(&scene, state);
    world_answer(world, 0, "127.1.0.2", "on");
    world_advance(world, 3 * SECOND);
    assert_int_equal(scene.heard.silent_count, 2);
    struct cg_addr first = address("127.1.0.1");
    assert_true(cg_addr_equal(&scene.heard.silent[0].addr, &first));
    assert_int_equal(scene.heard.missing, 2);
    cg_check_result_fini(&scene.heard);
}

static void a_request_that_does_not_go_out_has_a_problem(void **state) {
    struct world *world = *state;
    struct scene scene;
    world->emit_error = CG_E_EMIT;
    begin(&scene, state);
    world_advance(world, 3 * SECOND);
    assert_int_equal(scene.ends, 1);
    assert_int_equal(scene.heard.problem.err, CG_E_EMIT);
    assert_lines(&scene.heard.answers, "");
    cg_check_result_fini(&scene.heard);
}

static void nobody_is_told_when_nobody_listens(void **state) {
    struct scene scene;
    begin(&scene, state);
    world_renew(scene.world); /* the gateway goes */
    assert_int_equal(scene.ends, 1);
    assert_int_equal(scene.how, CG_SINK_LEFT);
    assert_int_equal(scene.heard.answered, 0);
    cg_check_result_fini(&scene.heard);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(answers_are_lines),
        world_test(rejections_are_lines_in_printable_letters),
        world_test(answers_that_clients_would_miss_are_counted),
        world_test(who_answers_and_is_not_configured_is_a_stranger),
        world_test(who_is_silent_can_be_asked_why),
        world_test(a_request_that_does_not_go_out_has_a_problem),
        world_test(nobody_is_told_when_nobody_listens),
    };
    return cmocka_run_group_tests_name("app/check sink", tests, NULL, NULL);
}
