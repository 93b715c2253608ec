/* What a start adds and what a sender may take, so that a file system that was set back repeats nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "fake_state.h"

#define BURST CG_SQLITE_BURST
#define RATE  CG_SQLITE_RATE

static void pass(uint64_t seconds) {
    fake_clock_ms += (int64_t)seconds * 1000;
    fake_timer_us += seconds * 1000000;
}

/* The process is gone without a word. */
static void kill_store(struct side *side) {
    shell("rm %s/castgate.lock", side->folder);
    open_store(side);
}

static uint64_t first_of(struct side *side, uint64_t count) {
    int err = reserve(side, &key_1, count);
    if (err != CG_OK) print_error("%s\n", side->failure.problem.detail);
    assert_int_equal(err, CG_OK);
    return side->range.first;
}

static void a_start_goes_on_a_burst_and_the_time_since_further(void **state) {
    struct side *side = *state;
    assert_int_equal(first_of(side, 10), 0);
    close_store(side);
    open_store(side);
    assert_int_equal(first_of(side, 10), 10 + BURST);
    assert_int_equal(first_of(side, 10), 20 + BURST); /* once a start */
    close_store(side);
    pass(500);
    open_store(side);
    assert_int_equal(first_of(side, 10), 30 + 2 * BURST + 500 * RATE);
    fake_clock_ms += 1; /* a part of a number counts as one */
    close_store(side);
    fake_clock_ms += 1;
    open_store(side);
    assert_int_equal(first_of(side, 10), 40 + 3 * BURST + 500 * RATE + 1);
}

static void each_key_goes_on_by_itself_when_it_is_first_used(void **state) {
    struct side *side = *state;
    assert_int_equal(claim(side, &key_2), CG_OK);
    first_of(side, 10);
    close_store(side);
    open_store(side);
    first_of(side, 10);
    pass(100);
    assert_int_equal(reserve(side, &key_2, 10), CG_OK);
    assert_int_equal(side->range.first, BURST + 100 * RATE);
}

/* Everything in it, file and witness, as it was: nothing shows it. */
static void set_back(const struct side *side) {
    shell("cd %s && cat ../kept/castgate.db > castgate.db && mv castgate.generation-* $(ls ../kept | grep generation)",
          side->folder);
}

static void keep(const struct side *side) {
    shell("cd %s && mkdir kept && cp -a state/castgate.db state/castgate.generation-* kept", side->top);
}

/* As fast as it may for an hour, then back to before that. */
static void a_file_system_that_was_set_back_repeats_nothing(void **state) {
    struct side *side = *state;
    uint64_t end = first_of(side, 10) + 10;
    close_store(side);
    keep(side);
    open_store(side);
    for (unsigned second = 0; second < 3600; second += 60) {
        while (reserve(side, &key_1, 100000) == CG_OK) end = side->range.first + side->range.count;
        assert_int_equal(side->failure.refusal, CG_STORE_TOO_FAST);
        pass(60);
    }
    assert_true(end > BURST + 3500 * RATE);
    close_store(side);
    set_back(side);
    open_store(side);
    /* That life began a burst further, so of what it could use a second burst is not provided for. */
    assert_true(first_of(side, 10) + BURST >= end);
}

/* The same without a start in between: a snapshot of a gateway that runs on. */
static void a_snapshot_of_a_running_gateway_repeats_nothing(void **state) {
    struct side *side = *state;
    first_of(side, 10);
    keep(side);
    uint64_t end = 0;
    for (unsigned second = 0; second < 3600; second += 60) {
        while (reserve(side, &key_1, 100000) == CG_OK) end = side->range.first + side->range.count;
        pass(60);
    }
    close_store(side);
    set_back(side);
    open_store(side);
    assert_true(first_of(side, 10) >= end);
}

static void a_sender_has_a_burst_and_then_its_rate(void **state) {
    struct side *side = *state;
    assert_int_equal(first_of(side, BURST - 5), 0);
    assert_int_equal(first_of(side, 1024), BURST - 5);
    assert_int_equal(side->range.count, 5); /* what is left */
    assert_int_equal(reserve(side, &key_1, 1024), CG_E_OVERLOAD);
    assert_int_equal(side->failure.refusal, CG_STORE_TOO_FAST);
    assert_int_equal(side->failure.problem.retry_after, 1);
    assert_non_null(strstr(side->failure.problem.detail, "\"sequence_rate\""));
    assert_int_equal(cg_err_info(CG_E_OVERLOAD)->http_status, 503);
    pass(1);
    first_of(side, 1024);
    assert_int_equal(side->range.count, RATE);
    pass(3);
    first_of(side, 1024);
    assert_int_equal(side->range.count, 3 * RATE);
    pass(100000000); /* never more than a burst */
    first_of(side, 2 * BURST);
    assert_int_equal(side->range.count, BURST);
}

