/* The way in of one socket: when datagrams came, and which of them are gathered. The hard thing: nothing here may
 * depend on how fast anything is, so rests are begun by hand, and what came is let lie long enough to tell its arrival
 * from its reading. */
#include "io/inlet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/container.h"
#include "fake_member.h"

enum { CLOCKS_US = 100000 /* what two clocks may seem to disagree by on a busy machine */, LIES_US = 300000 };

struct side {
    uv_loop_t uv;
    struct cg_inlet inlet;
    struct cg_inlet_room *room;
    struct fake_member socket, member;
    size_t received;
    uint64_t arrival_us;
    uint64_t hurry_us; /* to be called from on_datagram; 0: not */
    bool closed;
};

static uint64_t now_us(void) { return uv_hrtime() / 1000; }

static void on_datagram(void *ctx, const struct cg_datagram *datagram) {
    struct side *side = ctx;
    side->received++;
    side->arrival_us = datagram->arrival_us;
    if (side->hurry_us != 0) cg_inlet_hurry(&side->inlet, side->hurry_us);
}

static void on_closed(struct cg_inlet *inlet) { CG_CONTAINER(inlet, struct side, inlet)->closed = true; }

/* How old the kernel says that a datagram is when it is read so much later. */
static int64_t stamped_age_us(struct fake_member *from, struct fake_member *to, unsigned later_us) {
    char byte, control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct timespec stamp, now;
    fake_member_send(from, &to->addr, "x", 1);
    usleep(later_us);
    assert_int_equal(recvmsg(to->fd, &message, 0), 1);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    assert_non_null(CMSG_FIRSTHDR(&message));
    memcpy(&stamp, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof stamp);
    return (now.tv_sec - stamp.tv_sec) * INT64_C(1000000) + (now.tv_nsec - stamp.tv_nsec) / 1000;
}

/* The kernel begins to note times of arrival some time after the first socket has asked for them; until then it gives
 * the time of reading. */
static void wait_for_stamps(struct side *side) {
    struct fake_member other;
    const int on = 1;
    fake_member_init(&other, "127.0.0.3", NULL);
    assert_int_equal(setsockopt(other.fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on), 0);
    while (stamped_age_us(&side->member, &other, CLOCKS_US) < CLOCKS_US / 2) continue;
    fake_member_fini(&other);
}

static int setup(void **state) {
    struct side *side = calloc(1, sizeof *side);
    assert_non_null(side);
    assert_int_equal(uv_loop_init(&side->uv), 0);
    fake_member_init(&side->socket, "127.0.0.1", NULL);
    fake_member_init(&side->member, "127.0.0.2", NULL);
    side->room = cg_inlet_room_new();
    assert_non_null(side->room);
    assert_int_equal(cg_inlet_open(&side->inlet, &side->uv, side->socket.fd, side->room, on_datagram, side), 0);
    wait_for_stamps(side);
    *state = side;
    return 0;
}

static int teardown(void **state) {
    struct side *side = *state;
    cg_inlet_close(&side->inlet, on_closed);
    uv_run(&side->uv, UV_RUN_DEFAULT);
    assert_true(side->closed);
    assert_int_equal(uv_loop_close(&side->uv), 0);
    cg_inlet_room_free(side->room);
    fake_member_fini(&side->socket);
    fake_member_fini(&side->member);
    free(side);
    return 0;
}

static void send_one(struct side *side) { fake_member_send(&side->member, &side->socket.addr, "x", 1); }

static void wait_for(struct side *side, size_t received) {
    while (side->received < received) uv_run(&side->uv, UV_RUN_NOWAIT);
}

static bool is_watched(const struct side *side) { return uv_is_active((const uv_handle_t *)&side->inlet.poll); }

static void take_one(struct side *side) {
    size_t received = side->received;
    send_one(side);
    wait_for(side, received + 1);
}

/* As if some had come closely. Where the machine is slow the rest may be over when the loop comes back. */
static void begin_rest(struct side *side) {
    do {
        side->inlet.gather.rests = true;
        take_one(side);
    } while (is_watched(side));
}

static void test_what_comes_is_taken_at_once(void **state) {
    struct side *side = *state;
    uint64_t before_us = now_us();
    send_one(side);
    wait_for(side, 1);
    assert_in_range(side->arrival_us, before_us, now_us());
    assert_true(is_watched(side));
}

static void test_gathered_ones_keep_their_arrival(void **state) {
    struct side *side = *state;
    begin_rest(side);
    size_t received = side->received;
    uint64_t before_us = now_us();
    send_one(side);
    uint64_t sent_us = now_us();
    usleep(LIES_US);
    wait_for(side, received + 1);
    assert_in_range(side->arrival_us, before_us - CLOCKS_US, sent_us + CLOCKS_US);
}

/* The clock on the wall was set meanwhile. */
static void test_arrival_is_after_the_socket_was_empty(void **state) {
    struct side *side = *state;
    begin_rest(side);
    size_t received = side->received;
    send_one(side);
    usleep(LIES_US);
    side->inlet.emptied_us = now_us();
    uint64_t emptied_us = side->inlet.emptied_us;
    wait_for(side, received + 1);
    assert_int_equal(side->arrival_us, emptied_us);
}

static void test_a_rest_ends_when_nothing_came(void **state) {
    struct side *side = *state;
    begin_rest(side);
    size_t received = side->received;
    while (!is_watched(side)) uv_run(&side->uv, UV_RUN_NOWAIT);
    assert_int_equal(side->received, received);
    take_one(side);
}

static void test_hurry_ends_a_rest(void **state) {
    struct side *side = *state;
    begin_rest(side);
    cg_inlet_hurry(&side->inlet, now_us() + 1000000000);
    assert_true(is_watched(side));
    side->inlet.gather.rests = true;
    take_one(side);
    assert_true(is_watched(side));
}

static void test_hurry_while_a_datagram_is_handed_on(void **state) {
    struct side *side = *state;
    begin_rest(side);
    side->hurry_us = now_us() + 1000000000;
    take_one(side);
    assert_true(is_watched(side));
}

static void test_catching_up_takes_what_was_gathered(void **state) {
    struct side *side = *state;
    send_one(side);
    cg_inlet_catch_up(&side->inlet); /* it is watched: the loop will say so */
    assert_int_equal(side->received, 0);
    wait_for(side, 1);
    begin_rest(side);
    size_t received = side->received;
    send_one(side);
    cg_inlet_catch_up(&side->inlet);
    assert_int_equal(side->received, received + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_comes_is_taken_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gathered_ones_keep_their_arrival, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arrival_is_after_the_socket_was_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_rest_ends_when_nothing_came, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hurry_ends_a_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hurry_while_a_datagram_is_handed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catching_up_takes_what_was_gathered, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
