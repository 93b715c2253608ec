/* A time for each line. The hard thing is its price: the calendar costs more than the rest of a line, so it is asked
 * once a second and thread. */
#include "io/log_time.h"

#include <string.h>
#include <time.h>

static const char *seconds_text(time_t seconds) {
    static _Thread_local time_t known;
    static _Thread_local char text[sizeof "ts=2026-11-28T12:00:00."];
    struct tm utc;
    if (known == seconds && text[0] != '\0') return text;
    known = seconds;
    if (gmtime_r(&seconds, &utc) == NULL || strftime(text, sizeof text, "ts=%Y-%m-%dT%H:%M:%S.", &utc) == 0)
        text[0] = '\0';
    return text;
}

size_t cg_log_time(char to[CG_LOG_STAMP_MAX], enum cg_log_level level) {
    (void)level;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return 0;
    const char *seconds = seconds_text(now.tv_sec);
    size_t len = strlen(seconds);
    unsigned ms = (unsigned)(now.tv_nsec / 1000000);
    const char rest[] = {(char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z', ' '};
    if (len == 0 || len + sizeof rest > CG_LOG_STAMP_MAX) return 0;
    memcpy(to, seconds, len);
    memcpy(to + len, rest, sizeof rest);
    return len + sizeof rest;
}
