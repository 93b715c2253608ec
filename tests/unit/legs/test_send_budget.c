/* How many datagrams leave by an interface (group.send_budgets), as somebody counts them who sees them all. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

enum { ETH1 = 7, LO = 1 };

static uint32_t fake_zone(void *ctx, const char *interface) {
    (void)ctx;
    if (interface == NULL || strcmp(interface, "lo") == 0 || strcmp(interface, "altname-of-lo") == 0) return LO;
    return strcmp(interface, "eth1") == 0 ? ETH1 : 0;
}

/* Requests wait for nothing but the budget. */
static void start(struct world *world, const char *interface, uint32_t requests, uint32_t seconds) {
    struct cg_group_settings *group = &world->config->group;
    world->port.zone = fake_zone;
    group->nstart = 1000;
    group->probing_burst = 1000000;
    group->send_budget_count = 1;
    group->send_budgets = cg_arena_zalloc(&world->config->arena, sizeof *group->send_budgets);
    group->send_budgets[0] =
        (struct cg_send_budget_settings){.interface = interface, .requests = requests, .seconds = seconds};
    world->config->limits.exchanges_per_client = 1000;
}

/* A GET that is like no other. */
static void get_another(struct world *world, struct call *call, unsigned number, uint32_t timeout_s) {
    struct cg_request *request = world_new(world, call, "/lamps");
    char *query = cg_arena_alloc(cg_gateway_arena(world->gateway, call->ticket), 16);
    assert_non_null(query);
    snprintf(query, 16, "n=%u", number);
    request->query = cg_slice_str(query);
    request->has_timeout = true;
    request->timeout_s = timeout_s;
    world_go(world, call);
}

/* The most datagrams of any window of that length, wherever it begins. */
static unsigned most_in(const struct world *world, uint64_t window_us) {
    unsigned most = 0;
    for (size_t first = 0; first < world->sent_count; first++) {
        unsigned count = 0;
        for (size_t i = first; i < world->sent_count && world->sent[i].at_us < world->sent[first].at_us + window_us;
             i++)
            count += world->sent[i].msg.type != CG_ACK;
        if (count > most) most = count;
    }
    return most;
}

static void test_no_window_has_more_than_the_budget(void **state) {
    struct world *world = *state;
    struct call calls[40];
    start(world, "lo", 8, 9);
    for (unsigned i = 0; i < 5; i++) get_another(world, &calls[i], i, 60);
    world_advance(world, 8 * SECOND); /* a bucket would hold its whole burst again at some time from now on */
    for (unsigned i = 5; i < 40; i++) {
        get_another(world, &calls[i], i, 60);
        world_advance(world, SECOND / 10);
    }
    assert_int_equal(world->sent_count, 5 + 3 + 5);
    world_advance(world, 60 * SECOND);
    assert_int_equal(world->sent_count, 40); /* nothing was lost by it */
    assert_int_equal(most_in(world, 9 * SECOND), 8);
    for (unsigned i = 0; i < 40; i++) assert_int_equal(calls[i].problems, 0);
}

static void test_an_alternative_name_and_the_only_interface_are_bound_alike(void **state) {
    struct world *world = *state;
    struct call calls[4];
    start(world, "altname-of-lo", 2, 1);
    for (unsigned i = 0; i < 2; i++) get_another(world, &calls[i], i, 10);
    world_mapping(world, "lamps")->targets[0].interface = NULL;
    for (unsigned i = 2; i < 4; i++) get_another(world, &calls[i], i, 10);
    assert_int_equal(world->sent_count, 2);
    world_advance(world, 2 * SECOND);
    assert_int_equal(world->sent_count, 4);
    world_advance(world, 10 * SECOND);
}

static void test_other_interfaces_are_not_bound(void **state) {
    struct world *world = *state;
    struct call calls[9];
    start(world, "eth1", 1, 3600);
    for (unsigned i = 0; i < 9; i++) get_another(world, &calls[i], i, 10);
    assert_int_equal(world->sent_count, 9);
    world_advance(world, 10 * SECOND);
}

static void test_who_waits_in_vain_is_refused_and_takes_nothing(void **state) {
    struct world *world = *state;
    struct call calls[3];
    start(world, "lo", 1, 100);
    get_another(world, &calls[0], 0, 1);
    get_another(world, &calls[1], 1, 1);
    world_advance(world, 10 * SECOND);
    assert_int_equal(calls[1].problems, 1);
    assert_true(calls[1].problem.retry_after > 0);
    world_advance(world, 91 * SECOND);
    get_another(world, &calls[2], 2, 1);
    assert_int_equal(world->sent_count, 2);
    world_advance(world, 2 * SECOND);
}

