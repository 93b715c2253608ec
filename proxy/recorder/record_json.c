/* A record as JSON. The hard thing: there may be thousands of answers in it, so numbers are written without printf, and
 * a list of records has of each answer only where its dot stands. */
#include "recorder/record.h"

#include "base/calendar.h"
#include "base/text.h"
#include "recorder/put.h"

enum { DOTS_MAX = 256 }; /* of answers, in lists */

/* ---- Words ---- */

static void put_text_hex(struct cg_buf *to, const char *key, const struct cg_record *record, uint32_t at, size_t len) {
    cg_put_key(to, key);
    cg_buf_put_u8(to, '"');
    cg_buf_put_hex(to, cg_slice_of(record->texts + at, len));
    cg_buf_put_u8(to, '"');
}

static void put_code(struct cg_buf *to, uint8_t code) {
    char text[5];
    cg_code_text(code, text);
    cg_put_text(to, "code", text);
}

static void put_time(struct cg_buf *to, const char *key, int64_t unix_ms) {
    char text[CG_CALENDAR_MAX];
    cg_calendar_emit_ms(text, unix_ms < 0 ? 0 : unix_ms);
    cg_put_text(to, key, text);
}

/* ---- Members ---- */

/* What answers show of a member where it is hidden: a number that means nothing beyond this exchange. */
static void put_member(struct cg_buf *to, const struct cg_record *record, const struct cg_record_answer *answer) {
    char text[CG_ADDR_TEXT_MAX];
    if (answer->name != 0) {
        cg_put_text(to, "member", cg_record_text(record, answer->name));
    } else if (answer->from.family != CG_FAMILY_NONE) {
        cg_addr_emit(&answer->from, text);
        cg_put_text(to, "member", text);
    } else {
        text[cg_decimal_emit(text, answer->number)] = 0;
        cg_put_text(to, "member", text);
    }
}

static const char *via_name(uint8_t via) {
    static const char *const names[] = {"multicast", "unicast", "cache", "next-hop"};
    return names[via < sizeof names / sizeof *names ? via : 0];
}

static void put_answer(struct cg_buf *to, const struct cg_record *record, const struct cg_record_answer *answer) {
    cg_buf_put_u8(to, '{');
    put_member(to, record, answer);
    cg_put_addr(to, "from", &answer->from);
    if (answer->has_kid) put_text_hex(to, "kid", record, answer->kid, answer->kid_len);
    cg_put_text(to, "outcome", answer->code >> 5 >= 4 ? "failed" : "answered");
    cg_put_text(to, "verified", answer->verified == CASTGATE_VERIFIED_SOURCE ? "source" : "none");
    cg_put_text(to, "via", via_name(answer->via));
    cg_put_number(to, "ms", answer->ms);
    put_code(to, answer->code);
    cg_put_number(to, "bytes", answer->payload_len);
    cg_buf_put_u8(to, '}');
}

static void put_missing(struct cg_buf *to, const struct cg_record *record, const struct cg_record_missing *missing) {
    cg_buf_put_u8(to, '{');
    cg_put_text(to, "member", cg_record_text(record, missing->name));
    cg_put_addr(to, "from", &missing->from);
    cg_put_text(to, "outcome", missing->cause == CG_CAUSE_LATE ? "late" : "missing");
    cg_put_text(to, "cause", cg_cause_names[missing->cause]);
    cg_buf_put_u8(to, '}');
}

static void put_refusal(struct cg_buf *to, const struct cg_record *record, const struct cg_record_refusal *refusal) {
    cg_buf_put_u8(to, '{');
    cg_put_addr(to, "from", &refusal->from);
    cg_put_text(to, "reason", refusal->reason);
    if (refusal->kid_len > 0) put_text_hex(to, "kid", record, refusal->kid, refusal->kid_len);
    if (refusal->gid_len > 0) put_text_hex(to, "gid", record, refusal->gid, refusal->gid_len);
    if (refusal->code != 0) put_code(to, refusal->code);
    cg_buf_put_u8(to, '}');
}

#define PUT_LIST(to, key, record, list, count, put)                                                                    \
    do {                                                                                                               \
        cg_put_key(to, key);                                                                                           \
        cg_buf_put_u8(to, '[');                                                                                        \
        for (size_t i = 0; i < (count); i++) {                                                                         \
            if (i > 0) cg_buf_put_u8(to, ',');                                                                         \
            put(to, record, &(list)[i]);                                                                               \
        }                                                                                                              \
        cg_buf_put_u8(to, ']');                                                                                        \
    } while (0)

static void put_members(struct cg_buf *to, const struct cg_record *record) {
    PUT_LIST(to, "answers", record, record->answers, record->answer_count, put_answer);
    PUT_LIST(to, "missing", record, record->missing, record->missing_count, put_missing);
    PUT_LIST(to, "rejected", record, record->refusals, record->refusal_count, put_refusal);
    cg_put_number(to, "left_out", record->left_out);
}

