/* What is counted of mappings, clients and all, as exchanges end. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "recorder/figures.h"

static int64_t now_ms;
static int64_t clock_ms(void) { return now_ms++; }

struct fixture {
    struct world world;
    struct cg_figures *figures;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    world_init(&f->world);
    world_add_members(&f->world, world_mapping(&f->world, "lamps"), 3);
    world_start(&f->world);
    now_ms = 1796000000000;
    f->figures = cg_figures_new(f->world.gateway, clock_ms);
    assert_non_null(f->figures);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    world_fini(&f->world);
    cg_figures_free(f->figures);
    free(f);
    return 0;
}

#define figures_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* Two of three answer, one of them with an error. */
static void run_lamps(struct fixture *f) {
    struct call call;
    world_get(&f->world, &call, "/lamps/state");
    world_advance(&f->world, 12000);
    world_answer(&f->world, 0, "127.1.0.1:5683", "on");
    world_answer_as(&f->world, 0, "127.1.0.2:5683", (struct answer){.type = CG_NON, .code = CG_CODE(4, 4), .mid = 9});
    world_advance(&f->world, 3 * SECOND);
    assert_int_equal(call.replies, 1);
}

static void a_mappings_last_exchange_is_known(void **state) {
    struct fixture *f = *state;
    assert_null(cg_figures_before(f->figures, 0));
    run_lamps(f);
    const struct cg_figure *lamps = cg_figures_before(f->figures, 0);
    assert_non_null(lamps);
    assert_int_equal(lamps->of, CG_FIGURE_OF_MAPPING);
    assert_string_equal(lamps->name, "lamps");
    assert_int_equal(lamps->requests, 1);
    assert_int_equal(lamps->last_ms, 1796000000000);
    assert_int_equal(lamps->outcome, CG_OUTCOME_MISSING);
    assert_int_equal(lamps->answered, 2);
    assert_int_equal(lamps->expected, 3);
    assert_in_range(cg_figure_median_ms(lamps), 2000, 2012);
    assert_null(cg_figures_older(f->figures, lamps));
    assert_null(cg_figures_before(f->figures, lamps->number));
}

static void all_are_counted(void **state) {
    struct fixture *f = *state;
    struct call call;
    const struct cg_figure_counts *counts = cg_figures_counts(f->figures);
    run_lamps(f);
    world_get(&f->world, &call, "/nowhere");
    world_run(&f->world);
    assert_int_equal(counts->requests, 2);
    assert_int_equal(counts->refused, 1);
    assert_int_equal(counts->answers, 2);
    assert_int_equal(counts->failed, 1);
    assert_int_equal(counts->missing, 1);
    assert_string_equal(cg_figures_before(f->figures, 0)->name, "lamps"); /* and nowhere is no mapping */
}

static void the_median_is_of_the_latest_ones(void **state) {
    (void)state;
    struct cg_figure figure = {.requests = 3, .lasts = {9, 2, 5}};
    assert_int_equal(cg_figure_median_ms(&figure), 5);
    figure.requests = 1;
    assert_int_equal(cg_figure_median_ms(&figure), 9);
    figure.requests = 0;
    assert_int_equal(cg_figure_median_ms(&figure), 0);
    for (uint32_t i = 0; i < CG_FIGURE_LASTS; i++) figure.lasts[i] = 100 + i;
    figure.requests = 1000;
    assert_int_equal(cg_figure_median_ms(&figure), 100 + CG_FIGURE_LASTS / 2);
}

/* The latest used comes first, and each is in the list once. */
static void the_latest_used_is_first(void **state) {
    struct fixture *f = *state;
    struct call call;
    run_lamps(f);
    world_get(&f->world, &call, "/pair");
    world_advance(&f->world, 3 * SECOND);
    const struct cg_figure *first = cg_figures_before(f->figures, 0);
    assert_string_not_equal(first->name, "lamps");
    run_lamps(f);
    first = cg_figures_before(f->figures, 0);
    assert_string_equal(first->name, "lamps");
    assert_int_equal(first->requests, 2);
    assert_string_not_equal(cg_figures_older(f->figures, first)->name, "lamps");
    assert_null(cg_figures_older(f->figures, cg_figures_older(f->figures, first)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        figures_test(a_mappings_last_exchange_is_known),
        figures_test(all_are_counted),
        figures_test(the_median_is_of_the_latest_ones),
        figures_test(the_latest_used_is_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
