/* Link-format: what RFC 6690 has in its examples, what RFC 9176 and group managers add, and what devices get wrong. */
#include "wire/link_format.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"

static void assert_slice(struct cg_slice slice, const char *text) {
    if (!cg_slice_is(slice, text)) fail_msg("\"%.*s\" is not \"%s\"", (int)slice.len, (const char *)slice.data, text);
}

static struct cg_link only(const char *text) {
    struct cg_link_reader reader;
    struct cg_link link, further;
    cg_link_reader_init(&reader, cg_slice_str(text));
    if (!cg_link_next(&reader, &link)) fail_msg("no link: %s", text);
    assert_false(cg_link_next(&reader, &further));
    assert_int_equal(reader.err, CG_OK);
    return link;
}

static void links_in_their_order(void **state) {
    (void)state;
    struct cg_link_reader reader;
    struct cg_link link;
    cg_link_reader_init(&reader, cg_slice_str("</sensors>;ct=40;title=\"Sensor, Index; all\",</t>;rt=temperature-c,"
                                              "<http://www.example.com/sensors/t123>;anchor=\"/sensors/temp\""
                                              ";rel=\"describedby\",<>"));
    assert_true(cg_link_next(&reader, &link));
    assert_slice(link.target, "/sensors");
    assert_slice(link.attributes, ";ct=40;title=\"Sensor, Index; all\"");
    assert_true(cg_link_next(&reader, &link));
    assert_slice(link.target, "/t");
    assert_true(cg_link_next(&reader, &link));
    assert_slice(link.target, "http://www.example.com/sensors/t123");
    assert_true(cg_link_next(&reader, &link));
    assert_slice(link.target, "");
    assert_int_equal(link.attributes.len, 0);
    assert_false(cg_link_next(&reader, &link));
    assert_int_equal(reader.err, CG_OK);
}

static void no_links(void **state) {
    (void)state;
    static const char *const texts[] = {"", " ", "\r\n"};
    struct cg_link_reader reader;
    struct cg_link link;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cg_link_reader_init(&reader, cg_slice_str(texts[i]));
        assert_false(cg_link_next(&reader, &link));
        assert_int_equal(reader.err, CG_OK);
    }
    cg_link_reader_init(&reader, CG_SLICE_NONE);
    assert_false(cg_link_next(&reader, &link));
    assert_int_equal(reader.err, CG_OK);
}

static void attributes_one_after_another(void **state) {
    (void)state;
    struct cg_link link = only("</l>;rt=\"a b\";obs;sz=12;title=\"\";foo=a<b>;title*=UTF-8''%e2%82%ac");
    static const struct {
        const char *name, *value;
        bool has_value, is_quoted;
    } expected[] = {{"rt", "a b", true, true},    {"obs", "", false, false},
                    {"sz", "12", true, false},    {"title", "", true, true},
                    {"foo", "a<b>", true, false}, {"title*", "UTF-8''%e2%82%ac", true, false}};
    struct cg_link_attribute attribute;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(cg_link_next_attribute(&link.attributes, &attribute));
        assert_slice(attribute.name, expected[i].name);
        assert_slice(attribute.value, expected[i].value);
        assert_int_equal(attribute.has_value, expected[i].has_value);
        assert_int_equal(attribute.is_quoted, expected[i].is_quoted);
    }
    assert_false(cg_link_next_attribute(&link.attributes, &attribute));
}

static void blanks_around_separators(void **state) {
    (void)state;
    struct cg_link_reader reader;
    struct cg_link link;
    cg_link_reader_init(&reader, cg_slice_str(" </a> ; rt=x ;if=\"y\" ,\r\n  </b>\n"));
    assert_true(cg_link_next(&reader, &link));
    assert_slice(link.target, "/a");
    assert_true(cg_link_has(&link, "rt", "x"));
    assert_true(cg_link_has(&link, "if", "y"));
    assert_true(cg_link_next(&reader, &link));
    assert_slice(link.target, "/b");
    assert_false(cg_link_next(&reader, &link));
    assert_int_equal(reader.err, CG_OK);
}

