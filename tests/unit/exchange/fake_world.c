/* The fake port and front. The hard thing: an emission's parsed view must stay valid while the list grows, so its bytes
 * are elsewhere. */
#include "exchange/fake_world.h"

#include "settings/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cg_msg parse(struct emission *emission) {
    struct cg_msg msg;
    assert_int_equal(cg_msg_parse(&msg, cg_slice_of(emission->bytes, emission->len)), CG_OK);
    return msg;
}

static int fake_emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    struct world *world = ctx;
    if (world->emit_error < 0) return cg_problem_set(problem, world->emit_error, "the fake port fails");
    if (world->sent_count == world->sent_cap) {
        world->sent_cap = world->sent_cap == 0 ? 16 : world->sent_cap * 2;
        world->sent = realloc(world->sent, world->sent_cap * sizeof *world->sent);
        assert_non_null(world->sent);
    }
    struct emission *emission = &world->sent[world->sent_count++];
    emission->bytes = malloc(datagram.len);
    assert_non_null(emission->bytes);
    emission->route = *route;
    emission->len = datagram.len;
    emission->at_us = world->now_us;
    memcpy(emission->bytes, datagram.data, datagram.len);
    emission->msg = parse(emission);
    return CG_OK;
}

static void fake_random(void *ctx, void *to, size_t len) {
    struct world *world = ctx;
    uint8_t *bytes = to;
    for (size_t i = 0; i < len; i++) {
        world->random_state = world->random_state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(world->random_state >> 56);
    }
}

static uint64_t fake_drops(void *ctx) { return ((struct world *)ctx)->kernel_drops; }

/* The link of "lo" is 127.0.0.0/8; no other interface has one. */
static bool fake_on_link(void *ctx, const char *interface, const struct cg_addr *addr) {
    ((struct world *)ctx)->link_questions++;
    return interface != NULL && strcmp(interface, "lo") == 0 && addr->family == CG_FAMILY_IPV4 && addr->ip[0] == 127;
}

struct text {
    struct text *next;
    char bytes[];
};

/* As long as the world. */
static char *new_text(struct world *world, size_t len) {
    struct text *text = calloc(1, sizeof *text + len + 1);
    assert_non_null(text);
    text->next = world->texts;
    world->texts = text;
    return text->bytes;
}

static void fake_wake(void *ctx) { ((struct world *)ctx)->wakes++; }

static void take_fields(struct call *call, const struct cg_fields *fields) {
    size_t len = 0;
    call->fields[0] = '\0';
    for (size_t i = 0; fields != NULL && i < fields->count; i++) {
        len += (size_t)snprintf(call->fields + len, sizeof call->fields - len, "%s: %s\n", fields->list[i].name,
                                cg_fields_value(fields, i));
    }
}

static void on_reply(void *ctx, const struct cg_reply *reply) {
    struct call *call = ctx;
    call->replies++;
    call->reply = *reply;
    call->reply.body = NULL;
    call->reply.fields = NULL;
    take_fields(call, reply->fields);
    if (reply->problem != NULL) {
        assert_null(reply->body);
        call->problem = *reply->problem;
        call->reply.problem = NULL;
        return;
    }
    if (reply->streams) {
        assert_false(reply->body->ended);
        call->stream = cg_outq_ref(reply->body);
        return;
    }
    assert_true(reply->body->ended);
    struct cg_slice blocks[2];
    size_t count = cg_outq_peek_all(reply->body, blocks, 2);
    assert_true(count <= 2); /* its own, and what others get as well */
    call->text = new_text(call->world, reply->body->len);
    for (size_t i = 0; i < count; call->text_len += blocks[i++].len) {
        memcpy(call->text + call->text_len, blocks[i].data, blocks[i].len);
    }
}

static void on_problem(void *ctx, const struct cg_problem *problem, const char *exchange_id) {
    struct call *call = ctx;
    call->problems++;
    call->problem = *problem;
    assert_int_equal(strlen(exchange_id), 16);
}

static const struct cg_front fake_front = {.reply = on_reply, .problem = on_problem};

struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), CG_COAP_PORT), CG_OK);
    return addr;
}

