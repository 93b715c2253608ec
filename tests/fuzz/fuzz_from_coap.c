/* CoAP to a request: a byte of how it came, the code, then options and payload as a message has them. What is accepted
 * is good in every respect that the core relies on. */
#include "input.h"

#include "fronts/coap/all_nodes.h"
#include "model/forward.h"
#include "model/mapping.h"
#include "model/route.h"
#include "settings/settings.h"

enum { FROM_LOOPBACK = 1 };

static struct {
    const char *name, *path, *host;
    struct cg_target target;
} mappings[] = {
    {"root", "", "lights.example", {.uri = "coap://224.0.1.189/"}},
    {"a", "/a", NULL, {.uri = "coap://224.0.1.187/a"}},
    {"ab", "/a/b", NULL, {.uri = "coap://224.0.1.187/a/b/"}},
    {"encoded", "/a%2Fb/c", NULL, {.uri = "coap://[ff35:30::1]:61616/x"}},
    {"rd", "/.well-known/rd", NULL, {.uri = "coap://lights.example/"}},
};
static struct cg_grant everybody = {.methods = CG_METHODS_ALL};
static struct cg_coap_listen listen;

/* Built once: a conversion changes nothing in it. */
static struct cg_config *config(void) {
    static struct cg_config *made;
    if (made != NULL) return made;
    made = cg_settings_defaults();
    CG_CHECK(made != NULL);
    made->limits.request_body = 1000;
    listen = (struct cg_coap_listen){.scheme = CG_SCHEME_COAP, .listen = {.insecure = true}};
    listen.listen.addr = (struct cg_addr){.family = CG_FAMILY_IPV4, .port = CG_COAP_PORT, .ip = {127, 0, 0, 1}};
    made->coap.listen = &listen;
    made->coap.listen_count = 1;
    made->mapping_count = sizeof mappings / sizeof mappings[0];
    made->mappings = cg_arena_zalloc(&made->arena, made->mapping_count * sizeof *made->mappings);
    CG_CHECK(made->mappings != NULL);
    for (size_t i = 0; i < made->mapping_count; i++) {
        mappings[i].target.path = cg_slice_str("/x");
        made->mappings[i] = (struct cg_mapping){.name = mappings[i].name,
                                                .path = mappings[i].path,
                                                .host = mappings[i].host,
                                                .grants = &everybody,
                                                .grant_count = 1,
                                                .forward = true,
                                                .targets = &mappings[i].target,
                                                .target_count = 1};
    }
    mappings[0].target.path = CG_SLICE_NONE;
    CG_CHECK(cg_config_index(made) == CG_OK);
    return made;
}

static void check_text(struct cg_slice text) {
    for (size_t i = 0; i < text.len; i++) {
        CG_CHECK(text.data[i] > ' ' && text.data[i] < 0x7f && strchr("#\\\"<>^`{|}", text.data[i]) == NULL);
        CG_CHECK(text.data[i] != '%' || text.len - i < 3 || memcmp(text.data + i, "%00", 3) != 0);
    }
}

static void check_path(struct cg_slice path) {
    struct cg_buf normal;
    cg_buf_init(&normal, 0);
    CG_CHECK(path.len > 0 && path.data[0] == '/');
    CG_CHECK(cg_mapping_normal_path(&normal, path) == CG_OK);
    CG_CHECK(cg_slice_equal(path, cg_buf_slice(&normal)));
    cg_buf_fini(&normal);
    check_text(path);
    CG_CHECK(!cg_uri_has_dot_segment(path) && memchr(path.data, '?', path.len) == NULL);
}

/* In normal form, by UDP, and what it becomes again. */
static void check_target(struct cg_slice path) {
    struct cg_uri uri;
    struct cg_buf text;
    CG_CHECK(cg_uri_parse(&uri, path, NULL) == CG_OK && uri.scheme == CG_SCHEME_COAP);
    CG_CHECK(uri.addr.port != CG_COAPS_PORT && !uri.has_query && uri.path.len > 0);
    CG_CHECK(!cg_uri_has_dot_segment(uri.path));
    cg_buf_init(&text, 0);
    cg_uri_emit_normal(&text, &uri);
    CG_CHECK(cg_slice_equal(cg_buf_slice(&text), path));
    cg_buf_fini(&text);
}

/* Nothing that says where it goes to is left, nor what is between the client and this hop. */
static void check_options(const struct cg_request *request) {
    const struct cg_option_numbers *numbers = &config()->options;
    uint32_t before = 0, protected = 0;
    for (size_t i = 0; i < request->options.count; i++) {
        uint16_t number = request->options.list[i].number;
        CG_CHECK(number >= before);
        CG_CHECK(number != CG_OPT_URI_HOST && number != CG_OPT_URI_PORT && number != CG_OPT_PROXY_URI);
        CG_CHECK(number != CG_OPT_PROXY_SCHEME && number != numbers->proxy_cri);
        CG_CHECK(number != CG_OPT_URI_PATH && number != CG_OPT_URI_QUERY && number != numbers->proxy_scheme_number);
        CG_CHECK(number != numbers->multicast_timeout && number != CG_OPT_OBSERVE);
        CG_CHECK(number != CG_OPT_BLOCK1 && number != CG_OPT_BLOCK2);
        CG_CHECK(!cg_opt_is_unsafe(number) || number == CG_OPT_NO_RESPONSE);
        protected += number == CG_OPT_OSCORE;
        before = number;
    }
    CG_CHECK(protected <= 1);
}

