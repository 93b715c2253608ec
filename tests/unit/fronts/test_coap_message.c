/* The message layer (RFC 7252 §4): what is acknowledged, rejected, ignored, repeated and given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fake_coap_link.h"
#include "fronts/coap/soon.h"
#include "wire/transmission.h"

#define SECOND UINT64_C(1000000)

static int setup(void **state) {
    *state = fake_link_new(&(struct cg_coap_messages_options){0});
    return 0;
}

static int setup_small(void **state) {
    *state = fake_link_new(&(struct cg_coap_messages_options){.remotes = 4, .memory = 2000});
    return 0;
}

static int teardown(void **state) {
    fake_link_free(*state);
    return 0;
}

#define link_test(test)  cmocka_unit_test_setup_teardown(test, setup, teardown)
#define small_test(test) cmocka_unit_test_setup_teardown(test, setup_small, teardown)
#define BYTES(...)       cg_slice_of((const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})
#define TOKEN            BYTES(0xaa, 0xbb)

static const struct cg_coap_counters *counters(const struct fake_link *link) {
    return cg_coap_messages_counters(link->messages);
}

static void assert_last(const struct fake_link *link, enum cg_type type, unsigned code, uint16_t mid) {
    struct cg_envelope last = fake_link_last(link);
    assert_int_equal(last.type, type);
    assert_int_equal(last.code, code);
    assert_int_equal(last.mid, mid);
}

/* ---- Requests ---- */

static void an_answer_to_a_confirmable_request_is_in_its_acknowledgement(void **state) {
    struct fake_link *link = *state;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->requests, 1);
    assert_int_equal(link->sent_count, 1);
    assert_last(link, CG_ACK, CG_CODE(2, 5), 7);
    assert_true(cg_slice_equal(fake_link_last(link).token, TOKEN));
    assert_true(cg_slice_is(fake_link_last(link).payload, "hi"));
}

static void without_an_answer_it_is_acknowledged(void **state) {
    struct fake_link *link = *state;
    link->does = FAKE_FRONT_HOLDS;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->sent_count, 1);
    assert_last(link, CG_ACK, CG_EMPTY, 7);
    cg_coap_peer_release(link->peer);
}

static void a_non_confirmable_request_is_answered_by_a_message_of_its_own(void **state) {
    struct fake_link *link = *state;
    fake_link_message(link, CG_NON, CG_GET, 7, TOKEN);
    assert_int_equal(link->sent_count, 1);
    assert_int_equal(fake_link_last(link).type, CG_NON);
    assert_true(cg_slice_equal(fake_link_last(link).token, TOKEN));
    link->does = FAKE_FRONT_SAYS_NOTHING;
    fake_link_message(link, CG_NON, CG_GET, 8, TOKEN);
    assert_int_equal(link->sent_count, 1);
}

static void the_front_sees_what_came(void **state) {
    struct fake_link *link = *state;
    struct cg_slice get = BYTES(0x42, 1, 0, 9, 0xaa, 0xbb, 0xb1, 'x', 0xff, 'p');
    link->does = FAKE_FRONT_HOLDS;
    fake_link_bring(link, get);
    assert_int_equal(link->request.size, get.len);
    assert_int_equal(link->request.reached, CG_COAP_BY_UNICAST);
    assert_int_equal(link->request.message.code, CG_GET);
    assert_true(cg_slice_equal(link->request.message.options, BYTES(0xb1, 'x')));
    assert_true(cg_slice_is(link->request.message.payload, "p"));
    assert_int_equal(cg_coap_peer_addr(link->peer)->port, 4000);
    assert_int_equal(cg_coap_peer_local(link->peer)->port, 5683);
    assert_ptr_equal(cg_coap_peer_listen(link->peer), &link->listen);
    assert_int_equal(cg_coap_peer_proof(link->peer), CG_COAP_PROVEN);
    assert_int_equal(cg_coap_peer_scheme(link->peer), CG_CRI_COAP);
    assert_null(*cg_coap_peer_place(link->peer));
    struct cg_request request = {0};
    struct cg_problem problem = {0};
    assert_int_equal(cg_coap_peer_identify(link->peer, NULL, &request, &problem), CG_OK);
    assert_null(request.client);
    cg_coap_peer_release(link->peer);
}

/* ---- Tokens (RFC 8974) ---- */

static void tokens_of_every_length_come_back(void **state) {
    struct fake_link *link = *state;
    uint8_t bytes[CG_COAP_TOKEN_MAX];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i + 1);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        fake_link_message(link, CG_CON, CG_GET, (uint16_t)len, cg_slice_of(bytes, len));
        assert_last(link, CG_ACK, CG_CODE(2, 5), (uint16_t)len);
        assert_true(cg_slice_equal(fake_link_last(link).token, cg_slice_of(bytes, len)));
    }
    assert_int_equal(link->requests, sizeof bytes + 1);
}

