/* Streams of events. The hard thing is who may still read: a stream lasts for as long as its reader likes, and its
 * token may be revoked or expire meanwhile; so twice a second, and at each change at once, everybody is asked anew. */
#include "fronts/admin/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "base/text.h"
#include "exchange/gateway.h"
#include "fronts/admin/private.h"
#include "fronts/admin/resources.h"
#include "io/loop.h"
#include "legs/port.h"

enum {
    LOOK_MS = 500,
    BEATS_TAKEN = 4, /* comments in a row, of which nothing was taken: a minute */
};

#define BEAT_US   UINT64_C(15000000)
#define QUEUE     ((size_t)256 << 10)
#define ALL_BYTES ((size_t)16 << 20)

static const char *const names[CG_EVENT_COUNT] = {
    [CG_EVENT_CHANGE] = "change",     [CG_EVENT_RELOAD] = "reload",     [CG_EVENT_REPORT] = "report",
    [CG_EVENT_EXCHANGE] = "exchange", [CG_EVENT_WARNINGS] = "warnings", [CG_EVENT_FIGURES] = "figures",
};

struct cg_event_stream {
    struct cg_event_stream *prev, *next;
    unsigned wants; /* CG_EVENT_BIT */
    struct cg_admin_call *call;
    struct cg_outq *queue;
    uint64_t taken; /* at the last beat */
    unsigned beats; /* in vain */
};

/* ---- One stream ---- */

static void note_wanted(struct cg_events *events) {
    const struct cg_event_stream *stream;
    events->wanted = 0;
    DL_FOREACH(events->streams, stream) events->wanted |= stream->wants;
}

enum ending { ENDS, IS_CUT };

static void end(struct cg_events *events, struct cg_event_stream *stream, enum ending how) {
    if (how == IS_CUT) {
        cg_outq_break(stream->queue);
    } else {
        cg_outq_end(stream->queue);
    }
    DL_DELETE(events->streams, stream);
    events->stream_count--;
    note_wanted(events);
    stream->call->ctx = NULL;
    cg_outq_unref(stream->queue);
    free(stream);
    if (events->streams == NULL) CG_CHECK(uv_timer_stop(&events->timer) == 0);
}

/* False: it had no room, or there is no memory. */
static bool put(struct cg_event_stream *stream, struct cg_bytes *bytes) {
    return bytes != NULL && cg_outq_has_room(stream->queue) && cg_outq_put_common(stream->queue, bytes) == CG_OK;
}

static bool put_text(struct cg_event_stream *stream, const char *text) {
    struct cg_buf bytes;
    cg_buf_init(&bytes, 0);
    cg_buf_put_str(&bytes, text);
    return cg_outq_has_room(stream->queue) && cg_outq_put(stream->queue, &bytes) == CG_OK;
}

static bool may_read(const struct cg_events *events, const struct cg_event_stream *stream, int64_t now_s) {
    const struct cg_admin_call *call = stream->call;
    return cg_admin_who_may_still(&call->who, cg_gateway_config(events->gateway), call->match.route->role, now_s);
}

static void look(struct cg_events *events) {
    struct cg_event_stream *stream, *next;
    int64_t now_s = (int64_t)time(NULL);
    DL_FOREACH_SAFE(events->streams, stream, next) {
        if (!may_read(events, stream, now_s)) end(events, stream, ENDS);
    }
}

static bool is_stuck(struct cg_event_stream *stream) {
    bool takes = stream->queue->len == 0 || stream->queue->taken != stream->taken;
    stream->beats = takes ? 0 : stream->beats + 1;
    stream->taken = stream->queue->taken;
    return stream->beats >= BEATS_TAKEN;
}

static void beat(struct cg_events *events) {
    struct cg_event_stream *stream, *next;
    DL_FOREACH_SAFE(events->streams, stream, next) {
        if (is_stuck(stream) || !put_text(stream, ":\n\n")) end(events, stream, IS_CUT);
    }
}

static void on_timer(uv_timer_t *timer) {
    struct cg_events *events = timer->data;
    look(events);
    if (events->look != NULL) events->look(events->look_ctx);
    if (cg_loop_now_us() - events->beat_us < BEAT_US) return;
    events->beat_us = cg_loop_now_us();
    beat(events);
}

/* ---- Events ---- */

static void forget_oldest(struct cg_events *events) {
    struct cg_kept_event *oldest = &events->kept[events->first++ % CG_EVENTS_KEPT];
    events->kept_bytes -= oldest->bytes->len;
    cg_bytes_unref(oldest->bytes);
    oldest->bytes = NULL;
}

