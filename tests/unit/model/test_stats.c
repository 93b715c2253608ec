/* The metrics as a scraper reads them (R60). The hard thing is to be exact where the format is, and lax nowhere else.
 */
#include "model/stats.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct text {
    struct cg_stats_table table;
    struct cg_totals totals;
    struct cg_buf buf;
};

static int setup(void **state) {
    struct text *text = calloc(1, sizeof *text);
    cg_buf_init(&text->buf, 0);
    *state = text;
    return 0;
}

static int teardown(void **state) {
    struct text *text = *state;
    cg_stats_fini(&text->table);
    cg_buf_fini(&text->buf);
    free(text);
    return 0;
}

static void emit(struct text *text) {
    cg_buf_clear(&text->buf);
    struct cg_stats_cursor cursor = {0};
    assert_false(cg_stats_emit(&text->buf, &text->table, &text->totals, &cursor, UINT_MAX));
    assert_false(text->buf.failed);
    cg_buf_put_u8(&text->buf, '\0');
}

/* The line stands there whole, exactly once. */
static void assert_line(struct text *text, const char *line) {
    size_t found = 0, len = strlen(line);
    const char *all = (const char *)text->buf.data;
    for (const char *at = strstr(all, line); at != NULL; at = strstr(at + 1, line)) {
        if ((at == all || at[-1] == '\n') && at[len] == '\n') found++;
    }
    if (found != 1) fail_msg("%zu times: %s\nin\n%s", found, line, all);
}

static void assert_absent(struct text *text, const char *part) {
    assert_null(strstr((const char *)text->buf.data, part));
}

static void test_by_name(void **state) {
    struct text *text = *state;
    struct cg_stats *one = cg_stats_get(&text->table, "one");
    assert_non_null(one);
    one->sent = 3;
    assert_ptr_not_equal(cg_stats_get(&text->table, "two"), one);
    assert_ptr_equal(cg_stats_get(&text->table, "one"), one);
    assert_int_equal(one->sent, 3);
    char longest[65];
    memset(longest, 'x', 64);
    longest[64] = '\0';
    assert_string_equal(cg_stats_get(&text->table, longest)->name, longest);
}

/* R60: per group sent, answered, late, duplicate, failed to verify. */
static void test_counters(void **state) {
    struct text *text = *state;
    struct cg_stats *stats = cg_stats_get(&text->table, "floor3");
    stats->requests = 1;
    stats->sent = 2;
    stats->asked = 3;
    stats->answered = 4;
    stats->failed = 5;
    stats->late = 6;
    stats->duplicate = 7;
    stats->missing[CG_CAUSE_ASLEEP] = 8;
    stats->missing[CG_CAUSE_UNKNOWN] = 14;
    stats->rejected = 9;
    stats->over_cap = 10;
    stats->kernel_drops = UINT64_MAX;
    cg_stats_get(&text->table, "floor4")->sent = 77;
    text->totals.datagrams = 11;
    text->totals.fates[CG_FATE_MALFORMED] = 12;
    text->totals.fates[CG_FATE_UNKNOWN_TOKEN] = 13;
    emit(text);
    assert_line(text, "# TYPE castgate_requests_total counter");
    assert_line(text, "castgate_requests_total{mapping=\"floor3\"} 1");
    assert_line(text, "# HELP castgate_sent_total Group requests emitted.");
    assert_line(text, "castgate_sent_total{mapping=\"floor3\"} 2\ncastgate_sent_total{mapping=\"floor4\"} 77");
    assert_line(text, "castgate_asked_total{mapping=\"floor3\"} 3");
    assert_line(text, "castgate_answered_total{mapping=\"floor3\"} 4");
    assert_line(text, "castgate_failed_total{mapping=\"floor3\"} 5");
    assert_line(text, "castgate_late_total{mapping=\"floor3\"} 6");
    assert_line(text, "castgate_duplicate_total{mapping=\"floor3\"} 7");
    assert_line(text, "castgate_missing_total{mapping=\"floor3\",cause=\"unknown\"} 14\n"
                      "castgate_missing_total{mapping=\"floor3\",cause=\"asleep\"} 8");
    assert_null(strstr((const char *)text->buf.data, "cause=\"late\""));
    assert_line(text, "castgate_rejected_total{mapping=\"floor3\"} 9");
    assert_line(text, "castgate_over_cap_total{mapping=\"floor3\"} 10");
    assert_line(text, "castgate_kernel_drops_total{mapping=\"floor3\"} 18446744073709551615");
    assert_line(text, "castgate_datagrams_total 11");
    assert_line(text, "castgate_malformed_total 12");
    assert_line(text, "castgate_unknown_token_total 13");
}

