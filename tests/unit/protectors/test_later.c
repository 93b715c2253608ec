/* Answers that wait to be verified: whose turn it is, and who has to go where there is no room. R24, R56. */
#include "fake_room.h"

#include <stdio.h>
#include <stdlib.h>

static struct cg_addr addr(const char *text) {
    struct cg_addr made;
    assert_int_equal(cg_addr_parse(&made, cg_slice_str(text), 5683), CG_OK);
    return made;
}

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

static int setup(void **state) {
    *state = calloc(1, sizeof(struct queue));
    return *state == NULL ? -1 : 0;
}

/* Nothing is lost, and nothing is left. */
static void empty(struct queue *q) {
    for (int i = 0; i < 3; i++) {
        while (cg_later_take_of(&q->later, &q->casts[i], NULL) != NULL) {
        }
        assert_int_equal(q->casts[i].bytes, 0);
        assert_null(q->casts[i].sources); /* nobody failed: nothing is kept */
        cg_forgeries_fini(&q->casts[i]);
    }
    assert_int_equal(q->later.cast_count, 0);
    assert_int_equal(q->later.displaced_bytes, 0);
    assert_null(cg_later_take(&q->later));
    assert_null(cg_later_take_displaced(&q->later));
}

static int teardown(void **state) {
    empty(*state);
    free(*state);
    return 0;
}

#define queue_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void sources_take_turns(void **state) {
    struct queue *q = *state;
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
}

static void casts_take_turns(void **state) {
    struct queue *q = *state;
    struct cg_waiting *first = add(q, 0, "192.0.2.1", 100), *second = add(q, 0, "192.0.2.2", 100);
    struct cg_waiting *other = add(q, 1, "192.0.2.1", 100);
    assert_ptr_equal(cg_later_take(&q->later), first);
    assert_ptr_equal(cg_later_take(&q->later), other);
    assert_ptr_equal(cg_later_take(&q->later), second);
}

/* A flood from one place displaces itself, and nobody else. */
static void whoever_has_most_has_to_go(void **state) {
    struct queue *q = *state;
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
}

/* Sources cost nothing where addresses can be made up: nobody is sure of a place then, but everybody has a chance. */
static void of_equals_chance_decides(void **state) {
    struct queue *q = *state;
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
}

/* One source fills the queue and goes on: whether the first or the last of its answers was displaced each time, as a
 * bit. */
static uint64_t displaced_by_chance(struct queue *q, uint64_t seed) {
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
    const uint64_t some = displaced_by_chance(*state, 0x1234567890abcdef);
    const uint64_t other = displaced_by_chance(*state, 0xfedcba0987654321);
    assert_int_not_equal(some, other);
    assert_int_not_equal(some, 0);
    assert_int_not_equal(some, UINT64_MAX);
}

static void room_is_shared_by_casts(void **state) {
    struct queue *q = *state;
    q->later.cast_count = 31; /* others: 32 with this one have 512 KiB each */
    char text[32];
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "192.0.2.1:%d", i + 1);
        add(q, 0, text, 10000);
    }
    assert_int_equal(q->casts[0].bytes / 10000, 512 * 1024 / 10000);
    q->later.cast_count -= 31;
}

static void homes_go_first(void **state) {
    struct queue *q = *state;
    struct cg_waiting *stranger = add(q, 0, "192.0.2.1", 100), *home = add_home(q, "192.0.2.2", 100);
    struct cg_waiting *beside = add(q, 0, "192.0.2.2", 100); /* under another kid */
    struct cg_waiting *second = add_home(q, "192.0.2.2", 100), *other = add_home(q, "192.0.2.3", 100);
    assert_ptr_equal(cg_later_take(&q->later), home);
    assert_ptr_equal(cg_later_take(&q->later), other); /* and take turns */
    assert_ptr_equal(cg_later_take(&q->later), second);
    assert_ptr_equal(cg_later_take(&q->later), stranger);
    assert_ptr_equal(cg_later_take(&q->later), beside);
    add_home(q, "192.0.2.2", 100);
}

/* Though it is larger than all of theirs, and they come before it and after it, from ever other addresses. */
static void strangers_displace_no_home(void **state) {
    struct queue *q = *state;
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
}

/* Forgers may have a member's address, too: half of the room is for those who are not known yet. */
static void homes_displace_strangers_from_half_of_the_room(void **state) {
    struct queue *q = *state;
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
}

/* Where casts have become so many that a cast's homes alone have more than its share. */
static void homes_make_room_where_there_is_nobody_else(void **state) {
    struct queue *q = *state;
    for (int i = 0; i < 50; i++) add_home(q, "192.0.2.2", 10000);
    q->later.cast_count += 63; /* others: 256 KiB each */
    struct cg_waiting *stranger = add(q, 0, "192.0.2.1", 10000);
    assert_in_range(q->casts[0].bytes, 1, 256 * 1024);
    q->later.cast_count -= 63;
    while (cg_later_take_displaced(&q->later) != NULL) {
    }
    assert_ptr_not_equal(cg_later_take(&q->later), stranger);
}

static int try_add(struct queue *q, bool at_home, size_t bytes, uint64_t now_us) {
    const struct cg_whence whence = {.from = addr("192.0.2.1"), .at_home = at_home};
    struct cg_waiting *waiting = &q->waiting[q->used++];
    return cg_later_add(&q->later, waiting, &q->casts[0], &whence, bytes, now_us);
}

static void there_is_an_end_to_it(void **state) {
    struct queue *q = *state;
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
}

int main(void) {
    const struct CMUnitTest tests[] = {
        queue_test(sources_take_turns),
        queue_test(casts_take_turns),
        queue_test(whoever_has_most_has_to_go),
        queue_test(of_equals_chance_decides),
        queue_test(who_goes_depends_on_what_nobody_knows),
        queue_test(room_is_shared_by_casts),
        queue_test(homes_go_first),
        queue_test(strangers_displace_no_home),
        queue_test(homes_displace_strangers_from_half_of_the_room),
        queue_test(homes_make_room_where_there_is_nobody_else),
        queue_test(there_is_an_end_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
