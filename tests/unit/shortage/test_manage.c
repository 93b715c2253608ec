/* Changes without memory: an error like any other, with nothing changed, and the next one is made. */
#include "manage/fake_office.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_shortage.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_without_memory_changes_nothing),
        cmocka_unit_test(a_deletion_without_memory_takes_nothing_with_it),
        cmocka_unit_test(a_dry_run_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
