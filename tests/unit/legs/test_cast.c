/* Group requests that observe: renewed and cancelled on their token. */
#include "legs/fake_owner.h"

#include <string.h>

static const uint8_t *token_of(const struct world *world, size_t index) { return world->sent[index].msg.token.bytes; }

static bool has_same_token(const struct world *world, size_t one, size_t other) {
    return memcmp(token_of(world, one), token_of(world, other), CG_TOKEN_MAX) == 0;
}

static void renew(struct owner *owner, struct cg_cast *cast) {
    struct cg_engine *engine = owner_engine(owner);
    cg_cast_renew(engine, cast, &owner->request, engine->now_us + 4 * SECOND);
}

/* RFC 7641 §3.3.1, RFC 10020 §3.7 */
static void test_a_renewal_goes_out_on_the_token_with_a_mid_of_its_own(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    assert_int_equal(owner.sent, 1);
    notify_as(world, 0, "127.1.0.1", CG_NON, 1, "on");
    assert_int_equal(owner.answers, 1);
    world_advance(world, 10 * SECOND);
    renew(&owner, cast);
    assert_int_equal(owner.sent, 2);
    assert_int_equal(owner.ended + owner.unsent, 0);
    assert_int_equal(world->sent_count, 2);
    assert_int_equal(world->sent[1].msg.type, CG_NON);
    assert_true(has_same_token(world, 0, 1));
    assert_int_not_equal(world->sent[0].msg.mid, world->sent[1].msg.mid);
    assert_int_equal(owner.keys.joins, 1); /* answers to either are opened with either */
    assert_int_equal(owner.keys.released, 1);
    notify_as(world, 0, "127.1.0.2", CG_NON, 1, "off");
    assert_int_equal(owner.answers, 2);
    assert_int_equal(owner.keys.opened_with, 2);
    assert_string_equal(owner.payload, "off");
    cg_cast_end(owner_engine(&owner), cast);
    assert_int_equal(owner.keys.released, owner.keys.made);
    assert_null(world->gateway->engine.tokens.live);
}

static void test_answers_count_while_a_renewal_is_under_way(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    uint64_t sent_us = cast->leg.sending.sent_us;
    world_advance(world, 10 * SECOND);
    owner.keys.seals_later = true;
    renew(&owner, cast);
    assert_true(cg_cast_is_renewing(cast));
    assert_int_equal(cast->leg.sending.sent_us, sent_us);
    notify_as(world, 0, "127.1.0.1", CG_NON, 1, "on");
    assert_int_equal(owner.answers, 1);
    assert_int_equal(owner.keys.opened_with, 1);
    assert_int_equal(owner.arrival.request, 1);
    seal_now(&owner, cg_slice_of(world->sent[0].bytes, world->sent[0].len));
    assert_int_equal(owner.sent, 2);
    assert_false(cg_cast_is_renewing(cast));
    cg_cast_end(owner_engine(&owner), cast);
}

/* What is being verified when the renewal goes out is not lost by it. */
static void test_an_answer_that_is_being_opened_outlasts_a_renewal(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    owner.keys.opens_later = true;
    notify_as(world, 0, "127.1.0.1", CG_NON, 1, "on");
    uint64_t job = owner.keys.open_job;
    owner.keys.opens_later = false;
    world_advance(world, 10 * SECOND);
    renew(&owner, cast);
    assert_int_equal(owner.sent, 2);
    assert_int_equal(owner.answers, 0);
    const struct cg_opened opened = {.code = CG_CODE(2, 5), .payload = cg_slice_str("late")};
    cg_engine_opened(owner_engine(&owner), job, CG_OK, &opened);
    assert_string_equal(owner.payload, "late");
    assert_int_equal(cast->leg.opening, 0);
    world_advance(world, 10 * SECOND);
    renew(&owner, cast);
    assert_int_equal(owner.keys.released, 2); /* nothing of it stays */
    cg_cast_end(owner_engine(&owner), cast);
    assert_int_equal(owner.keys.released, 3);
}

static void test_a_renewal_that_cannot_go_out_leaves_it_as_it_was(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    world_advance(world, 10 * SECOND);
    world->emit_error = CG_E_EMIT;
    renew(&owner, cast);
    assert_int_equal(owner.unsent, 1);
    assert_int_equal(owner.ended, 0);
    assert_int_equal(owner.problem.err, CG_E_EMIT);
    assert_int_equal(owner.keys.released, 1);
    assert_false(cg_cast_is_renewing(cast));
    world->emit_error = 0;
    notify_as(world, 0, "127.1.0.1", CG_NON, 1, "on");
    assert_int_equal(owner.answers, 1);
    assert_int_equal(owner.keys.opened_with, 1);
    renew(&owner, cast);
    assert_int_equal(owner.sent, 2);
    assert_true(has_same_token(world, 0, 1));
    cg_cast_end(owner_engine(&owner), cast);
}

