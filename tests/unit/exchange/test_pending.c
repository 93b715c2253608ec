/* A protector that takes its time: sealing and opening that are finished later, after the end, or never. */
#include "exchange/fake_world.h"

#include <stdlib.h>
#include <string.h>

struct slow_protector {
    struct cg_protector protector;
    uint64_t jobs[64];
    size_t count;
    bool seals_late;
    bool opens_late;
    int open_error;
};

struct cg_binding {
    int unused;
};

static struct cg_binding the_binding;
static int bindings_out; /* made and not released */

static int slow_seal(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job, struct cg_buf *out,
                     struct cg_binding **binding, struct cg_problem *problem) {
    struct slow_protector *slow = (struct slow_protector *)protector;
    if (!slow->seals_late) return cg_protector_none()->ops->seal(protector, sealing, job, out, binding, problem);
    slow->jobs[slow->count++] = job;
    *binding = &the_binding;
    bindings_out++;
    return CG_PENDING;
}

static void slow_release(struct cg_protector *protector, struct cg_binding *binding) {
    (void)protector;
    if (binding != NULL) bindings_out--;
}

static int slow_open(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                     struct cg_opened *opened) {
    struct slow_protector *slow = (struct slow_protector *)protector;
    if (slow->open_error < 0) return slow->open_error;
    if (!slow->opens_late) return cg_protector_none()->ops->open(protector, opening, job, opened);
    slow->jobs[slow->count++] = job;
    return CG_PENDING;
}

static const struct cg_protector_ops slow_ops = {
    .name = "slow", .seal = slow_seal, .open = slow_open, .release = slow_release};

/* A world whose "lamps" are protected so. */
struct pending {
    struct world world;
    struct slow_protector slow;
};

static void begin(struct pending *pending) {
    pending->slow = (struct slow_protector){.protector.ops = &slow_ops};
    world_mapping(&pending->world, "lamps")->protector = &pending->slow.protector;
}

static void begin_again(struct pending *pending) {
    world_renew(&pending->world);
    begin(pending);
}

static int setup(void **state) {
    struct pending *pending = malloc(sizeof *pending);
    if (pending == NULL) return -1;
    world_init(&pending->world);
    begin(pending);
    *state = pending;
    return 0;
}

static int teardown(void **state) {
    struct pending *pending = *state;
    world_fini(&pending->world);
    assert_int_equal(bindings_out, 0);
    free(pending);
    return 0;
}

#define pending_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static const uint8_t sealed[] = {0x58, 0x01, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8};

static void test_sealed_later(void **state) {
    struct pending *pending = *state;
    struct world *world = &pending->world;
    struct call call, left;
    pending->slow.seals_late = true;
    world_get(world, &call, "/lamps/a");
    world_get(world, &left, "/lamps/b");
    assert_int_equal(world->sent_count, 0);
    cg_gateway_abandon(world->gateway, left.ticket);
    world_run(world);
    cg_engine_sealed(cg_gateway_engine(world->gateway), pending->slow.jobs[1], CG_OK,
                     cg_slice_of(sealed, sizeof sealed), NULL); /* stale */
    assert_int_equal(world->sent_count, 0);
    cg_engine_sealed(cg_gateway_engine(world->gateway), pending->slow.jobs[0], CG_OK,
                     cg_slice_of(sealed, sizeof sealed), NULL);
    assert_int_equal(world->sent_count, 1);
    assert_ptr_equal(world_round(world, &call)->parts[0].cast->leg.sending.binding, &the_binding);
    cg_engine_sealed(cg_gateway_engine(world->gateway), pending->slow.jobs[0], CG_OK,
                     cg_slice_of(sealed, sizeof sealed), NULL); /* twice */
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.replies, 1);
    assert_int_equal(bindings_out, 0);
}

static void test_sealing_fails(void **state) { /* R53: nothing is emitted, nothing falls back to plain */
    struct pending *pending = *state;
    struct world *world = &pending->world;
    struct call call;
    pending->slow.seals_late = true;
    world_get(world, &call, "/lamps");
    struct cg_problem problem = {0};
    cg_problem_set(&problem, CG_E_STORE, "the store is read-only");
    cg_engine_sealed(cg_gateway_engine(world->gateway), pending->slow.jobs[0], CG_E_STORE, CG_SLICE_NONE, &problem);
    world_run(world);
    assert_int_equal(call.problem.err, CG_E_STORE);
    assert_string_equal(call.problem.detail, "the store is read-only");
    assert_int_equal(world->sent_count, 0);
}

static void expect_retry_after(struct pending *pending, int err, uint32_t said, uint32_t told) {
    struct world *world = &pending->world;
    struct call call;
    begin_again(pending);
    pending->slow.seals_late = true;
    world_get(world, &call, "/lamps");
    struct cg_problem problem = {.retry_after = said};
    cg_problem_set(&problem, err, "no");
    cg_engine_sealed(cg_gateway_engine(world->gateway), pending->slow.jobs[0], err, CG_SLICE_NONE, &problem);
    world_run(world);
    assert_int_equal(call.problem.err, err);
    assert_int_equal(call.problem.retry_after, told);
}

