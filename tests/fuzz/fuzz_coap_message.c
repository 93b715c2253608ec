/* The message layer under whatever clients send, at whatever time, and a front that does anything it may: answers,
 * holds, proves, sends, releases. Sanitizers see what is used after it was freed. What must hold after each event:
 * - nothing but what the front said leaves for a group's request or an unproven address, rejections of 4 bytes aside;
 * - every datagram that goes is a message;
 * - a Message ID that is remembered is not handed on twice, though it is told otherwise of unproven ones;
 * - peers are told to be gone once each, and no more are remembered than may be. */
#include "input.h"

#include "fronts/coap/message.h"
#include "wire/envelope.h"

enum { ADDRESSES = 6, PEERS = 4, MEMORY = 3000, HELD = 8, EVENTS_MAX = 300 };

enum event { DATAGRAM, TO_GROUP, PASS, SEND, RELEASE, REQUEST, EMPTY, SESSION, MODES };

struct world {
    struct input input;
    uint64_t now_us, armed_us;
    struct cg_coap_messages *messages;
    struct cg_coap_transport transport;
    struct cg_listen listen;
    uint8_t modes; /* what the front does with requests */
    bool fails;    /* the transport */
    unsigned random;
    struct cg_coap_peer *held[HELD];
    unsigned held_count;
    struct cg_coap_peer *session;
    bool is_told, may_say; /* while something is handed in: whether the front spoke, and whether it alone may */
    bool known[ADDRESSES]; /* the front has proven or held it, or sent it what is to be acknowledged */
    size_t rejected;
};

static struct world *the_world;

static int send_datagram(const struct cg_coap_path *path, struct cg_slice datagram) {
    struct cg_envelope envelope;
    (void)path;
    CG_CHECK(datagram.len <= CG_COAP_DATAGRAM_ROOM);
    struct cg_slice exact = input_exact(datagram);
    int err = cg_envelope_parse(&envelope, exact);
    CG_CHECK(err == CG_OK || (err == CG_E_TOO_BIG && envelope.code == CG_CODE(4, 0)));
    if (envelope.code == CG_EMPTY) CG_CHECK(envelope.type == CG_ACK || envelope.type == CG_RST);
    if (envelope.type == CG_RST) the_world->rejected++;
    CG_CHECK(the_world->is_told || the_world->may_say || envelope.type == CG_RST);
    input_free(exact);
    return the_world->fails ? CG_E_OVERLOAD : CG_OK;
}

static const struct cg_coap_transport_ops transport_ops = {.scheme = CG_CRI_COAP, .send = send_datagram};

static uint64_t tell_now(void *ctx) { return ((struct world *)ctx)->now_us; }

static void make_random(void *ctx, void *bytes, size_t len) {
    struct world *world = ctx;
    for (size_t i = 0; i < len; i++) ((uint8_t *)bytes)[i] = (uint8_t)(world->random++ * 37);
}

static void note_armed(void *ctx, uint64_t at_us) {
    struct world *world = ctx;
    CG_CHECK(world->armed_us == UINT64_MAX || at_us < world->armed_us);
    world->armed_us = at_us;
}

static const struct cg_coap_host host = {.now_us = tell_now, .random = make_random, .arm = note_armed};

static void hold(struct world *world, struct cg_coap_peer *peer) {
    if (world->held_count == HELD) return;
    world->held[world->held_count++] = peer;
    cg_coap_peer_hold(peer);
}

static void release(struct world *world, unsigned index) {
    struct cg_coap_peer *peer = world->held[index];
    world->held[index] = world->held[--world->held_count];
    cg_coap_peer_release(peer);
}

static void try_sending(struct cg_coap_peer *peer, const struct cg_coap_message *message, enum cg_type type) {
    int err = cg_coap_peer_send(peer, message, type);
    CG_CHECK(err == CG_OK || err == CG_E_OVERLOAD || err == CG_E_TOO_BIG);
}

