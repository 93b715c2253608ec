/* The cache by itself: what is kept, for how long, and that it stays within its bound whatever comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "rounds/cache_editions.h"

#define SECOND  UINT64_C(1000000)
#define MEMBERS 2

static struct cg_member members[MEMBERS] = {{.name = "one", .number = 0}, {.name = "two", .number = 1}};
static struct cg_target target = {.group = {.family = CG_FAMILY_IPV4, .port = 5683, .ip = {224, 0, 1, 187}}};
static const struct cg_mapping mapping = {
    .name = "lamps", .members = members, .member_count = MEMBERS, .targets = &target, .target_count = 1};

struct stage {
    struct cg_totals totals;
    struct cg_cache cache;
};

static void draw(void *ctx, void *to, size_t len) {
    (void)ctx;
    memset(to, 7, len);
}

static const struct cg_port port = {.random = draw};

static int setup(void **state) {
    static struct stage stage;
    stage = (struct stage){0};
    cg_cache_init(&stage.cache, &stage.totals, &port);
    stage.cache.max = 100000;
    *state = &stage;
    return 0;
}

/* Every byte is given back. */
static int teardown(void **state) {
    struct stage *stage = *state;
    cg_cache_fini(&stage->cache);
    assert_int_equal(stage->totals.cache_bytes, 0);
    assert_null(stage->cache.marks);
    return 0;
}

#define cache_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static struct cg_addr address_of(unsigned member) {
    return (struct cg_addr){.family = CG_FAMILY_IPV4, .port = 5683, .ip = {127, 1, 0, (uint8_t)(member + 1)}};
}

/* A response's options: Max-Age and an entity tag, where there are any. */
static struct cg_slice options_of(uint8_t bytes[64], long max_age, const char *etag) {
    struct cg_msg_writer writer = {.data = bytes, .cap = 64};
    if (etag != NULL) cg_msg_put_opt(&writer, CG_OPT_ETAG, cg_slice_str(etag));
    if (max_age >= 0) cg_msg_put_uint(&writer, CG_OPT_MAX_AGE, (uint32_t)max_age);
    return cg_slice_of(bytes, (size_t)cg_msg_end(&writer));
}

struct said {
    const char *key, *text, *etag;
    unsigned member;
    uint64_t asked_us, arrival_us; /* 0: one second */
    long max_age;                  /* 0: none said */
    uint8_t code;                  /* 0: 2.05 */
};

static uint64_t put(struct stage *stage, struct said said) {
    uint8_t bytes[64];
    const struct cg_addr from = address_of(said.member);
    const struct cg_opened opened = {
        .code = said.code == 0 ? CG_CODE(2, 5) : said.code,
        .options = options_of(bytes, said.max_age == 0 ? -1 : said.max_age, said.etag),
        .payload = cg_slice_str(said.text),
    };
    const struct cg_to_cache answer = {
        .mapping = &mapping,
        .member = &members[said.member],
        .opened = &opened,
        .from = &from,
        .asked_us = said.asked_us == 0 ? SECOND : said.asked_us,
        .arrival_us = said.arrival_us == 0 ? SECOND : said.arrival_us,
    };
    return cg_cache_put(&stage->cache, cg_slice_str(said.key), &answer);
}

static struct cg_cache_set *set_of(struct stage *stage, const char *key) {
    return cg_cache_find(&stage->cache, cg_slice_str(key));
}

static uint64_t freshness_of(struct stage *stage, const char *key, unsigned member, uint64_t now_us) {
    const struct cg_cache_set *set = set_of(stage, key);
    return cg_cached_freshness(set, set->of[member], now_us);
}

static void a_set_is_complete_with_every_member(void **state) {
    struct stage *stage = *state;
    put(stage, (struct said){.key = "a", .text = "on"});
    assert_false(cg_cache_is_complete(set_of(stage, "a"), SECOND));
    put(stage, (struct said){.key = "a", .text = "off", .member = 1, .max_age = 10});
    assert_true(cg_cache_is_complete(set_of(stage, "a"), SECOND));
    assert_true(cg_cache_is_complete(set_of(stage, "a"), 11 * SECOND - 1));
    assert_false(cg_cache_is_complete(set_of(stage, "a"), 11 * SECOND));
    assert_null(set_of(stage, "b"));
}

