/* Readings. The hard thing is the client that leaves while the disk is slow: the reading is finished all the same, and
 * its own then. */
#include "fronts/admin/reading.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "base/container.h"
#include "base/text.h"

enum { PAGE_BYTES = 256 << 10 };

static void run(struct cg_manage_reading *at, struct cg_items_file *file) {
    struct cg_admin_reading *reading = CG_CONTAINER(at, struct cg_admin_reading, reading);
    reading->err = reading->read(reading, file);
}

static void reply(struct cg_admin_reading *reading) {
    reading->call->ctx = NULL;
    if (reading->err < 0) {
        if (reading->problem.err == 0)
            cg_problem_set(&reading->problem, reading->err, "%s", cg_err_info(reading->err)->text);
        cg_admin_reply_problem(reading->call, &reading->problem);
    } else {
        cg_buf_put_str(&reading->text, "\n");
        cg_admin_reply_bytes(reading->call, &(struct cg_admin_head){.status = 200}, &reading->text);
    }
}

static void done(struct cg_manage_reading *at) {
    struct cg_admin_reading *reading = CG_CONTAINER(at, struct cg_admin_reading, reading);
    if (reading->call != NULL) reply(reading);
    cg_buf_fini(&reading->text);
    free(reading);
}

void cg_admin_reading_left(struct cg_admin_call *call) {
    struct cg_admin_reading *reading = call->ctx;
    if (reading != NULL) reading->call = NULL;
}

static struct cg_admin_reading *new_reading(struct cg_admin_call *call, cg_admin_read_fn *read) {
    struct cg_admin_reading *reading = calloc(1, sizeof *reading);
    if (reading == NULL) return NULL;
    *reading = (struct cg_admin_reading){.reading = {.run = run, .done = done}, .call = call, .read = read};
    cg_buf_init(&reading->text, 0);
    return reading;
}

static int start(struct cg_admin_call *call, struct cg_admin_reading *reading, struct cg_problem *problem) {
    if (reading == NULL) return cg_problem_no_memory(problem);
    call->ctx = reading;
    cg_manage_read(cg_admin_manage(call), &reading->reading);
    return CG_OK;
}

void cg_admin_read_page(struct cg_admin_call *call, cg_admin_read_fn *read) {
    struct cg_problem problem = {0};
    uint64_t before = 0;
    size_t limit;
    int err = cg_admin_query_limit(call, &limit, &problem);
    if (err == CG_OK) err = cg_admin_query_number(call, "cursor", INT64_MAX, &before, &problem);
    if (err == CG_OK) {
        struct cg_admin_reading *reading = new_reading(call, read);
        if (reading != NULL) {
            reading->before = before;
            reading->limit = limit;
        }
        err = start(call, reading, &problem);
    }
    if (err < 0) cg_admin_reply_problem(call, &problem);
}

void cg_admin_read_one(struct cg_admin_call *call, cg_admin_read_fn *read) {
    struct cg_problem problem = {0};
    struct cg_admin_reading *reading = new_reading(call, read);
    int err = CG_OK;
    if (reading != NULL) err = cg_decimal_parse(cg_slice_str(cg_admin_part(call, 0)), UINT64_MAX, &reading->number);
    if (err == CG_OK) err = start(call, reading, &problem);
    if (err < 0) cg_admin_reply_problem(call, &problem);
}

/* ---- Pages ---- */

void cg_admin_reading_begin(struct cg_admin_reading *reading) { cg_buf_put_str(&reading->text, "{\"items\":["); }

bool cg_admin_reading_next(struct cg_admin_reading *reading, uint64_t number) {
    if (reading->number != 0) return false;
    if (reading->count == reading->limit || (reading->count > 0 && reading->text.len > PAGE_BYTES)) {
        reading->number = reading->last; /* where the next page begins */
        return false;
    }
    if (reading->count > 0) cg_buf_put_str(&reading->text, ",");
    reading->count++;
    reading->last = number;
    return true;
}

void cg_admin_reading_end(struct cg_admin_reading *reading) {
    cg_buf_put_str(&reading->text, "],\"next\":");
    if (reading->number == 0) {
        cg_buf_put_str(&reading->text, "null}");
    } else {
        cg_buf_printf(&reading->text, "\"%" PRIu64 "\"}", reading->number);
    }
}

void cg_admin_put_text(struct cg_buf *to, const char *key, const char *text) {
    cg_buf_printf(to, ",\"%s\":", key);
    if (text == NULL) {
        cg_buf_put_str(to, "null");
    } else {
        cg_buf_put_json(to, cg_slice_str(text));
    }
}

void cg_admin_put_time(struct cg_buf *to, const char *key, int64_t unix_ms) {
    char text[CG_CALENDAR_MAX];
    cg_calendar_emit_ms(text, unix_ms);
    cg_admin_put_text(to, key, text);
}

void cg_admin_put_number(struct cg_buf *to, const char *key, uint64_t number) {
    if (number == 0) {
        cg_admin_put_text(to, key, NULL);
    } else {
        cg_buf_printf(to, ",\"%s\":%" PRIu64, key, number);
    }
}
