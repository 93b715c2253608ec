/* The Echo exchange that makes a lost replay window valid again (RFC 10021 §9; R57). */
#include "fake_group.h"

struct scene {
    struct fake_group group;
    struct cg_oscore_context *client, *server;
    struct cg_oscore_peer *to, *from;
    uint8_t sealed[512], room[1024];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg got;
};

static void set_up(struct scene *s, int agreement) {
    memset(s, 0, sizeof(*s));
    fake_group_make(&s->group, agreement ? 10 : 0, 10, -8, agreement, CG_SHA256, 1);
    s->client = fake_context(&s->group, 0);
    s->server = fake_context(&s->group, 1);
    s->to = fake_peer(s->client, &s->group, 1);
    s->from = fake_peer(s->server, &s->group, 0);
    cg_oscore_peer_window(s->from)->invalid = true;
}

static void tear_down(struct scene *s) {
    cg_oscore_context_unref(s->client);
    cg_oscore_context_unref(s->server);
}

static struct cg_msg request_with_echo(struct cg_slice echo) {
    static uint8_t storage[128];
    struct cg_msg_writer w;
    struct cg_token token = {.len = 1, .bytes = {9}};
    cg_msg_begin(&w, storage, sizeof(storage), CG_CON, CG_PUT, 77, token);
    cg_msg_put_opt(&w, CG_OPT_URI_PATH, cg_slice_str("light"));
    cg_msg_put_opt(&w, CG_OPT_ECHO, echo);
    return fake_parse(storage, cg_msg_end(&w));
}

static int deliver(struct scene *s, const struct cg_msg *request, bool group_mode, uint64_t number) {
    int len = cg_oscore_seal_request(s->client, group_mode ? NULL : s->to, number, request, s->sealed,
                                     sizeof(s->sealed), &s->binding);
    if (len < 0) return len;
    struct cg_msg msg = fake_parse(s->sealed, len);
    return cg_oscore_open_request(s->server, &msg, s->room, sizeof(s->room), &s->got, &s->opened);
}

/* The server challenges; what the client finds in it goes to `echo`. */
static struct cg_slice challenge(struct scene *s, uint64_t number, bool group_mode, uint8_t echo[40]) {
    uint8_t storage[CG_OSCORE_CHALLENGE_LEN], sealed[256];
    struct cg_msg plain = {.type = CG_NON, .mid = 5, .token = {.len = 1, .bytes = {9}}}, got;
    struct cg_oscore_opened opened;
    struct cg_slice value;
    assert_true(s->opened.challenge);
    cg_oscore_challenge(s->from, storage, &plain);
    struct cg_oscore_reply reply = {.to = group_mode ? NULL : s->from};
    /* Never with the request's nonce: that request may be a replay which was answered by it before. */
    assert_int_equal(cg_oscore_seal_response(s->server, &reply, &plain, sealed, sizeof(sealed), &s->opened.binding),
                     CG_E_PROTECT);
    struct cg_msg other = fake_response("any other answer to it");
    assert_int_equal(cg_oscore_seal_response(s->server, &reply, &other, sealed, sizeof(sealed), &s->opened.binding),
                     CG_E_PROTECT);
    reply.has_number = true;
    reply.number = number;
    int len = cg_oscore_seal_response(s->server, &reply, &plain, sealed, sizeof(sealed), &s->opened.binding);
    struct cg_msg msg = fake_parse(sealed, len);
    assert_int_equal(
        cg_oscore_open_response(s->client, &msg, &s->binding, NULL, s->room, sizeof(s->room), &got, &opened), CG_OK);
    assert_true(cg_oscore_is_challenge(&got, &value));
    assert_int_equal(got.payload.len, 0);
    memcpy(echo, value.data, value.len);
    return cg_slice_of(echo, value.len);
}

static void test_recovery_in_pairwise_mode(void **state) {
    (void)state;
    struct scene s;
    uint8_t storage[40];
    set_up(&s, -27);
    struct cg_msg request = fake_request("light", "on");
    assert_int_equal(deliver(&s, &request, true, 100), CG_E_REPLAY); /* verified, not delivered */
    struct cg_slice echo = challenge(&s, 0, true, storage);
    assert_true(cg_oscore_peer_window(s.from)->invalid);
    struct cg_msg echoed = request_with_echo(echo);
    assert_int_equal(deliver(&s, &echoed, true, 101), CG_E_PROTECT); /* must be pairwise (RFC 10021 §9) */
    assert_int_equal(deliver(&s, &echoed, false, 101), CG_OK);
    assert_true(s.opened.echoed);
    fake_assert_same(&s.got, &echoed);
    /* Its number is the lower limit now: what is older stays out, what is newer is in. */
    assert_false(cg_oscore_peer_window(s.from)->invalid);
    assert_int_equal(deliver(&s, &request, true, 99), CG_E_REPLAY);
    assert_false(s.opened.challenge);
    assert_int_equal(deliver(&s, &request, true, 102), CG_OK);
    assert_false(s.opened.echoed);
    tear_down(&s);
}

