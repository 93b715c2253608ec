/* The message codec against RFC 7252 §3, byte by byte, and against hostile input. Every parsed message lies in a heap
 * block of its exact size, so that AddressSanitizer sees a read beyond it. */
#include "wire/msg.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define BYTES(...) cg_slice_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint32_t random_below(uint32_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % bound;
}

/* The bytes in a block of their own; free with free((void *)slice.data). */
static struct cg_slice exact_copy(struct cg_slice bytes) {
    uint8_t *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
    assert_non_null(copy);
    if (bytes.len > 0) memcpy(copy, bytes.data, bytes.len);
    return cg_slice_of(copy, bytes.len);
}

static void drop(struct cg_slice copy) { free((void *)copy.data); }

/* Parses, and when that succeeds walks everything that was promised to be well-formed. */
static int parse_and_walk(struct cg_slice bytes) {
    struct cg_slice copy = exact_copy(bytes);
    struct cg_msg msg;
    int err = cg_msg_parse(&msg, copy);
    if (err == CG_OK) {
        struct cg_opt_iter iter;
        struct cg_opt opt;
        uint16_t last = 0;
        unsigned sum = 0;
        cg_opt_iter_init(&iter, &msg);
        while (cg_opt_next(&iter, &opt)) {
            assert_true(opt.number >= last);
            last = opt.number;
            for (size_t i = 0; i < opt.value.len; i++) sum += opt.value.data[i];
        }
        for (size_t i = 0; i < msg.payload.len; i++) sum += msg.payload.data[i];
        assert_true(sum < UINT32_MAX);
        assert_true(msg.token.len <= CG_TOKEN_MAX);
    } else {
        assert_int_equal(err, CG_E_FORMAT);
    }
    drop(copy);
    return err;
}

static void header_fields(void **state) {
    (void)state;
    struct cg_msg msg;
    assert_int_equal(cg_msg_parse(&msg, BYTES(0x62, 0x45, 0xab, 0xcd, 0x01, 0x02)), CG_OK);
    assert_int_equal(msg.type, CG_ACK);
    assert_int_equal(msg.code, CG_CODE(2, 5));
    assert_int_equal(msg.mid, 0xabcd);
    assert_int_equal(msg.token.len, 2);
    assert_memory_equal(msg.token.bytes, "\x01\x02\0\0\0\0\0\0", CG_TOKEN_MAX);
    assert_int_equal(msg.options.len, 0);
    assert_int_equal(msg.payload.len, 0);
    for (uint8_t type = 0; type < 4; type++) {
        assert_int_equal(cg_msg_parse(&msg, BYTES((uint8_t)(0x40 | type << 4), 1, 0, 0)), CG_OK);
        assert_int_equal(msg.type, type);
    }
}

