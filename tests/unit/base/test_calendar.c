/* Moments as text, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/calendar.h"

static const struct {
    int64_t s;
    const char *text;
} moments[] = {
    {0, "1970-01-01T00:00:00Z"},
    {951782400, "2000-02-29T00:00:00Z"},
    {951868800, "2000-03-01T00:00:00Z"},
    {1795910400, "2026-11-29T00:00:00Z"},
    {4107542399, "2100-02-28T23:59:59Z"},
    {4107542400, "2100-03-01T00:00:00Z"},
    {-1, "1969-12-31T23:59:59Z"},
    {-62167219200, "0000-01-01T00:00:00Z"},
    {253402300799, "9999-12-31T23:59:59Z"},
};

static void moments_are_written_and_read(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        char text[CG_CALENDAR_MAX];
        int64_t s;
        cg_calendar_emit_s(text, moments[i].s);
        assert_string_equal(text, moments[i].text);
        assert_int_equal(cg_calendar_parse(cg_slice_str(text), &s), CG_OK);
        assert_int_equal(s, moments[i].s);
    }
}

static void every_day_is_read_as_it_was_written(void **state) {
    (void)state;
    for (int64_t day = -719528; day <= 2932896; day += 37) {
        char text[CG_CALENDAR_MAX];
        int64_t s;
        cg_calendar_emit_s(text, day * 86400 + 43201);
        assert_int_equal(cg_calendar_parse(cg_slice_str(text), &s), CG_OK);
        assert_int_equal(s, day * 86400 + 43201);
    }
}

static void milliseconds(void **state) {
    (void)state;
    char text[CG_CALENDAR_MAX];
    cg_calendar_emit_ms(text, 1795910400007);
    assert_string_equal(text, "2026-11-29T00:00:00.007Z");
    cg_calendar_emit_ms(text, -1);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

static void what_is_beyond_is_the_nearest(void **state) {
    (void)state;
    char text[CG_CALENDAR_MAX];
    cg_calendar_emit_s(text, INT64_MAX);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    cg_calendar_emit_ms(text, INT64_MIN);
    assert_string_equal(text, "0000-01-01T00:00:00.192Z");
}

static void other_forms_of_the_standard(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t s;
    } forms[] = {
        {"2026-11-29t00:00:00z", 1795910400},      {"2026-11-29 00:00:00.999Z", 1795910400},
        {"2026-11-29T02:30:00+02:30", 1795910400}, {"2026-11-28T23:00:00-01:00", 1795910400},
        {"2026-11-28T23:59:60Z", 1795910399},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        int64_t s = 0;
        assert_int_equal(cg_calendar_parse(cg_slice_str(forms[i].text), &s), CG_OK);
        assert_int_equal(s, forms[i].s);
    }
}

static void what_is_no_moment(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "2026",
        "2026-11-29",
        "2026-11-29T00:00:00",
        "2026-11-29T00:00:00Zz",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-29T24:00:00Z",
        "2026-11-29T00:60:00Z",
        "2026-11-29T00:00:61Z",
        "2026-11-29T00:00:00.Z",
        "2026-11-29T00:00:00+24:00",
        "2026-11-29T00:00:00+1:00",
        "2026-11-29T00:00:00+01:00Z",
        "26-11-29T00:00:00Z",
        "+2026-11-29T00:00:00Z",
        "2026-11-29X00:00:00Z",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t s;
        assert_int_equal(cg_calendar_parse(cg_slice_str(texts[i]), &s), CG_E_FORMAT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_written_and_read),
        cmocka_unit_test(every_day_is_read_as_it_was_written),
        cmocka_unit_test(milliseconds),
        cmocka_unit_test(what_is_beyond_is_the_nearest),
        cmocka_unit_test(other_forms_of_the_standard),
        cmocka_unit_test(what_is_no_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
