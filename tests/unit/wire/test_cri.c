/* CRIs: the draft's examples, the shapes that are refused, and hostile CBOR. */
#include "wire/cri.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct cri_case {
    const char *name;
    const char *cbor; /* with `len` bytes */
    size_t len;
    const char *uri; /* NULL: refused */
};

#define CASE(name, cbor, uri)                                                                                          \
    { name, cbor, sizeof cbor - 1, uri }

/* In a block of its exact size, for AddressSanitizer. */
static int parse(const void *cbor, size_t len, struct cg_buf *text) {
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    if (len > 0) memcpy(copy, cbor, len);
    int err = cg_cri_parse(cg_slice_of(copy, len), text);
    free(copy);
    return err;
}

static const struct cri_case cases[] = {
    CASE("figure of the draft",
         "\x83\x20\x82\x44\xC6\x33\x64\x01\x19\xF0\xB0\x82\x6b.well-known\x64"
         "core",
         "coap://198.51.100.1:61616/.well-known/core"),
    CASE("authority only", "\x82\x20\x81\x44\xe0\x00\x01\xbb", "coap://224.0.1.187"),
    CASE("IPv6", "\x82\x20\x81\x50\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\xfd", "coap://[ff02::fd]"),
    CASE("IPv6 with port", "\x82\x20\x82\x50\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\xfd\x19\x16\x33",
         "coap://[ff02::fd]:5683"),
    CASE("coaps", "\x82\x21\x81\x61h", "coaps://h"),
    CASE("coap+tcp", "\x82\x26\x81\x61h", "coap+tcp://h"),
    CASE("coaps+tcp", "\x82\x27\x81\x61h", "coaps+tcp://h"),
    CASE("coap+ws", "\x82\x38\x18\x81\x61h", "coap+ws://h"),
    CASE("coaps+ws", "\x82\x38\x19\x81\x61h", "coaps+ws://h"),
    CASE("scheme by name",
         "\x82\x64"
         "coap\x81\x61h",
         "coap://h"),
    CASE("labels",
         "\x82\x20\x83\x65"
         "floor\x67"
         "example\x63org",
         "coap://floor.example.org"),
    CASE("labels and port",
         "\x82\x20\x83\x65"
         "floor\x67"
         "example\x01",
         "coap://floor.example:1"),
    CASE("label is encoded",
         "\x82\x20\x81\x65"
         "a/b@c",
         "coap://a%2Fb%40c"),
    CASE("empty path", "\x83\x20\x81\x61h\x80", "coap://h"),
    CASE("one empty segment", "\x83\x20\x81\x61h\x81\x60", "coap://h/"),
    CASE("segments are encoded",
         "\x83\x20\x81\x61h\x82\x63"
         "a/b\x64?#%\x01",
         "coap://h/a%2Fb/%3F%23%25%01"),
    CASE("UTF-8 segment", "\x83\x20\x81\x61h\x81\x62\xc3\xa4", "coap://h/%C3%A4"),
    CASE("query",
         "\x84\x20\x81\x61h\x80\x82\x63"
         "a=1\x63"
         "b&c",
         "coap://h?a=1&b%26c"),
    CASE("empty query parameter", "\x84\x20\x81\x61h\x80\x81\x60", "coap://h?"),
    CASE("no query parameters", "\x84\x20\x81\x61h\x80\x80", "coap://h"),
    CASE("path and query", "\x84\x20\x81\x61h\x81\x61p\x81\x61q", "coap://h/p?q"),
    CASE("longer heads than needed", "\x98\x02\x38\x00\x98\x01\x78\x01h", "coap://h"),
    CASE("nothing", "", NULL),
    CASE("empty array", "\x80", NULL),
    CASE("scheme only", "\x81\x20", NULL),
    CASE("http", "\x82\x64http\x81\x61h", NULL),
    CASE("scheme in upper case",
         "\x82\x64"
         "COAP\x81\x61h",
         NULL),
    CASE("scheme that brings an authority",
         "\x82\x69"
         "coap://x/\x81\x61h",
         NULL),
    CASE("scheme null", "\x82\xf6\x81\x61h", NULL),
    CASE("discard", "\x82\x00\x81\x61p", NULL),
    CASE("discard true", "\x82\xf5\x81\x61p", NULL),
    CASE("no authority, rooted", "\x83\x20\xf6\x81\x61p", NULL),
    CASE("no authority, rootless", "\x83\x20\xf5\x81\x61p", NULL),
    CASE("empty authority", "\x82\x20\x80", NULL),
    CASE("userinfo", "\x82\x20\x83\xf4\x64user\x61h", NULL),
    CASE("zone-id",
         "\x82\x20\x82\x50\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x64"
         "eth1",
         NULL),
    CASE("address of 3 bytes", "\x82\x20\x81\x43\x01\x02\x03", NULL),
    CASE("address of 17 bytes", "\x82\x20\x81\x51\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", NULL),
    CASE("two addresses", "\x82\x20\x82\x44\x01\x02\x03\x04\x44\x01\x02\x03\x04", NULL),
    CASE("label, then address", "\x82\x20\x82\x61h\x44\x01\x02\x03\x04", NULL),
    CASE("port only", "\x82\x20\x81\x19\x16\x33", NULL),
    CASE("port 65536", "\x82\x20\x82\x61h\x1a\x00\x01\x00\x00", NULL),
    CASE("port negative", "\x82\x20\x82\x61h\x20", NULL),
    CASE("port before the end", "\x82\x20\x83\x61h\x01\x61i", NULL),
    CASE("dot in a label",
         "\x82\x20\x81\x63"
         "a.b",
         NULL),
    CASE("PET label",
         "\x82\x20\x81\x81\x41"
         "a",
         NULL),
    CASE("PET segment",
         "\x83\x20\x81\x61h\x81\x82\x61"
         "a\x41"
         "b",
         NULL),
    CASE("segment of bytes",
         "\x83\x20\x81\x61h\x81\x41"
         "a",
         NULL),
    CASE("dot segment", "\x83\x20\x81\x61h\x81\x61.", NULL),
    CASE("double dot segment",
         "\x83\x20\x81\x61h\x82\x61"
         "a\x62..",
         NULL),
    CASE("path null", "\x83\x20\x81\x61h\xf6", NULL),
    CASE("query null", "\x84\x20\x81\x61h\x80\xf6", NULL),
    CASE("query is text", "\x84\x20\x81\x61h\x80\x61q", NULL),
    CASE("fragment",
         "\x85\x20\x81\x61h\x80\x80\x61"
         "f",
         NULL),
    CASE("not UTF-8", "\x83\x20\x81\x61h\x81\x61\xff", NULL),
    CASE("label not UTF-8", "\x82\x20\x81\x62\xc0\xaf", NULL),
    CASE("something behind", "\x82\x20\x81\x61h\x00", NULL),
    CASE("a map", "\xa1\x20\x81\x61h", NULL),
    CASE("a tag", "\xd8\x20\x82\x20\x81\x61h", NULL),
    CASE("indefinite outer array", "\x9f\x20\x81\x61h\xff", NULL),
    CASE("indefinite authority", "\x82\x20\x9f\x61h\xff", NULL),
    CASE("indefinite text", "\x82\x20\x81\x7f\x61h\xff", NULL),
    CASE("break", "\xff", NULL),
    CASE("reserved head", "\x82\x20\x81\x7e", NULL),
    CASE("text of 2^64-1 bytes", "\x82\x20\x81\x7b\xff\xff\xff\xff\xff\xff\xff\xffh", NULL),
    CASE("authority of 2^64-1 items", "\x82\x20\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x61h", NULL),
    CASE("path of 2^32 items", "\x83\x20\x81\x61h\x9b\0\0\0\x01\0\0\0\0\x61p", NULL),
};