static void a_token_that_is_too_long_is_a_bad_request_and_no_format_error(void **state) {
    struct fake_link *link = *state;
    uint8_t get[4 + 1 + 65] = {0x4d, CG_GET, 0, 7, 65 - 13};
    fake_link_bring(link, cg_slice_of(get, sizeof get));
    assert_int_equal(link->requests, 0);
    assert_int_equal(link->sent_count, 1);
    assert_int_equal(link->sent[0].bytes[0], 0x6d); /* ACK, with that token */
    assert_int_equal(link->sent[0].bytes[1], CG_CODE(4, 0));
    assert_int_equal(link->sent[0].len, sizeof get);
    assert_int_equal(counters(link)->refused, 1);
    get[0] = 0x5d; /* NON */
    fake_link_bring(link, cg_slice_of(get, sizeof get));
    assert_int_equal(link->sent[1].bytes[0], 0x5d);
    link->proof = CG_COAP_UNPROVEN;
    link->from = "192.0.2.2:4000";
    fake_link_bring(link, cg_slice_of(get, sizeof get));
    assert_int_equal(link->sent_count, 2);
}

/* ---- What is no request ---- */

static void a_ping_is_answered_by_a_reset(void **state) {
    struct fake_link *link = *state;
    fake_link_message(link, CG_CON, CG_EMPTY, 7, CG_SLICE_NONE);
    assert_int_equal(link->sent_count, 1);
    assert_last(link, CG_RST, CG_EMPTY, 7);
    fake_link_message(link, CG_NON, CG_EMPTY, 8, CG_SLICE_NONE);
    assert_int_equal(link->sent_count, 1);
}

static void of_what_has_no_place_here_only_confirmable_messages_are_rejected(void **state) {
    struct fake_link *link = *state;
    static const uint8_t codes[] = {CG_CODE(2, 5), CG_CODE(4, 4), CG_CODE(1, 1), CG_CODE(6, 1), CG_CODE(7, 1)};
    for (size_t i = 0; i < sizeof codes; i++) {
        size_t before = link->sent_count;
        fake_link_message(link, CG_NON, codes[i], 7, TOKEN);
        fake_link_message(link, CG_ACK, codes[i], 7, TOKEN);
        fake_link_message(link, CG_RST, codes[i], 7, TOKEN);
        assert_int_equal(link->sent_count, before);
        fake_link_message(link, CG_CON, codes[i], 7, TOKEN);
        assert_int_equal(link->sent_count, before + 1);
        assert_last(link, CG_RST, CG_EMPTY, 7);
    }
    assert_int_equal(link->requests, 0);
}

static void a_request_is_no_acknowledgement(void **state) {
    struct fake_link *link = *state;
    fake_link_message(link, CG_ACK, CG_GET, 7, TOKEN);
    fake_link_message(link, CG_RST, CG_GET, 8, TOKEN);
    assert_int_equal(link->requests, 0);
    assert_int_equal(link->sent_count, 0);
    assert_int_equal(counters(link)->malformed, 2);
}

static void malformed_messages(void **state) {
    struct fake_link *link = *state;
    static const struct {
        uint8_t bytes[8];
        size_t len;
        bool is_rejected;
    } all[] = {
        {{0x40, 1, 0}, 3, false},                   /* too short for a header */
        {{0x80, 1, 0, 7}, 4, false},                /* another version: ignored in silence (§3) */
        {{0x00, 1, 0, 7}, 4, false},                /* another */
        {{0x4f, 1, 0, 7}, 4, true},                 /* token length 15 */
        {{0x5f, 1, 0, 7}, 4, false},                /* Non-confirmable */
        {{0x42, 1, 0, 7, 1}, 5, true},              /* token cut off */
        {{0x4d, 1, 0, 7}, 4, true},                 /* its length cut off */
        {{0x4e, 1, 0, 7, 0}, 5, true},              /* half of it */
        {{0x41, 0, 0, 7, 1}, 5, true},              /* Empty, with a token */
        {{0x40, 0, 0, 7, 0xff}, 5, true},           /* Empty, with more */
        {{0x40, 1, 0, 7, 0xff}, 5, true},           /* marker without payload */
        {{0x40, 1, 0, 7, 0xf0, 1}, 6, true},        /* option delta 15 */
        {{0x40, 1, 0, 7, 0xb4, 'a', 'b'}, 7, true}, /* option cut off */
        {{0x60, 1, 0, 7, 0xff}, 5, false},          /* an acknowledgement */
        {{0x70, 0, 0, 7, 0xff}, 5, false},          /* a Reset */
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        size_t before = link->sent_count;
        fake_link_bring(link, cg_slice_of(all[i].bytes, all[i].len));
        assert_int_equal(link->sent_count - before, all[i].is_rejected);
        if (all[i].is_rejected) assert_last(link, CG_RST, CG_EMPTY, 7);
    }
    fake_link_bring(link, CG_SLICE_NONE);
    assert_int_equal(link->requests, 0);
    assert_int_equal(counters(link)->malformed, sizeof all / sizeof *all + 1);
    assert_int_equal(cg_coap_messages_remotes(link->messages), 0);
}

/* ---- Groups (RFC 7252 §8.1) ---- */

