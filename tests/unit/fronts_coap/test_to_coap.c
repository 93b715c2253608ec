/* Responses to CoAP clients as bytes: which of a member's options pass, what is added, and what errors look like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "fronts/coap/to_coap.h"

static const struct cg_option_numbers numbers = {.multicast_timeout = 2, .reply_from = 248, .group_etag = 24};

struct options {
    uint8_t bytes[CG_COAP_OPTIONS_MAX];
    struct cg_msg_writer writer;
};

static void begin(struct options *options) {
    options->writer = (struct cg_msg_writer){.data = options->bytes, .cap = sizeof options->bytes};
}

static void put(struct options *options, uint16_t number, const char *value) {
    cg_msg_put_opt(&options->writer, number, cg_slice_str(value));
}

static struct cg_slice finish(struct options *options) {
    int len = cg_msg_end(&options->writer);
    assert_true(len >= 0);
    return cg_slice_of(options->bytes, (size_t)len);
}

/* "4:etag 12: 248:…": number and text of each. */
static const char *write(struct cg_slice options) {
    static char text[2048];
    struct cg_msg msg;
    struct cg_opt_iter iter;
    struct cg_opt opt;
    size_t len = 0;
    text[0] = '\0';
    assert_int_equal(cg_msg_parse_body(&msg, options), CG_OK);
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%u:%.*s", len > 0 ? " " : "", opt.number,
                                (int)opt.value.len, (const char *)opt.value.data);
        assert_true(len < sizeof text);
    }
    return text;
}

static const char *convert(const struct cg_to_coap *to) {
    static uint8_t bytes[CG_COAP_OPTIONS_MAX];
    int len = cg_to_coap_options(to, bytes, sizeof bytes);
    assert_true(len >= 0);
    return write(cg_slice_of(bytes, (size_t)len));
}

/* RFC 7252 §5.7, §5.10: what is safe to forward passes, critical or not, known or not; Max-Age is as it was. */
static void what_is_safe_to_forward_passes(void **state) {
    struct options options;
    (void)state;
    begin(&options);
    put(&options, CG_OPT_ETAG, "e");
    put(&options, CG_OPT_LOCATION_PATH, "a");
    put(&options, CG_OPT_LOCATION_PATH, "b");
    put(&options, CG_OPT_OSCORE, "o");
    put(&options, CG_OPT_CONTENT_FORMAT, "c");
    put(&options, CG_OPT_MAX_AGE, "m");
    put(&options, CG_OPT_SIZE2, "s");
    put(&options, 65000, "elective");
    put(&options, 65001, "critical");
    const struct cg_to_coap to = {.numbers = &numbers, .options = finish(&options)};
    assert_string_equal(convert(&to), "4:e 8:a 8:b 9:o 12:c 14:m 28:s 65000:elective 65001:critical");
}

static void what_this_hop_consumes_is_taken_out(void **state) {
    struct options options;
    (void)state;
    begin(&options);
    put(&options, numbers.multicast_timeout, "t");
    put(&options, CG_OPT_OBSERVE, "o");
    put(&options, CG_OPT_CONTENT_FORMAT, "c");
    put(&options, CG_OPT_BLOCK2, "2");
    put(&options, numbers.group_etag, "g");
    put(&options, CG_OPT_BLOCK1, "1");
    put(&options, numbers.reply_from, "says the member");
    const struct cg_to_coap to = {.numbers = &numbers, .options = finish(&options)};
    assert_string_equal(convert(&to), "12:c");
    const struct cg_to_coap with = {
        .numbers = &numbers, .options = finish(&options), .reply_from = cg_slice_str("says the gateway")};
    assert_string_equal(convert(&with), "12:c 248:says the gateway");
}

static void added_options_stand_in_their_places(void **state) {
    struct options options;
    const struct cg_block block = {.more = true, .szx = 6};
    const uint32_t order = 'x' << 16 | 'y' << 8 | 'z';
    (void)state;
    begin(&options);
    put(&options, 3, "before");
    put(&options, CG_OPT_CONTENT_FORMAT, "c");
    put(&options, CG_OPT_SIZE2, "the member's");
    put(&options, 1000, "behind");
    const struct cg_to_coap to = {.numbers = &numbers,
                                  .options = finish(&options),
                                  .reply_from = cg_slice_str("r"),
                                  .block2 = &block,
                                  .etag = cg_slice_str("e"),
                                  .observe = &order,
                                  .size2 = 'a' << 8 | 'b'};
    assert_string_equal(convert(&to), "3:before 4:e 6:xyz 12:c 23:\x0e 28:ab 248:r 1000:behind");
}

