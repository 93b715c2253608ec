/* From a client's message to a group request and back, and the rules for tokens in use, for clients that come and go,
 * and for those whose address nobody has proven. */
#include "coap_desk/fake_peer.h"

#include <string.h>

#include <sodium.h>

static struct ask get(const char *token) {
    return (struct ask){.token = cg_slice_str(token), .path = "lamps", .timeout = 2};
}

static struct ask early_stop(const char *token) { return (struct ask){.token = cg_slice_str(token), .timeout = 0}; }

static struct ask forward_to(const char *uri) {
    return (struct ask){.token = cg_slice_str("t"), .timeout = 2, .options = {{CG_OPT_PROXY_URI, uri, 0}}};
}

static void assert_running(const struct desk_fixture *f, size_t count) {
    assert_int_equal(cg_coap_desk_running(f->desk), count);
    assert_int_equal(cg_gateway_running(f->world->gateway), count);
}

/* ---- There and back ---- */

static void test_answers_come_on_the_clients_token(void **state) {
    struct desk_fixture *f = *state;
    struct cg_coap_peer *peer = &f->peers[0];
    desk_start(f);
    peer_get(f, peer, "token");
    assert_int_equal(f->world->sent_count, 1);
    assert_int_equal(peer->said_count, 0); /* the transport acknowledges it */
    assert_running(f, 1);
    world_answer(f->world, 0, "127.1.0.1", "on");
    world_answer(f->world, 0, "127.1.0.2", "off");
    world_run(f->world);
    assert_int_equal(peer->said_count, 2);
    assert_int_equal(peer->said[0].how, SENT);
    assert_int_equal(peer->said[0].code, CG_CODE(2, 5));
    assert_true(cg_slice_is(peer->said[0].token, "token"));
    assert_true(cg_slice_is(peer->said[0].payload, "on"));
    assert_true(cg_slice_is(peer->said[1].payload, "off"));
    assert_true(said_has(&peer->said[0], f->world->config->options.reply_from, NULL));
    world_advance(f->world, 3 * SECOND);
    assert_int_equal(peer->said_count, 2); /* the end is silent */
    assert_running(f, 0);
    assert_int_equal(peer->holds, 0);
}

static void test_peer_is_held_while_something_runs(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    peer_get(f, &f->peers[0], "a");
    peer_get(f, &f->peers[0], "b");
    assert_int_equal(f->peers[0].holds, 2);
    world_advance(f->world, 3 * SECOND);
    assert_int_equal(f->peers[0].holds, 0);
}

static void test_tokens_of_every_length_come_back(void **state) {
    struct desk_fixture *f = *state;
    static uint8_t bytes[CG_COAP_TOKEN_MAX];
    f->world->config->group.nstart = 100;
    f->world->config->group.probing_burst = 10000;
    desk_start(f);
    static const size_t lengths[] = {0, 1, 8, 9, 13, CG_COAP_TOKEN_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct ask ask = get("");
        ask.token = cg_slice_of(bytes, lengths[i]);
        assert_int_equal(peer_ask(f, &f->peers[0], &ask), 0);
        world_answer(f->world, i, "127.1.0.1", "on");
        world_run(f->world);
        assert_true(cg_slice_equal(peer_last(&f->peers[0])->token, ask.token));
        world_advance(f->world, 100000); /* beyond what a burst is held for */
    }
    assert_int_equal(f->peers[0].said_count, sizeof lengths / sizeof lengths[0]);
}

/* ---- Refusals ---- */

static void test_refusals_are_answers_to_the_request(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    struct ask ask = get("t");
    ask.path = "nowhere";
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(4, 4), "no mapping has this path");
    assert_running(f, 0);
    assert_int_equal(f->peers[0].holds, 0);
    peer_get(f, &f->peers[0], "t"); /* it never ran, so its token is free */
    assert_running(f, 1);
}

static void test_protected_request_to_no_mapping_is_unauthorized(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    struct ask ask = get("t");
    ask.path = "nowhere";
    ask.options[0] = (struct option){CG_OPT_OSCORE, "\x09\x01\x02", 3};
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(4, 1), "Security context not found");
    ask.timeout = NO_TIMEOUT; /* before anything else that is wrong with it */
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(4, 1), "Security context not found");
    assert_int_equal(f->world->sent_count, 0);
}

