/* Forgeries without end, before, beside and after what is genuine: members are heard all the same, at a bounded cost.
 * R24, R56. */
#include "fake_room.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* Accounts */

static struct cg_addr addr(const char *text) {
    struct cg_addr made;
    assert_int_equal(cg_addr_parse(&made, cg_slice_str(text), 5683), CG_OK);
    return made;
}

struct accounts {
    struct cg_forgeries forgeries;
    struct cg_allowance of_all;
    uint64_t now_us;
    struct cg_kid_account one, two;
};

static bool allows(const struct accounts *a, const struct cg_kid_account *account, const char *from, bool at_home) {
    const struct cg_addr source = addr(from);
    return cg_forgeries_allow(&a->forgeries, &a->of_all, a->now_us, account, &source, at_home);
}

static void fail_once(struct accounts *a, struct cg_kid_account *account, const char *from, bool at_home) {
    const struct cg_addr source = addr(from);
    cg_forgeries_begin(&a->forgeries, account, at_home);
    cg_forgeries_fail(&a->forgeries, &a->of_all, a->now_us, account, &source, at_home);
}

/* A failure of somebody who is never seen again. */
static void fail_elsewhere(struct accounts *a) {
    static struct cg_kid_account others[64];
    static unsigned turn;
    char text[32];
    turn++;
    snprintf(text, sizeof text, "10.%u.%u.%u", turn >> 16 & 255, turn >> 8 & 255, turn & 255);
    others[turn % 64] = (struct cg_kid_account){0};
    fail_once(a, &others[turn % 64], text, false);
}

static void ten_thousand_members_may_answer_at_once(void **state) {
    (void)state;
    static struct cg_kid_account accounts[10000];
    struct accounts a = {.now_us = SECOND};
    for (size_t i = 0; i < 10000; i++) { /* behind one address, as a border router shows them */
        assert_true(allows(&a, &accounts[i], "192.0.2.1", false));
        cg_forgeries_begin(&a.forgeries, &accounts[i], false);
    }
    assert_null(a.forgeries.sources); /* who is not suspected leaves no trace */
    for (size_t i = 0; i < 10000; i++) cg_forgeries_end(&a.forgeries, &accounts[i], false);
    assert_int_equal(a.forgeries.running, 0);
    assert_int_equal(a.forgeries.members, 0);
}

/* Whatever others do, a member's first answer is verified at once. */
static void the_first_answer_is_never_late(void **state) {
    (void)state;
    struct accounts a = {.now_us = SECOND};
    for (int i = 0; i < 5000; i++) fail_elsewhere(&a);
    for (int i = 0; i < 100; i++) fail_once(&a, &a.two, "192.0.2.1", false);
    assert_true(allows(&a, &a.one, "192.0.2.1", false));
    cg_forgeries_begin(&a.forgeries, &a.one, false);
    assert_false(allows(&a, &a.one, "192.0.2.1", false));
    cg_forgeries_end(&a.forgeries, &a.one, false);
    assert_true(allows(&a, &a.one, "192.0.2.1", false));
    cg_forgeries_fini(&a.forgeries);
}

static void a_kid_has_sixteen(void **state) {
    (void)state;
    struct accounts a = {.now_us = SECOND};
    char text[32];
    for (int i = 0; i < 16; i++) { /* failed or not ended, from wherever */
        snprintf(text, sizeof text, "192.0.2.%d", i + 1);
        assert_true(allows(&a, &a.one, text, false));
        if (i % 2 == 0) cg_forgeries_begin(&a.forgeries, &a.one, false);
        if (i % 2 == 1) fail_once(&a, &a.one, text, false);
    }
    assert_false(allows(&a, &a.one, "192.0.2.99", false));
    cg_forgeries_end(&a.forgeries, &a.one, false);
    assert_true(allows(&a, &a.one, "192.0.2.99", false));
    cg_forgeries_fini(&a.forgeries);
}

static void four_more_from_where_the_member_is(void **state) {
    (void)state;
    struct accounts a = {.now_us = SECOND};
    for (int i = 0; i < 16; i++) fail_once(&a, &a.one, "192.0.2.99", false);
    for (int i = 0; i < 4; i++) {
        assert_true(allows(&a, &a.one, "192.0.2.99", true));
        fail_once(&a, &a.one, "192.0.2.99", true);
    }
    assert_false(allows(&a, &a.one, "192.0.2.99", true));
    cg_forgeries_begin(&a.forgeries, &a.one, true);
    cg_forgeries_end(&a.forgeries, &a.one, true); /* what verifies uses nothing up */
    assert_false(allows(&a, &a.one, "192.0.2.99", true));
    assert_int_equal(a.one.at_home, 0);
    assert_true(a.one.home.left == -4);
    a.now_us += SECOND;
    cg_forgeries_begin(&a.forgeries, &a.one, true); /* but as long as it has not ended */
    assert_true(allows(&a, &a.one, "192.0.2.99", true));
    cg_forgeries_begin(&a.forgeries, &a.one, true);
    assert_false(allows(&a, &a.one, "192.0.2.99", true));
    cg_forgeries_end(&a.forgeries, &a.one, true);
    assert_true(allows(&a, &a.one, "192.0.2.99", true));
    cg_forgeries_fini(&a.forgeries);
}

