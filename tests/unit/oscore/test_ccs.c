/* Credentials: what is taken out of a CCS, and everything that must be refused. */
#include "fake_group.h"

#include "wire/cbor.h"
#include "oscore/ccs.h"

#include <stdlib.h>

static void test_keys_of_each_kind(void **state) {
    (void)state;
    static const enum cg_cose_curve curves[] = {CG_CURVE_ED25519, CG_CURVE_X25519, CG_CURVE_P256};
    for (size_t i = 0; i < 3; i++) {
        struct fake_member m;
        struct cg_ccs ccs;
        fake_member_make(&m, curves[i], 1, 1);
        assert_int_equal(cg_ccs_parse(&ccs, fake_cred(&m)), CG_OK);
        assert_int_equal(ccs.curve, curves[i]);
        assert_int_equal(ccs.alg, CG_COSE_NONE);
        assert_memory_equal(ccs.x.data, m.x, 32);
        if (curves[i] == CG_CURVE_P256) assert_memory_equal(ccs.y.data, m.y, 32);
    }
}

/* {2: "42", 4: 1.5, 8: {1: {1: 1, 2: h'00', -1: 6, -2: x, 3: -8, 4: [2]}, 9: {}}, "x": [1, {2: 3}]} */
static void test_other_claims_are_passed_over(void **state) {
    (void)state;
    uint8_t bytes[128], x[32] = {7};
    struct cg_cbor_writer w = cg_cbor_writer(bytes, sizeof(bytes));
    cg_cbor_put_head(&w, CG_CBOR_MAP, 4);
    cg_cbor_put_int(&w, 2);
    cg_cbor_put_text(&w, "42");
    cg_cbor_put_int(&w, 4);
    memcpy(bytes + w.len, "\xf9\x3e\x00", 3);
    w.len += 3;
    cg_cbor_put_int(&w, 8);
    cg_cbor_put_head(&w, CG_CBOR_MAP, 2);
    cg_cbor_put_int(&w, 1);
    cg_cbor_put_head(&w, CG_CBOR_MAP, 6);
    cg_cbor_put_int(&w, 1);
    cg_cbor_put_int(&w, 1);
    cg_cbor_put_int(&w, 2);
    cg_cbor_put_bytes(&w, cg_slice_of("\0", 1));
    cg_cbor_put_int(&w, -1);
    cg_cbor_put_int(&w, 6);
    cg_cbor_put_int(&w, -2);
    cg_cbor_put_bytes(&w, cg_slice_of(x, 32));
    cg_cbor_put_int(&w, 3);
    cg_cbor_put_int(&w, -8);
    cg_cbor_put_int(&w, 4);
    cg_cbor_put_head(&w, CG_CBOR_ARRAY, 1);
    cg_cbor_put_int(&w, 2);
    cg_cbor_put_int(&w, 9);
    cg_cbor_put_head(&w, CG_CBOR_MAP, 0);
    cg_cbor_put_text(&w, "x");
    cg_cbor_put_head(&w, CG_CBOR_ARRAY, 2);
    cg_cbor_put_int(&w, 1);
    cg_cbor_put_head(&w, CG_CBOR_MAP, 1);
    cg_cbor_put_int(&w, 2);
    cg_cbor_put_int(&w, 3);
    assert_false(w.failed);
    struct cg_ccs ccs;
    assert_int_equal(cg_ccs_parse(&ccs, cg_slice_of(bytes, w.len)), CG_OK);
    assert_int_equal(ccs.curve, CG_CURVE_ED25519);
    assert_int_equal(ccs.alg, CG_COSE_EDDSA);
    assert_memory_equal(ccs.x.data, x, 32);
    /* Cut anywhere, it is refused, and nothing is read behind the end. */
    for (size_t len = 0; len < w.len; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1);
        memcpy(exact, bytes, len);
        assert_true(cg_ccs_parse(&ccs, cg_slice_of(exact, len)) < 0);
        free(exact);
    }
}

