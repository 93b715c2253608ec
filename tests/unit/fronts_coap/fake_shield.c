/* One struct for both sides, found from whichever of them is called. */
#include "fronts_coap/fake_shield.h"

#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "settings/client_oscore.h"

/* ---- The transport below: one peer ---- */

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

void shield_do_job(struct side *side) {
    struct cg_store_job *job = side->job;
    assert_non_null(job);
    side->job = NULL;
    job->range = (struct cg_store_range){.first = side->next, .count = job->count};
    side->next += job->count;
    job->done(job);
}

void shield_refuse_job(struct side *side) {
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
    while (!side->is_slow && side->job != NULL) shield_do_job(side);
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

/* Protected by that client. */
void shield_wrap(struct owner *owner, const struct cg_msg *plain, struct datagram *sealed,
                 struct cg_oscore_binding *binding) {
    int len = cg_oscore_seal_request(owner->context, owner->gateway, owner->number++, plain, sealed->bytes,
                                     sizeof sealed->bytes, binding);
    assert_true(len > 0);
    assert_int_equal(cg_msg_parse(&sealed->msg, cg_slice_of(sealed->bytes, (size_t)len)), CG_OK);
}

/* GET /a, with Echo where it is not empty. */
void shield_compose(struct side *side, struct cg_slice echo, struct datagram *sealed) {
    uint8_t bytes[ROOM];
    struct cg_msg_writer writer;
    struct cg_msg plain;
    cg_msg_begin_inner(&writer, bytes, sizeof bytes, CG_GET);
    cg_msg_put_opt(&writer, CG_OPT_URI_PATH, cg_slice_str("a"));
    if (echo.len > 0) cg_msg_put_opt(&writer, CG_OPT_ECHO, echo);
    int len = cg_msg_end(&writer);
    assert_int_equal(cg_msg_parse_inner(&plain, cg_slice_of(bytes, (size_t)len)), CG_OK);
    shield_wrap(&side->owners[0], &plain, sealed, &side->binding);
}

void shield_bring(struct side *side, const struct datagram *sealed, const char *token) {
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

const struct said *shield_last(const struct side *side) {
    assert_true(side->said_count > 0);
    return &side->said[side->said_count - 1];
}

void shield_unwrap(const struct owner *owner, const struct cg_msg *sealed, const struct cg_oscore_binding *binding,
                   struct datagram *plain) {
    struct cg_oscore_opened opened;
    assert_int_equal(cg_oscore_open_response(owner->context, sealed, binding, NULL, plain->bytes, sizeof plain->bytes,
                                             &plain->msg, &opened),
                     CG_OK);
    assert_true(opened.has_number);
}

/* The response, opened. */
void shield_open(struct side *side, const struct said *said, struct datagram *plain) {
    shield_unwrap(&side->owners[0], &said->msg, &side->binding, plain);
}

/* The first request is met by an Echo, the second one brings it. */
void shield_meet(struct side *side) {
    struct datagram sealed, plain;
    struct cg_slice echo;
    shield_compose(side, CG_SLICE_NONE, &sealed);
    shield_bring(side, &sealed, "e");
    shield_open(side, shield_last(side), &plain);
    assert_int_equal(plain.msg.code, CG_CODE(4, 1));
    assert_true(cg_msg_find(&plain.msg, CG_OPT_ECHO, &echo));
    shield_compose(side, echo, &sealed);
    shield_bring(side, &sealed, "f");
}

void shield_meet_hop(struct side *side) {
    struct datagram sealed, plain;
    struct cg_oscore_binding binding;
    struct cg_slice echo;
    uint8_t bytes[ROOM];
    struct cg_msg_writer writer;
    struct cg_msg request = {.code = CG_GET};
    shield_wrap(&side->owners[1], &request, &sealed, &binding);
    shield_bring(side, &sealed, "h");
    shield_unwrap(&side->owners[1], &shield_last(side)->msg, &binding, &plain);
    assert_true(cg_msg_find(&plain.msg, CG_OPT_ECHO, &echo));
    cg_msg_begin_inner(&writer, bytes, sizeof bytes, CG_GET);
    cg_msg_put_opt(&writer, CG_OPT_ECHO, echo);
    int len = cg_msg_end(&writer);
    assert_int_equal(cg_msg_parse_inner(&request, cg_slice_of(bytes, (size_t)len)), CG_OK);
    shield_wrap(&side->owners[1], &request, &sealed, &binding);
    shield_bring(side, &sealed, "h");
    assert_string_equal(side->heard[side->heard_count - 1].client, "hop");
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

int shield_setup(void **state) {
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

int shield_teardown(void **state) {
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
