/* What is known of members: when silence means loss, who is out of multicast's reach, who is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/known.h"

#define MS   UINT64_C(1000)
#define KEEP (1000 * 1000 * MS)

static struct cg_knowns *knowns;
static struct cg_member members[3];
static struct cg_members roster;
static struct cg_mapping lamps, hall;
static struct cg_arena arena;
static uint64_t now_us, requests;

static struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), 5683), CG_OK);
    return addr;
}

static int set_up(void **state) {
    (void)state;
    cg_arena_init(&arena, 1 << 20, NULL);
    members[0] = (struct cg_member){.name = "lamp-1", .addr = address("127.1.0.1")};
    members[1] = (struct cg_member){.name = "lamp-2", .addr = address("127.1.0.2")};
    members[2] = (struct cg_member){.name = "lock", .identity = cg_slice_str("a credential's hash of 32 bytes!")};
    roster = (struct cg_members){.list = members, .count = 3};
    assert_true(cg_members_index(&roster, &arena));
    lamps = (struct cg_mapping){.name = "lamps", .roster = &roster};
    hall = (struct cg_mapping){.name = "hall", .roster = &roster};
    knowns = cg_knowns_new(KEEP, 100);
    assert_non_null(knowns);
    now_us = KEEP;
    requests = 0;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    cg_knowns_free(knowns);
    cg_arena_fini(&arena);
    return 0;
}

static void hear_of(const struct cg_mapping *mapping, const char *from, enum castgate_via via, uint64_t after_us) {
    const struct cg_known_answer answer = {
        .mapping = mapping, .from = address(from), .via = via, .request = ++requests, .after_us = after_us};
    now_us += after_us;
    cg_known_note(knowns, &answer, now_us);
}

static void hear(const char *from, uint64_t after_us) { hear_of(&lamps, from, CASTGATE_VIA_MULTICAST, after_us); }
static void hear_asked(const char *from) { hear_of(&lamps, from, CASTGATE_VIA_UNICAST, MS); }
static void miss(void) { cg_known_note_silence(knowns, &lamps, &members[0]); }

static const struct cg_known *known_of(const struct cg_mapping *mapping, unsigned member) {
    return cg_known_find(knowns, mapping, &members[member]);
}

static struct cg_known_record record_of(unsigned member) {
    struct cg_known_record record;
    cg_known_record(known_of(&lamps, member), &record);
    return record;
}

static void patience_needs_eight_answers(void **state) {
    (void)state;
    assert_null(known_of(&lamps, 0));
    for (int i = 0; i < 7; i++) hear("127.1.0.1", 20 * MS);
    assert_int_equal(cg_known_patience_us(known_of(&lamps, 0)), 0);
    hear("127.1.0.1", 20 * MS);
    assert_in_range(cg_known_patience_us(known_of(&lamps, 0)), 20 * MS + 1, 100 * MS);
    assert_in_range(cg_known_median_us(known_of(&lamps, 0)), 20 * MS, 29 * MS);
    assert_null(known_of(&lamps, 1));
}

static void patience_is_longer_than_all_that_was_seen(void **state) {
    (void)state;
    for (uint64_t i = 1; i <= 20; i++) hear("127.1.0.1", i * 100 * MS);
    assert_in_range(cg_known_patience_us(known_of(&lamps, 0)), 2000 * MS, 4000 * MS);
}

static void one_late_answer_in_sixty_is_not_waited_for(void **state) {
    (void)state;
    for (int i = 0; i < 30; i++) hear("127.1.0.1", 10 * MS);
    hear("127.1.0.1", 30000 * MS);
    for (int i = 0; i < 30; i++) hear("127.1.0.1", 10 * MS);
    assert_in_range(cg_known_patience_us(known_of(&lamps, 0)), 10 * MS, 100 * MS);
}

static void one_slow_answer_in_ten_is_among_99_of_100_and_not_in_the_middle(void **state) {
    (void)state;
    assert_null(known_of(&lamps, 0));
    for (int i = 0; i < 200; i++) hear("127.1.0.1", i % 10 == 9 ? 900 * MS : 10 * MS);
    assert_in_range(cg_known_median_us(known_of(&lamps, 0)), 10 * MS, 20 * MS);
    assert_in_range(cg_known_p99_us(known_of(&lamps, 0)), 900 * MS, 1400 * MS);
    hear_asked("127.1.0.2");
    assert_int_equal(cg_known_p99_us(known_of(&lamps, 1)), 0);
}

static void a_member_that_has_become_slow_is_given_its_time_soon(void **state) {
    (void)state;
    for (int i = 0; i < 1000; i++) hear("127.1.0.1", 10 * MS);
    for (int i = 0; i < 4; i++) hear("127.1.0.1", 900 * MS);
    assert_in_range(cg_known_patience_us(known_of(&lamps, 0)), 900 * MS, 2000 * MS);
    for (int i = 0; i < 200; i++) hear("127.1.0.1", 10 * MS);
    assert_in_range(cg_known_patience_us(known_of(&lamps, 0)), 10 * MS, 100 * MS);
}

static void the_slowest_and_the_fastest_have_their_places(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++) hear("127.1.0.1", 0);
    assert_in_range(cg_known_patience_us(known_of(&lamps, 0)), 1, 100 * MS);
    for (int i = 0; i < 8; i++) hear("127.1.0.2", 3600 * 1000 * MS);
    assert_true(cg_known_patience_us(known_of(&lamps, 1)) >= 600 * 1000 * MS);
}

static void a_message_that_comes_twice_counts_once(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        hear("127.1.0.1", 10 * MS);
        requests = 0;
    }
    assert_int_equal(cg_known_patience_us(known_of(&lamps, 0)), 0);
    assert_int_equal(record_of(0).casts, 1);
}

static void answers_by_unicast_say_nothing_of_leisure(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) hear_asked("127.1.0.1");
    assert_int_equal(cg_known_patience_us(known_of(&lamps, 0)), 0);
    assert_int_equal(cg_known_median_us(known_of(&lamps, 0)), 0);
    assert_false(cg_known_is_out_of_reach(known_of(&lamps, 0)));
}

static void three_misses_in_a_row_are_out_of_reach(void **state) {
    (void)state;
    hear("127.1.0.1", MS);
    for (int i = 0; i < 3; i++) {
        assert_false(cg_known_is_out_of_reach(known_of(&lamps, 0)));
        miss();
        hear_asked("127.1.0.1");
    }
    assert_true(cg_known_is_out_of_reach(known_of(&lamps, 0)));
    hear("127.1.0.1", MS);
    assert_false(cg_known_is_out_of_reach(known_of(&lamps, 0)));
}

/* Who answers neither is not there, and nothing says that multicast is the reason. */
static void who_is_away_is_not_out_of_reach(void **state) {
    (void)state;
    miss(); /* of one that has never answered */
    assert_null(known_of(&lamps, 0));
    hear("127.1.0.1", MS);
    for (int i = 0; i < 300; i++) miss();
    assert_false(cg_known_is_out_of_reach(known_of(&lamps, 0)));
    hear_asked("127.1.0.1");
    assert_false(cg_known_is_out_of_reach(known_of(&lamps, 0)));
    assert_int_equal(record_of(0).missed, 1);
}