static void every_token_length(void **state) {
    (void)state;
    uint8_t bytes[4 + 15] = {0, CG_GET, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (size_t len = 0; len <= 15; len++) {
        bytes[0] = (uint8_t)(0x40 | len);
        struct cg_slice copy = exact_copy(cg_slice_of(bytes, 4 + len));
        struct cg_msg msg;
        assert_int_equal(cg_msg_parse(&msg, copy), len <= 8 ? CG_OK : CG_E_FORMAT);
        assert_int_equal(msg.type, CG_CON);
        assert_int_equal(msg.mid, 0x1234);
        if (len <= 8) {
            assert_int_equal(msg.token.len, len);
            assert_memory_equal(msg.token.bytes, bytes + 4, len);
        }
        drop(copy);
        if (len > 0) assert_int_equal(parse_and_walk(cg_slice_of(bytes, 3 + len)), CG_E_FORMAT); /* one byte short */
    }
}

static void shorter_than_the_header(void **state) {
    (void)state;
    static const uint8_t bytes[4] = {0x40, CG_GET, 0x12, 0x34};
    for (size_t len = 0; len < 4; len++) {
        struct cg_slice copy = exact_copy(cg_slice_of(bytes, len));
        struct cg_msg msg;
        assert_int_equal(cg_msg_parse(&msg, copy), CG_E_FORMAT);
        assert_int_equal(msg.type, CG_NON); /* nothing to reject */
        drop(copy);
    }
    struct cg_msg msg;
    assert_int_equal(cg_msg_parse(&msg, CG_SLICE_NONE), CG_E_FORMAT);
}

static void other_versions_are_ignored(void **state) {
    (void)state;
    for (unsigned version = 0; version < 4; version++) {
        struct cg_msg msg;
        int err = cg_msg_parse(&msg, BYTES((uint8_t)(version << 6), CG_GET, 0x12, 0x34));
        assert_int_equal(err, version == 1 ? CG_OK : CG_E_FORMAT);
        assert_int_equal(msg.type, version == 1 ? CG_CON : CG_NON); /* no RST to another version */
    }
}

static void empty_messages(void **state) {
    (void)state;
    struct cg_msg msg;
    assert_int_equal(cg_msg_parse(&msg, BYTES(0x70, 0, 0xbe, 0xef)), CG_OK);
    assert_int_equal(msg.type, CG_RST);
    assert_int_equal(msg.code, CG_EMPTY);
    assert_int_equal(msg.mid, 0xbeef);
    assert_int_equal(cg_msg_parse(&msg, BYTES(0x40, 0, 0xbe, 0xef, 0x00)), CG_E_FORMAT);
    assert_int_equal(msg.type, CG_CON); /* to be rejected */
    assert_int_equal(msg.mid, 0xbeef);
    assert_int_equal(cg_msg_parse(&msg, BYTES(0x41, 0, 0xbe, 0xef, 0x01)), CG_E_FORMAT);
    assert_int_equal(cg_msg_parse(&msg, BYTES(0x41, 0, 0xbe, 0xef)), CG_E_FORMAT);
    assert_int_equal(cg_msg_parse(&msg, BYTES(0x40, 0, 0xbe, 0xef, 0xff, 'x')), CG_E_FORMAT);
}

static void payload_marker(void **state) {
    (void)state;
    struct cg_msg msg;
    assert_int_equal(cg_msg_parse(&msg, BYTES(0x50, 0x45, 0, 1, 0xff)), CG_E_FORMAT);
    assert_int_equal(cg_msg_parse(&msg, BYTES(0x50, 0x45, 0, 1, 0xc0, 0xff)), CG_E_FORMAT);
    assert_int_equal(cg_msg_parse(&msg, BYTES(0x50, 0x45, 0, 1, 0xff, 0xff)), CG_OK);
    assert_int_equal(msg.payload.len, 1);
    assert_int_equal(msg.payload.data[0], 0xff);
    assert_int_equal(cg_msg_parse(&msg, BYTES(0x50, 0x45, 0, 1, 0xc1, 0xff, 0xff, 'a', 'b')), CG_OK);
    assert_int_equal(msg.options.len, 2); /* the 0xff inside an option's value is no marker */
    assert_true(cg_slice_is(msg.payload, "ab"));
}

static void option_format_errors(void **state) {
    (void)state;
    static const struct {
        const char *what;
        uint8_t bytes[8];
        size_t len;
    } cases[] = {
        {"delta 15", {0xf0}, 1},
        {"delta 15 with bytes behind", {0xf1, 1, 2, 3}, 4},
        {"length 15", {0x0f, 1, 2, 3}, 4},
        {"length 15, delta 14", {0xef, 0, 0, 0, 0}, 5},
        {"delta 13 cut off", {0xd0}, 1},
        {"delta 14 without bytes", {0xe0}, 1},
        {"delta 14 with one byte", {0xe0, 0}, 2},
        {"length 13 cut off", {0x0d}, 1},
        {"length 14 without bytes", {0x0e}, 1},
        {"length 14 with one byte", {0x0e, 0}, 2},
        {"delta 13 whole, length 13 cut off", {0xdd, 0}, 2},
        {"delta 14 whole, length 14 cut off", {0xee, 0, 0, 0}, 4},
        {"value missing", {0x11}, 1},
        {"value one byte short", {0x13, 'a', 'b'}, 3},
        {"value of 13 cut off", {0x1d, 0, 'a', 'b'}, 4},
        {"value of 269 cut off", {0x1e, 0, 0, 'a'}, 4},
        {"number 65536 in one step", {0xe0, 0xfe, 0xf3}, 3},
        {"number 65804", {0xe0, 0xff, 0xff}, 3},
        {"number 65536 in two steps", {0xe0, 0xfe, 0xf2, 0x10}, 4},
        {"second option cut off", {0x10, 0xd0}, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t datagram[4 + 8] = {0x40, CG_GET, 0x12, 0x34};
        memcpy(datagram + 4, cases[i].bytes, cases[i].len);
        struct cg_slice copy = exact_copy(cg_slice_of(datagram, 4 + cases[i].len));
        struct cg_msg msg;
        if (cg_msg_parse(&msg, copy) != CG_E_FORMAT) fail_msg("accepted: %s", cases[i].what);
        assert_int_equal(msg.type, CG_CON);
        assert_int_equal(msg.mid, 0x1234);
        drop(copy);
    }
    assert_int_equal(parse_and_walk(BYTES(0x40, CG_GET, 0, 0, 0xe0, 0xfe, 0xf2)), CG_OK); /* 65535 itself */
}

/* Every form of delta and length, at its edges: emitted, measured, parsed back. */
static void every_delta_and_length_form(void **state) {
    (void)state;
    static const uint16_t deltas[] = {0, 1, 11, 12, 13, 14, 100, 268, 269, 270, 1000, 65534, 65535};
    static const size_t lengths[] = {0, 1, 11, 12, 13, 14, 100, 268, 269, 270, 1000, 65535, 65803, 65804};
    size_t cap = 4 + 5 + 65804 + 2;
    uint8_t *value = malloc(65804), *bytes = malloc(cap);
    assert_non_null(value);
    assert_non_null(bytes);
    for (size_t i = 0; i < 65804; i++) value[i] = (uint8_t)(i * 7);
    for (size_t d = 0; d < sizeof deltas / sizeof deltas[0]; d++) {
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
            struct cg_msg_writer writer;
            cg_msg_begin(&writer, bytes, cap, CG_NON, CG_POST, 7, (struct cg_token){0});
            cg_msg_put_opt(&writer, deltas[d], cg_slice_of(value, lengths[l]));
            cg_msg_put_payload(&writer, cg_slice_str("p"));
            int len = cg_msg_end(&writer);
            size_t extended = (deltas[d] < 13    ? 0u
                               : deltas[d] < 269 ? 1u
                                                 : 2u) +
                              (lengths[l] < 13    ? 0u
                               : lengths[l] < 269 ? 1u
                                                  : 2u);
            assert_int_equal(len, 4 + 1 + extended + lengths[l] + 2);
            struct cg_slice copy = exact_copy(cg_slice_of(bytes, (size_t)len));
            struct cg_msg msg;
            struct cg_opt_iter iter;
            struct cg_opt opt;
            assert_int_equal(cg_msg_parse(&msg, copy), CG_OK);
            cg_opt_iter_init(&iter, &msg);
            assert_true(cg_opt_next(&iter, &opt));
            assert_int_equal(opt.number, deltas[d]);
            assert_true(cg_slice_equal(opt.value, cg_slice_of(value, lengths[l])));
            assert_false(cg_opt_next(&iter, &opt));
            assert_true(cg_slice_is(msg.payload, "p"));
            drop(copy);
        }
    }
    free(value);
    free(bytes);
}

/* RFC 7252 Appendix A: GET coap://.../temperature with token 0x20. */
static void example_of_the_standard(void **state) {
    (void)state;
    static const uint8_t expected[] = {0x41, 0x01, 0x7d, 0x35, 0x20, 0xbb, 't', 'e', 'm',
                                       'p',  'e',  'r',  'a',  't',  'u',  'r', 'e'};
    uint8_t bytes[64];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_CON, CG_GET, 0x7d35, (struct cg_token){.len = 1, .bytes = {0x20}});
    cg_msg_put_opt(&writer, CG_OPT_URI_PATH, cg_slice_str("temperature"));
    assert_int_equal(cg_msg_end(&writer), sizeof expected);
    assert_memory_equal(bytes, expected, sizeof expected);
}

