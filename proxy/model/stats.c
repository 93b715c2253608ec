/* Counters in Prometheus' text format. The hard thing is its grammar: every sample of a metric stands together, buckets
 * are cumulative, and a label's value is escaped. So all mappings are gone through once for each metric, in slices: a
 * mapping's figures are never removed, so a place among them stays one. */
#include "model/stats.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

const double cg_latency_bounds[CG_HISTOGRAM_BUCKETS] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                                        2,     3,    5,     8,    15,  30,   60,  300};
const double cg_answers_bounds[CG_HISTOGRAM_BUCKETS] = {0,   1,   2,    5,    10,   20,    50,    100,
                                                        200, 500, 1000, 2000, 5000, 10000, 20000, 50000};
const double cg_turn_bounds[CG_HISTOGRAM_BUCKETS] = {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02,
                                                     0.05,   0.1,    0.2,    0.5,   1,     2,     5,    10};

static const struct {
    const char *name;
    const char *help;
    size_t offset; /* of a uint64_t in struct cg_stats */
} mapping_counters[] = {
    {"requests_total", "Client requests admitted.", offsetof(struct cg_stats, requests)},
    {"sent_total", "Group requests emitted.", offsetof(struct cg_stats, sent)},
    {"joined_total", "Client requests that shared another's group request.", offsetof(struct cg_stats, joined)},
    {"cache_hits_total", "Client requests answered with kept answers alone.", offsetof(struct cg_stats, cache_hits)},
    {"cache_misses_total", "Client requests that might have been, and were not.",
     offsetof(struct cg_stats, cache_misses)},
    {"cache_revalidations_total", "Answers that said that a kept one still holds (2.03).",
     offsetof(struct cg_stats, revalidations)},
    {"queued_total", "Group requests that waited for their group's turn.", offsetof(struct cg_stats, queued)},
    {"asked_total", "Unicast requests to members, retransmissions aside.", offsetof(struct cg_stats, asked)},
    {"answered_total", "Members' answers handed to clients.", offsetof(struct cg_stats, answered)},
    {"notifications_total", "Notifications of observed members, beyond their first answers.",
     offsetof(struct cg_stats, notifications)},
    {"notifications_held_back_total",
     "Notifications that waited, or gave way to a newer one, as their member sends many.",
     offsetof(struct cg_stats, held_back)},
    {"renewals_periodic_total", "Observations registered once more after group.observe_renewal.",
     offsetof(struct cg_stats, renewals[CG_RENEWAL_PERIOD])},
    {"renewals_stale_total", "The same, as several members had not been heard in time.",
     offsetof(struct cg_stats, renewals[CG_RENEWAL_STALE])},
    {"renewals_member_total", "The same at the one member that had not, by unicast.",
     offsetof(struct cg_stats, renewals[CG_RENEWAL_MEMBER])},
    {"renewals_rekey_total", "The same after a change of keys.", offsetof(struct cg_stats, renewals[CG_RENEWAL_REKEY])},
    {"renewals_silence_total", "The same, as many members were silent to the first registration.",
     offsetof(struct cg_stats, renewals[CG_RENEWAL_SILENCE])},
    {"failed_total", "Answers with a 4.xx or 5.xx code.", offsetof(struct cg_stats, failed)},
    {"late_total", "Answers that came after the end of collecting.", offsetof(struct cg_stats, late)},
    {"duplicate_total", "Further answers of members that had answered.", offsetof(struct cg_stats, duplicate)},
    {"rejected_total", "Answers refused by verification or a limit.", offsetof(struct cg_stats, rejected)},
    {"over_cap_total", "Answers beyond max_answers.", offsetof(struct cg_stats, over_cap)},
    {"streams_cut_total", "Streams ended because their reader was too slow.", offsetof(struct cg_stats, streams_cut)},
    {"kernel_drops_total", "Datagrams the kernel dropped while a request of the mapping ran.",
     offsetof(struct cg_stats, kernel_drops)},
};

static const struct {
    const char *name;
    const char *help;
    size_t offset; /* of a uint64_t in struct cg_totals */
} total_counters[] = {
    {"datagrams_total", "Datagrams received from the groups' side.", offsetof(struct cg_totals, datagrams)},
    {"malformed_total", "Datagrams that were no CoAP message.", offsetof(struct cg_totals, fates[CG_FATE_MALFORMED])},
    {"send_budget_waits_total", "Datagrams that waited for room in group.send_budgets.",
     offsetof(struct cg_totals, budget_waits)},
    {"pings_total", "Pings to strangers whose answers have further blocks.", offsetof(struct cg_totals, pings)},
    {"cache_evictions_total", "Questions whose answers were forgotten, for room or as nobody asked again.",
     offsetof(struct cg_totals, cache_evictions)},
    {"unknown_token_total", "Responses to no request, or to one of too long ago.",
     offsetof(struct cg_totals, fates[CG_FATE_UNKNOWN_TOKEN])},
};

