/* HTTP to requests: every status that from_http can give, what each part of a request becomes, and hostile input of all
 * kinds. */
#include "fake_conversion.h"

static void test_fields_refused(void **state) {
    (void)state;
    static const struct refusal rows[] = {
        {"OPTIONS", "/", HOST, "", CG_E_METHOD, "no counterpart"},
        {"OPTIONS", "*", HOST, "", CG_E_METHOD, "no counterpart"},
        {"TRACE", "/", HOST, "", CG_E_METHOD, "no counterpart"},
        {"CONNECT", "127.0.0.1:8080", HOST, "", CG_E_METHOD, "no counterpart"},
        {"FETCH", "/", HOST, "", CG_E_METHOD, "no counterpart"},
        {"get", "/", HOST, "", CG_E_METHOD, "no counterpart"},
        {"GETX", "/", HOST, "", CG_E_METHOD, "no counterpart"},
        {"", "/", HOST, "", CG_E_BAD_REQUEST, "method"},
        {"G(T", "/", HOST, "", CG_E_BAD_REQUEST, "method"},
        {"G\tT", "/", HOST, "", CG_E_BAD_REQUEST, "method"},
        {"G\xc3T", "/", HOST, "", CG_E_BAD_REQUEST, "method"},
        {"GET", "/", HOST, "x", CG_E_BAD_REQUEST, "takes no body"},
        {"HEAD", "/", HOST, "x", CG_E_BAD_REQUEST, "takes no body"},
        {"DELETE", "/", HOST, "x", CG_E_BAD_REQUEST, "takes no body"},
        {"POST", "/", HOST "X-HTTP-Method-Override: DELETE\n", "", CG_E_BAD_REQUEST, "FETCH"},
        {"POST", "/", HOST "X-HTTP-Method-Override: fetch\n", "", CG_E_BAD_REQUEST, "FETCH"},
        {"POST", "/", HOST "X-HTTP-Method-Override:\n", "", CG_E_BAD_REQUEST, "FETCH"},
        {"GET", "/", HOST "X-HTTP-Method-Override: FETCH\n", "", CG_E_BAD_REQUEST, "FETCH"},
        {"POST", "/", HOST "X-HTTP-Method-Override: FETCH\nX-HTTP-Method-Override: FETCH\n", "", CG_E_BAD_REQUEST,
         "more than once"},
        {"GET", "/", HOST "Multicast-Timeout: 1\nMulticast-Timeout: 1\n", "", CG_E_BAD_REQUEST, "more than once"},
        {"GET", "/", HOST "Multicast-Timeout: -1\n", "", CG_E_NO_TIMEOUT, "digits only"},
        {"GET", "/", HOST "Multicast-Timeout: +1\n", "", CG_E_NO_TIMEOUT, "digits only"},
        {"GET", "/", HOST "Multicast-Timeout: 1.5\n", "", CG_E_NO_TIMEOUT, "digits only"},
        {"GET", "/", HOST "Multicast-Timeout: 1, 2\n", "", CG_E_NO_TIMEOUT, "digits only"},
        {"GET", "/", HOST "Multicast-Timeout: 0x10\n", "", CG_E_NO_TIMEOUT, "digits only"},
        {"GET", "/", HOST "Multicast-Timeout: 4294967296\n", "", CG_E_NO_TIMEOUT, "4294967295"},
        {"GET", "/", HOST "Multicast-Timeout: 99999999999999999999999\n", "", CG_E_NO_TIMEOUT, "4294967295"},
        {"GET", "/", HOST "No-Response: 256\n", "", CG_E_BAD_REQUEST, "0 to 255"},
        {"GET", "/", HOST "No-Response:\n", "", CG_E_BAD_REQUEST, "0 to 255"},
        {"GET", "/", HOST "No-Response: a\n", "", CG_E_BAD_REQUEST, "0 to 255"},
        {"GET", "/", HOST "No-Response: 1\nNo-Response: 1\n", "", CG_E_BAD_REQUEST, "more than once"},
        {"PUT", "/", HOST "Content-Type: application/x-unknown\n", "x", CG_E_MEDIA_TYPE, "application/x-unknown"},
        {"PUT", "/", HOST "Content-Type: nonsense\n", "x", CG_E_MEDIA_TYPE, "nonsense"},
        {"PUT", "/", HOST "Content-Type:\n", "x", CG_E_MEDIA_TYPE, "Content-Format"},
        {"PUT", "/", HOST "Content-Type: text/plain\nContent-Type: text/plain\n", "x", CG_E_BAD_REQUEST,
         "more than once"},
        {"POST", "/", HOST "Content-Type: application/oscore\n", "x", CG_E_MEDIA_TYPE, "oscore"},
        {"POST", "/", HOST "Content-Type: Application/OSCORE ; a=b\n", "x", CG_E_MEDIA_TYPE, "oscore"},
        {"PUT", "/", HOST "Content-Encoding: gzip\n", "x", CG_E_MEDIA_TYPE, "identity"},
        {"PUT", "/", HOST "Content-Encoding: identity\nContent-Encoding: br\n", "x", CG_E_MEDIA_TYPE, "identity"},
        {"PUT", "/", HOST "If-Match: \"abc\"\n", "x", CG_E_BAD_REQUEST, "If-Match: *"},
        {"PUT", "/", HOST "If-None-Match: \"abc\", \"d\"\n", "x", CG_E_BAD_REQUEST, "If-None-Match: *"},
        {"DELETE", "/", HOST "If-Match: *\nIf-Match: *\n", "", CG_E_BAD_REQUEST, "more than once"},
    };
    CHECK_REFUSALS(rows);
}

