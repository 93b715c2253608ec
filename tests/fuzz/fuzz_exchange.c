/* The whole gateway object, fed events out of the input: requests, datagrams that answer what was sent, datagrams of
 * any kind, time, clients that leave, reloads, a port that fails, protection that takes its time or never ends. The
 * hard thing is what to expect: so after every event the gateway's tables are counted again from the bottom
 * (check_all), and at the end every client has been answered exactly once. */
#include "input.h"

#include <jansson.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "base/text.h"
#include "builtin.h"
#include "exchange/exchange.h"
#include "reply/reply.h"
#include "settings/settings.h"

#define SECOND 1000000ull

enum {
    CALLS_MAX = 24,
    EMISSIONS_KEPT = 32,
    TOKENS_KEPT = 2048,
    JOBS_MAX = 32,
    MAPPINGS = 8,
    MEMBERS = 3,
    EVENTS_MAX = 400,
    DRAIN_STEPS_MAX = 20000,
};

/* One client request and what its front heard. */
struct call {
    struct world *world;
    struct cg_ticket ticket;
    bool used;
    bool fresh; /* not started yet */
    bool abandoned;
    unsigned replies, problems;
    bool streams;
    const struct castgate_encoder *encoder;
    struct cg_outq *body;   /* a reference, while the front reads */
    struct cg_outq *stream; /* the same, while its exchange runs */
    struct cg_buf text;     /* what it has read */
};

struct emission {
    struct cg_addr to;
    struct cg_token token;
    uint16_t mid;
};

struct spent_token {
    struct cg_token token;
    struct cg_addr to;
    uint32_t hash; /* of the datagram */
    bool multicast;
};

/* What the slow protector has promised. */
struct promise {
    uint64_t job;
    bool opens;
    uint8_t code;
    struct cg_buf bytes; /* the sealed datagram, or the answer's options and payload */
    size_t options_len;
};

struct slow_protector {
    struct cg_protector protector;
    struct world *world;
};

struct world {
    struct cg_port port;
    struct cg_gateway *gateway;
    uint64_t now_us;
    uint64_t random_state;
    uint64_t kernel_drops;
    bool emit_fails;
    bool running; /* inside cg_gateway_run: the only time when fronts may be called */
    struct call calls[CALLS_MAX];
    struct emission emissions[EMISSIONS_KEPT];
    size_t emission_count;
    struct spent_token tokens[TOKENS_KEPT];
    size_t token_count;
    struct slow_protector slow;
    uint8_t slow_mode; /* bits: seals later, seals fail, opens later, opens fail */
    uint8_t identity;  /* who the slow protector says it was */
    bool challenges;   /* and that it wants an Echo */
    bool overtaken;
    size_t bindings; /* made and not released */
    uint32_t nstart; /* the largest so far: what is out when a reload lowers it stays out */
    unsigned epoch;  /* of the slow protector's keys */
    struct promise promises[JOBS_MAX];
    size_t promise_count;
};

enum { SEALS_LATER = 1, SEALS_FAIL = 2, OPENS_LATER = 4, OPENS_FAIL = 8 };

/* The slow protector: plain messages, in its own time. */

/* Of the members, and of somebody who is none. */
static const char *const identities[MEMBERS + 1] = {"credential A", "credential B", "credential C", "credential D"};

static struct cg_slice identity_of(const struct world *world) {
    return cg_slice_str(identities[world->identity % (MEMBERS + 1)]);
}

static struct promise *add_promise(struct world *world, uint64_t job, bool opens) {
    if (world->promise_count == JOBS_MAX) return NULL;
    struct promise *promise = &world->promises[world->promise_count++];
    *promise = (struct promise){.job = job, .opens = opens};
    cg_buf_init(&promise->bytes, 0);
    return promise;
}

/* On the heap, so that the sanitizer sees one that is lost, used after its release, or released twice. */
struct cg_binding {
    struct cg_token token;
    unsigned epoch;
};

static int slow_seal(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job, struct cg_buf *out,
                     struct cg_binding **binding, struct cg_problem *problem) {
    struct world *world = ((struct slow_protector *)protector)->world;
    if (world->slow_mode & SEALS_FAIL) return cg_problem_set(problem, CG_E_STORE, "the store is read-only");
    struct cg_buf bytes;
    cg_buf_init(&bytes, 0);
    int err = cg_sealing_emit(sealing, &bytes, problem);
    struct promise *promise = err == CG_OK && world->slow_mode & SEALS_LATER ? add_promise(world, job, false) : NULL;
    cg_buf_put_slice(promise == NULL ? out : &promise->bytes, cg_buf_slice(&bytes));
    cg_buf_fini(&bytes);
    if (err < 0) return err;
    *binding = malloc(sizeof **binding);
    CG_CHECK(*binding != NULL);
    **binding = (struct cg_binding){.token = sealing->token, .epoch = world->epoch};
    world->bindings++;
    return promise == NULL ? CG_OK : CG_PENDING;
}

static bool slow_is_stale(struct cg_protector *protector, const struct cg_binding *binding) {
    return binding->epoch != ((struct slow_protector *)protector)->world->epoch;
}

static void slow_release(struct cg_protector *protector, struct cg_binding *binding) {
    struct world *world = ((struct slow_protector *)protector)->world;
    if (binding != NULL) world->bindings--;
    free(binding);
}

static struct cg_opened opened_as(const struct world *world, uint8_t code, struct cg_slice options,
                                  struct cg_slice payload) {
    struct cg_slice identity = identity_of(world);
    return (struct cg_opened){
        .code = code,
        .options = options,
        .payload = payload,
        .verified = CASTGATE_VERIFIED_SOURCE,
        .has_kid = true,
        .kid = identity,
        .identity = identity,
        .echo = world->challenges ? cg_slice_str("echo") : CG_SLICE_NONE,
        .overtaken = world->overtaken,
    };
}

static int slow_open(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                     struct cg_opened *opened) {
    struct world *world = ((struct slow_protector *)protector)->world;
    const struct cg_msg *msg = opening->msg;
    CG_CHECK(opening->binding != NULL && memcmp(&opening->binding->token, &msg->token, sizeof msg->token) == 0);
    *opened = opened_as(world, msg->code, msg->options, msg->payload);
    if (world->slow_mode & OPENS_FAIL) return CG_E_REPLAY;
    struct promise *promise = world->slow_mode & OPENS_LATER ? add_promise(world, job, true) : NULL;
    if (promise == NULL) return CG_OK;
    promise->code = msg->code;
    promise->options_len = msg->options.len;
    cg_buf_put_slice(&promise->bytes, msg->options);
    cg_buf_put_slice(&promise->bytes, msg->payload);
    *opened = (struct cg_opened){0};
    return CG_PENDING;
}