static void test_wrong_keys_are_refused(void **state) {
    (void)state;
    uint8_t cred[160], bytes[33] = {9};
    struct cg_slice x = cg_slice_of(bytes, 32), none = CG_SLICE_NONE;
    static const struct {
        int kty, crv;
        size_t x_len, y_len;
    } cases[] = {
        {2, 6, 32, 0},  {1, 1, 32, 0},  {1, 1, 32, 32}, {2, 1, 32, 0}, /* kty, crv or coordinates do not belong together
                                                                        */
        {1, 6, 32, 32}, {1, 6, 31, 0},  {1, 6, 33, 0},  {2, 1, 32, 31}, {1, 5, 32, 0},
        {1, 7, 32, 0},  {2, 2, 32, 32}, {3, 6, 32, 0}, /* X448, Ed448, P-384, RSA */
    };
    struct cg_ccs ccs;
    assert_int_equal(cg_ccs_parse(&ccs, cg_slice_of(cred, fake_ccs(cred, 1, 6, x, none))), CG_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = fake_ccs(cred, cases[i].kty, cases[i].crv, cg_slice_of(bytes, cases[i].x_len),
                              cg_slice_of(bytes, cases[i].y_len));
        assert_int_equal(cg_ccs_parse(&ccs, cg_slice_of(cred, len)), CG_E_KEY);
    }
}

static int parse_with(const char *head, size_t head_len, const char *tail, size_t tail_len) {
    uint8_t bytes[128];
    static const uint8_t x[32] = {5};
    struct cg_ccs ccs;
    memcpy(bytes, head, head_len);
    memcpy(bytes + head_len, x, 32);
    memcpy(bytes + head_len + 32, tail, tail_len);
    return cg_ccs_parse(&ccs, cg_slice_of(bytes, head_len + 32 + tail_len));
}

#define PARSE(head, tail) parse_with(head, sizeof(head) - 1, tail, sizeof(tail) - 1)

