/* /metrics in slices, over a real connection: the same text however much it is, no more of it in memory than is read,
 * and readers that stop. */
#include "fronts/admin/scrape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_client.h"

enum { MANY = 3000 };

struct fixture {
    uv_loop_t uv;
    struct cg_listen listen;
    struct cg_http_settings settings;
    struct cg_http_server *server;
    struct cg_stats_table stats;
    struct cg_totals totals;
    struct cg_scrapes scrapes;
    unsigned dones;
    bool closed;
};

static void put_rest(void *ctx, struct cg_buf *to) {
    (void)ctx;
    cg_buf_put_str(to, "the_rest 1\n");
}

static void on_request(void *ctx, struct cg_http_call *call) {
    struct fixture *f = ctx;
    cg_scrapes_serve(&f->scrapes, call, CG_STATS_BY_MAPPING);
}

static void on_done(void *ctx, struct cg_http_call *call) {
    struct fixture *f = ctx;
    f->dones++;
    cg_scrapes_forget(&f->scrapes, call);
}

static size_t body_max(void *ctx, struct cg_http_call *call) {
    (void)ctx, (void)call;
    return 0;
}

static const struct cg_http_handler handler = {.request = on_request, .done = on_done, .body_max = body_max};

static void open_server(struct fixture *f) {
    struct cg_problem problem = {0};
    assert_int_equal(cg_addr_parse(&f->listen.addr, cg_slice_str("127.0.0.1:0"), 0), CG_OK);
    f->listen.text = "127.0.0.1:0";
    f->settings = (struct cg_http_settings){.listen = &f->listen, .listen_count = 1};
    const struct cg_http_options options = {.settings = &f->settings, .handler = &handler, .ctx = f, .connections = 8};
    f->server = cg_http_server_open(&f->uv, &options, &problem);
    if (f->server == NULL) fail_msg("%s", problem.detail);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_int_equal(uv_loop_init(&f->uv), 0);
    f->scrapes =
        (struct cg_scrapes){.stats = &f->stats, .totals = &f->totals, .rest = put_rest, .ctx = f, .look_ms = 20};
    cg_scrapes_open(&f->scrapes, &f->uv);
    open_server(f);
    *state = f;
    return 0;
}

static void on_scrapes_closed(void *ctx) { ((struct fixture *)ctx)->closed = true; }

static void on_server_closed(void *ctx) {
    struct fixture *f = ctx;
    cg_scrapes_close(&f->scrapes, on_scrapes_closed);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    cg_http_server_close(f->server, on_server_closed, f);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_true(f->closed);
    assert_int_equal(uv_loop_close(&f->uv), 0);
    assert_int_equal(f->scrapes.quota.used, 0);
    cg_stats_fini(&f->stats);
    free(f);
    return 0;
}

static void add_mappings(struct fixture *f, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "mapping%u", i);
        cg_stats_get(&f->stats, name)->sent = i;
    }
}

static void ask(struct fixture *f, struct fake_client *client, const char *request) {
    fake_client_open(client, &f->uv, &cg_http_server_listen(f->server, 0)->addr);
    fake_client_send_text(client, request);
}

/* What it should be, NUL-terminated. */
static void put_all(struct fixture *f, struct cg_buf *text) {
    struct cg_stats_cursor cursor = {0};
    cg_buf_init(text, 0);
    assert_false(cg_stats_emit(text, &f->stats, &f->totals, &cursor, UINT32_MAX));
    put_rest(NULL, text);
    cg_buf_put_u8(text, '\0');
}