static void fill_mapping(struct world *world, struct cg_mapping *mapping, const char *name, const char *path,
                         size_t targets) {
    struct cg_arena *arena = &world->config->arena;
    *mapping = (struct cg_mapping){
        .name = name,
        .path = path,
        .methods = CG_METHODS_ALL,
        .unsafe_methods = true,
        .protector = cg_protector_none(),
        .has_timeout = true,
        .leisure = 5,
        .timeout_us = 2 * SECOND,
        .max_timeout_us = 60 * SECOND,
        .max_answers = 10000,
        .target_count = targets,
        .targets = cg_arena_zalloc(arena, targets * sizeof *mapping->targets),
        .grant_count = 1,
        .grants = cg_arena_zalloc(arena, sizeof *mapping->grants),
    };
    mapping->grants[0].methods = CG_METHODS_ALL;
    for (size_t i = 0; i < targets; i++) {
        mapping->targets[i].uri = "coap://224.0.1.187/";
        mapping->targets[i].group = address(i == 0 ? "224.0.1.187" : "224.0.1.188");
        mapping->targets[i].path = cg_slice_str("/base");
        mapping->targets[i].interface = "lo";
        mapping->targets[i].hops = 1;
    }
}

void world_init(struct world *world) {
    *world = (struct world){.now_us = 1000 * SECOND, .random_state = 42};
    world->port = (struct cg_port){.ctx = world,
                                   .emit = fake_emit,
                                   .random = fake_random,
                                   .kernel_drops = fake_drops,
                                   .on_link = fake_on_link,
                                   .wake = fake_wake};
    world->config = cg_settings_defaults();
    assert_non_null(world->config);
    world->config->mapping_count = 2;
    world->config->mappings = cg_arena_zalloc(&world->config->arena, 2 * sizeof *world->config->mappings);
    fill_mapping(world, &world->config->mappings[0], "lamps", "/lamps", 1);
    fill_mapping(world, &world->config->mappings[1], "pair", "/pair", 2);
}

void world_start(struct world *world) {
    for (size_t i = 0; i < world->config->mapping_count; i++) world->config->mappings[i].repair_probe = world->probes;
    assert_int_equal(cg_config_index(world->config), CG_OK);
    world->gateway = cg_gateway_new(world->config, &world->port);
    assert_non_null(world->gateway);
}

static void start_once(struct world *world) {
    if (world->gateway == NULL) world_start(world);
}

void world_fini(struct world *world) {
    cg_gateway_free(world->gateway);
    cg_config_unref(world->config);
    for (size_t i = 0; i < world->sent_count; i++) free(world->sent[i].bytes);
    free(world->sent);
    for (struct text *next; world->texts != NULL; world->texts = next) {
        next = world->texts->next;
        free(world->texts);
    }
}

void world_renew(struct world *world) {
    world_fini(world);
    world_init(world);
}

int world_setup(void **state) {
    struct world *world = malloc(sizeof *world);
    if (world == NULL) return -1;
    world_init(world);
    *state = world;
    return 0;
}

int world_teardown(void **state) {
    world_fini(*state);
    free(*state);
    return 0;
}

struct cg_round *world_round(struct world *world, const struct call *call) {
    const struct cg_exchange *exchange = cg_slots_get(&world->gateway->exchanges, call->ticket);
    assert_non_null(exchange);
    assert_non_null(exchange->waiter.round);
    return exchange->waiter.round;
}

struct cg_mapping *world_mapping(struct world *world, const char *name) {
    for (size_t i = 0; i < world->config->mapping_count; i++) {
        if (strcmp(world->config->mappings[i].name, name) == 0) return &world->config->mappings[i];
    }
    fail_msg("no mapping %s", name);
    return NULL;
}

void world_add_members(struct world *world, struct cg_mapping *mapping, unsigned count) {
    mapping->complete = true;
    mapping->finish.rule = CG_FINISH_ALL;
    mapping->member_count = count;
    mapping->members = cg_arena_zalloc(&world->config->arena, count * sizeof *mapping->members);
    for (unsigned i = 0; i < count; i++) {
        mapping->members[i].name = i == 0 ? "first" : "other";
        mapping->members[i].addr = address("127.1.0.1");
        mapping->members[i].addr.ip[3] = (uint8_t)(i + 1);
        mapping->members[i].number = i;
    }
}