/* Of two, one reader takes the first and another the last; whoever is between them can be made to disagree. */
static void test_what_may_stand_once_is_refused_twice(void **state) {
    (void)state;
    static const char *const fields[] = {
        "Host: localhost\n",          "X-HTTP-Method-Override: FETCH\n",
        "Content-Type: text/plain\n", "Multicast-Timeout: 1\n",
        "No-Response: 2\n",           "If-Match: *\n",
        "If-None-Match: *\n",         "OSCORE: CSU\n",
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct conversion f;
        char twice[256];
        const char *type = strncmp(fields[i], "OSCORE", 6) == 0 ? "Content-Type: application/oscore\n" : "";
        snprintf(twice, sizeof twice, "%s%s%s%s", i == 0 ? "" : HOST, fields[i], type, fields[i]);
        assert_int_equal(from(&f, "POST", "/", twice, "x"), CG_E_BAD_REQUEST);
        if (strstr(f.problem.detail, "more than once") == NULL) fail_msg("%s: %s", fields[i], f.problem.detail);
        tear_down(&f);
    }
}

static void test_method_refused_names_the_others(void **state) {
    (void)state;
    struct conversion f;
    assert_int_equal(from(&f, "OPTIONS", "/", HOST, ""), CG_E_METHOD);
    assert_int_equal(f.problem.allow, CG_METHODS_ALL);
    tear_down(&f);
}

static void test_body_length(void **state) {
    (void)state;
    static uint8_t bytes[1001];
    for (size_t len = 999; len <= 1001; len++) {
        struct conversion f;
        set_up(&f);
        split_fields(&f, HOST);
        int err = convert(&f, cg_slice_str("PUT"), cg_slice_str("/a"), cg_slice_of(bytes, len));
        assert_int_equal(err, len <= 1000 ? CG_OK : CG_E_TOO_BIG);
        tear_down(&f);
    }
}

/* Whatever a problem quotes is printable when it leaves. */
static void test_quoted_bytes_are_printable(void **state) {
    (void)state;
    struct conversion f;
    assert_int_equal(from(&f, "PUT", "/", HOST "Content-Type: a/\x1b[2J\xff\"\n", "x"), CG_E_MEDIA_TYPE);
    for (const char *at = f.problem.detail; *at != '\0'; at++) assert_true(*at >= ' ' && *at <= '~');
    tear_down(&f);
    assert_int_equal(cg_problem_set(&f.problem, CG_E_RATE, "%s", "a\r\nb"), CG_E_RATE);
    assert_string_equal(f.problem.detail, "a??b");
}

