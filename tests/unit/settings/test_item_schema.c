/* The schemas of stored items: those of the settings file without what is the file's alone. */
#include "settings/stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static json_t *schema_of(enum cg_item_kind kind) {
    struct cg_buf text;
    json_error_t error;
    cg_buf_init(&text, 0);
    assert_true(cg_settings_item_schema(&text, kind));
    assert_false(text.failed);
    json_t *schema = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(schema);
    cg_buf_fini(&text);
    return schema;
}

static const json_t *property(const json_t *schema, const char *key) {
    return json_object_get(json_object_get(schema, "properties"), key);
}

static bool requires(const json_t *schema, const char *key) {
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(schema, "required"), i, value) {
        if (strcmp(json_string_value(value), key) == 0) return true;
    }
    return false;
}

static void a_mapping_says_all_but_what_names_files(void **state) {
    (void)state;
    json_t *schema = schema_of(CG_ITEM_MAPPING);
    assert_non_null(property(schema, "timeout"));
    assert_non_null(property(schema, "enabled"));
    assert_non_null(property(schema, "name"));
    assert_null(property(schema, "check_signature"));
    assert_true(requires(schema, "security"));
    assert_false(requires(schema, "name"));
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    assert_int_equal(json_array_size(json_object_get(schema, "oneOf")), 2);
    json_decref(schema);
}

static void a_client_may_say_nothing(void **state) {
    (void)state;
    json_t *schema = schema_of(CG_ITEM_CLIENT);
    assert_non_null(property(schema, "token_sha256"));
    assert_null(property(schema, "psk"));
    assert_null(json_object_get(schema, "minProperties"));
    json_decref(schema);
}

static void settings_are_those_that_may_be_set(void **state) {
    (void)state;
    json_t *schema = schema_of(CG_ITEM_SETTINGS);
    const json_t *group = property(schema, "group"), *http = property(schema, "http");
    assert_non_null(property(group, "hops"));
    assert_non_null(property(http, "hosts"));
    assert_null(property(http, "listen"));
    assert_null(property(http, "tls"));
    assert_null(property(schema, "plugins")); /* nothing is left of it */
    assert_null(property(schema, "state"));
    assert_null(property(schema, "mappings"));
    assert_null(property(schema, "clients"));
    json_decref(schema);
}

static void nobody_writes_keys(void **state) {
    (void)state;
    struct cg_buf text;
    cg_buf_init(&text, 0);
    assert_false(cg_settings_item_schema(&text, CG_ITEM_KEYS));
    assert_int_equal(text.len, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapping_says_all_but_what_names_files),
        cmocka_unit_test(a_client_may_say_nothing),
        cmocka_unit_test(settings_are_those_that_may_be_set),
        cmocka_unit_test(nobody_writes_keys),
    };
    return cmocka_run_group_tests_name("settings/item_schema", tests, NULL, NULL);
}
