/* Rows and home, and the sum over both. The hard thing is that the rows are looked through one by one instead of by
 * their index: a damaged index must not hide a row. There are as many as keys that ever sent from here, few. */
#include "store/ledger.h"

#include <string.h>

/* FNV-1a with 64 bits: whatever changes in one place changes the result; nobody is kept out by it. */
#define HASH_START UINT64_C(14695981039346656037)

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t len) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

static uint64_t hash_numbers(uint64_t hash, const int64_t *numbers, size_t count) {
    return hash_bytes(hash, numbers, count * sizeof *numbers);
}

static uint64_t hash_row(const uint8_t *id, const struct cg_row *row) {
    if (!row->present) return 0;
    const int64_t numbers[] = {(int64_t)row->state, (int64_t)row->next, row->created_s, row->written_ms,
                               (int64_t)row->rate};
    return hash_numbers(hash_bytes(HASH_START, id, CG_SENDER_ID_LEN), numbers, 5);
}

static uint64_t hash_home(const struct cg_home *home) {
    const int64_t numbers[] = {home->mark.inode, home->mark.born_ns, home->witness.inode, home->witness.born_ns,
                               (int64_t)home->generation};
    return hash_numbers(HASH_START, numbers, 5);
}

/* Reading */

static const char *const state_names[] = {
    [CG_ROW_CLAIMED] = "claimed", [CG_ROW_SPENT] = "spent", [CG_ROW_MOVED] = "moved"};

/* False: what no row can be. */
static bool take_row(sqlite3_stmt *statement, const uint8_t **id, struct cg_row *row) {
    *id = sqlite3_column_blob(statement, 0);
    const char *state = (const char *)sqlite3_column_text(statement, 2);
    if (*id == NULL || sqlite3_column_bytes(statement, 0) != CG_SENDER_ID_LEN || state == NULL) return false;
    *row = (struct cg_row){.present = true,
                           .next = (uint64_t)sqlite3_column_int64(statement, 1),
                           .created_s = sqlite3_column_int64(statement, 3),
                           .written_ms = sqlite3_column_int64(statement, 4),
                           .rate = (uint64_t)sqlite3_column_int64(statement, 5)};
    while (row->state <= CG_ROW_MOVED && strcmp(state_names[row->state], state) != 0) row->state++;
    return row->state <= CG_ROW_MOVED && row->next <= CG_SENDER_NUMBERS;
}

static void note_row(struct cg_ledger *ledger, const struct cg_sender_id *sender, const uint8_t *id,
                     const struct cg_row *row) {
    ledger->rows++;
    ledger->sum += hash_row(id, row);
    if (sender == NULL) return;
    if (memcmp(id, sender->bytes, CG_SENDER_ID_LEN) == 0) ledger->row = *row;
    if (memcmp(id, sender->former, CG_SENDER_ID_LEN) == 0) ledger->former = *row;
}

/* All that the statement finds, which ends. */
static int take_rows(sqlite3_stmt *statement, const struct cg_sender_id *sender, struct cg_ledger *ledger) {
    bool good = true;
    while (good && sqlite3_step(statement) == SQLITE_ROW) {
        const uint8_t *id;
        struct cg_row row;
        good = take_row(statement, &id, &row);
        if (good) note_row(ledger, sender, id, &row);
    }
    int code = sqlite3_finalize(statement);
    return code == SQLITE_OK && !good ? SQLITE_CORRUPT : code;
}