/* ---- The timeline ---- */

/* Of many answers an even choice has one, so that the dots stand where the answers stand. */
static void put_dots(struct cg_buf *to, const struct cg_record *record) {
    const size_t count = record->answer_count < DOTS_MAX ? record->answer_count : DOTS_MAX;
    cg_put_key(to, "dots");
    cg_buf_put_u8(to, '[');
    for (size_t i = 0; i < count; i++) {
        const struct cg_record_answer *answer = &record->answers[i * record->answer_count / count];
        cg_buf_put_str(to, i > 0 ? ",{" : "{");
        cg_put_number(to, "ms", answer->ms);
        cg_put_text(to, "via", via_name(answer->via));
        cg_put_bool(to, "failed", answer->code >> 5 >= 4);
        cg_buf_put_u8(to, '}');
    }
    cg_buf_put_u8(to, ']');
}

static uint32_t last_ms(const struct cg_record *record) {
    uint32_t last = 0;
    for (size_t i = 0; i < record->answer_count; i++)
        last = record->answers[i].ms > last ? record->answers[i].ms : last;
    return last;
}

static void put_timeline(struct cg_buf *to, const struct cg_record *record, enum cg_record_detail detail) {
    cg_put_key(to, "timeline");
    if (!record->was_sent) {
        cg_buf_put_str(to, "null");
        return;
    }
    cg_buf_put_u8(to, '{');
    cg_put_number(to, "sent_ms", record->sent_ms);
    cg_put_number(to, "leisure_ms", record->leisure_ms);
    cg_put_number(to, "deadline_ms", record->deadline_ms);
    cg_put_number(to, "last_ms", last_ms(record));
    if (detail == CG_RECORD_BRIEF) put_dots(to, record);
    cg_buf_put_u8(to, '}');
}

/* ---- All of it ---- */

#define PUT_COUNT(name) cg_put_number(to, #name, summary->name);
#define PUT_TEXT(name)  cg_put_text(to, #name, summary->name);
#define PUT_OPTIONAL(name)                                                                                             \
    if (summary->name != 0) cg_put_number(to, #name, summary->name);

static void put_summary(struct cg_buf *to, const struct castgate_summary *summary) {
    cg_put_key(to, "summary");
    cg_buf_put_u8(to, '{');
    CASTGATE_SUMMARY_FIGURES(PUT_COUNT, PUT_TEXT, PUT_OPTIONAL)
    cg_buf_put_u8(to, '}');
}

static void put_problem(struct cg_buf *to, const struct cg_problem *problem) {
    cg_put_key(to, "problem");
    if (problem->err == CG_OK) {
        cg_buf_put_str(to, "null");
        return;
    }
    cg_buf_put_u8(to, '{');
    cg_put_text(to, "type", cg_err_info(problem->err)->slug);
    cg_put_text(to, "detail", problem->detail);
    cg_buf_put_u8(to, '}');
}

static void put_status(struct cg_buf *to, unsigned status) {
    cg_put_key(to, "status");
    if (status == 0) {
        cg_buf_put_str(to, "null");
    } else {
        cg_buf_put_decimal(to, status);
    }
}

static void put_measured(struct cg_buf *to, const struct cg_record *record) {
    cg_put_key(to, "measured");
    if (record->tape == NULL) {
        cg_buf_put_str(to, "null");
    } else {
        cg_traffic_put_json(to, cg_tape_traffic(record->tape));
    }
    cg_put_key(to, "predicted");
    if (record->prediction == NULL) {
        cg_buf_put_str(to, "null");
    } else {
        cg_preview_put_json(to, record->prediction);
    }
}

void cg_record_put_json(struct cg_buf *to, const struct cg_record *record, enum cg_record_detail detail) {
    cg_buf_put_u8(to, '{');
    cg_put_text(to, "id", record->id);
    cg_put_text(to, "mapping", record->mapping);
    cg_put_text(to, "client", record->client);
    cg_put_addr(to, "from", &record->peer);
    cg_put_text(to, "method", record->method);
    cg_put_text(to, "path", record->path);
    cg_put_text(to, "member", record->member);
    put_time(to, "begun", record->begun_ms);
    cg_put_number(to, "ms", record->ms);
    cg_put_text(to, "outcome", cg_outcome_names[record->outcome]);
    put_status(to, record->status);
    put_problem(to, &record->problem);
    put_summary(to, &record->summary);
    cg_put_bool(to, "cut", record->is_cut);
    put_timeline(to, record, detail);
    if (detail == CG_RECORD_WHOLE) {
        put_measured(to, record);
        put_members(to, record);
    }
    cg_buf_put_u8(to, '}');
}