static void inner_messages(void **state) {
    (void)state;
    struct cg_msg msg;
    assert_int_equal(cg_msg_parse_inner(&msg, CG_SLICE_NONE), CG_E_FORMAT);
    assert_int_equal(cg_msg_parse_inner(&msg, BYTES(0x01)), CG_OK);
    assert_int_equal(msg.code, CG_GET);
    assert_int_equal(cg_msg_parse_inner(&msg, BYTES(0x45, 0xff)), CG_E_FORMAT);
    assert_int_equal(cg_msg_parse_inner(&msg, BYTES(0x01, 0xb3, 't', 'v', '1', 0xff, 'x')), CG_OK);
    assert_int_equal(msg.type, 0);
    assert_int_equal(msg.mid, 0);
    assert_int_equal(msg.token.len, 0);
    struct cg_slice path;
    assert_true(cg_msg_find(&msg, CG_OPT_URI_PATH, &path));
    assert_true(cg_slice_is(path, "tv1"));
    assert_true(cg_slice_is(msg.payload, "x"));

    uint8_t bytes[16];
    struct cg_msg_writer writer;
    cg_msg_begin_inner(&writer, bytes, sizeof bytes, CG_GET);
    cg_msg_put_opt(&writer, CG_OPT_URI_PATH, cg_slice_str("tv1"));
    cg_msg_put_payload(&writer, cg_slice_str("x"));
    assert_int_equal(cg_msg_end(&writer), 7);
    assert_memory_equal(bytes, "\x01\xb3tv1\xffx", 7);
    cg_msg_begin_inner(&writer, bytes, 0, CG_GET);
    assert_int_equal(cg_msg_end(&writer), CG_E_TOO_BIG);
}

