/* Clients that protect their requests to the gateway by OSCORE, without sockets: what the front hears of them, what
 * goes out, and that there is a number for each response before the front hears anything. */
#include "fronts_coap/fake_shield.h"

#include <string.h>

static void what_was_before_a_start_must_be_met_first(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    shield_compose(side, CG_SLICE_NONE, &sealed);
    shield_bring(side, &sealed, "e");
    assert_int_equal(side->heard_count, 0);
    shield_meet(side);
    assert_int_equal(side->heard_count, 1);
    assert_string_equal(side->heard[0].client, "d");
    assert_int_equal(side->heard[0].code, CG_GET);
}

static void the_front_answers_a_peer_of_its_own(void **state) {
    struct side *side = *state;
    struct datagram plain;
    shield_meet(side);
    assert_ptr_not_equal(side->heard[0].peer, &side->outer);
    shield_open(side, shield_last(side), &plain);
    assert_int_equal(plain.msg.code, CG_CODE(2, 5));
    assert_true(cg_slice_is(shield_last(side)->token, "f"));
}

/* After a start anybody who has recorded requests may send them again, and again; the client is challenged all the
 * same. */
static void repetitions_do_not_keep_a_client_from_its_challenge(void **state) {
    struct side *side = *state;
    struct datagram recorded, sealed, plain;
    shield_compose(side, CG_SLICE_NONE, &recorded);
    for (size_t i = 0; i < 30; i++) {
        side->said_count = 0;
        shield_bring(side, &recorded, "r");
    }
    assert_int_equal(shield_last(side)->how, IGNORED);
    shield_compose(side, CG_SLICE_NONE, &sealed);
    shield_bring(side, &sealed, "e");
    shield_open(side, shield_last(side), &plain);
    assert_int_equal(plain.msg.code, CG_CODE(4, 1));
    side->said_count = 0;
    shield_bring(side, &recorded, "r");
    assert_int_equal(shield_last(side)->how, IGNORED);
    shield_meet(side);
    assert_int_equal(side->heard_count, 1);
}

static void what_came_before_is_refused(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    shield_meet(side);
    shield_compose(side, CG_SLICE_NONE, &sealed);
    shield_bring(side, &sealed, "a");
    shield_bring(side, &sealed, "b");
    assert_int_equal(side->heard_count, 2);
    assert_int_equal(shield_last(side)->msg.code, CG_CODE(4, 1));
    assert_true(cg_slice_is(shield_last(side)->msg.payload, "Replay detected"));
}

static void what_was_changed_is_refused(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    shield_meet(side);
    shield_compose(side, CG_SLICE_NONE, &sealed);
    ((uint8_t *)(uintptr_t)sealed.msg.payload.data)[0] ^= 1;
    shield_bring(side, &sealed, "a");
    assert_int_equal(side->heard_count, 1);
    assert_int_equal(shield_last(side)->msg.code, CG_CODE(4, 0));
}

/* Whatever is forged in a client's name, however often: not all of it is answered. */
static void a_flood_is_not_answered_in_full(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    size_t answered = 0;
    shield_compose(side, CG_SLICE_NONE, &sealed);
    ((uint8_t *)(uintptr_t)sealed.msg.payload.data)[0] ^= 1;
    for (size_t i = 0; i < 1000; i++) {
        side->said_count = 0;
        shield_bring(side, &sealed, "f");
        answered += shield_last(side)->how == ANSWERED;
    }
    assert_int_equal(answered, 100);
    assert_int_equal(side->heard_count, 0);
    assert_int_equal(side->next, 0); /* no number was asked for */
}

/* The last number that there is (RFC 8613 §7.2.1) is one like the others, and nothing comes behind it. */
static void the_highest_number_is_the_last(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    shield_meet(side);
    side->owners[0].number = (UINT64_C(1) << 40) - 1;
    shield_compose(side, CG_SLICE_NONE, &sealed);
    shield_bring(side, &sealed, "a");
    assert_int_equal(side->heard_count, 2);
    shield_bring(side, &sealed, "b");
    assert_int_equal(side->heard_count, 2);
    assert_true(cg_slice_is(shield_last(side)->msg.payload, "Replay detected"));
}

