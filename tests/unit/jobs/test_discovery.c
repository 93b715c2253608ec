/* What is there: groups and the lists of their members (R45), in a whole core with a fake clock. */
#include "jobs/fake_discovery.h"

#include <stdio.h>

#define LONG_LIST                                                                                                      \
    "</a>;rt=\"sensor\",</bb>;rt=\"sensor\",</ccc>;rt=\"sensor\",</dddd>;rt=\"light\",</e>;if=\"core.b\","             \
    "</f>;rt=\"x\",</g>;rt=\"y\",</h>;rt=\"z\""

static void a_group_is_asked_for_its_links(void **state) {
    struct search *search = *state;
    search_begin(search, "lamps", "", 30);
    size_t sent = search_sent(search);
    assert_string_equal(search_said(search, sent), "GET 224.0.1.187:5683 /.well-known/core");
    struct cg_slice value;
    assert_true(cg_msg_find(&search->world.sent[sent].msg, CG_OPT_NO_RESPONSE, &value) && value.len == 0);
    search_links(search, sent, "127.1.0.1", "</light>;rt=\"light\"");
    search_links(search, sent, "127.1.0.2", "</temp>;rt=\"sensor\"");
    const struct cg_found *found = search_finish(search);
    search_nothing_sent(search);
    assert_string_equal(found->ended_by, "all");
    assert_int_equal(found->node_count, 2);
    assert_int_equal(found->answered, 2);
    const struct cg_found_node *node = search_node(search, "127.1.0.2");
    assert_slice(node->links, "</temp>;rt=\"sensor\"");
    assert_string_equal(node->group, "coap://224.0.1.187");
    assert_string_equal(node->mapping->name, "lamps");
    assert_int_equal(node->state, CG_FOUND_WHOLE);
    assert_false(node->is_verified);
}

/* Leisure, a second for answers on their way, and no more: it need not use all of its time. */
static void it_ends_when_there_is_nothing_more_to_hear(void **state) {
    struct search *search = *state;
    search_begin(search, "lamps", "", 600);
    search_sent(search);
    uint64_t since_us = search->world.now_us;
    search_finish(search);
    assert_in_range(search->world.now_us - since_us, 5 * SECOND, 7 * SECOND);
}

static void a_filter_is_asked_with(void **state) {
    struct search *search = *state;
    world_add_members(&search->world, world_mapping(&search->world, "lamps"), 2);
    world_mapping(&search->world, "lamps")->repair_unicast = true;
    search_begin(search, "lamps", "rt=core.rd*", 30);
    size_t sent = search_sent(search);
    assert_string_equal(search_said(search, sent), "GET 224.0.1.187:5683 /.well-known/core?rt=core.rd*");
    const struct cg_found *found = search_finish(search);
    search_nothing_sent(search); /* who is silent has nothing that passes */
    assert_int_equal(found->silent, 2);
    assert_int_equal(found->answered, 0);
}

static void long_lists_are_followed_by_unicast(void **state) {
    struct search *search = *state;
    world_add_members(&search->world, world_mapping(&search->world, "lamps"), 1);
    search_begin(search, "lamps", "", 30);
    size_t sent = search_sent(search);
    search_block(search, sent, "127.1.0.1", LONG_LIST, 0);
    assert_int_equal(search_node(search, "127.1.0.1")->state, CG_FOUND_CUT); /* so far */
    assert_int_equal(search_found(search)->cut, 1);
    for (uint32_t number = 1; number * 64 < strlen(LONG_LIST); number++) {
        size_t asked = search_sent(search);
        assert_string_equal(search_said(search, asked), "GET 127.1.0.1:5683 /.well-known/core");
        search_block(search, asked, "127.1.0.1", LONG_LIST, number);
    }
    const struct cg_found *found = search_finish(search);
    search_nothing_sent(search);
    const struct cg_found_node *node = search_node(search, "127.1.0.1");
    assert_int_equal(node->state, CG_FOUND_WHOLE);
    assert_slice(node->links, LONG_LIST);
    assert_string_equal(node->member, "first");
    assert_int_equal(found->cut, 0);
    assert_int_equal(found->node_count, 1);
    assert_string_equal(found->ended_by, "all");
}

