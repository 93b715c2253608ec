/* The write path: in turns, all of it or nothing, and nothing lost between two editors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/container.h"
#include "fake_office.h"

static const char one[] = "{\"group\":\"coap://224.0.1.187\",\"security\":\"none\"}";

static void what_is_committed_is_there_and_stays(void **state) {
    struct office *office = *state;
    struct deed deed = {
        .kind = CG_ITEM_MAPPING, .name = "one", .document = "{\"security\": \"none\", \"group\": \"g\"}"};
    begin(office, &deed);
    assert_int_equal(await(&deed), CG_OK);
    assert_int_equal(deed.change.revision, 1);
    assert_int_equal(office->adopted, 1);
    const struct cg_item *item = cg_manage_find(office->manage, CG_ITEM_MAPPING, "one");
    assert_int_equal(item->revision, 1);
    assert_string_equal(item->changed_by, "somebody");
    assert_true(item->changed_ms > 0);
    cg_change_fini(&deed.change);
    office_close(office);
    office_open(office);
    assert_string_equal(document_of(office, CG_ITEM_MAPPING, "one"), "{\"group\":\"g\",\"security\":\"none\"}");
    assert_int_equal(cg_manage_revision(office->manage), 1);
    assert_int_equal(cg_manage_count(office->manage, CG_ITEM_MAPPING), 1);
    assert_int_equal(drop(office, CG_ITEM_MAPPING, "one"), CG_OK);
    assert_null(cg_manage_next(office->manage, CG_ITEM_MAPPING, ""));
    assert_int_equal(cg_manage_revision(office->manage), 2);
}

static void what_says_the_same_is_no_revision(void **state) {
    struct office *office = *state;
    assert_int_equal(put(office, CG_ITEM_MAPPING, "one", one), CG_OK);
    struct deed deed = {.kind = CG_ITEM_MAPPING, .name = "one", .document = one};
    begin(office, &deed);
    assert_int_equal(await(&deed), CG_OK);
    assert_int_equal(deed.change.revision, 0);
    cg_change_fini(&deed.change);
    assert_int_equal(cg_manage_revision(office->manage), 1);
    assert_int_equal(drop(office, CG_ITEM_MAPPING, "nothing"), CG_OK);
    assert_int_equal(cg_manage_revision(office->manage), 1);
    assert_int_equal(office->proposed, 1);
}

static void a_dry_run_says_what_would_differ_and_changes_nothing(void **state) {
    struct office *office = *state;
    assert_int_equal(put(office, CG_ITEM_MAPPING, "one", one), CG_OK);
    struct deed deed = {.kind = CG_ITEM_MAPPING, .name = "one", .document = "{\"group\":\"h\"}"};
    deed.change.mode = CG_CHANGE_DRY;
    begin(office, &deed);
    assert_int_equal(await(&deed), CG_OK);
    char *difference = json_dumps(deed.change.difference, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(difference, "[{\"after\":{\"group\":\"h\"},\"before\":{\"group\":\"coap://224.0.1.187\","
                                    "\"security\":\"none\"},\"kind\":\"mappings\",\"name\":\"one\"}]");
    free(difference);
    assert_ptr_equal(deed.change.will, &office->config);
    assert_ptr_equal(deed.change.was, &office->config);
    cg_change_fini(&deed.change);
    assert_string_equal(document_of(office, CG_ITEM_MAPPING, "one"), one);
    assert_int_equal(office->adopted, 1);
    assert_int_equal(office->dropped, 1);
    assert_int_equal(cg_manage_revision(office->manage), 1);
}

static bool count_revision(void *ctx, const struct cg_revision *revision) {
    (void)revision;
    ++*(size_t *)ctx;
    return true;
}

static size_t revisions_kept(struct office *office) {
    struct cg_problem problem;
    size_t count = 0;
    office_close(office);
    struct cg_items_file *file = cg_items_file_new(office->folder, NULL);
    assert_int_equal(cg_items_revisions(file, 0, 100, count_revision, &count, &problem), CG_OK);
    cg_items_file_free(file);
    office_open(office);
    return count;
}

static void history_is_kept_as_long_as_the_settings_say(void **state) {
    struct office *office = *state;
    office->config.history_days = 2;
    assert_int_equal(put(office, CG_ITEM_MAPPING, "one", one), CG_OK);
    office_now_ms += INT64_C(86400000);
    assert_int_equal(put(office, CG_ITEM_MAPPING, "two", one), CG_OK);
    assert_int_equal(revisions_kept(office), 2);
    office_now_ms += INT64_C(86400000);
    assert_int_equal(put(office, CG_ITEM_MAPPING, "three", one), CG_OK);
    assert_int_equal(revisions_kept(office), 2);
    office->config.history_days = 0;
    office_now_ms += 100 * INT64_C(86400000);
    assert_int_equal(put(office, CG_ITEM_MAPPING, "four", one), CG_OK);
    assert_int_equal(revisions_kept(office), 3);
}

static void what_is_not_valid_changes_nothing(void **state) {
    struct office *office = *state;
    struct deed deed = {.kind = CG_ITEM_MAPPING, .name = "one", .document = "{\"group\":\"bad\"}"};
    office->refuse_with = CG_E_FORMAT;
    begin(office, &deed);
    assert_int_equal(await(&deed), CG_E_INVALID);
    assert_int_equal(deed.change.mistakes.count, 1);
    assert_string_equal(deed.change.mistakes.first->pointer, "/mappings/one/group");
    cg_change_fini(&deed.change);
    office->refuse_with = CG_OK;
    assert_int_equal(cg_manage_count(office->manage, CG_ITEM_MAPPING), 0);
    assert_int_equal(put(office, CG_ITEM_MAPPING, "one", one), CG_OK);
    assert_int_equal(cg_manage_revision(office->manage), 1);
}

/* The store's file is moved away: what is in use may go into no other one. */
static void what_cannot_be_committed_changes_nothing(void **state) {
    struct office *office = *state;
    char from[128], to[128];
    assert_int_equal(put(office, CG_ITEM_MAPPING, "one", one), CG_OK);
    snprintf(from, sizeof from, "%s/" CG_ITEMS_FILE, office->folder);
    snprintf(to, sizeof to, "%s/away", office->folder);
    assert_int_equal(rename(from, to), 0);
    struct deed deed = {.kind = CG_ITEM_MAPPING, .name = "one", .document = "{\"group\":\"h\"}"};
    begin(office, &deed);
    assert_int_equal(await(&deed), CG_E_STORE);
    assert_true(strlen(deed.change.problem.detail) > 0);
    cg_change_fini(&deed.change);
    assert_string_equal(document_of(office, CG_ITEM_MAPPING, "one"), one);
    assert_int_equal(office->adopted, 1);
    assert_int_equal(office->dropped, 1);
    assert_int_equal(rename(to, from), 0);
    assert_int_equal(put(office, CG_ITEM_MAPPING, "one", "{\"group\":\"h\"}"), CG_OK);
}

