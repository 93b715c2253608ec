/* Gives numbers out of the store, or says why not. The hard thing is to know that this is the store: each call makes
 * sure that the lock and the file are still in place, and a store that is a copy, or was set back, first has all its
 * senders spent. After any failure the connection is closed and nothing of what was known is believed; the next call
 * opens and reads anew. */
#include "sqlite.h"

#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/log.h"
#include "database.h"
#include "folder.h"

struct cg_sqlite {
    struct cg_store_backend backend; /* first member */
    struct cg_folder folder;
    sqlite3 *db;         /* NULL: not open */
    uint64_t generation; /* the highest that was seen, in whatever file */
};

static struct cg_sqlite *sqlite_of(struct cg_store_backend *backend) { return (struct cg_sqlite *)backend; }

static int unavailable(int err, struct cg_store_failure *failure) {
    failure->refusal = CG_STORE_UNAVAILABLE;
    return err;
}

static void disconnect(struct cg_sqlite *store) {
    cg_database_close(store->db);
    store->db = NULL;
}

/* Who we are: the home of the store */

#define TOTAL "(SELECT count(*) + coalesce(sum(next), 0) FROM sender)"

struct home {
    struct cg_file_mark mark;
    uint64_t generation;
    bool fits; /* the senders are of the same time as this: pages of an older file may lie below a newer log */
};

static int read_home(sqlite3 *db, struct home *home) {
    sqlite3_stmt *statement;
    int code =
        sqlite3_prepare_v2(db, "SELECT inode, born_ns, generation, total = " TOTAL " FROM home", -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        home->mark.inode = sqlite3_column_int64(statement, 0);
        home->mark.born_ns = sqlite3_column_int64(statement, 1);
        home->generation = (uint64_t)sqlite3_column_int64(statement, 2);
        home->fits = sqlite3_column_int(statement, 3) == 1;
    }
    int end = sqlite3_finalize(statement);
    if (code == SQLITE_ROW) return end;
    return code == SQLITE_DONE ? SQLITE_CORRUPT : code;
}

static int write_home(sqlite3 *db, const struct home *home) {
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db, "UPDATE home SET inode = ?, born_ns = ?, generation = ?, total = " TOTAL, -1,
                                  &statement, NULL);
    if (code != SQLITE_OK) return code;
    sqlite3_bind_int64(statement, 1, home->mark.inode);
    sqlite3_bind_int64(statement, 2, home->mark.born_ns);
    sqlite3_bind_int64(statement, 3, (int64_t)home->generation);
    sqlite3_step(statement);
    return sqlite3_finalize(statement);
}

static bool same_mark(const struct cg_file_mark *a, const struct cg_file_mark *b) {
    return a->inode == b->inode && (a->born_ns == b->born_ns || a->born_ns == 0 || b->born_ns == 0);
}

/* NULL: the store is the one that was made here, and as it was left. */
static const char *suspicion(const struct cg_sqlite *store, const struct home *home, const struct cg_file_mark *mark) {
    if (!same_mark(&home->mark, mark)) return "the file is a copy";
    if (!store->folder.has_witness) return "its witness file is gone";
    if (!home->fits || store->folder.witness > home->generation || store->generation > home->generation)
        return "it is older than it was when it was last used";
    return NULL;
}

static void warn_spent(const struct cg_sqlite *store, const char *why) {
    cg_log(
        CG_LOG_WARNING, "store",
        "every sender in %s is marked as spent, because %s: those keys receive, and send again after a rekey or with a "
        "new Sender ID",
        store->folder.db, why);
}

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Inside a transaction: takes possession of the file, and spends its senders when there is reason to. */
static int move_in(struct cg_sqlite *store, const struct cg_file_mark *mark, struct home *home, const char **why) {
    int code = read_home(store->db, home);
    if (code != SQLITE_OK) return code;
    *why = suspicion(store, home, mark);
    if (*why != NULL) code = cg_database_run(store->db, "UPDATE sender SET state = 'spent'");
    if (code != SQLITE_OK) return code;
    home->mark = *mark;
    home->generation = later(home->generation, later(store->folder.witness, store->generation)) + 1;
    return write_home(store->db, home);
}

