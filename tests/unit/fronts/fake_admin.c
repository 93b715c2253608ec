#include "fake_admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "builtin.h"
#include "io/loop.h"
#include "settings/settings.h"

/* SHA-256 of "secret". */
static const char settings[] =
    "{\"http\": {\"listen\": [\"127.0.0.1:8080\"]}, \"admin\": {\"listen\": [\"127.0.0.1:8081\"]},"
    " \"group\": {\"interface\": \"lo\"},"
    " \"clients\": {\"boss\": {\"token_sha256\":"
    "   \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"}},"
    " \"mappings\": [{\"name\": \"lamps\", \"path\": \"/lamps\", \"security\": \"none\","
    "   \"group\": \"coap://224.0.1.187/\", \"timeout\": 1, \"clients\": [\"anonymous\"]}]}";

static int emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    (void)ctx, (void)route, (void)datagram, (void)problem;
    return CG_OK;
}

static void fill_random(void *ctx, void *to, size_t len) {
    (void)ctx;
    for (size_t i = 0; i < len; i++) ((uint8_t *)to)[i] = (uint8_t)i;
}

static uint64_t kernel_drops(void *ctx) {
    (void)ctx;
    return 0;
}

static void wake(void *ctx) { (void)ctx; }

static void load(struct fake_admin *f) {
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    if (cg_settings_parse(cg_slice_str(settings), "/", &f->config, &mistakes) < 0)
        fail_msg("%s: %s", mistakes.first->pointer, mistakes.first->message);
    cg_mistakes_fini(&mistakes);
    f->config->admin.listen[0].addr.port = 0; /* any free one */
    for (size_t i = 0; i < f->config->mapping_count; i++) f->config->mappings[i].protector = cg_protector_none();
}

int fake_admin_setup(void **state) {
    struct fake_admin *f = calloc(1, sizeof *f);
    assert_non_null(f);
    *state = f;
    f->port =
        (struct cg_port){.ctx = f, .emit = emit, .random = fill_random, .kernel_drops = kernel_drops, .wake = wake};
    load(f);
    assert_int_equal(uv_loop_init(&f->uv), 0);
    f->worker = cg_worker_new();
    assert_non_null(f->worker);
    cg_worker_open(f->worker, &f->uv);
    f->gateway = cg_gateway_new(f->config, &f->port);
    assert_non_null(f->gateway);
    struct cg_problem problem = {0};
    const struct cg_admin_source source = {.worker = f->worker};
    f->admin = cg_admin_open(&f->uv, f->gateway, &source, &problem);
    if (f->admin == NULL) fail_msg("%s", problem.detail);
    return 0;
}

static void on_closed(void *ctx) { ((struct fake_admin *)ctx)->closed++; }

int fake_admin_teardown(void **state) {
    struct fake_admin *f = *state;
    cg_admin_close(f->admin, on_closed, f);
    cg_worker_close(f->worker, on_closed, f);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_int_equal(f->closed, 2);
    cg_worker_free(f->worker);
    cg_gateway_free(f->gateway);
    cg_config_unref(f->config);
    assert_int_equal(uv_loop_close(&f->uv), 0);
    free(f);
    return 0;
}

void fake_admin_connect(struct fake_admin *f, struct fake_client *client) {
    fake_client_open(client, &f->uv, &cg_admin_listen(f->admin, 0)->addr);
}

struct fake_response fake_admin_ask(struct fake_admin *f, const char *method, const char *target, const char *fields,
                                    const char *body) {
    char head[4096];
    struct fake_client client;
    snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, target, fields);
    fake_admin_connect(f, &client);
    fake_client_send_text(&client, head);
    if (body != NULL) {
        if (strstr(fields, "Content-Type:") == NULL)
            fake_client_send_text(&client, "Content-Type: application/json\r\n");
        snprintf(head, sizeof head, "Content-Length: %zu\r\n", strlen(body));
        fake_client_send_text(&client, head);
    }
    fake_client_send_text(&client, "\r\n");
    if (body != NULL) fake_client_send_text(&client, body);
    struct fake_response response = fake_client_response(&client, strcmp(method, "HEAD") == 0, NULL);
    fake_client_close(&client);
    return response;
}

void fake_admin_expect(struct fake_admin *f, const char *method, const char *target, const char *fields,
                       const char *body, int status, const char *part) {
    struct fake_response response = fake_admin_ask(f, method, target, fields, body);
    if (response.status != status)
        fail_msg("%s %s: %d, not %d: %s", method, target, response.status, status, response.body);
    if (part != NULL && strstr(response.body, part) == NULL)
        fail_msg("%s %s: no %s in: %s", method, target, part, response.body);
    fake_response_fini(&response);
}
