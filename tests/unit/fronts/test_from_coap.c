/* CoAP to requests: each form in which a target is said, each option that a hop reads, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fronts/coap/from_coap.h"

enum { OPTIONS_MAX = 8, MULTICAST_TIMEOUT = 2, URI_PATH_ABBREV = 13, GROUP_ETAG = 24 };
enum { PROXY_CRI = 235, PROXY_SCHEME_NUMBER = 239, REPLY_FROM = 248 };

struct option {
    uint16_t number;
    const char *value; /* NULL ends a list */
    size_t len;
};
#define OPT(number, value)                                                                                             \
    { number, value, sizeof value - 1 }

struct conversion {
    struct cg_config config;
    struct cg_target targets[3];
    struct cg_mapping mappings[3];
    struct cg_arena arena;
    struct cg_request request;
    struct cg_coap_extras extras;
    struct cg_problem problem;
    uint8_t bytes[4096];
};

/* Mappings: /floor3, reachable by forward requests below /light; one for a host's own space; and one for the forward
 * proxy alone, whose group has no path. */
static void set_up(struct conversion *f) {
    *f = (struct conversion){0};
    f->config.options = (struct cg_option_numbers){.multicast_timeout = MULTICAST_TIMEOUT,
                                                   .reply_from = REPLY_FROM,
                                                   .group_etag = GROUP_ETAG,
                                                   .uri_path_abbrev = URI_PATH_ABBREV,
                                                   .proxy_cri = PROXY_CRI,
                                                   .proxy_scheme_number = PROXY_SCHEME_NUMBER};
    f->config.limits.request_body = 1000;
    cg_arena_init(&f->config.arena, 1 << 20, NULL);
    cg_arena_init(&f->arena, 1 << 20, NULL);
    f->targets[0] = (struct cg_target){.uri = "coap://224.0.1.187/light", .path = cg_slice_str("/light")};
    f->targets[1] = (struct cg_target){.uri = "coap://224.0.1.188/"};
    f->targets[2] = (struct cg_target){.uri = "coap://224.0.1.189/"};
    f->mappings[0] = (struct cg_mapping){.name = "floor3", .path = "/floor3", .forward = true};
    f->mappings[1] = (struct cg_mapping){.name = "hosted", .path = "", .host = "lights.example"};
    f->mappings[2] = (struct cg_mapping){.name = "forward", .path = "/f", .forward = true};
    for (size_t i = 0; i < 3; i++) {
        f->mappings[i].targets = &f->targets[i];
        f->mappings[i].target_count = 1;
    }
    f->config.mappings = f->mappings;
    f->config.mapping_count = 3;
    assert_int_equal(cg_config_index(&f->config), CG_OK);
    assert_int_equal(cg_addr_parse(&f->request.reached, cg_slice_str("127.0.0.1:5683"), 0), CG_OK);
}

static void tear_down(struct conversion *f) {
    cg_arena_fini(&f->arena);
    cg_arena_fini(&f->config.arena);
}

/* The message's options, in a block of their exact size: the caller frees. */
static struct cg_slice encode(struct conversion *f, const struct option *options) {
    struct cg_msg_writer writer;
    cg_msg_begin_inner(&writer, f->bytes, sizeof f->bytes, CG_GET);
    for (size_t i = 0; i < OPTIONS_MAX && options[i].value != NULL; i++)
        cg_msg_put_opt(&writer, options[i].number, cg_slice_of(options[i].value, options[i].len));
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    uint8_t *exact = malloc((size_t)len);
    assert_non_null(exact);
    memcpy(exact, f->bytes + 1, (size_t)len - 1);
    return cg_slice_of(exact, (size_t)len - 1);
}

static int convert(struct conversion *f, uint8_t code, const struct option *options, const char *payload) {
    struct cg_slice encoded = encode(f, options);
    const struct cg_coap_message message = {
        .code = code, .options = encoded, .payload = cg_slice_str(payload == NULL ? "" : payload)};
    const struct cg_from_coap from = {
        .config = &f->config, .message = &message, .arena = &f->arena, .request = &f->request, .problem = &f->problem};
    int err = cg_from_coap_head(&from, &f->extras);
    if (err == CG_OK && f->extras.meant != CG_COAP_STOP) err = cg_from_coap_rest(&from, &f->extras);
    if (err < 0) assert_int_equal(err, f->problem.err);
    free((void *)(uintptr_t)encoded.data);
    return err;
}

