/* What every benchmark needs to give a figure: clocks, medians, and one row of the table.
 *
 * Two figures are only compared when they were taken in the same run, in alternating rounds; the ratio is the median of
 * the rounds' ratios. */
#ifndef CG_BENCH_FIGURES_H
#define CG_BENCH_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

uint64_t bench_thread_ns(void);           /* CPU time of this thread */
uint64_t bench_process_ns(pid_t process); /* CPU time of another process, user and system, all its threads */
uint64_t bench_wall_ns(void);             /* CLOCK_MONOTONIC: the same for all processes */

/* Both sort `values`. */
double bench_median(double *values, size_t count);
double bench_percentile(double *values, size_t count, double percent);

/* One line of the table, tab-separated on stdout, for tests/bench/run. */
struct bench_row {
    const char *figure;
    const char *unit;
    double measured;
    const char *beside; /* what `peer` is; NULL: nothing stands beside it */
    double peer;
    double ratio;      /* 0: none */
    double ratio_aim;  /* what the ratio is to stay at or below; 0: no aim */
    double figure_aim; /* the same for `measured` */
};
void bench_put_row(const struct bench_row *row);

/* The rows' figures of one comparison: medians of both sides and of the rounds' ratios. At most 64 rounds. */
struct bench_rounds {
    double measured[64], peer[64];
    size_t count;
};
void bench_add_round(struct bench_rounds *rounds, double measured, double peer);
/* Fills in measured, peer and ratio. */
void bench_put_rounds(const struct bench_rounds *rounds, struct bench_row row);

/* "--quick" on the command line: fewer rounds, for a look. Anything else there ends the program. */
bool bench_is_quick(int argc, char **argv);

#endif
