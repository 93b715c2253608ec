/* Whose turn it is at a group where several clients wait. */
#include "exchange/fake_world.h"

#include <stdio.h>

#include "legs/queue.h"

static void enter(struct cg_queue *queue, struct cg_place *place, const char *client) {
    *place = (struct cg_place){0};
    assert_true(cg_queue_enter(queue, place, client));
}

static struct cg_place *serve(struct cg_queue *queue) {
    struct cg_place *place = cg_queue_first(queue);
    if (place != NULL) cg_queue_serve(queue, place);
    return place;
}

static void a_greedy_client_delays_another_by_one_turn(void **state) {
    (void)state;
    static struct cg_place greedy[1000], other;
    struct cg_queue queue = {0};
    for (int i = 0; i < 1000; i++) enter(&queue, &greedy[i], "greedy");
    enter(&queue, &other, "other");
    assert_ptr_equal(serve(&queue), &greedy[0]);
    assert_ptr_equal(serve(&queue), &other);
    for (int i = 1; i < 1000; i++) assert_ptr_equal(serve(&queue), &greedy[i]);
    assert_null(serve(&queue));
}

static void clients_take_turns_each_in_its_order(void **state) {
    (void)state;
    struct cg_place a[3], b[2], c[1];
    struct cg_queue queue = {0};
    for (int i = 0; i < 3; i++) enter(&queue, &a[i], "a");
    for (int i = 0; i < 2; i++) enter(&queue, &b[i], "b");
    enter(&queue, &c[0], "c");
    const struct cg_place *order[] = {&a[0], &b[0], &c[0], &a[1], &b[1], &a[2]};
    for (int i = 0; i < 6; i++) assert_ptr_equal(serve(&queue), order[i]);
    assert_int_equal(queue.count, 0);
}

static void the_gateway_s_own_goes_when_no_client_waits(void **state) {
    (void)state;
    struct cg_place own, client;
    struct cg_queue queue = {0};
    enter(&queue, &own, NULL);
    enter(&queue, &client, "a");
    assert_ptr_equal(serve(&queue), &client);
    assert_ptr_equal(serve(&queue), &own);
}

static void who_leaves_is_no_turn(void **state) {
    (void)state;
    struct cg_place a[2], b;
    struct cg_queue queue = {0};
    enter(&queue, &a[0], "a");
    enter(&queue, &a[1], "a");
    enter(&queue, &b, "b");
    cg_queue_leave(&queue, &a[0]);
    assert_int_equal(cg_queue_of(&queue, "a"), 1);
    assert_ptr_equal(serve(&queue), &a[1]);
    cg_queue_leave(&queue, &b);
    assert_null(cg_queue_first(&queue));
}

static void turns_ahead_count_others_once_a_turn(void **state) {
    (void)state;
    struct cg_place a[5], b;
    struct cg_queue queue = {0};
    assert_int_equal(cg_queue_ahead(&queue, "b"), 0);
    for (int i = 0; i < 5; i++) enter(&queue, &a[i], "a");
    assert_int_equal(cg_queue_ahead(&queue, "b"), 1);
    assert_int_equal(cg_queue_ahead(&queue, "a"), 5);
    enter(&queue, &b, "b");
    assert_int_equal(cg_queue_ahead(&queue, "b"), 4);
    while (serve(&queue) != NULL) continue;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_greedy_client_delays_another_by_one_turn),
        cmocka_unit_test(clients_take_turns_each_in_its_order),
        cmocka_unit_test(the_gateway_s_own_goes_when_no_client_waits),
        cmocka_unit_test(who_leaves_is_no_turn),
        cmocka_unit_test(turns_ahead_count_others_once_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
