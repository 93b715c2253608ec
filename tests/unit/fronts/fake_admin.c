#include "fake_admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/container.h"
#include "builtin.h"
#include "io/loop.h"
#include "settings/stored.h"

/* SHA-256 of "secret", and of "public". */
static const char settings[] =
    "{\"http\": {\"listen\": [\"127.0.0.1:8080\"]}, \"admin\": {\"listen\": [\"127.0.0.1:8081\"]},"
    " \"group\": {\"interface\": \"lo\"},"
    " \"clients\": {\"boss\": {\"role\": \"admin\", \"token_sha256\":"
    "   \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"},"
    "  \"looker\": {\"role\": \"viewer\", \"token_sha256\":"
    "   \"efa1f375d76194fa51a3556a97e641e61685f914d446979da50a551a4333ffd7\"}},"
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

static void set_protectors(struct cg_config *config) {
    for (uint32_t i = 0; i < config->mapping_count; i++) {
        struct cg_mapping *mapping = cg_config_mapping(config, i);
        if (mapping != NULL) mapping->protector = cg_protector_none();
    }
}

static void load(struct fake_admin *f) {
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    if (cg_settings_parse(cg_slice_str(settings), "/", &f->config, &mistakes) < 0)
        fail_msg("%s: %s", mistakes.first->pointer, mistakes.first->message);
    cg_mistakes_fini(&mistakes);
    f->config->admin.listen[0].addr.port = 0; /* any free one */
    set_protectors(f->config);
}

/* ---- The catalogue ---- */

static struct fake_admin *fixture_of(const struct cg_catalogue *catalogue) {
    return CG_CONTAINER((struct cg_catalogue *)(uintptr_t)catalogue, struct fake_admin, catalogue);
}

static void on_idle(uv_idle_t *idle) {
    struct fake_admin *f = idle->data;
    struct cg_proposal *proposal = f->proposal;
    struct cg_stored stored = {
        .edits = proposal->edits, .edit_count = proposal->edit_count, .in_use = cg_gateway_config(f->gateway)};
    struct cg_item **items = cg_manage_items(f->manage, &stored.count);
    stored.items = items;
    uv_idle_stop(idle);
    proposal->err =
        cg_settings_parse_stored(cg_slice_str(settings), "/", &stored, &proposal->config, &proposal->mistakes);
    if (proposal->config != NULL) set_protectors(proposal->config);
    free(items);
    proposal->done(proposal);
}

static void propose(struct cg_catalogue *catalogue, struct cg_proposal *proposal) {
    struct fake_admin *f = fixture_of(catalogue);
    f->proposal = proposal;
    uv_idle_start(&f->idle, on_idle);
}

static void adopt(struct cg_catalogue *catalogue, struct cg_proposal *proposal) {
    struct fake_admin *f = fixture_of(catalogue);
    struct cg_config *was = f->config;
    cg_gateway_adopt(f->gateway, proposal->config);
    f->config = proposal->config;
    proposal->config = NULL;
    cg_config_unref(was);
}

static void drop_proposal(struct cg_catalogue *catalogue, struct cg_proposal *proposal) {
    (void)catalogue;
    cg_config_unref(proposal->config);
    proposal->config = NULL;
}

static struct cg_config *in_use(const struct cg_catalogue *catalogue) { return fixture_of(catalogue)->config; }

static int64_t clock_ms(void) { return 1700000000000; }

static bool hear_of_none(void *ctx, struct cg_item *item) {
    (void)ctx, (void)item;
    return false;
}

static struct cg_items_file *open_file(const char *folder) {
    struct cg_problem problem = {0};
    struct cg_items_file *file = cg_items_file_new(folder, NULL);
    assert_int_equal(cg_items_load(file, hear_of_none, NULL, &problem), CG_OK);
    return file;
}

static void open_manage(struct fake_admin *f) {
    const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(f->folder, sizeof f->folder, "%s/castgate-admin-XXXXXX", place);
    assert_non_null(mkdtemp(f->folder));
    f->disk = cg_worker_new();
    assert_non_null(f->disk);
    cg_worker_open(f->disk, &f->uv);
    uv_idle_init(&f->uv, &f->idle);
    f->idle.data = f;
    f->catalogue = (struct cg_catalogue){.propose = propose, .adopt = adopt, .drop = drop_proposal, .in_use = in_use};
    const struct cg_manage_options options = {
        .catalogue = &f->catalogue, .file = open_file(f->folder), .disk = f->disk, .clock_ms = clock_ms};
    f->manage = cg_manage_new(&options, NULL, 0);
    assert_non_null(f->manage);
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
    open_manage(f);
    struct cg_problem problem = {0};
    const struct cg_admin_source source = {.worker = f->worker, .manage = f->manage};
    f->admin = cg_admin_open(&f->uv, f->gateway, &source, &problem);
    if (f->admin == NULL) fail_msg("%s", problem.detail);
    return 0;
}

static void on_closed(void *ctx) { ((struct fake_admin *)ctx)->closed++; }

int fake_admin_teardown(void **state) {
    struct fake_admin *f = *state;
    char command[96];
    cg_admin_close(f->admin, on_closed, f);
    cg_manage_stop(f->manage);
    while (!cg_manage_is_idle(f->manage)) uv_run(&f->uv, UV_RUN_ONCE);
    cg_worker_close(f->worker, on_closed, f);
    cg_worker_close(f->disk, on_closed, f);
    uv_close((uv_handle_t *)&f->idle, NULL);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_int_equal(f->closed, 3);
    cg_worker_free(f->worker);
    cg_worker_free(f->disk);
    cg_manage_free(f->manage);
    cg_gateway_free(f->gateway);
    cg_config_unref(f->config);
    assert_int_equal(uv_loop_close(&f->uv), 0);
    snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
    int status = system(command);
    free(f);
    return status;
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
