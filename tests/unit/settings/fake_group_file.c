#include "fake_group_file.h"

json_t *quoted(const char *document) {
    size_t len = strlen(document);
    char *text = malloc(len + 1);
    assert_non_null(text);
    for (size_t i = 0; i <= len; i++) text[i] = document[i] == '\'' ? '"' : document[i];
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    free(text);
    assert_non_null(json);
    return json;
}

void put(json_t *json, const char *pointer, const char *value) {
    char key[64];
    for (;;) {
        size_t len = strcspn(++pointer, "/");
        assert_true(len < sizeof key);
        memcpy(key, pointer, len);
        key[len] = '\0';
        pointer += len;
        if (*pointer == '\0') break;
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key)) : json_object_get(json, key);
        assert_non_null(json);
    }
    if (value == NULL)
        assert_int_equal(json_object_del(json, key), 0);
    else
        assert_int_equal(json_object_set_new(json, key, quoted(value)), 0);
}

json_t *changed(const char *document, const struct change changes[4]) {
    json_t *json = quoted(document);
    for (size_t i = 0; i < 4 && changes[i].pointer != NULL; i++) put(json, changes[i].pointer, changes[i].value);
    return json;
}

void print_all(const struct cg_mistakes *mistakes) {
    for (const struct cg_mistake *mistake = mistakes->first; mistake != NULL; mistake = mistake->next)
        print_error("  %s: %s\n", mistake->pointer, mistake->message);
}

struct cg_security_group *must_read(const json_t *json, enum cg_group_file kind) {
    struct cg_security_group *group;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_security_group_read(json, kind, &group, &mistakes);
    print_all(&mistakes);
    cg_mistakes_fini(&mistakes);
    assert_int_equal(err, CG_OK);
    return group;
}

void assert_hex(struct cg_slice bytes, const char *hex) {
    uint8_t expected[512];
    size_t len;
    assert_int_equal(cg_hex_parse(cg_slice_str(hex), expected, sizeof expected, &len), CG_OK);
    assert_int_equal(bytes.len, len);
    if (len > 0) assert_memory_equal(bytes.data, expected, len);
}

void check(const char *document, enum cg_group_file kind, const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct cg_security_group *group;
        struct cg_mistakes mistakes;
        json_t *json = changed(document, rows[i].changes);
        cg_mistakes_init(&mistakes);
        int err = cg_security_group_read(json, kind, &group, &mistakes);
        bool good = err == CG_E_FORMAT && mistakes.count == 1 &&
                    strcmp(mistakes.first->pointer, rows[i].pointer) == 0 &&
                    strstr(mistakes.first->message, rows[i].message) != NULL;
        if (!good) print_error("row %zu: %s\n", i, rows[i].changes[0].pointer);
        if (!good) print_all(&mistakes);
        assert_true(good);
        assert_null(group);
        cg_mistakes_fini(&mistakes);
        json_decref(json);
    }
}
