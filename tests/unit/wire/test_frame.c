/* Frames of CoAP over TCP (RFC 8323 §3.2), wherever the stream is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/frame.h"

#define BYTES(...) cg_slice_of((const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

enum { MAX = 100000 };

/* ---- One frame ---- */

static void an_empty_message_has_two_bytes(void **state) {
    (void)state;
    struct cg_frame frame;
    uint64_t len;
    assert_int_equal(cg_frame_measure(BYTES(0, 0), &len), CG_OK);
    assert_int_equal(len, 2);
    assert_int_equal(cg_frame_parse(&frame, BYTES(0, 0)), CG_OK);
    assert_int_equal(frame.code, CG_EMPTY);
    assert_int_equal(frame.token.len + frame.options.len + frame.payload.len, 0);
}

static void expect_round_trip(size_t token_len, size_t payload_len, size_t header_len) {
    static uint8_t bytes[MAX], token[CG_EXTENDED_TOKEN_MAX], payload[MAX];
    const struct cg_frame frame = {.code = CG_FETCH,
                                   .token = cg_slice_of(token, token_len),
                                   .options = BYTES(0xb1, 'a'),
                                   .payload = cg_slice_of(payload, payload_len)};
    struct cg_frame again;
    uint64_t measured;
    for (size_t i = 0; i < sizeof token; i++) token[i] = (uint8_t)(0xf0 ^ i);
    memset(payload, 'p', payload_len);
    int len = cg_frame_emit(&frame, bytes, sizeof bytes);
    assert_int_equal(len, header_len + token_len + 2 + (payload_len > 0) + payload_len);
    assert_int_equal(cg_frame_size(&frame), len);
    assert_int_equal(cg_frame_emit(&frame, bytes, (size_t)len - 1), CG_E_TOO_BIG);
    assert_int_equal(cg_frame_measure(cg_slice_of(bytes, header_len), &measured), CG_OK);
    assert_int_equal(measured, len);
    assert_int_equal(cg_frame_measure(cg_slice_of(bytes, header_len - 1), &measured), CG_PENDING);
    assert_int_equal(cg_frame_parse(&again, cg_slice_of(bytes, (size_t)len)), CG_OK);
    assert_int_equal(again.code, CG_FETCH);
    assert_true(cg_slice_equal(again.token, frame.token));
    assert_true(cg_slice_equal(again.options, frame.options));
    assert_true(cg_slice_equal(again.payload, frame.payload));
}

/* A body is 2 bytes of options, the marker and the payload. */
static void lengths_have_their_shortest_form(void **state) {
    (void)state;
    expect_round_trip(0, 0, 2);
    expect_round_trip(0, 9, 2);
    expect_round_trip(0, 10, 3);  /* 13 */
    expect_round_trip(0, 265, 3); /* 268 */
    expect_round_trip(0, 266, 4); /* 269 */
    expect_round_trip(0, 65801, 4);
    expect_round_trip(0, 65802, 6); /* 65805 */
    expect_round_trip(12, 0, 2);
    expect_round_trip(13, 0, 3);
    expect_round_trip(64, 266, 5);
}

static void the_reserved_token_length_is_no_frame(void **state) {
    (void)state;
    uint64_t len;
    assert_int_equal(cg_frame_measure(BYTES(0x0f), &len), CG_E_FORMAT);
    assert_int_equal(cg_frame_measure(BYTES(0xff, 0, 0, 0, 0, 1), &len), CG_E_FORMAT);
}

static void malformed_options_are_said(void **state) {
    (void)state;
    struct cg_frame frame;
    assert_int_equal(cg_frame_parse(&frame, BYTES(0x10, 1, 0xff)), CG_E_FORMAT); /* nothing behind the marker */
    assert_int_equal(cg_frame_parse(&frame, BYTES(0x10, 1, 0xb2)), CG_E_FORMAT); /* an option that is cut off */
    assert_int_equal(cg_frame_parse(&frame, BYTES(0x10, 1, 0xf0)), CG_E_FORMAT);
}

static void a_token_that_is_too_long_is_said(void **state) {
    (void)state;
    uint8_t bytes[3 + 65] = {0x0d, 1, 65 - 13};
    struct cg_frame frame;
    assert_int_equal(cg_frame_parse(&frame, cg_slice_of(bytes, sizeof bytes)), CG_E_TOO_BIG);
    assert_int_equal(frame.code, CG_GET);
    assert_int_equal(frame.token.len, 65);
}

/* ---- The stream ---- */

/* Frames of several sizes, of which each kind of header is one. */
static size_t fill_stream(uint8_t *bytes, size_t cap, size_t lens[], size_t count) {
    static uint8_t payload[300], token[20];
    static const size_t payloads[] = {0, 3, 20, 300, 0, 1}, tokens[] = {0, 8, 13, 20, 1, 0};
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const struct cg_frame frame = {.code = (uint8_t)(i + 1),
                                       .token = cg_slice_of(token, tokens[i]),
                                       .payload = cg_slice_of(payload, payloads[i])};
        int len = cg_frame_emit(&frame, bytes + at, cap - at);
        assert_true(len > 0);
        lens[i] = (size_t)len;
        at += lens[i];
    }
    return at;
}

