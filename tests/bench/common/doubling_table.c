/* The same as in bench_table.c, without base/hash.h. */
#include "common/doubling_table.h"

#include <uthash.h>

#define BENCH_FILL bench_fill_doubling
#include "common/fill_table.h"