static void keep(struct cg_events *events, enum cg_event_type type, struct cg_bytes *bytes) {
    while (events->first < events->next &&
           (events->next - events->first == CG_EVENTS_KEPT || events->kept_bytes + bytes->len > CG_EVENTS_KEPT_BYTES))
        forget_oldest(events);
    events->kept[events->next++ % CG_EVENTS_KEPT] = (struct cg_kept_event){.type = type, .bytes = bytes};
    events->kept_bytes += bytes->len;
}

/* What had no memory is a number that nobody gets. */
static void skip_number(struct cg_events *events) {
    while (events->first < events->next) forget_oldest(events);
    events->first = ++events->next;
}

static void tell_all(struct cg_events *events, enum cg_event_type type, struct cg_bytes *bytes) {
    struct cg_event_stream *stream, *next;
    DL_FOREACH_SAFE(events->streams, stream, next) {
        if ((stream->wants & CG_EVENT_BIT(type)) != 0 && !put(stream, bytes)) end(events, stream, IS_CUT);
    }
}

/* The rest of the event, behind its id or without one. Takes over `data`. NULL: no memory. */
static struct cg_bytes *make(struct cg_events *events, struct cg_buf *text, enum cg_event_type type,
                             struct cg_buf *data) {
    cg_buf_printf(text, "event: %s\ndata: ", names[type]);
    cg_buf_put_slice(text, cg_buf_slice(data));
    cg_buf_put_str(text, "\n\n");
    text->failed |= data->failed;
    cg_buf_fini(data);
    struct cg_bytes *bytes = text->failed ? NULL : cg_bytes_new(text, &events->quota);
    if (bytes == NULL) cg_buf_fini(text);
    return bytes;
}

void cg_events_tell(struct cg_events *events, enum cg_event_type type, struct cg_buf *data) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_buf_printf(&text, "id: %s-%" PRIu64 "\n", events->epoch, events->next);
    struct cg_bytes *bytes = make(events, &text, type, data);
    if (bytes == NULL) {
        skip_number(events);
        return;
    }
    tell_all(events, type, bytes);
    keep(events, type, bytes);
}

void cg_events_tell_now(struct cg_events *events, enum cg_event_type type, struct cg_buf *data) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    struct cg_bytes *bytes = make(events, &text, type, data);
    if (bytes == NULL) return;
    tell_all(events, type, bytes);
    cg_bytes_unref(bytes);
}

static void put_items(struct cg_buf *to, const struct cg_change *change) {
    size_t count;
    const struct cg_edit *edits = cg_change_edits(change, &count);
    cg_buf_put_str(to, ",\"items\":[");
    for (size_t i = 0; i < count && i < CG_ADMIN_LIMIT; i++) {
        cg_buf_printf(to, "%s{\"kind\":\"%s\",\"name\":\"%s\",\"deleted\":%s}", i > 0 ? "," : "",
                      cg_item_collections[edits[i].kind], edits[i].name, edits[i].item == NULL ? "true" : "false");
    }
    cg_buf_printf(to, "],\"count\":%zu}", count);
}

static void on_change(struct cg_manage_hearer *hearer, const struct cg_change *change) {
    struct cg_events *events = CG_CONTAINER(hearer, struct cg_events, change_hearer);
    struct cg_buf data;
    cg_buf_init(&data, 0);
    cg_buf_printf(&data, "{\"revision\":%" PRIu64 ",\"who\":", change->revision);
    cg_buf_put_json(&data, cg_slice_str(change->author.who));
    cg_buf_put_str(&data, ",\"operation\":");
    cg_buf_put_json(&data, cg_slice_str(change->operation));
    cg_buf_put_str(&data, ",\"target\":");
    cg_buf_put_json(&data, cg_slice_str(change->target));
    put_items(&data, change);
    cg_events_tell(events, CG_EVENT_CHANGE, &data);
    look(events);
}

static void on_reloaded(struct cg_manage_hearer *hearer) {
    struct cg_events *events = CG_CONTAINER(hearer, struct cg_events, change_hearer);
    struct cg_buf data;
    cg_buf_init(&data, 0);
    cg_buf_put_str(&data, "{\"detail\":\"the settings file was read anew: read anew what you show\"}");
    cg_events_tell(events, CG_EVENT_RELOAD, &data);
    look(events);
}

static void on_report(struct cg_reports_reader *reader, const struct cg_handed *handed) {
    struct cg_events *events = CG_CONTAINER(reader, struct cg_events, report_reader);
    struct cg_buf data;
    cg_buf_init(&data, 0);
    events->put_report(&data, handed);
    cg_events_tell(events, CG_EVENT_REPORT, &data);
}