static void check_text(const char *name, const char *what, struct cg_slice got, const char *wanted) {
    if (cg_slice_is(got, wanted == NULL ? "" : wanted)) return;
    fail_msg("%s: %s is \"%.*s\", not \"%s\"", name, what, (int)got.len, (const char *)got.data, wanted);
}

/* ---- Where a request goes to ---- */

struct target_case {
    const char *name;
    struct option options[OPTIONS_MAX];
    int err;          /* CG_OK: the others hold */
    const char *path; /* of this gateway's, or the forward proxy's whole target */
    const char *query;
    const char *host;
    uint16_t port;
    enum cg_coap_meant meant;
};

#define GROUP "coap://224.0.1.187"

static void check_target(const struct target_case *row) {
    struct conversion f;
    set_up(&f);
    int err = convert(&f, CG_GET, row->options, NULL);
    if (err != row->err) fail_msg("%s: %d (%s)", row->name, err, f.problem.detail);
    if (err == CG_OK) {
        check_text(row->name, "path", f.request.path, row->path);
        check_text(row->name, "query", f.request.query, row->query);
        check_text(row->name, "host", f.request.host, row->host);
        assert_int_equal(f.request.port, row->port);
        assert_int_equal(f.extras.meant, row->meant);
        if (f.request.forward != (row->path != NULL && row->path[0] == 'c')) fail_msg("%s: forward", row->name);
    }
    tear_down(&f);
}
#define CHECK_TARGETS(rows)                                                                                            \
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) check_target(&rows[i])

static void paths_of_this_gateway(void **state) {
    (void)state;
    static const struct target_case rows[] = {
        {"segments", {OPT(11, "floor3"), OPT(11, "status")}, .path = "/floor3/status"},
        {"none", {{0}}, .path = "/"},
        {"an empty one", {OPT(11, "")}, .path = "/"},
        {"empty ones", {OPT(11, "floor3"), OPT(11, ""), OPT(11, "")}, .path = "/floor3//"},
        {"a slash is data", {OPT(11, "a/b")}, .path = "/a%2Fb"},
        {"a percent sign is data", {OPT(11, "a%2f")}, .path = "/a%252f"},
        {"a question mark is data", {OPT(11, "a?b#c")}, .path = "/a%3Fb%23c"},
        {"UTF-8", {OPT(11, "\xc3\xa4")}, .path = "/%C3%A4"},
        {"query", {OPT(11, "floor3"), OPT(15, "a=1"), OPT(15, "b&c")}, .path = "/floor3", .query = "a=1&b%26c"},
        {"an empty argument", {OPT(11, "floor3"), OPT(15, "")}, .path = "/floor3", .query = ""},
        {"two empty arguments", {OPT(11, "floor3"), OPT(15, ""), OPT(15, "")}, .path = "/floor3", .query = "&"},
        {"host", {OPT(3, "Lights.Example"), OPT(11, "x")}, .path = "/x", .host = "lights.example"},
        {"host with a final dot", {OPT(3, "lights.example.")}, .path = "/", .host = "lights.example"},
        {"host that is an address", {OPT(3, "127.0.0.1")}, .path = "/", .host = "127.0.0.1"},
        {"host that is an IPv6 address", {OPT(3, "[::1]")}, .path = "/", .host = "[::1]"},
        {"the same without brackets", {OPT(3, "::1")}, .path = "/", .host = "[::1]"},
        {"port", {OPT(7, "\x16\x34"), OPT(11, "x")}, .path = "/x", .port = 5684},
        {"discovery",
         {OPT(11, ".well-known"), OPT(11, "core")},
         .path = "/.well-known/core",
         .meant = CG_COAP_DISCOVERY},
        {"dot segment", {OPT(11, "floor3"), OPT(11, "..")}, .err = CG_E_BAD_URI},
        {"dot segment alone", {OPT(11, ".")}, .err = CG_E_BAD_URI},
        {"an encoded dot segment is data", {OPT(11, "%2e%2e")}, .path = "/%252e%252e"},
        {"NUL", {OPT(11, "a\0b")}, .err = CG_E_BAD_URI},
        {"no UTF-8", {OPT(11, "\xff")}, .err = CG_E_BAD_URI},
        {"query that is no UTF-8", {OPT(15, "\xc3")}, .err = CG_E_BAD_URI},
        {"host with a space", {OPT(3, "a b")}, .err = CG_E_BAD_URI},
        {"host with a slash", {OPT(3, "a/b")}, .err = CG_E_BAD_URI},
        {"host that is empty", {OPT(3, "")}, .err = CG_E_BAD_OPTION},
        {"two hosts", {OPT(3, "a"), OPT(3, "b")}, .err = CG_E_BAD_OPTION},
        {"port of three bytes", {OPT(7, "\1\2\3")}, .err = CG_E_BAD_OPTION},
    };
    CHECK_TARGETS(rows);
}