static void loss_is_the_share_of_requests_that_it_would_have_answered(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        if (i % 10 == 9) {
            miss();
            hear_asked("127.1.0.1");
        } else {
            hear("127.1.0.1", 10 * MS);
        }
    }
    assert_in_range((unsigned)(record_of(0).lost * 1000), 50, 150);
    assert_int_equal(record_of(0).casts, 200);
}

static void silence_before_the_next_answer_was_loss_and_absence_was_not(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) hear("127.1.0.1", 10 * MS);
    for (int i = 0; i < 9; i++) miss();
    hear("127.1.0.1", 10 * MS);
    assert_int_equal(record_of(0).casts, 11);
    miss();
    hear("127.1.0.1", 10 * MS);
    assert_int_equal(record_of(0).casts, 13);
    assert_true(record_of(0).lost > 0);
    miss();
    hear("127.1.0.1", 5000 * MS); /* later than ever: to that very request */
    assert_int_equal(record_of(0).casts, 14);
}

static void each_mapping_has_figures_of_its_own(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++) hear_of(&hall, "127.1.0.1", CASTGATE_VIA_MULTICAST, 10 * MS);
    assert_true(cg_known_patience_us(known_of(&hall, 0)) > 0);
    assert_non_null(known_of(&lamps, 0)); /* its addresses are known */
    assert_int_equal(cg_known_patience_us(known_of(&lamps, 0)), 0);
    struct cg_known_record record;
    cg_known_record(known_of(&hall, 0), &record);
    assert_int_equal(record.last_us, now_us);
    assert_int_equal(cg_knowns_count(knowns), 1);
}