static void test_what_may_soon_be_otherwise_says_when_to_try_again(void **state) {
    expect_retry_after(*state, CG_E_STORE, 0, 10);
    expect_retry_after(*state, CG_E_KEY_REFUSED, 0, 60);
    expect_retry_after(*state, CG_E_OVERLOAD, 0, 1);
    expect_retry_after(*state, CG_E_STORE, 7, 7);
    expect_retry_after(*state, CG_E_PROTECT, 0, 0);
}

static void expect_too_big(struct pending *pending) {
    static const uint8_t large[65508];
    struct world *world = &pending->world;
    struct call call;
    pending->slow.seals_late = true;
    world_get(world, &call, "/lamps");
    uint64_t job = pending->slow.jobs[pending->slow.count - 1];
    cg_engine_sealed(cg_gateway_engine(world->gateway), job, CG_OK, cg_slice_of(large, sizeof large), NULL);
    world_run(world);
    assert_int_equal(call.problem.err, CG_E_TOO_BIG);
    assert_int_equal(world->sent_count, 0);
    assert_int_equal(cg_gateway_running(world->gateway), 0);
    assert_int_equal(bindings_out, 0);
}

static void test_what_is_too_big_when_sealed_is_not_sent(void **state) {
    struct pending *pending = *state;
    expect_too_big(pending);
    begin_again(pending);
    world_add_members(&pending->world, world_mapping(&pending->world, "lamps"), 1); /* by unicast */
    expect_too_big(pending);
}

static void test_sealing_never_ends(void **state) { /* a store that hangs holds no client for ever */
    struct pending *pending = *state;
    struct world *world = &pending->world;
    struct call call;
    pending->slow.seals_late = true;
    world_get(world, &call, "/lamps");
    world_advance(world, 4 * SECOND - 1);
    assert_int_equal(call.problems, 0);
    world_advance(world, 1);
    assert_int_equal(call.problem.err, CG_E_OVERLOAD);
    assert_non_null(strstr(call.problem.detail, "protected in time"));
    cg_engine_sealed(cg_gateway_engine(world->gateway), pending->slow.jobs[0], CG_OK,
                     cg_slice_of(sealed, sizeof sealed), NULL);
    assert_int_equal(world->sent_count, 0);
    assert_int_equal(bindings_out, 0);
}

static void test_sealing_across_a_purge(void **state) {
    struct pending *pending = *state;
    struct world *world = &pending->world;
    struct call call;
    pending->slow.seals_late = true;
    world_run(world);
    world_advance(world, 59 * SECOND); /* purged every 60 s */
    world_get(world, &call, "/lamps");
    world_advance(world, 2 * SECOND);
    cg_engine_sealed(cg_gateway_engine(world->gateway), pending->slow.jobs[0], CG_OK,
                     cg_slice_of(sealed, sizeof sealed), NULL);
    assert_int_equal(world->sent_count, 1);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.replies, 1);
}

static void open_job(struct world *world, uint64_t job, const char *kid, const char *identity, const char *payload) {
    struct cg_opened opened = {.code = CG_CODE(2, 5),
                               .payload = cg_slice_str(payload),
                               .verified = CASTGATE_VERIFIED_SOURCE,
                               .has_kid = true,
                               .kid = cg_slice_str(kid),
                               .identity = cg_slice_str(identity)};
    cg_engine_opened(cg_gateway_engine(world->gateway), job, CG_OK, &opened);
}

static void test_opened_later(void **state) { /* R12, R14: the credential is the member, whatever the address */
    struct pending *pending = *state;
    struct world *world = &pending->world;
    struct call call;
    pending->slow.opens_late = true;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "sealed");
    world_answer(world, 0, "127.1.0.2", "sealed");
    world_answer(world, 0, "127.1.0.3", "sealed");
    world_answer(world, 0, "127.1.0.4", "sealed");
    open_job(world, pending->slow.jobs[1], "B", "credential of B", "two");
    open_job(world, pending->slow.jobs[0], "A", "credential of A", "one");
    open_job(world, pending->slow.jobs[2], "A", "credential of A", "one again");
    struct cg_opened refused = {.has_kid = true, .kid = cg_slice_str("Z")};
    cg_engine_opened(cg_gateway_engine(world->gateway), pending->slow.jobs[3], CG_E_VERIFY, &refused);
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 2);
    assert_int_equal(call.reply.summary.duplicates, 1);
    assert_int_equal(call.reply.summary.rejected, 1);
    assert_non_null(strstr(call.text, "\"verified\":\"source\""));
    assert_non_null(strstr(call.text, "\"reason\":\"verification-failed\""));
}