static void targets_of_the_forward_proxy(void **state) {
    (void)state;
    static const struct target_case rows[] = {
        {"Proxy-Uri", {OPT(35, GROUP "/light?a=1")}, .path = GROUP "/light", .query = "a=1"},
        {"in normal form", {OPT(35, "COAP://224.0.1.187:5683/%6Cight")}, .path = GROUP "/light"},
        {"without path", {OPT(35, GROUP)}, .path = GROUP "/"},
        {"a member's address", {OPT(35, "coap://127.1.0.3:5683/status")}, .path = "coap://127.1.0.3/status"},
        {"a name", {OPT(35, "coap://Lights.example/a")}, .path = "coap://lights.example/a"},
        {"Uri-* beside Proxy-Uri do not count",
         {OPT(3, "x"), OPT(11, "y"), OPT(15, "z"), OPT(35, GROUP "/l")},
         .path = GROUP "/l"},
        {"Proxy-Scheme",
         {OPT(3, "224.0.1.187"), OPT(11, "light"), OPT(15, "a=1"), OPT(39, "coap")},
         .path = GROUP "/light",
         .query = "a=1"},
        {"Proxy-Scheme with port",
         {OPT(3, "224.0.1.187"), OPT(7, "\x1e\x61"), OPT(39, "coap")},
         .path = GROUP ":7777/"},
        {"Proxy-Scheme in upper case", {OPT(3, "224.0.1.187"), OPT(39, "COAP")}, .path = GROUP "/"},
        {"Proxy-Scheme and a name", {OPT(3, "Lights.Example"), OPT(39, "coap")}, .path = "coap://lights.example/"},
        {"Proxy-Scheme and IPv6", {OPT(3, "[ff35::1]"), OPT(11, "a"), OPT(39, "coap")}, .path = "coap://[ff35::1]/a"},
        {"the same without brackets", {OPT(3, "ff35::1"), OPT(39, "coap")}, .path = "coap://[ff35::1]/"},
        {"with a zone", {OPT(3, "fe80::1%eth1"), OPT(39, "coap")}, .path = "coap://[fe80::1%25eth1]/"},
        {"segments stay segments", {OPT(3, "224.0.1.187"), OPT(11, "a/b"), OPT(39, "coap")}, .path = GROUP "/a%2Fb"},
        {"Proxy-Scheme-Number", {OPT(3, "224.0.1.187"), OPT(11, "light"), OPT(239, "\0")}, .path = GROUP "/light"},
        {"the same, empty", {OPT(3, "224.0.1.187"), OPT(239, "")}, .path = GROUP "/"},
        {"Proxy-Cri",
         {OPT(235, "\x84\x20\x81\x44\xe0\x00\x01\xbb\x81\x65light\x81\x63"
                   "a=1")},
         .path = GROUP "/light",
         .query = "a=1"},
    };
    CHECK_TARGETS(rows);
}

