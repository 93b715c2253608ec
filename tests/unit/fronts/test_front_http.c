/* The HTTP front and the admin listener around a real gateway, over real loopback sockets; only the groups' side is
 * played: what the gateway emits is kept, and answers are handed to it. */
#include "fake_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/log.h"
#include "builtin.h"
#include "fronts/admin/admin.h"
#include "fronts/http/front.h"
#include "io/loop.h"
#include "builtin.h"
#include "settings/settings.h"

/* SHA-256 of "secret". */
#define SETTINGS                                                                                                       \
    "{\"http\": {\"listen\": [\"127.0.0.1:8080\"], \"hosts\": [\"gw.example\"],"                                       \
    "   \"origins\": [\"https://dash.example\"], \"trusted_proxies\": [\"127.0.0.1\"]},"                               \
    " \"admin\": {\"listen\": [\"127.0.0.1:8081\"]},"                                                                  \
    " \"group\": {\"interface\": \"lo\"},"                                                                             \
    " \"limits\": {\"exchanges\": 3},"                                                                                 \
    " \"clients\": {\"dashboard\": {\"token_sha256\":"                                                                 \
    "   \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"}},"                                       \
    " \"mappings\": ["                                                                                                 \
    "  {\"name\": \"lamps\", \"path\": \"/lamps\", \"group\": \"coap://224.0.1.187/\", \"security\": \"none\","        \
    "   \"timeout\": 30, \"finish\": \"count:2\", \"clients\": [\"anonymous\"]},"                                      \
    "  {\"name\": \"quick\", \"path\": \"/quick\", \"group\": \"coap://224.0.1.187/\", \"security\": \"none\","        \
    "   \"timeout\": 0.05, \"clients\": [\"anonymous\"]},"                                                             \
    "  {\"name\": \"asking\", \"path\": \"/asking\", \"group\": \"coap://224.0.1.187/\", \"security\": \"none\","      \
    "   \"clients\": [\"anonymous\"]},"                                                                                \
    "  {\"name\": \"closed\", \"path\": \"/closed\", \"group\": \"coap://224.0.1.187/\", \"security\": \"none\","      \
    "   \"methods\": [\"GET\", \"PUT\"], \"unsafe_methods\": true, \"timeout\": 30, \"finish\": \"count:2\","          \
    "   \"clients\": [\"dashboard\"]},"                                                                                \
    "  {\"name\": \"read\", \"path\": \"/read\", \"group\": \"coap://224.0.1.187/\", \"security\": \"none\","          \
    "   \"methods\": [\"GET\", \"PUT\"], \"unsafe_methods\": true, \"timeout\": 30,"                                   \
    "   \"clients\": [{\"name\": \"dashboard\", \"methods\": [\"GET\"]}, \"anonymous\"]}]}"

#define LOCAL "Host: localhost\r\n"

static const struct castgate_plugin *const plugins[] = {&cg_plugin_mixed, &cg_plugin_json, &cg_plugin_sse};
static const struct cg_encoder_list encoders = {.plugins = plugins, .count = 3};

struct fixture {
    uv_loop_t uv;
    uv_prepare_t prepare;
    struct cg_port port;
    struct cg_config *config;
    struct cg_gateway *gateway;
    struct cg_front_http *front;
    struct cg_admin *admin;
    uint64_t random;
    size_t sent_count;
    uint8_t sent[2048]; /* the latest datagram */
    size_t sent_len;
    unsigned closed;
};

static int emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    (void)route, (void)problem;
    struct fixture *f = ctx;
    assert_true(datagram.len <= sizeof f->sent);
    memcpy(f->sent, datagram.data, datagram.len);
    f->sent_len = datagram.len;
    f->sent_count++;
    return CG_OK;
}

static void fill_random(void *ctx, void *to, size_t len) {
    struct fixture *f = ctx;
    uint8_t *bytes = to;
    for (size_t i = 0; i < len; i++) {
        f->random = f->random * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(f->random >> 56);
    }
}

static uint64_t kernel_drops(void *ctx) {
    (void)ctx;
    return 0;
}

static void wake(void *ctx) { (void)ctx; }

static void on_prepare(uv_prepare_t *prepare) {
    struct fixture *f = prepare->data;
    cg_gateway_run(f->gateway, cg_loop_now_us());
}

static void load(struct fixture *f) {
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    if (cg_settings_parse(cg_slice_str(SETTINGS), "/", &f->config, &mistakes) < 0) {
        fail_msg("%s: %s", mistakes.first->pointer, mistakes.first->message);
    }
    cg_mistakes_fini(&mistakes);
    f->config->http.listen[0].addr.port = 0; /* any free one */
    f->config->admin.listen[0].addr.port = 0;
}

static void set_up_with(struct fixture *f, void (*change)(struct cg_config *config)) {
    *f = (struct fixture){0};
    f->port =
        (struct cg_port){.ctx = f, .emit = emit, .random = fill_random, .kernel_drops = kernel_drops, .wake = wake};
    load(f);
    for (size_t i = 0; i < f->config->mapping_count; i++) f->config->mappings[i].protector = cg_protector_none();
    if (change != NULL) change(f->config);
    assert_int_equal(uv_loop_init(&f->uv), 0);
    f->gateway = cg_gateway_new(f->config, &f->port);
    assert_non_null(f->gateway);
    f->prepare.data = f;
    assert_int_equal(uv_prepare_init(&f->uv, &f->prepare), 0);
    assert_int_equal(uv_prepare_start(&f->prepare, on_prepare), 0);
    struct cg_problem problem = {0};
    f->front = cg_front_http_open(&f->uv, f->gateway, &encoders, &problem);
    static const struct cg_admin_source source;
    f->admin = cg_admin_open(&f->uv, f->gateway, &source, &problem);
    if (f->front == NULL || f->admin == NULL) fail_msg("%s", problem.detail);
}

static void set_up(struct fixture *f) { set_up_with(f, NULL); }

static void on_closed(void *ctx) {
    struct fixture *f = ctx;
    f->closed++;
}

static void tear_down(struct fixture *f) {
    cg_front_http_close(f->front, on_closed, f);
    cg_admin_close(f->admin, on_closed, f);
    uv_close((uv_handle_t *)&f->prepare, NULL);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_int_equal(f->closed, 2);
    cg_gateway_free(f->gateway);
    cg_config_unref(f->config);
    assert_int_equal(uv_loop_close(&f->uv), 0);
}

static int setup(void **state) {
    struct fixture *f = malloc(sizeof *f);
    if (f == NULL) return -1;
    set_up(f);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    tear_down(*state);
    free(*state);
    return 0;
}

#define front_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void connect_to(struct fixture *f, struct fake_client *client) {
    fake_client_open(client, &f->uv, &cg_front_http_listen(f->front, 0)->addr);
}

/* ---- The groups' side ---- */