static void every_shape(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cg_buf text;
        cg_buf_init(&text, 0);
        cg_buf_put_str(&text, "<");
        int err = parse(cases[i].cbor, cases[i].len, &text);
        char expected[128];
        snprintf(expected, sizeof expected, "<%s", cases[i].uri == NULL ? "" : cases[i].uri);
        if (err != (cases[i].uri == NULL ? CG_E_BAD_URI : CG_OK)) fail_msg("wrong about: %s", cases[i].name);
        if (!cg_slice_is(cg_buf_slice(&text), expected)) {
            fail_msg("%s: %.*s", cases[i].name, (int)text.len, (const char *)text.data);
        }
        cg_buf_fini(&text);
    }
}

/* R31: the member's CRI in Reply-From. */
static void addresses(void **state) {
    (void)state;
    static const struct {
        const char *addr, *cbor;
        size_t len;
        const char *uri;
    } addrs[] = {
        {"127.1.0.1:5683", "\x82\x20\x81\x44\x7f\x01\x00\x01", 8, "coap://127.1.0.1"},
        {"127.1.0.1:5684", "\x82\x20\x82\x44\x7f\x01\x00\x01\x19\x16\x34", 11, "coap://127.1.0.1:5684"},
        {"127.1.0.1:7", "\x82\x20\x82\x44\x7f\x01\x00\x01\x07", 9, "coap://127.1.0.1:7"},
        {"127.1.0.1:200", "\x82\x20\x82\x44\x7f\x01\x00\x01\x18\xc8", 10, "coap://127.1.0.1:200"},
        {"[2001:db8::1]:5683", "\x82\x20\x81\x50\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 20,
         "coap://[2001:db8::1]"},
        {"[fe80::1%7]:65535", "\x82\x20\x82\x50\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x19\xff\xff", 23,
         "coap://[fe80::1]:65535"}, /* the zone stays here */
    };
    for (size_t i = 0; i < sizeof addrs / sizeof addrs[0]; i++) {
        struct cg_addr addr;
        uint8_t cri[CG_CRI_ADDR_MAX];
        assert_int_equal(cg_addr_parse(&addr, cg_slice_str(addrs[i].addr), 1), CG_OK);
        size_t len = cg_cri_emit_addr(cri, &addr);
        assert_int_equal(len, addrs[i].len);
        assert_memory_equal(cri, addrs[i].cbor, len);
        struct cg_buf text;
        struct cg_uri uri;
        cg_buf_init(&text, 0);
        assert_int_equal(parse(cri, len, &text), CG_OK);
        assert_true(cg_slice_is(cg_buf_slice(&text), addrs[i].uri));
        assert_int_equal(cg_uri_parse(&uri, cg_buf_slice(&text), NULL), CG_OK);
        addr.scope = 0;
        assert_true(cg_addr_equal(&uri.addr, &addr));
        cg_buf_fini(&text);
    }
}