static void a_tag_of_the_members_own_stays(void **state) {
    struct options options;
    const struct cg_block block = {.szx = 0};
    (void)state;
    begin(&options);
    put(&options, CG_OPT_ETAG, "mine");
    const struct cg_to_coap to = {.numbers = &numbers, .options = finish(&options), .block2 = &block};
    assert_string_equal(convert(&to), "4:mine 23:");
    const struct cg_to_coap instead = {
        .numbers = &numbers, .options = finish(&options), .block2 = &block, .etag = cg_slice_str("other")};
    assert_string_equal(convert(&instead), "4:other 23:");
}

/* The numbers of drafts are settings. */
static void options_of_drafts_may_have_any_numbers(void **state) {
    static const struct cg_option_numbers odd = {.multicast_timeout = 65002, .reply_from = 1, .group_etag = 65004};
    struct options options;
    (void)state;
    begin(&options);
    put(&options, 1, "says the member");
    put(&options, 2, "kept");
    put(&options, 65002, "t");
    const struct cg_to_coap to = {.numbers = &odd, .options = finish(&options), .reply_from = cg_slice_str("r")};
    assert_string_equal(convert(&to), "1:r 2:kept");
}

static void too_many_options_are_said_to_be(void **state) {
    struct options options;
    uint8_t bytes[CG_COAP_OPTIONS_MAX];
    (void)state;
    begin(&options);
    put(&options, CG_OPT_ETAG, "12345678");
    const struct cg_to_coap to = {.numbers = &numbers, .options = finish(&options), .reply_from = cg_slice_str("r")};
    int len = cg_to_coap_options(&to, bytes, sizeof bytes);
    assert_true(len > 0);
    for (int cap = 0; cap < len; cap++) assert_int_equal(cg_to_coap_options(&to, bytes, (size_t)cap), CG_E_TOO_BIG);
    assert_int_equal(cg_to_coap_options(&to, bytes, (size_t)len), len);
}

static void a_message_takes_what_it_takes(void **state) {
    static uint8_t bytes[100];
    (void)state;
    struct cg_coap_message message = {.code = 69};
    assert_int_equal(cg_to_coap_size(&message), 4);
    message.token = cg_slice_of(bytes, 12);
    assert_int_equal(cg_to_coap_size(&message), 16);
    message.token = cg_slice_of(bytes, 13); /* RFC 8974 §2.1: one byte more says how long */
    assert_int_equal(cg_to_coap_size(&message), 18);
    message.token = cg_slice_of(bytes, 64);
    message.options = cg_slice_of(bytes, 10);
    message.payload = cg_slice_of(bytes, 5);
    assert_int_equal(cg_to_coap_size(&message), 4 + 1 + 64 + 10 + 1 + 5);
}

/* Errors */

static void tell(const struct cg_problem *problem, const char *reply_from, size_t cap, uint8_t code,
                 const char *options, const char *payload) {
    static uint8_t bytes[CG_COAP_MESSAGE_MAX];
    struct cg_coap_message message;
    memset(bytes, 0xee, sizeof bytes);
    cg_to_coap_problem(&numbers, problem, cg_slice_str(reply_from), cg_slice_str("t"), bytes, cap, &message);
    assert_int_equal(message.code, code);
    assert_true(cg_slice_is(message.token, "t"));
    assert_string_equal(write(message.options), options);
    assert_int_equal(message.payload.len, strlen(payload));
    assert_memory_equal(message.payload.data, payload, message.payload.len);
    assert_true(message.options.len + message.payload.len <= cap);
    assert_true(cg_to_coap_size(&message) <= CG_COAP_MESSAGE_MAX);
}

static void an_error_says_what_it_is(void **state) {
    struct cg_problem problem = {0};
    (void)state;
    cg_problem_set(&problem, CG_E_FORBIDDEN, "not you");
    tell(&problem, "", CG_COAP_MESSAGE_MAX, CG_CODE(4, 1), "", "not you");
    problem.detail[0] = '\0';
    tell(&problem, "", CG_COAP_MESSAGE_MAX, CG_CODE(4, 1), "", cg_err_info(CG_E_FORBIDDEN)->text);
}

