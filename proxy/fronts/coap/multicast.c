/* Sockets and leisure for All CoAP Nodes. The hard thing is who gains by it: a small question from an address that
 * nobody has shown to be his own brings a larger answer there. So an address (of IPv6 the first 64 bits) is answered
 * once in a leisure, some few are answered at all, each by one datagram; and memory is for those alone. */
#include "fronts/coap/multicast.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "fronts/coap/all_nodes.h"
#include "fronts/coap/socket.h"
#include "io/devices.h"
#include "io/listing.h"
#include "io/loop.h"

enum {
    ASKED_MAX = 32,      /* questions that wait */
    LEISURE_MS = 5000,   /* RFC 7252 §4.8, DEFAULT_LEISURE */
    LOOK_MS = 5000,      /* for interfaces that have come, or come back with another index */
    ARENA_MAX = 1 << 16, /* bytes a question */
};

static const char *const groups[] = {"224.0.1.187", "ff02::fd", "ff03::fd", "ff05::fd"};
enum { GROUP_COUNT = sizeof groups / sizeof *groups };

struct asked {
    struct cg_coap_multicast *owner;
    struct listener *listener; /* NULL: nobody has asked */
    struct cg_all_nodes_way way;
    uint8_t datagram[CG_ALL_NODES_QUESTION_MAX];
    size_t len;
    uint64_t due_ms; /* 0: its list is being made */
    struct cg_listing listing;
    struct cg_all_nodes_question question;
    struct cg_config *config; /* of its list */
    struct cg_arena arena;
};

/* Each group on each interface: link-local groups are bound by interface. */
struct listener {
    struct interface *interface;
    struct cg_coap_socket *socket; /* NULL: it cannot be had */
    bool is_shared;                /* it is the server's */
};

struct interface {
    struct cg_coap_multicast *owner;
    const char *name;
    unsigned index; /* as it was joined; 0: not there */
    bool is_missed; /* and that was said */
    struct listener listeners[GROUP_COUNT];
};

struct cg_coap_multicast {
    uv_loop_t *uv;
    struct cg_gateway *gateway;
    struct cg_coap_server *server;
    struct cg_coap_inbox *inbox;
    struct cg_listings *listings;
    struct interface *interfaces; /* as in coap.all_nodes */
    size_t interface_count;
    struct cg_config *config; /* that it was opened with */
    uv_timer_t leisure, look;
    struct asked asked[ASKED_MAX];
    uint64_t answered;
    uint64_t silent; /* nothing to tell, or nothing that is told there */
    uint64_t over;   /* more than are answered at once */
    uint16_t mid;
    unsigned open_handles;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
};

static struct cg_addr group_address(size_t group, unsigned interface) {
    struct cg_addr addr;
    CG_CHECK(cg_addr_parse_ip(&addr, cg_slice_str(groups[group])) == CG_OK);
    addr.port = CG_COAP_PORT;
    if (addr.family == CG_FAMILY_IPV6) addr.scope = interface;
    return addr;
}

/* ---- Answers ---- */

static void forget(struct asked *asked) {
    cg_listings_drop(&asked->listing);
    cg_arena_fini(&asked->arena);
    cg_config_unref(asked->config);
    *asked = (struct asked){.owner = asked->owner};
}

static void answer(struct asked *asked, struct cg_slice links) {
    struct cg_coap_multicast *multicast = asked->owner;
    uint8_t datagram[CG_ALL_NODES_ANSWER_MAX];
    size_t len = cg_all_nodes_answer(&asked->question, links, multicast->mid++, datagram);
    bool goes = len > 0 && cg_coap_socket_send(asked->listener->socket, &asked->way.own, &asked->way.from,
                                               cg_slice_of(datagram, len)) == CG_OK;
    *(goes ? &multicast->answered : &multicast->silent) += 1;
}

static void on_listed(struct cg_listing *listing) {
    struct asked *asked = CG_CONTAINER(listing, struct asked, listing);
    struct cg_problem problem = {0};
    struct cg_buf links;
    cg_buf_init(&links, 0);
    if (cg_links_end(listing->links, &links, &problem) == CG_OK) answer(asked, cg_buf_slice(&links));
    cg_buf_fini(&links);
    forget(asked);
}