static void what_is_in_the_way_is_said(void **state) {
    struct office *office = *state;
    struct deed deed = {.kind = CG_ITEM_MAPPING, .name = "one", .document = one};
    office->refuse_with = CG_E_CONFLICT;
    begin(office, &deed);
    assert_int_equal(await(&deed), CG_E_CONFLICT);
    assert_string_equal(deed.change.problem.detail, "is in the way");
    cg_change_fini(&deed.change);
}

/* As after a start at which the store could not be read. */
static void what_the_store_turns_out_to_have_is_filled_in(void **state) {
    struct office *office = *state;
    struct cg_item *items[2];
    for (size_t i = 0; i < 2; i++) {
        items[i] = cg_item_new(CG_ITEM_MAPPING, i == 0 ? "one" : "two", cg_slice_str("{}"), CG_SLICE_NONE);
        items[i]->revision = 7 - i;
    }
    assert_int_equal(cg_manage_fill(office->manage, items, 2), CG_OK);
    assert_string_equal(document_of(office, CG_ITEM_MAPPING, "two"), "{}");
    assert_int_equal(cg_manage_revision(office->manage), 7);
}

/* ---- Turns ---- */

static void as_many_wait_as_may_and_each_has_its_turn(void **state) {
    struct office *office = *state;
    static struct deed deeds[CG_CHANGES_WAITING_MAX + 10];
    char names[CG_CHANGES_WAITING_MAX + 10][8];
    size_t count = sizeof deeds / sizeof *deeds, refused = 0;
    memset(deeds, 0, sizeof deeds);
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "m%zu", i);
        deeds[i] = (struct deed){.kind = CG_ITEM_MAPPING, .name = names[i], .document = one};
        begin(office, &deeds[i]);
    }
    for (size_t i = 0; i < count; i++) {
        int err = await(&deeds[i]);
        refused += err == CG_E_OVERLOAD;
        assert_true(err == CG_OK || (err == CG_E_OVERLOAD && i >= CG_CHANGES_WAITING_MAX));
        if (err == CG_OK) assert_int_equal(deeds[i].change.revision, i + 1);
        cg_change_fini(&deeds[i].change);
    }
    assert_int_equal(refused, 10);
}