static void bodies_leave_the_rest_alone(void **state) {
    (void)state;
    struct cg_msg msg = {.type = CG_ACK, .code = CG_PUT, .mid = 9, .token = {.len = 1, .bytes = {5}}};
    assert_int_equal(cg_msg_parse_body(&msg, BYTES(0x10, 0xff, 'x')), CG_OK);
    assert_int_equal(msg.type, CG_ACK);
    assert_int_equal(msg.code, CG_PUT);
    assert_int_equal(msg.mid, 9);
    assert_int_equal(msg.token.len, 1);
    assert_int_equal(msg.options.len, 1);
    assert_int_equal(cg_msg_parse_body(&msg, CG_SLICE_NONE), CG_OK);
    assert_int_equal(msg.options.len, 0);
    assert_int_equal(msg.payload.len, 0);
    assert_int_equal(cg_msg_parse_body(&msg, BYTES(0xf0)), CG_E_FORMAT);
}

static void finding_options(void **state) {
    (void)state;
    uint8_t bytes[128];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, CG_GET, 1, (struct cg_token){0});
    cg_msg_put_opt(&writer, CG_OPT_URI_PATH, cg_slice_str("a"));
    cg_msg_put_opt(&writer, CG_OPT_URI_PATH, cg_slice_str("b"));
    cg_msg_put_uint(&writer, CG_OPT_CONTENT_FORMAT, 0);
    cg_msg_put_uint(&writer, CG_OPT_MAX_AGE, 0x01020304);
    cg_msg_put_opt(&writer, CG_OPT_ACCEPT, BYTES(0, 0, 50)); /* leading zeros are legal */
    cg_msg_put_opt(&writer, CG_OPT_SIZE1, BYTES(1, 2, 3, 4, 5));
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    struct cg_msg msg;
    assert_int_equal(cg_msg_parse(&msg, cg_slice_of(bytes, (size_t)len)), CG_OK);
    struct cg_slice value;
    assert_true(cg_msg_find(&msg, CG_OPT_URI_PATH, &value));
    assert_true(cg_slice_is(value, "a"));
    assert_false(cg_msg_find(&msg, CG_OPT_URI_HOST, &value));
    assert_false(cg_msg_find(&msg, CG_OPT_URI_QUERY, &value));
    assert_false(cg_msg_find(&msg, 65535, &value));
    uint32_t number = 99;
    assert_true(cg_msg_find_uint(&msg, CG_OPT_CONTENT_FORMAT, &number));
    assert_int_equal(number, 0);
    assert_true(cg_msg_find_uint(&msg, CG_OPT_MAX_AGE, &number));
    assert_int_equal(number, 0x01020304);
    assert_true(cg_msg_find_uint(&msg, CG_OPT_ACCEPT, &number));
    assert_int_equal(number, 50);
    assert_false(cg_msg_find_uint(&msg, CG_OPT_SIZE1, &number)); /* longer than a uint */
    assert_false(cg_msg_find_uint(&msg, CG_OPT_OBSERVE, &number));
}

