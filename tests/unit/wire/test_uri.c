/* URIs: RFC 3986 and RFC 7252 §6, with what a hostile client or a tired admin may write. */
#include "wire/uri.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct cg_uri parsed(const char *text) {
    struct cg_uri uri;
    const char *why = "";
    if (cg_uri_parse(&uri, cg_slice_str(text), &why) != CG_OK) fail_msg("refused: %s: %s", text, why);
    return uri;
}

static void assert_slice(struct cg_slice slice, const char *text) {
    if (!cg_slice_is(slice, text)) fail_msg("\"%.*s\" is not \"%s\"", (int)slice.len, (const char *)slice.data, text);
}

static void parts(void **state) {
    (void)state;
    struct cg_uri uri = parsed("coap://[ff35:30:2001:db8::23]:61616/light/on?a=1&b=2");
    assert_int_equal(uri.scheme, CG_SCHEME_COAP);
    assert_int_equal(uri.addr.family, CG_FAMILY_IPV6);
    assert_int_equal(uri.addr.port, 61616);
    assert_slice(uri.host, "ff35:30:2001:db8::23");
    assert_slice(uri.zone, "");
    assert_true(uri.has_port);
    assert_slice(uri.path, "/light/on");
    assert_slice(uri.query, "a=1&b=2");
    assert_true(uri.has_query);

    uri = parsed("coap://group.example");
    assert_int_equal(uri.addr.family, CG_FAMILY_NONE);
    assert_int_equal(uri.addr.port, 5683);
    assert_false(uri.has_port);
    assert_slice(uri.host, "group.example");
    assert_int_equal(uri.path.len, 0);
    assert_false(uri.has_query);
    assert_null(uri.query.data);

    uri = parsed("coap://224.0.1.187?");
    assert_int_equal(uri.addr.family, CG_FAMILY_IPV4);
    assert_slice(uri.host, "224.0.1.187");
    assert_true(uri.has_query);
    assert_int_equal(uri.query.len, 0);
    assert_non_null(uri.query.data);
    assert_slice(parsed("coap://h/a?b?c/d:@").query, "b?c/d:@");
}

static void schemes_and_default_ports(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum cg_scheme scheme;
        uint16_t port;
    } cases[] = {
        {"coap://h", CG_SCHEME_COAP, 5683},           {"COAP://h", CG_SCHEME_COAP, 5683},
        {"coaps://h", CG_SCHEME_COAPS, 5684},         {"coap+tcp://h", CG_SCHEME_COAP_TCP, 5683},
        {"CoAPs+TCP://h", CG_SCHEME_COAPS_TCP, 5684}, {"coap+ws://h", CG_SCHEME_COAP_WS, 80},
        {"coaps+ws://h", CG_SCHEME_COAPS_WS, 443},    {"coaps://h:", CG_SCHEME_COAPS, 5684},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cg_uri uri = parsed(cases[i].text);
        assert_int_equal(uri.scheme, cases[i].scheme);
        assert_int_equal(uri.addr.port, cases[i].port);
        assert_false(uri.has_port);
    }
    assert_string_equal(cg_scheme_name(CG_SCHEME_COAPS_TCP), "coaps+tcp");
}

static void ports(void **state) {
    (void)state;
    assert_int_equal(parsed("coap://h:1").addr.port, 1);
    assert_int_equal(parsed("coap://h:65535").addr.port, 65535);
    assert_int_equal(parsed("coap://h:05683").addr.port, 5683);
    assert_int_equal(parsed("coap://[::1]:5684").addr.port, 5684);
    assert_true(parsed("coap://h:5683").has_port);
}