static void test_recovery_in_a_signature_only_group(void **state) {
    (void)state;
    struct scene s;
    uint8_t storage[40];
    set_up(&s, 0);
    struct cg_msg request = fake_request("light", "on");
    assert_int_equal(deliver(&s, &request, true, 1), CG_E_REPLAY);
    struct cg_msg echoed = request_with_echo(challenge(&s, 0, true, storage));
    assert_int_equal(deliver(&s, &echoed, true, 2), CG_OK);
    assert_true(s.opened.echoed);
    tear_down(&s);
}

static void test_wrong_echo_is_no_recovery(void **state) {
    (void)state;
    struct scene s;
    uint8_t storage[40];
    set_up(&s, -27);
    struct cg_msg blind = request_with_echo(cg_slice_str("12345678"));
    assert_int_equal(deliver(&s, &blind, false, 1), CG_E_REPLAY); /* before any challenge */
    assert_true(s.opened.challenge);
    struct cg_slice echo = challenge(&s, 0, false, storage);
    assert_int_equal(deliver(&s, &blind, false, 2), CG_E_REPLAY);
    storage[7] ^= 1;
    struct cg_msg close = request_with_echo(echo);
    assert_int_equal(deliver(&s, &close, false, 3), CG_E_REPLAY);
    struct cg_msg prefix = request_with_echo(cg_slice_of(echo.data, 7));
    assert_int_equal(deliver(&s, &prefix, false, 4), CG_E_REPLAY);
    storage[7] ^= 1;
    struct cg_msg right = request_with_echo(echo);
    assert_int_equal(deliver(&s, &right, false, 5), CG_OK);
    tear_down(&s);
}

/* What memory holds before the first challenge and after a value was spent is no value that counts. */
static void test_zeros_are_no_echo(void **state) {
    (void)state;
    static const uint8_t zeros[CG_OSCORE_ECHO_LEN];
    struct scene s;
    uint8_t first[40], second[40];
    set_up(&s, -27);
    struct cg_msg blank = request_with_echo(cg_slice_of(zeros, sizeof(zeros)));
    assert_int_equal(deliver(&s, &blank, false, 1), CG_E_REPLAY); /* never challenged */
    assert_false(s.opened.echoed);
    assert_true(cg_oscore_peer_window(s.from)->invalid);
    struct cg_msg echoed = request_with_echo(challenge(&s, 0, false, first));
    assert_memory_not_equal(first, zeros, sizeof(zeros));
    assert_int_equal(deliver(&s, &echoed, false, 2), CG_OK);
    cg_oscore_peer_window(s.from)->invalid = true;
    blank = request_with_echo(cg_slice_of(zeros, sizeof(zeros)));
    assert_int_equal(deliver(&s, &blank, false, 3), CG_E_REPLAY); /* not challenged since */
    assert_true(s.opened.challenge);
    for (uint64_t i = 0; i < 3; i++) { /* every later challenge is as unpredictable as the first */
        echoed = request_with_echo(challenge(&s, 10 + i, false, second));
        assert_memory_not_equal(second, zeros, sizeof(zeros));
        assert_memory_not_equal(second, first, sizeof(zeros));
        memcpy(first, second, sizeof(zeros));
        assert_int_equal(deliver(&s, &echoed, false, 10 + 2 * i), CG_OK);
        cg_oscore_peer_window(s.from)->invalid = true;
        assert_int_equal(deliver(&s, &echoed, false, 11 + 2 * i), CG_E_REPLAY);
    }
    tear_down(&s);
}

/* Replays of old requests get the same value again: they cannot keep the client's echo from counting. The value counts
 * once. */
static void test_replays_do_not_disturb_the_exchange(void **state) {
    (void)state;
    struct scene s;
    uint8_t first[40], second[40], replayed[512];
    set_up(&s, -27);
    struct cg_msg request = fake_request("light", "on");
    int len = cg_oscore_seal_request(s.client, NULL, 1, &request, replayed, sizeof(replayed), &s.binding);
    struct cg_msg old = fake_parse(replayed, len);
    assert_int_equal(cg_oscore_open_request(s.server, &old, s.room, sizeof(s.room), &s.got, &s.opened), CG_E_REPLAY);
    struct cg_slice echo = challenge(&s, 0, true, first);
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(cg_oscore_open_request(s.server, &old, s.room, sizeof(s.room), &s.got, &s.opened),
                         CG_E_REPLAY);
        challenge(&s, 1 + i, true, second);
        assert_memory_equal(first, second, CG_OSCORE_ECHO_LEN);
    }
    struct cg_msg echoed = request_with_echo(echo);
    assert_int_equal(deliver(&s, &echoed, false, 2), CG_OK);
    struct cg_oscore_window *window = cg_oscore_peer_window(s.from);
    window->invalid = true; /* lost once more: the old value is worth nothing, the new challenge has another */
    assert_int_equal(deliver(&s, &echoed, false, 3), CG_E_REPLAY);
    challenge(&s, 50, false, second);
    assert_memory_not_equal(first, second, CG_OSCORE_ECHO_LEN);
    tear_down(&s);
}

