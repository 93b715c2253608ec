/* OSCORE between clients and the gateway, between a transport and a front that are both here: what clients seal in one
 * layer or several, what is changed on the way or comes again, what anybody sends, numbers that come late or never, and
 * peers that go. Contexts and windows outlive the inputs, since making a context takes as long as a hundred requests;
 * an event makes them anew. The hard thing is to know what the front may hear: whatever a client has sealed, each once
 * and as it was, and nothing else from a client; and all that goes out under a client's key must open for it, under a
 * number that was never there before. */
#include "input.h"

#include <sodium.h>

#include "base/container.h"
#include "base/log.h"
#include "fronts/coap/layer.h"
#include "fronts/coap/shield.h"
#include "fronts/coap/to_coap.h"
#include "oscore/oscore.h"
#include "settings/client_oscore.h"

enum {
    CLIENTS = 3,
    PEERS = 2,
    TOKENS = 3,
    LAYERS_MAX = 4,
    ROOM = 2048,
    PLAIN_MAX = 300,
    EVENTS_MAX = 60,
    NUMBERS = 512
};

/* A client's side of its context. */
struct owner {
    const char *name, *id, *gateway_id, *id_context;
    struct cg_oscore_context *context;
    struct cg_oscore_peer *gateway;
    struct cg_sender_id sender; /* the gateway's, with it */
    uint64_t number;
    uint64_t served;        /* numbers of the gateway's that were given */
    uint64_t seen[NUMBERS]; /* the latest of them that came in a response, plus 1, each at its remainder */
    uint8_t echo[CG_OSCORE_ECHO_LEN];
    bool has_echo;
    struct cg_store_job *job;
};

static struct owner owners[CLIENTS] = {{.name = "d", .id = "c", .gateway_id = "g"},
                                       {.name = "hop", .id = "p", .gateway_id = ""},
                                       {.name = "named", .id = "", .gateway_id = "q", .id_context = "ctx"}};

/* A request that a client has sealed: to open what comes of it, and to know what may be heard of it. */
struct asked {
    size_t layers; /* from the innermost on */
    unsigned owner[LAYERS_MAX];
    struct cg_oscore_binding binding[LAYERS_MAX];
    size_t plain_len;
    uint8_t plain[PLAIN_MAX];
    bool is_heard;
};

struct world;

struct wire {
    struct cg_coap_peer peer;
    struct world *world;
    struct cg_coap_transport transport;
    const struct cg_coap_request *request; /* while the shield hears of it */
    unsigned answers;
    int send_error;
};

struct world {
    struct cg_coap_shield *shield;
    struct cg_config config;
    struct cg_client clients[CLIENTS];
    struct cg_senders senders;
    struct cg_store store;
    bool is_slow;
    struct wire wires[PEERS];
    uint64_t now_us;
    struct asked asked[EVENTS_MAX];
    size_t asked_count;
    uint8_t reply; /* what the front does with what it hears */
    struct cg_coap_peer *held;
    struct cg_slice held_token;
    struct cg_msg latest; /* that was sealed */
    uint8_t latest_bytes[ROOM];
};

static struct cg_listen listener = {.loopback = true};
static const uint8_t token_bytes[CG_COAP_TOKEN_MAX];
static const size_t token_lengths[TOKENS] = {0, 4, CG_COAP_TOKEN_MAX};

static struct cg_slice token_of(unsigned index) { return cg_slice_of(token_bytes, token_lengths[index % TOKENS]); }

static unsigned index_of(struct cg_slice token) {
    unsigned index = 0;
    while (index < TOKENS && token_lengths[index] != token.len) index++;
    CG_CHECK(index < TOKENS);
    return index;
}

/* ---- What goes out ---- */

static void take_number(struct owner *owner, struct cg_slice options) {
    const struct cg_msg msg = {.options = options};
    struct cg_oscore_option option;
    struct cg_slice value;
    CG_CHECK(cg_msg_find(&msg, CG_OPT_OSCORE, &value) && cg_oscore_option_parse(&option, value) == CG_OK);
    CG_CHECK(option.piv.len > 0 && option.piv.len <= 4);
    uint64_t number = cg_uint_parse(option.piv);
    CG_CHECK(number < owner->served && owner->seen[number % NUMBERS] < number + 1);
    owner->seen[number % NUMBERS] = number + 1;
}

