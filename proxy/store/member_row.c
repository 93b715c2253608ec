/* Rows of members. The hard thing: a row may hold anything, so each field is checked against what could have been
 * written there. */
#include "store/member_row.h"

#include <assert.h>
#include <stdio.h>

#include "base/text.h"

enum { ADDRS_MAX = CG_KNOWN_ADDRS * CG_ADDR_TEXT_MAX };
static_assert(2 * CG_KNOWN_IDENTITY_MAX < CG_ADDR_TEXT_MAX, "a key is a hash in hexadecimal digits, or an address");

static void put_addrs(struct cg_slice *to, char text[ADDRS_MAX], const struct cg_known_record *record) {
    size_t len = 0;
    for (unsigned i = 0; i < record->addr_count; i++) {
        char one[CG_ADDR_TEXT_MAX];
        struct cg_addr addr = record->addrs[i];
        addr.scope = 0; /* interfaces come back with other numbers */
        cg_addr_emit(&addr, one);
        len += (size_t)snprintf(text + len, ADDRS_MAX - len, "%s%s", i > 0 ? " " : "", one);
    }
    *to = cg_slice_of(text, len);
}

static void put_key(char text[CG_ADDR_TEXT_MAX], const struct cg_known_record *record) {
    if (record->identity_len == 0) {
        cg_addr_emit(&record->addr, text);
        return;
    }
    for (unsigned i = 0; i < record->identity_len; i++) snprintf(text + 2 * i, 3, "%02x", record->identity[i]);
}

static int bind_text(sqlite3_stmt *row, int at, const char *text) {
    return sqlite3_bind_text(row, at, text, -1, SQLITE_TRANSIENT);
}

static int bind_times(sqlite3_stmt *row, int at, const struct cg_known_record *record) {
    uint8_t bytes[2 * CG_KNOWN_TIMES];
    for (unsigned i = 0; i < CG_KNOWN_TIMES; i++) {
        bytes[2 * i] = (uint8_t)(record->times[i] >> 8);
        bytes[2 * i + 1] = (uint8_t)record->times[i];
    }
    return sqlite3_bind_blob(row, at, bytes, sizeof bytes, SQLITE_TRANSIENT);
}

static int64_t unix_ms_of(const struct cg_members_time *time, int64_t at_us) {
    return time->unix_ms - ((int64_t)time->now_us - at_us) / 1000;
}

static int bind_who(sqlite3_stmt *row, const struct cg_known_record *record) {
    char key[CG_ADDR_TEXT_MAX], shown[CG_ADDR_TEXT_MAX], addrs[ADDRS_MAX];
    struct cg_slice list;
    put_key(key, record);
    put_addrs(&list, addrs, record);
    cg_known_shown(record, shown);
    int code = bind_text(row, 1, key);
    if (code == SQLITE_OK) code = bind_text(row, 2, record->mapping);
    if (code == SQLITE_OK) code = bind_text(row, 4, shown);
    if (code == SQLITE_OK) code = bind_text(row, 5, record->name);
    if (code == SQLITE_OK)
        code = sqlite3_bind_blob(row, 6, record->kid_len > 0 ? record->kid : (const void *)"", record->kid_len,
                                 SQLITE_TRANSIENT);
    if (code == SQLITE_OK) code = sqlite3_bind_text(row, 7, (const char *)list.data, (int)list.len, SQLITE_TRANSIENT);
    return code;
}

int cg_member_row_write(sqlite3_stmt *row, const struct cg_known_record *record, const struct cg_members_time *time) {
    int code = bind_who(row, record);
    if (code == SQLITE_OK) code = sqlite3_bind_int64(row, 3, unix_ms_of(time, record->last_us));
    if (code == SQLITE_OK) code = bind_times(row, 8, record);
    if (code == SQLITE_OK) code = sqlite3_bind_double(row, 9, record->lost);
    if (code == SQLITE_OK) code = sqlite3_bind_int(row, 10, record->casts);
    if (code == SQLITE_OK) code = sqlite3_bind_int(row, 11, record->missed);
    if (code != SQLITE_OK) return code;
    code = sqlite3_step(row);
    return code == SQLITE_DONE ? sqlite3_reset(row) : code;
}

