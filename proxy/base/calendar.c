/* Days and dates, without the C library's calendar, which knows time zones and depends on the environment. The hard
 * thing is the leap years: years are counted from March, so that a leap day is the last of its year. */
#include "base/calendar.h"

#include <stdio.h>

enum { DAY_S = 86400, DAYS_400Y = 146097, DAYS_0_TO_1970 = 719468 /* from 1 March of the year 0 */ };

static const int64_t first_s = -62167219200, last_s = 253402300799; /* of years 0 to 9999 */

struct date {
    int64_t year;
    unsigned month, day; /* from 1 */
};

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static int64_t days_of(struct date date) {
    int64_t year = date.month <= 2 ? date.year - 1 : date.year, era = floor_div(year, 400);
    int64_t of_era = year - era * 400, month = ((int64_t)date.month + 9) % 12;
    int64_t of_year = (153 * month + 2) / 5 + date.day - 1;
    return era * DAYS_400Y + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_0_TO_1970;
}

static struct date date_of(int64_t days) {
    int64_t era = floor_div(days + DAYS_0_TO_1970, DAYS_400Y), of_era = days + DAYS_0_TO_1970 - era * DAYS_400Y;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    return (struct date){.year = era * 400 + year + (month >= 10),
                         .month = (unsigned)(month < 10 ? month + 3 : month - 9),
                         .day = (unsigned)(of_year - (153 * month + 2) / 5 + 1)};
}

static int64_t within(int64_t s) { return s < first_s ? first_s : s > last_s ? last_s : s; }

static void emit(char to[CG_CALENDAR_MAX], int64_t s, const char *behind) {
    int64_t days = floor_div(s, DAY_S), of_day = s - days * DAY_S;
    struct date date = date_of(days);
    snprintf(to, CG_CALENDAR_MAX, "%04u-%02u-%02uT%02u:%02u:%02u%sZ", (unsigned)date.year % 10000, date.month % 100,
             date.day % 100, (unsigned)(of_day / 3600) % 24, (unsigned)(of_day / 60) % 60, (unsigned)of_day % 60,
             behind);
}

void cg_calendar_emit_s(char to[CG_CALENDAR_MAX], int64_t s) { emit(to, within(s), ""); }

void cg_calendar_emit_ms(char to[CG_CALENDAR_MAX], int64_t ms) {
    char behind[8];
    int64_t s = floor_div(ms, 1000);
    unsigned rest = (unsigned)((ms % 1000 + 1000) % 1000); /* by itself: s * 1000 may be beyond the least there is */
    snprintf(behind, sizeof behind, ".%03u", rest);
    emit(to, within(s), behind);
}

/* ---- Reading ---- */

/* Takes what `form` says: a digit for '0', else that character. */
static bool take(struct cg_slice *text, const char *form, unsigned *numbers) {
    size_t len = strlen(form);
    if (text->len < len) return false;
    for (size_t i = 0, was_digit = 0; i < len; i++) {
        uint8_t c = text->data[i];
        bool is_digit = c >= '0' && c <= '9';
        if (form[i] == '0' ? !is_digit : c != (uint8_t)form[i]) return false;
        if (form[i] == '0') {
            if (!was_digit) *numbers++ = 0;
            numbers[-1] = numbers[-1] * 10 + (unsigned)(c - '0');
        }
        was_digit = form[i] == '0';
    }
    *text = cg_slice_of(text->data + len, text->len - len);
    return true;
}

static bool is_leap(unsigned year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

static bool is_date(unsigned year, unsigned month, unsigned day) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1) return false;
    return day <= days[month - 1] || (month == 2 && day == 29 && is_leap(year));
}

static bool skip_fraction(struct cg_slice *text) {
    if (text->len == 0 || text->data[0] != '.') return true;
    size_t len = 1;
    while (len < text->len && text->data[len] >= '0' && text->data[len] <= '9') len++;
    *text = cg_slice_of(text->data + len, text->len - len);
    return len > 1;
}

/* What is left of the text. */
static bool read_offset(struct cg_slice text, int64_t *offset_s) {
    unsigned at[2];
    *offset_s = 0;
    if (cg_slice_is(text, "Z") || cg_slice_is(text, "z")) return true;
    bool is_west = text.len > 0 && text.data[0] == '-';
    if (!take(&text, is_west ? "-00:00" : "+00:00", at) || text.len > 0 || at[0] > 23 || at[1] > 59) return false;
    *offset_s = ((int64_t)at[0] * 3600 + (int64_t)at[1] * 60) * (is_west ? -1 : 1);
    return true;
}

int cg_calendar_parse(struct cg_slice text, int64_t *s) {
    unsigned date[3], at[3];
    int64_t offset_s;
    if (!take(&text, "0000-00-00", date) || !is_date(date[0], date[1], date[2])) return CG_E_FORMAT;
    if (!take(&text, "T", at) && !take(&text, "t", at) && !take(&text, " ", at)) return CG_E_FORMAT;
    if (!take(&text, "00:00:00", at) || at[0] > 23 || at[1] > 59 || at[2] > 60) return CG_E_FORMAT;
    if (!skip_fraction(&text) || !read_offset(text, &offset_s)) return CG_E_FORMAT;
    int64_t days = days_of((struct date){.year = date[0], .month = date[1], .day = date[2]});
    *s = days * DAY_S + (int64_t)at[0] * 3600 + (int64_t)at[1] * 60 + (at[2] < 60 ? at[2] : 59) - offset_s;
    return CG_OK;
}