/* Each fate once, under its own name, so that they can be added up. */
static void test_fates(void **state) {
    struct text *text = *state;
    for (size_t i = 0; i < CG_FATE_COUNT; i++) text->totals.fates[i] = 100 + i;
    emit(text);
    assert_line(text, "# TYPE castgate_datagram_fates_total counter");
    assert_line(text, "castgate_datagram_fates_total{fate=\"answer\"} 100");
    assert_line(text, "castgate_datagram_fates_total{fate=\"stray-empty\"} 113");
    for (size_t i = 0; i < CG_FATE_COUNT; i++) {
        char line[80];
        snprintf(line, sizeof line, "castgate_datagram_fates_total{fate=\"%s\"} %zu", cg_fate_names[i], 100 + i);
        assert_line(text, line);
    }
}

static void test_errors_by_reason(void **state) {
    struct text *text = *state;
    struct cg_stats *stats = cg_stats_get(&text->table, "m");
    stats->errors[CG_ERR_ORDINAL_EMIT] = 2;
    stats->errors[CG_ERR_ORDINAL_FORMAT] = 1; /* the first of all */
    stats->errors[CG_ERR_COUNT - 1] = 4;      /* and the last */
    text->totals.errors[CG_ERR_ORDINAL_NOT_FOUND] = 3;
    emit(text);
    assert_line(text, "castgate_errors_total{mapping=\"m\",reason=\"cannot-emit\"} 2");
    assert_line(text, "castgate_errors_total{mapping=\"m\",reason=\"malformed\"} 1");
    assert_line(text, "castgate_errors_total{mapping=\"m\",reason=\"bad-key\"} 4");
    assert_line(text, "castgate_refused_total{reason=\"not-found\"} 3");
    assert_absent(text, "reason=\"overloaded\"");
}

static void test_histograms(void **state) {
    struct text *text = *state;
    struct cg_stats *stats = cg_stats_get(&text->table, "m");
    static const double seconds[] = {0.0, 0.005, 0.0051, 1.0, 301.0};
    for (size_t i = 0; i < 5; i++) cg_histogram_add(&stats->latency_s, cg_latency_bounds, seconds[i]);
    cg_histogram_add(&stats->answers, cg_answers_bounds, 0);
    cg_histogram_add(&stats->answers, cg_answers_bounds, 12);
    emit(text);
    assert_line(text, "# TYPE castgate_latency_seconds histogram");
    assert_line(text, "castgate_latency_seconds_bucket{mapping=\"m\",le=\"0.005\"} 2");
    assert_line(text, "castgate_latency_seconds_bucket{mapping=\"m\",le=\"0.01\"} 3");
    assert_line(text, "castgate_latency_seconds_bucket{mapping=\"m\",le=\"0.5\"} 3");
    assert_line(text, "castgate_latency_seconds_bucket{mapping=\"m\",le=\"1\"} 4");
    assert_line(text, "castgate_latency_seconds_bucket{mapping=\"m\",le=\"300\"} 4");
    assert_line(text, "castgate_latency_seconds_bucket{mapping=\"m\",le=\"+Inf\"} 5");
    assert_line(text, "castgate_latency_seconds_sum{mapping=\"m\"} 302.0101");
    assert_line(text, "castgate_latency_seconds_count{mapping=\"m\"} 5");
    assert_line(text, "castgate_answers_bucket{mapping=\"m\",le=\"0\"} 1");
    assert_line(text, "castgate_answers_bucket{mapping=\"m\",le=\"10\"} 1");
    assert_line(text, "castgate_answers_bucket{mapping=\"m\",le=\"20\"} 2");
    assert_line(text, "castgate_answers_bucket{mapping=\"m\",le=\"50000\"} 2");
    assert_line(text, "castgate_answers_sum{mapping=\"m\"} 12");
}