struct cg_request *world_new(struct world *world, struct call *call, const char *path) {
    *call = (struct call){.world = world};
    start_once(world);
    if (cg_gateway_new_exchange(world->gateway, &call->ticket, &call->problem) < 0) return NULL;
    struct cg_request *request = cg_gateway_request(world->gateway, call->ticket);
    *request = (struct cg_request){.method = CG_GET, .may_be_anonymous = true, .path = cg_slice_str(path)};
    call->encoder = cg_plugin_json.ops.encoder;
    return request;
}

static void refuse(struct world *world, struct call *call) {
    struct cg_problem problem = {0};
    char id[CG_EXCHANGE_ID_MAX];
    cg_problem_no_memory(&problem);
    strcpy(id, cg_gateway_exchange_id(world->gateway, call->ticket));
    cg_gateway_refuse(world->gateway, call->ticket, &problem, 503);
    cg_reply_problem(&fake_front, call, &problem, id);
}

void world_go(struct world *world, struct call *call) {
    const struct cg_reply_to to = {.encoder = call->encoder,
                                   .is_named = !call->any_form,
                                   .front = &fake_front,
                                   .front_ctx = call,
                                   .quota = cg_gateway_quota(world->gateway),
                                   .port = cg_gateway_port(world->gateway)};
    struct cg_sink *sink = cg_reply_new(&to);
    if (sink == NULL) {
        refuse(world, call);
        return;
    }
    cg_gateway_start(world->gateway, call->ticket, sink, world->now_us);
    assert_int_equal(call->replies + call->problems, 0); /* never from inside */
    world_run(world);
}

void world_get(struct world *world, struct call *call, const char *path) {
    assert_non_null(world_new(world, call, path));
    world_go(world, call);
}

const char *call_take(struct call *call) {
    assert_non_null(call->stream);
    call->text = new_text(call->world, call->stream->len);
    size_t at = 0;
    for (struct cg_slice bytes; (bytes = cg_outq_peek(call->stream)).len > 0; cg_outq_drop(call->stream, bytes.len)) {
        memcpy(call->text + at, bytes.data, bytes.len);
        at += bytes.len;
    }
    return call->text;
}

void call_fini(struct call *call) {
    cg_outq_unref(call->stream);
    call->stream = NULL;
}

void world_run(struct world *world) {
    start_once(world);
    cg_gateway_run(world->gateway, world->now_us);
}

void world_advance(struct world *world, uint64_t by_us) {
    uint64_t until = world->now_us + by_us;
    start_once(world);
    for (;;) {
        uint64_t next = cg_gateway_run(world->gateway, world->now_us);
        if (next > until) break;
        assert_true(next > world->now_us); /* what was due has been done */
        world->now_us = next;
    }
    world->now_us = until;
    world_run(world);
}

void world_deliver(struct world *world, const char *from, const void *bytes, size_t len) {
    start_once(world);
    uint8_t *copy = malloc(len + 1); /* exactly as long as it says, for the sanitizer */
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    struct cg_datagram datagram = {.from = address(from), .bytes = cg_slice_of(copy, len), .arrival_us = world->now_us};
    cg_gateway_receive(world->gateway, &datagram);
    free(copy);
}

void world_answer_as(struct world *world, size_t index, const char *from, struct answer answer) {
    assert_true(index < world->sent_count);
    uint8_t bytes[65536];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, answer.type, answer.code, answer.mid, world->sent[index].msg.token);
    for (size_t i = 0; answer.options != NULL && i < answer.options->count; i++) {
        cg_msg_put_opt(&writer, answer.options->list[i].number, answer.options->list[i].value);
    }
    if (answer.payload != NULL) cg_msg_put_payload(&writer, cg_slice_str(answer.payload));
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    world_deliver(world, from, bytes, (size_t)len);
}

void world_answer(struct world *world, size_t index, const char *from, const char *payload) {
    static uint16_t mid = 1;
    world_answer_as(world, index, from,
                    (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .mid = mid++, .payload = payload});
}
