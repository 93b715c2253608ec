/* The hard thing is what may be mounted: who is not root becomes root of a user namespace. */
#include "fake_state.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include <cmocka.h>

#include "store/database.h"
#include "store/ledger.h"

const struct cg_sender_id key_1 = {.bytes = {1}}, key_2 = {.bytes = {2}}, key_3 = {.bytes = {3}};
int64_t fake_clock_ms;
uint64_t fake_timer_us;
bool can_mount;
static uint64_t highest[256]; /* by the id's first byte: all numbers that came are below */

static int64_t clock_ms(void) { return fake_clock_ms; }
static uint64_t timer_us(void) { return fake_timer_us; }

void shell(const char *format, ...) {
    char command[512];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

void open_store(struct side *side) {
    side->store = cg_sqlite_new(side->folder, &side->options);
    assert_non_null(side->store);
}

void close_store(struct side *side) {
    if (side->store != NULL) side->store->ops->free(side->store);
    side->store = NULL;
}

int reserve(struct side *side, const struct cg_sender_id *sender, uint64_t count) {
    side->failure = (struct cg_store_failure){0};
    return side->store->ops->reserve(side->store, sender, count, &side->range, &side->failure);
}

int claim(struct side *side, const struct cg_sender_id *sender) {
    side->failure = (struct cg_store_failure){0};
    return side->store->ops->claim(side->store, sender, &side->failure);
}

int check_store(struct side *side) {
    side->failure = (struct cg_store_failure){0};
    return side->store->ops->check(side->store, &side->failure);
}

void expect_range(struct side *side, const struct cg_sender_id *sender, uint64_t first, uint64_t count) {
    int err = reserve(side, sender, count);
    if (err != CG_OK) print_error("%s\n", side->failure.problem.detail);
    assert_int_equal(err, CG_OK);
    assert_int_equal(side->range.first % CG_SQLITE_BURST, first);
    assert_int_equal(side->range.count, count);
    assert_true(side->range.first >= highest[sender->bytes[0]]);
    highest[sender->bytes[0]] = side->range.first + count;
}

void expect_refusal(struct side *side, const struct cg_sender_id *sender, enum cg_store_refusal refusal,
                    const char *part) {
    assert_true(reserve(side, sender, 10) < 0);
    assert_int_equal(side->failure.refusal, refusal);
    if (strstr(side->failure.problem.detail, part) == NULL) print_error("%s\n", side->failure.problem.detail);
    assert_non_null(strstr(side->failure.problem.detail, part));
}

int setup_nothing(void **state) {
    struct side *side = calloc(1, sizeof *side);
    strcpy(side->top, "/tmp/castgate-sqlite.XXXXXX");
    assert_non_null(mkdtemp(side->top));
    snprintf(side->folder, sizeof side->folder, "%s/state", side->top);
    snprintf(side->other, sizeof side->other, "%s/other", side->top);
    side->options = (struct cg_sqlite_options){.clock_ms = clock_ms, .timer_us = timer_us};
    fake_clock_ms = INT64_C(1800000000000);
    fake_timer_us = UINT64_C(1000000000);
    memset(highest, 0, sizeof highest);
    *state = side;
    return 0;
}

void init_state(struct side *side) {
    struct cg_problem problem;
    int err = cg_sqlite_init_state(side->folder, &problem);
    if (err != CG_OK) print_error("%s\n", problem.detail);
    assert_int_equal(err, CG_OK);
}

int setup_state(void **state) {
    setup_nothing(state);
    struct side *side = *state;
    init_state(side);
    open_store(side);
    assert_int_equal(claim(side, &key_1), CG_OK);
    return 0;
}

int teardown_state(void **state) {
    struct side *side = *state;
    close_store(side);
    if (can_mount) umount(side->folder); /* of a test that failed half-way */
    shell("rm -rf %s", side->top);
    free(side);
    return 0;
}

int run_sql(const struct side *side, const char *sql) {
    char path[200];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/castgate.db", side->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
    return code;
}

void change_fields(const struct side *side, const char *sql) {
    char path[200];
    sqlite3 *db;
    struct cg_problem problem;
    struct cg_ledger ledger;
    snprintf(path, sizeof path, "%s/castgate.db", side->folder);
    assert_int_equal(cg_database_open(path, &db, &problem), CG_OK);
    assert_int_equal(cg_connection_run(db, sql), SQLITE_OK);
    assert_int_equal(cg_ledger_read(db, NULL, &ledger), SQLITE_OK);
    assert_int_equal(cg_ledger_put_home(db, &ledger), SQLITE_OK);
    cg_connection_close(db);
}

/* Mounting */

static bool write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return written;
}

void make_namespace(void) {
    char users[32], groups[32];
    bool is_root = geteuid() == 0;
    snprintf(users, sizeof users, "0 %u 1", geteuid());
    snprintf(groups, sizeof groups, "0 %u 1", getegid());
    if (unshare(CLONE_NEWNS | (is_root ? 0 : CLONE_NEWUSER)) != 0) return;
    if (!is_root && !(write_text("/proc/self/setgroups", "deny") && write_text("/proc/self/uid_map", users) &&
                      write_text("/proc/self/gid_map", groups)))
        return;
    can_mount = mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}
