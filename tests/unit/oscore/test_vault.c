/* Key slots: zeroed when taken, wiped when given back, never handed out twice. */
#include "fake_group.h"

#include "oscore/vault.h"

#include <sodium.h>

static void test_slots(void **state) {
    (void)state;
    enum { COUNT = 1000 };
    static uint8_t *slots[COUNT];
    struct cg_vault vault = {.free = NULL};
    assert_true(sodium_init() >= 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            slots[i] = cg_vault_take(&vault);
            assert_non_null(slots[i]);
            assert_true(sodium_is_zero(slots[i], CG_COSE_KEY_MAX));
            memset(slots[i], 0xaa, CG_COSE_KEY_MAX);
            slots[i][0] = (uint8_t)i;
        }
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(slots[i][0], (uint8_t)i); /* nobody else writes there */
            cg_vault_give(&vault, slots[i]);
            assert_true(sodium_is_zero(slots[i] + sizeof(void *), CG_COSE_KEY_MAX - sizeof(void *)));
        }
    }
    cg_vault_give(&vault, NULL);
    assert_non_null(cg_vault_take(&vault));
    cg_vault_fini(&vault);
    assert_null(vault.free);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slots)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