/* ---- Who reads ---- */

/* What it has seen last; false: of another process, or nothing that we said. */
static bool parse_id(const struct cg_events *events, struct cg_slice text, uint64_t *number) {
    size_t len = strlen(events->epoch);
    bool is_ours = text.len > len && memcmp(text.data, events->epoch, len) == 0 && text.data[len] == '-';
    return is_ours &&
           cg_decimal_parse(cg_slice_of(text.data + len + 1, text.len - len - 1), events->next - 1, number) == CG_OK;
}

static bool put_gap(struct cg_event_stream *stream) {
    return put_text(
        stream, "event: gap\ndata: {\"detail\":\"some events are not kept any more: read anew what you show\"}\n\n");
}

/* What has come since it left. */
static bool resume(const struct cg_events *events, struct cg_event_stream *stream, struct cg_slice last_id) {
    uint64_t seen;
    bool known = parse_id(events, last_id, &seen);
    if ((!known || seen + 1 < events->first) && !put_gap(stream)) return false;
    uint64_t from = known && seen + 1 >= events->first ? seen + 1 : known ? events->first : events->next;
    for (; from < events->next; from++) {
        const struct cg_kept_event *event = &events->kept[from % CG_EVENTS_KEPT];
        if ((stream->wants & CG_EVENT_BIT(event->type)) != 0 && !put(stream, event->bytes)) return false;
    }
    return true;
}

static bool find_type(struct cg_slice name, unsigned *types) {
    for (unsigned i = 0; i < CG_EVENT_COUNT; i++) {
        if (!cg_slice_is(name, names[i])) continue;
        *types |= CG_EVENT_BIT(i);
        return true;
    }
    return false;
}

/* ?types=exchange,figures; without it, all. */
static int read_types(const struct cg_admin_call *call, unsigned *types, struct cg_problem *problem) {
    char text[CG_ADMIN_QUERY_MAX];
    *types = cg_admin_query(call, "types", text) ? 0 : CG_EVENT_BIT(CG_EVENT_COUNT) - 1;
    if (*types != 0) return CG_OK;
    struct cg_slice rest = cg_slice_str(text), name;
    while (cg_http_next_item(&rest, ',', &name)) {
        if (!find_type(name, types))
            return cg_problem_set(
                problem, CG_E_BAD_REQUEST,
                "types are some of change, reload, report, exchange, warnings, figures, with commas between");
    }
    return CG_OK;
}

static bool begin(struct cg_events *events, struct cg_event_stream *stream, struct cg_admin_call *call,
                  unsigned types) {
    struct cg_slice last_id;
    stream->call = call;
    stream->wants = types;
    stream->queue = cg_outq_new(QUEUE, &events->quota);
    if (stream->queue == NULL || !put_text(stream, ": castgate\n\n")) return false;
    if (cg_http_field(cg_http_call_message(call->http), "Last-Event-ID", &last_id) < 0) return true;
    return resume(events, stream, last_id);
}

static void refuse(struct cg_admin_call *call, int err) {
    struct cg_problem problem = {0};
    if (err == CG_E_NO_MEMORY) {
        cg_problem_no_memory(&problem);
    } else {
        problem.retry_after = 10;
        cg_problem_set(&problem, err, "%d streams of events are read already", CG_EVENTS_STREAMS_MAX);
    }
    cg_admin_reply_problem(call, &problem);
}

static void serve_events(struct cg_admin_call *call) {
    struct cg_events *events = &call->admin->events;
    struct cg_problem problem = {0};
    unsigned types;
    if (read_types(call, &types, &problem) < 0) {
        cg_admin_reply_problem(call, &problem);
        return;
    }
    if (events->stream_count == CG_EVENTS_STREAMS_MAX) {
        refuse(call, CG_E_OVERLOAD);
        return;
    }
    struct cg_event_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL || !begin(events, stream, call, types)) {
        if (stream != NULL) cg_outq_unref(stream->queue);
        free(stream);
        refuse(call, CG_E_NO_MEMORY);
        return;
    }
    if (events->streams == NULL) {
        events->beat_us = cg_loop_now_us();
        CG_CHECK(uv_timer_start(&events->timer, on_timer, LOOK_MS, LOOK_MS) == 0);
    }
    DL_APPEND(events->streams, stream);
    events->stream_count++;
    events->wanted |= types;
    call->ctx = stream;
    cg_admin_reply_queue(call, "text/event-stream", stream->queue);
}

