/* Discovery by the admin side: a search is begun, looked at, and read when it is over. The hard thing is its result,
 * which may be large: it is written in slices, once, and then sent to whoever asks as it is. */
#include "fronts/admin/discovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "base/calendar.h"
#include "base/check.h"
#include "fronts/admin/found_document.h"
#include "fronts/admin/private.h"
#include "fronts/admin/reading.h"
#include "fronts/admin/resources.h"
#include "legs/port.h"
#include "model/mapping.h"

enum { SLICE = 32 << 10, SECONDS = 60 };

#define RESULTS_MAX ((size_t)64 << 20) /* of all that are kept */

enum state { RUNS, IS_WRITTEN, IS_DONE, HAS_NO_ROOM };
static const char *const state_names[] = {"running", "running", "done", "too-large"};

struct cg_search {
    struct cg_search *prev, *next;
    struct cg_searches *searches;
    char id[17];
    char where[CG_DISCOVERY_WHERE_MAX + 1]; /* "": all mappings' groups */
    char who[CG_NAME_MAX + 1];
    uint32_t seconds;
    int64_t begun_s;
    enum state state;
    struct cg_discovery *job; /* NULL: its result is written */
    struct cg_found_writer writer;
    struct cg_buf text;
    struct cg_bytes *result;
};

/* ---- Its document ---- */

/* An object that stays open. */
static void put_head(struct cg_buf *to, const struct cg_search *search, enum state state) {
    char begun[CG_CALENDAR_MAX];
    cg_calendar_emit_s(begun, search->begun_s);
    cg_buf_printf(to, "{\"id\":\"%s\"", search->id);
    cg_admin_put_text(to, "state", state_names[state]);
    cg_admin_put_text(to, "where", search->where[0] == '\0' ? NULL : search->where);
    cg_admin_put_text(to, "who", search->who);
    cg_admin_put_text(to, "begun", begun);
    cg_buf_printf(to, ",\"seconds\":%u", search->seconds);
}

static void put_brief(struct cg_buf *to, const struct cg_search *search) {
    put_head(to, search, search->state);
    if (search->state == RUNS) cg_buf_printf(to, ",\"answered\":%u", cg_discovery_found(search->job)->answered);
    cg_buf_put_u8(to, '}');
}

static void end_writing(struct cg_search *search) {
    cg_buf_put_str(&search->text, "}\n");
    search->result = search->text.failed ? NULL : cg_bytes_new(&search->text, &search->searches->quota);
    search->state = search->result == NULL ? HAS_NO_ROOM : IS_DONE;
    cg_buf_fini(&search->text);
    cg_discovery_free(search->job);
    search->job = NULL;
}

/* False: that was all. */
static bool write_slice(struct cg_search *search) {
    size_t start = search->text.len;
    while (search->text.len - start < SLICE && !search->text.failed) {
        if (!cg_found_writer_put(&search->writer, &search->text)) return false;
    }
    return !search->text.failed;
}

static void on_turn(uv_idle_t *turn) {
    struct cg_searches *searches = turn->data;
    struct cg_search *search = searches->all;
    while (search != NULL && search->state != IS_WRITTEN) search = search->next;
    if (search == NULL) {
        CG_CHECK(uv_idle_stop(turn) == 0);
    } else if (!write_slice(search)) {
        end_writing(search);
    }
}

static void on_done(void *ctx, struct cg_discovery *job) {
    struct cg_search *search = ctx;
    cg_buf_init(&search->text, 0);
    put_head(&search->text, search, IS_DONE);
    cg_found_writer_init(&search->writer, cg_discovery_found(job));
    search->state = IS_WRITTEN;
    CG_CHECK(uv_idle_start(&search->searches->turn, on_turn) == 0);
}

static void free_search(struct cg_search *search) {
    DL_DELETE(search->searches->all, search);
    search->searches->count--;
    if (search->state == IS_WRITTEN) cg_buf_fini(&search->text);
    cg_discovery_free(search->job);
    cg_bytes_unref(search->result);
    free(search);
}

/* ---- Reading ---- */

static struct cg_search *find(const struct cg_admin_call *call) {
    struct cg_search *search;
    DL_FOREACH(call->admin->searches.all, search) {
        if (strcmp(search->id, cg_admin_part(call, 0)) == 0) return search;
    }
    return NULL;
}

