/* Prefer (RFC 7240): the examples of §2 and §4, and what is none. */
#include "fake_conversion.h"

#include "fronts/http/prefer.h"

static void test_preferences(void **state) {
    (void)state;
    static const struct {
        const char *fields, *value; /* NULL: there is none */
    } rows[] = {
        {"Prefer: handling=strict\n", "strict"},
        {"prefer:HANDLING=Strict\n", "Strict"},
        {"Prefer: handling = \"strict\"\n", "strict"},
        {"Prefer: respond-async, wait=10, handling=strict\n", "strict"},
        {"Prefer: respond-async\nPrefer: handling=strict;foo=bar\n", "strict"},
        {"Prefer: foo; bar=\"handling=lenient, handling=lenient\", handling=strict\n", "strict"},
        {"Prefer: handling=lenient, handling=strict\n", "lenient"}, /* the first one counts */
        {"Prefer: handling\n", ""},
        {"Prefer: handling=\n", ""},
        {"Prefer: handling=\"\"\n", ""},
        {"Prefer: , ;, =, handling=strict\n", "strict"},
        {"Prefer: handlings=strict\n", NULL},
        {"Prefer: x=handling=strict\n", NULL},
        {"Prefer: x;handling=strict\n", NULL},
        {"Prefer:\n", NULL},
        {"Preference: handling=strict\n", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        struct cg_slice value;
        set_up(&f);
        split_fields(&f, rows[i].fields);
        const struct cg_http_message message = {.fields = f.fields, .field_count = f.field_count};
        bool found = cg_http_preference(&message, "handling", &value);
        if (found != (rows[i].value != NULL)) fail_msg("row %zu", i);
        if (found) assert_slice(value, rows[i].value);
        tear_down(&f);
    }
}

static void test_strict_handling(void **state) {
    (void)state;
    static const char *const fields[] = {HOST, HOST "Prefer: handling=lenient\n", HOST "Prefer: wait=3\n",
                                         HOST "Prefer: wait=3, Handling=\"STRICT\"\n"};
    for (size_t i = 0; i < 4; i++) {
        struct conversion f;
        assert_int_equal(from(&f, "GET", "/", fields[i], ""), CG_OK);
        assert_int_equal(f.request.is_strict, i == 3);
        tear_down(&f);
    }
}

/* RFC 7240 §2: what cannot be honoured is passed over. */
static void test_observe(void **state) {
    (void)state;
#define EVENTS HOST "Accept: text/event-stream\n"
#define FETCH  "X-HTTP-Method-Override: FETCH\nContent-Type: text/plain\n"
    static const struct {
        const char *method, *fields, *body;
        bool observes;
    } rows[] = {
        {"GET", EVENTS "Prefer: observe\n", "", true},
        {"GET", EVENTS "Prefer: Observe\n", "", true},
        {"GET", EVENTS "Prefer: wait=3, observe;x=y\nPrefer: handling=lenient\n", "", true},
        {"GET", EVENTS "Prefer: observe=\"\"\n", "", true}, /* RFC 7240 §2: the same as without */
        {"GET", EVENTS "Prefer: observe\nMulticast-Timeout: 5\n", "", true},
        {"GET", HOST "Accept: application/json;q=0.5, text/event-stream\nPrefer: observe\n", "", true},
        {"POST", EVENTS FETCH "Prefer: observe\n", "x", true},
        {"GET", EVENTS, "", false},
        {"GET", EVENTS "Prefer: observe=no\n", "", false},
        {"GET", EVENTS "Prefer: observed\n", "", false},
        {"GET", EVENTS "Prefer: observe\nMulticast-Timeout: 0\n", "", false}, /* it hears nothing at all */
        {"GET", HOST "Prefer: observe\n", "", false},
        {"GET", HOST "Accept: application/json\nPrefer: observe\n", "", false},
        {"HEAD", EVENTS "Prefer: observe\n", "", false},
        {"POST", EVENTS "Prefer: observe\n", "", false},
        {"PUT", EVENTS "Prefer: observe\n", "", false},
        {"POST", EVENTS "Prefer: observe\nOSCORE: CSU\nContent-Type: application/oscore\n", "x", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        int err = from(&f, rows[i].method, "/", rows[i].fields, rows[i].body);
        if (err != CG_OK || f.request.observes != rows[i].observes) fail_msg("row %zu: %s", i, f.problem.detail);
        tear_down(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preferences),
        cmocka_unit_test(test_strict_handling),
        cmocka_unit_test(test_observe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
