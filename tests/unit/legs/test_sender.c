/* Sequence numbers over a store that the test answers by hand: what is asked for and when, who is served, who is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "legs/sender.h"
#include "base/container.h"

#define BLOCK CG_SENDER_BLOCK

/* Keeps what is submitted; `grant` and `refuse` finish the oldest. */
struct fake_store {
    struct cg_store store;
    struct cg_store_job *jobs[8];
    size_t count;
    size_t submitted;
};

static void fake_submit(struct cg_store *store, struct cg_store_job *job) {
    struct fake_store *fake = CG_CONTAINER(store, struct fake_store, store);
    assert_true(fake->count < 8);
    assert_int_equal(job->operation, CG_STORE_RESERVE);
    fake->jobs[fake->count++] = job;
    fake->submitted++;
}

static const struct cg_store_ops fake_ops = {.submit = fake_submit};

static struct cg_store_job *oldest(struct fake_store *fake) {
    assert_true(fake->count > 0);
    struct cg_store_job *job = fake->jobs[0];
    memmove(fake->jobs, fake->jobs + 1, --fake->count * sizeof fake->jobs[0]);
    return job;
}

static void grant(struct fake_store *fake, uint64_t first, uint64_t count) {
    struct cg_store_job *job = oldest(fake);
    job->err = CG_OK;
    job->range = (struct cg_store_range){.first = first, .count = count};
    job->done(job);
}

static void refuse(struct fake_store *fake, enum cg_store_refusal refusal, const char *detail) {
    struct cg_store_job *job = oldest(fake);
    job->err = cg_problem_set(&job->failure.problem, CG_E_STORE, "%s", detail);
    job->failure.refusal = refusal;
    job->done(job);
}

struct side {
    struct fake_store fake;
    struct cg_senders senders;
    struct cg_sender *sender;
};

/* One who waits, and what he heard. */
struct waiter {
    struct cg_sender_wait wait;
    size_t heard;
    int err;
    uint64_t number;
    struct cg_problem problem;
    void (*then)(struct waiter *waiter);
    struct side *side;
    struct waiter *other;
};

static void on_ready(struct cg_sender_wait *wait, int err, uint64_t number, const struct cg_problem *problem) {
    struct waiter *waiter = CG_CONTAINER(wait, struct waiter, wait);
    assert_int_equal(problem == NULL, err == CG_OK);
    waiter->heard++;
    waiter->err = err;
    waiter->number = number;
    if (problem != NULL) waiter->problem = *problem;
    if (waiter->then != NULL) waiter->then(waiter);
}

static const struct cg_sender_id key_1 = {.bytes = {1}}, key_2 = {.bytes = {2}};

static int setup(void **state) {
    struct side *side = calloc(1, sizeof *side);
    side->fake.store.ops = &fake_ops;
    cg_senders_init(&side->senders, &side->fake.store);
    side->sender = cg_senders_get(&side->senders, &key_1);
    *state = side;
    return 0;
}

static int teardown(void **state) {
    struct side *side = *state;
    cg_sender_unref(side->sender);
    cg_senders_fini(&side->senders);
    free(side);
    return 0;
}

static void take_none(struct cg_sender *sender, struct waiter *waiter) {
    uint64_t number;
    struct cg_problem problem;
    waiter->wait.ready = on_ready;
    assert_int_equal(cg_sender_take(sender, &waiter->wait, &number, &problem), CG_PENDING);
}

static uint64_t take(struct cg_sender *sender) {
    struct cg_sender_wait wait = {.ready = on_ready};
    struct cg_problem problem;
    uint64_t number = UINT64_MAX;
    assert_int_equal(cg_sender_take(sender, &wait, &number, &problem), CG_OK);
    return number;
}

/* A sender with the block [0, BLOCK), of which 0 is taken. */
static void begin(struct side *side) {
    struct waiter waiter = {0};
    take_none(side->sender, &waiter);
    grant(&side->fake, 0, BLOCK);
    assert_int_equal(waiter.err, CG_OK);
    assert_int_equal(waiter.number, 0);
}