static void keep_echo(struct owner *owner, const struct cg_msg *plain) {
    struct cg_slice echo;
    if (plain->code != CG_CODE(4, 1) || !cg_msg_find(plain, CG_OPT_ECHO, &echo)) return;
    CG_CHECK(echo.len == sizeof owner->echo);
    memcpy(owner->echo, echo.data, echo.len);
    owner->has_echo = true;
}

/* By the binding of that request's layer, and then it is `msg`. */
static bool opens(const struct asked *asked, size_t at, struct cg_msg *msg, uint8_t data[2 * ROOM]) {
    struct owner *owner = &owners[asked->owner[at]];
    struct cg_slice sealed = msg->options;
    struct cg_oscore_opened opened;
    struct cg_msg plain;
    if (cg_oscore_open_response(owner->context, msg, &asked->binding[at], NULL, data, 2 * ROOM, &plain, &opened) < 0)
        return false;
    take_number(owner, sealed);
    keep_echo(owner, &plain);
    *msg = plain;
    return true;
}

/* Whichever request it is to: on a token that was used again, each layer is bound to the latest request that came in
 * it. */
static bool open_layer(const struct world *world, struct cg_msg *msg, uint8_t data[2 * ROOM]) {
    for (size_t i = world->asked_count; i-- > 0;)
        for (size_t at = world->asked[i].layers; at-- > 0;)
            if (opens(&world->asked[i], at, msg, data)) return true;
    return false;
}

/* All of it opens, to a response. */
static void check_response(const struct wire *wire, const struct cg_coap_message *message) {
    struct cg_msg msg = {.code = message->code, .options = message->options, .payload = message->payload};
    uint8_t data[2][2 * ROOM];
    struct cg_slice value;
    CG_CHECK(index_of(message->token) < TOKENS);
    for (unsigned i = 0; cg_msg_find(&msg, CG_OPT_OSCORE, &value); i++)
        CG_CHECK(open_layer(wire->world, &msg, data[i % 2]));
    CG_CHECK(cg_code_is_response(msg.code));
}

static struct wire *wire_of(struct cg_coap_peer *peer) { return CG_CONTAINER(peer, struct wire, peer); }

static void answer(struct cg_coap_peer *peer, const struct cg_coap_message *response) {
    struct wire *wire = wire_of(peer);
    CG_CHECK(wire->request != NULL && ++wire->answers == 1);
    CG_CHECK(cg_slice_equal(wire->request->message.token, response->token));
    check_response(wire, response);
    bool is_refusal = response->code >= CG_CODE(4, 0) && response->payload.len > 0;
    if (is_refusal && peer->path.proof == CG_COAP_UNPROVEN && response->options.len <= 2)
        CG_CHECK(cg_to_coap_size(response) <= 3 * wire->request->size);
}

static void expect(struct cg_coap_peer *peer) { CG_CHECK(wire_of(peer)->request != NULL); }

static void ignore(struct cg_coap_peer *peer) { CG_CHECK(wire_of(peer)->answers++ == 0); }

static int send(struct cg_coap_peer *peer, const struct cg_coap_message *response, enum cg_type type) {
    CG_CHECK(type == CG_CON || type == CG_NON);
    check_response(wire_of(peer), response);
    return wire_of(peer)->send_error;
}

static void prove(struct cg_coap_peer *peer) { peer->path.proof = CG_COAP_PROVEN; }

static size_t room(const struct cg_coap_peer *peer) {
    (void)peer;
    return CG_COAP_MESSAGE_MAX;
}

static void settle(struct cg_coap_peer *peer) { (void)peer; }

static const struct cg_coap_layer layer = {
    .answer = answer, .expect = expect, .ignore = ignore, .send = send, .prove = prove, .room = room, .settle = settle};
static const struct cg_coap_transport_ops transport = {.scheme = CG_CRI_COAP};

/* ---- The front ---- */

