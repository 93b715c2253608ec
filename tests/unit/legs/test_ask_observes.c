/* Unicast requests that observe: on one token for as long as their owner wants, their own or a cast's. */
#include "legs/fake_owner.h"

#include "legs/upload.h"

#include <string.h>

static bool has_same_token(const struct world *world, size_t one, size_t other) {
    return memcmp(world->sent[one].msg.token.bytes, world->sent[other].msg.token.bytes, CG_TOKEN_MAX) == 0;
}

static void deliver_empty(struct world *world, uint8_t type, uint16_t mid) {
    const uint8_t empty[] = {(uint8_t)(0x40 | type << 4), 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    world_deliver(world, "127.1.0.1", empty, sizeof empty);
}

/* On the acknowledgement of emission `index`. */
static void piggyback(struct world *world, size_t index, const char *payload) {
    notify_as(world, index, "127.1.0.1", CG_ACK, world->sent[index].msg.mid, payload);
}

static struct cg_ask *observe(struct owner *owner) {
    struct cg_ask *ask = owner_ask(owner, NULL);
    piggyback(owner->world, owner->world->sent_count - 1, "on");
    assert_int_equal(owner->answers, 1);
    return ask;
}

static void test_an_answer_does_not_end_it(void **state) {
    struct world *world = *state;
    struct owner owner, other;
    world->config->group.nstart = 1;
    owner_init(&owner, world);
    owner_init(&other, world);
    struct cg_ask *ask = observe(&owner);
    struct cg_ask *next = owner_ask(&other, NULL);
    assert_int_equal(other.sent, 1); /* its place at the address is free */
    cg_ask_end(owner_engine(&owner), next);
    world_advance(world, 1000 * SECOND);
    assert_int_equal(world->sent_count, 2); /* and nothing is said again */
    notify_as(world, 0, "127.1.0.1", CG_NON, 900, "off");
    assert_string_equal(owner.payload, "off");
    notify_as(world, 0, "127.1.0.1", CG_CON, 901, "on again");
    assert_int_equal(owner.answers, 3);
    assert_int_equal(world->sent_count, 3);
    assert_int_equal(world->sent[2].msg.type, CG_ACK);
    assert_int_equal(world->sent[2].msg.mid, 901);
    assert_int_equal(owner.rests + owner.ended, 0);
    cg_ask_end(owner_engine(&owner), ask);
    assert_int_equal(owner.keys.released, owner.keys.made);
    assert_null(world->gateway->engine.tokens.live);
}

static void test_a_renewal_is_a_new_request_on_the_token(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_ask *ask = observe(&owner);
    world_advance(world, 60 * SECOND);
    cg_ask_renew(owner_engine(&owner), ask, &owner.request);
    assert_int_equal(owner.sent, 2);
    assert_int_equal(world->sent[1].msg.type, CG_CON);
    assert_true(has_same_token(world, 0, 1));
    assert_int_not_equal(world->sent[0].msg.mid, world->sent[1].msg.mid);
    assert_int_equal(owner.keys.joins, 1);
    assert_int_equal(owner.keys.released, 0); /* the registration before still notifies */
    world_advance(world, 4 * SECOND);
    size_t sent = world->sent_count;
    assert_true(sent >= 3); /* said again, as nothing has come */
    piggyback(world, 1, "off");
    assert_string_equal(owner.payload, "off");
    assert_int_equal(owner.keys.opened_with, 2);
    assert_int_equal(owner.keys.released, owner.keys.made - 1);
    world_advance(world, 200 * SECOND);
    assert_int_equal(world->sent_count, sent);
    cg_ask_end(owner_engine(&owner), ask);
    assert_int_equal(owner.keys.released, owner.keys.made);
}

static void test_whoever_does_not_answer_a_renewal_is_heard_on(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_ask *ask = observe(&owner);
    cg_ask_renew(owner_engine(&owner), ask, &owner.request);
    world_advance(world, 300 * SECOND);
    assert_int_equal(world->sent_count, 6); /* MAX_RETRANSMIT */
    for (size_t i = 1; i < 6; i++) assert_true(has_same_token(world, 0, i));
    assert_int_equal(owner.rests, 1);
    assert_int_equal(owner.ended, 0);
    notify_as(world, 0, "127.1.0.1", CG_NON, 900, "back");
    assert_string_equal(owner.payload, "back");
    cg_ask_renew(owner_engine(&owner), ask, &owner.request);
    piggyback(world, 6, "off");
    assert_int_equal(owner.answers, 3);
    assert_int_equal(owner.keys.released, owner.keys.made - 1);
    cg_ask_end(owner_engine(&owner), ask);
}

static void test_a_renewal_that_cannot_go_out_leaves_it_as_it_was(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_ask *ask = observe(&owner);
    world->emit_error = CG_E_EMIT;
    cg_ask_renew(owner_engine(&owner), ask, &owner.request);
    assert_int_equal(owner.unsent, 1);
    assert_int_equal(owner.ended, 0);
    assert_int_equal(owner.problem.err, CG_E_EMIT);
    assert_int_equal(owner.keys.released, 1);
    world->emit_error = 0;
    notify_as(world, 0, "127.1.0.1", CG_NON, 900, "off");
    assert_int_equal(owner.answers, 2);
    cg_ask_renew(owner_engine(&owner), ask, &owner.request);
    assert_int_equal(owner.sent, 2);
    cg_ask_end(owner_engine(&owner), ask);
}

static void test_notifications_come_while_a_renewal_waits_for_its_address(void **state) { /* NSTART */
    struct world *world = *state;
    struct owner owner, other;
    world->config->group.nstart = 1;
    owner_init(&owner, world);
    owner_init(&other, world);
    struct cg_ask *ask = observe(&owner);
    struct cg_ask *before = owner_ask(&other, NULL);
    cg_ask_renew(owner_engine(&owner), ask, &owner.request);
    assert_int_equal(owner.sent, 1);
    notify_as(world, 0, "127.1.0.1", CG_NON, 900, "off");
    assert_string_equal(owner.payload, "off"); /* not what the renewal wants to know */
    cg_ask_end(owner_engine(&owner), before);
    world_run(world);
    assert_int_equal(owner.sent, 2);
    cg_ask_end(owner_engine(&owner), ask);
}

static void test_a_waiting_renewal_may_become_a_cancellation(void **state) {
    struct world *world = *state;
    struct owner owner, other;
    world->config->group.nstart = 1;
    owner_init(&owner, world);
    owner_init(&other, world);
    struct cg_ask *ask = observe(&owner);
    struct cg_ask *before = owner_ask(&other, NULL);
    cg_ask_renew(owner_engine(&owner), ask, &owner.request);
    cg_ask_renew(owner_engine(&owner), ask, &owner.cancellation);
    cg_ask_end(owner_engine(&owner), before);
    world_run(world);
    assert_int_equal(owner.sent, 2);
    uint32_t value = 0;
    assert_true(cg_msg_find_uint(&world->sent[2].msg, CG_OPT_OBSERVE, &value));
    assert_int_equal(value, 1);
    world_advance(world, 200 * SECOND);
    assert_int_equal(owner.unsent, 0);
    cg_ask_end(owner_engine(&owner), ask);
}

/* RFC 7641 §3.6: the response to the cancellation has no Observe, and what has is not it. */
static void test_a_cancellation_is_not_answered_by_a_notification(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_ask *ask = observe(&owner);
    cg_ask_renew(owner_engine(&owner), ask, &owner.cancellation);
    notify_as(world, 0, "127.1.0.1", CG_NON, 900, "off");
    assert_int_equal(owner.answers, 1);
    world_advance(world, 4 * SECOND);
    size_t sent = world->sent_count;
    assert_true(sent >= 3); /* it is said again */
    world_answer_as(world, 1, "127.1.0.1",
                    (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5), .mid = world->sent[1].msg.mid});
    assert_int_equal(owner.answers, 2);
    world_advance(world, 200 * SECOND);
    assert_int_equal(world->sent_count, sent);
    cg_ask_end(owner_engine(&owner), ask);
}

