/* Observations with every single allocation failing once: what cannot be renewed goes on as it was, and can be renewed
 * afterwards. */
#include "legs/fake_owner.h"

#include "fake_shortage.h"

struct scene {
    struct world world;
    struct owner group, member, follow_up; /* owners of these */
    struct cg_cast *cast;
    struct cg_ask *ask, *shares;
};

static void begin(void *ctx) {
    struct scene *scene = ctx;
    struct world *world = &scene->world;
    world_init(world);
    owner_init(&scene->group, world);
    owner_init(&scene->member, world);
    owner_init(&scene->follow_up, world);
    scene->cast = owner_cast(&scene->group);
    scene->ask = owner_ask(&scene->member, NULL);
    notify_as(world, 1, "127.1.0.1", CG_ACK, world->sent[1].msg.mid, "on");
    assert_int_equal(scene->member.answers, 1);
    world_advance(world, 60 * SECOND);
    scene->shares = NULL;
}

static void renew(void *ctx) {
    struct scene *scene = ctx;
    struct cg_engine *engine = owner_engine(&scene->group);
    cg_cast_renew(engine, scene->cast, &scene->group.request, engine->now_us + SECOND);
    cg_ask_renew(engine, scene->ask, &scene->member.request);
    scene->shares = owner_try_ask(&scene->follow_up, &scene->cast->leg);
    world_advance(&scene->world, 60 * SECOND); /* what is not answered is said anew */
}

static void look(void *ctx) {
    struct scene *scene = ctx;
    struct world *world = &scene->world;
    struct cg_engine *engine = owner_engine(&scene->group);
    assert_int_equal(scene->group.sent - 1 + scene->group.unsent, 1);
    assert_true(scene->member.sent - 1 + scene->member.unsent >= 1); /* repeated, and new each time */
    assert_int_equal(scene->group.ended + scene->member.ended, 0);
    notify_as(world, 0, "127.1.0.7", CG_NON, 900, "off");
    assert_int_equal(scene->group.answers, 1);
    notify_as(world, 1, "127.1.0.1", CG_NON, 901, "off");
    assert_int_equal(scene->member.answers, 2);
    unsigned sent = scene->group.sent;
    cg_cast_renew(engine, scene->cast, &scene->group.request, engine->now_us + SECOND);
    assert_int_equal(scene->group.sent, sent + 1);
    bool follows_up = scene->shares != NULL && scene->follow_up.ended == 0;
    if (follows_up) cg_ask_end(engine, scene->shares);
    cg_ask_end(engine, scene->ask);
    cg_cast_end(engine, scene->cast);
    assert_null(engine->tokens.live);
    assert_int_equal(scene->group.keys.made, scene->group.keys.released);
    assert_int_equal(scene->member.keys.made, scene->member.keys.released);
    assert_int_equal(scene->follow_up.keys.made, scene->follow_up.keys.released);
    world_fini(world);
}

static const struct shortage_scenario scenario = {.before = begin, .act = renew, .after = look};

static void renewals(void **state) {
    (void)state;
    static struct scene scene;
    assert_true(shortage_every(&scenario, &scene, 0) > 5);
}

static void renewals_without_much_memory(void **state) {
    (void)state;
    static struct scene scene;
    assert_true(shortage_every(&scenario, &scene, 3) > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renewals),
        cmocka_unit_test(renewals_without_much_memory),
    };
    shortage_init();
    return cmocka_run_group_tests_name("shortage/renewal", tests, NULL, NULL);
}