static void what_was_sent_to_a_group_is_never_rejected_or_acknowledged(void **state) {
    struct fake_link *link = *state;
    link->does = FAKE_FRONT_SAYS_NOTHING;
    fake_link_bring_to_group(link, BYTES(0x40, 0, 0, 7));    /* ping */
    fake_link_bring_to_group(link, BYTES(0x4f, 1, 0, 7));    /* malformed */
    fake_link_bring_to_group(link, BYTES(0x40, 0x45, 0, 7)); /* response */
    fake_link_bring_to_group(link, BYTES(0x40, 1, 0, 7));    /* Confirmable request */
    assert_int_equal(link->requests, 0);
    fake_link_bring_to_group(link, BYTES(0x50, 1, 0, 8));
    assert_int_equal(link->requests, 1);
    assert_int_equal(link->request.reached, CG_COAP_BY_MULTICAST);
    assert_int_equal(link->sent_count, 0);
}

static void an_answer_to_a_group_request_may_come_later(void **state) {
    struct fake_link *link = *state;
    const struct cg_coap_message response = {.code = CG_CODE(2, 5), .token = TOKEN};
    link->proof = CG_COAP_UNPROVEN;
    link->does = FAKE_FRONT_HOLDS;
    fake_link_bring_to_group(link, BYTES(0x52, 1, 0, 8, 0xaa, 0xbb));
    fake_link_bring_to_group(link, BYTES(0x52, 1, 0, 8, 0xaa, 0xbb));
    assert_int_equal(link->requests, 1);
    fake_link_pass(link, SECOND);
    assert_int_equal(cg_coap_peer_send(link->peer, &response, CG_NON), CG_OK);
    assert_int_equal(fake_link_last(link).type, CG_NON);
    cg_coap_peer_release(link->peer);
    assert_int_equal(link->gone, 1);
}

/* ---- Duplicates (RFC 7252 §4.5) ---- */

static void a_duplicate_gets_the_same_bytes_and_is_not_done_again(void **state) {
    struct fake_link *link = *state;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    fake_link_pass(link, 246 * SECOND);
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->requests, 1);
    assert_int_equal(link->sent_count, 2);
    assert_int_equal(link->sent[0].len, link->sent[1].len);
    assert_memory_equal(link->sent[0].bytes, link->sent[1].bytes, link->sent[0].len);
    assert_int_equal(counters(link)->duplicates, 1);
}

static void a_duplicate_of_what_runs_is_acknowledged_again(void **state) {
    struct fake_link *link = *state;
    link->does = FAKE_FRONT_HOLDS;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->requests, 1);
    assert_int_equal(link->sent_count, 2);
    assert_last(link, CG_ACK, CG_EMPTY, 7);
    cg_coap_peer_release(link->peer);
}

static void of_a_non_confirmable_duplicate_nothing_comes(void **state) {
    struct fake_link *link = *state;
    fake_link_message(link, CG_NON, CG_GET, 7, TOKEN);
    fake_link_message(link, CG_NON, CG_GET, 7, TOKEN);
    assert_int_equal(link->requests, 1);
    assert_int_equal(link->sent_count, 1);
}

static void a_message_id_is_new_after_exchange_lifetime(void **state) {
    struct fake_link *link = *state;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    fake_link_pass(link, CG_EXCHANGE_LIFETIME_US);
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->requests, 2);
}

static void another_port_or_address_of_ours_is_another_peer(void **state) {
    struct fake_link *link = *state;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    link->from = "192.0.2.1:4001";
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    link->to = "192.0.2.8:5683";
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->requests, 3);
    assert_int_equal(cg_coap_messages_remotes(link->messages), 3);
}

static void whoever_floods_forgets_its_own_requests_first(void **state) {
    struct fake_link *link = *state;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    link->from = "192.0.2.2:4000";
    for (uint16_t mid = 0; mid < 1000; mid++) fake_link_message(link, CG_CON, CG_GET, mid, TOKEN);
    unsigned requests = link->requests;
    assert_true(cg_coap_messages_forgotten(link->messages) > 900);
    fake_link_message(link, CG_CON, CG_GET, 999, TOKEN);
    link->from = "192.0.2.1:4000";
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->requests, requests);
    assert_int_equal(counters(link)->duplicates, 2);
}

/* ---- Peers ---- */

static void nothing_is_remembered_of_an_address_that_is_not_proven(void **state) {
    struct fake_link *link = *state;
    link->proof = CG_COAP_UNPROVEN;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->gone, 1);
    assert_int_equal(cg_coap_messages_remotes(link->messages), 0);
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->requests, 2);
    assert_int_equal(link->sent_count, 2);
}

static void whoever_is_not_proven_gets_only_what_the_front_says(void **state) {
    struct fake_link *link = *state;
    link->proof = CG_COAP_UNPROVEN;
    link->does = FAKE_FRONT_SAYS_NOTHING;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->requests, 1);
    assert_int_equal(link->sent_count, 0);
}