static void check_request(struct cg_request *request, struct cg_arena *arena) {
    struct cg_opts opts;
    CG_CHECK(request->method >= CG_GET && request->method <= CG_IPATCH);
    CG_CHECK(request->payload.len <= config()->limits.request_body);
    for (size_t i = 0; i < request->host.len; i++) CG_CHECK(request->host.data[i] < 'A' || request->host.data[i] > 'Z');
    check_text(request->query);
    check_options(request);
    if (request->forward) {
        check_text(request->path);
        check_target(request->path);
        return;
    }
    check_path(request->path);
    int err = cg_uri_decompose(&opts, arena, request->path, CG_SLICE_NONE, request->query, CG_SLICE_NONE);
    CG_CHECK(err == CG_OK || err == CG_E_BAD_URI); /* a segment may be too long */
}

static void check_problem(int err, const struct cg_problem *problem) {
    CG_CHECK(problem->err == err && cg_err_info(err)->coap_code >= CG_CODE(4, 0));
    CG_CHECK(memchr(problem->detail, 0, sizeof problem->detail) != NULL && problem->detail[0] != 0);
    for (const char *at = problem->detail; *at != '\0'; at++) CG_CHECK(*at >= ' ' && *at <= '~');
}

static void convert(struct cg_coap_message *message) {
    struct cg_request request = {.reached = listen.listen.addr, .may_be_anonymous = true};
    struct cg_problem problem = {0};
    struct cg_coap_extras extras;
    struct cg_arena arena;
    cg_arena_init(&arena, 1 << 20, NULL);
    const struct cg_from_coap from = {
        .config = config(), .message = message, .arena = &arena, .request = &request, .problem = &problem};
    int err = cg_from_coap_head(&from, &extras);
    if (err == CG_OK && extras.meant != CG_COAP_STOP) {
        err = cg_from_coap_rest(&from, &extras);
        if (err == CG_OK) check_request(&request, &arena);
        CG_CHECK((extras.meant == CG_COAP_DISCOVERY) == request.discovery);
    }
    if (err < 0) check_problem(err, &problem);
    cg_arena_fini(&arena);
}

/* The same as a question to All CoAP Nodes: answered by one datagram, that is a message, or not at all. */
static void ask_all_nodes(uint8_t how, const struct cg_coap_message *message) {
    struct cg_all_nodes_way way = {.own = listen.listen.addr, .is_local = (how & FROM_LOOPBACK) != 0};
    struct cg_all_nodes_question question;
    uint8_t bytes[2 * CG_ALL_NODES_QUESTION_MAX], answer[CG_ALL_NODES_ANSWER_MAX] = {0x50, message->code};
    struct cg_arena arena;
    size_t len = 4;
    memcpy(bytes, answer, len);
    if (message->options.len + message->payload.len + len + 1 > sizeof bytes) return;
    if (message->options.len > 0) memcpy(bytes + len, message->options.data, message->options.len);
    len += message->options.len;
    if (message->payload.len > 0) bytes[len++] = 0xff;
    if (message->payload.len > 0) memcpy(bytes + len, message->payload.data, message->payload.len);
    len += message->payload.len;
    struct cg_slice datagram = input_exact(cg_slice_of(bytes, len));
    cg_arena_init(&arena, 1 << 16, NULL);
    way.from = (struct cg_addr){.family = CG_FAMILY_IPV4, .port = 40000, .ip = {127, 0, 0, 1}};
    if (cg_all_nodes_understand(config(), &way, datagram, &arena, &question)) {
        struct cg_msg made;
        size_t answered = cg_all_nodes_answer(&question, cg_slice_of(bytes, sizeof bytes), 7, answer);
        CG_CHECK(answered > 0 && cg_msg_parse(&made, cg_slice_of(answer, answered)) == CG_OK);
        CG_CHECK(made.type == CG_NON && made.code == CG_CODE(2, 5) && message->code == CG_GET);
    }
    cg_arena_fini(&arena);
    input_free(datagram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, size};
    uint8_t how = input_u8(&input);
    struct cg_msg parsed = {.code = input_u8(&input)};
    CG_CHECK(config() != NULL);
    if (!cg_code_is_request(parsed.code)) return 0;
    struct cg_slice body = input_exact(input_bytes(&input, input.len));
    if (cg_msg_parse_body(&parsed, body) == CG_OK) {
        struct cg_coap_message message = {.code = parsed.code, .options = parsed.options, .payload = parsed.payload};
        convert(&message);
        ask_all_nodes(how, &message);
    }
    input_free(body);
    return 0;
}
