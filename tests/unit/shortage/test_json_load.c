/* JSON that is read and copied with every single allocation failing once, jansson's own: it is whole, or it is nothing
 * and the text is not blamed. */
#include "settings/json_load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_shortage.h"

/* A string that grows out of what jansson begins with, and objects that do. */
static const char text[] =
    "{\"group\":\"coap://group-of-lamps-in-the-third-floor.building-seven.example:5683/light\","
    "\"a\":1,\"b\":2.5,\"c\":[true,null,\"x\"],\"d\":{\"e\":{}},\"f\":1,\"g\":2,\"h\":3,\"i\":4}";

struct scene {
    json_t *given, *whole;
    json_error_t error;
};

static void begin(void *ctx) {
    struct scene *scene = ctx;
    scene->whole = json_loads(text, 0, NULL);
    scene->given = NULL;
    assert_non_null(scene->whole);
}

static void look(void *ctx) {
    struct scene *scene = ctx;
    if (scene->given != NULL) {
        assert_true(json_equal(scene->given, scene->whole));
    } else {
        assert_true(shortage_came());
    }
    json_decref(scene->given);
    json_decref(scene->whole);
}

static void load(void *ctx) {
    struct scene *scene = ctx;
    scene->given = cg_json_load(cg_slice_str(text), JSON_REJECT_DUPLICATES, &scene->error);
    if (scene->given == NULL) assert_int_equal(json_error_code(&scene->error), json_error_out_of_memory);
}

static void load_without_words(void *ctx) { ((struct scene *)ctx)->given = cg_json_load(cg_slice_str(text), 0, NULL); }
static void copy(void *ctx) { ((struct scene *)ctx)->given = cg_json_copy(((struct scene *)ctx)->whole); }
static void copy_deep(void *ctx) { ((struct scene *)ctx)->given = cg_json_deep_copy(((struct scene *)ctx)->whole); }

static void try_each(void (*act)(void *ctx), unsigned at_least) {
    struct scene scene;
    const struct shortage_scenario scenario = {.before = begin, .act = act, .after = look};
    assert_true(shortage_every(&scenario, &scene, 0) > at_least);
    assert_true(shortage_every(&scenario, &scene, 3) > at_least);
}

static void what_is_read_is_whole(void **state) {
    (void)state;
    try_each(load, 20);
    try_each(load_without_words, 20);
}

static void what_is_copied_is_whole(void **state) {
    (void)state;
    try_each(copy, 8);
    try_each(copy_deep, 15);
}

/* That memory ran out once is not held against the next text. */
static void a_text_that_is_wrong_is_blamed(void **state) {
    (void)state;
    json_error_t error;
    shortage_order(1, 0);
    assert_null(cg_json_load(cg_slice_str(text), 0, &error));
    assert_int_equal(json_error_code(&error), json_error_out_of_memory);
    shortage_order(0, 0);
    assert_null(cg_json_load(cg_slice_str("{\"a\":}"), 0, &error));
    assert_int_equal(json_error_code(&error), json_error_invalid_syntax);
    assert_null(cg_json_load(CG_SLICE_NONE, 0, &error));
    assert_int_equal(json_error_code(&error), json_error_premature_end_of_input);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_whole),
        cmocka_unit_test(what_is_copied_is_whole),
        cmocka_unit_test(a_text_that_is_wrong_is_blamed),
    };
    shortage_init();
    return cmocka_run_group_tests_name("shortage/json_load", tests, NULL, NULL);
}