static void the_end_finishes_what_is_committed_and_forgets_what_waits(void **state) {
    struct office *office = *state;
    struct deed deeds[3];
    char names[3][4] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        deeds[i] = (struct deed){.kind = CG_ITEM_MAPPING, .name = names[i], .document = one};
        begin(office, &deeds[i]);
    }
    while (office->proposed == 0) uv_run(&office->uv, UV_RUN_ONCE);
    cg_manage_stop(office->manage);
    assert_true(deeds[1].is_done && deeds[2].is_done);
    assert_int_equal(deeds[1].change.err, CG_E_STOPPING);
    assert_int_equal(await(&deeds[0]), CG_E_STOPPING); /* it was not on the disk yet */
    struct deed late = {.kind = CG_ITEM_MAPPING, .name = "late", .document = one};
    begin(office, &late);
    assert_true(late.is_done);
    assert_int_equal(late.change.err, CG_E_STOPPING);
    for (size_t i = 0; i < 3; i++) cg_change_fini(&deeds[i].change);
    cg_change_fini(&late.change);
    assert_int_equal(cg_manage_count(office->manage, CG_ITEM_MAPPING), 0);
}

static unsigned turns_begun;

static void begin_turn(struct cg_manage_turn *turn) {
    (void)turn;
    turns_begun++;
}

static void whoever_has_the_turn_keeps_changes_waiting(void **state) {
    struct office *office = *state;
    struct cg_manage_turn turn = {.begin = begin_turn};
    struct deed deed = {.kind = CG_ITEM_MAPPING, .name = "one", .document = one};
    turns_begun = 0;
    cg_manage_take_turn(office->manage, &turn);
    assert_int_equal(turns_begun, 1);
    begin(office, &deed);
    for (int i = 0; i < 10; i++) uv_run(&office->uv, UV_RUN_NOWAIT);
    assert_false(deed.is_done);
    assert_int_equal(office->proposed, 0);
    cg_manage_end_turn(office->manage, &turn);
    assert_int_equal(await(&deed), CG_OK);
    cg_change_fini(&deed.change);
}

/* ---- Two editors ---- */

enum { EDITS = 1000 };

/* Reads, thinks, writes what it read with one more, if it is still as it was read. */
struct editor {
    struct deed deed;
    char document[32];
    unsigned made, lost;
};

