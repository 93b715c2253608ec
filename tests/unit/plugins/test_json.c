/* The JSON document: one value whatever members send, with everything in its place. */
#include "fake_host.h"

static const struct castgate_encoder *encoder(void) { return cg_plugin_json.ops.encoder; }

/* As the host has it done. */
static int encode_whole(struct castgate_call *call) {
    int result = encoder()->head(&fake_host, call);
    return result != 0 ? result : encoder()->encode(&fake_host, call);
}

static json_t *encode(struct castgate_call *call) {
    json_error_t error;
    assert_int_equal(encode_whole(call), 0);
    json_t *document = json_loads(call_text(call), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (document == NULL) fail_msg("%s at %d: %s", error.text, error.position, call_text(call));
    assert_int_equal(strlen(call_text(call)), call->written.len); /* no NUL inside */
    return document;
}

static json_t *encode_answers(const struct castgate_answer *answers, size_t count) {
    struct castgate_call call;
    call_init(&call);
    call.answers = answers;
    call.answer_count = count;
    json_t *document = encode(&call);
    assert_int_equal(json_array_size(json_object_get(document, "answers")), count);
    call_fini(&call);
    return document;
}

static const json_t *answer_at(const json_t *document, size_t index) {
    return json_array_get(json_object_get(document, "answers"), index);
}

static void test_an_empty_reply(void **state) {
    (void)state;
    json_t *document = encode_answers(NULL, 0);
    assert_string_equal(text_at(document, "exchange"), "0123456789abcdef");
    assert_string_equal(text_at(document, "mapping"), "lamps");
    assert_int_equal(json_array_size(json_object_get(document, "missing")), 0);
    assert_int_equal(json_array_size(json_object_get(document, "rejected")), 0);
    json_decref(document);
    assert_false(encoder()->empty_is_204);
    assert_null(encoder()->begin);
}

static void test_summary_has_every_count(void **state) {
    (void)state;
    struct castgate_call call;
    call_init(&call);
    call.summary = (struct castgate_summary){.answered = 1,
                                             .failed = 2,
                                             .missing = 3,
                                             .late = 4,
                                             .duplicates = 5,
                                             .rejected = 6,
                                             .expected = 7,
                                             .kernel_drops = UINT32_MAX,
                                             .ms = 9,
                                             .ended_by = "quorum"};
    json_t *document = encode(&call);
    json_t *expected = json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:I,s:i,s:s}", "answered", 1, "failed", 2, "missing", 3,
                                 "late", 4, "duplicates", 5, "rejected", 6, "expected", 7, "kernel_drops",
                                 (json_int_t)UINT32_MAX, "ms", 9, "ended_by", "quorum");
    assert_true(json_equal(json_object_get(document, "summary"), expected));
    json_decref(expected);
    json_decref(document);
    call_fini(&call);
}

static void test_lists(void **state) {
    (void)state;
    const struct castgate_missing missing[] = {
        {.member = text("lamp-2"), .from = text("127.1.0.2:5683"), .cause = "not-listening"},
        {.member = text("lamp-3"), .from = {0}, .cause = "unknown"}};
    const struct castgate_rejected rejected[] = {{.from = text("127.1.0.9:5683"),
                                                  .kid = bytes("\x01", 1),
                                                  .gid = bytes("\xca\xfe", 2),
                                                  .reason = text("replayed")},
                                                 {.from = text("127.1.0.8:5683"),
                                                  .reason = text("unprotected"),
                                                  .code = CG_CODE(4, 1),
                                                  .diagnostic = text("no \"context\"")},
                                                 {.from = {0}, .reason = text("a \"reason\"")}};
    struct castgate_call call;
    call_init(&call);
    call.missing = missing;
    call.missing_count = 2;
    call.rejected = rejected;
    call.rejected_count = 3;
    json_t *document = encode(&call);
    json_t *expected = json_pack("[{s:s,s:s,s:s},{s:s,s:n,s:s}]", "member", "lamp-2", "from", "127.1.0.2:5683", "cause",
                                 "not-listening", "member", "lamp-3", "from", "cause", "unknown");
    assert_true(json_equal(json_object_get(document, "missing"), expected));
    json_decref(expected);
    expected = json_pack("[{s:s,s:s,s:s,s:s,s:n,s:n},{s:s,s:n,s:n,s:s,s:s,s:s},{s:n,s:n,s:n,s:s,s:n,s:n}]", "from",
                         "127.1.0.9:5683", "kid", "01", "gid", "cafe", "reason", "replayed", "code", "diagnostic",
                         "from", "127.1.0.8:5683", "kid", "gid", "reason", "unprotected", "code", "4.01", "diagnostic",
                         "no \"context\"", "from", "kid", "gid", "reason", "a \"reason\"", "code", "diagnostic");
    assert_non_null(expected);
    assert_true(json_equal(json_object_get(document, "rejected"), expected));
    json_decref(expected);
    json_decref(document);
    call_fini(&call);
}

