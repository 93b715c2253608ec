/* The list of built-in encoders: whoever is in it is called so, and is told apart by what it makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "builtin.h"

#define ROW(name) {#name, &cg_plugin_##name},
static const struct {
    const char *name;
    const struct castgate_plugin *plugin;
} encoders[] = {CG_BUILTIN_ENCODERS(ROW)};
#undef ROW

enum { COUNT = sizeof encoders / sizeof *encoders };

static void the_default_comes_first(void **state) {
    (void)state;
    assert_string_equal(encoders[0].name, "mixed");
}

static void each_is_what_a_loaded_one_must_be(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        const struct castgate_plugin *plugin = encoders[i].plugin;
        assert_string_equal(plugin->name, encoders[i].name);
        assert_int_equal(plugin->major, CASTGATE_PLUGIN_MAJOR);
        assert_int_equal(plugin->kind, CASTGATE_ENCODER);
        assert_non_null(strchr(plugin->ops.encoder->media_type, '/'));
    }
}

static void no_two_make_the_same(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(encoders[i].plugin->ops.encoder->media_type,
                                    encoders[j].plugin->ops.encoder->media_type);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_comes_first),
        cmocka_unit_test(each_is_what_a_loaded_one_must_be),
        cmocka_unit_test(no_two_make_the_same),
    };
    return cmocka_run_group_tests_name("plugins/builtin", tests, NULL, NULL);
}