/* False: nobody hears anything. */
static bool begin(struct asked *asked) {
    struct cg_problem problem = {0};
    cg_arena_init(&asked->arena, ARENA_MAX, cg_gateway_quota(asked->owner->gateway));
    asked->config = cg_config_ref(cg_gateway_config(asked->owner->gateway));
    if (!cg_all_nodes_understand(asked->config, &asked->way, cg_slice_of(asked->datagram, asked->len), &asked->arena,
                                 &asked->question))
        return false;
    struct cg_links *links = cg_links_begin(asked->config, &asked->question.request, &problem);
    if (links == NULL) return false;
    cg_links_set_base(links, asked->question.base);
    asked->due_ms = 0;
    asked->listing = (struct cg_listing){.links = links, .done = on_listed};
    cg_listings_add(asked->owner->listings, &asked->listing);
    return true;
}

/* ---- Leisure ---- */

static void on_leisure(uv_timer_t *timer);

/* For whoever is due first. */
static void arm(struct cg_coap_multicast *multicast) {
    uint64_t first_ms = UINT64_MAX, now_ms = uv_now(multicast->uv);
    for (size_t i = 0; i < ASKED_MAX; i++) {
        const struct asked *asked = &multicast->asked[i];
        if (asked->due_ms > 0 && asked->due_ms < first_ms) first_ms = asked->due_ms;
    }
    if (first_ms == UINT64_MAX) return;
    CG_CHECK(uv_timer_start(&multicast->leisure, on_leisure, first_ms > now_ms ? first_ms - now_ms : 0, 0) == 0);
}

static void on_leisure(uv_timer_t *timer) {
    struct cg_coap_multicast *multicast = timer->data;
    for (size_t i = 0; i < ASKED_MAX; i++) {
        struct asked *asked = &multicast->asked[i];
        if (asked->due_ms == 0 || asked->due_ms > uv_now(multicast->uv) || begin(asked)) continue;
        multicast->silent++;
        forget(asked);
    }
    arm(multicast);
}

static bool is_one_host(const struct cg_addr *a, const struct cg_addr *b) {
    const struct cg_addr of_a = cg_addr_network(a), of_b = cg_addr_network(b);
    return cg_addr_equal(&of_a, &of_b);
}

/* NULL: there is none for it. */
static struct asked *find_place(struct cg_coap_multicast *multicast, const struct cg_addr *from) {
    struct asked *place = NULL;
    for (size_t i = 0; i < ASKED_MAX; i++) {
        struct asked *asked = &multicast->asked[i];
        if (asked->listener == NULL) {
            place = asked;
        } else if (is_one_host(&asked->way.from, from)) {
            return NULL;
        }
    }
    return place;
}

static void ask(struct cg_coap_multicast *multicast, struct listener *listener, const struct cg_coap_arrival *arrival) {
    struct asked *asked = find_place(multicast, &arrival->from);
    uint16_t random;
    if (asked == NULL) {
        multicast->over++;
        return;
    }
    cg_loop_random(&random, sizeof random);
    asked->listener = listener;
    asked->way = (struct cg_all_nodes_way){.from = arrival->from, .own = arrival->to, .is_local = arrival->is_local};
    asked->len = arrival->bytes.len;
    if (asked->len > 0) memcpy(asked->datagram, arrival->bytes.data, asked->len);
    asked->due_ms = uv_now(multicast->uv) + 1 + random % LEISURE_MS;
    arm(multicast);
}

static bool may_be_question(const struct cg_coap_arrival *arrival) {
    return arrival->reached == CG_COAP_BY_MULTICAST && arrival->bytes.len <= CG_ALL_NODES_QUESTION_MAX;
}

static void on_arrival(void *ctx, const struct cg_coap_arrival *arrival) {
    struct listener *listener = ctx;
    if (may_be_question(arrival)) ask(listener->interface->owner, listener, arrival);
}