static int take_possession(struct cg_sqlite *store, struct cg_problem *problem) {
    struct cg_file_mark mark;
    struct home home;
    const char *why = NULL;
    if (!cg_file_mark(store->folder.db, &mark) || !cg_folder_find_witness(&store->folder))
        return cg_problem_set(problem, CG_E_STORE, "the state folder %s cannot be read", store->folder.path);
    int code = cg_database_run(store->db, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK) code = move_in(store, &mark, &home, &why);
    if (code == SQLITE_OK) code = cg_database_run(store->db, "COMMIT");
    if (code != SQLITE_OK) return cg_database_explain(store->db, code, store->folder.db, problem);
    store->generation = home.generation;
    if (why != NULL) warn_spent(store, why);
    if (!cg_folder_set_witness(&store->folder, home.generation) || !cg_folder_sync(store->folder.path))
        return cg_problem_set(problem, CG_E_STORE, "the state folder %s cannot be written", store->folder.path);
    cg_folder_remove_older_witnesses(&store->folder);
    return CG_OK;
}

static int connect_store(struct cg_sqlite *store, struct cg_problem *problem) {
    int err = cg_folder_lock(&store->folder, problem);
    if (err == CG_OK) err = cg_folder_note_db(&store->folder, problem);
    if (err != CG_OK) return err;
    err = cg_database_open(store->folder.db, &store->db, problem);
    if (err == CG_OK) err = cg_database_make_durable(store->db, store->folder.db, problem);
    if (err == CG_OK) err = cg_folder_check(&store->folder, problem);
    if (err == CG_OK) err = take_possession(store, problem);
    if (err != CG_OK) disconnect(store);
    return err;
}

/* False: it was replaced or set back under us. */
static bool is_still_ours(struct cg_sqlite *store) {
    struct cg_problem unused;
    struct home home;
    return cg_folder_check(&store->folder, &unused) == CG_OK && read_home(store->db, &home) == SQLITE_OK && home.fits &&
           home.generation >= store->generation;
}

static int make_ready(struct cg_sqlite *store, struct cg_problem *problem) {
    if (store->db != NULL && !is_still_ours(store)) disconnect(store);
    return store->db != NULL ? CG_OK : connect_store(store, problem);
}

int cg_sqlite_open(struct cg_store_backend *backend, struct cg_problem *problem) {
    return make_ready(sqlite_of(backend), problem);
}

/* Rows */

struct row {
    bool present, spent;
    uint64_t next;
};

static int read_row(sqlite3 *db, const struct cg_sender_id *sender, struct row *row) {
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db, "SELECT next, state != 'claimed' FROM sender WHERE id = ?", -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    sqlite3_bind_blob(statement, 1, sender->bytes, sizeof sender->bytes, SQLITE_STATIC);
    *row = (struct row){.present = sqlite3_step(statement) == SQLITE_ROW};
    if (row->present) {
        row->next = (uint64_t)sqlite3_column_int64(statement, 0);
        row->spent = sqlite3_column_int(statement, 1) != 0;
    }
    return sqlite3_finalize(statement);
}

static int change_row(sqlite3 *db, const char *sql, const struct cg_sender_id *sender, int64_t value) {
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    sqlite3_bind_blob(statement, 1, sender->bytes, sizeof sender->bytes, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, value);
    sqlite3_step(statement);
    code = sqlite3_finalize(statement);
    return code == SQLITE_OK && sqlite3_changes(db) != 1 ? SQLITE_CORRUPT : code;
}

