/* What becomes of a request with Block options before anybody is asked. */
#include "exchange/fake_world.h"

#include <string.h>

#include "fronts/coap/blocks.h"

struct door {
    struct world *world;
    struct cg_quota quota;
    struct cg_coap_blocks blocks;
    struct cg_arena arena;
    struct cg_request request;
    struct cg_coap_message message;
    struct cg_coap_extras extras;
    struct cg_problem problem;
    struct cg_coap_block_answer answer;
    struct cg_opt options[2];
};

static int setup(void **state) {
    static struct door door;
    void *world;
    door = (struct door){.quota = {.max = 1 << 20}};
    if (world_setup(&world) != 0) return -1;
    door.world = world;
    cg_coap_blocks_init(&door.blocks, &door.quota);
    cg_arena_init(&door.arena, 1 << 20, NULL);
    *state = &door;
    return 0;
}

static int teardown(void **state) {
    struct door *door = *state;
    void *world = door->world;
    cg_coap_blocks_fini(&door->blocks);
    cg_arena_fini(&door->arena);
    assert_int_equal(door->quota.used, 0);
    return world_teardown(&world);
}

/* The next message is a request like this. */
static void ask(struct door *door, uint8_t method, const char *path) {
    door->request = (struct cg_request){.method = method,
                                        .path = cg_slice_str(path),
                                        .peer = address("127.0.0.1:5000"),
                                        .from = address("127.0.0.1:0"),
                                        .finishing = CG_FINISH_BY_TIME,
                                        .may_be_anonymous = true,
                                        .scheme = CG_CRI_COAP};
    door->message = (struct cg_coap_message){.code = method, .token = cg_slice_str("t")};
    door->extras = (struct cg_coap_extras){0};
}

static int take(struct door *door) {
    const struct cg_from_coap from = {.config = door->world->config,
                                      .message = &door->message,
                                      .arena = &door->arena,
                                      .request = &door->request,
                                      .problem = &door->problem,
                                      .room = CG_COAP_MESSAGE_MAX};
    if (door->world->gateway == NULL) world_start(door->world);
    door->problem = (struct cg_problem){0};
    int result = cg_coap_blocks_take(&door->blocks, &from, &door->extras, door->world->now_us, &door->answer);
    assert_int_equal(door->problem.err, result < 0 ? result : 0);
    return result;
}

static int send_block(struct door *door, uint8_t method, const char *path, struct cg_block block, const char *payload) {
    ask(door, method, path);
    door->message.payload = cg_slice_str(payload);
    door->extras.has_block1 = true;
    door->extras.block1 = block;
    return take(door);
}

static int ask_for_block(struct door *door, uint32_t number) {
    door->extras.has_block2 = true;
    door->extras.block2 = (struct cg_block){.number = number, .szx = 2};
    return take(door);
}

static struct cg_slice answer_option(struct door *door, uint16_t number) {
    struct cg_msg msg = {.options = door->answer.message.options};
    struct cg_slice value = CG_SLICE_NONE;
    return cg_msg_find(&msg, number, &value) ? value : CG_SLICE_NONE;
}

#define FIRST "0123456789abcdef"

static void test_blocks_of_a_payload(void **state) {
    struct door *door = *state;
    assert_int_equal(send_block(door, CG_PUT, "/lamps/light", (struct cg_block){.more = true}, FIRST), CG_PENDING);
    assert_int_equal(door->answer.message.code, CG_CODE(2, 31));
    assert_true(cg_slice_is(door->answer.message.token, "t"));
    assert_true(cg_slice_is(answer_option(door, CG_OPT_BLOCK1), "\x08")); /* 0, more, 16 */
    assert_int_equal(send_block(door, CG_PUT, "/lamps/light", (struct cg_block){.number = 1}, "xyz"), CG_OK);
    assert_true(cg_slice_is(door->request.payload, FIRST "xyz"));
}

static void test_a_missing_block_is_408(void **state) {
    struct door *door = *state;
    assert_int_equal(send_block(door, CG_PUT, "/lamps/light", (struct cg_block){.number = 1}, "xyz"), CG_E_INCOMPLETE);
    assert_int_equal(cg_err_info(door->problem.err)->coap_code, CG_CODE(4, 8));
}

static void test_too_much_is_413(void **state) {
    struct door *door = *state;
    door->world->config->limits.request_body = 18;
    assert_int_equal(send_block(door, CG_PUT, "/lamps", (struct cg_block){.more = true}, FIRST), CG_PENDING);
    assert_int_equal(send_block(door, CG_PUT, "/lamps", (struct cg_block){.number = 1}, "xyz"), CG_E_TOO_BIG);
    assert_int_equal(door->problem.at_most, 18);
}