static void reply_missing(struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    cg_problem_set(&problem, CG_E_NOT_FOUND, "there is no discovery \"%s\", or not any more", cg_admin_part(call, 0));
    cg_admin_reply_problem(call, &problem);
}

static void serve_list(struct cg_admin_call *call) {
    const struct cg_search *search;
    struct cg_buf body;
    bool first = true;
    cg_buf_init(&body, 0);
    cg_buf_put_str(&body, "{\"items\":[");
    DL_FOREACH(call->admin->searches.all, search) {
        if (!first) cg_buf_put_u8(&body, ',');
        put_brief(&body, search);
        first = false;
    }
    cg_buf_put_str(&body, "],\"next\":null}\n");
    cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = 200}, &body);
}

static void reply_brief(struct cg_admin_call *call, const struct cg_search *search, uint16_t status,
                        const char *location) {
    struct cg_buf body;
    cg_buf_init(&body, 0);
    put_brief(&body, search);
    cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = status, .location = location}, &body);
}

static void reply_result(struct cg_admin_call *call, const struct cg_search *search) {
    struct cg_problem problem = {0};
    struct cg_outq *queue = cg_outq_new(RESULTS_MAX, NULL);
    if (queue == NULL || cg_outq_put_common(queue, search->result) < 0) {
        cg_problem_no_memory(&problem);
        cg_admin_reply_problem(call, &problem);
    } else {
        cg_outq_end(queue);
        cg_admin_reply_queue(call, "application/json", queue);
    }
    if (queue != NULL) cg_outq_unref(queue);
}

static void serve_get(struct cg_admin_call *call) {
    const struct cg_search *search = find(call);
    if (search == NULL) {
        reply_missing(call);
    } else if (search->state == IS_DONE) {
        reply_result(call, search);
    } else {
        reply_brief(call, search, 200, NULL);
    }
}

/* ---- Beginning ---- */

struct order {
    const char *where;
    const char *key; /* that has said where; NULL: none */
    const char *filter;
    uint32_t seconds;
    struct cg_mistakes mistakes;
};

static const char *text_of(struct order *order, const char *key, const json_t *value) {
    const char *text = json_string_value(value);
    char pointer[32];
    if (text != NULL && strlen(text) == json_string_length(value) && strlen(text) <= CG_DISCOVERY_WHERE_MAX)
        return text;
    snprintf(pointer, sizeof pointer, "/%s", key);
    cg_mistakes_add(&order->mistakes, pointer, "must be a text of at most %d bytes", CG_DISCOVERY_WHERE_MAX);
    return NULL;
}

static void read_where(struct order *order, const char *key, const json_t *value) {
    char pointer[32];
    if (order->key != NULL) {
        snprintf(pointer, sizeof pointer, "/%s", key);
        cg_mistakes_add(&order->mistakes, pointer, "\"%s\" says already where: one of them is enough", order->key);
    }
    order->key = key;
    order->where = text_of(order, key, value);
}

static void read_seconds(struct order *order, const json_t *value) {
    json_int_t seconds = json_integer_value(value);
    if (json_is_integer(value) && seconds >= 1 && seconds <= CG_DISCOVERY_SECONDS) {
        order->seconds = (uint32_t)seconds;
    } else {
        cg_mistakes_add(&order->mistakes, "/seconds", "must be a whole number from 1 to %d", CG_DISCOVERY_SECONDS);
    }
}

static void read_key(struct order *order, const char *key, const json_t *value) {
    char pointer[64];
    if (strcmp(key, "mapping") == 0 || strcmp(key, "security_group") == 0 || strcmp(key, "group") == 0) {
        read_where(order, key, value);
    } else if (strcmp(key, "filter") == 0) {
        order->filter = text_of(order, key, value);
    } else if (strcmp(key, "seconds") == 0) {
        read_seconds(order, value);
    } else {
        snprintf(pointer, sizeof pointer, "/%.40s", key);
        cg_mistakes_add(&order->mistakes, pointer,
                        "unknown key; known here: mapping, security_group, group, filter, seconds");
    }
}

