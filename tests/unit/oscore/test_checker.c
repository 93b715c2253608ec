/* External signature checkers (RFC 10021 §7.5; R3, R15, R18): they verify who signed, with the Signature Encryption Key
 * and the credentials, and can neither read nor forge. */
#include "fake_group.h"

#include "oscore/state.h"

#include <sodium.h>

struct scene {
    struct fake_group group;
    struct cg_oscore_context *client, *server, *checker;
    uint8_t sealed[512], room[1024];
    struct cg_oscore_binding binding;
    struct cg_msg msg;
};

static void set_up(struct scene *s, int group_enc, int signature) {
    memset(s, 0, sizeof(*s));
    fake_group_make(&s->group, 10, group_enc, signature, -27, CG_SHA256, 1);
    s->client = fake_context(&s->group, 0);
    s->server = fake_context(&s->group, 1);
    s->checker = fake_checker(&s->group);
}

static void tear_down(struct scene *s) {
    cg_oscore_context_unref(s->client);
    cg_oscore_context_unref(s->server);
    cg_oscore_context_unref(s->checker);
}

static void seal(struct scene *s, bool group_mode, uint64_t number) {
    struct cg_msg request = fake_request("light", "on");
    int len = cg_oscore_seal_request(s->client, group_mode ? NULL : fake_peer(s->client, &s->group, 1), number,
                                     &request, s->sealed, sizeof(s->sealed), &s->binding);
    s->msg = fake_parse(s->sealed, len);
}

static int check_request(struct scene *s, struct cg_oscore_opened *opened) {
    return cg_oscore_open_request(s->checker, &s->msg, NULL, 0, NULL, opened);
}

static void test_accepts_and_refuses_replays(void **state) {
    (void)state;
    static const int encs[] = {10, -65534}, signatures[] = {CG_COSE_EDDSA, CG_COSE_ES256};
    for (int e = 0; e < 2; e++) {
        for (int i = 0; i < 2; i++) {
            struct scene s;
            struct cg_oscore_opened opened;
            set_up(&s, encs[e], signatures[i]);
            seal(&s, true, 1);
            assert_int_equal(check_request(&s, &opened), CG_OK);
            assert_true(cg_slice_equal(cg_oscore_peer_id(opened.peer), fake_id(&s.group.members[0])));
            assert_int_equal(check_request(&s, &opened), CG_E_REPLAY);
            seal(&s, true, 2);
            assert_int_equal(check_request(&s, &opened), CG_OK);
            tear_down(&s);
        }
    }
}

/* A checker can challenge nobody: while it does not know what it has seen, nothing passes. */
static void test_a_lost_window_lets_nothing_pass(void **state) {
    (void)state;
    struct scene s;
    struct cg_oscore_opened opened;
    set_up(&s, 10, CG_COSE_EDDSA);
    cg_oscore_peer_window(fake_peer(s.checker, &s.group, 0))->invalid = true;
    for (uint64_t number = 1; number < 3; number++) {
        seal(&s, true, number);
        for (int copy = 0; copy < 2; copy++) {
            assert_int_equal(check_request(&s, &opened), CG_E_REPLAY);
            assert_false(opened.challenge);
        }
    }
    assert_true(cg_oscore_peer_window(fake_peer(s.checker, &s.group, 0))->invalid);
    tear_down(&s);
}

