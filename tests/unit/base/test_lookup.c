/* The index that grows. */
#include "base/lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 5000 };

/* So that some have a hash in common, and many a slot. */
static uint32_t hash_of(uint32_t number) { return number / 2 * 4096; }

static uint32_t *find(const struct cg_lookup *lookup, uint32_t number) {
    uint32_t *item;
    for (uint32_t at = hash_of(number); (item = cg_lookup_next(lookup, hash_of(number), &at)) != NULL;) {
        if (*item == number) return item;
    }
    return NULL;
}

static void test_nothing_is_found_in_an_empty_one(void **state) {
    struct cg_lookup lookup = {0};
    (void)state;
    assert_null(find(&lookup, 1));
    cg_lookup_fini(&lookup);
}

static void test_all_are_found_however_it_grew(void **state) {
    struct cg_lookup lookup = {0};
    uint32_t *numbers = calloc(MANY, sizeof *numbers);
    (void)state;
    assert_non_null(numbers);
    for (uint32_t i = 0; i < MANY; i++) {
        numbers[i] = i;
        assert_null(find(&lookup, i));
        assert_true(cg_lookup_add(&lookup, hash_of(i), &numbers[i]));
        assert_ptr_equal(find(&lookup, i), &numbers[i]);
    }
    for (uint32_t i = 0; i < MANY; i++) assert_ptr_equal(find(&lookup, i), &numbers[i]);
    assert_null(find(&lookup, MANY));
    assert_int_equal(lookup.used, MANY);
    cg_lookup_fini(&lookup);
    assert_null(find(&lookup, 1));
    free(numbers);
}

/* At the end of the array the search goes on at its beginning. */
static void test_the_last_slot_is_followed_by_the_first(void **state) {
    struct cg_lookup lookup = {0};
    int a, b, c;
    uint32_t at = UINT32_MAX;
    (void)state;
    assert_true(cg_lookup_add(&lookup, UINT32_MAX, &a));
    assert_true(cg_lookup_add(&lookup, UINT32_MAX, &b));
    assert_true(cg_lookup_add(&lookup, 0, &c));
    assert_ptr_equal(cg_lookup_next(&lookup, UINT32_MAX, &at), &a);
    assert_ptr_equal(cg_lookup_next(&lookup, UINT32_MAX, &at), &b);
    assert_null(cg_lookup_next(&lookup, UINT32_MAX, &at));
    at = 0;
    assert_ptr_equal(cg_lookup_next(&lookup, 0, &at), &c);
    cg_lookup_fini(&lookup);
}

static void test_what_is_removed_hides_nothing_else(void **state) {
    struct cg_lookup lookup = {0};
    uint32_t *numbers = calloc(MANY, sizeof *numbers);
    (void)state;
    assert_non_null(numbers);
    for (uint32_t i = 0; i < MANY; i++) {
        numbers[i] = i;
        assert_true(cg_lookup_add(&lookup, hash_of(i), &numbers[i]));
    }
    for (uint32_t i = 0; i < MANY; i += 2) cg_lookup_remove(&lookup, hash_of(i), &numbers[i]);
    for (uint32_t i = 0; i < MANY; i++) assert_ptr_equal(find(&lookup, i), i % 2 == 0 ? NULL : &numbers[i]);
    assert_int_equal(lookup.used, MANY / 2);
    for (uint32_t i = 0; i < MANY; i += 2) assert_true(cg_lookup_add(&lookup, hash_of(i), &numbers[i]));
    for (uint32_t i = 0; i < MANY; i++) assert_ptr_equal(find(&lookup, i), &numbers[i]);
    cg_lookup_fini(&lookup);
    free(numbers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_found_in_an_empty_one),
        cmocka_unit_test(test_all_are_found_however_it_grew),
        cmocka_unit_test(test_what_is_removed_hides_nothing_else),
        cmocka_unit_test(test_the_last_slot_is_followed_by_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
