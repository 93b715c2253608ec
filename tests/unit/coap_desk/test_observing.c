/* Clients that observe by CoAP, before a whole gateway: what they hear and for how long, how they renew and cancel, and
 * that nothing is left of them when they have gone. */
#include "coap_desk/fake_peer.h"

#include <string.h>

#include <sodium.h>

enum { REGISTER = 0, CANCEL = 1 };

static struct ask observe(const char *token, int value) {
    return (struct ask){.token = cg_slice_str(token),
                        .path = "lamps",
                        .timeout = 2,
                        .options = {{CG_OPT_OBSERVE, value == REGISTER ? "" : "\x01", 0}}};
}

static void start(struct desk_fixture *f, unsigned members) {
    f->world->config->group.nstart = 100;
    f->world->config->group.probing_burst = 100000;
    world_add_members(f->world, world_mapping(f->world, "lamps"), members);
    desk_start(f);
}

/* From `from`, on emission `index`; one with Observe where `order` is not negative. */
static void say(struct desk_fixture *f, size_t index, const char *from, uint8_t code, int order, const char *payload) {
    static uint16_t mid = 100;
    uint8_t value = (uint8_t)order;
    struct cg_opt option = {.number = CG_OPT_OBSERVE, .value = cg_slice_of(&value, 1)};
    struct cg_opts options = {.list = &option, .count = order < 0 ? 0 : 1};
    world_answer_as(
        f->world, index, from,
        (struct answer){.type = CG_NON, .code = code, .mid = mid++, .options = &options, .payload = payload});
    world_run(f->world);
}

static void notify(struct desk_fixture *f, const char *from, int order, const char *payload) {
    say(f, 0, from, CG_CODE(2, 5), order, payload);
}

static long order_of(const struct said *said) {
    const struct cg_msg msg = {.options = said->options};
    uint32_t value;
    return cg_msg_find_uint(&msg, CG_OPT_OBSERVE, &value) ? (long)value : -1;
}

static void assert_asked(const struct desk_fixture *f, size_t index, uint32_t observe) {
    uint32_t value;
    assert_true(index < f->world->sent_count);
    const struct emission *emission = &f->world->sent[index];
    assert_true(cg_msg_find_uint(&emission->msg, CG_OPT_OBSERVE, &value));
    assert_int_equal(value, observe);
    assert_memory_equal(&emission->msg.token, &f->world->sent[0].msg.token, sizeof emission->msg.token);
}

static void assert_running(const struct desk_fixture *f, size_t count) {
    assert_int_equal(cg_coap_desk_running(f->desk), count);
    assert_int_equal(cg_gateway_running(f->world->gateway), count);
}

static void assert_over(struct desk_fixture *f) {
    assert_running(f, 0);
    assert_asked(f, f->world->sent_count - 1, CANCEL);
}

static void test_it_hears_of_changes_beyond_its_time(void **state) {
    struct desk_fixture *f = *state;
    struct cg_coap_peer *peer = &f->peers[0];
    start(f, 2);
    const struct ask ask = observe("t", REGISTER);
    assert_int_equal(peer_ask(f, peer, &ask), 0);
    assert_asked(f, 0, REGISTER);
    notify(f, "127.1.0.1", 5, "off");
    notify(f, "127.1.0.2", 9, "off");
    world_advance(f->world, 5 * SECOND);
    assert_running(f, 1);
    notify(f, "127.1.0.1", 6, "on");
    assert_int_equal(peer->said_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(peer->said[i].code, CG_CODE(2, 5));
        assert_true(said_has(&peer->said[i], f->world->config->options.reply_from, NULL));
        assert_true(order_of(&peer->said[i]) >= 0);
        assert_true(i == 0 || order_of(&peer->said[i]) > order_of(&peer->said[i - 1]));
    }
    assert_true(cg_slice_is(peer->said[2].payload, "on"));
    assert_int_equal(f->world->sent_count, 1);
}

