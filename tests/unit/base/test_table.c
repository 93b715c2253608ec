/* Indexes: found is what was added, whatever its hash, and a search for anything else ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/table.h"

enum { ITEMS = 1000 };

static unsigned found(const struct cg_table *table, uint32_t hash, uint32_t wanted) {
    unsigned times = 0;
    uint32_t item;
    for (uint32_t at = hash; cg_table_next(table, hash, &at, &item);) times += item == wanted;
    return times;
}

/* All different, all the same, and all at the end of the array. */
static uint32_t hash_of(uint32_t item, unsigned kind) {
    if (kind == 0) return item * 2654435761u;
    return kind == 1 ? 7 : UINT32_MAX - item % 2;
}

static void what_was_added_is_found_once(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        for (uint32_t count = 1; count <= ITEMS; count = count * 3 + 1) {
            struct cg_arena arena;
            struct cg_table table;
            cg_arena_init(&arena, SIZE_MAX, NULL);
            assert_true(cg_table_init(&table, &arena, count));
            for (uint32_t i = 0; i < count; i++) cg_table_add(&table, hash_of(i, kind), i);
            for (uint32_t i = 0; i < count; i++) assert_int_equal(found(&table, hash_of(i, kind), i), 1);
            assert_int_equal(found(&table, 12345, 0), 0);
            cg_arena_fini(&arena);
        }
    }
}

static void nothing_is_found_in_an_empty_table(void **state) {
    (void)state;
    struct cg_table table;
    struct cg_arena arena;
    cg_arena_init(&arena, SIZE_MAX, NULL);
    assert_true(cg_table_init(&table, &arena, 0));
    assert_int_equal(found(&table, 0, 0), 0);
    assert_int_equal(arena.used, 0);
}

static void a_table_without_memory_is_none(void **state) {
    (void)state;
    struct cg_table table;
    struct cg_arena arena;
    cg_arena_init(&arena, 64, NULL);
    assert_false(cg_table_init(&table, &arena, ITEMS));
    assert_int_equal(found(&table, 0, 0), 0);
    cg_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_once),
        cmocka_unit_test(nothing_is_found_in_an_empty_table),
        cmocka_unit_test(a_table_without_memory_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
