/* The store on real files, in ordinary life and where somebody else uses it too. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "store/folder.h"
#include "fake_state.h"

static mode_t mode_of(const char *folder, const char *name) {
    char path[200];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 0777;
}

static void init_makes_a_private_folder_and_store(void **state) {
    struct side *side = *state;
    mode_t mask = umask(0);
    init_state(side);
    assert_int_equal(mode_of(side->folder, "."), 0700);
    assert_int_equal(mode_of(side->folder, "castgate.db"), 0600);
    open_store(side);
    assert_int_equal(claim(side, &key_1), CG_OK);
    assert_int_equal(mode_of(side->folder, "castgate.db-journal"), 0600);
    assert_int_equal(mode_of(side->folder, "castgate.lock"), 0600);
    umask(mask);
    shell("test \"$(ls %s | wc -l)\" = 4", side->folder); /* those three and the witness: no drafts */
}

static void init_refuses_what_is_in_use(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    init_state(side);
    assert_int_equal(cg_sqlite_init_state(side->folder, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "there is a store already"));
    assert_non_null(strstr(problem.detail, "never sent")); /* the way on, and what it asserts */
    assert_non_null(strstr(problem.detail, "castgate-keys claim"));
    shell("rm %s/castgate.db", side->folder); /* with it went the counters: to start at 0 again must not be easy */
    assert_int_equal(cg_sqlite_init_state(side->folder, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "had a store that is gone"));
    shell("mkdir -m 0770 %s", side->other);
    assert_int_equal(cg_sqlite_init_state(side->other, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "chmod go-w"));
    shell("chmod 755 %s", side->other); /* as made by a package or a container */
    assert_int_equal(cg_sqlite_init_state(side->other, &problem), CG_OK);
    assert_int_equal(cg_sqlite_init_state("/nowhere/at/all", &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "No such file"));
}

static void numbers_go_on_after_every_reopening(void **state) {
    struct side *side = *state;
    uint64_t next = 0;
    for (uint64_t i = 1; i <= 5; i++) {
        expect_range(side, &key_1, next, 100 * i);
        next += 100 * i;
        close_store(side);
        open_store(side);
    }
    assert_int_equal(claim(side, &key_2), CG_OK);
    expect_range(side, &key_2, 0, 7); /* each key counts by itself */
    expect_range(side, &key_1, next, 7);
}

/* R53: a key that was not claimed does not send. */
static void a_key_without_row_gets_nothing(void **state) {
    struct side *side = *state;
    expect_refusal(side, &key_2, CG_STORE_UNCLAIMED, "not claimed");
    assert_int_equal(claim(side, &key_2), CG_OK);
    expect_range(side, &key_2, 0, 10);
}

static void assert_look(struct side *side, const struct cg_sender_id *sender, int err) {
    struct cg_store_look look = {.sender = *sender};
    assert_int_equal(side->store->ops->look(side->store, &look, 1, &side->failure), CG_OK);
    assert_int_equal(look.err, err);
}

/* A look tells what a reservation would say, and takes nothing. */
static void a_look_takes_no_number(void **state) {
    struct side *side = *state;
    struct cg_store_look looks[] = {{.sender = key_1}, {.sender = key_2}};
    assert_int_equal(side->store->ops->look(side->store, looks, 2, &side->failure), CG_OK);
    assert_int_equal(looks[0].err, CG_OK);
    assert_int_equal(looks[1].err, CG_E_KEY_REFUSED);
    assert_int_equal(looks[1].failure.refusal, CG_STORE_UNCLAIMED);
    expect_range(side, &key_1, 0, 10);
    assert_look(side, &key_1, CG_OK);
    expect_range(side, &key_1, 10, 10);
    assert_int_equal(claim(side, &key_2), CG_OK);
    assert_look(side, &key_2, CG_OK);
    close_store(side);
    change_fields(side, "UPDATE sender SET state = 'spent'");
    open_store(side);
    assert_look(side, &key_1, CG_E_KEY_REFUSED);
    close_store(side);
    shell("rm %s/*.db", side->folder);
    open_store(side);
    assert_int_equal(side->store->ops->look(side->store, looks, 2, &side->failure), CG_E_STORE);
    assert_int_equal(side->failure.refusal, CG_STORE_UNAVAILABLE);
}

static void a_second_claim_is_no_reset(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 1000);
    assert_int_equal(claim(side, &key_1), CG_OK);
    close_store(side);
    open_store(side);
    assert_int_equal(claim(side, &key_1), CG_OK);
    expect_range(side, &key_1, 1000, 1);
}

static void rows_cannot_be_removed_or_set_back(void **state) {
    struct side *side = *state;
    expect_range(side, &key_1, 0, 1000);
    close_store(side);
    assert_int_not_equal(run_sql(side, "DELETE FROM sender"), SQLITE_OK);
    assert_int_not_equal(run_sql(side, "UPDATE sender SET next = 999"), SQLITE_OK);
    assert_int_not_equal(run_sql(side, "UPDATE sender SET id = zeroblob(32)"), SQLITE_OK);
    assert_int_not_equal(run_sql(side, "UPDATE sender SET next = 1099511627777"), SQLITE_OK);
    assert_int_not_equal(run_sql(side, "UPDATE sender SET written_ms = written_ms - 1"), SQLITE_OK);
    change_fields(side, "UPDATE sender SET state = 'spent'");
    assert_int_not_equal(run_sql(side, "UPDATE sender SET state = 'claimed'"), SQLITE_OK);
    open_store(side);
    expect_refusal(side, &key_1, CG_STORE_SPENT, "spent");
}

