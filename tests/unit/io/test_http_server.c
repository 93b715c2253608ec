/* The HTTP server over real loopback sockets: what it hands over, what it refuses before anybody sees it, and how
 * connections end. */
#include "fake_client.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/http_server.h"

enum { BODY_MAX = 1000, HELD_MAX = 16 };

/* The handler: "/later…" is held until the test replies, "/none" gets 204, everything else its own description. */
struct fixture {
    uv_loop_t uv;
    struct cg_listen listen[2];
    struct cg_http_settings settings;
    struct cg_http_options options;
    struct cg_http_server *server;
    struct cg_http_call *held[HELD_MAX];
    size_t held_count;
    size_t requests, dones;
    char seen[65536]; /* a line for each request: METHOD TARGET BODY-LENGTH */
    bool closed;
};

static void reply_text(struct cg_http_call *call, uint16_t status, const char *text) {
    struct cg_buf body;
    cg_buf_init(&body, 0);
    cg_buf_put_str(&body, text);
    const struct cg_http_header headers[] = {{"X-Test", "yes"}, {"X-Empty", ""}};
    const struct cg_http_head head = {
        .status = status, .content_type = status == 204 ? "" : "text/plain", .headers = headers, .header_count = 2};
    cg_http_call_reply_bytes(call, &head, &body);
}

static void on_request(void *ctx, struct cg_http_call *call) {
    struct fixture *f = ctx;
    const struct cg_http_message *message = cg_http_call_message(call);
    size_t len = strlen(f->seen);
    f->requests++;
    snprintf(f->seen + len, sizeof f->seen - len, "%.*s %.*s %zu\n", (int)message->method.len,
             (const char *)message->method.data, (int)message->target.len, (const char *)message->target.data,
             message->body.len);
    assert_null(cg_http_call_ctx(call));
    cg_http_call_set_ctx(call, f);
    if (message->target.len >= 6 && memcmp(message->target.data, "/later", 6) == 0) {
        assert_true(f->held_count < HELD_MAX);
        f->held[f->held_count++] = call;
    } else if (cg_slice_is(message->target, "/none")) {
        reply_text(call, 204, "");
    } else {
        char body[BODY_MAX + 1];
        snprintf(body, sizeof body, "%.*s", (int)message->body.len, (const char *)message->body.data);
        reply_text(call, 200, message->body.len > 0 ? body : f->seen + len);
    }
}

static void on_done(void *ctx, struct cg_http_call *call) {
    struct fixture *f = ctx;
    assert_ptr_equal(cg_http_call_ctx(call), f);
    f->dones++;
    for (size_t i = 0; i < f->held_count; i++) {
        if (f->held[i] == call) f->held[i] = NULL;
    }
}

static size_t body_max(void *ctx) {
    (void)ctx;
    return BODY_MAX;
}

static const struct cg_http_handler handler = {.request = on_request, .done = on_done, .body_max = body_max};

static void open_server(struct fixture *f) {
    struct cg_problem problem = {0};
    f->server = cg_http_server_open(&f->uv, &f->options, &problem);
    if (f->server == NULL) fail_msg("%s", problem.detail);
}

static void prepare(struct fixture *f) {
    *f = (struct fixture){0};
    assert_int_equal(uv_loop_init(&f->uv), 0);
    assert_int_equal(cg_addr_parse(&f->listen[0].addr, cg_slice_str("127.0.0.1:0"), 0), CG_OK);
    f->settings = (struct cg_http_settings){.listen = f->listen, .listen_count = 1};
    f->options = (struct cg_http_options){.settings = &f->settings, .handler = &handler, .ctx = f, .connections = 100};
}

static void set_up(struct fixture *f) {
    prepare(f);
    open_server(f);
}

static void on_closed(void *ctx) {
    struct fixture *f = ctx;
    f->closed = true;
}

