/* The plain bytes that every protector begins with: room for the largest options, and the end of a datagram. */
#include "exchange/fake_world.h"

#include <stdlib.h>
#include <string.h>

#include "legs/protector.h"

static int emit(const struct cg_opts options, struct cg_slice payload, struct cg_buf *out, struct cg_problem *problem) {
    struct cg_sealing sealing = {.type = CG_NON,
                                 .method = CG_GET,
                                 .mid = 0x1234,
                                 .token = {.len = CG_TOKEN_MAX},
                                 .options = options,
                                 .payload = payload};
    cg_buf_init(out, 0);
    return cg_sealing_emit(&sealing, out, problem);
}

/* Deltas and lengths of two more bytes each (RFC 7252 §3.1). */
static void test_options_with_the_longest_heads_fit(void **state) {
    (void)state;
    static const uint8_t value[300];
    struct cg_opt list[] = {{.number = 300, .value = cg_slice_of(value, 300)},
                            {.number = 700, .value = cg_slice_of(value, 300)},
                            {.number = 65000, .value = cg_slice_of(value, 300)}};
    struct cg_buf out;
    struct cg_problem problem;
    assert_int_equal(emit((struct cg_opts){.list = list, .count = 3}, cg_slice_str("x"), &out, &problem), CG_OK);
    assert_int_equal(out.len, 4 + 8 + 3 * (5 + 300) + 2);
    struct cg_msg msg;
    struct cg_slice last;
    assert_int_equal(cg_msg_parse(&msg, cg_buf_slice(&out)), CG_OK);
    assert_true(cg_msg_find(&msg, 65000, &last));
    assert_int_equal(last.len, 300);
    assert_true(cg_slice_is(msg.payload, "x"));
    cg_buf_fini(&out);
}

static void test_one_datagram_is_the_most(void **state) {
    (void)state;
    enum { ROOM = 65507 - 4 - 8 - 1 };
    uint8_t *payload = calloc(1, ROOM + 1);
    struct cg_buf out;
    struct cg_problem problem = {0};
    assert_non_null(payload);
    assert_int_equal(emit((struct cg_opts){0}, cg_slice_of(payload, ROOM), &out, &problem), CG_OK);
    assert_int_equal(out.len, 65507);
    cg_buf_fini(&out);
    assert_int_equal(emit((struct cg_opts){0}, cg_slice_of(payload, ROOM + 1), &out, &problem), CG_E_TOO_BIG);
    assert_int_equal(problem.err, CG_E_TOO_BIG);
    assert_int_equal(out.len, 0);
    cg_buf_fini(&out);
    free(payload);
}

static void test_what_was_not_sealed_wholly_says_why(void **state) {
    (void)state;
    struct cg_buf small;
    struct cg_problem problem = {0};
    cg_buf_init(&small, 4);
    cg_buf_put_slice(&small, cg_slice_str("1234"));
    assert_int_equal(cg_sealed_check(&small, &problem), CG_OK);
    assert_int_equal(problem.err, CG_OK);
    cg_buf_put_slice(&small, cg_slice_str("5"));
    assert_int_equal(cg_sealed_check(&small, &problem), CG_E_TOO_BIG);
    assert_int_equal(problem.err, CG_E_TOO_BIG);
    cg_buf_fini(&small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_with_the_longest_heads_fit),
        cmocka_unit_test(test_one_datagram_is_the_most),
        cmocka_unit_test(test_what_was_not_sealed_wholly_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
