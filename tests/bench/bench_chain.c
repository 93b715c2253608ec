/* What a tree of gateways costs: 1000 cores, each with 1000 members of its own, behind one another in three levels; one
 * request to the first is answered by all 10^6. Cores, ports and sinks in one process, CPU time and heap; the ways
 * between them are calls. */
#include <malloc.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "builtin.h"
#include "common/figures.h"
#include "exchange/gateway.h"
#include "reply/lend.h"
#include "reply/sink.h"
#include "settings/settings.h"

enum {
    MIDDLES = 27,
    LEAVES_EACH = 36,
    GATEWAYS = 1 + MIDDLES + MIDDLES * LEAVES_EACH,
    MEMBERS = 1000, /* of each */
    QUICK_MEMBERS = 50,
    SECOND = 1000000,
    TIMEOUT_S = 60,
    MESSAGE_MAX = 128,
};

/* One gateway, its settings, and its end of what it is asked. */
struct node {
    struct cg_sink sink;
    struct cg_port port;
    struct cg_config *config;
    struct cg_gateway *gateway;
    struct cg_ticket ticket;
    struct cg_token cast, asked; /* of its group request; that the node before it asks with */
    uint16_t asked_mid, mid;
    uint32_t timeout_s;
    bool is_asked, ended; /* is_asked: and has not begun yet */
    uint64_t heard;
};

static struct node nodes[GATEWAYS];
static uint64_t now_us = 1000 * (uint64_t)SECOND, drawn;
static uint16_t multicast_timeout;

static size_t number_of(const struct node *node) { return (size_t)(node - nodes); }

static size_t parent_of(size_t number) { return number <= MIDDLES ? 0 : 1 + (number - 1 - MIDDLES) / LEAVES_EACH; }

static struct cg_addr address_of(size_t number) {
    return (struct cg_addr){
        .family = CG_FAMILY_IPV4, .port = 5683, .ip = {192, 168, (uint8_t)(number >> 8), (uint8_t)number}};
}

/* The ways out. */

static int on_emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    struct node *node = ctx;
    struct cg_msg msg;
    (void)problem;
    CG_CHECK(cg_msg_parse(&msg, datagram) == CG_OK);
    if (cg_addr_is_multicast(&route->to)) {
        node->cast = msg.token;
    } else if (msg.code == CG_GET) {
        struct node *next = &nodes[(size_t)route->to.ip[2] << 8 | route->to.ip[3]];
        next->is_asked = msg.type == CG_CON;
        next->asked = msg.token;
        next->asked_mid = msg.mid;
        CG_CHECK(cg_msg_find_uint(&msg, multicast_timeout, &next->timeout_s));
    }
    return CG_OK;
}

static void on_random(void *ctx, void *to, size_t len) {
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        drawn = drawn * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)to)[i] = (uint8_t)(drawn >> 56);
    }
}

static uint64_t on_kernel_drops(void *ctx) {
    (void)ctx;
    return 0;
}

static void on_wake(void *ctx) { (void)ctx; }

static void deliver(struct node *to, const struct cg_addr *from, const uint8_t *bytes, int len) {
    CG_CHECK(len > 0);
    const struct cg_datagram datagram = {.from = *from, .bytes = cg_slice_of(bytes, (size_t)len), .arrival_us = now_us};
    cg_gateway_receive(to->gateway, &datagram);
}

/* The sink: what the node before it hears. */

static struct node *of_sink(struct cg_sink *sink) { return CG_CONTAINER(sink, struct node, sink); }

static int on_begin(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    (void)sink, (void)view, (void)problem;
    return CG_OK;
}

static bool has_room(struct cg_sink *sink, enum cg_sink_word word) {
    (void)sink, (void)word;
    return true;
}

static void hand_on(struct node *node, const struct cg_view *view, const struct cg_answer *answer) {
    uint8_t bytes[MESSAGE_MAX];
    struct cg_msg_writer writer;
    struct cg_reading reading;
    const struct cg_addr from = address_of(number_of(node));
    cg_reading_init(&reading, view);
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, answer->code, node->mid++, node->asked);
    cg_msg_put_opt(&writer, view->config->options.reply_from, cg_borrow(cg_reading_reply_from(&reading, answer)));
    cg_msg_put_payload(&writer, answer->payload);
    deliver(&nodes[parent_of(number_of(node))], &from, bytes, cg_msg_end(&writer));
    cg_reading_fini(&reading);
}

