/* Gives numbers out of the store, or says why not. The hard thing is what cannot be seen, a whole file system set back:
 * a sender's first numbers in this process lie beyond all that it may have used since its row was written (rate.h).
 * What can be seen, a store that is a copy or was set back, is sqlite_home.c's. */
#include "store/sqlite.h"

#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "store/beside.h"
#include "store/sqlite_home.h"

/* How often rows are written although nothing is sent, so that a start does not go on further than it must. */
#define FRESH_US (3600 * UINT64_C(1000000))
/* And when the clock was set: a time of before it was right would count as time that has passed, at the next start. */
#define CLOCK_STEP_MS INT64_C(60000)

static struct cg_sqlite *sqlite_of(struct cg_store_backend *backend) {
    return CG_CONTAINER(backend, struct cg_sqlite, backend);
}

/* Rows */

static uint64_t higher(uint64_t a, uint64_t b) { return a > b ? a : b; }

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
    if (used == NULL) *err = cg_home_unavailable(cg_problem_no_memory(&failure->problem), failure);
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
    int err = cg_home_begin_ready(store, sender, &ledger, failure);
    if (err != CG_OK) return err;
    int code = unite(store, sender, &ledger);
    if (code != SQLITE_OK) return cg_home_fail(store, code, failure);
    struct cg_row row = ledger.row;
    err = choose(store, sender, count, &row, range, failure);
    if (err != CG_OK) return cg_home_refuse(store, &ledger, err);
    code = cg_ledger_put_row(store->db, &ledger, sender->bytes, &ledger.row, &row);
    err = code == SQLITE_OK ? cg_home_commit(store, &ledger, failure) : cg_home_fail(store, code, failure);
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
    int err = cg_home_begin_ready(store, sender, &ledger, failure);
    if (err != CG_OK) return err;
    int code = unite(store, sender, &ledger);
    if (code != SQLITE_OK) return cg_home_fail(store, code, failure);
    if (ledger.row.present) err = judge(&ledger.row, failure);
    if (err != CG_OK) return cg_home_refuse(store, &ledger, err);
    bool made = !ledger.row.present;
    if (made) code = add_row(store, sender, &ledger);
    if (code != SQLITE_OK) return cg_home_fail(store, code, failure);
    err = cg_home_commit(store, &ledger, failure);
    if (err == CG_OK && made && cg_rate_begin(&store->rates, sender, ledger.former.next, store->timer_us()) == NULL)
        err = cg_home_unavailable(cg_problem_no_memory(&failure->problem), failure);
    return err;
}

/* Writes the rows of all senders that this process uses: they have got as far as they say, now. */
static int freshen_rows(struct cg_sqlite *store, struct cg_ledger *ledger) {
    int code = cg_home_begin(store, NULL, ledger);
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
    if (code != SQLITE_OK) return cg_home_fail(store, code, failure);
    int err = cg_home_commit(store, &ledger, failure);
    if (err != CG_OK) return err;
    note_fresh(store);
    return CG_OK;
}

static int sqlite_check(struct cg_store_backend *backend, struct cg_store_failure *failure) {
    struct cg_sqlite *store = sqlite_of(backend);
    int err = cg_home_make_ready(store, &failure->problem);
    if (err != CG_OK) return cg_home_unavailable(err, failure);
    return is_fresh(store) || store->rates.first == NULL ? CG_OK : freshen(store, failure);
}

static int sqlite_copy(struct cg_store_backend *backend, const char *to, struct cg_store_failure *failure) {
    struct cg_sqlite *store = sqlite_of(backend);
    int err = cg_home_make_ready(store, &failure->problem);
    if (err == CG_OK) err = cg_sqlite_copy(store->folder.db, to, &failure->problem);
    return err == CG_OK ? err : cg_home_unavailable(err, failure);
}

/* A counter under the former name goes on under the present one when it is first used. */
static const struct cg_row *row_to_judge(const struct cg_ledger *ledger) {
    bool is_former = !ledger->row.present && ledger->former.present && ledger->former.state != CG_ROW_MOVED;
    return is_former ? &ledger->former : &ledger->row;
}

static int sqlite_look(struct cg_store_backend *backend, struct cg_store_look *looks, size_t count,
                       struct cg_store_failure *failure) {
    struct cg_sqlite *store = sqlite_of(backend);
    int err = cg_home_make_ready(store, &failure->problem);
    if (err != CG_OK) return cg_home_unavailable(err, failure);
    for (size_t i = 0; i < count; i++) {
        struct cg_ledger ledger;
        int code = cg_ledger_find(store->db, &looks[i].sender, &ledger);
        if (code != SQLITE_OK) return cg_home_fail(store, code, failure);
        looks[i].err = judge(row_to_judge(&ledger), &looks[i].failure);
    }
    return CG_OK;
}

static void sqlite_free(struct cg_store_backend *backend) {
    struct cg_sqlite *store = sqlite_of(backend);
    struct cg_store_failure unused;
    if (store->db != NULL && store->used && cg_home_is_ours(store) && freshen(store, &unused) != CG_OK)
        cg_log(CG_LOG_WARNING, "store", "the store was not written at the end: %s", unused.problem.detail);
    cg_home_disconnect(store);
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
