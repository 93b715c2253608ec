/* Gives numbers out of the store, or says why not. The hard thing is to know that this is the store: each call makes
 * sure that the lock and the file are still in place, and a store that is a copy, or was set back, first has all its
 * senders spent. What cannot be seen, a whole file system set back, is provided for: a sender's first numbers in this
 * process lie beyond all that it may have used since its row was written (rate.h). After any failure the connection is
 * closed and nothing of what was known is believed; the next call opens and reads anew. */
#include "store/sqlite.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/container.h"
#include "base/file.h"
#include "base/log.h"
#include "store/beside.h"
#include "store/database.h"
#include "store/folder.h"
#include "store/ledger.h"
#include "store/rate.h"
#include "store/space.h"

/* How often rows are written although nothing is sent, so that a start does not go on further than it must. */
#define FRESH_US (3600 * UINT64_C(1000000))
/* And when the clock was set: a time of before it was right would count as time that has passed, at the next start. */
#define CLOCK_STEP_MS INT64_C(60000)

#define RESERVED_BYTES (256 << 10)

struct cg_sqlite {
    struct cg_store_backend backend;
    struct cg_folder folder;
    sqlite3 *db;          /* NULL: not open */
    uint64_t generation;  /* the highest that was seen, in whatever file */
    struct cg_rate rates; /* the senders that this process has used */
    bool require_clock;
    int64_t (*clock_ms)(void);
    uint64_t (*timer_us)(void);
    uint64_t freshened_us; /* when all their rows were last written */
    int64_t offset_ms;     /* of the clock to the timer, then */
    bool used;             /* something was reserved */
};

static struct cg_sqlite *sqlite_of(struct cg_store_backend *backend) {
    return CG_CONTAINER(backend, struct cg_sqlite, backend);
}

static int unavailable(int err, struct cg_store_failure *failure) {
    failure->refusal = CG_STORE_UNAVAILABLE;
    return err;
}

static void disconnect(struct cg_sqlite *store) {
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
    if (err != CG_OK) disconnect(store);
    return err;
}

/* Nothing has come beside it that SQLite must not meet. */
static bool is_alone(const struct cg_sqlite *store) {
    struct cg_problem unused;
    return cg_connection_check_journal(store->folder.db, &unused) == CG_OK && !cg_connection_has_log_beside(store->db);
}

/* False: it was replaced, set back or damaged under us. */
static bool is_still_ours(struct cg_sqlite *store) {
    struct cg_problem unused;
    struct cg_ledger ledger;
    return cg_folder_check(&store->folder, &unused) == CG_OK && is_alone(store) &&
           cg_ledger_read(store->db, NULL, &ledger) == SQLITE_OK && ledger.fits &&
           ledger.home.generation >= store->generation;
}

static int make_ready(struct cg_sqlite *store, struct cg_problem *problem) {
    if (store->db != NULL && !is_still_ours(store)) disconnect(store);
    return store->db != NULL ? CG_OK : connect_store(store, problem);
}

/* Transactions */

static int fail(struct cg_sqlite *store, int code, struct cg_store_failure *failure) {
    cg_database_explain(store->db, code, store->folder.db, &failure->problem);
    disconnect(store);
    return unavailable(CG_E_STORE, failure);
}

static int begin(struct cg_sqlite *store, const struct cg_sender_id *sender, struct cg_ledger *ledger) {
    int code = cg_connection_run(store->db, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK) code = cg_ledger_read(store->db, sender, ledger);
    return code == SQLITE_OK && !ledger->fits ? SQLITE_CORRUPT : code;
}

static int begin_ready(struct cg_sqlite *store, const struct cg_sender_id *sender, struct cg_ledger *ledger,
                       struct cg_store_failure *failure) {
    int err = make_ready(store, &failure->problem);
    if (err != CG_OK) return unavailable(err, failure);
    int code = begin(store, sender, ledger);
    return code == SQLITE_OK ? CG_OK : fail(store, code, failure);
}

