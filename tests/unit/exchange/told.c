#include "exchange/told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void put_slice(struct cg_buf *to, struct castgate_slice slice) { cg_buf_put(to, slice.data, slice.len); }

/* Without CoAP's port, which goes without saying. */
static void put_addr(struct cg_buf *to, struct castgate_slice addr) {
    static const char port[] = ":5683";
    size_t len = sizeof port - 1;
    if (addr.len > len && memcmp((const char *)addr.data + addr.len - len, port, len) == 0) addr.len -= len;
    put_slice(to, addr);
}

void told_answer(struct cg_buf *to, const struct castgate_answer *answer) {
    char code[5];
    cg_code_text(answer->code, code);
    put_addr(to, answer->from.len > 0 ? answer->from : answer->member);
    if (answer->via == CASTGATE_VIA_CACHE) cg_buf_printf(to, " from cache for %u", (unsigned)answer->max_age);
    cg_buf_printf(to, "%s %s%s", answer->via == CASTGATE_VIA_UNICAST ? " by unicast" : "", code,
                  answer->payload.len > 0 ? " " : "");
    put_slice(to, answer->payload);
    cg_buf_put_str(to, TOLD_END);
}

static unsigned put_answers(struct cg_buf *to, struct cg_reading *reading) {
    struct castgate_answer answer;
    unsigned count = 0;
    for (; cg_reading_answer(reading, count, &answer); count++) told_answer(to, &answer);
    return count;
}

static void put_rejected(struct cg_buf *to, struct cg_reading *reading) {
    struct castgate_rejected rejected;
    for (size_t i = 0; cg_reading_rejected(reading, i, &rejected); i++) {
        cg_buf_put_str(to, "rejected ");
        put_addr(to, rejected.from);
        cg_buf_put_str(to, " ");
        put_slice(to, rejected.reason);
        cg_buf_put_str(to, TOLD_END);
    }
}

static unsigned put_missing(struct cg_buf *to, struct cg_reading *reading) {
    struct castgate_missing missing;
    unsigned count = 0;
    for (; cg_reading_missing(reading, count, &missing); count++) {
        cg_buf_put_str(to, "missing ");
        put_addr(to, missing.from.len > 0 ? missing.from : missing.member);
        if (strcmp(missing.cause, "unknown") != 0) cg_buf_printf(to, " %s", missing.cause);
        cg_buf_put_str(to, TOLD_END);
    }
    return count;
}

static void put_figure(struct cg_buf *to, const char *name, uint32_t figure) {
    if (figure != 0) cg_buf_printf(to, " %s:%u", name, figure);
}

void told_summary(struct cg_buf *to, const struct cg_view *view) {
    struct cg_reading reading;
    cg_reading_init(&reading, view);
    put_rejected(to, &reading);
    assert_int_equal(put_missing(to, &reading), view->summary.missing);
    cg_reading_fini(&reading);
    cg_buf_put_str(to, view->summary.ended_by);
    put_figure(to, "late", view->summary.late);
    put_figure(to, "duplicates", view->summary.duplicates);
    put_figure(to, "joined", view->summary.joined_ms);
    cg_buf_put_str(to, TOLD_END);
}

void told_whole(struct cg_buf *to, const struct cg_view *view) {
    struct cg_reading reading;
    cg_reading_init(&reading, view);
    assert_int_equal(put_answers(to, &reading), view->summary.answered);
    cg_reading_fini(&reading);
    told_summary(to, view);
}
