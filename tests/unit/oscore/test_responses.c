/* Responses within one exchange: with and without Partial IV, second ones, changes of epoch and of Sender ID (R8, R12,
 * R55, R57). */
#include "fake_group.h"

struct scene {
    struct fake_group group;
    struct cg_oscore_context *client, *server;
    struct cg_oscore_binding binding, server_binding;
    uint8_t sealed[512], room[1024];
    struct cg_msg got;
    struct cg_oscore_opened opened;
    struct cg_oscore_answers answers;
};

/* A request is on its way and has been opened by member 1. */
static void set_up(struct scene *s, bool group_mode) {
    memset(s, 0, sizeof(*s));
    fake_group_usual(&s->group, 1);
    s->client = fake_context(&s->group, 0);
    s->server = fake_context(&s->group, 1);
    struct cg_msg request = fake_request("light", "");
    int len = cg_oscore_seal_request(s->client, group_mode ? NULL : fake_peer(s->client, &s->group, 1), 1, &request,
                                     s->sealed, sizeof(s->sealed), &s->binding);
    struct cg_msg msg = fake_parse(s->sealed, len);
    assert_int_equal(cg_oscore_open_request(s->server, &msg, s->room, sizeof(s->room), &s->got, &s->opened), CG_OK);
    s->server_binding = s->opened.binding;
}

static void tear_down(struct scene *s) {
    cg_oscore_context_unref(s->client);
    cg_oscore_context_unref(s->server);
}

/* The server's answer as datagram in s->sealed; number < 0: none. */
static int answer(struct scene *s, struct cg_oscore_context *server, bool group_mode, int64_t number,
                  const char *text) {
    struct cg_msg response = fake_response(text);
    struct cg_oscore_reply reply = {.to =
                                        group_mode ? NULL : cg_oscore_peer_find(server, fake_id(&s->group.members[0])),
                                    .has_number = number >= 0,
                                    .number = (uint64_t)number};
    return cg_oscore_seal_response(server, &reply, &response, s->sealed, sizeof(s->sealed), &s->server_binding);
}

static int receive(struct scene *s, struct cg_oscore_context *client, int len) {
    struct cg_msg msg = fake_parse(s->sealed, len);
    return cg_oscore_open_response(client, &msg, &s->binding, &s->answers, s->room, sizeof(s->room), &s->got,
                                   &s->opened);
}

static void test_one_bare_response_and_any_number_of_others(void **state) {
    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        struct scene s;
        set_up(&s, true);
        int len = answer(&s, s.server, mode, -1, "first");
        assert_int_equal(receive(&s, s.client, len), CG_OK);
        assert_true(s.opened.latest && !s.opened.has_number);
        assert_int_equal(receive(&s, s.client, len), CG_E_REPLAY);
        assert_int_equal(answer(&s, s.server, mode, -1, "second"), CG_E_PROTECT); /* the nonce is spent */
        len = answer(&s, s.server, mode, 5, "second");
        assert_int_equal(receive(&s, s.client, len), CG_OK);
        assert_true(s.opened.latest && s.opened.number == 5);
        assert_int_equal(receive(&s, s.client, len), CG_E_REPLAY);
        len = answer(&s, s.server, mode, 3, "late"); /* arrives behind 5 */
        assert_int_equal(receive(&s, s.client, len), CG_OK);
        assert_false(s.opened.latest);
        assert_int_equal(receive(&s, s.client, len), CG_E_REPLAY);
        tear_down(&s);
    }
}

/* The bare one is the oldest, whenever it comes. */
static void test_bare_response_last(void **state) {
    (void)state;
    struct scene s;
    set_up(&s, true);
    uint8_t bare[512];
    int bare_len = answer(&s, s.server, true, -1, "first");
    memcpy(bare, s.sealed, (size_t)bare_len);
    int len = answer(&s, s.server, true, 0, "second");
    assert_int_equal(receive(&s, s.client, len), CG_OK);
    memcpy(s.sealed, bare, (size_t)bare_len);
    assert_int_equal(receive(&s, s.client, bare_len), CG_OK);
    assert_false(s.opened.latest);
    assert_int_equal(receive(&s, s.client, bare_len), CG_E_REPLAY);
    tear_down(&s);
}

