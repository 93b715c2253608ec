/* What anybody may say to a unicast request of a secured group: unprotected errors and empty messages. A protector
 * stands in that verifies every success and takes every error for one that nothing protects. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

static const char *const identities[] = {"", "first", "second", "third"};

static int open_by_code(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                        struct cg_opened *opened) {
    const struct cg_msg *msg = opening->msg;
    (void)protector;
    (void)job;
    *opened = (struct cg_opened){.code = msg->code, .options = msg->options, .payload = msg->payload};
    if (msg->code >= CG_CODE(4, 0)) return CG_E_UNPROTECTED;
    opened->verified = CASTGATE_VERIFIED_SOURCE;
    opened->identity = cg_slice_str(identities[opening->from.ip[3] & 3]);
    return CG_OK;
}

static struct cg_protector_ops ops;
static struct cg_protector protector = {.ops = &ops};

/* "lamps" has so many members, all known by their credentials, and is repaired after a second. */
static struct cg_mapping *secured_init(struct world *world, unsigned members) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    ops = *cg_protector_none()->ops;
    ops.open = open_by_code;
    world_add_members(world, lamps, members);
    for (unsigned i = 0; i < members; i++) lamps->members[i].identity = cg_slice_str(identities[i + 1]);
    lamps->security = CG_SECURITY_GROUP;
    lamps->protector = &protector;
    lamps->timeout_us = lamps->max_timeout_us = 1000 * SECOND;
    lamps->repair_unicast = true;
    lamps->leisure = 1;
    return lamps;
}

static void ask_with(struct world *world, struct call *call, uint8_t method) {
    world_new(world, call, "/lamps")->method = method;
    world_go(world, call);
}

static void say(struct world *world, size_t index, const char *from, uint8_t code, const char *payload) {
    struct answer answer = {.type = CG_ACK, .code = code, .payload = payload};
    answer.mid = world->sent[index].msg.mid;
    world_answer_as(world, index, from, answer);
    world_run(world);
}

static void acknowledge(struct world *world, size_t index) {
    uint16_t mid = world->sent[index].msg.mid;
    uint8_t bytes[] = {0x60, 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    world_deliver(world, "127.1.0.1", bytes, sizeof bytes);
}

static bool are_apart(const struct world *world, size_t a, size_t b) {
    const struct cg_msg *one = &world->sent[a].msg, *other = &world->sent[b].msg;
    return one->mid != other->mid && memcmp(one->token.bytes, other->token.bytes, CG_TOKEN_MAX) != 0;
}

/* The member's answer was lost, and it takes the repetition for a replay. */
static void a_new_request_follows_and_its_answer_makes_the_error_no_news(void **state) {
    struct world *world = *state;
    struct call call;
    secured_init(world, 1);
    ask_with(world, &call, CG_GET);
    world_advance(world, 3 * SECOND);
    assert_int_equal(world->sent_count, 2);
    say(world, 1, "127.1.0.1", CG_CODE(4, 1), "Replay detected");
    assert_int_equal(world->sent_count, 3); /* at once */
    assert_true(are_apart(world, 1, 2));
    say(world, 2, "127.1.0.1", CG_CODE(2, 5), "on");
    assert_int_equal(call.reply.summary.answered, 1);
    assert_int_equal(call.reply.summary.rejected, 0);
    assert_non_null(strstr(call.text, "\"rejected\":[]"));
    call_fini(&call);
}

static void each_error_of_the_standard_is_one_and_no_other(void **state) {
    static const struct {
        uint8_t code;
        bool follows;
    } codes[] = {{CG_CODE(4, 0), true},  {CG_CODE(4, 1), true},  {CG_CODE(4, 2), true},
                 {CG_CODE(4, 4), false}, {CG_CODE(5, 3), false}, {CG_CODE(4, 3), false}};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct world world;
        struct call call;
        world_init(&world);
        secured_init(&world, 1);
        ask_with(&world, &call, CG_GET);
        say(&world, 0, "127.1.0.1", codes[i].code, "");
        assert_int_equal(world.sent_count, codes[i].follows ? 2 : 1);
        say(&world, world.sent_count - 1, "127.1.0.1", CG_CODE(2, 5), "on");
        assert_int_equal(call.reply.summary.rejected, codes[i].follows ? 0 : 1);
        call_fini(&call);
        world_fini(&world);
    }
}

/* It is not for silence that it follows, so its timeout is the first once more; and who has taken one repetition for a
 * replay takes all of them for one. */
static void timeouts_begin_anew_and_nothing_is_repeated(void **state) {
    struct world *world = *state;
    struct call call;
    secured_init(world, 1);
    ask_with(world, &call, CG_GET);
    world_advance(world, 3 * SECOND);
    assert_int_equal(world->sent_count, 2);
    uint64_t first_us = world->sent[1].at_us - world->sent[0].at_us;
    say(world, 1, "127.1.0.1", CG_CODE(4, 1), "Replay detected");
    assert_int_equal(world->sent_count, 3);
    world_advance(world, 100 * SECOND);
    assert_int_equal(world->sent_count, 5);
    assert_int_equal(world->sent[3].at_us - world->sent[2].at_us, first_us);
    assert_int_equal(world->sent[4].at_us - world->sent[3].at_us, 2 * first_us);
    assert_true(are_apart(world, 2, 3));
    assert_true(are_apart(world, 3, 4));
    call_fini(&call);
}