/* Nobody has to send a whole body to hear that. */
static void test_who_may_not_hears_that_with_the_first_block(void **state) {
    struct door *door = *state;
    struct cg_block first = {.more = true};
    door->world->config->mappings[0].grants[0].methods = CG_METHOD_BIT(CG_GET);
    assert_int_equal(send_block(door, CG_PUT, "/lamps", first, FIRST), CG_E_UNAUTHORIZED);
    assert_int_equal(send_block(door, CG_PUT, "/nowhere", first, FIRST), CG_E_NOT_FOUND);
    assert_int_equal(door->quota.used, 0);
}

static void test_what_has_no_payload_has_no_blocks_of_it(void **state) {
    struct door *door = *state;
    assert_int_equal(send_block(door, CG_GET, "/lamps", (struct cg_block){.more = true}, FIRST), CG_E_BAD_OPTION);
    assert_int_equal(send_block(door, CG_DELETE, "/lamps", (struct cg_block){0}, ""), CG_E_BAD_OPTION);
}

/* A further block never goes to a group, whatever the request. */
static void test_what_is_gone_is_503(void **state) {
    struct door *door = *state;
    ask(door, CG_GET, "/lamps/status");
    assert_int_equal(ask_for_block(door, 1), CG_E_GONE);
    assert_int_equal(cg_err_info(door->problem.err)->coap_code, CG_CODE(5, 3));
    ask(door, CG_GET, "/nowhere");
    assert_int_equal(ask_for_block(door, 1), CG_E_NOT_FOUND);
    ask(door, CG_GET, "/lamps/status");
    assert_int_equal(ask_for_block(door, 0), CG_OK);
}

static void forward_to(struct door *door, uint8_t method, const char *uri) {
    ask(door, method, uri);
    door->request.forward = true;
}

static void open_lamps(struct door *door) {
    struct cg_mapping *lamps = world_mapping(door->world, "lamps");
    world_add_members(door->world, lamps, 2);
    lamps->forward = true;
    lamps->targets[0].uri = "coap://224.0.1.187/base";
}

static void test_a_group_is_no_member(void **state) {
    struct door *door = *state;
    open_lamps(door);
    forward_to(door, CG_GET, "coap://224.0.1.187/base");
    assert_int_equal(ask_for_block(door, 1), CG_E_GONE);
}

/* A safe request may go to the member once more, for the blocks that nobody has kept. */
static void test_a_member_is_asked_anew(void **state) {
    struct door *door = *state;
    open_lamps(door);
    world_mapping(door->world, "lamps")->stand_in = CG_STAND_IN_MEMBERS;
    ask(door, CG_GET, "/lamps/.member/first/status");
    assert_int_equal(ask_for_block(door, 1), CG_OK);
    ask(door, CG_POST, "/lamps/.member/first/status");
    assert_int_equal(ask_for_block(door, 1), CG_E_GONE);
}

static void answered(struct door *door, const char *path, bool forward, struct cg_answer *answer) {
    const struct cg_mapping *lamps = world_mapping(door->world, "lamps");
    ask(door, CG_GET, path);
    door->request.forward = forward;
    const struct cg_view view = {
        .config = door->world->config, .mapping = lamps, .request = &door->request, .now_us = door->world->now_us};
    answer->code = CG_CODE(2, 5);
    answer->member = &lamps->members[0];
    answer->from = lamps->members[0].addr;
    cg_coap_blocks_keep(&door->blocks, &view, answer,
                        cg_slice_str("\x41"
                                     "e"),
                        cg_slice_str("e"));
}

static void expect_block(struct door *door, uint32_t number, const char *payload) {
    assert_int_equal(ask_for_block(door, number), CG_PENDING);
    assert_int_equal(door->answer.message.code, CG_CODE(2, 5));
    assert_true(cg_slice_is(door->answer.message.token, "t"));
    assert_true(cg_slice_is(door->answer.message.payload, payload));
    assert_true(cg_slice_is(answer_option(door, CG_OPT_ETAG), "e"));
}

#define LONG FIRST FIRST FIRST FIRST "and the rest"

/* The client got block 0 from the group; it asks the member that Reply-From names. */
static void test_the_rest_of_a_members_answer_by_its_address(void **state) {
    struct door *door = *state;
    struct cg_answer answer = {.payload = cg_slice_str(LONG)};
    open_lamps(door);
    world_start(door->world);
    answered(door, "coap://224.0.1.187/base/x", true, &answer);
    forward_to(door, CG_GET, "coap://127.1.0.1/base/x");
    assert_non_null(cg_coap_bodies_find(&door->blocks.bodies, &door->request, door->world->now_us));
    forward_to(door, CG_GET, "coap://127.1.0.2/base/x");
    assert_null(cg_coap_bodies_find(&door->blocks.bodies, &door->request, door->world->now_us));
}

