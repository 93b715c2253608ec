/* How long the loop is held when a table grows: the longest addition to one of 100 000 rows, as they are made when so
 * many mappings are asked for the first time, beside uthash, which doubles its tables at once. */
#include "base/hash.h"
#include "common/doubling_table.h"

void bench_fill_growing(size_t count, size_t size, double *longest_ns, double *find_ns);

#define BENCH_FILL bench_fill_growing
#include "common/fill_table.h"

enum { ROUNDS = 11, ROWS = 100000, ROW_BYTES = 128 };

int main(int argc, char **argv) {
    size_t rounds = bench_is_quick(argc, argv) ? 3 : ROUNDS;
    struct bench_rounds longest = {0}, look_ups = {0};
    for (size_t i = 0; i < rounds; i++) {
        double own_ns[2], peer_ns[2];
        bench_fill_growing(ROWS, ROW_BYTES, &own_ns[0], &own_ns[1]);
        bench_fill_doubling(ROWS, ROW_BYTES, &peer_ns[0], &peer_ns[1]);
        bench_add_round(&longest, own_ns[0] / 1e6, peer_ns[0] / 1e6);
        bench_add_round(&look_ups, own_ns[1], peer_ns[1]);
    }
    bench_put_rounds(&longest, (struct bench_row){.figure = "longest addition to a table of 100 000 rows",
                                                  .unit = "ms CPU",
                                                  .beside = "uthash, doubling",
                                                  .figure_aim = 1});
    bench_put_rounds(&look_ups, (struct bench_row){.figure = "look-up in a table of 100 000 rows",
                                                   .unit = "ns CPU",
                                                   .beside = "uthash, doubling"});
    return 0;
}