static void test_memory_limit(void **state) {
    (void)state;
    for (size_t max = 0; max < 600; max += 16) {
        struct conversion f;
        set_up(&f);
        cg_arena_init(&f.arena, max, NULL);
        split_fields(&f, HOST "Content-Type: text/plain\nNo-Response: 26\n");
        int err = convert(&f, cg_slice_str("PUT"), cg_slice_str("/a?b"), cg_slice_str("some body"));
        assert_true(err == CG_OK || err == CG_E_NO_MEMORY);
        if (max == 0) assert_int_equal(err, CG_E_NO_MEMORY);
        tear_down(&f);
    }
}

#define OSCORE_TYPE "Content-Type: application/oscore\n"

/* R3: option and payload as they are, and nothing else. RFC 8613 §11.5 has the first value. */
static void test_oscore_taken(void **state) {
    (void)state;
    static const struct {
        const char *text, *bytes;
        size_t len;
    } rows[] = {
        {"CSU", "\x09\x25", 2},
        {"AA", "", 0},
        {"AAA", "\0\0", 2},
        {"-_8", "\xfb\xff", 2},
        {"GAEDR00xc2g", "\x18\x01\x03GM1sh", 8},
    };
    static const char *const types[] = {OSCORE_TYPE, "Content-Type: Application/OSCORE\n"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        char fields[400];
        snprintf(fields, sizeof fields,
                 HOST "%sOSCORE: %s\nIf-Match: *\nAccept: application/cbor\nNo-Response: 26\nMulticast-Timeout: 3\n",
                 types[i % 2], rows[i].text);
        int err = from(&f, "POST", "/a", fields, "sealed \xff\x01 bytes");
        if (err < 0) fail_msg("%s: %s", rows[i].text, f.problem.detail);
        assert_int_equal(f.request.method, CG_POST);
        assert_int_equal(f.request.options.count, 1);
        assert_int_equal(f.request.options.list[0].number, CG_OPT_OSCORE);
        struct cg_slice value = f.request.options.list[0].value;
        assert_true(cg_slice_equal(value, cg_slice_of(rows[i].bytes, rows[i].len)));
        assert_slice(f.request.payload, "sealed \xff\x01 bytes");
        assert_true(f.request.has_timeout && f.request.timeout_s == 3 && f.request.no_response == 0);
        assert_true(cg_request_is_protected(&f.request));
        tear_down(&f);
    }
}