/* Who collects them relies on the bounds. */
static void assert_bounds(struct text *text, const char *before, const char *bounds) {
    char line[160];
    for (const char *at = bounds; *at != '\0'; at += strcspn(at, " "), at += *at == ' ') {
        snprintf(line, sizeof line, "%sle=\"%.*s\"} 0", before, (int)strcspn(at, " "), at);
        assert_line(text, line);
    }
}

static void test_the_bounds_stay_as_they_are(void **state) {
    struct text *text = *state;
    cg_stats_get(&text->table, "m");
    emit(text);
    assert_bounds(text, "castgate_latency_seconds_bucket{mapping=\"m\",",
                  "0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2 3 5 8 15 30 60 300 +Inf");
    assert_bounds(text, "castgate_answers_bucket{mapping=\"m\",",
                  "0 1 2 5 10 20 50 100 200 500 1000 2000 5000 10000 20000 50000 +Inf");
    assert_bounds(text, "castgate_loop_turn_seconds_bucket{",
                  "0.0001 0.0002 0.0005 0.001 0.002 0.005 0.01 0.02 0.05 0.1 0.2 0.5 1 2 5 10 +Inf");
}

static void test_loop_turns(void **state) {
    struct text *text = *state;
    static const double seconds[] = {0.00001, 0.0001, 0.003, 11};
    for (size_t i = 0; i < 4; i++) cg_histogram_add(&text->totals.turns_s, cg_turn_bounds, seconds[i]);
    text->totals.longest_turn_s = 11;
    emit(text);
    assert_line(text, "# TYPE castgate_loop_turn_seconds histogram");
    assert_line(text, "castgate_loop_turn_seconds_bucket{le=\"0.0001\"} 2");
    assert_line(text, "castgate_loop_turn_seconds_bucket{le=\"0.002\"} 2");
    assert_line(text, "castgate_loop_turn_seconds_bucket{le=\"0.005\"} 3");
    assert_line(text, "castgate_loop_turn_seconds_bucket{le=\"10\"} 3");
    assert_line(text, "castgate_loop_turn_seconds_bucket{le=\"+Inf\"} 4");
    assert_line(text, "castgate_loop_turn_seconds_sum 11.00311");
    assert_line(text, "castgate_loop_turn_seconds_count 4");
    assert_line(text, "castgate_loop_longest_turn_seconds 11");
}

static void test_bounds_ascend(void **state) {
    (void)state;
    for (size_t i = 1; i < CG_HISTOGRAM_BUCKETS; i++) {
        assert_true(cg_latency_bounds[i] > cg_latency_bounds[i - 1]);
        assert_true(cg_answers_bounds[i] > cg_answers_bounds[i - 1]);
        assert_true(cg_turn_bounds[i] > cg_turn_bounds[i - 1]);
    }
}

static void test_label_escaping(void **state) {
    struct text *text = *state;
    cg_stats_get(&text->table, "a\\b\"c\nd")->sent = 1;
    emit(text);
    assert_line(text, "castgate_sent_total{mapping=\"a\\\\b\\\"c\\nd\"} 1");
}

/* Every metric announces itself before its first sample, once, and its samples are not torn apart. */
static void test_grammar(void **state) {
    struct text *text = *state;
    cg_stats_get(&text->table, "one")->errors[0] = 1;
    cg_stats_get(&text->table, "two")->errors[0] = 1;
    text->totals.errors[0] = 1;
    emit(text);
    char *rest = (char *)text->buf.data, *line;
    char current[64] = "";
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        char name[64], type[16];
        if (sscanf(line, "# TYPE %63s %15s", name, type) == 2) {
            strcpy(current, name);
        } else if (strncmp(line, "# HELP ", 7) != 0) {
            assert_int_equal(strncmp(line, current, strlen(current)), 0);
            assert_true(line[strlen(current)] == '{' || line[strlen(current)] == ' ' || line[strlen(current)] == '_');
        }
    }
    assert_non_null(line); /* it ended with a line feed */
}

