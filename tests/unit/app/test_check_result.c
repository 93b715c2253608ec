/* A result as a line of JSON and back: nothing of it is lost, and nothing bad is taken. */
#include "app/check/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void fill(struct cg_check_result *result) {
    uint32_t number = 1;
    cg_check_result_init(result);
    result->problem.err = CG_E_EMIT;
    strcpy(result->problem.detail, "interface \"x\" is down");
    strcpy(result->ended_by, "deadline");
#define COUNT(name) result->name = number++;
    CG_CHECK_COUNTS(COUNT)
#undef COUNT
    for (size_t i = 0; i < CG_FATE_COUNT; i++) result->fates[i] = number++;
    cg_buf_put_str(&result->answers, "one\ntwo\n");
    cg_buf_put_str(&result->rejections, "three \"3\"\n");
    for (unsigned i = 0; i < 12; i++)
        cg_check_result_count(result, i % 2 == 0 ? "" : "replayed", (uint8_t)(i / 4), cg_slice_str("a"));
    result->silent_count = 1;
    strcpy(result->silent[0].name, "lamp");
    assert_int_equal(cg_addr_parse(&result->silent[0].addr, cg_slice_str("[fe80::1%3]:5"), 1), CG_OK);
    result->sending_count = 1;
    result->sendings[0].target = 1;
    result->sendings[0].to = result->silent[0].addr;
    cg_buf_put_str(&result->sendings[0].bytes, "\x58\x01");
}

static struct cg_buf emit(const struct cg_check_result *result) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_buf_put_str(&text, "{\"ok\":true");
    cg_check_result_emit(&text, result);
    cg_buf_put_u8(&text, '}');
    return text;
}

static void there_and_back(void **state) {
    struct cg_check_result one, other;
    (void)state;
    fill(&one);
    cg_check_result_init(&other);
    struct cg_buf text = emit(&one);
    assert_true(cg_check_result_parse(&other, cg_buf_slice(&text)));
    struct cg_buf again = emit(&other);
    assert_true(cg_slice_equal(cg_buf_slice(&text), cg_buf_slice(&again)));
    assert_int_equal(other.kind_count, 6);
    assert_int_equal(other.kinds[0].count, 2);
    assert_int_equal(other.sendings[0].bytes.len, 2);
    cg_buf_fini(&text);
    cg_buf_fini(&again);
    cg_check_result_fini(&one);
    cg_check_result_fini(&other);
}

static void what_is_none_is_refused_and_what_is_missing_is_nothing(void **state) {
    static const char *const bad[] = {"", "[]", "7", "{", "{\"answered\":1,\"answered\":2}"};
    struct cg_check_result result;
    (void)state;
    cg_check_result_init(&result);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(cg_check_result_parse(&result, cg_slice_str(bad[i])));
    assert_true(cg_check_result_parse(&result, cg_slice_str("{\"answered\":\"x\",\"silent\":[7,{\"addr\":\"?\"}],"
                                                            "\"sendings\":[{\"bytes\":\"0\"}],\"fates\":{}}")));
    assert_int_equal(result.answered, 0);
    assert_int_equal(result.silent[1].addr.family, CG_FAMILY_NONE);
    assert_int_equal(result.sendings[0].bytes.len, 0);
    cg_check_result_fini(&result);
}

static void kinds_are_counted_as_far_as_there_is_room(void **state) {
    struct cg_check_result result;
    const struct cg_check_kind *first;
    (void)state;
    cg_check_result_init(&result);
    for (unsigned i = 0; i < 300; i++) cg_check_result_count(&result, "bad-code", (uint8_t)i, cg_slice_str("a"));
    assert_int_equal(result.kind_count, CG_CHECK_KINDS_MAX);
    assert_int_equal(cg_check_result_rejected(&result, "bad-code", &first), CG_CHECK_KINDS_MAX + 8);
    assert_int_equal(cg_check_result_rejected(&result, "replayed", &first), 0);
    cg_check_result_fini(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_is_none_is_refused_and_what_is_missing_is_nothing),
        cmocka_unit_test(kinds_are_counted_as_far_as_there_is_room),
    };
    return cmocka_run_group_tests_name("app/check result", tests, NULL, NULL);
}
