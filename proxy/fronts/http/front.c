/* HTTP requests to exchanges and back. The hard thing: three lifetimes meet here, the client's call, the exchange, and
 * the reply's bytes. A pending request is what ties the first two: it lives exactly as long as the call, holds the
 * exchange by ticket only, and abandons it when the call ends, which does nothing to an exchange that is over. */
#include "fronts/http/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/container.h"
#include "base/html.h"
#include "fronts/http/accept.h"
#include "fronts/http/allow.h"
#include "fronts/http/forwarded.h"
#include "fronts/http/from_http.h"
#include "fronts/http/group_etag.h"
#include "fronts/http/identify.h"
#include "fronts/http/navigation.h"
#include "fronts/http/options.h"
#include "fronts/http/origin.h"
#include "fronts/http/summary.h"
#include "io/listing.h"
#include "io/loop.h"
#include "model/access.h"
#include "model/route.h"
#include "reply/fields.h"
#include "reply/lend.h"
#include "reply/reply.h"

enum {
    OTHER_FDS = 256,        /* descriptors for everything but this front's connections, those that are going included */
    IDLE_CONNECTIONS = 128, /* beside those that wait for an exchange, or for another one on the same connection */
};

struct cg_front_http {
    struct cg_http_server *server;
    struct cg_gateway *gateway;
    const struct cg_encoder_list *encoders;
    struct cg_listings *listings;
    unsigned connections; /* at once, at the most */
    unsigned watching;    /* of them, those that stay as long as their clients like */
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
};

struct pending {
    struct cg_front_http *front;
    struct cg_http_call *call;
    struct cg_ticket ticket;
    bool watches;              /* its client observes */
    struct cg_listing listing; /* where it asks what there is, and that is long */
};

/* ---- Requests ---- */

static struct cg_http_parts parts_of(const struct pending *pending, struct cg_problem *problem) {
    struct cg_gateway *gateway = pending->front->gateway;
    return (struct cg_http_parts){
        .request = cg_gateway_request(gateway, pending->ticket),
        .arena = cg_gateway_arena(gateway, pending->ticket),
        .config = cg_gateway_exchange_config(gateway, pending->ticket),
        .listen = cg_http_call_listen(pending->call),
        .encoders = pending->front->encoders,
        .message = cg_http_call_message(pending->call),
        .problem = problem,
    };
}

/* From where it comes, and where to, which the log has whatever becomes of it. Whoever a proxy speaks for is nobody on
 * this host. */
static void take_sender(struct pending *pending) {
    const struct cg_http_parts parts = parts_of(pending, NULL);
    struct cg_request *request = parts.request;
    request->peer = *cg_http_call_peer(pending->call);
    request->path = parts.message->target; /* as it stands, until it has been read */
    bool is_forwarded = cg_forwarded_from(&parts.config->http, parts.message, &request->peer, &request->from);
    request->is_remote = is_forwarded || !parts.listen->loopback;
    request->may_be_anonymous = !request->is_remote || parts.listen->insecure;
}

static int convert_head(const struct pending *pending, const struct cg_http_parts *parts) {
    int err = cg_from_http_head(parts);
    if (err < 0) return err;
    return cg_http_identify(parts->request, parts->config, pending->call, parts->problem);
}

/* NULL with *problem. */
static const struct cg_mapping *find_mapping(const struct cg_http_parts *parts, struct cg_problem *problem) {
    const struct cg_mapping *mapping;
    struct cg_slice rest;
    return cg_route(parts->config, parts->request, &mapping, &rest, problem) < 0 ? NULL : mapping;
}

/* Whoever may not send it at all hears that, and not what else is wrong with it. */
static int refuse_wrong(const struct cg_http_parts *parts, const struct cg_problem *wrong) {
    if (!parts->request->discovery) {
        const struct cg_mapping *mapping = find_mapping(parts, parts->problem);
        if (mapping == NULL || cg_access_check(mapping, parts->request, parts->problem) < 0) return parts->problem->err;
    }
    *parts->problem = *wrong;
    return wrong->err;
}

static int convert_rest(const struct cg_http_parts *parts, const struct castgate_encoder **encoder) {
    struct cg_problem wrong = {0};
    struct cg_http_parts rest = *parts;
    rest.problem = &wrong;
    const struct cg_mapping *mapping = parts->message->body.len == 0 ? NULL : find_mapping(parts, &wrong);
    return cg_from_http_rest(&rest, mapping, encoder) < 0 ? refuse_wrong(parts, &wrong) : CG_OK;
}