static void test_hostile_maps_are_refused(void **state) {
    (void)state;
    assert_int_equal(PARSE("\xa1\x08\xa1\x01\xa3\x01\x01\x20\x06\x21\x58\x20", ""), CG_OK);
    assert_int_equal(PARSE("\xa1\x08\xa1\x01\xa3\x01\x01\x20\x06\x21\x58\x20", "\x00"), CG_E_FORMAT); /* a byte more */
    assert_int_equal(PARSE("\xd8\x3d\xa1\x08\xa1\x01\xa3\x01\x01\x20\x06\x21\x58\x20", ""), CG_E_FORMAT); /* tagged */
    assert_int_equal(PARSE("\xbf\x08\xa1\x01\xa3\x01\x01\x20\x06\x21\x58\x20", "\xff"), CG_E_FORMAT); /* indefinite */
    assert_int_equal(PARSE("\xa1\x09\xa1\x01\xa3\x01\x01\x20\x06\x21\x58\x20", ""), CG_E_FORMAT);     /* no cnf */
    assert_int_equal(PARSE("\xa1\x08\xa1\x02\xa3\x01\x01\x20\x06\x21\x58\x20", ""), CG_E_FORMAT);     /* no COSE_Key */
    assert_int_equal(PARSE("\xa1\x08\xa1\x01\xa4\x01\x01\x01\x01\x20\x06\x21\x58\x20", ""),
                     CG_E_FORMAT); /* kty twice */
    assert_int_equal(PARSE("\xa2\x08\xa1\x01\xa3\x01\x01\x20\x06\x21\x58\x20", "\x08\xa0"),
                     CG_E_FORMAT); /* cnf twice */
    assert_int_equal(PARSE("\xa1\x08\xa1\x01\xa4\x01\x01\x20\x06\x23\x41\x01\x21\x58\x20", ""),
                     CG_E_KEY);                                                                    /* d inside */
    assert_int_equal(PARSE("\xa1\x08\xa1\x01\xa3\x01\x61\x31\x20\x06\x21\x58\x20", ""), CG_E_KEY); /* kty "1" */
    assert_int_equal(PARSE("\xa1\x08\xa1\x01\xa2\x01\x01\x21\x58\x20", ""), CG_E_KEY);             /* no crv */
    assert_int_equal(PARSE("\x81\x08\xa1\x01\xa3\x01\x01\x20\x06\x21\x58\x20", ""), CG_E_FORMAT);  /* an array */
    assert_int_equal(PARSE("\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x08\xa1\x01\xa3\x01\x01\x20\x06\x21\x58\x20", ""),
                     CG_E_FORMAT); /* a count that cannot be */
    assert_int_equal(PARSE("\xa2\x04\xf8\x20\x08\xa1\x01\xa3\x01\x01\x20\x06\x21\x58\x20", ""), CG_OK);
    for (int i = 0; i < 32; i++) { /* a simple value in two bytes that has one (RFC 8949 §3.3) */
        char head[] = "\xa2\x04\xf8_\x08\xa1\x01\xa3\x01\x01\x20\x06\x21\x58\x20";
        head[3] = (char)i;
        assert_int_equal(parse_with(head, sizeof(head) - 1, "", 0), CG_E_FORMAT);
    }
    /* Whatever stands for a name is passed over as a whole. */
    assert_int_equal(PARSE("\xa1\x08\xa1\x01\xa4\x01\x01\x20\x06\x81\x03\x00\x21\x58\x20", ""), CG_OK);
    /* Nesting without end. */
    uint8_t deep[200];
    struct cg_ccs ccs;
    memset(deep, 0x81, sizeof(deep));
    deep[0] = 0xa1;
    deep[1] = 0x01;
    assert_int_equal(cg_ccs_parse(&ccs, cg_slice_of(deep, sizeof(deep))), CG_E_FORMAT);
    static uint8_t huge[CG_CRED_MAX + 1];
    assert_int_equal(cg_ccs_parse(&ccs, cg_slice_of(huge, sizeof(huge))), CG_E_TOO_BIG);
}

/* A P-256 key with its y as sign bit only (RFC 9053 §7.1.1). */
static void test_compressed_point(void **state) {
    (void)state;
    struct fake_member m;
    struct cg_public_key whole, compressed;
    struct cg_ccs ccs;
    fake_member_make(&m, CG_CURVE_P256, 1, 3);
    uint8_t bytes[64] = {0xa1, 0x08, 0xa1, 0x01, 0xa4, 0x01, 0x02, 0x20, 0x01, 0x22, m.y[31] & 1 ? 0xf5 : 0xf4,
                         0x21, 0x58, 0x20};
    memcpy(bytes + 14, m.x, 32);
    assert_int_equal(cg_ccs_parse(&ccs, cg_slice_of(bytes, 46)), CG_OK);
    assert_int_equal(ccs.y.len, 0);
    assert_int_equal(cg_public_key_init(&compressed, ccs.curve, ccs.x, ccs.y, ccs.y_is_odd), CG_OK);
    assert_int_equal(cg_public_key_init(&whole, CG_CURVE_P256, cg_slice_of(m.x, 32), cg_slice_of(m.y, 32), false),
                     CG_OK);
    assert_memory_equal(whole.bytes, compressed.bytes, 64);
    cg_public_key_fini(&whole);
    cg_public_key_fini(&compressed);
    bytes[10] = 0xf6; /* null is no bool */
    assert_int_equal(cg_ccs_parse(&ccs, cg_slice_of(bytes, 46)), CG_E_KEY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_of_each_kind),      cmocka_unit_test(test_other_claims_are_passed_over),
        cmocka_unit_test(test_wrong_keys_are_refused), cmocka_unit_test(test_hostile_maps_are_refused),
        cmocka_unit_test(test_compressed_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