/* Nothing is known of who is far away, so nothing goes there. */
static void what_may_not_be_followed_is_kept_as_far_as_it_is_whole(void **state) {
    struct search *search = *state;
    search_begin(search, "lamps", "", 30);
    size_t sent = search_sent(search);
    search_block(search, sent, "203.0.113.7", LONG_LIST, 0);
    const struct cg_found *found = search_finish(search);
    search_nothing_sent(search);
    const struct cg_found_node *node = search_node(search, "203.0.113.7");
    assert_int_equal(node->state, CG_FOUND_CUT);
    assert_slice(node->links, "</a>;rt=\"sensor\",</bb>;rt=\"sensor\",</ccc>;rt=\"sensor\"");
    assert_int_equal(found->cut, 1);
}

/* A member that begins a list and goes away. */
static void time_cuts_what_does_not_come(void **state) {
    struct search *search = *state;
    world_add_members(&search->world, world_mapping(&search->world, "lamps"), 1);
    search_begin(search, "lamps", "", 8);
    size_t sent = search_sent(search);
    search_block(search, sent, "127.1.0.1", LONG_LIST, 0);
    const struct cg_found *found = search_finish(search);
    assert_int_equal(search_node(search, "127.1.0.1")->state, CG_FOUND_CUT);
    assert_string_equal(found->ended_by, "deadline");
    assert_int_equal(found->silent, 0);
}

static void silent_members_are_named(void **state) {
    struct search *search = *state;
    world_add_members(&search->world, world_mapping(&search->world, "lamps"), 2);
    search_begin(search, "lamps", "", 30);
    search_links(search, search_sent(search), "127.1.0.1", "</light>");
    const struct cg_found *found = search_finish(search);
    assert_int_equal(found->silent, 1);
    assert_int_equal(found->answered, 1);
    const struct cg_found_node *node = search_node(search, "127.1.0.2");
    assert_int_equal(node->state, CG_FOUND_SILENT);
    assert_string_equal(node->member, "other");
}

static void errors_and_other_formats_are_told(void **state) {
    struct search *search = *state;
    search_begin(search, "lamps", "", 30);
    size_t sent = search_sent(search);
    search_answer(search, sent, "127.1.0.1", CG_CODE(4, 4), 0, "");
    search_answer(search, sent, "127.1.0.2", CG_CODE(2, 5), 50, "{}");
    search_links(search, sent, "127.1.0.3", "</a>,</b>;rt=\"x\"junk</c>");
    search_links(search, sent, "127.1.0.4", "");
    search_finish(search);
    assert_int_equal(search_node(search, "127.1.0.1")->state, CG_FOUND_REFUSED);
    assert_int_equal(search_node(search, "127.1.0.1")->code, CG_CODE(4, 4));
    assert_int_equal(search_node(search, "127.1.0.2")->state, CG_FOUND_UNREADABLE);
    assert_int_equal(search_node(search, "127.1.0.3")->state, CG_FOUND_UNREADABLE);
    assert_slice(search_node(search, "127.1.0.3")->links, "</a>");
    assert_int_equal(search_node(search, "127.1.0.4")->state, CG_FOUND_WHOLE);
}

static void who_answers_a_hundred_times_is_one_node(void **state) {
    struct search *search = *state;
    search_begin(search, "lamps", "", 30);
    size_t sent = search_sent(search);
    for (unsigned i = 0; i < 100; i++) {
        char links[64];
        snprintf(links, sizeof links, "</a%u>", i);
        search_links(search, sent, "127.1.0.1", links);
    }
    const struct cg_found *found = search_finish(search);
    assert_int_equal(found->node_count, 1);
    assert_int_equal(found->answered, 1);
    assert_slice(search_node(search, "127.1.0.1")->links, "</a0>");
}

/* Without memory for all of it, what was left out is said, and names still have room. */
static void a_result_is_bounded(void **state) {
    struct search *search = *state;
    static char links[60001];
    memset(links, 'a', 60000);
    links[0] = '<';
    links[59999] = '>';
    search_begin(search, "lamps", "", 30);
    size_t sent = search_sent(search);
    for (unsigned i = 0; i < 400; i++) {
        char from[32];
        snprintf(from, sizeof from, "127.1.%u.%u", i / 200, i % 200 + 1);
        search_links(search, sent, from, links);
        world_advance(&search->world, 1000);
    }
    const struct cg_found *found = search_finish(search);
    assert_true(found->node_count > 250);
    assert_true(found->cut > 0);
    assert_true(found->left_out > 0);
    assert_string_equal(found->ended_by, "limit");
}

