/* Clients that protect their requests to the gateway by OSCORE, without sockets: what the front hears of them, what
 * goes out, and that there is a number for each response before the front hears anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/container.h"
#include "fronts/coap/layer.h"
#include "fronts/coap/shield.h"
#include "oscore/oscore.h"
#include "settings/client_oscore.h"

enum { ROOM = 2048, SAID_MAX = 8, HEARD_MAX = 8, CLIENTS = 2 };

/* ---- The transport below: one peer ---- */

enum how { ANSWERED, SENT, IGNORED };

struct said {
    enum how how;
    struct cg_msg msg;
    struct cg_slice token;
    uint8_t bytes[ROOM];
};

/* A client's side of a context. */
struct owner {
    struct cg_oscore_context *context;
    struct cg_oscore_peer *gateway;
    uint64_t number;
};

struct heard {
    const struct cg_coap_peer *peer;
    uint8_t code;
    const char *client; /* NULL: nobody */
};

struct side {
    struct cg_coap_peer outer;
    struct cg_coap_transport transport;
    struct cg_listen listen;
    struct cg_coap_shield *shield;
    struct cg_config config;
    struct cg_client clients[CLIENTS];
    struct cg_senders senders;
    struct cg_store store;
    struct cg_store_job *job; /* that the store has to do; NULL: none */
    bool is_slow;             /* the store answers when the test says so */
    uint64_t next;
    struct owner owners[CLIENTS];
    struct cg_oscore_binding binding; /* of the first one's latest request */
    struct said said[SAID_MAX];
    size_t said_count;
    struct heard heard[HEARD_MAX];
    size_t heard_count;
    bool answers; /* the front does, at once; else it holds the peer and sends later */
    struct cg_coap_peer *held;
    unsigned expected, lost;
};

static struct side *side_of(struct cg_coap_peer *peer) { return CG_CONTAINER(peer, struct side, outer); }

static void say(struct side *side, enum how how, const struct cg_coap_message *message) {
    struct said *said = &side->said[side->said_count++];
    assert_true(side->said_count <= SAID_MAX);
    *said = (struct said){.how = how};
    if (message == NULL) return;
    size_t len = message->options.len;
    if (len > 0) memcpy(said->bytes, message->options.data, len);
    if (message->token.len > 0) memcpy(said->bytes + len, message->token.data, message->token.len);
    said->token = cg_slice_of(said->bytes + len, message->token.len);
    len += message->token.len;
    if (message->payload.len > 0) memcpy(said->bytes + len, message->payload.data, message->payload.len);
    said->msg = (struct cg_msg){.code = message->code,
                                .options = cg_slice_of(said->bytes, message->options.len),
                                .payload = cg_slice_of(said->bytes + len, message->payload.len)};
}

static void outer_answer(struct cg_coap_peer *peer, const struct cg_coap_message *response) {
    say(side_of(peer), ANSWERED, response);
}

static void outer_expect(struct cg_coap_peer *peer) { side_of(peer)->expected++; }
static void outer_ignore(struct cg_coap_peer *peer) { say(side_of(peer), IGNORED, NULL); }

static int outer_send(struct cg_coap_peer *peer, const struct cg_coap_message *response, enum cg_type type) {
    (void)type;
    say(side_of(peer), SENT, response);
    return CG_OK;
}

static void outer_prove(struct cg_coap_peer *peer) { peer->path.proof = CG_COAP_PROVEN; }

static size_t outer_room(const struct cg_coap_peer *peer) {
    (void)peer;
    return 1232;
}

static void outer_settle(struct cg_coap_peer *peer) { (void)peer; }

static const struct cg_coap_layer outer_layer = {.answer = outer_answer,
                                                 .expect = outer_expect,
                                                 .ignore = outer_ignore,
                                                 .send = outer_send,
                                                 .prove = outer_prove,
                                                 .room = outer_room,
                                                 .settle = outer_settle};
static const struct cg_coap_transport_ops outer_transport = {.scheme = CG_CRI_COAP};

/* ---- The front behind ---- */

