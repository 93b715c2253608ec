/* A new setting of a common kind: what its row says is all that there is to write, and everything that is done with a
 * key follows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "settings/rows.h"

struct lamp {
    uint32_t brightness;
    bool on;
    const char *interface;
};

static const struct cg_row list[] = {
    {"brightness", &cg_kind_integer, CG_ROW_PLACE(struct lamp, brightness), .min = 1, .max = 100, .fallback = "50",
     .unit = "percent"},
    {"on", &cg_kind_bool, CG_ROW_PLACE(struct lamp, on), .fallback = "true"},
    {"interface", &cg_kind_interface, CG_ROW_PLACE(struct lamp, interface), .fallback = "null"},
};
static const struct cg_rows rows = {"/lamp", CG_ROWS(list)};

struct scene {
    struct cg_mistakes mistakes;
    struct cg_reader reader;
    struct lamp lamp;
};

static int set_up(void **state) {
    struct scene *scene = test_calloc(1, sizeof *scene);
    cg_mistakes_init(&scene->mistakes);
    scene->reader = (struct cg_reader){.config = cg_config_new(), .mistakes = &scene->mistakes, .folder = "/"};
    assert_non_null(scene->reader.config);
    cg_arena_init(&scene->reader.scratch, 1 << 20, NULL);
    cg_read_defaults(&scene->reader, &rows, &scene->lamp);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    cg_arena_fini(&scene->reader.scratch);
    cg_config_unref(scene->reader.config);
    cg_mistakes_fini(&scene->mistakes);
    test_free(scene);
    return 0;
}

static void read_text(struct scene *scene, const char *text) {
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const struct cg_at document = {0}, at = {.up = &document, .key = "lamp"};
    assert_non_null(json);
    assert_true(cg_read_object(&scene->reader, &at, &rows, json, &scene->lamp));
    json_decref(json);
}

static void it_has_its_default(void **state) {
    const struct scene *scene = *state;
    assert_int_equal(scene->lamp.brightness, 50);
    assert_true(scene->lamp.on);
    assert_null(scene->lamp.interface);
}

static void it_is_read(void **state) {
    struct scene *scene = *state;
    read_text(scene, "{\"brightness\": 7, \"interface\": \"eth0\"}");
    assert_int_equal(scene->mistakes.count, 0);
    assert_int_equal(scene->lamp.brightness, 7);
    assert_true(scene->lamp.on);
    assert_string_equal(scene->lamp.interface, "eth0");
}

static void what_is_wrong_is_said_with_its_place(void **state) {
    struct scene *scene = *state;
    read_text(scene, "{\"brightness\": 101, \"on\": 1, \"colour\": \"red\"}");
    static const char *const places[] = {"/lamp/colour", "/lamp/brightness", "/lamp/on"};
    assert_int_equal(scene->mistakes.count, 3);
    const struct cg_mistake *mistake = scene->mistakes.first;
    for (size_t i = 0; i < 3; i++, mistake = mistake->next) assert_string_equal(mistake->pointer, places[i]);
    assert_int_equal(scene->lamp.brightness, 50);
}

static void it_is_printed(void **state) {
    struct scene *scene = *state;
    struct cg_buf text;
    cg_buf_init(&text, 0);
    struct cg_out out = {.buf = &text, .fresh = true};
    cg_out_open(&out, NULL, '{');
    cg_print_rows(&out, &rows, &scene->lamp);
    cg_out_close(&out, '}');
    assert_false(text.failed);
    json_t *json = json_loadb((const char *)text.data, text.len, 0, NULL);
    cg_buf_fini(&text);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "brightness")), 50);
    assert_true(json_is_true(json_object_get(json, "on")));
    assert_true(json_is_null(json_object_get(json, "interface")));
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_has_its_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said_with_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_printed, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("settings/key", tests, NULL, NULL);
}
