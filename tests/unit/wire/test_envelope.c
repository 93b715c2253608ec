/* Messages with extended tokens (RFC 8974 §2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/envelope.h"

#define BYTES(...) cg_slice_of((const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

static void what_is_emitted_is_parsed_again(void **state) {
    (void)state;
    uint8_t token[CG_EXTENDED_TOKEN_MAX], bytes[200];
    struct cg_envelope again;
    for (size_t i = 0; i < sizeof token; i++) token[i] = (uint8_t)(0xf0 ^ i);
    for (size_t len = 0; len <= sizeof token; len++) {
        const struct cg_envelope envelope = {.type = CG_NON,
                                             .code = CG_FETCH,
                                             .mid = 0xbeef,
                                             .token = cg_slice_of(token, len),
                                             .options = BYTES(0xb1, 'a'),
                                             .payload = cg_slice_str("pay")};
        int emitted = cg_envelope_emit(&envelope, bytes, sizeof bytes);
        assert_int_equal(emitted, 4 + (len >= 13) + len + 2 + 1 + 3);
        assert_int_equal(cg_envelope_parse(&again, cg_slice_of(bytes, (size_t)emitted)), CG_OK);
        assert_int_equal(again.type, CG_NON);
        assert_int_equal(again.code, CG_FETCH);
        assert_int_equal(again.mid, 0xbeef);
        assert_true(cg_slice_equal(again.token, envelope.token));
        assert_true(cg_slice_equal(again.options, envelope.options));
        assert_true(cg_slice_equal(again.payload, envelope.payload));
        assert_int_equal(cg_envelope_emit(&envelope, bytes, (size_t)emitted - 1), CG_E_TOO_BIG);
    }
}

static void without_payload_there_is_no_marker(void **state) {
    (void)state;
    uint8_t bytes[4];
    const struct cg_envelope empty = {.type = CG_RST, .mid = 7};
    assert_int_equal(cg_envelope_emit(&empty, bytes, sizeof bytes), 4);
    assert_memory_equal(bytes, ((uint8_t[]){0x70, 0, 0, 7}), 4);
}

static void lengths_of_two_bytes_are_read_and_too_long(void **state) {
    (void)state;
    static uint8_t bytes[4 + 2 + 269 + 1 + 3] = {0x4e, CG_GET, 0, 7, 0, 1};
    struct cg_envelope envelope;
    assert_int_equal(cg_envelope_parse(&envelope, cg_slice_of(bytes, sizeof bytes)), CG_E_TOO_BIG);
    assert_int_equal(envelope.token.len, 270);
    assert_int_equal(envelope.type, CG_CON);
    assert_int_equal(envelope.code, CG_GET);
    assert_int_equal(envelope.mid, 7);
    assert_int_equal(cg_envelope_parse(&envelope, cg_slice_of(bytes, 6 + 269)), CG_E_FORMAT);
}

static void a_token_that_is_too_long_can_be_given_back(void **state) {
    (void)state;
    static uint8_t token[300], bytes[400];
    const struct cg_envelope envelope = {
        .type = CG_ACK, .code = CG_CODE(4, 0), .token = cg_slice_of(token, sizeof token)};
    assert_int_equal(cg_envelope_emit(&envelope, bytes, sizeof bytes), 306);
    assert_memory_equal(bytes, ((uint8_t[]){0x6e, 0x80, 0, 0, 0, 31}), 6);
}

static void format_errors(void **state) {
    (void)state;
    const struct {
        struct cg_slice bytes;
        enum cg_type type; /* that is told */
    } all[] = {
        {CG_SLICE_NONE, CG_NON},
        {BYTES(0x40, 1, 0), CG_NON},
        {BYTES(0xc0, 1, 0, 7), CG_NON},
        {BYTES(0x4f, 1, 0, 7), CG_CON},
        {BYTES(0x4d, 1, 0, 7), CG_CON},
        {BYTES(0x4e, 1, 0, 7, 0), CG_CON},
        {BYTES(0x49, 1, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8), CG_CON},
        {BYTES(0x40, 0, 0, 7, 1), CG_CON},
        {BYTES(0x51, 0, 0, 7, 1), CG_NON},
        {BYTES(0x60, 0x45, 0, 7, 0xff), CG_ACK},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct cg_envelope envelope;
        assert_int_equal(cg_envelope_parse(&envelope, all[i].bytes), CG_E_FORMAT);
        assert_int_equal(envelope.type, all[i].type);
    }
}

static void lengths_9_to_12_are_lengths(void **state) {
    (void)state;
    struct cg_envelope envelope;
    assert_int_equal(cg_envelope_parse(&envelope, BYTES(0x49, 1, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9)), CG_OK);
    assert_int_equal(envelope.token.len, 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_emitted_is_parsed_again),
        cmocka_unit_test(without_payload_there_is_no_marker),
        cmocka_unit_test(lengths_of_two_bytes_are_read_and_too_long),
        cmocka_unit_test(a_token_that_is_too_long_can_be_given_back),
        cmocka_unit_test(format_errors),
        cmocka_unit_test(lengths_9_to_12_are_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