/* However many were forged from there: at once again after half a second, at 4 and 2 a second and no more. */
static void what_failed_from_home_is_soon_forgotten(void **state) {
    (void)state;
    struct accounts a = {.now_us = SECOND};
    unsigned at_once = 0;
    for (int i = 0; i < 16; i++) fail_once(&a, &a.one, "192.0.2.99", false);
    for (int i = 0; i < 1000; i++) fail_once(&a, &a.one, "192.0.2.1", true); /* most of these have waited */
    assert_false(allows(&a, &a.one, "192.0.2.1", true));
    a.now_us += SECOND / 2 - 1;
    assert_false(allows(&a, &a.one, "192.0.2.1", true));
    a.now_us += 1;
    assert_true(allows(&a, &a.one, "192.0.2.1", true));
    a.now_us += 3600 * SECOND;
    for (int ms = 0; ms < 10000; ms++, a.now_us += SECOND / 1000) {
        if (!allows(&a, &a.one, "192.0.2.1", true)) continue;
        fail_once(&a, &a.one, "192.0.2.1", true);
        at_once++;
    }
    assert_in_range(at_once, 4 + 2 * 10 - 1, 4 + 2 * 10);
    cg_forgeries_fini(&a.forgeries);
}

/* How many of those that waited are begun in so many seconds, where there are ever more. */
static unsigned verified_later(struct cg_forgeries *forgeries, bool at_home, uint64_t *now_us, unsigned seconds) {
    unsigned begun = 0;
    for (uint64_t until_us = *now_us + seconds * SECOND; *now_us <= until_us; *now_us += 200) {
        for (; cg_later_allow(forgeries, at_home, *now_us); begun++) cg_later_begin(forgeries, at_home, *now_us);
    }
    return begun;
}

static void those_that_waited_have_a_total_and_a_rate(void **state) {
    (void)state;
    struct cg_forgeries strangers = {0}, homes = {0}, both = {0};
    uint64_t now_us = SECOND;
    assert_in_range(verified_later(&strangers, false, &now_us, 3), 4096 + 3 * 1024 - 1, 4096 + 3 * 1024);
    now_us = SECOND;
    assert_in_range(verified_later(&homes, true, &now_us, 3), 4096 + 1024 + 3 * 2048 - 2, 4096 + 1024 + 3 * 2048);
    now_us = SECOND;
    assert_int_equal(verified_later(&both, false, &now_us, 0), 4096);
    now_us = SECOND;
    assert_int_equal(verified_later(&both, true, &now_us, 0), 1024); /* strangers cannot use these up */
}

static void a_source_is_an_address_or_a_prefix(void **state) {
    (void)state;
    static const struct {
        const char *forger, *same, *other;
    } cases[] = {{"192.0.2.7", "192.0.2.7:9", "192.0.2.8"},
                 {"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"},
                 {"[fe80::1%3]", "[fe80::2%3]", "2001:db8::1"}};
    for (size_t c = 0; c < 3; c++) {
        struct accounts a = {.now_us = SECOND};
        fail_once(&a, &a.one, "203.0.113.1", false); /* it has not its first answer to give any more */
        for (uint16_t i = 0; i < 16; i++) {
            assert_true(allows(&a, &a.one, cases[c].same, false));
            struct cg_kid_account somebody = {0};
            struct cg_addr source = addr(cases[c].forger);
            source.port = (uint16_t)(1000 + i);
            cg_forgeries_begin(&a.forgeries, &somebody, false);
            cg_forgeries_fail(&a.forgeries, &a.of_all, a.now_us, &somebody, &source, false);
        }
        assert_false(allows(&a, &a.one, cases[c].same, false));
        assert_true(allows(&a, &a.one, cases[c].other, false));
        assert_true(allows(&a, &a.one, cases[c].same, true)); /* but not from where the member is */
        assert_int_equal(HASH_COUNT(a.forgeries.sources), 2);
        cg_forgeries_fini(&a.forgeries);
    }
}

static void a_cast_has_256(void **state) {
    (void)state;
    static struct cg_kid_account many[256];
    struct accounts a = {.now_us = SECOND};
    fail_once(&a, &a.one, "192.0.2.1", false);
    for (int i = 0; i < 200; i++) fail_elsewhere(&a);
    for (int i = 0; i < 256; i++)
        cg_forgeries_begin(&a.forgeries, &many[i], false); /* one a member counts for nothing */
    assert_true(allows(&a, &a.one, "192.0.2.1", false));
    for (int i = 0; i < 54; i++) cg_forgeries_begin(&a.forgeries, &many[i], false); /* a second one does */
    assert_true(allows(&a, &a.one, "192.0.2.1", false));
    cg_forgeries_begin(&a.forgeries, &many[0], false);
    assert_false(allows(&a, &a.one, "192.0.2.1", false));
    cg_forgeries_end(&a.forgeries, &many[0], false);
    assert_true(allows(&a, &a.one, "192.0.2.1", false));
    fail_elsewhere(&a);
    assert_false(allows(&a, &a.one, "192.0.2.1", false));
    cg_forgeries_fini(&a.forgeries);
}

static void the_gateway_has_2048_and_256_a_second(void **state) {
    (void)state;
    struct accounts a = {.now_us = SECOND};
    fail_once(&a, &a.one, "192.0.2.1", false);
    for (int i = 1; i < 2048; i++) {
        struct accounts other = {.of_all = a.of_all, .now_us = a.now_us}; /* each in another cast */
        assert_true(allows(&a, &a.one, "192.0.2.1", false));
        fail_elsewhere(&other);
        cg_forgeries_fini(&other.forgeries);
        a.of_all = other.of_all;
    }
    assert_false(allows(&a, &a.one, "192.0.2.1", false));
    a.now_us += SECOND / 256 + 1;
    assert_true(allows(&a, &a.one, "192.0.2.1", false));
    fail_elsewhere(&a);
    assert_false(allows(&a, &a.one, "192.0.2.1", false));
    a.now_us += 3600 * SECOND; /* an hour fills it, and no more than that */
    fail_elsewhere(&a);
    assert_true(a.of_all.left == -1);
    cg_forgeries_fini(&a.forgeries);
}