static void each_sender_has_its_own_rate(void **state) {
    struct side *side = *state;
    assert_int_equal(claim(side, &key_2), CG_OK);
    first_of(side, BURST);
    assert_int_equal(reserve(side, &key_1, 1), CG_E_OVERLOAD);
    assert_int_equal(reserve(side, &key_2, 1), CG_OK);
}

static void a_slow_rate_says_how_long_to_wait(void **state) {
    struct side *side = *state;
    close_store(side);
    side->options.rate = 1;
    open_store(side);
    assert_int_equal(first_of(side, BURST), BURST);
    assert_int_equal(reserve(side, &key_1, 1), CG_E_OVERLOAD);
    assert_in_range(side->failure.problem.retry_after, 1, 2);
    fake_timer_us += 999000;
    assert_int_equal(reserve(side, &key_1, 1), CG_E_OVERLOAD);
    fake_timer_us += 1000;
    assert_int_equal(first_of(side, 10), 2 * BURST);
    assert_int_equal(side->range.count, 1);
}

/* The rate of before counts for the time that it was in force, should it be lower now. */
static void a_lowered_rate_does_not_shorten_the_past(void **state) {
    struct side *side = *state;
    close_store(side);
    side->options.rate = 5000;
    open_store(side);
    assert_int_equal(first_of(side, 10), BURST);
    close_store(side);
    pass(100);
    side->options.rate = 10;
    open_store(side);
    assert_int_equal(first_of(side, 10), 2 * BURST + 10 + 100 * 5000);
    close_store(side);
    pass(100);
    open_store(side);
    assert_int_equal(first_of(side, 10), 3 * BURST + 20 + 100 * 5000 + 100 * 10);
}

static void a_clock_that_is_behind_adds_nothing_for_time(void **state) {
    struct side *side = *state;
    first_of(side, 10);
    close_store(side);
    fake_clock_ms -= INT64_C(86400000) * 400;
    open_store(side);
    assert_int_equal(first_of(side, 10), 10 + BURST);
    close_store(side);
    fake_clock_ms += INT64_C(86400000) * 400 + 1000; /* and when it is right again the time is counted from before */
    open_store(side);
    assert_int_equal(first_of(side, 10), 20 + 2 * BURST + RATE);
}

/* What is logged while a start gives the first number. */
static void log_of_start(struct side *side, char *text, size_t cap) {
    FILE *caught = tmpfile();
    assert_non_null(caught);
    int real_stderr = dup(STDERR_FILENO);
    assert_true(real_stderr >= 0 && dup2(fileno(caught), STDERR_FILENO) >= 0);
    cg_log_set_level(CG_LOG_WARNING);
    open_store(side);
    first_of(side, 10);
    close_store(side);
    cg_log_set_level(CG_LOG_ERROR);
    assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
    close(real_stderr);
    rewind(caught);
    text[fread(text, 1, cap - 1, caught)] = '\0';
    fclose(caught);
}

static void a_clock_that_is_behind_is_said_and_one_that_is_not_is_no_news(void **state) {
    struct side *side = *state;
    char text[1024];
    first_of(side, 10);
    close_store(side);
    log_of_start(side, text, sizeof text); /* at the same moment */
    assert_string_equal(text, "");
    pass(60);
    log_of_start(side, text, sizeof text);
    assert_string_equal(text, "");
    fake_clock_ms -= 60000;
    log_of_start(side, text, sizeof text);
    assert_non_null(strstr(text, "the clock is 61 s behind"));
}

static void with_require_clock_a_clock_that_is_behind_is_waited_for(void **state) {
    struct side *side = *state;
    first_of(side, 10);
    close_store(side);
    side->options.require_clock = true;
    fake_clock_ms -= 60000;
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "the clock is 61 s behind");
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "\"require_clock\"");
    fake_clock_ms += 60000;
    assert_int_equal(first_of(side, 10), 10 + BURST);
    fake_clock_ms -= 60000; /* only a start asks for it */
    assert_int_equal(first_of(side, 10), 20 + BURST);
}

