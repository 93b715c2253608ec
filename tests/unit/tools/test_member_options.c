/* castgate-member's command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/member/options.h"
#include "wire/msg.h"

static struct cg_member_options options;
static char error[CG_MEMBER_ERROR_MAX];

#define PARSE(...)                                                                                                     \
    parse((const char *const[]){"castgate-member", __VA_ARGS__},                                                       \
          sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) + 1)

static int parse(const char *const *argv, size_t argc) {
    error[0] = '\0';
    return cg_member_options_parse(&options, (int)argc, argv, error);
}

static void assert_address(uint32_t index, const char *expected) {
    struct cg_addr addr = cg_member_address(&options, index);
    char text[CG_ADDR_TEXT_MAX];
    (void)cg_addr_emit(&addr, text);
    assert_string_equal(text, expected);
}

static void plain_alone_gives_the_defaults(void **state) {
    (void)state;
    assert_int_equal(PARSE("--plain"), CG_OK);
    assert_int_equal(options.count, 1);
    assert_int_equal(options.groups_len, 1);
    assert_string_equal(options.interface, "lo");
    assert_int_equal(options.delay_max_ms, 0);
    assert_false(options.has_seed);
    assert_address(0, "127.1.0.1:5683");
}

static void addresses_are_consecutive(void **state) {
    (void)state;
    assert_int_equal(PARSE("--plain", "--count", "10000", "--group=coap://224.0.1.187:5690"), CG_OK);
    assert_address(9, "127.1.0.10:5690");
    assert_address(255, "127.1.1.0:5690");
    assert_address(9999, "127.1.39.16:5690");
    assert_int_equal(PARSE("--plain", "--count", "3", "--group", "coap://[ff02::fd]:6000"), CG_OK);
    assert_address(2, "[::1]:6002");
}

static void everything_is_taken(void **state) {
    (void)state;
    assert_int_equal(PARSE("--plain", "--group", "coap://224.0.1.187/", "--group", "coap://239.1.2.3:5690", "--count",
                           "5", "--bind", "127.2.0.1", "--interface", "eth0", "--delay", "10:20", "--loss", "0.1",
                           "--duplicate", "1", "--reorder", "--seed", "7", "--resource", "/a/b=c=d", "--max-age", "5",
                           "--fail", "2:5.03", "--answer-errors", "--no-deduplication", "--misbehave", "repeat:3",
                           "--changes", "0.25"),
                     CG_OK);
    assert_int_equal(options.changes_us, 250000);
    assert_int_equal(options.groups_len, 2);
    assert_int_equal(options.groups[1].port, 5690);
    assert_address(0, "127.2.0.1:5683");
    assert_string_equal(options.interface, "eth0");
    assert_int_equal(options.delay_min_ms, 10);
    assert_int_equal(options.delay_max_ms, 20);
    assert_true(options.loss > 0.09 && options.loss < 0.11);
    assert_true(options.duplicate > 0.99);
    assert_true(options.forgets_messages && options.reorder && options.answer_errors && options.has_seed &&
                options.has_max_age);
    assert_int_equal(options.seed, 7);
    assert_true(cg_slice_is(options.resources[0].path, "a/b"));
    assert_string_equal(options.resources[0].text, "c=d");
    assert_int_equal(options.max_age, 5);
    assert_int_equal(options.fail_count, 2);
    assert_int_equal(options.fail_code, CG_CODE(5, 3));
    assert_int_equal(options.misbehave, CG_MISBEHAVE_REPEAT);
    assert_int_equal(options.misbehave_number, 3);
}

static void every_misbehaviour_has_a_name(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum cg_misbehave kind;
    } rows[] = {{"garbage", CG_MISBEHAVE_GARBAGE},
                {"oversized", CG_MISBEHAVE_OVERSIZED},
                {"con", CG_MISBEHAVE_CON},
                {"wrong-token", CG_MISBEHAVE_WRONG_TOKEN},
                {"request-mid", CG_MISBEHAVE_REQUEST_MID},
                {"late:100", CG_MISBEHAVE_LATE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(PARSE("--plain", "--misbehave", rows[i].name), CG_OK);
        assert_int_equal(options.misbehave, rows[i].kind);
    }
}

static void protected_members_have_more_misbehaviour(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum cg_misbehave kind;
    } rows[] = {{"flip", CG_MISBEHAVE_FLIP},
                {"truncate", CG_MISBEHAVE_TRUNCATE},
                {"unprotected", CG_MISBEHAVE_UNPROTECTED},
                {"stranger", CG_MISBEHAVE_STRANGER},
                {"impostor", CG_MISBEHAVE_IMPOSTOR},
                {"replay", CG_MISBEHAVE_REPLAY},
                {"repeat-piv", CG_MISBEHAVE_REPEAT_PIV}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(PARSE("--keys", "group.json", "--misbehave", rows[i].name), CG_OK);
        assert_int_equal(options.misbehave, rows[i].kind);
        assert_int_equal(PARSE("--plain", "--misbehave", rows[i].name), CG_E_BAD_REQUEST);
        assert_non_null(strstr(error, "for protected members"));
        assert_non_null(strstr(cg_member_usage, rows[i].name));
    }
}

static void an_alert_is_one_members(void **state) {
    (void)state;
    assert_int_equal(PARSE("--keys", "group.json", "--alert", "coap://127.0.0.1:5685/alarm", "--from", "11", "--body",
                           "fire", "--method", "PUT", "--replay", "2", "--flip"),
                     CG_OK);
    assert_string_equal(options.alert, "coap://127.0.0.1:5685/alarm");
    assert_string_equal(options.alert_from, "11");
    assert_string_equal(options.alert_body, "fire");
    assert_int_equal(options.alert_method, CG_PUT);
    assert_int_equal(options.alert_replays, 2);
    assert_true(options.alert_flip);
    assert_false(options.has_mode);
    assert_int_equal(PARSE("--plain", "--alert", "coap://127.0.0.1:5685/alarm"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("--keys", "group.json", "--alert", "coap://224.0.1.187/alarm"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("--keys", "group.json", "--alert", "coap://gateway/alarm"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("--keys", "group.json", "--alert", "coaps://127.0.0.1/alarm"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("--keys", "group.json", "--body", "fire"), CG_E_BAD_REQUEST);
    assert_non_null(strstr(error, "about an alert"));
}

static void wrong_values_are_refused(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"--count", "0"},
        {"--count", "70000"},
        {"--count", "x"},
        {"--count", ""},
        {"--bind", "224.0.0.1"},
        {"--bind", "example.org"},
        {"--bind", "::1"},
        {"--delay", "5"},
        {"--delay", "20:10"},
        {"--delay", ":"},
        {"--loss", "1.1"},
        {"--loss", "-0.1"},
        {"--loss", "nan"},
        {"--loss", "0.1x"},
        {"--duplicate", ""},
        {"--seed", "-1"},
        {"--resource", "a=b"},
        {"--resource", "/a"},
        {"--misbehave", "late"},
        {"--misbehave", "repeat:0"},
        {"--misbehave", "cons"},
        {"--fail", "2"},
        {"--fail", "1:2.05"},
        {"--fail", "1:4.32"},
        {"--fail", "1:4.4"},
        {"--changes", "0"},
        {"--changes", "-1"},
        {"--changes", "nan"},
        {"--changes", "1s"},
        {"--interface", ""},
        {"--group", "224.0.1.187"},
        {"--group", "coap://127.0.0.1"},
        {"--group", "coaps://224.0.1.187"},
        {"--group", "coap://224.0.1.187/path"},
        {"--group", "coap://group.example"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(PARSE("--plain", rows[i][0], rows[i][1]), CG_E_BAD_REQUEST);
        assert_non_null(strstr(error, rows[i][0]));
    }
}

static void what_does_not_fit_together_is_refused(void **state) {
    (void)state;
    assert_int_equal(PARSE("--plain", "--group", "coap://224.0.1.187", "--group", "coap://[ff02::fd]"),
                     CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("--plain", "--group", "coap://[ff02::fd]:65530", "--count", "7"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("--plain", "--group", "coap://[ff02::fd]:65530", "--count", "6"), CG_OK);
    assert_int_equal(PARSE("--plain", "--bind", "223.255.255.255", "--count", "2"), CG_OK);
    assert_int_equal(PARSE("--plain", "--bind", "255.255.255.255", "--count", "2"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("--plain", "--count"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("--plain", "--countess", "1"), CG_E_BAD_REQUEST);
}

static void nothing_starts_without_being_told_how_to_protect(void **state) {
    (void)state;
    assert_int_equal(PARSE("--count", "1"), CG_E_BAD_REQUEST);
    assert_non_null(strstr(error, "--plain"));
    assert_int_equal(PARSE("--keys", "group.json"), CG_OK);
    assert_string_equal(options.keys, "group.json");
    assert_int_equal(PARSE("--plain", "--keys=group.json"), CG_E_BAD_REQUEST);
    assert_null(options.numbers);
    assert_int_equal(PARSE("--keys", "group.json", "--numbers", "elsewhere"), CG_OK);
    assert_string_equal(options.numbers, "elsewhere");
    assert_int_equal(PARSE("--plain", "--numbers", "elsewhere"), CG_E_BAD_REQUEST);
    assert_int_equal(PARSE("--help"), CG_OK);
    assert_true(options.help);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_alone_gives_the_defaults),
        cmocka_unit_test(addresses_are_consecutive),
        cmocka_unit_test(everything_is_taken),
        cmocka_unit_test(every_misbehaviour_has_a_name),
        cmocka_unit_test(protected_members_have_more_misbehaviour),
        cmocka_unit_test(an_alert_is_one_members),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(what_does_not_fit_together_is_refused),
        cmocka_unit_test(nothing_starts_without_being_told_how_to_protect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
