/* The rules for a message on a token in use, and the form of the Early Stop Request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "fronts/coap/early_stop.h"
#include "fronts/coap/reuse.h"

static const struct cg_option_numbers numbers = {.multicast_timeout = 2,
                                                 .reply_from = 248,
                                                 .group_etag = 24,
                                                 .uri_path_abbrev = 13,
                                                 .proxy_cri = 235,
                                                 .proxy_scheme_number = 239};

enum { OPTIONS_MAX = 6 };

/* Options in ascending order, up to number 0. */
struct message {
    uint8_t code;
    struct {
        uint16_t number;
        const char *value;
    } options[OPTIONS_MAX];
    const char *payload; /* NULL: none */
};

static struct cg_coap_message spell(const struct message *message, uint8_t *bytes, size_t cap) {
    struct cg_msg_writer writer;
    cg_msg_begin_inner(&writer, bytes, cap, 0);
    for (size_t i = 0; i < OPTIONS_MAX && message->options[i].number != 0; i++) {
        cg_msg_put_opt(&writer, message->options[i].number, cg_slice_str(message->options[i].value));
    }
    int len = cg_msg_end(&writer);
    assert_true(len >= 1);
    return (struct cg_coap_message){.code = message->code,
                                    .options = cg_slice_of(bytes + 1, (size_t)len - 1),
                                    .payload =
                                        message->payload == NULL ? CG_SLICE_NONE : cg_slice_str(message->payload)};
}

/* Numbers that the settings have given to drafts' options are theirs in these tables. */
#define MULTICAST_TIMEOUT 2
#define URI_PATH_ABBREV   13
#define PROXY_CRI         235
#define PROXY_SCHEME_NR   239