static void an_address_that_was_proven_stays_so_while_it_is_remembered(void **state) {
    struct fake_link *link = *state;
    link->proof = CG_COAP_UNPROVEN;
    link->does = FAKE_FRONT_PROVES;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_last(link, CG_ACK, CG_EMPTY, 7);
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->requests, 1);
    cg_coap_peer_release(link->peer);
    link->does = FAKE_FRONT_ANSWERS;
    fake_link_pass(link, 200 * SECOND);
    fake_link_message(link, CG_CON, CG_GET, 8, TOKEN);
    assert_int_equal(cg_coap_peer_proof(link->peer), CG_COAP_PROVEN);
    fake_link_pass(link, 248 * SECOND);
    assert_int_equal(link->gone, 1);
    assert_int_equal(cg_coap_messages_remotes(link->messages), 0);
}

/* However busy its client is: somebody else may have its address by then. What runs goes on. */
static void a_proof_ends_though_its_address_is_used(void **state) {
    struct fake_link *link = *state;
    link->proof = CG_COAP_UNPROVEN;
    link->does = FAKE_FRONT_PROVES;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    link->does = FAKE_FRONT_ANSWERS;
    fake_link_pass(link, 599 * SECOND);
    fake_link_message(link, CG_CON, CG_GET, 8, TOKEN);
    assert_int_equal(cg_coap_peer_proof(link->peer), CG_COAP_PROVEN);
    fake_link_pass(link, SECOND);
    fake_link_message(link, CG_CON, CG_GET, 9, TOKEN);
    assert_int_equal(cg_coap_peer_proof(link->peer), CG_COAP_UNPROVEN);
    assert_int_equal(link->gone, 0);
    fake_link_message(link, CG_CON, CG_GET, 9, TOKEN); /* nothing is remembered of what was said to it */
    assert_int_equal(link->requests, 4);
    assert_last(link, CG_ACK, CG_CODE(2, 5), 9);
    link->does = FAKE_FRONT_PROVES;
    fake_link_message(link, CG_CON, CG_GET, 10, TOKEN);
    assert_int_equal(cg_coap_peer_proof(link->peer), CG_COAP_PROVEN);
    cg_coap_peer_release(link->peer);
    cg_coap_peer_release(link->peer);
}

static void a_proof_that_the_transport_gives_has_no_end(void **state) {
    struct fake_link *link = *state;
    link->does = FAKE_FRONT_HOLDS;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    fake_link_pass(link, 3600 * SECOND);
    link->does = FAKE_FRONT_ANSWERS;
    fake_link_message(link, CG_CON, CG_GET, 8, TOKEN);
    assert_int_equal(cg_coap_peer_proof(link->peer), CG_COAP_PROVEN);
    cg_coap_peer_release(link->peer);
}

static void a_held_peer_stays(void **state) {
    struct fake_link *link = *state;
    link->does = FAKE_FRONT_HOLDS;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    struct cg_coap_peer *peer = link->peer;
    *cg_coap_peer_place(peer) = link;
    fake_link_pass(link, 3600 * SECOND);
    assert_int_equal(link->gone, 0);
    assert_ptr_equal(*cg_coap_peer_place(peer), link);
    cg_coap_peer_release(peer);
    fake_link_pass(link, 246 * SECOND);
    assert_int_equal(link->gone, 0);
    fake_link_pass(link, 3 * SECOND);
    assert_int_equal(link->gone, 1);
}

static const char *const froms[] = {"192.0.2.1:1", "192.0.2.2:1", "192.0.2.2:2", "192.0.2.2:3", "192.0.2.3:1"};

static void for_a_new_peer_the_host_that_has_most_loses_its_oldest(void **state) {
    struct fake_link *link = *state;
    for (size_t i = 0; i < 5; i++) {
        link->from = froms[i];
        fake_link_message(link, CG_NON, CG_GET, 7, TOKEN);
    }
    assert_int_equal(link->requests, 5);
    assert_int_equal(link->gone, 1);
    link->from = froms[0];
    fake_link_message(link, CG_NON, CG_GET, 7, TOKEN); /* is remembered */
    assert_int_equal(link->requests, 5);
    link->from = froms[1];
    fake_link_message(link, CG_NON, CG_GET, 7, TOKEN); /* is not */
    assert_int_equal(link->requests, 6);
}

static void where_all_are_held_others_are_refused(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peers[4];
    link->does = FAKE_FRONT_HOLDS;
    for (size_t i = 0; i < 4; i++) {
        link->from = froms[i];
        fake_link_message(link, CG_NON, CG_GET, 7, TOKEN);
        peers[i] = link->peer;
    }
    link->from = froms[4];
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_last(link, CG_ACK, CG_CODE(5, 3), 7);
    assert_true(cg_slice_equal(fake_link_last(link).token, TOKEN));
    assert_int_equal(counters(link)->refused, 1);
    for (size_t i = 0; i < 4; i++) cg_coap_peer_release(peers[i]);
    fake_link_message(link, CG_CON, CG_GET, 8, TOKEN);
    assert_int_equal(link->requests, 5);
    cg_coap_peer_release(link->peer);
}

/* ---- Responses of ours ---- */

/* One whose request runs. */
static struct cg_coap_peer *hold(struct fake_link *link) {
    link->does = FAKE_FRONT_HOLDS;
    fake_link_message(link, CG_NON, CG_GET, 7, TOKEN);
    return link->peer;
}

