/* More connections than one libmicrohttpd daemon gets: there are as many daemons as that takes and no more, and to
 * clients they are one server. */
#include "fake_server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "fronts/http/private.h"

enum { CLIENTS = 3 * CG_HTTP_DAEMON_CONNECTIONS - 1 };

static struct fake_server server;
static struct fake_client clients[CLIENTS];

static int open_server(void **state) {
    (void)state;
    fake_server_prepare(&server);
    server.options.connections = 4 * CLIENTS; /* half of them for one address */
    fake_server_open(&server);
    return 0;
}

static int close_server(void **state) {
    (void)state;
    for (size_t i = 0; i < CLIENTS; i++) {
        if (clients[i].fd > 0) fake_client_close(&clients[i]);
    }
    fake_server_tear_down(&server);
    return 0;
}

static size_t count_daemons(void) {
    size_t count = 0;
    for (const struct cg_http_daemon *at = server.server->daemons; at != NULL; at = at->next) count++;
    return count;
}

static bool all_are_held(void *ctx) {
    (void)ctx;
    return server.held_count == CLIENTS;
}

static void hold_all(void) {
    for (size_t i = 0; i < CLIENTS; i++) {
        fake_server_connect(&server, &clients[i]);
        fake_client_send_text(&clients[i], "GET /later HTTP/1.1\r\n" LOCAL "\r\n");
    }
    fake_client_run_until(&server.uv, all_are_held, NULL);
}

static void test_daemons_are_filled_one_by_one(void **state) {
    (void)state;
    assert_int_equal(count_daemons(), 1);
    hold_all();
    assert_int_equal(count_daemons(), 3);
    for (size_t i = 0; i < CLIENTS; i++) fake_server_reply(server.held[i], 200, "here");
    for (size_t i = 0; i < CLIENTS; i++) fake_client_expect(&clients[i], 200, "here");
}

static bool one_daemon_is_left(void *ctx) {
    (void)ctx;
    return count_daemons() == 1;
}

static void test_daemons_without_connections_go(void **state) {
    (void)state;
    hold_all();
    for (size_t i = 0; i < CLIENTS; i++) fake_client_close(&clients[i]);
    fake_client_run_until(&server.uv, one_daemon_is_left, NULL);
    assert_int_equal(cg_http_server_connections(server.server), 0);
    fake_server_connect(&server, &clients[0]);
    fake_client_send_text(&clients[0], "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_expect(&clients[0], 200, NULL);
}

/* The place that was left is taken before there is another daemon. */
static void test_room_is_used_again(void **state) {
    (void)state;
    hold_all();
    fake_client_close(&clients[1]);
    while (server.held[1] != NULL) fake_client_settle(&server.uv);
    fake_server_connect(&server, &clients[1]);
    fake_client_send_text(&clients[1], "GET / HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_expect(&clients[1], 200, NULL);
    assert_int_equal(count_daemons(), 3);
}

static void test_closing_with_suspended_connections_in_all(void **state) {
    (void)state;
    hold_all(); /* the teardown closes the server and counts what it was told of */
    assert_int_equal(count_daemons(), 3);
    assert_int_equal(server.dones, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_server, close_server)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_daemons_are_filled_one_by_one),
        TEST(test_daemons_without_connections_go),
        TEST(test_room_is_used_again),
        TEST(test_closing_with_suspended_connections_in_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
