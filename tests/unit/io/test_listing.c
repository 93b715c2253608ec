/* Lists of what there is that are longer than one turn of the loop. */
#include "io/listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/container.h"

enum { COUNT = 3 * CG_LISTED_A_TURN };

struct fixture {
    uv_loop_t uv;
    struct cg_config *config;
    struct cg_grant grant;
    struct cg_target target;
    struct cg_request request;
    struct cg_listings *listings;
};

struct reader {
    struct cg_listing listing;
    struct fixture *fixture;
    unsigned told; /* links */
};

static void name_mappings(struct fixture *f) {
    f->config->mapping_count = COUNT;
    f->config->mappings = cg_arena_zalloc(&f->config->arena, COUNT * sizeof *f->config->mappings);
    assert_non_null(f->config->mappings);
    for (unsigned i = 0; i < COUNT; i++) {
        char name[16];
        struct cg_mapping *mapping = &f->config->mappings[i];
        int len = snprintf(name, sizeof name, "/m%u", i);
        struct cg_slice kept = cg_arena_copy(&f->config->arena, cg_slice_of(name, (size_t)len + 1));
        assert_non_null(kept.data);
        *mapping = (struct cg_mapping){.path = (const char *)kept.data,
                                       .name = (const char *)kept.data + 1,
                                       .grants = &f->grant,
                                       .grant_count = 1,
                                       .targets = &f->target,
                                       .target_count = 1};
    }
    assert_int_equal(cg_config_index(f->config), CG_OK);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(uv_loop_init(&f->uv), 0);
    f->grant.methods = CG_METHODS_SAFE;
    f->target.uri = "coap://224.0.1.187/";
    f->request.may_be_anonymous = true;
    f->config = cg_config_new();
    assert_non_null(f->config);
    name_mappings(f);
    f->listings = cg_listings_open(&f->uv);
    assert_non_null(f->listings);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    cg_listings_close(f->listings);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->uv), 0);
    cg_config_unref(f->config);
    free(f);
    return 0;
}

static void on_done(struct cg_listing *listing) {
    struct reader *reader = CG_CONTAINER(listing, struct reader, listing);
    struct cg_problem problem;
    struct cg_buf text;
    cg_buf_init(&text, 0);
    assert_int_equal(cg_links_end(listing->links, &text, &problem), CG_OK);
    for (size_t i = 0; i < text.len; i++) reader->told += text.data[i] == '<';
    cg_buf_fini(&text);
}

static void add(struct fixture *f, struct reader *reader) {
    struct cg_problem problem;
    *reader = (struct reader){.listing.done = on_done, .fixture = f};
    reader->listing.links = cg_links_begin(f->config, &f->request, &problem);
    assert_non_null(reader->listing.links);
    cg_listings_add(f->listings, &reader->listing);
}

static void a_long_list_takes_several_turns(void **state) {
    struct fixture *f = *state;
    struct reader reader;
    add(f, &reader);
    for (unsigned turn = 0; turn < COUNT / CG_LISTED_A_TURN; turn++) {
        assert_int_equal(reader.told, 0);
        uv_run(&f->uv, UV_RUN_NOWAIT);
    }
    assert_int_equal(reader.told, COUNT);
    assert_false(uv_loop_alive(&f->uv)); /* and nothing turns any more */
}

static void lists_take_turns(void **state) {
    struct fixture *f = *state;
    struct reader readers[2];
    for (size_t i = 0; i < 2; i++) add(f, &readers[i]);
    for (unsigned turn = 0; turn < 2 * COUNT / CG_LISTED_A_TURN - 1; turn++) uv_run(&f->uv, UV_RUN_NOWAIT);
    assert_int_equal(readers[0].told, COUNT);
    assert_int_equal(readers[1].told, 0);
    uv_run(&f->uv, UV_RUN_NOWAIT);
    assert_int_equal(readers[1].told, COUNT);
}

static void a_client_may_leave_meanwhile(void **state) {
    struct fixture *f = *state;
    struct reader leaves, stays;
    add(f, &leaves);
    add(f, &stays);
    uv_run(&f->uv, UV_RUN_NOWAIT);
    cg_listings_drop(&leaves.listing);
    cg_listings_drop(&leaves.listing);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_int_equal(leaves.told, 0);
    assert_int_equal(stays.told, COUNT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_long_list_takes_several_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_may_leave_meanwhile, setup, teardown),
    };
    return cmocka_run_group_tests_name("io/listing", tests, NULL, NULL);
}
