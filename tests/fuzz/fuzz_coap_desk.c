/* The CoAP front without sockets: clients' messages of every kind, answers of groups, time, and clients that reject,
 * leave or take nothing, before a whole gateway. The hard thing is what to expect of messages that are not understood,
 * so what is checked is what must be so of all: one answer to a request at most, responses only on tokens that were
 * asked on, nothing but a small Echo for who has proven nothing, as many holds as exchanges, and all of it over when
 * the time is. */
#include "input.h"

#include <sodium.h>

#include "base/log.h"
#include "builtin.h"
#include "exchange/gateway.h"
#include "fronts/coap/desk.h"
#include "fronts/coap/token.h"
#include "settings/settings.h"

#define SECOND 1000000ull

enum { PEERS = 4, TOKENS = 4, EMISSIONS_KEPT = 16, EVENTS_MAX = 300, DRAIN_STEPS_MAX = 20000, OPTIONS_MAX = 600 };

struct world;

struct cg_coap_peer {
    struct world *world;
    struct cg_addr addr, local;
    struct cg_listen listen;
    enum cg_coap_proof proof;
    void *place;
    unsigned holds;
    int send_error;
    const struct cg_coap_request *request; /* while the front hears of it */
    unsigned answers;                      /* to it */
    bool asked[TOKENS];                    /* on these */
};

struct emission {
    struct cg_addr to;
    struct cg_token token;
};

struct world {
    struct cg_port port;
    struct cg_gateway *gateway;
    struct cg_coap_desk *desk;
    struct cg_coap_peer peers[PEERS];
    struct emission emissions[EMISSIONS_KEPT];
    size_t emission_count;
    uint64_t now_us, random_state;
};

static const struct castgate_plugin *const plugins[] = {&cg_plugin_multipart_core};
static const struct cg_encoder_list encoders = {.plugins = plugins, .count = 1};

/* ---- Tokens ---- */

static const uint8_t token_bytes[CG_COAP_TOKEN_MAX];
static const size_t token_lengths[TOKENS] = {0, 1, 8, CG_COAP_TOKEN_MAX};

static struct cg_slice token_of(unsigned index) { return cg_slice_of(token_bytes, token_lengths[index % TOKENS]); }

static void check_token(const struct cg_coap_peer *peer, struct cg_slice token) {
    unsigned index = 0;
    while (index < TOKENS && token_lengths[index] != token.len) index++;
    CG_CHECK(index < TOKENS && peer->asked[index]);
}

/* ---- The transport, as the front sees it ---- */

static void check_message(const struct cg_coap_message *message) {
    struct cg_msg msg;
    CG_CHECK(cg_code_is_response(message->code));
    CG_CHECK(message->options.len == 0 || cg_msg_parse_body(&msg, message->options) == CG_OK);
}

/* Four bytes, the token, an option of two bytes and its value: no more than three times what came. */
static void check_challenge(const struct cg_coap_peer *peer, const struct cg_coap_message *message) {
    const struct cg_msg msg = {.options = message->options};
    struct cg_slice echo;
    size_t size = 4 + (message->token.len > 12) + message->token.len + message->options.len;
    CG_CHECK(message->code == CG_CODE(4, 1) && message->payload.len == 0);
    CG_CHECK(cg_msg_find(&msg, CG_OPT_ECHO, &echo) && echo.len <= 8 && message->options.len == echo.len + 2);
    CG_CHECK(size <= 3 * peer->request->size);
}

void cg_coap_peer_answer(struct cg_coap_peer *peer, const struct cg_coap_message *response) {
    CG_CHECK(peer->request != NULL && ++peer->answers == 1);
    CG_CHECK(cg_slice_equal(peer->request->message.token, response->token));
    check_message(response);
    if (peer->proof == CG_COAP_UNPROVEN) check_challenge(peer, response);
}

int cg_coap_peer_send(struct cg_coap_peer *peer, const struct cg_coap_message *response, enum cg_type type) {
    CG_CHECK(type == CG_CON || type == CG_NON);
    CG_CHECK(peer->proof == CG_COAP_PROVEN);
    check_message(response);
    check_token(peer, response->token);
    return peer->send_error;
}

void cg_coap_peer_expect(struct cg_coap_peer *peer) { (void)peer; }