static struct cg_slice column(sqlite3_stmt *row, int at) {
    const void *bytes = sqlite3_column_blob(row, at);
    return bytes == NULL ? CG_SLICE_NONE : cg_slice_of(bytes, (size_t)sqlite3_column_bytes(row, at));
}

static bool get_text(sqlite3_stmt *row, int at, char *to, size_t size) {
    const struct cg_slice text = column(row, at);
    if (text.len >= size) return false;
    if (text.len > 0) memcpy(to, text.data, text.len);
    to[text.len] = '\0';
    return strlen(to) == text.len;
}

static bool get_addr(struct cg_slice text, struct cg_addr *addr) {
    return cg_addr_parse(addr, text, 0) == CG_OK && addr->port != 0;
}

static bool get_key(sqlite3_stmt *row, struct cg_known_record *record) {
    const struct cg_slice key = column(row, 0);
    size_t len = 0;
    if (cg_hex_parse(key, record->identity, sizeof record->identity, &len) == CG_OK) {
        record->identity_len = (uint8_t)len;
        return len > 0;
    }
    memset(record->identity, 0, sizeof record->identity);
    return get_addr(key, &record->addr);
}

static bool get_addrs(sqlite3_stmt *row, struct cg_known_record *record) {
    struct cg_slice rest = column(row, 6);
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.data, ' ', rest.len);
        const struct cg_slice one = cg_slice_of(rest.data, end == NULL ? rest.len : (size_t)(end - rest.data));
        if (record->addr_count == CG_KNOWN_ADDRS || !get_addr(one, &record->addrs[record->addr_count])) return false;
        record->addr_count++;
        rest = end == NULL ? CG_SLICE_NONE : cg_slice_of(end + 1, rest.len - one.len - 1);
    }
    return record->addr_count > 0;
}

static bool get_times(sqlite3_stmt *row, struct cg_known_record *record) {
    const struct cg_slice bytes = column(row, 7);
    uint32_t sum = 0;
    if (bytes.len != 2 * CG_KNOWN_TIMES) return false;
    for (unsigned i = 0; i < CG_KNOWN_TIMES; i++) {
        record->times[i] = (uint16_t)(bytes.data[2 * i] << 8 | bytes.data[2 * i + 1]);
        sum += record->times[i];
    }
    return sum <= CG_KNOWN_TIME_SUM_MAX;
}

static bool get_figures(sqlite3_stmt *row, struct cg_known_record *record) {
    const double lost = sqlite3_column_double(row, 8);
    const int64_t casts = sqlite3_column_int64(row, 9), missed = sqlite3_column_int64(row, 10);
    if (!(lost >= 0 && lost <= 1) || casts < 0 || casts > UINT8_MAX || missed < 0 || missed > UINT8_MAX) return false;
    record->lost = (float)lost;
    record->casts = (uint8_t)casts;
    record->missed = (uint8_t)missed;
    return true;
}

/* What was written by a clock that was ahead is of now. A table that others have made may hold what pruning spares. */
static int64_t us_of(const struct cg_members_time *time, int64_t unix_ms) {
    const int64_t since_ms = unix_ms > 0 ? unix_ms : 0;
    const int64_t age_ms = since_ms < time->unix_ms ? time->unix_ms - since_ms : 0;
    return (int64_t)time->now_us - age_ms * 1000;
}

bool cg_member_row_read(sqlite3_stmt *row, const struct cg_members_time *time, struct cg_known_record *record) {
    const struct cg_slice kid = column(row, 5);
    *record = (struct cg_known_record){.kid_len = (uint8_t)kid.len};
    record->last_us = us_of(time, sqlite3_column_int64(row, 2));
    if (kid.len > CG_KNOWN_KID_MAX) return false;
    if (kid.len > 0) memcpy(record->kid, kid.data, kid.len);
    return get_key(row, record) && get_text(row, 1, record->mapping, sizeof record->mapping) &&
           get_text(row, 4, record->name, sizeof record->name) && get_addrs(row, record) && get_times(row, record) &&
           get_figures(row, record);
}
