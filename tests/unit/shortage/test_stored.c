/* Stored items that are read without memory: an error of its own, and never an item that is out of use for it. */
#include "settings/stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_shortage.h"

#define PLAIN "\"group\":\"coap://224.0.1.187/x\",\"security\":\"none\""

static const char document[] = "{\"clients\":{\"a\":{\"token_sha256\":"
                               "\"0000000000000000000000000000000000000000000000000000000000000001\"}},"
                               "\"mappings\":[{\"name\":\"one\"," PLAIN "}]}";

static const struct {
    enum cg_item_kind kind;
    const char *name, *document;
} stored[] = {
    {CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME, "{\"group\":{\"hops\":3},\"http\":{\"hosts\":[\"gw.example\"]}}"},
    {CG_ITEM_CLIENT, "b", "{}"},
    {CG_ITEM_TOKEN, "t",
     "{\"client\":\"b\",\"sha256\":\"0000000000000000000000000000000000000000000000000000000000000002\","
     "\"made\":\"2026-11-29T12:00:00Z\"}"},
    {CG_ITEM_MAPPING, "two", "{" PLAIN ",\"clients\":[\"a\",\"b\"],\"members\":[\"127.1.0.1\"]}"},
    {CG_ITEM_MAPPING, "one", "{" PLAIN "}"},
    {CG_ITEM_MAPPING, "off", "{" PLAIN ",\"enabled\":false}"},
};
enum { COUNT = sizeof stored / sizeof *stored };

struct scene {
    struct cg_item *items[COUNT];
    struct cg_edit edit;
    struct cg_config *config;
    struct cg_mistakes mistakes;
    int err;
};

static void begin(void *ctx) {
    struct scene *scene = ctx;
    cg_mistakes_init(&scene->mistakes);
}

static void parse(void *ctx) {
    struct scene *scene = ctx;
    const struct cg_stored what = {
        .items = scene->items, .count = COUNT, .edits = &scene->edit, .edit_count = 1, .in_use = NULL};
    scene->err = cg_settings_parse_stored(cg_slice_str(document), "/etc", &what, &scene->config, &scene->mistakes);
}

static void assert_state(const struct scene *scene, const char *name, enum cg_item_state state) {
    const char *reason;
    assert_int_equal(cg_stored_state(scene->config, CG_ITEM_MAPPING, name, &reason), state);
    assert_int_equal(reason == NULL, state == CG_ITEM_IN_USE);
}

static void assert_is_whole(const struct scene *scene) {
    const char *reason;
    assert_int_equal(scene->config->mapping_count, 3);
    assert_int_equal(scene->config->client_count, 2);
    assert_int_equal(scene->config->group.hops, 3);
    assert_state(scene, "one", CG_ITEM_SHADOWED);
    assert_state(scene, "two", CG_ITEM_IN_USE);
    assert_state(scene, "three", CG_ITEM_IN_USE);
    assert_state(scene, "off", CG_ITEM_DISABLED);
    assert_int_equal(cg_stored_state(scene->config, CG_ITEM_TOKEN, "t", &reason), CG_ITEM_IN_USE);
    assert_int_equal(cg_stored_state(scene->config, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME, &reason), CG_ITEM_IN_USE);
}

static void look(void *ctx) {
    struct scene *scene = ctx;
    if (scene->mistakes.first != NULL)
        fail_msg("%s: %s", scene->mistakes.first->pointer, scene->mistakes.first->message);
    assert_true(scene->err == CG_OK || (scene->err == CG_E_NO_MEMORY && shortage_came()));
    assert_int_equal(scene->config == NULL, scene->err < 0);
    if (scene->config != NULL) assert_is_whole(scene);
    cg_config_unref(scene->config);
    cg_mistakes_fini(&scene->mistakes);
}

static void a_shortage_puts_no_item_out_of_use(void **state) {
    (void)state;
    struct scene scene = {0};
    const struct shortage_scenario scenario = {.before = begin, .act = parse, .after = look};
    for (size_t i = 0; i < COUNT; i++) {
        scene.items[i] = cg_item_new(stored[i].kind, stored[i].name, cg_slice_str(stored[i].document), CG_SLICE_NONE);
        assert_non_null(scene.items[i]);
    }
    struct cg_item *wanted = cg_item_new(CG_ITEM_MAPPING, "three", cg_slice_str("{" PLAIN "}"), CG_SLICE_NONE);
    scene.edit = (struct cg_edit){.kind = CG_ITEM_MAPPING, .name = "three", .item = wanted};
    assert_true(shortage_every(&scenario, &scene, 0) > 20);
    assert_true(shortage_every(&scenario, &scene, 4) > 20);
    cg_item_unref(wanted);
    for (size_t i = 0; i < COUNT; i++) cg_item_unref(scene.items[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shortage_puts_no_item_out_of_use),
    };
    return cmocka_run_group_tests_name("shortage/stored", tests, NULL, NULL);
}