/* Its seal was promised, and comes when another renewal is being sealed. */
static void test_what_is_sealed_too_late_is_not_the_next_renewal(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    owner.keys.seals_later = true;
    renew(&owner, cast);
    uint64_t job = owner.keys.seal_job;
    world_advance(world, 5 * SECOND);
    assert_int_equal(owner.unsent, 1);
    assert_int_equal(owner.problem.err, CG_E_OVERLOAD);
    renew(&owner, cast);
    const struct cg_slice datagram = cg_slice_of(world->sent[0].bytes, world->sent[0].len);
    cg_engine_sealed(owner_engine(&owner), job, CG_OK, datagram, &(struct cg_problem){0});
    assert_int_equal(owner.sent, 1);
    seal_now(&owner, datagram);
    assert_int_equal(owner.sent, 2);
    cg_cast_end(owner_engine(&owner), cast);
    assert_int_equal(owner.keys.released, owner.keys.made);
}

static void test_a_renewal_waits_for_its_groups_turn(void **state) { /* NSTART */
    struct world *world = *state;
    struct owner owner, other;
    world->config->group.nstart = 1;
    owner_init(&owner, world);
    owner_init(&other, world);
    struct cg_cast *cast = owner_cast(&owner);
    world_advance(world, SECOND);
    renew(&owner, cast); /* its own registration is outstanding: 5 s of leisure */
    assert_int_equal(owner.sent, 1);
    assert_true(cg_cast_is_renewing(cast));
    struct cg_cast *behind = owner_cast(&other);
    notify_as(world, 0, "127.1.0.1", CG_NON, 1, "on"); /* somebody is there */
    assert_int_equal(owner.sent, 2);
    assert_int_equal(other.sent, 0); /* the renewal is outstanding anew */
    world_advance(world, 3 * SECOND);
    notify_as(world, 1, "127.1.0.1", CG_NON, 2, "on");
    assert_int_equal(other.sent, 1);
    cg_cast_end(owner_engine(&owner), cast);
    cg_cast_end(owner_engine(&owner), behind);
}

static void test_leisure_ends_an_outstanding_registration_while_its_renewal_waits(void **state) {
    struct world *world = *state;
    struct owner owner;
    world->config->group.nstart = 1;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    world_advance(world, 2 * SECOND);
    renew(&owner, cast);
    world_advance(world, 3 * SECOND - 1);
    assert_int_equal(owner.sent, 1);
    world_advance(world, 1);
    assert_int_equal(owner.sent, 2);
    cg_cast_end(owner_engine(&owner), cast);
}

static void test_a_waiting_renewal_is_sealed_again_under_new_keys(void **state) { /* R55 */
    struct world *world = *state;
    struct owner owner;
    world->config->group.nstart = 1;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    world_advance(world, 2 * SECOND);
    renew(&owner, cast);
    owner.keys.stale_up_to = 2;
    world_advance(world, 3 * SECOND);
    assert_int_equal(owner.sent, 2);
    assert_int_equal(owner.keys.number, 3);
    assert_int_equal(owner.keys.joins, 1);
    notify_as(world, 1, "127.1.0.1", CG_NON, 1, "on");
    assert_int_equal(owner.keys.opened_with, 3);
    cg_cast_end(owner_engine(&owner), cast);
    assert_int_equal(owner.keys.released, 3);
}

static void test_a_cast_may_end_at_any_time_of_its_renewal(void **state) {
    struct world *world = *state;
    struct owner owner;
    world->config->group.nstart = 1;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    renew(&owner, cast);
    cg_cast_end(owner_engine(&owner), cast); /* waiting */
    cast = owner_cast(&owner);
    owner.keys.seals_later = true;
    renew(&owner, cast);
    cg_cast_end(owner_engine(&owner), cast); /* being sealed */
    assert_int_equal(owner.keys.released, owner.keys.made);
    assert_null(world->gateway->engine.tokens.live);
}

static void test_an_unwanted_renewal_does_not_go_out(void **state) {
    struct world *world = *state;
    struct owner owner;
    owner_init(&owner, world);
    struct cg_cast *cast = owner_cast(&owner);
    world_advance(world, 10 * SECOND);
    owner.unwanted = true;
    renew(&owner, cast);
    assert_int_equal(owner.unsent, 1);
    assert_int_equal(world->sent_count, 1);
    cg_cast_end(owner_engine(&owner), cast);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_a_renewal_goes_out_on_the_token_with_a_mid_of_its_own),
        world_test(test_answers_count_while_a_renewal_is_under_way),
        world_test(test_an_answer_that_is_being_opened_outlasts_a_renewal),
        world_test(test_a_renewal_that_cannot_go_out_leaves_it_as_it_was),
        world_test(test_what_is_sealed_too_late_is_not_the_next_renewal),
        world_test(test_a_renewal_waits_for_its_groups_turn),
        world_test(test_leisure_ends_an_outstanding_registration_while_its_renewal_waits),
        world_test(test_a_waiting_renewal_is_sealed_again_under_new_keys),
        world_test(test_a_cast_may_end_at_any_time_of_its_renewal),
        world_test(test_an_unwanted_renewal_does_not_go_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
