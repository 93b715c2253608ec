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

static void hear_rejections(struct cg_check_sink *heard, struct cg_reading *reading) {
    struct castgate_rejected rejected;
    uint32_t listed = 0, all = reading->view->summary.rejected;
    for (; cg_reading_rejected(reading, listed, &rejected); listed++) {
        tell_rejection(&heard->rejections, &rejected);
        if (listed > 0) continue;
        snprintf(heard->first_rejection, sizeof heard->first_rejection, "%.*s", (int)rejected.reason.len,
                 (const char *)rejected.reason.data);
    }
    if (all > listed) cg_buf_printf(&heard->rejections, "and %u more, counted only\n", (unsigned)(all - listed));
}

/* Only who has an address can be asked why. */
static void note_silent(struct cg_check_sink *heard, const struct castgate_missing *missing) {
    struct cg_silent *silent = &heard->silent[heard->silent_count];
    if (cg_addr_parse(&silent->probe.to, cg_borrow(missing->from), CG_COAP_PORT) < 0) return;
    snprintf(silent->name, sizeof silent->name, "%.*s", (int)missing->member.len, (const char *)missing->member.data);
    heard->silent_count++;
}

static void hear(struct cg_check_sink *heard, const struct cg_view *view) {
    struct cg_reading reading;
    struct castgate_answer answer;
    struct castgate_missing missing;
    heard->summary = view->summary;
    cg_reading_init(&reading, view);
    for (size_t i = 0; cg_reading_answer(&reading, i, &answer); i++) tell_answer(&heard->answers, &answer);
    hear_rejections(heard, &reading);
    for (size_t i = 0; i < CG_SILENT_MAX && cg_reading_missing(&reading, i, &missing); i++)
        note_silent(heard, &missing);
    cg_reading_fini(&reading);
}

static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    struct cg_check_sink *heard = CG_CONTAINER(sink, struct cg_check_sink, sink);
    (void)ending;
    if (how == CG_SINK_LEFT) return;
    heard->is_over = true;
    heard->problem = *problem;
    if (problem->err == 0) hear(heard, view);
    heard->on_over(heard->ctx);
}

static const struct cg_sink_ops ops = {.end = on_end};

void cg_check_sink_init(struct cg_check_sink *heard, void (*on_over)(void *ctx), void *ctx) {
    *heard = (struct cg_check_sink){.sink.ops = &ops, .on_over = on_over, .ctx = ctx};
    cg_buf_init(&heard->answers, 0);
    cg_buf_init(&heard->rejections, 0);
}

void cg_check_sink_fini(struct cg_check_sink *heard) {
    cg_buf_fini(&heard->answers);
    cg_buf_fini(&heard->rejections);
}
