/* Uploads: block by block, in order, whatever comes twice, too late or in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fronts/coap/uploads.h"
#include "wire/transmission.h"

#define SECOND UINT64_C(1000000)

enum { ALL = 40000, MAX = 5000 };

struct yard {
    struct cg_quota quota;
    struct cg_coap_uploads uploads;
    uint64_t now_us;
    struct cg_request request;
    uint8_t bytes[256];
    struct cg_msg_writer options; /* of the messages */
    struct cg_problem problem;
    struct cg_slice whole;
};

static uint8_t body[MAX + 1024];

static int setup(void **state) {
    static struct yard yard;
    yard = (struct yard){.quota = {.max = 1000000}, .now_us = 1000 * SECOND};
    cg_coap_uploads_init(&yard.uploads, ALL, &yard.quota);
    yard.request.peer.family = yard.request.from.family = CG_FAMILY_IPV4;
    yard.request.peer.port = 5000;
    yard.options = (struct cg_msg_writer){.data = yard.bytes, .cap = sizeof yard.bytes};
    for (size_t i = 0; i < sizeof body; i++) body[i] = (uint8_t)(i * 7 + i / 256);
    *state = &yard;
    return 0;
}

static int teardown(void **state) {
    struct yard *yard = *state;
    cg_coap_uploads_fini(&yard->uploads);
    assert_int_equal(yard->quota.used, 0);
    return 0;
}

static struct cg_slice part(size_t at, size_t len) { return cg_slice_of(body + at, len); }

static int take(struct yard *yard, struct cg_block block, struct cg_slice payload) {
    const struct cg_coap_message message = {
        .code = CG_PUT, .options = cg_slice_of(yard->bytes, yard->options.len), .payload = payload};
    const struct cg_coap_upload upload = {.request = &yard->request, .message = &message, .block1 = block, .max = MAX};
    yard->problem = (struct cg_problem){0};
    int result = cg_coap_uploads_take(&yard->uploads, &upload, yard->now_us, &yard->whole, &yard->problem);
    assert_int_equal(yard->problem.err, result < 0 ? result : 0);
    return result;
}

/* Block `number` of 64 bytes, of the body. */
static int take_64(struct yard *yard, uint32_t number, bool more) {
    return take(yard, (struct cg_block){.number = number, .more = more, .szx = 2}, part(64 * (size_t)number, 64));
}

static void expect_whole(struct yard *yard, size_t len) {
    assert_int_equal(yard->whole.len, len);
    assert_memory_equal(yard->whole.data, body, len);
    assert_int_equal(yard->uploads.keep.used, 0); /* nothing of it is kept */
}

static void test_blocks_become_a_body(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take_64(yard, 0, true), CG_PENDING);
    assert_int_equal(take_64(yard, 1, true), CG_PENDING);
    assert_int_equal(take(yard, (struct cg_block){.number = 2, .szx = 2}, part(128, 10)), CG_OK);
    expect_whole(yard, 138);
}

static void test_one_block_is_a_body(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take_64(yard, 0, false), CG_OK);
    expect_whole(yard, 64);
    assert_int_equal(take(yard, (struct cg_block){.szx = 2}, CG_SLICE_NONE), CG_OK);
    assert_int_equal(yard->whole.len, 0);
}

static void test_the_last_block_may_be_full(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take_64(yard, 0, true), CG_PENDING);
    assert_int_equal(take_64(yard, 1, false), CG_OK);
    expect_whole(yard, 128);
}

/* A client whose 2.31 was lost sends the block once more, with another Message ID. */
static void test_a_block_that_comes_twice_counts_once(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take_64(yard, 0, true), CG_PENDING);
    assert_int_equal(take_64(yard, 0, true), CG_PENDING);
    assert_int_equal(take_64(yard, 1, true), CG_PENDING);
    assert_int_equal(take_64(yard, 1, true), CG_PENDING);
    assert_int_equal(take_64(yard, 2, false), CG_OK);
    expect_whole(yard, 192);
}

/* What has been carried out is not carried out again. */
static void test_the_last_block_twice_is_no_second_body(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take_64(yard, 0, true), CG_PENDING);
    assert_int_equal(take_64(yard, 1, false), CG_OK);
    assert_int_equal(take_64(yard, 1, false), CG_E_INCOMPLETE);
}

static void test_a_block_that_says_something_else_is_refused(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take_64(yard, 0, true), CG_PENDING);
    assert_int_equal(take_64(yard, 1, true), CG_PENDING);
    struct cg_block block = {.number = 1, .more = true, .szx = 2};
    assert_int_equal(take(yard, block, part(1, 64)), CG_E_INCOMPLETE);
    assert_int_equal(take_64(yard, 2, false), CG_OK); /* it spoils nothing */
    expect_whole(yard, 192);
}