static void on_request(void *ctx, struct cg_coap_peer *peer, const struct cg_coap_request *request) {
    struct world *world = ctx;
    const struct cg_coap_message response = {
        .code = CG_CODE(2, 5), .token = request->message.token, .payload = request->message.payload};
    CG_CHECK(request->message.token.len <= CG_COAP_TOKEN_MAX && cg_code_is_request(request->message.code));
    world->is_told = true;
    *cg_coap_peer_place(peer) = peer;
    if (world->modes & 1) cg_coap_peer_prove(peer);
    if (world->modes & 2) hold(world, peer);
    if (world->modes & 4) cg_coap_peer_answer(peer, &response);
    if (world->modes & 8) try_sending(peer, &response, CG_NON);
    if (world->modes & 16) try_sending(peer, &response, CG_CON);
    if (world->modes & (1 | 2 | 16)) world->known[(cg_coap_peer_addr(peer)->port - 1) % ADDRESSES] = true;
    if (world->modes & 32 && world->held_count > 0) release(world, 0);
    struct cg_request asked = {0};
    CG_CHECK(cg_coap_peer_identify(peer, NULL, &asked, &(struct cg_problem){0}) == CG_OK && asked.client == NULL);
}

/* What is lost is let go, as a front does; or asked for again. */
static void on_token(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    struct world *world = ctx;
    const struct cg_coap_message response = {.code = CG_CODE(2, 5), .token = token};
    if (world->modes & 64) try_sending(peer, &response, CG_NON);
    for (unsigned i = 0; i < world->held_count; i++) {
        if (world->held[i] != peer) continue;
        release(world, i);
        return;
    }
}

static void on_gone(void *ctx, struct cg_coap_peer *peer) {
    struct world *world = ctx;
    *cg_coap_peer_place(peer) = NULL;
    if (world->session == peer) world->session = NULL;
    for (unsigned i = 0; i < world->held_count;) {
        if (world->held[i] == peer) {
            world->held[i] = world->held[--world->held_count];
        } else {
            i++;
        }
    }
}

static const struct cg_coap_peer_ops ops = {
    .request = on_request, .lost = on_token, .acknowledged = on_token, .gone = on_gone};

static struct cg_coap_path path_of(struct world *world, uint8_t which) {
    const struct cg_addr from = {
        .family = CG_FAMILY_IPV4, .port = (uint16_t)(1 + which % ADDRESSES), .ip = {192, 0, 2, which % 2}};
    const struct cg_addr to = {.family = CG_FAMILY_IPV4, .port = 5683, .ip = {192, 0, 2, 9}};
    return (struct cg_coap_path){.transport = &world->transport,
                                 .from = from,
                                 .to = to,
                                 .proof = which & 0x80 ? CG_COAP_PROVEN : CG_COAP_UNPROVEN};
}

static void bring(struct world *world, uint8_t which, enum cg_coap_reached reached, struct cg_slice bytes) {
    const struct cg_coap_path path = path_of(world, which);
    struct cg_slice exact = input_exact(bytes);
    const uint64_t received = cg_coap_messages_counters(world->messages)->received;
    world->rejected = 0;
    world->is_told = false;
    /* To who is, or may have become, proven the layer itself speaks: acknowledgements, repetitions, the next message.
     */
    world->may_say = reached == CG_COAP_BY_UNICAST;
    cg_coap_messages_take(world->messages, &path, reached, exact);
    world->may_say = true;
    if (reached == CG_COAP_BY_MULTICAST) CG_CHECK(world->rejected == 0);
    CG_CHECK(world->rejected <= 1);
    CG_CHECK(cg_coap_messages_counters(world->messages)->received == received + 1);
    input_free(exact);
}

static void pass(struct world *world, uint64_t us) {
    const uint64_t end_us = world->now_us + us;
    for (int turns = 0; world->armed_us <= end_us; turns++) {
        CG_CHECK(turns < 1000);
        if (world->armed_us > world->now_us) world->now_us = world->armed_us;
        world->armed_us = UINT64_MAX;
        cg_coap_messages_turn(world->messages);
    }
    world->now_us = end_us;
}

