/* Which cause what was seen of a member stands for: the manual's table (docs/missing.md), row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/cause.h"

static const struct {
    uint32_t signs;
    const char *cause;
} rows[] = {
    {0, "unknown"},
    {CG_SIGN_SECURED | CG_SIGN_HOLDS_KEYS, "unknown"},
    {CG_SIGN_THERE | CG_SIGN_PINGED, "unknown"}, /* it is there; nobody has asked it */
    {CG_SIGN_PORT_UNREACHABLE | CG_SIGN_ASKED, "not-listening"},
    {CG_SIGN_RESET | CG_SIGN_ASKED, "not-listening"},
    {CG_SIGN_EVICTED | CG_SIGN_OTHER_EPOCH, "evicted"},
    {CG_SIGN_OTHER_EPOCH | CG_SIGN_ASKED, "stale-key"},
    {CG_SIGN_UNREADABLE | CG_SIGN_ASKED, "wrong-key"},
    {CG_SIGN_REFUSED | CG_SIGN_CHALLENGE, "refused"},
    {CG_SIGN_DECLINES | CG_SIGN_ASKED, "refused"},
    {CG_SIGN_CHALLENGE | CG_SIGN_ASKED, "challenged"},
    {CG_SIGN_LATE | CG_SIGN_ASKED, "late"},
    {CG_SIGN_ACKNOWLEDGED | CG_SIGN_ASKED, "late"},
    {CG_SIGN_REPLAY | CG_SIGN_ASKED, "answer-lost"},
    {CG_SIGN_REPLAY | CG_SIGN_ACKNOWLEDGED | CG_SIGN_ASKED, "answer-lost"},
    {CG_SIGN_PART, "answer-lost"},
    {CG_SIGN_KERNEL_DROP, "kernel-drop"},
    {CG_SIGN_KERNEL_DROP | CG_SIGN_ANSWERS_UNICAST | CG_SIGN_ASKED, "kernel-drop"},
    {CG_SIGN_KERNEL_DROP | CG_SIGN_CHALLENGE, "challenged"},
    {CG_SIGN_ANSWERS_UNICAST | CG_SIGN_ASKED | CG_SIGN_THERE, "never-reached"},
    {CG_SIGN_NO_WAY | CG_SIGN_ASKED, "never-reached"},
    {CG_SIGN_THERE | CG_SIGN_ASKED, "answer-lost"},
    {CG_SIGN_THERE | CG_SIGN_ASKED | CG_SIGN_SECURED, "wrong-key"},
    {CG_SIGN_THERE | CG_SIGN_ASKED | CG_SIGN_SECURED | CG_SIGN_HOLDS_KEYS, "answer-lost"},
    {CG_SIGN_HOST_UNREACHABLE | CG_SIGN_ASKED, "asleep"},
    {CG_SIGN_ASKED, "asleep"},
    {CG_SIGN_PINGED, "asleep"},
    {CG_SIGN_ASKED | CG_SIGN_SECURED | CG_SIGN_HOLDS_KEYS, "asleep"},
};

static void test_the_first_rule_that_fits_names_it(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *cause = cg_cause_names[cg_cause_of(rows[i].signs)];
        if (strcmp(cause, rows[i].cause) != 0) fail_msg("row %zu: %s, not %s", i, cause, rows[i].cause);
    }
}

static void test_each_cause_has_a_name_and_a_row(void **state) {
    (void)state;
    for (int i = 0; i < CG_CAUSE_COUNT; i++) {
        size_t row = 0;
        while (row < sizeof rows / sizeof *rows && strcmp(rows[row].cause, cg_cause_names[i]) != 0) row++;
        if (row == sizeof rows / sizeof *rows) fail_msg("nothing leads to %s", cg_cause_names[i]);
    }
}

static void test_signs_of_one_and_of_all(void **state) {
    (void)state;
    const struct cg_member first = {.number = 0}, second = {.number = 1};
    const uint32_t of[] = {CG_SIGN_ASKED, 0};
    const struct cg_signs signs = {.of = of, .common = CG_SIGN_KERNEL_DROP}, nothing = {0};
    assert_int_equal(cg_cause_of_member(&signs, &first), CG_CAUSE_KERNEL_DROP);
    assert_int_equal(cg_cause_of_member(&signs, &second), CG_CAUSE_KERNEL_DROP);
    assert_int_equal(cg_cause_of_member(&(struct cg_signs){.of = of}, &first), CG_CAUSE_ASLEEP);
    assert_int_equal(cg_cause_of_member(&nothing, &second), CG_CAUSE_UNKNOWN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_rule_that_fits_names_it),
        cmocka_unit_test(test_each_cause_has_a_name_and_a_row),
        cmocka_unit_test(test_signs_of_one_and_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