static void shortest_uints(void **state) {
    (void)state;
    static const struct {
        uint32_t number;
        size_t len;
    } cases[] = {{0, 0},     {1, 1},        {255, 1},       {256, 2},       {65535, 2},
                 {65536, 3}, {0xffffff, 3}, {0x1000000, 4}, {UINT32_MAX, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[16];
        struct cg_msg_writer writer;
        cg_msg_begin_inner(&writer, bytes, sizeof bytes, CG_GET);
        cg_msg_put_uint(&writer, CG_OPT_OBSERVE, cases[i].number);
        assert_int_equal(cg_msg_end(&writer), 2 + cases[i].len);
        assert_int_equal(cg_uint_parse(cg_slice_of(bytes + 2, cases[i].len)), cases[i].number);
    }
    assert_int_equal(cg_uint_parse(CG_SLICE_NONE), 0);
}

static void options_are_put_where_they_belong(void **state) {
    (void)state;
    static const uint16_t expected[] = {CG_OPT_ETAG, CG_OPT_URI_PATH, CG_OPT_URI_PATH, CG_OPT_BLOCK2};
    struct cg_opt list[4];
    struct cg_opts options = {.list = list};
    cg_opts_insert(&options, CG_OPT_URI_PATH, cg_slice_str("a"));
    cg_opts_insert(&options, CG_OPT_BLOCK2, CG_SLICE_NONE);
    cg_opts_insert(&options, CG_OPT_ETAG, cg_slice_str("e"));
    cg_opts_insert(&options, CG_OPT_URI_PATH, cg_slice_str("b"));
    assert_int_equal(options.count, 4);
    for (size_t i = 0; i < options.count; i++) assert_int_equal(list[i].number, expected[i]);
    assert_true(cg_slice_equal(list[1].value, cg_slice_str("a")));
    assert_true(cg_slice_equal(list[2].value, cg_slice_str("b")));
}

static void writer_failures_stick(void **state) {
    (void)state;
    uint8_t bytes[32];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, CG_GET, 1, (struct cg_token){0});
    cg_msg_put_opt(&writer, 11, cg_slice_str("a"));
    cg_msg_put_opt(&writer, 10, cg_slice_str("a")); /* out of order */
    cg_msg_put_opt(&writer, 12, cg_slice_str("a"));
    assert_int_equal(cg_msg_end(&writer), CG_E_TOO_BIG);

    cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, CG_GET, 1, (struct cg_token){0});
    cg_msg_put_payload(&writer, cg_slice_str("x"));
    cg_msg_put_opt(&writer, 11, cg_slice_str("a")); /* behind the payload */
    assert_int_equal(cg_msg_end(&writer), CG_E_TOO_BIG);

    cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, CG_GET, 1, (struct cg_token){0});
    cg_msg_put_payload(&writer, CG_SLICE_NONE);
    assert_int_equal(cg_msg_end(&writer), 4); /* no marker without payload */
    cg_msg_put_payload(&writer, cg_slice_str("x"));
    assert_int_equal(cg_msg_end(&writer), CG_E_TOO_BIG);

    uint8_t *large = calloc(1, 65805);
    uint8_t *room = malloc(70000);
    assert_non_null(large);
    assert_non_null(room);
    cg_msg_begin(&writer, room, 70000, CG_NON, CG_GET, 1, (struct cg_token){0});
    cg_msg_put_opt(&writer, 11, cg_slice_of(large, 65805)); /* longer than any option can be */
    assert_int_equal(cg_msg_end(&writer), CG_E_TOO_BIG);
    free(large);
    free(room);
}

static void writer_stays_within_its_room(void **state) {
    (void)state;
    for (size_t cap = 0; cap <= 24; cap++) {
        uint8_t *bytes = malloc(cap == 0 ? 1 : cap); /* AddressSanitizer guards the end */
        assert_non_null(bytes);
        struct cg_msg_writer writer;
        cg_msg_begin(&writer, bytes, cap, CG_NON, CG_GET, 1, (struct cg_token){.len = 8});
        cg_msg_put_opt(&writer, 11, cg_slice_str("abc"));
        cg_msg_put_opt(&writer, 300, cg_slice_str("d"));
        cg_msg_put_payload(&writer, cg_slice_str("xyz"));
        size_t whole = 4 + 8 + 4 + 4 + 4;
        assert_int_equal(cg_msg_end(&writer), cap < whole ? CG_E_TOO_BIG : (int)whole);
        free(bytes);
    }
}