const char *const cg_fate_names[CG_FATE_COUNT] = {
    [CG_FATE_ANSWER] = "answer",       [CG_FATE_BLOCK] = "block",
    [CG_FATE_CHALLENGE] = "challenge", [CG_FATE_PROBE] = "probe",
    [CG_FATE_DUPLICATE] = "duplicate", [CG_FATE_REJECTED] = "rejected",
    [CG_FATE_LATE] = "late",           [CG_FATE_ACKNOWLEDGEMENT] = "acknowledgement",
    [CG_FATE_UNWANTED] = "unwanted",   [CG_FATE_UNKNOWN_TOKEN] = "unknown-token",
    [CG_FATE_REQUEST] = "request",     [CG_FATE_BAD_CODE] = "bad-code",
    [CG_FATE_MALFORMED] = "malformed", [CG_FATE_STRAY_EMPTY] = "stray-empty",
};

static const struct {
    const char *name;
    const char *help;
    const double *bounds;
    size_t offset; /* of a struct cg_histogram in struct cg_stats */
} histograms[] = {
    {"latency_seconds", "From a client's request to the end of collecting.", cg_latency_bounds,
     offsetof(struct cg_stats, latency_s)},
    {"answers", "Answers a client's request got.", cg_answers_bounds, offsetof(struct cg_stats, answers)},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct cg_stats *cg_stats_get(struct cg_stats_table *table, const char *name) {
    struct cg_stats *stats;
    HASH_FIND_STR(table->by_name, name, stats);
    if (stats != NULL) return stats;
    stats = calloc(1, sizeof *stats);
    if (stats == NULL) return NULL;
    CG_CHECK(strlen(name) < sizeof stats->name);
    strcpy(stats->name, name);
    HASH_ADD_STR(table->by_name, name, stats);
    if (CG_HASH_HAS(hh, stats)) return stats;
    free(stats);
    return NULL;
}

void cg_stats_fini(struct cg_stats_table *table) {
    struct cg_stats *stats, *next;
    HASH_ITER(hh, table->by_name, stats, next) {
        HASH_DEL(table->by_name, stats);
        free(stats);
    }
}

void cg_histogram_add(struct cg_histogram *histogram, const double bounds[CG_HISTOGRAM_BUCKETS], double value) {
    size_t bucket = 0;
    while (bucket < CG_HISTOGRAM_BUCKETS && value > bounds[bucket]) bucket++;
    histogram->counts[bucket]++;
    histogram->total++;
    histogram->sum += value;
}

static void put_label_value(struct cg_buf *to, const char *value) {
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\n') {
            cg_buf_put_str(to, "\\n");
        } else {
            if (*at == '\\' || *at == '"') cg_buf_put_u8(to, '\\');
            cg_buf_put_u8(to, (uint8_t)*at);
        }
    }
}

static void put_head(struct cg_buf *to, const char *name, const char *help, const char *type) {
    cg_buf_printf(to, "# HELP castgate_%s %s\n# TYPE castgate_%s %s\n", name, help, name, type);
}

static void put_label(struct cg_buf *to, const char *name, const char *value) {
    cg_buf_printf(to, "%s=\"", name);
    put_label_value(to, value);
    cg_buf_put_u8(to, '"');
}

/* `castgate_NAMEPART{mapping="…",LABEL="…"} `; a sum over all mappings has no mapping, and LABEL may be NULL. */
static void put_name(struct cg_buf *to, const char *name, const char *part, const struct cg_stats *stats,
                     const char *label, const char *value) {
    bool is_sum = stats->name[0] == '\0';
    cg_buf_printf(to, "castgate_%s%s", name, part);
    if (!is_sum || label != NULL) cg_buf_put_u8(to, '{');
    if (!is_sum) put_label(to, "mapping", stats->name);
    if (!is_sum && label != NULL) cg_buf_put_u8(to, ',');
    if (label != NULL) put_label(to, label, value);
    cg_buf_put_str(to, is_sum && label == NULL ? " " : "} ");
}

static uint64_t counter_of(const struct cg_stats *stats, size_t index) {
    uint64_t value;
    memcpy(&value, (const char *)stats + mapping_counters[index].offset, sizeof value);
    return value;
}

