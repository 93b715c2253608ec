/* A hash table without memory: what found none is not in it, what is in it stays, and what cannot grow is slower. */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_shortage.h"

struct item {
    int key;
    UT_hash_handle hh;
};

static struct item *find(struct item *table, int key) {
    struct item *item;
    HASH_FIND_INT(table, &key, item);
    return item;
}

static void an_item_without_memory_stays_out(void **state) {
    (void)state;
    enum { COUNT = 2000 }; /* the table grows several times */
    static struct item items[COUNT];
    struct item *table = NULL;
    unsigned out = 0;
    for (int i = 0; i < COUNT; i++) {
        items[i] = (struct item){.key = i};
        shortage_order(1, 3);
        HASH_ADD_INT(table, key, &items[i]);
        shortage_order(0, 0);
        assert_ptr_equal(find(table, i), CG_HASH_HAS(hh, &items[i]) ? &items[i] : NULL);
        if (CG_HASH_HAS(hh, &items[i])) continue;
        out++;
        HASH_ADD_INT(table, key, &items[i]);
        assert_true(CG_HASH_HAS(hh, &items[i]));
    }
    assert_int_equal(out, 1); /* the first, for which there was no table */
    assert_int_equal(HASH_COUNT(table), COUNT);
    for (int i = 0; i < COUNT; i++) assert_ptr_equal(find(table, i), &items[i]);
    HASH_CLEAR(hh, table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_without_memory_stays_out),
    };
    return cmocka_run_group_tests_name("shortage/hash", tests, NULL, NULL);
}
