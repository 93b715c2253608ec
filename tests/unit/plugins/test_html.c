/* The page, read by a strict parser: no tag but its own, whatever a member sends, and everything there is is shown. */
#include "fake_host.h"
#include "page_tags.h"

#include <stdio.h>

#include <sodium.h>

#include "base/html.h"
#include "base/text.h"

static const struct castgate_encoder *html(void) { return cg_plugin_html.ops.encoder; }

/* The page without markup, references resolved. */
struct page {
    char *text;
    size_t rows, items;
};

static bool is_tag(const char *at, const char *tag) { return strncmp(at, tag, strlen(tag)) == 0; }

/* Its length. */
static size_t expect_tag(const char *at) {
    for (size_t i = 0; i < PAGE_TAGS; i++) {
        if (is_tag(at, page_tags[i])) return strlen(page_tags[i]);
    }
    fail_msg("a tag that is none of the page's: %.60s", at);
    return 0;
}

static size_t resolve(const char *at, char *to) {
    static const struct {
        const char *reference;
        char byte;
    } rows[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!is_tag(at, rows[i].reference)) continue;
        *to = rows[i].byte;
        return strlen(rows[i].reference);
    }
    fail_msg("a bare ampersand: %.60s", at);
    return 0;
}

static void read_page(struct castgate_call *call, struct page *page) {
    assert_true(cg_utf8_valid(cg_buf_slice(&call->written)));
    assert_null(memchr(call->written.data, 0, call->written.len));
    const char *at = call_text(call);
    size_t len = 0;
    *page = (struct page){.text = calloc(1, call->written.len + 1)};
    assert_non_null(page->text);
    while (*at != '\0') {
        assert_true(*at == '\n' || *at == '\t' || (uint8_t)*at >= ' ');
        page->rows += is_tag(at, "<tr>");
        page->items += is_tag(at, "<li>");
        if (*at == '<') {
            at += expect_tag(at);
        } else if (*at == '&') {
            at += resolve(at, &page->text[len++]);
        } else {
            page->text[len++] = *at++;
        }
    }
}

static void encode(struct castgate_call *call, struct page *page) {
    assert_int_equal(html()->head(&fake_host, call), 0);
    assert_int_equal(html()->encode(&fake_host, call), 0);
    read_page(call, page);
}

/* The page with one answer. */
static void show(const struct castgate_answer *answer, struct page *page) {
    struct castgate_call call;
    call_init(&call);
    call.answers = answer;
    call.answer_count = 1;
    encode(&call, page);
    assert_int_equal(page->rows, 1);
    call_fini(&call);
}

static void expect(const struct page *page, const char *text) {
    if (strstr(page->text, text) == NULL) fail_msg("no \"%s\" in:\n%s", text, page->text);
}

static void test_what_it_offers(void **state) {
    (void)state;
    assert_string_equal(html()->media_type, "text/html");
    assert_true(html()->empty_is_204);
    assert_true(html()->tells_silence);
    assert_true(html()->encode_is_common);
    assert_null(html()->begin);
}

static void test_the_policy_has_the_hash_of_the_style(void **state) {
    (void)state;
    uint8_t digest[crypto_hash_sha256_BYTES];
    char hash[64] = "'sha256-";
    crypto_hash_sha256(digest, (const uint8_t *)cg_html_style, strlen(cg_html_style));
    cg_base64_emit(hash + strlen(hash), cg_slice_of(digest, sizeof digest));
    strcat(hash, "'");
    if (strstr(CG_HTML_POLICY, hash) == NULL) fail_msg("the style's hash is %s", hash);
    assert_non_null(strstr(CG_HTML_POLICY, "default-src 'none';"));
    assert_non_null(strstr(CG_HTML_POLICY, "frame-ancestors 'none'"));
}

