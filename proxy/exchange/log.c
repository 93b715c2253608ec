/* An exchange's line in the log. The hard thing: it is as long as a client and a group make it, so of a path, and of
 * the members that are missing, only the beginning is there; and it leaves the host as replies do, so a mapping that
 * hides its members hides them here, too. */
#include "exchange/exchange.h"

#include "base/log.h"
#include "model/mapping.h"
#include "model/stand_in.h"

#include <stdio.h>

enum { PATH_LOGGED = 200, MISSING_LOGGED = 8 };

/* ---- Who is hidden ---- */

/* A request of the operator's is shown its members, and the log is not (model/excerpt.h). Of a path that leads to no
 * mapping nobody knows. */
bool cg_exchange_hides_members(const struct cg_exchange *exchange) {
    const struct cg_mapping *mapping = exchange->mapping;
    if (mapping == NULL || mapping->anonymise) return true;
    mapping = cg_mapping_by_name(exchange->gateway->config, mapping->name);
    return mapping != NULL && mapping->anonymise;
}

/* How much of a path says nothing about one member; the marker included. */
static size_t before_member(struct cg_slice path) {
    for (size_t begin = 0; begin < path.len;) {
        const uint8_t *slash = memchr(path.data + begin, '/', path.len - begin);
        const size_t end = slash == NULL ? path.len : (size_t)(slash - path.data);
        if (cg_stand_in_is_marker(cg_slice_of(path.data + begin, end - begin))) return end;
        begin = end + 1;
    }
    return path.len;
}

static bool hides_one(const struct cg_exchange *exchange) {
    const struct cg_slice path = exchange->request.path;
    return cg_exchange_hides_members(exchange) && (exchange->member != NULL || before_member(path) < path.len);
}

size_t cg_exchange_shown_path(const struct cg_exchange *exchange) {
    const struct cg_slice path = exchange->request.path;
    return hides_one(exchange) ? before_member(path) : path.len;
}

/* ---- The request ---- */

/* Who connected, and for whom where a trusted proxy says so. */
static void log_sender(struct cg_log_line *line, const struct cg_request *request) {
    char text[CG_ADDR_TEXT_MAX];
    if (request->peer.family == CG_FAMILY_NONE) return;
    cg_addr_emit(&request->peer, text);
    cg_log_str(line, "peer", text);
    if (request->from.family == CG_FAMILY_NONE || cg_addr_same_host(&request->from, &request->peer)) return;
    cg_addr_emit_ip(&request->from, text);
    cg_log_str(line, "forwarded_for", text);
}

static void log_hidden_path(struct cg_log_line *line, struct cg_slice path) {
    char text[PATH_LOGGED + sizeof "/..."];
    const size_t end = before_member(path), len = end < PATH_LOGGED ? end : PATH_LOGGED;
    snprintf(text, sizeof text, "%.*s/...", (int)len, (const char *)path.data);
    cg_log_str(line, "path", text);
}

/* As much as there is room for. */
static size_t append(char text[PATH_LOGGED], size_t len, struct cg_slice more) {
    size_t most = PATH_LOGGED - len, put = more.len < most ? more.len : most;
    if (put > 0) memcpy(text + len, more.data, put);
    return len + put;
}

static void log_path(struct cg_log_line *line, const struct cg_request *request) {
    char text[PATH_LOGGED + sizeof "..."];
    size_t len = append(text, 0, request->path), whole = request->path.len;
    if (request->query.len > 0) {
        len = append(text, append(text, len, cg_slice_str("?")), request->query);
        whole += 1 + request->query.len;
    }
    if (whole == 0) return;
    memcpy(text + len, "...", sizeof "...");
    cg_log_slice(line, "path", cg_slice_of(text, whole > len ? len + sizeof "..." - 1 : len));
}

/* Who cannot give what it is asked for is silent in a group. */
static void log_asked_type(struct cg_log_line *line, const struct cg_request *request) {
    char unnamed[CG_ASKED_TYPE_MAX];
    const char *asked = cg_request_asked_type(request, unnamed);
    if (asked != NULL) cg_log_str(line, "accept", asked);
}

/* Nothing of whoever is known by an address: that stands beside it. */
static void log_client(struct cg_log_line *line, const struct cg_request *request) {
    char account[CG_ACCOUNT_MAX] = "";
    if (request->client != NULL || request->reaction != NULL) cg_request_account(request, account);
    cg_log_str(line, "client", account);
}

