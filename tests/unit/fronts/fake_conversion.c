#include "fake_conversion.h"

const struct castgate_encoder mixed = {.media_type = "multipart/mixed"};
const struct castgate_encoder json = {.media_type = "application/json"};
static int begin(const struct castgate_host *host, struct castgate_call *call) {
    (void)host, (void)call;
    return 0;
}
const struct castgate_encoder sse = {.media_type = "text/event-stream", .begin = begin};
static const struct castgate_plugin plugins[] = {{.name = "mixed", .ops.encoder = &mixed},
                                                 {.name = "json", .ops.encoder = &json},
                                                 {.name = "sse", .ops.encoder = &sse}};
static const struct castgate_plugin *const plugin_list[] = {&plugins[0], &plugins[1], &plugins[2]};
static const struct cg_encoder_list encoders = {.plugins = plugin_list, .count = 3};

static const char *further_hosts[] = {"gw.example", "other.example:9000", "[2001:db8::1]:80"};

void set_up(struct conversion *f) {
    *f = (struct conversion){0};
    f->config.http.hosts = further_hosts;
    f->config.http.host_count = sizeof further_hosts / sizeof further_hosts[0];
    f->config.limits.request_body = 1000;
    assert_int_equal(cg_addr_parse(&f->listen.addr, cg_slice_str("127.0.0.1:8080"), 0), CG_OK);
    cg_arena_init(&f->arena, 1 << 20, NULL);
}

void split_fields(struct conversion *f, const char *text) {
    while (*text != '\0') {
        assert_true(f->field_count < FIELDS_MAX);
        size_t name = strcspn(text, ":"), line = strcspn(text, "\n");
        assert_true(name < line && text[line] == '\n');
        f->fields[f->field_count++] =
            (struct cg_http_field){cg_slice_of(text, name), cg_slice_of(text + name + 1, line - name - 1)};
        text += line + 1;
    }
}

int convert(struct conversion *f, struct cg_slice method, struct cg_slice target, struct cg_slice body) {
    uint8_t *exact = malloc(target.len + 1);
    assert_non_null(exact);
    memcpy(exact + 1, target.data, target.len);
    struct cg_http_message message = {.method = method,
                                      .target = cg_slice_of(exact + 1, target.len),
                                      .fields = f->fields,
                                      .field_count = f->field_count,
                                      .body = body,
                                      .is_http_1_0 = f->is_http_1_0};
    const struct cg_http_parts parts = {.request = &f->request,
                                        .arena = &f->arena,
                                        .config = &f->config,
                                        .listen = &f->listen,
                                        .encoders = &encoders,
                                        .message = &message,
                                        .problem = &f->problem};
    int err = cg_from_http_head(&parts);
    f->request.proof = f->proof;
    if (err == CG_OK) err = cg_from_http_rest(&parts, f->mapping, &f->encoder);
    free(exact);
    if (err < 0) assert_int_equal(err, f->problem.err);
    return err;
}

int from(struct conversion *f, const char *method, const char *target, const char *fields, const char *body) {
    set_up(f);
    split_fields(f, fields);
    return convert(f, cg_slice_str(method), cg_slice_str(target), cg_slice_str(body));
}

void tear_down(struct conversion *f) { cg_arena_fini(&f->arena); }

void assert_slice(struct cg_slice slice, const char *text) {
    if (!cg_slice_is(slice, text)) fail_msg("\"%.*s\" is not \"%s\"", (int)slice.len, (const char *)slice.data, text);
}

void check_refusals(const struct refusal *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct conversion f;
        int err = from(&f, rows[i].method, rows[i].target, rows[i].fields, rows[i].body);
        if (err != rows[i].err || strstr(f.problem.detail, rows[i].detail) == NULL) {
            fail_msg("row %zu: %s %s {%s}: %d (%s)", i, rows[i].method, rows[i].target, rows[i].fields, err,
                     f.problem.detail);
        }
        tear_down(&f);
    }
}
