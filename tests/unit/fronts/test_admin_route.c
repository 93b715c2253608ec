/* The table of routes as a whole, and paths against it. */
#include "fronts/admin/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_path(const char *path) {
    static const char *const variables[] = {"{name}", "{n}", "{id}", "{member}"};
    unsigned count = 0;
    assert_int_equal(path[0], '/');
    for (const char *at = path; (at = strchr(at, '{')) != NULL; at++) {
        bool known = false;
        for (size_t i = 0; i < 4; i++) known |= strncmp(at, variables[i], strlen(variables[i])) == 0;
        assert_true(known);
        assert_int_equal(at[-1], '/');
        count++;
    }
    assert_true(count <= CG_ADMIN_PARTS_MAX);
}

static bool is_method(const char *method) {
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < 5; i++) {
        if (strcmp(method, methods[i]) == 0) return true;
    }
    return false;
}

static void test_rows(void **state) {
    (void)state;
    const struct cg_admin_route *route, *other;
    for (size_t i = 0; (route = cg_admin_route_at(i)) != NULL; i++) {
        assert_true(is_method(route->method));
        check_path(route->path);
        assert_non_null(route->serve);
        assert_non_null(route->id);
        assert_non_null(route->says);
        assert_in_range(route->status, 200, 299);
        assert_true(route->body == NULL || strcmp(route->method, "GET") != 0);
        for (size_t j = 0; j < i; j++) {
            other = cg_admin_route_at(j);
            assert_string_not_equal(route->id, other->id);
            assert_false(strcmp(route->method, other->method) == 0 && strcmp(route->path, other->path) == 0);
        }
    }
}

/* Each row is found by its own path, with what may stand in the place of its variables. */
static void test_each_is_found(void **state) {
    (void)state;
    const struct cg_admin_route *route;
    for (size_t i = 0; (route = cg_admin_route_at(i)) != NULL; i++) {
        char path[256] = "";
        for (const char *at = route->path; *at != '\0'; at++) {
            size_t len = strlen(path);
            if (*at == '{') {
                at = strchr(at, '}');
                snprintf(path + len, sizeof path - len, "7");
            } else {
                snprintf(path + len, sizeof path - len, "%c", *at);
            }
        }
        struct cg_admin_match match;
        struct cg_problem problem = {0};
        assert_int_equal(cg_admin_route_find(&match, cg_slice_str(route->method), cg_slice_str(path), &problem), CG_OK);
        assert_string_equal(match.route->id, route->id);
    }
}

static void test_queries(void **state) {
    (void)state;
    const struct cg_admin_route route = {.queries = "limit cursor"}, none = {0};
    assert_true(cg_admin_route_takes_query(&route, cg_slice_str("limit")));
    assert_true(cg_admin_route_takes_query(&route, cg_slice_str("cursor")));
    assert_false(cg_admin_route_takes_query(&route, cg_slice_str("curs")));
    assert_false(cg_admin_route_takes_query(&route, cg_slice_str("limit cursor")));
    assert_false(cg_admin_route_takes_query(&route, CG_SLICE_NONE));
    assert_false(cg_admin_route_takes_query(&none, CG_SLICE_NONE));
}

static void test_no_route(void **state) {
    (void)state;
    static const char *const paths[] = {"",
                                        "/",
                                        "//",
                                        "/openapi.json/",
                                        "/openapi.json//",
                                        "/openapi",
                                        "openapi.json",
                                        "/openapi%2Ejson",
                                        "/./openapi.json"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct cg_admin_match match;
        struct cg_problem problem = {0};
        assert_int_equal(cg_admin_route_find(&match, cg_slice_str("GET"), cg_slice_str(paths[i]), &problem),
                         CG_E_NOT_FOUND);
        assert_null(match.route);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_each_is_found),
                                       cmocka_unit_test(test_queries), cmocka_unit_test(test_no_route)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
