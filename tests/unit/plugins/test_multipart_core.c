/* multipart-core: byte for byte where an example says it best, else read again item by item. */
#include "fake_host.h"

#include "wire/cbor.h"
#include "wire/content_format.h"

static const struct castgate_encoder *core(void) { return cg_plugin_multipart_core.ops.encoder; }

static void encode(struct castgate_call *call, const struct castgate_answer *answers, size_t count) {
    call->answers = answers;
    call->answer_count = count;
    call->summary.answered = (uint32_t)count;
    assert_int_equal(core()->head(&fake_host, call), 0);
    assert_int_equal(core()->encode(&fake_host, call), 0);
}

static struct cg_cbor_item next(struct cg_slice *rest, enum cg_cbor_major major) {
    struct cg_cbor_item item;
    assert_int_equal(cg_cbor_next(rest, &item), CG_OK);
    assert_int_equal(item.major, major);
    return item;
}

static void expect_uint(struct cg_slice *rest, uint64_t number) {
    assert_int_equal(next(rest, CG_CBOR_UINT).number, number);
}

static void expect_bytes(struct cg_slice *rest, const char *expected, size_t len) {
    struct cg_cbor_item item = next(rest, CG_CBOR_BYTES);
    assert_int_equal(item.bytes.len, len);
    assert_memory_equal(item.bytes.data, expected, len);
}

static void expect_text(struct cg_slice *rest, const char *expected) {
    assert_true(cg_slice_is(next(rest, CG_CBOR_TEXT).bytes, expected));
}

/* What is behind the array's head and the part about the whole. */
static struct cg_slice answers_of(struct castgate_call *call) {
    struct cg_slice rest = cg_buf_slice(&call->written);
    assert_int_equal(next(&rest, CG_CBOR_ARRAY).number, 2 + 4 * call->answer_count);
    expect_uint(&rest, CG_FORMAT_CBOR);
    next(&rest, CG_CBOR_BYTES);
    return rest;
}

/* Skips the part about an answer; what follows are its format and payload. */
static struct cg_slice payload_of(struct castgate_call *call) {
    struct cg_slice rest = answers_of(call);
    expect_uint(&rest, CG_FORMAT_CBOR);
    next(&rest, CG_CBOR_BYTES);
    return rest;
}

static void test_what_it_offers(void **state) {
    (void)state;
    assert_string_equal(core()->media_type, "application/multipart-core");
    assert_true(core()->empty_is_204);
    assert_true(core()->encode_is_common);
    assert_null(core()->begin);
}

static void test_the_first_part_tells_of_the_whole(void **state) {
    (void)state;
    struct castgate_call call;
    call_init(&call);
    call.summary = (struct castgate_summary){.failed = 1,
                                             .missing = 24,
                                             .late = 3,
                                             .duplicates = 4,
                                             .rejected = 5,
                                             .expected = 300,
                                             .kernel_drops = 7,
                                             .ms = 70000,
                                             .ended_by = "deadline"};
    encode(&call, NULL, 0);
    struct cg_slice rest = cg_buf_slice(&call.written);
    assert_int_equal(next(&rest, CG_CBOR_ARRAY).number, 2);
    expect_uint(&rest, 60);
    struct cg_slice map = next(&rest, CG_CBOR_BYTES).bytes;
    assert_int_equal(rest.len, 0);
    assert_int_equal(next(&map, CG_CBOR_MAP).number, 3);
    expect_uint(&map, 0);
    expect_uint(&map, 1); /* the version */
    expect_uint(&map, 1);
    assert_int_equal(next(&map, CG_CBOR_MAP).number, 9);
    static const struct {
        const char *name;
        uint64_t count;
    } counts[] = {{"answered", 0}, {"failed", 1},     {"missing", 24},     {"late", 3},  {"duplicates", 4},
                  {"rejected", 5}, {"expected", 300}, {"kernel_drops", 7}, {"ms", 70000}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        expect_text(&map, counts[i].name);
        expect_uint(&map, counts[i].count);
    }
    expect_uint(&map, 2);
    expect_text(&map, "deadline");
    assert_int_equal(map.len, 0);
    call_fini(&call);
}

