/* JSON that does not fit memory is no mistake in the text, nor a text with less in it. */
#include "settings/json_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_shortage.h"

/* The second string grows beyond what jansson keeps of one at first. */
static const char text[] = "[1, \"two\", [\"a string that is longer\", null], 2.5]";

struct scene {
    json_t *json;
    bool is_short;
};

static void begin(void *ctx) { *(struct scene *)ctx = (struct scene){0}; }

static void act(void *ctx) {
    struct scene *scene = ctx;
    json_error_t error;
    scene->json = cg_json_read(cg_slice_str(text), &error, &scene->is_short);
}

static void look(void *ctx) {
    struct scene *scene = ctx;
    assert_int_equal(scene->is_short, shortage_came());
    assert_int_equal(scene->json == NULL, scene->is_short);
    const json_t *list = json_array_get(scene->json, 2);
    if (list != NULL) assert_string_equal(json_string_value(json_array_get(list, 0)), "a string that is longer");
    json_decref(scene->json);
}

static void what_was_short_says_so(void **state) {
    (void)state;
    struct scene scene;
    const struct shortage_scenario scenario = {.before = begin, .act = act, .after = look};
    assert_true(shortage_every(&scenario, &scene, 0) > 8);
}

static void what_is_wrong_is_not_short(void **state) {
    (void)state;
    json_error_t error;
    bool is_short = true;
    assert_null(cg_json_read(cg_slice_str("[1"), &error, &is_short));
    assert_false(is_short);
    assert_null(cg_json_read(CG_SLICE_NONE, &error, &is_short));
    assert_false(is_short);
    assert_null(cg_json_read(cg_slice_str("{\"a\":1,\"a\":2}"), &error, &is_short));
    assert_int_equal(json_error_code(&error), json_error_duplicate_key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_short_says_so),
        cmocka_unit_test(what_is_wrong_is_not_short),
    };
    shortage_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
