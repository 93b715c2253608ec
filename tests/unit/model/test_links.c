/* The gateway's own description: who sees what, and filters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "model/links.h"

enum { COUNT = 6 };

struct fixture {
    struct cg_config *config;
    struct cg_client client;
    struct cg_grant anonymous, known;
    struct cg_target target;
};

static int setup(void **state) {
    struct fixture *f = malloc(sizeof *f);
    if (f == NULL) return -1;
    *f = (struct fixture){.client = {.name = "dashboard"}, .target = {.uri = "coap://224.0.1.187/"}};
    f->anonymous = (struct cg_grant){.client = NULL, .methods = CG_METHODS_SAFE};
    f->known = (struct cg_grant){.client = &f->client, .methods = CG_METHODS_SAFE};
    f->config = cg_config_new();
    assert_non_null(f->config);
    f->config->mapping_count = COUNT;
    f->config->mappings = cg_arena_zalloc(&f->config->arena, COUNT * sizeof *f->config->mappings);
    assert_non_null(f->config->mappings);
    const struct cg_mapping mappings[COUNT] = {
        {.name = "floor3", .path = "/floor3", .grants = &f->anonymous, .grant_count = 1},
        {.name = "floor4", .path = "/floor4", .grants = &f->known, .grant_count = 1},
        {.name = "theirs", .path = "/floor3", .host = "b.example", .grants = &f->anonymous, .grant_count = 1},
        {.name = "open", .path = "/open", .grants = &f->known, .grant_count = 1, .forward = true},
        {.name = "nobody", .path = "/nobody"},
        {.name = "root", .path = "", .host = "b.example", .grants = &f->known, .grant_count = 1},
    };
    for (size_t i = 0; i < COUNT; i++) {
        f->config->mappings[i] = mappings[i];
        f->config->mappings[i].targets = &f->target;
        f->config->mappings[i].target_count = 1;
    }
    assert_int_equal(cg_config_index(f->config), CG_OK);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    cg_config_unref(f->config);
    free(f);
    return 0;
}

#define links_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* As slowly as can be. */
static int list(const struct fixture *f, const struct cg_request *request, struct cg_buf *to,
                struct cg_problem *problem) {
    struct cg_links *links = cg_links_begin(f->config, request, problem);
    if (links == NULL) return problem->err;
    while (cg_links_go_on(links, 1)) continue;
    return cg_links_end(links, to, problem);
}

static int emit(const struct fixture *f, struct cg_buf *to, const struct cg_client *client, const char *host,
                const char *query, struct cg_problem *problem) {
    const struct cg_request request = {
        .client = client,
        .may_be_anonymous = true,
        .host = cg_slice_str(host),
        .query = query == NULL ? CG_SLICE_NONE : cg_slice_str(query),
    };
    cg_buf_init(to, 0);
    return list(f, &request, to, problem);
}

static void check(const struct fixture *f, const struct cg_client *client, const char *host, const char *query,
                  const char *links) {
    struct cg_buf text;
    struct cg_problem problem = {0};
    assert_int_equal(emit(f, &text, client, host, query, &problem), CG_OK);
    if (!cg_slice_is(cg_buf_slice(&text), links)) fail_msg("%s: %.*s", query, (int)text.len, (const char *)text.data);
    cg_buf_fini(&text);
}

#define LINK(path, name) "<" path ">;rt=\"castgate.mapping\";title=\"" name "\""
#define PROXY            "</hc/>;rt=\"core.hc\";hct=\"?target_uri={+tu}\""
#define A                "a.example"

/* R20 */
static void clients_see_what_they_may_use(void **state) {
    struct fixture *f = *state;
    check(f, NULL, A, NULL, LINK("/floor3", "floor3"));
    check(f, &f->client, A, NULL, LINK("/floor4", "floor4") "," LINK("/open", "open") "," PROXY);
    check(f, NULL, "b.example", NULL, LINK("/floor3", "theirs"));
    check(f, &f->client, "b.example", NULL, LINK("/", "root") "," PROXY); /* the host has its own space */
    struct cg_request nobody = {.host = cg_slice_str(A)};
    struct cg_buf text;
    struct cg_problem problem = {0};
    cg_buf_init(&text, 0);
    assert_int_equal(list(f, &nobody, &text, &problem), CG_OK);
    assert_int_equal(text.len, 0);
}