static void tear_down(struct fixture *f) {
    if (f->server != NULL) {
        cg_http_server_close(f->server, on_closed, f);
        uv_run(&f->uv, UV_RUN_DEFAULT);
        assert_true(f->closed);
    }
    assert_int_equal(f->requests, f->dones);
    assert_int_equal(uv_loop_close(&f->uv), 0);
}

static void connect_to(struct fixture *f, struct fake_client *client) {
    fake_client_open(client, &f->uv, &cg_http_server_listen(f->server, 0)->addr);
}

#define LOCAL "Host: localhost\r\n"

static void expect(struct fake_client *client, int status, const char *body) {
    struct fake_response response = fake_client_response(client, false, NULL);
    if (response.status != status) fail_msg("%d: %s%s", response.status, response.head, response.body);
    if (body != NULL) assert_string_equal(response.body, body);
    fake_response_fini(&response);
}

/* ---- What passes ---- */

static void test_replies_and_keeps_the_connection(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up(&f);
    connect_to(&f, &client);
    fake_client_send_text(&client, "GET /a HTTP/1.1\r\n" LOCAL "\r\n");
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 200);
    assert_string_equal(response.body, "GET /a 0\n");
    assert_string_equal(fake_response_field(&response, "Content-Type"), "text/plain");
    assert_string_equal(fake_response_field(&response, "Cache-Control"), "no-store");
    assert_string_equal(fake_response_field(&response, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(fake_response_field(&response, "X-Test"), "yes");
    assert_null(fake_response_field(&response, "X-Empty"));
    assert_null(fake_response_field(&response, "Connection"));
    assert_null(strstr(response.head, "Access-Control"));
    fake_response_fini(&response);
    fake_client_send_text(&client, "POST /b HTTP/1.1\r\n" LOCAL "Content-Length: 5\r\n\r\nhello");
    expect(&client, 200, "hello");
    fake_client_send_text(&client, "DELETE /none HTTP/1.1\r\n" LOCAL "\r\n");
    response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 204);
    assert_null(fake_response_field(&response, "Content-Length"));
    fake_response_fini(&response);
    fake_client_send_text(&client, "HEAD /a HTTP/1.1\r\n" LOCAL "\r\nGET /after HTTP/1.1\r\n" LOCAL "\r\n");
    response = fake_client_response(&client, true, NULL);
    assert_int_equal(response.status, 200);
    assert_string_equal(fake_response_field(&response, "Content-Length"), "10");
    fake_response_fini(&response);
    expect(&client, 200, "GET /after 0\n");
    fake_client_close(&client);
    tear_down(&f);
}

static void test_target_is_raw(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up(&f);
    connect_to(&f, &client);
    fake_client_send_text(&client, "GET /a%2Fb%00/../%2e?x=%41&&=+&y#z HTTP/1.1\r\n" LOCAL "\r\n");
    expect(&client, 200, "GET /a%2Fb%00/../%2e?x=%41&&=+&y#z 0\n");
    fake_client_send_text(&client, "OPTIONS * HTTP/1.1\r\n" LOCAL "\r\n");
    expect(&client, 200, "OPTIONS * 0\n");
    fake_client_send_text(&client, "GET http://localhost/a HTTP/1.1\r\n" LOCAL "\r\n");
    expect(&client, 200, "GET http://localhost/a 0\n");
    fake_client_close(&client);
    tear_down(&f);
}

static void test_pipelined_requests(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up(&f);
    connect_to(&f, &client);
    fake_client_send_text(&client, "GET /1 HTTP/1.1\r\n" LOCAL "\r\nPOST /2 HTTP/1.1\r\n" LOCAL
                                   "Content-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\n" LOCAL "\r\n");
    expect(&client, 200, "GET /1 0\n");
    expect(&client, 200, "abc");
    expect(&client, 200, "GET /3 0\n");
    fake_client_close(&client);
    tear_down(&f);
}