/* What names no context of a client is the front's: it knows who relays that, and that it is 4.01 else. */
static void what_names_no_client_is_the_fronts(void **state) {
    static const struct {
        const char *option;
        size_t len;
    } rows[] = {
        {"", 0},          /* no kid */
        {"\x08", 1},      /* an empty one */
        {"\x09\x00x", 3}, /* of nobody */
        {"\x19\x00\x03"
         "ctxc",
         7}, /* a client's, in a context that it has not */
        {"\x29\x00"
         "c",
         3}, /* in a group */
        {"\x0f\x00"
         "c",
         3}, /* a Partial IV of reserved length */
        {"\xff\xff\xff", 3},
    };
    struct side *side = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct datagram made;
        struct cg_msg_writer writer;
        cg_msg_begin_inner(&writer, made.bytes, sizeof made.bytes, CG_POST);
        cg_msg_put_opt(&writer, CG_OPT_OSCORE, cg_slice_of((const uint8_t *)rows[i].option, rows[i].len));
        cg_msg_put_payload(&writer, cg_slice_str("ciphertext and tag"));
        int len = cg_msg_end(&writer);
        assert_int_equal(cg_msg_parse_inner(&made.msg, cg_slice_of(made.bytes, (size_t)len)), CG_OK);
        shield_bring(side, &made, "n");
        assert_int_equal(side->heard_count, i + 1);
        assert_ptr_equal(side->heard[i].peer, &side->outer);
    }
}

/* An address that nobody has shown gets no more than three times what it sent. */
static void a_stranger_gets_no_long_error(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    shield_meet(side);
    side->outer.path.proof = CG_COAP_UNPROVEN;
    shield_compose(side, CG_SLICE_NONE, &sealed);
    sealed.msg.payload.len--;
    const struct cg_coap_request request = {
        .message = {.code = sealed.msg.code, .options = sealed.msg.options, .payload = sealed.msg.payload},
        .type = CG_CON,
        .size = 5};
    cg_coap_shield_ops.request(side->shield, &side->outer, &request);
    assert_int_equal(shield_last(side)->how, IGNORED);
}

static void others_requests_pass_as_they_are(void **state) {
    struct side *side = *state;
    struct datagram plain;
    struct cg_msg_writer writer;
    static const struct cg_opt rows[] = {{CG_OPT_URI_PATH, {(const uint8_t *)"a", 1}},
                                         {CG_OPT_PROXY_SCHEME, {(const uint8_t *)"coap", 4}}};
    struct cg_slice option;
    for (size_t i = 0; i < 2; i++) {
        struct datagram sealed;
        shield_compose(side, CG_SLICE_NONE, &sealed);
        assert_true(cg_msg_find(&sealed.msg, CG_OPT_OSCORE, &option));
        cg_msg_begin_inner(&writer, plain.bytes, sizeof plain.bytes, CG_POST);
        cg_msg_put_opt(&writer, CG_OPT_OSCORE, option);
        cg_msg_put_opt(&writer, rows[i].number, rows[i].value);
        cg_msg_put_payload(&writer, sealed.msg.payload);
        int len = cg_msg_end(&writer);
        assert_int_equal(cg_msg_parse_inner(&plain.msg, cg_slice_of(plain.bytes, (size_t)len)), CG_OK);
        shield_bring(side, &plain, "a");
        assert_int_equal(side->heard_count, i + 1);
        assert_ptr_equal(side->heard[i].peer, &side->outer);
        assert_null(side->heard[i].client);
    }
}

static void a_request_waits_for_a_number(void **state) {
    struct side *side = *state;
    struct datagram sealed, plain;
    side->is_slow = true;
    shield_compose(side, CG_SLICE_NONE, &sealed);
    shield_bring(side, &sealed, "e");
    assert_int_equal(side->said_count, 0);
    assert_int_equal(side->expected, 1);
    assert_int_equal(side->outer.holds, 1);
    shield_do_job(side);
    assert_int_equal(shield_last(side)->how, SENT);
    shield_open(side, shield_last(side), &plain);
    assert_int_equal(plain.msg.code, CG_CODE(4, 1));
    assert_int_equal(side->outer.holds, 0);
}

static void a_key_that_may_not_send_does_nothing(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    side->is_slow = true;
    shield_compose(side, CG_SLICE_NONE, &sealed);
    shield_bring(side, &sealed, "e");
    shield_refuse_job(side);
    assert_int_equal(side->heard_count, 0);
    assert_int_equal(shield_last(side)->msg.code, CG_CODE(5, 3));
}

