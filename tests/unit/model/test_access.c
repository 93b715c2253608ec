/* Who may do what on a mapping, client by client and method by method (GCP §3 REQ1, REQ2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/access.h"
#include "wire/msg.h"

#define BIT(method) CG_METHOD_BIT(CG_##method)

static struct cg_client reader = {.name = "reader"}, writer = {.name = "writer"}, stranger = {.name = "stranger"};

struct fixture {
    struct cg_grant grants[3];
    struct cg_mapping mapping;
    struct cg_request request;
    struct cg_problem problem;
};

/* A secured mapping that takes GET, PUT and DELETE: `reader` may GET, `writer` GET and PUT, nobody DELETE. */
static int setup(void **state) {
    struct fixture *f = malloc(sizeof *f);
    if (f == NULL) return -1;
    *f = (struct fixture){
        .grants = {{.client = &reader, .methods = BIT(GET)}, {.client = &writer, .methods = BIT(GET) | BIT(PUT)}},
        .mapping = {.name = "lamps", .security = CG_SECURITY_GROUP, .methods = BIT(GET) | BIT(PUT) | BIT(DELETE)},
        .request = {.client = &reader, .method = CG_GET},
    };
    f->mapping.grants = f->grants;
    f->mapping.grant_count = 2;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    free(*state);
    return 0;
}

#define access_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static int check(struct fixture *f, struct cg_client *client, uint8_t method) {
    f->problem = (struct cg_problem){0};
    f->request.client = client;
    f->request.method = method;
    return cg_access_check(&f->mapping, &f->request, &f->problem);
}

static void each_client_has_its_own_methods(void **state) {
    struct fixture *f = *state;
    assert_int_equal(check(f, &reader, CG_GET), CG_OK);
    assert_int_equal(check(f, &writer, CG_GET), CG_OK);
    assert_int_equal(check(f, &writer, CG_PUT), CG_OK);
    assert_int_equal(check(f, &reader, CG_PUT), CG_E_FORBIDDEN);
    assert_string_equal(f->problem.detail, "client reader may not use this method on mapping lamps");
    assert_int_equal(check(f, &writer, CG_DELETE), CG_E_FORBIDDEN);
    assert_int_equal(f->problem.allow, 0); /* what others may is nobody's business */
}

static void what_the_mapping_does_not_take_is_405_with_what_it_takes(void **state) {
    struct fixture *f = *state;
    f->grants[1].methods = CG_METHODS_ALL;
    assert_int_equal(check(f, &writer, CG_POST), CG_E_METHOD);
    assert_int_equal(f->problem.allow, BIT(GET) | BIT(PUT) | BIT(DELETE));
    assert_int_equal(check(f, &writer, CG_DELETE), CG_OK);
}

static void who_is_not_named_may_nothing_and_sees_nothing(void **state) {
    struct fixture *f = *state;
    assert_int_equal(check(f, &stranger, CG_GET), CG_E_FORBIDDEN);
    assert_false(cg_access_may_see(&f->mapping, &f->request));
    assert_int_equal(check(f, &reader, CG_GET), CG_OK);
    assert_true(cg_access_may_see(&f->mapping, &f->request));
    f->mapping.grant_count = 0;
    assert_int_equal(check(f, &reader, CG_GET), CG_E_FORBIDDEN);
    assert_false(cg_access_may_see(&f->mapping, &f->request));
}

static void anonymous_clients_need_a_grant_and_a_listener_that_takes_them(void **state) {
    struct fixture *f = *state;
    f->request.may_be_anonymous = true;
    assert_int_equal(check(f, NULL, CG_GET), CG_E_UNAUTHORIZED);
    assert_false(cg_access_may_see(&f->mapping, &f->request));
    f->grants[2] = (struct cg_grant){.client = NULL, .methods = BIT(GET)};
    f->mapping.grant_count = 3;
    assert_int_equal(check(f, NULL, CG_GET), CG_OK);
    assert_true(cg_access_may_see(&f->mapping, &f->request));
    assert_int_equal(check(f, NULL, CG_PUT), CG_E_UNAUTHORIZED); /* somebody with a token may */
    assert_string_equal(f->problem.detail, "anonymous clients may not use this method on mapping lamps; by HTTP send "
                                           "Authorization: Bearer TOKEN, by TLS or DTLS show a certificate, or use "
                                           "DTLS with a key (psk) or OSCORE");
    f->request.may_be_anonymous = false;
    assert_int_equal(check(f, NULL, CG_GET), CG_E_UNAUTHORIZED);
    assert_false(cg_access_may_see(&f->mapping, &f->request));
    assert_int_equal(check(f, &reader, CG_GET), CG_OK);            /* who is known need not be anonymous */
    assert_int_equal(check(f, &stranger, CG_GET), CG_E_FORBIDDEN); /* and is not, where a grant is missing */
}

static void a_plain_group_takes_reads_unless_it_says_more(void **state) {
    struct fixture *f = *state;
    f->mapping.security = CG_SECURITY_NONE;
    f->mapping.methods = f->grants[1].methods = CG_METHODS_ALL;
    assert_int_equal(check(f, &writer, CG_GET), CG_OK);
    assert_int_equal(check(f, &writer, CG_FETCH), CG_OK);
    static const uint8_t unsafe[] = {CG_POST, CG_PUT, CG_DELETE, CG_PATCH, CG_IPATCH};
    for (size_t i = 0; i < sizeof unsafe; i++) {
        f->mapping.unsafe_methods = false;
        assert_int_equal(check(f, &writer, unsafe[i]), CG_E_UNSAFE);
        f->mapping.unsafe_methods = true;
        assert_int_equal(check(f, &writer, unsafe[i]), CG_OK);
    }
    f->mapping.unsafe_methods = false;
    assert_int_equal(check(f, &stranger, CG_PUT), CG_E_FORBIDDEN); /* who it is comes first */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        access_test(each_client_has_its_own_methods),
        access_test(what_the_mapping_does_not_take_is_405_with_what_it_takes),
        access_test(who_is_not_named_may_nothing_and_sees_nothing),
        access_test(anonymous_clients_need_a_grant_and_a_listener_that_takes_them),
        access_test(a_plain_group_takes_reads_unless_it_says_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