/* For freshness alone, with a window that is fine. */
static void test_freshness_with_a_valid_window(void **state) {
    (void)state;
    struct scene s;
    uint8_t storage[CG_OSCORE_CHALLENGE_LEN];
    struct cg_msg plain = {.type = CG_NON};
    struct cg_slice echo;
    set_up(&s, -27);
    cg_oscore_peer_window(s.from)->invalid = false;
    struct cg_msg request = fake_request("valve", "open");
    assert_int_equal(deliver(&s, &request, false, 1), CG_OK);
    assert_false(s.opened.echoed);
    cg_oscore_challenge(s.from, storage, &plain);
    assert_true(cg_oscore_is_challenge(&plain, &echo));
    struct cg_msg echoed = request_with_echo(echo);
    assert_int_equal(deliver(&s, &echoed, false, 2), CG_OK);
    assert_true(s.opened.echoed);
    tear_down(&s);
}

/* A challenge on behalf of one peer is none for another. */
static void test_challenges_are_per_peer(void **state) {
    (void)state;
    struct scene s;
    uint8_t storage[40], room[1024], sealed[512];
    set_up(&s, -27);
    struct cg_oscore_context *third = fake_context(&s.group, 2);
    cg_oscore_peer_window(fake_peer(s.server, &s.group, 2))->invalid = true;
    struct cg_msg request = fake_request("light", "on");
    assert_int_equal(deliver(&s, &request, true, 1), CG_E_REPLAY);
    struct cg_msg stolen = request_with_echo(challenge(&s, 0, true, storage)), got;
    int len =
        cg_oscore_seal_request(third, fake_peer(third, &s.group, 1), 1, &stolen, sealed, sizeof(sealed), &s.binding);
    struct cg_msg msg = fake_parse(sealed, len);
    assert_int_equal(cg_oscore_open_request(s.server, &msg, room, sizeof(room), &got, &s.opened), CG_E_REPLAY);
    assert_true(s.opened.challenge);
    cg_oscore_context_unref(third);
    tear_down(&s);
}

static void test_what_is_no_challenge(void **state) {
    (void)state;
    static const uint8_t big[41];
    uint8_t bytes[64];
    struct cg_msg_writer w = {.data = bytes, .cap = sizeof(bytes)};
    struct cg_msg plain = {.code = CG_CODE(4, 1)};
    struct cg_slice echo;
    assert_false(cg_oscore_is_challenge(&plain, &echo));
    cg_msg_put_opt(&w, CG_OPT_ECHO, cg_slice_of(big, 40));
    plain.options = cg_slice_of(bytes, w.len);
    assert_true(cg_oscore_is_challenge(&plain, &echo));
    plain.code = CG_CODE(2, 5);
    assert_false(cg_oscore_is_challenge(&plain, &echo));
    plain.code = CG_CODE(4, 1);
    w = (struct cg_msg_writer){.data = bytes, .cap = sizeof(bytes)};
    cg_msg_put_opt(&w, CG_OPT_ECHO, cg_slice_of(big, 41));
    plain.options = cg_slice_of(bytes, w.len);
    assert_false(cg_oscore_is_challenge(&plain, &echo));
    w = (struct cg_msg_writer){.data = bytes, .cap = sizeof(bytes)};
    cg_msg_put_opt(&w, CG_OPT_ECHO, CG_SLICE_NONE);
    plain.options = cg_slice_of(bytes, w.len);
    assert_false(cg_oscore_is_challenge(&plain, &echo));
    w = (struct cg_msg_writer){.data = bytes, .cap = sizeof(bytes)};
    cg_msg_put_opt(&w, CG_OPT_ECHO, cg_slice_of(big, 1)); /* the shortest (RFC 9175 §2.2.1) */
    plain.options = cg_slice_of(bytes, w.len);
    assert_true(cg_oscore_is_challenge(&plain, &echo));
    assert_int_equal(echo.len, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recovery_in_pairwise_mode),
        cmocka_unit_test(test_recovery_in_a_signature_only_group),
        cmocka_unit_test(test_wrong_echo_is_no_recovery),
        cmocka_unit_test(test_zeros_are_no_echo),
        cmocka_unit_test(test_replays_do_not_disturb_the_exchange),
        cmocka_unit_test(test_freshness_with_a_valid_window),
        cmocka_unit_test(test_challenges_are_per_peer),
        cmocka_unit_test(test_what_is_no_challenge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