static void test_refuses_every_changed_bit(void **state) {
    (void)state;
    struct scene s;
    struct cg_oscore_opened opened;
    set_up(&s, 10, CG_COSE_EDDSA);
    seal(&s, true, 1);
    size_t len = (size_t)(s.msg.payload.data + s.msg.payload.len - s.sealed);
    for (size_t bit = 6 * 8; bit < len * 8; bit++) {
        s.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (cg_msg_parse(&s.msg, cg_slice_of(s.sealed, len)) == CG_OK) assert_true(check_request(&s, &opened) < 0);
        s.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    s.msg = fake_parse(s.sealed, (int)len);
    assert_int_equal(check_request(&s, &opened), CG_OK); /* none of the forgeries spent the number */
    tear_down(&s);
}

static void test_forged_sender_and_unknown_group(void **state) {
    (void)state;
    struct scene s;
    struct cg_oscore_opened opened;
    set_up(&s, 10, CG_COSE_EDDSA);
    struct fake_group other = s.group;
    other.gid[0]++;
    struct cg_oscore_context *client = fake_context(&other, 0);
    struct cg_msg request = fake_request("light", "on");
    int len = cg_oscore_seal_request(client, NULL, 1, &request, s.sealed, sizeof(s.sealed), &s.binding);
    s.msg = fake_parse(s.sealed, len);
    assert_int_equal(check_request(&s, &opened), CG_E_UNAUTHORIZED);
    cg_oscore_context_unref(client);
    cg_oscore_peer_remove(fake_peer(s.checker, &s.group, 0)); /* evicted */
    seal(&s, true, 1);
    assert_int_equal(check_request(&s, &opened), CG_E_UNAUTHORIZED);
    tear_down(&s);
}

/* A checker cannot challenge, so with a lost window it accepts nothing: neither what is old nor what looks new. */
static void test_a_lost_window_accepts_nothing(void **state) {
    (void)state;
    struct scene s;
    struct cg_oscore_opened opened;
    set_up(&s, 10, CG_COSE_EDDSA);
    seal(&s, true, 1);
    assert_int_equal(check_request(&s, &opened), CG_OK);
    cg_oscore_peer_window(fake_peer(s.checker, &s.group, 0))->invalid = true;
    assert_int_equal(check_request(&s, &opened), CG_E_REPLAY);
    seal(&s, true, 2);
    assert_int_equal(check_request(&s, &opened), CG_E_REPLAY);
    seal(&s, true, 1000);
    assert_int_equal(check_request(&s, &opened), CG_E_REPLAY);
    assert_false(opened.challenge);
    tear_down(&s);
}

/* Who keeps his own windows asks who signed, as often as he likes. */
static void test_the_signer_alone_spends_no_number(void **state) {
    (void)state;
    struct scene s;
    struct cg_oscore_opened opened;
    struct cg_oscore_opening op;
    set_up(&s, 10, CG_COSE_EDDSA);
    seal(&s, true, 5);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cg_oscore_open_request_prepare(&op, s.checker, &s.msg), CG_PENDING);
        cg_oscore_verify_run(&op.job);
        assert_int_equal(cg_oscore_check_signer(&op, &opened), CG_OK);
        assert_int_equal(opened.number, 5);
        assert_true(cg_slice_equal(cg_oscore_peer_id(opened.peer), fake_id(&s.group.members[0])));
    }
    s.sealed[(size_t)(s.msg.payload.data - s.sealed)] ^= 1;
    assert_int_equal(cg_oscore_open_request_prepare(&op, s.checker, &s.msg), CG_PENDING);
    cg_oscore_verify_run(&op.job);
    assert_int_equal(cg_oscore_check_signer(&op, &opened), CG_E_VERIFY);
    tear_down(&s);
}

static void test_responses(void **state) {
    (void)state;
    struct scene s;
    struct cg_oscore_opened opened, checked;
    struct cg_oscore_answers answers = {.bare = false};
    struct cg_msg got;
    set_up(&s, 10, CG_COSE_EDDSA);
    seal(&s, true, 1);
    assert_int_equal(check_request(&s, &checked), CG_OK);
    assert_int_equal(cg_oscore_open_request(s.server, &s.msg, s.room, sizeof(s.room), &got, &opened), CG_OK);
    struct cg_msg response = fake_response("ok");
    for (int i = 0; i < 2; i++) { /* first without, then with Partial IV */
        struct cg_oscore_reply reply = {.has_number = i > 0, .number = 3};
        int len = cg_oscore_seal_response(s.server, &reply, &response, s.sealed, sizeof(s.sealed), &opened.binding);
        struct cg_msg msg = fake_parse(s.sealed, len);
        struct cg_oscore_opened by;
        assert_int_equal(cg_oscore_open_response(s.checker, &msg, &checked.binding, &answers, NULL, 0, NULL, &by),
                         CG_OK);
        assert_true(cg_slice_equal(cg_oscore_peer_id(by.peer), fake_id(&s.group.members[1])));
        assert_int_equal(cg_oscore_open_response(s.checker, &msg, &checked.binding, &answers, NULL, 0, NULL, &by),
                         CG_E_REPLAY);
    }
    tear_down(&s);
}

/* The request is pairwise and cannot be checked; its response in group mode has no kid and can, once somebody says who
 * has to answer. */