static int read_rows(sqlite3 *db, const struct cg_sender_id *sender, struct cg_ledger *ledger) {
    sqlite3_stmt *statement;
    int code =
        sqlite3_prepare_v2(db, "SELECT id, next, state, created, written_ms, rate FROM sender", -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    return take_rows(statement, sender, ledger);
}

static int read_home(sqlite3 *db, struct cg_home *home, uint64_t *sum) {
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(
        db, "SELECT inode, born_ns, witness_inode, witness_born_ns, generation, sum FROM home", -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *home = (struct cg_home){
            .mark = {.inode = sqlite3_column_int64(statement, 0), .born_ns = sqlite3_column_int64(statement, 1)},
            .witness = {.inode = sqlite3_column_int64(statement, 2), .born_ns = sqlite3_column_int64(statement, 3)},
            .generation = (uint64_t)sqlite3_column_int64(statement, 4)};
        *sum = (uint64_t)sqlite3_column_int64(statement, 5);
    }
    int end = sqlite3_finalize(statement);
    if (code == SQLITE_ROW) return end;
    return code == SQLITE_DONE ? SQLITE_CORRUPT : code; /* a row was due */
}

int cg_ledger_find(sqlite3 *db, const struct cg_sender_id *sender, struct cg_ledger *ledger) {
    sqlite3_stmt *statement;
    *ledger = (struct cg_ledger){0};
    int code = sqlite3_prepare_v2(
        db, "SELECT id, next, state, created, written_ms, rate FROM sender WHERE id IN (?1, ?2)", -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    sqlite3_bind_blob(statement, 1, sender->bytes, CG_SENDER_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 2, sender->former, CG_SENDER_ID_LEN, SQLITE_STATIC);
    return take_rows(statement, sender, ledger);
}

int cg_ledger_read(sqlite3 *db, const struct cg_sender_id *sender, struct cg_ledger *ledger) {
    uint64_t sum = 0;
    *ledger = (struct cg_ledger){0};
    int code = read_home(db, &ledger->home, &sum);
    if (code == SQLITE_OK) code = read_rows(db, sender, ledger);
    ledger->fits = code == SQLITE_OK && sum == ledger->sum + hash_home(&ledger->home);
    return code;
}

/* Writing */

static int run_on_one(sqlite3 *db, sqlite3_stmt *statement) {
    sqlite3_step(statement);
    int code = sqlite3_finalize(statement);
    return code == SQLITE_OK && sqlite3_changes(db) != 1 ? SQLITE_CORRUPT : code;
}

int cg_ledger_put_row(sqlite3 *db, struct cg_ledger *ledger, const uint8_t *id, const struct cg_row *before,
                      const struct cg_row *after) {
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(
        db,
        before->present
            ? "UPDATE sender SET next = ?2, state = ?3, created = ?4, written_ms = ?5, rate = ?6 WHERE id = ?1"
            : "INSERT INTO sender VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    sqlite3_bind_blob(statement, 1, id, CG_SENDER_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (int64_t)after->next);
    sqlite3_bind_text(statement, 3, state_names[after->state], -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, after->created_s);
    sqlite3_bind_int64(statement, 5, after->written_ms);
    sqlite3_bind_int64(statement, 6, (int64_t)after->rate);
    code = run_on_one(db, statement);
    if (code == SQLITE_OK) ledger->sum += hash_row(id, after) - hash_row(id, before);
    ledger->changed = true;
    return code;
}

int cg_ledger_spend_all(sqlite3 *db, struct cg_ledger *ledger) {
    const struct cg_home home = ledger->home;
    int code = sqlite3_exec(db, "UPDATE sender SET state = 'spent' WHERE state = 'claimed'", NULL, NULL, NULL);
    if (code == SQLITE_OK) code = cg_ledger_read(db, NULL, ledger);
    ledger->home = home;
    return code;
}

int cg_ledger_put_home(sqlite3 *db, const struct cg_ledger *ledger) {
    const struct cg_home *home = &ledger->home;
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db,
                                  "UPDATE home SET inode = ?, born_ns = ?, witness_inode = ?, witness_born_ns = ?,"
                                  " generation = ?, sum = ?",
                                  -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    const int64_t values[] = {home->mark.inode,          home->mark.born_ns,
                              home->witness.inode,       home->witness.born_ns,
                              (int64_t)home->generation, (int64_t)(ledger->sum + hash_home(home))};
    for (int i = 0; i < 6; i++) sqlite3_bind_int64(statement, i + 1, values[i]);
    return run_on_one(db, statement);
}
