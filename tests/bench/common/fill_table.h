/* What two kinds of table have in common, compiled once with each: define BENCH_FILL, include the kind of uthash. */
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "common/figures.h"

struct filled_row {
    UT_hash_handle hh;
    uint64_t key;
};

static uint64_t key_of(size_t number) { return number * UINT64_C(0x9e3779b97f4a7c15); }

static void free_rows(struct filled_row *table) {
    struct filled_row *row = table, *next;
    HASH_CLEAR(hh, table); /* leaves the rows as they are */
    for (; row != NULL; row = next) {
        next = row->hh.next;
        free(row);
    }
}

static double find_all(struct filled_row *table, size_t count) {
    uint64_t start_ns = bench_thread_ns();
    for (size_t i = 0; i < count; i++) {
        uint64_t key = key_of(i * 7919 % count);
        struct filled_row *row;
        HASH_FIND(hh, table, &key, sizeof key, row);
        CG_CHECK(row != NULL);
    }
    return (double)(bench_thread_ns() - start_ns) / (double)count;
}

void BENCH_FILL(size_t count, size_t size, double *longest_ns, double *find_ns) {
    struct filled_row *table = NULL;
    *longest_ns = 0;
    for (size_t i = 0; i < count; i++) {
        struct filled_row *row = calloc(1, sizeof *row + size);
        CG_CHECK(row != NULL);
        row->key = key_of(i);
        uint64_t start_ns = bench_thread_ns();
        HASH_ADD(hh, table, key, sizeof row->key, row);
        double took_ns = (double)(bench_thread_ns() - start_ns);
        if (took_ns > *longest_ns) *longest_ns = took_ns;
    }
    *find_ns = find_all(table, count);
    free_rows(table);
}
