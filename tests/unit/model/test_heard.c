/* Where answers came from: who is remembered, for how long, and who cannot be pushed out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/heard.h"
#include "model/stats.h"

static struct cg_stats_table table;
static struct cg_heards heards;

static int set_up(void **state) {
    (void)state;
    table = (struct cg_stats_table){0};
    heards = (struct cg_heards){0};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    cg_heard_fini(&heards);
    cg_stats_fini(&table);
    return 0;
}

static struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), 5683), CG_OK);
    return addr;
}

static void hear(const char *mapping, struct cg_addr from, enum cg_heard_trust trust, const char *identity,
                 uint64_t now_us) {
    const struct cg_heard_answer answer = {
        .stats = cg_stats_get(&table, mapping), .from = from, .identity = cg_slice_str(identity), .trust = trust};
    cg_heard_note(&heards, &answer, now_us);
}

static const struct cg_heard *find(const char *mapping, struct cg_addr addr) {
    const struct cg_heard *heard = cg_heard_at(&heards, &addr);
    while (heard != NULL && strcmp(cg_heard_mapping(heard), mapping) != 0) heard = heard->here;
    return heard;
}

static void expire(uint64_t now_us) {
    size_t rows;
    do {
        rows = 100;
    } while (cg_heard_purge(&heards, now_us, &rows));
}

static void each_mapping_has_its_own(void **state) {
    (void)state;
    struct cg_addr addr = address("127.1.0.9");
    hear("a", addr, CG_HEARD_ONLY, "", 1);
    hear("b", addr, CG_HEARD_ONLY, "", 2);
    hear("c", addr, CG_HEARD_ONLY, "", CG_HEARD_US);
    assert_non_null(find("a", addr));
    assert_non_null(find("b", addr));
    assert_null(find("d", addr));
    assert_null(find("a", address("127.1.0.9:9")));
    expire(CG_HEARD_US + 1);
    assert_null(find("a", addr)); /* the first at its address */
    assert_non_null(find("b", addr));
    expire(2 * CG_HEARD_US - 1);
    assert_null(find("b", addr));
    assert_non_null(find("c", addr));
    expire(2 * CG_HEARD_US);
    assert_null(cg_heard_at(&heards, &addr));
    assert_null(heards.mappings);
}

static void the_latest_answer_counts(void **state) {
    (void)state;
    struct cg_addr addr = address("127.1.0.9");
    hear("a", addr, CG_HEARD_PROVEN, "", 1);
    hear("a", addr, CG_HEARD_ONLY, "", 100);
    assert_int_equal(find("a", addr)->trust, CG_HEARD_PROVEN);
    expire(CG_HEARD_US + 99);
    assert_non_null(find("a", addr));
    expire(CG_HEARD_US + 100);
    assert_null(find("a", addr));
}

static void zones_are_remembered_and_not_looked_up(void **state) {
    (void)state;
    hear("a", address("[fe80::1%3]:5683"), CG_HEARD_ONLY, "", 1);
    hear("a", address("[fe80::1%4]:5683"), CG_HEARD_ONLY, "", 2);
    const struct cg_heard *heard = find("a", address("[fe80::1]:5683"));
    assert_non_null(heard);
    assert_int_equal(heard->scope, 4);
    assert_null(heard->here);
}

static void a_verified_member_is_at_one_address(void **state) {
    (void)state;
    struct cg_addr first = address("127.1.0.1"), second = address("127.1.0.2");
    hear("a", first, CG_HEARD_PROVEN, "lamp", 1);
    hear("b", first, CG_HEARD_PROVEN, "lamp", 1);
    hear("a", second, CG_HEARD_PROVEN, "lamp", 2);
    assert_null(find("a", first));
    assert_non_null(find("b", first));
    assert_non_null(find("a", second));
    hear("a", second, CG_HEARD_PROVEN, "other", 3); /* an address that was given to somebody else */
    assert_memory_equal(find("a", second)->identity, "other", 5);
    hear("a", first, CG_HEARD_PROVEN, "lamp", 4);
    assert_non_null(find("a", first));
    assert_non_null(find("a", second));
    assert_int_equal(heards.count[CG_HEARD_PROVEN], 3);
}

/* Of a flood from made-up addresses: */

static struct cg_addr made_up(uint32_t number) {
    struct cg_addr addr = address("10.0.0.0");
    addr.ip[1] = (uint8_t)(number >> 16), addr.ip[2] = (uint8_t)(number >> 8), addr.ip[3] = (uint8_t)number;
    return addr;
}

static void forgers_push_out_nobody_who_is_proven(void **state) {
    (void)state;
    struct cg_addr proven = address("127.1.0.1"), latest = made_up(99999);
    hear("a", proven, CG_HEARD_ONLY, "", 1);
    hear("a", proven, CG_HEARD_PROVEN, "", 2);
    hear("b", proven, CG_HEARD_ONLY, "", 3);
    for (uint32_t i = 0; i < 100000; i++) hear("a", made_up(i), CG_HEARD_ONLY, "", 4);
    assert_non_null(find("a", proven));
    assert_non_null(find("b", proven)); /* nor anybody of another mapping */
    assert_non_null(find("a", latest));
    assert_null(find("a", made_up(0)));
    assert_int_equal(heards.count[CG_HEARD_ONLY], CG_HEARD_OF_MAPPING + 1);
}

static void there_is_an_end_to_all_of_them(void **state) {
    (void)state;
    static const char *const mappings[] = {"a", "b", "c"};
    for (uint32_t i = 0; i < 3 * 20000; i++) hear(mappings[i / 20000], made_up(i), CG_HEARD_ONLY, "", 4);
    for (uint32_t i = 0; i < 40000; i++) hear("p", made_up(i), CG_HEARD_PROVEN, "", 5);
    assert_int_equal(heards.count[CG_HEARD_ONLY], CG_HEARD_MAX);
    assert_int_equal(heards.count[CG_HEARD_PROVEN], CG_HEARD_MAX);
    assert_null(find("c", made_up(59999))); /* others have all the room, and keep it */
    assert_non_null(find("b", made_up(39999)));
    assert_non_null(find("p", made_up(39999)));
    assert_null(find("p", made_up(0)));
    expire(2 * CG_HEARD_US);
    assert_int_equal(heards.count[CG_HEARD_ONLY] + heards.count[CG_HEARD_PROVEN], 0);
}

static void one_address_is_not_everybodys(void **state) {
    (void)state;
    struct cg_addr addr = address("127.1.0.9");
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%u", i);
        hear(name, addr, CG_HEARD_ONLY, "", 1);
    }
    unsigned count = 0;
    for (const struct cg_heard *it = cg_heard_at(&heards, &addr); it != NULL; it = it->here) count++;
    assert_int_equal(count, CG_HEARD_HERE);
}

#define heard_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        heard_test(each_mapping_has_its_own),
        heard_test(the_latest_answer_counts),
        heard_test(zones_are_remembered_and_not_looked_up),
        heard_test(a_verified_member_is_at_one_address),
        heard_test(forgers_push_out_nobody_who_is_proven),
        heard_test(there_is_an_end_to_all_of_them),
        heard_test(one_address_is_not_everybodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
