/* A next hop. The hard thing: the core may only be told of a loss when nothing of it is in use any more, since whoever
 * hears of one may ask again at once. */
#include "hops/hop.h"

#include <stdio.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "io/loop.h"

enum {
    DOUBLED_MAX = 5,
    SECOND_US = 1000000,
    FORMERS_MAX = 4,      /* that still owe answers */
    HOLD_OFF_MAX_S = 600, /* that anybody may keep us away for */
};

static struct cg_engine *engine_of(const struct cg_hop_way *way) { return way->hop->all->engine; }

static bool is_former(const struct cg_hop_way *way) { return way->hop->way != way; }

static void log_hop(enum cg_log_level level, const struct cg_hop *hop, const char *event, const char *why) {
    struct cg_log_line line;
    cg_log_begin(&line, level, event);
    cg_log_str(&line, "next_hop", hop->origin);
    if (why != NULL) cg_log_str(&line, "reason", why);
    cg_log_end(&line);
}

/* ---- Attempts ---- */

/* Whoever asks meanwhile hears why the latest was in vain. */
static void rest(struct cg_hop *hop, uint64_t least_us) {
    unsigned doubled = hop->failures < DOUBLED_MAX ? hop->failures : DOUBLED_MAX;
    uint64_t rest_us = hop->all->limits.rest_us << doubled;
    if (rest_us < least_us) rest_us = least_us;
    hop->failures++;
    hop->rests_until_us = cg_loop_now_us() + rest_us;
    cg_hop_set_timer(hop->all, &hop->rest, rest_us);
}

static void say_lost(struct cg_problem *problem, const struct cg_hop *hop, const char *what, const char *why) {
    *problem = (struct cg_problem){0};
    cg_problem_set(problem, CG_E_HOP_LOST, "the next hop %s %s: %s", hop->origin, what, why);
}

static void fail(struct cg_hop *hop, const char *why) {
    hop->all->figures.failed++;
    log_hop(CG_LOG_WARNING, hop, "next-hop-failed", why);
    say_lost(&hop->problem, hop, "cannot be reached", why);
    rest(hop, 0);
}

static int say_rest(const struct cg_hop *hop, struct cg_problem *problem) {
    uint64_t now = cg_loop_now_us();
    *problem = hop->problem;
    problem->retry_after = (uint32_t)((hop->rests_until_us - now) / SECOND_US + 1);
    return problem->err;
}

static int begin(struct cg_hop *hop, struct cg_problem *problem) {
    struct cg_problem why = {0};
    hop->is_open = false;
    hop->way = (cg_addr_is_by_stream(&hop->addr) ? cg_hop_stream_new : cg_hop_session_new)(hop, &why);
    if (hop->way != NULL) return CG_PENDING;
    fail(hop, why.detail);
    return say_rest(hop, problem);
}

int cg_hop_open(struct cg_hop *hop, struct cg_problem *problem) {
    if (hop->way == NULL && cg_loop_now_us() < hop->rests_until_us) return say_rest(hop, problem);
    if (hop->way == NULL) return begin(hop, problem);
    return hop->is_open ? hop->way->ops->has_room(hop->way) : CG_PENDING;
}

int cg_hop_emit(struct cg_hop *hop, struct cg_slice datagram, struct cg_problem *problem) {
    if (hop->way != NULL && hop->is_open) {
        hop->way->was_asked = true;
        return hop->way->ops->emit(hop->way, datagram, problem);
    }
    say_lost(problem, hop, "cannot be reached", "its connection has just closed");
    return problem->err;
}

/* ---- What ways tell ---- */

void cg_hop_opened(struct cg_hop_way *way) {
    struct cg_hop *hop = way->hop;
    hop->is_open = true;
    hop->failures = 0;
    hop->rests_until_us = 0;
    cg_hop_clear_timer(hop->all, &hop->rest);
    hop->all->figures.opened++;
    log_hop(CG_LOG_INFO, hop, "next-hop-connected", NULL);
    cg_connection_ready(hop->all->engine, &hop->addr);
}

void cg_hop_has_room(struct cg_hop_way *way) {
    if (!is_former(way)) cg_connection_ready(engine_of(way), &way->hop->addr);
}