static void test_a_gap_is_refused(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take_64(yard, 0, true), CG_PENDING);
    assert_int_equal(take_64(yard, 2, true), CG_E_INCOMPLETE);
    assert_int_equal(take_64(yard, 1, true), CG_PENDING);
    assert_int_equal(take_64(yard, 2, false), CG_OK);
    expect_whole(yard, 192);
}

static void test_it_begins_with_block_0(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take_64(yard, 1, true), CG_E_INCOMPLETE);
    assert_int_equal(take_64(yard, 1, false), CG_E_INCOMPLETE);
}

static void test_block_0_begins_anew(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take(yard, (struct cg_block){.more = true, .szx = 2}, part(1000, 64)), CG_PENDING);
    assert_int_equal(take(yard, (struct cg_block){.number = 1, .more = true, .szx = 2}, part(1064, 64)), CG_PENDING);
    assert_int_equal(take_64(yard, 0, true), CG_PENDING);
    assert_int_equal(take_64(yard, 1, false), CG_OK);
    expect_whole(yard, 128);
}

/* RFC 7959 §2.3: a client may go on in smaller blocks. */
static void test_the_size_may_change_on_the_way(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take(yard, (struct cg_block){.more = true, .szx = 4}, part(0, 256)), CG_PENDING);
    assert_int_equal(take(yard, (struct cg_block){.number = 8, .more = true, .szx = 1}, part(256, 32)), CG_PENDING);
    assert_int_equal(take(yard, (struct cg_block){.number = 9, .szx = 1}, part(288, 5)), CG_OK);
    expect_whole(yard, 293);
}

static void test_a_block_has_its_size(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take(yard, (struct cg_block){.more = true, .szx = 2}, part(0, 63)), CG_E_BAD_REQUEST);
    assert_int_equal(take(yard, (struct cg_block){.more = true, .szx = 2}, part(0, 65)), CG_E_BAD_REQUEST);
    assert_int_equal(take(yard, (struct cg_block){.szx = 2}, part(0, 65)), CG_E_BAD_REQUEST);
    assert_int_equal(take(yard, (struct cg_block){.more = true, .szx = 2}, CG_SLICE_NONE), CG_E_BAD_REQUEST);
}

/* RFC 8323 §6 */
static void test_many_blocks_may_come_at_once(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take(yard, (struct cg_block){.more = true, .szx = 7}, part(0, 2048)), CG_PENDING);
    assert_int_equal(take(yard, (struct cg_block){.number = 2, .more = true, .szx = 6}, part(2048, 1024)), CG_PENDING);
    assert_int_equal(take(yard, (struct cg_block){.number = 2, .more = true, .szx = 7}, part(2048, 1024)), CG_PENDING);
    assert_int_equal(take(yard, (struct cg_block){.number = 3, .szx = 7}, part(3072, 1500)), CG_OK);
    expect_whole(yard, 4572);
    assert_int_equal(take(yard, (struct cg_block){.more = true, .szx = 7}, part(0, 2047)), CG_E_BAD_REQUEST);
}

static void test_a_body_that_is_too_large_is_refused(void **state) {
    struct yard *yard = *state;
    for (uint32_t i = 0; i < 4; i++) {
        struct cg_block block = {.number = i, .more = true, .szx = 6};
        assert_int_equal(take(yard, block, part(1024 * (size_t)i, 1024)), CG_PENDING);
    }
    struct cg_block last = {.number = 4, .szx = 6};
    assert_int_equal(take(yard, last, part(4096, 905)), CG_E_TOO_BIG); /* one byte more than MAX */
    assert_int_equal(yard->uploads.keep.used, 0);
    assert_int_equal(take(yard, (struct cg_block){.number = 1048575, .szx = 6}, part(0, 1)), CG_E_TOO_BIG);
}

/* Nobody has to send what is refused in the end. */
static void test_size1_is_believed_at_once(void **state) {
    struct yard *yard = *state;
    cg_msg_put_uint(&yard->options, CG_OPT_SIZE1, MAX + 1);
    assert_int_equal(take_64(yard, 0, true), CG_E_TOO_BIG);
}

static void test_size1_may_come_with_the_first_block_alone(void **state) {
    struct yard *yard = *state;
    cg_msg_put_uint(&yard->options, CG_OPT_SIZE1, 128);
    assert_int_equal(take_64(yard, 0, true), CG_PENDING);
    yard->options.len = 0;
    assert_int_equal(take_64(yard, 1, false), CG_OK);
    expect_whole(yard, 128);
}

/* RFC 7967: what the client wants to hear in the end. */
static void test_no_response_may_come_with_the_last_block_alone(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take_64(yard, 0, true), CG_PENDING);
    cg_msg_put_uint(&yard->options, CG_OPT_NO_RESPONSE, 2);
    assert_int_equal(take_64(yard, 1, false), CG_OK);
    expect_whole(yard, 128);
}