static void bring_message(struct world *world, unsigned type, unsigned code, uint8_t which) {
    const struct cg_envelope envelope = {.type = (uint8_t)(type & 3),
                                         .code = (uint8_t)code,
                                         .mid = input_u8(&world->input),
                                         .token = code == 0 ? CG_SLICE_NONE : input_bytes(&world->input, type >> 2)};
    uint8_t bytes[128];
    int len = cg_envelope_emit(&envelope, bytes, sizeof bytes);
    CG_CHECK(len > 0);
    bring(world, which, CG_COAP_BY_UNICAST, cg_slice_of(bytes, (size_t)len));
}

/* About a Message ID of ours: they begin where the fake random says. */
static void bring_empty(struct world *world, uint8_t type, uint8_t which) {
    const uint16_t mid = input_u16(&world->input);
    const uint8_t bytes[] = {(uint8_t)(0x40 | (type & 3) << 4), 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    bring(world, which, CG_COAP_BY_UNICAST, cg_slice_of(bytes, sizeof bytes));
}

static void do_session(struct world *world, uint8_t how) {
    struct cg_coap_path path = path_of(world, how | 0x80);
    path.session = world;
    if (world->session == NULL) {
        world->session = cg_coap_messages_begin(world->messages, &path);
    } else if (how & 1) {
        cg_coap_messages_end(world->session);
        CG_CHECK(world->session == NULL);
    } else {
        struct cg_slice exact = input_exact(input_bytes(&world->input, how >> 2));
        cg_coap_messages_take_from(world->session, exact);
        input_free(exact);
    }
}

static void do_send(struct world *world, uint8_t how) {
    static const uint8_t payload[CG_COAP_DATAGRAM_ROOM];
    if (world->held_count == 0) return;
    const struct cg_coap_message message = {.code = CG_CODE(2, 5),
                                            .token = input_bytes(&world->input, how & 7),
                                            .payload = cg_slice_of(payload, input_u8(&world->input) * 6u)};
    try_sending(world->held[(how >> 4) % world->held_count], &message, how & 8 ? CG_CON : CG_NON);
}

static void do_event(struct world *world) {
    struct input *input = &world->input;
    enum event event = (enum event)(input_u8(input) % (MODES + 1));
    uint8_t how = input_u8(input);
    switch (event) {
    case DATAGRAM: bring(world, how, CG_COAP_BY_UNICAST, input_bytes(input, input_u8(input))); break;
    case TO_GROUP: bring(world, how, CG_COAP_BY_MULTICAST, input_bytes(input, input_u8(input))); break;
    case PASS: pass(world, (uint64_t)how * how * 4000); break;
    case SEND: do_send(world, how); break;
    case RELEASE:
        if (world->held_count > 0) release(world, how % world->held_count);
        break;
    case REQUEST: bring_message(world, how, CG_GET, input_u8(input)); break;
    case EMPTY: bring_empty(world, how, input_u8(input)); break;
    case SESSION: do_session(world, how); break;
    case MODES:
        world->modes = how & 0x7f;
        world->fails = how >> 7;
        break;
    }
    CG_CHECK(cg_coap_messages_remotes(world->messages) <= PEERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct world world = {.input = {.data = data, .len = size}, .now_us = 1000000, .armed_us = UINT64_MAX};
    const struct cg_coap_messages_options options = {
        .ops = &ops, .ctx = &world, .host = &host, .host_ctx = &world, .memory = MEMORY, .remotes = PEERS};
    the_world = &world;
    world.transport = (struct cg_coap_transport){.ops = &transport_ops, .listen = &world.listen};
    world.may_say = true;
    world.messages = cg_coap_messages_new(&options);
    CG_CHECK(world.messages != NULL);
    for (int i = 0; i < EVENTS_MAX && world.input.len > 0; i++) do_event(&world);
    if (world.session != NULL) cg_coap_messages_end(world.session);
    cg_coap_messages_free(world.messages);
    CG_CHECK(world.held_count == 0);
    return 0;
}
