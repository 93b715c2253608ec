/* Content encryption with every algorithm (R13): back and forth, each changed bit noticed, nothing left of a forgery.
 */
#include "fake_group.h"

#include "oscore/aead.h"

#include <openssl/evp.h>
#include <sodium.h>

static const int ids[] = {1, 2, 3, 10, 11, 12, 13, 24, 30, 31, 32, 33, -65534, -65533, -65532};

enum { LEN = 40 };

struct scene {
    const struct cg_cose_cipher *cipher;
    struct cg_aead_key seal, open;
    uint8_t nonce[CG_COSE_NONCE_MAX], data[LEN + CG_COSE_TAG_MAX], plain[LEN];
};

static void set_up(struct scene *s, int id) {
    static const uint8_t key[CG_COSE_KEY_MAX] = {1, 2, 3};
    memset(s, 0, sizeof(*s));
    s->cipher = cg_cose_cipher(id);
    assert_non_null(s->cipher);
    EVP_CIPHER *fetched = EVP_CIPHER_fetch(NULL, s->cipher->openssl, NULL);
    assert_non_null(fetched);
    assert_int_equal(cg_aead_key_init(&s->seal, s->cipher, fetched, key, true), CG_OK);
    assert_int_equal(cg_aead_key_init(&s->open, s->cipher, fetched, key, false), CG_OK);
    EVP_CIPHER_free(fetched);
    memset(s->plain, 0x5a, LEN);
}

static void tear_down(struct scene *s) {
    cg_aead_key_fini(&s->seal);
    cg_aead_key_fini(&s->open);
    assert_false(cg_aead_key_is_set(&s->seal));
}

static void seal(struct scene *s, size_t len, const char *aad) {
    memcpy(s->data, s->plain, len);
    assert_int_equal(cg_aead_seal(&s->seal, s->nonce, cg_slice_str(aad), s->data, len), CG_OK);
}

static int unseal(struct scene *s, size_t len, const char *aad, uint8_t *to) {
    return cg_aead_open(&s->open, s->nonce, cg_slice_str(aad), cg_slice_of(s->data, len + s->cipher->tag_len), to);
}

/* One key for many messages of different lengths: nothing of one may linger in the next. */
static void test_keys_are_used_again(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct scene s;
        set_up(&s, ids[i]);
        for (size_t len = 1; len <= LEN; len++) {
            uint8_t to[LEN];
            s.nonce[3] = (uint8_t)len;
            seal(&s, len, "aad");
            assert_memory_not_equal(s.data, s.plain, len);
            assert_int_equal(unseal(&s, len, "aad", to), CG_OK);
            assert_memory_equal(to, s.plain, len);
        }
        tear_down(&s);
    }
}

static void test_forgeries_leave_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct scene s;
        uint8_t to[LEN];
        set_up(&s, ids[i]);
        seal(&s, LEN, "aad");
        if (s.cipher->tag_len == 0) { /* no integrity: the AAD is not even looked at, the signature is there for that */
            assert_int_equal(unseal(&s, LEN, "other", to), CG_OK);
            tear_down(&s);
            continue;
        }
        memset(to, 0xee, sizeof(to));
        assert_int_equal(unseal(&s, LEN, "other", to), CG_E_VERIFY);
        for (size_t bit = 0; bit < 8 * (LEN + (size_t)s.cipher->tag_len); bit++) {
            s.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            memset(to, 0xee, sizeof(to));
            assert_int_equal(unseal(&s, LEN, "aad", to), CG_E_VERIFY);
            assert_true(sodium_is_zero(to, sizeof(to)));
            s.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(unseal(&s, LEN, "aad", to), CG_OK); /* failures do not spoil the key */
        s.nonce[0] ^= 1;
        assert_int_equal(unseal(&s, LEN, "aad", to), CG_E_VERIFY);
        tear_down(&s);
    }
}

static void test_shorter_than_a_tag(void **state) {
    (void)state;
    struct scene s;
    uint8_t to[1];
    set_up(&s, 10);
    for (size_t len = 0; len < 8; len++)
        assert_int_equal(cg_aead_open(&s.open, s.nonce, CG_SLICE_NONE, cg_slice_of(s.data, len), to), CG_E_VERIFY);
    tear_down(&s);
}

/* AES-CTR's counter starts at zero behind the nonce (RFC 10021 §2.1.7): the first block of keystream is E(nonce | 0).
 */
static void test_ctr_block_counter(void **state) {
    (void)state;
    static const uint8_t key[16] = {1, 2, 3};
    struct scene s;
    uint8_t block[32] = {0};
    int len;
    set_up(&s, CG_COSE_A128CTR);
    for (uint8_t i = 0; i < 12; i++) s.nonce[i] = block[i] = block[16 + i] = i;
    block[31] = 1;
    EVP_CIPHER_CTX *ecb = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(ecb, EVP_aes_128_ecb(), NULL, key, NULL), 1);
    assert_int_equal(EVP_EncryptUpdate(ecb, block, &len, block, sizeof(block)), 1);
    EVP_CIPHER_CTX_free(ecb);
    memset(s.plain, 0, LEN);
    seal(&s, 32, "");
    assert_memory_equal(s.data, block, 32);
    tear_down(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_used_again),
        cmocka_unit_test(test_forgeries_leave_nothing),
        cmocka_unit_test(test_shorter_than_a_tag),
        cmocka_unit_test(test_ctr_block_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