/* A member that wants to see that it is fresh has not renewed anything: what it had goes on. */
static void test_a_challenged_renewal_keeps_the_registration_before(void **state) {
    struct world *world = *state;
    struct owner owner;
    struct cg_opt echo = {.number = CG_OPT_ECHO, .value = cg_slice_str("12345678")};
    const struct cg_opts options = {.list = &echo, .count = 1};
    owner_init(&owner, world);
    struct cg_ask *ask = observe(&owner);
    cg_ask_renew(owner_engine(&owner), ask, &owner.request);
    world_answer_as(
        world, 1, "127.1.0.1",
        (struct answer){.type = CG_ACK, .code = CG_CODE(4, 1), .mid = world->sent[1].msg.mid, .options = &options});
    assert_int_equal(owner.challenges, 1);
    assert_int_equal(owner.sent, 3);
    assert_true(has_same_token(world, 0, 2));
    assert_true(cg_msg_find(&world->sent[2].msg, CG_OPT_ECHO, &echo.value));
    assert_int_equal(owner.keys.released, 0);
    assert_int_equal(owner.keys.joins, 2);
    piggyback(world, 2, "off");
    assert_int_equal(owner.answers, 2);
    assert_int_equal(owner.keys.released, 2);
    cg_ask_end(owner_engine(&owner), ask);
}

