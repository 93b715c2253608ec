/* Paths to mappings: boundaries, precedence, normalisation, many mappings, hostile paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "model/mapping.h"

static const char *keep(struct cg_config *config, const char *text) {
    struct cg_slice copy = cg_arena_copy(&config->arena, cg_slice_of(text, strlen(text) + 1));
    assert_non_null(copy.data);
    return (const char *)copy.data;
}

static struct cg_config *with_room(size_t count) {
    struct cg_config *config = cg_config_new();
    assert_non_null(config);
    config->mappings = cg_arena_zalloc(&config->arena, count * sizeof *config->mappings);
    assert_non_null(config->mappings);
    return config;
}

static void add(struct cg_config *config, const char *host, const char *path) {
    struct cg_mapping *mapping = &config->mappings[config->mapping_count];
    char name[32];
    snprintf(name, sizeof name, "m%zu", config->mapping_count++);
    mapping->name = keep(config, name);
    mapping->host = host == NULL ? NULL : keep(config, host);
    mapping->path = keep(config, path);
}

/* The name of what is found, or "-"; the rest in *rest. */
static const char *find(const struct cg_config *config, const char *host, const char *path, struct cg_slice *rest) {
    *rest = CG_SLICE_NONE;
    const struct cg_mapping *mapping = cg_mapping_find(config, cg_slice_str(host), cg_slice_str(path), rest);
    return mapping == NULL ? "-" : mapping->name;
}

