/* Which options travel inside and which outside, and how a receiver puts them together (RFC 8613 §4.1). */
#include "fake_group.h"

#include "oscore/classes.h"

struct scene {
    struct fake_group group;
    struct cg_oscore_context *client, *server;
    uint8_t plain_bytes[512], sealed[1024], room[2048];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg plain, msg, got;
    uint64_t number;
};

static void set_up(struct scene *s) {
    memset(s, 0, sizeof(*s));
    fake_group_usual(&s->group, 1);
    s->client = fake_context(&s->group, 0);
    s->server = fake_context(&s->group, 1);
}

static void tear_down(struct scene *s) {
    cg_oscore_context_unref(s->client);
    cg_oscore_context_unref(s->server);
}

static void make_plain(struct scene *s, uint8_t code, const struct cg_opt *opts, size_t count) {
    struct cg_msg_writer w;
    struct cg_token token = {.len = 1, .bytes = {1}};
    cg_msg_begin(&w, s->plain_bytes, sizeof(s->plain_bytes), CG_NON, code, 1, token);
    for (size_t i = 0; i < count; i++) cg_msg_put_opt(&w, opts[i].number, opts[i].value);
    cg_msg_put_payload(&w, cg_slice_str("payload"));
    s->plain = fake_parse(s->plain_bytes, cg_msg_end(&w));
}

static int seal_request(struct scene *s) {
    int len =
        cg_oscore_seal_request(s->client, NULL, s->number++, &s->plain, s->sealed, sizeof(s->sealed), &s->binding);
    if (len >= 0) s->msg = fake_parse(s->sealed, len);
    return len < 0 ? len : CG_OK;
}

static int open_request(struct scene *s) {
    return cg_oscore_open_request(s->server, &s->msg, s->room, sizeof(s->room), &s->got, &s->opened);
}

static bool has(const struct cg_msg *msg, uint16_t number, const char *value) {
    struct cg_slice found;
    return cg_msg_find(msg, number, &found) && cg_slice_is(found, value);
}

static bool lacks(const struct cg_msg *msg, uint16_t number) {
    struct cg_slice found;
    return !cg_msg_find(msg, number, &found);
}

static const uint16_t class_u[] = {2, 3, 7, 16, 24, 39, 235, 239, 248};
static const uint16_t class_e[] = {1, 4, 5, 8, 11, 12, 14, 15, 17, 19, 20, 23, 27, 28, 31, 60, 252, 258, 292, 65000};

static void test_each_option_goes_where_it_belongs(void **state) {
    (void)state;
    struct scene s;
    struct cg_opt opts[sizeof(class_u) / 2 + sizeof(class_e) / 2];
    size_t count = 0, u = 0, e = 0;
    while (u < sizeof(class_u) / 2 || e < sizeof(class_e) / 2) { /* one ascending list */
        bool take_u = e == sizeof(class_e) / 2 || (u < sizeof(class_u) / 2 && class_u[u] < class_e[e]);
        opts[count++] = (struct cg_opt){.number = take_u ? class_u[u++] : class_e[e++], .value = cg_slice_str("v")};
    }
    /* Echo in group mode is refused in a group with pairwise mode: use one without. */
    memset(&s, 0, sizeof(s));
    fake_group_make(&s.group, 0, 10, -8, 0, CG_SHA256, 1);
    s.client = fake_context(&s.group, 0);
    s.server = fake_context(&s.group, 1);
    make_plain(&s, CG_PUT, opts, count);
    assert_int_equal(seal_request(&s), CG_OK);
    for (size_t i = 0; i < sizeof(class_u) / 2; i++) assert_true(has(&s.msg, class_u[i], "v"));
    for (size_t i = 0; i < sizeof(class_e) / 2; i++) assert_true(lacks(&s.msg, class_e[i]));
    assert_false(lacks(&s.msg, CG_OPT_OSCORE));
    assert_int_equal(open_request(&s), CG_OK);
    fake_assert_same(&s.got, &s.plain);
    tear_down(&s);
}

