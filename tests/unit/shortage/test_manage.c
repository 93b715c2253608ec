/* Changes without memory: an error like any other, with nothing changed, and the next one is made. */
#include "manage/fake_office.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/container.h"
#include "fake_shortage.h"
#include "manage/document.h"

static const char before_it[] = "{\"clients\":[\"dash\"],\"timeout\":1}";

struct scene {
    struct office *office;
    enum cg_item_kind kind;
    const char *name, *document; /* as in a deed */
    enum cg_change_mode mode;
    struct deed deed;
};

static void begin_scene(void *ctx) {
    struct scene *scene = ctx;
    void *state;
    assert_int_equal(office_setup(&state), 0);
    scene->office = state;
    assert_int_equal(put(scene->office, CG_ITEM_CLIENT, "dash", "{}"), CG_OK);
    assert_int_equal(put(scene->office, CG_ITEM_TOKEN, "t", "{\"client\":\"dash\"}"), CG_OK);
    assert_int_equal(put(scene->office, CG_ITEM_MAPPING, "one", before_it), CG_OK);
}

static void act(void *ctx) {
    struct scene *scene = ctx;
    scene->deed = (struct deed){.kind = scene->kind, .name = scene->name, .document = scene->document};
    scene->deed.change.mode = scene->mode;
    begin(scene->office, &scene->deed);
    await(&scene->deed);
}

static void look(void *ctx) {
    struct scene *scene = ctx;
    struct office *office = scene->office;
    int err = scene->deed.change.err;
    bool is_made = err == CG_OK && scene->mode == CG_CHANGE_FOR_GOOD;
    assert_true(err == CG_OK || (err == CG_E_NO_MEMORY && shortage_came()));
    assert_int_equal(scene->deed.change.problem.err, err);
    assert_int_equal(cg_manage_revision(office->manage), is_made ? 4 : 3);
    if (!is_made) assert_string_equal(document_of(office, CG_ITEM_MAPPING, "one"), before_it);
    assert_int_equal(cg_manage_count(office->manage, CG_ITEM_TOKEN), is_made && scene->document == NULL ? 0 : 1);
    cg_change_fini(&scene->deed.change);
    assert_int_equal(put(office, CG_ITEM_MAPPING, "two", "{}"), CG_OK);
    void *state = office;
    assert_int_equal(office_teardown(&state), 0);
}

static void expect(struct scene scene) {
    const struct shortage_scenario scenario = {.before = begin_scene, .act = act, .after = look};
    assert_true(shortage_every(&scenario, &scene, 0) > 5);
}

static void a_change_without_memory_changes_nothing(void **state) {
    (void)state;
    expect((struct scene){.kind = CG_ITEM_MAPPING, .name = "one", .document = "{\"timeout\":2}"});
}

static void a_deletion_without_memory_takes_nothing_with_it(void **state) {
    (void)state;
    expect((struct scene){.kind = CG_ITEM_CLIENT, .name = "dash"});
}

static void a_dry_run_without_memory_says_so(void **state) {
    (void)state;
    expect(
        (struct scene){.kind = CG_ITEM_MAPPING, .name = "one", .document = "{\"timeout\":2}", .mode = CG_CHANGE_DRY});
}

/* ---- Imports ---- */

struct import {
    struct office *office;
    struct deed deed;
    json_t *document;
};

static const char imported[] = "{\"version\":1,\"mappings\":[{\"name\":\"two\",\"clients\":[\"dash\"],\"timeout\":2}]}";

static int plan_import(struct cg_change *change, const struct cg_manage *manage) {
    struct deed *deed = CG_CONTAINER(change, struct deed, change);
    return cg_document_plan(CG_CONTAINER(deed, struct import, deed)->document, change, manage);
}

static void begin_import(void *ctx) {
    struct import *import = ctx;
    void *state;
    assert_int_equal(office_setup(&state), 0);
    *import = (struct import){.office = state, .deed = {.name = "", .document = ""}};
    import->document = json_loads(imported, 0, NULL);
    import->deed.change.plan = plan_import;
    import->deed.change.place = CG_PLAN_ON_DISK;
    assert_non_null(import->document);
}

static void act_import(void *ctx) {
    struct import *import = ctx;
    begin(import->office, &import->deed);
    await(&import->deed);
}

static void look_at_import(void *ctx) {
    struct import *import = ctx;
    int err = import->deed.change.err;
    const char *stored = err == CG_OK ? "{\"clients\":[\"dash\"],\"timeout\":2}" : "";
    assert_true(err == CG_OK || (err == CG_E_NO_MEMORY && shortage_came()));
    assert_string_equal(document_of(import->office, CG_ITEM_MAPPING, "two"), stored);
    cg_change_fini(&import->deed.change);
    json_decref(import->document);
    void *state = import->office;
    assert_int_equal(office_teardown(&state), 0);
}

static void an_import_without_memory_loses_nothing_of_an_item(void **state) {
    const struct shortage_scenario scenario = {.before = begin_import, .act = act_import, .after = look_at_import};
    struct import import;
    (void)state;
    assert_true(shortage_every(&scenario, &import, 0) > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_import_without_memory_loses_nothing_of_an_item),
        cmocka_unit_test(a_change_without_memory_changes_nothing),
        cmocka_unit_test(a_deletion_without_memory_takes_nothing_with_it),
        cmocka_unit_test(a_dry_run_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
