/* Rounds and the cache, where the words of conversations do not reach: notifications, Group-ETags, hidden members. */
#include "exchange/fake_world.h"
#include "rounds/cached.h"
#include "rounds/fake_observer.h"

static struct cg_mapping *start(struct world *world) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->cache = true;
    world->config->limits.cache = 100000;
    return lamps;
}

/* Both answer what was sent last. */
static void answer_both(struct world *world, const char *one, const char *other) {
    size_t last = world->sent_count - 1;
    world_answer(world, last, "127.1.0.1", one);
    world_answer(world, last, "127.1.0.2", other);
    world_run(world);
}

static void get(struct world *world, struct call *call) {
    size_t sent = world->sent_count;
    world_get(world, call, "/lamps/x");
    if (world->sent_count > sent) answer_both(world, "on", "off");
    assert_int_equal(call->replies, 1);
}

/* RFC 7641 §2: Observe is not of the Cache-Key, so what observed members say answers others, too. */
static void test_notifications_are_kept(void **state) {
    struct world *world = *state;
    struct observer one;
    struct call call;
    start(world);
    observe(world, &one, "/lamps/x");
    notify_for(world, 0, "127.1.0.1", 1, 30, "on");
    notify_for(world, 0, "127.1.0.2", 1, 30, "off");
    world_advance(world, 10 * SECOND);
    notify_for(world, 0, "127.1.0.1", 2, 30, "dim");
    world_run(world);
    size_t sent = world->sent_count;
    get(world, &call);
    assert_int_equal(world->sent_count, sent);
    assert_non_null(strstr(call.text, "\"dim\""));
    assert_non_null(strstr(call.text, "\"off\""));
    cg_gateway_abandon(world->gateway, one.ticket);
    world_advance(world, 1000 * SECOND);
}

/* Whoever observes registers, whatever is kept. */
static void test_who_observes_asks_the_members(void **state) {
    struct world *world = *state;
    struct observer one;
    struct call call;
    start(world);
    get(world, &call);
    size_t sent = world->sent_count;
    observe(world, &one, "/lamps/x");
    world_advance(world, 10 * SECOND);
    assert_true(world->sent_count > sent);
    cg_gateway_abandon(world->gateway, one.ticket);
    world_advance(world, 1000 * SECOND);
}

static void test_a_reply_has_the_tag_of_what_is_kept(void **state) {
    struct world *world = *state;
    struct call first, second, third;
    start(world);
    get(world, &first);
    get(world, &second);
    assert_true(first.reply.has_group_etag && second.reply.has_group_etag);
    assert_memory_equal(first.reply.group_etag, second.reply.group_etag, CG_GROUP_ETAG_MAX);
    struct cg_request *request = world_new(world, &third, "/lamps/x");
    struct cg_slice tags[] = {cg_slice_str("x"), cg_slice_of(first.reply.group_etag, CG_GROUP_ETAG_MAX)};
    request->group_etags = tags;
    request->group_etag_count = 2;
    world_go(world, &third);
    assert_int_equal(third.reply.status, 304);
    assert_int_equal(third.text_len, 0);
    assert_int_equal(third.reply.summary.answered, 2);
    assert_memory_equal(third.reply.group_etag, first.reply.group_etag, CG_GROUP_ETAG_MAX);
}

/* What somebody else has got meanwhile is newer than what this one gets. */
static void test_a_reply_with_something_older_has_no_tag(void **state) {
    struct world *world = *state;
    struct call slow, quick;
    start(world);
    world_get(world, &slow, "/lamps/x");
    world_answer(world, 0, "127.1.0.1", "on");
    struct cg_request *request = world_new(world, &quick, "/lamps/x");
    request->has_timeout = true;
    request->timeout_s = 5;
    world_go(world, &quick);
    world_advance(world, SECOND / 10);
    assert_int_equal(world->sent_count, 2);
    world_answer(world, 1, "127.1.0.1", "dim");
    world_answer(world, 1, "127.1.0.2", "off");
    world_run(world);
    world_answer(world, 0, "127.1.0.2", "off");
    world_run(world);
    assert_int_equal(slow.replies + quick.replies, 2);
    assert_true(quick.reply.has_group_etag);
    assert_false(slow.reply.has_group_etag);
    world_advance(world, 10 * SECOND);
}

/* R19: the numbers that stand for members say nothing of who they are, so they follow the order in which these
 * answered. */
static void test_hidden_members_are_in_the_order_of_their_answers(void **state) {
    struct world *world = *state;
    struct call first, second;
    struct cg_mapping *lamps = start(world);
    lamps->anonymise = true;
    lamps->stand_in = CG_STAND_IN_MEMBERS;
    world_get(world, &first, "/lamps/x");
    world_answer(world, 0, "127.1.0.2", "off");
    world_answer(world, 0, "127.1.0.1", "on");
    world_run(world);
    get(world, &second);
    assert_true(strstr(second.text, "\"off\"") < strstr(second.text, "\"on\""));
    assert_null(strstr(second.text, "127.1.0"));
    assert_int_equal(world->sent_count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_notifications_are_kept),
        world_test(test_who_observes_asks_the_members),
        world_test(test_a_reply_has_the_tag_of_what_is_kept),
        world_test(test_a_reply_with_something_older_has_no_tag),
        world_test(test_hidden_members_are_in_the_order_of_their_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