void cg_coap_peer_hold_for(struct cg_coap_peer *peer, struct cg_slice token) {
    (void)token;
    peer->holds++;
}
void cg_coap_peer_release_for(struct cg_coap_peer *peer, struct cg_slice token) {
    (void)token;
    CG_CHECK(peer->holds-- > 0);
}
void cg_coap_peer_prove(struct cg_coap_peer *peer) { peer->proof = CG_COAP_PROVEN; }
size_t cg_coap_peer_room(const struct cg_coap_peer *peer) {
    return peer->send_error == CG_E_TOO_BIG ? 200 : CG_COAP_MESSAGE_MAX;
}
const struct cg_addr *cg_coap_peer_addr(const struct cg_coap_peer *peer) { return &peer->addr; }
const struct cg_addr *cg_coap_peer_local(const struct cg_coap_peer *peer) { return &peer->local; }
const struct cg_listen *cg_coap_peer_listen(const struct cg_coap_peer *peer) { return &peer->listen; }
enum cg_coap_proof cg_coap_peer_proof(const struct cg_coap_peer *peer) { return peer->proof; }
enum cg_cri_scheme cg_coap_peer_scheme(const struct cg_coap_peer *peer) {
    return peer->addr.port % 2 != 0 ? CG_CRI_COAPS : CG_CRI_COAP;
}
void **cg_coap_peer_place(struct cg_coap_peer *peer) { return &peer->place; }

int cg_coap_peer_identify(const struct cg_coap_peer *peer, const struct cg_config *config, struct cg_request *request,
                          struct cg_problem *problem) {
    if (cg_coap_peer_scheme(peer) == CG_CRI_COAP) return CG_OK;
    request->client = cg_config_client_by_name(config, "dashboard");
    request->proof = CG_PROOF_PSK;
    return request->client != NULL ? CG_OK : cg_problem_set(problem, CG_E_UNAUTHORIZED, "nobody's key");
}

/* ---- The groups' side ---- */

static int port_emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    struct world *world = ctx;
    struct cg_msg msg;
    struct cg_slice unused;
    (void)problem;
    CG_CHECK(cg_msg_parse(&msg, datagram) == CG_OK);
    CG_CHECK(!cg_msg_find(&msg, CG_OPT_ECHO, &unused) && !cg_msg_find(&msg, 2, &unused)); /* this hop's */
    world->emissions[world->emission_count++ % EMISSIONS_KEPT] = (struct emission){.to = route->to, .token = msg.token};
    return CG_OK;
}

static void port_random(void *ctx, void *to, size_t len) {
    struct world *world = ctx;
    uint8_t *bytes = to;
    for (size_t i = 0; i < len; i++) {
        world->random_state = world->random_state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(world->random_state >> 56);
    }
}

static uint64_t port_drops(void *ctx) {
    (void)ctx;
    return 0;
}

static void port_wake(void *ctx) { (void)ctx; }

static uint64_t now_us(void *ctx) { return ((struct world *)ctx)->now_us; }

/* ---- Settings ---- */

static struct cg_addr address(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port) {
    return (struct cg_addr){.family = CG_FAMILY_IPV4, .port = port, .ip = {a, b, c, d}};
}

static const struct {
    const char *name, *path, *uri;
    bool is_open, forward;
} shapes[] = {
    {"lamps", "/lamps", "coap://224.0.1.187", true, true},
    {"root", "", "coap://224.0.1.188", true, false},
    {"closed", "/closed", "coap://224.0.1.189", false, true},
};

enum { MAPPINGS = sizeof shapes / sizeof shapes[0] };

static void fill_mapping(struct cg_config *config, struct cg_mapping *mapping, size_t index, uint8_t flags) {
    *mapping = (struct cg_mapping){
        .name = shapes[index].name,
        .path = shapes[index].path,
        .methods = CG_METHODS_ALL,
        .unsafe_methods = true,
        .protector = cg_protector_none(),
        .max_timeout_us = 60 * SECOND,
        .max_answers = 100,
        .forward = shapes[index].forward && (flags & 4) == 0,
        .requests_per_minute = flags & 8 ? 3 : 0,
        .target_count = 1,
        .targets = cg_arena_zalloc(&config->arena, sizeof *mapping->targets),
        .grant_count = 1,
        .grants = cg_arena_zalloc(&config->arena, sizeof *mapping->grants),
    };
    mapping->grants[0] =
        (struct cg_grant){.client = shapes[index].is_open ? NULL : &config->clients[0], .methods = CG_METHODS_ALL};
    mapping->targets[0] = (struct cg_target){.uri = shapes[index].uri,
                                             .group = address(224, 0, 1, (uint8_t)(187 + index), 5683),
                                             .interface = "lo",
                                             .hops = 1};
}