static int on_answer(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *answer,
                     struct cg_problem *problem) {
    struct node *node = of_sink(sink);
    (void)problem;
    node->heard++;
    if (node != nodes) hand_on(node, view, answer);
    return CG_OK;
}

static uint64_t on_look(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    (void)sink, (void)view, (void)problem;
    return UINT64_MAX;
}

static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    (void)view, (void)how, (void)ending;
    CG_CHECK(problem->err == CG_OK);
    of_sink(sink)->ended = true;
}

static const struct cg_sink_ops sink_ops = {
    .begin = on_begin, .has_room = has_room, .answer = on_answer, .look = on_look, .end = on_end};

/* What happens. */

static void turn(struct node *node) {
    while (cg_gateway_run(node->gateway, now_us) <= now_us) {
    }
}

static void acknowledge(const struct node *node) {
    uint8_t bytes[4];
    struct cg_msg_writer writer;
    const struct cg_addr from = address_of(number_of(node));
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_ACK, CG_EMPTY, node->asked_mid, (struct cg_token){0});
    deliver(&nodes[parent_of(number_of(node))], &from, bytes, cg_msg_end(&writer));
}

static void begin(struct node *node) {
    struct cg_problem problem = {0};
    node->is_asked = false;
    if (node != nodes) acknowledge(node);
    CG_CHECK(cg_gateway_new_exchange(node->gateway, &node->ticket, &problem) == CG_OK);
    *cg_gateway_request(node->gateway, node->ticket) = (struct cg_request){.method = CG_GET,
                                                                           .may_be_anonymous = true,
                                                                           .path = cg_slice_str("/all"),
                                                                           .has_timeout = true,
                                                                           .timeout_s = node->timeout_s,
                                                                           .finishing = CG_FINISH_BY_TIME};
    node->sink = (struct cg_sink){.ops = &sink_ops};
    cg_gateway_start(node->gateway, node->ticket, &node->sink, now_us);
    turn(node);
}

/* Each member of one node. */
static void answer_all(struct node *node, uint32_t members) {
    static const uint8_t payload[] = "21.5 C";
    for (uint32_t i = 0; i < members; i++) {
        uint8_t bytes[MESSAGE_MAX];
        struct cg_msg_writer writer;
        const uint32_t n = (uint32_t)number_of(node) * MEMBERS + i;
        const struct cg_addr from = {
            .family = CG_FAMILY_IPV4, .port = 5683, .ip = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
        cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, CG_CODE(2, 5), (uint16_t)i, node->cast);
        cg_msg_put_payload(&writer, cg_slice_of(payload, sizeof payload - 1));
        deliver(node, &from, bytes, cg_msg_end(&writer));
    }
    turn(node);
}

/* From the root down: each is asked by the one before it. */
static void ask_all(void) {
    nodes[0].timeout_s = TIMEOUT_S;
    begin(&nodes[0]);
    for (size_t i = 1; i < GATEWAYS; i++) {
        CG_CHECK(nodes[i].is_asked);
        begin(&nodes[i]);
    }
}

/* From the leaves up, one gateway's members after another's. */
static void answer_by_all(uint32_t members) {
    for (size_t i = GATEWAYS; i-- > 0;) {
        answer_all(&nodes[i], members);
        if (i > 0) turn(&nodes[parent_of(i)]);
        turn(&nodes[0]);
    }
}

static void end_all(void) {
    now_us += (TIMEOUT_S + 1) * (uint64_t)SECOND;
    for (size_t i = 0; i < GATEWAYS; i++) {
        turn(&nodes[i]);
        CG_CHECK(nodes[i].ended);
    }
}