static bool has_sent(void *ctx) { return ((struct fixture *)ctx)->sent_count > 0; }

static void wait_for_cast(struct fixture *f) { fake_client_run_until(&f->uv, has_sent, f); }

static void answer(struct fixture *f, const char *from, const char *payload) {
    struct cg_msg request;
    uint8_t bytes[256];
    struct cg_msg_writer writer;
    assert_int_equal(cg_msg_parse(&request, cg_slice_of(f->sent, f->sent_len)), CG_OK);
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, CG_CODE(2, 5), (uint16_t)f->random, request.token);
    cg_msg_put_uint(&writer, CG_OPT_CONTENT_FORMAT, 0);
    cg_msg_put_payload(&writer, cg_slice_str(payload));
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    struct cg_datagram datagram = {.bytes = cg_slice_of(bytes, (size_t)len), .arrival_us = cg_loop_now_us()};
    assert_int_equal(cg_addr_parse(&datagram.from, cg_slice_str(from), 5683), CG_OK);
    cg_gateway_receive(f->gateway, &datagram);
}

static void answer_twice(struct fixture *f) {
    wait_for_cast(f);
    answer(f, "127.1.0.1", "on");
    answer(f, "127.1.0.2", "off");
    f->sent_count = 0;
}

/* ---- Replies ---- */

static struct fake_response ask(struct fixture *f, struct fake_client *client, const char *request) {
    (void)f;
    fake_client_send_text(client, request);
    return fake_client_response(client, strncmp(request, "HEAD", 4) == 0, NULL);
}

static void assert_field(const struct fake_response *response, const char *name, const char *value) {
    const char *found = fake_response_field(response, name);
    if (found == NULL) fail_msg("no %s in %s", name, response->head);
    assert_string_equal(found, value);
}

static void assert_has_exchange_id(const struct fake_response *response) {
    const char *id = fake_response_field(response, "Castgate-Exchange");
    assert_non_null(id);
    assert_int_equal(strspn(id, "0123456789abcdef"), 16);
    assert_int_equal(strlen(id), 16);
}

static void test_multipart_reply(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    connect_to(f, &client);
    fake_client_send_text(&client, "GET /lamps/status?a=b HTTP/1.1\r\n" LOCAL "\r\n");
    answer_twice(f);
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 200);
    assert_has_exchange_id(&response);
    assert_non_null(strstr(fake_response_field(&response, "Content-Type"), "multipart/mixed; boundary="));
    assert_field(&response, "Cache-Control", "no-store");
    assert_field(&response, "X-Content-Type-Options", "nosniff");
    const char *summary = fake_response_field(&response, "Castgate-Summary");
    assert_non_null(summary);
    assert_int_equal(strncmp(summary,
                             "answered=2, failed=0, missing=0, late=0, duplicates=0, rejected=0, expected=0, "
                             "kernel_drops=0, ended_by=count, ms=",
                             strlen("answered=2, failed=0, missing=0, late=0, duplicates=0, rejected=0, expected=0, "
                                    "kernel_drops=0, ended_by=count, ms=")),
                     0);
    assert_non_null(strstr(response.body, "\r\n\r\non\r\n"));
    assert_non_null(strstr(response.body, "\r\n\r\noff\r\n"));
    fake_response_fini(&response);
    /* The same connection again, and HEAD, whose length is that of the GET. */
    fake_client_send_text(&client, "HEAD /lamps HTTP/1.1\r\n" LOCAL "\r\n");
    answer_twice(f);
    response = fake_client_response(&client, true, NULL);
    assert_int_equal(response.status, 200);
    assert_non_null(fake_response_field(&response, "Content-Length"));
    fake_response_fini(&response);
    fake_client_close(&client);
}

/* RFC 6690: what there is, without an exchange. */
static void test_links(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    connect_to(f, &client);
    fake_client_send_text(&client, "GET /.well-known/core HTTP/1.1\r\n" LOCAL "\r\n");
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 200);
    assert_has_exchange_id(&response);
    assert_field(&response, "Content-Type", "application/link-format");
    assert_non_null(strstr(response.body, "</lamps>"));
    fake_response_fini(&response);
    fake_client_close(&client);
}

static void allow_one_exchange_behind_proxies(struct cg_config *config) {
    config->limits.exchanges = 1;
    config->limits.observers = 2;
}

static void allow_one_exchange(struct cg_config *config) {
    allow_one_exchange_behind_proxies(config);
    config->http.trusted_proxy_count = 0;
}

enum { CONNECTIONS = 2 * (1 + 2) + 128 };

/* From one address, which has `most` at once. */
static void connect_one_more_than(int most, void (*change)(struct cg_config *config)) {
    static struct fake_client clients[CONNECTIONS + 1];
    struct fixture f;
    set_up_with(&f, change);
    for (int i = 0; i <= most; i++) {
        connect_to(&f, &clients[i]);
        fake_client_send_text(&clients[i], "GET /.well-known/core HTTP/1.1\r\n" LOCAL "\r\n");
        struct fake_response response = fake_client_response(&clients[i], false, NULL);
        assert_int_equal(response.status, 200);
        fake_response_fini(&response);
        fake_client_read(&clients[0]);
        assert_int_equal(clients[0].closed, i == most); /* the oldest goes */
    }
    for (int i = 0; i <= most; i++) fake_client_close(&clients[i]);
    tear_down(&f);
}

/* Two connections for it and for each who observes, and 128 more, of which one address has half, unless many clients
 * come in by it. */
static void test_connections_follow_the_exchanges(void **state) {
    (void)state;
    connect_one_more_than(CONNECTIONS / 2, allow_one_exchange);
    connect_one_more_than(CONNECTIONS, allow_one_exchange_behind_proxies);
}

/* However few files may be open: they stay as long as they like, and others come and go. */
static void test_half_of_the_connections_are_for_who_does_not_observe(void **state) {
    enum { MOST = CONNECTIONS / 2 };
    static struct fake_client clients[MOST + 1];
    struct fixture f;
    (void)state;
    set_up_with(&f, allow_one_exchange_behind_proxies);
    f.config->limits.exchanges = f.config->limits.exchanges_per_client = 1000; /* but for what the front has read */
    f.config->limits.observers = 1000;
    f.config->group.nstart = 1000;
    for (int i = 0; i <= MOST; i++) {
        connect_to(&f, &clients[i]);
        fake_client_send_text(&clients[i],
                              "GET /asking HTTP/1.1\r\n" LOCAL
                              "Multicast-Timeout: 60\r\nAccept: text/event-stream\r\nPrefer: observe\r\n\r\n");
        fake_client_settle(&f.uv);
    }
    struct fake_response refused = fake_client_response(&clients[MOST], false, NULL);
    assert_int_equal(refused.status, 503);
    assert_non_null(strstr(refused.body, "limits.observers"));
    fake_response_fini(&refused);
    struct fake_response served =
        ask(&f, &clients[MOST], "GET /quick HTTP/1.1\r\n" LOCAL "Accept: application/json\r\n\r\n");
    assert_int_not_equal(served.status, 503);
    fake_response_fini(&served);
    fake_client_close(&clients[0]);
    fake_client_settle(&f.uv);
    fake_client_send_text(&clients[MOST],
                          "GET /quick HTTP/1.1\r\n" LOCAL "Accept: text/event-stream\r\nPrefer: observe\r\n\r\n");
    served = fake_client_response(&clients[MOST], false, NULL);
    assert_int_equal(served.status, 200); /* one has left */
    fake_response_fini(&served);
    for (int i = 1; i <= MOST; i++) fake_client_close(&clients[i]);
    tear_down(&f);
}

