/* Stored items, their revisions and the audit, as whoever changes them sees them. */
#include "store/items.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "fake_items.h"
#include "store/items_schema.h"

struct desk {
    char folder[64];
    struct cg_items_file *file;
};

static void open_items(struct desk *desk) {
    desk->file = cg_items_file_new(desk->folder, NULL);
    assert_non_null(desk->file);
}

static void open_anew(struct desk *desk) {
    cg_items_file_free(desk->file);
    open_items(desk);
}

/* As at a start: everything is heard. */
static int setup(void **state) {
    struct desk *desk = calloc(1, sizeof *desk);
    strcpy(desk->folder, "/tmp/castgate-items.XXXXXX");
    assert_non_null(mkdtemp(desk->folder));
    fake_keep_ms = 0;
    open_items(desk);
    expect_text(fake_items_text(desk->file), "");
    *state = desk;
    return 0;
}

static int teardown(void **state) {
    struct desk *desk = *state;
    char command[96];
    cg_items_file_free(desk->file);
    snprintf(command, sizeof command, "rm -r %s", desk->folder);
    assert_int_equal(system(command), 0);
    free(desk);
    return 0;
}

/* As an administrator with the sqlite3 program would. */
static int run_sql(const struct desk *desk, const char *sql) {
    char path[96];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/" CG_ITEMS_FILE, desk->folder);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    const int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
    return code;
}

