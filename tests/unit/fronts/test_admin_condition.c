/* Conditions and merge patches (RFC 9110 §13.1, RFC 7396). */
#include "fronts/admin/condition.h"
#include "fronts/admin/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool matches(const char *text, enum cg_condition_tags tags, uint64_t revision) {
    struct cg_condition condition;
    struct cg_problem problem = {0};
    assert_int_equal(cg_condition_read(&condition, cg_slice_str(text), tags, &problem), CG_OK);
    return cg_condition_has(&condition, revision);
}

static void test_tags(void **state) {
    (void)state;
    assert_true(matches("\"12\"", CG_TAGS_STRONG, 12));
    assert_false(matches("\"12\"", CG_TAGS_STRONG, 13));
    assert_true(matches("\"1\", , \"12\"", CG_TAGS_STRONG, 12));
    assert_false(matches("W/\"12\"", CG_TAGS_STRONG, 12));
    assert_true(matches("W/\"12\"", CG_TAGS_WEAK, 12));
    assert_true(matches("*", CG_TAGS_STRONG, 7));
    assert_false(matches("*", CG_TAGS_STRONG, 0)); /* nothing is there */
    assert_false(matches("\"012\"", CG_TAGS_STRONG, 12));
    assert_false(matches("\"a,b\", \"\"", CG_TAGS_STRONG, 12));
    assert_false(matches("\"99999999999999999999\"", CG_TAGS_STRONG, 12));
}

static void test_malformed_tags(void **state) {
    (void)state;
    static const char *const texts[] = {"",  "12",          "\"12", "w/\"12\"", "*, \"1\"",
                                        ",", "\"1\" \"2\"", "W/\"", "W/12",     "\"1\"2"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct cg_condition condition;
        struct cg_problem problem = {0};
        int err = cg_condition_read(&condition, cg_slice_str(texts[i]), CG_TAGS_STRONG, &problem);
        if (err != CG_E_BAD_REQUEST) fail_msg("%s passes", texts[i]);
    }
    char many[200] = "\"1\"";
    for (int i = 0; i < CG_CONDITION_TAGS_MAX; i++) strcat(many, ",\"1\"");
    struct cg_condition condition;
    struct cg_problem problem = {0};
    assert_int_equal(cg_condition_read(&condition, cg_slice_str(many), CG_TAGS_STRONG, &problem), CG_E_BAD_REQUEST);
}

/* RFC 7396, appendix A, what of it concerns objects. */
static void test_merge(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *patch = json_loads(rows[i][1], 0, NULL), *wanted = json_loads(rows[i][2], 0, NULL);
        json_t *merged = cg_merge_patched(cg_slice_str(rows[i][0]), patch);
        if (!json_equal(merged, wanted)) fail_msg("%s and %s", rows[i][0], rows[i][1]);
        json_decref(patch);
        json_decref(wanted);
        json_decref(merged);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tags), cmocka_unit_test(test_malformed_tags),
                                       cmocka_unit_test(test_merge)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