/* Needs no exchange, so its own is given up. Frees the links. */
static int reply_links(struct pending *pending, struct cg_links *links, struct cg_problem *problem) {
    struct cg_gateway *gateway = pending->front->gateway;
    const struct cg_http_header headers[] = {{"Castgate-Exchange", cg_gateway_exchange_id(gateway, pending->ticket)}};
    const struct cg_http_head head = {
        .status = 200, .content_type = "application/link-format", .headers = headers, .header_count = 1};
    struct cg_buf body;
    cg_buf_init(&body, 0);
    int err = cg_links_end(links, &body, problem);
    if (err < 0) {
        cg_buf_fini(&body);
        return err;
    }
    cg_http_call_reply_bytes(pending->call, &head, &body);
    cg_gateway_abandon(gateway, pending->ticket);
    return CG_OK;
}

static void refuse(struct pending *pending, const struct cg_problem *problem);

static void on_listed(struct cg_listing *listing) {
    struct pending *pending = CG_CONTAINER(listing, struct pending, listing);
    struct cg_problem problem = {0};
    if (reply_links(pending, listing->links, &problem) < 0) refuse(pending, &problem);
}

static int discover(struct pending *pending, struct cg_problem *problem) {
    struct cg_gateway *gateway = pending->front->gateway;
    struct cg_links *links = cg_links_begin(cg_gateway_exchange_config(gateway, pending->ticket),
                                            cg_gateway_request(gateway, pending->ticket), problem);
    if (links == NULL) return problem->err;
    if (!cg_links_go_on(links, CG_LISTED_A_TURN)) return reply_links(pending, links, problem);
    pending->listing = (struct cg_listing){.links = links, .done = on_listed};
    cg_listings_add(pending->front->listings, &pending->listing);
    return CG_OK;
}

/* Nor does this. */
static void reply_nothing(struct pending *pending, const struct cg_http_header *more, size_t count) {
    enum { MORE_MAX = 3 };
    struct cg_gateway *gateway = pending->front->gateway;
    struct cg_http_header headers[1 + MORE_MAX] = {
        {"Castgate-Exchange", cg_gateway_exchange_id(gateway, pending->ticket)}};
    CG_CHECK(count <= MORE_MAX);
    if (count > 0) memcpy(headers + 1, more, count * sizeof *more);
    const struct cg_http_head head = {.status = 204, .content_type = "", .headers = headers, .header_count = 1 + count};
    struct cg_buf none;
    cg_buf_init(&none, 0);
    cg_http_call_reply_bytes(pending->call, &head, &none);
    cg_gateway_abandon(gateway, pending->ticket);
}

static int reply_options(struct pending *pending, const struct cg_http_parts *parts) {
    uint32_t methods;
    char allow[CG_HTTP_ALLOW_MAX];
    int err = cg_http_options(parts, &methods);
    if (err < 0) return err;
    cg_http_allow_options(allow, methods);
    const struct cg_http_header header = {"Allow", allow};
    reply_nothing(pending, &header, 1);
    return CG_OK;
}

/* A browser that asks for a stream again of which it has had all (WHATWG HTML "Server-sent events": only a refusal or
 * this ends it). */
static bool has_ended(const struct pending *pending, const struct castgate_encoder *encoder) {
    struct cg_slice id;
    if (encoder->has_ended == NULL) return false;
    if (cg_http_field(cg_http_call_message(pending->call), "Last-Event-ID", &id) < 0) return false;
    return encoder->has_ended(cg_lend(id));
}

static const struct cg_front front_calls;

static int start(struct pending *pending, const struct castgate_encoder *encoder, struct cg_problem *problem) {
    struct cg_gateway *gateway = pending->front->gateway;
    const struct cg_reply_to to = {.encoder = encoder,
                                   .is_named = cg_accept_names(cg_http_call_message(pending->call), encoder),
                                   .front = &front_calls,
                                   .front_ctx = pending,
                                   .quota = cg_gateway_quota(gateway),
                                   .port = cg_gateway_port(gateway)};
    struct cg_sink *sink = cg_reply_new(&to);
    if (sink == NULL) return cg_problem_no_memory(problem);
    cg_gateway_start(gateway, pending->ticket, sink, cg_loop_now_us());
    cg_gateway_advance(gateway, pending->ticket); /* who waits is suspended, which costs more than the reply itself */
    return CG_OK;
}