/* Each takes the time since the one before into account, however short. */
static void failures_in_quick_succession_are_made_up_for_as_well(void **state) {
    (void)state;
    struct accounts a = {.now_us = SECOND};
    fail_once(&a, &a.one, "192.0.2.1", false);
    for (int i = 0; i < 3000; i++) { /* 300 a second */
        a.now_us += SECOND / 300;
        struct accounts other = {.of_all = a.of_all, .now_us = a.now_us}; /* each in another cast */
        fail_elsewhere(&other);
        cg_forgeries_fini(&other.forgeries);
        a.of_all = other.of_all;
    }
    assert_true(allows(&a, &a.one, "192.0.2.1", false));
    cg_forgeries_fini(&a.forgeries);
}

/* The queue */

enum { WAITING = 4000 };

struct queue {
    struct cg_later later;
    struct cg_forgeries casts[3];
    struct cg_waiting waiting[WAITING];
    size_t used;
};

static struct cg_waiting *add_of(struct queue *q, int cast, const char *from, bool at_home, size_t bytes) {
    const struct cg_whence whence = {.from = addr(from), .at_home = at_home};
    struct cg_waiting *waiting = &q->waiting[q->used++];
    assert_true(q->used <= WAITING);
    assert_int_equal(cg_later_add(&q->later, waiting, &q->casts[cast], &whence, bytes, SECOND), CG_OK);
    return waiting;
}

static struct cg_waiting *add(struct queue *q, int cast, const char *from, size_t bytes) {
    return add_of(q, cast, from, false, bytes);
}

static struct cg_waiting *add_home(struct queue *q, const char *from, size_t bytes) {
    return add_of(q, 0, from, true, bytes);
}

static void empty(struct queue *q) {
    for (int i = 0; i < 3; i++) {
        while (cg_later_take_of(&q->later, &q->casts[i]) != NULL) {
        }
        assert_int_equal(q->casts[i].bytes, 0);
        assert_null(q->casts[i].sources); /* nobody failed: nothing is kept */
        cg_forgeries_fini(&q->casts[i]);
    }
    assert_int_equal(q->later.cast_count, 0);
    assert_int_equal(q->later.displaced_bytes, 0);
    assert_null(cg_later_take(&q->later));
    assert_null(cg_later_take_displaced(&q->later));
    free(q);
}

static struct queue *new_queue(void) {
    struct queue *q = calloc(1, sizeof *q);
    assert_non_null(q);
    return q;
}

static void sources_take_turns(void **state) {
    (void)state;
    struct queue *q = new_queue();
    char text[32];
    struct cg_waiting *flood[4];
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "192.0.2.1:%d", i + 1);
        flood[i] = add(q, 0, text, 100);
    }
    struct cg_waiting *genuine = add(q, 0, "192.0.2.2", 100);
    assert_ptr_equal(cg_later_take(&q->later), flood[0]);
    assert_ptr_equal(cg_later_take(&q->later), genuine);
    for (int i = 1; i < 4; i++) assert_ptr_equal(cg_later_take(&q->later), flood[i]);
    assert_null(cg_later_take(&q->later));
    empty(q);
}

static void casts_take_turns(void **state) {
    (void)state;
    struct queue *q = new_queue();
    struct cg_waiting *first = add(q, 0, "192.0.2.1", 100), *second = add(q, 0, "192.0.2.2", 100);
    struct cg_waiting *other = add(q, 1, "192.0.2.1", 100);
    assert_ptr_equal(cg_later_take(&q->later), first);
    assert_ptr_equal(cg_later_take(&q->later), other);
    assert_ptr_equal(cg_later_take(&q->later), second);
    empty(q);
}

/* A flood from one place displaces itself, and nobody else. */
static void whoever_has_most_has_to_go(void **state) {
    (void)state;
    struct queue *q = new_queue();
    char text[32];
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "192.0.2.1:%d", i + 1);
        add(q, 0, text, 10000);
    }
    struct cg_waiting *genuine[3];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "192.0.2.%d", i + 2);
        genuine[i] = add(q, 0, text, 1500);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "192.0.2.1:%d", i + 1);
        add(q, 0, text, 10000);
        assert_true(q->casts[0].bytes <= CG_LATER_BYTES_CAST);
    }
    for (struct cg_waiting *gone; (gone = cg_later_take_displaced(&q->later)) != NULL;) {
        for (int i = 0; i < 3; i++) assert_ptr_not_equal(gone, genuine[i]);
    }
    cg_later_take(&q->later); /* one of the flood */
    for (int i = 0; i < 3; i++) assert_ptr_equal(cg_later_take(&q->later), genuine[i]);
    empty(q);
}

/* Sources cost nothing where addresses can be made up: nobody is sure of a place then, but everybody has a chance. */
static void of_equals_chance_decides(void **state) {
    (void)state;
    struct queue *q = new_queue();
    char text[32];
    size_t last = 0;
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "10.1.%d.%d", i / 250, i % 250 + 1);
        add(q, 0, text, 10000);
        while (cg_later_take_displaced(&q->later) != NULL) {
        }
    }
    assert_true(q->casts[0].bytes <= CG_LATER_BYTES_CAST && q->casts[0].bytes > CG_LATER_BYTES_CAST - 10000);
    bool newest_stays = false, all_are_newest = true;
    for (struct cg_waiting *it; (it = cg_later_take(&q->later)) != NULL; last++) {
        newest_stays = newest_stays || it == &q->waiting[q->used - 1];
        all_are_newest = all_are_newest && (size_t)(it - q->waiting) >= q->used - CG_LATER_BYTES_CAST / 10000;
    }
    assert_int_equal(last, CG_LATER_BYTES_CAST / 10000);
    assert_true(newest_stays && !all_are_newest); /* neither end of the queue is a place to be pushed out from */
    empty(q);
}