static const struct cg_protector_ops slow_ops = {
    .name = "slow", .seal = slow_seal, .open = slow_open, .is_stale = slow_is_stale, .release = slow_release};

/* The port. */

static void check_token(struct world *world, const struct cg_msg *msg, const struct cg_addr *to,
                        struct cg_slice bytes) {
    uint32_t hash = cg_fnv(CG_FNV_START, bytes.data, bytes.len);
    bool multicast = cg_addr_is_multicast(to);
    for (size_t i = 0; i < world->token_count; i++) {
        const struct spent_token *spent = &world->tokens[i];
        if (memcmp(spent->token.bytes, msg->token.bytes, CG_TOKEN_MAX) != 0) continue;
        bool retransmission = !multicast && !spent->multicast && spent->hash == hash && cg_addr_equal(&spent->to, to);
        CG_CHECK(retransmission); /* R32 */
        return;
    }
    if (world->token_count == TOKENS_KEPT) return;
    world->tokens[world->token_count++] =
        (struct spent_token){.token = msg->token, .to = *to, .hash = hash, .multicast = multicast};
}

/* Somebody must want the answers of a group request that goes out now. */
static void check_wanted(struct world *world, const struct cg_msg *msg) {
    const struct cg_token_entry *entry = cg_token_find(&world->gateway->engine, &msg->token);
    CG_CHECK(entry != NULL && entry->leg->kind->type == CG_NON);
    const struct cg_round *round = ((const struct cg_part *)entry->leg->owner)->round;
    const struct cg_waiter *it = round->waiters;
    while (it != NULL && CG_CONTAINER(it, struct cg_exchange, waiter)->abandoned) it = it->next;
    CG_CHECK(it != NULL);
    const struct cg_binding *binding = entry->leg->sending.binding;
    CG_CHECK(binding == NULL || binding->epoch == world->epoch); /* R55 */
}

/* Only to an address of the link, and only while somebody waits there. */
static const struct cg_endpoint *check_ping(const struct world *world, const struct cg_addr *to) {
    const struct cg_endpoint *endpoint = cg_endpoint_find(&world->gateway->engine, to);
    CG_CHECK(endpoint != NULL && endpoint->ping.runs && !endpoint->genuine && endpoint->waiting != NULL);
    return endpoint;
}

static bool port_on_link(void *ctx, const char *interface, const struct cg_addr *addr) {
    (void)ctx, (void)interface;
    return addr->family == CG_FAMILY_IPV4 && addr->ip[3] % 2 == 0;
}

static int port_emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    struct world *world = ctx;
    struct cg_msg msg;
    CG_CHECK(cg_msg_parse(&msg, datagram) == CG_OK);
    CG_CHECK(route->to.family != CG_FAMILY_NONE);
    bool multicast = cg_addr_is_multicast(&route->to);
    if (msg.code == CG_EMPTY) {
        CG_CHECK(!multicast && msg.type != CG_NON);
        if (msg.type == CG_CON) CG_CHECK(msg.mid == check_ping(world, &route->to)->ping.mid);
    } else {
        CG_CHECK(cg_code_is_request(msg.code) && msg.token.len == CG_TOKEN_MAX);
        CG_CHECK(msg.type == (multicast ? CG_NON : CG_CON)); /* R29 */
        CG_CHECK(!multicast || route->hops > 0);
        if (multicast) check_wanted(world, &msg);
        check_token(world, &msg, &route->to, datagram);
    }
    if (world->emit_fails) return cg_problem_set(problem, CG_E_EMIT, "the port fails");
    if (msg.code == CG_EMPTY) return CG_OK;
    world->emissions[world->emission_count++ % EMISSIONS_KEPT] =
        (struct emission){.to = route->to, .token = msg.token, .mid = msg.mid};
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

static uint64_t port_drops(void *ctx) { return ((struct world *)ctx)->kernel_drops; }

static void port_wake(void *ctx) { (void)ctx; }

/* The fronts. */

static void check_heard(struct call *call) {
    CG_CHECK(call->used && !call->fresh && !call->abandoned);
    CG_CHECK(call->world->running);
    CG_CHECK(call->replies + call->problems == 1);
}

/* Takes at most `len` of the bytes that are there. */
static void read_body(struct call *call, size_t len) {
    while (call->body != NULL && len > 0) {
        struct cg_slice bytes = cg_outq_peek(call->body);
        if (bytes.len == 0) return;
        size_t some = bytes.len < len ? bytes.len : len;
        cg_buf_put(&call->text, bytes.data, some);
        cg_outq_drop(call->body, some);
        len -= some;
    }
}

static void check_json(const struct cg_buf *text, const struct castgate_summary *summary) {
    json_t *reply = json_loadb((const char *)text->data, text->len, JSON_ALLOW_NUL, NULL);
    CG_CHECK(json_is_object(reply));
    CG_CHECK(json_array_size(json_object_get(reply, "answers")) == summary->answered);
    CG_CHECK(json_array_size(json_object_get(reply, "missing")) <=
             summary->missing); /* none where members are hidden */
    json_decref(reply);
}

static void check_whole(struct call *call, const struct cg_reply *reply) {
    const struct castgate_summary *summary = &reply->summary;
    CG_CHECK(reply->status == 200 || reply->status == 204 || (reply->status == 504 && summary->answered == 0));
    CG_CHECK(summary->ended_by != NULL && summary->failed <= summary->answered &&
             summary->missing <= summary->expected);
    CG_CHECK(call->body->ended && strlen(reply->exchange_id) == 16);
    if (reply->status == 204) {
        CG_CHECK(call->body->len == 0);
        return;
    }
    struct cg_slice blocks[2];
    struct cg_buf text;
    size_t count = cg_outq_peek_all(call->body, blocks, 2);
    CG_CHECK(count <= 2);
    cg_buf_init(&text, 0);
    for (size_t i = 0; i < count; i++) cg_buf_put_slice(&text, blocks[i]);
    CG_CHECK(text.len == call->body->len);
    if (call->encoder == cg_plugin_json.ops.encoder) check_json(&text, summary);
    if (call->encoder == cg_plugin_mixed.ops.encoder) CG_CHECK(text.len > 6 && memcmp(text.data, "--", 2) == 0);
    cg_buf_fini(&text);
}