/* Half of the connections are for others, however few files may be open. */
static int admit_watching(struct pending *pending, const struct cg_http_parts *parts) {
    struct cg_front_http *front = pending->front;
    if (!parts->request->observes) return CG_OK;
    if (front->watching >= (front->connections + 1) / 2) {
        parts->problem->retry_after = 1;
        return cg_problem_set(
            parts->problem, CG_E_OVERLOAD,
            "as many clients observe as may by HTTP: half of the connections, of which there are %u by "
            "limits.exchanges and limits.observers, or by the files that may be open (ulimit -n)",
            front->connections);
    }
    pending->watches = true;
    front->watching++;
    return CG_OK;
}

/* To an exchange that runs, or to a reply. */
static int set_off(struct pending *pending, struct cg_problem *problem) {
    const struct castgate_encoder *encoder;
    const struct cg_http_parts parts = parts_of(pending, problem);
    int err = convert_head(pending, &parts);
    if (err < 0) return err;
    if (cg_http_is_options(parts.message)) return reply_options(pending, &parts);
    err = convert_rest(&parts, &encoder);
    if (err < 0) return err;
    if (parts.request->discovery) return discover(pending, problem);
    if (!has_ended(pending, encoder)) {
        err = admit_watching(pending, &parts);
        return err < 0 ? err : start(pending, encoder, problem);
    }
    reply_nothing(pending, NULL, 0);
    return CG_OK;
}

/* ---- From which site ---- */

/* No more than what browsers ask: who may is decided about the request itself, which brings who it is. */
static void reply_preflight(struct pending *pending) {
    static const struct cg_http_header headers[] = {{"Access-Control-Allow-Methods", CG_CORS_METHODS},
                                                    {"Access-Control-Allow-Headers", CG_CORS_HEADERS},
                                                    {"Access-Control-Max-Age", CG_CORS_MAX_AGE}};
    reply_nothing(pending, headers, sizeof headers / sizeof headers[0]);
}

/* Counts and is told as the refusal that it is. */
static void reply_navigation(struct pending *pending, const struct cg_mapping *mapping) {
    struct cg_gateway *gateway = pending->front->gateway;
    const struct cg_http_message *message = cg_http_call_message(pending->call);
    char id[CG_EXCHANGE_ID_MAX];
    struct cg_problem problem = {0};
    struct cg_buf page;
    snprintf(id, sizeof id, "%s", cg_gateway_exchange_id(gateway, pending->ticket));
    cg_buf_init(&page, 0);
    cg_navigation_page(&page, mapping->name, message->target);
    cg_http_refuse_origin(message, &problem);
    const struct cg_http_header headers[] = {{"Castgate-Exchange", id}};
    const struct cg_http_head head = {.status = cg_err_info(problem.err)->http_status,
                                      .content_type = CG_HTML_CONTENT_TYPE,
                                      .headers = headers,
                                      .header_count = 1};
    cg_gateway_refuse(gateway, pending->ticket, &problem, head.status);
    cg_http_call_reply_bytes(pending->call, &head, &page);
}

/* Who follows a link gets a page that leads on, where it leads to something that this client may have. */
static int receive_from_elsewhere(struct pending *pending, struct cg_problem *problem) {
    const struct cg_http_parts parts = parts_of(pending, problem);
    if (!cg_http_is_navigation(parts.message)) return cg_http_refuse_origin(parts.message, problem);
    int err = convert_head(pending, &parts);
    if (err < 0) return err;
    if (parts.request->discovery) return cg_http_refuse_origin(parts.message, problem);
    const struct cg_mapping *mapping = find_mapping(&parts, problem);
    if (mapping == NULL) return problem->err;
    err = cg_access_check(mapping, parts.request, problem);
    if (err < 0) return err;
    reply_navigation(pending, mapping);
    return CG_OK;
}