static const struct cg_coap_message *response(void) {
    static const uint8_t token[] = {0xaa, 0xbb}, options[] = {0xc0};
    static struct cg_coap_message message;
    message = (struct cg_coap_message){.code = CG_CODE(2, 5),
                                       .token = cg_slice_of(token, 2),
                                       .options = cg_slice_of(options, 1),
                                       .payload = cg_slice_str("on")};
    return &message;
}

static void separate_responses_are_numbered(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = hold(link);
    for (int i = 0; i < 3; i++) assert_int_equal(cg_coap_peer_send(peer, response(), CG_NON), CG_OK);
    assert_int_equal(link->sent_count, 3);
    assert_last(link, CG_NON, CG_CODE(2, 5), 0x7f7f + 2);
    assert_true(cg_slice_equal(fake_link_last(link).options, response()->options));
    assert_true(cg_slice_equal(fake_link_last(link).payload, response()->payload));
    cg_coap_peer_release(peer);
}

static void no_message_id_is_used_twice_within_its_lifetime(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = hold(link);
    unsigned sent = 0;
    while (cg_coap_peer_send(peer, response(), CG_NON) == CG_OK) {
        sent++;
        link->sent_count = 0;
        assert_true(sent <= 65536);
    }
    assert_true(sent > 65536 - 65536 / 8);
    fake_link_pass(link, CG_NON_LIFETIME_US - SECOND);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_NON), CG_E_OVERLOAD);
    fake_link_pass(link, SECOND);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_NON), CG_OK);
    cg_coap_peer_release(peer);
}

static void a_confirmable_response_that_waits_for_a_message_id_may_be_unwanted_by_then(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = hold(link);
    while (cg_coap_peer_send(peer, response(), CG_NON) == CG_OK) link->sent_count = 0;
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_OK);
    assert_int_equal(link->sent_count, 0);
    fake_link_message(link, CG_RST, CG_EMPTY, 0x7f7f, CG_SLICE_NONE);
    assert_int_equal(link->lost, 1);
    fake_link_pass(link, CG_EXCHANGE_LIFETIME_US);
    assert_int_equal(link->sent_count, 0);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_OK);
    assert_int_equal(link->sent_count, 1);
    cg_coap_peer_release(peer);
}

static void a_session_takes_nobodys_place(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_path path = fake_link_path(link);
    path.session = link;
    for (size_t i = 0; i < 4; i++) {
        link->from = froms[i];
        fake_link_message(link, CG_NON, CG_GET, 7, TOKEN);
    }
    struct cg_coap_peer *peer = cg_coap_messages_begin(link->messages, &path);
    assert_non_null(peer);
    assert_int_equal(link->gone, 0);
    cg_coap_messages_end(peer);
}

static void a_reset_says_which_exchange_nobody_wants(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = hold(link);
    struct cg_coap_message other = *response();
    other.token = BYTES(0xcc);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(cg_coap_peer_send(peer, response(), CG_NON), CG_OK);
        assert_int_equal(cg_coap_peer_send(peer, &other, CG_NON), CG_OK);
    }
    fake_link_message(link, CG_RST, CG_EMPTY, 0x7f7f + 3, CG_SLICE_NONE);
    assert_int_equal(link->lost, 1);
    assert_true(cg_slice_equal(cg_coap_token_slice(&link->token), other.token));
    fake_link_message(link, CG_RST, CG_EMPTY, 0x7f7f + 8, CG_SLICE_NONE);
    assert_int_equal(link->lost, 2);
    assert_true(cg_slice_equal(cg_coap_token_slice(&link->token), TOKEN));
    fake_link_message(link, CG_RST, CG_EMPTY, 0x7f7f + 10, CG_SLICE_NONE);
    assert_int_equal(link->lost, 2);
    assert_int_equal(counters(link)->resets, 3);
    link->from = "192.0.2.1:4001";
    fake_link_message(link, CG_RST, CG_EMPTY, 0x7f7f + 3, CG_SLICE_NONE);
    assert_int_equal(link->lost, 2);
    cg_coap_peer_release(peer);
}

static void a_confirmable_response_is_sent_until_it_is_acknowledged(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = hold(link);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_OK);
    assert_int_equal(link->sent_count, 1);
    assert_last(link, CG_CON, CG_CODE(2, 5), 0x7f7f);
    fake_link_pass(link, 3 * SECOND);
    assert_int_equal(link->sent_count, 2);
    assert_memory_equal(link->sent[0].bytes, link->sent[1].bytes, link->sent[0].len);
    fake_link_message(link, CG_ACK, CG_EMPTY, 0x7f7e, CG_SLICE_NONE);
    assert_int_equal(link->acknowledged, 0);
    fake_link_message(link, CG_ACK, CG_EMPTY, 0x7f7f, CG_SLICE_NONE);
    assert_int_equal(link->acknowledged, 1);
    assert_true(cg_slice_equal(cg_coap_token_slice(&link->token), TOKEN));
    fake_link_pass(link, 100 * SECOND);
    assert_int_equal(link->sent_count, 2);
    assert_int_equal(counters(link)->retransmissions, 1);
    assert_int_equal(link->lost, 0);
    cg_coap_peer_release(peer);
}