static void all_groups_are_asked_once(void **state) {
    struct search *search = *state;
    search_begin(search, NULL, "", 30);
    assert_string_equal(search_said(search, search_sent(search)), "GET 224.0.1.187:5683 /.well-known/core");
    assert_string_equal(search_said(search, search_sent(search)), "GET 224.0.1.188:5683 /.well-known/core");
    search_finish(search);
    search_nothing_sent(search);
}

static void a_group_that_no_mapping_has_is_asked_plainly(void **state) {
    struct search *search = *state;
    search->world.config->group.interface = "lo";
    search_begin(search, "coap://224.0.1.190", "", 30);
    size_t sent = search_sent(search);
    assert_string_equal(search_said(search, sent), "GET 224.0.1.190:5683 /.well-known/core");
    assert_string_equal(search->world.sent[sent].route.interface, "lo");
    search_links(search, sent, "127.1.0.1", "</light>");
    search_finish(search);
    assert_null(search_node(search, "127.1.0.1")->mapping);
    assert_string_equal(search_node(search, "127.1.0.1")->group, "coap://224.0.1.190");
}

static void a_group_of_a_mapping_is_asked_as_the_mapping_does(void **state) {
    struct search *search = *state;
    search_begin(search, "coap://224.0.1.188:5683/", "", 30);
    assert_string_equal(search_said(search, search_sent(search)), "GET 224.0.1.188:5683 /.well-known/core");
    search_finish(search);
    search_nothing_sent(search);
}

static int refusal(struct search *search, const char *where, const char *filter, uint32_t seconds) {
    struct cg_problem problem = {0};
    const struct cg_discovery_order order = {.where = where, .filter = cg_slice_str(filter), .seconds = seconds};
    assert_null(cg_discovery_begin(search->discoveries, &order, &problem));
    assert_true(problem.detail[0] != '\0');
    return problem.err;
}

static void orders_that_are_no_good_are_refused(void **state) {
    struct search *search = *state;
    search_begin(search, "lamps", "", 30);
    assert_int_equal(refusal(search, "nobody", "", 30), CG_E_NOT_FOUND);
    assert_int_equal(refusal(search, "coap://224.0.1.187:5684", "", 30), CG_E_BAD_URI);
    assert_int_equal(refusal(search, "coap://192.0.2.1", "", 30), CG_E_BAD_URI);
    assert_int_equal(refusal(search, "coaps://224.0.1.187", "", 30), CG_E_BAD_URI);
    assert_int_equal(refusal(search, "lamps", "rt=%zz", 30), CG_E_BAD_URI);
    assert_int_equal(refusal(search, "lamps", "", 0), CG_E_BAD_REQUEST);
    assert_int_equal(refusal(search, "lamps", "", 100000), CG_E_BAD_REQUEST);
}

static void count(void *ctx, struct cg_discovery *job) {
    (void)job;
    ++*(unsigned *)ctx;
}

static void one_job_runs_at_a_time_and_few_wait(void **state) {
    struct search *search = *state;
    struct cg_discovery *others[CG_DISCOVERIES_MAX];
    struct cg_problem problem = {0};
    unsigned over = 0;
    const struct cg_discovery_order order = {.where = "lamps", .seconds = 30, .done = count, .ctx = &over};
    search_begin(search, "lamps", "", 30);
    for (size_t i = 0; i < CG_DISCOVERIES_MAX; i++)
        others[i] = cg_discovery_begin(search->discoveries, &order, &problem);
    assert_null(others[CG_DISCOVERIES_MAX - 1]);
    assert_int_equal(problem.err, CG_E_RATE);
    search_sent(search);
    world_advance(&search->world, 3 * SECOND);
    search_nothing_sent(search);
    world_advance(&search->world, 60 * SECOND);
    assert_int_equal(over, CG_DISCOVERIES_MAX - 1);
    assert_int_equal(search->world.sent_count, CG_DISCOVERIES_MAX);
    for (size_t i = 0; i < CG_DISCOVERIES_MAX; i++) cg_discovery_free(others[i]);
}