/* Its own group, and the next hops that it has. */
static void set_targets(struct cg_config *config, struct cg_mapping *mapping, size_t number) {
    size_t count = number == 0 ? MIDDLES : number <= MIDDLES ? LEAVES_EACH : 0;
    size_t first = number == 0 ? 1 : 1 + MIDDLES + (number - 1) * LEAVES_EACH;
    mapping->target_count = 1 + count;
    mapping->targets = cg_arena_zalloc(&config->arena, mapping->target_count * sizeof *mapping->targets);
    CG_CHECK(mapping->targets != NULL);
    mapping->targets[0] = (struct cg_target){.uri = "coap://224.0.1.187/",
                                             .group = {.family = CG_FAMILY_IPV4, .port = 5683, .ip = {224, 0, 1, 187}},
                                             .hops = 1};
    for (size_t i = 0; i < count; i++)
        mapping->targets[1 + i] = (struct cg_target){
            .uri = "coap://next/all",
            .path = cg_slice_str("/all"),
            .next_hop = {.uri = "coap://next/all", .addr = address_of(first + i), .round_trip_s = 1}};
}

static struct cg_config *settings(size_t number) {
    struct cg_config *config = cg_settings_defaults();
    CG_CHECK(config != NULL);
    struct cg_mapping *mapping = cg_arena_zalloc(&config->arena, sizeof *mapping);
    struct cg_grant *grant = cg_arena_zalloc(&config->arena, sizeof *grant);
    CG_CHECK(mapping != NULL && grant != NULL);
    grant->methods = CG_METHODS_ALL;
    *mapping = (struct cg_mapping){.name = "all",
                                   .path = "/all",
                                   .methods = CG_METHODS_ALL,
                                   .protector = cg_protector_none(),
                                   .max_timeout_us = TIMEOUT_S * (uint64_t)SECOND,
                                   .max_answers = GATEWAYS * MEMBERS,
                                   .grants = grant,
                                   .grant_count = 1};
    set_targets(config, mapping, number);
    config->mappings = mapping;
    config->mapping_count = 1;
    config->limits.exchange_memory = config->limits.total_memory = SIZE_MAX / 2;
    CG_CHECK(cg_config_index(config) == CG_OK);
    return config;
}

static void make(size_t number) {
    struct node *node = &nodes[number];
    node->port = (struct cg_port){
        .ctx = node, .emit = on_emit, .random = on_random, .kernel_drops = on_kernel_drops, .wake = on_wake};
    node->config = settings(number);
    node->gateway = cg_gateway_new(node->config, &node->port);
    CG_CHECK(node->gateway != NULL);
}

static double heap_mib(void) {
    const struct mallinfo2 info = mallinfo2();
    return (double)(info.uordblks + info.hblkhd) / (1 << 20);
}

int main(int argc, char **argv) {
    uint32_t members = bench_is_quick(argc, argv) ? QUICK_MEMBERS : MEMBERS;
    cg_log_set_level(CG_LOG_ERROR);
    for (size_t i = 0; i < GATEWAYS; i++) make(i);
    multicast_timeout = nodes[0].config->options.multicast_timeout;
    double rest_mib = heap_mib();
    uint64_t begin_ns = bench_thread_ns();
    ask_all();
    answer_by_all(members);
    double spent_ns = (double)(bench_thread_ns() - begin_ns), held_mib = heap_mib() - rest_mib;
    double first_bytes = (double)cg_gateway_quota(nodes[0].gateway)->used;
    double answers = (double)members * GATEWAYS;
    CG_CHECK(nodes[0].heard == (uint64_t)members * GATEWAYS);
    end_all();
    bench_put_row(&(struct bench_row){.figure = "an answer through a tree of 1000 gateways, all of them",
                                      .unit = "us CPU",
                                      .measured = spent_ns / answers / 1e3});
    bench_put_row(&(struct bench_row){.figure = "memory of all of them while it runs, an answer",
                                      .unit = "bytes",
                                      .measured = held_mib * (1 << 20) / answers});
    bench_put_row(&(struct bench_row){
        .figure = "memory of the first of them for it, an answer", .unit = "bytes", .measured = first_bytes / answers});
    bench_put_row(
        &(struct bench_row){.figure = "memory of 1000 gateways at rest", .unit = "MiB", .measured = rest_mib});
    for (size_t i = 0; i < GATEWAYS; i++) {
        cg_gateway_free(nodes[i].gateway);
        cg_config_unref(nodes[i].config);
    }
    return 0;
}