/* The good ones before it are told of; it and what follows are not. */
static void malformed(void **state) {
    (void)state;
    static const char *const texts[] = {
        "x",
        "</b",
        "/b>",
        "</b>;",
        ",",
        ",</b>",
        "</b>;=x",
        "</b>;rt=",
        "</b>;rt=\"x",
        "</b>;rt=\"\\",
        "</b>;rt=\"x\\\"",
        "</b>;rt=\"x\"y",
        "</b>;rt=x\"y\"",
        "</b> </c>",
        "</b>;;obs",
        "</b c>",
        "</b<c>",
        "</b\x01>",
        "</b>;t=\"\x01\"",
        "</b>;t=\"\x7f\"",
        "</b>;t=\x80",
        "<\"b\">",
        "</b>;r t=x",
        "</b>;rt= x",
        "</b>;rt =x",
        "</b>;t=\"\\\xc3\xa4\"",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[64];
        struct cg_link_reader reader;
        struct cg_link link;
        snprintf(text, sizeof text, "</a>;obs,%s", texts[i]);
        cg_link_reader_init(&reader, cg_slice_str(text));
        size_t count = 0;
        while (cg_link_next(&reader, &link)) count++;
        if (reader.err != CG_E_FORMAT || count != 1) fail_msg("%zu links in: %s", count, text);
        assert_slice(reader.left, texts[i]);
        assert_false(cg_link_next(&reader, &link));
    }
}

static void zero_byte_is_no_character(void **state) {
    (void)state;
    static const char name[] = "</a>;o\0s", target[] = "</\0>", token[] = "</a>;rt=\0";
    const struct cg_slice texts[] = {{(const uint8_t *)name, sizeof name - 1},
                                     {(const uint8_t *)target, sizeof target - 1},
                                     {(const uint8_t *)token, sizeof token - 1}};
    for (size_t i = 0; i < 3; i++) {
        struct cg_link_reader reader;
        struct cg_link link;
        cg_link_reader_init(&reader, texts[i]);
        assert_false(cg_link_next(&reader, &link));
        assert_int_equal(reader.err, CG_E_FORMAT);
    }
}

static struct cg_link_attribute first_of(const struct cg_link *link) {
    struct cg_slice attributes = link->attributes;
    struct cg_link_attribute attribute;
    assert_true(cg_link_next_attribute(&attributes, &attribute));
    return attribute;
}

static void escapes(void **state) {
    (void)state;
    char text[16];
    struct cg_link link = only("</a>;title=\"say \\\"hi\\\\\\x\"");
    struct cg_link_attribute title = first_of(&link);
    assert_int_equal(cg_link_unquote(&title, text, sizeof text), 9);
    assert_memory_equal(text, "say \"hi\\x", 9);
    assert_int_equal(cg_link_unquote(&title, text, 3), 9); /* says what there would be */
    assert_int_equal(cg_link_unquote(&title, NULL, 0), 9);
    struct cg_link plain = only("</a>;sz=12;obs");
    struct cg_link_attribute sz = first_of(&plain);
    assert_int_equal(cg_link_unquote(&sz, text, sizeof text), 2);
    assert_memory_equal(text, "12", 2);
}

static void values_by_word(void **state) {
    (void)state;
    struct cg_link link = only("</rd>;rt=\"core.rd-lookup-res  core.rd\\-x\";if=core.ll;obs;title=\"\"");
    assert_true(cg_link_has(&link, "rt", "core.rd-lookup-res"));
    assert_true(cg_link_has(&link, "rt", "core.rd-x")); /* escaped needlessly */
    assert_true(cg_link_has(&link, "rt", "core.rd*"));
    assert_true(cg_link_has(&link, "rt", "core.rd-l*"));
    assert_true(cg_link_has(&link, "rt", "*"));
    assert_true(cg_link_has(&link, "if", "core.ll"));
    assert_true(cg_link_has(&link, "if", "core.ll*"));
    assert_false(cg_link_has(&link, "rt", "core.rd"));
    assert_false(cg_link_has(&link, "rt", "rd*"));
    assert_false(cg_link_has(&link, "rt", ""));
    assert_false(cg_link_has(&link, "rt", "core.rd-lookup-res  core.rd-x"));
    assert_false(cg_link_has(&link, "if", "core.l"));
    assert_false(cg_link_has(&link, "obs", "*"));
    assert_false(cg_link_has(&link, "title", "*"));
    assert_false(cg_link_has(&link, "ct", "*"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_in_their_order),
        cmocka_unit_test(no_links),
        cmocka_unit_test(attributes_one_after_another),
        cmocka_unit_test(blanks_around_separators),
        cmocka_unit_test(malformed),
        cmocka_unit_test(zero_byte_is_no_character),
        cmocka_unit_test(escapes),
        cmocka_unit_test(values_by_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
