/* The HTTP server over real loopback sockets: what it hands over, how it replies, and how connections end. */
#include "fake_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* ---- What passes ---- */

static void test_replies_and_keeps_the_connection(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    fake_server_connect(f, &client);
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
    fake_client_expect(&client, 200, "hello");
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
    fake_client_expect(&client, 200, "GET /after 0\n");
    fake_client_close(&client);
}

static void test_target_is_raw(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    fake_server_connect(f, &client);
    fake_client_send_text(&client, "GET /a%2Fb%00/../%2e?x=%41&&=+&y#z HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_expect(&client, 200, "GET /a%2Fb%00/../%2e?x=%41&&=+&y#z 0\n");
    fake_client_send_text(&client, "OPTIONS * HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_expect(&client, 200, "OPTIONS * 0\n");
    fake_client_send_text(&client, "GET http://localhost/a HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_expect(&client, 200, "GET http://localhost/a 0\n");
    fake_client_close(&client);
}

static void test_pipelined_requests(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    fake_server_connect(f, &client);
    fake_client_send_text(&client, "GET /1 HTTP/1.1\r\n" LOCAL "\r\nPOST /2 HTTP/1.1\r\n" LOCAL
                                   "Content-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_expect(&client, 200, "GET /1 0\n");
    fake_client_expect(&client, 200, "abc");
    fake_client_expect(&client, 200, "GET /3 0\n");
    fake_client_close(&client);
}

static void test_byte_by_byte(void **state) {
    struct fake_server *f = *state;
    static const char request[] =
        "POST /slow?a=b HTTP/1.1\r\nA:\r\nB: \t c d \r\n" LOCAL "Content-Length: 3\r\n\r\nabc";
    struct fake_client client;
    fake_server_connect(f, &client);
    for (size_t i = 0; i < sizeof request - 1; i++) {
        fake_client_send(&client, request + i, 1);
        uv_run(&f->uv, UV_RUN_NOWAIT);
    }
    fake_client_expect(&client, 200, "abc");
    fake_client_close(&client);
}

static void test_expect_continue(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    int continues = 0;
    fake_server_connect(f, &client);
    fake_client_send_text(&client, "POST /e HTTP/1.1\r\n" LOCAL "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    fake_client_settle(&f->uv);
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
    assert_int_equal(f->requests, 2); /* the handler refuses it */
    fake_client_close(&client);
}

/* ---- Later replies, clients that leave ---- */

static void test_reply_later(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    fake_server_hold(f, &client);
    fake_client_settle(&f->uv);
    fake_client_read(&client);
    assert_int_equal(client.in_len, 0);
    fake_server_reply(f->held[0], 200, "now");
    fake_client_expect(&client, 200, "now");
    fake_client_send_text(&client, "GET /more HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_expect(&client, 200, "GET /more 0\n");
    fake_client_close(&client);
}

static void test_client_leaves_while_waiting(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    fake_server_hold(f, &client);
    fake_client_close(&client);
    fake_client_run_until(&f->uv, fake_server_is_done, f);
    assert_null(f->held[0]);
}

static void test_client_resets_while_waiting(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    fake_server_hold(f, &client);
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none), 0);
    fake_client_close(&client);
    fake_client_run_until(&f->uv, fake_server_is_done, f);
}

/* RFC 9110 §15.6.4: whoever is turned away for now is told when to come back. */
static void test_every_503_says_when_to_come_back(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    for (int err = -1; err >= -(int)CG_ERR_COUNT; err--) {
        fake_server_hold(f, &client);
        struct cg_problem problem = {.err = err};
        cg_http_call_reply_problem(f->held[0], &problem, NULL);
        struct fake_response response = fake_client_response(&client, false, NULL);
        const char *retry = fake_response_field(&response, "Retry-After");
        if (response.status == 503) {
            assert_string_equal(retry, "1");
        } else {
            assert_null(retry);
        }
        fake_response_fini(&response);
        fake_client_close(&client);
        fake_client_settle(&f->uv);
        f->held_count = 0;
    }
}

static void test_problem(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    fake_server_hold(f, &client);
    struct cg_problem problem = {.err = CG_E_METHOD,
                                 .allow = CG_METHODS_SAFE | CG_METHOD_BIT(CG_IPATCH),
                                 .retry_after = 7,
                                 .ask_timeout = true,
                                 .detail = "say \"please\""};
    cg_http_call_reply_problem(f->held[0], &problem, "0123456789abcdef");
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
    f->held_count = 0;
    fake_client_run_until(&f->uv, fake_server_has_held, f);
    problem = (struct cg_problem){.err = CG_E_UNAUTHORIZED};
    cg_http_call_reply_problem(f->held[0], &problem, NULL);
    response = fake_client_response(&client, true, NULL);
    assert_int_equal(response.status, 401);
    assert_string_equal(fake_response_field(&response, "WWW-Authenticate"), "Bearer");
    assert_null(fake_response_field(&response, "Castgate-Exchange"));
    fake_response_fini(&response);
    fake_client_settle(&f->uv);
    fake_client_read(&client);
    assert_int_equal(client.in_len, 0);
    fake_client_close(&client);
}

/* ---- Replies from a queue ---- */

static void check_run(const char *body, char byte, size_t len) {
    for (size_t i = 0; i < len; i++) assert_int_equal(body[i], byte);
}

static void test_queues_with_a_length(void **state) {
    (void)state;
    for (int blocks = 0; blocks <= 3; blocks++) {
        struct fake_server f;
        struct fake_client client;
        struct cg_quota quota = {.max = 10000000};
        fake_server_prepare(&f);
        fake_server_hold(&f, &client);
        struct cg_outq *queue = cg_outq_new(SIZE_MAX, &quota);
        assert_non_null(queue);
        for (int i = 0; i < blocks; i++) fake_server_put(queue, (char)('a' + i), 500000);
        cg_outq_end(queue);
        cg_http_call_reply_queue(f.held[0], &fake_server_queue_head, queue);
        cg_outq_unref(queue);
        struct fake_response response = fake_client_response(&client, false, NULL);
        assert_int_equal(response.status, 200);
        assert_non_null(fake_response_field(&response, "Content-Length"));
        assert_int_equal(response.body_len, 500000 * blocks);
        for (int i = 0; i < blocks; i++) check_run(response.body + 500000 * i, (char)('a' + i), 500000);
        fake_response_fini(&response);
        fake_client_run_until(&f.uv, fake_server_is_done, &f);
        assert_int_equal(quota.used, 0);
        fake_client_close(&client);
        fake_server_tear_down(&f);
    }
}

static void test_streamed_queue(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    struct cg_quota quota = {.max = 10000000};
    fake_server_hold(f, &client);
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, &quota);
    assert_non_null(queue);
    cg_http_call_reply_queue(f->held[0], &fake_server_queue_head, queue);
    for (int i = 0; i < 5; i++) {
        fake_client_settle(&f->uv);
        fake_server_put(queue, (char)('a' + i), 100);
        fake_client_settle(&f->uv);
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
    fake_client_run_until(&f->uv, fake_server_is_done, f);
    fake_client_close(&client);
}

static void test_client_leaves_a_stream(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    fake_server_hold(f, &client);
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, NULL);
    assert_non_null(queue);
    cg_http_call_reply_queue(f->held[0], &fake_server_queue_head, queue);
    fake_client_settle(&f->uv);
    fake_client_close(&client);
    fake_client_run_until(&f->uv, fake_server_is_done, f);
    assert_null(queue->on_change);
    fake_server_put(queue, 'x', 10);
    cg_outq_end(queue);
    cg_outq_unref(queue);
}

/* ---- Starting and stopping ---- */

static void test_stop(void **state) {
    struct fake_server *f = *state;
    struct fake_client idle, waiting;
    fake_server_connect(f, &idle);
    fake_client_send_text(&idle, "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_expect(&idle, 200, NULL);
    fake_server_hold(f, &waiting);
    struct cg_addr addr = *fake_server_addr(f);
    cg_http_server_stop(f->server);
    fake_client_wait_closed(&idle);
    fake_client_settle(&f->uv);
    fake_server_reply(f->held[0], 200, "last");
    struct fake_response response = fake_client_response(&waiting, false, NULL);
    assert_int_equal(response.status, 200);
    assert_string_equal(fake_response_field(&response, "Connection"), "close");
    fake_response_fini(&response);
    fake_client_wait_closed(&waiting);
    fake_client_run_until(&f->uv, fake_server_is_empty, f);
    fake_client_close(&idle);
    fake_client_close(&waiting);

    struct fake_server second; /* the address is free again */
    fake_server_prepare(&second);
    second.listen[0].addr = addr;
    fake_server_open(&second);
    fake_server_tear_down(&second);
}

/* Closing ends what waits, what is being read, what streams and what lingers. */
static void test_close_with_everything_open(void **state) {
    (void)state;
    struct fake_server f;
    struct fake_client waiting, streaming, reading, refused, idle;
    fake_server_prepare(&f);
    fake_server_hold(&f, &streaming);
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, NULL);
    assert_non_null(queue);
    cg_http_call_reply_queue(f.held[0], &fake_server_queue_head, queue);
    fake_server_put(queue, 'x', 10);
    f.held_count = 0;
    fake_server_hold(&f, &waiting);
    fake_server_connect(&f, &reading);
    fake_client_send_text(&reading, "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 5\r\n\r\nab");
    fake_server_connect(&f, &refused);
    fake_client_send_text(&refused, "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 500000\r\n\r\nab");
    fake_server_connect(&f, &idle);
    fake_client_settle(&f.uv);
    assert_int_equal(f.requests, 3); /* one is refused */
    assert_int_equal(cg_http_server_connections(f.server), 5);
    fake_server_tear_down(&f);
    cg_outq_unref(queue);
    fake_client_close(&waiting);
    fake_client_close(&streaming);
    fake_client_close(&reading);
    fake_client_close(&refused);
    fake_client_close(&idle);
}

static void test_address_in_use(void **state) {
    (void)state;
    struct fake_server f, second;
    struct cg_problem problem = {0};
    fake_server_prepare(&f);
    fake_server_prepare(&second);
    second.listen[0].addr = *fake_server_addr(&f);
    assert_null(cg_http_server_open(&second.uv, &second.options, &problem));
    assert_int_equal(problem.err, CG_E_INTERNAL);
    assert_non_null(strstr(problem.detail, "cannot listen on 127.0.0.1:"));
    assert_non_null(strstr(problem.detail, strerror(EADDRINUSE)));
    uv_run(&second.uv, UV_RUN_DEFAULT);
    fake_server_tear_down(&second);
    fake_server_tear_down(&f);
}

static void test_tls_is_not_silently_left_out(void **state) {
    struct fake_server *f = *state;
    struct cg_problem problem = {0};
    f->settings.tls.certificate = "/some/file";
    assert_null(cg_http_server_open(&f->uv, &f->options, &problem));
    assert_non_null(strstr(problem.detail, "TLS"));
    uv_run(&f->uv, UV_RUN_DEFAULT);
}

static void test_two_listeners(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    assert_int_equal(cg_addr_parse(&f->listen[1].addr, cg_slice_str("[::1]:0"), 0), CG_OK);
    f->settings.listen_count = 2;
    f->listen[1].insecure = true;
    assert_int_not_equal(fake_server_addr(f)->port, 0);
    fake_client_open(&client, &f->uv, &cg_http_server_listen(f->server, 1)->addr);
    fake_client_send_text(&client, "GET /later HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_run_until(&f->uv, fake_server_has_held, f);
    assert_true(cg_http_call_listen(f->held[0])->insecure);
    fake_server_reply(f->held[0], 200, "six");
    fake_client_expect(&client, 200, "six");
    fake_client_close(&client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        server_test(test_replies_and_keeps_the_connection),
        server_test(test_target_is_raw),
        server_test(test_pipelined_requests),
        server_test(test_byte_by_byte),
        server_test(test_expect_continue),
        server_test(test_reply_later),
        server_test(test_client_leaves_while_waiting),
        server_test(test_client_resets_while_waiting),
        server_test(test_problem),
        server_test(test_every_503_says_when_to_come_back),
        cmocka_unit_test(test_queues_with_a_length),
        server_test(test_streamed_queue),
        server_test(test_client_leaves_a_stream),
        server_test(test_stop),
        cmocka_unit_test(test_close_with_everything_open),
        cmocka_unit_test(test_address_in_use),
        server_test(test_tls_is_not_silently_left_out),
        server_test(test_two_listeners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