static void front_request(void *ctx, struct cg_coap_peer *peer, const struct cg_coap_request *request) {
    struct side *side = ctx;
    struct cg_request identified = {.method = 0};
    struct cg_problem problem = {0};
    const struct cg_coap_message response = {.code = CG_CODE(2, 5), .token = request->message.token};
    assert_int_equal(cg_coap_peer_identify(peer, &side->config, &identified, &problem), CG_OK);
    side->heard[side->heard_count++] =
        (struct heard){peer, request->message.code, identified.client == NULL ? NULL : identified.client->name};
    if (side->answers) {
        cg_coap_peer_answer(peer, &response);
    } else {
        cg_coap_peer_hold_for(peer, request->message.token);
        side->held = peer;
    }
}

static void front_token(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    ((struct side *)ctx)->lost++;
    (void)peer;
    (void)token;
}

static void front_gone(void *ctx, struct cg_coap_peer *peer) {
    (void)ctx;
    (void)peer;
}

static const struct cg_coap_peer_ops front = {
    .request = front_request, .lost = front_token, .acknowledged = front_token, .gone = front_gone};

static const struct cg_config *config_of(void *of) { return &((struct side *)of)->config; }

static uint64_t now_us(void *of) {
    (void)of;
    return UINT64_C(1000000000);
}

/* ---- The store ---- */

static void do_job(struct side *side) {
    struct cg_store_job *job = side->job;
    assert_non_null(job);
    side->job = NULL;
    job->range = (struct cg_store_range){.first = side->next, .count = job->count};
    side->next += job->count;
    job->done(job);
}

static void refuse_job(struct side *side) {
    struct cg_store_job *job = side->job;
    side->job = NULL;
    job->err = CG_E_KEY_REFUSED;
    job->failure.refusal = CG_STORE_UNCLAIMED;
    cg_problem_set(&job->failure.problem, CG_E_KEY_REFUSED, "nobody has claimed it");
    job->done(job);
}

static void submit(struct cg_store *store, struct cg_store_job *job) {
    struct side *side = CG_CONTAINER(store, struct side, store);
    assert_null(side->job);
    side->job = job;
}

static const struct cg_store_ops store_ops = {.submit = submit};

static void settle_store(struct side *side) {
    while (!side->is_slow && side->job != NULL) do_job(side);
}

/* ---- The client ---- */

static struct cg_oscore_context *make_context(const char *own, const char *other, struct cg_oscore_peer **peer) {
    const struct cg_client_oscore keys = {.alg_aead = CG_COSE_AES_CCM_16_64_128,
                                          .sender_id = cg_slice_str(own),
                                          .master_secret = cg_slice_str("sixteen bytes...")};
    struct cg_oscore_params params;
    struct cg_oscore_sender_params sender;
    struct cg_oscore_context *context;
    cg_client_oscore_params(&keys, &params, &sender);
    assert_int_equal(cg_oscore_context_new(&context, &params, NULL), CG_OK);
    assert_int_equal(cg_oscore_peer_add(context, cg_slice_str(other), CG_SLICE_NONE, CG_OSCORE_WINDOW_NEW, peer, NULL),
                     CG_OK);
    return context;
}

struct datagram {
    struct cg_msg msg;
    uint8_t bytes[ROOM];
};

/* Protected by that client. */
static void wrap(struct owner *owner, const struct cg_msg *plain, struct datagram *sealed,
                 struct cg_oscore_binding *binding) {
    int len = cg_oscore_seal_request(owner->context, owner->gateway, owner->number++, plain, sealed->bytes,
                                     sizeof sealed->bytes, binding);
    assert_true(len > 0);
    assert_int_equal(cg_msg_parse(&sealed->msg, cg_slice_of(sealed->bytes, (size_t)len)), CG_OK);
}