/* R8: a response to one request is none to another, even of the same client. */
static void test_r8_bound_to_its_request(void **state) {
    (void)state;
    struct scene a;
    set_up(&a, true);
    struct cg_oscore_binding other;
    uint8_t sealed[512];
    struct cg_msg request = fake_request("light", "");
    assert_true(cg_oscore_seal_request(a.client, NULL, 2, &request, sealed, sizeof(sealed), &other) > 0);
    for (int64_t number = -1; number < 1; number++) {
        int len = answer(&a, a.server, number >= 0, number, "x");
        struct cg_msg msg = fake_parse(a.sealed, len);
        assert_int_equal(
            cg_oscore_open_response(a.client, &msg, &other, NULL, a.room, sizeof(a.room), &a.got, &a.opened),
            CG_E_VERIFY);
        assert_int_equal(receive(&a, a.client, len), CG_OK);
    }
    tear_down(&a);
}

/* A pairwise request is answered by the member it was for, or by nobody (RFC 10021 §7.4). */
static void test_other_server_answers_a_pairwise_request(void **state) {
    (void)state;
    struct scene s;
    set_up(&s, false);
    struct cg_oscore_context *intruder = fake_context(&s.group, 2);
    s.server_binding.serial = 0;
    for (int mode = 0; mode < 2; mode++) {
        int len = answer(&s, intruder, mode, mode, "me!"); /* no kid: taken for member 1's */
        assert_int_equal(receive(&s, s.client, len), CG_E_VERIFY);
        struct cg_msg response = fake_response("me!");
        struct cg_oscore_reply reply = {.to = mode ? NULL : fake_peer(intruder, &s.group, 0),
                                        .has_number = true,
                                        .number = (uint64_t)(10 + mode),
                                        .with_kid = true};
        len = cg_oscore_seal_response(intruder, &reply, &response, s.sealed, sizeof(s.sealed), &s.server_binding);
        assert_int_equal(receive(&s, s.client, len), CG_E_UNAUTHORIZED);
    }
    s.server_binding = s.opened.binding;
    cg_oscore_context_unref(intruder);
    tear_down(&s);
}

static void test_pairwise_request_group_mode_response(void **state) {
    (void)state;
    for (int with_kid = 0; with_kid < 2; with_kid++) {
        struct scene s;
        set_up(&s, false);
        struct cg_msg response = fake_response("signed");
        struct cg_oscore_reply reply = {.with_kid = with_kid != 0};
        int len = cg_oscore_seal_response(s.server, &reply, &response, s.sealed, sizeof(s.sealed), &s.server_binding);
        assert_int_equal(receive(&s, s.client, len), CG_OK);
        assert_true(s.opened.group_mode);
        tear_down(&s);
    }
}

/* RFC 10021 §3.2: a response to a group mode request carries a kid. */
static void test_response_without_kid(void **state) {
    (void)state;
    struct scene s;
    set_up(&s, true);
    s.server_binding.group_mode = false; /* a server that forgets it */
    int len = answer(&s, s.server, true, 4, "x");
    assert_int_equal(receive(&s, s.client, len), CG_E_BAD_OPTION);
    tear_down(&s);
}

/* Rekey in the middle: answers under either epoch are accepted once each, the new one's have a Partial IV and the new
 * Gid. */
static void test_r55_rekey_within_an_exchange(void **state) {
    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        struct scene s;
        set_up(&s, true);
        uint8_t old_answer[512];
        int old_len = answer(&s, s.server, mode, 5, "old");
        memcpy(old_answer, s.sealed, (size_t)old_len);
        assert_int_equal(receive(&s, s.client, old_len), CG_OK);

        fake_group_rekey(&s.group);
        struct cg_oscore_context *new_client = fake_context(&s.group, 0), *new_server = fake_context(&s.group, 1);
        assert_int_equal(answer(&s, new_server, mode, -1, "new"), CG_E_PROTECT); /* no nonce of another context */
        int len = answer(&s, new_server, mode, 0, "new");
        struct cg_msg msg = fake_parse(s.sealed, len);
        struct cg_slice value;
        struct cg_oscore_option option;
        assert_true(cg_msg_find(&msg, CG_OPT_OSCORE, &value));
        assert_int_equal(cg_oscore_option_parse(&option, value), CG_OK);
        assert_true(option.has_kid_context && cg_slice_equal(option.kid_context, cg_oscore_context_id(new_client)));
        assert_int_equal(receive(&s, s.client, len), CG_E_UNAUTHORIZED); /* the old context sees the foreign Gid */
        assert_int_equal(receive(&s, new_client, len), CG_OK);
        assert_true(s.opened.latest &&
                    s.opened.number == 0); /* Response Numbers start again, and later context is later */
        assert_int_equal(receive(&s, new_client, len), CG_E_REPLAY);

        memcpy(s.sealed, old_answer, (size_t)old_len); /* what was seen under the old context stays seen */
        assert_int_equal(receive(&s, s.client, old_len), CG_E_REPLAY);
        assert_int_equal(receive(&s, new_client, old_len), CG_E_VERIFY); /* and does not open under the new keys */
        len = answer(&s, s.server, mode, 9, "late old one");
        assert_int_equal(receive(&s, s.client, len), CG_OK);
        assert_false(s.opened.latest);

        /* Two epochs further, the first one is out. */
        fake_group_rekey(&s.group);
        struct cg_oscore_context *third_client = fake_context(&s.group, 0), *third_server = fake_context(&s.group, 1);
        len = answer(&s, third_server, mode, 0, "third");
        assert_int_equal(receive(&s, third_client, len), CG_OK);
        len = answer(&s, s.server, mode, 12, "too old");
        assert_int_equal(receive(&s, s.client, len), CG_E_REPLAY);
        cg_oscore_context_unref(new_client);
        cg_oscore_context_unref(new_server);
        cg_oscore_context_unref(third_client);
        cg_oscore_context_unref(third_server);
        tear_down(&s);
    }
}

