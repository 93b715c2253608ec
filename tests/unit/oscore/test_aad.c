/* Nonces and what is authenticated, byte for byte where the RFCs have examples or a switch. */
#include "fake_group.h"

#include "oscore/aad.h"
#include "oscore/derive.h"
#include "oscore/nonce.h"
#include "base/text.h"

static void assert_hex(const uint8_t *data, int len, const char *text) {
    uint8_t expected[256];
    size_t expected_len;
    assert_int_equal(cg_hex_parse(cg_slice_str(text), expected, sizeof(expected), &expected_len), CG_OK);
    assert_int_equal(len, expected_len);
    assert_memory_equal(data, expected, expected_len);
}

/* RFC 10021 §3.3's example: a nonce of 7 bytes takes the first 7 of a Common IV of 13. */
static void test_nonce(void **state) {
    (void)state;
    static const uint8_t common_iv[13] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc};
    uint8_t nonce[13];
    cg_oscore_nonce(nonce, 7, CG_SLICE_NONE, cg_slice_of("\0", 1), common_iv);
    assert_hex(nonce, 7, "00112233445566");
    cg_oscore_nonce(nonce, 7, cg_slice_str("\x25"), cg_slice_str("\x01\x02\x03\x04\x05"), common_iv);
    assert_hex(nonce, 7, "01342331475163"); /* 01 25 0102030405 */
    cg_oscore_nonce(nonce, 13, cg_slice_str("abcdefg"), cg_slice_str("\xff"), common_iv);
    assert_hex(nonce, 13, "07704050203000108899aabb33");
    /* IDs that differ by a leading zero only give different nonces. */
    uint8_t other[13];
    cg_oscore_nonce(nonce, 13, cg_slice_of("\0\1", 2), cg_slice_str("\5"), common_iv);
    cg_oscore_nonce(other, 13, cg_slice_str("\1"), cg_slice_str("\5"), common_iv);
    assert_memory_not_equal(nonce, other, 13);
}

/* RFC 10021 §4.2: [id, id_context, type, L], type true for a request. */
static void test_info_of_the_keystream(void **state) {
    (void)state;
    uint8_t info[CG_INFO_MAX];
    struct cg_slice id = cg_slice_str("\x25"), gid = cg_slice_str("\xdd\x11");
    assert_hex(info, (int)cg_info_keystream(info, id, gid, true, 64), "84412542dd11f51840");
    assert_hex(info, (int)cg_info_keystream(info, id, gid, false, 64), "84412542dd11f41840");
    assert_hex(info, (int)cg_info_keystream(info, CG_SLICE_NONE, gid, true, 64), "844042dd11f51840");
}

static void test_algorithms_that_are_not_set(void **state) {
    (void)state;
    uint8_t array[128];
    struct cg_aad aad = {.group = true,
                         .alg_group_enc = CG_COSE_A128CTR,
                         .alg_signature = CG_COSE_ES256,
                         .request_kid = cg_slice_str("\x25"),
                         .request_piv = cg_slice_str("\x05"),
                         .request_kid_context = cg_slice_str("Dal"),
                         .option = cg_slice_str("\x28\x52"),
                         .sender_cred = cg_slice_str("S"),
                         .gm_cred = cg_slice_str("GM")};
    int len = cg_aad_emit_array(array, sizeof(array), &aad);
    assert_hex(array, len,
               "890184f639fffd26f6412541054043"
               "44616c4228524153"
               "42474d");
    for (int cap = 0; cap < len; cap++) assert_int_equal(cg_aad_emit_array(array, (size_t)cap, &aad), CG_E_TOO_BIG);
}

/* RFC 9338 §3.3: with sign_protected, as implementations have it, and without, as the text has it. */
static void test_both_countersign_structures(void **state) {
    (void)state;
    uint8_t structure[64];
    struct cg_slice array_at, ciphertext_at;
    for (int four = 0; four < 2; four++) {
        int len = cg_aad_emit_countersign_structure(structure, sizeof(structure), four != 0, cg_slice_str("AAD"),
                                                    cg_slice_str("cipher"), &array_at, &ciphertext_at);
        assert_hex(structure, len,
                   four ? "8471436f756e7465725369676e61747572653040434141444663697068657"
                          "2"
                        : "8571436f756e7465725369676e6174757265304040434141444663697068657"
                          "2");
        assert_true(cg_slice_is(array_at, "AAD") && cg_slice_is(ciphertext_at, "cipher"));
        for (int cap = 0; cap < len; cap++)
            assert_int_equal(cg_aad_emit_countersign_structure(structure, (size_t)cap, four != 0, cg_slice_str("AAD"),
                                                               cg_slice_str("cipher"), NULL, NULL),
                             CG_E_TOO_BIG);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nonce),
        cmocka_unit_test(test_info_of_the_keystream),
        cmocka_unit_test(test_algorithms_that_are_not_set),
        cmocka_unit_test(test_both_countersign_structures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
