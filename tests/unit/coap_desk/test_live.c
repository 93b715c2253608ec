/* Tokens by their peers: equal ones of two peers are two, and what is behind a short one does not count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fronts/coap/live.h"

struct cg_coap_peer {
    struct cg_live *lives;
};

static void add(struct cg_lives *lives, struct cg_coap_peer *peer, struct cg_live *live, struct cg_slice token) {
    assert_true(cg_live_add(lives, &peer->lives, live, peer, token));
}

static void test_tokens_are_a_peers_own(void **state) {
    (void)state;
    struct cg_lives lives = {0};
    struct cg_coap_peer one = {0}, other = {0};
    struct cg_live live = {0}, alike = {0};
    add(&lives, &one, &live, cg_slice_str("t"));
    assert_null(cg_live_find(&lives, &other, cg_slice_str("t")));
    add(&lives, &other, &alike, cg_slice_str("t"));
    assert_ptr_equal(cg_live_find(&lives, &one, cg_slice_str("t")), &live);
    assert_ptr_equal(cg_live_find(&lives, &other, cg_slice_str("t")), &alike);
    assert_ptr_equal(one.lives, &live);
    cg_live_remove(&lives, &one.lives, &live);
    assert_null(cg_live_find(&lives, &one, cg_slice_str("t")));
    assert_null(one.lives);
    cg_live_remove(&lives, &other.lives, &alike);
}

static void test_every_length_is_a_token_of_its_own(void **state) {
    (void)state;
    struct cg_lives lives = {0};
    struct cg_coap_peer peer = {0};
    struct cg_live all[CG_COAP_TOKEN_MAX + 1] = {0};
    static const uint8_t zeros[CG_COAP_TOKEN_MAX + 1];
    for (size_t len = 0; len <= CG_COAP_TOKEN_MAX; len++) add(&lives, &peer, &all[len], cg_slice_of(zeros, len));
    for (size_t len = 0; len <= CG_COAP_TOKEN_MAX; len++) {
        assert_ptr_equal(cg_live_find(&lives, &peer, cg_slice_of(zeros, len)), &all[len]);
    }
    assert_null(cg_live_find(&lives, &peer, cg_slice_of(zeros, sizeof zeros)));
    while (peer.lives != NULL) cg_live_remove(&lives, &peer.lives, peer.lives);
    assert_null(lives.table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_are_a_peers_own),
        cmocka_unit_test(test_every_length_is_a_token_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
