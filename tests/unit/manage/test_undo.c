/* Revisions taken back: alone, with what rests on them, in any order, and the undo itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/container.h"
#include "fake_office.h"
#include "manage/document.h"
#include "manage/undo.h"

struct taking_back {
    struct deed deed;
    struct cg_undo undo;
};

static int plan_undo(struct cg_change *change, const struct cg_manage *manage) {
    struct deed *deed = CG_CONTAINER(change, struct deed, change);
    return cg_undo_plan(&CG_CONTAINER(deed, struct taking_back, deed)->undo, change, manage);
}

/* Returns the error; *depends, where it is asked for, is the caller's. */
static int undo_as(struct office *office, uint64_t number, enum cg_undo_extent extent, json_t **depends) {
    struct taking_back back = {.deed = {.name = "", .document = ""}, .undo = {.number = number, .extent = extent}};
    back.deed.change.plan = plan_undo;
    back.deed.change.place = CG_PLAN_ON_DISK;
    back.deed.change.undoes = number;
    begin(office, &back.deed);
    int err = await(&back.deed);
    cg_change_fini(&back.deed.change);
    if (depends != NULL) {
        *depends = back.undo.depends;
    } else {
        json_decref(back.undo.depends);
    }
    return err;
}

static int undo(struct office *office, uint64_t number) { return undo_as(office, number, CG_UNDO_ALONE, NULL); }

static char *export(const struct office *office) {
    struct cg_buf to;
    size_t len;
    cg_buf_init(&to, 0);
    cg_document_put(&to, office->manage);
    cg_buf_put_u8(&to, 0);
    assert_int_equal(cg_buf_error(&to), CG_OK);
    return (char *)cg_buf_detach(&to, &len);
}

static void what_was_is_again(void **state) {
    struct office *office = *state;
    put(office, CG_ITEM_MAPPING, "one", "{\"timeout\":1}");
    put(office, CG_ITEM_MAPPING, "one", "{\"timeout\":0.9}");
    drop(office, CG_ITEM_MAPPING, "one");
    assert_int_equal(undo(office, 3), CG_OK);
    assert_string_equal(document_of(office, CG_ITEM_MAPPING, "one"), "{\"timeout\":0.9}");
    assert_int_equal(undo(office, 4), CG_OK); /* the undo */
    assert_string_equal(document_of(office, CG_ITEM_MAPPING, "one"), "");
    assert_int_equal(undo(office, 5), CG_OK);
    assert_int_equal(undo(office, 2), CG_OK);
    assert_string_equal(document_of(office, CG_ITEM_MAPPING, "one"), "{\"timeout\":1}");
    assert_int_equal(undo(office, 1), CG_OK);
    assert_null(cg_manage_find(office->manage, CG_ITEM_MAPPING, "one"));
    assert_int_equal(undo(office, 99), CG_E_NOT_FOUND);
}

static void a_client_comes_back_with_its_grants_and_without_its_tokens(void **state) {
    struct office *office = *state;
    put(office, CG_ITEM_CLIENT, "dash", "{\"role\":\"viewer\"}");
    put(office, CG_ITEM_TOKEN, "t1", "{\"client\":\"dash\",\"sha256\":\"00\"}");
    put(office, CG_ITEM_MAPPING, "one", "{\"clients\":[\"dash\"]}");
    assert_int_equal(drop(office, CG_ITEM_CLIENT, "dash"), CG_OK);
    assert_int_equal(undo(office, 4), CG_OK);
    assert_string_equal(document_of(office, CG_ITEM_CLIENT, "dash"), "{\"role\":\"viewer\"}");
    assert_string_equal(document_of(office, CG_ITEM_MAPPING, "one"), "{\"clients\":[\"dash\"]}");
    assert_null(cg_manage_find(office->manage, CG_ITEM_TOKEN, "t1"));
}