static void test_byte_by_byte(void **state) {
    (void)state;
    static const char request[] =
        "POST /slow?a=b HTTP/1.1\r\nA:\r\nB: \t c d \r\n" LOCAL "Content-Length: 3\r\n\r\nabc";
    struct fixture f;
    struct fake_client client;
    set_up(&f);
    connect_to(&f, &client);
    for (size_t i = 0; i < sizeof request - 1; i++) {
        fake_client_send(&client, request + i, 1);
        uv_run(&f.uv, UV_RUN_NOWAIT);
    }
    expect(&client, 200, "abc");
    fake_client_close(&client);
    tear_down(&f);
}

/* Nothing behind a chunked body is read as a request. */
static void test_chunked_body(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up(&f);
    connect_to(&f, &client);
    fake_client_send_text(&client,
                          "POST /c HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n"
                          "0\r\nTrailer: x\r\n\r\nGET /smuggled HTTP/1.1\r\n" LOCAL "\r\n");
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 200);
    assert_string_equal(response.body, "abcde");
    assert_string_equal(fake_response_field(&response, "Connection"), "close");
    fake_response_fini(&response);
    fake_client_wait_closed(&client);
    assert_string_equal(f.seen, "POST /c 5\n");
    fake_client_close(&client);
    tear_down(&f);
}

static void test_expect_continue(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    int continues = 0;
    set_up(&f);
    connect_to(&f, &client);
    fake_client_send_text(&client, "POST /e HTTP/1.1\r\n" LOCAL "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    fake_client_settle(&f.uv);
    fake_client_send_text(&client, "abc");
    struct fake_response response = fake_client_response(&client, false, &continues);
    assert_int_equal(response.status, 200);
    assert_int_equal(continues, 1);
    fake_response_fini(&response);
    fake_client_send_text(&client, "POST /e HTTP/1.1\r\n" LOCAL "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
    response = fake_client_response(&client, false, &continues);
    assert_int_equal(response.status, 413);
    assert_int_equal(continues, 1);
    fake_response_fini(&response);
    fake_client_wait_closed(&client);
    assert_int_equal(f.requests, 1);
    fake_client_close(&client);
    tear_down(&f);
}

/* ---- What is refused ---- */

static void test_large_bodies(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up(&f);
    char *bytes = malloc(5000000);
    assert_non_null(bytes);
    memset(bytes, 'x', 5000000);

    connect_to(&f, &client);
    fake_client_send_text(&client, "POST /b HTTP/1.1\r\n" LOCAL "Content-Length: 1000\r\n\r\n");
    fake_client_send(&client, bytes, 1000);
    expect(&client, 200, NULL);

    /* The whole of it is sent before the reply is read: the reply must still be there. */
    fake_client_send_text(&client, "POST /b HTTP/1.1\r\n" LOCAL "Content-Length: 5000000\r\n\r\n");
    fake_client_send(&client, bytes, 5000000);
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 413);
    assert_string_equal(fake_response_field(&response, "Content-Type"), "application/problem+json");
    assert_non_null(strstr(response.body, "\"type\":\"urn:castgate:problem:too-large\""));
    fake_response_fini(&response);
    fake_client_wait_closed(&client);
    assert_false(client.reset);
    fake_client_close(&client);

    connect_to(&f, &client);
    fake_client_send_text(&client, "POST /b HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n7d0\r\n");
    fake_client_send(&client, bytes, 2000);
    fake_client_send_text(&client, "\r\n0\r\n\r\n");
    expect(&client, 413, NULL);
    fake_client_close(&client);

    connect_to(&f, &client);
    fake_client_send_text(&client, "POST /b HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\nffffff\r\n");
    fake_client_send(&client, bytes, 5000000);
    fake_client_wait_closed(&client);
    fake_client_close(&client);

    assert_int_equal(f.requests, 1);
    free(bytes);
    tear_down(&f);
}

static void test_large_heads(void **state) {
    (void)state;
    static const struct {
        const char *before, *after;
        size_t fill;
        int status;
    } rows[] = {
        {"GET / HTTP/1.1\r\n" LOCAL "X: ", "\r\n\r\n", 16000, 200},
        {"GET / HTTP/1.1\r\n" LOCAL "X: ", "\r\n\r\n", 16384, 431},
        {"GET / HTTP/1.1\r\n" LOCAL "X: ", "\r\n\r\n", 1000000, 431},
        {"GET /", " HTTP/1.1\r\n" LOCAL "\r\n", 16000, 200},
        {"GET /", " HTTP/1.1\r\n" LOCAL "\r\n", 20000, 431},
        {"GET /", " HTTP/1.1\r\n" LOCAL "\r\n", 1000000, 414},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        struct fake_client client;
        set_up(&f);
        char *fill = malloc(rows[i].fill);
        assert_non_null(fill);
        memset(fill, 'a', rows[i].fill);
        connect_to(&f, &client);
        fake_client_send_text(&client, rows[i].before);
        fake_client_send(&client, fill, rows[i].fill);
        fake_client_send_text(&client, rows[i].after);
        expect(&client, rows[i].status, NULL);
        assert_int_equal(f.requests, rows[i].status == 200 ? 1 : 0);
        free(fill);
        fake_client_close(&client);
        tear_down(&f);
    }
}

static void test_many_fields(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up(&f);
    connect_to(&f, &client);
    fake_client_send_text(&client, "GET / HTTP/1.1\r\n" LOCAL);
    for (int i = 0; i < 5000; i++) fake_client_send_text(&client, "a:b\r\n");
    fake_client_send_text(&client, "\r\n");
    expect(&client, 431, NULL);
    assert_int_equal(f.requests, 0);
    fake_client_close(&client);
    tear_down(&f);
}

#define SMUGGLED    "GET /smuggled HTTP/1.1\r\n" LOCAL "\r\n"
#define BYTES(text) text, sizeof(text) - 1

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
        struct fixture f;
        struct fake_client client;
        set_up(&f);
        connect_to(&f, &client);
        fake_client_send(&client, rows[i].bytes, rows[i].len);
        struct fake_response response = fake_client_response(&client, false, NULL);
        bool refused = response.status == 0 || response.status >= 400;
        if (!refused) fail_msg("row %zu, %s: %d, seen: %s", i, rows[i].bytes, response.status, f.seen);
        fake_response_fini(&response);
        fake_client_wait_closed(&client);
        if (f.requests != 0) fail_msg("row %zu, %s, seen: %s", i, rows[i].bytes, f.seen);
        fake_client_close(&client);
        tear_down(&f);
    }
}