static void test_json_reply(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    connect_to(f, &client);
    fake_client_send_text(&client, "GET /lamps HTTP/1.1\r\n" LOCAL "Accept: application/json\r\n\r\n");
    answer_twice(f);
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 200);
    json_t *body = json_loadb(response.body, response.body_len, 0, NULL);
    assert_non_null(body);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(body, "summary"), "answered")), 2);
    assert_string_equal(json_string_value(json_object_get(body, "exchange")),
                        fake_response_field(&response, "Castgate-Exchange"));
    json_decref(body);
    fake_response_fini(&response);
    fake_client_close(&client);
}

/* R16: the streaming mode. */
static void test_event_stream(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    connect_to(f, &client);
    fake_client_send_text(&client, "GET /lamps HTTP/1.1\r\n" LOCAL "Accept: text/event-stream\r\n\r\n");
    wait_for_cast(f);
    answer(f, "127.1.0.1", "first-one");
    fake_client_settle(&f->uv);
    fake_client_read(&client);
    assert_non_null(strstr(client.in, "first-one")); /* before the exchange is over */
    assert_int_equal(cg_gateway_running(f->gateway), 1);
    answer(f, "127.1.0.2", "second-one");
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 200);
    assert_field(&response, "Content-Type", "text/event-stream");
    assert_field(&response, "X-Accel-Buffering", "no");
    assert_null(fake_response_field(&response, "Castgate-Summary"));
    assert_has_exchange_id(&response);
    assert_non_null(strstr(response.body, "second-one"));
    assert_non_null(strstr(response.body, "event: summary"));
    fake_response_fini(&response);
    fake_client_close(&client);
}

/* RFC 7240 §3: whether the preference was honoured. */
static void test_whoever_observes_is_told_so(void **state) {
    static const struct {
        const char *accept;
        bool observes;
    } rows[] = {{"text/event-stream", true}, {"application/json", false}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        struct fake_client client;
        char request[256];
        set_up(&f);
        connect_to(&f, &client);
        snprintf(request, sizeof request, "GET /quick HTTP/1.1\r\n" LOCAL "Accept: %s\r\nPrefer: observe\r\n\r\n",
                 rows[i].accept);
        struct fake_response response = ask(&f, &client, request);
        if (rows[i].observes) {
            assert_int_equal(response.status, 200);
            assert_field(&response, "Preference-Applied", "observe");
            assert_field(&response, "Vary", "Prefer");
        } else {
            assert_null(fake_response_field(&response, "Preference-Applied"));
            assert_null(fake_response_field(&response, "Vary"));
        }
        fake_response_fini(&response);
        fake_client_close(&client);
        tear_down(&f);
    }
}

/* What a browser's EventSource does after each stream. */
static void test_a_stream_that_was_had_is_not_made_again(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    connect_to(f, &client);
    fake_client_send_text(&client, "GET /lamps HTTP/1.1\r\n" LOCAL "Accept: text/event-stream\r\n\r\n");
    answer_twice(f);
    struct fake_response response = fake_client_response(&client, false, NULL);
    char id[64], again[256];
    const char *at = strstr(response.body, "\nid: ");
    assert_non_null(at);
    snprintf(id, sizeof id, "%.*s", (int)strcspn(at + 5, "\n"), at + 5);
    fake_response_fini(&response);
    snprintf(again, sizeof again,
             "GET /lamps HTTP/1.1\r\n" LOCAL "Accept: text/event-stream\r\nLast-Event-ID: %s\r\n\r\n", id);
    response = ask(f, &client, again);
    assert_int_equal(response.status, 204);
    assert_has_exchange_id(&response);
    assert_null(fake_response_field(&response, "X-Accel-Buffering"));
    assert_int_equal(f->sent_count, 0);
    assert_int_equal(cg_gateway_running(f->gateway), 0);
    fake_response_fini(&response);
    fake_client_close(&client);
}

/* An ID that no summary has, or a reply that is no stream. */
static void test_another_last_event_id_is_passed_over(void **state) {
    struct fixture *f = *state;
    static const char *const fields[] = {"Accept: text/event-stream\r\nLast-Event-ID: 17\r\n",
                                         "Accept: text/event-stream\r\nLast-Event-ID:\r\n",
                                         "Accept: text/event-stream\r\nLast-Event-ID: 0123456789abcdef\r\n",
                                         "Accept: application/json\r\nLast-Event-ID: 0123456789abcdef-summary\r\n"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct fake_client client;
        char request[256];
        connect_to(f, &client);
        snprintf(request, sizeof request, "GET /lamps HTTP/1.1\r\n" LOCAL "%s\r\n", fields[i]);
        fake_client_send_text(&client, request);
        answer_twice(f);
        struct fake_response response = fake_client_response(&client, false, NULL);
        assert_int_equal(response.status, 200);
        fake_response_fini(&response);
        fake_client_close(&client);
    }
}

static void test_nobody_answers(void **state) {
    (void)state;
    static const char *const requests[] = {"GET /quick HTTP/1.1\r\n" LOCAL "Multicast-Timeout: 0\r\n\r\n",
                                           "GET /lamps HTTP/1.1\r\n" LOCAL "Multicast-Timeout: 0\r\n\r\n",
                                           "GET /asking HTTP/1.1\r\n" LOCAL "Multicast-Timeout:\r\n\r\n"};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct fixture f;
        struct fake_client client;
        set_up(&f);
        connect_to(&f, &client);
        struct fake_response response = ask(&f, &client, requests[i]);
        assert_int_equal(response.status, 204);
        assert_has_exchange_id(&response);
        assert_int_equal(f.sent_count, 1);
        fake_response_fini(&response);
        fake_client_close(&client);
        tear_down(&f);
    }
}

