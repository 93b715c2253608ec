/* What two ends of a CoAP connection over TCP say about it (RFC 8323 §5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/reliable.h"

#define BYTES(...) cg_slice_of((const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})
#define CSM        0x00, CG_SIGNAL_CSM

static const struct cg_capabilities ours = {.max_message_size = 5000, .has_blocks = true, .token_max = 64};

struct fixture {
    struct cg_reliable reliable;
    uint8_t sent[100000];
    size_t sent_len;
    unsigned requests, responses, opened, released, pongs;
    size_t size;
};

static void on_emit(void *ctx, struct cg_slice frame) {
    struct fixture *f = ctx;
    assert_true(f->sent_len + frame.len <= sizeof f->sent);
    memcpy(f->sent + f->sent_len, frame.data, frame.len);
    f->sent_len += frame.len;
}

static void on_request(void *ctx, const struct cg_frame *request, size_t size) {
    struct fixture *f = ctx;
    assert_true(cg_code_is_request(request->code));
    f->requests++;
    f->size = size;
}

static void on_response(void *ctx, const struct cg_frame *response) {
    (void)response;
    ((struct fixture *)ctx)->responses++;
}

static void on_opened(void *ctx) { ((struct fixture *)ctx)->opened++; }
static void on_pong(void *ctx) { ((struct fixture *)ctx)->pongs++; }
static void on_released(void *ctx) { ((struct fixture *)ctx)->released++; }

static const struct cg_reliable_ops ops = {.emit = on_emit,
                                           .request = on_request,
                                           .response = on_response,
                                           .pong = on_pong,
                                           .opened = on_opened,
                                           .released = on_released};
static const struct cg_reliable_ops server_ops = {
    .emit = on_emit, .request = on_request, .opened = on_opened, .released = on_released};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) return -1;
    cg_reliable_begin(&f->reliable, &ops, f, &ours);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    cg_reliable_fini(&f->reliable);
    free(f);
    return 0;
}

#define reliable_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static enum cg_reliable_step bring(struct fixture *f, struct cg_slice bytes) {
    enum cg_reliable_step step;
    f->sent_len = 0;
    while ((step = cg_reliable_take(&f->reliable, &bytes)) == CG_RELIABLE_NEXT) continue;
    return step;
}

static void expect_sent(const struct fixture *f, struct cg_slice bytes) {
    assert_int_equal(f->sent_len, bytes.len);
    assert_memory_equal(f->sent, bytes.data, bytes.len);
}

/* What went last is an Abort with that text, and for that option of a CSM. */
static void expect_abort(const struct fixture *f, const char *says, int csm_option) {
    struct cg_frame abort;
    assert_int_equal(cg_frame_parse(&abort, cg_slice_of(f->sent, f->sent_len)), CG_OK);
    const struct cg_msg msg = {.options = abort.options};
    uint32_t option;
    assert_int_equal(abort.code, CG_SIGNAL_ABORT);
    assert_true(cg_slice_is(abort.payload, says));
    assert_int_equal(cg_msg_find_uint(&msg, 2, &option) ? (int)option : -1, csm_option);
}

static void our_first_message_says_what_we_can_do(void **state) {
    struct fixture *f = *state;
    struct cg_capabilities read = cg_capabilities_base;
    struct cg_frame csm;
    expect_sent(f, BYTES(0x60, CG_SIGNAL_CSM, 0x22, 5000 >> 8, 5000 & 255, 0x20, 0x21, 64));
    assert_int_equal(cg_frame_parse(&csm, cg_slice_of(f->sent, f->sent_len)), CG_OK);
    cg_signal_read_csm(&csm, &read);
    assert_memory_equal(&read, &ours, sizeof ours);
}

static void theirs_is_heard(void **state) {
    struct fixture *f = *state;
    assert_int_equal(f->reliable.theirs.max_message_size, 1152);
    assert_int_equal(bring(f, BYTES(CSM)), CG_RELIABLE_MORE);
    assert_int_equal(f->opened, 1);
    assert_int_equal(f->reliable.theirs.max_message_size, 1152);
    assert_false(f->reliable.theirs.has_blocks);
    assert_int_equal(bring(f, BYTES(0x50, CG_SIGNAL_CSM, 0x22, 0x10, 0x00, 0x20, 0x20)), CG_RELIABLE_MORE);
    assert_int_equal(f->opened, 1);
    assert_int_equal(f->reliable.theirs.max_message_size, 0x1000);
    assert_true(f->reliable.theirs.has_blocks);
    assert_int_equal(f->sent_len, 0);
}