static void targets_that_are_refused(void **state) {
    (void)state;
#define CRI "\x82\x20\x81\x44\xe0\x00\x01\xbb"
    static const struct target_case rows[] = {
        {"coaps", {OPT(35, "coaps://224.0.1.187/light")}, .err = CG_E_PROXYING},
        {"coap+tcp", {OPT(35, "coap+tcp://224.0.1.187/light")}, .err = CG_E_PROXYING},
        {"DTLS's port", {OPT(35, GROUP ":5684/light")}, .err = CG_E_PROXYING},
        {"http", {OPT(35, "http://224.0.1.187/")}, .err = CG_E_PROXYING},
        {"urn", {OPT(35, "urn:x")}, .err = CG_E_PROXYING},
        {"no URI", {OPT(35, "/light")}, .err = CG_E_BAD_URI},
        {"fragment", {OPT(35, GROUP "/#a")}, .err = CG_E_BAD_URI},
        {"user information", {OPT(35, "coap://a@224.0.1.187/")}, .err = CG_E_BAD_URI},
        {"dot segment", {OPT(35, GROUP "/a/%2e%2E/b")}, .err = CG_E_BAD_URI},
        {"NUL", {OPT(35, GROUP "/%00")}, .err = CG_E_BAD_URI},
        {"NUL in the query", {OPT(35, GROUP "/?a%00")}, .err = CG_E_BAD_URI},
        {"NUL in a path of ours", {OPT(35, "coap://127.0.0.1/%00")}, .err = CG_E_BAD_URI},
        {"Proxy-Uri twice", {OPT(35, GROUP), OPT(35, GROUP)}, .err = CG_E_BAD_OPTION},
        {"Proxy-Uri, empty", {OPT(35, "")}, .err = CG_E_BAD_OPTION},
        {"Proxy-Uri and Proxy-Scheme", {OPT(35, GROUP), OPT(39, "coap")}, .err = CG_E_BAD_REQUEST},
        {"Proxy-Scheme of others", {OPT(3, "224.0.1.187"), OPT(39, "http")}, .err = CG_E_PROXYING},
        {"Proxy-Scheme that is none", {OPT(3, "224.0.1.187"), OPT(39, "coap://x")}, .err = CG_E_PROXYING},
        {"coaps by Proxy-Scheme", {OPT(3, "224.0.1.187"), OPT(39, "coaps")}, .err = CG_E_PROXYING},
        {"DTLS's port by Uri-Port", {OPT(3, "224.0.1.187"), OPT(7, "\x16\x34"), OPT(39, "coap")}, .err = CG_E_PROXYING},
        {"port 0", {OPT(3, "224.0.1.187"), OPT(7, ""), OPT(39, "coap")}, .err = CG_E_BAD_URI},
        {"both schemes", {OPT(3, "224.0.1.187"), OPT(39, "coap"), OPT(239, "")}, .err = CG_E_BAD_REQUEST},
        {"Proxy-Scheme-Number of http", {OPT(3, "224.0.1.187"), OPT(239, "\2")}, .err = CG_E_PROXYING},
        {"Proxy-Scheme-Number of coaps", {OPT(3, "224.0.1.187"), OPT(239, "\1")}, .err = CG_E_PROXYING},
        {"Proxy-Scheme-Number of four bytes", {OPT(3, "a"), OPT(239, "\0\0\0\1")}, .err = CG_E_BAD_OPTION},
        {"a host that is more", {OPT(3, "224.0.1.187/light"), OPT(39, "coap")}, .err = CG_E_BAD_URI},
        {"a host with a port", {OPT(3, "224.0.1.187:1"), OPT(39, "coap")}, .err = CG_E_BAD_URI},
        {"a zone that is more", {OPT(3, "[fe80::1%a]/b]"), OPT(39, "coap")}, .err = CG_E_BAD_URI},
        {"Proxy-Cri and Uri-Path", {OPT(11, "a"), OPT(235, CRI)}, .err = CG_E_BAD_REQUEST},
        {"Proxy-Cri and Uri-Host", {OPT(3, "a"), OPT(235, CRI)}, .err = CG_E_BAD_REQUEST},
        {"Proxy-Cri and Proxy-Uri", {OPT(35, GROUP), OPT(235, CRI)}, .err = CG_E_BAD_REQUEST},
        {"Proxy-Cri of http", {OPT(235, "\x82\x22\x81\x61h")}, .err = CG_E_PROXYING},
        {"Proxy-Cri of coaps", {OPT(235, "\x82\x21\x81\x61h")}, .err = CG_E_PROXYING},
        {"Proxy-Cri that is none", {OPT(235, "\x80")}, .err = CG_E_BAD_URI},
    };
    CHECK_TARGETS(rows);
}

/* RFC 7252 §5.7.2: then it is a local request. */
static void the_gateway_itself_is_no_target(void **state) {
    (void)state;
    static const struct target_case rows[] = {
        {"by Proxy-Uri",
         {OPT(35, "coap://127.0.0.1/floor3?a")},
         .path = "/floor3",
         .query = "a",
         .host = "127.0.0.1",
         .port = 5683},
        {"by name", {OPT(35, "coap://localhost:5683/floor3")}, .path = "/floor3", .host = "localhost", .port = 5683},
        {"by Proxy-Scheme",
         {OPT(3, "127.0.0.1"), OPT(11, "floor3"), OPT(39, "coap")},
         .path = "/floor3",
         .host = "127.0.0.1",
         .port = 5683},
        {"by no Uri-Host", {OPT(11, "floor3"), OPT(39, "coap")}, .path = "/floor3"},
        {"its discovery",
         {OPT(35, "coap://127.0.0.1/.well-known/core")},
         .path = "/.well-known/core",
         .host = "127.0.0.1",
         .port = 5683,
         .meant = CG_COAP_DISCOVERY},
        {"another port is another", {OPT(35, "coap://127.0.0.1:5685/x")}, .path = "coap://127.0.0.1:5685/x"},
    };
    CHECK_TARGETS(rows);
}