/* Clients that know nothing of groups take no silence for a success. */
static void test_nobody_answers_a_plain_client(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    connect_to(f, &client);
    struct fake_response response = ask(f, &client, "GET /quick HTTP/1.1\r\n" LOCAL "Prefer: handling=strict\r\n\r\n");
    assert_int_equal(response.status, 504);
    assert_has_exchange_id(&response);
    assert_field(&response, "Content-Type", "application/problem+json");
    assert_field(&response, "Preference-Applied", "handling=strict");
    assert_field(&response, "Vary", "Prefer");
    assert_non_null(strstr(fake_response_field(&response, "Castgate-Summary"), "answered=0, failed=0, missing=0"));
    assert_non_null(strstr(response.body, "urn:castgate:problem:no-answer"));
    assert_non_null(strstr(response.body, "may have acted on it"));
    assert_null(fake_response_field(&response, "Retry-After"));
    assert_int_equal(f->sent_count, 1);
    fake_response_fini(&response);
    fake_client_close(&client);
}

/* Nothing is cast; what may be done is said, by the mapping and by the client's grant where that is known. */
static void test_options(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *request;
        int status;
        const char *allow;
    } rows[] = {
        {"OPTIONS / HTTP/1.0\r\n\r\n", 204, "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"},
        {"OPTIONS * HTTP/1.1\r\n" LOCAL "\r\n", 204, "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"},
        {"OPTIONS /lamps HTTP/1.1\r\n" LOCAL "Origin: http://evil.example\r\n\r\n", 403, NULL},
        {"OPTIONS /lamps HTTP/1.1\r\n" LOCAL
         "Origin: http://evil.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n",
         403, NULL},
        {"OPTIONS /lamps/a?b HTTP/1.1\r\n" LOCAL "\r\n", 204, "GET, HEAD, OPTIONS"},
        {"OPTIONS /closed HTTP/1.1\r\n" LOCAL "\r\n", 204, "GET, HEAD, PUT, OPTIONS"},
        {"OPTIONS /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\n\r\n", 204, "GET, HEAD, PUT, OPTIONS"},
        {"OPTIONS /read HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\n\r\n", 204, "GET, HEAD, OPTIONS"},
        {"OPTIONS /.well-known/core HTTP/1.1\r\n" LOCAL "\r\n", 204, "GET, HEAD, OPTIONS"},
        {"OPTIONS /lamps HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\n\r\n", 403, NULL},
        {"OPTIONS /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearer wrong\r\n\r\n", 401, NULL},
        {"OPTIONS /nowhere HTTP/1.1\r\n" LOCAL "\r\n", 404, NULL},
        {"OPTIONS /lamps HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fake_client client;
        connect_to(f, &client);
        struct fake_response response = ask(f, &client, rows[i].request);
        if (response.status != rows[i].status) fail_msg("row %zu: %s%s", i, response.head, response.body);
        if (rows[i].allow != NULL) assert_field(&response, "Allow", rows[i].allow);
        assert_null(strstr(response.head, "Access-Control"));
        assert_has_exchange_id(&response);
        fake_response_fini(&response);
        fake_client_close(&client);
    }
    assert_int_equal(f->sent_count, 0);
    assert_int_equal(cg_gateway_running(f->gateway), 0);
}

static void test_problems(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *request;
        int status;
        const char *type; /* behind urn:castgate:problem: */
        const char *field, *value;
    } rows[] = {
        {"GET /nowhere HTTP/1.1\r\n" LOCAL "\r\n", 404, "not-found", NULL, NULL},
        {"GET /lamps/../x HTTP/1.1\r\n" LOCAL "\r\n", 400, "bad-uri", NULL, NULL},
        {"GET /lamps%00 HTTP/1.1\r\n" LOCAL "\r\n", 400, "bad-uri", NULL, NULL},
        {"GET /asking HTTP/1.1\r\n" LOCAL "\r\n", 400, "multicast-timeout", "Multicast-Timeout", "0"},
        {"GET /lamps HTTP/1.1\r\n" LOCAL "Multicast-Timeout: x\r\n\r\n", 400, "multicast-timeout", NULL, NULL},
        {"GET /lamps HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "misdirected", NULL, NULL},
        {"GET /lamps HTTP/1.1\r\n" LOCAL LOCAL "\r\n", 400, "bad-request", NULL, NULL},
        {"GET /nowhere HTTP/1.0\r\n\r\n", 404, "not-found", NULL, NULL},
        {"TRACE /lamps HTTP/1.1\r\n" LOCAL "\r\n", 405, "method-not-allowed", "Allow", "GET, HEAD"},
        {"CONNECT localhost:80 HTTP/1.1\r\n" LOCAL "\r\n", 405, "method-not-allowed", NULL, NULL},
        {"PUT /lamps HTTP/1.1\r\n" LOCAL "Content-Length: 2\r\n\r\non", 403, "unsafe-method", NULL, NULL},
        {"PUT /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\nContent-Type: a/b\r\n"
         "Content-Length: 1\r\n\r\nx",
         415, "unsupported-media-type", NULL, NULL},
        /* who and may come before what is said */
        {"PUT /closed HTTP/1.1\r\n" LOCAL "Content-Type: a/b\r\nContent-Length: 1\r\n\r\nx", 401, "unauthorized", NULL,
         NULL},
        {"PUT /closed HTTP/1.1\r\n" LOCAL "Content-Length: 999999\r\n\r\n", 401, "unauthorized", NULL, NULL},
        {"PUT /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearer wrong\r\nContent-Length: 999999\r\n\r\n", 401,
         "unauthorized", NULL, NULL},
        {"GET /closed HTTP/1.1\r\n" LOCAL "Multicast-Timeout: x\r\n\r\n", 401, "unauthorized", NULL, NULL},
        {"GET /closed HTTP/1.1\r\n" LOCAL "No-Response: x\r\n\r\n", 401, "unauthorized", NULL, NULL},
        {"GET /closed HTTP/1.1\r\n" LOCAL "Content-Length: 1\r\n\r\nx", 401, "unauthorized", NULL, NULL},
        {"TRACE /closed HTTP/1.1\r\n" LOCAL "\r\n", 401, "unauthorized", NULL, NULL},
        {"PUT /read HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\nContent-Type: a/b\r\n"
         "Content-Length: 1\r\n\r\nx",
         403, "forbidden", NULL, NULL},
        {"PUT /read HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\nContent-Length: 999999\r\n\r\n", 403,
         "forbidden", NULL, NULL},
        {"PUT /read HTTP/1.1\r\n" LOCAL "Content-Length: 0\r\n\r\n", 401, "unauthorized", "WWW-Authenticate", "Bearer"},
        {"PUT /lamps HTTP/1.1\r\n" LOCAL "Content-Type: a/b\r\nContent-Length: 1\r\n\r\nx", 403, "unsafe-method", NULL,
         NULL},
        {"PUT /nowhere HTTP/1.1\r\n" LOCAL "Content-Type: a/b\r\nContent-Length: 1\r\n\r\nx", 404, "not-found", NULL,
         NULL},
        {"PUT /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\nContent-Length: 999999\r\n\r\n", 413,
         "too-large", NULL, NULL},
        {"GET /closed HTTP/1.1\r\n" LOCAL "\r\n", 401, "unauthorized", "WWW-Authenticate", "Bearer"},
        {"GET /lamps HTTP/1.1\r\n" LOCAL "Authorization: Bearer wrong\r\n\r\n", 401, "unauthorized", "WWW-Authenticate",
         "Bearer"},
        {"GET /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearer secre\r\n\r\n", 401, "unauthorized", NULL, NULL},
        {"GET /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret x\r\n\r\n", 401, "unauthorized", NULL, NULL},
        {"GET /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearer\r\n\r\n", 401, "unauthorized", NULL, NULL},
        {"GET /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearersecret\r\n\r\n", 401, "unauthorized", NULL, NULL},
        {"GET /closed HTTP/1.1\r\n" LOCAL "Authorization: Basic c2VjcmV0\r\n\r\n", 401, "unauthorized", NULL, NULL},
        {"GET /closed HTTP/1.1\r\n" LOCAL "Authorization:\r\n\r\n", 401, "unauthorized", NULL, NULL},
        {"GET /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\nAuthorization: Bearer secret\r\n\r\n", 401,
         "unauthorized", NULL, NULL},
        /* never taken for anonymous, where that would do */
        {"GET /lamps HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\nAuthorization: Bearer secret\r\n\r\n", 401,
         "unauthorized", NULL, NULL},
        {"GET /lamps HTTP/1.1\r\n" LOCAL "Authorization: Bearer wrong\r\nX: y\r\nauthorization: Bearer wrong\r\n\r\n",
         401, "unauthorized", NULL, NULL},
        {"GET /lamps HTTP/1.1\r\n" LOCAL "Authorization:\r\nAuthorization:\r\n\r\n", 401, "unauthorized", NULL, NULL},
        {"GET /lamps HTTP/1.1\r\n" LOCAL "Authorization:\r\n\r\n", 401, "unauthorized", NULL, NULL},
        {"GET /.well-known/core HTTP/1.1\r\n" LOCAL "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n\r\n", 401,
         "unauthorized", NULL, NULL},
        {"GET /lamps HTTP/1.1\r\n" LOCAL "Accept: application/coap-payload;cf=60\r\n\r\n", 406, "not-acceptable", NULL,
         NULL},
        {"DELETE /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\n\r\n", 405, "method-not-allowed", "Allow",
         "GET, HEAD, PUT"},
        {"GET /lamps HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\n\r\n", 403, "forbidden", NULL, NULL},
    };
    struct fake_client client;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        connect_to(f, &client);
        struct fake_response response = ask(f, &client, rows[i].request);
        if (response.status != rows[i].status) fail_msg("row %zu: %s%s", i, response.head, response.body);
        assert_field(&response, "Content-Type", "application/problem+json");
        assert_has_exchange_id(&response);
        assert_null(strstr(response.head, "Access-Control"));
        json_t *body = json_loadb(response.body, response.body_len, 0, NULL);
        assert_non_null(body);
        char type[80];
        snprintf(type, sizeof type, "urn:castgate:problem:%s", rows[i].type);
        assert_string_equal(json_string_value(json_object_get(body, "type")), type);
        assert_int_equal(json_integer_value(json_object_get(body, "status")), rows[i].status);
        assert_true(strlen(json_string_value(json_object_get(body, "detail"))) > 0);
        assert_string_equal(json_string_value(json_object_get(body, "exchange")),
                            fake_response_field(&response, "Castgate-Exchange"));
        json_decref(body);
        if (rows[i].field != NULL) assert_field(&response, rows[i].field, rows[i].value);
        fake_response_fini(&response);
        fake_client_close(&client);
    }
    assert_int_equal(f->sent_count, 0);
    assert_int_equal(cg_gateway_totals(f->gateway)->errors[-1 - CG_E_MISDIRECTED], 1);
}

