/* HTTP to a request: METHOD SP TARGET, then header lines "Name:value", an empty line, the body. What is accepted is
 * good in every respect that the core relies on. */
#include "input.h"

#include "base/text.h"
#include "fronts/http/forwarded.h"
#include "fronts/http/options.h"
#include "fronts/http/origin.h"
#include "model/forward.h"
#include "model/links.h"
#include "model/mapping.h"
#include "settings/settings.h"

enum { FIELDS_MAX = 24 };

static const struct castgate_encoder mixed = {.media_type = "multipart/mixed"};
static const struct castgate_encoder json = {.media_type = "application/json"};
static const struct castgate_encoder sse = {.media_type = "text/event-stream"};
static const struct castgate_plugin plugins[] = {{.name = "mixed", .ops.encoder = &mixed},
                                                 {.name = "json", .ops.encoder = &json},
                                                 {.name = "sse", .ops.encoder = &sse}};
static const struct castgate_plugin *const plugin_list[] = {&plugins[0], &plugins[1], &plugins[2]};
static const struct cg_encoder_list encoders = {.plugins = plugin_list, .count = 3};
static const char *further_hosts[] = {"gw.example", "other.example:9000"};
static const char *origins[] = {"https://dash.example"};
static struct cg_prefix proxy = {.addr = {.family = CG_FAMILY_IPV4, .ip = {127}}, .bits = 8};

static struct {
    const char *name, *path, *host;
    struct cg_target target; /* without URI: not for the forward proxy */
} mappings[] = {
    {"root", "", NULL, {.uri = "coap://224.0.1.187/"}},
    {"a", "/a", NULL, {.uri = "coap://224.0.1.187/a"}},
    {"ab", "/a/b", NULL, {.uri = "coap://224.0.1.187/a/b/"}},
    {"encoded", "/a%2Fb/c", NULL, {.uri = "coap://224.0.1.187/a%2Fb"}},
    {"slashes", "//", NULL, {.uri = "coap://[ff35:30::1]:61616/x"}},
    {"hosted", "/a", "localhost", {.uri = NULL}},
    {"tilde", "/~x", NULL, {.uri = "coap://lights.example/"}},
    {"named", "", "gw.example", {.uri = NULL}},
};
static struct cg_grant everybody = {.methods = CG_METHODS_ALL};

/* Built once: a conversion changes nothing in it. */
static struct cg_config *config(void) {
    static struct cg_config *made;
    if (made != NULL) return made;
    made = cg_settings_defaults();
    CG_CHECK(made != NULL);
    made->http.hosts = further_hosts;
    made->http.host_count = 2;
    made->http.origins = origins;
    made->http.origin_count = 1;
    made->http.trusted_proxies = &proxy;
    made->http.trusted_proxy_count = 1;
    made->limits.request_body = 1000;
    made->mapping_count = sizeof mappings / sizeof mappings[0];
    made->mappings = cg_arena_zalloc(&made->arena, made->mapping_count * sizeof *made->mappings);
    CG_CHECK(made->mappings != NULL);
    for (size_t i = 0; i < made->mapping_count; i++) {
        made->mappings[i].name = mappings[i].name;
        made->mappings[i].path = mappings[i].path;
        made->mappings[i].host = mappings[i].host;
        made->mappings[i].grants = &everybody;
        made->mappings[i].grant_count = 1;
        made->mappings[i].forward = mappings[i].target.uri != NULL;
        made->mappings[i].targets = &mappings[i].target;
        made->mappings[i].target_count = 1;
    }
    CG_CHECK(cg_config_index(made) == CG_OK);
    return made;
}

static void check_path(struct cg_slice path) {
    struct cg_buf normal;
    cg_buf_init(&normal, 0);
    CG_CHECK(path.len > 0 && path.data[0] == '/');
    CG_CHECK(cg_mapping_normal_path(&normal, path) == CG_OK);
    CG_CHECK(cg_slice_equal(path, cg_buf_slice(&normal)));
    cg_buf_fini(&normal);
    struct cg_slice rest = path, segment;
    while (cg_uri_next_segment(&rest, &segment)) CG_CHECK(!cg_uri_is_dot_segment(segment));
    for (size_t i = 0; i < path.len; i++) {
        CG_CHECK(path.data[i] > ' ' && path.data[i] < 0x7f && strchr("?#\\", path.data[i]) == NULL);
        CG_CHECK(path.data[i] != '%' || memcmp(path.data + i, "%00", 3) != 0);
    }
}