/* The same text, however small the slices are. */
static void test_slices(void **state) {
    struct text *text = *state;
    for (unsigned i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%u", i);
        cg_stats_get(&text->table, name)->errors[i % CG_ERR_COUNT] = i;
    }
    emit(text);
    for (unsigned lines = 1; lines < 100; lines += 7) {
        struct cg_stats_cursor cursor = {0};
        struct cg_buf sliced;
        size_t slices = 1, before = 0;
        cg_buf_init(&sliced, 0);
        while (cg_stats_emit(&sliced, &text->table, &text->totals, &cursor, lines)) {
            assert_true(sliced.len - before < (lines + 40) * 100);
            before = sliced.len;
            slices++;
        }
        assert_true(slices >= 50 * 15 / lines);
        cg_buf_put_u8(&sliced, '\0');
        assert_string_equal((const char *)sliced.data, (const char *)text->buf.data);
        cg_buf_fini(&sliced);
    }
}

/* Whoever may not know which mappings there are reads their sum, in whatever slices. */
static void test_the_sum_names_nobody(void **state) {
    struct text *text = *state;
    for (unsigned i = 1; i <= 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%u", i);
        struct cg_stats *stats = cg_stats_get(&text->table, name);
        stats->sent = i;
        stats->errors[-1 - CG_E_NO_MEMORY] = 2;
        cg_histogram_add(&stats->answers, cg_answers_bounds, i);
    }
    for (unsigned lines = 1; lines < 100; lines += 33) {
        struct cg_stats_cursor cursor = {.view = CG_STATS_SUMMED};
        unsigned slices = 1;
        cg_buf_clear(&text->buf);
        while (cg_stats_emit(&text->buf, &text->table, &text->totals, &cursor, lines)) slices++;
        assert_true(slices > 50 / lines);
        cg_buf_put_u8(&text->buf, '\0');
        assert_absent(text, "mapping=");
        assert_line(text, "castgate_sent_total 1275");
        assert_line(text, "castgate_errors_total{reason=\"memory-limit\"} 100");
        assert_line(text, "castgate_answers_bucket{le=\"20\"} 20");
        assert_line(text, "castgate_answers_bucket{le=\"+Inf\"} 50");
        assert_line(text, "castgate_answers_sum 1275");
        assert_line(text, "castgate_answers_count 50");
    }
}

/* They come at the end of what is written next. */
static void test_mappings_that_come_between_slices(void **state) {
    struct text *text = *state;
    struct cg_stats_cursor cursor = {0};
    cg_stats_get(&text->table, "one");
    cg_stats_get(&text->table, "two");
    cg_buf_clear(&text->buf);
    assert_true(cg_stats_emit(&text->buf, &text->table, &text->totals, &cursor, 1));
    cg_stats_get(&text->table, "three");
    while (cg_stats_emit(&text->buf, &text->table, &text->totals, &cursor, 1)) continue;
    cg_buf_put_u8(&text->buf, '\0');
    assert_line(text, "castgate_requests_total{mapping=\"one\"} 0");
    assert_line(text, "castgate_requests_total{mapping=\"three\"} 0");
    assert_line(text, "castgate_answers_count{mapping=\"three\"} 0");
}

static void test_nothing_yet(void **state) {
    struct text *text = *state;
    emit(text);
    assert_line(text, "# TYPE castgate_sent_total counter");
    assert_line(text, "castgate_datagrams_total 0");
    assert_absent(text, "mapping=");
}

int main(void) {
#define WITH_TEXT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_TEXT(test_by_name),
        WITH_TEXT(test_counters),
        WITH_TEXT(test_errors_by_reason),
        WITH_TEXT(test_histograms),
        WITH_TEXT(test_bounds_ascend),
        WITH_TEXT(test_label_escaping),
        WITH_TEXT(test_grammar),
        WITH_TEXT(test_nothing_yet),
        WITH_TEXT(test_the_sum_names_nobody),
        WITH_TEXT(test_the_bounds_stay_as_they_are),
        WITH_TEXT(test_loop_turns),
        WITH_TEXT(test_fates),
        WITH_TEXT(test_slices),
        WITH_TEXT(test_mappings_that_come_between_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