static void let_go(struct world *world) {
    struct cg_coap_peer *peer = world->held;
    world->held = NULL;
    if (peer != NULL) cg_coap_peer_release_for(peer, world->held_token);
}

static size_t emit_plain(const struct cg_coap_message *message, uint8_t bytes[ROOM]) {
    struct cg_msg_writer writer;
    cg_msg_begin_inner(&writer, bytes, ROOM, message->code);
    const struct cg_msg msg = {.options = message->options};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) cg_msg_put_opt(&writer, opt.number, opt.value);
    cg_msg_put_payload(&writer, message->payload);
    int len = cg_msg_end(&writer);
    CG_CHECK(len >= 0);
    return (size_t)len;
}

/* One that was sealed by its client, as it was, and not heard of before. */
static void check_heard(struct world *world, const struct cg_coap_peer *peer, const struct cg_coap_message *message) {
    struct cg_request request = {.method = 0};
    struct cg_problem problem = {0};
    uint8_t bytes[ROOM];
    if (peer->layer == &layer) return; /* as it came */
    int err = cg_coap_peer_identify(peer, &world->config, &request, &problem);
    CG_CHECK(err == CG_OK ? request.client != NULL : err == CG_E_UNAUTHORIZED);
    struct cg_slice heard = cg_slice_of(bytes, emit_plain(message, bytes));
    for (size_t i = 0; i < world->asked_count; i++) {
        struct asked *asked = &world->asked[i];
        bool is_its = err < 0 || strcmp(owners[asked->owner[0]].name, request.client->name) == 0;
        if (asked->is_heard || !is_its || !cg_slice_equal(heard, cg_slice_of(asked->plain, asked->plain_len))) continue;
        asked->is_heard = true;
        return;
    }
    CG_CHECK(!"a request that no client has sealed");
}

static void front_request(void *ctx, struct cg_coap_peer *peer, const struct cg_coap_request *request) {
    struct world *world = ctx;
    const struct cg_coap_message response = {.code = CG_CODE(2, 5), .token = request->message.token};
    check_heard(world, peer, &request->message);
    switch (world->reply % 4) {
    case 0: cg_coap_peer_answer(peer, &response); return;
    case 1: cg_coap_peer_ignore(peer); return;
    case 2: cg_coap_peer_expect(peer); break;
    default: break;
    }
    if (world->held != NULL) return;
    world->held = peer;
    world->held_token = token_of(index_of(request->message.token));
    cg_coap_peer_hold_for(peer, world->held_token);
}

static void front_lost(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    struct world *world = ctx;
    if (world->held == peer && cg_slice_equal(world->held_token, token)) let_go(world);
}

static void front_acknowledged(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    (void)ctx;
    (void)peer;
    (void)token;
}

static void front_gone(void *ctx, struct cg_coap_peer *peer) {
    struct world *world = ctx;
    if (world->held == peer) world->held = NULL;
}

static const struct cg_coap_peer_ops front = {
    .request = front_request, .lost = front_lost, .acknowledged = front_acknowledged, .gone = front_gone};

/* With options of all kinds but OSCORE, by which others would have protected it, and Observe, which not all asked for.
 */
static void send_later(struct world *world, struct input *input) {
    struct cg_slice body = input_exact(input_bytes(input, input_u8(input))), value;
    struct cg_msg msg = {0};
    bool is_message = cg_msg_parse_body(&msg, body) == CG_OK && !cg_msg_find(&msg, CG_OPT_OSCORE, &value) &&
                      !cg_msg_find(&msg, CG_OPT_OBSERVE, &value);
    if (is_message && world->held != NULL) {
        const struct cg_coap_message response = {
            .code = CG_CODE(2, 5), .token = world->held_token, .options = msg.options, .payload = msg.payload};
        int err = cg_coap_peer_send(world->held, &response, CG_NON);
        CG_CHECK(err <= CG_OK);
    }
    input_free(body);
}

/* ---- Numbers ---- */

static void submit(struct cg_store *store, struct cg_store_job *job) {
    (void)store;
    for (size_t i = 0; i < CLIENTS; i++) {
        if (memcmp(owners[i].sender.bytes, job->sender.bytes, sizeof job->sender.bytes) != 0) continue;
        CG_CHECK(owners[i].job == NULL);
        owners[i].job = job;
        return;
    }
    CG_CHECK(!"a sender that is no client's");
}