static void it_is_given_up_after_four_retransmissions(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = hold(link);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_OK);
    uint64_t begin_us = link->now_us;
    while (link->lost == 0) fake_link_pass(link, SECOND / 10);
    assert_int_equal(link->sent_count, 5);
    uint64_t took_us = link->now_us - begin_us; /* 31 times ACK_TIMEOUT, times 1 to 1.5 */
    assert_true(took_us >= 62 * SECOND && took_us <= 93 * SECOND + SECOND);
    assert_true(cg_slice_equal(cg_coap_token_slice(&link->token), TOKEN));
    assert_int_equal(counters(link)->unacknowledged, 1);
    cg_coap_peer_release(peer);
}

static void confirmable_responses_go_one_at_a_time(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = hold(link);
    struct cg_coap_message other = *response();
    other.token = BYTES(0xcc);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_OK);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_OK);
    assert_int_equal(cg_coap_peer_send(peer, &other, CG_CON), CG_OK);
    assert_int_equal(link->sent_count, 1);
    fake_link_message(link, CG_RST, CG_EMPTY, 0x7f7f, CG_SLICE_NONE); /* what waits with that token goes, too */
    assert_int_equal(link->lost, 1);
    assert_int_equal(link->sent_count, 2);
    assert_last(link, CG_CON, CG_CODE(2, 5), 0x7f7f + 1);
    assert_true(cg_slice_equal(fake_link_last(link).token, other.token));
    fake_link_message(link, CG_ACK, CG_EMPTY, 0x7f7f + 1, CG_SLICE_NONE);
    assert_int_equal(link->acknowledged, 1);
    cg_coap_peer_release(peer);
}

static void so_many_wait_and_no_more(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = hold(link);
    int taken = 0;
    while (cg_coap_peer_send(peer, response(), CG_CON) == CG_OK) taken++;
    assert_int_equal(taken, 32);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_E_OVERLOAD);
    cg_coap_peer_release(peer);
    assert_int_equal(link->gone, 0); /* something of it is under way */
}

static void what_does_not_fit_does_not_go(void **state) {
    struct fake_link *link = *state;
    uint8_t large[CG_COAP_DATAGRAM_ROOM] = {0};
    struct cg_coap_peer *peer = hold(link);
    struct cg_coap_message message = *response();
    message.payload = cg_slice_of(large, sizeof large - 4 - 2 - 1 - 1);
    assert_int_equal(cg_coap_peer_room(peer), CG_COAP_MESSAGE_MAX);
    assert_int_equal(cg_coap_peer_send(peer, &message, CG_NON), CG_OK);
    message.payload.len++;
    assert_int_equal(cg_coap_peer_send(peer, &message, CG_NON), CG_E_TOO_BIG);
    assert_int_equal(cg_coap_peer_send(peer, &message, CG_CON), CG_E_TOO_BIG);
    link->room = 100;
    assert_int_equal(cg_coap_peer_room(peer), 100);
    message.payload.len = 93;
    assert_int_equal(cg_coap_peer_send(peer, &message, CG_NON), CG_E_TOO_BIG);
    assert_int_equal(link->sent_count, 1);
    cg_coap_peer_release(peer);
}

static void what_the_transport_does_not_take_is_counted(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = hold(link);
    link->send_result = CG_E_OVERLOAD;
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_NON), CG_E_OVERLOAD);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_OK); /* is sent again */
    assert_int_equal(counters(link)->dropped, 2);
    link->send_result = CG_OK;
    fake_link_pass(link, 3 * SECOND);
    assert_int_equal(link->sent_count, 1);
    cg_coap_peer_release(peer);
}

/* ---- Responses that are to come soon (RFC 7252 §5.2.1) ---- */

static struct cg_coap_peer *expect(struct fake_link *link, uint16_t mid) {
    link->does = FAKE_FRONT_EXPECTS;
    fake_link_message(link, CG_CON, CG_GET, mid, TOKEN);
    return link->peer;
}

static void a_response_within_a_little_is_in_the_acknowledgement(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = expect(link, 7);
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN); /* a duplicate meanwhile */
    assert_int_equal(link->sent_count, 0);
    fake_link_pass(link, CG_COAP_SOON_US - 1);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_OK);
    assert_int_equal(link->sent_count, 1);
    assert_last(link, CG_ACK, CG_CODE(2, 5), 7);
    assert_true(cg_slice_equal(fake_link_last(link).token, TOKEN));
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->requests, 1);
    assert_int_equal(link->sent_count, 2);
    assert_last(link, CG_ACK, CG_CODE(2, 5), 7);
    fake_link_pass(link, 100 * SECOND);
    assert_int_equal(link->sent_count, 2);
    assert_int_equal(link->acknowledged + link->lost, 0);
    cg_coap_peer_release(peer);
}