/* GET /a, with Echo where it is not empty. */
static void compose(struct side *side, struct cg_slice echo, struct datagram *sealed) {
    uint8_t bytes[ROOM];
    struct cg_msg_writer writer;
    struct cg_msg plain;
    cg_msg_begin_inner(&writer, bytes, sizeof bytes, CG_GET);
    cg_msg_put_opt(&writer, CG_OPT_URI_PATH, cg_slice_str("a"));
    if (echo.len > 0) cg_msg_put_opt(&writer, CG_OPT_ECHO, echo);
    int len = cg_msg_end(&writer);
    assert_int_equal(cg_msg_parse_inner(&plain, cg_slice_of(bytes, (size_t)len)), CG_OK);
    wrap(&side->owners[0], &plain, sealed, &side->binding);
}

static void bring(struct side *side, const struct datagram *sealed, const char *token) {
    const struct cg_coap_request request = {.message = {.code = sealed->msg.code,
                                                        .token = cg_slice_str(token),
                                                        .options = sealed->msg.options,
                                                        .payload = sealed->msg.payload},
                                            .type = CG_CON,
                                            .size = 64,
                                            .reached = CG_COAP_BY_UNICAST};
    cg_coap_shield_ops.request(side->shield, &side->outer, &request);
    settle_store(side);
}

static const struct said *last(const struct side *side) {
    assert_true(side->said_count > 0);
    return &side->said[side->said_count - 1];
}

static void unwrap(const struct owner *owner, const struct cg_msg *sealed, const struct cg_oscore_binding *binding,
                   struct datagram *plain) {
    struct cg_oscore_opened opened;
    assert_int_equal(cg_oscore_open_response(owner->context, sealed, binding, NULL, plain->bytes, sizeof plain->bytes,
                                             &plain->msg, &opened),
                     CG_OK);
    assert_true(opened.has_number);
}

/* The response, opened. */
static void open_it(struct side *side, const struct said *said, struct datagram *plain) {
    unwrap(&side->owners[0], &said->msg, &side->binding, plain);
}

/* The first request is met by an Echo, the second one brings it. */
static void meet(struct side *side) {
    struct datagram sealed, plain;
    struct cg_slice echo;
    compose(side, CG_SLICE_NONE, &sealed);
    bring(side, &sealed, "e");
    open_it(side, last(side), &plain);
    assert_int_equal(plain.msg.code, CG_CODE(4, 1));
    assert_true(cg_msg_find(&plain.msg, CG_OPT_ECHO, &echo));
    compose(side, echo, &sealed);
    bring(side, &sealed, "f");
}

static struct cg_client make_client(const char *name, const char *own, const char *gateway) {
    struct cg_client client = {.name = name,
                               .oscore = {.file = "d.oscore.json",
                                          .recipient_id = cg_slice_str(own),
                                          .sender_id = cg_slice_str(gateway),
                                          .master_secret = cg_slice_str("sixteen bytes..."),
                                          .alg_aead = CG_COSE_AES_CCM_16_64_128}};
    client.oscore.digest[0] = (uint8_t)own[0];
    return client;
}

static int set_up(void **state) {
    struct side *side = calloc(1, sizeof *side);
    if (side == NULL) return -1;
    side->listen = (struct cg_listen){.loopback = true};
    side->transport = (struct cg_coap_transport){.ops = &outer_transport, .listen = &side->listen};
    side->outer = (struct cg_coap_peer){.layer = &outer_layer, .path = {.transport = &side->transport}};
    side->outer.path.proof = CG_COAP_PROVEN;
    side->answers = true;
    side->store.ops = &store_ops;
    cg_senders_init(&side->senders, &side->store);
    side->clients[0] = make_client("d", "c", "g");
    side->clients[1] = make_client("hop", "p", "q");
    cg_arena_init(&side->config.arena, SIZE_MAX, NULL);
    side->config.clients = side->clients;
    side->config.client_count = CLIENTS;
    side->config.options = (struct cg_option_numbers){2, 248, 24, 13, 235, 239};
    if (!cg_config_index_clients(&side->config)) return -1;
    const struct cg_coap_shield_options options = {
        .ops = &front, .ctx = side, .config = config_of, .now_us = now_us, .of = side, .senders = &side->senders};
    side->shield = cg_coap_shield_new(&options);
    side->owners[0].context = make_context("c", "g", &side->owners[0].gateway);
    side->owners[1].context = make_context("p", "q", &side->owners[1].gateway);
    *state = side;
    return side->shield == NULL ? -1 : 0;
}

