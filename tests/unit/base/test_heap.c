/* The deadline heap against a plain array that is searched. */
#include "base/heap.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

static uint64_t random_state = 88172645463325252u;

static uint32_t random_below(uint32_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % bound;
}

/* How many hang together here, each no earlier than the one above it. */
static size_t count_below(const struct cg_deadline *parent) {
    size_t count = 0;
    const struct cg_deadline *before = parent;
    for (const struct cg_deadline *child = parent->child; child != NULL; child = child->next) {
        assert_ptr_equal(child->previous, before);
        assert_true(child->is_set && child->at_us >= parent->at_us);
        count += 1 + count_below(child);
        before = child;
    }
    return count;
}

static size_t count_all(const struct cg_heap *heap) {
    const struct cg_deadline *first = cg_heap_first(heap);
    if (first == NULL) return 0;
    assert_null(first->previous);
    assert_null(first->next);
    return 1 + count_below(first);
}

static void in_order(void **state) {
    (void)state;
    struct cg_heap heap;
    struct cg_deadline entries[300] = {0};
    cg_heap_init(&heap);
    assert_null(cg_heap_first(&heap));
    for (size_t i = 0; i < 300; i++) cg_heap_set(&heap, &entries[i], (i * 7919) % 300);
    for (uint64_t expected = 0; expected < 300; expected++) {
        struct cg_deadline *first = cg_heap_first(&heap);
        assert_non_null(first);
        assert_int_equal(first->at_us, expected);
        cg_heap_remove(&heap, first);
        assert_false(first->is_set);
    }
    assert_null(cg_heap_first(&heap));
    cg_heap_fini(&heap);
}

static void moving(void **state) {
    (void)state;
    struct cg_heap heap;
    struct cg_deadline a = {0}, b = {0}, c = {0};
    cg_heap_init(&heap);
    cg_heap_set(&heap, &a, 10);
    cg_heap_set(&heap, &b, 20);
    cg_heap_set(&heap, &c, 30);
    cg_heap_set(&heap, &c, 5); /* moved, not added */
    assert_int_equal(count_all(&heap), 3);
    assert_ptr_equal(cg_heap_first(&heap), &c);
    cg_heap_set(&heap, &c, UINT64_MAX);
    assert_ptr_equal(cg_heap_first(&heap), &a);
    cg_heap_remove(&heap, &a);
    cg_heap_remove(&heap, &a); /* not in it: no effect */
    assert_int_equal(count_all(&heap), 2);
    assert_ptr_equal(cg_heap_first(&heap), &b);
    cg_heap_fini(&heap);
}

static const struct cg_deadline *earliest(const struct cg_deadline *entries, size_t count) {
    const struct cg_deadline *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].is_set && (best == NULL || entries[i].at_us < best->at_us)) best = &entries[i];
    }
    return best;
}

static void random_operations(void **state) {
    (void)state;
    struct cg_heap heap;
    struct cg_deadline entries[150] = {0};
    cg_heap_init(&heap);
    for (int round = 0; round < 20000; round++) {
        struct cg_deadline *entry = &entries[random_below(150)];
        if (random_below(3) == 0) {
            cg_heap_remove(&heap, entry);
        } else {
            cg_heap_set(&heap, entry, random_below(50)); /* many equal ones */
        }
        const struct cg_deadline *first = cg_heap_first(&heap), *best = earliest(entries, 150);
        assert_int_equal(first == NULL, best == NULL);
        if (first != NULL) assert_int_equal(first->at_us, best->at_us);
        size_t in = 0;
        for (size_t i = 0; i < 150; i++) in += entries[i].is_set;
        assert_int_equal(in, count_all(&heap));
        assert_int_equal(in, heap.len);
    }
    cg_heap_fini(&heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),
        cmocka_unit_test(moving),
        cmocka_unit_test(random_operations),
    };
    return cmocka_run_group_tests_name("base/heap", tests, NULL, NULL);
}