static void a_peer_may_go_while_its_request_waits(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    side->is_slow = true;
    shield_compose(side, CG_SLICE_NONE, &sealed);
    shield_bring(side, &sealed, "e");
    cg_coap_shield_ops.gone(side->shield, &side->outer);
    shield_do_job(side);
    assert_int_equal(side->said_count, 0);
}

static struct cg_addr address(uint8_t last) {
    struct cg_addr addr = {.family = CG_FAMILY_IPV4, .port = 40000};
    addr.ip[0] = 192;
    addr.ip[3] = last;
    return addr;
}

/* What is sent to an address, and comes back from it, shows that it is real (RFC 9175 §2.4). */
static void a_challenge_that_is_met_proves_the_address(void **state) {
    struct side *side = *state;
    side->outer.path.proof = CG_COAP_UNPROVEN;
    side->outer.path.from = address(1);
    shield_meet(side);
    assert_int_equal(side->outer.path.proof, CG_COAP_PROVEN);
}

/* The Echo is the same for all of them, so that whoever met it may have heard it elsewhere. */
static void one_that_went_to_several_addresses_proves_none(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    side->outer.path.proof = CG_COAP_UNPROVEN;
    side->outer.path.from = address(2);
    shield_compose(side, CG_SLICE_NONE, &sealed);
    shield_bring(side, &sealed, "e");
    side->outer.path.from = address(1);
    shield_meet(side);
    assert_int_equal(side->heard_count, 1);
    assert_int_equal(side->outer.path.proof, CG_COAP_UNPROVEN);
}

/* Each under a number of its own, bound to the request. */
static void later_responses_are_protected_too(void **state) {
    struct side *side = *state;
    struct datagram sealed, plain;
    shield_meet(side);
    side->answers = false;
    shield_compose(side, CG_SLICE_NONE, &sealed);
    shield_bring(side, &sealed, "many");
    assert_int_equal(side->outer.holds, 1);
    const struct cg_coap_message response = {
        .code = CG_CODE(2, 5), .token = cg_slice_str("many"), .payload = cg_slice_str("on")};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(cg_coap_peer_send(side->held, &response, CG_NON), CG_OK);
        assert_int_equal(shield_last(side)->how, SENT);
        shield_open(side, shield_last(side), &plain);
        assert_true(cg_slice_is(plain.msg.payload, "on"));
    }
    cg_coap_peer_release_for(side->held, cg_slice_str("many"));
    assert_int_equal(side->outer.holds, 0);
}

/* draft-ietf-core-oscore-capable-proxies §2.2: whether it is critical or safe to forward does not matter. */
static void an_option_of_no_known_class_makes_it_5_02(void **state) {
    static const uint8_t reply_from[] = {0x82, 0x20, 0x81, 0x44, 127, 1, 0, 1};
    static const struct row {
        uint16_t number;
        uint8_t code;
    } rows[] = {{CG_OPT_MAX_AGE, CG_CODE(2, 5)}, {21, CG_CODE(2, 5)},    {252, CG_CODE(2, 5)},  {2049, CG_CODE(2, 5)},
                {64994, CG_CODE(5, 2)},          {64996, CG_CODE(5, 2)}, {65001, CG_CODE(5, 2)}};
    struct side *side = *state;
    struct datagram sealed, plain;
    struct cg_slice value;
    shield_meet(side);
    side->answers = false;
    shield_compose(side, CG_SLICE_NONE, &sealed);
    shield_bring(side, &sealed, "many");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t options[32];
        struct cg_msg_writer writer = {.data = options, .cap = sizeof options};
        if (rows[i].number < 248) cg_msg_put_opt(&writer, rows[i].number, CG_SLICE_NONE);
        cg_msg_put_opt(&writer, 248, cg_slice_of(reply_from, sizeof reply_from));
        if (rows[i].number > 248) cg_msg_put_opt(&writer, rows[i].number, CG_SLICE_NONE);
        const struct cg_coap_message response = {
            .code = CG_CODE(2, 5), .token = cg_slice_str("many"), .options = cg_slice_of(options, writer.len)};
        side->said_count = 0;
        assert_int_equal(cg_coap_peer_send(side->held, &response, CG_NON), CG_OK);
        shield_open(side, shield_last(side), &plain);
        assert_int_equal(plain.msg.code, rows[i].code);
        assert_true(cg_msg_find(&plain.msg, 248, &value));
        assert_true(cg_slice_equal(value, cg_slice_of(reply_from, sizeof reply_from)));
    }
    cg_coap_peer_release_for(side->held, cg_slice_str("many"));
}

