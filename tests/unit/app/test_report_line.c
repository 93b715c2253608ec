/* A report as a line: it is JSON, one line, and nothing that a terminal would act on, whatever its member says. */
#include "app/report_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "wire/content_format.h"

enum { JSON = 50 }; /* RFC 7252 §12.3 */

/* The line, without its time. The caller frees the document. */
static json_t *line_of(struct cg_slice payload, int format, struct cg_buf *line) {
    const struct cg_handed handed = {.index = 1,
                                     .alert = {.group = "meters",
                                               .member = "meter-1",
                                               .kid = cg_slice_str("\x07"),
                                               .method = CG_POST,
                                               .path = cg_slice_str("/kwh"),
                                               .has_format = format >= 0,
                                               .format = (uint16_t)format,
                                               .payload = payload,
                                               .number = 4711}};
    cg_buf_init(line, 0);
    cg_report_line(line, &handed, 0);
    assert_false(line->failed);
    assert_int_equal(line->data[line->len - 1], '\n');
    assert_null(memchr(line->data, '\n', line->len - 1));
    json_t *document = json_loadb((const char *)line->data, line->len, 0, NULL);
    assert_non_null(document);
    assert_string_equal(json_string_value(json_object_get(document, "member")), "meter-1");
    return document;
}

static bool has(const struct cg_buf *line, const char *text) {
    return memmem(line->data, line->len, text, strlen(text)) != NULL;
}

static void text_stays_readable(void **state) {
    struct cg_buf line;
    (void)state;
    json_t *document = line_of(cg_slice_str("Küche \"17\"\n"), -1, &line);
    assert_string_equal(json_string_value(json_object_get(document, "body")), "Küche \"17\"\n");
    assert_true(has(&line, "Küche"));
    json_decref(document);
    cg_buf_fini(&line);
}

/* CSI and OSC in either form, what turns the direction of writing, DEL, and what is beyond the first plane. */
static const char hostile[] = "\x1b[2J \xc2\x9b"
                              "31m \xc2\x9d"
                              "0;x\x07 \x7f \xe2\x80\xae \xf3\xa0\x81\x81";

static void assert_tame(const struct cg_buf *line) {
    static const char *const none[] = {"\x1b", "\xc2\x9b", "\xc2\x9d", "\x07", "\x7f", "\xe2\x80\xae", "\xf3\xa0"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_false(has(line, none[i]));
}

static void a_terminal_is_told_nothing(void **state) {
    struct cg_buf line;
    (void)state;
    json_t *document = line_of(cg_slice_str(hostile), -1, &line);
    assert_tame(&line);
    assert_string_equal(json_string_value(json_object_get(document, "body")), hostile);
    json_decref(document);
    cg_buf_fini(&line);
}

static void nor_by_json(void **state) {
    struct cg_buf line;
    (void)state;
    json_t *document = line_of(cg_slice_str("{\n\t\"a\":\r\n[\"\xc2\x9b"
                                            "31m\x7f\xe2\x80\xae\xf3\xa0\x81\x81\"]}"),
                               JSON, &line);
    assert_tame(&line);
    const json_t *json = json_object_get(document, "json");
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "a"), 0)),
                        "\xc2\x9b"
                        "31m\x7f\xe2\x80\xae\xf3\xa0\x81\x81");
    json_decref(document);
    cg_buf_fini(&line);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_stays_readable),
        cmocka_unit_test(a_terminal_is_told_nothing),
        cmocka_unit_test(nor_by_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
