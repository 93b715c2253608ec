/* The log: whatever goes in, exactly one well-formed line comes out, read back from standard error itself. */
#include "base/log.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static FILE *caught;
static int real_stderr;

static void catch_stderr(void) {
    caught = tmpfile();
    assert_non_null(caught);
    real_stderr = dup(STDERR_FILENO);
    assert_true(real_stderr >= 0);
    assert_true(dup2(fileno(caught), STDERR_FILENO) >= 0);
}

/* What was written since, NUL-terminated. */
static size_t release_stderr(char *text, size_t cap) {
    assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
    close(real_stderr);
    rewind(caught);
    size_t len = fread(text, 1, cap - 1, caught);
    text[len] = '\0';
    fclose(caught);
    return len;
}

/* key=value pairs separated by one space, a value plain or quoted with escapes, one newline at the end and nowhere
 * else. */
static bool is_well_formed(const char *line, size_t len) {
    if (len == 0 || line[len - 1] != '\n') return false;
    const char *at = line, *end = line + len - 1;
    for (;;) {
        size_t key = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
        if (key == 0 || at[key] != '=') return false;
        at += key + 1;
        if (*at == '"') {
            for (at++; at < end && *at != '"'; at++) {
                if (*at < ' ' || *at > '~') return false;
                if (*at == '\\' && ++at == end) return false;
            }
            if (at == end) return false;
            at++;
        } else {
            while (at<end && * at> ' ' && *at <= '~' && *at != '"' && *at != '=' && *at != '\\') at++;
        }
        if (at == end) return true;
        if (*at++ != ' ') return false;
    }
}

static size_t one_value(struct cg_slice value, char *text, size_t cap) {
    struct cg_log_line line;
    catch_stderr();
    cg_log_begin(&line, CG_LOG_INFO, "test");
    cg_log_slice(&line, "key", value);
    cg_log_u64(&line, "after", 7);
    cg_log_end(&line);
    return release_stderr(text, cap);
}

static void plain_line(void **state) {
    (void)state;
    struct cg_log_line line;
    char text[256];
    catch_stderr();
    cg_log_begin(&line, CG_LOG_WARNING, "exchange");
    cg_log_str(&line, "mapping", "floor3");
    cg_log_u64(&line, "ms", UINT64_MAX);
    cg_log_end(&line);
    release_stderr(text, sizeof text);
    assert_string_equal(text, "level=warning event=exchange mapping=floor3 ms=18446744073709551615\n");
}

static void values_cannot_forge(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "\"\""},
        {"a b", "\"a b\""},
        {"a=b", "\"a=b\""},
        {"say \"x\"", "\"say \\\"x\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"x\nlevel=error event=fake", "\"x\\x0alevel=error event=fake\""},
        {"\r\t\x1b[31m", "\"\\x0d\\x09\\x1b[31m\""},
        {"\xc3\xa4\xff", "\"\\xc3\\xa4\\xff\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256], expected[256];
        size_t len = one_value(cg_slice_str(cases[i][0]), text, sizeof text);
        snprintf(expected, sizeof expected, "level=info event=test key=%s after=7\n", cases[i][1]);
        assert_string_equal(text, expected);
        assert_true(is_well_formed(text, len));
    }
    char text[256];
    one_value(cg_slice_of("a\0b", 3), text, sizeof text);
    assert_string_equal(text, "level=info event=test key=\"a\\x00b\" after=7\n");
    one_value(CG_SLICE_NONE, text, sizeof text);
    assert_string_equal(text, "level=info event=test key=\"\" after=7\n");
}

/* Around the buffer's end, for each kind of value: still one well-formed line. */
static void long_values_are_cut(void **state) {
    (void)state;
    static const char *const fills[] = {"x", " ", "\n", "\""};
    char value[2200], text[4096];
    for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++) {
        memset(value, fills[f][0], sizeof value);
        size_t first_cut = 0;
        for (size_t len = 450; len <= 2100; len += len < 1950 && len > 1060 ? 50 : 1) {
            size_t got = one_value(cg_slice_of(value, len), text, sizeof text);
            if (!is_well_formed(text, got)) fail_msg("fill %zu, length %zu: ...%s", f, len, text + got - 40);
            bool cut = strstr(text, " truncated=true\n") != NULL;
            assert_true(cut || strstr(text, " after=7\n") != NULL);
            if (cut && first_cut == 0) first_cut = len;
            assert_true(got <= sizeof((struct cg_log_line *)0)->text);
        }
        assert_true(first_cut > 0);
    }
}

static void many_pairs_are_cut(void **state) {
    (void)state;
    char text[4096];
    for (unsigned start = 0; start < 16; start++) {
        struct cg_log_line line;
        catch_stderr();
        cg_log_begin(&line, CG_LOG_ERROR, &"sixteen_letters_"[start]);
        for (int i = 0; i < 400; i++) cg_log_str(&line, "key", "value");
        cg_log_end(&line);
        size_t len = release_stderr(text, sizeof text);
        assert_true(is_well_formed(text, len));
        assert_non_null(strstr(text, " truncated=true\n"));
    }
}

static void levels(void **state) {
    (void)state;
    char text[256];
    cg_log_set_level(CG_LOG_WARNING);
    catch_stderr();
    cg_log(CG_LOG_INFO, "quiet", "not %s", "seen");
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_INFO, "quiet");
    cg_log_str(&line, "key", "value");
    cg_log_end(&line);
    cg_log(CG_LOG_ERROR, "loud", "a %s", "message");
    release_stderr(text, sizeof text);
    assert_string_equal(text, "level=error event=loud msg=\"a message\"\n");
    cg_log_set_level(CG_LOG_DEBUG);
    catch_stderr();
    cg_log(CG_LOG_DEBUG, "d", "x");
    release_stderr(text, sizeof text);
    assert_string_equal(text, "level=debug event=d msg=x\n");
    cg_log_set_level(CG_LOG_INFO);
}

static void a_line_is_written_once(void **state) {
    (void)state;
    char text[256];
    struct cg_log_line line;
    catch_stderr();
    cg_log_begin(&line, CG_LOG_INFO, "once");
    cg_log_end(&line);
    cg_log_end(&line);
    release_stderr(text, sizeof text);
    assert_string_equal(text, "level=info event=once\n");
}

static size_t stamp(char to[CG_LOG_STAMP_MAX], enum cg_log_level level) {
    memcpy(to, level == CG_LOG_ERROR ? "at=late " : "at=noon ", 8);
    return 8;
}

static void test_stamp(void **state) {
    (void)state;
    char text[512];
    catch_stderr();
    cg_log_stamp_with(stamp);
    cg_log(CG_LOG_INFO, "many", "x");
    cg_log(CG_LOG_DEBUG, "many", "x");
    cg_log(CG_LOG_ERROR, "many", "x");
    cg_log_stamp_with(NULL);
    cg_log(CG_LOG_INFO, "many", "x");
    release_stderr(text, sizeof text);
    assert_string_equal(text, "at=noon level=info event=many msg=x\nat=late level=error event=many msg=x\n"
                              "level=info event=many msg=x\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stamp),
        cmocka_unit_test(plain_line),
        cmocka_unit_test(values_cannot_forge),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(many_pairs_are_cut),
        cmocka_unit_test(levels),
        cmocka_unit_test(a_line_is_written_once),
    };
    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