static void abbreviated_paths(void **state) {
    (void)state;
#define ABBREV_RD  OPT(URI_PATH_ABBREV, "\1")
#define ABBREV_ODD OPT(URI_PATH_ABBREV, "\x63")
    static const struct target_case rows[] = {
        {"known", {ABBREV_RD}, .path = "/.well-known/rd"},
        {"of two bytes", {OPT(URI_PATH_ABBREV, "\x01\x2d")}, .path = "/.well-known/est/crts"},
        {"discovery", {OPT(URI_PATH_ABBREV, "")}, .path = "/.well-known/core", .meant = CG_COAP_DISCOVERY},
        {"with a query", {ABBREV_RD, OPT(15, "ep=a")}, .path = "/.well-known/rd", .query = "ep=a"},
        {"beside Uri-Path", {OPT(11, "a"), ABBREV_RD}, .err = CG_E_BAD_OPTION},
        {"beside an empty Uri-Path", {OPT(11, ""), ABBREV_RD}, .err = CG_E_BAD_OPTION},
        {"twice", {ABBREV_RD, ABBREV_RD}, .err = CG_E_BAD_OPTION},
        {"of five bytes", {OPT(URI_PATH_ABBREV, "\0\0\0\0\1")}, .err = CG_E_BAD_OPTION},
        {"unknown", {ABBREV_ODD}, .err = CG_E_BAD_OPTION},
        {"unknown, where any path goes on",
         {OPT(3, "lights.example"), ABBREV_ODD},
         .path = "/",
         .host = "lights.example"},
        {"with Proxy-Scheme",
         {OPT(3, "224.0.1.188"), ABBREV_RD, OPT(39, "coap")},
         .path = "coap://224.0.1.188/.well-known/rd"},
        {"with Proxy-Uri", {ABBREV_RD, OPT(35, "coap://224.0.1.188/")}, .path = "coap://224.0.1.188/.well-known/rd"},
        {"with Proxy-Uri's path", {ABBREV_RD, OPT(35, "coap://224.0.1.188/a")}, .err = CG_E_BAD_OPTION},
        {"unknown with Proxy-Uri", {ABBREV_ODD, OPT(35, "coap://224.0.1.189")}, .path = "coap://224.0.1.189/"},
    };
    CHECK_TARGETS(rows);
}

static void an_abbreviation_goes_on_only_unknown(void **state) {
    (void)state;
    static const struct option known[OPTIONS_MAX] = {ABBREV_RD},
                               odd[OPTIONS_MAX] = {OPT(3, "lights.example"), ABBREV_ODD};
    struct conversion f;
    set_up(&f);
    assert_int_equal(convert(&f, CG_GET, known, NULL), CG_OK);
    assert_int_equal(f.request.options.count, 0);
    tear_down(&f);
    set_up(&f);
    assert_int_equal(convert(&f, CG_GET, odd, NULL), CG_OK);
    assert_int_equal(f.request.options.count, 1);
    assert_int_equal(f.request.options.list[0].number, URI_PATH_ABBREV);
    tear_down(&f);
}