static void test_oscore_refused(void **state) {
    (void)state;
    static const struct refusal rows[] = {
        {"POST", "/a", HOST "OSCORE: CSU\n", "x", CG_E_BAD_REQUEST, "application/oscore"},
        {"POST", "/a", HOST "OSCORE: CSU\nContent-Type: text/plain\n", "x", CG_E_BAD_REQUEST, "application/oscore"},
        {"POST", "/a", HOST OSCORE_TYPE "OSCORE: CSU\n", "", CG_E_BAD_REQUEST, "body"},
        {"PUT", "/a", HOST OSCORE_TYPE "OSCORE: CSU\n", "x", CG_E_BAD_REQUEST, "POST"},
        {"GET", "/a", HOST "OSCORE: CSU\n", "", CG_E_BAD_REQUEST, "POST"},
        {"POST", "/a", HOST OSCORE_TYPE "X-HTTP-Method-Override: FETCH\nOSCORE: CSU\n", "x", CG_E_BAD_REQUEST, "POST"},
        {"POST", "/a", HOST OSCORE_TYPE "OSCORE: CSU\nOSCORE: CSU\n", "x", CG_E_BAD_REQUEST, "more than once"},
        {"POST", "/a", HOST OSCORE_TYPE "Content-Encoding: gzip\nOSCORE: CSU\n", "x", CG_E_MEDIA_TYPE, "identity"},
        {"POST", "/a", HOST OSCORE_TYPE "OSCORE:\n", "x", CG_E_BAD_REQUEST, "base64url"},
        {"POST", "/a", HOST OSCORE_TYPE "OSCORE: A\n", "x", CG_E_BAD_REQUEST, "base64url"},
        {"POST", "/a", HOST OSCORE_TYPE "OSCORE: CSU=\n", "x", CG_E_BAD_REQUEST, "base64url"},
        {"POST", "/a", HOST OSCORE_TYPE "OSCORE: C+U\n", "x", CG_E_BAD_REQUEST, "base64url"},
        {"POST", "/a", HOST OSCORE_TYPE "OSCORE: CSV\n", "x", CG_E_BAD_REQUEST, "base64url"},
        {"POST", "/a", HOST OSCORE_TYPE "OSCORE: CS U\n", "x", CG_E_BAD_REQUEST, "base64url"},
        {"POST", "/a", HOST OSCORE_TYPE, "x", CG_E_MEDIA_TYPE, "OSCORE header"},
    };
    CHECK_REFUSALS(rows);
    struct conversion f;
    char fields[600];
    static const char most[] = HOST OSCORE_TYPE "OSCORE: "; /* 255 bytes are 340 characters */
    snprintf(fields, sizeof fields, "%s%0340d\n", most, 0);
    assert_int_equal(from(&f, "POST", "/a", fields, "x"), CG_OK);
    assert_int_equal(f.request.options.list[0].value.len, 255);
    tear_down(&f);
    snprintf(fields, sizeof fields, "%s%0344d\n", most, 0);
    assert_int_equal(from(&f, "POST", "/a", fields, "x"), CG_E_BAD_REQUEST);
    tear_down(&f);
}

