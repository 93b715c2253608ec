/* HKDF (RFC 5869) as it is made here, against OpenSSL's own. The lengths that matter stand around the hash's block: a
 * key of exactly one block is used as it is, a longer one is hashed first (RFC 2104 §2). */
#include "oscore/derive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

enum { INPUT_MAX = 260 };

static const uint8_t *pattern(void) {
    static uint8_t bytes[INPUT_MAX];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(7 * i + 1);
    return bytes;
}

static void expect(enum cg_hash hash, struct cg_slice salt, struct cg_slice ikm, struct cg_slice info, uint8_t *out,
                   size_t len) {
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(hash == CG_SHA512 ? "SHA512" : "SHA256"), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt.data, salt.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)ikm.data, ikm.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info.data, info.len),
        OSSL_PARAM_construct_end(),
    };
    assert_int_equal(EVP_KDF_derive(ctx, out, len, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

static void compare(enum cg_hash hash, size_t salt_len, size_t ikm_len, size_t len) {
    const struct cg_slice salt = cg_slice_of(pattern(), salt_len), ikm = cg_slice_of(pattern(), ikm_len);
    const struct cg_slice info = cg_slice_str("info");
    uint8_t wanted[255], got[255], prk[64], in_two_steps[255];
    expect(hash, salt, ikm, info, wanted, len);
    assert_int_equal(cg_hkdf(hash, salt, ikm, info, got, len), CG_OK);
    assert_memory_equal(got, wanted, len);
    assert_int_equal(cg_hkdf_extract(hash, salt, ikm, prk), CG_OK);
    assert_int_equal(cg_hkdf_expand(hash, prk, info, in_two_steps, len), CG_OK);
    assert_memory_equal(in_two_steps, wanted, len);
}

static void salts_of_every_length_around_the_block(void **state) {
    (void)state;
    for (size_t len = 1; len <= 256; len++) { /* 64 and 128 are the blocks */
        compare(CG_SHA256, len, 16, 16);
        compare(CG_SHA512, len, 16, 16);
    }
}

static void secrets_of_every_length(void **state) {
    (void)state;
    for (size_t len = 1; len <= 256; len++) {
        compare(CG_SHA256, 8, len, 32);
        compare(CG_SHA512, 8, len, 32);
    }
}

static void outputs_of_every_length(void **state) {
    (void)state;
    for (size_t len = 1; len <= 200; len++) { /* up to several blocks of output */
        compare(CG_SHA256, 8, 16, len);
        compare(CG_SHA512, 8, 16, len);
    }
}

/* RFC 5869 §2.2: no salt is a salt of zeros, so HMAC takes both for the same key. */
static void no_salt_is_a_salt_of_zeros(void **state) {
    (void)state;
    static const uint8_t zeros[64];
    uint8_t none[32], some[32];
    const struct cg_slice ikm = cg_slice_of(pattern(), 16);
    for (size_t len = 1; len <= sizeof zeros; len++) {
        assert_int_equal(cg_hkdf_extract(CG_SHA256, CG_SLICE_NONE, ikm, none), CG_OK);
        assert_int_equal(cg_hkdf_extract(CG_SHA256, cg_slice_of(zeros, len), ikm, some), CG_OK);
        assert_memory_equal(none, some, sizeof none);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(salts_of_every_length_around_the_block),
        cmocka_unit_test(secrets_of_every_length),
        cmocka_unit_test(outputs_of_every_length),
        cmocka_unit_test(no_salt_is_a_salt_of_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
