/* The hard thing is to know that this is the store: each call makes sure that the lock and the file are still in place,
 * and a store that is a copy, or was set back, first has all its senders spent. */
#include "store/sqlite_home.h"

#include <limits.h>
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "store/database.h"
#include "store/space.h"

#define RESERVED_BYTES (256 << 10)

int cg_home_unavailable(int err, struct cg_store_failure *failure) {
    failure->refusal = CG_STORE_UNAVAILABLE;
    return err;
}

void cg_home_disconnect(struct cg_sqlite *store) {
    cg_connection_close(store->db);
    store->db = NULL;
}

/* Who we are: the home of the store */

static bool same_mark(const struct cg_file_mark *a, const struct cg_file_mark *b) {
    return a->inode == b->inode && (a->born_ns == b->born_ns || a->born_ns == 0 || b->born_ns == 0);
}

static bool is_our_witness(const struct cg_sqlite *store, const struct cg_home *home) {
    return home->witness.inode == 0 || same_mark(&home->witness, &store->folder.witness_mark);
}

/* NULL: the store is the one that was made here, and as it was left; or there is nothing in it to give twice. */
static const char *suspicion(const struct cg_sqlite *store, const struct cg_ledger *ledger,
                             const struct cg_file_mark *mark, bool had_witness) {
    const struct cg_home *home = &ledger->home;
    if (ledger->rows == 0) return NULL;
    if (!same_mark(&home->mark, mark)) return "the file is a copy";
    if (!had_witness) return "its witness file is gone";
    if (!is_our_witness(store, home)) return "its witness file was put back";
    if (store->folder.witness > home->generation || store->generation > home->generation)
        return "it is older than it was when it was last used";
    return NULL;
}

static void warn_spent(const struct cg_sqlite *store, const char *why) {
    cg_log(
        CG_LOG_WARNING, "store",
        "every sender in %s is marked as spent, because %s: those keys receive only; to send again " CG_STORE_WAYS_OUT,
        store->folder.db, why);
}