/* One source fills the queue and goes on: whether the first or the last of its answers was displaced each time, as a
 * bit. */
static uint64_t displaced_by_chance(uint64_t seed) {
    struct queue *q = new_queue();
    uint64_t first_goes = 0;
    q->later.dice = seed;
    while (q->casts[0].bytes + 10000 <= CG_LATER_BYTES_CAST) add(q, 0, "192.0.2.1", 10000);
    for (int i = 0; i < 64; i++) {
        const struct cg_waiting *first = q->casts[0].turns->waiting, *last = first->prev;
        add(q, 0, "192.0.2.1", 10000);
        const struct cg_waiting *gone = cg_later_take_displaced(&q->later);
        assert_true(gone == first || gone == last);
        first_goes = first_goes << 1 | (gone == first);
    }
    empty(q);
    return first_goes;
}

static void who_goes_depends_on_what_nobody_knows(void **state) {
    (void)state;
    const uint64_t some = displaced_by_chance(0x1234567890abcdef), other = displaced_by_chance(0xfedcba0987654321);
    assert_int_not_equal(some, other);
    assert_int_not_equal(some, 0);
    assert_int_not_equal(some, UINT64_MAX);
}

static void room_is_shared_by_casts(void **state) {
    (void)state;
    struct queue *q = new_queue();
    q->later.cast_count = 31; /* others: 32 with this one have 512 KiB each */
    char text[32];
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "192.0.2.1:%d", i + 1);
        add(q, 0, text, 10000);
    }
    assert_int_equal(q->casts[0].bytes / 10000, 512 * 1024 / 10000);
    q->later.cast_count -= 31;
    empty(q);
}

static void homes_go_first(void **state) {
    (void)state;
    struct queue *q = new_queue();
    struct cg_waiting *stranger = add(q, 0, "192.0.2.1", 100), *home = add_home(q, "192.0.2.2", 100);
    struct cg_waiting *beside = add(q, 0, "192.0.2.2", 100); /* under another kid */
    struct cg_waiting *second = add_home(q, "192.0.2.2", 100), *other = add_home(q, "192.0.2.3", 100);
    assert_ptr_equal(cg_later_take(&q->later), home);
    assert_ptr_equal(cg_later_take(&q->later), other); /* and take turns */
    assert_ptr_equal(cg_later_take(&q->later), second);
    assert_ptr_equal(cg_later_take(&q->later), stranger);
    assert_ptr_equal(cg_later_take(&q->later), beside);
    add_home(q, "192.0.2.2", 100);
    empty(q);
}

/* Though it is larger than all of theirs, and they come before it and after it, from ever other addresses. */
static void strangers_displace_no_home(void **state) {
    (void)state;
    struct queue *q = new_queue();
    struct cg_waiting *home = NULL;
    char text[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "10.1.%d.%d", i / 250, i % 250 + 1);
        if (i == 1500) home = add_home(q, "192.0.2.2", 5000);
        add(q, 0, text, 1000);
        for (struct cg_waiting *gone; (gone = cg_later_take_displaced(&q->later)) != NULL;) {
            assert_ptr_not_equal(gone, home);
        }
    }
    assert_in_range(q->casts[0].bytes, CG_LATER_BYTES_CAST - 1000, CG_LATER_BYTES_CAST);
    assert_ptr_equal(cg_later_take(&q->later), home);
    empty(q);
}

/* Forgers may have a member's address, too: half of the room is for those who are not known yet. */
static void homes_displace_strangers_from_half_of_the_room(void **state) {
    (void)state;
    struct queue *q = new_queue();
    char text[32];
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "10.1.1.%d", i + 1);
        add(q, 0, text, 10000);
        while (cg_later_take_displaced(&q->later) != NULL) {
        }
    }
    struct cg_waiting *other = add_home(q, "192.0.2.3", 10000);
    for (int i = 0; i < 200; i++) {
        add_home(q, "192.0.2.2", 10000);
        for (struct cg_waiting *gone; (gone = cg_later_take_displaced(&q->later)) != NULL;) {
            assert_ptr_not_equal(gone, other); /* whoever has most, here as well */
        }
    }
    assert_int_equal(q->casts[0].home_bytes / 10000, CG_LATER_BYTES_CAST / 2 / 10000);
    assert_in_range(q->casts[0].bytes, CG_LATER_BYTES_CAST - 20000, CG_LATER_BYTES_CAST);
    assert_ptr_equal(cg_later_take(&q->later), other);
    empty(q);
}

/* Where casts have become so many that a cast's homes alone have more than its share. */
static void homes_make_room_where_there_is_nobody_else(void **state) {
    (void)state;
    struct queue *q = new_queue();
    for (int i = 0; i < 50; i++) add_home(q, "192.0.2.2", 10000);
    q->later.cast_count += 63; /* others: 256 KiB each */
    struct cg_waiting *stranger = add(q, 0, "192.0.2.1", 10000);
    assert_in_range(q->casts[0].bytes, 1, 256 * 1024);
    q->later.cast_count -= 63;
    while (cg_later_take_displaced(&q->later) != NULL) {
    }
    assert_ptr_not_equal(cg_later_take(&q->later), stranger);
    empty(q);
}