static void a_client_that_is_removed_is_nobody(void **state) {
    struct side *side = *state;
    struct cg_request request = {.method = 0};
    struct cg_problem problem = {0};
    shield_meet(side);
    struct cg_coap_peer *peer = (struct cg_coap_peer *)(uintptr_t)side->heard[0].peer;
    side->clients[0].oscore.digest[0] ^= 1;
    cg_coap_shield_tidy(side->shield);
    assert_int_equal(cg_coap_peer_identify(peer, &side->config, &request, &problem), CG_E_UNAUTHORIZED);
    assert_null(request.client);
}

/* ---- Layers ---- */

/* What the first client has protected, protected once more by a proxy on its way. */
struct layered {
    struct datagram inner, sealed;
    struct cg_oscore_binding outside;
};

static void compose_layered(struct side *side, struct cg_slice echo, struct layered *made) {
    shield_compose(side, echo, &made->inner);
    shield_wrap(&side->owners[1], &made->inner.msg, &made->sealed, &made->outside);
}

static void open_layered(struct side *side, const struct layered *made, struct datagram *plain) {
    struct datagram inner;
    shield_unwrap(&side->owners[1], &shield_last(side)->msg, &made->outside, &inner);
    shield_unwrap(&side->owners[0], &inner.msg, &side->binding, plain);
}

static void meet_all(struct side *side) {
    shield_meet_hop(side);
    shield_meet(side);
    side->heard_count = 0;
    side->said_count = 0;
}

/* Two layers are taken off, and the response gets them both again. */
static void what_a_proxy_has_protected_once_more_is_its_clients(void **state) {
    struct side *side = *state;
    struct layered made;
    struct datagram plain;
    meet_all(side);
    compose_layered(side, CG_SLICE_NONE, &made);
    shield_bring(side, &made.sealed, "t");
    assert_int_equal(side->heard_count, 1);
    assert_string_equal(side->heard[0].client, "d");
    assert_int_equal(side->heard[0].code, CG_GET);
    open_layered(side, &made, &plain);
    assert_int_equal(plain.msg.code, CG_CODE(2, 5));
}

/* draft-ietf-core-oscore-capable-proxies §2.1: protected by those layers that were taken off. */
static void a_third_layer_is_refused(void **state) {
    struct side *side = *state;
    struct layered made;
    struct datagram sealed, middle, plain;
    struct cg_oscore_binding outermost;
    meet_all(side);
    compose_layered(side, CG_SLICE_NONE, &made);
    shield_wrap(&side->owners[0], &made.sealed.msg, &sealed, &outermost);
    shield_bring(side, &sealed, "t");
    assert_int_equal(side->heard_count, 0);
    shield_unwrap(&side->owners[0], &shield_last(side)->msg, &outermost, &middle);
    shield_unwrap(&side->owners[1], &middle.msg, &made.outside, &plain);
    assert_int_equal(plain.msg.code, CG_CODE(4, 1));
    assert_true(cg_slice_is(plain.msg.payload, "more layers than are taken off"));
}

static void a_challenge_comes_through_the_layer_outside(void **state) {
    struct side *side = *state;
    struct layered made;
    struct datagram plain;
    struct cg_slice echo;
    shield_meet_hop(side);
    compose_layered(side, CG_SLICE_NONE, &made);
    shield_bring(side, &made.sealed, "t");
    open_layered(side, &made, &plain);
    assert_int_equal(plain.msg.code, CG_CODE(4, 1));
    assert_true(cg_msg_find(&plain.msg, CG_OPT_ECHO, &echo));
    compose_layered(side, echo, &made);
    shield_bring(side, &made.sealed, "t");
    assert_string_equal(side->heard[side->heard_count - 1].client, "d");
}