static void test_a_joined_request_says_so(void **state) {
    (void)state;
    struct castgate_call call;
    call_init(&call);
    call.summary.joined_ms = 30;
    encode(&call, NULL, 0);
    struct cg_slice rest = cg_buf_slice(&call.written);
    next(&rest, CG_CBOR_ARRAY);
    expect_uint(&rest, 60);
    struct cg_slice map = next(&rest, CG_CBOR_BYTES).bytes;
    for (int i = 0; i < 5; i++) assert_int_equal(cg_cbor_next(&map, &(struct cg_cbor_item){0}), CG_OK);
    for (int i = 0; i < 9; i++) {
        next(&map, CG_CBOR_TEXT);
        next(&map, CG_CBOR_UINT);
    }
    expect_text(&map, "joined_ms");
    expect_uint(&map, 30);
    call_fini(&call);
}

static void test_an_answer_byte_for_byte(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(0, text("on"));
    answer.reply_from = bytes("\x82\x20\x81\x44\x7f\x01\x00\x01", 8);
    answer.kid = bytes("\x11", 1);
    answer.has_kid = true;
    answer.verified = CASTGATE_VERIFIED_SOURCE;
    answer.etag = bytes("\xab\xcd", 2);
    answer.max_age = 300;
    answer.via = CASTGATE_VIA_UNICAST;
    struct castgate_call call;
    call_init(&call);
    encode(&call, &answer, 1);
    struct cg_slice rest = answers_of(&call);
    static const char expected[] = "\x18\x3c\x58\x1f"                         /* 60, 31 bytes */
                                   "\xa8"                                     /* eight pairs */
                                   "\x01\x48\x82\x20\x81\x44\x7f\x01\x00\x01" /* Reply-From */
                                   "\x02\x18\x45"                             /* 2.05 */
                                   "\x03\x41\x11"                             /* kid */
                                   "\x04\x02"                                 /* source */
                                   "\x05\x0c"                                 /* ms */
                                   "\x06\x19\x01\x2c"                         /* Max-Age */
                                   "\x07\x42\xab\xcd"                         /* ETag */
                                   "\x09\x01"                                 /* unicast */
                                   "\x00\x42on";                              /* text, its bytes */
    assert_int_equal(rest.len, sizeof expected - 1);
    assert_memory_equal(rest.data, expected, rest.len);
    call_fini(&call);
}

/* Neither address nor kid leaves of an anonymised answer; what is unknown is left out. */
static void test_what_there_is_none_of_is_left_out(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(0, text("on"));
    struct castgate_call call;
    call_init(&call);
    encode(&call, &answer, 1);
    struct cg_slice rest = answers_of(&call);
    expect_uint(&rest, 60);
    expect_bytes(&rest, "\xa5\x02\x18\x45\x04\x00\x05\x0c\x06\x18\x3c\x09\x00", 13);
    call_fini(&call);
}

/* An empty kid is one. */
static void test_an_empty_kid_is_there(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(0, text("on"));
    answer.has_kid = true;
    struct castgate_call call;
    call_init(&call);
    encode(&call, &answer, 1);
    struct cg_slice rest = answers_of(&call);
    expect_uint(&rest, 60);
    expect_bytes(&rest, "\xa6\x02\x18\x45\x03\x40\x04\x00\x05\x0c\x06\x18\x3c\x09\x00", 15);
    call_fini(&call);
}

static void test_a_relayed_answer_keeps_its_option(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(CG_FORMAT_OSCORE, text("ciphertext"));
    answer.options = bytes("\x92\x08\x25", 3); /* OSCORE (9) */
    struct castgate_call call;
    call_init(&call);
    encode(&call, &answer, 1);
    struct cg_slice rest = answers_of(&call);
    expect_uint(&rest, 60);
    expect_bytes(&rest, "\xa6\x02\x18\x45\x04\x00\x05\x0c\x06\x18\x3c\x08\x42\x08\x25\x09\x00", 17);
    expect_uint(&rest, 42);
    expect_bytes(&rest, "ciphertext", 10);
    call_fini(&call);
}