/* Puts options into the sealed message as a proxy could. */
static void tamper_with(struct scene *s, uint16_t number, struct cg_slice value) {
    static uint8_t changed[1024];
    struct cg_msg_writer w;
    struct cg_opt_iter iter;
    struct cg_opt opt;
    bool done = false;
    cg_msg_begin(&w, changed, sizeof(changed), CG_NON, s->msg.code, 1, s->msg.token);
    cg_opt_iter_init(&iter, &s->msg);
    while (cg_opt_next(&iter, &opt)) {
        if (!done && opt.number > number) {
            cg_msg_put_opt(&w, number, value);
            done = true;
        }
        cg_msg_put_opt(&w, opt.number, opt.value);
    }
    if (!done) cg_msg_put_opt(&w, number, value);
    cg_msg_put_payload(&w, s->msg.payload);
    s->msg = fake_parse(changed, cg_msg_end(&w));
}

static void tamper(struct scene *s, uint16_t number, const char *value) { tamper_with(s, number, cg_slice_str(value)); }

/* RFC 8613 §8.2 step 1: class E options from outside are discarded, class U ones kept. */
static void test_outer_options_of_a_proxy(void **state) {
    (void)state;
    struct scene s;
    set_up(&s);
    const struct cg_opt opts[] = {{CG_OPT_URI_PATH, cg_slice_str("x")}};
    make_plain(&s, CG_GET, opts, 1);
    for (size_t i = 0; i < sizeof(class_e) / 2; i++) {
        if (class_e[i] == CG_OPT_BLOCK1) continue; /* not ignored: test_outer_blocks */
        assert_int_equal(seal_request(&s), CG_OK);
        tamper(&s, class_e[i], "evil");
        assert_int_equal(open_request(&s), CG_OK);
        fake_assert_same(&s.got, &s.plain);
    }
    for (size_t i = 0; i < sizeof(class_u) / 2; i++) {
        assert_int_equal(seal_request(&s), CG_OK);
        tamper(&s, class_u[i], "proxied");
        assert_int_equal(open_request(&s), CG_OK);
        assert_true(has(&s.got, class_u[i], "proxied"));
        assert_true(has(&s.got, CG_OPT_URI_PATH, "x"));
    }
    assert_int_equal(seal_request(&s), CG_OK);
    tamper(&s, CG_OPT_OBSERVE, ""); /* does not become an observation */
    assert_int_equal(open_request(&s), CG_OK);
    assert_true(lacks(&s.got, CG_OPT_OBSERVE));
    assert_false(s.opened.binding.observe);
    assert_int_equal(seal_request(&s), CG_OK);
    tamper(&s, CG_OPT_OSCORE, "");
    assert_int_equal(open_request(&s), CG_E_BAD_OPTION); /* two of them */
    tear_down(&s);
}

/* An answer is what the member sealed, whatever somebody on the path writes beside it. */
static void test_outer_options_of_a_response(void **state) {
    (void)state;
    struct scene s;
    set_up(&s);
    const struct cg_opt etag[] = {{CG_OPT_ETAG, cg_slice_str("e")}};
    for (size_t i = 0; i < sizeof(class_u) / 2 + sizeof(class_e) / 2; i++) {
        uint16_t number = i < sizeof(class_u) / 2 ? class_u[i] : class_e[i - sizeof(class_u) / 2];
        if (number == CG_OPT_BLOCK2) continue; /* not ignored: below */
        struct cg_oscore_answers answers = {.bare = false};
        make_plain(&s, CG_GET, NULL, 0);
        assert_int_equal(seal_request(&s), CG_OK);
        assert_int_equal(open_request(&s), CG_OK);
        make_plain(&s, CG_CODE(2, 5), etag, 1);
        struct cg_oscore_binding binding = s.opened.binding;
        struct cg_oscore_reply reply = {.has_number = false};
        int len = cg_oscore_seal_response(s.server, &reply, &s.plain, s.sealed, sizeof(s.sealed), &binding);
        s.msg = fake_parse(s.sealed, len);
        if (number != CG_OPT_OSCORE) tamper(&s, number, "added");
        assert_int_equal(
            cg_oscore_open_response(s.client, &s.msg, &s.binding, &answers, s.room, sizeof(s.room), &s.got, &s.opened),
            CG_OK);
        fake_assert_same(&s.got, &s.plain);
    }
    tear_down(&s);
}

