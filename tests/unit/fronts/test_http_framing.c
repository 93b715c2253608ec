/* Requests whose end is in doubt: nothing behind one is ever taken for a request. */
#include "fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SMUGGLED    "GET /smuggled HTTP/1.1\r\n" LOCAL "\r\n"
#define BYTES(text) text, sizeof(text) - 1

/* Nothing behind a chunked body is read as a request. */
static void test_chunked_body(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    fake_server_connect(f, &client);
    fake_client_send_text(&client,
                          "POST /c HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n"
                          "0\r\nTrailer: x\r\n\r\nGET /smuggled HTTP/1.1\r\n" LOCAL "\r\n");
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 200);
    assert_string_equal(response.body, "abcde");
    assert_string_equal(fake_response_field(&response, "Connection"), "close");
    fake_response_fini(&response);
    fake_client_wait_closed(&client);
    assert_string_equal(f->seen, "POST /c 5\n");
    fake_client_close(&client);
}

/* Each is refused and its connection closed, with or without a word (versions of libmicrohttpd differ), so that nothing
 * behind it is ever taken for a request. */
static void test_ambiguous_requests(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        /* Two lengths */
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL
               "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL
               "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content-Length: 0\r\nContent-Length: 3\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content-Length: 3, 3\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content-Length: +3\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content-Length: -3\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content-Length: 0x3\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content-Length: 3a\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content-Length:\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content-Length: 18446744073709551616\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content-Length: 18446744073709551615\r\n\r\nabc" SMUGGLED)},
        /* Transfer codings */
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: gzip\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: identity\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding:\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: \x0b"
               "chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL
               "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL
               "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.0\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
        /* Names that almost are one */
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content-Length : 3\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content-Length\t: 3\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL " Content-Length: 3\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n Content-Length: 3\r\n" LOCAL "\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content\0-Length: 3\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Content-Length\0: 3\r\n\r\nabc" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "\xc3\xa4: 3\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL ": 3\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "no colon\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\nno colon\r\n" LOCAL "\r\n" SMUGGLED)},
        /* Folded lines */
        {BYTES("GET /x HTTP/1.1\r\n" LOCAL "A: b\r\n c\r\n\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1\r\n" LOCAL "A: b\r\n\tc\r\n\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1\r\n" LOCAL "A: b\r\n \r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
        /* Line ends */
        {BYTES("GET /x HTTP/1.1\n" LOCAL "\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1\r\nHost: localhost\n\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1\r\n" LOCAL "A: b\nC: d\r\n\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1\r\n" LOCAL "A: b\n\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1\r\n" LOCAL "\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1\r\n" LOCAL "A: b\rC: d\r\n\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1\r\n" LOCAL "A: b\r\r\n\r\n" SMUGGLED)},
        /* Bytes that have no place in a head */
        {BYTES("GET /x HTTP/1.1\r\n" LOCAL "A: b\0c\r\n\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1\r\n" LOCAL "A: b\0\r\n\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1\r\n" LOCAL "A: b\x01\r\n\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1\r\n" LOCAL "A: b\x7f\r\n\r\n" SMUGGLED)},
        /* The request line */
        {BYTES("GET /x\0y HTTP/1.1\r\n" LOCAL "\r\n" SMUGGLED)},
        {BYTES("G\0T /x HTTP/1.1\r\n" LOCAL "\r\n" SMUGGLED)},
        {BYTES("GET  /x HTTP/1.1\r\n" LOCAL "\r\n" SMUGGLED)},
        {BYTES("GET /x  HTTP/1.1\r\n" LOCAL "\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1 \r\n" LOCAL "\r\n" SMUGGLED)},
        {BYTES("GET /x y HTTP/1.1\r\n" LOCAL "\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1x\r\n" LOCAL "\r\n" SMUGGLED)},
        {BYTES("GET /x http/1.1\r\n" LOCAL "\r\n" SMUGGLED)},
        {BYTES("GET /x\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/0.9\r\n" LOCAL "\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/2.0\r\n" LOCAL "\r\n" SMUGGLED)},
        {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
        {BYTES("GET\r\n\r\n" SMUGGLED)},
        {BYTES("GET /x HTTP/1.1\r\n\r\n" SMUGGLED)},
        {BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n" SMUGGLED)},
        /* Chunks */
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\nzz\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n-1\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n" SMUGGLED)},
        {BYTES("POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\nabc" SMUGGLED)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fake_server f;
        struct fake_client client;
        fake_server_prepare(&f);
        fake_server_connect(&f, &client);
        fake_client_send(&client, rows[i].bytes, rows[i].len);
        struct fake_response response = fake_client_response(&client, false, NULL);
        bool refused = response.status == 0 || response.status >= 400;
        if (!refused) fail_msg("row %zu, %s: %d, seen: %s", i, rows[i].bytes, response.status, f.seen);
        fake_response_fini(&response);
        fake_client_wait_closed(&client);
        if (f.requests != 0) fail_msg("row %zu, %s, seen: %s", i, rows[i].bytes, f.seen);
        fake_client_close(&client);
        fake_server_tear_down(&f);
    }
}

/* Chunks with bare line feeds pass libmicrohttpd; what follows them must not. */
static void test_odd_chunks_end_the_connection(void **state) {
    (void)state;
    static const char *const rows[] = {
        "3\nabc\n0\n\n", "3\r\nabc\n0\r\n\r\n", "3;a=\nabc\r\n0\r\n\r\n", "0\r\n\r\n", "0003\r\nabc\r\n000\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fake_server f;
        struct fake_client client;
        fake_server_prepare(&f);
        fake_server_connect(&f, &client);
        fake_client_send_text(&client, "POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n");
        fake_client_send_text(&client, rows[i]);
        fake_client_send_text(&client, SMUGGLED);
        fake_client_wait_closed(&client);
        assert_null(strstr(f.seen, "smuggled"));
        fake_client_close(&client);
        fake_server_tear_down(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        server_test(test_chunked_body),
        cmocka_unit_test(test_ambiguous_requests),
        cmocka_unit_test(test_odd_chunks_end_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