static int tear_down(void **state) {
    struct side *side = *state;
    cg_coap_shield_ops.gone(side->shield, &side->outer);
    cg_coap_shield_free(side->shield);
    side->is_slow = false;
    settle_store(side);
    cg_senders_fini(&side->senders);
    for (size_t i = 0; i < CLIENTS; i++) cg_oscore_context_unref(side->owners[i].context);
    cg_arena_fini(&side->config.arena);
    free(side);
    return 0;
}

/* ---- Tests ---- */

static void what_was_before_a_start_must_be_met_first(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    compose(side, CG_SLICE_NONE, &sealed);
    bring(side, &sealed, "e");
    assert_int_equal(side->heard_count, 0);
    meet(side);
    assert_int_equal(side->heard_count, 1);
    assert_string_equal(side->heard[0].client, "d");
    assert_int_equal(side->heard[0].code, CG_GET);
}

static void the_front_answers_a_peer_of_its_own(void **state) {
    struct side *side = *state;
    struct datagram plain;
    meet(side);
    assert_ptr_not_equal(side->heard[0].peer, &side->outer);
    open_it(side, last(side), &plain);
    assert_int_equal(plain.msg.code, CG_CODE(2, 5));
    assert_true(cg_slice_is(last(side)->token, "f"));
}

static void what_came_before_is_refused(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    meet(side);
    compose(side, CG_SLICE_NONE, &sealed);
    bring(side, &sealed, "a");
    bring(side, &sealed, "b");
    assert_int_equal(side->heard_count, 2);
    assert_int_equal(last(side)->msg.code, CG_CODE(4, 1));
    assert_true(cg_slice_is(last(side)->msg.payload, "Replay detected"));
}

static void what_was_changed_is_refused(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    meet(side);
    compose(side, CG_SLICE_NONE, &sealed);
    ((uint8_t *)(uintptr_t)sealed.msg.payload.data)[0] ^= 1;
    bring(side, &sealed, "a");
    assert_int_equal(side->heard_count, 1);
    assert_int_equal(last(side)->msg.code, CG_CODE(4, 0));
}

/* An address that nobody has shown gets no more than three times what it sent. */
static void a_stranger_gets_no_long_error(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    meet(side);
    side->outer.path.proof = CG_COAP_UNPROVEN;
    compose(side, CG_SLICE_NONE, &sealed);
    sealed.msg.payload.len--;
    const struct cg_coap_request request = {
        .message = {.code = sealed.msg.code, .options = sealed.msg.options, .payload = sealed.msg.payload},
        .type = CG_CON,
        .size = 5};
    cg_coap_shield_ops.request(side->shield, &side->outer, &request);
    assert_int_equal(last(side)->how, IGNORED);
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
        compose(side, CG_SLICE_NONE, &sealed);
        assert_true(cg_msg_find(&sealed.msg, CG_OPT_OSCORE, &option));
        cg_msg_begin_inner(&writer, plain.bytes, sizeof plain.bytes, CG_POST);
        cg_msg_put_opt(&writer, CG_OPT_OSCORE, option);
        cg_msg_put_opt(&writer, rows[i].number, rows[i].value);
        cg_msg_put_payload(&writer, sealed.msg.payload);
        int len = cg_msg_end(&writer);
        assert_int_equal(cg_msg_parse_inner(&plain.msg, cg_slice_of(plain.bytes, (size_t)len)), CG_OK);
        bring(side, &plain, "a");
        assert_int_equal(side->heard_count, i + 1);
        assert_ptr_equal(side->heard[i].peer, &side->outer);
        assert_null(side->heard[i].client);
    }
}