static const struct cg_store_ops store_ops = {.submit = submit};

/* Few at a time, so that they are waited for often. */
static void do_job(struct owner *owner, bool refuses) {
    enum { AT_ONCE = 4 };
    struct cg_store_job *job = owner->job;
    if (job == NULL) return;
    owner->job = NULL;
    job->err = refuses ? CG_E_KEY_REFUSED : CG_OK;
    if (job->err < 0) {
        job->failure.refusal = CG_STORE_UNCLAIMED;
        cg_problem_set(&job->failure.problem, CG_E_KEY_REFUSED, "nobody has claimed it");
    } else {
        job->range = (struct cg_store_range){.first = owner->served, .count = AT_ONCE};
        owner->served += AT_ONCE;
    }
    job->done(job);
}

static void do_jobs(bool refuses) {
    for (size_t i = 0; i < CLIENTS; i++) do_job(&owners[i], refuses);
}

/* ---- What comes in ---- */

static void bring(struct world *world, struct wire *wire, unsigned token, const struct cg_msg *msg, size_t size) {
    const struct cg_coap_request request = {
        .message = {.code = msg->code, .token = token_of(token), .options = msg->options, .payload = msg->payload},
        .type = token & 8 ? CG_NON : CG_CON,
        .size = size,
        .reached = token & 0x70 ? CG_COAP_BY_UNICAST : CG_COAP_BY_MULTICAST};
    wire->request = &request;
    wire->answers = 0;
    cg_coap_shield_ops.request(world->shield, &wire->peer, &request);
    wire->request = NULL;
    if (!world->is_slow) do_jobs(false);
}

static void anybody_asks(struct world *world, struct wire *wire, struct input *input) {
    unsigned token = input_u8(input);
    uint8_t code = input_u8(input) % 8;
    struct cg_slice body = input_exact(input_bytes(input, input_u8(input)));
    struct cg_msg msg = {0};
    if (cg_msg_parse_body(&msg, body) == CG_OK) {
        msg.code = code;
        bring(world, wire, token, &msg, 4 + body.len);
    }
    input_free(body);
}

/* The plain request: what the input says, or the Echo alone that the owner was challenged with. */
static bool compose(struct asked *asked, uint8_t code, bool with_echo, struct input *input) {
    struct owner *owner = &owners[asked->owner[0]];
    struct cg_slice body = input_bytes(input, input_u8(input));
    uint8_t bytes[ROOM];
    struct cg_msg msg = {0};
    if (with_echo && owner->has_echo) {
        struct cg_msg_writer writer = {.data = bytes, .cap = sizeof bytes};
        cg_msg_put_opt(&writer, CG_OPT_ECHO, cg_slice_of(owner->echo, sizeof owner->echo));
        msg.options = cg_slice_of(bytes, writer.len);
    } else if (cg_msg_parse_body(&msg, body) < 0) {
        return false;
    }
    uint8_t plain[ROOM];
    const struct cg_coap_message message = {.code = code, .options = msg.options, .payload = msg.payload};
    asked->plain_len = emit_plain(&message, plain);
    if (asked->plain_len > sizeof asked->plain) return false;
    memcpy(asked->plain, plain, asked->plain_len);
    return true;
}

/* From the innermost layer on; what comes of it is in world->latest. */
static bool seal(struct world *world, struct asked *asked) {
    uint8_t bytes[2][ROOM];
    struct cg_msg msg;
    int len = 0;
    CG_CHECK(cg_msg_parse_inner(&msg, cg_slice_of(asked->plain, asked->plain_len)) == CG_OK);
    for (size_t i = 0; i < asked->layers; i++) {
        struct owner *owner = &owners[asked->owner[i]];
        len = cg_oscore_seal_request(owner->context, owner->gateway, owner->number++, &msg, bytes[i % 2], ROOM,
                                     &asked->binding[i]);
        if (len < 0) return false;
        CG_CHECK(cg_msg_parse(&msg, cg_slice_of(bytes[i % 2], (size_t)len)) == CG_OK);
    }
    memcpy(world->latest_bytes, bytes[(asked->layers - 1) % 2], (size_t)len);
    CG_CHECK(cg_msg_parse(&world->latest, cg_slice_of(world->latest_bytes, (size_t)len)) == CG_OK);
    return true;
}