static void front_reply(void *ctx, const struct cg_reply *reply) {
    struct call *call = ctx;
    call->replies++;
    check_heard(call);
    if (reply->problem != NULL) {
        CG_CHECK(reply->problem->err == CG_E_NO_ANSWER && reply->body == NULL && reply->status == 504);
        return;
    }
    CG_CHECK(reply->body != NULL);
    call->body = cg_outq_ref(reply->body);
    call->streams = reply->streams;
    call->stream = reply->streams ? reply->body : NULL;
    CG_CHECK(reply->streams == (call->encoder->begin != NULL && reply->status == 200));
    if (!reply->streams) check_whole(call, reply);
}

static void front_problem(void *ctx, const struct cg_problem *problem, const char *exchange_id) {
    struct call *call = ctx;
    call->problems++;
    check_heard(call);
    CG_CHECK(problem->err < 0 && problem->err >= -(int)CG_ERR_COUNT);
    CG_CHECK(problem->detail[0] != '\0' && strlen(exchange_id) == 16);
}

static const struct cg_front front = {.reply = front_reply, .problem = front_problem};

static void release_body(struct call *call) {
    cg_outq_unref(call->body);
    call->body = NULL;
}

static bool is_live(const struct world *world, const struct call *call) {
    return call->used && cg_slots_get(&world->gateway->exchanges, call->ticket) != NULL;
}

/* Settings. */

static struct cg_addr address(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    return (struct cg_addr){.family = CG_FAMILY_IPV4, .port = 5683, .ip = {a, b, c, d}};
}

static struct cg_addr member_address(unsigned index) { return address(127, 1, 0, (uint8_t)(index + 1)); }

static const struct shape {
    const char *name, *path, *uri; /* the URI tells them apart for the forward proxy */
    uint8_t targets;
    bool one_group; /* both targets are the same group */
    uint8_t members;
    bool slow;
} shapes[MAPPINGS] = {
    {"lamps", "/lamps", "coap://224.0.1.187/lamps", 1, false, 0, false},
    {"pair", "/pair", "coap://224.0.1.187/pair", 2, false, 0, false},
    {"twin", "/twin", "coap://224.0.1.187/twin", 2, true, 0, false},
    {"room", "/room", "coap://224.0.1.187/room", 1, false, MEMBERS, false},
    {"one", "/one", "coap://224.0.1.187/one", 1, false, 1, false},
    {"slow", "/slow", "coap://224.0.1.187/slow", 1, false, MEMBERS, true},
    {"slowone", "/slowone", "coap://224.0.1.187/slowone", 1, false, 1, true},
    {"slowtwin", "/slowtwin", "coap://224.0.1.187/slowtwin", 2, true, 0, true},
};

static void fill_members(struct cg_config *config, struct cg_mapping *mapping, unsigned count, bool slow) {
    if (count == 0) return;
    mapping->complete = true;
    mapping->member_count = count;
    mapping->members = cg_arena_zalloc(&config->arena, count * sizeof *mapping->members);
    for (unsigned i = 0; i < count; i++) {
        mapping->members[i].name = i == 0 ? "first" : "other";
        mapping->members[i].addr = member_address(i);
        if (slow) mapping->members[i].identity = cg_slice_str(identities[i]);
    }
}

static void fill_mapping(struct world *world, struct cg_config *config, struct cg_mapping *mapping,
                         const struct shape *shape, uint8_t flags) {
    static const enum cg_finish_rule rules[] = {CG_FINISH_DEADLINE, CG_FINISH_ALL, CG_FINISH_QUORUM, CG_FINISH_COUNT};
    *mapping = (struct cg_mapping){
        .name = shape->name,
        .path = shape->path,
        .methods = CG_METHODS_ALL,
        .unsafe_methods = true,
        .security = shape->slow ? CG_SECURITY_GROUP : CG_SECURITY_NONE,
        .protector = shape->slow ? &world->slow.protector : cg_protector_none(),
        .has_timeout = true,
        .timeout_us = 2 * SECOND,
        .max_timeout_us = 60 * SECOND,
        .finish = {.rule = rules[flags & 3], .quorum = 0.5, .count = 2},
        .repair_unicast = flags & 4,
        .max_answers = flags & 8 ? 2 : 10000,
        .anonymise = flags & 32,
        .block_size = flags & 64 ? 16 : 0,
        .repair_large_requests = flags & 128,
        .forward = true,
        .requests_per_minute = flags & 16 ? 3 : 0,
        .target_count = shape->targets,
        .targets = cg_arena_zalloc(&config->arena, shape->targets * sizeof *mapping->targets),
        .grant_count = 2,
        .grants = cg_arena_zalloc(&config->arena, 2 * sizeof *mapping->grants),
    };
    if (shape->slow) mapping->keys = &config->security_groups[0];
    mapping->grants[0].methods = mapping->grants[1].methods = CG_METHODS_ALL;
    mapping->grants[1].client = &config->clients[0];
    for (uint8_t i = 0; i < shape->targets; i++) {
        mapping->targets[i].uri = shape->uri;
        mapping->targets[i].group = address(224, 0, 1, shape->one_group ? 187 : (uint8_t)(187 + i));
        mapping->targets[i].path = cg_slice_str("/base");
        mapping->targets[i].interface = "lo";
        mapping->targets[i].hops = (uint8_t)(i + 1);
    }
    fill_members(config, mapping, shape->members, shape->slow);
}

static size_t one_of(uint8_t index, size_t a, size_t b, size_t c, size_t d) {
    const size_t values[] = {a, b, c, d};
    return values[index & 3];
}

/* That all slow mappings are protected by. */
static void fill_group(struct cg_config *config) {
    struct cg_security_keys *group = cg_arena_zalloc(&config->arena, sizeof *group);
    group->name = "slow";
    config->security_groups = group;
    config->security_group_count = 1;
    HASH_ADD_KEYPTR(hh, config->security_groups_by_name, group->name, strlen(group->name), group);
    CG_CHECK(CG_HASH_HAS(hh, group));
}