static void a_request_waits_for_a_number(void **state) {
    struct side *side = *state;
    struct datagram sealed, plain;
    side->is_slow = true;
    compose(side, CG_SLICE_NONE, &sealed);
    bring(side, &sealed, "e");
    assert_int_equal(side->said_count, 0);
    assert_int_equal(side->expected, 1);
    assert_int_equal(side->outer.holds, 1);
    do_job(side);
    assert_int_equal(last(side)->how, SENT);
    open_it(side, last(side), &plain);
    assert_int_equal(plain.msg.code, CG_CODE(4, 1));
    assert_int_equal(side->outer.holds, 0);
}

static void a_key_that_may_not_send_does_nothing(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    side->is_slow = true;
    compose(side, CG_SLICE_NONE, &sealed);
    bring(side, &sealed, "e");
    refuse_job(side);
    assert_int_equal(side->heard_count, 0);
    assert_int_equal(last(side)->msg.code, CG_CODE(5, 3));
}

static void a_peer_may_go_while_its_request_waits(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    side->is_slow = true;
    compose(side, CG_SLICE_NONE, &sealed);
    bring(side, &sealed, "e");
    cg_coap_shield_ops.gone(side->shield, &side->outer);
    do_job(side);
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
    meet(side);
    assert_int_equal(side->outer.path.proof, CG_COAP_PROVEN);
}

/* The Echo is the same for all of them, so that whoever met it may have heard it elsewhere. */
static void one_that_went_to_several_addresses_proves_none(void **state) {
    struct side *side = *state;
    struct datagram sealed;
    side->outer.path.proof = CG_COAP_UNPROVEN;
    side->outer.path.from = address(2);
    compose(side, CG_SLICE_NONE, &sealed);
    bring(side, &sealed, "e");
    side->outer.path.from = address(1);
    meet(side);
    assert_int_equal(side->heard_count, 1);
    assert_int_equal(side->outer.path.proof, CG_COAP_UNPROVEN);
}

/* Each under a number of its own, bound to the request. */
static void later_responses_are_protected_too(void **state) {
    struct side *side = *state;
    struct datagram sealed, plain;
    meet(side);
    side->answers = false;
    compose(side, CG_SLICE_NONE, &sealed);
    bring(side, &sealed, "many");
    assert_int_equal(side->outer.holds, 1);
    const struct cg_coap_message response = {
        .code = CG_CODE(2, 5), .token = cg_slice_str("many"), .payload = cg_slice_str("on")};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(cg_coap_peer_send(side->held, &response, CG_NON), CG_OK);
        assert_int_equal(last(side)->how, SENT);
        open_it(side, last(side), &plain);
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
    meet(side);
    side->answers = false;
    compose(side, CG_SLICE_NONE, &sealed);
    bring(side, &sealed, "many");
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
        open_it(side, last(side), &plain);
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
    meet(side);
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
    compose(side, echo, &made->inner);
    wrap(&side->owners[1], &made->inner.msg, &made->sealed, &made->outside);
}

static void open_layered(struct side *side, const struct layered *made, struct datagram *plain) {
    struct datagram inner;
    unwrap(&side->owners[1], &last(side)->msg, &made->outside, &inner);
    unwrap(&side->owners[0], &inner.msg, &side->binding, plain);
}

/* The proxy's challenge is met by a request of its own. */
static void meet_hop(struct side *side) {
    struct datagram sealed, plain;
    struct cg_oscore_binding binding;
    struct cg_slice echo;
    uint8_t bytes[ROOM];
    struct cg_msg_writer writer;
    struct cg_msg request = {.code = CG_GET};
    wrap(&side->owners[1], &request, &sealed, &binding);
    bring(side, &sealed, "h");
    unwrap(&side->owners[1], &last(side)->msg, &binding, &plain);
    assert_true(cg_msg_find(&plain.msg, CG_OPT_ECHO, &echo));
    cg_msg_begin_inner(&writer, bytes, sizeof bytes, CG_GET);
    cg_msg_put_opt(&writer, CG_OPT_ECHO, echo);
    int len = cg_msg_end(&writer);
    assert_int_equal(cg_msg_parse_inner(&request, cg_slice_of(bytes, (size_t)len)), CG_OK);
    wrap(&side->owners[1], &request, &sealed, &binding);
    bring(side, &sealed, "h");
    assert_string_equal(side->heard[side->heard_count - 1].client, "hop");
}