static void what_has_no_max_age_is_fresh_for_a_minute_and_nothing_for_more_than_a_day(void **state) {
    struct stage *stage = *state;
    put(stage, (struct said){.key = "a", .text = "on"});
    put(stage, (struct said){.key = "a", .text = "on", .member = 1, .max_age = UINT32_MAX});
    assert_int_equal(freshness_of(stage, "a", 0, SECOND), 60 * SECOND);
    assert_int_equal(freshness_of(stage, "a", 1, SECOND), 86400 * SECOND);
}

static void what_may_not_be_kept_leaves_nothing_of_before(void **state) {
    struct stage *stage = *state;
    assert_int_not_equal(put(stage, (struct said){.key = "a", .text = "on"}), 0);
    assert_int_equal(put(stage, (struct said){.key = "a", .text = "", .code = CG_CODE(2, 4)}), 0);
    assert_null(set_of(stage, "a")->of[0]);
    assert_int_equal(put(stage, (struct said){.key = "b", .text = "", .code = CG_CODE(2, 3), .etag = "t"}), 0);
    assert_null(set_of(stage, "b"));
    assert_int_not_equal(put(stage, (struct said){.key = "b", .text = "", .code = CG_CODE(4, 4)}), 0);
}

/* What was for the hop to the gateway is not kept, nor what is no entity tag (RFC 7252 §5.10.6). */
static void only_safe_options_are_kept(void **state) {
    struct stage *stage = *state;
    put(stage, (struct said){.key = "a", .text = "on", .max_age = 5, .etag = "tag"});
    put(stage, (struct said){.key = "a", .text = "on", .member = 1, .etag = "123456789"});
    const struct cg_cached *one = set_of(stage, "a")->of[0], *two = set_of(stage, "a")->of[1];
    assert_int_equal(one->options.len, 4);
    assert_true(cg_slice_is(one->etag, "tag"));
    assert_int_equal(two->etag.len, 0);
}

/* GCP §7.3. */
static void the_tag_is_the_same_as_long_as_nobody_says_anything_else(void **state) {
    struct stage *stage = *state;
    put(stage, (struct said){.key = "a", .text = "on"});
    put(stage, (struct said){.key = "a", .text = "off", .member = 1});
    put(stage, (struct said){.key = "b", .text = "on"});
    uint64_t tag = cg_cache_tag(&stage->cache, set_of(stage, "a"));
    assert_int_not_equal(tag, cg_cache_tag(&stage->cache, set_of(stage, "b")));
    put(stage, (struct said){.key = "a", .text = "on", .max_age = 7, .arrival_us = 9 * SECOND});
    assert_int_equal(cg_cache_tag(&stage->cache, set_of(stage, "a")), tag);
    assert_int_equal(freshness_of(stage, "a", 0, 9 * SECOND), 7 * SECOND);
    put(stage, (struct said){.key = "a", .text = "dim"});
    assert_int_not_equal(cg_cache_tag(&stage->cache, set_of(stage, "a")), tag);
    tag = cg_cache_tag(&stage->cache, set_of(stage, "a"));
    put(stage, (struct said){.key = "a", .text = "dim", .etag = "t"});
    assert_int_not_equal(cg_cache_tag(&stage->cache, set_of(stage, "a")), tag);
}

/* Of the greatest length that one may have. */
static void an_entity_tag_that_is_used_again_is_no_proof(void **state) {
    struct stage *stage = *state;
    put(stage, (struct said){.key = "a", .text = "on", .etag = "12345678"});
    put(stage, (struct said){.key = "a", .text = "off", .member = 1});
    uint64_t tag = cg_cache_tag(&stage->cache, set_of(stage, "a"));
    put(stage, (struct said){.key = "a", .text = "dim", .etag = "12345678"});
    assert_true(cg_slice_is(set_of(stage, "a")->of[0]->etag, "12345678"));
    assert_int_not_equal(cg_cache_tag(&stage->cache, set_of(stage, "a")), tag);
}