static int try_add(struct queue *q, bool at_home, size_t bytes, uint64_t now_us) {
    const struct cg_whence whence = {.from = addr("192.0.2.1"), .at_home = at_home};
    struct cg_waiting *waiting = &q->waiting[q->used++];
    return cg_later_add(&q->later, waiting, &q->casts[0], &whence, bytes, now_us);
}

static void there_is_an_end_to_it(void **state) {
    (void)state;
    struct queue *q = new_queue();
    assert_int_equal(try_add(q, false, CG_LATER_BYTES_CAST + 1, SECOND), CG_E_ATTEMPTS);
    assert_int_equal(try_add(q, true, CG_LATER_BYTES_CAST / 2 + 1, SECOND), CG_E_ATTEMPTS);
    q->casts[0].later = (struct cg_allowance){.left = -CG_LATER_CAST, .filled_us = SECOND};
    assert_int_equal(try_add(q, false, 1, SECOND), CG_E_ATTEMPTS);
    assert_int_equal(try_add(q, true, 1, SECOND), CG_OK);                               /* there is room for it */
    assert_int_equal(try_add(q, false, 1, SECOND + SECOND / CG_LATER_RATE + 1), CG_OK); /* and soon for others */
    q->casts[0].later.left++;
    q->later.displaced_bytes = CG_LATER_BYTES_CAST;
    add(q, 0, "192.0.2.1", 1);
    q->later.displaced_bytes = 0;
    add(q, 1, "192.0.2.1", CG_LATER_BYTES_CAST);        /* what just fits */
    q->later.displaced_bytes = CG_LATER_BYTES_CAST + 1; /* so much is to be refused already */
    assert_int_equal(try_add(q, false, 1, SECOND), CG_E_ATTEMPTS);
    assert_int_equal(try_add(q, true, 1, SECOND), CG_OK);
    q->later.displaced_bytes = 2 * CG_LATER_BYTES_CAST + 1;
    assert_int_equal(try_add(q, true, 1, SECOND), CG_E_ATTEMPTS);
    q->later.displaced_bytes = 0;
    empty(q);
}

/* A gateway under attack. Lamp 2 is whose kid is forged. */

static struct answer_bytes forged(struct room *room, int lamp, const struct reception *reception) {
    struct answer_bytes bytes = room_seal(room, lamp, reception, "forged", (struct style){.numbered = true});
    bytes.data[bytes.len - 70] ^= 1;
    return bytes;
}

/* From ever other ports and addresses. */
static void flood(struct room *room, const struct answer_bytes *bytes, unsigned first, unsigned count) {
    char text[32];
    for (unsigned i = first; i < first + count; i++) {
        snprintf(text, sizeof text, "127.%u.%u.%u:%u", 2 + i / 62500, i / 250 % 250, i % 250 + 1, 1024 + i % 60000);
        world_deliver(&room->side.world, text, bytes->data, bytes->len);
    }
}

static void flood_from(struct room *room, const struct answer_bytes *bytes, int host, unsigned count) {
    char text[32];
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof text, "127.1.0.%d:%u", host, 1024 + i);
        world_deliver(&room->side.world, text, bytes->data, bytes->len);
    }
}

/* All of it arrives before anything has been verified. */
static void a_member_is_heard_in_the_middle_of_a_flood(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    for (int spoofed = 0; spoofed < 2; spoofed++) { /* from its own address as well */
        size_t sent = side_get(side), before = side->crypto.submitted;
        struct reception two = room_receive(room, 2, sent);
        struct answer_bytes bytes = forged(room, 2, &two);
        if (spoofed) flood_from(room, &bytes, 20, 300);
        if (!spoofed) flood(room, &bytes, 0, 300);
        struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){0});
        side_deliver(side, 20, &genuine);
        if (spoofed) flood_from(room, &bytes, 20, 300);
        if (!spoofed) flood(room, &bytes, 1000, 300);
        room_answer(room, 1, sent, "on", (struct style){0});
        room_answer(room, 3, sent, "on", (struct style){0});
        assert_true(side->crypto.count <= 16 + 1 + 2); /* at once; one of those that wait */
        side_settle(side);
        const char *text = side_reply(side);
        assert_counts(text, 3, 600);
        assert_has(text, "\"body\":\"genuine\"");
        assert_true(side->crypto.submitted - before <= 600 + 3);
        assert_null(side->services.later.casts);
    }
}

/* What waited and was verified is refused for what it is; not for having waited. */
static void what_has_waited_is_refused_for_what_it_is(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct reception two = room_receive(room, 2, side_get(side));
    struct answer_bytes bytes = forged(room, 2, &two);
    flood(room, &bytes, 0, 25);
    assert_int_equal(side->crypto.count, 16 + 1); /* the others wait */
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 0, 25);
    assert_refused(text, "verification-failed", 25);
}

/* The same one by one, as it is where the threads keep up. */
static void a_member_is_heard_behind_a_flood(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent);
    struct answer_bytes bytes = forged(room, 2, &two);
    for (unsigned i = 0; i < 300; i++) {
        flood(room, &bytes, i, 1);
        side_settle(side);
    }
    struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){0});
    flood(room, &genuine, 299, 1); /* even from an address that forgeries came from */
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 1, 300);
    assert_has(text, "\"body\":\"genuine\"");
}