/* Whoever waits for the core's turn is suspended, which is dear: what is refused is so at once. */
static void test_a_refusal_waits_for_nothing(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *request;
        int status;
    } rows[] = {{"GET /nothing HTTP/1.1\r\n" LOCAL "\r\n", 404},
                {"GET /closed HTTP/1.1\r\n" LOCAL "\r\n", 401},
                {"PUT /lamps HTTP/1.1\r\n" LOCAL "Content-Length: 0\r\n\r\n", 403}};
    struct fake_client client;
    uv_prepare_stop(&f->prepare);
    connect_to(f, &client);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake_client_send_text(&client, rows[i].request);
        struct fake_response response = fake_client_response(&client, false, NULL);
        assert_int_equal(response.status, rows[i].status);
        fake_response_fini(&response);
    }
    assert_int_equal(cg_gateway_running(f->gateway), 0);
    fake_client_close(&client);
}

static void test_known_client(void **state) {
    struct fixture *f = *state;
    static const char *const requests[] = {
        "GET /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\n\r\n",
        "GET /closed HTTP/1.1\r\nHost: gw.example:99\r\nauthorization: bearer   secret\r\n\r\n",
        "PUT /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\nContent-Type: text/plain\r\n"
        "Content-Length: 2\r\n\r\non"};
    struct fake_client client;
    connect_to(f, &client);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        fake_client_send_text(&client, requests[i]);
        answer_twice(f);
        struct fake_response response = fake_client_response(&client, false, NULL);
        if (response.status != 200) fail_msg("row %zu: %s%s", i, response.head, response.body);
        fake_response_fini(&response);
    }
    fake_client_close(&client);
}

static void take_off_loopback(struct cg_config *config) { config->http.listen[0].loopback = false; }

static void make_insecure(struct cg_config *config) {
    config->http.listen[0].loopback = false;
    config->http.listen[0].insecure = true;
}

static void test_anonymous_off_loopback(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up_with(&f, take_off_loopback);
    connect_to(&f, &client);
    struct fake_response response = ask(&f, &client, "GET /quick HTTP/1.1\r\n" LOCAL "\r\n");
    assert_int_equal(response.status, 401);
    fake_response_fini(&response);
    fake_client_close(&client);
    tear_down(&f);
    set_up_with(&f, make_insecure);
    connect_to(&f, &client);
    response = ask(&f, &client, "GET /quick HTTP/1.1\r\n" LOCAL "Multicast-Timeout: 0\r\n\r\n");
    assert_int_equal(response.status, 204);
    fake_response_fini(&response);
    fake_client_close(&client);
    tear_down(&f);
}

/* ---- Browsers ---- */

static void expect_problem(const struct fake_response *response, int status, const char *type) {
    char text[96];
    snprintf(text, sizeof text, "\"type\":\"urn:castgate:problem:%s\"", type);
    if (response->status != status || strstr(response->body, text) == NULL) {
        fail_msg("not %d %s: %s%s", status, type, response->head, response->body);
    }
}