static void bring_latest(struct world *world, struct wire *wire, unsigned token) {
    const struct cg_msg *latest = &world->latest;
    if (latest->code != 0) bring(world, wire, token, latest, 4 + latest->options.len + 1 + latest->payload.len);
}

/* Of what is outside nothing is protected but the OSCORE option. */
static void change_latest(struct world *world, bool outside, struct input *input) {
    struct cg_slice where = world->latest.payload;
    uint8_t at = input_u8(input), by = input_u8(input);
    if (outside) CG_CHECK(cg_msg_find(&world->latest, CG_OPT_OSCORE, &where));
    ((uint8_t *)(uintptr_t)where.data)[at % where.len] ^= by;
}

static void client_asks(struct world *world, struct wire *wire, struct input *input) {
    static const uint8_t codes[] = {CG_GET, CG_POST, CG_FETCH, CG_PUT};
    struct asked *asked = &world->asked[world->asked_count];
    unsigned token = input_u8(input);
    uint8_t how = input_u8(input), changed = input_u8(input);
    *asked = (struct asked){.layers = 1 + (how >> 6)};
    for (size_t i = 0; i < asked->layers; i++) asked->owner[i] = (how >> (2 * i) & 3) % CLIENTS;
    if (!compose(asked, codes[token % 4], (changed & 1) != 0, input) || !seal(world, asked)) return;
    world->asked_count++;
    if (changed & 2) change_latest(world, (changed & 4) != 0, input);
    bring_latest(world, wire, token);
}

/* ---- Events ---- */

static void go(struct world *world, struct wire *wire) {
    cg_coap_shield_ops.gone(world->shield, &wire->peer);
    wire->peer.holds = 0;
}

/* Seldom, since it takes so long. */
static void change_file(struct world *world, uint8_t which) {
    if (which >= 8 * CLIENTS) return;
    world->clients[which % CLIENTS].oscore.digest[1] ^= 1;
    cg_coap_shield_tidy(world->shield);
}

static void happen(struct world *world, struct input *input) {
    static const int errors[] = {CG_OK, CG_E_OVERLOAD, CG_E_TOO_BIG, CG_E_NO_MEMORY};
    uint8_t event = input_u8(input);
    struct wire *wire = &world->wires[event >> 7];
    switch (event % 16) {
    case 0: anybody_asks(world, wire, input); break;
    case 1: bring_latest(world, wire, input_u8(input)); break;
    case 2: world->reply = input_u8(input); break;
    case 3: send_later(world, input); break;
    case 4: let_go(world); break;
    case 5: world->is_slow = !world->is_slow; break;
    case 6: do_jobs(false); break;
    case 7: do_jobs(true); break;
    case 8: cg_coap_shield_ops.lost(world->shield, &wire->peer, token_of(input_u8(input))); break;
    case 9: cg_coap_shield_ops.acknowledged(world->shield, &wire->peer, token_of(input_u8(input))); break;
    case 10: go(world, wire); break;
    case 11: wire->send_error = errors[input_u8(input) % 4]; break;
    case 12: change_file(world, input_u8(input)); break;
    case 13: world->now_us += (uint64_t)input_u8(input) * 100000; break;
    default: client_asks(world, wire, input); break;
    }
}

/* ---- Before and after ---- */

static struct cg_client_oscore keys_of(const struct owner *owner, bool is_gateway) {
    struct cg_slice own = cg_slice_str(owner->id), gateway = cg_slice_str(owner->gateway_id);
    return (struct cg_client_oscore){.file = "file",
                                     .alg_aead = CG_COSE_AES_CCM_16_64_128,
                                     .sender_id = is_gateway ? gateway : own,
                                     .recipient_id = is_gateway ? own : gateway,
                                     .has_id_context = owner->id_context != NULL,
                                     .id_context = cg_slice_str(owner->id_context == NULL ? "" : owner->id_context),
                                     .master_secret = cg_slice_str("sixteen bytes...")};
}