static void meet_all(struct side *side) {
    meet_hop(side);
    meet(side);
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
    bring(side, &made.sealed, "t");
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
    wrap(&side->owners[0], &made.sealed.msg, &sealed, &outermost);
    bring(side, &sealed, "t");
    assert_int_equal(side->heard_count, 0);
    unwrap(&side->owners[0], &last(side)->msg, &outermost, &middle);
    unwrap(&side->owners[1], &middle.msg, &made.outside, &plain);
    assert_int_equal(plain.msg.code, CG_CODE(4, 1));
    assert_true(cg_slice_is(plain.msg.payload, "more layers than are taken off"));
}

static void a_challenge_comes_through_the_layer_outside(void **state) {
    struct side *side = *state;
    struct layered made;
    struct datagram plain;
    struct cg_slice echo;
    meet_hop(side);
    compose_layered(side, CG_SLICE_NONE, &made);
    bring(side, &made.sealed, "t");
    open_layered(side, &made, &plain);
    assert_int_equal(plain.msg.code, CG_CODE(4, 1));
    assert_true(cg_msg_find(&plain.msg, CG_OPT_ECHO, &echo));
    compose_layered(side, echo, &made);
    bring(side, &made.sealed, "t");
    assert_string_equal(side->heard[side->heard_count - 1].client, "d");
}

static void an_inner_replay_is_refused_under_the_layer_outside(void **state) {
    struct side *side = *state;
    struct layered made;
    struct datagram again, plain;
    struct cg_oscore_binding outside;
    meet_all(side);
    compose_layered(side, CG_SLICE_NONE, &made);
    bring(side, &made.sealed, "t");
    wrap(&side->owners[1], &made.inner.msg, &again, &outside);
    bring(side, &again, "u");
    assert_int_equal(side->heard_count, 1);
    unwrap(&side->owners[1], &last(side)->msg, &outside, &plain);
    assert_int_equal(plain.msg.code, CG_CODE(4, 1));
    assert_true(cg_slice_is(plain.msg.payload, "Replay detected"));
}

/* The second context's first number comes late: what the outer layer bound the request to is kept meanwhile. */
static void each_layer_may_wait_for_its_numbers(void **state) {
    struct side *side = *state;
    struct layered made;
    struct datagram plain;
    meet_hop(side);
    side->is_slow = true;
    compose_layered(side, CG_SLICE_NONE, &made);
    bring(side, &made.sealed, "t");
    size_t said = side->said_count;
    assert_int_equal(side->outer.holds, 1);
    do_job(side);
    assert_int_equal(side->said_count, said + 1);
    assert_int_equal(last(side)->how, SENT);
    open_layered(side, &made, &plain);
    assert_int_equal(plain.msg.code, CG_CODE(4, 1));
    assert_int_equal(side->outer.holds, 0);
}

static void what_waits_in_a_layer_goes_with_the_peer(void **state) {
    struct side *side = *state;
    struct layered made;
    meet_hop(side);
    side->is_slow = true;
    compose_layered(side, CG_SLICE_NONE, &made);
    bring(side, &made.sealed, "t");
    size_t said = side->said_count;
    cg_coap_shield_ops.gone(side->shield, &side->outer);
    do_job(side);
    assert_int_equal(side->said_count, said);
}

static void later_responses_have_all_layers(void **state) {
    struct side *side = *state;
    struct layered made;
    struct datagram plain;
    meet_all(side);
    side->answers = false;
    compose_layered(side, CG_SLICE_NONE, &made);
    bring(side, &made.sealed, "many");
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

#define shield_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        shield_test(what_was_before_a_start_must_be_met_first),
        shield_test(the_front_answers_a_peer_of_its_own),
        shield_test(what_came_before_is_refused),
        shield_test(what_was_changed_is_refused),
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