/* A request option is one of those that from_http may set, in the form that the option's format wants. */
static void check_option(const struct cg_opt *opt) {
    switch (opt->number) {
    case CG_OPT_IF_MATCH:
    case CG_OPT_IF_NONE_MATCH: CG_CHECK(opt->value.len == 0); break;
    case CG_OPT_CONTENT_FORMAT:
    case CG_OPT_ACCEPT: CG_CHECK(opt->value.len <= 2 && (opt->value.len == 0 || opt->value.data[0] != 0)); break;
    case CG_OPT_OSCORE: CG_CHECK(opt->value.len <= 255 && (opt->value.len != 1 || opt->value.data[0] != 0)); break;
    case CG_OPT_NO_RESPONSE: CG_CHECK(opt->value.len <= 1 && (opt->value.len == 0 || opt->value.data[0] != 0)); break;
    default: CG_CHECK(opt->number == 0);
    }
}

static void check_mapping(const struct cg_request *request) {
    struct cg_slice rest = CG_SLICE_NONE;
    const struct cg_mapping *mapping = cg_mapping_find(config(), request->host, request->path, &rest);
    CG_CHECK(mapping != NULL); /* there is one for the root */
    CG_CHECK(mapping->host == NULL || cg_slice_is(request->host, mapping->host));
    size_t prefix = strlen(mapping->path);
    CG_CHECK(prefix + rest.len == request->path.len);
    CG_CHECK(memcmp(mapping->path, request->path.data, prefix) == 0);
    CG_CHECK(rest.len == 0 || rest.data[0] == '/');
}

/* A target URI is in normal form: what it becomes again. */
static void check_target_uri(const struct cg_request *request) {
    struct cg_uri uri;
    struct cg_buf text;
    CG_CHECK(!request->discovery);
    CG_CHECK(cg_uri_parse(&uri, request->path, NULL) == CG_OK && cg_uri_check_target(&uri, NULL) == CG_OK);
    CG_CHECK(!uri.has_query && uri.path.len > 0);
    cg_buf_init(&text, 0);
    cg_uri_emit_normal(&text, &uri);
    CG_CHECK(cg_slice_equal(cg_buf_slice(&text), request->path));
    cg_buf_fini(&text);
    struct cg_slice rest = CG_SLICE_NONE;
    const struct cg_mapping *mapping = cg_forward_find(config(), request->path, &rest);
    if (mapping == NULL) return;
    CG_CHECK(cg_forward_is_open(mapping));
    CG_CHECK(rest.len == 0 || rest.data[0] == '/');
    CG_CHECK(memcmp(mapping->targets[0].uri, request->path.data, request->path.len - rest.len) == 0);
}

static void check_links(struct cg_request *request) {
    struct cg_buf links;
    request->may_be_anonymous = true;
    struct cg_problem problem = {0};
    cg_buf_init(&links, 0);
    struct cg_links *under_way = cg_links_begin(config(), request, &problem);
    CG_CHECK(under_way != NULL || problem.err == CG_E_BAD_URI);
    if (under_way == NULL) return;
    while (cg_links_go_on(under_way, 1)) continue;
    CG_CHECK(cg_links_end(under_way, &links, &problem) == CG_OK);
    cg_buf_fini(&links);
}

static void check_request(struct cg_request *request, const struct cg_http_message *message, struct cg_arena *arena) {
    CG_CHECK(request->method >= CG_GET && request->method <= CG_IPATCH);
    CG_CHECK(!request->head_only || request->method == CG_GET);
    CG_CHECK(request->client == NULL);
    CG_CHECK(cg_slice_equal(request->payload, message->body));
    CG_CHECK(request->payload.len <= config()->limits.request_body);
    CG_CHECK(request->traceparent.len == 0 || request->traceparent.len == 55);
    CG_CHECK(request->no_response <= UINT8_MAX);
    CG_CHECK(request->host.len > 0);
    for (size_t i = 0; i < request->host.len; i++) CG_CHECK(request->host.data[i] < 'A' || request->host.data[i] > 'Z');
    uint16_t last = 0;
    for (size_t i = 0; i < request->options.count; i++) {
        CG_CHECK(request->options.list[i].number > last);
        check_option(&request->options.list[i]);
        last = request->options.list[i].number;
    }
    if (request->discovery) check_links(request);
    if (request->forward) {
        check_target_uri(request);
        return;
    }
    check_path(request->path);
    struct cg_opts opts;
    int err = cg_uri_decompose(&opts, arena, request->path, CG_SLICE_NONE, request->query, CG_SLICE_NONE);
    CG_CHECK(err == CG_OK || err == CG_E_BAD_URI);
    check_mapping(request);
}