/* RFC 9175 §3: what is sent at the same time is told apart by Request-Tag, by path, by who sends it. */
static void test_uploads_do_not_mix(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take_64(yard, 0, true), CG_PENDING);
    cg_msg_put_opt(&yard->options, CG_OPT_REQUEST_TAG, CG_SLICE_NONE); /* an empty one is one */
    assert_int_equal(take_64(yard, 1, false), CG_E_INCOMPLETE);
    assert_int_equal(take(yard, (struct cg_block){.more = true, .szx = 2}, part(1000, 64)), CG_PENDING);
    yard->options = (struct cg_msg_writer){.data = yard->bytes, .cap = sizeof yard->bytes};
    cg_msg_put_opt(&yard->options, CG_OPT_URI_PATH, cg_slice_str("other"));
    assert_int_equal(take_64(yard, 1, false), CG_E_INCOMPLETE);
    yard->options.len = 0;
    yard->request.peer.port++;
    assert_int_equal(take_64(yard, 1, false), CG_E_INCOMPLETE);
    yard->request.peer.port--;
    assert_int_equal(take_64(yard, 1, false), CG_OK);
    assert_int_equal(yard->whole.len, 128);
    assert_memory_equal(yard->whole.data, body, 128);
}

static void test_is_gone_when_nothing_comes(void **state) {
    struct yard *yard = *state;
    assert_int_equal(take_64(yard, 0, true), CG_PENDING);
    yard->now_us += CG_EXCHANGE_LIFETIME_US - 1;
    assert_int_equal(take_64(yard, 1, true), CG_PENDING); /* its time begins anew */
    yard->now_us += CG_EXCHANGE_LIFETIME_US - 1;
    assert_int_equal(take_64(yard, 2, true), CG_PENDING);
    yard->now_us += CG_EXCHANGE_LIFETIME_US;
    assert_int_equal(take_64(yard, 3, false), CG_E_INCOMPLETE);
    assert_int_equal(cg_keep_expire(&yard->uploads.keep, yard->now_us), UINT64_MAX);
    assert_int_equal(yard->quota.used, 0);
}

/* Beyond its share a client loses what it has not gone on with for longest, and nobody else does. */
static void test_many_of_one_client_push_out_its_own(void **state) {
    struct yard *yard = *state;
    struct cg_block first = {.more = true, .szx = 6};
    yard->request.from.ip[3] = yard->request.peer.ip[3] = 1;
    assert_int_equal(take(yard, first, part(0, 1024)), CG_PENDING); /* another's */
    yard->request.from.ip[3] = yard->request.peer.ip[3] = 2;
    for (int i = 0; i < 40; i++) {
        yard->request.peer.port++;
        assert_int_equal(take(yard, first, part(0, 1024)), CG_PENDING);
    }
    assert_true(yard->uploads.keep.used <= ALL / 4 + 2000);
    yard->request.peer.port -= 39;
    struct cg_block second = {.number = 1, .szx = 6};
    assert_int_equal(take(yard, second, part(1024, 10)), CG_E_INCOMPLETE);
    yard->request.peer.port += 39;
    assert_int_equal(take(yard, second, part(1024, 10)), CG_OK);
    yard->request.from.ip[3] = yard->request.peer.ip[3] = 1;
    yard->request.peer.port = 5000;
    assert_int_equal(take(yard, second, part(1024, 10)), CG_OK);
}

static void test_the_quota_bounds_them(void **state) {
    struct yard *yard = *state;
    yard->quota.max = 1000;
    assert_int_equal(take(yard, (struct cg_block){.more = true, .szx = 6}, part(0, 1024)), CG_E_NO_MEMORY);
    assert_int_equal(yard->problem.retry_after, 1);
    assert_int_equal(yard->quota.used, 0);
}

#define yard_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        yard_test(test_blocks_become_a_body),
        yard_test(test_one_block_is_a_body),
        yard_test(test_the_last_block_may_be_full),
        yard_test(test_a_block_that_comes_twice_counts_once),
        yard_test(test_the_last_block_twice_is_no_second_body),
        yard_test(test_a_block_that_says_something_else_is_refused),
        yard_test(test_a_gap_is_refused),
        yard_test(test_it_begins_with_block_0),
        yard_test(test_block_0_begins_anew),
        yard_test(test_the_size_may_change_on_the_way),
        yard_test(test_a_block_has_its_size),
        yard_test(test_many_blocks_may_come_at_once),
        yard_test(test_a_body_that_is_too_large_is_refused),
        yard_test(test_size1_is_believed_at_once),
        yard_test(test_size1_may_come_with_the_first_block_alone),
        yard_test(test_no_response_may_come_with_the_last_block_alone),
        yard_test(test_uploads_do_not_mix),
        yard_test(test_is_gone_when_nothing_comes),
        yard_test(test_many_of_one_client_push_out_its_own),
        yard_test(test_the_quota_bounds_them),
    };
    return cmocka_run_group_tests_name("fronts_coap/uploads", tests, NULL, NULL);
}