static void lose_former(struct cg_hop *hop, uint64_t requests, const char *why) {
    struct cg_problem problem;
    say_lost(&problem, hop, "has ended its connection", why);
    cg_connection_former_lost(hop->all->engine, &hop->addr, requests, &problem);
}

/* One that releases whatever is made must not have us make ever more of them. */
static void let_go_of_too_many(struct cg_hop *hop) {
    struct cg_hop_way *oldest = hop->former, *way;
    int count;
    DL_COUNT(hop->former, way, count);
    if (count <= FORMERS_MAX) return;
    DL_DELETE(hop->former, oldest);
    lose_former(hop, oldest->requests, "it has released too many, one after the other");
    oldest->ops->end(oldest);
}

/* As it has asked for (RFC 8323 §5.5). */
static void hold_off(struct cg_hop *hop, uint32_t seconds) {
    char why[64];
    if (seconds > HOLD_OFF_MAX_S) seconds = HOLD_OFF_MAX_S;
    snprintf(why, sizeof why, "it wants no other connection for %u s", (unsigned)seconds);
    log_hop(CG_LOG_INFO, hop, "next-hop-released", why);
    say_lost(&hop->problem, hop, "has released its connection", why);
    rest(hop, (uint64_t)seconds * SECOND_US);
}

void cg_hop_released(struct cg_hop_way *way, uint32_t hold_off_s) {
    struct cg_hop *hop = way->hop;
    hop->all->figures.released++;
    way->requests = cg_connection_requests(hop->all->engine);
    DL_APPEND(hop->former, way);
    hop->way = NULL;
    hop->is_open = false;
    if (hold_off_s > 0)
        hold_off(hop, hold_off_s);
    else if (!way->was_asked)
        fail(hop, "it has released the connection before it was asked anything");
    let_go_of_too_many(hop);
    cg_connection_ready(hop->all->engine, &hop->addr); /* whoever waits has another made, or hears why not */
}

void cg_hop_received(struct cg_hop_way *way, struct cg_slice datagram) {
    const struct cg_datagram arrived = {.from = way->hop->addr, .bytes = datagram, .arrival_us = cg_loop_now_us()};
    cg_engine_receive(engine_of(way), &arrived);
}

void cg_hop_reached(struct cg_hop_way *way, uint64_t requests) {
    cg_connection_reached(engine_of(way), &way->hop->addr, requests);
}

bool cg_hop_is_used(const struct cg_hop_way *way) { return cg_connection_is_used(engine_of(way), &way->hop->addr); }

/* ---- Ends ---- */

static bool is_left(const struct cg_hop *hop) {
    return hop->way == NULL && hop->former == NULL && hop->failures == 0 &&
           !cg_connection_is_used(hop->all->engine, &hop->addr);
}

static void take_out(struct cg_hop_way *way) {
    struct cg_hop *hop = way->hop;
    if (is_former(way)) {
        DL_DELETE(hop->former, way);
    } else {
        hop->way = NULL;
        hop->is_open = false;
    }
}

static void lose(struct cg_hop *hop, bool was_open, const char *why) {
    struct cg_problem problem;
    if (was_open) {
        hop->all->figures.lost++;
        log_hop(CG_LOG_INFO, hop, "next-hop-lost", why);
        say_lost(&problem, hop, "is connected no longer", why);
    } else {
        fail(hop, why);
        problem = hop->problem;
    }
    cg_connection_lost(hop->all->engine, &hop->addr, &problem);
}

void cg_hop_lost(struct cg_hop_way *way, const char *why) {
    struct cg_hop *hop = way->hop;
    const bool was_former = is_former(way), was_open = hop->is_open;
    const uint64_t requests = way->requests;
    take_out(way);
    if (was_former) {
        lose_former(hop, requests, why);
    } else {
        lose(hop, was_open, why);
    }
    if (is_left(hop)) cg_hop_forget(hop);
}

void cg_hop_idle(struct cg_hop_way *way) {
    struct cg_hop *hop = way->hop;
    hop->all->figures.idle++;
    take_out(way);
    if (is_left(hop)) cg_hop_forget(hop);
}

void cg_hop_end(struct cg_hop *hop) {
    struct cg_hop_way *way, *next;
    DL_FOREACH_SAFE(hop->former, way, next) way->ops->end(way);
    if (hop->way != NULL) hop->way->ops->end(hop->way);
    hop->former = hop->way = NULL;
}