/* GCP §3.2.1, step 3: the option is there, and empty. */
static void who_did_not_say_how_long_sees_what_is_missing(void **state) {
    struct cg_problem problem = {.ask_timeout = true};
    (void)state;
    cg_problem_set(&problem, CG_E_NO_TIMEOUT, "how long?");
    tell(&problem, "", CG_COAP_MESSAGE_MAX, CG_CODE(4, 0), "2:", "how long?");
    problem.ask_timeout = false; /* it was out of range */
    tell(&problem, "", CG_COAP_MESSAGE_MAX, CG_CODE(4, 0), "", "how long?");
}

/* RFC 8516 §3, RFC 7252 §5.9.3.4: Max-Age is when to try again. */
static void who_may_try_later_hears_when(void **state) {
    struct cg_problem problem = {.retry_after = 'A'};
    (void)state;
    cg_problem_set(&problem, CG_E_RATE, "slower");
    tell(&problem, "", CG_COAP_MESSAGE_MAX, CG_CODE(4, 29), "14:A", "slower");
    cg_problem_set(&problem, CG_E_OVERLOAD, "full");
    tell(&problem, "", CG_COAP_MESSAGE_MAX, CG_CODE(5, 3), "14:A", "full");
}

static void an_error_in_an_answers_place_says_whose(void **state) {
    struct cg_problem problem = {0};
    (void)state;
    cg_problem_set(&problem, CG_E_EMIT, "unsafe");
    tell(&problem, "member", CG_COAP_MESSAGE_MAX, CG_CODE(5, 2), "248:member", "unsafe");
}

static void a_diagnostic_is_as_long_as_there_is_room(void **state) {
    struct cg_problem problem = {.retry_after = 'A'};
    static char long_reply_from[1200];
    (void)state;
    cg_problem_set(&problem, CG_E_OVERLOAD, "0123456789");
    tell(&problem, "", 3 + 4, CG_CODE(5, 3), "14:A", "0123");
    tell(&problem, "", 3, CG_CODE(5, 3), "14:A", "");
    tell(&problem, "", 2, CG_CODE(5, 3), "", "01"); /* no room for the option */
    memset(long_reply_from, 'r', 1131);
    static char options[1300];
    snprintf(options, sizeof options, "14:A 248:%s", long_reply_from);
    tell(&problem, long_reply_from, CG_COAP_MESSAGE_MAX, CG_CODE(5, 3), options, "01234567");
}

/* RFC 7967 §2.1: 2, 8 and 16 bar 2.xx, 4.xx and 5.xx. */
static void no_response_bars_classes(void **state) {
    (void)state;
    assert_true(cg_coap_is_barred(2, CG_CODE(2, 5)) && cg_coap_is_barred(8, CG_CODE(4, 4)));
    assert_true(cg_coap_is_barred(16, CG_CODE(5, 4)) && cg_coap_is_barred(26, CG_CODE(4, 0)));
    assert_false(cg_coap_is_barred(0, CG_CODE(2, 5)) || cg_coap_is_barred(24, CG_CODE(2, 4)));
    assert_false(cg_coap_is_barred(26, CG_CODE(2, 31)) || cg_coap_is_barred(26, CG_EMPTY));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_safe_to_forward_passes),
        cmocka_unit_test(what_this_hop_consumes_is_taken_out),
        cmocka_unit_test(added_options_stand_in_their_places),
        cmocka_unit_test(a_tag_of_the_members_own_stays),
        cmocka_unit_test(options_of_drafts_may_have_any_numbers),
        cmocka_unit_test(too_many_options_are_said_to_be),
        cmocka_unit_test(a_message_takes_what_it_takes),
        cmocka_unit_test(an_error_says_what_it_is),
        cmocka_unit_test(who_did_not_say_how_long_sees_what_is_missing),
        cmocka_unit_test(who_may_try_later_hears_when),
        cmocka_unit_test(an_error_in_an_answers_place_says_whose),
        cmocka_unit_test(a_diagnostic_is_as_long_as_there_is_room),
        cmocka_unit_test(no_response_bars_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
