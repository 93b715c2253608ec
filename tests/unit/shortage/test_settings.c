/* Settings that are read without memory: an error of its own, no mistake in the file, and nothing is lost. */
#include "settings/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_shortage.h"

static const char document[] =
    "{\"http\":{\"listen\":[\"127.0.0.1:8080\"]},"
    "\"clients\":{\"a\":{\"token_sha256\":\"0000000000000000000000000000000000000000000000000000000000000001\"},"
    "\"b\":{\"token_sha256\":\"0000000000000000000000000000000000000000000000000000000000000002\"}},"
    "\"mappings\":[{\"name\":\"one\",\"path\":\"/one\",\"group\":\"coap://224.0.1.187/x?y=z\",\"security\":\"none\","
    "\"members\":[\"127.1.0.1:5683\",\"127.1.0.2:5683\"],\"clients\":[\"a\",{\"name\":\"b\",\"methods\":[\"GET\"]}]},"
    "{\"name\":\"two\",\"path\":\"/two\",\"host\":\"two.example\",\"group\":\"coap://lights.example/\","
    "\"security\":\"none\",\"clients\":[\"anonymous\"],\"forward\":true}]}";

struct scene {
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
    scene->err = cg_settings_parse(cg_slice_str(document), "/etc", &scene->config, &scene->mistakes);
}

/* It prints as what was read with memory enough. */
static void assert_is_whole(const struct cg_config *config) {
    struct cg_mistakes mistakes;
    struct cg_config *whole;
    struct cg_buf expected, text;
    cg_mistakes_init(&mistakes);
    cg_buf_init(&expected, 0);
    cg_buf_init(&text, 0);
    assert_int_equal(cg_settings_parse(cg_slice_str(document), "/etc", &whole, &mistakes), CG_OK);
    cg_settings_print(&expected, whole);
    cg_settings_print(&text, config);
    assert_int_equal(text.len, expected.len);
    assert_memory_equal(text.data, expected.data, text.len);
    cg_buf_fini(&expected);
    cg_buf_fini(&text);
    cg_config_unref(whole);
    cg_mistakes_fini(&mistakes);
}

static void look(void *ctx) {
    struct scene *scene = ctx;
    if (scene->mistakes.first != NULL)
        fail_msg("%s: %s", scene->mistakes.first->pointer, scene->mistakes.first->message);
    assert_int_equal(scene->mistakes.count, 0);
    assert_true(scene->err == CG_OK || (scene->err == CG_E_NO_MEMORY && shortage_came()));
    assert_int_equal(scene->config == NULL, scene->err < 0);
    if (scene->config != NULL) assert_is_whole(scene->config);
    cg_config_unref(scene->config);
    cg_mistakes_fini(&scene->mistakes);
}

static void a_shortage_is_no_mistake_of_the_file(void **state) {
    (void)state;
    struct scene scene = {0};
    const struct shortage_scenario scenario = {.before = begin, .act = parse, .after = look};
    assert_true(shortage_every(&scenario, &scene, 0) > 20);
    assert_true(shortage_every(&scenario, &scene, 4) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shortage_is_no_mistake_of_the_file),
    };
    return cmocka_run_group_tests_name("shortage/settings", tests, NULL, NULL);
}