static void every_member_is_heard_where_every_kid_is_forged(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct answer_bytes genuine[LAMPS + 1];
    for (int lamp = 1; lamp <= LAMPS; lamp++) {
        struct reception reception = room_receive(room, lamp, sent);
        struct answer_bytes bytes = forged(room, lamp, &reception);
        flood(room, &bytes, (unsigned)lamp * 1000, 200);
        genuine[lamp] = room_seal(room, lamp, &reception, "genuine", (struct style){0});
    }
    for (int lamp = 1; lamp <= LAMPS; lamp++) side_deliver(side, 20, &genuine[lamp]); /* all behind one address */
    side_settle(side);
    assert_counts(side_reply(side), 3, 600);
}

/* How many are verified in all, and that there is an end. */
static void a_cast_costs_no_more_than_this(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent);
    struct answer_bytes bytes = forged(room, 2, &two);
    for (unsigned i = 0; i < 6000; i += 500) {
        flood(room, &bytes, i, 500);
        side_settle(side);
    }
    assert_int_equal(side->crypto.submitted, 16 + CG_LATER_CAST);
    struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){0});
    side_deliver(side, 77, &genuine); /* from nowhere in particular: it is too late for that */
    side_settle(side);
    const char *text = side_reply(side);
    assert_counts(text, 0, 6001);
    sent = side_get(side); /* the next request begins anew */
    room_answer(room, 2, sent, "again", (struct style){0});
    side_settle(side);
    assert_counts(side_reply(side), 1, 0);
}

/* At most one of those that wait is with the threads: they are there for everybody else. */
static void one_at_a_time_in_the_whole_gateway(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent);
    struct answer_bytes bytes = forged(room, 2, &two);
    flood(room, &bytes, 0, 16);
    side_settle(side);
    flood(room, &bytes, 16, 300);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(side->crypto.count, 1);
        fake_crypto_end(&side->crypto, 0);
    }
    room_answer(room, 1, sent, "on", (struct style){0}); /* who is not suspected does not wait */
    assert_int_equal(side->crypto.count, 2);
    bytes = room_seal(room, 2, &two, "genuine", (struct style){.pairwise = true});
    flood(room, &bytes, 900, 1); /* nor does what costs no signature */
    assert_int_equal(side->crypto.count, 2);
    side_settle(side);
    assert_counts(side_reply(side), 2, 316);
}

/* Decrypting costs no more than receiving: forgeries in pairwise mode use nothing up. */
static void forgeries_in_pairwise_mode_make_nobody_wait(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent);
    struct answer_bytes bytes = room_seal(room, 2, &two, "forged", (struct style){.pairwise = true});
    bytes.data[bytes.len - 1] ^= 1;
    flood(room, &bytes, 0, 500);
    assert_int_equal(side->crypto.submitted, 0);
    struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){0});
    flood(room, &genuine, 0, 1);
    assert_int_equal(side->crypto.count, 1);
    assert_null(side->services.later.running);
    side_settle(side);
    assert_counts(side_reply(side), 1, 500);
}

/* Where a member answers from counts for the keys that came meanwhile as well. */
static void an_address_is_known_under_all_keys(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct fake_group next = side->keys;
    struct lamp renewed;
    fake_group_rekey(&next);
    lamp_init(&renewed, &next, 2);
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent);
    side_set_keys(side, side->lamps, &next, 0, NULL);
    struct answer_bytes bytes = room_seal(room, 2, &two, "under the old keys", (struct style){0});
    side_deliver(side, 66, &bytes);
    side_settle(side);
    assert_counts(side_reply(side), 1, 0);
    sent = side_get(side);
    two = lamp_receive(&renewed, &side->world.sent[sent]);
    bytes = lamp_seal(&renewed, &two, "forged", (struct style){.numbered = true});
    bytes.data[bytes.len - 70] ^= 1;
    flood(room, &bytes, 0, 100);
    size_t waiting = side->crypto.count;
    bytes = lamp_seal(&renewed, &two, "genuine", (struct style){0});
    side_deliver(side, 66, &bytes);
    assert_int_equal(side->crypto.count, waiting + 1);
    side_settle(side);
    assert_counts(side_reply(side), 1, 100);
    lamp_fini(&renewed);
}

/* Where a member is known to be, room is kept for it: more than its cast has left. */
static void a_flood_takes_nothing_from_where_the_member_is(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    side->addresses[2] = "127.1.0.2";
    side_set_keys(side, side->lamps, &side->keys, 3, NULL); /* other members, so that it is read */
    for (int known = 0; known < 3; known++) {
        size_t sent = side_get(side);
        struct reception two = room_receive(room, 2, sent);
        struct answer_bytes bytes = forged(room, 2, &two);
        flood(room, &bytes, 0, 2000);
        side_settle(side);
        flood(room, &bytes, 2000, 200);
        size_t waiting = side->crypto.count, before = side->crypto.submitted;
        struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){0});
        static const char *const from[] = {"127.1.0.2:61616", "127.1.0.66:5683", "127.1.0.66:7"};
        if (known == 1) { /* it has moved: heard in its turn, and known from then on */
            world_deliver(&side->world, from[known], genuine.data, genuine.len);
            assert_int_equal(side->crypto.submitted, before);
        } else {
            world_deliver(&side->world, from[known], genuine.data, genuine.len);
            assert_int_equal(side->crypto.submitted, before + 1);
            assert_int_equal(side->crypto.count, waiting + 1);
        }
        side_settle(side);
        const char *text = side_reply(side);
        assert_counts(text, 1, 2200);
        assert_has(text, "\"body\":\"genuine\"");
        if (known == 1) side_set_keys(side, side->lamps, &side->keys, 0, NULL); /* a reload forgets no address */
    }
}

/* All that a cast may cost where forging began so long before. */
static unsigned bound_of(unsigned members, double seconds) {
    return (unsigned)(members * (5 + 2 * seconds) + 256 + 4096 + 1024 + 2 * 1024 * seconds);
}