/* R53: nothing is handed out before the store has said that it is durable. */
static void nothing_is_given_before_the_store_has_answered(void **state) {
    struct side *side = *state;
    struct waiter waiters[3] = {0};
    for (size_t i = 0; i < 3; i++) take_none(side->sender, &waiters[i]);
    assert_int_equal(side->fake.submitted, 1);
    assert_memory_equal(side->fake.jobs[0]->sender.bytes, key_1.bytes, sizeof key_1.bytes);
    assert_int_equal(side->fake.jobs[0]->count, BLOCK);
    for (size_t i = 0; i < 3; i++) assert_int_equal(waiters[i].heard, 0);
    grant(&side->fake, 5000, BLOCK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(waiters[i].heard, 1);
        assert_int_equal(waiters[i].number, 5000 + i); /* in the order of their coming */
    }
    assert_int_equal(take(side->sender), 5003);
}

static void the_next_block_is_asked_for_when_half_is_left(void **state) {
    struct side *side = *state;
    begin(side);
    uint64_t last = 0;
    while (last < BLOCK / 2 - 2) assert_int_equal(take(side->sender), ++last);
    assert_int_equal(side->fake.count, 0);
    assert_int_equal(take(side->sender), ++last); /* half is left now */
    assert_int_equal(side->fake.count, 1);
    assert_int_equal(take(side->sender), ++last);
    assert_int_equal(side->fake.count, 1); /* once */
    grant(&side->fake, BLOCK, BLOCK);
    while (last < 2 * BLOCK - BLOCK / 2 - 2) assert_int_equal(take(side->sender), ++last); /* over the seam */
    assert_int_equal(side->fake.count, 0);
    assert_int_equal(take(side->sender), ++last);
    assert_int_equal(side->fake.count, 1);
    while (last < 2 * BLOCK - 1) assert_int_equal(take(side->sender), ++last); /* while the store is slow */
    struct waiter waiter = {0};
    take_none(side->sender, &waiter);
    assert_int_equal(side->fake.count, 1);
    grant(&side->fake, 9 * BLOCK, BLOCK); /* blocks need not follow each other */
    assert_int_equal(waiter.number, 9 * BLOCK);
    assert_int_equal(take(side->sender), 9 * BLOCK + 1);
}

/* What is reserved and was not handed out is not used. */
static void what_was_handed_out_is_told(void **state) {
    struct side *side = *state;
    struct waiter waiter = {0};
    assert_int_equal(cg_senders_used(&side->senders, &key_2), 0);
    take_none(side->sender, &waiter);
    assert_int_equal(cg_senders_used(&side->senders, &key_1), 0);
    grant(&side->fake, 0, 1);
    assert_int_equal(cg_senders_used(&side->senders, &key_1), 1);
    grant(&side->fake, 10, 5);
    assert_int_equal(cg_senders_used(&side->senders, &key_1), 10);
    assert_int_equal(take(side->sender), 10);
    assert_int_equal(cg_senders_used(&side->senders, &key_1), 11);
    grant(&side->fake, 20, 5);
    assert_int_equal(take(side->sender), 11);
}

/* Two groups, both modes, requests and responses: one key, one counter. */
static void who_uses_the_same_key_shares_the_counter(void **state) {
    struct side *side = *state;
    struct cg_sender_id same = key_1;
    struct cg_sender *again = cg_senders_get(&side->senders, &same), *other = cg_senders_get(&side->senders, &key_2);
    assert_ptr_equal(again, side->sender);
    assert_ptr_not_equal(other, side->sender);
    begin(side);
    assert_int_equal(take(again), 1);
    assert_int_equal(take(side->sender), 2);
    struct waiter waiter = {0};
    take_none(other, &waiter); /* another key has its own */
    grant(&side->fake, 0, BLOCK);
    assert_int_equal(waiter.number, 0);
    cg_sender_unref(again);
    assert_int_equal(take(side->sender), 3); /* the first group's end is not the second's */
    cg_sender_unref(other);
    other = cg_senders_get(&side->senders, &key_2);
    struct waiter later = {0};
    take_none(other, &later); /* after delete and re-add the store says where to go on */
    grant(&side->fake, BLOCK, BLOCK);
    assert_int_equal(later.number, BLOCK);
    cg_sender_unref(other);
}