static void who_has_answered_before_was_there_since_then(void **state) {
    struct stage *stage = *state;
    put(stage, (struct said){.key = "a", .text = "on"});
    put(stage, (struct said){.key = "a", .text = "off", .arrival_us = 9 * SECOND});
    assert_int_equal(set_of(stage, "a")->of[0]->since_us, SECOND);
    assert_int_equal(set_of(stage, "a")->count, 1);
}

static void a_command_makes_stale_what_was_asked_before(void **state) {
    struct stage *stage = *state;
    const struct cg_addr other = {.family = CG_FAMILY_IPV4, .port = 5683, .ip = {224, 0, 1, 188}};
    put(stage, (struct said){.key = "a", .text = "on", .asked_us = 5 * SECOND, .arrival_us = 6 * SECOND});
    cg_cache_change_group(&stage->cache, &other, 7 * SECOND);
    assert_int_not_equal(freshness_of(stage, "a", 0, 8 * SECOND), 0);
    cg_cache_change_group(&stage->cache, &target.group, 5 * SECOND);
    assert_int_equal(freshness_of(stage, "a", 0, 8 * SECOND), 0);
    put(stage, (struct said){.key = "a", .text = "on", .asked_us = 5 * SECOND + 1, .arrival_us = 6 * SECOND});
    assert_int_not_equal(freshness_of(stage, "a", 0, 8 * SECOND), 0);
}

/* By whatever mapping, at whatever port. */
static void a_member_that_has_acted_is_stale_alone(void **state) {
    struct stage *stage = *state;
    struct cg_addr from = address_of(1);
    put(stage, (struct said){.key = "a", .text = "on"});
    put(stage, (struct said){.key = "a", .text = "off", .member = 1});
    from.port = 49152;
    cg_cache_change_member(&stage->cache, &from, CG_SLICE_NONE, 2 * SECOND);
    assert_int_not_equal(freshness_of(stage, "a", 0, 3 * SECOND), 0);
    assert_int_equal(freshness_of(stage, "a", 1, 3 * SECOND), 0);
}

/* Nobody remembers what was done at a group of which nothing was kept. */
static void what_was_asked_before_any_command_is_not_trusted_without_a_mark(void **state) {
    struct stage *stage = *state;
    const struct cg_addr from = address_of(0);
    cg_cache_change_member(&stage->cache, &from, CG_SLICE_NONE, 5 * SECOND);
    put(stage, (struct said){.key = "a", .text = "on", .asked_us = 4 * SECOND, .arrival_us = 6 * SECOND});
    assert_int_equal(freshness_of(stage, "a", 0, 6 * SECOND), 0);
}

static void floods_stay_within_the_bound(void **state) {
    struct stage *stage = *state;
    char key[32];
    stage->cache.max = 20000;
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(key, sizeof key, "key %u", i);
        put(stage, (struct said){.key = key, .text = "on", .arrival_us = (i + 1) * SECOND});
        assert_in_range(stage->totals.cache_bytes, 0, 20000);
    }
    assert_non_null(set_of(stage, "key 9999"));
    assert_null(set_of(stage, "key 0"));
    assert_in_range(stage->totals.cache_evictions, 9900, 9999);
}

static void a_byte_too_few_keeps_nothing(void **state) {
    struct stage *stage = *state;
    const struct said said = {.key = "a", .text = "on"};
    size_t sets = 1;
    put(stage, said);
    const size_t all = stage->totals.cache_bytes;
    stage->cache.max = 0;
    cg_cache_purge(&stage->cache, SECOND, &sets);
    stage->cache.max = all - 1;
    assert_int_equal(put(stage, said), 0);
    assert_int_equal(stage->totals.cache_bytes, 0);
    stage->cache.max = all;
    assert_int_not_equal(put(stage, said), 0);
    assert_int_equal(stage->totals.cache_bytes, all);
}