/* RFC 7252 §4.2: of a member that has forgotten all. What it notifies later tells otherwise. */
static void test_a_reset_renewal_is_over(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_ask *ask = observe(&owner);
    cg_ask_renew(owner_engine(&owner), ask, &owner.request);
    deliver_empty(world, CG_RST, world->sent[1].msg.mid);
    assert_int_equal(owner.rests, 1);
    assert_int_equal(owner.ended, 0);
    world_advance(world, 200 * SECOND);
    assert_int_equal(world->sent_count, 2);
    cg_ask_end(owner_engine(&owner), ask);
    ask = owner_ask(&owner, NULL);
    deliver_empty(world, CG_RST, world->sent[2].msg.mid);
    assert_int_equal(owner.ended, 1); /* nothing has been observed */
}

/* Months later its Message ID is another request's. */
static void test_what_was_answered_is_not_acknowledged_again(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_ask *ask = observe(&owner);
    deliver_empty(world, CG_ACK, world->sent[0].msg.mid);
    assert_int_equal(world->gateway->totals.fates[CG_FATE_ACKNOWLEDGEMENT], 0);
    assert_int_equal(world->gateway->totals.fates[CG_FATE_STRAY_EMPTY], 1);
    cg_ask_end(owner_engine(&owner), ask);
}

/* A notification that comes by itself tells nothing of how long a request takes. */
static void test_only_what_is_piggybacked_measures(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_ask *ask = owner_ask(&owner, NULL);
    const struct cg_endpoint *endpoint = ask->turn.endpoint;
    uint64_t before_us = cg_endpoint_timeout_us(owner_engine(&owner), endpoint);
    world_advance(world, SECOND);
    notify_as(world, 0, "127.1.0.1", CG_NON, 900, "on");
    notify_as(world, 0, "127.1.0.1", CG_NON, 901, "off");
    assert_int_equal(owner.answers, 2);
    assert_int_equal(cg_endpoint_timeout_us(owner_engine(&owner), endpoint), before_us);
    cg_ask_renew(owner_engine(&owner), ask, &owner.request);
    world_advance(world, SECOND / 10);
    piggyback(world, 1, "on");
    assert_int_not_equal(cg_endpoint_timeout_us(owner_engine(&owner), endpoint), before_us);
    cg_ask_end(owner_engine(&owner), ask);
}

static void test_an_acknowledged_request_is_answered_separately(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_ask *ask = owner_ask(&owner, NULL);
    deliver_empty(world, CG_ACK, world->sent[0].msg.mid);
    world_advance(world, 100 * SECOND);
    assert_int_equal(world->sent_count, 1);
    notify_as(world, 0, "127.1.0.1", CG_CON, 900, "on");
    assert_int_equal(owner.answers, 1);
    assert_int_equal(world->sent[1].msg.type, CG_ACK);
    cg_ask_end(owner_engine(&owner), ask);
}

/* Following up a cast (RFC 10020 §3.7) */

static void test_an_ask_shares_the_token_of_a_cast(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    struct cg_ask *ask = owner_ask(&owner, &cast->leg);
    assert_int_equal(world->sent_count, 2);
    assert_true(has_same_token(world, 0, 1));
    assert_int_not_equal(world->sent[0].msg.mid, world->sent[1].msg.mid);
    assert_int_equal(owner.keys.joins, 1);
    notify_as(world, 0, "127.1.0.2", CG_NON, 1, "another's");
    assert_ptr_equal(owner.told, &cast->leg);
    notify_as(world, 0, "127.1.0.1", CG_NON, 2, "on"); /* to the cast, or to the ask: nobody knows */
    assert_ptr_equal(owner.told, &ask->leg);
    assert_int_equal(owner.keys.opened_with, 2);
    assert_int_equal(owner.arrival.via, CASTGATE_VIA_UNICAST);
    world_advance(world, 100 * SECOND);
    assert_int_equal(world->sent_count, 2); /* it rests */
    cg_ask_end(owner_engine(&owner), ask);
    assert_non_null(world->gateway->engine.tokens.live);
    notify_as(world, 1, "127.1.0.1", CG_NON, 3, "off");
    assert_ptr_equal(owner.told, &cast->leg);
    assert_string_equal(owner.payload, "off");
    cg_cast_end(owner_engine(&owner), cast);
    assert_null(world->gateway->engine.tokens.live);
    assert_int_equal(owner.keys.released, 2);
}

/* Small devices answer a group request on an acknowledgement of it. */
static void test_what_fits_the_cast_alone_is_the_casts(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    struct cg_ask *ask = owner_ask(&owner, &cast->leg);
    piggyback(world, 0, "on");
    assert_ptr_equal(owner.told, &cast->leg);
    assert_int_equal(owner.refused, 0);
    piggyback(world, 1, "on");
    assert_ptr_equal(owner.told, &ask->leg);
    cg_ask_end(owner_engine(&owner), ask);
    cg_cast_end(owner_engine(&owner), cast);
}