/* Six bytes of the input; zeros are the defaults. */
static struct cg_config *make_config(struct world *world, struct input *input) {
    struct cg_config *config = cg_settings_defaults();
    CG_CHECK(config != NULL);
    uint8_t pace = input_u8(input), counts = input_u8(input), memory = input_u8(input), flags[3];
    for (size_t i = 0; i < sizeof flags; i++) flags[i] = input_u8(input);
    config->group.nstart = 1 + (pace & 3);
    if (config->group.nstart > world->nstart) world->nstart = config->group.nstart;
    config->group.probing_burst = (uint32_t)one_of(pace >> 2, 16384, 64, 1, 500);
    config->group.probing_rate = (uint32_t)one_of(pace >> 4, 1, 1000, 10, 1);
    config->limits.exchanges = (uint32_t)one_of(counts, CALLS_MAX, 3, 8, 1);
    config->limits.exchanges_per_client = (uint32_t)one_of(counts >> 2, 16, 2, 1, CALLS_MAX);
    config->limits.answer = one_of(counts >> 4, 65536, 100, 32, 1000);
    config->limits.stream_queue = one_of(counts >> 6, 1 << 18, 512, 64, 4096);
    config->limits.exchange_memory = one_of(memory, 1 << 24, 4096, 1500, 16384);
    config->limits.total_memory = one_of(memory >> 2, 1 << 28, 20000, 5000, 1000);
    config->http.strict = memory & 0x80;
    config->client_count = 1;
    config->clients = cg_arena_zalloc(&config->arena, sizeof *config->clients);
    config->clients[0].name = "dashboard";
    fill_group(config);
    config->mapping_count = MAPPINGS;
    config->mappings = cg_arena_zalloc(&config->arena, MAPPINGS * sizeof *config->mappings);
    for (size_t i = 0; i < MAPPINGS; i++)
        fill_mapping(world, config, &config->mappings[i], &shapes[i], flags[i % sizeof flags]);
    CG_CHECK(cg_config_index(config) == CG_OK);
    return config;
}

/* What must be so at any time, counted from the bottom. */

static uint32_t count_late(const struct cg_feed *feed, const struct cg_news *news) {
    uint32_t count = 0;
    for (const struct cg_reader *it = feed->readers; it != NULL; it = it->next) {
        CG_CHECK(it->feed == feed && (it->untold == NULL || it->untold->number <= it->last));
        count += it->untold != NULL && it->untold->number <= news->number && news->number <= it->last;
    }
    return count;
}

/* Copies are for somebody, and counted; returns how many places are not copies. */
static uint32_t check_feed(const struct cg_feed *feed) {
    uint64_t before = 0;
    uint32_t held = 0, copies = 0;
    for (const struct cg_news *it = feed->first_news; it != NULL; before = it->number, it = it->next) {
        CG_CHECK(it->number > before && it->number <= feed->count);
        CG_CHECK((it->next == NULL) == (it == feed->last_news));
        CG_CHECK(!it->is_copy || (it->readers > 0 && it->readers == count_late(feed, it)));
        held += !it->is_copy;
        copies += it->is_copy;
    }
    CG_CHECK((copies > 0) == (feed->copied > 0) && (copies < 2 || feed->copied <= feed->copied_max));
    return held;
}

static void check_tally(const struct cg_round *round) {
    const struct cg_tally *tally = &round->tally;
    uint32_t answered = 0, failed = 0, seen = 0, refusals = 0, places = 0;
    for (const struct cg_answer *it = tally->answers; it != NULL; it = it->next) {
        answered++;
        failed += it->code >= CG_CODE(4, 0);
        CG_CHECK(it->member == NULL || cg_tally_has_seen(tally, it->member));
    }
    for (size_t i = 0; i < round->mapping->member_count; i++)
        seen += cg_tally_has_seen(tally, &round->mapping->members[i]);
    for (const struct cg_refusal *it = tally->refusals; it != NULL; it = it->next) refusals++;
    CG_CHECK(answered == tally->answered && failed == tally->failed && answered == tally->by_who.used);
    uint32_t told = check_feed(&round->feed);
    CG_CHECK(told == answered || (told < answered && tally->duplicates > round->mapping->max_answers));
    for (const struct cg_awaited *it = tally->awaited; it != NULL; it = it->hh.next) {
        CG_CHECK(it->who.member == NULL || !cg_tally_is_silent(tally, it->who.member));
        places += it->holds_place;
    }
    CG_CHECK(places == tally->places && seen == tally->seen_count);
    CG_CHECK(refusals <= tally->rejected && refusals <= CG_REFUSALS_LISTED);
    CG_CHECK(answered <= round->mapping->max_answers && seen <= answered);
}

static void check_ask(struct cg_gateway *gateway, const struct cg_ask *ask) {
    const struct cg_leg *leg = &ask->leg;
    CG_CHECK(cg_slots_get(&gateway->engine.legs, leg->ticket) == leg && leg->kind->type == CG_CON);
    CG_CHECK(ask->turn.endpoint != NULL);
    CG_CHECK(ask->turn.flies == (leg->sending.token != NULL || leg->sending.next != NULL));
    const struct cg_msg answer = {.type = CG_NON};
    uint32_t opening = 0;
    for (const struct cg_sending *it = &leg->sending; it != NULL; it = it->next) {
        CG_CHECK(it->token == NULL || (it->token->leg == leg && (it->mid & CG_MID_UNICAST) != 0));
        CG_CHECK(it->token == NULL || it->request == 0 || cg_leg_sending_of(it->token->leg, it->token, &answer) == it);
        opening += it->opening;
    }
    CG_CHECK(opening == leg->opening);
}