static void a_failure_tells_those_who_waited_and_the_next_tries_again(void **state) {
    struct side *side = *state;
    struct waiter first = {0}, second = {0}, later = {0};
    take_none(side->sender, &first);
    take_none(side->sender, &second);
    refuse(&side->fake, CG_STORE_UNAVAILABLE, "the disk is full");
    assert_int_equal(first.err, CG_E_STORE);
    assert_int_equal(second.err, CG_E_STORE);
    assert_string_equal(second.problem.detail, "the disk is full");
    assert_int_equal(cg_err_info(second.err)->http_status, 503);
    assert_int_equal(side->fake.count, 0);
    take_none(side->sender, &later);
    grant(&side->fake, 0, BLOCK);
    assert_int_equal(later.err, CG_OK);
    assert_int_equal(later.number, 0);
}

/* What was durable before the store went away is good until it is used up; then sending stops, and starts again with
 * the store. */
static void a_failing_store_stops_sending_when_the_block_is_used_up(void **state) {
    struct side *side = *state;
    begin(side);
    for (uint64_t last = 1; last < BLOCK; last++) {
        assert_int_equal(take(side->sender), last);
        if (side->fake.count > 0) refuse(&side->fake, CG_STORE_UNAVAILABLE, "the disk is full");
    }
    assert_int_equal(side->fake.submitted, 1 + BLOCK / 2 + 1); /* every taker tries, one at a time */
    struct waiter waiter = {0}, later = {0};
    take_none(side->sender, &waiter);
    refuse(&side->fake, CG_STORE_UNAVAILABLE, "the disk is full");
    assert_int_equal(waiter.err, CG_E_STORE);
    take_none(side->sender, &later);
    grant(&side->fake, BLOCK, BLOCK);
    assert_int_equal(later.number, BLOCK);
}

static void a_verdict_on_the_row_stops_sending_at_once(void **state) {
    struct side *side = *state;
    static const enum cg_store_refusal refusals[] = {CG_STORE_SPENT, CG_STORE_UNCLAIMED};
    begin(side);
    for (size_t i = 0; i < 2; i++) {
        while (side->fake.count == 0) take(side->sender);
        refuse(&side->fake, refusals[i], "no");
        struct waiter waiter = {0}, claimed = {0};
        take_none(side->sender, &waiter);
        refuse(&side->fake, refusals[i], "still no");
        assert_string_equal(waiter.problem.detail, "still no");
        take_none(side->sender, &claimed);
        grant(&side->fake, (i + 1) * 10000, BLOCK);
        assert_int_equal(claimed.err, CG_OK);
    }
}

static void the_last_numbers_are_used_and_none_after(void **state) {
    struct side *side = *state;
    struct waiter waiter = {0}, after = {0};
    take_none(side->sender, &waiter);
    grant(&side->fake, CG_SENDER_NUMBERS - 3, 3);
    assert_int_equal(waiter.number, CG_SENDER_NUMBERS - 3);
    refuse(&side->fake, CG_STORE_EXHAUSTED, "exhausted"); /* asked for as soon as less than half a block is left */
    assert_int_equal(take(side->sender), CG_SENDER_NUMBERS - 2);
    refuse(&side->fake, CG_STORE_EXHAUSTED, "exhausted");
    assert_int_equal(take(side->sender), CG_SENDER_NUMBERS - 1);
    take_none(side->sender, &after);
    refuse(&side->fake, CG_STORE_EXHAUSTED, "exhausted");
    assert_int_equal(after.err, CG_E_STORE);
    assert_string_equal(after.problem.detail, "exhausted");
}