/* By the server's socket: any of the listeners that share it will do. */
static void on_shared_arrival(void *ctx, const struct cg_coap_arrival *arrival) {
    struct cg_coap_multicast *multicast = ctx;
    if (!may_be_question(arrival)) return;
    for (size_t i = 0; i < multicast->interface_count; i++) {
        for (size_t j = 0; j < GROUP_COUNT; j++) {
            struct listener *listener = &multicast->interfaces[i].listeners[j];
            if (!listener->is_shared || group_address(j, 0).family != arrival->to.family) continue;
            ask(multicast, listener, arrival);
            return;
        }
    }
}

/* ---- Interfaces ---- */

static void on_handle_closed(void *ctx);

static void close_listener(struct listener *listener) {
    struct cg_coap_multicast *multicast = listener->interface->owner;
    if (listener->socket == NULL) return;
    for (size_t i = 0; i < ASKED_MAX; i++) {
        if (multicast->asked[i].listener == listener) forget(&multicast->asked[i]);
    }
    if (!listener->is_shared) cg_coap_socket_close(listener->socket, on_handle_closed, multicast);
    *listener = (struct listener){.interface = listener->interface};
}

static void open_socket(struct listener *listener, struct cg_addr addr) {
    struct cg_coap_multicast *multicast = listener->interface->owner;
    struct cg_problem problem = {0};
    struct cg_coap_udp *everywhere = cg_coap_server_everywhere(multicast->server, addr.family);
    listener->is_shared = everywhere != NULL;
    if (everywhere != NULL) {
        listener->socket = cg_coap_udp_share(everywhere, on_shared_arrival, multicast);
        return;
    }
    listener->socket = cg_coap_socket_open(multicast->uv, multicast->inbox, &addr, on_arrival, listener, &problem);
    multicast->open_handles += listener->socket != NULL;
}

/* An interface may have but one of IPv4 and IPv6. */
static void open_listener(struct listener *listener, size_t group) {
    const struct cg_addr addr = group_address(group, listener->interface->index);
    open_socket(listener, addr);
    if (listener->socket == NULL) return;
    if (cg_coap_socket_join(listener->socket, &addr, listener->interface->index) < 0) close_listener(listener);
}

static void close_interface(struct interface *interface) {
    for (size_t i = 0; i < GROUP_COUNT; i++) close_listener(&interface->listeners[i]);
    interface->index = 0;
}

static void open_interface(struct interface *interface, unsigned index) {
    bool hears = false;
    interface->index = index;
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        open_listener(&interface->listeners[i], i);
        hears = hears || interface->listeners[i].socket != NULL;
    }
    if (!hears) interface->index = 0;
}

static void say_missing(struct interface *interface) {
    if (interface->index == 0 && !interface->is_missed) {
        cg_log(
            CG_LOG_WARNING, "listening",
            "coap.all_nodes: interface %s is not there, or CoAP's groups cannot be had on it; it is looked for again",
            interface->name);
    }
    interface->is_missed = interface->index == 0;
}

static void look_at(struct interface *interface, int devices) {
    struct cg_device device;
    unsigned index = cg_devices_find(devices, interface->name, &device) == 0 ? device.index : 0;
    if (index == 0 || index != interface->index) close_interface(interface);
    if (index != 0 && interface->index == 0) open_interface(interface, index);
    say_missing(interface);
}

static void look(struct cg_coap_multicast *multicast) {
    int devices = multicast->interface_count == 0 ? -1 : cg_devices_open();
    if (devices < 0) return;
    for (size_t i = 0; i < multicast->interface_count; i++) look_at(&multicast->interfaces[i], devices);
    close(devices);
}

static void on_look(uv_timer_t *timer) { look(timer->data); }

/* ---- Opening and closing ---- */

static void free_all(struct cg_coap_multicast *multicast) {
    if (multicast->on_closed != NULL) multicast->on_closed(multicast->on_closed_ctx);
    cg_coap_inbox_free(multicast->inbox);
    cg_config_unref(multicast->config);
    free(multicast->interfaces);
    free(multicast);
}

static void on_handle_closed(void *ctx) {
    struct cg_coap_multicast *multicast = ctx;
    if (--multicast->open_handles == 0) free_all(multicast);
}

