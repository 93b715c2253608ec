/* Asymmetric keys (R13): agreement and signatures with each curve, and the keys that would give everybody's secret
 * away. */
#include "fake_group.h"

#include <sodium.h>

static const enum cg_cose_curve all_curves[] = {CG_CURVE_ED25519, CG_CURVE_X25519, CG_CURVE_P256};

static void test_agreement_is_symmetric(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct cg_private_key a, b, c;
        struct cg_public_key pa, pb, pc;
        uint8_t ab[32], ba[32], ac[32];
        fake_keys_make(all_curves[i], 1, &a, &pa);
        fake_keys_make(all_curves[i], 2, &b, &pb);
        fake_keys_make(all_curves[i], 3, &c, &pc);
        assert_int_equal(cg_agree(&a, &pb, ab), CG_OK);
        assert_int_equal(cg_agree(&b, &pa, ba), CG_OK);
        assert_int_equal(cg_agree(&a, &pc, ac), CG_OK);
        assert_memory_equal(ab, ba, 32);
        assert_memory_not_equal(ab, ac, 32);
        cg_private_key_fini(&a);
        cg_private_key_fini(&b);
        cg_private_key_fini(&c);
        assert_true(sodium_is_zero((const uint8_t *)&a, sizeof(a))); /* wiped */
        cg_public_key_fini(&pa);
        cg_public_key_fini(&pb);
        cg_public_key_fini(&pc);
    }
}

static void test_curves_do_not_mix(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 3; j++) {
            struct cg_private_key a, b;
            struct cg_public_key pa, pb;
            uint8_t secret[32];
            fake_keys_make(all_curves[i], 1, &a, &pa);
            fake_keys_make(all_curves[j], 2, &b, &pb);
            assert_int_equal(cg_agree(&a, &pb, secret), i == j ? CG_OK : CG_E_KEY);
            if (i != j) assert_true(sodium_is_zero(secret, sizeof(secret)));
            cg_private_key_fini(&a);
            cg_private_key_fini(&b);
            cg_public_key_fini(&pa);
            cg_public_key_fini(&pb);
        }
    }
}

