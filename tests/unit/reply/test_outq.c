/* The queue of bytes to one client: what goes in comes out in order, and is charged until it is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "reply/outq.h"

static int put(struct cg_outq *queue, const char *text) {
    struct cg_buf bytes;
    cg_buf_init(&bytes, 0);
    cg_buf_put_str(&bytes, text);
    int err = cg_outq_put(queue, &bytes);
    assert_null(bytes.data); /* it is the queue's, or gone */
    return err;
}

static void expect_first(struct cg_outq *queue, const char *text) {
    assert_true(cg_slice_is(cg_outq_peek(queue), text));
}

static void bytes_come_out_in_order_in_any_portion(void **state) {
    (void)state;
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, NULL);
    expect_first(queue, "");
    assert_int_equal(put(queue, "abc"), CG_OK);
    assert_int_equal(put(queue, "defg"), CG_OK);
    assert_int_equal(put(queue, "h"), CG_OK);
    assert_int_equal(queue->len, 8);
    cg_outq_drop(queue, 1);
    expect_first(queue, "bc");
    cg_outq_drop(queue, 2);
    expect_first(queue, "defg");
    cg_outq_drop(queue, 3);
    expect_first(queue, "g");
    cg_outq_drop(queue, 2); /* over the seam, to the end */
    expect_first(queue, "");
    assert_int_equal(queue->len, 0);
    assert_int_equal(queue->taken, 8);
    assert_int_equal(put(queue, "more"), CG_OK);
    expect_first(queue, "more");
    cg_outq_unref(queue);
}

static void what_is_queued_is_charged_until_it_is_taken(void **state) {
    (void)state;
    struct cg_quota quota = {.max = 10};
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, &quota), *other = cg_outq_new(SIZE_MAX, &quota);
    assert_int_equal(put(queue, "1234567"), CG_OK);
    assert_int_equal(put(other, "1234"), CG_E_NO_MEMORY);
    assert_int_equal(quota.used, 7);
    assert_int_equal(put(other, "123"), CG_OK); /* all of it */
    assert_int_equal(put(other, ""), CG_OK);    /* nothing finds room */
    assert_int_equal(put(other, "1"), CG_E_NO_MEMORY);
    cg_outq_drop(queue, 2);
    assert_int_equal(quota.used, 8);
    quota.max = 5; /* after a reload */
    assert_int_equal(put(other, "1"), CG_E_NO_MEMORY);
    cg_outq_unref(cg_outq_ref(queue));
    assert_int_equal(quota.used, 8); /* somebody still holds it */
    cg_outq_unref(queue);
    assert_int_equal(quota.used, 3);
    cg_outq_unref(other);
    assert_int_equal(quota.used, 0);
    cg_outq_unref(NULL);
}

static void a_writer_that_can_wait_does_so_when_max_is_reached(void **state) {
    (void)state;
    struct cg_outq *queue = cg_outq_new(4, NULL);
    assert_int_equal(put(queue, "123"), CG_OK);
    assert_true(cg_outq_has_room(queue));
    assert_int_equal(put(queue, "4"), CG_OK);
    assert_false(cg_outq_has_room(queue));
    cg_outq_drop(queue, 1);
    assert_true(cg_outq_has_room(queue));
    cg_outq_unref(queue);
}

static struct cg_bytes *common_bytes(const char *text, struct cg_quota *quota) {
    struct cg_buf bytes;
    cg_buf_init(&bytes, 0);
    cg_buf_put_str(&bytes, text);
    struct cg_bytes *common = cg_bytes_new(&bytes, quota);
    assert_null(bytes.data);
    return common;
}

static void what_several_queues_have_in_common_is_charged_once(void **state) {
    (void)state;
    struct cg_quota quota = {.max = 10};
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, &quota), *other = cg_outq_new(SIZE_MAX, &quota);
    struct cg_bytes *common = common_bytes("12345", &quota);
    struct cg_slice blocks[2];
    assert_non_null(common);
    assert_int_equal(put(queue, "own"), CG_OK);
    assert_int_equal(cg_outq_put_common(queue, common), CG_OK);
    assert_int_equal(cg_outq_put_common(other, common), CG_OK);
    cg_bytes_unref(common);
    assert_int_equal(quota.used, 8);
    assert_int_equal(queue->len, 8);
    assert_int_equal(queue->charged, 3);
    assert_int_equal(cg_outq_peek_all(queue, blocks, 2), 2);
    assert_true(cg_slice_is(blocks[0], "own") && cg_slice_is(blocks[1], "12345"));
    assert_int_equal(cg_outq_peek_all(queue, blocks, 1), 2); /* there are more than fit */
    cg_outq_drop(queue, 4);
    expect_first(queue, "2345");
    assert_int_equal(quota.used, 5);
    cg_outq_unref(queue);
    assert_int_equal(quota.used, 5); /* the other has them yet */
    expect_first(other, "12345");
    cg_outq_unref(other);
    assert_int_equal(quota.used, 0);
    assert_null(common_bytes("more than ten", &quota));
    cg_bytes_unref(NULL);
}

static void count(void *ctx) { ++*(unsigned *)ctx; }

static void each_side_hears_what_the_other_does(void **state) {
    (void)state;
    unsigned changes = 0, takings = 0;
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, NULL);
    queue->on_change = queue->on_taken = count;
    queue->on_change_ctx = &changes;
    queue->on_taken_ctx = &takings;
    assert_int_equal(put(queue, ""), CG_OK);
    assert_int_equal(changes, 0); /* nothing came */
    assert_int_equal(put(queue, "ab"), CG_OK);
    assert_int_equal(changes, 1);
    cg_outq_drop(queue, 2);
    assert_int_equal(takings, 1);
    cg_outq_end(queue);
    assert_true(queue->ended);
    assert_int_equal(changes, 2);
    queue->on_taken = NULL;
    cg_outq_unref(queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_in_order_in_any_portion),
        cmocka_unit_test(what_is_queued_is_charged_until_it_is_taken),
        cmocka_unit_test(what_several_queues_have_in_common_is_charged_once),
        cmocka_unit_test(a_writer_that_can_wait_does_so_when_max_is_reached),
        cmocka_unit_test(each_side_hears_what_the_other_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