static void test_response_to_a_pairwise_request(void **state) {
    (void)state;
    struct scene s;
    struct cg_oscore_opened opened;
    struct cg_oscore_binding seen;
    struct cg_msg got;
    set_up(&s, 10, CG_COSE_EDDSA);
    seal(&s, false, 1);
    assert_int_equal(check_request(&s, &opened), CG_E_BAD_OPTION);
    assert_int_equal(cg_oscore_binding_parse(&seen, &s.msg), CG_OK);
    assert_true(seen.needs_number); /* the nonce is for who opens the request */
    assert_int_equal(cg_oscore_open_request(s.server, &s.msg, s.room, sizeof(s.room), &got, &opened), CG_OK);
    struct cg_msg response = fake_response("ok");
    struct cg_oscore_reply reply = {.to = NULL};
    int len = cg_oscore_seal_response(s.server, &reply, &response, s.sealed, sizeof(s.sealed), &opened.binding);
    struct cg_msg msg = fake_parse(s.sealed, len);
    assert_int_equal(cg_oscore_open_response(s.checker, &msg, &seen, NULL, NULL, 0, NULL, &opened), CG_E_BAD_OPTION);
    cg_oscore_binding_expect(&seen, fake_peer(s.checker, &s.group, 2));
    assert_int_equal(cg_oscore_open_response(s.checker, &msg, &seen, NULL, NULL, 0, NULL, &opened), CG_E_VERIFY);
    cg_oscore_binding_expect(&seen, fake_peer(s.checker, &s.group, 1));
    assert_int_equal(cg_oscore_open_response(s.checker, &msg, &seen, NULL, NULL, 0, NULL, &opened), CG_OK);
    tear_down(&s);
}

/* It holds no key that opens anything, and seals nothing. */
static void test_holds_no_member_secrets(void **state) {
    (void)state;
    struct scene s;
    set_up(&s, 10, CG_COSE_EDDSA);
    assert_true(sodium_is_zero(s.checker->secrets->prk, sizeof(s.checker->secrets->prk)));
    assert_true(sodium_is_zero(s.checker->secrets->common_iv, sizeof(s.checker->secrets->common_iv)));
    assert_null(fake_peer(s.checker, &s.group, 0)->recipient_key);
    struct cg_msg request = fake_request("a", "");
    assert_int_equal(cg_oscore_seal_request(s.checker, NULL, 1, &request, s.sealed, sizeof(s.sealed), &s.binding),
                     CG_E_PROTECT);
    assert_int_equal(cg_oscore_peer_warm(fake_peer(s.checker, &s.group, 1)), CG_E_PROTECT);
    tear_down(&s);
}

static void test_parameters(void **state) {
    (void)state;
    struct fake_group g;
    struct cg_oscore_context *checker;
    const char *why = NULL;
    static const uint8_t key[32] = {1};
    fake_group_usual(&g, 1);
    assert_int_equal(cg_oscore_checker_new(&checker, &g.params, cg_slice_of(key, 16), &why),
                     CG_E_KEY); /* a Master Secret */
    g.params.master_secret = g.params.master_salt = CG_SLICE_NONE;
    assert_int_equal(cg_oscore_checker_new(&checker, &g.params, cg_slice_of(key, 32), &why), CG_E_KEY);
    assert_int_equal(cg_oscore_checker_new(&checker, &g.params, CG_SLICE_NONE, &why), CG_E_KEY);
    assert_int_equal(cg_oscore_checker_new(&checker, &g.params, cg_slice_of(key, 16), &why), CG_OK);
    cg_oscore_context_unref(checker);
    fake_group_make(&g, 10, 0, 0, -27, CG_SHA256, 1);
    g.params.master_secret = g.params.master_salt = CG_SLICE_NONE;
    assert_int_equal(cg_oscore_checker_new(&checker, &g.params, cg_slice_of(key, 16), &why),
                     CG_E_KEY); /* no signatures */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts_and_refuses_replays),
        cmocka_unit_test(test_a_lost_window_lets_nothing_pass),
        cmocka_unit_test(test_refuses_every_changed_bit),
        cmocka_unit_test(test_forged_sender_and_unknown_group),
        cmocka_unit_test(test_a_lost_window_accepts_nothing),
        cmocka_unit_test(test_the_signer_alone_spends_no_number),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_response_to_a_pairwise_request),
        cmocka_unit_test(test_holds_no_member_secrets),
        cmocka_unit_test(test_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