/* `more`: rows and numbers that this transaction adds. */
static int commit(struct cg_sqlite *store, uint64_t more) {
    sqlite3_stmt *statement;
    int64_t generation = 0;
    int code = sqlite3_prepare_v2(store->db,
                                  "UPDATE home SET generation = generation + 1, total = total + ? RETURNING generation",
                                  -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    sqlite3_bind_int64(statement, 1, (int64_t)more);
    if (sqlite3_step(statement) == SQLITE_ROW) generation = sqlite3_column_int64(statement, 0);
    code = sqlite3_finalize(statement);
    if (code == SQLITE_OK) code = cg_database_run(store->db, "COMMIT");
    if (code != SQLITE_OK) return code;
    store->generation = (uint64_t)generation;
    cg_folder_set_witness(&store->folder, store->generation);
    return SQLITE_OK;
}

static int fail(struct cg_sqlite *store, int code, struct cg_store_failure *failure) {
    cg_database_explain(store->db, code, store->folder.db, &failure->problem);
    disconnect(store);
    return unavailable(CG_E_STORE, failure);
}

/* CG_OK, or why this row gives no numbers. */
static int judge(const struct row *row, struct cg_store_failure *failure) {
    if (!row->present) {
        failure->refusal = CG_STORE_UNCLAIMED;
        return cg_problem_set(
            &failure->problem, CG_E_STORE,
            "this key is not claimed: if it never sent from anywhere else, claim it (castgate-keys claim, or "
            "the admin API)");
    }
    if (row->spent) {
        failure->refusal = CG_STORE_SPENT;
        return cg_problem_set(
            &failure->problem, CG_E_STORE,
            "this key's sequence numbers are spent, because the state folder is or was a copy: rekey the "
            "group or take a new Sender ID");
    }
    if (row->next >= CG_SENDER_NUMBERS) {
        failure->refusal = CG_STORE_EXHAUSTED;
        return cg_problem_set(&failure->problem, CG_E_STORE,
                              "this key's sequence numbers are exhausted: rekey the group or take a new Sender ID");
    }
    return CG_OK;
}

/* Ends a transaction that changed nothing. */
static int refuse(struct cg_sqlite *store, int err) {
    if (cg_database_run(store->db, "ROLLBACK") != SQLITE_OK) disconnect(store);
    return err;
}

/* The operations */

static int sqlite_reserve(struct cg_store_backend *backend, const struct cg_sender_id *sender, uint64_t count,
                          struct cg_store_range *range, struct cg_store_failure *failure) {
    struct cg_sqlite *store = sqlite_of(backend);
    struct row row;
    CG_CHECK(count > 0);
    int err = make_ready(store, &failure->problem);
    if (err != CG_OK) return unavailable(err, failure);
    int code = cg_database_run(store->db, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK) code = read_row(store->db, sender, &row);
    if (code != SQLITE_OK) return fail(store, code, failure);
    err = judge(&row, failure);
    if (err != CG_OK) return refuse(store, err);
    *range = (struct cg_store_range){.first = row.next, .count = CG_SENDER_NUMBERS - row.next};
    if (range->count > count) range->count = count;
    int64_t next = (int64_t)(range->first + range->count);
    code = change_row(store->db, "UPDATE sender SET next = ?2 WHERE id = ?1", sender, next);
    if (code == SQLITE_OK) code = commit(store, range->count);
    if (code != SQLITE_OK) return fail(store, code, failure);
    err = cg_folder_check(&store->folder, &failure->problem); /* committed to a file that is gone? */
    return err == CG_OK ? CG_OK : unavailable(err, failure);
}

static int add_row(sqlite3 *db, const struct cg_sender_id *sender) {
    return change_row(db, "INSERT INTO sender VALUES (?1, 0, 'claimed', ?2)", sender, (int64_t)time(NULL));
}

static int sqlite_claim(struct cg_store_backend *backend, const struct cg_sender_id *sender,
                        struct cg_store_failure *failure) {
    struct cg_sqlite *store = sqlite_of(backend);
    struct row row;
    int err = make_ready(store, &failure->problem);
    if (err != CG_OK) return unavailable(err, failure);
    int code = cg_database_run(store->db, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK) code = read_row(store->db, sender, &row);
    if (code != SQLITE_OK) return fail(store, code, failure);
    if (row.present) return refuse(store, judge(&row, failure));
    code = add_row(store->db, sender);
    if (code == SQLITE_OK) code = commit(store, 1);
    if (code != SQLITE_OK) return fail(store, code, failure);
    err = cg_folder_check(&store->folder, &failure->problem);
    return err == CG_OK ? CG_OK : unavailable(err, failure);
}

static void sqlite_free(struct cg_store_backend *backend) {
    struct cg_sqlite *store = sqlite_of(backend);
    disconnect(store);
    cg_folder_fini(&store->folder);
    free(store);
}

static const struct cg_store_backend_ops ops = {.reserve = sqlite_reserve, .claim = sqlite_claim, .free = sqlite_free};

struct cg_store_backend *cg_sqlite_new(const char *folder) {
    struct cg_sqlite *store = calloc(1, sizeof *store);
    if (store == NULL) return NULL;
    store->backend.ops = &ops;
    if (cg_folder_init(&store->folder, folder) == CG_OK) return &store->backend;
    free(store);
    return NULL;
}

/* Claiming beside the gateway that has the lock */

static int note_row(sqlite3 *db, const struct cg_sender_id *sender) {
    int code = add_row(db, sender);
    if (code == SQLITE_OK) code = cg_database_run(db, "UPDATE home SET generation = generation + 1, total = total + 1");
    return code == SQLITE_OK ? cg_database_run(db, "COMMIT") : code;
}

/* One more row, in a transaction; the witness and the log stay the gateway's business. What is in doubt is for the
 * gateway to judge. */
static int claim_row(struct cg_sqlite *store, const struct cg_sender_id *sender, struct cg_store_failure *failure) {
    struct cg_file_mark mark;
    struct home home;
    struct row row;
    int code = cg_database_expect(store->db, "PRAGMA journal_mode", "wal");
    if (code == SQLITE_OK) code = cg_database_run(store->db, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE");
    if (code == SQLITE_OK) code = read_home(store->db, &home);
    if (code == SQLITE_OK) code = read_row(store->db, sender, &row);
    if (code != SQLITE_OK) return fail(store, code, failure);
    if (!cg_file_mark(store->folder.db, &mark) || !same_mark(&home.mark, &mark) || !home.fits) {
        cg_problem_set(&failure->problem, CG_E_STORE,
                       "the store %s is a copy, or not what it was: nothing is claimed in it", store->folder.db);
        return refuse(store, CG_E_STORE);
    }
    if (row.present) return refuse(store, judge(&row, failure));
    code = note_row(store->db, sender);
    return code == SQLITE_OK ? CG_OK : fail(store, code, failure);
}

static int claim_beside(struct cg_sqlite *store, const struct cg_sender_id *sender, struct cg_store_failure *failure) {
    int err = cg_database_open(store->folder.db, &store->db, &failure->problem);
    return err == CG_OK ? claim_row(store, sender, failure) : err;
}

int cg_sqlite_claim(const char *folder, const struct cg_sender_id *sender, struct cg_problem *problem) {
    struct cg_store_failure failure;
    struct cg_store_backend *backend = cg_sqlite_new(folder);
    if (backend == NULL) return cg_problem_set(problem, CG_E_NO_MEMORY, "memory ran out");
    int err = sqlite_claim(backend, sender, &failure);
    if (err < 0 && sqlite_of(backend)->folder.taken) err = claim_beside(sqlite_of(backend), sender, &failure);
    if (err < 0) *problem = failure.problem;
    sqlite_free(backend);
    return err;
}
