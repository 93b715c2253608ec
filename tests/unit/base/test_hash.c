/* Hash tables that grow by a bucket at a time: whatever has come and gone, what is there is found and nothing else. */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { COUNT = 20000, FIRST = 32 /* buckets that a table begins with */ };

struct item {
    uint32_t key;
    UT_hash_handle hh;
};

struct hall {
    struct item *table;
    struct item items[COUNT];
};

static struct item *find(struct hall *hall, uint32_t key) {
    struct item *item;
    HASH_FIND(hh, hall->table, &key, sizeof key, item);
    return item;
}

static void add(struct hall *hall, uint32_t key) {
    struct item *item = &hall->items[key];
    item->key = key;
    HASH_ADD(hh, hall->table, key, sizeof item->key, item);
    assert_true(CG_HASH_HAS(hh, item));
}

static void add_with_hash(struct hall *hall, uint32_t key, unsigned hash) {
    struct item *item = &hall->items[key];
    item->key = key;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, hall->table, &item->key, sizeof item->key, hash, item);
}

static unsigned buckets_of(const struct hall *hall) { return hall->table->hh.tbl->num_buckets; }

static unsigned longest_chain(const struct hall *hall) {
    unsigned longest = 0;
    for (unsigned i = 0; i < buckets_of(hall); i++) {
        unsigned count = hall->table->hh.tbl->buckets[i].count;
        if (count > longest) longest = count;
    }
    return longest;
}

static int setup(void **state) {
    *state = calloc(1, sizeof(struct hall));
    return *state == NULL;
}

static int teardown(void **state) {
    struct hall *hall = *state;
    HASH_CLEAR(hh, hall->table);
    free(hall);
    return 0;
}

static void one_bucket_comes_at_a_time(void **state) {
    struct hall *hall = *state;
    add(hall, 0);
    assert_int_equal(buckets_of(hall), FIRST);
    for (uint32_t i = 1; i < COUNT; i++) {
        unsigned before = buckets_of(hall);
        add(hall, i);
        assert_in_range(buckets_of(hall), before, before + 1);
    }
    assert_in_range(buckets_of(hall), COUNT / 4, COUNT / 2); /* as many as keep chains short */
    assert_true(longest_chain(hall) < 20);
    for (uint32_t i = 0; i < COUNT; i++) assert_ptr_equal(find(hall, i), &hall->items[i]);
    assert_null(find(hall, COUNT));
}

static void what_goes_while_it_grows_is_not_found(void **state) {
    struct hall *hall = *state;
    for (uint32_t i = 0; i < COUNT; i++) {
        add(hall, i);
        if (i % 3 == 2) HASH_DELETE(hh, hall->table, &hall->items[i - 1]);
        if (i % 1000 != 999) continue;
        for (uint32_t k = 0; k < i; k++) assert_ptr_equal(find(hall, k), k % 3 == 1 ? NULL : &hall->items[k]);
    }
    assert_int_equal(HASH_COUNT(hall->table), COUNT - COUNT / 3);
}

static void the_order_of_coming_stays(void **state) {
    struct hall *hall = *state;
    uint32_t next = 0;
    for (uint32_t i = 0; i < COUNT; i++) add(hall, i);
    for (struct item *item = hall->table; item != NULL; item = item->hh.next) assert_int_equal(item->key, next++);
    assert_int_equal(next, COUNT);
}

/* However often they come and go. */
static void equal_hashes_make_no_buckets(void **state) {
    struct hall *hall = *state;
    for (uint32_t i = 0; i < 100; i++) add_with_hash(hall, i, 77);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct item *item = &hall->items[i % 99];
        HASH_DELETE(hh, hall->table, item);
        add_with_hash(hall, i % 99, 77);
    }
    assert_in_range(buckets_of(hall), FIRST, 51);
    assert_int_equal(longest_chain(hall), 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_bucket_comes_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(what_goes_while_it_grows_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(the_order_of_coming_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_hashes_make_no_buckets, setup, teardown),
    };
    return cmocka_run_group_tests_name("base/hash", tests, NULL, NULL);
}