/* What was committed counts only if the witness follows, and the file is not gone. */
static int follow(struct cg_sqlite *store, struct cg_store_failure *failure) {
    int err = cg_folder_move_witness(&store->folder, store->generation, &failure->problem);
    if (err == CG_OK) err = cg_folder_check(&store->folder, &failure->problem);
    if (err == CG_OK) return CG_OK;
    disconnect(store);
    return unavailable(err, failure);
}

static int commit(struct cg_sqlite *store, struct cg_ledger *ledger, struct cg_store_failure *failure) {
    ledger->home.generation++;
    int code = cg_ledger_put_home(store->db, ledger);
    if (code == SQLITE_OK) code = cg_connection_run(store->db, "COMMIT");
    if (code != SQLITE_OK) return fail(store, code, failure);
    store->generation = ledger->home.generation;
    return follow(store, failure);
}

/* Ends a transaction that gives nothing. That names were united is kept: should it not be, it is done again. */
static int refuse(struct cg_sqlite *store, struct cg_ledger *ledger, int err) {
    struct cg_store_failure unused;
    if (ledger->changed)
        (void)!commit(store, ledger, &unused);
    else if (cg_connection_run(store->db, "ROLLBACK") != SQLITE_OK)
        disconnect(store);
    return err;
}

/* Rows */

static int64_t newer(int64_t a, int64_t b) { return a > b ? a : b; }

/* That the row is as it should be at this moment. A clock that was set back does not set the row back. */
static void write_now(const struct cg_sqlite *store, struct cg_row *row) {
    row->written_ms = newer(row->written_ms, store->clock_ms());
    row->rate = store->rates.rate;
}

/* A counter that still stands under the former name of its key goes on under the present one; should both have one, the
 * higher. The former name never gives a number again. */
static int unite(struct cg_sqlite *store, const struct cg_sender_id *sender, struct cg_ledger *ledger) {
    if (!ledger->former.present || ledger->former.state == CG_ROW_MOVED) return SQLITE_OK;
    struct cg_row united = ledger->former, moved = ledger->former;
    moved.state = CG_ROW_MOVED;
    if (ledger->row.present) {
        united = ledger->row;
        united.next = higher(united.next, moved.next);
        united.written_ms = newer(united.written_ms, moved.written_ms);
        united.rate = higher(united.rate, moved.rate);
        if (ledger->former.state == CG_ROW_SPENT) united.state = CG_ROW_SPENT;
    }
    int code = cg_ledger_put_row(store->db, ledger, sender->bytes, &ledger->row, &united);
    if (code == SQLITE_OK) code = cg_ledger_put_row(store->db, ledger, sender->former, &ledger->former, &moved);
    ledger->row = united;
    cg_rate_forget(&store->rates, sender); /* it begins as after a start */
    return code;
}

/* CG_OK, or why this row gives no numbers. */
static int judge(const struct cg_row *row, struct cg_store_failure *failure) {
    if (!row->present) {
        failure->refusal = CG_STORE_UNCLAIMED;
        return cg_problem_set(
            &failure->problem, CG_E_KEY_REFUSED,
            "this key is not claimed. To claim it (castgate-keys claim) says that it has never sent, from here or "
            "anywhere: it begins at 0. If that is not certain, " CG_STORE_WAYS_OUT);
    }
    if (row->state != CG_ROW_CLAIMED) {
        failure->refusal = CG_STORE_SPENT;
        return cg_problem_set(
            &failure->problem, CG_E_KEY_REFUSED,
            "this key's sequence numbers are spent, because the state folder is or was a copy: " CG_STORE_WAYS_OUT);
    }
    if (row->next >= CG_SENDER_NUMBERS) {
        failure->refusal = CG_STORE_EXHAUSTED;
        return cg_problem_set(&failure->problem, CG_E_KEY_REFUSED,
                              "this key's sequence numbers are exhausted: " CG_STORE_WAYS_OUT);
    }
    return CG_OK;
}

/* The clock */

