/* Budgets are kept apart by mapping and by client, and the count of what runs by client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/budget.h"

#define SECOND 1000000u

static const char one[] = "one", other[] = "other", nobody[] = "@192.0.2.4";
static const struct cg_mapping lamps = {.name = "lamps", .requests_per_minute = 2},
                               doors = {.name = "doors", .requests_per_minute = 2}, free_for_all = {.name = "all"};

static unsigned take_all(struct cg_budgets *budgets, const struct cg_mapping *mapping, const char *account,
                         uint64_t now_us) {
    uint32_t retry_after;
    unsigned taken = 0;
    while (taken < 10 && cg_budget_take(budgets, mapping, account, now_us, &retry_after) == CG_OK) taken++;
    return taken;
}

static void each_client_has_a_bucket_of_its_own(void **state) {
    (void)state;
    struct cg_budgets budgets = {0};
    assert_int_equal(take_all(&budgets, &lamps, one, SECOND), 2);
    assert_int_equal(take_all(&budgets, &lamps, other, SECOND), 2);
    assert_int_equal(take_all(&budgets, &lamps, nobody, SECOND), 2);
    assert_int_equal(take_all(&budgets, &lamps, one, SECOND), 0);
    assert_int_equal(take_all(&budgets, &lamps, other, SECOND), 0);
    assert_int_equal(take_all(&budgets, &lamps, nobody, SECOND), 0);
    assert_int_equal(take_all(&budgets, &lamps, one, 31 * SECOND), 1);
    cg_budgets_fini(&budgets);
}

static void each_mapping_has_a_bucket_of_its_own(void **state) {
    (void)state;
    struct cg_budgets budgets = {0};
    assert_int_equal(take_all(&budgets, &lamps, one, SECOND), 2);
    assert_int_equal(take_all(&budgets, &doors, one, SECOND), 2);
    assert_int_equal(take_all(&budgets, &free_for_all, one, SECOND), 10);
    assert_int_equal(take_all(&budgets, &lamps, one, SECOND), 0);
    cg_budgets_fini(&budgets);
}

/* The two names are one key, and no pair of names makes another pair's. */
static void names_that_run_together_are_told_apart(void **state) {
    (void)state;
    struct cg_budgets budgets = {0};
    struct cg_mapping ab = {.name = "ab", .requests_per_minute = 1}, a = {.name = "a", .requests_per_minute = 1};
    assert_int_equal(take_all(&budgets, &ab, "c", SECOND), 1);
    assert_int_equal(take_all(&budgets, &a, "bc", SECOND), 1);
    cg_budgets_fini(&budgets);
}

static void who_must_wait_is_told_for_how_long(void **state) {
    (void)state;
    struct cg_budgets budgets = {0};
    uint32_t retry_after = 0;
    assert_int_equal(take_all(&budgets, &lamps, one, SECOND), 2);
    assert_int_equal(cg_budget_take(&budgets, &lamps, one, SECOND, &retry_after), CG_E_RATE);
    assert_int_equal(retry_after, 31); /* never too short */
    assert_int_equal(cg_budget_take(&budgets, &lamps, one, 21 * SECOND, &retry_after), CG_E_RATE);
    assert_int_equal(retry_after, 11);
    assert_int_equal(cg_budget_take(&budgets, &lamps, one, 32 * SECOND, &retry_after), CG_OK);
    cg_budgets_fini(&budgets);
}

