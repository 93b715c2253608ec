/* Single members behind a mapping's path, as conversations (scenario.h): PATH/.member/NAME (GCP, "Reverse-Proxies"). */
#include "exchange/fake_world.h"
#include "exchange/scenario.h"

#include <string.h>

#define LAMPS                                                                                                          \
    "'stand_in':'members','members':[{'name':'hall','address':'127.1.0.1'},'127.1.0.2',"                               \
    "{'name':'attic','address':'[fd00::3]:61616'}]"

static void one_member_is_asked_by_unicast_and_its_answer_ends_it(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "GET /lamps/.member/hall/status?unit=C");
    member_hears("127.1.0.1", "CON GET /base/status?unit=C");
    nothing_is_sent();
    member_answers("127.1.0.1", "2.05 on");
    client_gets("alice", "127.1.0.1 by unicast 2.05 on", "all");
}

static void the_members_own_path_is_the_groups(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "POST /lamps/.member/hall once");
    member_hears("127.1.0.1", "CON POST /base once");
    member_answers("127.1.0.1", "4.04 none");
    client_gets("alice", "127.1.0.1 by unicast 4.04 none", "all");
}

/* Whatever rule ends the group's collecting. */
static void nobody_else_is_waited_for(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS ",'membership':'complete','finish':'count:2','timeout':5");
    client_asks("alice", "PUT /lamps/.member/hall off");
    member_hears("127.1.0.1", "CON PUT /base off");
    member_answers_to("CON PUT /base off", "127.1.0.2", "2.04");
    member_answers("127.1.0.1", "2.04");
    client_gets("alice", "127.1.0.1 by unicast 2.04", "rejected 127.1.0.2 wrong-source", "all");
}

static void who_is_silent_is_the_only_one_missing(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "GET /lamps/.member/hall timeout:1");
    member_hears("127.1.0.1", "CON GET /base");
    time_passes(1);
    client_gets("alice", "missing 127.1.0.1 asleep", "deadline");
}

static void a_member_without_a_name_goes_by_its_address(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "GET /lamps/.member/127.1.0.2:5683");
    member_hears("127.1.0.2", "CON GET /base");
    member_answers("127.1.0.2", "2.05 on");
    client_gets("alice", "127.1.0.2 by unicast 2.05 on", "all");
}

static void the_marker_and_the_name_may_be_encoded(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "GET /lamps/%2emember/%68all/%61");
    member_hears("127.1.0.1", "CON GET /base/a");
    member_answers("127.1.0.1", "2.05 on");
    client_gets("alice", "127.1.0.1 by unicast 2.05 on", "all");
    client_asks("bob", "GET /lamps/.%6D%65mber/attic");
    member_hears("[fd00::3]:61616", "CON GET /base");
    member_answers("[fd00::3]:61616", "2.05 off");
    client_gets("bob", "[fd00::3]:61616 by unicast 2.05 off", "all");
}

static void the_marker_goes_to_no_group(void **state) {
    static const char *const requests[] = {
        "GET /lamps/.member",           "GET /lamps/.member/",          "GET /lamps/.member//status",
        "GET /lamps/.member/cellar",    "GET /lamps/.member/127.1.0.1", "GET /lamps/.member/hall%2Fx",
        "GET /lamps/.member/hall%00",   "GET /lamps/%2Emember/nobody",  "GET /lamps/.member/Hall",
        "PUT /lamps/.member/cellar on",
    };
    (void)state;
    gateway_serves("/lamps", LAMPS);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        client_asks("alice", requests[i]);
        client_gets("alice", "problem not-found");
        nothing_is_sent();
    }
}

static void only_the_first_segment_is_the_marker(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "GET /lamps/x/.member/hall");
    group_hears("NON GET /base/x/.member/hall");
    time_passes(2);
    client_gets("alice", "missing 127.1.0.1", "missing 127.1.0.2", "missing [fd00::3]:61616", "deadline");
    client_asks("bob", "GET /lamps/.members/hall");
    group_hears("NON GET /base/.members/hall");
    time_passes(2);
    client_gets("bob", "missing 127.1.0.1", "missing 127.1.0.2", "missing [fd00::3]:61616", "deadline");
}

/* The default: also there the marker is nothing that a group hears. */
static void a_mapping_that_stands_in_for_its_group_only(void **state) {
    (void)state;
    gateway_serves("/lamps", "'members':[{'name':'hall','address':'127.1.0.1'}]");
    client_asks("alice", "GET /lamps/.member/hall");
    client_gets("alice", "problem not-found");
    nothing_is_sent();
}

static void the_answer_is_waited_for_whatever_the_client_wants_of_it(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "PUT /lamps/.member/hall no-response:26 on");
    member_hears("127.1.0.1", "CON PUT /base on");
    member_answers("127.1.0.1", "2.04");
    client_gets("alice", "127.1.0.1 by unicast 2.04", "all");
    client_asks("alice", "PUT /lamps/.member/hall timeout:0 on");
    client_gets("alice", "problem multicast-timeout");
    nothing_is_sent();
}