static void one_that_takes_longer_is_separate(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = expect(link, 7);
    fake_link_pass(link, CG_COAP_SOON_US);
    assert_int_equal(link->sent_count, 1);
    assert_last(link, CG_ACK, CG_EMPTY, 7);
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->sent_count, 2);
    assert_last(link, CG_ACK, CG_EMPTY, 7);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_OK);
    assert_int_equal(fake_link_last(link).type, CG_CON);
    cg_coap_peer_release(peer);
}

static void another_request_sends_the_acknowledgement_ahead(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = expect(link, 7);
    (void)expect(link, 8);
    assert_int_equal(link->sent_count, 1);
    assert_last(link, CG_ACK, CG_EMPTY, 7);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_OK);
    assert_last(link, CG_ACK, CG_CODE(2, 5), 8);
    cg_coap_peer_release(peer);
    cg_coap_peer_release(peer);
}

static void what_is_too_large_for_it_waits_for_a_smaller_one(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = expect(link, 7);
    link->room = 10;
    struct cg_coap_message large = *response();
    large.payload = cg_slice_str("too large for it");
    assert_int_equal(cg_coap_peer_send(peer, &large, CG_CON), CG_E_TOO_BIG);
    large.payload = CG_SLICE_NONE;
    assert_int_equal(cg_coap_peer_send(peer, &large, CG_CON), CG_OK);
    assert_last(link, CG_ACK, large.code, 7);
    cg_coap_peer_release(peer);
}

static void a_peer_whose_request_waits_is_not_forgotten_before(void **state) {
    struct fake_link *link = *state;
    cg_coap_peer_release(expect(link, 7));
    fake_link_pass(link, CG_COAP_SOON_US);
    assert_last(link, CG_ACK, CG_EMPTY, 7);
    assert_int_equal(link->gone, 0);
    fake_link_pass(link, 300 * SECOND);
    assert_int_equal(link->gone, 1);
}

static void a_session_that_ends_takes_it_along(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_path path = fake_link_path(link);
    path.session = link;
    link->does = FAKE_FRONT_EXPECTS;
    struct cg_coap_peer *peer = cg_coap_messages_begin(link->messages, &path);
    cg_coap_messages_take_from(peer, BYTES(0x42, 1, 0, 7, 0xaa, 0xbb));
    cg_coap_messages_end(peer);
    fake_link_pass(link, SECOND);
    assert_int_equal(link->sent_count, 0);
}

static void only_confirmable_requests_wait(void **state) {
    struct fake_link *link = *state;
    link->does = FAKE_FRONT_EXPECTS;
    fake_link_message(link, CG_NON, CG_GET, 7, TOKEN);
    assert_int_equal(cg_coap_peer_send(link->peer, response(), CG_CON), CG_OK);
    assert_int_equal(fake_link_last(link).type, CG_CON);
    cg_coap_peer_release(link->peer);
}

static void of_who_is_not_proven_it_is_forgotten_with_the_response(void **state) {
    struct fake_link *link = *state;
    link->proof = CG_COAP_UNPROVEN;
    struct cg_coap_peer *peer = expect(link, 8);
    fake_link_message(link, CG_CON, CG_GET, 8, TOKEN); /* a duplicate meanwhile */
    assert_int_equal(link->requests, 1);
    assert_int_equal(link->sent_count, 0);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_OK);
    assert_last(link, CG_ACK, CG_CODE(2, 5), 8);
    cg_coap_peer_release(peer);
    assert_int_equal(link->gone, 1);
    fake_link_message(link, CG_CON, CG_GET, 8, TOKEN);
    assert_int_equal(link->requests, 2);
    cg_coap_peer_release(link->peer);
}

static void who_is_proven_meanwhile_is_remembered(void **state) {
    struct fake_link *link = *state;
    link->proof = CG_COAP_UNPROVEN;
    struct cg_coap_peer *peer = expect(link, 8);
    cg_coap_peer_prove(peer);
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_OK);
    cg_coap_peer_release(peer);
    fake_link_message(link, CG_CON, CG_GET, 8, TOKEN);
    assert_int_equal(link->requests, 1);
    assert_last(link, CG_ACK, CG_CODE(2, 5), 8);
}

/* ---- What is ignored ---- */

static void what_is_ignored_is_a_request_again(void **state) {
    struct fake_link *link = *state;
    link->does = FAKE_FRONT_IGNORES;
    for (unsigned i = 1; i <= 2; i++) {
        fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
        assert_int_equal(link->requests, i);
    }
    assert_int_equal(link->sent_count, 0);
    link->does = FAKE_FRONT_ANSWERS;
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_last(link, CG_ACK, CG_CODE(2, 5), 7);
}

static void what_is_ignored_in_the_end_is_not_acknowledged_either(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_peer *peer = expect(link, 7);
    cg_coap_peer_ignore(peer);
    cg_coap_peer_release(peer);
    fake_link_pass(link, 10 * CG_COAP_SOON_US);
    assert_int_equal(link->sent_count, 0);
    fake_link_message(link, CG_CON, CG_GET, 7, TOKEN);
    assert_int_equal(link->requests, 2);
    cg_coap_peer_release(link->peer);
}

/* ---- Sessions ---- */