static void test_all_that_an_ask_says_anew_is_on_the_token(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    struct cg_ask *ask = owner_ask(&owner, &cast->leg);
    world_advance(world, 40 * SECOND);
    assert_true(world->sent_count >= 4);
    assert_true(owner.keys.made >= 3); /* the third of its datagrams is a new request */
    for (size_t i = 1; i < world->sent_count; i++) assert_true(has_same_token(world, 0, i));
    piggyback(world, 1, "on"); /* the first of them is answered */
    assert_int_equal(owner.answers, 1);
    cg_ask_end(owner_engine(&owner), ask);
    cg_cast_end(owner_engine(&owner), cast);
    assert_int_equal(owner.keys.released, owner.keys.made);
}

static void test_a_follow_up_joins_what_the_cast_sent_last(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    world_advance(world, 10 * SECOND);
    cg_cast_renew(owner_engine(&owner), cast, &owner.request, world->now_us + SECOND);
    struct cg_ask *ask = owner_ask(&owner, &cast->leg);
    assert_int_equal(owner.keys.joins, 2);
    owner.ends_at_answer = true;
    notify_as(world, 2, "127.1.0.1", CG_CON, 5, "on");
    assert_int_equal(world->sent[3].msg.type, CG_ACK);
    assert_int_equal(world->gateway->engine.asks, 0);
    (void)ask;
    cg_cast_end(owner_engine(&owner), cast);
    assert_int_equal(owner.keys.released, owner.keys.made);
}

/* Their owner ends them in whatever order. */
static void test_a_cast_may_end_before_who_shares_its_token(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    struct cg_ask *ask = owner_ask(&owner, &cast->leg);
    cg_cast_end(owner_engine(&owner), cast);
    notify_as(world, 1, "127.1.0.2", CG_NON, 1, "nobody's");
    assert_int_equal(owner.answers, 0);
    piggyback(world, 1, "on");
    assert_int_equal(owner.answers, 1);
    cg_ask_end(owner_engine(&owner), ask);
    assert_null(world->gateway->engine.tokens.live);
}

/* Large requests */

static void on_upload_sent(struct cg_engine *engine, struct cg_upload *upload) { (void)engine, (void)upload; }

static bool is_upload_wanted(const struct cg_upload *upload) {
    (void)upload;
    return true;
}

static void test_what_is_sent_in_blocks_observes_nothing(void **state) {
    static const struct cg_upload_ops upload_ops = {.sent = on_upload_sent, .is_wanted = is_upload_wanted};
    struct world *world = *state;
    struct owner owner;
    struct cg_upload upload;
    struct cg_problem problem = {0};
    struct cg_slice ignored;
    owner_init(&owner, world);
    owner.mapping.block_size = 16;
    owner.request.method = CG_FETCH;
    owner.request.payload = cg_slice_str("0123456789abcdefghij");
    const struct cg_upload_plan plan = {.order = owner_order(&owner), .to = address("127.1.0.1")};
    assert_true(cg_upload_init(owner_engine(&owner), &upload, &upload_ops, &plan, &problem));
    cg_upload_go(owner_engine(&owner), &upload);
    assert_int_equal(world->sent_count, 1);
    assert_true(cg_msg_find(&world->sent[0].msg, CG_OPT_BLOCK1, &ignored));
    assert_false(cg_msg_find(&world->sent[0].msg, CG_OPT_OBSERVE, &ignored));
    assert_false(upload.ask->leg.request->observes);
    cg_upload_fini(owner_engine(&owner), &upload);
    assert_null(world->gateway->engine.tokens.live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_an_answer_does_not_end_it),
        world_test(test_a_renewal_is_a_new_request_on_the_token),
        world_test(test_whoever_does_not_answer_a_renewal_is_heard_on),
        world_test(test_a_renewal_that_cannot_go_out_leaves_it_as_it_was),
        world_test(test_notifications_come_while_a_renewal_waits_for_its_address),
        world_test(test_a_waiting_renewal_may_become_a_cancellation),
        world_test(test_a_cancellation_is_not_answered_by_a_notification),
        world_test(test_a_challenged_renewal_keeps_the_registration_before),
        world_test(test_a_reset_renewal_is_over),
        world_test(test_what_was_answered_is_not_acknowledged_again),
        world_test(test_only_what_is_piggybacked_measures),
        world_test(test_an_acknowledged_request_is_answered_separately),
        world_test(test_an_ask_shares_the_token_of_a_cast),
        world_test(test_what_fits_the_cast_alone_is_the_casts),
        world_test(test_all_that_an_ask_says_anew_is_on_the_token),
        world_test(test_a_follow_up_joins_what_the_cast_sent_last),
        world_test(test_a_cast_may_end_before_who_shares_its_token),
        world_test(test_what_is_sent_in_blocks_observes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
