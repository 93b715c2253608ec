/* Replay windows, and the sender's own net against using a number twice (R24, R57). */
#include "fake_group.h"

static void test_window(void **state) {
    (void)state;
    struct cg_oscore_window w = {.used = false};
    assert_true(cg_oscore_window_accepts(&w, 0));
    cg_oscore_window_mark(&w, 0);
    assert_false(cg_oscore_window_accepts(&w, 0));
    assert_true(cg_oscore_window_accepts(&w, 1));
    cg_oscore_window_mark(&w, 63);
    assert_false(cg_oscore_window_accepts(&w, 0)); /* seen, at the window's edge */
    for (uint64_t n = 1; n < 63; n++) assert_true(cg_oscore_window_accepts(&w, n));
    cg_oscore_window_mark(&w, 64);
    assert_false(cg_oscore_window_accepts(&w, 0)); /* fell out */
    assert_true(cg_oscore_window_accepts(&w, 1));
    cg_oscore_window_mark(&w, 1);
    assert_false(cg_oscore_window_accepts(&w, 1));
    cg_oscore_window_mark(&w, CG_OSCORE_NUMBER_MAX); /* a jump of any size is fine */
    assert_false(cg_oscore_window_accepts(&w, 64));
    assert_false(cg_oscore_window_accepts(&w, CG_OSCORE_NUMBER_MAX));
    assert_true(cg_oscore_window_accepts(&w, CG_OSCORE_NUMBER_MAX - 63));
    assert_false(cg_oscore_window_accepts(&w, CG_OSCORE_NUMBER_MAX - 64));
    cg_oscore_window_mark(&w, 3); /* too old: leaves the window alone */
    assert_true(w.highest == CG_OSCORE_NUMBER_MAX);
}

/* What a jump leaves behind in a window that was full. */
static void test_jumps_around_the_size_of_the_window(void **state) {
    (void)state;
    for (uint64_t ahead = 60; ahead <= 70; ahead++) {
        struct cg_oscore_window w = {.used = false};
        for (uint64_t n = 0; n <= 63; n++) cg_oscore_window_mark(&w, n);
        cg_oscore_window_mark(&w, 63 + ahead);
        for (uint64_t n = ahead; n <= 63 + ahead; n++)
            assert_true(cg_oscore_window_accepts(&w, n) == (n > 63 && n < 63 + ahead));
    }
}

/* Against a model without any cleverness, over a random walk. */
static void test_window_against_a_model(void **state) {
    (void)state;
    enum { N = 4000 };
    static bool seen[N];
    struct cg_oscore_window w = {.used = false};
    uint64_t highest = 0, x = 12345;
    bool any = false;
    for (int step = 0; step < 20000; step++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        uint64_t base = any ? highest : 0, n = base + (x >> 33) % 140;
        n = n > 100 ? n - 100 : 0;
        if (n >= N) break;
        bool expected = !any || n > highest || (highest - n < CG_OSCORE_WINDOW_SIZE && !seen[n]);
        assert_true(cg_oscore_window_accepts(&w, n) == expected);
        if (!expected || x % 3 == 0) continue;
        cg_oscore_window_mark(&w, n);
        seen[n] = true;
        if (!any || n > highest) highest = n;
        any = true;
    }
    assert_true(highest > 1000);
}

static void test_restart(void **state) {
    (void)state;
    struct cg_oscore_window w = {.invalid = true};
    assert_false(cg_oscore_window_accepts(&w, 1000));
    cg_oscore_window_restart(&w, 500);
    assert_false(w.invalid);
    assert_false(cg_oscore_window_accepts(&w, 500));
    for (uint64_t n = 400; n <= 500; n++) assert_false(cg_oscore_window_accepts(&w, n)); /* the lower limit */
    assert_true(cg_oscore_window_accepts(&w, 501));
    cg_oscore_window_mark(&w, 510);
    assert_true(cg_oscore_window_accepts(&w, 501));
    assert_false(cg_oscore_window_accepts(&w, 499));
}

