/* Warming, in a whole core with a fake clock: who is asked, when, and that nobody waits because of it. */
#include "jobs/warming.h"

#include <stdio.h>
#include <string.h>

#include "base/container.h"
#include "builtin.h"
#include "exchange/fake_world.h"

enum { MEMBERS = 4, START = 4 /* seconds in which it begins */ };

/* Protects nothing, and is told who is cold. */
struct cold_keys {
    struct cg_protector protector;
    bool cold[MEMBERS];
};

struct scene {
    struct world world;
    struct cold_keys keys;
    struct cg_security_keys group;
    struct cg_warming *warming;
};

static const char *const identities[MEMBERS] = {"one", "two", "three", "four"};

static bool is_cold(struct cg_protector *protector, struct cg_slice identity) {
    const struct cold_keys *keys = CG_CONTAINER(protector, struct cold_keys, protector);
    for (size_t i = 0; i < MEMBERS; i++) {
        if (cg_slice_is(identity, identities[i])) return keys->cold[i];
    }
    return false;
}

/* The member at 127.1.0.N is the Nth. */
static int open_answer(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                       struct cg_opened *opened) {
    int err = cg_protector_none()->ops->open(protector, opening, job, opened);
    opened->identity = cg_slice_str(identities[opening->from.ip[3] - 1]);
    return err;
}

static struct cg_protector_ops cold_ops;

static void init_keys(struct cold_keys *keys) {
    cold_ops = *cg_protector_none()->ops;
    cold_ops.is_cold = is_cold;
    cold_ops.open = open_answer;
    *keys = (struct cold_keys){.protector = {.ops = &cold_ops, .renewals = 1}};
    for (size_t i = 0; i < MEMBERS; i++) keys->cold[i] = true;
}

static void secure(struct scene *scene, const char *name) {
    struct cg_mapping *mapping = world_mapping(&scene->world, name);
    world_add_members(&scene->world, mapping, MEMBERS);
    for (size_t i = 0; i < MEMBERS; i++) mapping->members[i].identity = cg_slice_str(identities[i]);
    mapping->keys = &scene->group;
    mapping->protector = &scene->keys.protector;
    mapping->leisure = 5;
    mapping->methods = CG_METHOD_BIT(CG_PUT);
    mapping->grant_count = 0;
}

static int setup(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    if (scene == NULL) return -1;
    world_init(&scene->world);
    init_keys(&scene->keys);
    struct cg_config *config = scene->world.config;
    scene->group = (struct cg_security_keys){.name = "floor3", .warm = true};
    config->security_groups = &scene->group;
    config->security_group_count = 1;
    HASH_ADD_KEYPTR(hh, config->security_groups_by_name, scene->group.name, 6, &scene->group);
    secure(scene, "lamps");
    *state = scene;
    return 0;
}

static int teardown(void **state) {
    struct scene *scene = *state;
    cg_warming_close(scene->warming);
    world_fini(&scene->world);
    cg_warming_free(scene->warming);
    free(scene);
    return 0;
}

#define scene_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void start(struct scene *scene) {
    world_start(&scene->world);
    world_run(&scene->world);
    scene->warming = cg_warming_new(scene->world.gateway);
    assert_non_null(scene->warming);
    cg_warming_look(scene->warming);
}

/* Until so many datagrams are out. */
static void advance_until(struct scene *scene, size_t count) {
    for (unsigned i = 0; scene->world.sent_count < count; i++) {
        assert_true(i < 600);
        world_advance(&scene->world, SECOND / 10);
    }
    assert_int_equal(scene->world.sent_count, count);
}

static bool is_multicast(const struct emission *sent) { return cg_addr_is_multicast(&sent->route.to); }

static void answer(struct scene *scene, size_t index, unsigned member) {
    char from[32];
    snprintf(from, sizeof from, "127.1.0.%u:5683", member);
    scene->keys.cold[member - 1] = false;
    world_answer(&scene->world, index, from, "on");
}