static void zones(void **state) {
    (void)state;
    static const struct {
        const char *text, *zone;
    } cases[] = {
        {"coap://[ff02::fd%25eth1]/x", "eth1"},
        {"coap://[ff02::fd%eth1]:5683", "eth1"},
        {"coap://[fe80::1%252]", "2"},
        {"coap://[fe80::1%2]", "2"},
        {"coap://[fe80::1%25wlan0.100-a_b~]", "wlan0.100-a_b~"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cg_uri uri = parsed(cases[i].text);
        assert_slice(uri.zone, cases[i].zone);
        assert_int_equal(uri.addr.family, CG_FAMILY_IPV6);
        assert_int_equal(uri.addr.scope, 0);
        assert_null(memchr(uri.host.data, '%', uri.host.len));
    }
}

static void refused(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        "coap",
        "coap:",
        "coap:/h",
        "coap//h",
        "://h",
        "//h/path",
        "/path",
        "http://h/",
        "coapx://h",
        "coap ://h",
        " coap://h",
        "coap://",
        "coap:///path",
        "coap://?q",
        "coap://:5683/",
        "coap://user@h/",
        "coap://user:secret@h/",
        "coap://@h/",
        "coap://224.0.1.187@evil.example/",
        "coap://h@",
        "coap://h#",
        "coap://h/a#fragment",
        "coap://h?q#f",
        "coap://h:0",
        "coap://h:00000",
        "coap://h:65536",
        "coap://h:4294972979",
        "coap://h:18446744073709557299",
        "coap://h:-1",
        "coap://h:+5",
        "coap://h:5683x",
        "coap://h:0x1633",
        "coap://h:56 83",
        "coap://h:1:2",
        "coap://[::1]5683",
        "coap://[::1]x",
        "coap://[::1",
        "coap://::1/",
        "coap://::1]/",
        "coap://[]",
        "coap://[127.0.0.1]",
        "coap://[v1.fe]",
        "coap://[::1::]",
        "coap://[12345::]",
        "coap://[1:2:3:4:5:6:7:8:9]",
        "coap://[fe80::1%]",
        "coap://[fe80::1%25]",
        "coap://[fe80::1%25eth%31]",
        "coap://[fe80::1%25eth 1]",
        "coap://[fe80::1%25a/b]",
        "coap://[fe80::1%eth1%eth2]",
        "coap://[%eth1]",
        "coap://224.0.1.187%25eth1/",
        "coap://224.0.1.187%00.evil.example/",
        "coap://h%2Fx/",
        "coap://h%3A1/",
        "coap://u%40h/",
        "coap://h%0D%0A/",
        "coap://%5B::1%5D/",
        "coap://h%",
        "coap://h%4",
        "coap://h%zz",
        "coap://h/%",
        "coap://h/%4",
        "coap://h/%4/",
        "coap://h/%g0",
        "coap://h/%0g",
        "coap://h/%%41",
        "coap://h?%",
        "coap://h?a=%f",
        "coap://h/a b",
        "coap://h/a\tb",
        "coap://h/a\r\nX: y",
        "coap://h/\x7f",
        "coap://h/\xc3\xa4",
        "coap://h\xc3\xa4/",
        "coap://h/a\\b",
        "coap://h/[a]",
        "coap://h/<a>",
        "coap://h/\"a\"",
        "coap://h/{a}",
        "coap://h/a^b",
        "coap://h/a`b",
        "coap://h/a|b",
        "coap://h?[",
        "coap://h?a b",
        "coap://h h/",
        "coap://h\\h/",
        "coap://a,b c",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cg_uri uri;
        const char *why = NULL;
        if (cg_uri_parse(&uri, cg_slice_str(cases[i]), &why) != CG_E_BAD_URI) fail_msg("accepted: %s", cases[i]);
        assert_non_null(why);
        assert_null(uri.host.data);
        assert_int_equal(uri.addr.family, CG_FAMILY_NONE);
        assert_int_equal(cg_uri_parse(&uri, cg_slice_str(cases[i]), NULL), CG_E_BAD_URI);
    }
}

static void zero_bytes_are_refused(void **state) {
    (void)state;
    struct cg_uri uri;
    static const char host[] = "coap://224.0.1.187\0.evil.example/", path[] = "coap://h/a\0b",
                      zone[] = "coap://[fe80::1%e\0]";
    assert_int_equal(cg_uri_parse(&uri, cg_slice_of(host, sizeof host - 1), NULL), CG_E_BAD_URI);
    assert_int_equal(cg_uri_parse(&uri, cg_slice_of(path, sizeof path - 1), NULL), CG_E_BAD_URI);
    assert_int_equal(cg_uri_parse(&uri, cg_slice_of(zone, sizeof zone - 1), NULL), CG_E_BAD_URI);
    assert_int_equal(cg_uri_parse(&uri, CG_SLICE_NONE, NULL), CG_E_BAD_URI);
}