static void expect_format(struct castgate_answer answer, uint64_t format) {
    struct castgate_call call;
    call_init(&call);
    encode(&call, &answer, 1);
    struct cg_slice rest = payload_of(&call);
    expect_uint(&rest, format);
    if (answer.payload.len > 0) {
        expect_bytes(&rest, answer.payload.data, answer.payload.len);
    } else {
        assert_int_equal(next(&rest, CG_CBOR_SIMPLE).number, CG_CBOR_NULL);
    }
    assert_int_equal(rest.len, 0);
    call_fini(&call);
}

static struct castgate_answer of_code(uint8_t code, uint32_t format, struct castgate_slice payload) {
    struct castgate_answer answer = plain_answer(format, payload);
    answer.code = code;
    return answer;
}

static void test_formats(void **state) {
    (void)state;
    expect_format(of_code(CG_CODE(2, 5), 50, text("{}")), 50);
    expect_format(of_code(CG_CODE(2, 5), 65535, text("x")), 65535);
    expect_format(of_code(CG_CODE(2, 5), CASTGATE_FORMAT_NONE, text("x")), 42);
    expect_format(of_code(CG_CODE(2, 4), CASTGATE_FORMAT_NONE, text("")), 42);
    expect_format(of_code(CG_CODE(2, 5), 0, text("")), 0);
    expect_format(of_code(CG_CODE(4, 4), CASTGATE_FORMAT_NONE, text("no such thing")), 0);
    expect_format(of_code(CG_CODE(5, 0), CASTGATE_FORMAT_NONE, text("\xff\xfe")), 42); /* no text */
    expect_format(of_code(CG_CODE(4, 4), 60, text("\xa0")), 60);
}

static void test_long_payloads(void **state) {
    (void)state;
    static char payload[70000];
    memset(payload, 'x', sizeof payload);
    expect_format(of_code(CG_CODE(2, 5), 42, bytes(payload, 23)), 42);
    expect_format(of_code(CG_CODE(2, 5), 42, bytes(payload, 24)), 42);
    expect_format(of_code(CG_CODE(2, 5), 42, bytes(payload, 256)), 42);
    expect_format(of_code(CG_CODE(2, 5), 42, bytes(payload, sizeof payload)), 42);
}

static void test_many_answers_are_in_order(void **state) {
    (void)state;
    struct castgate_answer answers[30];
    for (uint32_t i = 0; i < 30; i++) answers[i] = plain_answer(i, text("on"));
    struct castgate_call call;
    call_init(&call);
    encode(&call, answers, 30);
    struct cg_slice rest = answers_of(&call);
    for (uint32_t i = 0; i < 30; i++) {
        expect_uint(&rest, 60);
        next(&rest, CG_CBOR_BYTES);
        expect_uint(&rest, i);
        expect_bytes(&rest, "on", 2);
    }
    assert_int_equal(rest.len, 0);
    call_fini(&call);
}

static void test_gives_up_where_it_may_write_no_more(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(0, text("on"));
    struct castgate_call call;
    call_init(&call);
    call.room = 3;
    call.answers = &answer;
    call.answer_count = 1;
    assert_int_equal(core()->head(&fake_host, &call), -1);
    assert_int_equal(core()->encode(&fake_host, &call), -1);
    call_fini(&call);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_offers),
        cmocka_unit_test(test_the_first_part_tells_of_the_whole),
        cmocka_unit_test(test_a_joined_request_says_so),
        cmocka_unit_test(test_an_answer_byte_for_byte),
        cmocka_unit_test(test_what_there_is_none_of_is_left_out),
        cmocka_unit_test(test_an_empty_kid_is_there),
        cmocka_unit_test(test_a_relayed_answer_keeps_its_option),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_long_payloads),
        cmocka_unit_test(test_many_answers_are_in_order),
        cmocka_unit_test(test_gives_up_where_it_may_write_no_more),
    };
    return cmocka_run_group_tests_name("plugins/multipart_core", tests, NULL, NULL);
}