static void a_safe_request_goes_out_though_no_client_may_make_it(void **state) {
    struct scene *scene = *state;
    start(scene);
    world_run(&scene->world);
    assert_int_equal(scene->world.sent_count, 0); /* not at once */
    world_advance(&scene->world, START * SECOND);
    assert_int_equal(scene->world.sent_count, 1);
    const struct emission *sent = &scene->world.sent[0];
    struct cg_slice value;
    assert_true(is_multicast(sent));
    assert_int_equal(sent->msg.code, CG_GET);
    assert_true(cg_msg_find(&sent->msg, CG_OPT_URI_PATH, &value) && cg_slice_is(value, "base"));
    assert_true(cg_msg_find(&sent->msg, CG_OPT_NO_RESPONSE, &value) && value.len == 0);
}

static void silent_members_are_asked_by_unicast_once(void **state) {
    struct scene *scene = *state;
    start(scene);
    world_advance(&scene->world, START * SECOND);
    for (unsigned member = 1; member <= 3; member++) answer(scene, 0, member);
    advance_until(scene, 2);
    assert_false(is_multicast(&scene->world.sent[1]));
    assert_int_equal(scene->world.sent[1].route.to.ip[3], 4);
    answer(scene, 1, 4);
    world_advance(&scene->world, 600 * SECOND);
    assert_int_equal(scene->world.sent_count, 2);
    assert_int_equal(cg_gateway_running(scene->world.gateway), 0);
}

static void who_stays_silent_is_left_alone(void **state) {
    struct scene *scene = *state;
    start(scene);
    world_advance(&scene->world, 100 * SECOND);
    size_t sent = scene->world.sent_count;
    assert_true(sent > MEMBERS);
    assert_int_equal(cg_gateway_running(scene->world.gateway), 0);
    world_advance(&scene->world, 10000 * SECOND);
    assert_int_equal(scene->world.sent_count, sent);
    cg_warming_look(scene->warming); /* settings that change none of it */
    world_advance(&scene->world, 100 * SECOND);
    assert_int_equal(scene->world.sent_count, sent);
}

static void another_key_begins_it_again(void **state) {
    struct scene *scene = *state;
    start(scene);
    world_advance(&scene->world, START * SECOND);
    for (unsigned member = 1; member <= MEMBERS; member++) answer(scene, 0, member);
    world_advance(&scene->world, 100 * SECOND);
    assert_int_equal(scene->world.sent_count, 1);
    scene->keys.protector.renewals++;
    scene->keys.cold[2] = true;
    cg_warming_look(scene->warming);
    world_advance(&scene->world, START * SECOND);
    assert_true(scene->world.sent_count >= 2);
    assert_int_equal(scene->world.sent[1].route.to.ip[3], 3); /* the only one that is cold: by unicast (R6) */
}

static void another_key_in_the_middle_begins_it_again(void **state) {
    struct scene *scene = *state;
    start(scene);
    world_advance(&scene->world, START * SECOND);
    assert_int_equal(cg_gateway_running(scene->world.gateway), 1);
    scene->keys.protector.renewals++;
    cg_warming_look(scene->warming);
    world_advance(&scene->world, START * SECOND);
    assert_int_equal(scene->world.sent_count, 2);
    assert_true(is_multicast(&scene->world.sent[1]));
}

static void each_group_is_visited_once(void **state) {
    struct scene *scene = *state;
    secure(scene, "pair"); /* its first target is that of "lamps" */
    start(scene);
    assert_int_equal(cg_visits_of(scene->world.config, &scene->group)->count, 2);
    world_advance(&scene->world, START * SECOND);
    answer(scene, 0, 1);
    answer(scene, 0, 2);
    advance_until(scene, 2); /* nobody is asked by unicast: further groups may reach them */
    assert_int_equal(scene->world.sent[1].route.to.ip[3], 188);
    answer(scene, 1, 3);
    answer(scene, 1, 4);
    world_advance(&scene->world, 100 * SECOND);
    assert_int_equal(scene->world.sent_count, 2);
}

static void nobody_cold_nothing_sent(void **state) {
    struct scene *scene = *state;
    memset(scene->keys.cold, 0, sizeof scene->keys.cold);
    start(scene);
    world_advance(&scene->world, 100 * SECOND);
    assert_int_equal(scene->world.sent_count, 0);
}