static void prefixes_end_at_slashes_and_the_longest_wins(void **state) {
    (void)state;
    struct cg_config *config = with_room(4);
    add(config, NULL, "/floor3");
    add(config, NULL, "/floor3/east");
    add(config, NULL, "/a%2Fb");
    add(config, NULL, "/x~y");
    assert_int_equal(cg_config_index(config), CG_OK);
    static const struct {
        const char *path, *name, *rest;
    } table[] = {
        {"/floor3", "m0", ""},
        {"/floor3/", "m0", "/"},
        {"/floor3//", "m0", "//"},
        {"/floor3/light/1", "m0", "/light/1"},
        {"/floor33", "-", NULL},
        {"/floor", "-", NULL},
        {"/floor3%2Feast", "-", NULL}, /* an encoded slash is data */
        {"/floor3/east", "m1", ""},
        {"/floor3/east/light", "m1", "/light"},
        {"/floor3/eastern", "m0", "/eastern"},
        {"/floor3/%65ast/%41", "m1", "/%41"}, /* the rest stays raw */
        {"/%66loor3/light", "m0", "/light"},
        {"/a%2Fb/c", "m2", "/c"},
        {"/a%2fb/c", "m2", "/c"},
        {"/a/b/c", "-", NULL},
        {"/x%7ey", "m3", ""},
        {"/x%7Ey/z%2f", "m3", "/z%2f"},
        {"/Floor3", "-", NULL},
        {"//floor3", "-", NULL},
        {"/", "-", NULL},
        {"", "-", NULL},
        {"floor3", "-", NULL},
        {"/floor3%", "-", NULL},
        {"/%zz", "-", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct cg_slice rest;
        assert_string_equal(find(config, "", table[i].path, &rest), table[i].name);
        if (table[i].rest != NULL) assert_true(cg_slice_is(rest, table[i].rest));
    }
    cg_config_unref(config);
}

static void the_root_takes_what_nothing_else_does(void **state) {
    (void)state;
    struct cg_config *config = with_room(2);
    add(config, NULL, "");
    add(config, NULL, "/a");
    assert_int_equal(cg_config_index(config), CG_OK);
    struct cg_slice rest;
    assert_string_equal(find(config, "h", "/", &rest), "m0");
    assert_true(cg_slice_is(rest, "/"));
    assert_string_equal(find(config, "h", "/ab/c", &rest), "m0");
    assert_true(cg_slice_is(rest, "/ab/c"));
    assert_string_equal(find(config, "h", "/a/c", &rest), "m1");
    assert_true(cg_slice_is(rest, "/c"));
    cg_config_unref(config);
}

static void a_host_of_its_own_wins_over_a_longer_path(void **state) {
    (void)state;
    struct cg_config *config = with_room(5);
    add(config, NULL, "/a/b/c");
    add(config, "one.example", "/a");
    add(config, "two.example", "/a");
    add(config, "one.example", "/a/b");
    add(config, "root.example", "");
    assert_int_equal(cg_config_index(config), CG_OK);
    struct cg_slice rest;
    assert_string_equal(find(config, "one.example", "/a/b/c", &rest), "m3");
    assert_true(cg_slice_is(rest, "/c"));
    assert_string_equal(find(config, "two.example", "/a/b/c", &rest), "m2");
    assert_string_equal(find(config, "", "/a/b/c", &rest), "m0");
    assert_string_equal(find(config, "other.example", "/a/b/c", &rest), "m0");
    assert_string_equal(find(config, "other.example", "/a/b", &rest), "-");
    assert_string_equal(find(config, "root.example", "/a/b/c", &rest), "m4");
    assert_true(cg_slice_is(rest, "/a/b/c"));
    char endless[4096];
    memset(endless, 'h', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    assert_string_equal(find(config, endless, "/a/b/c", &rest), "m0");
    cg_config_unref(config);
}

static void the_longest_host_is_a_host(void **state) {
    (void)state;
    char longest[CG_MAPPING_HOST_MAX + 2];
    memset(longest, 'h', sizeof longest);
    longest[CG_MAPPING_HOST_MAX] = '\0';
    struct cg_config *config = with_room(2);
    add(config, NULL, "/a");
    add(config, longest, "/a");
    assert_int_equal(cg_config_index(config), CG_OK);
    struct cg_slice rest;
    assert_string_equal(find(config, longest, "/a", &rest), "m1");
    longest[CG_MAPPING_HOST_MAX] = 'h';
    longest[CG_MAPPING_HOST_MAX + 1] = '\0';
    assert_string_equal(find(config, longest, "/a", &rest), "m0");
    cg_config_unref(config);
}

static void nothing_matches_in_an_empty_table(void **state) {
    (void)state;
    struct cg_config *config = cg_config_new();
    assert_int_equal(cg_config_index(config), CG_OK);
    struct cg_slice rest;
    assert_string_equal(find(config, "h", "/a", &rest), "-");
    assert_null(cg_mapping_by_name(config, "a"));
    cg_config_unref(config);
}

static void any_number_of_mappings(void **state) {
    (void)state;
    static const size_t counts[] = {10, 1000, 100000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        struct cg_config *config = with_room(counts[c]);
        char path[64], name[32];
        for (size_t i = 0; i < counts[c]; i++) {
            snprintf(path, sizeof path, "/building%zu/floor%zu", i / 10, i % 10);
            add(config, NULL, path);
        }
        assert_int_equal(cg_config_index(config), CG_OK);
        for (size_t i = 0; i < counts[c]; i += counts[c] / 10) {
            struct cg_slice rest;
            snprintf(path, sizeof path, "/building%zu/floor%zu/light?", i / 10, i % 10);
            snprintf(name, sizeof name, "m%zu", i);
            assert_string_equal(find(config, "gw.example", path, &rest), name);
            assert_true(cg_slice_is(rest, "/light?"));
            assert_ptr_equal(cg_mapping_by_name(config, name), &config->mappings[i]);
            assert_int_equal(config->mappings[i].number, i);
        }
        assert_null(cg_mapping_by_name(config, "m100000"));
        cg_config_unref(config);
    }
}

/* Every boundary a candidate, every prefix a mapping, every byte encoded: quadratic work would take minutes here. */
static void hostile_paths_cost_no_more_than_their_length(void **state) {
    (void)state;
    enum { DEPTH = CG_MAPPING_PATH_MAX / 2, ROUNDS = 2000, LONG = 1 << 16 };
    struct cg_config *config = with_room(DEPTH);
    char path[CG_MAPPING_PATH_MAX + 1] = "";
    for (size_t i = 0; i < DEPTH; i++) {
        strcat(path, "/a");
        add(config, NULL, path);
    }
    assert_int_equal(cg_config_index(config), CG_OK);
    assert_int_equal(config->longest_path, CG_MAPPING_PATH_MAX);
    char *slashes = malloc(LONG + 1), *encoded = malloc(LONG + 1);
    assert_non_null(slashes);
    assert_non_null(encoded);
    memset(slashes, '/', LONG);
    for (size_t i = 0; i < LONG; i += 4) memcpy(encoded + i, "/%61", 4);
    slashes[LONG] = encoded[LONG] = '\0';
    struct cg_slice rest;
    for (size_t i = 0; i < ROUNDS; i++) {
        assert_string_equal(find(config, "h", slashes, &rest), "-");
        assert_string_equal(find(config, "h", encoded, &rest), "m511");
        assert_int_equal(rest.len, LONG - 4 * DEPTH);
    }
    assert_string_equal(find(config, "h", path, &rest), "m511");
    assert_int_equal(rest.len, 0);
    free(slashes);
    free(encoded);
    cg_config_unref(config);
}

static void paths_become_normal(void **state) {
    (void)state;
    static const struct {
        const char *path, *normal; /* NULL: refused */
    } table[] = {
        {"/a%7eb", "/a~b"},   {"/%2f", "/%2F"},       {"/%2F%2e", "/%2F."}, {"/%41%5A%30", "/AZ0"},
        {"/%2541", "/%2541"}, {"/%C3%a4", "/%C3%A4"}, {"/%00", "/%00"},     {"", ""},
        {"/a//b/", "/a//b/"}, {"/%", NULL},           {"/%4", NULL},        {"/%g1", NULL},
        {"/%1g", NULL},       {"/%%41", NULL},        {"/ok%", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct cg_buf once, twice;
        cg_buf_init(&once, 0);
        cg_buf_init(&twice, 0);
        size_t len = strlen(table[i].path);
        uint8_t *path = malloc(len + (len == 0)); /* exactly as long, for the sanitizer */
        assert_non_null(path);
        memcpy(path, table[i].path, len);
        int err = cg_mapping_normal_path(&once, cg_slice_of(path, len));
        free(path);
        assert_int_equal(err, table[i].normal == NULL ? CG_E_BAD_URI : CG_OK);
        if (err == CG_OK) {
            assert_true(cg_slice_is(cg_buf_slice(&once), table[i].normal));
            assert_int_equal(cg_mapping_normal_path(&twice, cg_buf_slice(&once)), CG_OK);
            assert_true(cg_slice_equal(cg_buf_slice(&once), cg_buf_slice(&twice)));
        }
        cg_buf_fini(&once);
        cg_buf_fini(&twice);
    }
    struct cg_buf small;
    cg_buf_init(&small, 2);
    assert_int_equal(cg_mapping_normal_path(&small, cg_slice_str("/abc")), CG_E_NO_MEMORY);
    cg_buf_fini(&small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_end_at_slashes_and_the_longest_wins),
        cmocka_unit_test(the_root_takes_what_nothing_else_does),
        cmocka_unit_test(a_host_of_its_own_wins_over_a_longer_path),
        cmocka_unit_test(the_longest_host_is_a_host),
        cmocka_unit_test(nothing_matches_in_an_empty_table),
        cmocka_unit_test(any_number_of_mappings),
        cmocka_unit_test(hostile_paths_cost_no_more_than_their_length),
        cmocka_unit_test(paths_become_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