static void test_r24_r57_replayed_requests(void **state) {
    (void)state;
    struct fake_group g;
    fake_group_usual(&g, 1);
    struct cg_oscore_context *client = fake_context(&g, 0), *server = fake_context(&g, 1);
    for (int mode = 0; mode < 2; mode++) {
        static uint8_t sealed[3][256];
        int len[3];
        struct cg_msg request = fake_request("light", "on"), msg, got;
        struct cg_oscore_binding binding;
        struct cg_oscore_opened opened;
        uint8_t room[512];
        for (int i = 0; i < 3; i++)
            len[i] = cg_oscore_seal_request(client, mode ? NULL : fake_peer(client, &g, 1), (uint64_t)(mode * 1000 + i),
                                            &request, sealed[i], sizeof(sealed[i]), &binding);
        static const int order[] = {1, 0, 2};
        for (int i = 0; i < 3; i++) { /* out of order is fine, twice is not */
            msg = fake_parse(sealed[order[i]], len[order[i]]);
            assert_int_equal(cg_oscore_open_request(server, &msg, room, sizeof(room), &got, &opened), CG_OK);
            assert_int_equal(cg_oscore_open_request(server, &msg, room, sizeof(room), &got, &opened), CG_E_REPLAY);
            assert_false(opened.challenge);
        }
    }
    cg_oscore_context_unref(client);
    cg_oscore_context_unref(server);
}

/* One window serves both modes: they share the sender's numbers. */
static void test_modes_share_the_window(void **state) {
    (void)state;
    struct fake_group g;
    uint8_t first[256], second[256], room[512];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    fake_group_usual(&g, 1);
    struct cg_oscore_context *client = fake_context(&g, 0), *reckless = fake_context(&g, 0),
                             *server = fake_context(&g, 1);
    struct cg_msg request = fake_request("a", ""), got, msg;
    int len = cg_oscore_seal_request(client, NULL, 9, &request, first, sizeof(first), &binding);
    msg = fake_parse(first, len);
    assert_int_equal(cg_oscore_open_request(server, &msg, room, sizeof(room), &got, &opened), CG_OK);
    len = cg_oscore_seal_request(reckless, fake_peer(reckless, &g, 1), 9, &request, second, sizeof(second), &binding);
    msg = fake_parse(second, len);
    assert_int_equal(cg_oscore_open_request(server, &msg, room, sizeof(room), &got, &opened), CG_E_REPLAY);
    cg_oscore_context_unref(client);
    cg_oscore_context_unref(reckless);
    cg_oscore_context_unref(server);
}

static void test_a_number_seals_once(void **state) {
    (void)state;
    struct fake_group g;
    uint8_t sealed[256];
    struct cg_oscore_binding binding;
    fake_group_usual(&g, 1);
    struct cg_oscore_context *client = fake_context(&g, 0);
    struct cg_oscore_peer *to = fake_peer(client, &g, 1);
    struct cg_msg request = fake_request("a", ""), response = fake_response("b");
    assert_true(cg_oscore_seal_request(client, NULL, 7, &request, sealed, sizeof(sealed), &binding) > 0);
    assert_int_equal(cg_oscore_seal_request(client, NULL, 7, &request, sealed, sizeof(sealed), &binding), CG_E_PROTECT);
    assert_int_equal(cg_oscore_seal_request(client, to, 7, &request, sealed, sizeof(sealed), &binding), CG_E_PROTECT);
    struct cg_oscore_reply reply = {.has_number = true, .number = 7};
    assert_int_equal(cg_oscore_seal_response(client, &reply, &response, sealed, sizeof(sealed), &binding),
                     CG_E_PROTECT);
    assert_true(cg_oscore_seal_request(client, NULL, 6, &request, sealed, sizeof(sealed), &binding) > 0);
    /* The last number, and those beyond. */
    assert_int_equal(
        cg_oscore_seal_request(client, NULL, CG_OSCORE_NUMBER_MAX + 1, &request, sealed, sizeof(sealed), &binding),
        CG_E_PROTECT);
    assert_int_equal(cg_oscore_seal_request(client, to, UINT64_MAX, &request, sealed, sizeof(sealed), &binding),
                     CG_E_PROTECT);
    reply.number = CG_OSCORE_NUMBER_MAX + 1;
    assert_int_equal(cg_oscore_seal_response(client, &reply, &response, sealed, sizeof(sealed), &binding),
                     CG_E_PROTECT);
    assert_true(cg_oscore_seal_request(client, to, CG_OSCORE_NUMBER_MAX, &request, sealed, sizeof(sealed), &binding) >
                0);
    assert_int_equal(binding.piv_len, 5);
    cg_oscore_context_unref(client);
}

