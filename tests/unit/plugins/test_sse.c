/* The event stream's framing, read by a strict parser: whatever a member sends stays inside its own event. */
#include "fake_host.h"

#include "base/text.h"

static const struct castgate_encoder *sse(void) { return cg_plugin_sse.ops.encoder; }

/* WHATWG HTML 9.2.5, and stricter: an event is one `event` line, perhaps an `id` line, and one `data` line with one
 * JSON object; a comment stands alone, or with `retry`. Lines may end by CR, LF or both to a browser, so any CR is an
 * error. */
struct event {
    char name[16]; /* empty: a comment */
    char id[64];   /* empty: none */
    json_t *data;
};

static void read_event(const char **at, struct event *event) {
    *event = (struct event){0};
    size_t len = strcspn(*at, "\n");
    assert_int_equal((*at)[len], '\n');
    if (**at == ':') {
        *at += len + 1;
        if (strncmp(*at, "retry: ", 7) == 0) *at += strcspn(*at, "\n") + 1;
        assert_int_equal(**at, '\n');
        *at += 1;
        return;
    }
    assert_memory_equal(*at, "event: ", 7);
    assert_in_range(len - 7, 1, sizeof event->name - 1);
    memcpy(event->name, *at + 7, len - 7);
    *at += len + 1;
    if (strncmp(*at, "id: ", 4) == 0) {
        len = strcspn(*at, "\n");
        assert_in_range(len - 4, 1, sizeof event->id - 1);
        memcpy(event->id, *at + 4, len - 4);
        *at += len + 1;
    }
    assert_memory_equal(*at, "data: ", 6);
    len = strcspn(*at, "\n");
    assert_memory_equal(*at + len, "\n\n", 2);
    json_error_t error;
    event->data = json_loadb(*at + 6, len - 6, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!json_is_object(event->data)) fail_msg("%s: %.*s", error.text, (int)len, *at);
    *at += len + 2;
}

static void expect_clean(struct castgate_call *call) {
    const struct cg_buf *written = &call->written;
    assert_true(cg_utf8_valid(cg_buf_slice(written)));
    assert_null(memchr(written->data, '\r', written->len));
    assert_null(memchr(written->data, 0, written->len));
}

/* The only event of the answer. The caller frees its data. */
static json_t *tell(const struct castgate_answer *answer) {
    struct castgate_call call;
    struct event event;
    call_init(&call);
    assert_int_equal(sse()->answer(&fake_host, &call, answer), 0);
    expect_clean(&call);
    const char *at = call_text(&call);
    read_event(&at, &event);
    assert_string_equal(event.name, "answer");
    assert_int_equal(*at, 0);
    call_fini(&call);
    return event.data;
}

static void test_what_it_offers(void **state) {
    (void)state;
    assert_string_equal(sse()->media_type, "text/event-stream");
    assert_null(sse()->encode);
    assert_false(sse()->empty_is_204);
}

static void test_signs_of_life_are_comments(void **state) {
    (void)state;
    struct castgate_call call;
    struct event event;
    call_init(&call);
    assert_int_equal(sse()->begin(&fake_host, &call), 0);
    assert_int_equal(sse()->idle(&fake_host, &call), 0);
    const char *at = call_text(&call);
    for (int i = 0; i < 2; i++) {
        read_event(&at, &event);
        assert_string_equal(event.name, "");
    }
    assert_int_equal(*at, 0);
    call_fini(&call);
}

static void test_answer_has_the_fields_of_the_json_reply(void **state) {
    (void)state;
    static const uint8_t options[] = {0x41, 0xee, 0x80}; /* ETag ee; Content-Format 0 */
    struct castgate_answer answer = plain_answer(0, text("on"));
    answer.kid = bytes("\x11", 1);
    answer.has_kid = true;
    answer.verified = CASTGATE_VERIFIED_SOURCE;
    answer.via = CASTGATE_VIA_UNICAST;
    answer.options = bytes(options, sizeof options);
    json_t *data = tell(&answer);
    assert_string_equal(text_at(data, "member"), "lamp-1");
    assert_string_equal(text_at(data, "from"), "127.1.0.1:5683");
    assert_string_equal(text_at(data, "kid"), "11");
    assert_string_equal(text_at(data, "verified"), "source");
    assert_string_equal(text_at(data, "via"), "unicast");
    assert_string_equal(text_at(data, "code"), "2.05");
    assert_string_equal(text_at(data, "body"), "on");
    assert_int_equal(json_integer_value(json_object_get(data, "status")), 200);
    assert_int_equal(json_integer_value(json_object_get(data, "ms")), 12);
    assert_string_equal(json_string_value(json_array_get(json_object_get(json_object_get(data, "options"), "4"), 0)),
                        "ee");
    json_decref(data);
}