static void an_inner_replay_is_refused_under_the_layer_outside(void **state) {
    struct side *side = *state;
    struct layered made;
    struct datagram again, plain;
    struct cg_oscore_binding outside;
    meet_all(side);
    compose_layered(side, CG_SLICE_NONE, &made);
    shield_bring(side, &made.sealed, "t");
    shield_wrap(&side->owners[1], &made.inner.msg, &again, &outside);
    shield_bring(side, &again, "u");
    assert_int_equal(side->heard_count, 1);
    shield_unwrap(&side->owners[1], &shield_last(side)->msg, &outside, &plain);
    assert_int_equal(plain.msg.code, CG_CODE(4, 1));
    assert_true(cg_slice_is(plain.msg.payload, "Replay detected"));
}

/* The second context's first number comes late: what the outer layer bound the request to is kept meanwhile. */
static void each_layer_may_wait_for_its_numbers(void **state) {
    struct side *side = *state;
    struct layered made;
    struct datagram plain;
    shield_meet_hop(side);
    side->is_slow = true;
    compose_layered(side, CG_SLICE_NONE, &made);
    shield_bring(side, &made.sealed, "t");
    size_t said = side->said_count;
    assert_int_equal(side->outer.holds, 1);
    shield_do_job(side);
    assert_int_equal(side->said_count, said + 1);
    assert_int_equal(shield_last(side)->how, SENT);
    open_layered(side, &made, &plain);
    assert_int_equal(plain.msg.code, CG_CODE(4, 1));
    assert_int_equal(side->outer.holds, 0);
}

static void what_waits_in_a_layer_goes_with_the_peer(void **state) {
    struct side *side = *state;
    struct layered made;
    shield_meet_hop(side);
    side->is_slow = true;
    compose_layered(side, CG_SLICE_NONE, &made);
    shield_bring(side, &made.sealed, "t");
    size_t said = side->said_count;
    cg_coap_shield_ops.gone(side->shield, &side->outer);
    shield_do_job(side);
    assert_int_equal(side->said_count, said);
}

static void later_responses_have_all_layers(void **state) {
    struct side *side = *state;
    struct layered made;
    struct datagram plain;
    meet_all(side);
    side->answers = false;
    compose_layered(side, CG_SLICE_NONE, &made);
    shield_bring(side, &made.sealed, "many");
    const struct cg_coap_message response = {
        .code = CG_CODE(2, 5), .token = cg_slice_str("many"), .payload = cg_slice_str("on")};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(cg_coap_peer_send(side->held, &response, CG_NON), CG_OK);
        open_layered(side, &made, &plain);
        assert_true(cg_slice_is(plain.msg.payload, "on"));
    }
    cg_coap_shield_ops.lost(side->shield, &side->outer, cg_slice_str("many"));
    assert_int_equal(side->lost, 3); /* by each layer, and without any */
    cg_coap_peer_release_for(side->held, cg_slice_str("many"));
    assert_int_equal(side->outer.holds, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        shield_test(what_was_before_a_start_must_be_met_first),
        shield_test(the_front_answers_a_peer_of_its_own),
        shield_test(repetitions_do_not_keep_a_client_from_its_challenge),
        shield_test(what_came_before_is_refused),
        shield_test(what_was_changed_is_refused),
        shield_test(a_flood_is_not_answered_in_full),
        shield_test(the_highest_number_is_the_last),
        shield_test(what_names_no_client_is_the_fronts),
        shield_test(a_stranger_gets_no_long_error),
        shield_test(others_requests_pass_as_they_are),
        shield_test(a_request_waits_for_a_number),
        shield_test(a_key_that_may_not_send_does_nothing),
        shield_test(a_peer_may_go_while_its_request_waits),
        shield_test(a_challenge_that_is_met_proves_the_address),
        shield_test(one_that_went_to_several_addresses_proves_none),
        shield_test(later_responses_are_protected_too),
        shield_test(an_option_of_no_known_class_makes_it_5_02),
        shield_test(a_client_that_is_removed_is_nobody),
        shield_test(what_a_proxy_has_protected_once_more_is_its_clients),
        shield_test(a_third_layer_is_refused),
        shield_test(a_challenge_comes_through_the_layer_outside),
        shield_test(an_inner_replay_is_refused_under_the_layer_outside),
        shield_test(each_layer_may_wait_for_its_numbers),
        shield_test(what_waits_in_a_layer_goes_with_the_peer),
        shield_test(later_responses_have_all_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