/* A net below the store's own care: what it says twice is not believed. */
static void a_store_that_was_set_back_is_not_believed(void **state) {
    struct side *side = *state;
    static const struct cg_store_range wrong[] = {{0, BLOCK},
                                                  {BLOCK - 1, BLOCK},
                                                  {BLOCK, 0},
                                                  {BLOCK, BLOCK + 1},
                                                  {CG_SENDER_NUMBERS - BLOCK + 1, BLOCK},
                                                  {UINT64_MAX - 5, BLOCK}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct waiter waiter = {0};
        struct cg_sender_wait wait = {.ready = on_ready};
        struct cg_problem problem;
        uint64_t number;
        begin(side);
        while (side->fake.count == 0) take(side->sender);
        for (uint64_t left = BLOCK / 2; left > 0; left--) take(side->sender);
        take_none(side->sender, &waiter);
        grant(&side->fake, wrong[i].first, wrong[i].count);
        assert_int_equal(waiter.err, CG_E_KEY_REFUSED);
        assert_non_null(strstr(waiter.problem.detail, "set back"));
        assert_int_equal(cg_sender_take(side->sender, &wait, &number, &problem), CG_E_KEY_REFUSED);
        assert_non_null(strstr(problem.detail, "rekey"));
        assert_int_equal(side->fake.count, 0);
        cg_sender_unref(side->sender);
        side->sender = cg_senders_get(&side->senders, &key_1);
    }
}

static void what_is_left_when_the_store_was_set_back_is_not_given(void **state) {
    struct side *side = *state;
    struct cg_sender_wait wait = {.ready = on_ready};
    struct cg_problem problem;
    uint64_t number = UINT64_MAX;
    begin(side);
    while (side->fake.count == 0) take(side->sender);
    grant(&side->fake, 0, BLOCK); /* half of a block is left */
    assert_int_equal(cg_sender_take(side->sender, &wait, &number, &problem), CG_E_KEY_REFUSED);
    assert_int_equal(number, UINT64_MAX);
    assert_int_equal(cg_senders_used(&side->senders, &key_1), BLOCK); /* as good as */
    assert_int_equal(side->fake.count, 0);
}

static void more_wait_than_a_block_has_numbers(void **state) {
    struct side *side = *state;
    static struct waiter waiters[2 * BLOCK + 1];
    memset(waiters, 0, sizeof waiters);
    for (size_t i = 0; i <= 2 * BLOCK; i++) take_none(side->sender, &waiters[i]);
    grant(&side->fake, 0, BLOCK);
    assert_int_equal(waiters[BLOCK - 1].heard, 1);
    assert_int_equal(waiters[BLOCK].heard, 0);
    grant(&side->fake, BLOCK, BLOCK);
    grant(&side->fake, 2 * BLOCK, BLOCK);
    for (size_t i = 0; i <= 2 * BLOCK; i++) {
        assert_int_equal(waiters[i].heard, 1);
        assert_int_equal(waiters[i].number, i);
    }
    assert_int_equal(side->fake.count, 0);
}

static void who_cancels_hears_nothing(void **state) {
    struct side *side = *state;
    struct waiter waiters[4] = {0};
    for (size_t i = 0; i < 4; i++) take_none(side->sender, &waiters[i]);
    cg_sender_cancel(&waiters[0].wait);
    cg_sender_cancel(&waiters[2].wait);
    cg_sender_cancel(&waiters[2].wait);
    grant(&side->fake, 0, BLOCK);
    assert_int_equal(waiters[0].heard + waiters[2].heard, 0);
    assert_int_equal(waiters[1].number, 0);
    assert_int_equal(waiters[3].number, 1);
    take(side->sender);
    cg_sender_cancel(&waiters[3].wait);
}

/* What a callback may do: all of it. */

static void take_again(struct waiter *waiter) {
    waiter->then = NULL;
    take_none(waiter->side->sender, waiter);
}

static void take_another(struct waiter *waiter) { waiter->other->number = take(waiter->side->sender); }

static void cancel_other(struct waiter *waiter) { cg_sender_cancel(&waiter->other->wait); }

static void let_go(struct waiter *waiter) {
    cg_sender_unref(waiter->side->sender);
    waiter->side->sender = NULL;
}