static void it_may_be_freed_at_any_time(void **state) {
    struct search *search = *state;
    search_begin(search, NULL, "", 30);
    size_t sent = search_sent(search);
    cg_discovery_free(search->job);
    search->job = NULL;
    search_links(search, sent, "127.1.0.1", "</light>");
    world_advance(&search->world, 60 * SECOND);
    assert_int_equal(search->done, 0);
    assert_int_equal(cg_gateway_running(search->world.gateway), 0);
}

static void who_is_in_a_hurry_gets_what_there_is(void **state) {
    struct search *search = *state;
    search_begin(search, "lamps", "", 30);
    search_links(search, search_sent(search), "127.1.0.1", "</light>");
    cg_discovery_hurry(search->job);
    world_advance(&search->world, SECOND / 10);
    assert_int_equal(search->done, 1);
    assert_int_equal(search_found(search)->node_count, 1);
    assert_string_equal(search_found(search)->ended_by, "deadline");
}

/* Also before its turn, however long others take. */
static void who_is_in_a_hurry_waits_for_no_other_job(void **state) {
    struct search *search = *state;
    struct cg_problem problem = {0};
    unsigned over = 0;
    const struct cg_discovery_order order = {.where = "lamps", .seconds = 30, .done = count, .ctx = &over};
    search_begin(search, "lamps", "", 3600);
    search_sent(search);
    struct cg_discovery *second = cg_discovery_begin(search->discoveries, &order, &problem);
    struct cg_discovery *third = cg_discovery_begin(search->discoveries, &order, &problem);
    cg_discovery_hurry(second);
    world_advance(&search->world, SECOND / 10);
    assert_int_equal(over, 1);
    assert_int_equal(search->done, 0);
    assert_string_equal(cg_discovery_found(second)->ended_by, "deadline");
    search_nothing_sent(search);
    world_advance(&search->world, 100 * SECOND);
    assert_int_equal(search->done, 1);
    assert_int_equal(over, 2);
    cg_discovery_free(second);
    cg_discovery_free(third);
}

/* NSTART is 1: a silent group would hold the client up. */
static void it_is_broken_off_for_a_client(void **state) {
    struct search *search = *state;
    struct call call;
    search_begin(search, "lamps", "", 60);
    search_sent(search);
    world_get(&search->world, &call, "/lamps");
    search_nothing_sent(search);
    world_advance(&search->world, SECOND / 5);
    assert_string_equal(search_said(search, search_sent(search)), "GET 224.0.1.187:5683 /base");
    world_answer(&search->world, 1, "127.1.0.1", "on");
    size_t sent = search_sent(search);
    assert_string_equal(search_said(search, sent), "GET 224.0.1.187:5683 /.well-known/core");
    search_links(search, sent, "127.1.0.1", "</light>");
    assert_int_equal(search_finish(search)->node_count, 1);
}

static void groups_that_were_not_asked_are_named(void **state) {
    struct search *search = *state;
    search->world.emit_error = CG_E_EMIT;
    search_begin(search, "lamps", "", 30);
    const struct cg_found *found = search_finish(search);
    assert_int_equal(found->problem.err, CG_E_EMIT);
    assert_non_null(found->gaps);
    assert_slice(found->gaps->what, "coap://224.0.1.187");
    assert_int_equal(found->left_out, 1);
    world_advance(&search->world, SECOND);
    assert_int_equal(search->done, 1); /* and not once more */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        search_test(a_group_is_asked_for_its_links),
        search_test(it_ends_when_there_is_nothing_more_to_hear),
        search_test(a_filter_is_asked_with),
        search_test(long_lists_are_followed_by_unicast),
        search_test(what_may_not_be_followed_is_kept_as_far_as_it_is_whole),
        search_test(time_cuts_what_does_not_come),
        search_test(silent_members_are_named),
        search_test(errors_and_other_formats_are_told),
        search_test(who_answers_a_hundred_times_is_one_node),
        search_test(a_result_is_bounded),
        search_test(all_groups_are_asked_once),
        search_test(a_group_that_no_mapping_has_is_asked_plainly),
        search_test(a_group_of_a_mapping_is_asked_as_the_mapping_does),
        search_test(orders_that_are_no_good_are_refused),
        search_test(one_job_runs_at_a_time_and_few_wait),
        search_test(it_may_be_freed_at_any_time),
        search_test(who_is_in_a_hurry_gets_what_there_is),
        search_test(who_is_in_a_hurry_waits_for_no_other_job),
        search_test(it_is_broken_off_for_a_client),
        search_test(groups_that_were_not_asked_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
