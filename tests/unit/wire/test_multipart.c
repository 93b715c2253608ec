/* The batch response, byte by byte, and against members that try to end their part. */
#include "wire/multipart.h"
#include "wire/http_status.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define B "00112233445566778899aabbccddeeff"

static const struct cg_boundary boundary = {.text = B};

static void assert_text(const struct cg_buf *buf, const char *expected) {
    assert_false(buf->failed);
    if (!cg_slice_is(cg_buf_slice(buf), expected)) fail_msg("%.*s", (int)buf->len, (const char *)buf->data);
}

static void boundaries(void **state) {
    (void)state;
    static const uint8_t random[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                       0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    struct cg_boundary made;
    cg_boundary_init(&made, random);
    assert_string_equal(made.text, B);
    assert_true(cg_boundary_occurs(&made, cg_slice_str(B)));
    assert_true(cg_boundary_occurs(&made, cg_slice_str("x\r\n--" B "--\r\n")));
    assert_true(cg_boundary_occurs(&made, cg_slice_of("\0\0" B, 34)));
    assert_false(cg_boundary_occurs(&made, CG_SLICE_NONE));
    assert_false(cg_boundary_occurs(&made, cg_slice_str("00112233445566778899aabbccddeef")));
    assert_false(cg_boundary_occurs(&made, cg_slice_str("00112233445566778899aabbccddeefF")));
}

/* R30: success and failure in one reply. */
static void whole_reply(void **state) {
    (void)state;
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    cg_multipart_begin_part(&buf, &boundary, 200, cg_http_reason(200));
    assert_int_equal(cg_multipart_put_header(&buf, "Content-Type", cg_slice_str("text/plain; charset=utf-8")), CG_OK);
    assert_int_equal(cg_multipart_put_header(&buf, "Reply-From", cg_slice_str(":giCBRH8BAAE=:")), CG_OK);
    cg_multipart_end_part(&buf, 200, cg_slice_str("21.5"));
    cg_multipart_begin_part(&buf, &boundary, 404, cg_http_reason(404));
    cg_multipart_end_part(&buf, 404, CG_SLICE_NONE);
    cg_multipart_begin_part(&buf, &boundary, 204, cg_http_reason(204));
    cg_multipart_end_part(&buf, 204, cg_slice_str("ignored"));
    cg_multipart_begin_part(&buf, &boundary, 304, cg_http_reason(304));
    assert_int_equal(cg_multipart_put_header(&buf, "ETag", cg_slice_str("\"01\"")), CG_OK);
    cg_multipart_end_part(&buf, 304, cg_slice_str("ignored"));
    cg_multipart_end(&buf, &boundary);
    assert_text(&buf, "--" B "\r\n"
                      "Content-Type: application/http\r\n"
                      "\r\n"
                      "HTTP/1.1 200 OK\r\n"
                      "Content-Type: text/plain; charset=utf-8\r\n"
                      "Reply-From: :giCBRH8BAAE=:\r\n"
                      "Content-Length: 4\r\n"
                      "\r\n"
                      "21.5\r\n"
                      "--" B "\r\n"
                      "Content-Type: application/http\r\n"
                      "\r\n"
                      "HTTP/1.1 404 Not Found\r\n"
                      "Content-Length: 0\r\n"
                      "\r\n"
                      "\r\n"
                      "--" B "\r\n"
                      "Content-Type: application/http\r\n"
                      "\r\n"
                      "HTTP/1.1 204 No Content\r\n"
                      "\r\n"
                      "\r\n"
                      "--" B "\r\n"
                      "Content-Type: application/http\r\n"
                      "\r\n"
                      "HTTP/1.1 304 Not Modified\r\n"
                      "ETag: \"01\"\r\n"
                      "\r\n"
                      "\r\n"
                      "--" B "--\r\n");
    cg_buf_fini(&buf);
}

static void headers_cannot_be_forged(void **state) {
    (void)state;
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    for (unsigned c = 0; c < 256; c++) {
        uint8_t value[3] = {'a', (uint8_t)c, 'b'};
        bool printable = c >= 0x20 && c <= 0x7e;
        cg_buf_clear(&buf);
        assert_int_equal(cg_multipart_put_header(&buf, "X", cg_slice_of(value, 3)), printable ? CG_OK : CG_E_FORMAT);
        assert_int_equal(buf.len, printable ? 8 : 0);
    }
    cg_buf_clear(&buf);
    assert_int_equal(cg_multipart_put_header(&buf, "X", cg_slice_str("a\r\nSet-Cookie: b")), CG_E_FORMAT);
    assert_int_equal(buf.len, 0);
    assert_int_equal(cg_multipart_put_header(&buf, "X", CG_SLICE_NONE), CG_OK);
    assert_text(&buf, "X: \r\n");
    cg_buf_fini(&buf);
}

static void bodies_are_written_by_length(void **state) {
    (void)state;
    static const char body[] = "\0\r\n--x\r\nHTTP/1.1 200 OK\r\n\r\n\xff";
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    cg_multipart_end_part(&buf, 200, cg_slice_of(body, sizeof body - 1));
    static const char head[] = "Content-Length: 28\r\n\r\n";
    assert_int_equal(sizeof body - 1, 28);
    assert_int_equal(buf.len, sizeof head - 1 + sizeof body - 1 + 2);
    assert_memory_equal(buf.data, head, sizeof head - 1);
    assert_memory_equal(buf.data + sizeof head - 1, body, sizeof body - 1);
    assert_memory_equal(buf.data + buf.len - 2, "\r\n", 2);
    cg_buf_fini(&buf);
}

static void a_full_buffer_says_so(void **state) {
    (void)state;
    struct cg_buf buf;
    cg_buf_init(&buf, 200);
    for (int i = 0; i < 5; i++) {
        cg_multipart_begin_part(&buf, &boundary, 200, "OK");
        cg_multipart_end_part(&buf, 200, cg_slice_str("x"));
    }
    assert_true(buf.failed);
    assert_true(buf.len <= 200);
    cg_buf_fini(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boundaries),
        cmocka_unit_test(whole_reply),
        cmocka_unit_test(headers_cannot_be_forged),
        cmocka_unit_test(bodies_are_written_by_length),
        cmocka_unit_test(a_full_buffer_says_so),
    };
    return cmocka_run_group_tests_name("wire/multipart", tests, NULL, NULL);
}
