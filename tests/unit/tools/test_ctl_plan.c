/* From a file and what is there to changes. Proves: applying twice changes nothing; no false drift. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ctl/plan.h"

static json_t *parse(const char *text) {
    json_error_t error;
    char *json = strdup(text);
    for (char *at = json; *at != '\0'; at++)
        if (*at == '\'') *at = '"';
    json_t *value = json_loads(json, JSON_REJECT_DUPLICATES, &error);
    free(json);
    assert_non_null(value);
    return value;
}

struct planned {
    struct cg_ctl_plan plan;
    int err;
    char error[CG_CTL_ERROR_MAX];
};

static struct planned plan(const char *wanted, const char *there, enum cg_ctl_rest rest) {
    struct planned planned = {.error = ""};
    json_t *a = parse(wanted), *b = parse(there);
    planned.err = cg_ctl_plan_make(&planned.plan, a, b, rest, planned.error);
    json_decref(a);
    json_decref(b);
    return planned;
}

static void expect_changes(const char *wanted, const char *there, enum cg_ctl_rest rest, const char *changes) {
    struct planned planned = plan(wanted, there, rest);
    json_t *expected = parse(changes);
    assert_string_equal(planned.error, "");
    assert_int_equal(planned.err, CG_OK);
    char *got = json_dumps(json_object_get(planned.plan.changes, "changes"), JSON_SORT_KEYS);
    char *want = json_dumps(expected, JSON_SORT_KEYS);
    assert_string_equal(got, want);
    assert_int_equal(json_array_size(planned.plan.difference), json_array_size(expected));
    free(got);
    free(want);
    json_decref(expected);
    cg_ctl_plan_fini(&planned.plan);
}

static void expect_refusal(const char *wanted, const char *there, const char *sentence) {
    struct planned planned = plan(wanted, there, CG_CTL_REST_STAYS);
    assert_int_equal(planned.err, CG_E_BAD_REQUEST);
    if (strstr(planned.error, sentence) == NULL) fail_msg("%s", planned.error);
    cg_ctl_plan_fini(&planned.plan);
}

#define FLOOR3                                                                                                         \
    "{'name': 'floor3', 'path': '/floor3', 'timeout': 2, 'source': 'stored', 'state': 'in-use', 'reason': null,"       \
    " 'revision': 7, 'changed': '2026-11-29T01:00:00Z', 'changed_by': 'admin', 'warnings': []}"

static void what_is_there_already_is_no_difference(void **state) {
    (void)state;
    expect_changes("{'mappings': [{'path': '/floor3', 'name': 'floor3', 'timeout': 2.0}]}",
                   "{'mappings': {'floor3': " FLOOR3 "}}", CG_CTL_REST_GOES, "[]");
    expect_changes("{'mappings': {'floor3': {'timeout': 2, 'path': '/floor3'}}}",
                   "{'mappings': {'floor3': " FLOOR3 "}}", CG_CTL_REST_STAYS, "[]");
    expect_changes("{}", "{'mappings': {'floor3': " FLOOR3 "}}", CG_CTL_REST_GOES, "[]");
}

static void what_differs_says_which_revision_it_changes(void **state) {
    (void)state;
    expect_changes("{'mappings': [{'name': 'floor3', 'path': '/floor3', 'timeout': 3}]}",
                   "{'mappings': {'floor3': " FLOOR3 "}}", CG_CTL_REST_STAYS,
                   "[{'method': 'PUT', 'path': 'mappings/floor3', 'if_match': '\\'7\\'',"
                   "  'body': {'path': '/floor3', 'timeout': 3}}]");
}

static void what_is_not_there_is_made(void **state) {
    (void)state;
    expect_changes("{'clients': {'d': {}}, 'mappings': [{'name': 'm', 'path': '/m'}]}", "{}", CG_CTL_REST_STAYS,
                   "[{'method': 'PUT', 'path': 'clients/d', 'body': {}},"
                   " {'method': 'PUT', 'path': 'mappings/m', 'body': {'path': '/m'}}]");
}

static void what_is_not_named_goes_only_where_that_is_said(void **state) {
    (void)state;
    const char *there = "{'mappings': {'floor3': " FLOOR3 ", 'own': {'name': 'own', 'source': 'file'}}}";
    expect_changes("{'mappings': []}", there, CG_CTL_REST_STAYS, "[]");
    expect_changes("{'mappings': []}", there, CG_CTL_REST_GOES,
                   "[{'method': 'DELETE', 'path': 'mappings/floor3', 'if_match': '\\'7\\''}]");
}

static void settings_change_by_what_differs_in_them(void **state) {
    (void)state;
    const char *there = "{'settings': {'group': {'hops': 2, 'nstart': 1}, 'sequence_rate': 50}}";
    expect_changes("{'settings': {'group': {'hops': 3, 'nstart': 1}}}", there, CG_CTL_REST_STAYS,
                   "[{'method': 'PATCH', 'path': 'settings', 'body': {'group': {'hops': 3}}}]");
    expect_changes("{'settings': {'group': {'hops': 2}}}", there, CG_CTL_REST_GOES,
                   "[{'method': 'PATCH', 'path': 'settings', 'body': {'group': {'nstart': null},"
                   " 'sequence_rate': null}}]");
    expect_changes("{'settings': {'group': {'hops': 2}}}", there, CG_CTL_REST_STAYS, "[]");
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    const char *of_file = "{'mappings': {'m': {'name': 'm', 'path': '/m', 'source': 'file'}}}";
    expect_refusal("{'mappings': [{'name': 'm', 'path': '/n'}]}", of_file, "settings file");
    expect_refusal("{'mappings': [{'path': '/n'}]}", "{}", "needs a \"name\"");
    expect_refusal("{'mappings': [{'name': 'a'}, {'name': 'a'}]}", "{}", "twice");
    expect_refusal("{'mappings': 3}", "{}", "a list");
    expect_refusal("{'mappings': {'a': 3}}", "{}", "an object");
    expect_refusal("{'http': {'listen': []}}", "{}", "cannot be applied");
    expect_refusal("{'security_groups': {'g': 'gateway.json'}}", "{}", "call POST security-groups");
    expect_refusal("[]", "{}", "JSON object");
}

/* The second is what is there already, so the changes are numbered otherwise. */
static void a_refusal_is_told_of_the_document(void **state) {
    (void)state;
    struct planned planned =
        plan("{'settings': {'x': 1}, 'mappings': [{'name': 'a'}, {'name': 'floor3', 'path': '/floor3', 'timeout': 2},"
             " {'name': 'b'}], 'clients': {'d': {}}}",
             "{'mappings': {'floor3': " FLOOR3 "}}", CG_CTL_REST_STAYS);
    json_t *problem = parse("{'detail': '/changes/2/body/timeout: no (and more)', 'errors': ["
                            "{'pointer': '#/changes/2/body/timeout', 'detail': 'no'},"
                            "{'pointer': '#/changes/0', 'detail': 'no'}, {'pointer': '#/changes/3/body/x'},"
                            "{'pointer': '#/changes/9/body'}, {'pointer': '#/x'}]}");
    cg_ctl_plan_place_problem(&planned.plan, "w.json", problem);
    json_t *expected = parse("{'detail': 'w.json: mappings/2/timeout: no (and more)', 'errors': ["
                             "{'pointer': 'w.json: mappings/2/timeout', 'detail': 'no'},"
                             "{'pointer': 'w.json: clients/d', 'detail': 'no'}, {'pointer': 'w.json: settings/x'},"
                             "{'pointer': '#/changes/9/body'}, {'pointer': '#/x'}]}");
    char *got = json_dumps(problem, JSON_SORT_KEYS), *want = json_dumps(expected, JSON_SORT_KEYS);
    assert_string_equal(got, want);
    free(got);
    free(want);
    json_decref(problem);
    json_decref(expected);
    cg_ctl_plan_fini(&planned.plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there_already_is_no_difference),
        cmocka_unit_test(what_differs_says_which_revision_it_changes),
        cmocka_unit_test(what_is_not_there_is_made),
        cmocka_unit_test(what_is_not_named_goes_only_where_that_is_said),
        cmocka_unit_test(settings_change_by_what_differs_in_them),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(a_refusal_is_told_of_the_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