static void over(struct cg_admin_call *call) {
    if (call->ctx != NULL) end(&call->admin->events, call->ctx, ENDS);
}

/* ---- Opening and closing ---- */

void cg_events_open(struct cg_events *events, uv_loop_t *uv) {
    uint8_t random[4];
    const struct cg_port *port = cg_gateway_port(events->gateway);
    port->random(port->ctx, random, sizeof random);
    snprintf(events->epoch, sizeof events->epoch, "%02x%02x%02x%02x", random[0], random[1], random[2], random[3]);
    events->next = events->first = 1;
    events->quota = (struct cg_quota){.max = ALL_BYTES};
    CG_CHECK(uv_timer_init(uv, &events->timer) == 0);
    events->timer.data = events;
    events->change_hearer = (struct cg_manage_hearer){.changed = on_change, .reloaded = on_reloaded};
    events->report_reader.hear = on_report;
    if (events->manage != NULL) cg_manage_add_hearer(events->manage, &events->change_hearer);
    if (events->reports != NULL) cg_reports_follow(events->reports, &events->report_reader);
}

static void on_timer_closed(uv_handle_t *handle) {
    struct cg_events *events = handle->data;
    events->on_closed(events->ctx);
}

void cg_events_close(struct cg_events *events, void (*on_closed)(void *ctx), void *ctx) {
    CG_CHECK(events->streams == NULL);
    events->on_closed = on_closed;
    events->ctx = ctx;
    if (events->manage != NULL) cg_manage_remove_hearer(events->manage, &events->change_hearer);
    if (events->reports != NULL) cg_reports_leave(events->reports, &events->report_reader);
    while (events->first < events->next) forget_oldest(events);
    uv_close((uv_handle_t *)&events->timer, on_timer_closed);
}

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/events",
     .role = CG_ROLE_VIEWER,
     .serve = serve_events,
     .over = over,
     .id = "events.get",
     .says =
         "What happens, as it happens: server-sent events named as the properties of EventTypes, and gap where some "
         "are not kept any more. With Last-Event-ID it goes on where a reader was, with those that have an id "
         "(change, reload, report); the others are read anew with GET exchanges, warnings and figures.",
     .answer = "Events",
     .answer_type = "text/event-stream",
     .queries = "types",
     .status = 200},
};

#define COUNTS                                                                                                         \
    "'requests': {'type': 'integer'}, 'refused': {'type': 'integer'}, 'answers': {'type': 'integer'}, 'failed': "      \
    "{'type': 'integer'}, 'missing': {'type': 'integer'}, 'rejected': {'type': 'integer'}"

static const struct cg_admin_schema schemas[] = {
    {"Events", "{'type': 'string', 'contentMediaType': 'text/event-stream',"
               "'contentSchema': {'$ref': '#/components/schemas/EventTypes'}}"},
    {"EventTypes",
     "{'type': 'object', 'description': 'The data of each event, by its name.', 'properties': {"
     "'change': {'type': 'object', 'description': 'A revision, or an act beside one.', 'properties': {"
     "'revision': {'type': 'integer'}, 'who': {'type': 'string'}, 'operation': {'type': 'string'}, 'target': {'type': "
     "'string'}, 'items': {'type': 'array', 'items': {'type': 'object'}}, 'count': {'type': 'integer'}}},"
     "'reload': {'type': 'object', 'description': 'The settings file was read anew, and is in use: read anew what you "
     "show.', 'properties': {'detail': {'type': 'string'}}},"
     "'report': {'type': 'object', 'description': 'What a member has reported by itself.'},"
     "'exchange': {'type': 'object', 'description': 'One that has ended, as an ExchangeBrief, and how many were left "
     "out "
     "since the one before: at most 20 a second are told.', 'properties': {'skipped': {'type': 'integer'}}},"
     "'warnings': {'type': 'object', 'description': 'GET warnings says something else than before.', 'properties': {"
     "'count': {'type': 'integer'}}},"
     "'figures': {'type': 'object', 'description': 'Every two seconds: what has been since the start, what runs, and "
     "how many exchanges have been left out since the last exchange event.', 'properties': {"
     "'at': {'type': 'string', 'format': 'date-time'}, 'running': {'type': 'integer'}, 'skipped': {'type': "
     "'integer'}, " COUNTS "}},"
     "'gap': {'type': 'object', 'description': 'Some events are not kept any more: read anew what you show.', "
     "'properties': {'detail': {'type': 'string'}}}}}"},
};

const struct cg_admin_routes cg_routes_events = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