static void expect_no_room(const struct call *call, uint32_t at_most_s) {
    assert_int_equal(call->problems, 1);
    assert_int_equal(call->problem.err, CG_E_RATE);
    assert_non_null(strstr(call->problem.detail, "group.send_budgets"));
    assert_in_range(call->problem.retry_after, 50, at_most_s); /* when the window has passed */
}

/* It was not asked, so nobody may say that it was silent. */
static void test_an_only_member_that_there_is_no_room_for(void **state) {
    struct world *world = *state;
    struct call before, call;
    start(world, "lo", 1, 100);
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_mapping(world, "pair")->target_count = 1;
    world_get(world, &before, "/pair");
    get_another(world, &call, 0, 3);
    world_advance(world, 10 * SECOND);
    assert_int_equal(world->sent_count, 1);
    expect_no_room(&call, 100);
}

static void test_large_requests_that_there_is_no_room_for(void **state) {
    struct world *world = *state;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    struct call before, call;
    uint8_t image[8192] = {0};
    start(world, "lo", 1, 100);
    world_add_members(world, lamps, 3);
    lamps->repair_large_requests = true;
    world_mapping(world, "pair")->target_count = 1;
    world_get(world, &before, "/pair");
    struct cg_request *request = world_new(world, &call, "/lamps");
    request->method = CG_PUT;
    request->payload = cg_slice_of(image, sizeof image);
    request->has_timeout = true;
    request->timeout_s = 3;
    world_go(world, &call);
    world_advance(world, 10 * SECOND);
    assert_int_equal(world->sent_count, 1);
    expect_no_room(&call, 300); /* its three members need one window each */
}

/* The members' requests, their repetitions included, take room from each other and from the groups'. */
static void test_requests_to_members_and_their_repetitions_count(void **state) {
    struct world *world = *state;
    struct call call;
    start(world, "lo", 4, 5);
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 9);
    lamps->repair_unicast = true;
    lamps->leisure = 1;
    lamps->timeout_us = 60 * SECOND;
    world_get(world, &call, "/lamps");
    world_advance(world, 59 * SECOND);
    assert_int_equal(most_in(world, 5 * SECOND), 4);
    assert_true(world->sent_count >= 1 + 9 + 9); /* each was asked, and again */
    bool asked[10] = {false};
    for (size_t i = 1; i < world->sent_count; i++) {
        const struct cg_addr *to = &world->sent[i].route.to;
        if (!cg_addr_is_multicast(to)) asked[to->ip[3]] = true; /* the group is asked again, too */
    }
    for (int i = 1; i <= 9; i++) assert_true(asked[i]);
    world_advance(world, SECOND);
    assert_int_equal(call.replies, 1);
    assert_int_equal(call.reply.summary.missing, 9);
}

/* What only finds out why members are silent takes room, too, and waits for none: by then nobody wants to know. */
static void test_probes_count(void **state) {
    struct world *world = *state;
    struct call call;
    start(world, "lo", 4, 5);
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 9);
    lamps->leisure = 1;
    lamps->timeout_us = 8 * SECOND;
    world->probes = true;
    world_get(world, &call, "/lamps");
    world_advance(world, 9 * SECOND);
    assert_int_equal(most_in(world, 5 * SECOND), 4);
    assert_true(world->sent_count > 4); /* some were pinged */
    assert_int_equal(call.replies, 1);
    assert_int_equal(call.reply.summary.missing, 9);
}

/* Thirty-two members are asked by one round: a group request of another waits behind one of them, not behind all. */
static void test_group_requests_and_members_alternate(void **state) {
    struct world *world = *state;
    struct call call, other;
    start(world, "lo", 1, 1);
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 32);
    lamps->repair_unicast = true;
    lamps->leisure = 1;
    lamps->timeout_us = 60 * SECOND;
    world_mapping(world, "pair")->target_count = 1;
    world_get(world, &call, "/lamps");
    world_advance(world, 3 * SECOND); /* members wait by now */
    size_t before = world->sent_count;
    world_get(world, &other, "/pair");
    world_advance(world, 5 * SECOND / 2);
    assert_true(world->sent_count >= before + 2);
    assert_true(cg_addr_is_multicast(&world->sent[before].route.to) ||
                cg_addr_is_multicast(&world->sent[before + 1].route.to));
    world_advance(world, 60 * SECOND);
}