static void edit(struct office *office, struct editor *editor) {
    const struct cg_item *item = cg_manage_find(office->manage, CG_ITEM_MAPPING, "count");
    int number = atoi((const char *)item->document.data + strlen("{\"n\":"));
    snprintf(editor->document, sizeof editor->document, "{\"n\":%d}", number + 1);
    editor->deed =
        (struct deed){.kind = CG_ITEM_MAPPING, .name = "count", .document = editor->document, .match = item->revision};
    begin(office, &editor->deed);
}

static void judge(struct editor *editor) {
    int err = editor->deed.change.err;
    assert_true(err == CG_OK || err == CG_E_STALE);
    editor->made += err == CG_OK;
    editor->lost += err == CG_E_STALE;
    cg_change_fini(&editor->deed.change);
}

static void two_editors_who_race_lose_no_edit(void **state) {
    struct office *office = *state;
    struct editor editors[2] = {0};
    char last[32];
    assert_int_equal(put(office, CG_ITEM_MAPPING, "count", "{\"n\":0}"), CG_OK);
    for (unsigned i = 0; i < EDITS; i++) {
        edit(office, &editors[i % 2]);
        edit(office, &editors[(i + 1) % 2]);
        await(&editors[0].deed);
        await(&editors[1].deed);
        judge(&editors[0]);
        judge(&editors[1]);
    }
    snprintf(last, sizeof last, "{\"n\":%u}", editors[0].made + editors[1].made);
    assert_string_equal(document_of(office, CG_ITEM_MAPPING, "count"), last);
    assert_int_equal(editors[0].made + editors[1].made, EDITS); /* each time one of the two */
    assert_int_equal(editors[0].lost + editors[1].lost, EDITS);
}

/* ---- What follows ---- */

/* What it leaves behind is the settings file's client's. */
static void a_client_that_the_settings_file_has_too_takes_nothing_with_it(void **state) {
    struct office *office = *state;
    struct cg_client of_file = {.name = "dash"};
    assert_int_equal(put(office, CG_ITEM_CLIENT, "dash", "{}"), CG_OK);
    assert_int_equal(put(office, CG_ITEM_TOKEN, "t", "{\"client\":\"dash\"}"), CG_OK);
    assert_int_equal(put(office, CG_ITEM_MAPPING, "one", "{\"clients\":[\"dash\"]}"), CG_OK);
    cg_arena_init(&office->config.arena, SIZE_MAX, NULL);
    office->config.clients = &of_file;
    office->config.client_count = 1;
    assert_true(cg_config_index_clients(&office->config));
    assert_int_equal(drop(office, CG_ITEM_CLIENT, "dash"), CG_OK);
    assert_string_equal(document_of(office, CG_ITEM_MAPPING, "one"), "{\"clients\":[\"dash\"]}");
    assert_non_null(cg_manage_find(office->manage, CG_ITEM_TOKEN, "t"));
    assert_null(cg_manage_find(office->manage, CG_ITEM_CLIENT, "dash"));
    cg_arena_fini(&office->config.arena);
}

static void a_client_takes_its_grants_and_tokens_with_it(void **state) {
    struct office *office = *state;
    put(office, CG_ITEM_CLIENT, "dash", "{}");
    put(office, CG_ITEM_CLIENT, "dashboard", "{}");
    put(office, CG_ITEM_TOKEN, "t1", "{\"client\":\"dash\",\"sha256\":\"00\"}");
    put(office, CG_ITEM_TOKEN, "t2", "{\"client\":\"dashboard\",\"sha256\":\"01\"}");
    put(office, CG_ITEM_MAPPING, "one",
        "{\"clients\":[{\"methods\":[\"GET\"],\"name\":\"dash\"},\"anonymous\",\"dash\",{\"name\":\"dashboard\"}]}");
    put(office, CG_ITEM_MAPPING, "two", "{\"clients\":[{\"name\":\"dashboard\"}],\"description\":\"dash\"}");
    uint64_t before = cg_manage_revision(office->manage);
    assert_int_equal(drop(office, CG_ITEM_CLIENT, "dash"), CG_OK);
    assert_int_equal(cg_manage_revision(office->manage), before + 1);
    assert_string_equal(document_of(office, CG_ITEM_MAPPING, "one"),
                        "{\"clients\":[\"anonymous\",{\"name\":\"dashboard\"}]}");
    assert_int_equal(cg_manage_find(office->manage, CG_ITEM_MAPPING, "one")->revision, before + 1);
    assert_int_equal(cg_manage_find(office->manage, CG_ITEM_MAPPING, "two")->revision, before);
    assert_null(cg_manage_find(office->manage, CG_ITEM_TOKEN, "t1"));
    assert_non_null(cg_manage_find(office->manage, CG_ITEM_TOKEN, "t2"));
}