/* "group" is a URI; the other two are names of what there is. */
static void check_where(struct order *order, const struct cg_config *config) {
    struct cg_security_keys *group;
    if (order->where == NULL) return;
    if (strcmp(order->key, "mapping") == 0 && cg_mapping_by_name(config, order->where) == NULL)
        cg_mistakes_add(&order->mistakes, "/mapping", "there is no mapping of that name");
    if (strcmp(order->key, "group") == 0 && strstr(order->where, "://") == NULL)
        cg_mistakes_add(&order->mistakes, "/group", "must be a group URI, such as \"coap://224.0.1.187\"");
    if (strcmp(order->key, "security_group") != 0) return;
    HASH_FIND_STR(config->security_groups_by_name, order->where, group);
    if (group == NULL) cg_mistakes_add(&order->mistakes, "/security_group", "there is no security group of that name");
}

/* One that is over makes room. */
static bool make_room(struct cg_searches *searches) {
    struct cg_search *search;
    if (searches->count < CG_SEARCHES_MAX) return true;
    DL_FOREACH(searches->all, search) {
        if (search->state != IS_DONE && search->state != HAS_NO_ROOM) continue;
        free_search(search);
        return true;
    }
    return false;
}

static struct cg_search *new_search(struct cg_admin_call *call, const struct order *order) {
    struct cg_searches *searches = &call->admin->searches;
    const struct cg_port *port = cg_gateway_port(call->admin->gateway);
    struct cg_search *search = calloc(1, sizeof *search);
    uint8_t random[8];
    if (search == NULL) return NULL;
    port->random(port->ctx, random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) snprintf(search->id + 2 * i, 3, "%02x", random[i]);
    snprintf(search->where, sizeof search->where, "%s", order->where == NULL ? "" : order->where);
    snprintf(search->who, sizeof search->who, "%s", call->who.name);
    search->seconds = order->seconds;
    search->begun_s = (int64_t)time(NULL);
    search->searches = searches;
    DL_APPEND(searches->all, search);
    searches->count++;
    return search;
}

static int begin(struct cg_admin_call *call, const struct order *order, struct cg_search **begun,
                 struct cg_problem *problem) {
    struct cg_searches *searches = &call->admin->searches;
    problem->retry_after = 10;
    if (searches->jobs == NULL || !make_room(searches))
        return cg_problem_set(problem, CG_E_RATE, "%d discoveries run already", CG_SEARCHES_MAX);
    problem->retry_after = 0;
    struct cg_search *search = new_search(call, order);
    if (search == NULL) return cg_problem_no_memory(problem);
    const struct cg_discovery_order what = {
        .where = order->where,
        .filter = order->filter == NULL ? CG_SLICE_NONE : cg_slice_str(order->filter),
        .seconds = order->seconds,
        .done = on_done,
        .ctx = search,
    };
    search->job = cg_discovery_begin(searches->jobs, &what, problem);
    if (search->job == NULL) free_search(search);
    *begun = search;
    return problem->err;
}

static void note(const struct cg_admin_call *call, const char *operation, const char *id, const char *where) {
    struct cg_author author = cg_admin_author(call);
    char target[32];
    snprintf(target, sizeof target, "discovery/%s", id);
    if (cg_admin_manage(call) != NULL) cg_manage_note(cg_admin_manage(call), &author, operation, target, "done", where);
}

static void serve_order(struct cg_admin_call *call, struct order *order) {
    struct cg_problem problem = {0};
    struct cg_search *search = NULL;
    char location[sizeof CG_ADMIN_ROOT "/discovery/" + sizeof search->id];
    if (order->mistakes.count > 0) {
        cg_problem_set(&problem, CG_E_INVALID, "%s: %s", order->mistakes.first->pointer,
                       order->mistakes.first->message);
        cg_admin_reply_mistakes(call, &problem, &order->mistakes, "", CG_SLICE_NONE);
    } else if (begin(call, order, &search, &problem) < 0) {
        cg_admin_reply_problem(call, &problem);
    } else {
        snprintf(location, sizeof location, CG_ADMIN_ROOT "/discovery/%s", search->id);
        note(call, "discovery.post", search->id, search->where);
        reply_brief(call, search, 201, location);
    }
}

static void serve_post(struct cg_admin_call *call) {
    struct order order = {.seconds = SECONDS};
    const char *key;
    json_t *value;
    cg_mistakes_init(&order.mistakes);
    json_object_foreach(call->body, key, value) read_key(&order, key, value);
    check_where(&order, cg_admin_config(call));
    serve_order(call, &order);
    cg_mistakes_fini(&order.mistakes);
}