static void test_an_answer_and_all_about_it(void **state) {
    (void)state;
    /* ETag ee, 2053 01 */
    static const uint8_t options[] = {0x41, 0xee, 0xe1, 0x06, 0xf4, 0x01};
    struct castgate_answer answer = plain_answer(0, text("on & <off>"));
    answer.kid = bytes("\x11", 1);
    answer.has_kid = true;
    answer.verified = CASTGATE_VERIFIED_SOURCE;
    answer.via = CASTGATE_VIA_UNICAST;
    answer.etag = bytes("\xee", 1);
    answer.has_max_age = true;
    answer.max_age = 30;
    answer.options = bytes(options, sizeof options);
    struct page page;
    show(&answer, &page);
    static const char *const expected[] = {"lamp-1",
                                           "2.05",
                                           "on & <off>",
                                           "unicast, 12 ms",
                                           "from 127.1.0.1:5683",
                                           "verified=source",
                                           "kid 11",
                                           "text/plain;charset=utf-8",
                                           "ETag ee",
                                           "good for 30 s",
                                           "Castgate-Options: 2053;v=:AQ==:"};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) expect(&page, expected[i]);
    free(page.text);
}

static void test_the_summary_and_who_is_missing(void **state) {
    (void)state;
    const struct castgate_answer answer = plain_answer(0, text("on"));
    const struct castgate_missing missing[] = {
        {.member = text("lamp-2"), .from = text("127.1.0.2:5683"), .cause = "asleep"},
        {.member = text("127.1.0.4:5683"), .from = text("127.1.0.4:5683"), .cause = "late"},
        {.member = text("<lamp-3>"), .from = {0}, .cause = "unknown"}};
    const struct castgate_rejected rejected[] = {
        {.from = text("127.1.0.9:5683"), .kid = bytes("\x01\n", 2), .gid = bytes("G1", 2), .reason = text("replayed")},
        {.from = text("127.1.0.8:5683"), .reason = text("unprotected"), .code = 129, .diagnostic = text("<b>no</b>")}};
    struct castgate_call call;
    struct page page;
    call_init(&call);
    call.answers = &answer;
    call.answer_count = 1;
    call.missing = missing;
    call.missing_count = 3;
    call.rejected = rejected;
    call.rejected_count = 2;
    call.summary = (struct castgate_summary){
        .answered = 1, .failed = 1, .missing = 2, .expected = 3, .rejected = 2, .ms = 2000, .ended_by = "deadline"};
    encode(&call, &page);
    assert_string_equal(call.content_type, "text/html; charset=utf-8");
    static const char *const expected[] = {
        "1 of 3 members answered, 1 with an error; 2 missing; 2 answers rejected.",
        "exchange=0123456789abcdef answered=1 failed=1 missing=2 late=0",
        "ended_by=deadline ms=2000",
        "Missing\n\nlamp-2, 127.1.0.2:5683, asleep\n127.1.0.4:5683, late\n<lamp-3>, unknown\n",
        "Rejected\n\nreplayed, from 127.1.0.9:5683, kid 010a, Gid 4731\n",
        "unprotected, from 127.1.0.8:5683, 4.01, says: <b>no</b>\n",
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) expect(&page, expected[i]);
    assert_int_equal(page.items, 5);
    free(page.text);
    call_fini(&call);
}

/* Everything that means something to a browser. */
static void test_texts_stay_text(void **state) {
    (void)state;
    static const char *const texts[] = {
        "</pre></td></tr></table><script>alert(1)</script>",
        "</script>",
        "<!--",
        "-->",
        "]]>",
        "<img src=x onerror=alert(1)>",
        "&lt;script&gt;",
        "&#60;script&#62;",
        "<meta http-equiv=refresh content=0;url=http://evil.example>",
        "<a href=\"javascript:alert(1)\">'\"</a>",
        "</title></style><style>*{display:none}",
        "\n\nfirst line ends are seen",
        "{\"a\": \"<b>\"}",
    };
    static const uint32_t formats[] = {0, 50, CASTGATE_FORMAT_NONE};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (size_t k = 0; k < sizeof formats / sizeof *formats; k++) {
            struct castgate_answer answer = plain_answer(formats[k], text(texts[i]));
            struct page page;
            show(&answer, &page);
            expect(&page, texts[i]);
            free(page.text);
        }
    }
}