enum { VARIANTS = 16 };

static struct cg_config *make_config(uint8_t flags) {
    struct cg_config *config = cg_settings_defaults();
    CG_CHECK(config != NULL);
    config->group.nstart = 100;
    config->group.probing_burst = 1 << 20;
    config->limits.exchanges = flags & 1 ? 3 : 64;
    config->limits.exchanges_per_client = flags & 2 ? 2 : 16;
    config->client_count = 1;
    config->clients = cg_arena_zalloc(&config->arena, sizeof *config->clients);
    config->clients[0].name = "dashboard";
    config->mapping_count = MAPPINGS;
    config->mappings = cg_arena_zalloc(&config->arena, MAPPINGS * sizeof *config->mappings);
    for (size_t i = 0; i < MAPPINGS; i++) fill_mapping(config, &config->mappings[i], i, flags);
    CG_CHECK(cg_config_index(config) == CG_OK);
    return config;
}

/* A reference. Each is made once, since that costs more than most inputs do; what an earlier gateway has hung on it is
 * taken off. */
static struct cg_config *take_config(uint8_t flags) {
    static struct cg_config *made[VARIANTS];
    struct cg_config **config = &made[flags % VARIANTS];
    if (*config == NULL) *config = make_config(flags);
    return cg_config_ref(*config);
}

static void forget_stats(void) {
    for (unsigned i = 0; i < VARIANTS; i++) {
        struct cg_config *config = take_config((uint8_t)i);
        for (size_t j = 0; j < MAPPINGS; j++) config->mappings[j].stats = NULL;
        cg_config_unref(config);
    }
}

/* ---- Events ---- */

static void run(struct world *world) { cg_gateway_run(world->gateway, world->now_us); }

static void ask(struct world *world, struct cg_coap_peer *peer, struct input *input) {
    static const uint8_t codes[] = {CG_GET, CG_GET, CG_PUT, CG_FETCH, CG_POST, CG_DELETE, CG_IPATCH, CG_CODE(0, 9)};
    uint8_t how = input_u8(input), index = input_u8(input);
    struct cg_slice body = input_exact(input_bytes(input, input_u16(input) % OPTIONS_MAX));
    struct cg_msg msg = {0};
    if (cg_msg_parse_body(&msg, body) == CG_OK) {
        const struct cg_coap_request request = {
            .message = {.code = codes[how & 7],
                        .token = token_of(index),
                        .options = msg.options,
                        .payload = msg.payload},
            .type = how & 8 ? CG_NON : CG_CON,
            .size = 4 + token_of(index).len + body.len,
            .reached = how & 0x70 ? CG_COAP_BY_UNICAST : CG_COAP_BY_MULTICAST,
        };
        size_t before = world->emission_count;
        bool was_proven = peer->proof == CG_COAP_PROVEN;
        peer->asked[index % TOKENS] = true;
        peer->request = &request;
        peer->answers = 0;
        cg_coap_desk_ops.request(world->desk, peer, &request);
        if (peer->proof == CG_COAP_UNPROVEN || (!was_proven && request.reached == CG_COAP_BY_MULTICAST)) {
            CG_CHECK(world->emission_count == before && peer->holds == 0 && peer->place == NULL);
        }
        peer->request = NULL;
    }
    input_free(body);
}

static void answer(struct world *world, struct input *input) {
    uint8_t bytes[2048];
    size_t known = world->emission_count < EMISSIONS_KEPT ? world->emission_count : EMISSIONS_KEPT;
    uint8_t which = input_u8(input), from = input_u8(input), code = input_u8(input);
    struct cg_slice body = input_bytes(input, input_u16(input) % 1500);
    if (known == 0) return;
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, from & 0x80 ? CG_CON : CG_NON, code, input_u16(input),
                 world->emissions[which % known].token);
    int head = cg_msg_end(&writer);
    CG_CHECK(head > 0);
    if (body.len > 0) memcpy(bytes + head, body.data, body.len);
    struct cg_slice exact = input_exact(cg_slice_of(bytes, (size_t)head + body.len));
    const struct cg_datagram datagram = {
        .from = address(127, 1, 0, (uint8_t)(1 + (from & 7)), 5683), .bytes = exact, .arrival_us = world->now_us};
    cg_gateway_receive(world->gateway, &datagram);
    input_free(exact);
}

