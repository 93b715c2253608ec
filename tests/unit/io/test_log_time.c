/* The time of a line: its form, and that it is now. */
#include "io/log_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static void the_form(void **state) {
    (void)state;
    static const char pattern[] = "ts=dddd-dd-ddTdd:dd:dd.dddZ ";
    for (int i = 0; i < 3; i++) { /* the first asks the calendar */
        char text[CG_LOG_STAMP_MAX];
        assert_int_equal(cg_log_time(text, CG_LOG_INFO), sizeof pattern - 1);
        for (size_t at = 0; at < sizeof pattern - 1; at++) {
            bool is_digit = text[at] >= '0' && text[at] <= '9';
            if (pattern[at] == 'd' ? !is_digit : text[at] != pattern[at]) fail_msg("%zu: %.28s", at, text);
        }
    }
}

static void it_is_utc_and_now(void **state) {
    (void)state;
    char text[CG_LOG_STAMP_MAX + 1] = "";
    struct tm utc = {0};
    struct timespec before, after; /* time() lags behind that clock */
    clock_gettime(CLOCK_REALTIME, &before);
    cg_log_time(text, CG_LOG_INFO);
    clock_gettime(CLOCK_REALTIME, &after);
    assert_non_null(strptime(text, "ts=%Y-%m-%dT%H:%M:%S", &utc));
    assert_in_range(timegm(&utc), before.tv_sec, after.tv_sec);
}

int main(void) {
    assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0);
    tzset();
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_form), cmocka_unit_test(it_is_utc_and_now)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