static uint32_t check_asks(struct cg_gateway *gateway, const struct cg_round *round) {
    uint32_t count = 0, placed = 0, awaited = 0, waiting = 0, of_blocks = 0, of_uploads = 0;
    for (const struct cg_ask *it = round->repair.asks; it != NULL; it = it->next_of_owner, count++) {
        check_ask(gateway, it);
        CG_CHECK(((const struct cg_part *)it->leg.owner)->round == round && !it->has_block);
        CG_CHECK(!it->rests || !it->holds_place);
        placed += it->holds_place;
    }
    for (const struct cg_partial *it = round->waiting; it != NULL; it = it->next_waiting) {
        CG_CHECK(it->waits && it->blocks.ask == NULL);
        waiting++;
    }
    for (const struct cg_partial *it = round->partials; it != NULL; it = it->next) {
        awaited++;
        if (it->waits) continue;
        of_blocks++;
        check_ask(gateway, it->blocks.ask);
        CG_CHECK(it->round == round && it->blocks.ask->has_block);
    }
    for (const struct cg_transfer *it = round->large.transfers; it != NULL; it = it->next) {
        const struct cg_upload *upload = &it->upload;
        CG_CHECK(it->part.round == round && round->is_large && upload->at <= upload->whole->payload.len);
        if (upload->ask == NULL) continue;
        check_ask(gateway, upload->ask);
        CG_CHECK(upload->ask->leg.owner == upload && upload->request.payload.len <= (size_t)16 << upload->szx);
        of_uploads++;
    }
    CG_CHECK(placed + of_blocks + of_uploads == round->repair.running);
    CG_CHECK(awaited == HASH_COUNT(round->tally.awaited) && awaited == of_blocks + waiting);
    CG_CHECK(of_blocks == round->repair.fetching + round->repair.apart);
    return count + of_blocks + of_uploads;
}

/* Those who wait for it, who are told of by their own exchanges. */
static uint32_t check_waiters(const struct cg_gateway *gateway, const struct cg_round *round) {
    uint32_t count = 0, collecting = 0, forsaken = 0, by_time = 0;
    for (struct cg_waiter *it = round->waiters; it != NULL; it = it->next, count++) {
        const struct cg_exchange *exchange = CG_CONTAINER(it, struct cg_exchange, waiter);
        CG_CHECK(it->round == round && cg_slots_get(&gateway->exchanges, exchange->ticket) == exchange);
        CG_CHECK(exchange->mapping == round->mapping && (it->reader.feed != NULL) == exchange->telling);
        CG_CHECK(it->reader.untold == NULL || it->reader.feed == &round->feed);
        by_time += it->collects && it->finishing == CG_FINISH_BY_TIME;
        collecting += it->collects;
        forsaken += it->collects && it->forsaken;
    }
    CG_CHECK(count > 0 && collecting == round->collecting && forsaken == round->forsaken);
    CG_CHECK(by_time == round->by_time);
    CG_CHECK(round->closed == (collecting == 0) || round->ended_by != NULL);
    return count;
}

/* Bytes on their way to a client. */
static size_t queued(const struct world *world, const struct call *call) {
    if (call->body != NULL) return call->body->charged;
    return call->stream != NULL && is_live(world, call) ? call->stream->charged : 0;
}

/* Whether there are bytes that replies have in common. */
static bool has_common_bytes(const struct world *world) {
    const struct cg_round *round = world->gateway->rounds.all;
    while (round != NULL && round->shelf.first == NULL) round = round->next;
    bool has = round != NULL;
    for (size_t i = 0; i < CALLS_MAX; i++) {
        const struct cg_outq *body = world->calls[i].body;
        has |= body != NULL && body->charged < body->len;
    }
    return has;
}

/* No address has more requests under way than NSTART (RFC 7252 §4.7), and nobody waits where one more may go. */
static uint32_t count_at_endpoints(const struct world *world) {
    const struct cg_gateway *gateway = world->gateway;
    uint32_t count = 0, flying = 0, expected = 0;
    size_t bytes = 0;
    for (const struct cg_endpoint *row = gateway->engine.endpoints.by_addr; row != NULL; row = row->hh.next) {
        uint32_t before = expected;
        for (const struct cg_turn *it = row->flying; it != NULL; it = it->next) {
            CG_CHECK(it->endpoint == row && it->flies);
            flying++;
            if (!it->is_expected) continue;
            bytes += it->size;
            expected++;
        }
        for (const struct cg_turn *it = row->waiting; it != NULL; it = it->next, count++)
            CG_CHECK(it->endpoint == row && !it->flies);
        CG_CHECK(row->outstanding == expected - before && row->outstanding <= world->nstart);
    }
    CG_CHECK(bytes == gateway->engine.endpoints.sealed_bytes);
    return count + flying;
}

static void check_exchanges(struct world *world) {
    struct cg_gateway *gateway = world->gateway;
    uint32_t count = 0, asks = 0, entered = 0, running = 0, waiting = 0, waiters = 0;
    size_t memory = 0;
    for (uint32_t i = 0; i < gateway->exchanges.cap; i++) {
        const struct cg_exchange *exchange = gateway->exchanges.slots[i].item;
        if (exchange == NULL) continue;
        count++;
        entered += exchange->usage != NULL;
        waiting += exchange->waiter.round != NULL;
        memory += exchange->arena.used;
        CG_CHECK(exchange->arena.used <= exchange->arena.max);
    }
    for (const struct cg_round *round = gateway->rounds.all; round != NULL; round = round->next) {
        memory += round->arena.used;
        CG_CHECK(round->arena.used <= round->arena.max);
        waiters += check_waiters(gateway, round);
        asks += check_asks(gateway, round);
        check_tally(round);
    }
    for (size_t i = 0; i < CALLS_MAX; i++) memory += queued(world, &world->calls[i]);
    for (const struct cg_usage *it = gateway->budgets.usages; it != NULL; it = it->hh.next)
        running += it->running[CG_PLACE_EXCHANGE];
    CG_CHECK(count == gateway->exchanges.used && count == cg_gateway_running(gateway) && waiting == waiters);
    CG_CHECK(asks == gateway->engine.asks && asks == count_at_endpoints(world));
    CG_CHECK(has_common_bytes(world) ? memory <= gateway->quota.used : memory == gateway->quota.used);
    CG_CHECK(running == entered);
}

static void check_calls(const struct world *world) {
    uint32_t live = 0;
    for (size_t i = 0; i < CALLS_MAX; i++) {
        const struct call *call = &world->calls[i];
        if (!call->used) continue;
        CG_CHECK(call->replies + call->problems <= 1);
        bool is = is_live(world, call);
        live += is;
        if (call->problems > 0 || (call->replies > 0 && !call->streams)) CG_CHECK(!is);
        if (call->streams && call->body != NULL) CG_CHECK(call->body->ended == !is);
        if (!is && !call->abandoned) CG_CHECK(call->replies + call->problems == 1);
    }
    CG_CHECK(live == world->gateway->exchanges.used);
}