static void test_refusals_may_be_unwanted(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    struct ask ask = get("t");
    ask.path = "nowhere";
    ask.options[0] = (struct option){CG_OPT_NO_RESPONSE, "\x1a", 1};
    assert_int_equal(peer_ask(f, &f->peers[0], &ask), 0);
    ask.options[0].value = "\x10"; /* of 5.xx */
    assert_int_equal(peer_ask(f, &f->peers[0], &ask), 1);
}

static void test_multicast_timeout_is_required(void **state) {
    struct desk_fixture *f = *state;
    struct cg_slice value;
    desk_start(f); /* the mapping's own timeout is for others */
    struct ask ask = get("t");
    ask.timeout = NO_TIMEOUT;
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(4, 0), "Multicast-Timeout");
    assert_true(said_has(peer_last(&f->peers[0]), f->world->config->options.multicast_timeout, &value));
    assert_int_equal(value.len, 0);
    assert_int_equal(f->world->sent_count, 0);
}

static void test_multicast_timeout_above_the_maximum(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    struct ask ask = get("t");
    ask.timeout = 61;
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(4, 0), "max_timeout");
    assert_false(said_has(peer_last(&f->peers[0]), f->world->config->options.multicast_timeout, NULL));
    assert_int_equal(f->world->sent_count, 0);
}

static void test_multicast_timeout_zero_wants_no_answers(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    struct ask ask = get("t");
    ask.timeout = 0;
    peer_ask(f, &f->peers[0], &ask);
    assert_int_equal(f->world->sent_count, 1);
    world_answer(f->world, 0, "127.1.0.1", "on");
    world_advance(f->world, 3 * SECOND);
    assert_int_equal(f->peers[0].said_count, 0);
    assert_running(f, 0);
}

/* Which client it is comes before what it says: step 2 of GCP §5.2.1 before step 3. */
static void test_who_may_not_hears_that_first(void **state) {
    struct desk_fixture *f = *state;
    f->peers[0].listen.loopback = false; /* anonymous, from elsewhere */
    desk_start(f);
    struct ask ask = get("t");
    ask.timeout = NO_TIMEOUT;
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(4, 1), NULL);
    ask.options[0] = (struct option){1002, "", 0}; /* unsafe to forward, whatever it is */
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(4, 1), NULL);
    f->peers[0].listen.insecure = true;
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(4, 2), NULL);
}

/* draft-ietf-core-oscore-capable-proxies §2.2: it is safe to forward, but nobody knows its class. */
static void test_unknown_options_are_not_protected(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    struct ask ask = get("t");
    ask.options[0] = (struct option){65000, "", 0};
    peer_ask(f, &f->peers[0], &ask);
    assert_int_equal(f->world->sent_count, 1);
    world_mapping(f->world, "lamps")->security = CG_SECURITY_GROUP;
    ask.token = cg_slice_str("u");
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "u", CG_CODE(4, 2), "option 65000");
    assert_int_equal(f->world->sent_count, 1);
}

/* RFC 10020 §3.5.1, RFC 7252 §5.10.2: it is no proxy of groups, or none at all; where it is one, there is a list. */
static void test_forward_proxy_switched_off(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    struct ask ask = forward_to("coap://224.0.1.187/light");
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(5, 1), "\"forward\": true");
    ask = forward_to("coap://lamps.example/light"); /* as a group may be called */
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(5, 1), NULL);
    ask = forward_to("coap://127.1.0.1/light");
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(5, 5), NULL);
    ask.timeout = NO_TIMEOUT; /* which comes before what else is wrong */
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(5, 5), NULL);
    assert_int_equal(f->world->sent_count, 0);
}

static void test_forward_proxy_for_some_groups(void **state) {
    struct desk_fixture *f = *state;
    world_mapping(f->world, "lamps")->forward = true;
    desk_start(f);
    struct ask ask = forward_to("coap://224.0.1.188/light");
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(4, 1), NULL);
    ask = forward_to("coap://224.0.1.187/light");
    assert_int_equal(peer_ask(f, &f->peers[0], &ask), 0);
    assert_int_equal(f->world->sent_count, 1);
}

static void assert_retry_after(const struct cg_coap_peer *peer, uint32_t seconds) {
    struct cg_slice value;
    assert_true(said_has(peer_last(peer), CG_OPT_MAX_AGE, &value));
    assert_int_equal(cg_uint_parse(value), seconds);
}