static void a_refused_waiter_may_try_again(void **state) {
    struct side *side = *state;
    struct waiter waiters[2] = {{.side = side, .then = take_again}, {.side = side}};
    take_none(side->sender, &waiters[0]);
    take_none(side->sender, &waiters[1]);
    refuse(&side->fake, CG_STORE_UNAVAILABLE, "no");
    assert_int_equal(waiters[0].heard, 1); /* not refused again by the same failure */
    assert_int_equal(waiters[1].heard, 1);
    assert_string_equal(waiters[1].problem.detail, "no");
    assert_int_equal(side->fake.count, 1);
    grant(&side->fake, 7, BLOCK);
    assert_int_equal(waiters[0].heard, 2);
    assert_int_equal(waiters[0].number, 7);
}

static void a_callback_may_take_and_cancel(void **state) {
    struct side *side = *state;
    struct waiter gone = {0}, extra = {0}, last = {0};
    struct waiter taker = {.side = side, .then = take_another, .other = &extra};
    struct waiter canceller = {.side = side, .then = cancel_other, .other = &gone};
    take_none(side->sender, &taker);
    take_none(side->sender, &canceller);
    take_none(side->sender, &gone);
    take_none(side->sender, &last);
    grant(&side->fake, 0, BLOCK);
    assert_int_equal(taker.number, 0);
    assert_int_equal(extra.number, 1);
    assert_int_equal(canceller.number, 2);
    assert_int_equal(gone.heard, 0);
    assert_int_equal(last.number, 3);
}

static void a_callback_may_let_go_of_the_sender(void **state) {
    struct side *side = *state;
    struct waiter waiters[2] = {{.side = side, .then = let_go}, {.side = side}};
    take_none(side->sender, &waiters[0]);
    take_none(side->sender, &waiters[1]);
    grant(&side->fake, 0, BLOCK);
    assert_int_equal(waiters[1].number, 1);
    assert_null(side->senders.table);
}

/* A group that is deleted while a block is on its way: the sender lives until the store has answered. */
static void the_sender_outlives_its_job(void **state) {
    struct side *side = *state;
    struct waiter waiter = {0};
    take_none(side->sender, &waiter);
    cg_sender_cancel(&waiter.wait);
    cg_sender_unref(side->sender);
    side->sender = cg_senders_get(&side->senders, &key_1);
    assert_int_equal(side->fake.submitted, 1);
    take_none(side->sender, &waiter); /* the same job serves */
    assert_int_equal(side->fake.submitted, 1);
    cg_sender_unref(side->sender);
    side->sender = NULL;
    grant(&side->fake, 0, BLOCK);
    assert_int_equal(waiter.number, 0);
    assert_null(side->senders.table);
}

/* A sender at its rate gets what there is; the ranges are used up in order, and no third is asked for. */
static void a_store_may_give_less_than_a_block(void **state) {
    struct side *side = *state;
    struct waiter waiter = {0};
    take_none(side->sender, &waiter);
    grant(&side->fake, 0, 3);
    assert_int_equal(waiter.number, 0);
    assert_int_equal(side->fake.count, 1); /* the next is asked for at once */
    grant(&side->fake, 3, 2);
    assert_int_equal(side->fake.count, 0);
    for (uint64_t number = 1; number < 3; number++) assert_int_equal(take(side->sender), number);
    assert_int_equal(take(side->sender), 3);
    assert_int_equal(side->fake.count, 1);
    refuse(&side->fake, CG_STORE_TOO_FAST, "too fast");
    assert_int_equal(take(side->sender), 4); /* what is there is good */
    refuse(&side->fake, CG_STORE_TOO_FAST, "too fast");
    struct waiter last = {0};
    take_none(side->sender, &last);
    refuse(&side->fake, CG_STORE_TOO_FAST, "too fast");
    assert_string_equal(last.problem.detail, "too fast");
}

static unsigned low_count;

static void on_low(void *ctx, const struct cg_sender_id *id) {
    assert_ptr_equal(ctx, &low_count);
    assert_memory_equal(id->bytes, key_1.bytes, sizeof key_1.bytes);
    low_count++;
}

