/* Key agreement without memory: said to be that, and over with it. */
#include "oscore/fake_group.h"

#include "fake_shortage.h"
#include "oscore/key.h"

static void make(enum cg_cose_curve curve, uint8_t seed, struct cg_private_key *private_key,
                 struct cg_public_key *public_key) {
    struct fake_member m;
    fake_member_make(&m, curve, 1, seed);
    struct cg_slice y = curve == CG_CURVE_P256 ? cg_slice_of(m.y, 32) : CG_SLICE_NONE;
    assert_int_equal(cg_public_key_init(public_key, curve, cg_slice_of(m.x, 32), y, false), CG_OK);
    assert_int_equal(cg_private_key_init(private_key, cg_slice_of(m.private_key, 32), public_key), CG_OK);
}

/* OpenSSL has not agreed on anything in this process before. */
static void agree(enum cg_cose_curve curve) {
    struct cg_private_key own, unused;
    struct cg_public_key public_key, peer;
    uint8_t secret[32];
    make(curve, 1, &own, &public_key);
    make(curve, 2, &unused, &peer);
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
