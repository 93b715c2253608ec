/* A CoAP client's request with every single allocation failing once, and with several in a row: it is answered, refused
 * with 5.03, or acknowledged and silent; nothing is lost, and the next request is served. */
#include "coap_desk/fake_peer.h"
#include "fake_shortage.h"

#include <sodium.h>

enum { IN_A_ROW = 5 };

struct scene {
    void *state; /* a struct desk_fixture */
    struct ask ask;
};

static struct desk_fixture *fixture_of(struct scene *scene) { return scene->state; }

static void begin(void *ctx) {
    struct scene *scene = ctx;
    assert_int_equal(desk_setup(&scene->state), 0);
    desk_start(fixture_of(scene));
}

static void answer(struct world *world, const char *from, const char *payload) {
    if (world->sent_count > 0) world_answer(world, world->sent_count - 1, from, payload);
}

static void ask(void *ctx) {
    struct desk_fixture *f = fixture_of(ctx);
    peer_ask(f, &f->peers[0], &((struct scene *)ctx)->ask);
    answer(f->world, "127.1.0.1", "on");
    world_run(f->world);
    answer(f->world, "127.1.0.2", "off");
    world_advance(f->world, 70 * SECOND);
}

static void look(void *ctx) {
    struct scene *scene = ctx;
    struct desk_fixture *f = fixture_of(scene);
    struct cg_coap_peer *peer = &f->peers[0];
    for (size_t i = 0; i < peer->said_count; i++) {
        uint8_t code = peer->said[i].code;
        assert_true(code == CG_CODE(2, 5) || code == CG_CODE(2, 31) || code == CG_CODE(5, 3));
    }
    peer->said_count = 0;
    peer_get(f, peer, "next");
    world_answer(f->world, f->world->sent_count - 1, "127.1.0.1", "on");
    world_run(f->world);
    assert_int_equal(peer->said_count, 1);
    assert_int_equal(peer->said[0].code, CG_CODE(2, 5));
    world_advance(f->world, 70 * SECOND);
    assert_int_equal(cg_coap_desk_running(f->desk), 0);
    assert_int_equal(peer->holds, 0);
    desk_teardown(&scene->state);
}

static const struct shortage_scenario scenario = {.before = begin, .act = ask, .after = look};

static void every_allocation(struct ask ask) {
    struct scene scene = {.ask = ask};
    assert_true(shortage_every(&scenario, &scene, 0) > 10);
    assert_true(shortage_every(&scenario, &scene, IN_A_ROW) > 10);
}

static void test_group_request(void **state) {
    (void)state;
    every_allocation((struct ask){.token = cg_slice_str("token"), .path = "lamps", .timeout = 2});
}

static void test_first_block(void **state) {
    (void)state;
    every_allocation((struct ask){.code = CG_PUT,
                                  .token = cg_slice_str("token"),
                                  .path = "lamps",
                                  .timeout = 2,
                                  .options = {{CG_OPT_BLOCK1, "\x08", 1}},
                                  .payload = cg_slice_str("sixteen bytes...")});
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group_request),
        cmocka_unit_test(test_first_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