static int wait_for_clock(int64_t behind_ms, struct cg_store_failure *failure) {
    failure->refusal = CG_STORE_UNAVAILABLE;
    return cg_problem_set(&failure->problem, CG_E_STORE,
                          "the clock is %lld s behind the last use of this key: set it (\"require_clock\")",
                          (long long)(behind_ms / 1000 + 1));
}

static void warn_clock(int64_t behind_ms) {
    cg_log(CG_LOG_WARNING, "store",
           "the clock is %lld s behind the last use of a key: its sequence numbers go on, without an allowance for the "
           "time since; if this file system was set back, rekey the group (castgate-keys rekey)",
           (long long)(behind_ms / 1000 + 1));
}

/* The first use in this process: beyond all that may have been used since the row was written, by a gateway of which
 * this file system knows nothing because it was set back. */
static int go_on(const struct cg_sqlite *store, struct cg_row *row, struct cg_store_failure *failure) {
    const int64_t passed_ms = store->clock_ms() - row->written_ms;
    if (passed_ms < 0 && store->require_clock) return wait_for_clock(-passed_ms, failure);
    if (passed_ms < 0) warn_clock(-passed_ms);
    struct cg_rate rates = store->rates;
    rates.rate = higher(rates.rate, row->rate);
    row->next = cg_rate_go_on(&rates, row->next, passed_ms);
    return judge(row, failure);
}

/* The operations */

static int too_fast(const struct cg_sqlite *store, uint32_t wait_s, struct cg_store_failure *failure) {
    failure->refusal = CG_STORE_TOO_FAST;
    int err = cg_problem_set(&failure->problem, CG_E_OVERLOAD,
                             "this key has sent faster than \"sequence_rate\" allows, %llu messages a second and %llu "
                             "at once: send less, or raise it",
                             (unsigned long long)store->rates.rate, (unsigned long long)store->rates.burst);
    failure->problem.retry_after = wait_s;
    return err;
}

/* The sender's rate; for its first use the row goes on first. NULL with *err: no numbers. */
static struct cg_rate_sender *start_or_find(struct cg_sqlite *store, const struct cg_sender_id *sender,
                                            struct cg_row *row, int *err, struct cg_store_failure *failure) {
    struct cg_rate_sender *used = cg_rate_find(&store->rates, sender);
    if (used != NULL && !cg_rate_is_overtaken(used, row->next)) return used;
    *err = go_on(store, row, failure);
    if (*err != CG_OK) return NULL;
    used = cg_rate_begin(&store->rates, sender, row->next, store->timer_us());
    if (used == NULL) *err = unavailable(cg_problem_no_memory(&failure->problem), failure);
    return used;
}

/* Decides what to give out of the row: CG_OK with *range and the row as it will be. */
static int choose(struct cg_sqlite *store, const struct cg_sender_id *sender, uint64_t count, struct cg_row *row,
                  struct cg_store_range *range, struct cg_store_failure *failure) {
    uint32_t wait_s;
    int err = judge(row, failure);
    if (err != CG_OK) return err;
    struct cg_rate_sender *used = start_or_find(store, sender, row, &err, failure);
    if (used == NULL) return err;
    const uint64_t left = CG_SENDER_NUMBERS - row->next, wanted = count < left ? count : left;
    uint64_t allowed = cg_rate_allowance(&store->rates, used, row->next, wanted, store->timer_us(), &wait_s);
    if (allowed == 0) return too_fast(store, wait_s, failure);
    *range = (struct cg_store_range){.first = row->next, .count = allowed};
    row->next += allowed;
    write_now(store, row);
    return CG_OK;
}

static int sqlite_reserve(struct cg_store_backend *backend, const struct cg_sender_id *sender, uint64_t count,
                          struct cg_store_range *range, struct cg_store_failure *failure) {
    struct cg_sqlite *store = sqlite_of(backend);
    struct cg_ledger ledger;
    CG_CHECK(count > 0);
    int err = begin_ready(store, sender, &ledger, failure);
    if (err != CG_OK) return err;
    int code = unite(store, sender, &ledger);
    if (code != SQLITE_OK) return fail(store, code, failure);
    struct cg_row row = ledger.row;
    err = choose(store, sender, count, &row, range, failure);
    if (err != CG_OK) return refuse(store, &ledger, err);
    code = cg_ledger_put_row(store->db, &ledger, sender->bytes, &ledger.row, &row);
    err = code == SQLITE_OK ? commit(store, &ledger, failure) : fail(store, code, failure);
    if (err != CG_OK && range->first != ledger.row.next) cg_rate_forget(&store->rates, sender); /* it goes on anew */
    store->used = true;
    return err;
}