static void know_all_addresses(struct side *side) {
    static const char *const addresses[FAKE_MEMBERS] = {NULL, "127.1.0.1", "127.1.0.2", "127.1.0.3"};
    memcpy(side->addresses, addresses, sizeof addresses);
    side_set_keys(side, side->lamps, &side->keys, 3, NULL); /* other members, so that they are read */
    side_set_keys(side, side->lamps, &side->keys, 0, NULL);
}

/* Members take their time, and the forger has it: each kid from its own address and from five thousand others, till
 * nothing is left. */
static void members_are_heard_long_after_a_flood(struct room *room, bool known, bool settles) {
    struct side *side = &room->side;
    if (known) know_all_addresses(side);
    const size_t sent = side_get(side), before = side->crypto.submitted;
    struct answer_bytes genuine[LAMPS + 1], bytes[LAMPS + 1];
    for (int lamp = 1; lamp <= LAMPS; lamp++) {
        struct reception reception = room_receive(room, lamp, sent);
        bytes[lamp] = forged(room, lamp, &reception);
        genuine[lamp] = room_seal(room, lamp, &reception, "genuine", (struct style){0});
        for (int i = 0; i < 5; i++) side_deliver(side, lamp, &bytes[lamp]);
    }
    for (unsigned i = 0; i < 6000; i++) {
        flood(room, &bytes[1 + i % 3], i % 5000, 1);
        if (settles && i % 500 == 0) side_settle(side);
    }
    side_settle(side);
    world_advance(&side->world, SECOND + SECOND / 2);
    for (unsigned i = 0; i < 900; i++) flood(room, &bytes[1 + i % 3], 5000 + i, 1); /* and once more */
    if (!known) side_settle(side);
    for (int lamp = 1; lamp <= LAMPS; lamp++) {
        const size_t submitted = side->crypto.submitted;
        side_deliver(side, lamp, &genuine[lamp]);
        if (known) assert_int_equal(side->crypto.submitted, submitted + 1); /* at once */
    }
    side_settle(side);
    assert_in_range(side->crypto.submitted - before, 3, bound_of(3, 1.5));
    const char *text = side_reply(side);
    assert_counts(text, 3, 15 + 6000 + 900);
    assert_int_equal(count_of(text, "\"body\":\"genuine\""), 3);
}

static void known_members_are_heard_long_after_a_flood(void **state) {
    members_are_heard_long_after_a_flood(*state, true, true);
}

static void known_members_are_heard_long_after_a_sudden_flood(void **state) {
    members_are_heard_long_after_a_flood(*state, true, false);
}

static void unknown_members_are_heard_long_after_a_flood(void **state) {
    members_are_heard_long_after_a_flood(*state, false, true);
}

/* Without a moment to recover, and more forged from its own address than is verified at once: it has to wait, but is
 * not refused. */
static void a_known_member_is_heard_where_nothing_is_left(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    know_all_addresses(side);
    const size_t sent = side_get(side), before = side->crypto.submitted;
    struct reception two = room_receive(room, 2, sent);
    struct answer_bytes bytes = forged(room, 2, &two);
    for (unsigned i = 0; i < 6000; i += 500) {
        flood(room, &bytes, i, 500);
        side_settle(side);
    }
    flood_from(room, &bytes, 2, 100);
    flood(room, &bytes, 6000, 100);
    struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){0});
    side_deliver(side, 2, &genuine);
    flood_from(room, &bytes, 2, 100);
    flood(room, &bytes, 6100, 2000);
    side_settle(side);
    assert_int_equal(side->crypto.submitted - before, 16 + 4 + CG_LATER_CAST + 200 + 1 - 4);
    const char *text = side_reply(side);
    assert_counts(text, 1, 8300);
    assert_has(text, "\"body\":\"genuine\"");
}

/* A forger with the addresses of all members, who never stops: what it costs at the most. */
static void a_cast_costs_no_more_where_homes_are_forged(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    know_all_addresses(side);
    const size_t sent = side_get(side), before = side->crypto.submitted;
    struct answer_bytes bytes[LAMPS + 1];
    for (int lamp = 1; lamp <= LAMPS; lamp++) {
        struct reception reception = room_receive(room, lamp, sent);
        bytes[lamp] = forged(room, lamp, &reception);
    }
    unsigned forgeries = 0;
    for (int tenth = 0; tenth <= 15; tenth++) {
        if (tenth > 0) world_advance(&side->world, SECOND / 10);
        for (int i = 0; i < (tenth == 0 ? 6000 : 700); i++, forgeries++) {
            side_deliver(side, 1 + i % 3, &bytes[1 + i % 3]);
            if (i % 200 == 0) side_settle(side);
        }
        side_settle(side);
    }
    const size_t cost = side->crypto.submitted - before;
    assert_in_range(cost, 4096 + 1024 + 3000, bound_of(3, 1.5));
    assert_counts(side_reply(side), 0, forgeries);
}

/* What is in the queue when its cast ends, its client leaves, or the gateway stops. */
static void a_cast_ends_while_answers_wait(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    for (int moment = 0; moment < 3; moment++) {
        size_t sent = side_get(side);
        struct reception two = room_receive(room, 2, sent);
        struct answer_bytes bytes = forged(room, 2, &two);
        flood(room, &bytes, 0, 2000); /* some are displaced */
        if (moment == 1) fake_crypto_run(&side->crypto, side->crypto.count - 1);
        if (moment == 2) {
            cg_gateway_abandon(side->world.gateway, side->call.ticket);
            world_run(&side->world);
        } else {
            world_advance(&side->world, 5 * SECOND); /* threads that hang */
            assert_int_equal(side->call.replies, 1);
        }
        fake_crypto_end_all(&side->crypto);
        assert_null(side->services.later.running);
        assert_null(side->services.later.casts);
        assert_null(side->services.later.displaced);
    }
    size_t sent = side_get(side); /* and once more, for side_fini */
    struct reception two = room_receive(room, 2, sent);
    struct answer_bytes bytes = forged(room, 2, &two);
    flood(room, &bytes, 0, 2000);
}

