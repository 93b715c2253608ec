/* One line. The hard thing: it shows what a member says, as text where it is text, so whatever is not is shown by its
 * bytes, and nothing ends the line early. */
#include "app/report_line.h"

#include <time.h>

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

/* White space of JSON may have line ends in it, and nothing else of it. */
static void put_on_one_line(struct cg_buf *to, struct cg_slice json) {
    for (size_t i = 0; i < json.len; i++)
        cg_buf_put_u8(to, json.data[i] == '\n' || json.data[i] == '\r' ? ' ' : json.data[i]);
}

static void put_body(struct cg_buf *to, const struct cg_alert *alert) {
    const bool is_text = !alert->has_format || cg_format_is_text(alert->format);
    if (alert->payload.len == 0) return;
    if (alert->has_format && cg_format_is_json(alert->format) && cg_json_valid(alert->payload)) {
        cg_buf_put_str(to, ",\"json\":");
        put_on_one_line(to, alert->payload);
    } else if (is_text && cg_utf8_valid(alert->payload)) {
        cg_buf_put_str(to, ",\"body\":");
        cg_buf_put_json(to, alert->payload);
    } else {
        cg_buf_put_str(to, ",\"body_base64\":\"");
        cg_buf_put_base64(to, alert->payload);
        cg_buf_put_u8(to, '"');
    }
}

void cg_report_line(struct cg_buf *to, const struct cg_handed *handed, uint64_t age_us) {
    const struct cg_alert *alert = &handed->alert;
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
    cg_buf_put_str(to, "}\n");
}