static uint64_t higher(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Inside a transaction: takes possession of the file, and spends its senders when there is reason to. */
static int move_in(struct cg_sqlite *store, const struct cg_file_mark *mark, bool had_witness, struct cg_ledger *ledger,
                   const char **why) {
    int code = cg_ledger_read(store->db, NULL, ledger);
    if (code == SQLITE_OK && !ledger->fits) code = SQLITE_CORRUPT; /* nobody knows whose rows these are */
    if (code != SQLITE_OK) return code;
    *why = suspicion(store, ledger, mark, had_witness);
    if (*why != NULL) code = cg_ledger_spend_all(store->db, ledger);
    if (code != SQLITE_OK) return code;
    struct cg_home *home = &ledger->home;
    home->mark = *mark;
    home->witness = store->folder.witness_mark;
    home->generation = higher(home->generation, higher(store->folder.witness, store->generation)) + 1;
    return cg_ledger_put_home(store->db, ledger);
}

static int take_possession(struct cg_sqlite *store, struct cg_problem *problem) {
    struct cg_file_mark mark;
    struct cg_ledger ledger;
    const char *why = NULL;
    if (!cg_file_mark(store->folder.db, &mark) || !cg_folder_find_witness(&store->folder))
        return cg_problem_set(problem, CG_E_STORE, "the state folder %s cannot be read", store->folder.path);
    bool had_witness = store->folder.has_witness;
    int err = had_witness ? CG_OK : cg_folder_make_witness(&store->folder, store->generation, problem);
    if (err != CG_OK) return err;
    int code = cg_connection_run(store->db, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK) code = move_in(store, &mark, had_witness, &ledger, &why);
    if (code == SQLITE_OK) code = cg_connection_run(store->db, "COMMIT");
    if (code != SQLITE_OK) return cg_database_explain(store->db, code, store->folder.db, problem);
    store->generation = ledger.home.generation;
    if (why != NULL) warn_spent(store, why);
    err = cg_folder_move_witness(&store->folder, ledger.home.generation, problem);
    if (err == CG_OK && cg_file_sync_folder(store->folder.path) != 0)
        err = cg_problem_set(problem, CG_E_STORE, "the state folder %s cannot be written", store->folder.path);
    if (err == CG_OK) cg_folder_remove_older_witnesses(&store->folder);
    return err;
}

/* For a disk that others fill: a commit, and rows of new keys, have their blocks already. Before SQLite has it open,
 * whose locks would go with any other descriptor of the file that is closed. */
static void reserve_space(const struct cg_sqlite *store) {
    char journal[PATH_MAX];
    const int len = snprintf(journal, sizeof journal, "%s-journal", store->folder.db);
    cg_space_reserve(store->folder.db, RESERVED_BYTES, CG_SPACE_IF_THERE);
    if (len < (int)sizeof journal) cg_space_reserve(journal, RESERVED_BYTES, CG_SPACE_MAKE);
}

static int connect_store(struct cg_sqlite *store, struct cg_problem *problem) {
    int err = cg_folder_lock(&store->folder, problem);
    if (err == CG_OK) err = cg_folder_note_db(&store->folder, problem);
    if (err != CG_OK) return err;
    const char *path = store->folder.db;
    reserve_space(store);
    err = cg_database_open(path, &store->db, problem);
    if (err == CG_OK) err = cg_database_examine(store->db, path, problem);
    if (err == CG_OK) err = cg_folder_check(&store->folder, problem);
    if (err == CG_OK) err = cg_database_upgrade(store->db, store->clock_ms(), path, problem);
    if (err == CG_OK) err = take_possession(store, problem);
    if (err != CG_OK) cg_home_disconnect(store);
    return err;
}

/* Nothing has come beside it that SQLite must not meet. */
static bool is_alone(const struct cg_sqlite *store) {
    struct cg_problem unused;
    return cg_connection_check_journal(store->folder.db, &unused) == CG_OK && !cg_connection_has_log_beside(store->db);
}

/* False: it was replaced, set back or damaged under us. */
bool cg_home_is_ours(struct cg_sqlite *store) {
    struct cg_problem unused;
    struct cg_ledger ledger;
    return cg_folder_check(&store->folder, &unused) == CG_OK && is_alone(store) &&
           cg_ledger_read(store->db, NULL, &ledger) == SQLITE_OK && ledger.fits &&
           ledger.home.generation >= store->generation;
}

int cg_home_make_ready(struct cg_sqlite *store, struct cg_problem *problem) {
    if (store->db != NULL && !cg_home_is_ours(store)) cg_home_disconnect(store);
    return store->db != NULL ? CG_OK : connect_store(store, problem);
}

/* Transactions */

int cg_home_fail(struct cg_sqlite *store, int code, struct cg_store_failure *failure) {
    cg_database_explain(store->db, code, store->folder.db, &failure->problem);
    cg_home_disconnect(store);
    return cg_home_unavailable(CG_E_STORE, failure);
}

int cg_home_begin(struct cg_sqlite *store, const struct cg_sender_id *sender, struct cg_ledger *ledger) {
    int code = cg_connection_run(store->db, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK) code = cg_ledger_read(store->db, sender, ledger);
    return code == SQLITE_OK && !ledger->fits ? SQLITE_CORRUPT : code;
}

int cg_home_begin_ready(struct cg_sqlite *store, const struct cg_sender_id *sender, struct cg_ledger *ledger,
                        struct cg_store_failure *failure) {
    int err = cg_home_make_ready(store, &failure->problem);
    if (err != CG_OK) return cg_home_unavailable(err, failure);
    int code = cg_home_begin(store, sender, ledger);
    return code == SQLITE_OK ? CG_OK : cg_home_fail(store, code, failure);
}

/* What was committed counts only if the witness follows, and the file is not gone. */
static int follow(struct cg_sqlite *store, struct cg_store_failure *failure) {
    int err = cg_folder_move_witness(&store->folder, store->generation, &failure->problem);
    if (err == CG_OK) err = cg_folder_check(&store->folder, &failure->problem);
    if (err == CG_OK) return CG_OK;
    cg_home_disconnect(store);
    return cg_home_unavailable(err, failure);
}

int cg_home_commit(struct cg_sqlite *store, struct cg_ledger *ledger, struct cg_store_failure *failure) {
    ledger->home.generation++;
    int code = cg_ledger_put_home(store->db, ledger);
    if (code == SQLITE_OK) code = cg_connection_run(store->db, "COMMIT");
    if (code != SQLITE_OK) return cg_home_fail(store, code, failure);
    store->generation = ledger->home.generation;
    return follow(store, failure);
}

/* Ends a transaction that gives nothing. That names were united is kept: should it not be, it is done again. */
int cg_home_refuse(struct cg_sqlite *store, struct cg_ledger *ledger, int err) {
    struct cg_store_failure unused;
    if (ledger->changed)
        (void)!cg_home_commit(store, ledger, &unused);
    else if (cg_connection_run(store->db, "ROLLBACK") != SQLITE_OK)
        cg_home_disconnect(store);
    return err;
}