static const struct cg_histogram *histogram_of(const struct cg_stats *stats, size_t index) {
    return (const struct cg_histogram *)(const void *)((const char *)stats + histograms[index].offset);
}

static void put_counter(struct cg_buf *to, const struct cg_stats *stats, size_t index) {
    put_name(to, mapping_counters[index].name, "", stats, NULL, NULL);
    cg_buf_printf(to, "%llu\n", (unsigned long long)counter_of(stats, index));
}

/* Only the reasons that happened: there are many, and most never do. */
static void put_errors(struct cg_buf *to, const struct cg_stats *stats) {
    for (int i = 0; i < CG_ERR_COUNT; i++) {
        if (stats->errors[i] == 0) continue;
        put_name(to, "errors_total", "", stats, "reason", cg_err_info(-1 - i)->slug);
        cg_buf_printf(to, "%llu\n", (unsigned long long)stats->errors[i]);
    }
}

static void put_missing(struct cg_buf *to, const struct cg_stats *stats) {
    for (int i = 0; i < CG_CAUSE_COUNT; i++) {
        if (stats->missing[i] == 0) continue;
        put_name(to, "missing_total", "", stats, "cause", cg_cause_names[i]);
        cg_buf_printf(to, "%llu\n", (unsigned long long)stats->missing[i]);
    }
}

static void put_histogram(struct cg_buf *to, const struct cg_stats *stats, size_t index) {
    const char *name = histograms[index].name;
    const struct cg_histogram *histogram = histogram_of(stats, index);
    uint64_t below = 0;
    for (size_t i = 0; i < CG_HISTOGRAM_BUCKETS; i++) {
        char bound[32];
        snprintf(bound, sizeof bound, "%.15g", histograms[index].bounds[i]);
        below += histogram->counts[i];
        put_name(to, name, "_bucket", stats, "le", bound);
        cg_buf_printf(to, "%llu\n", (unsigned long long)below);
    }
    put_name(to, name, "_bucket", stats, "le", "+Inf");
    cg_buf_printf(to, "%llu\n", (unsigned long long)histogram->total);
    put_name(to, name, "_sum", stats, NULL, NULL);
    cg_buf_printf(to, "%.15g\n", histogram->sum);
    put_name(to, name, "_count", stats, NULL, NULL);
    cg_buf_printf(to, "%llu\n", (unsigned long long)histogram->total);
}

/* Of the gateway as a whole: no mapping, no labels. */
static void put_turns(struct cg_buf *to, const struct cg_totals *totals) {
    const struct cg_histogram *turns = &totals->turns_s;
    uint64_t below = 0;
    put_head(to, "loop_turn_seconds", "CPU time of the event loop's turns; those of a tenth of a millisecond are one.",
             "histogram");
    for (size_t i = 0; i < CG_HISTOGRAM_BUCKETS; i++) {
        below += turns->counts[i];
        cg_buf_printf(to, "castgate_loop_turn_seconds_bucket{le=\"%.15g\"} %llu\n", cg_turn_bounds[i],
                      (unsigned long long)below);
    }
    cg_buf_printf(to, "castgate_loop_turn_seconds_bucket{le=\"+Inf\"} %llu\n", (unsigned long long)turns->total);
    cg_buf_printf(to, "castgate_loop_turn_seconds_sum %.15g\ncastgate_loop_turn_seconds_count %llu\n", turns->sum,
                  (unsigned long long)turns->total);
    put_head(to, "loop_longest_turn_seconds", "The longest of them since the start.", "gauge");
    cg_buf_printf(to, "castgate_loop_longest_turn_seconds %.15g\n", totals->longest_turn_s);
}

static void put_fates(struct cg_buf *to, const struct cg_totals *totals) {
    put_head(to, "datagram_fates_total", "What became of datagrams_total; those being verified have no fate yet.",
             "counter");
    for (size_t i = 0; i < CG_FATE_COUNT; i++) {
        cg_buf_printf(to, "castgate_datagram_fates_total{fate=\"%s\"} %llu\n", cg_fate_names[i],
                      (unsigned long long)totals->fates[i]);
    }
}

static void put_totals(struct cg_buf *to, const struct cg_totals *totals) {
    for (size_t i = 0; i < COUNT_OF(total_counters); i++) {
        uint64_t value;
        memcpy(&value, (const char *)totals + total_counters[i].offset, sizeof value);
        put_head(to, total_counters[i].name, total_counters[i].help, "counter");
        cg_buf_printf(to, "castgate_%s %llu\n", total_counters[i].name, (unsigned long long)value);
    }
    put_head(to, "cache_bytes", "Memory of kept answers.", "gauge");
    cg_buf_printf(to, "castgate_cache_bytes %llu\n", (unsigned long long)totals->cache_bytes);
    put_fates(to, totals);
    put_head(to, "refused_total", "Client requests refused before their mapping was known.", "counter");
    for (int i = 0; i < CG_ERR_COUNT; i++) {
        if (totals->errors[i] == 0) continue;
        cg_buf_printf(to, "castgate_refused_total{reason=\"%s\"} %llu\n", cg_err_info(-1 - i)->slug,
                      (unsigned long long)totals->errors[i]);
    }
}