static void a_credential_is_one_member_wherever_it_is(void **state) {
    (void)state;
    static const char *const places[] = {"127.1.0.7", "127.1.0.8", "127.1.0.7", "10.0.0.1:9", "10.0.0.2", "10.0.0.3"};
    struct cg_known_answer answer = {.mapping = &lamps,
                                     .identity = members[2].identity,
                                     .kid = cg_slice_str("\x11"),
                                     .via = CASTGATE_VIA_MULTICAST,
                                     .after_us = MS};
    for (unsigned i = 0; i < 6; i++) {
        answer.from = address(places[i]);
        answer.request = i + 1;
        cg_known_note(knowns, &answer, now_us);
    }
    struct cg_addr last = address("10.0.0.3"), third = address("10.0.0.1:9"), first = address("127.1.0.7");
    assert_int_equal(cg_knowns_count(knowns), 1);
    assert_true(cg_addr_equal(cg_known_addr(known_of(&lamps, 2)), &last));
    struct cg_known_record record = record_of(2);
    assert_int_equal(record.addr_count, CG_KNOWN_ADDRS);
    assert_true(cg_addr_equal(&record.addrs[2], &third));
    assert_true(cg_addr_equal(&record.addrs[3], &first)); /* the latest before those */
    assert_string_equal(record.name, "lock");
    assert_int_equal(record.kid_len, 1);
    assert_int_equal(record.kid[0], 0x11);
}

static void who_answers_from_another_port_is_the_same(void **state) {
    (void)state;
    hear("127.1.0.1:49152", MS);
    assert_non_null(known_of(&lamps, 0));
    assert_string_equal(record_of(0).name, "lamp-1");
    assert_int_equal(record_of(0).addrs[0].port, 49152);
}

static void the_silent_are_forgotten_in_slices(void **state) {
    (void)state;
    const uint64_t first_us = now_us;
    char text[32];
    for (unsigned i = 0; i < 50; i++) {
        snprintf(text, sizeof text, "10.0.0.%u", i);
        hear_of(&lamps, text, CASTGATE_VIA_UNICAST, 1);
    }
    size_t rows = 10;
    assert_false(cg_known_purge(knowns, first_us + KEEP, &rows));
    assert_int_equal(rows, 10);
    assert_true(cg_known_purge(knowns, now_us + KEEP - 1, &rows));
    assert_int_equal(cg_knowns_count(knowns), 40);
    rows = 100;
    assert_false(cg_known_purge(knowns, now_us + KEEP - 1, &rows));
    assert_int_equal(cg_knowns_count(knowns), 1);
    assert_int_equal(rows, 61);
}

static void beyond_the_most_the_longest_silent_goes(void **state) {
    (void)state;
    char text[32];
    hear("127.1.0.1", MS);
    hear("127.1.0.2", MS);
    for (unsigned i = 0; i < 98; i++) {
        snprintf(text, sizeof text, "10.0.0.%u", i);
        hear_of(&lamps, text, CASTGATE_VIA_UNICAST, 1);
    }
    hear("127.1.0.1", MS);
    hear("10.0.1.1", MS);
    assert_int_equal(cg_knowns_count(knowns), 100);
    assert_non_null(known_of(&lamps, 0));
    assert_null(known_of(&lamps, 1));
}

/* Over a restart */

