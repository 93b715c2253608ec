/* Which options of an answer pass a proxy that does not know them (RFC 7252 §5.4, §5.7). */
#include "exchange/fake_world.h"

#include "legs/forwardable.h"

#include <string.h>

static bool passes_all(const struct cg_opt *list, size_t count, enum cg_security security) {
    static const struct cg_option_numbers numbers = {.multicast_timeout = 2, .reply_from = 248, .group_etag = 24};
    uint8_t bytes[256];
    struct cg_msg_writer writer;
    struct cg_msg msg;
    cg_msg_begin_inner(&writer, bytes, sizeof bytes, CG_CODE(2, 5));
    for (size_t i = 0; i < count; i++) cg_msg_put_opt(&writer, list[i].number, list[i].value);
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    assert_int_equal(cg_msg_parse_inner(&msg, cg_slice_of(bytes, (size_t)len)), CG_OK);
    return cg_forwardable(msg.options, security, &numbers);
}

static bool passes(uint16_t number, const char *value) {
    struct cg_opt opt = {.number = number, .value = cg_slice_str(value)};
    return passes_all(&opt, 1, CG_SECURITY_NONE);
}

static bool passes_twice(uint16_t number) {
    struct cg_opt list[] = {{.number = number, .value = cg_slice_str("a")},
                            {.number = number, .value = cg_slice_str("b")}};
    return passes_all(list, 2, CG_SECURITY_NONE);
}

static void test_safe_options_pass_critical_or_not(void **state) {
    (void)state;
    static const uint16_t safe[] = {0,
                                    265 /* oneM2M */,
                                    2053 /* OCF */,
                                    2049,
                                    2052,
                                    65000,
                                    65001,
                                    CG_OPT_ETAG,
                                    CG_OPT_CONTENT_FORMAT,
                                    CG_OPT_ECHO,
                                    CG_OPT_LOCATION_PATH,
                                    248};
    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++) {
        assert_true(passes(safe[i], "x"));
        assert_true(passes_twice(safe[i]));
    }
    assert_true(passes_all(NULL, 0, CG_SECURITY_NONE));
}

static void test_unsafe_options_do_not_pass_elective_or_not(void **state) {
    (void)state;
    static const uint16_t unsafe[] = {10, 2050, 2051, 65002, 65003, CG_OPT_Q_BLOCK2, CG_OPT_NO_RESPONSE};
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++) assert_false(passes(unsafe[i], ""));
    struct cg_opt list[] = {{.number = 2048}, {.number = 2050}}; /* behind a safe one */
    assert_false(passes_all(list, 2, CG_SECURITY_NONE));
}

static void test_options_of_requests_are_unknown_in_answers(void **state) {
    (void)state;
    static const uint16_t requests[] = {CG_OPT_URI_HOST,  CG_OPT_URI_PORT,  CG_OPT_URI_PATH,
                                        CG_OPT_URI_QUERY, CG_OPT_PROXY_URI, CG_OPT_PROXY_SCHEME};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) assert_false(passes(requests[i], "x"));
}

static void test_understood_options_pass_once_and_in_bounds(void **state) {
    (void)state;
    static const struct {
        uint16_t number;
        const char *longest, *longer;
    } understood[] = {{2, "1234", "12345"}, {CG_OPT_OBSERVE, "123", "1234"}, {CG_OPT_MAX_AGE, "1234", "12345"}};
    for (size_t i = 0; i < sizeof understood / sizeof *understood; i++) {
        assert_true(passes(understood[i].number, ""));
        assert_true(passes(understood[i].number, understood[i].longest));
        assert_false(passes(understood[i].number, understood[i].longer));
        assert_false(passes_twice(understood[i].number));
    }
    assert_true(passes(CG_OPT_BLOCK1, "x"));
    assert_true(passes(CG_OPT_BLOCK2, "x"));
}

static void test_oscore_passes_to_whoever_asked_for_it(void **state) {
    (void)state;
    struct cg_opt opt = {.number = CG_OPT_OSCORE};
    assert_true(passes_all(&opt, 1, CG_SECURITY_RELAY));
    assert_false(passes_all(&opt, 1, CG_SECURITY_NONE));
    assert_false(passes_all(&opt, 1, CG_SECURITY_GROUP));
}

/* As clients see them */

static void answer_with(struct world *world, const char *from, struct cg_opts options) {
    static uint16_t mid = 1;
    struct answer answer = {.type = CG_NON, .code = CG_CODE(2, 5), .mid = mid++, .payload = "on", .options = &options};
    world_answer_as(world, 0, from, answer);
}

static void get(struct world *world, struct call *call, const struct castgate_encoder *encoder) {
    world_new(world, call, "/lamps");
    call->encoder = encoder;
    world_go(world, call);
    struct cg_opt shown[] = {{.number = CG_OPT_ETAG, .value = cg_slice_str("e")},
                             {.number = CG_OPT_MAX_AGE, .value = cg_slice_str("\x05")},
                             {.number = 2053, .value = cg_slice_str("\x08")},
                             {.number = 2053},
                             {.number = 65001, .value = cg_slice_str("abc")}};
    struct cg_opt unsafe = {.number = 65002}, oscore = {.number = CG_OPT_OSCORE, .value = cg_slice_str("\x01\x05")};
    answer_with(world, "127.1.0.1", (struct cg_opts){.list = shown, .count = 5});
    answer_with(world, "127.1.0.2", (struct cg_opts){.list = &unsafe, .count = 1});
    answer_with(world, "127.1.0.3", (struct cg_opts){.list = &oscore, .count = 1});
    answer_with(world, "127.1.0.4", (struct cg_opts){.count = 0});
    world_advance(world, 2 * SECOND);
    assert_int_equal(call->reply.summary.answered, 2);
    assert_int_equal(call->reply.summary.rejected, 2);
}

static void test_json_shows_what_it_does_not_know(void **state) {
    struct world *world = *state;
    struct call call;
    get(world, &call, cg_plugin_json.ops.encoder);
    assert_non_null(strstr(call.text, "\"options\":{\"4\":[\"65\"],\"14\":[\"05\"],\"2053\":[\"08\",\"\"],"
                                      "\"65001\":[\"616263\"]}"));
    assert_non_null(strstr(call.text, "127.1.0.2:5683\",\"kid\":null,\"gid\":null,\"reason\":\"bad-option\""));
    assert_non_null(strstr(call.text, "127.1.0.3:5683\",\"kid\":null,\"gid\":null,\"reason\":\"bad-option\""));
}

static void test_mixed_shows_what_no_other_header_says(void **state) {
    struct world *world = *state;
    struct call call;
    get(world, &call, cg_plugin_mixed.ops.encoder);
    const char *header = strstr(call.text, "Castgate-Options: ");
    assert_non_null(header);
    static const char value[] = "Castgate-Options: 2053;v=:CA==:, 2053;v=::, 65001;v=:YWJj:\r\n";
    assert_memory_equal(header, value, sizeof value - 1);
    assert_null(strstr(header + 1, "Castgate-Options")); /* an answer without such options has no such header */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safe_options_pass_critical_or_not),
        cmocka_unit_test(test_unsafe_options_do_not_pass_elective_or_not),
        cmocka_unit_test(test_options_of_requests_are_unknown_in_answers),
        cmocka_unit_test(test_understood_options_pass_once_and_in_bounds),
        cmocka_unit_test(test_oscore_passes_to_whoever_asked_for_it),
        world_test(test_json_shows_what_it_does_not_know),
        world_test(test_mixed_shows_what_no_other_header_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
