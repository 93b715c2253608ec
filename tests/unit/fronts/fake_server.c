/* The server's side of the tests. */
#include "fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void fake_server_reply(struct cg_http_call *call, uint16_t status, const char *text) {
    struct cg_buf body;
    cg_buf_init(&body, 0);
    cg_buf_put_str(&body, text);
    const struct cg_http_header headers[] = {{"X-Test", "yes"}, {"X-Empty", ""}};
    const struct cg_http_head head = {
        .status = status, .content_type = status == 204 ? "" : "text/plain", .headers = headers, .header_count = 2};
    cg_http_call_reply_bytes(call, &head, &body);
}

static void on_request(void *ctx, struct cg_http_call *call) {
    struct fake_server *f = ctx;
    const struct cg_http_message *message = cg_http_call_message(call);
    size_t len = strlen(f->seen);
    f->requests++;
    snprintf(f->seen + len, sizeof f->seen - len, "%.*s %.*s %zu\n", (int)message->method.len,
             (const char *)message->method.data, (int)message->target.len, (const char *)message->target.data,
             message->body.len);
    assert_null(cg_http_call_ctx(call));
    cg_http_call_set_ctx(call, f);
    if (message->body_is_too_big) {
        struct cg_problem problem = {0};
        cg_problem_set(&problem, CG_E_TOO_BIG, "the body is larger than %d bytes", BODY_MAX);
        cg_http_call_reply_problem(call, &problem, NULL);
    } else if (message->target.len >= 6 && memcmp(message->target.data, "/later", 6) == 0) {
        assert_true(f->held_count < HELD_MAX);
        f->held[f->held_count++] = call;
    } else if (cg_slice_is(message->target, "/none")) {
        fake_server_reply(call, 204, "");
    } else {
        char body[BODY_MAX + 1];
        snprintf(body, sizeof body, "%.*s", (int)message->body.len, (const char *)message->body.data);
        fake_server_reply(call, 200, message->body.len > 0 ? body : f->seen + len);
    }
}

static void on_done(void *ctx, struct cg_http_call *call) {
    struct fake_server *f = ctx;
    assert_ptr_equal(cg_http_call_ctx(call), f);
    f->dones++;
    for (size_t i = 0; i < f->held_count; i++) {
        if (f->held[i] == call) f->held[i] = NULL;
    }
}

static size_t body_max(void *ctx, struct cg_http_call *call) {
    (void)ctx, (void)call;
    return BODY_MAX;
}

static const struct cg_http_handler handler = {.request = on_request, .done = on_done, .body_max = body_max};

void fake_server_open(struct fake_server *f) {
    struct cg_problem problem = {0};
    f->server = cg_http_server_open(&f->uv, &f->options, &problem);
    if (f->server == NULL) fail_msg("%s", problem.detail);
}

void fake_server_prepare(struct fake_server *f) {
    *f = (struct fake_server){0};
    assert_int_equal(uv_loop_init(&f->uv), 0);
    assert_int_equal(cg_addr_parse(&f->listen[0].addr, cg_slice_str("127.0.0.1:0"), 0), CG_OK);
    f->settings = (struct cg_http_settings){.listen = f->listen, .listen_count = 1};
    f->options = (struct cg_http_options){.settings = &f->settings, .handler = &handler, .ctx = f, .connections = 100};
}

static void on_closed(void *ctx) {
    struct fake_server *f = ctx;
    f->closed = true;
}

void fake_server_tear_down(struct fake_server *f) {
    if (f->server != NULL) {
        cg_http_server_close(f->server, on_closed, f);
        uv_run(&f->uv, UV_RUN_DEFAULT);
        assert_true(f->closed);
    }
    assert_int_equal(f->requests, f->dones);
    assert_int_equal(uv_loop_close(&f->uv), 0);
}

int fake_server_setup(void **state) {
    struct fake_server *f = malloc(sizeof *f);
    if (f == NULL) return -1;
    fake_server_prepare(f);
    *state = f;
    return 0;
}

int fake_server_teardown(void **state) {
    fake_server_tear_down(*state);
    free(*state);
    return 0;
}

const struct cg_addr *fake_server_addr(struct fake_server *f) {
    if (f->server == NULL) fake_server_open(f);
    return &cg_http_server_listen(f->server, 0)->addr;
}

void fake_server_connect(struct fake_server *f, struct fake_client *client) {
    fake_client_open(client, &f->uv, fake_server_addr(f));
}

void fake_client_expect(struct fake_client *client, int status, const char *body) {
    struct fake_response response = fake_client_response(client, false, NULL);
    if (response.status != status) fail_msg("%d: %s%s", response.status, response.head, response.body);
    if (body != NULL) assert_string_equal(response.body, body);
    fake_response_fini(&response);
}

bool fake_server_has_held(void *ctx) { return ((struct fake_server *)ctx)->held_count > 0; }

bool fake_server_is_done(void *ctx) {
    struct fake_server *f = ctx;
    return f->requests == f->dones;
}

void fake_server_hold(struct fake_server *f, struct fake_client *client) {
    fake_server_connect(f, client);
    fake_client_send_text(client, "GET /later HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_run_until(&f->uv, fake_server_has_held, f);
}

bool fake_server_is_empty(void *ctx) { return cg_http_server_connections(((struct fake_server *)ctx)->server) == 0; }

void fake_server_put(struct cg_outq *queue, char byte, size_t len) {
    struct cg_buf bytes;
    cg_buf_init(&bytes, 0);
    uint8_t *room = cg_buf_reserve(&bytes, len);
    assert_non_null(room);
    memset(room, byte, len);
    bytes.len = len;
    assert_int_equal(cg_outq_put(queue, &bytes), CG_OK);
    cg_buf_fini(&bytes);
}

const struct cg_http_head fake_server_queue_head = {.status = 200, .content_type = "text/plain"};
