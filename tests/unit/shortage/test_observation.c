/* A protected observation with every single allocation failing once: registered, renewed, followed up and notified of,
 * or not; nothing goes out plain, nothing is lost of what was there, and the next request is served. */
#include "protectors/fake_room.h"
#include "fake_shortage.h"

#include <string.h>

#include "legs/ask.h"
#include "legs/cast.h"

struct scene {
    struct room room;
    struct cg_opt observe;
    struct cg_leg_request registration;
    struct cg_cast *cast; /* NULL: none, or ended */
    struct cg_ask *ask;
};

static void on_sent(struct cg_engine *engine, struct cg_leg *leg) { (void)engine, (void)leg; }

static void on_answer(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    (void)engine, (void)leg;
    assert_int_equal(arrival->opened->verified, CASTGATE_VERIFIED_SOURCE);
}

static void on_refused(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    (void)engine, (void)leg, (void)from, (void)opened, (void)reason;
}

static void on_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    struct scene *scene = leg->owner;
    (void)engine, (void)problem;
    if (leg->kind->type == CG_CON) scene->ask = NULL;
    if (leg->kind->type == CG_NON) scene->cast = NULL;
}

static void on_unsent(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    (void)engine, (void)leg;
    assert_int_equal(cg_err_info(problem->err)->http_status, 503);
}

static bool is_wanted(const struct cg_leg *leg) {
    (void)leg;
    return true;
}

static const struct cg_leg_ops ops = {.sent = on_sent,
                                      .answer = on_answer,
                                      .challenge = on_answer,
                                      .refused = on_refused,
                                      .ended = on_ended,
                                      .unsent = on_unsent,
                                      .is_wanted = is_wanted};

static struct world *world_of(struct scene *scene) { return &scene->room.side.world; }
static struct cg_engine *engine_of(struct scene *scene) { return cg_gateway_engine(world_of(scene)->gateway); }

static struct cg_leg_order order_of(struct scene *scene) {
    struct cg_mapping *mapping = world_mapping(world_of(scene), "lamps");
    return (struct cg_leg_order){.ops = &ops,
                                 .owner = scene,
                                 .config = world_of(scene)->config,
                                 .mapping = mapping,
                                 .target = &mapping->targets[0],
                                 .request = &scene->registration};
}

static void settle(struct scene *scene) {
    struct side *side = &scene->room.side;
    for (int i = 0; i < 3; i++) {
        while (side->store.count > 0) fake_store_grant(&side->store);
        side_settle(side);
    }
}

/* That lamp hears what went out last, and says something to it twice. */
static void notify(struct scene *scene, int lamp, struct style style) {
    static struct cg_opt observe = {.number = CG_OPT_OBSERVE};
    static const struct cg_opts options = {.list = &observe, .count = 1};
    struct world *world = world_of(scene);
    shortage_pause();
    struct reception reception = room_receive(&scene->room, lamp, world->sent_count - 1);
    style.options = &options;
    struct answer_bytes bytes[2];
    for (int i = 0; i < 2; i++) bytes[i] = room_seal(&scene->room, lamp, &reception, "on", style);
    shortage_resume();
    for (int i = 0; i < 2; i++) side_deliver(&scene->room.side, lamp, &bytes[i]);
    settle(scene);
}

static void begin(void *ctx) {
    struct scene *scene = ctx;
    room_init(&scene->room, fake_group_usual, CG_FINISH_ALL);
    world_run(world_of(scene));
    scene->cast = NULL;
    scene->ask = NULL;
    scene->observe = (struct cg_opt){.number = CG_OPT_OBSERVE};
    scene->registration = (struct cg_leg_request){
        .method = CG_GET, .expects_answers = true, .observes = true, .options = {.list = &scene->observe, .count = 1}};
    struct cg_mapping *mapping = world_mapping(world_of(scene), "lamps");
    mapping->stats = cg_stats_get(cg_gateway_stats(world_of(scene)->gateway), "lamps");
}

static void renew(struct scene *scene) {
    struct world *world = world_of(scene);
    size_t sent = world->sent_count;
    cg_cast_renew(engine_of(scene), scene->cast, &scene->registration, world->now_us + 4 * SECOND);
    settle(scene);
    if (world->sent_count > sent) notify(scene, 1, (struct style){.numbered = true});
}

static void follow_up(struct scene *scene) {
    struct world *world = world_of(scene);
    struct cg_leg_order order = order_of(scene);
    struct cg_problem problem = {0};
    struct cg_addr to = address("127.1.0.2:5683");
    size_t sent = world->sent_count;
    order.shares = &scene->cast->leg;
    scene->ask = cg_ask_new(engine_of(scene), &order, &to, order.mapping->members[1].identity, &problem);
    if (scene->ask == NULL) return;
    cg_ask_go(engine_of(scene), scene->ask);
    settle(scene);
    if (world->sent_count > sent) notify(scene, 2, (struct style){.numbered = true, .pairwise = true});
}

static void observe(void *ctx) {
    struct scene *scene = ctx;
    struct world *world = world_of(scene);
    const struct cg_leg_order order = order_of(scene);
    struct cg_problem problem = {0};
    scene->cast = cg_cast_new(engine_of(scene), &order, world->now_us + 4 * SECOND, &problem);
    if (scene->cast == NULL) return;
    cg_cast_go(engine_of(scene), scene->cast);
    settle(scene);
    if (scene->cast == NULL || world->sent_count == 0) return;
    notify(scene, 1, (struct style){.numbered = true});
    renew(scene);
    follow_up(scene);
}

static void look(void *ctx) {
    struct scene *scene = ctx;
    struct side *side = &scene->room.side;
    struct cg_slice value;
    for (size_t i = 0; i < side->world.sent_count; i++)
        assert_true(cg_msg_find(&side->world.sent[i].msg, CG_OPT_OSCORE, &value));
    if (scene->ask != NULL) cg_ask_end(engine_of(scene), scene->ask);
    if (scene->cast != NULL) cg_cast_end(engine_of(scene), scene->cast);
    world_advance(&side->world, 10 * SECOND);
    size_t sent = side_get(side);
    for (int i = 1; i <= LAMPS; i++) room_answer(&scene->room, i, sent, "on", (struct style){0});
    side_settle(side);
    assert_counts(side_reply(side), LAMPS, 0);
    for (int i = 1; i <= LAMPS; i++) lamp_fini(&scene->room.lamps[i]);
    side_fini(side);
}

static const struct shortage_scenario scenario = {.before = begin, .act = observe, .after = look};

static void it_is_registered_renewed_and_followed_up_or_not(void **state) {
    (void)state;
    static struct scene scene;
    assert_true(shortage_every(&scenario, &scene, 0) > 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_registered_renewed_and_followed_up_or_not)};
    shortage_init();
    return cmocka_run_group_tests_name("shortage/observation", tests, NULL, NULL);
}
