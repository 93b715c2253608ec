/* Groups that are named rather than numbered: where the request goes, what it says, and what happens while the name is
 * none. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct named {
    struct world world;
    struct cg_resolved resolved;
    struct call call;
};

static int setup(void **state) {
    struct named *named = calloc(1, sizeof *named);
    if (named == NULL) return -1;
    world_init(&named->world);
    struct cg_target *target = &world_mapping(&named->world, "lamps")->targets[0];
    target->uri = "coap://lights.example:61616/base";
    target->host = cg_slice_str("lights.example");
    target->group = (struct cg_addr){.port = 61616};
    target->resolved = &named->resolved;
    snprintf(named->resolved.why, sizeof named->resolved.why, "nobody knows it");
    *state = named;
    return 0;
}

static int teardown(void **state) {
    struct named *named = *state;
    world_fini(&named->world);
    free(named);
    return 0;
}

#define named_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void resolve(struct named *named, const char *ip) {
    assert_int_equal(cg_addr_parse_ip(&named->resolved.addr, cg_slice_str(ip)), CG_OK);
}

static void assert_sent_to(const struct emission *sent, const char *text) {
    char to[CG_ADDR_TEXT_MAX];
    cg_addr_emit(&sent->route.to, to);
    assert_string_equal(to, text);
}

/* R50, RFC 7252 §6.4: the name goes with the request, in front of the path; the port is the destination's. */
static void test_a_name_is_sent_as_uri_host_R50(void **state) {
    struct named *named = *state;
    resolve(named, "224.0.1.190");
    world_get(&named->world, &named->call, "/lamps/status");
    assert_int_equal(named->world.sent_count, 1);
    assert_sent_to(&named->world.sent[0], "224.0.1.190:61616");
    static const struct {
        uint16_t number;
        const char *value;
    } wanted[] = {{CG_OPT_URI_HOST, "lights.example"}, {CG_OPT_URI_PATH, "base"}, {CG_OPT_URI_PATH, "status"}};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, &named->world.sent[0].msg);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_true(cg_opt_next(&iter, &opt));
        assert_int_equal(opt.number, wanted[i].number);
        assert_true(cg_slice_is(opt.value, wanted[i].value));
    }
    assert_false(cg_opt_next(&iter, &opt));
    world_answer(&named->world, 0, "127.1.0.1", "on");
    world_advance(&named->world, 2 * SECOND);
    assert_int_equal(named->call.reply.summary.answered, 1);
}

/* The client's own options keep their places: If-Match (1) before Uri-Host (3), ETag (4) behind it. */
static void test_uri_host_stands_in_order(void **state) {
    struct named *named = *state;
    resolve(named, "ff05::1:3");
    struct cg_opt own[] = {{CG_OPT_IF_MATCH, cg_slice_str("m")}, {CG_OPT_ETAG, cg_slice_str("e")}};
    struct cg_request *request = world_new(&named->world, &named->call, "/lamps");
    request->options = (struct cg_opts){.list = own, .count = 2};
    world_go(&named->world, &named->call);
    assert_sent_to(&named->world.sent[0], "[ff05::1:3]:61616");
    static const uint16_t wanted[] = {CG_OPT_IF_MATCH, CG_OPT_URI_HOST, CG_OPT_ETAG, CG_OPT_URI_PATH};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, &named->world.sent[0].msg);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_true(cg_opt_next(&iter, &opt));
        assert_int_equal(opt.number, wanted[i]);
    }
    assert_false(cg_opt_next(&iter, &opt));
}

static void test_a_name_that_is_no_group_is_refused_R50(void **state) {
    struct named *named = *state;
    world_get(&named->world, &named->call, "/lamps/status");
    assert_int_equal(named->world.sent_count, 0);
    assert_int_equal(named->call.problems, 1);
    assert_int_equal(named->call.problem.err, CG_E_EMIT);
    assert_string_equal(named->call.problem.detail, "lights.example is no group at the moment: nobody knows it");
    resolve(named, "224.0.1.190"); /* no reload is needed */
    world_get(&named->world, &named->call, "/lamps/status");
    assert_int_equal(named->world.sent_count, 1);
}

/* A request that waits for its group's turn goes where it was meant to go; the group's pace is that of the address. */
static void test_a_change_is_for_new_requests(void **state) {
    struct named *named = *state;
    struct call second, third;
    resolve(named, "224.0.1.190");
    world_get(&named->world, &named->call, "/lamps/1");
    world_get(&named->world, &second, "/lamps/2"); /* NSTART is 1 */
    assert_int_equal(named->world.sent_count, 1);
    resolve(named, "224.0.1.191");
    world_get(&named->world, &third, "/lamps/3");
    assert_int_equal(named->world.sent_count, 2);
    assert_sent_to(&named->world.sent[1], "224.0.1.191:61616");
    world_answer(&named->world, 0, "127.1.0.1", "on");
    assert_int_equal(named->world.sent_count, 3);
    assert_sent_to(&named->world.sent[2], "224.0.1.190:61616");
    world_advance(&named->world, 5 * SECOND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        named_test(test_a_name_is_sent_as_uri_host_R50),
        named_test(test_uri_host_stands_in_order),
        named_test(test_a_name_that_is_no_group_is_refused_R50),
        named_test(test_a_change_is_for_new_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