static void a_session_is_one_peer_from_begin_to_end(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_path path = fake_link_path(link);
    path.session = link;
    struct cg_coap_peer *peer = cg_coap_messages_begin(link->messages, &path);
    assert_non_null(peer);
    cg_coap_messages_take_from(peer, BYTES(0x42, 1, 0, 7, 0xaa, 0xbb));
    cg_coap_messages_take_from(peer, BYTES(0x42, 1, 0, 7, 0xaa, 0xbb));
    assert_int_equal(link->requests, 1);
    assert_ptr_equal(link->peer, peer);
    assert_int_equal(link->sent_count, 2);
    fake_link_pass(link, 3600 * SECOND);
    assert_int_equal(link->gone, 0);
    assert_int_equal(cg_coap_messages_remotes(link->messages), 0);
    assert_false(cg_coap_peer_is_held(peer));
    cg_coap_peer_hold(peer);
    assert_true(cg_coap_peer_is_held(peer));
    assert_int_equal(cg_coap_peer_send(peer, response(), CG_CON), CG_OK);
    cg_coap_messages_end(peer);
    assert_int_equal(link->gone, 1);
    fake_link_pass(link, 100 * SECOND);
    assert_int_equal(link->sent_count, 3);
}

static void a_new_session_knows_no_requests_of_the_former(void **state) {
    struct fake_link *link = *state;
    struct cg_coap_path path = fake_link_path(link);
    path.session = link;
    for (unsigned i = 1; i <= 2; i++) {
        struct cg_coap_peer *peer = cg_coap_messages_begin(link->messages, &path);
        cg_coap_messages_take_from(peer, BYTES(0x42, 1, 0, 7, 0xaa, 0xbb));
        assert_int_equal(link->requests, i);
        cg_coap_messages_end(peer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        link_test(an_answer_to_a_confirmable_request_is_in_its_acknowledgement),
        link_test(without_an_answer_it_is_acknowledged),
        link_test(a_non_confirmable_request_is_answered_by_a_message_of_its_own),
        link_test(the_front_sees_what_came),
        link_test(tokens_of_every_length_come_back),
        link_test(a_token_that_is_too_long_is_a_bad_request_and_no_format_error),
        link_test(a_ping_is_answered_by_a_reset),
        link_test(of_what_has_no_place_here_only_confirmable_messages_are_rejected),
        link_test(a_request_is_no_acknowledgement),
        link_test(malformed_messages),
        link_test(what_was_sent_to_a_group_is_never_rejected_or_acknowledged),
        link_test(an_answer_to_a_group_request_may_come_later),
        link_test(a_duplicate_gets_the_same_bytes_and_is_not_done_again),
        link_test(a_duplicate_of_what_runs_is_acknowledged_again),
        link_test(of_a_non_confirmable_duplicate_nothing_comes),
        link_test(a_message_id_is_new_after_exchange_lifetime),
        link_test(another_port_or_address_of_ours_is_another_peer),
        small_test(whoever_floods_forgets_its_own_requests_first),
        link_test(nothing_is_remembered_of_an_address_that_is_not_proven),
        link_test(whoever_is_not_proven_gets_only_what_the_front_says),
        link_test(an_address_that_was_proven_stays_so_while_it_is_remembered),
        link_test(a_proof_ends_though_its_address_is_used),
        link_test(a_proof_that_the_transport_gives_has_no_end),
        link_test(a_held_peer_stays),
        small_test(for_a_new_peer_the_host_that_has_most_loses_its_oldest),
        small_test(where_all_are_held_others_are_refused),
        link_test(separate_responses_are_numbered),
        link_test(no_message_id_is_used_twice_within_its_lifetime),
        link_test(a_confirmable_response_that_waits_for_a_message_id_may_be_unwanted_by_then),
        small_test(a_session_takes_nobodys_place),
        link_test(a_reset_says_which_exchange_nobody_wants),
        link_test(a_confirmable_response_is_sent_until_it_is_acknowledged),
        link_test(it_is_given_up_after_four_retransmissions),
        link_test(confirmable_responses_go_one_at_a_time),
        link_test(so_many_wait_and_no_more),
        link_test(what_does_not_fit_does_not_go),
        link_test(what_the_transport_does_not_take_is_counted),
        link_test(a_response_within_a_little_is_in_the_acknowledgement),
        link_test(one_that_takes_longer_is_separate),
        link_test(another_request_sends_the_acknowledgement_ahead),
        link_test(what_is_too_large_for_it_waits_for_a_smaller_one),
        link_test(a_peer_whose_request_waits_is_not_forgotten_before),
        link_test(a_session_that_ends_takes_it_along),
        link_test(only_confirmable_requests_wait),
        link_test(of_who_is_not_proven_it_is_forgotten_with_the_response),
        link_test(who_is_proven_meanwhile_is_remembered),
        link_test(what_is_ignored_is_a_request_again),
        link_test(what_is_ignored_in_the_end_is_not_acknowledged_either),
        link_test(a_session_is_one_peer_from_begin_to_end),
        link_test(a_new_session_knows_no_requests_of_the_former),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