static void nothing_is_made_before_something_is_stored(void **state) {
    struct desk *desk = *state;
    struct stat info;
    char path[96];
    snprintf(path, sizeof path, "%s/" CG_ITEMS_FILE, desk->folder);
    expect_text(fake_revisions_text(desk->file, 0, 10), "");
    expect_text(fake_audit_text(desk->file, 0, 10), "");
    assert_int_equal(stat(path, &info), -1);
    fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void a_commit_is_there_when_it_is_opened_again(void **state) {
    struct desk *desk = *state;
    assert_int_equal(fake_put(desk->file, CG_ITEM_MAPPING, "floor3", "{\"path\":\"/floor3\"}"), 1);
    assert_int_equal(fake_put(desk->file, CG_ITEM_CLIENT, "anna", "{}"), 2);
    assert_int_equal(fake_put(desk->file, CG_ITEM_MAPPING, "floor3", "{\"path\":\"/f3\"}"), 3);
    open_anew(desk);
    expect_text(fake_items_text(desk->file), "clients/anna 2 {}\nmappings/floor3 3 {\"path\":\"/f3\"}\n");
    assert_int_equal(fake_remove(desk->file, CG_ITEM_MAPPING, "floor3"), 4);
    open_anew(desk);
    expect_text(fake_items_text(desk->file), "clients/anna 2 {}\n");
}

static bool check_item(void *ctx, struct cg_item *item) {
    (void)ctx;
    assert_string_equal(item->changed_by, "anna");
    assert_int_equal(item->changed_ms, fake_now_ms);
    cg_item_unref(item);
    return true;
}

static void an_item_says_who_made_it_so_and_when(void **state) {
    struct desk *desk = *state;
    fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
    assert_int_equal(cg_items_load(desk->file, check_item, NULL, &fake_problem), CG_OK);
}

static const struct fake_edit several[] = {
    {.kind = CG_ITEM_KEYS, .name = "k1", .document = "{}", .sealed = "SEALED"},
    {.kind = CG_ITEM_SECURITY_GROUP, .name = "floor3", .document = "{\"keys\":\"k1\"}"},
    {.kind = CG_ITEM_MAPPING, .name = "old"},
};

static void several_edits_are_one_revision(void **state) {
    struct desk *desk = *state;
    uint64_t revision;
    fake_put(desk->file, CG_ITEM_MAPPING, "old", "{\"a\":1}");
    assert_int_equal(fake_commit(desk->file, several, 3, &revision), CG_OK);
    assert_int_equal(revision, 2);
    expect_text(fake_items_text(desk->file), "keys/k1 2 {} +SEALED\nsecurity-groups/floor3 2 {\"keys\":\"k1\"}\n");
    expect_text(fake_revision_text(desk->file, 2), "2 put keys/k1 by anna 3 changes\n"
                                                   "  keys/k1:  -> {}\n" /* and nothing of what is sealed */
                                                   "  security-groups/floor3:  -> {\"keys\":\"k1\"}\n"
                                                   "  mappings/old: {\"a\":1} -> \n");
    assert_int_equal(cg_items_revision(desk->file, 3, NULL, NULL, NULL, &fake_problem), CG_E_NOT_FOUND);
}

static void revisions_come_latest_first_in_pages(void **state) {
    struct desk *desk = *state;
    for (int i = 0; i < 5; i++) fake_put(desk->file, CG_ITEM_MAPPING, i % 2 == 0 ? "a" : "b", "{}");
    expect_text(fake_revisions_text(desk->file, 0, 2), "5 put mappings/a by anna\n4 put mappings/b by anna\n");
    expect_text(fake_revisions_text(desk->file, 4, 2), "3 put mappings/a by anna\n2 put mappings/b by anna\n");
    expect_text(fake_revisions_text(desk->file, 2, 2), "1 put mappings/a by anna\n");
    expect_text(fake_later_text(desk->file, 1, 10), "3 put mappings/a by anna\n5 put mappings/a by anna\n");
    expect_text(fake_later_text(desk->file, 1, 1), "3 put mappings/a by anna\n");
    expect_text(fake_later_text(desk->file, 5, 10), "");
}

static void a_revision_knows_what_undid_it(void **state) {
    struct desk *desk = *state;
    uint64_t revision;
    fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
    fake_put(desk->file, CG_ITEM_MAPPING, "a", "{\"timeout\":1}");
    struct cg_edit edit = {.kind = CG_ITEM_MAPPING, .name = "a"};
    struct cg_items_commit commit = {.edits = &edit,
                                     .count = 1,
                                     .undoes = 1,
                                     .undoes_too = &(uint64_t){2},
                                     .undoes_too_count = 1,
                                     .undo = CG_UNDO_NEVER,
                                     .revision = &revision,
                                     .deed = {.who = "-",
                                              .from = "",
                                              .operation = "revisions.undo",
                                              .target = "revisions/1",
                                              .result = "done",
                                              .detail = ""}};
    assert_int_equal(cg_items_commit(desk->file, &commit, &fake_problem), CG_OK);
    expect_text(fake_revisions_text(desk->file, 0, 9), "3 revisions.undo revisions/1 by - for good undoes 1\n"
                                                       "2 put mappings/a by anna undone by 3\n"
                                                       "1 put mappings/a by anna undone by 3\n");
}

static void every_change_is_in_the_audit_and_so_is_the_rest(void **state) {
    struct desk *desk = *state;
    fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
    const struct cg_deed deed = {.who = "-",
                                 .from = "192.0.2.1",
                                 .operation = "login",
                                 .target = "",
                                 .result = "refused",
                                 .detail = "no such token"};
    assert_int_equal(cg_items_note(desk->file, &deed, &fake_problem), CG_OK);
    open_anew(desk);
    expect_text(fake_audit_text(desk->file, 0, 9), "2 login  by - from 192.0.2.1: refused no such token, revision 0\n"
                                                   "1 put mappings/a by anna from 127.0.0.1: done , revision 1\n");
    expect_text(fake_audit_text(desk->file, 2, 9), "1 put mappings/a by anna from 127.0.0.1: done , revision 1\n");
}

static void history_cannot_be_rewritten(void **state) {
    struct desk *desk = *state;
    for (int i = 0; i < 3; i++) fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
    cg_items_file_free(desk->file); /* nobody else gets at it meanwhile */
    static const char *const tries[] = {
        "DELETE FROM revision WHERE number = 1",
        "UPDATE revision SET who = 'bob'",
        "DELETE FROM change",
        "UPDATE change SET after = '{}'",
        "DELETE FROM audit",
        "UPDATE audit SET who = 'bob'",
        "INSERT INTO change (revision, kind, name) VALUES (1, 'mappings', 'b')",
        ("INSERT INTO revision SELECT 5, at_ms, who, origin, operation, target, detail, undo, undoes, changes FROM "
         "revision WHERE number = 3"),
    };
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++)
        assert_int_equal(run_sql(desk, tries[i]), SQLITE_CONSTRAINT);
    open_items(desk);
}