static void elective_options_that_are_malformed_mean_nothing(void **state) {
    struct fixture *f = *state;
    assert_int_equal(bring(f, BYTES(0x80, CG_SIGNAL_CSM, 0x25, 1, 2, 3, 4, 5, 0x21, 1)), CG_RELIABLE_MORE);
    assert_int_equal(f->reliable.theirs.max_message_size, 1152);
    assert_false(f->reliable.theirs.has_blocks);
}

static void who_does_not_begin_with_it_is_aborted(void **state) {
    struct fixture *f = *state;
    assert_int_equal(bring(f, BYTES(0x01, CG_GET, 'T')), CG_RELIABLE_ENDS);
    assert_int_equal(f->reliable.cause, CG_RELIABLE_NO_CSM);
    expect_abort(f, "the first message must be a CSM", -1);
    assert_int_equal(f->requests, 0);
}

static void empty_messages_are_ignored(void **state) {
    struct fixture *f = *state;
    assert_int_equal(bring(f, BYTES(0, 0, CSM, 0, 0, 0x01, 0, 'T')), CG_RELIABLE_MORE);
    assert_int_equal(f->sent_len + f->requests, 0);
}

static void requests_that_follow_each_other_are_handed_on_one_by_one(void **state) {
    struct fixture *f = *state;
    struct cg_slice bytes = BYTES(CSM, 0x01, CG_GET, 'a', 0x01, CG_GET, 'b', 0x01);
    assert_int_equal(cg_reliable_take(&f->reliable, &bytes), CG_RELIABLE_NEXT);
    assert_int_equal(cg_reliable_take(&f->reliable, &bytes), CG_RELIABLE_NEXT);
    assert_int_equal(f->requests, 1);
    assert_int_equal(f->size, 3);
    assert_int_equal(cg_reliable_take(&f->reliable, &bytes), CG_RELIABLE_NEXT);
    assert_int_equal(cg_reliable_take(&f->reliable, &bytes), CG_RELIABLE_MORE);
    assert_int_equal(bring(f, BYTES(CG_GET, 'c')), CG_RELIABLE_MORE);
    assert_int_equal(f->requests, 3);
}

static void responses_are_for_who_waits_for_them(void **state) {
    struct fixture *f = *state;
    assert_int_equal(bring(f, BYTES(CSM, 0x01, CG_CODE(2, 5), 'T', 0x01, CG_CODE(1, 0), 'T')), CG_RELIABLE_MORE);
    assert_int_equal(f->responses, 1);
    f->reliable.ops = &server_ops;
    assert_int_equal(bring(f, BYTES(0x01, CG_CODE(2, 5), 'T')), CG_RELIABLE_MORE);
    assert_int_equal(f->sent_len, 0);
}

/* One of ours asks for custody. */
static void a_ping_is_a_ping(void **state) {
    uint8_t bytes[CG_SIGNAL_MAX];
    (void)state;
    assert_int_equal(cg_signal_emit_ping(bytes), 3);
    assert_memory_equal(bytes, ((const uint8_t[]){0x10, CG_SIGNAL_PING, 0x20}), 3);
}

static void a_ping_has_its_pong(void **state) {
    struct fixture *f = *state;
    assert_int_equal(bring(f, BYTES(CSM, 0x02, CG_SIGNAL_PING, 1, 2)), CG_RELIABLE_MORE);
    expect_sent(f, BYTES(0x02, CG_SIGNAL_PONG, 1, 2));
    assert_int_equal(bring(f, BYTES(0x11, CG_SIGNAL_PING, 7, 0x20)), CG_RELIABLE_MORE); /* Custody */
    expect_sent(f, BYTES(0x11, CG_SIGNAL_PONG, 7, 0x20));
    assert_int_equal(bring(f, BYTES(0x02, CG_SIGNAL_PONG, 1, 2)), CG_RELIABLE_MORE);
    assert_int_equal(f->pongs, 1);
    assert_int_equal(f->sent_len, 0);
}

static void elective_options_of_pings_mean_nothing(void **state) {
    struct fixture *f = *state;
    assert_int_equal(bring(f, BYTES(CSM, 0x21, CG_SIGNAL_PING, 7, 0x41, 1)), CG_RELIABLE_MORE);
    expect_sent(f, BYTES(0x01, CG_SIGNAL_PONG, 7));
    assert_int_equal(bring(f, BYTES(0x21, CG_SIGNAL_PONG, 7, 0x41, 1)), CG_RELIABLE_MORE);
    assert_int_equal(f->pongs, 1);
}