/* The old epoch after the swap: answers in group mode to what was sent under it, and nothing else. */
static void test_retired_context(void **state) {
    (void)state;
    struct scene s;
    set_up(&s, true);
    uint8_t pairwise[512], sealed[512];
    struct cg_oscore_binding binding;
    int pairwise_len = answer(&s, s.server, false, 3, "pairwise");
    memcpy(pairwise, s.sealed, (size_t)pairwise_len);
    int len = answer(&s, s.server, true, 4, "signed");
    struct cg_msg request = fake_request("light", "");
    int request_len = cg_oscore_seal_request(s.client, NULL, 9, &request, sealed, sizeof(sealed), &binding);
    struct cg_msg msg = fake_parse(sealed, request_len);
    struct cg_oscore_opening op, request_op;
    struct cg_msg pairwise_msg = fake_parse(pairwise, pairwise_len);
    assert_int_equal(cg_oscore_open_response_prepare(&op, s.client, &pairwise_msg, &s.binding), CG_OK);
    assert_int_equal(cg_oscore_open_request_prepare(&request_op, s.server, &msg), CG_PENDING);
    cg_oscore_context_retire(s.client);
    cg_oscore_context_retire(s.server);
    /* What was under way when it happened. */
    assert_int_equal(cg_oscore_open_finish(&op, &s.answers, s.room, sizeof(s.room), &s.got, &s.opened),
                     CG_E_UNAUTHORIZED);
    cg_oscore_verify_run(&request_op.job);
    assert_int_equal(cg_oscore_open_finish(&request_op, NULL, s.room, sizeof(s.room), &s.got, &s.opened),
                     CG_E_UNAUTHORIZED);
    /* And what comes later. */
    assert_int_equal(cg_oscore_open_response_prepare(&op, s.client, &pairwise_msg, &s.binding), CG_E_BAD_OPTION);
    assert_int_equal(cg_oscore_open_request_prepare(&request_op, s.server, &msg), CG_E_UNAUTHORIZED);
    assert_int_equal(receive(&s, s.client, len), CG_OK);
    assert_int_equal(cg_oscore_seal_request(s.client, NULL, 10, &request, sealed, sizeof(sealed), &binding),
                     CG_E_PROTECT);
    assert_int_equal(answer(&s, s.server, true, 11, "x"), CG_E_PROTECT);
    tear_down(&s);
}

/* The serial of a context, as a request that it opened shows it. */
static uint64_t new_server_serial(const struct scene *s, struct cg_oscore_context *server) {
    struct cg_oscore_context *client = fake_context(&s->group, 0);
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg request = fake_request("light", ""), got;
    uint8_t sealed[512], room[1024];
    int len = cg_oscore_seal_request(client, NULL, 1, &request, sealed, sizeof(sealed), &binding);
    struct cg_msg msg = fake_parse(sealed, len);
    assert_int_equal(cg_oscore_open_request(server, &msg, room, sizeof(room), &got, &opened), CG_OK);
    cg_oscore_context_unref(client);
    return opened.binding.serial;
}

/* A response without Partial IV under another context than the request's: the sender must not make it, and the receiver
 * does not take it even where its keys fit. */