/* ---- Retention ---- */

#define DAY_MS INT64_C(86400000)

static void what_is_old_goes_with_the_next_change_and_the_latest_stays(void **state) {
    struct desk *desk = *state;
    const int64_t start_ms = fake_now_ms;
    for (int i = 0; i < 3; i++, fake_now_ms += DAY_MS) fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
    fake_keep_ms = 3 * DAY_MS / 2;
    fake_put(desk->file, CG_ITEM_MAPPING, "b", "{}");
    expect_text(fake_revisions_text(desk->file, 0, 9), "4 put mappings/b by anna\n3 put mappings/a by anna\n");
    assert_int_equal(cg_items_revision(desk->file, 2, NULL, NULL, NULL, &fake_problem), CG_E_NOT_FOUND);
    expect_text(fake_audit_text(desk->file, 0, 9), "4 put mappings/b by anna from 127.0.0.1: done , revision 4\n"
                                                   "3 put mappings/a by anna from 127.0.0.1: done , revision 3\n");
    expect_text(fake_items_text(desk->file), "mappings/a 3 {}\nmappings/b 4 {}\n");
    fake_now_ms += 1000 * DAY_MS;
    assert_int_equal(fake_put(desk->file, CG_ITEM_MAPPING, "c", "{}"), 5); /* numbers go on */
    expect_text(fake_revisions_text(desk->file, 0, 9), "5 put mappings/c by anna\n");
    expect_text(fake_audit_text(desk->file, 0, 9), "5 put mappings/c by anna from 127.0.0.1: done , revision 5\n");
    fake_now_ms = start_ms;
}

/* A gateway without a clock that is right writes 1970, or a time that is far ahead. */
static void what_is_young_keeps_what_came_behind_it(void **state) {
    struct desk *desk = *state;
    const int64_t start_ms = fake_now_ms;
    fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
    fake_now_ms = 1000;
    fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
    fake_now_ms = start_ms;
    fake_keep_ms = DAY_MS;
    fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
    expect_text(fake_later_text(desk->file, 1, 9), "2 put mappings/a by anna\n3 put mappings/a by anna\n");
}

static void a_commit_forgets_no_more_than_it_can_bear(void **state) {
    struct desk *desk = *state;
    const int64_t start_ms = fake_now_ms;
    for (int i = 0; i < 200; i++) fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
    fake_now_ms += 10 * DAY_MS;
    fake_keep_ms = DAY_MS;
    for (int left = 200; left > 0; left -= 64) {
        char *text = fake_revisions_text(desk->file, 0, 1000);
        size_t lines = 0;
        for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) lines++;
        assert_true(lines >= (size_t)left && lines < (size_t)left + 8);
        free(text);
        fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
    }
    fake_now_ms = start_ms;
}

/* ---- Versions ---- */

static void a_newer_file_is_left_alone(void **state) {
    struct desk *desk = *state;
    fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
    cg_items_file_free(desk->file);
    assert_int_equal(run_sql(desk, "PRAGMA user_version = 99"), SQLITE_OK);
    open_items(desk);
    assert_null(fake_items_text(desk->file));
    assert_non_null(strstr(fake_problem.detail, "has version 99, this castgate knows 2"));
    assert_int_equal(fake_commit(desk->file, several, 3, &(uint64_t){0}), CG_E_STORE);
    assert_int_equal(run_sql(desk, "PRAGMA user_version = 2"), SQLITE_OK);
    expect_text(fake_items_text(desk->file), "mappings/a 1 {}\n");
}