static void test_grace_for_answers_being_verified(void **state) {
    struct pending *pending = *state;
    struct world *world = &pending->world;
    struct call call;
    pending->slow.opens_late = true;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "sealed");
    world_answer(world, 0, "127.1.0.2", "sealed");
    world_advance(world, 2 * SECOND + 100000);
    assert_int_equal(call.replies, 0); /* received in time, still being verified */
    open_job(world, pending->slow.jobs[0], "A", "credential of A", "one");
    world_advance(world, 399999);
    assert_int_equal(call.replies, 0);
    world_advance(world, 1);
    assert_int_equal(call.replies, 1); /* 500 ms at most */
    assert_int_equal(call.reply.summary.answered, 1);
    open_job(world, pending->slow.jobs[1], "B", "credential of B", "two"); /* its cast has ended */
    assert_int_equal(world->gateway->engine.jobs.used, 0);
}

static void test_what_an_asked_member_did_not_send_costs_no_grace(void **state) {
    struct pending *pending = *state;
    struct world *world = &pending->world;
    pending->slow.opens_late = true;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "forged");
    world_advance(world, SECOND);
    cg_engine_opened(cg_gateway_engine(world->gateway), pending->slow.jobs[0], CG_E_VERIFY, &(struct cg_opened){0});
    world_advance(world, SECOND - 1);
    assert_int_equal(call.replies, 0); /* it is asked on */
    world_advance(world, 1);
    assert_int_equal(call.replies, 1);
    assert_int_equal(call.reply.summary.rejected, 1);
}

static void test_grace_ends_with_the_last_verification(void **state) {
    struct pending *pending = *state;
    struct world *world = &pending->world;
    struct call call;
    pending->slow.opens_late = true;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "sealed");
    world_answer(world, 0, "127.1.0.2", "sealed");
    world_advance(world, 2 * SECOND + 100000);
    open_job(world, pending->slow.jobs[0], "A", "credential of A", "one");
    world_run(world);
    assert_int_equal(call.replies, 0);
    open_job(world, pending->slow.jobs[1], "B", "credential of B", "two");
    world_run(world);
    assert_int_equal(call.replies, 1);
    assert_int_equal(call.reply.summary.answered, 2);
}

static void test_grace_ends_when_an_asked_members_answer_is_refused(void **state) {
    struct pending *pending = *state;
    struct world *world = &pending->world;
    pending->slow.opens_late = true;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "forged");
    world_advance(world, 2 * SECOND + 100000);
    assert_int_equal(call.replies, 0);
    cg_engine_opened(cg_gateway_engine(world->gateway), pending->slow.jobs[0], CG_E_VERIFY, &(struct cg_opened){0});
    world_run(world);
    assert_int_equal(call.replies, 1);
}

/* Nobody can know its Message ID yet, but somebody may guess it. */
static void test_what_has_not_gone_out_is_not_acknowledged(void **state) {
    struct pending *pending = *state;
    struct world *world = &pending->world;
    pending->slow.seals_late = true;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 1);
    lamps->timeout_us = lamps->max_timeout_us = 1000 * SECOND;
    world_new(world, &call, "/lamps")->method = CG_POST; /* which is sealed once */
    world_go(world, &call);
    uint16_t mid = world_round(world, &call)->repair.asks->leg.sending.mid;
    uint8_t ack[] = {0x60, 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    world_deliver(world, "127.1.0.1", ack, sizeof ack);
    cg_engine_sealed(cg_gateway_engine(world->gateway), pending->slow.jobs[0], CG_OK,
                     cg_slice_of(sealed, sizeof sealed), NULL);
    world_advance(world, 94 * SECOND); /* MAX_TRANSMIT_WAIT */
    assert_int_equal(world->sent_count, 5);
    assert_int_equal(world_round(world, &call)->repair.running, 0); /* it has said all, unacknowledged */
    world_advance(world, 1000 * SECOND);
}

static void test_refused_at_once(void **state) {
    struct pending *pending = *state;
    struct world *world = &pending->world;
    struct call call;
    pending->slow.open_error = CG_E_REPLAY;
    world_get(world, &call, "/lamps");
    for (int i = 0; i < 200; i++) world_answer(world, 0, "127.1.0.1", "again and again");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.reply.summary.answered, 0);
    assert_int_equal(call.reply.summary.rejected, 200);
    assert_non_null(strstr(call.text, "\"reason\":\"replayed\""));
}

static void test_freed_with_jobs_out(void **state) {
    struct pending *pending = *state;
    struct world *world = &pending->world;
    struct call call;
    pending->slow.opens_late = true;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "sealed");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        pending_test(test_sealed_later),
        pending_test(test_sealing_fails),
        pending_test(test_what_may_soon_be_otherwise_says_when_to_try_again),
        pending_test(test_what_is_too_big_when_sealed_is_not_sent),
        pending_test(test_sealing_never_ends),
        pending_test(test_sealing_across_a_purge),
        pending_test(test_opened_later),
        pending_test(test_grace_for_answers_being_verified),
        pending_test(test_what_an_asked_member_did_not_send_costs_no_grace),
        pending_test(test_grace_ends_with_the_last_verification),
        pending_test(test_grace_ends_when_an_asked_members_answer_is_refused),
        pending_test(test_what_has_not_gone_out_is_not_acknowledged),
        pending_test(test_refused_at_once),
        pending_test(test_freed_with_jobs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
