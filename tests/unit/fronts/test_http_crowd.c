/* More clients than the HTTP server takes: somebody goes, and it is never somebody whose request runs. */
#include "fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void limit(struct fake_server *f, unsigned connections, unsigned share) {
    f->options.connections = connections;
    f->options.share = share;
}

static void connect_from(struct fake_server *f, struct fake_client *client, const char *from) {
    fake_client_open_from(client, &f->uv, fake_server_addr(f), from);
    fake_client_settle(&f->uv);
}

static void ask(struct fake_client *client) {
    fake_client_send_text(client, "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_expect(client, 200, NULL);
}

static void hold_from(struct fake_server *f, struct fake_client *client, const char *from) {
    size_t before = f->held_count;
    connect_from(f, client, from);
    fake_client_send_text(client, "GET /later HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_settle(&f->uv);
    assert_int_equal(f->held_count, before + 1);
}

static bool is_closed(struct fake_client *client) {
    fake_client_settle(client->uv);
    fake_client_read(client);
    return client->closed;
}

static void the_oldest_without_a_request_goes(void **state) {
    struct fake_server *f = *state;
    struct fake_client running, idle, half, fresh;
    limit(f, 3, 3);
    hold_from(f, &running, "127.0.0.1");
    connect_from(f, &half, "127.0.0.1");
    fake_client_send_text(&half, "GET / HTTP/1.1\r\nHost: lo");
    connect_from(f, &idle, "127.0.0.1");
    ask(&idle);
    connect_from(f, &fresh, "127.0.0.1");
    ask(&fresh);
    assert_true(is_closed(&half));
    assert_false(is_closed(&idle));
    fake_client_close(&half);
    connect_from(f, &half, "127.0.0.1");
    ask(&half);
    assert_true(is_closed(&idle));
    fake_server_reply(f->held[0], 200, "kept");
    fake_client_expect(&running, 200, "kept");
    fake_client_close(&running);
    fake_client_close(&idle);
    fake_client_close(&half);
    fake_client_close(&fresh);
    fake_client_run_until(&f->uv, fake_server_is_empty, f);
}

/* They wait for room in the socket's queue, and any request that ends makes it. */
static void where_every_request_runs_others_wait(void **state) {
    struct fake_server *f = *state;
    struct fake_client running[2], waiting;
    limit(f, 2, 2);
    for (size_t i = 0; i < 2; i++) hold_from(f, &running[i], "127.0.0.1");
    connect_from(f, &waiting, "127.0.0.1");
    fake_client_send_text(&waiting, "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_settle(&f->uv);
    assert_int_equal(f->requests, 2);
    assert_int_equal(cg_http_server_connections(f->server), 2);
    fake_server_reply(f->held[1], 200, "done");
    fake_client_expect(&running[1], 200, "done");
    fake_client_expect(&waiting, 200, NULL);
    assert_true(is_closed(&running[1]));
    assert_false(is_closed(&running[0]));
    fake_client_close(&waiting);
    for (size_t i = 0; i < 2; i++) fake_client_close(&running[i]);
}

static void connect_all(struct fake_server *f, struct fake_client *clients, size_t count) {
    for (size_t i = 0; i < count; i++) connect_from(f, &clients[i], "127.0.0.1");
}

/* The newcomer is seen first, so that their requests still wait to be read when somebody is to go for it. */
static void come_before_requests_are_read(struct fake_server *f, struct fake_client *fresh, struct fake_client *clients,
                                          size_t count) {
    fake_client_open(fresh, &f->uv, fake_server_addr(f));
    for (size_t i = 0; i < count; i++) fake_client_send_text(&clients[i], "GET /later HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_settle(&f->uv);
}

static void whose_request_has_come_does_not_go(void **state) {
    struct fake_server *f = *state;
    struct fake_client clients[3], fresh;
    limit(f, 3, 3);
    connect_all(f, clients, 3);
    come_before_requests_are_read(f, &fresh, clients, 3);
    assert_int_equal(f->held_count, 3);
    for (size_t i = 0; i < 3; i++) {
        fake_server_reply(f->held[i], 200, "kept");
        fake_client_expect(&clients[i], 200, "kept");
    }
    ask(&fresh);
    for (size_t i = 0; i < 3; i++) fake_client_close(&clients[i]);
    fake_client_close(&fresh);
}

static void whose_request_has_come_does_not_go_for_its_own_address(void **state) {
    struct fake_server *f = *state;
    struct fake_client clients[2], fresh;
    limit(f, 6, 2);
    connect_all(f, clients, 2);
    come_before_requests_are_read(f, &fresh, clients, 2);
    assert_int_equal(f->held_count, 2);
    assert_true(is_closed(&fresh)); /* it has its share */
    for (size_t i = 0; i < 2; i++) {
        fake_server_reply(f->held[i], 200, "kept");
        fake_client_expect(&clients[i], 200, "kept");
        fake_client_close(&clients[i]);
    }
    fake_client_close(&fresh);
}

/* It is heard once, not whenever it sends a byte more. */
static void who_goes_on_with_a_head_goes(void **state) {
    struct fake_server *f = *state;
    struct fake_client half, fresh;
    limit(f, 1, 1);
    connect_from(f, &half, "127.0.0.1");
    fake_client_open(&fresh, &f->uv, fake_server_addr(f));
    fake_client_send_text(&half, "GET / HTTP/1.1\r\nHost: lo");
    fake_client_settle(&f->uv);
    ask(&fresh);
    assert_true(is_closed(&half));
    fake_client_close(&half);
    fake_client_close(&fresh);
}

static void one_address_has_its_share_and_no_more(void **state) {
    struct fake_server *f = *state;
    enum { CROWD = 12 };
    struct fake_client crowd[CROWD], other;
    limit(f, 6, 3);
    connect_from(f, &other, "127.0.0.2");
    for (size_t i = 0; i < CROWD; i++) connect_from(f, &crowd[i], "127.0.0.1");
    assert_false(is_closed(&other)); /* the oldest of all, and none of theirs to take */
    for (size_t i = 0; i < CROWD; i++) assert_int_equal(is_closed(&crowd[i]), i < CROWD - 3);
    ask(&other);
    fake_client_close(&other);
    for (size_t i = 0; i < CROWD; i++) fake_client_close(&crowd[i]);
}

/* All of them are there at once, so those that were told to go are not gone yet. */
static void a_burst_makes_as_much_room_as_it_needs(void **state) {
    struct fake_server *f = *state;
    enum { CROWD = 20 };
    struct fake_client crowd[CROWD];
    limit(f, 4, 4);
    for (size_t i = 0; i < CROWD; i++) fake_client_open(&crowd[i], &f->uv, fake_server_addr(f));
    for (size_t i = 0; i < CROWD; i++) assert_int_equal(is_closed(&crowd[i]), i < CROWD - 4);
    for (size_t i = 0; i < CROWD; i++) fake_client_close(&crowd[i]);
}

static void half_of_all_is_the_share_unless_said(void **state) {
    struct fake_server *f = *state;
    struct fake_client crowd[4];
    limit(f, 5, 0);
    for (size_t i = 0; i < 4; i++) connect_from(f, &crowd[i], "127.0.0.1");
    for (size_t i = 0; i < 4; i++) assert_int_equal(is_closed(&crowd[i]), i == 0);
    for (size_t i = 0; i < 4; i++) fake_client_close(&crowd[i]);
}

static void an_address_whose_share_runs_is_turned_away_and_nobody_else(void **state) {
    struct fake_server *f = *state;
    struct fake_client running[2], more, other;
    limit(f, 6, 2);
    for (size_t i = 0; i < 2; i++) hold_from(f, &running[i], "127.0.0.1");
    connect_from(f, &more, "127.0.0.1");
    assert_true(is_closed(&more));
    connect_from(f, &other, "127.0.0.2");
    ask(&other);
    for (size_t i = 0; i < 2; i++) {
        fake_server_reply(f->held[i], 200, "kept");
        fake_client_expect(&running[i], 200, "kept");
        fake_client_close(&running[i]);
    }
    fake_client_close(&more);
    fake_client_close(&other);
}

/* A flood of bad requests: each lingers, so that its refusal is read, but not in anybody's place. */
static void who_lingers_makes_room(void **state) {
    struct fake_server *f = *state;
    enum { CROWD = 6 };
    struct fake_client crowd[CROWD], other;
    limit(f, 3, 3);
    for (size_t i = 0; i < CROWD; i++) {
        connect_from(f, &crowd[i], "127.0.0.1");
        fake_client_send_text(&crowd[i], "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 5000\r\n\r\n");
        fake_client_expect(&crowd[i], 413, NULL);
    }
    assert_in_range(cg_http_server_connections(f->server), 1, 3);
    connect_from(f, &other, "127.0.0.1");
    ask(&other);
    fake_client_close(&other);
    for (size_t i = 0; i < CROWD; i++) fake_client_close(&crowd[i]);
}

/* libmicrohttpd can read no further there, and goes all the same: more of them than may be leaving at once. */
static void a_chunk_without_end_makes_room(void **state) {
    struct fake_server *f = *state;
    enum { CROWD = 100, FILL = 40000 };
    static char fill[FILL];
    struct fake_client crowd[CROWD], other;
    limit(f, 3, 3);
    memset(fill, 'e', sizeof fill);
    for (size_t i = 0; i < CROWD; i++) {
        connect_from(f, &crowd[i], "127.0.0.1");
        fake_client_send_text(&crowd[i], "POST / HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n\r\n5;");
        fake_client_send(&crowd[i], fill, sizeof fill);
    }
    connect_from(f, &other, "127.0.0.1");
    ask(&other);
    fake_client_settle(&f->uv);
    assert_in_range(cg_http_server_connections(f->server), 1, 4);
    fake_client_close(&other);
    for (size_t i = 0; i < CROWD; i++) fake_client_close(&crowd[i]);
}

/* Its memory goes with it. */
static void a_reply_that_nobody_takes_makes_room(void **state) {
    struct fake_server *f = *state;
    struct fake_client slow, other;
    struct cg_quota quota = {.max = 100000000};
    limit(f, 1, 1);
    hold_from(f, &slow, "127.0.0.1");
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, &quota);
    assert_non_null(queue);
    fake_server_put(queue, 'x', 20000000);
    cg_outq_end(queue);
    cg_http_call_reply_queue(f->held[0], &fake_server_queue_head, queue);
    cg_outq_unref(queue);
    connect_from(f, &other, "127.0.0.1");
    ask(&other);
    assert_int_equal(quota.used, 0);
    fake_client_close(&slow);
    fake_client_close(&other);
}

/* A stream that goes on is a request that runs; one that has ended is a reply that is taken. */
static void a_stream_stays_until_it_has_ended(void **state) {
    struct fake_server *f = *state;
    struct fake_client reader, other;
    struct cg_quota quota = {.max = 100000000};
    limit(f, 1, 1);
    hold_from(f, &reader, "127.0.0.1");
    struct cg_outq *queue = cg_outq_new(SIZE_MAX, &quota);
    assert_non_null(queue);
    cg_http_call_reply_queue(f->held[0], &fake_server_queue_head, queue);
    fake_client_settle(&f->uv);
    fake_server_put(queue, 'x', 20000000);
    connect_from(f, &other, "127.0.0.1");
    fake_client_send_text(&other, "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_settle(&f->uv);
    assert_int_equal(f->requests, 1);
    cg_outq_end(queue);
    cg_outq_unref(queue);
    fake_client_expect(&other, 200, NULL);
    fake_client_close(&reader);
    fake_client_close(&other);
}

/* ---- Ends ---- */

/* They came and left before the server looked: nothing tells of that any more, but that it is so. */
static void ends_are_seen_at_the_limit_too(void **state) {
    struct fake_server *f = *state;
    enum { CROWD = 60 };
    static const char *const sent[] = {"", "GET / HT", "GET / HTTP/1.1\r\nHost: l",
                                       "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 5\r\n\r\nab"};
    struct fake_client crowd[CROWD], other;
    limit(f, 4, 4);
    for (size_t i = 0; i < CROWD; i++) {
        fake_client_open(&crowd[i], &f->uv, fake_server_addr(f));
        const char *text = sent[i % (sizeof sent / sizeof sent[0])];
        assert_int_equal(send(crowd[i].fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
        fake_client_close(&crowd[i]);
    }
    connect_from(f, &other, "127.0.0.1");
    ask(&other);
    fake_client_close(&other);
    fake_client_run_until(&f->uv, fake_server_is_empty, f);
    assert_int_equal(f->requests, 1);
}

static void a_client_that_shuts_its_side_in_a_head_is_gone(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    limit(f, 4, 4);
    connect_from(f, &client, "127.0.0.1");
    fake_client_send_text(&client, "GET / HTTP/1.1\r\n");
    fake_client_settle(&f->uv);
    shutdown(client.fd, SHUT_WR);
    fake_client_wait_closed(&client);
    fake_client_run_until(&f->uv, fake_server_is_empty, f);
    fake_client_close(&client);
}

/* The whole request was there before its end, so it is answered. */
static void a_request_that_came_with_its_end_is_answered(void **state) {
    struct fake_server *f = *state;
    struct fake_client client;
    limit(f, 4, 4);
    fake_client_open(&client, &f->uv, fake_server_addr(f));
    static const char request[] = "GET /1 HTTP/1.1\r\n" LOCAL "\r\nGET /2 HTTP/1.1\r\n" LOCAL "\r\n";
    assert_int_equal(send(client.fd, request, sizeof request - 1, 0), sizeof request - 1);
    shutdown(client.fd, SHUT_WR);
    fake_client_expect(&client, 200, "GET /1 0\n");
    fake_client_expect(&client, 200, "GET /2 0\n");
    fake_client_wait_closed(&client);
    fake_client_close(&client);
}

/* A client may shut its sending side with its request, and is answered all the same. */
static void a_client_whose_end_came_with_its_request_is_answered(void **state) {
    (void)state;
    static const char request[] = "GET /later HTTP/1.1\r\n" LOCAL "\r\n";
    struct fake_server f;
    struct fake_client client;
    for (int in_pieces = 0; in_pieces < 2; in_pieces++) {
        fake_server_prepare(&f);
        limit(&f, 4, 4);
        connect_from(&f, &client, "127.0.0.1");
        if (in_pieces) {
            fake_client_send(&client, request, 9);
            fake_client_settle(&f.uv);
        }
        fake_client_send(&client, request + 9 * in_pieces, sizeof request - 1 - 9 * (size_t)in_pieces);
        shutdown(client.fd, SHUT_WR);
        fake_client_run_until(&f.uv, fake_server_has_held, &f);
        fake_client_settle(&f.uv);
        assert_non_null(f.held[0]);
        fake_server_reply(f.held[0], 200, "at last");
        fake_client_expect(&client, 200, "at last");
        fake_client_wait_closed(&client);
        fake_client_close(&client);
        fake_server_tear_down(&f);
    }
}

static void hold_crowd(struct fake_server *f, struct fake_client *crowd, size_t count) {
    limit(f, (unsigned)count, (unsigned)count);
    for (size_t i = 0; i < count; i++) fake_server_hold(f, &crowd[i]);
    while (f->held_count < count) fake_client_settle(&f->uv);
}

/* However many there are: libmicrohttpd reads all of them when they go on together. */
static void clients_that_shut_their_side_are_answered_together(void **state) {
    struct fake_server *f = *state;
    enum { CROWD = 8 };
    struct fake_client crowd[CROWD];
    hold_crowd(f, crowd, CROWD);
    for (size_t i = 0; i < CROWD; i++) shutdown(crowd[i].fd, SHUT_WR);
    fake_client_settle(&f->uv);
    for (size_t i = 0; i < CROWD; i++) fake_server_reply(f->held[i], 200, "at last");
    for (size_t i = 0; i < CROWD; i++) {
        fake_client_expect(&crowd[i], 200, "at last");
        fake_client_wait_closed(&crowd[i]);
        fake_client_close(&crowd[i]);
    }
    fake_client_run_until(&f->uv, fake_server_is_empty, f);
}

/* Nobody knows of an end that comes just before the reply does. */
static void an_end_that_comes_with_the_reply_changes_nothing(void **state) {
    struct fake_server *f = *state;
    enum { CROWD = 4 };
    struct fake_client crowd[CROWD];
    hold_crowd(f, crowd, CROWD);
    for (size_t i = 0; i < CROWD; i++) shutdown(crowd[i].fd, SHUT_WR);
    for (size_t i = 0; i < CROWD; i++) fake_server_reply(f->held[i], 200, "at last");
    for (size_t i = 0; i < CROWD; i++) {
        fake_client_expect(&crowd[i], 200, "at last");
        fake_client_close(&crowd[i]);
    }
}

/* Who waits long is asked whether it still reads, in a way that it passes over; who does not is gone. */
static void a_client_that_shut_its_side_and_left_is_found_out(void **state) {
    struct fake_server *f = *state;
    struct fake_client stays, leaves;
    limit(f, 4, 4);
    fake_server_hold(f, &stays);
    shutdown(stays.fd, SHUT_WR);
    fake_client_open(&leaves, &f->uv, fake_server_addr(f));
    fake_client_send_text(&leaves, "GET /later HTTP/1.1\r\n" LOCAL "\r\n");
    while (f->held_count < 2) fake_client_settle(&f->uv);
    fake_client_close(&leaves);
    while (f->held[1] != NULL) fake_client_settle(&f->uv);
    while (stays.in_len == 0) {
        fake_client_settle(&f->uv);
        fake_client_read(&stays);
    }
    fake_server_reply(f->held[0], 200, "at last");
    int continues = 0;
    struct fake_response response = fake_client_response(&stays, false, &continues);
    assert_int_equal(response.status, 200);
    assert_int_equal(continues, 1);
    fake_response_fini(&response);
    fake_client_close(&stays);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        server_test(the_oldest_without_a_request_goes),
        server_test(where_every_request_runs_others_wait),
        server_test(whose_request_has_come_does_not_go),
        server_test(whose_request_has_come_does_not_go_for_its_own_address),
        server_test(who_goes_on_with_a_head_goes),
        server_test(one_address_has_its_share_and_no_more),
        server_test(a_burst_makes_as_much_room_as_it_needs),
        server_test(half_of_all_is_the_share_unless_said),
        server_test(an_address_whose_share_runs_is_turned_away_and_nobody_else),
        server_test(who_lingers_makes_room),
        server_test(a_chunk_without_end_makes_room),
        server_test(a_reply_that_nobody_takes_makes_room),
        server_test(a_stream_stays_until_it_has_ended),
        server_test(ends_are_seen_at_the_limit_too),
        server_test(a_client_that_shuts_its_side_in_a_head_is_gone),
        server_test(clients_that_shut_their_side_are_answered_together),
        server_test(an_end_that_comes_with_the_reply_changes_nothing),
        server_test(a_client_that_shut_its_side_and_left_is_found_out),
        server_test(a_request_that_came_with_its_end_is_answered),
        cmocka_unit_test(a_client_whose_end_came_with_its_request_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