static void early_stop(void **state) {
    (void)state;
    static const struct {
        struct option options[OPTIONS_MAX];
        uint8_t code;
        bool stops;
    } rows[] = {
        {{OPT(MULTICAST_TIMEOUT, "")}, CG_GET, true},
        {{OPT(MULTICAST_TIMEOUT, "\0")}, CG_GET, true},
        {{OPT(MULTICAST_TIMEOUT, "")}, CG_POST, false},
        {{{0}}, CG_GET, false},
        {{OPT(MULTICAST_TIMEOUT, "\1")}, CG_GET, false},
        {{OPT(MULTICAST_TIMEOUT, ""), OPT(11, "floor3")}, CG_GET, false},
        {{OPT(MULTICAST_TIMEOUT, ""), OPT(3, "a")}, CG_GET, true}, /* libraries put it in by themselves */
        {{OPT(MULTICAST_TIMEOUT, ""), OPT(15, "a")}, CG_GET, false},
        {{OPT(MULTICAST_TIMEOUT, ""), ABBREV_RD}, CG_GET, false},
        {{OPT(MULTICAST_TIMEOUT, ""), OPT(35, GROUP)}, CG_GET, false},
        {{OPT(MULTICAST_TIMEOUT, ""), OPT(3, "224.0.1.187"), OPT(239, "")}, CG_GET, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        set_up(&f);
        int err = convert(&f, rows[i].code, rows[i].options, NULL);
        if (err != CG_OK || (f.extras.meant == CG_COAP_STOP) != rows[i].stops)
            fail_msg("row %zu: %d %s", i, err, f.problem.detail);
        tear_down(&f);
    }
}

/* ---- Options ---- */

struct option_case {
    const char *name;
    struct option options[OPTIONS_MAX];
    int err;
    uint16_t left[OPTIONS_MAX]; /* numbers of what goes on */
};

static void check_options(const struct option_case *row, uint8_t code) {
    struct conversion f;
    set_up(&f);
    int err = convert(&f, code, row->options, NULL);
    if (err != row->err) fail_msg("%s: %d (%s)", row->name, err, f.problem.detail);
    size_t count = 0;
    while (count < OPTIONS_MAX && row->left[count] != 0) count++;
    if (err == CG_OK && f.request.options.count != count) fail_msg("%s: %zu left", row->name, f.request.options.count);
    for (size_t i = 0; err == CG_OK && i < count; i++) {
        if (f.request.options.list[i].number != row->left[i]) fail_msg("%s: option %zu", row->name, i);
    }
    tear_down(&f);
}

static void what_goes_on(void **state) {
    (void)state;
    static const struct option_case rows[] = {
        {"preconditions", {OPT(1, "a"), OPT(1, "b"), OPT(4, "c"), OPT(5, "")}, .left = {1, 1, 4, 5}},
        {"formats", {OPT(12, "\x32"), OPT(17, "\x3c")}, .left = {12, 17}},
        {"No-Response", {OPT(258, "\x1a")}, .left = {258}},
        {"OSCORE", {OPT(9, "\x09\x01")}, .left = {9}},
        {"what this hop reads stays here",
         {OPT(MULTICAST_TIMEOUT, "\5"), OPT(6, ""), OPT(GROUP_ETAG, "e"), OPT(28, ""), OPT(60, "\1"), OPT(252, "echo")},
         .err = CG_OK},
        {"blocks stay here", {OPT(23, "\6"), OPT(27, "\x0e"), OPT(292, "tag"), OPT(292, "tag2")}, .err = CG_OK},
        {"unknown, elective and safe", {OPT(2056, "x")}, .left = {2056}},
        {"unknown, critical and safe", {OPT(2049, "x")}, .left = {2049}},
        {"unknown, elective and unsafe", {OPT(2050, "x")}, .err = CG_E_BAD_OPTION},
        {"unknown, critical and unsafe", {OPT(2051, "x")}, .err = CG_E_BAD_OPTION},
        {"repeated, safe", {OPT(17, "\1"), OPT(17, "\2")}, .left = {17, 17}},
        {"repeated, unsafe", {OPT(MULTICAST_TIMEOUT, "\5"), OPT(MULTICAST_TIMEOUT, "\5")}, .err = CG_E_BAD_OPTION},
        {"OSCORE, repeated", {OPT(9, "\1\1"), OPT(9, "\1\1")}, .err = CG_E_BAD_OPTION},
        {"too long, safe", {OPT(4, "123456789")}, .left = {4}},
        {"too long, unsafe", {OPT(MULTICAST_TIMEOUT, "\0\0\0\0\5")}, .err = CG_E_BAD_OPTION},
        {"Q-Block1", {OPT(19, "\6")}, .err = CG_E_BAD_OPTION},
        {"Max-Age, which requests do not have", {OPT(14, "\1")}, .err = CG_E_BAD_OPTION},
        {"Reply-From, which requests do not have", {OPT(REPLY_FROM, "12345")}, .left = {REPLY_FROM}},
        {"the reserved block size", {OPT(23, "\7")}, .err = CG_E_BAD_REQUEST},
        {"Hop-Limit 0", {OPT(16, "\0")}, .err = CG_E_BAD_REQUEST},
        {"Hop-Limit without value", {OPT(16, "")}, .err = CG_E_BAD_REQUEST},
        {"Hop-Limit of two bytes", {OPT(16, "\0\5")}, .err = CG_E_BAD_REQUEST},
        {"Hop-Limit that is used up", {OPT(16, "\1")}, .err = CG_E_HOP_LIMIT},
        {"Hop-Limit", {OPT(16, "\2")}, .left = {16}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) check_options(&rows[i], CG_GET);
    static const struct option_case observed = {"Observe with PUT", {OPT(6, "")}, .err = CG_E_BAD_OPTION};
    check_options(&observed, CG_PUT);
}

static void what_this_gateway_is_asked_itself(void **state) {
    (void)state;
#define CORE OPT(11, ".well-known"), OPT(11, "core")
    static const struct option_case rows[] = {
        {"unknown and critical", {CORE, OPT(2049, "x")}, .err = CG_E_BAD_OPTION},
        {"unknown and elective", {CORE, OPT(2050, "x")}, .err = CG_OK},
        {"OSCORE", {OPT(9, ""), CORE}, .err = CG_E_UNAUTHORIZED},
        {"its format", {CORE, OPT(17, "\x28")}, .left = {17}},
        {"another format", {CORE, OPT(17, "\x32")}, .err = CG_E_NOT_ACCEPTABLE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) check_options(&rows[i], CG_GET);
    static const struct option_case post = {"POST", {CORE}, .err = CG_E_METHOD};
    check_options(&post, CG_POST);
}

static void what_this_hop_reads(void **state) {
    (void)state;
    static const struct option options[OPTIONS_MAX] = {OPT(MULTICAST_TIMEOUT, "\x01\x00"),
                                                       OPT(6, "\1"),
                                                       OPT(17, "\x3e"),
                                                       OPT(23, "\x16"),
                                                       OPT(27, "\x0a"),
                                                       OPT(252, "echo"),
                                                       OPT(258, "\x1a"),
                                                       OPT(292, "tag")};
    struct conversion f;
    set_up(&f);
    assert_int_equal(convert(&f, CG_FETCH, options, NULL), CG_OK);
    assert_true(f.request.has_timeout);
    assert_int_equal(f.request.timeout_s, 256);
    assert_true(f.extras.has_observe);
    assert_int_equal(f.extras.observe, 1);
    assert_true(f.extras.has_accept);
    assert_int_equal(f.extras.accept, 62);
    assert_true(f.extras.has_block2);
    assert_int_equal(f.extras.block2.number, 1);
    assert_true(f.extras.has_block1);
    assert_true(f.extras.block1.more);
    check_text("", "Echo", f.extras.echo, "echo");
    check_text("", "Request-Tag", f.extras.request_tag, "tag");
    assert_int_equal(f.request.no_response, 26);
    tear_down(&f);
}

static void hop_limit_is_one_less(void **state) {
    (void)state;
    static const struct option used_up[OPTIONS_MAX] = {OPT(16, "\1")}, left[OPTIONS_MAX] = {OPT(16, "\x10")};
    struct conversion f;
    set_up(&f);
    assert_int_equal(convert(&f, CG_GET, left, NULL), CG_OK);
    check_text("", "Hop-Limit", f.request.options.list[0].value, "\x0f");
    tear_down(&f);
    set_up(&f);
    assert_int_equal(convert(&f, CG_GET, used_up, NULL), CG_E_HOP_LIMIT);
    assert_non_null(strstr(f.problem.detail, "127.0.0.1:5683"));
    tear_down(&f);
}

/* ---- Methods and payloads ---- */

static void methods_and_payloads(void **state) {
    (void)state;
    static char big[1002];
    memset(big, 'x', sizeof big - 1);
    static const struct option none[OPTIONS_MAX] = {{0}};
    const struct {
        uint8_t code;
        const char *payload;
        int err;
        uint8_t method;
        const char *kept;
    } rows[] = {
        {CG_GET, "x", CG_OK, CG_GET, ""},        {CG_DELETE, "x", CG_OK, CG_DELETE, ""},
        {CG_POST, "x", CG_OK, CG_POST, "x"},     {CG_PUT, "x", CG_OK, CG_PUT, "x"},
        {CG_FETCH, "x", CG_OK, CG_FETCH, "x"},   {CG_PATCH, "x", CG_OK, CG_PATCH, "x"},
        {CG_IPATCH, "x", CG_OK, CG_IPATCH, "x"}, {8, "x", CG_E_METHOD, CG_EMPTY, ""},
        {31, "", CG_E_METHOD, CG_EMPTY, ""},     {CG_PUT, big + 1, CG_OK, CG_PUT, big + 1},
        {CG_PUT, big, CG_E_TOO_BIG, CG_PUT, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        set_up(&f);
        int err = convert(&f, rows[i].code, none, rows[i].payload);
        if (err != rows[i].err) fail_msg("row %zu: %d (%s)", i, err, f.problem.detail);
        assert_int_equal(f.request.method, rows[i].method);
        check_text("row", "payload", f.request.payload, rows[i].kept);
        tear_down(&f);
    }
}

/* Whatever is missing, it is an error like any other. */
static void memory_limit(void **state) {
    (void)state;
    static const struct option options[OPTIONS_MAX] = {OPT(3, "lights.example"), OPT(11, "floor3"), OPT(15, "a=1"),
                                                       OPT(16, "\5")};
    for (size_t max = 0; max < 8192; max += 256) {
        struct conversion f;
        set_up(&f);
        cg_arena_init(&f.arena, max, NULL);
        int err = convert(&f, CG_PUT, options, "some body");
        assert_true(err == CG_OK || err == CG_E_NO_MEMORY);
        if (max == 0) assert_int_equal(err, CG_E_NO_MEMORY);
        tear_down(&f);
    }
}

static void too_many_options(void **state) {
    (void)state;
    struct conversion f;
    set_up(&f);
    uint8_t bytes[300];
    memset(bytes, 0, sizeof bytes); /* If-Match, empty, again and again */
    bytes[0] = 0x10;
    const struct cg_coap_message message = {.code = CG_PUT, .options = cg_slice_of(bytes, sizeof bytes)};
    const struct cg_from_coap from = {
        .config = &f.config, .message = &message, .arena = &f.arena, .request = &f.request, .problem = &f.problem};
    assert_int_equal(cg_from_coap_head(&from, &f.extras), CG_OK);
    assert_int_equal(cg_from_coap_rest(&from, &f.extras), CG_E_HEADERS_BIG);
    tear_down(&f);
}

/* RFC 7641 §2. */
static void who_observes(void **state) {
    (void)state;
#define PATH OPT(11, "floor3")
    static const struct {
        struct option options[OPTIONS_MAX];
        uint8_t code;
        bool observes;
    } rows[] = {
        {{OPT(MULTICAST_TIMEOUT, "\2"), OPT(6, ""), PATH}, CG_GET, true},
        {{OPT(MULTICAST_TIMEOUT, "\2"), OPT(6, "\0"), PATH}, CG_FETCH, true}, /* as long as it likes (RFC 7252 §3.2) */
        {{OPT(6, ""), PATH}, CG_GET, true}, /* whether it must say how long depends on whom it asks */
        {{OPT(MULTICAST_TIMEOUT, "\2"), OPT(6, ""), PATH, OPT(23, "\6")}, CG_GET, true},
        {{OPT(MULTICAST_TIMEOUT, "\2"), PATH}, CG_GET, false},
        {{OPT(MULTICAST_TIMEOUT, "\2"), OPT(6, "\1"), PATH}, CG_GET, false}, /* where nothing runs, a plain request */
        {{OPT(MULTICAST_TIMEOUT, "\2"), OPT(6, "\2"), PATH}, CG_GET, false},
        {{OPT(MULTICAST_TIMEOUT, ""), OPT(6, ""), PATH}, CG_GET, false},
        {{OPT(MULTICAST_TIMEOUT, "\2"), OPT(6, ""), PATH, OPT(23, "\x16")}, CG_GET, false}, /* block 1 */
        {{OPT(6, ""), OPT(11, ".well-known"), OPT(11, "core")}, CG_GET, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        set_up(&f);
        int err = convert(&f, rows[i].code, rows[i].options, NULL);
        if (err != CG_OK || f.request.observes != rows[i].observes) fail_msg("row %zu: %s", i, f.problem.detail);
        for (size_t at = 0; at < f.request.options.count; at++)
            assert_int_not_equal(f.request.options.list[at].number, 6); /* what goes on says whoever sends it */
        tear_down(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_observes),
        cmocka_unit_test(paths_of_this_gateway),
        cmocka_unit_test(targets_of_the_forward_proxy),
        cmocka_unit_test(targets_that_are_refused),
        cmocka_unit_test(the_gateway_itself_is_no_target),
        cmocka_unit_test(abbreviated_paths),
        cmocka_unit_test(an_abbreviation_goes_on_only_unknown),
        cmocka_unit_test(early_stop),
        cmocka_unit_test(what_goes_on),
        cmocka_unit_test(what_this_gateway_is_asked_itself),
        cmocka_unit_test(what_this_hop_reads),
        cmocka_unit_test(hop_limit_is_one_less),
        cmocka_unit_test(methods_and_payloads),
        cmocka_unit_test(memory_limit),
        cmocka_unit_test(too_many_options),
    };
    return cmocka_run_group_tests_name("fronts/from_coap", tests, NULL, NULL);
}