static int receive(struct pending *pending, struct cg_problem *problem) {
    const struct cg_config *config = cg_gateway_exchange_config(pending->front->gateway, pending->ticket);
    const struct cg_http_message *message = cg_http_call_message(pending->call);
    const char *allowed;
    take_sender(pending);
    if (cg_http_origin(&config->http, message, &allowed) == CG_ORIGIN_ELSEWHERE) {
        return receive_from_elsewhere(pending, problem);
    }
    if (allowed == NULL) return set_off(pending, problem);
    if (!cg_http_call_allow_origin(pending->call, allowed)) return cg_problem_no_memory(problem);
    if (!cg_http_is_preflight(message)) return set_off(pending, problem);
    reply_preflight(pending);
    return CG_OK;
}

static void refuse(struct pending *pending, const struct cg_problem *problem) {
    struct cg_gateway *gateway = pending->front->gateway;
    char id[CG_EXCHANGE_ID_MAX];
    snprintf(id, sizeof id, "%s", cg_gateway_exchange_id(gateway, pending->ticket));
    cg_gateway_refuse(gateway, pending->ticket, problem, cg_err_info(problem->err)->http_status);
    cg_reply_problem(&front_calls, pending, problem, id);
}

static void on_request(void *ctx, struct cg_http_call *call) {
    struct cg_front_http *front = ctx;
    struct cg_problem problem = {0};
    struct pending *pending = malloc(sizeof *pending);
    if (pending == NULL) {
        cg_problem_no_memory(&problem);
        cg_http_call_reply_problem(call, &problem, NULL);
        return;
    }
    *pending = (struct pending){.front = front, .call = call};
    if (cg_gateway_new_exchange(front->gateway, &pending->ticket, &problem) < 0) {
        free(pending);
        cg_http_call_reply_problem(call, &problem, NULL);
        return;
    }
    cg_http_call_set_ctx(call, pending);
    if (receive(pending, &problem) < 0) refuse(pending, &problem);
}

static void on_done(void *ctx, struct cg_http_call *call) {
    struct cg_front_http *front = ctx;
    struct pending *pending = cg_http_call_ctx(call);
    if (pending == NULL) return;
    cg_listings_drop(&pending->listing);
    cg_gateway_abandon(front->gateway, pending->ticket);
    front->watching -= pending->watches;
    free(pending);
}

static bool is_proxy(void *ctx, const struct cg_addr *from) {
    struct cg_front_http *front = ctx;
    return cg_forwarded_trusts(&cg_gateway_config(front->gateway)->http, from);
}

static size_t body_max(void *ctx, struct cg_http_call *call) {
    (void)call;
    struct cg_front_http *front = ctx;
    return cg_gateway_config(front->gateway)->limits.request_body;
}

static const struct cg_http_handler handler = {
    .request = on_request, .done = on_done, .body_max = body_max, .is_proxy = is_proxy};

/* ---- Replies ---- */

/* Beside those that every reply has. A member's bytes stand alone, under the gateway's own origin: nothing in them may
 * act there. */
static size_t add_fields(struct cg_http_header *to, const struct cg_fields *fields) {
    size_t count = 0;
    for (size_t i = 0; i < fields->count; i++) {
        const char *name = fields->list[i].name;
        if (strcmp(name, "Content-Type") == 0 || strcmp(name, "Cache-Control") == 0) continue;
        to[count++] = (struct cg_http_header){name, cg_fields_value(fields, i)};
    }
    to[count++] = (struct cg_http_header){"Content-Security-Policy", "default-src 'none'; sandbox"};
    return count;
}

enum { OWN_HEADERS = 6 /* of every reply */ };

/* RFC 7240 §3; empty: none. */
static const char *preference_applied(const struct cg_reply *reply) {
    if (reply->observes) return "observe";
    return reply->is_strict ? "handling=strict" : "";
}

/* What other caches may do with a reply that has one: nothing without asking here. */
static const char *varies(const struct cg_reply *reply, bool is_preferred) {
    if (!reply->has_group_etag) return is_preferred ? "Prefer" : "";
    return is_preferred ? "Accept, Group-ETag, Prefer" : "Accept, Group-ETag";
}