static void requests_to_a_member_are_not_shared_and_go_one_by_one(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "GET /lamps/.member/hall");
    client_asks("bob", "GET /lamps/.member/hall");
    member_hears("127.1.0.1", "CON GET /base");
    nothing_is_sent();
    member_answers("127.1.0.1", "2.05 on");
    client_gets("alice", "127.1.0.1 by unicast 2.05 on", "all");
    member_hears("127.1.0.1", "CON GET /base");
    member_answers("127.1.0.1", "2.05 off");
    client_gets("bob", "127.1.0.1 by unicast 2.05 off", "all");
}

/* It is another request than the group's of the same path. */
static void a_request_to_a_member_joins_no_group_request(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "GET /lamps");
    client_asks("bob", "GET /lamps/.member/hall");
    group_hears("NON GET /base");
    member_hears("127.1.0.1", "CON GET /base");
    member_answers_to("CON GET /base", "127.1.0.1", "2.05 on");
    client_gets("bob", "127.1.0.1 by unicast 2.05 on", "all");
    time_passes(2);
    client_gets("alice", "missing 127.1.0.1", "missing 127.1.0.2", "missing [fd00::3]:61616", "deadline");
}

static void a_large_answer_is_put_together(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "GET /lamps/.member/hall/log");
    member_hears("127.1.0.1", "CON GET /base/log");
    member_answers("127.1.0.1", "2.05 2:0/1/16 0123456789abcdef");
    member_hears("127.1.0.1", "CON GET /base/log 2:1/0/16");
    member_answers("127.1.0.1", "2.05 2:1/0/16 ghij");
    client_gets("alice", "127.1.0.1 by unicast 2.05 0123456789abcdefghij", "all");
}

static void a_stream_of_one_answer(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_streams("alice", "GET /lamps/.member/hall");
    member_hears("127.1.0.1", "CON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    client_gets("alice", "127.1.0.1 by unicast 2.05 on", "all");
}

/* Of what a conversation cannot say: */

static void stand_in_for_members(struct world *world) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->stand_in = CG_STAND_IN_MEMBERS;
}

static int ask(struct world *world, uint8_t method, const char *path) {
    struct call call;
    world_new(world, &call, path)->method = method;
    world_go(world, &call);
    world_run(world);
    return call.problem.err;
}

/* What the mapping forbids is forbidden with its members, too, and is said before their names are looked at. */
static void test_who_may_not_ask_the_group_may_not_ask_a_member(void **state) {
    struct world *world = *state;
    stand_in_for_members(world);
    world_mapping(world, "lamps")->methods = CG_METHOD_BIT(CG_GET);
    assert_int_equal(ask(world, CG_FETCH, "/lamps/.member/first"), CG_E_METHOD);
    assert_int_equal(ask(world, CG_FETCH, "/lamps/.member/nobody"), CG_E_METHOD);
    assert_int_equal(ask(world, CG_GET, "/lamps/.member/nobody"), CG_E_NOT_FOUND);
    assert_int_equal(world->sent_count, 0);
}

static void test_a_target_uri_is_the_groups_own(void **state) {
    struct world *world = *state;
    struct call call;
    stand_in_for_members(world);
    world_mapping(world, "lamps")->forward = true;
    struct cg_request *request = world_new(world, &call, "coap://224.0.1.187/.member/first");
    request->forward = request->has_timeout = true;
    request->timeout_s = 1;
    world_go(world, &call);
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 1);
    assert_true(cg_addr_is_multicast(&world->sent[0].route.to));
}

/* Nothing goes anywhere, and it is said what is missing. */
static void test_a_member_that_is_nobody_knows_where(void **state) {
    struct world *world = *state;
    struct call call;
    stand_in_for_members(world);
    world_mapping(world, "lamps")->members[0].addr = (struct cg_addr){.family = CG_FAMILY_NONE};
    world_get(world, &call, "/lamps/.member/first");
    world_run(world);
    assert_int_equal(call.problem.err, CG_E_EMIT);
    assert_non_null(strstr(call.problem.detail, "where member first is"));
    assert_int_equal(world->sent_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(one_member_is_asked_by_unicast_and_its_answer_ends_it),
        scenario(the_members_own_path_is_the_groups),
        scenario(nobody_else_is_waited_for),
        scenario(who_is_silent_is_the_only_one_missing),
        scenario(a_member_without_a_name_goes_by_its_address),
        scenario(the_marker_and_the_name_may_be_encoded),
        scenario(the_marker_goes_to_no_group),
        scenario(only_the_first_segment_is_the_marker),
        scenario(a_mapping_that_stands_in_for_its_group_only),
        scenario(the_answer_is_waited_for_whatever_the_client_wants_of_it),
        scenario(requests_to_a_member_are_not_shared_and_go_one_by_one),
        scenario(a_request_to_a_member_joins_no_group_request),
        scenario(a_large_answer_is_put_together),
        scenario(a_stream_of_one_answer),
        world_test(test_who_may_not_ask_the_group_may_not_ask_a_member),
        world_test(test_a_target_uri_is_the_groups_own),
        world_test(test_a_member_that_is_nobody_knows_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