static void test_bare_response_under_new_epoch(void **state) {
    (void)state;
    struct scene s;
    set_up(&s, true);
    int len = answer(&s, s.server, true, -1, "x");
    fake_group_rekey(&s.group);
    struct cg_oscore_context *new_client = fake_context(&s.group, 0), *new_server = fake_context(&s.group, 1);
    assert_int_equal(receive(&s, new_client, len), CG_E_VERIFY);
    assert_int_equal(receive(&s, s.client, len), CG_OK);
    memset(&s.answers, 0, sizeof(s.answers));
    s.server_binding = s.opened.binding; /* not answered yet, and still no nonce for another context's key */
    s.server_binding.needs_number = false;
    assert_int_equal(answer(&s, new_server, true, -1, "x"), CG_E_PROTECT);
    s.server_binding.serial = new_server_serial(&s, new_server); /* a server that does it all the same */
    len = answer(&s, new_server, true, -1, "x");
    assert_int_equal(receive(&s, new_client, len), CG_E_VERIFY);
    cg_oscore_context_unref(new_client);
    cg_oscore_context_unref(new_server);
    tear_down(&s);
}

/* RFC 10021 §7.4: the kid of a server may not change within an exchange. */
static void test_kid_changes_within_an_exchange(void **state) {
    (void)state;
    struct scene s;
    set_up(&s, true);
    int len = answer(&s, s.server, true, 1, "as member 1");
    assert_int_equal(receive(&s, s.client, len), CG_OK);
    struct fake_group renamed = s.group; /* the same member with a new Sender ID */
    renamed.members[1].id[0] = 0x66;
    struct cg_oscore_context *server = fake_context(&renamed, 1);
    assert_int_equal(cg_oscore_peer_add(s.client, fake_id(&renamed.members[1]), fake_cred(&renamed.members[1]),
                                        CG_OSCORE_WINDOW_NEW, NULL, NULL),
                     CG_OK);
    len = answer(&s, server, true, 2, "renamed");
    assert_int_equal(receive(&s, s.client, len), CG_E_REPLAY);
    memset(&s.answers, 0, sizeof(s.answers)); /* in an exchange of its own it is fine */
    assert_int_equal(receive(&s, s.client, len), CG_OK);
    cg_oscore_context_unref(server);
    tear_down(&s);
}

/* The same member under a new Sender ID may answer a pairwise request: its credential counts. */
static void test_renamed_server_answers_a_pairwise_request(void **state) {
    (void)state;
    struct scene s;
    set_up(&s, false);
    struct fake_group renamed = s.group;
    renamed.members[1].id[0] = 0x66;
    struct cg_oscore_context *server = fake_context(&renamed, 1);
    assert_int_equal(cg_oscore_peer_add(s.client, fake_id(&renamed.members[1]), fake_cred(&renamed.members[1]),
                                        CG_OSCORE_WINDOW_NEW, NULL, NULL),
                     CG_OK);
    struct cg_msg response = fake_response("renamed");
    struct cg_oscore_reply reply = {
        .to = fake_peer(server, &renamed, 0), .has_number = true, .number = 0, .with_kid = true};
    int len = cg_oscore_seal_response(server, &reply, &response, s.sealed, sizeof(s.sealed), &s.server_binding);
    assert_int_equal(receive(&s, s.client, len), CG_OK);
    cg_oscore_context_unref(server);
    tear_down(&s);
}

static void test_suspended_member(void **state) {
    (void)state;
    struct scene s;
    set_up(&s, true);
    int len = answer(&s, s.server, true, 1, "x");
    struct cg_oscore_peer *peer = fake_peer(s.client, &s.group, 1);
    cg_oscore_peer_suspend(peer, true);
    assert_int_equal(receive(&s, s.client, len), CG_E_UNAUTHORIZED);
    cg_oscore_peer_suspend(peer, false);
    assert_int_equal(receive(&s, s.client, len), CG_OK);
    tear_down(&s);
}

/* RFC 10021 §2.6.1.2: nothing is delivered from a member whose window is lost; an Echo exchange is for its requests. */
static void test_lost_window_stops_responses_of_a_group(void **state) {
    (void)state;
    struct scene s;
    set_up(&s, true);
    int len = answer(&s, s.server, true, 1, "x");
    cg_oscore_peer_window(fake_peer(s.client, &s.group, 1))->invalid = true;
    assert_int_equal(receive(&s, s.client, len), CG_E_REPLAY);
    assert_false(s.opened.challenge);
    tear_down(&s);
}