static void test_full_gateway(void **state) {
    struct desk_fixture *f = *state;
    f->world->config->limits.exchanges = 1;
    desk_start(f);
    peer_get(f, &f->peers[0], "a");
    peer_get(f, &f->peers[1], "b");
    assert_answered(&f->peers[1], "b", CG_CODE(5, 3), "limits.exchanges");
    assert_retry_after(&f->peers[1], 1);
    struct ask stop = early_stop("a"); /* which needs no exchange */
    peer_ask(f, &f->peers[0], &stop);
    peer_get(f, &f->peers[1], "b");
    assert_running(f, 1);
}

static void test_budget(void **state) {
    struct desk_fixture *f = *state;
    world_mapping(f->world, "lamps")->requests_per_minute = 1;
    desk_start(f);
    peer_get(f, &f->peers[0], "a");
    peer_get(f, &f->peers[0], "b");
    assert_answered(&f->peers[0], "b", CG_CODE(4, 29), "requests per minute");
    assert_true(said_has(peer_last(&f->peers[0]), CG_OPT_MAX_AGE, NULL));
}

/* Several ports are one host's, unless it says who it is. */
static void test_exchanges_a_client(void **state) {
    struct desk_fixture *f = *state;
    f->world->config->limits.exchanges_per_client = 1;
    desk_start(f);
    peer_get(f, &f->peers[0], "a");
    peer_get(f, &f->peers[1], "b");
    assert_answered(&f->peers[1], "b", CG_CODE(4, 29), "exchanges_per_client");
    assert_running(f, 1);
}

static void test_stopping_gateway(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    peer_get(f, &f->peers[0], "a");
    cg_gateway_stop(f->world->gateway);
    peer_get(f, &f->peers[0], "b");
    assert_answered(&f->peers[0], "b", CG_CODE(5, 3), "stopping");
    world_answer(f->world, 0, "127.1.0.1", "on");
    world_run(f->world);
    assert_int_equal(peer_last(&f->peers[0])->code, CG_CODE(2, 5));
    assert_running(f, 1);
}

/* ---- Tokens in use ---- */

static void test_early_stop_ends_it(void **state) {
    struct desk_fixture *f = *state;
    struct ask stop = early_stop("t");
    desk_start(f);
    peer_get(f, &f->peers[0], "t");
    assert_int_equal(peer_ask(f, &f->peers[0], &stop), 0); /* acknowledged */
    assert_running(f, 0);
    world_answer(f->world, 0, "127.1.0.1", "on");
    world_advance(f->world, 3 * SECOND);
    assert_int_equal(f->peers[0].said_count, 0);
    assert_int_equal(cg_coap_desk_counts(f->desk)->reused[CG_REUSE_STOPS], 1);
}

static void test_early_stop_is_one_exchanges(void **state) {
    struct desk_fixture *f = *state;
    struct ask stop = early_stop("b");
    desk_start(f);
    peer_get(f, &f->peers[0], "a");
    peer_get(f, &f->peers[0], "b");
    peer_get(f, &f->peers[1], "b");
    peer_ask(f, &f->peers[0], &stop);
    assert_running(f, 2);
}

/* And is not taken for GET /, though there is something. */
static void test_early_stop_where_nothing_runs(void **state) {
    struct desk_fixture *f = *state;
    struct ask stop = early_stop("t");
    world_mapping(f->world, "lamps")->path = "";
    desk_start(f);
    assert_int_equal(peer_ask(f, &f->peers[0], &stop), 0);
    assert_int_equal(f->world->sent_count, 0);
    assert_int_equal(cg_coap_desk_counts(f->desk)->stopped_nothing, 1);
    stop.timeout = 1;
    peer_ask(f, &f->peers[0], &stop);
    assert_int_equal(f->world->sent_count, 1);
}

static void test_same_request_with_observe(void **state) {
    struct desk_fixture *f = *state;
    struct ask ask = get("t");
    ask.options[0] = (struct option){CG_OPT_OBSERVE, "", 0};
    desk_start(f);
    peer_get(f, &f->peers[0], "t");
    assert_int_equal(peer_ask(f, &f->peers[0], &ask), 0);
    assert_running(f, 1);
    assert_int_equal(f->world->sent_count, 1);
    ask.options[0].value = "\x01";
    assert_int_equal(peer_ask(f, &f->peers[0], &ask), 0);
    assert_running(f, 0);
    assert_int_equal(f->world->sent_count, 1);
}