static void each_client_has_so_many_exchanges(void **state) {
    (void)state;
    struct cg_budgets budgets = {0};
    struct cg_usage *usages[4], *none = NULL;
    assert_int_equal(cg_budget_enter(&budgets, one, CG_PLACE_EXCHANGE, 2, &usages[0]), CG_OK);
    assert_int_equal(cg_budget_enter(&budgets, one, CG_PLACE_EXCHANGE, 2, &usages[1]), CG_OK);
    assert_int_equal(cg_budget_enter(&budgets, one, CG_PLACE_EXCHANGE, 2, &none), CG_E_RATE);
    assert_null(none);
    assert_int_equal(cg_budget_enter(&budgets, other, CG_PLACE_EXCHANGE, 2, &usages[2]), CG_OK);
    assert_int_equal(cg_budget_enter(&budgets, nobody, CG_PLACE_EXCHANGE, 1, &usages[3]), CG_OK);
    assert_int_equal(cg_budget_enter(&budgets, nobody, CG_PLACE_EXCHANGE, 1, &none), CG_E_RATE);
    cg_budget_leave(&budgets, usages[1], CG_PLACE_EXCHANGE);
    assert_int_equal(cg_budget_enter(&budgets, one, CG_PLACE_EXCHANGE, 2, &usages[1]), CG_OK);
    for (size_t i = 0; i < 4; i++) cg_budget_leave(&budgets, usages[i], CG_PLACE_EXCHANGE);
    cg_budget_leave(&budgets, NULL, CG_PLACE_EXCHANGE);
    assert_int_equal(HASH_COUNT(budgets.usages), 1); /* of who has nothing running, the latest */
    assert_ptr_equal(budgets.usages, usages[3]);
    assert_int_equal(cg_budget_enter(&budgets, nobody, CG_PLACE_EXCHANGE, 1, &usages[0]), CG_OK);
    assert_int_equal(cg_budget_enter(&budgets, one, CG_PLACE_EXCHANGE, 1, &usages[1]), CG_OK);
    cg_budget_leave(&budgets, usages[1], CG_PLACE_EXCHANGE);
    assert_int_equal(cg_budget_running(&budgets, nobody, CG_PLACE_EXCHANGE), 1);
    cg_budget_leave(&budgets, usages[0], CG_PLACE_EXCHANGE);
    cg_budgets_fini(&budgets);
}

/* Strangers who change their address with each request fill no memory, and keep nobody out whom the settings name. */
static void there_is_an_end_to_strangers(void **state) {
    (void)state;
    struct cg_budgets budgets = {0};
    uint32_t retry_after;
    for (unsigned i = 0; i < CG_BUDGET_STRANGERS_MAX; i++) {
        char account[CG_ACCOUNT_MAX];
        snprintf(account, sizeof account, "@2001:db8:%x:%x::", i >> 8, i & 255);
        assert_int_equal(cg_budget_take(&budgets, &lamps, account, SECOND, &retry_after), CG_OK);
    }
    assert_int_equal(cg_budget_take(&budgets, &lamps, nobody, SECOND, &retry_after), CG_E_RATE);
    assert_int_equal(retry_after, 60);
    assert_int_equal(take_all(&budgets, &lamps, one, SECOND), 2);
    assert_int_equal(cg_budget_take(&budgets, &lamps, "@2001:db8:0:0::", SECOND, &retry_after), CG_OK);
    size_t rows = SIZE_MAX;
    assert_false(cg_budgets_purge(&budgets, 62 * SECOND, &rows));
    assert_int_equal(cg_budget_take(&budgets, &lamps, nobody, 62 * SECOND, &retry_after), CG_OK);
    cg_budgets_fini(&budgets);
}

static void expect_account(const char *address, const char *expected) {
    struct cg_request request = {0};
    char account[CG_ACCOUNT_MAX];
    if (address != NULL) assert_int_equal(cg_addr_parse_ip(&request.from, cg_slice_str(address)), CG_OK);
    cg_request_account(&request, account);
    assert_string_equal(account, expected);
}

static void who_is_not_known_counts_by_address(void **state) {
    (void)state;
    expect_account("192.0.2.4", "@192.0.2.4");
    expect_account("2001:db8:1:2:3:4:5:6", "@2001:db8:1:2::");
    expect_account("2001:db8:1:2:ffff::1", "@2001:db8:1:2::");
    expect_account(NULL, "@");
    struct cg_client client = {.name = "dashboard"};
    struct cg_request request = {.client = &client};
    char account[CG_ACCOUNT_MAX];
    assert_int_equal(cg_addr_parse_ip(&request.from, cg_slice_str("192.0.2.4")), CG_OK);
    cg_request_account(&request, account);
    assert_string_equal(account, "dashboard");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_client_has_a_bucket_of_its_own),
        cmocka_unit_test(each_mapping_has_a_bucket_of_its_own),
        cmocka_unit_test(names_that_run_together_are_told_apart),
        cmocka_unit_test(who_must_wait_is_told_for_how_long),
        cmocka_unit_test(each_client_has_so_many_exchanges),
        cmocka_unit_test(there_is_an_end_to_strangers),
        cmocka_unit_test(who_is_not_known_counts_by_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