/* The same message with another Group Flag, and enough behind it for any mode's tag and signature. */
static struct cg_msg in_other_mode(const struct cg_msg *msg) {
    static uint8_t bytes[512], value[CG_OSCORE_OPTION_MAX];
    static const uint8_t rubbish[100] = {1};
    struct cg_oscore_option option;
    struct cg_slice found;
    struct cg_msg_writer w;
    assert_true(cg_msg_find(msg, CG_OPT_OSCORE, &found));
    assert_int_equal(cg_oscore_option_parse(&option, found), CG_OK);
    option.group = !option.group;
    int len = cg_oscore_option_emit(value, &option);
    assert_true(len >= 0);
    cg_msg_begin(&w, bytes, sizeof(bytes), CG_NON, msg->code, msg->mid, msg->token);
    cg_msg_put_opt(&w, CG_OPT_OSCORE, cg_slice_of(value, (size_t)len));
    cg_msg_put_payload(&w, cg_slice_of(rubbish, sizeof(rubbish)));
    return fake_parse(bytes, cg_msg_end(&w));
}

/* RFC 10021 §6: what claims a mode that the group does not have is refused before anything is done for it. */
static void test_mode_that_the_group_does_not_have(void **state) {
    (void)state;
    static const struct {
        int aead, enc, signature, agreement;
    } cases[] = {{CG_COSE_A128GCM, CG_COSE_NONE, CG_COSE_NONE, CG_COSE_ECDH_SS_HKDF_256}, /* pairwise mode only */
                 {CG_COSE_NONE, CG_COSE_A128GCM, CG_COSE_EDDSA, CG_COSE_NONE},            /* group mode only */
                 {CG_COSE_A128GCM, CG_COSE_A128GCM, CG_COSE_EDDSA, CG_COSE_NONE}};
    for (size_t i = 0; i < 3; i++) {
        struct scene s;
        memset(&s, 0, sizeof(s));
        bool group_mode = cases[i].enc != CG_COSE_NONE;
        fake_group_make(&s.group, cases[i].aead, cases[i].enc, cases[i].signature, cases[i].agreement, CG_SHA256, 1);
        s.client = fake_context(&s.group, 0);
        s.server = fake_context(&s.group, 1);
        assert_int_equal(cg_oscore_has_group_mode(s.client), group_mode);
        assert_int_equal(cg_oscore_has_pairwise_mode(s.client), !group_mode);
        struct cg_msg request = fake_request("light", "");
        struct cg_oscore_peer *to = group_mode ? NULL : fake_peer(s.client, &s.group, 1);
        struct cg_oscore_peer *in_vain = group_mode ? fake_peer(s.client, &s.group, 1) : NULL;
        assert_int_equal(cg_oscore_seal_request(s.client, in_vain, 1, &request, s.sealed, sizeof(s.sealed), &s.binding),
                         CG_E_PROTECT);
        int len = cg_oscore_seal_request(s.client, to, 1, &request, s.sealed, sizeof(s.sealed), &s.binding);
        struct cg_msg msg = fake_parse(s.sealed, len), other = in_other_mode(&msg);
        assert_int_equal(cg_oscore_open_request(s.server, &other, s.room, sizeof(s.room), &s.got, &s.opened),
                         CG_E_BAD_OPTION);
        assert_int_equal(cg_oscore_open_request(s.server, &msg, s.room, sizeof(s.room), &s.got, &s.opened), CG_OK);
        s.server_binding = s.opened.binding;
        len = answer(&s, s.server, group_mode, 7, "on");
        msg = fake_parse(s.sealed, len);
        other = in_other_mode(&msg);
        struct cg_oscore_opening op;
        assert_int_equal(cg_oscore_open_response_prepare(&op, s.client, &other, &s.binding), CG_E_BAD_OPTION);
        assert_int_equal(receive(&s, s.client, len), CG_OK);
        tear_down(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_bare_response_and_any_number_of_others),
        cmocka_unit_test(test_bare_response_last),
        cmocka_unit_test(test_r8_bound_to_its_request),
        cmocka_unit_test(test_other_server_answers_a_pairwise_request),
        cmocka_unit_test(test_pairwise_request_group_mode_response),
        cmocka_unit_test(test_response_without_kid),
        cmocka_unit_test(test_r55_rekey_within_an_exchange),
        cmocka_unit_test(test_retired_context),
        cmocka_unit_test(test_bare_response_under_new_epoch),
        cmocka_unit_test(test_kid_changes_within_an_exchange),
        cmocka_unit_test(test_renamed_server_answers_a_pairwise_request),
        cmocka_unit_test(test_suspended_member),
        cmocka_unit_test(test_lost_window_stops_responses_of_a_group),
        cmocka_unit_test(test_mode_that_the_group_does_not_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