static void test_signatures(void **state) {
    (void)state;
    static const enum cg_cose_curve curves[] = {CG_CURVE_ED25519, CG_CURVE_P256};
    struct cg_slice message = cg_slice_str("what is signed"), other = cg_slice_str("what is forged");
    for (size_t i = 0; i < 2; i++) {
        struct cg_private_key a, b;
        struct cg_public_key pa, pb;
        uint8_t signature[64], zero[64] = {0}, ones[64];
        memset(ones, 0xff, sizeof(ones));
        fake_keys_make(curves[i], 1, &a, &pa);
        fake_keys_make(curves[i], 2, &b, &pb);
        assert_int_equal(cg_sign(&a, message, signature), CG_OK);
        assert_true(cg_verify(&pa, message, signature));
        assert_false(cg_verify(&pb, message, signature));
        assert_false(cg_verify(&pa, other, signature));
        assert_false(cg_verify(&pa, message, zero));
        assert_false(cg_verify(&pa, message, ones));
        for (size_t bit = 0; bit < 512; bit++) {
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(cg_verify(&pa, message, signature));
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        cg_private_key_fini(&a);
        cg_private_key_fini(&b);
        cg_public_key_fini(&pa);
        cg_public_key_fini(&pb);
    }
}

static int init_point(enum cg_cose_curve curve, const uint8_t point[32]) {
    struct cg_public_key key;
    int err = cg_public_key_init(&key, curve, cg_slice_of(point, 32), CG_SLICE_NONE, false);
    if (err == CG_OK) cg_public_key_fini(&key);
    return err;
}

/* RFC 10021 §2.5.2: y = 1 and y = -1, with either sign of x, and with encodings of y at or above p. */
static void test_ed25519_y_of_one_and_minus_one(void **state) {
    (void)state;
    uint8_t one[32] = {1}, minus_one[32], p[32], p_plus_one[32];
    memset(p, 0xff, 32);
    p[0] = 0xed;
    p[31] = 0x7f;
    memcpy(minus_one, p, 32);
    minus_one[0] = 0xec;
    memcpy(p_plus_one, p, 32);
    p_plus_one[0] = 0xee;
    uint8_t *bad[] = {one, minus_one, p, p_plus_one};
    for (size_t i = 0; i < 4; i++) {
        for (int sign = 0; sign < 2; sign++) {
            assert_int_equal(init_point(CG_CURVE_ED25519, bad[i]), CG_E_KEY);
            bad[i][31] ^= 0x80;
        }
    }
}

/* The points of order 4 and 8, a point off the curve, one of mixed order. */
static void test_ed25519_bad_points(void **state) {
    (void)state;
    static const uint8_t order_8[32] = {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
                                        0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
                                        0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05};
    static const uint8_t order_4[32] = {0};
    static const uint8_t off_curve[32] = {2};
    struct fake_member m;
    uint8_t mixed[32];
    fake_member_make(&m, CG_CURVE_ED25519, 1, 1);
    assert_int_equal(init_point(CG_CURVE_ED25519, m.x), CG_OK);
    assert_int_equal(crypto_core_ed25519_add(mixed, m.x, order_8), 0);
    assert_int_equal(init_point(CG_CURVE_ED25519, mixed), CG_E_KEY);
    assert_int_equal(init_point(CG_CURVE_ED25519, order_8), CG_E_KEY);
    assert_int_equal(init_point(CG_CURVE_ED25519, order_4), CG_E_KEY);
    assert_int_equal(init_point(CG_CURVE_ED25519, off_curve), CG_E_KEY);
}

static void test_x25519_low_order_points(void **state) {
    (void)state;
    static const uint8_t points[][32] = {
        {0},
        {1},
        {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
         0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
        {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
         0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    };
    struct cg_private_key own;
    struct cg_public_key own_public;
    fake_keys_make(CG_CURVE_X25519, 1, &own, &own_public);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        assert_int_equal(init_point(CG_CURVE_X25519, points[i]), CG_E_KEY);
        /* Past the door it must still be refused: by the agreement itself. */
        struct cg_public_key forced = {.curve = CG_CURVE_X25519};
        uint8_t secret[32];
        memcpy(forced.bytes, points[i], 32);
        assert_int_equal(cg_agree(&own, &forced, secret), CG_E_KEY);
        /* And an Ed25519 key that maps to it. */
        struct cg_private_key ed;
        struct cg_public_key ed_public, ed_forced = {.curve = CG_CURVE_ED25519};
        fake_keys_make(CG_CURVE_ED25519, 1, &ed, &ed_public);
        ed_forced.bytes[0] = 1;
        assert_int_equal(cg_agree(&ed, &ed_forced, secret), CG_E_KEY);
        cg_private_key_fini(&ed);
        cg_public_key_fini(&ed_public);
    }
    cg_private_key_fini(&own);
    cg_public_key_fini(&own_public);
}

static void test_p256_points_are_validated(void **state) {
    (void)state;
    struct fake_member m;
    struct cg_public_key key;
    uint8_t zero[32] = {0}, above_p[32];
    memset(above_p, 0xff, sizeof(above_p));
    fake_member_make(&m, CG_CURVE_P256, 1, 1);
    struct cg_slice x = cg_slice_of(m.x, 32), y = cg_slice_of(m.y, 32);
    m.y[31] ^= 1; /* off the curve */
    assert_int_equal(cg_public_key_init(&key, CG_CURVE_P256, x, y, false), CG_E_KEY);
    m.y[31] ^= 1;
    assert_int_equal(cg_public_key_init(&key, CG_CURVE_P256, cg_slice_of(zero, 32), cg_slice_of(zero, 32), false),
                     CG_E_KEY);
    assert_int_equal(cg_public_key_init(&key, CG_CURVE_P256, cg_slice_of(above_p, 32), y, false), CG_E_KEY);
    assert_int_equal(cg_public_key_init(&key, CG_CURVE_P256, y, x, false), CG_E_KEY); /* swapped */
    assert_int_equal(cg_public_key_init(&key, CG_CURVE_P256, cg_slice_of(m.x, 31), y, false), CG_E_KEY);
    assert_int_equal(cg_public_key_init(&key, CG_CURVE_NONE, x, y, false), CG_E_KEY);
}

static void test_private_key_must_match(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fake_member a, b;
        struct cg_public_key public_key;
        struct cg_private_key private_key;
        uint8_t zero[32] = {0}, ones[32];
        memset(ones, 0xff, sizeof(ones));
        fake_member_make(&a, all_curves[i], 1, 1);
        fake_member_make(&b, all_curves[i], 1, 2);
        struct cg_slice y = all_curves[i] == CG_CURVE_P256 ? cg_slice_of(a.y, 32) : CG_SLICE_NONE;
        assert_int_equal(cg_public_key_init(&public_key, all_curves[i], cg_slice_of(a.x, 32), y, false), CG_OK);
        assert_int_equal(cg_private_key_init(&private_key, cg_slice_of(b.private_key, 32), &public_key), CG_E_KEY);
        assert_int_equal(cg_private_key_init(&private_key, cg_slice_of(a.private_key, 31), &public_key), CG_E_KEY);
        assert_int_equal(cg_private_key_init(&private_key, cg_slice_of(zero, 32), &public_key), CG_E_KEY);
        assert_int_equal(cg_private_key_init(&private_key, cg_slice_of(ones, 32), &public_key), CG_E_KEY);
        assert_int_equal(cg_private_key_init(&private_key, cg_slice_of(a.private_key, 32), &public_key), CG_OK);
        cg_private_key_fini(&private_key);
        cg_public_key_fini(&public_key);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agreement_is_symmetric),
        cmocka_unit_test(test_curves_do_not_mix),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_ed25519_y_of_one_and_minus_one),
        cmocka_unit_test(test_ed25519_bad_points),
        cmocka_unit_test(test_x25519_low_order_points),
        cmocka_unit_test(test_p256_points_are_validated),
        cmocka_unit_test(test_private_key_must_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