static void test_bodies_by_what_they_are(void **state) {
    (void)state;
    const struct castgate_answer answers[] = {
        plain_answer(0, text("on\n\"off\"")),
        plain_answer(50, text("{\"t\" :\n20.5}")),
        plain_answer(50, text("{\"t\":20.5}}, {\"member\":\"forged\"")),
        plain_answer(42, bytes("\x00\xff", 2)),
        plain_answer(60, text("looks like text")),
        plain_answer(0, bytes("\xff\xfe", 2)),
        plain_answer(0, bytes("a\0b", 3)),
        plain_answer(0, bytes(NULL, 0)),
        plain_answer(65535, text("unknown format")),
        plain_answer(CASTGATE_FORMAT_NONE, text("no such lamp")),
    };
    json_t *document = encode_answers(answers, 10);
    assert_string_equal(text_at(answer_at(document, 0), "body"), "on\n\"off\"");
    assert_true(json_real_value(json_object_get(json_object_get(answer_at(document, 1), "json"), "t")) == 20.5);
    assert_string_equal(text_at(answer_at(document, 2), "body"), "{\"t\":20.5}}, {\"member\":\"forged\"");
    assert_string_equal(text_at(answer_at(document, 3), "body_base64"), "AP8=");
    assert_string_equal(text_at(answer_at(document, 4), "body_base64"), "bG9va3MgbGlrZSB0ZXh0");
    assert_string_equal(text_at(answer_at(document, 5), "body_base64"), "//4=");
    assert_int_equal(json_string_length(json_object_get(answer_at(document, 6), "body")), 3);
    assert_null(json_object_get(answer_at(document, 7), "body"));
    assert_string_equal(text_at(answer_at(document, 8), "body_base64"), "dW5rbm93biBmb3JtYXQ=");
    assert_string_equal(text_at(answer_at(document, 9), "body"), "no such lamp");
    for (size_t i = 0; i < 10; i++) { /* never more than one of the three */
        const json_t *answer = answer_at(document, i);
        int bodies = (json_object_get(answer, "body") != NULL) + (json_object_get(answer, "json") != NULL) +
                     (json_object_get(answer, "body_base64") != NULL);
        assert_int_equal(bodies, i == 7 ? 0 : 1);
    }
    json_decref(document);
}

static void test_what_is_no_json_stays_text(void **state) {
    (void)state;
    static char deep[60001];
    memset(deep, '[', 30000);
    memset(deep + 30000, ']', 30000);
    const struct castgate_answer answers[] = {
        plain_answer(50, text(deep)),       plain_answer(50, text("\xef\xbb\xbf{}")),
        plain_answer(50, bytes("{}\0", 3)), plain_answer(50, text("NaN")),
        plain_answer(50, text("01")),
    };
    json_t *document = encode_answers(answers, 5);
    for (size_t i = 0; i < 5; i++) assert_non_null(json_object_get(answer_at(document, i), "body"));
    json_decref(document);
}

/* Byte for byte, though few readers can hold all of it: a device's value does not change its form with its reading. */
static void test_json_is_embedded_whatever_its_numbers(void **state) {
    (void)state;
    static const char *const values[] = {
        "9223372036854775807", "9223372036854775808", "-99999999999999999999999999",  "1e400", "1.0e-999",
        "\"\\ud800\"",         "\"\\u0000\"",         "{\"a\":18446744073709551616}",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct castgate_answer answer = plain_answer(50, text(values[i]));
        struct castgate_call call;
        char expected[64];
        call_init(&call);
        call.answers = &answer;
        call.answer_count = 1;
        assert_int_equal(encoder()->encode(&fake_host, &call), 0);
        snprintf(expected, sizeof expected, ",\"json\":%s,\"options\"", values[i]);
        if (strstr(call_text(&call), expected) == NULL) fail_msg("%s", call_text(&call));
        assert_null(strstr(call_text(&call), "\"body"));
        call_fini(&call);
    }
}

