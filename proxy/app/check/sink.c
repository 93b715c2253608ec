/* A reply for a person. The hard thing: part of it is what strangers say, and it goes to a terminal. */
#include "app/check/sink.h"

#include <stdio.h>

#include "base/container.h"
#include "lend.h"

static void put_kid(struct cg_buf *to, bool has_kid, struct castgate_slice kid) {
    if (!has_kid) return;
    cg_buf_put_str(to, ", kid ");
    cg_buf_put_hex(to, cg_borrow(kid));
}

static void tell_answer(struct cg_buf *to, const struct castgate_answer *answer) {
    char code[5];
    cg_code_text(answer->code, code);
    struct castgate_slice who = answer->from.len > 0 ? answer->from : answer->member;
    cg_buf_printf(to, "%-24.*s %s  %5u ms  %s", (int)who.len, (const char *)who.data, code, answer->ms,
                  answer->verified == CASTGATE_VERIFIED_SOURCE ? "verified" : "not verified");
    put_kid(to, answer->has_kid, answer->kid);
    if (answer->via == CASTGATE_VIA_UNICAST) cg_buf_put_str(to, ", asked by unicast");
    bool named = answer->from.len > 0 && !cg_slice_equal(cg_borrow(answer->member), cg_borrow(answer->from));
    if (named) cg_buf_printf(to, ", %.*s", (int)answer->member.len, (const char *)answer->member.data);
    cg_buf_printf(to, ", %zu bytes\n", answer->payload.len);
}

/* What somebody unknown says, on a person's terminal: in quotes, and nothing but printable ASCII. */
static void put_words(struct cg_buf *to, const struct castgate_rejected *rejected) {
    char code[5];
    if (rejected->code == CG_EMPTY) return;
    cg_code_text(rejected->code, code);
    cg_buf_printf(to, ", %s", code);
    if (rejected->diagnostic.len == 0) return;
    cg_buf_put_u8(to, ' ');
    size_t from = to->len;
    cg_buf_put_json(to, cg_borrow(rejected->diagnostic));
    for (size_t i = from; i < to->len; i++) {
        if (to->data[i] < ' ' || to->data[i] > '~') to->data[i] = '?';
    }
}

static void tell_rejection(struct cg_buf *to, const struct castgate_rejected *rejected) {
    cg_buf_printf(to, "%-24.*s %.*s", (int)rejected->from.len, (const char *)rejected->from.data,
                  (int)rejected->reason.len, (const char *)rejected->reason.data);
    put_kid(to, rejected->kid.len > 0, rejected->kid);
    if (rejected->gid.len > 0) {
        cg_buf_put_str(to, ", group ");
        cg_buf_put_hex(to, cg_borrow(rejected->gid));
    }
    put_words(to, rejected);
    cg_buf_put_u8(to, '\n');
}

static void put_more(struct cg_buf *to, uint32_t all, size_t listed) {
    if (all > listed) cg_buf_printf(to, "and %zu more, counted only\n", all - listed);
}

static void hear_rejections(struct cg_check_result *result, struct cg_reading *reading) {
    struct castgate_rejected rejected;
    size_t count = 0;
    for (; cg_reading_rejected(reading, count, &rejected); count++) {
        char reason[sizeof result->kinds[0].reason];
        if (count < CG_CHECK_LINES_MAX) tell_rejection(&result->rejections, &rejected);
        snprintf(reason, sizeof reason, "%.*s", (int)rejected.reason.len, (const char *)rejected.reason.data);
        cg_check_result_count(result, reason, rejected.code, cg_borrow(rejected.from));
    }
    put_more(&result->rejections, result->rejected, count < CG_CHECK_LINES_MAX ? count : CG_CHECK_LINES_MAX);
}

static void hear_answer(struct cg_check_sink *heard, const struct castgate_answer *answer, bool is_stranger) {
    struct cg_check_result *result = heard->result;
    cg_check_result_count(result, "", answer->code, cg_borrow(answer->from));
    result->strangers += is_stranger;
    result->over_time += heard->patience_us > 0 && answer->ms > heard->patience_us / 1000;
    if (answer->ms > result->latest_ms) result->latest_ms = answer->ms;
}

static void hear_answers(struct cg_check_sink *heard, struct cg_reading *reading) {
    const struct cg_view *view = reading->view;
    size_t count = 0;
    for (const struct cg_answer *held = view->answers; held != NULL; held = held->next, count++) {
        struct castgate_answer answer;
        cg_reading_describe(reading, held, &answer);
        if (count < CG_CHECK_LINES_MAX) tell_answer(&heard->result->answers, &answer);
        hear_answer(heard, &answer, view->mapping->member_count > 0 && held->member == NULL);
    }
    put_more(&heard->result->answers, (uint32_t)count, count < CG_CHECK_LINES_MAX ? count : CG_CHECK_LINES_MAX);
}

/* Only who has an address can be asked why. */
static void hear_missing(struct cg_check_result *result, struct cg_reading *reading) {
    struct castgate_missing missing;
    for (size_t i = 0; result->silent_count < CG_SILENT_MAX && cg_reading_missing(reading, i, &missing); i++) {
        struct cg_check_silent *silent = &result->silent[result->silent_count];
        if (cg_addr_parse(&silent->addr, cg_borrow(missing.from), CG_COAP_PORT) < 0) continue;
        snprintf(silent->name, sizeof silent->name, "%.*s", (int)missing.member.len, (const char *)missing.member.data);
        result->silent_count++;
    }
}

static void hear_summary(struct cg_check_result *result, const struct castgate_summary *summary) {
    result->answered = summary->answered;
    result->failed = summary->failed;
    result->missing = summary->missing;
    result->rejected = summary->rejected;
    result->duplicates = summary->duplicates;
    result->expected = summary->expected;
    result->ms = summary->ms;
    snprintf(result->ended_by, sizeof result->ended_by, "%s", summary->ended_by);
}

static void hear(struct cg_check_sink *heard, const struct cg_view *view) {
    struct cg_reading reading;
    hear_summary(heard->result, &view->summary);
    cg_reading_init(&reading, view);
    hear_answers(heard, &reading);
    hear_rejections(heard->result, &reading);
    hear_missing(heard->result, &reading);
    cg_reading_fini(&reading);
}

static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    struct cg_check_sink *heard = CG_CONTAINER(sink, struct cg_check_sink, sink);
    (void)ending;
    if (how != CG_SINK_LEFT) {
        heard->result->problem = *problem;
        if (problem->err == 0) hear(heard, view);
    }
    heard->on_over(heard->ctx, how);
}

static const struct cg_sink_ops ops = {.end = on_end};

void cg_check_sink_init(struct cg_check_sink *heard, struct cg_check_result *result, uint64_t patience_us,
                        void (*on_over)(void *ctx, enum cg_sink_end how), void *ctx) {
    *heard = (struct cg_check_sink){
        .sink.ops = &ops, .result = result, .patience_us = patience_us, .on_over = on_over, .ctx = ctx};
}