static bool is_queued(const struct cg_cast *cast) {
    const struct cg_line *line = cast->place.line;
    size_t found = 0;
    if (line == NULL) return false;
    for (const struct cg_place *it = line->places; it != NULL; it = it->next) found += it == &cast->place;
    CG_CHECK(found == 1);
    return true;
}

static void check_cast(const struct cg_gateway *gateway, const struct cg_part *part) {
    const struct cg_cast *cast = part->cast;
    CG_CHECK(cg_slots_get(&gateway->engine.legs, cast->leg.ticket) == &cast->leg && cast->leg.owner == part);
    CG_CHECK(cast->leg.sending.token != NULL && cast->leg.sending.token->leg == &cast->leg);
    const struct cg_pace *pace = gateway->engine.paces.by_key;
    while (pace != NULL && pace != cast->pace) pace = pace->hh.next;
    CG_CHECK(pace != NULL);
    CG_CHECK(is_queued(cast) == (cast->state == CG_CAST_WAITING));
    CG_CHECK(!cast->outstanding || (cast->state == CG_CAST_SENT && !cast->answered));
    CG_CHECK(part->state == (cast->state == CG_CAST_SENT ? CG_PART_SENT : CG_PART_WAITS));
}

static void check_casts(struct world *world) {
    const struct cg_gateway *gateway = world->gateway;
    uint32_t count = 0, outstanding = 0, counted = 0;
    for (const struct cg_pace *pace = gateway->engine.paces.by_key; pace != NULL; pace = pace->hh.next)
        outstanding += pace->outstanding;
    for (const struct cg_round *round = gateway->rounds.all; round != NULL; round = round->next) {
        for (size_t i = 0; i < round->part_count; i++) {
            const struct cg_part *part = &round->parts[i];
            if (part->again != NULL) {
                counted += part->again->outstanding;
                count++;
            }
            if (part->cast == NULL) continue;
            check_cast(gateway, part);
            counted += part->cast->outstanding;
            count++;
        }
    }
    CG_CHECK(count + gateway->engine.asks == gateway->engine.legs.used && counted == outstanding);
}

static void check_all(struct world *world) {
    check_exchanges(world);
    check_calls(world);
    check_casts(world);
}

/* Events. */

static uint64_t run(struct world *world) {
    uint64_t next;
    world->running = true;
    do {
        next = cg_gateway_run(world->gateway, world->now_us);
    } while (world->gateway->awake != NULL);
    world->running = false;
    CG_CHECK(world->gateway->awake == NULL);
    CG_CHECK(next > world->now_us); /* what was due has been done */
    return next;
}

static void advance(struct world *world, uint64_t by_us) {
    uint64_t until = world->now_us + by_us, next;
    while ((next = run(world)) <= until) {
        world->now_us = next;
        check_all(world);
    }
    world->now_us = until;
    run(world);
}

static struct call *free_call(struct world *world) {
    for (size_t i = 0; i < CALLS_MAX; i++) {
        struct call *call = &world->calls[i];
        if (call->used && (is_live(world, call) || call->body != NULL)) continue;
        cg_buf_fini(&call->text);
        *call = (struct call){.world = world};
        return call;
    }
    return NULL;
}

static void copy_in(struct cg_arena *arena, struct cg_slice from, struct cg_slice *to) {
    *to = cg_arena_copy(arena, from);
}

static void fill_request(struct world *world, struct call *call, struct input *input) {
    static const char *const rests[] = {"", "/a", "/a/%2F", "/%ff", "/", "//x", "/b/c", "/zzzzzzzz"};
    static const char *const queries[] = {NULL, "x=1", "", "a&b"};
    static const struct castgate_plugin *const encoders[] = {&cg_plugin_json, &cg_plugin_mixed, &cg_plugin_sse,
                                                             &cg_plugin_json};
    struct cg_request *request = cg_gateway_request(world->gateway, call->ticket);
    struct cg_arena *arena = cg_gateway_arena(world->gateway, call->ticket);
    uint8_t where = input_u8(input), how = input_u8(input), time = input_u8(input), more = input_u8(input);
    char path[64];
    const struct shape *shape = &shapes[where % MAPPINGS];
    bool forward = where & 8;
    snprintf(path, sizeof path, "%s%s",
             where & 0x80 ? "/nowhere"
             : forward    ? shape->uri
                          : shape->path,
             rests[where >> 4 & 7]);
    *request = (struct cg_request){
        .method = (uint8_t)(1 + (how & 7) % 7), .may_be_anonymous = (how & 0x40) == 0, .forward = forward};
    copy_in(arena, cg_slice_str(path), &request->path);
    const char *query = queries[how >> 4 & 3];
    if (query != NULL) request->query = cg_slice_str(query);
    call->encoder = encoders[more & 3]->ops.encoder;
    if (how & 0x80) request->client = &cg_gateway_exchange_config(world->gateway, call->ticket)->clients[0];
    request->has_timeout = time & 0x80;
    request->timeout_s = time & 0x7f;
    request->finishing = more & 0x10 ? CG_FINISH_BY_TIME : CG_FINISH_AS_MAPPING;
    request->needs_timeout = more & 0x20;
    if (more & 4) copy_in(arena, input_bytes(input, input_u8(input)), &request->payload);
    if ((more & 8) == 0) return;
    request->no_response = input_u8(input);
    struct cg_opt *list = cg_arena_zalloc(arena, 2 * sizeof *list);
    if (list == NULL) return;
    list[0] = (struct cg_opt){.number = CG_OPT_ACCEPT, .value = cg_slice_str("2")};
    list[1] = (struct cg_opt){.number = CG_OPT_NO_RESPONSE, .value = cg_slice_str("\x1a")};
    request->options = (struct cg_opts){.list = list, .count = 2};
}

static struct call *new_call(struct world *world, struct input *input) {
    struct call *call = free_call(world);
    struct cg_problem problem = {0};
    if (call == NULL) return NULL;
    if (cg_gateway_new_exchange(world->gateway, &call->ticket, &problem) < 0) {
        CG_CHECK(problem.err < 0 && problem.detail[0] != '\0');
        return NULL;
    }
    call->used = call->fresh = true;
    fill_request(world, call, input);
    return call;
}