static void behind_a_release_there_are_no_requests(void **state) {
    struct fixture *f = *state;
    assert_int_equal(bring(f, BYTES(CSM, 0x10, CG_SIGNAL_RELEASE, 0x40, 0x01, CG_GET, 'T', 0, CG_SIGNAL_RELEASE)),
                     CG_RELIABLE_MORE);
    assert_int_equal(f->released, 1);
    assert_int_equal(f->requests, 0);
}

static void an_abort_ends_it_without_a_word(void **state) {
    struct fixture *f = *state;
    assert_int_equal(bring(f, BYTES(CSM, 0x40, CG_SIGNAL_ABORT, 0xff, 'b', 'y', 'e')), CG_RELIABLE_ENDS);
    assert_int_equal(f->reliable.cause, CG_RELIABLE_ABORTED);
    assert_int_equal(f->sent_len, 0);
}

/* ---- What breaks the rules ---- */

static void a_critical_option_is_not_ignored(void **state) {
    struct fixture *f = *state;
    assert_int_equal(bring(f, BYTES(0x10, CG_SIGNAL_CSM, 0x50)), CG_RELIABLE_ENDS);
    assert_int_equal(f->reliable.cause, CG_RELIABLE_OPTION);
    expect_abort(f, "a critical option of a signalling message is not understood", 5);
}

static void nor_in_other_messages(void **state) {
    static const uint8_t codes[] = {CG_SIGNAL_PING, CG_SIGNAL_PONG, CG_SIGNAL_RELEASE, CG_SIGNAL_ABORT};
    for (size_t i = 0; i < sizeof codes; i++) {
        assert_int_equal(bring(*state, BYTES(CSM, 0x10, codes[i], 0x30)), CG_RELIABLE_ENDS);
        expect_abort(*state, "a critical option of a signalling message is not understood", -1);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

static void signals_that_nobody_knows_end_it(void **state) {
    struct fixture *f = *state;
    assert_int_equal(bring(f, BYTES(CSM, 0x00, CG_CODE(7, 6))), CG_RELIABLE_ENDS);
    assert_int_equal(f->reliable.cause, CG_RELIABLE_CODE);
    expect_abort(f, "a signalling message of this code is not understood", -1);
}

static void what_is_no_message_ends_it(void **state) {
    struct fixture *f = *state;
    assert_int_equal(bring(f, BYTES(CSM, 0x10, CG_GET, 0xff)), CG_RELIABLE_ENDS);
    assert_int_equal(f->reliable.cause, CG_RELIABLE_FRAMING);
    expect_abort(f, "this is no message", -1);
}

static void what_is_too_large_ends_it_before_it_has_come(void **state) {
    struct fixture *f = *state;
    assert_int_equal(bring(f, BYTES(CSM, 0xe0, 0x13, 0x00, CG_PUT)), CG_RELIABLE_ENDS);
    assert_int_equal(f->reliable.cause, CG_RELIABLE_TOO_LARGE);
    expect_abort(f, "the message is larger than Max-Message-Size", -1);
}

static void a_token_that_is_too_long_is_a_bad_request(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[2 + 3 + 65] = {CSM, 0x0d, CG_GET, 65 - 13};
    assert_int_equal(bring(f, cg_slice_of(bytes, sizeof bytes)), CG_RELIABLE_MORE);
    assert_int_equal(f->requests, 0);
    assert_int_equal(f->sent_len, 3 + 65);
    assert_int_equal(f->sent[1], CG_CODE(4, 0));
    assert_memory_equal(f->sent + 3, bytes + 5, 65);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        reliable_test(our_first_message_says_what_we_can_do),
        reliable_test(theirs_is_heard),
        reliable_test(elective_options_that_are_malformed_mean_nothing),
        reliable_test(who_does_not_begin_with_it_is_aborted),
        reliable_test(empty_messages_are_ignored),
        reliable_test(requests_that_follow_each_other_are_handed_on_one_by_one),
        reliable_test(responses_are_for_who_waits_for_them),
        reliable_test(a_ping_is_a_ping),
        reliable_test(a_ping_has_its_pong),
        reliable_test(elective_options_of_pings_mean_nothing),
        reliable_test(behind_a_release_there_are_no_requests),
        reliable_test(an_abort_ends_it_without_a_word),
        reliable_test(a_critical_option_is_not_ignored),
        reliable_test(nor_in_other_messages),
        reliable_test(signals_that_nobody_knows_end_it),
        reliable_test(what_is_no_message_ends_it),
        reliable_test(what_is_too_large_ends_it_before_it_has_come),
        reliable_test(a_token_that_is_too_long_is_a_bad_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