static void test_moderate_depth_is_embedded(void **state) {
    (void)state;
    static const char shallow[] = "[\"]]\\\"[[[[\",{\"a\":[[1]]}]";
    char deepest[129], deeper[131];
    memset(deepest, '[', 64);
    memset(deepest + 64, ']', 64);
    deepest[128] = '\0';
    memset(deeper, '[', 65);
    memset(deeper + 65, ']', 65);
    deeper[130] = '\0';
    const struct castgate_answer answers[] = {plain_answer(50, text(shallow)), plain_answer(50, text(deepest)),
                                              plain_answer(50, text(deeper))};
    json_t *document = encode_answers(answers, 3);
    assert_non_null(json_object_get(answer_at(document, 0), "json"));
    assert_non_null(json_object_get(answer_at(document, 1), "json"));
    assert_non_null(json_object_get(answer_at(document, 2), "body"));
    json_decref(document);
}

static void test_option_zero(void **state) { /* reserved, and a member may send it all the same */
    (void)state;
    static const uint8_t options[] = {0x01, 0xaa, 0x00, 0x41, 0xbb};
    struct castgate_answer answer = plain_answer(0, text("on"));
    answer.options = bytes(options, sizeof options);
    json_t *document = encode_answers(&answer, 1);
    json_t *expected = json_pack("{s:[s,s],s:[s]}", "0", "aa", "", "4", "bb");
    assert_true(json_equal(json_object_get(answer_at(document, 0), "options"), expected));
    json_decref(expected);
    json_decref(document);
}

static void assert_links(const char *payload, const char *expected) {
    const struct castgate_answer answer = plain_answer(40, text(payload));
    json_t *document = encode_answers(&answer, 1);
    json_t *links = json_object_get(answer_at(document, 0), "links");
    json_t *wanted = json_loads(expected, 0, NULL);
    assert_non_null(wanted);
    char *shown = json_dumps(links, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!json_equal(links, wanted)) fail_msg("%s: %s", payload, shown == NULL ? "none" : shown);
    assert_string_equal(text_at(answer_at(document, 0), "body"), payload); /* as it came, all the same */
    free(shown);
    json_decref(wanted);
    json_decref(document);
}

static void test_links(void **state) {
    (void)state;
    assert_links("</light>;rt=\"light  a\\\"b\";if=core.a;ct=\"0 50\";sz=12;obs;title=\"Hall\"",
                 "[{\"target\":\"/light\",\"rt\":[\"light\",\"a\\\"b\"],\"if\":[\"core.a\"],\"ct\":[0,50],\"sz\":12,"
                 "\"obs\":true,\"title\":\"Hall\"}]");
    assert_links("</a>,</b>;obs,<coap://[ff02::fd]/?x=,y>", /* what is between '<' and '>' is no separator */
                 "[{\"target\":\"/a\"},{\"target\":\"/b\",\"obs\":true},{\"target\":\"coap://[ff02::fd]/?x=,y\"}]");
    assert_links(
        "</a>;x=1;rt=a;x=\"\";x;rt=\"b c\";target=/b;title=\"\";rt;sz=007;ct=x",
        "[{\"target\":\"/"
        "a\",\"x\":[\"1\",\"\",true],\"rt\":[\"a\",\"b\",\"c\"],\"title\":\"\",\"sz\":\"007\",\"ct\":[\"x\"]}]");
    assert_links("</a>;sz=9999999999999999;ct=40;if",
                 "[{\"target\":\"/a\",\"sz\":\"9999999999999999\",\"ct\":[40],\"if\":[]}]");
}

static void test_what_are_no_links(void **state) {
    (void)state;
    const struct castgate_answer answers[] = {
        plain_answer(40, text("</a>;rt=\"x")),
        plain_answer(0, text("</a>;rt=x")),
        plain_answer(40, bytes(NULL, 0)),
        plain_answer(40, text("</\xff>;title=\"\xff\"")),
    };
    json_t *document = encode_answers(answers, 4);
    assert_null(json_object_get(answer_at(document, 0), "links"));
    assert_string_equal(text_at(answer_at(document, 0), "body"), "</a>;rt=\"x");
    assert_null(json_object_get(answer_at(document, 1), "links"));
    assert_int_equal(json_array_size(json_object_get(answer_at(document, 2), "links")), 0); /* there are none */
    assert_non_null(json_object_get(answer_at(document, 2), "links"));
    const json_t *latin = json_array_get(json_object_get(answer_at(document, 3), "links"), 0);
    assert_string_equal(text_at(latin, "target"), "/\xef\xbf\xbd");
    assert_non_null(json_object_get(answer_at(document, 3), "body_base64"));
    json_decref(document);
}