static void restart(uint64_t later_us) {
    struct cg_known_record records[8];
    size_t count = 0;
    for (const struct cg_known *known; (known = cg_known_take_changed(knowns)) != NULL; count++) {
        assert_in_range(count, 0, 7);
        cg_known_record(known, &records[count]);
        records[count].last_us -= (int64_t)(now_us - later_us); /* another clock */
    }
    cg_knowns_free(knowns);
    knowns = cg_knowns_new(KEEP, 100);
    now_us = later_us;
    while (count-- > 0) assert_true(cg_known_restore(knowns, &records[count]));
}

static void what_was_known_is_known_again(void **state) {
    (void)state;
    for (int i = 0; i < 12; i++) hear("127.1.0.1", 20 * MS);
    miss();
    hear_asked("127.1.0.1:7");
    hear_of(&hall, "127.1.0.2", CASTGATE_VIA_MULTICAST, 20 * MS);
    const uint64_t patience_us = cg_known_patience_us(known_of(&lamps, 0));
    struct cg_known_record before = record_of(0);
    restart(1000); /* the machine has started just now */
    struct cg_known_record after = record_of(0);
    assert_int_equal(cg_known_patience_us(known_of(&lamps, 0)), patience_us);
    assert_true(after.last_us < 0);
    after.last_us = before.last_us;
    assert_memory_equal(&after, &before, sizeof after);
    assert_null(cg_known_take_changed(knowns));
    size_t rows = 10;
    cg_known_purge(knowns, KEEP - 19 * MS, &rows);
    assert_null(known_of(&lamps, 0)); /* its age goes on */
    assert_non_null(known_of(&hall, 1));
}

static void what_answered_since_stays(void **state) {
    (void)state;
    hear("127.1.0.1", 20 * MS);
    struct cg_known_record old = record_of(0);
    cg_known_forget(knowns, known_of(&lamps, 0));
    assert_null(known_of(&lamps, 0));
    assert_null(cg_known_take_changed(knowns));
    hear("127.1.0.1:8", 20 * MS);
    const int64_t last_us = record_of(0).last_us;
    assert_true(cg_known_restore(knowns, &old));
    assert_int_equal(record_of(0).last_us, last_us);
    assert_int_equal(record_of(0).addrs[0].port, 8);
    assert_int_equal(cg_knowns_count(knowns), 1);
}

static void a_walk_leaves_out_what_goes(void **state) {
    (void)state;
    struct cg_known_walk walk = {0};
    hear("127.1.0.1", MS);
    hear("127.1.0.2", MS);
    hear_of(&hall, "127.1.0.2", CASTGATE_VIA_MULTICAST, MS);
    cg_known_walk_begin(knowns, &walk);
    assert_ptr_equal(cg_known_walk_next(&walk), known_of(&lamps, 0));
    cg_known_forget(knowns, known_of(&lamps, 1));
    assert_ptr_equal(cg_known_walk_next(&walk), known_of(&hall, 1));
    assert_null(cg_known_walk_next(&walk));
    cg_known_walk_end(knowns, &walk);
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(patience_needs_eight_answers),
        TEST(patience_is_longer_than_all_that_was_seen),
        TEST(one_late_answer_in_sixty_is_not_waited_for),
        TEST(one_slow_answer_in_ten_is_among_99_of_100_and_not_in_the_middle),
        TEST(a_member_that_has_become_slow_is_given_its_time_soon),
        TEST(the_slowest_and_the_fastest_have_their_places),
        TEST(a_message_that_comes_twice_counts_once),
        TEST(answers_by_unicast_say_nothing_of_leisure),
        TEST(three_misses_in_a_row_are_out_of_reach),
        TEST(who_is_away_is_not_out_of_reach),
        TEST(loss_is_the_share_of_requests_that_it_would_have_answered),
        TEST(silence_before_the_next_answer_was_loss_and_absence_was_not),
        TEST(each_mapping_has_figures_of_its_own),
        TEST(a_credential_is_one_member_wherever_it_is),
        TEST(who_answers_from_another_port_is_the_same),
        TEST(the_silent_are_forgotten_in_slices),
        TEST(beyond_the_most_the_longest_silent_goes),
        TEST(what_was_known_is_known_again),
        TEST(what_answered_since_stays),
        TEST(a_walk_leaves_out_what_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
