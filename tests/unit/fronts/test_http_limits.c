/* What the HTTP server does with clients that send too much, too slowly, or come too many at once. */
#include "fake_server.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Sizes ---- */

static void test_large_bodies(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    char *bytes = malloc(5000000);
    assert_non_null(bytes);
    memset(bytes, 'x', 5000000);

    fake_server_connect(f, &client);
    fake_client_send_text(&client, "POST /b HTTP/1.1\r\n" LOCAL "Content-Length: 1000\r\n\r\n");
    fake_client_send(&client, bytes, 1000);
    fake_client_expect(&client, 200, NULL);

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

    fake_server_connect(f, &client);
    fake_client_send_text(&client, "POST /b HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n7d0\r\n");
    fake_client_send(&client, bytes, 2000);
    fake_client_send_text(&client, "\r\n0\r\n\r\n");
    fake_client_expect(&client, 413, NULL);
    fake_client_close(&client);

    fake_server_connect(f, &client);
    fake_client_send_text(&client, "POST /b HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\nffffff\r\n");
    fake_client_send(&client, bytes, 5000000);
    fake_client_wait_closed(&client);
    fake_client_close(&client);

    assert_int_equal(f->requests, 3); /* two are refused */
    free(bytes);
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
        struct fake_server f;
        struct fake_client client;
        fake_server_prepare(&f);
        char *fill = malloc(rows[i].fill);
        assert_non_null(fill);
        memset(fill, 'a', rows[i].fill);
        fake_server_connect(&f, &client);
        fake_client_send_text(&client, rows[i].before);
        fake_client_send(&client, fill, rows[i].fill);
        fake_client_send_text(&client, rows[i].after);
        fake_client_expect(&client, rows[i].status, NULL);
        assert_int_equal(f.requests, rows[i].status == 200 ? 1 : 0);
        free(fill);
        fake_client_close(&client);
        fake_server_tear_down(&f);
    }
}

/* Request line and fields with all line ends: 16384 bytes and not one more. */
static void test_the_largest_head(void **state) {
    (void)state;
    static const char before[] = "GET / HTTP/1.1\r\n" LOCAL "X: ", after[] = "\r\n\r\n";
    for (size_t more = 0; more < 2; more++) {
        struct fake_server f;
        struct fake_client client;
        char fill[16384];
        fake_server_prepare(&f);
        memset(fill, 'a', sizeof fill);
        fake_server_connect(&f, &client);
        fake_client_send_text(&client, before);
        fake_client_send(&client, fill, 16384 - strlen(before) - strlen(after) + more);
        fake_client_send_text(&client, after);
        fake_client_expect(&client, more == 0 ? 200 : 431, NULL);
        fake_client_close(&client);
        fake_server_tear_down(&f);
    }
}

static void test_many_fields(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    fake_server_connect(f, &client);
    fake_client_send_text(&client, "GET / HTTP/1.1\r\n" LOCAL);
    for (int i = 0; i < 5000; i++) fake_client_send_text(&client, "a:b\r\n");
    fake_client_send_text(&client, "\r\n");
    fake_client_expect(&client, 431, NULL);
    assert_int_equal(f->requests, 0);
    fake_client_close(&client);
}

/* ---- Patience ---- */

static void be_impatient(struct fake_server *f) { f->options.patience_us = 50000; }

static void test_patience(void **state) {
    (void)state;
    static const char *const sent[] = {"", "GET / HT", "GET / HTTP/1.1\r\nHost: l",
                                       "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 5\r\n\r\nab"};
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
        struct fake_server f;
        struct fake_client client;
        fake_server_prepare(&f);
        be_impatient(&f);
        fake_server_connect(&f, &client);
        fake_client_send_text(&client, sent[i]);
        fake_client_wait_closed(&client);
        assert_int_equal(f.requests, 0);
        assert_int_equal(client.in_len, 0);
        fake_client_close(&client);
        fake_server_tear_down(&f);
    }
}