static void round_trip_of_random_messages(void **state) {
    (void)state;
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[4096], values[20][300];
        uint16_t numbers[20];
        size_t lengths[20], count = random_below(20), payload_len = random_below(40);
        uint8_t payload[40];
        struct cg_token token = {.len = (uint8_t)random_below(9)};
        for (size_t i = 0; i < token.len; i++) token.bytes[i] = (uint8_t)random_below(256);
        for (size_t i = 0; i < payload_len; i++) payload[i] = (uint8_t)random_below(256);
        uint8_t code = (uint8_t)(1 + random_below(255));
        uint16_t mid = (uint16_t)random_below(65536);
        enum cg_type type = (enum cg_type)random_below(4);
        struct cg_msg_writer writer;
        cg_msg_begin(&writer, bytes, sizeof bytes, type, code, mid, token);
        uint32_t number = 0;
        for (size_t i = 0; i < count; i++) {
            static const uint32_t steps[] = {1, 13, 14, 270, 3000};
            number += random_below(steps[random_below(5)]);
            numbers[i] = (uint16_t)number;
            static const uint32_t sizes[] = {1, 5, 13, 14, 300};
            lengths[i] = random_below(sizes[random_below(5)]);
            for (size_t k = 0; k < lengths[i]; k++) values[i][k] = (uint8_t)random_below(256);
            cg_msg_put_opt(&writer, numbers[i], cg_slice_of(values[i], lengths[i]));
        }
        cg_msg_put_payload(&writer, cg_slice_of(payload, payload_len));
        int len = cg_msg_end(&writer);
        if (len == CG_E_TOO_BIG) continue; /* rare: many long options */
        struct cg_slice copy = exact_copy(cg_slice_of(bytes, (size_t)len));
        struct cg_msg msg;
        assert_int_equal(cg_msg_parse(&msg, copy), CG_OK);
        assert_int_equal(msg.type, type);
        assert_int_equal(msg.code, code);
        assert_int_equal(msg.mid, mid);
        assert_memory_equal(&msg.token, &token, sizeof token);
        assert_true(cg_slice_equal(msg.payload, cg_slice_of(payload, payload_len)));
        struct cg_opt_iter iter;
        struct cg_opt opt;
        cg_opt_iter_init(&iter, &msg);
        for (size_t i = 0; i < count; i++) {
            assert_true(cg_opt_next(&iter, &opt));
            assert_int_equal(opt.number, numbers[i]);
            assert_true(cg_slice_equal(opt.value, cg_slice_of(values[i], lengths[i])));
        }
        assert_false(cg_opt_next(&iter, &opt));
        drop(copy);
    }
}

/* A message with every form of delta and length that fits 60 bytes. */
static size_t sample(uint8_t bytes[128]) {
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, 128, CG_CON, CG_CODE(2, 5), 0x4242, (struct cg_token){.len = 3, .bytes = {1, 2, 3}});
    cg_msg_put_opt(&writer, CG_OPT_ETAG, cg_slice_str("etag"));
    cg_msg_put_opt(&writer, CG_OPT_LOCATION_PATH, cg_slice_str("thirteen-byte-and-more"));
    cg_msg_put_uint(&writer, CG_OPT_SIZE2, 4096);
    cg_msg_put_uint(&writer, CG_OPT_ECHO, 7);
    cg_msg_put_opt(&writer, 2053, CG_SLICE_NONE);
    cg_msg_put_payload(&writer, cg_slice_str("payload"));
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    return (size_t)len;
}

static void every_truncation(void **state) {
    (void)state;
    uint8_t bytes[128];
    size_t len = sample(bytes);
    struct cg_msg whole, msg;
    assert_int_equal(cg_msg_parse(&whole, cg_slice_of(bytes, len)), CG_OK);
    size_t options_end = (size_t)(whole.options.data - bytes) + whole.options.len;
    for (size_t cut = 0; cut <= len; cut++) {
        bool good = cut == 7 || cut == options_end || cut > options_end + 1;
        struct cg_opt_iter iter;
        struct cg_opt opt;
        cg_opt_iter_init(&iter, &whole);
        while (cg_opt_next(&iter, &opt)) good = good || cut == (size_t)(iter.rest.data - bytes);
        assert_int_equal(parse_and_walk(cg_slice_of(bytes, cut)), good ? CG_OK : CG_E_FORMAT);
        struct cg_slice copy = exact_copy(cg_slice_of(bytes, cut));
        if (cg_msg_parse(&msg, copy) < 0) assert_int_equal(msg.type, cut < 4 ? CG_NON : CG_CON);
        drop(copy);
    }
}