static void numbers_end_at_2_to_the_40(void **state) {
    struct side *side = *state;
    close_store(side);
    change_fields(side, "UPDATE sender SET next = 1099511627776 - 1000003");
    open_store(side);
    assert_int_equal(reserve(side, &key_1, 1024), CG_OK);
    assert_int_equal(side->range.first, CG_SENDER_NUMBERS - 3);
    assert_int_equal(side->range.count, 3);
    expect_refusal(side, &key_1, CG_STORE_EXHAUSTED, "exhausted");
    assert_int_equal(claim(side, &key_1), CG_E_KEY_REFUSED);
    assert_int_equal(side->failure.refusal, CG_STORE_EXHAUSTED);
}

/* Somebody else */

static void a_second_gateway_is_refused(void **state) {
    struct side *side = *state;
    struct side second = *side;
    struct cg_problem problem;
    expect_range(side, &key_1, 0, 10);
    open_store(&second);
    assert_int_equal(check_store(&second), CG_E_STORE);
    problem = second.failure.problem;
    assert_non_null(strstr(problem.detail, "locked by another gateway"));
    char process[32];
    snprintf(process, sizeof process, "(process %d)", (int)getpid());
    assert_non_null(strstr(problem.detail, process));
    expect_refusal(&second, &key_1, CG_STORE_UNAVAILABLE, "locked by another gateway");
    assert_int_equal(claim(&second, &key_2), CG_E_STORE);
    close_store(side);
    expect_range(&second, &key_1, 10, 10); /* when the first is gone the second takes over, without restart */
    close_store(&second);
}

/* Only the gateway touches what it uses: without its socket nothing is claimed or copied beside it. */
static void nothing_is_done_beside_a_gateway_that_cannot_be_asked(void **state) {
    struct side *side = *state;
    struct cg_problem problem;
    char copy[100];
    snprintf(copy, sizeof copy, "%s/copy", side->top);
    expect_range(side, &key_1, 0, 10);
    assert_int_equal(cg_sqlite_claim(side->folder, &key_2, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "locked by another gateway"));
    assert_non_null(strstr(problem.detail, "it has no control.sock"));
    assert_int_equal(cg_sqlite_backup(side->folder, copy, &problem), CG_E_STORE);
    assert_non_null(strstr(problem.detail, "it has no control.sock"));
    assert_int_equal(access(copy, F_OK), -1);
    expect_refusal(side, &key_2, CG_STORE_UNCLAIMED, "not claimed");
    close_store(side);
    fake_clock_ms = ((int64_t)time(NULL) - 3600) * 1000; /* who claims goes by the system's clock */
    assert_int_equal(cg_sqlite_claim(side->folder, &key_3, &problem), CG_OK); /* without a gateway they are */
    assert_int_equal(cg_sqlite_backup(side->folder, copy, &problem), CG_OK);
    open_store(side);
    expect_range(side, &key_3, 0, 1);
}

static void the_gateway_itself_claims_and_copies(void **state) {
    struct side *side = *state;
    char copy[100];
    snprintf(copy, sizeof copy, "%s/copy", side->folder);
    expect_range(side, &key_1, 0, 10);
    assert_int_equal(claim(side, &key_2), CG_OK);
    assert_int_equal(side->store->ops->copy(side->store, copy, &side->failure), CG_OK);
    assert_int_equal(access(copy, R_OK), 0);
    assert_int_equal(side->store->ops->copy(side->store, copy, &side->failure), CG_E_STORE); /* replaces nothing */
    expect_range(side, &key_1, 10, 10);
    expect_range(side, &key_2, 0, 5);
}

/* Even somebody who removes the lock file gets no number twice. */
static void a_removed_lock_is_noticed(void **state) {
    struct side *side = *state;
    struct side second = *side;
    expect_range(side, &key_1, 0, 10);
    shell("rm %s/castgate.lock", side->folder);
    open_store(&second);
    expect_range(&second, &key_1, 10, 10);
    expect_refusal(side, &key_1, CG_STORE_UNAVAILABLE, "locked by another gateway");
    close_store(&second);
    expect_range(side, &key_1, 20, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        bare_test(init_makes_a_private_folder_and_store),
        bare_test(init_refuses_what_is_in_use),
        state_test(numbers_go_on_after_every_reopening),
        state_test(a_key_without_row_gets_nothing),
        state_test(a_look_takes_no_number),
        state_test(a_second_claim_is_no_reset),
        state_test(rows_cannot_be_removed_or_set_back),
        state_test(numbers_end_at_2_to_the_40),
        state_test(a_second_gateway_is_refused),
        state_test(a_removed_lock_is_noticed),
        state_test(nothing_is_done_beside_a_gateway_that_cannot_be_asked),
        state_test(the_gateway_itself_claims_and_copies),
    };
    cg_log_set_level(CG_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