static void what_is_used_stays(void **state) {
    struct stage *stage = *state;
    char key[32];
    stage->cache.max = 20000;
    put(stage, (struct said){.key = "kept", .text = "on"});
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "key %u", i);
        put(stage, (struct said){.key = key, .text = "on"});
        cg_cache_use(&stage->cache, set_of(stage, "kept"), SECOND);
    }
    assert_non_null(set_of(stage, "kept"));
}

static void what_is_larger_than_all_is_not_kept(void **state) {
    struct stage *stage = *state;
    static char text[30001];
    memset(text, 'x', sizeof text - 1);
    stage->cache.max = 20000;
    put(stage, (struct said){.key = "other", .text = "on"});
    assert_int_equal(put(stage, (struct said){.key = "a", .text = text}), 0);
    assert_null(set_of(stage, "a"));
    put(stage, (struct said){.key = "b", .text = "on"});
    assert_int_equal(put(stage, (struct said){.key = "b", .text = text, .member = 1}), 0);
    assert_in_range(stage->totals.cache_bytes, 0, 20000);
    stage->cache.max = 0;
    assert_int_equal(put(stage, (struct said){.key = "c", .text = ""}), 0);
}

static void a_smaller_bound_and_idleness_forget_in_turns(void **state) {
    struct stage *stage = *state;
    char key[32];
    size_t sets = 3;
    for (unsigned i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "key %u", i);
        put(stage, (struct said){.key = key, .text = "on"});
    }
    assert_false(cg_cache_purge(&stage->cache, 2 * SECOND, &sets));
    assert_int_equal(sets, 3);
    assert_true(cg_cache_purge(&stage->cache, 90000 * SECOND, &sets));
    assert_int_equal(sets, 0);
    assert_int_equal(HASH_COUNT(stage->cache.by_key), 7);
    stage->cache.max = 0;
    sets = 100;
    assert_false(cg_cache_purge(&stage->cache, 2 * SECOND, &sets));
    assert_null(stage->cache.sets);
}

/* Of the same mapping in other settings, and in settings that say something else. */
static void test_an_edition_is_of_one_mapping_that_says_one_thing(void **state) {
    struct cg_cache *cache = &((struct stage *)*state)->cache;
    struct cg_mapping lamps = mapping, fans = mapping, tried = mapping;
    lamps.cache = fans.cache = true;
    fans.name = "fans";
    tried.is_unsaved = true;
    const uint64_t first = cg_cache_edition(cache, &lamps), others = cg_cache_edition(cache, &fans);
    assert_true(first != 0 && others != 0 && first != others);
    const struct cg_mapping again = lamps;
    assert_true(cg_cache_edition(cache, &again) == first);
    lamps.cache = false;
    const uint64_t without = cg_cache_edition(cache, &lamps);
    assert_true(without != 0 && without != first && without != others);
    const uint64_t later = cg_cache_edition(cache, &again);
    assert_true(later != first && later != without && later != others);
    assert_true(cg_cache_edition(cache, &fans) == others);
    assert_true(cg_cache_edition(cache, &tried) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cache_test(a_set_is_complete_with_every_member),
        cache_test(what_has_no_max_age_is_fresh_for_a_minute_and_nothing_for_more_than_a_day),
        cache_test(what_may_not_be_kept_leaves_nothing_of_before),
        cache_test(only_safe_options_are_kept),
        cache_test(the_tag_is_the_same_as_long_as_nobody_says_anything_else),
        cache_test(an_entity_tag_that_is_used_again_is_no_proof),
        cache_test(who_has_answered_before_was_there_since_then),
        cache_test(a_command_makes_stale_what_was_asked_before),
        cache_test(a_member_that_has_acted_is_stale_alone),
        cache_test(what_was_asked_before_any_command_is_not_trusted_without_a_mark),
        cache_test(floods_stay_within_the_bound),
        cache_test(a_byte_too_few_keeps_nothing),
        cache_test(what_is_used_stays),
        cache_test(what_is_larger_than_all_is_not_kept),
        cache_test(a_smaller_bound_and_idleness_forget_in_turns),
        cache_test(test_an_edition_is_of_one_mapping_that_says_one_thing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
