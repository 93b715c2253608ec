/* Requests to a mapping that keeps answers, with every single allocation failing once, and with several in a row: each
 * client gets a reply or 503, what is kept is whole or not there, and the next request is served. */
#include <stdio.h>

#include "exchange/fake_world.h"
#include "fake_shortage.h"

enum { IN_A_ROW = 5, CALLS = 3, MEMBERS = 2 };

struct scene {
    struct world world;
    struct call calls[CALLS];
    bool entered[CALLS];
};

static void begin(void *ctx) {
    struct scene *scene = ctx;
    world_init(&scene->world);
    struct cg_mapping *lamps = world_mapping(&scene->world, "lamps");
    world_add_members(&scene->world, lamps, MEMBERS);
    lamps->cache = true;
    scene->world.config->limits.cache = 100000;
    world_start(&scene->world);
}

/* What was sent since then is answered by both, with an entity tag each and a Max-Age of one second; or, where that is
 * asked for, by its being valid. */
static void answer_from(struct world *world, size_t first) {
    static const char *const from[MEMBERS] = {"127.1.0.1", "127.1.0.2"};
    static const uint8_t tags[MEMBERS] = {'a', 'b'}, second = 1;
    for (size_t i = first; i < world->sent_count; i++) {
        struct cg_slice asked;
        bool validates = cg_msg_find(&world->sent[i].msg, CG_OPT_ETAG, &asked);
        for (size_t m = 0; m < MEMBERS; m++) {
            const struct cg_opt list[] = {{CG_OPT_ETAG, cg_slice_of(&tags[m], 1)},
                                          {CG_OPT_MAX_AGE, cg_slice_of(&second, 1)}};
            const struct cg_opts options = {.list = (struct cg_opt *)list, .count = 2};
            world_answer_as(world, i, from[m],
                            (struct answer){.type = CG_NON,
                                            .code = validates ? CG_CODE(2, 3) : CG_CODE(2, 5),
                                            .mid = (uint16_t)(100 * i + m),
                                            .payload = validates ? "" : "on",
                                            .options = &options});
        }
    }
}

static void ask(struct scene *scene, size_t number) {
    struct world *world = &scene->world;
    struct call *call = &scene->calls[number];
    size_t sent = world->sent_count;
    scene->entered[number] = world_new(world, call, "/lamps/light") != NULL;
    if (!scene->entered[number]) return;
    world_go(world, call);
    answer_from(world, sent);
    world_run(world);
}

/* What is new, what is kept, and what is stale. */
static void act(void *ctx) {
    struct scene *scene = ctx;
    ask(scene, 0);
    ask(scene, 1);
    world_advance(&scene->world, 2 * SECOND);
    ask(scene, 2);
    world_advance(&scene->world, 100 * SECOND);
}

static void look(void *ctx) {
    struct scene *scene = ctx;
    struct world *world = &scene->world;
    struct call call;
    for (size_t i = 0; i < CALLS; i++) {
        const struct call *one = &scene->calls[i];
        if (one->problems > 0 || !scene->entered[i]) assert_int_equal(cg_err_info(one->problem.err)->http_status, 503);
        assert_int_equal(one->replies + one->problems, scene->entered[i] ? 1 : 0);
        call_fini(&scene->calls[i]);
    }
    world_get(world, &call, "/lamps/light");
    answer_from(world, world->sent_count - 1);
    world_run(world);
    assert_int_equal(call.reply.summary.answered, MEMBERS);
    assert_non_null(strstr(call.text, "\"on\""));
    call_fini(&call);
    world_advance(world, 100 * SECOND);
    assert_int_equal(world->gateway->quota.used, 0);
    world_fini(world);
}

static const struct shortage_scenario scenario = {.before = begin, .act = act, .after = look};

static void answers_that_are_kept(void **state) {
    struct scene scene = {0};
    (void)state;
    assert_true(shortage_every(&scenario, &scene, 0) > 30);
    assert_true(shortage_every(&scenario, &scene, IN_A_ROW) > 30);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_that_are_kept)};
    shortage_init();
    return cmocka_run_group_tests_name("shortage/cache", tests, NULL, NULL);
}