/* Sections: each is one metric's samples, of one mapping after the other. */

enum {
    ERRORS = COUNT_OF(mapping_counters),
    MISSING,
    HISTOGRAMS,
    TOTALS = HISTOGRAMS + COUNT_OF(histograms), /* no mapping's */
    HISTOGRAM_LINES = CG_HISTOGRAM_BUCKETS + 3,
};

static void put_section_head(struct cg_buf *to, size_t section) {
    if (section < ERRORS)
        put_head(to, mapping_counters[section].name, mapping_counters[section].help, "counter");
    else if (section == ERRORS)
        put_head(to, "errors_total", "Client requests that ended with an error.", "counter");
    else if (section == MISSING)
        put_head(to, "missing_total", "Expected members that did not answer, by what is known of why.", "counter");
    else
        put_head(to, histograms[section - HISTOGRAMS].name, histograms[section - HISTOGRAMS].help, "histogram");
}

/* Returns its price, in lines. */
static unsigned put_mapping_of(struct cg_buf *to, size_t section, const struct cg_stats *stats) {
    if (section < ERRORS) {
        put_counter(to, stats, section);
    } else if (section == ERRORS) {
        put_errors(to, stats);
    } else if (section == MISSING) {
        put_missing(to, stats);
    } else {
        put_histogram(to, stats, section - HISTOGRAMS);
        return HISTOGRAM_LINES;
    }
    return 1;
}

static void begin_section(struct cg_buf *to, const struct cg_stats_table *table, struct cg_stats_cursor *cursor) {
    put_section_head(to, cursor->section);
    cursor->begun = true;
    cursor->next = cursor->view == CG_STATS_SUMMED ? &cursor->sum : table->by_name;
}

static void end_section(struct cg_stats_cursor *cursor) {
    cursor->section++;
    cursor->begun = false;
}

/* ---- The sum ---- */

static void add_histogram(struct cg_histogram *sum, const struct cg_histogram *one) {
    for (size_t i = 0; i <= CG_HISTOGRAM_BUCKETS; i++) sum->counts[i] += one->counts[i];
    sum->total += one->total;
    sum->sum += one->sum;
}

static void add_stats(struct cg_stats *sum, const struct cg_stats *one) {
    for (size_t i = 0; i < COUNT_OF(mapping_counters); i++) {
        uint64_t value = counter_of(sum, i) + counter_of(one, i);
        memcpy((char *)sum + mapping_counters[i].offset, &value, sizeof value);
    }
    for (size_t i = 0; i < CG_ERR_COUNT; i++) sum->errors[i] += one->errors[i];
    for (size_t i = 0; i < CG_CAUSE_COUNT; i++) sum->missing[i] += one->missing[i];
    add_histogram(&sum->latency_s, &one->latency_s);
    add_histogram(&sum->answers, &one->answers);
}

/* True: it is of all of them. */
static bool sum_up(const struct cg_stats_table *table, struct cg_stats_cursor *cursor, unsigned most) {
    if (cursor->summed) return true;
    if (!cursor->begun) cursor->next = table->by_name;
    cursor->begun = true;
    for (unsigned i = 0; cursor->next != NULL; i++, cursor->next = cursor->next->hh.next) {
        if (i >= most) return false;
        add_stats(&cursor->sum, cursor->next);
    }
    cursor->summed = true;
    cursor->begun = false;
    return true;
}

bool cg_stats_emit(struct cg_buf *to, const struct cg_stats_table *table, const struct cg_totals *totals,
                   struct cg_stats_cursor *cursor, unsigned lines) {
    unsigned done = 0;
    if (cursor->view == CG_STATS_SUMMED && !sum_up(table, cursor, lines)) return true;
    while (cursor->section < TOTALS) {
        if (!cursor->begun) begin_section(to, table, cursor);
        for (; cursor->next != NULL; cursor->next = cursor->next->hh.next) {
            if (done >= lines) return true;
            done += put_mapping_of(to, cursor->section, cursor->next);
        }
        end_section(cursor);
    }
    put_totals(to, totals);
    put_turns(to, totals);
    return false;
}
