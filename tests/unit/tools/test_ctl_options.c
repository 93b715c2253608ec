/* The command line of castgatectl, where its token may go and where it comes from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/ctl/place.h"
#include "tools/ctl/token.h"
#include "tools/ctl/words.h"

/* ---- Options ---- */

static int parse(struct cg_ctl_options *options, char *error, const char *line) {
    const char *argv[16] = {"castgatectl"};
    static char words[512];
    int argc = 1;
    (void)snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) argv[argc++] = word;
    return cg_ctl_options_parse(options, argc, argv, error);
}

static void expect_error(const char *line, const char *sentence) {
    struct cg_ctl_options options;
    char error[CG_CTL_ERROR_MAX] = "";
    assert_int_equal(parse(&options, error, line), CG_E_BAD_REQUEST);
    if (strstr(error, sentence) == NULL) fail_msg("%s: %s", line, error);
}

static void commands_take_what_belongs_to_them(void **state) {
    (void)state;
    struct cg_ctl_options options;
    char error[CG_CTL_ERROR_MAX];
    assert_int_equal(parse(&options, error, "apply -f x.json --prune --dry-run --url=https://gw:1"), CG_OK);
    assert_int_equal(options.command, CG_CTL_APPLY);
    assert_string_equal(options.file, "x.json");
    assert_string_equal(options.url, "https://gw:1");
    assert_true(options.prune && options.dry_run);
    assert_int_equal(parse(&options, error, "try floor3/status -X PUT -d on --client d"), CG_OK);
    assert_string_equal(options.words[0], "floor3/status");
    assert_string_equal(options.method, "PUT");
    assert_string_equal(options.body, "on");
    assert_int_equal(parse(&options, error, "history -n 5"), CG_OK);
    assert_int_equal(options.count, 5);
    assert_int_equal(parse(&options, error, "call PUT mappings/m -f - --if-match \"7\""), CG_OK);
    assert_string_equal(options.words[1], "mappings/m");
    assert_string_equal(options.if_match, "\"7\"");
    assert_int_equal(parse(&options, error, "--url https://gw:1 --json history --count=3"), CG_OK);
    assert_int_equal(options.command, CG_CTL_HISTORY);
    assert_string_equal(options.url, "https://gw:1");
    assert_true(options.as_json && options.count == 3);
    assert_int_equal(parse(&options, error, "--help"), CG_OK);
    assert_int_equal(options.command, CG_CTL_HELP);
}

static void what_is_not_understood_is_refused(void **state) {
    (void)state;
    expect_error("", "needs a command");
    expect_error("aply", "unknown command");
    expect_error("apply", "needs -f");
    expect_error("export --prune", "does not belong");
    expect_error("export now", "too many");
    expect_error("export --token abc", "unknown option");
    expect_error("undo", "needs the number");
    expect_error("history -n 0", "above 0");
    expect_error("history -n", "needs a value");
    expect_error("apply -f x --dry-run=1", "takes no value");
    expect_error("export --certificate c.pem", "--key");
    expect_error("apply -f - --token-file -", "both");
}

/* ---- Places ---- */

static void without_tls_it_stays_on_loopback(void **state) {
    (void)state;
    static const char *const good[] = {"http://127.0.0.1:8081", "http://127.9.9.9/",        "http://[::1]:8081",
                                       "http://localhost:8081", "https://gw.example:8081/", "https://192.0.2.1"};
    static const char *const bad[] = {
        "http://gw.example:8081",   "http://192.0.2.1", "http://localhost.example", "http://127.0.0.1@gw.x/",
        "https://u:p@gw",           "https://gw/admin", "https://gw/?token=x",      "ftp://127.0.0.1",
        "http://127.0.0.1.example", "gw:8081",          "http://[::2]:8081",        ""};
    struct cg_ctl_place place;
    char error[CG_CTL_ERROR_MAX];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (cg_ctl_place_parse(&place, good[i], error) != CG_OK) fail_msg("%s: %s", good[i], error);
        assert_true(place.url[strlen(place.url) - 1] != '/');
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cg_ctl_place_parse(&place, bad[i], error) == CG_OK) fail_msg("%s was taken", bad[i]);
}

/* ---- Tokens ---- */

static char *make_file(const char *text, mode_t mode) {
    static char name[] = "/tmp/castgatectl-token-XXXXXX";
    (void)strcpy(name, "/tmp/castgatectl-token-XXXXXX");
    int fd = mkstemp(name);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0);
    close(fd);
    return name;
}

static void expect_token(const char *text, mode_t mode, const char *token) {
    struct cg_secret_text got;
    char error[CG_CTL_ERROR_MAX];
    struct cg_ctl_options options = {.token_file = make_file(text, mode)};
    int err = cg_ctl_token_read(&got, &options, error);
    assert_int_equal(err, token == NULL ? CG_E_BAD_REQUEST : CG_OK);
    if (token != NULL) assert_string_equal((const char *)got.data, token);
    if (token == NULL && text[0] != '\0') assert_null(strstr(error, text));
    cg_secret_free(&got);
    unlink(options.token_file);
}

static void a_token_is_one_line_that_nobody_else_may_read(void **state) {
    (void)state;
    expect_token("secret-1\n", 0600, "secret-1");
    expect_token("secret-1", 0400, "secret-1");
    expect_token("secret-1\n", 0644, NULL);
    expect_token("secret-1\n", 0640, NULL);
    expect_token("", 0600, NULL);
    expect_token("two words\n", 0600, NULL);
    expect_token("two\nlines\n", 0600, NULL);
}

/* ---- Words ---- */

static void a_terminal_gets_no_controls_of_others(void **state) {
    (void)state;
    char text[256] = "";
    FILE *to = fmemopen(text, sizeof text, "w");
    json_t *missing =
        json_pack("{s:{}, s:[{s:s, s:s}]}", "summary", "missing", "member", "lamp\x1b[2J", "cause", "un\xc2\x9bknown");
    cg_ctl_say_answers(to, missing);
    (void)fclose(to);
    assert_null(strchr(text, 0x1b));
    assert_null(strstr(text, "\xc2\x9b"));
    assert_non_null(strstr(text, "lamp?[2J  is silent: un?known"));
    json_decref(missing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_take_what_belongs_to_them),
        cmocka_unit_test(what_is_not_understood_is_refused),
        cmocka_unit_test(without_tls_it_stays_on_loopback),
        cmocka_unit_test(a_token_is_one_line_that_nobody_else_may_read),
        cmocka_unit_test(a_terminal_gets_no_controls_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