/* Another key that had the same former name goes on where that ended: it may have sent under it. */
static int add_row(struct cg_sqlite *store, const struct cg_sender_id *sender, struct cg_ledger *ledger) {
    struct cg_row made = {.present = true, .next = ledger->former.next, .created_s = store->clock_ms() / 1000};
    write_now(store, &made);
    return cg_ledger_put_row(store->db, ledger, sender->bytes, &ledger->row, &made);
}

static int sqlite_claim(struct cg_store_backend *backend, const struct cg_sender_id *sender,
                        struct cg_store_failure *failure) {
    struct cg_sqlite *store = sqlite_of(backend);
    struct cg_ledger ledger;
    int err = begin_ready(store, sender, &ledger, failure);
    if (err != CG_OK) return err;
    int code = unite(store, sender, &ledger);
    if (code != SQLITE_OK) return fail(store, code, failure);
    if (ledger.row.present) err = judge(&ledger.row, failure);
    if (err != CG_OK) return refuse(store, &ledger, err);
    bool made = !ledger.row.present;
    if (made) code = add_row(store, sender, &ledger);
    if (code != SQLITE_OK) return fail(store, code, failure);
    err = commit(store, &ledger, failure);
    if (err == CG_OK && made && cg_rate_begin(&store->rates, sender, ledger.former.next, store->timer_us()) == NULL)
        err = unavailable(cg_problem_no_memory(&failure->problem), failure);
    return err;
}

/* Writes the rows of all senders that this process uses: they have got as far as they say, now. */
static int freshen_rows(struct cg_sqlite *store, struct cg_ledger *ledger) {
    int code = begin(store, NULL, ledger);
    for (const struct cg_rate_sender *it = store->rates.first; code == SQLITE_OK && it != NULL; it = it->next) {
        struct cg_sender_id sender = {0};
        memcpy(sender.bytes, it->id, sizeof sender.bytes);
        code = cg_ledger_read(store->db, &sender, ledger);
        struct cg_row row = ledger->row;
        write_now(store, &row);
        if (code == SQLITE_OK && row.present && row.state == CG_ROW_CLAIMED)
            code = cg_ledger_put_row(store->db, ledger, sender.bytes, &ledger->row, &row);
    }
    return code;
}

static int64_t clock_offset_ms(const struct cg_sqlite *store) {
    return store->clock_ms() - (int64_t)(store->timer_us() / 1000);
}

static void note_fresh(struct cg_sqlite *store) {
    store->freshened_us = store->timer_us();
    store->offset_ms = clock_offset_ms(store);
}

static bool is_fresh(const struct cg_sqlite *store) {
    const int64_t step_ms = clock_offset_ms(store) - store->offset_ms;
    return store->timer_us() - store->freshened_us < FRESH_US && step_ms < CLOCK_STEP_MS && step_ms > -CLOCK_STEP_MS;
}

static int freshen(struct cg_sqlite *store, struct cg_store_failure *failure) {
    struct cg_ledger ledger;
    int code = freshen_rows(store, &ledger);
    if (code != SQLITE_OK) return fail(store, code, failure);
    int err = commit(store, &ledger, failure);
    if (err != CG_OK) return err;
    note_fresh(store);
    return CG_OK;
}

static int sqlite_check(struct cg_store_backend *backend, struct cg_store_failure *failure) {
    struct cg_sqlite *store = sqlite_of(backend);
    int err = make_ready(store, &failure->problem);
    if (err != CG_OK) return unavailable(err, failure);
    return is_fresh(store) || store->rates.first == NULL ? CG_OK : freshen(store, failure);
}