enum { FRAMES = 6 };

struct heard {
    size_t count, at, lens[FRAMES];
    const uint8_t *stream;
};

/* A piece in a block of its own size, so that a byte read too far is seen. */
static void bring(struct cg_frame_reader *reader, struct heard *heard, struct cg_slice piece) {
    uint8_t *copy = calloc(1, piece.len + (piece.len == 0));
    struct cg_slice whole, bytes = cg_slice_of(copy, piece.len);
    int err;
    assert_non_null(copy);
    if (piece.len > 0) memcpy(copy, piece.data, piece.len);
    while ((err = cg_frame_reader_next(reader, &bytes, &whole)) == CG_OK) {
        assert_true(heard->count < FRAMES);
        assert_int_equal(whole.len, heard->lens[heard->count++]);
        assert_memory_equal(whole.data, heard->stream + heard->at, whole.len);
        heard->at += whole.len;
    }
    assert_int_equal(err, CG_PENDING);
    assert_int_equal(bytes.len, 0);
    free(copy);
}

static void every_two_cuts_give_the_same_frames(void **state) {
    (void)state;
    uint8_t stream[1024];
    struct heard heard = {.stream = stream};
    size_t len = fill_stream(stream, sizeof stream, heard.lens, FRAMES);
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second++) {
            struct cg_frame_reader reader;
            heard.count = heard.at = 0;
            cg_frame_reader_init(&reader, MAX);
            bring(&reader, &heard, cg_slice_of(stream, first));
            bring(&reader, &heard, cg_slice_of(stream + first, second - first));
            bring(&reader, &heard, cg_slice_of(stream + second, len - second));
            assert_int_equal(heard.count, FRAMES);
            cg_frame_reader_fini(&reader);
        }
    }
}

static void byte_by_byte_gives_the_same_frames(void **state) {
    (void)state;
    uint8_t stream[1024];
    struct heard heard = {.stream = stream};
    struct cg_frame_reader reader;
    size_t len = fill_stream(stream, sizeof stream, heard.lens, FRAMES);
    cg_frame_reader_init(&reader, MAX);
    for (size_t i = 0; i < len; i++) bring(&reader, &heard, cg_slice_of(stream + i, 1));
    assert_int_equal(heard.count, FRAMES);
    bring(&reader, &heard, CG_SLICE_NONE);
    assert_int_equal(cg_frame_reader_held(&reader), 0);
    cg_frame_reader_fini(&reader);
}

static void what_is_too_long_is_refused_by_its_header(void **state) {
    (void)state;
    struct cg_frame_reader reader;
    struct cg_slice whole, bytes = BYTES(0xf0, 0xff, 0xff, 0xff, 0xff, 1);
    cg_frame_reader_init(&reader, 1152);
    assert_int_equal(cg_frame_reader_next(&reader, &bytes, &whole), CG_E_TOO_BIG);
    assert_int_equal(cg_frame_reader_held(&reader), 0);
    cg_frame_reader_fini(&reader);
    cg_frame_reader_init(&reader, 1152); /* the header in two pieces */
    bytes = BYTES(0xf0, 0xff, 0xff);
    assert_int_equal(cg_frame_reader_next(&reader, &bytes, &whole), CG_PENDING);
    bytes = BYTES(0xff, 0xff, 1);
    assert_int_equal(cg_frame_reader_next(&reader, &bytes, &whole), CG_E_TOO_BIG);
    assert_true(cg_frame_reader_held(&reader) <= 1152);
    cg_frame_reader_fini(&reader);
}

static void the_longest_that_may_be_is_taken(void **state) {
    (void)state;
    static uint8_t payload[1147], stream[1153];
    const struct cg_frame frame = {.code = CG_PUT, .payload = cg_slice_of(payload, sizeof payload)};
    struct cg_frame_reader reader;
    struct cg_slice whole, bytes = cg_slice_of(stream, 1152);
    assert_int_equal(cg_frame_emit(&frame, stream, sizeof stream), 1152);
    cg_frame_reader_init(&reader, 1152);
    assert_int_equal(cg_frame_reader_next(&reader, &bytes, &whole), CG_OK);
    cg_frame_reader_fini(&reader);
    cg_frame_reader_init(&reader, 1151);
    bytes = cg_slice_of(stream, 1152);
    assert_int_equal(cg_frame_reader_next(&reader, &bytes, &whole), CG_E_TOO_BIG);
    cg_frame_reader_fini(&reader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_message_has_two_bytes),
        cmocka_unit_test(lengths_have_their_shortest_form),
        cmocka_unit_test(the_reserved_token_length_is_no_frame),
        cmocka_unit_test(malformed_options_are_said),
        cmocka_unit_test(a_token_that_is_too_long_is_said),
        cmocka_unit_test(every_two_cuts_give_the_same_frames),
        cmocka_unit_test(byte_by_byte_gives_the_same_frames),
        cmocka_unit_test(what_is_too_long_is_refused_by_its_header),
        cmocka_unit_test(the_longest_that_may_be_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