static void pass_time(struct world *world, uint64_t by_us) {
    uint64_t until = world->now_us + by_us;
    for (unsigned step = 0; step < DRAIN_STEPS_MAX; step++) {
        uint64_t next = cg_gateway_run(world->gateway, world->now_us);
        if (next > until) break;
        if (next > world->now_us) world->now_us = next;
    }
    world->now_us = until;
}

static void go(struct world *world, struct cg_coap_peer *peer) {
    cg_coap_desk_ops.gone(world->desk, peer);
    CG_CHECK(peer->place == NULL);
    peer->holds = 0;
    memset(peer->asked, 0, sizeof peer->asked);
}

static void reload(struct world *world, uint8_t flags) {
    struct cg_config *config = take_config(flags);
    cg_gateway_adopt(world->gateway, config);
    cg_config_unref(config);
}

static void event(struct world *world, struct input *input) {
    static const int errors[] = {CG_OK, CG_E_OVERLOAD, CG_E_NO_MEMORY, CG_E_TOO_BIG};
    uint8_t what = input_u8(input);
    struct cg_coap_peer *peer = &world->peers[what >> 4 & 3];
    switch (what & 15) {
    case 0:
    case 1:
    case 2: ask(world, peer, input); break;
    case 3:
    case 4: answer(world, input); break;
    case 5: pass_time(world, input_u8(input) * (SECOND / 10)); break;
    case 6: cg_coap_desk_ops.lost(world->desk, peer, token_of(input_u8(input))); break;
    case 7: cg_coap_desk_ops.acknowledged(world->desk, peer, token_of(input_u8(input))); break;
    case 8: go(world, peer); break;
    case 9: peer->send_error = errors[input_u8(input) & 3]; break;
    case 10: reload(world, input_u8(input)); break;
    case 11: cg_gateway_stop(world->gateway); break;
    default: run(world); break;
    }
}

static void check(const struct world *world) {
    size_t holds = 0;
    for (size_t i = 0; i < PEERS; i++) holds += world->peers[i].holds;
    CG_CHECK(holds <= cg_coap_desk_running(world->desk));
    CG_CHECK(cg_coap_desk_running(world->desk) <= cg_gateway_running(world->gateway));
}

/* Two minutes are more than the longest Multicast-Timeout and what the drain may take after it. */
static void drain(struct world *world) {
    for (size_t i = 0; i < PEERS; i++) world->peers[i].send_error = CG_OK;
    pass_time(world, 200 * SECOND);
    CG_CHECK(cg_coap_desk_running(world->desk) == 0);
    for (size_t i = 0; i < PEERS; i++) CG_CHECK(world->peers[i].holds == 0);
}

/* One on loopback, one from elsewhere that has proven nothing yet, and two in sessions, known and not any more. */
static void make_peers(struct world *world) {
    for (unsigned i = 0; i < PEERS; i++) {
        struct cg_coap_peer *peer = &world->peers[i];
        *peer = (struct cg_coap_peer){.world = world,
                                      .addr = address(127, 0, 0, 1, (uint16_t)(40000 + i)),
                                      .local = address(127, 0, 0, 1, 5683),
                                      .listen = {.loopback = i != 1, .insecure = i == 1},
                                      .proof = i == 1 ? CG_COAP_UNPROVEN : CG_COAP_PROVEN};
    }
}

static void fini(struct world *world) {
    for (size_t i = 0; i < PEERS; i++) go(world, &world->peers[i]);
    cg_coap_desk_free(world->desk);
    cg_gateway_free(world->gateway);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, size};
    struct world world = {.now_us = 1000 * SECOND, .random_state = 42};
    CG_CHECK(sodium_init() >= 0);
    cg_log_set_level(CG_LOG_ERROR);
    world.port = (struct cg_port){
        .ctx = &world, .emit = port_emit, .random = port_random, .kernel_drops = port_drops, .wake = port_wake};
    forget_stats();
    struct cg_config *config = take_config(input_u8(&input));
    world.gateway = cg_gateway_new(config, &world.port);
    cg_config_unref(config);
    CG_CHECK(world.gateway != NULL);
    world.desk = cg_coap_desk_new(world.gateway, (struct cg_coap_clock){now_us, &world}, &encoders);
    CG_CHECK(world.desk != NULL);
    make_peers(&world);
    bool drained = (input_u8(&input) & 1) == 0;
    for (unsigned i = 0; i < EVENTS_MAX && input.len > 0; i++) {
        event(&world, &input);
        check(&world);
    }
    if (drained) drain(&world);
    fini(&world);
    return 0;
}