/* Chunks with bare line feeds pass libmicrohttpd; what follows them must not. */
static void test_odd_chunks_end_the_connection(void **state) {
    (void)state;
    static const char *const rows[] = {
        "3\nabc\n0\n\n", "3\r\nabc\n0\r\n\r\n", "3;a=\nabc\r\n0\r\n\r\n", "0\r\n\r\n", "0003\r\nabc\r\n000\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        struct fake_client client;
        set_up(&f);
        connect_to(&f, &client);
        fake_client_send_text(&client, "POST /x HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n");
        fake_client_send_text(&client, rows[i]);
        fake_client_send_text(&client, SMUGGLED);
        fake_client_wait_closed(&client);
        assert_null(strstr(f.seen, "smuggled"));
        fake_client_close(&client);
        tear_down(&f);
    }
}

/* ---- Later replies, clients that leave ---- */

static bool has_held(void *ctx) { return ((struct fixture *)ctx)->held_count > 0; }

static bool are_all_done(void *ctx) {
    struct fixture *f = ctx;
    return f->requests == f->dones;
}

static void hold(struct fixture *f, struct fake_client *client) {
    connect_to(f, client);
    fake_client_send_text(client, "GET /later HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_run_until(&f->uv, has_held, f);
}

static void test_reply_later(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up(&f);
    hold(&f, &client);
    fake_client_settle(&f.uv);
    fake_client_read(&client);
    assert_int_equal(client.in_len, 0);
    reply_text(f.held[0], 200, "now");
    expect(&client, 200, "now");
    fake_client_send_text(&client, "GET /more HTTP/1.1\r\n" LOCAL "\r\n");
    expect(&client, 200, "GET /more 0\n");
    fake_client_close(&client);
    tear_down(&f);
}

static void test_client_leaves_while_waiting(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up(&f);
    hold(&f, &client);
    fake_client_close(&client);
    fake_client_run_until(&f.uv, are_all_done, &f);
    assert_null(f.held[0]);
    tear_down(&f);
}

static void test_client_resets_while_waiting(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up(&f);
    hold(&f, &client);
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none), 0);
    fake_client_close(&client);
    fake_client_run_until(&f.uv, are_all_done, &f);
    tear_down(&f);
}