static void test_it_ends_with_the_last_that_can_be_observed(void **state) {
    struct desk_fixture *f = *state;
    struct cg_coap_peer *peer = &f->peers[0];
    start(f, 2);
    const struct ask ask = observe("t", REGISTER);
    peer_ask(f, peer, &ask);
    notify(f, "127.1.0.1", 5, "off");
    say(f, 0, "127.1.0.2", CG_CODE(2, 5), -1, "fixed");
    assert_int_equal(order_of(&peer->said[1]), -1);
    world_advance(f->world, 5 * SECOND);
    assert_running(f, 1);
    say(f, 0, "127.1.0.1", CG_CODE(4, 4), -1, "gone");
    world_advance(f->world, SECOND);
    assert_int_equal(peer->said_count, 3); /* and nothing of the gateway's own */
    assert_int_equal(peer->said[2].code, CG_CODE(4, 4));
    assert_int_equal(order_of(&peer->said[2]), -1);
    assert_running(f, 0);
    assert_int_equal(peer->holds, 0);
}

static void test_a_renewal_asks_nobody_and_tells_all(void **state) {
    struct desk_fixture *f = *state;
    struct cg_coap_peer *peer = &f->peers[0];
    start(f, 2);
    const struct ask ask = observe("t", REGISTER);
    peer_ask(f, peer, &ask);
    notify(f, "127.1.0.1", 5, "off");
    notify(f, "127.1.0.2", 5, "off");
    notify(f, "127.1.0.2", 6, "on");
    world_advance(f->world, 5 * SECOND);
    long before = order_of(&peer->said[2]);
    peer_ask(f, peer, &ask);
    assert_int_equal(peer->said_count, 5);
    for (size_t i = 3; i < 5; i++) {
        assert_int_equal(peer->said[i].how, SENT);
        assert_true(order_of(&peer->said[i]) > before);
    }
    assert_int_equal(f->world->sent_count, 1);
    assert_running(f, 1);
}

static void test_whatever_ends_it_cancels_it_at_the_members(void **state) {
    static const char *const ends[] = {"observe 1", "early stop", "reset", "gone", "another request"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct desk_fixture *f;
        (void)state;
        assert_int_equal(desk_setup((void **)&f), 0);
        struct cg_coap_peer *peer = &f->peers[0];
        start(f, 2);
        struct ask ask = observe("t", REGISTER);
        peer_ask(f, peer, &ask);
        notify(f, "127.1.0.1", 5, "off");
        world_advance(f->world, 5 * SECOND);
        size_t said = peer->said_count;
        if (i == 0) ask = observe("t", CANCEL);
        if (i == 1) ask = (struct ask){.token = cg_slice_str("t"), .timeout = 0};
        if (i == 4) ask = (struct ask){.token = cg_slice_str("t"), .path = "pair", .timeout = 2};
        if (i == 2) peer_lose(f, peer, "t");
        if (i == 3) peer_go(f, peer);
        if (i != 2 && i != 3) peer_ask(f, peer, &ask);
        world_advance(f->world, SECOND);
        assert_over(f);
        assert_int_equal(peer->said_count, said + (i == 4)); /* 4.00 */
        assert_int_equal(peer->holds, 0);
        assert_int_equal(desk_teardown((void **)&f), 0);
    }
}

static void test_clients_share_an_observation(void **state) {
    struct desk_fixture *f = *state;
    start(f, 2);
    const struct ask ask = observe("t", REGISTER);
    peer_ask(f, &f->peers[0], &ask);
    notify(f, "127.1.0.1", 5, "off");
    world_advance(f->world, 5 * SECOND);
    peer_ask(f, &f->peers[1], &ask);
    assert_int_equal(f->peers[1].said_count, 1);
    assert_true(cg_slice_is(f->peers[1].said[0].payload, "off"));
    notify(f, "127.1.0.1", 6, "on");
    assert_int_equal(f->peers[0].said_count, 2);
    assert_int_equal(f->peers[1].said_count, 2);
    assert_int_equal(f->world->sent_count, 1);
    peer_go(f, &f->peers[0]);
    world_advance(f->world, SECOND);
    assert_running(f, 1);
    assert_int_equal(f->world->sent_count, 1);
}