static void on_timer_closed(uv_handle_t *handle) { on_handle_closed(handle->data); }

static void open_timer(struct cg_coap_multicast *multicast, uv_timer_t *timer) {
    CG_CHECK(uv_timer_init(multicast->uv, timer) == 0);
    timer->data = multicast;
    multicast->open_handles++;
}

static int open_all(struct cg_coap_multicast *multicast, struct cg_problem *problem) {
    const struct cg_coap_settings *settings = &multicast->config->coap;
    multicast->inbox = cg_coap_inbox_new();
    multicast->listings = cg_listings_open(multicast->uv);
    multicast->interfaces = calloc(settings->all_nodes_count + 1, sizeof *multicast->interfaces);
    if (multicast->inbox == NULL || multicast->listings == NULL || multicast->interfaces == NULL)
        return cg_problem_no_memory(problem);
    multicast->interface_count = settings->all_nodes_count;
    for (size_t i = 0; i < multicast->interface_count; i++) {
        struct interface *interface = &multicast->interfaces[i];
        *interface = (struct interface){.owner = multicast, .name = settings->all_nodes[i]};
        for (size_t j = 0; j < GROUP_COUNT; j++) interface->listeners[j].interface = interface;
    }
    look(multicast);
    CG_CHECK(uv_timer_start(&multicast->look, on_look, LOOK_MS, LOOK_MS) == 0);
    return CG_OK;
}

struct cg_coap_multicast *cg_coap_multicast_open(uv_loop_t *uv, struct cg_gateway *gateway,
                                                 struct cg_coap_server *server, struct cg_problem *problem) {
    struct cg_coap_multicast *multicast = calloc(1, sizeof *multicast);
    if (multicast == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    multicast->uv = uv;
    multicast->gateway = gateway;
    multicast->server = server;
    multicast->config = cg_config_ref(cg_gateway_config(gateway));
    cg_loop_random(&multicast->mid, sizeof multicast->mid);
    for (size_t i = 0; i < ASKED_MAX; i++) multicast->asked[i].owner = multicast;
    open_timer(multicast, &multicast->leisure);
    open_timer(multicast, &multicast->look);
    if (open_all(multicast, problem) == CG_OK) return multicast;
    cg_coap_multicast_close(multicast, NULL, NULL);
    return NULL;
}

static void stop_sharing(const struct cg_coap_multicast *multicast, enum cg_family family) {
    struct cg_coap_udp *everywhere = cg_coap_server_everywhere(multicast->server, family);
    if (everywhere != NULL) cg_coap_udp_share(everywhere, NULL, NULL);
}

void cg_coap_multicast_close(struct cg_coap_multicast *multicast, void (*on_closed)(void *ctx), void *ctx) {
    if (multicast == NULL) return;
    multicast->on_closed = on_closed;
    multicast->on_closed_ctx = ctx;
    for (size_t i = 0; i < multicast->interface_count; i++) close_interface(&multicast->interfaces[i]);
    stop_sharing(multicast, CG_FAMILY_IPV4);
    stop_sharing(multicast, CG_FAMILY_IPV6);
    cg_listings_close(multicast->listings);
    uv_close((uv_handle_t *)&multicast->leisure, on_timer_closed);
    uv_close((uv_handle_t *)&multicast->look, on_timer_closed);
}

void cg_coap_multicast_metrics(const struct cg_coap_multicast *multicast, struct cg_buf *to) {
    cg_buf_printf(
        to,
        "# HELP castgate_coap_all_nodes_questions_total Questions to All CoAP Nodes, by what became of them.\n"
        "# TYPE castgate_coap_all_nodes_questions_total counter\n"
        "castgate_coap_all_nodes_questions_total{result=\"answered\"} %llu\n"
        "castgate_coap_all_nodes_questions_total{result=\"silence\"} %llu\n"
        "castgate_coap_all_nodes_questions_total{result=\"over\"} %llu\n",
        (unsigned long long)multicast->answered, (unsigned long long)multicast->silent,
        (unsigned long long)multicast->over);
}