static void test_the_rest_of_a_members_answer_by_its_name(void **state) {
    struct door *door = *state;
    struct cg_answer answer = {.payload = cg_slice_str(LONG)};
    open_lamps(door);
    world_mapping(door->world, "lamps")->stand_in = CG_STAND_IN_MEMBERS;
    world_start(door->world);
    answered(door, "/lamps/x", false, &answer);
    ask(door, CG_GET, "/lamps/.member/first/x");
    expect_block(door, 1, "and the rest");
    ask(door, CG_GET, "/lamps/.member/first/x");
    assert_int_equal(ask_for_block(door, 2), CG_E_BAD_REQUEST); /* there is none */
    ask(door, CG_GET, "/lamps/x");
    assert_int_equal(ask_for_block(door, 1), CG_E_GONE); /* the group's it is not */
    door->world->now_us += 247 * SECOND;
    ask(door, CG_POST, "/lamps/.member/first/x");
    assert_int_equal(ask_for_block(door, 1), CG_E_GONE);
}

static void accept_62(struct door *door, const char *path) {
    ask(door, CG_GET, path);
    door->options[0] = (struct cg_opt){.number = CG_OPT_ACCEPT, .value = cg_slice_str("\x3e")};
    door->options[1] = (struct cg_opt){.number = 2053, .value = CG_SLICE_NONE};
    door->request.options = (struct cg_opts){.list = door->options, .count = 2};
    door->extras.has_accept = true;
    door->extras.accept = 62;
}

static void expect_passed_on(struct door *door) {
    assert_int_equal(take(door), CG_OK);
    assert_false(door->answer.aggregates);
    assert_int_equal(door->request.options.count, 2);
    assert_int_equal(door->request.finishing, CG_FINISH_BY_TIME);
}

static void test_one_response_for_all(void **state) {
    struct door *door = *state;
    world_mapping(door->world, "lamps")->aggregate = true;
    accept_62(door, "/lamps/status");
    assert_int_equal(take(door), CG_OK);
    assert_true(door->answer.aggregates);
    assert_int_equal(door->request.finishing, CG_FINISH_AS_MAPPING);
    assert_int_equal(door->request.options.count, 1); /* Accept is consumed */
    assert_int_equal(door->request.options.list[0].number, 2053);
}

/* Elsewhere Accept goes to the members, whatever it names. */
static void test_accept_goes_on_elsewhere(void **state) {
    struct door *door = *state;
    open_lamps(door);
    accept_62(door, "/pair");
    expect_passed_on(door); /* no aggregate mapping */
    world_mapping(door->world, "lamps")->aggregate = true;
    accept_62(door, "coap://224.0.1.187/base");
    door->request.forward = true;
    expect_passed_on(door);
    accept_62(door, "/lamps");
    door->extras.accept = 50;
    expect_passed_on(door);
    accept_62(door, "/lamps/.member/first");
    expect_passed_on(door);
}

static void test_the_rest_of_one_response_for_all(void **state) {
    struct door *door = *state;
    struct cg_buf buf;
    world_mapping(door->world, "lamps")->aggregate = true;
    ask(door, CG_GET, "/lamps/status"); /* as its sink sees it: without Accept */
    door->options[0] = (struct cg_opt){.number = 2053, .value = CG_SLICE_NONE};
    door->request.options = (struct cg_opts){.list = door->options, .count = 1};
    cg_buf_init(&buf, 0);
    cg_buf_put_str(&buf, LONG);
    struct cg_bytes *bytes = cg_bytes_new(&buf, &door->quota);
    const struct cg_coap_body body = {.code = CG_CODE(2, 5), .bytes = bytes, .etag = cg_slice_str("e")};
    assert_int_equal(cg_coap_bodies_keep(&door->blocks.bodies, &door->request, &body, door->world->now_us), CG_OK);
    cg_bytes_unref(bytes);
    accept_62(door, "/lamps/status");
    expect_block(door, 1, "and the rest");
    accept_62(door, "/lamps/status");
    door->request.peer.port++;
    assert_int_equal(ask_for_block(door, 1), CG_E_GONE);
}

#define door_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        door_test(test_blocks_of_a_payload),
        door_test(test_a_missing_block_is_408),
        door_test(test_too_much_is_413),
        door_test(test_who_may_not_hears_that_with_the_first_block),
        door_test(test_what_has_no_payload_has_no_blocks_of_it),
        door_test(test_what_is_gone_is_503),
        door_test(test_a_group_is_no_member),
        door_test(test_a_member_is_asked_anew),
        door_test(test_the_rest_of_a_members_answer_by_its_address),
        door_test(test_the_rest_of_a_members_answer_by_its_name),
        door_test(test_one_response_for_all),
        door_test(test_accept_goes_on_elsewhere),
        door_test(test_the_rest_of_one_response_for_all),
    };
    return cmocka_run_group_tests_name("fronts_coap/blocks", tests, NULL, NULL);
}