/* Whatever a resolver might read as an IPv4 address is one in plain form or nothing. */
static void hosts_that_look_like_addresses(void **state) {
    (void)state;
    static const char *const bad[] = {
        "127.1",       "2130706433", "0x7f000001",   "0X7F.1",    "0177.0.0.1",   "127.0.0.1.",
        "127.0.0.01",  "1.2.3.256",  "1.2.3.4.5",    "example.1", "a.0x1f",       "%31%32%37.0.0.1",
        "127.0.0.%31", "127%2e1",    "%30x7f000001", "256",       "224.0.1.187.", "a.0x",
    };
    static const char *const good[] = {"a1",  "1a",  "127.1.example", "3com", "x0", "1.2.3.4.nip.example",
                                       "0xg", "0y1", "%C3%A4",        "a.",   "1-2"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[64];
        struct cg_uri uri;
        snprintf(text, sizeof text, "coap://%s/", bad[i]);
        if (cg_uri_parse(&uri, cg_slice_str(text), NULL) != CG_E_BAD_URI) fail_msg("accepted: %s", text);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "coap://%s/", good[i]);
        assert_int_equal(parsed(text).addr.family, CG_FAMILY_NONE);
    }
}

/* R2, R34, R42, R43 */
static void group_uris(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"coap://224.0.1.187", true},
        {"coap://224.0.1.187:5683/", true},
        {"coap://239.1.2.3:61616/light", true},
        {"coap://[ff02::fd]/", true},
        {"coap://[ff02::fd%25eth1]/", true},
        {"coap://[ff03::fd]", true},
        {"coap://[ff04::fd]", true},
        {"coap://[ff05::fd]", true},
        {"coap://[ff35:30:2001:db8::23]", true},
        {"coap://all.floor3.example/", true},
        {"coap://224.0.1.187:5684", false},
        {"coap://[ff02::fd]:5684", false},
        {"coap://group.example:5684", false},
        {"coap://group.example:05684", false},
        {"coaps://224.0.1.187", false},
        {"coaps://224.0.1.187:5683", false},
        {"coaps://group.example", false},
        {"coap+tcp://224.0.1.187", false},
        {"coaps+tcp://224.0.1.187", false},
        {"coap+ws://224.0.1.187", false},
        {"coaps+ws://group.example", false},
        {"coap://127.0.0.1", false},
        {"coap://10.0.0.255", false},
        {"coap://255.255.255.255", false},
        {"coap://223.255.255.255", false},
        {"coap://240.0.0.1", false},
        {"coap://[::1]", false},
        {"coap://[fe80::1]", false},
        {"coap://[::ffff:224.0.1.187]", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cg_uri uri = parsed(cases[i].text);
        const char *why = NULL;
        int err = cg_uri_check_group(&uri, &why);
        if (err != (cases[i].good ? CG_OK : CG_E_BAD_URI)) fail_msg("wrong about %s", cases[i].text);
        assert_int_equal(why == NULL, cases[i].good);
        assert_int_equal(cg_uri_check_group(&uri, NULL), err);
    }
}