static void it_is_opt_in(void **state) {
    struct scene *scene = *state;
    scene->group.warm = false;
    start(scene);
    world_advance(&scene->world, 100 * SECOND);
    assert_int_equal(scene->world.sent_count, 0);
}

static struct cg_request *client(struct scene *scene, struct call *call) {
    struct cg_request *request = world_new(&scene->world, call, "/lamps");
    request->method = CG_PUT;
    request->proof = CG_PROOF_OPERATOR;
    return request;
}

/* NSTART is 1: a silent group would hold the client up for as long as the warming lasts. */
static void it_is_broken_off_for_a_client_and_made_up_for(void **state) {
    struct scene *scene = *state;
    struct call call;
    start(scene);
    world_advance(&scene->world, START * SECOND);
    assert_int_equal(scene->world.sent_count, 1);
    client(scene, &call);
    world_go(&scene->world, &call);
    assert_int_equal(scene->world.sent_count, 1);
    world_advance(&scene->world, SECOND / 10);
    assert_int_equal(scene->world.sent_count, 2);
    assert_int_equal(scene->world.sent[1].msg.code, CG_PUT);
    for (unsigned member = 1; member <= 2; member++) answer(scene, 1, member); /* who answers a client is warm, too */
    world_advance(&scene->world, 3 * SECOND);
    assert_int_equal(scene->world.sent_count, 3);
    assert_int_equal(scene->world.sent[2].msg.code, CG_GET);
    for (unsigned member = 3; member <= 4; member++) answer(scene, 2, member);
    world_advance(&scene->world, 100 * SECOND);
    assert_int_equal(scene->world.sent_count, 3);
}

static void it_begins_when_nobody_waits(void **state) {
    struct scene *scene = *state;
    struct call calls[3];
    start(scene);
    for (size_t i = 0; i < 3; i++) {
        client(scene, &calls[i]);
        world_go(&scene->world, &calls[i]);
    }
    size_t puts = 0;
    while (puts == scene->world.sent_count || scene->world.sent[puts].msg.code == CG_PUT) {
        if (puts < scene->world.sent_count) puts++;
        world_advance(&scene->world, SECOND / 10);
    }
    assert_int_equal(scene->world.sent[puts].msg.code, CG_GET);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(calls[i].replies + calls[i].problems, 1); /* whatever became of them */
}

static void what_could_not_go_out_is_tried_again(void **state) {
    struct scene *scene = *state;
    scene->world.emit_error = CG_E_STORE; /* the key is not claimed yet */
    start(scene);
    world_advance(&scene->world, 60 * SECOND);
    scene->world.emit_error = 0;
    world_advance(&scene->world, 60 * SECOND);
    assert_true(scene->world.sent_count > 0);
}

static void nothing_begins_after_its_end(void **state) {
    struct scene *scene = *state;
    start(scene);
    world_advance(&scene->world, START * SECOND);
    cg_warming_close(scene->warming);
    world_run(&scene->world);
    assert_int_equal(cg_gateway_running(scene->world.gateway), 0);
    size_t sent = scene->world.sent_count;
    scene->keys.protector.renewals++;
    cg_warming_look(scene->warming);
    world_advance(&scene->world, 100 * SECOND);
    assert_int_equal(scene->world.sent_count, sent);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scene_test(a_safe_request_goes_out_though_no_client_may_make_it),
        scene_test(silent_members_are_asked_by_unicast_once),
        scene_test(who_stays_silent_is_left_alone),
        scene_test(another_key_begins_it_again),
        scene_test(another_key_in_the_middle_begins_it_again),
        scene_test(each_group_is_visited_once),
        scene_test(nobody_cold_nothing_sent),
        scene_test(it_is_opt_in),
        scene_test(it_is_broken_off_for_a_client_and_made_up_for),
        scene_test(it_begins_when_nobody_waits),
        scene_test(what_could_not_go_out_is_tried_again),
        scene_test(nothing_begins_after_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