static void check_problem(int err, const struct cg_problem *problem) {
    CG_CHECK(problem->err == err && cg_err_info(err)->http_status >= 400);
    CG_CHECK(memchr(problem->detail, 0, sizeof problem->detail) != NULL && problem->detail[0] != 0);
    for (const char *at = problem->detail; *at != '\0'; at++) CG_CHECK(*at >= ' ' && *at <= '~');
}

static size_t read_fields(struct input *input, struct cg_http_field fields[FIELDS_MAX]) {
    size_t count = 0;
    while (count < FIELDS_MAX && input->len > 0) {
        struct cg_slice line = input_until(input, '\n');
        if (line.len == 0) break;
        struct input field = {line.data, line.len};
        struct cg_slice name = input_until(&field, ':');
        fields[count++] = (struct cg_http_field){input_exact(name), input_exact(cg_slice_of(field.data, field.len))};
    }
    return count;
}

/* From which site, and for whom: whatever is said, an origin that is allowed is one of the settings', and an address
 * that counts is one. */
static void check_sender(const struct cg_http_message *message) {
    const struct cg_http_settings *settings = &config()->http;
    const char *allowed;
    struct cg_addr from, peer = {.family = CG_FAMILY_IPV4, .port = 4711, .ip = {127, 0, 0, 1}};
    enum cg_origin origin = cg_http_origin(settings, message, &allowed);
    CG_CHECK((origin == CG_ORIGIN_ALLOWED) == (allowed != NULL));
    struct cg_problem problem = {0};
    check_problem(cg_http_refuse_origin(message, &problem), &problem);
    (void)cg_forwarded_from(settings, message, &peer, &from);
    CG_CHECK(from.family != CG_FAMILY_NONE && from.port == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, size};
    struct cg_http_field fields[FIELDS_MAX];
    struct cg_http_message message = {.fields = fields};
    struct cg_listen listen = {.addr = {.family = CG_FAMILY_IPV4, .port = 8080, .ip = {127, 0, 0, 1}}};
    message.method = input_exact(input_until(&input, ' '));
    message.target = input_exact(input_until(&input, '\n'));
    message.field_count = read_fields(&input, fields);
    message.body = input_exact(input_bytes(&input, input.len));

    check_sender(&message);
    struct cg_request request = {0};
    const struct castgate_encoder *encoder = NULL;
    struct cg_problem problem = {0};
    struct cg_arena arena;
    cg_arena_init(&arena, 1 << 20, NULL);
    const struct cg_http_parts parts = {.request = &request,
                                        .arena = &arena,
                                        .config = config(),
                                        .listen = &listen,
                                        .encoders = &encoders,
                                        .message = &message,
                                        .problem = &problem};
    int err = cg_from_http_head(&parts);
    CG_CHECK(err == CG_OK || err < 0);
    if (err == CG_OK && cg_http_is_options(&message)) {
        uint32_t methods;
        if (cg_http_options(&parts, &methods) < 0) check_problem(problem.err, &problem);
    } else if (err == CG_OK && (err = cg_from_http_rest(&parts, &config()->mappings[0], &encoder)) == CG_OK) {
        CG_CHECK(encoder != NULL);
        check_request(&request, &message, &arena);
    } else {
        check_problem(err, &problem);
    }
    cg_arena_fini(&arena);
    input_free(message.body);
    input_free(message.target);
    input_free(message.method);
    for (size_t i = 0; i < message.field_count; i++) {
        input_free(fields[i].name);
        input_free(fields[i].value);
    }
    return 0;
}