static void test_early_stop_form(void **state) {
    (void)state;
    static const struct {
        struct message message;
        bool is_stop;
    } rows[] = {
        {{CG_GET, {{MULTICAST_TIMEOUT, ""}}, NULL}, true},
        {{CG_GET, {{MULTICAST_TIMEOUT, ""}, {CG_OPT_HOP_LIMIT, "\x10"}}, NULL}, true},
        {{CG_GET, {{MULTICAST_TIMEOUT, ""}, {CG_OPT_ECHO, "12345678"}, {CG_OPT_NO_RESPONSE, "\x1a"}}, NULL}, true},
        {{CG_GET, {{MULTICAST_TIMEOUT, ""}, {MULTICAST_TIMEOUT, ""}}, NULL}, false},
        {{CG_GET, {{MULTICAST_TIMEOUT, "12345"}}, NULL}, false},
        {{CG_GET, {{0, NULL}}, NULL}, false},
        {{CG_GET, {{MULTICAST_TIMEOUT, "\x01"}}, NULL}, false},
        {{CG_POST, {{MULTICAST_TIMEOUT, ""}}, NULL}, false},
        {{CG_GET, {{MULTICAST_TIMEOUT, ""}, {CG_OPT_PROXY_URI, "coap://224.0.1.187"}}, NULL}, false},
        {{CG_GET, {{MULTICAST_TIMEOUT, ""}, {CG_OPT_PROXY_SCHEME, "coap"}}, NULL}, false},
        {{CG_GET, {{MULTICAST_TIMEOUT, ""}, {PROXY_CRI, "\x80"}}, NULL}, false},
        {{CG_GET, {{MULTICAST_TIMEOUT, ""}, {PROXY_SCHEME_NR, ""}}, NULL}, false},
        {{CG_GET, {{MULTICAST_TIMEOUT, ""}, {CG_OPT_URI_PATH, "lamps"}}, NULL}, false},
        {{CG_GET, {{MULTICAST_TIMEOUT, ""}, {URI_PATH_ABBREV, "\x01"}}, NULL}, false},
        {{CG_GET, {{MULTICAST_TIMEOUT, ""}, {CG_OPT_URI_QUERY, "a"}}, NULL}, false},
        {{CG_GET, {{MULTICAST_TIMEOUT, ""}, {CG_OPT_URI_HOST, "gw.example"}, {CG_OPT_URI_PORT, "\x16"}}, NULL}, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[256];
        struct cg_coap_message message = spell(&rows[i].message, bytes, sizeof bytes);
        if (cg_is_early_stop(&message, &numbers) != rows[i].is_stop) fail_msg("row %zu", i);
    }
}

#define PATH                                                                                                           \
    { CG_OPT_URI_PATH, "lamps" }
#define TIME                                                                                                           \
    { MULTICAST_TIMEOUT, "\x02" }

static void test_first_rule_that_fits(void **state) {
    (void)state;
    static const struct message get = {CG_GET, {TIME, PATH}, NULL};
    static const struct message fetch = {CG_FETCH, {TIME, PATH}, "{}"};
    static const struct message put = {CG_PUT, {TIME, PATH, {CG_OPT_BLOCK1, "\x22"}}, "last"}; /* 2/0/64 */
    static const struct message sealed = {
        CG_FETCH, {TIME, {CG_OPT_OBSERVE, ""}, {CG_OPT_OSCORE, "\x09\x01"}, PATH}, "a"};
    static const struct message sealed_part = {
        CG_FETCH, {TIME, {CG_OPT_OSCORE, "\x09\x01"}, PATH, {CG_OPT_BLOCK1, "\x22"}}, "last"};
    static const struct {
        const struct message *running;
        struct message now;
        enum cg_reuse reuse;
    } rows[] = {
        /* the Early Stop form, whatever runs */
        {&get, {CG_GET, {{MULTICAST_TIMEOUT, ""}}, NULL}, CG_REUSE_STOPS},
        {&put, {CG_GET, {{MULTICAST_TIMEOUT, ""}}, NULL}, CG_REUSE_STOPS},
        {&get, {CG_GET, {{MULTICAST_TIMEOUT, ""}, {CG_OPT_OBSERVE, "\x01"}}, NULL}, CG_REUSE_STOPS},
        /* the same request with Observe */
        {&get, {CG_GET, {TIME, {CG_OPT_OBSERVE, ""}, PATH}, NULL}, CG_REUSE_RENEWS},
        {&get, {CG_GET, {TIME, {CG_OPT_OBSERVE, "\x01"}, PATH}, NULL}, CG_REUSE_CANCELS},
        {&get, {CG_GET, {TIME, {CG_OPT_ETAG, "e"}, {CG_OPT_OBSERVE, "\x01"}, PATH}, NULL}, CG_REUSE_CANCELS},
        {&get, {CG_GET, {TIME, {CG_OPT_OBSERVE, "\x01"}, PATH, {CG_OPT_ECHO, "12345678"}}, NULL}, CG_REUSE_CANCELS},
        {&fetch, {CG_FETCH, {TIME, {CG_OPT_OBSERVE, "\x01"}, PATH}, "{}"}, CG_REUSE_CANCELS},
        {&get, {CG_GET, {TIME, {CG_OPT_OBSERVE, "\x02"}, PATH}, NULL}, CG_REUSE_COLLIDES},
        {&get, {CG_GET, {TIME, {CG_OPT_OBSERVE, ""}, {CG_OPT_URI_PATH, "other"}}, NULL}, CG_REUSE_COLLIDES},
        {&get, {CG_FETCH, {TIME, {CG_OPT_OBSERVE, ""}, PATH}, NULL}, CG_REUSE_COLLIDES},
        {&fetch, {CG_FETCH, {TIME, {CG_OPT_OBSERVE, ""}, PATH}, "[]"}, CG_REUSE_COLLIDES},
        /* that request protected by its client, which is another message each time */
        {&sealed, {CG_FETCH, {TIME, {CG_OPT_OBSERVE, ""}, {CG_OPT_OSCORE, "\x09\x02"}, PATH}, "b"}, CG_REUSE_RENEWS},
        {&sealed, {CG_FETCH, {{CG_OPT_OBSERVE, "\x01"}, {CG_OPT_OSCORE, "\x09\x02"}, PATH}, "b"}, CG_REUSE_COLLIDES},
        {&sealed,
         {CG_FETCH, {TIME, {CG_OPT_OBSERVE, "\x01"}, {CG_OPT_OSCORE, "\x09\x02"}, PATH}, "b"},
         CG_REUSE_CANCELS},
        {&sealed, {CG_FETCH, {TIME, {CG_OPT_OSCORE, "\x09\x02"}, PATH}, "b"}, CG_REUSE_COLLIDES},
        {&sealed, {CG_FETCH, {TIME, {CG_OPT_OBSERVE, ""}, PATH}, "b"}, CG_REUSE_COLLIDES},
        {&fetch, {CG_FETCH, {TIME, {CG_OPT_OBSERVE, ""}, {CG_OPT_OSCORE, "\x09\x02"}, PATH}, "{}"}, CG_REUSE_COLLIDES},
        {&sealed_part,
         {CG_FETCH, {TIME, {CG_OPT_OSCORE, "\x09\x01"}, PATH, {CG_OPT_BLOCK1, "\x1a"}}, "a"},
         CG_REUSE_CONTINUES},
        {&sealed_part,
         {CG_FETCH, {TIME, {CG_OPT_OSCORE, "\x09\x02"}, PATH, {CG_OPT_BLOCK1, "\x1a"}}, "a"},
         CG_REUSE_COLLIDES},
        /* a block of the request's own body */
        {&put, {CG_PUT, {TIME, PATH, {CG_OPT_BLOCK1, "\x22"}}, "last"}, CG_REUSE_CONTINUES},
        {&put, {CG_PUT, {TIME, PATH, {CG_OPT_BLOCK1, "\x1a"}}, "before"}, CG_REUSE_CONTINUES},
        {&put, {CG_PUT, {TIME, PATH, {CG_OPT_BLOCK1, "\x0a"}}, "first"}, CG_REUSE_COLLIDES},
        {&put, {CG_PUT, {TIME, PATH, {CG_OPT_BLOCK1, "\x32"}}, "behind"}, CG_REUSE_COLLIDES},
        {&put, {CG_POST, {TIME, PATH, {CG_OPT_BLOCK1, "\x22"}}, "last"}, CG_REUSE_COLLIDES},
        {&put, {CG_PUT, {TIME, PATH, {CG_OPT_BLOCK1, "\x22"}, {CG_OPT_REQUEST_TAG, "a"}}, "last"}, CG_REUSE_COLLIDES},
        {&get, {CG_GET, {TIME, PATH, {CG_OPT_BLOCK1, "\x22"}}, "last"}, CG_REUSE_COLLIDES},
        /* all others, the same request in a message of its own among them */
        {&get, {CG_GET, {TIME, PATH}, NULL}, CG_REUSE_COLLIDES},
        {&get, {CG_GET, {PATH}, NULL}, CG_REUSE_COLLIDES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t before[256], after[256];
        const struct cg_coap_message running = spell(rows[i].running, before, sizeof before);
        const struct cg_coap_message now = spell(&rows[i].now, after, sizeof after);
        struct cg_request_mark first, second;
        cg_request_mark(&first, &running);
        cg_request_mark(&second, &now);
        enum cg_reuse reuse = cg_reuse_of(&first, &second, cg_is_early_stop(&now, &numbers));
        if (reuse != rows[i].reuse) fail_msg("row %zu: %d", i, (int)reuse);
    }
}

/* Of two options, what belongs to which counts. */
static void test_marks_tell_bytes_apart_by_their_options(void **state) {
    (void)state;
    static const struct message one = {CG_GET, {{CG_OPT_URI_PATH, "ab"}, {CG_OPT_URI_PATH, "c"}}, NULL};
    static const struct message other = {CG_GET, {{CG_OPT_URI_PATH, "a"}, {CG_OPT_URI_PATH, "bc"}}, NULL};
    uint8_t first_bytes[64], second_bytes[64];
    const struct cg_coap_message a = spell(&one, first_bytes, sizeof first_bytes);
    const struct cg_coap_message b = spell(&other, second_bytes, sizeof second_bytes);
    struct cg_request_mark first, second;
    cg_request_mark(&first, &a);
    cg_request_mark(&second, &b);
    assert_memory_not_equal(first.head, second.head, sizeof first.head);
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_early_stop_form),
        cmocka_unit_test(test_first_rule_that_fits),
        cmocka_unit_test(test_marks_tell_bytes_apart_by_their_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