static void start(struct world *world, struct call *call) {
    const struct cg_reply_to to = {.encoder = call->encoder,
                                   .front = &front,
                                   .front_ctx = call,
                                   .quota = cg_gateway_quota(world->gateway),
                                   .port = cg_gateway_port(world->gateway)};
    struct cg_sink *sink = cg_reply_new(&to);
    CG_CHECK(sink != NULL);
    call->fresh = false;
    cg_gateway_start(world->gateway, call->ticket, sink, world->now_us);
    CG_CHECK(call->replies + call->problems == 0); /* never from inside */
}

static void event_request(struct world *world, struct input *input) {
    struct call *call = new_call(world, input);
    if (call != NULL) start(world, call);
}

static void event_refuse(struct world *world, struct input *input) {
    struct call *call = new_call(world, input);
    if (call == NULL) return;
    struct cg_problem problem = {0};
    cg_problem_set(&problem, CG_E_BAD_URI, "the front refuses");
    cg_gateway_refuse(world->gateway, call->ticket, &problem, cg_err_info(problem.err)->http_status);
    CG_CHECK(!is_live(world, call));
    call->used = false;
}

static void event_new(struct world *world, struct input *input) { (void)new_call(world, input); }

static void event_start(struct world *world, struct input *input) {
    struct call *call = &world->calls[input_u8(input) % CALLS_MAX];
    if (call->used && call->fresh && !call->abandoned) start(world, call);
}

/* Also with tickets that are stale. */
static void event_abandon(struct world *world, struct input *input) {
    struct call *call = &world->calls[input_u8(input) % CALLS_MAX];
    if (!call->used) return;
    if (is_live(world, call)) call->abandoned = true;
    cg_gateway_abandon(world->gateway, call->ticket);
}

static void event_read(struct world *world, struct input *input) {
    struct call *call = &world->calls[input_u8(input) % CALLS_MAX];
    uint8_t len = input_u8(input);
    read_body(call, len == 255 ? SIZE_MAX : len);
    bool over = call->body != NULL && call->body->ended && call->body->len == 0;
    if (over) release_body(call);
}

static void deliver(struct world *world, const struct cg_addr *from, struct cg_slice bytes, uint64_t arrival_us) {
    struct cg_slice exact = input_exact(bytes);
    struct cg_datagram datagram = {.from = *from, .bytes = exact, .arrival_us = arrival_us};
    cg_gateway_receive(world->gateway, &datagram);
    input_free(exact);
}

static const struct emission *pick_emission(const struct world *world, uint8_t index) {
    size_t kept = world->emission_count < EMISSIONS_KEPT ? world->emission_count : EMISSIONS_KEPT;
    return kept == 0 ? NULL : &world->emissions[(world->emission_count - 1 - index % kept) % EMISSIONS_KEPT];
}

/* An answer to something that was sent: 0 is the latest, from the first member. */
static void event_answer(struct world *world, struct input *input) {
    static const uint8_t codes[][4] = {{CG_CODE(2, 5), CG_CODE(2, 4), CG_CODE(4, 4), CG_CODE(5, 0)},
                                       {CG_CODE(2, 31), CG_CODE(2, 4), CG_CODE(4, 8), CG_CODE(4, 13)}};
    const struct emission *emission = pick_emission(world, input_u8(input));
    uint8_t who = input_u8(input), how = input_u8(input), with = input_u8(input);
    if (emission == NULL) return;
    bool unicast = !cg_addr_is_multicast(&emission->to);
    struct cg_addr from = unicast && (who & 0x80) == 0 ? emission->to : member_address(who % 6);
    enum cg_type type = (enum cg_type)((how & 3) ^ CG_NON);
    uint8_t bytes[8192];
    struct cg_msg_writer writer;
    uint16_t mid = how & 0x10 ? input_u16(input) : emission->mid;
    cg_msg_begin(&writer, bytes, sizeof bytes, type, codes[with >> 7][how >> 2 & 3], mid, emission->token);
    if (with & 1) cg_msg_put_opt(&writer, CG_OPT_ETAG, input_bytes(input, input_u8(input) % 9));
    if (with & 2) cg_msg_put_uint(&writer, CG_OPT_CONTENT_FORMAT, input_u8(input));
    if (with & 4) cg_msg_put_uint(&writer, CG_OPT_MAX_AGE, input_u8(input));
    if (with & 8) cg_msg_put_uint(&writer, CG_OPT_BLOCK2, input_u16(input));
    if (with & 64) cg_msg_put_uint(&writer, CG_OPT_BLOCK1, input_u8(input));
    size_t len = input_u8(input);
    if (with & 16) len *= 16;
    uint8_t payload[16 * 255];
    struct cg_slice given = input_bytes(input, with & 32 ? len : 4);
    memset(payload, 'x', sizeof payload);
    if (given.len > 0) memcpy(payload, given.data, given.len < len ? given.len : len);
    cg_msg_put_payload(&writer, cg_slice_of(payload, len));
    int size = cg_msg_end(&writer);
    CG_CHECK(size > 0);
    if (how & 0x20) bytes[input_u16(input) % (unsigned)size] ^= input_u8(input);
    deliver(world, &from, cg_slice_of(bytes, (size_t)size), how & 0x40 ? world->now_us - SECOND : world->now_us);
}

static void event_empty(struct world *world, struct input *input) {
    const struct emission *emission = pick_emission(world, input_u8(input));
    uint8_t how = input_u8(input);
    if (emission == NULL) return;
    uint8_t bytes[4] = {how & 1 ? 0x70 : 0x60, 0, (uint8_t)(emission->mid >> 8), (uint8_t)emission->mid};
    struct cg_addr from = how & 2 ? member_address(how >> 2) : emission->to;
    deliver(world, &from, cg_slice_of(bytes, sizeof bytes), world->now_us);
}

static void event_raw(struct world *world, struct input *input) {
    struct cg_addr from = member_address(input_u8(input) % 6);
    deliver(world, &from, input_bytes(input, input_u8(input)), world->now_us);
}

static void event_time(struct world *world, struct input *input) {
    uint64_t amount = input_u8(input);
    uint8_t unit = input_u8(input);
    advance(world, amount * one_of(unit, 10000, 1000, 500000, 1));
}

static void event_reload(struct world *world, struct input *input) {
    struct cg_config *config = make_config(world, input);
    cg_gateway_adopt(world->gateway, config);
    cg_config_unref(config);
}

