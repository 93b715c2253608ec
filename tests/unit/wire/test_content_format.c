/* Content-Formats and media types, both ways. */
#include "wire/content_format.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

static void well_known_rows(void **state) {
    (void)state;
    static const struct {
        uint16_t format;
        const char *media_type;
    } cases[] = {
        {0, "text/plain; charset=utf-8"},
        {16, "application/cose; cose-type=\"cose-encrypt0\""},
        {18, "application/cose; cose-type=\"cose-sign1\""},
        {40, "application/link-format"},
        {42, "application/octet-stream"},
        {50, "application/json"},
        {60, "application/cbor"},
        {61, "application/cwt"},
        {62, "application/multipart-core"},
        {96, "application/cose; cose-type=\"cose-encrypt\""},
        {110, "application/senml+json"},
        {112, "application/senml+cbor"},
        {272, "application/missing-blocks+cbor-seq"},
        {281, "application/pkcs7-mime; smime-type=certs-only"},
        {10001, "application/oscore"},
        {11542, "application/vnd.oma.lwm2m+tlv"},
        {30000, "image/svg+xml"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(cg_format_media_type(cases[i].format), cases[i].media_type);
    }
    static const uint16_t unknown[] = {1, 15, 99, 11050, 11060, 65000, 65535}; /* 110x0: with a content coding */
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) assert_null(cg_format_media_type(unknown[i]));
}

/* What the table writes it also reads, over all 65536 numbers: proves the order that the search needs, too. */
static void every_row_comes_back(void **state) {
    (void)state;
    size_t known = 0;
    for (uint32_t format = 0; format <= UINT16_MAX; format++) {
        const char *media_type = cg_format_media_type((uint16_t)format);
        if (media_type == NULL) continue;
        uint16_t back = 0xffff;
        known++;
        if (cg_format_from_media_type(cg_slice_str(media_type), &back) != CG_OK) fail_msg("not read: %s", media_type);
        assert_int_equal(back, format);
    }
    assert_true(known > 40);
}

static void media_types(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int format; /* -1: refused */
    } cases[] = {
        {"application/json", 50},
        {"APPLICATION/JSON", 50},
        {" application/json ", 50},
        {"application/json; charset=utf-8", 50},
        {"application/json;charset=\"utf-8\";q=0.9", 50},
        {"application/json;q=0", 50},
        {"application/json;", 50},
        {"application/json ; ;q=1;", 50},
        {"application/json\t;\tq=1", 50},
        {"text/plain", 0},
        {"text/plain;charset=UTF-8", 0},
        {"text/plain; charset=\"us-ascii\"", 0},
        {"text/plain; format=flowed", 0},
        {"text/plain; Charset=utf-8; q=0.1", 0},
        {"text/plain; charset=iso-8859-1", -1},
        {"text/plain; charset=\"\"", -1},
        {"text/plain; charset=utf-16", -1},
        {"application/cose; cose-type=cose-sign1", 18},
        {"application/cose; cose-type=\"COSE-Sign1\"", 18},
        {"application/cose;q=0.3;cose-type=\"cose-mac\"", 97},
        {"application/cose", -1},
        {"application/cose; cose-type=\"other\"", -1},
        {"application/pkcs7-mime;smime-type=server-generated-key", 280},
        {"application/pkcs7-mime", -1},
        {"application/coap-payload;cf=50", 50},
        {"application/coap-payload; cf=65000", 65000},
        {"application/coap-payload;cf=\"11060\"", 11060},
        {"Application/CoAP-Payload;CF=0", 0},
        {"application/coap-payload;cf=65535", 65535},
        {"application/coap-payload;cf=65536", -1},
        {"application/coap-payload;cf=-1", -1},
        {"application/coap-payload;cf=", -1},
        {"application/coap-payload;cf=5 0", -1},
        {"application/coap-payload", -1},
        {"application/coap-payload;fc=50", -1},
        {"", -1},
        {" ", -1},
        {"/", -1},
        {"application", -1},
        {"application/", -1},
        {"/json", -1},
        {"application/json/x", -1},
        {"application /json", -1},
        {"application/ json", -1},
        {"application/json, text/plain", -1},
        {"application/json; charset", -1},
        {"application/json; charset=", -1},
        {"application/json; =utf-8", -1},
        {"application/json; charset =utf-8", -1},
        {"application/json; charset=\"utf-8", -1},
        {"application/json; charset=\"utf-8\\", -1},
        {"application/json; charset=\"utf-8\\\"", -1},
        {"application/json; x=\"a\\\"b\"", 50},
        {"application/json; x=\"a\r\nb\"", -1},
        {"application/json; x=a b", -1},
        {"application/json\r\nX: y", -1},
        {"*/*", -1},
        {"text/*", -1},
        {"application/vnd.unknown+json", -1},
        {"multipart/mixed", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint16_t format = 0xfffe;
        int err = cg_format_from_media_type(cg_slice_str(cases[i].text), &format);
        if (err != (cases[i].format < 0 ? CG_E_MEDIA_TYPE : CG_OK)) fail_msg("wrong about: %s", cases[i].text);
        if (err == CG_OK) assert_int_equal(format, cases[i].format);
    }
    uint16_t format;
    assert_int_equal(cg_format_from_media_type(CG_SLICE_NONE, &format), CG_E_MEDIA_TYPE);
    assert_int_equal(cg_format_from_media_type(cg_slice_of("application/json\0", 17), &format), CG_E_MEDIA_TYPE);
    assert_int_equal(cg_format_from_media_type(cg_slice_of("application/json;x=\"\0\"", 22), &format), CG_E_MEDIA_TYPE);
}

static void kinds(void **state) {
    (void)state;
    static const uint16_t json[] = {50, 51, 52, 110, 111, 256, 320, 432, 11543};
    static const uint16_t text[] = {0, 40, 41, 310, 311, 20000, 30000};
    static const uint16_t binary[] = {16, 42, 47, 60, 61, 62, 112, 10000, 10001, 11542, 12345};
    for (size_t i = 0; i < sizeof json / sizeof json[0]; i++) {
        assert_true(cg_format_is_json(json[i]) && cg_format_is_text(json[i]));
    }
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        assert_true(!cg_format_is_json(text[i]) && cg_format_is_text(text[i]));
    }
    for (size_t i = 0; i < sizeof binary / sizeof binary[0]; i++) {
        assert_true(!cg_format_is_json(binary[i]) && !cg_format_is_text(binary[i]));
    }
}

static void formats_by_number(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is;
    } cases[] = {
        {"application/coap-payload;cf=50", true},
        {" APPLICATION/CoAP-payload ; cf=1", true},
        {"application/coap-payload", true},
        {"application/coap-payloads;cf=50", false},
        {"application/json;cf=50", false},
        {"application/coap-group+json", false},
        {"", false},
        {"coap-payload", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(cg_format_is_by_number(cg_slice_str(cases[i].text)), cases[i].is);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_by_number), cmocka_unit_test(well_known_rows), cmocka_unit_test(every_row_comes_back),
        cmocka_unit_test(media_types),       cmocka_unit_test(kinds),
    };
    return cmocka_run_group_tests_name("wire/content_format", tests, NULL, NULL);
}
