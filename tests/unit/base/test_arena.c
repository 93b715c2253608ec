/* The arena: alignment, limits of its own and of the shared quota, and that everything is given back. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

static void allocations_are_aligned_and_apart(void **state) {
    (void)state;
    struct cg_arena arena;
    uint8_t *blocks[500];
    cg_arena_init(&arena, 1 << 20, NULL);
    for (size_t i = 0; i < 500; i++) {
        blocks[i] = cg_arena_alloc(&arena, i);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
        memset(blocks[i], (int)(i & 255), i);
    }
    for (size_t i = 0; i < 500; i++) {
        for (size_t k = 0; k < i; k++) assert_int_equal(blocks[i][k], i & 255);
    }
    cg_arena_fini(&arena);
    assert_int_equal(arena.used, 0);
}

static void zeroed_memory(void **state) {
    (void)state;
    struct cg_arena arena;
    cg_arena_init(&arena, 1 << 20, NULL);
    memset(cg_arena_alloc(&arena, 1000), 0xff, 1000);
    cg_arena_fini(&arena);
    const uint8_t *zeros = cg_arena_zalloc(&arena, 1000); /* and the arena may be used again */
    assert_non_null(zeros);
    for (size_t i = 0; i < 1000; i++) assert_int_equal(zeros[i], 0);
    cg_arena_fini(&arena);
}

static void own_limit(void **state) {
    (void)state;
    struct cg_arena arena;
    cg_arena_init(&arena, 10000, NULL);
    assert_null(cg_arena_alloc(&arena, 10001));
    assert_null(cg_arena_alloc(&arena, SIZE_MAX));
    assert_null(cg_arena_zalloc(&arena, SIZE_MAX));
    assert_int_equal(arena.used, 0);
    size_t got = 0;
    while (cg_arena_alloc(&arena, 100) != NULL) got += 100;
    assert_true(got > 8000); /* the limit is used, but for headers */
    assert_true(arena.used <= 10000);
    assert_null(cg_arena_alloc(&arena, 5000));
    cg_arena_fini(&arena);
    assert_non_null(cg_arena_alloc(&arena, 5000));
    cg_arena_fini(&arena);
}

static void shared_quota(void **state) {
    (void)state;
    struct cg_quota quota = {.max = 20000};
    struct cg_arena first, second;
    cg_arena_init(&first, 1 << 20, &quota);
    cg_arena_init(&second, 1 << 20, &quota);
    while (cg_arena_alloc(&first, 100) != NULL) assert_true(quota.used <= quota.max);
    assert_int_equal(quota.used, first.used);
    assert_null(cg_arena_alloc(&second, 2000));
    assert_int_equal(second.used, 0);
    cg_arena_fini(&first);
    assert_int_equal(quota.used, 0);
    assert_non_null(cg_arena_alloc(&second, 2000));
    assert_int_equal(quota.used, second.used);
    quota.max = 100; /* lowered while in use: refuses, and does not wrap around */
    assert_null(cg_arena_alloc(&first, 10));
    assert_null(cg_arena_alloc(&second, 100000));
    cg_arena_fini(&second);
    assert_int_equal(quota.used, 0);
}

static void large_allocations(void **state) {
    (void)state;
    struct cg_arena arena;
    cg_arena_init(&arena, 1 << 20, NULL);
    uint8_t *large = cg_arena_alloc(&arena, 500000);
    assert_non_null(large);
    memset(large, 1, 500000);
    assert_non_null(cg_arena_alloc(&arena, 10));
    cg_arena_fini(&arena);
}

static void copies(void **state) {
    (void)state;
    struct cg_arena arena;
    cg_arena_init(&arena, 4096, NULL);
    char text[] = "text";
    struct cg_slice copy = cg_arena_copy(&arena, cg_slice_str(text));
    text[0] = 'n';
    assert_true(cg_slice_is(copy, "text"));
    assert_int_equal(cg_arena_copy(&arena, CG_SLICE_NONE).len, 0);
    assert_int_equal(cg_arena_copy(&arena, cg_slice_str("")).len, 0);
    static const uint8_t large[8192];
    copy = cg_arena_copy(&arena, cg_slice_of(large, sizeof large));
    assert_null(copy.data);
    assert_int_equal(copy.len, 0);
    cg_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(zeroed_memory),
        cmocka_unit_test(own_limit),
        cmocka_unit_test(shared_quota),
        cmocka_unit_test(large_allocations),
        cmocka_unit_test(copies),
    };
    return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
