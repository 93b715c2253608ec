/* The schema. The hard thing is that what is history stays so, against everybody, us included: triggers let revisions
 * and audit grow at their end alone, and let go only of what is older than the retention says while it is at work. */
#include "store/items_schema.h"

#include <stdio.h>

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

/* clang-format off */

/* Times are Unix time in milliseconds. Documents are JSON texts; NULL: there was none, or there is none any more. What
 * is sealed stands beside its item alone. */
static const char version_1[] =
    "PRAGMA application_id = " TEXT(CG_ITEMS_APPLICATION) ";"
    "CREATE TABLE item ("
    " id INTEGER PRIMARY KEY,"
    " kind TEXT NOT NULL, name TEXT NOT NULL,"
    " revision INTEGER NOT NULL, changed_ms INTEGER NOT NULL, changed_by TEXT NOT NULL,"
    " document TEXT NOT NULL, sealed BLOB,"
    " UNIQUE (kind, name)) STRICT;"
    "CREATE TABLE revision ("
    " number INTEGER PRIMARY KEY,"
    " at_ms INTEGER NOT NULL, who TEXT NOT NULL, origin TEXT NOT NULL,"
    " operation TEXT NOT NULL, target TEXT NOT NULL, detail TEXT NOT NULL,"
    " undo TEXT NOT NULL CHECK (undo IN ('allowed', 'never')),"
    " undoes INTEGER NOT NULL CHECK (undoes < number)," /* 0: none */
    " changes INTEGER NOT NULL) STRICT;"
    "CREATE INDEX revision_undoes ON revision (undoes) WHERE undoes != 0;"
    "CREATE TABLE change ("
    " id INTEGER PRIMARY KEY,"
    " revision INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,"
    " before TEXT, after TEXT) STRICT;"
    "CREATE INDEX change_revision ON change (revision);"
    "CREATE INDEX change_item ON change (kind, name, revision);"
    "CREATE TABLE audit ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " at_ms INTEGER NOT NULL, who TEXT NOT NULL, origin TEXT NOT NULL,"
    " operation TEXT NOT NULL, target TEXT NOT NULL, result TEXT NOT NULL, detail TEXT NOT NULL,"
    " revision INTEGER NOT NULL) STRICT;" /* 0: none */
    /* What is older than that may go; 0: nothing, as whenever the retention is not at work. */
    "CREATE TABLE retention (one INTEGER PRIMARY KEY CHECK (one = 1), before_ms INTEGER NOT NULL) STRICT;"
    "INSERT INTO retention VALUES (1, 0);"
    "CREATE TRIGGER revision_follows BEFORE INSERT ON revision"
    " WHEN new.number != (SELECT coalesce(max(number), 0) + 1 FROM revision)"
    " BEGIN SELECT RAISE(ABORT, 'revisions have no gaps'); END;"
    "CREATE TRIGGER revision_stays BEFORE UPDATE ON revision"
    " BEGIN SELECT RAISE(ABORT, 'a revision is never changed'); END;"
    "CREATE TRIGGER revision_is_kept BEFORE DELETE ON revision"
    " WHEN old.at_ms >= (SELECT before_ms FROM retention) OR old.number = (SELECT max(number) FROM revision)"
    " BEGIN SELECT RAISE(ABORT, 'a revision is kept'); END;"
    "CREATE TRIGGER change_follows BEFORE INSERT ON change"
    " WHEN new.revision != (SELECT max(number) FROM revision)"
    " BEGIN SELECT RAISE(ABORT, 'a change is of the latest revision'); END;"
    "CREATE TRIGGER change_stays BEFORE UPDATE ON change"
    " BEGIN SELECT RAISE(ABORT, 'a change is never changed'); END;"
    "CREATE TRIGGER change_is_kept BEFORE DELETE ON change"
    " WHEN old.revision IN (SELECT number FROM revision)"
    " BEGIN SELECT RAISE(ABORT, 'a change is kept as long as its revision'); END;"
    "CREATE TRIGGER audit_stays BEFORE UPDATE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'an audit entry is never changed'); END;"
    "CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit"
    " WHEN old.at_ms >= (SELECT before_ms FROM retention)"
    " BEGIN SELECT RAISE(ABORT, 'an audit entry is kept'); END;";

/* An undo may take back more revisions than the one that it is of. */
static const char version_2[] =
    "CREATE TABLE taken_back ("
    " revision INTEGER NOT NULL, by INTEGER NOT NULL CHECK (by > revision),"
    " PRIMARY KEY (revision, by)) STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER taken_back_follows BEFORE INSERT ON taken_back"
    " WHEN new.by != (SELECT max(number) FROM revision)"
    " BEGIN SELECT RAISE(ABORT, 'the latest revision takes back'); END;"
    "CREATE TRIGGER taken_back_stays BEFORE UPDATE ON taken_back"
    " BEGIN SELECT RAISE(ABORT, 'what was taken back is never changed'); END;"
    "CREATE TRIGGER taken_back_is_kept BEFORE DELETE ON taken_back"
    " WHEN old.revision IN (SELECT number FROM revision)"
    " BEGIN SELECT RAISE(ABORT, 'what was taken back is kept as long as its revision'); END;";

/* clang-format on */

const char *const cg_items_steps[] = {version_1, version_2};
const int cg_items_version = sizeof cg_items_steps / sizeof cg_items_steps[0];

static int take_steps(sqlite3 *db, const char *const *steps, int64_t from, int to) {
    char stamp[48];
    int code = SQLITE_OK;
    for (int64_t i = from; code == SQLITE_OK && i < to; i++) code = cg_connection_run(db, steps[i]);
    snprintf(stamp, sizeof stamp, "PRAGMA user_version = %d", to);
    return code == SQLITE_OK ? cg_connection_run(db, stamp) : code;
}

int cg_items_schema_bring(sqlite3 *db, const char *const *steps, int version) {
    int64_t from = 0;
    int code = cg_connection_ask(db, "PRAGMA user_version", &from);
    if (code != SQLITE_OK || from == version) return code;
    if (from < 0 || from > version) return SQLITE_MISMATCH;
    code = cg_connection_run(db, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK) code = take_steps(db, steps, from, version);
    return code == SQLITE_OK ? cg_connection_run(db, "COMMIT") : code; /* closing takes back what failed */
}