/* Neither many links nor many attributes are more work, or more reply, than their bytes are worth. */
static void test_links_are_bounded(void **state) {
    (void)state;
    struct cg_buf many;
    cg_buf_init(&many, 0);
    cg_buf_put_str(&many, "</first>");
    for (size_t i = 0; i < 32; i++) cg_buf_printf(&many, ";a%zu", i);
    cg_buf_put_str(&many, ",</second>");
    for (size_t i = 0; i < 33; i++) cg_buf_put_str(&many, ";a");
    for (size_t i = 0; i < 1200; i++) cg_buf_put_str(&many, ",<>");
    const struct castgate_answer answer = plain_answer(40, bytes(many.data, many.len));
    json_t *document = encode_answers(&answer, 1);
    const json_t *links = json_object_get(answer_at(document, 0), "links");
    assert_int_equal(json_array_size(links), 1000);
    assert_int_equal(json_object_size(json_array_get(links, 0)), 33);
    assert_string_equal(text_at(json_array_get(links, 1), "target"), "");
    assert_int_equal(json_integer_value(json_object_get(answer_at(document, 0), "links_left_out")), 202);
    json_decref(document);
    cg_buf_fini(&many);
}

static void test_options_and_identity(void **state) {
    (void)state;
    /* ETag aa, ETag bb, Content-Format 0, Block2 0/1/16, Size2 7, option 65000 without value */
    static const uint8_t options[] = {0x41, 0xaa, 0x01, 0xbb, 0x80, 0xb1, 0x08, 0x51, 0x07, 0xe0, 0xfc, 0xbf};
    struct castgate_answer answers[] = {plain_answer(0, text("on")), plain_answer(0, text("on"))};
    answers[0].options = bytes(options, sizeof options);
    answers[0].has_kid = true; /* an empty one */
    answers[1].verified = CASTGATE_VERIFIED_SOURCE;
    answers[1].via = CASTGATE_VIA_CACHE;
    answers[1].from = bytes(NULL, 0);
    json_t *document = encode_answers(answers, 2);
    json_t *expected = json_pack("{s:[s,s],s:[s]}", "4", "aa", "bb", "65000", "");
    assert_true(json_equal(json_object_get(answer_at(document, 0), "options"), expected));
    assert_string_equal(text_at(answer_at(document, 0), "kid"), "");
    assert_string_equal(text_at(answer_at(document, 0), "verified"), "none");
    assert_string_equal(text_at(answer_at(document, 0), "via"), "multicast");
    assert_true(json_is_null(json_object_get(answer_at(document, 1), "kid")));
    assert_true(json_is_null(json_object_get(answer_at(document, 1), "from")));
    assert_string_equal(text_at(answer_at(document, 1), "verified"), "source");
    assert_string_equal(text_at(answer_at(document, 1), "via"), "cache");
    json_decref(expected);
    json_decref(document);
}

static void test_a_full_host_is_told(void **state) {
    (void)state;
    const struct castgate_answer answer = plain_answer(0, text("on"));
    for (size_t room = 0; room < 400; room += 40) {
        struct castgate_call call;
        call_init(&call);
        call.answers = &answer;
        call.answer_count = 1;
        call.room = room;
        assert_int_equal(encode_whole(&call), -1);
        call_fini(&call);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_reply),
        cmocka_unit_test(test_summary_has_every_count),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_bodies_by_what_they_are),
        cmocka_unit_test(test_what_is_no_json_stays_text),
        cmocka_unit_test(test_json_is_embedded_whatever_its_numbers),
        cmocka_unit_test(test_moderate_depth_is_embedded),
        cmocka_unit_test(test_option_zero),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_what_are_no_links),
        cmocka_unit_test(test_links_are_bounded),
        cmocka_unit_test(test_options_and_identity),
        cmocka_unit_test(test_a_full_host_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