/* A sealing that is refused does not spend its number. */
static void test_refusal_spends_nothing(void **state) {
    (void)state;
    struct fake_group g;
    uint8_t sealed[256];
    struct cg_oscore_binding binding;
    fake_group_usual(&g, 1);
    struct cg_oscore_context *client = fake_context(&g, 0);
    struct cg_msg request = fake_request("a", "");
    assert_int_equal(cg_oscore_seal_request(client, NULL, 7, &request, sealed, 40, &binding), CG_E_TOO_BIG);
    assert_true(cg_oscore_seal_request(client, NULL, 7, &request, sealed, sizeof(sealed), &binding) > 0);
    cg_oscore_context_unref(client);
}

/* RFC 10021 §2.6.1.2: after a removal new windows are lost ones, unless nothing of the removed peer was ever verified.
 */
static void test_removed_peers_make_windows_lost(void **state) {
    (void)state;
    struct fake_group g;
    uint8_t sealed[256], room[512];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_oscore_peer *peer;
    fake_group_usual(&g, 1);
    struct cg_oscore_context *client = fake_context(&g, 0), *server = fake_context(&g, 1);
    struct cg_msg request = fake_request("a", ""), got;
    cg_oscore_peer_remove(fake_peer(server, &g, 3)); /* never heard of */
    assert_int_equal(
        cg_oscore_peer_add(server, fake_id(&g.members[3]), fake_cred(&g.members[3]), CG_OSCORE_WINDOW_NEW, &peer, NULL),
        CG_OK);
    assert_false(cg_oscore_peer_window(peer)->invalid);
    int len = cg_oscore_seal_request(client, NULL, 1, &request, sealed, sizeof(sealed), &binding);
    struct cg_msg msg = fake_parse(sealed, len);
    assert_int_equal(cg_oscore_open_request(server, &msg, room, sizeof(room), &got, &opened), CG_OK);
    cg_oscore_peer_remove(fake_peer(server, &g, 0));
    assert_int_equal(cg_oscore_open_request(server, &msg, room, sizeof(room), &got, &opened), CG_E_UNAUTHORIZED);
    assert_int_equal(
        cg_oscore_peer_add(server, fake_id(&g.members[0]), fake_cred(&g.members[0]), CG_OSCORE_WINDOW_NEW, &peer, NULL),
        CG_OK);
    assert_true(cg_oscore_peer_window(peer)->invalid);
    assert_int_equal(cg_oscore_open_request(server, &msg, room, sizeof(room), &got, &opened), CG_E_REPLAY);
    assert_true(opened.challenge);
    /* Suspending loses nothing: the window is still there afterwards. */
    cg_oscore_peer_suspend(fake_peer(server, &g, 2), true);
    assert_null(cg_oscore_peer_find(server, fake_id(&g.members[2])));
    cg_oscore_context_unref(client);
    cg_oscore_context_unref(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_jumps_around_the_size_of_the_window),
        cmocka_unit_test(test_window_against_a_model),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_r24_r57_replayed_requests),
        cmocka_unit_test(test_modes_share_the_window),
        cmocka_unit_test(test_a_number_seals_once),
        cmocka_unit_test(test_refusal_spends_nothing),
        cmocka_unit_test(test_removed_peers_make_windows_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