static void test_names_and_types_stay_text(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(0, text("on"));
    answer.member = text("<script>lamp</script>");
    answer.from = text("\"><b>");
    answer.media_type = text("text/plain;a=\"</small>\"");
    struct page page;
    show(&answer, &page);
    expect(&page, "<script>lamp</script>");
    expect(&page, "\"><b>");
    expect(&page, "text/plain;a=\"</small>\"");
    free(page.text);
}

static void test_control_bytes_are_seen(void **state) {
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        const uint8_t payload[] = {'a', (uint8_t)byte, 'b'};
        static const uint32_t formats[] = {0, 42, 50, 60, CASTGATE_FORMAT_NONE};
        for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
            struct castgate_answer answer = plain_answer(formats[i], bytes(payload, sizeof payload));
            struct page page;
            show(&answer, &page);
            free(page.text);
        }
    }
    struct castgate_answer answer = plain_answer(0, bytes("a\0b\x1b\r", 5));
    struct page page;
    show(&answer, &page);
    expect(&page, "a\xe2\x90\x80"
                  "b\xe2\x90\x9b\xe2\x90\x8d");
    free(page.text);
}

static void test_what_is_no_text_is_base64(void **state) {
    (void)state;
    static const char *const broken[] = {"\xff", "\n\xc0\x80\n", "\xed\xa0\x80", "ok\xe2\x82"};
    static const char *const as_base64[] = {"\n/w==", "\nCsCACg==", "\n7aCA", "\nb2vigg=="};
    struct page page;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct castgate_answer answer = plain_answer(0, text(broken[i]));
        show(&answer, &page);
        expect(&page, as_base64[i]);
        free(page.text);
    }
    struct castgate_answer answer = plain_answer(42, text("abc")); /* octets */
    show(&answer, &page);
    expect(&page, "3 bytes, in base64:\nYWJj");
    free(page.text);
}

/* What the client protected stays so: the option is needed to open it. */
static void test_a_protected_answer(void **state) {
    (void)state;
    static const uint8_t options[] = {0x92, 0x08, 0x11}; /* OSCORE */
    struct castgate_answer answer = plain_answer(10001, text("sealed"));
    answer.media_type = text("application/oscore");
    answer.options = bytes(options, sizeof options);
    struct page page;
    show(&answer, &page);
    expect(&page, "c2VhbGVk");
    expect(&page, "OSCORE 0811");
    free(page.text);
}

static void test_ten_thousand_answers_leave_one_by_one(void **state) {
    (void)state;
    enum { COUNT = 10000 };
    struct castgate_answer *answers = calloc(COUNT, sizeof *answers);
    assert_non_null(answers);
    for (size_t i = 0; i < COUNT; i++) answers[i] = plain_answer(0, text("on"));
    struct castgate_call call;
    struct page page;
    call_init(&call);
    call.answers = answers;
    call.answer_count = COUNT;
    encode(&call, &page);
    assert_int_equal(page.rows, COUNT);
    free(page.text);
    call_fini(&call);
    free(answers);
}

/* Whenever the host takes no more, it is given up at once. */
static void test_no_room(void **state) {
    (void)state;
    const struct castgate_answer answer = plain_answer(0, text("on"));
    for (size_t room = 0; room < 500; room += 7) {
        struct castgate_call call;
        call_init(&call);
        call.answers = &answer;
        call.answer_count = 1;
        call.room = room;
        int head = html()->head(&fake_host, &call);
        assert_true(head == 0 || head == -1);
        call.room = room % 200;
        assert_int_equal(html()->encode(&fake_host, &call), -1);
        call_fini(&call);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_offers),
        cmocka_unit_test(test_the_policy_has_the_hash_of_the_style),
        cmocka_unit_test(test_an_answer_and_all_about_it),
        cmocka_unit_test(test_the_summary_and_who_is_missing),
        cmocka_unit_test(test_texts_stay_text),
        cmocka_unit_test(test_names_and_types_stay_text),
        cmocka_unit_test(test_control_bytes_are_seen),
        cmocka_unit_test(test_what_is_no_text_is_base64),
        cmocka_unit_test(test_a_protected_answer),
        cmocka_unit_test(test_ten_thousand_answers_leave_one_by_one),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests_name("plugins/html", tests, NULL, NULL);
}
