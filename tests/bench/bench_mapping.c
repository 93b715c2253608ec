/* Whether finding a request's mapping depends on how many there are. The hard thing: with many, the look-up's cost is
 * the cache's, so the paths are asked for in an order that no prefetcher guesses. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "common/figures.h"
#include "model/mapping.h"

enum { ROUNDS = 31, LOOKUPS = 20000, SIZES = 3 };

static const size_t sizes[SIZES] = {10, 1000, 100000};

static void put_path(char path[64], size_t number) {
    snprintf(path, 64, "/building/floor%zu/room%zu", number / 100, number);
}

static struct cg_config *make_config(size_t count) {
    struct cg_config *config = cg_config_new();
    CG_CHECK(config != NULL);
    config->mappings = cg_arena_zalloc(&config->arena, count * sizeof *config->mappings);
    CG_CHECK(config->mappings != NULL);
    config->mapping_count = count;
    for (size_t i = 0; i < count; i++) {
        char path[64];
        put_path(path, i);
        struct cg_slice kept = cg_arena_copy(&config->arena, cg_slice_of(path, strlen(path) + 1));
        CG_CHECK(kept.data != NULL);
        config->mappings[i].path = (const char *)kept.data;
        config->mappings[i].name = config->mappings[i].path + 1;
    }
    CG_CHECK(cg_config_index(config) == CG_OK);
    return config;
}

/* CPU ns a look-up. */
static double look_up(const struct cg_config *config, char (*paths)[64]) {
    uint64_t start_ns = bench_thread_ns();
    for (size_t i = 0; i < LOOKUPS; i++) {
        struct cg_slice rest;
        CG_CHECK(cg_mapping_find(config, CG_SLICE_NONE, cg_slice_str(paths[i]), &rest) != NULL);
    }
    return (double)(bench_thread_ns() - start_ns) / LOOKUPS;
}

int main(int argc, char **argv) {
    static char paths[SIZES][LOOKUPS][64];
    struct cg_config *configs[SIZES];
    struct bench_rounds rounds[SIZES] = {0};
    size_t count = bench_is_quick(argc, argv) ? 9 : ROUNDS;
    uint32_t random = 1;
    for (int i = 0; i < SIZES; i++) {
        configs[i] = make_config(sizes[i]);
        for (size_t j = 0; j < LOOKUPS; j++) {
            random = random * 1664525 + 1013904223;
            put_path(paths[i][j], (random >> 8) % sizes[i]);
            strcat(paths[i][j], "/lights/status");
        }
    }
    for (size_t round = 0; round < count; round++) {
        double first_ns = look_up(configs[0], paths[0]);
        for (int i = 1; i < SIZES; i++) bench_add_round(&rounds[i], look_up(configs[i], paths[i]), first_ns);
    }
    for (int i = 1; i < SIZES; i++) {
        char figure[64];
        snprintf(figure, sizeof figure, "mapping look-up among %zu", sizes[i]);
        bench_put_rounds(&rounds[i], (struct bench_row){.figure = figure, .unit = "ns", .beside = "among 10"});
    }
    for (int i = 0; i < SIZES; i++) cg_config_unref(configs[i]);
    return 0;
}