static void event_modes(struct world *world, struct input *input) {
    uint8_t modes = input_u8(input), who = input_u8(input);
    world->slow_mode = modes & 15;
    world->emit_fails = modes & 16;
    if (modes & 32) world->random_state = 42; /* a source that repeats itself */
    if (modes & 64) world->kernel_drops += who;
    if (modes & 128) world->epoch++; /* rekeyed */
    world->identity = who & 3;
    world->challenges = who & 4;
    world->overtaken = who & 8;
}

static void keep_promise(struct world *world, struct promise *promise, int err) {
    struct cg_slice bytes = cg_buf_slice(&promise->bytes), payload = bytes;
    if (promise->opens) {
        if (bytes.len > 0) payload = cg_slice_of(bytes.data + promise->options_len, bytes.len - promise->options_len);
        struct cg_slice options = cg_slice_of(bytes.data, promise->options_len);
        struct cg_opened opened = opened_as(world, promise->code, options, payload);
        cg_engine_opened(cg_gateway_engine(world->gateway), promise->job, err, &opened);
    } else {
        struct cg_problem problem = {0};
        if (err < 0) cg_problem_set(&problem, err, "sealing failed");
        cg_engine_sealed(cg_gateway_engine(world->gateway), promise->job, err, err < 0 ? CG_SLICE_NONE : bytes,
                         &problem);
    }
}

static void drop_promise(struct world *world, size_t index) {
    cg_buf_fini(&world->promises[index].bytes);
    world->promises[index] = world->promises[--world->promise_count];
}

/* In any order, failing or not, also twice. */
static void event_promise(struct world *world, struct input *input) {
    uint8_t which = input_u8(input), how = input_u8(input);
    if (world->promise_count == 0) return;
    size_t index = which % world->promise_count;
    world->identity = how >> 2 & 3;
    world->challenges = how & 16;
    world->overtaken = how & 32;
    /* A copy: keeping it may make another, which moves nothing, but may fill this one's place after it is dropped. */
    struct promise *promise = &world->promises[index];
    uint64_t job = promise->job;
    keep_promise(world, promise, how & 1 ? (promise->opens ? CG_E_VERIFY : CG_E_STORE) : CG_OK);
    CG_CHECK(world->promises[index].job == job);
    if ((how & 2) == 0) drop_promise(world, index);
}

/* Numbers that nobody was given. */
static void event_forged_promise(struct world *world, struct input *input) {
    uint64_t job = (uint64_t)input_u8(input) << 32 | input_u8(input);
    for (size_t i = 0; i < world->promise_count; i++) {
        if (world->promises[i].job == job) return;
    }
    struct cg_opened opened = {0};
    cg_engine_opened(cg_gateway_engine(world->gateway), job, CG_E_VERIFY, &opened);
    struct cg_problem problem = {.err = CG_E_STORE};
    cg_engine_sealed(cg_gateway_engine(world->gateway), job, CG_E_STORE, CG_SLICE_NONE, &problem);
}

static void event_stop(struct world *world, struct input *input) {
    cg_gateway_stop(world->gateway);
    if (input_u8(input) & 1) cg_gateway_finish_all(world->gateway);
}

static void (*const events[])(struct world *, struct input *) = {
    event_request, event_answer,         event_time, event_promise, event_read,   event_abandon,
    event_modes,   event_empty,          event_raw,  event_reload,  event_refuse, event_new,
    event_start,   event_forged_promise, event_stop, event_answer,
};

static void play(struct world *world, struct input *input) {
    for (unsigned count = 0; input->len > 0 && count < EVENTS_MAX; count++) {
        uint8_t event = input_u8(input);
        events[event & 15](world, input);
        check_all(world);
        if (event & 0x80) continue; /* several events before the loop comes round */
        run(world);
        check_all(world);
    }
}

/* Everything ends by itself: no promise need be kept for that, and nobody need read. */
static void drain(struct world *world) {
    for (size_t i = 0; i < CALLS_MAX; i++) {
        struct call *call = &world->calls[i];
        if (!call->used || !call->fresh || call->abandoned) continue;
        call->abandoned = true;
        cg_gateway_abandon(world->gateway, call->ticket);
    }
    unsigned steps = 0;
    for (uint64_t next = run(world); next != UINT64_MAX; next = run(world)) { /* pings end a little later */
        CG_CHECK(steps++ < DRAIN_STEPS_MAX);
        check_all(world);
        world->now_us = next;
    }
    CG_CHECK(cg_gateway_running(world->gateway) == 0);
    check_all(world);
    CG_CHECK(world->gateway->engine.legs.used == 0 && world->gateway->engine.asks == 0);
    CG_CHECK(cg_heap_first(&world->gateway->engine.deadlines) == NULL);
    const struct cg_budgets *budgets = &world->gateway->budgets;
    CG_CHECK(budgets->usages == budgets->unused && (budgets->unused == NULL || budgets->unused->hh.next == NULL));
}

static void fini(struct world *world) {
    for (size_t i = 0; i < CALLS_MAX; i++) {
        release_body(&world->calls[i]); /* before the gateway: its quota counts what is in them */
        cg_buf_fini(&world->calls[i].text);
    }
    if (cg_gateway_running(world->gateway) == 0) CG_CHECK(world->gateway->quota.used == 0);
    cg_gateway_free(world->gateway);
    CG_CHECK(world->bindings == 0);
    while (world->promise_count > 0) drop_promise(world, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, size};
    struct world *world = calloc(1, sizeof *world);
    CG_CHECK(world != NULL);
    cg_log_set_level(CG_LOG_ERROR);
    world->now_us = 1000 * SECOND;
    world->random_state = 42;
    world->slow = (struct slow_protector){.protector.ops = &slow_ops, .world = world};
    world->port = (struct cg_port){.ctx = world,
                                   .emit = port_emit,
                                   .random = port_random,
                                   .kernel_drops = port_drops,
                                   .on_link = port_on_link,
                                   .wake = port_wake};
    bool drained = (input_u8(&input) & 1) == 0;
    struct cg_config *config = make_config(world, &input);
    world->gateway = cg_gateway_new(config, &world->port);
    CG_CHECK(world->gateway != NULL);
    cg_config_unref(config);
    play(world, &input);
    if (drained) drain(world); /* else it is freed with everything under way */
    fini(world);
    free(world);
    return 0;
}