static void test_pages_of_other_sites_send_nothing(void **state) {
    struct fixture *f = *state;
    static const char *const requests[] = {
        "GET /lamps HTTP/1.1\r\n" LOCAL "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n\r\n",
        "GET /lamps HTTP/1.1\r\n" LOCAL "Sec-Fetch-Site: same-site\r\n\r\n",
        "GET /lamps HTTP/1.1\r\n" LOCAL "Origin: null\r\n\r\n",
        "GET /closed HTTP/1.1\r\n" LOCAL "Authorization: Bearer secret\r\nOrigin: https://evil.example\r\n\r\n",
        "POST /lamps HTTP/1.1\r\n" LOCAL "Origin: https://evil.example\r\nX-HTTP-Method-Override: FETCH\r\n"
        "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
        "POST /lamps HTTP/1.1\r\n" LOCAL "Origin: https://evil.example\r\nSec-Fetch-Mode: navigate\r\n"
        "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
        "GET /.well-known/core HTTP/1.1\r\n" LOCAL "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n\r\n",
        "GET /hc/?target_uri=coap://224.0.1.187/ HTTP/1.1\r\n" LOCAL "Origin: https://evil.example\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct fake_client client;
        connect_to(f, &client);
        struct fake_response response = ask(f, &client, requests[i]);
        expect_problem(&response, 403, "cross-origin");
        assert_has_exchange_id(&response);
        assert_null(strstr(response.head, "Access-Control"));
        fake_response_fini(&response);
        fake_client_close(&client);
    }
    assert_int_equal(f->sent_count, 0);
    assert_int_equal(cg_gateway_running(f->gateway), 0);
}

#define DASH "Origin: https://dash.example\r\nSec-Fetch-Site: cross-site\r\n"

static void assert_readable(const struct fake_response *response) {
    assert_field(response, "Access-Control-Allow-Origin", "https://dash.example");
    assert_field(response, "Access-Control-Allow-Credentials", "true");
    assert_field(response, "Vary", "Origin");
    const char *exposed = fake_response_field(response, "Access-Control-Expose-Headers");
    assert_non_null(exposed);
    assert_non_null(strstr(exposed, "Castgate-Summary"));
    assert_non_null(strstr(exposed, "Multicast-Timeout"));
    assert_non_null(strstr(exposed, "Castgate-Member")); /* a single member's reply has these in its head */
    assert_non_null(strstr(exposed, "Reply-From"));
    assert_non_null(strstr(exposed, "ETag"));
}

static void test_a_named_origin_may_ask_and_read(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    connect_to(f, &client);
    fake_client_send_text(&client, "GET /lamps HTTP/1.1\r\n" LOCAL DASH "Accept: text/event-stream\r\n\r\n");
    answer_twice(f);
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 200);
    assert_readable(&response);
    fake_response_fini(&response);
    response = ask(f, &client, "GET /closed HTTP/1.1\r\n" LOCAL DASH "\r\n");
    expect_problem(&response, 401, "unauthorized");
    assert_readable(&response);
    fake_response_fini(&response);
    fake_client_close(&client);
}

/* It brings nothing by which to tell who it is, so nothing about the mapping is decided by it. */
static void test_a_preflight_sends_nothing(void **state) {
    struct fixture *f = *state;
    static const char *const paths[] = {"/lamps", "/closed/x?y", "/nowhere"};
    for (size_t i = 0; i < 3; i++) {
        struct fake_client client;
        char request[512];
        connect_to(f, &client);
        snprintf(request, sizeof request,
                 "OPTIONS %s HTTP/1.1\r\n" LOCAL DASH "Access-Control-Request-Method: PUT\r\n"
                 "Access-Control-Request-Headers: authorization,multicast-timeout\r\n\r\n",
                 paths[i]);
        struct fake_response response = ask(f, &client, request);
        assert_int_equal(response.status, 204);
        assert_readable(&response);
        assert_has_exchange_id(&response);
        assert_non_null(strstr(fake_response_field(&response, "Access-Control-Allow-Methods"), "PUT"));
        const char *headers = fake_response_field(&response, "Access-Control-Allow-Headers");
        assert_non_null(strstr(headers, "Authorization"));
        assert_non_null(strstr(headers, "Multicast-Timeout"));
        assert_field(&response, "Access-Control-Max-Age", "7200");
        fake_response_fini(&response);
        fake_client_close(&client);
    }
    assert_int_equal(f->sent_count, 0);
    assert_int_equal(cg_gateway_running(f->gateway), 0);
}

#define LINK "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nAccept: text/html\r\n"

static void test_a_link_leads_to_a_page_first(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    connect_to(f, &client);
    struct fake_response response = ask(f, &client, "GET /lamps/a?b=%22&c HTTP/1.1\r\n" LOCAL LINK "\r\n");
    assert_int_equal(response.status, 403);
    assert_field(&response, "Content-Type", "text/html; charset=utf-8");
    assert_has_exchange_id(&response);
    const char *policy = fake_response_field(&response, "Content-Security-Policy");
    assert_non_null(policy);
    assert_non_null(strstr(policy, "default-src 'none'"));
    assert_non_null(strstr(policy, "frame-ancestors 'none'"));
    assert_non_null(strstr(response.body, "lamps</b>"));
    assert_non_null(strstr(response.body, "<a href=\"/lamps/a?b=%22&amp;c\">"));
    assert_int_equal(f->sent_count, 0);
    fake_response_fini(&response);
    /* Where it could not go on, that is said instead. */
    response = ask(f, &client, "GET /closed HTTP/1.1\r\n" LOCAL LINK "\r\n");
    expect_problem(&response, 401, "unauthorized");
    fake_response_fini(&response);
    response = ask(f, &client, "GET /nowhere HTTP/1.1\r\n" LOCAL LINK "\r\n");
    expect_problem(&response, 404, "not-found");
    fake_response_fini(&response);
    assert_int_equal(cg_gateway_running(f->gateway), 0);
    /* The link on the page comes from here. */
    fake_client_send_text(&client, "GET /lamps/a HTTP/1.1\r\n" LOCAL
                                   "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n\r\n");
    answer_twice(f);
    response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 200);
    fake_response_fini(&response);
    fake_client_close(&client);
}

/* ---- Proxies ---- */

static void test_whoever_a_proxy_speaks_for_is_not_on_this_host(void **state) {
    struct fixture *f = *state;
    static const char *const fields[] = {"X-Forwarded-For: 192.0.2.4\r\n", "X-Forwarded-For: 127.0.0.1\r\n",
                                         "Forwarded: nonsense\r\n"};
    for (size_t i = 0; i < 3; i++) {
        struct fake_client client;
        char request[256];
        connect_to(f, &client);
        snprintf(request, sizeof request, "GET /quick HTTP/1.1\r\n" LOCAL "%s\r\n", fields[i]);
        struct fake_response response = ask(f, &client, request);
        expect_problem(&response, 401, "unauthorized");
        assert_non_null(strstr(response.body, "insecure"));
        fake_response_fini(&response);
        fake_client_close(&client);
    }
    assert_int_equal(f->sent_count, 0);
}