static size_t put_block(struct desk_fixture *f, const char *block, const char *payload) {
    struct ask ask = get("t");
    ask.code = CG_PUT;
    ask.options[0] = (struct option){CG_OPT_BLOCK1, block, 1};
    ask.payload = cg_slice_str(payload);
    return peer_ask(f, &f->peers[0], &ask);
}

#define SIXTEEN "sixteen bytes..."

static void test_body_in_blocks(void **state) {
    struct desk_fixture *f = *state;
    struct cg_slice value;
    desk_start(f);
    assert_int_equal(put_block(f, "\x08", SIXTEEN), 1);
    assert_answered(&f->peers[0], "t", CG_CODE(2, 31), NULL);
    assert_true(said_has(peer_last(&f->peers[0]), CG_OPT_BLOCK1, &value));
    assert_true(cg_slice_is(value, "\x08"));
    assert_running(f, 0); /* nothing runs on the token between blocks */
    assert_int_equal(f->world->sent_count, 0);
    assert_int_equal(put_block(f, "\x10", "last"), 0);
    assert_int_equal(f->world->sent_count, 1);
    assert_true(cg_slice_is(f->world->sent[0].msg.payload, SIXTEEN "last"));
    assert_int_equal(put_block(f, "\x10", "last"), 0); /* again, as a message of its own: nothing new */
    assert_running(f, 1);
    assert_int_equal(f->world->sent_count, 1);
}

/* A member's answer goes by its first block, and the rest to whoever asks that member for it, without its being asked.
 */
static void test_rest_of_a_members_answer(void **state) {
    struct desk_fixture *f = *state;
    struct cg_slice value, etag;
    static char payload[3000];
    memset(payload, 'x', sizeof payload - 1);
    world_mapping(f->world, "lamps")->forward = true;
    world_add_members(f->world, world_mapping(f->world, "lamps"), 2);
    desk_start(f);
    struct ask ask = forward_to("coap://224.0.1.187/big");
    peer_ask(f, &f->peers[0], &ask);
    world_answer(f->world, 0, "127.1.0.1", payload);
    world_run(f->world);
    const struct said *first = peer_last(&f->peers[0]);
    assert_int_equal(first->payload.len, 1024);
    assert_true(said_has(first, CG_OPT_BLOCK2, &value) && cg_slice_is(value, "\x0e"));
    assert_true(said_has(first, CG_OPT_ETAG, &etag));
    ask = forward_to("coap://127.1.0.1/big");
    ask.token = cg_slice_str("u");
    ask.options[1] = (struct option){CG_OPT_BLOCK2, "\x1e", 1};
    assert_int_equal(peer_ask(f, &f->peers[0], &ask), 1);
    assert_answered(&f->peers[0], "u", CG_CODE(2, 5), NULL);
    assert_int_equal(peer_last(&f->peers[0])->payload.len, 1024);
    assert_true(said_has(peer_last(&f->peers[0]), CG_OPT_ETAG, &value) && cg_slice_equal(value, etag));
    assert_int_equal(f->world->sent_count, 1);
    assert_running(f, 1);
}

/* Its response may come within the acknowledgement; those of a group never do. */
static void test_a_single_members_response_is_expected_soon(void **state) {
    struct desk_fixture *f = *state;
    world_mapping(f->world, "lamps")->forward = true;
    world_add_members(f->world, world_mapping(f->world, "lamps"), 2);
    desk_start(f);
    struct ask ask = forward_to("coap://224.0.1.187/status");
    peer_ask(f, &f->peers[0], &ask);
    assert_int_equal(f->peers[0].expects, 0);
    ask = forward_to("coap://127.1.0.1/status");
    ask.token = cg_slice_str("u");
    peer_ask(f, &f->peers[0], &ask);
    assert_int_equal(f->peers[0].expects, 1);
}

static void test_further_blocks_of_a_group_are_never_cast(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    struct ask ask = get("t");
    ask.options[0] = (struct option){CG_OPT_BLOCK2, "\x1e", 1};
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(5, 3), NULL);
    assert_int_equal(f->world->sent_count, 0);
}

