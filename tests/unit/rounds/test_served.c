/* Rounds that were served from the cache and are kept for whoever asks the same: how long, for whom, at what cost. */
#include "exchange/fake_world.h"
#include "rounds/served.h"
#include "rounds/fake_observer.h"

static struct cg_mapping *start(struct world *world) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->cache = true;
    world->config->limits.cache = 100000;
    return lamps;
}

/* Both answer what it sends, if anything. */
static void get(struct world *world, const char *path, struct call *call) {
    size_t sent = world->sent_count;
    world_get(world, call, path);
    if (world->sent_count > sent) {
        world_answer(world, sent, "127.1.0.1", "on");
        world_answer(world, sent, "127.1.0.2", "off");
        world_run(world);
    }
    assert_int_equal(call->replies, 1);
}

/* What is kept of answers, and has been given once. */
static void serve_once(struct world *world) {
    struct call asked, served;
    get(world, "/lamps/x", &asked);
    assert_null(world->gateway->rounds.all);
    get(world, "/lamps/x", &served);
}

static size_t cached_bytes(const struct world *world) { return cg_gateway_totals(world->gateway)->cache_bytes; }

static void test_who_asks_the_same_gets_the_same(void **state) {
    struct world *world = *state;
    struct call call;
    start(world);
    serve_once(world);
    const struct cg_round *kept = world->gateway->rounds.all;
    assert_non_null(kept);
    get(world, "/lamps/x", &call);
    assert_ptr_equal(world->gateway->rounds.all, kept);
    assert_null(kept->next);
    assert_int_equal(call.reply.summary.answered, 2);
    assert_string_equal(call.reply.summary.ended_by, "all");
    assert_non_null(strstr(call.text, "\"off\""));
    assert_int_equal(world->sent_count, 1);
    get(world, "/lamps/x?y", &call);
    assert_int_equal(world->sent_count, 2);
}

static void test_it_lasts_to_the_next_second(void **state) {
    struct world *world = *state;
    start(world);
    world_advance(world, SECOND / 4);
    serve_once(world);
    size_t bytes = cached_bytes(world);
    world_advance(world, SECOND / 2);
    assert_non_null(world->gateway->rounds.all);
    world_advance(world, SECOND / 4);
    assert_null(world->gateway->rounds.all);
    assert_true(cached_bytes(world) < bytes);
}

static void test_it_ends_with_the_first_answer_that_is_stale(void **state) {
    static const uint8_t second = 1;
    struct world *world = *state;
    struct call call;
    const struct cg_opt max_age = {CG_OPT_MAX_AGE, cg_slice_of(&second, 1)};
    const struct cg_opts options = {.list = (struct cg_opt *)&max_age, .count = 1};
    start(world);
    world_advance(world, SECOND / 2);
    world_get(world, &call, "/lamps/x");
    world_answer_as(
        world, 0, "127.1.0.1",
        (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .mid = 1, .payload = "on", .options = &options});
    world_answer(world, 0, "127.1.0.2", "off");
    world_run(world);
    world_advance(world, SECOND * 3 / 4);
    get(world, "/lamps/x", &call);
    assert_int_equal(world->sent_count, 1);
    assert_non_null(world->gateway->rounds.all);
    world_advance(world, SECOND / 4);
    assert_null(world->gateway->rounds.all);
    get(world, "/lamps/x", &call);
    assert_int_equal(world->sent_count, 2);
}

/* An answer that is newer, however fresh the one before is. */
static void test_what_has_changed_is_not_given(void **state) {
    struct world *world = *state;
    struct observer one;
    struct call call;
    start(world);
    observe(world, &one, "/lamps/x");
    notify_for(world, 0, "127.1.0.1", 1, 30, "on");
    notify_for(world, 0, "127.1.0.2", 1, 30, "off");
    get(world, "/lamps/x", &call);
    assert_non_null(strstr(call.text, "\"on\""));
    notify_for(world, 0, "127.1.0.1", 2, 30, "dim");
    world_run(world);
    get(world, "/lamps/x", &call);
    assert_non_null(strstr(call.text, "\"dim\""));
    assert_null(strstr(call.text, "\"on\""));
    cg_gateway_abandon(world->gateway, one.ticket);
    world_advance(world, 1000 * SECOND);
}

/* What others are told does not count. */
static void test_what_has_changed_elsewhere_does_not_matter(void **state) {
    struct world *world = *state;
    struct call call;
    start(world);
    serve_once(world);
    const struct cg_round *kept = world->gateway->rounds.all;
    get(world, "/lamps/y", &call);
    get(world, "/lamps/x", &call);
    assert_ptr_equal(world->gateway->rounds.all, kept);
    assert_null(kept->next);
}

static void test_each_client_has_its_own_tags(void **state) {
    struct world *world = *state;
    struct call first, second, third;
    start(world);
    serve_once(world);
    get(world, "/lamps/x", &first);
    assert_true(first.reply.has_group_etag);
    struct cg_request *request = world_new(world, &second, "/lamps/x");
    struct cg_slice tag = cg_slice_of(first.reply.group_etag, CG_GROUP_ETAG_MAX);
    request->group_etags = &tag;
    request->group_etag_count = 1;
    world_go(world, &second);
    assert_int_equal(second.reply.status, 304);
    get(world, "/lamps/x", &third);
    assert_int_equal(third.reply.status, 200);
    assert_int_equal(world->sent_count, 1);
}

/* The cache is held to its bound, which has room for answers first. */
static void test_without_room_nothing_is_kept(void **state) {
    struct world *world = *state;
    struct call call;
    start(world);
    get(world, "/lamps/x", &call);
    world->gateway->cache.max = cached_bytes(world) + sizeof(struct cg_round);
    size_t bytes = cached_bytes(world);
    get(world, "/lamps/x", &call);
    assert_int_equal(world->sent_count, 1);
    assert_null(world->gateway->rounds.all);
    assert_int_equal(cached_bytes(world), bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_who_asks_the_same_gets_the_same),
        world_test(test_it_lasts_to_the_next_second),
        world_test(test_it_ends_with_the_first_answer_that_is_stale),
        world_test(test_what_has_changed_is_not_given),
        world_test(test_what_has_changed_elsewhere_does_not_matter),
        world_test(test_each_client_has_its_own_tags),
        world_test(test_without_room_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