static void take_one_exchange_each(struct cg_config *config) {
    config->http.listen[0].insecure = true;
    config->limits.exchanges_per_client = 1;
}

static void send_for(struct fixture *f, struct fake_client *client, const char *field) {
    char request[256];
    connect_to(f, client);
    snprintf(request, sizeof request, "GET /lamps HTTP/1.1\r\n" LOCAL "%s\r\n", field);
    fake_client_send_text(client, request);
}

static bool are_two_running(void *ctx) { return cg_gateway_running(((struct fixture *)ctx)->gateway) == 2; }

static void test_limits_count_by_who_is_behind_the_proxy(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client one, other, again;
    set_up_with(&f, take_one_exchange_each);
    send_for(&f, &one, "X-Forwarded-For: 192.0.2.4\r\n");
    send_for(&f, &other, "X-Forwarded-For: 192.0.2.4, 192.0.2.5\r\n");
    fake_client_run_until(&f.uv, are_two_running, &f);
    send_for(&f, &again, "X-Forwarded-For: 198.51.100.9, 192.0.2.4\r\n");
    struct fake_response response = fake_client_response(&again, false, NULL);
    expect_problem(&response, 429, "too-many-requests");
    fake_response_fini(&response);
    fake_client_close(&one);
    fake_client_close(&other);
    fake_client_close(&again);
    tear_down(&f);
}

static void test_request_options_reach_the_group(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    connect_to(f, &client);
    fake_client_send_text(&client, "POST /lamps/a%2Fb?c=%20d HTTP/1.1\r\n" LOCAL "X-HTTP-Method-Override: FETCH\r\n"
                                   "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    wait_for_cast(f);
    struct cg_msg msg;
    struct cg_slice path, query, format;
    assert_int_equal(cg_msg_parse(&msg, cg_slice_of(f->sent, f->sent_len)), CG_OK);
    assert_int_equal(msg.type, CG_NON); /* R29 */
    assert_int_equal(msg.code, CG_FETCH);
    assert_true(cg_msg_find(&msg, CG_OPT_URI_PATH, &path) && cg_slice_is(path, "a/b"));
    assert_true(cg_msg_find(&msg, CG_OPT_URI_QUERY, &query) && cg_slice_is(query, "c= d"));
    assert_true(cg_msg_find(&msg, CG_OPT_CONTENT_FORMAT, &format) && format.len == 1 && format.data[0] == 50);
    assert_true(cg_slice_is(msg.payload, "{}"));
    fake_client_close(&client);
}

/* ---- The end of things ---- */

static bool is_gateway_idle(void *ctx) { return cg_gateway_running(((struct fixture *)ctx)->gateway) == 0; }

static void test_client_leaves(void **state) {
    (void)state;
    static const char *const requests[] = {"GET /lamps HTTP/1.1\r\n" LOCAL "\r\n",
                                           "GET /lamps HTTP/1.1\r\n" LOCAL "Accept: text/event-stream\r\n\r\n"};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct fixture f;
        struct fake_client client;
        set_up(&f);
        connect_to(&f, &client);
        fake_client_send_text(&client, requests[i]);
        wait_for_cast(&f);
        assert_int_equal(cg_gateway_running(f.gateway), 1);
        fake_client_close(&client);
        fake_client_run_until(&f.uv, is_gateway_idle, &f);
        tear_down(&f);
    }
}

static bool are_three_running(void *ctx) { return cg_gateway_running(((struct fixture *)ctx)->gateway) == 3; }

static void test_overload(void **state) {
    struct fixture *f = *state;
    struct fake_client clients[4];
    for (int i = 0; i < 3; i++) {
        connect_to(f, &clients[i]);
        fake_client_send_text(&clients[i], "GET /lamps HTTP/1.1\r\n" LOCAL "\r\n");
    }
    fake_client_run_until(&f->uv, are_three_running, f);
    connect_to(f, &clients[3]);
    struct fake_response response = ask(f, &clients[3], "GET /lamps HTTP/1.1\r\n" LOCAL "\r\n");
    assert_int_equal(response.status, 503);
    assert_field(&response, "Retry-After", "1");
    fake_response_fini(&response);
    for (int i = 0; i < 4; i++) fake_client_close(&clients[i]);
    fake_client_run_until(&f->uv, is_gateway_idle, f);
}

static bool has_no_connections(void *ctx) { return cg_front_http_connections(((struct fixture *)ctx)->front) == 0; }

static void test_graceful_stop(void **state) {
    struct fixture *f = *state;
    struct fake_client waiting, late;
    connect_to(f, &late);
    fake_client_send_text(&late, "GET /lamps HT");
    connect_to(f, &waiting);
    fake_client_send_text(&waiting, "GET /lamps HTTP/1.1\r\n" LOCAL "\r\n");
    wait_for_cast(f);
    cg_gateway_stop(f->gateway);
    fake_client_send_text(&late, "TP/1.1\r\n" LOCAL "\r\n");
    struct fake_response response = fake_client_response(&late, false, NULL);
    assert_int_equal(response.status, 503);
    assert_field(&response, "Retry-After", "1");
    assert_non_null(strstr(response.body, "urn:castgate:problem:stopping"));
    fake_response_fini(&response);
    cg_front_http_stop(f->front);
    answer_twice(f);
    response = fake_client_response(&waiting, false, NULL);
    assert_int_equal(response.status, 200);
    assert_field(&response, "Connection", "close");
    fake_response_fini(&response);
    fake_client_run_until(&f->uv, has_no_connections, f);
    assert_int_equal(cg_gateway_running(f->gateway), 0);
    fake_client_close(&waiting);
    fake_client_close(&late);
}

static void test_close_with_a_running_exchange(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client client;
    set_up(&f);
    connect_to(&f, &client);
    fake_client_send_text(&client, "GET /lamps HTTP/1.1\r\n" LOCAL "\r\n");
    wait_for_cast(&f);
    tear_down(&f);
    fake_client_close(&client);
}

/* ---- Admin ---- */

static void check_admin(struct fixture *f, const char *request, int status, const char *contains) {
    struct fake_client client;
    fake_client_open(&client, &f->uv, &cg_admin_listen(f->admin, 0)->addr);
    struct fake_response response = ask(f, &client, request);
    if (response.status != status || strstr(response.body, contains) == NULL) {
        fail_msg("%s: %s%s", request, response.head, response.body);
    }
    assert_field(&response, "Cache-Control", "no-store");
    assert_int_equal(fake_response_field(&response, "Retry-After") != NULL, status == 503);
    assert_null(strstr(response.head, "Access-Control"));
    fake_response_fini(&response);
    fake_client_close(&client);
}

