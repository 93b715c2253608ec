/* Accept: which encoder a client wants. */
#include "fake_conversion.h"

static void test_accept(void **state) {
    (void)state;
    static const struct {
        const char *accept;
        const struct castgate_encoder *encoder;
    } rows[] = {
        {"*/*", &mixed},
        {"", &mixed},
        {"multipart/mixed", &mixed},
        {"multipart/*", &mixed},
        {"application/json", &json},
        {"APPLICATION/JSON", &json},
        {"application/json; charset=utf-8", &json},
        {"application/*", &json},
        {"text/event-stream", &sse},
        {"text/*", &sse},
        {"text/html", &mixed},
        {"application/json, text/plain, */*", &json},
        {"*/*, application/json", &json},
        {"application/json;q=0.5, multipart/mixed;q=0.4", &json},
        {"application/json;q=0.4, multipart/mixed;q=0.5", &mixed},
        {"application/json, multipart/mixed", &json},
        {"multipart/mixed, application/json", &mixed},
        {"application/json;q=0, */*", &mixed},
        {"multipart/mixed;q=0, */*", &json},
        {"multipart/mixed;q=0", &mixed},
        {"*/*;q=0", &mixed},
        {"*/*;q=1.0, application/json;q=0.999", &mixed},
        {"application/json;Q=0.9, text/event-stream ; q=1", &sse},
        {"application/json;q=2, text/event-stream;q=0.1", &sse},
        {"application/json;q=0.1234, text/event-stream;q=0.1", &sse},
        {"application/json;q=, text/event-stream;q=0.1", &sse},
        {"application/json;q=1.001, text/event-stream;q=0.1", &sse},
        {",,, application/json ,,", &json},
        {"application, application/json", &json},
        {"application/, /json, a/b/c, application/json", &json},
        {"text/x;a=\"q=1, application/json;\\\"\", text/event-stream", &sse},
        {"text/x;a=\"unclosed, application/json", &mixed},
        {"\"\\", &mixed},
        {"*", &mixed},
        {"*/json", &mixed},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conversion f;
        char fields[256];
        snprintf(fields, sizeof fields, HOST "Accept: %s\n", rows[i].accept);
        assert_int_equal(from(&f, "GET", "/", fields, ""), CG_OK);
        if (f.encoder != rows[i].encoder) fail_msg("%s: %s", rows[i].accept, f.encoder->media_type);
        tear_down(&f);
    }
    struct conversion f;
    assert_int_equal(from(&f, "GET", "/", HOST "Accept: text/event-stream;q=0.5\nAccept: application/json\n", ""),
                     CG_OK);
    assert_ptr_equal(f.encoder, &json);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