static void test_a_notification_says_that_it_is_one(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(0, text("on"));
    json_t *data = tell(&answer);
    assert_null(json_object_get(data, "notification"));
    json_decref(data);
    answer.is_notification = true;
    data = tell(&answer);
    assert_true(json_is_true(json_object_get(data, "notification")));
    json_decref(data);
}

/* Everything that means something to an event stream, or to a careless reader of one. */
static void test_texts_stay_in_their_event(void **state) {
    (void)state;
    static const char *const texts[] = {
        "one\ntwo",
        "\n\n",
        "\r\r",
        "a\r\n\r\nb",
        "\n\nevent: summary\ndata: {}\n\n",
        "\ndata: forged\n",
        "event: answer\ndata: {}\nid: 7\nretry: 1\n\n",
        ": comment\n\n",
        "\"}\n\nevent: answer\ndata: {\"member\":\"lamp-2\"}",
        "\xe2\x80\xa8line and paragraph\xe2\x80\xa9", /* U+2028, U+2029 */
        "\xef\xbb\xbf is a byte order mark",
        "\x0b\x0c\x1b[2J\x7f\xc2\x85",
        "</script>\\\"\\n\\u000a",
        "\xf0\x9f\x92\xa1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct castgate_answer answer = plain_answer(0, text(texts[i]));
        json_t *data = tell(&answer);
        assert_string_equal(text_at(data, "body"), texts[i]);
        json_decref(data);
        answer.format = CASTGATE_FORMAT_NONE; /* a diagnostic text */
        data = tell(&answer);
        assert_string_equal(text_at(data, "body"), texts[i]);
        json_decref(data);
    }
}

static void test_every_byte_stays_in_its_event(void **state) {
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        const uint8_t payload[] = {'\n', (uint8_t)byte, '\n', (uint8_t)byte, '\n'};
        static const uint32_t formats[] = {0, 42, 50, 60, CASTGATE_FORMAT_NONE};
        for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
            struct castgate_answer answer = plain_answer(formats[i], bytes(payload, sizeof payload));
            json_decref(tell(&answer));
        }
    }
}

static void test_names_stay_in_their_event(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(0, text("on"));
    answer.member = text("lamp\n\nevent: summary\ndata: {}\n\n");
    answer.media_type = text("text/plain\r\n\r\n");
    answer.from = (struct castgate_slice){0};
    json_t *data = tell(&answer);
    assert_string_equal(text_at(data, "member"), "lamp\n\nevent: summary\ndata: {}\n\n");
    assert_true(json_is_null(json_object_get(data, "from")));
    json_decref(data);
}

static void test_nul_and_broken_utf8(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(0, bytes("a\0b\n", 4));
    json_t *data = tell(&answer);
    const json_t *body = json_object_get(data, "body");
    assert_int_equal(json_string_length(body), 4);
    assert_memory_equal(json_string_value(body), "a\0b\n", 4);
    json_decref(data);
    static const char *const broken[] = {"\xff", "\n\xc0\x80\n", "\xed\xa0\x80", "ok\xe2\x82", "\xf5\x80\x80\x80"};
    static const char *const as_base64[] = {"/w==", "CsCACg==", "7aCA", "b2vigg==", "9YCAgA=="};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        answer = plain_answer(0, text(broken[i]));
        data = tell(&answer);
        assert_string_equal(text_at(data, "body_base64"), as_base64[i]);
        assert_null(json_object_get(data, "body"));
        json_decref(data);
    }
}

static void test_json_over_several_lines_becomes_one(void **state) {
    (void)state;
    static const char *const pretty[] = {
        "{\n  \"t\": 20.5,\n  \"unit\": \"C\"\n}\n",
        "\r\n[\r\n1,\r\n2\r\n]\r\n",
        "\r\"data: x\"\r",
        "{\"a\":\"line\\nevent: x\\n\\n\"}",
        "\n\n17\n\n",
    };
    for (size_t i = 0; i < sizeof pretty / sizeof *pretty; i++) {
        json_t *expected = json_loads(pretty[i], JSON_DECODE_ANY, NULL);
        struct castgate_answer answer = plain_answer(50, text(pretty[i]));
        json_t *data = tell(&answer);
        assert_true(json_equal(json_object_get(data, "json"), expected));
        json_decref(data);
        json_decref(expected);
    }
}

static void test_what_only_claims_to_be_json(void **state) {
    (void)state;
    static const char *const claims[] = {
        "{\"a\":1}}\n\nevent: x\n\n", "{\"a\":\"raw\nline\"}", "{", "\n", "nul", "1 2", "[1,]"};
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        struct castgate_answer answer = plain_answer(50, text(claims[i]));
        json_t *data = tell(&answer);
        assert_null(json_object_get(data, "json"));
        assert_string_equal(text_at(data, "body"), claims[i]);
        json_decref(data);
    }
}