static void test_methods(void **state) {
    (void)state;
    static const struct {
        const char *method, *fields, *body;
        uint8_t code;
        bool head_only;
    } rows[] = {
        {"GET", HOST, "", CG_GET, false},
        {"HEAD", HOST, "", CG_GET, true},
        {"POST", HOST, "x", CG_POST, false},
        {"PUT", HOST, "x", CG_PUT, false},
        {"DELETE", HOST, "", CG_DELETE, false},
        {"PATCH", HOST, "x", CG_PATCH, false},
        {"PATCH", HOST "Content-Type: application/json-patch+json\n", "[]", CG_PATCH, false},
        {"PATCH", HOST "Content-Type: application/merge-patch+json\n", "{}", CG_IPATCH, false},
        {"POST", HOST "Content-Type: application/merge-patch+json\n", "{}", CG_POST, false},
        {"POST", HOST "X-HTTP-Method-Override: FETCH\n", "x", CG_FETCH, false},
        {"POST", HOST "x-http-method-override:FETCH\n", "", CG_FETCH, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        int err = from(&f, rows[i].method, "/a", rows[i].fields, rows[i].body);
        if (err < 0) fail_msg("row %zu: %s", i, f.problem.detail);
        assert_int_equal(f.request.method, rows[i].code);
        assert_int_equal(f.request.head_only, rows[i].head_only);
        assert_slice(f.request.payload, rows[i].body);
        tear_down(&f);
    }
}

static void test_timeout(void **state) {
    (void)state;
    static const struct {
        const char *fields;
        bool has;
        uint32_t seconds;
    } rows[] = {
        {HOST, false, 0},
        {HOST "Multicast-Timeout:\n", true, 0},
        {HOST "Multicast-Timeout:   \n", true, 0},
        {HOST "Multicast-Timeout: 0\n", true, 0},
        {HOST "multicast-timeout: 60\n", true, 60},
        {HOST "Multicast-Timeout: 0000000000000007\n", true, 7},
        {HOST "Multicast-Timeout: 4294967295\n", true, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        assert_int_equal(from(&f, "GET", "/", rows[i].fields, ""), CG_OK);
        assert_int_equal(f.request.has_timeout, rows[i].has);
        assert_int_equal(f.request.timeout_s, rows[i].seconds);
        tear_down(&f);
    }
}

/* "12=00 258=1a": number and value in hex, in their order. */
static void describe_options(const struct cg_opts *options, char *text, size_t size) {
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < options->count; i++) {
        len += (size_t)snprintf(text + len, size - len, "%s%u=", i == 0 ? "" : " ", options->list[i].number);
        for (size_t j = 0; j < options->list[i].value.len; j++) {
            len += (size_t)snprintf(text + len, size - len, "%02x", options->list[i].value.data[j]);
        }
        assert_true(len < size);
    }
}

#define FORM "Content-Type: application/x-www-form-urlencoded\n"

/* What curl -d sends without being told: the refusal says what to tell it. */
static void test_forms_are_told_how(void **state) {
    (void)state;
    struct conversion f;
    assert_int_equal(from(&f, "PUT", "/", HOST FORM, "on"), CG_E_MEDIA_TYPE);
    assert_non_null(strstr(f.problem.detail, "-H 'Content-Type: text/plain'"));
    assert_null(strstr(f.problem.detail, "cf=N"));
    tear_down(&f);
}

/* default_content_type: what comes without a type, or with curl's, from clients that show a token. */
static void test_default_content_type(void **state) {
    (void)state;
    static const struct {
        const char *method, *fields, *body, *type;
        enum cg_proof proof;
        int err;
        const char *options;
        uint8_t code;
    } rows[] = {
        {"PUT", "", "on", "text/plain", CG_PROOF_TOKEN, CG_OK, "12=", CG_PUT},
        {"PUT", FORM, "on", "text/plain", CG_PROOF_TOKEN, CG_OK, "12=", CG_PUT},
        {"PUT", "Content-Type: Application/X-WWW-Form-Urlencoded; charset=utf-8\n", "on", "application/json",
         CG_PROOF_TOKEN, CG_OK, "12=32", CG_PUT},
        {"PUT", FORM, "on", "application/coap-payload;cf=65000", CG_PROOF_TOKEN, CG_OK, "12=fde8", CG_PUT},
        {"PATCH", FORM, "{}", "application/merge-patch+json", CG_PROOF_TOKEN, CG_OK, "12=34", CG_IPATCH},
        {"PUT", FORM, "", "text/plain", CG_PROOF_TOKEN, CG_OK, "", CG_PUT},
        {"PUT", "Content-Type: application/cbor\n", "x", "text/plain", CG_PROOF_TOKEN, CG_OK, "12=3c", CG_PUT},
        {"PUT", "Content-Type: a/b\n", "x", "text/plain", CG_PROOF_TOKEN, CG_E_MEDIA_TYPE, "", CG_PUT},
        {"PUT", "", "on", "text/plain", CG_PROOF_CERTIFICATE, CG_OK, "", CG_PUT},
        {"PUT", FORM, "on", "text/plain", CG_PROOF_CERTIFICATE, CG_E_MEDIA_TYPE, "", CG_PUT},
        {"PUT", FORM, "on", "text/plain", CG_PROOF_NONE, CG_E_MEDIA_TYPE, "", CG_PUT},
        {"PUT", "", "on", NULL, CG_PROOF_TOKEN, CG_OK, "", CG_PUT},
        {"PUT", FORM, "on", NULL, CG_PROOF_TOKEN, CG_E_MEDIA_TYPE, "", CG_PUT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        char fields[256], options[128];
        const struct cg_mapping mapping = {.default_content_type = rows[i].type};
        set_up(&f);
        f.mapping = &mapping;
        f.proof = rows[i].proof;
        snprintf(fields, sizeof fields, HOST "%s", rows[i].fields);
        split_fields(&f, fields);
        int err = convert(&f, cg_slice_str(rows[i].method), cg_slice_str("/"), cg_slice_str(rows[i].body));
        if (err != rows[i].err) fail_msg("row %zu: %s", i, f.problem.detail);
        describe_options(&f.request.options, options, sizeof options);
        assert_string_equal(options, rows[i].options);
        assert_int_equal(f.request.method, rows[i].code);
        tear_down(&f);
    }
}

/* RFC 8075 §6.2: not unless the settings say so; and what the client protects has a header of its own. */
static void test_formats_by_number(void **state) {
    (void)state;
    static const struct {
        const char *method, *fields, *body;
        int refused;         /* without the setting */
        const char *options; /* with it; NULL: refused all the same */
    } rows[] = {
        {"PUT", "Content-Type: application/coap-payload;cf=65000\n", "x", CG_E_MEDIA_TYPE, "12=fde8"},
        {"PUT", "Content-Type: Application/CoAP-Payload ; cf=60\n", "x", CG_E_MEDIA_TYPE, "12=3c"},
        {"PUT", "Content-Type: application/coap-payload;cf=10001\n", "x", CG_E_MEDIA_TYPE, NULL},
        {"POST", "X-HTTP-Method-Override: FETCH\nContent-Type: application/coap-payload;cf=10001\n", "x",
         CG_E_MEDIA_TYPE, NULL},
        {"PUT", "Content-Type: application/coap-payload\n", "x", CG_E_MEDIA_TYPE, NULL},
        {"PUT", "Content-Type: application/coap-payload;cf=65536\n", "x", CG_E_MEDIA_TYPE, NULL},
        {"PUT", "Content-Type: application/coap-payload;cf=60\n", "", CG_OK, ""}, /* there is nothing of that type */
        {"GET", "Accept: application/coap-payload;cf=65000\n", "", CG_E_NOT_ACCEPTABLE, "17=fde8"},
        {"GET", "Accept: application/json, application/coap-payload;cf=60;q=0.1\n", "", CG_OK, ""}, /* not forwarded */
        {"GET", "Accept: application/json;q=0, application/coap-payload;cf=60\n", "", CG_E_NOT_ACCEPTABLE, "17=3c"},
        {"GET", "Accept: application/coap-payload;cf=10001\n", "", CG_E_NOT_ACCEPTABLE, NULL},
        {"GET", "Accept: application/oscore\n", "", CG_E_NOT_ACCEPTABLE, NULL},
        {"GET", "Accept: application/coap-payload;cf=60, */*\n", "", CG_OK, ""}, /* not forwarded */
        {"GET", "Accept: application/coap-payload;cf=60;q=0\n", "", CG_OK, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        char fields[256], options[128];
        snprintf(fields, sizeof fields, HOST "%s", rows[i].fields);
        assert_int_equal(from(&f, rows[i].method, "/", fields, rows[i].body), rows[i].refused);
        tear_down(&f);
        set_up(&f);
        f.config.http.coap_payload = true;
        split_fields(&f, fields);
        int err = convert(&f, cg_slice_str(rows[i].method), cg_slice_str("/"), cg_slice_str(rows[i].body));
        assert_int_equal(err, rows[i].options == NULL ? rows[i].refused : CG_OK);
        describe_options(&f.request.options, options, sizeof options);
        if (rows[i].options != NULL) assert_string_equal(options, rows[i].options);
        tear_down(&f);
    }
}

static void test_options(void **state) {
    (void)state;
    static const struct {
        const char *method, *fields, *body, *options;
    } rows[] = {
        {"GET", "", "", ""},
        {"PUT", "Content-Type: text/plain\n", "x", "12="},
        {"PUT", "Content-Type: application/json\n", "{}", "12=32"},
        {"PUT", "Content-Type: application/json\n", "", ""},
        {"PUT", "Content-Type: application/x-unknown\n", "", ""},
        {"PUT", "Content-Type: application/json\nContent-Encoding: Identity\n", "{}", "12=32"},
        {"PUT", "", "x", ""},
        {"GET", "Content-Type: application/x-unknown\n", "", ""},
        {"GET", "Accept: application/cbor\n", "", "17=3c"},
        {"GET", "Accept: application/cbor, multipart/mixed;q=0.5\n", "", ""}, /* there is a form for the reply */
        {"GET", "Accept: text/plain, text/*;q=0.1\n", "", ""},
        {"GET", "Accept: application/cbor, application/json;q=0\n", "", "17=3c"},
        {"GET", "Accept: text/plain\n", "", "17="},
        {"GET", "Accept: application/json\n", "", ""},
        {"GET", "Accept: application/cbor, */*\n", "", ""},
        {"GET", "Accept: application/cbor, text/plain\n", "", ""},
        {"GET", "Accept: application/cbor;q=0\n", "", ""},
        {"GET", "Accept: text/html\n", "", ""},
        {"GET", "No-Response: 26\n", "", "258=1a"},
        {"GET", "No-Response: 0\n", "", "258="},
        {"PUT", "If-Match: *\n", "x", "1="},
        {"PUT", "If-None-Match: *\n", "x", "5="},
        {"GET", "If-Match: \"a\"\nIf-None-Match: *\n", "", ""},
        {"GET", "If-None-Match: \"a\"\nIf-None-Match: \"b\"\n", "", ""},
        {"PUT",
         "No-Response: 2\nAccept: application/cbor\nContent-Type: application/json\nIf-None-Match: *\nIf-Match: *\n",
         "{}", "1= 5= 12=32 17=3c 258=02"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        char fields[512], options[128];
        snprintf(fields, sizeof fields, HOST "%s", rows[i].fields);
        int err = from(&f, rows[i].method, "/", fields, rows[i].body);
        if (err < 0) fail_msg("row %zu: %s", i, f.problem.detail);
        describe_options(&f.request.options, options, sizeof options);
        if (strcmp(options, rows[i].options) != 0) fail_msg("row %zu: %s", i, options);
        tear_down(&f);
    }
}

/* R33: the request says which classes it can do without. */
static void test_no_response(void **state) {
    (void)state;
    struct conversion f;
    assert_int_equal(from(&f, "GET", "/", HOST "No-Response: 26\n", ""), CG_OK);
    assert_int_equal(f.request.no_response, 26);
    tear_down(&f);
    assert_int_equal(from(&f, "GET", "/", HOST, ""), CG_OK);
    assert_int_equal(f.request.no_response, 0);
    tear_down(&f);
}

#define TRACE "0af7651916cd43dd8448eb211c80319c"

static void test_traceparent(void **state) {
    (void)state;
    static const struct {
        const char *fields, *kept;
    } rows[] = {
        {"traceparent: 00-" TRACE "-b7ad6b7169203331-01\n", "00-" TRACE "-b7ad6b7169203331-01"},
        {"Traceparent: 01-" TRACE "-b7ad6b7169203331-01-more\n", "01-" TRACE "-b7ad6b7169203331-01"},
        {"traceparent: 00-" TRACE "-b7ad6b7169203331-01-more\n", ""},
        {"traceparent: 01-" TRACE "-b7ad6b7169203331-01more\n", ""},
        {"traceparent: ff-" TRACE "-b7ad6b7169203331-01\n", ""},
        {"traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\n", ""},
        {"traceparent: 00-" TRACE "-0000000000000000-01\n", ""},
        {"traceparent: 00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n", ""},
        {"traceparent: 00-" TRACE "-b7ad6b7169203331-0\n", ""},
        {"traceparent: 00-" TRACE "-b7ad6b716920333\"-01\n", ""},
        {"traceparent: 00_" TRACE "-b7ad6b7169203331-01\n", ""},
        {"traceparent:\n", ""},
        {"traceparent: 00-" TRACE "-b7ad6b7169203331-01\ntraceparent: 00-" TRACE "-b7ad6b7169203331-01\n", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        char fields[256];
        snprintf(fields, sizeof fields, HOST "%s", rows[i].fields);
        assert_int_equal(from(&f, "GET", "/", fields, ""), CG_OK);
        assert_slice(f.request.traceparent, rows[i].kept);
        tear_down(&f);
    }
}

/* What is kept lives in the arena, so that it outlasts what the front read. */
static void test_request_outlives_message(void **state) {
    (void)state;
    struct conversion f;
    char target[] = "/a/b?c=d", fields[] = "Host: LOCALHOST\nContent-Type: text/plain\n", body[] = "hello";
    assert_int_equal(from(&f, "POST", target, fields, body), CG_OK);
    memset(target, 'x', sizeof target - 1);
    memset(fields, 'x', sizeof fields - 1);
    memset(body, 'x', sizeof body - 1);
    assert_slice(f.request.path, "/a/b");
    assert_slice(f.request.query, "c=d");
    assert_slice(f.request.host, "localhost");
    assert_slice(f.request.payload, "hello");
    tear_down(&f);
}

static void test_field_lookup(void **state) {
    (void)state;
    static const struct cg_http_field fields[] = {{{(const uint8_t *)"A", 1}, {(const uint8_t *)" \t1 \t", 5}},
                                                  {{(const uint8_t *)"b", 1}, {NULL, 0}},
                                                  {{(const uint8_t *)"B", 1}, {(const uint8_t *)"2", 1}}};
    struct cg_http_message message = {.fields = fields, .field_count = 3};
    struct cg_slice value;
    assert_int_equal(cg_http_field(&message, "a", &value), CG_OK);
    assert_slice(value, "1");
    assert_int_equal(cg_http_field(&message, "B", &value), CG_E_BAD_REQUEST);
    assert_int_equal(cg_http_field(&message, "C", &value), CG_E_NOT_FOUND);
}

/* Random bytes in each place: never a crash, and nothing that passes is out of bounds of what a path may hold. */
static void test_random_bytes(void **state) {
    (void)state;
    static const char alphabet[] = "/%.20eE?#\\:@[]*;,q=\"aZ \t\xff\x01";
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        char texts[3][24];
        size_t lens[3];
        for (int i = 0; i < 3; i++) {
            lens[i] = (seed = seed * 1664525u + 1013904223u) >> 27;
            if (lens[i] > sizeof texts[i]) lens[i] = sizeof texts[i];
            for (size_t j = 0; j < lens[i]; j++) {
                seed = seed * 1664525u + 1013904223u;
                texts[i][j] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
            }
        }
        if (lens[0] > 0) texts[0][0] = '/';
        struct conversion f;
        set_up(&f);
        split_fields(&f, HOST);
        f.fields[f.field_count++] = (struct cg_http_field){cg_slice_str("Accept"), cg_slice_of(texts[1], lens[1])};
        f.fields[f.field_count++] =
            (struct cg_http_field){cg_slice_str("Content-Type"), cg_slice_of(texts[2], lens[2])};
        int err = convert(&f, cg_slice_str("PUT"), cg_slice_of(texts[0], lens[0]), cg_slice_str(round & 1 ? "x" : ""));
        if (err == CG_OK) {
            assert_true(f.request.path.len > 0 && f.request.path.data[0] == '/');
            for (size_t j = 0; j < f.request.path.len; j++) {
                assert_true(f.request.path.data[j] > ' ' && f.request.path.data[j] < 0x7f &&
                            f.request.path.data[j] != '?');
            }
        }
        tear_down(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_refused),
        cmocka_unit_test(test_what_may_stand_once_is_refused_twice),
        cmocka_unit_test(test_method_refused_names_the_others),
        cmocka_unit_test(test_body_length),
        cmocka_unit_test(test_quoted_bytes_are_printable),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_oscore_taken),
        cmocka_unit_test(test_oscore_refused),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_forms_are_told_how),
        cmocka_unit_test(test_default_content_type),
        cmocka_unit_test(test_formats_by_number),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_no_response),
        cmocka_unit_test(test_traceparent),
        cmocka_unit_test(test_request_outlives_message),
        cmocka_unit_test(test_field_lookup),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