/* RFC 7641 §4.1. */
static void test_beyond_the_limit_it_is_a_plain_request(void **state) {
    struct desk_fixture *f = *state;
    f->world->config->limits.observers = 1;
    start(f, 2);
    const struct ask ask = observe("t", REGISTER);
    peer_ask(f, &f->peers[0], &ask);
    notify(f, "127.1.0.1", 5, "off");
    world_advance(f->world, SECOND);
    peer_ask(f, &f->peers[1], &ask);
    assert_int_equal(f->world->sent_count, 2);
    assert_false(cg_msg_find(&f->world->sent[1].msg, CG_OPT_OBSERVE, &(struct cg_slice){0}));
    say(f, 1, "127.1.0.1", CG_CODE(2, 5), -1, "off");
    assert_int_equal(f->peers[1].said_count, 1);
    assert_int_equal(order_of(&f->peers[1].said[0]), -1);
    peer_ask(f, &f->peers[1], &ask); /* a renewal of nothing */
    assert_int_equal(f->peers[1].said_count, 1);
    world_advance(f->world, 5 * SECOND);
    assert_int_equal(cg_gateway_running(f->world->gateway), 1);
}

static void test_cancelling_nothing_is_a_plain_request(void **state) {
    struct desk_fixture *f = *state;
    start(f, 2);
    const struct ask ask = observe("t", CANCEL);
    peer_ask(f, &f->peers[0], &ask);
    assert_int_equal(f->world->sent_count, 1);
    assert_false(cg_msg_find(&f->world->sent[0].msg, CG_OPT_OBSERVE, &(struct cg_slice){0}));
    world_advance(f->world, 5 * SECOND);
    assert_running(f, 0);
}

/* ---- One member ---- */

static struct ask observe_first(const char *token, int value) {
    struct ask ask = observe(token, value);
    ask.path = "lamps/.member/first";
    ask.timeout = NO_TIMEOUT;
    return ask;
}

static void test_a_single_member_answers_and_goes_on(void **state) {
    struct desk_fixture *f = *state;
    struct cg_coap_peer *peer = &f->peers[0];
    world_mapping(f->world, "lamps")->stand_in = CG_STAND_IN_MEMBERS;
    start(f, 2);
    struct ask ask = observe_first("t", REGISTER);
    peer_ask(f, peer, &ask);
    assert_int_equal(peer->expects, 1);
    assert_asked(f, 0, REGISTER);
    notify(f, "127.1.0.1", 5, "off");
    notify(f, "127.1.0.1", 6, "on");
    assert_int_equal(peer->said_count, 2);
    assert_int_equal(peer->said[0].type, CG_CON); /* the acknowledgement takes it in */
    assert_int_equal(peer->said[1].type, CG_NON);
    assert_true(order_of(&peer->said[1]) > order_of(&peer->said[0]));
    assert_false(said_has(&peer->said[1], f->world->config->options.reply_from, NULL));
    world_advance(f->world, 200 * SECOND); /* longer than one would wait for its answer */
    assert_running(f, 1);
    ask = observe_first("t", CANCEL);
    peer_ask(f, peer, &ask);
    assert_int_equal(peer->said_count, 3);
    assert_int_equal(peer->expects, 2);
    assert_true(cg_slice_is(peer->said[2].payload, "on"));
    assert_int_equal(order_of(&peer->said[2]), -1);
    world_advance(f->world, SECOND);
    assert_running(f, 0);
    assert_int_equal(peer->holds, 0);
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        desk_test(test_it_hears_of_changes_beyond_its_time),
        desk_test(test_it_ends_with_the_last_that_can_be_observed),
        desk_test(test_a_renewal_asks_nobody_and_tells_all),
        cmocka_unit_test(test_whatever_ends_it_cancels_it_at_the_members),
        desk_test(test_clients_share_an_observation),
        desk_test(test_beyond_the_limit_it_is_a_plain_request),
        desk_test(test_cancelling_nothing_is_a_plain_request),
        desk_test(test_a_single_member_answers_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