static void test_problem(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up(&f);
    hold(&f, &client);
    struct cg_problem problem = {.err = CG_E_METHOD,
                                 .allow = CG_METHODS_SAFE | CG_METHOD_BIT(CG_IPATCH),
                                 .retry_after = 7,
                                 .ask_timeout = true,
                                 .detail = "say \"please\""};
    cg_http_call_reply_problem(f.held[0], &problem, "0123456789abcdef");
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 405);
    assert_string_equal(response.body, "{\"type\":\"urn:castgate:problem:method-not-allowed\",\"status\":405,"
                                       "\"title\":\"method not allowed\",\"detail\":\"say \\\"please\\\"\","
                                       "\"exchange\":\"0123456789abcdef\"}\n");
    assert_string_equal(fake_response_field(&response, "Allow"), "GET, HEAD, PATCH");
    assert_string_equal(fake_response_field(&response, "Retry-After"), "7");
    assert_string_equal(fake_response_field(&response, "Multicast-Timeout"), "0");
    assert_string_equal(fake_response_field(&response, "Castgate-Exchange"), "0123456789abcdef");
    assert_null(fake_response_field(&response, "WWW-Authenticate"));
    fake_response_fini(&response);
    fake_client_send_text(&client, "HEAD /later HTTP/1.1\r\n" LOCAL "\r\n");
    f.held_count = 0;
    fake_client_run_until(&f.uv, has_held, &f);
    problem = (struct cg_problem){.err = CG_E_UNAUTHORIZED};
    cg_http_call_reply_problem(f.held[0], &problem, NULL);
    response = fake_client_response(&client, true, NULL);
    assert_int_equal(response.status, 401);
    assert_string_equal(fake_response_field(&response, "WWW-Authenticate"), "Bearer");
    assert_null(fake_response_field(&response, "Castgate-Exchange"));
    fake_response_fini(&response);
    fake_client_settle(&f.uv);
    fake_client_read(&client);
    assert_int_equal(client.in_len, 0);
    fake_client_close(&client);
    tear_down(&f);
}

/* ---- Replies from a queue ---- */

static void put(struct cg_outq *queue, char byte, size_t len) {
    struct cg_buf bytes;
    cg_buf_init(&bytes, 0);
    uint8_t *room = cg_buf_reserve(&bytes, len);
    assert_non_null(room);
    memset(room, byte, len);
    bytes.len = len;
    assert_int_equal(cg_outq_put(queue, &bytes), CG_OK);
    cg_buf_fini(&bytes);
}

static const struct cg_http_head queue_head = {.status = 200, .content_type = "text/plain"};

static void check_run(const char *body, char byte, size_t len) {
    for (size_t i = 0; i < len; i++) assert_int_equal(body[i], byte);
}

