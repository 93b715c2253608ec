/* uthash as it is, beside base/hash.h: a table that doubles at once. */
#ifndef CG_BENCH_DOUBLING_TABLE_H
#define CG_BENCH_DOUBLING_TABLE_H

#include <stddef.h>

/* Adds `count` rows of `size` bytes to a table, then finds each; *longest_ns: CPU time of the longest addition,
 * *find_ns: of a look-up. */
void bench_fill_doubling(size_t count, size_t size, double *longest_ns, double *find_ns);

#endif