static void what_rests_on_it_is_shown_and_undone_with_it_when_asked(void **state) {
    struct office *office = *state;
    json_t *depends;
    put(office, CG_ITEM_CLIENT, "dash", "{}");                       /* 1 */
    put(office, CG_ITEM_MAPPING, "other", "{\"timeout\":1}");        /* 2 */
    put(office, CG_ITEM_MAPPING, "one", "{\"clients\":[\"dash\"]}"); /* 3 refers to 1 */
    put(office, CG_ITEM_MAPPING, "one", "{\"clients\":[\"dash\"],\"timeout\":2}");
    char *before = export(office);
    assert_int_equal(undo_as(office, 1, CG_UNDO_ALONE, &depends), CG_E_CONFLICT);
    char *text = json_dumps(depends, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(
        text, "[{\"items\":[\"mappings/one\"],\"operation\":\"test.put\",\"revision\":3,\"target\":\"test\"},"
              "{\"items\":[\"mappings/one\"],\"operation\":\"test.put\",\"revision\":4,\"target\":\"test\"}]");
    free(text);
    json_decref(depends);
    char *same = export(office);
    assert_string_equal(before, same);
    assert_int_equal(undo_as(office, 1, CG_UNDO_WITH_LATER, NULL), CG_OK);
    assert_null(cg_manage_find(office->manage, CG_ITEM_CLIENT, "dash"));
    assert_null(cg_manage_find(office->manage, CG_ITEM_MAPPING, "one"));
    assert_non_null(cg_manage_find(office->manage, CG_ITEM_MAPPING, "other"));
    assert_int_equal(cg_manage_revision(office->manage), 5);
    assert_int_equal(undo(office, 5), CG_OK);
    char *after = export(office);
    assert_string_equal(before, after);
    free(before);
    free(same);
    free(after);
}

static void what_says_so_is_never_undone(void **state) {
    struct office *office = *state;
    struct deed deed = {.kind = CG_ITEM_MAPPING, .name = "one", .document = "{}"};
    deed.change.undo = CG_UNDO_NEVER;
    deed.change.detail = "put it back by hand";
    begin(office, &deed);
    assert_int_equal(await(&deed), CG_OK);
    cg_change_fini(&deed.change);
    struct taking_back back = {.deed = {.name = "", .document = ""}, .undo = {.number = 1}};
    back.deed.change.plan = plan_undo;
    back.deed.change.place = CG_PLAN_ON_DISK;
    begin(office, &back.deed);
    assert_int_equal(await(&back.deed), CG_E_CONFLICT);
    assert_string_equal(back.deed.change.problem.detail,
                        "revision 1 (test.put test) cannot be undone: put it back by hand");
    cg_change_fini(&back.deed.change);
}

enum { MANY = 300 };

static void at_random(struct office *office, unsigned i) {
    char name[8], document[64];
    snprintf(name, sizeof name, "m%d", rand() % 20);
    snprintf(document, sizeof document, "{\"clients\":[\"c%d\"],\"timeout\":%u}", rand() % 4, i);
    switch (rand() % 5) {
    case 0: drop(office, CG_ITEM_MAPPING, name); break;
    case 1: drop(office, CG_ITEM_CLIENT, name); break;
    case 2:
        name[0] = 'c';
        put(office, CG_ITEM_CLIENT, name, document);
        break;
    default: put(office, CG_ITEM_MAPPING, name, document);
    }
}

static void the_last_many_undone_in_reverse_leave_the_same_bytes(void **state) {
    struct office *office = *state;
    srand(7);
    for (unsigned i = 0; i < 30; i++) at_random(office, i);
    uint64_t first = cg_manage_revision(office->manage);
    char *before = export(office);
    for (unsigned i = 0; i < MANY; i++) at_random(office, i);
    uint64_t last = cg_manage_revision(office->manage);
    assert_true(last > first + MANY / 2);
    for (uint64_t number = last; number > first; number--) assert_int_equal(undo(office, number), CG_OK);
    char *after = export(office);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        office_test(what_was_is_again),
        office_test(a_client_comes_back_with_its_grants_and_without_its_tokens),
        office_test(what_rests_on_it_is_shown_and_undone_with_it_when_asked),
        office_test(what_says_so_is_never_undone),
        office_test(the_last_many_undone_in_reverse_leave_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
