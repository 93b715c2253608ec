/* Whose connection goes when there is no room for one more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fronts/http/seats.h"

enum { SEATS = 8 };

struct fixture {
    struct cg_http_seats seats;
    struct cg_http_seat seat[SEATS];
};

static struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), 1), CG_OK);
    return addr;
}

static void provide(struct fixture *f, unsigned max, unsigned share) { cg_http_seats_init(&f->seats, max, share); }

static int setup(void **state) {
    *state = calloc(1, sizeof(struct fixture));
    return *state == NULL ? -1 : 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < SEATS; i++) cg_http_seat_give_back(&f->seats, &f->seat[i]);
    cg_http_seats_fini(&f->seats);
    free(f);
    return 0;
}

#define seats_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void take(struct fixture *f, size_t index, const char *from) {
    struct cg_addr addr = address(from);
    assert_int_equal(cg_http_seat_take(&f->seats, &f->seat[index], &addr), CG_OK);
}

static void set(struct fixture *f, size_t index, enum cg_http_rank rank) {
    cg_http_seat_set(&f->seats, &f->seat[index], rank);
}

enum { NOBODY = -1, NOT_ADMITTED = -2 };

/* Whose seat goes for one more of that address. */
static int goes_for(const struct fixture *f, const char *from) {
    struct cg_http_seat *goes;
    struct cg_addr addr = address(from);
    if (!cg_http_seats_admit(&f->seats, &addr, f->seats.share, &goes)) return NOT_ADMITTED;
    return goes == NULL ? NOBODY : (int)(goes - f->seat);
}

static void the_oldest_without_a_request_goes(void **state) {
    struct fixture *f = *state;
    provide(f, 3, 3);
    take(f, 0, "192.0.2.1:1");
    take(f, 1, "192.0.2.2:1");
    assert_int_equal(goes_for(f, "192.0.2.3"), NOBODY);
    take(f, 2, "192.0.2.3:1");
    assert_int_equal(goes_for(f, "192.0.2.4"), 0);
    set(f, 0, CG_HTTP_BUSY);
    assert_int_equal(goes_for(f, "192.0.2.4"), 1);
    set(f, 0, CG_HTTP_IDLE); /* counts from now */
    assert_int_equal(goes_for(f, "192.0.2.4"), 1);
    set(f, 1, CG_HTTP_BUSY);
    set(f, 2, CG_HTTP_BUSY);
    assert_int_equal(goes_for(f, "192.0.2.4"), 0);
    set(f, 0, CG_HTTP_BUSY);
    assert_int_equal(goes_for(f, "192.0.2.4"), NOT_ADMITTED);
    assert_false(cg_http_seats_have_room(&f->seats));
}

static void who_takes_a_finished_reply_goes_after_the_idle(void **state) {
    struct fixture *f = *state;
    provide(f, 3, 3);
    for (size_t i = 0; i < 3; i++) take(f, i, "192.0.2.1");
    set(f, 0, CG_HTTP_DRAINING);
    set(f, 1, CG_HTTP_BUSY);
    assert_int_equal(goes_for(f, "192.0.2.2"), 2);
    set(f, 2, CG_HTTP_DRAINING);
    assert_int_equal(goes_for(f, "192.0.2.2"), 0);
    set(f, 0, CG_HTTP_BUSY);
    assert_int_equal(goes_for(f, "192.0.2.2"), 2);
    assert_true(cg_http_seats_have_room(&f->seats));
}

static void beyond_its_share_an_address_makes_room_for_itself(void **state) {
    struct fixture *f = *state;
    provide(f, 6, 2);
    take(f, 0, "192.0.2.9");
    take(f, 1, "192.0.2.1:1");
    take(f, 2, "192.0.2.1:2");
    assert_int_equal(goes_for(f, "192.0.2.1:3"), 1);
    assert_int_equal(goes_for(f, "192.0.2.2"), NOBODY);
    set(f, 1, CG_HTTP_BUSY);
    assert_int_equal(goes_for(f, "192.0.2.1:3"), 2);
    set(f, 2, CG_HTTP_BUSY);
    assert_int_equal(goes_for(f, "192.0.2.1:3"), NOT_ADMITTED); /* others' are not its to take */
    assert_int_equal(goes_for(f, "192.0.2.2"), NOBODY);
    cg_http_seat_give_back(&f->seats, &f->seat[1]);
    assert_int_equal(goes_for(f, "192.0.2.1:3"), NOBODY);
}

static void an_ipv6_host_has_all_of_its_prefix(void **state) {
    struct fixture *f = *state;
    provide(f, 6, 1);
    take(f, 0, "2001:db8:0:1::1");
    assert_int_equal(goes_for(f, "2001:db8:0:1:ffff::2"), 0);
    assert_int_equal(goes_for(f, "2001:db8:0:2::1"), NOBODY);
    take(f, 1, "32.1.13.184"); /* the same first bytes */
    take(f, 2, "32.1.13.185");
    assert_int_equal(goes_for(f, "32.1.13.184:9"), 1);
    assert_int_equal(goes_for(f, "2001:db8:0:1::1"), 0);
}

static void who_was_told_to_go_counts_no_more(void **state) {
    struct fixture *f = *state;
    provide(f, 2, 1);
    take(f, 0, "192.0.2.1");
    set(f, 0, CG_HTTP_LEAVING);
    assert_int_equal(goes_for(f, "192.0.2.1"), NOBODY);
    take(f, 1, "192.0.2.1");
    assert_int_equal(goes_for(f, "192.0.2.1"), 1);
    set(f, 1, CG_HTTP_LEAVING);
    assert_int_equal(f->seats.taken, 0);
}

static void many_addresses_are_told_apart(void **state) {
    struct fixture *f = *state;
    provide(f, 2, 1);
    static const char *const from[SEATS] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4",
                                            "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8"};
    for (size_t i = 0; i < SEATS; i++) take(f, i, from[i]);
    for (size_t i = 0; i < SEATS; i++) assert_int_equal(goes_for(f, from[i]), (int)i);
    for (size_t i = 0; i < SEATS; i += 2) cg_http_seat_give_back(&f->seats, &f->seat[i]);
    for (size_t i = 1; i < SEATS; i += 2) assert_int_equal(goes_for(f, from[i]), (int)i);
    assert_int_equal(goes_for(f, from[0]), 1); /* too many all the same: the oldest of all */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        seats_test(the_oldest_without_a_request_goes),
        seats_test(who_takes_a_finished_reply_goes_after_the_idle),
        seats_test(beyond_its_share_an_address_makes_room_for_itself),
        seats_test(an_ipv6_host_has_all_of_its_prefix),
        seats_test(who_was_told_to_go_counts_no_more),
        seats_test(many_addresses_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