static void numbers_that_run_out_are_said_once(void **state) {
    struct side *side = *state;
    struct waiter waiter = {0};
    side->senders.low = on_low;
    side->senders.ctx = &low_count;
    low_count = 0;
    assert_int_equal(cg_senders_used(&side->senders, &key_1), 0);
    assert_int_equal(cg_senders_used(&side->senders, &key_2), 0);
    take_none(side->sender, &waiter);
    grant(&side->fake, CG_SENDER_LOW - BLOCK - 1, BLOCK);
    assert_int_equal(low_count, 0);
    assert_int_equal(cg_senders_used(&side->senders, &key_1), CG_SENDER_LOW - BLOCK);
    while (side->fake.count == 0) take(side->sender);
    grant(&side->fake, CG_SENDER_LOW - 1, 1);
    assert_int_equal(low_count, 1);
    while (side->fake.count == 0) take(side->sender);
    grant(&side->fake, CG_SENDER_LOW, BLOCK);
    assert_int_equal(low_count, 1);
    assert_in_range(CG_SENDER_LOW, CG_SENDER_NUMBERS / 100 * 79, CG_SENDER_NUMBERS / 100 * 81);
}

/* Two names that version 1 had for one key: numbers that came before the store knew of the second are let go of. */
static void another_former_name_is_heard_before_more_is_given(void **state) {
    struct side *side = *state;
    const struct cg_sender_id renamed = {.bytes = {1}, .former = {7}};
    begin(side);
    struct cg_sender *again = cg_senders_get(&side->senders, &renamed);
    assert_ptr_equal(again, side->sender);
    struct waiter waiter = {0}, second = {0};
    take_none(side->sender, &waiter);
    assert_memory_equal(side->fake.jobs[0]->sender.former, renamed.former, sizeof renamed.former);
    cg_sender_unref(cg_senders_get(&side->senders, &key_1)); /* and back, with a job on its way */
    take_none(side->sender, &second);
    grant(&side->fake, BLOCK, BLOCK);
    assert_int_equal(waiter.heard, 0); /* asked for under the name of before */
    assert_int_equal(side->fake.count, 1);
    grant(&side->fake, 5 * BLOCK, BLOCK);
    assert_int_equal(waiter.number, 5 * BLOCK);
    assert_int_equal(second.number, 5 * BLOCK + 1);
    cg_sender_unref(cg_senders_get(&side->senders, &key_1)); /* the same name changes nothing */
    assert_int_equal(take(side->sender), 5 * BLOCK + 2);
    cg_sender_unref(again);
}

int main(void) {
#define WITH_SIDE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SIDE(nothing_is_given_before_the_store_has_answered),
        WITH_SIDE(the_next_block_is_asked_for_when_half_is_left),
        WITH_SIDE(what_was_handed_out_is_told),
        WITH_SIDE(who_uses_the_same_key_shares_the_counter),
        WITH_SIDE(a_failure_tells_those_who_waited_and_the_next_tries_again),
        WITH_SIDE(a_failing_store_stops_sending_when_the_block_is_used_up),
        WITH_SIDE(a_verdict_on_the_row_stops_sending_at_once),
        WITH_SIDE(the_last_numbers_are_used_and_none_after),
        WITH_SIDE(a_store_that_was_set_back_is_not_believed),
        WITH_SIDE(what_is_left_when_the_store_was_set_back_is_not_given),
        WITH_SIDE(more_wait_than_a_block_has_numbers),
        WITH_SIDE(who_cancels_hears_nothing),
        WITH_SIDE(a_refused_waiter_may_try_again),
        WITH_SIDE(a_callback_may_take_and_cancel),
        WITH_SIDE(a_callback_may_let_go_of_the_sender),
        WITH_SIDE(the_sender_outlives_its_job),
        WITH_SIDE(a_store_may_give_less_than_a_block),
        WITH_SIDE(numbers_that_run_out_are_said_once),
        WITH_SIDE(another_former_name_is_heard_before_more_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