static void test_one_response_for_all(void **state) {
    struct desk_fixture *f = *state;
    struct cg_slice value;
    world_mapping(f->world, "lamps")->aggregate = true;
    desk_start(f);
    struct ask ask = get("t");
    ask.options[0] = (struct option){CG_OPT_ACCEPT, "\x3e", 1};
    assert_int_equal(peer_ask(f, &f->peers[0], &ask), 0);
    assert_false(cg_msg_find(&f->world->sent[0].msg, CG_OPT_ACCEPT, &value));
    world_answer(f->world, 0, "127.1.0.1", "on");
    world_answer(f->world, 0, "127.1.0.2", "off");
    world_run(f->world);
    assert_int_equal(f->peers[0].said_count, 0);
    world_advance(f->world, 3 * SECOND);
    assert_int_equal(f->peers[0].said_count, 1);
    const struct said *said = peer_last(&f->peers[0]);
    assert_int_equal(said->code, CG_CODE(2, 5));
    assert_int_equal(said->type, CG_CON);
    assert_true(said_has(said, CG_OPT_CONTENT_FORMAT, &value) && cg_slice_is(value, "\x3e"));
    assert_running(f, 0);
}

static void test_no_response_is_about_the_outcome(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    struct ask ask = get("t");
    ask.code = CG_PUT;
    ask.options[0] = (struct option){CG_OPT_BLOCK1, "\x08", 1};
    ask.options[1] = (struct option){CG_OPT_NO_RESPONSE, "\x1a", 1};
    ask.payload = cg_slice_str(SIXTEEN);
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(2, 31), NULL);
    ask.options[0].value = "\x10";
    assert_int_equal(peer_ask(f, &f->peers[0], &ask), 0);
    assert_int_equal(f->world->sent_count, 1);
}

static void test_blocks_without_those_before(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    put_block(f, "\x10", "last");
    assert_answered(&f->peers[0], "t", CG_CODE(4, 8), NULL);
    assert_running(f, 0);
}

static void test_who_may_not_hears_that_with_the_first_block(void **state) {
    struct desk_fixture *f = *state;
    f->peers[0].listen.loopback = false;
    desk_start(f);
    put_block(f, "\x08", SIXTEEN);
    assert_answered(&f->peers[0], "t", CG_CODE(4, 1), NULL);
}

/* RFC 10020 §3.5.2: what runs ends, nothing is forwarded, 4.00 that says why. */
static void test_other_request_on_a_token_in_use(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    peer_get(f, &f->peers[0], "t");
    peer_get(f, &f->peers[0], "t");
    assert_answered(&f->peers[0], "t", CG_CODE(4, 0), "reverse proxy");
    assert_int_equal(f->world->sent_count, 1);
    assert_running(f, 0);
    world_answer(f->world, 0, "127.1.0.1", "on");
    world_advance(f->world, 3 * SECOND);
    assert_int_equal(f->peers[0].said_count, 1);
    peer_get(f, &f->peers[0], "t"); /* nothing runs on it any more */
    assert_int_equal(f->world->sent_count, 2);
}

static void test_token_is_free_after_the_time(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    peer_get(f, &f->peers[0], "t");
    world_advance(f->world, 3 * SECOND);
    peer_get(f, &f->peers[0], "t");
    assert_int_equal(f->world->sent_count, 2);
    assert_int_equal(f->peers[0].said_count, 0);
}

/* ---- Clients that leave ---- */

static void test_lost_interest_ends_one_exchange(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    peer_get(f, &f->peers[0], "a");
    peer_get(f, &f->peers[0], "b");
    peer_lose(f, &f->peers[0], "a");
    assert_running(f, 1);
    peer_lose(f, &f->peers[0], "a"); /* what comes late is nothing */
    peer_lose(f, &f->peers[1], "b");
    assert_running(f, 1);
    assert_int_equal(cg_coap_desk_counts(f->desk)->lost, 1);
    assert_int_equal(f->peers[0].holds, 1);
}

static void test_gone_peer_ends_all_of_its_own(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    peer_get(f, &f->peers[0], "a");
    peer_get(f, &f->peers[0], "b");
    peer_get(f, &f->peers[1], "a");
    cg_coap_desk_ops.gone(f->desk, &f->peers[0]);
    f->peers[0].holds = 0;
    world_answer(f->world, 0, "127.1.0.1", "on"); /* before it is known inside */
    world_run(f->world);
    assert_int_equal(f->peers[0].said_count, 0);
    assert_running(f, 1);
}