/* A group's or a member's, whichever the address says. */
static void what_a_target_uri_may_be(void **state) {
    (void)state;
    static const char *const good[] = {"coap://224.0.1.187", "coap://127.1.0.3:61616/a?b", "coap://[fe80::3%25eth1]/",
                                       "coap://lamp.example/"};
    static const char *const bad[] = {"coap://127.1.0.3:5684", "coaps://127.1.0.3", "coap+tcp://127.1.0.3",
                                      "coaps+ws://lamp.example"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct cg_uri uri = parsed(good[i]);
        if (cg_uri_check_target(&uri, NULL) != CG_OK) fail_msg("wrong about %s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cg_uri uri = parsed(bad[i]);
        const char *why = NULL;
        if (cg_uri_check_target(&uri, &why) != CG_E_BAD_URI || why == NULL) fail_msg("wrong about %s", bad[i]);
    }
}

static void decoding(void **state) {
    (void)state;
    static const struct {
        const char *raw, *decoded; /* NULL: refused */
    } cases[] = {
        {"", ""},
        {"light", "light"},
        {"a%2Fb", "a/b"},
        {"a%2fb", "a/b"},
        {"%41%62", "Ab"},
        {"%C3%A4", "\xc3\xa4"},
        {"a+b", "a+b"},
        {"k=v", "k=v"},
        {"a?b/c", "a?b/c"},
        {"%26", "&"},
        {"%25%34%31", "%41"}, /* once only */
        {"%2541", "%41"},
        {"%", NULL},
        {"%4", NULL},
        {"a%", NULL},
        {"%4g", NULL},
        {"% 41", NULL},
        {"%-1", NULL},
        {"a b", NULL},
        {"\x01", NULL},
        {"\xc3\xa4", NULL},
        {"%C0%AF", NULL},       /* overlong '/' */
        {"%E0%80%AF", NULL},    /* overlong '/' */
        {"%F0%80%80%AF", NULL}, /* overlong '/' */
        {"%C0%80", NULL},       /* overlong NUL */
        {"%ED%A0%80", NULL},    /* surrogate */
        {"%F4%90%80%80", NULL}, /* beyond U+10FFFF */
        {"%FF", NULL},
        {"%C3", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cg_buf buf;
        cg_buf_init(&buf, 0);
        cg_buf_put_str(&buf, "<");
        int err = cg_uri_decode(cg_slice_str(cases[i].raw), &buf);
        if (err != (cases[i].decoded == NULL ? CG_E_BAD_URI : CG_OK)) fail_msg("wrong about %s", cases[i].raw);
        struct cg_slice got = cg_buf_slice(&buf);
        assert_true(got.len > 0 && got.data[0] == '<');
        assert_slice(cg_slice_of(got.data + 1, got.len - 1), cases[i].decoded == NULL ? "" : cases[i].decoded);
        cg_buf_fini(&buf);
    }
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    assert_int_equal(cg_uri_decode(cg_slice_str("a%00b"), &buf), CG_OK); /* a zero byte is data like any other */
    assert_int_equal(buf.len, 3);
    assert_memory_equal(buf.data, "a\0b", 3);
    cg_buf_fini(&buf);
    cg_buf_init(&buf, 2);
    assert_int_equal(cg_uri_decode(cg_slice_str("abc"), &buf), CG_E_NO_MEMORY);
    cg_buf_fini(&buf);
}

static void decoded_length_is_bounded(void **state) {
    (void)state;
    char raw[3 * 256 + 1];
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    for (int i = 0; i < 256; i++) memcpy(raw + 3 * i, "%61", 4);
    assert_int_equal(cg_uri_decode(cg_slice_of(raw, 3 * 255), &buf), CG_OK);
    assert_int_equal(buf.len, 255);
    assert_int_equal(cg_uri_decode(cg_slice_of(raw, 3 * 256), &buf), CG_E_BAD_URI);
    assert_int_equal(buf.len, 255);
    cg_buf_fini(&buf);
}

static void encoding(void **state) {
    (void)state;
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    cg_uri_encode(&buf, cg_slice_str("a/b?c&d:@%!"), CG_URI_SEGMENT);
    assert_slice(cg_buf_slice(&buf), "a%2Fb%3Fc&d:@%25!");
    cg_buf_clear(&buf);
    cg_uri_encode(&buf, cg_slice_str("a/b?c&d:@%!"), CG_URI_ARGUMENT);
    assert_slice(cg_buf_slice(&buf), "a/b?c%26d:@%25!");
    cg_buf_clear(&buf);
    cg_uri_encode(&buf, cg_slice_str("a/b:c@d[e]\xc3\xa4&"), CG_URI_HOST);
    assert_slice(cg_buf_slice(&buf), "a%2Fb%3Ac%40d%5Be%5D%C3%A4&");
    cg_buf_clear(&buf);
    uint8_t all[256];
    for (unsigned i = 0; i < 256; i++) all[i] = (uint8_t)i;
    for (enum cg_uri_part part = CG_URI_SEGMENT; part <= CG_URI_ARGUMENT; part++) {
        struct cg_buf back;
        cg_buf_init(&back, 0);
        cg_uri_encode(&buf, cg_slice_of(all, 128), part); /* ASCII is UTF-8 */
        assert_int_equal(cg_uri_decode(cg_buf_slice(&buf), &back), CG_OK);
        assert_true(cg_slice_equal(cg_buf_slice(&back), cg_slice_of(all, 128)));
        cg_buf_fini(&back);
        cg_buf_clear(&buf);
    }
    cg_buf_fini(&buf);
}

/* The pieces joined by '|', in parentheses so that none differs from one empty piece. */
static void walk(bool (*next)(struct cg_slice *, struct cg_slice *), struct cg_slice whole, const char *expected) {
    char text[128] = "(";
    struct cg_slice rest = whole, piece;
    for (size_t count = 0; next(&rest, &piece); count++) {
        assert_true(count < 20);
        if (count > 0) strcat(text, "|");
        strncat(text, piece.len == 0 ? "" : (const char *)piece.data, piece.len);
    }
    assert_false(next(&rest, &piece));
    strcat(text, ")");
    assert_string_equal(text, expected);
}

static void walking(void **state) {
    (void)state;
    walk(cg_uri_next_segment, CG_SLICE_NONE, "()");
    walk(cg_uri_next_segment, cg_slice_str(""), "()");
    walk(cg_uri_next_segment, cg_slice_str("/"), "()");
    walk(cg_uri_next_segment, cg_slice_str("/a"), "(a)");
    walk(cg_uri_next_segment, cg_slice_str("/a/"), "(a|)");
    walk(cg_uri_next_segment, cg_slice_str("/a//"), "(a||)");
    walk(cg_uri_next_segment, cg_slice_str("/a//b"), "(a||b)");
    walk(cg_uri_next_segment, cg_slice_str("//"), "(|)");
    walk(cg_uri_next_segment, cg_slice_str("//a"), "(|a)");
    walk(cg_uri_next_segment, cg_slice_str("/a%2Fb/c"), "(a%2Fb|c)");
    walk(cg_uri_next_argument, CG_SLICE_NONE, "()");
    walk(cg_uri_next_argument, cg_slice_str(""), "()"); /* one, and it is empty */
    walk(cg_uri_next_argument, cg_slice_str("a"), "(a)");
    walk(cg_uri_next_argument, cg_slice_str("a&b=c"), "(a|b=c)");
    walk(cg_uri_next_argument, cg_slice_str("a&"), "(a|)");
    walk(cg_uri_next_argument, cg_slice_str("&&"), "(||)");
    struct cg_slice rest = cg_slice_str(""), piece;
    assert_true(cg_uri_next_argument(&rest, &piece));
    assert_false(cg_uri_next_argument(&rest, &piece));
    rest = CG_SLICE_NONE;
    assert_false(cg_uri_next_argument(&rest, &piece));
}

static void dot_segments(void **state) {
    (void)state;
    static const char *const dots[] = {".", "..", "%2e", "%2E", ".%2e", "%2e.", "%2E%2e"};
    static const char *const others[] = {"", "...", "a", ".a", "%2e%2e%2e", "%252e", "..%00", "%2", ".%"};
    for (size_t i = 0; i < sizeof dots / sizeof dots[0]; i++) assert_true(cg_uri_is_dot_segment(cg_slice_str(dots[i])));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(cg_uri_is_dot_segment(cg_slice_str(others[i])));
}

static struct cg_slice slice_or_none(const char *text) { return text == NULL ? CG_SLICE_NONE : cg_slice_str(text); }

static void decomposing(void **state) {
    (void)state;
    static const struct {
        const char *path, *more_path, *query, *more_query, *expected; /* NULL: refused */
    } cases[] = {
        {NULL, NULL, NULL, NULL, ""},
        {"/", NULL, NULL, NULL, ""},
        {"", "/", NULL, NULL, ""},
        {"/", "/", NULL, NULL, ""},
        {"/light", NULL, NULL, NULL, "/light"},
        {"/light/", NULL, NULL, NULL, "/light/"},
        {NULL, "/on", NULL, NULL, "/on"},
        {"/", "/on", NULL, NULL, "/on"},
        {"/light", "/on", NULL, NULL, "/light/on"},
        {"/light/", "/on", NULL, NULL, "/light/on"},
        {"/light", "/", NULL, NULL, "/light/"},
        {"/light/", "/", NULL, NULL, "/light/"},
        {"/light//", "/on", NULL, NULL, "/light//on"},
        {"//", "/on", NULL, NULL, "//on"},
        {"/light", "//on", NULL, NULL, "/light//on"},
        {"/a%2Fb", "/%C3%A4", NULL, NULL, "/a/b/\xc3\xa4"},
        {NULL, NULL, "a=1", NULL, "?a=1"},
        {NULL, NULL, NULL, "b", "?b"},
        {NULL, NULL, "a=1&b", "c=%26&d", "?a=1?b?c=&?d"},
        {NULL, NULL, "", NULL, "?"},
        {"/x", "/y", "q", "", "/x/y?q?"},
        {"/light", "/..", NULL, NULL, NULL},
        {"/light", "/../x", NULL, NULL, NULL},
        {"/light", "/%2e%2E/x", NULL, NULL, NULL},
        {"/.", NULL, NULL, NULL, NULL},
        {"/./", "/x", NULL, NULL, NULL},
        {"/light", "/%", NULL, NULL, NULL},
        {"/light", "/%C0%AE", NULL, NULL, NULL},
        {"/light", "/a b", NULL, NULL, NULL},
        {"/light", "on", NULL, NULL, NULL},
        {"light", NULL, NULL, NULL, NULL},
        {NULL, NULL, "a=%", NULL, NULL},
        {NULL, NULL, "a=1", "%zz", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cg_arena arena;
        struct cg_opts opts;
        cg_arena_init(&arena, 65536, NULL);
        int err = cg_uri_decompose(&opts, &arena, slice_or_none(cases[i].path), slice_or_none(cases[i].more_path),
                                   slice_or_none(cases[i].query), slice_or_none(cases[i].more_query));
        if (err != (cases[i].expected == NULL ? CG_E_BAD_URI : CG_OK)) fail_msg("wrong about case %zu", i);
        char text[128] = "";
        uint16_t last = 0;
        for (size_t k = 0; k < opts.count; k++) {
            assert_true(opts.list[k].number >= last);
            last = opts.list[k].number;
            assert_true(last == CG_OPT_URI_PATH || last == CG_OPT_URI_QUERY);
            strcat(text, last == CG_OPT_URI_PATH ? "/" : "?");
            strncat(text, (const char *)opts.list[k].value.data, opts.list[k].value.len);
        }
        assert_string_equal(text, cases[i].expected == NULL ? "" : cases[i].expected);
        cg_arena_fini(&arena);
    }
}

static void decomposing_is_bounded(void **state) {
    (void)state;
    char path[3 * 256 + 2];
    struct cg_arena arena;
    struct cg_opts opts;
    cg_arena_init(&arena, 65536, NULL);
    path[0] = '/';
    for (int i = 0; i < 256; i++) memcpy(path + 1 + 3 * i, "%61", 4);
    assert_int_equal(
        cg_uri_decompose(&opts, &arena, cg_slice_of(path, 1 + 3 * 255), CG_SLICE_NONE, CG_SLICE_NONE, CG_SLICE_NONE),
        CG_OK);
    assert_int_equal(opts.count, 1);
    assert_int_equal(opts.list[0].value.len, 255);
    assert_int_equal(
        cg_uri_decompose(&opts, &arena, cg_slice_of(path, 1 + 3 * 256), CG_SLICE_NONE, CG_SLICE_NONE, CG_SLICE_NONE),
        CG_E_BAD_URI);
    cg_arena_fini(&arena);
    cg_arena_init(&arena, 16, NULL);
    assert_int_equal(
        cg_uri_decompose(&opts, &arena, cg_slice_str("/a/b/c/d"), CG_SLICE_NONE, CG_SLICE_NONE, CG_SLICE_NONE),
        CG_E_NO_MEMORY);
    assert_int_equal(opts.count, 0);
    cg_arena_fini(&arena);
}

static void normal_form(void **state) {
    (void)state;
    static const struct {
        const char *text, *normal;
    } cases[] = {
        {"coap://h", "coap://h/"},
        {"coap://h/", "coap://h/"},
        {"coap://h:5683/", "coap://h/"},
        {"coap://h:05683", "coap://h/"},
        {"coap://h:", "coap://h/"},
        {"COAP://H.Example/Path", "coap://h.example/Path"},
        {"coap://h:5684/", "coap://h:5684/"},
        {"coaps://h:5684/", "coaps://h/"},
        {"coaps://h:5683/", "coaps://h:5683/"},
        {"coap+ws://h:80/", "coap+ws://h/"},
        {"coap://h?x", "coap://h/?x"},
        {"coap://h?", "coap://h/?"},
        {"coap://h/%7Ea%2f%c3%a4%41", "coap://h/~a%2F%C3%A4A"},
        {"coap://%48%c3%a4/", "coap://h%C3%A4/"},
        {"coap://h/?q=%7e%26%3d", "coap://h/?q=~%26%3D"},
        {"coap://[FF02:0:0:0:0:0:0:FD]:5683", "coap://[ff02::fd]/"},
        {"coap://[ff02::fd%eth1]", "coap://[ff02::fd%25eth1]/"},
        {"coap://[ff02::fd%25eth1]:1/a", "coap://[ff02::fd%25eth1]:1/a"},
        {"coap://224.0.1.187:5683", "coap://224.0.1.187/"},
        {"coap://h/a//b/", "coap://h/a//b/"},
        {"coap://h/a/../b", "coap://h/a/../b"}, /* normalised, not resolved */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cg_buf buf, again;
        cg_buf_init(&buf, 0);
        cg_buf_init(&again, 0);
        struct cg_uri uri = parsed(cases[i].text);
        cg_uri_emit_normal(&buf, &uri);
        assert_slice(cg_buf_slice(&buf), cases[i].normal);
        uri = parsed(cases[i].normal);
        cg_uri_emit_normal(&again, &uri);
        assert_true(cg_slice_equal(cg_buf_slice(&buf), cg_buf_slice(&again)));
        cg_buf_fini(&buf);
        cg_buf_fini(&again);
    }
}

/* What is accepted after a change of one byte must survive everything that is done with a URI; AddressSanitizer
 * watches. */
static void mutations_never_crash(void **state) {
    (void)state;
    static const char *const seeds[] = {"coap://[ff02::fd%25eth1]:5683/a%2Fb/c?d=%20&e",
                                        "coap://224.0.1.187:61616/l/m?x", "coaps+tcp://a.b%C3%A4"};
    for (size_t s = 0; s < sizeof seeds / sizeof seeds[0]; s++) {
        size_t len = strlen(seeds[s]);
        for (size_t at = 0; at < len; at++) {
            for (unsigned value = 0; value < 256; value++) {
                uint8_t *copy = malloc(len);
                assert_non_null(copy);
                memcpy(copy, seeds[s], len);
                copy[at] = (uint8_t)value;
                struct cg_uri uri;
                struct cg_buf buf;
                struct cg_arena arena;
                struct cg_opts opts;
                cg_buf_init(&buf, 0);
                cg_arena_init(&arena, 65536, NULL);
                if (cg_uri_parse(&uri, cg_slice_of(copy, len), NULL) == CG_OK) {
                    (void)!cg_uri_check_group(&uri, NULL);
                    (void)!cg_uri_decompose(&opts, &arena, uri.path, uri.path, uri.query, uri.query);
                    cg_uri_emit_normal(&buf, &uri);
                    assert_false(buf.failed);
                    struct cg_uri again;
                    assert_int_equal(cg_uri_parse(&again, cg_buf_slice(&buf), NULL), CG_OK);
                    assert_true(cg_addr_equal(&uri.addr, &again.addr));
                }
                cg_arena_fini(&arena);
                cg_buf_fini(&buf);
                free(copy);
            }
            struct cg_uri uri;
            uint8_t *prefix = malloc(at + 1);
            assert_non_null(prefix);
            memcpy(prefix, seeds[s], at);
            (void)!cg_uri_parse(&uri, cg_slice_of(prefix, at), NULL);
            free(prefix);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts),
        cmocka_unit_test(schemes_and_default_ports),
        cmocka_unit_test(ports),
        cmocka_unit_test(zones),
        cmocka_unit_test(refused),
        cmocka_unit_test(zero_bytes_are_refused),
        cmocka_unit_test(hosts_that_look_like_addresses),
        cmocka_unit_test(group_uris),
        cmocka_unit_test(what_a_target_uri_may_be),
        cmocka_unit_test(decoding),
        cmocka_unit_test(decoded_length_is_bounded),
        cmocka_unit_test(encoding),
        cmocka_unit_test(walking),
        cmocka_unit_test(dot_segments),
        cmocka_unit_test(decomposing),
        cmocka_unit_test(decomposing_is_bounded),
        cmocka_unit_test(normal_form),
        cmocka_unit_test(mutations_never_crash),
    };
    return cmocka_run_group_tests_name("wire/uri", tests, NULL, NULL);
}