static void on_reply(void *ctx, const struct cg_reply *reply) {
    struct pending *pending = ctx;
    const char *applied = preference_applied(reply);
    char summary[CG_HTTP_SUMMARY_MAX] = "", group_etag[CG_HTTP_GROUP_ETAG_MAX] = "";
    if (!reply->streams) cg_http_summary(summary, &reply->summary);
    if (reply->has_group_etag) cg_http_group_etag(group_etag, reply->group_etag);
    struct cg_http_header headers[OWN_HEADERS + CG_FIELDS_MAX + 1] = {
        {"Castgate-Exchange", reply->exchange_id},
        {"Castgate-Summary", summary},
        {"Preference-Applied", applied},
        {"Vary", varies(reply, applied[0] != '\0')},
        {"Group-ETag", group_etag},
        {"Cache-Control", reply->has_group_etag ? "private, no-cache" : "no-store"}};
    size_t more = reply->fields == NULL ? 0 : add_fields(headers + OWN_HEADERS, reply->fields);
    const struct cg_http_head head = {.status = reply->status,
                                      .content_type = reply->content_type,
                                      .headers = headers,
                                      .header_count = OWN_HEADERS + more};
    if (reply->problem == NULL) {
        cg_http_call_reply_queue(pending->call, &head, reply->body);
    } else {
        const struct cg_http_more also = {.headers = headers + 1, .count = OWN_HEADERS - 1};
        cg_http_call_reply_problem_with(pending->call, reply->problem, reply->exchange_id, &also);
    }
}

static void on_problem(void *ctx, const struct cg_problem *problem, const char *exchange_id) {
    struct pending *pending = ctx;
    cg_http_call_reply_problem(pending->call, problem, exchange_id);
}

static const struct cg_front front_calls = {.reply = on_reply, .problem = on_problem};

/* ---- Opening and closing ---- */

/* Enough for every exchange, for whoever observes and for some idle clients, but never so many that another socket
 * could not be opened. */
static unsigned connection_limit(const struct cg_config *config) {
    uint64_t wanted = 2 * ((uint64_t)config->limits.exchanges + config->limits.observers) + IDLE_CONNECTIONS;
    struct rlimit fds;
    if (getrlimit(RLIMIT_NOFILE, &fds) != 0 || fds.rlim_cur == RLIM_INFINITY) return (unsigned)wanted;
    uint64_t room = fds.rlim_cur > 2 * OTHER_FDS ? fds.rlim_cur - OTHER_FDS : fds.rlim_cur / 2;
    room = room * CG_HTTP_DAEMON_CONNECTIONS / (CG_HTTP_DAEMON_CONNECTIONS + 1);
    if (room == 0) room = 1;
    return (unsigned)(wanted < room ? wanted : room);
}

struct cg_front_http *cg_front_http_open(uv_loop_t *uv, struct cg_gateway *gateway,
                                         const struct cg_encoder_list *encoders, struct cg_problem *problem) {
    struct cg_front_http *front = calloc(1, sizeof *front);
    if (front == NULL || (front->listings = cg_listings_open(uv)) == NULL) {
        cg_problem_set(problem, CG_E_NO_MEMORY, "no memory for the HTTP front");
        free(front);
        return NULL;
    }
    const struct cg_config *config = cg_gateway_config(gateway);
    front->gateway = gateway;
    front->encoders = encoders;
    front->connections = connection_limit(config);
    const struct cg_http_options options = {
        .settings = &config->http,
        .key_may_be_shared = config->key_files_may_be_shared,
        .handler = &handler,
        .ctx = front,
        .connections = front->connections,
    };
    front->server = cg_http_server_open(uv, &options, problem);
    if (front->server == NULL) {
        cg_listings_close(front->listings);
        free(front);
        return NULL;
    }
    return front;
}

int cg_front_http_reload(struct cg_front_http *front, struct cg_problem *problem) {
    const struct cg_config *config = cg_gateway_config(front->gateway);
    return cg_http_server_reload_tls(front->server, &config->http.tls, config->key_files_may_be_shared, problem);
}

void cg_front_http_stop(struct cg_front_http *front) { cg_http_server_stop(front->server); }

size_t cg_front_http_connections(const struct cg_front_http *front) {
    return cg_http_server_connections(front->server);
}

static void on_server_closed(void *ctx) {
    struct cg_front_http *front = ctx;
    cg_listings_close(front->listings);
    if (front->on_closed != NULL) front->on_closed(front->on_closed_ctx);
    free(front);
}

void cg_front_http_close(struct cg_front_http *front, void (*on_closed)(void *ctx), void *ctx) {
    if (front == NULL) return;
    front->on_closed = on_closed;
    front->on_closed_ctx = ctx;
    cg_http_server_close(front->server, on_server_closed, front);
}

const struct cg_listen *cg_front_http_listen(const struct cg_front_http *front, size_t index) {
    return cg_http_server_listen(front->server, index);
}