/* Room that was asked for by a request which is gone is of no use to the next one, whose group has had its bytes. */
static void test_no_group_keeps_room_that_it_cannot_use(void **state) {
    static const char query[] = "n=0123456789012345678901234567890123456789012345678901234567890123456789";
    struct world *world = *state;
    struct call first, gone, large, other;
    start(world, "lo", 1, 2);
    world->config->group.probing_burst = 60;
    world->config->group.probing_rate = 1;
    struct cg_mapping *pair = world_mapping(world, "pair");
    pair->target_count = 1;
    pair->targets[0] = pair->targets[1]; /* another group */
    get_another(world, &first, 1, 60);
    get_another(world, &gone, 2, 60);
    struct cg_request *request = world_new(world, &large, "/lamps");
    request->query = cg_slice_str(query);
    request->has_timeout = true;
    request->timeout_s = 60;
    world_go(world, &large);
    assert_int_equal(world->sent_count, 1);
    cg_gateway_abandon(world->gateway, gone.ticket);
    world_advance(world, 3 * SECOND);
    assert_int_equal(world->sent_count, 1);
    world_get(world, &other, "/pair");
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 2);
    world_advance(world, 57 * SECOND);
    assert_int_equal(world->sent_count, 3);
    world_advance(world, 60 * SECOND);
}

static void test_an_acknowledged_request_is_not_repeated_when_there_is_room(void **state) {
    struct world *world = *state;
    struct call call, other;
    start(world, "lo", 2, 20);
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_mapping(world, "lamps")->timeout_us = 50 * SECOND;
    world_mapping(world, "pair")->target_count = 1;
    world_get(world, &call, "/lamps");
    world_get(world, &other, "/pair");
    world_advance(world, 4 * SECOND); /* it would have been repeated */
    assert_int_equal(world->sent_count, 2);
    uint16_t mid = world->sent[0].msg.mid;
    uint8_t ack[] = {0x60, 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    world_deliver(world, "127.1.0.1", ack, sizeof ack);
    world_advance(world, 40 * SECOND);
    assert_int_equal(world->sent_count, 2);
    world_advance(world, 20 * SECOND);
    assert_int_equal(call.replies, 1);
}

/* A reload that lifts the budget lets go who waits; one that changes it forgets nothing. */
static void test_reloads(void **state) {
    struct world *world = *state;
    struct call calls[4];
    start(world, "lo", 2, 100);
    for (unsigned i = 0; i < 3; i++) get_another(world, &calls[i], i, 60);
    assert_int_equal(world->sent_count, 2);
    world->config->group.send_budgets[0].requests = 3;
    cg_gateway_adopt(world->gateway, world->config);
    world_run(world);
    assert_int_equal(world->sent_count, 3);
    get_another(world, &calls[3], 3, 60);
    assert_int_equal(world->sent_count, 3);
    world->config->group.send_budget_count = 0;
    cg_gateway_adopt(world->gateway, world->config);
    world_run(world);
    assert_int_equal(world->sent_count, 4);
    world_advance(world, 60 * SECOND);
}

/* RFC 10020 §3.6 bounds what goes to a group; the same address by another interface is another group. */
static void test_nstart_is_for_each_interface(void **state) {
    struct world *world = *state;
    struct call here, again, there;
    world->port.zone = fake_zone;
    struct cg_target *other = &world_mapping(world, "pair")->targets[0];
    world_mapping(world, "pair")->target_count = 1;
    other->interface = "eth1";
    other->group = world_mapping(world, "lamps")->targets[0].group;
    world_get(world, &here, "/lamps/a");
    world_get(world, &again, "/lamps/b");
    assert_int_equal(world->sent_count, 1);
    world_get(world, &there, "/pair");
    assert_int_equal(world->sent_count, 2);
    assert_string_equal(world->sent[1].route.interface, "eth1");
    world_advance(world, 10 * SECOND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_no_window_has_more_than_the_budget),
        world_test(test_an_alternative_name_and_the_only_interface_are_bound_alike),
        world_test(test_other_interfaces_are_not_bound),
        world_test(test_who_waits_in_vain_is_refused_and_takes_nothing),
        world_test(test_an_only_member_that_there_is_no_room_for),
        world_test(test_large_requests_that_there_is_no_room_for),
        world_test(test_requests_to_members_and_their_repetitions_count),
        world_test(test_probes_count),
        world_test(test_group_requests_and_members_alternate),
        world_test(test_no_group_keeps_room_that_it_cannot_use),
        world_test(test_an_acknowledged_request_is_not_repeated_when_there_is_room),
        world_test(test_reloads),
        world_test(test_nstart_is_for_each_interface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
