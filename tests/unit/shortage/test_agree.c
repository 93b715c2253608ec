/* Key agreement without memory: said to be that, and over with it. */
#include "oscore/fake_group.h"

#include "fake_shortage.h"

/* OpenSSL has not agreed on anything in this process before. */
static void agree(enum cg_cose_curve curve) {
    struct cg_private_key own, unused;
    struct cg_public_key public_key, peer;
    uint8_t secret[32];
    fake_keys_make(curve, 1, &own, &public_key);
    fake_keys_make(curve, 2, &unused, &peer);
    bool came = true;
    unsigned nth = 0;
    while (came) {
        shortage_order(++nth, 0);
        int err = cg_agree(&own, &peer, secret);
        came = shortage_came();
        shortage_order(0, 0);
        if (err != CG_OK) assert_int_equal(err, CG_E_NO_MEMORY);
        if (!came) assert_int_equal(err, CG_OK);
        assert_int_equal(cg_agree(&own, &peer, secret), CG_OK);
    }
    assert_true(nth > 3);
    cg_private_key_fini(&own);
    cg_private_key_fini(&unused);
    cg_public_key_fini(&public_key);
    cg_public_key_fini(&peer);
}

static void keys_agree_when_there_is_memory_again(void **state) {
    (void)state;
    agree(CG_CURVE_ED25519);
    agree(CG_CURVE_P256);
    agree(CG_CURVE_X25519);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_agree_when_there_is_memory_again)};
    shortage_init();
    return cmocka_run_group_tests_name("shortage/agree", tests, NULL, NULL);
}
