/* Requests that clients protect for the gateway, with every single allocation failing once, and with several in a row:
 * a context that cannot be made, a layer that cannot be opened or an answer that cannot be sealed is refused or
 * ignored, nothing is lost, no number is used twice, and the next request is served. */
#include "fake_shortage.h"
#include "fronts_coap/fake_shield.h"

#include <sodium.h>

enum { IN_A_ROW = 5 };

struct scene {
    void *state; /* a struct side */
    struct datagram inner, sealed;
};

static struct side *side_of(void *ctx) { return ((struct scene *)ctx)->state; }

/* ---- The first request of a client ---- */

static void begin_unmet(void *ctx) {
    struct scene *scene = ctx;
    assert_int_equal(shield_setup(&scene->state), 0);
    shield_compose(side_of(ctx), CG_SLICE_NONE, &scene->sealed);
}

static void ask(void *ctx) { shield_bring(side_of(ctx), &((struct scene *)ctx)->sealed, "t"); }

static void look(void *ctx) {
    struct side *side = side_of(ctx);
    assert_true(side->said_count <= 1);
    assert_int_equal(side->heard_count, 0);
    shield_meet(side);
    assert_int_equal(side->heard_count, 1);
    assert_int_equal(side->outer.holds, 0);
    shield_teardown(&((struct scene *)ctx)->state);
}

static void test_first_request(void **state) {
    static const struct shortage_scenario scenario = {.before = begin_unmet, .act = ask, .after = look};
    static struct scene scene;
    (void)state;
    assert_true(shortage_every(&scenario, &scene, 0) > 10);
    assert_true(shortage_every(&scenario, &scene, IN_A_ROW) > 10);
}

/* ---- Two layers, and answers that come later ---- */

static void begin_met(void *ctx) {
    struct scene *scene = ctx;
    struct cg_oscore_binding outside;
    assert_int_equal(shield_setup(&scene->state), 0);
    struct side *side = side_of(ctx);
    shield_meet_hop(side);
    shield_meet(side);
    side->said_count = side->heard_count = 0;
    side->answers = false;
    shield_compose(side, CG_SLICE_NONE, &scene->inner);
    shield_wrap(&side->owners[1], &scene->inner.msg, &scene->sealed, &outside);
}

static void ask_and_answer(void *ctx) {
    const struct cg_coap_message response = {
        .code = CG_CODE(2, 5), .token = cg_slice_str("t"), .payload = cg_slice_str("on")};
    struct side *side = side_of(ctx);
    ask(ctx);
    for (size_t i = 0; side->held != NULL && i < 2; i++) (void)!cg_coap_peer_send(side->held, &response, CG_NON);
}

static void look_at_answers(void *ctx) {
    struct side *side = side_of(ctx);
    struct datagram plain;
    if (side->held != NULL) cg_coap_peer_release_for(side->held, cg_slice_str("t"));
    assert_int_equal(side->outer.holds, 0);
    side->answers = true;
    side->said_count = 0;
    shield_compose(side, CG_SLICE_NONE, &((struct scene *)ctx)->sealed);
    ask(ctx);
    shield_open(side, shield_last(side), &plain);
    assert_int_equal(plain.msg.code, CG_CODE(2, 5));
    shield_teardown(&((struct scene *)ctx)->state);
}

static void test_layers_and_later_answers(void **state) {
    static const struct shortage_scenario scenario = {
        .before = begin_met, .act = ask_and_answer, .after = look_at_answers};
    static struct scene scene;
    (void)state;
    assert_true(shortage_every(&scenario, &scene, 0) > 5);
    assert_true(shortage_every(&scenario, &scene, IN_A_ROW) > 5);
}

int main(void) {
    if (sodium_init() < 0) return 1;
    shortage_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_request),
        cmocka_unit_test(test_layers_and_later_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