static void test_queues_with_a_length(void **state) {
    (void)state;
    for (int blocks = 0; blocks <= 3; blocks++) {
        struct fixture f;
        struct fake_client client;
        struct cg_quota quota = {.max = 10000000};
        set_up(&f);
        hold(&f, &client);
        struct cg_outq *queue = cg_outq_new(SIZE_MAX, &quota);
        assert_non_null(queue);
        for (int i = 0; i < blocks; i++) put(queue, (char)('a' + i), 500000);
        cg_outq_end(queue);
        cg_http_call_reply_queue(f.held[0], &queue_head, queue);
        cg_outq_unref(queue);
        struct fake_response response = fake_client_response(&client, false, NULL);
        assert_int_equal(response.status, 200);
        assert_non_null(fake_response_field(&response, "Content-Length"));
        assert_int_equal(response.body_len, 500000 * blocks);
        for (int i = 0; i < blocks; i++) check_run(response.body + 500000 * i, (char)('a' + i), 500000);
        fake_response_fini(&response);
        fake_client_run_until(&f.uv, are_all_done, &f);
        assert_int_equal(quota.used, 0);
        fake_client_close(&client);
        tear_down(&f);
    }
}

static void test_streamed_queue(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    struct cg_quota quota = {.max = 10000000};
    set_up(&f);
    hold(&f, &client);
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, &quota);
    assert_non_null(queue);
    cg_http_call_reply_queue(f.held[0], &queue_head, queue);
    for (int i = 0; i < 5; i++) {
        fake_client_settle(&f.uv);
        put(queue, (char)('a' + i), 100);
        fake_client_settle(&f.uv);
        fake_client_read(&client);
        assert_non_null(memchr(client.in, 'a' + i, client.in_len)); /* it does not wait for more */
        assert_int_equal(quota.used, 0);
    }
    cg_outq_end(queue);
    cg_outq_unref(queue);
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 200);
    assert_string_equal(fake_response_field(&response, "Transfer-Encoding"), "chunked");
    assert_int_equal(response.body_len, 500);
    for (int i = 0; i < 5; i++) check_run(response.body + 100 * i, (char)('a' + i), 100);
    fake_response_fini(&response);
    fake_client_run_until(&f.uv, are_all_done, &f);
    fake_client_close(&client);
    tear_down(&f);
}

static void test_client_leaves_a_stream(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up(&f);
    hold(&f, &client);
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, NULL);
    assert_non_null(queue);
    cg_http_call_reply_queue(f.held[0], &queue_head, queue);
    fake_client_settle(&f.uv);
    fake_client_close(&client);
    fake_client_run_until(&f.uv, are_all_done, &f);
    assert_null(queue->on_change);
    put(queue, 'x', 10);
    cg_outq_end(queue);
    cg_outq_unref(queue);
    tear_down(&f);
}

/* ---- Patience ---- */

static void set_up_impatient(struct fixture *f) {
    prepare(f);
    f->options.patience_us = 50000;
    open_server(f);
}

static void test_patience(void **state) {
    (void)state;
    static const char *const sent[] = {"", "GET / HT", "GET / HTTP/1.1\r\nHost: l",
                                       "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 5\r\n\r\nab"};
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
        struct fixture f;
        struct fake_client client;
        set_up_impatient(&f);
        connect_to(&f, &client);
        fake_client_send_text(&client, sent[i]);
        fake_client_wait_closed(&client);
        assert_int_equal(f.requests, 0);
        assert_int_equal(client.in_len, 0);
        fake_client_close(&client);
        tear_down(&f);
    }
}