/* No text inside a CRI may become structure of the URI: what was put in comes out of the parsed URI, whatever its
 * bytes. */
static void text_never_becomes_structure(void **state) {
    (void)state;
    for (unsigned c = 0; c < 128; c++) {
        const uint8_t cri[] = {0x84,       0x20, 0x81, 0x61, 'h', 0x81,       0x63, 'p',
                               (uint8_t)c, 'p',  0x81, 0x63, 'q', (uint8_t)c, 'q'};
        struct cg_buf text;
        cg_buf_init(&text, 0);
        assert_int_equal(parse(cri, sizeof cri, &text), CG_OK);
        struct cg_uri uri;
        struct cg_arena arena;
        struct cg_opts opts;
        cg_arena_init(&arena, 65536, NULL);
        assert_int_equal(cg_uri_parse(&uri, cg_buf_slice(&text), NULL), CG_OK);
        assert_int_equal(cg_uri_decompose(&opts, &arena, uri.path, CG_SLICE_NONE, uri.query, CG_SLICE_NONE), CG_OK);
        assert_int_equal(opts.count, 2);
        assert_true(cg_slice_equal(opts.list[0].value, cg_slice_of(cri + 7, 3)));
        assert_true(cg_slice_equal(opts.list[1].value, cg_slice_of(cri + 12, 3)));
        cg_arena_fini(&arena);
        cg_buf_fini(&text);
    }
}