static int sqlite_copy(struct cg_store_backend *backend, const char *to, struct cg_store_failure *failure) {
    struct cg_sqlite *store = sqlite_of(backend);
    int err = make_ready(store, &failure->problem);
    if (err == CG_OK) err = cg_sqlite_copy(store->folder.db, to, &failure->problem);
    return err == CG_OK ? err : unavailable(err, failure);
}

/* A counter under the former name goes on under the present one when it is first used. */
static const struct cg_row *row_to_judge(const struct cg_ledger *ledger) {
    bool is_former = !ledger->row.present && ledger->former.present && ledger->former.state != CG_ROW_MOVED;
    return is_former ? &ledger->former : &ledger->row;
}

static int sqlite_look(struct cg_store_backend *backend, struct cg_store_look *looks, size_t count,
                       struct cg_store_failure *failure) {
    struct cg_sqlite *store = sqlite_of(backend);
    int err = make_ready(store, &failure->problem);
    if (err != CG_OK) return unavailable(err, failure);
    for (size_t i = 0; i < count; i++) {
        struct cg_ledger ledger;
        int code = cg_ledger_find(store->db, &looks[i].sender, &ledger);
        if (code != SQLITE_OK) return fail(store, code, failure);
        looks[i].err = judge(row_to_judge(&ledger), &looks[i].failure);
    }
    return CG_OK;
}

static void sqlite_free(struct cg_store_backend *backend) {
    struct cg_sqlite *store = sqlite_of(backend);
    struct cg_store_failure unused;
    if (store->db != NULL && store->used && is_still_ours(store) && freshen(store, &unused) != CG_OK)
        cg_log(CG_LOG_WARNING, "store", "the store was not written at the end: %s", unused.problem.detail);
    disconnect(store);
    cg_folder_fini(&store->folder);
    cg_rate_fini(&store->rates);
    free(store);
}

static const struct cg_store_backend_ops ops = {.reserve = sqlite_reserve,
                                                .claim = sqlite_claim,
                                                .copy = sqlite_copy,
                                                .look = sqlite_look,
                                                .check = sqlite_check,
                                                .free = sqlite_free};

static int64_t system_clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t system_timer_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now); /* a machine that sleeps sends nothing, and what it may send grows */
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

struct cg_store_backend *cg_sqlite_new(const char *folder, const struct cg_sqlite_options *options) {
    static const struct cg_sqlite_options defaults;
    const struct cg_sqlite_options *chosen = options == NULL ? &defaults : options;
    struct cg_sqlite *store = calloc(1, sizeof *store);
    if (store == NULL) return NULL;
    store->backend.ops = &ops;
    store->rates =
        (struct cg_rate){.rate = chosen->rate == 0 ? CG_SQLITE_RATE : chosen->rate, .burst = CG_SQLITE_BURST};
    store->require_clock = chosen->require_clock;
    store->clock_ms = chosen->clock_ms == NULL ? system_clock_ms : chosen->clock_ms;
    store->timer_us = chosen->timer_us == NULL ? system_timer_us : chosen->timer_us;
    note_fresh(store);
    if (cg_folder_init(&store->folder, folder, chosen->lock) == CG_OK) return &store->backend;
    free(store);
    return NULL;
}

/* For programs that are not the gateway */

int cg_sqlite_claim(const char *folder, const struct cg_sender_id *sender, struct cg_problem *problem) {
    struct cg_store_failure failure;
    struct cg_store_backend *backend = cg_sqlite_new(folder, NULL);
    if (backend == NULL) return cg_problem_no_memory(problem);
    int err = sqlite_claim(backend, sender, &failure);
    bool taken = sqlite_of(backend)->folder.taken;
    if (err < 0) *problem = failure.problem;
    sqlite_free(backend);
    if (!taken) return err;
    err = cg_control_claim(folder, sender, problem);
    return err == CG_E_NOT_FOUND
               ? cg_problem_set(problem, CG_E_STORE, "%s; it has no " CG_CONTROL_SOCKET, failure.problem.detail)
               : err;
}
