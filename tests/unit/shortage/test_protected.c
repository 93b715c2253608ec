/* A protected exchange with every single allocation failing once, OpenSSL's among them: sealed or 503, never plain, and
 * the next request is served. */
#include "protectors/fake_room.h"
#include "fake_shortage.h"

struct scene {
    struct room room;
    struct style style;
    bool entered;
};

static void begin(void *ctx) {
    struct scene *scene = ctx;
    room_init(&scene->room, fake_group_usual, CG_FINISH_ALL);
}

static void ask(void *ctx) {
    struct scene *scene = ctx;
    struct side *side = &scene->room.side;
    struct world *world = &side->world;
    scene->entered = world_new(world, &side->call, "/lamps/x") != NULL;
    if (!scene->entered) return;
    world_go(world, &side->call);
    while (side->store.count > 0) fake_store_grant(&side->store);
    side_settle(side);
    for (int i = 1; i <= LAMPS && world->sent_count > 0; i++) {
        shortage_pause();
        struct reception reception = room_receive(&scene->room, i, 0);
        struct answer_bytes bytes = room_seal(&scene->room, i, &reception, "on", scene->style);
        shortage_resume();
        side_deliver(side, i, &bytes);
        side_settle(side);
    }
    world_advance(world, 100 * SECOND);
}

static void assert_nothing_plain(const struct world *world) {
    struct cg_slice value;
    for (size_t i = 0; i < world->sent_count; i++) {
        assert_true(cg_msg_find(&world->sent[i].msg, CG_OPT_OSCORE, &value));
    }
}

static void look(void *ctx) {
    struct scene *scene = ctx;
    struct side *side = &scene->room.side;
    if (side->call.problems > 0 || !scene->entered)
        assert_int_equal(cg_err_info(side->call.problem.err)->http_status, 503);
    assert_int_equal(side->call.replies + side->call.problems, scene->entered ? 1 : 0);
    assert_nothing_plain(&side->world);
    size_t sent = side_get(side);
    for (int i = 1; i <= LAMPS; i++) room_answer(&scene->room, i, sent, "on", (struct style){0});
    side_settle(side);
    assert_counts(side_reply(side), LAMPS, 0);
    for (int i = 1; i <= LAMPS; i++) lamp_fini(&scene->room.lamps[i]);
    side_fini(side);
}

static const struct shortage_scenario scenario = {.before = begin, .act = ask, .after = look};

static void answers_in_group_mode(void **state) {
    (void)state;
    static struct scene scene;
    assert_true(shortage_every(&scenario, &scene, 0) > 20);
}

static void answers_in_pairwise_mode(void **state) {
    (void)state;
    static struct scene scene = {.style = {.pairwise = true}};
    assert_true(shortage_every(&scenario, &scene, 0) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_group_mode),
        cmocka_unit_test(answers_in_pairwise_mode),
    };
    shortage_init();
    return cmocka_run_group_tests_name("shortage/protected", tests, NULL, NULL);
}