/* The same of a host label: it stays within the host, or the URI is refused. */
static void labels_never_become_structure(void **state) {
    (void)state;
    for (unsigned c = 0; c < 128; c++) {
        const uint8_t cri[] = {0x82, 0x20, 0x81, 0x63, 'h', (uint8_t)c, '1'};
        struct cg_buf text;
        cg_buf_init(&text, 0);
        int err = parse(cri, sizeof cri, &text);
        assert_int_equal(err, c == '.' ? CG_E_BAD_URI : CG_OK);
        struct cg_uri uri;
        if (err == CG_OK && cg_uri_parse(&uri, cg_buf_slice(&text), NULL) == CG_OK) {
            assert_int_equal(uri.addr.family, CG_FAMILY_NONE);
            assert_int_equal(uri.addr.port, CG_COAP_PORT);
            assert_true(cg_slice_equal(uri.host, cg_slice_of(cri + 4, 3)));
            assert_true(uri.path.len == 0 && !uri.has_query);
        }
        cg_buf_fini(&text);
    }
}

static void no_room(void **state) {
    (void)state;
    for (size_t max = 1; max <= 24; max++) {
        struct cg_buf text;
        cg_buf_init(&text, max);
        int err = parse(cases[0].cbor, cases[0].len, &text);
        assert_int_equal(err, CG_E_NO_MEMORY);
        assert_int_equal(text.len, 0);
        cg_buf_fini(&text);
    }
}

static void mutations_never_crash(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[64];
        struct cg_buf text;
        cg_buf_init(&text, 0);
        assert_true(cases[i].len <= sizeof bytes);
        memcpy(bytes, cases[i].cbor, cases[i].len);
        for (size_t at = 0; at < cases[i].len; at++) {
            cg_buf_clear(&text);
            if (cases[i].uri != NULL) assert_int_equal(parse(bytes, at, &text), CG_E_BAD_URI); /* cut off */
            uint8_t before = bytes[at];
            for (unsigned value = 0; value < 256; value++) {
                bytes[at] = (uint8_t)value;
                cg_buf_clear(&text);
                (void)parse(bytes, cases[i].len, &text);
            }
            bytes[at] = before;
        }
        cg_buf_fini(&text);
    }
}

struct stand_in_case {
    struct cg_cri_origin origin;
    const char *path, *name;
    const char *cbor; /* with `len` bytes; NULL: there is none */
    size_t len;
};