static void serve_delete(struct cg_admin_call *call) {
    struct cg_search *search = find(call);
    if (search == NULL) {
        reply_missing(call);
        return;
    }
    note(call, "discovery.delete", search->id, "");
    free_search(search);
    cg_admin_reply_none(call);
}

/* ---- All of them ---- */

void cg_searches_open(struct cg_searches *searches, uv_loop_t *uv, struct cg_discoveries *jobs) {
    *searches = (struct cg_searches){.jobs = jobs, .quota = {.max = RESULTS_MAX}};
    CG_CHECK(uv_idle_init(uv, &searches->turn) == 0);
    searches->turn.data = searches;
}

static void on_turn_closed(uv_handle_t *handle) {
    struct cg_searches *searches = handle->data;
    searches->on_closed(searches->ctx);
}

void cg_searches_close(struct cg_searches *searches, void (*on_closed)(void *ctx), void *ctx) {
    searches->on_closed = on_closed;
    searches->ctx = ctx;
    while (searches->all != NULL) free_search(searches->all);
    uv_close((uv_handle_t *)&searches->turn, on_turn_closed);
}

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/discovery",
     .role = CG_ROLE_VIEWER,
     .serve = serve_list,
     .id = "discovery.list",
     .says = "The discoveries that run, and the latest that are over.",
     .answer = "DiscoveryList",
     .status = 200},
    {.method = "POST",
     .path = "/discovery",
     .role = CG_ROLE_OPERATOR,
     .serve = serve_post,
     .id = "discovery.post",
     .says = "Asks what is there: members of a mapping's or a security group, or whoever answers in a group; without "
             "any of them all mappings' groups. It goes out on the network.",
     .body = "DiscoveryOrder",
     .body_max = 8192,
     .answer = "Discovery",
     .flags = CG_ROUTE_BODY_OPTIONAL,
     .status = 201,
     .others = {404}},
    {.method = "GET",
     .path = "/discovery/{id}",
     .role = CG_ROLE_VIEWER,
     .serve = serve_get,
     .id = "discovery.get",
     .says = "One of them; once it is over with what it has found, as castgate --discover --json has it.",
     .answer = "Discovery",
     .status = 200,
     .others = {404}},
    {.method = "DELETE",
     .path = "/discovery/{id}",
     .role = CG_ROLE_OPERATOR,
     .serve = serve_delete,
     .id = "discovery.delete",
     .says = "Ends and forgets it.",
     .status = 204,
     .others = {404}},
};

static const struct cg_admin_schema schemas[] = {
    {"Discovery", "{'type': 'object', 'required': ['id', 'state', 'where', 'who', 'begun', 'seconds'], 'properties': {"
                  "'id': {'type': 'string'}, 'state': {'enum': ['running', 'done', 'too-large']},"
                  "'where': {'type': ['string', 'null']}, 'who': {'type': 'string'},"
                  "'begun': {'type': 'string', 'format': 'date-time'}, 'seconds': {'type': 'integer'},"
                  "'answered': {'type': 'integer'}, 'nodes': {'type': 'array', 'items': {'type': 'object'}},"
                  "'directories': {'type': 'array', 'items': {'type': 'object'}},"
                  "'entries': {'type': 'array', 'items': {'type': 'object'}},"
                  "'security_groups': {'type': 'array', 'items': {'type': 'object'}},"
                  "'left_out': {'type': 'array', 'items': {'type': 'object'}}, 'summary': {'type': 'object'}}}"},
    {"DiscoveryList", CG_ADMIN_LIST_SCHEMA("Discovery")},
    {"DiscoveryOrder",
     "{'type': 'object', 'additionalProperties': false, 'properties': {"
     "'mapping': {'type': 'string'}, 'security_group': {'type': 'string'},"
     "'group': {'type': 'string', 'description': 'A group URI.'},"
     "'filter': {'type': 'string', 'description': 'A query (RFC 6690, section 4.1), such as rt=light*.'},"
     "'seconds': {'type': 'integer', 'minimum': 1, 'maximum': 3600, 'default': 60}}}"},
};

const struct cg_admin_routes cg_routes_discovery = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