static void log_request(struct cg_log_line *line, const struct cg_exchange *exchange) {
    const struct cg_request *request = &exchange->request;
    const char *method = cg_method_name(request->method);
    log_client(line, request);
    log_sender(line, request);
    cg_log_str(line, "method", method == NULL ? "?" : method);
    if (hides_one(exchange)) {
        log_hidden_path(line, request->path);
    } else {
        log_path(line, request);
    }
    log_asked_type(line, request);
}

/* ---- What came of it ---- */

static void log_problem(struct cg_log_line *line, const struct cg_exchange *exchange) {
    const struct cg_problem *problem = &exchange->problem;
    if (problem->err == CG_OK) return;
    cg_log_str(line, "error", cg_err_info(problem->err)->slug);
    if (!hides_one(exchange)) cg_log_str(line, "detail", problem->detail); /* which may name it */
}

static void log_tally(struct cg_log_line *line, const struct cg_tally *tally) {
    cg_log_u64(line, "answered", tally->answered);
    cg_log_u64(line, "failed", tally->failed);
    cg_log_u64(line, "missing", cg_tally_missing(tally));
    cg_log_u64(line, "duplicates", tally->duplicates);
    cg_log_u64(line, "rejected", tally->rejected);
}

static void log_notifications(struct cg_log_line *line, const struct cg_exchange *exchange) {
    if (exchange->request.observes) cg_log_u64(line, "notifications", exchange->waiter.reader.notifications);
}

static void log_missing(struct cg_log_line *line, const struct cg_exchange *exchange) {
    const struct cg_tally *tally = &exchange->waiter.round->tally;
    uint32_t missing = cg_tally_missing(tally), named = 0;
    size_t count, len = 0;
    const struct cg_member *members = cg_mapping_awaited(exchange->mapping, exchange->member, &count);
    char text[MISSING_LOGGED * (CG_NAME_MAX + sizeof ",") + sizeof ",+4294967295"] = "";
    for (size_t i = 0; i < count && named < missing && named < MISSING_LOGGED; i++) {
        if (cg_tally_has_seen(tally, &members[i])) continue;
        const char *comma = named++ > 0 ? "," : "";
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s", comma, CG_NAME_MAX, members[i].name);
    }
    if (missing > named) snprintf(text + len, sizeof text - len, ",+%u", (unsigned)(missing - named));
    if (named > 0) cg_log_str(line, "missing_members", text);
}

/* Counts tell of nobody. */
static void log_causes(struct cg_log_line *line, const struct cg_exchange *exchange) {
    char text[CG_CAUSE_COUNT * (sizeof "not-listening:4294967295,")] = "";
    size_t len = 0;
    for (size_t i = 0; i < CG_CAUSE_COUNT; i++) {
        if (exchange->missing[i] == 0) continue;
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s:%u", len > 0 ? "," : "", cg_cause_names[i],
                                (unsigned)exchange->missing[i]);
    }
    if (len > 0) cg_log_str(line, "causes", text);
}

static void log_round(struct cg_log_line *line, const struct cg_exchange *exchange) {
    if (exchange->waiter.round == NULL) return;
    log_tally(line, &exchange->waiter.round->tally);
    log_notifications(line, exchange);
    if (!cg_exchange_hides_members(exchange)) log_missing(line, exchange);
    log_causes(line, exchange);
}

void cg_exchange_log(const struct cg_exchange *exchange, unsigned status) {
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_INFO, "exchange");
    cg_log_str(&line, "id", exchange->id);
    if (exchange->mapping != NULL) cg_log_str(&line, "mapping", exchange->mapping->name);
    if (exchange->member != NULL && !hides_one(exchange)) cg_log_str(&line, "member", exchange->member->name);
    log_request(&line, exchange);
    if (status != 0) cg_log_u64(&line, "status", status);
    log_problem(&line, exchange);
    log_round(&line, exchange);
    if (exchange->ended_by != NULL) cg_log_str(&line, "ended_by", exchange->ended_by);
    if (exchange->cut) cg_log_str(&line, "stream", "cut");
    cg_log_u64(&line, "ms", (exchange->gateway->engine.now_us - exchange->started_us) / 1000);
    if (exchange->request.traceparent.len > 0) cg_log_slice(&line, "traceparent", exchange->request.traceparent);
    cg_log_end(&line);
}
