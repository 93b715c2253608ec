/* Clocks and figures. The hard thing is to read another process's CPU time finely: /proc tells it in ticks of 10 ms,
 * its CPU clock in nanoseconds. */
#include "common/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    CG_CHECK(clock_gettime(clock, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_thread_ns(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

uint64_t bench_process_ns(pid_t process) {
    clockid_t clock;
    CG_CHECK(clock_getcpuclockid(process, &clock) == 0);
    return read_clock(clock);
}

uint64_t bench_wall_ns(void) { return read_clock(CLOCK_MONOTONIC); }

static int compare_doubles(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

double bench_percentile(double *values, size_t count, double percent) {
    qsort(values, count, sizeof *values, compare_doubles);
    size_t at = (size_t)((double)count * percent / 100);
    return values[at < count ? at : count - 1];
}

double bench_median(double *values, size_t count) { return bench_percentile(values, count, 50); }

void bench_put_row(const struct bench_row *row) {
    printf("%s\t%s\t%.9g\t%s\t%.9g\t%.4g\t%.4g\t%.4g\n", row->figure, row->unit, row->measured,
           row->beside == NULL ? "" : row->beside, row->peer, row->ratio, row->ratio_aim, row->figure_aim);
    fflush(stdout);
}

void bench_add_round(struct bench_rounds *rounds, double measured, double peer) {
    CG_CHECK(rounds->count < sizeof rounds->measured / sizeof rounds->measured[0]);
    rounds->measured[rounds->count] = measured;
    rounds->peer[rounds->count++] = peer;
}

void bench_put_rounds(const struct bench_rounds *rounds, struct bench_row row) {
    struct bench_rounds sorted = *rounds;
    double ratios[64];
    for (size_t i = 0; i < rounds->count; i++) ratios[i] = rounds->measured[i] / rounds->peer[i];
    row.measured = bench_median(sorted.measured, rounds->count);
    row.peer = bench_median(sorted.peer, rounds->count);
    row.ratio = bench_median(ratios, rounds->count);
    bench_put_row(&row);
}

bool bench_is_quick(int argc, char **argv) {
    if (argc == 1) return false;
    if (argc == 2 && strcmp(argv[1], "--quick") == 0) return true;
    fprintf(stderr, "%s [--quick]\n", argv[0]);
    exit(2);
}