static void make_owner(struct owner *owner) {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params sender;
    const struct cg_client_oscore own = keys_of(owner, false), gateway = keys_of(owner, true);
    cg_client_oscore_params(&own, &params, &sender);
    params.send_id_context = owner->id_context != NULL;
    CG_CHECK(cg_oscore_context_new(&owner->context, &params, NULL) == CG_OK);
    CG_CHECK(cg_oscore_peer_add(owner->context, own.recipient_id, CG_SLICE_NONE, CG_OSCORE_WINDOW_NEW, &owner->gateway,
                                NULL) == CG_OK);
    CG_CHECK(cg_client_oscore_sender_id(&gateway, &owner->sender) == CG_OK);
}

static void drop_line(struct cg_log_out *out, const char *line, size_t len) {
    (void)out;
    (void)line;
    (void)len;
}

static void settle_nothing(struct cg_log_out *out) { (void)out; }

static void make_owners(void) {
    static struct cg_log_out silent = {.put = drop_line, .settle = settle_nothing};
    CG_CHECK(sodium_init() >= 0);
    cg_log_to(&silent);
    for (size_t i = 0; i < CLIENTS; i++) make_owner(&owners[i]);
}

static const struct cg_config *config_of(void *of) { return &((struct world *)of)->config; }

static uint64_t now_us(void *of) { return ((struct world *)of)->now_us; }

static void make_config(struct world *world) {
    cg_arena_init(&world->config.arena, SIZE_MAX, NULL);
    for (size_t i = 0; i < CLIENTS; i++) {
        world->clients[i] = (struct cg_client){.name = owners[i].name, .oscore = keys_of(&owners[i], true)};
        world->clients[i].oscore.digest[0] = (uint8_t)(i + 1);
    }
    world->config.clients = world->clients;
    world->config.client_count = CLIENTS;
    world->config.options = (struct cg_option_numbers){2, 248, 24, 13, 235, 239};
    CG_CHECK(cg_config_index_clients(&world->config));
}

static void make_wire(struct world *world, struct wire *wire) {
    wire->world = world;
    wire->transport = (struct cg_coap_transport){.ops = &transport, .listen = &listener};
    wire->peer = (struct cg_coap_peer){.layer = &layer, .path = {.transport = &wire->transport}};
    wire->peer.path.from = (struct cg_addr){.family = CG_FAMILY_IPV4, .port = (uint16_t)(wire - world->wires + 40000)};
}

static void make(struct world *world) {
    const struct cg_coap_shield_options options = {
        .ops = &front, .ctx = world, .config = config_of, .now_us = now_us, .of = world, .senders = &world->senders};
    make_owners();
    world->now_us = UINT64_C(1000000000);
    world->store.ops = &store_ops;
    cg_senders_init(&world->senders, &world->store);
    make_config(world);
    for (size_t i = 0; i < PEERS; i++) make_wire(world, &world->wires[i]);
    world->shield = cg_coap_shield_new(&options);
    CG_CHECK(world->shield != NULL);
}

static void begin(struct world *world) {
    if (world->shield == NULL) make(world);
    for (size_t i = 0; i < PEERS; i++) {
        world->wires[i].peer.path.proof = i == 0 ? CG_COAP_PROVEN : CG_COAP_UNPROVEN;
        world->wires[i].send_error = CG_OK;
    }
    world->asked_count = 0;
    world->latest.code = 0;
    world->reply = 0;
    world->is_slow = false;
}

/* Nothing holds a peer when nothing runs and nothing waits. */
static void end(struct world *world) {
    world->reply = 1;
    for (unsigned i = 0; i < EVENTS_MAX; i++) do_jobs(true);
    let_go(world);
    for (size_t i = 0; i < PEERS; i++) {
        CG_CHECK(world->wires[i].peer.holds == 0);
        go(world, &world->wires[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct world world;
    struct input input = {.data = data, .len = size};
    begin(&world);
    for (unsigned i = 0; i < EVENTS_MAX && input.len > 0; i++) happen(&world, &input);
    end(&world);
    return 0;
}