/* Who forges it gains one datagram, in place of one that would have gone out later. */
static void one_request_follows_for_each_member_and_round(void **state) {
    struct world *world = *state;
    struct call call;
    secured_init(world, 1);
    ask_with(world, &call, CG_GET);
    for (int i = 0; i < 100; i++) {
        say(world, 0, "127.1.0.1", CG_CODE(4, 1), "forged");
        say(world, world->sent_count - 1, "127.1.0.1", CG_CODE(4, 1), "forged");
    }
    assert_int_equal(world->sent_count, 2);
    world_advance(world, 94 * SECOND);
    assert_int_equal(world->sent_count, 5); /* no more in all than without */
    world_advance(world, 1000 * SECOND);
    assert_int_equal(call.reply.summary.answered, 0);
    assert_int_equal(call.reply.summary.rejected, 200);
    assert_non_null(strstr(call.text, "\"diagnostic\":\"forged\""));
    call_fini(&call);
}

static void from_another_endpoint_it_is_none(void **state) {
    struct world *world = *state;
    struct call call;
    secured_init(world, 1);
    ask_with(world, &call, CG_GET);
    say(world, 0, "127.1.0.9", CG_CODE(4, 1), "forged");
    assert_int_equal(world->sent_count, 1);
    say(world, 0, "127.1.0.1", CG_CODE(2, 5), "on");
    assert_int_equal(call.reply.summary.rejected, 1); /* and stays to be seen */
    call_fini(&call);
}

static void what_must_not_be_done_twice_is_not(void **state) {
    struct world *world = *state;
    struct call call;
    secured_init(world, 1);
    ask_with(world, &call, CG_POST);
    say(world, 0, "127.1.0.1", CG_CODE(4, 1), "");
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 94 * SECOND);
    assert_int_equal(world->sent_count, 5);
    call_fini(&call);
}

/* What is said of one member is no news when that one has answered, and not before. */
static void each_member_has_its_own(void **state) {
    struct world *world = *state;
    struct call call;
    secured_init(world, 2)->finish.rule = CG_FINISH_DEADLINE;
    world_mapping(world, "lamps")->timeout_us = 20 * SECOND;
    ask_with(world, &call, CG_GET);
    world_advance(world, 2 * SECOND); /* leisure is over: both are asked, if not both by multicast */
    size_t asked[3] = {0};
    for (size_t i = world->sent_count; i-- > 1;) {
        if (!cg_addr_is_multicast(&world->sent[i].route.to)) asked[world->sent[i].route.to.ip[3]] = i;
    }
    if (asked[1] == 0) { /* the second group request comes first */
        world_advance(world, 2 * SECOND);
        for (size_t i = world->sent_count; i-- > 1;) {
            if (!cg_addr_is_multicast(&world->sent[i].route.to)) asked[world->sent[i].route.to.ip[3]] = i;
        }
    }
    assert_true(asked[1] > 0 && asked[2] > 0);
    size_t before = world->sent_count;
    say(world, asked[1], "127.1.0.1", CG_CODE(4, 1), "one");
    say(world, asked[2], "127.1.0.2", CG_CODE(4, 1), "two");
    assert_int_equal(world->sent_count, before + 2);
    say(world, before + 1, "127.1.0.2", CG_CODE(2, 5), "on");
    world_advance(world, 30 * SECOND);
    assert_int_equal(call.reply.summary.answered, 1);
    assert_int_equal(call.reply.summary.rejected, 1);
    assert_non_null(strstr(call.text, "\"diagnostic\":\"one\""));
    assert_null(strstr(call.text, "\"diagnostic\":\"two\""));
    call_fini(&call);
}

/* Anybody can send one who knows a Message ID: it puts the next datagram off, once, and measures nothing. */
static void a_storm_of_acknowledgements_shortens_no_timer(void **state) {
    struct world *world = *state;
    struct call call;
    secured_init(world, 1);
    ask_with(world, &call, CG_GET);
    for (int i = 0; i < 1000; i++) acknowledge(world, 0);
    struct cg_engine *engine = cg_gateway_engine(world->gateway);
    const struct cg_endpoint *endpoint = cg_endpoint_find(engine, &world->sent[0].route.to);
    assert_int_equal(cg_endpoint_timeout_us(engine, endpoint), 2 * SECOND);
    world_advance(world, 4 * SECOND - 1);
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 2 * SECOND); /* twice the timeout of 2 to 3 s */
    assert_int_equal(world->sent_count, 2);
    for (int i = 0; i < 1000; i++) acknowledge(world, 1);
    world_advance(world, 6 * SECOND);
    assert_int_equal(world->sent_count, 3);
    world_advance(world, 80 * SECOND);
    assert_int_equal(world->sent_count, 5);
    call_fini(&call);
}

static void only_what_verifies_measures(void **state) {
    struct world *world = *state;
    struct call call;
    secured_init(world, 1);
    ask_with(world, &call, CG_GET);
    struct cg_engine *engine = cg_gateway_engine(world->gateway);
    const struct cg_endpoint *endpoint = cg_endpoint_find(engine, &world->sent[0].route.to);
    say(world, 0, "127.1.0.1", CG_CODE(4, 4), "nothing protects it");
    assert_int_equal(cg_endpoint_timeout_us(engine, endpoint), 2 * SECOND);
    say(world, 0, "127.1.0.1", CG_CODE(2, 5), "on");
    assert_int_equal(cg_endpoint_timeout_us(engine, endpoint), CG_RTT_FLOOR_US);
    call_fini(&call);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(a_new_request_follows_and_its_answer_makes_the_error_no_news),
        cmocka_unit_test(each_error_of_the_standard_is_one_and_no_other),
        world_test(timeouts_begin_anew_and_nothing_is_repeated),
        world_test(one_request_follows_for_each_member_and_round),
        world_test(from_another_endpoint_it_is_none),
        world_test(what_must_not_be_done_twice_is_not),
        world_test(each_member_has_its_own),
        world_test(a_storm_of_acknowledgements_shortens_no_timer),
        world_test(only_what_verifies_measures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