/* As the next version will do it, with the steps of this one before. */
static void an_older_file_is_brought_up_whole_or_not_at_all(void **state) {
    struct desk *desk = *state;
    const char *steps[] = {cg_items_steps[0], cg_items_steps[1],
                           "ALTER TABLE item ADD COLUMN note TEXT; UPDATE item SET note = name;",
                           "UPDATE item SET nothing = 1"};
    char path[96];
    sqlite3 *db;
    int64_t value = 0;
    fake_put(desk->file, CG_ITEM_MAPPING, "a", "{}");
    cg_items_file_free(desk->file);
    snprintf(path, sizeof path, "%s/" CG_ITEMS_FILE, desk->folder);
    assert_int_equal(cg_connection_open(path, CG_JOURNAL_GIVES_BACK, &db), SQLITE_OK);
    assert_int_not_equal(cg_items_schema_bring(db, steps, 4), SQLITE_OK);
    cg_connection_close(db);
    assert_int_equal(cg_connection_open(path, CG_JOURNAL_GIVES_BACK, &db), SQLITE_OK);
    assert_int_equal(cg_connection_ask(db, "PRAGMA user_version", &value), SQLITE_OK);
    assert_int_equal(value, 2);
    assert_int_not_equal(cg_connection_ask(db, "SELECT count(note) FROM item", &value), SQLITE_OK);
    assert_int_equal(cg_items_schema_bring(db, steps, 3), SQLITE_OK);
    assert_int_equal(cg_connection_ask(db, "SELECT count(*) FROM item WHERE note = 'a'", &value), SQLITE_OK);
    assert_int_equal(value, 1);
    assert_int_equal(cg_connection_ask(db, "PRAGMA user_version", &value), SQLITE_OK);
    assert_int_equal(value, 3);
    assert_int_equal(cg_items_schema_bring(db, steps, 2), SQLITE_MISMATCH);
    cg_connection_close(db);
    open_items(desk);
}

/* Of before more than one revision could be taken back at once. */
static void a_file_of_the_first_version_goes_on(void **state) {
    struct desk *desk = *state;
    char path[96];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/" CG_ITEMS_FILE, desk->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(cg_items_schema_bring(db, cg_items_steps, 1), SQLITE_OK);
    assert_int_equal(cg_connection_run(db,
                                       "INSERT INTO item (kind, name, revision, changed_ms, changed_by, document)"
                                       " VALUES ('mappings', 'a', 1, 0, 'w', '{}');"
                                       "INSERT INTO revision VALUES (1, 0, 'w', '', 'o', 't', '', 'allowed', 0, 1)"),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    open_anew(desk);
    expect_text(fake_items_text(desk->file), "mappings/a 1 {}\n");
    fake_put(desk->file, CG_ITEM_MAPPING, "b", "{}");
}

#define items_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        items_test(nothing_is_made_before_something_is_stored),
        items_test(a_commit_is_there_when_it_is_opened_again),
        items_test(an_item_says_who_made_it_so_and_when),
        items_test(several_edits_are_one_revision),
        items_test(revisions_come_latest_first_in_pages),
        items_test(a_revision_knows_what_undid_it),
        items_test(every_change_is_in_the_audit_and_so_is_the_rest),
        items_test(history_cannot_be_rewritten),
        items_test(what_is_old_goes_with_the_next_change_and_the_latest_stays),
        items_test(what_is_young_keeps_what_came_behind_it),
        items_test(a_commit_forgets_no_more_than_it_can_bear),
        items_test(a_newer_file_is_left_alone),
        items_test(a_file_of_the_first_version_goes_on),
        items_test(an_older_file_is_brought_up_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