static void filters_choose(void **state) {
    struct fixture *f = *state;
    static const char floor4[] = LINK("/floor4", "floor4");
    static const char both[] = LINK("/floor4", "floor4") "," LINK("/open", "open");
    static const struct {
        const char *query, *links;
    } rows[] = {
        {"rt=core.hc", PROXY},
        {"rt=core.*", PROXY},
        {"rt=castgate.mapping", both},
        {"href=/floor4", floor4},
        {"href=/fl*", floor4},
        {"href=%2Ffloor4", floor4},
        {"href=/fl", ""},
        {"href=*", LINK("/floor4", "floor4") "," LINK("/open", "open") "," PROXY},
        {"title=open", LINK("/open", "open")},
        {"title=op*&rt=cast*", LINK("/open", "open")},
        {"title=open&rt=core.hc", ""},
        {"hct=*", PROXY},
        {"sz=*", ""},
        {"rt=", ""},
        {"=x", ""},
        {"", LINK("/floor4", "floor4") "," LINK("/open", "open") "," PROXY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check(f, &f->client, A, rows[i].query, rows[i].links);
}

static void check_for_coap(struct fixture *f, const char *base, const char *query, const char *links) {
    const struct cg_request request = {
        .client = &f->client, .scheme = CG_CRI_COAP, .query = query == NULL ? CG_SLICE_NONE : cg_slice_str(query)};
    struct cg_buf text;
    struct cg_problem problem = {0};
    cg_buf_init(&text, 0);
    struct cg_links *list = cg_links_begin(f->config, &request, &problem);
    assert_non_null(list);
    cg_links_set_base(list, base);
    while (cg_links_go_on(list, 1)) continue;
    assert_int_equal(cg_links_end(list, &text, &problem), CG_OK);
    if (!cg_slice_is(cg_buf_slice(&text), links)) fail_msg("%s: %.*s", query, (int)text.len, (const char *)text.data);
    cg_buf_fini(&text);
}

/* The forward proxy is asked by options there, not below a path. */
static void coap_clients_see_what_they_can_ask_for(void **state) {
    struct fixture *f = *state;
    f->config->mappings[1].aggregate = true;
#define FLOOR4 LINK("/floor4", "floor4") ";ct=\"62\""
    check_for_coap(f, "", NULL, FLOOR4 "," LINK("/open", "open"));
    check_for_coap(f, "", "ct=62", FLOOR4);
    check_for_coap(f, "", "rt=core.hc", "");
    check(f, &f->client, A, "ct=62", "");
}

/* Who asked at another address than the mappings' gets whole URIs. */
static void links_may_have_a_base(void **state) {
    struct fixture *f = *state;
#define BASE "coap://192.0.2.1:5685"
    static const char open[] = LINK(BASE "/open", "open");
    check_for_coap(f, BASE, "title=open", open);
    check_for_coap(f, BASE, "href=" BASE "/open", open);
    check_for_coap(f, BASE, "href=" BASE "/o*", open);
    check_for_coap(f, BASE, "href=coap:*&title=open", open);
    check_for_coap(f, BASE, "href=" BASE, "");
    check_for_coap(f, BASE, "href=/open", "");
    check_for_coap(f, BASE, "href=coap://192.0.2.2*", "");
    check_for_coap(f, BASE, "href=coap", "");
}

static void malformed_filters_are_refused(void **state) {
    struct fixture *f = *state;
    static const char *const queries[] = {"rt", "rt=a&x", "rt=%zz", "rt=%ff",
                                          "a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a="};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct cg_buf text;
        struct cg_problem problem = {0};
        assert_int_equal(emit(f, &text, NULL, A, queries[i], &problem), CG_E_BAD_URI);
        assert_int_equal(problem.err, CG_E_BAD_URI);
        assert_int_equal(text.len, 0);
        cg_buf_fini(&text);
    }
}

static void too_many_links_are_not_cut(void **state) {
    struct fixture *f = *state;
    enum { MANY = 40000 };
    struct cg_config *config = cg_config_new();
    assert_non_null(config);
    config->mappings = cg_arena_zalloc(&config->arena, MANY * sizeof *config->mappings);
    char(*names)[16] = cg_arena_alloc(&config->arena, MANY * sizeof *names);
    assert_true(config->mappings != NULL && names != NULL);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "/m%zu", i);
        config->mappings[i] = (struct cg_mapping){.name = names[i] + 1,
                                                  .path = names[i],
                                                  .grants = &f->anonymous,
                                                  .grant_count = 1,
                                                  .targets = &f->target,
                                                  .target_count = 1};
    }
    config->mapping_count = MANY;
    assert_int_equal(cg_config_index(config), CG_OK);
    cg_config_unref(f->config);
    f->config = config;
    struct cg_buf text;
    struct cg_problem problem = {0};
    assert_int_equal(emit(f, &text, NULL, A, NULL, &problem), CG_E_TOO_BIG);
    assert_int_equal(text.len, 0);
    check(f, NULL, A, "href=/m39999", LINK("/m39999", "m39999"));
    cg_buf_fini(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        links_test(clients_see_what_they_may_use),          links_test(filters_choose),
        links_test(coap_clients_see_what_they_can_ask_for), links_test(links_may_have_a_base),
        links_test(malformed_filters_are_refused),          links_test(too_many_links_are_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