/* Two casts under attack; one ends, and the other's answers are verified as before. */
static void the_end_of_one_cast_holds_no_other(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    side->world.config->group.nstart = 10;
    struct call other = {0};
    size_t sent = side_get(side);
    assert_non_null(world_new(&side->world, &other, "/lamps/y"));
    world_go(&side->world, &other);
    side_settle(side);
    assert_int_equal(side->world.sent_count, sent + 2);
    for (size_t i = 0; i < 2; i++) {
        struct reception two = room_receive(room, 2, sent + i);
        struct answer_bytes bytes = forged(room, 2, &two);
        flood(room, &bytes, 0, 100);
    }
    struct reception two = room_receive(room, 3, sent + 1);
    struct answer_bytes bytes = forged(room, 3, &two);
    flood(room, &bytes, 500, 100);
    struct answer_bytes genuine = room_seal(room, 3, &two, "genuine", (struct style){0});
    flood(room, &genuine, 900, 1);
    cg_gateway_abandon(side->world.gateway, side->call.ticket); /* the first one's: its answer is being verified */
    world_run(&side->world);
    side_settle(side);
    world_advance(&side->world, 5 * SECOND);
    assert_int_equal(other.replies, 1);
    assert_counts(other.text, 1, 200);
    call_fini(&other);
}

/* Trying several epochs is no way around the limits: what is forged counts once, whatever it was tried under. */
static void forgeries_count_once_under_several_epochs(void **state) {
    struct room *room = *state;
    struct side *side = &room->side;
    struct fake_group next = side->keys;
    fake_group_rekey(&next);
    size_t sent = side_get(side);
    struct reception two = room_receive(room, 2, sent);
    side_set_keys(side, side->lamps, &next, 0, NULL);
    struct answer_bytes bytes = forged(room, 2, &two);
    flood(room, &bytes, 0, 40);
    assert_int_equal(side->crypto.count, 16 + 1);
    side_settle(side);
    assert_int_equal(side->crypto.submitted, 2 * 40);
    struct answer_bytes genuine = room_seal(room, 2, &two, "genuine", (struct style){.numbered = true});
    flood(room, &genuine, 40, 1);
    side_settle(side);
    assert_int_equal(side->crypto.submitted, 2 * 41);
    assert_counts(side_reply(side), 1, 40);
}

int main(void) {
    cg_log_set_level(CG_LOG_ERROR);
#define WITH_ROOM(test) cmocka_unit_test_setup_teardown(test, room_setup, room_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_members_may_answer_at_once),
        cmocka_unit_test(the_first_answer_is_never_late),
        cmocka_unit_test(a_kid_has_sixteen),
        cmocka_unit_test(four_more_from_where_the_member_is),
        cmocka_unit_test(what_failed_from_home_is_soon_forgotten),
        cmocka_unit_test(a_source_is_an_address_or_a_prefix),
        cmocka_unit_test(a_cast_has_256),
        cmocka_unit_test(the_gateway_has_2048_and_256_a_second),
        cmocka_unit_test(failures_in_quick_succession_are_made_up_for_as_well),
        cmocka_unit_test(those_that_waited_have_a_total_and_a_rate),
        cmocka_unit_test(sources_take_turns),
        cmocka_unit_test(casts_take_turns),
        cmocka_unit_test(whoever_has_most_has_to_go),
        cmocka_unit_test(of_equals_chance_decides),
        cmocka_unit_test(who_goes_depends_on_what_nobody_knows),
        cmocka_unit_test(room_is_shared_by_casts),
        cmocka_unit_test(homes_go_first),
        cmocka_unit_test(strangers_displace_no_home),
        cmocka_unit_test(homes_displace_strangers_from_half_of_the_room),
        cmocka_unit_test(homes_make_room_where_there_is_nobody_else),
        cmocka_unit_test(there_is_an_end_to_it),
        WITH_ROOM(a_member_is_heard_in_the_middle_of_a_flood),
        WITH_ROOM(what_has_waited_is_refused_for_what_it_is),
        WITH_ROOM(a_member_is_heard_behind_a_flood),
        WITH_ROOM(every_member_is_heard_where_every_kid_is_forged),
        WITH_ROOM(a_cast_costs_no_more_than_this),
        WITH_ROOM(one_at_a_time_in_the_whole_gateway),
        WITH_ROOM(forgeries_in_pairwise_mode_make_nobody_wait),
        WITH_ROOM(an_address_is_known_under_all_keys),
        WITH_ROOM(a_flood_takes_nothing_from_where_the_member_is),
        WITH_ROOM(known_members_are_heard_long_after_a_flood),
        WITH_ROOM(known_members_are_heard_long_after_a_sudden_flood),
        WITH_ROOM(unknown_members_are_heard_long_after_a_flood),
        WITH_ROOM(a_known_member_is_heard_where_nothing_is_left),
        WITH_ROOM(a_cast_costs_no_more_where_homes_are_forged),
        WITH_ROOM(a_cast_ends_while_answers_wait),
        WITH_ROOM(the_end_of_one_cast_holds_no_other),
        WITH_ROOM(forgeries_count_once_under_several_epochs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