static void what_others_need_does_not_go(void **state) {
    struct office *office = *state;
    put(office, CG_ITEM_SECURITY_GROUP, "sg", "{\"keys\":\"k1\"}");
    put(office, CG_ITEM_KEYS, "k1", "{}");
    put(office, CG_ITEM_MAPPING, "one", "{\"security\":\"sg\"}");
    put(office, CG_ITEM_REACTION, "fire", "{\"do\":[{\"mapping\":\"one\"}],\"when\":{\"group\":\"sg\"}}");
    struct deed deed = {.kind = CG_ITEM_SECURITY_GROUP, .name = "sg"};
    begin(office, &deed);
    assert_int_equal(await(&deed), CG_E_CONFLICT);
    assert_string_equal(deed.change.problem.detail, "security-groups/sg is needed by mappings/one, reactions/fire");
    cg_change_fini(&deed.change);
    assert_int_equal(drop(office, CG_ITEM_KEYS, "k1"), CG_E_CONFLICT);
    assert_int_equal(drop(office, CG_ITEM_MAPPING, "one"), CG_E_CONFLICT);
    assert_int_equal(drop(office, CG_ITEM_REACTION, "fire"), CG_OK);
    assert_int_equal(drop(office, CG_ITEM_MAPPING, "one"), CG_OK);
    assert_int_equal(drop(office, CG_ITEM_SECURITY_GROUP, "sg"), CG_OK);
}

/* In one change: what goes is needed by nothing that stays. */
static int plan_all(struct cg_change *change, const struct cg_manage *manage) {
    (void)manage;
    int err = cg_change_remove(change, CG_ITEM_SECURITY_GROUP, "sg");
    return err < 0 ? err : cg_change_remove(change, CG_ITEM_MAPPING, "one");
}

static void what_goes_together_needs_nobody(void **state) {
    struct office *office = *state;
    put(office, CG_ITEM_SECURITY_GROUP, "sg", "{\"keys\":\"k1\"}");
    put(office, CG_ITEM_MAPPING, "one", "{\"security\":\"sg\"}");
    struct deed deed = {.change.plan = plan_all, .name = ""};
    begin(office, &deed);
    assert_int_equal(await(&deed), CG_OK);
    assert_int_equal(deed.change.revision, 3);
    cg_change_fini(&deed.change);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        office_test(what_is_committed_is_there_and_stays),
        office_test(what_says_the_same_is_no_revision),
        office_test(a_dry_run_says_what_would_differ_and_changes_nothing),
        office_test(history_is_kept_as_long_as_the_settings_say),
        office_test(what_is_not_valid_changes_nothing),
        office_test(what_cannot_be_committed_changes_nothing),
        office_test(what_is_in_the_way_is_said),
        office_test(what_the_store_turns_out_to_have_is_filled_in),
        office_test(as_many_wait_as_may_and_each_has_its_turn),
        office_test(the_end_finishes_what_is_committed_and_forgets_what_waits),
        office_test(whoever_has_the_turn_keeps_changes_waiting),
        office_test(two_editors_who_race_lose_no_edit),
        office_test(a_client_takes_its_grants_and_tokens_with_it),
        office_test(a_client_that_the_settings_file_has_too_takes_nothing_with_it),
        office_test(what_others_need_does_not_go),
        office_test(what_goes_together_needs_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