static void every_mutation_of_one_byte(void **state) {
    (void)state;
    uint8_t bytes[128];
    size_t len = sample(bytes);
    for (size_t i = 0; i < len; i++) {
        uint8_t before = bytes[i];
        for (unsigned value = 0; value < 256; value++) {
            bytes[i] = (uint8_t)value;
            (void)parse_and_walk(cg_slice_of(bytes, len));
        }
        bytes[i] = before;
    }
}

static void random_bytes(void **state) {
    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[48];
        size_t len = random_below(sizeof bytes + 1);
        for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)random_below(256);
        if (len > 0) bytes[0] = (uint8_t)(0x40 | (bytes[0] & 0x3f));
        (void)parse_and_walk(cg_slice_of(bytes, len));
    }
}

static void properties_of_numbers_and_codes(void **state) {
    (void)state;
    assert_true(cg_opt_is_critical(CG_OPT_URI_HOST) && cg_opt_is_unsafe(CG_OPT_URI_HOST));
    assert_false(cg_opt_is_critical(CG_OPT_ETAG) || cg_opt_is_unsafe(CG_OPT_ETAG));
    assert_true(cg_opt_is_no_cache_key(CG_OPT_SIZE1) && cg_opt_is_no_cache_key(CG_OPT_SIZE2));
    assert_false(cg_opt_is_no_cache_key(CG_OPT_CONTENT_FORMAT));
    assert_true(cg_code_is_request(CG_GET) && cg_code_is_request(31));
    assert_false(cg_code_is_request(CG_EMPTY) || cg_code_is_request(32));
    assert_true(cg_code_is_response(CG_CODE(2, 0)) && cg_code_is_response(CG_CODE(5, 31)));
    assert_false(cg_code_is_response(CG_CODE(1, 31)) || cg_code_is_response(CG_CODE(6, 0)));
}

static void code_texts(void **state) {
    (void)state;
    char text[5];
    cg_code_text(CG_CODE(2, 5), text);
    assert_string_equal(text, "2.05");
    cg_code_text(CG_CODE(4, 29), text);
    assert_string_equal(text, "4.29");
    cg_code_text(255, text);
    assert_string_equal(text, "7.31");
    cg_code_text(0, text);
    assert_string_equal(text, "0.00");
}

static void test_methods_have_names(void **state) { /* RFC 7252 §12.1.1, RFC 8132 §8 */
    (void)state;
    static const char *const names[] = {"GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH"};
    for (unsigned code = CG_GET; code <= CG_IPATCH; code++) {
        assert_string_equal(cg_method_name(code), names[code - CG_GET]);
        assert_int_equal(cg_method_code(names[code - CG_GET]), code);
    }
    assert_null(cg_method_name(CG_EMPTY));
    assert_null(cg_method_name(CG_IPATCH + 1));
    assert_int_equal(cg_method_code("ipatch"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_fields),
        cmocka_unit_test(every_token_length),
        cmocka_unit_test(shorter_than_the_header),
        cmocka_unit_test(other_versions_are_ignored),
        cmocka_unit_test(empty_messages),
        cmocka_unit_test(payload_marker),
        cmocka_unit_test(option_format_errors),
        cmocka_unit_test(every_delta_and_length_form),
        cmocka_unit_test(example_of_the_standard),
        cmocka_unit_test(inner_messages),
        cmocka_unit_test(bodies_leave_the_rest_alone),
        cmocka_unit_test(finding_options),
        cmocka_unit_test(shortest_uints),
        cmocka_unit_test(options_are_put_where_they_belong),
        cmocka_unit_test(writer_failures_stick),
        cmocka_unit_test(writer_stays_within_its_room),
        cmocka_unit_test(round_trip_of_random_messages),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_mutation_of_one_byte),
        cmocka_unit_test(random_bytes),
        cmocka_unit_test(properties_of_numbers_and_codes),
        cmocka_unit_test(code_texts),
        cmocka_unit_test(test_methods_have_names),
    };
    return cmocka_run_group_tests_name("wire/msg", tests, NULL, NULL);
}
