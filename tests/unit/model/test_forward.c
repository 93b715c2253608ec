/* Target URIs to mappings: what lies below which group, and what below none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "model/forward.h"

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

static struct cg_mapping *add(struct cg_config *config, const char *uri) {
    struct cg_mapping *mapping = &config->mappings[config->mapping_count];
    char name[32];
    snprintf(name, sizeof name, "m%zu", config->mapping_count++);
    mapping->name = keep(config, name);
    mapping->path = keep(config, name);
    mapping->forward = true;
    mapping->target_count = 1;
    mapping->targets = cg_arena_zalloc(&config->arena, 2 * sizeof *mapping->targets);
    mapping->targets[0].uri = keep(config, uri);
    return mapping;
}

/* Each URI is in a buffer of its exact size, for the sanitizer. */
static void check(const struct cg_config *config, const char *uri, const char *name, const char *rest_text) {
    struct cg_slice rest = CG_SLICE_NONE;
    size_t len = strlen(uri);
    char *exact = malloc(len + 1);
    assert_non_null(exact);
    memcpy(exact + 1, uri, len);
    const struct cg_mapping *mapping = cg_forward_find(config, cg_slice_of(exact + 1, len), &rest);
    const char *found = mapping == NULL ? "-" : mapping->name;
    if (strcmp(found, name) != 0) fail_msg("%s is below %s", uri, found);
    if (rest_text != NULL && !cg_slice_is(rest, rest_text))
        fail_msg("%s: rest %.*s", uri, (int)rest.len, (const char *)rest.data);
    free(exact);
}

#define G "coap://224.0.1.187"

static void the_longest_group_wins_at_segment_boundaries(void **state) {
    (void)state;
    struct cg_config *config = with_room(5);
    add(config, G "/light");
    add(config, G "/light/east");
    add(config, G ":9999/");
    add(config, "coap://[ff35:30::1]/a/");
    add(config, G ":9999/x%2Fy");
    assert_int_equal(cg_config_index(config), CG_OK);
    static const struct {
        const char *uri, *name, *rest;
    } table[] = {
        {G "/light", "m0", ""},
        {G "/light/", "m0", "/"},
        {G "/light/1//2", "m0", "/1//2"},
        {G "/light/east", "m1", ""},
        {G "/light/east/x", "m1", "/x"},
        {G "/light/easter", "m0", "/easter"},
        {G "/lights", "-", NULL},
        {G "/Light", "-", NULL},
        {G "/", "-", NULL},
        {G "/light%2Feast", "-", NULL},
        {G ":9999/", "m2", "/"},
        {G ":9999/anything/at/all", "m2", "/anything/at/all"},
        {G ":9999/x%2Fy", "m4", ""},
        {G ":9999/x/y", "m2", "/x/y"},
        {G ":99991/", "-", NULL},
        {G ":999/", "-", NULL},
        {"coap://224.0.1.1879/light", "-", NULL},
        {"coap://224.0.1.18/light", "-", NULL},
        {"coap://[ff35:30::1]/a/", "m3", "/"},
        {"coap://[ff35:30::1]/a/b", "m3", "/b"},
        {"coap://[ff35:30::1]/a", "-", NULL}, /* not below ".../a/" */
        {"coap://[ff35:30::1]/ab", "-", NULL},
        {"coap://[ff35:30::1%25eth1]/a/b", "-", NULL},
        {"coap+tcp://224.0.1.187/light", "-", NULL},
        {"coaps://224.0.1.187/light", "-", NULL},
        {"coap:", "-", NULL},
        {"coap:/", "-", NULL},
        {"coap://", "-", NULL},
        {"", "-", NULL},
        {"/light", "-", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) check(config, table[i].uri, table[i].name, table[i].rest);
    cg_config_unref(config);
}

static void only_what_is_opened_is_a_target(void **state) {
    (void)state;
    struct cg_config *config = with_room(3);
    add(config, G "/closed")->forward = false;
    add(config, G "/several")->target_count = 2;
    add(config, G "/query?x=1");
    assert_int_equal(cg_config_index(config), CG_OK);
    check(config, G "/closed", "-", NULL);
    check(config, G "/several", "-", NULL);
    check(config, G "/query", "-", NULL);
    check(config, G "/query?x=1", "-", NULL);
    cg_config_unref(config);
}

static void many_groups_and_hostile_paths(void **state) {
    (void)state;
    enum { COUNT = 20000, LONG = 8000 };
    struct cg_config *config = with_room(COUNT);
    char uri[64];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(uri, sizeof uri, G ":%zu/a/b/%zu", 1 + i % 5000, i);
        add(config, uri);
    }
    assert_int_equal(cg_config_index(config), CG_OK);
    for (size_t i = 0; i < COUNT; i += 97) {
        char name[32];
        snprintf(uri, sizeof uri, G ":%zu/a/b/%zu/c", 1 + i % 5000, i);
        snprintf(name, sizeof name, "m%zu", i);
        check(config, uri, name, "/c");
    }
    char *slashes = malloc(LONG + 1);
    assert_non_null(slashes);
    memset(slashes, '/', LONG);
    slashes[LONG] = '\0';
    memcpy(slashes, G ":1", sizeof G ":1" - 1);
    for (int i = 0; i < 1000; i++) check(config, slashes, "-", NULL);
    free(slashes);
    cg_config_unref(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_group_wins_at_segment_boundaries),
        cmocka_unit_test(only_what_is_opened_is_a_target),
        cmocka_unit_test(many_groups_and_hostile_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