/* It may take it a minute after the time. */
static void test_peer_that_takes_nothing(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    peer_get(f, &f->peers[0], "a");
    f->peers[0].send_error = CG_E_OVERLOAD;
    world_answer(f->world, 0, "127.1.0.1", "on");
    world_advance(f->world, 70 * SECOND);
    assert_int_equal(cg_coap_desk_counts(f->desk)->sent, 0);
    assert_true(cg_coap_desk_counts(f->desk)->unsent > 0);
    assert_running(f, 0);
}

static void test_desk_ends_before_what_runs(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    peer_get(f, &f->peers[0], "a");
    cg_coap_desk_ops.gone(f->desk, &f->peers[0]);
    f->peers[0].holds = 0;
    cg_coap_desk_free(f->desk); /* goes with the gateway */
    f->desk = NULL;
}

/* ---- Clients by their sessions ---- */

static void add_client(struct desk_fixture *f) {
    struct cg_config *config = f->world->config;
    config->clients = cg_arena_zalloc(&config->arena, sizeof *config->clients);
    config->client_count = 1;
    config->clients[0].name = "dashboard";
    world_mapping(f->world, "lamps")->grants[0].client = &config->clients[0];
}

static void test_sessions_client_is_the_requests(void **state) {
    struct desk_fixture *f = *state;
    add_client(f);
    desk_start(f);
    peer_get(f, &f->peers[0], "t");
    assert_answered(&f->peers[0], "t", CG_CODE(4, 1), NULL);
    f->peers[0].client = "dashboard";
    f->peers[0].listen.loopback = false;
    peer_get(f, &f->peers[0], "t");
    assert_running(f, 1);
}

/* Settings in which the client is no more. */
static void test_withdrawn_client_is_told(void **state) {
    struct desk_fixture *f = *state;
    struct world later;
    add_client(f);
    f->peers[0].client = "dashboard";
    desk_start(f);
    struct ask ask = get("t");
    ask.type = CG_NON;
    peer_ask(f, &f->peers[0], &ask);
    peer_get(f, &f->peers[0], "u");
    assert_running(f, 2);
    world_init(&later);
    assert_int_equal(cg_config_index(later.config), CG_OK);
    cg_gateway_adopt(f->world->gateway, later.config);
    world_advance(f->world, SECOND);
    assert_running(f, 0);
    assert_int_equal(f->peers[0].said_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct said *said = &f->peers[0].said[i];
        bool is_first = cg_slice_is(said->token, "t");
        assert_int_equal(said->code, CG_CODE(4, 1));
        assert_int_equal(said->how, SENT);
        assert_int_equal(said->type, is_first ? CG_NON : CG_CON); /* as they asked */
    }
    world_fini(&later);
}

/* ---- Addresses that nobody has proven ---- */

static void unprove(struct cg_coap_peer *peer) {
    peer->proof = CG_COAP_UNPROVEN;
    peer->listen.loopback = false;
    peer->listen.insecure = true;
}

static struct cg_slice challenge_of(const struct cg_coap_peer *peer) {
    struct cg_slice value;
    const struct said *said = peer_last(peer);
    assert_int_equal(said->code, CG_CODE(4, 1));
    assert_int_equal(said->how, ANSWERED);
    assert_int_equal(said->payload.len, 0);
    assert_true(said_has(said, CG_OPT_ECHO, &value));
    assert_int_equal(said->options.len, value.len + 2); /* and nothing else */
    return value;
}

static void test_unproven_address_gets_a_challenge_and_nothing_else(void **state) {
    struct desk_fixture *f = *state;
    struct cg_coap_peer *peer = &f->peers[0];
    unprove(peer);
    desk_start(f);
    const struct ask asks[] = {
        get("t"),
        early_stop("t"),
        {.token = cg_slice_str("t"), .path = "nowhere", .timeout = NO_TIMEOUT},
        {.token = cg_slice_str("t"), .path = ".well-known/core", .timeout = NO_TIMEOUT},
    };
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        assert_int_equal(peer_ask(f, peer, &asks[i]), 1);
        challenge_of(peer);
        assert_null(peer->place); /* nothing is kept */
    }
    assert_int_equal(f->world->sent_count, 0);
    assert_int_equal(cg_gateway_totals(f->world->gateway)->requests_refused, 0);
    struct ask tiny = {.size = 3, .timeout = NO_TIMEOUT};
    assert_int_equal(peer_ask(f, peer, &tiny), 0);
    assert_int_equal(cg_coap_desk_gate(f->desk)->unchallenged, 1);
}

