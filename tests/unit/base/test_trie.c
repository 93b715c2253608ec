/* Tries and the indexes on them: a copy keeps what it had, whatever is put into another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/index.h"

enum { ITEMS = 1000 };

static int things[ITEMS], others[ITEMS];

/* One after the other, spread, and alike but for the first bits. */
static uint32_t number_of(unsigned item, unsigned kind) {
    if (kind == 0) return item;
    return kind == 1 ? item * 2654435761u : item << 22 | 5;
}

static void *thing_at(const struct cg_trie *trie, uint32_t number) {
    void *thing = NULL;
    return cg_trie_find(trie, number, &thing) ? thing : NULL;
}

static void what_was_put_is_found(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        struct cg_arena arena;
        struct cg_trie trie = {0};
        cg_arena_init(&arena, SIZE_MAX, NULL);
        for (unsigned i = 0; i < ITEMS; i++) {
            assert_null(thing_at(&trie, number_of(i, kind)));
            assert_true(cg_trie_put(&trie, &arena, number_of(i, kind), &things[i]));
        }
        for (unsigned i = 0; i < ITEMS; i++) assert_ptr_equal(thing_at(&trie, number_of(i, kind)), &things[i]);
        assert_null(thing_at(&trie, 123456789));
        cg_arena_fini(&arena);
    }
}

static void a_copy_keeps_what_it_had(void **state) {
    (void)state;
    struct cg_arena arena;
    struct cg_trie trie = {0}, copies[ITEMS];
    cg_arena_init(&arena, SIZE_MAX, NULL);
    for (unsigned i = 0; i < ITEMS; i++) assert_true(cg_trie_put(&trie, &arena, number_of(i, 1), &things[i]));
    for (unsigned i = 0; i < ITEMS; i++) {
        copies[i] = trie;
        assert_true(cg_trie_put(&trie, &arena, number_of(i, 1), &others[i]));
    }
    for (unsigned i = 0; i < ITEMS; i++) {
        if (i > 0) assert_ptr_equal(thing_at(&copies[i], number_of(i - 1, 1)), &others[i - 1]);
        assert_ptr_equal(thing_at(&copies[i], number_of(i, 1)), &things[i]);
        assert_ptr_equal(thing_at(&trie, number_of(i, 1)), &others[i]);
    }
    cg_arena_fini(&arena);
}

static void nothing_may_be_put_and_is_found(void **state) {
    (void)state;
    struct cg_arena arena;
    struct cg_trie trie = {0};
    void *thing = things;
    cg_arena_init(&arena, SIZE_MAX, NULL);
    assert_true(cg_trie_put(&trie, &arena, 7, NULL));
    assert_true(cg_trie_find(&trie, 7, &thing));
    assert_null(thing);
    assert_false(cg_trie_find(&trie, 8, &thing));
    cg_arena_fini(&arena);
}

static void without_memory_nothing_changes(void **state) {
    (void)state;
    struct cg_arena arena;
    struct cg_trie trie = {0};
    cg_arena_init(&arena, 4096, NULL);
    unsigned put = 0;
    while (put < ITEMS && cg_trie_put(&trie, &arena, put, &things[put])) put++;
    assert_true(put > 0 && put < ITEMS);
    assert_null(thing_at(&trie, put));
    for (unsigned i = 0; i < put; i++) assert_ptr_equal(thing_at(&trie, i), &things[i]);
    cg_arena_fini(&arena);
}

static void adding_costs_by_the_logarithm(void **state) {
    (void)state;
    struct cg_arena arena;
    struct cg_trie trie = {0};
    cg_arena_init(&arena, SIZE_MAX, NULL);
    for (unsigned i = 0; i < 100000; i++) assert_true(cg_trie_put(&trie, &arena, number_of(i, 1), &things[0]));
    size_t before = arena.used;
    for (unsigned i = 0; i < 1000; i++) assert_true(cg_trie_put(&trie, &arena, number_of(i, 1), &things[1]));
    assert_true(arena.used - before < 1000 * 1024);
    cg_arena_fini(&arena);
}

static unsigned found(const struct cg_index *index, uint32_t hash, uint32_t wanted) {
    unsigned times = 0;
    uint32_t item;
    struct cg_index_look look = cg_index_look(index, hash);
    while (cg_index_next(&look, &item)) times += item == wanted;
    return times;
}

static void an_index_has_its_table_and_what_came_since(void **state) {
    (void)state;
    struct cg_arena arena;
    struct cg_index index, before;
    cg_arena_init(&arena, SIZE_MAX, NULL);
    assert_true(cg_index_init(&index, &arena, 3));
    for (uint32_t i = 0; i < 3; i++) cg_index_fill(&index, 7, i);
    before = index;
    for (uint32_t i = 0; i < 6; i++) assert_true(cg_index_add(&index, &arena, 7, i));
    assert_true(cg_index_add(&index, &arena, 8, 6));
    for (uint32_t i = 0; i < 6; i++) assert_int_equal(found(&index, 7, i), 1);
    assert_int_equal(found(&index, 8, 6), 1);
    assert_int_equal(found(&index, 9, 6), 0);
    assert_int_equal(found(&before, 7, 2), 1);
    assert_int_equal(found(&before, 7, 3), 0);
    cg_arena_fini(&arena);
}

static void an_index_without_a_table_takes_more(void **state) {
    (void)state;
    struct cg_arena arena;
    struct cg_index index = {0};
    cg_arena_init(&arena, SIZE_MAX, NULL);
    assert_int_equal(found(&index, 0, 0), 0);
    assert_true(cg_index_add(&index, &arena, 0, 0));
    assert_int_equal(found(&index, 0, 0), 1);
    cg_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found),
        cmocka_unit_test(a_copy_keeps_what_it_had),
        cmocka_unit_test(nothing_may_be_put_and_is_found),
        cmocka_unit_test(without_memory_nothing_changes),
        cmocka_unit_test(adding_costs_by_the_logarithm),
        cmocka_unit_test(an_index_has_its_table_and_what_came_since),
        cmocka_unit_test(an_index_without_a_table_takes_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