static void send_to_lamps(struct fixture *f) {
    struct fake_client client;
    connect_to(f, &client);
    struct fake_response response = ask(f, &client, "GET /lamps HTTP/1.1\r\n" LOCAL "Multicast-Timeout: 0\r\n\r\n");
    assert_int_equal(response.status, 204);
    fake_response_fini(&response);
    fake_client_close(&client);
}

static void test_admin(void **state) {
    struct fixture *f = *state;
    send_to_lamps(f); /* a mapping has figures from its first request on */
    check_admin(f, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n", 200, "ok");
    check_admin(f, "GET /readyz HTTP/1.1\r\n" LOCAL "\r\n", 200, "ok");
    check_admin(f, "GET /readyz HTTP/1.0\r\n\r\n", 200, "ok");
    check_admin(f, "GET /healthz HTTP/1.1\r\n" LOCAL "Sec-Fetch-Site: none\r\n\r\n", 200, "ok");
    check_admin(f, "GET /healthz HTTP/1.1\r\n" LOCAL "Sec-Fetch-Site: cross-site\r\n\r\n", 403, "cross-origin");
    check_admin(f, "GET /healthz HTTP/1.1\r\n" LOCAL DASH "\r\n", 403, "cross-origin");
    check_admin(f, "HEAD /healthz?x HTTP/1.1\r\n" LOCAL "\r\n", 200, "");
    check_admin(f, "GET /metrics HTTP/1.1\r\n" LOCAL "\r\n", 200, "\ncastgate_exchanges_running 0\n");
    check_admin(f, "GET /metrics HTTP/1.1\r\n" LOCAL "\r\n", 200, "mapping=\"lamps\"");
    check_admin(f, "GET /metrics HTTP/1.1\r\n" LOCAL "\r\n", 200, "\ncastgate_uptime_seconds 0.");
    check_admin(f, "GET /metrics HTTP/1.1\r\n" LOCAL "\r\n", 200, "\ncastgate_build_info{version=");
    check_admin(f, "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "misdirected");
    check_admin(f, "GET /metrics HTTP/1.1\r\nHost: gw.example\r\n\r\n", 421, "misdirected");
    check_admin(f, "GET /metrics HTTP/1.1\r\n" LOCAL LOCAL "\r\n", 400, "bad-request");
    check_admin(f, "POST /metrics HTTP/1.1\r\n" LOCAL "\r\n", 405, "method-not-allowed");
    check_admin(f, "POST /metrics HTTP/1.1\r\n" LOCAL "Content-Length: 1\r\n\r\nx", 413, "too-large");
    check_admin(f, "GET /metrics/ HTTP/1.1\r\n" LOCAL "\r\n", 404, "not-found");
    check_admin(f, "GET /lamps HTTP/1.1\r\n" LOCAL "\r\n", 404, "not-found");
    check_admin(f, "GET * HTTP/1.1\r\n" LOCAL "\r\n", 404, "not-found");
    cg_gateway_stop(f->gateway);
    check_admin(f, "GET /readyz HTTP/1.1\r\n" LOCAL "\r\n", 503, "stopping");
    check_admin(f, "GET /healthz HTTP/1.1\r\n" LOCAL "\r\n", 200, "ok");
}

/* Whether the second of two requests at once says that it has joined the first; a machine that is slow enough makes two
 * of them. */
static bool second_says_that_it_joined(struct fixture *f) {
    struct fake_client first, second;
    connect_to(f, &first);
    connect_to(f, &second);
    fake_client_send_text(&first, "GET /quick HTTP/1.1\r\n" LOCAL "\r\n");
    fake_client_send_text(&second, "GET /quick HTTP/1.1\r\n" LOCAL "\r\n");
    struct fake_response one = fake_client_response(&first, false, NULL);
    struct fake_response two = fake_client_response(&second, false, NULL);
    unsigned said = 0;
    said += strstr(fake_response_field(&one, "Castgate-Summary"), ", joined_ms=") != NULL;
    said += strstr(fake_response_field(&two, "Castgate-Summary"), ", joined_ms=") != NULL;
    assert_true(said < 2); /* whoever was first joined nobody */
    fake_response_fini(&one);
    fake_response_fini(&two);
    fake_client_close(&first);
    fake_client_close(&second);
    return said == 1;
}

static void test_a_request_that_joins_another_says_so(void **state) {
    struct fixture *f = *state;
    bool said = false;
    for (int i = 0; i < 20 && !said; i++) said = second_says_that_it_joined(f);
    assert_true(said);
}

/* R60: what a mapping did shows in the figures. */
static void test_metrics_count(void **state) {
    struct fixture *f = *state;
    struct fake_client client;
    connect_to(f, &client);
    fake_client_send_text(&client, "GET /lamps HTTP/1.1\r\n" LOCAL "\r\n");
    answer_twice(f);
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 200);
    fake_response_fini(&response);
    check_admin(f, "GET /metrics HTTP/1.1\r\n" LOCAL "\r\n", 200, "answered_total{mapping=\"lamps\"} 2\n");
    check_admin(f, "GET /metrics HTTP/1.1\r\n" LOCAL "\r\n", 200, "sent_total{mapping=\"lamps\"} 1\n");
    fake_client_close(&client);
}

int main(void) {
    cg_log_set_level(CG_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        front_test(test_multipart_reply),
        front_test(test_links),
        cmocka_unit_test(test_connections_follow_the_exchanges),
        cmocka_unit_test(test_half_of_the_connections_are_for_who_does_not_observe),
        front_test(test_json_reply),
        front_test(test_event_stream),
        cmocka_unit_test(test_whoever_observes_is_told_so),
        front_test(test_a_stream_that_was_had_is_not_made_again),
        front_test(test_another_last_event_id_is_passed_over),
        cmocka_unit_test(test_nobody_answers),
        front_test(test_nobody_answers_a_plain_client),
        front_test(test_options),
        front_test(test_problems),
        front_test(test_a_refusal_waits_for_nothing),
        front_test(test_known_client),
        cmocka_unit_test(test_anonymous_off_loopback),
        front_test(test_pages_of_other_sites_send_nothing),
        front_test(test_a_named_origin_may_ask_and_read),
        front_test(test_a_preflight_sends_nothing),
        front_test(test_a_link_leads_to_a_page_first),
        front_test(test_whoever_a_proxy_speaks_for_is_not_on_this_host),
        cmocka_unit_test(test_limits_count_by_who_is_behind_the_proxy),
        front_test(test_request_options_reach_the_group),
        cmocka_unit_test(test_client_leaves),
        front_test(test_overload),
        front_test(test_graceful_stop),
        cmocka_unit_test(test_close_with_a_running_exchange),
        front_test(test_admin),
        front_test(test_a_request_that_joins_another_says_so),
        front_test(test_metrics_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