static void test_idle_connection_is_closed(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up_impatient(&f);
    connect_to(&f, &client);
    fake_client_send_text(&client, "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    expect(&client, 200, NULL);
    fake_client_wait_closed(&client);
    fake_client_close(&client);
    tear_down(&f);
}

/* A client that trickles is no better than one that is silent. */
static void test_trickling_client_is_closed(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up_impatient(&f);
    connect_to(&f, &client);
    fake_client_send_text(&client, "GET / HTTP/1.1\r\n");
    while (!client.closed) {
        fake_client_send_text(&client, "a: b\r\n");
        fake_client_settle(&f.uv);
        fake_client_read(&client);
    }
    assert_int_equal(f.requests, 0);
    fake_client_close(&client);
    tear_down(&f);
}

static void test_waiting_is_not_limited(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up_impatient(&f);
    hold(&f, &client);
    for (int i = 0; i < 12; i++) fake_client_settle(&f.uv); /* more than twice the patience */
    reply_text(f.held[0], 200, "at last");
    expect(&client, 200, "at last");
    fake_client_close(&client);
    tear_down(&f);
}

/* A reply that nobody takes holds neither its connection nor its memory for ever. */
static void test_reply_must_drain(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    struct cg_quota quota = {.max = 100000000};
    set_up_impatient(&f);
    hold(&f, &client);
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, &quota);
    assert_non_null(queue);
    put(queue, 'x', 20000000);
    cg_outq_end(queue);
    cg_http_call_reply_queue(f.held[0], &queue_head, queue);
    cg_outq_unref(queue);
    fake_client_run_until(&f.uv, are_all_done, &f);
    assert_int_equal(quota.used, 0);
    fake_client_close(&client);
    tear_down(&f);
}

/* ---- Limits ---- */

static bool has_no_connections(void *ctx) { return cg_http_server_connections(((struct fixture *)ctx)->server) == 0; }

