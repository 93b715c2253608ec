/* openapi.json against the table that serves: everything of the one is in the other. */
#include "fronts/admin/private.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *document(void) {
    struct cg_buf text;
    json_error_t error;
    cg_buf_init(&text, 0);
    cg_openapi_put(&text);
    json_t *json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) fail_msg("%s", error.text);
    cg_buf_fini(&text);
    return json;
}

static const json_t *operation(const json_t *paths, const struct cg_admin_route *route) {
    char method[8] = "";
    for (size_t i = 0; route->method[i] != '\0'; i++) method[i] = (char)tolower(route->method[i]);
    return json_object_get(json_object_get(paths, route->path), method);
}

static void test_every_route(void **state) {
    (void)state;
    const struct cg_admin_route *route;
    json_t *json = document(), *paths = json_object_get(json, "paths"), *path;
    size_t count = 0, operations = 0;
    const char *key;
    for (; (route = cg_admin_route_at(count)) != NULL; count++) {
        const json_t *found = operation(paths, route);
        char status[8];
        if (found == NULL) fail_msg("%s %s is missing", route->method, route->path);
        assert_string_equal(json_string_value(json_object_get(found, "operationId")), route->id);
        assert_int_equal(json_object_get(found, "requestBody") != NULL, route->body != NULL);
        snprintf(status, sizeof status, "%u", route->status);
        assert_non_null(json_object_get(json_object_get(found, "responses"), status));
    }
    json_object_foreach(paths, key, path) operations += json_object_size(path);
    assert_int_equal(operations, count);
    json_decref(json);
}

/* What is at "#/components/schemas/X". */
static const json_t *resolve(const json_t *json, const char *pointer) {
    char name[128];
    assert_int_equal(strncmp(pointer, "#/", 2), 0);
    for (pointer += 2; json != NULL && *pointer != '\0';) {
        size_t len = strcspn(pointer, "/");
        snprintf(name, sizeof name, "%.*s", (int)len, pointer);
        json = json_object_get(json, name);
        pointer += len + (pointer[len] == '/');
    }
    return json;
}

static void check_references(const json_t *root, const json_t *json) {
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_array(json)) json_array_foreach((json_t *)json, i, value) check_references(root, value);
    if (!json_is_object(json)) return;
    json_object_foreach((json_t *)json, key, value) {
        if (strcmp(key, "$ref") == 0) {
            if (resolve(root, json_string_value(value)) == NULL) fail_msg("nothing at %s", json_string_value(value));
        } else {
            check_references(root, value);
        }
    }
}

static void test_references(void **state) {
    (void)state;
    json_t *json = document();
    check_references(json, json);
    json_decref(json);
}

/* What only the settings file can say is no part of what is sent. */
static void test_no_file_names(void **state) {
    (void)state;
    json_t *json = document();
    const json_t *schemas = json_object_get(json_object_get(json, "components"), "schemas");
    const json_t *client = json_object_get(json_object_get(schemas, "ClientSet"), "properties");
    assert_non_null(json_object_get(client, "certificate_sha256"));
    assert_null(json_object_get(json_object_get(json_object_get(client, "psk"), "properties"), "key_file"));
    assert_null(json_object_get(json_object_get(json_object_get(schemas, "SettingsSet"), "properties"), "state"));
    assert_non_null(json_object_get(json_object_get(json_object_get(schemas, "SettingsSet"), "properties"), "limits"));
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_route), cmocka_unit_test(test_references),
                                       cmocka_unit_test(test_no_file_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