static void a_small_one_has_a_length(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    struct cg_buf expected;
    add_mappings(f, 3);
    put_all(f, &expected);
    ask(f, &client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_string_equal(response.body, (const char *)expected.data);
    assert_int_equal(atoi(fake_response_field(&response, "Content-Length")), (int)expected.len - 1);
    assert_string_equal(fake_response_field(&response, "Content-Type"), "text/plain; version=0.0.4");
    fake_response_fini(&response);
    fake_client_close(&client);
    cg_buf_fini(&expected);
}

static void a_large_one_comes_in_pieces(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    struct cg_buf expected;
    add_mappings(f, MANY);
    put_all(f, &expected);
    ask(f, &client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_string_equal(fake_response_field(&response, "Transfer-Encoding"), "chunked");
    assert_int_equal(response.body_len, expected.len - 1);
    assert_string_equal(response.body, (const char *)expected.data);
    fake_response_fini(&response);
    fake_client_close(&client);
    cg_buf_fini(&expected);
}

static bool is_done(void *ctx) { return ((struct fixture *)ctx)->dones == 1; }

static void a_head_is_enough_for_some(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    add_mappings(f, MANY);
    ask(f, &client, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    struct fake_response response = fake_client_response(&client, true, NULL);
    assert_int_equal(response.status, 200);
    fake_client_run_until(&f->uv, is_done, f);
    assert_null(f->scrapes.all);
    fake_response_fini(&response);
    fake_client_close(&client);
}

static bool is_full(void *ctx) {
    const struct fixture *f = ctx;
    return f->scrapes.quota.used > 100000 && !uv_is_active((const uv_handle_t *)&f->scrapes.turn);
}

/* No more is written than there is room for, and nothing turns in vain. Who reads on gets all of it. */
static void who_reads_late_is_waited_for(void **state) {
    struct fixture *f = *state;
    struct fake_client client, other;
    struct cg_buf expected;
    f->scrapes.look_ms = 60000;
    add_mappings(f, 5 * MANY);
    put_all(f, &expected);
    ask(f, &client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    fake_client_run_until(&f->uv, is_full, f);
    assert_true(f->scrapes.quota.used < 400000);
    ask(f, &other, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"); /* others are served meanwhile */
    struct fake_response response = fake_client_response(&other, true, NULL);
    assert_int_equal(response.status, 200);
    fake_response_fini(&response);
    response = fake_client_response(&client, false, NULL);
    assert_string_equal(response.body, (const char *)expected.data);
    fake_response_fini(&response);
    fake_client_close(&client);
    fake_client_close(&other);
    cg_buf_fini(&expected);
}

/* It is cut off, and looks so: the last chunk does not come. */
static void who_stops_reading_is_cut_off(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    add_mappings(f, 5 * MANY);
    ask(f, &client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    fake_client_run_until(&f->uv, is_full, f);
    while (f->scrapes.all != NULL) uv_run(&f->uv, UV_RUN_ONCE);
    fake_client_wait_closed(&client);
    fake_client_read(&client);
    assert_true(client.in_len > 10000);
    assert_null(strstr(client.in, "the_rest 1"));
    assert_int_not_equal(memcmp(client.in + client.in_len - 5, "0\r\n\r\n", 5), 0);
    fake_client_close(&client);
}

static void who_leaves_leaves_nothing(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    f->scrapes.look_ms = 60000;
    add_mappings(f, 5 * MANY);
    ask(f, &client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    fake_client_run_until(&f->uv, is_full, f);
    fake_client_close(&client);
    fake_client_run_until(&f->uv, is_done, f);
    assert_null(f->scrapes.all);
    assert_int_equal(f->scrapes.quota.used, 0);
}

static void the_end_of_the_server_ends_them(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    add_mappings(f, 5 * MANY);
    ask(f, &client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    fake_client_run_until(&f->uv, is_full, f);
    fake_client_close(&client);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_small_one_has_a_length),        WITH_SERVER(a_large_one_comes_in_pieces),
        WITH_SERVER(a_head_is_enough_for_some),       WITH_SERVER(who_reads_late_is_waited_for),
        WITH_SERVER(who_stops_reading_is_cut_off),    WITH_SERVER(who_leaves_leaves_nothing),
        WITH_SERVER(the_end_of_the_server_ends_them),
    };
    return cmocka_run_group_tests_name("fronts/admin/scrape", tests, NULL, NULL);
}