static void test_connection_limit(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client clients[3];
    prepare(&f);
    f.options.connections = 2;
    open_server(&f);
    for (int i = 0; i < 3; i++) {
        connect_to(&f, &clients[i]);
        fake_client_send_text(&clients[i], "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    }
    expect(&clients[0], 200, NULL);
    expect(&clients[1], 200, NULL);
    fake_client_settle(&f.uv);
    assert_int_equal(f.requests, 2);
    assert_int_equal(cg_http_server_connections(f.server), 2);
    fake_client_close(&clients[0]);
    expect(&clients[2], 200, NULL);
    fake_client_close(&clients[1]);
    fake_client_close(&clients[2]);
    fake_client_run_until(&f.uv, has_no_connections, &f);
    tear_down(&f);
}

static void test_no_descriptors_left(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    struct rlimit before, none;
    set_up(&f);
    connect_to(&f, &client);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = fcntl(0, F_DUPFD, 0);
    assert_true(next >= 0);
    close(next);
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    fake_client_send_text(&client, "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_settle(&f.uv);
    assert_int_equal(f.requests, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    expect(&client, 200, NULL);
    fake_client_close(&client);
    tear_down(&f);
}

/* ---- Starting and stopping ---- */

static void test_stop(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client idle, waiting;
    set_up(&f);
    connect_to(&f, &idle);
    fake_client_send_text(&idle, "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    expect(&idle, 200, NULL);
    hold(&f, &waiting);
    struct cg_addr addr = cg_http_server_listen(f.server, 0)->addr;
    cg_http_server_stop(f.server);
    fake_client_wait_closed(&idle);
    fake_client_settle(&f.uv);
    reply_text(f.held[0], 200, "last");
    struct fake_response response = fake_client_response(&waiting, false, NULL);
    assert_int_equal(response.status, 200);
    assert_string_equal(fake_response_field(&response, "Connection"), "close");
    fake_response_fini(&response);
    fake_client_wait_closed(&waiting);
    fake_client_run_until(&f.uv, has_no_connections, &f);
    fake_client_close(&idle);
    fake_client_close(&waiting);

    struct fixture second; /* the address is free again */
    prepare(&second);
    second.listen[0].addr = addr;
    open_server(&second);
    tear_down(&second);
    tear_down(&f);
}

/* Closing ends what waits, what is being read, what streams and what lingers. */
static void test_close_with_everything_open(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client waiting, streaming, reading, refused, idle;
    set_up(&f);
    hold(&f, &streaming);
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, NULL);
    assert_non_null(queue);
    cg_http_call_reply_queue(f.held[0], &queue_head, queue);
    put(queue, 'x', 10);
    f.held_count = 0;
    hold(&f, &waiting);
    connect_to(&f, &reading);
    fake_client_send_text(&reading, "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 5\r\n\r\nab");
    connect_to(&f, &refused);
    fake_client_send_text(&refused, "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 500000\r\n\r\nab");
    connect_to(&f, &idle);
    fake_client_settle(&f.uv);
    assert_int_equal(f.requests, 2);
    assert_int_equal(cg_http_server_connections(f.server), 5);
    tear_down(&f);
    cg_outq_unref(queue);
    fake_client_close(&waiting);
    fake_client_close(&streaming);
    fake_client_close(&reading);
    fake_client_close(&refused);
    fake_client_close(&idle);
}

static void test_address_in_use(void **state) {
    (void)state;
    struct fixture f, second;
    struct cg_problem problem = {0};
    set_up(&f);
    prepare(&second);
    second.listen[0].addr = cg_http_server_listen(f.server, 0)->addr;
    assert_null(cg_http_server_open(&second.uv, &second.options, &problem));
    assert_int_equal(problem.err, CG_E_INTERNAL);
    assert_non_null(strstr(problem.detail, "cannot listen on 127.0.0.1:"));
    assert_non_null(strstr(problem.detail, strerror(EADDRINUSE)));
    uv_run(&second.uv, UV_RUN_DEFAULT);
    tear_down(&second);
    tear_down(&f);
}

static void test_tls_is_not_silently_left_out(void **state) {
    (void)state;
    struct fixture f;
    struct cg_problem problem = {0};
    prepare(&f);
    f.settings.tls.certificate = "/some/file";
    assert_null(cg_http_server_open(&f.uv, &f.options, &problem));
    assert_non_null(strstr(problem.detail, "TLS"));
    uv_run(&f.uv, UV_RUN_DEFAULT);
    tear_down(&f);
}

static void test_two_listeners(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    prepare(&f);
    assert_int_equal(cg_addr_parse(&f.listen[1].addr, cg_slice_str("[::1]:0"), 0), CG_OK);
    f.settings.listen_count = 2;
    f.listen[1].insecure = true;
    open_server(&f);
    assert_int_not_equal(cg_http_server_listen(f.server, 0)->addr.port, 0);
    fake_client_open(&client, &f.uv, &cg_http_server_listen(f.server, 1)->addr);
    fake_client_send_text(&client, "GET /later HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_run_until(&f.uv, has_held, &f);
    assert_true(cg_http_call_listen(f.held[0])->insecure);
    reply_text(f.held[0], 200, "six");
    expect(&client, 200, "six");
    fake_client_close(&client);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies_and_keeps_the_connection),
        cmocka_unit_test(test_target_is_raw),
        cmocka_unit_test(test_pipelined_requests),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_chunked_body),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_large_heads),
        cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_ambiguous_requests),
        cmocka_unit_test(test_odd_chunks_end_the_connection),
        cmocka_unit_test(test_reply_later),
        cmocka_unit_test(test_client_leaves_while_waiting),
        cmocka_unit_test(test_client_resets_while_waiting),
        cmocka_unit_test(test_problem),
        cmocka_unit_test(test_queues_with_a_length),
        cmocka_unit_test(test_streamed_queue),
        cmocka_unit_test(test_client_leaves_a_stream),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_idle_connection_is_closed),
        cmocka_unit_test(test_trickling_client_is_closed),
        cmocka_unit_test(test_waiting_is_not_limited),
        cmocka_unit_test(test_reply_must_drain),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_no_descriptors_left),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_close_with_everything_open),
        cmocka_unit_test(test_address_in_use),
        cmocka_unit_test(test_tls_is_not_silently_left_out),
        cmocka_unit_test(test_two_listeners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