static void test_challenge_that_comes_back_proves_the_address(void **state) {
    struct desk_fixture *f = *state;
    struct cg_coap_peer *peer = &f->peers[0];
    unprove(peer);
    desk_start(f);
    struct ask ask = get("t");
    peer_ask(f, peer, &ask);
    struct cg_slice value = challenge_of(peer);
    ask.options[0] = (struct option){CG_OPT_ECHO, (const char *)value.data, value.len};
    assert_int_equal(peer_ask(f, peer, &ask), 0); /* on the same token */
    assert_running(f, 1);
    assert_int_equal(f->world->sent_count, 1);
    struct cg_slice unused;
    assert_false(cg_msg_find(&f->world->sent[0].msg, CG_OPT_ECHO, &unused));
    peer_get(f, peer, "u"); /* and once is enough */
    assert_running(f, 2);
}

static void test_challenge_is_for_one_address(void **state) {
    struct desk_fixture *f = *state;
    unprove(&f->peers[0]);
    unprove(&f->peers[1]);
    desk_start(f);
    struct ask ask = get("t");
    peer_ask(f, &f->peers[0], &ask);
    struct cg_slice value = challenge_of(&f->peers[0]);
    ask.options[0] = (struct option){CG_OPT_ECHO, (const char *)value.data, value.len};
    peer_ask(f, &f->peers[1], &ask);
    challenge_of(&f->peers[1]);
    assert_int_equal(f->world->sent_count, 0);
}

static void test_multicast_request_is_not_forwarded(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    struct ask ask = get("t");
    ask.reached = CG_COAP_BY_MULTICAST;
    assert_int_equal(peer_ask(f, &f->peers[0], &ask), 0);
    ask.path = "nowhere";
    assert_int_equal(peer_ask(f, &f->peers[0], &ask), 0);
    assert_int_equal(f->world->sent_count, 0);
    assert_running(f, 0);
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        desk_test(test_answers_come_on_the_clients_token),
        desk_test(test_peer_is_held_while_something_runs),
        desk_test(test_tokens_of_every_length_come_back),
        desk_test(test_refusals_are_answers_to_the_request),
        desk_test(test_protected_request_to_no_mapping_is_unauthorized),
        desk_test(test_refusals_may_be_unwanted),
        desk_test(test_multicast_timeout_is_required),
        desk_test(test_multicast_timeout_above_the_maximum),
        desk_test(test_multicast_timeout_zero_wants_no_answers),
        desk_test(test_who_may_not_hears_that_first),
        desk_test(test_unknown_options_are_not_protected),
        desk_test(test_forward_proxy_switched_off),
        desk_test(test_forward_proxy_for_some_groups),
        desk_test(test_full_gateway),
        desk_test(test_budget),
        desk_test(test_exchanges_a_client),
        desk_test(test_stopping_gateway),
        desk_test(test_early_stop_ends_it),
        desk_test(test_early_stop_is_one_exchanges),
        desk_test(test_early_stop_where_nothing_runs),
        desk_test(test_same_request_with_observe),
        desk_test(test_body_in_blocks),
        desk_test(test_no_response_is_about_the_outcome),
        desk_test(test_blocks_without_those_before),
        desk_test(test_rest_of_a_members_answer),
        desk_test(test_a_single_members_response_is_expected_soon),
        desk_test(test_further_blocks_of_a_group_are_never_cast),
        desk_test(test_one_response_for_all),
        desk_test(test_who_may_not_hears_that_with_the_first_block),
        desk_test(test_other_request_on_a_token_in_use),
        desk_test(test_token_is_free_after_the_time),
        desk_test(test_lost_interest_ends_one_exchange),
        desk_test(test_gone_peer_ends_all_of_its_own),
        desk_test(test_peer_that_takes_nothing),
        desk_test(test_desk_ends_before_what_runs),
        desk_test(test_sessions_client_is_the_requests),
        desk_test(test_withdrawn_client_is_told),
        desk_test(test_unproven_address_gets_a_challenge_and_nothing_else),
        desk_test(test_challenge_that_comes_back_proves_the_address),
        desk_test(test_challenge_is_for_one_address),
        desk_test(test_multicast_request_is_not_forwarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