static void test_only_the_id_of_a_summary_ends_it(void **state) {
    (void)state;
    static const char *const others[] = {
        "",
        "0",
        "7",
        "summary",
        "-summary",
        "0123456789abcdef",
        "0123456789abcdef-",
        "0123456789abcdef-answer1",
        "0123456789abcdef-Summary",
        "0123456789ABCDEF-summary",
        "0123456789abcdeg-summary",
        "0123456789abcde-summary",
        "0123456789abcdef0-summary",
        "0123456789abcdef-summary ",
        "0123456789abcdef-summary-summary",
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff-summary",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (sse()->has_ended(text(others[i]))) fail_msg("\"%s\"", others[i]);
    }
    assert_false(sse()->has_ended((struct castgate_slice){0}));
    assert_true(sse()->has_ended(text("ffffffffffffffff-summary")));
}

static void test_answer_without_payload(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(CASTGATE_FORMAT_NONE, bytes(NULL, 0));
    answer.media_type = bytes(NULL, 0);
    answer.code = 132; /* 4.04 */
    answer.status = 404;
    json_t *data = tell(&answer);
    assert_null(json_object_get(data, "body"));
    assert_true(json_is_null(json_object_get(data, "content_type")));
    assert_string_equal(text_at(data, "code"), "4.04");
    json_decref(data);
}

static void test_summary_ends_it(void **state) {
    (void)state;
    const struct castgate_missing missing[] = {
        {.member = text("lamp-2"), .from = text("127.1.0.2:5683"), .cause = "never-reached"},
        {.member = text("lamp\n\n3"), .from = {0}, .cause = "unknown"}};
    const struct castgate_rejected rejected[] = {
        {.from = text("127.1.0.9:5683"), .kid = bytes("\x01\n", 2), .gid = {0}, .reason = text("replayed")},
        {.from = text("127.1.0.8:5683"), .kid = bytes("\x02", 1), .gid = {0}, .reason = text("unprotected")}};
    struct castgate_call call;
    struct event event;
    call_init(&call);
    call.missing = missing;
    call.missing_count = 2;
    call.rejected = rejected;
    call.rejected_count = 2;
    assert_int_equal(sse()->end(&fake_host, &call), 0);
    expect_clean(&call);
    const char *at = call_text(&call);
    read_event(&at, &event);
    assert_int_equal(*at, 0);
    assert_string_equal(event.name, "summary");
    assert_string_equal(event.id, "0123456789abcdef-summary");
    assert_true(sse()->has_ended(text(event.id)));
    assert_string_equal(text_at(event.data, "exchange"), "0123456789abcdef");
    assert_string_equal(text_at(event.data, "mapping"), "lamps");
    assert_string_equal(text_at(json_object_get(event.data, "summary"), "ended_by"), "deadline");
    assert_string_equal(text_at(json_array_get(json_object_get(event.data, "missing"), 1), "member"), "lamp\n\n3");
    assert_string_equal(text_at(json_array_get(json_object_get(event.data, "missing"), 0), "cause"), "never-reached");
    assert_string_equal(text_at(json_array_get(json_object_get(event.data, "rejected"), 0), "kid"), "010a");
    assert_string_equal(text_at(json_array_get(json_object_get(event.data, "rejected"), 1), "kid"), "02");
    json_decref(event.data);
    call_fini(&call);
}

static void test_a_full_host_is_told(void **state) {
    (void)state;
    struct castgate_call call;
    call_init(&call);
    call.room = 3;
    const struct castgate_answer answer = plain_answer(0, text("on"));
    assert_int_equal(sse()->begin(&fake_host, &call), -1);
    assert_int_equal(sse()->answer(&fake_host, &call, &answer), -1);
    assert_int_equal(sse()->idle(&fake_host, &call), -1);
    assert_int_equal(sse()->end(&fake_host, &call), -1);
    assert_int_equal(call.written.len, 0);
    call_fini(&call);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_offers),
        cmocka_unit_test(test_signs_of_life_are_comments),
        cmocka_unit_test(test_answer_has_the_fields_of_the_json_reply),
        cmocka_unit_test(test_a_notification_says_that_it_is_one),
        cmocka_unit_test(test_texts_stay_in_their_event),
        cmocka_unit_test(test_every_byte_stays_in_its_event),
        cmocka_unit_test(test_names_stay_in_their_event),
        cmocka_unit_test(test_nul_and_broken_utf8),
        cmocka_unit_test(test_json_over_several_lines_becomes_one),
        cmocka_unit_test(test_what_only_claims_to_be_json),
        cmocka_unit_test(test_answer_without_payload),
        cmocka_unit_test(test_summary_ends_it),
        cmocka_unit_test(test_only_the_id_of_a_summary_ends_it),
        cmocka_unit_test(test_a_full_host_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