/* A gateway that sends nothing for ten days, and is then killed, does not go on ten days further. */
static void rows_are_written_every_hour(void **state) {
    struct side *side = *state;
    assert_int_equal(first_of(side, 10), 0);
    for (unsigned minutes = 0; minutes < 10 * 24 * 60; minutes += 50) {
        pass(50 * 60);
        assert_int_equal(check_store(side), CG_OK);
    }
    struct side killed = *side;
    kill_store(side);
    uint64_t first = first_of(side, 10);
    assert_in_range(first, 10 + BURST, 10 + BURST + 3600 * RATE);
    close_store(&killed);
}

/* A gateway without battery clock: its first hours must not count as the years since 1970. */
static void rows_are_written_when_the_clock_is_set(void **state) {
    struct side *side = *state;
    const int64_t right = fake_clock_ms;
    const struct cg_sender_id early = {.bytes = {4}};
    close_store(side);
    fake_clock_ms = 10000;
    open_store(side);
    assert_int_equal(claim(side, &early), CG_OK);
    assert_int_equal(reserve(side, &early, 10), CG_OK);
    fake_clock_ms = right;
    assert_int_equal(check_store(side), CG_OK);
    struct side killed = *side;
    kill_store(side);
    assert_int_equal(reserve(side, &early, 10), CG_OK);
    assert_in_range(side->range.first, 10 + BURST, 10 + BURST + RATE);
    close_store(&killed);
}

static void rows_are_written_at_the_end(void **state) {
    struct side *side = *state;
    assert_int_equal(first_of(side, 10), 0);
    pass(3000);
    close_store(side);
    open_store(side);
    assert_int_equal(first_of(side, 10), 10 + BURST);
}

/* A row that this process has not used is not said to be of now: others may have gone on from it. */
static void rows_that_were_not_used_stay_as_they_are(void **state) {
    struct side *side = *state;
    assert_int_equal(claim(side, &key_2), CG_OK);
    close_store(side);
    open_store(side);
    first_of(side, 10);
    pass(7200);
    assert_int_equal(check_store(side), CG_OK);
    close_store(side);
    open_store(side);
    assert_int_equal(reserve(side, &key_2, 10), CG_OK);
    assert_int_equal(side->range.first, BURST + 7200 * RATE);
}

static void a_start_near_the_end_exhausts_the_key(void **state) {
    struct side *side = *state;
    close_store(side);
    change_fields(side, "UPDATE sender SET next = 1099511627776 - 1000000");
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_EXHAUSTED, "exhausted");
    close_store(side);
    pass(UINT64_C(86400) * 365 * 1000); /* nor does a long time overflow anything */
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_EXHAUSTED, "exhausted");
}

int main(void) {
#define PLAIN(test) cmocka_unit_test_setup_teardown(test, setup_state, teardown_state)
    const struct CMUnitTest tests[] = {
        PLAIN(a_start_goes_on_a_burst_and_the_time_since_further),
        PLAIN(each_key_goes_on_by_itself_when_it_is_first_used),
        PLAIN(a_file_system_that_was_set_back_repeats_nothing),
        PLAIN(a_snapshot_of_a_running_gateway_repeats_nothing),
        PLAIN(a_sender_has_a_burst_and_then_its_rate),
        PLAIN(each_sender_has_its_own_rate),
        PLAIN(a_slow_rate_says_how_long_to_wait),
        PLAIN(a_lowered_rate_does_not_shorten_the_past),
        PLAIN(a_clock_that_is_behind_adds_nothing_for_time),
        PLAIN(a_clock_that_is_behind_is_said_and_one_that_is_not_is_no_news),
        PLAIN(with_require_clock_a_clock_that_is_behind_is_waited_for),
        PLAIN(rows_are_written_every_hour),
        PLAIN(rows_are_written_when_the_clock_is_set),
        PLAIN(rows_are_written_at_the_end),
        PLAIN(rows_that_were_not_used_stay_as_they_are),
        PLAIN(a_start_near_the_end_exhausts_the_key),
    };
    cg_log_set_level(CG_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