/* RFC 8613 §4.1.3.4.2: what a proxy has cut is not put together. A block that is all there is hinders nothing. */
static void test_outer_blocks(void **state) {
    (void)state;
    static const struct {
        const char *value;
        size_t len;
        bool whole;
    } cases[] = {
        {"", 0, true},      {"\6", 1, true},    {"\7", 1, true},    {"\0\6", 2, true},    {"\0\0\6", 3, true},
        {"\x0e", 1, false}, {"\x16", 1, false}, {"\1\6", 2, false}, {"\1\0\6", 3, false}, {"\0\0\0\0", 4, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene s;
        struct cg_oscore_answers answers = {.bare = false};
        set_up(&s);
        const struct cg_slice value = cg_slice_of(cases[i].value, cases[i].len);
        make_plain(&s, CG_PUT, NULL, 0);
        assert_int_equal(seal_request(&s), CG_OK);
        const struct cg_msg untouched = s.msg;
        tamper_with(&s, CG_OPT_BLOCK1, value);
        assert_int_equal(open_request(&s), cases[i].whole ? CG_OK : CG_E_OUTER_BLOCKS);
        s.msg = untouched;
        if (!cases[i].whole) assert_int_equal(open_request(&s), CG_OK); /* nothing was spent */
        struct cg_oscore_binding binding = s.opened.binding;
        struct cg_oscore_reply reply = {.has_number = false};
        make_plain(&s, CG_CODE(2, 4), NULL, 0);
        int len = cg_oscore_seal_response(s.server, &reply, &s.plain, s.sealed, sizeof(s.sealed), &binding);
        const struct cg_msg answer = s.msg = fake_parse(s.sealed, len);
        tamper_with(&s, CG_OPT_BLOCK2, value);
        assert_int_equal(
            cg_oscore_open_response(s.client, &s.msg, &s.binding, &answers, s.room, sizeof(s.room), &s.got, &s.opened),
            cases[i].whole ? CG_OK : CG_E_OUTER_BLOCKS);
        int again =
            cg_oscore_open_response(s.client, &answer, &s.binding, &answers, s.room, sizeof(s.room), &s.got, &s.opened);
        assert_int_equal(again, cases[i].whole ? CG_E_REPLAY : CG_OK);
        tear_down(&s);
    }
}

static void test_settings_of_draft_options(void **state) {
    (void)state;
    struct scene s;
    memset(&s, 0, sizeof(s));
    fake_group_usual(&s.group, 1);
    s.group.params.class_u[0] = 65001;
    s.client = fake_context(&s.group, 0);
    s.server = fake_context(&s.group, 1);
    const struct cg_opt opts[] = {{2, cg_slice_str("m")}, {65001, cg_slice_str("d")}};
    make_plain(&s, CG_GET, opts, 2);
    assert_int_equal(seal_request(&s), CG_OK);
    assert_true(lacks(&s.msg, 2) && has(&s.msg, 65001, "d"));
    assert_int_equal(open_request(&s), CG_OK);
    fake_assert_same(&s.got, &s.plain);
    tear_down(&s);
}

/* Where a number occurs on both sides, what the member sealed counts and what a proxy wrote does not. */
static void test_inside_wins(void **state) {
    (void)state;
    struct scene s;
    memset(&s, 0, sizeof(s));
    fake_group_usual(&s.group, 1);
    s.server = fake_context(&s.group, 1);
    s.group.params.class_u[0] = 65001; /* to this client option 2 is of class E */
    s.client = fake_context(&s.group, 0);
    const struct cg_opt opts[] = {{2, cg_slice_str("inside")}};
    make_plain(&s, CG_GET, opts, 1);
    assert_int_equal(seal_request(&s), CG_OK);
    tamper(&s, 2, "outside");
    assert_int_equal(open_request(&s), CG_OK);
    fake_assert_same(&s.got, &s.plain);
    tear_down(&s);
}

/* RFC 8613 §4.1.3.5. */
static void test_observe(void **state) {
    (void)state;
    struct scene s;
    set_up(&s);
    const struct cg_opt registration[] = {{CG_OPT_OBSERVE, CG_SLICE_NONE}, {CG_OPT_URI_PATH, cg_slice_str("x")}};
    const struct cg_opt cancellation[] = {{CG_OPT_OBSERVE, cg_slice_str("\1")}, {CG_OPT_URI_PATH, cg_slice_str("x")}};
    make_plain(&s, CG_GET, cancellation, 2);
    assert_int_equal(seal_request(&s), CG_OK);
    assert_int_equal(s.msg.code, CG_FETCH);
    assert_true(has(&s.msg, CG_OPT_OBSERVE, "\1"));
    assert_false(s.binding.observe);
    assert_int_equal(open_request(&s), CG_OK);
    fake_assert_same(&s.got, &s.plain);
    assert_false(s.opened.binding.observe);

    make_plain(&s, CG_GET, registration, 2);
    assert_int_equal(seal_request(&s), CG_OK);
    assert_true(s.binding.observe);
    assert_int_equal(open_request(&s), CG_OK);
    fake_assert_same(&s.got, &s.plain);
    assert_true(s.opened.binding.observe);
    struct cg_oscore_binding server_binding = s.opened.binding;

    struct cg_oscore_answers answers = {.bare = false};
    const struct cg_opt notification[] = {{CG_OPT_OBSERVE, cg_slice_str("\x42")}};
    make_plain(&s, CG_CODE(2, 5), notification, 1);
    static const struct {
        bool has_number;
        uint64_t number;
        const char *observe;
    } cases[] = {{false, 0, ""}, {true, 0x1234567, "\x23\x45\x67"}, {true, 0x1234568, "\x23\x45\x68"}};
    for (size_t i = 0; i < 3; i++) {
        struct cg_oscore_reply reply = {.has_number = cases[i].has_number, .number = cases[i].number};
        int len = cg_oscore_seal_response(s.server, &reply, &s.plain, s.sealed, sizeof(s.sealed), &server_binding);
        s.msg = fake_parse(s.sealed, len);
        assert_int_equal(s.msg.code, CG_CODE(2, 5));
        assert_true(has(&s.msg, CG_OPT_OBSERVE, "\x42"));
        assert_int_equal(
            cg_oscore_open_response(s.client, &s.msg, &s.binding, &answers, s.room, sizeof(s.room), &s.got, &s.opened),
            CG_OK);
        assert_true(
            has(&s.got, CG_OPT_OBSERVE, cases[i].observe)); /* ordered by Partial IV, the one without is oldest */
    }
    /* A notification that nobody asked for. */
    const struct cg_opt get[] = {{CG_OPT_URI_PATH, cg_slice_str("x")}};
    make_plain(&s, CG_GET, get, 1);
    assert_int_equal(seal_request(&s), CG_OK);
    assert_int_equal(open_request(&s), CG_OK);
    server_binding = s.opened.binding;
    make_plain(&s, CG_CODE(2, 5), notification, 1);
    struct cg_oscore_reply reply = {.has_number = false};
    int len = cg_oscore_seal_response(s.server, &reply, &s.plain, s.sealed, sizeof(s.sealed), &server_binding);
    s.msg = fake_parse(s.sealed, len);
    assert_int_equal(
        cg_oscore_open_response(s.client, &s.msg, &s.binding, NULL, s.room, sizeof(s.room), &s.got, &s.opened),
        CG_E_FORMAT);
    tear_down(&s);
}

/* RFC 8613 §4.1.3.3. */
static void test_proxy_uri_is_split(void **state) {
    (void)state;
    static const struct {
        const char *uri, *outer;
        const char *path[2], *query;
    } cases[] = {
        {"coap://example.com/resource?q=1", "coap://example.com", {"resource", NULL}, "q=1"},
        {"coap://example.com", "coap://example.com", {NULL, NULL}, NULL},
        {"coap://example.com?q=1", "coap://example.com", {NULL, NULL}, "q=1"},
        {"coap://[2001:db8::1]:61616/a/b%2Fc", "coap://[2001:db8::1]:61616", {"a", "b/c"}, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene s;
        set_up(&s);
        const struct cg_opt opts[] = {{CG_OPT_IF_MATCH, cg_slice_str("t")},
                                      {CG_OPT_CONTENT_FORMAT, CG_SLICE_NONE},
                                      {CG_OPT_ACCEPT, CG_SLICE_NONE},
                                      {CG_OPT_PROXY_URI, cg_slice_str(cases[i].uri)},
                                      {CG_OPT_SIZE1, cg_slice_str("\7")}};
        make_plain(&s, CG_PUT, opts, 5);
        assert_int_equal(seal_request(&s), CG_OK);
        assert_true(has(&s.msg, CG_OPT_PROXY_URI, cases[i].outer));
        assert_true(lacks(&s.msg, CG_OPT_URI_PATH) && lacks(&s.msg, CG_OPT_URI_QUERY));
        assert_int_equal(open_request(&s), CG_OK);
        struct cg_opt_iter iter;
        struct cg_opt opt;
        size_t segments = 0;
        cg_opt_iter_init(&iter, &s.got);
        while (cg_opt_next(&iter, &opt)) {
            if (opt.number != CG_OPT_URI_PATH) continue;
            assert_true(segments < 2 && cases[i].path[segments] != NULL &&
                        cg_slice_is(opt.value, cases[i].path[segments]));
            segments++;
        }
        assert_true(segments == 2 || cases[i].path[segments] == NULL);
        assert_true(cases[i].query != NULL ? has(&s.got, CG_OPT_URI_QUERY, cases[i].query)
                                           : lacks(&s.got, CG_OPT_URI_QUERY));
        assert_true(has(&s.got, CG_OPT_IF_MATCH, "t") && has(&s.got, CG_OPT_SIZE1, "\7"));
        tear_down(&s);
    }
}

static void test_what_cannot_be_sealed(void **state) {
    (void)state;
    struct scene s;
    set_up(&s);
    const struct cg_opt nested[] = {{CG_OPT_OSCORE, cg_slice_str("\x09\x01")}};
    make_plain(&s, CG_GET, nested, 1);
    assert_int_equal(seal_request(&s), CG_E_PROTECT);
    const struct cg_opt bad_uri[] = {{CG_OPT_PROXY_URI, cg_slice_str("no uri at all")}};
    make_plain(&s, CG_GET, bad_uri, 1);
    assert_int_equal(seal_request(&s), CG_E_BAD_URI);
    const struct cg_opt both[] = {{CG_OPT_URI_PATH, cg_slice_str("x")}, {CG_OPT_PROXY_URI, cg_slice_str("coap://h/y")}};
    make_plain(&s, CG_GET, both, 2);
    assert_int_equal(seal_request(&s), CG_E_BAD_URI);
    make_plain(&s, CG_CODE(2, 5), NULL, 0);
    assert_int_equal(seal_request(&s), CG_E_BAD_REQUEST);
    make_plain(&s, CG_GET, NULL, 0);
    struct cg_oscore_reply reply = {.has_number = true};
    assert_int_equal(cg_oscore_seal_response(s.server, &reply, &s.plain, s.sealed, sizeof(s.sealed), &s.binding),
                     CG_E_BAD_REQUEST);
    tear_down(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_option_goes_where_it_belongs),
        cmocka_unit_test(test_outer_options_of_a_proxy),
        cmocka_unit_test(test_outer_options_of_a_response),
        cmocka_unit_test(test_outer_blocks),
        cmocka_unit_test(test_settings_of_draft_options),
        cmocka_unit_test(test_inside_wins),
        cmocka_unit_test(test_observe),
        cmocka_unit_test(test_proxy_uri_is_split),
        cmocka_unit_test(test_what_cannot_be_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