#define STAND_IN(scheme, host, port, path, name, cbor)                                                                 \
    { {CG_CRI_##scheme, {(const uint8_t *)(host), sizeof(host) - 1}, port}, path, name, cbor, sizeof(cbor) - 1 }
#define MARKER "\x67.member"

/* GCP: a CRI that reaches the proxy, and a CRI reference with the path that it expects (draft-ietf-core-href). */
static void stand_ins_are_reached_through_the_proxy(void **state) {
    static const struct stand_in_case rows[] = {
        STAND_IN(HTTP, "gw", 0, "/lamps", "first",
                 "\x82\x22\x81\x62gw\x82\xf5\x83\x65lamps" MARKER "\x65"
                 "first"),
        STAND_IN(HTTPS, "gw.example", 8443, "", "a",
                 "\x82\x23\x83\x62gw\x67"
                 "example\x19\x20\xfb\x82\xf5\x82" MARKER "\x61"
                 "a"),
        STAND_IN(HTTP, "127.0.0.1", 8080, "/a/b%2Fc", "11",
                 "\x82\x22\x82\x44\x7f\0\0\x01\x19\x1f\x90\x82\xf5\x84\x61"
                 "a\x63"
                 "b/c" MARKER "\x62"
                 "11"),
        STAND_IN(HTTP, "[::1]", 0, "/a", "127.1.0.1:5683",
                 "\x82\x22\x81\x50\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x82\xf5\x83\x61"
                 "a" MARKER "\x6e"
                 "127.1.0.1:5683"),
        STAND_IN(COAP, "127.0.0.1", 5683, "/a", "b",
                 "\x82\x20\x81\x44\x7f\0\0\x01\x82\xf5\x83\x61"
                 "a" MARKER "\x61"
                 "b"),
        STAND_IN(COAP, "gw", 5684, "/a", "b",
                 "\x82\x20\x82\x62gw\x19\x16\x34\x82\xf5\x83\x61"
                 "a" MARKER "\x61"
                 "b"),
        STAND_IN(COAPS, "gw", 5684, "/a", "b",
                 "\x82\x21\x81\x62gw\x82\xf5\x83\x61"
                 "a" MARKER "\x61"
                 "b"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_buf made;
        cg_buf_init(&made, 0);
        assert_true(cg_cri_emit_stand_in(&made, &rows[i].origin, cg_slice_str(rows[i].path), cg_slice_str(".member"),
                                         cg_slice_str(rows[i].name)));
        assert_int_equal(made.len, rows[i].len);
        assert_memory_equal(made.data, rows[i].cbor, made.len);
        cg_buf_fini(&made);
    }
}

/* Text strings are UTF-8. */
static void a_path_that_is_no_text_leads_to_no_stand_in(void **state) {
    struct cg_cri_origin origin = {.host = cg_slice_str("gw")};
    struct cg_buf made;
    (void)state;
    cg_buf_init(&made, 0);
    assert_false(
        cg_cri_emit_stand_in(&made, &origin, cg_slice_str("/%FF"), cg_slice_str(".member"), cg_slice_str("a")));
    assert_int_equal(made.len, 0);
    cg_buf_fini(&made);
}

/* That it cannot be proxied is another thing than that it makes no sense. */
static void other_schemes_are_told_from_mistakes(void **state) {
    static const struct cri_case others[] = {
        CASE("http", "\x82\x22\x81\x61h", NULL),
        CASE("2^64-1", "\x82\x3b\xff\xff\xff\xff\xff\xff\xff\xff\x81\x61h", NULL),
    };
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct cg_buf text;
        cg_buf_init(&text, 0);
        assert_int_equal(parse(others[i].cbor, others[i].len, &text), CG_E_PROXYING);
        assert_int_equal(text.len, 0);
        cg_buf_fini(&text);
    }
}

static void schemes_by_number(void **state) {
    enum cg_scheme scheme;
    (void)state;
    assert_true(cg_scheme_by_number(0, &scheme));
    assert_int_equal(scheme, CG_SCHEME_COAP);
    assert_true(cg_scheme_by_number(7, &scheme));
    assert_int_equal(scheme, CG_SCHEME_COAPS_TCP);
    assert_false(cg_scheme_by_number(2, &scheme));
    assert_false(cg_scheme_by_number(UINT32_MAX, &scheme));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape),
        cmocka_unit_test(other_schemes_are_told_from_mistakes),
        cmocka_unit_test(schemes_by_number),
        cmocka_unit_test(addresses),
        cmocka_unit_test(text_never_becomes_structure),
        cmocka_unit_test(labels_never_become_structure),
        cmocka_unit_test(no_room),
        cmocka_unit_test(mutations_never_crash),
        cmocka_unit_test(stand_ins_are_reached_through_the_proxy),
        cmocka_unit_test(a_path_that_is_no_text_leads_to_no_stand_in),
    };
    return cmocka_run_group_tests_name("wire/cri", tests, NULL, NULL);
}