static void test_idle_connection_is_closed(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    be_impatient(f);
    fake_server_connect(f, &client);
    fake_client_send_text(&client, "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_expect(&client, 200, NULL);
    fake_client_wait_closed(&client);
    fake_client_close(&client);
}

/* A client that trickles is no better than one that is silent. */
static void test_trickling_client_is_closed(void **state) {
    (void)state;
    static const struct {
        const char *begin, *more;
    } rows[] = {
        {"GET / HTTP/1.1\r\n", "a: b\r\n"},
        {"POST / HTTP/1.1\r\n" LOCAL "Content-Length: 1000\r\n\r\n", "x"},
        {"POST / HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fake_server f;
        struct fake_client client;
        fake_server_prepare(&f);
        be_impatient(&f);
        fake_server_connect(&f, &client);
        fake_client_send_text(&client, rows[i].begin);
        for (int pieces = 0; !client.closed; pieces++) {
            assert_true(pieces < 500);
            fake_client_send_text(&client, rows[i].more);
            fake_client_settle(&f.uv);
            fake_client_read(&client);
        }
        assert_int_equal(f.requests, 0);
        fake_client_close(&client);
        fake_server_tear_down(&f);
    }
}

static void run_for(struct fake_server *f, uint64_t ms) {
    uint64_t end = uv_hrtime() + ms * 1000000;
    while (uv_hrtime() < end) fake_client_settle(&f->uv);
}

/* Silence is patiently borne, a head that has begun is not: neither the first of a connection nor a later one. */
static void test_a_head_has_less_time_than_silence(void **state) {
    struct fake_server *f = *state;
    struct fake_client silent, begun, later;
    f->options.head_patience_us = 100000;
    fake_server_connect(f, &silent);
    fake_server_connect(f, &later);
    fake_client_send_text(&later, "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_expect(&later, 200, NULL);
    fake_server_connect(f, &begun);
    fake_client_send_text(&begun, "G");
    fake_client_wait_closed(&begun);
    for (int i = 0; i < 20; i++) fake_client_settle(&f->uv); /* about twice its time */
    fake_client_read(&later);
    assert_false(later.closed);
    fake_client_send_text(&later, "GET / HTTP/1.1\r\nA");
    fake_client_wait_closed(&later);
    fake_client_send_text(&silent, "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_expect(&silent, 200, NULL);
    fake_client_send_text(&silent, "G"); /* and now it has begun */
    fake_client_wait_closed(&silent);
    fake_client_close(&silent);
    fake_client_close(&begun);
    fake_client_close(&later);
}

static void test_a_body_has_more_time_than_a_head(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    f->options.head_patience_us = 100000;
    fake_server_connect(f, &client);
    fake_client_send_text(&client, "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 4\r\n\r\nab");
    run_for(f, 300);
    fake_client_send_text(&client, "cd");
    fake_client_expect(&client, 200, "abcd");
    fake_client_close(&client);
}

/* Neither a byte nor the end of the request line makes a head's time begin again. */
static void test_a_dribbled_head_is_closed(void **state) {
    struct fake_server *f = *state;
    static const char head[] = "GET / HTTP/1.1\r\nA: bbbbbbbbbbbbbbbbbbbb";
    struct fake_client client;
    f->options.head_patience_us = 300000;
    fake_server_connect(f, &client);
    uint64_t start = uv_hrtime();
    size_t sent = 0;
    for (; !client.closed; sent++) {
        assert_true(sent < sizeof head - 1);
        fake_client_send(&client, head + sent, 1);
        fake_client_settle(&f->uv); /* 10 ms at least: the whole head would take 37 times that */
        fake_client_read(&client);
    }
    assert_true(uv_hrtime() - start >= 250000000);
    assert_int_equal(f->requests, 0);
    fake_client_close(&client);
}

static void reply_at_length(struct fake_server *f, struct fake_client *client, struct cg_quota *quota) {
    fake_server_hold(f, client);
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, quota);
    assert_non_null(queue);
    fake_server_put(queue, 'x', 4000000);
    cg_outq_end(queue);
    cg_http_call_reply_queue(f->held[0], &fake_server_queue_head, queue);
    cg_outq_unref(queue);
}

static int take_status(struct fake_client *client) {
    struct fake_response response = fake_client_response(client, false, NULL);
    int status = response.status;
    fake_response_fini(&response);
    return status;
}

/* False: the machine was too slow for such a patience, and nothing can be told. */
static bool idle_time_begins_with_the_end(uint64_t patience_us) {
    struct fake_server f;
    struct fake_client client;
    struct cg_quota quota = {.max = 100000000};
    fake_server_prepare(&f);
    f.options.patience_us = patience_us;
    uint64_t start = uv_hrtime();
    reply_at_length(&f, &client, &quota);
    run_for(&f, patience_us * 5 / 10000);
    uint64_t takes = uv_hrtime();
    int first = take_status(&client);
    uint64_t taken = uv_hrtime();
    run_for(&f, patience_us * 7 / 10000); /* more than the patience after the reply was made, less after it was taken */
    fake_client_send_text(&client, "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    int second = take_status(&client);
    bool in_time = taken - start < patience_us * 1000 && uv_hrtime() - takes < patience_us * 1000;
    if (in_time) {
        assert_int_equal(first, 200);
        assert_int_equal(second, 200);
    }
    fake_client_wait_closed(&client);
    fake_client_close(&client);
    fake_server_tear_down(&f);
    return in_time;
}

/* The time between requests begins when the reply has been taken, not when it was made, and has an end. */
static void test_idle_time_begins_with_the_end_of_the_reply(void **state) {
    (void)state;
    uint64_t patience_us = 1000000;
    while (!idle_time_begins_with_the_end(patience_us)) patience_us *= 2;
}

static void test_waiting_is_not_limited(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    be_impatient(f);
    fake_server_hold(f, &client);
    for (int i = 0; i < 12; i++) fake_client_settle(&f->uv); /* more than twice the patience */
    fake_server_reply(f->held[0], 200, "at last");
    fake_client_expect(&client, 200, "at last");
    fake_client_close(&client);
}

/* A reply that nobody takes holds neither its connection nor its memory for ever. */
static void test_reply_must_drain(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    struct cg_quota quota = {.max = 100000000};
    be_impatient(f);
    fake_server_hold(f, &client);
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, &quota);
    assert_non_null(queue);
    fake_server_put(queue, 'x', 20000000);
    cg_outq_end(queue);
    cg_http_call_reply_queue(f->held[0], &fake_server_queue_head, queue);
    cg_outq_unref(queue);
    fake_client_run_until(&f->uv, fake_server_is_done, f);
    assert_int_equal(quota.used, 0);
    fake_client_close(&client);
}

/* ---- Descriptors ---- */

static void test_no_descriptors_left(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    struct rlimit before, none;
    fake_server_connect(f, &client);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = fcntl(0, F_DUPFD, 0);
    assert_true(next >= 0);
    close(next);
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    fake_client_send_text(&client, "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_settle(&f->uv);
    assert_int_equal(f->requests, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    fake_client_expect(&client, 200, NULL);
    fake_client_close(&client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        server_test(test_large_bodies),
        cmocka_unit_test(test_large_heads),
        cmocka_unit_test(test_the_largest_head),
        server_test(test_many_fields),
        cmocka_unit_test(test_patience),
        server_test(test_idle_connection_is_closed),
        cmocka_unit_test(test_trickling_client_is_closed),
        server_test(test_a_head_has_less_time_than_silence),
        server_test(test_a_body_has_more_time_than_a_head),
        server_test(test_a_dribbled_head_is_closed),
        cmocka_unit_test(test_idle_time_begins_with_the_end_of_the_reply),
        server_test(test_waiting_is_not_limited),
        server_test(test_reply_must_drain),
        server_test(test_no_descriptors_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
