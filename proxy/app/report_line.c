/* One line. The hard thing: it shows what a member says, as text where it is text, so whatever is not is shown by its
 * bytes, nothing ends the line early, and on a terminal nothing of it does anything but stand there. */
#include "app/report_line.h"

#include <time.h>

#include "app/discover/shown.h"
#include "base/json.h"
#include "base/text.h"
#include "wire/content_format.h"

static void put_time(struct cg_buf *to, uint64_t age_us) {
    struct timespec now;
    struct tm utc;
    char text[sizeof "2026-11-28T12:00:00"];
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return;
    const int64_t us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 - (int64_t)age_us;
    const time_t seconds = (time_t)(us / 1000000);
    if (gmtime_r(&seconds, &utc) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc) == 0) return;
    cg_buf_printf(to, "\"time\":\"%s.%03uZ\",", text, (unsigned)(us / 1000 % 1000));
}

static void put_escaped(struct cg_buf *to, uint32_t point) {
    if (point > 0xffff) {
        cg_buf_printf(to, "\\u%04x", (unsigned)(0xd800 + ((point - 0x10000) >> 10)));
        point = 0xdc00 + ((point - 0x10000) & 0x3ff);
    }
    cg_buf_printf(to, "\\u%04x", (unsigned)point);
}

/* JSON that says the same and has nothing in it that a terminal does not show. Controls of ASCII are white space there;
 * what else there is of that kind is in a string. */
static void put_shown(struct cg_buf *to, struct cg_slice json) {
    for (size_t at = 0, len; at < json.len; at += len) {
        len = cg_utf8_sequence(json.data + at, json.len - at);
        if (len == 0) len = 1; /* there is none that is not well-formed */
        const uint32_t point = cg_code_point(json.data + at, len);
        if (cg_is_shown(point)) {
            cg_buf_put(to, json.data + at, len);
        } else if (point < 0x20) {
            cg_buf_put_u8(to, ' ');
        } else {
            put_escaped(to, point);
        }
    }
}

static void put_body(struct cg_buf *to, const struct cg_alert *alert) {
    const bool is_text = !alert->has_format || cg_format_is_text(alert->format);
    if (alert->payload.len == 0) return;
    if (alert->has_format && cg_format_is_json(alert->format) && cg_json_valid(alert->payload)) {
        cg_buf_put_str(to, ",\"json\":");
        cg_buf_put_slice(to, alert->payload);
    } else if (is_text && cg_utf8_valid(alert->payload)) {
        cg_buf_put_str(to, ",\"body\":");
        cg_buf_put_json(to, alert->payload);
    } else {
        cg_buf_put_str(to, ",\"body_base64\":\"");
        cg_buf_put_base64(to, alert->payload);
        cg_buf_put_u8(to, '"');
    }
}

static void put_report(struct cg_buf *to, const struct cg_alert *alert, uint64_t age_us) {
    const char *method = cg_method_name(alert->method);
    cg_buf_put_u8(to, '{');
    put_time(to, age_us);
    cg_buf_put_str(to, "\"group\":");
    cg_buf_put_json(to, cg_slice_str(alert->group));
    cg_buf_put_str(to, ",\"member\":");
    cg_buf_put_json(to, cg_slice_str(alert->member));
    cg_buf_put_str(to, ",\"kid\":\"");
    cg_buf_put_hex(to, alert->kid);
    cg_buf_printf(to, "\",\"number\":%llu,\"method\":\"%s\",\"path\":", (unsigned long long)alert->number,
                  method == NULL ? "?" : method);
    cg_buf_put_json(to, alert->path);
    if (alert->query.len > 0) {
        cg_buf_put_str(to, ",\"query\":");
        cg_buf_put_json(to, alert->query);
    }
    if (alert->has_format) cg_buf_printf(to, ",\"content_format\":%u", (unsigned)alert->format);
    put_body(to, alert);
    cg_buf_put_u8(to, '}');
}

void cg_report_line(struct cg_buf *to, const struct cg_handed *handed, uint64_t age_us) {
    struct cg_buf line;
    cg_buf_init(&line, 0);
    put_report(&line, &handed->alert, age_us);
    put_shown(to, cg_buf_slice(&line));
    cg_buf_put_u8(to, '\n');
    to->failed |= line.failed;
    cg_buf_fini(&line);
}
